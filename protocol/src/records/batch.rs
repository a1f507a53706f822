//! A record batch: its header, its checksum, and what a broker changes when it appends one.
//!
//! The consumer's fetcher and the broker's log split records fields with [`RecordBatches`]; the
//! [`builder`](super::builder) writes its header with `write_header`.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::builder::{BatchFlags, ProducerStamp};
use super::legacy;
use super::record::Records;
use crate::compression::{self, Codec, InflateLimits};
use crate::error::DecodeError;

/// The bytes in front of the records.
pub(super) const HEADER_BYTES: usize = 61;

/// Base offset and batch length: what must be read to know where a batch ends.
pub(super) const PREFIX_BYTES: usize = 12;
const MAGIC_AT: usize = 16;
/// The checksum covers everything from here on; offset and leader epoch lie before it, so a broker may set them.
const CHECKED_FROM: usize = 21;
const MAGIC: i8 = 2;

const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
const TRANSACTIONAL_BIT: i16 = 1 << 4;
const CONTROL_BIT: i16 = 1 << 5;
const DELETE_HORIZON_BIT: i16 = 1 << 6;
const CODEC_BITS: i16 = 0b111;

/// The header of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchHeader {
    /// The format: 2, or 0 or 1 when this stands for a message of a time before batches. Of such a message, what the
    /// fields below say is what a batch of today would say; what is in a compressed one counts as one record of its last
    /// offset until it is [opened](RecordBatch::open).
    pub magic: i8,
    /// The offset of the first record written; after compaction that record may be gone.
    pub base_offset: i64,
    /// The bytes behind this field.
    pub batch_length: i32,
    /// The epoch of the leader that appended it, -1 before that.
    pub partition_leader_epoch: i32,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: i16,
    /// The offset of the last record written, less [`base_offset`](Self::base_offset).
    pub last_offset_delta: i32,
    /// The timestamp that the records' deltas count from, in milliseconds since 1970.
    pub base_timestamp: i64,
    /// The newest timestamp, or the time of the append, in milliseconds since 1970.
    pub max_timestamp: i64,
    /// -1 without idempotence.
    pub producer_id: i64,
    /// -1 without idempotence.
    pub producer_epoch: i16,
    /// -1 without idempotence.
    pub base_sequence: i32,
    /// How many records it holds.
    pub record_count: i32,
}

/// Whose clock the timestamps of a batch come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one bit")]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, the same for the whole batch.
    LogAppendTime,
}

impl BatchHeader {
    /// The codec of the records.
    ///
    /// # Errors
    /// When the codec is unknown, or not one this build reads.
    pub fn codec(&self) -> Result<Codec, DecodeError> {
        Codec::from_attributes(self.attributes)
            .map_err(|reason| DecodeError::new(CHECKED_FROM, reason).in_field("attributes"))
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether the batch holds a [marker](super::control) instead of records.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whose clock the timestamps come from.
    #[must_use]
    pub const fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// From when on, in milliseconds since 1970, compaction may remove the tombstones in the batch, or the marker that it
    /// is (KIP-534); none before it was compacted for the first time. It stands where the base timestamp does.
    #[must_use]
    pub const fn delete_horizon_ms(&self) -> Option<i64> {
        if self.attributes & DELETE_HORIZON_BIT == 0 { None } else { Some(self.base_timestamp) }
    }

    /// The offset of the last record written. Checked not to overflow when the batch was split off.
    #[must_use]
    pub const fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(self.last_offset_delta as i64)
    }

    /// The offset behind the batch: where to read on.
    #[must_use]
    pub const fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Reads the header of a batch of which [`HEADER_BYTES`] are there.
    fn read(mut bytes: &[u8]) -> Self {
        let base_offset = bytes.get_i64();
        let batch_length = bytes.get_i32();
        let partition_leader_epoch = bytes.get_i32();
        let magic = bytes.get_i8();
        Self {
            magic,
            base_offset,
            batch_length,
            partition_leader_epoch,
            crc: bytes.get_u32(),
            attributes: bytes.get_i16(),
            last_offset_delta: bytes.get_i32(),
            base_timestamp: bytes.get_i64(),
            max_timestamp: bytes.get_i64(),
            producer_id: bytes.get_i64(),
            producer_epoch: bytes.get_i16(),
            base_sequence: bytes.get_i32(),
            record_count: bytes.get_i32(),
        }
    }
}

/// The batches of a records field; messages of the formats before (magic 0 and 1) stand for a batch each.
///
/// A batch whose checksum, lengths or offsets lie is an error, after which the iteration ends. A batch cut short at the
/// end is how a broker fills a fetch to its limit: the iteration ends there without an error.
#[derive(Debug, Clone)]
pub struct RecordBatches {
    rest: Bytes,
    offset: usize,
}

impl RecordBatches {
    /// The batches of these bytes.
    #[must_use]
    pub const fn new(records: Bytes) -> Self {
        Self { rest: records, offset: 0 }
    }

    /// The bytes of a batch that was cut short, once the iteration has ended; empty when all were whole.
    #[must_use]
    pub const fn truncated(&self) -> &Bytes {
        &self.rest
    }

    fn split(&mut self) -> Result<Option<RecordBatch>, DecodeError> {
        let refuse = |at: usize, field: &str, reason: String| Err(DecodeError::new(at, reason).in_field(field));
        let start = self.offset;
        let mut prefix = &self.rest[..];
        if prefix.len() < PREFIX_BYTES {
            return Ok(None);
        }
        let _base_offset = prefix.get_i64();
        let batch_length = prefix.get_i32();
        let Some(bytes) = usize::try_from(batch_length).ok().and_then(|length| length.checked_add(PREFIX_BYTES)) else {
            return refuse(start, "batch_length", format!("a batch of negative length ({batch_length})"));
        };
        let magic = match self.rest.get(MAGIC_AT) {
            Some(magic) => magic.cast_signed(),
            None if bytes > self.rest.len() => return Ok(None),
            None => MAGIC,
        };
        let is_long_enough = match magic {
            MAGIC => bytes >= HEADER_BYTES,
            0 | 1 => legacy::is_long_enough(magic, bytes.saturating_sub(PREFIX_BYTES)),
            _ => return refuse(start, "magic", format!("record format {magic} is not supported, only 0 to 2 are")),
        };
        if !is_long_enough {
            return refuse(start, "batch_length", format!("a batch of {bytes} bytes has no room for its header"));
        }
        if bytes > self.rest.len() {
            return Ok(None);
        }
        let bytes = self.rest.split_to(bytes);
        self.offset = self.offset.saturating_add(bytes.len());
        if magic != MAGIC {
            let header = legacy::header(&bytes).map_err(|error| error.at(start))?;
            return Ok(Some(RecordBatch { header, bytes }));
        }
        let header = BatchHeader::read(&bytes);
        let crc = crc32c::crc32c(bytes.get(CHECKED_FROM..).unwrap_or_default());
        if crc != header.crc {
            let reason = format!("the checksum is {:#010x}, the bytes have {crc:#010x}", header.crc);
            return refuse(start, "crc", reason);
        }
        if header.record_count < 0 {
            return refuse(start, "record_count", format!("a negative count of records ({})", header.record_count));
        }
        if header.last_offset_delta < 0 {
            let reason = format!("a negative last offset delta ({})", header.last_offset_delta);
            return refuse(start, "last_offset_delta", reason);
        }
        let end = header.base_offset.checked_add(i64::from(header.last_offset_delta)).and_then(|at| at.checked_add(1));
        if header.base_offset < 0 || end.is_none() {
            return refuse(start, "base_offset", format!("offsets from {} on cannot be", header.base_offset));
        }
        Ok(Some(RecordBatch { header, bytes }))
    }
}

impl Iterator for RecordBatches {
    type Item = Result<RecordBatch, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.split().transpose();
        if let Some(Err(_)) = &batch {
            self.rest = Bytes::new();
        }
        batch
    }
}

/// A whole batch, its checksum verified, its records as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordBatch {
    header: BatchHeader,
    bytes: Bytes,
}

impl RecordBatch {
    /// Its header.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The batch as it came, header included.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Makes the records readable: inflates them, to what `limits` allow, if they are compressed. A number alone is a
    /// limit in bytes.
    ///
    /// # Errors
    /// When the codec is unknown, or the records do not inflate or inflate to more than the limits.
    pub fn open(&self, limits: impl Into<InflateLimits>) -> Result<OpenBatch, DecodeError> {
        let limits = limits.into();
        if self.header.magic != MAGIC {
            let (header, body) = legacy::open(&self.bytes, limits)?;
            return Ok(OpenBatch { header, body });
        }
        let records = self.bytes.slice(HEADER_BYTES.min(self.bytes.len())..);
        let codec = self.header.codec()?;
        // A batch that compaction has emptied keeps its codec and has nothing to inflate.
        let emptied = records.is_empty() && self.header.record_count == 0;
        let body =
            if codec == Codec::None || emptied { records } else { compression::decompress(codec, &records, limits)? };
        Ok(OpenBatch { header: self.header.clone(), body })
    }
}

/// A batch whose records can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBatch {
    header: BatchHeader,
    body: Bytes,
}

impl OpenBatch {
    /// Its header, and of an old message now also what was inside.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The encoded records, uncompressed and in the format of today. The slices of a [`Record`](super::Record) lie in here:
    /// [`Bytes::slice_ref`] keeps one without copying it.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// Its records, read one after the other.
    #[must_use]
    pub fn iter(&self) -> Records<'_> {
        Records::new(&self.header, &self.body, u32::try_from(self.header.record_count).unwrap_or(0))
    }
}

impl<'a> IntoIterator for &'a OpenBatch {
    type Item = Result<super::Record<'a>, DecodeError>;
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What a broker does to a batch on append: sets its offset and leader epoch, which lie outside the checksum, and, where
/// the topic says so, the time of the append, which does not.
#[must_use]
pub fn assign(batch: &RecordBatch, base_offset: i64, leader_epoch: i32, log_append_time: Option<i64>) -> Bytes {
    let mut bytes = BytesMut::from(&batch.bytes[..]);
    assign_in(&mut bytes, base_offset, leader_epoch, log_append_time);
    bytes.freeze()
}

/// [`assign`], to a whole batch that lies where it is to stay, such as at the end of a log.
pub fn assign_in(batch: &mut [u8], base_offset: i64, leader_epoch: i32, log_append_time: Option<i64>) {
    put_at(batch, 0, &base_offset.to_be_bytes());
    put_at(batch, PREFIX_BYTES, &leader_epoch.to_be_bytes());
    if let Some(time) = log_append_time
        && let Some(attributes) = batch.get(CHECKED_FROM..).and_then(|bytes| bytes.first_chunk::<2>())
    {
        let attributes = i16::from_be_bytes(*attributes) | LOG_APPEND_TIME_BIT;
        put_at(batch, CHECKED_FROM, &attributes.to_be_bytes());
        put_at(batch, 35, &time.to_be_bytes());
        checksum(batch);
    }
}

/// A batch with another producer id, epoch and sequence, as after an epoch bump (KIP-360). Copies it.
///
/// # Errors
/// When the bytes are not one whole batch.
pub fn restamp(batch: &Bytes, producer: ProducerStamp) -> Result<Bytes, DecodeError> {
    if batch.len() < HEADER_BYTES {
        return Err(DecodeError::new(0, format!("{} bytes are not a batch", batch.len())));
    }
    let mut bytes = BytesMut::from(&batch[..]);
    put_producer(&mut bytes, producer);
    checksum(&mut bytes);
    Ok(bytes.freeze())
}

/// What the builder knows about a batch.
pub(super) struct NewHeader {
    pub(super) codec: Codec,
    pub(super) flags: BatchFlags,
    pub(super) producer: Option<ProducerStamp>,
    pub(super) record_count: u32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
}

/// Fills the first [`HEADER_BYTES`] of a buffer that holds the records behind them.
pub(super) fn write_header(buffer: &mut [u8], new: NewHeader) {
    const NOBODY: ProducerStamp = ProducerStamp { producer_id: -1, producer_epoch: -1, base_sequence: -1 };
    let mut attributes = new.codec.attributes();
    if new.flags.transactional {
        attributes |= TRANSACTIONAL_BIT;
    }
    if new.flags.control {
        attributes |= CONTROL_BIT;
    }
    let record_count = i32::try_from(new.record_count).unwrap_or(i32::MAX);
    let batch_length = i32::try_from(buffer.len().saturating_sub(PREFIX_BYTES)).unwrap_or(i32::MAX);
    let Some(mut header) = buffer.get_mut(..HEADER_BYTES) else { return };
    header.put_i64(0);
    header.put_i32(batch_length);
    header.put_i32(-1);
    header.put_i8(MAGIC);
    header.put_u32(0);
    header.put_i16(attributes);
    header.put_i32(record_count.saturating_sub(1).max(0));
    header.put_i64(new.base_timestamp);
    header.put_i64(new.max_timestamp);
    header.put_bytes(0, 14);
    header.put_i32(record_count);
    put_producer(buffer, new.producer.unwrap_or(NOBODY));
    checksum(buffer);
}

/// Attributes with another codec and without or with a delete horizon.
pub(super) const fn attributes_with(attributes: i16, codec: Codec, has_delete_horizon: bool) -> i16 {
    let horizon = if has_delete_horizon { DELETE_HORIZON_BIT } else { 0 };
    attributes & !(CODEC_BITS | DELETE_HORIZON_BIT) | codec.attributes() | horizon
}

/// Attributes that say that the timestamps are the producer's.
pub(super) const fn attributes_of_create_time(attributes: i16) -> i16 {
    attributes & !LOG_APPEND_TIME_BIT
}

/// Fills the first [`HEADER_BYTES`] of a buffer with the header that a batch had; its length and checksum are those of
/// the buffer.
pub(super) fn write_again(buffer: &mut [u8], header: &BatchHeader) {
    let batch_length = i32::try_from(buffer.len().saturating_sub(PREFIX_BYTES)).unwrap_or(i32::MAX);
    let Some(mut out) = buffer.get_mut(..HEADER_BYTES) else { return };
    out.put_i64(header.base_offset);
    out.put_i32(batch_length);
    out.put_i32(header.partition_leader_epoch);
    out.put_i8(MAGIC);
    out.put_u32(0);
    out.put_i16(header.attributes);
    out.put_i32(header.last_offset_delta);
    out.put_i64(header.base_timestamp);
    out.put_i64(header.max_timestamp);
    out.put_i64(header.producer_id);
    out.put_i16(header.producer_epoch);
    out.put_i32(header.base_sequence);
    out.put_i32(header.record_count);
    checksum(buffer);
}

fn put_producer(buffer: &mut [u8], producer: ProducerStamp) {
    put_at(buffer, 43, &producer.producer_id.to_be_bytes());
    put_at(buffer, 51, &producer.producer_epoch.to_be_bytes());
    put_at(buffer, 53, &producer.base_sequence.to_be_bytes());
}

fn checksum(buffer: &mut [u8]) {
    let crc = crc32c::crc32c(buffer.get(CHECKED_FROM..).unwrap_or_default());
    put_at(buffer, 17, &crc.to_be_bytes());
}

/// Overwrites a field of the header; the callers have checked that the header is there.
fn put_at(buffer: &mut [u8], at: usize, field: &[u8]) {
    if let Some(room) = buffer.get_mut(at..at.saturating_add(field.len())) {
        room.copy_from_slice(field);
    }
}
