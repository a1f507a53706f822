//! What is removed, and what its readers see.

use tidemill_protocol::messages::{DeleteRecordsRequest, ProduceRequest, delete_records_request};

use super::world::*;
use crate::broker::*;

/// A batch of 100 KiB and something.
fn large(timestamp: i64) -> Bytes {
    stamped(&[(timestamp, &"x".repeat(100 * 1024))], None)
}

#[test]
fn a_log_stays_as_small_as_its_topic_says() {
    let mut world = World::with_topic(&[("retention.bytes", "2097152"), ("segment.bytes", "1048576")]);
    for _ in 0..200 {
        world.produce(large(UNIX_MS));
    }
    let log = &world.cluster.topics.by_name("clicks").unwrap().partitions[0].log;
    assert!((2_097_152..=2 * 2_097_152).contains(&log.bytes()), "{}", log.bytes());
    let start = log.start_offset();
    assert!(start > 150, "{start}");
    assert_eq!(world.list_offset(-2).offset, start);
    assert_eq!(world.fetch(start - 1).error_code, ErrorCode::OFFSET_OUT_OF_RANGE.0);
    let data = world.fetch(start);
    assert_eq!((data.log_start_offset, data.high_watermark), (start, 200));
    assert_eq!(values(data.records)[0].0, start);
    assert_eq!(world.list_offset(UNIX_MS).offset, start, "what is removed is not found by time");
    let written = world.produce(large(UNIX_MS));
    assert_eq!(written.log_start_offset, world.list_offset(-2).offset, "the producer is told");
}

#[test]
fn what_is_too_old_goes_when_it_is_looked_for() {
    let mut world = World::with_topic(&[("retention.ms", "60000")]);
    world.produce(batch(&["old"]));
    world.advance(Duration::from_secs(290));
    world.produce(stamped(&[(UNIX_MS + 290_000, "young")], None));
    let check = world.wake_at.unwrap();
    assert_eq!(check, world.now + Duration::from_secs(10));
    world.advance(Duration::from_secs(10));
    assert_eq!(world.list_offset(-2).offset, 0, "both lie in one segment, and one is young");
    world.advance(Duration::from_secs(300));
    assert_eq!((world.list_offset(-2).offset, world.list_offset(-1).offset), (2, 2));
    assert_eq!(world.fetch(0).error_code, ErrorCode::OFFSET_OUT_OF_RANGE.0);
    assert_eq!(world.produce(batch(&["next"])).base_offset, 2);
    assert_eq!(values(world.fetch(2).records), [(2, "next".to_owned())]);
}

/// Offsets where the log of the partition begins, ends, and is with all replicas in sync.
fn offsets(world: &World) -> (i64, i64, i64) {
    let partition = &world.cluster.topics.by_name("clicks").unwrap().partitions[0];
    (partition.log.start_offset(), partition.log.end_offset(), partition.high_watermark())
}

#[test]
fn what_is_too_old_stays_until_all_replicas_have_it() {
    let mut world = World::with_brokers(2);
    world.cluster.create_topic_at("clicks", vec![vec![1, 2]], [("retention.ms", "60000")]).unwrap();
    world.ask_on::<ProduceRequest>(to(1), 9, &produce(batch(&["all have it"])).with_acks(1));
    world.cluster.set_follows(2, false);
    world.ask_on::<ProduceRequest>(to(1), 9, &produce(batch(&["one has it"])).with_acks(1));
    world.advance(Duration::from_secs(600));
    assert_eq!(offsets(&world), (0, 2, 1), "it lies in one segment with what the other broker has yet to copy");
    world.cluster.set_follows(2, true);
    world.poll();
    assert_eq!(offsets(&world), (0, 2, 2));
    world.advance(Duration::from_secs(300));
    assert_eq!(offsets(&world), (2, 2, 2));
}

#[test]
fn what_is_too_much_stays_until_all_replicas_have_it() {
    let mut world = World::with_brokers(2);
    let settings = [("retention.bytes", "0"), ("segment.bytes", "1048576")];
    world.cluster.create_topic_at("clicks", vec![vec![1, 2]], settings).unwrap();
    world.cluster.set_follows(2, false);
    let half = || stamped(&[(UNIX_MS, &"x".repeat(600 * 1024))], None);
    for _ in 0..3 {
        world.ask_on::<ProduceRequest>(to(1), 9, &produce(half()).with_acks(1));
    }
    assert_eq!(offsets(&world), (0, 3, 0), "three segments, of which the other broker has none");
    world.cluster.set_follows(2, true);
    world.poll();
    assert_eq!(offsets(&world), (0, 3, 3));
    world.advance(Duration::from_secs(300));
    assert_eq!(offsets(&world), (2, 3, 3), "the active one stays");
}

#[test]
fn deleted_records_are_held_until_their_segment_goes() {
    let mut world = World::with_topic(&[("segment.bytes", "1048576")]);
    world.produce(stamped(&[(UNIX_MS, "old")], None));
    world.produce(stamped(&[(UNIX_MS - 1000, "older")], None));
    let partition = |world: &World| world.cluster.topics.by_name("clicks").unwrap().partitions[0].log.bytes_held(2);
    let held = partition(&world);
    delete(&mut world, 2);
    assert_eq!((partition(&world), world.list_offset(-2).offset), (held, 2));
    assert_eq!(world.list_offset(-3).offset, 0, "the newest record of all is the first, as in Kafka");
    assert_eq!(world.list_offset(UNIX_MS).offset, -1, "by its time nobody finds it");
    world.produce(stamped(&[(UNIX_MS, &"x".repeat(1024 * 1024 - 100))], None));
    delete(&mut world, 3);
    assert_eq!(world.cluster.topics.by_name("clicks").unwrap().partitions[0].log.held_from(), 2);
}

fn delete(world: &mut World, offset: i64) {
    let partition = delete_records_request::DeleteRecordsPartition::default().with_offset(offset);
    let topic = delete_records_request::DeleteRecordsTopic::default()
        .with_name(name("clicks"))
        .with_partitions(vec![partition]);
    let told = world.ask(2, &DeleteRecordsRequest::default().with_topics(vec![topic]));
    assert_eq!(told.topics[0].partitions[0].error_code, 0);
}

#[test]
fn a_reader_waits_across_the_end_of_a_segment() {
    let mut world = World::with_topic(&[]);
    let mut next = 0;
    for _ in 0..100 {
        world.produce(large(UNIX_MS));
    }
    while next < 100 {
        let read = values(world.fetch(next).records);
        assert_eq!(read[0].0, next);
        next = read.last().unwrap().0 + 1;
    }
    let log = &world.cluster.topics.by_name("clicks").unwrap().partitions[0].log;
    assert!(log.bytes() > 2 * 4 * 1024 * 1024, "more than one segment");
    assert_eq!(log.bytes_between(0, i64::MAX), log.bytes());
}
