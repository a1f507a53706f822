//! Stage 2: merges chunks of partials, and gives out a window's groups when it closes.
//!
//! Before: [`partial_aggregate`](super::partial_aggregate) hands over chunks. After: [`task`](crate::task) projects and
//! encodes the rows. A window's memory goes with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, TimestampMillisecondArray};

use super::groups::{Grouping, Groups};
use crate::partials::{Chunk, PartitionOffsets};
use crate::window::Slice;

/// The windows that are open.
#[derive(Debug)]
pub(crate) struct WindowAggregate {
    grouping: Grouping,
    open: BTreeMap<Slice, Open>,
}

#[derive(Debug)]
struct Open {
    groups: Groups,
    /// By partition.
    inputs: BTreeMap<i32, PartitionOffsets>,
}

/// A window that has closed.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) row_count: usize,
    /// Keys, calls, `window_start`, `window_end`: the outputs of the plan's node.
    pub(crate) columns: Vec<ArrayRef>,
    /// What it was made of, by partition.
    pub(crate) inputs: Vec<PartitionOffsets>,
}

impl WindowAggregate {
    pub(crate) const fn new(grouping: Grouping) -> Self {
        Self { grouping, open: BTreeMap::new() }
    }

    /// Adds a chunk to the windows it belongs to.
    pub(crate) fn merge(&mut self, chunk: Chunk) {
        for partials in chunk.slices {
            let new = || Open { groups: Groups::new(&self.grouping), inputs: BTreeMap::new() };
            let open = self.open.entry(partials.slice).or_insert_with(new);
            let offsets = partials.offsets;
            open.inputs.entry(offsets.partition).or_insert(offsets).next = offsets.next;
            if partials.group_count > 0 {
                open.groups.merge(&partials);
            }
        }
    }

    /// The window that closes next.
    pub(crate) fn first(&self) -> Option<Slice> {
        self.open.keys().next().copied()
    }

    /// What open windows were made of.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = PartitionOffsets> {
        self.open.values().flat_map(|open| open.inputs.values().copied())
    }

    /// Closes the first window, if one is open.
    pub(crate) fn close_first(&mut self) -> Option<Closed> {
        let (slice, Open { groups, inputs }) = self.open.pop_first()?;
        let row_count = groups.len();
        let mut columns = groups.finish();
        for bound in [slice.start, slice.end] {
            columns.push(Arc::new(TimestampMillisecondArray::from_value(bound, row_count)));
        }
        Some(Closed { row_count, columns, inputs: inputs.into_values().collect() })
    }

    /// Forgets all open windows.
    pub(crate) fn reset(&mut self) {
        self.open.clear();
    }
}
