//! A Java program copies a topic in transactions, by both group protocols at once; it aborts some, is killed and started again,
//! while in the embedded cluster leaders and coordinators move and brokers end. What is committed equals the input, once.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use tidemill_testkit::TestCluster;
use tidemill_testkit::kafka::Tools;
use tokio::runtime::Handle;

use super::{ours, rounds, three_brokers};
use crate::java::{Program, ToolRunner, java};

const NAME: &str = "copy";
const PARTITIONS: &str = "2";
const PROTOCOLS: [&str; 2] = ["classic", "consumer"];

/// Records that are written in front of each start, so that there is always something to copy; a transaction copies 40 at
/// the most.
const RECORDS: u64 = 1000;

/// What each copier has copied when the program is killed.
const BEFORE_KILL: usize = 200;

/// Pauses between transactions, in milliseconds, of a program that is to be killed in the middle.
const SLOWLY: &str = "10";

/// The program, and what its copiers have said of themselves.
struct Copiers {
    program: Program,
    copied: BTreeMap<String, usize>,
    finished: BTreeSet<String>,
}

impl Copiers {
    fn start(java: &Tools, bootstrap: &str, round: u64, pause: &str) -> Self {
        let program = Program::start(java, "CopyRecords", &[bootstrap, NAME, &round.to_string(), pause]);
        Self { program, copied: BTreeMap::new(), finished: BTreeSet::new() }
    }

    /// Hears them until each has copied so much since it was started: one may be far ahead of the other.
    fn wait_until_copied(&mut self, count: usize) {
        while !PROTOCOLS.iter().all(|protocol| self.copied.get(*protocol).is_some_and(|copied| *copied >= count)) {
            self.hear();
        }
    }

    fn wait_until_finished(&mut self) {
        while self.finished.len() < PROTOCOLS.len() {
            self.hear();
        }
    }

    fn hear(&mut self) {
        let line = self.program.wait_for("");
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["copied", protocol, copied] => {
                self.copied.insert(protocol.to_owned(), copied.parse().unwrap());
            }
            ["finished", protocol] => {
                self.finished.insert(protocol.to_owned());
            }
            ["failed", ..] => panic!("{line}"),
            _ => {}
        }
    }
}

/// Copies everything. Something may go wrong in each round.
fn copy(java: &Tools, bootstrap: &str, disturb: &dyn Fn(u64)) {
    let mut runner = ToolRunner::start(java);
    let input = format!("{NAME}-in");
    runner.succeed("Topics", &["create", bootstrap, &input, PARTITIONS], "");
    for protocol in PROTOCOLS {
        runner.succeed("Topics", &["create", bootstrap, &format!("{NAME}-{protocol}"), PARTITIONS], "");
    }
    let rounds = rounds(2);
    let mut write = |round: u64| {
        let (first, last) = (round * RECORDS, (round + 1) * RECORDS);
        runner.succeed("Topics", &["write", bootstrap, &input, &first.to_string(), &last.to_string()], "");
    };
    for round in 0..rounds {
        write(round);
        let mut copiers = Copiers::start(java, bootstrap, round, SLOWLY);
        copiers.wait_until_copied(1);
        disturb(round);
        copiers.wait_until_copied(BEFORE_KILL);
        copiers.program.kill();
    }
    write(rounds);
    let mut copiers = Copiers::start(java, bootstrap, rounds, "0");
    copiers.wait_until_copied(1);
    disturb(rounds);
    copiers.wait_until_finished();
    let records = (rounds + 1) * RECORDS;
    let said = copiers.program.finish();
    assert!(!said.iter().any(|line| line.starts_with("failed")), "{said:#?}");

    let by_partition = |lines: Vec<String>| {
        let of = |partition: &str| {
            let is_of = |line: &&String| line.split('\t').next() == Some(partition);
            lines.iter().filter(is_of).cloned().collect::<Vec<_>>()
        };
        ["0", "1"].map(of)
    };
    let mut read =
        |topic: &str| by_partition(runner.succeed("Topics", &["read", bootstrap, topic, &records.to_string()], ""));
    let truth = read(&input);
    assert_eq!(truth.iter().map(Vec::len).sum::<usize>(), usize::try_from(records).unwrap());
    for protocol in PROTOCOLS {
        let copied = read(&format!("{NAME}-{protocol}"));
        assert!(copied == truth, "by {protocol}: {copied:#?}");
    }
}

/// The broker after the one that leads, or its only other replica that runs.
fn move_leader(cluster: &TestCluster, topic: &str, partition: i32) {
    let leader = cluster.leader(topic, partition).unwrap();
    cluster.move_leader(topic, partition, leader % 3 + 1).unwrap();
}

/// Another thing each round: leaders and coordinators move; a broker crashes and is back; one is stopped and is back.
fn disturb(cluster: &TestCluster, runtime: &Handle, round: u64) {
    let leader = cluster.leader(&format!("{NAME}-classic"), 0).unwrap();
    match round % 3 {
        0 => {
            for protocol in PROTOCOLS {
                let id = format!("{NAME}-{protocol}");
                for partition in [0, 1] {
                    move_leader(cluster, &id, partition);
                    move_leader(cluster, &format!("{NAME}-in"), partition);
                }
                for broker in [1, 2, 3] {
                    cluster.move_transaction_coordinator(&id, broker);
                }
            }
        }
        1 => runtime.block_on(cluster.kill_broker(leader)),
        _ => runtime.block_on(cluster.stop_broker(leader)),
    }
    if !round.is_multiple_of(3) {
        thread::sleep(Duration::from_millis(300));
        runtime.block_on(cluster.start_broker(leader)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_java_program_copies_every_record_once_whatever_happens_to_it_and_the_embedded_brokers() {
    let ours = ours().await;
    let runtime = Handle::current();
    let copy_both = move || {
        let (Some(java), Some(theirs)) = (java(), three_brokers()) else { return };
        thread::scope(|scope| {
            scope.spawn(|| copy(java, ours.bootstrap(), &|round| disturb(&ours, &runtime, round)));
            copy(java, theirs.bootstrap(), &|_| {});
        });
    };
    tokio::task::spawn_blocking(copy_both).await.unwrap();
}
