//! confluent-kafka for Python, which is librdkafka: administration, groups of the consumer protocol and transactions print the
//! same of both clusters.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use tidemill_testkit::kafka::cache;

use super::{ours, three_brokers};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/confluent.py");

/// A Python that has confluent-kafka: that of the virtual environment `venv-confluent` in the cache, or the system's. `None`,
/// after a line that says so, when there is none; with `TIDEMILL_REQUIRE_CONFLUENT=1` that fails the test instead.
fn python() -> Option<PathBuf> {
    let candidates = [cache().join("venv-confluent/bin/python"), PathBuf::from("python3")];
    let has_it = |python: &PathBuf| {
        let mut import = Command::new(python);
        // The consumer protocol is on by default neither in librdkafka nor known to it before 2.4.
        import.args(["-c", "import confluent_kafka as c; assert c.libversion()[1] >= 0x020c0000"]);
        import.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let found = candidates.into_iter().find(has_it);
    if found.is_none() {
        let is_required = std::env::var("TIDEMILL_REQUIRE_CONFLUENT").is_ok_and(|value| value == "1");
        assert!(!is_required, "no Python with confluent-kafka 2.12 or later");
        eprintln!(
            "not run: the test with Python needs confluent-kafka 2.12 or later, in python3 or in {}",
            cache().display()
        );
    }
    found
}

fn run(python: &PathBuf, bootstrap: &str) -> Vec<String> {
    let output = Command::new(python).args([SCRIPT, bootstrap]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn confluent_kafka_sees_the_same_of_the_embedded_brokers() {
    let ours = ours().await;
    let bootstrap = ours.bootstrap().to_owned();
    let compare = move || {
        let Some(python) = python() else { return };
        let ours = run(&python, &bootstrap);
        assert!(ours.contains(&"out True".to_owned()), "{ours:#?}");
        let Some(theirs) = three_brokers() else { return };
        let theirs = thread::spawn(move || run(&python, theirs.bootstrap())).join().unwrap();
        assert_eq!(ours, theirs);
    };
    tokio::task::spawn_blocking(compare).await.unwrap();
}
