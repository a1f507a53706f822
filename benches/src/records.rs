//! 1,000 records of 118 bytes each as they lie in a batch: a key of 8 bytes, a value of 100, no headers.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use tidemill_protocol::compression::Codec;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp, RecordBatches};

/// How many records the batch has.
pub const RECORD_COUNT: usize = 1000;

/// Room for all of them and the header, so that no buffer grows while it is measured.
pub const BATCH_BYTES_MAX: usize = 128 * 1024;

/// The key and value of each record.
pub struct Input {
    records: Vec<([u8; 8], [u8; 100])>,
}

impl Input {
    /// So many records.
    pub fn of(count: usize) -> Self {
        let record = |number: usize| {
            let digits = format!("{number:08}");
            let mut key = [0; 8];
            key.copy_from_slice(digits.as_bytes());
            (key, [b'a' + u8::try_from(number % 26).unwrap_or(0); 100])
        };
        Self { records: (0..count).map(record).collect() }
    }
}

impl Default for Input {
    fn default() -> Self {
        Self::of(RECORD_COUNT)
    }
}

const FIRST_TIMESTAMP: i64 = 1_700_000_000_000;

/// 50 records a millisecond.
fn timestamp(number: usize) -> i64 {
    FIRST_TIMESTAMP + i64::try_from(number / 50).unwrap_or(0)
}

/// The batch as our builder writes it, checksum included.
pub fn build(input: &Input) -> Bytes {
    let mut builder = BatchBuilder::new(BATCH_BYTES_MAX);
    for (number, (key, value)) in input.records.iter().enumerate() {
        builder.append(&NewRecord { timestamp: timestamp(number), key: Some(key), value: Some(value), headers: &[] });
    }
    let producer = ProducerStamp { producer_id: 7, producer_epoch: 1, base_sequence: 0 };
    builder.seal(Codec::None).stamp(Some(producer), BatchFlags::default())
}

/// Reads every record of a field, checks the checksums, and adds up what it saw.
pub fn iterate(field: Bytes) -> u64 {
    let mut sum = 0;
    for batch in RecordBatches::new(field) {
        let open = batch.expect("a batch").open(BATCH_BYTES_MAX).expect("an open batch");
        for record in open.iter() {
            let record = record.expect("a record");
            sum += record.offset.cast_unsigned() + record.timestamp.cast_unsigned();
            sum += length(record.key) + length(record.value);
        }
    }
    sum
}

fn length(bytes: Option<&[u8]>) -> u64 {
    bytes.map_or(0, |bytes| bytes.len() as u64)
}

/// The records as the rival wants them.
pub fn rival_records(input: &Input) -> Vec<kafka_protocol::records::Record> {
    let record = |(number, (key, value)): (usize, &([u8; 8], [u8; 100]))| kafka_protocol::records::Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: 7,
        producer_epoch: 1,
        timestamp_type: TimestampType::Creation,
        offset: i64::try_from(number).unwrap_or(0),
        sequence: i32::try_from(number).unwrap_or(0),
        timestamp: timestamp(number),
        key: Some(Bytes::copy_from_slice(key)),
        value: Some(Bytes::copy_from_slice(value)),
        headers: Default::default(),
    };
    input.records.iter().enumerate().map(record).collect()
}

/// The batch as the rival writes it.
pub fn rival_build(records: &[kafka_protocol::records::Record]) -> Bytes {
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut buffer = BytesMut::with_capacity(BATCH_BYTES_MAX);
    RecordBatchEncoder::encode(&mut buffer, records, &options).expect("a batch");
    buffer.freeze()
}

/// [`iterate`] by the rival.
pub fn rival_iterate(mut field: Bytes) -> u64 {
    let mut sum = 0;
    for set in RecordBatchDecoder::decode_all(&mut field).expect("batches") {
        for record in &set.records {
            sum += record.offset.cast_unsigned() + record.timestamp.cast_unsigned();
            sum += length(record.key.as_deref()) + length(record.value.as_deref());
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_codecs_write_and_read_the_same() {
        let input = Input::default();
        let ours = build(&input);
        let theirs = rival_build(&rival_records(&input));
        // The rival leaves the base timestamp's epoch fields alone; the records are the same bytes.
        assert_eq!(ours.slice(61..), theirs.slice(61..));
        assert_eq!((ours.len() - 61) / RECORD_COUNT, 117);
        let sum = iterate(ours.clone());
        for field in [ours, theirs] {
            assert_eq!((iterate(field.clone()), rival_iterate(field)), (sum, sum));
        }
    }
}
