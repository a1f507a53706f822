//! Which broker for which request: the cluster as producers, consumers and admin see it.
//!
//! They hand a request and a [`Target`] to [`Cluster::request`]; it goes on in
//! [`connection`](crate::connection).
//!
//! - `metadata`: machine: when to refresh, whom to ask, what an answer changes
//! - `snapshot`: the immutable view that others read
//! - `coordinators`: group coordinators
//! - `backoff`: how long to wait before trying again
//! - `driver`: the task that keeps metadata fresh
#![expect(
    clippy::disallowed_methods,
    reason = "the front door starts the driver's task and reads the clock for deadlines"
)]

mod backoff;
mod coordinators;
mod driver;
mod metadata;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::{ErrorCode, Request};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use self::backoff::Backoff;
pub(crate) use self::coordinators::CoordinatorKind;
use self::coordinators::{Coordinators, Found};
use self::metadata::{Candidate, Metadata};
pub(crate) use self::snapshot::{Leader, Snapshot};
use crate::config::ClientConfig;
use crate::connection::{Access, Connection};
use crate::error::Error;

/// From 4 on, asking does not create topics; 12 takes topic ids.
const METADATA_VERSIONS: VersionRange = VersionRange::new(1, 12);
const FIND_COORDINATOR_VERSIONS: VersionRange = VersionRange::new(0, 6);

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The broker of this id.
    Broker(i32),
    /// The controller, or a broker that passes the request on to it.
    Controller,
    /// Whoever answers first.
    Any,
    /// The coordinator of this group or transactional id.
    Coordinator(CoordinatorKind, String),
}

/// Each purpose has its own connections, so that a long poll blocks nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Metadata, lookups, admin.
    General,
    /// Produce.
    Produce,
    /// Fetch.
    Fetch,
    /// Groups.
    Coordination,
    /// The coordinator of transactions, and the offsets that are committed with them.
    Transactions,
}

/// A handle to the cluster, cheap to clone. The task behind it ends with the last one.
#[derive(Debug, Clone)]
pub(crate) struct Cluster(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.closed.notify_one();
    }
}

/// What the handles and the driver share.
#[derive(Debug)]
struct Shared {
    config: ClientConfig,
    access: Arc<Access>,
    bootstrap: Vec<(String, u16)>,
    metadata: Mutex<Metadata>,
    coordinators: Mutex<Coordinators>,
    connections: Mutex<Connections>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    woken: Notify,
    closed: Notify,
}

/// The connections by address and purpose, and when the next may be opened to an address that was lost.
#[derive(Debug, Default)]
struct Connections {
    open: BTreeMap<((String, u16), Purpose), Slot>,
}

#[derive(Debug)]
struct Slot {
    connection: Arc<Connection>,
    opened: Instant,
    failures: u32,
}

impl Cluster {
    /// Begins to learn about the cluster. Needs a tokio runtime.
    ///
    /// # Errors
    /// When no address is configured.
    pub(crate) fn start(config: ClientConfig) -> Result<Self, Error> {
        let bootstrap = config.addresses()?;
        let access = Arc::new(Access::new(&config)?);
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| Error::misuse("a client needs a tokio runtime: create it inside one"))?;
        let backoff = config.retry_backoff.clone();
        let metadata = Metadata::new(bootstrap.len(), config.metadata_age_max, backoff, fastrand::u64(..));
        let snapshot = watch::Sender::new(Arc::clone(metadata.snapshot()));
        let shared = Arc::new(Shared {
            config,
            access,
            bootstrap,
            metadata: Mutex::new(metadata),
            coordinators: Mutex::default(),
            connections: Mutex::default(),
            snapshot,
            woken: Notify::new(),
            closed: Notify::new(),
        });
        runtime.spawn(driver::run(Arc::clone(&shared)));
        Ok(Self(Arc::new(Handle { shared })))
    }

    /// The cluster as it is known now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.shared.snapshot.borrow())
    }

    /// Waits until a snapshot newer than `seen` exists.
    pub(crate) async fn changed(&self, seen: u64) {
        let mut snapshots = self.0.shared.snapshot.subscribe();
        // The sender lives as long as this handle.
        let _ = snapshots.wait_for(|snapshot| snapshot.version() > seen).await;
    }

    /// Keeps these topics in the snapshot from now on; new ones are asked for at once.
    pub(crate) fn track_topics<'a>(&self, topics: impl IntoIterator<Item = &'a str>, auto_create: bool) {
        self.0.shared.metadata().handle_track(topics, auto_create, Instant::now());
        self.0.shared.woken.notify_one();
    }

    /// Asks for the names of these topics, which are kept in the snapshot from then on.
    pub(crate) fn name_topics(&self, ids: impl IntoIterator<Item = Uuid>) {
        self.0.shared.metadata().handle_name(ids, Instant::now());
        self.0.shared.woken.notify_one();
    }

    /// The snapshot turned out to be out of date.
    pub(crate) fn refresh(&self) {
        self.0.shared.metadata().handle_wanted(false, Instant::now());
        self.0.shared.woken.notify_one();
    }

    /// A broker said that it is not the coordinator, or it is gone.
    pub(crate) fn coordinator_moved(&self, kind: CoordinatorKind, key: &str) {
        self.0.shared.coordinators().handle_moved(kind, key);
    }

    /// For [`refused`](Self::refused): what happens from now on.
    pub(crate) fn refusals(&self) -> watch::Receiver<Option<Error>> {
        self.0.shared.access.refusals()
    }

    /// Waits until a connection is refused so that waiting cannot help: certificates, credentials, options. Connections are
    /// tried again all the same, so a refusal that lasts is told again, after the back-off.
    pub(crate) async fn refused(&self, refusals: &mut watch::Receiver<Option<Error>>) -> Error {
        loop {
            // Its sender lives as long as this handle.
            if refusals.changed().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(error) = refusals.borrow_and_update().clone() {
                return error;
            }
        }
    }

    /// Why no connection is open, when none is and one was lost.
    pub(crate) fn unreachable(&self) -> Option<Error> {
        let connections = self.0.shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lost = None;
        for (((host, port), _), slot) in &connections.open {
            if slot.connection.is_ready() {
                return None;
            }
            lost = lost.or_else(|| slot.connection.failure().map(|error| error.unreachable(host, *port, 1)));
        }
        lost
    }

    /// Makes one request, once, in the newest version of `versions` that its broker speaks.
    ///
    /// # Cancel safety
    /// When the future is dropped the request may have been sent; its answer is then thrown away.
    pub(crate) async fn request<R: Request>(
        &self,
        target: Target,
        purpose: Purpose,
        versions: VersionRange,
        timeout: Duration,
        build: impl FnOnce(i16) -> R + Send,
    ) -> Result<R::Response, Error> {
        let shared = &self.0.shared;
        let connection = match target {
            Target::Broker(id) => shared.connection_to_broker(id, purpose)?,
            Target::Controller => match self.snapshot().controller {
                Some(id) => shared.connection_to_broker(id, purpose)?,
                None => self.any(purpose).await?,
            },
            Target::Any => self.any(purpose).await?,
            Target::Coordinator(kind, key) => {
                let id = self.coordinator(kind, &key).await?;
                shared.connection_to_broker(id, purpose)?
            }
        };
        let (_, response) = connection.request(versions, timeout, build).await?;
        Ok(response)
    }

    /// The connection to a broker for a purpose, for requests and answers that have no struct.
    ///
    /// # Errors
    /// When the broker's address is not known.
    pub(crate) fn connection_to_broker(&self, id: i32, purpose: Purpose) -> Result<Arc<Connection>, Error> {
        self.0.shared.connection_to_broker(id, purpose)
    }

    /// The broker that coordinates a group or the transactions of an id.
    pub(crate) async fn coordinator(&self, kind: CoordinatorKind, key: &str) -> Result<i32, Error> {
        let found = self.coordinators(kind, &BTreeSet::from([key.to_owned()])).await?;
        found
            .get(key)
            .copied()
            .unwrap_or(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE))
            .map_err(|code| Error::broker(format!("finding the coordinator of {} '{key}'", kind.noun()), code))
    }

    /// The brokers that coordinate these groups or transactional ids: what is not known of one is asked for in one
    /// request, or one for each where brokers take no more (before KIP-699).
    ///
    /// # Errors
    /// When no broker answers.
    pub(crate) async fn coordinators(
        &self,
        kind: CoordinatorKind,
        keys: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Result<i32, ErrorCode>>, Error> {
        let shared = &self.0.shared;
        let mut coordinators = BTreeMap::new();
        let mut missing = Vec::new();
        for key in keys {
            match shared.coordinators().known(kind, key) {
                Some(broker) => drop(coordinators.insert(key.clone(), Ok(broker))),
                None => missing.push(key.as_str()),
            }
        }
        while !missing.is_empty() {
            let connection = self.any(Purpose::General).await?;
            let timeout = shared.config.request_timeout;
            let ask = |version| coordinators::request(kind, &missing, version);
            let (version, answer) = connection.request(FIND_COORDINATOR_VERSIONS, timeout, ask).await?;
            let asked = missing.len();
            for (key, found) in coordinators::read(&missing, &answer, version) {
                if let Ok(found) = &found {
                    self.learn_coordinator(kind, &key, found);
                }
                coordinators.insert(key, found.map(|found| found.broker));
            }
            missing.retain(|key| !coordinators.contains_key(*key));
            if missing.len() == asked {
                return Err(Error::protocol("the answer to FindCoordinator leaves out what was asked"));
            }
        }
        Ok(coordinators)
    }

    fn learn_coordinator(&self, kind: CoordinatorKind, key: &str, found: &Found) {
        let shared = &self.0.shared;
        if !self.snapshot().brokers.contains_key(&found.broker) {
            let mut snapshot = Snapshot::clone(&self.snapshot());
            snapshot.brokers.insert(found.broker, (found.host.clone(), found.port));
            shared.publish(Arc::new(snapshot));
        }
        shared.coordinators().handle_found(kind, key, found.broker);
    }

    /// Waits until the address of a broker is known, which it is as soon as metadata is newer than what named it.
    ///
    /// # Errors
    /// When `timeout` passes.
    pub(crate) async fn broker_known(&self, id: i32, timeout: Duration) -> Result<(), Error> {
        let mut snapshots = self.0.shared.snapshot.subscribe();
        if snapshots.borrow().brokers.contains_key(&id) {
            return Ok(());
        }
        self.refresh();
        // The sender lives as long as this handle.
        let known = snapshots.wait_for(|snapshot| snapshot.brokers.contains_key(&id));
        match tokio::time::timeout(timeout, known).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::timeout(format!("finding broker {id}"))),
        }
    }

    /// How long a broker may take for an answer.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.0.shared.config.request_timeout
    }

    /// How long to wait before trying again.
    pub(crate) fn backoff(&self) -> Backoff {
        self.0.shared.config.backoff()
    }

    /// A connection to whichever broker is known; before the first metadata, to a configured address that can be
    /// reached, asked one after the other.
    async fn any(&self, purpose: Purpose) -> Result<Arc<Connection>, Error> {
        let shared = &self.0.shared;
        let brokers: Vec<i32> = self.snapshot().brokers.keys().copied().collect();
        for id in &brokers {
            if let Ok(connection) = shared.connection_to_broker(*id, purpose)
                && connection.opened(shared.config.connection_setup_timeout).await.is_ok()
            {
                return Ok(connection);
            }
        }
        let mut last = Error::config("no broker to ask");
        for (place, (host, port)) in shared.bootstrap.iter().enumerate() {
            let connection = shared.connection_to_candidate(Candidate::Bootstrap(place), purpose)?;
            match connection.opened(shared.config.connection_setup_timeout).await {
                Ok(()) => return Ok(connection),
                Err(error) => last = error.unreachable(host, *port, shared.bootstrap.len()),
            }
        }
        Err(last)
    }
}

impl Shared {
    fn metadata(&self) -> MutexGuard<'_, Metadata> {
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn coordinators(&self) -> MutexGuard<'_, Coordinators> {
        self.coordinators.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, snapshot: Arc<Snapshot>) {
        self.snapshot.send_replace(snapshot);
    }

    fn connection_to_broker(&self, id: i32, purpose: Purpose) -> Result<Arc<Connection>, Error> {
        let address = self.snapshot.borrow().brokers.get(&id).cloned();
        let Some(address) = address else {
            let reason = std::io::Error::new(std::io::ErrorKind::NotFound, "its address is not known");
            return Err(Error::network(format!("connecting to broker {id}"), reason));
        };
        Ok(self.connection(address, purpose))
    }

    fn connection_to_candidate(&self, candidate: Candidate, purpose: Purpose) -> Result<Arc<Connection>, Error> {
        match candidate {
            Candidate::Broker(id) => self.connection_to_broker(id, purpose),
            Candidate::Bootstrap(place) => {
                let address = self.bootstrap.get(place).or_else(|| self.bootstrap.first()).cloned();
                let address = address.ok_or_else(|| Error::config("no broker to ask"))?;
                Ok(self.connection(address, purpose))
            }
        }
    }

    /// The connection to an address: the one that is open, or a new one. After a loss a new one is opened only when
    /// the back-off has passed; until then requests fail with the reason of the loss.
    fn connection(&self, address: (String, u16), purpose: Purpose) -> Arc<Connection> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let open = || Arc::new(Connection::open(&address.0, address.1, &self.config, &self.access));
        let slot = connections.open.entry((address.clone(), purpose)).or_insert_with(|| Slot {
            connection: open(),
            opened: now,
            failures: 0,
        });
        if slot.connection.is_closed() {
            let wait =
                self.config.reconnect_backoff.next(slot.failures, &mut fastrand::Rng::with_seed(u64::from(address.1)));
            if now >= slot.opened + wait {
                // A connection that lived for a while was lost, not refused: begin with the shortest wait again.
                let lived = now.saturating_duration_since(slot.opened) > self.config.reconnect_backoff.max * 2;
                slot.failures = if lived { 0 } else { slot.failures.saturating_add(1) };
                slot.opened = now;
                slot.connection = open();
            }
        }
        Arc::clone(&slot.connection)
    }
}
