//! Aggregate functions over whole columns and dense group ids.
//!
//! A function is a file here with an [`Accumulator`]: a value per group, which rows are added to, which can be written
//! down as columns and merged with others. [`keys`] gives rows their group ids; [`groups`] joins both.
//!
//! Before: stage 1 has columns of rows, stage 2 has partials. After: partials, or results.

mod count;
pub(crate) mod groups;
mod keys;

use std::fmt;
use std::ops::Range;

use arrow_array::ArrayRef;

use crate::plan::{AggregateCall, AggregateFunction};

/// One aggregate of each group. A group's id is its place; ids are dense from 0.
pub(crate) trait Accumulator: fmt::Debug + Send {
    /// Makes room for ids below `groups`; new groups have seen no row.
    fn resize(&mut self, groups: usize);

    /// Adds rows: row `n` belongs to the group `ids[n]`. `argument` is the column that is folded, `None` is `*`.
    fn add(&mut self, argument: Option<&ArrayRef>, ids: &[usize]);

    /// Adds what another accumulator of the same function wrote down with [`state`](Self::state): its row `n` belongs to
    /// the group `ids[n]` here.
    fn merge(&mut self, state: &[ArrayRef], ids: &[usize]);

    /// Writes down some groups as columns, a row per group, so that they can be merged elsewhere.
    fn state(&self, groups: Range<usize>) -> Vec<ArrayRef>;

    /// The results of some groups, of the call's output type.
    fn finish(&self, groups: Range<usize>) -> ArrayRef;
}

/// An accumulator for a call, without any group.
pub(crate) fn accumulator(call: &AggregateCall) -> Box<dyn Accumulator> {
    match call.function {
        AggregateFunction::Count => Box::new(count::Count::default()),
    }
}
