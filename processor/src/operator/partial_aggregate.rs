//! Stage 1 of a window aggregate: folds the rows of each input partition by slice, until the next commit.
//!
//! Before: the task decoded the records of one batch. After: at every commit [`PartialAggregate::poll`] hands over what
//! was folded, a [`Chunk`] per partition. Nothing else is kept here but how far each partition was read, so there is no
//! state to restore.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::aggregate::groups::{Grouping, Groups};
use crate::partials::{Chunk, SlicePartials};
use crate::plan::WindowAggregate;
use crate::task::InputRange;
use crate::types::Columns;
use crate::window::{Slice, Slices, zone};

/// What was read since the last commit, by partition.
#[derive(Debug)]
pub(crate) struct PartialAggregate {
    slices: Slices,
    zone: TimeZone,
    grouping: Grouping,
    partitions: BTreeMap<i32, Partition>,
}

#[derive(Debug)]
struct Partition {
    /// What was read since the last chunk; `next` is the position.
    input: InputRange,
    processing_time_ms: i64,
    open: Vec<OpenSlice>,
}

#[derive(Debug)]
struct OpenSlice {
    slice: Slice,
    input: InputRange,
    groups: Groups,
}

impl PartialAggregate {
    pub(crate) fn new(aggregate: &WindowAggregate, zone: &TimeZone) -> Self {
        Self {
            slices: aggregate.window.into(),
            zone: zone.clone(),
            grouping: Grouping::new(aggregate),
            partitions: BTreeMap::new(),
        }
    }

    /// Adds the rows of the records `first..next` of a partition, which were read at the processing time `now_ms`.
    pub(crate) fn on_rows(&mut self, partition: i32, first: i64, next: i64, pieces: &[Columns], now_ms: i64) {
        let slice = self.slices.of(zone::to_wall_clock(now_ms, &self.zone));
        let state = self.partitions.entry(partition).or_insert_with(|| Partition {
            input: InputRange { partition, first, next: first },
            processing_time_ms: now_ms,
            open: Vec::new(),
        });
        // Offsets that no record has, such as those of transaction markers, belong to what comes after them.
        let first = state.input.next.min(first);
        state.input.next = next;
        state.processing_time_ms = now_ms;
        // The wall clock can come back to a slice, and then there are other offsets between its rows.
        if state.open.last().is_none_or(|open| open.slice != slice) {
            let input = InputRange { partition, first, next: first };
            state.open.push(OpenSlice { slice, input, groups: self.grouping.groups() });
        }
        if let Some(open) = state.open.last_mut() {
            open.input.next = next;
            for columns in pieces {
                open.groups.add(&self.grouping, columns);
            }
        }
    }

    /// Hands over what was folded since the last call, in the order of the partitions.
    pub(crate) fn poll(&mut self, chunks: &mut Vec<Chunk>) {
        for partition in self.partitions.values_mut().filter(|partition| !partition.open.is_empty()) {
            let slices = partition.open.drain(..).map(|open| SlicePartials {
                slice: open.slice,
                input: open.input,
                pieces: open.groups.partials(),
            });
            chunks.push(Chunk {
                input: partition.input,
                processing_time_ms: partition.processing_time_ms,
                slices: slices.collect(),
            });
            partition.input.first = partition.input.next;
        }
    }

    /// For each partition, the first offset of what was not handed over yet.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (i32, i64)> {
        self.partitions.iter().map(|(&partition, state)| (partition, state.input.first))
    }

    /// Forgets all partitions.
    pub(crate) fn reset(&mut self) {
        self.partitions.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Node, Plan};

    #[test]
    fn chunks_of_a_partition_follow_each_other_and_say_when_they_were_read() {
        let plan = Plan::from_sql(include_str!("../../../examples/top_users.sql")).unwrap();
        let Node::Project(project) = &plan.pipelines[0].root else { panic!("the sink's columns are picked last") };
        let Node::WindowAggregate(aggregate) = &*project.input else { panic!("below them the aggregate") };
        let mut stage_1 = PartialAggregate::new(aggregate, &TimeZone::UTC);
        let mut chunks = Vec::new();
        stage_1.on_rows(1, 7, 9, &[], 1_800_000 - 1);
        stage_1.on_rows(0, 100, 101, &[], 1_800_000 - 1);
        // Offset 9 is a marker of a transaction.
        stage_1.on_rows(1, 10, 12, &[], 1_800_000);
        stage_1.poll(&mut chunks);
        stage_1.on_rows(1, 12, 20, &[], 1_800_001);
        stage_1.poll(&mut chunks);
        stage_1.poll(&mut chunks);
        let inputs: Vec<_> = chunks.iter().map(|chunk| (chunk.input, chunk.processing_time_ms)).collect();
        let range = |partition, first, next| InputRange { partition, first, next };
        assert_eq!(
            inputs,
            [(range(0, 100, 101), 1_799_999), (range(1, 7, 12), 1_800_000), (range(1, 12, 20), 1_800_001)]
        );
        let slices: Vec<_> = chunks[1].slices.iter().map(|slice| (slice.slice.start_ms, slice.input)).collect();
        assert_eq!(slices, [(0, range(1, 7, 9)), (1_800_000, range(1, 9, 12))]);
    }
}
