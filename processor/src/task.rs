//! The operators of one pipeline, as one machine: record values in, encoded results of closed windows out.
//!
//! Before: the driver brings the records of one fetched batch and the processing time. Here: the order of the calls and
//! the bookkeeping of offsets. After: the driver sends the results, and commits [`Task::safe_offsets`] once they are
//! acknowledged.

use std::collections::BTreeMap;
use std::fmt;

use arrow_array::ArrayRef;
use jiff::tz::TimeZone;

use crate::format::EncodedValues;
use crate::format::json::{self, Decoder, Encoder};
use crate::operator::groups::Grouping;
use crate::operator::partial_aggregate::PartialAggregate;
use crate::operator::window_aggregate::{Closed, WindowAggregate};
use crate::partials::PartitionOffsets;
use crate::plan::{self, Node, Pipeline};
use crate::schema::Format;
use crate::window::{Slice, Slicer};

/// One pipeline at work. It reads no clock: processing time comes in as unix milliseconds and never goes back.
#[derive(Debug)]
pub struct Task {
    decoder: Decoder,
    slicer: Slicer,
    grouping: Grouping,
    /// By partition.
    stage_1: BTreeMap<i32, Input>,
    stage_2: WindowAggregate,
    /// Which outputs of the aggregate are written, in order.
    projection: Vec<usize>,
    encoder: Encoder,
}

/// One input partition.
#[derive(Debug, Default)]
struct Input {
    aggregate: PartialAggregate,
    /// The offset after the last that was read.
    next: i64,
}

impl Task {
    /// Builds the operators of a plan; `zone` is where window bounds on processing time are cut.
    pub fn new(pipeline: &Pipeline, zone: &TimeZone) -> Self {
        let (aggregate, projection) = shape(&pipeline.root);
        let grouping = Grouping::new(aggregate);
        let scan = aggregate.input.scan();
        let Format::Json(read) = scan.table.options.format;
        let Format::Json(written) = pipeline.sink.options.format;
        Self {
            decoder: Decoder::new(scan, read),
            slicer: Slicer::new(aggregate.window, zone),
            stage_1: BTreeMap::new(),
            stage_2: WindowAggregate::new(grouping.clone()),
            grouping,
            projection,
            encoder: Encoder::new(&pipeline.sink, written),
        }
    }

    /// Takes the records of one batch of a partition, in the order of their offsets, at the processing time `now_ms`
    /// (unix milliseconds, never going back).
    ///
    /// # Errors
    /// The first value that is no row; then nothing of the batch is counted.
    pub fn handle_records<'a>(
        &mut self,
        partition: i32,
        records: impl IntoIterator<Item = InputRecord<'a>>,
        now_ms: i64,
    ) -> Result<(), RecordError> {
        let mut offsets: Option<PartitionOffsets> = None;
        let noted = records.into_iter().inspect(|record| {
            let first = PartitionOffsets { partition, first: record.offset, next: record.offset };
            offsets.get_or_insert(first).next = record.offset.saturating_add(1);
        });
        let rows = self.decoder.decode(noted)?;
        let Some(mut offsets) = offsets else { return Ok(()) };
        let known = self.stage_1.get(&partition).map(|input| input.next);
        let input = self.stage_1.entry(partition).or_default();
        // Compaction and control records leave gaps: they belong to what is read behind them.
        offsets.first = known.filter(|next| *next < offsets.first).unwrap_or(offsets.first);
        input.next = offsets.next;
        input.aggregate.add(&self.grouping, self.slicer.slice_of(now_ms), offsets, &rows);
        Ok(())
    }

    /// Hands what was counted to the open windows and appends every window that ends at or before `now_ms`, in the order
    /// of their ends. Returns when the next open window ends (unix milliseconds); `None` while none is open. To be
    /// called at every commit and whenever that time comes.
    pub fn poll(&mut self, now_ms: i64, closed: &mut Vec<ClosedWindow>) -> Option<i64> {
        for input in self.stage_1.values_mut() {
            self.stage_2.merge(input.aggregate.take_chunk());
        }
        while let Some(slice) = self.stage_2.first() {
            let ends_at = self.slicer.ends_at(slice);
            if ends_at > now_ms {
                return Some(ends_at);
            }
            if let Some(window) = self.stage_2.close_first() {
                closed.push(self.encode(slice, ends_at, &window));
            }
        }
        None
    }

    /// For each partition with rows in open windows, the offset of the first of them; for others that were read, the
    /// next offset. By partition. Once all results so far are acknowledged, this may be committed: what is open is
    /// rebuilt from here, so every row counts at least once.
    pub fn safe_offsets(&self) -> Vec<(i32, i64)> {
        let mut safe: BTreeMap<i32, i64> = BTreeMap::new();
        for (partition, input) in &self.stage_1 {
            safe.insert(*partition, input.aggregate.first_offset().unwrap_or(input.next));
        }
        for offsets in self.stage_2.inputs() {
            safe.entry(offsets.partition).and_modify(|offset| *offset = offsets.first.min(*offset));
        }
        safe.into_iter().collect()
    }

    /// Forgets everything that is open and every offset: partitions were taken away, or the job replays from what is
    /// committed.
    pub fn reset(&mut self) {
        self.stage_1.clear();
        self.stage_2.reset();
    }

    fn encode(&self, slice: Slice, end_ms: i64, window: &Closed) -> ClosedWindow {
        let columns: Vec<ArrayRef> =
            self.projection.iter().filter_map(|column| window.columns.get(*column)).cloned().collect();
        let inputs = window.inputs.iter().map(|offsets| {
            let PartitionOffsets { partition, first, next } = *offsets;
            InputRange { partition, first, next }
        });
        ClosedWindow {
            start_ms: self.slicer.begins_at(slice),
            end_ms,
            start: json::timestamp_text(slice.start),
            end: json::timestamp_text(slice.end),
            rows: window.row_count,
            values: self.encoder.encode(&columns, window.row_count),
            inputs: inputs.collect(),
        }
    }
}

/// The aggregate of a pipeline, and which of its outputs come out at the top.
fn shape(node: &Node) -> (&plan::WindowAggregate, Vec<usize>) {
    match node {
        Node::WindowAggregate(aggregate) => (aggregate, (0..node.outputs().len()).collect()),
        Node::Project(project) => {
            let (aggregate, below) = shape(&project.input);
            let picked = project.columns.iter().filter_map(|column| below.get(column.input)).copied();
            (aggregate, picked.collect())
        }
        Node::Scan(_) => unreachable!("the binder puts an aggregate over every scan"),
    }
}

/// A record to be counted.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by the caller, field by field")]
pub struct InputRecord<'a> {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
}

/// A window that has ended, with its results.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClosedWindow {
    /// The start, in unix milliseconds.
    pub start_ms: i64,
    /// The end, excluded, in unix milliseconds: the instant from which the window may close.
    pub end_ms: i64,
    /// The start as written in the rows: local wall clock, as `2026-11-23 10:00:00`.
    pub start: String,
    /// The end as written in the rows.
    pub end: String,
    /// How many results there are.
    pub rows: usize,
    /// The results, encoded: one value per row.
    pub values: EncodedValues,
    /// What it was made of, by partition and offset.
    pub inputs: Vec<InputRange>,
}

/// Offsets of a partition without a gap: what was read while a window was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputRange {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub first: i64,
    /// The offset after the last.
    pub next: i64,
}

/// Why a record's value is no row. The driver knows topic and partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordError {
    /// The record's offset.
    pub offset: i64,
    /// The column that cannot be read; `None` when the value as a whole cannot.
    pub field: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// The value's first 80 characters.
    pub value_start: String,
    /// The table option that decides otherwise, as `'json.ignore-parse-errors' = 'true'`.
    pub option: &'static str,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {}: ", self.offset)?;
        if let Some(field) = &self.field {
            write!(f, "field {field}: ")?;
        }
        write!(f, "{}; the value starts with `{}`; {} would accept it", self.reason, self.value_start, self.option)
    }
}

impl std::error::Error for RecordError {}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
