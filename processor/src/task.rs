//! The operators of one pipeline, as one machine: record values in, encoded results of closed windows out.
//!
//! Before: the driver brings the records of one fetched batch and the processing time. Here: the order of the calls and
//! the bookkeeping of offsets. After: the driver sends the results, and commits [`Task::safe_offsets`] once they are
//! acknowledged.

use std::fmt;

use jiff::tz::TimeZone;

use crate::format::EncodedValues;
use crate::plan::Pipeline;

/// One pipeline at work. It reads no clock: processing time comes in as unix milliseconds and never goes back.
#[derive(Debug)]
pub struct Task {}

impl Task {
    /// Builds the operators of a plan; `zone` is where window bounds on processing time are cut.
    pub fn new(_pipeline: &Pipeline, _zone: &TimeZone) -> Self {
        Self {}
    }

    /// Takes the records of one batch of a partition, in the order of their offsets, at the processing time `now_ms`
    /// (unix milliseconds, never going back).
    ///
    /// # Errors
    /// The first value that is no row; then nothing of the batch is counted.
    pub fn handle_records<'a>(
        &mut self,
        _partition: i32,
        _records: impl IntoIterator<Item = InputRecord<'a>>,
        _now_ms: i64,
    ) -> Result<(), RecordError> {
        Ok(())
    }

    /// Hands what was counted to the open windows and appends every window that ends at or before `now_ms`, in the order
    /// of their ends. Returns when the next open window ends (unix milliseconds); `None` while none is open. To be
    /// called at every commit and whenever that time comes.
    pub fn poll(&mut self, _now_ms: i64, _closed: &mut Vec<ClosedWindow>) -> Option<i64> {
        None
    }

    /// For each partition with rows in open windows, the offset of the first of them; for others that were read, the
    /// next offset. By partition. Once all results so far are acknowledged, this may be committed: what is open is
    /// rebuilt from here, so every row counts at least once.
    pub fn safe_offsets(&self) -> Vec<(i32, i64)> {
        Vec::new()
    }

    /// Forgets everything that is open and every offset: partitions were taken away, or the job replays from what is
    /// committed.
    pub fn reset(&mut self) {}
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
