//! Message sets of the formats before record batches (magic 0 and 1), whose lengths and checksums are right, so that what
//! lies behind them is reached.
//!
//! The first byte chooses: one message of bytes as they come, a wrapper around such bytes, or a set put together from
//! parts of which some may lie. What must hold is what holds of [`records`](super::records); and a set without a lie reads
//! as what it was put together from, up to where it is cut.

use arbitrary::{Arbitrary, Unstructured};
use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::compression::Codec;
use tidemill_protocol::records::RecordBatches;

use super::compression::compressed;
use super::records::{self, INFLATED_BYTES_MAX};
use super::{Peak, Seed};

const LOG_APPEND_TIME_BIT: u8 = 1 << 3;
const NO_TIMESTAMP: i64 = -1;
/// The codecs of these formats.
const CODECS: [Codec; 3] = [Codec::Gzip, Codec::Snappy, Codec::Lz4];

/// How many records were read.
pub fn run(bytes: &[u8], peak: Peak) -> usize {
    let Some(([choice, magic, codec], rest)) = bytes.split_first_chunk::<3>() else { return 0 };
    let magic = magic % 2;
    match choice % 3 {
        0 => {
            let Some((offset, rest)) = rest.split_first_chunk::<8>() else { return 0 };
            let message = sealed(i64::from_be_bytes(*offset), None, &[&[magic], rest].concat());
            records::read(&Bytes::from(message), peak)
        }
        1 => {
            let Some((offset, rest)) = rest.split_first_chunk::<8>() else { return 0 };
            let codec = CODECS[usize::from(*codec) % CODECS.len()];
            let value = compressed(codec, rest);
            let attributes = attributes(codec);
            let wrapper =
                Message { magic, attributes, timestamp: 0, key: None, value: Some(value), lies: Lies::none() };
            records::read(&Bytes::from(wrapper.write(i64::from_be_bytes(*offset))), peak)
        }
        _ => Set::arbitrary(&mut Unstructured::new(rest)).map_or(0, |set| set.run(peak)),
    }
}

/// Sets that Kafka's own classes have written; a wrapper around a set without a message, and around one.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for line in include_str!("../../protocol/tests/golden/legacy_records.txt").lines() {
        if let Some((name, hex)) = line.split_once(' ').filter(|(name, _)| !name.is_empty()) {
            let bytes = super::golden::from_hex(hex);
            // The first message, without what is made right again: length, checksum and magic.
            let length = usize::try_from(u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]));
            let end = 12 + length.expect("a length in memory");
            seeds.push((name.to_owned(), [&[0, bytes[16], 0][..], &bytes[..8], &bytes[17..end]].concat()));
            if name.contains("none") {
                for (codec, inner) in (0..).zip([&bytes[..0], &bytes[..end], &bytes[..]]) {
                    let seed = [&[1, bytes[16], codec][..], &11_i64.to_be_bytes(), inner].concat();
                    seeds.push((format!("{name}_in_a_wrapper_{codec}"), seed));
                }
            }
        }
    }
    seeds
}

/// A record as it must be read.
#[derive(Debug, PartialEq, Eq)]
struct Expected<'a> {
    offset: i64,
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

/// A message set put together by hand.
#[derive(Debug)]
struct Set {
    entries: Vec<Entry>,
    /// How much of the set arrived, in parts of 256.
    cut: Option<u8>,
}

/// A message, or a wrapper around several.
#[derive(Debug)]
struct Entry {
    /// From the one before, less one.
    offset_delta: u16,
    message: Message,
    /// With their distances from each other, less one. Empty in a message that is no wrapper.
    inner: Vec<(u16, Message)>,
    codec: Codec,
}

#[derive(Debug)]
struct Message {
    magic: u8,
    attributes: u8,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    lies: Lies,
}

/// What is said instead of the truth.
#[derive(Debug)]
struct Lies {
    offset: Option<i64>,
    length: Option<i32>,
    attributes: Option<u8>,
    magic: Option<u8>,
    key_length: Option<i32>,
    value_length: Option<i32>,
}

impl Set {
    fn run(&self, peak: Peak) -> usize {
        let mut set = Vec::new();
        let mut is_true = true;
        let mut expected = Vec::new();
        let mut next = 0_i64;
        for entry in &self.entries {
            let base = next + i64::from(entry.offset_delta);
            next = entry.write(base, &mut set) + 1;
            is_true &= entry.is_true();
            entry.expect(base, &mut expected);
        }
        let arrived = self.cut.map_or(set.len(), |cut| set.len() * usize::from(cut) / 256);
        let set = Bytes::from(set).slice(..arrived);
        let count = records::read(&set, peak);
        if is_true {
            let expected = &expected[..if self.cut.is_none() { expected.len() } else { count }];
            assert_reads(&set, expected);
        }
        count
    }
}

fn assert_reads(set: &Bytes, expected: &[Expected<'_>]) {
    let mut expected = expected.iter();
    for batch in RecordBatches::new(set.clone()) {
        let batch = batch.expect("a true message");
        let open = batch.open(INFLATED_BYTES_MAX).expect("a true message");
        for record in open.iter() {
            let record = record.expect("a true message");
            let read =
                Expected { offset: record.offset, timestamp: record.timestamp, key: record.key, value: record.value };
            assert_eq!(Some(&read), expected.next());
            assert_eq!(record.headers().count(), 0);
        }
    }
    assert_eq!(expected.next(), None);
}

impl Entry {
    /// Appends the message whose first record has this offset; returns the offset of its last.
    fn write(&self, base: i64, set: &mut Vec<u8>) -> i64 {
        if self.inner.is_empty() {
            set.extend(self.message.write(base));
            return base;
        }
        let mut inner = Vec::new();
        let (mut offset, mut last) = (base, base);
        for (distance, message) in &self.inner {
            // In magic 1 they count from the first.
            inner.extend(message.write(if self.message.magic == 0 { offset } else { offset - base }));
            last = offset;
            offset += i64::from(*distance) + 1;
        }
        let wrapper = Message {
            magic: self.message.magic,
            attributes: self.message.attributes | attributes(self.codec),
            timestamp: self.message.timestamp,
            key: self.message.key.clone(),
            value: Some(compressed(self.codec, &inner)),
            lies: self.message.lies.clone(),
        };
        set.extend(wrapper.write(last));
        last
    }

    fn is_true(&self) -> bool {
        let Some((_, first)) = self.inner.first() else { return self.message.lies.are_none() };
        let inner = |message: &Message| {
            let is_near = message.magic == 0 || message.timestamp.checked_sub(first.timestamp).is_some();
            message.magic == self.message.magic && message.lies.are_none() && is_near
        };
        self.message.lies.are_none() && self.inner.iter().all(|(_, message)| inner(message))
    }

    fn expect<'a>(&'a self, base: i64, expected: &mut Vec<Expected<'a>>) {
        if self.inner.is_empty() {
            expected.push(self.message.expected(base, self.message.timestamp));
        }
        let mut offset = base;
        for (distance, message) in &self.inner {
            let is_of_broker = self.message.attributes & LOG_APPEND_TIME_BIT != 0;
            let timestamp = if is_of_broker { self.message.timestamp } else { message.timestamp };
            expected.push(message.expected(offset, timestamp));
            offset += i64::from(*distance) + 1;
        }
    }
}

impl Message {
    fn write(&self, offset: i64) -> Vec<u8> {
        let magic = self.lies.magic.unwrap_or(self.magic);
        let mut checked = vec![magic, self.lies.attributes.unwrap_or(self.attributes)];
        if magic > 0 {
            checked.put_i64(self.timestamp);
        }
        for (part, lie) in [(&self.key, self.lies.key_length), (&self.value, self.lies.value_length)] {
            let length = part.as_ref().map_or(-1, |part| i32::try_from(part.len()).expect("short"));
            checked.put_i32(lie.unwrap_or(length));
            checked.put_slice(part.as_deref().unwrap_or_default());
        }
        sealed(self.lies.offset.unwrap_or(offset), self.lies.length, &checked)
    }

    fn expected(&self, offset: i64, timestamp: i64) -> Expected<'_> {
        let timestamp = if self.magic == 0 { NO_TIMESTAMP } else { timestamp };
        Expected { offset, timestamp, key: self.key.as_deref(), value: self.value.as_deref() }
    }
}

impl Lies {
    const fn none() -> Self {
        Self { offset: None, length: None, attributes: None, magic: None, key_length: None, value_length: None }
    }

    fn are_none(&self) -> bool {
        let Self { offset, length, attributes, magic, key_length, value_length } = self;
        [length, key_length, value_length].iter().all(|lie| lie.is_none())
            && offset.is_none()
            && attributes.is_none()
            && magic.is_none()
    }
}

impl Clone for Lies {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

/// A message of everything from its magic on.
fn sealed(offset: i64, length: Option<i32>, checked: &[u8]) -> Vec<u8> {
    let mut message = BytesMut::new();
    message.put_i64(offset);
    message.put_i32(length.unwrap_or_else(|| i32::try_from(checked.len() + 4).expect("a fuzzer's input is short")));
    message.put_u32(crc32fast::hash(checked));
    message.put_slice(checked);
    message.to_vec()
}

fn attributes(codec: Codec) -> u8 {
    u8::try_from(codec.attributes()).expect("three bits")
}

impl<'a> Arbitrary<'a> for Set {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let cut = if input.ratio(1, 8)? { Some(input.arbitrary()?) } else { None };
        let mut entries = Vec::new();
        for _ in 0..input.int_in_range(0..=4)? {
            entries.push(input.arbitrary()?);
        }
        Ok(Self { entries, cut })
    }
}

impl<'a> Arbitrary<'a> for Entry {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let message: Message = input.arbitrary()?;
        let mut inner = Vec::new();
        if input.arbitrary()? {
            for _ in 0..input.int_in_range(1..=4)? {
                let mut of_its_format: Message = input.arbitrary()?;
                of_its_format.magic = message.magic;
                inner.push((input.arbitrary()?, of_its_format));
            }
        }
        Ok(Self { offset_delta: input.arbitrary()?, message, inner, codec: *input.choose(&CODECS)? })
    }
}

impl<'a> Arbitrary<'a> for Message {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let flags: u8 = input.arbitrary()?;
        Ok(Self {
            magic: flags & 1,
            // The clock's bit means something in magic 1 alone; the bits above the codec's do not mean anything.
            attributes: flags & 0xf8,
            timestamp: input.arbitrary()?,
            key: input.arbitrary()?,
            value: input.arbitrary()?,
            lies: if input.ratio(1, 8)? { input.arbitrary()? } else { Lies::none() },
        })
    }
}

impl<'a> Arbitrary<'a> for Lies {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut lies = Self::none();
        match input.int_in_range(0..=5)? {
            0 => lies.offset = Some(input.arbitrary()?),
            1 => lies.length = Some(input.arbitrary()?),
            2 => lies.attributes = Some(input.arbitrary()?),
            3 => lies.magic = Some(input.arbitrary()?),
            4 => lies.key_length = Some(input.arbitrary()?),
            _ => lies.value_length = Some(input.arbitrary()?),
        }
        Ok(lies)
    }
}
