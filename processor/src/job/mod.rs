//! Runs a plan: from topics, through tasks, to topics.

mod config;
mod status;

use std::sync::Arc;

use tokio::sync::Notify;

pub use self::config::JobConfig;
pub use self::status::{BoundedProgress, InputRange, PipelineStatus, State, Status, WindowStatus};
use crate::error::Error;
use crate::plan::Plan;

/// A plan that runs.
#[derive(Debug)]
pub struct Job {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    changed: Notify,
}

impl Job {
    /// Starts to run a plan. Needs a tokio runtime.
    ///
    /// # Errors
    /// When options of a table make no sense to the client. What a broker says comes from [`finished`](Self::finished).
    pub fn start(plan: Plan, config: JobConfig) -> Result<Self, Error> {
        let _ = (plan, config);
        Ok(Self { shared: Arc::default() })
    }

    /// What it is doing now.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// The windows that closed and whose results are acknowledged since the last call, oldest first. The latest 10,000
    /// are kept.
    #[must_use]
    pub fn take_windows(&self) -> Vec<WindowStatus> {
        Vec::new()
    }

    /// Waits until there is something new to show.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Asks it to stop: what is open is committed, and the group is left. [`finished`](Self::finished) says when.
    pub fn stop(&self) {}

    /// Waits until the job has ended: because it read all there was to read, was stopped, or failed.
    ///
    /// # Errors
    /// When it failed.
    ///
    /// # Cancel safety
    /// Safe: the job goes on, and the next call waits on.
    pub async fn finished(&mut self) -> Result<Status, Error> {
        std::future::pending().await
    }
}
