//! What the runner asks the brokers itself, by the messages of `tidemill-protocol`: topics made and deleted, end offsets, and
//! what stands in the logs. No contestant judges another.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::{
    BrokerId, CreateTopicsRequest, DeleteTopicsRequest, ListOffsetsRequest, MetadataRequest, TopicName,
};
use tidemill_protocol::records::RecordBatches;
use tidemill_protocol::records::control::{self, Marker};
use tidemill_protocol::{ErrorCode, Request, StrBytes, header};
use tidemill_testkit::kafka::Kafka;

/// What a question failed by.
pub(crate) type Failure = Box<dyn Error>;

/// Versions that every release since 3.9 speaks.
const CREATE_TOPICS: i16 = 5;
const DELETE_TOPICS: i16 = 5;
const LIST_OFFSETS: i16 = 7;
const METADATA: i16 = 12;

/// Timestamp that asks for the end of a partition.
const LATEST: i64 = -1;

/// How topics lie on the brokers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Of each topic that is written to or read.
    pub(crate) partitions: i32,
    /// Of the cluster.
    pub(crate) brokers: i32,
    /// All leaders are on the first broker.
    pub(crate) is_skewed: bool,
}

/// The cluster, as the runner sees it.
pub(crate) struct Cluster<'a> {
    kafka: &'a Kafka,
    layout: Layout,
}

impl<'a> Cluster<'a> {
    pub(crate) const fn new(kafka: &'a Kafka, layout: Layout) -> Self {
        Self { kafka, layout }
    }

    pub(crate) const fn partitions(&self) -> i32 {
        self.layout.partitions
    }

    /// Makes a topic, with a replica on every broker, and waits until each partition has a leader that answers.
    pub(crate) fn create_topic(&self, topic: &str) -> Result<(), Failure> {
        let Layout { partitions, brokers, is_skewed } = self.layout;
        let replicas = |partition: i32| {
            let first = if is_skewed { 0 } else { partition % brokers };
            (0..brokers).map(|next| BrokerId((first + next) % brokers + 1)).collect::<Vec<_>>()
        };
        let assignments = (0..partitions).map(|partition| {
            CreatableReplicaAssignment::default().with_partition_index(partition).with_broker_ids(replicas(partition))
        });
        // What was deleted is gone soon: five rounds of several clients would fill a disk.
        let soon = CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str("file.delete.delay.ms"))
            .with_value(Some(StrBytes::from_static_str("1000")));
        let body = CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(assignments.collect())
            .with_configs(vec![soon]);
        let body = CreateTopicsRequest::default().with_topics(vec![body]).with_timeout_ms(60_000);
        for made in self.ask(CREATE_TOPICS, &body)?.topics {
            check(made.error_code, topic)?;
        }
        for _ in 0..600 {
            if self.end_offsets(topic).is_ok_and(|ends| ends.len() == partitions as usize) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Err(format!("{topic} has no leaders after 60 s").into())
    }

    pub(crate) fn delete_topic(&self, topic: &str) -> Result<(), Failure> {
        let body = DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]).with_timeout_ms(60_000);
        for deleted in self.ask(DELETE_TOPICS, &body)?.responses {
            check(deleted.error_code, topic)?;
        }
        Ok(())
    }

    /// The end of each partition, as its leader says.
    pub(crate) fn end_offsets(&self, topic: &str) -> Result<BTreeMap<i32, i64>, Failure> {
        let question = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let metadata = self.ask(METADATA, &MetadataRequest::default().with_topics(Some(vec![question])))?;
        let mut of_leaders: BTreeMap<i32, Vec<ListOffsetsPartition>> = BTreeMap::new();
        for partition in metadata.topics.iter().flat_map(|topic| &topic.partitions) {
            check(partition.error_code, topic)?;
            let question = ListOffsetsPartition::default()
                .with_partition_index(partition.partition_index)
                .with_current_leader_epoch(-1)
                .with_timestamp(LATEST);
            of_leaders.entry(*partition.leader_id).or_default().push(question);
        }
        let mut ends = BTreeMap::new();
        for (leader, partitions) in of_leaders {
            let broker = metadata.brokers.iter().find(|broker| *broker.node_id == leader);
            let broker = broker.ok_or_else(|| format!("{topic} is led by broker {leader}, which is gone"))?;
            let question = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(partitions);
            let body = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![question]);
            let answer = ask(&format!("{}:{}", broker.host, broker.port), LIST_OFFSETS, &body)?;
            for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
                check(partition.error_code, topic)?;
                ends.insert(partition.partition_index, partition.offset);
            }
        }
        Ok(ends)
    }

    /// How many records of a topic belong to transactions that were committed, by the logs of its leaders' disks.
    pub(crate) fn committed_records(&self, topic: &str) -> Result<i64, Failure> {
        let mut committed = 0;
        for partition in 0..self.layout.partitions {
            // Every broker has a replica; one of them may be behind.
            let mut of_replicas = Vec::new();
            for broker in 0..self.layout.brokers as usize {
                of_replicas.push(committed_in(&self.log(broker, topic, partition)?)?);
            }
            committed += of_replicas.into_iter().max().unwrap_or(0);
        }
        Ok(committed)
    }

    /// The segments of a partition, from the oldest on.
    fn log(&self, broker: usize, topic: &str, partition: i32) -> Result<Vec<Bytes>, Failure> {
        let folder = self.kafka.folder(broker).join("data").join(format!("{topic}-{partition}"));
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                paths.push(path);
            }
        }
        paths.sort();
        paths.into_iter().map(|path| Ok(Bytes::from(fs::read(path)?))).collect()
    }

    fn ask<R: Request>(&self, version: i16, body: &R) -> Result<R::Response, Failure> {
        let first = self.kafka.bootstrap().split(',').next().unwrap_or_default();
        ask(first, version, body)
    }
}

/// The records of committed transactions in a log.
fn committed_in(segments: &[Bytes]) -> Result<i64, Failure> {
    let mut open: BTreeMap<i64, i64> = BTreeMap::new();
    let mut committed = 0;
    for batch in segments.iter().cloned().flat_map(RecordBatches::new) {
        let batch = batch?;
        let header = batch.header();
        if header.is_control() {
            let records = open.remove(&header.producer_id).unwrap_or(0);
            if control::read(&batch)? == Marker::COMMIT {
                committed += records;
            }
        } else if header.is_transactional() {
            *open.entry(header.producer_id).or_default() += header.next_offset() - header.base_offset;
        } else {
            return Err("a batch of no transaction".into());
        }
    }
    Ok(committed)
}

fn ask<R: Request>(address: &str, version: i16, body: &R) -> Result<R::Response, Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(70)))?;
    stream.write_all(&header::encode_request(body, version, 1, Some(&StrBytes::from_static_str("versus")))?)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length))?];
    stream.read_exact(&mut answer)?;
    Ok(header::decode_response::<R>(version, Bytes::from(answer))?)
}

fn check(code: i16, topic: &str) -> Result<(), Failure> {
    match code {
        0 => Ok(()),
        code => Err(format!("{topic}: {:?}", ErrorCode(code)).into()),
    }
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}
