//! Clients of others against the embedded broker: kcat (librdkafka) and Kafka's own console tools (Java).
//!
//! Where a program is missing, its test says that it did not run; with `TIDEMILL_REQUIRE_KAFKA=1` that is a failure.

use std::process::Output;

use tidemill_testkit::kafka::{Kafka, Kcat};
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::task::spawn_blocking;

use crate::java::run_tool;

const LINES: usize = 1000;

async fn cluster(partitions: i32) -> TestCluster {
    TestCluster::start(ClusterConfig::default().partitions(partitions)).await.unwrap()
}

fn lines() -> String {
    (0..LINES).map(|number| format!("click {number}\n")).collect()
}

/// The lines of an output, in the order of their numbers.
fn numbers(output: &str) -> Vec<usize> {
    let mut numbers: Vec<usize> =
        output.lines().map(|line| line.strip_prefix("click ").unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// Runs kcat; `None`, after a line that says so, when it is not there.
async fn kcat(cluster: &TestCluster, arguments: &[&str], input: &str) -> Option<Output> {
    let mut all = vec!["-b".to_owned(), cluster.bootstrap().to_owned()];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let input = input.to_owned();
    let output = spawn_blocking(move || {
        let arguments: Vec<&str> = all.iter().map(String::as_str).collect();
        Some(Kcat::find()?.run(&arguments, &input).unwrap())
    });
    output.await.unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn kcat_lists_what_is_there() {
    let cluster = cluster(1).await;
    cluster.create_topic("clicks", 2, &[]).unwrap();
    let Some(output) = kcat(&cluster, &["-L"], "").await else { return };
    let listed = stdout(&output);
    assert!(listed.contains(&format!("broker 1 at {} (controller)", cluster.bootstrap())), "{listed}");
    assert!(listed.contains("topic \"clicks\" with 2 partitions:"), "{listed}");
    assert!(listed.contains("partition 1, leader 1, replicas: 1, isrs: 1"), "{listed}");
}

#[tokio::test]
async fn kcat_writes_and_reads_whatever_the_codec() {
    let cluster = cluster(3).await;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for idempotence in ["enable.idempotence=true", "enable.idempotence=false"] {
            // The topic is made by the first who asks for it.
            let topic = format!("{codec}-{}", idempotence.ends_with("true"));
            let write = ["-P", "-t", &topic, "-z", codec, "-X", idempotence];
            let Some(output) = kcat(&cluster, &write, &lines()).await else { return };
            stdout(&output);
            let output = kcat(&cluster, &["-C", "-t", &topic, "-e", "-q"], "").await.unwrap();
            assert!(numbers(&stdout(&output)).into_iter().eq(0..LINES), "{topic}");
        }
    }
}

#[tokio::test]
async fn kcat_finds_offsets_and_reads_from_the_end() {
    let cluster = cluster(1).await;
    let Some(output) = kcat(&cluster, &["-P", "-t", "clicks"], &lines()).await else { return };
    stdout(&output);
    let last = kcat(&cluster, &["-C", "-t", "clicks", "-o", "-5", "-e", "-q", "-f", "%o %s\n"], "").await.unwrap();
    assert_eq!(stdout(&last).lines().next(), Some("995 click 995"));
    let earliest = kcat(&cluster, &["-Q", "-t", "clicks:0:1"], "").await.unwrap();
    assert_eq!(stdout(&earliest).trim(), "clicks [0] offset 0");
}

#[tokio::test]
async fn kcat_joins_a_group_and_goes_on_where_it_left() {
    let cluster = cluster(2).await;
    let Some(output) = kcat(&cluster, &["-P", "-t", "clicks"], &lines()).await else { return };
    stdout(&output);
    let read = async |count: &str| {
        let group = ["-G", "readers", "-X", "auto.offset.reset=earliest", "-q", "-c", count, "clicks"];
        stdout(&kcat(&cluster, &group, "").await.unwrap())
    };
    let mut all = read("300").await;
    all.push_str(&read("700").await);
    assert!(numbers(&all).into_iter().eq(0..LINES));
}

/// Runs one of Kafka's tools; `None`, after a line that says so, when they are not there.
async fn tool(cluster: &TestCluster, class: &'static str, arguments: &[&str], input: &str) -> Option<Output> {
    let mut all = vec!["--bootstrap-server".to_owned(), cluster.bootstrap().to_owned()];
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
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

#[tokio::test]
async fn kafkas_console_producer_and_consumer_understand_each_other() {
    let cluster = cluster(1).await;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let write = ["--topic", codec, "--compression-codec", codec];
        let Some(output) = tool(&cluster, PRODUCER, &write, &lines()).await else { return };
        stdout(&output);
        let count = LINES.to_string();
        let read = ["--topic", codec, "--from-beginning", "--max-messages", &count, "--timeout-ms", "30000"];
        let output = tool(&cluster, CONSUMER, &read, "").await.unwrap();
        assert!(stdout(&output) == lines(), "{output:?}");
    }
}

#[tokio::test]
async fn kafkas_console_consumer_goes_on_where_its_group_left() {
    let cluster = cluster(2).await;
    let Some(output) = tool(&cluster, PRODUCER, &["--topic", "clicks"], &lines()).await else { return };
    stdout(&output);
    let mut all = String::new();
    for count in ["300", "700"] {
        let read = ["--topic", "clicks", "--group", "readers", "--from-beginning", "--max-messages", count];
        let read = [&read[..], &["--timeout-ms", "30000"]].concat();
        all.push_str(&stdout(&tool(&cluster, CONSUMER, &read, "").await.unwrap()));
    }
    assert!(numbers(&all).into_iter().eq(0..LINES));
}

#[tokio::test]
async fn kafkas_topic_tool_makes_describes_and_removes() {
    let cluster = cluster(1).await;
    let create = ["--create", "--topic", "made", "--partitions", "2", "--config", "retention.ms=1000"];
    let Some(output) = tool(&cluster, TOPICS, &create, "").await else { return };
    assert!(stdout(&output).contains("Created topic made."), "{output:?}");
    let again = tool(&cluster, TOPICS, &create, "").await.unwrap();
    assert!(String::from_utf8_lossy(&again.stdout).contains("Topic 'made' already exists."), "{again:?}");
    let described = stdout(&tool(&cluster, TOPICS, &["--describe", "--topic", "made"], "").await.unwrap());
    assert!(
        described.contains("PartitionCount: 2\tReplicationFactor: 1\tConfigs: min.insync.replicas=1,retention.ms=1000"),
        "{described}"
    );
    assert!(described.contains("Partition: 1\tLeader: 1\tReplicas: 1\tIsr: 1"), "{described}");
    stdout(&tool(&cluster, TOPICS, &["--delete", "--topic", "made"], "").await.unwrap());
    assert_eq!(stdout(&tool(&cluster, TOPICS, &["--list"], "").await.unwrap()).trim(), "");
}

/// Runs `Transactions` of `tests/java` against these brokers; what it printed. `None` without Java.
fn transactions(bootstrap: &str) -> Option<String> {
    Some(stdout(&run_tool("Transactions", &[bootstrap], "")?))
}

#[tokio::test]
async fn transactions_of_the_java_client_are_as_on_kafka() {
    let theirs = spawn_blocking(|| transactions(Kafka::shared()?.bootstrap()));
    let mut printed = Vec::new();
    // The first generation and the second.
    for level in [1, 2] {
        let cluster = TestCluster::start(ClusterConfig::default().transaction_version(level)).await.unwrap();
        let bootstrap = cluster.bootstrap().to_owned();
        printed.extend(spawn_blocking(move || transactions(&bootstrap)).await.unwrap());
    }
    let Some(theirs) = theirs.await.unwrap() else { return };
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&theirs).len(), 7, "{theirs}");
    for ours in printed {
        assert_eq!(lines(&ours), lines(&theirs));
    }
}

const TRANSACTIONS: &str = "org.apache.kafka.tools.TransactionsCommand";

#[tokio::test]
async fn kafkas_transactions_tool_lists_describes_and_finds_what_hangs() {
    let cluster = cluster(1).await;
    let bootstrap = cluster.bootstrap().to_owned();
    let Some(_) = spawn_blocking(move || transactions(&bootstrap)).await.unwrap() else { return };
    let run = async |arguments: &[&str]| stdout(&tool(&cluster, TRANSACTIONS, arguments, "").await.unwrap());
    let listed = run(&["list"]).await;
    assert!(listed.lines().any(|line| line.starts_with("job") && line.contains("Complete")), "{listed}");
    let described = run(&["describe", "--transactional-id", "job"]).await;
    assert!(described.contains("Complete"), "{described}");
    let producers = run(&["describe-producers", "--topic", "out", "--partition", "0"]).await;
    assert!(producers.contains("None"), "{producers}");
    let hanging = run(&["find-hanging", "--broker-id", "1", "--max-transaction-timeout", "1"]).await;
    assert_eq!(hanging.lines().count(), 1, "{hanging}");
}
