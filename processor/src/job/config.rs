//! How a job runs.

use std::time::Duration;

/// How a job runs.
#[derive(Clone, Debug)]
pub struct JobConfig {
    pub(super) commit_interval: Duration,
    pub(super) speed: f64,
    pub(super) start_timeout: Duration,
}

impl Default for JobConfig {
    fn default() -> Self {
        Self { commit_interval: Duration::from_millis(100), speed: 1.0, start_timeout: Duration::from_secs(10) }
    }
}

impl JobConfig {
    /// How often results are flushed and offsets committed, when there is something to commit. Default: 100 ms.
    #[must_use]
    pub fn commit_interval(mut self, commit_interval: Duration) -> Self {
        self.commit_interval = commit_interval;
        self
    }

    /// How many times faster than time itself processing time runs; for demonstrations and tests. Default: 1.
    #[must_use]
    pub fn speed(mut self, speed: f64) -> Self {
        self.speed = speed;
        self
    }

    /// How long no broker may answer at the start before the job fails. Once it has read, it never gives up.
    /// Default: 10 s.
    #[must_use]
    pub fn start_timeout(mut self, start_timeout: Duration) -> Self {
        self.start_timeout = start_timeout;
        self
    }
}
