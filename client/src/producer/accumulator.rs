//! Batches by partition: an open one that records are appended to, closed ones that wait to be sent, sent ones that
//! wait for their answer.
//!
//! [`machine`](super::machine) appends and asks what is due; [`sender`](super::sender) takes from here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tidemill_protocol::compression::Compression;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp, restamp};

use super::delivery::Completion;
use super::sequences::Identity;
use crate::error::Error;
use crate::record::TopicPartition;

/// What an open batch begins with; a larger one grows as records come.
const BATCH_BYTES_FIRST: usize = 16 * 1024;

/// The bytes of a batch: as they are appended to, or as they go over the wire.
///
/// It has a lock of its own, so that compression and checksum happen without the machine's.
#[derive(Debug)]
pub(super) struct Payload(Mutex<Form>);

#[derive(Debug)]
enum Form {
    Records(BatchBuilder),
    Sealed { bytes: Bytes, stamp: Option<ProducerStamp> },
}

impl Payload {
    /// The batch for the wire: compressed the first time, stamped anew only when its sequence changed.
    pub(super) fn seal(&self, compression: Compression, stamp: Option<ProducerStamp>, flags: BatchFlags) -> Bytes {
        let mut form = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match std::mem::replace(&mut *form, Form::Sealed { bytes: Bytes::new(), stamp }) {
            Form::Records(builder) => builder.seal(compression).stamp(stamp, flags),
            Form::Sealed { bytes, stamp: old } => match stamp {
                // A sealed batch is a whole one, which is all that `restamp` asks for.
                Some(stamp) if old != Some(stamp) => restamp(&bytes, stamp).unwrap_or(bytes),
                Some(_) | None => bytes,
            },
        };
        *form = Form::Sealed { bytes: bytes.clone(), stamp };
        bytes
    }
}

#[derive(Debug)]
struct Open {
    builder: BatchBuilder,
    completion: Arc<Completion>,
    created: Instant,
}

/// A closed batch.
#[derive(Debug)]
pub(super) struct Batch {
    /// Grows with each batch of the partition: the order in which they have to be in the log.
    pub(super) order: u64,
    pub(super) payload: Arc<Payload>,
    pub(super) completion: Arc<Completion>,
    pub(super) record_count: i32,
    /// What it takes of the buffer.
    pub(super) bytes: usize,
    pub(super) created: Instant,
    pub(super) attempts: u32,
    pub(super) stamp: Option<ProducerStamp>,
    /// Why the last attempt got no answer: it may be written. `None` once a broker has said that it is not.
    pub(super) unanswered: Option<Error>,
}

/// The batches of one partition.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) partition: TopicPartition,
    open: Option<Open>,
    next_order: u64,
    /// In order.
    pub(super) waiting: VecDeque<Batch>,
    /// In order.
    pub(super) in_flight: VecDeque<Batch>,
    /// Nothing is sent before this.
    pub(super) blocked_until: Option<Instant>,
    /// As whom the sequences below are counted.
    pub(super) identity: Option<Identity>,
    pub(super) next_sequence: i32,
    /// Whether a batch of this identity was written. Before that a broker takes any sequence for the first.
    pub(super) confirmed: bool,
    /// The broker has lost count: what waits is numbered anew as somebody newer than this.
    pub(super) lost: Option<Identity>,
}

impl Queue {
    const fn new(partition: TopicPartition) -> Self {
        Self {
            partition,
            open: None,
            next_order: 0,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            blocked_until: None,
            identity: None,
            next_sequence: 0,
            confirmed: false,
            lost: None,
        }
    }

    /// Closes the open batch, if there is one.
    pub(super) fn close(&mut self) {
        let Some(Open { builder, completion, created }) = self.open.take() else { return };
        self.waiting.push_back(Batch {
            order: self.next_order,
            record_count: i32::try_from(builder.record_count()).unwrap_or(i32::MAX),
            bytes: builder.bytes(),
            payload: Arc::new(Payload(Mutex::new(Form::Records(builder)))),
            completion,
            created,
            attempts: 0,
            stamp: None,
            unanswered: None,
        });
        self.next_order += 1;
    }

    /// Puts a batch that was sent back where it belongs.
    pub(super) fn put_back(&mut self, batch: Batch) {
        let place = self.waiting.partition_point(|other| other.order < batch.order);
        self.waiting.insert(place, batch);
    }

    /// Takes a batch that was sent.
    pub(super) fn take_in_flight(&mut self, order: u64) -> Option<Batch> {
        let place = self.in_flight.iter().position(|batch| batch.order == order)?;
        self.in_flight.remove(place)
    }

    /// When the open batch has lingered for long enough.
    pub(super) fn closes_at(&self, linger: std::time::Duration) -> Option<Instant> {
        self.open.as_ref().map(|open| open.created + linger)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.waiting.is_empty() && self.in_flight.is_empty()
    }
}

/// Where a record was appended.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) completion: Arc<Completion>,
    pub(super) index: u32,
    /// Whether the driver has something new to do: a batch was begun or closed.
    pub(super) wake: bool,
    /// Whether a batch was closed, so that there is something to send at once.
    pub(super) closed: bool,
}

#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    /// 0 while it is not known.
    partition_count: i32,
    sticky: Option<Sticky>,
    /// Where the queue of each partition is, by its number.
    places: Vec<Option<usize>>,
}

/// Where records without a key go for now (KIP-794).
#[derive(Debug, Clone, Copy)]
struct Sticky {
    partition: i32,
    /// What they brought there.
    bytes: usize,
}

/// Where a topic is in an [`Accumulator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopicPlace(usize);

#[derive(Debug)]
pub(super) struct Accumulator {
    batch_bytes: usize,
    topics: Vec<Topic>,
    by_name: BTreeMap<Arc<str>, usize>,
    /// Most records are for the topic of the one before.
    last: usize,
    pub(super) queues: Vec<Queue>,
    /// What may still be buffered.
    room_bytes: usize,
}

impl Accumulator {
    pub(super) const fn new(batch_bytes: usize, room_bytes: usize) -> Self {
        Self { batch_bytes, topics: Vec::new(), by_name: BTreeMap::new(), last: 0, queues: Vec::new(), room_bytes }
    }

    /// What may still be buffered, in bytes.
    pub(super) const fn room_bytes(&self) -> usize {
        self.room_bytes
    }

    /// A batch has its outcome: others may take its place.
    pub(super) const fn free(&mut self, bytes: usize) {
        self.room_bytes += bytes;
    }

    /// Where a topic is and how many partitions it has, if both are known.
    #[inline]
    pub(super) fn topic(&mut self, name: &str) -> Option<(TopicPlace, i32)> {
        if self.topics.get(self.last).is_none_or(|topic| *topic.name != *name) {
            self.last = *self.by_name.get(name)?;
        }
        let count = self.topics.get(self.last)?.partition_count;
        (count > 0).then_some((TopicPlace(self.last), count))
    }

    /// How many partitions a topic has, by newer metadata.
    pub(super) fn handle_topic(&mut self, name: &Arc<str>, partition_count: i32) {
        let place = *self.by_name.entry(Arc::clone(name)).or_insert(self.topics.len());
        match self.topics.get_mut(place) {
            Some(topic) => topic.partition_count = partition_count,
            None => {
                let (name, places) = (Arc::clone(name), Vec::new());
                self.topics.push(Topic { name, partition_count, sticky: None, places });
            }
        }
    }

    /// The topics that records were sent to.
    pub(super) fn topics(&self) -> Vec<Arc<str>> {
        self.topics.iter().map(|topic| Arc::clone(&topic.name)).collect()
    }

    /// Where records without a key go, for as long as it is to stay so: until they filled a batch there.
    #[inline]
    pub(super) fn sticky(&self, topic: TopicPlace) -> Option<i32> {
        let Topic { sticky, partition_count, .. } = self.topics.get(topic.0)?;
        let Sticky { partition, bytes } = (*sticky)?;
        let enough = bytes >= self.batch_bytes
            && (bytes >= 2 * self.batch_bytes || self.queue(topic, partition).is_none_or(|queue| queue.open.is_none()));
        (!enough && partition < *partition_count).then_some(partition)
    }

    /// From now on records without a key go there.
    pub(super) fn stick(&mut self, topic: TopicPlace, partition: i32) {
        if let Some(topic) = self.topics.get_mut(topic.0) {
            topic.sticky = Some(Sticky { partition, bytes: 0 });
        }
    }

    /// How many batches of a partition have no outcome yet.
    pub(super) fn backlog(&self, topic: TopicPlace, partition: i32) -> usize {
        self.queue(topic, partition).map_or(0, |queue| queue.waiting.len() + queue.in_flight.len())
    }

    fn queue(&self, topic: TopicPlace, partition: i32) -> Option<&Queue> {
        let places = &self.topics.get(topic.0)?.places;
        self.queues.get((*places.get(usize::try_from(partition).ok()?)?)?)
    }

    /// The place of a partition's queue, which is made if there is none yet.
    #[inline]
    fn place(&mut self, topic: TopicPlace, partition: i32) -> usize {
        let Self { topics, queues, .. } = self;
        let topic = &mut topics[topic.0];
        let number = usize::try_from(partition).unwrap_or_default();
        if let Some(Some(place)) = topic.places.get(number) {
            return *place;
        }
        topic.places.resize(topic.places.len().max(number + 1), None);
        topic.places[number] = Some(queues.len());
        queues.push(Queue::new(TopicPartition { topic: Arc::clone(&topic.name), partition }));
        queues.len() - 1
    }

    /// Encodes a record at the end of its partition's open batch, for which there has to be [room](Self::room_bytes).
    /// `bytes_max` is what it takes at most.
    #[inline]
    pub(super) fn append(
        &mut self,
        topic: TopicPlace,
        partition: i32,
        record: &NewRecord<'_>,
        bytes_max: usize,
        now: Instant,
    ) -> Appended {
        let batch_bytes = self.batch_bytes;
        let place = self.place(topic, partition);
        let queue = &mut self.queues[place];
        let is_full = |builder: &BatchBuilder| {
            builder.bytes() + bytes_max > batch_bytes && builder.bytes_with(record) > batch_bytes
        };
        let closed = queue.open.as_ref().is_some_and(|open| is_full(&open.builder));
        if closed {
            queue.close();
        }
        let begun = queue.open.is_none();
        let open = queue.open.get_or_insert_with(|| Open {
            builder: BatchBuilder::new(batch_bytes.min(BATCH_BYTES_FIRST)),
            completion: Arc::new(Completion::new(queue.partition.clone())),
            created: now,
        });
        let before = if begun { 0 } else { open.builder.bytes() };
        let index = open.builder.append(record);
        let bytes = open.builder.bytes() - before;
        self.room_bytes = self.room_bytes.saturating_sub(bytes);
        if record.key.is_none()
            && let Some(Sticky { partition: sticky, bytes: brought }) = &mut self.topics[topic.0].sticky
            && *sticky == partition
        {
            *brought += bytes;
        }
        Appended { completion: Arc::clone(&open.completion), index, wake: begun | closed, closed }
    }

    /// The completions of everything that has no outcome yet; open batches are closed.
    pub(super) fn unfinished(&mut self) -> Vec<Arc<Completion>> {
        self.queues.iter_mut().for_each(Queue::close);
        let batches = self.queues.iter().flat_map(|queue| queue.waiting.iter().chain(&queue.in_flight));
        batches.map(|batch| Arc::clone(&batch.completion)).collect()
    }
}
