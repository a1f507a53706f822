//! The clock of drivers and front doors: the one that can be paused, so that everything of a client runs in the same time.
//!
//! Machines have no clock. They are told what time it is, and say when they want to be asked again.
#![expect(clippy::disallowed_methods, reason = "the one place where the drivers' clock is read")]

use std::time::Instant;

/// What machines are told the time with.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits until a machine wants to be asked again; for ever when it does not.
pub(crate) async fn sleep_until(wake_at: Option<impl Into<tokio::time::Instant>>) {
    match wake_at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
