//! A Kafka broker as a machine: frames in, replies out, no clock, no socket.
//!
//! [`Cluster::handle_frame`] finds the API's handler in the table of `handlers` and runs it; what cannot be answered yet
//! waits in a purgatory and answers through [`Cluster::poll`]. The same seed and the same calls give the same replies.
//! [`server`](crate::server) moves bytes between this and its connections.
//!
//! - `config`: what the brokers are started with
//! - `internal_topics`: the topics of the coordinators
//! - `nodes`: which brokers there are, where replicas lie and who coordinates what
//! - `replication`: who leads and who is in sync, as brokers come and go
//! - `faults`: the script that is played, and what it does to connections, requests, answers and the cluster
//! - `connections`: which requests of a connection are open, and when the next may run
//! - `handlers`: a file per API, and the table of them with their versions
//! - `topics`, `topic_config`: topics and partitions, and what they are set to
//! - `partition`: one partition, its replicas and its leader
//! - `log`: the segments of a partition
//! - `producer_state`: what a partition knows of idempotent producers
//! - `purgatory`: requests that wait
//! - `invariants`: what must hold between two requests
//! - `fetch_sessions`: what readers have asked for before
//! - `groups`: groups of either protocol
//! - `storage`: what outlives the brokers, if they have a directory; `watched` knows what of it has changed
//! - `transactions`: transactional ids, and the markers that end their transactions
//! - `acls`, `authorization`: who may do what
//! - `sasl`, `credentials`: how clients show who they are, and what that is held against
//! - `properties`: Kafka's names for what the brokers are started with
//! - `settings`: what of it, and of groups, is set while they run
//! - `quotas`: how much clients may ask for

mod acls;
mod authorization;
pub mod config;
mod connections;
mod credentials;
mod faults;
mod fetch_sessions;
pub(crate) mod groups;
mod handlers;
mod internal_topics;
mod invariants;
pub(crate) mod log;
mod nodes;
mod partition;
mod producer_state;
pub(crate) mod properties;
mod purgatory;
mod quotas;
mod replication;
mod sasl;
mod settings;
pub(crate) mod storage;
mod topic_config;
mod topics;
pub(crate) mod transactions;
mod watched;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::messages::{JoinGroupRequest, SyncGroupRequest};
use tidemill_protocol::{DecodeError, EncodeError, ErrorCode, Request as Message, header};
use tokio::time::Instant;
use uuid::Uuid;

use self::acls::Acls;
pub use self::config::{BrokerConfig, ClusterProperties};
use self::connections::{Connections, Next};
use self::credentials::Credentials;
pub use self::faults::CarriedOut;
use self::faults::{Asked, Playing};
use self::fetch_sessions::FetchSessions;
use self::groups::{Around, GroupAnswer, Groups};
pub use self::groups::{GroupProperties, MigrationPolicy};
use self::handlers::fetch::{self, WaitingFetch};
use self::handlers::produce::{self, WaitingProduce};
pub use self::invariants::{Broken, Watch};
use self::nodes::Nodes;
pub use self::properties::{BrokerProperties, PropertyError};
use self::purgatory::Purgatory;
use self::quotas::Quotas;
pub use self::replication::Stop;
use self::sasl::Session;
use self::settings::Settings;
use self::topic_config::TopicConfig;
use self::topics::{Topic, TopicError, Topics};
pub use self::transactions::MarkersOf;
use self::transactions::{Transactions, next_look};

/// `log.retention.check.interval.ms`: how often records are looked for that have become too old. What is too much is
/// removed as it is written.
const RETENTION_CHECK_INTERVAL: Duration = Duration::from_secs(300);

/// A `log.cleaner.backoff.ms` of 0 would leave no time for anything else.
const CLEANER_BACKOFF_MIN: Duration = Duration::from_millis(1);

/// One connection to the broker. Whoever drives the broker gives the numbers; each is used once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct ConnectionId(pub u64);

/// One request that has not been answered yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Token(pub(crate) u64);

/// What to do with a connection now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// Which connection.
    pub connection: ConnectionId,
    /// What to do with it.
    pub action: Action,
}

/// What to do with a connection.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Write this answer, its length included; the next request may be read.
    Send(Bytes),
    /// Write these bytes at once. They are a part of an answer, or what a fault has made of it; more is to be done before
    /// the next request.
    Write(Bytes),
    /// Nothing: the request has been handled, and there is no answer (`acks=0`) or no more of it; the next may be read.
    Skip,
    /// Close the connection, as Kafka does with one that says what cannot be understood.
    Close,
    /// Reset the connection, as when a broker dies.
    Reset,
    /// Refuse the connection, as if nobody listened; reset it where it is there already.
    Refuse,
}

/// A frame is counted, not shown: it may hold a secret.
impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(frame) => write!(f, "Send({} bytes)", frame.len()),
            Self::Skip => f.write_str("Skip"),
            Self::Write(bytes) => write!(f, "Write({} bytes)", bytes.len()),
            Self::Close => f.write_str("Close"),
            Self::Reset => f.write_str("Reset"),
            Self::Refuse => f.write_str("Refuse"),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// Names the request; who answers it later keeps this.
    pub(crate) token: Token,
    pub(crate) connection: ConnectionId,
    /// Who it is, as `User:alice`.
    pub(crate) principal: &'a str,
    /// The broker that is asked.
    pub(crate) node_id: i32,
    /// The name the client gives itself.
    pub(crate) client_id: &'a str,
    /// Where it connects from, as Kafka writes it: `/127.0.0.1`.
    pub(crate) client_host: &'a str,
}

/// A request on its way through its handler. Without `Debug`, and so without one in its handler's log: a body may hold a
/// secret.
pub(crate) struct Request<'a> {
    pub(crate) caller: Caller<'a>,
    /// In which version the body is written and the answer must be.
    pub(crate) version: i16,
    correlation_id: i32,
    body: Bytes,
    pub(crate) now: Instant,
    /// `now` as wall clock, in milliseconds since 1970.
    pub(crate) unix_ms: i64,
}

impl Request<'_> {
    /// The body; as in Kafka, bytes behind its last field are passed over.
    pub(crate) fn decode<R: Message>(&self) -> Result<R, Refused> {
        Ok(header::take_request(self.version, &mut self.body.clone())?)
    }

    /// The answer, after which the connection is closed.
    pub(crate) fn last<R: Message>(&self, response: &R::Response) -> Result<Outcome, Refused> {
        Ok(Outcome::Last(header::encode_response::<R>(response, self.version, self.correlation_id)?))
    }

    /// The answer, when it is known at once.
    pub(crate) fn reply<R: Message>(&self, response: &R::Response) -> Result<Outcome, Refused> {
        Ok(Outcome::Reply(header::encode_response::<R>(response, self.version, self.correlation_id)?))
    }
}

/// What a handler has done with its request.
pub(crate) enum Outcome {
    /// Here is the frame to send.
    Reply(Bytes),
    /// Here is the frame to send before the connection is closed.
    Last(Bytes),
    /// It waits, and somebody keeps its token until [`Cluster::complete`].
    Waits,
    /// Done, and not answered.
    Silent,
}

/// The connection is to be closed: what came cannot be understood, or its answer cannot be said.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) String);

impl From<DecodeError> for Refused {
    fn from(error: DecodeError) -> Self {
        Self(error.to_string())
    }
}

impl From<EncodeError> for Refused {
    fn from(error: EncodeError) -> Self {
        Self(error.to_string())
    }
}

/// How a waiting request must be answered.
#[derive(Debug)]
struct Waiting {
    connection: ConnectionId,
    api: tidemill_protocol::ApiKey,
    version: i16,
    correlation_id: i32,
    /// What a script wants of it.
    asked: Option<Box<Asked>>,
}

/// All brokers of a cluster.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) config: ClusterProperties,
    pub(crate) cluster_id: String,
    pub(crate) nodes: Nodes,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    pub(crate) fetch_sessions: FetchSessions,
    pub(crate) acls: Acls,
    pub(crate) credentials: Credentials,
    pub(crate) quotas: Quotas,
    pub(crate) settings: Settings,
    fetches: Purgatory<WaitingFetch>,
    produces: Purgatory<WaitingProduce>,
    pub(crate) transactions: Transactions,
    connections: Connections,
    playing: Playing,
    waiting: BTreeMap<Token, Waiting>,
    next_token: u64,
    outgoing: Vec<Reply>,
    /// A request ran since the last look at what waits.
    changed: bool,
    started: Instant,
    started_unix_ms: i64,
    next_retention_check: Instant,
    next_producer_check: Instant,
    next_cleaning: Instant,
    pub(crate) random: fastrand::Rng,
    /// The next producer id when it was last kept.
    kept_producer_id: Option<i64>,
}

impl Cluster {
    /// Brokers without topics. `unix_ms` is the wall clock at `now`, in milliseconds since 1970; ids are drawn from
    /// `seed`.
    #[must_use]
    pub fn new(config: ClusterProperties, now: Instant, unix_ms: i64, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let next_producer_check = now + config.producer_id_expiration_interval;
        let mut cluster = Self {
            nodes: Nodes::new(&config.brokers),
            next_cleaning: now + config.log_cleaner_backoff.max(CLEANER_BACKOFF_MIN),
            credentials: Credentials::default(),
            acls: Acls::default(),
            quotas: Quotas::default(),
            settings: Settings::new(&config),
            config,
            cluster_id: (0..22).map(|_| random.alphanumeric()).collect(),
            topics: Topics::default(),
            groups: Groups::new(random.fork()),
            fetch_sessions: FetchSessions::new(random.fork()),
            fetches: Purgatory::default(),
            produces: Purgatory::default(),
            transactions: Transactions::default(),
            connections: Connections::default(),
            playing: Playing::new(now),
            waiting: BTreeMap::new(),
            next_token: 0,
            outgoing: Vec::new(),
            changed: false,
            started: now,
            started_unix_ms: unix_ms,
            next_retention_check: now + RETENTION_CHECK_INTERVAL,
            next_producer_check,
            random,
            kept_producer_id: None,
        };
        if let Some(sasl) = &cluster.config.sasl {
            cluster.credentials = Credentials::new(sasl, &mut cluster.random);
        }
        cluster
    }

    /// A connection to this broker was opened, from this host. It is refused where there is no such broker.
    pub fn handle_connected(&mut self, connection: ConnectionId, node_id: i32, client_host: &str, now: Instant) {
        self.handle_connected_as(connection, node_id, client_host, None, now);
    }

    /// As [`Cluster::handle_connected`], of a client that has shown by its certificate who it is, such as
    /// `User:CN=orders`. Where the brokers ask for SASL, that counts instead.
    pub fn handle_connected_as(
        &mut self,
        connection: ConnectionId,
        node_id: i32,
        client_host: &str,
        principal: Option<&str>,
        now: Instant,
    ) {
        if self.nodes.is_running(node_id) {
            let asks = self.config.sasl.is_some();
            let session = if asks { Session::unknown() } else { Session::open(principal) };
            self.admit(connection, node_id, client_host, session, now);
        } else {
            self.outgoing.push(Reply { connection, action: Action::Refuse });
        }
    }

    /// A request came, without its length. As in Kafka, the requests of a connection run one after the other: a frame that
    /// comes while an earlier one is open waits for its answer.
    pub fn handle_frame(&mut self, connection: ConnectionId, frame: Bytes, now: Instant) {
        self.connections.push(connection, frame);
        self.run(connection, now);
    }

    /// A connection is gone; what it still asked for is not answered.
    pub fn handle_disconnected(&mut self, connection: ConnectionId, _now: Instant) {
        self.connections.close(connection);
        self.forget(connection);
    }

    /// Forgets what a connection still asked for.
    fn forget(&mut self, connection: ConnectionId) {
        self.playing.forget(connection);
        for token in self.waiting.extract_if(.., |_, waiting| waiting.connection == connection).map(|(token, _)| token)
        {
            self.fetches.remove(token);
            self.produces.remove(token);
        }
    }

    /// Closes every connection to a broker, or resets it.
    fn end_connections(&mut self, node_id: i32, how: &Action) {
        for connection in self.connections.of(node_id) {
            self.connections.close(connection);
            self.forget(connection);
            self.outgoing.push(Reply { connection, action: how.clone() });
        }
    }

    /// Answers what has become due, appends what is to be done with connections to `replies`, in order, and says when to
    /// ask again.
    pub fn poll(&mut self, now: Instant, replies: &mut Vec<Reply>) -> Option<Instant> {
        self.retain(now);
        self.expire_producers(now);
        self.clean(now);
        let housekeeping = self.next_retention_check.min(self.next_producer_check).min(self.next_cleaning);
        let mut wake_at;
        loop {
            let mut answers = Vec::new();
            let script = self.poll_faults(now);
            let transactions = self.poll_transactions(now);
            let groups = self.poll_groups(now, &mut answers);
            let produces = produce::poll(self, now);
            let fetches = fetch::poll(self, now);
            wake_at = [script, transactions, groups, produces, fetches, Some(housekeeping)].into_iter().flatten().min();
            for (token, answer) in answers.drain(..) {
                match answer {
                    GroupAnswer::Join(response) => self.complete::<JoinGroupRequest>(token, &response, now),
                    GroupAnswer::Sync(response) => self.complete::<SyncGroupRequest>(token, &response, now),
                }
            }
            // An answer lets the next request of its connection run, which may make others ready.
            if !std::mem::take(&mut self.changed) {
                break;
            }
        }
        replies.append(&mut self.outgoing);
        // What was put off just now counts as well.
        wake_at.into_iter().chain(self.playing.next_later()).min()
    }

    /// Makes a topic with these settings, with so many replicas of each partition where the brokers place them.
    pub(crate) fn create_topic<'a>(
        &mut self,
        name: &str,
        partitions: i32,
        replication_factor: i16,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<&Topic, TopicError> {
        self.topics.check_new(name, partitions)?;
        let replicas = self.place(partitions, replication_factor)?;
        self.create_topic_at(name, replicas, settings)
    }

    /// Makes a topic whose partitions have these replicas.
    pub(crate) fn create_topic_at<'a>(
        &mut self,
        name: &str,
        replicas: Vec<Vec<i32>>,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<&Topic, TopicError> {
        let config = TopicConfig::over(self.settings.topic_defaults(), settings);
        let config = config.map_err(|reason| TopicError::new(ErrorCode::INVALID_CONFIG, reason))?;
        let id = self.random_id();
        self.playing.faults_mut().name_topic(id, name);
        self.topics.create(name, id, replicas, config)?;
        self.begin_partitions(name, 0);
        self.follow_leaders();
        self.topics
            .by_name(name)
            .ok_or_else(|| TopicError::new(ErrorCode::UNKNOWN_SERVER_ERROR, "it was made just now"))
    }

    /// Lets the partitions from this one on, which are new, be led by replicas that run.
    fn begin_partitions(&mut self, name: &str, first: usize) {
        let Ok(topic) = self.topics.find_mut(name, None) else { return };
        for partition in topic.partitions.iter_mut().skip(first) {
            partition.begin(|id| self.nodes.is_running(id));
        }
    }

    /// Adds partitions with these replicas to a topic that is there.
    pub(crate) fn add_partitions(&mut self, name: &str, replicas: Vec<Vec<i32>>) {
        let first = self.topics.by_name(name).map_or(0, |topic| topic.partitions.len());
        self.topics.add_partitions(name, replicas);
        self.begin_partitions(name, first);
    }

    /// Gives a topic that is there other settings, which hold from now on.
    pub(crate) fn set_topic_config(&mut self, name: &str, config: TopicConfig) {
        if let Ok(topic) = self.topics.find_mut(name, None) {
            topic.config = config;
        }
    }

    /// Where the replicas of new partitions lie.
    pub(crate) fn place(&mut self, partitions: i32, replication_factor: i16) -> Result<Vec<Vec<i32>>, TopicError> {
        let refuse = |message: String| TopicError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message);
        if replication_factor <= 0 {
            return Err(refuse("Replication factor must be larger than 0, or -1 to use the default value.".to_owned()));
        }
        let running = self.nodes.running().count();
        let placed = self.nodes.place(partitions, replication_factor, &mut self.random);
        placed.ok_or_else(|| {
            refuse(format!(
                "Unable to replicate the partition {replication_factor} time(s): The target replication factor of \
                 {replication_factor} cannot be reached because only {running} broker(s) are registered or some \
                 brokers have all their log directories cordoned."
            ))
        })
    }

    /// An id that nothing else has.
    pub(crate) fn random_id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random.u128(..).to_be_bytes()).into_uuid()
    }

    /// Removes a topic, and tells who waits for its records.
    pub(crate) fn delete_topic(&mut self, name: &str) {
        let Some(topic) = self.topics.remove(name) else { return };
        self.groups.handle_topic_deleted(name);
        self.follow_leaders();
        for (number, _) in topic.numbered() {
            self.fetches.touch((topic.id, number));
            self.produces.touch((topic.id, number));
        }
    }

    /// The groups, and what they look at.
    pub(crate) fn groups(&mut self, request: &Request<'_>) -> (&mut Groups, Around<'_>) {
        let Self { groups, topics, nodes, config, .. } = self;
        let around = Around {
            topics,
            nodes,
            properties: &config.groups,
            node_id: request.caller.node_id,
            now: request.now,
            unix_ms: request.unix_ms,
        };
        groups.follow_coordinators(&around);
        (groups, around)
    }

    fn poll_groups(&mut self, now: Instant, answers: &mut Vec<(Token, GroupAnswer)>) -> Option<Instant> {
        self.with_groups(now, |groups, around| {
            let expires = groups.expire(around);
            groups.poll(around, answers).into_iter().chain(expires).min()
        })
    }

    /// The groups by themselves, not at the request of anybody.
    fn with_groups<T>(&mut self, now: Instant, act: impl FnOnce(&mut Groups, &Around<'_>) -> T) -> T {
        let unix_ms = self.unix_ms(now);
        let Self { groups, topics, nodes, config, .. } = self;
        act(groups, &Around { topics, nodes, properties: &config.groups, node_id: -1, now, unix_ms })
    }

    /// Removes a member of a group, as if it had been silent for too long. False when there is no such member.
    pub fn evict_member(&mut self, group_id: &str, member_id: &str, now: Instant) -> bool {
        self.changed = true;
        self.with_groups(now, |groups, around| groups.evict_member(group_id, member_id, around))
    }

    /// Removes all members of a group, as if they had been silent for too long. How many there were.
    pub fn evict_group(&mut self, group_id: &str, now: Instant) -> usize {
        self.changed = true;
        self.with_groups(now, |groups, around| groups.evict_group(group_id, around))
    }

    /// Removes what has become too old.
    fn retain(&mut self, now: Instant) {
        if now < self.next_retention_check {
            return;
        }
        self.next_retention_check = now + RETENTION_CHECK_INTERVAL;
        let unix_ms = self.unix_ms(now);
        for topic in self.topics.iter_mut() {
            for partition in &mut topic.partitions {
                // Of compacted topics the cleaner does it, as in Kafka.
                if !topic.config.compacts {
                    partition.retain(&topic.config, unix_ms);
                }
                partition.producers.forget_before(partition.log.start_offset());
            }
        }
    }

    /// Makes partitions forget producers that have written nothing for long.
    fn expire_producers(&mut self, now: Instant) {
        if now < self.next_producer_check {
            return;
        }
        self.next_producer_check = next_look(self.started, self.config.producer_id_expiration_interval, now);
        let before_ms = self.unix_ms(now).saturating_sub(millis(self.config.producer_id_expiration));
        for topic in self.topics.iter_mut() {
            topic.partitions.iter_mut().for_each(|partition| partition.producers.expire(before_ms));
        }
    }

    /// Compacts the logs that are dirty enough, and removes from compacted topics what has become too old.
    fn clean(&mut self, now: Instant) {
        if now < self.next_cleaning {
            return;
        }
        self.next_cleaning = now + self.config.log_cleaner_backoff.max(CLEANER_BACKOFF_MIN);
        let unix_ms = self.unix_ms(now);
        let compacted = self.topics.iter().filter(|topic| topic.config.compacts).map(|topic| topic.name.0.clone());
        for name in compacted.collect::<Vec<_>>() {
            let Ok(topic) = self.topics.find_mut(&name, None) else { continue };
            for partition in &mut topic.partitions {
                partition.clean(&topic.config, unix_ms);
                partition.retain(&topic.config, unix_ms);
            }
        }
    }

    /// Answers a request that waited; one whose connection is gone is forgotten.
    pub(crate) fn complete<R: Message>(&mut self, token: Token, response: &R::Response, now: Instant) {
        let Some(waiting) = self.waiting.remove(&token) else { return };
        let frame = header::encode_response::<R>(response, waiting.version, waiting.correlation_id);
        self.finish(waiting.connection, waiting.asked, frame.map(Outcome::Reply).map_err(Refused::from), now);
        self.run(waiting.connection, now);
    }

    /// `now` as wall clock, in milliseconds since 1970.
    pub(crate) fn unix_ms(&self, now: Instant) -> i64 {
        let elapsed = now.saturating_duration_since(self.started);
        self.started_unix_ms.saturating_add(millis(elapsed))
    }

    /// Runs the requests of a connection until one waits or none is left.
    fn run(&mut self, connection: ConnectionId, now: Instant) {
        while let Some(next) = self.connections.next(connection) {
            self.changed = true;
            let Some(next) = self.run_under_faults(connection, next, now) else { continue };
            let (asked, outcome) = self.run_one(connection, next, None, now);
            self.finish(connection, asked, outcome, now);
        }
    }

    /// Runs a request; what a script wants of it comes back when it does not wait.
    fn run_one(
        &mut self,
        connection: ConnectionId,
        Next { node_id, frame: mut body, client_host }: Next,
        asked: Option<Box<Asked>>,
        now: Instant,
    ) -> (Option<Box<Asked>>, Result<Outcome, Refused>) {
        match self.identify(connection, &body, now) {
            Ok(None) => {}
            Ok(Some(outcome)) => return (asked, Ok(outcome)),
            Err(refused) => return (asked, Err(refused)),
        }
        let header = match header::read_request_header(&mut body) {
            Ok(header) => header,
            Err(error) => return (asked, Err(error.into())),
        };
        let principal = match self.admitted(connection, header.api_key, now) {
            Ok(principal) => principal,
            Err(refused) => return (asked, Err(refused)),
        };
        let token = Token(self.next_token);
        self.next_token += 1;
        let client_id = header.client_id.as_deref().unwrap_or_default();
        let request = Request {
            caller: Caller { token, connection, principal: &principal, node_id, client_id, client_host: &client_host },
            version: header.api_version,
            correlation_id: header.correlation_id,
            body,
            now,
            unix_ms: self.unix_ms(now),
        };
        let (version, correlation_id) = (header.api_version, header.correlation_id);
        // Before the handler runs, so that it may complete the request itself.
        self.waiting.insert(token, Waiting { connection, api: header.api_key, version, correlation_id, asked });
        let outcome = handlers::handle(self, header.api_key, &request);
        if matches!(outcome, Ok(Outcome::Waits)) {
            // It is applied, and its answer comes later.
            let asked = self.waiting.get_mut(&token).and_then(|waiting| waiting.asked.as_mut());
            let after = asked.map(|asked| asked.take_after()).unwrap_or_default();
            self.carry_out(after, now);
            return (None, outcome);
        }
        (self.waiting.remove(&token).and_then(|waiting| waiting.asked), outcome)
    }

    /// Whether a frame of this length may come now; answers the bare tokens of SASL, which have no header.
    fn identify(&mut self, connection: ConnectionId, body: &Bytes, now: Instant) -> Result<Option<Outcome>, Refused> {
        self.session(connection)?.admit_frame(body.len())?;
        if self.session(connection)?.takes_bare_tokens() {
            return handlers::sasl_authenticate::bare(self, connection, body, now).map(Some);
        }
        Ok(None)
    }

    /// Who asks, if this API may be asked now.
    fn admitted(
        &mut self,
        connection: ConnectionId,
        api: tidemill_protocol::ApiKey,
        now: Instant,
    ) -> Result<Arc<str>, Refused> {
        let session = self.session(connection)?;
        session.admit(api, now)?;
        Ok(session.principal())
    }

    /// How far the client of an open connection has shown who it is.
    pub(crate) fn session(&mut self, connection: ConnectionId) -> Result<&mut Session, Refused> {
        self.connections.session_mut(connection).ok_or_else(|| Refused("the connection is closed".to_owned()))
    }
}

/// A duration in whole milliseconds, as Kafka counts time.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
