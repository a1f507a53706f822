//! One of the two brokers, and the requests that the cases are made of.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use tidemill_protocol::compression::Codec;
use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp};
use tidemill_protocol::{ApiKey, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

/// A broker under test, and what it has answered so far.
pub(crate) struct Broker {
    bootstrap: String,
    stream: TcpStream,
    said: Vec<(String, String)>,
}

impl Broker {
    pub(crate) async fn connect(bootstrap: &str) -> Self {
        let stream = TcpStream::connect(bootstrap).await.unwrap();
        Self { bootstrap: bootstrap.to_owned(), stream, said: Vec::new() }
    }

    pub(crate) fn note(&mut self, what: &str, answer: &impl Debug) {
        self.said.push((what.to_owned(), format!("{answer:#?}")));
    }

    /// Everything it has answered, each with what was asked.
    pub(crate) fn answers(self) -> Vec<(String, String)> {
        self.said
    }

    /// Sends a frame; the answer, or none when the connection was closed, which is then opened again.
    pub(crate) async fn raw(&mut self, frame: &[u8]) -> Option<Bytes> {
        self.stream.write_all(frame).await.unwrap();
        let Ok(length) = self.stream.read_i32().await else {
            self.stream = TcpStream::connect(&self.bootstrap).await.unwrap();
            return None;
        };
        let mut answer = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut answer).await.unwrap();
        Some(answer.into())
    }

    pub(crate) async fn ask<R: Request>(&mut self, version: i16, body: &R) -> R::Response {
        let frame = encode_request(body, version, 1, None).unwrap();
        let answer = self.raw(&frame).await.unwrap_or_else(|| panic!("{} v{version} closed it", ApiKey(R::KEY)));
        decode_response::<R>(version, answer).unwrap()
    }

    /// Makes a topic and waits until its leader knows of it.
    pub(crate) async fn make(&mut self, topic: &str, settings: &[(&str, &str)]) {
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

    /// Waits until the broker has learnt what has been told to its controller so far. It learns of one thing after the
    /// other, and of some in one go; so when it knows the second of two topics, it is done with what came before them.
    pub(crate) async fn settle(&mut self) {
        for mark in [1, 2] {
            self.make(&format!("mark-{}-{mark}", self.said.len()), &[]).await;
        }
    }

    pub(crate) async fn id_of(&mut self, topic: &str) -> Uuid {
        let topic = MetadataRequestTopic::default().with_name(Some(name(topic)));
        self.ask(12, &MetadataRequest::default().with_topics(Some(vec![topic]))).await.topics[0].topic_id
    }

    pub(crate) async fn produce(&mut self, what: &str, topic: &str, batch: Bytes) {
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

pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

pub(crate) fn new_topic(topic: &str, partitions: i32, settings: &[(&str, &str)]) -> CreatableTopic {
    let setting = |(name, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(settings.iter().map(setting).collect())
}

pub(crate) fn produce(topic: &str, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic])
}

pub(crate) fn fetch(topic: &str, offset: i64) -> FetchRequest {
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

pub(crate) fn batch(records: &[(i64, &str)], producer: Option<(i16, i32)>) -> Bytes {
    let stamp = |(producer_epoch, base_sequence)| ProducerStamp { producer_id: 900_000, producer_epoch, base_sequence };
    builder(records).seal(Codec::None).stamp(producer.map(stamp), BatchFlags::default())
}

pub(crate) fn compressed(records: &[(i64, &str)], codec: Codec) -> Bytes {
    builder(records).seal(codec).stamp(None, BatchFlags::default())
}

fn builder(records: &[(i64, &str)]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(100);
    for (timestamp, value) in records {
        let value = Some(value.as_bytes());
        builder.append(&NewRecord { timestamp: *timestamp, key: None, value, headers: &[] });
    }
    builder
}

/// The batch with other bytes at a place, and, if `sealed`, a checksum that goes with them.
pub(crate) fn with(batch: &Bytes, at: usize, bytes: &[u8], sealed: bool) -> Bytes {
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
