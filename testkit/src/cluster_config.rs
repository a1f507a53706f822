//! [`ClusterConfig`]: how a [`TestCluster`](crate::TestCluster) is set up, by its own options or by Kafka's names.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::broker::config::{Authorizer, Mechanism, SaslProperties, User};
use crate::broker::{BrokerProperties, ClusterProperties, GroupProperties, PropertyError};
use crate::faults::Script;
use crate::server::Acceptor;

/// How a [`TestCluster`](crate::TestCluster) is set up.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) racks: Vec<Option<String>>,
    /// Without its brokers, which are known when they listen.
    pub(crate) cluster: ClusterProperties,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::Tls>,
    pub(crate) faults: Option<(Script, u64)>,
    pub(crate) data: Option<PathBuf>,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            racks: vec![None],
            cluster: ClusterProperties::default(),
            #[cfg(feature = "tls")]
            tls: None,
            faults: None,
            data: None,
        }
    }
}

impl ClusterConfig {
    /// Where the first broker listens, which is also the address that clients are told to connect to; the others take the
    /// ports that follow. Port 0 takes free ones. Default `127.0.0.1:0`.
    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// How many brokers there are; their ids begin at 1. At least one. Default 1.
    #[must_use]
    pub fn brokers(mut self, count: usize) -> Self {
        self.racks.resize(count.max(1), None);
        self
    }

    /// `broker.rack`: one broker for each of these racks. Default one without a rack.
    #[must_use]
    pub fn racks<'a>(mut self, racks: impl IntoIterator<Item = &'a str>) -> Self {
        self.racks = racks.into_iter().map(|rack| Some(rack.to_owned())).collect();
        self.brokers_at_least_one()
    }

    fn brokers_at_least_one(self) -> Self {
        let count = self.racks.len();
        self.brokers(count)
    }

    /// `default.replication.factor`: how many replicas a topic gets that is made without a factor. Default 1.
    #[must_use]
    pub const fn replication_factor(mut self, factor: i16) -> Self {
        self.cluster.default_replication_factor = factor;
        self
    }

    /// `num.partitions`: how many partitions a topic gets that is made without a count. Default 1.
    #[must_use]
    pub const fn partitions(mut self, count: i32) -> Self {
        self.cluster.num_partitions = count;
        self
    }

    /// `replica.selector.class`: whether readers that say their rack are sent to a replica there (KIP-392). Default false.
    #[must_use]
    pub const fn rack_aware_fetch(mut self, yes: bool) -> Self {
        self.cluster.rack_aware_fetch = yes;
        self
    }

    /// `authorizer.class.name`: who may do what is decided by rules (ACLs), of which there are none at first; who is named
    /// here, as `User:admin`, may do everything. Default none: everyone may do everything.
    #[must_use]
    pub fn authorizer<'a>(mut self, super_users: impl IntoIterator<Item = &'a str>) -> Self {
        let super_users = super_users.into_iter().map(str::to_owned).collect();
        self.cluster.authorizer = Some(Authorizer { super_users, ..Authorizer::default() });
        self
    }

    /// `allow.everyone.if.no.acl.found`: whether everyone may do what no rule is about, where there are rules at all. Default
    /// false.
    #[must_use]
    pub const fn allow_everyone_if_no_acl_found(mut self, yes: bool) -> Self {
        if let Some(authorizer) = &mut self.cluster.authorizer {
            authorizer.allow_everyone_if_no_acl_found = yes;
        }
        self
    }

    /// `sasl.enabled.mechanisms`: clients have to show who they are, by one of these. The users, each with a password, are
    /// known by PLAIN and SCRAM; OAUTHBEARER takes any token that is signed by nobody and has not ended. Default none.
    ///
    /// ```
    /// # use tidemill_testkit::{ClusterConfig, broker::config::Mechanism};
    /// let config = ClusterConfig::default().sasl([Mechanism::ScramSha256], [("alice", "alice-secret")]);
    /// ```
    #[must_use]
    pub fn sasl<'a>(
        mut self,
        mechanisms: impl IntoIterator<Item = Mechanism>,
        users: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let users = users.into_iter().map(|(name, password)| User::new(name, password)).collect();
        let session_lifetime_max = self.cluster.sasl.and_then(|sasl| sasl.session_lifetime_max);
        self.cluster.sasl =
            Some(SaslProperties { mechanisms: mechanisms.into_iter().collect(), users, session_lifetime_max });
        self
    }

    /// Sets what these properties say, by Kafka's own names: as far as they mean something here, those of a
    /// `server.properties`. What was set before and is not among them stays. Of several `listeners`, the first that is for
    /// clients counts; `broker.rack` may be a list, with a rack for each broker.
    ///
    /// ```
    /// # use tidemill_testkit::{ClusterConfig, broker::BrokerProperties};
    /// let properties: BrokerProperties = "num.partitions=4\nauthorizer.class.name=\\
    ///     org.apache.kafka.metadata.authorizer.StandardAuthorizer".parse()?;
    /// let config = ClusterConfig::default().brokers(3).properties(&properties)?;
    /// # Ok::<(), tidemill_testkit::broker::PropertyError>(())
    /// ```
    ///
    /// # Errors
    /// When a property cannot be had here; when a file with a certificate or key cannot be read.
    pub fn properties(mut self, properties: &BrokerProperties) -> Result<Self, PropertyError> {
        properties.apply(&mut self.cluster)?;
        if let Some(rack) = properties.get("broker.rack") {
            let racks: Vec<&str> = rack.split(',').map(str::trim).collect();
            match racks.as_slice() {
                [rack] => self.racks.fill(Some((*rack).to_owned())),
                racks => self = self.racks(racks.iter().copied()),
            }
        }
        if let Some(listener) = properties.listener() {
            let address = match listener.address.rsplit_once(':') {
                Some(("" | "localhost", port)) => format!("127.0.0.1:{port}"),
                Some(_) | None => listener.address.clone(),
            };
            self.listen = address.parse().map_err(|_| {
                let address = listener.address;
                PropertyError::new(format!("listeners: write {address} with the number of an address, or without one"))
            })?;
        }
        if let Some(directories) = properties.get("log.dirs").or_else(|| properties.get("log.dir")) {
            if directories.contains(',') {
                return Err(PropertyError::new("log.dirs: there is one directory here, not several"));
            }
            self.data = Some(directories.trim().into());
        }
        if properties.asks_for_tls() {
            self = self.tls_by(properties)?;
        }
        Ok(self)
    }

    #[cfg(feature = "tls")]
    fn tls_by(self, properties: &BrokerProperties) -> Result<Self, PropertyError> {
        let tls = crate::tls::Tls::by_properties(properties).map_err(PropertyError::new)?;
        Ok(self.tls(tls))
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "with the feature it is given back")]
    fn tls_by(self, _properties: &BrokerProperties) -> Result<Self, PropertyError> {
        Err(PropertyError::new(
            "this was built without TLS: name a listener without it, or build with the feature `tls`",
        ))
    }

    /// Whether clients have to show who they are.
    #[must_use]
    pub const fn asks_for_sasl(&self) -> bool {
        self.cluster.sasl.is_some()
    }

    /// Whether clients have to speak TLS.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        self.cluster.tls
    }

    /// How many brokers there are.
    #[must_use]
    pub const fn broker_count(&self) -> usize {
        self.racks.len()
    }

    /// How many replicas a topic gets that is made without a factor.
    #[must_use]
    pub const fn replicas(&self) -> i16 {
        self.cluster.default_replication_factor
    }

    /// Where the first broker listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Clients have to speak TLS. Default plain connections. Those through memory stay plain.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::tls::Tls) -> Self {
        self.tls = Some(tls);
        self.cluster.tls = true;
        self
    }

    /// What takes the connections by TLS, if any.
    #[cfg(feature = "tls")]
    pub(crate) fn acceptor(&self) -> io::Result<Option<Acceptor>> {
        self.tls.as_ref().map(Acceptor::new).transpose()
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unnecessary_wraps, reason = "certificates may be wrong, where there are some")]
    #[expect(clippy::unused_self, reason = "with the feature it looks for them")]
    pub(crate) const fn acceptor(&self) -> io::Result<Option<Acceptor>> {
        Ok(None)
    }

    /// `connections.max.reauth.ms`: how long until clients have to show anew who they are (KIP-368), where they have to at
    /// all. Default none.
    #[must_use]
    pub const fn session_lifetime_max(mut self, lifetime: Duration) -> Self {
        if let Some(sasl) = &mut self.cluster.sasl {
            sasl.session_lifetime_max = Some(lifetime);
        }
        self
    }

    /// `auto.create.topics.enable`: whether asking for a topic that is not there makes it. Default true.
    #[must_use]
    pub const fn auto_create_topics(mut self, yes: bool) -> Self {
        self.cluster.auto_create_topics = yes;
        self
    }

    /// The level of the feature `transaction.version`: with 0 or 1, clients use transactions of the first generation
    /// (KIP-98), with 2 of the second (KIP-890) if they know it. Default 2.
    #[must_use]
    pub const fn transaction_version(mut self, level: i16) -> Self {
        self.cluster.transaction_version = level;
        self
    }

    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`: how often transactions are looked for that have been
    /// open for too long. Default 10 s.
    #[must_use]
    pub const fn transaction_abort_interval(mut self, interval: Duration) -> Self {
        self.cluster.transaction_abort_interval = interval;
        self
    }

    /// `log.cleaner.backoff.ms`: how often compacted topics are looked at. Default 15 s.
    #[must_use]
    pub const fn log_cleaner_backoff(mut self, interval: Duration) -> Self {
        self.cluster.log_cleaner_backoff = interval;
        self
    }

    /// How groups are coordinated. Default as in Kafka, but a new classic group does not wait for further members.
    #[must_use]
    pub fn groups(mut self, properties: GroupProperties) -> Self {
        self.cluster.groups = properties;
        self
    }

    /// What is to go wrong, from the start on (see [`faults`](crate::faults)); chances are drawn from `seed`. Default
    /// nothing.
    #[must_use]
    pub fn faults(mut self, script: Script, seed: u64) -> Self {
        self.faults = Some((script, seed));
        self
    }

    /// `log.dirs`: keeps everything in this directory, which is made if it is not there: topics and their settings, records,
    /// committed offsets, producer ids, transactions, ACLs, quotas, settings of brokers and groups, and what
    /// AlterUserScramCredentials has made of users, which counts before [those it is started with](Self::sasl): their keys, not
    /// their passwords. A cluster that is started on it again goes on where the last one ended,
    /// also by `kill -9`: what was acknowledged is there, once. It does not wait for the disk, so a loss of power may cost
    /// what was written last. Records are still served from memory, so that all of them must fit. Default none: everything
    /// is gone with the cluster.
    ///
    /// A directory belongs to one cluster at a time. In the folders of its partitions lie segments as Kafka writes them; its
    /// `kafka-dump-log` reads them.
    #[must_use]
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data = Some(directory.into());
        self
    }
}
