//! Kafka's verifiable programs on the embedded broker and on the real one: what they print is a history that holds.

use std::fs;

use tidemill_testkit::history::json::{Programs, Role};
use tidemill_testkit::history::{Action, ClientId, Invariant, Isolation};
use tidemill_testkit::kafka::{Kafka, Tools};
use tidemill_testkit::{ClusterConfig, TestCluster};

use crate::java::run_tool;

const PRODUCER: &str = "org.apache.kafka.tools.VerifiableProducer";
const CONSUMER: &str = "org.apache.kafka.tools.VerifiableConsumer";
const ORACLE: ClientId = ClientId(30);
const RECORDS: usize = 2000;

fn run(tools: &Tools, class: &str, bootstrap: &str, topic: &str, arguments: &[&str]) -> String {
    let common = ["--bootstrap-server", bootstrap, "--topic", topic];
    // In a process of its own: the producer tells the rest when that ends.
    let output = tools.run(class, &[&common[..], arguments].concat(), "").unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A producer writes; two members of a group read one after the other, the second from where the first left; an oracle
/// reads everything.
fn check(tools: &Tools, bootstrap: &str, topic: &str) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("producer.properties");
    // Without this, the program neither retries nor is it idempotent.
    fs::write(&config, "enable.idempotence=true\nretries=2147483647\n").unwrap();
    let count = RECORDS.to_string();
    let write = ["--max-messages", &count, "--repeating-keys", "7", "--command-config", config.to_str().unwrap()];
    let mut programs = Programs::default();
    let printed = run(tools, PRODUCER, bootstrap, topic, &write);
    programs.read(ClientId(1), &Role::Producer { acks_all: true, idempotent: true }, &printed).unwrap();

    let mut read = |client, group: &str, count: usize, verbose: bool| {
        let count = count.to_string();
        let mut arguments = vec!["--group-id", group, "--max-messages", &count];
        if verbose {
            arguments.push("--verbose");
        }
        let printed = run(tools, CONSUMER, bootstrap, topic, &arguments);
        let role = Role::Consumer { group: group.into(), isolation: Isolation::ReadUncommitted };
        programs.read(client, &role, &printed).unwrap();
    };
    read(ClientId(20), "readers", 700, true);
    read(ClientId(21), "readers", RECORDS - 700, false);
    read(ORACLE, "oracle", RECORDS, true);

    assert_eq!(programs.breaches(), []);
    let logs = programs.logs_of(ORACLE);
    let mut history = programs.into_history();
    history.logs.partitions = logs;
    assert_eq!(history.logs.partitions.len(), 2);
    let sends = history.operations().filter(|(_, operation)| matches!(operation.action, Action::Send(_)));
    assert_eq!(sends.count(), RECORDS);
    history.assert_holds(&[
        Invariant::AckedInLogOnce,
        Invariant::IdempotentOnce,
        Invariant::SendOrder,
        Invariant::ReadersAgree,
        Invariant::PollsContiguous,
        Invariant::CommitsForward,
        Invariant::OneOwner,
        Invariant::AtLeastOnce,
        Invariant::AbortedRead,
        Invariant::InconsistentOffsets,
    ]);

    // The same with one record less is not right.
    let log = history.logs.partitions.values_mut().next().unwrap();
    let mut entries = log.entries().to_vec();
    entries.remove(entries.len() / 2);
    *log = tidemill_testkit::history::PartitionLog::new(entries);
    let report = history.check_all();
    let broken: Vec<Invariant> = report.violations().map(|violation| violation.invariant).collect();
    for invariant in [Invariant::AckedInLogOnce, Invariant::SendOrder, Invariant::ReadersAgree] {
        assert!(broken.contains(&invariant), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verifiable_programs_find_the_embedded_broker_right() {
    let cluster = TestCluster::start(ClusterConfig::default()).await.unwrap();
    cluster.create_topic("clicks", 2, &[]).unwrap();
    let bootstrap = cluster.bootstrap().to_owned();
    let checked = tokio::task::spawn_blocking(move || {
        if let Some(tools) = Tools::find() {
            check(&tools, &bootstrap, "clicks");
        }
    });
    checked.await.unwrap();
}

#[test]
fn the_verifiable_programs_find_kafka_right() {
    let Some(kafka) = Kafka::shared() else { return };
    let Some(tools) = Tools::find() else { return };
    let topics = ["--bootstrap-server", kafka.bootstrap(), "--create", "--topic", "verified", "--partitions", "2"];
    let created = run_tool("org.apache.kafka.tools.TopicCommand", &topics, "").unwrap();
    assert!(created.status.success(), "{created:?}");
    check(&tools, kafka.bootstrap(), "verified");
}
