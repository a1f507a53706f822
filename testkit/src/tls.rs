//! TLS on the brokers' listeners: certificates in, connections out, and who a client's certificate says it is.
//!
//! [`server`](crate::server) takes every connection through an [`Acceptor`]. Only with the feature `tls`.

use std::fmt::{self, Write};
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::broker::BrokerProperties;
use crate::kafka::ClientAuth;

/// The brokers' certificate, and whose certificates they take from clients. All as PEM.
#[derive(Clone)]
pub struct Tls {
    certificate: String,
    key: String,
    client_ca: String,
    client_auth: ClientAuth,
}

/// The key stays out of it.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("client_auth", &self.client_auth).finish_non_exhaustive()
    }
}

impl Tls {
    /// `ssl.keystore.certificate.chain` and `ssl.keystore.key`: the brokers' certificate, with what leads from it to an
    /// authority, and its private key. Clients are not asked for one.
    #[must_use]
    pub fn new(certificate: &str, key: &str) -> Self {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Self { certificate, key, client_ca: String::new(), client_auth: ClientAuth::None }
    }

    /// `ssl.truststore.certificates` and `ssl.client.auth`: clients are asked for a certificate of these authorities. Who
    /// shows one is known by its subject, as `User:CN=orders`, unless SASL is asked for too.
    #[must_use]
    pub fn clients(mut self, authorities: &str, client_auth: ClientAuth) -> Self {
        authorities.clone_into(&mut self.client_ca);
        self.client_auth = client_auth;
        self
    }
}

impl Tls {
    /// Those that properties of brokers name: `ssl.keystore.*` and `ssl.truststore.*`, as PEM.
    pub(crate) fn by_properties(properties: &BrokerProperties) -> Result<Self, String> {
        let jks = |name: &str| format!("{name}: write PEM; a Java keystore cannot be read here");
        for name in ["ssl.keystore.type", "ssl.truststore.type"] {
            if properties.get(name).is_some_and(|kind| !kind.trim().eq_ignore_ascii_case("PEM")) {
                return Err(jks(name));
            }
        }
        let file = |name: &str| match properties.get(name) {
            Some(path) => {
                std::fs::read_to_string(path.trim()).map(Some).map_err(|error| format!("{name}={path}: {error}"))
            }
            None => Ok(None),
        };
        let text = |name: &str| properties.get(name).map(str::to_owned);
        // A keystore as PEM is one file with the key and what belongs to it.
        let (certificate, key) = match file("ssl.keystore.location")? {
            Some(pem) => (pem.clone(), pem),
            None => text("ssl.keystore.certificate.chain").zip(text("ssl.keystore.key")).ok_or(
                "a listener with TLS needs ssl.keystore.location, or ssl.keystore.certificate.chain and ssl.keystore.key",
            )?,
        };
        let tls = Self::new(&certificate, &key);
        let client_auth = match properties.get("ssl.client.auth").map(str::trim) {
            Some("required") => ClientAuth::Required,
            Some("requested") => ClientAuth::Requested,
            Some(_) | None => return Ok(tls),
        };
        let authorities = file("ssl.truststore.location")?.or_else(|| text("ssl.truststore.certificates"));
        let authorities =
            authorities.ok_or("ssl.client.auth needs ssl.truststore.location or ssl.truststore.certificates")?;
        Ok(tls.clients(&authorities, client_auth))
    }
}

/// Takes connections by TLS.
#[derive(Clone)]
pub(crate) struct Acceptor {
    acceptor: TlsAcceptor,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

impl Acceptor {
    /// # Errors
    /// When a certificate or the key cannot be read, or they do not belong together.
    pub(crate) fn new(tls: &Tls) -> io::Result<Self> {
        let invalid = |what: &'static str| {
            move |error: &dyn fmt::Display| io::Error::new(io::ErrorKind::InvalidInput, format!("{what}: {error}"))
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid("TLS")(&error))?;
        let builder = match tls.client_auth {
            ClientAuth::None => builder.with_no_client_auth(),
            ClientAuth::Requested | ClientAuth::Required => {
                let verifier =
                    verifier(tls, provider).map_err(|error| invalid("the authorities of clients")(&*error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = certificates(&tls.certificate).map_err(|error| invalid("the brokers' certificate")(&*error))?;
        let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes());
        let key = key.map_err(|error| invalid("the brokers' private key")(&error))?;
        let config =
            builder.with_single_cert(chain, key).map_err(|error| invalid("the brokers' certificate")(&error))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Speaks TLS on a connection; whom the client's certificate names.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<(TlsStream<S>, Option<String>)> {
        let stream = self.acceptor.accept(stream).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let principal = shown.and_then(subject).map(|name| format!("User:{name}"));
        Ok((stream, principal))
    }
}

type Unreadable = Box<dyn std::error::Error + Send + Sync>;

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Unreadable> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?;
    if chain.is_empty() { Err("there is no certificate in it".into()) } else { Ok(chain) }
}

fn verifier(
    tls: &Tls,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn tokio_rustls::rustls::server::danger::ClientCertVerifier>, Unreadable> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(&tls.client_ca)? {
        roots.add(authority)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if tls.client_auth == ClientAuth::Required { builder } else { builder.allow_unauthenticated() };
    Ok(builder.build()?)
}

/// The subject of a certificate, as Java writes it (RFC 2253).
fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    // Of an authority the library tells the subject.
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).ok()?;
    let subject = roots.roots.first()?.subject.to_vec();
    distinguished_name(&subject)
}

/// A name is a sequence of sets of attributes; it is written from the last to the first.
fn distinguished_name(mut der: &[u8]) -> Option<String> {
    let mut sets = Vec::new();
    while !der.is_empty() {
        let (_, mut set, rest) = element(der)?;
        der = rest;
        let mut attributes = Vec::new();
        while !set.is_empty() {
            let (_, attribute, rest) = element(set)?;
            set = rest;
            let (_, kind, value) = element(attribute)?;
            attributes.push(format!("{}={}", attribute_name(kind)?, attribute_value(value)?));
        }
        sets.push(attributes.join("+"));
    }
    sets.reverse();
    Some(sets.join(","))
}

/// The tag and content of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn attribute_name(identifier: &[u8]) -> Option<String> {
    let known = match identifier {
        [0x55, 0x04, 0x03] => "CN",
        [0x55, 0x04, 0x06] => "C",
        [0x55, 0x04, 0x07] => "L",
        [0x55, 0x04, 0x08] => "ST",
        [0x55, 0x04, 0x09] => "STREET",
        [0x55, 0x04, 0x0a] => "O",
        [0x55, 0x04, 0x0b] => "OU",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01] => "UID",
        _ => return dotted(identifier),
    };
    Some(known.to_owned())
}

/// An object identifier in numbers.
fn dotted(identifier: &[u8]) -> Option<String> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0_u64;
    for byte in identifier {
        number = number.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    let (first, rest) = numbers.split_first()?;
    let root = (first / 40).min(2);
    let mut text = format!("{root}.{}", first - root * 40);
    for number in rest {
        write!(text, ".{number}").ok()?;
    }
    Some(text)
}

/// What is text, is escaped; anything else is shown in bytes.
fn attribute_value(der: &[u8]) -> Option<String> {
    const UTF8: u8 = 0x0c;
    const PRINTABLE: u8 = 0x13;
    const IA5: u8 = 0x16;
    let (tag, content, _) = element(der)?;
    let text = std::str::from_utf8(content).ok().filter(|_| [UTF8, PRINTABLE, IA5].contains(&tag));
    let Some(text) = text else {
        return Some(der.iter().fold("#".to_owned(), |text, byte| text + &format!("{byte:02x}")));
    };
    let last = text.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(text.len());
    for (place, letter) in text.chars().enumerate() {
        let at_an_end = letter == ' ' && (place == 0 || place == last) || letter == '#' && place == 0;
        if at_an_end || ",+\"\\<>;".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    Some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Certificates;

    #[test]
    fn a_certificate_names_its_subject() {
        let made = Certificates::make().unwrap();
        let certificate = certificates(made.client_certificate()).unwrap();
        assert_eq!(subject(&certificate[0]).as_deref(), Some("CN=tidemill-client"));
    }

    #[test]
    fn names_are_written_as_java_writes_them() {
        // C=DE, O="a, b", OU=x + 1.2.3.4=y
        let part = |kind: &[u8], text: &str| {
            let value = [&[0x0c, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            let kind = [&[0x06, u8::try_from(kind.len()).unwrap()], kind].concat();
            let inner = [kind, value].concat();
            [&[0x30, u8::try_from(inner.len()).unwrap()], &inner[..]].concat()
        };
        let set = |parts: &[Vec<u8>]| {
            let inner = parts.concat();
            [&[0x31, u8::try_from(inner.len()).unwrap()], &inner[..]].concat()
        };
        let name = [
            set(&[part(&[0x55, 4, 6], "DE")]),
            set(&[part(&[0x55, 4, 10], "a, b")]),
            set(&[part(&[0x55, 4, 11], " x"), part(&[0x2a, 3, 4], "y")]),
        ];
        let written = distinguished_name(&name.concat()).unwrap();
        assert_eq!(written, "OU=\\ x+1.2.3.4=y,O=a\\, b,C=DE");
        for cut in 1..name.concat().len() {
            // What is cut is no name, or a shorter one; it is never read beyond its end.
            let _ = distinguished_name(&name.concat()[..cut]);
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_what_it_was_to_be() {
        let made = Certificates::make().unwrap();
        let (certificate, key) = made.server();
        assert!(Acceptor::new(&Tls::new(certificate, key)).is_ok());
        let refused = |tls: Tls| Acceptor::new(&tls).unwrap_err().to_string();
        assert!(refused(Tls::new("", key)).starts_with("the brokers' certificate: "));
        assert!(refused(Tls::new(certificate, "")).starts_with("the brokers' private key: "));
        assert!(refused(Tls::new(certificate, made.client_key())).starts_with("the brokers' certificate: "));
        let clients = Tls::new(certificate, key).clients("", ClientAuth::Required);
        assert!(refused(clients).starts_with("the authorities of clients: "));
    }

    #[test]
    fn keys_are_not_shown() {
        let made = Certificates::make().unwrap();
        let (certificate, key) = made.server();
        assert_eq!(format!("{:?}", Tls::new(certificate, key)), "Tls { client_auth: None, .. }");
    }
}
