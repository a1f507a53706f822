//! Histories from the lines that Kafka's verifiable programs print: `VerifiableProducer` and `VerifiableConsumer` of
//! Kafka's own tools, and any other client that speaks as they do, a JSON object per line.
//!
//! | event | becomes |
//! |---|---|
//! | `producer_send_success` | a [`Send`] that succeeded, with its offset |
//! | `producer_send_error` | a [`Send`] whose outcome is unknown: the programs do not tell what may have been written |
//! | `record_data`, then `records_consumed` | a [`Poll`] |
//! | `offsets_committed` | offsets committed, or perhaps committed when `success` is false |
//! | `partitions_assigned`, `partitions_revoked` | the callbacks; a loss of partitions looks like a revocation |
//! | `shutdown_complete` | the end of the client |
//!
//! Times are milliseconds of each program's wall clock, by which the lines of several programs are put in order. That a
//! line came late does not show, so the programs tell nothing of flushes and of hanging. `startup_complete` and `tool_data`
//! are held against the rest by [`Programs::breaches`]. Lines that are not JSON are passed over, as are unknown events.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

use super::{
    Action, ClientId, History, Isolation, Outcome, Poll, Read, Send, TopicPartition, Trigger, Value, log::PartitionLog,
};

/// What a program was started as.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the contract has these two")]
pub enum Role {
    /// `VerifiableProducer`. Without a configuration that says otherwise, it is not idempotent: it does not retry.
    Producer {
        /// `acks=-1`.
        acks_all: bool,
        /// `enable.idempotence`.
        idempotent: bool,
    },
    /// `VerifiableConsumer`.
    Consumer {
        /// `--group-id`.
        group: Arc<str>,
        /// `isolation.level`.
        isolation: Isolation,
    },
}

/// A line that names a known event and does not have what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LineError {
    /// The number of the line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for LineError {}

/// In which way a program does not do what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Breach {
    /// Its first event is not `startup_complete`, or that comes again.
    Startup,
    /// It did not shut down. One that was killed cannot.
    NoShutdown,
    /// Records are sent or read after `shutdown_complete`.
    AfterShutdown,
    /// `tool_data` counts others than were told of.
    Miscounted {
        /// What is counted: `sent` or `acked`.
        what: &'static str,
        /// What it says.
        declared: u64,
        /// What its lines show.
        told: u64,
    },
}

/// The lines of programs that ran together.
#[derive(Debug, Default)]
pub struct Programs {
    /// When, by whom, what.
    events: Vec<(u64, ClientId, Action, Outcome)>,
    breaches: Vec<(ClientId, Breach)>,
}

/// What has been read of one program.
#[derive(Default)]
struct Progress {
    started: bool,
    shut_down: bool,
    acked: u64,
    failed: u64,
    records: Vec<Read>,
}

impl Programs {
    /// Reads all that a program printed.
    ///
    /// # Errors
    /// When a known event lacks a field, or has one of another type.
    pub fn read(&mut self, client: ClientId, role: &Role, printed: &str) -> Result<(), LineError> {
        let mut progress = Progress::default();
        for (line, text) in (1..).zip(printed.lines()) {
            let Ok(event) = serde_json::from_str::<Json>(text) else { continue };
            let Some(name) = event.get("name").and_then(Json::as_str) else { continue };
            let handled = self.handle(client, role, &mut progress, name, Fields(&event));
            handled.map_err(|reason| LineError { line, reason: format!("{name}: {reason}") })?;
        }
        if !progress.shut_down {
            self.breaches.push((client, Breach::NoShutdown));
        }
        Ok(())
    }

    /// Which programs did not do as they say.
    #[must_use]
    pub fn breaches(&self) -> &[(ClientId, Breach)] {
        &self.breaches
    }

    /// What one of them was shown, as a log: an oracle that read every partition from its beginning.
    #[must_use]
    pub fn logs_of(&self, oracle: ClientId) -> BTreeMap<TopicPartition, PartitionLog> {
        let mut entries = BTreeMap::<_, Vec<_>>::new();
        for (_, client, action, _) in &self.events {
            let Some(poll) = action.as_poll().filter(|_| *client == oracle) else { continue };
            for read in &poll.records {
                let Some(value) = read.value else { continue };
                entries.entry(read.partition.clone()).or_default().push(super::Entry::record(read.offset, value));
            }
        }
        entries.into_iter().map(|(partition, entries)| (partition, PartitionLog::new(entries))).collect()
    }

    /// What happened, in the order of the programs' clocks.
    #[must_use]
    pub fn into_history(mut self) -> History {
        // Stable: what a program printed within a millisecond stays in order.
        self.events.sort_by_key(|(at_ms, ..)| *at_ms);
        let start_ms = self.events.first().map_or(0, |(at_ms, ..)| *at_ms);
        let mut history = History::default();
        for (at_ms, client, action, outcome) in self.events {
            let at_us = (at_ms - start_ms).saturating_mul(1000);
            let id = history.invoke(client, at_us, action);
            history.end(id, at_us, outcome);
        }
        history
    }

    fn handle(
        &mut self,
        client: ClientId,
        role: &Role,
        progress: &mut Progress,
        name: &str,
        event: Fields<'_>,
    ) -> Result<(), String> {
        if !progress.started || name == "startup_complete" {
            if name != "startup_complete" || progress.started {
                self.breaches.push((client, Breach::Startup));
            }
            progress.started = true;
        }
        let at_ms = || event.number::<u64>("timestamp");
        let mut record = |at_ms, action, outcome| self.events.push((at_ms, client, action, outcome));
        match (name, role) {
            ("producer_send_success" | "producer_send_error", Role::Producer { acks_all, idempotent }) => {
                let acked = name == "producer_send_success";
                let value = event.text("value")?;
                let (partition, offset) =
                    if acked { (Some(event.partition()?), Some(event.number("offset")?)) } else { (None, None) };
                let sent = progress.acked + progress.failed;
                if acked {
                    progress.acked += 1
                } else {
                    progress.failed += 1
                }
                let send = Send {
                    partition,
                    value: Value::of(value.as_bytes()),
                    key: event.0.get("key").and_then(Json::as_str).map(|key| Value::of(key.as_bytes()).0),
                    tombstone: false,
                    sequence: sequence(value).unwrap_or(sent),
                    acks_all: *acks_all,
                    idempotent: *idempotent,
                    transaction: None,
                    // Without acknowledgements, -1 is printed.
                    offset: offset.filter(|offset| *offset >= 0),
                };
                record(at_ms()?, Action::Send(send), if acked { Outcome::Ok } else { Outcome::Unknown });
                if progress.shut_down {
                    self.breaches.push((client, Breach::AfterShutdown));
                }
            }
            ("tool_data", Role::Producer { .. }) => {
                let told = [("sent", progress.acked + progress.failed), ("acked", progress.acked)];
                for (what, told) in told {
                    let declared = event.number(what)?;
                    if declared != told {
                        self.breaches.push((client, Breach::Miscounted { what, declared, told }));
                    }
                }
            }
            ("record_data", Role::Consumer { .. }) => {
                let value = Some(Value::of(event.text("value")?.as_bytes()));
                progress.records.push(Read { partition: event.partition()?, offset: event.number("offset")?, value });
            }
            ("records_consumed", Role::Consumer { group, isolation }) => {
                let records = consumed(event, std::mem::take(&mut progress.records))?;
                let poll = Poll { group: Some(Arc::clone(group)), isolation: *isolation, records };
                record(at_ms()?, Action::Poll(poll), Outcome::Ok);
                if progress.shut_down {
                    self.breaches.push((client, Breach::AfterShutdown));
                }
            }
            ("offsets_committed", Role::Consumer { group, .. }) => {
                let offset = |fields: Fields<'_>| Ok((fields.partition()?, fields.number("offset")?));
                let offsets = event.list("offsets")?.map(offset).collect::<Result<_, String>>()?;
                let success = event.0.get("success").and_then(Json::as_bool).ok_or("`success` is not there")?;
                let commit = Action::CommitOffsets { group: Arc::clone(group), offsets, trigger: Trigger::Explicit };
                record(at_ms()?, commit, if success { Outcome::Ok } else { Outcome::Unknown });
            }
            ("partitions_assigned" | "partitions_revoked", Role::Consumer { group, .. }) => {
                let partitions =
                    event.list("partitions")?.map(|fields| fields.partition()).collect::<Result<_, _>>()?;
                let group = Arc::clone(group);
                let action = if name == "partitions_assigned" {
                    Action::Assigned { group, partitions, epoch: None }
                } else {
                    Action::Revoked { group, partitions, lost: false }
                };
                record(at_ms()?, action, Outcome::Ok);
            }
            ("shutdown_complete", Role::Producer { .. } | Role::Consumer { .. }) => {
                record(at_ms()?, Action::Close, Outcome::Ok);
                progress.shut_down = true;
            }
            (_, Role::Producer { .. } | Role::Consumer { .. }) => (),
        }
        Ok(())
    }
}

/// The records of a poll: those that were told one by one, or the offsets of its summary.
fn consumed(event: Fields<'_>, told: Vec<Read>) -> Result<Vec<Read>, String> {
    let mut summed = Vec::new();
    let mut count = 0_u64;
    for fields in event.list("partitions")? {
        let partition = fields.partition()?;
        let (first, last) = (fields.number::<i64>("minOffset")?, fields.number::<i64>("maxOffset")?);
        let here = fields.number::<u64>("count")?;
        count = count.saturating_add(here);
        if !told.is_empty() {
            continue;
        }
        if here > RECORDS_MAX || u64::try_from(last.saturating_sub(first).saturating_add(1)) != Ok(here) {
            return Err(format!(
                "{here} records at {first} to {last} of {partition} have offsets that only `--verbose` tells"
            ));
        }
        summed.extend((first..=last).map(|offset| Read { partition: partition.clone(), offset, value: None }));
    }
    if told.is_empty() {
        return Ok(summed);
    }
    if u64::try_from(told.len()) != Ok(count) {
        return Err(format!("{count} records are summed up, and {} were told", told.len()));
    }
    Ok(told)
}

/// More than any poll gives.
const RECORDS_MAX: u64 = 10_000_000;

/// The number of a send, of all of its program: the values count up, behind a prefix and a dot if there is one.
fn sequence(value: &str) -> Option<u64> {
    value.rsplit('.').next()?.parse().ok()
}

/// A JSON object.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a Json);

impl<'a> Fields<'a> {
    fn text(self, field: &str) -> Result<&'a str, String> {
        self.0.get(field).and_then(Json::as_str).ok_or_else(|| format!("`{field}` is no text"))
    }

    fn number<T: TryFrom<i64>>(self, field: &str) -> Result<T, String> {
        let number = self.0.get(field).and_then(Json::as_i64).and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("`{field}` is no number, or out of range"))
    }

    fn list(self, field: &str) -> Result<impl Iterator<Item = Self>, String> {
        let list = self.0.get(field).and_then(Json::as_array).ok_or_else(|| format!("`{field}` is no list"))?;
        Ok(list.iter().map(Fields))
    }

    fn partition(self) -> Result<TopicPartition, String> {
        Ok(TopicPartition::new(self.text("topic")?, self.number("partition")?))
    }
}
