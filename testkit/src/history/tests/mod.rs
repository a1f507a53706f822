//! Each checker on a right history and on wrong ones.
