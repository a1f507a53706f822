//! Reading: long polls, limits, and where nothing can be read.

use tidemill_protocol::compression::Codec;

use super::world::*;
use crate::broker::*;

const MINUTE: i32 = 60_000;

#[test]
fn a_long_poll_waits_and_an_append_wakes_it() {
    let mut world = World::with_topic(&[]);
    world.send(BOB, FETCH, &fetch(0, MINUTE, 1));
    assert_eq!(world.told(BOB), Told::Nothing);
    assert!(world.wake_at.is_some_and(|at| at <= world.now + Duration::from_secs(60)));
    world.advance(Duration::from_secs(10));
    assert_eq!(world.told(BOB), Told::Nothing);

    world.produce(batch(&["a", "b"]));
    let (_, response) = world.answer::<tidemill_protocol::messages::FetchRequest>(BOB, FETCH);
    assert_eq!(first(&response).high_watermark, 2);
    assert_eq!(values(first(&response).records.clone()), [(0, "a".to_owned()), (1, "b".to_owned())]);
}

#[test]
fn a_long_poll_ends_empty_when_its_time_is_up() {
    let mut world = World::with_topic(&[]);
    world.send(BOB, FETCH, &fetch(0, 500, 1));
    world.advance(Duration::from_millis(499));
    assert_eq!(world.told(BOB), Told::Nothing);
    assert_eq!(world.wake_at, Some(world.now + Duration::from_millis(1)));
    world.advance(Duration::from_millis(1));
    let (_, response) = world.answer::<tidemill_protocol::messages::FetchRequest>(BOB, FETCH);
    assert!(values(first(&response).records.clone()).is_empty());
}

#[test]
fn a_long_poll_waits_until_there_are_enough_bytes() {
    let mut world = World::with_topic(&[]);
    let one = batch(&["0123456789"]);
    let two = i32::try_from(one.len() * 2).unwrap();
    world.send(BOB, FETCH, &fetch(0, MINUTE, two));
    world.produce(one.clone());
    assert_eq!(world.told(BOB), Told::Nothing);
    world.produce(one);
    let (_, response) = world.answer::<tidemill_protocol::messages::FetchRequest>(BOB, FETCH);
    assert_eq!(values(first(&response).records.clone()).len(), 2);
}

#[test]
fn a_topic_that_goes_away_ends_the_wait() {
    let mut world = World::with_topic(&[]);
    world.send(BOB, FETCH, &fetch(0, MINUTE, 1));
    world.cluster.delete_topic("clicks");
    world.advance(Duration::ZERO);
    let (_, response) = world.answer::<tidemill_protocol::messages::FetchRequest>(BOB, FETCH);
    assert_eq!(first(&response).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
}

#[test]
fn who_is_gone_is_not_answered_and_not_remembered() {
    let mut world = World::with_topic(&[]);
    world.send(BOB, FETCH, &fetch(0, MINUTE, 1));
    world.cluster.handle_disconnected(BOB, world.now);
    world.produce(batch(&["a"]));
    assert_eq!(world.told(BOB), Told::Nothing);
    assert!(world.cluster.waiting.is_empty());
    assert_eq!(world.cluster.fetches.next_deadline(), None);
}

#[test]
fn answers_leave_in_the_order_of_their_requests() {
    let mut world = World::with_topic(&[]);
    let slow = world.send(BOB, FETCH, &fetch(0, MINUTE, 1));
    let quick = world.send(BOB, FETCH, &fetch(0, 0, 1));
    let later = world.send(BOB, FETCH, &fetch(1, 0, 1));
    assert_eq!(world.told(BOB), Told::Nothing, "the first waits, and the others behind it");
    world.produce(batch(&["a"]));
    let ids: Vec<i32> =
        (0..3).map(|_| world.answer::<tidemill_protocol::messages::FetchRequest>(BOB, FETCH).0).collect();
    assert_eq!(ids, [slow, quick, later]);
}

#[test]
fn limits_are_kept_but_the_first_batch_is_always_sent() {
    let mut world = World::with_topic(&[]);
    let one = batch(&["0123456789"]);
    for _ in 0..3 {
        world.produce(one.clone());
    }
    let mut read = |partition_bytes_max: usize, bytes_max: usize| {
        let mut body = fetch(0, 0, 1).with_max_bytes(i32::try_from(bytes_max).unwrap());
        body.topics[0].partitions[0].partition_max_bytes = i32::try_from(partition_bytes_max).unwrap();
        values(first(&world.ask(FETCH, &body)).records.clone()).len()
    };
    assert_eq!(read(1 << 20, 1 << 20), 3);
    assert_eq!(read(one.len() * 2, 1 << 20), 2);
    assert_eq!(read(1 << 20, one.len() * 3 - 1), 2);
    assert_eq!(read(1, 1), 1);
}

#[test]
fn a_fetch_starts_with_the_batch_that_holds_its_offset() {
    let mut world = World::with_topic(&[]);
    world.produce(batch(&["a", "b", "c"]));
    world.produce(batch(&["d"]));
    let read = values(world.fetch(1).records);
    assert_eq!(read.first(), Some(&(0, "a".to_owned())), "a batch is sent whole");
    assert_eq!(values(world.fetch(3).records), [(3, "d".to_owned())]);
    assert_eq!(values(world.fetch(4).records), []);
}

#[test]
fn what_lies_outside_the_log_is_out_of_range() {
    let mut world = World::with_topic(&[]);
    world.produce(batch(&["a"]));
    for offset in [-1, 2, i64::MAX] {
        let data = world.fetch(offset);
        assert_eq!(data.error_code, ErrorCode::OFFSET_OUT_OF_RANGE.0, "{offset}");
        assert_eq!(data.high_watermark, -1);
    }
}

#[test]
fn a_reader_of_another_leader_epoch_is_told() {
    let mut world = World::with_topic(&[]);
    let mut body = fetch(0, MINUTE, 1);
    body.topics[0].partitions[0].current_leader_epoch = 1;
    let response = world.ask(FETCH, &body);
    assert_eq!(first(&response).error_code, ErrorCode::UNKNOWN_LEADER_EPOCH.0);
}

#[test]
fn offsets_are_found_by_time() {
    let mut world = World::with_topic(&[]);
    let found = |world: &mut World, timestamp| {
        let found = world.list_offset(timestamp);
        (found.timestamp, found.offset)
    };
    assert_eq!(found(&mut world, 5), (-1, -1), "nothing is there");
    assert_eq!(found(&mut world, -3), (-1, -1));
    world.produce(stamped(&[(10, "0"), (20, "1")], None));
    // Out of order in time, and compressed.
    world.produce(sealed(&[(15, &"2".repeat(100)), (40, &"3".repeat(100)), (30, "4")], Codec::Lz4, None));
    world.produce(stamped(&[(25, "5")], None));
    assert_eq!(found(&mut world, 0), (10, 0));
    assert_eq!(found(&mut world, 11), (20, 1));
    assert_eq!(found(&mut world, 21), (40, 3));
    assert_eq!(found(&mut world, 41), (-1, -1));
    assert_eq!(found(&mut world, -3), (40, 3), "the newest");
    assert_eq!(found(&mut world, -1), (-1, 6), "the end");
    assert_eq!(found(&mut world, -2), (-1, 0), "the beginning");
}
