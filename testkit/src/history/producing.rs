//! What producers wrote against what the logs have: invariants 1 to 4.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Evidence;
use super::operation::{ClientId, OperationId, Outcome, TopicPartition, Value};
use super::violation::{Clause, Place, Verdict};

/// 1. Acknowledged by all replicas: in the log, and once.
pub(super) fn acked_in_log_once(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    for (value, sends) in evidence.sends_by_value() {
        let found = evidence.found(value);
        let acked = sends.iter().filter_map(|(_, id)| {
            let (operation, send) = evidence.send(*id)?;
            let judged = operation.outcome == Outcome::Ok && send.acks_all && !evidence.may_be_gone(operation, send);
            judged.then_some((*id, send))
        });
        let acked: Vec<_> = acked.collect();
        verdict.checked += u64::try_from(acked.len()).unwrap_or(u64::MAX);
        if acked.is_empty() {
            continue;
        }
        let (mut there, mut told) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
        let mut places = BTreeSet::new();
        for found in found {
            *there.entry(found.partition).or_default() += 1;
            places.insert((found.partition, found.entry.offset));
        }
        for (_, send) in &acked {
            *told.entry(send.partition.as_ref()).or_default() += 1;
        }
        let there = |partition: Option<&TopicPartition>| match partition {
            Some(partition) => there.get(partition).copied().unwrap_or_default(),
            None => found.len(),
        };
        // Who was told an offset where the record is misses nothing; the rest share what is left.
        let missing = acked.iter().filter(|(_, send)| {
            let partition = send.partition.as_ref();
            let place = partition.zip(send.offset);
            there(partition) < told.get(&partition).copied().unwrap_or_default()
                && !place.is_some_and(|place| places.contains(&place))
        });
        for (id, send) in missing {
            let place = Place { partition: send.partition.as_ref(), offset: send.offset, value: Some(value) };
            verdict.blame(evidence, Clause::AckedMissing, place, &[*id], || {
                format!("{value} was acknowledged and is {} times in the log", there(send.partition.as_ref()))
            });
        }
        let sent: Vec<OperationId> = sends.iter().map(|(_, id)| *id).collect();
        if found.len() > possible(evidence, &sent) && acked.iter().all(|(_, send)| send.idempotent) {
            twice(evidence, verdict, Clause::AckedTwice, value, &sent);
        }
    }
}

/// 2. Failed for certain: not in the log.
pub(super) fn failed_absent(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    if evidence.history.logs.partitions.is_empty() {
        return;
    }
    for (value, sends) in evidence.sends_by_value() {
        let sent: Vec<OperationId> = sends.iter().map(|(_, id)| *id).collect();
        let failed = evidence.count(&sent, Outcome::Failed);
        verdict.checked += u64::try_from(failed).unwrap_or(u64::MAX);
        if failed == 0 || possible(evidence, &sent) > 0 {
            continue;
        }
        for found in evidence.found(value) {
            let place = Place::at(found.partition, found.entry.offset).value(value);
            verdict.blame(evidence, Clause::FailedPresent, place, &sent, || {
                format!("{value} failed and is in {} at offset {}", found.partition, found.entry.offset)
            });
        }
    }
}

/// 3. Written by an idempotent producer: never twice, whatever became of it.
pub(super) fn idempotent_once(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    if evidence.history.logs.partitions.is_empty() {
        return;
    }
    for (value, sends) in evidence.sends_by_value() {
        if !sends.iter().all(|(_, id)| evidence.send(*id).is_some_and(|(_, send)| send.idempotent)) {
            continue;
        }
        verdict.checked += 1;
        let sent: Vec<OperationId> = sends.iter().map(|(_, id)| *id).collect();
        if evidence.found(value).len() > possible(evidence, &sent).max(1) {
            twice(evidence, verdict, Clause::WrittenTwice, value, &sent);
        }
    }
}

/// 4. The order of sending is the order of the log, and of the offsets that were told, which are true.
pub(super) fn send_order(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let mut sends = BTreeMap::<(ClientId, &TopicPartition), Vec<(u64, OperationId)>>::new();
    for (id, operation) in evidence.history.operations() {
        let Some(send) = operation.action.as_send() else { continue };
        let (Some(partition), true) = (&send.partition, operation.outcome != Outcome::Failed) else { continue };
        if let (Outcome::Ok, Some(offset)) = (operation.outcome, send.offset)
            && let Some(log) = evidence.log(partition)
            && !log.may_have_lost(offset, operation.invoked_us)
            && offset >= 0
        {
            verdict.checked += 1;
            let there = log.at(offset).and_then(super::Entry::value);
            if there != Some(send.value) {
                let place = Place::at(partition, offset).value(send.value);
                verdict.blame(evidence, Clause::OffsetUntrue, place, &[id], || {
                    let there = there.map_or_else(|| "no record".to_owned(), |value| value.to_string());
                    format!("{} was told offset {offset} of {partition}, where {there} is", send.value)
                });
            }
        }
        if send.idempotent {
            sends.entry((operation.client, partition)).or_default().push((send.sequence, id));
        }
    }
    for ((_, partition), mut sends) in sends {
        sends.sort_unstable();
        let (mut told, mut lies) = (None::<(i64, OperationId)>, None::<(i64, OperationId)>);
        for (_, id) in sends {
            let Some((operation, send)) = evidence.send(id) else { continue };
            verdict.checked += 1;
            if let Some(entry) = evidence.only_place(send) {
                if let Some((earlier, before)) = lies.filter(|(earlier, _)| *earlier >= entry.offset) {
                    let place = Place::at(partition, entry.offset).value(send.value);
                    verdict.blame(evidence, Clause::OutOfOrder, place, &[before, id], || {
                        format!("in {partition}, {} lies at {}, before {earlier}", send.value, entry.offset)
                    });
                }
                lies = Some((entry.offset, id));
            }
            let Some(offset) = send.offset.filter(|offset| operation.outcome == Outcome::Ok && *offset >= 0) else {
                continue;
            };
            let truncated = evidence.log(partition).is_some_and(|log| log.was_truncated_at(offset));
            if let Some((earlier, before)) = told.filter(|(earlier, _)| *earlier >= offset && !truncated) {
                let place = Place::at(partition, offset).value(send.value);
                verdict.blame(evidence, Clause::OffsetsNotIncreasing, place, &[before, id], || {
                    format!("in {partition}, {} was told offset {offset} after {earlier}", send.value)
                });
            }
            told = Some((offset, id));
        }
    }
}

/// How many of these sends may have been written.
fn possible(evidence: &Evidence<'_>, sends: &[OperationId]) -> usize {
    evidence.count(sends, Outcome::Ok) + evidence.count(sends, Outcome::Unknown)
}

fn twice(evidence: &Evidence<'_>, verdict: &mut Verdict, clause: Clause, value: Value, sends: &[OperationId]) {
    let found = evidence.found(value);
    let place = found.last().map_or_else(|| Place::of(value), |last| Place::at(last.partition, last.entry.offset));
    verdict.blame(evidence, clause, place.value(value), sends, || {
        let places = found.iter().take(8).map(|found| format!("{} at {}", found.partition, found.entry.offset));
        let places: Vec<String> = places.collect();
        format!("{value} was sent {} times and is in {}", sends.len(), places.join(" and "))
    });
}
