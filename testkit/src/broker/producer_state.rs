//! What a partition remembers of idempotent producers (KIP-98): which batches are duplicates, which out of order.
//!
//! The last five batches of each producer id are kept, as in Kafka; that is why a producer may have five in flight. As in
//! Kafka 4, a producer id that the partition does not know may begin at any sequence, so `UNKNOWN_PRODUCER_ID` is never
//! answered. A producer that has written nothing for a day is forgotten, by the time of its last append where Kafka takes
//! its records' timestamps.

use std::collections::{BTreeMap, VecDeque};

use tidemill_protocol::ErrorCode;
use tidemill_protocol::records::BatchHeader;

use super::log::Appended;

/// How many batches of a producer are recognised when they come again.
const BATCHES_KEPT: usize = 5;

/// `producer.id.expiration.ms`.
const EXPIRATION_MS: i64 = 24 * 60 * 60 * 1000;

/// The producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct ProducerState {
    producers: BTreeMap<i64, Producer>,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    /// The oldest first, all of this epoch.
    batches: VecDeque<Written>,
    last_append_ms: i64,
}

/// A batch that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    first_sequence: i32,
    last_sequence: i32,
    pub(crate) base_offset: i64,
    pub(crate) max_timestamp: i64,
}

/// What is to be done with a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It was written before.
    Duplicate(Written),
    Refuse(ErrorCode, String),
}

impl ProducerState {
    /// Whether a batch continues what its producer wrote.
    pub(crate) fn check(&self, batch: &BatchHeader) -> Verdict {
        let Some(producer) = self.producers.get(&batch.producer_id) else { return Verdict::Append };
        let epoch = batch.producer_epoch;
        if epoch < producer.epoch {
            let reason = format!("epoch {epoch} of producer {} is older than {}", batch.producer_id, producer.epoch);
            return Verdict::Refuse(ErrorCode::INVALID_PRODUCER_EPOCH, reason);
        }
        let (first, last) = sequences(batch);
        let out_of_order = |reason: String| Verdict::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, reason);
        if epoch > producer.epoch {
            if first == 0 {
                return Verdict::Append;
            }
            return out_of_order(format!("a new epoch begins at sequence 0, not {first}"));
        }
        let same = |written: &&Written| written.first_sequence == first && written.last_sequence == last;
        if let Some(written) = producer.batches.iter().find(same) {
            return Verdict::Duplicate(*written);
        }
        let expected = producer.batches.back().map(|written| behind(written.last_sequence, 1));
        if expected.is_none_or(|expected| expected == first) {
            return Verdict::Append;
        }
        out_of_order(format!(
            "producer {} sent sequence {first}, {} was expected",
            batch.producer_id,
            expected.unwrap_or_default()
        ))
    }

    /// Remembers a batch that was appended.
    pub(crate) fn record(&mut self, batch: &BatchHeader, appended: Appended, unix_ms: i64) {
        let producer = self.producers.entry(batch.producer_id).or_insert_with(|| Producer {
            epoch: batch.producer_epoch,
            batches: VecDeque::new(),
            last_append_ms: unix_ms,
        });
        if producer.epoch != batch.producer_epoch {
            producer.epoch = batch.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == BATCHES_KEPT {
            producer.batches.pop_front();
        }
        let (first_sequence, last_sequence) = sequences(batch);
        let max_timestamp = appended.log_append_time.unwrap_or(batch.max_timestamp);
        producer.batches.push_back(Written {
            first_sequence,
            last_sequence,
            base_offset: appended.base_offset,
            max_timestamp,
        });
        producer.last_append_ms = unix_ms;
    }

    /// Forgets the batches that are not in the log any more.
    pub(crate) fn truncate(&mut self, end_offset: i64) {
        for producer in self.producers.values_mut() {
            producer.batches.retain(|written| written.base_offset < end_offset);
        }
        self.producers.retain(|_, producer| !producer.batches.is_empty());
    }

    /// Forgets who has been silent for too long.
    pub(crate) fn expire(&mut self, unix_ms: i64) {
        self.producers.retain(|_, producer| unix_ms.saturating_sub(producer.last_append_ms) < EXPIRATION_MS);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_begin_again_at_zero() {
        assert_eq!(behind(i32::MAX, 1), 0);
        assert_eq!(behind(i32::MAX - 1, 3), 1);
        assert_eq!(behind(7, 1), 8);
    }
}
