//! snappy: written in the chunked framing of the Java library (xerial), read in that framing or raw.
//!
//! A xerial stream is a magic of eight bytes, two versions of four bytes, then chunks: four bytes of length and a raw
//! snappy block each. A raw block starts with the size it inflates to, which nothing forces to be true.

use super::{Output, Refusal};

const MAGIC: &[u8] = b"\x82SNAPPY\x00";
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];

/// How much the Java library puts in a chunk.
const CHUNK_BYTES: usize = 32 * 1024;

/// A block cannot inflate further than this: its densest element copies 64 bytes and takes three (snappy's format
/// description, section 2.2).
const RATIO_MAX: usize = 22;

pub(super) fn compress(records: &[u8]) -> Vec<u8> {
    let mut encoder = snap::raw::Encoder::new();
    let mut stream = Vec::with_capacity(records.len() / 2 + 16);
    stream.extend_from_slice(MAGIC);
    stream.extend_from_slice(&VERSIONS);
    for chunk in records.chunks(CHUNK_BYTES) {
        // 32 KiB are far below the 4 GiB at which the encoder refuses.
        let block = encoder.compress_vec(chunk).unwrap_or_default();
        stream.extend_from_slice(&u32::try_from(block.len()).unwrap_or(u32::MAX).to_be_bytes());
        stream.extend_from_slice(&block);
    }
    stream
}

pub(super) fn decompress(bytes: &[u8], output: &mut Output) -> Result<(), Refusal> {
    let Some(stream) = bytes.strip_prefix(MAGIC) else {
        return inflate_block(bytes, output);
    };
    let mut chunks =
        stream.get(VERSIONS.len()..).ok_or_else(|| Refusal::malformed("the stream header is cut short"))?;
    while !chunks.is_empty() {
        let (length, rest) =
            chunks.split_first_chunk::<4>().ok_or_else(|| Refusal::malformed("a chunk length is cut short"))?;
        let length = usize::try_from(i32::from_be_bytes(*length))
            .map_err(|_| Refusal::malformed("a chunk of negative length"))?;
        let (block, rest) = rest
            .split_at_checked(length)
            .ok_or_else(|| Refusal::malformed("a chunk that is longer than what is left"))?;
        inflate_block(block, output)?;
        chunks = rest;
    }
    Ok(())
}

fn inflate_block(block: &[u8], output: &mut Output) -> Result<(), Refusal> {
    let malformed = |error: snap::Error| Refusal::malformed(error.to_string());
    let declared = snap::raw::decompress_len(block).map_err(malformed)?;
    if declared > output.room() {
        return Err(Refusal::TooLarge);
    }
    if declared > block.len().saturating_mul(RATIO_MAX).saturating_add(64) {
        return Err(Refusal::malformed(format!("{} bytes cannot inflate to {declared}", block.len())));
    }
    let start = output.bytes.len();
    output.bytes.resize(start.saturating_add(declared), 0);
    let room = output.bytes.get_mut(start..).unwrap_or_default();
    let inflated = snap::raw::Decoder::new().decompress(block, room).map_err(malformed)?;
    output.bytes.truncate(start.saturating_add(inflated));
    Ok(())
}
