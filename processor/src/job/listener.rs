//! Hears of partitions that come and go, and has the driver deal with it. Partitions that were added to the topic are read
//! from their first record: those who wrote it did not wait until this job had heard of the partition.
//!
//! Before: the consumer calls. After: the driver's machine; the group goes on when it says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidemill_client::{ListenerFuture, RebalanceListener, Rebalancing, TopicPartition};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

/// What happens to partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Assigned(BTreeSet<i32>),
    Revoked(BTreeSet<i32>),
    Lost(BTreeSet<i32>),
}

/// A change, and who waits until it is dealt with; dropping it counts as that.
pub(super) type Told = (Change, oneshot::Sender<()>);

/// Brings changes to the driver. One that has ended has nothing to lose.
#[derive(Debug)]
pub(super) struct Listener {
    changes: mpsc::UnboundedSender<Told>,
    topic: Arc<str>,
    /// How many partitions the topic had at the start.
    partitions: i32,
}

impl Listener {
    /// A listener for a topic with so many partitions, and where its changes come out.
    pub(super) fn new(topic: Arc<str>, partitions: i32) -> (Self, mpsc::UnboundedReceiver<Told>) {
        let (changes, told) = mpsc::unbounded_channel();
        (Self { changes, topic, partitions }, told)
    }

    async fn tell(&self, change: Change) {
        let (done, dealt_with) = oneshot::channel();
        if self.changes.send((change, done)).is_ok() {
            let _ = dealt_with.await;
        }
    }

    /// Sends the consumer to the beginning of those partitions that were added.
    async fn begin(&self, group: &Rebalancing, assigned: &BTreeSet<i32>) {
        let named = |number| TopicPartition::new(Arc::clone(&self.topic), number);
        let last = assigned.last().map_or(0, |last| last.saturating_add(1));
        let committed = loop {
            match group.committed((0..self.partitions.max(last)).map(named)).await {
                Ok(committed) => break committed.into_keys().map(|partition| partition.partition).collect(),
                Err(error) if error.is_retriable() => warn!(%error, "what is committed is asked for again"),
                // The consumer asks the same, and the driver is told.
                Err(_) => return,
            }
        };
        for partition in added(assigned, &committed, self.partitions) {
            info!(topic = &*self.topic, partition, "a new partition is read from its first record");
            // It was taken back meanwhile at the worst.
            let _ = group.seek_to_beginning(&named(partition));
        }
    }
}

/// Which of the partitions that were `assigned` were added since the group began to read, or since this job started with
/// `partitions` of them. Partitions are added at the end, and where reading begins is committed at once, so those behind
/// all that is `committed` are new.
fn added(assigned: &BTreeSet<i32>, committed: &BTreeSet<i32>, partitions: i32) -> Vec<i32> {
    let known = committed.last().map_or(partitions, |last| partitions.min(last.saturating_add(1)));
    assigned.difference(committed).copied().filter(|partition| *partition >= known).collect()
}

impl RebalanceListener for Listener {
    fn revoked<'a>(&'a self, _: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        Box::pin(self.tell(Change::Revoked(numbers(partitions))))
    }

    fn lost<'a>(&'a self, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        Box::pin(self.tell(Change::Lost(numbers(partitions))))
    }

    fn assigned<'a>(&'a self, group: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        Box::pin(async move {
            let assigned = numbers(partitions);
            self.begin(group, &assigned).await;
            self.tell(Change::Assigned(assigned)).await;
        })
    }
}

fn numbers(partitions: &BTreeSet<TopicPartition>) -> BTreeSet<i32> {
    partitions.iter().map(|partition| partition.partition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_behind_those_that_the_group_reads_are_new() {
        let added = |assigned: &[i32], committed: &[i32], partitions| {
            added(&assigned.iter().copied().collect(), &committed.iter().copied().collect(), partitions)
        };
        assert!(added(&[0, 1, 2], &[], 3).is_empty(), "the first start of all begins where the table says");
        assert_eq!(added(&[0, 1, 2, 3], &[], 3), [3], "it came while this job ran");
        assert_eq!(added(&[1, 2, 3], &[0, 1], 4), [2, 3], "they came while no job ran");
        assert!(added(&[0, 1, 2, 3], &[0, 1, 2, 3], 2).is_empty(), "what is committed is read on from there");
        assert!(added(&[0], &[1], 2).is_empty(), "nothing is added in front of others");
    }
}
