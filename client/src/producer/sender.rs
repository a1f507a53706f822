//! Which batches go into which request, and what an answer does to them.
//!
//! All partitions of a leader that are ready go into one request, each with its next batch; up to five batches of a
//! partition may be on their way. A batch that is sent again keeps its sequence, so the broker recognises it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_protocol::ErrorCode;
use tidemill_protocol::records::ProducerStamp;
use uuid::Uuid;

use super::accumulator::{Accumulator, Batch, Queue};
use super::payload::Payload;
use super::sequences::{Identity, Sequences};
use super::transactions::requests::Generation;
use crate::cluster::{Backoff, Leader};
use crate::error::{Error, Outcome};
use crate::record::TopicPartition;

/// One batch in a request.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// The queue it came from, and its order there.
    queue: usize,
    order: u64,
    pub(super) partition: TopicPartition,
    /// Nil while it is not known.
    pub(super) topic_id: Uuid,
    pub(super) payload: Arc<Payload>,
    pub(super) stamp: Option<ProducerStamp>,
}

/// One Produce request.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) broker: i32,
    /// By when the first of its batches needs an outcome.
    pub(super) deadline: Instant,
    /// How transactions are spoken of, where there are any.
    pub(super) generation: Option<Generation>,
    pub(super) parts: Vec<Part>,
}

/// What a broker said of one batch.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// Written from this offset on, if it is told.
    Written(Option<i64>),
    Refused(ErrorCode),
    /// It was not sent, and cannot be: the broker speaks no version that could say it.
    Unsendable(Error),
    /// The request got no answer, or none for this batch: it may have been written.
    Unanswered(Error),
}

/// The limits that the sender keeps.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) in_flight_max: usize,
    pub(super) request_bytes_max: usize,
    pub(super) buffer_bytes: usize,
    pub(super) delivery_timeout: Duration,
    pub(super) backoff: Backoff,
}

/// Takes the batches that can be sent now, by leader.
pub(super) fn plan(
    accumulator: &mut Accumulator,
    identity: Option<Identity>,
    leader_of: &mut dyn FnMut(&TopicPartition) -> Option<Leader>,
    limits: &Limits,
    now: Instant,
) -> Vec<Plan> {
    let mut plans: BTreeMap<i32, (usize, Instant, Vec<Part>)> = BTreeMap::new();
    for place in accumulator.waiting() {
        let Some(queue) = accumulator.queues.get_mut(place) else { continue };
        if !may_send(queue, identity, limits, now) {
            continue;
        }
        let Some(leader) = leader_of(&queue.partition) else { continue };
        let Some(batch) = queue.waiting.front() else { continue };
        let expires = batch.created + limits.delivery_timeout;
        let (bytes, deadline, parts) = plans.entry(leader.broker).or_insert_with(|| (0, expires, Vec::new()));
        if *bytes > 0 && *bytes + batch.bytes > limits.request_bytes_max {
            continue;
        }
        *bytes += batch.bytes;
        *deadline = expires.min(*deadline);
        parts.extend(take(place, queue, leader.topic_id, identity));
        accumulator.index(place);
    }
    plans.into_iter().map(|(broker, (_, deadline, parts))| Plan { broker, deadline, generation: None, parts }).collect()
}

/// Numbers the batches of partitions whose count was lost anew, once none of them is on its way and there is another
/// identity to number them under. Those that may be written would then be written twice: they end here.
pub(super) fn renumber(accumulator: &mut Accumulator, identity: Option<Identity>) {
    for place in accumulator.lost() {
        let Some(queue) = accumulator.queues.get_mut(place) else { continue };
        if queue.lost.is_none() || queue.lost == identity || !queue.in_flight.is_empty() {
            continue;
        }
        queue.lost = None;
        queue.identity = None;
        for mut batch in std::mem::take(&mut queue.waiting) {
            match batch.unanswered.take() {
                Some(error) => {
                    let error = error.with_partition(queue.partition.clone());
                    finish(&batch, Err(error.with_outcome(Outcome::PossiblyWritten)));
                }
                None => {
                    batch.stamp = None;
                    queue.waiting.push_back(batch);
                }
            }
        }
        accumulator.index(place);
    }
}

/// Whether the next batch of a queue may go; also where a queue changes to a newer identity.
fn may_send(queue: &mut Queue, identity: Option<Identity>, limits: &Limits, now: Instant) -> bool {
    if queue.blocked_until.is_some_and(|until| until > now) {
        return false;
    }
    // A broker recognises a batch among the last five it was sent. One whose answer was lost may be written already,
    // so nothing goes out that would push it out of that window: the limit counts from the oldest without an outcome.
    let oldest = queue.in_flight.front().map_or(u64::MAX, |batch| batch.order);
    let counting = queue.identity.is_some() && !queue.confirmed;
    let window = if counting { 1 } else { limits.in_flight_max };
    let window = u64::try_from(window).unwrap_or(u64::MAX);
    if queue.waiting.front().is_some_and(|batch| batch.order >= oldest.saturating_add(window)) {
        return false;
    }
    if queue.lost.is_some() {
        return false;
    }
    if queue.identity != identity {
        // Batches that have a sequence keep it until they have an outcome: only then can another count begin.
        let numbered = queue.waiting.front().is_some_and(|batch| batch.stamp.is_some());
        if numbered {
            return true;
        }
        if !queue.in_flight.is_empty() {
            return false;
        }
        queue.identity = identity;
        queue.next_sequence = 0;
        queue.confirmed = false;
    }
    true
}

fn take(place: usize, queue: &mut Queue, topic_id: Uuid, identity: Option<Identity>) -> Option<Part> {
    let mut batch = queue.waiting.pop_front()?;
    batch.attempts = batch.attempts.saturating_add(1);
    if let (None, Some(Identity { producer_id, producer_epoch })) = (batch.stamp, identity) {
        batch.stamp = Some(ProducerStamp { producer_id, producer_epoch, base_sequence: queue.next_sequence });
        // Sequences wrap to 0 behind the largest 32-bit number.
        queue.next_sequence = queue.next_sequence.wrapping_add(batch.record_count) & i32::MAX;
    }
    let part = Part {
        queue: place,
        order: batch.order,
        partition: queue.partition.clone(),
        topic_id,
        payload: Arc::clone(&batch.payload),
        stamp: batch.stamp,
    };
    // One that is sent again may overtake those behind it that are still on their way.
    let place = queue.in_flight.partition_point(|other| other.order < batch.order);
    queue.in_flight.insert(place, batch);
    Some(part)
}

/// What a broker said of a batch: done, once more, or failed. Returns whether the metadata is out of date.
pub(super) fn handle_answer(
    accumulator: &mut Accumulator,
    sequences: &mut Sequences,
    part: &Part,
    answer: Answer,
    limits: &Limits,
    random: &mut fastrand::Rng,
    now: Instant,
) -> bool {
    let mut is_outdated = false;
    let Some(queue) = accumulator.queues.get_mut(part.queue) else { return is_outdated };
    let Some(mut batch) = queue.take_in_flight(part.order) else { return is_outdated };
    let wait = limits.backoff.next(batch.attempts.saturating_sub(1), random);
    match answer {
        Answer::Written(offset) => {
            queue.blocked_until = None;
            queue.confirmed = true;
            finish(&batch, Ok(offset));
        }
        // The broker has it already, from an attempt whose answer was lost.
        Answer::Refused(ErrorCode::DUPLICATE_SEQUENCE_NUMBER) => finish(&batch, Ok(None)),
        Answer::Refused(code) if lost_count(code) && batch.stamp.is_some() => {
            let behind_another = queue.waiting.front().is_some_and(|first| first.order < batch.order)
                || queue.in_flight.front().is_some_and(|first| first.order < batch.order);
            if behind_another && code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER {
                queue.blocked_until = Some(now + wait);
            } else if sequences.is_transactional() {
                // Under another epoch the records before would be missing.
                batch.unanswered = None;
                fail(queue, sequences, &batch, Error::broker("writing", code));
                accumulator.index(part.queue);
                return is_outdated;
            } else if queue.lost.is_none() {
                lose(queue, sequences, batch.stamp);
            }
            // The leader looked for it and did not have it.
            batch.unanswered = None;
            queue.put_back(batch);
        }
        Answer::Refused(code) if code.is_retriable() => {
            is_outdated = code.refreshes_metadata();
            queue.blocked_until = Some(now + wait);
            // The topic was made anew: in its log no batch of ours is the last one, and a broker takes any sequence.
            if matches!(code, ErrorCode::UNKNOWN_TOPIC_ID | ErrorCode::INCONSISTENT_TOPIC_ID) {
                queue.confirmed = false;
            }
            if matches!(code, ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND) {
                batch.unanswered = Some(Error::broker("writing", code));
            }
            queue.put_back(batch);
        }
        Answer::Refused(code) => fail(queue, sequences, &batch, Error::broker("writing", code)),
        Answer::Unsendable(error) => fail(queue, sequences, &batch, error),
        Answer::Unanswered(error) => {
            tracing::debug!(partition = %part.partition, %error, "a batch is sent again");
            is_outdated = true;
            queue.blocked_until = Some(now + wait);
            batch.unanswered = Some(error);
            queue.put_back(batch);
        }
    }
    accumulator.index(part.queue);
    is_outdated
}

/// Ends a batch that will not be sent again. The broker did not count it, so the ones behind it would be out of order.
fn fail(queue: &mut Queue, sequences: &mut Sequences, batch: &Batch, error: Error) {
    let error = error.with_partition(queue.partition.clone()).with_outcome(outcome_of(batch));
    lose(queue, sequences, batch.stamp);
    finish(batch, Err(sequences.handle_failed(error)));
}

/// Fails the batches whose time is up. Those on their way are left to the deadline of their request. Returns when to look
/// at those that wait again.
pub(super) fn expire(
    accumulator: &mut Accumulator,
    sequences: &mut Sequences,
    limits: &Limits,
    now: Instant,
) -> Option<Instant> {
    let mut next: Option<Instant> = None;
    for place in accumulator.waiting() {
        let Some(queue) = accumulator.queues.get_mut(place) else { continue };
        // Nothing is sent before that; then it is time to look again.
        next = [next, queue.blocked_until.filter(|until| *until > now)].into_iter().flatten().min();
        while let Some(batch) = queue.waiting.front() {
            let deadline = batch.created + limits.delivery_timeout;
            if deadline > now {
                next = Some(next.map_or(deadline, |next| next.min(deadline)));
                break;
            }
            let Some(batch) = queue.waiting.pop_front() else { break };
            let mut error =
                Error::timeout("writing within delivery.timeout.ms").with_partition(queue.partition.clone());
            if let Some(reason) = &batch.unanswered {
                error = error.with_detail(format!("the last attempt: {reason}"));
            }
            let error = sequences.handle_failed(error.with_outcome(outcome_of(&batch)));
            finish(&batch, Err(error));
            lose(queue, sequences, batch.stamp);
        }
        accumulator.index(place);
    }
    next
}

/// Fails what is not on its way: its transaction cannot be committed. Returns whether sequences are missing now.
pub(super) fn fail_waiting(accumulator: &mut Accumulator, error: &Error) -> bool {
    let mut missing = false;
    for place in accumulator.busy() {
        let Some(queue) = accumulator.queues.get_mut(place) else { continue };
        queue.close();
        queue.blocked_until = None;
        for batch in queue.waiting.drain(..) {
            if let Some(ProducerStamp { producer_id, producer_epoch, .. }) = batch.stamp {
                missing = true;
                queue.lost = Some(Identity { producer_id, producer_epoch });
            }
            let error = error.clone().with_partition(queue.partition.clone());
            finish(&batch, Err(error.with_outcome(outcome_of(&batch))));
        }
        accumulator.index(place);
    }
    missing
}

/// Fails everything: the producer is closed.
pub(super) fn fail_all(accumulator: &mut Accumulator, error: &Error) {
    for place in accumulator.busy() {
        let Some(queue) = accumulator.queues.get_mut(place) else { continue };
        queue.close();
        for batch in queue.in_flight.drain(..) {
            let error = error.clone().with_partition(queue.partition.clone());
            finish(&batch, Err(error.with_outcome(Outcome::PossiblyWritten)));
        }
        for batch in queue.waiting.drain(..) {
            let error = error.clone().with_partition(queue.partition.clone());
            finish(&batch, Err(error.with_outcome(outcome_of(&batch))));
        }
        accumulator.index(place);
    }
}

fn finish(batch: &Batch, outcome: Result<Option<i64>, Error>) {
    batch.completion.complete(outcome);
}

/// Whether the code says that broker and producer disagree about what was written last.
const fn lost_count(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::INVALID_PRODUCER_EPOCH
            | ErrorCode::INVALID_PRODUCER_ID_MAPPING
    )
}

/// What is known of a batch that is not on its way.
const fn outcome_of(batch: &Batch) -> Outcome {
    if batch.unanswered.is_some() { Outcome::PossiblyWritten } else { Outcome::NotWritten }
}

/// The sequences of a partition have a gap, or the broker has lost count: see [`renumber`].
fn lose(queue: &mut Queue, sequences: &mut Sequences, stamp: Option<ProducerStamp>) {
    let Some(ProducerStamp { producer_id, producer_epoch, .. }) = stamp else { return };
    let identity = Identity { producer_id, producer_epoch };
    queue.lost = Some(identity);
    sequences.handle_lost(identity);
}
