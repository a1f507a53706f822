//! The request of `Produce`, written around its batches.
//!
//! The message that producers write most. Between the batches stand a few bytes each: lengths, partition numbers, names.
//! Those are written into one small buffer of exactly their size; the frame is slices of that buffer with the batches in
//! between, in the order of the wire, for one gathered write. No batch is copied, and what is allocated does not depend
//! on the size of the batches: the buffer, its count of users, and the list of slices.
//!
//! Comes after [`records`](crate::records), which makes the batches. The bytes are those that the message struct gives.

#![expect(clippy::arithmetic_side_effects, reason = "writes only, and adds up lengths of what is in memory")]

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use crate::api::{ApiKey, VersionRange};
use crate::error::EncodeError;

/// The versions that are written: from 3 on, batches have magic 2.
pub const VERSIONS: VersionRange = VersionRange::new(3, 13);

/// The first version in which lengths are varints and structs end with tagged fields (KIP-482).
const FLEXIBLE: i16 = 9;
/// The first version in which topics go by their id instead of their name (KIP-516).
const BY_ID: i16 = 13;
/// The longest string that Kafka reads.
const STRING_BYTES_MAX: usize = 0x7fff;

/// A `Produce` request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the message, made by whoever writes one")]
pub struct ProduceRequest<'a> {
    /// The transaction that the batches belong to, if they belong to one.
    pub transactional_id: Option<&'a str>,
    /// Who has to have them before the broker answers: 0 nobody (it does not answer), 1 the leader, -1 all in sync.
    pub acks: i16,
    /// How long the broker may wait for those, in milliseconds.
    pub timeout_ms: i32,
    /// What is to be written. Neighbours of one topic share its entry, so have them in the order of their topics.
    pub batches: &'a [PartitionBatch<'a>],
}

/// What is to be written to a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the message, made by whoever writes one")]
pub struct PartitionBatch<'a> {
    /// The topic's name, which goes out until version 12.
    pub topic: &'a str,
    /// The topic's id, which goes out since version 13.
    pub topic_id: Uuid,
    /// The partition's number in its topic.
    pub partition: i32,
    /// One whole batch, as [`SealedBatch::stamp`](crate::records::SealedBatch::stamp) gives it.
    pub records: Bytes,
}

impl ProduceRequest<'_> {
    /// The frame, its length included, as slices in the order of the wire; none of them is empty.
    ///
    /// # Errors
    /// When the version is none of [`VERSIONS`], a string is longer than 32,767 bytes, or the frame than 2 GiB.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use tidemill_protocol::produce::{PartitionBatch, ProduceRequest};
    /// let records = Bytes::from_static(b"as it was sealed");
    /// let batch = PartitionBatch { topic: "clicks", topic_id: Default::default(), partition: 3, records: records.clone() };
    /// let request = ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, batches: &[batch] };
    /// let slices = request.encode(12, 7, Some("tidemill")).unwrap();
    /// assert_eq!(slices.len(), 3);
    /// assert_eq!(slices[1].as_ptr(), records.as_ptr());
    /// ```
    pub fn encode(
        &self,
        version: i16,
        correlation_id: i32,
        client_id: Option<&str>,
    ) -> Result<Vec<Bytes>, EncodeError> {
        let refuse = |reason: &str| EncodeError { api: ApiKey::PRODUCE, version, reason: reason.to_owned() };
        if !VERSIONS.contains(version) {
            return Err(refuse("a version that is not known"));
        }
        let names = self.batches.iter().map(|batch| batch.topic).filter(|_| version < BY_ID);
        if names.chain(self.transactional_id).chain(client_id).any(|text| text.len() > STRING_BYTES_MAX) {
            return Err(refuse("a string of more than 32767 bytes"));
        }
        let mut size = Size::default();
        self.write(version, correlation_id, client_id, &mut Form { out: &mut size, is_flexible: version >= FLEXIBLE });
        let length = i32::try_from(size.between.saturating_add(size.batches));
        let length = length.map_err(|_| refuse("more bytes than fit in a frame"))?;
        let mut out = Slices {
            between: BytesMut::with_capacity(LENGTH_BYTES + size.between),
            slices: Vec::with_capacity(2 * self.batches.len() + 1),
        };
        out.put(&length.to_be_bytes());
        self.write(version, correlation_id, client_id, &mut Form { out: &mut out, is_flexible: version >= FLEXIBLE });
        out.cut();
        Ok(out.slices)
    }

    /// The size of the frame in bytes, its length included.
    #[must_use]
    pub fn frame_bytes(&self, version: i16, client_id: Option<&str>) -> usize {
        let mut size = Size::default();
        self.write(version, 0, client_id, &mut Form { out: &mut size, is_flexible: version >= FLEXIBLE });
        LENGTH_BYTES.saturating_add(size.between).saturating_add(size.batches)
    }

    fn write<O: Out>(&self, version: i16, correlation_id: i32, client_id: Option<&str>, form: &mut Form<'_, O>) {
        form.out.put(&ApiKey::PRODUCE.0.to_be_bytes());
        form.out.put(&version.to_be_bytes());
        form.out.put(&correlation_id.to_be_bytes());
        // In a header the client id keeps its old form.
        form.old_string(client_id);
        form.no_tags();
        form.string(self.transactional_id);
        form.out.put(&self.acks.to_be_bytes());
        form.out.put(&self.timeout_ms.to_be_bytes());
        let is_same = |one: &PartitionBatch<'_>, other: &PartitionBatch<'_>| {
            if version >= BY_ID { one.topic_id == other.topic_id } else { one.topic == other.topic }
        };
        form.length(self.batches.chunk_by(is_same).count());
        for topic in self.batches.chunk_by(is_same) {
            let first = topic.first();
            if version >= BY_ID {
                form.out.put(first.map_or(Uuid::nil(), |batch| batch.topic_id).as_bytes());
            } else {
                form.string(first.map(|batch| batch.topic));
            }
            form.length(topic.len());
            for batch in topic {
                form.out.put(&batch.partition.to_be_bytes());
                form.length(batch.records.len());
                form.out.put_batch(&batch.records);
                form.no_tags();
            }
            form.no_tags();
        }
        form.no_tags();
    }
}

/// The bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// Where a frame is written: first to know its size, then in earnest.
trait Out {
    fn put(&mut self, bytes: &[u8]);
    fn put_batch(&mut self, batch: &Bytes);
}

/// How many bytes there are, of batches and between them.
#[derive(Debug, Default)]
struct Size {
    between: usize,
    batches: usize,
}

impl Out for Size {
    fn put(&mut self, bytes: &[u8]) {
        self.between = self.between.saturating_add(bytes.len());
    }

    fn put_batch(&mut self, batch: &Bytes) {
        self.batches = self.batches.saturating_add(batch.len());
    }
}

#[derive(Debug)]
struct Slices {
    /// What was written since the last batch, and room for all that is still to come.
    between: BytesMut,
    slices: Vec<Bytes>,
}

impl Slices {
    fn cut(&mut self) {
        if !self.between.is_empty() {
            self.slices.push(self.between.split().freeze());
        }
    }
}

impl Out for Slices {
    fn put(&mut self, bytes: &[u8]) {
        self.between.put_slice(bytes);
    }

    fn put_batch(&mut self, batch: &Bytes) {
        if !batch.is_empty() {
            self.cut();
            self.slices.push(batch.clone());
        }
    }
}

/// Lengths and strings in the form of a version.
#[derive(Debug)]
struct Form<'o, O> {
    out: &'o mut O,
    is_flexible: bool,
}

impl<O: Out> Form<'_, O> {
    /// The length of bytes or the count of an array.
    fn length(&mut self, length: usize) {
        if self.is_flexible {
            self.varint(wide(length).saturating_add(1));
        } else {
            self.out.put(&wide(length).to_be_bytes());
        }
    }

    fn string(&mut self, text: Option<&str>) {
        if !self.is_flexible {
            return self.old_string(text);
        }
        self.varint(text.map_or(0, |text| wide(text.len()).saturating_add(1)));
        self.out.put(text.unwrap_or_default().as_bytes());
    }

    fn old_string(&mut self, text: Option<&str>) {
        let length = text.map_or(-1, |text| i16::try_from(text.len()).unwrap_or(i16::MAX));
        self.out.put(&length.to_be_bytes());
        self.out.put(text.unwrap_or_default().as_bytes());
    }

    /// The end of a struct without tagged fields.
    fn no_tags(&mut self) {
        if self.is_flexible {
            self.out.put(&[0]);
        }
    }

    fn varint(&mut self, mut value: u32) {
        let mut bytes = [0; 5];
        let mut used = 0;
        for byte in &mut bytes {
            used += 1;
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                *byte = low;
                break;
            }
            *byte = low | 0x80;
        }
        self.out.put(bytes.get(..used).unwrap_or_default());
    }
}

/// A length on the wire. One that does not fit makes a frame that does not, which is refused.
fn wide(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
