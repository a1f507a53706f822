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
        let length = usize::try_from(self.cursor.varint()?).map_err(|_| "a record of negative length")?;
        let mut record = Cursor::new(self.cursor.take(length)?);
        let _attributes = record.byte()?;
        let timestamp_delta = record.varlong()?;
        let offset_delta = record.varint()?;
        if !(0..=self.header.last_offset_delta).contains(&offset_delta) {
            return Err("an offset delta outside the batch");
        }
        let offset = self.header.base_offset.checked_add(i64::from(offset_delta)).ok_or("the offset overflows")?;
        let timestamp = match self.log_append_time {
            None => self.header.base_timestamp.checked_add(timestamp_delta).ok_or("the timestamp overflows")?,
            Some(time) => time,
        };
        let key = record.nullable_bytes()?;
        let value = record.nullable_bytes()?;
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

    #[cold]
    fn refuse(&mut self, reason: Reason) -> DecodeError {
        let at = self.length.saturating_sub(self.cursor.rest().len());
        let record = self.header.record_count.saturating_sub_unsigned(self.left);
        self.left = 0;
        self.cursor = Cursor::new(&[]);
        DecodeError::new(at, reason).in_field(format!("records[{record}]"))
    }
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
