use proptest::prelude::*;

use super::*;

const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

pub(super) fn compressed(compression: impl Into<Compression>, records: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    compress(compression, records, &mut output).unwrap();
    output
}

pub(super) fn inflated(codec: Codec, bytes: &[u8], limits: impl Into<InflateLimits>) -> Result<Bytes, String> {
    decompress(codec, &Bytes::copy_from_slice(bytes), limits).map_err(|error| {
        assert_eq!(error.field, "records");
        error.reason
    })
}

/// Bytes as records are: much alike, never the same.
pub(super) fn records(length: usize) -> Vec<u8> {
    (0..)
        .flat_map(|number: u32| format!("{{\"user\":{},\"click\":{number}}}", number % 97).into_bytes())
        .take(length)
        .collect()
}

#[test]
fn what_is_compressed_inflates_to_the_same() {
    for codec in CODECS {
        // Around the sizes at which a codec begins another chunk, block or frame.
        for length in [0, 1, 12, 13, 100, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 131_072, 131_073, 700_000] {
            let records = records(length);
            let compressed = compressed(codec, &records);
            assert_eq!(inflated(codec, &compressed, length).unwrap(), records, "{codec:?} {length}");
            assert!(length < 1000 || compressed.len() < length / 2, "{codec:?} {length}: {}", compressed.len());
        }
    }
}

#[test]
fn what_was_in_the_output_stays_in_front() {
    for codec in Codec::ALL {
        let mut output = b"header".to_vec();
        compress(codec, &records(1000), &mut output).unwrap();
        let bytes = output.strip_prefix(b"header").unwrap();
        assert_eq!(inflated(codec, bytes, 1000).unwrap(), records(1000), "{codec:?}");
    }
}

#[test]
fn every_level_writes_what_can_be_read_and_a_higher_one_no_more() {
    let records = records(200_000);
    for codec in CODECS {
        let levels = codec.levels().map_or(vec![], |levels| (*levels.start().max(&-3)..=*levels.end()).collect());
        let lengths: Vec<usize> = levels
            .into_iter()
            .map(|level| {
                let bytes = compressed(Compression::with_level(codec, level).unwrap(), &records);
                assert_eq!(inflated(codec, &bytes, 200_000).unwrap(), records, "{codec:?} {level}");
                bytes.len()
            })
            .collect();
        assert!(lengths.first() >= lengths.last(), "{codec:?} {lengths:?}");
    }
}

#[test]
fn levels_are_those_of_kafka() {
    let refused = |codec, level| Compression::with_level(codec, level).unwrap_err().to_string();
    assert_eq!(refused(Codec::Gzip, 10), "gzip has no level 10, only 1 to 9");
    assert_eq!(refused(Codec::Gzip, 0), "gzip has no level 0, only 1 to 9");
    assert_eq!(refused(Codec::Lz4, 18), "lz4 has no level 18, only 1 to 17");
    assert_eq!(refused(Codec::Zstd, 23), "zstd has no level 23, only -131072 to 22");
    assert_eq!(refused(Codec::Snappy, 1), "snappy has no levels");
    assert_eq!(Compression::new(Codec::Zstd).level(), 3);
}

#[test]
fn a_codec_is_known_by_its_bits_and_by_its_name() {
    for codec in Codec::ALL {
        assert_eq!(Codec::from_attributes(codec.attributes() | 0b0111_1000), Ok(codec));
        assert_eq!(Codec::from_name(codec.name()), Some(codec));
    }
    assert_eq!(Codec::from_name("brotli"), None);
}

#[test]
fn the_gzip_of_two_members_is_one() {
    let mut members = compressed(Codec::Gzip, b"first ");
    members.extend(compressed(Codec::Gzip, b"second"));
    assert_eq!(inflated(Codec::Gzip, &members, 100).unwrap(), &b"first second"[..]);
}

#[test]
fn a_gzip_header_may_carry_all_there_is() {
    let plain = compressed(Codec::Gzip, b"clicks");
    let mut member = vec![0x1f, 0x8b, 8, 0b1_1110, 1, 2, 3, 4, 2, 3];
    member.extend(*b"\x05\x00extra");
    member.extend(*b"name\0comment\0");
    let mut crc = flate2::Crc::new();
    crc.update(&member);
    member.extend(&crc.sum().to_le_bytes()[..2]);
    let checksum_at = member.len() - 1;
    member.extend(&plain[10..]);
    assert_eq!(inflated(Codec::Gzip, &member, 100).unwrap(), &b"clicks"[..]);
    member[checksum_at] ^= 1;
    assert!(inflated(Codec::Gzip, &member, 100).unwrap_err().contains("member's header is wrong"));
}

#[test]
fn snappy_is_read_raw_and_in_streams_one_after_the_other() {
    let block = snap::raw::Encoder::new().compress_vec(b"clicks clicks clicks").unwrap();
    assert_eq!(inflated(Codec::Snappy, &block, 100).unwrap(), &b"clicks clicks clicks"[..]);
    let mut streams = compressed(Codec::Snappy, b"first ");
    streams.extend(compressed(Codec::Snappy, b"second"));
    assert_eq!(inflated(Codec::Snappy, &streams, 100).unwrap(), &b"first second"[..]);
}

/// Frames as others write them.
fn lz4_frame(info: lz4_flex::frame::FrameInfo, content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn lz4_frames_are_read_in_every_shape() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};
    let content = records(300_000);
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
            for declared in [None, Some(300_000)] {
                for checksums in [false, true] {
                    let info = FrameInfo::new().block_mode(mode).block_size(size).content_size(declared);
                    let info = info.block_checksums(checksums).content_checksum(checksums);
                    let frame = lz4_frame(info, &content);
                    assert_eq!(inflated(Codec::Lz4, &frame, 300_000).unwrap(), content, "{mode:?} {size:?}");
                }
            }
        }
    }
}

#[test]
fn zstd_frames_follow_each_other_with_others_to_skip_between() {
    let mut frames = compressed(Codec::Zstd, b"first ");
    frames.extend(*b"\x5a\x2a\x4d\x18\x04\x00\x00\x00skip");
    frames.extend(compressed(Codec::Zstd, b""));
    frames.extend(compressed(Codec::Zstd, b"second"));
    assert_eq!(inflated(Codec::Zstd, &frames, 100).unwrap(), &b"first second"[..]);
}

/// As Kafka's own reader does: what follows may be read as anything.
#[test]
fn only_the_first_of_several_lz4_frames_is_read() {
    let mut frames = compressed(Codec::Lz4, b"first");
    frames.extend(compressed(Codec::Lz4, b"second"));
    assert_eq!(inflated(Codec::Lz4, &frames, 100).unwrap(), &b"first"[..]);
}

#[test]
fn the_wrong_header_checksum_of_old_lz4_is_read_only_where_it_is_expected() {
    let mut frame = compressed(Codec::Lz4, b"clicks");
    // As Kafka 0.8 and 0.9 took it: over the magic, too.
    frame[6] = twox_hash::XxHash32::oneshot(0, &frame[..6]).to_le_bytes()[1];
    assert!(inflated(Codec::Lz4, &frame, 100).unwrap_err().contains("checksum of a frame's header"));
    let lenient = InflateLimits::from(100).any_lz4_header_checksum();
    assert_eq!(inflated(Codec::Lz4, &frame, lenient).unwrap(), &b"clicks"[..]);
}

/// What Java's client wrote, with a record of a value of 40 equal bytes: the codecs' own headers differ from ours.
#[test]
fn a_zstd_frame_with_size_and_checksum_is_read() {
    // `printf 'clicks clicks clicks' | zstd --check`: a single segment that declares 20 bytes.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x24, 20, (20 << 3) as u8 | 1, 0, 0];
    frame.extend(b"clicks clicks clicks");
    let without = frame.len();
    frame.extend(checksum_64(b"clicks clicks clicks"));
    assert_eq!(inflated(Codec::Zstd, &frame, 100).unwrap(), &b"clicks clicks clicks"[..]);
    frame[without] ^= 1;
    assert!(inflated(Codec::Zstd, &frame, 100).is_err());
}

/// The lower half of XXH64, out of the one frame of which it is known to be right.
fn checksum_64(content: &[u8]) -> [u8; 4] {
    let mut frame = Vec::new();
    ruzstd::encoding::compress(content, &mut frame, ruzstd::encoding::CompressionLevel::Uncompressed);
    *frame.last_chunk().unwrap()
}

/// Bytes in runs, repetitions and noise, which is where match finders go wrong.
pub(super) fn texture() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (any::<u8>(), 1usize..5000).prop_map(|(byte, count)| vec![byte; count]),
        prop::collection::vec(any::<u8>(), 1..3000),
        prop::collection::vec(0u8..4, 1..5000),
        (prop::collection::vec(any::<u8>(), 1..60), 1usize..300).prop_map(|(word, count)| word.repeat(count)),
        (0usize..40_000).prop_map(records),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_records_survive_any_codec(records in texture(), level in 1i32..=9) {
        for codec in CODECS {
            let compression = Compression::with_level(codec, level).unwrap_or_else(|_| codec.into());
            let bytes = compressed(compression, &records);
            prop_assert!(inflated(codec, &bytes, records.len()).unwrap() == records, "{:?}", compression);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_stay_below_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for codec in CODECS {
            // Behind the codec's own beginning, too, where more of it is reached.
            let begun = [&compressed(codec, b"")[..8], &bytes[..]].concat();
            for bytes in [&bytes, &begun] {
                if let Ok(inflated) = inflated(codec, bytes, 4096) {
                    prop_assert!(inflated.len() <= 4096);
                }
            }
        }
    }

    #[test]
    fn flipped_bits_and_cuts_never_pass_the_limit(
        records in texture(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        for codec in CODECS {
            let mut bytes = compressed(codec, &records);
            let end = cut.index(bytes.len());
            if let Ok(inflated) = inflated(codec, &bytes[..end], records.len()) {
                prop_assert!(records.starts_with(&inflated));
            }
            for (at, bit) in &flips {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            if let Ok(inflated) = inflated(codec, &bytes, records.len()) {
                prop_assert!(inflated.len() <= records.len());
            }
        }
    }
}
