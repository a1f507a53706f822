//! What ConsumerGroupDescribe tells of a group.

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::TopicName;
use tidemill_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member as DescribedMember, TopicPartitions,
};

use super::member::{Member, partitions};
use super::{ConsumerGroup, Partitions};
use crate::broker::groups::owned;
use crate::broker::topics::Topics;

/// What a member of the consumer protocol is, and one of the classic protocol.
const CONSUMER: i8 = 1;
const CLASSIC: i8 = 0;

impl ConsumerGroup {
    pub(in super::super) fn describe(&self, topics: &Topics) -> DescribedGroup {
        let nothing = Partitions::new();
        let describe = |member: &Member| {
            let mut assigned = partitions(&member.assigned);
            for (topic, revoking) in partitions(&member.revoking) {
                assigned.entry(topic).or_default().extend(revoking);
            }
            let names = member.topics.iter().map(|name| TopicName(owned(name)));
            DescribedMember::default()
                .with_member_id(member.id.clone())
                .with_instance_id(member.instance_id.clone())
                .with_rack_id(member.rack_id.clone())
                .with_member_epoch(member.epoch)
                .with_client_id(member.client_id.clone())
                .with_client_host(member.client_host.clone())
                .with_subscribed_topic_names(names.collect())
                .with_subscribed_topic_regex(Some(owned(&member.regex)))
                .with_assignment(assignment(&assigned, topics))
                .with_target_assignment(assignment(self.target.get(&member.id).unwrap_or(&nothing), topics))
                .with_member_type(if member.is_classic() { CLASSIC } else { CONSUMER })
        };
        DescribedGroup::default()
            .with_error_message(None)
            .with_group_state(StrBytes::from_static_str(self.state_name()))
            .with_group_epoch(self.epoch)
            .with_assignment_epoch(self.target_epoch)
            .with_assignor_name(StrBytes::from_static_str(self.assignor(None).name()))
            .with_members(self.members.values().map(describe).collect())
    }
}

/// Topics that are no longer there have no name to be told by.
fn assignment(partitions: &Partitions, topics: &Topics) -> Assignment {
    let of_topic = |(id, partitions): (&uuid::Uuid, &std::collections::BTreeSet<i32>)| {
        let topic = topics.by_id(*id)?;
        let told = TopicPartitions::default().with_topic_id(*id).with_topic_name(topic.name.clone());
        Some(told.with_partitions(partitions.iter().copied().collect()))
    };
    Assignment::default().with_topic_partitions(partitions.iter().filter_map(of_topic).collect())
}
