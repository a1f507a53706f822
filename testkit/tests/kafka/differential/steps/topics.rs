//! Topics: made, deleted, grown, and described.

use std::collections::BTreeMap;

use tidemill_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use tidemill_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use tidemill_protocol::messages::delete_topics_request::DeleteTopicState;
use tidemill_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::*;
use tidemill_protocol::{ErrorCode, StrBytes};

use super::configs;
use crate::differential::answer::Keep;
use crate::differential::draw::Draw;
use crate::differential::side::Side;

/// The partitions of the topics that a sequence begins with.
const PARTITIONS: i32 = 2;

/// Two topics that make sense.
pub(crate) fn make(side: &mut Side, _: &mut Draw) {
    let topic = |name| {
        let name = TopicName(side.named(name));
        CreatableTopic::default().with_name(name).with_num_partitions(PARTITIONS).with_replication_factor(1)
    };
    let topics = vec![topic("topic0"), topic("topic1")];
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000);
    side.ask_in(7, &request, Keep::All);
    settle(side);
}

pub(crate) fn create(side: &mut Side, draw: &mut Draw) {
    let topic = |draw: &mut Draw| {
        let mut topic = CreatableTopic::default().with_name(draw.topic(side));
        topic.num_partitions =
            if draw.chance(85) { *draw.pick(&[1, 2, 2, 3, -1]) } else { *draw.pick(&[0, -2, i32::MIN]) };
        topic.replication_factor = if draw.chance(85) { *draw.pick(&[1, 1, -1]) } else { *draw.pick(&[0, 2, -2, 100]) };
        if draw.chance(15) {
            if draw.chance(70) {
                topic.num_partitions = -1;
                topic.replication_factor = -1;
            }
            topic.assignments = draw.some(|draw| {
                let brokers =
                    if draw.chance(80) { vec![BrokerId(1)] } else { draw.some(|draw| BrokerId(draw.odd_number())) };
                let partition = if draw.chance(85) { i32::from(draw.below(2)) } else { draw.odd_number() };
                CreatableReplicaAssignment::default().with_partition_index(partition).with_broker_ids(brokers)
            });
        }
        if draw.chance(25) {
            topic.configs = draw.some(|draw| {
                let (name, value) = configs::setting(draw);
                CreatableTopicConfig::default().with_name(name).with_value(value)
            });
        }
        topic
    };
    let topics = draw.some(topic);
    let request = CreateTopicsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(if draw.chance(97) { 10_000 } else { *draw.pick(&[0, -1, i32::MIN]) })
        .with_validate_only(draw.chance(8));
    side.ask(draw, &request);
    settle(side);
}

pub(crate) fn delete(side: &mut Side, draw: &mut Draw) {
    let state = |draw: &mut Draw| {
        let name = draw.topic(side);
        let id = draw.id_of(side, &name);
        match draw.below(20) {
            0..10 => DeleteTopicState::default().with_name(Some(name)),
            10..19 => DeleteTopicState::default().with_topic_id(id),
            _ => DeleteTopicState::default().with_name(Some(name)).with_topic_id(id),
        }
    };
    let request = if draw.chance(50) {
        DeleteTopicsRequest::default().with_topic_names(draw.some(|draw| draw.topic(side)))
    } else {
        DeleteTopicsRequest::default().with_topics(draw.some(state))
    };
    // Names are said up to version 5, and in a list of their own.
    let version = if request.topics.is_empty() { i16::from(draw.below(5)) + 1 } else { 6 };
    side.ask_in(version, &request.with_timeout_ms(10_000), Keep::All);
    settle(side);
}

pub(crate) fn create_partitions(side: &mut Side, draw: &mut Draw) {
    let topic = |draw: &mut Draw| {
        let mut topic = CreatePartitionsTopic::default().with_name(draw.topic(side));
        topic.count = if draw.chance(85) { i32::from(draw.below(4)) + 1 } else { draw.odd_number().min(1) };
        topic.assignments = draw.chance(20).then(|| {
            draw.some(|draw| {
                let brokers =
                    if draw.chance(80) { vec![BrokerId(1)] } else { draw.some(|draw| BrokerId(draw.odd_number())) };
                CreatePartitionsAssignment::default().with_broker_ids(brokers)
            })
        });
        topic
    };
    let request = CreatePartitionsRequest::default()
        .with_topics(draw.some(topic))
        .with_timeout_ms(10_000)
        .with_validate_only(draw.chance(15));
    side.ask(draw, &request);
    settle(side);
}

pub(crate) fn metadata(side: &mut Side, draw: &mut Draw) {
    let topic = |draw: &mut Draw| {
        let name = draw.topic(side);
        let id = draw.id_of(side, &name);
        match draw.below(20) {
            0..14 => MetadataRequestTopic::default().with_name(Some(name)),
            14..18 => MetadataRequestTopic::default().with_topic_id(id).with_name(None),
            18 => MetadataRequestTopic::default().with_topic_id(id).with_name(Some(name)),
            _ => MetadataRequestTopic::default().with_name(None),
        }
    };
    let request = MetadataRequest::default()
        .with_topics(if draw.chance(12) { None } else { Some(draw.some(topic)) })
        .with_allow_auto_topic_creation(draw.chance(10))
        .with_include_topic_authorized_operations(draw.chance(25))
        .with_include_cluster_authorized_operations(draw.chance(15));
    side.ask_own(draw, &request);
    if request.allow_auto_topic_creation {
        settle(side);
    }
}

pub(crate) fn describe_partitions(side: &mut Side, draw: &mut Draw) {
    let topic = |draw: &mut Draw| TopicRequest::default().with_name(draw.topic(side));
    let cursor =
        |draw: &mut Draw| Cursor::default().with_topic_name(draw.topic(side)).with_partition_index(draw.partition());
    let topics = draw.some(topic);
    let cursor = draw.chance(30).then(|| cursor(draw));
    let limit = if draw.chance(60) { 2000 } else { *draw.pick(&[1, 2, 3, 0, -1, i32::MAX]) };
    // Without a topic all are meant, also those of others.
    if topics.is_empty() {
        return;
    }
    let request = DescribeTopicPartitionsRequest::default().with_topics(topics).with_cursor(cursor);
    side.ask(draw, &request.with_response_partition_limit(limit));
}

pub(crate) fn describe_cluster(side: &mut Side, draw: &mut Draw) {
    let request = DescribeClusterRequest::default()
        .with_include_cluster_authorized_operations(draw.chance(50))
        .with_endpoint_type(if draw.chance(80) { 1 } else { *draw.pick(&[0, 2, 3, -1]) })
        .with_include_fenced_brokers(draw.chance(30));
    side.ask(draw, &request);
}

/// Asks for the topics of the sequence and for the ends of their partitions, until all is known that was done.
pub(crate) fn settle(side: &mut Side) {
    let names = ["topic0", "topic1", "topic2", "missing-topic"].map(|name| TopicName(side.named(name)));
    let topics = names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(name.clone()))).collect();
    let request = MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
    let Some(told) = side.ask_in(12, &request, Keep::All) else { return };
    let mut ends = Vec::new();
    let mut existing = BTreeMap::new();
    for topic in told.topics {
        let Some(name) = topic.name else { continue };
        if !topic.topic_id.is_nil() {
            side.topic_ids.insert(name.to_string(), topic.topic_id);
        }
        let partition = |index| {
            ListOffsetsPartition::default().with_partition_index(index).with_timestamp(-1).with_current_leader_epoch(-1)
        };
        let partitions = topic.partitions.iter().map(|it| partition(it.partition_index)).collect();
        if ErrorCode(topic.error_code).is_none() {
            existing.insert(name.to_string(), (topic.topic_id, topic.partitions.len()));
            ends.push(ListOffsetsTopic::default().with_name(name).with_partitions(partitions));
        }
    }
    side.is_news |= side.existing != existing;
    side.existing = existing;
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(ends);
    side.ask_in(7, &request, Keep::All);
}

pub(crate) fn delete_all(side: &mut Side) {
    let names: Vec<TopicName> =
        side.topic_ids.keys().map(|name| TopicName(StrBytes::from_string(name.clone()))).collect();
    if !names.is_empty() {
        let request = DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(10_000);
        side.ask_in(5, &request, Keep::All);
    }
}
