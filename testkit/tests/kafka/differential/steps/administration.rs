//! Where replicas lie and who leads.

use tidemill_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use tidemill_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use tidemill_protocol::messages::elect_leaders_request::TopicPartitions;
use tidemill_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use tidemill_protocol::messages::*;

use super::topics;
use crate::differential::draw::Draw;
use crate::differential::side::Side;

pub(crate) fn elect_leaders(side: &mut Side, draw: &mut Draw) {
    let topics =
        draw.some(|draw| TopicPartitions::default().with_topic(draw.topic(side)).with_partitions(draw.partitions()));
    let request = ElectLeadersRequest::default()
        .with_election_type(if draw.chance(93) { i8::from(draw.chance(30)) } else { *draw.pick(&[2, -1]) })
        .with_topic_partitions(Some(topics))
        .with_timeout_ms(10_000);
    side.ask(draw, &request);
    topics::settle(side);
}

pub(crate) fn reassign(side: &mut Side, draw: &mut Draw) {
    let topics = draw.some(|draw| {
        let partitions = draw.some(|draw| {
            let replicas = match draw.below(10) {
                0..4 => None,
                4..8 => Some(vec![BrokerId(1)]),
                8 => Some(vec![BrokerId(1), BrokerId(1)]),
                _ => Some(draw.some(|draw| BrokerId(draw.odd_number()))),
            };
            ReassignablePartition::default().with_partition_index(draw.partition()).with_replicas(replicas)
        });
        ReassignableTopic::default().with_name(draw.topic(side)).with_partitions(partitions)
    });
    let request = AlterPartitionReassignmentsRequest::default().with_timeout_ms(10_000).with_topics(topics);
    side.ask(draw, &request);
    topics::settle(side);
}

pub(crate) fn list_reassignments(side: &mut Side, draw: &mut Draw) {
    let topics = draw.some(|draw| {
        let partitions = draw.partitions();
        ListPartitionReassignmentsTopics::default().with_name(draw.topic(side)).with_partition_indexes(partitions)
    });
    let topics = draw.chance(80).then_some(topics);
    side.ask(draw, &ListPartitionReassignmentsRequest::default().with_topics(topics).with_timeout_ms(10_000));
}

pub(crate) fn describe_log_dirs(side: &mut Side, draw: &mut Draw) {
    let topics = draw
        .some(|draw| DescribableLogDirTopic::default().with_topic(draw.topic(side)).with_partitions(draw.partitions()));
    let topics = draw.chance(75).then_some(topics);
    side.ask_own(draw, &DescribeLogDirsRequest::default().with_topics(topics));
}
