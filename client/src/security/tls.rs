//! What is configured of TLS: whom to trust, and what to show.
//!
//! [`connection::tls`](crate::connection) makes connections of it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::secret::Secret;

/// TLS: whom to trust, and what to show. Everything is PEM; what is in files is read again when they change.
///
/// ```
/// use tidemill_client::{ClientConfig, Security, Tls};
/// let tls = Tls::default().authorities_file("/etc/kafka/ca.pem").identity_files("client.pem", "client.key");
/// let config = ClientConfig::default().bootstrap_servers("broker:9093").security(Security::tls(tls));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Tls {
    pub(crate) authorities: Option<Pem>,
    pub(crate) identity: Option<Identity>,
    pub(crate) versions: TlsVersions,
    pub(crate) check: Check,
}

impl Tls {
    /// `ssl.truststore.location`, `ssl.ca.location`: the authorities whose certificates are trusted. Default: those that
    /// the operating system trusts.
    #[must_use]
    pub fn authorities_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorities = Some(Pem::File(path.into()));
        self
    }

    /// `ssl.truststore.certificates`, `ssl.ca.pem`: the same, as text.
    #[must_use]
    pub fn authorities_pem(mut self, pem: impl Into<String>) -> Self {
        self.authorities = Some(Pem::Text(Secret::new(pem)));
        self
    }

    /// `ssl.certificate.location` and `ssl.key.location`: our own certificate, with what leads from it to an authority, and
    /// its private key. Both may be in one file, as with `ssl.keystore.location`. Default: none is shown.
    #[must_use]
    pub fn identity_files(mut self, certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some(Identity { certificates: Pem::File(certificates.into()), key: Pem::File(key.into()) });
        self
    }

    /// `ssl.keystore.certificate.chain` and `ssl.keystore.key`: the same, as text.
    #[must_use]
    pub fn identity_pem(mut self, certificates: impl Into<String>, key: impl Into<String>) -> Self {
        let (certificates, key) = (Pem::Text(Secret::new(certificates)), Pem::Text(Secret::new(key)));
        self.identity = Some(Identity { certificates, key });
        self
    }

    /// Talks to brokers whose certificates are for other names. Whoever has any certificate of a trusted authority can then
    /// stand between us and the cluster.
    #[must_use]
    pub const fn dangerous_accept_any_name(mut self) -> Self {
        self.check = Check::Authority;
        self
    }

    /// Talks to whoever answers, whatever certificate is shown. Anybody can then stand between us and the cluster, and read
    /// and change everything.
    #[must_use]
    pub const fn dangerous_accept_any_certificate(mut self) -> Self {
        self.check = Check::Nothing;
        self
    }
}

/// Our own certificate and its key.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) certificates: Pem,
    pub(crate) key: Pem,
}

/// What of a broker's certificate is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Check {
    #[default]
    NameAndAuthority,
    Authority,
    Nothing,
}

/// `ssl.enabled.protocols`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TlsVersions {
    pub(crate) v1_2: bool,
    pub(crate) v1_3: bool,
}

impl Default for TlsVersions {
    fn default() -> Self {
        Self { v1_2: true, v1_3: true }
    }
}

/// Certificates or a key.
#[derive(Debug, Clone)]
pub(crate) enum Pem {
    File(PathBuf),
    Text(Secret),
}

impl Pem {
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Text(_) => None,
        }
    }
}

/// How it is called in errors.
impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Text(_) => f.write_str("the PEM text"),
        }
    }
}
