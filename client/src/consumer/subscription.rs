//! What was asked for, and what of it is paused or being taken away.
//!
//! Before: [`Consumer::subscribe`](super::Consumer::subscribe), [`assign`](super::Consumer::assign) and
//! [`pause`](super::Consumer::pause). After: [`positions`](super::positions) of what is assigned; the
//! [`fetcher`](super::fetcher) leaves out what is paused, and [`fetched`](super::fetched) keeps it back.

use std::collections::BTreeSet;

use crate::record::TopicPartition;

/// Who decides which partitions are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Wanted {
    /// Nobody yet.
    #[default]
    Nothing,
    /// The application, by name.
    Partitions,
    /// The group, among the partitions of the topics that were subscribed to.
    Topics,
}

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    pub(super) wanted: Wanted,
    paused: BTreeSet<TopicPartition>,
    /// Being revoked: still ours to commit, but nothing more is handed out.
    withheld: BTreeSet<TopicPartition>,
}

impl Subscription {
    pub(super) fn pause(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.paused.extend(partitions);
    }

    pub(super) fn resume<'a>(&mut self, partitions: impl IntoIterator<Item = &'a TopicPartition>) {
        for partition in partitions {
            self.paused.remove(partition);
        }
    }

    pub(super) fn paused(&self) -> &BTreeSet<TopicPartition> {
        &self.paused
    }

    pub(super) fn withhold(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.withheld.extend(partitions);
    }

    /// Nothing of these is being taken away any more.
    pub(super) fn open(&mut self, partitions: &BTreeSet<TopicPartition>) {
        self.withheld.retain(|partition| !partitions.contains(partition));
    }

    /// These are not ours any more: should they come back, they are not paused.
    pub(super) fn forget(&mut self, partitions: &BTreeSet<TopicPartition>) {
        self.open(partitions);
        self.paused.retain(|partition| !partitions.contains(partition));
    }

    /// Another assignment holds: only its partitions stay paused, and nothing of it is being taken away.
    pub(super) fn keep_only(&mut self, assigned: &BTreeSet<TopicPartition>) {
        self.paused.retain(|partition| assigned.contains(partition));
        self.withheld.clear();
    }

    /// Whether records of it may go out.
    pub(super) fn is_open(&self, partition: &TopicPartition) -> bool {
        !self.paused.contains(partition) && !self.withheld.contains(partition)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: Arc::from("orders"), partition: number }
    }

    #[test]
    fn what_is_paused_or_withheld_stays_in() {
        let mut subscription = Subscription::default();
        subscription.pause([partition(0)]);
        subscription.withhold([partition(1)]);
        assert!(!subscription.is_open(&partition(0)) && !subscription.is_open(&partition(1)));
        assert!(subscription.is_open(&partition(2)));
        subscription.resume(&[partition(0)]);
        assert!(subscription.is_open(&partition(0)));
    }

    #[test]
    fn a_partition_that_went_away_comes_back_unpaused() {
        let mut subscription = Subscription::default();
        subscription.pause([partition(0), partition(1)]);
        subscription.keep_only(&BTreeSet::from([partition(1)]));
        assert!(subscription.is_open(&partition(0)) && !subscription.is_open(&partition(1)));
        subscription.withhold([partition(1)]);
        subscription.open(&BTreeSet::from([partition(1)]));
        assert!(!subscription.is_open(&partition(1)), "still paused");
        subscription.forget(&BTreeSet::from([partition(1)]));
        assert!(subscription.is_open(&partition(1)));
    }
}
