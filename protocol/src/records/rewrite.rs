//! Batches that a broker writes anew: with some of their records (compaction, KIP-98, KIP-534), with other compression
//! (`compression.type`), or with other timestamps.
//!
//! What a batch says of itself stays: its offsets, its producer and sequence, the epoch of its leader. So a reader still
//! knows where to read on, and a broker which sequence comes next, when records are gone.

#![expect(clippy::arithmetic_side_effects, reason = "writes only, and adds up lengths of what is in memory")]

use bytes::{Bytes, BytesMut};

use super::batch::{self, BatchHeader, HEADER_BYTES, OpenBatch, RecordBatch, TimestampType};
use super::builder::put_kept_record;
use super::record::Record;
use crate::compression::{self, Codec, CompressError, Compression};

/// A batch that gets only some of the records that it had.
#[derive(Debug)]
pub struct Rewrite<'a> {
    original: &'a BatchHeader,
    delete_horizon_ms: Option<i64>,
    base_timestamp: i64,
    max_timestamp: i64,
    records: Vec<u8>,
    count: i32,
}

impl<'a> Rewrite<'a> {
    /// None of its records yet. From `delete_horizon_ms` on (milliseconds since 1970), tombstones in it and the marker that
    /// it is may be removed; one that the batch has already stays.
    #[must_use]
    pub fn new(original: &'a BatchHeader, delete_horizon_ms: Option<i64>) -> Self {
        let delete_horizon_ms = original.delete_horizon_ms().or(delete_horizon_ms);
        let base_timestamp = delete_horizon_ms.unwrap_or(-1);
        Self { original, delete_horizon_ms, base_timestamp, max_timestamp: -1, records: Vec::new(), count: 0 }
    }

    /// Takes over a record of the batch. Records come in their order.
    pub fn append(&mut self, record: &Record<'_>) {
        if self.count == 0 && self.delete_horizon_ms.is_none() {
            self.base_timestamp = record.timestamp;
        }
        let timestamp_delta = record.timestamp.wrapping_sub(self.base_timestamp);
        let offset_delta = record.offset.wrapping_sub(self.original.base_offset);
        put_kept_record(&mut self.records, timestamp_delta, offset_delta, record);
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.count += 1;
    }

    /// The batch with the records it got, compressed as it was; without any, just its header. Pure and possibly slow.
    ///
    /// # Errors
    /// When the codec is unknown, or has no memory.
    pub fn seal(self) -> Result<Bytes, CompressError> {
        let codec = Codec::from_attributes(self.original.attributes).map_err(CompressError::new)?;
        let codec = if self.count == 0 { Codec::None } else { codec };
        let mut buffer = vec![0; HEADER_BYTES];
        compression::compress(codec, &self.records, &mut buffer)?;
        let horizon = if self.count == 0 { None } else { self.delete_horizon_ms };
        let max_timestamp = match self.original.timestamp_type() {
            TimestampType::CreateTime if self.count > 0 => self.max_timestamp,
            TimestampType::CreateTime | TimestampType::LogAppendTime => self.original.max_timestamp,
        };
        let header = BatchHeader {
            attributes: batch::attributes_with(self.original.attributes, codec, horizon.is_some()),
            base_timestamp: if self.count == 0 { -1 } else { self.base_timestamp },
            max_timestamp,
            record_count: self.count,
            ..self.original.clone()
        };
        batch::write_again(&mut buffer, &header);
        Ok(Bytes::from(buffer))
    }
}

/// The batch with the same records, compressed in another way, even where that makes it larger. Pure and possibly slow.
///
/// # Errors
/// When the codec has no memory.
pub fn recompress(batch: &OpenBatch, compression: Compression) -> Result<Bytes, CompressError> {
    let mut buffer = vec![0; HEADER_BYTES];
    compression::compress(compression, batch.body(), &mut buffer)?;
    let attributes = batch::attributes_with(
        batch.header().attributes,
        compression.codec(),
        batch.header().delete_horizon_ms().is_some(),
    );
    batch::write_again(&mut buffer, &BatchHeader { attributes, ..batch.header().clone() });
    Ok(Bytes::from(buffer))
}

/// The batch with a header that says that its timestamps are the producer's, and which of them is the newest. Copies it.
#[must_use]
pub fn with_create_time(batch: &RecordBatch, max_timestamp: i64) -> Bytes {
    let mut bytes = BytesMut::from(&batch.as_bytes()[..]);
    let attributes = batch::attributes_of_create_time(batch.header().attributes);
    batch::write_again(&mut bytes, &BatchHeader { attributes, max_timestamp, ..batch.header().clone() });
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, BatchFlags, Header, NewRecord, ProducerStamp, RecordBatches, assign, control};
    use super::*;

    fn parsed(bytes: Bytes) -> RecordBatch {
        RecordBatches::new(bytes).next().unwrap().unwrap()
    }

    /// Five records of one producer at offsets 10 to 14.
    fn batch(codec: Codec) -> RecordBatch {
        let mut builder = BatchBuilder::new(0);
        let headers = [Header { key: b"h", value: None }, Header { key: b"h", value: Some(b"x") }];
        for (timestamp, value) in [(500, Some("a")), (300, None), (700, Some("c")), (600, Some("d")), (400, Some("e"))]
        {
            let value = value.map(str::as_bytes);
            builder.append(&NewRecord { timestamp, key: Some(b"k"), value, headers: &headers });
        }
        let stamp = ProducerStamp { producer_id: 7, producer_epoch: 1, base_sequence: 30 };
        let sealed = builder.seal(codec).stamp(Some(stamp), BatchFlags { transactional: true, control: false });
        parsed(assign(&parsed(sealed), 10, 3, None))
    }

    fn kept(batch: &RecordBatch, keep: impl Fn(i64) -> bool, horizon: Option<i64>) -> RecordBatch {
        let open = batch.open(1000).unwrap();
        let mut rewrite = Rewrite::new(batch.header(), horizon);
        for record in open.iter().map(Result::unwrap).filter(|record| keep(record.offset)) {
            rewrite.append(&record);
        }
        parsed(rewrite.seal().unwrap())
    }

    #[test]
    fn what_stays_keeps_its_offset_its_time_and_its_headers() {
        for codec in Codec::ALL {
            let before = batch(codec);
            for horizon in [None, Some(1_000_000)] {
                let after = kept(&before, |offset| offset == 11 || offset == 13, horizon);
                let header = after.header();
                assert_eq!((header.base_offset, header.last_offset(), header.record_count), (10, 14, 2));
                assert_eq!((header.base_sequence, header.producer_id, header.producer_epoch), (30, 7, 1));
                assert_eq!((header.max_timestamp, header.partition_leader_epoch), (600, 3));
                assert_eq!((header.delete_horizon_ms(), header.codec()), (horizon, before.header().codec()));
                assert!(header.is_transactional());
                let (old, new) = (before.open(1000).unwrap(), after.open(1000).unwrap());
                let old: Vec<_> = old.iter().map(Result::unwrap).filter(|it| it.offset % 2 == 1).collect();
                let new: Vec<_> = new.iter().map(Result::unwrap).collect();
                assert_eq!(old, new);
                // A second time, the horizon stays as it was.
                let again = kept(&after, |offset| offset == 13, Some(2_000_000));
                assert_eq!(again.header().delete_horizon_ms(), horizon.or(Some(2_000_000)));
                assert_eq!(again.open(1000).unwrap().iter().next().unwrap().unwrap().timestamp, 600);
            }
        }
    }

    #[test]
    fn a_batch_without_records_still_says_what_was_the_last_sequence() {
        let after = kept(&batch(Codec::Gzip), |_| false, None);
        let header = after.header();
        assert_eq!(
            (header.base_offset, header.last_offset(), header.base_sequence, header.record_count),
            (10, 14, 30, 0)
        );
        assert_eq!((header.max_timestamp, header.base_timestamp, header.codec()), (700, -1, Ok(Codec::None)));
        assert_eq!(after.open(0).unwrap().iter().count(), 0);
    }

    #[test]
    fn the_brokers_time_stays_that_of_all_records() {
        let stamped = parsed(assign(&batch(Codec::None), 0, 0, Some(900)));
        let after = kept(&stamped, |offset| offset == 1, Some(5000));
        assert_eq!(after.header().max_timestamp, 900);
        assert_eq!(after.open(1000).unwrap().iter().next().unwrap().unwrap().timestamp, 900);
    }

    #[test]
    fn other_compression_changes_nothing_else() {
        let before = batch(Codec::Lz4);
        for codec in Codec::ALL {
            let after = parsed(recompress(&before.open(1000).unwrap(), Compression::new(codec)).unwrap());
            assert_eq!(after.header().codec(), Ok(codec));
            let same = BatchHeader {
                attributes: before.header().attributes,
                batch_length: before.header().batch_length,
                crc: before.header().crc,
                ..after.header().clone()
            };
            assert_eq!(&same, before.header());
            assert_eq!(after.open(1000).unwrap().body(), before.open(1000).unwrap().body());
        }
    }

    #[test]
    fn a_marker_with_a_horizon_is_still_one() {
        let marker = parsed(control::build(control::Marker::ABORT, 7, 1, 4, 800));
        let after = kept(&marker, |_| true, Some(5000));
        assert_eq!(control::read(&after), Ok(control::Marker::ABORT));
        assert_eq!((after.header().delete_horizon_ms(), after.header().max_timestamp), (Some(5000), 800));
    }

    #[test]
    fn the_header_is_put_right() {
        let stamped = parsed(assign(&batch(Codec::Gzip), 0, 0, Some(900)));
        let after = parsed(with_create_time(&stamped, 700));
        assert_eq!((after.header().timestamp_type(), after.header().max_timestamp), (TimestampType::CreateTime, 700));
        assert_eq!(after.open(1000).unwrap().body(), stamped.open(1000).unwrap().body());
    }
}
