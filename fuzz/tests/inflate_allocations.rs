//! What hostile batches make the codecs hold at once, counted: at most four times their own size and what the limits allow.

use bytes::Bytes;
use tidemill_fuzz::compression::beside_bytes;
use tidemill_protocol::compression::{Codec, compress, decompress};

#[path = "../src/counting.rs"]
mod counting;

/// How much was held at once while this was inflated, and whether it was refused.
fn peak(codec: Codec, bytes: &Bytes, limit: usize) -> (usize, bool) {
    let mut is_refused = false;
    let peak = counting::peak(&mut || is_refused = decompress(codec, bytes, limit).is_err());
    (peak, is_refused)
}

fn compressed(codec: Codec, records: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    compress(codec, records, &mut output).unwrap();
    output
}

const LIMIT: usize = 4 << 20;
/// A refusal's words, and room for a block of zstd, which does not say what it inflates to.
const SMALL_BYTES: usize = 130 << 10;

#[test]
fn a_bomb_holds_no_more_than_the_limit_allows() {
    let zeros = vec![0; 64 << 20];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let bomb = Bytes::from(compressed(codec, &zeros));
        let (peak, is_refused) = peak(codec, &bomb, LIMIT);
        assert!(is_refused, "{codec:?}");
        assert!(peak <= 4 * bomb.len() + LIMIT + beside_bytes(codec), "{codec:?}: {peak}");
    }
}

#[test]
fn a_size_that_is_only_declared_is_not_held() {
    let xerial = |chunks: &[u8]| [b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01", chunks].concat();
    // What each thread makes once is there before.
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        for _ in 0..2 {
            decompress(codec, &Bytes::from(compressed(codec, &[7; 200_000])), 200_000).unwrap();
        }
    }
    let mut gzip = compressed(Codec::Gzip, b"clicks");
    let size_at = gzip.len() - 4;
    gzip[size_at..].copy_from_slice(&[0xff; 4]);
    for (name, codec, bytes) in [
        ("snappy, 1 GiB", Codec::Snappy, vec![0x80, 0x80, 0x80, 0x80, 0x04]),
        ("xerial, 1 GiB", Codec::Snappy, xerial(&[0, 0, 0, 5, 0x80, 0x80, 0x80, 0x80, 0x04])),
        ("xerial, a chunk of 2 GiB", Codec::Snappy, xerial(&[0x7f, 0xff, 0xff, 0xff])),
        ("gzip, 4 GiB", Codec::Gzip, gzip),
        ("lz4, blocks of 4 MiB", Codec::Lz4, vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 1, 0, 0, 0, 7]),
        ("lz4, a block of 2 GiB", Codec::Lz4, vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 0xff, 0xff, 0xff, 0xff]),
        // Found by the target `compression`: two such frames took 16 MiB.
        ("lz4, a legacy frame, whose blocks are 8 MiB", Codec::Lz4, vec![0x02, 0x21, 0x4c, 0x18, 1, 0, 0, 0, 0]),
        ("zstd, a window of 2 GiB", Codec::Zstd, vec![0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0]),
        ("zstd, a window of 128 MiB", Codec::Zstd, vec![0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 5, 0, 0]),
        (
            "zstd, 16 EiB",
            Codec::Zstd,
            vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0],
        ),
    ] {
        let bytes = Bytes::from(bytes);
        let (peak, is_refused) = peak(codec, &bytes, 128 << 20);
        assert!(is_refused, "{name}");
        assert!(peak <= 4 * bytes.len() + SMALL_BYTES, "{name}: {peak}");
    }
}
