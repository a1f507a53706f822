//! Writing: offsets, idempotence, and what is refused.

use bytes::BytesMut;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::InitProducerIdRequest;
use tidemill_protocol::messages::produce_response::PartitionProduceResponse;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, RecordBatches, TimestampType};

use super::world::*;
use crate::broker::*;

fn outcome(response: &PartitionProduceResponse) -> (ErrorCode, i64) {
    (ErrorCode(response.error_code), response.base_offset)
}

#[test]
fn offsets_count_records() {
    let mut world = World::with_topic(&[]);
    assert_eq!(outcome(&world.produce(batch(&["a", "b"]))), (ErrorCode::NONE, 0));
    assert_eq!(outcome(&world.produce(batch(&["c"]))), (ErrorCode::NONE, 2));
    let read: Vec<String> = values(world.fetch(0).records).into_iter().map(|(_, value)| value).collect();
    assert_eq!(read, ["a", "b", "c"]);
}

#[test]
fn a_batch_that_comes_again_is_written_once() {
    let mut world = World::with_topic(&[]);
    for number in 0..5 {
        let written = world.produce(sequenced(0, number * 2, &["x", "y"]));
        assert_eq!(outcome(&written), (ErrorCode::NONE, i64::from(number) * 2));
    }
    for number in 0..5 {
        let again = world.produce(sequenced(0, number * 2, &["x", "y"]));
        assert_eq!(outcome(&again), (ErrorCode::NONE, i64::from(number) * 2), "its first offset");
    }
    assert_eq!(world.fetch(0).high_watermark, 10);
    // A sixth batch pushes the first out of the five that are remembered.
    world.produce(sequenced(0, 10, &["x", "y"]));
    let forgotten = world.produce(sequenced(0, 0, &["x", "y"]));
    assert_eq!(outcome(&forgotten), (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
    assert_eq!(world.fetch(0).high_watermark, 12);
}

#[test]
fn a_gap_in_the_sequence_is_refused_and_can_be_filled() {
    let mut world = World::with_topic(&[]);
    world.produce(sequenced(0, 0, &["a"]));
    let early = world.produce(sequenced(0, 2, &["c"]));
    assert_eq!(outcome(&early), (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
    assert_eq!(outcome(&world.produce(sequenced(0, 1, &["b"]))), (ErrorCode::NONE, 1));
    assert_eq!(outcome(&world.produce(sequenced(0, 2, &["c"]))), (ErrorCode::NONE, 2));
}

#[test]
fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
    let mut world = World::with_topic(&[]);
    assert_eq!(outcome(&world.produce(sequenced(3, 7, &["a"]))).0, ErrorCode::NONE, "any start, as in Kafka 4");
    assert_eq!(outcome(&world.produce(sequenced(4, 8, &["b"]))).0, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(outcome(&world.produce(sequenced(4, 0, &["b"]))).0, ErrorCode::NONE);
    assert_eq!(outcome(&world.produce(sequenced(3, 8, &["c"]))).0, ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(world.fetch(0).high_watermark, 2);
}

#[test]
fn sequences_wrap() {
    let mut world = World::with_topic(&[]);
    world.produce(sequenced(0, i32::MAX - 1, &["a", "b", "c"]));
    assert_eq!(outcome(&world.produce(sequenced(0, 1, &["d"]))), (ErrorCode::NONE, 3));
}

#[test]
fn producer_ids_are_new_each_time() {
    let mut world = World::new();
    let body = InitProducerIdRequest::default().with_transactional_id(None);
    let (one, two) = (world.ask(4, &body), world.ask(4, &body));
    assert_ne!(one.producer_id, two.producer_id);
    assert_eq!(one.producer_epoch, 0);
}

#[test]
fn without_acknowledgement_nothing_is_said_and_failure_closes() {
    let mut world = World::with_topic(&[]);
    world.send(BOB, 9, &produce(batch(&["a"])).with_acks(0));
    assert_eq!(world.told(BOB), Told::Silent);
    assert_eq!(world.fetch(0).high_watermark, 1);
    let mut wrong = produce(batch(&["a"])).with_acks(0);
    wrong.topic_data[0].partition_data[0].index = 9;
    world.send(BOB, 9, &wrong);
    assert_eq!(world.told(BOB), Told::Closed);
    world.send(BOB, 9, &produce(batch(&["a"])));
    assert_eq!(world.told(BOB), Told::Nothing, "it is closed");
}

#[test]
fn what_is_not_a_sound_batch_is_refused_by_its_fault() {
    let mut world = World::with_topic(&[("max.message.bytes", "200")]);
    let sound = batch(&["a", "b"]);
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = BytesMut::from(&sound[..]);
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed.freeze()
    };
    // The checksum covers what lies behind it; these faults are to be found for themselves.
    let sealed_with = |at: usize, bytes: &[u8]| {
        let mut changed = BytesMut::from(&with(at, bytes)[..]);
        let crc = crc32c(&changed[21..]);
        changed[17..21].copy_from_slice(&crc.to_be_bytes());
        changed.freeze()
    };
    let twice = Bytes::from([&sound[..], &sound[..]].concat());
    let last = sound.len() - 1;
    let cases = [
        ("checksum", with(last, &[9]), ErrorCode::CORRUPT_MESSAGE),
        ("magic 1", with(16, &[1]), ErrorCode::INVALID_RECORD),
        ("no batch", Bytes::new(), ErrorCode::INVALID_RECORD),
        ("cut", sound.slice(..last), ErrorCode::INVALID_RECORD),
        ("two batches", twice, ErrorCode::INVALID_RECORD),
        ("count", sealed_with(57, &3_i32.to_be_bytes()), ErrorCode::INVALID_RECORD),
        ("last offset", sealed_with(23, &5_i32.to_be_bytes()), ErrorCode::INVALID_RECORD),
        ("base offset", with(0, &4_i64.to_be_bytes()), ErrorCode::INVALID_RECORD),
        ("a record's length", sealed_with(61, &[60]), ErrorCode::INVALID_RECORD),
        ("transactional", sealed_with(21, &16_i16.to_be_bytes()), ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        ("control", sealed_with(21, &32_i16.to_be_bytes()), ErrorCode::INVALID_RECORD),
        ("no such codec", sealed_with(21, &5_i16.to_be_bytes()), ErrorCode::UNKNOWN_SERVER_ERROR),
        ("not lz4", sealed_with(21, &3_i16.to_be_bytes()), ErrorCode::UNKNOWN_SERVER_ERROR),
        ("size", batch(&[&"x".repeat(200)]), ErrorCode::MESSAGE_TOO_LARGE),
        ("future", stamped(&[(UNIX_MS + 3_600_001, "a")], None), ErrorCode::INVALID_TIMESTAMP),
    ];
    for (what, batch, code) in cases {
        assert_eq!(outcome(&world.produce(batch)), (code, -1), "{what}");
    }
    assert_eq!(world.fetch(0).high_watermark, 0);
    let wrong = world.ask(9, &produce(sound.clone()).with_acks(2));
    assert_eq!(wrong.responses[0].partition_responses[0].error_code, ErrorCode::INVALID_REQUIRED_ACKS.0);
    assert_eq!(outcome(&world.produce(sound)), (ErrorCode::NONE, 0));
}

/// Bit by bit: the tests have no crate for it.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

#[test]
fn a_compacted_topic_wants_keys() {
    let mut world = World::with_topic(&[("cleanup.policy", "compact")]);
    let refused = world.produce(batch(&["a"]));
    assert_eq!(outcome(&refused), (ErrorCode::INVALID_RECORD, -1));
    assert_eq!(refused.record_errors[0].batch_index, 0);
    let mut builder = BatchBuilder::new(100);
    builder.append(&NewRecord { timestamp: UNIX_MS, key: Some(b"k"), value: None, headers: &[] });
    let keyed = builder.seal(Codec::None).stamp(None, BatchFlags::default());
    assert_eq!(outcome(&world.produce(keyed)), (ErrorCode::NONE, 0));
}

#[test]
fn the_brokers_time_is_stamped_where_the_topic_says_so() {
    let mut world = World::with_topic(&[("message.timestamp.type", "LogAppendTime")]);
    world.advance(Duration::from_secs(5));
    let written = world.produce(stamped(&[(1, "a")], None));
    assert_eq!(written.log_append_time_ms, UNIX_MS + 5_000);
    let batch = RecordBatches::new(world.fetch(0).records.unwrap()).next().unwrap().unwrap();
    assert_eq!(batch.header().timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(batch.open(100).unwrap().iter().next().unwrap().unwrap().timestamp, UNIX_MS + 5_000);
    assert_eq!(world.list_offset(UNIX_MS).offset, 0);
}
