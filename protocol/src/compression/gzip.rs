//! gzip: one member written, as many as there are read (RFC 1952).
//!
//! Headers and checksums are read here and what they enclose is left to `flate2`: so a member costs no new context, and
//! a refusal says which part is wrong. Called by [`compress`](super::compress) and [`decompress`](super::decompress).

use std::cell::RefCell;

use flate2::{Compress, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CompressError, Output, Refusal};

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const DEFLATE: u8 = 8;

const HEADER_CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// No flags, no time, no extra flags, an unknown operating system: nothing that would differ between equal batches.
const HEADER: [u8; 10] = [0x1f, 0x8b, DEFLATE, 0, 0, 0, 0, 0, 0, 0xff];

/// How far the size that a member declares is believed before anything is inflated: of records, deflate makes three to
/// thirty bytes of one.
const RATIO_BELIEVED: usize = 32;

/// So few bytes behind a member are no member, whatever they begin with.
const TAIL_BYTES_MAX: usize = 18;
/// Deflate does not make more of one byte.
const RATIO_MAX: usize = 1032;

/// A little more than is needed, so that the last call has room to find the end.
const ROOM_SPARE_BYTES: usize = 64;

thread_local! {
    /// The contexts take 270 KB and 40 KB, more than most batches: a thread keeps the ones it made.
    static DEFLATE_CONTEXT: RefCell<Option<(i32, Compress)>> = const { RefCell::new(None) };
    static INFLATE_CONTEXT: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

pub(super) fn compress(level: i32, records: &[u8], output: &mut Vec<u8>) -> Result<(), CompressError> {
    output.reserve((records.len() / 2).saturating_add(64));
    output.extend_from_slice(&HEADER);
    DEFLATE_CONTEXT.with_borrow_mut(|context| deflate(context, level, records, output))?;
    let mut crc = Crc::new();
    crc.update(records);
    output.extend_from_slice(&crc.sum().to_le_bytes());
    output.extend_from_slice(&crc.amount().to_le_bytes());
    Ok(())
}

fn deflate(
    context: &mut Option<(i32, Compress)>,
    level: i32,
    records: &[u8],
    output: &mut Vec<u8>,
) -> Result<(), CompressError> {
    if context.as_ref().is_none_or(|(made_for, _)| *made_for != level) {
        let level_of_zlib = flate2::Compression::new(u32::try_from(level).unwrap_or(6));
        *context = Some((level, Compress::new(level_of_zlib, false)));
    }
    let Some((_, deflate)) = context else { return Err(CompressError::new("no context")) };
    deflate.reset();
    loop {
        let done = usize::try_from(deflate.total_in()).unwrap_or(usize::MAX);
        let rest = records.get(done..).unwrap_or_default();
        match deflate.compress_vec(rest, output, FlushCompress::Finish).map_err(CompressError::new)? {
            Status::StreamEnd => return Ok(()),
            Status::Ok | Status::BufError => output.reserve(rest.len().saturating_add(64)),
        }
    }
}

pub(super) fn decompress(bytes: &[u8], output: &mut Output) -> Result<(), Refusal> {
    // The size stands at the end of the last member, which mostly is the only one. Where it was a lie, the second try has
    // room for all that the bytes can make.
    let declared = bytes.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size));
    let declared = usize::try_from(declared).unwrap_or(usize::MAX);
    let limit = output.room();
    for room in [declared.min(bytes.len().saturating_mul(RATIO_BELIEVED)), bytes.len().saturating_mul(RATIO_MAX)] {
        output.restart(room.min(limit).saturating_add(ROOM_SPARE_BYTES));
        if inflate_members(bytes, output)? {
            return Ok(());
        }
    }
    Err(Refusal::malformed("more than deflate can make"))
}

/// Whether the room sufficed.
fn inflate_members(bytes: &[u8], output: &mut Output) -> Result<bool, Refusal> {
    INFLATE_CONTEXT.with_borrow_mut(|context| {
        let inflate = context.get_or_insert_with(|| Decompress::new(false));
        let mut member = skip_header(bytes)?;
        loop {
            let Some(rest) = inflate_member(inflate, member, output)? else { return Ok(false) };
            // What does not begin as a member does is not read, by Kafka's own reader neither.
            match skip_header(rest) {
                Ok(another) if rest.len() > TAIL_BYTES_MAX => member = another,
                Ok(_) | Err(_) => return Ok(true),
            }
        }
    })
}

/// Inflates the member whose header ends where `rest` begins, and returns what is behind it; nothing when the room does not
/// suffice.
fn inflate_member<'a>(
    inflate: &mut Decompress,
    mut rest: &'a [u8],
    output: &mut Output,
) -> Result<Option<&'a [u8]>, Refusal> {
    let start = output.len();
    inflate.reset(false);
    loop {
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let status = output.append(|vector| inflate.decompress_vec(rest, vector, FlushDecompress::None))?;
        let Some(status) = status else { return Ok(None) };
        let status = status.map_err(Refusal::malformed)?;
        let read = usize::try_from(inflate.total_in().saturating_sub(read)).unwrap_or(usize::MAX);
        rest = rest.get(read..).unwrap_or_default();
        match status {
            Status::StreamEnd => break,
            Status::Ok | Status::BufError if read == 0 && inflate.total_out() == written => {
                return Err(Refusal::malformed("a member is cut short"));
            }
            Status::Ok | Status::BufError => {}
        }
    }
    let (trailer, rest) =
        rest.split_first_chunk::<8>().ok_or_else(|| Refusal::malformed("a member's checksum is cut short"))?;
    let mut crc = Crc::new();
    crc.update(output.written_since(start));
    let [crc_bytes @ .., _, _, _, _] = *trailer;
    let [_, _, _, _, amount_bytes @ ..] = *trailer;
    if u32::from_le_bytes(crc_bytes) != crc.sum() || u32::from_le_bytes(amount_bytes) != crc.amount() {
        return Err(Refusal::malformed("a member's checksum or size is wrong"));
    }
    Ok(Some(rest))
}

/// What is behind a member's header.
fn skip_header(bytes: &[u8]) -> Result<&[u8], Refusal> {
    let cut_short = || Refusal::malformed("a member's header is cut short");
    if !bytes.starts_with(&MAGIC) {
        return Err(Refusal::malformed("no gzip header"));
    }
    let (fixed, mut rest) = bytes.split_first_chunk::<10>().ok_or_else(cut_short)?;
    let [_, _, method, flags, ..] = *fixed;
    if method != DEFLATE {
        return Err(Refusal::unsupported(format!("method {method}, only deflate (8) is known")));
    }
    if flags & RESERVED != 0 {
        return Err(Refusal::malformed(format!("flags {flags:#04x}, of which some are reserved")));
    }
    if flags & EXTRA != 0 {
        let (length, behind) = rest.split_first_chunk::<2>().ok_or_else(cut_short)?;
        rest = behind.get(usize::from(u16::from_le_bytes(*length))..).ok_or_else(cut_short)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0).ok_or_else(cut_short)?;
            rest = rest.get(end.saturating_add(1)..).ok_or_else(cut_short)?;
        }
    }
    if flags & HEADER_CHECKSUM != 0 {
        let checked = bytes.len().saturating_sub(rest.len());
        let (checksum, behind) = rest.split_first_chunk::<2>().ok_or_else(cut_short)?;
        let mut crc = Crc::new();
        crc.update(bytes.get(..checked).unwrap_or_default());
        let [low, high, ..] = crc.sum().to_le_bytes();
        if *checksum != [low, high] {
            return Err(Refusal::malformed("the checksum of a member's header is wrong"));
        }
        rest = behind;
    }
    Ok(rest)
}
