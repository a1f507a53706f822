//! One lz4 frame, written as the Java client does and read in every shape the format has.
//!
//! The frame is read here and its blocks are left to `lz4_flex`, which inflates them straight into the output: that
//! spares a copy, lets dependent blocks see what was written before them, and gives a say over header checksums. Called
//! by [`compress`](super::compress) and [`decompress`](super::decompress).

use std::cell::RefCell;

use lz4_flex::block::{
    CompressTable, DecompressError, compress_into_with_table, decompress_into, decompress_into_with_dict,
    get_maximum_output_size,
};
use twox_hash::XxHash32;

use super::{CompressError, Output, Refusal};

const MAGIC: u32 = 0x184d_2204;
const MAGIC_LEGACY: u32 = 0x184c_2102;

const VERSION: u8 = 0b0100_0000;
const VERSION_MASK: u8 = 0b1100_0000;
const INDEPENDENT_BLOCKS: u8 = 1 << 5;
const BLOCK_CHECKSUMS: u8 = 1 << 4;
const CONTENT_SIZE: u8 = 1 << 3;
const CONTENT_CHECKSUM: u8 = 1 << 2;
const RESERVED: u8 = 1 << 1;
const DICTIONARY: u8 = 1;

/// Set in a block's length when the block is not compressed.
const PLAIN_BLOCK: u32 = 1 << 31;

/// The header that the Java client writes: blocks of 64 KiB that stand alone, no checksums but the header's own.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, VERSION | INDEPENDENT_BLOCKS, 4 << 4, 0x82];
const BLOCK_BYTES: usize = 64 * 1024;
const END_MARK: [u8; 4] = [0; 4];

/// How far back a match may reach, across blocks that depend on each other.
const WINDOW_BYTES: usize = 64 * 1024;

/// A block cannot inflate further than this: a byte of a match's length stands for 255 bytes of the match.
const RATIO_MAX: usize = 255;

thread_local! {
    /// Tables for blocks below 64 KiB and for whole ones, which a thread keeps.
    static TABLES: RefCell<[CompressTable; 2]> = RefCell::new([CompressTable::small(), CompressTable::large()]);
}

#[expect(clippy::arithmetic_side_effects, reason = "lengths of what is in memory")]
pub(super) fn compress(records: &[u8], output: &mut Vec<u8>) -> Result<(), CompressError> {
    output.reserve(records.len().min(2 * BLOCK_BYTES) + HEADER.len() + END_MARK.len());
    output.extend_from_slice(&HEADER);
    TABLES.with_borrow_mut(|[small, large]| {
        for block in records.chunks(BLOCK_BYTES) {
            let table = if block.len() < BLOCK_BYTES { &mut *small } else { &mut *large };
            compress_block(block, table, output)?;
        }
        Ok(())
    })?;
    output.extend_from_slice(&END_MARK);
    Ok(())
}

#[expect(clippy::arithmetic_side_effects, reason = "lengths of what is in memory")]
fn compress_block(block: &[u8], table: &mut CompressTable, output: &mut Vec<u8>) -> Result<(), CompressError> {
    let length_at = output.len();
    let start = length_at + 4;
    output.resize(start + get_maximum_output_size(block.len()), 0);
    let room = output.get_mut(start..).unwrap_or_default();
    let compressed = compress_into_with_table(block, room, table).map_err(CompressError::new)?;
    let mut length = u32::try_from(compressed.min(block.len())).unwrap_or(u32::MAX);
    output.truncate(start + compressed);
    if compressed >= block.len() {
        output.truncate(start);
        output.extend_from_slice(block);
        length |= PLAIN_BLOCK;
    }
    if let Some(field) = output.get_mut(length_at..start) {
        field.copy_from_slice(&length.to_le_bytes());
    }
    Ok(())
}

pub(super) fn decompress(bytes: &[u8], header_is_checked: bool, output: &mut Output) -> Result<(), Refusal> {
    let mut rest = bytes;
    match take_u32(&mut rest)? {
        MAGIC => {}
        MAGIC_LEGACY => return Err(Refusal::unsupported("a legacy frame, from before the frame format")),
        magic => return Err(Refusal::malformed(format!("no frame begins with {magic:#010x}"))),
    }
    let frame = Frame::take(&mut rest, header_is_checked)?;
    output.reserve(frame.content_bytes_max(rest));
    // What is behind the frame is not read, be it another one: Kafka's own reader ends here.
    frame.inflate(&mut rest, output)
}

/// What a frame's header says.
struct Frame {
    flags: u8,
    block_bytes_max: usize,
    content_bytes: Option<u64>,
}

/// A block as it is stored.
struct Block<'a> {
    bytes: &'a [u8],
    is_plain: bool,
    checksum: Option<u32>,
}

impl Frame {
    /// Reads the header behind the magic.
    fn take(rest: &mut &[u8], is_checked: bool) -> Result<Self, Refusal> {
        let header = *rest;
        let [flags, sizes] = take_array(rest)?;
        if flags & VERSION_MASK != VERSION {
            return Err(Refusal::unsupported(format!("version {} of the frame format, only 1 is known", flags >> 6)));
        }
        if flags & RESERVED != 0 || sizes & 0b1000_1111 != 0 {
            return Err(Refusal::malformed("reserved bits are set in a frame's header"));
        }
        let block_bytes_max = match sizes >> 4 {
            4 => 64 << 10,
            5 => 256 << 10,
            6 => 1 << 20,
            7 => 4 << 20,
            size => return Err(Refusal::malformed(format!("no block size has the number {size}"))),
        };
        let content_bytes = if flags & CONTENT_SIZE == 0 { None } else { Some(u64::from_le_bytes(take_array(rest)?)) };
        if flags & DICTIONARY != 0 {
            let id = take_u32(rest)?;
            return Err(Refusal::unsupported(format!("the frame needs dictionary {id}, and Kafka has none")));
        }
        let checked = header.get(..header.len().saturating_sub(rest.len())).unwrap_or_default();
        let [checksum] = take_array(rest)?;
        let [_, expected, ..] = XxHash32::oneshot(0, checked).to_le_bytes();
        if is_checked && checksum != expected {
            return Err(Refusal::malformed("the checksum of a frame's header is wrong"));
        }
        Ok(Self { flags, block_bytes_max, content_bytes })
    }

    /// The next block; none at the frame's end mark.
    fn next_block<'a>(&self, rest: &mut &'a [u8]) -> Result<Option<Block<'a>>, Refusal> {
        let length = take_u32(rest)?;
        if length == 0 {
            return Ok(None);
        }
        let count = usize::try_from(length & !PLAIN_BLOCK).unwrap_or(usize::MAX);
        if count > self.block_bytes_max {
            return Err(Refusal::malformed(format!("a block of {count} bytes in a frame that has none so large")));
        }
        let bytes = take(rest, count)?;
        let checksum = if self.flags & BLOCK_CHECKSUMS == 0 { None } else { Some(take_u32(rest)?) };
        Ok(Some(Block { bytes, is_plain: length & PLAIN_BLOCK != 0, checksum }))
    }

    /// What the blocks can inflate to, up to where something is wrong, which is said when its turn comes.
    fn content_bytes_max(&self, mut rest: &[u8]) -> usize {
        let mut total: usize = 0;
        while let Ok(Some(block)) = self.next_block(&mut rest) {
            let most = if block.is_plain { block.bytes.len() } else { self.bytes_max(block.bytes) };
            total = total.saturating_add(most);
        }
        total
    }

    /// What a block can inflate to.
    fn bytes_max(&self, block: &[u8]) -> usize {
        self.block_bytes_max.min(block.len().saturating_mul(RATIO_MAX).saturating_add(64))
    }

    fn inflate(&self, rest: &mut &[u8], output: &mut Output) -> Result<(), Refusal> {
        if self.content_bytes.is_some_and(|size| usize::try_from(size).unwrap_or(usize::MAX) > output.room()) {
            return Err(Refusal::TooLarge);
        }
        while let Some(block) = self.next_block(rest)? {
            if block.checksum.is_some_and(|checksum| checksum != XxHash32::oneshot(0, block.bytes)) {
                return Err(Refusal::malformed("the checksum of a block is wrong"));
            }
            if block.is_plain {
                output.push(block.bytes)?;
            } else {
                self.inflate_block(block.bytes, output)?;
            }
        }
        let content = output.written_since(0);
        if self.flags & CONTENT_CHECKSUM != 0 && take_u32(rest)? != XxHash32::oneshot(0, content) {
            return Err(Refusal::malformed("the checksum of a frame's content is wrong"));
        }
        if self.content_bytes.is_some_and(|size| u64::try_from(content.len()) != Ok(size)) {
            return Err(Refusal::malformed("a frame's content has not the size that it declares"));
        }
        Ok(())
    }

    fn inflate_block(&self, block: &[u8], output: &mut Output) -> Result<(), Refusal> {
        let most = self.bytes_max(block);
        output
            .fill(most, |before, room| {
                if self.flags & INDEPENDENT_BLOCKS != 0 {
                    return decompress_into(block, room);
                }
                let window = before.len().saturating_sub(WINDOW_BYTES);
                decompress_into_with_dict(block, room, before.get(window..).unwrap_or_default())
            })
            .map_err(|error| {
                // The room is as large as a block of this frame may be, unless the limit made it smaller.
                let is_cut = matches!(error, DecompressError::OutputTooSmall { actual, .. } if actual < most);
                if is_cut { Refusal::TooLarge } else { Refusal::malformed(error) }
            })
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], Refusal> {
    rest.split_off(..count).ok_or_else(|| Refusal::malformed("a frame is cut short"))
}

fn take_array<const COUNT: usize>(rest: &mut &[u8]) -> Result<[u8; COUNT], Refusal> {
    let (array, behind) = rest.split_first_chunk().ok_or_else(|| Refusal::malformed("a frame is cut short"))?;
    *rest = behind;
    Ok(*array)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, Refusal> {
    take_array(rest).map(u32::from_le_bytes)
}
