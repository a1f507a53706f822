//! A cluster whose `transaction.version` is 1: what its coordinator does of its own accord is of the first generation.

use std::sync::OnceLock;

use tidemill_testkit::ClusterConfig;
use tidemill_testkit::kafka::{Kafka, KafkaError, is_required};

use super::peer::{Peer, compare_on};
use super::requests::{NOBODY, add, describe, end, fetch, init, write};

/// A Kafka at this level; none, after a line that says so, when it cannot be had.
fn kafka() -> Option<&'static str> {
    static KAFKA: OnceLock<Option<Kafka>> = OnceLock::new();
    let start = || match Kafka::start() {
        Ok(kafka) => {
            let arguments =
                ["--bootstrap-server", kafka.bootstrap(), "downgrade", "--feature", "transaction.version=1"];
            let output = kafka.run_tool("org.apache.kafka.tools.FeatureCommand", &arguments, "").unwrap();
            assert!(output.status.success(), "{output:?}");
            Some(kafka)
        }
        Err(KafkaError::Missing(reason)) if !is_required() => {
            eprintln!("not run: {reason}");
            None
        }
        Err(error) => panic!("{error}"),
    };
    KAFKA.get_or_init(start).as_ref().map(Kafka::bootstrap)
}

fn compare(case: fn(&mut Peer)) {
    compare_on(ClusterConfig::default().transaction_version(1), kafka(), case);
}

#[test]
fn a_fenced_producer_cannot_go_on() {
    compare(|peer| {
        peer.prepare_transactions(&["old-1"]);
        peer.make("old-1", 1);
        let old = peer.init("old-1");
        peer.ask("me", 3, &add("old-1", old, &[("old-1", 0)]));
        peer.ask("me", 11, &write("old-1", "old-1", old, 0));
        peer.ask("me", 4, &init("old-1", NOBODY));
        peer.settle("old-1");
        peer.ask("me", 0, &describe(&["old-1"]));
        peer.ask("me", 4, &init("old-1", old));
        for committed in [true, false] {
            peer.ask("me", 4, &end("old-1", old, committed));
            peer.ask("me", 5, &end("old-1", old, committed));
        }
        peer.ask("me", 4, &init("old-1", NOBODY));
        peer.ask("me", 4, &fetch("old-1", 0, true, 1 << 20));
        peer.ask("me", 0, &describe(&["old-1"]));
    });
}

/// What a request is of its version says, whatever the level.
#[test]
fn requests_of_the_second_generation_are_answered_all_the_same() {
    compare(|peer| {
        peer.prepare_transactions(&["old-2"]);
        peer.make("old-2", 1);
        let producer = peer.init("old-2");
        peer.ask("me", 12, &write("old-2", "old-2", producer, 0));
        let producer = peer.end(5, "old-2", producer, true);
        peer.ask("me", 12, &write("old-2", "old-2", producer, 0));
        peer.ask("me", 4, &init("old-2", producer));
        peer.settle("old-2");
        peer.ask("me", 0, &describe(&["old-2"]));
        peer.ask("me", 4, &init("old-2", producer));
        peer.ask("me", 4, &fetch("old-2", 0, true, 1 << 20));
    });
}
