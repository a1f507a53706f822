//! One of the suite's files, run in a process of its own, against one cluster.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tidemill_testkit::kafka::KafkaVersion;

use crate::outcome::{self, Outcome};
use crate::suite::Suite;

/// How the tests are run.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    /// Which of the suite's clusters this is: `default`, or `noautocreate`.
    pub(crate) scenario: String,
    /// `classic` or `consumer`: how members of groups find each other.
    pub(crate) group_protocol: String,
    /// Only the parts of tests whose names hold this.
    pub(crate) subtests: Option<String>,
    /// More of librdkafka's properties, such as those of a login; a line each.
    pub(crate) properties: String,
    /// Fewer rounds and less data.
    pub(crate) quick: bool,
    pub(crate) limit: Duration,
}

/// Where they are run.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) bootstrap: String,
    pub(crate) version: KafkaVersion,
    /// What the tests take for an installation of Kafka.
    pub(crate) kafka: PathBuf,
    /// What they print is kept here.
    pub(crate) logs: PathBuf,
}

/// Runs the tests of one file.
pub(crate) fn run(suite: &Suite, place: &Place, number: &str, manner: &Manner) -> io::Result<Vec<Outcome>> {
    let Place { bootstrap, version, kafka, logs } = place;
    let config = logs.join(format!("{number}.conf"));
    // Topics of its own: files run beside each other, and may have been run on this cluster before.
    let prefix = format!("rdkafkatest{:x}", fastrand::u32(..));
    fs::write(
        &config,
        format!(
            "bootstrap.servers={bootstrap}\nbroker.address.family=v4\n\
             test.timeout.multiplier=2\ntest.topic.prefix={prefix}\n{}",
            manner.properties
        ),
    )?;
    let log = logs.join(format!("{number}.log"));
    let output = File::create(&log)?;
    // A line at a time: what is in a buffer when the runner aborts, as it does after most failures, is lost.
    let mut command = Command::new("stdbuf");
    if let Some(subtests) = &manner.subtests {
        command.env("SUBTESTS", subtests);
    }
    // One after the other, without those that need no broker or are known to fail.
    command.args(["-oL", "./test-runner", "-p1", "-L", "-K", "-s", &manner.scenario]);
    if manner.quick {
        command.arg("-Q");
    }
    command
        .current_dir(&suite.tests)
        .env("LD_LIBRARY_PATH", "../src:../src-cpp")
        .env("TESTS", number)
        .env("RDKAFKA_TEST_CONF", &config)
        .env("TEST_CONSUMER_GROUP_PROTOCOL", &manner.group_protocol)
        .env("TEST_KAFKA_VERSION", version.name())
        .env("KAFKA_PATH", kafka)
        .env("BROKERS", bootstrap)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0);
    let ended = wait(command.spawn()?, manner.limit)?;
    let printed = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    Ok(outcome::read(number, &printed, (!ended).then_some(manner.limit.as_secs())))
}

/// Whether it ended by itself; if not, it and all that it started are killed.
fn wait(mut process: Child, limit: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + limit;
    while process.try_wait()?.is_none() {
        if Instant::now() > deadline {
            let group = format!("-{}", process.id());
            Command::new("kill").args(["-KILL", "--", &group]).status()?;
            process.wait()?;
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(true)
}
