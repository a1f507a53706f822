//! Scripts that the embedded cluster plays, over sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::ErrorCode;
use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::{ListGroupsRequest, MetadataRequest};
use tidemill_testkit::faults::Script;
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(10);

/// Long enough to see that nothing comes.
const SILENCE: Duration = Duration::from_millis(100);

async fn playing(brokers: usize, script: &str) -> TestCluster {
    let config = ClusterConfig::default().brokers(brokers).faults(script.parse::<Script>().unwrap(), 1);
    TestCluster::start(config).await.unwrap()
}

async fn connect(cluster: &TestCluster, broker: usize) -> TcpStream {
    let (_, address) = cluster.brokers().nth(broker - 1).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

async fn ask(stream: &mut TcpStream, correlation_id: i32) {
    let body = MetadataRequest::default().with_topics(None);
    stream.write_all(&encode_request(&body, 9, correlation_id, None).unwrap()).await.unwrap();
}

/// The next frame, with which correlation id it begins.
async fn answer(stream: &mut TcpStream) -> std::io::Result<(i32, Bytes)> {
    let length = timeout(PATIENCE, stream.read_i32()).await.expect("no answer")?;
    let mut frame = vec![0; usize::try_from(length).unwrap()];
    timeout(PATIENCE, stream.read_exact(&mut frame)).await.expect("no whole answer")?;
    Ok((i32::from_be_bytes(*frame.first_chunk().unwrap()), frame.into()))
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SILENCE, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn a_lost_answer_leaves_the_connection_as_it_was() {
    let cluster = playing(1, "Metadata nth=1: lose reply").await;
    let mut stream = connect(&cluster, 1).await;
    ask(&mut stream, 1).await;
    assert!(is_silent(&mut stream).await);
    ask(&mut stream, 2).await;
    assert_eq!(answer(&mut stream).await.unwrap().0, 2);
    assert_eq!(cluster.faults_fired()[0].1, 1);
    assert_eq!(cluster.never_fired(), []);
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_a_close() {
    for (rule, reset) in [
        ("connect: refuse", true),
        ("connect: reset", true),
        ("Metadata: reset", true),
        ("Metadata: crash keeping tail", true),
        ("Metadata: close", false),
    ] {
        let cluster = playing(1, rule).await;
        let mut stream = connect(&cluster, 1).await;
        let request = encode_request(&MetadataRequest::default(), 9, 1, None).unwrap();
        // It may be over already.
        let _ = stream.write_all(&request).await;
        let ended = timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap_err().kind();
        assert_eq!(ended == ErrorKind::ConnectionReset, reset, "{rule}: {ended:?}");
    }
}

#[tokio::test]
async fn a_black_hole_stays_open_and_silent() {
    let cluster = playing(1, "Metadata nth=2: black hole\nconnect nth=2: half open").await;
    let mut stream = connect(&cluster, 1).await;
    ask(&mut stream, 1).await;
    assert_eq!(answer(&mut stream).await.unwrap().0, 1);
    let mut half_open = connect(&cluster, 1).await;
    for id in 2..4 {
        ask(&mut stream, id).await;
        ask(&mut half_open, id).await;
    }
    assert!(is_silent(&mut stream).await);
    assert!(is_silent(&mut half_open).await);
    ask(&mut connect(&cluster, 1).await, 9).await;
}

#[tokio::test]
async fn what_is_delayed_comes_later_and_what_is_cut_comes_in_part() {
    let cluster = playing(1, "Metadata nth=1: delay 150ms after applying\nMetadata nth=2: one-byte writes").await;
    let mut stream = connect(&cluster, 1).await;
    #[expect(clippy::disallowed_methods, reason = "how long it took, as the client sees it")]
    let start = Instant::now();
    ask(&mut stream, 1).await;
    ask(&mut stream, 2).await;
    let (first, second) = (answer(&mut stream).await.unwrap(), answer(&mut stream).await.unwrap());
    assert!(start.elapsed() >= Duration::from_millis(150));
    assert_eq!((first.0, second.0), (1, 2));
    decode_response::<MetadataRequest>(9, second.1).unwrap();

    cluster.play("Metadata: cut reply at 17", 1).unwrap();
    ask(&mut stream, 3).await;
    let mut part = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut part)).await.unwrap().unwrap();
    assert_eq!(part.len(), 17);
}

#[tokio::test]
async fn an_error_is_answered_in_place_of_what_was_asked_for() {
    let cluster = playing(1, "ListGroups times=1: error COORDINATOR_LOAD_IN_PROGRESS").await;
    let mut stream = connect(&cluster, 1).await;
    let mut codes = Vec::new();
    for id in 0..2 {
        stream.write_all(&encode_request(&ListGroupsRequest::default(), 3, id, None).unwrap()).await.unwrap();
        let response = decode_response::<ListGroupsRequest>(3, answer(&mut stream).await.unwrap().1).unwrap();
        codes.push(ErrorCode(response.error_code));
    }
    assert_eq!(codes, [ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::NONE]);
}

#[tokio::test]
async fn a_broker_that_a_script_has_crashed_is_started_as_any_other() {
    let cluster = playing(2, "").await;
    cluster.play("at 0s: crash broker 2 keeping tail", 1).unwrap();
    let mut stream = connect(&cluster, 2).await;
    assert!(timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err());
    assert_eq!(cluster.carried_out().len(), 1);
    cluster.start_broker(2).await.unwrap();
    let mut stream = connect(&cluster, 2).await;
    ask(&mut stream, 1).await;
    let response = decode_response::<MetadataRequest>(9, answer(&mut stream).await.unwrap().1).unwrap();
    assert_eq!(response.brokers.len(), 2);
}

#[tokio::test]
async fn a_script_that_cannot_be_read_changes_nothing() {
    let cluster = playing(1, "Metadata: lose reply").await;
    let error = cluster.play("Metadata: loose reply", 1).unwrap_err();
    assert!(error.to_string().contains("did you mean `lose`"), "{error}");
    let mut stream = connect(&cluster, 1).await;
    ask(&mut stream, 1).await;
    assert!(is_silent(&mut stream).await);
}
