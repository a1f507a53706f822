//! Records fields that are made to hurt, byte by byte, with checksums that are true: each ends in an error that names
//! its field, or is no error at all, and none makes anything allocate by what it claims.

use bytes::Bytes;

use super::tests::{batch_of, first_error, forge, only, value};
use super::*;
use crate::compression::Codec;

/// The bytes of digits; blanks are for the eye.
fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// A batch around records that are written out.
fn batch_around(count: i32, last_offset_delta: i32, records: &[u8]) -> Bytes {
    let mut bytes = batch_of(&[]).to_vec();
    bytes.extend_from_slice(records);
    let length = (bytes.len() as i32 - 12).to_be_bytes();
    let batch = forge(&Bytes::from(bytes), 8, &length);
    let batch = forge(&batch, 23, &last_offset_delta.to_be_bytes());
    forge(&batch, 57, &count.to_be_bytes())
}

#[test]
fn f3_a_count_of_two_billion_records_in_61_bytes() {
    let batch = hex(&format!(
        "{} 00000031 00000000 02 0ed87f04 {} {} 7fffffff",
        "00".repeat(8),
        "00".repeat(22),
        "ff".repeat(14)
    ));
    let error = first_error(&batch);
    assert_eq!((error.field.as_str(), batch.len()), ("records[0]", 61));
}

#[test]
fn f4_a_count_of_half_a_billion_headers() {
    let batch = hex(&format!(
        "{} 0000003c 00000000 02 c36e3f79 {} {} 00000001 14 000000 01 01 feffffff0f",
        "00".repeat(8),
        "00".repeat(22),
        "ff".repeat(14)
    ));
    let error = first_error(&batch);
    assert_eq!((error.field.as_str(), batch.len()), ("records[0]", 72));
}

#[test]
fn f5_a_timestamp_or_an_offset_that_overflows() {
    // Two records, the second a millisecond and an offset after the first.
    let batch = batch_around(2, 1, &[12, 0, 0, 0, 1, 1, 0, 12, 0, 2, 2, 1, 1, 0]);
    let late = forge(&batch, 27, &i64::MAX.to_be_bytes());
    assert!(first_error(&late).reason.contains("timestamp overflows"));
    for base in [i64::MAX, i64::MAX - 1] {
        assert_eq!(first_error(&forge(&batch, 0, &base.to_be_bytes())).field, "base_offset");
    }
    let last = forge(&batch, 0, &(i64::MAX - 2).to_be_bytes());
    let offsets: Vec<i64> = only(&last).open(100).unwrap().iter().map(|record| record.unwrap().offset).collect();
    assert_eq!(offsets, [i64::MAX - 2, i64::MAX - 1]);
}

#[test]
fn f8_three_headers_of_one_name_and_one_that_is_not_utf_8() {
    let record = [&[30, 0, 0, 0, 1, 1, 8][..], &[2, b'x', 1], &[2, b'x', 0], &[2, b'x', 1], &[2, 0xff]].concat();
    // The last header's value is cut off: it belongs to the record's length.
    assert_eq!(first_error(&batch_around(1, 0, &record)).field, "records[0]");
    let record = [&record[..], &[1]].concat();
    let record = [&[(record.len() as u8 - 1) << 1], &record[1..]].concat();
    let open = only(&batch_around(1, 0, &record)).open(100).unwrap();
    let headers: Vec<_> =
        open.iter().next().unwrap().unwrap().headers().map(|header| (header.key, header.value)).collect();
    let expected: [(&[u8], Option<&[u8]>); 4] = [(b"x", None), (b"x", Some(b"")), (b"x", None), (&[0xff], None)];
    assert_eq!(headers, expected);
}

#[test]
fn f11_a_whole_batch_before_one_that_is_cut_short() {
    let whole = batch_of(&["a", "b"]);
    let mut field = whole.to_vec();
    field.extend_from_slice(&batch_of(&["c"])[..40]);
    let mut batches = RecordBatches::new(Bytes::from(field));
    assert_eq!(batches.next().unwrap().unwrap().as_bytes(), &whole);
    assert!(batches.next().is_none());
}

#[test]
fn f12_counts_and_lengths_that_leave_bytes_behind() {
    let two = [14, 0, 0, 0, 1, 2, b'a', 0, 14, 0, 0, 2, 1, 2, b'b', 0];
    assert!(first_error(&batch_around(1, 1, &two)).reason.contains("behind the last record"));
    // A record that is a byte longer than its fields.
    assert!(
        first_error(&batch_around(1, 0, &[16, 0, 0, 0, 1, 2, b'a', 0, 7])).reason.contains("behind the last header")
    );
}

#[test]
fn record_lengths_that_lie() {
    for length in [&[0][..], &[1], &[2], &[13], &[0xfe, 0xff, 0xff, 0xff, 0x0f], &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]]
    {
        let record = [length, &[0, 0, 0, 1, 2, b'a', 0]].concat();
        assert_eq!(first_error(&batch_around(1, 0, &record)).field, "records[0]", "{length:02x?}");
    }
    for key in [-2, i32::MIN, i32::MAX] {
        let mut room = [0; 10];
        cursor::put_varint(&mut room, key.into());
        let key = &room[..cursor::varint_bytes(key.into())];
        let record = [&[0, 0, 0], key, &[1, 0]].concat();
        let record = [&[(record.len() as u8) << 1], &record[..]].concat();
        assert_eq!(first_error(&batch_around(1, 0, &record)).field, "records[0]");
    }
}

#[test]
fn a_header_without_a_key_is_refused() {
    let error = first_error(&batch_around(1, 0, &[16, 0, 0, 0, 1, 1, 2, 1, 1]));
    assert!(error.reason.contains("without a key"), "{error}");
}

#[test]
fn offsets_that_go_back_stay_inside_their_batch() {
    // The next batch is asked for behind the header's last offset, whatever the records say: no place is read twice.
    let batch = only(&batch_around(2, 1, &[12, 0, 0, 2, 1, 1, 0, 12, 0, 0, 0, 1, 1, 0]));
    let offsets: Vec<i64> = batch.open(100).unwrap().iter().map(|record| record.unwrap().offset).collect();
    assert_eq!((offsets, batch.header().next_offset()), (vec![1, 0], 2));
    let error = first_error(&batch_around(1, 0, &[12, 0, 0, 1, 1, 1, 0]));
    assert!(error.reason.contains("outside the batch"), "{error}");
}

#[test]
fn what_compaction_took_leaves_gaps() {
    let batch = only(&batch_around(2, 9, &[12, 0, 0, 6, 1, 1, 0, 12, 0, 0, 14, 1, 1, 0]));
    let offsets: Vec<i64> = batch.open(100).unwrap().iter().map(|record| record.unwrap().offset).collect();
    assert_eq!((offsets, batch.header().next_offset()), (vec![3, 7], 10));
}

#[test]
fn a_control_batch_without_a_marker_or_with_two_is_refused() {
    let batch_of_markers = |count: usize, kind: &[u8]| {
        let mut builder = BatchBuilder::new(0);
        for _ in 0..count {
            builder.append(&NewRecord { timestamp: 0, key: Some(kind), value: Some(&[0; 6]), headers: &[] });
        }
        only(&builder.seal(Codec::None).stamp(None, BatchFlags { transactional: true, control: true }))
    };
    let commit = [0, 0, 0, 1];
    assert!(control::read(&batch_of_markers(1, &commit)).unwrap().is_commit());
    assert!(control::read(&batch_of_markers(0, &commit)).unwrap_err().reason.contains("no marker"));
    assert!(control::read(&batch_of_markers(2, &commit)).unwrap_err().reason.contains("more than one"));
    assert!(control::read(&batch_of_markers(1, &commit[..3])).unwrap_err().reason.contains("without a type"));
}

#[test]
fn a_marker_of_a_later_kafka_is_neither_commit_nor_abort() {
    let mut builder = BatchBuilder::new(0);
    builder.append(&NewRecord { timestamp: 0, key: Some(&[0, 0, 0, 9]), value: None, headers: &[] });
    let batch = only(&builder.seal(Codec::None).stamp(None, BatchFlags { transactional: true, control: true }));
    let marker = control::read(&batch).unwrap();
    assert!(!marker.is_commit() && !marker.is_abort());
}

#[test]
fn an_emptied_batch_keeps_its_codec_and_inflates_nothing() {
    for codec in 0..=4i16 {
        let batch = forge(&batch_of(&[]), 21, &codec.to_be_bytes());
        if let Ok(open) = only(&batch).open(100) {
            assert_eq!(open.iter().count(), 0, "{codec}");
        } else {
            assert!(Codec::from_attributes(codec).is_err(), "{codec}");
        }
        // One that says it has a record does not.
        assert!(
            only(&forge(&batch, 57, &1i32.to_be_bytes())).open(100).map_or(true, |open| open
                .iter()
                .next()
                .unwrap()
                .is_err())
        );
    }
}

#[test]
fn codecs_that_kafka_does_not_have_are_refused() {
    for codec in 5..=7i16 {
        let error = only(&forge(&batch_of(&["a"]), 21, &codec.to_be_bytes())).open(100).unwrap_err();
        assert_eq!(error.field, "attributes", "{codec}");
    }
}

#[test]
fn garbage_behind_is_refused_where_kafka_refuses_it() {
    for codec in [Codec::Snappy, Codec::Zstd] {
        let mut builder = BatchBuilder::new(0);
        builder.append(&value(&"x".repeat(1000)));
        let mut bytes = builder.seal(codec).stamp(None, BatchFlags::default()).to_vec();
        bytes.extend_from_slice(b"garbage");
        let length = (bytes.len() as i32 - 12).to_be_bytes();
        let batch = forge(&Bytes::from(bytes), 8, &length);
        assert!(only(&batch).open(1 << 20).is_err(), "{codec:?}");
    }
}
