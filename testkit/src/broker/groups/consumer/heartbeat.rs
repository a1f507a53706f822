//! ConsumerGroupHeartbeat of a member: it joins with epoch 0, says what has changed of itself, and is told its epoch and,
//! when they have changed, its partitions.
//!
//! Before: [`Groups`](super::super::Groups) has found or made the group. After: [`reconcile`](super::reconcile).

use std::collections::BTreeSet;
use std::time::Duration;

use tidemill_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use tidemill_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use tidemill_protocol::{ErrorCode, StrBytes};
use tokio::time::Instant;

use super::ConsumerGroup;
use super::assignor::Assignor;
use super::member::{AWAY, Member, State, partitions};
use super::reconcile::Reconciling;
use super::subscription;
use crate::broker::groups::{GroupProperties, Refusal, millis_i32, owned};
use crate::broker::topics::Topics;

/// The epoch of a member that leaves.
pub(super) const LEAVES: i32 = -1;

/// Since this version a member makes its own id up.
const MEMBER_MAKES_ID_SINCE: i16 = 1;

/// The least time between two looks at patterns.
const PATTERNS_REST: Duration = Duration::from_secs(10);

/// A heartbeat, and what is around it.
#[derive(Debug)]
pub(in super::super) struct Heartbeat<'a> {
    pub(in super::super) request: &'a ConsumerGroupHeartbeatRequest,
    pub(in super::super) version: i16,
    /// The id of the member: its own, or a new one.
    pub(in super::super) member_id: StrBytes,
    pub(in super::super) client_id: &'a str,
    pub(in super::super) client_host: &'a str,
    pub(in super::super) topics: &'a Topics,
    pub(in super::super) properties: &'a GroupProperties,
    pub(in super::super) now: Instant,
}

impl Heartbeat<'_> {
    /// Whether this can be a heartbeat, whoever sends it.
    pub(in super::super) fn check(&self) -> Result<(), Refusal> {
        let invalid = |message: &str| Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
        let request = self.request;
        let is_blank = |text: &str| text.trim().is_empty();
        let is_blank_name = |text: &Option<StrBytes>| text.as_deref().is_some_and(is_blank);
        let epoch = request.member_epoch;
        let needs_id = self.version >= MEMBER_MAKES_ID_SINCE || epoch > 0 || epoch == LEAVES;
        if needs_id && is_blank(&request.member_id) {
            return invalid("MemberId can't be empty.");
        }
        if is_blank(&request.group_id) {
            return invalid("GroupId can't be empty.");
        }
        if is_blank_name(&request.instance_id) {
            return invalid("InstanceId can't be empty.");
        }
        if is_blank_name(&request.rack_id) {
            return invalid("RackId can't be empty.");
        }
        if epoch == 0 {
            if request.rebalance_timeout_ms == -1 {
                return invalid("RebalanceTimeoutMs must be provided in first request.");
            }
            if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) {
                return invalid("TopicPartitions must be empty when (re-)joining.");
            }
            if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
                return invalid(
                    "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
                );
            }
        } else if epoch == AWAY && request.instance_id.is_none() {
            return invalid("InstanceId can't be null.");
        } else if epoch < AWAY {
            return invalid("MemberEpoch is invalid.");
        }
        match request.server_assignor.as_deref() {
            Some(name) if Assignor::by_name(name).is_none() => {
                let names = Assignor::ALL.map(Assignor::name).join(", ");
                let message = format!("ServerAssignor {name} is not supported. Supported assignors: {names}.");
                Err(Refusal::new(ErrorCode::UNSUPPORTED_ASSIGNOR, message))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(in super::super) const fn joins(&self) -> bool {
        self.request.member_epoch == 0
    }

    pub(in super::super) const fn leaves(&self) -> bool {
        self.request.member_epoch < 0
    }
}

impl ConsumerGroup {
    /// Nothing has changed when it is refused.
    pub(in super::super) fn on_heartbeat(
        &mut self,
        beat: &Heartbeat<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let (old, replaced) = self.find_member(beat)?;
        let request = beat.request;
        let names = request.subscribed_topic_names.as_ref();
        let mut member = old.clone();
        member.instance_id = request.instance_id.as_deref().map(owned).or(member.instance_id);
        member.rack_id = request.rack_id.as_deref().map(owned).or(member.rack_id);
        if let Ok(millis) = u64::try_from(request.rebalance_timeout_ms) {
            member.rebalance_timeout = Duration::from_millis(millis);
        }
        member.assignor = request.server_assignor.as_deref().map(owned).or(member.assignor);
        if let Some(names) = names {
            member.topics = names.iter().map(|name| name.as_str().to_owned()).collect();
        }
        if let Some(regex) = &request.subscribed_topic_regex {
            member.regex = regex.as_str().to_owned();
        }
        member.client_id = owned(beat.client_id);
        member.client_host = owned(beat.client_host);
        member.classic = None;
        self.check_pattern(&old, &member)?;

        if let Some(replaced) = &replaced {
            self.replace_id(replaced, &member.id);
        }
        member.expires_at = beat.now + beat.properties.consumer_session_timeout;
        let owned_partitions = request.topic_partitions.as_deref();
        let member = self.advance(&old, member, owned_partitions, beat.topics, beat.properties, beat.now);
        let held = partitions(&member.assigned);
        let is_full = request.rebalance_timeout_ms != -1
            && (names.is_some() || request.subscribed_topic_regex.is_some())
            && owned_partitions.is_some();
        let response = ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(member.id.clone()))
            .with_member_epoch(member.epoch)
            .with_heartbeat_interval_ms(millis_i32(beat.properties.consumer_heartbeat_interval));
        let tells = beat.joins() || is_full || member.assigned != old.assigned;
        let of_topic = |(topic, partitions): (uuid::Uuid, BTreeSet<i32>)| {
            TopicPartitions::default().with_topic_id(topic).with_partitions(partitions.into_iter().collect())
        };
        let assignment =
            || Assignment::default().with_topic_partitions(held.clone().into_iter().map(of_topic).collect());
        self.resolve_patterns(beat.topics, beat.properties, beat.now);
        Ok(response.with_assignment(tells.then(assignment)))
    }

    /// What changes of the group with a member: the epoch, the target, and how far the member has come.
    pub(super) fn advance(
        &mut self,
        old: &Member,
        mut member: Member,
        owned: Option<&[tidemill_protocol::messages::consumer_group_heartbeat_request::TopicPartitions]>,
        topics: &Topics,
        properties: &GroupProperties,
        now: Instant,
    ) -> Member {
        let id = member.id.clone();
        let names_changed = old.topics != member.topics;
        let regex_changed = old.regex != member.regex;
        // What a pattern matches is known if somebody else has it already.
        let regex_is_known = member.regex.is_empty() || self.patterns.resolved.contains_key(&member.regex);
        self.members.insert(id.clone(), member.clone());
        if regex_changed && !self.members.values().any(|it| it.regex == old.regex) {
            self.patterns.resolved.remove(&old.regex);
        }
        let metadata = self.current_metadata(topics);
        if names_changed || regex_changed && regex_is_known || metadata != self.metadata {
            self.metadata = metadata;
            self.bump_epoch();
        }
        let is_new = self.update_target(&member, topics, properties, now);
        // By a name that the group has not known, Kafka finds no target until there is a new one.
        let is_named = old.epoch > 0 && old.instance_id.is_none() && member.instance_id.is_some();
        let finds_target = is_new || !is_named;
        let is_held = |topic, partition| {
            let others = self.members.values().filter(|it| it.id != id);
            others.chain([old]).any(|it| it.holds(topic, partition))
        };
        let nothing = super::Partitions::new();
        let subscription_changed = names_changed || regex_changed;
        if subscription_changed || !member.is_reconciled_to(self.target_epoch) {
            let reconciling = Reconciling {
                target_epoch: self.target_epoch,
                target: self.target.get(&id).filter(|_| finds_target).unwrap_or(&nothing),
                subscribed: &self.topic_ids(&member, topics),
                subscription_changed,
                is_held,
                owned,
            };
            if reconciling.advance(&mut member) && !member.is_classic() {
                let revokes = member.state == State::UnrevokedPartitions;
                member.revoke_until = revokes.then(|| now + member.rebalance_timeout);
            }
        }
        self.members.insert(id, member.clone());
        member
    }

    /// The member as it is until now, and the id of the static member whose place it takes.
    fn find_member(&self, beat: &Heartbeat<'_>) -> Result<(Member, Option<StrBytes>), Refusal> {
        let id = &beat.member_id;
        let known = self.members.get(id);
        let max = beat.properties.consumer_max_size;
        if self.members.len() >= usize::try_from(max).unwrap_or_default() && known.is_none() {
            let message = format!("The consumer group has reached its maximum capacity of {max} members.");
            return Err(Refusal::new(ErrorCode::GROUP_MAX_SIZE_REACHED, message));
        }
        let Some(instance_id) = beat.request.instance_id.as_deref() else {
            let Some(member) = known else {
                return if beat.joins() {
                    Ok((Member::new(id.clone(), beat.now), None))
                } else {
                    Err(self.unknown(beat))
                };
            };
            check_epoch(member, beat)?;
            return Ok((member.clone(), None));
        };
        match self.static_member(instance_id) {
            None if beat.joins() => Ok((known.cloned().unwrap_or_else(|| Member::new(id.clone(), beat.now)), None)),
            None => {
                let message = format!("Instance id {instance_id} is unknown.");
                Err(Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message))
            }
            Some(current) if beat.joins() => {
                if current.epoch != AWAY && !current.is_classic() {
                    let message = format!(
                        "Static member {id} with instance id {instance_id} cannot join the group because the instance id \
                         is owned by {} member.",
                        current.id
                    );
                    return Err(Refusal::new(ErrorCode::UNRELEASED_INSTANCE_ID, message));
                }
                Ok((current.replaced_by(id.clone()), Some(current.id.clone())))
            }
            Some(current) => {
                fenced_by(current, id, instance_id)?;
                check_epoch(current, beat)?;
                Ok((current.clone(), None))
            }
        }
    }

    fn unknown(&self, beat: &Heartbeat<'_>) -> Refusal {
        let message = format!("Member {} is not a member of group {}.", beat.member_id, beat.request.group_id.as_str());
        Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
    }

    /// A static member goes by another id from now on.
    pub(super) fn replace_id(&mut self, old: &StrBytes, new: &StrBytes) {
        self.members.remove(old);
        if let Some(target) = self.target.remove(old) {
            self.target.insert(new.clone(), target);
        }
    }

    fn check_pattern(&self, old: &Member, member: &Member) -> Result<(), Refusal> {
        let pattern = &member.regex;
        let is_known = self.members.values().any(|it| it.regex == *pattern);
        if pattern.is_empty() || old.regex == *pattern || is_known {
            return Ok(());
        }
        subscription::compile(pattern).map(|_| ()).map_err(|reason| {
            let message = format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {reason}.");
            Refusal::new(ErrorCode::INVALID_REGULAR_EXPRESSION, message)
        })
    }

    /// Looks at the patterns if there is a new one, or a new topic, or after a while.
    pub(super) fn resolve_patterns(&mut self, topics: &Topics, properties: &GroupProperties, now: Instant) {
        let patterns = self.members.values().map(|member| &member.regex).filter(|pattern| !pattern.is_empty());
        let patterns: BTreeSet<String> = patterns.cloned().collect();
        let at = self.patterns.refreshed_at.filter(|_| !self.patterns.resolved.is_empty());
        if patterns.is_empty() || at.is_some_and(|at| now <= at + PATTERNS_REST) {
            return;
        }
        let stale = at.is_none_or(|at| now > at + properties.consumer_regex_refresh_interval);
        let is_due = patterns.len() != self.patterns.resolved.len() || self.patterns.misses_topic(topics) || stale;
        if is_due && self.patterns.resolve(&patterns, topics, now) {
            self.metadata = self.current_metadata(topics);
            self.bump_epoch();
        }
    }
}

/// The member's epoch, or the one before it if the answer that told the newer one may have been lost.
fn check_epoch(member: &Member, beat: &Heartbeat<'_>) -> Result<(), Refusal> {
    let epoch = beat.request.member_epoch;
    let is_lost =
        || epoch == member.previous_epoch && member.owns_only_assigned(beat.request.topic_partitions.as_deref());
    if epoch == 0 || epoch == member.epoch || epoch < member.epoch && is_lost() {
        return Ok(());
    }
    let than = if epoch > member.epoch { "greater" } else { "smaller" };
    let message = format!(
        "The consumer group member has a {than} member epoch ({epoch}) than the one known by the group coordinator ({}). \
         The member must abandon all its partitions and rejoin.",
        member.epoch
    );
    Err(Refusal::new(ErrorCode::FENCED_MEMBER_EPOCH, message))
}

/// Whether a static member is still the one that goes by this id.
pub(super) fn fenced_by(current: &Member, id: &str, instance_id: &str) -> Result<(), Refusal> {
    if current.id.as_str() == id {
        return Ok(());
    }
    let message = format!("Static member {id} with instance id {instance_id} was fenced by member {}.", current.id);
    Err(Refusal::new(ErrorCode::FENCED_INSTANCE_ID, message))
}
