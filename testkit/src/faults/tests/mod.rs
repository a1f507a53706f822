//! Scripts, their matching and what they do to bytes.

mod error_replies;
mod scripts;
