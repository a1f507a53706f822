//! The operators that a [task](crate::task) chains: a file per plan node, and two for the one that has two stages.
//!
//! [`partial_aggregate`] folds rows by slice and input partition (stage 1); [`window_aggregate`] merges the partials and
//! closes windows (stage 2); [`project`] picks columns.

pub(crate) mod partial_aggregate;
pub(crate) mod project;
pub(crate) mod window_aggregate;
