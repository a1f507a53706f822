use bytes::BufMut;

use super::*;

const GZIP: i8 = 1;
const SNAPPY: i8 = 2;
const LZ4: i8 = 3;

/// A message as the specification has it, its length and checksum true.
fn message(magic: i8, offset: i64, attributes: i8, value: Option<&[u8]>) -> Vec<u8> {
    let mut checked = Vec::new();
    checked.put_i8(magic);
    checked.put_i8(attributes);
    if magic > 0 {
        checked.put_i64(1000);
    }
    checked.put_i32(-1);
    checked.put_i32(value.map_or(-1, |value| i32::try_from(value.len()).unwrap()));
    checked.put_slice(value.unwrap_or_default());
    let mut message = Vec::new();
    message.put_i64(offset);
    message.put_i32(i32::try_from(checked.len()).unwrap() + 4);
    message.put_u32(crc32fast::hash(&checked));
    message.put_slice(&checked);
    message
}

fn plain(magic: i8, offset: i64) -> Vec<u8> {
    message(magic, offset, 0, Some(b"a"))
}

fn wrapper(magic: i8, offset: i64, set: &[u8]) -> Vec<u8> {
    message(magic, offset, SNAPPY, Some(&compressed(Codec::Snappy, set)))
}

/// A message with a field that is put in; its checksum is true.
fn forged(at: usize, field: i32) -> Vec<u8> {
    let mut bytes = message(1, 0, 0, Some(b"value"));
    bytes[at..at + 4].copy_from_slice(&field.to_be_bytes());
    let crc = crc32fast::hash(&bytes[16..]);
    bytes[12..16].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn message_sets() {
    let no_room = Refused("batch_length", "no room");
    let offset = |reason| Refused("base_offset", reason);
    let set = |magic: i8| [plain(magic, 0), plain(magic, 3)].concat();
    let mut wrong_crc = plain(1, 0);
    wrong_crc[12] ^= 1;
    let bad_lz4 = |magic: i8| {
        let mut frame = compressed(Codec::Lz4, &plain(magic, 0));
        frame[6] ^= 0x55;
        message(magic, 0, LZ4, Some(&frame))
    };
    let far = [plain(0, 0), plain(0, 1 << 40)].concat();
    let zeros = vec![0; 8 << 20];
    let bomb = |codec: Codec, attributes: i8| message(1, 0, attributes, Some(&compressed(codec, &zeros)));
    let limit = Refused("records", "limit of 2097152 bytes");
    // As large as it may be: the set and its records are there at the same time.
    let largest = message(1, 0, 0, Some(&vec![7; (2 << 20) - 34]));
    survive(vec![
        line("magic 0", Road::Records, plain(0, 0), Read(1)),
        line("magic 1", Road::Records, plain(1, 0), Read(1)),
        line("length -1", Road::Records, forged(8, -1), Refused("batch_length", "negative")),
        line("length 0", Road::Records, forged(8, 0), no_room),
        line("length 21", Road::Records, forged(8, 21), no_room),
        line("length 2^31 - 1", Road::Records, forged(8, i32::MAX), Read(0)),
        line(
            "a message cut short behind a whole one",
            Road::Records,
            [&plain(0, 0)[..], &plain(1, 1)[..20]].concat(),
            Read(1),
        ),
        line("a wrong checksum", Road::Records, wrong_crc.clone(), Refused("crc", "checksum")),
        line("a wrong checksum in a wrapper", Road::Records, wrapper(1, 0, &wrong_crc), Refused("crc", "checksum")),
        line("a key of 2^31 - 1 bytes", Road::Records, forged(26, i32::MAX), Refused("key", "past the end")),
        line("a key of -2 bytes", Road::Records, forged(26, -2), Refused("key", "negative")),
        line("a value of 2^31 - 1 bytes", Road::Records, forged(30, i32::MAX), Refused("value", "past the end")),
        line(
            "a value of fewer bytes than there are",
            Road::Records,
            forged(30, 0),
            Refused("value", "behind the value"),
        ),
        line("an offset of -1", Road::Records, plain(1, -1), offset("cannot be")),
        line("an offset of 2^63 - 1", Road::Records, plain(1, i64::MAX), offset("cannot be")),
        line("absolute offsets in a wrapper", Road::Records, wrapper(0, 3, &set(0)), Read(2)),
        line("relative offsets in a wrapper", Road::Records, wrapper(1, 43, &set(1)), Read(2)),
        line("a wrapper without an offset", Road::Records, wrapper(1, 0, &set(1)), Read(2)),
        line("a wrapper's offset below those in it", Road::Records, wrapper(1, 2, &set(1)), offset("lower than")),
        line("absolute offsets beyond the wrapper's", Road::Records, wrapper(0, 2, &set(0)), offset("higher offset")),
        line(
            "offsets in a wrapper that go back",
            Road::Records,
            wrapper(1, 43, &[plain(1, 3), plain(1, 3)].concat()),
            offset("go back"),
        ),
        line("offsets in a wrapper far from each other", Road::Records, wrapper(0, 1 << 40, &far), offset("too far")),
        line(
            "offsets in a wrapper that overflow",
            Road::Records,
            wrapper(1, 43, &[plain(1, i64::MIN), plain(1, 3)].concat()),
            offset("overflows"),
        ),
        line(
            "a wrapper in a wrapper, magic 0",
            Road::Records,
            wrapper(0, 0, &wrapper(0, 0, &plain(0, 0))),
            Refused("attributes", "wrapper in a wrapper"),
        ),
        line(
            "a wrapper in a wrapper, magic 1",
            Road::Records,
            wrapper(1, 0, &wrapper(1, 0, &plain(1, 0))),
            Refused("attributes", "wrapper in a wrapper"),
        ),
        line("a wrapper around null", Road::Records, message(1, 0, SNAPPY, None), Refused("value", "null")),
        line(
            "a wrapper of zero length",
            Road::Records,
            message(1, 0, SNAPPY, Some(b"")),
            Refused("records", "no bytes at all"),
        ),
        line("a wrapper around no message", Road::Records, wrapper(1, 0, b""), Refused("value", "no message")),
        line(
            "a wrapper around another format",
            Road::Records,
            wrapper(1, 0, &plain(0, 0)),
            Refused("magic", "another format"),
        ),
        line(
            "a set cut short in a wrapper",
            Road::Records,
            wrapper(1, 0, &set(1)[..50]),
            Refused("batch_length", "cut short"),
        ),
        line("an lz4 frame of a wrong header checksum, magic 0", Road::Records, bad_lz4(0), Read(1)),
        line(
            "an lz4 frame of a wrong header checksum, magic 1",
            Road::Records,
            bad_lz4(1),
            Refused("records", "checksum of a frame's header"),
        ),
        line("zstd, which came later", Road::Records, message(1, 0, 4, Some(b"x")), Refused("attributes", "zstd")),
        line("codec 5", Road::Records, message(1, 0, 5, Some(b"x")), Refused("attributes", "codec 5")),
        line("a bomb of gzip in a wrapper", Road::Records, bomb(Codec::Gzip, GZIP), limit).spends(),
        line("a bomb of snappy in a wrapper", Road::Records, bomb(Codec::Snappy, SNAPPY), limit).spends(),
        line("a bomb of lz4 in a wrapper", Road::Records, bomb(Codec::Lz4, LZ4), limit).spends(),
        line("the largest set that a wrapper may hold", Road::Records, wrapper(1, 0, &largest), Read(1)),
    ]);
}
