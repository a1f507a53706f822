//! zstd by `ruzstd`: reads everything, writes at about level 1.
//!
//! A frame is written for every block. The encoder remembers the Huffman table of a block that it then stores plain,
//! and may build the next block on it, where no reader finds it; in a frame of its own a block has none before it. That
//! costs ten bytes in 128 KiB and nothing else: its matches do not reach across blocks.

use std::cell::RefCell;
use std::io::{self, Write};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, FrameCompressor};

use super::frame::{BLOCK_BYTES_MAX, Frame};
use super::{CompressError, Output, Refusal};

/// What the encoder puts in a block.
const BLOCK_BYTES: usize = 128 << 10;

/// The library decodes this much before the output takes it.
const STEP_BYTES: usize = 128 << 10;

/// Up to here the library's buffer comes on top of the limit: a window of 7 MiB, which covers what zstd writes below
/// level 17. A larger one has to fit within the limit, beside the records.
const BUFFER_BYTES_BESIDE: u64 = 8 << 20;

/// A thread keeps a buffer of up to this size.
const BUFFER_BYTES_KEPT: u64 = 4 << 20;

/// The smallest window that a header can name, by its exponent.
const WINDOW_EXPONENT_MIN: u32 = 10;

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

/// The library holds a buffer beside the output: the window, and what is decoded behind it. When it grows it is held twice,
/// and doubles. So the library is told of a window that reaches no further back than there can be something, and that
/// leaves room in a buffer made at once; which takes another header.
pub(super) fn inflate(frame: &Frame<'_>, output: &mut Output) -> Result<(), Refusal> {
    let room = u64::try_from(output.room()).unwrap_or(u64::MAX);
    let content = frame.content_bytes.unwrap_or(frame.content_bytes_max).min(room.saturating_add(BLOCK_BYTES_MAX));
    let buffer = buffer_bytes(frame.window_bytes.min(content));
    if buffer > BUFFER_BYTES_BESIDE && buffer.saturating_add(content) > room.saturating_add(BLOCK_BYTES_MAX) {
        let reason = format!("a window of {} bytes, for which the limit has no room", frame.window_bytes);
        return Err(Refusal::unsupported(reason));
    }
    let header = header(buffer, frame.has_checksum);
    let begin = |decoder: &mut FrameDecoder| {
        decoder.set_max_window_size(buffer);
        decoder.reset(&header[..]).map_err(Refusal::malformed)
    };
    if buffer > BUFFER_BYTES_KEPT {
        let mut decoder = FrameDecoder::new();
        // Only a decoder that is used again makes its buffer at once.
        begin(&mut decoder)?;
        begin(&mut decoder)?;
        return decode(&mut decoder, frame.blocks, output);
    }
    DECODER.with_borrow_mut(|decoder| {
        begin(decoder)?;
        decode(decoder, frame.blocks, output)
    })
}

/// The power of two of which the window takes seven eighths at the most.
const fn buffer_bytes(window: u64) -> u64 {
    let bytes = window.saturating_add(window.div_ceil(7)).next_power_of_two();
    if bytes < 2 << WINDOW_EXPONENT_MIN { 2 << WINDOW_EXPONENT_MIN } else { bytes }
}

/// The header of a frame that does not say its size, with a window of seven eighths of the buffer: half of it and six
/// eighths of that.
const fn header(buffer: u64, has_checksum: bool) -> [u8; 6] {
    let exponent = buffer.ilog2().saturating_sub(1 + WINDOW_EXPONENT_MIN);
    let [exponent, ..] = exponent.to_le_bytes();
    [0x28, 0xb5, 0x2f, 0xfd, if has_checksum { 0b100 } else { 0 }, exponent << 3 | 6]
}

fn decode(decoder: &mut FrameDecoder, mut blocks: &[u8], output: &mut Output) -> Result<(), Refusal> {
    let room = output.room();
    let mut decoded_at_least: usize = 0;
    while !decoder.is_finished() {
        decoder.decode_blocks(&mut blocks, BlockDecodingStrategy::UptoBytes(STEP_BYTES)).map_err(Refusal::malformed)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a frame with a window of 128 MiB inflates to, in blocks of 128 KiB that are one byte, repeated.
    fn inflated(blocks: u32, limit: usize) -> Result<usize, Refusal> {
        let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3];
        for block in 1..=blocks {
            let header = (128 << 10) << 3 | 2 | u32::from(block == blocks);
            bytes.extend_from_slice(&header.to_le_bytes()[..3]);
            bytes.push(7);
        }
        let mut output = Output::new(limit);
        let frame = Frame::next(&mut &bytes[..]).unwrap().unwrap();
        inflate(&frame, &mut output).map(|()| output.len())
    }

    const MEBIBYTE: usize = 1 << 20;

    #[test]
    fn a_large_window_has_to_fit_within_the_limit_beside_the_records() {
        assert_eq!(inflated(40 * 8, 128 * MEBIBYTE), Ok(40 * MEBIBYTE));
        let reason = "a window of 134217728 bytes, for which the limit has no room";
        assert_eq!(inflated(100 * 8, 128 * MEBIBYTE), Err(Refusal::unsupported(reason)));
        assert_eq!(inflated(100 * 8, 256 * MEBIBYTE), Ok(100 * MEBIBYTE));
    }

    #[test]
    fn a_small_window_comes_on_top_of_the_limit() {
        // However large it says that it is.
        assert_eq!(inflated(7 * 8, 7 * MEBIBYTE), Ok(7 * MEBIBYTE));
        assert_eq!(inflated(1, 128 << 10), Ok(128 << 10));
        assert_eq!(inflated(7 * 8, 7 * MEBIBYTE - 1), Err(Refusal::TooLarge));
    }

    #[test]
    fn a_buffer_has_room_behind_the_window_that_its_header_names() {
        for window in [1, 1024, 1792, 1793, 100_000, 7 << 20, (7 << 20) + 1, 128 << 20] {
            let buffer = buffer_bytes(window);
            let [.., descriptor] = header(buffer, false);
            let base = 1_u64 << (WINDOW_EXPONENT_MIN + u32::from(descriptor >> 3));
            let named = base + base / 8 * u64::from(descriptor & 7);
            assert_eq!(named, buffer / 8 * 7);
            assert!(named >= window && (buffer == 2048 || named < 2 * window), "{window}: {named}");
        }
    }
}
