//! What groups commit in transactions (KIP-98, KIP-447): pending, until the marker of their end comes.
//!
//! Kafka writes commits to the partitions of `__consumer_offsets`, whose producers are known as in any partition. Here only
//! these are kept, by the number of the partition; the offsets themselves lie with their [group](super::Group).

use std::collections::BTreeMap;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::messages::TxnOffsetCommitRequest;
use tidemill_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition;

use super::classic::Identity;
use super::offsets::{Committed, checked_metadata};
use super::{Around, Groups, Protocol};
use crate::broker::producer_state::EndMarker;
use crate::broker::transactions::offsets_partition;
use crate::broker::watched::Watched;

/// Who writes offsets in transactions.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// The epochs of producers and whether they have a transaction open, by partition of `__consumer_offsets`.
    pub(super) partitions: Watched<i32, BTreeMap<i64, Producer>>,
    pub(super) written: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Producer {
    pub(super) epoch: i16,
    pub(super) coordinator_epoch: i32,
    pub(super) is_open: bool,
}

impl Transactions {
    /// Counts a commit.
    pub(super) const fn next_written(&mut self) -> i64 {
        self.written += 1;
        self.written
    }
}

impl Groups {
    /// Whether a producer has written in its transaction to this partition of `__consumer_offsets`.
    pub(crate) fn has_open_transaction(&self, partition: i32, (producer_id, epoch): (i64, i16)) -> bool {
        let known = self.transactions.partitions.get(&partition).and_then(|producers| producers.get(&producer_id));
        known.is_some_and(|producer| producer.epoch == epoch && producer.is_open)
    }

    /// Whether offsets may be committed by this member and producer. From then on the producer has a transaction open here.
    pub(crate) fn check_commit_in_transaction(
        &mut self,
        request: &TxnOffsetCommitRequest,
        around: &Around<'_>,
    ) -> Result<(), ErrorCode> {
        let group_id = request.group_id.as_str();
        let generation = request.generation_id;
        if generation < 0 && self.groups.get(group_id).is_none() {
            self.group_or_new(group_id, around).unwritten = true;
        }
        let group = self.groups.get(group_id).ok_or(ErrorCode::ILLEGAL_GENERATION)?;
        let identity =
            Identity { generation, member_id: &request.member_id, instance_id: request.group_instance_id.as_deref() };
        match &group.protocol {
            Protocol::Classic(classic) => classic.on_commit_in_transaction(identity)?,
            Protocol::Consumer(consumer) => consumer.on_commit_in_transaction(identity)?,
        }
        let epoch = request.producer_epoch;
        let (_, partition) = offsets_partition(group_id);
        let producers = self.transactions.partitions.get_or_insert_with(partition, BTreeMap::new);
        let producer =
            producers.entry(request.producer_id.0).or_insert(Producer { epoch, coordinator_epoch: -1, is_open: false });
        if epoch < producer.epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        *producer = Producer { epoch, is_open: true, ..*producer };
        Ok(())
    }

    /// Commits one offset, which counts when the transaction is committed.
    pub(crate) fn commit_in_transaction(
        &mut self,
        request: &TxnOffsetCommitRequest,
        topic: &str,
        partition: &TxnOffsetCommitRequestPartition,
        around: &Around<'_>,
    ) -> Result<(), ErrorCode> {
        let committed = Committed {
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: checked_metadata(partition.committed_metadata.as_deref(), around)?,
            written: self.transactions.next_written(),
            committed_ms: around.unix_ms,
        };
        let group = self.group_or_new(&request.group_id, around);
        group.unwritten = false;
        let pending = &mut group.offsets.pending;
        let of_producer = pending.entry(request.producer_id.0).or_default();
        of_producer.insert((topic.to_owned(), partition.partition_index), committed);
        Ok(())
    }

    /// A transaction has ended, for the groups that write to this partition of `__consumer_offsets`.
    pub(crate) fn end_transaction(&mut self, partition: i32, end: &EndMarker) -> Result<(), ErrorCode> {
        let producers = self.transactions.partitions.get_or_insert_with(partition, BTreeMap::new);
        if let Some(known) = producers.get(&end.producer_id) {
            let is_late = end.v2 && end.producer_epoch == known.epoch && known.is_open;
            if is_late || end.producer_epoch < known.epoch {
                return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
            }
            if end.coordinator_epoch < known.coordinator_epoch {
                return Err(ErrorCode::TRANSACTION_COORDINATOR_FENCED);
            }
        }
        let (epoch, coordinator_epoch) = (end.producer_epoch, end.coordinator_epoch);
        producers.insert(end.producer_id, Producer { epoch, coordinator_epoch, is_open: false });
        let has_pending = |(id, group): &(&String, &super::Group)| {
            group.offsets.pending.contains_key(&end.producer_id) && offsets_partition(id).1 == partition
        };
        let ids: Vec<String> = self.groups.iter().filter(has_pending).map(|(id, _)| id.clone()).collect();
        for id in ids {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let Some(pending) = group.offsets.pending.remove(&end.producer_id) else { continue };
            for ((topic, number), committed) in pending {
                if end.committed {
                    group.offsets.apply(&topic, number, committed);
                }
            }
        }
        Ok(())
    }
}
