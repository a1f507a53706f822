//! Commits: which offsets the group is told, in which order, and who hears how it went.
//!
//! Before: [`Consumer::commit`](super::Consumer::commit), [`commit_offsets`](super::Consumer::commit_offsets), and the
//! interval of `enable.auto.commit`. After: one `OffsetCommit` at a time to the group's coordinator.
//!
//! One at a time is what keeps a committed offset from going back: were two under way, the older could be the one that
//! is retried last. What is asked for meanwhile waits and is merged, the later value of a partition winning; what has
//! to be retried is merged beneath it. Nothing else in the consumer waits for a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tidemill_protocol::ErrorCode;
use tokio::sync::oneshot;
use tracing::{debug, warn};

use super::OffsetAndMetadata;
use super::machine::Action;
use super::membership::{Committer, Identity};
use crate::cluster::Backoff;
use crate::error::Error;
use crate::record::TopicPartition;

/// The offsets of some partitions.
pub(super) type Offsets = BTreeMap<TopicPartition, OffsetAndMetadata>;

/// An `OffsetCommit` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) token: u64,
    pub(super) identity: Identity,
    pub(super) offsets: Offsets,
}

/// What the coordinator says of each partition.
pub(super) type Answer = Vec<(TopicPartition, Result<(), ErrorCode>)>;

/// Somebody who waits for a commit.
#[derive(Debug)]
struct Waiter {
    missing: BTreeSet<TopicPartition>,
    deadline: Instant,
    done: oneshot::Sender<Result<(), Error>>,
}

#[derive(Debug)]
struct InFlight {
    token: u64,
    identity: Identity,
    offsets: Offsets,
    waiters: Vec<Waiter>,
}

/// All commits under way.
#[derive(Debug)]
pub(super) struct Commits {
    pending: Offsets,
    waiters: Vec<Waiter>,
    in_flight: Option<InFlight>,
    /// Not before this, after a failure.
    retry_at: Option<Instant>,
    failures: u32,
    /// What the coordinator acknowledged last.
    committed: BTreeMap<TopicPartition, i64>,
    auto_commit_interval: Option<Duration>,
    auto_commit_at: Option<Instant>,
    refused: Vec<(Identity, ErrorCode)>,
    moved: bool,
    tokens: u64,
    backoff: Backoff,
    random: fastrand::Rng,
}

impl Commits {
    pub(super) fn new(auto_commit_interval: Option<Duration>, backoff: Backoff, seed: u64) -> Self {
        Self {
            pending: Offsets::new(),
            waiters: Vec::new(),
            in_flight: None,
            retry_at: None,
            failures: 0,
            committed: BTreeMap::new(),
            auto_commit_interval,
            auto_commit_at: None,
            refused: Vec::new(),
            moved: false,
            tokens: 0,
            backoff,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The application commits these offsets.
    pub(super) fn handle_commit(
        &mut self,
        offsets: Offsets,
        timeout: Duration,
        done: oneshot::Sender<Result<(), Error>>,
        now: Instant,
    ) {
        if offsets.is_empty() {
            // Whoever asked may be gone: then nobody misses the answer.
            let _ = done.send(Ok(()));
            return;
        }
        let missing = offsets.keys().cloned().collect();
        self.pending.extend(offsets);
        self.waiters.push(Waiter { missing, deadline: now + timeout, done });
    }

    /// Commits what the application is through with. Offsets that it commits itself are left to it, and so is what is
    /// committed further already.
    pub(super) fn handle_processed<'a>(
        &mut self,
        processed: impl Iterator<Item = (&'a TopicPartition, OffsetAndMetadata)>,
    ) {
        for (partition, offset) in processed {
            let in_flight = self.in_flight.as_ref().and_then(|in_flight| in_flight.offsets.get(partition));
            let known = self.committed.get(partition).copied().max(in_flight.map(|offset| offset.offset));
            if known.is_none_or(|known| known < offset.offset) && !self.pending.contains_key(partition) {
                self.pending.insert(partition.clone(), offset);
            }
        }
    }

    /// The group's offset of a partition is this one: it was asked for.
    pub(super) fn handle_known(&mut self, partition: &TopicPartition, offset: i64) {
        self.committed.insert(partition.clone(), offset);
    }

    /// The application went elsewhere in this partition: committing back is meant.
    pub(super) fn handle_seek(&mut self, partition: &TopicPartition) {
        self.committed.remove(partition);
    }

    /// These partitions are not ours any more: what was to be committed for them no longer can be.
    pub(super) fn handle_revoked(&mut self, revoked: &BTreeSet<TopicPartition>) {
        self.pending.retain(|partition, _| !revoked.contains(partition));
        self.committed.retain(|partition, _| !revoked.contains(partition));
        // Sent already, it may still arrive in time; but it is not sent again, for it may be another's by then.
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.offsets.retain(|partition, _| !revoked.contains(partition));
        }
        for waiters in [Some(&mut self.waiters), self.in_flight.as_mut().map(|in_flight| &mut in_flight.waiters)] {
            let Some(waiters) = waiters else { continue };
            for waiter in std::mem::take(waiters) {
                match waiter.missing.intersection(revoked).next().cloned() {
                    Some(partition) => fail(waiter, refused(ErrorCode::ILLEGAL_GENERATION).with_partition(partition)),
                    None => waiters.push(waiter),
                }
            }
        }
    }

    /// Whether nothing waits to be committed.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.in_flight.is_none()
    }

    /// Refusals that concern the membership, with who we said we were.
    pub(super) fn take_refused(&mut self) -> Vec<(Identity, ErrorCode)> {
        std::mem::take(&mut self.refused)
    }

    /// Whether it is time to commit what the application is through with.
    pub(super) fn is_auto_commit_due(&mut self, now: Instant) -> bool {
        let Some(interval) = self.auto_commit_interval else { return false };
        let due = self.auto_commit_at.is_some_and(|due| due <= now);
        if due || self.auto_commit_at.is_none() {
            self.auto_commit_at = Some(now + interval);
        }
        due
    }

    /// `committer`: who commits, if anybody can now.
    pub(super) fn poll(&mut self, now: Instant, committer: Committer, actions: &mut Vec<Action>) -> Option<Instant> {
        self.expire(now);
        if std::mem::take(&mut self.moved) {
            actions.push(Action::CoordinatorMoved);
        }
        if committer == Committer::Nobody {
            self.pending.clear();
            for waiter in self.waiters.drain(..) {
                fail(waiter, refused(ErrorCode::REBALANCE_IN_PROGRESS));
            }
        }
        if let Committer::As(identity) = committer
            && self.in_flight.is_none()
            && !self.pending.is_empty()
            && self.retry_at.is_none_or(|retry_at| retry_at <= now)
        {
            self.tokens += 1;
            let offsets = std::mem::take(&mut self.pending);
            let waiters = std::mem::take(&mut self.waiters);
            actions.push(Action::Commit(Plan {
                token: self.tokens,
                identity: identity.clone(),
                offsets: offsets.clone(),
            }));
            self.in_flight = Some(InFlight { token: self.tokens, identity, offsets, waiters });
        }
        let in_flight = self.in_flight.iter().flat_map(|in_flight| &in_flight.waiters);
        let deadlines = self.waiters.iter().chain(in_flight).map(|waiter| waiter.deadline);
        let retry_at = self.retry_at.filter(|_| self.in_flight.is_none() && !self.pending.is_empty());
        deadlines.chain(retry_at).chain(self.auto_commit_at).min()
    }

    /// Nobody will be told anything more.
    pub(super) fn end(&mut self) {
        self.pending.clear();
        self.waiters.clear();
        self.in_flight = None;
    }

    /// What the coordinator said, or that it said nothing.
    ///
    /// `committer`: who commits now. Where the partitions are ours still, and only who we were then is outdated, the
    /// same offsets go out again.
    pub(super) fn handle_reply(
        &mut self,
        token: u64,
        reply: Result<Answer, Error>,
        committer: &Committer,
        now: Instant,
    ) {
        let Some(mut in_flight) = self.in_flight.take_if(|in_flight| in_flight.token == token) else { return };
        let mut failed: BTreeMap<TopicPartition, Error> = BTreeMap::new();
        match reply {
            Ok(answers) => {
                for (partition, answer) in answers {
                    let Some(offset) = in_flight.offsets.get(&partition).map(|offset| offset.offset) else { continue };
                    match answer {
                        Ok(()) => {
                            self.committed.insert(partition.clone(), offset);
                            in_flight.offsets.remove(&partition);
                            for waiter in &mut in_flight.waiters {
                                waiter.missing.remove(&partition);
                            }
                        }
                        Err(code) => {
                            let error = refused(code).with_partition(partition.clone());
                            failed.insert(partition, error);
                        }
                    }
                }
                for partition in in_flight.offsets.keys() {
                    failed.entry(partition.clone()).or_insert_with(|| {
                        Error::protocol("the answer to OffsetCommit leaves out what was committed")
                            .with_partition(partition.clone())
                    });
                }
            }
            Err(error) => {
                let each = in_flight.offsets.keys().map(|partition| (partition.clone(), error.clone()));
                failed.extend(each);
            }
        }
        let outdated = match committer {
            Committer::Later => true,
            Committer::As(identity) => {
                identity.generation >= 0
                    && identity.member_id == in_flight.identity.member_id
                    && identity.generation > in_flight.identity.generation
            }
            Committer::Nobody => false,
        };
        self.settle(in_flight, &failed, outdated, now);
    }

    /// Tells who waited, keeps what is to be retried, and remembers what the membership should know.
    fn settle(&mut self, in_flight: InFlight, failed: &BTreeMap<TopicPartition, Error>, outdated: bool, now: Instant) {
        let is_retried = |error: &Error| is_retried(error, outdated);
        let InFlight { identity, mut offsets, waiters, .. } = in_flight;
        if let Some(error) = failed.values().next() {
            if waiters.is_empty() && !error.is_retriable() {
                warn!(%error, "offsets were not committed");
            } else {
                debug!(%error, "offsets were not committed");
            }
        }
        let mut retry = false;
        for (partition, error) in failed {
            match error.code() {
                Some(code) if concerns_membership(code) => {
                    if self.refused.is_empty() {
                        self.refused.push((identity.clone(), code));
                    }
                }
                Some(ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE) | None => self.moved = true,
                Some(_) => {}
            }
            if is_retried(error) {
                retry = true;
            } else {
                offsets.remove(partition);
            }
        }
        for waiter in waiters {
            let fatal = waiter.missing.iter().find_map(|partition| failed.get(partition).filter(|e| !is_retried(e)));
            match fatal {
                Some(error) => fail(waiter, error.clone()),
                None if waiter.missing.is_empty() => {
                    let _ = waiter.done.send(Ok(()));
                }
                None => self.waiters.push(waiter),
            }
        }
        // What was asked for since then stands above what is retried.
        offsets.append(&mut self.pending);
        self.pending = offsets;
        if retry {
            self.retry_at = Some(now + self.backoff.next(self.failures, &mut self.random));
            self.failures += 1;
        } else {
            self.retry_at = None;
            self.failures = 0;
        }
    }

    fn expire(&mut self, now: Instant) {
        let in_flight = self.in_flight.as_mut().map(|in_flight| &mut in_flight.waiters);
        for waiters in [Some(&mut self.waiters), in_flight].into_iter().flatten() {
            for waiter in std::mem::take(waiters) {
                if waiter.deadline <= now {
                    fail(waiter, Error::timeout("committing offsets"));
                } else {
                    waiters.push(waiter);
                }
            }
        }
    }
}

fn refused(code: ErrorCode) -> Error {
    Error::broker("committing offsets", code)
}

fn fail(waiter: Waiter, error: Error) {
    // Whoever asked may be gone: then nobody misses the answer.
    let _ = waiter.done.send(Err(error));
}

/// Whether the same offsets go out again. A rebalance is not waited for: afterwards they may not be ours.
/// But who was not asked to give them up, and has only a newer generation or epoch, says the same as that.
fn is_retried(error: &Error, outdated: bool) -> bool {
    match error.code() {
        Some(ErrorCode::STALE_MEMBER_EPOCH) => true,
        Some(ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::ILLEGAL_GENERATION) => outdated,
        Some(code) => error.is_retriable() && !concerns_membership(code),
        None => error.is_retriable(),
    }
}

fn concerns_membership(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::REBALANCE_IN_PROGRESS
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::FENCED_MEMBER_EPOCH
            | ErrorCode::FENCED_INSTANCE_ID
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct World {
        commits: Commits,
        now: Instant,
    }

    #[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
    fn start() -> Instant {
        Instant::now()
    }

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: Arc::from("orders"), partition: number }
    }

    fn simple() -> Identity {
        Identity { generation: -1, member_id: String::new() }
    }

    type Done = oneshot::Receiver<Result<(), Error>>;

    impl World {
        fn new() -> Self {
            let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
            Self { commits: Commits::new(Some(Duration::from_secs(5)), backoff, 1), now: start() }
        }

        fn commit(&mut self, offsets: &[(i32, i64)]) -> Done {
            let (done, outcome) = oneshot::channel();
            let offsets = offsets.iter().map(|(number, offset)| (partition(*number), (*offset).into())).collect();
            self.commits.handle_commit(offsets, Duration::from_secs(60), done, self.now);
            outcome
        }

        fn sent(&mut self) -> Option<Plan> {
            let mut actions = Vec::new();
            self.commits.poll(self.now, Committer::As(simple()), &mut actions);
            actions.into_iter().find_map(|action| if let Action::Commit(plan) = action { Some(plan) } else { None })
        }

        fn answer(&mut self, plan: &Plan, code: ErrorCode) {
            let answer = plan.offsets.keys().map(|partition| (partition.clone(), code.into_result())).collect();
            self.commits.handle_reply(plan.token, Ok(answer), &Committer::As(simple()), self.now);
        }
    }

    fn offset(plan: &Plan, number: i32) -> i64 {
        plan.offsets[&partition(number)].offset
    }

    #[test]
    fn a_commit_is_over_when_the_coordinator_says_so() {
        let mut world = World::new();
        let mut done = world.commit(&[(0, 10), (1, 20)]);
        let plan = world.sent().unwrap();
        assert!(done.try_recv().is_err());
        world.answer(&plan, ErrorCode::NONE);
        assert!(done.try_recv().unwrap().is_ok());
        assert!(world.commits.is_idle());
    }

    #[test]
    fn a_commit_made_meanwhile_waits_and_a_retry_never_overwrites_it() {
        let mut world = World::new();
        let mut first = world.commit(&[(0, 10), (1, 5)]);
        let plan = world.sent().unwrap();
        let mut second = world.commit(&[(0, 20)]);
        assert_eq!(world.sent(), None, "one at a time");
        world.answer(&plan, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
        assert_eq!(world.sent(), None, "not before the back-off");
        world.now += Duration::from_secs(1);
        let plan = world.sent().unwrap();
        assert_eq!((offset(&plan, 0), offset(&plan, 1)), (20, 5));
        world.answer(&plan, ErrorCode::NONE);
        assert!(first.try_recv().unwrap().is_ok());
        assert!(second.try_recv().unwrap().is_ok());
    }

    #[test]
    fn a_lost_answer_is_asked_for_again() {
        let mut world = World::new();
        let mut done = world.commit(&[(0, 10)]);
        let plan = world.sent().unwrap();
        let lost = Err(Error::timeout("committing offsets"));
        world.commits.handle_reply(plan.token, lost, &Committer::As(simple()), world.now);
        world.now += Duration::from_secs(1);
        let again = world.sent().unwrap();
        assert_eq!(again.offsets, plan.offsets);
        world.answer(&again, ErrorCode::NONE);
        assert!(done.try_recv().unwrap().is_ok());
    }

    #[test]
    fn an_error_of_one_partition_fails_only_who_committed_it() {
        let mut world = World::new();
        let mut first = world.commit(&[(0, 10)]);
        let mut second = world.commit(&[(1, 10)]);
        let plan = world.sent().unwrap();
        let answer = vec![(partition(0), Ok(())), (partition(1), Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED))];
        world.commits.handle_reply(plan.token, Ok(answer), &Committer::As(simple()), world.now);
        assert!(first.try_recv().unwrap().is_ok());
        assert!(second.try_recv().unwrap().is_err());
        assert!(world.commits.is_idle());
    }

    #[test]
    fn a_refusal_that_concerns_the_membership_is_told_and_not_retried() {
        let mut world = World::new();
        let mut done = world.commit(&[(0, 10)]);
        let plan = world.sent().unwrap();
        world.answer(&plan, ErrorCode::ILLEGAL_GENERATION);
        assert_eq!(done.try_recv().unwrap().unwrap_err().code(), Some(ErrorCode::ILLEGAL_GENERATION));
        assert_eq!(world.commits.take_refused(), [(simple(), ErrorCode::ILLEGAL_GENERATION)]);
        assert!(world.commits.is_idle());
    }

    #[test]
    fn automatic_commits_never_go_back_and_leave_explicit_ones_alone() {
        let mut world = World::new();
        let _done = world.commit(&[(0, 20)]);
        world.commits.handle_processed([(&partition(0), 10.into()), (&partition(1), 7.into())].into_iter());
        let plan = world.sent().unwrap();
        assert_eq!((offset(&plan, 0), offset(&plan, 1)), (20, 7));
        world.commits.handle_processed([(&partition(0), 15.into()), (&partition(1), 7.into())].into_iter());
        world.answer(&plan, ErrorCode::NONE);
        world.commits.handle_processed([(&partition(0), 15.into()), (&partition(1), 7.into())].into_iter());
        assert_eq!(world.sent(), None);
        world.commits.handle_seek(&partition(0));
        world.commits.handle_processed([(&partition(0), 3.into())].into_iter());
        assert_eq!(offset(&world.sent().unwrap(), 0), 3, "a seek back is meant");
    }

    #[test]
    fn the_interval_of_automatic_commits_begins_with_the_first_look() {
        let mut world = World::new();
        assert!(!world.commits.is_auto_commit_due(world.now));
        world.now += Duration::from_secs(5);
        assert!(world.commits.is_auto_commit_due(world.now));
        assert!(!world.commits.is_auto_commit_due(world.now));
    }

    #[test]
    fn what_is_revoked_is_not_committed_any_more() {
        let mut world = World::new();
        let mut first = world.commit(&[(0, 10)]);
        let plan = world.sent().unwrap();
        let mut second = world.commit(&[(1, 10)]);
        world.commits.handle_revoked(&BTreeSet::from([partition(0), partition(1)]));
        assert!(first.try_recv().unwrap().is_err());
        assert!(second.try_recv().unwrap().is_err());
        world.answer(&plan, ErrorCode::NONE);
        assert_eq!(world.sent(), None);
    }

    #[test]
    fn without_a_membership_a_commit_fails_at_once() {
        let mut world = World::new();
        let mut done = world.commit(&[(0, 10)]);
        world.commits.poll(world.now, Committer::Nobody, &mut Vec::new());
        assert_eq!(done.try_recv().unwrap().unwrap_err().code(), Some(ErrorCode::REBALANCE_IN_PROGRESS));
    }

    #[test]
    fn a_commit_without_an_answer_ends_at_its_deadline() {
        let mut world = World::new();
        let mut done = world.commit(&[(0, 10)]);
        world.sent().unwrap();
        world.now += Duration::from_secs(60);
        world.sent();
        assert!(done.try_recv().unwrap().is_err());
    }
}
