//! What of transactional ids outlives the brokers, if they have a [directory](crate::broker::storage): all that Kafka's
//! coordinator writes to `__transaction_state`, and the next producer id.
//!
//! That an end is decided is kept before its markers are written, and that they are written after that: whenever the process
//! ends, the markers that are missing can be written, and none contradicts another.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Transactions;
use super::transaction::{Ending, Generation, State, TopicPartition, Transaction};
use crate::broker::Cluster;
use crate::broker::storage::{Damage, Entry};

impl Transactions {
    /// Remembers from now on which transactional ids may have changed.
    pub(crate) fn watch(&mut self) {
        self.watches = true;
        self.transactions.watch();
    }

    /// The transactional ids that have changed since the last call.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<String> {
        self.transactions.take_changed()
    }

    /// The transactions whose end was decided since the last call, as they are to be kept before any marker is.
    pub(crate) fn take_decided(&mut self) -> BTreeMap<String, Value> {
        std::mem::take(&mut self.decided).into_iter().map(|(id, decided)| (id, decided.keep())).collect()
    }

    pub(crate) const fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// Producer ids go on from this one.
    pub(crate) const fn restore_next_producer_id(&mut self, next: i64) {
        self.next_producer_id = next;
    }

    /// Puts back a transactional id that was kept.
    pub(crate) fn restore(&mut self, id: &str, kept: Entry<'_>, unix_ms: i64) -> Result<(), Damage> {
        let updated_ms = kept.optional("updated_ms").and_then(Entry::as_number);
        self.apply(id, Transaction::restore(kept)?, updated_ms.unwrap_or(unix_ms));
        Ok(())
    }
}

impl Cluster {
    /// Writes the markers of all transactions whose end was decided before the brokers ended.
    pub(crate) fn resume_transactions(&mut self, now: Instant) {
        for id in self.transactions.transactions.keys().cloned().collect::<Vec<_>>() {
            self.send_markers(&id, now);
        }
    }
}

impl Transaction {
    pub(crate) fn keep(&self) -> Value {
        let (partitions, ending) = match &self.state {
            State::Ongoing { partitions, .. } => (keep_partitions(partitions), None),
            State::PrepareCommit(ending) | State::PrepareAbort(ending) => {
                (keep_partitions(&ending.partitions), Some(ending))
            }
            State::Empty | State::CompleteCommit { .. } | State::CompleteAbort { .. } => (Value::Null, None),
        };
        json!({
            "producer_id": self.producer_id,
            "previous_producer_id": self.previous_producer_id,
            "producer_epoch": self.producer_epoch,
            "last_producer_epoch": self.last_producer_epoch,
            "timeout_ms": self.timeout_ms,
            "updated_ms": self.updated_ms,
            "state": self.state.name(),
            "started_ms": self.state.started_ms(),
            "partitions": partitions,
            "generation": ending.map(|ending| match ending.generation {
                Generation::V1 => 1,
                Generation::V2 => 2,
            }),
            "next_producer_id": ending.and_then(|ending| ending.next_producer_id),
        })
    }

    fn restore(kept: Entry<'_>) -> Result<Self, Damage> {
        let started_ms = kept.number("started_ms")?;
        let ending = || -> Result<Ending, Damage> {
            Ok(Ending {
                partitions: partitions(kept)?,
                started_ms,
                generation: if kept.number::<i32>("generation")? == 1 { Generation::V1 } else { Generation::V2 },
                next_producer_id: kept.optional("next_producer_id").and_then(Entry::as_number),
            })
        };
        let state = match kept.text("state")? {
            "Empty" => State::Empty,
            "Ongoing" => State::Ongoing { partitions: partitions(kept)?, started_ms },
            "PrepareCommit" => State::PrepareCommit(ending()?),
            "PrepareAbort" => State::PrepareAbort(ending()?),
            "CompleteCommit" => State::CompleteCommit { started_ms },
            "CompleteAbort" => State::CompleteAbort { started_ms },
            other => return Err(format!("no transaction is in the state {other}")),
        };
        Ok(Self {
            producer_id: kept.number("producer_id")?,
            previous_producer_id: kept.number("previous_producer_id")?,
            producer_epoch: kept.number("producer_epoch")?,
            last_producer_epoch: kept.number("last_producer_epoch")?,
            timeout_ms: kept.number("timeout_ms")?,
            updated_ms: -1,
            state,
        })
    }
}

fn keep_partitions(partitions: &BTreeSet<TopicPartition>) -> Value {
    partitions.iter().map(|(topic, partition)| json!({"topic": topic, "partition": partition})).collect()
}

fn partitions(kept: Entry<'_>) -> Result<BTreeSet<TopicPartition>, Damage> {
    kept.list("partitions")?.map(|it| Ok((it.text("topic")?.to_owned(), it.number("partition")?))).collect()
}
