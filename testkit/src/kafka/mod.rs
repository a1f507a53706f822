//! A real Apache Kafka for tests: one broker or several in KRaft mode, on free loopback ports, data in a temporary folder.
//!
//! Everything here blocks; a test calls it before its runtime starts, or from `spawn_blocking`. The brokers are stopped and
//! their data removed on drop, also when the test panics, and when the test process dies without dropping anything.
//!
//! - [`KafkaBuilder`]: what a cluster is to be like
//! - [`KafkaVersion`]: which releases there are
//! - [`Listener`]: ways in with SASL and TLS, and [`Certificates`] for them
//! - `jars`: where the jars come from; `classes`: what makes Java start sooner with them
//! - `node`: one broker's process
//! - [`Tools`]: Kafka's own command line tools, against any broker; [`Kcat`]: librdkafka's
#![expect(clippy::disallowed_methods, reason = "a front door waits for a process, by the clock")]

mod builder;
mod certificates;
mod classes;
mod jars;
mod kcat;
mod listener;
mod node;
mod tools;
mod version;

use std::fmt;
use std::io::{self, Read, Write};
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

pub use self::builder::KafkaBuilder;
pub use self::certificates::Certificates;
pub use self::jars::{cache, libs};
pub use self::kcat::Kcat;
pub use self::listener::{ClientAuth, Listener};
use self::node::Node;
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
    /// Those beside the plain one, each with the addresses of all brokers.
    listeners: Vec<(Listener, String)>,
    certificates: Option<Certificates>,
    tools: Tools,
    nodes: Vec<Node>,
    /// Removed when the nodes are.
    _folder: TempDir,
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
        KafkaBuilder::new()
    }

    /// The broker that the tests of this process share, started on first use. `None`, after a line that says so, when it
    /// cannot be had; with `TIDEMILL_REQUIRE_KAFKA=1` that fails the test instead.
    ///
    /// # Panics
    /// When there is none and it is required, or when it is there and does not start.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Kafka>> = OnceLock::new();
        SHARED.get_or_init(|| Self::builder().start_if_there()).as_ref()
    }

    /// The addresses of all brokers, as `host:port`, with commas between.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The addresses of all brokers on a listener that the cluster was built with.
    ///
    /// # Panics
    /// When it was not.
    #[must_use]
    pub fn bootstrap_of(&self, listener: Listener) -> &str {
        match self.listeners.iter().find(|(other, _)| *other == listener) {
            Some((_, bootstrap)) => bootstrap,
            None => panic!("{listener:?} is none of the cluster's listeners"),
        }
    }

    /// The certificates of a cluster with a listener that speaks TLS.
    #[must_use]
    pub const fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
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

    /// Holds a broker's process: it keeps its connections, takes new ones, and answers nobody. The others take it for dead
    /// after a while (`broker.session.timeout.ms`, 9 s by default).
    ///
    /// # Errors
    /// When its process cannot be reached.
    ///
    /// # Panics
    /// When there is no such broker.
    pub fn pause_broker(&self, broker: usize) -> io::Result<()> {
        self.node(broker).pause()
    }

    /// Lets a broker go on that was paused; it answers what it was asked meanwhile.
    ///
    /// # Errors
    /// When its process cannot be reached.
    ///
    /// # Panics
    /// When there is no such broker.
    pub fn resume_broker(&self, broker: usize) -> io::Result<()> {
        self.node(broker).resume()
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
