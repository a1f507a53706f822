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
    pub(super) fn seal(&self, compression: Compression, stamp: Option<ProducerStamp>) -> Bytes {
        let mut form = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match std::mem::replace(&mut *form, Form::Sealed { bytes: Bytes::new(), stamp }) {
            Form::Records(builder) => builder.seal(compression).stamp(stamp, BatchFlags::default()),
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
    /// What it takes of the buffer: its own bytes, and the batch's header if it is the first.
    pub(super) bytes: usize,
    /// Whether the driver has something new to do: a batch was begun or closed.
    pub(super) wake: bool,
}

#[derive(Debug, Default)]
struct Topic {
    /// Where records without a key go until the batch there is closed.
    sticky: Option<i32>,
    queues: BTreeMap<i32, usize>,
}

#[derive(Debug)]
pub(super) struct Accumulator {
    batch_bytes: usize,
    topics: BTreeMap<Arc<str>, Topic>,
    pub(super) queues: Vec<Queue>,
}

impl Accumulator {
    pub(super) const fn new(batch_bytes: usize) -> Self {
        Self { batch_bytes, topics: BTreeMap::new(), queues: Vec::new() }
    }

    /// Where a record without a key goes: the partition whose open batch such records began, or the one that `choose`
    /// gives.
    pub(super) fn sticky(&mut self, topic: &Arc<str>, choose: impl FnOnce() -> i32) -> i32 {
        let entry = self.topics.entry(Arc::clone(topic)).or_default();
        let open = entry.sticky.filter(|partition| {
            let queue = entry.queues.get(partition).and_then(|place| self.queues.get(*place));
            queue.is_some_and(|queue| queue.open.is_some())
        });
        let partition = open.unwrap_or_else(choose);
        entry.sticky = Some(partition);
        partition
    }

    /// Encodes a record at the end of its partition's open batch.
    pub(super) fn append(
        &mut self,
        topic: &Arc<str>,
        partition: i32,
        record: &NewRecord<'_>,
        now: Instant,
    ) -> Appended {
        let batch_bytes = self.batch_bytes;
        let entry = self.topics.entry(Arc::clone(topic)).or_default();
        let place = *entry.queues.entry(partition).or_insert_with(|| {
            self.queues.push(Queue::new(TopicPartition { topic: Arc::clone(topic), partition }));
            self.queues.len() - 1
        });
        let queue = &mut self.queues[place];
        let mut wake = false;
        if queue.open.as_ref().is_some_and(|open| open.builder.bytes_with(record) > batch_bytes) {
            queue.close();
            entry.sticky = None;
            wake = true;
        }
        let open = queue.open.get_or_insert_with(|| {
            wake = true;
            Open {
                builder: BatchBuilder::new(batch_bytes.min(BATCH_BYTES_FIRST)),
                completion: Arc::new(Completion::new(queue.partition.clone())),
                created: now,
            }
        });
        let before = if open.builder.is_empty() { 0 } else { open.builder.bytes() };
        let index = open.builder.append(record);
        Appended { completion: Arc::clone(&open.completion), index, bytes: open.builder.bytes() - before, wake }
    }

    /// The completions of everything that has no outcome yet; open batches are closed.
    pub(super) fn unfinished(&mut self) -> Vec<Arc<Completion>> {
        self.queues.iter_mut().for_each(Queue::close);
        let batches = self.queues.iter().flat_map(|queue| queue.waiting.iter().chain(&queue.in_flight));
        batches.map(|batch| Arc::clone(&batch.completion)).collect()
    }
}
