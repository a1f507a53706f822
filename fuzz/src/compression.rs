//! Every codec against its limit. The first byte chooses the codec, and whether the rest is also compressed and must come
//! back; the next two are the limit; the rest is what is inflated.

use bytes::{BufMut, Bytes};
use tidemill_protocol::compression::{Codec, compress, decompress};

use super::{Peak, Seed};

/// What a codec takes beside its input and the limit, as `InflateLimits` has it, and the words of a refusal.
pub const fn beside_bytes(codec: Codec) -> usize {
    const WORDS_BYTES: usize = 1 << 10;
    match codec {
        Codec::None | Codec::Snappy | Codec::Lz4 => WORDS_BYTES,
        Codec::Gzip => WORDS_BYTES + (48 << 10),
        // The buffer, then tables, literals and sequences of a block.
        Codec::Zstd | _ => WORDS_BYTES + (8 << 20) + (5 << 20),
    }
}

/// Whether the bytes inflate.
pub fn run(bytes: &[u8], peak: Peak) -> bool {
    let Some(([choice, high, low], bytes)) = bytes.split_first_chunk::<3>() else { return false };
    let codecs = Codec::ALL.len();
    let codec = Codec::ALL[usize::from(*choice) % codecs];
    let bytes_max = usize::from(u16::from_be_bytes([*high, *low]));
    let bytes = Bytes::copy_from_slice(bytes);
    let mut inflated = None;
    let taken = peak(&mut || inflated = Some(decompress(codec, &bytes, bytes_max)));
    let inflated = inflated.expect("it ran");
    let taken_max = 4 * bytes.len() + bytes_max + beside_bytes(codec);
    assert!(taken <= taken_max, "{codec:?} held {taken} bytes for {bytes_max}");
    if let Ok(inflated) = &inflated {
        assert!(inflated.len() <= bytes_max, "{} bytes of {bytes_max}", inflated.len());
    }
    if usize::from(*choice) / codecs == 1 {
        comes_back(codec, &bytes);
    }
    inflated.is_ok()
}

fn comes_back(codec: Codec, bytes: &Bytes) {
    let compressed = Bytes::from(compressed(codec, bytes));
    let again = decompress(codec, &compressed, bytes.len()).expect("what was compressed inflates");
    assert_eq!(again, bytes);
    if let Some(less) = bytes.len().checked_sub(1) {
        assert!(decompress(codec, &compressed, less).is_err(), "one byte more than the limit");
    }
}

/// The bytes, as the codec writes them.
///
/// gzip and zstd take milliseconds to begin, which is a hundred times what all the rest takes. So of sixty-four inputs one
/// is compressed as the product does it, and the others stand in blocks that are only stored. Which one has nothing to do
/// with what a fuzzer learns, or it would keep those that take long.
pub(super) fn compressed(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let is_stored = !crc32fast::hash(bytes).is_multiple_of(64);
    if is_stored && codec == Codec::Gzip {
        stored_by_gzip(bytes)
    } else if is_stored && codec == Codec::Zstd {
        stored_by_zstd(bytes)
    } else {
        compressed_in_earnest(codec, bytes)
    }
}

fn compressed_in_earnest(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    compress(codec, bytes, &mut compressed).expect("memory enough");
    compressed
}

/// Blocks of type 0 (RFC 1951, section 3.2.4).
fn stored_by_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut rest = bytes;
    loop {
        let block = rest.split_off(..rest.len().min(0xffff)).expect("no more than there is");
        let length = u16::try_from(block.len()).expect("no more than that");
        member.put_u8(u8::from(rest.is_empty()));
        member.put_u16_le(length);
        member.put_u16_le(!length);
        member.put_slice(block);
        if rest.is_empty() {
            break;
        }
    }
    member.put_u32_le(crc32fast::hash(bytes));
    member.put_u32_le(u32::try_from(bytes.len()).expect("a fuzzer's input is short"));
    member
}

/// Raw blocks (RFC 8878, section 3.1.1.2) in a frame that does not say its size.
fn stored_by_zstd(bytes: &[u8]) -> Vec<u8> {
    const BLOCK_BYTES: usize = 128 << 10;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
    let mut rest = bytes;
    loop {
        let block = rest.split_off(..rest.len().min(BLOCK_BYTES)).expect("no more than there is");
        let size = u32::try_from(block.len()).expect("no more than that");
        frame.put_slice(&(size << 3 | u32::from(rest.is_empty())).to_le_bytes()[..3]);
        frame.put_slice(block);
        if rest.is_empty() {
            return frame;
        }
    }
}

/// A text and a run of zeros as each codec writes them, and what is to be compressed.
pub fn seeds() -> Vec<Seed> {
    let inputs = [("empty", Vec::new()), ("text", b"user_clicks, user_clicks".to_vec()), ("zeros", vec![0; 60_000])];
    let mut seeds = Vec::new();
    for (number, codec) in (0..).zip(Codec::ALL) {
        for (name, input) in &inputs {
            let seed = [&[number, 0xff, 0xff], &compressed_in_earnest(codec, input)[..]].concat();
            seeds.push((format!("{}_{name}", codec.name()), seed));
        }
        for (name, stored) in [("gzip", stored_by_gzip(b"clicks")), ("zstd", stored_by_zstd(b"clicks"))] {
            if name == codec.name() {
                seeds.push((format!("{name}_stored"), [&[number, 0xff, 0xff], &stored[..]].concat()));
            }
        }
        let to_compress = [&[number + 5, 0xff, 0xff], &b"user_clicks, user_clicks"[..]].concat();
        seeds.push((format!("{}_to_compress", codec.name()), to_compress));
    }
    seeds
}
