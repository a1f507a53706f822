//! What groups are coordinated by. Names and defaults are those of Kafka's broker properties, but for the first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// The settings of the group coordinators of a [`Cluster`](crate::broker::Cluster).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GroupProperties {
    /// `group.initial.rebalance.delay.ms`: how long an empty classic group waits for further members. Default 0, where
    /// Kafka has 3 s: tests would wait for it in every new group.
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`: how many members a classic group may have. Default `i32::MAX`.
    pub max_size: i32,
    /// `group.min.session.timeout.ms`, of classic groups. Default 6 s.
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`, of classic groups. Default 30 min.
    pub max_session_timeout: Duration,
    /// `group.consumer.session.timeout.ms`: after this time without a heartbeat a member of a consumer group (KIP-848) is
    /// removed. Default 45 s.
    pub consumer_session_timeout: Duration,
    /// `group.consumer.heartbeat.interval.ms`: how often members of consumer groups are told to send heartbeats. Default
    /// 5 s.
    pub consumer_heartbeat_interval: Duration,
    /// `group.consumer.assignment.interval.ms`: the least time between two assignments of a consumer group. Default 1 s.
    pub consumer_assignment_interval: Duration,
    /// `group.consumer.regex.refresh.interval.ms`: how often patterns of consumer groups are matched against the topics
    /// although no topic is new. Default 10 min.
    pub consumer_regex_refresh_interval: Duration,
    /// `group.consumer.max.size`: how many members a consumer group may have. Default `i32::MAX`.
    pub consumer_max_size: i32,
    /// `group.consumer.migration.policy`: which way groups with members may change their protocol. Default bidirectional.
    pub consumer_migration_policy: MigrationPolicy,
    /// `offset.metadata.max.bytes`. Default 4096.
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`: how long offsets are kept that nobody uses. Default 7 days.
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`: how often such offsets, and empty groups without offsets, are looked for.
    /// Default 10 min.
    pub offsets_retention_check_interval: Duration,
    /// What single groups have set otherwise (KIP-848).
    pub(crate) overrides: BTreeMap<String, GroupOverride>,
}

/// What one group has set.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupOverride {
    pub(crate) session_timeout: Option<Duration>,
    pub(crate) heartbeat_interval: Option<Duration>,
    pub(crate) assignment_interval: Option<Duration>,
}

/// Which way groups with members may change their protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between two ways and none")]
pub enum MigrationPolicy {
    /// Classic and consumer members may be in one group, on its way in either direction.
    Bidirectional,
    /// From classic to consumer only.
    Upgrade,
    /// From consumer to classic only.
    Downgrade,
    /// Not at all: only empty groups change.
    Disabled,
}

impl Default for GroupProperties {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        Self {
            initial_rebalance_delay: Duration::ZERO,
            max_size: i32::MAX,
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(30 * MINUTE),
            consumer_session_timeout: Duration::from_secs(45),
            consumer_heartbeat_interval: Duration::from_secs(5),
            consumer_assignment_interval: Duration::from_secs(1),
            consumer_regex_refresh_interval: Duration::from_secs(10 * MINUTE),
            consumer_max_size: i32::MAX,
            consumer_migration_policy: MigrationPolicy::Bidirectional,
            offset_metadata_max_bytes: 4096,
            offsets_retention: Duration::from_secs(7 * 24 * 60 * MINUTE),
            offsets_retention_check_interval: Duration::from_secs(10 * MINUTE),
            overrides: BTreeMap::new(),
        }
    }
}

impl GroupProperties {
    /// What holds for one group.
    pub(super) fn of(&self, group_id: &str) -> Cow<'_, Self> {
        let Some(own) = self.overrides.get(group_id) else { return Cow::Borrowed(self) };
        let mut properties = self.clone();
        properties.consumer_session_timeout = own.session_timeout.unwrap_or(self.consumer_session_timeout);
        properties.consumer_heartbeat_interval = own.heartbeat_interval.unwrap_or(self.consumer_heartbeat_interval);
        properties.consumer_assignment_interval = own.assignment_interval.unwrap_or(self.consumer_assignment_interval);
        Cow::Owned(properties)
    }
}

impl MigrationPolicy {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Bidirectional, Self::Upgrade, Self::Downgrade, Self::Disabled];

    /// As Kafka calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bidirectional => "bidirectional",
            Self::Upgrade => "upgrade",
            Self::Downgrade => "downgrade",
            Self::Disabled => "disabled",
        }
    }

    pub(super) const fn allows_upgrade(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Upgrade)
    }

    pub(super) const fn allows_downgrade(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Downgrade)
    }
}
