//! What has been fetched and waits to be handed out.
//!
//! Before: [`fetcher`](super::fetcher) puts one [`Chunk`] per partition of each reply here. After:
//! [`handing`](super::handing) takes them in the order of their arrival, so that no partition starves, and opens their
//! batches outside the lock. A paused partition keeps what is here; what was fetched under an older version of a
//! position, before a seek or a rebalance, is dropped.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::aborted::Aborted;
use crate::record::TopicPartition;

/// The records of one partition from one reply, or what is left of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) partition: TopicPartition,
    /// The version of the position it was fetched for.
    pub(super) version: u64,
    /// What comes before is not wanted: batches are whole, positions may lie inside them.
    pub(super) from_offset: i64,
    /// Whole batches, the last maybe cut short.
    pub(super) records: Bytes,
    pub(super) high_watermark: i64,
    /// Which records to skip, when only committed ones are wanted.
    pub(super) aborted: Option<Aborted>,
}

impl Chunk {
    /// What it counts for in the budget.
    fn bytes(&self) -> usize {
        self.records.len()
    }
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    bytes_of: BTreeMap<TopicPartition, usize>,
}

impl Fetched {
    pub(super) fn push(&mut self, chunk: Chunk) {
        self.charge(&chunk);
        self.chunks.push_back(chunk);
    }

    /// Comes back to the front: nothing of its partition may overtake it.
    pub(super) fn give_back(&mut self, chunk: Chunk) {
        self.charge(&chunk);
        self.chunks.push_front(chunk);
    }

    /// The oldest of the partitions that are open.
    pub(super) fn take(&mut self, is_open: impl Fn(&TopicPartition) -> bool) -> Option<Chunk> {
        let index = self.chunks.iter().position(|chunk| is_open(&chunk.partition))?;
        let chunk = self.chunks.remove(index)?;
        self.release(&chunk);
        Some(chunk)
    }

    /// Whether [`Fetched::take`] would give something.
    pub(super) fn has_any(&self, is_open: impl Fn(&TopicPartition) -> bool) -> bool {
        self.chunks.iter().any(|chunk| is_open(&chunk.partition))
    }

    /// Drops what was fetched for a place where we no longer are.
    pub(super) fn retain(&mut self, is_current: impl Fn(&TopicPartition, u64) -> bool) {
        for chunk in std::mem::take(&mut self.chunks) {
            if is_current(&chunk.partition, chunk.version) {
                self.chunks.push_back(chunk);
            } else {
                self.release(&chunk);
            }
        }
    }

    /// All that is buffered, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is buffered of one partition, in bytes.
    pub(super) fn bytes_of(&self, partition: &TopicPartition) -> usize {
        self.bytes_of.get(partition).copied().unwrap_or(0)
    }

    fn charge(&mut self, chunk: &Chunk) {
        self.bytes += chunk.bytes();
        *self.bytes_of.entry(chunk.partition.clone()).or_default() += chunk.bytes();
    }

    fn release(&mut self, chunk: &Chunk) {
        self.bytes -= chunk.bytes();
        if let Some(bytes) = self.bytes_of.get_mut(&chunk.partition) {
            *bytes -= chunk.bytes();
            if *bytes == 0 {
                self.bytes_of.remove(&chunk.partition);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: Arc::from("orders"), partition: number }
    }

    fn piece(number: i32, version: u64, bytes: usize) -> Chunk {
        Chunk {
            partition: partition(number),
            version,
            from_offset: 0,
            records: Bytes::from(vec![0; bytes]),
            high_watermark: 0,
            aborted: None,
        }
    }

    #[test]
    fn chunks_go_out_in_the_order_of_their_arrival() {
        let mut fetched = Fetched::default();
        fetched.push(piece(0, 1, 10));
        fetched.push(piece(1, 1, 20));
        fetched.push(piece(0, 1, 30));
        assert_eq!(fetched.bytes_of(&partition(0)), 40);
        let order: Vec<usize> = std::iter::from_fn(|| fetched.take(|_| true)).map(|chunk| chunk.bytes()).collect();
        assert_eq!(order, [10, 20, 30]);
        assert_eq!(fetched.bytes(), 0);
    }

    #[test]
    fn a_closed_partition_keeps_its_chunks() {
        let mut fetched = Fetched::default();
        fetched.push(piece(0, 1, 10));
        fetched.push(piece(1, 1, 20));
        assert_eq!(fetched.take(|partition| partition.partition == 1), Some(piece(1, 1, 20)));
        assert!(!fetched.has_any(|partition| partition.partition == 1));
        assert_eq!(fetched.bytes(), 10);
        assert_eq!(fetched.take(|_| true), Some(piece(0, 1, 10)));
    }

    #[test]
    fn what_is_given_back_comes_first_again() {
        let mut fetched = Fetched::default();
        fetched.push(piece(0, 1, 10));
        fetched.push(piece(0, 1, 20));
        let taken = fetched.take(|_| true).unwrap();
        fetched.give_back(taken);
        assert_eq!(fetched.bytes(), 30);
        assert_eq!(fetched.take(|_| true), Some(piece(0, 1, 10)));
    }

    #[test]
    fn what_is_out_of_date_is_dropped_and_gives_its_bytes_back() {
        let mut fetched = Fetched::default();
        fetched.push(piece(0, 1, 10));
        fetched.push(piece(1, 2, 20));
        fetched.retain(|_, version| version == 2);
        assert_eq!((fetched.bytes(), fetched.bytes_of(&partition(0))), (20, 0));
    }
}
