//! Transactions through whole requests: markers held back, time that is up, coordinators that move, replicas that lag.

use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp, RecordBatches, control};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::world::*;
use crate::broker::*;

pub(super) type Producer = (i64, i16);

fn id(id: &str) -> TransactionalId {
    TransactionalId(StrBytes::from_string(id.to_owned()))
}

pub(super) fn init(world: &mut World, node_id: i32) -> Result<Producer, ErrorCode> {
    let body =
        InitProducerIdRequest::default().with_transactional_id(Some(id("job"))).with_transaction_timeout_ms(15_000);
    let response = world.ask_on(to(node_id), 5, &body);
    ErrorCode(response.error_code).into_result().map(|()| (response.producer_id.0, response.producer_epoch))
}

pub(super) fn write_on(
    world: &mut World,
    node_id: i32,
    version: i16,
    producer: Producer,
    sequence: i32,
    value: &str,
) -> ErrorCode {
    let mut builder = BatchBuilder::new(100);
    builder.append(&NewRecord { timestamp: UNIX_MS, key: None, value: Some(value.as_bytes()), headers: &[] });
    let stamp = ProducerStamp { producer_id: producer.0, producer_epoch: producer.1, base_sequence: sequence };
    let flags = BatchFlags { transactional: true, ..BatchFlags::default() };
    let body = produce(builder.seal(Codec::None).stamp(Some(stamp), flags))
        .with_transactional_id(Some(id("job")))
        .with_acks(1);
    ErrorCode(world.ask_on(to(node_id), version, &body).responses[0].partition_responses[0].error_code)
}

pub(super) fn write(world: &mut World, producer: Producer, sequence: i32, value: &str) -> ErrorCode {
    write_on(world, 1, 12, producer, sequence, value)
}

pub(super) fn end(world: &mut World, node_id: i32, producer: Producer, committed: bool) -> Result<Producer, ErrorCode> {
    let body = EndTxnRequest::default()
        .with_transactional_id(id("job"))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_committed(committed);
    let response = world.ask_on(to(node_id), 5, &body);
    ErrorCode(response.error_code).into_result().map(|()| (response.producer_id.0, response.producer_epoch))
}

pub(super) fn state(world: &World) -> &'static str {
    world.cluster.transactions.get("job").unwrap().state.name()
}

/// What a reader of committed records gets from here: values, and markers by their coordinator epochs.
fn committed(world: &mut World, node_id: i32, offset: i64) -> Vec<String> {
    let response = world.ask_on(to(node_id), FETCH, &fetch(offset, 0, 1).with_isolation_level(1));
    let data = first(&response).clone();
    let aborted = data.aborted_transactions.unwrap().len();
    let mut read = Vec::new();
    for batch in RecordBatches::new(data.records.unwrap()).map(Result::unwrap) {
        let is_control = batch.header().is_control();
        for record in batch.open(1000).unwrap().iter().map(Result::unwrap) {
            let value = record.value.unwrap();
            read.push(if is_control {
                let kind = if control::read(&batch).unwrap().is_commit() { "commit" } else { "abort" };
                format!("{kind} {}", value[5])
            } else {
                String::from_utf8(value.to_vec()).unwrap()
            });
        }
    }
    if aborted > 0 {
        read.push(format!("{aborted} aborted"));
    }
    read
}

fn coordinator(world: &World) -> i32 {
    world.cluster.nodes.coordinator(nodes::CoordinatorKind::Transaction, "job").unwrap()
}

#[test]
fn while_markers_are_held_the_transaction_is_not_over() {
    for held in [MarkersOf::TransactionalId("job".to_owned()), MarkersOf::Partition("clicks".to_owned(), 0)] {
        let mut world = World::with_topic(&[]);
        let producer = init(&mut world, 1).unwrap();
        world.cluster.hold_markers(held.clone());
        assert_eq!(write(&mut world, producer, 0, "a"), ErrorCode::NONE);
        let next = end(&mut world, 1, producer, true).unwrap();
        assert_eq!(next, (producer.0, producer.1 + 1));
        assert_eq!(state(&world), "PrepareCommit");
        assert_eq!(end(&mut world, 1, producer, true), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
        assert_eq!(init(&mut world, 1), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
        assert_eq!(write(&mut world, next, 0, "b"), ErrorCode::NOT_ENOUGH_REPLICAS, "which is tried again");
        assert_eq!(committed(&mut world, 1, 0), Vec::<String>::new());
        world.advance(Duration::from_secs(60));
        assert_eq!(state(&world), "PrepareCommit");
        world.cluster.release_markers(&held);
        world.poll();
        assert_eq!(state(&world), "CompleteCommit");
        assert_eq!(committed(&mut world, 1, 0), ["a", "commit 0"]);
        assert_eq!(write(&mut world, next, 0, "b"), ErrorCode::NONE);
    }
}

#[test]
fn a_transaction_that_is_open_for_too_long_is_aborted() {
    let mut world = World::with_topic(&[]);
    let producer = init(&mut world, 1).unwrap();
    world.advance(Duration::from_secs(3));
    write(&mut world, producer, 0, "a");
    // It may be open for 15 s, so it is too late at 18 s, which is seen at 20 s.
    world.advance(Duration::from_millis(16_999));
    assert_eq!(state(&world), "Ongoing");
    assert_eq!(world.wake_at, Some(world.now + Duration::from_millis(1)));
    world.advance(Duration::from_millis(1));
    assert_eq!(state(&world), "CompleteAbort");
    assert_eq!(committed(&mut world, 1, 0), ["a", "abort 0", "1 aborted"]);
    assert_eq!(write(&mut world, producer, 1, "b"), ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(end(&mut world, 1, producer, true), Err(ErrorCode::INVALID_TXN_STATE));
    let next = end(&mut world, 1, producer, false).unwrap();
    assert_eq!(write(&mut world, next, 0, "c"), ErrorCode::NONE);
}

#[test]
fn a_reader_of_committed_records_waits_for_the_end_of_the_transaction() {
    let mut world = World::with_topic(&[]);
    let producer = init(&mut world, 1).unwrap();
    let wait = fetch(0, 1000, 1).with_isolation_level(1);
    world.send(BOB, FETCH, &wait);
    write(&mut world, producer, 0, "a");
    assert_eq!(world.told(BOB), Told::Nothing);
    end(&mut world, 1, producer, true).unwrap();
    let (_, response) = world.answer::<FetchRequest>(BOB, FETCH);
    assert_eq!(first(&response).last_stable_offset, 2);
    assert!(!first(&response).records.as_ref().unwrap().is_empty());
}

#[test]
fn another_coordinator_goes_on_where_the_first_was() {
    let mut world = World::with_brokers(3);
    world.cluster.create_topic_at("clicks", vec![vec![1, 2, 3]], []).unwrap();
    let before = coordinator(&world);
    let other = if before == 2 { 3 } else { 2 };
    assert_eq!(init(&mut world, other), Err(ErrorCode::NOT_COORDINATOR));
    let producer = init(&mut world, before).unwrap();
    write(&mut world, producer, 0, "a");
    world.cluster.hold_markers(MarkersOf::TransactionalId("job".to_owned()));
    let next = end(&mut world, before, producer, true).unwrap();
    world.cluster.move_transaction_coordinator("job", other);
    assert_eq!(end(&mut world, before, producer, true), Err(ErrorCode::NOT_COORDINATOR));
    assert_eq!(end(&mut world, other, producer, true), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    world.cluster.release_markers(&MarkersOf::TransactionalId("job".to_owned()));
    world.poll();
    assert_eq!(committed(&mut world, 1, 0), ["a", "commit 1"], "by the second coordinator");
    assert_eq!(end(&mut world, other, producer, true), Ok(next));
    world.cluster.handle_broker_stopped(other, Stop::Kill);
    let third = coordinator(&world);
    assert_ne!(third, other);
    world.poll();
    assert!(init(&mut world, third).is_ok());
}

#[test]
fn a_marker_counts_when_all_replicas_have_it() {
    let mut world = World::with_brokers(3);
    world.cluster.create_topic_at("clicks", vec![vec![1, 2]], []).unwrap();
    let coordinator = coordinator(&world);
    let producer = init(&mut world, coordinator).unwrap();
    write(&mut world, producer, 0, "a");
    world.cluster.set_follows(2, false);
    end(&mut world, coordinator, producer, true).unwrap();
    assert_eq!(state(&world), "PrepareCommit");
    assert_eq!(committed(&mut world, 1, 0), Vec::<String>::new());
    // The marker is lost with its leader, and is written again.
    world.cluster.move_leader("clicks", 0, 2).unwrap();
    world.poll();
    let partition = world.cluster.topics.by_name("clicks").unwrap().partition(0).unwrap();
    assert_eq!((partition.log.end_offset(), partition.leader), (2, Some(2)));
    world.cluster.set_follows(2, true);
    world.poll();
    assert_eq!(state(&world), "CompleteCommit");
    assert_eq!(committed(&mut world, 2, 0), ["a", "commit 0"]);
}

#[test]
fn without_a_leader_a_transaction_waits_for_its_end() {
    let mut world = World::with_brokers(3);
    let coordinator = coordinator(&world);
    let leader = if coordinator == 1 { 2 } else { 1 };
    world.cluster.create_topic_at("clicks", vec![vec![leader]], []).unwrap();
    let producer = init(&mut world, coordinator).unwrap();
    write_on(&mut world, leader, 12, producer, 0, "a");
    world.cluster.handle_broker_stopped(leader, Stop::Kill);
    end(&mut world, coordinator, producer, true).unwrap();
    assert_eq!(state(&world), "PrepareCommit");
    world.cluster.handle_broker_started(leader);
    world.poll();
    assert_eq!(state(&world), "CompleteCommit");
}

#[test]
fn a_topic_that_is_deleted_does_not_hold_a_transaction() {
    let mut world = World::with_topic(&[]);
    let producer = init(&mut world, 1).unwrap();
    write(&mut world, producer, 0, "a");
    world.cluster.delete_topic("clicks");
    end(&mut world, 1, producer, true).unwrap();
    assert_eq!(state(&world), "CompleteCommit");
}

/// At level 1 a client may still send what is of the second generation; what the coordinator does itself is of the first.
#[test]
fn the_level_of_the_cluster_decides_how_a_fenced_producer_is_told() {
    for (level, goes_on) in [(1, Err(ErrorCode::PRODUCER_FENCED)), (2, Ok(()))] {
        let mut world = World::with_topic(&[]);
        world.cluster.config.transaction_version = level;
        let producer = init(&mut world, 1).unwrap();
        write(&mut world, producer, 0, "a");
        assert_eq!(init(&mut world, 1), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
        assert_eq!(state(&world), "CompleteAbort");
        let body = InitProducerIdRequest::default()
            .with_transactional_id(Some(id("job")))
            .with_transaction_timeout_ms(1000)
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1);
        let code = ErrorCode(world.ask(5, &body).error_code);
        assert_eq!(code.into_result(), goes_on);
        assert_eq!(write(&mut world, producer, 1, "b"), ErrorCode::INVALID_PRODUCER_EPOCH);
    }
}
