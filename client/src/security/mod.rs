//! How connections are secured: what is configured of TLS and SASL.
//!
//! [`config`](crate::config) holds it; [`connection`](crate::connection) acts by it.
//!
//! - `tls`: whom to trust, and what to show
//! - `properties`: the same by the names that Java and librdkafka have for it
//! - `secret`: what must not be seen

mod properties;
mod secret;
mod tls;

pub(crate) use self::properties::{Draft, PROPERTIES};
pub use self::tls::Tls;
pub(crate) use self::tls::{Check, Identity, Pem};

/// `security.protocol`: how connections are secured. Default: not at all.
///
/// Used with [`ClientConfig::security`](crate::ClientConfig::security); a dictionary says it by its own names.
#[derive(Debug, Clone, Default)]
pub struct Security {
    pub(crate) tls: Option<Tls>,
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
        Self { tls: Some(tls) }
    }

    /// How it is called in configurations.
    pub(crate) const fn protocol(&self) -> &'static str {
        match self.tls {
            None => "PLAINTEXT",
            Some(_) => "SSL",
        }
    }
}
