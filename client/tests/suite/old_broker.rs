//! A broker of a time before a feature: what is asked of it must be in its words, or be refused with a way out.

use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tidemill_client::{
    Admin, ClientConfig, Codec, ConnectFuture, Connector, ErrorKind, NewTopic, Outcome, Producer, ProducerConfig,
    Record, Stream,
};
use tidemill_protocol::ApiKey;
use tidemill_protocol::header::{decode_response, encode_response, read_request_header};
use tidemill_protocol::messages::ApiVersionsRequest;
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::bed::PATIENCE;

/// The way to a cluster that says of Produce that it speaks no newer version than this one.
#[derive(Debug)]
struct ProduceUpTo(i16, Arc<TestCluster>);

impl Connector for ProduceUpTo {
    fn connect(&self, _host: String, _port: u16) -> ConnectFuture {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        // Ends with either side.
        tokio::spawn(relay(theirs, self.1.connect(), self.0));
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
async fn relay(mut client: DuplexStream, mut broker: DuplexStream, produce_max: i16) -> io::Result<()> {
    let request = frame(&mut client).await?;
    broker.write_all(&request).await?;
    let mut answer = frame(&mut broker).await?;
    let header = read_request_header(&mut request.slice(4..)).unwrap();
    assert_eq!(header.api_key, ApiKey::API_VERSIONS);
    answer.advance(4);
    let mut versions = decode_response::<ApiVersionsRequest>(header.api_version, answer).unwrap();
    for range in versions.api_keys.iter_mut().filter(|range| range.api_key == ApiKey::PRODUCE.0) {
        range.max_version = produce_max;
    }
    let answer = encode_response::<ApiVersionsRequest>(&versions, header.api_version, header.correlation_id).unwrap();
    client.write_all(&answer).await?;
    tokio::io::copy_bidirectional(&mut client, &mut broker).await.map(drop)
}

#[tokio::test]
async fn zstd_is_not_sent_to_a_broker_that_cannot_read_it() {
    let cluster = Arc::new(TestCluster::start(ClusterConfig::default()).await.unwrap());
    let client = ClientConfig::from_properties([("bootstrap.servers", "old.invalid:1")]).unwrap();
    let client = client.connector(Arc::new(ProduceUpTo(6, cluster)));
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
