//! How what the consumer's machines want is said in Kafka's messages, and what the answers mean to them.
//!
//! Pure translation, run outside every lock. Before: a plan of [`fetcher`](super::fetcher), [`offset_lookup`],
//! [`commits`], [`committed`](mod@super::committed) or [`membership`](super::membership), and the version both sides
//! speak. After: the [`driver`](super::driver) sends it, and gives the answer to the machine. [`fetch`] has a file of
//! its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use tidemill_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use tidemill_protocol::messages::leave_group_request::MemberIdentity;
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tidemill_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use tidemill_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use tidemill_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListOffsetsRequest, ListOffsetsResponse,
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest,
    SyncGroupResponse, TopicName,
};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::OffsetAndMetadata;
use super::config::IsolationLevel;
use super::membership::{Failure, Identity, Join, Joined, Sync, consumer};
use super::offset_lookup::{self, Found, OffsetSpec};
use super::{commits, committed};
use crate::record::TopicPartition;

pub(super) mod fetch;
#[cfg(test)]
mod tests;

/// Which versions of each API we speak. Older ones lack what the consumer relies on; newer ones have no struct yet.
pub(super) mod versions {
    use super::VersionRange;

    /// From 4 on, records are batches of magic 2 and a batch larger than the limit is still sent (KIP-74); from 13 on,
    /// topics go by their id.
    pub(in crate::consumer) const FETCH: VersionRange = VersionRange::new(4, 17);
    /// What is spoken while the id of a topic is not known.
    pub(in crate::consumer) const FETCH_BY_NAME: VersionRange = VersionRange::new(4, 12);
    pub(in crate::consumer) const LIST_OFFSETS: VersionRange = VersionRange::new(1, 10);
    /// From 10 on, topics go by their id: no struct yet.
    pub(in crate::consumer) const OFFSET_COMMIT: VersionRange = VersionRange::new(2, 9);
    pub(in crate::consumer) const OFFSET_FETCH: VersionRange = VersionRange::new(1, 9);
    pub(in crate::consumer) const JOIN_GROUP: VersionRange = VersionRange::new(1, 9);
    pub(in crate::consumer) const SYNC_GROUP: VersionRange = VersionRange::new(0, 5);
    pub(in crate::consumer) const HEARTBEAT: VersionRange = VersionRange::new(0, 4);
    pub(in crate::consumer) const CONSUMER_GROUP_HEARTBEAT: VersionRange = VersionRange::new(0, 1);
    /// With a pattern (KIP-848).
    pub(in crate::consumer) const CONSUMER_GROUP_HEARTBEAT_BY_PATTERN: VersionRange = VersionRange::new(1, 1);
    pub(in crate::consumer) const LEAVE_GROUP: VersionRange = VersionRange::new(0, 5);
}

/// The kind of protocol that consumers speak among themselves.
const PROTOCOL_TYPE: &str = "consumer";

/// The group, as every request to its coordinator names it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) id: StrBytes,
    pub(super) instance_id: Option<StrBytes>,
    /// The assignor that the coordinator is to use.
    pub(super) remote_assignor: Option<StrBytes>,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn isolation(level: IsolationLevel) -> i8 {
    match level {
        IsolationLevel::ReadUncommitted => 0,
        IsolationLevel::ReadCommitted => 1,
    }
}

pub(super) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// What belongs to each topic, in one list per topic.
fn by_topic<T>(parts: impl IntoIterator<Item = (Arc<str>, T)>) -> impl Iterator<Item = (TopicName, Vec<T>)> {
    let mut topics: BTreeMap<Arc<str>, Vec<T>> = BTreeMap::new();
    for (topic, part) in parts {
        topics.entry(topic).or_default().push(part);
    }
    topics.into_iter().map(|(topic, parts)| (TopicName(text(&topic)), parts))
}

fn partition_of(topic: &Arc<str>, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.clone(), partition }
}

/// An answer of the broker's that may be an error.
fn result<T>(code: i16, value: T) -> Result<T, ErrorCode> {
    ErrorCode(code).into_result().map(|()| value)
}

impl Group {
    pub(super) fn join_request(&self, join: &Join, version: i16) -> JoinGroupRequest {
        let protocols = join.protocols.iter().map(|(name, subscription)| {
            JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(subscription.clone())
        });
        JoinGroupRequest::default()
            .with_group_id(GroupId(self.id.clone()))
            .with_session_timeout_ms(millis(self.session_timeout))
            .with_rebalance_timeout_ms(millis(self.rebalance_timeout))
            .with_member_id(text(&join.member_id))
            .with_group_instance_id(self.instance_id.clone().filter(|_| version >= 5))
            .with_protocol_type(StrBytes::from_static_str(PROTOCOL_TYPE))
            .with_protocols(protocols.collect())
            .with_reason(Some(StrBytes::from_static_str(join.reason)).filter(|_| version >= 8))
    }

    pub(super) fn sync_request(&self, sync: &Sync, version: i16) -> SyncGroupRequest {
        let assignments = sync.assignments.iter().map(|(member_id, assignment)| {
            SyncGroupRequestAssignment::default().with_member_id(text(member_id)).with_assignment(assignment.clone())
        });
        SyncGroupRequest::default()
            .with_group_id(GroupId(self.id.clone()))
            .with_generation_id(sync.identity.generation)
            .with_member_id(text(&sync.identity.member_id))
            .with_group_instance_id(self.instance_id.clone().filter(|_| version >= 3))
            .with_protocol_type(Some(StrBytes::from_static_str(PROTOCOL_TYPE)).filter(|_| version >= 5))
            .with_protocol_name(Some(text(&sync.protocol)).filter(|_| version >= 5))
            .with_assignments(assignments.collect())
    }

    pub(super) fn heartbeat_request(&self, identity: &Identity, version: i16) -> HeartbeatRequest {
        HeartbeatRequest::default()
            .with_group_id(GroupId(self.id.clone()))
            .with_generation_id(identity.generation)
            .with_member_id(text(&identity.member_id))
            .with_group_instance_id(self.instance_id.clone().filter(|_| version >= 3))
    }

    pub(super) fn leave_request(&self, member_id: &str, version: i16) -> LeaveGroupRequest {
        let request = LeaveGroupRequest::default().with_group_id(GroupId(self.id.clone()));
        if version < 3 {
            return request.with_member_id(text(member_id));
        }
        let reason = Some(StrBytes::from_static_str("the consumer left")).filter(|_| version >= 5);
        let member = MemberIdentity::default()
            .with_member_id(text(member_id))
            .with_group_instance_id(self.instance_id.clone())
            .with_reason(reason);
        request.with_members(vec![member])
    }

    pub(super) fn group_heartbeat_request(&self, heartbeat: &consumer::Heartbeat) -> ConsumerGroupHeartbeatRequest {
        let consumer::Heartbeat { identity, introduces, wish, held, .. } = heartbeat;
        let names = wish.as_ref().map(|wish| wish.topics.iter().map(|topic| TopicName(text(topic))).collect());
        // An empty pattern takes an earlier one back.
        let pattern = wish.as_ref().filter(|wish| wish.pattern.is_some() || !*introduces);
        let pattern = pattern.map(|wish| wish.pattern.as_deref().map(text).unwrap_or_default());
        let held = held.as_ref().map(|held| {
            let topics = held
                .iter()
                .map(|(id, numbers)| TopicPartitions::default().with_topic_id(*id).with_partitions(numbers.clone()));
            topics.collect()
        });
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(self.id.clone()))
            .with_member_id(text(&identity.member_id))
            .with_member_epoch(identity.generation)
            .with_instance_id(self.instance_id.clone())
            .with_rebalance_timeout_ms(if *introduces { millis(self.rebalance_timeout) } else { -1 })
            .with_subscribed_topic_names(names)
            .with_subscribed_topic_regex(pattern)
            .with_server_assignor(self.remote_assignor.clone().filter(|_| *introduces))
            .with_topic_partitions(held)
    }

    pub(super) fn commit_request(&self, plan: &commits::Plan, version: i16) -> OffsetCommitRequest {
        let parts = plan.offsets.iter().map(|(partition, offset)| {
            let part = OffsetCommitRequestPartition::default()
                .with_partition_index(partition.partition)
                .with_committed_offset(offset.offset)
                .with_committed_leader_epoch(offset.leader_epoch.filter(|_| version >= 6).unwrap_or(-1))
                .with_committed_metadata(Some(text(&offset.metadata)));
            (partition.topic.clone(), part)
        });
        let topics = by_topic(parts)
            .map(|(name, parts)| OffsetCommitRequestTopic::default().with_name(name).with_partitions(parts));
        OffsetCommitRequest::default()
            .with_group_id(GroupId(self.id.clone()))
            .with_generation_id_or_member_epoch(plan.identity.generation)
            .with_member_id(text(&plan.identity.member_id))
            .with_group_instance_id(self.instance_id.clone().filter(|_| version >= 7 && plan.identity.generation >= 0))
            .with_topics(topics.collect())
    }

    pub(super) fn committed_request(&self, plan: &committed::Plan, version: i16) -> OffsetFetchRequest {
        let parts = || by_topic(plan.partitions.iter().map(|part| (part.topic.clone(), part.partition)));
        let request = OffsetFetchRequest::default().with_require_stable(version >= 7);
        if version < 8 {
            let topics = parts()
                .map(|(name, parts)| OffsetFetchRequestTopic::default().with_name(name).with_partition_indexes(parts));
            return request.with_group_id(GroupId(self.id.clone())).with_topics(Some(topics.collect()));
        }
        let topics = parts()
            .map(|(name, parts)| OffsetFetchRequestTopics::default().with_name(name).with_partition_indexes(parts));
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(self.id.clone()))
            .with_topics(Some(topics.collect()));
        request.with_groups(vec![group])
    }
}

pub(super) fn joined(response: JoinGroupResponse) -> Result<Joined, (Failure, String)> {
    let member_id = response.member_id.to_string();
    if let Err(code) = ErrorCode(response.error_code).into_result() {
        return Err((Failure::Broker(code), member_id));
    }
    let members = response.members.into_iter().map(|member| {
        let instance_id = member.group_instance_id.map(|instance_id| instance_id.to_string());
        (member.member_id.to_string(), instance_id, member.metadata)
    });
    Ok(Joined {
        generation: response.generation_id,
        member_id,
        protocol: response.protocol_name.unwrap_or_default().to_string(),
        leader: response.leader.to_string(),
        skip_assignment: response.skip_assignment,
        members: members.collect(),
    })
}

pub(super) fn synced(response: SyncGroupResponse) -> Result<Bytes, Failure> {
    result(response.error_code, response.assignment).map_err(Failure::Broker)
}

pub(super) fn group_beaten(response: ConsumerGroupHeartbeatResponse) -> Result<consumer::Beaten, Failure> {
    if let Err(code) = ErrorCode(response.error_code).into_result() {
        let message = response.error_message.unwrap_or_default();
        tracing::debug!(%code, %message, "a heartbeat was refused");
        return Err(Failure::Broker(code));
    }
    let target = response.assignment.map(|assignment| {
        let mut target = consumer::SharesById::new();
        for topic in assignment.topic_partitions {
            target.entry(topic.topic_id).or_default().extend(topic.partitions.iter().filter(|number| **number >= 0));
        }
        for numbers in target.values_mut() {
            numbers.sort_unstable();
            numbers.dedup();
        }
        target
    });
    // However short an interval the coordinator asks for, it is not to keep us busy.
    let interval = u64::try_from(response.heartbeat_interval_ms).unwrap_or(0).max(HEARTBEAT_INTERVAL_MS_MIN);
    Ok(consumer::Beaten { epoch: response.member_epoch, interval: Duration::from_millis(interval), target })
}

const HEARTBEAT_INTERVAL_MS_MIN: u64 = 20;

pub(super) fn beaten(response: &HeartbeatResponse) -> Result<(), Failure> {
    result(response.error_code, ()).map_err(Failure::Broker)
}

pub(super) fn list_offsets_request(
    plan: &offset_lookup::Plan,
    isolation_level: IsolationLevel,
    timeout: Duration,
    version: i16,
) -> ListOffsetsRequest {
    let parts = plan.partitions.iter().map(|(partition, spec, leader_epoch)| {
        let timestamp = match spec {
            OffsetSpec::Latest => -1,
            OffsetSpec::Earliest => -2,
            OffsetSpec::Timestamp(timestamp) => *timestamp,
        };
        let part = ListOffsetsPartition::default()
            .with_partition_index(partition.partition)
            .with_current_leader_epoch(if version >= 4 { *leader_epoch } else { -1 })
            .with_timestamp(timestamp);
        (partition.topic.clone(), part)
    });
    let topics =
        by_topic(parts).map(|(name, parts)| ListOffsetsTopic::default().with_name(name).with_partitions(parts));
    ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_isolation_level(if version >= 2 { isolation(isolation_level) } else { 0 })
        .with_topics(topics.collect())
        .with_timeout_ms(if version >= 10 { millis(timeout) } else { 0 })
}

pub(super) fn offsets_listed(response: ListOffsetsResponse) -> Vec<offset_lookup::Answer> {
    let mut answers = Vec::new();
    for topic in response.topics {
        let name = Arc::from(&*topic.name.0);
        for part in topic.partitions {
            let found =
                Some(Found { offset: part.offset, timestamp: part.timestamp }).filter(|found| found.offset >= 0);
            answers.push((partition_of(&name, part.partition_index), result(part.error_code, found)));
        }
    }
    answers
}

pub(super) fn committed(response: OffsetFetchResponse) -> committed::Answer {
    // The same in two shapes: of one group up to version 7, of a list of groups from 8 on.
    let mut answers = Vec::new();
    let mut push = |topic: &Arc<str>, index, offset, leader_epoch: i32, metadata: Option<StrBytes>, code| {
        let found = Some(OffsetAndMetadata {
            offset,
            leader_epoch: Some(leader_epoch).filter(|epoch| *epoch >= 0),
            metadata: metadata.unwrap_or_default().to_string(),
        });
        answers.push((partition_of(topic, index), result(code, found.filter(|found| found.offset >= 0))));
    };
    ErrorCode(response.error_code).into_result()?;
    for topic in response.topics {
        let name = Arc::from(&*topic.name.0);
        for part in topic.partitions {
            let epoch = part.committed_leader_epoch;
            push(&name, part.partition_index, part.committed_offset, epoch, part.metadata, part.error_code);
        }
    }
    for group in response.groups {
        ErrorCode(group.error_code).into_result()?;
        for topic in group.topics {
            let name = Arc::from(&*topic.name.0);
            for part in topic.partitions {
                let epoch = part.committed_leader_epoch;
                push(&name, part.partition_index, part.committed_offset, epoch, part.metadata, part.error_code);
            }
        }
    }
    Ok(answers)
}

pub(super) fn commit_answered(response: OffsetCommitResponse) -> commits::Answer {
    let mut answers = Vec::new();
    for topic in response.topics {
        let name = Arc::from(&*topic.name.0);
        for part in topic.partitions {
            answers.push((partition_of(&name, part.partition_index), result(part.error_code, ())));
        }
    }
    answers
}
