//! [`TestCluster`]: a Kafka-compatible broker inside the process, started and stopped like a value.
//!
//! Starts the [`server`] around the [`Broker`] and holds its end.
#![expect(clippy::disallowed_methods, reason = "a front door starts a task, by the clock")]

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tidemill_protocol::ErrorCode;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::broker::{Broker, BrokerConfig, millis};
use crate::server::{self, Shared};

/// How many bytes an in-memory connection holds each way before its writer waits.
const DUPLEX_BYTES: usize = 64 * 1024;

/// How a [`TestCluster`] is set up.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    listen: SocketAddr,
    partitions: i32,
    auto_create_topics: bool,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), partitions: 1, auto_create_topics: true }
    }
}

impl ClusterConfig {
    /// Where to listen, which is also the address that clients are told to connect to. Port 0 takes a free one. Default
    /// `127.0.0.1:0`.
    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// `num.partitions`: how many partitions a topic gets that is made without a count. Default 1.
    #[must_use]
    pub const fn partitions(mut self, count: i32) -> Self {
        self.partitions = count;
        self
    }

    /// `auto.create.topics.enable`: whether asking for a topic that is not there makes it. Default true.
    #[must_use]
    pub const fn auto_create_topics(mut self, yes: bool) -> Self {
        self.auto_create_topics = yes;
        self
    }
}

/// A running broker. Records lie in memory.
///
/// Dropped, it stops: the listener and all connections are closed. [`TestCluster::stop`] also waits for that.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_testkit::{ClusterConfig, TestCluster};
///
/// let cluster = TestCluster::start(ClusterConfig::default().partitions(3)).await?;
/// cluster.create_topic("user_clicks", 2, &[("retention.ms", "60000")])?;
/// println!("bootstrap.servers={}", cluster.bootstrap());
/// cluster.stop().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TestCluster {
    bootstrap: String,
    shared: Arc<Shared>,
    incoming: mpsc::UnboundedSender<DuplexStream>,
    /// Dropped, it stops the server.
    stop: oneshot::Sender<Infallible>,
    server: JoinHandle<()>,
}

impl TestCluster {
    /// Starts a broker, inside a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    ///
    /// # Cancel safety
    /// A future that is dropped leaves no broker behind.
    pub async fn start(config: ClusterConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let broker = BrokerConfig {
            host: address.ip().to_string(),
            port: address.port(),
            num_partitions: config.partitions,
            auto_create_topics: config.auto_create_topics,
            ..BrokerConfig::default()
        };
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let broker = Broker::new(broker, Instant::now(), millis(unix), fastrand::u64(..));
        let shared = Arc::new(Shared::new(broker));
        let (incoming, receiver) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server::serve(Arc::clone(&shared), listener, receiver, stopped));
        Ok(Self { bootstrap: address.to_string(), shared, incoming, stop, server })
    }

    /// The address of the broker, as `host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Makes a topic with these of Kafka's topic settings.
    ///
    /// # Errors
    /// The code that CreateTopics would answer with.
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> Result<(), ErrorCode> {
        let created =
            self.shared.change(|broker, _| broker.create_topic(name, partitions, config.iter().copied()).map(|_| ()));
        created.map_err(|error| error.code)
    }

    /// A connection that goes through memory instead of a socket. Once the cluster has stopped, it is closed.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        let (client, broker) = tokio::io::duplex(DUPLEX_BYTES);
        // Without a server, the other end is dropped, which closes this one.
        let _ = self.incoming.send(broker);
        client
    }

    /// Closes the listener and all connections, and waits until they are.
    ///
    /// # Cancel safety
    /// When the future is dropped the broker stops all the same, without anybody waiting for it.
    pub async fn stop(self) {
        let Self { stop, server, .. } = self;
        drop(stop);
        // It ends when it is told to; that it could have panicked is no reason for this to.
        let _ = server.await;
    }
}
