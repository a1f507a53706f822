//! Programs of others, on three embedded brokers and on three real ones: the same program, the same expectation.
//!
//! - [`tools`]: Kafka's own command line tools, with what they print compared
//! - [`streams`]: a Kafka Streams application, exactly once through restarts and kills
//! - [`copying`]: a Java program that consumes, produces and commits offsets in transactions
//! - [`python`]: confluent-kafka, which is librdkafka
//!
//! All cases share the real cluster. Where a program is missing, its test says that it did not run; with
//! `TIDEMILL_REQUIRE_KAFKA=1` that is a failure, of confluent-kafka only with `TIDEMILL_REQUIRE_CONFLUENT=1`.
//! `TIDEMILL_PROGRAMS_ROUNDS=20` has the programs killed so often instead of once or twice.

mod copying;
mod python;
mod streams;
mod tools;

use std::time::Duration;

use tidemill_testkit::broker::GroupProperties;
use tidemill_testkit::{ClusterConfig, TestCluster};

use crate::clusters::{ABORT_INTERVAL_MS, BROKERS, CONSUMER_HEARTBEAT_MS, CONSUMER_SESSION_MS, three_brokers};

/// How often programs are killed.
fn rounds(usually: u64) -> u64 {
    std::env::var("TIDEMILL_PROGRAMS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usually)
}

/// The embedded brokers, as [`three_brokers`] are.
async fn ours() -> TestCluster {
    let mut groups = GroupProperties::default();
    groups.consumer_session_timeout = Duration::from_millis(CONSUMER_SESSION_MS);
    groups.consumer_heartbeat_interval = Duration::from_millis(CONSUMER_HEARTBEAT_MS);
    let config = ClusterConfig::default()
        .brokers(BROKERS)
        .replication_factor(3)
        .authorizer(["User:ANONYMOUS"])
        .transaction_abort_interval(Duration::from_millis(ABORT_INTERVAL_MS))
        .groups(groups);
    TestCluster::start(config).await.unwrap()
}
