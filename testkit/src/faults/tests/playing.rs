//! Which rule strikes at which event, and what that comes to.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::header::decode_response;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, ErrorCode, StrBytes, guard};
use uuid::Uuid;

use super::World;
use crate::faults::{ClusterEffect, ConnectVerdict, Outcome, RequestFacts};

fn produce(topic: &'static str, partitions: &[i32]) -> ProduceRequest {
    let data = partitions.iter().map(|index| PartitionProduceData::default().with_index(*index)).collect();
    let topic =
        TopicProduceData::default().with_name(TopicName(StrBytes::from_static_str(topic))).with_partition_data(data);
    ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic])
}

fn heartbeat(group: &'static str) -> HeartbeatRequest {
    HeartbeatRequest::default().with_group_id(GroupId(StrBytes::from_static_str(group)))
}

fn is_lost(world: &mut World, facts: &RequestFacts) -> bool {
    world.ask(facts).outcome == Outcome::Lose
}

#[test]
fn a_rule_strikes_where_all_that_it_asks_for_is_so() {
    let rules = [
        "Produce: lose request",
        "Produce,Fetch v9-10: lose request",
        "* broker=1: lose request",
        "* topic=clicks: lose request",
        "* topic=clicks/1: lose request",
        "* client=a: lose request",
        "* host=127.0.0.1: lose request",
    ];
    let others = [
        "Fetch: lose request",
        "Produce v3-8: lose request",
        "* broker=2: lose request",
        "* topic=orders: lose request",
        "* topic=clicks/2: lose request",
        "* client=b: lose request",
        "* host=127.0.0.2: lose request",
        "* group=readers: lose request",
        "connect: refuse",
        "at 100s: hold markers",
    ];
    let lost = |rule: &str| {
        let mut world = World::new(rule, 1);
        world.connect(1, 1);
        let facts = world.read(1, &produce("clicks", &[0, 1]), 9);
        is_lost(&mut world, &facts)
    };
    for rule in rules {
        assert!(lost(rule), "{rule}");
    }
    for rule in others {
        assert!(!lost(rule), "{rule}");
    }
    let mut world = World::new("* group=readers: lose request", 1);
    let facts = world.read(1, &heartbeat("readers"), 4);
    assert!(is_lost(&mut world, &facts));
}

#[test]
fn a_topic_that_goes_by_its_id_is_known_once_it_was_named() {
    let mut world = World::new("Fetch topic=clicks: lose request", 1);
    let id = Uuid::from_u128(7);
    let topic = FetchTopic::default().with_topic_id(id).with_partitions(vec![FetchPartition::default()]);
    let fetch = FetchRequest::default().with_topics(vec![topic]);
    let facts = world.read(1, &fetch, 13);
    assert!(!is_lost(&mut world, &facts));
    world.faults.name_topic(id, "clicks");
    let facts = world.read(1, &fetch, 13);
    assert!(is_lost(&mut world, &facts));
}

#[test]
fn rules_count_and_keep_their_times() {
    let text = "* times=2: lose request\n* nth=4: lose request\n* after=5s until=8s: lose request";
    let mut world = World::new(text, 1);
    let facts = world.read(1, &heartbeat("readers"), 4);
    let mut lost = Vec::new();
    for _ in 0..10 {
        lost.push(is_lost(&mut world, &facts));
        world.pass(Duration::from_secs(1));
    }
    // The fourth that the second rule sees is the sixth: two were taken by the first.
    let expected = [true, true, false, false, false, true, true, true, false, false];
    assert_eq!(lost, expected);
    assert_eq!(world.fired(), [2, 1, 2]);
}

#[test]
fn the_same_seed_strikes_the_same_requests() {
    let draw = |text: &str, seed| {
        let mut world = World::new(text, seed);
        let facts = world.read(1, &heartbeat("readers"), 4);
        (0..1000).map(|_| is_lost(&mut world, &facts)).collect::<Vec<_>>()
    };
    let lost = draw("* p=0.1: lose request", 1);
    assert_eq!(lost, draw("* p=0.1: lose request", 1));
    assert_ne!(lost, draw("* p=0.1: lose request", 2));
    assert!((50..200).contains(&lost.iter().filter(|lost| **lost).count()));
    // A rule behind it draws from a sequence of its own.
    assert_eq!(lost, draw("* p=0.1: lose request\n* p=0.5: delay 1s", 1));
    assert!(!draw("* p=0: lose request", 1).contains(&true));
    assert!(!draw("* p=1: lose request", 1).contains(&false));
}

#[test]
fn a_rule_that_never_struck_can_be_found() {
    let mut world = World::new("Heartbeat: delay 1s\nFetch: lose reply", 1);
    let facts = world.read(1, &heartbeat("readers"), 4);
    assert_eq!(world.ask(&facts).delay, Duration::from_secs(1));
    assert_eq!(world.faults.never_fired().map(ToString::to_string).collect::<Vec<_>>(), ["Fetch: lose reply"]);
}

#[test]
fn a_request_is_answered_with_an_error_without_being_applied() {
    let mut world = World::new("Heartbeat times=1: error REBALANCE_IN_PROGRESS", 1);
    let facts = world.read(1, &heartbeat("readers"), 4);
    let Outcome::Answer(frame) = world.ask(&facts).outcome else { panic!("no answer") };
    let response = decode_response::<HeartbeatRequest>(4, frame.slice(4..)).unwrap();
    assert_eq!(ErrorCode(response.error_code), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(world.ask(&facts).outcome, Outcome::Apply);
}

#[test]
fn what_happens_to_the_cluster_is_taken_from_the_request() {
    let text = "
        Produce topic=clicks/1: move leader to 2
        Produce topic=clicks: recreate topic after applying
        Produce: move leader of orders/0
        Produce: crash losing tail
        Heartbeat: evict group
        Produce: evict group
        Heartbeat: move group coordinator after applying
        Heartbeat: expire session
    ";
    let mut world = World::new(text, 1);
    let facts = world.read(1, &produce("clicks", &[0, 1]), 9);
    let verdict = world.ask(&facts);
    assert_eq!(verdict.outcome, Outcome::Apply);
    let (clicks, orders) = ("clicks".to_owned(), "orders".to_owned());
    let before = [
        ClusterEffect::MoveLeader { topic: clicks.clone(), partition: 1, to: Some(2) },
        ClusterEffect::MoveLeader { topic: orders, partition: 0, to: None },
        ClusterEffect::Crash { broker: 1, keeps_tail: false },
    ];
    assert_eq!(verdict.before, before);
    assert_eq!(verdict.after, [ClusterEffect::RecreateTopic { topic: clicks }]);

    let facts = world.read(2, &heartbeat("readers"), 4);
    let verdict = world.ask(&facts);
    let group = "readers".to_owned();
    let session = ClusterEffect::ExpireSession { connection: 2 };
    assert_eq!(verdict.before, [ClusterEffect::EvictGroup { group: group.clone() }, session]);
    assert_eq!(verdict.after, [ClusterEffect::MoveGroupCoordinator { group, to: None }]);
    // Produce names no group.
    assert_eq!(world.fired(), [1, 1, 1, 1, 1, 0, 1, 1]);
}

#[test]
fn what_comes_due_by_itself_comes_once_and_in_order() {
    let mut world = World::new("at 7s: heal\nat 5s: part broker 1 from broker 2\nat 5s: jump clock -1h", 1);
    let start = world.now;
    let mut effects = Vec::new();
    assert_eq!(world.faults.poll(world.now, &mut effects), Some(start + Duration::from_secs(5)));
    assert_eq!(effects, []);
    world.pass(Duration::from_secs(6));
    assert_eq!(world.faults.poll(world.now, &mut effects), Some(start + Duration::from_secs(7)));
    let part = ClusterEffect::Part { from: 1, to: 2, both_ways: false };
    assert_eq!(effects, [part, ClusterEffect::JumpClock { ms: -3_600_000 }]);
    effects.clear();
    world.pass(Duration::from_secs(6));
    assert_eq!(world.faults.poll(world.now, &mut effects), None);
    assert_eq!(effects, [ClusterEffect::Heal]);
}

#[test]
fn a_black_hole_takes_one_way_or_both() {
    let frame = Bytes::from_static(&[0, 0, 0, 4, 0, 0, 0, 7]);
    let goes = |text: &str| {
        let mut world = World::new(text, 1);
        world.connect(1, 1);
        let facts = world.read(1, &heartbeat("readers"), 4);
        // One went through before, and its answer is still on its way.
        let first = world.ask(&facts).outcome;
        assert_eq!(first, Outcome::Apply);
        let second = world.ask(&facts).outcome == Outcome::Apply;
        let answer = !world.reply(&facts, &frame).writes.is_empty();
        // Another connection is another matter.
        world.connect(2, 2);
        let other = world.read(2, &heartbeat("readers"), 4);
        assert_eq!(world.ask(&other).outcome, Outcome::Apply);
        assert_eq!(world.reply(&other, &frame).writes.len(), 1);
        (second, answer)
    };
    assert_eq!(goes("* broker=1 nth=2: black hole"), (false, false));
    assert_eq!(goes("* broker=1 nth=2: black hole requests"), (false, true));
    assert_eq!(goes("* broker=1 nth=2: black hole replies"), (true, false));
}

#[test]
fn a_connection_is_refused_reset_half_open_or_late() {
    let text = "
        connect broker=1 times=1: refuse
        connect broker=1 times=1: reset
        connect broker=1 times=1: half open
        connect broker=1 times=1: black hole
        connect broker=1: delay 2s
    ";
    let mut world = World::new(text, 1);
    let verdicts: Vec<ConnectVerdict> = (0..5).map(|connection| world.connect(connection, 1)).collect();
    let late = ConnectVerdict::Accept(Duration::from_secs(2));
    let expected =
        [ConnectVerdict::Refuse, ConnectVerdict::Reset, ConnectVerdict::HalfOpen, ConnectVerdict::BlackHole, late];
    assert_eq!(verdicts, expected);
    assert_eq!(world.connect(9, 2), ConnectVerdict::Accept(Duration::ZERO));
    // Whatever is sent on it is not answered.
    world = World::new("connect: half open", 1);
    world.connect(1, 1);
    let facts = world.read(1, &heartbeat("readers"), 4);
    assert!(is_lost(&mut world, &facts));
    world.faults.on_disconnect(1);
    assert!(!is_lost(&mut world, &facts));
}

#[test]
fn nothing_that_may_be_secret_is_shown() {
    let world = World::new("", 1);
    let body = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(b"hunter2"));
    let facts = world.read(1, &body, 2);
    let shown = format!("{facts:?} {:?}", Outcome::Answer(Bytes::from_static(b"hunter2")));
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
}

/// The golden requests of Kafka's own classes: what their fields say, rules can ask for.
#[test]
fn groups_transactions_and_topics_are_found_in_every_api_that_names_them() {
    // They name their topics or groups where no rule looks: what brokers and controllers say among themselves, and what
    // administrators say of share groups.
    let passed_over = |api: ApiKey| {
        let name = api.name().unwrap();
        name.contains("ShareGroupState") || name.ends_with("ShareGroupOffsets") || api == ApiKey::LIST_TRANSACTIONS
    };
    let (mut groups, mut transactions, mut topics) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for request in super::error_replies::requests().into_iter().filter(|request| !passed_over(request.api)) {
        let mut frame = BytesMut::new();
        frame.put_i16(request.api.0);
        frame.put_i16(request.version);
        frame.put_slice(b"\0\0\0\x07\0\x01a");
        let key = tidemill_protocol::messages::ApiKey::try_from(request.api.0).unwrap();
        if key.request_header_version(request.version) >= 2 {
            frame.put_u8(0);
        }
        frame.put_slice(&request.body);
        let frame = frame.freeze();
        let facts = World::new("* topic=a: lose request", 1).faults.read(1, 1, &frame).unwrap();
        let description = guard::describe_request(&frame).unwrap();
        let said = |field: &str| {
            let values = description.lines().filter_map(|line| line.trim_start().strip_prefix(field));
            values.filter(|value| value.starts_with('"')).map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let shown = |names: &[String]| names.iter().map(|name| format!("{name:?}")).collect::<BTreeSet<_>>();
        let what = format!("{} v{}: {description}", request.api, request.version);
        assert!(said("group_id: ").is_subset(&shown(&facts.named.groups)), "{what}");
        assert!(said("transactional_id: ").is_subset(&shown(&facts.named.transactional_ids)), "{what}");
        groups.extend((!facts.named.groups.is_empty()).then_some(request.api));
        transactions.extend((!facts.named.transactional_ids.is_empty()).then_some(request.api));
        topics.extend((!facts.named.partitions.is_empty()).then_some(request.api));
    }
    assert_eq!((groups.len(), transactions.len(), topics.len()), (18, 7, 22), "{groups:?} {transactions:?} {topics:?}");
}
