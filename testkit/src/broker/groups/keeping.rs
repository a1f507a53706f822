//! What of groups outlives the brokers, if they have a [directory](crate::broker::storage): the generation or epoch, so that the
//! next one is a new one; what was committed, and what is pending; and who has a transaction open in `__consumer_offsets`.
//!
//! Members do not: they join again, as they do with Kafka once their sessions have expired.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::classic::ClassicGroup;
use super::consumer::ConsumerGroup;
use super::offsets::{Committed, Offsets};
use super::transactions::Producer;
use super::{Group, Groups, Protocol};
use crate::broker::storage::{Damage, Entry, owned};

/// Which protocol a group speaks.
const CLASSIC: &str = "classic";
const CONSUMER: &str = "consumer";

impl Groups {
    /// Remembers from now on which groups may have changed.
    pub(crate) fn watch(&mut self) {
        self.groups.watch();
        self.transactions.partitions.watch();
    }

    /// The groups that may have changed since the last call, also those that are gone, and the partitions of
    /// `__consumer_offsets` whose producers may have.
    pub(crate) fn take_changed(&mut self) -> (BTreeSet<String>, BTreeSet<i32>) {
        (self.groups.take_changed(), self.transactions.partitions.take_changed())
    }

    /// What is to be kept of a group; none when it is not there.
    pub(crate) fn keep(&self, id: &str) -> Option<Value> {
        let group = self.groups.get(id)?;
        let (protocol, generation, protocol_type) = match &group.protocol {
            Protocol::Classic(classic) => {
                let (generation, protocol_type) = classic.kept();
                (CLASSIC, generation, protocol_type.map(|it| it.as_str()))
            }
            Protocol::Consumer(consumer) => (CONSUMER, consumer.kept(), None),
        };
        let topics = group.offsets.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, committed)| keep(topic, *partition, committed))
        });
        let pending = group.offsets.pending.iter().map(|(producer_id, pending)| {
            let offsets = pending.iter().map(|((topic, partition), committed)| keep(topic, *partition, committed));
            json!({"producer_id": producer_id, "offsets": offsets.collect::<Vec<_>>()})
        });
        Some(json!({
            "protocol": protocol,
            "generation": generation,
            "protocol_type": protocol_type,
            "offsets": topics.collect::<Vec<_>>(),
            "pending": pending.collect::<Vec<_>>(),
        }))
    }

    /// Puts back a group that was kept.
    pub(crate) fn restore(&mut self, id: &str, kept: Entry<'_>) -> Result<(), Damage> {
        let mut offsets = Offsets::default();
        let protocol_type = kept.optional("protocol_type").and_then(Entry::as_text).map(owned);
        for entry in kept.list("offsets")? {
            let (topic, partition, committed) = committed(entry)?;
            self.count(&committed);
            offsets.apply(&topic, partition, committed);
        }
        for pending in kept.list("pending")? {
            let of_producer = offsets.pending.entry(pending.number("producer_id")?).or_default();
            for entry in pending.list("offsets")? {
                let (topic, partition, committed) = committed(entry)?;
                self.count(&committed);
                of_producer.insert((topic, partition), committed);
            }
        }
        let generation = kept.number("generation")?;
        let protocol = if kept.text("protocol")? == CONSUMER {
            Protocol::Consumer(ConsumerGroup::restore(generation))
        } else {
            Protocol::Classic(ClassicGroup::restore(generation, protocol_type))
        };
        self.groups
            .insert(id.to_owned(), Group { protocol, offsets, deadline: None, coordinator: None, unwritten: false });
        Ok(())
    }

    /// What is committed from now on is newer than this.
    fn count(&mut self, committed: &Committed) {
        self.transactions.written = self.transactions.written.max(committed.written);
    }

    /// What is to be kept of the producers of a partition of `__consumer_offsets`.
    pub(crate) fn keep_producers(&self, partition: i32) -> Option<Value> {
        let producers = self
            .transactions
            .partitions
            .get(&partition)?
            .iter()
            .map(|(id, producer)| json!({"producer_id": id, "epoch": producer.epoch, "is_open": producer.is_open}));
        Some(producers.collect())
    }

    /// Puts them back. The epochs of coordinators begin anew, so none is remembered.
    pub(crate) fn restore_producers(&mut self, partition: i32, kept: Entry<'_>) -> Result<(), Damage> {
        let mut producers = BTreeMap::new();
        for entry in kept.0.as_array().into_iter().flatten().map(Entry) {
            let producer =
                Producer { epoch: entry.number("epoch")?, coordinator_epoch: -1, is_open: entry.flag("is_open")? };
            producers.insert(entry.number("producer_id")?, producer);
        }
        self.transactions.partitions.insert(partition, producers);
        Ok(())
    }
}

fn keep(topic: &str, partition: i32, committed: &Committed) -> Value {
    json!({
        "topic": topic,
        "partition": partition,
        "offset": committed.offset,
        "leader_epoch": committed.leader_epoch,
        "metadata": committed.metadata.as_str(),
        "written": committed.written,
        "committed_ms": committed.committed_ms,
    })
}

fn committed(entry: Entry<'_>) -> Result<(String, i32, Committed), Damage> {
    let committed = Committed {
        offset: entry.number("offset")?,
        leader_epoch: entry.number("leader_epoch")?,
        metadata: owned(entry.text("metadata")?),
        written: entry.number("written")?,
        committed_ms: entry.number("committed_ms")?,
    };
    Ok((entry.text("topic")?.to_owned(), entry.number("partition")?, committed))
}
