//! Hearing of partitions that come and go.
//!
//! Before: [`rebalance`](super::rebalance) says what is to be told. After: the driver calls the listener, and the group
//! goes on when it returns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::OffsetAndMetadata;
use super::offset_lookup::OffsetSpec;
use super::rebalance::Change;
use super::shared::Shared;
use crate::error::Error;
use crate::record::TopicPartition;

/// What a [`RebalanceListener`] does, as a future that borrows from it.
pub type ListenerFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Is told, in turn, of the partitions that a group takes from a consumer and gives to it.
///
/// The group waits for each call, for `max.poll.interval.ms` at most (5 minutes by default): no other member starts to
/// read a partition before [`revoked`](Self::revoked) has returned here. Nothing of these partitions is handed out
/// meanwhile.
pub trait RebalanceListener: Send + Sync + fmt::Debug + 'static {
    /// These partitions are about to be given up. The application is through with all that it received of them: it
    /// has asked for more since. Offsets can still be committed.
    fn revoked<'a>(&'a self, group: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        let _ = (group, partitions);
        Box::pin(std::future::ready(()))
    }

    /// These partitions are gone: the group went on without this consumer, because it was away for too long or could
    /// not be reached. Another member may have read on from what was committed last.
    fn lost<'a>(&'a self, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        let _ = partitions;
        Box::pin(std::future::ready(()))
    }

    /// These partitions are this consumer's from now on, beside those that it kept. A member that gives up all while the
    /// group rebalances keeps none, and so is told all; a cooperative one is told what is new. Records come after this
    /// returns; a seek made here decides where they begin.
    fn assigned<'a>(&'a self, group: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        let _ = (group, partitions);
        Box::pin(std::future::ready(()))
    }
}

/// What can be done with a consumer while its partitions change.
#[derive(Debug)]
pub struct Rebalancing {
    pub(super) shared: Arc<Shared>,
}

impl Rebalancing {
    /// Commits all that was handed out.
    ///
    /// # Errors
    /// As [`Consumer::commit`](super::Consumer::commit).
    ///
    /// # Cancel safety
    /// As [`Consumer::commit`](super::Consumer::commit).
    pub async fn commit(&self) -> Result<(), Error> {
        super::commit(&self.shared, None).await
    }

    /// Commits these offsets.
    ///
    /// # Errors
    /// As [`Consumer::commit_offsets`](super::Consumer::commit_offsets).
    ///
    /// # Cancel safety
    /// As [`Consumer::commit_offsets`](super::Consumer::commit_offsets).
    pub async fn commit_offsets<O: Into<OffsetAndMetadata>>(
        &self,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
    ) -> Result<(), Error> {
        let offsets = offsets.into_iter().map(|(partition, offset)| (partition, offset.into())).collect();
        super::commit(&self.shared, Some(offsets)).await
    }

    /// What the group has committed of each of these partitions; nothing for those without a commit.
    ///
    /// # Errors
    /// As [`Consumer::committed`](super::Consumer::committed).
    pub async fn committed(
        &self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<BTreeMap<TopicPartition, OffsetAndMetadata>, Error> {
        super::committed_by_group(&self.shared, partitions.into_iter().collect()).await
    }

    /// The next offset to be handed out, once it is known.
    #[must_use]
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.shared.machine().position(partition)
    }

    /// Reads on from `offset`.
    ///
    /// # Errors
    /// As [`Consumer::seek`](super::Consumer::seek).
    pub fn seek(&self, partition: &TopicPartition, offset: i64) -> Result<(), Error> {
        let sought = self.shared.machine().seek(partition, offset);
        self.shared.wake_driver();
        sought
    }

    /// Reads a partition from the first record that its log holds.
    ///
    /// # Errors
    /// As [`Consumer::seek_to_beginning`](super::Consumer::seek_to_beginning).
    pub fn seek_to_beginning(&self, partition: &TopicPartition) -> Result<(), Error> {
        let sought = self.shared.machine().seek_to(partition, OffsetSpec::Earliest);
        self.shared.wake_driver();
        sought
    }
}

/// Tells the listener. The time it may take is the driver's to watch.
pub(super) async fn tell(
    shared: Arc<Shared>,
    listener: Arc<dyn RebalanceListener>,
    change: Change,
    partitions: BTreeSet<TopicPartition>,
) {
    let group = Rebalancing { shared };
    match change {
        Change::Revoked => listener.revoked(&group, &partitions).await,
        Change::Lost => listener.lost(&partitions).await,
        Change::Assigned => listener.assigned(&group, &partitions).await,
    }
}
