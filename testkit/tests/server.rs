//! The driver around the broker: connections, their order, their limits, and their end.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::header::{decode_response, encode_request, read_correlation_id};
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::{BrokerId, FetchRequest, MetadataRequest, ProduceRequest, TopicName};
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord};
use tidemill_protocol::{ErrorCode, Request, StrBytes};
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

async fn cluster() -> TestCluster {
    let cluster = TestCluster::start(ClusterConfig::default()).await.unwrap();
    cluster.create_topic("clicks", 1, &[]).unwrap();
    cluster
}

fn frame<R: Request>(body: &R, version: i16, correlation_id: i32) -> Bytes {
    encode_request(body, version, correlation_id, None).unwrap()
}

fn metadata(correlation_id: i32) -> Bytes {
    frame(&MetadataRequest::default().with_topics(None), 12, correlation_id)
}

fn produce(value: &[u8], correlation_id: i32) -> Bytes {
    let mut builder = BatchBuilder::new(value.len() + 100);
    builder.append(&NewRecord { timestamp: -1, key: None, value: Some(value), headers: &[] });
    let batch = builder.seal(Codec::None).stamp(None, BatchFlags::default());
    let data = PartitionProduceData::default().with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name()).with_partition_data(vec![data]);
    frame(&ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]), 9, correlation_id)
}

fn fetch(wait_ms: i32, correlation_id: i32) -> Bytes {
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20).with_current_leader_epoch(-1);
    let topic = FetchTopic::default().with_topic(name()).with_partitions(vec![partition]);
    let body = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    frame(&body, 12, correlation_id)
}

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str("clicks"))
}

/// The next answer; none when the connection is closed.
async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Option<Bytes> {
    let length = timeout(PATIENCE, stream.read_i32()).await.expect("no answer").ok()?;
    let mut frame = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut frame).await.unwrap();
    Some(frame.into())
}

#[tokio::test]
async fn memory_and_sockets_speak_the_same() {
    async fn topics(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> usize {
        stream.write_all(&metadata(1)).await.unwrap();
        let frame = answer(&mut stream).await.unwrap();
        decode_response::<MetadataRequest>(12, frame).unwrap().topics.len()
    }
    let cluster = cluster().await;
    assert_eq!(topics(cluster.connect()).await, 1);
    assert_eq!(topics(TcpStream::connect(cluster.bootstrap()).await.unwrap()).await, 1);
}

#[tokio::test]
async fn requests_that_come_in_crumbs_and_heaps_are_answered_in_order() {
    let cluster = cluster().await;
    let mut stream = TcpStream::connect(cluster.bootstrap()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in &metadata(1)[..] {
        stream.write_u8(*byte).await.unwrap();
    }
    // The second waits until the fourth, from elsewhere, has written something.
    let heap = [fetch(60_000, 2), metadata(3), metadata(4)].concat();
    stream.write_all(&heap).await.unwrap();
    assert_eq!(read_correlation_id(&answer(&mut stream).await.unwrap()).unwrap(), 1);
    let mut other = cluster.connect();
    other.write_all(&produce(b"a", 1)).await.unwrap();
    answer(&mut other).await.unwrap();
    for correlation_id in 2..5 {
        assert_eq!(read_correlation_id(&answer(&mut stream).await.unwrap()).unwrap(), correlation_id);
    }
}

#[tokio::test]
async fn a_client_that_never_reads_is_not_read_from() {
    let cluster = cluster().await;
    let mut stream = cluster.connect();
    stream.write_all(&produce(&[7; 500_000], 0)).await.unwrap();
    answer(&mut stream).await.unwrap();
    // Half a megabyte is asked for again and again; a connection through memory holds 64 KiB each way.
    let mut sent = 0;
    while timeout(Duration::from_millis(200), stream.write_all(&fetch(0, sent))).await.is_ok() {
        sent += 1;
        assert!(sent < 10_000, "{sent} requests, and no end");
    }
    // What was read of them is answered as soon as somebody listens; the last was cut by giving up.
    for correlation_id in 0..sent {
        assert_eq!(read_correlation_id(&answer(&mut stream).await.unwrap()).unwrap(), correlation_id);
    }
}

#[tokio::test]
async fn who_breaks_the_protocol_is_cut_off_and_nobody_else() {
    let cluster = cluster().await;
    let mut sound = cluster.connect();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[0, 0, 0, 4, 1, 2, 3, 4], &[0x7f, 0xff, 0xff, 0xff]] {
        let mut stream = TcpStream::connect(cluster.bootstrap()).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        assert!(answer(&mut stream).await.is_none(), "{garbage:?}");
    }
    sound.write_all(&metadata(1)).await.unwrap();
    assert!(answer(&mut sound).await.is_some());
}

#[tokio::test]
async fn a_cluster_that_stops_closes_everything() {
    for wait in [true, false] {
        let cluster = cluster().await;
        let bootstrap = cluster.bootstrap().to_owned();
        let mut socket = TcpStream::connect(&bootstrap).await.unwrap();
        let mut memory = cluster.connect();
        for stream in [&mut socket as &mut (dyn AsyncWrite + Unpin), &mut memory] {
            stream.write_all(&fetch(60_000, 1)).await.unwrap();
        }
        // Both wait for records.
        tokio::time::sleep(Duration::from_millis(20)).await;
        if wait {
            cluster.stop().await;
            assert!(TcpStream::connect(&bootstrap).await.is_err());
        } else {
            drop(cluster);
        }
        assert!(answer(&mut socket).await.is_none());
        assert!(answer(&mut memory).await.is_none());
    }
}

#[tokio::test]
async fn topics_are_made_as_create_topics_would() {
    let cluster = cluster().await;
    assert_eq!(cluster.create_topic("clicks", 1, &[]), Err(ErrorCode::TOPIC_ALREADY_EXISTS));
    assert_eq!(cluster.create_topic("x", 1, &[("no.such", "1")]), Err(ErrorCode::INVALID_CONFIG));
    assert_eq!(cluster.create_topic("not a name", 1, &[]), Err(ErrorCode::INVALID_TOPIC_EXCEPTION));
}

#[tokio::test]
async fn who_is_gone_is_not_waited_for_although_its_request_waits() {
    let cluster = cluster().await;
    let mut stream = TcpStream::connect(cluster.bootstrap()).await.unwrap();
    stream.write_all(&fetch(i32::MAX, 1)).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(answer(&mut stream).await, None, "the broker closes the connection as well");
}

#[tokio::test]
async fn what_comes_behind_a_request_that_waits_is_answered_after_it() {
    let cluster = cluster().await;
    let mut stream = TcpStream::connect(cluster.bootstrap()).await.unwrap();
    stream.write_all(&fetch(300, 1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // More than is read meanwhile.
    stream.write_all(&produce(&vec![b'x'; 100_000], 2)).await.unwrap();
    stream.write_all(&metadata(3)).await.unwrap();
    for correlation_id in 1..=3 {
        let answered = read_correlation_id(&answer(&mut stream).await.unwrap()).unwrap();
        assert_eq!(answered, correlation_id);
    }
}

#[tokio::test]
async fn a_cluster_that_cannot_be_kept_answers_nobody_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let config = ClusterConfig::default().data(directory.path());
    let cluster = TestCluster::start(config.clone()).await.unwrap();
    cluster.create_topic("clicks", 1, &[]).unwrap();
    let mut client = cluster.connect();
    client.write_all(&produce(b"kept", 1)).await.unwrap();
    assert_eq!(read_correlation_id(&answer(&mut client).await.unwrap()), Ok(1));
    // Its place is taken by what is no folder.
    std::fs::write(directory.path().join("other-0"), "").unwrap();
    assert_eq!(cluster.create_topic("other", 1, &[]), Err(ErrorCode::KAFKA_STORAGE_ERROR));
    let error = timeout(PATIENCE, cluster.failed()).await.unwrap();
    assert!(error.to_string().contains("other-0"), "{error}");
    assert!(answer(&mut client).await.is_none(), "closed");
    let mut late = cluster.connect();
    let _ = late.write_all(&metadata(2)).await;
    assert!(answer(&mut late).await.is_none(), "closed");
    cluster.stop().await;
    std::fs::remove_file(directory.path().join("other-0")).unwrap();
    let cluster = TestCluster::start(config).await.unwrap();
    assert_eq!(cluster.leader("clicks", 0), Some(1));
    assert_eq!(cluster.leader("other", 0), None, "nobody was told that it was made");
    cluster.stop().await;
}
