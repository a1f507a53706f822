//! `ListPartitionReassignments` 0 (KIP-455): which replicas are being moved.

use tidemill_protocol::StrBytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use tidemill_protocol::messages::{
    BrokerId, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, TopicName,
};

use crate::broker::acls::Operation;
use crate::broker::authorization::{NEEDS_DESCRIBE, Resource};
use crate::broker::partition::Partition;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 0);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ListPartitionReassignmentsRequest = request.decode()?;
    if let Err(code) = request.authorize(cluster, Operation::Describe, Resource::Cluster) {
        let topics = body.topics.unwrap_or_default().into_iter().map(|topic| {
            let number = |number: &i32| OngoingPartitionReassignment::default().with_partition_index(*number);
            let partitions = topic.partition_indexes.iter().map(number).collect();
            OngoingTopicReassignment::default().with_name(topic.name).with_partitions(partitions)
        });
        let response = ListPartitionReassignmentsResponse::default()
            .with_error_code(code.0)
            .with_error_message(Some(StrBytes::from_static_str(NEEDS_DESCRIBE)))
            .with_topics(topics.collect());
        return request.reply::<ListPartitionReassignmentsRequest>(&response);
    }
    let mut topics = Vec::new();
    match body.topics {
        Some(wanted) => {
            for topic in wanted {
                let Some(found) = cluster.topics.by_name(&topic.name.0) else { continue };
                let numbers = topic.partition_indexes.iter();
                let moving = numbers.filter_map(|number| Some((*number, found.partition(*number).ok()?)));
                push(&mut topics, &topic.name, moving);
            }
        }
        None => cluster.topics.iter().for_each(|topic| push(&mut topics, &topic.name, topic.numbered())),
    }
    let response = ListPartitionReassignmentsResponse::default().with_error_message(None).with_topics(topics);
    request.reply::<ListPartitionReassignmentsRequest>(&response)
}

fn push<'a>(
    topics: &mut Vec<OngoingTopicReassignment>,
    name: &TopicName,
    partitions: impl Iterator<Item = (i32, &'a Partition)>,
) {
    let ids = |ids: Vec<i32>| ids.into_iter().map(BrokerId).collect();
    let moving = partitions.filter_map(|(number, partition)| {
        let to = partition.moves_to.as_ref()?;
        let old = partition.settled_replicas();
        Some(
            OngoingPartitionReassignment::default()
                .with_partition_index(number)
                .with_replicas(ids(partition.replicas.clone()))
                .with_adding_replicas(ids(to.iter().copied().filter(|id| !old.contains(id)).collect()))
                .with_removing_replicas(ids(old.iter().copied().filter(|id| !to.contains(id)).collect())),
        )
    });
    let moving: Vec<_> = moving.collect();
    if !moving.is_empty() {
        topics.push(OngoingTopicReassignment::default().with_name(name.clone()).with_partitions(moving));
    }
}
