//! Bytes to columns and back, a folder per format.
//!
//! - `json`: one JSON object per record, as Flink reads and writes it

pub(crate) mod json;

/// Encoded rows in one buffer. Default: no row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedValues {
    bytes: Vec<u8>,
    /// Where each value ends.
    ends: Vec<usize>,
}

impl EncodedValues {
    /// What is appended here becomes a value with [`end_value`](Self::end_value).
    pub(crate) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the value that was appended to the buffer.
    pub(crate) fn end_value(&mut self) {
        self.ends.push(self.bytes.len());
    }

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
}
