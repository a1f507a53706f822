//! A broker of a time before a feature: what is asked of it must be in its words, or be refused with a way out.

use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tidemill_client::{
    Admin, ClientConfig, Codec, ConnectFuture, Connector, ErrorCode, ErrorKind, GroupDetails, GroupFilter, GroupState,
    NewTopic, Outcome, Producer, ProducerConfig, Record, Stream, TopicId, TopicPartition,
};
use tidemill_protocol::ApiKey;
use tidemill_protocol::header::{decode_response, encode_response, read_request_header};
use tidemill_protocol::messages::ApiVersionsRequest;
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::bed::PATIENCE;

/// The way to a cluster that says of an API that it speaks no newer version than this one, or with none that it does not
/// know it.
#[derive(Debug)]
struct UpTo(ApiKey, Option<i16>, Arc<TestCluster>);

impl Connector for UpTo {
    fn connect(&self, _host: String, _port: u16) -> ConnectFuture {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        // Ends with either side.
        tokio::spawn(relay(theirs, self.2.connect(), self.0, self.1));
        let stream: Box<dyn Stream> = Box::new(ours);
        Box::pin(async { Ok(stream) })
    }
}

async fn frame(stream: &mut DuplexStream) -> io::Result<Bytes> {
    let length = stream.read_i32().await?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.resize(4 + usize::try_from(length).unwrap(), 0);
    stream.read_exact(&mut frame[4..]).await?;
    Ok(frame.into())
}

/// The first exchange is about versions.
async fn relay(mut client: DuplexStream, mut broker: DuplexStream, api: ApiKey, newest: Option<i16>) -> io::Result<()> {
    let request = frame(&mut client).await?;
    broker.write_all(&request).await?;
    let mut answer = frame(&mut broker).await?;
    let header = read_request_header(&mut request.slice(4..)).unwrap();
    assert_eq!(header.api_key, ApiKey::API_VERSIONS);
    answer.advance(4);
    let mut versions = decode_response::<ApiVersionsRequest>(header.api_version, answer).unwrap();
    match newest {
        Some(newest) => {
            let ranges = versions.api_keys.iter_mut();
            ranges.filter(|range| range.api_key == api.0).for_each(|range| range.max_version = newest);
        }
        None => versions.api_keys.retain(|range| range.api_key != api.0),
    }
    let answer = encode_response::<ApiVersionsRequest>(&versions, header.api_version, header.correlation_id).unwrap();
    client.write_all(&answer).await?;
    tokio::io::copy_bidirectional(&mut client, &mut broker).await.map(drop)
}

#[tokio::test]
async fn zstd_is_not_sent_to_a_broker_that_cannot_read_it() {
    let cluster = Arc::new(TestCluster::start(ClusterConfig::default()).await.unwrap());
    let client = ClientConfig::from_properties([("bootstrap.servers", "old.invalid:1")]).unwrap();
    let client = client.connector(Arc::new(UpTo(ApiKey::PRODUCE, Some(6), cluster)));
    let admin = Admin::new(client.clone()).unwrap();
    admin.create_topics(&[NewTopic::new("clicks").partitions(1)], PATIENCE).await.unwrap();
    for codec in [Codec::Lz4, Codec::Zstd] {
        let producer = Producer::new(ProducerConfig::default().client(client.clone()).compression(codec)).unwrap();
        let value = "click ".repeat(100);
        let sent = producer.send(Record::new("clicks").value(value.as_bytes())).await.unwrap();
        let outcome = tokio::time::timeout(PATIENCE, sent).await.unwrap();
        if codec == Codec::Lz4 {
            assert_eq!(outcome.unwrap().offset, Some(0));
            continue;
        }
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Configuration, Some(Outcome::NotWritten)));
        assert_eq!(
            error.to_string(),
            "writing (clicks-0); the broker speaks versions 0 to 6 of Produce, we speak 7 to 13 with zstd, which Kafka \
             has since 2.1: set compression.type to another codec, or update the broker"
        );
    }
}

/// An administrator of a cluster of old, and a group that has committed.
async fn old_admin(api: ApiKey, newest: Option<i16>) -> Admin {
    let cluster = Arc::new(TestCluster::start(ClusterConfig::default()).await.unwrap());
    let client = ClientConfig::from_properties([("bootstrap.servers", "old.invalid:1")]).unwrap();
    let admin = Admin::new(client.connector(Arc::new(UpTo(api, newest, cluster)))).unwrap();
    let created = admin.create_topics(&[NewTopic::new("clicks").partitions(1)], PATIENCE).await.unwrap();
    assert!(created[0].1.is_ok(), "{created:?}");
    let offsets = [(TopicPartition::new("clicks", 0), 0.into())];
    let altered = admin.alter_group_offsets("readers", &offsets, PATIENCE).await.unwrap();
    assert!(altered[0].1.is_ok(), "{altered:?}");
    admin
}

#[tokio::test]
async fn groups_are_described_where_those_of_kip_848_are_not_known() {
    let admin = old_admin(ApiKey::CONSUMER_GROUP_DESCRIBE, None).await;
    let described = admin.describe_groups(&["readers", "nobody"], PATIENCE).await.unwrap();
    let group = described[0].1.as_ref().unwrap();
    assert_eq!(group.state, GroupState::Empty);
    assert!(matches!(group.details, GroupDetails::Classic(_)));
    let missing = described[1].1.as_ref().unwrap_err().kind();
    assert_eq!(missing, ErrorKind::Broker(ErrorCode::GROUP_ID_NOT_FOUND));
}

#[tokio::test]
async fn coordinators_are_asked_for_one_by_one_where_they_cannot_be_in_one_request() {
    let admin = old_admin(ApiKey::FIND_COORDINATOR, Some(3)).await;
    let offsets = admin.list_group_offsets(&["readers", "others", "nobody"], PATIENCE).await.unwrap();
    let counts: Vec<usize> = offsets.iter().map(|(_, offsets)| offsets.as_ref().unwrap().len()).collect();
    assert_eq!(counts, [1, 0, 0]);
}

#[tokio::test]
async fn topics_are_deleted_by_name_where_they_have_no_ids() {
    let admin = old_admin(ApiKey::DELETE_TOPICS, Some(5)).await;
    let by_id = admin.delete_topics_by_id(&[TopicId::from_bytes([7; 16])], PATIENCE).await.unwrap_err();
    assert!(by_id.to_string().contains("speaks versions 1 to 5 of DeleteTopics"), "{by_id}");
    let deleted = admin.delete_topics(&["clicks", "missing"], PATIENCE).await.unwrap();
    assert!(deleted[0].1.is_ok(), "{deleted:?}");
    let missing = deleted[1].1.as_ref().unwrap_err().kind();
    assert_eq!(missing, ErrorKind::Broker(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

#[tokio::test]
async fn a_filter_that_a_broker_cannot_follow_is_refused_and_never_passed_over() {
    let admin = old_admin(ApiKey::LIST_GROUPS, Some(3)).await;
    let all = admin.list_groups(&GroupFilter::default(), PATIENCE).await.unwrap().complete().unwrap();
    assert_eq!((&*all[0].group_id, &all[0].state), ("readers", &None));
    let stable = GroupFilter::default().states([GroupState::Stable]);
    let refused = admin.list_groups(&stable, PATIENCE).await.unwrap_err();
    assert!(refused.to_string().contains("versions 0 to 3 of ListGroups"), "{refused}");
}
