//! What the drivers show, and what they are asked: the one thing that the front door and the drivers share.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::status::{PipelineStatus, Status, WindowStatus};

/// How many closed windows are remembered for somebody who asks for them.
const WINDOWS_MAX: usize = 10_000;

/// Status out, stop in.
#[derive(Debug)]
pub(super) struct Board {
    shown: Mutex<Shown>,
    changed: Notify,
    stopped: watch::Sender<bool>,
}

#[derive(Debug)]
struct Shown {
    status: Status,
    windows: VecDeque<WindowStatus>,
}

impl Board {
    pub(super) fn new(status: Status) -> Self {
        let shown = Shown { status, windows: VecDeque::new() };
        Self { shown: Mutex::new(shown), changed: Notify::new(), stopped: watch::Sender::new(false) }
    }

    pub(super) fn status(&self) -> Status {
        self.shown().status.clone()
    }

    pub(super) fn take_windows(&self) -> Vec<WindowStatus> {
        self.shown().windows.drain(..).collect()
    }

    /// Changes what is shown of one pipeline.
    pub(super) fn show(&self, pipeline: usize, change: impl FnOnce(&mut PipelineStatus)) {
        if let Some(status) = self.shown().status.pipelines.get_mut(pipeline) {
            change(status);
        }
        self.changed.notify_one();
    }

    pub(super) fn window_closed(&self, window: WindowStatus) {
        let windows = &mut self.shown().windows;
        if windows.len() == WINDOWS_MAX {
            windows.pop_front();
        }
        windows.push_back(window);
    }

    pub(super) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Waits until it is to stop.
    pub(super) async fn stopped(&self) {
        // The sender lives as long as this board.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Waits until something is shown that was not there before.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
