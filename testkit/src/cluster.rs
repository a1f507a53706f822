//! [`TestCluster`]: Kafka-compatible brokers inside the process, started and stopped like a value.
//!
//! Starts the [`server`]s around the [`Cluster`] and holds their ends.
#![expect(clippy::disallowed_methods, reason = "a front door starts a task, by the clock")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tidemill_protocol::ErrorCode;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::broker::{BrokerConfig, CarriedOut, Cluster, ClusterProperties, MarkersOf, Stop, millis};
pub use crate::cluster_config::ClusterConfig;
use crate::directory::Directory;
use crate::faults::{Rule, Script};
use crate::server::{self, Acceptor, Shared};

/// How many bytes an in-memory connection holds each way before its writer waits.
const DUPLEX_BYTES: usize = 64 * 1024;

/// Running brokers. Records lie in memory, and in [a directory](ClusterConfig::data) as well if there is one.
///
/// Dropped, they stop: the listeners and all connections are closed. [`TestCluster::stop`] also waits for that.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_testkit::{ClusterConfig, TestCluster};
///
/// let cluster = TestCluster::start(ClusterConfig::default().brokers(3).replication_factor(3)).await?;
/// cluster.create_topic("user_clicks", 2, &[("retention.ms", "60000")])?;
/// println!("bootstrap.servers={}", cluster.bootstrap());
///
/// let leader = cluster.leader("user_clicks", 0).ok_or("nobody leads")?;
/// cluster.kill_broker(leader).await;
/// assert_ne!(cluster.leader("user_clicks", 0), Some(leader));
/// cluster.start_broker(leader).await?;
/// cluster.stop().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TestCluster {
    bootstrap: String,
    shared: Arc<Shared>,
    addresses: BTreeMap<i32, SocketAddr>,
    tls: Option<Acceptor>,
    /// The brokers that run.
    running: Mutex<BTreeMap<i32, Running>>,
    /// Dropped, it stops the clock.
    stop: oneshot::Sender<Infallible>,
    clock: JoinHandle<()>,
}

/// The task that takes the connections of a broker.
#[derive(Debug)]
struct Running {
    incoming: mpsc::UnboundedSender<DuplexStream>,
    /// Dropped, it stops the server.
    stop: oneshot::Sender<Infallible>,
    server: JoinHandle<()>,
}

impl TestCluster {
    /// Starts the brokers, inside a tokio runtime.
    ///
    /// # Errors
    /// When an address cannot be listened on, or a certificate is none; when [the directory](ClusterConfig::data) is in use,
    /// belongs to something else, is damaged or cannot be written.
    ///
    /// # Cancel safety
    /// A future that is dropped leaves no broker behind.
    pub async fn start(config: ClusterConfig) -> io::Result<Self> {
        let tls = config.acceptor()?;
        let mut listeners = Vec::with_capacity(config.racks.len());
        let mut brokers = Vec::with_capacity(config.racks.len());
        let mut addresses = BTreeMap::new();
        let mut next = config.listen;
        for (node_id, rack) in (1..).zip(config.racks) {
            let listener = TcpListener::bind(next).await?;
            let address = listener.local_addr()?;
            if next.port() != 0 {
                let following = next.port().checked_add(1);
                let too_high =
                    || io::Error::new(io::ErrorKind::InvalidInput, "there are no more ports for all brokers");
                next.set_port(following.ok_or_else(too_high)?);
            }
            brokers.push(BrokerConfig { node_id, host: address.ip().to_string(), port: address.port(), rack });
            addresses.insert(node_id, address);
            listeners.push((node_id, listener));
        }
        let properties = ClusterProperties { brokers, ..config.cluster };
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Instant::now();
        let mut cluster = Cluster::new(properties, now, millis(unix), fastrand::u64(..));
        let directory = config.data.map(|path| Directory::start(&path, &mut cluster, now)).transpose()?;
        if let Some((script, seed)) = config.faults {
            cluster.play(script, seed, now);
        }
        let shared = Arc::new(Shared::new(cluster, directory));
        let (stop, stopped) = oneshot::channel();
        let clock = tokio::spawn(server::keep_time(Arc::clone(&shared), stopped));
        let running =
            listeners.into_iter().map(|(id, listener)| (id, Running::start(&shared, id, listener, tls.clone())));
        let running = Mutex::new(running.collect());
        let bootstrap = addresses.values().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
        Ok(Self { bootstrap, shared, addresses, tls, running, stop, clock })
    }

    /// Waits until [the directory](ClusterConfig::data) cannot be written any more, and says why. As Kafka does when its log
    /// directory fails, the brokers answer nobody from then on: all connections are closed. Without a directory this never ends.
    ///
    /// # Cancel safety
    /// A future that is dropped loses nothing.
    pub async fn failed(&self) -> io::Error {
        io::Error::other(self.shared.failed().await)
    }

    /// The addresses of the brokers, as `host:port,host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The ids of the brokers and where they listen when they run.
    pub fn brokers(&self) -> impl Iterator<Item = (i32, SocketAddr)> {
        self.addresses.iter().map(|(id, address)| (*id, *address))
    }

    /// Makes a topic with these of Kafka's topic settings, with as many replicas as [`ClusterConfig::replication_factor`]
    /// says.
    ///
    /// # Errors
    /// The code that CreateTopics would answer with; `KAFKA_STORAGE_ERROR` when [the directory](ClusterConfig::data) cannot be
    /// written.
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> Result<(), ErrorCode> {
        let created = self.shared.change(|cluster, _| {
            let factor = cluster.config.default_replication_factor;
            cluster.create_topic(name, partitions, factor, config.iter().copied()).map(|_| ())
        });
        if self.shared.has_failed() {
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        created.map_err(|error| error.code)
    }

    /// The broker that leads a partition; none when nobody does, or there is no such partition.
    #[must_use]
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        self.shared.change(|cluster, _| cluster.topics.by_name(topic)?.partition(partition).ok()?.leader)
    }

    /// Makes another replica lead a partition.
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION`; `INVALID_REPLICA_ASSIGNMENT` when this broker has no copy; `BROKER_NOT_AVAILABLE` when
    /// it does not run; `ELIGIBLE_LEADERS_NOT_AVAILABLE` when it is not in sync.
    pub fn move_leader(&self, topic: &str, partition: i32, to: i32) -> Result<(), ErrorCode> {
        self.shared.change(|cluster, _| cluster.move_leader(topic, partition, to))
    }

    /// Holds the markers of transactions back from now on: a transaction that ends stays in PrepareCommit or PrepareAbort, and
    /// its producer is answered `CONCURRENT_TRANSACTIONS`.
    pub fn hold_markers(&self, of: MarkersOf) {
        self.shared.change(|cluster, _| cluster.hold_markers(of));
    }

    /// Writes the markers that were held back.
    pub fn release_markers(&self, of: &MarkersOf) {
        self.shared.change(|cluster, _| cluster.release_markers(of));
    }

    /// Lets another broker coordinate a transactional id, and all whose ids have the same hash.
    pub fn move_transaction_coordinator(&self, transactional_id: &str, to: i32) {
        self.shared.change(|cluster, _| cluster.move_transaction_coordinator(transactional_id, to));
    }

    /// Plays a script from now on instead of the one before, its times counted from now; chances are drawn from `seed`.
    /// Takes a [`Script`] or its text; [`faults`](crate::faults) lists what can go wrong. A broker that a script has crashed
    /// still listens, and resets who connects, until the script or [`Self::start_broker`] starts it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tidemill_testkit::{ClusterConfig, TestCluster};
    /// let cluster = TestCluster::start(ClusterConfig::default().brokers(3).replication_factor(3)).await?;
    /// cluster.play("Produce topic=clicks nth=2: move leader after applying\nFetch p=0.1: delay 50ms", 7)?;
    /// // ... what is to be tested; then:
    /// assert_eq!(cluster.never_fired().len(), 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the text is no script; what was played before then plays on.
    pub fn play<S: TryInto<Script>>(&self, script: S, seed: u64) -> Result<(), S::Error> {
        let script = script.try_into()?;
        self.shared.change(|cluster, now| cluster.play(script, seed, now));
        Ok(())
    }

    /// Each rule of the script, and how often it struck.
    #[must_use]
    pub fn faults_fired(&self) -> Vec<(Rule, u64)> {
        self.shared.change(|cluster, _| cluster.faults().fired().map(|(rule, fired)| (rule.clone(), fired)).collect())
    }

    /// The rules of the script that never struck: a test that passes with one of these has not shown what it was to show.
    #[must_use]
    pub fn never_fired(&self) -> Vec<Rule> {
        self.shared.change(|cluster, _| cluster.faults().never_fired().cloned().collect())
    }

    /// What rules have done to the cluster, or could not; the last ten thousand.
    #[must_use]
    pub fn carried_out(&self) -> Vec<CarriedOut> {
        self.shared.change(|cluster, _| cluster.carried_out().cloned().collect())
    }

    /// Stops a broker as an administrator does: others take its partitions over, then its listener and its connections are
    /// closed. Nothing happens when it does not run.
    ///
    /// # Cancel safety
    /// The broker has stopped once the future was polled; what is waited for is that its connections are closed.
    pub async fn stop_broker(&self, id: i32) {
        self.end_broker(id, Stop::Clean).await;
    }

    /// Ends a broker at once, as a crash does.
    ///
    /// # Cancel safety
    /// As [`TestCluster::stop_broker`].
    pub async fn kill_broker(&self, id: i32) {
        self.end_broker(id, Stop::Kill).await;
    }

    async fn end_broker(&self, id: i32, how: Stop) {
        let ended = self.running().remove(&id);
        self.shared.change(|cluster, _| cluster.handle_broker_stopped(id, how));
        if let Some(ended) = ended {
            ended.stop().await;
        }
    }

    /// Starts a broker that was stopped, at its old address. Nothing happens when it runs.
    ///
    /// # Errors
    /// When its address cannot be listened on any more.
    ///
    /// # Cancel safety
    /// A future that is dropped leaves the broker stopped.
    pub async fn start_broker(&self, id: i32) -> io::Result<()> {
        let Some(address) = self.addresses.get(&id) else { return Ok(()) };
        if self.running().contains_key(&id) {
            // A script may have crashed it, which leaves its listener.
            self.shared.change(|cluster, _| cluster.handle_broker_started(id));
            return Ok(());
        }
        let listener = TcpListener::bind(address).await?;
        self.shared.change(|cluster, _| cluster.handle_broker_started(id));
        self.running().insert(id, Running::start(&self.shared, id, listener, self.tls.clone()));
        Ok(())
    }

    /// Removes a member of a group, as if it had been silent for too long. False when there is no such member.
    pub fn evict_member(&self, group_id: &str, member_id: &str) -> bool {
        self.shared.change(|cluster, now| cluster.evict_member(group_id, member_id, now))
    }

    /// Removes all members of a group, as if they had been silent for too long. How many there were.
    pub fn evict_group(&self, group_id: &str) -> usize {
        self.shared.change(|cluster, now| cluster.evict_group(group_id, now))
    }

    /// A connection to the first broker that runs, through memory instead of a socket. Once the cluster has stopped, it is
    /// closed.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        let first = self.running().keys().next().copied();
        self.connect_to(first.unwrap_or_default())
    }

    /// A connection to this broker through memory; closed when it does not run.
    #[must_use]
    pub fn connect_to(&self, id: i32) -> DuplexStream {
        let (client, broker) = tokio::io::duplex(DUPLEX_BYTES);
        if let Some(running) = self.running().get(&id) {
            // Without a server, the other end is dropped, which closes this one.
            let _ = running.incoming.send(broker);
        }
        client
    }

    /// Closes the listeners and all connections, and waits until they are.
    ///
    /// # Cancel safety
    /// When the future is dropped the brokers stop all the same, without anybody waiting for it.
    pub async fn stop(self) {
        let Self { stop, clock, running, .. } = self;
        drop(stop);
        let running = running.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (_, broker) in running {
            broker.stop().await;
        }
        let _ = clock.await;
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<i32, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn start(shared: &Arc<Shared>, node_id: i32, listener: TcpListener, tls: Option<Acceptor>) -> Self {
        let (incoming, receiver) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server::serve(Arc::clone(shared), node_id, listener, tls, receiver, stopped));
        Self { incoming, stop, server }
    }

    async fn stop(self) {
        drop(self.stop);
        // It ends when it is told to; that it could have panicked is no reason for this to.
        let _ = self.server.await;
    }
}
