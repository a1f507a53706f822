//! Processes that are stopped, killed, or lose their broker.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidemill_testkit::kafka::Kafka;

use super::bed::{Bed, PATIENCE, beds, click, row};
use super::process::Tidemill;

/// Windows of 30 minutes close every second and a half.
const SPEED: &str = "1200";

/// Whether each of these users is in the results at least once.
fn has_all(values: &[String], users: std::ops::Range<i64>) -> bool {
    let seen: BTreeSet<i64> = values.iter().map(|value| row(value).user_id).collect();
    users.into_iter().all(|user| seen.contains(&user))
}

#[test]
fn a_process_that_is_killed_loses_no_click() {
    for bed in beds() {
        let script = bed.script("killed", 3, &[]);
        let arguments = ["--bootstrap", bed.bootstrap, "--speed", SPEED];
        let job = Tidemill::run(&script.file, &arguments);
        job.says(&format!("reading topic {}", script.source), PATIENCE);
        // Each click has a user of its own, so that one that is lost is missed.
        bed.write(&script.source, 3, (0..100).map(click));
        bed.read_until(&script.sink, |values| has_all(values, 0..100));
        // These are in an open window when it ends.
        bed.write(&script.source, 3, (100..200).map(click));
        std::thread::sleep(Duration::from_millis(300));
        job.kill();
        bed.write(&script.source, 3, (200..300).map(click));

        let job = Tidemill::run(&script.file, &arguments);
        let values = bed.read_until(&script.sink, |values| has_all(values, 0..300));
        let again = values.iter().filter(|value| row(value).user_id < 100).count();
        assert_eq!(again, 100, "what was committed long before the end is not read again");
        job.terminate();
        assert_eq!(job.ends(Duration::from_secs(3)).code, Some(0));
    }
}

#[test]
fn a_process_that_is_stopped_leaves_its_group() {
    for bed in beds() {
        let script = bed.script("stopped", 2, &[]);
        let arguments = ["--bootstrap", bed.bootstrap];
        let job = Tidemill::run(&script.file, &arguments);
        job.says(&format!("reading topic {}", script.source), PATIENCE);
        std::thread::sleep(Duration::from_millis(500));
        job.terminate();
        let ended = job.ends(Duration::from_secs(2));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        // A member that did not leave would be waited for until its session ends, which is 6 seconds.
        let start = Instant::now();
        let job = Tidemill::run(&script.file, &arguments);
        job.says(&format!("reading topic {}", script.source), PATIENCE);
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

#[test]
fn a_second_signal_leaves_at_once() {
    let (broker, bootstrap) = Broker::start();
    let bed = Bed { name: "a broker of its own", bootstrap: bootstrap.leak() };
    let script = bed.script("frozen", 1, &[]);
    let job = Tidemill::run(&script.file, &["--bootstrap", bed.bootstrap]);
    job.says(&format!("reading topic {}", script.source), PATIENCE);
    // The first signal waits for it.
    broker.freeze();
    job.terminate();
    job.says_a_line_with("stopping: ", PATIENCE);
    job.terminate();
    let ended = job.ends(PATIENCE);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("left at once; what was not committed is read again by the next start\n"));
}

/// `tidemill broker`, killed when it is dropped.
struct Broker(Child);

impl Broker {
    fn start() -> (Self, String) {
        Self::start_with(&[])
    }

    fn start_with(arguments: &[&str]) -> (Self, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        command
            .args(["broker", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut broker = Self(command.spawn().unwrap());
        let mut address = String::new();
        BufReader::new(broker.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
        (broker, address.trim().to_owned())
    }

    /// SIGSTOP: it is there and does not answer.
    fn freeze(&self) {
        let frozen = Command::new("kill").arg("-STOP").arg(self.0.id().to_string()).status().unwrap();
        assert!(frozen.success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_broker_with_a_directory_goes_on_after_it_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let bed = |address: String| Bed { name: "broker --data", bootstrap: address.leak() };
    let (broker, address) = Broker::start_with(&data);
    bed(address).write("kept", 1, ["a", "b"]);
    let second = Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(["broker", "--listen", "127.0.0.1:0"])
        .args(data)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another broker"));
    drop(broker);
    let (_broker, address) = Broker::start_with(&data);
    let bed = bed(address);
    bed.write("kept", 1, ["c"]);
    assert_eq!(bed.read_until("kept", |values| values.len() == 3), ["a", "b", "c"]);
}

#[test]
fn a_second_process_takes_a_share_and_gives_it_back_and_no_click_is_lost() {
    for bed in beds() {
        let script = bed.script("shared", 4, &[]);
        let arguments = ["--bootstrap", bed.bootstrap, "--speed", SPEED];
        let reading = format!("reading topic {}", script.source);
        let first = Tidemill::run(&script.file, &arguments);
        first.says(&reading, PATIENCE);
        bed.write(&script.source, 4, (0..100).map(click));
        let second = Tidemill::run(&script.file, &arguments);
        second.says(&reading, PATIENCE);
        bed.write(&script.source, 4, (100..200).map(click));
        bed.read_until(&script.sink, |values| has_all(values, 0..200));
        bed.write(&script.source, 4, (200..300).map(click));
        second.terminate();
        let ended = second.ends(Duration::from_secs(3));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(!ended.stderr.contains("ended: 0 records"), "{}", ended.stderr);
        let values = bed.read_until(&script.sink, |values| has_all(values, 0..300));
        // A window that is built anew after a rebalance counts each click once.
        assert!(values.iter().all(|value| row(value).cnt == 1), "{values:#?}");
    }
}

#[test]
fn a_broker_that_crashes_and_comes_back_is_waited_for() {
    if Kafka::shared().is_none() {
        return;
    }
    // A broker of its own: the others are not to notice.
    let kafka = Kafka::start().unwrap();
    let bed = Bed { name: "kafka", bootstrap: kafka.bootstrap().to_owned().leak() };
    let script = bed.script("crashed", 2, &[]);
    let job = Tidemill::run(&script.file, &["--bootstrap", bed.bootstrap, "--speed", SPEED]);
    job.says(&format!("reading topic {}", script.source), PATIENCE);
    bed.write(&script.source, 2, (0..100).map(click));
    bed.read_until(&script.sink, |values| has_all(values, 0..100));
    // The window of these is open when the broker goes, and closes while it is away.
    bed.write(&script.source, 2, (100..200).map(click));
    kafka.kill_broker(0).unwrap();
    job.says_a_line_with("no connection, trying on: ", PATIENCE);
    std::thread::sleep(Duration::from_secs(2));
    kafka.start_broker(0).unwrap();
    job.says("connected again", PATIENCE);
    bed.write(&script.source, 2, (200..300).map(click));
    bed.read_until(&script.sink, |values| has_all(values, 0..300));
    job.terminate();
    let ended = job.ends(Duration::from_secs(3));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_partition_that_is_added_is_read_from_its_first_record() {
    let Some(kafka) = Kafka::shared() else { return };
    let bed = Bed { name: "kafka", bootstrap: kafka.bootstrap() };
    // Who begins at the end means the records that were there before, not those of partitions that were not.
    let latest = ("'earliest-offset'", "'latest-offset', 'properties.metadata.max.age.ms'='1000'");
    let script = bed.script("grown", 1, &[latest]);
    let arguments = ["--bootstrap", bed.bootstrap, "--speed", SPEED];
    let grow = |partitions: &str| {
        let alter = ["--bootstrap-server", bed.bootstrap, "--alter", "--topic", &script.source];
        let tool = "org.apache.kafka.tools.TopicCommand";
        let altered = kafka.run_tool(tool, &[&alter[..], &["--partitions", partitions]].concat(), "").unwrap();
        assert!(altered.status.success(), "{altered:?}");
    };
    let job = Tidemill::run(&script.file, &arguments);
    job.says(&format!("reading topic {}", script.source), PATIENCE);
    bed.write(&script.source, 1, (0..10).map(click));
    bed.read_until(&script.sink, |values| has_all(values, 0..10));
    // While it runs, and written to before it can know.
    grow("2");
    bed.write(&script.source, 2, (10..30).map(click));
    bed.read_until(&script.sink, |values| has_all(values, 0..30));
    job.terminate();
    assert_eq!(job.ends(Duration::from_secs(3)).code, Some(0));
    // While it does not.
    grow("3");
    bed.write(&script.source, 3, (30..60).map(click));
    let job = Tidemill::run(&script.file, &arguments);
    let values = bed.read_until(&script.sink, |values| has_all(values, 0..60));
    assert!(values.iter().all(|value| row(value).cnt == 1), "{values:#?}");
    job.terminate();
    assert_eq!(job.ends(Duration::from_secs(3)).code, Some(0));
}

#[test]
fn a_topic_that_is_deleted_is_named_and_waited_for() {
    let Some(kafka) = Kafka::shared() else { return };
    let bed = Bed { name: "kafka", bootstrap: kafka.bootstrap() };
    let script = bed.script("deleted", 1, &[]);
    let job = Tidemill::run(&script.file, &["--bootstrap", bed.bootstrap, "--speed", SPEED]);
    job.says(&format!("reading topic {}", script.source), PATIENCE);
    bed.write(&script.source, 1, (0..10).map(click));
    bed.read_until(&script.sink, |values| has_all(values, 0..10));
    let delete = ["--bootstrap-server", bed.bootstrap, "--delete", "--topic", &script.source];
    let deleted = kafka.run_tool("org.apache.kafka.tools.TopicCommand", &delete, "").unwrap();
    assert!(deleted.status.success(), "{deleted:?}");
    job.says(&format!("topic {} does not exist any more, waiting for it", script.source), PATIENCE);
    bed.create_topic(&script.source, 1);
    job.says(&format!("topic {} is there again", script.source), PATIENCE);
    bed.write(&script.source, 1, (10..15).map(click));
    bed.read_until(&script.sink, |values| has_all(values, 0..15));
    job.terminate();
    assert_eq!(job.ends(Duration::from_secs(3)).code, Some(0));
}
