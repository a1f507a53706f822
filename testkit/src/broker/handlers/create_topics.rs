//! `CreateTopics` 2-7 (KIP-4, KIP-464, KIP-525): makes topics, or only says whether it would.
//!
//! Errors and their order are those of Kafka's controller.

use std::collections::{BTreeMap, BTreeSet};

use super::{text, text_or_null};
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
    // Kafka's controller gives up what should have been done already, unless there is nothing to do.
    if body.timeout_ms <= 0 && times.values().any(|times| *times == 1) {
        let late = |topic| refused(topic, TopicError::new(ErrorCode::REQUEST_TIMED_OUT, ""));
        let results = body.topics.iter().map(late).collect();
        return request.reply::<CreateTopicsRequest>(&CreateTopicsResponse::default().with_topics(results));
    }
    let mut answered: BTreeSet<&str> = BTreeSet::new();
    let (mut results, mut doubles) = (Vec::new(), Vec::new());
    for topic in &body.topics {
        if times.get(&*topic.name.0).is_some_and(|times| *times > 1) {
            // Answered once and last, as in Kafka.
            if answered.insert(&topic.name.0) {
                let error = TopicError::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.");
                doubles.push(refused(topic, error));
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
        let created = create(cluster, request.caller.node_id, topic, body.validate_only)
            .map(|created| if shows_settings { created } else { without_settings(created) });
        results.push(created.unwrap_or_else(|error| refused(topic, error)));
    }
    results.append(&mut doubles);
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
    node_id: i32,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, TopicError> {
    let name = &*topic.name.0;
    let settings = topic.configs.iter().filter_map(|config| Some((&*config.name, &**config.value.as_ref()?)));
    // The name is judged before the settings, the settings before the numbers.
    cluster.topics.check_new(name, 1)?;
    let invalid = |message: String| TopicError::new(ErrorCode::INVALID_CONFIG, message);
    let missing: Vec<&str> =
        topic.configs.iter().filter(|config| config.value.is_none()).map(|config| &*config.name).collect();
    if !missing.is_empty() {
        return Err(invalid(format!("Null value not supported for topic configs: {}", missing.join(","))));
    }
    let config = TopicConfig::over(cluster.settings.topic_defaults(), settings.clone()).map_err(invalid)?;
    let layout = check_layout(cluster, topic)?;
    let partitions = i32::try_from(layout.len()).unwrap_or(i32::MAX);
    let factor = layout.first().map_or(0, Vec::len);
    cluster.topics.check_new(name, partitions)?;
    let (id, config) = if validate_only {
        (cluster.random_id(), config)
    } else {
        let created = cluster.create_topic_at(name, layout, settings)?;
        (created.id, created.config.clone())
    };
    let configs = config.list().map(|(option, value, is_set)| {
        let source = cluster.describe_of_topic(option, value, is_set, node_id).source();
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(option.name))
            .with_value(Some(text(value)))
            .with_config_source(source as i8)
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
        let mut layout = BTreeMap::new();
        let mut factor = None;
        for assigned in &topic.assignments {
            let number = assigned.partition_index;
            let replicas: Vec<i32> = assigned.broker_ids.iter().map(|id| id.0).collect();
            if layout.contains_key(&number) {
                let message = format!("Found multiple manual partition assignments for partition {number}");
                return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, &message);
            }
            check_replicas(cluster, &replicas, factor)?;
            factor = Some(replicas.len());
            layout.insert(number, replicas);
        }
        if !layout.keys().copied().eq((0..).take(layout.len())) {
            let message = "partitions should be a consecutive 0-based integer sequence";
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message);
        }
        return Ok(layout.into_values().collect());
    }
    let factor = match topic.replication_factor {
        -1 => cluster.config.default_replication_factor,
        factor => factor,
    };
    let partitions = match topic.num_partitions {
        -1 => cluster.config.num_partitions,
        partitions => partitions,
    };
    // A factor that cannot be is told before a count that cannot, and that before one of too many.
    if factor <= 0 {
        return cluster.place(1, factor);
    }
    cluster.topics.check_new(&topic.name.0, partitions)?;
    cluster.place(partitions, factor)
}

/// Whether replicas that were assigned by hand can lie there, and are as many as those of partitions before.
pub(super) fn check_replicas(cluster: &Cluster, replicas: &[i32], factor: Option<usize>) -> Result<(), TopicError> {
    let refuse = |message: String| Err(TopicError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    if replicas.is_empty() {
        return refuse("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    let mut before = None;
    for id in sorted {
        if cluster.nodes.get(id).is_none() {
            let message = "but no such broker is registered.";
            return refuse(format!("The manual partition assignment includes broker {id}, {message}"));
        }
        if before == Some(id) {
            return refuse(format!("The manual partition assignment includes the broker {id} more than once."));
        }
        before = Some(id);
    }
    match factor {
        Some(factor) if factor != replicas.len() => refuse(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
             previous partitions, which have {factor} replica(s).",
            replicas.len()
        )),
        Some(_) | None => Ok(()),
    }
}

fn refused(topic: &CreatableTopic, error: TopicError) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(error.code.0)
        .with_error_message(text_or_null(error.message))
        .with_configs(Some(Vec::new()))
}
