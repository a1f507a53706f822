//! [`ClusterEffect`]: what a rule does to the cluster, with all that it needs to be done.

use tidemill_protocol::ApiKey;
use tidemill_protocol::api::VersionRange;

use super::facts::RequestFacts;
use super::script::{Conditions, Effect};

/// What is to happen to the cluster now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterEffect {
    /// Another broker leads a partition, in a new leader epoch.
    MoveLeader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Who leads; another replica than now when it is none.
        to: Option<i32>,
    },
    /// Another broker coordinates a group.
    MoveGroupCoordinator {
        /// The group.
        group: String,
        /// Who coordinates; another broker than now when it is none.
        to: Option<i32>,
    },
    /// Another broker coordinates a transactional id.
    MoveTransactionCoordinator {
        /// The transactional id.
        transactional_id: String,
        /// Who coordinates; another broker than now when it is none.
        to: Option<i32>,
    },
    /// A broker dies: its connections are reset, and it leads and coordinates nothing.
    Crash {
        /// Which one.
        broker: i32,
        /// Whether what was not replicated yet is there when it comes back.
        keeps_tail: bool,
    },
    /// A broker comes back.
    Start {
        /// Which one.
        broker: i32,
    },
    /// Markers of transactions that end are not written until they are released.
    HoldMarkers,
    /// Markers are written, and those that were held.
    ReleaseMarkers,
    /// A topic is deleted, and made anew with another id and no records.
    RecreateTopic {
        /// Which one.
        topic: String,
    },
    /// A topic is deleted.
    DeleteTopic {
        /// Which one.
        topic: String,
    },
    /// The members of a group are thrown out; its offsets stay.
    EvictGroup {
        /// Which one.
        group: String,
    },
    /// The wall clock of all brokers jumps.
    JumpClock {
        /// So many milliseconds, back when negative.
        ms: i64,
    },
    /// A broker answers Metadata with what it knew when it was told so first, until [`Self::Heal`].
    StaleMetadata {
        /// Which one.
        broker: i32,
    },
    /// Brokers do not hear each other until [`Self::Heal`].
    Part {
        /// What this one sends...
        from: i32,
        /// ...does not arrive at this one.
        to: i32,
        /// Nor the other way.
        both_ways: bool,
    },
    /// All brokers hear each other again, and metadata is no longer stale.
    Heal,
    /// The SASL session of a connection has ended (KIP-368).
    ExpireSession {
        /// Which connection.
        connection: u64,
    },
    /// The brokers speak only these versions from now on.
    LimitVersions {
        /// Of this API.
        api: ApiKey,
        /// Both ends included.
        versions: VersionRange,
    },
}

/// What an effect is for this request; nothing when the request does not say what the script has left out.
pub(super) fn resolve(effect: &Effect, conditions: &Conditions, facts: Option<&RequestFacts>) -> Vec<ClusterEffect> {
    let one = |effect| vec![effect];
    let named = facts.map(|facts| &facts.named);
    match effect {
        Effect::MoveLeader { of: Some((topic, partition)), to } => {
            one(ClusterEffect::MoveLeader { topic: topic.clone(), partition: *partition, to: *to })
        }
        Effect::MoveLeader { of: None, to } => named
            .into_iter()
            .flat_map(|named| &named.partitions)
            .filter(|(topic, partition)| is_asked_for(conditions, topic, *partition))
            .filter_map(|(topic, partition)| {
                Some(ClusterEffect::MoveLeader { topic: topic.clone(), partition: (*partition)?, to: *to })
            })
            .collect(),
        Effect::MoveGroupCoordinator { of, to } => groups(of.as_ref(), conditions, facts)
            .into_iter()
            .map(|group| ClusterEffect::MoveGroupCoordinator { group, to: *to })
            .collect(),
        Effect::MoveTransactionCoordinator { of, to } => {
            let all = named.map(|named| named.transactional_ids.clone()).unwrap_or_default();
            let ids = of.clone().map_or(all, |id| vec![id]);
            let to = *to;
            let moved = |transactional_id| ClusterEffect::MoveTransactionCoordinator { transactional_id, to };
            ids.into_iter().map(moved).collect()
        }
        Effect::Crash { broker, keeps_tail } => {
            let broker = broker.or_else(|| facts.map(|facts| facts.broker));
            broker.map(|broker| ClusterEffect::Crash { broker, keeps_tail: *keeps_tail }).into_iter().collect()
        }
        Effect::Start { broker } => one(ClusterEffect::Start { broker: *broker }),
        Effect::HoldMarkers => one(ClusterEffect::HoldMarkers),
        Effect::ReleaseMarkers => one(ClusterEffect::ReleaseMarkers),
        Effect::RecreateTopic { topic } => topics(topic.as_ref(), conditions, facts)
            .into_iter()
            .map(|topic| ClusterEffect::RecreateTopic { topic })
            .collect(),
        Effect::DeleteTopic { topic } => topics(topic.as_ref(), conditions, facts)
            .into_iter()
            .map(|topic| ClusterEffect::DeleteTopic { topic })
            .collect(),
        Effect::EvictGroup { group } => groups(group.as_ref(), conditions, facts)
            .into_iter()
            .map(|group| ClusterEffect::EvictGroup { group })
            .collect(),
        Effect::JumpClock { ms } => one(ClusterEffect::JumpClock { ms: *ms }),
        Effect::StaleMetadata { broker } => {
            let broker = broker.or_else(|| facts.map(|facts| facts.broker));
            broker.map(|broker| ClusterEffect::StaleMetadata { broker }).into_iter().collect()
        }
        Effect::Part { from, to, both_ways } => {
            one(ClusterEffect::Part { from: *from, to: *to, both_ways: *both_ways })
        }
        Effect::Heal => one(ClusterEffect::Heal),
        Effect::ExpireSession => {
            facts.map(|facts| ClusterEffect::ExpireSession { connection: facts.connection }).into_iter().collect()
        }
        Effect::LimitVersions { api, versions } => one(ClusterEffect::LimitVersions { api: *api, versions: *versions }),
    }
}

/// Whether a partition that a request names is one that the conditions ask for. Topics are often named without partitions.
pub(super) fn is_asked_for(conditions: &Conditions, topic: &str, partition: Option<i32>) -> bool {
    conditions.topic.as_deref().is_none_or(|asked| asked == topic)
        && conditions.partition.is_none_or(|asked| partition == Some(asked))
}

/// The group that is given, or those that the request names and the conditions ask for.
fn groups(given: Option<&String>, conditions: &Conditions, facts: Option<&RequestFacts>) -> Vec<String> {
    if let Some(given) = given {
        return vec![given.clone()];
    }
    let named = facts.into_iter().flat_map(|facts| &facts.named.groups);
    named.filter(|group| conditions.group.as_ref().is_none_or(|asked| asked == *group)).cloned().collect()
}

/// The topic that is given, or those that the request names and the conditions ask for, each once.
fn topics(given: Option<&String>, conditions: &Conditions, facts: Option<&RequestFacts>) -> Vec<String> {
    if let Some(given) = given {
        return vec![given.clone()];
    }
    let named = facts.into_iter().flat_map(|facts| &facts.named.partitions);
    let asked = named.filter(|(topic, partition)| is_asked_for(conditions, topic, *partition));
    let mut topics: Vec<String> = asked.map(|(topic, _)| topic.clone()).collect();
    topics.sort();
    topics.dedup();
    topics
}
