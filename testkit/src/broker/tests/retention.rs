//! What is removed, and what its readers see.

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
