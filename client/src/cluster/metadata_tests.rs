use tidemill_protocol::messages::BrokerId;
use tidemill_protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponsePartition};
use uuid::Uuid;

use super::*;
use crate::record::TopicPartition;

struct World {
    metadata: Metadata,
    now: Instant,
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
fn start() -> Instant {
    Instant::now()
}

fn name(topic: &str) -> Option<TopicName> {
    Some(TopicName(StrBytes::from_string(topic.to_owned())))
}

/// An answer with brokers 1 and 2 and one topic of one partition.
fn answer(topic: &str, leader: i32, epoch: i32) -> MetadataResponse {
    let broker = |id: i32| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host(StrBytes::from_static_str("host"))
            .with_port(9000 + id)
    };
    let partition = MetadataResponsePartition::default().with_leader_id(BrokerId(leader)).with_leader_epoch(epoch);
    let topic = MetadataResponseTopic::default()
        .with_name(name(topic))
        .with_topic_id(Uuid::from_u128(1))
        .with_partitions(vec![partition]);
    MetadataResponse::default().with_brokers(vec![broker(1), broker(2)]).with_topics(vec![topic])
}

fn refusal(topic: &str, code: ErrorCode) -> MetadataResponse {
    let topic = MetadataResponseTopic::default().with_name(name(topic)).with_error_code(code.0);
    MetadataResponse::default().with_topics(vec![topic])
}

impl World {
    fn new(bootstrap_count: usize) -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        Self { metadata: Metadata::new(bootstrap_count, Duration::from_secs(300), backoff, 7), now: start() }
    }

    fn tracking(topic: &str) -> Self {
        let mut world = Self::new(1);
        world.metadata.handle_track([topic], false, world.now);
        world.ask();
        world.metadata.handle_answer(&answer(topic, 1, 5), world.now);
        world
    }

    fn ask(&mut self) -> Ask {
        self.metadata.poll(self.now).0.expect("metadata is due")
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    fn leader(&self, topic: &str) -> Option<(i32, i32)> {
        let leader = self.metadata.snapshot().leader_of(&TopicPartition::new(topic, 0))?;
        Some((leader.broker, leader.epoch))
    }
}

#[test]
fn every_address_is_tried_before_waiting() {
    let mut world = World::new(3);
    for place in 0..3 {
        assert_eq!(world.ask().candidate, Candidate::Bootstrap(place));
        world.metadata.handle_failure(world.now);
    }
    assert!(world.metadata.poll(world.now).0.is_none());
    world.pass(1000);
    assert_eq!(world.ask().candidate, Candidate::Bootstrap(0));
}

#[test]
fn metadata_is_fetched_again_when_it_is_old() {
    let mut world = World::tracking("clicks");
    world.pass(299_999);
    assert!(world.metadata.poll(world.now).0.is_none());
    world.pass(1);
    assert!(matches!(world.ask().candidate, Candidate::Broker(_)));
}

#[test]
fn a_stale_leader_never_replaces_a_newer_one() {
    let mut world = World::tracking("clicks");
    world.metadata.handle_answer(&answer("clicks", 2, 4), world.now);
    assert_eq!(world.leader("clicks"), Some((1, 5)));
    world.metadata.handle_answer(&answer("clicks", 2, 6), world.now);
    assert_eq!(world.leader("clicks"), Some((2, 6)));
}

#[test]
fn a_topic_made_anew_starts_its_epochs_anew() {
    let mut world = World::tracking("clicks");
    let mut anew = answer("clicks", 2, 0);
    anew.topics[0].topic_id = Uuid::from_u128(2);
    world.metadata.handle_answer(&anew, world.now);
    assert_eq!(world.leader("clicks"), Some((2, 0)));
}

#[test]
fn one_brokers_ignorance_does_not_lose_a_topic() {
    let mut world = World::tracking("clicks");
    world.metadata.handle_answer(&refusal("clicks", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), world.now);
    assert_eq!(world.leader("clicks"), Some((1, 5)));
    let snapshot = world.metadata.snapshot();
    assert_eq!(snapshot.missing.get("clicks").copied(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    assert_eq!(snapshot.brokers.len(), 2);
    world.pass(100);
    assert!(world.metadata.poll(world.now).0.is_some());
}

#[test]
fn refreshes_are_not_made_more_often_than_the_backoff() {
    let mut world = World::tracking("clicks");
    world.metadata.handle_wanted(false, world.now);
    assert!(world.metadata.poll(world.now).0.is_none());
    world.pass(100);
    assert!(world.metadata.poll(world.now).0.is_some());
}

#[test]
fn a_topic_tracked_while_asking_is_asked_for_at_once() {
    let mut world = World::tracking("clicks");
    world.metadata.handle_wanted(true, world.now);
    world.ask();
    world.metadata.handle_track(["orders"], true, world.now);
    world.metadata.handle_answer(&answer("clicks", 1, 5), world.now);
    let ask = world.ask();
    assert_eq!(ask.topics.len(), 2);
    assert!(ask.request(12).allow_auto_topic_creation);
}

#[test]
fn when_no_known_broker_answers_the_configured_addresses_are_asked() {
    let mut world = World::tracking("clicks");
    world.metadata.handle_wanted(true, world.now);
    let mut asked = Vec::new();
    for _ in 0..6 {
        asked.push(world.ask().candidate);
        world.metadata.handle_failure(world.now);
        world.pass(2000);
    }
    assert!(asked.contains(&Candidate::Bootstrap(0)), "{asked:?}");
    assert!(asked.contains(&Candidate::Broker(1)) && asked.contains(&Candidate::Broker(2)), "{asked:?}");
}

#[test]
fn a_topic_of_which_only_the_id_is_known_is_asked_for_alone_and_kept_by_its_name() {
    let mut world = World::tracking("orders");
    let id = Uuid::from_u128(2);
    world.metadata.handle_name([id], world.now);
    let request = world.ask().request(12);
    let topics = request.topics.unwrap();
    assert_eq!(topics.iter().map(|topic| (topic.topic_id, topic.name.clone())).collect::<Vec<_>>(), [(id, None)]);
    let mut named = answer("late", 1, 1);
    named.topics[0].topic_id = id;
    world.metadata.handle_answer(&named, world.now);
    assert_eq!(world.metadata.snapshot().topic_names()[&id], Arc::from("late"));
    let names: Vec<_> = world.ask().request(12).topics.unwrap().into_iter().map(|topic| topic.name).collect();
    assert_eq!(names, [name("late"), name("orders")]);
}

#[test]
fn an_id_that_no_broker_knows_yet_is_asked_for_in_turn_with_the_names() {
    let mut world = World::tracking("orders");
    world.metadata.handle_name([Uuid::from_u128(2)], world.now);
    let by_id = |ask: Ask| ask.request(12).topics.unwrap().iter().any(|topic| topic.name.is_none());
    let unknown = MetadataResponseTopic::default().with_name(None).with_error_code(ErrorCode::UNKNOWN_TOPIC_ID.0);
    for _ in 0..3 {
        assert!(by_id(world.ask()));
        world.metadata.handle_answer(&MetadataResponse::default().with_topics(vec![unknown.clone()]), world.now);
        assert!(!by_id(world.ask()));
        world.metadata.handle_answer(&answer("orders", 1, 5), world.now);
        assert!(world.metadata.poll(world.now).0.is_none(), "not in a hurry");
        world.now += Duration::from_millis(100);
    }
}
