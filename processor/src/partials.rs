//! What stage 1 hands to stage 2: partial aggregates by slice, with the input that they stand for.
//!
//! Before: the [pre-aggregation](crate::operator::partial_aggregate) closes a [`Chunk`] per input partition at every
//! commit. After: the [window aggregate](crate::operator::window_aggregate) merges it.
//!
//! This is the seam between the stages. A chunk is columns and plain numbers, holds all that stage 2 learns of its input,
//! and carries the processing time that was read when its rows came; stage 2 asks no clock. So a chunk can be written to
//! a topic and read back, by this process or another, and stage 2 ends up with the same windows. Here chunks are handed
//! over in memory.

use arrow_array::ArrayRef;

use crate::task::InputRange;
use crate::window::Slice;

/// The rows of one input partition between two commits.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// All that was read: also what gave no row.
    pub(crate) input: InputRange,
    /// The processing time of the last row, in unix milliseconds.
    pub(crate) processing_time_ms: i64,
    /// What was counted, in the order of its reading.
    pub(crate) slices: Vec<SlicePartials>,
}

/// The rows of one input partition in one slice.
#[derive(Debug)]
pub(crate) struct SlicePartials {
    pub(crate) slice: Slice,
    /// Where the rows came from.
    pub(crate) input: InputRange,
    /// The groups, in pieces; none where no record gave a row.
    pub(crate) pieces: Vec<Partials>,
}

/// Some groups of a slice, a row each.
#[derive(Debug)]
pub(crate) struct Partials {
    pub(crate) groups: usize,
    /// The key columns.
    pub(crate) keys: Vec<ArrayRef>,
    /// What the accumulators wrote down: the columns of each aggregate.
    pub(crate) states: Vec<Vec<ArrayRef>>,
}
