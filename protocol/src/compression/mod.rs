//! The codecs of record batches, all behind one bounded inflate.
//!
//! [`records`](crate::records) compresses a sealed batch with [`compress`] and inflates a fetched one with
//! [`decompress`]. A codec writes into an [`Output`] that is as large as the limit at the most, so that no
//! declared size is ever believed; [`InflateLimits`] says what the limit is.
//!
//! | Codec | By | What is read beyond what is written |
//! |---|---|---|
//! | [`gzip`] | `flate2` on `zlib-rs` | several members, extra fields, names, comments, header checksums |
//! | [`snappy`] | `snap` | blocks without framing, streams one after the other |
//! | [`lz4`] | `lz4_flex`, block by block | dependent blocks, checksums, sizes |
//! | [`zstd`] | `ruzstd`, or zstd's own library with the feature `zstd` | skippable and several frames, checksums |
//!
//! What needs a dictionary, a zstd window of more than 128 MiB or a format older than Kafka's use of the codec is
//! refused with those words.
//!
//! What is behind the end is read as Kafka's own reader reads it, byte for byte (`tests/golden/codec_tails.txt`), for a
//! batch that it reads must stop no consumer: behind a gzip member, what does not begin as another is passed over; behind
//! snappy's chunks up to three bytes; behind the lz4 frame anything, even another frame. Behind a zstd frame there may
//! only be frames. There we are stricter in one thing: the first bytes of another frame are refused, which Java passes
//! over while they happen to lie in the same buffer as the end of the one before.
//!
//! `ruzstd` holds the window beside the output, so one of more than 7 MiB that is really filled has to fit within the
//! limit, too.

mod gzip;
mod level;
mod lz4;
mod output;
mod snappy;
mod zstd;

use bytes::Bytes;

pub use self::level::{Compression, LevelError};
pub use self::output::InflateLimits;
use self::output::{Output, Refusal};
use crate::error::DecodeError;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// gzip: compresses well, slowly.
    Gzip,
    /// snappy, in the framing of the Java library (xerial).
    Snappy,
    /// lz4 frames: the fastest.
    Lz4,
    /// zstd frames (KIP-110): compresses like gzip, much faster. Brokers know it since Kafka 2.1.
    Zstd,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec that the attributes of a batch name.
    ///
    /// # Errors
    /// The reason, when it names one that Kafka does not define.
    pub const fn from_attributes(attributes: i16) -> Result<Self, &'static str> {
        match attributes & 0b111 {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            5 => Err("the batch names codec 5, which Kafka does not define"),
            6 => Err("the batch names codec 6, which Kafka does not define"),
            _ => Err("the batch names codec 7, which Kafka does not define"),
        }
    }

    /// The bits that name it in the attributes of a batch.
    #[must_use]
    pub const fn attributes(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec of this name, as in `compression.type`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Kafka's name for it, as in `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Deflates the records of a batch behind what `output` holds. Pure and possibly slow.
///
/// # Errors
/// When the codec's library gives up, which takes a lack of memory; `output` is then as it was.
pub fn compress(
    compression: impl Into<Compression>,
    records: &[u8],
    output: &mut Vec<u8>,
) -> Result<(), CompressError> {
    let compression = compression.into();
    let start = output.len();
    let done = match compression.codec() {
        Codec::None => {
            output.extend_from_slice(records);
            Ok(())
        }
        Codec::Gzip => gzip::compress(compression.level(), records, output),
        Codec::Snappy => snappy::compress(records, output),
        Codec::Lz4 => lz4::compress(records, output),
        Codec::Zstd => zstd::compress(compression.level(), records, output),
    };
    done.inspect_err(|_| output.truncate(start))
}

/// Inflates the records of a batch, to what `limits` allow: a number alone is a limit in bytes.
///
/// # Errors
/// When the bytes are not what the codec writes, or inflate to more than the limits. No more than the limits, and no
/// more than the codec could really make of these bytes, is allocated before that is found out.
pub fn decompress(codec: Codec, bytes: &Bytes, limits: impl Into<InflateLimits>) -> Result<Bytes, DecodeError> {
    let limits = limits.into();
    let mut output = Output::new(limits.bytes_max(bytes.len()));
    let inflated = match codec {
        Codec::None if bytes.len() > output.room() => Err(Refusal::TooLarge),
        Codec::None => return Ok(bytes.clone()),
        _ if bytes.is_empty() => Err(Refusal::malformed("no bytes at all")),
        Codec::Gzip => gzip::decompress(bytes, &mut output),
        Codec::Snappy => snappy::decompress(bytes, &mut output),
        Codec::Lz4 => lz4::decompress(bytes, limits.checks_lz4_headers(), &mut output),
        Codec::Zstd => zstd::decompress(bytes, &mut output),
    };
    match inflated {
        Ok(()) => Ok(Bytes::from(output.into_bytes())),
        Err(refusal) => Err(DecodeError::new(0, refusal.reason(codec, limits, bytes.len())).in_field("records")),
    }
}

/// A codec's library could not compress.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompressError {
    /// What it said.
    pub reason: String,
}

impl CompressError {
    pub(crate) fn new(reason: impl ToString) -> Self {
        Self { reason: reason.to_string() }
    }
}

impl std::fmt::Display for CompressError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the records cannot be compressed: {}", self.reason)
    }
}

impl std::error::Error for CompressError {}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
