//! Which batches a `read_committed` reader skips: those of aborted transactions.
//!
//! Before: a reply of `Fetch` lists, per partition, the aborted transactions that reach into its records. After:
//! [`handing`](super::handing) shows each batch header here before it opens the batch. Control batches themselves are
//! never handed out, whatever is wanted.

use std::collections::{BTreeSet, VecDeque};

/// The aborted transactions of one chunk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Aborted {
    /// First offset and producer of those that begin further on, in ascending order.
    upcoming: VecDeque<(i64, i64)>,
    /// The producers whose transaction is under way where the reader is.
    open: BTreeSet<i64>,
}

impl Aborted {
    /// From the broker's list, which some brokers do not sort.
    pub(super) fn new(transactions: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut upcoming: Vec<(i64, i64)> = transactions.into_iter().collect();
        upcoming.sort_unstable();
        Self { upcoming: upcoming.into(), open: BTreeSet::new() }
    }

    /// Whether the records of a batch were rolled back. Batches are shown in the order of the log; showing one twice
    /// changes nothing.
    pub(super) fn covers(&mut self, producer_id: i64, last_offset: i64, is_transactional: bool) -> bool {
        self.pass(last_offset);
        is_transactional && self.open.contains(&producer_id)
    }

    /// An abort marker: what this producer writes from here on belongs to another transaction.
    pub(super) fn end(&mut self, producer_id: i64, last_offset: i64) {
        self.pass(last_offset);
        self.open.remove(&producer_id);
    }

    fn pass(&mut self, last_offset: i64) {
        while let Some((_, producer_id)) = self.upcoming.pop_front_if(|(first_offset, _)| *first_offset <= last_offset)
        {
            self.open.insert(producer_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_an_aborted_transaction_are_skipped_until_its_marker() {
        let mut aborted = Aborted::new([(10, 7)]);
        assert!(!aborted.covers(7, 9, true), "an earlier transaction of the same producer");
        assert!(aborted.covers(7, 12, true));
        assert!(!aborted.covers(8, 13, true));
        assert!(!aborted.covers(7, 13, false));
        aborted.end(7, 14);
        assert!(!aborted.covers(7, 15, true));
    }

    #[test]
    fn an_unsorted_list_hides_the_same_records() {
        let mut aborted = Aborted::new([(20, 8), (10, 7)]);
        assert!(aborted.covers(7, 11, true));
        assert!(!aborted.covers(8, 12, true));
        assert!(aborted.covers(8, 21, true));
    }

    #[test]
    fn an_aborted_transaction_without_records_hides_nothing_later() {
        let mut aborted = Aborted::new([(10, 7)]);
        aborted.end(7, 10);
        assert!(!aborted.covers(7, 11, true));
    }

    #[test]
    fn a_second_marker_and_a_batch_seen_twice_change_nothing() {
        let mut aborted = Aborted::new([(10, 7), (30, 7)]);
        assert!(aborted.covers(7, 10, true) && aborted.covers(7, 10, true));
        aborted.end(7, 11);
        aborted.end(7, 12);
        assert!(!aborted.covers(7, 20, true));
        assert!(aborted.covers(7, 30, true));
    }
}
