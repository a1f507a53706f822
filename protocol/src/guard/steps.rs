//! The walk step by step, for a message that is read by hand: [`fetch`](crate::fetch).
//!
//! Each step is what [`check`] does at a field of that kind, with the same words for what it refuses, and
//! gives what it read. Which fields there are, and in which order, is for the reader to know; what a struct takes, on
//! the wire and in memory, it looks up in the [tables], so that the budget is spent in the same way.

use super::check::{self, Refusal, Step};
pub(crate) use super::check::{Walk, Walked};
use super::cursor::Cursor;
use super::schema::{Kind, Struct};
use super::{Budget, consumed, find, tables};
use crate::api::ApiKey;
use crate::error::DecodeError;

/// A struct that is read by hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row(&'static Struct);

impl Row {
    /// The struct of a field, or of the elements of an array.
    pub(crate) fn inner(self, field: &str) -> Self {
        static NOTHING: Struct = Struct { size: 0, least: &[], fields: &[] };
        let inner = self.0.fields.iter().find(|known| known.name == field).map(|known| known.kind);
        Self(if let Some(Kind::Struct(number)) = inner { check::find(number) } else { &NOTHING })
    }

    #[cfg(test)]
    pub(crate) const fn is_known(self) -> bool {
        self.0.size > 0
    }
}

/// Reads a whole response frame (without its length), header and body, by hand; all of it must be used. `read` is given
/// the walk at the first field of the body, and the body's struct.
///
/// # Errors
/// As [`check_response`](super::check_response).
pub(crate) fn read_response<'a, T>(
    api: ApiKey,
    version: i16,
    frame: &'a [u8],
    budget: Budget,
    read: impl FnOnce(&mut Walk<'a>, Row) -> Walked<T>,
) -> Result<T, DecodeError> {
    let message = find(tables::RESPONSES, api, version)?;
    let header_version = api.response_header_version(version).unwrap_or(0);
    let by_hand = |start| {
        let mut walk = Walk::new(message, version, frame, start, budget);
        let value = read(&mut walk, Row(check::find(message.body))).map_err(|refusal| refusal.into_error())?;
        consumed(walk.cursor.at(), frame.len()).map(|()| value)
    };
    let start = check::walk(&tables::RESPONSE_HEADER, header_version, frame, 0, budget);
    start.and_then(by_hand).map_err(|error| error.in_message(api, version))
}

impl<'a> Walk<'a> {
    /// Whether the message is flexible (KIP-482) in its version.
    pub(crate) const fn is_flexible(&self) -> bool {
        self.is_flexible
    }

    pub(crate) fn int16(&mut self, name: &'static str) -> Walked<i16> {
        self.fixed(name).map(i16::from_be_bytes)
    }

    pub(crate) fn int32(&mut self, name: &'static str) -> Walked<i32> {
        self.fixed(name).map(i32::from_be_bytes)
    }

    pub(crate) fn int64(&mut self, name: &'static str) -> Walked<i64> {
        self.fixed(name).map(i64::from_be_bytes)
    }

    /// As many bytes as an array of them has: an id.
    pub(crate) fn fixed<const N: usize>(&mut self, name: &'static str) -> Walked<[u8; N]> {
        let at = self.cursor.at();
        self.cursor.chunk().map_err(|reason| Refusal::new(at, reason).inside(Step::Field(name)))
    }

    /// A string that may not be null.
    pub(crate) fn text(&mut self, name: &'static str) -> Walked<&'a str> {
        self.inner(name, |walk| walk.string(walk.is_flexible, false)).map(Option::unwrap_or_default)
    }

    /// A string or `None`.
    pub(crate) fn nullable_text(&mut self, name: &'static str) -> Walked<Option<&'a str>> {
        self.inner(name, |walk| walk.string(walk.is_flexible, true))
    }

    /// Bytes or `None`.
    pub(crate) fn nullable_bytes(&mut self, name: &'static str) -> Walked<Option<&'a [u8]>> {
        self.inner(name, |walk| walk.bytes(walk.is_flexible, true))
    }

    /// The count of an array of structs that may not be null.
    pub(crate) fn count_of(&mut self, name: &'static str, row: Row) -> Walked<usize> {
        let bytes = self.bytes_of(row);
        self.inner(name, |walk| walk.count(bytes, walk.is_flexible, false)).map(Option::unwrap_or_default)
    }

    /// The count of an array of structs, or `None`.
    pub(crate) fn nullable_count_of(&mut self, name: &'static str, row: Row) -> Walked<Option<usize>> {
        let bytes = self.bytes_of(row);
        self.inner(name, |walk| walk.count(bytes, walk.is_flexible, true))
    }

    /// The elements of an array, as many as were counted.
    pub(crate) fn elements(
        &mut self,
        name: &'static str,
        count: usize,
        mut read: impl FnMut(&mut Self) -> Walked,
    ) -> Walked {
        for index in 0..count {
            read(self).map_err(|refusal| refusal.inside(Step::Index(index)).inside(Step::Field(name)))?;
        }
        Ok(())
    }

    /// Whatever `read` reads, as a field of this name.
    pub(crate) fn inner<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Self) -> Walked<T>) -> Walked<T> {
        read(self).map_err(|refusal| refusal.inside(Step::Field(name)))
    }

    /// The tagged fields that end a struct of a flexible version; `known` reads the one of a name, and all that the tables know in this
    /// version: what it leaves unread is refused.
    pub(crate) fn tags(&mut self, row: Row, mut known: impl FnMut(&mut Self, &str) -> Walked) -> Walked {
        if !self.is_flexible || self.cursor.pass(0) {
            return Ok(());
        }
        self.tagged_fields_by(row.0, |walk, field| known(walk, field.name))
    }

    /// The tagged fields of a struct that has none of its own.
    pub(crate) fn no_tags(&mut self, row: Row) -> Walked {
        self.tags(row, |_, _| Ok(()))
    }

    /// The bytes that steps take.
    pub(crate) fn taken(&mut self, steps: impl FnOnce(&mut Self) -> Walked) -> Walked<&'a [u8]> {
        let mut before = self.cursor;
        steps(self)?;
        let count = self.cursor.at().saturating_sub(before.at());
        // What was taken once can be taken again.
        Ok(before.take(count).unwrap_or_default())
    }

    fn bytes_of(&self, row: Row) -> (usize, usize) {
        (row.0.least_bytes(self.version), row.0.size)
    }
}

/// What lies behind a section of tagged fields that a walk has accepted.
pub(crate) fn behind_tags(bytes: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(bytes, 0);
    for _ in 0..cursor.varint().ok()? {
        let _tag = cursor.varint().ok()?;
        let size = cursor.varint().ok()?;
        cursor.take(usize::try_from(size).ok()?).ok()?;
    }
    bytes.get(cursor.at()..)
}
