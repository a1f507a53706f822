//! Bytes made to hurt: every one ends in an error that says why, and never in more than the limit.

use super::tests::{compressed, inflated, records};
use super::*;
use crate::records::{BatchBuilder, BatchFlags, NewRecord, RecordBatches};

const MEBIBYTE: usize = 1 << 20;

/// What a consumer allows.
const LIMIT: usize = 128 * MEBIBYTE;

/// A whole batch, its checksum true, that says it holds one record in this codec.
fn batch(codec: i16, payload: &[u8]) -> Bytes {
    let mut builder = BatchBuilder::new(0);
    builder.append(&NewRecord { timestamp: 0, key: None, value: None, headers: &[] });
    let mut bytes = builder.seal(Codec::None).stamp(None, BatchFlags::default())[..61].to_vec();
    bytes.extend_from_slice(payload);
    let length = i32::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[21..23].copy_from_slice(&codec.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    Bytes::from(bytes)
}

/// Opens the batch and reads its records; the reason that stopped it.
fn refusal(batch: Bytes) -> String {
    let batch = RecordBatches::new(batch).next().unwrap().unwrap();
    match batch.open(LIMIT) {
        Err(error) => error.reason,
        Ok(open) => open.iter().find_map(Result::err).unwrap().reason,
    }
}

fn xerial(chunks: &[u8]) -> Vec<u8> {
    [b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01", chunks].concat()
}

/// A gibibyte, compressed with each codec; in parts, so that making it takes no gibibyte.
fn bombs() -> [(Codec, Vec<u8>); 4] {
    let zeros = vec![0; 16 * MEBIBYTE];
    let of = |codec| compressed(codec, &zeros).repeat(64);
    let (snappy, lz4) = (&compressed(Codec::Snappy, &zeros)[16..], compressed(Codec::Lz4, &zeros));
    [
        (Codec::Gzip, of(Codec::Gzip)),
        (Codec::Snappy, xerial(&snappy.repeat(64))),
        (Codec::Lz4, lz4_frame(32, 4, b"", &[&lz4[7..lz4.len() - 4].repeat(64), &[0; 4][..]].concat())),
        (Codec::Zstd, zstd_bomb(8192)),
    ]
}

/// Blocks of 128 KiB that are one byte, repeated: 32.8 KB for a gibibyte.
fn zstd_bomb(blocks: u32) -> Vec<u8> {
    // No content size, a window of 128 KiB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
    for block in 1..=blocks {
        let header = ((128 * 1024) << 3) | 2 | u32::from(block == blocks);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn a_bomb_of_each_codec_stops_at_the_limit() {
    for (codec, bomb) in bombs() {
        let reason = inflated(codec, &bomb, LIMIT).unwrap_err();
        assert_eq!(reason, "the records inflate to more than the limit of 134217728 bytes", "{codec:?}");
        let reason = inflated(codec, &bomb, 1000).unwrap_err();
        assert_eq!(reason, "the records inflate to more than the limit of 1000 bytes", "{codec:?}");
    }
}

#[test]
fn the_bombs_of_the_wire_stop_in_a_batch() {
    // 1 GiB from 1.04 MB, 4.5 MB and 32.8 KB.
    for (codec, bomb) in bombs() {
        assert!(refusal(batch(codec.attributes(), &bomb)).contains("limit of 134217728 bytes"), "{codec:?}");
    }
}

#[test]
fn a_limit_is_reached_but_not_passed() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let content = records(300_000);
        let bytes = compressed(codec, &content);
        assert_eq!(inflated(codec, &bytes, 300_000).unwrap(), content, "{codec:?}");
        let reason = inflated(codec, &bytes, 299_999).unwrap_err();
        assert_eq!(reason, "the records inflate to more than the limit of 299999 bytes", "{codec:?}");
    }
}

#[test]
fn a_ratio_beyond_reason_stops_below_the_limit_in_bytes() {
    // 100 blocks: 406 bytes that say 12.5 MiB.
    let reason = inflated(Codec::Zstd, &zstd_bomb(100), LIMIT).unwrap_err();
    assert_eq!(
        reason,
        "406 bytes inflate to more than 4096 times that, beyond the 8388608 bytes where it does not matter"
    );
    let patient = InflateLimits::from(LIMIT).ratio_max(1 << 20);
    assert_eq!(inflated(Codec::Zstd, &zstd_bomb(100), patient).unwrap().len(), 100 << 17);
    // So little that the ratio does not matter.
    assert_eq!(inflated(Codec::Zstd, &zstd_bomb(64), LIMIT).unwrap().len(), 8 * MEBIBYTE);
    let strict = InflateLimits::from(LIMIT).ratio_max(10);
    let zeros = compressed(Codec::Gzip, &vec![0; 9 * MEBIBYTE]);
    assert!(inflated(Codec::Gzip, &zeros, strict).unwrap_err().contains("more than 10 times"));
}

#[test]
fn codecs_that_are_none_are_named() {
    for codec in 5..=7 {
        let reason = refusal(batch(codec, b""));
        assert_eq!(reason, format!("the batch names codec {codec}, which Kafka does not define"));
    }
}

#[test]
fn an_empty_batch_with_a_codec_is_refused_when_it_says_that_it_has_records() {
    for codec in 1..=4 {
        assert!(refusal(batch(codec, b"")).contains("no bytes at all"), "{codec}");
    }
}

#[test]
fn garbage_is_not_what_a_codec_writes() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let reason = inflated(codec, &[0xff; 100], LIMIT).unwrap_err();
        assert!(reason.starts_with(&format!("not what {} writes: ", codec.name())), "{reason}");
    }
}

/// Each line is a batch of three records that Kafka's own classes made (`testkit/tests/java/CodecTails.java`), and how many
/// of them they read: in one stream or several, cut, and with something behind.
#[test]
fn several_streams_and_what_is_behind_them_are_read_as_kafka_does() {
    let mut stricter = Vec::new();
    for line in include_str!("../../tests/golden/codec_tails.txt").lines() {
        let [codec, case, read_by_kafka, hex] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Bytes = digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect();
        let batch = RecordBatches::new(bytes).next().unwrap().unwrap();
        assert_eq!(batch.header().codec().unwrap().name(), codec);
        let read =
            batch.open(LIMIT).and_then(|open| open.iter().try_fold(0, |count, record| record.map(|_| count + 1)));
        let read = read.map_or_else(|_| "refused".to_owned(), |count| count.to_string());
        if read != read_by_kafka {
            assert_eq!(read, "refused", "{codec} {case}");
            stricter.push((codec, case));
        }
    }
    assert_eq!(stricter, [("zstd", "the_head_of_a_stream_behind")]);
}

#[test]
fn nothing_is_read_behind_a_raw_snappy_block() {
    let raw = [&snap::raw::Encoder::new().compress_vec(b"clicks").unwrap()[..], b"garbage"].concat();
    assert!(inflated(Codec::Snappy, &raw, LIMIT).is_err());
}

#[test]
fn every_cut_is_refused() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let bytes = compressed(codec, &records(500));
        for end in 1..bytes.len() {
            // A xerial stream may end behind its header or a chunk, and in the length of another: then it has no records.
            if codec == Codec::Snappy && (16..20).contains(&end) {
                assert_eq!(inflated(codec, &bytes[..end], LIMIT).unwrap().len(), 0);
            } else {
                assert!(inflated(codec, &bytes[..end], LIMIT).is_err(), "{codec:?} {end}");
            }
        }
    }
}

#[test]
fn many_empty_frames_and_members_are_nothing() {
    for (codec, count) in [(Codec::Gzip, 20_000), (Codec::Zstd, 20_000)] {
        let bytes = compressed(codec, b"").repeat(count);
        assert_eq!(inflated(codec, &bytes, 0).unwrap().len(), 0, "{codec:?}");
        assert!(!refusal(batch(codec.attributes(), &bytes)).is_empty());
    }
}

// snappy

#[test]
fn a_snappy_block_that_declares_a_gigabyte_is_refused() {
    // F6: a batch of 66 bytes, and one of 86 in xerial's framing.
    const LIE: &[u8] = &[0x80, 0x80, 0x80, 0x80, 0x04];
    let reason = "bytes inflate to more than 4096 times that, beyond the 8388608 bytes where it does not matter";
    assert_eq!(refusal(batch(2, LIE)), format!("5 {reason}"));
    assert_eq!(refusal(batch(2, &xerial(&[&[0, 0, 0, 5], LIE].concat()))), format!("25 {reason}"));
    // Below the limit it is held against the bytes that are there.
    assert_eq!(
        inflated(Codec::Snappy, LIE, InflateLimits::from(2 << 30).ratio_max(usize::MAX)).unwrap_err(),
        "not what snappy writes: 5 bytes cannot inflate to 1073741824"
    );
}

#[test]
fn a_snappy_length_that_lies_is_refused() {
    let block = snap::raw::Encoder::new().compress_vec(&records(1000)).unwrap();
    for length in [[0xe7, 0x07], [0xe9, 0x07], [0x80, 0x00], [0xff, 0x7f]] {
        let lie = [&length[..], &block[2..]].concat();
        assert!(inflated(Codec::Snappy, &lie, LIMIT).is_err(), "{length:?}");
    }
    for over_long in [&[0xff; 5][..], &[0xff; 11], &[0x80]] {
        assert!(inflated(Codec::Snappy, over_long, LIMIT).is_err(), "{over_long:?}");
    }
}

#[test]
fn xerial_chunk_lengths_that_lie_are_refused() {
    for (length, reason) in [
        (0, "an empty block"),
        (-1, "a chunk of negative length"),
        (i32::MIN, "a chunk of negative length"),
        (5, "a chunk that is longer than what is left"),
        (i32::MAX, "a chunk that is longer than what is left"),
    ] {
        let said = inflated(Codec::Snappy, &xerial(&length.to_be_bytes()), LIMIT).unwrap_err();
        assert_eq!(said, format!("not what snappy writes: {reason}"), "{length}");
    }
    assert!(inflated(Codec::Snappy, &xerial(b"")[..12], LIMIT).unwrap_err().contains("header is cut short"));
}

#[test]
fn a_xerial_header_alone_has_no_record() {
    assert_eq!(inflated(Codec::Snappy, &xerial(b""), LIMIT).unwrap().len(), 0);
    assert!(!refusal(batch(2, &xerial(b""))).is_empty());
}

// lz4

/// A frame with these flags and this block size number, whose header checksum is true; then what is given.
fn lz4_frame(flags: u8, sizes: u8, fields: &[u8], blocks: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x04, 0x22, 0x4d, 0x18];
    let header = [&[0x40 | flags, sizes << 4][..], fields].concat();
    frame.extend(&header);
    frame.push(twox_hash::XxHash32::oneshot(0, &header).to_le_bytes()[1]);
    frame.extend(blocks);
    frame
}

#[test]
fn lz4_headers_that_ask_too_much_are_refused() {
    let end = [0; 4];
    for (frame, reason) in [
        (
            lz4_frame(1, 4, &7_u32.to_le_bytes(), &end),
            "lz4 out of reach: the frame needs dictionary 7, and Kafka has none",
        ),
        (lz4_frame(2, 4, b"", &end), "not what lz4 writes: reserved bits are set in a frame's header"),
        (lz4_frame(0, 8 | 4, b"", &end), "not what lz4 writes: reserved bits are set in a frame's header"),
        (lz4_frame(0, 3, b"", &end), "not what lz4 writes: no block size has the number 3"),
        (lz4_frame(0x80, 4, b"", &end), "lz4 out of reach: version 3 of the frame format, only 1 is known"),
        (b"\x02\x21\x4c\x18".to_vec(), "lz4 out of reach: a legacy frame, from before the frame format"),
        (
            lz4_frame(8, 4, &u64::MAX.to_le_bytes(), &end),
            "19 bytes inflate to more than 4096 times that, beyond the 8388608 bytes where it does not matter",
        ),
        (
            lz4_frame(8, 4, &1_000_000_u64.to_le_bytes(), &end),
            "not what lz4 writes: a frame's content has not the size that it declares",
        ),
        (lz4_frame(4, 4, b"", &[0; 8]), "not what lz4 writes: the checksum of a frame's content is wrong"),
        (
            lz4_frame(16, 4, b"", &[1, 0, 0, 0x80, 7, 0, 0, 0, 0]),
            "not what lz4 writes: the checksum of a block is wrong",
        ),
        (b"\x5f\x2a\x4d\x18\0\0\0\0".to_vec(), "not what lz4 writes: no frame begins with 0x184d2a5f"),
    ] {
        assert_eq!(inflated(Codec::Lz4, &frame, LIMIT).unwrap_err(), reason);
    }
}

#[test]
fn lz4_blocks_that_lie_are_refused() {
    for (block, reason) in [
        (&[1, 0, 1, 0][..], "a block of 65537 bytes in a frame that has none so large"),
        (&[0xff; 4][..], "a block of 2147483647 bytes in a frame that has none so large"),
        (&[5, 0, 0, 0, 0x10][..], "a frame is cut short"),
    ] {
        let frame = lz4_frame(32, 4, b"", block);
        assert_eq!(inflated(Codec::Lz4, &frame, LIMIT).unwrap_err(), format!("not what lz4 writes: {reason}"));
    }
    // A match that reaches before the beginning; one of no distance; a block that makes more than its frame allows.
    let overlong = [&[0x1f, 0, 1, 0][..], &[0xff; 300], &[0, 0x50, 1, 2, 3, 4, 5]].concat();
    for block in [&[0x10, 7, 9, 0, 0x50, 1, 2, 3, 4, 5][..], &[0x10, 7, 0, 0, 0x50, 1, 2, 3, 4, 5], &overlong] {
        for flags in [0, 32] {
            let length = u32::try_from(block.len()).unwrap().to_le_bytes();
            let frame = lz4_frame(flags, 4, b"", &[&length, block, &[0; 4]].concat());
            let reason = inflated(Codec::Lz4, &frame, LIMIT).unwrap_err();
            assert!(reason.starts_with("not what lz4 writes: "), "{reason}");
        }
    }
}

// gzip

#[test]
fn gzip_headers_that_lie_are_refused() {
    let member =
        |method: u8, flags: u8, fields: &[u8]| [&[0x1f, 0x8b, method, flags, 0, 0, 0, 0, 0, 0][..], fields].concat();
    for (bytes, reason) in [
        (member(7, 0, b""), "gzip out of reach: method 7, only deflate (8) is known"),
        (member(8, 0x20, b""), "not what gzip writes: flags 0x20, of which some are reserved"),
        (member(8, 4, b"\xff\xffabc"), "not what gzip writes: a member's header is cut short"),
        (member(8, 8, b"a name without end"), "not what gzip writes: a member's header is cut short"),
        (member(8, 0, b""), "not what gzip writes: a member is cut short"),
    ] {
        assert_eq!(inflated(Codec::Gzip, &bytes, LIMIT).unwrap_err(), reason);
    }
}

#[test]
fn gzip_sizes_and_checksums_that_lie_are_refused() {
    let honest = compressed(Codec::Gzip, &records(1000));
    for from_end in 1..=8 {
        let mut lie = honest.clone();
        let at = lie.len() - from_end;
        lie[at] ^= 0x40;
        let reason = inflated(Codec::Gzip, &lie, LIMIT).unwrap_err();
        assert_eq!(reason, "not what gzip writes: a member's checksum or size is wrong");
    }
}

// zstd

#[test]
fn zstd_frames_out_of_reach_say_why() {
    let frame = |header: &[u8]| [&[0x28, 0xb5, 0x2f, 0xfd], header, &[1, 0, 0]].concat();
    for (bytes, reason) in [
        (
            frame(&[0, 21 << 3]),
            "zstd out of reach: a window of 2147483648 bytes, the largest that is read is 134217728",
        ),
        (
            frame(&[0, 0xff]),
            "zstd out of reach: a window of 4123168604160 bytes, the largest that is read is 134217728",
        ),
        (
            frame(&[0xe0, 0, 0, 0, 0, 1, 0, 0, 0]),
            "zstd out of reach: a window of 4294967296 bytes, the largest that is read is 134217728",
        ),
        (frame(&[3, 0, 9, 0, 0, 0]), "zstd out of reach: the frame needs dictionary 9, and Kafka has none"),
        (frame(&[1, 0, 9]), "zstd out of reach: the frame needs dictionary 9, and Kafka has none"),
        (frame(&[8, 0]), "not what zstd writes: a reserved bit is set in a frame's header"),
        (frame(&[0x20, 200]), "not what zstd writes: a frame declares more than its blocks can hold"),
        (vec![0x27, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0], "zstd out of reach: a frame of zstd 0.7 or older"),
        (vec![0xfd, 0x2f, 0xb5, 0x1e, 0, 0, 0, 0], "zstd out of reach: a frame of zstd 0.7 or older"),
        (vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0, 7, 0, 0], "not what zstd writes: a block of the reserved type"),
        (
            vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0, 1, 0, 0xff],
            "not what zstd writes: a block of 2088960 bytes, the largest that there is has 128 KiB",
        ),
        (vec![0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff], "not what zstd writes: a frame is cut short"),
    ] {
        assert_eq!(inflated(Codec::Zstd, &bytes, LIMIT).unwrap_err(), reason);
    }
}

#[test]
fn a_zstd_frame_that_declares_too_little_is_refused() {
    // Declares 10 bytes, has a plain block of 20.
    let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 10, 20 << 3 | 1, 0, 0][..], b"clicks clicks clicks"].concat();
    assert!(inflated(Codec::Zstd, &frame, LIMIT).unwrap_err().starts_with("not what zstd writes: "));
}

#[test]
fn the_largest_zstd_window_is_read() {
    // As Java writes at level 22, where the size is not known beforehand: a window of 128 MiB for a few bytes.
    let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 20 << 3 | 1, 0, 0][..], b"clicks clicks clicks"].concat();
    assert_eq!(inflated(Codec::Zstd, &frame, 20).unwrap(), &b"clicks clicks clicks"[..]);
}
