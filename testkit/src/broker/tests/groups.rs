//! Groups and their coordinators, as connections see them.

use std::time::Duration;

use tidemill_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use tidemill_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ErrorCode, StrBytes};

use super::world::{Told, World, name, to};
use crate::broker::nodes::CoordinatorKind;
use crate::broker::{ConnectionId, Stop};

const GROUP: &str = "readers";

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group() -> GroupId {
    GroupId(text(GROUP))
}

fn join(id: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(text(id))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

fn beat(id: &StrBytes, generation: i32) -> HeartbeatRequest {
    HeartbeatRequest::default().with_group_id(group()).with_generation_id(generation).with_member_id(id.clone())
}

fn commit(offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default().with_name(name("clicks")).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

impl World {
    fn coordinator(&self) -> i32 {
        self.cluster.nodes.coordinator(CoordinatorKind::Group, GROUP).unwrap()
    }

    /// One more connection to a broker.
    fn connect(&mut self, node_id: i32) -> ConnectionId {
        let connection = ConnectionId(77);
        self.cluster.handle_connected(connection, node_id, "/127.0.0.1", self.now);
        connection
    }

    /// Another broker than the coordinator.
    fn other(&self) -> i32 {
        self.coordinator() % 3 + 1
    }

    /// A classic group of one, stable in generation 1.
    fn one_member() -> (Self, StrBytes) {
        let mut world = Self::with_brokers(3);
        world.cluster.create_topic("clicks", 1, 1, []).unwrap();
        let here = to(world.coordinator());
        let id = world.ask_on(here, 9, &join("")).member_id;
        assert_eq!(world.ask_on(here, 9, &join(&id)).error_code, 0);
        let sync = SyncGroupRequest::default().with_group_id(group()).with_generation_id(1).with_member_id(id.clone());
        assert_eq!(world.ask_on(here, 3, &sync).error_code, 0);
        (world, id)
    }

    fn committed(&mut self) -> i64 {
        let here = to(self.coordinator());
        let request = OffsetFetchRequest::default().with_group_id(group()).with_topics(None);
        let topics = self.ask_on(here, 7, &request).topics;
        topics.first().map_or(-1, |topic| topic.partitions[0].committed_offset)
    }

    fn listed(&mut self, node_id: i32) -> Vec<String> {
        let listed = self.ask_on(to(node_id), 5, &ListGroupsRequest::default());
        listed.groups.iter().map(|group| format!("{} {}", group.group_type, group.group_state)).collect()
    }
}

#[test]
fn who_waits_is_sent_to_the_new_coordinator() {
    let (mut world, _) = World::one_member();
    let (here, there) = (world.coordinator(), world.other());
    let second = world.ask_on(to(here), 9, &join("")).member_id;
    world.send(to(here), 9, &join(&second));
    world.cluster.move_group_coordinator(GROUP, there);
    world.poll();
    let (_, answer) = world.answer::<JoinGroupRequest>(to(here), 9);
    assert_eq!(ErrorCode(answer.error_code), ErrorCode::NOT_COORDINATOR);
    assert_eq!(ErrorCode(world.ask_on(to(here), 9, &join("")).error_code), ErrorCode::NOT_COORDINATOR);
}

#[test]
fn the_new_coordinator_knows_members_generation_and_offsets() {
    let (mut world, id) = World::one_member();
    let (here, there) = (world.coordinator(), world.other());
    let mut committing = commit(5).with_generation_id_or_member_epoch(1);
    committing.member_id = id.clone();
    assert_eq!(world.ask_on(to(here), 8, &committing).topics[0].partitions[0].error_code, 0);
    world.advance(Duration::from_secs(9));
    world.cluster.move_group_coordinator(GROUP, there);
    // The session begins again.
    world.advance(Duration::from_secs(9));
    assert_eq!((world.listed(here), world.listed(there)), (vec![], vec!["classic Stable".to_owned()]));
    assert_eq!(world.ask_on(to(there), 4, &beat(&id, 1)).error_code, 0);
    assert_eq!(world.committed(), 5);
    world.advance(Duration::from_secs(11));
    assert_eq!(world.listed(there), ["classic Empty"]);
}

#[test]
fn a_rebalance_that_was_not_written_is_forgotten_with_its_coordinator() {
    let (mut world, id) = World::one_member();
    let here = world.coordinator();
    let beside = world.connect(here);
    let second = world.ask_on(to(here), 9, &join("")).member_id;
    world.send(to(here), 9, &join(&second));
    assert_eq!(ErrorCode(world.ask_on(beside, 4, &beat(&id, 1)).error_code), ErrorCode::REBALANCE_IN_PROGRESS);
    world.cluster.handle_broker_stopped(here, Stop::Kill);
    world.poll();
    let now = world.coordinator();
    assert_ne!(now, here);
    assert_eq!(world.ask_on(to(now), 4, &beat(&id, 1)).error_code, 0, "generation 1 is what was written");
    assert_eq!(ErrorCode(world.ask_on(to(now), 4, &beat(&second, 1)).error_code), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_consumer_group_goes_on_at_its_new_coordinator() {
    let mut world = World::with_brokers(3);
    world.cluster.create_topic("clicks", 2, 1, []).unwrap();
    let (here, there) = (world.coordinator(), world.other());
    let joining = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(text("a"))
        .with_rebalance_timeout_ms(1_000)
        .with_subscribed_topic_names(Some(vec![name("clicks")]))
        .with_topic_partitions(Some(Vec::new()));
    assert_eq!(world.ask_on(to(here), 1, &joining).member_epoch, 2);
    let beat = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(text("a"))
        .with_member_epoch(2)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None);
    world.cluster.move_group_coordinator(GROUP, there);
    let refused = world.ask_on(to(here), 1, &beat);
    assert_eq!((ErrorCode(refused.error_code), refused.error_message), (ErrorCode::NOT_COORDINATOR, None));
    assert_eq!(world.ask_on(to(there), 1, &beat).member_epoch, 2);
    assert!(world.cluster.evict_member(GROUP, "a", world.now));
    assert_eq!(ErrorCode(world.ask_on(to(there), 1, &beat).error_code), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn an_evicted_group_has_no_members() {
    let (mut world, id) = World::one_member();
    let here = world.coordinator();
    assert!(!world.cluster.evict_member(GROUP, "nobody", world.now));
    assert_eq!(world.cluster.evict_group(GROUP, world.now), 1);
    world.poll();
    assert_eq!(ErrorCode(world.ask_on(to(here), 4, &beat(&id, 1)).error_code), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(world.listed(here), ["classic Empty"]);
}

#[test]
fn offsets_that_nobody_uses_expire_and_the_group_with_them() {
    let mut world = World::with_brokers(3);
    world.cluster.create_topic("clicks", 1, 1, []).unwrap();
    let here = world.coordinator();
    assert_eq!(world.ask_on(to(here), 8, &commit(7)).topics[0].partitions[0].error_code, 0);
    let day = Duration::from_secs(24 * 3600);
    world.advance(6 * day);
    assert_eq!((world.committed(), world.listed(here).len()), (7, 1));
    world.advance(day + Duration::from_secs(600));
    assert_eq!((world.committed(), world.listed(here).len()), (-1, 0));
}

#[test]
fn a_group_takes_no_more_members_than_it_may() {
    let (mut world, id) = World::one_member();
    world.cluster.config.groups.max_size = 1;
    let here = world.coordinator();
    let refused = world.ask_on(to(here), 9, &join(""));
    assert_eq!((ErrorCode(refused.error_code), &*refused.member_id), (ErrorCode::GROUP_MAX_SIZE_REACHED, ""));
    assert_eq!(world.ask_on(to(here), 4, &beat(&id, 1)).error_code, 0);
}

#[test]
fn a_new_group_waits_for_further_members_while_they_come() {
    let mut world = World::with_brokers(3);
    world.cluster.config.groups.initial_rebalance_delay = Duration::from_secs(3);
    let here = world.coordinator();
    let first = world.ask_on(to(here), 9, &join("")).member_id;
    world.send(to(here), 9, &join(&first));
    world.advance(Duration::from_secs(2));
    let there = world.connect(here);
    let second = world.ask_on(there, 9, &join("")).member_id;
    world.send(there, 9, &join(&second));
    world.advance(Duration::from_secs(1));
    world.advance(Duration::from_millis(2_900));
    assert!(matches!(world.told(to(here)), Told::Nothing), "somebody came: three seconds more");
    world.advance(Duration::from_millis(100));
    assert_eq!(world.answer::<JoinGroupRequest>(to(here), 9).1.members.len(), 2);
}
