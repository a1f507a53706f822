//! The topics and their partitions: what there is, and making and removing it.
//!
//! Handlers look partitions up here by name or by id. Nothing in here knows of connections.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_protocol::messages::TopicName;
use tidemill_protocol::{ErrorCode, StrBytes};
use uuid::Uuid;

use super::internal_topics::is_internal;
use super::partition::Partition;
use super::topic_config::TopicConfig;
use super::watched::Watched;

/// How many partitions one topic may be made with, as in Kafka.
const PARTITIONS_MAX: i32 = 10_000;

/// How long a name may be.
const NAME_BYTES_MAX: usize = 249;

/// Every topic, in the order of their names.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    topics: Watched<String, Topic>,
    names: BTreeMap<Uuid, String>,
}

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: TopicName,
    pub(crate) id: Uuid,
    pub(crate) config: TopicConfig,
    pub(crate) partitions: Vec<Partition>,
}

/// Why there is no such topic, or none can be made, and what Kafka says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicError {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl TopicError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl Topics {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.topics.values_mut()
    }

    /// The topics whose names come behind `name`, and it itself.
    pub(crate) fn starting_at(&self, name: &str) -> impl Iterator<Item = &Topic> {
        self.topics
            .range::<str, _>((std::ops::Bound::Included(name), std::ops::Bound::Unbounded))
            .map(|(_, topic)| topic)
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<&Topic> {
        self.names.get(&id).and_then(|name| self.topics.get(name))
    }

    /// Whether there is this partition.
    pub(crate) fn has(&self, name: &str, partition: i32) -> bool {
        self.by_name(name).is_some_and(|topic| topic.partition(partition).is_ok())
    }

    /// By id in the versions that have one, by name before.
    pub(crate) fn find(&self, name: &str, id: Option<Uuid>) -> Result<&Topic, ErrorCode> {
        match id {
            Some(id) => self.by_id(id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
            None => self.by_name(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        }
    }

    pub(crate) fn find_mut(&mut self, name: &str, id: Option<Uuid>) -> Result<&mut Topic, ErrorCode> {
        match id {
            Some(id) => {
                let name = self.names.get(&id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
                self.topics.get_mut(name.as_str()).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
            }
            None => self.topics.get_mut(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        }
    }

    /// Whether a topic of this name and size may be made.
    pub(crate) fn check_new(&self, name: &str, partitions: i32) -> Result<(), TopicError> {
        check_name(name)?;
        if self.topics.contains_key(name) {
            return Err(TopicError::new(ErrorCode::TOPIC_ALREADY_EXISTS, format!("Topic '{name}' already exists.")));
        }
        // Metrics of Kafka cannot tell '.' from '_'.
        let flat = |name: &str| name.replace('.', "_");
        if name.contains(['.', '_'])
            && let Some(other) = self.topics.keys().find(|other| flat(other) == flat(name))
        {
            let message = format!("Topic '{name}' collides with existing topic: {other}");
            return Err(TopicError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
        }
        if partitions <= 0 {
            let message = "Number of partitions was set to an invalid non-positive value.";
            return Err(TopicError::new(ErrorCode::INVALID_PARTITIONS, message));
        }
        if partitions > PARTITIONS_MAX {
            let message = "Excessively large number of partitions per request.";
            return Err(TopicError::new(ErrorCode::POLICY_VIOLATION, message));
        }
        Ok(())
    }

    /// Makes a topic whose partitions have these replicas.
    pub(crate) fn create(
        &mut self,
        name: &str,
        id: Uuid,
        replicas: Vec<Vec<i32>>,
        config: TopicConfig,
    ) -> Result<&Topic, TopicError> {
        self.check_new(name, i32::try_from(replicas.len()).unwrap_or(i32::MAX))?;
        let topic = Topic {
            name: TopicName(StrBytes::from_string(name.to_owned())),
            id,
            config,
            partitions: replicas.into_iter().map(Partition::new).collect(),
        };
        self.names.insert(id, name.to_owned());
        self.topics.remove(name);
        Ok(self.topics.get_or_insert_with(name.to_owned(), || topic))
    }

    /// Adds partitions with these replicas to a topic that is there.
    pub(crate) fn add_partitions(&mut self, name: &str, replicas: Vec<Vec<i32>>) {
        if let Some(topic) = self.topics.get_mut(name) {
            topic.partitions.extend(replicas.into_iter().map(Partition::new));
        }
    }

    /// Puts back a topic that was kept.
    pub(crate) fn restore(&mut self, topic: Topic) {
        let name = topic.name.0.as_str().to_owned();
        self.names.insert(topic.id, name.clone());
        self.topics.insert(name, topic);
    }

    /// A topic, to note that it is kept now.
    pub(crate) fn kept_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.topics.unnoted_mut(name)
    }

    /// Remembers from now on which topics may have changed.
    pub(crate) fn watch(&mut self) {
        self.topics.watch();
    }

    /// The topics that may have changed since the last call, also those that are gone.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<String> {
        self.topics.take_changed()
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        let topic = self.topics.remove(name)?;
        self.names.remove(&topic.id);
        Some(topic)
    }
}

impl Topic {
    pub(crate) fn partition(&self, number: i32) -> Result<&Partition, ErrorCode> {
        let index = usize::try_from(number).map_err(|_| ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        self.partitions.get(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }

    pub(crate) fn partition_mut(&mut self, number: i32) -> Result<&mut Partition, ErrorCode> {
        let index = usize::try_from(number).map_err(|_| ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        self.partitions.get_mut(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }

    /// The partitions with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (i32, &Partition)> {
        (0..).zip(&self.partitions)
    }

    /// Whether it is one of Kafka's own.
    pub(crate) fn is_internal(&self) -> bool {
        is_internal(&self.name.0)
    }
}

/// Whether Kafka takes this as the name of a topic.
pub(crate) fn check_name(name: &str) -> Result<(), TopicError> {
    let refuse = |message: String| Err(TopicError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
    if name.is_empty() {
        return refuse("Topic name is invalid: the empty string is not allowed".to_owned());
    }
    if name == "." || name == ".." {
        return refuse(format!("Topic name is invalid: '{name}' is not allowed"));
    }
    if name.len() > NAME_BYTES_MAX {
        let reason = format!("the length of '{name}' is longer than the max allowed length {NAME_BYTES_MAX}");
        return refuse(format!("Topic name is invalid: {reason}"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        let reason = "contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'";
        return refuse(format!("Topic name is invalid: '{name}' {reason}"));
    }
    Ok(())
}
