//! Programs of others, on three embedded brokers and on three real ones: the same program, the same expectation.
//!
//! - [`tools`]: Kafka's own command line tools, with what they print compared
//! - [`streams`]: a Kafka Streams application, exactly once through restarts and kills
//! - [`copying`]: a Java program that consumes, produces and commits offsets in transactions
//! - [`python`]: confluent-kafka, which is librdkafka
//!
//! All cases share one real cluster. Where a program is missing, its test says that it did not run; with
//! `TIDEMILL_REQUIRE_KAFKA=1` that is a failure, of confluent-kafka only with `TIDEMILL_REQUIRE_CONFLUENT=1`.
//! `TIDEMILL_PROGRAMS_ROUNDS=20` has the programs killed so often instead of once or twice.

mod copying;
mod program;
mod python;
mod streams;
mod tools;

use std::sync::OnceLock;
use std::time::Duration;

use tidemill_testkit::broker::GroupProperties;
use tidemill_testkit::kafka::Kafka;
use tidemill_testkit::{ClusterConfig, TestCluster};

const BROKERS: usize = 3;

/// How soon both clusters take a consumer for dead, and give up transactions that nobody ends.
const CONSUMER_SESSION_MS: u64 = 2000;
const CONSUMER_HEARTBEAT_MS: u64 = 300;
const ABORT_INTERVAL_MS: u64 = 500;

/// How often programs are killed.
fn rounds(usually: u64) -> u64 {
    std::env::var("TIDEMILL_PROGRAMS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usually)
}

/// The embedded brokers.
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

/// The real ones.
fn theirs() -> Option<&'static Kafka> {
    static THEIRS: OnceLock<Option<Kafka>> = OnceLock::new();
    let start = || {
        Kafka::builder()
            .brokers(BROKERS)
            .property("default.replication.factor", "3")
            .property("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
            .property("super.users", "User:ANONYMOUS")
            .property("group.consumer.min.session.timeout.ms", &CONSUMER_SESSION_MS.to_string())
            .property("group.consumer.session.timeout.ms", &CONSUMER_SESSION_MS.to_string())
            .property("group.consumer.min.heartbeat.interval.ms", &CONSUMER_HEARTBEAT_MS.to_string())
            .property("group.consumer.heartbeat.interval.ms", &CONSUMER_HEARTBEAT_MS.to_string())
            .property("transaction.abort.timed.out.transaction.cleanup.interval.ms", &ABORT_INTERVAL_MS.to_string())
            .start_if_there()
    };
    THEIRS.get_or_init(start).as_ref()
}
