//! A producer as a machine: routes what happens to the accumulator, the sender and the sequences.
//!
//! Before: [`Producer::send`](super::Producer::send) and the [`driver`](super::driver). After:
//! [`accumulator`](super::accumulator), [`sender`], [`sequences`](super::sequences).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_protocol::records::NewRecord;

use super::accumulator::{Accumulator, Appended};
use super::config::{Guarantee, ProducerConfig};
use super::delivery::Completion;
use super::partitioner;
use super::sender::{self, Answer, Limits, Part, Plan};
use super::sequences::{Identity, Sequences};
use crate::cluster::Snapshot;
use crate::error::Error;
use crate::record::Record;

/// What the driver is to do.
#[derive(Debug)]
pub(super) enum Action {
    /// Make a Produce request.
    Produce(Plan),
    /// Ask for a producer id.
    InitProducerId,
    /// Give these bytes back to those who wait for room.
    Free(usize),
    /// The metadata is out of date.
    RefreshMetadata,
}

/// Why a record was not appended.
#[derive(Debug)]
pub(super) enum Refused {
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
    closed: bool,
    refresh_metadata: bool,
    freed_bytes: usize,
}

impl Machine {
    pub(super) fn new(config: &ProducerConfig, metadata: Arc<Snapshot>, seed: u64) -> Self {
        let backoff = config.client.backoff();
        Self {
            accumulator: Accumulator::new(config.batch_bytes),
            sequences: Sequences::new(config.guarantee == Guarantee::Idempotent, backoff.clone()),
            metadata,
            limits: Limits {
                in_flight_max: config.in_flight_max,
                request_bytes_max: config.request_bytes_max,
                delivery_timeout: config.delivery_timeout,
                backoff,
            },
            linger: config.linger,
            random: fastrand::Rng::with_seed(seed),
            closed: false,
            refresh_metadata: false,
            freed_bytes: 0,
        }
    }

    /// Appends a record to a batch of its partition.
    pub(super) fn handle_send(
        &mut self,
        record: &Record<'_>,
        timestamp: i64,
        now: Instant,
    ) -> Result<Appended, Refused> {
        if self.closed {
            return Err(Refused::Final(Error::closed("sending")));
        }
        let Some((topic, count)) = self.metadata.topic(record.topic) else { return Err(Refused::UnknownTopic) };
        let partition = match (record.partition, record.key) {
            (Some(partition), _) if (0..count).contains(&partition) => partition,
            (Some(partition), _) => {
                let attempt = format!("sending to partition {partition} of topic '{topic}'");
                let detail = format!("it has partitions 0 to {}", count - 1);
                return Err(Refused::Final(Error::misuse(attempt).with_detail(detail)));
            }
            (None, Some(key)) => partitioner::of_key(key, count),
            (None, None) => {
                let random = &mut self.random;
                self.accumulator.sticky(topic, || random.i32(0..count))
            }
        };
        let timestamp = record.timestamp.unwrap_or(timestamp);
        let new = NewRecord { timestamp, key: record.key, value: record.value, headers: record.headers };
        Ok(self.accumulator.append(topic, partition, &new, now))
    }

    /// The cluster changed.
    pub(super) fn handle_metadata(&mut self, metadata: Arc<Snapshot>) {
        if metadata.version() > self.metadata.version() {
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

    /// What a broker said of one batch.
    pub(super) fn handle_answer(&mut self, part: &Part, answer: Answer, now: Instant) {
        let Self { accumulator, sequences, limits, random, .. } = self;
        let effect = sender::handle_answer(accumulator, sequences, part, answer, limits, random, now);
        self.freed_bytes += effect.freed_bytes;
        self.refresh_metadata |= effect.refresh_metadata;
    }

    /// Closes the open batches; the completions are those of everything sent so far.
    pub(super) fn handle_flush(&mut self) -> Vec<Arc<Completion>> {
        self.accumulator.unfinished()
    }

    /// Takes no more records; what is buffered is still sent.
    pub(super) fn handle_close(&mut self) {
        self.closed = true;
        let _ = self.accumulator.unfinished();
    }

    /// Gives up what is still buffered.
    pub(super) fn handle_abandon(&mut self) {
        self.handle_close();
        self.freed_bytes += sender::fail_all(&mut self.accumulator, &Error::closed("writing"));
    }

    /// Whether the driver's work is done.
    pub(super) fn is_finished(&self) -> bool {
        self.closed && self.accumulator.queues.iter().all(super::accumulator::Queue::is_empty)
    }

    /// What to do now, and when to ask again.
    pub(super) fn poll(&mut self, now: Instant, actions: &mut Vec<Action>) -> Option<Instant> {
        let mut wake_at: Option<Instant> = None;
        let mut wake = |at: Option<Instant>| wake_at = [wake_at, at].into_iter().flatten().min();
        for queue in &mut self.accumulator.queues {
            match queue.closes_at(self.linger) {
                Some(at) if at <= now => queue.close(),
                at => wake(at),
            }
            wake(queue.blocked_until.filter(|until| *until > now));
        }
        let (freed_bytes, expires_at) = sender::expire(&mut self.accumulator, &mut self.sequences, &self.limits, now);
        self.freed_bytes += freed_bytes;
        wake(expires_at);
        let (ask, at) = self.sequences.poll(now);
        wake(at);
        if ask {
            actions.push(Action::InitProducerId);
        }
        if let Some(identity) = self.sequences.current() {
            self.freed_bytes += sender::renumber(&mut self.accumulator, identity);
            let metadata = &self.metadata;
            let leader_of = |partition: &_| metadata.leader_of(partition);
            // Each round takes one batch of a partition; a request has no two of the same.
            loop {
                let plans = sender::plan(&mut self.accumulator, identity, &leader_of, &self.limits, now);
                if plans.is_empty() {
                    break;
                }
                actions.extend(plans.into_iter().map(Action::Produce));
            }
            let leaderless = self
                .accumulator
                .queues
                .iter()
                .any(|queue| !queue.waiting.is_empty() && metadata.leader_of(&queue.partition).is_none());
            self.refresh_metadata |= leaderless;
        }
        if std::mem::take(&mut self.refresh_metadata) {
            actions.push(Action::RefreshMetadata);
        }
        if self.freed_bytes > 0 {
            actions.push(Action::Free(std::mem::take(&mut self.freed_bytes)));
        }
        wake_at
    }
}

#[cfg(test)]
mod tests;
