//! What the group has committed (`OffsetFetch`), for positions that start and for whoever asks.
//!
//! Before: [`positions`](super::positions) that await a committed offset, and
//! [`Consumer::committed`](super::Consumer::committed). After: the group's coordinator is asked, again if need be,
//! and the answers go back to who asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tidemill_protocol::ErrorCode;
use tokio::sync::oneshot;
use tracing::debug;

use super::OffsetAndMetadata;
use super::machine::Action;
use crate::cluster::Backoff;
use crate::error::Error;
use crate::record::TopicPartition;

/// An `OffsetFetch` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) token: u64,
    pub(super) partitions: Vec<TopicPartition>,
}

/// What the coordinator says: as a whole, or of each partition; `None` where nothing is committed.
pub(super) type Answer = Result<Vec<(TopicPartition, Result<Option<OffsetAndMetadata>, ErrorCode>)>, ErrorCode>;

/// What a call gets in the end.
pub(super) type Reply = Result<BTreeMap<TopicPartition, Option<OffsetAndMetadata>>, Error>;

/// A position, its version when it was asked for, and offset and leader epoch of what is committed, if anything.
pub(super) type Found = (TopicPartition, u64, Option<(i64, i32)>);

#[derive(Debug)]
enum Asker {
    /// Positions that start, each with its version.
    Positions(BTreeMap<TopicPartition, u64>),
    Call {
        deadline: Instant,
        done: oneshot::Sender<Reply>,
    },
}

#[derive(Debug)]
struct Ask {
    /// Those still to be answered.
    missing: Vec<TopicPartition>,
    found: BTreeMap<TopicPartition, Option<OffsetAndMetadata>>,
    asker: Asker,
    /// When to send; none while an answer is awaited.
    due: Option<Instant>,
    token: u64,
    failures: u32,
}

/// All questions under way.
#[derive(Debug)]
pub(super) struct Committed {
    asks: Vec<Ask>,
    found: Vec<Found>,
    errors: Vec<Error>,
    moved: bool,
    tokens: u64,
    backoff: Backoff,
    random: fastrand::Rng,
}

impl Committed {
    pub(super) fn new(backoff: Backoff, seed: u64) -> Self {
        Self {
            asks: Vec::new(),
            found: Vec::new(),
            errors: Vec::new(),
            moved: false,
            tokens: 0,
            backoff,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Positions need their committed offsets to start from.
    pub(super) fn handle_positions(&mut self, awaiting: Vec<(TopicPartition, u64)>, now: Instant) {
        if !awaiting.is_empty() {
            let missing = awaiting.iter().map(|(partition, _)| partition.clone()).collect();
            self.ask(missing, Asker::Positions(awaiting.into_iter().collect()), now);
        }
    }

    /// The application wants to know.
    pub(super) fn handle_call(
        &mut self,
        partitions: Vec<TopicPartition>,
        timeout: Duration,
        done: oneshot::Sender<Reply>,
        now: Instant,
    ) {
        if partitions.is_empty() {
            // Whoever asked may be gone: then nobody misses the answer.
            let _ = done.send(Ok(BTreeMap::new()));
            return;
        }
        self.ask(partitions, Asker::Call { deadline: now + timeout, done }, now);
    }

    fn ask(&mut self, missing: Vec<TopicPartition>, asker: Asker, now: Instant) {
        self.asks.push(Ask { missing, found: BTreeMap::new(), asker, due: Some(now), token: 0, failures: 0 });
    }

    /// Committed offsets of positions with their leader epochs, and the version under which they were asked for.
    pub(super) fn take_found(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.found)
    }

    /// What the application should hear about positions that cannot start.
    pub(super) fn take_errors(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.errors)
    }

    /// Forgets positions that have moved on.
    pub(super) fn retain_positions(&mut self, is_current: impl Fn(&TopicPartition, u64) -> bool) {
        self.asks.retain_mut(|ask| match &mut ask.asker {
            Asker::Positions(versions) => {
                versions.retain(|partition, version| is_current(partition, *version));
                ask.missing.retain(|partition| versions.contains_key(partition));
                !ask.missing.is_empty()
            }
            Asker::Call { .. } => true,
        });
    }

    pub(super) fn poll(&mut self, now: Instant, actions: &mut Vec<Action>) -> Option<Instant> {
        for ask in std::mem::take(&mut self.asks) {
            match ask.asker {
                Asker::Call { deadline, done } if deadline <= now => {
                    let _ = done.send(Err(Error::timeout("asking for committed offsets")));
                }
                Asker::Call { ref done, .. } if done.is_closed() => {}
                Asker::Call { .. } | Asker::Positions(_) => self.asks.push(ask),
            }
        }
        if std::mem::take(&mut self.moved) {
            actions.push(Action::CoordinatorMoved);
        }
        let mut wake_at = None;
        for ask in &mut self.asks {
            let deadline = match &ask.asker {
                Asker::Call { deadline, .. } => Some(*deadline),
                Asker::Positions(_) => None,
            };
            if ask.due.is_some_and(|due| due <= now) {
                self.tokens += 1;
                (ask.due, ask.token) = (None, self.tokens);
                actions.push(Action::FetchCommitted(Plan { token: ask.token, partitions: ask.missing.clone() }));
            }
            wake_at = [wake_at, deadline, ask.due].into_iter().flatten().min();
        }
        wake_at
    }

    /// Nobody will be told anything more.
    pub(super) fn end(&mut self) {
        self.asks.clear();
    }

    /// What the coordinator said, or that it said nothing.
    pub(super) fn handle_reply(&mut self, token: u64, reply: Result<Answer, Error>, now: Instant) {
        let Some(index) = self.asks.iter().position(|ask| ask.due.is_none() && ask.token == token) else { return };
        let mut ask = self.asks.swap_remove(index);
        let refused = |code| Error::broker("asking for committed offsets", code);
        let failure = match reply {
            Ok(Ok(answers)) => {
                let mut failure = None;
                for (partition, answer) in answers {
                    match answer {
                        Ok(found) if ask.missing.contains(&partition) => {
                            ask.missing.retain(|missing| *missing != partition);
                            ask.found.insert(partition, found);
                        }
                        Ok(_) => {}
                        Err(code) => failure = Some(refused(code).with_partition(partition)),
                    }
                }
                match failure {
                    None if !ask.missing.is_empty() => {
                        Some(Error::protocol("the answer to OffsetFetch leaves out what was asked"))
                    }
                    failure => failure,
                }
            }
            Ok(Err(code)) => Some(refused(code)),
            Err(error) => Some(error),
        };
        if let Asker::Positions(versions) = &ask.asker {
            for (partition, found) in std::mem::take(&mut ask.found) {
                let version = versions.get(&partition).copied().unwrap_or_default();
                let found = found.map(|found| (found.offset, found.leader_epoch.unwrap_or(-1)));
                self.found.push((partition, version, found));
            }
        }
        let Some(error) = failure else {
            if let Asker::Call { done, .. } = ask.asker {
                let _ = done.send(Ok(ask.found));
            }
            return;
        };
        debug!(%error, "committed offsets are not known yet");
        self.moved |= match error.code() {
            Some(code) => matches!(code, ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE),
            None => true,
        };
        if !error.is_retriable() {
            match ask.asker {
                Asker::Call { done, .. } => {
                    let _ = done.send(Err(error));
                    return;
                }
                Asker::Positions(_) => self.errors.push(error),
            }
        }
        ask.due = Some(now + self.backoff.next(ask.failures, &mut self.random));
        ask.failures += 1;
        self.asks.push(ask);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
    fn start() -> Instant {
        Instant::now()
    }

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: Arc::from("orders"), partition: number }
    }

    fn machine() -> Committed {
        Committed::new(Backoff::new(Duration::from_millis(100), Duration::from_secs(1)), 1)
    }

    fn poll(machine: &mut Committed, now: Instant) -> (Vec<Action>, Option<Instant>) {
        let mut actions = Vec::new();
        let wake_at = machine.poll(now, &mut actions);
        (actions, wake_at)
    }

    fn token(actions: &[Action]) -> u64 {
        let mut plans = actions
            .iter()
            .filter_map(|action| if let Action::FetchCommitted(plan) = action { Some(plan.token) } else { None });
        plans.next_back().expect("no OffsetFetch")
    }

    #[test]
    fn positions_hear_of_what_is_committed_and_of_what_is_not() {
        let (mut machine, now) = (machine(), start());
        machine.handle_positions(vec![(partition(0), 4), (partition(1), 5)], now);
        let sent = token(&poll(&mut machine, now).0);
        let answers = vec![(partition(0), Ok(Some(9.into()))), (partition(1), Ok(None))];
        machine.handle_reply(sent, Ok(Ok(answers)), now);
        assert_eq!(machine.take_found(), [(partition(0), 4, Some((9, -1))), (partition(1), 5, None)]);
        assert!(poll(&mut machine, now).0.is_empty());
    }

    #[test]
    fn offsets_of_a_transaction_under_way_are_waited_for_and_the_rest_is_used_at_once() {
        let (mut machine, now) = (machine(), start());
        machine.handle_positions(vec![(partition(0), 4), (partition(1), 5)], now);
        let sent = token(&poll(&mut machine, now).0);
        let answers = vec![(partition(0), Ok(Some(9.into()))), (partition(1), Err(ErrorCode::UNSTABLE_OFFSET_COMMIT))];
        machine.handle_reply(sent, Ok(Ok(answers)), now);
        assert_eq!(machine.take_found().len(), 1);
        let (actions, wake_at) = poll(&mut machine, now);
        assert!(actions.is_empty());
        let (actions, _) = poll(&mut machine, wake_at.unwrap());
        assert!(matches!(&actions[..], [Action::FetchCommitted(plan)] if plan.partitions == [partition(1)]));
    }

    #[test]
    fn a_coordinator_that_moved_is_looked_for() {
        let (mut machine, now) = (machine(), start());
        let (done, mut reply) = oneshot::channel();
        machine.handle_call(vec![partition(0)], Duration::from_secs(10), done, now);
        let sent = token(&poll(&mut machine, now).0);
        machine.handle_reply(sent, Ok(Err(ErrorCode::NOT_COORDINATOR)), now);
        let (actions, wake_at) = poll(&mut machine, now);
        assert!(matches!(actions[..], [Action::CoordinatorMoved]));
        let sent = token(&poll(&mut machine, wake_at.unwrap()).0);
        machine.handle_reply(sent, Ok(Ok(vec![(partition(0), Ok(Some(3.into())))])), now);
        assert_eq!(reply.try_recv().unwrap().unwrap()[&partition(0)], Some(3.into()));
    }

    #[test]
    fn a_call_without_an_answer_ends_at_its_deadline() {
        let (mut machine, now) = (machine(), start());
        let (done, mut reply) = oneshot::channel();
        machine.handle_call(vec![partition(0)], Duration::from_secs(10), done, now);
        poll(&mut machine, now);
        poll(&mut machine, now + Duration::from_secs(10));
        assert!(reply.try_recv().unwrap().is_err());
        assert!(machine.asks.is_empty());
    }

    #[test]
    fn a_position_that_moved_on_is_not_asked_for_again() {
        let (mut machine, now) = (machine(), start());
        machine.handle_positions(vec![(partition(0), 4), (partition(1), 5)], now);
        machine.retain_positions(|_, version| version == 5);
        let (actions, _) = poll(&mut machine, now);
        assert!(matches!(&actions[..], [Action::FetchCommitted(plan)] if plan.partitions == [partition(1)]));
    }
}
