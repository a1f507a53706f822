//! zstd: frames are cut and checked here, and inflated by `ruzstd` or, with the feature `zstd`, by zstd's own library.
//!
//! [`frame`] walks the headers of frames and blocks, so that both libraries see only whole frames without dictionary,
//! with a window that Kafka's own clients use, and it is known beforehand what a frame may inflate to. Called by
//! [`compress`](super::compress) and [`decompress`](super::decompress).

mod frame;
#[cfg(feature = "zstd")]
mod native;
// Beside the C library, the tests let each read what the other wrote.
#[cfg(any(test, not(feature = "zstd")))]
mod pure;

use self::frame::Frame;
#[cfg(feature = "zstd")]
use self::native as library;
#[cfg(not(feature = "zstd"))]
use self::pure as library;
use super::{CompressError, Output, Refusal};

pub(super) fn compress(level: i32, records: &[u8], output: &mut Vec<u8>) -> Result<(), CompressError> {
    library::compress(level, records, output)
}

pub(super) fn decompress(bytes: &[u8], output: &mut Output) -> Result<(), Refusal> {
    inflate_frames(bytes, output, library::inflate)
}

fn inflate_frames(
    bytes: &[u8],
    output: &mut Output,
    inflate: impl Fn(&Frame<'_>, &mut Output) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut rest = bytes;
    let mut bytes_max: u64 = 0;
    while let Some(frame) = Frame::next(&mut rest)? {
        bytes_max = bytes_max.saturating_add(frame.content_bytes.unwrap_or(frame.content_bytes_max));
    }
    output.reserve(usize::try_from(bytes_max).unwrap_or(usize::MAX));
    let mut rest = bytes;
    while let Some(frame) = Frame::next(&mut rest)? {
        if frame.content_bytes.is_some_and(|size| usize::try_from(size).is_ok_and(|size| size > output.room())) {
            return Err(Refusal::TooLarge);
        }
        let start = output.len();
        inflate(&frame, output)?;
        let written = u64::try_from(output.len().saturating_sub(start)).unwrap_or(u64::MAX);
        if frame.content_bytes.is_some_and(|declared| declared != written) {
            return Err(Refusal::malformed("a frame's content has not the size that it declares"));
        }
    }
    Ok(())
}

#[cfg(all(test, feature = "zstd"))]
mod tests;
