//! What a cluster and its brokers are started with. Names and defaults are those of Kafka's broker properties.

use std::fmt;
use std::time::Duration;

pub use super::authorization::Authorizer;
use super::credentials::ScramHash;
use super::groups::GroupProperties;
use super::properties::BrokerProperties;

/// One broker of a [`Cluster`](super::Cluster).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// `node.id`. Default 1.
    pub node_id: i32,
    /// The host that clients are told to connect to. Default `127.0.0.1`.
    pub host: String,
    /// The port that clients are told to connect to. Default 9092.
    pub port: u16,
    /// `broker.rack`. Default none.
    pub rack: Option<String>,
}

/// What all brokers of a [`Cluster`](super::Cluster) have in common.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterProperties {
    /// The brokers, each with a number of its own. Default one.
    pub brokers: Vec<BrokerConfig>,
    /// `num.partitions`: of a topic that is made without a count. Default 1.
    pub num_partitions: i32,
    /// `default.replication.factor`: of a topic that is made without one. Default 1.
    pub default_replication_factor: i16,
    /// `auto.create.topics.enable`. Default true.
    pub auto_create_topics: bool,
    /// Whether readers that say their rack are sent to a replica there, as with Kafka's `RackAwareReplicaSelector` in
    /// `replica.selector.class` (KIP-392). Default false.
    pub rack_aware_fetch: bool,
    /// The level of the feature `transaction.version` (KIP-890): 0 and 1 are transactions of the first generation, 2 of the
    /// second, to clients that know it. Default 2.
    pub transaction_version: i16,
    /// `transaction.max.timeout.ms`: the longest that a client may ask for. Default 15 minutes.
    pub transaction_timeout_max: Duration,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`: how often, from the start on, transactions are looked
    /// for that have been open for too long. Default 10 s.
    pub transaction_abort_interval: Duration,
    /// `transactional.id.expiration.ms`: how long a transactional id is remembered that does nothing and has no transaction
    /// open. Default 7 days.
    pub transactional_id_expiration: Duration,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`: how often, from the start on, such ids are looked for.
    /// Default 1 h.
    pub transactional_id_expiration_interval: Duration,
    /// `producer.id.expiration.ms`: how long a partition remembers a producer id, by the timestamp of the last that it wrote.
    /// Default 1 day.
    pub producer_id_expiration: Duration,
    /// `producer.id.expiration.check.interval.ms`: how often, from the start on, such ids are looked for. Default 10 min.
    pub producer_id_expiration_interval: Duration,
    /// `log.cleaner.backoff.ms`: how often, from the start on, logs are looked for that are to be compacted. Default 15 s.
    pub log_cleaner_backoff: Duration,
    /// How groups are coordinated.
    pub groups: GroupProperties,
    /// `authorizer.class.name`: who may do what. Default none: everyone may do everything.
    pub authorizer: Option<Authorizer>,
    /// How clients show who they are. Default none: they are not asked.
    pub sasl: Option<SaslProperties>,
    /// Whether connections come by TLS, which is done by whoever drives the brokers. Default false.
    pub tls: bool,
    /// What was set by name, for who asks: it has set the others already.
    pub(crate) given: BrokerProperties,
}

/// How clients show who they are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SaslProperties {
    /// `sasl.enabled.mechanisms`. Default all.
    pub mechanisms: Vec<Mechanism>,
    /// Who is known, by PLAIN and SCRAM. Default nobody.
    pub users: Vec<User>,
    /// `connections.max.reauth.ms`: how long until a client has to show anew who it is (KIP-368). Default none.
    pub session_lifetime_max: Option<Duration>,
}

/// A way to show who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Mechanism {
    /// `PLAIN`: by name and password.
    Plain,
    /// `SCRAM-SHA-256`: by proof that a password is known.
    ScramSha256,
    /// `SCRAM-SHA-512`: the same by another hash.
    ScramSha512,
    /// `OAUTHBEARER`: by a token. As with Kafka's own validator, any is good that is signed by nobody and has not ended.
    OauthBearer,
}

/// Somebody who is known by a password.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// The password stays out of it.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

impl User {
    /// Somebody of this name and password.
    #[must_use]
    pub fn new(name: &str, password: &str) -> Self {
        Self { name: name.to_owned(), password: password.to_owned() }
    }
}

impl Mechanism {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Plain, Self::ScramSha256, Self::ScramSha512, Self::OauthBearer];

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }

    /// Its hash, if it is a SCRAM.
    pub(crate) const fn scram(self) -> Option<ScramHash> {
        match self {
            Self::Plain | Self::OauthBearer => None,
            Self::ScramSha256 => Some(ScramHash::Sha256),
            Self::ScramSha512 => Some(ScramHash::Sha512),
        }
    }
}

impl Default for SaslProperties {
    fn default() -> Self {
        Self { mechanisms: Mechanism::ALL.to_vec(), users: Vec::new(), session_lifetime_max: None }
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self { node_id: 1, host: "127.0.0.1".to_owned(), port: 9092, rack: None }
    }
}

impl Default for ClusterProperties {
    fn default() -> Self {
        Self {
            brokers: vec![BrokerConfig::default()],
            num_partitions: 1,
            default_replication_factor: 1,
            auto_create_topics: true,
            rack_aware_fetch: false,
            transaction_version: 2,
            transaction_timeout_max: Duration::from_secs(15 * 60),
            transaction_abort_interval: Duration::from_secs(10),
            transactional_id_expiration: Duration::from_secs(7 * 24 * 60 * 60),
            transactional_id_expiration_interval: Duration::from_secs(60 * 60),
            producer_id_expiration: Duration::from_secs(24 * 60 * 60),
            producer_id_expiration_interval: Duration::from_secs(10 * 60),
            log_cleaner_backoff: Duration::from_secs(15),
            groups: GroupProperties::default(),
            authorizer: None,
            sasl: None,
            tls: false,
            given: BrokerProperties::default(),
        }
    }
}

impl ClusterProperties {
    /// What listeners speak, as clients' configurations call it.
    pub(crate) const fn security_protocol(&self) -> &'static str {
        match (self.sasl.is_some(), self.tls) {
            (false, false) => "PLAINTEXT",
            (false, true) => "SSL",
            (true, false) => "SASL_PLAINTEXT",
            (true, true) => "SASL_SSL",
        }
    }
}
