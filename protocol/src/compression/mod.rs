//! The codecs of record batches, all behind one bounded inflate.

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

/// Deflates the records of a batch.
#[must_use]
pub fn compress(_codec: Codec, _records: &[u8]) -> Vec<u8> {
    unimplemented!()
}

/// Inflates the records of a batch, to `bytes_max` bytes at the most.
///
/// # Errors
/// When the bytes are not what the codec writes, or inflate to more than `bytes_max`.
pub fn decompress(_codec: Codec, _bytes: &Bytes, _bytes_max: usize) -> Result<Bytes, DecodeError> {
    unimplemented!()
}
