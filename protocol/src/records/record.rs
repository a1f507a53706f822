//! One record, as a view into its batch.
//!
//! [`batch`](super::batch) hands out the iterator; nothing here allocates.

use super::batch::{BatchHeader, TimestampType};
use super::cursor::{Cursor, Reason};
use crate::error::DecodeError;

/// A header of a record. Keys are bytes and may repeat: Kafka promises neither UTF-8 nor uniqueness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a header is a key and a value, in the format since magic 2")]
pub struct Header<'a> {
    /// Its name.
    pub key: &'a [u8],
    /// Its value; `None` is null.
    pub value: Option<&'a [u8]>,
}

/// A record in an open batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// Where it lies in the partition.
    pub offset: i64,
    /// Milliseconds since 1970: when it was created, or when it was appended if the topic says so.
    pub timestamp: i64,
    /// Its key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is null.
    pub value: Option<&'a [u8]>,
    headers: HeaderIter<'a>,
}

impl<'a> Record<'a> {
    /// Its headers, in the order they were written.
    #[must_use]
    pub const fn headers(&self) -> HeaderIter<'a> {
        self.headers
    }
}

/// The headers of a record, checked when the record was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderIter<'a> {
    bytes: &'a [u8],
}

impl<'a> HeaderIter<'a> {
    /// The headers as they lie in the batch, without their count: a slice to keep beside key and value.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The headers that [`HeaderIter::as_bytes`] gave. Bytes from elsewhere end the iteration where they stop
    /// making sense.
    #[must_use]
    pub const fn from_bytes(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = Cursor::new(self.bytes);
        let key = cursor.nullable_bytes().ok()??;
        let value = cursor.nullable_bytes().ok()?;
        self.bytes = cursor.rest();
        Some(Header { key, value })
    }
}

/// The records of an open batch. Ends after the first error.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    header: &'a BatchHeader,
    /// The time of all of them, where the broker's clock sets it.
    log_append_time: Option<i64>,
    length: usize,
    cursor: Cursor<'a>,
    left: u32,
}

impl<'a> Records<'a> {
    pub(super) const fn new(header: &'a BatchHeader, body: &'a [u8], count: u32) -> Self {
        let log_append_time = match header.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(header.max_timestamp),
        };
        Self { header, log_append_time, length: body.len(), cursor: Cursor::new(body), left: count }
    }

    #[inline]
    fn read(&mut self) -> Result<Record<'a>, Reason> {
        let Start { timestamp_delta, offset_delta, rest: mut record } = match self.short_start() {
            Some(start) => start,
            None => self.start()?,
        };
        if !(0..=i64::from(self.header.last_offset_delta)).contains(&offset_delta) {
            return Err("an offset delta outside the batch");
        }
        let offset = self.header.base_offset.checked_add(offset_delta).ok_or("the offset overflows")?;
        let timestamp = match self.log_append_time {
            None => self.header.base_timestamp.checked_add(timestamp_delta).ok_or("the timestamp overflows")?,
            Some(time) => time,
        };
        let key = record.nullable_bytes()?;
        let value = record.nullable_bytes()?;
        if let [0, none @ ..] = record.rest()
            && none.is_empty()
        {
            return Ok(Record { offset, timestamp, key, value, headers: HeaderIter { bytes: none } });
        }
        let count = u32::try_from(record.varint()?).map_err(|_| "a negative count of headers")?;
        let headers = HeaderIter { bytes: record.rest() };
        for _ in 0..count {
            record.nullable_bytes()?.ok_or("a header without a key")?;
            record.nullable_bytes()?;
        }
        if !record.rest().is_empty() {
            return Err("bytes behind the last header");
        }
        Ok(Record { offset, timestamp, key, value, headers })
    }

    /// The start of a record, read as one word, if it is as short as that of most records and nothing is wrong with it.
    #[inline]
    fn short_start(&mut self) -> Option<Start<'a>> {
        // Two bytes at the most for each of the three numbers, and one for the attributes.
        let mut word = self.cursor.word()?;
        let length = usize::try_from(word.short_varint()?).ok()?;
        let length_bytes = word.used();
        word.skip_byte();
        let timestamp_delta = word.short_varint()?;
        let offset_delta = word.short_varint()?;
        let (record, behind) = self.cursor.rest().split_at_checked(length.checked_add(length_bytes)?)?;
        let rest = Cursor::new(record.get(word.used()..)?);
        self.cursor = Cursor::new(behind);
        Some(Start { timestamp_delta, offset_delta, rest })
    }

    /// The start of any record.
    fn start(&mut self) -> Result<Start<'a>, Reason> {
        let length = usize::try_from(self.cursor.varint()?).map_err(|_| "a record of negative length")?;
        let mut rest = Cursor::new(self.cursor.take(length)?);
        let _attributes = rest.byte()?;
        Ok(Start { timestamp_delta: rest.varlong()?, offset_delta: rest.varint()?.into(), rest })
    }

    #[cold]
    fn refuse(&mut self, reason: Reason) -> DecodeError {
        let at = self.length.saturating_sub(self.cursor.rest().len());
        let record = self.header.record_count.saturating_sub_unsigned(self.left);
        self.left = 0;
        self.cursor = Cursor::new(&[]);
        DecodeError::new(at, reason).in_field(format!("records[{record}]"))
    }
}

/// The first fields of a record, and what is behind them.
struct Start<'a> {
    timestamp_delta: i64,
    offset_delta: i64,
    rest: Cursor<'a>,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            if self.cursor.rest().is_empty() {
                return None;
            }
            return Some(Err(self.refuse("bytes behind the last record")));
        }
        match self.read() {
            Ok(record) => {
                self.left = self.left.saturating_sub(1);
                Some(Ok(record))
            }
            Err(reason) => Some(Err(self.refuse(reason))),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The count is the batch's own claim: an upper bound only as far as there are bytes behind it.
        (0, Some(self.cursor.rest().len().saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{BatchBuilder, BatchFlags, NewRecord, RecordBatches};
    use super::*;
    use crate::compression::Codec;

    fn header() -> BatchHeader {
        let mut builder = BatchBuilder::new(0);
        builder.append(&NewRecord { timestamp: 0, key: None, value: None, headers: &[] });
        let batch = builder.seal(Codec::None).stamp(None, BatchFlags::default());
        RecordBatches::new(batch).next().unwrap().unwrap().header().clone()
    }

    proptest! {
        /// Bytes as they stand at the start of records, most of them short and some of them wrong.
        #[test]
        fn a_start_read_as_a_word_is_the_one_read_byte_by_byte(
            bytes in prop::collection::vec(prop_oneof![Just(0_u8), 0..=127_u8, any::<u8>()], 0..80),
        ) {
            let header = header();
            let (mut short, mut any) = (Records::new(&header, &bytes, 1), Records::new(&header, &bytes, 1));
            if let Some(short_start) = short.short_start() {
                let start = any.start().unwrap();
                prop_assert_eq!(short_start.timestamp_delta, start.timestamp_delta);
                prop_assert_eq!(short_start.offset_delta, start.offset_delta);
                prop_assert_eq!(short_start.rest.rest(), start.rest.rest());
                prop_assert_eq!(short.cursor.rest(), any.cursor.rest());
            } else {
                // Where it is not read, nothing is taken.
                prop_assert_eq!(short.cursor.rest(), &bytes[..]);
            }
        }
    }

    #[test]
    fn the_start_of_a_common_record_is_read_as_a_word() {
        let header = header();
        for length in [20, 63, 64, 8000] {
            let mut builder = BatchBuilder::new(0);
            builder.append(&NewRecord { timestamp: 0, key: None, value: Some(&vec![7; length]), headers: &[] });
            let batch = builder.seal(Codec::None).stamp(None, BatchFlags::default());
            assert!(Records::new(&header, &batch[61..], 1).short_start().is_some(), "{length}");
        }
        assert!(Records::new(&header, &[0x0c, 0, 0, 0, 1, 1, 0], 1).short_start().is_none());
    }
}
