//! `CreateTopics` 2-7 (KIP-4, KIP-464, KIP-525): makes topics, or only says whether it would.
//!
//! Errors and their order are those of Kafka's controller.

use std::collections::{BTreeMap, BTreeSet};

use super::describe_configs::source_of;
use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::topic_config::TopicConfig;
use crate::broker::topics::TopicError;
use crate::broker::{Cluster, Outcome, Refused, Request};
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::create_topics_request::CreatableTopic;
use tidemill_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use tidemill_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

pub(super) const VERSIONS: VersionRange = VersionRange::new(2, 7);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
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
        let resource = Resource::Topic(&topic.name.0);
        let may_create = [Resource::Cluster, resource].map(|it| request.may(cluster, Operation::Create, it));
        if !may_create.contains(&true) {
            let error = TopicError::new(ErrorCode::TOPIC_AUTHORIZATION_FAILED, "Authorization failed.");
            results.push(refused(topic, error));
            continue;
        }
        let shows_settings = request.may(cluster, Operation::DescribeConfigs, resource);
        let created = create(cluster, topic, body.validate_only)
            .map(|created| if shows_settings { created } else { without_settings(created) });
        results.push(created.unwrap_or_else(|error| refused(topic, error)));
    }
    request.reply::<CreateTopicsRequest>(&CreateTopicsResponse::default().with_topics(results))
}

/// For who may make a topic and not see what it is set to.
fn without_settings(created: CreatableTopicResult) -> CreatableTopicResult {
    created
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_topic_config_error_code(ErrorCode::TOPIC_AUTHORIZATION_FAILED.0)
        .with_configs(Some(Vec::new()))
}

fn create(
    cluster: &mut Cluster,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, TopicError> {
    let name = &*topic.name.0;
    let settings = topic.configs.iter().filter_map(|config| Some((&*config.name, &**config.value.as_ref()?)));
    // The name is judged before the numbers, the numbers before the settings.
    cluster.topics.check_new(name, 1)?;
    let layout = check_layout(cluster, topic)?;
    let partitions = i32::try_from(layout.len()).unwrap_or(i32::MAX);
    let factor = layout.first().map_or(0, Vec::len);
    cluster.topics.check_new(name, partitions)?;
    let (id, config) = if validate_only {
        let config = TopicConfig::new(settings);
        (cluster.random_id(), config.map_err(|reason| TopicError::new(ErrorCode::INVALID_CONFIG, reason))?)
    } else {
        let created = cluster.create_topic_at(name, layout, settings)?;
        (created.id, created.config.clone())
    };
    let configs = config.list().map(|(option, value, is_set)| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(option.name))
            .with_value(Some(text(value)))
            .with_config_source(source_of(option.name, is_set))
    });
    Ok(CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_topic_id(id)
        .with_error_message(None)
        .with_num_partitions(partitions)
        .with_replication_factor(i16::try_from(factor).unwrap_or(i16::MAX))
        .with_configs(Some(configs.collect())))
}

/// Where the replicas of each partition are to lie: as assigned, or as the brokers place them.
fn check_layout(cluster: &mut Cluster, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, TopicError> {
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
        let mut assigned: Vec<_> = topic.assignments.iter().collect();
        assigned.sort_unstable_by_key(|assigned| assigned.partition_index);
        let layout: Vec<Vec<i32>> =
            assigned.iter().map(|assigned| assigned.broker_ids.iter().map(|id| id.0).collect()).collect();
        check_replicas(cluster, &layout)?;
        return Ok(layout);
    }
    let factor = match topic.replication_factor {
        -1 => cluster.config.default_replication_factor,
        factor => factor,
    };
    let partitions = match topic.num_partitions {
        -1 => cluster.config.num_partitions,
        partitions => partitions,
    };
    // Counts that cannot be are judged by the caller, and are not worth placing.
    cluster.topics.check_new(&topic.name.0, partitions).or_else(|error| {
        // The factor is judged before the count.
        cluster.place(1, factor).and(Err(error))
    })?;
    cluster.place(partitions, factor)
}

/// Whether replicas that were assigned by hand can lie there.
pub(super) fn check_replicas(cluster: &Cluster, layout: &[Vec<i32>]) -> Result<(), TopicError> {
    let refuse = |message: String| Err(TopicError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    for replicas in layout {
        if replicas.is_empty() {
            return refuse("The manual partition assignment includes an empty replica list.".to_owned());
        }
        let mut seen = BTreeSet::new();
        for id in replicas {
            if !seen.insert(*id) {
                return refuse(format!("The manual partition assignment includes the broker {id} more than once."));
            }
            if cluster.nodes.get(*id).is_none() {
                let message = "but no such broker is registered.";
                return refuse(format!("The manual partition assignment includes broker {id}, {message}"));
            }
        }
    }
    if layout.iter().any(|replicas| Some(replicas.len()) != layout.first().map(Vec::len)) {
        return refuse("Inconsistent replication factor between partitions.".to_owned());
    }
    Ok(())
}

fn refused(topic: &CreatableTopic, error: TopicError) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(error.code.0)
        .with_error_message(Some(StrBytes::from_string(error.message)))
        .with_configs(Some(Vec::new()))
}
