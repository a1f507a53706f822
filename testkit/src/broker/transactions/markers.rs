//! The markers of a transaction's end: written to every partition that it has come to, after which it is complete.
//!
//! A partition gets its marker when it has a leader and enough replicas in sync, and the marker counts when all of them have
//! it. As in Kafka, all of them are sent again when another coordinator takes over. A test may hold them back.

use std::collections::BTreeMap;

use tidemill_protocol::ErrorCode;
use tokio::time::Instant;

use super::transaction::{Ending, State, TopicPartition, Transaction};
use super::{Generation, OFFSETS_TOPIC};
use crate::broker::Cluster;
use crate::broker::nodes::CoordinatorKind;
use crate::broker::producer_state::EndMarker;

/// Markers that can be held back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MarkersOf {
    /// All of them. Released, those that were held for any other reason are as well.
    All,
    /// Those of every transaction of a transactional id.
    TransactionalId(String),
    /// Those of every transaction in a partition. `__consumer_offsets` is the topic of what groups commit.
    Partition(String, i32),
}

/// The end of a transaction on its way to its partitions.
#[derive(Debug)]
pub(super) struct Sending {
    coordinator_epoch: i32,
    /// Those that do not have it, or where it is not known to be with all replicas.
    partitions: BTreeMap<TopicPartition, Marker>,
}

#[derive(Debug, Clone, Copy)]
enum Marker {
    ToWrite,
    Written {
        leader_epoch: i32,
        offset: i64,
    },
    /// The partition knows of a later transaction of the same producer. Kafka's coordinator does not try again either.
    Refused,
}

impl Sending {
    pub(super) fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }
}

impl Cluster {
    /// Holds markers back from now on: a transaction that ends stays in PrepareCommit or PrepareAbort, as when the
    /// coordinator cannot reach a partition's leader, and its producer is answered `CONCURRENT_TRANSACTIONS`.
    pub fn hold_markers(&mut self, of: MarkersOf) {
        self.transactions.held.insert(of);
    }

    /// Writes the markers that were held back. Poll the cluster afterwards.
    pub fn release_markers(&mut self, of: &MarkersOf) {
        match of {
            MarkersOf::All => self.transactions.held.clear(),
            MarkersOf::TransactionalId(_) | MarkersOf::Partition(..) => {
                self.transactions.held.remove(of);
            }
        }
        self.changed = true;
    }

    /// Writes the markers that can be written, and completes the transaction when none is left.
    pub(super) fn send_markers(&mut self, id: &str, now: Instant) {
        let Some(transaction) = self.transactions.transactions.get(id) else { return };
        let (committed, ending) = match &transaction.state {
            State::PrepareCommit(ending) => (true, ending.clone()),
            State::PrepareAbort(ending) => (false, ending.clone()),
            State::Empty | State::Ongoing { .. } | State::CompleteCommit { .. } | State::CompleteAbort { .. } => {
                self.transactions.sending.remove(id);
                return;
            }
        };
        let end = EndMarker {
            producer_id: transaction.producer_id,
            producer_epoch: transaction.producer_epoch,
            coordinator_epoch: self.nodes.coordinator_epoch(CoordinatorKind::Transaction, id),
            committed,
            v2: ending.generation == Generation::V2,
        };
        let coordinator = self.nodes.coordinator(CoordinatorKind::Transaction, id);
        let mut sending = self.sending(id, &ending, end.coordinator_epoch);
        let held = [MarkersOf::All, MarkersOf::TransactionalId(id.to_owned())];
        let held = held.iter().any(|of| self.transactions.held.contains(of));
        if !held {
            sending.partitions.retain(|partition, marker| {
                let next = self.advance_marker(partition, *marker, &end, coordinator, now);
                next.map(|next| *marker = next).is_some()
            });
        }
        if held || !sending.partitions.is_empty() {
            self.transactions.sending.insert(id.to_owned(), sending);
            return;
        }
        let completed = self.transactions.transactions.get(id).and_then(Transaction::on_markers_written);
        if let Some(completed) = completed {
            let unix_ms = self.unix_ms(now);
            self.transactions.apply(id, completed, unix_ms);
        }
    }

    /// What is on its way; all of it, when nothing is or another coordinator began.
    fn sending(&mut self, id: &str, ending: &Ending, coordinator_epoch: i32) -> Sending {
        let known = self.transactions.sending.remove(id);
        known.filter(|sending| sending.coordinator_epoch == coordinator_epoch).unwrap_or_else(|| Sending {
            coordinator_epoch,
            partitions: ending.partitions.iter().map(|partition| (partition.clone(), Marker::ToWrite)).collect(),
        })
    }

    /// What has become of a marker; none when its partition has it for good.
    fn advance_marker(
        &mut self,
        partition: &TopicPartition,
        marker: Marker,
        end: &EndMarker,
        coordinator: Option<i32>,
        now: Instant,
    ) -> Option<Marker> {
        let (topic, number) = partition;
        if self.transactions.held.contains(&MarkersOf::Partition(topic.clone(), *number)) {
            return Some(marker);
        }
        if topic == OFFSETS_TOPIC {
            return match self.groups.end_transaction(*number, end) {
                Ok(()) => None,
                Err(_) => Some(Marker::Refused),
            };
        }
        // A partition that is gone needs none.
        let found = self.topics.by_name(topic)?.partition(*number).ok()?;
        let (leader_epoch, high_watermark) = (found.leader_epoch, found.high_watermark());
        match marker {
            Marker::Refused => return Some(marker),
            Marker::Written { leader_epoch: then, offset } if then == leader_epoch => {
                return (high_watermark <= offset).then_some(marker);
            }
            Marker::Written { .. } | Marker::ToWrite => {}
        }
        let is_reached = |leader| coordinator.is_none_or(|coordinator| self.nodes.converse(coordinator, leader));
        if !found.leader.is_some_and(is_reached) {
            return Some(Marker::ToWrite);
        }
        match self.write_marker(topic, *number, end, now) {
            Ok(offset) => {
                let reached = self.topics.by_name(topic)?.partition(*number).ok()?.high_watermark();
                (reached <= offset).then_some(Marker::Written { leader_epoch, offset })
            }
            Err(ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::TRANSACTION_COORDINATOR_FENCED) => Some(Marker::Refused),
            Err(_) => Some(Marker::ToWrite),
        }
    }

    /// Writes a marker to a partition that has a leader. The offset of the marker.
    pub(crate) fn write_marker(
        &mut self,
        topic: &str,
        number: i32,
        end: &EndMarker,
        now: Instant,
    ) -> Result<i64, ErrorCode> {
        let unix_ms = self.unix_ms(now);
        let topic = self.topics.find_mut(topic, None)?;
        let (id, config) = (topic.id, topic.config.clone());
        let partition = topic.partition_mut(number)?;
        if partition.in_sync.len() < config.min_in_sync_replicas.min(partition.replicas.len()) {
            return Err(ErrorCode::NOT_ENOUGH_REPLICAS);
        }
        let offset = partition.append_marker(end, &config, unix_ms)?;
        let (nodes, leader) = (&self.nodes, partition.leader);
        partition.replicate(|id| nodes.follows(id, leader));
        self.changed = true;
        self.fetches.touch((id, number));
        self.produces.touch((id, number));
        Ok(offset)
    }
}
