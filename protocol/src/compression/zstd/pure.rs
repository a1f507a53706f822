//! zstd by `ruzstd`: reads everything, writes at about level 1.
//!
//! A frame is written for every block. The encoder remembers the Huffman table of a block that it then stores plain,
//! and may build the next block on it, where no reader finds it; in a frame of its own a block has none before it. That
//! costs ten bytes in 128 KiB and nothing else: its matches do not reach across blocks.

use std::cell::RefCell;
use std::io::{self, Write};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, FrameCompressor};

use super::frame::{Frame, WINDOW_BYTES_MAX};
use super::{CompressError, Output, Refusal};

/// What the encoder puts in a block.
const BLOCK_BYTES: usize = 128 << 10;

/// The library decodes this much before the output takes it.
const STEP_BYTES: usize = 256 << 10;

/// A decoder that is used again makes room for a whole window at once, whether it fills or not. So it is used only for
/// windows up to the one of the Java client's default level.
const WINDOW_BYTES_REUSED: u64 = 2 << 20;

thread_local! {
    /// Tables and window, which a thread keeps.
    static DECODER: RefCell<FrameDecoder> = RefCell::new(FrameDecoder::new());
}

/// There is only one level that compresses, whatever is asked for.
pub(super) fn compress(_level: i32, records: &[u8], output: &mut Vec<u8>) -> Result<(), CompressError> {
    // Nothing is kept from one batch to the next: clearing its tables takes the encoder as long as making them.
    let mut encoder = FrameCompressor::new(CompressionLevel::Fastest);
    encoder.set_drain(output);
    let mut rest = records;
    // Panics only when reading or writing fails, which memory does not.
    loop {
        let block = rest.split_off(..BLOCK_BYTES.min(rest.len())).unwrap_or_default();
        encoder.set_source(block);
        encoder.compress();
        if rest.is_empty() {
            return Ok(());
        }
    }
}

pub(super) fn inflate(frame: &Frame<'_>, output: &mut Output) -> Result<(), Refusal> {
    if frame.window_bytes > WINDOW_BYTES_REUSED {
        return decode(&mut FrameDecoder::new(), frame, output);
    }
    DECODER.with_borrow_mut(|decoder| decode(decoder, frame, output))
}

fn decode(decoder: &mut FrameDecoder, frame: &Frame<'_>, output: &mut Output) -> Result<(), Refusal> {
    decoder.set_max_window_size(WINDOW_BYTES_MAX);
    let mut source = frame.bytes;
    decoder.reset(&mut source).map_err(Refusal::malformed)?;
    let believed = frame.content_bytes.unwrap_or(frame.content_bytes_max / 2);
    output.reserve(usize::try_from(believed).unwrap_or(usize::MAX));
    let room = output.room();
    let mut decoded_at_least: usize = 0;
    while !decoder.is_finished() {
        decoder.decode_blocks(&mut source, BlockDecodingStrategy::UptoBytes(STEP_BYTES)).map_err(Refusal::malformed)?;
        if !decoder.is_finished() {
            // Up to a window of it stays in the decoder, and is to count all the same.
            decoded_at_least = decoded_at_least.saturating_add(STEP_BYTES);
            if decoded_at_least > room {
                return Err(Refusal::TooLarge);
            }
        }
        // Nothing but the limit makes this fail.
        decoder.collect_to_writer(Taken(output)).map_err(|_| Refusal::TooLarge)?;
    }
    if decoder.get_checksum_from_data().is_some_and(|checksum| decoder.get_calculated_checksum() != Some(checksum)) {
        return Err(Refusal::malformed("the checksum of a frame's content is wrong"));
    }
    Ok(())
}

struct Taken<'a>(&'a mut Output);

impl Write for Taken<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
