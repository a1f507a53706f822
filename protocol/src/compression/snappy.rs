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
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        return inflate_block(bytes, output);
    };
    skip_versions(&mut rest)?;
    output.reserve(rest.len().saturating_mul(2));
    while !rest.is_empty() {
        // Streams that were appended to each other, which the Java library reads as one.
        if let Some(behind) = rest.strip_prefix(MAGIC) {
            rest = behind;
            skip_versions(&mut rest)?;
            continue;
        }
        // Fewer bytes than a length has are not read, by the Java library neither.
        let Some((length, behind)) = rest.split_first_chunk::<4>() else { break };
        let length = usize::try_from(i32::from_be_bytes(*length))
            .map_err(|_| Refusal::malformed("a chunk of negative length"))?;
        let (block, behind) = behind
            .split_at_checked(length)
            .ok_or_else(|| Refusal::malformed("a chunk that is longer than what is left"))?;
        inflate_block(block, output)?;
        rest = behind;
    }
    Ok(())
}

fn skip_versions(rest: &mut &[u8]) -> Result<(), Refusal> {
    rest.split_off(..VERSIONS.len()).map(drop).ok_or_else(|| Refusal::malformed("the stream header is cut short"))
}

fn inflate_block(block: &[u8], output: &mut Output) -> Result<(), Refusal> {
    if block.is_empty() {
        return Err(Refusal::malformed("an empty block"));
    }
    let declared = snap::raw::decompress_len(block).map_err(Refusal::malformed)?;
    if declared > output.room() {
        return Err(Refusal::TooLarge);
    }
    if declared > block.len().saturating_mul(RATIO_MAX).saturating_add(64) {
        return Err(Refusal::malformed(format!("{} bytes cannot inflate to {declared}", block.len())));
    }
    output.fill(declared, |_, room| snap::raw::Decoder::new().decompress(block, room)).map_err(Refusal::malformed)
}
