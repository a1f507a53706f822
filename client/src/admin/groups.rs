//! Groups: list, describe, delete, and remove members.
//!
//! Before: the application. After: [`driver`](super::driver) asks every broker for its groups, and the coordinator of a
//! group for all else. Their offsets are in [`group_offsets`](super::group_offsets).
//!
//! Source: KIP-222 (administering groups), KIP-518 (states), KIP-848 (consumer groups), KIP-345 (static members, removal),
//! KIP-430 (authorized operations).

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup as DescribedConsumerGroup, Member,
};
use tidemill_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use tidemill_protocol::messages::leave_group_request::MemberIdentity;
use tidemill_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DeleteGroupsRequest, DeleteGroupsResponse,
    DescribeGroupsRequest, DescribeGroupsResponse, GroupId, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest,
    ListGroupsResponse,
};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::call::{Answer, Refusal, Route, accepted};
use super::driver::{Deadline, Exchange};
use super::names::{AclOperation, operations, words};
use super::{Admin, Listed, Outcomes, all_refused, named, text};
use crate::cluster::CoordinatorKind;
use crate::consumer::assigned_partitions;
use crate::error::{Error, ErrorKind};
use crate::record::TopicPartition;

const LIST_GROUPS_VERSIONS: VersionRange = VersionRange::new(0, 5);
const DESCRIBE_GROUPS_VERSIONS: VersionRange = VersionRange::new(0, 6);
const CONSUMER_GROUP_DESCRIBE_VERSIONS: VersionRange = VersionRange::new(0, 1);
const DELETE_GROUPS_VERSIONS: VersionRange = VersionRange::new(0, 2);
/// From 3 on several members can be named, and static ones.
const LEAVE_GROUP_VERSIONS: VersionRange = VersionRange::new(3, 5);

words! {
    /// How far a group is.
    GroupState {
        /// It waits for its members to join again.
        PreparingRebalance = "PreparingRebalance";
        /// It waits for its leader to share out partitions.
        CompletingRebalance = "CompletingRebalance";
        /// Every member has its share.
        Stable = "Stable";
        /// It is gone.
        Dead = "Dead";
        /// It has no members.
        Empty = "Empty";
        /// Its partitions are being shared out (KIP-848).
        Assigning = "Assigning";
        /// Its members go over to their new shares (KIP-848).
        Reconciling = "Reconciling";
    }

    /// How a group is coordinated.
    GroupType {
        /// By its leader, with JoinGroup and SyncGroup.
        Classic = "classic";
        /// By its coordinator (KIP-848).
        Consumer = "consumer";
        /// Records rather than partitions are shared out (KIP-932).
        Share = "share";
        /// An application of Kafka Streams (KIP-1071).
        Streams = "streams";
    }
}

/// Which groups to list. Default: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFilter {
    states: Vec<GroupState>,
    types: Vec<GroupType>,
}

impl GroupFilter {
    /// Those in one of these states (KIP-518, brokers since 2.6).
    #[must_use]
    pub fn states(mut self, states: impl IntoIterator<Item = GroupState>) -> Self {
        self.states = states.into_iter().collect();
        self
    }

    /// Those of one of these types (KIP-848, brokers since 3.8).
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = GroupType>) -> Self {
        self.types = types.into_iter().collect();
        self
    }
}

/// A group that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupListing {
    /// Its name.
    pub group_id: String,
    /// What its members are to each other, `consumer` of a consumer group; empty for a classic group without members that
    /// never had any.
    pub protocol_type: String,
    /// How far it is; `None` from brokers before 2.6.
    pub state: Option<GroupState>,
    /// How it is coordinated; `None` from brokers before 3.8.
    pub group_type: Option<GroupType>,
    /// The broker that coordinates it.
    pub coordinator: i32,
}

/// A group and its members.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupDescription {
    /// Its name.
    pub group_id: String,
    /// How far it is.
    pub state: GroupState,
    /// What is known only of groups of its kind.
    pub details: GroupDetails,
    /// Its members.
    pub members: Vec<GroupMemberDescription>,
    /// What we may do with it; `None` from brokers before 2.3 (KIP-430).
    pub authorized_operations: Option<Vec<AclOperation>>,
}

/// How a group shares its partitions out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupDetails {
    /// By its leader.
    Classic(ClassicGroup),
    /// By its coordinator (KIP-848).
    Consumer(ConsumerGroup),
}

/// What is known of a classic group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassicGroup {
    /// What its members are to each other: `consumer`, `connect`, ...
    pub protocol_type: String,
    /// What they agreed on, of a consumer group its assignor; empty while they have not.
    pub protocol: String,
}

/// What is known of a group with the protocol of KIP-848.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerGroup {
    /// Grows with every change of its members, their subscriptions and their topics.
    pub group_epoch: i32,
    /// The group epoch that the shares are of.
    pub assignment_epoch: i32,
    /// The assignor.
    pub assignor: String,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupMemberDescription {
    /// The name that the coordinator knows it by.
    pub member_id: String,
    /// Its `group.instance.id`, if it has one.
    pub group_instance_id: Option<String>,
    /// Its `client.id`.
    pub client_id: String,
    /// The address it came from.
    pub client_host: String,
    /// The partitions it has. Empty for a classic group that is none of consumers, or whose shares cannot be read.
    pub assignment: Vec<TopicPartition>,
    /// The partitions it is to have, with the protocol of KIP-848.
    pub target_assignment: Option<Vec<TopicPartition>>,
    /// The group epoch it has got to, with the protocol of KIP-848.
    pub member_epoch: Option<i32>,
    /// Its `client.rack`, with the protocol of KIP-848 and if it has one.
    pub rack: Option<String>,
    /// The topics it wants, with the protocol of KIP-848.
    pub subscribed_topics: Vec<String>,
    /// The expression of the topics it wants, with the protocol of KIP-848 and if it has one.
    pub subscribed_topic_regex: Option<String>,
}

/// A member to remove.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum GroupMemberId {
    /// By the name that the coordinator knows it by.
    Member(String),
    /// By its `group.instance.id`.
    Instance(String),
}

impl Admin {
    /// The groups of every kind that pass the filter and that we may see, in no order. What brokers that do not answer
    /// know of is missing, and the answer says so.
    ///
    /// # Errors
    /// When no broker answers within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn list_groups(&self, filter: &GroupFilter, timeout: Duration) -> Result<Listed<GroupListing>, Error> {
        let oldest = match (filter.types.is_empty(), filter.states.is_empty()) {
            (false, _) => 5,
            (true, false) => 4,
            (true, true) => LIST_GROUPS_VERSIONS.min,
        };
        let exchange = Exchange {
            versions: VersionRange::new(oldest, LIST_GROUPS_VERSIONS.max),
            changes: false,
            items_max: 1,
            build: |_: &[usize], _, _| {
                ListGroupsRequest::default()
                    .with_states_filter(filter.states.iter().map(|state| text(state.name())).collect())
                    .with_types_filter(filter.types.iter().map(|kind| text(kind.name())).collect())
            },
            read: |items: &[usize], reply: ListGroupsResponse| {
                items.iter().map(|place| (*place, listed(&reply))).collect()
            },
        };
        let mut groups = self.ask_every_broker("listing groups", timeout, exchange).await?;
        for (broker, group) in &mut groups.found {
            group.coordinator = *broker;
        }
        let found = groups.found.into_iter().map(|(_, group)| group).collect();
        Ok(Listed { found, unanswered: groups.unanswered })
    }

    /// Groups and their members, classic or not; each has its own outcome. One that does not exist is the error
    /// `GROUP_ID_NOT_FOUND`.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn describe_groups<G: AsRef<str> + Sync>(
        &self,
        groups: &[G],
        timeout: Duration,
    ) -> Result<Outcomes<String, GroupDescription>, Error> {
        let groups: Vec<&str> = groups.iter().map(AsRef::as_ref).collect();
        let deadline = Deadline::after(timeout);
        let mut outcomes = match self.describe_consumer_groups(&groups, timeout).await {
            Ok(outcomes) => outcomes,
            // Brokers before 3.8 do not know such groups.
            Err(error) if error.kind() == ErrorKind::Protocol => groups.iter().map(|_| Err(error.clone())).collect(),
            Err(error) => return Err(error),
        };
        let is_other = |error: &Error| match error.kind() {
            ErrorKind::Broker(code) => code == ErrorCode::GROUP_ID_NOT_FOUND || code == ErrorCode::UNSUPPORTED_VERSION,
            ErrorKind::Protocol => true,
            ErrorKind::Network
            | ErrorKind::Security
            | ErrorKind::Timeout
            | ErrorKind::Configuration
            | ErrorKind::Misuse
            | ErrorKind::WouldBlock
            | ErrorKind::Closed => false,
        };
        let mut others = outcomes.iter_mut().zip(&groups).filter(|(outcome, _)| outcome.as_ref().is_err_and(is_other));
        let (slots, names): (Vec<_>, Vec<&str>) = others.by_ref().map(|(slot, group)| (slot, *group)).unzip();
        if !names.is_empty() {
            let left = deadline.left();
            let described = self.describe_classic_groups(&names, left).await?;
            for (slot, outcome) in slots.into_iter().zip(described) {
                *slot = outcome;
            }
        }
        Ok(named(groups.into_iter().map(str::to_owned), outcomes))
    }

    async fn describe_consumer_groups(
        &self,
        groups: &[&str],
        timeout: Duration,
    ) -> Result<Vec<Result<GroupDescription, Error>>, Error> {
        let items = groups.iter().map(|group| coordinator_of(group, "describing"));
        let exchange = Exchange {
            versions: CONSUMER_GROUP_DESCRIBE_VERSIONS,
            changes: false,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                ConsumerGroupDescribeRequest::default()
                    .with_group_ids(items.iter().map(|place| GroupId(text(groups[*place]))).collect())
                    .with_include_authorized_operations(true)
            },
            read: |items: &[usize], reply: ConsumerGroupDescribeResponse| {
                let found: BTreeMap<&str, _> = reply.groups.iter().map(|group| (&**group.group_id, group)).collect();
                let of = |group: &str| Some(described_consumer_group(found.get(group)?));
                items.iter().filter_map(|place| Some((*place, of(groups[*place])?))).collect()
            },
        };
        self.ask(items.collect(), timeout, exchange).await
    }

    async fn describe_classic_groups(
        &self,
        groups: &[&str],
        timeout: Duration,
    ) -> Result<Vec<Result<GroupDescription, Error>>, Error> {
        let items = groups.iter().map(|group| coordinator_of(group, "describing"));
        let exchange = Exchange {
            versions: DESCRIBE_GROUPS_VERSIONS,
            changes: false,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                DescribeGroupsRequest::default()
                    .with_groups(items.iter().map(|place| GroupId(text(groups[*place]))).collect())
                    .with_include_authorized_operations(true)
            },
            read: |items: &[usize], reply: DescribeGroupsResponse| {
                let found: BTreeMap<&str, _> = reply.groups.iter().map(|group| (&**group.group_id, group)).collect();
                let of = |group: &str| Some(described_classic_group(found.get(group)?));
                items.iter().filter_map(|place| Some((*place, of(groups[*place])?))).collect()
            },
        };
        self.ask(items.collect(), timeout, exchange).await
    }

    /// Deletes groups with their offsets; each has its own outcome. One that has members is the error `NON_EMPTY_GROUP`,
    /// one that does not exist `GROUP_ID_NOT_FOUND`.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the groups may have been deleted.
    pub async fn delete_groups<G: AsRef<str> + Sync>(
        &self,
        groups: &[G],
        timeout: Duration,
    ) -> Result<Outcomes<String>, Error> {
        let items = groups.iter().map(|group| coordinator_of(group.as_ref(), "deleting"));
        let exchange = Exchange {
            versions: DELETE_GROUPS_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let names = items.iter().map(|place| GroupId(text(groups[*place].as_ref())));
                DeleteGroupsRequest::default().with_groups_names(names.collect())
            },
            read: |items: &[usize], reply: DeleteGroupsResponse| {
                let found: BTreeMap<&str, _> = reply.results.iter().map(|group| (&**group.group_id, group)).collect();
                let of = |group: &str| Some(accepted(found.get(group)?.error_code, None));
                items.iter().filter_map(|place| Some((*place, of(groups[*place].as_ref())?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(groups.iter().map(|group| group.as_ref().to_owned()), outcomes))
    }

    /// Removes members from a group, whose partitions others then get; each has its own outcome. One that is not there is
    /// the error `UNKNOWN_MEMBER_ID`. A member that still runs joins again. `reason` is for the broker's log (KIP-800).
    ///
    /// # Errors
    /// When the coordinator says nothing about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the members may have been removed.
    pub async fn remove_group_members(
        &self,
        group: &str,
        members: &[GroupMemberId],
        reason: &str,
        timeout: Duration,
    ) -> Result<Outcomes<GroupMemberId>, Error> {
        let items = members.iter().map(|_| coordinator_of(group, "removing a member of"));
        let ids = |member: &GroupMemberId| match member {
            GroupMemberId::Member(id) => (text(id), None),
            GroupMemberId::Instance(id) => (StrBytes::default(), Some(text(id))),
        };
        let exchange = Exchange {
            versions: LEAVE_GROUP_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], version: i16, _| {
                let identities = items.iter().map(|place| {
                    let (member_id, instance_id) = ids(&members[*place]);
                    MemberIdentity::default()
                        .with_member_id(member_id)
                        .with_group_instance_id(instance_id)
                        .with_reason((version >= 5 && !reason.is_empty()).then(|| text(reason)))
                });
                LeaveGroupRequest::default().with_group_id(GroupId(text(group))).with_members(identities.collect())
            },
            read: |items: &[usize], reply: LeaveGroupResponse| {
                if let Err(refusal) = accepted(reply.error_code, None) {
                    return all_refused(items, &refusal);
                }
                let of = |member: &GroupMemberId| {
                    let found = reply.members.iter().find(|found| match member {
                        GroupMemberId::Member(id) => *found.member_id == **id,
                        GroupMemberId::Instance(id) => found.group_instance_id.as_deref() == Some(&**id),
                    })?;
                    Some(accepted(found.error_code, None))
                };
                items.iter().filter_map(|place| Some((*place, of(&members[*place])?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(members.iter().cloned(), outcomes))
    }
}

/// Where a group is asked for.
pub(super) fn coordinator_of(group: &str, attempt: &str) -> (Route, String) {
    (Route::Coordinator(CoordinatorKind::Group, group.to_owned()), format!("{attempt} group '{group}'"))
}

fn listed(reply: &ListGroupsResponse) -> Answer<Vec<GroupListing>> {
    accepted(reply.error_code, None)?;
    let known = |word: &StrBytes| Some(word.to_string()).filter(|word| !word.is_empty());
    let groups = reply.groups.iter().map(|group| GroupListing {
        group_id: group.group_id.to_string(),
        protocol_type: group.protocol_type.to_string(),
        state: known(&group.group_state).map(|state| GroupState::of(&state)),
        group_type: known(&group.group_type).map(|kind| GroupType::of(&kind.to_lowercase())),
        coordinator: -1,
    });
    Ok(groups.collect())
}

fn described_consumer_group(group: &DescribedConsumerGroup) -> Answer<GroupDescription> {
    accepted(group.error_code, group.error_message.as_ref())?;
    Ok(GroupDescription {
        group_id: group.group_id.to_string(),
        state: GroupState::of(&group.group_state),
        details: GroupDetails::Consumer(ConsumerGroup {
            group_epoch: group.group_epoch,
            assignment_epoch: group.assignment_epoch,
            assignor: group.assignor_name.to_string(),
        }),
        members: group.members.iter().map(consumer_member).collect(),
        authorized_operations: operations(group.authorized_operations),
    })
}

fn consumer_member(member: &Member) -> GroupMemberDescription {
    GroupMemberDescription {
        member_id: member.member_id.to_string(),
        group_instance_id: member.instance_id.as_ref().map(ToString::to_string),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        assignment: partitions_of(&member.assignment),
        target_assignment: Some(partitions_of(&member.target_assignment)),
        member_epoch: Some(member.member_epoch),
        rack: member.rack_id.as_ref().map(ToString::to_string),
        subscribed_topics: member.subscribed_topic_names.iter().map(|topic| topic.to_string()).collect(),
        subscribed_topic_regex: member.subscribed_topic_regex.as_ref().map(ToString::to_string),
    }
}

fn partitions_of(assignment: &Assignment) -> Vec<TopicPartition> {
    let mut partitions = Vec::new();
    for topic in &assignment.topic_partitions {
        let numbers = topic.partitions.iter();
        partitions.extend(numbers.map(|number| TopicPartition::new(&**topic.topic_name, *number)));
    }
    partitions.sort();
    partitions
}

fn described_classic_group(group: &DescribedGroup) -> Answer<GroupDescription> {
    accepted(group.error_code, group.error_message.as_ref())?;
    let state = GroupState::of(&group.group_state);
    // Before version 6 a group that is not there is described as a dead one.
    if state == GroupState::Dead {
        return Err(Refusal { code: ErrorCode::GROUP_ID_NOT_FOUND, message: None });
    }
    let is_of_consumers = &*group.protocol_type == "consumer";
    Ok(GroupDescription {
        group_id: group.group_id.to_string(),
        state,
        details: GroupDetails::Classic(ClassicGroup {
            protocol_type: group.protocol_type.to_string(),
            protocol: group.protocol_data.to_string(),
        }),
        members: group.members.iter().map(|member| classic_member(member, is_of_consumers)).collect(),
        authorized_operations: operations(group.authorized_operations),
    })
}

fn classic_member(member: &DescribedGroupMember, is_of_consumers: bool) -> GroupMemberDescription {
    // Another member wrote the share: what cannot be read is none of the broker's fault.
    let share = if is_of_consumers { assigned_partitions(&member.member_assignment) } else { Vec::new() };
    GroupMemberDescription {
        member_id: member.member_id.to_string(),
        group_instance_id: member.group_instance_id.as_ref().map(ToString::to_string),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        assignment: share,
        target_assignment: None,
        member_epoch: None,
        rack: None,
        subscribed_topics: Vec::new(),
        subscribed_topic_regex: None,
    }
}
