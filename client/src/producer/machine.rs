//! A producer as a machine: routes what happens to the accumulator, the sender and the sequences.
//!
//! Before: [`Producer::send`](super::Producer::send) and the [`driver`](super::driver). After:
//! [`accumulator`](super::accumulator), [`sender`], [`sequences`](super::sequences).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_protocol::records::{BATCH_SLACK_BYTES, NewRecord};
use tokio::sync::oneshot;

use super::accumulator::{Accumulator, Appended, NoRoom, TopicPlace};
use super::config::{Guarantee, ProducerConfig};
use super::delivery::Completion;
use super::partitioner::{self, Choice, Partitioning};
use super::sender::{self, Answer, Limits, Part, Plan};
use super::sequences::{Identity, Sequences};
use super::transactions;
use super::transactions::machine::Transactions;
use crate::cluster::Snapshot;
use crate::error::Error;
use crate::record::{Record, TopicPartition};

/// What the driver is to do.
#[derive(Debug)]
pub(super) enum Action {
    /// Make a Produce request.
    Produce(Plan),
    /// Ask for a producer id.
    InitProducerId,
    /// Ask a coordinator.
    Transaction(transactions::requests::Request),
    /// There is room again for those who wait for it.
    Room,
    /// The metadata is out of date.
    RefreshMetadata,
}

/// Whether a record comes for the first time, or has waited for room and is the first of those that did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It may not overtake those that wait.
    New,
    First,
}

/// Why a record was not appended.
#[derive(Debug)]
pub(super) enum Refused {
    /// Batches are ready to be sent: those who send them should have a turn before more is appended.
    Ready,
    /// There is no room in the buffer.
    Full,
    /// The topic is not known yet.
    UnknownTopic,
    /// It never will be.
    Final(Error),
}

#[derive(Debug)]
pub(super) struct Machine {
    accumulator: Accumulator,
    sequences: Sequences,
    metadata: Arc<Snapshot>,
    limits: Limits,
    linger: Duration,
    random: fastrand::Rng,
    clock: Clock,
    closed: bool,
    /// No record is taken: the producer is closed, or there is no transaction to write to.
    refuses: bool,
    transactions: Option<Box<Transactions>>,
    /// Those who wait until the driver has ended.
    settling: Vec<oneshot::Sender<()>>,
    refresh_metadata: bool,
    /// How many senders wait for room.
    waiting: usize,
    /// A batch was closed since the last record was refused for it.
    ready: bool,
    /// A record was refused since there was no room for it.
    full: bool,
    partitioning: Partitioning,
}

/// What takes room beside a record's own bytes, shared out generously: lengths, deltas and counts.
const RECORD_OVERHEAD_BYTES: usize = 32;
/// The header of a batch, which its first record pays for.
const BATCH_OVERHEAD_BYTES: usize = 61;
/// Lengths of a header's key and value.
const HEADER_OVERHEAD_BYTES: usize = 10;

/// The most that a record may take of a batch and of the buffer.
#[inline]
fn bytes_max(record: &Record<'_>) -> usize {
    let mut bytes = RECORD_OVERHEAD_BYTES + BATCH_OVERHEAD_BYTES;
    for part in [record.key, record.value].into_iter().flatten() {
        bytes += part.len();
    }
    for header in record.headers {
        bytes += header.key.len() + header.value.map_or(0, <[u8]>::len) + HEADER_OVERHEAD_BYTES;
    }
    bytes
}

/// The time of day by the monotonic clock, so that a record needs one look at one clock.
#[derive(Debug, Default)]
struct Clock(Option<(Instant, Duration)>);

impl Clock {
    /// For how long the two clocks are taken to agree, since the time of day can be set.
    const GOOD_FOR: Duration = Duration::from_secs(1);

    /// Milliseconds since 1970; `None` when the time of day has to be read again.
    #[inline]
    fn timestamp(&self, now: Instant) -> Option<i64> {
        let (read_at, unix) = self.0?;
        let passed = now.saturating_duration_since(read_at);
        if passed > Self::GOOD_FOR {
            return None;
        }
        let unix = unix + passed;
        let seconds = i64::try_from(unix.as_secs()).unwrap_or(i64::MAX);
        Some(seconds.saturating_mul(1_000).saturating_add(unix.subsec_millis().into()))
    }
}

impl Machine {
    pub(super) fn new(
        config: &ProducerConfig,
        transactions: Option<Transactions>,
        metadata: Arc<Snapshot>,
        seed: u64,
    ) -> Self {
        let backoff = config.client.backoff();
        let sequences = match &transactions {
            Some(_) => Sequences::transactional(backoff.clone()),
            None => Sequences::new(config.guarantee == Guarantee::Idempotent, backoff.clone()),
        };
        Self {
            accumulator: Accumulator::new(config.batch_bytes, to_usize(config.buffer_bytes)),
            sequences,
            metadata,
            limits: Limits {
                in_flight_max: config.in_flight_max,
                request_bytes_max: config.request_bytes_max,
                buffer_bytes: to_usize(config.buffer_bytes),
                delivery_timeout: config.delivery_timeout,
                backoff,
            },
            linger: config.linger,
            random: fastrand::Rng::with_seed(seed),
            clock: Clock::default(),
            closed: false,
            refuses: transactions.is_some(),
            transactions: transactions.map(Box::new),
            settling: Vec::new(),
            refresh_metadata: false,
            waiting: 0,
            ready: false,
            full: false,
            partitioning: config.partitioning.clone(),
        }
    }

    /// The time of day at `now`, in milliseconds since 1970; `read` reads it when it was not read for a second.
    #[inline]
    pub(super) fn timestamp(&mut self, now: Instant, read: fn() -> Duration) -> i64 {
        self.clock.timestamp(now).unwrap_or_else(|| {
            self.clock = Clock(Some((now, read())));
            self.clock.timestamp(now).unwrap_or_default()
        })
    }

    /// A sender waits for room from now on, or does not any more.
    pub(super) const fn handle_waiting(&mut self, waits: bool) {
        self.waiting = if waits { self.waiting + 1 } else { self.waiting.saturating_sub(1) };
    }

    /// What is buffered and has no outcome yet, in bytes.
    #[cfg(test)]
    pub(super) fn buffered_bytes(&self) -> usize {
        self.accumulator.buffered_bytes()
    }

    /// Appends a record to a batch of its partition.
    #[inline]
    pub(super) fn handle_send(
        &mut self,
        record: &Record<'_>,
        timestamp: i64,
        now: Instant,
        turn: Turn,
    ) -> Result<Appended, Refused> {
        if self.refuses {
            return Err(self.refused());
        }
        if turn == Turn::New && std::mem::take(&mut self.ready) {
            return Err(Refused::Ready);
        }
        let Some((topic, count)) = self.topic(record.topic) else { return Err(Refused::UnknownTopic) };
        let bytes_max = bytes_max(record);
        if turn == Turn::New && self.waiting > 0 {
            return Err(self.full(record, bytes_max));
        }
        if bytes_max > self.limits.request_bytes_max {
            return Err(self.too_large(record, bytes_max));
        }
        let partition = match record.partition {
            Some(partition) if (0..count).contains(&partition) => partition,
            Some(partition) => return Err(no_such_partition(record.topic, partition, count)),
            None if !matches!(self.partitioning, Partitioning::Murmur2Random) => {
                self.by_choice(record, topic, count)?
            }
            None => match record.key {
                Some(key) => partitioner::of_key(key, count),
                None => self.anywhere(record.topic, topic, count),
            },
        };
        let timestamp = record.timestamp.unwrap_or(timestamp);
        let new = NewRecord { timestamp, key: record.key, value: record.value, headers: record.headers };
        match self.accumulator.append(topic, partition, &new, bytes_max, now) {
            Ok(appended) => {
                self.ready |= appended.closed;
                Ok(appended)
            }
            Err(NoRoom) => Err(self.full(record, bytes_max)),
        }
    }

    /// Where a record goes that names no partition, in another way than that of the Java client.
    #[cold]
    fn by_choice(&mut self, record: &Record<'_>, topic: TopicPlace, count: i32) -> Result<i32, Refused> {
        let Self { partitioning, random, metadata, accumulator, .. } = self;
        let is_available = |partition| metadata.leader(record.topic, partition).is_some();
        let turn = accumulator.turn(topic);
        match partitioning.choose(record, count, random, turn, &is_available) {
            Choice::At(partition) if (0..count).contains(&partition) => Ok(partition),
            Choice::At(partition) => Err(no_such_partition(record.topic, partition, count)),
            Choice::Anywhere => Ok(self.anywhere(record.topic, topic, count)),
        }
    }

    /// Where records go that may go anywhere: for as long as that makes a batch, where the one before went.
    #[inline]
    fn anywhere(&mut self, name: &str, topic: TopicPlace, count: i32) -> i32 {
        match self.accumulator.sticky(topic) {
            Some(partition) => partition,
            None => self.choose(name, topic, count),
        }
    }

    /// Where a topic's batches are, if the topic is known.
    #[inline]
    fn topic(&mut self, name: &str) -> Option<(TopicPlace, i32)> {
        if let Some(found) = self.accumulator.topic(name) {
            return Some(found);
        }
        let (name, count) = self.metadata.topic(name)?;
        self.accumulator.handle_topic(name, count);
        self.accumulator.topic(name)
    }

    /// Where records without a key go next: of two partitions chosen at random, the one whose brokers keep up better.
    #[cold]
    fn choose(&mut self, name: &str, topic: TopicPlace, count: i32) -> i32 {
        let chosen = [(); 2].map(|()| self.random.i32(0..count));
        let burden = |partition: &i32| {
            let leaderless = self.metadata.leader(name, *partition).is_none();
            (leaderless, self.accumulator.backlog(topic, *partition))
        };
        let partition = chosen.into_iter().min_by_key(burden).unwrap_or_default();
        self.accumulator.stick(topic, partition);
        partition
    }

    #[cold]
    fn refused(&self) -> Refused {
        let refusal =
            self.transactions.as_ref().filter(|_| !self.closed).and_then(|transactions| transactions.refusal());
        Refused::Final(refusal.unwrap_or_else(|| Error::closed("sending")))
    }

    #[cold]
    fn full(&mut self, record: &Record<'_>, bytes: usize) -> Refused {
        if bytes.saturating_add(BATCH_SLACK_BYTES) > self.limits.buffer_bytes {
            return self.too_large(record, bytes);
        }
        self.full = true;
        Refused::Full
    }

    #[cold]
    fn too_large(&self, record: &Record<'_>, bytes: usize) -> Refused {
        let limit = self.limits.request_bytes_max.min(self.limits.buffer_bytes);
        let attempt = format!("sending {bytes} bytes to topic '{}'", record.topic);
        let detail = format!("the limit is {limit} bytes: raise max.request.size and buffer.memory");
        Refused::Final(Error::misuse(attempt).with_detail(detail))
    }

    /// The cluster changed.
    pub(super) fn handle_metadata(&mut self, metadata: Arc<Snapshot>) {
        if metadata.version() > self.metadata.version() {
            for topic in self.accumulator.topics() {
                let count = metadata.topic(&topic).map_or(0, |(_, count)| count);
                self.accumulator.handle_topic(&topic, count);
            }
            self.metadata = metadata;
        }
    }

    pub(super) fn handle_identity(&mut self, identity: Result<Identity, Error>, now: Instant) {
        match identity {
            Ok(identity) => self.sequences.handle_identity(identity),
            Err(error) => {
                tracing::debug!(%error, "no producer id yet");
                self.sequences.handle_failure(now, &mut self.random);
            }
        }
    }

    /// The application begins, changes or ends a transaction; nothing happens in a producer without them.
    pub(super) fn handle_transaction(&mut self, change: impl FnOnce(&mut Transactions)) {
        if let Some(transactions) = &mut self.transactions {
            change(transactions);
            self.refuses = self.closed || transactions.refusal().is_some();
        }
    }

    /// What a coordinator said.
    pub(super) fn handle_transaction_reply(&mut self, reply: transactions::requests::Reply, now: Instant) {
        self.handle_transaction(|transactions| transactions.handle_reply(reply, now));
    }

    /// The producer is to end, and somebody waits for that.
    pub(super) fn handle_settle(&mut self, done: oneshot::Sender<()>) {
        self.settling.push(done);
        self.handle_close();
    }

    /// What a broker said of one batch.
    pub(super) fn handle_answer(&mut self, part: &Part, answer: Answer, now: Instant) {
        let Self { accumulator, sequences, limits, random, .. } = self;
        self.refresh_metadata |= sender::handle_answer(accumulator, sequences, part, answer, limits, random, now);
    }

    /// Closes the open batches; the completions are those of everything sent so far.
    pub(super) fn handle_flush(&mut self) -> Vec<Arc<Completion>> {
        self.accumulator.unfinished()
    }

    /// Takes no more records; what is buffered is still sent.
    pub(super) fn handle_close(&mut self) {
        (self.closed, self.refuses) = (true, true);
        let _ = self.accumulator.unfinished();
        self.handle_transaction(Transactions::handle_close);
    }

    /// Gives up what is still buffered.
    pub(super) fn handle_abandon(&mut self) {
        self.handle_close();
        sender::fail_all(&mut self.accumulator, &Error::closed("writing"));
    }

    /// The driver has ended.
    pub(super) fn handle_finished(&mut self) {
        self.settling.clear();
    }

    /// Whether the driver's work is done.
    pub(super) fn is_finished(&self) -> bool {
        let settled = self.transactions.as_ref().is_none_or(|transactions| transactions.is_settled());
        self.closed && settled && self.accumulator.is_idle()
    }

    /// What to do now, and when to ask again.
    pub(super) fn poll(&mut self, now: Instant, actions: &mut Vec<Action>) -> Option<Instant> {
        let mut wake_at: Option<Instant> = None;
        let mut wake = |at: Option<Instant>| wake_at = [wake_at, at].into_iter().flatten().min();
        if std::mem::take(&mut self.full) {
            self.accumulator.close_for_room();
        }
        wake(self.accumulator.close_lingering(self.linger, now));
        wake(sender::expire(&mut self.accumulator, &mut self.sequences, &self.limits, now));
        self.route_failures();
        let (ask, at) = self.sequences.poll(now);
        wake(at);
        if ask {
            actions.push(Action::InitProducerId);
        }
        if let Some(identity) = self.sequences.current() {
            sender::renumber(&mut self.accumulator, identity);
            let Self { accumulator, limits, metadata, transactions, .. } = &mut *self;
            let generation = transactions.as_ref().map(|transactions| transactions.generation());
            let mut leader_of = |partition: &TopicPartition| {
                let leader = metadata.leader_of(partition)?;
                transactions.as_mut().is_none_or(|transactions| transactions.may_write(partition)).then_some(leader)
            };
            let mut written = false;
            // Each round takes one batch of a partition; a request has no two of the same.
            loop {
                let plans = sender::plan(accumulator, identity, &mut leader_of, limits, now);
                if plans.is_empty() {
                    break;
                }
                written = true;
                actions.extend(plans.into_iter().map(|plan| Action::Produce(Plan { generation, ..plan })));
            }
            if let Some(transactions) = self.transactions.as_mut().filter(|_| written) {
                transactions.handle_writing();
            }
            let metadata = &self.metadata;
            let waiting = self.accumulator.waiting();
            let queues = waiting.iter().filter_map(|place| self.accumulator.queues.get(*place));
            let mut leaders = queues.map(|queue| metadata.leader_of(&queue.partition));
            self.refresh_metadata |= leaders.any(|leader| leader.is_none());
        }
        wake(self.poll_transaction(now, actions));
        if std::mem::take(&mut self.refresh_metadata) {
            actions.push(Action::RefreshMetadata);
        }
        if self.accumulator.take_released() && self.waiting > 0 {
            actions.push(Action::Room);
        }
        wake_at
    }

    /// A record that was not written fails its transaction, and that the others that wait.
    fn route_failures(&mut self) {
        let Some(transactions) = &mut self.transactions else { return };
        if let Some(error) = self.sequences.take_failed() {
            transactions.handle_record_failed(error);
        }
        if let Some(cause) = transactions.dropped()
            && sender::fail_waiting(&mut self.accumulator, &cause)
        {
            transactions.handle_sequence_missing();
        }
        self.handle_transaction(|_| {});
    }

    /// What is to be asked of a coordinator.
    fn poll_transaction(&mut self, now: Instant, actions: &mut Vec<Action>) -> Option<Instant> {
        let transactions = self.transactions.as_mut()?;
        let idle = self.accumulator.is_idle();
        let (request, wake_at) = transactions.poll(idle, now);
        actions.extend(request.map(Action::Transaction));
        self.sequences.give(transactions.identity());
        // What waits is given up with the transaction, which takes another look.
        let again = transactions.dropped().is_some() && self.accumulator.has_unsent();
        self.handle_transaction(|_| {});
        if again { Some(now) } else { wake_at }
    }
}

#[cold]
fn no_such_partition(topic: &str, partition: i32, count: i32) -> Refused {
    let attempt = format!("sending to partition {partition} of topic '{topic}'");
    Refused::Final(Error::misuse(attempt).with_detail(format!("it has partitions 0 to {}", count - 1)))
}

fn to_usize(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
