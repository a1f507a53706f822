//! One group of the consumer protocol (KIP-848): its members, the target that the coordinator makes, and each member's way
//! to it.
//!
//! Before: [`Groups`](super::Groups) finds the group of a request. After: every heartbeat is answered at once; a member
//! learns of its next partitions in the next one.
//!
//! - `heartbeat`: a member joins, says something new, or asks how far it may go
//! - `leave`: members leave, are removed, or are away for a while
//! - `reconcile`: from what a member has to what it is to have
//! - `member`: one member, and the states of its way
//! - `subscription`: topics by name and by pattern
//! - `assignor`: who is to read what
//! - `classic_members`: members that speak the classic protocol, on the way from one to the other
//! - `describe`: what administrators are told
//! - `offsets`: who may commit and read offsets
//!
//! Simplifications: patterns are matched at once after the heartbeat that brings them, where Kafka does it beside, some
//! milliseconds later. Racks of replicas do not count as a change of a topic.

mod assignor;
mod classic_members;
mod describe;
mod heartbeat;
mod invariants;
mod leave;
mod member;
mod offsets;
mod reconcile;
mod subscription;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use tidemill_protocol::StrBytes;
use tokio::time::Instant;
use uuid::Uuid;

use self::assignor::{Assignor, MemberSpec, Spec, java_order};
use self::member::Member;
use self::subscription::{Metadata, Patterns};
use super::GroupProperties;
use crate::broker::topics::Topics;

pub(super) use self::classic_members::CannotMigrate;
pub(super) use self::heartbeat::Heartbeat;

/// Partitions by topic.
pub(super) type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// The epoch of a group that nobody has been in.
const EPOCH_INITIAL: i32 = 1;

/// A group.
#[derive(Debug, Clone)]
pub(super) struct ConsumerGroup {
    /// Rises with every change of its members, what they read, or the topics they read.
    epoch: i32,
    /// The epoch that the target was made for.
    target_epoch: i32,
    /// When it was made; never in a new group.
    target_made_at: Option<Instant>,
    /// What each member is to read.
    target: BTreeMap<StrBytes, Partitions>,
    members: BTreeMap<StrBytes, Member>,
    /// The topics of this epoch.
    metadata: Metadata,
    patterns: Patterns,
}

impl ConsumerGroup {
    pub(super) fn new() -> Self {
        Self {
            epoch: EPOCH_INITIAL,
            target_epoch: EPOCH_INITIAL,
            target_made_at: None,
            target: BTreeMap::new(),
            members: BTreeMap::new(),
            metadata: Metadata::new(),
            patterns: Patterns::default(),
        }
    }

    /// A group without members, in this epoch.
    pub(super) fn restore(epoch: i32) -> Self {
        Self { epoch, target_epoch: epoch, ..Self::new() }
    }

    /// The epoch.
    pub(super) const fn kept(&self) -> i32 {
        self.epoch
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &StrBytes> {
        self.members.keys()
    }

    /// As Kafka calls the state.
    pub(super) fn state_name(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.target_epoch {
            "Assigning"
        } else if self.members.values().all(|member| member.is_reconciled_to(self.target_epoch)) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// Whether a member reads this topic.
    pub(super) fn reads(&self, topic: &str) -> bool {
        self.members.values().any(|member| self.patterns.topics_of(member).any(|name| name == topic))
    }

    /// When [`Self::on_time`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.members.values().filter_map(Member::deadline).min()
    }

    /// Another coordinator has taken the group over: everything is known there but when members were last heard of.
    pub(super) fn on_loaded(&mut self, properties: &GroupProperties, now: Instant) {
        for member in self.members.values_mut() {
            member.restart_timers(properties.consumer_session_timeout, now);
        }
    }

    fn static_member(&self, instance_id: &str) -> Option<&Member> {
        self.members.values().find(|member| member.instance_id.as_deref() == Some(instance_id))
    }

    /// The topics that the members read and that there are.
    fn current_metadata(&self, topics: &Topics) -> Metadata {
        let names = self.members.values().flat_map(|member| self.patterns.topics_of(member));
        let found = names.filter_map(|name| topics.by_name(name));
        let partitions =
            |topic: &crate::broker::topics::Topic| i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        found.map(|topic| (topic.name.to_string(), (topic.id, partitions(topic)))).collect()
    }

    /// The ids of the topics that a member reads and that there are.
    fn topic_ids(&self, member: &Member, topics: &Topics) -> BTreeSet<Uuid> {
        self.patterns.topics_of(member).filter_map(|name| topics.by_name(name)).map(|topic| topic.id).collect()
    }

    fn bump_epoch(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
    }

    /// Makes a new target if something has changed since, and the last one is old enough; with the assignor that most ask
    /// for, now that this member asks for one. Whether it did.
    fn update_target(&mut self, by: &Member, topics: &Topics, properties: &GroupProperties, now: Instant) -> bool {
        let rests = properties.consumer_assignment_interval;
        let may = self.target_made_at.is_none_or(|made_at| now >= made_at + rests);
        if self.epoch <= self.target_epoch || !may {
            return false;
        }
        let spec = |member: &Member| MemberSpec {
            id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            topics: self.topic_ids(member, topics),
            assigned: self.target.get(&member.id).cloned().unwrap_or_default(),
        };
        let same = |a: &Member, b: &Member| a.topics == b.topics && a.regex == b.regex;
        let first = self.members.values().next();
        let spec = Spec {
            members: java_order(self.members.values().map(spec).collect(), |member: &MemberSpec| member.id.as_str()),
            topics: self.current_metadata(topics).into_values().collect(),
            homogeneous: first.is_none_or(|first| self.members.values().all(|member| same(first, member))),
        };
        self.target = self.assignor(Some(by)).assign(&spec);
        self.target_epoch = self.epoch;
        self.target_made_at = Some(now);
        true
    }

    /// The assignor that most members ask for. Of two with as many votes Kafka takes the first of a hash map, in which they
    /// stand in this order; but a name that only this member asks for has just been put in front.
    fn assignor(&self, by: Option<&Member>) -> Assignor {
        let votes = |assignor: &Assignor| {
            let asked = self.members.values().filter_map(|member| member.assignor.as_deref());
            asked.filter(|name| *name == assignor.name()).count()
        };
        let mut names = Assignor::ALL.to_vec();
        let own = by.and_then(|member| Assignor::by_name(member.assignor.as_deref()?));
        names.sort_by_key(|assignor| own != Some(*assignor) || votes(assignor) > 1);
        // The last of several that are largest is told, so they are looked at from behind.
        names.into_iter().rev().max_by_key(votes).unwrap_or(Assignor::Uniform)
    }
}
