//! Stage 2 of a window aggregate: merges the partials of all partitions and closes windows in the order of their ends.
//!
//! Before: [`Chunk`]s of stage 1. After: the task projects and encodes the results of each [`Closing`] window. A window
//! has its own keys and accumulators, so all of its memory goes with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, TimestampMillisecondArray};
use jiff::tz::TimeZone;

use crate::aggregate::groups::{Grouping, Groups};
use crate::partials::{Chunk, SlicePartials};
use crate::plan;
use crate::task::InputRange;
use crate::types::Columns;
use crate::window::{Slice, zone};

/// The open windows.
#[derive(Debug)]
pub(crate) struct WindowAggregate {
    zone: TimeZone,
    grouping: Grouping,
    /// By slice, which for TUMBLE is a window.
    open: BTreeMap<Slice, Window>,
    /// When each open window ends, in unix milliseconds.
    ends: BTreeSet<(i64, Slice)>,
    /// For each partition, the offset after those that were merged.
    positions: BTreeMap<i32, i64>,
    /// The latest processing time that was heard of.
    now_ms: i64,
}

#[derive(Debug)]
struct Window {
    groups: Groups,
    /// By partition, in the order of offsets.
    inputs: BTreeMap<i32, Vec<InputRange>>,
}

/// A window that has ended.
#[derive(Debug)]
pub(crate) struct Closing {
    /// Its bounds on the wall clock.
    pub(crate) slice: Slice,
    /// Its bounds as instants, in unix milliseconds.
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    /// By partition, then offset.
    pub(crate) inputs: Vec<InputRange>,
    groups: Groups,
}

impl WindowAggregate {
    pub(crate) fn new(aggregate: &plan::WindowAggregate, zone: &TimeZone) -> Self {
        Self {
            zone: zone.clone(),
            grouping: Grouping::new(aggregate),
            open: BTreeMap::new(),
            ends: BTreeSet::new(),
            positions: BTreeMap::new(),
            now_ms: i64::MIN,
        }
    }

    /// Merges what stage 1 folded.
    pub(crate) fn on_chunk(&mut self, chunk: Chunk) {
        self.positions.insert(chunk.input.partition, chunk.input.next);
        self.now_ms = self.now_ms.max(chunk.processing_time_ms);
        for partials in chunk.slices {
            self.on_partials(partials);
        }
    }

    fn on_partials(&mut self, partials: SlicePartials) {
        let SlicePartials { slice, input, pieces } = partials;
        // Records without a row open no window.
        if pieces.is_empty() && !self.open.contains_key(&slice) {
            return;
        }
        let window = self.open.entry(slice).or_insert_with(|| {
            self.ends.insert((zone::end_instant(slice.end_ms, &self.zone), slice));
            Window { groups: self.grouping.groups(), inputs: BTreeMap::new() }
        });
        let ranges = window.inputs.entry(input.partition).or_default();
        match ranges.last_mut().filter(|range| range.next == input.first) {
            Some(range) => range.next = input.next,
            None => ranges.push(input),
        }
        for piece in &pieces {
            window.groups.merge(piece);
        }
    }

    /// The first window that ends at or before the processing time `now_ms`; it is open no more.
    pub(crate) fn poll(&mut self, now_ms: i64) -> Option<Closing> {
        self.now_ms = self.now_ms.max(now_ms);
        let &(end_ms, slice) = self.ends.first().filter(|(end_ms, _)| *end_ms <= self.now_ms)?;
        self.ends.pop_first();
        let Window { groups, inputs } = self.open.remove(&slice)?;
        let inputs = inputs.into_values().flatten().collect();
        Some(Closing { slice, start_ms: zone::start_instant(slice.start_ms, &self.zone), end_ms, inputs, groups })
    }

    /// When the next open window ends, in unix milliseconds.
    pub(crate) fn next_end(&self) -> Option<i64> {
        self.ends.first().map(|(end_ms, _)| *end_ms)
    }

    /// For each partition, from which offset its records must be read again to rebuild the open windows.
    pub(crate) fn safe_offsets(&self) -> BTreeMap<i32, i64> {
        let mut offsets = self.positions.clone();
        for input in self.open.values().flat_map(|window| window.inputs.values().flatten()) {
            offsets.entry(input.partition).and_modify(|offset| *offset = input.first.min(*offset));
        }
        offsets
    }

    /// Forgets all windows and partitions.
    pub(crate) fn reset(&mut self) {
        self.open.clear();
        self.ends.clear();
        self.positions.clear();
    }
}

impl Closing {
    /// How many results there are.
    pub(crate) fn rows(&self) -> usize {
        self.groups.len()
    }

    /// The results, in pieces: keys, aggregates, `window_start`, `window_end`.
    pub(crate) fn results(&self) -> impl Iterator<Item = Columns> {
        self.groups.results().map(|mut columns| {
            let bound = |ms: i64| -> ArrayRef { Arc::new(TimestampMillisecondArray::from_value(ms, columns.rows)) };
            let bounds = [bound(self.slice.start_ms), bound(self.slice.end_ms)];
            columns.arrays.extend(bounds);
            columns
        })
    }
}
