//! What a partition remembers of idempotent and transactional producers (KIP-98, KIP-890): which batches are duplicates,
//! which out of order, which transactions are open and which were aborted.
//!
//! Before: Produce and the [markers](super::transactions) ask whether what they bring may be appended. After: the first
//! offset that is not decided bounds readers of committed records, who are also told which transactions to pass over.
//!
//! The last five batches of each producer id are kept, as in Kafka; that is why a producer may have five in flight. As in
//! Kafka 4, a producer id that the partition does not know may begin at any sequence, so `UNKNOWN_PRODUCER_ID` is never
//! answered; only in a transaction of the second generation it must begin at 0. A producer whose last records are a day old
//! (`producer.id.expiration.ms`), by their own timestamps, and that has no transaction open is forgotten.

mod invariants;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tidemill_protocol::ErrorCode;
use tidemill_protocol::records::{BatchHeader, RecordBatch, control};

use super::log::Appended;

/// How many batches of a producer are recognised when they come again.
const BATCHES_KEPT: usize = 5;

/// Of a producer that no marker has ended a transaction of.
const NO_COORDINATOR_EPOCH: i32 = -1;

/// The producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct ProducerState {
    producers: BTreeMap<i64, Producer>,
    /// The open transactions: the producer of each, by its first offset.
    open: BTreeMap<i64, i64>,
    /// Ended transactions whose marker may not be with all replicas: where it lies, by their first offset.
    ended: BTreeMap<i64, i64>,
    /// By the offsets of their markers.
    aborted: VecDeque<Aborted>,
    /// The lowest sequence that has come from a producer since it last began to write in a transaction. A higher one is not
    /// written first, or the lower one could not be written any more.
    lowest: BTreeMap<i64, Lowest>,
}

/// A producer.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    /// The oldest first, all of this epoch.
    batches: VecDeque<Written>,
    /// Of its newest batch or marker.
    pub(crate) last_timestamp: i64,
    pub(crate) coordinator_epoch: i32,
    /// Where its open transaction begins.
    pub(crate) transaction_start: Option<i64>,
    /// Of its newest batch or marker.
    last_offset: i64,
}

#[derive(Debug, Clone, Copy)]
struct Lowest {
    epoch: i16,
    sequence: i32,
    /// In a transaction of the second generation.
    v2: bool,
}

/// A batch that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    first_sequence: i32,
    last_sequence: i32,
    pub(crate) base_offset: i64,
    pub(crate) max_timestamp: i64,
}

impl Written {
    fn last_offset(&self) -> i64 {
        let records = i64::from(self.last_sequence) - i64::from(self.first_sequence);
        let wrapped = if records < 0 { i64::from(i32::MAX) + 1 } else { 0 };
        self.base_offset.saturating_add(records + wrapped)
    }
}

/// A transaction that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// Of the marker.
    last_offset: i64,
    /// Where the first transaction began that was open then; none of a later one begins before it.
    last_stable_offset: i64,
}

/// What is to be done with a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It was written before.
    Duplicate(Written),
    Refuse(ErrorCode, String),
}

/// The end of a transaction, as it is written to a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndMarker {
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) coordinator_epoch: i32,
    pub(crate) committed: bool,
    /// In the second generation a marker is one epoch above its transaction, so one of the same epoch comes too late.
    pub(crate) v2: bool,
}

impl ProducerState {
    /// The producers, by their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.producers.iter().map(|(id, producer)| (*id, producer))
    }

    /// Whether a batch of this producer goes into a transaction that has begun here.
    pub(crate) fn has_open(&self, producer_id: i64, epoch: i16) -> bool {
        self.producers
            .get(&producer_id)
            .is_some_and(|producer| producer.epoch == epoch && producer.transaction_start.is_some())
    }

    /// A batch has come that would begin a transaction here; the coordinator is asked about it.
    pub(crate) fn note_unverified(&mut self, producer_id: i64, epoch: i16, sequence: i32, v2: bool) {
        let known = self.lowest.entry(producer_id).or_insert(Lowest { epoch, sequence, v2 });
        if epoch > known.epoch || epoch == known.epoch && sequence < known.sequence {
            *known = Lowest { epoch, sequence, v2 };
        }
        known.v2 |= v2;
    }

    /// Whether a batch continues what its producer wrote. `verified`: the coordinator knows that its transaction has come
    /// to this partition.
    pub(crate) fn check(&self, batch: &BatchHeader, verified: bool) -> Verdict {
        let known = self.producers.get(&batch.producer_id);
        let (first, last) = sequences(batch);
        if let Some(producer) = known.filter(|producer| producer.epoch == batch.producer_epoch) {
            let same = |written: &&Written| written.first_sequence == first && written.last_sequence == last;
            if let Some(written) = producer.batches.iter().find(same) {
                return Verdict::Duplicate(*written);
            }
        }
        let refusal = self
            .check_transaction(batch, verified)
            .and_then(|()| check_epoch(known, batch))
            .and_then(|()| self.check_lowest(known, batch))
            .and_then(|()| check_sequence(known, batch));
        if let Err((code, reason)) = refusal {
            return Verdict::Refuse(code, reason);
        }
        if !batch.is_transactional() && known.is_some_and(|producer| producer.transaction_start.is_some()) {
            let reason = format!("producer {} has a transaction open", batch.producer_id);
            return Verdict::Refuse(ErrorCode::INVALID_TXN_STATE, reason);
        }
        Verdict::Append
    }

    fn check_transaction(&self, batch: &BatchHeader, verified: bool) -> Result<(), (ErrorCode, String)> {
        if !batch.is_transactional() || verified || self.has_open(batch.producer_id, batch.producer_epoch) {
            return Ok(());
        }
        let reason = format!("producer {} has no transaction open here", batch.producer_id);
        Err((ErrorCode::INVALID_TXN_STATE, reason))
    }

    fn check_lowest(&self, known: Option<&Producer>, batch: &BatchHeader) -> Result<(), (ErrorCode, String)> {
        let Some(lowest) = self.lowest.get(&batch.producer_id) else { return Ok(()) };
        let first = batch.base_sequence;
        let has_batches = known.is_some_and(|producer| !producer.batches.is_empty());
        if lowest.v2 && first != 0 && !has_batches {
            return Err(out_of_order(format!("a transaction begins at sequence 0, not {first}")));
        }
        if first > lowest.sequence {
            return Err(out_of_order(format!("sequence {first} before {}, which has come", lowest.sequence)));
        }
        Ok(())
    }

    /// Remembers a batch that was appended.
    pub(crate) fn record(&mut self, batch: &BatchHeader, appended: Appended) {
        let (first_sequence, last_sequence) = sequences(batch);
        let max_timestamp = appended.log_append_time.unwrap_or(batch.max_timestamp);
        let written = Written { first_sequence, last_sequence, base_offset: appended.base_offset, max_timestamp };
        let producer = self.change(batch.producer_id, batch.producer_epoch, appended.last_offset);
        if producer.batches.len() == BATCHES_KEPT {
            producer.batches.pop_front();
        }
        producer.batches.push_back(written);
        producer.last_timestamp = max_timestamp;
        if batch.is_transactional() {
            if producer.transaction_start.is_none() {
                producer.transaction_start = Some(appended.base_offset);
                self.open.insert(appended.base_offset, batch.producer_id);
            }
            self.lowest.remove(&batch.producer_id);
        }
    }

    /// Whether a marker may be written.
    pub(crate) fn check_marker(&self, marker: &EndMarker) -> Result<(), ErrorCode> {
        let Some(producer) = self.producers.get(&marker.producer_id) else { return Ok(()) };
        // One that comes again after its transaction has ended does no harm.
        let again = marker.producer_epoch == producer.epoch && producer.transaction_start.is_none();
        let late = if marker.v2 { marker.producer_epoch <= producer.epoch && !again } else { false };
        if late || marker.producer_epoch < producer.epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        if marker.coordinator_epoch < producer.coordinator_epoch {
            return Err(ErrorCode::TRANSACTION_COORDINATOR_FENCED);
        }
        Ok(())
    }

    /// Remembers a marker that was written at this offset. `high_watermark` is how far all replicas have come.
    pub(crate) fn record_marker(&mut self, marker: &EndMarker, offset: i64, unix_ms: i64, high_watermark: i64) {
        let Some(first_offset) = self.end(marker, offset, unix_ms) else { return };
        self.ended.retain(|_, marker| *marker >= high_watermark);
        self.ended.insert(first_offset, offset);
        if !marker.committed {
            self.note_aborted(marker.producer_id, first_offset, offset);
        }
    }

    /// A transaction was aborted by a marker at this offset.
    fn note_aborted(&mut self, producer_id: i64, first_offset: i64, offset: i64) {
        let last_stable_offset = self.open.keys().next().copied().unwrap_or(offset + 1);
        self.aborted.push_back(Aborted { producer_id, first_offset, last_offset: offset, last_stable_offset });
    }

    /// Ends the open transaction of a producer; its first offset if there was one.
    fn end(&mut self, marker: &EndMarker, offset: i64, timestamp: i64) -> Option<i64> {
        self.lowest.remove(&marker.producer_id);
        let producer = self.change(marker.producer_id, marker.producer_epoch, offset);
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_timestamp = timestamp;
        let first_offset = producer.transaction_start.take()?;
        self.open.remove(&first_offset);
        Some(first_offset)
    }

    /// The producer, in this epoch, which has written at this offset now.
    fn change(&mut self, id: i64, epoch: i16, offset: i64) -> &mut Producer {
        let producer = self.producers.entry(id).or_insert_with(|| Producer {
            epoch,
            batches: VecDeque::new(),
            last_timestamp: -1,
            coordinator_epoch: NO_COORDINATOR_EPOCH,
            transaction_start: None,
            last_offset: offset,
        });
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        producer.last_offset = offset;
        producer
    }

    /// The end of what is decided, of a log from `log_start` on whose replicas have come to `high_watermark`.
    pub(crate) fn last_stable_offset(&self, log_start: i64, high_watermark: i64) -> i64 {
        let open = self.open.keys().next().copied();
        let ended = self.ended.iter().find(|(_, marker)| **marker >= high_watermark).map(|(first, _)| *first);
        let undecided = open.into_iter().chain(ended).min().map(|first| first.max(log_start));
        undecided.map_or(high_watermark, |first| first.min(high_watermark))
    }

    /// The aborted transactions that have records from `offset` on and below `end_offset`, in the order of their markers.
    pub(crate) fn aborted(&self, offset: i64, end_offset: i64) -> Vec<Aborted> {
        let from = self.aborted.partition_point(|aborted| aborted.last_offset < offset);
        let mut found = Vec::new();
        for aborted in self.aborted.iter().skip(from) {
            if aborted.first_offset < end_offset {
                found.push(*aborted);
            }
            if aborted.last_stable_offset >= end_offset {
                break;
            }
        }
        found
    }

    /// The aborted transactions that have something between these offsets, in the order of their first ones.
    pub(crate) fn aborted_between(&self, start_offset: i64, end_offset: i64) -> VecDeque<Aborted> {
        let there = |it: &&Aborted| it.last_offset >= start_offset && it.first_offset < end_offset;
        let mut found: Vec<Aborted> = self.aborted.iter().filter(there).copied().collect();
        found.sort_by_key(|aborted| aborted.first_offset);
        found.into()
    }

    /// Of the aborted transactions that end before `end_offset`, the log still has records of these only.
    pub(crate) fn retain_aborted(&mut self, end_offset: i64, has_records: impl Fn(&Aborted) -> bool) {
        self.aborted.retain(|aborted| aborted.last_offset >= end_offset || has_records(aborted));
    }

    /// Whether a batch is the last that is known of its producer, from which it is known how the producer goes on.
    pub(crate) fn is_last(&self, batch: &BatchHeader) -> bool {
        self.producers.get(&batch.producer_id).is_some_and(|producer| match producer.batches.back() {
            Some(written) => written.last_offset() == batch.last_offset(),
            None => batch.is_control() && batch.producer_epoch == producer.epoch,
        })
    }

    /// The log begins at this offset now.
    pub(crate) fn forget_before(&mut self, log_start: i64) {
        while self.aborted.front().is_some_and(|aborted| aborted.last_offset < log_start) {
            self.aborted.pop_front();
        }
    }

    /// The log ends at this offset now, and `batches` are all of it: what was known of those who wrote behind it is read
    /// from there again.
    pub(crate) fn truncate(&mut self, end_offset: i64, batches: impl Iterator<Item = RecordBatch>) {
        let lost = |producer: &Producer| producer.last_offset >= end_offset;
        let changed: BTreeSet<i64> =
            self.producers.extract_if(.., |_, producer| lost(producer)).map(|(id, _)| id).collect();
        self.open.retain(|first_offset, id| *first_offset < end_offset && !changed.contains(id));
        self.ended.retain(|_, marker| *marker < end_offset);
        self.aborted.retain(|aborted| aborted.last_offset < end_offset);
        for batch in batches {
            let header = batch.header();
            if !changed.contains(&header.producer_id) {
                continue;
            }
            // What an empty marker ended is gone.
            if header.is_control() && header.record_count == 0 {
                continue;
            }
            if header.is_control() {
                let committed = control::read(&batch).is_ok_and(control::Marker::is_commit);
                let marker = EndMarker {
                    producer_id: header.producer_id,
                    producer_epoch: header.producer_epoch,
                    coordinator_epoch: NO_COORDINATOR_EPOCH,
                    committed,
                    v2: false,
                };
                self.end(&marker, header.base_offset, header.max_timestamp);
            } else {
                let (base_offset, last_offset) = (header.base_offset, header.last_offset());
                self.record(header, Appended { base_offset, last_offset, log_append_time: None });
            }
        }
    }

    /// Reads anew who has written what.
    pub(crate) fn rebuild(&mut self, batches: impl Iterator<Item = RecordBatch>) {
        for batch in batches {
            let header = batch.header();
            // What an empty marker ended is gone.
            if header.producer_id < 0 || header.is_control() && header.record_count == 0 {
                continue;
            }
            if !header.is_control() {
                let (base_offset, last_offset) = (header.base_offset, header.last_offset());
                self.record(header, Appended { base_offset, last_offset, log_append_time: None });
                continue;
            }
            let marker = EndMarker {
                producer_id: header.producer_id,
                producer_epoch: header.producer_epoch,
                coordinator_epoch: NO_COORDINATOR_EPOCH,
                committed: control::read(&batch).is_ok_and(control::Marker::is_commit),
                v2: false,
            };
            let ended = self.end(&marker, header.base_offset, header.max_timestamp);
            if let Some(first_offset) = ended.filter(|_| !marker.committed) {
                self.note_aborted(marker.producer_id, first_offset, header.base_offset);
            }
        }
    }

    /// Forgets who has written nothing that is newer than this, and has no transaction open.
    pub(crate) fn expire(&mut self, before_ms: i64) {
        self.producers
            .retain(|_, producer| producer.transaction_start.is_some() || producer.last_timestamp > before_ms);
    }
}

impl Producer {
    /// -1 when nothing of its epoch is known.
    pub(crate) fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |written| written.last_sequence)
    }
}

fn check_epoch(known: Option<&Producer>, batch: &BatchHeader) -> Result<(), (ErrorCode, String)> {
    let (epoch, id) = (batch.producer_epoch, batch.producer_id);
    // The epoch of a producer that is not known is -1.
    let newer = known.map_or(-1, |producer| producer.epoch);
    if epoch >= newer {
        return Ok(());
    }
    Err((ErrorCode::INVALID_PRODUCER_EPOCH, format!("epoch {epoch} of producer {id} is older than {newer}")))
}

fn check_sequence(known: Option<&Producer>, batch: &BatchHeader) -> Result<(), (ErrorCode, String)> {
    let Some(producer) = known else { return Ok(()) };
    let first = batch.base_sequence;
    if batch.producer_epoch != producer.epoch {
        let begins = first == 0;
        return if begins {
            Ok(())
        } else {
            Err(out_of_order(format!("a new epoch begins at sequence 0, not {first}")))
        };
    }
    let expected = producer.batches.back().map_or(0, |written| behind(written.last_sequence, 1));
    if expected == first {
        return Ok(());
    }
    Err(out_of_order(format!("producer {} sent sequence {first}, {expected} was expected", batch.producer_id)))
}

fn out_of_order(reason: String) -> (ErrorCode, String) {
    (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, reason)
}

/// The sequences of the first and the last record.
fn sequences(batch: &BatchHeader) -> (i32, i32) {
    (batch.base_sequence, behind(batch.base_sequence, batch.last_offset_delta))
}

/// Sequences run from 0 to `i32::MAX` and begin again.
const fn behind(sequence: i32, count: i32) -> i32 {
    match sequence.checked_add(count) {
        Some(next) => next,
        None => count - (i32::MAX - sequence) - 1,
    }
}
