//! Appends records to a batch, each encoded once, straight into the batch's one buffer.
//!
//! The producer's accumulator holds a [`BatchBuilder`] per partition; a closed one is sealed off the lock (that is
//! where compression happens) and stamped when its sequence is known.

use bytes::Bytes;

use super::batch::{self, HEADER_BYTES};
use super::cursor::{put_varint, varint_bytes};
use super::record::Header;
use crate::compression::{self, Codec, Compression};

/// A record to append; everything is borrowed and copied once.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "the fields of a record, in the format since magic 2")]
pub struct NewRecord<'a> {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// `None` is null.
    pub key: Option<&'a [u8]>,
    /// `None` is null.
    pub value: Option<&'a [u8]>,
    /// In the order they will be read; keys may repeat.
    pub headers: &'a [Header<'a>],
}

/// Who wrote a batch, and where it stands in what they wrote: what a broker recognises a repeated batch by (KIP-98).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the three fields of the batch header")]
pub struct ProducerStamp {
    /// Given by `InitProducerId`.
    pub producer_id: i64,
    /// Given by `InitProducerId`.
    pub producer_epoch: i16,
    /// The sequence of the batch's first record in its partition.
    pub base_sequence: i32,
}

/// The two bits of a batch's attributes that its writer chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "the bits of the batch header")]
pub struct BatchFlags {
    /// The batch belongs to a transaction.
    pub transactional: bool,
    /// The batch holds a marker instead of records.
    pub control: bool,
}

/// An open batch.
#[derive(Debug)]
pub struct BatchBuilder {
    /// Room for the header, then the encoded records.
    buffer: Vec<u8>,
    record_count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// An empty batch whose buffer holds `capacity_bytes` before it grows.
    #[must_use]
    pub fn new(capacity_bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(capacity_bytes.max(HEADER_BYTES));
        buffer.resize(HEADER_BYTES, 0);
        Self { buffer, record_count: 0, base_timestamp: 0, max_timestamp: 0 }
    }

    /// Encodes a record at the end of the batch; returns its index in the batch.
    pub fn append(&mut self, record: &NewRecord<'_>) -> u32 {
        let index = self.record_count;
        let length = self.body_bytes(record);
        if index == 0 {
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        let buffer = &mut self.buffer;
        put_varint(buffer, wide(length));
        buffer.push(0);
        put_varint(buffer, record.timestamp.wrapping_sub(self.base_timestamp));
        put_varint(buffer, i64::from(index));
        put_nullable(buffer, record.key);
        put_nullable(buffer, record.value);
        put_varint(buffer, wide(record.headers.len()));
        for header in record.headers {
            put_nullable(buffer, Some(header.key));
            put_nullable(buffer, header.value);
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.record_count += 1;
        index
    }

    /// The size of the batch in bytes, uncompressed and with its header, if this record were appended.
    #[must_use]
    pub fn bytes_with(&self, record: &NewRecord<'_>) -> usize {
        let length = self.body_bytes(record);
        self.buffer.len() + varint_bytes(wide(length)) + length
    }

    /// The size of the batch in bytes, uncompressed and with its header.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// How many records it holds.
    #[must_use]
    pub const fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// Closes the batch and compresses its records. Pure and possibly slow: not under a lock.
    ///
    /// A batch that compression would make larger, or that the codec has no memory for, is left as it is.
    #[must_use]
    pub fn seal(self, compression: impl Into<Compression>) -> SealedBatch {
        let Self { mut buffer, record_count, base_timestamp, max_timestamp } = self;
        let compression = compression.into();
        let mut used = Codec::None;
        if let (true, Some(records)) =
            (compression.codec() != Codec::None && record_count > 0, buffer.get(HEADER_BYTES..))
        {
            let mut compressed = vec![0; HEADER_BYTES];
            let done = compression::compress(compression, records, &mut compressed);
            if done.is_ok() && compressed.len() < buffer.len() {
                buffer = compressed;
                used = compression.codec();
            }
        }
        SealedBatch { buffer, codec: used, record_count, base_timestamp, max_timestamp }
    }

    /// The bytes of a record behind its length.
    fn body_bytes(&self, record: &NewRecord<'_>) -> usize {
        let timestamp_delta = if self.is_empty() { 0 } else { record.timestamp.wrapping_sub(self.base_timestamp) };
        let headers: usize =
            record.headers.iter().map(|header| nullable_bytes(Some(header.key)) + nullable_bytes(header.value)).sum();
        1 + varint_bytes(timestamp_delta)
            + varint_bytes(i64::from(self.record_count))
            + nullable_bytes(record.key)
            + nullable_bytes(record.value)
            + varint_bytes(wide(record.headers.len()))
            + headers
    }
}

/// A closed batch, compressed, that waits for its sequence.
#[derive(Debug)]
pub struct SealedBatch {
    buffer: Vec<u8>,
    codec: Codec,
    record_count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl SealedBatch {
    /// How many records it holds.
    #[must_use]
    pub const fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Its size in bytes, header included.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The newest timestamp in it, in milliseconds since 1970.
    #[must_use]
    pub const fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// Writes the header and its checksum: the batch as it goes over the wire.
    #[must_use]
    pub fn stamp(self, producer: Option<ProducerStamp>, flags: BatchFlags) -> Bytes {
        let Self { mut buffer, codec, record_count, base_timestamp, max_timestamp } = self;
        batch::write_header(
            &mut buffer,
            batch::NewHeader { codec, flags, producer, record_count, base_timestamp, max_timestamp },
        );
        Bytes::from(buffer)
    }
}

fn put_nullable(buffer: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(buffer, -1),
        Some(bytes) => {
            put_varint(buffer, wide(bytes.len()));
            buffer.extend_from_slice(bytes);
        }
    }
}

fn nullable_bytes(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_bytes(wide(bytes.len())) + bytes.len())
}

/// A length in memory, which fits in 63 bits.
fn wide(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
