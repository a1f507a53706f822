//! What the cases stand on: a broker, topics of their own, and what lies in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidemill_client::{Admin, AutoOffsetReset, ClientConfig, Consumer, ConsumerConfig, NewTopic, Producer};
use tidemill_client::{ProducerConfig, Record, TopicPartition};
use tidemill_testkit::kafka::Kafka;
use tidemill_testkit::{ClusterConfig, TestCluster};

/// How long a case may wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A broker, real or embedded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bed {
    pub(crate) name: &'static str,
    pub(crate) bootstrap: &'static str,
}

/// One result, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) window_start: String,
    pub(crate) window_end: String,
    pub(crate) user_id: i64,
    pub(crate) cnt: i64,
}

/// Every bed there is: real Kafka, where Java and its jars are, and the embedded broker.
pub(crate) fn beds() -> Vec<Bed> {
    let real = Kafka::shared().map(|kafka| Bed { name: "kafka", bootstrap: kafka.bootstrap() });
    real.into_iter().chain([Bed { name: "embedded", bootstrap: embedded() }]).collect()
}

/// The embedded broker that the cases share, in a thread of its own.
fn embedded() -> &'static str {
    static BOOTSTRAP: OnceLock<String> = OnceLock::new();
    BOOTSTRAP.get_or_init(|| {
        let (started, bootstrap) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            block_on(async {
                let cluster = TestCluster::start(ClusterConfig::default()).await.unwrap();
                started.send(cluster.bootstrap().to_owned()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        bootstrap.recv().unwrap()
    })
}

/// Runs what a test does with the client.
fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The reference file, as it lies in the repository.
pub(crate) fn reference_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/top_users.sql")
}

impl Bed {
    pub(crate) fn create_topic(&self, topic: &str, partitions: i32) {
        let config = ClientConfig::default().bootstrap_servers(self.bootstrap);
        block_on(async {
            let admin = Admin::new(config).unwrap();
            let created = admin.create_topics(&[NewTopic::new(topic).partitions(partitions)], PATIENCE).await.unwrap();
            assert!(created.iter().all(|(_, outcome)| outcome.is_ok()), "{created:?}");
        });
    }

    /// Writes values, spread over the partitions in turn.
    pub(crate) fn write<V: AsRef<[u8]>>(&self, topic: &str, partitions: i32, values: impl IntoIterator<Item = V>) {
        block_on(async {
            let producer = Producer::new(ProducerConfig::default().bootstrap_servers(self.bootstrap)).unwrap();
            let mut deliveries = Vec::new();
            for (value, partition) in values.into_iter().zip((0..partitions).cycle()) {
                let record = Record::new(topic).partition(partition).value(value.as_ref());
                deliveries.push(producer.send(record).await.unwrap());
            }
            for delivery in deliveries {
                delivery.await.unwrap();
            }
        });
    }

    /// The values of a topic's only partition, until `enough` of them are there.
    pub(crate) fn read_until(&self, topic: &str, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
        let config =
            ConsumerConfig::default().bootstrap_servers(self.bootstrap).auto_offset_reset(AutoOffsetReset::Earliest);
        block_on(async {
            let consumer = Consumer::new(config).unwrap();
            consumer.assign([TopicPartition::new(topic, 0)]).unwrap();
            let mut values = Vec::new();
            let deadline = Instant::now() + PATIENCE;
            while !enough(&values) {
                match tokio::time::timeout_at(deadline.into(), consumer.recv()).await {
                    Ok(record) => {
                        let record = record.unwrap();
                        values.push(String::from_utf8(record.value().unwrap().to_vec()).unwrap());
                    }
                    Err(_) => panic!("{} on {}: not enough within {PATIENCE:?}: {values:#?}", topic, self.name),
                }
            }
            values
        })
    }

    /// The reference file with topics and a group of its own, and these replacements; the topics are made.
    pub(crate) fn script(&self, name: &str, partitions: i32, replacements: &[(&str, &str)]) -> Script {
        let (source, sink) = (format!("{name}_clicks"), format!("{name}_counts"));
        self.create_topic(&source, partitions);
        self.create_topic(&sink, 1);
        let mut text = std::fs::read_to_string(reference_file()).unwrap();
        for (from, to) in [
            ("'topic'='user_clicks'", &*format!("'topic'='{source}'")),
            ("'topic'='top_users'", &*format!("'topic'='{sink}'")),
            ("'properties.group.id'='top_users'", &*format!("'properties.group.id'='{name}'")),
        ]
        .iter()
        .chain(replacements)
        {
            assert!(text.contains(from), "{from} is not in {text}");
            text = text.replace(from, to);
        }
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("job.sql");
        std::fs::write(&file, text).unwrap();
        Script { file, source, sink, _folder: folder }
    }
}

/// A SQL file of a case.
pub(crate) struct Script {
    pub(crate) file: PathBuf,
    pub(crate) source: String,
    pub(crate) sink: String,
    _folder: TempDir,
}

/// A click of this user.
pub(crate) fn click(user_id: i64) -> String {
    format!(r#"{{"user_id":{user_id},"cURL":"/pages/{user_id}"}}"#)
}

/// Reads a result, and checks that it is what is promised, byte for byte.
pub(crate) fn row(value: &str) -> Row {
    let parsed: serde_json::Value = serde_json::from_str(value).unwrap_or_else(|error| panic!("{value}: {error}"));
    let text = |name: &str| parsed[name].as_str().unwrap_or_else(|| panic!("{name} in {value}")).to_owned();
    let number = |name: &str| parsed[name].as_i64().unwrap_or_else(|| panic!("{name} in {value}"));
    let row = Row {
        window_start: text("window_start"),
        window_end: text("window_end"),
        user_id: number("user_id"),
        cnt: number("cnt"),
    };
    let Row { window_start, window_end, user_id, cnt } = &row;
    let expected =
        format!(r#"{{"user_id":{user_id},"cnt":{cnt},"window_start":"{window_start}","window_end":"{window_end}"}}"#);
    assert_eq!(value, expected);
    row
}

/// The counts of all windows together, by user.
pub(crate) fn totals<S: AsRef<str>>(values: &[S]) -> BTreeMap<i64, i64> {
    let mut totals = BTreeMap::new();
    for value in values {
        let row = row(value.as_ref());
        *totals.entry(row.user_id).or_default() += row.cnt;
    }
    totals
}
