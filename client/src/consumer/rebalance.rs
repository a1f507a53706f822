//! Taking partitions away and giving new ones, in that order, with the application told of both.
//!
//! Before: [`membership`](super::membership) wants partitions given up, or has been given some. After: the listener is
//! called, offsets are committed, and the membership hears that it may go on.
//!
//! Nothing of a partition is handed out from the moment it is to be given up. The application is given the time to come
//! back for more, which says that it is through with what it holds; then it is told, what it processed is committed,
//! and only then is the group joined again. So the next owner starts after what this one processed. Partitions that are
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
    /// Nothing is owned any more: the membership may go on.
    Revoked,
    /// These are ours: find out where to read them. They stay withheld until the application knows.
    Own(BTreeSet<TopicPartition>),
    /// Records may be handed out.
    Open,
}

/// What comes next.
///
/// ```text
/// Idle ──revoke──> Draining ──through──> TellingRevoked ──told──> Committing ──committed──> Idle
///   │                 └──lost──> TellingLost ──told──────────────────────────────────────────┘
///   └──assign──> TellingAssigned ──told──> Idle
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
    /// Arrived while the application was being told something else.
    revoke_next: Option<bool>,
    /// How long the application may take to come back for more.
    drain_max: Duration,
    /// How long a last commit may take.
    commit_max: Duration,
    steps: Vec<Step>,
}

impl Rebalance {
    pub(super) fn new(drain_max: Duration, commit_max: Duration) -> Self {
        Self { state: State::Idle, owned: BTreeSet::new(), revoke_next: None, drain_max, commit_max, steps: Vec::new() }
    }

    /// What is to be done now, in this order.
    pub(super) fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// All partitions are to be given up.
    pub(super) fn on_revoke(&mut self, lost: bool, now: Instant) {
        match &self.state {
            State::Idle if self.owned.is_empty() => self.steps.push(Step::Revoked),
            State::Idle => {
                self.steps.push(Step::Withhold(self.owned.clone()));
                self.state = State::Draining { until: now + self.drain_max };
                if lost {
                    self.tell(State::TellingLost, Change::Lost);
                }
            }
            State::Draining { .. } if lost => self.tell(State::TellingLost, Change::Lost),
            State::Committing { .. } if lost => self.finish_revoking(),
            State::Draining { .. } | State::Committing { .. } | State::TellingLost => {}
            State::TellingRevoked | State::TellingAssigned => {
                self.revoke_next = Some(lost || self.revoke_next == Some(true));
            }
        }
    }

    /// These partitions are ours, and no others.
    pub(super) fn on_assigned(&mut self, assigned: BTreeSet<TopicPartition>) {
        self.owned.clone_from(&assigned);
        self.steps.push(Step::Own(assigned));
        self.tell(State::TellingAssigned, Change::Assigned);
    }

    /// Whether the application is waited for, to be through with what it holds.
    pub(super) fn is_draining(&self) -> bool {
        matches!(self.state, State::Draining { .. })
    }

    /// Whether a last commit is waited for.
    pub(super) fn is_committing(&self) -> bool {
        matches!(self.state, State::Committing { .. })
    }

    /// The application is through with all that it was given.
    pub(super) fn on_drained(&mut self) {
        if self.is_draining() {
            self.tell(State::TellingRevoked, Change::Revoked);
        }
    }

    /// The listener has returned, or its time is up.
    pub(super) fn on_told(&mut self, now: Instant) {
        match &self.state {
            State::TellingRevoked if self.revoke_next.take() == Some(true) => self.finish_revoking(),
            State::TellingRevoked => {
                self.state = State::Committing { until: now + self.commit_max };
                self.steps.push(Step::Commit);
            }
            State::TellingLost => self.finish_revoking(),
            State::TellingAssigned => {
                self.state = State::Idle;
                match self.revoke_next.take() {
                    Some(lost) => self.on_revoke(lost, now),
                    None => self.steps.push(Step::Open),
                }
            }
            State::Idle | State::Draining { .. } | State::Committing { .. } => {}
        }
    }

    /// The last commit is through.
    pub(super) fn on_committed(&mut self) {
        if self.is_committing() {
            self.finish_revoking();
        }
    }

    /// Ends what takes too long, and says when to ask again.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Instant> {
        match self.state {
            State::Draining { until } if until <= now => self.on_drained(),
            State::Committing { until } if until <= now => self.on_committed(),
            State::Draining { until } | State::Committing { until } => return Some(until),
            State::Idle | State::TellingRevoked | State::TellingLost | State::TellingAssigned => {}
        }
        None
    }

    fn tell(&mut self, state: State, change: Change) {
        self.state = state;
        self.steps.push(Step::Tell { change, partitions: self.owned.clone() });
    }

    fn finish_revoking(&mut self) {
        self.state = State::Idle;
        self.revoke_next = None;
        self.steps.push(Step::Drop(std::mem::take(&mut self.owned)));
        self.steps.push(Step::Revoked);
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

    fn both() -> BTreeSet<TopicPartition> {
        [0, 1].map(|partition| TopicPartition { topic: Arc::from("orders"), partition }).into()
    }

    fn tell(change: Change) -> Step {
        Step::Tell { change, partitions: both() }
    }

    fn owning(now: Instant) -> Rebalance {
        let mut rebalance = Rebalance::new(Duration::from_secs(300), Duration::from_secs(5));
        rebalance.on_assigned(both());
        assert_eq!(rebalance.take_steps(), [Step::Own(both()), tell(Change::Assigned)]);
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Open]);
        rebalance
    }

    #[test]
    fn partitions_go_after_the_application_is_through_is_told_and_has_committed() {
        let now = start();
        let mut rebalance = owning(now);
        rebalance.on_revoke(false, now);
        assert_eq!(rebalance.take_steps(), [Step::Withhold(both())]);
        rebalance.on_drained();
        assert_eq!(rebalance.take_steps(), [tell(Change::Revoked)]);
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Commit]);
        rebalance.on_committed();
        assert_eq!(rebalance.take_steps(), [Step::Drop(both()), Step::Revoked]);
    }

    #[test]
    fn lost_partitions_are_told_and_dropped_without_a_commit() {
        let now = start();
        let mut rebalance = owning(now);
        rebalance.on_revoke(true, now);
        assert_eq!(rebalance.take_steps(), [Step::Withhold(both()), tell(Change::Lost)]);
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Drop(both()), Step::Revoked]);
    }

    #[test]
    fn partitions_lost_while_they_are_given_up_are_not_committed() {
        let now = start();
        let mut rebalance = owning(now);
        rebalance.on_revoke(false, now);
        rebalance.on_revoke(true, now);
        assert_eq!(rebalance.take_steps(), [Step::Withhold(both()), tell(Change::Lost)]);
        let mut rebalance = owning(now);
        rebalance.on_revoke(false, now);
        rebalance.on_drained();
        rebalance.on_revoke(true, now);
        rebalance.take_steps();
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Drop(both()), Step::Revoked]);
    }

    #[test]
    fn who_owns_nothing_has_nothing_to_give_up() {
        let now = start();
        let mut rebalance = Rebalance::new(Duration::from_secs(300), Duration::from_secs(5));
        rebalance.on_revoke(false, now);
        assert_eq!(rebalance.take_steps(), [Step::Revoked]);
    }

    #[test]
    fn partitions_revoked_while_they_are_being_announced_are_never_opened() {
        let now = start();
        let mut rebalance = Rebalance::new(Duration::from_secs(300), Duration::from_secs(5));
        rebalance.on_assigned(both());
        rebalance.take_steps();
        rebalance.on_revoke(false, now);
        assert!(rebalance.take_steps().is_empty());
        rebalance.on_told(now);
        assert_eq!(rebalance.take_steps(), [Step::Withhold(both())]);
        assert!(rebalance.is_draining());
    }

    #[test]
    fn an_application_that_never_comes_back_is_waited_for_no_longer_than_allowed() {
        let now = start();
        let mut rebalance = owning(now);
        rebalance.on_revoke(false, now);
        rebalance.take_steps();
        let until = rebalance.poll(now).unwrap();
        rebalance.poll(until);
        assert_eq!(rebalance.take_steps(), [tell(Change::Revoked)]);
        rebalance.on_told(until);
        rebalance.take_steps();
        let until = rebalance.poll(until).unwrap();
        rebalance.poll(until);
        assert_eq!(rebalance.take_steps(), [Step::Drop(both()), Step::Revoked]);
    }
}
