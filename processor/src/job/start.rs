//! Whether a job can start: its brokers answer, and its topics are there.
//!
//! Before: the [`driver`](super::driver) begins. After: it subscribes. Once a job has read, brokers may come and go.
#![expect(clippy::disallowed_methods, reason = "it waits for brokers, up to a deadline")]

use std::time::Duration;

use tidemill_client::{Admin, Client, ErrorCode, ErrorKind as Fault};
use tokio::time::{Instant, sleep, timeout_at};

use super::failure;
use crate::error::Error;
use crate::schema::Table;

/// How long a topic may take to be known to the broker that is asked, when somebody has just created it.
const TOPIC_KNOWN_MAX: Duration = Duration::from_secs(1);
/// How long a broker may take to create a topic that is written.
const TOPIC_CREATED_MAX: Duration = Duration::from_secs(5);
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A topic that is there.
pub(super) struct Topic {
    /// How many partitions it has.
    pub(super) partitions: i32,
}

/// Waits until the topic of a table is there. One that is written is created, where brokers do that.
///
/// # Errors
/// When no broker answers within `patience`, when the topic does not exist, or may not be used.
pub(super) async fn topic(
    client: &Client,
    table: &Table,
    is_written: bool,
    patience: Duration,
) -> Result<Topic, Error> {
    let admin = Admin::with_client(client);
    let name = [&*table.options.topic];
    let start = Instant::now();
    let mut answered = None;
    loop {
        // It is ended from here, where more is known of why nobody answers.
        let longer = patience.saturating_mul(2);
        let asking = async {
            if is_written {
                admin.auto_create_topics(&name, longer).await
            } else {
                admin.describe_topics(&name, longer).await
            }
        };
        let reply = timeout_at(start + patience, asking).await;
        let now = Instant::now();
        let described = match reply {
            Ok(Ok(mut topics)) => topics.pop().map(|(_, outcome)| outcome),
            Ok(Err(error)) if !error.is_retriable() => return Err(failure::of_describing(table, error)),
            Ok(Err(error)) if now + ASK_AGAIN_AFTER >= start + patience => {
                return Err(failure::unreachable(table, patience, Some(error)));
            }
            Err(_) => return Err(failure::unreachable(table, patience, client.unreachable())),
            Ok(Err(_)) => None,
        };
        match described {
            Some(Ok(topic)) if !topic.partitions.is_empty() => {
                return Ok(Topic { partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX) });
            }
            Some(Err(error)) => {
                let is_unknown = error.kind() == Fault::Broker(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
                let known_max = if is_written { TOPIC_CREATED_MAX } else { TOPIC_KNOWN_MAX };
                let since = *answered.get_or_insert(now);
                if is_unknown && now >= since + known_max {
                    return Err(failure::unknown_topic(table, error));
                }
                if !is_unknown && (!error.is_retriable() || now >= start + patience) {
                    return Err(failure::of_describing(table, error));
                }
            }
            Some(Ok(_)) | None => {}
        }
        sleep(ASK_AGAIN_AFTER).await;
    }
}
