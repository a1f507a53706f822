//! What stage 1 hands to stage 2: the partial aggregates of one input partition since the last hand-over.
//!
//! Before: [`partial_aggregate`](crate::operator) makes a chunk at every commit. After: `window_aggregate` merges it. The
//! chunk is all that passes between the stages, and it is columns throughout: it travels in memory today, and is what a
//! log of partials will hold when each commit writes it to a topic first. For that it says itself what it was made of
//! ([`PartitionOffsets`]), so that a replay of chunks is a replay of the input.

use arrow_array::ArrayRef;

use crate::window::Slice;

/// Offsets of one input partition without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartitionOffsets {
    pub(crate) partition: i32,
    /// The first.
    pub(crate) first: i64,
    /// The one after the last.
    pub(crate) next: i64,
}

/// The partial aggregates of one input partition.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// By slice, in the order of their ends.
    pub(crate) slices: Vec<SlicePartials>,
}

/// The partial aggregates of one slice: a row for each group.
#[derive(Debug)]
pub(crate) struct SlicePartials {
    pub(crate) slice: Slice,
    /// The rows it was made of, in the input.
    pub(crate) offsets: PartitionOffsets,
    /// The keys, a column each; without keys there is no column.
    pub(crate) keys: Vec<ArrayRef>,
    /// How many groups there are: the rows of every column here. 0 when no record held a row.
    pub(crate) group_count: usize,
    /// What each aggregate call holds, a column each.
    pub(crate) partials: Vec<ArrayRef>,
}
