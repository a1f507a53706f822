//! What the members of a group own, read and commit: invariants 9 to 11.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::evidence::{Evidence, GroupPartition, Moment};
use super::operation::{Action, ClientId, Isolation, Operation, OperationId, Outcome, TopicPartition, Trigger};
use super::violation::{Clause, Place, Verdict};

/// 9. Committed offsets go forward, and cover only what was handed out; an auto-commit, only what is done with.
pub(super) fn commits_forward(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let mut progress = Progress::default();
    for moment in evidence.moments() {
        match moment {
            Moment::Invoked(id, operation) => progress.handle_invoked(evidence, verdict, id, operation),
            Moment::Ended(id, operation) if operation.outcome == Outcome::Ok => {
                progress.handle_ended(evidence, id, operation);
            }
            Moment::Ended(..) => (),
        }
    }
}

/// How far groups have come.
#[derive(Default)]
struct Progress<'a> {
    /// The highest offset that was committed for certain.
    floors: BTreeMap<GroupPartition<'a>, (i64, OperationId)>,
    /// The next offset after all that was handed out.
    handed: BTreeMap<GroupPartition<'a>, i64>,
    isolation: BTreeMap<&'a Arc<str>, Isolation>,
    /// Where a member was moved, and may commit less.
    moved: BTreeSet<GroupPartition<'a>>,
    /// What a member tried to commit last.
    tried: BTreeMap<(ClientId, &'a TopicPartition), (i64, OperationId)>,
    /// How often a client has polled, or closed.
    turns: BTreeMap<ClientId, u64>,
    /// The first offset that a client was handed in its last turn with any.
    firsts: BTreeMap<(ClientId, &'a TopicPartition), (u64, i64)>,
}

impl<'a> Progress<'a> {
    fn handle_invoked(
        &mut self,
        evidence: &Evidence<'a>,
        verdict: &mut Verdict,
        id: OperationId,
        operation: &'a Operation,
    ) {
        let client = operation.client;
        if matches!(operation.action, Action::Poll(_) | Action::Close) {
            *self.turns.entry(client).or_default() += 1;
        } else if let Action::Committed { group, offsets } = &operation.action {
            for (partition, offset) in offsets.iter().filter(|_| operation.outcome == Outcome::Ok) {
                self.check_back(evidence, verdict, (group, partition), (*offset, id), true);
            }
        } else if let Action::CommitOffsets { group, offsets, trigger } = &operation.action {
            for (partition, offset) in offsets {
                verdict.checked += 1;
                let key = (group, partition);
                self.check_beyond(evidence, verdict, key, (*offset, id));
                self.check_back(evidence, verdict, key, (*offset, id), operation.outcome == Outcome::Ok);
                let tried = self.tried.insert((client, partition), (*offset, id));
                if let Some((before, other)) = tried
                    && *offset < before
                    && operation.outcome == Outcome::Ok
                    && evidence.outcome(other) != Some(Outcome::Failed)
                    && !self.moved.contains(&key)
                    && self.floors.get(&key).is_none_or(|(floor, _)| floor <= offset)
                {
                    verdict.blame(evidence, Clause::CommittedBack, Place::at(partition, *offset), &[other, id], || {
                        format!("{offset} of {partition} was committed for {group} behind {before}")
                    });
                }
                let turn = self.turns.get(&client).copied().unwrap_or_default();
                let first = self.firsts.get_mut(&(client, partition)).filter(|(handed, _)| *handed == turn);
                let Some((_, first)) = first else { continue };
                match trigger {
                    Trigger::Auto if offset > first => {
                        let place = Place::at(partition, *first);
                        verdict.blame(evidence, Clause::CommittedUnprocessed, place, &[id], || {
                            format!(
                                "{first} of {partition} came with the last poll, and {offset} was committed already"
                            )
                        });
                    }
                    Trigger::Auto => (),
                    // What the application commits, it is done with.
                    Trigger::Explicit => *first = (*first).max(*offset),
                }
            }
        } else if let Action::SendOffsets { transaction, group, offsets } = &operation.action {
            let attempted = evidence.transactions.get(&(client, transaction));
            let committed = attempted.is_some_and(|attempted| evidence.count(&attempted.commits, Outcome::Ok) > 0);
            for (partition, offset) in offsets {
                verdict.checked += 1;
                self.check_beyond(evidence, verdict, (group, partition), (*offset, id));
                self.check_back(evidence, verdict, (group, partition), (*offset, id), committed);
            }
        }
    }

    fn handle_ended(&mut self, evidence: &Evidence<'a>, id: OperationId, operation: &'a Operation) {
        let client = operation.client;
        let group = evidence.groups.get(&client).copied();
        match &operation.action {
            Action::Poll(poll) => {
                let turn = self.turns.get(&client).copied().unwrap_or_default();
                if let Some(group) = group {
                    let least = self.isolation.entry(group).or_insert(poll.isolation);
                    *least = (*least).max(poll.isolation);
                }
                for run in poll.records.chunk_by(|one, next| one.partition == next.partition) {
                    let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
                    let handed = self.firsts.entry((client, &first.partition)).or_insert((turn, first.offset));
                    if handed.0 != turn {
                        *handed = (turn, first.offset);
                    }
                    if let Some(group) = group {
                        self.hand((group, &first.partition), last.offset.saturating_add(1));
                    }
                }
            }
            Action::Seek { partition, offset, .. } => {
                self.tried.remove(&(client, partition));
                self.firsts.remove(&(client, partition));
                if let Some(group) = group {
                    self.moved.insert((group, partition));
                    self.hand((group, partition), *offset);
                }
            }
            Action::Position { partition, offset } => {
                if let Some(group) = group {
                    self.hand((group, partition), *offset);
                }
            }
            Action::Assigned { partitions, .. } | Action::Revoked { partitions, .. } => {
                for partition in partitions {
                    self.tried.remove(&(client, partition));
                    self.firsts.remove(&(client, partition));
                }
            }
            Action::CommitOffsets { group, offsets, .. } => self.commit(group, offsets, id),
            Action::Commit(transaction) => {
                let Some(attempted) = evidence.transactions.get(&(client, transaction)) else { return };
                for id in &attempted.offsets {
                    let operation = evidence.history.operation(*id);
                    if let Some(Action::SendOffsets { group, offsets, .. }) =
                        operation.map(|operation| &operation.action)
                        && evidence.outcome(*id) == Some(Outcome::Ok)
                    {
                        self.commit(group, offsets, *id);
                    }
                }
            }
            Action::Send(_)
            | Action::Init { .. }
            | Action::Begin(_)
            | Action::Abort(_)
            | Action::SendOffsets { .. }
            | Action::Committed { .. }
            | Action::Flush
            | Action::Close
            | Action::Crash
            | Action::Measure { .. } => (),
        }
    }

    fn hand(&mut self, key: GroupPartition<'a>, next: i64) {
        let handed = self.handed.entry(key).or_insert(next);
        *handed = (*handed).max(next);
    }

    fn commit(&mut self, group: &'a Arc<str>, offsets: &'a [(TopicPartition, i64)], id: OperationId) {
        for (partition, offset) in offsets {
            let key = (group, partition);
            let floor = self.floors.entry(key).or_insert((*offset, id));
            if self.moved.remove(&key) || *offset > floor.0 {
                *floor = (*offset, id);
            }
        }
    }

    /// Blames an offset that is lower than one that had been committed before it was asked for.
    fn check_back(
        &self,
        evidence: &Evidence<'_>,
        verdict: &mut Verdict,
        key: GroupPartition<'_>,
        (offset, id): (i64, OperationId),
        took_effect: bool,
    ) {
        let Some((floor, before)) = self.floors.get(&key) else { return };
        if took_effect && offset < *floor && !self.moved.contains(&key) {
            let (group, partition) = key;
            verdict.blame(evidence, Clause::CommittedBack, Place::at(partition, offset), &[*before, id], || {
                format!("{offset} of {partition} was committed for {group} after {floor}")
            });
        }
    }

    /// Blames an offset that has records below it which nobody was handed.
    fn check_beyond(
        &self,
        evidence: &Evidence<'_>,
        verdict: &mut Verdict,
        key: GroupPartition<'_>,
        (offset, id): (i64, OperationId),
    ) {
        let (group, partition) = key;
        let Some(handed) = self.handed.get(&key).copied() else { return };
        let isolation = self.isolation.get(group).copied().unwrap_or(Isolation::ReadCommitted);
        let Some(beyond) = evidence.visible(partition, handed..offset, isolation).next() else { return };
        let place = Place::at(partition, beyond.offset).value(beyond.value());
        verdict.blame(evidence, Clause::CommittedBeyond, place, &[id], || {
            format!("{offset} of {partition} was committed for {group}, which was handed what lies below {handed}")
        });
    }
}

/// A member has a partition.
struct Ownership {
    client: ClientId,
    epoch: Option<i64>,
    assigned: OperationId,
    /// When it gave it up, among all events, and whether it knew too late to be blamed.
    ended: Option<(usize, bool)>,
    has_read: bool,
}

/// 10. A partition has one owner; the old one knows that it is not before the new one reads.
pub(super) fn one_owner(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let mut last_reads = BTreeMap::<(ClientId, &TopicPartition), (usize, OperationId)>::new();
    for (partition, reads) in &evidence.reads {
        for read in reads {
            let (Some(at), Some(operation)) = (evidence.ended_at(read.poll), evidence.history.operation(read.poll))
            else {
                continue;
            };
            let last = last_reads.entry((operation.client, *partition)).or_insert((at, read.poll));
            *last = (*last).max((at, read.poll));
        }
    }
    let mut owned = ownerships(evidence, verdict);
    for (id, operation) in evidence.succeeded() {
        let Some(poll) = operation.action.as_poll() else { continue };
        let Some(group) = evidence.groups.get(&operation.client).copied() else { continue };
        let at = evidence.ended_at(id).unwrap_or_default();
        for run in poll.records.chunk_by(|one, next| one.partition == next.partition) {
            let Some(first) = run.first() else { continue };
            let partition = &first.partition;
            let place = Place::at(partition, first.offset).value(first.value);
            let Some(owners) = owned.get_mut(&(group, partition)) else { continue };
            let own = owners.iter().rposition(|owner| {
                owner.client == operation.client && evidence.ended_at(owner.assigned).is_some_and(|since| since <= at)
            });
            let own = own.and_then(|own| owners.get_mut(own));
            let Some(own) = own.filter(|own| own.ended.is_none_or(|(ended, _)| ended > at)) else {
                // One that does not tell what it is assigned cannot be judged by it.
                if evidence.assigned.contains(&operation.client) {
                    verdict.blame(evidence, Clause::ReadNotOwned, place, &[id], || {
                        format!("client {} read {partition}, which it does not own", operation.client.0)
                    });
                }
                continue;
            };
            if std::mem::replace(&mut own.has_read, true) {
                continue;
            }
            verdict.checked += 1;
            let (epoch, since) = (own.epoch, evidence.ended_at(own.assigned));
            for other in owners.iter().filter(|other| other.client != operation.client) {
                let older = evidence.ended_at(other.assigned) < since
                    && epoch.zip(other.epoch).is_none_or(|(epoch, other)| other <= epoch);
                let reads_on = last_reads.get(&(other.client, partition)).filter(|(read, _)| *read > at);
                let late = match other.ended {
                    Some((ended, lost)) => ended > at && !lost,
                    None => reads_on.is_some(),
                };
                if older && late {
                    let mut operations = vec![other.assigned, id];
                    operations.extend(reads_on.map(|(_, poll)| *poll));
                    verdict.blame(evidence, Clause::ReadBeforeRevoke, place, &operations, || {
                        let (new, old) = (operation.client.0, other.client.0);
                        format!("client {new} read {partition} when client {old} had not been told that it lost it")
                    });
                }
            }
        }
    }
}

/// Who had which partition, from when to when, in the order of assignment.
fn ownerships<'a>(evidence: &Evidence<'a>, verdict: &mut Verdict) -> BTreeMap<GroupPartition<'a>, Vec<Ownership>> {
    let mut owned = BTreeMap::<GroupPartition<'_>, Vec<Ownership>>::new();
    let mut epochs = BTreeMap::<(GroupPartition<'_>, i64), (ClientId, OperationId)>::new();
    let mut current = BTreeMap::<ClientId, BTreeMap<GroupPartition<'_>, usize>>::new();
    for (id, operation) in evidence.succeeded() {
        let client = operation.client;
        let at = evidence.ended_at(id).unwrap_or_default();
        let end = |key: GroupPartition<'a>, number: usize, lost: bool, owned: &mut BTreeMap<_, Vec<Ownership>>| {
            if let Some(ownership) = owned.get_mut(&key).and_then(|owners| owners.get_mut(number)) {
                ownership.ended.get_or_insert((at, lost));
            }
        };
        if let Action::Assigned { group, partitions, epoch } = &operation.action {
            for partition in partitions {
                verdict.checked += 1;
                let key = (group, partition);
                let owners = owned.entry(key).or_default();
                current.entry(client).or_default().insert(key, owners.len());
                owners.push(Ownership { client, epoch: *epoch, assigned: id, ended: None, has_read: false });
                let Some(epoch) = epoch else { continue };
                let (other, assigned) = *epochs.entry((key, *epoch)).or_insert((client, id));
                if other != client {
                    let place = Place { partition: Some(partition), ..Place::default() };
                    verdict.blame(evidence, Clause::TwoOwners, place, &[assigned, id], || {
                        format!("clients {} and {} both own {partition} at epoch {epoch}", other.0, client.0)
                    });
                }
            }
        } else if let Action::Revoked { group, partitions, lost } = &operation.action {
            let current = current.entry(client).or_default();
            for partition in partitions {
                if let Some(number) = current.remove(&(group, partition)) {
                    end((group, partition), number, *lost, &mut owned);
                }
            }
        } else if matches!(operation.action, Action::Crash | Action::Close) {
            // Who is gone need not be told.
            for (key, number) in current.remove(&client).unwrap_or_default() {
                end(key, number, true, &mut owned);
            }
        }
    }
    owned
}

/// 11. Everything below what a group has committed was handed out to one of its members.
pub(super) fn at_least_once(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let mut handed = BTreeMap::<GroupPartition<'_>, Vec<i64>>::new();
    let mut starts = BTreeMap::<GroupPartition<'_>, i64>::new();
    let mut excused = BTreeMap::<GroupPartition<'_>, Vec<(i64, i64)>>::new();
    let mut isolation = BTreeMap::<&Arc<str>, Isolation>::new();
    let mut cursors = BTreeMap::<(ClientId, &TopicPartition), i64>::new();
    let mut committed = BTreeMap::<GroupPartition<'_>, (i64, Option<OperationId>)>::new();
    for (id, operation) in evidence.succeeded() {
        if let Action::CommitOffsets { group, offsets, .. } = &operation.action {
            committed.extend(offsets.iter().map(|(partition, offset)| ((group, partition), (*offset, Some(id)))));
        }
        let client = operation.client;
        let Some(group) = evidence.groups.get(&client).copied() else { continue };
        let mut start = |partition, offset: i64| {
            let start = starts.entry((group, partition)).or_insert(offset);
            *start = (*start).min(offset);
        };
        if let Action::Poll(poll) = &operation.action {
            let least = isolation.entry(group).or_insert(poll.isolation);
            *least = (*least).max(poll.isolation);
            for run in poll.records.chunk_by(|one, next| one.partition == next.partition) {
                let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
                start(&first.partition, first.offset);
                cursors.insert((client, &first.partition), last.offset.saturating_add(1));
                let handed = handed.entry((group, &first.partition)).or_default();
                handed.extend(run.iter().map(|read| read.offset));
            }
        } else if let Action::Seek { partition, offset, .. } = &operation.action {
            // Who is moved forward need not see what lies between.
            let from = cursors.insert((client, partition), *offset).unwrap_or(i64::MIN);
            excused.entry((group, partition)).or_default().push((from, *offset));
            start(partition, *offset);
        } else if let Action::Position { partition, offset } = &operation.action {
            start(partition, *offset);
        } else if let Action::Assigned { partitions, .. } = &operation.action {
            for partition in partitions {
                cursors.remove(&(client, partition));
            }
        }
    }
    for (group, offsets) in &evidence.history.logs.committed {
        committed.extend(offsets.iter().map(|(partition, offset)| ((group, partition), (*offset, None))));
    }
    for ((group, partition), (committed, by)) in committed {
        let key = (group, partition);
        let (Some(start), Some(_)) = (starts.get(&key), evidence.log(partition)) else { continue };
        let isolation = isolation.get(group).copied().unwrap_or(Isolation::ReadCommitted);
        let mut handed = handed.remove(&key).unwrap_or_default();
        handed.sort_unstable();
        let excused = excused.remove(&key).unwrap_or_default();
        for entry in evidence.visible(partition, *start..committed, isolation) {
            verdict.checked += 1;
            let offset = entry.offset;
            let passed = || excused.iter().any(|(from, to)| (*from..*to).contains(&offset));
            if handed.binary_search(&offset).is_err() && !passed() {
                let place = Place::at(partition, offset).value(entry.value());
                let operations: Vec<OperationId> = by.into_iter().collect();
                verdict.blame(evidence, Clause::NeverHandedOut, place, &operations, || {
                    format!("{group} has committed {committed} of {partition}, nobody was handed what lies at {offset}")
                });
            }
        }
    }
}
