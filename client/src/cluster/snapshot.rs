//! What is known of the cluster at one moment: never changed, only replaced.
//!
//! [`metadata`](super::metadata) makes a new one from each answer; everybody else reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_protocol::ErrorCode;
use uuid::Uuid;

use crate::record::TopicPartition;

/// The cluster at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(super) version: u64,
    pub(super) brokers: BTreeMap<i32, (String, u16)>,
    pub(super) controller: Option<i32>,
    pub(super) topics: BTreeMap<Arc<str>, Topic>,
    /// Topics we asked for and got an error for.
    pub(super) missing: BTreeMap<Arc<str>, ErrorCode>,
}

/// A topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) id: Uuid,
    /// By partition number.
    pub(super) partitions: BTreeMap<i32, Partition>,
}

/// A partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Partition {
    /// `None` while there is an election.
    pub(super) leader: Option<i32>,
    pub(super) leader_epoch: i32,
}

/// Who leads a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leader {
    /// The broker's id.
    pub(crate) broker: i32,
    /// The leader epoch, -1 when the broker does not tell.
    pub(crate) epoch: i32,
    /// The topic's id, nil when the broker does not tell.
    pub(crate) topic_id: Uuid,
}

impl Snapshot {
    /// Grows with each new snapshot; 0 means that nothing is known yet.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// The brokers that are up.
    pub(crate) fn brokers(&self) -> impl Iterator<Item = i32> {
        self.brokers.keys().copied()
    }

    /// The leader of a partition, if there is one.
    pub(crate) fn leader_of(&self, partition: &TopicPartition) -> Option<Leader> {
        self.leader(&partition.topic, partition.partition)
    }

    /// [`leader_of`](Self::leader_of), by name and number.
    pub(crate) fn leader(&self, topic: &str, partition: i32) -> Option<Leader> {
        let topic = self.topics.get(topic)?;
        let Partition { leader, leader_epoch } = topic.partitions.get(&partition)?;
        Some(Leader { broker: (*leader)?, epoch: *leader_epoch, topic_id: topic.id })
    }

    /// How many partitions each topic has.
    pub(crate) fn partition_counts(&self) -> BTreeMap<Arc<str>, i32> {
        let counts = self.topics.iter();
        counts
            .map(|(name, topic)| (Arc::clone(name), i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)))
            .collect()
    }

    /// The name of each topic, by its id, where brokers tell ids.
    pub(crate) fn topic_names(&self) -> BTreeMap<Uuid, Arc<str>> {
        let topics = self.topics.iter().filter(|(_, topic)| !topic.id.is_nil());
        topics.map(|(name, topic)| (topic.id, Arc::clone(name))).collect()
    }

    /// A topic's name, shared, and how many partitions it has, if it is known.
    pub(crate) fn topic(&self, name: &str) -> Option<(&Arc<str>, i32)> {
        let (name, topic) = self.topics.get_key_value(name)?;
        Some((name, i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)))
    }

    /// Why a topic that was asked for is not known.
    pub(crate) fn missing(&self, topic: &str) -> Option<ErrorCode> {
        self.missing.get(topic).copied()
    }

    /// Topics with this many partitions, all led by broker 0.
    #[cfg(test)]
    pub(crate) fn for_tests(topics: &[(&str, i32)]) -> Self {
        let partition = Partition { leader: Some(0), leader_epoch: 1 };
        let topics = topics
            .iter()
            .map(|(name, count)| {
                let partitions = (0..*count).map(|number| (number, partition)).collect();
                (Arc::from(*name), Topic { id: Uuid::nil(), partitions })
            })
            .collect();
        Self { version: 1, topics, ..Self::default() }
    }
}
