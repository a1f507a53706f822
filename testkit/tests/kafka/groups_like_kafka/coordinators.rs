//! Three brokers: what one says of a group that another one coordinates.

use tidemill_protocol::messages::*;
use tidemill_testkit::ClusterConfig;
use tidemill_testkit::kafka::Kafka;

use super::peer::{Peer, compare_on, describe, group_id, heartbeat, join, leave, sync, text};
use crate::clusters::three_brokers;

/// Asks a broker that does not coordinate the group.
fn asks_another(peer: &mut Peer) {
    let addresses: Vec<String> = peer.address().split(',').map(str::to_owned).collect();
    let coordinator = peer.on(&addresses[0]).coordinator("elsewhere");
    let other = addresses.iter().find(|address| !address.ends_with(&format!(":{coordinator}"))).unwrap();
    let mut other = peer.on(other);
    let group = "elsewhere";
    let ids = || vec![group_id(group)];
    other.create_topic("elsewhere", 1);
    for version in [3, 9] {
        other.ask("a", version, &join(group, "", &["range"], b"x"));
    }
    other.ask("a", 5, &sync(group, 1, "a"));
    other.ask("a", 4, &heartbeat(group, 1, "a"));
    for version in [0, 5] {
        let request = leave(group, &[("a", None)]).with_member_id(text(if version == 0 { "a" } else { "" }));
        let request = if version == 0 { request.with_members(Vec::new()) } else { request };
        other.ask("a", version, &request);
    }
    for version in [5, 6] {
        other.ask("a", version, &describe(group));
    }
    other.ask("a", 1, &ConsumerGroupDescribeRequest::default().with_group_ids(ids()));
    other.ask("a", 2, &DeleteGroupsRequest::default().with_groups_names(ids()));
    let beat = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text("a"))
        .with_rebalance_timeout_ms(5_000)
        .with_subscribed_topic_names(Some(Vec::new()))
        .with_topic_partitions(Some(Vec::new()));
    other.ask("a", 1, &beat);
    let topic = || TopicName(text("elsewhere"));
    let commit = offset_commit_request::OffsetCommitRequestTopic::default()
        .with_name(topic())
        .with_partitions(vec![offset_commit_request::OffsetCommitRequestPartition::default()]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![commit]);
    for version in [2, 9] {
        other.ask("a", version, &commit);
    }
    let partitions =
        offset_fetch_request::OffsetFetchRequestTopic::default().with_name(topic()).with_partition_indexes(vec![0]);
    for version in [1, 7] {
        let fetch = OffsetFetchRequest::default().with_group_id(group_id(group));
        other.ask("a", version, &fetch.with_topics(Some(vec![partitions.clone()])));
    }
    let fetch = offset_fetch_request::OffsetFetchRequestGroup::default()
        .with_group_id(group_id(group))
        .with_member_epoch(-1)
        .with_topics(None);
    other.ask("a", 9, &OffsetFetchRequest::default().with_groups(vec![fetch]));
    let delete = offset_delete_request::OffsetDeleteRequestTopic::default()
        .with_name(topic())
        .with_partitions(vec![offset_delete_request::OffsetDeleteRequestPartition::default()]);
    other.ask("a", 0, &OffsetDeleteRequest::default().with_group_id(group_id(group)).with_topics(vec![delete]));
    // There are groups of other cases.
    let own = |listed: &mut ListGroupsResponse| listed.groups.retain(|group| &*group.group_id == "elsewhere");
    other.ask_of("a", 5, &ListGroupsRequest::default(), own);
    for (kind, key) in [(2, "elsewhere"), (2, "g:p"), (2, "g:AAAAAAAAAAAAAAAAAAAAAA:0"), (3, "x"), (-1, "x"), (0, "")] {
        for version in [5, 6] {
            let find = FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![text(key)]);
            other.ask_of("a", version, &find, |found| {
                for coordinator in found.coordinators.iter_mut().filter(|coordinator| coordinator.error_code == 0) {
                    *coordinator = find_coordinator_response::Coordinator::default();
                }
            });
        }
    }
    peer.take(other);
}

#[test]
fn a_broker_that_does_not_coordinate_a_group_says_so() {
    compare_on(ClusterConfig::default().brokers(3), three_brokers().map(Kafka::bootstrap), asks_another);
}
