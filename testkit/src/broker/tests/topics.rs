//! Topics, and what the broker says of itself.

use bytes::{BufMut, BytesMut};
use tidemill_protocol::messages::create_topics_request::CreatableReplicaAssignment;
use tidemill_protocol::messages::delete_topics_request::DeleteTopicState;
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, StrBytes};

use super::world::*;
use crate::broker::*;

fn metadata(names: &[&str]) -> MetadataRequest {
    let topic = |topic: &&str| MetadataRequestTopic::default().with_name(Some(name(topic)));
    MetadataRequest::default().with_topics(Some(names.iter().map(topic).collect()))
}

#[test]
fn a_topic_is_made_once() {
    let mut world = World::new();
    let made = world.create(topic("clicks", 3, &[("retention.ms", "1000")]));
    assert_eq!((made.error_code, made.num_partitions, made.replication_factor), (0, 3, 1));
    let retention = made.configs.unwrap().into_iter().find(|config| &*config.name == "retention.ms").unwrap();
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("1000"), 1));
    let again = world.create(topic("clicks", 3, &[]));
    assert_eq!(again.error_code, ErrorCode::TOPIC_ALREADY_EXISTS.0);
    let known = world.ask(12, &metadata(&["clicks"]).with_allow_auto_topic_creation(false));
    assert_eq!((known.topics[0].topic_id, known.topics[0].partitions.len()), (made.topic_id, 3));
}

#[test]
fn what_cannot_be_made_is_refused_as_kafka_does() {
    let mut world = World::new();
    world.create(topic("a.b", 1, &[]));
    let assignment = |number, brokers: &[i32]| {
        CreatableReplicaAssignment::default()
            .with_partition_index(number)
            .with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
    };
    let assigned = |assignments| topic("assigned", -1, &[]).with_assignments(assignments);
    let cases = [
        (topic("not a name", 1, &[]), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("", 1, &[]), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("..", 1, &[]), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic(&"x".repeat(250), 1, &[]), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("a_b", 1, &[]), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("x", 0, &[]), ErrorCode::INVALID_PARTITIONS),
        (topic("x", -2, &[]), ErrorCode::INVALID_PARTITIONS),
        (topic("x", i32::MAX, &[]), ErrorCode::POLICY_VIOLATION),
        (topic("x", 1, &[]).with_replication_factor(2), ErrorCode::INVALID_REPLICATION_FACTOR),
        (topic("x", 1, &[]).with_replication_factor(0), ErrorCode::INVALID_REPLICATION_FACTOR),
        (topic("x", 1, &[("retention.sm", "1")]), ErrorCode::INVALID_CONFIG),
        (topic("x", 1, &[("retention.ms", "soon")]), ErrorCode::INVALID_CONFIG),
        (assigned(vec![assignment(1, &[1])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(vec![assignment(0, &[2])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(vec![assignment(0, &[1])]).with_num_partitions(1), ErrorCode::INVALID_REQUEST),
    ];
    for (wanted, code) in cases {
        let what = format!("{wanted:?}");
        assert_eq!(ErrorCode(world.create(wanted).error_code), code, "{what}");
    }
    let made = world.create(assigned(vec![assignment(1, &[1]), assignment(0, &[1])]));
    assert_eq!((made.error_code, made.num_partitions), (0, 2));
    assert_eq!(world.cluster.topics.iter().count(), 2);
}

#[test]
fn only_validating_makes_nothing() {
    let mut world = World::new();
    let body = CreateTopicsRequest::default().with_topics(vec![topic("clicks", 1, &[])]).with_validate_only(true);
    assert_eq!(world.ask(7, &body).topics[0].error_code, 0);
    let twice = vec![topic("clicks", 1, &[]), topic("clicks", 2, &[])];
    let refused = world.ask(7, &CreateTopicsRequest::default().with_topics(twice));
    assert_eq!(refused.topics.len(), 1);
    assert_eq!(refused.topics[0].error_code, ErrorCode::INVALID_REQUEST.0);
    assert_eq!(world.cluster.topics.iter().count(), 0);
}

#[test]
fn asking_for_a_topic_makes_it_for_the_next_who_asks() {
    let mut world = World::new();
    let unasked = world.ask(9, &metadata(&["clicks"]).with_allow_auto_topic_creation(false));
    assert_eq!(unasked.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    assert_eq!(world.cluster.topics.iter().count(), 0);
    let first = world.ask(9, &metadata(&["clicks", "not a name"]));
    assert_eq!(first.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    assert_eq!(first.topics[1].error_code, ErrorCode::INVALID_TOPIC_EXCEPTION.0);
    let second = world.ask(9, &metadata(&["clicks"]));
    assert_eq!((second.topics[0].error_code, second.topics[0].partitions.len()), (0, 1));

    world.cluster.config.auto_create_topics = false;
    world.ask(9, &metadata(&["other"]));
    assert_eq!(world.cluster.topics.iter().count(), 1);
}

#[test]
fn null_asks_for_all_topics_and_in_version_0_so_does_nothing() {
    let mut world = World::with_topic(&[]);
    world.cluster.create_topic("other", 2, 1, []).unwrap();
    assert_eq!(world.ask(0, &MetadataRequest::default().with_topics(Some(Vec::new()))).topics.len(), 2);
    assert_eq!(world.ask(1, &MetadataRequest::default().with_topics(Some(Vec::new()))).topics.len(), 0);
    let all = world.ask(12, &MetadataRequest::default().with_topics(None));
    assert_eq!(all.topics.len(), 2);
    assert_eq!((&*all.brokers[0].host, all.brokers[0].port), ("127.0.0.1", 9092));
}

#[test]
fn a_topic_is_removed_by_name_or_id_and_comes_back_as_another() {
    let mut world = World::with_topic(&[]);
    world.produce(batch(&["a"]));
    let id = world.cluster.topics.by_name("clicks").unwrap().id;
    let by_id = |id| {
        let topic = DeleteTopicState::default().with_name(None).with_topic_id(id);
        DeleteTopicsRequest::default().with_topics(vec![topic])
    };
    let removed = world.ask(6, &by_id(id));
    assert_eq!(removed.responses[0].error_code, 0);
    assert_eq!(world.ask(6, &by_id(id)).responses[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID.0);
    let gone = world.ask(5, &DeleteTopicsRequest::default().with_topic_names(vec![name("clicks")]));
    assert_eq!(gone.responses[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    let again = world.create(topic("clicks", 1, &[]));
    assert_ne!(again.topic_id, id);
    assert_eq!(world.fetch(0).high_watermark, 0);
}

#[test]
fn partitions_are_described_in_pages() {
    let mut world = World::new();
    for (name, partitions) in [("a", 3), ("b", 2), ("c", 1)] {
        world.cluster.create_topic(name, partitions, 1, []).unwrap();
    }
    let mut body = DescribeTopicPartitionsRequest::default().with_response_partition_limit(2).with_cursor(None);
    let mut pages = Vec::new();
    loop {
        let page = world.ask(0, &body);
        let partitions = page.topics.iter().flat_map(|topic| {
            let name = topic.name.clone().unwrap().0.to_string();
            topic.partitions.iter().map(move |partition| format!("{name}{}", partition.partition_index))
        });
        pages.push(partitions.collect::<Vec<_>>().join(" "));
        let Some(next) = page.next_cursor else { break };
        body.cursor = Some(
            describe_topic_partitions_request::Cursor::default()
                .with_topic_name(next.topic_name)
                .with_partition_index(next.partition_index),
        );
    }
    assert_eq!(pages, ["a0 a1", "a2 b0", "b1 c0"]);
}

#[test]
fn a_version_that_is_not_spoken_is_answered_or_closes() {
    let mut world = World::new();
    // A frame of a version to come; its body cannot be read.
    let frame = |api: ApiKey, version: i16| {
        let mut frame = BytesMut::new();
        frame.put_i16(api.0);
        frame.put_i16(version);
        frame.put_i32(42);
        frame.put_i16(-1);
        frame.put_slice(&[0, 9, 9, 9]);
        frame.freeze()
    };
    world.raw(ALICE, frame(ApiKey::API_VERSIONS, 99));
    let (correlation_id, response) = world.answer::<ApiVersionsRequest>(ALICE, 0);
    assert_eq!((correlation_id, response.error_code), (42, ErrorCode::UNSUPPORTED_VERSION.0));
    assert_eq!((response.api_keys[0].api_key, response.api_keys[0].max_version), (18, 4));
    world.raw(ALICE, frame(ApiKey::METADATA, 99));
    assert_eq!(world.told(ALICE), Told::Closed);
    world.raw(BOB, frame(ApiKey(500), 0));
    assert_eq!(world.told(BOB), Told::Closed);
}

/// Whatever bytes come, they are answered, or wait, or close their connection.
#[test]
fn no_bytes_make_the_broker_panic() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut frames = Vec::new();
    for version in 4..=12 {
        frames.push(header::encode_request(&fetch(0, 10, 1), version, 1, None).unwrap());
    }
    for version in 3..=12 {
        frames.push(header::encode_request(&produce(sequenced(0, 0, &["a", "b"])), version, 1, None).unwrap());
    }
    for version in 2..=7 {
        let body = CreateTopicsRequest::default().with_topics(vec![topic("x", 2, &[("retention.ms", "5")])]);
        frames.push(header::encode_request(&body, version, 1, None).unwrap());
    }
    for version in 1..=13 {
        frames.push(header::encode_request(&metadata(&["clicks"]), version, 1, None).unwrap());
    }
    let (mut closed, mut others) = (0, 0);
    for _ in 0..300 {
        let mut world = World::with_topic(&[]);
        for connection in (10..).map(ConnectionId).take(20) {
            let mut frame = BytesMut::from(&frames[random.usize(..frames.len())][4..]);
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..frame.len());
                let any = random.u8(..);
                frame[at] = *random.choice(&[0, 1, 0x7f, 0x80, 0xff, any]).unwrap();
            }
            frame.truncate(frame.len() - random.usize(..3).saturating_sub(1));
            world.cluster.handle_connected(connection, 1, "/127.0.0.1", world.now);
            world.raw(connection, frame.freeze());
            world.advance(Duration::from_millis(5));
            match world.told(connection) {
                Told::Closed => closed += 1,
                Told::Frame(_) | Told::Silent | Told::Nothing => others += 1,
            }
        }
    }
    assert!(closed > 500 && others > 500, "{closed} closed, {others} not: the test is to reach both");
}

#[test]
fn what_is_no_request_closes_the_connection() {
    for frame in [&[][..], &[0, 3], &[0, 3, 0, 9, 0, 0, 0, 1, 0, 0, 0xff], &[0xff; 40]] {
        let mut world = World::new();
        world.raw(ALICE, Bytes::copy_from_slice(frame));
        assert_eq!(world.told(ALICE), Told::Closed, "{frame:?}");
    }
}

#[test]
fn a_client_says_what_it_is() {
    let mut world = World::new();
    let body = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("a name"))
        .with_client_software_version(StrBytes::from_static_str("1.0"));
    assert_eq!(world.ask(3, &body).error_code, ErrorCode::INVALID_REQUEST.0);
}

/// Everything that is set in an answer must exist in its version: encoding one that says too much fails, and the
/// connection closes.
#[test]
fn every_version_that_is_listed_is_answered() {
    macro_rules! ask_all {
        ($world:ident, $api:ident, $answered:ident; $($key:ident: $body:expr,)*) => {
            match $api {
                $(ApiKey::$key => $answered(&mut $world, &$body),)*
                // Those of consumer groups have their own tests.
                _ => {}
            }
        };
    }
    let mut world = World::with_topic(&[]);
    world.produce(batch(&["a"]));
    let mut asked = 0;
    for (api, range) in spoken(&mut world) {
        // Of Produce the versions that are listed for librdkafka have no structs.
        let oldest = api.versions().map_or(range.min, |structs| structs.min.max(range.min));
        for version in oldest..=range.max {
            let mut answered = |world: &mut World, body: &dyn Ask| {
                body.ask(world, version);
                asked += 1;
            };
            let id = world.cluster.topics.by_name("clicks").unwrap().id;
            let mut read = fetch(0, 0, 1);
            let mut written = produce(batch(&["b"]));
            if version >= 13 {
                (read.topics[0].topic, read.topics[0].topic_id) = (name(""), id);
                (written.topic_data[0].name, written.topic_data[0].topic_id) = (name(""), id);
            }
            if version < 7 {
                read.session_epoch = -1;
            }
            let offsets = list_offsets_request::ListOffsetsTopic::default()
                .with_name(name("clicks"))
                .with_partitions(vec![list_offsets_request::ListOffsetsPartition::default().with_timestamp(-1)]);
            let epochs = offset_for_leader_epoch_request::OffsetForLeaderTopic::default()
                .with_topic(name("clicks"))
                .with_partitions(vec![Default::default()]);
            let removed = DeleteTopicsRequest::default();
            let key = StrBytes::from_static_str("group");
            let coordinator = FindCoordinatorRequest::default();
            let settings = |resource_type, name| {
                describe_configs_request::DescribeConfigsResource::default()
                    .with_resource_type(resource_type)
                    .with_resource_name(StrBytes::from_static_str(name))
                    .with_configuration_keys(None)
            };
            ask_all! { world, api, answered;
                PRODUCE: written,
                FETCH: read,
                LIST_OFFSETS: ListOffsetsRequest::default().with_topics(vec![offsets]),
                METADATA: metadata(&["clicks", "missing"]),
                FIND_COORDINATOR: if version < 4 {
                    coordinator.with_key(key)
                } else {
                    coordinator.with_coordinator_keys(vec![key])
                },
                API_VERSIONS: ApiVersionsRequest::default()
                    .with_client_software_name(StrBytes::from_static_str("x"))
                    .with_client_software_version(StrBytes::from_static_str("1")),
                CREATE_TOPICS: CreateTopicsRequest::default().with_topics(vec![topic("new", 1, &[])]),
                DELETE_TOPICS: if version < 6 {
                    removed.with_topic_names(vec![name("new"), name("missing")])
                } else {
                    removed.with_topics(vec![DeleteTopicState::default().with_name(Some(name("new")))])
                },
                INIT_PRODUCER_ID: InitProducerIdRequest::default().with_transactional_id(None),
                OFFSET_FOR_LEADER_EPOCH: OffsetForLeaderEpochRequest::default().with_topics(vec![epochs]),
                DESCRIBE_CONFIGS: DescribeConfigsRequest::default()
                    .with_include_synonyms(true)
                    .with_resources(vec![settings(2, "clicks"), settings(4, "1"), settings(2, "missing"), settings(8, "1")]),
                DESCRIBE_CLUSTER: DescribeClusterRequest::default().with_include_cluster_authorized_operations(true),
                DESCRIBE_TOPIC_PARTITIONS: DescribeTopicPartitionsRequest::default()
                    .with_response_partition_limit(10)
                    .with_cursor(None),
            }
        }
    }
    assert!(asked > 80, "{asked}");
}

trait Ask {
    fn ask(&self, world: &mut World, version: i16);
}

impl<R: Message> Ask for R {
    fn ask(&self, world: &mut World, version: i16) {
        let _ = world.ask(version, self);
    }
}

#[test]
fn the_same_seed_and_requests_give_the_same_answers() {
    let run = || {
        let mut world = World::new();
        world.create(topic("clicks", 2, &[]));
        world.produce(batch(&["a"]));
        world.send(BOB, 12, &metadata(&[]).with_topics(None));
        world.told(BOB)
    };
    assert_eq!(run(), run());
}

#[test]
fn topics_are_asked_for_by_id_only_in_versions_that_have_ids_in_requests() {
    let mut world = World::with_topic(&[]);
    let id = world.cluster.topics.by_name("clicks").unwrap().id;
    let by_id = MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    let body = MetadataRequest::default().with_topics(Some(vec![by_id]));
    let refused = world.ask(11, &body);
    assert_eq!(refused.topics[0].error_code, ErrorCode::INVALID_REQUEST.0);
    assert_eq!((refused.topics[0].name.clone(), refused.brokers.len()), (Some(name("")), 0));
    assert_eq!(world.ask(12, &body).topics[0].name, Some(name("clicks")));
}
