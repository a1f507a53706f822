use bytes::BufMut;

use super::*;

const GZIP: Road = Road::Inflate(Codec::Gzip);
const SNAPPY: Road = Road::Inflate(Codec::Snappy);
const LZ4: Road = Road::Inflate(Codec::Lz4);
const ZSTD: Road = Road::Inflate(Codec::Zstd);
const LIMIT: Answer = Refused("records", "limit of 4194304 bytes");
/// Frames without content, between those with one.
const SKIPPABLE: &[u8] = b"\x5a\x2a\x4d\x18\x04\x00\x00\x00skip";

const fn refused(reason: &'static str) -> Answer {
    Refused("records", reason)
}

#[test]
fn bombs_and_what_is_behind() {
    let mut lines = Vec::new();
    let zeros = vec![0; 16 << 20];
    for (codec, one, several) in [
        (Codec::Gzip, "F7: a bomb of gzip", "F7: a bomb of many gzip members"),
        (Codec::Snappy, "a bomb of snappy", "a bomb of many snappy streams"),
        (Codec::Lz4, "F7: a bomb of lz4", "F7: a bomb of many lz4 frames"),
        (Codec::Zstd, "F7: a bomb of zstd", "F7: a bomb of many zstd frames"),
    ] {
        let road = Road::Inflate(codec);
        lines.push(line(one, road, compressed(codec, &zeros), LIMIT).spends());
        // Of lz4, Kafka's reader reads the first frame, and so does ours.
        let reads_one = codec == Codec::Lz4;
        let answer = if reads_one { Read(300_000) } else { LIMIT };
        lines.push(line(several, road, compressed(codec, &zeros[..300_000]).repeat(50), answer).spends());
        let many = compressed(codec, b"clicks").repeat(1000);
        let answer = Read(if reads_one { 6 } else { 6000 });
        lines.push(line("a thousand members, streams or frames", road, many, answer));
        let empty = compressed(codec, b"").repeat(10_000);
        lines.push(line("ten thousand that are empty", road, empty, Read(0)));
        lines.push(line("no bytes", road, [], refused("no bytes at all")));
        lines.push(line("not of this codec", road, [0xff; 100], refused("not what")));
        let cut = compressed(codec, &zeros[..1000]);
        lines.push(line("cut short", road, &cut[..cut.len() - 3], refused("not what")).spends());
    }
    // What is behind is read as Kafka's own readers read it, who get past some of it.
    for (codec, answer) in [
        (Codec::Gzip, Read(6)),
        (Codec::Snappy, refused("not what")),
        (Codec::Lz4, Read(6)),
        (Codec::Zstd, refused("not what")),
    ] {
        let tail = [&compressed(codec, b"clicks")[..], b"garbage"].concat();
        lines.push(line("a garbage tail", Road::Inflate(codec), tail, answer).spends());
    }
    survive(lines);
}

fn xerial(chunks: &[u8]) -> Vec<u8> {
    [b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01", chunks].concat()
}

#[test]
fn snappy() {
    // A declared gibibyte.
    let lie = hex("8080808004");
    let chunk = |length: i32| xerial(&length.to_be_bytes());
    survive(vec![
        line("F6: a block that declares 1 GiB", SNAPPY, lie.clone(), LIMIT),
        line("F6: a chunk that declares 1 GiB", SNAPPY, xerial(&[&[0, 0, 0, 5], &lie[..]].concat()), LIMIT),
        line("a block that declares what it cannot make", SNAPPY, hex("8080 01"), refused("cannot inflate to 16384")),
        line("a length of more than 32 bits", SNAPPY, [0xff; 11], refused("not what snappy writes")),
        line("a chunk of length 0", SNAPPY, chunk(0), refused("an empty block")),
        line("a chunk of length -1", SNAPPY, chunk(-1), refused("negative length")),
        line("a chunk of length 2^31 - 1", SNAPPY, chunk(i32::MAX), refused("longer than what is left")),
        line("a chunk longer than the rest", SNAPPY, chunk(5), refused("longer than what is left")),
        line("a chunk length cut short", SNAPPY, xerial(&[0, 0]), Read(0)),
        line("a header alone", SNAPPY, xerial(b""), Read(0)),
        line("a header cut short", SNAPPY, &xerial(b"")[..12], refused("header is cut short")),
    ]);
}

/// A frame with these flags and this block size, whose header checksum is true; then what is given.
fn lz4_frame(flags: u8, sizes: u8, fields: &[u8], blocks: &[u8]) -> Vec<u8> {
    let header = [&[0x40 | flags, sizes << 4][..], fields].concat();
    let mut frame = hex("04224d18");
    frame.extend(&header);
    frame.push(twox_hash::XxHash32::oneshot(0, &header).to_le_bytes()[1]);
    frame.extend(blocks);
    frame
}

#[test]
fn lz4() {
    let end = [0; 4];
    // A literal, then a match ten bytes back.
    let reaching = hex("0a000000 10070a0050 0102030405 00000000");
    let plain = hex("06000080 636c69636b73 00000000");
    let size = |size: u64| size.to_le_bytes();
    let frame = compressed(Codec::Lz4, b"clicks");
    survive(vec![
        line(
            "a dependent block that reaches before its frame",
            LZ4,
            lz4_frame(0, 4, b"", &reaching),
            refused("not what lz4 writes"),
        )
        .spends(),
        line("dependent blocks", LZ4, lz4_frame(0, 4, b"", &plain), Read(6)),
        line("no content size", LZ4, lz4_frame(32, 4, b"", &plain), Read(6)),
        line("a content size that is true", LZ4, lz4_frame(32 | 8, 4, &size(6), &plain), Read(6)),
        line("a content size of 2^64 - 1", LZ4, lz4_frame(8, 4, &size(u64::MAX), &end), LIMIT),
        line(
            "a content size of what is not there",
            LZ4,
            lz4_frame(8, 4, &size(1_000_000), &end),
            refused("not the size that it declares"),
        ),
        line("a dictionary", LZ4, lz4_frame(1, 4, &7_u32.to_le_bytes(), &end), refused("dictionary 7")),
        line("several frames, and skippable ones", LZ4, [&frame[..], SKIPPABLE, &frame].concat(), Read(6)),
        line("a skippable frame in front", LZ4, [SKIPPABLE, &frame].concat(), refused("no frame begins with")),
        line("a skippable frame of 4 GiB", LZ4, hex("5f2a4d18 ffffffff"), refused("no frame begins with")),
        line("a legacy frame, of blocks of 8 MiB", LZ4, hex("02214c18 01000000 00"), refused("legacy frame")),
        line(
            "blocks of 4 MiB, and one of a byte",
            LZ4,
            lz4_frame(32, 7, b"", &hex("01000000 07")),
            refused("not what lz4 writes"),
        ),
        line("a block of 2 GiB", LZ4, lz4_frame(32, 7, b"", &[0xff; 4]), refused("none so large")),
        line("reserved bits", LZ4, lz4_frame(2, 4, b"", &end), refused("reserved bits")),
        line("a block size that is none", LZ4, lz4_frame(32, 3, b"", &end), refused("no block size")),
        line("another version of the format", LZ4, lz4_frame(0x80, 4, b"", &end), refused("version 3")),
        line(
            "a wrong checksum of a block",
            LZ4,
            lz4_frame(16, 4, b"", &hex("01000080 07 00000000")),
            refused("checksum of a block"),
        ),
        line(
            "a wrong checksum of the content",
            LZ4,
            lz4_frame(4, 4, b"", &[0; 8]),
            refused("checksum of a frame's content"),
        ),
        line(
            "a wrong checksum of the header",
            LZ4,
            hex("04224d18 6040 00 00000000"),
            refused("checksum of a frame's header"),
        ),
    ]);
}

#[test]
fn gzip() {
    let member =
        |method: u8, flags: u8, fields: &[u8]| [&[0x1f, 0x8b, method, flags, 0, 0, 0, 0, 0, 0][..], fields].concat();
    let clicks = compressed(Codec::Gzip, b"clicks");
    let mut declares_much = clicks.clone();
    let size_at = declares_much.len() - 4;
    declares_much[size_at..].copy_from_slice(&[0xff; 4]);
    let mut declares_nothing = compressed(Codec::Gzip, &vec![7; 1 << 20]);
    let size_at = declares_nothing.len() - 4;
    declares_nothing[size_at..].copy_from_slice(&[0; 4]);
    let with_extra =
        [&[0x1f, 0x8b, 8, 4 | 8 | 16, 0, 0, 0, 0, 0, 0][..], b"\x05\x00extraname\0comment\0", &clicks[10..]];
    survive(vec![
        line("two members", GZIP, clicks.repeat(2), Read(12)),
        line("extra fields, a name and a comment", GZIP, with_extra.concat(), Read(6)),
        line("an extra field longer than the rest", GZIP, member(8, 4, b"\xff\xffabc"), refused("header is cut short")),
        line("a name without an end", GZIP, member(8, 8, b"a name without end"), refused("header is cut short")),
        line("a method that is none", GZIP, member(7, 0, b""), refused("method 7")),
        line("reserved flags", GZIP, member(8, 0x20, b""), refused("reserved")),
        line("a member that declares 4 GiB", GZIP, declares_much, refused("checksum or size")).spends(),
        line("a member that declares nothing and has 1 MiB", GZIP, declares_nothing, refused("checksum or size"))
            .spends(),
    ]);
}

#[test]
fn zstd() {
    let frame = |header: &[u8]| [&hex("28b52ffd")[..], header, &[1, 0, 0]].concat();
    // Blocks of 128 KiB that are one byte, repeated, in a window of so many bytes.
    let repeated = |window: u8, blocks: u32| {
        let mut frame = [&hex("28b52ffd")[..], &[0, window << 3]].concat();
        for block in 1..=blocks {
            frame.put_slice(&((128 << 10) << 3 | 2 | u32::from(block == blocks)).to_le_bytes()[..3]);
            frame.put_u8(0);
        }
        frame
    };
    let clicks = compressed(Codec::Zstd, b"clicks");
    let tiny = [&hex("28b52ffd")[..], &[0, 17 << 3, 6 << 3 | 1, 0, 0], b"clicks"].concat();
    survive(vec![
        line("a window of 2^31", ZSTD, frame(&[0, 21 << 3]), refused("a window of 2147483648 bytes")),
        line("a window of 4 TB", ZSTD, frame(&[0, 0xff]), refused("a window of 4123168604160 bytes")),
        line("content of 4 GiB", ZSTD, frame(&[0xe0, 0, 0, 0, 0, 1, 0, 0, 0]), refused("a window of 4294967296 bytes")),
        line("content of 16 EiB", ZSTD, frame(&[0xe0, 255, 255, 255, 255, 255, 255, 255, 255]), refused("a window of")),
        line("a window of 128 MiB around six bytes", ZSTD, tiny, Read(6)),
        line(
            "a window of 128 MiB around a block",
            ZSTD,
            [&hex("28b52ffd")[..], &[0, 17 << 3, 5, 0, 0]].concat(),
            refused("not what zstd writes"),
        )
        .spends(),
        line("a window of 128 MiB, filled by a bomb", ZSTD, repeated(17, 4096), LIMIT).spends(),
        line("a window of 1 MiB, filled by a bomb", ZSTD, repeated(10, 4096), LIMIT).spends(),
        line("a window of 128 MiB, filled up to the limit", ZSTD, repeated(17, 32), Read(4 << 20)),
        line("a dictionary", ZSTD, frame(&[3, 0, 9, 0, 0, 0]), refused("dictionary 9")),
        line("a frame of zstd 0.7", ZSTD, hex("27b52ffd 00000000"), refused("zstd 0.7 or older")),
        line("a frame of zstd 0.1", ZSTD, hex("fd2fb51e 00000000"), refused("zstd 0.7 or older")),
        line("a reserved bit", ZSTD, frame(&[8, 0]), refused("reserved bit")),
        line(
            "content that the blocks cannot hold",
            ZSTD,
            frame(&[0x20, 200]),
            refused("more than its blocks can hold"),
        ),
        line(
            "content of fewer bytes than the blocks have",
            ZSTD,
            [&hex("28b52ffd 200a a10000")[..], &[7; 20]].concat(),
            refused("not what zstd writes"),
        )
        .spends(),
        line("a block of the reserved type", ZSTD, hex("28b52ffd 0000 070000"), refused("reserved type")),
        line("a block of 2 MB", ZSTD, hex("28b52ffd 0000 0100ff"), refused("largest that there is")),
        line("skippable and several frames", ZSTD, [&clicks[..], SKIPPABLE, &clicks].concat(), Read(12)),
        line("a skippable frame of 4 GiB", ZSTD, hex("502a4d18 ffffffff"), refused("cut short")),
    ]);
}
