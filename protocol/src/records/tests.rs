use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::compression::Codec;
use crate::error::DecodeError;

const CODECS: [Codec; 5] = Codec::ALL;

pub(super) fn value(text: &str) -> NewRecord<'_> {
    NewRecord { timestamp: 1000, key: None, value: Some(text.as_bytes()), headers: &[] }
}

pub(super) fn batch_of(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(0);
    for text in values {
        builder.append(&value(text));
    }
    builder.seal(Codec::None).stamp(None, BatchFlags::default())
}

pub(super) fn only(batch: &Bytes) -> RecordBatch {
    RecordBatches::new(batch.clone()).next().unwrap().unwrap()
}

/// Puts a field into a batch and makes the checksum true again, so that what lies behind it is reached.
pub(super) fn forge(batch: &Bytes, at: usize, field: &[u8]) -> Bytes {
    let mut bytes = batch.to_vec();
    bytes[at..at + field.len()].copy_from_slice(field);
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    Bytes::from(bytes)
}

pub(super) fn first_error(batch: &Bytes) -> DecodeError {
    for batch in RecordBatches::new(batch.clone()) {
        match batch {
            Err(error) => return error,
            Ok(batch) => {
                for record in batch.open(1 << 20).unwrap().iter() {
                    if let Err(error) = record {
                        return error;
                    }
                }
            }
        }
    }
    panic!("no error");
}

#[test]
fn the_size_is_known_before_a_record_is_appended() {
    let headers = [Header { key: b"trace", value: None }, Header { key: b"trace", value: Some(b"7") }];
    let mut builder = BatchBuilder::new(0);
    for timestamp in [5, 1_000_000, 3] {
        let record = NewRecord { timestamp, key: Some(b"k"), value: Some(&[7; 300]), headers: &headers };
        let expected = builder.bytes_with(&record);
        builder.append(&record);
        assert_eq!(builder.bytes(), expected);
    }
    assert_eq!(builder.seal(Codec::None).max_timestamp(), 1_000_000);
}

#[test]
fn a_batch_in_a_buffer_that_was_used_before_is_the_same_batch() {
    let build = |mut builder: BatchBuilder, codec| {
        for number in 0..20_u8 {
            builder.append(&NewRecord { timestamp: 7, key: Some(&[number]), value: Some(&[number; 40]), headers: &[] });
            if number == 10 {
                let old = builder.move_to(vec![0xaa; 2_000]);
                assert!(old.len() < 2_000 && builder.capacity_bytes() == 2_000 - BATCH_SLACK_BYTES);
            }
        }
        builder.seal_apart(codec)
    };
    for codec in [Codec::None, Codec::Lz4] {
        let (used, left) = build(BatchBuilder::in_buffer(vec![0xff; 700]), codec);
        assert_eq!(left.map(|buffer| buffer.len()), (codec == Codec::Lz4).then_some(2_000));
        let bytes = used.bytes();
        let (buffer, end) = used.stamp_in_place(None, BatchFlags::default());
        assert_eq!(end, bytes);
        let new = build(BatchBuilder::new(0), codec).0.stamp(None, BatchFlags::default());
        assert_eq!(buffer.get(..end), Some(&*new));
    }
}

#[test]
fn repeated_header_keys_are_kept() {
    let headers = [
        Header { key: b"x", value: Some(b"1") },
        Header { key: b"x", value: Some(b"2") },
        Header { key: &[0xff], value: None },
    ];
    let mut builder = BatchBuilder::new(0);
    builder.append(&NewRecord { timestamp: 0, key: None, value: None, headers: &headers });
    let open = only(&builder.seal(Codec::None).stamp(None, BatchFlags::default())).open(1000).unwrap();
    let record = open.iter().next().unwrap().unwrap();
    assert_eq!(record.headers().collect::<Vec<_>>(), headers);
    assert_eq!(HeaderIter::from_bytes(record.headers().as_bytes()).collect::<Vec<_>>(), headers);
}

#[test]
fn a_batch_cut_short_at_the_end_is_no_error_and_loses_nothing_before_it() {
    let whole = batch_of(&["a", "b"]);
    let cut = batch_of(&["c"]);
    for length in 0..cut.len() {
        let mut field = whole.to_vec();
        field.extend_from_slice(&cut[..length]);
        let mut batches = RecordBatches::new(Bytes::from(field));
        assert_eq!(batches.next().unwrap().unwrap().header().record_count, 2);
        assert!(batches.next().is_none());
        assert_eq!(batches.truncated().len(), length);
    }
}

#[test]
fn what_the_broker_assigns_leaves_the_checksum_true() {
    let batch = only(&batch_of(&["a", "b", "c"]));
    let assigned = only(&assign(&batch, 41, 5, None));
    assert_eq!((assigned.header().base_offset, assigned.header().partition_leader_epoch), (41, 5));
    assert_eq!((assigned.header().last_offset(), assigned.header().next_offset()), (43, 44));
    assert_eq!(assigned.header().crc, batch.header().crc);

    let stamped = only(&assign(&batch, 41, 5, Some(9999)));
    assert_eq!(stamped.header().timestamp_type(), TimestampType::LogAppendTime);
    let open = stamped.open(1000).unwrap();
    let seen: Vec<_> =
        open.iter().map(|record| record.map(|record| (record.offset, record.timestamp)).unwrap()).collect();
    assert_eq!(seen, [(41, 9999), (42, 9999), (43, 9999)]);
}

#[test]
fn a_restamped_batch_is_the_same_batch_of_another_epoch() {
    let batch = batch_of(&["a"]);
    let stamp = ProducerStamp { producer_id: 7, producer_epoch: 3, base_sequence: 40 };
    let header = only(&restamp(&batch, stamp).unwrap()).header().clone();
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 3, 40));
    assert!(restamp(&batch.slice(..60), stamp).is_err());
}

#[test]
fn markers_read_back() {
    for marker in [control::Marker::COMMIT, control::Marker::ABORT] {
        let batch = only(&control::build(marker, 9, 1, 0, 1000));
        assert!(batch.header().is_control() && batch.header().is_transactional());
        assert_eq!(control::read(&batch).unwrap(), marker);
    }
    assert!(control::read(&only(&batch_of(&["a"]))).is_err());
}

#[test]
fn a_record_count_of_two_billion_allocates_nothing() {
    let forged = forge(&batch_of(&[]), 57, &i32::MAX.to_be_bytes());
    assert_eq!(forged.len(), 61);
    assert_eq!(first_error(&forged).field, "records[0]");
}

#[test]
fn a_header_count_of_half_a_billion_allocates_nothing() {
    // length 10, attributes, timestamp delta, offset delta, key -1, value -1, then the count.
    let mut builder = BatchBuilder::new(0);
    builder.append(&NewRecord { timestamp: 0, key: None, value: Some(&[0; 4]), headers: &[] });
    let batch = builder.seal(Codec::None).stamp(None, BatchFlags::default());
    let forged = forge(&batch, 61, &[20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(first_error(&forged).field, "records[0]");
}

#[test]
fn offsets_and_timestamps_that_overflow_are_refused() {
    let batch = batch_of(&["a", "b"]);
    assert_eq!(first_error(&forge(&batch, 0, &i64::MAX.to_be_bytes())).field, "base_offset");
    assert_eq!(first_error(&forge(&batch, 0, &(-1i64).to_be_bytes())).field, "base_offset");
    let mut builder = BatchBuilder::new(0);
    builder.append(&NewRecord { timestamp: 0, key: None, value: None, headers: &[] });
    builder.append(&NewRecord { timestamp: 1, key: None, value: None, headers: &[] });
    let batch = builder.seal(Codec::None).stamp(None, BatchFlags::default());
    assert!(first_error(&forge(&batch, 27, &i64::MAX.to_be_bytes())).reason.contains("timestamp overflows"));
}

#[test]
fn counts_that_differ_from_what_is_there_are_refused() {
    let batch = batch_of(&["a", "b"]);
    assert!(first_error(&forge(&batch, 57, &1i32.to_be_bytes())).reason.contains("behind the last record"));
    assert_eq!(first_error(&forge(&batch, 57, &3i32.to_be_bytes())).field, "records[2]");
    assert_eq!(first_error(&forge(&batch, 57, &(-1i32).to_be_bytes())).field, "record_count");
    assert!(first_error(&forge(&batch, 23, &0i32.to_be_bytes())).reason.contains("outside the batch"));
    assert_eq!(first_error(&forge(&batch, 23, &(-2i32).to_be_bytes())).field, "last_offset_delta");
}

#[test]
fn batch_lengths_that_lie_are_refused() {
    let batch = batch_of(&["a"]);
    for length in [-1, 0, 48, i32::MIN] {
        assert_eq!(first_error(&forge(&batch, 8, &length.to_be_bytes())).field, "batch_length", "{length}");
    }
    let mut too_long = RecordBatches::new(forge(&batch, 8, &i32::MAX.to_be_bytes()));
    assert!(too_long.next().is_none());
}

#[test]
fn other_formats_and_wrong_checksums_are_refused() {
    let batch = batch_of(&["a"]);
    for magic in [3, 4, 0x7f, 0xff] {
        assert_eq!(first_error(&forge(&batch, 16, &[magic])).field, "magic");
    }
    // As a message of an old format it has another checksum.
    for magic in [0, 1] {
        assert_eq!(first_error(&forge(&batch, 16, &[magic])).field, "crc");
    }
    let mut bytes = batch.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(first_error(&Bytes::from(bytes)).field, "crc");
}

#[test]
fn a_compacted_batch_may_be_empty_and_keeps_its_offsets() {
    let emptied = only(&forge(&batch_of(&[]), 23, &9i32.to_be_bytes()));
    assert_eq!((emptied.header().record_count, emptied.header().next_offset()), (0, 10));
    assert_eq!(emptied.open(1000).unwrap().iter().count(), 0);
}

type Fields = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn bytes(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..length)
}

fn fields() -> impl Strategy<Value = Vec<Fields>> {
    let header = (bytes(10), prop::option::of(bytes(10)));
    let timestamp = prop_oneof![0i64..1 << 45, -(1i64 << 62)..1 << 62];
    let record =
        (timestamp, prop::option::of(bytes(20)), prop::option::of(bytes(200)), prop::collection::vec(header, 0..4));
    prop::collection::vec(record, 1..20)
}

fn build(records: &[Fields], codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new(0);
    for (timestamp, key, value, headers) in records {
        let headers: Vec<Header<'_>> =
            headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        let record =
            NewRecord { timestamp: *timestamp, key: key.as_deref(), value: value.as_deref(), headers: &headers };
        builder.append(&record);
    }
    builder.seal(codec).stamp(None, BatchFlags::default())
}

/// Reads all there is; panics only if reading does.
fn read_all(field: Bytes) {
    for batch in RecordBatches::new(field).flatten() {
        if let Ok(open) = batch.open(1 << 16) {
            open.iter().for_each(|record| drop(record.map(|record| record.headers().count())));
        }
        let _ = control::read(&batch);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_built_reads_back(records in fields()) {
        for codec in CODECS {
            let open = only(&build(&records, codec)).open(1 << 20).unwrap();
            let read: Vec<Fields> = open
                .iter()
                .map(|record| {
                    let record = record.unwrap();
                    let headers = record.headers().map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect();
                    (record.timestamp, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec), headers)
                })
                .collect();
            prop_assert_eq!(&read, &records);
        }
    }

    #[test]
    fn no_flipped_bit_and_no_cut_panics(records in fields(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        for codec in CODECS {
            let batch = build(&records, codec);
            let at = at.index(batch.len());
            read_all(batch.slice(..at));
            let flipped = batch[at] ^ (1 << bit);
            read_all(forge(&batch, at, &[flipped]));
        }
    }
}
