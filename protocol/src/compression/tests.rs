use proptest::prelude::*;

use super::*;

const CODECS: [Codec; 2] = [Codec::Snappy, Codec::Lz4];

#[test]
fn what_is_compressed_inflates_to_the_same() {
    for codec in CODECS {
        for length in [0, 1, 100, 32 * 1024, 200_000] {
            let records: Vec<u8> = (0..length).map(|at: u32| (at / 7) as u8).collect();
            let compressed = Bytes::from(compress(codec, &records));
            assert_eq!(decompress(codec, &compressed, records.len()).unwrap(), records, "{codec:?} {length}");
        }
    }
}

#[test]
fn inflating_stops_at_the_limit() {
    let bomb = vec![0; 10 << 20];
    for codec in CODECS {
        let compressed = Bytes::from(compress(codec, &bomb));
        let error = decompress(codec, &compressed, 1 << 20).unwrap_err();
        assert!(error.reason.contains("limit of 1048576 bytes"), "{error}");
    }
}

#[test]
fn raw_snappy_is_read() {
    let block = snap::raw::Encoder::new().compress_vec(b"clicks clicks clicks").unwrap();
    assert_eq!(decompress(Codec::Snappy, &Bytes::from(block), 100).unwrap(), &b"clicks clicks clicks"[..]);
}

#[test]
fn a_snappy_block_that_declares_a_gigabyte_allocates_nothing() {
    let lie = Bytes::from_static(&[0x80, 0x80, 0x80, 0x80, 0x04]);
    assert!(decompress(Codec::Snappy, &lie, 128 << 20).unwrap_err().reason.contains("limit"));
    assert!(decompress(Codec::Snappy, &lie, 2 << 30).unwrap_err().reason.contains("cannot inflate"));
    let mut xerial = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x05".to_vec();
    xerial.extend_from_slice(&lie);
    assert!(decompress(Codec::Snappy, &Bytes::from(xerial), 2 << 30).is_err());
}

#[test]
fn xerial_chunk_lengths_that_lie_are_refused() {
    for length in [-1, 5, i32::MAX, i32::MIN] {
        let mut stream = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01".to_vec();
        stream.extend_from_slice(&length.to_be_bytes());
        assert!(decompress(Codec::Snappy, &Bytes::from(stream), 1 << 20).is_err(), "{length}");
    }
}

#[test]
fn concatenated_lz4_frames_are_one() {
    let mut frames = compress(Codec::Lz4, b"first ");
    frames.extend(compress(Codec::Lz4, b"second"));
    assert_eq!(decompress(Codec::Lz4, &Bytes::from(frames), 100).unwrap(), &b"first second"[..]);
}

#[test]
fn a_codec_out_of_reach_says_so() {
    assert!(Codec::from_attributes(1).unwrap_err().contains("gzip"));
    assert!(Codec::from_attributes(4).unwrap_err().contains("zstd"));
    assert!(Codec::from_attributes(7).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_stay_below_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for codec in CODECS {
            if let Ok(inflated) = decompress(codec, &Bytes::from(bytes.clone()), 4096) {
                prop_assert!(inflated.len() <= 4096);
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_passes_the_limit(at in 0usize..400, bit in 0u8..8) {
        let records: Vec<u8> = (0u32..1000).map(|at| (at % 23) as u8).collect();
        for codec in CODECS {
            let mut compressed = compress(codec, &records);
            let at = at % compressed.len();
            compressed[at] ^= 1 << bit;
            if let Ok(inflated) = decompress(codec, &Bytes::from(compressed), 2000) {
                prop_assert!(inflated.len() <= 2000);
            }
        }
    }
}
