use bytes::{BufMut, Bytes};
use tidemill_protocol::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord};

use super::*;

/// The encoding of a record without key, value and headers.
const BARE: [u8; 7] = [12, 0, 0, 0, 1, 1, 0];
/// The same, an offset and a millisecond later.
const SECOND: [u8; 7] = [12, 0, 2, 2, 1, 1, 0];

/// A batch around records that are written out, its length and checksum true.
fn batch(count: i32, last_offset_delta: i32, records: &[u8]) -> Vec<u8> {
    let mut bytes = BatchBuilder::new(0).seal(Codec::None).stamp(None, BatchFlags::default()).to_vec();
    bytes.extend_from_slice(records);
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    let length = i32::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    forge(bytes, 23, &last_offset_delta.to_be_bytes())
}

/// Puts a field into a batch and makes the checksum true again.
pub(super) fn forge(mut bytes: Vec<u8>, at: usize, field: &[u8]) -> Vec<u8> {
    bytes[at..at + field.len()].copy_from_slice(field);
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn markers(count: usize, kind: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(0);
    for _ in 0..count {
        builder.append(&NewRecord { timestamp: 0, key: Some(kind), value: Some(&[0; 6]), headers: &[] });
    }
    builder.seal(Codec::None).stamp(None, BatchFlags { transactional: true, control: true }).to_vec()
}

#[test]
fn batches() {
    let one = batch(1, 0, &BARE);
    let two = batch(2, 1, &[BARE, SECOND].concat());
    let with_length = |length: i32| forge(one.clone(), 8, &length.to_be_bytes());
    let no_room = Refused("batch_length", "no room for its header");
    let many = |records: &[u8], count: i32| forge(batch(1, 0, records), 57, &count.to_be_bytes());
    let mut wrong_crc = one.clone();
    wrong_crc[20] ^= 1;
    let f3 =
        format!("{} 00000031 00000000 02 0ed87f04 {} {} 7fffffff", "00".repeat(8), "00".repeat(22), "ff".repeat(14));
    let f4 = format!(
        "{} 0000003c 00000000 02 c36e3f79 {} {} 00000001 14 000000 01 01 feffffff0f",
        "00".repeat(8),
        "00".repeat(22),
        "ff".repeat(14)
    );
    let magic = |magic: u8| {
        let mut bytes = one.clone();
        bytes[16] = magic;
        bytes
    };
    survive(vec![
        line("length -1", Road::Records, with_length(-1), Refused("batch_length", "negative")),
        line("length -2^31", Road::Records, with_length(i32::MIN), Refused("batch_length", "negative")),
        line("length 0", Road::Records, with_length(0), no_room),
        line("length 48", Road::Records, with_length(48), no_room),
        line("length 49, which cuts the records off", Road::Records, with_length(49), Refused("crc", "checksum")),
        line("length of more than there is", Road::Records, with_length(i32::MAX), Read(0)),
        line("F11: a batch cut short behind a whole one", Road::Records, [&two[..], &one[..40]].concat(), Read(2)),
        line("a batch cut short within its length", Road::Records, [&two[..], &one[..9]].concat(), Read(2)),
        line("a wrong checksum", Road::Records, wrong_crc, Refused("crc", "checksum")),
        line("magic 3", Road::Records, magic(3), Refused("magic", "format 3")),
        line("magic -1", Road::Records, magic(0xff), Refused("magic", "format -1")),
        line("magic 1 in front of a batch", Road::Records, magic(1), Refused("crc", "checksum")),
        line("a count of -1", Road::Records, many(&BARE, -1), Refused("record_count", "negative")),
        line(
            "F12: a count below the actual",
            Road::Records,
            batch(1, 1, &[BARE, SECOND].concat()),
            Refused("records[1]", "behind the last record"),
        ),
        line("a count above the actual", Road::Records, many(&BARE, 2), Refused("records[1]", "")),
        line("F3: 378 GB, a count of 2^31 - 1", Road::Records, hex(&f3), Refused("records[0]", "")),
        line(
            "a last offset delta below a record's",
            Road::Records,
            batch(2, 0, &[BARE, SECOND].concat()),
            Refused("records[1]", "outside the batch"),
        ),
        line("a last offset delta above all, as compaction leaves it", Road::Records, batch(1, 9, &BARE), Read(1)),
        line("a last offset delta of -1", Road::Records, batch(1, -1, &BARE), Refused("last_offset_delta", "negative")),
        line(
            "offsets that go back within a batch",
            Road::Records,
            batch(2, 1, &[12, 0, 0, 2, 1, 1, 0, 12, 0, 0, 0, 1, 1, 0]),
            Read(2),
        ),
        line(
            "F5: a base offset of 2^63 - 1",
            Road::Records,
            forge(two.clone(), 0, &i64::MAX.to_be_bytes()),
            Refused("base_offset", "cannot be"),
        ),
        line(
            "a base offset of -1",
            Road::Records,
            forge(two.clone(), 0, &(-1_i64).to_be_bytes()),
            Refused("base_offset", "cannot be"),
        ),
        line(
            "F5: a base timestamp of 2^63 - 1",
            Road::Records,
            forge(two.clone(), 27, &i64::MAX.to_be_bytes()),
            Refused("records[1]", "timestamp overflows"),
        ),
        line("an empty batch without a codec", Road::Records, batch(0, 0, &[]), Read(0)),
        line("an empty batch with a codec", Road::Records, forge(batch(0, 0, &[]), 21, &[0, 4]), Read(0)),
        line(
            "a batch that says it is not empty, with a codec and no bytes",
            Road::Records,
            forge(batch(1, 0, &[]), 21, &[0, 4]),
            Refused("records", "no bytes at all"),
        ),
        line("codec 5", Road::Records, forge(one.clone(), 21, &[0, 5]), Refused("attributes", "codec 5")),
        line("codec 6", Road::Records, forge(one.clone(), 21, &[0, 6]), Refused("attributes", "codec 6")),
        line("codec 7", Road::Records, forge(one.clone(), 21, &[0, 7]), Refused("attributes", "codec 7")),
        line("F4: 39 GB, a count of 2^29 headers", Road::Records, hex(&f4), Refused("records[0]", "")),
    ]);
}

#[test]
fn records() {
    let mut lines = Vec::new();
    // 0, -1 and 1 byte too short, a byte too long, 2^31 - 1, and more than 32 bits.
    for length in ["00", "01", "0a", "0e", "feffffff0f", "8080808080 01"] {
        let record = [&hex(length)[..], &BARE[1..]].concat();
        lines.push(line("a record's length that lies", Road::Records, batch(1, 0, &record), Refused("records[0]", "")));
    }
    // Keys and values of -2, 2^31 - 1 and -2^31.
    for length in ["03", "feffffff0f", "ffffffff0f"] {
        for (before, behind) in [(&[0, 0, 0][..], &[1, 0][..]), (&[0, 0, 0, 1], &[0])] {
            let record = [before, &hex(length), behind].concat();
            let record = [&[u8::try_from(record.len()).unwrap() << 1][..], &record].concat();
            lines.push(line(
                "a key or value that lies",
                Road::Records,
                batch(1, 0, &record),
                Refused("records[0]", ""),
            ));
        }
    }
    let of = |fields: &[u8]| batch(1, 0, &[&[u8::try_from(fields.len()).unwrap() << 1], fields].concat());
    let endless = |at: &[u8]| of(&[at, &[0x80; 11], &[0, 1, 1, 0]].concat());
    let repeated = [0, 0, 0, 1, 1, 8, 2, b'x', 1, 2, b'x', 0, 2, b'x', 1, 2, 0xff, 1];
    lines.extend([
        line("a timestamp of more than 64 bits", Road::Records, endless(&[0]), Refused("records[0]", "")),
        line("an offset of more than 32 bits", Road::Records, endless(&[0, 0]), Refused("records[0]", "")),
        line(
            "a count of 2^31 - 1 headers",
            Road::Records,
            of(&hex("00 00 00 01 01 feffffff0f")),
            Refused("records[0]", ""),
        ),
        line(
            "a count of -1 headers",
            Road::Records,
            of(&[0, 0, 0, 1, 1, 1]),
            Refused("records[0]", "negative count of headers"),
        ),
        line(
            "a header without a key",
            Road::Records,
            of(&[0, 0, 0, 1, 1, 2, 1, 1]),
            Refused("records[0]", "without a key"),
        ),
        line("F8: a header three times, and a key that is not UTF-8", Road::Records, of(&repeated), Read(1)),
        line(
            "F12: bytes behind a record's last header",
            Road::Records,
            of(&[0, 0, 0, 1, 1, 0, 7]),
            Refused("records[0]", "behind the last header"),
        ),
        line("a control batch without a marker", Road::Markers, markers(0, &[]), Refused("control batch", "no marker")),
        line(
            "a control batch with two markers",
            Road::Markers,
            markers(2, &[0, 0, 0, 1]),
            Refused("control batch", "more than one"),
        ),
        line(
            "a marker without a type",
            Road::Markers,
            markers(1, &[0, 0, 0]),
            Refused("control batch", "without a type"),
        ),
        line("a marker that nobody knows", Road::Markers, markers(1, &[0, 0, 0, 9]), Read(1)),
        line(
            "records where a marker should be",
            Road::Markers,
            batch(1, 0, &BARE),
            Refused("control batch", "control bit"),
        ),
        line(
            "aborted transactions unsorted, twice, of nobody",
            Road::Fetch(11),
            aborted(&[(7, 9), (-1, -1), (7, 3), (7, 9)]),
            Read(1),
        ),
        line(
            "a count of 2^31 - 1 aborted transactions",
            Road::Fetch(11),
            aborted_count(i32::MAX),
            Refused("responses[0].partitions[0].aborted_transactions", "2147483647 elements"),
        ),
    ]);
    survive(lines);
}

/// The body of a response of `Fetch` v11.
fn aborted(transactions: &[(i64, i64)]) -> Vec<u8> {
    let transaction = |(producer_id, first_offset): &(i64, i64)| {
        AbortedTransaction::default().with_producer_id((*producer_id).into()).with_first_offset(*first_offset)
    };
    let aborted = transactions.iter().map(transaction).collect();
    let partition = PartitionData::default().with_aborted_transactions(Some(aborted)).with_records(Some(Bytes::new()));
    let topic = FetchableTopicResponse::default().with_partitions(vec![partition]);
    let response = tidemill_protocol::messages::FetchResponse::default().with_responses(vec![topic]);
    let frame = tidemill_protocol::header::encode_response::<FetchRequest>(&response, 11, 7).unwrap();
    frame[8..].to_vec()
}

fn aborted_count(count: i32) -> Vec<u8> {
    let mut body = aborted(&[]);
    // Behind it stand the replica to read from and the length of no records.
    let at = body.len() - 12;
    (&mut body[at..]).put_i32(count);
    body
}
