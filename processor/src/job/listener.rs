//! Hears of partitions that come and go, and has the driver deal with it.
//!
//! Before: the consumer calls. After: the driver's machine; the group goes on when it says so.

use std::collections::BTreeSet;

use tidemill_client::{ListenerFuture, RebalanceListener, Rebalancing, TopicPartition};
use tokio::sync::{mpsc, oneshot};

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
pub(super) struct Listener(mpsc::UnboundedSender<Told>);

impl Listener {
    /// A listener, and where its changes come out.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Told>) {
        let (changes, told) = mpsc::unbounded_channel();
        (Self(changes), told)
    }

    async fn tell(&self, change: Change) {
        let (done, dealt_with) = oneshot::channel();
        if self.0.send((change, done)).is_ok() {
            let _ = dealt_with.await;
        }
    }
}

impl RebalanceListener for Listener {
    fn revoked<'a>(&'a self, _: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        Box::pin(self.tell(Change::Revoked(numbers(partitions))))
    }

    fn lost<'a>(&'a self, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        Box::pin(self.tell(Change::Lost(numbers(partitions))))
    }

    fn assigned<'a>(&'a self, _: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        Box::pin(self.tell(Change::Assigned(numbers(partitions))))
    }
}

fn numbers(partitions: &BTreeSet<TopicPartition>) -> BTreeSet<i32> {
    partitions.iter().map(|partition| partition.partition).collect()
}
