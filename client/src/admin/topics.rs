//! Topics: create, describe, list.
//!
//! Source: KIP-4 (CreateTopics), protocol documentation of Metadata.

use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::create_topics_request::CreatableTopic;
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::metadata_response::MetadataResponseTopic;
use tidemill_protocol::messages::{CreateTopicsRequest, MetadataRequest, TopicName};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::Admin;
use crate::cluster::{Purpose, Target};
use crate::error::Error;

/// From 4 on the broker's defaults can be asked for with -1 (KIP-464).
const CREATE_TOPICS_VERSIONS: VersionRange = VersionRange::new(2, 7);
const METADATA_VERSIONS: VersionRange = VersionRange::new(1, 12);
const METADATA_VERSIONS_WITH_CHOICE: VersionRange = VersionRange::new(4, 12);

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    name: String,
    partitions: i32,
    replication_factor: i16,
}

impl NewTopic {
    /// A topic with the broker's default number of partitions and replicas.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: -1, replication_factor: -1 }
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
}

/// A topic that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicListing {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// Whether it is one of Kafka's own, such as `__consumer_offsets`.
    pub is_internal: bool,
}

impl Admin {
    /// Creates topics; each gets its own outcome. One that exists already is the error `TOPIC_ALREADY_EXISTS`.
    ///
    /// # Errors
    /// When the controller cannot be reached or does not answer within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the topics may have been created.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        timeout: Duration,
    ) -> Result<Vec<(String, Result<(), Error>)>, Error> {
        let wanted = topics.iter().map(|topic| {
            CreatableTopic::default()
                .with_name(TopicName(StrBytes::from_string(topic.name.clone())))
                .with_num_partitions(topic.partitions)
                .with_replication_factor(topic.replication_factor)
        });
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let request = CreateTopicsRequest::default().with_topics(wanted.collect()).with_timeout_ms(millis);
        let cluster = self.client.cluster();
        // The broker waits for up to `timeout`; its answer needs a moment more.
        let patience = timeout.saturating_add(Duration::from_secs(1));
        let reply = cluster
            .request(Target::Controller, Purpose::General, CREATE_TOPICS_VERSIONS, patience, |_| request)
            .await?;
        let outcome = |code: i16, name: &str, message: Option<&StrBytes>| {
            ErrorCode(code).into_result().map_err(|code| {
                let error = Error::broker(format!("creating topic '{name}'"), code);
                match message {
                    Some(message) => error.with_detail(message.as_str()),
                    None => error,
                }
            })
        };
        let results = reply.topics.iter().map(|topic| {
            let name = topic.name.to_string();
            let outcome = outcome(topic.error_code, &name, topic.error_message.as_ref());
            (name, outcome)
        });
        Ok(results.collect())
    }

    /// These topics, in this order; one that does not exist is the error `UNKNOWN_TOPIC_OR_PARTITION`. With
    /// `auto_create` it is then being created, where brokers do that, and may be asked for again.
    ///
    /// # Errors
    /// When no broker can be reached or none answers within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped, topics may be created that `auto_create` asks for.
    pub async fn describe_topics<T: AsRef<str>>(
        &self,
        topics: &[T],
        auto_create: bool,
        timeout: Duration,
    ) -> Result<Vec<Result<TopicListing, Error>>, Error> {
        let asked = topics.iter().map(|topic| {
            let name = TopicName(StrBytes::from_string(topic.as_ref().to_owned()));
            MetadataRequestTopic::default().with_name(Some(name))
        });
        let request =
            MetadataRequest::default().with_topics(Some(asked.collect())).with_allow_auto_topic_creation(auto_create);
        let cluster = self.client.cluster();
        // Before version 4 there is no choice: an unknown topic is created if the broker does that.
        let versions = if auto_create { METADATA_VERSIONS } else { METADATA_VERSIONS_WITH_CHOICE };
        let reply = cluster.request(Target::Any, Purpose::General, versions, timeout, |_| request).await?;
        let described = topics.iter().map(|topic| {
            let name = topic.as_ref();
            let attempt = || format!("describing topic '{name}'");
            let found = reply.topics.iter().find(|found| found.name.as_ref().is_some_and(|found| &***found == name));
            let found = found.ok_or_else(|| Error::protocol(attempt()).with_detail("the answer leaves it out"))?;
            ErrorCode(found.error_code).into_result().map_err(|code| Error::broker(attempt(), code))?;
            listing(found).ok_or_else(|| Error::protocol(attempt()).with_detail("the answer does not name it"))
        });
        Ok(described.collect())
    }

    /// The topics of the cluster, by name.
    ///
    /// # Errors
    /// When no broker can be reached or none answers within `timeout`.
    ///
    /// # Cancel safety
    /// Nothing changes when the future is dropped.
    pub async fn list_topics(&self, timeout: Duration) -> Result<Vec<TopicListing>, Error> {
        let request = MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false);
        let cluster = self.client.cluster();
        let reply = cluster.request(Target::Any, Purpose::General, METADATA_VERSIONS, timeout, |_| request).await?;
        let mut listings: Vec<TopicListing> = reply.topics.iter().filter_map(listing).collect();
        listings.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listings)
    }
}

fn listing(topic: &MetadataResponseTopic) -> Option<TopicListing> {
    Some(TopicListing {
        name: topic.name.as_ref()?.to_string(),
        partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
        is_internal: topic.is_internal,
    })
}
