//! What is configured of SASL: who we are, and how we prove it.
//!
//! [`connection::sasl`](crate::connection) says it to brokers.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use super::secret::Secret;
use super::tokens::Tokens;

/// SASL: who we are, and how we prove it. The mechanism is the one named here; a broker cannot talk us into another.
///
/// ```
/// use tidemill_client::{ClientConfig, Sasl, Security, Tls};
/// let login = Sasl::scram_sha_512("orders", std::env::var("KAFKA_PASSWORD").unwrap_or_default());
/// let security = Security::tls(Tls::default()).sasl(login);
/// let config = ClientConfig::default().bootstrap_servers("broker:9093").security(security);
/// ```
#[derive(Debug, Clone)]
pub struct Sasl(pub(crate) Mechanism);

/// The mechanism, and what it takes.
#[derive(Debug, Clone)]
pub(crate) enum Mechanism {
    Plain { username: String, password: Secret },
    Scram { hash: ScramHash, username: String, password: Secret },
    OauthBearer(Arc<Tokens>),
}

/// The hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScramHash {
    Sha256,
    Sha512,
}

impl Sasl {
    /// `PLAIN`: says name and password as they are, so that it is for connections with TLS.
    #[must_use]
    pub fn plain(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self(Mechanism::Plain { username: username.into(), password: Secret::new(password) })
    }

    /// `SCRAM-SHA-256`: proves that we know the password without saying it, and has the broker prove that too. As Kafka
    /// does, names and passwords are taken as they are, without the preparation of RFC 4013.
    #[must_use]
    pub fn scram_sha_256(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::scram(ScramHash::Sha256, username.into(), password.into())
    }

    /// `SCRAM-SHA-512`: as [`scram_sha_256`](Self::scram_sha_256), with the longer hash.
    #[must_use]
    pub fn scram_sha_512(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::scram(ScramHash::Sha512, username.into(), password.into())
    }

    fn scram(hash: ScramHash, username: String, password: String) -> Self {
        Self(Mechanism::Scram { hash, username, password: Secret::new(password) })
    }

    /// `OAUTHBEARER`: shows a token of this provider. A token is shown on every connection until four fifths of its time
    /// are over, then another is asked for.
    #[must_use]
    pub fn oauth_bearer(provider: Arc<dyn TokenProvider>) -> Self {
        Self(Mechanism::OauthBearer(Arc::new(Tokens::new(provider))))
    }
}

impl Mechanism {
    /// `sasl.mechanism`.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::Scram { hash: ScramHash::Sha256, .. } => "SCRAM-SHA-256",
            Self::Scram { hash: ScramHash::Sha512, .. } => "SCRAM-SHA-512",
            Self::OauthBearer(_) => "OAUTHBEARER",
        }
    }
}

/// What [`TokenProvider::token`] gives.
pub type TokenFuture =
    Pin<Box<dyn Future<Output = Result<OauthToken, Box<dyn std::error::Error + Send + Sync>>> + Send>>;

/// Where tokens for OAUTHBEARER come from: the authorization server of the house, or the metadata service of a cloud.
pub trait TokenProvider: fmt::Debug + Send + Sync {
    /// A token that is good now. It is asked for while a connection is opened or before a session ends; nobody else is asked
    /// meanwhile.
    ///
    /// # Errors
    /// Why there is none. The words are told to whoever waits for the connection, and must not quote a secret.
    ///
    /// # Cancel safety
    /// The future is dropped after `socket.connection.setup.timeout.ms`, and when the client ends: it must leave nothing
    /// behind.
    fn token(&self) -> TokenFuture;
}

/// A token for OAUTHBEARER, until when it is good, and what is said beside it (KIP-342). Its `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct OauthToken {
    pub(crate) value: Secret,
    pub(crate) expires_at: SystemTime,
    pub(crate) extensions: BTreeMap<String, String>,
}

impl OauthToken {
    /// A token, in the form that goes behind `Bearer`.
    #[must_use]
    pub fn new(value: impl Into<String>, expires_at: SystemTime) -> Self {
        Self { value: Secret::new(value), expires_at, extensions: BTreeMap::new() }
    }

    /// Says something beside it: a name of letters, and a value.
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extensions.insert(name.into(), value.into());
        self
    }
}
