//! Taking partitions away and giving new ones, in that order, with the application told of both.
//!
//! Before: [`membership`](super::membership) says what shall be owned. After: what goes and what comes follows from what
//! is owned; the listener is called, offsets are committed, and the membership hears that it may go on. Partitions that
//! stay are handed out all the while.
//!
//! Nothing of a partition is handed out from the moment it is to be given up. The application is given the time to come
//! back for more, which says that it is through with what it holds; then it is told, what it processed is committed,
//! and only then does the membership go on. So the next owner starts after what this one processed. Partitions that are
//! lost already, because the group went on without us, are told as such, and nothing is committed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::record::TopicPartition;

/// What the application is told about partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// They are about to be given up; what was read of them can still be committed.
    Revoked,
    /// They are gone; another member may own them.
    Lost,
    /// They are ours.
    Assigned,
}

/// What a rebalance wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Hand out nothing more of these.
    Withhold(BTreeSet<TopicPartition>),
    /// Call the listener, if there is one, then [`Rebalance::on_told`].
    Tell { change: Change, partitions: BTreeSet<TopicPartition> },
    /// Commit what the application is through with, then [`Rebalance::on_committed`].
    Commit,
    /// These are not ours any more.
    Drop(BTreeSet<TopicPartition>),
    /// These are ours too: find out where to read them. They stay withheld until the application knows.
    Own(BTreeSet<TopicPartition>),
    /// Records of these may be handed out.
    Open(BTreeSet<TopicPartition>),
    /// What is owned is what the membership asked for under this token: it may go on.
    Settled(u64),
}

/// What shall be owned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Target {
    token: u64,
    partitions: BTreeSet<TopicPartition>,
    /// All that is owned is gone already, whatever comes.
    lost: bool,
}

/// What comes next.
///
/// ```text
/// Idle ──less──> Draining ──through──> TellingRevoked ──told──> Committing ──committed──┐
///   │               └──lost──> TellingLost ──told──────────────────────────────────────┤
///   └──more──> TellingAssigned <──more──────────────────────────────────────────────────┴──no more──> Idle
///                    └──told──> Idle
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Idle,
    /// The application works on what it was given.
    Draining {
        until: Instant,
    },
    TellingRevoked,
    /// What was processed is being committed, for as long as there is time.
    Committing {
        until: Instant,
    },
    TellingLost,
    TellingAssigned,
}

/// One consumer's partitions, coming and going.
#[derive(Debug)]
pub(super) struct Rebalance {
    state: State,
    owned: BTreeSet<TopicPartition>,
    /// Those that go, or in [`State::TellingAssigned`] those that came.
    moving: BTreeSet<TopicPartition>,
    target: Target,
    /// Arrived while the application was being told something else.
    next: Option<Target>,
    /// How long the application may take to come back for more.
    drain_max: Duration,
    /// How long a last commit may take.
    commit_max: Duration,
    steps: Vec<Step>,
}

impl Rebalance {
    pub(super) fn new(drain_max: Duration, commit_max: Duration) -> Self {
        Self {
            state: State::Idle,
            owned: BTreeSet::new(),
            moving: BTreeSet::new(),
            target: Target::default(),
            next: None,
            drain_max,
            commit_max,
            steps: Vec::new(),
        }
    }

    /// What is to be done now, in this order.
    pub(super) fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// These partitions shall be ours, and no others. `lost`: those that are ours now are gone already.
    pub(super) fn on_target(&mut self, token: u64, partitions: BTreeSet<TopicPartition>, lost: bool, now: Instant) {
        let target = Target { token, partitions, lost };
        match &self.state {
            State::Idle => self.begin(target, now),
            State::Draining { .. } if lost => self.begin(target, now),
            State::Draining { .. } => {
                // What is on its way out goes, even if it is to come back; what else is to go joins it.
                let more: BTreeSet<TopicPartition> = self
                    .owned
                    .difference(&target.partitions)
                    .filter(|part| !self.moving.contains(*part))
                    .cloned()
                    .collect();
                if !more.is_empty() {
                    self.steps.push(Step::Withhold(more.clone()));
                    self.moving.extend(more);
                }
                self.target = target;
            }
            State::Committing { .. } if lost => {
                self.next = Some(target);
                self.drop_moving(now);
            }
            State::TellingRevoked | State::Committing { .. } | State::TellingLost | State::TellingAssigned => {
                let lost = lost || self.next.as_ref().is_some_and(|next| next.lost);
                self.next = Some(Target { lost, ..target });
            }
        }
    }

    /// Whether the application is waited for, to be through with what it holds of what goes.
    pub(super) fn is_draining(&self) -> bool {
        matches!(self.state, State::Draining { .. })
    }

    /// Whether this partition is among those that go.
    pub(super) fn is_going(&self, partition: &TopicPartition) -> bool {
        self.moving.contains(partition)
    }

    /// Whether the application is being told that partitions go: it can still commit them.
    pub(super) fn is_telling_revoked(&self) -> bool {
        matches!(self.state, State::TellingRevoked)
    }

    /// Whether a last commit is waited for.
    pub(super) fn is_committing(&self) -> bool {
        matches!(self.state, State::Committing { .. })
    }

    /// The application is through with all that it was given of what goes.
    pub(super) fn on_drained(&mut self) {
        if self.is_draining() {
            self.tell(State::TellingRevoked, Change::Revoked);
        }
    }

    /// The listener has returned, or its time is up.
    pub(super) fn on_told(&mut self, now: Instant) {
        match &self.state {
            State::TellingRevoked if self.next.as_ref().is_some_and(|next| next.lost) => self.drop_moving(now),
            State::TellingRevoked => {
                self.state = State::Committing { until: now + self.commit_max };
                self.steps.push(Step::Commit);
            }
            State::TellingLost => self.drop_moving(now),
            State::TellingAssigned => {
                self.steps.push(Step::Open(std::mem::take(&mut self.moving)));
                self.settle(now);
            }
            State::Idle | State::Draining { .. } | State::Committing { .. } => {}
        }
    }

    /// The last commit is through.
    pub(super) fn on_committed(&mut self, now: Instant) {
        if self.is_committing() {
            self.drop_moving(now);
        }
    }

    /// Ends what takes too long, and says when to ask again.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Instant> {
        match self.state {
            State::Draining { until } if until <= now => self.on_drained(),
            State::Committing { until } if until <= now => self.on_committed(now),
            State::Draining { until } | State::Committing { until } => return Some(until),
            State::Idle | State::TellingRevoked | State::TellingLost | State::TellingAssigned => {}
        }
        None
    }

    fn begin(&mut self, target: Target, now: Instant) {
        self.target = target;
        let Target { partitions, lost, .. } = &self.target;
        let going: BTreeSet<TopicPartition> =
            self.owned.iter().filter(|part| *lost || !partitions.contains(*part)).cloned().collect();
        if going.is_empty() {
            return self.give(now);
        }
        let is_lost = *lost;
        let withheld: BTreeSet<TopicPartition> = going.difference(&self.moving).cloned().collect();
        self.moving = going;
        if !withheld.is_empty() {
            self.steps.push(Step::Withhold(withheld));
        }
        if is_lost {
            self.tell(State::TellingLost, Change::Lost);
        } else {
            self.state = State::Draining { until: now + self.drain_max };
        }
    }

    fn tell(&mut self, state: State, change: Change) {
        self.state = state;
        self.steps.push(Step::Tell { change, partitions: self.moving.clone() });
    }

    fn drop_moving(&mut self, now: Instant) {
        let gone = std::mem::take(&mut self.moving);
        self.owned.retain(|partition| !gone.contains(partition));
        self.steps.push(Step::Drop(gone));
        match self.next.take() {
            Some(next) => self.begin(next, now),
            None => self.give(now),
        }
    }

    /// Nothing is owned that shall not be: what is still missing comes.
    fn give(&mut self, now: Instant) {
        let more: BTreeSet<TopicPartition> = self.target.partitions.difference(&self.owned).cloned().collect();
        if more.is_empty() {
            return self.settle(now);
        }
        self.owned.extend(more.iter().cloned());
        self.steps.push(Step::Own(more.clone()));
        self.moving = more;
        self.tell(State::TellingAssigned, Change::Assigned);
    }

    fn settle(&mut self, now: Instant) {
        self.state = State::Idle;
        match self.next.take() {
            Some(next) => self.begin(next, now),
            None => self.steps.push(Step::Settled(self.target.token)),
        }
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

    fn some(numbers: &[i32]) -> BTreeSet<TopicPartition> {
        numbers.iter().map(|number| TopicPartition { topic: Arc::from("orders"), partition: *number }).collect()
    }

    fn both() -> BTreeSet<TopicPartition> {
        some(&[0, 1])
    }

    fn tell(change: Change) -> Step {
        tell_of(change, &[0, 1])
    }

    fn tell_of(change: Change, numbers: &[i32]) -> Step {
        Step::Tell { change, partitions: some(numbers) }
    }

    fn owning(now: Instant) -> Rebalance {
        let mut rebalance = Rebalance::new(Duration::from_secs(300), Duration::from_secs(5));
        rebalance.on_target(1, both(), false, now);
        assert_eq!(rebalance.take_steps(), [Step::Own(both()), tell(Change::Assigned)]);
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Open(both()), Step::Settled(1)]);
        rebalance
    }

    fn revoke(rebalance: &mut Rebalance, lost: bool, now: Instant) {
        rebalance.on_target(2, BTreeSet::new(), lost, now);
    }

    #[test]
    fn partitions_go_after_the_application_is_through_is_told_and_has_committed() {
        let now = start();
        let mut rebalance = owning(now);
        revoke(&mut rebalance, false, now);
        assert_eq!(rebalance.take_steps(), [Step::Withhold(both())]);
        rebalance.on_drained();
        assert_eq!(rebalance.take_steps(), [tell(Change::Revoked)]);
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Commit]);
        rebalance.on_committed(now);
        assert_eq!(rebalance.take_steps(), [Step::Drop(both()), Step::Settled(2)]);
    }

    #[test]
    fn only_what_goes_is_withheld_and_only_what_comes_is_told() {
        let now = start();
        let mut rebalance = owning(now);
        rebalance.on_target(2, some(&[1, 2]), false, now);
        assert_eq!(rebalance.take_steps(), [Step::Withhold(some(&[0]))]);
        assert!(
            rebalance.is_going(&some(&[0]).pop_first().unwrap())
                && !rebalance.is_going(&some(&[1]).pop_first().unwrap())
        );
        rebalance.on_drained();
        assert_eq!(rebalance.take_steps(), [tell_of(Change::Revoked, &[0])]);
        rebalance.on_told(now);
        rebalance.on_committed(now);
        let came = [Step::Commit, Step::Drop(some(&[0])), Step::Own(some(&[2])), tell_of(Change::Assigned, &[2])];
        assert_eq!(rebalance.take_steps(), came);
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Open(some(&[2])), Step::Settled(2)]);
    }

    #[test]
    fn what_is_to_go_meanwhile_goes_too_and_only_the_last_wish_is_settled() {
        let now = start();
        let mut rebalance = owning(now);
        rebalance.on_target(2, some(&[1]), false, now);
        rebalance.take_steps();
        rebalance.on_target(3, BTreeSet::new(), false, now);
        assert_eq!(rebalance.take_steps(), [Step::Withhold(some(&[1]))]);
        rebalance.on_drained();
        assert_eq!(rebalance.take_steps(), [tell(Change::Revoked)]);
        rebalance.on_target(4, some(&[0]), false, now);
        rebalance.on_told(now);
        rebalance.on_committed(now);
        let back = [Step::Commit, Step::Drop(both()), Step::Own(some(&[0])), tell_of(Change::Assigned, &[0])];
        assert_eq!(rebalance.take_steps(), back, "it comes back from what was committed");
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Open(some(&[0])), Step::Settled(4)]);
    }

    #[test]
    fn what_stays_is_lost_too_when_the_group_went_on_meanwhile() {
        let now = start();
        let mut rebalance = owning(now);
        rebalance.on_target(2, some(&[1]), false, now);
        rebalance.on_drained();
        rebalance.take_steps();
        rebalance.on_target(3, BTreeSet::new(), true, now);
        rebalance.on_told(now);
        let lost = [Step::Drop(some(&[0])), Step::Withhold(some(&[1])), tell_of(Change::Lost, &[1])];
        assert_eq!(rebalance.take_steps(), lost);
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Drop(some(&[1])), Step::Settled(3)]);
    }

    #[test]
    fn lost_partitions_are_told_and_dropped_without_a_commit() {
        let now = start();
        let mut rebalance = owning(now);
        revoke(&mut rebalance, true, now);
        assert_eq!(rebalance.take_steps(), [Step::Withhold(both()), tell(Change::Lost)]);
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Drop(both()), Step::Settled(2)]);
    }

    #[test]
    fn partitions_lost_while_they_are_given_up_are_not_committed() {
        let now = start();
        let mut rebalance = owning(now);
        revoke(&mut rebalance, false, now);
        revoke(&mut rebalance, true, now);
        assert_eq!(rebalance.take_steps(), [Step::Withhold(both()), tell(Change::Lost)]);
        let mut rebalance = owning(now);
        revoke(&mut rebalance, false, now);
        rebalance.on_drained();
        revoke(&mut rebalance, true, now);
        rebalance.take_steps();
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Drop(both()), Step::Settled(2)]);
    }

    #[test]
    fn who_owns_nothing_has_nothing_to_give_up() {
        let now = start();
        let mut rebalance = Rebalance::new(Duration::from_secs(300), Duration::from_secs(5));
        revoke(&mut rebalance, false, now);
        assert_eq!(rebalance.take_steps(), [Step::Settled(2)]);
    }

    #[test]
    fn partitions_revoked_while_they_are_being_announced_are_withheld_in_the_same_step() {
        let now = start();
        let mut rebalance = Rebalance::new(Duration::from_secs(300), Duration::from_secs(5));
        rebalance.on_target(1, both(), false, now);
        rebalance.take_steps();
        revoke(&mut rebalance, false, now);
        assert!(rebalance.take_steps().is_empty());
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Open(both()), Step::Withhold(both())]);
        assert!(rebalance.is_draining());
    }

    #[test]
    fn an_application_that_never_comes_back_is_waited_for_no_longer_than_allowed() {
        let now = start();
        let mut rebalance = owning(now);
        revoke(&mut rebalance, false, now);
        rebalance.take_steps();
        let until = rebalance.poll(now).unwrap();
        rebalance.poll(until);
        assert_eq!(rebalance.take_steps(), [tell(Change::Revoked)]);
        rebalance.on_told(until);
        rebalance.take_steps();
        let until = rebalance.poll(until).unwrap();
        rebalance.poll(until);
        assert_eq!(rebalance.take_steps(), [Step::Drop(both()), Step::Settled(2)]);
    }
}
