//! The proxy between clients of others (kcat, which is librdkafka, and Kafka's own console tools) and two brokers: the
//! embedded one, and a real Apache Kafka. What its faults do to them is what they are for: nothing is lost, nothing twice.
//!
//! Where a program is missing, its test says that it did not run; with `TIDEMILL_REQUIRE_KAFKA=1` that is a failure.

use std::future::Future;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tidemill_testkit::faults::Script;
use tidemill_testkit::faults::proxy::{Proxy, ProxyError};
use tidemill_testkit::kafka::{Kafka, is_required};
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::clusters::three_brokers;
use crate::java::run_tool;

const LINES: usize = 200;

/// A broker behind a proxy.
struct Bed {
    proxy: Proxy,
    upstream: String,
    /// Which broker.
    name: &'static str,
}

/// Runs a case behind the embedded broker, then behind a real one.
async fn behind_both<F: Future<Output = ()>>(script: &str, case: impl Fn(Bed) -> F) {
    let cluster = TestCluster::start(ClusterConfig::default()).await.unwrap();
    let upstream = cluster.bootstrap().to_owned();
    let proxy = Proxy::start(&upstream, parsed(script), 1).await.unwrap();
    case(Bed { proxy, upstream, name: "embedded" }).await;
    // One for all cases: each has a topic and a group of its own.
    let Some(kafka) = spawn_blocking(Kafka::shared).await.unwrap() else { return };
    let upstream = kafka.bootstrap().to_owned();
    let proxy = Proxy::start(&upstream, parsed(script), 1).await.unwrap();
    case(Bed { proxy, upstream, name: "real" }).await;
}

fn parsed(script: &str) -> Script {
    script.parse().unwrap_or_else(|error| panic!("{error}"))
}

impl Bed {
    /// The rules that never struck: there must be none.
    fn assert_all_struck(&self) {
        for (rule, fired) in self.proxy.fired() {
            assert!(fired > 0, "{}: `{rule}` never struck", self.name);
        }
    }
}

fn lines() -> String {
    (0..LINES).map(|number| format!("click {number}\n")).collect()
}

/// The numbers of the lines, as they came.
fn numbers(output: &str) -> Vec<usize> {
    output.lines().map(|line| line.strip_prefix("click ").unwrap().parse().unwrap()).collect()
}

/// Runs kcat to its end; `None`, after a line that says so, when it is not there.
async fn kcat(bootstrap: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new("kcat");
    command.args(["-b", bootstrap]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if !is_required() => {
            eprintln!("not run: tests with kcat need it ({error})");
            return None;
        }
        Err(error) => panic!("kcat: {error}"),
    };
    let input = input.to_owned();
    let output = spawn_blocking(move || {
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    Some(output.await.unwrap())
}

/// Runs one of Kafka's tools to its end; `None`, after a line that says so, when they are not there.
async fn tool(bootstrap: &str, class: &'static str, arguments: &[&str], input: &str) -> Option<Output> {
    let mut all = vec!["--bootstrap-server".to_owned(), bootstrap.to_owned()];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let input = input.to_owned();
    let output = spawn_blocking(move || {
        let arguments: Vec<&str> = all.iter().map(String::as_str).collect();
        run_tool(class, &arguments, &input)
    });
    output.await.unwrap()
}

const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

#[track_caller]
fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What is in a topic, read past the proxy.
async fn written(bed: &Bed, topic: &str) -> Vec<usize> {
    numbers(&stdout(&kcat(&bed.upstream, &["-C", "-t", topic, "-e", "-q"], "").await.unwrap()))
}

#[tokio::test]
async fn every_broker_is_found_behind_the_proxy() {
    behind_both("", async |bed: Bed| {
        let Some(output) = kcat(bed.proxy.bootstrap(), &["-L"], "").await else { return };
        let listed = stdout(&output);
        assert!(listed.contains(&format!("broker 1 at {}", bed.proxy.bootstrap())), "{listed}");
        assert!(!listed.contains(&bed.upstream), "{listed}");
    })
    .await;
}

#[tokio::test]
async fn three_brokers_are_each_found_behind_the_proxy() {
    let Some(kafka) = spawn_blocking(three_brokers).await.unwrap() else { return };
    let script = "Produce broker=1: delay 1ms\nProduce broker=2: delay 1ms\nProduce broker=3: delay 1ms";
    let proxy = Proxy::start(kafka.bootstrap(), parsed(script), 1).await.unwrap();
    let fronts: Vec<&str> = proxy.bootstrap().split(',').collect();
    assert_eq!(fronts.len(), 3);
    // One address is enough to find the others.
    let create = ["--create", "--topic", "proxy-clicks", "--partitions", "6"];
    let class = "org.apache.kafka.tools.TopicCommand";
    let Some(output) = tool(fronts[1], class, &create, "").await else { return };
    stdout(&output);
    for partition in ["0", "1", "2", "3", "4", "5"] {
        let write = ["-P", "-t", "proxy-clicks", "-p", partition];
        let Some(output) = kcat(fronts[1], &write, "click 1\n").await else { return };
        stdout(&output);
    }
    assert!(proxy.fired().iter().all(|(_, fired)| *fired > 0), "{:?}", proxy.fired());
}

#[tokio::test]
async fn a_lost_answer_does_not_make_kcat_write_twice() {
    let script = "Produce times=1: close after applying\nProduce nth=1: reset after applying";
    behind_both(script, async |bed: Bed| {
        let write = ["-P", "-E", "-t", "kcat-writes", "-X", "enable.idempotence=true", "-X", "batch.num.messages=20"];
        let Some(output) = kcat(bed.proxy.bootstrap(), &write, &lines()).await else { return };
        stdout(&output);
        bed.assert_all_struck();
        assert_eq!(written(&bed, "kcat-writes").await, (0..LINES).collect::<Vec<_>>(), "{}", bed.name);
        // It is the producer that sees to it: one that does not writes what it heard nothing of once more.
        bed.proxy.set_script(parsed(script), 1).unwrap();
        let careless =
            ["-P", "-E", "-t", "kcat-twice", "-X", "enable.idempotence=false", "-X", "batch.num.messages=20"];
        stdout(&kcat(bed.proxy.bootstrap(), &careless, &lines()).await.unwrap());
        bed.assert_all_struck();
        assert!(written(&bed, "kcat-twice").await.len() > LINES, "{}", bed.name);
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_does_not_make_the_java_producer_write_twice() {
    // Cut in the middle of its length, cut behind it, and never sent.
    let script = "
        Produce nth=1: cut reply at 2
        Produce nth=1: cut reply at 11
        Produce nth=1: lose reply
        InitProducerId times=1: error COORDINATOR_LOAD_IN_PROGRESS
    ";
    behind_both(script, async |bed: Bed| {
        let write = ["--topic", "java-writes", "--max-block-ms", "20000", "--request-timeout-ms", "1000"];
        let property = ["--producer-property", "delivery.timeout.ms=20000"];
        let batch = ["--producer-property", "batch.size=200"];
        let all = [&write[..], &property, &batch].concat();
        let Some(output) = tool(bed.proxy.bootstrap(), PRODUCER, &all, &lines()).await else { return };
        stdout(&output);
        bed.assert_all_struck();
        assert_eq!(written(&bed, "java-writes").await, (0..LINES).collect::<Vec<_>>(), "{}", bed.name);
    })
    .await;
}

#[tokio::test]
async fn a_reader_gets_all_whatever_happens_to_its_answers() {
    let script = "
        Fetch nth=1: cut reply at 20
        Fetch nth=1: corrupt crc
        Fetch nth=2: delay 300ms after applying
        Fetch nth=2: reset
        Metadata times=1: one-byte writes
        FindCoordinator times=1: error COORDINATOR_NOT_AVAILABLE
        OffsetFetch times=1: throttle 50ms mute
    ";
    behind_both(script, async |bed: Bed| {
        let Some(output) = kcat(&bed.upstream, &["-P", "-t", "kcat-reads"], &lines()).await else { return };
        stdout(&output);
        let group =
            ["-G", "kcat-reads", "-X", "auto.offset.reset=earliest", "-X", "check.crcs=true", "-q", "-c", "200"];
        let read = kcat(bed.proxy.bootstrap(), &[&group[..], &["kcat-reads"]].concat(), "").await.unwrap();
        assert_eq!(numbers(&stdout(&read)), (0..LINES).collect::<Vec<_>>(), "{}", bed.name);
        bed.assert_all_struck();
    })
    .await;
}

#[tokio::test]
async fn the_java_consumer_joins_a_group_through_the_proxy() {
    let script = "
        JoinGroup times=1: close after applying
        FindCoordinator times=1: error COORDINATOR_NOT_AVAILABLE
        Fetch times=3: delay 100ms after applying
    ";
    behind_both(script, async |bed: Bed| {
        let Some(output) = kcat(&bed.upstream, &["-P", "-t", "java-reads"], &lines()).await else { return };
        stdout(&output);
        let count = LINES.to_string();
        let read = ["--topic", "java-reads", "--group", "java-reads", "--from-beginning", "--max-messages", &count];
        let read = [&read[..], &["--timeout-ms", "30000"]].concat();
        let Some(output) = tool(bed.proxy.bootstrap(), CONSUMER, &read, "").await else { return };
        assert_eq!(numbers(&stdout(&output)), (0..LINES).collect::<Vec<_>>(), "{}", bed.name);
        bed.assert_all_struck();
    })
    .await;
}

#[tokio::test]
async fn a_black_hole_is_left_by_a_new_connection() {
    // What was asked in the hole is never answered, not even when the hole has closed again.
    behind_both("Produce times=1: black hole", async |bed: Bed| {
        let write = ["-P", "-E", "-t", "black-hole", "-X", "enable.idempotence=true", "-X", "socket.timeout.ms=1000"];
        let timeouts = ["-X", "request.timeout.ms=1000", "-X", "message.timeout.ms=20000"];
        let Some(output) = kcat(bed.proxy.bootstrap(), &[&write[..], &timeouts].concat(), &lines()).await else {
            return;
        };
        stdout(&output);
        bed.assert_all_struck();
        assert_eq!(written(&bed, "black-hole").await, (0..LINES).collect::<Vec<_>>(), "{}", bed.name);
    })
    .await;
}

/// ApiVersions 0, as old clients begin.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

/// The first bytes that come back; none when the connection is closed or reset before.
async fn answer(bed: &Bed) -> Option<[u8; 8]> {
    let mut stream = TcpStream::connect(bed.proxy.bootstrap()).await.unwrap();
    stream.write_all(&API_VERSIONS).await.ok()?;
    let mut bytes = [0; 8];
    timeout(Duration::from_millis(300), stream.read_exact(&mut bytes)).await.ok()?.ok()?;
    Some(bytes)
}

#[tokio::test]
async fn connections_are_refused_half_open_and_late_and_the_script_can_change() {
    let cluster = TestCluster::start(ClusterConfig::default()).await.unwrap();
    let upstream = cluster.bootstrap().to_owned();
    let bed = Bed { proxy: Proxy::start(&upstream, parsed(""), 1).await.unwrap(), upstream, name: "embedded" };
    assert_eq!(answer(&bed).await.unwrap()[4..], [0, 0, 0, 7]);
    let faults =
        ["connect: refuse", "connect: reset", "connect: half open", "connect: black hole", "connect: delay 10s"];
    for fault in faults {
        bed.proxy.set_script(parsed(fault), 1).unwrap();
        assert_eq!(answer(&bed).await, None, "{fault}");
        bed.assert_all_struck();
    }
    bed.proxy.set_script(parsed("* host=127.0.0.1: wrong correlation id"), 1).unwrap();
    assert_ne!(answer(&bed).await.unwrap()[4..], [0, 0, 0, 7]);
    bed.proxy.set_script(parsed(""), 1).unwrap();
    assert!(answer(&bed).await.is_some());
    // A broker that is gone is gone behind the proxy as well.
    cluster.stop().await;
    assert_eq!(answer(&bed).await, None);
    let address = bed.proxy.bootstrap().to_owned();
    bed.proxy.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_needs_the_cluster_is_refused() {
    let cluster = TestCluster::start(ClusterConfig::default()).await.unwrap();
    let script = "Produce: lose reply\nProduce topic=clicks times=1: move leader to 2";
    let error = Proxy::start(cluster.bootstrap(), parsed(script), 1).await.unwrap_err();
    assert!(matches!(error, ProxyError::NeedsCluster { number: 2, .. }), "{error}");
    assert!(error.to_string().starts_with("rule 2 of the script, `Produce topic=clicks times=1: move leader to 2`"));
    let proxy = Proxy::start(cluster.bootstrap(), parsed(""), 1).await.unwrap();
    assert!(proxy.set_script(parsed(script), 1).is_err());
    let nobody = Proxy::start("127.0.0.1:1", parsed(""), 1).await.unwrap_err();
    assert!(nobody.to_string().starts_with("no broker at 127.0.0.1:1 said where the brokers are:"), "{nobody}");
}
