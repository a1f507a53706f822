//! Message sets of the formats before record batches (magic 0 and 1), read only: logs that old brokers wrote still hold
//! them.
//!
//! [`batch`](super::batch) splits a records field, whatever formats are mixed in it, and asks here about each old message.
//! A message stands for a batch: alone, or, if it is compressed, as the wrapper of a message set in its value. Opened, it
//! becomes the records of today's format, so that nothing behind it needs to know of the old ones.
//!
//! Source: Kafka's protocol documentation, section *Old Message Format*; KIP-31 (relative offsets) and KIP-32 (timestamps).

use bytes::{Buf, Bytes};

use super::batch::{BatchHeader, PREFIX_BYTES};
use super::builder::put_record;
use crate::compression::{self, Codec, InflateLimits};
use crate::error::DecodeError;

/// Offset and size of a message.
const CRC_AT: usize = PREFIX_BYTES;
const CHECKED_FROM: usize = CRC_AT + 4;
/// Checksum, magic, attributes, and the lengths of key and value.
const MESSAGE_BYTES_MIN: usize = 14;
const TIMESTAMP_BYTES: usize = 8;

/// Codec and, since magic 1, whose clock the timestamp is from: at the same place as in today's attributes.
const ATTRIBUTES_MASK: i16 = 0b1111;
const CODEC_MASK: i16 = 0b111;
const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
/// What a message of magic 0 has for a timestamp.
const NO_TIMESTAMP: i64 = -1;

/// Whether a message may be of this length, by its own claim.
pub(super) const fn is_long_enough(magic: i8, length: usize) -> bool {
    length >= if magic > 0 { MESSAGE_BYTES_MIN + TIMESTAMP_BYTES } else { MESSAGE_BYTES_MIN }
}

/// The header that today's format would have for a whole message.
///
/// What is inside a wrapper is not known before it is inflated: until then it counts as the one record of its offset,
/// which is that of its last.
pub(super) fn header(bytes: &[u8]) -> Result<BatchHeader, DecodeError> {
    let message = Message::read(bytes).map_err(|(field, reason)| DecodeError::new(0, reason).in_field(field))?;
    if message.offset < 0 || message.offset == i64::MAX {
        let reason = format!("offsets from {} on cannot be", message.offset);
        return Err(DecodeError::new(0, reason).in_field("base_offset"));
    }
    Ok(message.header(bytes.len()))
}

/// The records of a whole message as today's format has them, behind the header that fits them.
pub(super) fn open(bytes: &Bytes, limits: InflateLimits) -> Result<(BatchHeader, Bytes), DecodeError> {
    let refuse = |(field, reason): Refusal| DecodeError::new(0, reason).in_field(field);
    let outer = Message::read(bytes).map_err(refuse)?;
    let mut header = outer.header(bytes.len());
    if outer.attributes & CODEC_MASK == 0 {
        let mut records = Vec::with_capacity(bytes.len());
        put_record(&mut records, 0, 0, outer.key, outer.value);
        return Ok((header, Bytes::from(records)));
    }
    let codec = header.codec()?;
    if codec == Codec::Zstd {
        return Err(refuse(("attributes", "the codec zstd, which came after this format (KIP-110)".to_owned())));
    }
    let value = outer.value.ok_or_else(|| refuse(("value", "a wrapper around nothing (null)".to_owned())))?;
    let value = bytes.slice_ref(value);
    // The set and the records that are made of it are there at the same time.
    let limits = limits.halved();
    // With magic 0, Kafka's clients took the frame's magic number into its checksum (KAFKA-3160): it says nothing there.
    let limits = if outer.magic == 0 { limits.any_lz4_header_checksum() } else { limits };
    let set = compression::decompress(codec, &value, limits)?;
    let records = inner_records(&outer, &set, &mut header, limits.bytes()).map_err(refuse)?;
    // As it lies here, nothing is compressed any more.
    header.attributes &= !CODEC_MASK;
    Ok((header, records))
}

/// Turns the messages in a wrapper into records, and makes the header fit them.
fn inner_records(
    outer: &Message<'_>,
    set: &[u8],
    header: &mut BatchHeader,
    bytes_max: usize,
) -> Result<Bytes, Refusal> {
    let refuse = |field: &'static str, reason: &str| Err((field, reason.to_owned()));
    let Some(last) = Messages { rest: set }.last() else {
        return refuse("value", "a wrapper around no message");
    };
    // In magic 1 inner offsets count from the first message; the wrapper has the last one's true offset. Some producers
    // leave it 0, which then is the first one's.
    let shift = match (outer.magic, outer.offset) {
        (0, _) | (_, 0) => 0,
        (_, offset) => offset.checked_sub(last?.offset).filter(|shift| *shift >= 0).ok_or_else(|| {
            ("base_offset", format!("the wrapper's offset {offset} is lower than that of a message in it"))
        })?,
    };
    let mut records = Vec::with_capacity(set.len());
    let mut count: i32 = 0;
    let (mut base_offset, mut last_offset, mut newest) = (0, outer.offset, NO_TIMESTAMP);
    for message in (Messages { rest: set }) {
        let message = message?;
        if message.magic != outer.magic {
            return refuse("magic", "a message of another format than its wrapper");
        }
        if message.attributes & CODEC_MASK != 0 {
            return refuse("attributes", "a wrapper in a wrapper");
        }
        let offset = message.offset.checked_add(shift).filter(|offset| (0..i64::MAX).contains(offset));
        let Some(offset) = offset else {
            return refuse("base_offset", "the offset of a message in a wrapper overflows");
        };
        if count == 0 {
            base_offset = offset;
            header.base_timestamp = message.timestamp;
        } else if offset <= last_offset {
            return refuse("base_offset", "offsets of messages in a wrapper go back");
        }
        last_offset = offset;
        newest = newest.max(message.timestamp);
        let Some(delta) = offset.checked_sub(base_offset).and_then(|delta| i32::try_from(delta).ok()) else {
            return refuse("base_offset", "offsets of messages in a wrapper are too far from each other");
        };
        let Some(since) = message.timestamp.checked_sub(header.base_timestamp) else {
            return refuse("timestamp", "timestamps of messages in a wrapper are too far from each other");
        };
        put_record(&mut records, since, delta, message.key, message.value);
        if records.len() > bytes_max {
            return Err(("value", format!("the records take more than the limit of {bytes_max} bytes")));
        }
        count = count.saturating_add(1);
    }
    if last_offset > outer.offset && outer.offset != 0 {
        return refuse("base_offset", "a message in a wrapper has a higher offset than the wrapper");
    }
    let last_offset = last_offset.max(outer.offset);
    header.base_offset = base_offset;
    header.record_count = count;
    let delta = last_offset.checked_sub(base_offset).and_then(|delta| i32::try_from(delta).ok());
    header.last_offset_delta =
        delta.ok_or_else(|| ("base_offset", "the wrapper's offset is too far from its first message".to_owned()))?;
    if !outer.is_log_append_time() {
        header.max_timestamp = newest;
    }
    Ok(Bytes::from(records))
}

/// The field that is wrong, and why.
type Refusal = (&'static str, String);

/// One message, its checksum verified.
struct Message<'a> {
    offset: i64,
    crc: u32,
    magic: i8,
    attributes: i16,
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// Reads a message that is all of the bytes.
    fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let refuse = |field: &'static str, reason: &str| Err((field, reason.to_owned()));
        let mut rest = bytes;
        if rest.len() < PREFIX_BYTES + MESSAGE_BYTES_MIN {
            return refuse("batch_length", "a message has no room for its fields");
        }
        let offset = rest.get_i64();
        let _length = rest.get_i32();
        let crc = rest.get_u32();
        let actual = crc32fast::hash(bytes.get(CHECKED_FROM..).unwrap_or_default());
        if crc != actual {
            return Err(("crc", format!("the checksum is {crc:#010x}, the bytes have {actual:#010x}")));
        }
        let magic = rest.get_i8();
        let attributes = i16::from(rest.get_i8()) & ATTRIBUTES_MASK;
        let (attributes, timestamp) = match magic {
            0 => (attributes & CODEC_MASK, NO_TIMESTAMP),
            1 if rest.len() >= TIMESTAMP_BYTES => (attributes, rest.get_i64()),
            1 => return refuse("timestamp", "a message has no room for its timestamp"),
            _ => return Err(("magic", format!("record format {magic} in a message set"))),
        };
        let key = nullable(&mut rest).map_err(|reason| ("key", reason.to_owned()))?;
        let value = nullable(&mut rest).map_err(|reason| ("value", reason.to_owned()))?;
        if !rest.is_empty() {
            return refuse("value", "bytes behind the value of a message");
        }
        Ok(Self { offset, crc, magic, attributes, timestamp, key, value })
    }

    const fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME_BIT != 0
    }

    fn header(&self, bytes: usize) -> BatchHeader {
        BatchHeader {
            magic: self.magic,
            base_offset: self.offset,
            batch_length: i32::try_from(bytes.saturating_sub(PREFIX_BYTES)).unwrap_or(i32::MAX),
            partition_leader_epoch: -1,
            crc: self.crc,
            attributes: self.attributes,
            last_offset_delta: 0,
            base_timestamp: self.timestamp,
            max_timestamp: self.timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 1,
        }
    }
}

/// The messages in a wrapper, which are whole: nobody cuts what was compressed. Ends after the first error.
struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let length = self.rest.get(8..).and_then(|rest| rest.first_chunk()).map(|length| i32::from_be_bytes(*length));
        let end = length.and_then(|length| usize::try_from(length).ok()).and_then(|end| end.checked_add(PREFIX_BYTES));
        let message = end.and_then(|end| self.rest.split_at_checked(end));
        let Some((message, rest)) = message else {
            self.rest = &[];
            return Some(Err(("batch_length", "a message in a wrapper is cut short".to_owned())));
        };
        let message = Message::read(message);
        self.rest = if message.is_ok() { rest } else { &[] };
        Some(message)
    }
}

/// A length of 32 bits and that many bytes; `None` for the length -1.
fn nullable<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let (length, behind) = rest.split_first_chunk().ok_or("the bytes end too early")?;
    let length = i32::from_be_bytes(*length);
    *rest = behind;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| "a negative length")?;
    let (bytes, behind) = behind.split_at_checked(length).ok_or("a length reaches past the end")?;
    *rest = behind;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests;
