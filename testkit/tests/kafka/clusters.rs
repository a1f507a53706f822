//! Real clusters that cases share beside [`Kafka::shared`], each started on first use: a start costs more than most cases.
//!
//! Whoever uses one has topics and groups of its own, and what is asked about everything is asked elsewhere.

use std::sync::OnceLock;

use tidemill_testkit::kafka::Kafka;

pub(crate) const BROKERS: usize = 3;

/// How soon [`three_brokers`] take a consumer for dead, and give up transactions that nobody ends.
pub(crate) const CONSUMER_SESSION_MS: u64 = 2000;
pub(crate) const CONSUMER_HEARTBEAT_MS: u64 = 300;
pub(crate) const ABORT_INTERVAL_MS: u64 = 500;

/// Three brokers with an authorizer, where everybody may do everything. Nobody stops one of them.
pub(crate) fn three_brokers() -> Option<&'static Kafka> {
    static THREE: OnceLock<Option<Kafka>> = OnceLock::new();
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
    THREE.get_or_init(start).as_ref()
}

/// One that looks for logs to compact all the time.
pub(crate) fn cleaning() -> Option<&'static Kafka> {
    static CLEANING: OnceLock<Option<Kafka>> = OnceLock::new();
    CLEANING.get_or_init(|| Kafka::builder().property("log.cleaner.backoff.ms", "100").start_if_there()).as_ref()
}
