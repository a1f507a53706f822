//! What the application gets: batches of records, and single records, both views into what was fetched.
//!
//! Before: [`handing`](super::handing) opens a batch and indexes its records once, so that from then on each is found
//! by its number. After: the application's. A record owns a share of its batch, and with it of the frame it came in:
//! to keep one for long, copy what is needed of it.

use std::fmt;
use std::sync::Arc;

use tidemill_protocol::DecodeError;
use tidemill_protocol::records::{HeaderIter, OpenBatch, Record};

use crate::record::TopicPartition;

/// A batch, opened and indexed.
pub(super) struct Batch {
    partition: TopicPartition,
    open: OpenBatch,
    slots: Vec<Slot>,
    high_watermark: i64,
}

/// Where one record lies in the body of its batch.
#[derive(Debug, Clone, Copy)]
struct Slot {
    offset: i64,
    timestamp: i64,
    key: Span,
    value: Span,
    headers: Span,
}

/// A piece of the body; one without a start is null.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    size: u32,
}

/// A record without key, value and headers, with its length.
const RECORD_BYTES_MIN: usize = 7;

impl Batch {
    pub(super) fn new(partition: TopicPartition, open: OpenBatch, high_watermark: i64) -> Result<Self, DecodeError> {
        let body: &[u8] = open.body();
        // The count is the batch's own claim, and good for no more records than there are bytes for.
        let count = usize::try_from(open.header().record_count).unwrap_or(0).min(body.len() / RECORD_BYTES_MIN);
        let mut slots = Vec::with_capacity(count);
        for record in open.iter() {
            slots.push(Slot::of(body, &record?));
        }
        Ok(Self { partition, open, slots, high_watermark })
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The offset after the batch, which may be beyond that of its last record: compaction leaves gaps.
    pub(super) fn next_offset(&self) -> i64 {
        self.open.header().next_offset()
    }

    /// The number of the first record at `offset` or later.
    pub(super) fn first_from(&self, offset: i64) -> usize {
        self.slots.iter().position(|slot| slot.offset >= offset).unwrap_or(self.slots.len())
    }

    fn view<'a>(&'a self, slot: &'a Slot) -> RecordView<'a> {
        RecordView { body: self.open.body(), slot }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records of {}", self.slots.len(), self.partition)
    }
}

impl Slot {
    fn of(body: &[u8], record: &Record<'_>) -> Self {
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            key: Span::of(body, record.key),
            value: Span::of(body, record.value),
            headers: Span::of(body, Some(record.headers().as_bytes())),
        }
    }
}

impl Span {
    const NULL: Self = Self { start: u32::MAX, size: 0 };

    /// Where `part` lies in `body`, of which it is a piece.
    fn of(body: &[u8], part: Option<&[u8]>) -> Self {
        let Some(part) = part else { return Self::NULL };
        let start = part.as_ptr().addr().wrapping_sub(body.as_ptr().addr());
        // A body has less than 2 GiB: batch lengths are i32.
        match (u32::try_from(start), u32::try_from(part.len())) {
            (Ok(start), Ok(size)) => Self { start, size },
            (Ok(_) | Err(_), _) => Self { start: 0, size: 0 },
        }
    }

    fn cut(self, body: &[u8]) -> Option<&[u8]> {
        if self.start == Self::NULL.start {
            return None;
        }
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        Some(body.get(start..start.saturating_add(size)).unwrap_or_default())
    }
}

/// One record, borrowed from its batch.
#[derive(Clone, Copy)]
pub struct RecordView<'a> {
    body: &'a [u8],
    slot: &'a Slot,
}

impl<'a> RecordView<'a> {
    /// The record's place in its partition.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.slot.offset
    }

    /// In milliseconds since 1970, set by the producer or by the broker, as the topic says; -1 when there is none.
    #[must_use]
    pub fn timestamp(&self) -> i64 {
        self.slot.timestamp
    }

    /// The key, if there is one.
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        self.slot.key.cut(self.body)
    }

    /// The value; none in a tombstone.
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.slot.value.cut(self.body)
    }

    /// The headers, in the order they were written; a key may come twice.
    #[must_use]
    pub fn headers(&self) -> HeaderIter<'a> {
        HeaderIter::from_bytes(self.slot.headers.cut(self.body).unwrap_or_default())
    }
}

impl fmt::Debug for RecordView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordView")
            .field("offset", &self.offset())
            .field("timestamp", &self.timestamp())
            .field("key_bytes", &self.key().map(<[u8]>::len))
            .field("value_bytes", &self.value().map(<[u8]>::len))
            .finish_non_exhaustive()
    }
}

/// Records of one partition, as they were written together.
///
/// Holds on to the frame it came in until it is dropped.
#[derive(Debug, Clone)]
pub struct ConsumedBatch {
    batch: Arc<Batch>,
    /// Records before this one are not wanted, or went out before.
    first: usize,
}

impl ConsumedBatch {
    pub(super) fn new(batch: Arc<Batch>, first: usize) -> Self {
        Self { batch, first }
    }

    /// Where the records come from.
    #[must_use]
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.batch.partition
    }

    /// How many records there are: at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch without records is never handed out")]
    pub fn len(&self) -> usize {
        self.batch.slots.len() - self.first
    }

    /// The records, in the order of their offsets.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RecordView<'_>> + DoubleEndedIterator {
        self.batch.slots[self.first..].iter().map(|slot| self.batch.view(slot))
    }

    /// Where reading goes on after this batch: what to commit once all its records are processed.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.batch.next_offset()
    }

    /// The end of what consumers could read of the partition when the batch was fetched. What is between
    /// [`next_offset`](Self::next_offset) and here is the lag.
    #[must_use]
    pub fn high_watermark(&self) -> i64 {
        self.batch.high_watermark
    }
}

/// One record of a partition.
///
/// Holds on to the batch it came in, and with it to a whole frame, until it is dropped.
#[derive(Clone)]
pub struct ConsumerRecord {
    batch: Arc<Batch>,
    number: usize,
}

impl ConsumerRecord {
    pub(super) fn new(batch: Arc<Batch>, number: usize) -> Self {
        Self { batch, number }
    }

    /// The record as a view, which is cheap to copy.
    #[must_use]
    pub fn view(&self) -> RecordView<'_> {
        self.batch.view(&self.batch.slots[self.number])
    }

    /// Where the record comes from.
    #[must_use]
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.batch.partition
    }

    /// The topic the record comes from.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.batch.partition.topic
    }

    /// The partition the record comes from.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.batch.partition.partition
    }

    /// The record's place in its partition.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.view().offset()
    }

    /// In milliseconds since 1970, set by the producer or by the broker, as the topic says; -1 when there is none.
    #[must_use]
    pub fn timestamp(&self) -> i64 {
        self.view().timestamp()
    }

    /// The key, if there is one.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.view().key()
    }

    /// The value; none in a tombstone.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        self.view().value()
    }

    /// The headers, in the order they were written; a key may come twice.
    #[must_use]
    pub fn headers(&self) -> HeaderIter<'_> {
        self.view().headers()
    }
}

impl fmt::Debug for ConsumerRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.offset(), self.batch.partition)
    }
}
