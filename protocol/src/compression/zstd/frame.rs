//! A zstd frame, its header and the headers of its blocks (RFC 8878, section 3.1), without looking into the blocks.

use super::Refusal;

const MAGIC: u32 = 0xfd2f_b528;
/// The last four bits are free.
const MAGIC_SKIPPABLE: u32 = 0x184d_2a50;
/// What zstd 0.2 to 0.7 began their frames with.
const MAGIC_LEGACY: std::ops::RangeInclusive<u32> = 0xfd2f_b522..=0xfd2f_b527;
const MAGIC_LEGACY_FIRST: u32 = 0x1eb5_2ffd;

/// The largest window that is read: what zstd's library, and so the Java client, allows unless told otherwise.
pub(super) const WINDOW_BYTES_MAX: u64 = 128 << 20;

/// No block is larger, whatever it inflates to.
pub(super) const BLOCK_BYTES_MAX: u64 = 128 << 10;

/// A whole frame.
pub(super) struct Frame<'a> {
    /// The frame, with its magic.
    #[cfg_attr(not(feature = "zstd"), expect(dead_code, reason = "the pure library gets another header"))]
    pub(super) bytes: &'a [u8],
    /// The frame's blocks, and their checksum.
    #[cfg_attr(all(feature = "zstd", not(test)), expect(dead_code, reason = "zstd's own library reads whole frames"))]
    pub(super) blocks: &'a [u8],
    /// Whether a checksum of the content stands behind the blocks.
    #[cfg_attr(all(feature = "zstd", not(test)), expect(dead_code, reason = "zstd's own library reads whole frames"))]
    pub(super) has_checksum: bool,
    /// How far back it may reach.
    #[cfg_attr(all(feature = "zstd", not(test)), expect(dead_code, reason = "zstd's own library does not ask"))]
    pub(super) window_bytes: u64,
    /// What it declares to inflate to.
    pub(super) content_bytes: Option<u64>,
    /// What it cannot inflate beyond, judged by the blocks that are really there.
    pub(super) content_bytes_max: u64,
}

impl<'a> Frame<'a> {
    /// Cuts off the next frame and skips those without content; none at the end.
    pub(super) fn next(rest: &mut &'a [u8]) -> Result<Option<Self>, Refusal> {
        while !rest.is_empty() {
            let start = *rest;
            let magic = u32::from_le_bytes(take_array(rest)?);
            if magic & !0xf == MAGIC_SKIPPABLE {
                let length = u32::from_le_bytes(take_array(rest)?);
                take(rest, u64::from(length))?;
            } else if magic == MAGIC {
                return Self::take(start, rest).map(Some);
            } else if MAGIC_LEGACY.contains(&magic) || magic == MAGIC_LEGACY_FIRST {
                return Err(Refusal::unsupported("a frame of zstd 0.7 or older"));
            } else {
                return Err(Refusal::malformed(format!("no frame begins with {magic:#010x}")));
            }
        }
        Ok(None)
    }

    /// `start` is at the magic, `rest` behind it.
    fn take(start: &'a [u8], rest: &mut &'a [u8]) -> Result<Self, Refusal> {
        let [descriptor] = take_array(rest)?;
        if descriptor & 0b1000 != 0 {
            return Err(Refusal::malformed("a reserved bit is set in a frame's header"));
        }
        let is_single_segment = descriptor & 0b10_0000 != 0;
        let window = if is_single_segment { None } else { Some(window_bytes(take_array(rest)?)) };
        let dictionary = match descriptor & 0b11 {
            0 => 0,
            1 => take_number(rest, 1)?,
            2 => take_number(rest, 2)?,
            _ => take_number(rest, 4)?,
        };
        if dictionary != 0 {
            return Err(Refusal::unsupported(format!("the frame needs dictionary {dictionary}, and Kafka has none")));
        }
        let content_bytes = match descriptor >> 6 {
            0 if is_single_segment => Some(take_number(rest, 1)?),
            0 => None,
            1 => Some(take_number(rest, 2)?.saturating_add(256)),
            2 => Some(take_number(rest, 4)?),
            _ => Some(take_number(rest, 8)?),
        };
        let window_bytes = window.or(content_bytes).unwrap_or(0);
        if window_bytes > WINDOW_BYTES_MAX {
            let reason = format!("a window of {window_bytes} bytes, the largest that is read is {WINDOW_BYTES_MAX}");
            return Err(Refusal::unsupported(reason));
        }
        let header = start.len().saturating_sub(rest.len());
        let content_bytes_max = skip_blocks(rest)?;
        let has_checksum = descriptor & 0b100 != 0;
        if has_checksum {
            take(rest, 4)?;
        }
        let bytes = start.get(..start.len().saturating_sub(rest.len())).unwrap_or_default();
        let blocks = bytes.get(header..).unwrap_or_default();
        if content_bytes.is_some_and(|declared| declared > content_bytes_max) {
            return Err(Refusal::malformed("a frame declares more than its blocks can hold"));
        }
        Ok(Self { bytes, blocks, has_checksum, window_bytes, content_bytes, content_bytes_max })
    }
}

/// An exponent of five bits and a mantissa of three.
fn window_bytes([descriptor]: [u8; 1]) -> u64 {
    let base: u64 = 1 << (10 + u32::from(descriptor >> 3));
    base.saturating_add((base / 8).saturating_mul((descriptor & 0b111).into()))
}

/// Passes over the blocks and returns what they cannot inflate beyond.
fn skip_blocks(rest: &mut &[u8]) -> Result<u64, Refusal> {
    let mut content_bytes_max: u64 = 0;
    loop {
        let header = take_number(rest, 3)?;
        let size = header >> 3;
        if size > BLOCK_BYTES_MAX {
            return Err(Refusal::malformed(format!("a block of {size} bytes, the largest that there is has 128 KiB")));
        }
        let (stored, inflated) = match header >> 1 & 0b11 {
            0 => (size, size),
            1 => (1, size),
            2 => (size, BLOCK_BYTES_MAX),
            _ => return Err(Refusal::malformed("a block of the reserved type")),
        };
        take(rest, stored)?;
        content_bytes_max = content_bytes_max.saturating_add(inflated);
        if header & 1 != 0 {
            return Ok(content_bytes_max);
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], count: u64) -> Result<&'a [u8], Refusal> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    rest.split_off(..count).ok_or_else(|| Refusal::malformed("a frame is cut short"))
}

fn take_array<const COUNT: usize>(rest: &mut &[u8]) -> Result<[u8; COUNT], Refusal> {
    let (array, behind) = rest.split_first_chunk().ok_or_else(|| Refusal::malformed("a frame is cut short"))?;
    *rest = behind;
    Ok(*array)
}

/// A number of up to eight bytes, the least significant first.
fn take_number(rest: &mut &[u8], bytes: u64) -> Result<u64, Refusal> {
    Ok(take(rest, bytes)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
