//! Which offsets the broker acknowledged to our own producer.
//!
//! Before: [`writer`](super::writer) tells of each outcome, in the order in which it sent. After:
//! [`check`](super::check) asks how many of a window's records are ours.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// The acknowledged offsets of every partition, as ranges.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    partitions: BTreeMap<i32, VecDeque<Range<i64>>>,
}

impl Acknowledged {
    /// The broker has records of ours at these offsets. Within a partition they come in ascending order, which is that
    /// of the sends.
    pub(super) fn handle_acknowledged(&mut self, partition: i32, offsets: Range<i64>) {
        let ranges = self.partitions.entry(partition).or_default();
        match ranges.back_mut() {
            Some(last) if last.end == offsets.start => last.end = offsets.end,
            Some(_) | None => ranges.push_back(offsets),
        }
    }

    /// How many offsets of a range are ours, once that is certain: something at its end or later is ours too, so
    /// whatever is missing before was written by someone else.
    pub(super) fn ours(&self, partition: i32, range: &Range<i64>) -> Option<u64> {
        if range.is_empty() {
            return Some(0);
        }
        let ranges = self.partitions.get(&partition)?;
        if ranges.back()?.end < range.end {
            return None;
        }
        let within = |ours: &Range<i64>| (ours.end.min(range.end) - ours.start.max(range.start)).max(0);
        let ours: i64 = ranges.iter().map(within).sum();
        u64::try_from(ours).ok()
    }

    /// Forgets what lies before an offset: it will not be asked for again.
    pub(super) fn forget_before(&mut self, partition: i32, offset: i64) {
        let Some(ranges) = self.partitions.get_mut(&partition) else { return };
        // The last one stays, since it says how far we are.
        while ranges.len() > 1 && ranges.front().is_some_and(|first| first.end <= offset) {
            ranges.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_not_ours_once_something_later_is() {
        let mut acknowledged = Acknowledged::default();
        for offsets in [0..2, 2..3, 5..6] {
            acknowledged.handle_acknowledged(0, offsets);
        }
        assert_eq!(acknowledged.ours(0, &(0..3)), Some(3));
        assert_eq!(acknowledged.ours(0, &(1..5)), Some(2));
        assert_eq!(acknowledged.ours(0, &(0..6)), Some(4));
        assert_eq!(acknowledged.ours(0, &(0..7)), None, "6 may still be acknowledged");
        assert_eq!(acknowledged.ours(1, &(0..1)), None);
        assert_eq!(acknowledged.ours(1, &(0..0)), Some(0));
        acknowledged.forget_before(0, 3);
        assert_eq!(acknowledged.ours(0, &(3..6)), Some(1));
    }
}
