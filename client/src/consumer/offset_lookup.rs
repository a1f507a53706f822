//! Which offset a partition has at a point: its first, its next, or the first at or after a time (`ListOffsets`).
//!
//! Before: [`positions`](super::positions) that reset, and the application's `beginning_offsets`, `end_offsets` and
//! `offsets_for_times`. After: one request per leader, and the answers go back to who asked. A leader that moved is
//! asked again where it is now; a call fails at its deadline.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tidemill_protocol::ErrorCode;
use tokio::sync::oneshot;
use tracing::debug;

use super::machine::Action;
use crate::cluster::Backoff;
use crate::cluster::Leader;
use crate::error::Error;
use crate::record::TopicPartition;

/// Which offset is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OffsetSpec {
    /// The first record that the log still holds.
    Earliest,
    /// The end: what the next record will get.
    Latest,
    /// The first record whose timestamp is this one or later, in milliseconds since 1970.
    Timestamp(i64),
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: i64,
    /// Of the record found by time; -1 otherwise.
    pub(super) timestamp: i64,
}

/// A `ListOffsets` request to one leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) token: u64,
    pub(super) broker: i32,
    /// Each partition once, with the leader epoch we know.
    pub(super) partitions: Vec<(TopicPartition, OffsetSpec, i32)>,
}

/// What a leader said about one partition; `None` when there is no such offset.
pub(super) type Answer = (TopicPartition, Result<Option<Found>, ErrorCode>);

/// What a call gets in the end.
pub(super) type Reply = Result<BTreeMap<TopicPartition, Option<Found>>, Error>;

#[derive(Debug)]
enum Asker {
    /// A position that resets.
    Reset {
        version: u64,
    },
    Call {
        id: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Due(Instant),
    Asked { token: u64 },
}

#[derive(Debug)]
struct Ask {
    partition: TopicPartition,
    spec: OffsetSpec,
    asker: Asker,
    state: State,
    failures: u32,
}

#[derive(Debug)]
struct Call {
    missing: usize,
    found: BTreeMap<TopicPartition, Option<Found>>,
    deadline: Instant,
    done: oneshot::Sender<Reply>,
}

/// All lookups under way.
#[derive(Debug)]
pub(super) struct OffsetLookup {
    asks: Vec<Ask>,
    calls: BTreeMap<u64, Call>,
    resets: Vec<(TopicPartition, u64, i64)>,
    errors: Vec<Error>,
    refresh: bool,
    ids: u64,
    backoff: Backoff,
    random: fastrand::Rng,
}

impl OffsetLookup {
    pub(super) fn new(backoff: Backoff, seed: u64) -> Self {
        Self {
            asks: Vec::new(),
            calls: BTreeMap::new(),
            resets: Vec::new(),
            errors: Vec::new(),
            refresh: false,
            ids: 0,
            backoff,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// A position needs an offset to start from.
    pub(super) fn handle_reset(&mut self, partition: TopicPartition, version: u64, spec: OffsetSpec, now: Instant) {
        self.asks.push(Ask { partition, spec, asker: Asker::Reset { version }, state: State::Due(now), failures: 0 });
    }

    /// The application wants to know.
    pub(super) fn handle_call(
        &mut self,
        wanted: BTreeMap<TopicPartition, OffsetSpec>,
        timeout: Duration,
        done: oneshot::Sender<Reply>,
        now: Instant,
    ) {
        if wanted.is_empty() {
            // Whoever asked may be gone: then nobody misses the answer.
            let _ = done.send(Ok(BTreeMap::new()));
            return;
        }
        self.ids += 1;
        let id = self.ids;
        self.calls.insert(id, Call { missing: wanted.len(), found: BTreeMap::new(), deadline: now + timeout, done });
        for (partition, spec) in wanted {
            let asker = Asker::Call { id };
            self.asks.push(Ask { partition, spec, asker, state: State::Due(now), failures: 0 });
        }
    }

    /// Resets found, with the version under which they were asked for.
    pub(super) fn take_resets(&mut self) -> Vec<(TopicPartition, u64, i64)> {
        std::mem::take(&mut self.resets)
    }

    /// What the application should hear about resets that do not get on.
    pub(super) fn take_errors(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.errors)
    }

    /// Forgets the resets of positions that have moved on.
    pub(super) fn retain_resets(&mut self, is_current: impl Fn(&TopicPartition, u64) -> bool) {
        self.asks.retain(|ask| match &ask.asker {
            Asker::Reset { version } => is_current(&ask.partition, *version),
            Asker::Call { .. } => true,
        });
    }

    /// A newer view of the cluster: who waited for a leader asks at once.
    pub(super) fn handle_metadata(&mut self, now: Instant) {
        for ask in &mut self.asks {
            if let State::Due(due) = &mut ask.state {
                *due = now.min(*due);
            }
        }
    }

    pub(super) fn poll(
        &mut self,
        now: Instant,
        leader_of: &dyn Fn(&TopicPartition) -> Option<Leader>,
        actions: &mut Vec<Action>,
    ) -> Option<Instant> {
        self.drop_calls(now);
        while let Some(plans) = self.plan(now, leader_of) {
            actions.extend(plans.into_values().map(Action::ListOffsets));
        }
        if std::mem::take(&mut self.refresh) {
            actions.push(Action::RefreshMetadata);
        }
        let due = self.asks.iter().filter_map(|ask| match ask.state {
            State::Due(due) => Some(due),
            State::Asked { .. } => None,
        });
        due.chain(self.calls.values().map(|call| call.deadline)).min()
    }

    /// One request per leader with what is due there, each partition at most once.
    fn plan(
        &mut self,
        now: Instant,
        leader_of: &dyn Fn(&TopicPartition) -> Option<Leader>,
    ) -> Option<BTreeMap<i32, Plan>> {
        let mut plans: BTreeMap<i32, Plan> = BTreeMap::new();
        for ask in &mut self.asks {
            if !matches!(ask.state, State::Due(due) if due <= now) {
                continue;
            }
            let Some(leader) = leader_of(&ask.partition) else {
                self.refresh = true;
                ask.state = State::Due(now + self.backoff.next(ask.failures, &mut self.random));
                ask.failures += 1;
                continue;
            };
            let plan = plans.entry(leader.broker).or_insert_with(|| {
                self.ids += 1;
                Plan { token: self.ids, broker: leader.broker, partitions: Vec::new() }
            });
            if plan.partitions.iter().any(|(partition, ..)| *partition == ask.partition) {
                continue; // asked for twice, with different questions: the next request
            }
            plan.partitions.push((ask.partition.clone(), ask.spec, leader.epoch));
            ask.state = State::Asked { token: plan.token };
        }
        Some(plans).filter(|plans| !plans.is_empty())
    }

    /// Nobody will be told anything more.
    pub(super) fn end(&mut self) {
        self.asks.clear();
        self.calls.clear();
    }

    /// No connection is let in: who waits is told. Positions wait for better times.
    pub(super) fn handle_refused(&mut self, error: &Error) {
        for call in std::mem::take(&mut self.calls).into_values() {
            // The caller may have given up meanwhile.
            let _ = call.done.send(Err(error.clone()));
        }
        self.asks.retain(|ask| !matches!(ask.asker, Asker::Call { .. }));
    }

    /// What the leader said, or that it said nothing.
    pub(super) fn handle_reply(&mut self, token: u64, reply: Result<Vec<Answer>, Error>, now: Instant) {
        let (answers, failure) = match reply {
            Ok(answers) => (answers, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let answers: BTreeMap<TopicPartition, Result<Option<Found>, ErrorCode>> = answers.into_iter().collect();
        let (asked, rest) =
            std::mem::take(&mut self.asks).into_iter().partition(|ask| ask.state == State::Asked { token });
        self.asks = rest;
        let asked: Vec<Ask> = asked;
        for mut ask in asked {
            let error = match (answers.get(&ask.partition), &failure) {
                (Some(Ok(found)), _) => {
                    self.settle(&ask, *found);
                    continue;
                }
                (Some(Err(code)), _) => {
                    self.refresh |= code.refreshes_metadata() || is_epoch_error(*code);
                    Error::broker("looking up an offset", *code).with_partition(ask.partition.clone())
                }
                (None, Some(error)) => {
                    self.refresh = true;
                    error.clone().with_partition(ask.partition.clone())
                }
                (None, None) => Error::protocol("the answer to ListOffsets leaves out what was asked")
                    .with_partition(ask.partition.clone()),
            };
            let again = error.is_retriable() || error.code().is_some_and(is_epoch_error);
            debug!(partition = %ask.partition, %error, again, "an offset was not found");
            match ask.asker {
                Asker::Call { id } if !again => {
                    if let Some(call) = self.calls.remove(&id) {
                        let _ = call.done.send(Err(error));
                    }
                    self.asks.retain(|other| !matches!(other.asker, Asker::Call { id: of } if of == id));
                }
                Asker::Call { id } if !self.calls.contains_key(&id) => {}
                Asker::Call { .. } | Asker::Reset { .. } => {
                    if !again {
                        self.errors.push(error);
                    }
                    ask.state = State::Due(now + self.backoff.next(ask.failures, &mut self.random));
                    ask.failures += 1;
                    self.asks.push(ask);
                }
            }
        }
    }

    fn settle(&mut self, ask: &Ask, found: Option<Found>) {
        match ask.asker {
            Asker::Reset { version } => {
                // The broker always knows both ends; should it not, the start of the log is where nothing is missed.
                let offset = found.map_or(0, |found| found.offset);
                self.resets.push((ask.partition.clone(), version, offset));
            }
            Asker::Call { id } => {
                let Some(call) = self.calls.get_mut(&id) else { return };
                call.found.insert(ask.partition.clone(), found);
                call.missing -= 1;
                if call.missing == 0
                    && let Some(call) = self.calls.remove(&id)
                {
                    let _ = call.done.send(Ok(call.found));
                }
            }
        }
    }

    /// Ends the calls whose time is up, and forgets those that nobody waits for.
    fn drop_calls(&mut self, now: Instant) {
        let over: Vec<u64> = self
            .calls
            .iter()
            .filter(|(_, call)| call.deadline <= now || call.done.is_closed())
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            let missing = self.asks.iter().find(|ask| matches!(ask.asker, Asker::Call { id: of } if of == id));
            let mut error = Error::timeout("looking up offsets");
            if let Some(ask) = missing {
                error = error.with_partition(ask.partition.clone());
            }
            self.asks.retain(|ask| !matches!(ask.asker, Asker::Call { id: of } if of == id));
            if let Some(call) = self.calls.remove(&id) {
                let _ = call.done.send(Err(error));
            }
        }
    }
}

/// Our leader epoch is not the broker's: whichever is behind, newer metadata or a moment helps.
fn is_epoch_error(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::UNKNOWN_LEADER_EPOCH)
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

    fn lookup() -> OffsetLookup {
        OffsetLookup::new(Backoff::new(Duration::from_millis(100), Duration::from_secs(1)), 1)
    }

    /// Even partitions are led by broker 0, odd ones by broker 1.
    fn by_parity(partition: &TopicPartition) -> Option<Leader> {
        Some(Leader { broker: partition.partition % 2, epoch: 3, topic_id: uuid::Uuid::nil() })
    }

    fn plans(lookup: &mut OffsetLookup, now: Instant) -> Vec<Plan> {
        let mut actions = Vec::new();
        lookup.poll(now, &by_parity, &mut actions);
        actions
            .into_iter()
            .filter_map(|action| if let Action::ListOffsets(plan) = action { Some(plan) } else { None })
            .collect()
    }

    fn found(offset: i64) -> Result<Option<Found>, ErrorCode> {
        Ok(Some(Found { offset, timestamp: -1 }))
    }

    fn call(lookup: &mut OffsetLookup, numbers: &[i32], now: Instant) -> oneshot::Receiver<Reply> {
        let (done, reply) = oneshot::channel();
        let wanted = numbers.iter().map(|number| (partition(*number), OffsetSpec::Latest)).collect();
        lookup.handle_call(wanted, Duration::from_secs(10), done, now);
        reply
    }

    #[test]
    fn each_leader_is_asked_once_and_the_answers_come_together() {
        let (mut lookup, now) = (lookup(), start());
        let mut reply = call(&mut lookup, &[0, 1, 2], now);
        let plans = plans(&mut lookup, now);
        assert_eq!(plans.iter().map(|plan| plan.partitions.len()).collect::<Vec<_>>(), [2, 1]);
        lookup.handle_reply(plans[1].token, Ok(vec![(partition(1), found(11))]), now);
        assert!(reply.try_recv().is_err());
        lookup.handle_reply(plans[0].token, Ok(vec![(partition(0), found(10)), (partition(2), found(12))]), now);
        let offsets = reply.try_recv().unwrap().unwrap();
        assert_eq!(offsets.values().map(|found| found.unwrap().offset).collect::<Vec<_>>(), [10, 11, 12]);
    }

    #[test]
    fn a_leader_that_moved_is_asked_again_after_a_refresh() {
        let (mut lookup, now) = (lookup(), start());
        let mut reply = call(&mut lookup, &[0], now);
        let token = plans(&mut lookup, now)[0].token;
        lookup.handle_reply(token, Ok(vec![(partition(0), Err(ErrorCode::NOT_LEADER_OR_FOLLOWER))]), now);
        let mut actions = Vec::new();
        let wake_at = lookup.poll(now, &by_parity, &mut actions).unwrap();
        assert!(matches!(actions[..], [Action::RefreshMetadata]));
        let token = plans(&mut lookup, wake_at)[0].token;
        lookup.handle_reply(token, Ok(vec![(partition(0), found(5))]), now);
        assert!(reply.try_recv().unwrap().is_ok());
    }

    #[test]
    fn an_error_that_stays_ends_the_call_with_it() {
        let (mut lookup, now) = (lookup(), start());
        let mut reply = call(&mut lookup, &[0, 1], now);
        let token = plans(&mut lookup, now)[0].token;
        lookup.handle_reply(token, Ok(vec![(partition(0), Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED))]), now);
        let error = reply.try_recv().unwrap().unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
        assert!(lookup.calls.is_empty() && lookup.asks.is_empty());
    }

    #[test]
    fn a_call_ends_at_its_deadline_and_one_nobody_waits_for_at_once() {
        let (mut lookup, now) = (lookup(), start());
        let mut reply = call(&mut lookup, &[0], now);
        drop(call(&mut lookup, &[1], now));
        assert_eq!(plans(&mut lookup, now).len(), 1);
        lookup.poll(now + Duration::from_secs(10), &by_parity, &mut Vec::new());
        assert!(reply.try_recv().unwrap().is_err());
        assert!(lookup.calls.is_empty() && lookup.asks.is_empty());
    }

    #[test]
    fn two_questions_about_one_partition_are_two_requests() {
        let (mut lookup, now) = (lookup(), start());
        lookup.handle_reset(partition(0), 1, OffsetSpec::Earliest, now);
        let _reply = call(&mut lookup, &[0], now);
        let plans = plans(&mut lookup, now);
        assert_eq!(plans.len(), 2);
        lookup.handle_reply(plans[0].token, Ok(vec![(partition(0), found(3))]), now);
        assert_eq!(lookup.take_resets(), [(partition(0), 1, 3)]);
    }

    #[test]
    fn without_a_leader_metadata_is_asked_for() {
        let (mut lookup, now) = (lookup(), start());
        lookup.handle_reset(partition(0), 1, OffsetSpec::Earliest, now);
        let mut actions = Vec::new();
        lookup.poll(now, &|_| None, &mut actions);
        assert!(matches!(actions[..], [Action::RefreshMetadata]));
        lookup.handle_metadata(now);
        assert_eq!(plans(&mut lookup, now).len(), 1);
    }
}
