//! Aggregate functions over whole columns and dense group ids: a file each.
//!
//! Before: the operators turn keys into ids. A function adds a column of values to its groups, hands out what it holds as
//! a column of *partials*, merges such a column of another, and finishes.
//!
//! - `count`: `COUNT(column)`, `COUNT(*)`

mod count;

use std::fmt;

use arrow_array::ArrayRef;

use self::count::Count;
use crate::plan::{AggregateCall, AggregateFunction};

/// What one aggregate call holds of every group. Groups are numbered from 0 without gaps.
pub(crate) trait Accumulator: fmt::Debug + Send {
    /// Adds row `i` of `argument` to the group `groups[i]`; without an argument, every row counts. All ids are below
    /// `group_count`.
    fn add(&mut self, argument: Option<&ArrayRef>, groups: &[u32], group_count: usize);

    /// Adds row `i` of another's partials to the group `groups[i]`. All ids are below `group_count`.
    fn merge(&mut self, partials: &ArrayRef, groups: &[u32], group_count: usize);

    /// What it holds, a row for each group, and forgets it.
    fn take_partials(&mut self) -> ArrayRef;

    /// The results, a row for each group, and forgets them.
    fn finish(&mut self) -> ArrayRef;
}

/// An accumulator for each call, without groups yet.
pub(crate) fn accumulators(calls: &[AggregateCall]) -> Vec<Box<dyn Accumulator>> {
    let accumulator = |call: &AggregateCall| -> Box<dyn Accumulator> {
        match call.function {
            AggregateFunction::Count => Box::new(Count::default()),
        }
    };
    calls.iter().map(accumulator).collect()
}
