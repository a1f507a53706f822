//! Batches by partition: an open one that records are appended to, closed ones that wait to be sent, sent ones that
//! wait for their answer.
//!
//! [`machine`](super::machine) appends and asks what is due; [`sender`](super::sender) takes from here. The memory is that
//! of [`buffers`](super::buffers), the bytes of a closed batch are in a [`payload`](super::payload). Most partitions have
//! nothing to be done most of the time, so those that do are [known](Accumulator::index).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_protocol::records::{BATCH_SLACK_BYTES, BatchBuilder, NewRecord, ProducerStamp};

use super::buffers::{Buffers, Lease, buffer_bytes};
use super::delivery::Completion;
use super::payload::Payload;
use super::sequences::Identity;
use crate::error::Error;
use crate::record::TopicPartition;

/// How large the first batch of a partition is taken to become. Later ones are taken to be like the one before.
const BATCH_BYTES_FIRST: usize = 16 * 1024;

#[derive(Debug)]
struct Open {
    builder: BatchBuilder,
    lease: Lease,
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
    /// Its size, not compressed.
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
    /// How large the next batch is taken to become.
    expected_bytes: usize,
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
            expected_bytes: BATCH_BYTES_FIRST,
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
        let Some(Open { builder, lease, completion, created }) = self.open.take() else { return };
        self.expected_bytes = builder.bytes();
        self.waiting.push_back(Batch {
            order: self.next_order,
            record_count: i32::try_from(builder.record_count()).unwrap_or(i32::MAX),
            bytes: builder.bytes(),
            payload: Arc::new(Payload::new(builder, lease)),
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

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.waiting.is_empty() && self.in_flight.is_empty()
    }
}

/// There is no room in the buffer.
#[derive(Debug)]
pub(super) struct NoRoom;

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
    /// How many records have gone to one partition after the other.
    turn: u32,
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
    buffers: Arc<Buffers>,
    /// Queues with batches that wait to be sent, by their places.
    waiting: BTreeSet<usize>,
    /// Those with any batch.
    busy: BTreeSet<usize>,
    /// Those of which the broker has lost count.
    lost: BTreeSet<usize>,
    /// When batches were begun, and where. They are closed in this order; many are closed before.
    lingering: VecDeque<(Instant, usize)>,
}

impl Accumulator {
    pub(super) fn new(batch_bytes: usize, buffer_bytes: usize) -> Self {
        Self {
            batch_bytes,
            topics: Vec::new(),
            by_name: BTreeMap::new(),
            last: 0,
            queues: Vec::new(),
            buffers: Buffers::new(buffer_bytes),
            waiting: BTreeSet::new(),
            busy: BTreeSet::new(),
            lost: BTreeSet::new(),
            lingering: VecDeque::new(),
        }
    }

    /// What is buffered, in bytes.
    #[cfg(test)]
    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffers.used_bytes()
    }

    /// Whether there is more room than when this was last asked.
    pub(super) fn take_released(&self) -> bool {
        self.buffers.take_released()
    }

    /// Notes what there is to be done about a queue. To be called after every change.
    pub(super) fn index(&mut self, place: usize) {
        let Self { queues, waiting, busy, lost, .. } = self;
        let Some(queue) = queues.get(place) else { return };
        let note = |places: &mut BTreeSet<usize>, belongs: bool| {
            if belongs { places.insert(place) } else { places.remove(&place) }
        };
        note(waiting, !queue.waiting.is_empty());
        note(busy, !queue.is_empty());
        note(lost, queue.lost.is_some());
    }

    /// The places of queues with batches that wait to be sent.
    pub(super) fn waiting(&self) -> Vec<usize> {
        self.waiting.iter().copied().collect()
    }

    /// The places of queues with any batch.
    pub(super) fn busy(&self) -> Vec<usize> {
        self.busy.iter().copied().collect()
    }

    /// The places of queues of which the broker has lost count.
    pub(super) fn lost(&self) -> Vec<usize> {
        self.lost.iter().copied().collect()
    }

    /// Whether a partition has batches, and none of them is on its way.
    pub(super) fn has_unsent(&self) -> bool {
        let mut queues = self.busy.iter().filter_map(|place| self.queues.get(*place));
        queues.any(|queue| queue.in_flight.is_empty())
    }

    /// Whether everything has its outcome.
    pub(super) fn is_idle(&self) -> bool {
        self.busy.is_empty()
    }

    /// Closes the batches that have lingered for long enough; when the next one will have.
    pub(super) fn close_lingering(&mut self, linger: Duration, now: Instant) -> Option<Instant> {
        while let Some((begun, place)) = self.lingering.front().copied() {
            let queue = self.queues.get_mut(place)?;
            if queue.open.as_ref().is_some_and(|open| open.created == begun) {
                if begun + linger > now {
                    return Some(begun + linger);
                }
                queue.close();
                self.index(place);
            }
            self.lingering.pop_front();
        }
        None
    }

    /// Closes all batches if none is on its way, so that there will be room again.
    pub(super) fn close_for_room(&mut self) {
        let places = self.busy();
        let is_open = |place: &usize| {
            self.queues.get(*place).is_some_and(|queue| queue.waiting.is_empty() && queue.in_flight.is_empty())
        };
        if places.iter().all(is_open) {
            self.close_all();
        }
    }

    /// Closes all open batches.
    fn close_all(&mut self) {
        for place in self.busy() {
            if let Some(queue) = self.queues.get_mut(place) {
                queue.close();
                self.index(place);
            }
        }
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
                self.topics.push(Topic { name, partition_count, sticky: None, turn: 0, places });
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

    /// Counts the records of a topic that go to one partition after the other.
    pub(super) fn turn(&mut self, topic: TopicPlace) -> &mut u32 {
        &mut self.topics[topic.0].turn
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

    /// Encodes a record at the end of its partition's open batch. `bytes_max` is what it takes at most.
    #[inline]
    pub(super) fn append(
        &mut self,
        topic: TopicPlace,
        partition: i32,
        record: &NewRecord<'_>,
        bytes_max: usize,
        now: Instant,
    ) -> Result<Appended, NoRoom> {
        let place = self.place(topic, partition);
        let fits = |open: &Open| open.builder.bytes().saturating_add(bytes_max) <= open.builder.capacity_bytes();
        let room = if self.queues[place].open.as_ref().is_some_and(fits) {
            Room::default()
        } else {
            self.make_room(place, record, bytes_max, now)?
        };
        let Some(open) = &mut self.queues[place].open else { return Err(NoRoom) };
        let before = open.builder.bytes();
        let index = open.builder.append(record);
        let bytes = open.builder.bytes() - before;
        let completion = Arc::clone(&open.completion);
        if record.key.is_none()
            && let Some(Sticky { partition: sticky, bytes: brought }) = &mut self.topics[topic.0].sticky
            && *sticky == partition
        {
            *brought += bytes;
        }
        Ok(Appended { completion, index, wake: room.begun | room.closed, closed: room.closed })
    }

    /// Has an open batch with room for a record: another one when it would be full, a larger buffer as long as it is not.
    #[inline(never)]
    fn make_room(
        &mut self,
        place: usize,
        record: &NewRecord<'_>,
        bytes_max: usize,
        now: Instant,
    ) -> Result<Room, NoRoom> {
        let mut room = Room::default();
        let queue = &mut self.queues[place];
        if let Some(open) = &mut queue.open {
            let bytes = open.builder.bytes_with(record);
            if bytes <= open.builder.capacity_bytes() {
                return Ok(room);
            }
            if bytes <= self.batch_bytes {
                // Twice as much, so that a batch is not copied again and again.
                let sizes = [2 * open.builder.bytes(), bytes].map(|bytes| buffer_bytes(bytes, self.batch_bytes));
                let (buffer, lease) = sizes.into_iter().find_map(|size| self.buffers.take(size)).ok_or(NoRoom)?;
                let left = open.builder.move_to(buffer);
                std::mem::replace(&mut open.lease, lease).give_back(left);
                return Ok(room);
            }
            queue.close();
            self.index(place);
            room.closed = true;
        }
        let queue = &mut self.queues[place];
        // One that waits for a buffer of the right size has it soon: others are on their way, or will be for its sake.
        let sizes = [bytes_max.max(queue.expected_bytes), bytes_max].map(|bytes| buffer_bytes(bytes, self.batch_bytes));
        let size = sizes.into_iter().find(|size| *size <= self.buffers.limit_bytes());
        let (buffer, lease) = self.buffers.take(size.unwrap_or(bytes_max + BATCH_SLACK_BYTES)).ok_or(NoRoom)?;
        queue.open = Some(Open {
            builder: BatchBuilder::in_buffer(buffer),
            lease,
            completion: Arc::new(Completion::new(queue.partition.clone())),
            created: now,
        });
        self.lingering.push_back((now, place));
        self.index(place);
        room.begun = true;
        Ok(room)
    }

    /// The completions of everything that has no outcome yet; open batches are closed.
    pub(super) fn unfinished(&mut self) -> Vec<Arc<Completion>> {
        self.close_all();
        let queues = self.busy.iter().filter_map(|place| self.queues.get(*place));
        let batches = queues.flat_map(|queue| queue.waiting.iter().chain(&queue.in_flight));
        batches.map(|batch| Arc::clone(&batch.completion)).collect()
    }
}

/// What had to be done for a record to have room.
#[derive(Debug, Default, Clone, Copy)]
struct Room {
    begun: bool,
    closed: bool,
}
