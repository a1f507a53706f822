//! [`Proxy`]: a [`Script`] between any client and any Kafka.
//!
//! One listener for each broker. Answers that tell where brokers are (Metadata, FindCoordinator, DescribeCluster, and the
//! endpoints that Produce, Fetch and the share APIs may add, KIP-951) tell where the proxy is instead, so that a client
//! that begins here stays here. What the proxy plays is what happens on a connection and to an answer; a script that needs
//! the cluster itself, such as to move a leader, is refused.
//!
//! # Versions
//!
//! So that every such answer can be rewritten, clients are told by ApiVersions of no API and no version that the
//! [guard](tidemill_protocol::guard) has no table of: one of its own that is newer is refused as by a broker that does not
//! know it, and asked again in an older. A request that comes nevertheless passes as it is, and so does its answer.
//!
//! # What it cannot do
//!
//! - Refuse a connection while others are accepted: a client whose connection is refused sees a reset. Nor can it leave a
//!   connection unaccepted: a black hole is accepted by the system, and then silent.
//! - TLS, and SASL tokens without a header around them (`SaslHandshake` 0).
//! - More than one request of a connection at a time: the next goes out when the answer is there, as Kafka's own network
//!   threads have it.
//!
//! # Files
//!
//! - `driver`: moves bytes between a client and a broker
//! - `rewrite`: where brokers are, in answers

mod driver;
mod rewrite;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::Arc;

use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::MetadataRequest;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::driver::{Shared, Side};
use self::rewrite::Endpoint;
use super::script::{Rule, Script};

/// A version that every Kafka since 0.10 speaks, and in which the empty list means no topic.
const METADATA_VERSION: i16 = 1;

/// A running proxy. Dropped, it stops and closes its connections.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_testkit::faults::proxy::Proxy;
/// use tidemill_testkit::{ClusterConfig, TestCluster};
///
/// let kafka = TestCluster::start(ClusterConfig::default()).await?;
/// let proxy = Proxy::start(kafka.bootstrap(), "Produce times=1: close after applying".parse()?, 1).await?;
/// println!("bootstrap.servers={}", proxy.bootstrap());
/// assert_eq!(proxy.fired()[0].1, 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Proxy {
    bootstrap: String,
    shared: Arc<Shared>,
    /// Dropped, it stops the server.
    stop: oneshot::Sender<Infallible>,
    server: JoinHandle<()>,
}

/// Why there is no proxy, or why it does not take a script.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// This rule changes the cluster, which a proxy in front of it cannot.
    NeedsCluster {
        /// Its number in the script, from 1.
        number: usize,
        /// The rule.
        rule: Box<Rule>,
    },
    /// No broker could be asked where the others are.
    Upstream {
        /// Who was asked.
        bootstrap: String,
        /// Why there is no answer.
        source: io::Error,
    },
    /// No port could be listened on.
    Listen(io::Error),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsCluster { number, rule } => write!(
                f,
                "rule {number} of the script, `{rule}`, changes the cluster; a proxy can only play what happens on \
                 connections and to answers: use the embedded cluster, or leave it out"
            ),
            Self::Upstream { bootstrap, source } => {
                write!(f, "no broker at {bootstrap} said where the brokers are: {source}")
            }
            Self::Listen(error) => write!(f, "no port to listen on: {error}"),
        }
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NeedsCluster { .. } => None,
            Self::Upstream { source, .. } => Some(source),
            Self::Listen(error) => Some(error),
        }
    }
}

fn check(script: &Script) -> Result<(), ProxyError> {
    match script.needs_cluster() {
        Some((number, rule)) => Err(ProxyError::NeedsCluster { number, rule: Box::new(rule.clone()) }),
        None => Ok(()),
    }
}

impl Proxy {
    /// Asks the first of `bootstrap` (`host:port,host:port`) that answers for its brokers, and listens on a free loopback
    /// port for each; inside a tokio runtime. The script begins now.
    ///
    /// # Errors
    /// When the script needs the cluster, no broker answers, or no port can be listened on.
    ///
    /// # Cancel safety
    /// A future that is dropped leaves no proxy behind.
    #[expect(clippy::disallowed_methods, reason = "a front door starts a task, by the clock")]
    pub async fn start(bootstrap: &str, script: Script, seed: u64) -> Result<Self, ProxyError> {
        check(&script)?;
        let upstream = |source| ProxyError::Upstream { bootstrap: bootstrap.to_owned(), source };
        let brokers = brokers(bootstrap).await.map_err(upstream)?;
        let (opened, listeners) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(script, seed, Instant::now(), opened));
        let mut fronts = Vec::new();
        for broker in &brokers {
            let port = shared.front(broker).map_err(ProxyError::Listen)?;
            fronts.push(format!("127.0.0.1:{port}"));
        }
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(driver::serve(Arc::clone(&shared), listeners, stopped));
        Ok(Self { bootstrap: fronts.join(","), shared, stop, server })
    }

    /// Where clients are to begin: every broker that was there at the start, as `host:port,host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Plays another script from now on, its times counted from now. Connections that hear nothing any more stay so.
    ///
    /// # Errors
    /// When the script needs the cluster; the one before then plays on.
    #[expect(clippy::disallowed_methods, reason = "a front door reads the clock")]
    pub fn set_script(&self, script: Script, seed: u64) -> Result<(), ProxyError> {
        check(&script)?;
        self.shared.faults().set_script(script, seed, Instant::now());
        Ok(())
    }

    /// Each rule of the script, and how often it struck.
    #[must_use]
    pub fn fired(&self) -> Vec<(Rule, u64)> {
        self.shared.faults().fired().map(|(rule, fired)| (rule.clone(), fired)).collect()
    }

    /// Closes the listeners and all connections, and waits until they are.
    ///
    /// # Cancel safety
    /// When the future is dropped the proxy stops all the same, without anybody waiting for it.
    pub async fn stop(self) {
        let Self { stop, server, .. } = self;
        drop(stop);
        // It ends when it is told to; that it could have panicked is no reason for this to.
        let _ = server.await;
    }
}

/// The brokers of a cluster, from the first address that answers.
async fn brokers(bootstrap: &str) -> io::Result<Vec<Endpoint>> {
    let mut error = io::Error::new(io::ErrorKind::InvalidInput, "no address is given");
    for address in bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        match brokers_of(address).await {
            Ok(brokers) if !brokers.is_empty() => return Ok(brokers),
            Ok(_) => error = io::Error::other(format!("{address} knows of no broker")),
            Err(refused) => error = refused,
        }
    }
    Err(error)
}

async fn brokers_of(address: &str) -> io::Result<Vec<Endpoint>> {
    let mut side = Side::new(TcpStream::connect(address).await?);
    let body = MetadataRequest::default().with_topics(Some(Vec::new())).with_allow_auto_topic_creation(true);
    let request = encode_request(&body, METADATA_VERSION, 0, None).map_err(io::Error::other)?;
    side.stream.write_all(&request).await?;
    let answer = side.frame().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let response = decode_response::<MetadataRequest>(METADATA_VERSION, answer).map_err(io::Error::other)?;
    Ok(response
        .brokers
        .iter()
        .filter_map(|broker| Endpoint::new(broker.node_id.0, &broker.host, broker.port))
        .collect())
}
