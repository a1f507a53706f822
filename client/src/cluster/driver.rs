//! The task that keeps metadata fresh: sends what the [`metadata`](super::metadata) machine says and hands it the
//! answers.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock")]

use std::sync::Arc;

use tokio::time::Instant;

use super::metadata::Ask;
use super::{METADATA_VERSIONS, Purpose, Shared};
use crate::clock;

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let (ask, wake_at) = shared.metadata().poll(Instant::now());
        if let Some(ask) = ask {
            tokio::select! {
                () = refresh(&shared, &ask) => {}
                () = shared.closed.notified() => return,
            }
            continue;
        }
        tokio::select! {
            () = clock::sleep_until(wake_at) => {}
            () = shared.woken.notified() => {}
            () = shared.closed.notified() => return,
        }
    }
}

async fn refresh(shared: &Shared, ask: &Ask) {
    let timeout = shared.config.request_timeout;
    let answer = match shared.connection_to_candidate(ask.candidate, Purpose::General) {
        Ok(connection) => connection.request(METADATA_VERSIONS, timeout, |version| ask.request(version)).await,
        Err(error) => Err(error),
    };
    let now = Instant::now();
    match answer {
        Ok((_, answer)) => {
            let snapshot = {
                let mut metadata = shared.metadata();
                metadata.handle_answer(&answer, now);
                Arc::clone(metadata.snapshot())
            };
            shared.publish(snapshot);
        }
        Err(error) => {
            tracing::debug!(%error, "metadata was not refreshed");
            shared.metadata().handle_failure(now);
        }
    }
}
