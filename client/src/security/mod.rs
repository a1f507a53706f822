//! How connections are secured: what is configured of TLS and SASL.
//!
//! [`config`](crate::config) holds it; [`connection`](crate::connection) acts by it.
//!
//! - `tls`: whom to trust, and what to show
//! - `sasl`: who we are, and how we prove it
//! - `tokens`: tokens for OAUTHBEARER, kept while they are good
//! - `login`: the same, as the options say it one by one
//! - `jaas`: how Java's clients write a login
//! - `properties`: the same by the names that Java and librdkafka have for it
//! - `secret`: what must not be seen

mod jaas;
mod login;
mod properties;
mod sasl;
mod secret;
mod tls;
mod tokens;

pub(crate) use self::properties::{Draft, PROPERTIES};
pub(crate) use self::sasl::{Mechanism, ScramHash};
pub use self::sasl::{OauthToken, Sasl, TokenFuture, TokenProvider};
pub(crate) use self::secret::Secret;
pub use self::tls::Tls;
pub(crate) use self::tls::{Check, Identity, Pem};

/// `security.protocol`: how connections are secured. Default: not at all.
///
/// Used with [`ClientConfig::security`](crate::ClientConfig::security); a dictionary says it by its own names.
#[derive(Debug, Clone, Default)]
pub struct Security {
    pub(crate) tls: Option<Tls>,
    pub(crate) sasl: Option<Sasl>,
}

impl Security {
    /// `PLAINTEXT`: neither encrypted, nor is it known who talks to whom.
    #[must_use]
    pub fn plaintext() -> Self {
        Self::default()
    }

    /// `SSL`: encrypted, and the brokers show who they are; so do we if [`Tls`] says by which certificate.
    #[must_use]
    pub const fn tls(tls: Tls) -> Self {
        Self { tls: Some(tls), sasl: None }
    }

    /// `SASL_SSL`, or `SASL_PLAINTEXT` without TLS: we show who we are before the first request. Without TLS everybody on the
    /// way can read what is said, with PLAIN and OAUTHBEARER also the password or token.
    #[must_use]
    pub fn sasl(mut self, sasl: Sasl) -> Self {
        self.sasl = Some(sasl);
        self
    }

    /// Whether a password or token goes over connections that are not encrypted.
    pub(crate) fn says_secrets_in_the_open(&self) -> bool {
        let says = |sasl: &Sasl| match sasl.0 {
            Mechanism::Plain { .. } | Mechanism::OauthBearer(_) => true,
            Mechanism::Scram { .. } => false,
        };
        self.tls.is_none() && self.sasl.as_ref().is_some_and(says)
    }

    /// How it is called in configurations.
    pub(crate) const fn protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "PLAINTEXT",
            (Some(_), None) => "SSL",
            (None, Some(_)) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        }
    }
}
