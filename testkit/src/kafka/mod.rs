//! A real Apache Kafka for tests: one broker or several in KRaft mode, on free loopback ports, data in a temporary folder.
//!
//! Everything here blocks; a test calls it before its runtime starts, or from `spawn_blocking`. The brokers are stopped and
//! their data removed on drop, also when the test panics, and when the test process dies without dropping anything.
//!
//! - `jars`: where the jars come from
//! - `node`: one broker's process
//! - [`KafkaVersion`]: which releases there are
//! - [`Tools`]: Kafka's own command line tools, against any broker
#![expect(clippy::disallowed_methods, reason = "a front door waits for a process, by the clock")]

mod jars;
mod node;
mod tools;
mod version;

use std::fmt::{self, Write as _};
use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tidemill_protocol::header;
use tidemill_protocol::messages::MetadataRequest;

pub use self::jars::{cache, libs};
use self::node::{Node, Ports};
pub use self::tools::Tools;
pub use self::version::KafkaVersion;

/// How long brokers may take to start. One usually takes 3 s.
const START_MAX: Duration = Duration::from_secs(90);

/// An answer to our question after the cluster's brokers is far smaller.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A running cluster.
///
/// Brokers are counted from 0; the `node.id` of each is one more.
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    tools: Tools,
    nodes: Vec<Node>,
    /// Removed when the nodes are.
    _folder: TempDir,
}

/// What a cluster is to be like.
#[derive(Debug, Clone)]
pub struct KafkaBuilder {
    brokers: usize,
    version: Option<KafkaVersion>,
    properties: String,
    /// Those of single brokers, by their place.
    broker_properties: Vec<(usize, String)>,
}

/// Why there is no broker.
#[derive(Debug)]
#[non_exhaustive]
pub enum KafkaError {
    /// Java, Maven or the jars are not there.
    Missing(String),
    /// They are, and it did not start.
    Failed(String),
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(reason) => write!(f, "Apache Kafka is not there: {reason}"),
            Self::Failed(reason) => write!(f, "Apache Kafka did not start: {reason}"),
        }
    }
}

impl std::error::Error for KafkaError {}

impl KafkaBuilder {
    /// How many nodes, each a broker and a controller. Default 1.
    #[must_use]
    pub const fn brokers(mut self, count: usize) -> Self {
        self.brokers = count;
        self
    }

    /// The release. Without one, `KAFKA_HOME` says which, and without that it is [`KafkaVersion::default`].
    #[must_use]
    pub const fn version(mut self, version: KafkaVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// One of Kafka's broker properties, for every node.
    #[must_use]
    pub fn property(mut self, name: &str, value: &str) -> Self {
        // Writing to a string does not fail.
        let _ = writeln!(self.properties, "{name}={value}");
        self
    }

    /// One of Kafka's broker properties for one broker only, such as its `broker.rack`.
    #[must_use]
    pub fn broker_property(mut self, broker: usize, name: &str, value: &str) -> Self {
        self.broker_properties.push((broker, format!("{name}={value}\n")));
        self
    }

    /// Starts the cluster and waits until every broker answers and knows all others.
    ///
    /// # Errors
    /// When Java, Maven or the jars are missing, or a broker does not start.
    pub fn start(self) -> Result<Kafka, KafkaError> {
        let failed = |error: io::Error| KafkaError::Failed(error.to_string());
        let tools = self.version.map_or_else(Tools::resolve, Tools::of_version)?;
        let folder = TempDir::with_prefix("tidemill-kafka-").map_err(failed)?;
        let ports = Ports::free(self.brokers).map_err(failed)?;
        // Preparing a folder takes a second of Java: all at once.
        let nodes = thread::scope(|scope| {
            let prepare = |(id, ports_of_node): (usize, &Ports)| {
                let folder = folder.path().join(format!("node-{id}"));
                let mut properties = properties(id, &ports, &folder) + &self.properties;
                let own = self.broker_properties.iter().filter(|(broker, _)| broker + 1 == id);
                properties.extend(own.map(|(_, property)| property.as_str()));
                let (port, tools) = (ports_of_node.broker, &tools);
                scope.spawn(move || Node::new(folder, port, &properties, tools))
            };
            let preparing: Vec<_> = (1..).zip(&ports).map(prepare).collect();
            let panicked = |_| Err(KafkaError::Failed("a thread that prepares a broker panicked".to_owned()));
            preparing.into_iter().map(|node| node.join().unwrap_or_else(panicked)).collect::<Result<Vec<_>, _>>()
        })?;
        let bootstrap = nodes.iter().map(|node| node.address.to_string()).collect::<Vec<_>>().join(",");
        let kafka = Kafka { bootstrap, tools, nodes, _folder: folder };
        for node in &kafka.nodes {
            node.start().map_err(failed)?;
        }
        kafka.wait_ready()?;
        Ok(kafka)
    }
}

impl Kafka {
    /// Starts one broker and waits until it answers.
    ///
    /// # Errors
    /// When Java, Maven or the jars are missing, or the broker does not start.
    pub fn start() -> Result<Self, KafkaError> {
        Self::builder().start()
    }

    /// Starts so many brokers, and waits until all answer. Internal topics lie on three of them, or on all if there are
    /// fewer.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_cluster(brokers: usize) -> Result<Self, KafkaError> {
        Self::builder().brokers(brokers).start()
    }

    /// A cluster to be set up and started.
    #[must_use]
    pub const fn builder() -> KafkaBuilder {
        KafkaBuilder { brokers: 1, version: None, properties: String::new(), broker_properties: Vec::new() }
    }

    /// The broker that the tests of this process share, started on first use. `None`, after a line that says so, when it
    /// cannot be had; with `TIDEMILL_REQUIRE_KAFKA=1` that fails the test instead.
    ///
    /// # Panics
    /// When there is none and it is required, or when it is there and does not start.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Kafka>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| match Self::start() {
            Ok(kafka) => Some(kafka),
            Err(KafkaError::Missing(reason)) if !is_required() => {
                eprintln!("not run: tests on real Kafka need Java 17 and Maven ({reason})");
                None
            }
            Err(error) => panic!("{error}"),
        });
        shared.as_ref()
    }

    /// The addresses of all brokers, as `host:port`, with commas between.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Runs one of Kafka's own tools, by the name of its class, with `input` on its standard input.
    ///
    /// # Errors
    /// When the tool cannot be started or its pipes break.
    pub fn run_tool(&self, class: &str, arguments: &[&str], input: &str) -> io::Result<Output> {
        self.tools.run(class, arguments, input)
    }

    /// The folder with a broker's files; its log segments lie in `data` below it.
    ///
    /// # Panics
    /// When there is no such broker.
    #[must_use]
    pub fn folder(&self, broker: usize) -> &Path {
        &self.node(broker).folder
    }

    /// Asks a broker to end, and waits until it has: the partitions it leads get other leaders first, if there are any.
    ///
    /// # Errors
    /// When its process cannot be reached.
    ///
    /// # Panics
    /// When there is no such broker.
    pub fn stop_broker(&self, broker: usize) -> io::Result<()> {
        self.node(broker).stop()
    }

    /// Ends a broker without warning, as a crash does. What it had not written to disk, the operating system still does.
    ///
    /// # Errors
    /// When its process cannot be reached.
    ///
    /// # Panics
    /// When there is no such broker.
    pub fn kill_broker(&self, broker: usize) -> io::Result<()> {
        self.node(broker).kill()
    }

    /// Starts a broker again that was stopped or killed, on the same port and data, and waits until it and all others that
    /// run know each other. Its replicas may take longer to be in sync.
    ///
    /// # Errors
    /// When it does not start.
    ///
    /// # Panics
    /// When there is no such broker.
    pub fn start_broker(&self, broker: usize) -> Result<(), KafkaError> {
        self.node(broker).start().map_err(|error| KafkaError::Failed(error.to_string()))?;
        self.wait_ready()
    }

    fn node(&self, broker: usize) -> &Node {
        match self.nodes.get(broker) {
            Some(node) => node,
            None => panic!("broker {broker} of {}, which are counted from 0", self.nodes.len()),
        }
    }

    /// Waits until every broker that runs lists every broker that runs. Without a majority there is nothing to wait for.
    fn wait_ready(&self) -> Result<(), KafkaError> {
        let running: Vec<&Node> = self.nodes.iter().filter(|node| node.is_running()).collect();
        if running.len() * 2 <= self.nodes.len() {
            return Ok(());
        }
        let deadline = Instant::now() + START_MAX;
        for node in &running {
            // One that was killed a moment ago may still be listed.
            while !known_brokers(node.address)
                .is_ok_and(|known| running.iter().all(|other| known.contains(&other.address.port())))
            {
                if Instant::now() > deadline {
                    let reason = format!("no answer within {START_MAX:?}; its last words:\n{}", node.last_words());
                    return Err(KafkaError::Failed(reason));
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }
}

/// Whether a missing Kafka is an error.
#[must_use]
pub fn is_required() -> bool {
    std::env::var("TIDEMILL_REQUIRE_KAFKA").is_ok_and(|value| value == "1")
}

/// The ports of the brokers that this one lists.
fn known_brokers(address: SocketAddr) -> io::Result<Vec<u16>> {
    const METADATA_VERSION: i16 = 12;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let question = MetadataRequest::default().with_topics(Some(Vec::new()));
    let question = header::encode_request(&question, METADATA_VERSION, 1, None).map_err(io::Error::other)?;
    stream.write_all(&question)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > ANSWER_BYTES_MAX {
        return Err(io::Error::other("an answer that no broker gives"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    let answer = header::decode_response::<MetadataRequest>(METADATA_VERSION, Bytes::from(answer));
    let brokers = answer.map_err(io::Error::other)?.brokers;
    Ok(brokers.iter().filter_map(|broker| u16::try_from(broker.port).ok()).collect())
}

/// The properties of the node with this id, of all that have these ports.
fn properties(id: usize, ports: &[Ports], folder: &Path) -> String {
    let data = folder.join("data");
    let voter = |(id, ports): (usize, &Ports)| format!("{id}@127.0.0.1:{}", ports.controller);
    let voters: Vec<String> = (1..).zip(ports).map(voter).collect();
    let (broker, controller) = ports.get(id.saturating_sub(1)).map_or((0, 0), |own| (own.broker, own.controller));
    let replicas = ports.len().min(3);
    let in_sync = replicas.min(2);
    format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         controller.quorum.voters={voters}\n\
         listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{broker}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         log.dirs={data}\n\
         offsets.topic.replication.factor={replicas}\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor={replicas}\n\
         transaction.state.log.min.isr={in_sync}\n\
         transaction.state.log.num.partitions=4\n\
         share.coordinator.state.topic.replication.factor={replicas}\n\
         share.coordinator.state.topic.min.isr={in_sync}\n\
         group.initial.rebalance.delay.ms=0\n",
        voters = voters.join(","),
        data = data.display()
    )
}
