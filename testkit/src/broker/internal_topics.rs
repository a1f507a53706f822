//! Kafka's own topics, `__consumer_offsets` and `__transaction_state`: their leaders are the coordinators.
//!
//! They are made as in Kafka: when somebody first looks for a coordinator, or names them in Metadata. From then on whoever
//! leads the partition that an id falls into coordinates it, and [`Nodes`](super::nodes::Nodes) is told whenever that
//! changes. Before, coordinators lie over the brokers in turn, and the topic is made so that they stay where they are.
//!
//! Simplifications: the first answer of FindCoordinator already says who it is, where Kafka first answers
//! `COORDINATOR_NOT_AVAILABLE` while it makes the topic. What coordinators know is not written as records to these topics, so
//! they stay empty, and nothing is lost when one is deleted: it is made anew by the next who looks. Ids are spread over 50
//! partitions, also where somebody has made such a topic with others.

use super::Cluster;
use super::nodes::{COORDINATOR_SLOTS, CoordinatorKind};
use super::topics::TopicError;
use tidemill_protocol::ErrorCode;

/// The topic that groups write their offsets to.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// The topic of the transactional ids.
pub(crate) const TRANSACTIONS_TOPIC: &str = "__transaction_state";
/// The topic of share groups, which are not coordinated here.
const SHARE_GROUPS_TOPIC: &str = "__share_group_state";

/// `offsets.topic.replication.factor` and `transaction.state.log.replication.factor`, where there are so many brokers.
const REPLICATION_FACTOR: usize = 3;
/// `transaction.state.log.min.isr`, where there are so many replicas.
const TRANSACTIONS_IN_SYNC_MIN: usize = 2;

/// Whether a topic of this name is one of Kafka's own.
pub(crate) fn is_internal(name: &str) -> bool {
    [OFFSETS_TOPIC, TRANSACTIONS_TOPIC, SHARE_GROUPS_TOPIC].contains(&name)
}

/// Who has its coordinators in this topic.
pub(crate) fn kind_of(name: &str) -> Option<CoordinatorKind> {
    match name {
        OFFSETS_TOPIC => Some(CoordinatorKind::Group),
        TRANSACTIONS_TOPIC => Some(CoordinatorKind::Transaction),
        _ => None,
    }
}

impl CoordinatorKind {
    const fn topic(self) -> &'static str {
        match self {
            Self::Group => OFFSETS_TOPIC,
            Self::Transaction => TRANSACTIONS_TOPIC,
        }
    }
}

impl Cluster {
    /// Makes the topic of these coordinators, if it is not there.
    pub(crate) fn make_coordinators(&mut self, kind: CoordinatorKind) -> Result<(), TopicError> {
        if self.topics.by_name(kind.topic()).is_some() {
            return Ok(());
        }
        let running: Vec<i32> = self.nodes.running().map(|node| node.config.node_id).collect();
        let factor = REPLICATION_FACTOR.min(running.len());
        let replicas = |slot: u32| {
            let leader = self.nodes.coordinator_of_slot(kind, slot);
            let behind = running.iter().position(|id| Some(*id) == leader).unwrap_or_default();
            running.iter().cycle().skip(behind).take(factor).copied().collect()
        };
        let replicas: Vec<Vec<i32>> = (0..COORDINATOR_SLOTS).map(replicas).collect();
        if factor == 0 {
            return Err(TopicError::new(ErrorCode::INVALID_REPLICATION_FACTOR, "No broker runs."));
        }
        let in_sync_min = TRANSACTIONS_IN_SYNC_MIN.min(factor).to_string();
        let mut settings = vec![("cleanup.policy", "compact"), ("segment.bytes", "104857600")];
        match kind {
            CoordinatorKind::Group => settings.push(("compression.type", "producer")),
            CoordinatorKind::Transaction => settings.extend([
                ("compression.type", "uncompressed"),
                ("min.insync.replicas", in_sync_min.as_str()),
                ("unclean.leader.election.enable", "false"),
            ]),
        }
        self.create_topic_at(kind.topic(), replicas, settings).map(|_| ())
    }

    /// Leaders may be others than before, or a topic has come or gone: tells who coordinates.
    pub(super) fn follow_leaders(&mut self) {
        for kind in [CoordinatorKind::Group, CoordinatorKind::Transaction] {
            let topic = self.topics.by_name(kind.topic());
            let leaders = topic.into_iter().flat_map(|topic| &topic.partitions).map(|partition| partition.leader);
            self.nodes.set_leaders(kind, leaders.collect());
        }
    }

    /// Lets another broker coordinate an id, and all that fall into the same partition.
    pub(super) fn move_coordinator(&mut self, kind: CoordinatorKind, id: &str, to: i32) {
        let slot = i32::try_from(super::nodes::slot(id)).unwrap_or_default();
        let topic = kind.topic();
        let Some(found) = self.topics.by_name(topic).and_then(|topic| topic.partition(slot).ok()) else {
            self.nodes.move_coordinator(kind, id, to);
            return;
        };
        if !found.replicas.contains(&to) {
            let others = found.replicas.iter().copied().take(found.replicas.len().saturating_sub(1));
            let replicas = std::iter::once(to).chain(others).collect();
            self.move_replicas(topic, slot, replicas);
        }
        if let Err(code) = self.move_leader(topic, slot, to) {
            tracing::warn!(topic, partition = slot, to, %code, "the coordinator was not moved");
        }
    }
}
