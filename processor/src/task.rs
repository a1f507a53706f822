//! The operators of one pipeline, as one machine: record values in, encoded results of closed windows out.
//!
//! Before: the driver brings the records of one fetched batch and the processing time. Here: the order of the calls and
//! the bookkeeping of offsets. After: the driver sends the results, and commits [`Task::safe_offsets`] once they are
//! acknowledged.

use std::fmt;

use jiff::tz::TimeZone;

use crate::format::{Decoder, EncodedValues, Encoder, datetime};
use crate::operator::partial_aggregate::PartialAggregate;
use crate::operator::project::Project;
use crate::operator::window_aggregate::{Closing, WindowAggregate};
use crate::partials::Chunk;
use crate::plan::{self, Node, Pipeline};
use crate::types::Columns;

/// One pipeline at work. It reads no clock: processing time comes in as unix milliseconds and never goes back.
#[derive(Debug)]
pub struct Task {
    decoder: Decoder,
    stage_1: PartialAggregate,
    stage_2: WindowAggregate,
    /// What the plan has above the aggregate, lowest first.
    projects: Vec<Project>,
    encoder: Encoder,
    /// The latest processing time: an earlier one counts as this.
    now_ms: i64,
    /// Used again for every batch and every poll.
    pieces: Vec<Columns>,
    chunks: Vec<Chunk>,
}

impl Task {
    /// Builds the operators of a plan; `zone` is where window bounds on processing time are cut.
    pub fn new(pipeline: &Pipeline, zone: &TimeZone) -> Self {
        let mut projects = Vec::new();
        let aggregate = window_aggregate(&pipeline.root, &mut projects);
        Self {
            decoder: Decoder::new(pipeline.scan()),
            stage_1: PartialAggregate::new(aggregate, zone),
            stage_2: WindowAggregate::new(aggregate, zone),
            projects,
            encoder: Encoder::new(&pipeline.sink),
            now_ms: i64::MIN,
            pieces: Vec::new(),
            chunks: Vec::new(),
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
        self.now_ms = self.now_ms.max(now_ms);
        self.pieces.clear();
        let (mut first, mut next) = (None, 0);
        for record in records {
            if let Err(error) = self.decoder.decode(record.offset, record.value) {
                self.decoder.clear();
                return Err(error);
            }
            first = first.or(Some(record.offset));
            next = record.offset.saturating_add(1);
            if self.decoder.is_full() {
                self.pieces.push(self.decoder.finish());
            }
        }
        let Some(first) = first else { return Ok(()) };
        self.pieces.push(self.decoder.finish());
        self.stage_1.on_rows(partition, first, next, &self.pieces, self.now_ms);
        Ok(())
    }

    /// Hands what was counted to the open windows and appends every window that ends at or before `now_ms`, in the order
    /// of their ends. Returns when the next open window ends (unix milliseconds); `None` while none is open. To be
    /// called at every commit and whenever that time comes.
    pub fn poll(&mut self, now_ms: i64, closed: &mut Vec<ClosedWindow>) -> Option<i64> {
        self.now_ms = self.now_ms.max(now_ms);
        self.stage_1.poll(&mut self.chunks);
        for chunk in self.chunks.drain(..) {
            self.stage_2.on_chunk(chunk);
        }
        while let Some(closing) = self.stage_2.poll(self.now_ms) {
            closed.push(self.close(closing));
        }
        self.stage_2.next_end()
    }

    /// For each partition with rows in open windows, the offset of the first of them; for others that were read, the
    /// next offset. By partition. Once all results so far are acknowledged, this may be committed: what is open is
    /// rebuilt from here, so every row counts at least once. It never goes back.
    pub fn safe_offsets(&self) -> Vec<(i32, i64)> {
        let mut offsets = self.stage_2.safe_offsets();
        for (partition, first) in self.stage_1.positions() {
            offsets.entry(partition).or_insert(first);
        }
        offsets.into_iter().collect()
    }

    /// Forgets everything that is open and every offset: partitions were taken away, or the job replays from what is
    /// committed.
    pub fn reset(&mut self) {
        self.stage_1.reset();
        self.stage_2.reset();
    }

    fn close(&self, closing: Closing) -> ClosedWindow {
        let mut values = EncodedValues::default();
        for mut columns in closing.results() {
            for project in &self.projects {
                columns = project.on_rows(&columns);
            }
            self.encoder.encode(&columns, &mut values);
        }
        ClosedWindow {
            start_ms: closing.start_ms,
            end_ms: closing.end_ms,
            start: datetime::timestamp_text(closing.slice.start_ms),
            end: datetime::timestamp_text(closing.slice.end_ms),
            rows: closing.rows(),
            values,
            inputs: closing.inputs,
        }
    }
}

/// The aggregate of a pipeline, with what stands above it.
fn window_aggregate<'p>(node: &'p Node, projects: &mut Vec<Project>) -> &'p plan::WindowAggregate {
    match node {
        Node::Project(project) => {
            let aggregate = window_aggregate(&project.input, projects);
            projects.push(Project::new(project));
            aggregate
        }
        Node::WindowAggregate(aggregate) if matches!(*aggregate.input, Node::Scan(_)) => aggregate,
        // Whoever lets the planner build such plans builds their operators here.
        Node::WindowAggregate(_) | Node::Scan(_) => unreachable!("a pipeline is one window aggregate over one scan"),
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
mod tests;
