//! The options of a consumer, each declared once: what it does, its default, and Kafka's name for it.
//!
//! Before: the application, or [`properties`](crate::properties) with Kafka's names. After:
//! [`Consumer::new`](super::Consumer::new) turns them into the [`Settings`] of its machine.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::assignor::{self, Assignor};
use super::{OffsetReset, fetcher, membership};
use crate::cluster::Backoff;
use crate::config::ClientConfig;
use crate::error::Error;

/// Where reading begins when nothing is committed, or what was committed is not in the log any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AutoOffsetReset {
    /// At the first record that the log still holds.
    Earliest,
    /// At the end: only records written from now on.
    #[default]
    Latest,
    /// Nowhere: the consumer is told, and has to seek.
    None,
}

/// Which records of transactions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IsolationLevel {
    /// All, committed or not.
    #[default]
    ReadUncommitted,
    /// Those of committed transactions, and those outside of any.
    ReadCommitted,
}

/// How members of a group and its coordinator speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum GroupProtocol {
    /// A member makes the plan for all, by an [`Assignor`]. Every broker speaks it.
    #[default]
    Classic,
    /// The coordinator makes the plan, and members follow it one by one (KIP-848). Brokers speak it from 4.0 on.
    Consumer,
}

/// How a [`Consumer`](super::Consumer) reads.
///
/// ```
/// use tidemill_client::{AutoOffsetReset, ConsumerConfig};
///
/// let config = ConsumerConfig::default()
///     .bootstrap_servers("localhost:9092")
///     .group_id("readers")
///     .auto_offset_reset(AutoOffsetReset::Earliest);
/// ```
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    client: ClientConfig,
    group_id: Option<String>,
    group_instance_id: Option<String>,
    group_protocol: GroupProtocol,
    group_remote_assignor: Option<String>,
    auto_offset_reset: AutoOffsetReset,
    enable_auto_commit: bool,
    auto_commit_interval: Duration,
    isolation_level: IsolationLevel,
    fetch_bytes_min: u32,
    fetch_bytes_max: u32,
    partition_fetch_bytes_max: u32,
    fetch_wait_max: Duration,
    buffer_bytes_max: usize,
    /// None until set, as the three that belong to the classic protocol alone.
    session_timeout: Option<Duration>,
    heartbeat_interval: Option<Duration>,
    max_poll_interval: Duration,
    allow_auto_create_topics: bool,
    assignors: Option<Vec<Arc<dyn Assignor>>>,
    client_rack: Option<Arc<str>>,
    on_reset: ResetHandler,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            client: ClientConfig::default(),
            group_id: None,
            group_instance_id: None,
            group_protocol: GroupProtocol::default(),
            group_remote_assignor: None,
            auto_offset_reset: AutoOffsetReset::default(),
            enable_auto_commit: true,
            auto_commit_interval: Duration::from_secs(5),
            isolation_level: IsolationLevel::default(),
            fetch_bytes_min: 1,
            fetch_bytes_max: 50 << 20,
            partition_fetch_bytes_max: 1 << 20,
            fetch_wait_max: Duration::from_millis(500),
            buffer_bytes_max: 64 << 20,
            session_timeout: None,
            heartbeat_interval: None,
            max_poll_interval: Duration::from_secs(300),
            allow_auto_create_topics: true,
            assignors: None,
            client_rack: None,
            on_reset: ResetHandler::default(),
        }
    }
}

impl ConsumerConfig {
    /// How to reach the cluster: addresses, timeouts, security. Replaces what was set before.
    #[must_use]
    pub fn client(mut self, client: ClientConfig) -> Self {
        self.client = client;
        self
    }

    /// Where to learn of the cluster, as `host:port` with commas between. Kafka's `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap_servers(mut self, servers: impl Into<String>) -> Self {
        self.client = self.client.bootstrap_servers(servers);
        self
    }

    /// The group that shares topics out and keeps offsets. None by default: partitions are assigned by name, and
    /// nothing is committed. Kafka's `group.id`.
    #[must_use]
    pub fn group_id(mut self, group_id: impl Into<String>) -> Self {
        self.group_id = Some(group_id.into());
        self
    }

    /// The name under which this member is known to its group across restarts (KIP-345): one that comes back within
    /// [`session_timeout`](Self::session_timeout) gets its partitions again without a rebalance. None by default.
    /// Kafka's `group.instance.id`.
    #[must_use]
    pub fn group_instance_id(mut self, group_instance_id: impl Into<String>) -> Self {
        self.group_instance_id = Some(group_instance_id.into());
        self
    }

    /// Where reading begins without a committed offset. Default: [`AutoOffsetReset::Latest`]. Kafka's
    /// `auto.offset.reset`.
    #[must_use]
    pub fn auto_offset_reset(mut self, auto_offset_reset: AutoOffsetReset) -> Self {
        self.auto_offset_reset = auto_offset_reset;
        self
    }

    /// Whether what was processed is committed from time to time, before partitions are given up, and on close. A
    /// record counts as processed once the application has asked for the next. Default: true, which needs a group to
    /// have any effect. Kafka's `enable.auto.commit`.
    #[must_use]
    pub fn enable_auto_commit(mut self, enable_auto_commit: bool) -> Self {
        self.enable_auto_commit = enable_auto_commit;
        self
    }

    /// How often that is. Default: 5 s. Kafka's `auto.commit.interval.ms`.
    #[must_use]
    pub fn auto_commit_interval(mut self, auto_commit_interval: Duration) -> Self {
        self.auto_commit_interval = auto_commit_interval;
        self
    }

    /// Which records of transactions are read. Default: [`IsolationLevel::ReadUncommitted`]. Kafka's
    /// `isolation.level`.
    #[must_use]
    pub fn isolation_level(mut self, isolation_level: IsolationLevel) -> Self {
        self.isolation_level = isolation_level;
        self
    }

    /// How many bytes a broker waits for before it answers a fetch. Default: 1. Kafka's `fetch.min.bytes`.
    #[must_use]
    pub fn fetch_bytes_min(mut self, fetch_bytes_min: u32) -> Self {
        self.fetch_bytes_min = fetch_bytes_min;
        self
    }

    /// How long a broker waits for them. Default: 500 ms. Kafka's `fetch.max.wait.ms`.
    #[must_use]
    pub fn fetch_wait_max(mut self, fetch_wait_max: Duration) -> Self {
        self.fetch_wait_max = fetch_wait_max;
        self
    }

    /// The most a broker answers a fetch with, in bytes; a single batch may be larger. Default: 50 MiB. Kafka's
    /// `fetch.max.bytes`.
    #[must_use]
    pub fn fetch_bytes_max(mut self, fetch_bytes_max: u32) -> Self {
        self.fetch_bytes_max = fetch_bytes_max;
        self
    }

    /// The most it answers with for each partition, in bytes; a single batch may be larger. Default: 1 MiB. Kafka's
    /// `max.partition.fetch.bytes`.
    #[must_use]
    pub fn partition_fetch_bytes_max(mut self, partition_fetch_bytes_max: u32) -> Self {
        self.partition_fetch_bytes_max = partition_fetch_bytes_max;
        self
    }

    /// The most that waits here to be handed out, or is on its way, in bytes, over all partitions and brokers.
    /// Default: 64 MiB. librdkafka's `queued.max.messages.kbytes`.
    #[must_use]
    pub fn buffer_bytes_max(mut self, buffer_bytes_max: usize) -> Self {
        self.buffer_bytes_max = buffer_bytes_max;
        self
    }

    /// After how long without a heartbeat the group goes on without this member. Default: 45 s. Kafka's
    /// `session.timeout.ms`.
    #[must_use]
    pub fn session_timeout(mut self, session_timeout: Duration) -> Self {
        self.session_timeout = Some(session_timeout);
        self
    }

    /// How often the group is told that this member is alive. Default: 3 s. Kafka's `heartbeat.interval.ms`.
    #[must_use]
    pub fn heartbeat_interval(mut self, heartbeat_interval: Duration) -> Self {
        self.heartbeat_interval = Some(heartbeat_interval);
        self
    }

    /// How long the application may go without asking for records before its partitions go to others; also how long a
    /// rebalance waits for it. Default: 5 min. Kafka's `max.poll.interval.ms`.
    #[must_use]
    pub fn max_poll_interval(mut self, max_poll_interval: Duration) -> Self {
        self.max_poll_interval = max_poll_interval;
        self
    }

    /// How the group is spoken with. Default: classic. With the consumer protocol, times of sessions and heartbeats are
    /// set at the brokers, and so is how partitions are shared out. Kafka's `group.protocol`.
    #[must_use]
    pub fn group_protocol(mut self, group_protocol: GroupProtocol) -> Self {
        self.group_protocol = group_protocol;
        self
    }

    /// Which of its assignors the coordinator is to use, with the consumer protocol. Default: its own choice. Kafka's
    /// `group.remote.assignor`.
    #[must_use]
    pub fn group_remote_assignor(mut self, assignor: impl Into<String>) -> Self {
        self.group_remote_assignor = Some(assignor.into());
        self
    }

    /// The ways to share partitions out that this member knows, the preferred first: members of a group need one in
    /// common. Default: [`RangeAssignor`](crate::RangeAssignor), then
    /// [`CooperativeStickyAssignor`](crate::CooperativeStickyAssignor). Kafka's `partition.assignment.strategy`.
    ///
    /// Only where all of them are [cooperative](Assignor::is_cooperative) does the member keep reading while the group
    /// rebalances. A running group gets there in two rounds of restarts: first with the new way listed beside the old,
    /// then without the old.
    #[must_use]
    pub fn assignors(mut self, assignors: impl IntoIterator<Item = Arc<dyn Assignor>>) -> Self {
        self.assignors = Some(assignors.into_iter().collect());
        self
    }

    /// The rack or zone that this consumer is in. Where brokers have `replica.selector.class` set, records come from a
    /// replica in the same rack (KIP-392); the leader is asked again every `metadata.max.age.ms`. A group's members tell
    /// it to whoever shares partitions out. None by default. Kafka's `client.rack`.
    #[must_use]
    pub fn client_rack(mut self, rack: impl Into<Arc<str>>) -> Self {
        self.client_rack = Some(rack.into());
        self
    }

    /// Is called when reading goes on elsewhere than where it was, as the log does not have those records: they were
    /// deleted before they were read, or the log was cut (KIP-320, with brokers from 2.7 on). It must not block. Such a
    /// reset is also logged. With [`AutoOffsetReset::None`] there are no resets:
    /// [`recv`](super::Consumer::recv) returns an error then, and the application seeks.
    #[must_use]
    pub fn on_reset(mut self, on_reset: impl Fn(&OffsetReset) + Send + Sync + 'static) -> Self {
        self.on_reset = ResetHandler(Some(Arc::new(on_reset)));
        self
    }

    /// Whether a topic that is read and does not exist is created, where brokers allow it. Default: true. Kafka's
    /// `allow.auto.create.topics`.
    #[must_use]
    pub fn allow_auto_create_topics(mut self, allow_auto_create_topics: bool) -> Self {
        self.allow_auto_create_topics = allow_auto_create_topics;
        self
    }

    /// Sets a property of those that all clients share.
    pub(super) fn set_client_property(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        self.client.set_property(name, value)
    }

    /// How to reach the cluster.
    pub(crate) fn client_config(&self) -> &ClientConfig {
        &self.client
    }
}

impl ConsumerConfig {
    /// What the machine needs to know.
    ///
    /// # Errors
    /// When options contradict each other.
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        self.check()?;
        let group_instance_id = self.group_instance_id.clone();
        let backoff = self.client.backoff();
        let size = |bytes: u32| i32::try_from(bytes).unwrap_or(i32::MAX);
        Ok(Settings {
            group_id: self.group_id.clone(),
            auto_offset_reset: self.auto_offset_reset,
            auto_commit_interval: self.enable_auto_commit.then_some(self.auto_commit_interval),
            group_instance_id: group_instance_id.clone(),
            group_remote_assignor: self.group_remote_assignor.clone(),
            session_timeout: self.session_timeout_or_default(),
            max_poll_interval: self.max_poll_interval,
            allow_auto_create_topics: self.allow_auto_create_topics,
            request_timeout: self.client.request_timeout,
            api_timeout: self.client.default_api_timeout,
            backoff: backoff.clone(),
            fetch: fetcher::Config {
                bytes_min: size(self.fetch_bytes_min),
                bytes_max: size(self.fetch_bytes_max),
                partition_bytes_max: size(self.partition_fetch_bytes_max),
                wait_max: self.fetch_wait_max,
                budget_bytes: self.buffer_bytes_max,
                isolation_level: self.isolation_level,
                backoff: backoff.clone(),
                rack: self.client_rack.clone(),
                nearest_age_max: self.client.metadata_age_max,
            },
            on_reset: self.on_reset.clone(),
            membership: match self.group_protocol {
                GroupProtocol::Classic => membership::Config::Classic(membership::classic::Config {
                    group_instance_id,
                    heartbeat_interval: self.heartbeat_interval_or_default(),
                    assignors: self.assignors.clone().unwrap_or_else(assignor::default),
                    backoff,
                    rack: self.client_rack.clone(),
                }),
                GroupProtocol::Consumer => {
                    membership::Config::Consumer(membership::consumer::Config { group_instance_id, backoff })
                }
            },
        })
    }

    fn session_timeout_or_default(&self) -> Duration {
        self.session_timeout.unwrap_or(Duration::from_secs(45))
    }

    fn heartbeat_interval_or_default(&self) -> Duration {
        self.heartbeat_interval.unwrap_or(Duration::from_secs(3))
    }

    /// What is the brokers' to decide in one protocol cannot be set here, and the other way round.
    fn check_protocol(&self) -> Result<(), Error> {
        let of_classic = [
            ("session.timeout.ms", self.session_timeout.is_some()),
            ("heartbeat.interval.ms", self.heartbeat_interval.is_some()),
            ("partition.assignment.strategy", self.assignors.is_some()),
        ];
        match self.group_protocol {
            GroupProtocol::Consumer => match of_classic.into_iter().find(|(_, is_set)| *is_set) {
                Some((name, _)) => Err(Error::config(format!(
                    "{name} cannot be set with group.protocol=consumer: there it is set at the brokers; leave it out"
                ))),
                None => Ok(()),
            },
            GroupProtocol::Classic if self.group_remote_assignor.is_some() => Err(Error::config(
                "group.remote.assignor cannot be set with group.protocol=classic: set partition.assignment.strategy",
            )),
            GroupProtocol::Classic => Ok(()),
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.group_id.as_deref() == Some("") {
            return Err(Error::config("group.id is empty: leave it out, or name a group"));
        }
        if self.group_instance_id.is_some() && self.group_id.is_none() {
            return Err(Error::config("group.instance.id names a member of a group: set group.id"));
        }
        self.check_protocol()?;
        if self.heartbeat_interval_or_default() >= self.session_timeout_or_default() {
            return Err(Error::config("heartbeat.interval.ms must be below session.timeout.ms: a third is usual"));
        }
        let assignors = self.assignors.as_deref();
        if assignors.is_some_and(<[_]>::is_empty) {
            return Err(Error::config("partition.assignment.strategy names no way to share partitions out"));
        }
        let mut names: Vec<&str> = assignors.into_iter().flatten().map(|assignor| assignor.name()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
            return Err(Error::config(format!("partition.assignment.strategy names {twice} twice")));
        }
        let sizes =
            [("fetch.max.bytes", self.fetch_bytes_max), ("max.partition.fetch.bytes", self.partition_fetch_bytes_max)];
        for (name, bytes) in sizes {
            if bytes == 0 {
                return Err(Error::config(format!("{name} is 0: nothing would ever be read")));
            }
        }
        let times = [
            ("max.poll.interval.ms", self.max_poll_interval),
            ("heartbeat.interval.ms", self.heartbeat_interval_or_default()),
            ("auto.commit.interval.ms", self.auto_commit_interval),
        ];
        for (name, time) in times {
            if time.is_zero() {
                return Err(Error::config(format!("{name} is 0")));
            }
        }
        Ok(())
    }
}

/// What the application does when reading goes on elsewhere.
#[derive(Clone, Default)]
pub(super) struct ResetHandler(Option<Arc<OnReset>>);

type OnReset = dyn Fn(&OffsetReset) + Send + Sync;

impl ResetHandler {
    pub(super) fn call(&self, reset: &OffsetReset) {
        if let Self(Some(handler)) = self {
            handler(reset);
        }
    }
}

impl fmt::Debug for ResetHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "ResetHandler(..)" } else { "ResetHandler(none)" })
    }
}

/// What the [`machine`](super::machine) needs to know.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) group_id: Option<String>,
    pub(super) group_instance_id: Option<String>,
    pub(super) group_remote_assignor: Option<String>,
    pub(super) auto_offset_reset: AutoOffsetReset,
    /// None when the application commits.
    pub(super) auto_commit_interval: Option<Duration>,
    pub(super) session_timeout: Duration,
    pub(super) max_poll_interval: Duration,
    pub(super) allow_auto_create_topics: bool,
    pub(super) request_timeout: Duration,
    /// For calls of the application that wait for brokers.
    pub(super) api_timeout: Duration,
    pub(super) backoff: Backoff,
    pub(super) fetch: fetcher::Config,
    pub(super) on_reset: ResetHandler,
    pub(super) membership: membership::Config,
}

#[cfg(test)]
impl Settings {
    /// What is default for a consumer without a group, but that it reads from the earliest record.
    pub(super) fn for_tests() -> Self {
        let config = ConsumerConfig::default().auto_offset_reset(AutoOffsetReset::Earliest);
        config.settings().expect("the defaults make sense")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_contradict_each_other_are_refused_by_their_kafka_names() {
        let refused = |config: ConsumerConfig| config.settings().unwrap_err().to_string();
        let config = ConsumerConfig::default;
        assert!(refused(config().group_id("")).contains("group.id"));
        assert!(refused(config().group_instance_id("one")).contains("group.id"));
        assert!(refused(config().heartbeat_interval(Duration::from_secs(45))).contains("heartbeat.interval.ms"));
        assert!(refused(config().fetch_bytes_max(0)).contains("fetch.max.bytes"));
        assert!(refused(config().max_poll_interval(Duration::ZERO)).contains("max.poll.interval.ms"));
        assert!(refused(config().assignors([])).contains("partition.assignment.strategy"));
        let consumer = || config().group_protocol(GroupProtocol::Consumer);
        assert!(consumer().settings().is_ok());
        assert!(refused(consumer().session_timeout(Duration::from_secs(9))).contains("session.timeout.ms"));
        assert!(refused(consumer().heartbeat_interval(Duration::from_secs(9))).contains("heartbeat.interval.ms"));
        assert!(refused(consumer().assignors(assignor::default())).contains("partition.assignment.strategy"));
        assert!(refused(config().group_remote_assignor("uniform")).contains("group.remote.assignor"));
        let twice: [Arc<dyn Assignor>; 2] = [Arc::new(assignor::RangeAssignor), Arc::new(assignor::RangeAssignor)];
        assert!(refused(config().assignors(twice)).contains("range twice"));
        assert!(config().settings().is_ok());
    }
}
