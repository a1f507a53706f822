//! That things end, in time and within their limits: invariants 12 to 15.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Evidence, Moment};
use super::operation::{Action, ClientId, Isolation, OperationId, Outcome, Quantity, TopicPartition};
use super::violation::{Clause, Place, Verdict};

/// Who reads on: a group, or a consumer that is in none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Reader<'a> {
    Group(&'a str),
    Alone(ClientId),
}

/// What a reader has come to, step by step: the offset, when, and by which operation.
type Steps = Vec<(i64, u64, OperationId)>;

/// 12. When nothing is broken any more, every reader reaches the end of what it reads, in bounded time.
pub(super) fn catches_up(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let history = evidence.history;
    let Some(healed_us) = history.healed_us else { return };
    // What is written after the healing, or committed, starts the time anew.
    let mut written_us = BTreeMap::<&TopicPartition, u64>::new();
    let mut committed_us = healed_us;
    let mut reached = BTreeMap::<(Reader<'_>, &TopicPartition), Steps>::new();
    let mut members = BTreeMap::<Reader<'_>, BTreeSet<ClientId>>::new();
    let mut isolation = BTreeMap::<Reader<'_>, Isolation>::new();
    let mut gone = BTreeMap::<ClientId, u64>::new();
    for (id, operation) in evidence.succeeded() {
        let client = operation.client;
        let ended_us = operation.ended_us.unwrap_or(operation.invoked_us);
        let reader = evidence.groups.get(&client).map_or(Reader::Alone(client), |group| Reader::Group(group));
        if let Action::Send(send) = &operation.action {
            if let Some(partition) = &send.partition {
                written_us.insert(partition, ended_us);
            }
        } else if let Action::Commit(_) = &operation.action {
            committed_us = committed_us.max(ended_us);
        } else if let Action::Poll(poll) = &operation.action {
            members.entry(reader).or_default().insert(client);
            let least = isolation.entry(reader).or_insert(poll.isolation);
            *least = (*least).max(poll.isolation);
            for read in &poll.records {
                let steps = reached.entry((reader, &read.partition)).or_default();
                if steps.last().is_none_or(|(offset, ..)| *offset < read.offset) {
                    steps.push((read.offset, ended_us, id));
                }
            }
        } else if let Action::Seek { partition, offset, .. } | Action::Position { partition, offset } =
            &operation.action
        {
            let steps = reached.entry((reader, partition)).or_default();
            if steps.last().is_none_or(|(reached, ..)| reached < offset) {
                steps.push((offset.saturating_sub(1), ended_us, id));
            }
        } else if let Action::Assigned { partitions, .. } = &operation.action {
            members.entry(reader).or_default().insert(client);
            for partition in partitions {
                reached.entry((reader, partition)).or_default();
            }
        } else if matches!(operation.action, Action::Close | Action::Crash) {
            gone.insert(client, ended_us);
        }
    }
    for ((reader, partition), steps) in reached {
        let Some(log) = evidence.log(partition) else { continue };
        let isolation = isolation.get(&reader).copied().unwrap_or(Isolation::ReadCommitted);
        // What nobody was told to be there may have come at any time.
        let mut due = log.entries().iter().rev().filter(|entry| entry.is_visible(isolation));
        let Some(last) = due.find(|entry| entry.value().is_some_and(|value| evidence.is_certain(value))) else {
            continue;
        };
        let from_us = written_us.get(partition).copied().unwrap_or_default().max(committed_us);
        let until_us = from_us.saturating_add(history.limits.catch_up_us);
        let reads_on = members
            .get(&reader)
            .is_some_and(|members| members.iter().any(|member| gone.get(member).is_none_or(|gone| *gone > until_us)));
        if history.watched_until_us < until_us || !reads_on {
            continue;
        }
        verdict.checked += 1;
        let there = steps.iter().find(|(offset, ..)| *offset >= last.offset);
        if there.is_none_or(|(_, at_us, _)| *at_us > until_us) {
            let operations: Vec<OperationId> = steps.last().map(|step| step.2).into_iter().collect();
            let place = Place::at(partition, last.offset).value(last.value());
            verdict.blame(evidence, Clause::StaysBehind, place, &operations, || {
                let late = there.map_or_else(|| "never".to_owned(), |(_, at_us, _)| format!("at {at_us} us"));
                format!("{reader:?} was to reach {} of {partition} by {until_us} us, and did {late}", last.offset)
            });
        }
    }
}

/// 13. Flush and close end when all that was sent before has its outcome.
pub(super) fn flush_complete(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let slack_us = evidence.history.limits.flush_late_us;
    // What is sent and has no outcome, and when the last had.
    let mut open = BTreeMap::<ClientId, BTreeSet<OperationId>>::new();
    let mut waiting = BTreeMap::<ClientId, Vec<Waiting>>::new();
    for moment in evidence.moments() {
        match moment {
            Moment::Invoked(id, operation) => {
                if matches!(operation.action, Action::Send(_)) {
                    open.entry(operation.client).or_default().insert(id);
                } else if matches!(operation.action, Action::Flush | Action::Close) && operation.ended_us.is_some() {
                    // One that never ends is for others to judge.
                    let open = open.get(&operation.client).map_or(0, BTreeSet::len);
                    let wait = Waiting { flush: id, open, done_us: operation.invoked_us };
                    waiting.entry(operation.client).or_default().push(wait);
                }
            }
            Moment::Ended(id, operation) => {
                if matches!(operation.action, Action::Send(_)) {
                    open.entry(operation.client).or_default().remove(&id);
                    let ended_us = operation.ended_us.unwrap_or_default();
                    // An operation that began earlier has the lower number.
                    for wait in waiting.entry(operation.client).or_default().iter_mut().filter(|wait| id < wait.flush) {
                        wait.open = wait.open.saturating_sub(1);
                        wait.done_us = wait.done_us.max(ended_us);
                    }
                } else if matches!(operation.action, Action::Flush | Action::Close) {
                    let waiting = waiting.entry(operation.client).or_default();
                    let Some(at) = waiting.iter().position(|wait| wait.flush == id) else { continue };
                    let wait = waiting.swap_remove(at);
                    if operation.outcome != Outcome::Ok {
                        continue;
                    }
                    verdict.checked += 1;
                    let ended_us = operation.ended_us.unwrap_or_default();
                    if wait.open > 0 {
                        let left = open.get(&operation.client).and_then(|open| open.first()).copied();
                        let operations: Vec<OperationId> = [Some(id), left].into_iter().flatten().collect();
                        verdict.blame(evidence, Clause::EndedEarly, Place::default(), &operations, || {
                            format!("{} sends of client {} had no outcome", wait.open, operation.client.0)
                        });
                    } else if ended_us > wait.done_us.saturating_add(slack_us) {
                        verdict.blame(evidence, Clause::EndedLate, Place::default(), &[id], || {
                            format!("the last outcome came at {} us, the end at {ended_us} us", wait.done_us)
                        });
                    }
                }
            }
        }
    }
}

/// A flush that has not ended.
struct Waiting {
    flush: OperationId,
    /// How many sends it waits for.
    open: usize,
    /// When the last of them had its outcome.
    done_us: u64,
}

/// 14. Everything ends, unless its client was killed; and no run takes much longer than what happens in it.
pub(super) fn no_hang(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    let limit_us = evidence.history.limits.operation_us;
    let mut crashed = BTreeMap::new();
    for (_, operation) in evidence.history.operations() {
        if operation.action == Action::Crash {
            crashed.insert(operation.client, operation.invoked_us);
        }
    }
    for (id, operation) in evidence.history.operations() {
        verdict.checked += 1;
        let seen_us = evidence.history.watched_until_us;
        let until_us = operation.ended_us.or_else(|| crashed.get(&operation.client).copied()).unwrap_or(seen_us);
        let took_us = until_us.saturating_sub(operation.invoked_us);
        if took_us > limit_us {
            verdict.blame(evidence, Clause::Hangs, Place::default(), &[id], || {
                format!("an operation took {took_us} us, and may take {limit_us}")
            });
        }
        if let Action::Measure { quantity: Quantity::WallTime, amount, limit } = &operation.action
            && amount > limit
        {
            verdict.blame(evidence, Clause::Spins, Place::default(), &[id], || {
                format!("the run took {amount} us of real time, and may take {limit}")
            });
        }
    }
}

/// 15. Memory within its limit; no task and no socket after close.
pub(super) fn bounded(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    for (id, operation) in evidence.history.operations() {
        let Action::Measure { quantity, amount, limit } = &operation.action else { continue };
        match quantity {
            Quantity::BufferedBytes | Quantity::TasksAfterClose | Quantity::SocketsAfterClose => verdict.checked += 1,
            Quantity::WallTime => continue,
        }
        if amount > limit {
            verdict.blame(evidence, Clause::OverLimit, Place::default(), &[id], || {
                format!("{quantity:?} is {amount}, and may be {limit}")
            });
        }
    }
}
