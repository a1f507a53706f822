//! A broker, its clock, and clients that speak to it in whole frames.

use std::collections::BTreeMap;

use bytes::Buf;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use tidemill_protocol::messages::create_topics_response::CreatableTopicResult;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::fetch_response::PartitionData;
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::produce_response::PartitionProduceResponse;
use tidemill_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, FetchRequest, FetchResponse, ListOffsetsRequest, ProduceRequest,
    TopicName,
};
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp, RecordBatches};
use tidemill_protocol::{ApiKey, StrBytes};

use crate::broker::*;
use crate::directory::Directory;

pub(super) const UNIX_MS: i64 = 1_800_000_000_000;
pub(super) const FETCH: i16 = 12;

/// What a connection has been told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Frame(Bytes),
    Silent,
    Closed,
}

pub(super) struct World {
    pub(super) cluster: Cluster,
    pub(super) now: Instant,
    pub(super) wake_at: Option<Instant>,
    told: BTreeMap<ConnectionId, std::collections::VecDeque<Action>>,
    correlation_id: i32,
    /// Where the cluster is kept.
    pub(super) directory: Option<Directory>,
}

pub(super) const ALICE: ConnectionId = ConnectionId(1);
pub(super) const BOB: ConnectionId = ConnectionId(2);

/// A connection to this broker.
pub(super) fn to(node_id: i32) -> ConnectionId {
    ConnectionId(100 + u64::try_from(node_id).unwrap())
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_brokers(1)
    }

    /// A world of several brokers. ALICE and BOB talk to the first; [`to`] is a connection to any.
    pub(super) fn with_brokers(count: i32) -> Self {
        let brokers = (1..=count).map(|node_id| BrokerConfig { node_id, ..BrokerConfig::default() }).collect();
        Self::with_properties(ClusterProperties { brokers, ..ClusterProperties::default() })
    }

    /// A world whose cluster is kept in a directory, and goes on with what is there.
    pub(super) fn kept_in(path: &std::path::Path, count: i32) -> std::io::Result<Self> {
        let brokers = (1..=count).map(|node_id| BrokerConfig { node_id, ..BrokerConfig::default() }).collect();
        Self::start(ClusterProperties { brokers, ..ClusterProperties::default() }, Some(path))
    }

    /// A world whose brokers are started with these.
    pub(super) fn with_properties(properties: ClusterProperties) -> Self {
        Self::start(properties, None).unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
    pub(super) fn start(properties: ClusterProperties, path: Option<&std::path::Path>) -> std::io::Result<Self> {
        let now = Instant::now();
        let count = i32::try_from(properties.brokers.len()).unwrap();
        let mut cluster = Cluster::new(properties, now, UNIX_MS, 7);
        for connection in [ALICE, BOB] {
            cluster.handle_connected(connection, 1, "/127.0.0.1", now);
        }
        for node_id in 1..=count {
            cluster.handle_connected(to(node_id), node_id, "/127.0.0.1", now);
        }
        let directory = path.map(|path| Directory::start(path, &mut cluster, now)).transpose()?;
        Ok(Self { cluster, now, wake_at: None, told: BTreeMap::new(), correlation_id: 0, directory })
    }

    /// A world with one topic of one partition, `clicks`.
    pub(super) fn with_topic(settings: &[(&str, &str)]) -> Self {
        let mut world = Self::new();
        world.cluster.create_topic("clicks", 1, 1, settings.iter().copied()).unwrap();
        world
    }

    pub(super) fn raw(&mut self, connection: ConnectionId, frame: Bytes) {
        self.cluster.handle_frame(connection, frame, self.now);
        self.poll();
    }

    pub(super) fn send<R: Message>(&mut self, connection: ConnectionId, version: i16, body: &R) -> i32 {
        self.correlation_id += 1;
        let name = StrBytes::from_static_str("test");
        let mut frame = header::encode_request(body, version, self.correlation_id, Some(&name)).unwrap();
        frame.advance(4);
        self.raw(connection, frame);
        self.correlation_id
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.now += by;
        self.poll();
    }

    pub(super) fn poll(&mut self) {
        let mut replies = Vec::new();
        self.wake_at = self.cluster.poll(self.now, &mut replies);
        if let Some(directory) = &mut self.directory {
            directory.save(&mut self.cluster).unwrap();
        }
        for Reply { connection, action } in replies {
            self.told.entry(connection).or_default().push_back(action);
        }
    }

    pub(super) fn told(&mut self, connection: ConnectionId) -> Told {
        match self.told.entry(connection).or_default().pop_front() {
            None => Told::Nothing,
            Some(Action::Send(frame)) => Told::Frame(frame.slice(4..)),
            Some(Action::Skip) => Told::Silent,
            Some(Action::Close | Action::Reset | Action::Refuse) => Told::Closed,
            Some(Action::Write(_)) => panic!("a part of an answer"),
        }
    }

    /// What is to be done with a connection, all of it.
    pub(super) fn actions(&mut self, connection: ConnectionId) -> Vec<Action> {
        self.told.remove(&connection).unwrap_or_default().into()
    }

    /// The correlation id of the next answer, and the answer.
    pub(super) fn answer<R: Message>(&mut self, connection: ConnectionId, version: i16) -> (i32, R::Response) {
        let Told::Frame(frame) = self.told(connection) else { panic!("no answer") };
        let correlation_id = header::read_correlation_id(&frame).unwrap();
        (correlation_id, header::decode_response::<R>(version, frame).unwrap())
    }

    pub(super) fn ask<R: Message>(&mut self, version: i16, body: &R) -> R::Response {
        self.ask_on(ALICE, version, body)
    }

    pub(super) fn ask_on<R: Message>(&mut self, connection: ConnectionId, version: i16, body: &R) -> R::Response {
        let sent = self.send(connection, version, body);
        let (answered, response) = self.answer::<R>(connection, version);
        assert_eq!(sent, answered);
        response
    }

    pub(super) fn create(&mut self, topic: CreatableTopic) -> CreatableTopicResult {
        let body = CreateTopicsRequest::default().with_topics(vec![topic]);
        let response: CreateTopicsResponse = self.ask(7, &body);
        response.topics.into_iter().next().unwrap()
    }

    pub(super) fn produce(&mut self, batch: Bytes) -> PartitionProduceResponse {
        self.ask(9, &produce(batch)).responses[0].partition_responses[0].clone()
    }

    /// What ALICE reads at once from here.
    pub(super) fn fetch(&mut self, offset: i64) -> PartitionData {
        let response = self.ask(FETCH, &fetch(offset, 0, 1));
        response.responses[0].partitions[0].clone()
    }

    pub(super) fn list_offset(&mut self, timestamp: i64) -> ListOffsetsPartitionResponse {
        let topic = ListOffsetsTopic::default()
            .with_name(name("clicks"))
            .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(timestamp)]);
        let body = ListOffsetsRequest::default().with_topics(vec![topic]);
        self.ask(7, &body).topics[0].partitions[0].clone()
    }
}

pub(super) fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

pub(super) fn topic(name: &str, partitions: i32, settings: &[(&str, &str)]) -> CreatableTopic {
    let setting = |(name, value): &(&str, &str)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string((*name).to_owned()))
            .with_value(Some(StrBytes::from_string((*value).to_owned())))
    };
    CreatableTopic::default()
        .with_name(self::name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(-1)
        .with_configs(settings.iter().map(setting).collect())
}

pub(super) fn produce(batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name("clicks")).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

pub(super) fn fetch(offset: i64, wait_ms: i32, bytes_min: i32) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20)
        .with_current_leader_epoch(-1);
    let topic = FetchTopic::default().with_topic(name("clicks")).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(bytes_min)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// A batch of these values, with these timestamps.
pub(super) fn stamped(records: &[(i64, &str)], producer: Option<ProducerStamp>) -> Bytes {
    sealed(records, Codec::None, producer)
}

pub(super) fn sealed(records: &[(i64, &str)], codec: Codec, producer: Option<ProducerStamp>) -> Bytes {
    let mut builder = BatchBuilder::new(1024);
    for (timestamp, value) in records {
        builder.append(&NewRecord { timestamp: *timestamp, key: None, value: Some(value.as_bytes()), headers: &[] });
    }
    builder.seal(codec).stamp(producer, BatchFlags::default())
}

/// A batch of these values.
pub(super) fn batch(values: &[&str]) -> Bytes {
    stamped(&values.iter().map(|value| (UNIX_MS, *value)).collect::<Vec<_>>(), None)
}

/// A batch of one producer.
pub(super) fn sequenced(producer_epoch: i16, base_sequence: i32, values: &[&str]) -> Bytes {
    let records: Vec<_> = values.iter().map(|value| (UNIX_MS, *value)).collect();
    stamped(&records, Some(ProducerStamp { producer_id: 4711, producer_epoch, base_sequence }))
}

/// The values that a reader gets, and their offsets.
pub(super) fn values(records: Option<Bytes>) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    for batch in RecordBatches::new(records.unwrap()) {
        for record in &batch.unwrap().open(1 << 20).unwrap() {
            let record = record.unwrap();
            found.push((record.offset, String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
        }
    }
    found
}

pub(super) fn first(response: &FetchResponse) -> &PartitionData {
    &response.responses[0].partitions[0]
}

/// What ApiVersions says about an API.
pub(super) fn spoken(world: &mut World) -> Vec<(ApiKey, VersionRange)> {
    let body = tidemill_protocol::messages::ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("tidemill"))
        .with_client_software_version(StrBytes::from_static_str("1.0"));
    let response = world.ask(4, &body);
    let range = |api: &tidemill_protocol::messages::api_versions_response::ApiVersion| {
        (ApiKey(api.api_key), VersionRange::new(api.min_version, api.max_version))
    };
    response.api_keys.iter().map(range).collect()
}
