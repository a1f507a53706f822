//! How much of librdkafka's own test suite passes on a cluster, and on another beside it.
//!
//! ```text
//! cargo run -p tidemill-testkit --example librdkafka_suite -- --kafka 4.3.1 --bootstrap 127.0.0.1:9092 --out table.md
//! ```
//!
//! Each `--bootstrap LIST` is a cluster that runs; `--kafka VERSION` starts a real one of three brokers, set up as the suite
//! wants it, and `--embedded` one of this package, set up the same. The suite is fetched and built the first time, which takes gcc, make and some minutes; Java is needed for the
//! tests that call Kafka's scripts, and some are built only when the headers of zlib, OpenSSL and RapidJSON are there.
//!
//! What it says of the embedded cluster, set up as the real one (`--embedded`, librdkafka 2.12.1): 92 passed, 2 failed and 7
//! skipped with `--group-protocol classic`, 91, 2 and 8 with `consumer`. Apache Kafka 4.3.1 fails the same two, `0077` and
//! `0129`, which ask for segments smaller than Kafka 4 allows. Tests that count seconds fail on either when the machine is
//! busy.
//!
//! - [`suite`]: where the suite comes from
//! - [`run`]: one of its files, against one cluster
//! - [`outcome`]: what became of it
//! - [`table`]: all of it, as a table
#![expect(clippy::disallowed_methods, reason = "waits for processes, by the clock")]
#![expect(clippy::print_stdout, reason = "prints a table")]
#![cfg_attr(test, expect(clippy::indexing_slicing, reason = "a test that panics has failed"))]

mod outcome;
mod run;
mod suite;
mod table;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tidemill_testkit::broker::GroupProperties;
use tidemill_testkit::kafka::{self, Kafka, KafkaVersion};
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::runtime::Runtime;

use run::{Manner, Place};
use suite::{LIBRDKAFKA, Suite};
use table::Column;

const USAGE: &str = "usage: librdkafka_suite (--bootstrap HOST:PORT,.. | --kafka VERSION | --embedded).. \
    [--tests 0001,0002] [--subtests NAME] [--out table.md] [--logs FOLDER] [--jobs 4] [--limit-s 300] \
    [--scenario noautocreate] [--group-protocol consumer] [--property NAME=VALUE].. [--full]";

/// What was asked for.
#[derive(Debug)]
struct Options {
    clusters: Vec<Cluster>,
    tests: Vec<String>,
    out: Option<PathBuf>,
    logs: PathBuf,
    jobs: usize,
    manner: Manner,
}

#[derive(Debug)]
enum Cluster {
    Running(String),
    Started(KafkaVersion),
    Embedded,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).map_err(Into::into).and_then(|options| judge(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        clusters: Vec::new(),
        tests: Vec::new(),
        out: None,
        logs: kafka::cache().join(format!("librdkafka-{LIBRDKAFKA}")).join("logs"),
        jobs: 4,
        manner: Manner {
            scenario: "default".to_owned(),
            group_protocol: "classic".to_owned(),
            subtests: None,
            properties: String::new(),
            quick: true,
            limit: Duration::from_secs(300),
        },
    };
    while let Some(name) = arguments.next() {
        if name == "--full" {
            options.manner.quick = false;
            continue;
        }
        if name == "--embedded" {
            options.clusters.push(Cluster::Embedded);
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{name} without a value\n{USAGE}"))?;
        match name.as_str() {
            "--bootstrap" => options.clusters.push(Cluster::Running(value)),
            "--kafka" => options.clusters.push(Cluster::Started(value.parse()?)),
            "--tests" => options.tests.extend(value.split(',').map(str::to_owned)),
            "--out" => options.out = Some(value.into()),
            "--logs" => options.logs = value.into(),
            "--jobs" => options.jobs = number(&name, &value)?,
            "--limit-s" => options.manner.limit = Duration::from_secs(number(&name, &value)?),
            "--scenario" => options.manner.scenario = value,
            "--group-protocol" => options.manner.group_protocol = value,
            "--property" => options.manner.properties.extend([value.as_str(), "\n"]),
            "--subtests" => options.manner.subtests = Some(value),
            other => return Err(format!("{other} is none of the options\n{USAGE}")),
        }
    }
    if options.clusters.is_empty() {
        return Err(USAGE.to_owned());
    }
    Ok(options)
}

fn number<N: FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{name} takes a number, not {value}"))
}

fn judge(options: &Options) -> Result<(), Box<dyn Error>> {
    let suite = Suite::prepare()?;
    let numbers = if options.tests.is_empty() { suite.numbers()? } else { options.tests.clone() };
    let mut columns = Vec::new();
    for (number, cluster) in options.clusters.iter().enumerate() {
        let logs = options.logs.join(number.to_string());
        fs::create_dir_all(&logs)?;
        let version = match cluster {
            Cluster::Running(_) | Cluster::Embedded => KafkaVersion::default(),
            Cluster::Started(version) => *version,
        };
        let scenario = &options.manner.scenario;
        let (name, running) = match cluster {
            Cluster::Running(bootstrap) => (bootstrap.clone(), Running::Elsewhere(bootstrap.clone())),
            Cluster::Started(_) => (format!("Apache Kafka {version}"), Running::Kafka(start(version, scenario)?)),
            Cluster::Embedded => {
                let runtime = Runtime::new()?;
                let cluster = runtime.block_on(TestCluster::start(embedded(scenario)))?;
                ("embedded".to_owned(), Running::Embedded { cluster, _runtime: runtime })
            }
        };
        columns.push(Column { cluster: name, outcomes: BTreeMap::new() });
        let bootstrap = running.bootstrap().to_owned();
        let place = Place { bootstrap, version, kafka: suite.installation(version)?, logs };
        on_one_cluster(options, &suite, &numbers, &place, &mut columns)?;
    }
    println!("{}", table::render(LIBRDKAFKA, &columns));
    Ok(())
}

/// A cluster while it is judged; dropped, it stops where it was started here.
#[derive(Debug)]
enum Running {
    Elsewhere(String),
    Kafka(Kafka),
    /// With what its tasks run on.
    Embedded {
        cluster: TestCluster,
        _runtime: Runtime,
    },
}

impl Running {
    fn bootstrap(&self) -> &str {
        match self {
            Self::Elsewhere(bootstrap) => bootstrap,
            Self::Kafka(kafka) => kafka.bootstrap(),
            Self::Embedded { cluster, .. } => cluster.bootstrap(),
        }
    }
}

/// So long a new group waits for further members. Without it, what the suite takes for one rebalance may be two.
const REBALANCE_DELAY: Duration = Duration::from_millis(500);

fn creates_topics(scenario: &str) -> bool {
    scenario != "noautocreate"
}

/// An embedded cluster, set up as [`start`] does the real one.
fn embedded(scenario: &str) -> ClusterConfig {
    let mut groups = GroupProperties::default();
    groups.initial_rebalance_delay = REBALANCE_DELAY;
    ClusterConfig::default()
        .racks(["RACK1", "RACK2", "RACK3"])
        .rack_aware_fetch(true)
        .auto_create_topics(creates_topics(scenario))
        .partitions(4)
        .replication_factor(3)
        .authorizer(["User:admin"])
        .allow_everyone_if_no_acl_found(true)
        .groups(groups)
}

/// A real cluster as the suite's own scripts set it up.
fn start(version: KafkaVersion, scenario: &str) -> Result<Kafka, kafka::KafkaError> {
    let mut builder = Kafka::builder()
        .version(version)
        .brokers(3)
        .property("auto.create.topics.enable", if creates_topics(scenario) { "true" } else { "false" })
        .property("num.partitions", "4")
        .property("group.initial.rebalance.delay.ms", &REBALANCE_DELAY.as_millis().to_string())
        .property("default.replication.factor", "3")
        .property("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector")
        .property("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
        .property("super.users", "User:admin")
        // An authorizer that has not read its rules yet lets only super users in, and the rules come from the controllers:
        // so these know each other as one.
        .property("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:SASL_PLAINTEXT")
        .property("sasl.mechanism.controller.protocol", "PLAIN")
        .property("listener.name.controller.sasl.enabled.mechanisms", "PLAIN")
        .property(
            "listener.name.controller.plain.sasl.jaas.config",
            "org.apache.kafka.common.security.plain.PlainLoginModule required \
             username=\"admin\" password=\"admin\" user_admin=\"admin\";",
        )
        .property("allow.everyone.if.no.acl.found", "true");
    for broker in 0..3 {
        builder = builder.broker_property(broker, "broker.rack", &format!("RACK{}", broker + 1));
    }
    builder.start()
}

/// Runs the files, several beside each other; the table so far is written after each.
fn on_one_cluster(
    options: &Options,
    suite: &Suite,
    numbers: &[String],
    place: &Place,
    columns: &mut Vec<Column>,
) -> Result<(), Box<dyn Error>> {
    let waiting = Mutex::new(numbers.iter());
    let columns = Mutex::new(columns);
    thread::scope(|scope| {
        let work = || -> std::io::Result<()> {
            loop {
                let Some(number) = waiting.lock().unwrap_or_else(PoisonError::into_inner).next() else { return Ok(()) };
                let outcomes = run::run(suite, place, number, &options.manner)?;
                let mut columns = columns.lock().unwrap_or_else(PoisonError::into_inner);
                for outcome in outcomes {
                    eprintln!("{} {} {}", outcome.test, outcome.verdict, outcome.reason);
                    if let Some(column) = columns.last_mut() {
                        column.outcomes.insert(outcome.test.clone(), outcome);
                    }
                }
                if let Some(out) = &options.out {
                    fs::write(out, table::render(LIBRDKAFKA, &columns))?;
                }
            }
        };
        let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().map_err(|_| "a thread that runs tests panicked")??;
        }
        Ok(())
    })
}
