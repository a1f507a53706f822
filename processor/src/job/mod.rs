//! Runs a plan: from topics, through tasks, to topics.
//!
//! # The walk of a job
//!
//! [`Job::start`] takes a plan apart into [`source`]s: a topic that is read, with the pipelines that read it. Each has
//! one [`driver`], which waits for its topics ([`start`]), joins the group, and from then on moves what the [`machine`]
//! says: records into tasks, closed windows into topics, offsets into the group. The [`listener`] brings rebalances.
//! What ends a job is said by [`failure`]; what it is doing stands on the [`board`] as [`status`].
//!
//! What is promised is at least once: see [`machine`]. Processes that run the same file in the same group share the
//! partitions, and each counts its own: a key that lies in the partitions of both comes twice for a window, once from
//! each.
#![expect(clippy::disallowed_methods, reason = "a front door reads the clocks")]

mod board;
mod config;
mod driver;
mod failure;
mod listener;
mod machine;
mod source;
mod start;
mod status;

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;

use self::board::Board;
pub use self::config::JobConfig;
pub use self::status::{BoundedProgress, PipelineStatus, State, Status, WindowStatus};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::plan::Plan;
pub use crate::task::InputRange;

/// A plan that runs. Dropping it ends it as a lost process ends: what is not committed is read again by the next.
#[derive(Debug)]
pub struct Job {
    board: Arc<Board>,
    drivers: JoinSet<Result<(), Error>>,
    failed: Option<Error>,
}

impl Job {
    /// Starts to run a plan. Needs a tokio runtime.
    ///
    /// # Errors
    /// When options of a table make no sense to the client, when the time zone is not known, or there is no runtime.
    /// What a broker says comes from [`finished`](Self::finished).
    pub fn start(plan: Plan, config: JobConfig) -> Result<Self, Error> {
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| Error::new(ErrorKind::Configuration, "a job needs a tokio runtime: start it inside one"))?;
        let zone = zone(plan.local_time_zone.as_deref())?;
        let board = Arc::new(Board::new(Status::of(&plan)));
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let clock = Clock::new(Instant::now(), i64::try_from(unix_ms).unwrap_or(i64::MAX), config.speed);
        let mut drivers = JoinSet::new();
        for source in source::sources(plan)? {
            let driver = driver::run(source, zone.clone(), clock, config.clone(), Arc::clone(&board));
            drivers.spawn_on(driver, &runtime);
        }
        Ok(Self { board, drivers, failed: None })
    }

    /// What it is doing now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.board.status()
    }

    /// The windows that closed and whose results are acknowledged since the last call, oldest first. The latest 10,000
    /// are kept.
    #[must_use]
    pub fn take_windows(&self) -> Vec<WindowStatus> {
        self.board.take_windows()
    }

    /// Waits until there is something new to show, for one who waits. The future does not borrow the job, so that
    /// [`finished`](Self::finished) can be waited for beside it.
    ///
    /// # Cancel safety
    /// Safe.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let board = Arc::clone(&self.board);
        async move { board.changed().await }
    }

    /// Asks it to stop: results that are being written are, what they were made of is committed, and the group is left,
    /// all within a few seconds. [`finished`](Self::finished) says when.
    pub fn stop(&self) {
        self.board.stop();
    }

    /// Waits until the job has ended: because it read all there was to read, was stopped, or failed. When one pipeline
    /// fails, the others are stopped.
    ///
    /// # Errors
    /// When it failed: the first failure.
    ///
    /// # Panics
    /// When a driver did, which is a bug.
    ///
    /// # Cancel safety
    /// Safe: the job goes on, and the next call waits on.
    pub async fn finished(&mut self) -> Result<Status, Error> {
        while let Some(joined) = self.drivers.join_next().await {
            match joined {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    self.board.stop();
                    self.failed.get_or_insert(error);
                }
                Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
                Err(_) => {}
            }
        }
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => Ok(self.board.status()),
        }
    }
}

/// The zone in which window bounds are written: the one that was set, or the machine's own.
fn zone(name: Option<&str>) -> Result<jiff::tz::TimeZone, Error> {
    let Some(name) = name else { return Ok(jiff::tz::TimeZone::system()) };
    if name == "UTC" {
        return Ok(jiff::tz::TimeZone::UTC);
    }
    jiff::tz::TimeZone::get(name).map_err(|error| {
        Error::new(ErrorKind::Configuration, format!("time zone '{name}' is not known here"))
            .note("what", error.to_string())
            .note("change", "'table.local-time-zone'")
    })
}
