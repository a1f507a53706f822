//! From what a member has to what the target gives it: first it gives up what it must, then it gets what others have
//! given up. So a partition has one owner at any time.
//!
//! Before: [`heartbeat`](super::heartbeat) knows the target. After: the member's next state, which its answer tells it.

use std::collections::BTreeSet;

use tidemill_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use uuid::Uuid;

use super::Partitions;
use super::member::{Held, Member, State, each, held_since};

/// What the next state of a member depends on.
#[derive(Debug)]
pub(super) struct Reconciling<'a, F> {
    pub(super) target_epoch: i32,
    pub(super) target: &'a Partitions,
    /// The ids of the topics that it reads now; the target may be older.
    pub(super) subscribed: &'a BTreeSet<Uuid>,
    pub(super) subscription_changed: bool,
    /// Whether somebody has this partition, itself included.
    pub(super) is_held: F,
    /// What it says it owns; `None` when it says nothing.
    pub(super) owned: Option<&'a [TopicPartitions]>,
}

impl<F: Fn(Uuid, i32) -> bool> Reconciling<'_, F> {
    /// Moves the member as far as it can go. Whether anything changed.
    pub(super) fn advance(&self, member: &mut Member) -> bool {
        match member.state {
            State::Stable if member.epoch != self.target_epoch => self.next(member),
            State::UnrevokedPartitions if !self.still_owns(&member.revoking) => self.next(member),
            State::Stable | State::UnrevokedPartitions if self.subscription_changed => self.drop_unsubscribed(member),
            State::Stable | State::UnrevokedPartitions => false,
            State::UnreleasedPartitions => self.next(member),
        }
    }

    fn next(&self, member: &mut Member) -> bool {
        let mut assigned = Held::new();
        let mut revoking = Held::new();
        for (topic, partitions) in &member.assigned {
            for (partition, since) in partitions {
                let kept = if self.is_target(*topic, *partition) { &mut assigned } else { &mut revoking };
                kept.entry(*topic).or_default().insert(*partition, *since);
            }
        }
        if self.still_owns(&revoking) {
            let before = (member.state, member.epoch, member.previous_epoch);
            member.state = State::UnrevokedPartitions;
            member.previous_epoch = member.epoch;
            let changed = before != (member.state, member.epoch, member.previous_epoch)
                || member.assigned != assigned
                || member.revoking != revoking;
            member.assigned = assigned;
            member.revoking = revoking;
            return changed;
        }
        let mut unreleased = false;
        for (topic, partitions) in self.target.iter().filter(|(topic, _)| self.subscribed.contains(topic)) {
            for partition in partitions.iter().filter(|it| held_since(&member.assigned, *topic, **it).is_none()) {
                // What it has just given up it may get again.
                let was_its_own = held_since(&member.revoking, *topic, *partition).is_some();
                if (self.is_held)(*topic, *partition) && !was_its_own {
                    unreleased = true;
                } else {
                    assigned.entry(*topic).or_default().insert(*partition, self.target_epoch);
                }
            }
        }
        let state = if unreleased { State::UnreleasedPartitions } else { State::Stable };
        let changed = member.state != state
            || (member.epoch, member.previous_epoch) != (self.target_epoch, member.epoch)
            || member.assigned != assigned
            || !member.revoking.is_empty();
        member.state = state;
        member.previous_epoch = member.epoch;
        member.epoch = self.target_epoch;
        member.assigned = assigned;
        member.revoking.clear();
        changed
    }

    /// It reads less than before, and has to give up at once what it does not read, although there is no new target.
    fn drop_unsubscribed(&self, member: &mut Member) -> bool {
        let dropped: Held = member.assigned.extract_if(.., |topic, _| !self.subscribed.contains(topic)).collect();
        if dropped.is_empty() {
            return false;
        }
        let mut revoking = member.revoking.clone();
        for (topic, partitions) in dropped {
            revoking.entry(topic).or_default().extend(partitions);
        }
        if self.still_owns(&revoking) {
            member.state = State::UnrevokedPartitions;
            member.revoking = revoking;
        }
        member.previous_epoch = member.epoch;
        true
    }

    fn is_target(&self, topic: Uuid, partition: i32) -> bool {
        self.subscribed.contains(&topic) && self.target.get(&topic).is_some_and(|it| it.contains(&partition))
    }

    /// Who does not say what it owns is taken to own everything.
    fn still_owns(&self, revoking: &Held) -> bool {
        match self.owned {
            _ if revoking.is_empty() => false,
            None => true,
            Some(owned) => each(owned).any(|(topic, partition)| held_since(revoking, topic, partition).is_some()),
        }
    }
}
