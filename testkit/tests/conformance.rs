//! The same requests to the embedded broker and to a real Kafka: the answers must be the same, field by field.
//!
//! Only ids, addresses and the clock are taken out before answers are compared. Without a real Kafka the embedded broker
//! is asked alone, which shows that it answers.
#![expect(clippy::disallowed_methods, reason = "tests read the clock")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::compression::Codec;
use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use tidemill_protocol::messages::delete_topics_request::DeleteTopicState;
use tidemill_protocol::messages::describe_configs_request::DescribeConfigsResource;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp};
use tidemill_protocol::{ApiKey, ErrorCode, Request, StrBytes};
use tidemill_testkit::kafka::Kafka;
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

/// A broker under test, and what it has answered so far.
struct Broker {
    bootstrap: String,
    stream: TcpStream,
    said: Vec<(String, String)>,
}

impl Broker {
    async fn connect(bootstrap: &str) -> Self {
        let stream = TcpStream::connect(bootstrap).await.unwrap();
        Self { bootstrap: bootstrap.to_owned(), stream, said: Vec::new() }
    }

    fn note(&mut self, what: &str, answer: &impl Debug) {
        self.said.push((what.to_owned(), format!("{answer:#?}")));
    }

    /// Sends a frame; the answer, or none when the connection was closed, which is then opened again.
    async fn raw(&mut self, frame: &[u8]) -> Option<Bytes> {
        self.stream.write_all(frame).await.unwrap();
        let Ok(length) = self.stream.read_i32().await else {
            self.stream = TcpStream::connect(&self.bootstrap).await.unwrap();
            return None;
        };
        let mut answer = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut answer).await.unwrap();
        Some(answer.into())
    }

    async fn ask<R: Request>(&mut self, version: i16, body: &R) -> R::Response {
        let frame = encode_request(body, version, 1, None).unwrap();
        let answer = self.raw(&frame).await.unwrap_or_else(|| panic!("{} v{version} closed it", ApiKey(R::KEY)));
        decode_response::<R>(version, answer).unwrap()
    }

    /// Makes a topic and waits until its leader knows of it.
    async fn make(&mut self, topic: &str, settings: &[(&str, &str)]) {
        let body =
            CreateTopicsRequest::default().with_topics(vec![new_topic(topic, 1, settings)]).with_timeout_ms(5000);
        let made = self.ask(7, &body).await;
        assert_eq!(made.topics[0].error_code, 0, "{made:?}");
        for _ in 0..200 {
            if self.ask(4, &fetch(topic, 0)).await.responses[0].partitions[0].error_code == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{topic} has no leader");
    }

    async fn produce(&mut self, what: &str, topic: &str, batch: Bytes) {
        let mut response = self.ask(9, &produce(topic, batch)).await;
        for partition in response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses) {
            // The words are ours; that there are some is not.
            partition.error_message = partition.error_message.take().map(|_| StrBytes::from_static_str("..."));
            for error in &mut partition.record_errors {
                error.batch_index_error_message = None;
            }
            if partition.log_append_time_ms > 1_000_000 {
                partition.log_append_time_ms = 1_000_000;
            }
        }
        self.note(&format!("Produce: {what}"), &response);
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

fn new_topic(topic: &str, partitions: i32, settings: &[(&str, &str)]) -> CreatableTopic {
    let setting = |(name, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(settings.iter().map(setting).collect())
}

fn produce(topic: &str, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic])
}

fn fetch(topic: &str, offset: i64) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20)
        .with_current_leader_epoch(-1)
        .with_last_fetched_epoch(-1);
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

fn batch(records: &[(i64, &str)], producer: Option<(i16, i32)>) -> Bytes {
    let mut builder = BatchBuilder::new(100);
    for (timestamp, value) in records {
        let value = Some(value.as_bytes());
        builder.append(&NewRecord { timestamp: *timestamp, key: None, value, headers: &[] });
    }
    let stamp = |(producer_epoch, base_sequence)| ProducerStamp { producer_id: 900_000, producer_epoch, base_sequence };
    builder.seal(Codec::None).stamp(producer.map(stamp), BatchFlags::default())
}

/// The batch with other bytes at a place, and, if `sealed`, a checksum that goes with them.
fn with(batch: &Bytes, at: usize, bytes: &[u8], sealed: bool) -> Bytes {
    let mut changed = BytesMut::from(&batch[..]);
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    if sealed {
        let crc = !changed[21..].iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
        });
        changed[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    changed.freeze()
}

async fn versions(broker: &mut Broker) {
    let mut frame = BytesMut::new();
    frame.put_slice(&[0, 0, 0, 14, 0, 18, 0, 99, 0, 0, 0, 7, 255, 255, 0, 9, 9, 9]);
    let answer = broker.raw(&frame).await.unwrap();
    let response = decode_response::<ApiVersionsRequest>(0, answer).unwrap();
    broker.note("ApiVersions v99", &response);
    let body = ApiVersionsRequest::default()
        .with_client_software_name(text("not a name"))
        .with_client_software_version(text("1"));
    let answer = broker.raw(&encode_request(&body, 3, 1, None).unwrap()).await;
    let code = answer.and_then(|answer| Some(i16::from_be_bytes(*answer.get(4..)?.first_chunk()?)));
    broker.note("ApiVersions of a bad name", &code);
    for (what, frame) in [
        ("an API of no name", vec![0, 0, 0, 10, 1, 244, 0, 0, 0, 0, 0, 7, 255, 255]),
        ("Metadata with a count that lies", vec![0, 0, 0, 14, 0, 3, 0, 5, 0, 0, 0, 7, 255, 255, 127, 255, 255, 255]),
        ("Metadata v99", vec![0, 0, 0, 11, 0, 3, 0, 99, 0, 0, 0, 7, 255, 255, 0]),
    ] {
        let closed = broker.raw(&frame).await.is_none();
        broker.note(what, &closed);
    }
}

async fn metadata(broker: &mut Broker) {
    let ask = |topics: &[&str], create: bool| {
        let topic = |topic: &&str| MetadataRequestTopic::default().with_name(Some(name(topic)));
        MetadataRequest::default()
            .with_topics(Some(topics.iter().map(topic).collect()))
            .with_allow_auto_topic_creation(create)
    };
    let cleared = |mut response: MetadataResponse| {
        response.brokers.clear();
        response.cluster_id = None;
        for topic in &mut response.topics {
            if topic.error_code == 0 {
                topic.topic_id = Uuid::nil();
            }
        }
        response.topics.sort_by(|one, two| one.name.cmp(&two.name));
        response
    };
    for version in [1, 4, 9, 12, 13] {
        let body = ask(&["metadata-missing", "not a name"], version < 4);
        let response = broker
            .ask(
                version,
                &body.with_topics(if version < 4 {
                    Some(vec![])
                } else {
                    ask(&["metadata-missing", "not a name"], false).topics
                }),
            )
            .await;
        broker.note(&format!("Metadata v{version} of what is not there"), &cleared(response));
    }
    let id = MetadataRequestTopic::default().with_name(None).with_topic_id(Uuid::from_u128(5));
    let response = broker.ask(12, &MetadataRequest::default().with_topics(Some(vec![id]))).await;
    broker.note("Metadata of an unknown id", &cleared(response));
    let first = broker.ask(9, &ask(&["metadata-auto"], true)).await;
    broker.note("Metadata that makes a topic", &cleared(first));
    for _ in 0..200 {
        let next = broker.ask(9, &ask(&["metadata-auto"], true)).await;
        if next.topics[0].error_code == 0 {
            broker.note("Metadata of a topic that was made", &cleared(next));
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let body = ask(&["metadata-auto"], false)
        .with_include_topic_authorized_operations(true)
        .with_include_cluster_authorized_operations(true);
    let response = broker.ask(9, &body).await;
    broker.note("Metadata with what is allowed", &cleared(response));
}

async fn create_and_delete(broker: &mut Broker) {
    broker.make("create.there", &[]).await;
    let assignment = |number, broker| {
        CreatableReplicaAssignment::default().with_partition_index(number).with_broker_ids(vec![BrokerId(broker)])
    };
    let new = |topic| new_topic(topic, -1, &[]).with_replication_factor(-1);
    let long = "x".repeat(250);
    let topics = [
        new_topic("create.there", 1, &[]),
        new_topic("create_there", 1, &[]),
        new_topic("", 1, &[]),
        new_topic("..", 1, &[]),
        new_topic("not a name", 1, &[]),
        new_topic(&long, 1, &[]),
        new_topic("create-1", 0, &[]),
        new_topic("create-2", -2, &[]),
        new_topic("create-3", 20_000, &[]),
        new_topic("create-4", 1, &[]).with_replication_factor(0),
        new_topic("create-5", 1, &[]).with_replication_factor(3),
        new_topic("create-6", 1, &[("retention.sm", "1")]),
        new_topic("create-7", 1, &[("retention.ms", "soon")]),
        new_topic("create-8", 1, &[("retention.ms", "-2")]),
        new_topic("create-9", 1, &[("cleanup.policy", "shred")]),
        new_topic("create-10", 1, &[("segment.bytes", "100")]),
        new("create-11").with_assignments(vec![assignment(0, 1)]).with_num_partitions(1),
        new("create-12").with_assignments(vec![assignment(0, 1)]).with_replication_factor(1),
        new("create-13").with_assignments(vec![assignment(1, 1)]),
        new("create-14").with_assignments(vec![assignment(0, 99)]),
        new("create-15"),
        new("create-16").with_assignments(vec![assignment(0, 1), assignment(1, 1)]),
        new_topic("create-17", 2, &[("retention.ms", "5000"), ("cleanup.policy", "compact,delete")]),
    ];
    for topic in topics {
        for validate_only in [true, false] {
            let what = format!("CreateTopics {} {validate_only}", &*topic.name.0);
            let body = CreateTopicsRequest::default()
                .with_topics(vec![topic.clone()])
                .with_timeout_ms(5000)
                .with_validate_only(validate_only);
            let mut response = broker.ask(7, &body).await;
            for topic in &mut response.topics {
                // That there is one.
                topic.topic_id = Uuid::from_u128(u128::from(!topic.topic_id.is_nil()));
                for config in topic.configs.iter_mut().flatten() {
                    // That of the release is set by a feature of clusters of several brokers.
                    if &*config.name == "min.insync.replicas" {
                        config.config_source = 5;
                    }
                }
                // The words are ours.
                if topic.error_code == ErrorCode::INVALID_CONFIG.0
                    || topic.error_code == ErrorCode::INVALID_REPLICA_ASSIGNMENT.0
                {
                    topic.error_message = None;
                }
            }
            broker.note(&what, &response);
        }
    }
    let twice = vec![new("create-twice"), new("create-twice")];
    let response = broker.ask(7, &CreateTopicsRequest::default().with_topics(twice).with_timeout_ms(5000)).await;
    broker.note("CreateTopics twice", &response);

    for version in [1, 5] {
        let body = DeleteTopicsRequest::default().with_topic_names(vec![name("delete-missing")]).with_timeout_ms(5000);
        let response = broker.ask(version, &body).await;
        broker.note(&format!("DeleteTopics v{version}"), &response);
    }
    let topic = |name: Option<TopicName>, id| {
        let topic = DeleteTopicState::default().with_name(name).with_topic_id(id);
        DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000)
    };
    let response = broker.ask(6, &topic(Some(name("delete-missing")), Uuid::nil())).await;
    broker.note("DeleteTopics of a missing name", &response);
    let response = broker.ask(6, &topic(None, Uuid::from_u128(5))).await;
    broker.note("DeleteTopics of a missing id", &response);
    let mut response = broker.ask(6, &topic(Some(name("create-15")), Uuid::nil())).await;
    response.responses[0].topic_id = Uuid::nil();
    broker.note("DeleteTopics", &response);
}

async fn writing(broker: &mut Broker) {
    broker.make("write", &[("max.message.bytes", "500")]).await;
    broker.make("compacted", &[("cleanup.policy", "compact")]).await;
    broker.make("stamped", &[("message.timestamp.type", "LogAppendTime")]).await;
    let now = now();
    let sound = batch(&[(now, "a"), (now, "b")], None);
    let sequenced = batch(&[(now, "a")], Some((0, 0)));
    let last = sound.len() - 1;
    let cases = [
        ("checksum", with(&sound, last, &[9], false)),
        ("magic 1", with(&sound, 16, &[1], false)),
        ("magic 9", with(&sound, 16, &[9], false)),
        ("nothing", Bytes::new()),
        ("cut", sound.slice(..last)),
        ("cut in the header", sound.slice(..15)),
        ("two batches", Bytes::from([&sound[..], &sound[..]].concat())),
        ("a negative length", with(&sound, 8, &(-1_i32).to_be_bytes(), false)),
        ("a short length", with(&sound, 8, &20_i32.to_be_bytes(), false)),
        ("a count too many", with(&sound, 57, &3_i32.to_be_bytes(), true)),
        ("a negative count", with(&sound, 57, &(-3_i32).to_be_bytes(), true)),
        ("a last offset too far", with(&sound, 23, &5_i32.to_be_bytes(), true)),
        ("a negative last offset", with(&sound, 23, &(-1_i32).to_be_bytes(), true)),
        ("a base offset", with(&sound, 0, &4_i64.to_be_bytes(), false)),
        ("a record too long", with(&sound, 61, &[60], true)),
        ("transactional", with(&sequenced, 21, &16_i16.to_be_bytes(), true)),
        ("a marker", with(&sound, 21, &32_i16.to_be_bytes(), true)),
        ("not lz4", with(&sound, 21, &3_i16.to_be_bytes(), true)),
        ("a codec that is not there", with(&sound, 21, &5_i16.to_be_bytes(), true)),
        ("a negative sequence", with(&sequenced, 53, &(-1_i32).to_be_bytes(), true)),
        ("too large", batch(&[(now, &"x".repeat(500))], None)),
        ("from the future", batch(&[(now + 4_000_000, "x")], None)),
        ("from the past", batch(&[(1, "x")], None)),
        ("no time", batch(&[(-1, "x")], None)),
        ("sound", sound.clone()),
    ];
    for (what, batch) in cases {
        broker.produce(what, "write", batch).await;
    }
    broker.produce("no key", "compacted", sound.clone()).await;
    broker.produce("the broker's time", "stamped", sound.clone()).await;
    broker.produce("a missing topic", "write-missing", sound.clone()).await;
    let response = broker.ask(9, &produce("write", sound.clone()).with_acks(2)).await;
    broker.note("Produce of 2 acknowledgements", &response);
    let mut elsewhere = produce("write", sound.clone());
    elsewhere.topic_data[0].partition_data[0].index = 7;
    let response = broker.ask(9, &elsewhere).await;
    broker.note("Produce to a missing partition", &response);
    let mut by_id = produce("", sound);
    by_id.topic_data[0].topic_id = Uuid::from_u128(5);
    let response = broker.ask(13, &by_id).await;
    broker.note("Produce to a missing id", &response);

    broker.make("sequences", &[]).await;
    // (epoch, first sequence, records): what a partition remembers of one producer.
    for (epoch, sequence, count) in [
        (0, 5, 1), // any start
        (0, 6, 2),
        (0, 6, 2), // again
        (0, 6, 1), // another batch in its place
        (0, 9, 1), // a gap
        (0, 8, 1),
        (0, 9, 1),
        (0, 10, 1),
        (0, 11, 1),
        (0, 5, 1), // the sixth before
        (0, 6, 2), // the fifth before
        (2, 3, 1), // a new epoch in the middle
        (2, 0, 1),
        (2, 0, 1),
        (1, 12, 1), // an old one
        (2, 1, 1),
    ] {
        let records = vec![(now, "x"); count];
        let what = format!("epoch {epoch}, sequence {sequence}, {count} records");
        broker.produce(&what, "sequences", batch(&records, Some((epoch, sequence)))).await;
    }
}

async fn reading(broker: &mut Broker) {
    broker.make("read", &[]).await;
    let time = now() - 1_000_000;
    // Timestamps as found, counted from `time`.
    for records in
        [vec![(time, "0"), (time + 10, "1")], vec![(time + 30, "2"), (time + 20, "3")], vec![(time + 25, "4")]]
    {
        broker.ask(9, &produce("read", batch(&records, None))).await;
    }
    let records_of = |response: &mut FetchResponse| {
        for partition in response.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
            // They differ by their timestamps alone.
            let length = partition.records.as_ref().map_or(0, Bytes::len);
            partition.records = Some(Bytes::from(format!("{length} bytes")));
        }
    };
    let small = |offset, partition_bytes_max, bytes_max| {
        let mut body = fetch("read", offset).with_max_bytes(bytes_max);
        body.topics[0].partitions[0].partition_max_bytes = partition_bytes_max;
        body
    };
    let epochs = |current, last| {
        let mut body = fetch("read", 1);
        body.topics[0].partitions[0].current_leader_epoch = current;
        body.topics[0].partitions[0].last_fetched_epoch = last;
        body
    };
    let whole = batch(&[(time, "0"), (time + 10, "1")], None).len();
    let two = i32::try_from(whole * 2).unwrap();
    let mut missing = fetch("read", 0);
    missing.topics[0].partitions[0].partition = 7;
    let cases = [
        ("all", fetch("read", 0)),
        ("committed", fetch("read", 0).with_isolation_level(1)),
        ("from inside a batch", fetch("read", 3)),
        ("the end", fetch("read", 5)),
        ("past the end", fetch("read", 6)),
        ("below the start", fetch("read", -1)),
        ("far away", fetch("read", i64::MAX)),
        ("one byte", small(0, 1, 1)),
        ("one byte of the partition", small(0, 1, 1 << 20)),
        ("two batches", small(0, two, 1 << 20)),
        ("two batches in all", small(0, 1 << 20, two)),
        ("a missing topic", fetch("read-missing", 0)),
        ("a missing partition", missing),
        ("a session that is not there", fetch("read", 0).with_session_id(5).with_session_epoch(1)),
        ("the leader's epoch", epochs(0, 0)),
        ("a leader epoch to come", epochs(1, -1)),
        ("a last epoch to come", epochs(0, 1)),
        ("nothing", fetch("read", 0).with_topics(vec![])),
    ];
    for (what, body) in cases {
        for version in [4, 7, 12] {
            let mut body = body.clone();
            if version < 12
                && body.topics.iter().any(|topic| {
                    topic.partitions.iter().any(|p| p.last_fetched_epoch >= 0 || p.current_leader_epoch >= 0)
                })
            {
                continue;
            }
            if version < 7 {
                if body.session_id != 0 {
                    continue;
                }
                body.session_epoch = -1;
            }
            let mut response = broker.ask(version, &body).await;
            records_of(&mut response);
            broker.note(&format!("Fetch v{version}: {what}"), &response);
        }
    }
    let mut by_id = fetch("", 0);
    by_id.topics[0].topic_id = Uuid::from_u128(5);
    let mut response = broker.ask(16, &by_id).await;
    records_of(&mut response);
    broker.note("Fetch by a missing id", &response);

    for timestamp in [-1, -2, -3, -4, -5, 0, time, time + 1, time + 15, time + 25, time + 30, time + 31] {
        for committed in [0, 1] {
            let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
            let topic = ListOffsetsTopic::default().with_name(name("read")).with_partitions(vec![partition]);
            let body = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_isolation_level(committed)
                .with_topics(vec![topic])
                .with_timeout_ms(5000);
            let version = if timestamp == -5 { 9 } else { 8 };
            let mut response = broker.ask(version, &body.with_timeout_ms(0)).await;
            let found = &mut response.topics[0].partitions[0];
            if found.timestamp > 0 {
                found.timestamp -= time;
            }
            let asked = if timestamp > 0 { timestamp - time } else { timestamp };
            broker.note(&format!("ListOffsets {asked} {committed}"), &response);
        }
    }
    for (current, epoch) in [(-1, 0), (0, 0), (1, 0), (-1, 1), (-1, -1)] {
        let partition = OffsetForLeaderPartition::default().with_current_leader_epoch(current).with_leader_epoch(epoch);
        let topic = OffsetForLeaderTopic::default().with_topic(name("read")).with_partitions(vec![partition]);
        let body = OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let response = broker.ask(4, &body).await;
        broker.note(&format!("OffsetForLeaderEpoch {current} {epoch}"), &response);
    }
}

async fn describing(broker: &mut Broker) {
    broker.make("described", &[("retention.ms", "5000")]).await;
    for (kind, resource) in
        [(2, "described"), (2, "described-missing"), (2, "not a name"), (4, "99"), (4, "x"), (3, "x")]
    {
        let wanted = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(resource))
            .with_configuration_keys(Some(vec![text("retention.ms"), text("segment.bytes"), text("flush.ms")]));
        let body = DescribeConfigsRequest::default().with_resources(vec![wanted]).with_include_synonyms(true);
        let mut response = broker.ask(4, &body).await;
        for result in &mut response.results {
            result.configs.sort_by(|one, two| one.name.cmp(&two.name));
            for config in &mut result.configs {
                // Of a setting of the topic, that of the broker behind it is not listed here.
                config.synonyms.retain(|synonym| synonym.source == 1);
            }
            if result.error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0 || kind == 3 {
                result.error_message = None;
            }
        }
        broker.note(&format!("DescribeConfigs {kind} {resource}"), &response);
    }
    for endpoint_type in [1, 2] {
        let body = DescribeClusterRequest::default()
            .with_endpoint_type(endpoint_type)
            .with_include_cluster_authorized_operations(true);
        let mut response = broker.ask(1, &body).await;
        response.brokers.clear();
        response.cluster_id = StrBytes::default();
        broker.note(&format!("DescribeCluster {endpoint_type}"), &response);
    }
    let body = DescribeTopicPartitionsRequest::default()
        .with_topics(
            ["described", "described-missing", "not a name"]
                .map(|topic| describe_topic_partitions_request::TopicRequest::default().with_name(name(topic)))
                .to_vec(),
        )
        .with_response_partition_limit(10)
        .with_cursor(None);
    let mut response = broker.ask(0, &body).await;
    for topic in &mut response.topics {
        topic.topic_id = Uuid::nil();
    }
    broker.note("DescribeTopicPartitions", &response);
    // What Kafka has just started takes a moment to say so.
    let body = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1000);
    let mut response = broker.ask(4, &body).await;
    while response.error_code == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS.0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        response = broker.ask(4, &body).await;
    }
    response.producer_id = ProducerId(0);
    broker.note("InitProducerId", &response);
    let body = FindCoordinatorRequest::default().with_key(text("group"));
    let mut response = broker.ask(2, &body).await;
    while response.error_code == ErrorCode::COORDINATOR_NOT_AVAILABLE.0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        response = broker.ask(2, &body).await;
    }
    response.port = 1;
    broker.note("FindCoordinator v2", &response);
    for key_type in [0, 9] {
        let keys = vec![text("group"), text("other")];
        let body = FindCoordinatorRequest::default().with_key_type(key_type).with_coordinator_keys(keys);
        let frame = encode_request(&body, 4, 1, None).unwrap();
        loop {
            let Some(answer) = broker.raw(&frame).await else {
                broker.note(&format!("FindCoordinator {key_type}"), &"closed");
                break;
            };
            let mut response = decode_response::<FindCoordinatorRequest>(4, answer).unwrap();
            if response.coordinators.iter().any(|found| found.error_code == ErrorCode::COORDINATOR_NOT_AVAILABLE.0) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            for found in &mut response.coordinators {
                found.port = found.port.clamp(-1, 1);
                // The words of a refusal are ours.
                if found.error_code != 0 {
                    found.error_message = None;
                }
            }
            broker.note(&format!("FindCoordinator {key_type}"), &response);
            break;
        }
    }
}

async fn everything(bootstrap: &str) -> Vec<(String, String)> {
    let mut broker = Broker::connect(bootstrap).await;
    versions(&mut broker).await;
    metadata(&mut broker).await;
    create_and_delete(&mut broker).await;
    writing(&mut broker).await;
    reading(&mut broker).await;
    describing(&mut broker).await;
    broker.said
}

#[tokio::test]
async fn the_embedded_broker_answers_as_kafka_does() {
    let cluster = TestCluster::start(ClusterConfig::default()).await.unwrap();
    let ours = everything(cluster.bootstrap()).await;
    let Some(kafka) = tokio::task::spawn_blocking(Kafka::shared).await.unwrap() else { return };
    let theirs = everything(kafka.bootstrap()).await;
    assert_eq!(ours.len(), theirs.len());
    let mut different = 0;
    for ((what, ours), (same, theirs)) in ours.iter().zip(&theirs) {
        assert_eq!(what, same);
        if ours != theirs {
            different += 1;
            println!("== {what}");
            for line in theirs.lines().filter(|line| !ours.lines().any(|other| other == *line)) {
                println!("  kafka: {}", line.trim());
            }
            for line in ours.lines().filter(|line| !theirs.lines().any(|other| other == *line)) {
                println!("  ours:  {}", line.trim());
            }
        }
    }
    assert_eq!(different, 0, "of {} answers, {different} are not Kafka's", ours.len());
}
