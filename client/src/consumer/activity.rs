//! What receivers and the machine tell each other without a lock.
//!
//! A receiver in the middle of a batch hands out record after record without asking the
//! [`machine`](super::machine). Three numbers keep both honest: the *disturbances*, counted up by the machine whenever
//! a receiver has to look again before it hands out more; and whether the application *polled*, or *waits* just now,
//! which says that it is alive.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Shared between the machine and all who receive.
#[derive(Debug, Default)]
pub(super) struct Activity {
    disturbances: AtomicU64,
    polled: AtomicBool,
    waiting: AtomicUsize,
}

impl Activity {
    /// Receivers must look again.
    pub(super) fn disturb(&self) {
        self.disturbances.fetch_add(1, Ordering::SeqCst);
    }

    /// Changes when receivers must look again.
    pub(super) fn disturbances(&self) -> u64 {
        self.disturbances.load(Ordering::SeqCst)
    }

    /// The application asks for records.
    pub(super) fn polled(&self) {
        if !self.polled.load(Ordering::Relaxed) {
            self.polled.store(true, Ordering::Relaxed);
        }
    }

    /// The application waits for records, until the guard is dropped.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { activity: self }
    }

    /// Whether the application has asked since the last call, or is asking now.
    pub(super) fn was_polled(&self) -> bool {
        self.polled.swap(false, Ordering::Relaxed) || self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// An application that waits for records.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    activity: &'a Activity,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.activity.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
