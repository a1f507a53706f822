//! What a job shows of itself: numbers for displays, and the windows that closed.
//!
//! Before: the driver writes here what its machine tells. After: `tidemill run` and `tidemill demo` draw it.

use crate::plan::{Pipeline, Plan};
use crate::task::InputRange;

/// A snapshot of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// One for each INSERT, in the order of the text.
    pub pipelines: Vec<PipelineStatus>,
}

impl Status {
    /// What a plan shows before anything has happened.
    pub(super) fn of(plan: &Plan) -> Self {
        let pipeline = |pipeline: &Pipeline| PipelineStatus {
            sink: pipeline.sink.name.clone(),
            sink_topic: pipeline.sink.options.topic.clone(),
            topic: pipeline.scan().table.options.topic.clone(),
            ..PipelineStatus::default()
        };
        Self { pipelines: plan.pipelines.iter().map(pipeline).collect() }
    }
}

/// A snapshot of one pipeline. Counts are since the start of the job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelineStatus {
    /// The table that is written.
    pub sink: String,
    /// The topic that is written.
    pub sink_topic: String,
    /// The topic that is read.
    pub topic: String,
    /// What it is doing.
    pub state: State,
    /// What keeps it from reading or writing just now: the broker is away. It goes on by itself.
    pub trouble: Option<String>,
    /// The topic, read or written, that does not exist any more. It is waited for.
    pub missing_topic: Option<String>,
    /// Records taken from the topic.
    pub records_in: u64,
    /// Results that the sink's topic has acknowledged.
    pub rows_out: u64,
    /// Records that are in the topic and were not taken yet; none before the first fetch.
    pub lag: Option<u64>,
    /// Of a bounded read: how many records there were to read at the start, and how many of them are read.
    pub bounded: Option<BoundedProgress>,
    /// Processing time, in unix milliseconds.
    pub processing_time_ms: i64,
    /// Windows that closed and whose results are acknowledged.
    pub windows_closed: u64,
    /// When the next open window ends, in unix milliseconds of processing time; none when none is open.
    pub window_ends_ms: Option<i64>,
    /// Records in windows that are open.
    pub rows_open: u64,
    /// Commits of offsets.
    pub commits: u64,
    /// It was stopped, and ended before all was written and committed: a broker was away. The next start reads it again.
    pub is_cut_short: bool,
}

/// How far a bounded read is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BoundedProgress {
    /// Offsets read so far, over all partitions.
    pub read: u64,
    /// Offsets to read, over all partitions.
    pub total: u64,
}

/// What a pipeline is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// No broker has answered yet.
    #[default]
    Connecting,
    /// The group has not given out partitions yet, or where to read them is not known.
    Joining,
    /// Records are asked for.
    Reading,
    /// The last results are being written and committed.
    Ending,
    /// Nothing more will come.
    Ended,
}

/// A window that closed, and whose results are acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WindowStatus {
    /// Which of [`Status::pipelines`] it is of.
    pub pipeline: usize,
    /// Its start as it stands in the rows: local wall clock, `2026-11-23 10:00:00`.
    pub start: String,
    /// Its end, likewise.
    pub end: String,
    /// Its start in unix milliseconds.
    pub start_ms: i64,
    /// Its end in unix milliseconds.
    pub end_ms: i64,
    /// How many results it gave.
    pub rows: usize,
    /// The records that it was made of.
    pub inputs: Vec<InputRange>,
}
