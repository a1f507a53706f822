//! `CreateTopics` 2-7 (KIP-4, KIP-464, KIP-525): makes topics, or only says whether it would.
//!
//! Errors and their order are those of Kafka's controller. There is one broker, so a replication factor above 1 is
//! refused, and an assignment may only name this broker.

use std::collections::{BTreeMap, BTreeSet};

use super::text;
use crate::broker::topic_config::TopicConfig;
use crate::broker::topics::TopicError;
use crate::broker::{Broker, Outcome, Refused, Request};
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::create_topics_request::CreatableTopic;
use tidemill_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use tidemill_protocol::messages::{BrokerId, CreateTopicsRequest, CreateTopicsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

pub(super) const VERSIONS: VersionRange = VersionRange::new(2, 7);

/// Where the value of a setting comes from, in the numbers of DescribeConfigs.
pub(super) const SOURCE_TOPIC: i8 = 1;
pub(super) const SOURCE_DEFAULT: i8 = 5;

pub(super) fn handle(broker: &mut Broker, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: CreateTopicsRequest = request.decode()?;
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in &body.topics {
        *times.entry(&topic.name.0).or_default() += 1;
    }
    let mut answered: BTreeSet<&str> = BTreeSet::new();
    let mut results = Vec::new();
    for topic in &body.topics {
        if times.get(&*topic.name.0).is_some_and(|times| *times > 1) {
            // Answered once, as in Kafka.
            if answered.insert(&topic.name.0) {
                let error = TopicError::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.");
                results.push(refused(topic, error));
            }
            continue;
        }
        results.push(create(broker, topic, body.validate_only).unwrap_or_else(|error| refused(topic, error)));
    }
    request.reply::<CreateTopicsRequest>(&CreateTopicsResponse::default().with_topics(results))
}

fn create(
    broker: &mut Broker,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, TopicError> {
    let name = &*topic.name.0;
    let settings = topic.configs.iter().filter_map(|config| Some((&*config.name, &**config.value.as_ref()?)));
    // The name is judged before the numbers, the numbers before the settings.
    broker.topics.check_new(name, 1)?;
    let partitions = check_layout(broker, topic)?;
    broker.topics.check_new(name, partitions)?;
    let (id, config) = if validate_only {
        let config = TopicConfig::new(settings);
        (broker.random_id(), config.map_err(|reason| TopicError::new(ErrorCode::INVALID_CONFIG, reason))?)
    } else {
        let created = broker.create_topic(name, partitions, settings)?;
        (created.id, created.config.clone())
    };
    let configs = config.list().map(|(option, value, is_set)| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(option.name))
            .with_value(Some(text(value)))
            .with_config_source(if is_set { SOURCE_TOPIC } else { SOURCE_DEFAULT })
    });
    Ok(CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_topic_id(id)
        .with_error_message(None)
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(Some(configs.collect())))
}

/// How many partitions there are to be: given, the default, or as many as are assigned.
fn check_layout(broker: &Broker, topic: &CreatableTopic) -> Result<i32, TopicError> {
    let refuse = |code: ErrorCode, message: &str| Err(TopicError::new(code, message));
    if !topic.assignments.is_empty() {
        if topic.replication_factor != -1 {
            let message = "A manual partition assignment was specified, but replication factor was not set to -1.";
            return refuse(ErrorCode::INVALID_REQUEST, message);
        }
        if topic.num_partitions != -1 {
            let message = "A manual partition assignment was specified, but numPartitions was not set to -1.";
            return refuse(ErrorCode::INVALID_REQUEST, message);
        }
        let mut numbers: Vec<i32> = topic.assignments.iter().map(|assigned| assigned.partition_index).collect();
        numbers.sort_unstable();
        if !numbers.iter().copied().eq((0..).take(numbers.len())) {
            let message = "partitions should be a consecutive 0-based integer sequence";
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message);
        }
        let own = [BrokerId(broker.config.node_id)];
        if topic.assignments.iter().any(|assigned| assigned.broker_ids != own) {
            let message = "The manual partition assignment names brokers that are not there.";
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message);
        }
        return Ok(i32::try_from(numbers.len()).unwrap_or(i32::MAX));
    }
    match topic.replication_factor {
        -1 | 1 => {}
        factor if factor <= 0 => {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            return refuse(ErrorCode::INVALID_REPLICATION_FACTOR, message);
        }
        factor => {
            let message = format!(
                "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot \
                 be reached because only 1 broker(s) are registered or some brokers have all their log directories \
                 cordoned."
            );
            return refuse(ErrorCode::INVALID_REPLICATION_FACTOR, &message);
        }
    }
    Ok(if topic.num_partitions == -1 { broker.config.num_partitions } else { topic.num_partitions })
}

fn refused(topic: &CreatableTopic, error: TopicError) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(error.code.0)
        .with_error_message(Some(StrBytes::from_string(error.message)))
        .with_configs(Some(Vec::new()))
}
