//! Producers and transactional ids that are silent for long are forgotten, and what they are answered then.

use tidemill_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use tidemill_protocol::messages::describe_producers_request::TopicRequest;
use tidemill_protocol::messages::*;
use tidemill_protocol::records::ProducerStamp;
use tidemill_protocol::{ErrorCode, StrBytes};

use super::transactions::{Producer, end, init, state, write};
use super::world::*;
use crate::broker::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn is_known(world: &World) -> bool {
    world.cluster.transactions.get("job").is_some()
}

/// A producer that goes on after an error (KIP-360).
fn go_on(world: &mut World, producer: Producer) -> (ErrorCode, Producer) {
    let body = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(StrBytes::from_static_str("job"))))
        .with_transaction_timeout_ms(15_000)
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1);
    let response = world.ask(5, &body);
    (ErrorCode(response.error_code), (response.producer_id.0, response.producer_epoch))
}

/// The producers that a partition remembers.
fn remembered(world: &mut World) -> Vec<i64> {
    let topic = TopicRequest::default().with_name(name("clicks")).with_partition_indexes(vec![0]);
    let response = world.ask(0, &DescribeProducersRequest::default().with_topics(vec![topic]));
    response.topics[0].partitions[0].active_producers.iter().map(|it| it.producer_id.0).collect()
}

#[test]
fn a_transactional_id_that_does_nothing_for_a_week_is_forgotten() {
    let mut world = World::with_topic(&[]);
    world.advance(MINUTE);
    let first = init(&mut world, 1).unwrap();
    world.advance(7 * DAY - MINUTE);
    world.advance(HOUR - MINUTE);
    assert!(is_known(&world), "it is looked for every hour");
    assert_eq!(write(&mut world, first, 0, "a"), ErrorCode::NONE);
    let second = end(&mut world, 1, first, true).unwrap();
    world.advance(7 * DAY - MINUTE);
    assert!(is_known(&world), "what it does counts");
    world.advance(HOUR);
    assert!(!is_known(&world));

    assert_eq!(end(&mut world, 1, second, true), Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING));
    let topic = AddPartitionsToTxnTopic::default().with_name(name("clicks")).with_partitions(vec![0]);
    let body = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(TransactionalId(StrBytes::from_static_str("job")))
        .with_v3_and_below_producer_id(ProducerId(second.0))
        .with_v3_and_below_producer_epoch(second.1)
        .with_v3_and_below_topics(vec![topic]);
    let added = world.ask(3, &body);
    let code = added.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code;
    assert_eq!(ErrorCode(code), ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    let (code, new) = go_on(&mut world, second);
    assert_eq!((code, new.1), (ErrorCode::NONE, 0));
    assert!(new.0 > second.0, "a new producer id, also for one that goes on");
    assert_eq!(write(&mut world, new, 0, "b"), ErrorCode::NONE);
    end(&mut world, 1, new, true).unwrap();
}

#[test]
fn a_transactional_id_whose_end_is_on_its_way_is_not_forgotten() {
    let mut world = World::with_topic(&[]);
    let producer = init(&mut world, 1).unwrap();
    assert_eq!(write(&mut world, producer, 0, "a"), ErrorCode::NONE);
    world.cluster.hold_markers(MarkersOf::All);
    end(&mut world, 1, producer, true).unwrap();
    world.advance(30 * DAY);
    assert_eq!(state(&world), "PrepareCommit");
    world.cluster.release_markers(&MarkersOf::All);
    world.advance(HOUR);
    assert_eq!(state(&world), "CompleteCommit", "the week begins when it is complete");
    world.advance(8 * DAY);
    assert!(!is_known(&world));
}

#[test]
fn what_is_forgotten_is_forgotten_in_the_directory_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::kept_in(directory.path(), 1).unwrap();
    let first = init(&mut world, 1).unwrap();
    drop(world);
    let mut world = World::kept_in(directory.path(), 1).unwrap();
    assert!(is_known(&world));
    world.advance(8 * DAY);
    drop(world);
    let mut world = World::kept_in(directory.path(), 1).unwrap();
    assert!(!is_known(&world));
    assert!(init(&mut world, 1).unwrap().0 > first.0);
}

#[test]
fn a_producer_that_is_silent_for_a_day_is_forgotten() {
    let mut world = World::with_topic(&[]);
    assert_eq!(world.produce(sequenced(0, 0, &["a"])).base_offset, 0);
    world.advance(DAY - MINUTE);
    assert_eq!(world.produce(sequenced(0, 0, &["a"])).base_offset, 0, "it is known to have come before");
    assert_eq!(ErrorCode(world.produce(sequenced(0, 7, &["b"])).error_code), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(remembered(&mut world), [4711]);
    world.advance(11 * MINUTE);
    assert!(remembered(&mut world).is_empty());
    let response = world.produce(sequenced(0, 7, &["b"]));
    assert_eq!((response.error_code, response.base_offset), (0, 1), "one that is not known begins anywhere");
    assert_eq!(ErrorCode(world.produce(sequenced(0, 7, &["b"])).error_code), ErrorCode::NONE);
}

#[test]
fn the_timestamps_of_the_records_decide_how_long_a_producer_was_silent() {
    let mut world = World::with_topic(&[]);
    let two_days = 2 * millis(DAY);
    let producer = |producer_id| Some(ProducerStamp { producer_id, producer_epoch: 0, base_sequence: 0 });
    world.produce(stamped(&[(UNIX_MS - two_days, "old")], producer(1)));
    world.produce(stamped(&[(UNIX_MS, "new")], producer(2)));
    assert_eq!(remembered(&mut world), [1, 2]);
    world.advance(10 * MINUTE);
    assert_eq!(remembered(&mut world), [2]);
}

#[test]
fn a_producer_with_an_open_transaction_is_not_forgotten() {
    let mut world = World::with_topic(&[]);
    let producer = init(&mut world, 1).unwrap();
    assert_eq!(write(&mut world, producer, 0, "a"), ErrorCode::NONE);
    world.cluster.hold_markers(MarkersOf::All);
    world.advance(3 * DAY);
    assert_eq!(remembered(&mut world), [producer.0]);
    world.cluster.release_markers(&MarkersOf::All);
    world.advance(HOUR);
    assert_eq!(remembered(&mut world), [producer.0], "its marker is new");
    world.advance(DAY);
    assert!(remembered(&mut world).is_empty());
}
