//! Members of the classic protocol in a consumer group, while it is on its way from one protocol to the other. To them a
//! new target is a rebalance: they are told so by their heartbeat, join, and get their assignment by SyncGroup.
//!
//! The generation of such a member is its epoch. Nobody leads: the coordinator assigns.

use bytes::Bytes;
use tidemill_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use tidemill_protocol::messages::{JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};
use tidemill_protocol::{ErrorCode, StrBytes};
use tokio::time::Instant;

use super::member::{Classic, Member, State, held_since, partitions};
use super::{ConsumerGroup, Partitions};
use crate::broker::groups::classic::{CONSUMER, Identity, Join};
use crate::broker::groups::migration::Migrating;
use crate::broker::groups::{Around, MigrationPolicy, owned, subscription};
use crate::broker::topics::Topics;

/// Since this version a client is told its id first and comes back with it.
const KNOWS_ITS_ID_SINCE: i16 = 4;

/// Why the members of a classic group cannot be those of a consumer group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum CannotMigrate {
    /// What they say ends early.
    Malformed,
    /// What they say has lengths that cannot be.
    Unreadable,
    /// Their assignor has data that would be lost.
    CustomAssignor,
}

impl From<subscription::Unreadable> for CannotMigrate {
    fn from(why: subscription::Unreadable) -> Self {
        match why {
            subscription::Unreadable::EndsEarly => Self::Malformed,
            subscription::Unreadable::Lengths => Self::Unreadable,
        }
    }
}

impl ConsumerGroup {
    /// A group of these members, which were in a classic group until now.
    pub(in super::super) fn migrated(
        generation: i32,
        migrating: Vec<Migrating>,
        topics: &Topics,
        now: Instant,
    ) -> Result<Self, CannotMigrate> {
        let mut group = Self { epoch: generation, target_epoch: generation, ..Self::new() };
        for old in migrating {
            let said = subscription::subscription(&old.metadata)?;
            let (given, has_data) = if old.assignment.is_empty() {
                (Vec::new(), false)
            } else {
                subscription::assignment(&old.assignment)?
            };
            if has_data {
                return Err(CannotMigrate::CustomAssignor);
            }
            let mut member = Member::new(old.id, now);
            member.instance_id = old.instance_id;
            member.rack_id = said.rack.as_deref().map(owned);
            member.client_id = old.client_id;
            member.client_host = old.client_host;
            member.rebalance_timeout = old.rebalance_timeout;
            member.topics = said.topics.into_iter().collect();
            member.epoch = generation;
            member.previous_epoch = generation;
            member.expires_at = now + old.session_timeout;
            for (topic, numbers) in given.iter().filter_map(|(name, it)| Some((topics.by_name(name)?, it))) {
                member.assigned.entry(topic.id).or_default().extend(numbers.iter().map(|number| (*number, generation)));
            }
            member.classic = Some(Classic {
                session_timeout: old.session_timeout,
                protocols: old.protocols,
                join_until: None,
                sync_until: None,
            });
            group.target.insert(member.id.clone(), partitions(&member.assigned));
            group.members.insert(member.id.clone(), member);
        }
        group.metadata = group.current_metadata(topics);
        Ok(group)
    }

    /// The epochs of the group and of its target.
    pub(in super::super) const fn epochs(&self) -> (i32, i32) {
        (self.epoch, self.target_epoch)
    }

    /// Whether this is a static member of the consumer protocol.
    pub(in super::super) fn has_new_static_member(&self, instance_id: &str) -> bool {
        self.static_member(instance_id).is_some_and(|member| !member.is_classic())
    }

    pub(in super::super) fn is_all_classic(&self) -> bool {
        self.members.values().all(Member::is_classic)
    }

    /// The members, on their way to a classic group.
    pub(in super::super) fn migrating(&self, topics: &Topics) -> Vec<Migrating> {
        let migrate = |member: &Member| {
            let classic = member.classic.as_ref()?;
            let metadata = classic.protocols.first().map(|(_, metadata)| metadata.clone()).unwrap_or_default();
            let target = self.target.get(&member.id).cloned().unwrap_or_default();
            Some(Migrating {
                id: member.id.clone(),
                instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                session_timeout: classic.session_timeout,
                rebalance_timeout: member.rebalance_timeout,
                protocols: classic.protocols.clone(),
                assignment: written(&metadata, &target, topics),
                metadata,
            })
        };
        self.members.values().filter_map(migrate).collect()
    }

    /// JoinGroup. `new_id` is the id of the member if it has none yet.
    pub(in super::super) fn on_classic_join(
        &mut self,
        join: Join,
        new_id: StrBytes,
        around: &Around<'_>,
    ) -> Result<JoinGroupResponse, (ErrorCode, StrBytes)> {
        let properties = around.properties;
        let is_unknown = join.member_id.is_empty();
        let id = if is_unknown { new_id } else { join.member_id.clone() };
        // Kafka does not say whom it refuses.
        let refuse = |code: ErrorCode| (code, StrBytes::new());
        if properties.consumer_migration_policy == MigrationPolicy::Disabled {
            return Err(refuse(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        }
        let max = usize::try_from(properties.consumer_max_size).unwrap_or_default();
        if self.members.len() >= max && !self.members.contains_key(&id) {
            return Err(refuse(ErrorCode::GROUP_MAX_SIZE_REACHED));
        }
        if !self.supports(&join) {
            return Err(refuse(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        }
        if is_unknown && join.instance_id.is_none() && join.asked.version >= KNOWS_ITS_ID_SINCE {
            return Err((ErrorCode::MEMBER_ID_REQUIRED, id));
        }
        let (old, replaced) = self.find_classic(&join, &id, around.now).map_err(refuse)?;
        let metadata = join.protocols.first().map(|(_, metadata)| metadata.clone()).unwrap_or_default();
        let Ok(said) = subscription::subscription(&metadata) else {
            return Err(refuse(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        };
        let mut member = old.clone();
        member.instance_id = join.instance_id.clone().or(member.instance_id);
        member.rack_id = said.rack.as_deref().map(owned).or(member.rack_id);
        member.rebalance_timeout = join.rebalance_timeout;
        member.topics = said.topics.into_iter().collect();
        member.regex = String::new();
        member.client_id = join.client_id.clone();
        member.client_host = join.client_host.clone();
        member.revoke_until = None;
        member.expires_at = around.now + join.session_timeout;
        member.classic = Some(Classic {
            session_timeout: join.session_timeout,
            protocols: join.protocols.clone(),
            join_until: None,
            sync_until: Some(around.now + join.rebalance_timeout),
        });
        if let Some(replaced) = &replaced {
            self.replace_id(replaced, &member.id);
        }
        let owns = said.owned.iter().filter_map(|(name, numbers)| {
            let topic = around.topics.by_name(name)?;
            Some(TopicPartitions::default().with_topic_id(topic.id).with_partitions(numbers.clone()))
        });
        let owns: Vec<TopicPartitions> = owns.collect();
        let before = (self.target.clone(), self.target_epoch);
        let member = self.advance(&old, member, Some(&owns), around.topics, properties, around.now);
        // The group becomes a classic one, in which its leader assigns: no new target is made.
        if replaced.is_some() && self.is_all_classic() && properties.consumer_migration_policy.allows_downgrade() {
            (self.target, self.target_epoch) = before;
        }
        Ok(JoinGroupResponse::default()
            .with_generation_id(member.epoch)
            .with_protocol_type(Some(StrBytes::from_static_str(CONSUMER)))
            .with_protocol_name(join.protocols.first().map(|(name, _)| name.clone()))
            .with_member_id(member.id))
    }

    /// SyncGroup.
    pub(in super::super) fn on_classic_sync(
        &mut self,
        request: &SyncGroupRequest,
        topics: &Topics,
        now: Instant,
    ) -> Result<SyncGroupResponse, ErrorCode> {
        let identity = Identity {
            generation: request.generation_id,
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_deref(),
        };
        let target_epoch = self.target_epoch;
        let member = self.classic_member(identity)?;
        let (epoch, state, rebalance_timeout) = (member.epoch, member.state, member.rebalance_timeout);
        let Some(classic) = member.classic.as_mut() else { return Err(ErrorCode::UNKNOWN_MEMBER_ID) };
        let Some((name, metadata)) = classic.protocols.first().cloned() else {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        };
        let is_other = |asked: &Option<StrBytes>, ours: &str| asked.as_deref().is_some_and(|asked| asked != ours);
        if is_other(&request.protocol_type, CONSUMER) || is_other(&request.protocol_name, &name) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if target_epoch > epoch && state != State::UnrevokedPartitions {
            classic.join_until.get_or_insert(now + rebalance_timeout);
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        classic.sync_until = None;
        member.expires_at = now + classic.session_timeout;
        let assignment = written(&metadata, &partitions(&member.assigned), topics);
        Ok(SyncGroupResponse::default()
            .with_protocol_type(request.protocol_type.clone())
            .with_protocol_name(request.protocol_name.clone())
            .with_assignment(assignment))
    }

    /// Heartbeat: whether there is a rebalance.
    pub(in super::super) fn on_classic_heartbeat(
        &mut self,
        identity: Identity<'_>,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        let target_epoch = self.target_epoch;
        let id = self.classic_member(identity)?.id.clone();
        let waits = self.waits_for_others(&id);
        let member = self.classic_member(identity)?;
        let (state, epoch, rebalance_timeout) = (member.state, member.epoch, member.rebalance_timeout);
        let Some(classic) = member.classic.as_mut() else { return Err(ErrorCode::UNKNOWN_MEMBER_ID) };
        member.expires_at = now + classic.session_timeout;
        let rebalances = match state {
            State::Stable => epoch < target_epoch,
            State::UnrevokedPartitions => true,
            State::UnreleasedPartitions => epoch < target_epoch || !waits,
        };
        if rebalances {
            classic.join_until.get_or_insert(now + rebalance_timeout);
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    /// A member of the classic protocol, in its generation.
    fn classic_member(&mut self, identity: Identity<'_>) -> Result<&mut Member, ErrorCode> {
        if let Some(instance_id) = identity.instance_id {
            let current = self.static_member(instance_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            if current.id.as_str() != identity.member_id {
                return Err(ErrorCode::FENCED_INSTANCE_ID);
            }
        }
        let member = self.members.get_mut(&owned(identity.member_id)).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if !member.is_classic() {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if member.epoch == identity.generation { Ok(member) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }

    fn find_classic(&self, join: &Join, id: &StrBytes, now: Instant) -> Result<(Member, Option<StrBytes>), ErrorCode> {
        let known = || self.members.get(id).cloned().unwrap_or_else(|| Member::new(id.clone(), now));
        let Some(instance_id) = join.instance_id.as_deref() else { return Ok((known(), None)) };
        match (self.static_member(instance_id), join.member_id.is_empty()) {
            (None, true) => Ok((known(), None)),
            (None, false) => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            (Some(current), true) => Ok((current.replaced_by(id.clone()), Some(current.id.clone()))),
            (Some(current), false) if current.id == *id => Ok((current.clone(), None)),
            (Some(_), false) => Err(ErrorCode::FENCED_INSTANCE_ID),
        }
    }

    /// Whether it speaks a protocol that all other classic members speak.
    fn supports(&self, join: &Join) -> bool {
        let others = || self.members.values().filter_map(|member| member.classic.as_ref());
        let all_speak =
            |name: &StrBytes| others().all(|classic| classic.protocols.iter().any(|(protocol, _)| protocol == name));
        join.protocol_type.as_str() == CONSUMER && join.protocols.iter().any(|(name, _)| all_speak(name))
    }

    /// Whether a partition of its target is with somebody else.
    fn waits_for_others(&self, id: &StrBytes) -> bool {
        let (Some(member), Some(target)) = (self.members.get(id), self.target.get(id)) else { return false };
        let missing = target.iter().flat_map(|(topic, numbers)| numbers.iter().map(|number| (*topic, *number)));
        let mut missing = missing.filter(|(topic, number)| held_since(&member.assigned, *topic, *number).is_none());
        missing.any(|(topic, number)| self.members.values().any(|other| other.holds(topic, number)))
    }
}

/// Partitions as classic consumers read them.
fn written(metadata: &Bytes, partitions: &Partitions, topics: &Topics) -> Bytes {
    let named = partitions.iter().filter_map(|(id, numbers)| {
        let topic = topics.by_id(*id)?;
        Some((topic.name.to_string(), numbers.iter().copied().collect()))
    });
    let named: Vec<(String, Vec<i32>)> = named.collect();
    subscription::write_assignment(metadata, &named)
}
