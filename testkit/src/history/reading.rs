//! What readers were shown, against the logs and each other: invariants 5, 8 and 18, and what readers alone can tell.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Evidence;
use super::log::Change;
use super::operation::{Action, ClientId, Isolation, Operation, OperationId, Outcome, TopicPartition, Value};
use super::violation::{Clause, Place, Verdict};

/// 5. At an offset, all readers and the log have the same record.
pub(super) fn readers_agree(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    for (partition, reads) in &evidence.reads {
        let log = evidence.log(partition);
        for same in reads.chunk_by(|one, next| one.offset == next.offset) {
            let Some(first) = same.first() else { continue };
            let offset = first.offset;
            if log.is_some_and(|log| log.was_truncated_at(offset)) {
                continue;
            }
            if log.is_some() || same.len() > 1 {
                verdict.checked += 1;
            }
            let told = || same.iter().filter(|read| read.value.is_some());
            if let Some((one, other)) = told().zip(told().skip(1)).find(|(one, other)| one.value != other.value) {
                let place = Place::at(partition, offset).value(one.value);
                verdict.blame(evidence, Clause::ReadersDisagree, place, &[one.poll, other.poll], || {
                    format!(
                        "at offset {offset} of {partition}, one read {}, another {}",
                        text(one.value),
                        text(other.value)
                    )
                });
            }
            let Some(log) = log.filter(|log| !log.may_have_lost(offset, u64::MAX)) else { continue };
            let there = log.at(offset).and_then(super::Entry::value);
            let place = Place::at(partition, offset).value(first.value);
            match there {
                None => verdict.blame(evidence, Clause::ReadNothingThere, place, &[first.poll], || {
                    format!("{} was read at offset {offset} of {partition}, where no record is", text(first.value))
                }),
                Some(_) => {
                    let other = told().find(|read| read.value != there);
                    let Some(other) = other else { continue };
                    verdict.blame(evidence, Clause::ReadOtherThanLog, place, &[other.poll], || {
                        let (read, there) = (text(other.value), text(there));
                        format!("{read} was read at offset {offset} of {partition}, where the log has {there}")
                    });
                }
            }
        }
    }
}

/// Where a reader is.
struct Cursor {
    next: i64,
    /// What brought it there.
    by: OperationId,
}

/// 8. A reader passes over nothing that it is to see, and goes back over nothing, unless it is moved.
pub(super) fn polls_contiguous(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let mut cursors = BTreeMap::<(ClientId, &TopicPartition), Cursor>::new();
    let mut isolation = BTreeMap::<ClientId, Isolation>::new();
    for (id, operation) in evidence.succeeded() {
        let client = operation.client;
        match &operation.action {
            Action::Poll(poll) => {
                isolation.insert(client, poll.isolation);
                for read in &poll.records {
                    let (partition, offset) = (&read.partition, read.offset);
                    let next = offset.saturating_add(1);
                    match cursors.entry((client, partition)) {
                        Slot::Vacant(slot) => {
                            slot.insert(Cursor { next, by: id });
                        }
                        Slot::Occupied(mut slot) => {
                            verdict.checked += 1;
                            let cursor = slot.get_mut();
                            let (expected, before) = (cursor.next, cursor.by);
                            *cursor = Cursor { next, by: id };
                            let place = Place::at(partition, offset).value(read.value);
                            if offset < expected {
                                verdict.blame(evidence, Clause::SteppedBack, place, &[before, id], || {
                                    format!("{partition} was read at {offset} when it was read to {expected}")
                                });
                            }
                            skipped(evidence, verdict, partition, (expected, offset), poll.isolation, &[before, id]);
                        }
                    }
                }
            }
            Action::Seek { partition, offset, .. } => {
                cursors.insert((client, partition), Cursor { next: *offset, by: id });
            }
            Action::Assigned { partitions, .. } | Action::Revoked { partitions, .. } => {
                for partition in partitions {
                    cursors.remove(&(client, partition));
                }
            }
            Action::Position { partition, offset } => {
                let Some(cursor) = cursors.get(&(client, partition)) else {
                    cursors.insert((client, partition), Cursor { next: *offset, by: id });
                    continue;
                };
                verdict.checked += 1;
                let isolation = isolation.get(&client).copied().unwrap_or(Isolation::ReadCommitted);
                let passed = evidence.visible(partition, cursor.next..*offset, isolation).next();
                if *offset < cursor.next || passed.is_some() {
                    let (expected, before) = (cursor.next, cursor.by);
                    verdict.blame(
                        evidence,
                        Clause::PositionUntrue,
                        Place::at(partition, *offset),
                        &[before, id],
                        || {
                            format!(
                                "the position in {partition} was said to be {offset} when it was read to {expected}"
                            )
                        },
                    );
                }
            }
            Action::Send(_)
            | Action::Init { .. }
            | Action::Begin(_)
            | Action::Commit(_)
            | Action::Abort(_)
            | Action::SendOffsets { .. }
            | Action::CommitOffsets { .. }
            | Action::Committed { .. }
            | Action::Flush
            | Action::Close
            | Action::Crash
            | Action::Measure { .. } => (),
        }
    }
}

/// Blames a reader that went from one offset to another over records that it was to see.
fn skipped(
    evidence: &Evidence<'_>,
    verdict: &mut Verdict,
    partition: &TopicPartition,
    (from, to): (i64, i64),
    isolation: Isolation,
    operations: &[OperationId],
) {
    if to <= from {
        return;
    }
    let Some(missed) = evidence.visible(partition, from..to, isolation).next() else { return };
    let place = Place::at(partition, missed.offset).value(missed.value());
    verdict.blame(evidence, Clause::Skipped, place, operations, || {
        format!("{partition} was read from {from} on to {to}, over {} at {}", text(missed.value()), missed.offset)
    });
}

/// 18. Compaction keeps the latest of each key; a reader beyond a truncation says so before it goes on.
pub(super) fn changes_reported(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    keys_survive(evidence, verdict);
    truncations_reported(evidence, verdict);
}

fn keys_survive(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let compacted = |partition: &TopicPartition| evidence.log(partition).filter(|log| log.is_compacted());
    // The youngest record of each key in each log, and what was acknowledged last.
    let mut youngest = BTreeMap::<(&TopicPartition, u64), i64>::new();
    for (partition, log) in &evidence.history.logs.partitions {
        for entry in log.entries() {
            if let super::Content::Record { key: Some(key), .. } = &entry.content {
                youngest.insert((partition, *key), entry.offset);
            }
        }
    }
    let mut acked = BTreeMap::<(&TopicPartition, u64), (i64, OperationId)>::new();
    for (id, operation) in evidence.history.operations() {
        let Some(send) = operation.action.as_send().filter(|send| send.acks_all) else { continue };
        let (Some(partition), Some(key), Some(offset), true) =
            (&send.partition, send.key, send.offset, evidence.took_effect((operation, send)))
        else {
            continue;
        };
        let Some(log) = compacted(partition) else { continue };
        if offset < log.start_offset() || log.was_truncated_since(offset, operation.invoked_us) {
            continue;
        }
        let latest = acked.entry((partition, key)).or_insert((offset, id));
        *latest = (*latest).max((offset, id));
    }
    for ((partition, key), (offset, id)) in acked {
        let Some((_, send)) = evidence.send(id) else { continue };
        verdict.checked += 1;
        if !send.tombstone && youngest.get(&(partition, key)).is_none_or(|there| *there < offset) {
            let place = Place::at(partition, offset).value(send.value);
            verdict.blame(evidence, Clause::KeyLost, place, &[id], || {
                format!("{} at {offset} was the latest of its key in {partition}, and is gone", send.value)
            });
        }
    }
}

/// What a reader did with a partition, and when.
struct Step {
    ended_us: u64,
    by: OperationId,
    what: Move,
}

enum Move {
    Read {
        offset: i64,
        value: Option<Value>,
    },
    Sought,
    /// It was assigned, or taken away.
    Reassigned,
}

impl Step {
    /// Where it left the reader, if that is known.
    const fn cursor(&self) -> Option<Cursor> {
        match self.what {
            Move::Read { offset, .. } => Some(Cursor { next: offset.saturating_add(1), by: self.by }),
            Move::Sought | Move::Reassigned => None,
        }
    }
}

fn truncations_reported(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let logs = &evidence.history.logs.partitions;
    let is_truncated =
        |partition: &TopicPartition| logs.get(partition).is_some_and(|log| log.was_truncated_at(i64::MAX));
    if !logs.keys().any(is_truncated) {
        return;
    }
    let mut readers = BTreeMap::<(&TopicPartition, ClientId), Vec<Step>>::new();
    for (by, operation) in evidence.succeeded() {
        let ended_us = operation.ended_us.unwrap_or_default();
        let mut step = |partition, what| {
            if is_truncated(partition) {
                readers.entry((partition, operation.client)).or_default().push(Step { ended_us, by, what });
            }
        };
        if let Action::Poll(poll) = &operation.action {
            for read in &poll.records {
                step(&read.partition, Move::Read { offset: read.offset, value: read.value });
            }
        } else if let Action::Seek { partition, .. } = &operation.action {
            step(partition, Move::Sought);
        } else if let Action::Assigned { partitions, .. } | Action::Revoked { partitions, .. } = &operation.action {
            partitions.iter().for_each(|partition| step(partition, Move::Reassigned));
        }
    }
    for ((partition, _), mut steps) in readers {
        steps.sort_by_key(|step| step.ended_us);
        let mut reads = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            if let Move::Read { offset, value: Some(value) } = step.what {
                reads.push(((offset, value), index));
            }
        }
        reads.sort_unstable();
        for change in evidence.log(partition).into_iter().flat_map(super::PartitionLog::changes) {
            let Change::Truncated { at_us, to, removed } = change else { continue };
            // What was fetched before may still be handed out; the reader is as far off as it was.
            let mut old = BTreeSet::new();
            for gone in removed {
                let from = reads.partition_point(|(read, _)| read < gone);
                let same = reads.iter().skip(from).take_while(|(read, _)| read == gone);
                old.extend(same.map(|(_, index)| *index));
            }
            check_truncation(evidence, verdict, partition, (*at_us, *to), &steps, &old);
        }
    }
}

/// Blames a reader that was beyond the end of what was left, and read on without a word. `old`: the steps at which it read
/// what is gone.
fn check_truncation(
    evidence: &Evidence<'_>,
    verdict: &mut Verdict,
    partition: &TopicPartition,
    (at_us, to): (u64, i64),
    steps: &[Step],
    old: &BTreeSet<usize>,
) {
    let start = steps.partition_point(|step| step.ended_us <= at_us);
    let mut cursor = start.checked_sub(1).and_then(|before| steps.get(before)).and_then(Step::cursor);
    for (index, step) in steps.iter().enumerate().skip(start) {
        // Only what it read before tells how far off it is.
        if cursor.is_none() && old.last().is_none_or(|last| *last < index) {
            break;
        }
        match step.what {
            Move::Read { .. } if old.contains(&index) => cursor = step.cursor(),
            Move::Read { offset, value } => {
                let Some(cursor) = cursor.take() else { continue };
                verdict.checked += 1;
                if cursor.next > to {
                    let place = Place::at(partition, offset).value(value);
                    verdict.blame(evidence, Clause::TruncationSilent, place, &[cursor.by, step.by], || {
                        let position = cursor.next;
                        format!("{partition} was truncated to {to}, its reader went on from {position} at {offset}")
                    });
                }
            }
            // One that was beyond the end, and says so, is what is asked for.
            Move::Sought => verdict.checked += u64::from(cursor.take().is_some_and(|cursor| cursor.next > to)),
            Move::Reassigned => cursor = None,
        }
    }
}

/// b. What was acknowledged at an offset that readers passed was read by somebody.
pub(super) fn lost_write(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    // Who is moved may pass over what it likes.
    let mut moved = BTreeSet::new();
    for (_, operation) in evidence.history.operations() {
        if let Action::Seek { partition, .. } = &operation.action {
            moved.insert(partition);
        }
    }
    let mut seen: Vec<Value> = Vec::new();
    let mut telling = BTreeSet::new();
    for (partition, reads) in &evidence.reads {
        if reads.iter().all(|read| read.value.is_some()) {
            telling.insert(*partition);
        }
        seen.extend(reads.iter().filter_map(|read| read.value));
    }
    seen.sort_unstable();
    for (id, operation) in evidence.history.operations() {
        let Some(send) = operation.action.as_send() else { continue };
        let (Some(partition), Some(offset)) = (&send.partition, send.offset) else { continue };
        // Of a transaction, only what was committed is to be seen by all.
        let judged = send.acks_all && evidence.took_effect((operation, send));
        if !judged || moved.contains(partition) || !telling.contains(partition) {
            continue;
        }
        if evidence.log(partition).is_some_and(|log| log.may_have_lost(offset, operation.invoked_us)) {
            continue;
        }
        let Some(reads) = evidence.reads.get(partition) else { continue };
        let (Some(first), Some(last)) = (reads.first(), reads.last()) else { continue };
        if !(first.offset..last.offset).contains(&offset) {
            continue;
        }
        verdict.checked += 1;
        if seen.binary_search(&send.value).is_err() {
            let place = Place::at(partition, offset).value(send.value);
            verdict.blame(evidence, Clause::NeverRead, place, &[id, last.poll], || {
                let passed = last.offset;
                format!(
                    "{} was acknowledged at {offset} of {partition}, readers reached {passed} without it",
                    send.value
                )
            });
        }
    }
}

/// c. A record that was sent once has one offset, and an offset one record, whoever tells.
pub(super) fn inconsistent_offsets(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let mut told: Vec<(Value, &TopicPartition, i64, OperationId)> = Vec::new();
    for (partition, reads) in &evidence.reads {
        told.extend(reads.iter().filter_map(|read| Some((read.value?, *partition, read.offset, read.poll))));
    }
    let acked = |(id, operation): (OperationId, &Operation)| {
        let send = operation.action.as_send().filter(|_| operation.outcome == Outcome::Ok)?;
        Some((send.value, send.partition.clone()?, send.offset.filter(|offset| *offset >= 0)?, id))
    };
    let acked: Vec<_> = evidence.history.operations().filter_map(acked).collect();
    told.extend(acked.iter().map(|(value, partition, offset, id)| (*value, partition, *offset, *id)));
    let truncated = |partition: &TopicPartition, offset: i64| {
        evidence.log(partition).is_some_and(|log| log.was_truncated_at(offset))
    };
    told.retain(|(_, partition, offset, _)| !truncated(partition, *offset));

    told.sort_unstable();
    for same in told.chunk_by(|one, next| one.0 == next.0) {
        let Some((value, ..)) = same.first() else { continue };
        let sends = evidence.sends_of(*value);
        // Without a word from its producer, nobody knows how often it was sent.
        let [(_, id)] = sends else { continue };
        if !evidence.send(*id).is_some_and(|(_, send)| send.idempotent) {
            continue;
        }
        verdict.checked += 1;
        let pairs = || same.iter().zip(same.iter().skip(1));
        if let Some((one, other)) = pairs().find(|(one, other)| (one.1, one.2) != (other.1, other.2)) {
            let place = Place::at(other.1, other.2).value(*value);
            verdict.blame(evidence, Clause::TwoOffsets, place, &[one.3, other.3], || {
                format!("{value} is told to be at {} of {} and at {} of {}", one.2, one.1, other.2, other.1)
            });
        }
    }
    told.sort_unstable_by(|one, other| (one.1, one.2, one.0).cmp(&(other.1, other.2, other.0)));
    for same in told.chunk_by(|one, next| (one.1, one.2) == (next.1, next.2)) {
        let (Some(one), Some(other)) = (same.first(), same.last()) else { continue };
        if same.len() > 1 {
            verdict.checked += 1;
        }
        if one.0 != other.0 {
            let place = Place::at(one.1, one.2).value(one.0);
            verdict.blame(evidence, Clause::TwoValues, place, &[one.3, other.3], || {
                format!("at offset {} of {} are {} and {}", one.2, one.1, one.0, other.0)
            });
        }
    }
}

fn text(value: Option<Value>) -> String {
    value.map_or_else(|| "a record".to_owned(), |value| value.to_string())
}
