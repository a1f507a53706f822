//! Record batches whose length and checksum are right, so that what lies behind them is reached.
//!
//! The first byte chooses: bytes as they come for everything from the attributes on, or a batch put together from parts of
//! which some may lie. What must hold: nothing panics, nothing is lost, the limit holds; what was read can be built
//! again; and a batch without a lie reads as what it was put together from.

use arbitrary::{Arbitrary, Unstructured};
use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::compression::Codec;
use tidemill_protocol::records::{
    BatchBuilder, BatchFlags, Header, NewRecord, OpenBatch, ProducerStamp, Record, RecordBatches, TimestampType,
};

use super::compression::{beside_bytes, compressed};
use super::{Peak, Seed};

/// The limit on what a batch may inflate to.
pub(super) const INFLATED_BYTES_MAX: usize = 1 << 18;
/// What a refusal says.
const WORDS_BYTES: usize = 4096;
/// The bytes of a batch in front of its attributes.
const CHECKED_FROM: usize = 21;

/// How many records were read.
pub fn run(bytes: &[u8], peak: Peak) -> usize {
    match bytes.split_first() {
        Some((choice, rest)) if choice % 2 == 0 => {
            let Some((base_offset, rest)) = rest.split_first_chunk::<8>() else { return 0 };
            read(&sealed(i64::from_be_bytes(*base_offset), rest).freeze(), peak)
        }
        Some((_, rest)) => Parts::arbitrary(&mut Unstructured::new(rest)).map_or(0, |parts| parts.run(peak)),
        None => 0,
    }
}

/// A batch of what follows its checksum.
fn sealed(base_offset: i64, checked: &[u8]) -> BytesMut {
    let mut batch = BytesMut::new();
    batch.put_i64(base_offset);
    batch.put_i32(i32::try_from(checked.len() + CHECKED_FROM - 12).expect("a fuzzer's input is short"));
    batch.put_i32(-1);
    batch.put_i8(2);
    batch.put_u32(crc32c::crc32c(checked));
    batch.put_slice(checked);
    batch
}

/// Reads all batches; what they hold must hold together.
pub(super) fn read(records: &Bytes, peak: Peak) -> usize {
    let mut batches = RecordBatches::new(records.clone());
    let (mut taken, mut count, mut failed) = (0, 0, false);
    for batch in batches.by_ref() {
        let Ok(batch) = batch else {
            failed = true;
            continue;
        };
        assert!(!failed, "a batch behind an error");
        taken += batch.as_bytes().len();
        let mut open = None;
        let opened = peak(&mut || open = Some(batch.open(INFLATED_BYTES_MAX)));
        let beside = batch.header().codec().map_or(0, beside_bytes);
        let opened_max = 4 * records.len() + INFLATED_BYTES_MAX + beside + WORDS_BYTES;
        assert!(opened <= opened_max, "{opened} bytes to open a batch");
        if let Some(Ok(open)) = open {
            count += read_batch(&open, peak);
        }
    }
    if !failed {
        assert_eq!(taken + batches.truncated().len(), records.len());
    }
    count
}

fn read_batch(open: &OpenBatch, peak: Peak) -> usize {
    assert!(open.body().len() <= INFLATED_BYTES_MAX);
    let header = open.header();
    let (mut count, mut whole) = (0, true);
    let held = peak(&mut || {
        for record in open.iter() {
            assert!(whole, "a record behind an error");
            match record {
                Ok(record) => {
                    assert!((header.base_offset..=header.last_offset()).contains(&record.offset), "{record:?}");
                    count += 1;
                }
                Err(_) => whole = false,
            }
        }
    });
    assert!(held <= WORDS_BYTES, "records are views");
    if whole {
        assert_eq!(i32::try_from(count), Ok(header.record_count));
        assert_builds_again(open);
    }
    count
}

/// The same keys, values, headers and times go through our own builder and come back.
fn assert_builds_again(open: &OpenBatch) {
    let records: Vec<Record<'_>> = open.iter().map(|record| record.expect("read before")).collect();
    let span = |at: i64| records.first().is_none_or(|first| at.checked_sub(first.timestamp).is_some());
    if !records.iter().all(|record| span(record.timestamp)) {
        return;
    }
    let mut builder = BatchBuilder::new(0);
    for record in &records {
        let headers: Vec<Header<'_>> = record.headers().collect();
        let new = NewRecord { timestamp: record.timestamp, key: record.key, value: record.value, headers: &headers };
        let bytes = builder.bytes_with(&new);
        builder.append(&new);
        assert_eq!(builder.bytes(), bytes);
    }
    let batch = builder.seal(Codec::None).stamp(None, BatchFlags::default());
    let batch = RecordBatches::new(batch).next().expect("a batch").expect("our own batch");
    let again = batch.open(usize::MAX).expect("our own batch");
    for (index, (built, read)) in again.iter().zip(&records).enumerate() {
        let built = built.expect("our own record");
        assert_eq!(usize::try_from(built.offset), Ok(index));
        assert_eq!((built.timestamp, built.key, built.value), (read.timestamp, read.key, read.value));
        assert!(built.headers().eq(read.headers()), "{built:?} {read:?}");
    }
    assert_eq!(again.iter().count(), records.len());
}

/// A batch put together by hand.
#[derive(Debug)]
struct Parts {
    base_offset: i64,
    codec: u8,
    flags: u8,
    base_timestamp: i64,
    max_timestamp: i64,
    records: Vec<Part>,
    /// What is said instead of the truth.
    last_offset_delta: Option<i32>,
    record_count: Option<i32>,
    /// Bytes behind the records, and behind the batch.
    behind_records: Vec<u8>,
    behind_batch: Vec<u8>,
}

#[derive(Debug)]
struct Part {
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// What is said instead of the record's length and its count of headers.
    length: Option<i64>,
    header_count: Option<i64>,
}

/// Seldom something.
fn lie<'a, T: Arbitrary<'a>>(input: &mut Unstructured<'a>) -> arbitrary::Result<Option<T>> {
    if input.ratio(1, 16)? { input.arbitrary().map(Some) } else { Ok(None) }
}

impl<'a> Arbitrary<'a> for Parts {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self {
            base_offset: input.arbitrary()?,
            codec: input.arbitrary()?,
            flags: input.arbitrary()?,
            base_timestamp: input.arbitrary()?,
            max_timestamp: input.arbitrary()?,
            last_offset_delta: lie(input)?,
            record_count: lie(input)?,
            behind_records: lie(input)?.unwrap_or_default(),
            behind_batch: lie(input)?.unwrap_or_default(),
            records: input.arbitrary()?,
        })
    }
}

impl<'a> Arbitrary<'a> for Part {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self {
            timestamp_delta: input.arbitrary()?,
            offset_delta: input.arbitrary()?,
            key: input.arbitrary()?,
            value: input.arbitrary()?,
            length: lie(input)?,
            header_count: lie(input)?,
            headers: input.arbitrary()?,
        })
    }
}

impl Parts {
    fn run(&self, peak: Peak) -> usize {
        let mut body = Vec::new();
        for part in &self.records {
            part.write(&mut body);
        }
        body.extend_from_slice(&self.behind_records);
        let codec = Codec::ALL[usize::from(self.codec) % Codec::ALL.len()];
        let last_offset_delta = self.records.iter().map(|part| part.offset_delta).max().unwrap_or(0);
        let record_count = i32::try_from(self.records.len()).expect("a fuzzer's input is short");
        let mut checked = BytesMut::new();
        checked.put_i16(codec.attributes() | i16::from(self.flags & 0b111) << 3);
        checked.put_i32(self.last_offset_delta.unwrap_or(last_offset_delta));
        checked.put_i64(self.base_timestamp);
        checked.put_i64(self.max_timestamp);
        checked.put_i64(-1);
        checked.put_i16(-1);
        checked.put_i32(-1);
        checked.put_i32(self.record_count.unwrap_or(record_count));
        checked.put_slice(&compressed(codec, &body));
        let mut bytes = sealed(self.base_offset, &checked);
        let batch = bytes.clone().freeze();
        bytes.put_slice(&self.behind_batch);
        let count = read(&bytes.freeze(), peak);
        if self.is_true(last_offset_delta) {
            self.assert_reads(&batch);
        }
        count
    }

    /// Whether nothing in it lies or overflows.
    fn is_true(&self, last_offset_delta: i32) -> bool {
        let no_lies = self.last_offset_delta.is_none() && self.record_count.is_none() && self.behind_records.is_empty();
        let offsets = self.base_offset >= 0 && self.base_offset.checked_add(i64::from(last_offset_delta) + 1).is_some();
        let record = |part: &Part| {
            part.length.is_none()
                && part.header_count.is_none()
                && part.offset_delta >= 0
                && self.base_timestamp.checked_add(part.timestamp_delta).is_some()
        };
        no_lies && offsets && self.records.iter().all(record)
    }

    fn assert_reads(&self, batch: &Bytes) {
        let batch = RecordBatches::new(batch.clone()).next().expect("a whole batch").expect("a true batch");
        let open = batch.open(usize::MAX).expect("a true batch");
        let mut records = open.iter();
        for part in &self.records {
            let record = records.next().expect("as many as were written").expect("a true record");
            let timestamp = match open.header().timestamp_type() {
                TimestampType::CreateTime => self.base_timestamp + part.timestamp_delta,
                TimestampType::LogAppendTime => self.max_timestamp,
            };
            assert_eq!(record.offset, self.base_offset + i64::from(part.offset_delta));
            assert_eq!((record.timestamp, record.key), (timestamp, part.key.as_deref()));
            assert_eq!(record.value, part.value.as_deref());
            let headers = part.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() });
            assert!(record.headers().eq(headers), "{record:?}");
        }
        assert!(records.next().is_none());
    }
}

impl Part {
    fn write(&self, body: &mut Vec<u8>) {
        let mut record = vec![0];
        put_varint(&mut record, self.timestamp_delta);
        put_varint(&mut record, self.offset_delta.into());
        put_nullable(&mut record, self.key.as_deref());
        put_nullable(&mut record, self.value.as_deref());
        put_varint(&mut record, self.header_count.unwrap_or_else(|| wide(self.headers.len())));
        for (key, value) in &self.headers {
            put_nullable(&mut record, Some(key));
            put_nullable(&mut record, value.as_deref());
        }
        put_varint(body, self.length.unwrap_or_else(|| wide(record.len())));
        body.extend_from_slice(&record);
    }
}

fn put_nullable(buffer: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(buffer, bytes.map_or(-1, |bytes| wide(bytes.len())));
    buffer.extend_from_slice(bytes.unwrap_or_default());
}

fn wide(length: usize) -> i64 {
    i64::try_from(length).expect("a length in memory")
}

/// Zigzag, then seven bits a byte.
fn put_varint(buffer: &mut Vec<u8>, value: i64) {
    let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while left >= 0x80 {
        buffer.push(u8::try_from(left & 0x7f).expect("seven bits") | 0x80);
        left >>= 7;
    }
    buffer.push(u8::try_from(left).expect("seven bits"));
}

/// Batches of our own builder, in each codec, cut to what follows their checksum.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for codec in Codec::ALL {
        for (name, count) in [("empty", 0), ("one", 1), ("many", 60)] {
            let mut builder = BatchBuilder::new(0);
            let headers = [Header { key: b"x", value: None }, Header { key: b"x", value: Some(b"y") }];
            for index in 0..count {
                let key = (index % 2 == 0).then_some(&b"user"[..]);
                let value = (index % 3 < 2).then_some(&b"{\"user_id\": 7, \"url\": \"/clicks\"}"[..]);
                builder.append(&NewRecord {
                    timestamp: index,
                    key,
                    value,
                    headers: &headers[..(count % 3).min(2) as usize],
                });
            }
            let producer = ProducerStamp { producer_id: 1, producer_epoch: 0, base_sequence: 0 };
            let batch = builder.seal(codec).stamp(Some(producer), BatchFlags::default());
            let seed = [&[0][..], &batch[..8], &batch[CHECKED_FROM..]].concat();
            seeds.push((format!("{}_{name}", codec.name()), seed));
        }
    }
    seeds
}
