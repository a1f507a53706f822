//! What became of transactions: invariants 6, 7 and 16, and what their readers alone can tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::evidence::{Attempted, Evidence, GroupPartition, Moment};
use super::log::TransactionState;
use super::operation::{
    Action, ClientId, Isolation, Operation, OperationId, Outcome, TopicPartition, Transaction, Value,
};
use super::violation::{Clause, Place, Verdict};

/// How a transaction stands, by what its client was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reported {
    Committed,
    Aborted,
    /// Nobody asked to commit it, or was refused for certain.
    NotAsked,
    Unknown,
}

fn reported(evidence: &Evidence<'_>, attempted: &Attempted) -> Reported {
    if evidence.count(&attempted.commits, Outcome::Ok) > 0 {
        Reported::Committed
    } else if evidence.count(&attempted.aborts, Outcome::Ok) > 0 {
        Reported::Aborted
    } else if evidence.count(&attempted.commits, Outcome::Unknown) == 0 {
        Reported::NotAsked
    } else {
        Reported::Unknown
    }
}

/// 6. A `read_committed` reader is shown nothing of a transaction that was aborted, or not yet committed.
pub(super) fn read_committed(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    for (poll, _, partition, offset, value) in committed_reads(evidence) {
        verdict.checked += 1;
        let log = evidence.log(partition).filter(|log| !log.was_truncated_at(offset));
        let state = log.and_then(|log| log.at(offset)).and_then(super::Entry::state);
        let clause = match state {
            Some(TransactionState::Aborted) => Some(Clause::ReadAborted),
            Some(TransactionState::Open) => Some(Clause::ReadOpen),
            Some(TransactionState::None | TransactionState::Committed) | None => {
                value.and_then(|value| too_early(evidence, poll, value))
            }
        };
        let Some(clause) = clause else { continue };
        let mut operations = vec![poll];
        if let Some(value) = value {
            operations.extend(evidence.sends_of(value).iter().map(|(_, send)| *send));
        }
        let place = Place::at(partition, offset).value(value);
        verdict.blame(evidence, clause, place, &operations, || {
            format!("offset {offset} of {partition} is of a transaction that was not committed when it was read")
        });
    }
}

/// Everything that `read_committed` readers were shown.
fn committed_reads<'a>(
    evidence: &Evidence<'a>,
) -> impl Iterator<Item = (OperationId, &'a Operation, &'a TopicPartition, i64, Option<Value>)> {
    evidence.history.operations().flat_map(|(id, operation)| {
        let poll = operation.action.as_poll();
        let poll = poll.filter(|poll| poll.isolation == Isolation::ReadCommitted && operation.outcome == Outcome::Ok);
        let records = poll.map(|poll| poll.records.iter()).into_iter().flatten();
        records.map(move |read| (id, operation, &read.partition, read.offset, read.value))
    })
}

/// How a value could not be seen yet by a poll, if all its sends were in transactions that nobody had asked to commit.
fn too_early(evidence: &Evidence<'_>, poll: OperationId, value: Value) -> Option<Clause> {
    let mut clause = None;
    let read_at = evidence.ended_at(poll)?;
    for (_, id) in evidence.sends_of(value) {
        let (operation, send) = evidence.send(*id)?;
        let attempted = evidence.transactions.get(&(operation.client, send.transaction.as_ref()?))?;
        let asked = attempted.commits.iter().any(|commit| evidence.invoked_at(*commit) < read_at);
        clause = match reported(evidence, attempted) {
            Reported::Aborted => Some(Clause::ReadAborted),
            Reported::Committed | Reported::NotAsked | Reported::Unknown if !asked => Some(Clause::ReadOpen),
            Reported::NotAsked => Some(Clause::ReadAborted),
            Reported::Committed | Reported::Unknown => return None,
        };
    }
    clause
}

/// a. Nobody is shown what failed, and no `read_committed` reader what was aborted, as its client was told.
pub(super) fn aborted_read(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    for (partition, reads) in &evidence.reads {
        for read in reads {
            let Some(value) = read.value else { continue };
            let sends = evidence.sends_of(value);
            if sends.is_empty() {
                continue;
            }
            verdict.checked += 1;
            if sends.iter().all(|(_, id)| evidence.outcome(*id) == Some(Outcome::Failed)) {
                let operations: Vec<OperationId> =
                    [read.poll].into_iter().chain(sends.iter().map(|send| send.1)).collect();
                let place = Place::at(partition, read.offset).value(value);
                verdict.blame(evidence, Clause::FailedRead, place, &operations, || {
                    format!("{value} failed and was read at {} of {partition}", read.offset)
                });
            }
        }
    }
    for (poll, _, partition, offset, value) in committed_reads(evidence) {
        let Some(value) = value else { continue };
        let aborted = |id: &OperationId| {
            let (operation, send) = evidence.send(*id)?;
            let attempted = evidence.transactions.get(&(operation.client, send.transaction.as_ref()?))?;
            Some(reported(evidence, attempted) == Reported::Aborted)
        };
        let sends: Vec<OperationId> = evidence.sends_of(value).iter().map(|(_, id)| *id).collect();
        if !sends.is_empty() && sends.iter().all(|id| aborted(id) == Some(true)) {
            let operations: Vec<OperationId> = [poll].into_iter().chain(sends).collect();
            let place = Place::at(partition, offset).value(value);
            verdict.blame(evidence, Clause::AbortedRead, place, &operations, || {
                format!("{value} was aborted and was read at {offset} of {partition}")
            });
        }
    }
}

/// 7. Of a transaction everything takes effect or nothing, as was reported.
pub(super) fn all_or_nothing(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let mut decided = Vec::new();
    for ((client, transaction), attempted) in &evidence.transactions {
        verdict.checked += 1;
        decided.push((attempted, check_records(evidence, verdict, (*client, transaction), attempted)));
    }
    check_offsets(evidence, verdict, &decided);
}

/// Checks the records of a transaction, and says whether they were committed, if that is known.
fn check_records(
    evidence: &Evidence<'_>,
    verdict: &mut Verdict,
    (client, transaction): (ClientId, &Transaction),
    attempted: &Attempted,
) -> Option<bool> {
    let (mut committed, mut others) = (Vec::new(), Vec::new());
    for id in &attempted.sends {
        let Some((operation, send)) = evidence.send(*id) else { continue };
        if evidence.sends_of(send.value).len() > 1 {
            continue;
        }
        let mut states = evidence.found(send.value).iter().filter_map(|found| found.entry.state()).peekable();
        // One that was acknowledged, and whose log shows nothing of it, did not take effect.
        if states.peek().is_none() && operation.outcome == Outcome::Ok && !evidence.may_be_gone(operation, send) {
            others.push(*id);
        }
        for state in states {
            if state == TransactionState::Committed { &mut committed } else { &mut others }.push(*id);
        }
    }
    let reported = reported(evidence, attempted);
    let (clause, shown) = match reported {
        Reported::Committed => (Clause::CommitPartial, &others),
        Reported::Aborted => (Clause::AbortPartial, &committed),
        Reported::NotAsked => (Clause::CommittedUnasked, &committed),
        Reported::Unknown => (Clause::Torn, if committed.is_empty() { &committed } else { &others }),
    };
    if let Some(first) = shown.first() {
        let end = attempted.commits.iter().chain(&attempted.aborts).next_back();
        let other = if reported == Reported::Unknown { committed.first() } else { None };
        let operations: Vec<OperationId> = [Some(first), other, end].into_iter().flatten().copied().collect();
        let send = evidence.send(*first).map(|(_, send)| send);
        let place = send.map_or_else(Place::default, |send| Place {
            partition: send.partition.as_ref(),
            offset: send.offset,
            value: Some(send.value),
        });
        verdict.blame(evidence, clause, place, &operations, || {
            let (committed, others) = (committed.len(), others.len());
            format!("{transaction} of client {}: {committed} records committed, {others} not", client.0)
        });
    }
    match reported {
        Reported::Committed => Some(true),
        Reported::Aborted | Reported::NotAsked => Some(false),
        Reported::Unknown if !committed.is_empty() => Some(true),
        Reported::Unknown if !others.is_empty() => Some(false),
        Reported::Unknown => None,
    }
}

/// Offsets that were committed, by what they are: who may have written them, at last.
type Writers<'a> = BTreeMap<(GroupPartition<'a>, i64), usize>;

fn check_offsets(evidence: &Evidence<'_>, verdict: &mut Verdict, decided: &[(&Attempted, Option<bool>)]) {
    let mut writers = Writers::new();
    let offsets_of = |id: &OperationId| match evidence.history.operation(*id).map(|operation| &operation.action) {
        Some(Action::SendOffsets { group, offsets, .. } | Action::CommitOffsets { group, offsets, .. }) => {
            Some((group, offsets))
        }
        Some(_) | None => None,
    };
    let mut may_write = |id: OperationId| {
        let Some((group, offsets)) = offsets_of(&id) else { return };
        let last = evidence.ended_at(id).unwrap_or(usize::MAX);
        for (partition, offset) in offsets {
            let writer = writers.entry(((group, partition), *offset)).or_insert(last);
            *writer = (*writer).max(last);
        }
    };
    for (id, operation) in evidence.history.operations() {
        if matches!(operation.action, Action::CommitOffsets { .. }) && operation.outcome != Outcome::Failed {
            may_write(id);
        }
    }
    for (attempted, committed) in decided {
        let possible = attempted.offsets.iter().filter(|id| evidence.outcome(**id) != Some(Outcome::Failed));
        possible.filter(|_| *committed != Some(false)).for_each(|id| may_write(*id));
    }

    let mut observed = BTreeMap::<(GroupPartition<'_>, i64), Option<OperationId>>::new();
    for (group, offsets) in &evidence.history.logs.committed {
        observed.extend(offsets.iter().map(|(partition, offset)| (((group, partition), *offset), None)));
    }
    for (id, operation) in evidence.succeeded() {
        let Action::Committed { group, offsets } = &operation.action else { continue };
        observed.extend(offsets.iter().map(|(partition, offset)| (((group, partition), *offset), Some(id))));
    }
    for (attempted, committed) in decided {
        for id in &attempted.offsets {
            let Some((group, offsets)) = offsets_of(id) else { continue };
            for (partition, offset) in offsets {
                let key = ((group, partition), *offset);
                if *committed == Some(false)
                    && !writers.contains_key(&key)
                    && let Some(seen) = observed.get(&key)
                {
                    let operations: Vec<OperationId> = [Some(*id), *seen].into_iter().flatten().collect();
                    verdict.blame(
                        evidence,
                        Clause::OffsetsWithoutRecords,
                        Place::at(partition, *offset),
                        &operations,
                        || {
                            format!(
                                "offset {offset} of {partition} is committed for {group}, by a transaction that is not"
                            )
                        },
                    );
                }
                let last = evidence.history.logs.committed.get(group);
                let (Some(true), Some(Outcome::Ok), Some(last)) = (*committed, evidence.outcome(*id), last) else {
                    continue;
                };
                let last = last.get(partition).copied();
                // Somebody may have set it back since.
                let later = |last: i64| {
                    writers.get(&((group, partition), last)).is_some_and(|writer| *writer > evidence.invoked_at(*id))
                };
                if last.is_none_or(|last| last < *offset && !later(last)) {
                    verdict.blame(
                        evidence,
                        Clause::RecordsWithoutOffsets,
                        Place::at(partition, *offset),
                        &[*id],
                        || {
                            let last = last.map_or_else(|| "none".to_owned(), |last| last.to_string());
                            format!("{offset} of {partition} was committed for {group} in a transaction; {last} is")
                        },
                    );
                }
            }
        }
    }
}

/// Who has a transactional id.
#[derive(Clone, Copy)]
struct Owner {
    client: ClientId,
    init: OperationId,
}

/// 16. A producer writes and commits nothing once another has its transactional id.
pub(super) fn fenced_silent(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let mut owners = BTreeMap::<&Arc<str>, Owner>::new();
    // When a client itself was last initialised for certain; it is not judged while it tries again.
    let mut own = BTreeMap::<(&Arc<str>, ClientId), Option<usize>>::new();
    for moment in evidence.moments() {
        match moment {
            Moment::Invoked(id, operation) => {
                if let Action::Init { transactional_id } = &operation.action {
                    own.insert((transactional_id, operation.client), None);
                    continue;
                }
                let sent = operation.action.as_send().and_then(|send| send.transaction.as_ref());
                let committed =
                    if let Action::Commit(transaction) = &operation.action { Some(transaction) } else { None };
                let Some(Transaction { transactional_id, .. }) = sent.or(committed) else { continue };
                let Some(owner) = owners.get(transactional_id).filter(|owner| owner.client != operation.client) else {
                    continue;
                };
                let own = own.get(&(transactional_id, operation.client)).copied().flatten();
                if own.is_some_and(|own| own < evidence.invoked_at(owner.init)) {
                    verdict.checked += 1;
                    blame_fenced(evidence, verdict, (id, operation), owner.init);
                }
            }
            Moment::Ended(id, operation) => {
                let Action::Init { transactional_id } = &operation.action else { continue };
                if operation.outcome != Outcome::Ok {
                    continue;
                }
                own.insert((transactional_id, operation.client), evidence.ended_at(id));
                let owner = Owner { client: operation.client, init: id };
                // Of two at once, nobody knows which was first.
                let held = owners.get(transactional_id);
                if held.is_none_or(|held| {
                    evidence.ended_at(held.init).is_some_and(|ended| ended < evidence.invoked_at(id))
                }) {
                    owners.insert(transactional_id, owner);
                }
            }
        }
    }
    epochs_go_forward(evidence, verdict);
}

fn blame_fenced(
    evidence: &Evidence<'_>,
    verdict: &mut Verdict,
    (id, operation): (OperationId, &Operation),
    init: OperationId,
) {
    let acked = operation.outcome == Outcome::Ok;
    let Some(send) = operation.action.as_send() else {
        if acked {
            verdict.blame(evidence, Clause::FencedCommitted, Place::default(), &[init, id], || {
                format!("client {} committed after it was fenced", operation.client.0)
            });
        }
        return;
    };
    let place = Place { partition: send.partition.as_ref(), offset: send.offset, value: Some(send.value) };
    if acked {
        verdict.blame(evidence, Clause::FencedAcked, place, &[init, id], || {
            format!("{} of client {} was acknowledged after it was fenced", send.value, operation.client.0)
        });
    } else if evidence.sends_of(send.value).len() == 1 && !evidence.found(send.value).is_empty() {
        verdict.blame(evidence, Clause::FencedWritten, place, &[init, id], || {
            format!("{} of client {} was written after it was fenced", send.value, operation.client.0)
        });
    }
}

fn epochs_go_forward(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    for (partition, log) in &evidence.history.logs.partitions {
        let mut epochs = BTreeMap::new();
        for entry in log.entries() {
            let Some(producer) = entry.producer else { continue };
            verdict.checked += 1;
            let latest = epochs.entry(producer.id).or_insert(producer.epoch);
            if producer.epoch < *latest {
                let latest = *latest;
                let place = Place::at(partition, entry.offset).value(entry.value());
                verdict.blame(evidence, Clause::EpochWentBack, place, &[], || {
                    let (id, epoch, offset) = (producer.id, producer.epoch, entry.offset);
                    format!("{partition} has epoch {epoch} of producer {id} at {offset}, behind epoch {latest}")
                });
            }
            *latest = (*latest).max(producer.epoch);
        }
    }
}
