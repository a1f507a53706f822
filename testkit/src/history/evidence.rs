//! The history, sorted the ways the checkers look at it. It is built once for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::log::{Entry, PartitionLog};
use super::operation::{
    Action, ClientId, Isolation, Operation, OperationId, Outcome, Send, TopicPartition, Transaction, Value,
};
use super::{Event, History};

/// The history, sorted.
pub(super) struct Evidence<'a> {
    pub(super) history: &'a History,
    /// All sends, by what they sent.
    sends: Vec<(Value, OperationId)>,
    /// All records in the logs, by what they hold.
    found: Vec<Found<'a>>,
    /// All records that were read, by partition and offset.
    pub(super) reads: BTreeMap<&'a TopicPartition, Vec<ReadAt>>,
    /// All transactions.
    pub(super) transactions: BTreeMap<(ClientId, &'a Transaction), Attempted>,
    /// The group of each client that is in one.
    pub(super) groups: BTreeMap<ClientId, &'a Arc<str>>,
    /// Clients that tell what they are assigned.
    pub(super) assigned: BTreeSet<ClientId>,
}

/// A record in a log.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) value: Value,
    pub(super) partition: &'a TopicPartition,
    pub(super) entry: &'a Entry,
}

/// A record that was read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReadAt {
    pub(super) offset: i64,
    pub(super) value: Option<Value>,
    pub(super) poll: OperationId,
}

/// What was attempted in a transaction.
#[derive(Default)]
pub(super) struct Attempted {
    pub(super) sends: Vec<OperationId>,
    pub(super) offsets: Vec<OperationId>,
    pub(super) commits: Vec<OperationId>,
    pub(super) aborts: Vec<OperationId>,
}

/// An event, with its operation.
pub(super) enum Moment<'a> {
    Invoked(OperationId, &'a Operation),
    Ended(OperationId, &'a Operation),
}

impl<'a> Evidence<'a> {
    pub(super) fn new(history: &'a History) -> Self {
        let mut sends = Vec::new();
        let mut reads = BTreeMap::<_, Vec<ReadAt>>::new();
        let mut transactions = BTreeMap::<_, Attempted>::new();
        let (mut groups, mut assigned) = (BTreeMap::new(), BTreeSet::new());
        for (id, operation) in history.operations() {
            let mut attempted = |transaction: &'a Transaction, into: fn(&mut Attempted) -> &mut Vec<OperationId>| {
                into(transactions.entry((operation.client, transaction)).or_default()).push(id);
            };
            match &operation.action {
                Action::Send(send) => {
                    sends.push((send.value, id));
                    if let Some(transaction) = &send.transaction {
                        attempted(transaction, |attempted| &mut attempted.sends);
                    }
                }
                Action::SendOffsets { transaction, .. } => attempted(transaction, |attempted| &mut attempted.offsets),
                Action::Commit(transaction) => attempted(transaction, |attempted| &mut attempted.commits),
                Action::Abort(transaction) => attempted(transaction, |attempted| &mut attempted.aborts),
                Action::Poll(poll) => {
                    if let Some(group) = &poll.group {
                        groups.insert(operation.client, group);
                    }
                    if operation.outcome != Outcome::Ok {
                        continue;
                    }
                    for run in poll.records.chunk_by(|one, next| one.partition == next.partition) {
                        let Some(first) = run.first() else { continue };
                        let read = |read: &super::Read| ReadAt { offset: read.offset, value: read.value, poll: id };
                        reads.entry(&first.partition).or_default().extend(run.iter().map(read));
                    }
                }
                Action::CommitOffsets { group, .. } => {
                    groups.insert(operation.client, group);
                }
                Action::Assigned { group, .. } => {
                    groups.insert(operation.client, group);
                    assigned.insert(operation.client);
                }
                Action::Init { .. }
                | Action::Begin(_)
                | Action::Position { .. }
                | Action::Committed { .. }
                | Action::Seek { .. }
                | Action::Revoked { .. }
                | Action::Flush
                | Action::Close
                | Action::Crash
                | Action::Measure { .. } => (),
            }
        }
        let mut found = Vec::new();
        for (partition, log) in &history.logs.partitions {
            let of_log = |entry: &'a Entry| Some(Found { value: entry.value()?, partition, entry });
            found.extend(log.entries().iter().filter_map(of_log));
        }
        sends.sort_unstable();
        // Stable: within a value, by partition and offset.
        found.sort_by_key(|found| found.value);
        reads.values_mut().for_each(|reads| reads.sort_unstable());
        Self { history, sends, found, reads, transactions, groups, assigned }
    }

    /// All sends of each value.
    pub(super) fn sends_by_value(&self) -> impl Iterator<Item = (Value, &[(Value, OperationId)])> {
        self.sends.chunk_by(|one, next| one.0 == next.0).filter_map(|run| Some((run.first()?.0, run)))
    }

    /// All sends of a value.
    pub(super) fn sends_of(&self, value: Value) -> &[(Value, OperationId)] {
        equal_range(&self.sends, value, |(value, _)| *value)
    }

    /// Where a value is in the logs.
    pub(super) fn found(&self, value: Value) -> &[Found<'a>] {
        equal_range(&self.found, value, |found| found.value)
    }

    /// The only place of the only send of a value, in this partition.
    pub(super) fn only_place(&self, send: &Send) -> Option<&'a Entry> {
        let [found] = self.found(send.value) else { return None };
        let alone = self.sends_of(send.value).len() == 1 && Some(found.partition) == send.partition.as_ref();
        alone.then_some(found.entry)
    }

    pub(super) fn log(&self, partition: &TopicPartition) -> Option<&'a PartitionLog> {
        self.history.logs.partitions.get(partition)
    }

    /// A send and its operation.
    pub(super) fn send(&self, id: OperationId) -> Option<(&'a Operation, &'a Send)> {
        let operation = self.history.operation(id)?;
        Some((operation, operation.action.as_send()?))
    }

    /// How many of these operations ended so.
    pub(super) fn count(&self, operations: &[OperationId], outcome: Outcome) -> usize {
        operations.iter().filter(|id| self.outcome(**id) == Some(outcome)).count()
    }

    pub(super) fn outcome(&self, id: OperationId) -> Option<Outcome> {
        self.history.operation(id).map(|operation| operation.outcome)
    }

    /// Where an operation begins among all events.
    pub(super) fn invoked_at(&self, id: OperationId) -> usize {
        self.history.entries.get(id.0).map_or(usize::MAX, |recorded| recorded.invoked_at)
    }

    /// Where an operation ends among all events.
    pub(super) fn ended_at(&self, id: OperationId) -> Option<usize> {
        self.history.entries.get(id.0).and_then(|recorded| recorded.ended_at)
    }

    /// Everything that happened, in order.
    pub(super) fn moments(&self) -> impl Iterator<Item = Moment<'a>> {
        let history = self.history;
        history.events.iter().filter_map(|event| match event {
            Event::Invoked(id) => Some(Moment::Invoked(*id, history.operation(*id)?)),
            Event::Ended(id) => Some(Moment::Ended(*id, history.operation(*id)?)),
        })
    }

    /// Everything that succeeded, in the order in which it ended.
    pub(super) fn succeeded(&self) -> impl Iterator<Item = (OperationId, &'a Operation)> {
        self.moments().filter_map(|moment| match moment {
            Moment::Ended(id, operation) if operation.outcome == Outcome::Ok => Some((id, operation)),
            Moment::Invoked(..) | Moment::Ended(..) => None,
        })
    }

    /// The records between two offsets that a reader is to see. With no log of the partition, none are known.
    pub(super) fn visible(
        &self,
        partition: &TopicPartition,
        offsets: Range<i64>,
        isolation: Isolation,
    ) -> impl Iterator<Item = &'a Entry> {
        self.log(partition).into_iter().flat_map(move |log| log.visible(offsets.clone(), isolation))
    }

    /// Whether a record is known to have been there to be read when its client was told so: it was acknowledged, in a
    /// transaction whose commit was reported if in one, or comes from somebody who is not recorded.
    pub(super) fn is_certain(&self, value: Value) -> bool {
        let sends = self.sends_of(value);
        sends.is_empty() || sends.iter().any(|(_, id)| self.send(*id).is_some_and(|send| self.took_effect(send)))
    }

    /// Whether a send is reported to have taken effect, with its transaction if it is in one.
    pub(super) fn took_effect(&self, (operation, send): (&Operation, &Send)) -> bool {
        operation.outcome == Outcome::Ok
            && send.transaction.as_ref().is_none_or(|transaction| {
                let attempted = self.transactions.get(&(operation.client, transaction));
                attempted.is_some_and(|attempted| self.count(&attempted.commits, Outcome::Ok) > 0)
            })
    }

    /// Whether the cluster may have removed what a send wrote. Where it was written to, if the send was not told, is
    /// anywhere.
    pub(super) fn may_be_gone(&self, operation: &Operation, send: &Send) -> bool {
        match (send.partition.as_ref(), send.offset) {
            (Some(partition), Some(offset)) => {
                self.log(partition).is_none_or(|log| log.may_have_lost(offset, operation.invoked_us))
            }
            (Some(partition), None) => self.log(partition).is_none_or(|log| !log.is_whole()),
            (None, _) => {
                let logs = &self.history.logs.partitions;
                logs.is_empty() || logs.values().any(|log| !log.is_whole())
            }
        }
    }
}

/// A group's name and a partition, which is where offsets are committed.
pub(super) type GroupPartition<'a> = (&'a Arc<str>, &'a TopicPartition);

fn equal_range<T>(sorted: &[T], value: Value, key: impl Fn(&T) -> Value) -> &[T] {
    let start = sorted.partition_point(|item| key(item) < value);
    let rest = sorted.get(start..).unwrap_or_default();
    rest.get(..rest.partition_point(|item| key(item) == value)).unwrap_or_default()
}
