//! Stage 1: pre-aggregates the rows of one input partition into slices.
//!
//! Before: [`task`](crate::task) brings decoded rows and the slice that the clock gives them. After: at every commit, a
//! [`Chunk`] for stage 2; nothing stays here, so stage 1 has nothing to restore.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;

use super::groups::{Grouping, Groups};
use crate::partials::{Chunk, PartitionOffsets, SlicePartials};
use crate::window::Slice;

/// What was read of one input partition since the last chunk.
#[derive(Debug, Default)]
pub(crate) struct PartialAggregate {
    slices: BTreeMap<Slice, (PartitionOffsets, Groups)>,
}

impl PartialAggregate {
    /// Adds rows to a slice; `offsets` are those they were read from, and follow on the last.
    pub(crate) fn add(&mut self, grouping: &Grouping, slice: Slice, offsets: PartitionOffsets, rows: &RecordBatch) {
        let (covered, groups) = self.slices.entry(slice).or_insert_with(|| (offsets, Groups::new(grouping)));
        covered.next = offsets.next;
        if rows.num_rows() > 0 {
            groups.add(grouping, rows);
        }
    }

    /// The first offset that no chunk holds yet.
    pub(crate) fn first_offset(&self) -> Option<i64> {
        self.slices.values().map(|(offsets, _)| offsets.first).min()
    }

    /// Hands over all there is.
    pub(crate) fn take_chunk(&mut self) -> Chunk {
        let slices = std::mem::take(&mut self.slices).into_iter().map(|(slice, (offsets, groups))| {
            let group_count = groups.len();
            let (keys, partials) = groups.into_partials();
            SlicePartials { slice, offsets, keys, group_count, partials }
        });
        Chunk { slices: slices.collect() }
    }
}
