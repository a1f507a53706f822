//! The options that every client shares: where the cluster is, and how patient to be with it.

use std::sync::Arc;
use std::time::Duration;

use tidemill_protocol::frame::FRAME_BYTES_MAX_DEFAULT;

use crate::cluster::Backoff;
use crate::connection::{Connector, TcpConnector};
use crate::error::Error;
use crate::properties::{self, Property, addresses, milliseconds, number};
use crate::security::{self, Draft, Security};

/// Where the cluster is, and how patient to be with it.
///
/// ```
/// use tidemill_client::ClientConfig;
/// let config = ClientConfig::from_properties([("bootstrap.servers", "localhost:9092"), ("client.id", "clicks")])?;
/// let misspelt = ClientConfig::from_properties([("bootstrap.server", "localhost:9092")]).unwrap_err();
/// assert!(misspelt.to_string().contains("did you mean 'bootstrap.servers'?"));
/// # Ok::<(), tidemill_client::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientConfig {
    bootstrap: String,
    pub(crate) default_api_timeout: Duration,
    pub(crate) client_id: String,
    pub(crate) request_timeout: Duration,
    pub(crate) connection_setup_timeout: Duration,
    pub(crate) metadata_age_max: Duration,
    pub(crate) retry_backoff: Backoff,
    pub(crate) reconnect_backoff: Backoff,
    pub(crate) frame_bytes_max: usize,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) security: Draft,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            bootstrap: String::new(),
            default_api_timeout: Duration::from_secs(60),
            client_id: "tidemill".to_owned(),
            request_timeout: Duration::from_secs(30),
            connection_setup_timeout: Duration::from_secs(10),
            metadata_age_max: Duration::from_secs(300),
            retry_backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(1)),
            reconnect_backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(1)),
            frame_bytes_max: FRAME_BYTES_MAX_DEFAULT,
            connector: Arc::new(TcpConnector),
            security: Draft::default(),
        }
    }
}

impl ClientConfig {
    /// The options of a Java or librdkafka dictionary.
    ///
    /// # Errors
    /// A name that is unknown (with the nearest that is known), or a value that its option cannot have.
    pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Error> {
        let mut config = Self::default();
        properties::apply(&mut config, PROPERTIES, properties, |config, name, value| {
            properties::set(&mut config.security, security::PROPERTIES, name, value)
        })?;
        Ok(config)
    }

    /// `bootstrap.servers`: the brokers asked first, as `host:port` separated by commas. No default.
    #[must_use]
    pub fn bootstrap_servers(mut self, servers: impl Into<String>) -> Self {
        self.bootstrap = servers.into();
        self
    }

    /// `client.id`: the name given to brokers, for their logs and quotas. Default `tidemill`.
    #[must_use]
    pub fn client_id(mut self, name: impl Into<String>) -> Self {
        self.client_id = name.into();
        self
    }

    /// `request.timeout.ms`: how long a broker may take for an answer. Default 30 s.
    #[must_use]
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// `security.protocol` and all that belongs to it: TLS and SASL. In place of what properties say of it.
    /// Default: [`Security::plaintext`].
    #[must_use]
    pub fn security(mut self, security: Security) -> Self {
        self.security = security.into();
        self
    }

    /// What opens connections, which are then secured as [`security`](Self::security) says. Default: TCP.
    #[must_use]
    pub fn connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.connector = connector;
        self
    }

    /// The addresses asked first.
    pub(crate) fn addresses(&self) -> Result<Vec<(String, u16)>, Error> {
        if self.bootstrap.is_empty() {
            return Err(Error::config("no broker to ask").with_detail("set bootstrap.servers to host:port"));
        }
        addresses(&self.bootstrap).map_err(|reason| {
            Error::config(format!("bootstrap.servers cannot be '{}'", self.bootstrap)).with_detail(reason)
        })
    }

    /// How long to wait before trying again.
    pub(crate) fn backoff(&self) -> Backoff {
        self.retry_backoff.clone()
    }

    /// Sets one property, if it is one of those all clients share.
    ///
    /// # Errors
    /// A value that the option cannot have.
    pub(crate) fn set_property(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        Ok(properties::set(self, PROPERTIES, name, value)?
            || properties::set(&mut self.security, security::PROPERTIES, name, value)?)
    }
}

/// The names of the options that all clients share.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let of_security = security::PROPERTIES.iter().flat_map(|property| property.names);
    PROPERTIES.iter().flat_map(|property| property.names).chain(of_security).copied()
}

/// The options that all clients share.
pub(crate) const PROPERTIES: &[Property<ClientConfig>] = &[
    Property {
        names: &["bootstrap.servers", "metadata.broker.list"],
        default: "none, it must be given",
        doc: "the brokers asked first, as host:port separated by commas",
        set: |config, value| addresses(value).map(|_| value.clone_into(&mut config.bootstrap)),
    },
    Property {
        names: &["client.id"],
        default: "tidemill",
        doc: "the name given to brokers",
        set: |config, value| {
            value.clone_into(&mut config.client_id);
            Ok(())
        },
    },
    Property {
        names: &["request.timeout.ms", "socket.timeout.ms"],
        default: "30000",
        doc: "how long a broker may take for an answer, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.request_timeout = time),
    },
    Property {
        names: &["default.api.timeout.ms"],
        default: "60000",
        doc: "how long a call that waits for brokers may take, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.default_api_timeout = time),
    },
    Property {
        names: &["socket.connection.setup.timeout.ms"],
        default: "10000",
        doc: "how long opening a connection may take, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.connection_setup_timeout = time),
    },
    Property {
        names: &["metadata.max.age.ms", "topic.metadata.refresh.interval.ms"],
        default: "300000",
        doc: "how old metadata may get before it is fetched again, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.metadata_age_max = time),
    },
    Property {
        names: &["retry.backoff.ms"],
        default: "100",
        doc: "the first wait before a retry, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.retry_backoff.min = time),
    },
    Property {
        names: &["retry.backoff.max.ms"],
        default: "1000",
        doc: "the longest wait before a retry, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.retry_backoff.max = time),
    },
    Property {
        names: &["reconnect.backoff.ms"],
        default: "50",
        doc: "the first wait before a connection is opened again, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.reconnect_backoff.min = time),
    },
    Property {
        names: &["reconnect.backoff.max.ms"],
        default: "1000",
        doc: "the longest wait before a connection is opened again, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.reconnect_backoff.max = time),
    },
    Property {
        names: &["receive.message.max.bytes"],
        default: "104857600",
        doc: "the largest response accepted, in bytes",
        set: |config, value| number(value).map(|bytes| config.frame_bytes_max = bytes),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_set_the_same_option() {
        for name in ["bootstrap.servers", "metadata.broker.list"] {
            let config = ClientConfig::from_properties([(name, "a:1,b:2")]).unwrap();
            assert_eq!(config.addresses().unwrap().len(), 2);
        }
    }

    #[test]
    fn what_cannot_be_says_what_can() {
        let refused = |name, value| ClientConfig::from_properties([(name, value)]).unwrap_err().to_string();
        assert!(refused("security.protocol", "TLS").contains("PLAINTEXT, SSL"));
        assert!(refused("request.timeout.ms", "soon").contains("default: 30000"));
        assert!(refused("lingr.ms", "5").contains("did you mean 'linger.ms'?"));
        assert!(ClientConfig::from_properties([("group.id", "shared")]).is_ok());
    }

    #[test]
    fn every_property_is_documented_and_named_once() {
        let mut names: Vec<&str> = names().collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(PROPERTIES.iter().all(|property| !property.doc.is_empty() && !property.default.is_empty()));
        assert!(security::PROPERTIES.iter().all(|property| !property.doc.is_empty() && !property.default.is_empty()));
    }
}
