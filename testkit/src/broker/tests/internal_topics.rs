//! Kafka's own topics: who leads their partitions is who coordinates, and nobody else writes to them.

use bytes::Buf;
use tidemill_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::*;
use tidemill_protocol::{ErrorCode, StrBytes};

use super::world::*;
use crate::broker::internal_topics::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::broker::nodes::{CoordinatorKind, slot};
use crate::broker::*;

const KINDS: [CoordinatorKind; 2] = [CoordinatorKind::Group, CoordinatorKind::Transaction];

fn ids() -> impl Iterator<Item = String> {
    (0..200).map(|number| format!("reader-{number}"))
}

/// Who FindCoordinator says it is.
fn found(world: &mut World, node_id: i32, kind: CoordinatorKind, id: &str) -> i32 {
    let key = StrBytes::from_string(id.to_owned());
    let body = FindCoordinatorRequest::default().with_key_type(kind as i8).with_coordinator_keys(vec![key]);
    world.ask_on(to(node_id), 4, &body).coordinators[0].node_id.0
}

fn described(world: &mut World, node_id: i32, topic: &str) -> metadata_response::MetadataResponseTopic {
    let wanted = MetadataRequestTopic::default().with_name(Some(name(topic)));
    let body = MetadataRequest::default().with_topics(Some(vec![wanted])).with_allow_auto_topic_creation(false);
    world.ask_on(to(node_id), 12, &body).topics[0].clone()
}

/// Whether what FindCoordinator says is what Metadata says, for all ids.
fn assert_agree(world: &mut World, node_id: i32) {
    for (kind, topic) in KINDS.into_iter().zip([OFFSETS_TOPIC, TRANSACTIONS_TOPIC]) {
        found(world, node_id, kind, "first");
        let described = described(world, node_id, topic);
        assert_eq!((described.error_code, described.is_internal, described.partitions.len()), (0, true, 50));
        for id in ids() {
            let partition = &described.partitions[usize::try_from(slot(&id)).unwrap()];
            assert_eq!(found(world, node_id, kind, &id), partition.leader_id.0, "{topic} {id}");
        }
    }
}

#[test]
fn the_leader_of_its_partition_coordinates_an_id_wherever_that_moves() {
    let mut world = World::with_brokers(3);
    let before: Vec<_> = ids().map(|id| world.cluster.nodes.coordinator(CoordinatorKind::Group, &id)).collect();
    assert_eq!(described(&mut world, 1, OFFSETS_TOPIC).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    assert!(described(&mut world, 1, OFFSETS_TOPIC).is_internal, "by its name");
    assert_agree(&mut world, 1);
    let after: Vec<_> = ids().map(|id| world.cluster.nodes.coordinator(CoordinatorKind::Group, &id)).collect();
    assert_eq!(before, after, "nobody moves when the topic is made");

    let of_two = ids().find(|id| found(&mut world, 1, CoordinatorKind::Group, id) == 2).unwrap();
    world.cluster.handle_broker_stopped(2, Stop::Kill);
    world.poll();
    let next = found(&mut world, 1, CoordinatorKind::Group, &of_two);
    assert_ne!(next, 2);
    assert_agree(&mut world, 1);
    world.cluster.handle_broker_started(2);
    world.poll();
    assert_eq!(found(&mut world, 1, CoordinatorKind::Group, &of_two), next, "as in Kafka, it does not go back");
    world.cluster.move_group_coordinator(&of_two, 2);
    assert_eq!(found(&mut world, 1, CoordinatorKind::Group, &of_two), 2);
    let partition = i32::try_from(slot(&of_two)).unwrap();
    world.cluster.move_leader(OFFSETS_TOPIC, partition, 3).unwrap();
    assert_eq!(found(&mut world, 1, CoordinatorKind::Group, &of_two), 3);
    world.cluster.move_transaction_coordinator("job", 2);
    assert_agree(&mut world, 1);
    world.cluster.delete_topic(OFFSETS_TOPIC);
    assert_agree(&mut world, 3);
}

#[test]
fn a_coordinator_may_be_moved_to_a_broker_without_a_replica() {
    let mut world = World::with_brokers(5);
    assert_agree(&mut world, 1);
    for node_id in 1..=5 {
        world.cluster.move_group_coordinator("readers", node_id);
        assert_eq!(found(&mut world, 1, CoordinatorKind::Group, "readers"), node_id);
        let partition = &described(&mut world, 1, OFFSETS_TOPIC).partitions[usize::try_from(slot("readers")).unwrap()];
        assert_eq!(partition.replica_nodes.len(), 3, "{partition:?}");
    }
    assert_agree(&mut world, 1);
}

#[test]
fn who_coordinates_is_the_same_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::kept_in(directory.path(), 3).unwrap();
    assert_agree(&mut world, 1);
    world.cluster.move_group_coordinator("readers", 3);
    world.poll();
    drop(world);
    let mut world = World::kept_in(directory.path(), 3).unwrap();
    assert_eq!(world.cluster.nodes.coordinator(CoordinatorKind::Group, "readers"), Some(3));
    assert_agree(&mut world, 2);
}

#[test]
fn only_the_tools_write_to_them_and_nobody_deletes_their_records() {
    let mut world = World::new();
    assert_agree(&mut world, 1);
    for topic in [OFFSETS_TOPIC, TRANSACTIONS_TOPIC] {
        let mut body = produce(batch(&["a"]));
        body.topic_data[0].name = name(topic);
        let code = world.ask(9, &body).responses[0].partition_responses[0].error_code;
        assert_eq!(ErrorCode(code), ErrorCode::INVALID_TOPIC_EXCEPTION);
        let id = world.cluster.topics.by_name(topic).unwrap().id;
        let mut by_id = produce(batch(&["a"]));
        by_id.topic_data[0].topic_id = id;
        let code = world.ask(13, &by_id).responses[0].partition_responses[0].error_code;
        assert_eq!(ErrorCode(code), ErrorCode::INVALID_TOPIC_EXCEPTION);
        let partition = DeleteRecordsPartition::default().with_offset(-1);
        let wanted = DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        let deleted = world.ask(2, &DeleteRecordsRequest::default().with_topics(vec![wanted]));
        assert_eq!(ErrorCode(deleted.topics[0].partitions[0].error_code), ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let mut body = produce(batch(&["a"]));
    body.topic_data[0].name = name(OFFSETS_TOPIC);
    let admin = StrBytes::from_static_str("__admin_client");
    let mut frame = header::encode_request(&body, 9, 5, Some(&admin)).unwrap();
    frame.advance(4);
    world.raw(ALICE, frame);
    let (_, response) = world.answer::<ProduceRequest>(ALICE, 9);
    // As every compacted topic, it refuses records without a key.
    assert_eq!(ErrorCode(response.responses[0].partition_responses[0].error_code), ErrorCode::INVALID_RECORD);
}
