//! What rules do to the cluster.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, ErrorCode, StrBytes};

use super::*;
use crate::broker::nodes::CoordinatorKind;
use crate::broker::tests::transactions;

pub(super) const CASES: &[Case] = &[
    ("Produce topic=clicks/0 times=1: move leader to 2 after applying", |world| {
        assert_eq!((write(world), written(world), leader(world)), (vec!["answer"], 1, Some(2)));
    }),
    ("at 5s: move leader of clicks/0", |world| {
        world.advance(ms(4999));
        assert_eq!(leader(world), Some(1));
        world.advance(ms(1));
        assert_eq!(leader(world), Some(2));
    }),
    ("OffsetCommit: move group coordinator", |world| {
        let before = world.cluster.nodes.coordinator(CoordinatorKind::Group, "readers").unwrap();
        world.ask_on(to(before), 8, &OffsetCommitRequest::default().with_group_id(group()));
        let asked = FindCoordinatorRequest::default().with_key(group().0);
        assert_ne!(world.ask(3, &asked).node_id.0, before);
        assert_ne!(world.cluster.nodes.coordinator(CoordinatorKind::Group, "readers"), Some(before));
    }),
    ("EndTxn: move transaction coordinator of writer-1 to 2", |world| {
        let _ = transactions::end(world, 1, (1, 0), true);
        assert_eq!(world.cluster.nodes.coordinator(CoordinatorKind::Transaction, "writer-1"), Some(2));
    }),
    ("Produce nth=2: crash losing tail", |world| {
        alone(world);
        assert_eq!(write(world), ["answer"]);
        assert_eq!((write(world), leader(world)), (vec!["reset"], None));
        assert_eq!(heard(world, to(1)), ["reset"]);
        world.cluster.handle_broker_started(1);
        assert_eq!((written(world), leader(world)), (0, Some(1)));
    }),
    ("Produce nth=2: crash losing tail after applying", |world| {
        assert_eq!(write(world), ["answer"]);
        // All have it, although its writer does not hear of it.
        assert_eq!((write(world), leader(world), written(world)), (vec!["reset"], Some(2), 2));
    }),
    ("at 5s: crash broker 1 keeping tail", |world| {
        alone(world);
        assert_eq!(write(world), ["answer"]);
        world.advance(ms(5000));
        assert_eq!((heard(world, ALICE), leader(world)), (vec!["reset"], None));
        world.cluster.handle_broker_started(1);
        assert_eq!((written(world), leader(world)), (1, Some(1)));
    }),
    ("at 5s: crash broker 1 keeping tail\nat 9s: start broker 1", |world| {
        world.advance(ms(5000));
        assert!(!world.cluster.nodes.is_running(1));
        assert_eq!(leader(world), Some(2));
        world.advance(ms(4000));
        assert!(world.cluster.nodes.is_running(1));
    }),
    ("EndTxn: hold markers", |world| {
        end_transaction(world);
        assert_eq!(transactions::state(world), "PrepareCommit");
    }),
    ("EndTxn: hold markers\nat 9s: release markers", |world| {
        end_transaction(world);
        assert_eq!(transactions::state(world), "PrepareCommit");
        world.advance(ms(9000));
        assert_eq!(transactions::state(world), "CompleteCommit");
    }),
    ("Fetch topic=clicks nth=3: recreate topic", |world| {
        assert_eq!(write(world), ["answer"]);
        let id = |world: &World| world.cluster.topics.by_name("clicks").unwrap().id;
        let before = id(world);
        let ends: Vec<i64> = (0..3).map(|_| world.fetch(0).high_watermark).collect();
        assert_eq!(ends, [1, 1, 0]);
        assert_ne!(id(world), before);
    }),
    ("at 5s: delete topic clicks", |world| {
        world.advance(ms(5000));
        assert!(world.cluster.topics.by_name("clicks").is_none());
    }),
    ("OffsetCommit group=readers: evict group", |world| {
        let node = world.cluster.nodes.coordinator(CoordinatorKind::Group, "readers").unwrap();
        let member = join(world, node);
        let beat = HeartbeatRequest::default().with_group_id(group()).with_generation_id(1).with_member_id(member);
        assert_eq!(ErrorCode(world.ask_on(to(node), 3, &beat).error_code), ErrorCode::NONE);
        world.ask_on(to(node), 8, &OffsetCommitRequest::default().with_group_id(group()));
        assert_eq!(ErrorCode(world.ask_on(to(node), 3, &beat).error_code), ErrorCode::UNKNOWN_MEMBER_ID);
    }),
    ("at 5s: jump clock +1h", |world| {
        let before = world.cluster.unix_ms(world.now);
        world.advance(ms(5000));
        assert_eq!(world.cluster.unix_ms(world.now) - before, 5000 + 3_600_000);
    }),
    ("Metadata broker=2 times=1: stale metadata", |world| {
        let asked = MetadataRequest::default().with_topics(None);
        let led_by = |world: &mut World, node| world.ask_on(to(node), 9, &asked).topics[0].partitions[0].leader_id.0;
        assert_eq!(led_by(world, 2), 1);
        world.cluster.move_leader("clicks", 0, 3).unwrap();
        world.cluster.create_topic("orders", 1, 1, []).unwrap();
        assert_eq!((led_by(world, 2), led_by(world, 1)), (1, 3));
        let orders = |world: &mut World, node| {
            let topic = metadata_request::MetadataRequestTopic::default().with_name(Some(name("orders")));
            let asked = MetadataRequest::default().with_topics(Some(vec![topic]));
            ErrorCode(world.ask_on(to(node), 9, &asked).topics[0].error_code)
        };
        assert_eq!(orders(world, 2), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(orders(world, 1), ErrorCode::NONE);
    }),
    ("at 5s: part broker 1 from broker 2", |world| {
        world.advance(ms(5000));
        // Until the follower counts as lost, what is written is not known to be with all.
        assert_eq!((write(world), high_watermark(world)), (vec![], 0));
        world.advance(ms(30_000));
        assert_eq!((in_sync(world), high_watermark(world)), (vec![1, 3], 1));
    }),
    ("at 5s: part broker 1 from broker 2 both ways", |world| {
        world.advance(ms(5000));
        assert_eq!((write(world), high_watermark(world)), (vec![], 0));
        world.cluster.move_leader("clicks", 0, 3).unwrap();
        // Broker 3 hears both.
        assert_eq!((high_watermark(world), in_sync(world)), (1, vec![1, 2, 3]));
    }),
    ("at 1s: part broker 1 from broker 2\nat 1s: stale metadata broker 3\nat 9s: heal", |world| {
        world.advance(ms(1000));
        assert_eq!((write(world), high_watermark(world)), (vec![], 0));
        world.cluster.create_topic("orders", 1, 1, []).unwrap();
        world.advance(ms(8000));
        assert_eq!((high_watermark(world), in_sync(world)), (1, vec![1, 2, 3]));
        assert_eq!(world.ask_on(to(3), 9, &MetadataRequest::default().with_topics(None)).topics.len(), 2);
        world.advance(ms(30_000));
        assert_eq!(in_sync(world), [1, 2, 3]);
    }),
    ("Fetch nth=2: expire session", |world| {
        world.send(ALICE, FETCH, &fetch(0, 0, 0));
        assert_eq!(heard(world, ALICE), ["answer"]);
        world.send(ALICE, FETCH, &fetch(0, 0, 0));
        assert_eq!(heard(world, ALICE), ["close"]);
    }),
    ("at 5s: limit Produce to v3-8", |world| {
        let versions = |world: &mut World| {
            spoken(world).into_iter().find(|(api, _)| *api == ApiKey::PRODUCE).map(|(_, versions)| versions)
        };
        assert_eq!(versions(world), Some(VersionRange::new(0, 13)));
        world.advance(ms(5000));
        assert_eq!(versions(world), Some(VersionRange::new(3, 8)));
        assert_eq!((write(world), written(world)), (vec!["close"], 0));
        world.send(BOB, 8, &produce(batch(&["b"])));
        assert_eq!((heard(world, BOB), written(world)), (vec!["answer"], 1));
    }),
];

fn group() -> GroupId {
    GroupId(StrBytes::from_static_str("readers"))
}

fn partition(world: &World) -> &partition::Partition {
    world.cluster.topics.by_name("clicks").unwrap().partition(0).unwrap()
}

fn leader(world: &World) -> Option<i32> {
    partition(world).leader
}

fn high_watermark(world: &World) -> i64 {
    partition(world).high_watermark()
}

fn in_sync(world: &World) -> Vec<i32> {
    partition(world).in_sync.clone()
}

/// Only broker 1 has what is written from now on.
fn alone(world: &mut World) {
    for id in [2, 3] {
        world.cluster.set_follows(id, false);
        world.cluster.shrink(id);
    }
}

/// Somebody joins the group at its coordinator.
fn join(world: &mut World, node: i32) -> StrBytes {
    let protocol =
        join_group_request::JoinGroupRequestProtocol::default().with_name(StrBytes::from_static_str("range"));
    let body = JoinGroupRequest::default()
        .with_group_id(group())
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_protocols(vec![protocol]);
    world.send(to(node), 2, &body);
    world.advance(ms(3000));
    let (_, response) = world.answer::<JoinGroupRequest>(to(node), 2);
    assert_eq!(response.error_code, 0);
    response.member_id
}

fn end_transaction(world: &mut World) {
    let node = world.cluster.nodes.coordinator(CoordinatorKind::Transaction, "job").unwrap();
    let producer = transactions::init(world, node).unwrap();
    assert_eq!(transactions::write(world, producer, 0, "a"), ErrorCode::NONE);
    let _ = transactions::end(world, node, producer, true);
}

#[test]
fn who_proves_itself_again_goes_on_after_its_session_has_ended() {
    let mut world = play("Fetch nth=1: expire session after applying");
    world.send(ALICE, FETCH, &fetch(0, 0, 0));
    assert_eq!(heard(&mut world, ALICE), ["answer"], "what it was asked before is answered");
    assert_eq!(write(&mut world), ["close"]);
    assert_eq!(written(&world), 0);
}

#[test]
fn a_broker_that_has_crashed_refuses_who_comes() {
    let mut world = play("at 1s: crash broker 2 keeping tail");
    world.advance(ms(1000));
    let now = world.now;
    world.cluster.handle_connected(ConnectionId(60), 2, "/127.0.0.1", now);
    world.poll();
    assert_eq!(heard(&mut world, ConnectionId(60)), ["refuse"]);
}

#[test]
fn markers_do_not_reach_a_leader_that_the_coordinator_does_not_hear() {
    let mut world = play("");
    let node = world.cluster.nodes.coordinator(CoordinatorKind::Transaction, "job").unwrap();
    let other = (1..=3).find(|id| *id != node).unwrap();
    world.cluster.move_leader("clicks", 0, other).unwrap();
    let producer = transactions::init(&mut world, node).unwrap();
    assert_eq!(transactions::write_on(&mut world, other, 12, producer, 0, "a"), ErrorCode::NONE);
    set(&mut world, &format!("EndTxn: part broker {node} from broker {other}\nat 5s: heal"));
    let _ = transactions::end(&mut world, node, producer, true);
    assert_eq!(transactions::state(&world), "PrepareCommit");
    world.advance(ms(5000));
    assert_eq!(transactions::state(&world), "CompleteCommit");
}
