//! Broker properties by Kafka's own names, as a `server.properties` has them, and what they set.
//!
//! - `known`, `table`: every property of Kafka 4.3.1, and what values it takes
//! - `honoured`: those that mean something here, each with what it sets
//! - `file`: the text of a `.properties` file
//! - `jaas`: users, as a login module is told of them
//!
//! [`settings`](super::settings) changes them while brokers run. A name that Kafka does not know is refused with what was
//! probably meant; one that changes nothing here is taken, listed by DescribeConfigs, and told of by
//! [`BrokerProperties::without_effect`].

mod file;
mod honoured;
mod jaas;
pub(crate) mod known;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub(crate) use self::honoured::HONOURED;
use super::config::{ClusterProperties, Mechanism, SaslProperties};
use crate::faults::near;

/// Properties of brokers by Kafka's names, such as `num.partitions`. Read from the text of a `server.properties`, or put
/// together one by one.
///
/// ```
/// use tidemill_testkit::broker::BrokerProperties;
/// let mut properties: BrokerProperties = "num.partitions=4\nsocket.send.buffer.bytes=1".parse()?;
/// properties.insert("log.retention.ms", "60000")?;
/// assert_eq!(properties.without_effect(), ["socket.send.buffer.bytes"]);
/// assert!(properties.insert("num.partitons", "4").unwrap_err().to_string().contains("num.partitions"));
/// # Ok::<(), tidemill_testkit::broker::PropertyError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BrokerProperties(BTreeMap<String, String>);

/// Only what is known not to be a secret is shown.
impl fmt::Debug for BrokerProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in &self.0 {
            let is_shown = known::behind(name).is_some_and(|known| !known.is_secret());
            let shown: &dyn fmt::Debug = if is_shown { value } else { &format_args!("[hidden]") };
            map.entry(name, shown);
        }
        map.finish()
    }
}

/// Why a property is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyError(String);

impl PropertyError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PropertyError {}

impl FromStr for BrokerProperties {
    type Err = PropertyError;

    fn from_str(text: &str) -> Result<Self, PropertyError> {
        let mut properties = Self::default();
        for (line, name, value) in file::read(text) {
            properties.insert(&name, &value).map_err(|error| PropertyError(format!("line {line}: {error}")))?;
        }
        Ok(properties)
    }
}

/// Properties of the authorizer, which reads them by itself.
const OF_THE_AUTHORIZER: [&str; 2] = ["allow.everyone.if.no.acl.found", "super.users"];

/// Names of listeners lead the names of what they are to have.
const LISTENER_PREFIX: &str = "listener.name.";

/// The first property of brokers that a login module is told by, behind its mechanism.
const JAAS: &str = "sasl.jaas.config";

impl BrokerProperties {
    /// Sets a property; one that was set before gives way.
    ///
    /// # Errors
    /// When Kafka knows no such property, or it cannot have this value.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
        if name.ends_with(JAAS) {
            jaas::users(value).map_err(|reason| PropertyError(format!("{name}: {reason}")))?;
        } else if let Some(known) = known::behind(name) {
            known.check(value).map_err(PropertyError)?;
        } else if !OF_THE_AUTHORIZER.contains(&name) && !name.starts_with(LISTENER_PREFIX) {
            let names: Vec<&str> = known::all().map(|known| known.name).chain(OF_THE_AUTHORIZER).collect();
            let meant = near(name, &names);
            return Err(PropertyError(format!("`{name}` is no property of Kafka's brokers{meant}")));
        }
        self.0.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// What a property is set to.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Takes over what others are set to.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The properties that are set and mean nothing here: those of threads, buffers, controllers and the like.
    #[must_use]
    pub fn without_effect(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).filter(|name| !self.has_effect(name)).collect()
    }

    fn has_effect(&self, name: &str) -> bool {
        let of_the_driver = name.starts_with("ssl.") && OF_TLS.contains(&name);
        let of_a_topic = super::topic_config::names().any(|topic| {
            known::behind_topic_setting(topic).iter().any(|(of_the_broker, _)| *of_the_broker == name)
                && super::topic_config::has_effect(topic)
        });
        HONOURED.iter().any(|honoured| honoured.name == name)
            || of_the_driver
            || of_a_topic
            || OF_THE_LISTENER.contains(&name)
            || OF_GROUPS.contains(&name)
            || (name.ends_with(JAAS) && !self.is_of_a_controller(name) && name != JAAS)
    }

    fn is_of_a_controller(&self, name: &str) -> bool {
        let controllers = self.get("controller.listener.names").unwrap_or("CONTROLLER");
        let listener = name.strip_prefix(LISTENER_PREFIX).and_then(|rest| rest.split('.').next()).unwrap_or_default();
        controllers.split(',').any(|controller| controller.trim().eq_ignore_ascii_case(listener))
    }

    /// Who may log in, by the login modules of the listeners.
    fn users(&self) -> Vec<super::config::User> {
        let modules = self.0.iter().filter(|(name, _)| name.ends_with(JAAS) && !self.is_of_a_controller(name));
        // They were checked when they were set.
        let mut users: Vec<_> = modules.flat_map(|(_, value)| jaas::users(value).unwrap_or_default()).collect();
        users.sort_by(|one, two| one.name.cmp(&two.name));
        users.dedup();
        users
    }

    /// The first listener that is for clients: its protocol, and where it listens.
    pub(crate) fn listener(&self) -> Option<Listener> {
        let controllers = self.get("controller.listener.names").unwrap_or("CONTROLLER");
        let for_clients = |name: &str| !controllers.split(',').any(|it| it.trim().eq_ignore_ascii_case(name));
        let mut listeners = self.get("listeners")?.split(',').filter_map(|listener| listener.trim().split_once("://"));
        let (name, address) = listeners.find(|(name, _)| for_clients(name))?;
        let map = self.get("listener.security.protocol.map").unwrap_or_default();
        let mapped = map.split(',').filter_map(|pair| pair.trim().split_once(':')).find(|(it, _)| *it == name);
        let protocol = mapped.map_or(name, |(_, protocol)| protocol).to_ascii_uppercase();
        Some(Listener { protocol, address: address.to_owned() })
    }

    /// Whether clients have to show who they are: the listener says so, or, where none is named, there are mechanisms.
    fn asks_for_sasl(&self) -> bool {
        self.listener().map_or_else(
            || self.get("sasl.enabled.mechanisms").is_some(),
            |listener| listener.protocol.starts_with("SASL_"),
        )
    }

    /// Whether connections come by TLS.
    pub(crate) fn asks_for_tls(&self) -> bool {
        let keys = ["ssl.keystore.location", "ssl.keystore.key"];
        self.listener().map_or_else(
            || keys.iter().any(|name| self.get(name).is_some()),
            |listener| listener.protocol.ends_with("SSL"),
        )
    }

    /// Sets all of it on a cluster.
    pub(crate) fn apply(&self, cluster: &mut ClusterProperties) -> Result<(), PropertyError> {
        let bad = |name: &str, reason: String| PropertyError(format!("{name}: {reason}"));
        for honoured in HONOURED {
            if let Some(value) = self.get(honoured.name) {
                (honoured.set)(cluster, value).map_err(|reason| bad(honoured.name, reason))?;
            }
        }
        if self.asks_for_sasl() {
            let names = self.get("sasl.enabled.mechanisms").unwrap_or("GSSAPI");
            let mechanisms = names.split(',').map(str::trim).map(|name| {
                Mechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name).ok_or_else(|| {
                    let all = Mechanism::ALL.map(Mechanism::name).join(", ");
                    bad("sasl.enabled.mechanisms", format!("`{name}` is none of those there are here: {all}"))
                })
            });
            let mechanisms = mechanisms.collect::<Result<Vec<_>, _>>()?;
            let lifetime = self.get("connections.max.reauth.ms").and_then(|ms| ms.trim().parse().ok());
            let session_lifetime_max = lifetime.filter(|ms| *ms > 0).map(Duration::from_millis);
            cluster.sasl = Some(SaslProperties { mechanisms, users: self.users(), session_lifetime_max });
        }
        cluster.given.extend(self.clone());
        Ok(())
    }
}

/// Where clients connect.
#[derive(Debug)]
pub(crate) struct Listener {
    /// As in `security.protocol`.
    pub(crate) protocol: String,
    /// `host:port`; the host may be missing.
    pub(crate) address: String,
}

/// What of a listener is done by whoever drives the brokers.
const OF_THE_LISTENER: [&str; 8] = [
    "broker.rack",
    "connections.max.reauth.ms",
    "controller.listener.names",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "sasl.enabled.mechanisms",
];

/// What of TLS is.
pub(crate) const OF_TLS: [&str; 8] = [
    "ssl.client.auth",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.type",
];

/// What bounds the settings of single groups.
const OF_GROUPS: [&str; 4] = [
    "group.consumer.max.heartbeat.interval.ms",
    "group.consumer.max.session.timeout.ms",
    "group.consumer.min.heartbeat.interval.ms",
    "group.consumer.min.session.timeout.ms",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (BrokerProperties, ClusterProperties) {
        let properties: BrokerProperties = text.parse().unwrap();
        let mut cluster = ClusterProperties::default();
        properties.apply(&mut cluster).unwrap();
        (properties, cluster)
    }

    #[test]
    fn a_server_properties_sets_what_it_says() {
        let (properties, cluster) = read(
            "# a comment\nprocess.roles=broker,controller\nnum.partitions = 4\nauto.create.topics.enable:false\n\
             group.consumer.session.timeout.ms 50000\nauthorizer.class.name=\\\n   \
             org.apache.kafka.metadata.authorizer.StandardAuthorizer\nsuper.users=User:admin;User:root\n\
             replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector\n",
        );
        assert_eq!((cluster.num_partitions, cluster.auto_create_topics, cluster.rack_aware_fetch), (4, false, true));
        assert_eq!(cluster.groups.consumer_session_timeout, Duration::from_secs(50));
        assert_eq!(cluster.authorizer.unwrap().super_users, ["User:admin", "User:root"]);
        assert!(cluster.sasl.is_none());
        assert_eq!(properties.without_effect(), ["process.roles"]);
    }

    #[test]
    fn users_log_in_where_the_listener_asks() {
        let (properties, cluster) = read(
            "listeners=CLIENTS://:9093,CONTROLLER://:9094\n\
             listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256\nconnections.max.reauth.ms=5000\n\
             listener.name.clients.plain.sasl.jaas.config=a.PlainLoginModule required user_alice=\"alice secret\" \
             user_bob='x';\n\
             listener.name.controller.plain.sasl.jaas.config=a.PlainLoginModule required user_eve=\"x\";\n",
        );
        let sasl = cluster.sasl.unwrap();
        let users: Vec<&str> = sasl.users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!((users, sasl.session_lifetime_max), (vec!["alice", "bob"], Some(Duration::from_secs(5))));
        assert_eq!(sasl.mechanisms, [Mechanism::Plain, Mechanism::ScramSha256]);
        assert_eq!(properties.listener().unwrap().address, ":9093");
        assert!(!format!("{properties:?}").contains("alice"), "{properties:?}");
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_may_have_been_meant() {
        let refused = |text: &str| text.parse::<BrokerProperties>().unwrap_err().to_string();
        assert_eq!(
            refused("\nnum.partitons=3"),
            "line 2: `num.partitons` is no property of Kafka's brokers; did you mean `num.partitions`?"
        );
        assert!(refused("num.partitions=no").contains("Not a number of type INT"));
        let mut cluster = ClusterProperties::default();
        let kerberos: BrokerProperties = "sasl.enabled.mechanisms=GSSAPI".parse().unwrap();
        let reason = kerberos.apply(&mut cluster).unwrap_err().to_string();
        assert!(reason.contains("GSSAPI") && reason.contains("SCRAM-SHA-512"), "{reason}");
    }
}
