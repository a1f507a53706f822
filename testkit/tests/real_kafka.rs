//! Real Kafka, as tests start it: one broker or three, which can be stopped in the middle.

#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

use std::net::TcpStream;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tidemill_testkit::kafka::{Kafka, KafkaError, is_required};

fn start(brokers: usize) -> Option<Kafka> {
    match Kafka::start_cluster(brokers) {
        Ok(kafka) => Some(kafka),
        Err(KafkaError::Missing(reason)) if !is_required() => {
            eprintln!("not run: {reason}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Runs a tool and returns what it printed.
fn run(kafka: &Kafka, class: &str, arguments: &[&str], input: &str) -> String {
    let bootstrap = ["--bootstrap-server", kafka.bootstrap()];
    let output = kafka.run_tool(class, &[&bootstrap[..], arguments].concat(), input).unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn topics(kafka: &Kafka, arguments: &[&str]) -> String {
    run(kafka, "org.apache.kafka.tools.TopicCommand", arguments, "")
}

/// Waits until every replica of every partition is in sync.
fn wait_in_sync(kafka: &Kafka) {
    for _ in 0..60 {
        if topics(kafka, &["--describe", "--under-replicated-partitions"]).trim().is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(500));
    }
    panic!("replicas that stay behind");
}

#[test]
fn a_broker_of_three_comes_back_with_its_port_and_data() {
    let Some(kafka) = start(3) else { return };
    let addresses: Vec<&str> = kafka.bootstrap().split(',').collect();
    assert_eq!(addresses.len(), 3);
    topics(&kafka, &["--create", "--topic", "orders", "--partitions", "1", "--replication-factor", "3"]);
    let producer = "org.apache.kafka.tools.ConsoleProducer";
    run(&kafka, producer, &["--topic", "orders"], "before\n");
    for crash in [false, true] {
        if crash {
            kafka.kill_broker(1).unwrap()
        } else {
            kafka.stop_broker(1).unwrap()
        }
        assert!(TcpStream::connect(addresses[1]).is_err());
        // The other two go on without it.
        run(&kafka, producer, &["--topic", "orders"], "meanwhile\n");
        kafka.start_broker(1).unwrap();
        TcpStream::connect(addresses[1]).unwrap();
        wait_in_sync(&kafka);
    }
    let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let read = run(&kafka, consumer, &["--topic", "orders", "--from-beginning", "--max-messages", "3"], "");
    assert_eq!(read, "before\nmeanwhile\nmeanwhile\n");
    let described = topics(&kafka, &["--describe", "--topic", "__consumer_offsets"]);
    assert!(described.contains("ReplicationFactor: 3"), "{described}");
}

#[test]
fn one_broker_can_be_killed_and_stopped_and_nothing_is_left_of_it() {
    let Some(kafka) = start(1) else { return };
    let address = kafka.bootstrap().to_owned();
    let folder = PathBuf::from(kafka.folder(0));
    topics(&kafka, &["--create", "--topic", "orders"]);
    kafka.kill_broker(0).unwrap();
    kafka.kill_broker(0).unwrap();
    kafka.start_broker(0).unwrap();
    assert!(topics(&kafka, &["--list"]).contains("orders"));
    kafka.stop_broker(0).unwrap();
    assert!(TcpStream::connect(&address).is_err());
    assert!(folder.is_dir(), "what is stopped can be started again");
    drop(kafka);
    assert!(!folder.parent().unwrap().exists());

    // A test that panics drops its broker too, and one that is stopped needs no more than one that runs.
    let Some(kafka) = start(1) else { return };
    let (address, folder) = (kafka.bootstrap().to_owned(), PathBuf::from(kafka.folder(0)));
    let panicked = thread::spawn(move || {
        let _kafka = kafka;
        panic!("a case that fails");
    });
    assert!(panicked.join().is_err());
    assert!(TcpStream::connect(&address).is_err());
    assert!(!folder.exists());
}
