use bytes::{BufMut, BytesMut};

use super::super::{BatchBuilder, BatchFlags, NewRecord, RecordBatches, TimestampType, control};
use super::*;

fn compressed(codec: Codec, set: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    compression::compress(codec, set, &mut output).unwrap();
    output
}

/// A message as the specification has it; attributes and value say what is in it.
fn message(
    magic: i8,
    offset: i64,
    attributes: i8,
    timestamp: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Vec<u8> {
    let mut checked = BytesMut::new();
    checked.put_i8(magic);
    checked.put_i8(attributes);
    if magic > 0 {
        checked.put_i64(timestamp);
    }
    for part in [key, value] {
        checked.put_i32(part.map_or(-1, |part| part.len() as i32));
        checked.put_slice(part.unwrap_or_default());
    }
    let mut message = BytesMut::new();
    message.put_i64(offset);
    message.put_i32(checked.len() as i32 + 4);
    message.put_u32(crc32fast::hash(&checked));
    message.put_slice(&checked);
    message.to_vec()
}

fn plain(magic: i8, offset: i64, value: &str) -> Vec<u8> {
    message(magic, offset, 0, offset.wrapping_add(1000), None, Some(value.as_bytes()))
}

const SNAPPY: i8 = 2;
const LZ4: i8 = 3;

/// A wrapper around these bytes, compressed with snappy.
fn wrapper(magic: i8, offset: i64, set: &[u8]) -> Vec<u8> {
    let value = compressed(Codec::Snappy, set);
    message(magic, offset, SNAPPY, 9999, None, Some(&value))
}

fn batches(field: &[u8]) -> RecordBatches {
    RecordBatches::new(Bytes::copy_from_slice(field))
}

/// Offset, timestamp and value of all records.
fn read(field: &[u8]) -> Result<Vec<(i64, i64, String)>, DecodeError> {
    let mut seen = Vec::new();
    for batch in batches(field) {
        for record in batch?.open(1 << 20)?.iter() {
            let record = record?;
            let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            seen.push((record.offset, record.timestamp, value));
        }
    }
    Ok(seen)
}

fn seen(offset: i64, timestamp: i64, value: &str) -> (i64, i64, String) {
    (offset, timestamp, value.to_owned())
}

fn assert_refused(field: &[u8], name: &str, reason: &str) {
    let error = read(field).unwrap_err();
    assert!(error.field == name && error.reason.contains(reason), "{error}");
}

/// Written and read by Kafka's own classes; see `testkit/tests/java/LegacyRecords.java`.
#[test]
fn what_kafka_wrote_reads_as_kafka_reads_it() {
    let mut names = 0;
    let mut lines = include_str!("../../../tests/golden/legacy_records.txt").lines().peekable();
    while let Some(line) = lines.next() {
        let (name, hex) = line.split_once(' ').unwrap();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let mut expected = Vec::new();
        while let Some(record) = lines.next_if(|line| line.starts_with(' ')) {
            expected.push(record.trim().to_owned());
        }
        let mut read = Vec::new();
        for batch in batches(&bytes) {
            let open = batch.unwrap().open(1 << 20).unwrap();
            for record in open.iter() {
                let record = record.unwrap();
                let [key, value] = [record.key, record.value].map(|part| match part {
                    None => "null".to_owned(),
                    Some(bytes) => bytes.iter().fold("=".to_owned(), |text, byte| format!("{text}{byte:02x}")),
                });
                read.push(format!("{} {} {key} {value}", record.offset, record.timestamp));
            }
            assert_eq!(
                open.header().next_offset(),
                if name.contains("none") { open.header().base_offset + 1 } else { 12 }
            );
        }
        assert_eq!(read, expected, "{name}");
        names += 1;
    }
    assert!(names >= 8, "{names}");
}

#[test]
fn a_mixed_log_reads_in_one_road() {
    let mut builder = BatchBuilder::new(0);
    builder.append(&NewRecord { timestamp: 5, key: None, value: Some(b"c"), headers: &[] });
    let mut today = builder.seal(Codec::None).stamp(None, BatchFlags::default()).to_vec();
    today[..8].copy_from_slice(&3i64.to_be_bytes());
    let inner = [plain(1, 0, "b0"), plain(1, 1, "b1")].concat();
    let field = [plain(0, 0, "a"), wrapper(1, 2, &inner), today, plain(1, 4, "d")].concat();
    let expected = [seen(0, -1, "a"), seen(1, 1000, "b0"), seen(2, 1001, "b1"), seen(3, 5, "c"), seen(4, 1004, "d")];
    assert_eq!(read(&field).unwrap(), expected);
    let next: Vec<i64> = batches(&field).map(|batch| batch.unwrap().header().next_offset()).collect();
    assert_eq!(next, [1, 3, 4, 5]);
}

#[test]
fn offsets_in_a_wrapper_are_absolute_in_magic_0_and_relative_in_magic_1() {
    let set = [plain(0, 40, "a"), plain(0, 43, "b")].concat();
    assert_eq!(read(&wrapper(0, 43, &set)).unwrap(), [seen(40, -1, "a"), seen(43, -1, "b")]);
    let set = [plain(1, 0, "a"), plain(1, 3, "b")].concat();
    assert_eq!(read(&wrapper(1, 43, &set)).unwrap(), [seen(40, 1000, "a"), seen(43, 1003, "b")]);
    // Some producers leave the wrapper's offset 0.
    assert_eq!(read(&wrapper(1, 0, &set)).unwrap(), [seen(0, 1000, "a"), seen(3, 1003, "b")]);
}

#[test]
fn offsets_in_a_wrapper_that_lie_are_refused() {
    let set = [plain(1, 0, "a"), plain(1, 3, "b")].concat();
    assert_refused(&wrapper(1, 2, &set), "base_offset", "lower than");
    let back = [plain(1, 3, "a"), plain(1, 3, "b")].concat();
    assert_refused(&wrapper(1, 43, &back), "base_offset", "go back");
    assert_refused(&wrapper(0, 42, &[plain(0, 43, "a")].concat()), "base_offset", "higher offset");
    let far = [plain(0, 0, "a"), plain(0, 1 << 40, "b")].concat();
    assert_refused(&wrapper(0, 1 << 40, &far), "base_offset", "too far");
    assert_refused(&wrapper(0, 1 << 40, &plain(0, 0, "a")), "base_offset", "too far");
    assert_refused(&wrapper(0, 43, &plain(0, -2, "a")), "base_offset", "overflows");
    let overflow = [plain(1, i64::MIN, "a"), plain(1, 3, "b")].concat();
    assert_refused(&wrapper(1, 43, &overflow), "base_offset", "overflows");
    for offset in [-1, i64::MAX] {
        assert_refused(&plain(1, offset, "a"), "base_offset", "cannot be");
    }
}

#[test]
fn a_wrapper_in_a_wrapper_is_refused() {
    for magic in [0, 1] {
        let inner = wrapper(magic, 0, &plain(magic, 0, "a"));
        assert_refused(&wrapper(magic, 0, &inner), "attributes", "wrapper in a wrapper");
    }
}

#[test]
fn a_wrapper_around_nothing_is_refused() {
    assert_refused(&message(1, 0, SNAPPY, 0, None, None), "value", "null");
    assert_refused(&wrapper(1, 0, &[]), "value", "no message");
    assert!(read(&message(1, 0, SNAPPY, 0, None, Some(&[]))).is_err());
}

#[test]
fn a_wrapper_around_another_format_is_refused() {
    assert_refused(&wrapper(1, 0, &plain(0, 0, "a")), "magic", "another format");
    let mut today = plain(1, 0, "a");
    today[16] = 2;
    let crc = crc32fast::hash(&today[16..]);
    today[12..16].copy_from_slice(&crc.to_be_bytes());
    assert_refused(&wrapper(1, 0, &today), "magic", "format 2");
}

#[test]
fn a_message_set_cut_short_in_a_wrapper_is_refused() {
    let set = [plain(1, 0, "a"), plain(1, 1, "b")].concat();
    for length in 1..set.len() {
        let cut = wrapper(1, 1, &set[..length]);
        if length != set.len() / 2 {
            assert!(read(&cut).is_err(), "{length}");
        }
    }
}

#[test]
fn a_message_cut_short_at_the_end_is_no_error() {
    let field = [plain(1, 0, "a"), plain(0, 1, "b")].concat();
    let whole = plain(1, 0, "a").len();
    for length in whole..field.len() {
        assert_eq!(read(&field[..length]).unwrap(), [seen(0, 1000, "a")], "{length}");
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    let forge = |at: usize, field: &[u8]| {
        let mut bytes = message(1, 0, 0, 0, Some(b"k"), Some(b"v"));
        bytes[at..at + field.len()].copy_from_slice(field);
        let crc = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.to_be_bytes());
        bytes
    };
    for length in [-1, 0, 21] {
        assert_refused(&forge(8, &i32::to_be_bytes(length)), "batch_length", "");
    }
    assert_refused(&forge(26, &i32::MAX.to_be_bytes()), "key", "past the end");
    assert_refused(&forge(26, &(-2i32).to_be_bytes()), "key", "negative");
    assert_refused(&forge(31, &i32::MAX.to_be_bytes()), "value", "past the end");
    assert_refused(&forge(31, &0i32.to_be_bytes()), "value", "behind the value");
}

#[test]
fn a_wrong_checksum_is_refused_outside_and_inside() {
    let mut bytes = plain(1, 0, "a");
    *bytes.last_mut().unwrap() ^= 1;
    assert_refused(&bytes, "crc", "checksum");
    assert_refused(&wrapper(1, 0, &bytes), "crc", "checksum");
}

#[test]
fn the_brokers_clock_counts_for_all_in_a_wrapper() {
    let set = [plain(1, 0, "a"), plain(1, 1, "b")].concat();
    let value = compressed(Codec::Snappy, &set);
    let field = message(1, 1, SNAPPY | 1 << 3, 7777, None, Some(&value));
    let batch = batches(&field).next().unwrap().unwrap();
    assert_eq!(batch.header().timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(read(&field).unwrap(), [seen(0, 7777, "a"), seen(1, 7777, "b")]);
}

#[test]
fn bits_that_old_formats_do_not_have_say_nothing() {
    let field = message(1, 0, 0x70, 5, None, Some(b"a"));
    let batch = batches(&field).next().unwrap().unwrap();
    assert!(!batch.header().is_control() && !batch.header().is_transactional());
    assert!(control::read(&batch).is_err());
    assert_eq!(read(&field).unwrap(), [seen(0, 5, "a")]);
}

#[test]
fn a_codec_that_came_later_is_refused() {
    for (magic, codec) in [(0, 4), (1, 4), (1, 5)] {
        assert_refused(&message(magic, 0, codec, 0, None, Some(b"x")), "attributes", "codec");
    }
}

#[test]
fn an_lz4_frame_with_the_old_wrong_checksum_reads_in_magic_0_alone() {
    let bad = |magic| {
        let mut frame = compressed(Codec::Lz4, &plain(magic, 0, "a"));
        frame[6] ^= 0x55;
        message(magic, 0, LZ4, 0, None, Some(&frame))
    };
    assert_eq!(read(&bad(0)).unwrap(), [seen(0, -1, "a")]);
    assert!(read(&bad(1)).is_err());
}

#[test]
fn a_wrapper_that_inflates_without_end_stops_at_the_limit() {
    let set = plain(1, 0, &"x".repeat(100_000));
    let batch = batches(&wrapper(1, 0, &set)).next().unwrap().unwrap();
    assert!(batch.open(10_000).unwrap_err().reason.contains("limit"));
}
