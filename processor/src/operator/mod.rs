//! The operators of a plan, as plain structs over columns.
//!
//! Before: [`task`](crate::task) builds them from the plan's nodes and calls them in turn. Rows go through
//! [`partial_aggregate`] (stage 1, one for each input partition), a [`chunk`](crate::partials) of partials, and
//! [`window_aggregate`] (stage 2); [`groups`] is what both keep of a slice, and [`keys`] numbers its keys.

pub(crate) mod groups;
mod keys;
pub(crate) mod partial_aggregate;
pub(crate) mod window_aggregate;
