//! lz4 frames, as Kafka writes them since magic 2; concatenated frames are read as one.

use std::io::{Read, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::{Output, Refusal};

/// Inflated this much at a time; the largest block of the format is 4 MiB, its smallest 64 KiB.
const CHUNK_BYTES: usize = 64 * 1024;

pub(super) fn compress(records: &[u8]) -> Vec<u8> {
    // As the Java client: blocks of 64 KiB that stand alone, no checksum of the content.
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::with_capacity(records.len() / 2));
    let written = encoder.write_all(records);
    // Writing to a vector cannot fail; an empty result would be seen as incompressible by the caller's size check.
    match (written, encoder.finish()) {
        (Ok(()), Ok(bytes)) => bytes,
        (Err(_), _) | (_, Err(_)) => records.to_vec(),
    }
}

pub(super) fn decompress(bytes: &[u8], output: &mut Output) -> Result<(), Refusal> {
    let mut input = bytes;
    if input.is_empty() {
        return Err(Refusal::malformed("no frame at all"));
    }
    let mut chunk = vec![0; CHUNK_BYTES];
    while !input.is_empty() {
        let mut decoder = FrameDecoder::new(&mut input);
        loop {
            let count = decoder.read(&mut chunk).map_err(|error| Refusal::malformed(error.to_string()))?;
            if count == 0 {
                break;
            }
            output.push(chunk.get(..count).unwrap_or_default())?;
        }
    }
    Ok(())
}
