//! `DescribeTopicPartitions` 0 (KIP-966): topics and their partitions, in pages.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_topic_partitions_request::TopicRequest;
use tidemill_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use tidemill_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::partition::Partition;
use crate::broker::topics::check_name;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 0);

/// `max.request.partition.size.limit`.
const PARTITIONS_MAX: usize = 2000;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeTopicPartitionsRequest = request.decode()?;
    let all = body.topics.is_empty();
    let is_asked_for = |name: &TopicName| all || body.topics.iter().any(|topic| topic.name == *name);
    if body.cursor.as_ref().is_some_and(|cursor| !is_asked_for(&cursor.topic_name) || cursor.partition_index < 0) {
        let response = refused_altogether(body.topics, ErrorCode::INVALID_REQUEST);
        return request.reply::<DescribeTopicPartitionsRequest>(&response);
    }
    let (from, mut first_partition) = match &body.cursor {
        Some(cursor) => (&*cursor.topic_name.0, cursor.partition_index),
        None => ("", 0),
    };
    let may_see = |name: &TopicName| request.may(cluster, Operation::Describe, Resource::Topic(&name.0));
    // Kafka fails over a topic without a name.
    if from.is_empty() && body.topics.iter().any(|topic| topic.name.0.is_empty() && may_see(&topic.name)) {
        let response = refused_altogether(body.topics, ErrorCode::UNKNOWN_SERVER_ERROR);
        return request.reply::<DescribeTopicPartitionsRequest>(&response);
    }
    let mut names: Vec<TopicName> = if all {
        cluster.topics.starting_at(from).map(|topic| topic.name.clone()).collect()
    } else {
        body.topics.into_iter().map(|topic| topic.name).filter(|name| &*name.0 >= from).collect()
    };
    names.sort();
    names.dedup();
    let (names, hidden): (Vec<TopicName>, Vec<TopicName>) = names.into_iter().partition(may_see);
    let mut room = usize::try_from(body.response_partition_limit).unwrap_or(0).clamp(1, PARTITIONS_MAX);
    let mut response = DescribeTopicPartitionsResponse::default().with_next_cursor(None);
    for name in names {
        let start = if &*name.0 == from { std::mem::take(&mut first_partition) } else { 0 };
        if room == 0 {
            response.next_cursor = Some(Cursor::default().with_topic_name(name).with_partition_index(start));
            break;
        }
        let Some(topic) = cluster.topics.by_name(&name.0) else {
            let operations = request.operations(cluster, Resource::Topic(&name.0));
            response.topics.push(missing(name).with_topic_authorized_operations(operations));
            continue;
        };
        let mut partitions = topic.numbered().filter(|(number, _)| *number >= start);
        let page: Vec<_> =
            partitions.by_ref().take(room).map(|(number, partition)| describe(cluster, number, partition)).collect();
        room -= page.len();
        let next = partitions.next().map(|(number, _)| number);
        response.topics.push(
            DescribeTopicPartitionsResponseTopic::default()
                .with_name(Some(name.clone()))
                .with_topic_id(topic.id)
                .with_is_internal(topic.is_internal())
                .with_partitions(page)
                .with_topic_authorized_operations(request.operations(cluster, Resource::Topic(&name.0))),
        );
        if let Some(number) = next {
            response.next_cursor = Some(Cursor::default().with_topic_name(name).with_partition_index(number));
            break;
        }
    }
    // Only those are refused that were asked for; of all others nothing is said.
    response.topics.extend(hidden.into_iter().filter(|_| !all).map(|name| {
        let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED.0;
        DescribeTopicPartitionsResponseTopic::default().with_name(Some(name)).with_error_code(code)
    }));
    request.reply::<DescribeTopicPartitionsRequest>(&response)
}

fn describe(cluster: &Cluster, number: i32, partition: &Partition) -> DescribeTopicPartitionsResponsePartition {
    let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
    let code = if partition.leader.is_none() { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE };
    let offline = partition.replicas.iter().copied().filter(|id| !cluster.nodes.is_running(*id));
    DescribeTopicPartitionsResponsePartition::default()
        .with_error_code(code.0)
        .with_partition_index(number)
        .with_leader_id(BrokerId(partition.leader.unwrap_or(-1)))
        .with_leader_epoch(partition.leader_epoch)
        .with_replica_nodes(ids(&partition.replicas))
        .with_isr_nodes(ids(&partition.in_sync))
        .with_offline_replicas(offline.map(BrokerId).collect())
        .with_eligible_leader_replicas(Some(Vec::new()))
        .with_last_known_elr(Some(Vec::new()))
}

fn refused_altogether(asked: Vec<TopicRequest>, code: ErrorCode) -> DescribeTopicPartitionsResponse {
    let refused = |topic: TopicRequest| {
        DescribeTopicPartitionsResponseTopic::default().with_name(Some(topic.name)).with_error_code(code.0)
    };
    let topics = asked.into_iter().map(refused).collect();
    DescribeTopicPartitionsResponse::default().with_next_cursor(None).with_topics(topics)
}

fn missing(name: TopicName) -> DescribeTopicPartitionsResponseTopic {
    let code = check_name(&name.0).map_or_else(|error| error.code, |()| ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    DescribeTopicPartitionsResponseTopic::default().with_name(Some(name)).with_error_code(code.0)
}
