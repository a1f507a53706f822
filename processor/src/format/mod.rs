//! Bytes to columns and back: a folder per format, and a file for each way that text formats write a type.
//!
//! Before: the driver has record values; or the projection has results. After: columns; or [`EncodedValues`].

mod base64;
pub(crate) mod datetime;
mod decimal;
mod floating;
mod json;

use crate::plan::Scan;
use crate::schema::{Format, Table};
use crate::task::RecordError;
use crate::types::Columns;

/// Reads the records of a table in its format.
#[derive(Debug)]
pub(crate) enum Decoder {
    Json(json::Decoder),
}

impl Decoder {
    /// For the columns that `scan` needs.
    pub(crate) fn new(scan: &Scan) -> Self {
        match scan.table.options.format {
            Format::Json(options) => Self::Json(json::Decoder::new(scan, options)),
        }
    }

    /// Appends the rows of one record.
    ///
    /// # Errors
    /// The value is no row, and the table's options do not say to pass over that.
    pub(crate) fn decode(&mut self, offset: i64, value: Option<&[u8]>) -> Result<(), RecordError> {
        match self {
            Self::Json(decoder) => decoder.decode(offset, value),
        }
    }

    /// Whether the rows should go on before the next record.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Json(decoder) => decoder.is_full(),
        }
    }

    /// The rows since the last call.
    pub(crate) fn finish(&mut self) -> Columns {
        match self {
            Self::Json(decoder) => decoder.finish(),
        }
    }

    /// Throws away the rows since [`finish`](Self::finish).
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Json(decoder) => decoder.clear(),
        }
    }
}

/// Writes rows as record values in the format of a table.
#[derive(Debug)]
pub(crate) enum Encoder {
    Json(json::Encoder),
}

impl Encoder {
    /// For the physical columns of `sink`.
    pub(crate) fn new(sink: &Table) -> Self {
        match sink.options.format {
            Format::Json(options) => Self::Json(json::Encoder::new(sink, options)),
        }
    }

    /// Appends one value per row.
    pub(crate) fn encode(&self, columns: &Columns, out: &mut EncodedValues) {
        match self {
            Self::Json(encoder) => encoder.encode(columns, out),
        }
    }
}

/// Encoded rows in one buffer. Default: no row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedValues {
    bytes: Vec<u8>,
    /// Where each value ends.
    ends: Vec<usize>,
}

impl EncodedValues {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The values, in the order of the rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let value = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            value
        })
    }

    /// Where the next value is written.
    fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What was written since the last call is one value.
    fn end_value(&mut self) {
        self.ends.push(self.bytes.len());
    }
}
