//! `CreatePartitions` 0-3 (KIP-195): more partitions for topics that there are.
//!
//! At most 10,000 at a time, where Kafka would try.

use std::collections::BTreeMap;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use tidemill_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use tidemill_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::create_topics::check_replicas;
use super::text_or_null;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::topics::TopicError;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 3);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: CreatePartitionsRequest = request.decode()?;
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in &body.topics {
        *times.entry(&topic.name.0).or_default() += 1;
    }
    let mut results = Vec::new();
    // What stands there twice is answered first, and once.
    for (name, _) in times.iter().filter(|(_, times)| **times > 1) {
        let error = TopicError::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.");
        results.push(result(super::text(name), Err(error)));
    }
    for topic in body.topics.iter().filter(|topic| times.get(&*topic.name.0) == Some(&1)) {
        let may = request.authorize(cluster, Operation::Alter, Resource::Topic(&topic.name.0));
        let may = may.map_err(|code| TopicError::new(code, ""));
        let grown = may.and_then(|()| grow(cluster, topic, body.validate_only));
        results.push(result(topic.name.0.clone(), grown));
    }
    request.reply::<CreatePartitionsRequest>(&CreatePartitionsResponse::default().with_results(results))
}

fn grow(cluster: &mut Cluster, wanted: &CreatePartitionsTopic, validate_only: bool) -> Result<(), TopicError> {
    let name = &*wanted.name.0;
    let Some(topic) = cluster.topics.by_name(name) else {
        return Err(TopicError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ""));
    };
    let current = topic.partitions.len();
    let refuse = |code: ErrorCode, message: String| Err(TopicError::new(code, message));
    if usize::try_from(wanted.count) == Ok(current) {
        return refuse(ErrorCode::INVALID_PARTITIONS, format!("Topic already has {current} partition(s)."));
    }
    let more = usize::try_from(wanted.count).ok().and_then(|count| count.checked_sub(current));
    let Some(more) = more else {
        let count = wanted.count;
        let message =
            format!("The topic {name} currently has {current} partition(s); {count} would not be an increase.");
        return refuse(ErrorCode::INVALID_PARTITIONS, message);
    };
    let factor = topic.partitions.first().map_or(1, |partition| partition.replicas.len());
    let layout = match &wanted.assignments {
        Some(assignments) => {
            if assignments.len() != more {
                let given = assignments.len();
                let message = format!(
                    "Attempted to add {more} additional partition(s), but only {given} assignment(s) were specified."
                );
                return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message);
            }
            let layout: Vec<Vec<i32>> =
                assignments.iter().map(|it| it.broker_ids.iter().map(|id| id.0).collect()).collect();
            layout.iter().try_for_each(|replicas| check_replicas(cluster, replicas, Some(factor)))?;
            layout
        }
        None => {
            if more > PARTITIONS_MAX {
                let message = "Excessively large number of partitions per request.";
                return refuse(ErrorCode::POLICY_VIOLATION, message.to_owned());
            }
            let more = i32::try_from(more).unwrap_or(i32::MAX);
            cluster.place(more, i16::try_from(factor).unwrap_or(i16::MAX))?
        }
    };
    if !validate_only {
        cluster.add_partitions(name, layout);
    }
    Ok(())
}

fn result(name: StrBytes, grown: Result<(), TopicError>) -> CreatePartitionsTopicResult {
    let result = CreatePartitionsTopicResult::default().with_name(name.into());
    match grown {
        Ok(()) => result.with_error_message(None),
        Err(error) => result.with_error_code(error.code.0).with_error_message(text_or_null(error.message)),
    }
}

/// How many partitions one request may make.
const PARTITIONS_MAX: usize = 10_000;
