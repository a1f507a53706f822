//! Topics: create, delete, describe, list.
//!
//! Before: the application. After: [`driver`](super::driver) asks the controller to create and delete, and any broker to
//! describe.
//!
//! Source: KIP-4 (CreateTopics, DeleteTopics), KIP-464 (the broker's defaults), KIP-525 (what was created), KIP-516
//! (topic ids), KIP-430 (authorized operations), protocol documentation of Metadata.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use tidemill_protocol::messages::create_topics_response::CreatableTopicResult;
use tidemill_protocol::messages::delete_topics_request::DeleteTopicState;
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use tidemill_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, MetadataRequest,
    MetadataResponse,
};

use super::call::{Answer, Route, accepted};
use super::configs::{ConfigEntry, ConfigSource};
use super::driver::Exchange;
use super::names::{AclOperation, operations};
use super::{Admin, Outcomes, broker_ids, millis, named, numbers_of, text, topic_name};
use crate::error::Error;
use crate::record::TopicId;

/// From 4 on the broker's defaults can be asked for with -1 (KIP-464).
const CREATE_TOPICS_VERSIONS: VersionRange = VersionRange::new(2, 7);
/// From 6 on topics can be named by id.
const DELETE_TOPICS_VERSIONS: VersionRange = VersionRange::new(1, 6);
const METADATA_VERSIONS: VersionRange = VersionRange::new(1, 12);
/// From 4 on asking creates nothing.
const METADATA_VERSIONS_WITH_CHOICE: VersionRange = VersionRange::new(4, 12);
/// Before 12, brokers refuse to be asked by id.
const METADATA_VERSIONS_BY_ID: VersionRange = VersionRange::new(12, 12);

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    name: String,
    partitions: i32,
    replication_factor: i16,
    assignments: Vec<Vec<i32>>,
    configs: BTreeMap<String, String>,
}

impl NewTopic {
    /// A topic with the broker's default number of partitions and replicas.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            partitions: -1,
            replication_factor: -1,
            assignments: Vec::new(),
            configs: BTreeMap::new(),
        }
    }

    /// How many partitions. Default: the broker's `num.partitions`.
    #[must_use]
    pub const fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = partitions;
        self
    }

    /// How many replicas. Default: the broker's `default.replication.factor`.
    #[must_use]
    pub const fn replication_factor(mut self, replicas: i16) -> Self {
        self.replication_factor = replicas;
        self
    }

    /// Which brokers hold each partition, the preferred leader first: one list for each partition, from 0 on. In place
    /// of [`partitions`](Self::partitions) and [`replication_factor`](Self::replication_factor). Default: the controller
    /// chooses.
    #[must_use]
    pub fn assignments(mut self, assignments: impl IntoIterator<Item = Vec<i32>>) -> Self {
        self.assignments = assignments.into_iter().collect();
        self
    }

    /// Sets one of the topic's configurations, such as `cleanup.policy`. Default: those of the brokers.
    #[must_use]
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(name.into(), value.into());
        self
    }

    fn request(&self) -> CreatableTopic {
        let assignments = self.assignments.iter().zip(0..).map(|(brokers, partition)| {
            CreatableReplicaAssignment::default().with_partition_index(partition).with_broker_ids(broker_ids(brokers))
        });
        let configs = self
            .configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
        // With an assignment, the counts are in it, and must not be said twice.
        let (partitions, replicas) =
            if self.assignments.is_empty() { (self.partitions, self.replication_factor) } else { (-1, -1) };
        CreatableTopic::default()
            .with_name(topic_name(&self.name))
            .with_num_partitions(partitions)
            .with_replication_factor(replicas)
            .with_assignments(assignments.collect())
            .with_configs(configs.collect())
    }
}

/// A topic that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedTopic {
    /// Its id; `None` from brokers before 2.8, and when it was only validated.
    pub id: Option<TopicId>,
    /// How many partitions it has; -1 when the broker does not tell (before 2.4, or without the right to describe it).
    pub partitions: i32,
    /// How many replicas; -1 when the broker does not tell.
    pub replication_factor: i16,
    /// Its configurations; empty when the broker does not tell.
    pub configs: Vec<ConfigEntry>,
}

/// A topic that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicListing {
    /// Its name.
    pub name: String,
    /// Its id; `None` from brokers before 2.8.
    pub id: Option<TopicId>,
    /// How many partitions it has.
    pub partitions: i32,
    /// Whether it is one of Kafka's own, such as `__consumer_offsets`.
    pub is_internal: bool,
}

/// A topic, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id; `None` from brokers before 2.8.
    pub id: Option<TopicId>,
    /// Whether it is one of Kafka's own, such as `__consumer_offsets`.
    pub is_internal: bool,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionDescription>,
    /// What we may do with it; `None` from brokers before 2.3 (KIP-430).
    pub authorized_operations: Option<Vec<AclOperation>>,
}

/// A partition, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionDescription {
    /// Its number.
    pub partition: i32,
    /// The broker that leads it; `None` while nobody does.
    pub leader: Option<i32>,
    /// How often the leader has changed; `None` from brokers before 2.2.
    pub leader_epoch: Option<i32>,
    /// The brokers that hold it, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those of them that have all there is.
    pub in_sync_replicas: Vec<i32>,
    /// Those of them that are down.
    pub offline_replicas: Vec<i32>,
}

impl Admin {
    /// Creates topics; each has its own outcome. One that exists already is the error `TOPIC_ALREADY_EXISTS`.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the topics may have been created.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        timeout: Duration,
    ) -> Result<Outcomes<String, CreatedTopic>, Error> {
        self.create_or_validate_topics(topics, false, timeout).await
    }

    /// What [`create_topics`](Self::create_topics) would answer, without creating anything.
    ///
    /// # Errors
    /// As [`create_topics`](Self::create_topics).
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn validate_topics(
        &self,
        topics: &[NewTopic],
        timeout: Duration,
    ) -> Result<Outcomes<String, CreatedTopic>, Error> {
        self.create_or_validate_topics(topics, true, timeout).await
    }

    async fn create_or_validate_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
        timeout: Duration,
    ) -> Result<Outcomes<String, CreatedTopic>, Error> {
        let items = topics.iter().map(|topic| (Route::Controller, format!("creating topic '{}'", topic.name)));
        let exchange = Exchange {
            versions: CREATE_TOPICS_VERSIONS,
            changes: !validate_only,
            items_max: usize::MAX,
            build: |items: &[usize], _, patience| {
                CreateTopicsRequest::default()
                    .with_topics(items.iter().map(|place| topics[*place].request()).collect())
                    .with_timeout_ms(millis(patience))
                    .with_validate_only(validate_only)
            },
            read: |items: &[usize], reply: CreateTopicsResponse| {
                let found: BTreeMap<&str, _> = reply.topics.iter().map(|topic| (&**topic.name, topic)).collect();
                let answer = |place: &usize| Some((*place, created(found.get(&*topics[*place].name)?)));
                items.iter().filter_map(answer).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(topics.iter().map(|topic| topic.name.clone()), outcomes))
    }

    /// Deletes topics with all their records; each has its own outcome. One that does not exist is the error
    /// `UNKNOWN_TOPIC_OR_PARTITION`. Brokers may take a moment to forget a topic that is deleted.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the topics may have been deleted.
    pub async fn delete_topics<T: AsRef<str> + Sync>(
        &self,
        topics: &[T],
        timeout: Duration,
    ) -> Result<Outcomes<String>, Error> {
        let items = topics.iter().map(|topic| (Route::Controller, format!("deleting topic '{}'", topic.as_ref())));
        let exchange = Exchange {
            versions: DELETE_TOPICS_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], version: i16, patience| {
                let names = items.iter().map(|place| topic_name(topics[*place].as_ref()));
                let request = DeleteTopicsRequest::default().with_timeout_ms(millis(patience));
                if version >= 6 {
                    let topics = names.map(|name| DeleteTopicState::default().with_name(Some(name)));
                    request.with_topics(topics.collect())
                } else {
                    request.with_topic_names(names.collect())
                }
            },
            read: |items: &[usize], reply: DeleteTopicsResponse| {
                let of = |topic: &str| {
                    let named =
                        |name: &Option<_>| name.as_ref().is_some_and(|name: &super::TopicName| &***name == topic);
                    let found = reply.responses.iter().find(|found| named(&found.name))?;
                    Some(accepted(found.error_code, found.error_message.as_ref()))
                };
                items.iter().filter_map(|place| Some((*place, of(topics[*place].as_ref())?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(topics.iter().map(|topic| topic.as_ref().to_owned()), outcomes))
    }

    /// Deletes topics by id, so that one that was made anew in the meantime is left alone; each has its own outcome. One
    /// that does not exist is the error `UNKNOWN_TOPIC_ID`. Brokers take it since 2.8 (KIP-516).
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the topics may have been deleted.
    pub async fn delete_topics_by_id(&self, topics: &[TopicId], timeout: Duration) -> Result<Outcomes<TopicId>, Error> {
        let items = topics.iter().map(|id| (Route::Controller, format!("deleting the topic of id {id}")));
        let exchange = Exchange {
            versions: VersionRange::new(6, DELETE_TOPICS_VERSIONS.max),
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, patience| {
                let topics = items.iter().map(|place| DeleteTopicState::default().with_topic_id(topics[*place].uuid()));
                DeleteTopicsRequest::default().with_topics(topics.collect()).with_timeout_ms(millis(patience))
            },
            read: |items: &[usize], reply: DeleteTopicsResponse| {
                let of = |id: TopicId| {
                    let found = reply.responses.iter().find(|found| found.topic_id == id.uuid())?;
                    Some(accepted(found.error_code, found.error_message.as_ref()))
                };
                items.iter().filter_map(|place| Some((*place, of(topics[*place])?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(topics.iter().copied(), outcomes))
    }

    /// These topics with their partitions; each has its own outcome. One that does not exist is the error
    /// `UNKNOWN_TOPIC_OR_PARTITION`; to ask does not create it. One that was just created may not be known to every
    /// broker for a moment.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn describe_topics<T: AsRef<str> + Sync>(
        &self,
        topics: &[T],
        timeout: Duration,
    ) -> Result<Outcomes<String, TopicDescription>, Error> {
        self.describe_or_create_topics(topics, false, timeout).await
    }

    /// As [`describe_topics`](Self::describe_topics), and a topic that does not exist is created where brokers do that by
    /// themselves (`auto.create.topics.enable`), as when it is written to. It is then an error until it is there: ask
    /// again.
    ///
    /// # Errors
    /// As [`describe_topics`](Self::describe_topics).
    ///
    /// # Cancel safety
    /// When the future is dropped the topics may have been created.
    pub async fn auto_create_topics<T: AsRef<str> + Sync>(
        &self,
        topics: &[T],
        timeout: Duration,
    ) -> Result<Outcomes<String, TopicDescription>, Error> {
        self.describe_or_create_topics(topics, true, timeout).await
    }

    async fn describe_or_create_topics<T: AsRef<str> + Sync>(
        &self,
        topics: &[T],
        auto_create: bool,
        timeout: Duration,
    ) -> Result<Outcomes<String, TopicDescription>, Error> {
        let items = topics.iter().map(|topic| (Route::Any, format!("describing topic '{}'", topic.as_ref())));
        let exchange = Exchange {
            // Before version 4 there is no choice: an unknown topic is created if the broker does that.
            versions: if auto_create { METADATA_VERSIONS } else { METADATA_VERSIONS_WITH_CHOICE },
            changes: auto_create,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let name = |place: &usize| topic_name(topics[*place].as_ref());
                let topics = items.iter().map(|place| MetadataRequestTopic::default().with_name(Some(name(place))));
                MetadataRequest::default()
                    .with_topics(Some(topics.collect()))
                    .with_allow_auto_topic_creation(auto_create)
                    .with_include_topic_authorized_operations(true)
            },
            read: |items: &[usize], reply: MetadataResponse| {
                let name = |topic: &MetadataResponseTopic| topic.name.as_ref().map(|name| name.to_string());
                let found: BTreeMap<_, _> = reply.topics.iter().map(|topic| (name(topic), topic)).collect();
                let of = |topic: &str| Some(described(found.get(&Some(topic.to_owned()))?));
                items.iter().filter_map(|place| Some((*place, of(topics[*place].as_ref())?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(topics.iter().map(|topic| topic.as_ref().to_owned()), outcomes))
    }

    /// As [`describe_topics`](Self::describe_topics), by id. One that does not exist is the error `UNKNOWN_TOPIC_ID`.
    /// Brokers take it since 3.1 (KIP-516).
    ///
    /// # Errors
    /// As [`describe_topics`](Self::describe_topics).
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn describe_topics_by_id(
        &self,
        topics: &[TopicId],
        timeout: Duration,
    ) -> Result<Outcomes<TopicId, TopicDescription>, Error> {
        let items = topics.iter().map(|id| (Route::Any, format!("describing the topic of id {id}")));
        let exchange = Exchange {
            versions: METADATA_VERSIONS_BY_ID,
            changes: false,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let topics = items
                    .iter()
                    .map(|place| MetadataRequestTopic::default().with_name(None).with_topic_id(topics[*place].uuid()));
                MetadataRequest::default()
                    .with_topics(Some(topics.collect()))
                    .with_allow_auto_topic_creation(false)
                    .with_include_topic_authorized_operations(true)
            },
            read: |items: &[usize], reply: MetadataResponse| {
                let of = |id: TopicId| Some(described(reply.topics.iter().find(|topic| topic.topic_id == id.uuid())?));
                items.iter().filter_map(|place| Some((*place, of(topics[*place])?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(topics.iter().copied(), outcomes))
    }

    /// The topics of the cluster that we may see, by name, Kafka's own among them.
    ///
    /// # Errors
    /// When no broker answers within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn list_topics(&self, timeout: Duration) -> Result<Vec<TopicListing>, Error> {
        let exchange = Exchange {
            versions: METADATA_VERSIONS,
            changes: false,
            items_max: 1,
            build: |_: &[usize], _, _| {
                MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false)
            },
            read: |items: &[usize], reply: MetadataResponse| {
                let mut listings: Vec<TopicListing> = reply.topics.iter().filter_map(listing).collect();
                listings.sort_by(|one, other| one.name.cmp(&other.name));
                items.iter().map(|place| (*place, Ok(listings.clone()))).collect()
            },
        };
        self.ask_one((Route::Any, "listing topics".to_owned()), timeout, exchange).await
    }
}

fn created(topic: &CreatableTopicResult) -> Answer<CreatedTopic> {
    accepted(topic.error_code, topic.error_message.as_ref())?;
    let configs = topic.configs.iter().flatten().map(|config| ConfigEntry {
        name: config.name.to_string(),
        value: config.value.as_ref().map(ToString::to_string),
        source: ConfigSource(config.config_source),
        is_sensitive: config.is_sensitive,
        is_read_only: config.read_only,
        synonyms: Vec::new(),
        config_type: None,
    });
    Ok(CreatedTopic {
        id: TopicId::known(topic.topic_id),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        configs: configs.collect(),
    })
}

fn described(topic: &MetadataResponseTopic) -> Answer<TopicDescription> {
    accepted(topic.error_code, None)?;
    let mut partitions: Vec<PartitionDescription> = topic.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    Ok(TopicDescription {
        name: topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default(),
        id: TopicId::known(topic.topic_id),
        is_internal: topic.is_internal,
        partitions,
        authorized_operations: operations(topic.topic_authorized_operations),
    })
}

fn partition(partition: &MetadataResponsePartition) -> PartitionDescription {
    PartitionDescription {
        partition: partition.partition_index,
        leader: Some(partition.leader_id.0).filter(|id| *id >= 0),
        leader_epoch: Some(partition.leader_epoch).filter(|epoch| *epoch >= 0),
        replicas: numbers_of(&partition.replica_nodes),
        in_sync_replicas: numbers_of(&partition.isr_nodes),
        offline_replicas: numbers_of(&partition.offline_replicas),
    }
}

fn listing(topic: &MetadataResponseTopic) -> Option<TopicListing> {
    Some(TopicListing {
        name: topic.name.as_ref()?.to_string(),
        id: TopicId::known(topic.topic_id),
        partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
        is_internal: topic.is_internal,
    })
}
