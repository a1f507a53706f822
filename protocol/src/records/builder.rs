//! Appends records to a batch, each encoded once, straight into the batch's one buffer.
//!
//! The producer's accumulator holds a [`BatchBuilder`] per partition; a closed one is sealed off the lock (that is
//! where compression happens) and stamped when its sequence is known.

#![expect(clippy::arithmetic_side_effects, reason = "writes only, and adds up lengths of what is in memory")]

use bytes::Bytes;

use super::batch::{self, HEADER_BYTES};
use super::cursor::{put_varint, varint_bytes, zigzag};
use super::record::{Header, Record};
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
    /// Room for the header, then the encoded records up to `end`, then anything: room for more.
    buffer: Vec<u8>,
    end: usize,
    record_count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
}

/// What a buffer needs beside the bytes of a batch, so that what is written at its end may be a whole word.
pub const BATCH_SLACK_BYTES: usize = WORD_BYTES;

impl BatchBuilder {
    /// An empty batch whose buffer holds `capacity_bytes` before it grows.
    #[must_use]
    pub fn new(capacity_bytes: usize) -> Self {
        Self::in_buffer(vec![0; capacity_bytes])
    }

    /// An empty batch in a buffer that was used before: all of its length is room, whatever is in it.
    #[must_use]
    pub fn in_buffer(mut buffer: Vec<u8>) -> Self {
        if buffer.len() < HEADER_BYTES {
            buffer.resize(HEADER_BYTES, 0);
        }
        Self { buffer, end: HEADER_BYTES, record_count: 0, base_timestamp: 0, max_timestamp: 0 }
    }

    /// How many [`bytes`](Self::bytes) the batch may have before its buffer grows.
    #[must_use]
    #[inline]
    pub const fn capacity_bytes(&self) -> usize {
        self.buffer.len().saturating_sub(BATCH_SLACK_BYTES)
    }

    /// Goes on in another buffer, which has to be larger than the batch; the one before is given back.
    #[must_use]
    pub fn move_to(&mut self, mut buffer: Vec<u8>) -> Vec<u8> {
        let written = self.buffer.get(..self.end).unwrap_or_default();
        match buffer.get_mut(..self.end) {
            Some(room) => room.copy_from_slice(written),
            None => buffer = written.to_vec(),
        }
        std::mem::replace(&mut self.buffer, buffer)
    }

    /// Encodes a record at the end of the batch; returns its index in the batch.
    ///
    /// Made to become part of the caller's loop: what is known there, such as that there are no headers, then takes no
    /// time here.
    #[inline]
    pub fn append(&mut self, record: &NewRecord<'_>) -> u32 {
        let index = self.record_count;
        if index == 0 {
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        let fields = self.fields(record);
        let length = Varint::of_length(fields.length_bytes);
        let start = self.end;
        self.end += length.bytes + fields.length_bytes;
        if self.buffer.len() < self.end + WORD_BYTES {
            self.grow();
        }
        let buffer = &mut self.buffer[..];
        let at = put_pair(buffer, start, length, ATTRIBUTES_BYTES, fields.timestamp_delta);
        if fields.timestamp_delta.bytes > WORD_BYTES {
            let delta = record.timestamp.wrapping_sub(self.base_timestamp);
            put_varint(buffer.get_mut(start + length.bytes + ATTRIBUTES_BYTES..).unwrap_or_default(), delta);
        }
        let at = put_pair(buffer, at, fields.offset_delta, 0, fields.key_length);
        let at = put_bytes(buffer, at, record.key);
        let at = put(buffer, at, fields.value_length);
        let at = put_bytes(buffer, at, record.value);
        let mut at = put(buffer, at, fields.header_count);
        for header in record.headers {
            for part in [Some(header.key), header.value] {
                at = put(buffer, at, nullable(part).0);
                at = put_bytes(buffer, at, part);
            }
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.record_count += 1;
        index
    }

    /// Makes room for what ends at `end`, and for as much again.
    #[cold]
    fn grow(&mut self) {
        self.buffer.resize(2 * self.end + WORD_BYTES, 0);
    }

    /// The size of the batch in bytes, uncompressed and with its header, if this record were appended.
    #[must_use]
    pub fn bytes_with(&self, record: &NewRecord<'_>) -> usize {
        let length = self.fields(record).length_bytes;
        self.end + Varint::of_length(length).bytes + length
    }

    /// The size of the batch in bytes, uncompressed and with its header.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.end
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
        self.seal_apart(compression).0
    }

    /// [`seal`](Self::seal) that gives the buffer back at once when the compressed batch is in one of its own.
    #[must_use]
    pub fn seal_apart(self, compression: impl Into<Compression>) -> (SealedBatch, Option<Vec<u8>>) {
        let Self { buffer, end, record_count, base_timestamp, max_timestamp } = self;
        let sealed =
            |buffer, end, codec| SealedBatch { buffer, end, codec, record_count, base_timestamp, max_timestamp };
        let compression = compression.into();
        if let (true, Some(records)) =
            (compression.codec() != Codec::None && record_count > 0, buffer.get(HEADER_BYTES..end))
        {
            let mut compressed = vec![0; HEADER_BYTES];
            let done = compression::compress(compression, records, &mut compressed);
            if done.is_ok() && compressed.len() < end {
                let end = compressed.len();
                return (sealed(compressed, end, compression.codec()), Some(buffer));
            }
        }
        (sealed(buffer, end, Codec::None), None)
    }

    /// The small fields of a record that would come next.
    #[inline]
    fn fields(&self, record: &NewRecord<'_>) -> Fields {
        let timestamp_delta = if self.is_empty() { 0 } else { record.timestamp.wrapping_sub(self.base_timestamp) };
        let timestamp_delta = Varint::of(timestamp_delta);
        let offset_delta = Varint::of(i64::from(self.record_count));
        let (key_length, key_bytes) = nullable(record.key);
        let (value_length, value_bytes) = nullable(record.value);
        let header_count = Varint::of_length(record.headers.len());
        let mut length_bytes = ATTRIBUTES_BYTES
            + timestamp_delta.bytes
            + offset_delta.bytes
            + key_length.bytes
            + key_bytes
            + value_length.bytes
            + value_bytes
            + header_count.bytes;
        for header in record.headers {
            for (length, bytes) in [nullable(Some(header.key)), nullable(header.value)] {
                length_bytes += length.bytes + bytes;
            }
        }
        Fields { length_bytes, timestamp_delta, offset_delta, key_length, value_length, header_count }
    }
}

/// What stands in a record beside its key, its value and its headers.
struct Fields {
    /// The bytes of the record behind its length.
    length_bytes: usize,
    timestamp_delta: Varint,
    offset_delta: Varint,
    key_length: Varint,
    value_length: Varint,
    header_count: Varint,
}

/// A closed batch, compressed, that waits for its sequence.
#[derive(Debug)]
pub struct SealedBatch {
    /// The batch up to `end`, then anything.
    buffer: Vec<u8>,
    end: usize,
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
        self.end
    }

    /// The newest timestamp in it, in milliseconds since 1970.
    #[must_use]
    pub const fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// Writes the header and its checksum: the batch as it goes over the wire.
    #[must_use]
    pub fn stamp(self, producer: Option<ProducerStamp>, flags: BatchFlags) -> Bytes {
        let (mut buffer, end) = self.stamp_in_place(producer, flags);
        buffer.truncate(end);
        Bytes::from(buffer)
    }

    /// [`stamp`](Self::stamp) that leaves the batch in its buffer, for one who uses the buffer again: how much of it is
    /// the batch.
    #[must_use]
    pub fn stamp_in_place(self, producer: Option<ProducerStamp>, flags: BatchFlags) -> (Vec<u8>, usize) {
        let Self { mut buffer, end, codec, record_count, base_timestamp, max_timestamp } = self;
        if let Some(batch) = buffer.get_mut(..end) {
            batch::write_header(
                batch,
                batch::NewHeader { codec, flags, producer, record_count, base_timestamp, max_timestamp },
            );
        }
        (buffer, end)
    }
}

/// The count of headers, when there are none.
const NO_HEADERS_BYTES: usize = 1;

/// A record's attributes: none are defined.
const ATTRIBUTES_BYTES: usize = 1;

/// What [`put`] writes, whatever of it counts.
const WORD_BYTES: usize = 8;

/// A varint that will be written, in one move: byte by byte, each would be a question whether there is room.
#[derive(Clone, Copy)]
struct Varint {
    /// Its bytes, the first one lowest, when they are no more than a word has.
    word: u64,
    bytes: usize,
}

impl Varint {
    #[inline]
    fn of(value: i64) -> Self {
        match zigzag(value) {
            zigzag @ 0..0x80 => Self { word: zigzag, bytes: 1 },
            zigzag @ 0x80..0x4000 => Self { word: zigzag & 0x7f | (zigzag & 0x3f80) << 1 | 0x80, bytes: 2 },
            _ => Self::of_large(value),
        }
    }

    #[cold]
    fn of_large(value: i64) -> Self {
        let zigzag = zigzag(value);
        // Groups of seven bits are spread to bytes: halves, quarters, eighths.
        let word = zigzag & 0x0fff_ffff | (zigzag & 0x00ff_ffff_f000_0000) << 4;
        let word = word & 0x0000_3fff_0000_3fff | (word & 0x0fff_c000_0fff_c000) << 2;
        let word = word & 0x007f_007f_007f_007f | (word & 0x3f80_3f80_3f80_3f80) << 1;
        let bytes = varint_bytes(value);
        let continued = 0x8080_8080_8080_8080 & !(u64::MAX << (8 * (bytes - 1)).min(56));
        Self { word: word | continued, bytes }
    }

    #[inline]
    fn of_length(length: usize) -> Self {
        Self::of(wide(length))
    }
}

/// Writes a varint into room that was made for it, and returns where it ends.
#[inline]
fn put(buffer: &mut [u8], at: usize, varint: Varint) -> usize {
    put_word(buffer, at, varint.word);
    at + varint.bytes
}

/// Writes two varints, so many bytes of 0 between them, and returns where they end.
#[inline]
fn put_pair(buffer: &mut [u8], at: usize, first: Varint, zeros: usize, second: Varint) -> usize {
    let between = first.bytes + zeros;
    if between + second.bytes <= WORD_BYTES {
        put_word(buffer, at, first.word | second.word << (8 * between));
    } else {
        put_word(buffer, at, first.word);
        put_word(buffer, at + between, second.word);
    }
    at + between + second.bytes
}

#[inline]
fn put_word(buffer: &mut [u8], at: usize, word: u64) {
    if let Some(room) = buffer.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *room = word.to_le_bytes();
    }
}

#[inline]
fn put_bytes(buffer: &mut [u8], at: usize, bytes: Option<&[u8]>) -> usize {
    let Some(bytes) = bytes else { return at };
    if let Some(room) = buffer.get_mut(at..at + bytes.len()) {
        room.copy_from_slice(bytes);
    }
    at + bytes.len()
}

/// Appends a record without headers: what an old message becomes.
pub(super) fn put_record(
    buffer: &mut Vec<u8>,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) {
    let (key_length, value_length) = (nullable(key).0, nullable(value).0);
    let lengths = [timestamp_delta, offset_delta.into()].map(|delta| Varint::of(delta).bytes);
    let [timestamp_bytes, offset_bytes] = lengths;
    let bytes = [key, value].iter().flatten().map(|bytes| bytes.len()).sum::<usize>();
    let length = ATTRIBUTES_BYTES
        + timestamp_bytes
        + offset_bytes
        + key_length.bytes
        + value_length.bytes
        + bytes
        + NO_HEADERS_BYTES;
    append_varint(buffer, wide(length));
    buffer.push(0);
    append_varint(buffer, timestamp_delta);
    append_varint(buffer, offset_delta.into());
    for part in [key, value] {
        append_varint(buffer, part.map_or(-1, |bytes| wide(bytes.len())));
        buffer.extend_from_slice(part.unwrap_or_default());
    }
    append_varint(buffer, 0);
}

/// Appends a record that was read, with other deltas.
pub(super) fn put_kept_record(buffer: &mut Vec<u8>, timestamp_delta: i64, offset_delta: i64, record: &Record<'_>) {
    let headers = record.headers();
    let header_count = Varint::of_length(headers.count());
    let parts = [record.key, record.value];
    let mut length = ATTRIBUTES_BYTES + header_count.bytes + headers.as_bytes().len();
    length += [timestamp_delta, offset_delta].into_iter().map(varint_bytes).sum::<usize>();
    length += parts.iter().map(|part| nullable(*part).0.bytes + part.map_or(0, <[u8]>::len)).sum::<usize>();
    append_varint(buffer, wide(length));
    buffer.push(0);
    append_varint(buffer, timestamp_delta);
    append_varint(buffer, offset_delta);
    for part in parts {
        append_varint(buffer, part.map_or(-1, |bytes| wide(bytes.len())));
        buffer.extend_from_slice(part.unwrap_or_default());
    }
    append_varint(buffer, wide(headers.count()));
    buffer.extend_from_slice(headers.as_bytes());
}

fn append_varint(buffer: &mut Vec<u8>, value: i64) {
    let start = buffer.len();
    buffer.resize(start + varint_bytes(value), 0);
    put_varint(buffer.get_mut(start..).unwrap_or_default(), value);
}

/// The length as it stands before the bytes, -1 for null, and how many bytes follow.
#[inline]
fn nullable(bytes: Option<&[u8]>) -> (Varint, usize) {
    match bytes {
        None => (Varint::of(-1), 0),
        Some(bytes) => (Varint::of_length(bytes.len()), bytes.len()),
    }
}

/// A length in memory, which fits in 63 bits.
fn wide(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::*;

    #[test]
    fn varints_as_words_are_those_written_byte_by_byte() {
        for shift in 0..56 {
            for value in [(1i64 << shift) - 1, 1 << shift, -(1 << shift), (1 << shift) + 1] {
                let varint = Varint::of(value);
                if varint.bytes <= WORD_BYTES {
                    let mut expected = [0; 10];
                    put_varint(&mut expected, value);
                    assert_eq!(varint.word.to_le_bytes(), expected[..8], "{value}");
                    assert_eq!(Cursor::new(&expected).varlong(), Ok(value));
                }
            }
        }
    }
}
