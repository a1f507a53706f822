//! What of a cluster outlives its brokers, and how it comes back.
//!
//! The machine says what has changed since it was last asked ([`Cluster::take_changed`]); the
//! [directory](crate::directory) keeps it and hands it back ([`Cluster::restore`]). Logs are kept as the bytes of their
//! segments. All else is kept as values by name:
//!
//! | name | value |
//! |---|---|
//! | `cluster` | its id, and the format of all this |
//! | `producer_ids` | the next one |
//! | `topic/NAME` | id and settings |
//! | `partition/NAME/N` | replicas, leader, epochs, start of the log |
//! | `transaction/ID` | as in `__transaction_state` |
//! | `group/ID` | generation, committed and pending offsets |
//! | `offsets/N` | the producers of a partition of `__consumer_offsets` |
//! | `acl/[..]`, `scram/HASH/USER`, `quota/{..}`, `settings/OWNER` | what administrators have set, see `administered` |
//!
//! What is not kept: members of groups and fetch sessions, which begin anew; what producers wrote whose batches are all
//! deleted; which broker was made to coordinate what before its topic was there; faults.

mod administered;
mod entry;
mod partition;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tidemill_protocol::messages::TopicName;
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use self::entry::{Damage, Entry, owned};
pub(crate) use self::partition::Stamp;
use super::Cluster;
use super::partition::Partition;
use super::topic_config::TopicConfig;
use super::topics::Topic;
use super::transactions::Transaction;

/// The values that are kept, by their names. Null stands for what is gone.
pub(crate) type Entries = BTreeMap<String, Value>;

/// The segments of each log that was kept: their base offsets and bytes, by topic and partition.
pub(crate) type KeptLogs = BTreeMap<(String, i32), BTreeMap<i64, Vec<u8>>>;

/// What has changed. Without `Debug`: it may hold what users are known by.
#[derive(Default)]
pub(crate) struct Changed {
    /// To be kept before the logs are.
    pub(crate) before_logs: Entries,
    /// The topics that may have changed, or are gone.
    pub(crate) topics: BTreeSet<String>,
    /// To be kept when the logs are.
    pub(crate) after_logs: Entries,
}

impl Changed {
    pub(crate) fn is_empty(&self) -> bool {
        self.before_logs.is_empty() && self.topics.is_empty() && self.after_logs.is_empty()
    }
}

/// What is said of a value that another release may know.
const UNKNOWN: &str = "what this is, is not known";

/// The format of what is kept.
const FORMAT: i32 = 1;

impl Cluster {
    /// Remembers from now on what changes; all there is counts as changed.
    pub(crate) fn watch(&mut self) {
        self.topics.watch();
        self.groups.watch();
        self.transactions.watch();
        self.watch_administered();
        self.kept_producer_id = None;
    }

    /// What has changed since the last call. Of topics and partitions, the values are asked for by [`keep_topic`] and
    /// [`Partition::keep`].
    pub(crate) fn take_changed(&mut self) -> Changed {
        let mut changed = Changed { topics: self.topics.take_changed(), ..Changed::default() };
        let decided = self.transactions.take_decided();
        changed.before_logs.extend(decided.into_iter().map(|(id, kept)| (format!("transaction/{id}"), kept)));
        let next = self.transactions.next_producer_id();
        if self.kept_producer_id.is_none() {
            changed.after_logs.insert("cluster".to_owned(), json!({"id": self.cluster_id, "format": FORMAT}));
        }
        if self.kept_producer_id.replace(next) != Some(next) {
            // A producer may have got its id through a decided end.
            let entries = if decided_any(&changed) { &mut changed.before_logs } else { &mut changed.after_logs };
            entries.insert("producer_ids".to_owned(), json!({"next": next}));
        }
        for id in self.transactions.take_changed() {
            let kept = self.transactions.get(&id).map_or(Value::Null, Transaction::keep);
            changed.after_logs.insert(format!("transaction/{id}"), kept);
        }
        self.take_changed_administered(&mut changed.after_logs);
        let (groups, partitions) = self.groups.take_changed();
        for id in groups {
            let kept = self.groups.keep(&id).unwrap_or_default();
            changed.after_logs.insert(format!("group/{id}"), kept);
        }
        for partition in partitions {
            let kept = self.groups.keep_producers(partition).unwrap_or_default();
            changed.after_logs.insert(format!("offsets/{partition}"), kept);
        }
        changed
    }

    /// Puts back what was kept, into a cluster that has nothing. Damaged ends of logs are left out, with a warning.
    ///
    /// # Errors
    /// Which value cannot be understood, and why.
    pub(crate) fn restore(&mut self, entries: &Entries, mut logs: KeptLogs, now: Instant) -> Result<(), Damage> {
        let at = |name: &str, damage: Damage| format!("{name}: {damage}");
        for (name, value) in entries {
            let restored = self.restore_entry(name, Entry(value), entries, &mut logs, now);
            restored.map_err(|damage| at(name, damage))?;
        }
        self.recover();
        self.resume_transactions(now);
        Ok(())
    }

    fn restore_entry(
        &mut self,
        name: &str,
        kept: Entry<'_>,
        entries: &Entries,
        logs: &mut KeptLogs,
        now: Instant,
    ) -> Result<(), Damage> {
        match name.split_once('/') {
            None if name == "cluster" => {
                let format: i32 = kept.number("format")?;
                if format != FORMAT {
                    return Err(format!("written by another release, in format {format}, where {FORMAT} is known"));
                }
                self.cluster_id = kept.text("id")?.to_owned();
            }
            None if name == "producer_ids" => self.transactions.restore_next_producer_id(kept.number("next")?),
            Some(("topic", topic)) => {
                let topic = self.restore_topic(topic, kept, entries, logs, now)?;
                self.topics.restore(topic);
            }
            // With its topic.
            Some(("partition", _)) => {}
            Some(("transaction", id)) => self.transactions.restore(id, kept, self.unix_ms(now))?,
            Some(("group", id)) => self.groups.restore(id, kept)?,
            Some(("offsets", partition)) => {
                let partition = partition.parse().map_err(|_| "no number".to_owned())?;
                self.groups.restore_producers(partition, kept)?;
            }
            Some((kind, name)) => self.restore_administered(kind, name, kept)?,
            None => return Err(UNKNOWN.to_owned()),
        }
        Ok(())
    }

    fn restore_topic(
        &self,
        name: &str,
        kept: Entry<'_>,
        entries: &Entries,
        logs: &mut KeptLogs,
        now: Instant,
    ) -> Result<Topic, Damage> {
        let id = Uuid::parse_str(kept.text("id")?).map_err(|error| error.to_string())?;
        let settings = kept.field("settings")?.0.as_object().ok_or("settings are no object")?;
        let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
        let config = TopicConfig::over(self.settings.topic_defaults(), settings)?;
        let mut partitions = Vec::new();
        for number in 0..kept.number("partitions")? {
            let entry = partition_name(name, number);
            let value = entries.get(&entry).ok_or_else(|| format!("there is no {entry}"))?;
            let files = logs.remove(&(name.to_owned(), number)).unwrap_or_default();
            let (partition, damage) = Partition::restore(Entry(value), files, self.unix_ms(now))?;
            if let Some(damage) = damage {
                let end = partition.log.end_offset();
                tracing::warn!(topic = name, partition = number, end, damage, "the log was cut");
            }
            partitions.push(partition);
        }
        Ok(Topic { name: TopicName(owned(name)), id, config, partitions })
    }
}

/// What is to be kept of a topic beside its partitions.
pub(crate) fn keep_topic(topic: &Topic) -> Value {
    let set = topic.config.list().filter(|(.., is_set)| *is_set);
    let settings: BTreeMap<&str, &str> = set.map(|(option, value, _)| (option.name, value)).collect();
    json!({"id": topic.id.to_string(), "settings": settings, "partitions": topic.partitions.len()})
}

/// Under which name a partition is kept.
pub(crate) fn partition_name(topic: &str, number: i32) -> String {
    format!("partition/{topic}/{number}")
}

fn decided_any(changed: &Changed) -> bool {
    !changed.before_logs.is_empty()
}
