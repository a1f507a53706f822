//! snappy: written in the chunked framing of the Java library (xerial), read in that framing or raw.
//!
//! A xerial stream is a magic of eight bytes, two versions of four bytes, then chunks: four bytes of length and a raw
//! snappy block each. A raw block starts with the size it inflates to, which nothing forces to be true. Called by
//! [`compress`](super::compress) and [`decompress`](super::decompress).

use super::{CompressError, Output, Refusal};

const MAGIC: &[u8] = b"\x82SNAPPY\x00";
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];

/// How much the Java library puts in a chunk.
const CHUNK_BYTES: usize = 32 * 1024;

/// A block cannot inflate further than this: its densest element copies 64 bytes and takes three (snappy's format
/// description, section 2.2).
const RATIO_MAX: usize = 22;

#[expect(clippy::arithmetic_side_effects, reason = "lengths of what is in memory")]
pub(super) fn compress(records: &[u8], output: &mut Vec<u8>) -> Result<(), CompressError> {
    let mut encoder = snap::raw::Encoder::new();
    output.reserve(records.len().min(2 * CHUNK_BYTES) + MAGIC.len() + VERSIONS.len());
    output.extend_from_slice(MAGIC);
    output.extend_from_slice(&VERSIONS);
    for chunk in records.chunks(CHUNK_BYTES) {
        let length_at = output.len();
        let start = length_at + 4;
        output.resize(start + snap::raw::max_compress_len(chunk.len()), 0);
        let room = output.get_mut(start..).unwrap_or_default();
        let block = encoder.compress(chunk, room).map_err(CompressError::new)?;
        output.truncate(start + block);
        if let Some(length) = output.get_mut(length_at..start) {
            length.copy_from_slice(&u32::try_from(block).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    Ok(())
}

pub(super) fn decompress(bytes: &[u8], output: &mut Output) -> Result<(), Refusal> {
    if !bytes.starts_with(MAGIC) {
        return inflate_block(bytes, output);
    }
    let mut size: usize = 0;
    let mut rest = bytes;
    while let Some(block) = next_block(&mut rest)? {
        // The limit and what a block can make are checked when its turn comes.
        size = size.saturating_add(declared_bytes(block)?.min(bytes_max(block)));
    }
    output.reserve(size);
    let mut rest = bytes;
    while let Some(block) = next_block(&mut rest)? {
        inflate_block(block, output)?;
    }
    Ok(())
}

/// The block of the next chunk; none at the end.
fn next_block<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Refusal> {
    // Streams that were appended to each other, which the Java library reads as one.
    while let Some(mut behind) = rest.strip_prefix(MAGIC) {
        skip_versions(&mut behind)?;
        *rest = behind;
    }
    // Fewer bytes than a length has are not read, by the Java library neither.
    let Some((length, behind)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let length =
        usize::try_from(i32::from_be_bytes(*length)).map_err(|_| Refusal::malformed("a chunk of negative length"))?;
    let (block, behind) = behind
        .split_at_checked(length)
        .ok_or_else(|| Refusal::malformed("a chunk that is longer than what is left"))?;
    *rest = behind;
    Ok(Some(block))
}

fn skip_versions(rest: &mut &[u8]) -> Result<(), Refusal> {
    rest.split_off(..VERSIONS.len()).map(drop).ok_or_else(|| Refusal::malformed("the stream header is cut short"))
}

/// What a block says that it inflates to.
fn declared_bytes(block: &[u8]) -> Result<usize, Refusal> {
    if block.is_empty() {
        return Err(Refusal::malformed("an empty block"));
    }
    snap::raw::decompress_len(block).map_err(Refusal::malformed)
}

/// What it can inflate to.
const fn bytes_max(block: &[u8]) -> usize {
    block.len().saturating_mul(RATIO_MAX).saturating_add(64)
}

fn inflate_block(block: &[u8], output: &mut Output) -> Result<(), Refusal> {
    let declared = declared_bytes(block)?;
    if declared > output.room() {
        return Err(Refusal::TooLarge);
    }
    if declared > bytes_max(block) {
        return Err(Refusal::malformed(format!("{} bytes cannot inflate to {declared}", block.len())));
    }
    output.fill(declared, |_, room| snap::raw::Decoder::new().decompress(block, room)).map_err(Refusal::malformed)
}
