//! The codecs of record batches, all behind one bounded inflate.
//!
//! [`records`](crate::records) compresses a sealed batch and inflates a fetched one through here. A codec writes into
//! an `Output` that refuses to grow past its limit, so that no declared size is ever believed.

mod lz4;
mod snappy;

use bytes::Bytes;

use crate::error::DecodeError;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// snappy, in the framing of the Java library (xerial).
    Snappy,
    /// lz4 frames.
    Lz4,
}

impl Codec {
    /// The codec that the attributes of a batch name.
    ///
    /// # Errors
    /// The reason, when this build does not read it.
    pub const fn from_attributes(attributes: i16) -> Result<Self, &'static str> {
        match attributes & 0b111 {
            0 => Ok(Self::None),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            1 => Err("the batch is compressed with gzip, which is not supported yet (supported: snappy, lz4)"),
            4 => Err("the batch is compressed with zstd, which is not supported yet (supported: snappy, lz4)"),
            _ => Err("the batch names a codec that Kafka does not define"),
        }
    }

    /// The bits that name it in the attributes of a batch.
    #[must_use]
    pub const fn attributes(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Snappy => 2,
            Self::Lz4 => 3,
        }
    }

    /// Kafka's name for it, as in `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
        }
    }
}

/// Deflates the records of a batch. Pure and possibly slow.
#[must_use]
pub fn compress(codec: Codec, records: &[u8]) -> Vec<u8> {
    match codec {
        Codec::None => records.to_vec(),
        Codec::Snappy => snappy::compress(records),
        Codec::Lz4 => lz4::compress(records),
    }
}

/// Inflates the records of a batch, to `bytes_max` bytes at the most.
///
/// # Errors
/// When the bytes are not what the codec writes, or inflate to more than `bytes_max`.
pub fn decompress(codec: Codec, bytes: &Bytes, bytes_max: usize) -> Result<Bytes, DecodeError> {
    let mut output = Output { bytes: Vec::new(), bytes_max };
    let inflated = match codec {
        Codec::None if bytes.len() > bytes_max => Err(Refusal::TooLarge),
        Codec::None => return Ok(bytes.clone()),
        Codec::Snappy => snappy::decompress(bytes, &mut output),
        Codec::Lz4 => lz4::decompress(bytes, &mut output),
    };
    match inflated {
        Ok(()) => Ok(Bytes::from(output.bytes)),
        Err(refusal) => Err(DecodeError::new(0, refusal.reason(codec, bytes_max)).in_field("records")),
    }
}

/// Why records do not inflate.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    TooLarge,
    Malformed(String),
}

impl Refusal {
    fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed(reason.into())
    }

    fn reason(&self, codec: Codec, bytes_max: usize) -> String {
        match self {
            Self::TooLarge => format!("the records inflate to more than the limit of {bytes_max} bytes"),
            Self::Malformed(reason) => format!("not what {} writes: {reason}", codec.name()),
        }
    }
}

/// Where a codec inflates to; grows as bytes really come, up to the limit.
struct Output {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Output {
    /// How many more bytes may be written.
    fn room(&self) -> usize {
        self.bytes_max.saturating_sub(self.bytes.len())
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        if chunk.len() > self.room() {
            return Err(Refusal::TooLarge);
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
