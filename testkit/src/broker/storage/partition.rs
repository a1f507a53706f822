//! What is kept of a partition, and how it comes back: from its value, and from the batches in its log.
//!
//! The log says more than the value where the process ended between the two: it is written first.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Damage, Entry};
use crate::broker::Cluster;
use crate::broker::log::Log;
use crate::broker::partition::Partition;
use crate::broker::replication::elect;

/// Changes with everything that is kept of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Leader epoch, partition epoch, the start of the log and how far it is compacted: with one of them changes whatever
    /// [`Partition::keep`] gives.
    pub(crate) value: (i32, i32, i64, i64),
    log_changes: u64,
}

impl Partition {
    pub(crate) const fn stamp(&self) -> Stamp {
        let value = (self.leader_epoch, self.partition_epoch, self.log.start_offset(), self.log.cleaned_to());
        Stamp { value, log_changes: self.log.changes() }
    }

    pub(crate) fn keep(&self) -> Value {
        json!({
            "leader": self.leader,
            "leader_epoch": self.leader_epoch,
            "partition_epoch": self.partition_epoch,
            "replicas": self.replicas,
            "in_sync": self.in_sync,
            "moves_to": self.moves_to,
            "held_before": self.held_before,
            "start_offset": self.log.start_offset(),
            "cleaned_to": self.log.cleaned_to(),
            "epochs": self.log.epochs().map(|(epoch, start)| [i64::from(epoch), start]).collect::<Vec<_>>(),
        })
    }

    /// The partition, and what was wrong with its log, if anything was.
    pub(crate) fn restore(
        kept: Entry<'_>,
        files: BTreeMap<i64, Vec<u8>>,
        unix_ms: i64,
    ) -> Result<(Self, Option<Damage>), Damage> {
        let mut epochs = Vec::new();
        for epoch in kept.list("epochs")? {
            let pair = epoch.0.as_array().map(Vec::as_slice).unwrap_or_default();
            let [leader_epoch, start_offset] = pair else { return Err("an epoch is no pair".to_owned()) };
            let pair = Entry(leader_epoch).as_number().zip(Entry(start_offset).as_number());
            epochs.push(pair.ok_or("an epoch is no pair of numbers")?);
        }
        let (mut log, damage) = Log::restore(files, kept.number("start_offset")?, epochs, unix_ms);
        log.set_cleaned_to(kept.optional("cleaned_to").and_then(Entry::as_number).unwrap_or(0));
        let mut partition = Self::new(kept.numbers("replicas")?);
        partition.leader = kept.optional("leader").and_then(Entry::as_number);
        partition.leader_epoch = kept.number::<i32>("leader_epoch")?.max(log.last_epoch());
        partition.partition_epoch = kept.number("partition_epoch")?;
        partition.in_sync = kept.numbers("in_sync")?;
        if kept.optional("moves_to").is_some() {
            partition.moves_to = Some(kept.numbers("moves_to")?);
        }
        partition.held_before = kept.numbers("held_before")?;
        partition.producers.rebuild(log.batches());
        partition.producers.forget_before(log.start_offset());
        partition.start_with(log);
        Ok((partition, damage))
    }
}

impl Cluster {
    /// All brokers have started together: where they can, partitions are led by those who led them, in a new epoch.
    pub(super) fn recover(&mut self) {
        self.each_partition(|nodes, config, partition| {
            if partition.in_sync.iter().any(|id| nodes.is_running(*id)) {
                partition.in_sync.retain(|id| nodes.is_running(*id));
            }
            match partition.leader.filter(|leader| nodes.is_running(*leader)) {
                Some(leader) => partition.lead(Some(leader)),
                None => {
                    partition.leader = None;
                    elect(partition, config.unclean_leader_election, |id| nodes.is_running(id));
                }
            }
        });
        self.replicate_all();
    }
}
