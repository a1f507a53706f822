//! Watches the job: reads its results back, has every window checked, and shows what there is to show.
//!
//! Before: the job closes windows, a consumer of our own reads their rows. After: [`check`](super::check) compares;
//! [`screen`](super::screen) draws, or [`lines`] go to standard output.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock for its machine")]

use std::cell::RefCell;
use std::error::Error;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tidemill::job::{Job, WindowStatus};
use tidemill_client::{ConsumedBatch, Consumer, TopicPartition};
use tokio::time::MissedTickBehavior;

use super::check::{Check, CheckedWindow, Closed, Row};
use super::lines;
use super::rate::Rate;
use super::screen::Screen;
use super::view::{Phase, View};

/// How often closed windows are asked for, the view is drawn, and keys are read.
const TICK: Duration = Duration::from_millis(50);

/// What is watched, and where it is shown.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pub(super) job: &'a mut Job,
    /// Reads the result topic from its beginning.
    pub(super) consumer: &'a Consumer,
    /// All partitions of the result topic.
    pub(super) results: Vec<TopicPartition>,
    pub(super) check: &'a RefCell<Check>,
    /// Without one, lines go to standard output.
    pub(super) screen: &'a mut Option<Screen>,
    pub(super) view: &'a mut View,
    /// After how many windows to end.
    pub(super) windows_max: Option<u64>,
}

impl Watch<'_> {
    /// Watches until enough windows were closed, or somebody asks for the end.
    ///
    /// # Errors
    /// When the check finds a mismatch, the job ends, the results cannot be read, or nothing can be shown.
    ///
    /// # Cancel safety
    /// Safe, but results that were just read may not have been looked at.
    pub(super) async fn run(&mut self) -> Result<(), Box<dyn Error>> {
        let mut rate = Rate::default();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                batch = self.consumer.recv_batch() => self.handle_results(&batch?)?,
                finished = self.job.finished() => {
                    finished?;
                    return Err("the job ended by itself".into());
                }
                _ = ticks.tick() => {
                    self.handle_windows().await?;
                    if self.show(&mut rate)?.is_break() {
                        return Ok(());
                    }
                }
            }
            if self.handle_checked()?.is_break() {
                return Ok(());
            }
        }
    }

    fn handle_results(&self, batch: &ConsumedBatch) -> Result<(), Box<dyn Error>> {
        let mut check = self.check.borrow_mut();
        for record in batch.iter() {
            check.handle_row(Row::from_value(record.value().unwrap_or_default())?)?;
        }
        check.handle_read(batch.topic_partition().partition, batch.next_offset());
        Ok(())
    }

    /// The rows of a window are in its topic once the job says that it is closed, so they end where the topic ends now.
    async fn handle_windows(&self) -> Result<(), Box<dyn Error>> {
        for window in self.job.take_windows() {
            let WindowStatus { start, end, inputs, .. } = window;
            let results_end = self.consumer.end_offsets(self.results.iter().cloned()).await?;
            let results_end = results_end.into_iter().map(|(results, end)| (results.partition, end)).collect();
            let inputs = inputs.iter().map(|input| (input.partition, input.first..input.next)).collect();
            self.check.borrow_mut().handle_closed(Closed { start, end, inputs, results_end })?;
        }
        Ok(())
    }

    /// Breaks after the last window that was asked for, and when nobody reads the lines any more.
    fn handle_checked(&mut self) -> Result<ControlFlow<()>, Box<dyn Error>> {
        let mut checked = Vec::new();
        let outcome = self.check.borrow_mut().poll(&mut checked);
        for window in checked {
            if self.screen.is_none() && write_line(&window)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.view.handle_checked(window);
            if self.windows_max.is_some_and(|max| self.view.windows >= max) {
                return Ok(ControlFlow::Break(()));
            }
        }
        outcome?;
        Ok(ControlFlow::Continue(()))
    }

    /// Breaks when a key asks for the end.
    fn show(&mut self, rate: &mut Rate) -> io::Result<ControlFlow<()>> {
        let Some(screen) = self.screen.as_mut() else { return Ok(ControlFlow::Continue(())) };
        if screen.asked_to_end()? {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(pipeline) = self.job.status().pipelines.into_iter().next() {
            self.view.rate = rate.handle_count(pipeline.records_in, Instant::now());
            self.view.lag = pipeline.lag;
            self.view.processing_time_ms = pipeline.processing_time_ms;
            self.view.window_ends_ms = pipeline.window_ends_ms;
            self.view.phase = pipeline.trouble.map_or(Phase::Running, Phase::Trouble);
        }
        screen.draw(self.view)?;
        Ok(ControlFlow::Continue(()))
    }
}

/// Breaks when nobody reads standard output any more, as after `| head`.
fn write_line(window: &CheckedWindow) -> io::Result<ControlFlow<()>> {
    match writeln!(io::stdout(), "{}", lines::line(window)) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(error),
    }
}
