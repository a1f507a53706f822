//! TLS: certificates and keys as they are on disk now, and what it means when the two sides do not agree.
//!
//! Before: [`transport`](super::transport) has opened a connection. After: [`driver`](super::driver) moves bytes through it.
//! Files are looked at whenever a connection is opened, and read again when their time or length has changed. What cannot
//! be used, because it is being replaced right now, is told in the log; until it can be, what was read before counts.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use zeroize::Zeroizing;

use super::pipeline::Failure;
use super::transport::Stream;
use crate::error::Error;
use crate::security::{Check, Identity, Pem, Tls};

/// A file with certificates is not larger than this.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// How a connection ends that the other side has closed.
pub(super) const HUNG_UP: [io::ErrorKind; 3] =
    [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];

/// Secures connections as it is configured.
pub(crate) struct TlsClient {
    tls: Tls,
    read: Mutex<Read>,
}

/// What was read, and how the files were then.
struct Read {
    stamps: Vec<Stamp>,
    config: Arc<ClientConfig>,
}

/// By what a file is seen to have changed.
type Stamp = Option<(SystemTime, u64)>;

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsClient").field(&self.tls).finish()
    }
}

impl TlsClient {
    /// Reads everything once.
    ///
    /// # Errors
    /// When something cannot be read, or does not fit together.
    pub(crate) fn new(tls: Tls) -> Result<Self, Error> {
        match tls.check {
            Check::NameAndAuthority => {}
            Check::Authority => tracing::warn!("the names in brokers' certificates are not checked"),
            Check::Nothing => tracing::warn!("brokers' certificates are not checked: anybody can stand in between"),
        }
        let stamps = stamps(&tls);
        let config = read(&tls).map_err(|reason| Error::config("TLS").with_detail(reason))?;
        Ok(Self { tls, read: Mutex::new(Read { stamps, config: Arc::new(config) }) })
    }

    /// Speaks TLS on a connection to this host.
    pub(super) async fn secure(
        self: Arc<Self>,
        stream: Box<dyn Stream>,
        host: &str,
    ) -> Result<Box<dyn Stream>, Failure> {
        let refused = |reason: String| Failure::Refused(reason);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| refused(format!("'{host}' is no name that a certificate could be for; it comes from bootstrap.servers or from the broker's advertised.listeners")))?;
        // Files are on disks, which may be slow.
        let current = tokio::task::spawn_blocking(move || self.current());
        let config = current.await.map_err(|error| refused(format!("reading the certificates failed: {error}")))?;
        match TlsConnector::from(config).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            // A broker takes the first bytes for the length of a frame, and hangs up.
            Err(error) => Err(meaning(&error).unwrap_or_else(|| {
                if HUNG_UP.contains(&error.kind()) {
                    return refused(
                        "the other side hung up when we spoke TLS: a listener without TLS does that; set \
                         security.protocol to PLAINTEXT or SASL_PLAINTEXT, or bootstrap.servers to the port of a listener \
                         with TLS"
                            .to_owned(),
                    );
                }
                Failure::Network(error.kind(), error.to_string())
            })),
        }
    }

    /// What the files say now.
    fn current(&self) -> Arc<ClientConfig> {
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.tls);
        if stamps != last.stamps {
            match read(&self.tls) {
                Ok(config) => *last = Read { stamps, config: Arc::new(config) },
                Err(reason) => tracing::warn!(reason, "certificates have changed and cannot be used; the old ones are"),
            }
        }
        Arc::clone(&last.config)
    }
}

/// What it means that TLS failed; none when it is another failure.
#[expect(clippy::wildcard_enum_match_arm, reason = "there are many, and the others say what they say")]
pub(super) fn meaning(error: &io::Error) -> Option<Failure> {
    let error = error.get_ref()?.downcast_ref::<TlsError>()?;
    Some(Failure::Refused(match error {
        TlsError::AlertReceived(alert) => of_alert(*alert),
        TlsError::InvalidCertificate(wrong) => of_certificate(wrong),
        TlsError::InvalidMessage(_) => {
            "the other side does not speak TLS: set security.protocol to PLAINTEXT or SASL_PLAINTEXT, or bootstrap.servers \
             to the port of a listener with TLS"
                .to_owned()
        }
        TlsError::PeerIncompatible(why) => format!(
            "the broker and we speak no common TLS ({why:?}): ssl.enabled.protocols may be TLSv1.2 and TLSv1.3; the \
             broker's own ssl.enabled.protocols and ssl.cipher.suites have to allow one of these"
        ),
        other => format!("TLS failed: {other}"),
    }))
}

/// The broker has refused us.
#[expect(clippy::wildcard_enum_match_arm, reason = "there are many, and the others say what they say")]
fn of_alert(alert: AlertDescription) -> String {
    let what = match alert {
        AlertDescription::CertificateRequired => "it asks for a certificate of ours and none is shown",
        AlertDescription::UnknownCA => "it does not know the authority of our certificate",
        AlertDescription::CertificateExpired => "our certificate has expired",
        AlertDescription::CertificateRevoked => "our certificate was revoked",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied => {
            "it does not take our certificate: none is shown where it asks for one, its authority is not known to the \
             broker, or it has expired"
        }
        AlertDescription::HandshakeFailure => {
            "it asks for a certificate of ours that is not shown, or allows no cipher that we speak"
        }
        AlertDescription::ProtocolVersion => {
            return "the broker does not speak our version of TLS: set ssl.enabled.protocols to one that it speaks, TLSv1.2 \
                    or TLSv1.3"
                .to_owned();
        }
        other => return format!("the broker refuses TLS by the alert {other:?}; its own log has the reason"),
    };
    format!(
        "the broker refuses TLS by the alert {alert:?}: {what}; see ssl.keystore.location (librdkafka: \
         ssl.certificate.location and ssl.key.location)"
    )
}

/// We refuse the broker.
#[expect(clippy::wildcard_enum_match_arm, reason = "there are many, and the others say what they say")]
fn of_certificate(wrong: &CertificateError) -> String {
    match wrong {
        // A stranger may have the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the broker's certificate is of an authority that is not trusted: set ssl.truststore.location (librdkafka: \
             ssl.ca.location) to a PEM file with the certificate of its authority"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the broker's certificate has expired: it needs a new one, or a clock is wrong ({wrong})")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the broker's certificate is not valid yet: a clock is wrong ({wrong})")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
            "the broker's certificate is for other names: bootstrap.servers and the broker's advertised.listeners have to \
             use one that it is for ({wrong}), as ssl.endpoint.identification.algorithm=https asks for"
        ),
        other => format!(
            "the broker's certificate is not good ({other}); the authorities that are trusted are those of \
             ssl.truststore.location (librdkafka: ssl.ca.location)"
        ),
    }
}

fn stamps(tls: &Tls) -> Vec<Stamp> {
    let of_identity = tls.identity.iter().flat_map(|identity| [&identity.certificates, &identity.key]);
    let files = tls.authorities.iter().chain(of_identity).filter_map(Pem::path);
    let stamp = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.map(stamp).collect()
}

fn read(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let versions: Vec<_> = [(tls.versions.v1_2, &TLS12), (tls.versions.v1_3, &TLS13)]
        .into_iter()
        .filter_map(|(spoken, version)| spoken.then_some(version))
        .collect();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| error.to_string())?;
    let verifier: Arc<dyn ServerCertVerifier> = match tls.check {
        Check::Nothing => Arc::new(Lenient { inner: None, provider }),
        Check::NameAndAuthority => verifier(tls, &provider)?,
        Check::Authority => Arc::new(Lenient { inner: Some(verifier(tls, &provider)?), provider }),
    };
    // It is no more dangerous than what it is given.
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let Some(Identity { certificates, key }) = &tls.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = read_certificates(certificates).map_err(|reason| {
        format!("our certificate cannot be read from {certificates} (ssl.keystore.location, ssl.certificate.location): {reason}")
    })?;
    let private = read_key(key).map_err(|reason| {
        format!("our private key cannot be read from {key} (ssl.keystore.location, ssl.key.location): {reason}")
    })?;
    builder.with_client_auth_cert(chain, private).map_err(|error| {
        format!("the certificate in {certificates} and the private key in {key} do not fit together: {error}")
    })
}

fn verifier(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, String> {
    const OPTIONS: &str = "ssl.truststore.location, ssl.ca.location";
    let mut roots = RootCertStore::empty();
    match &tls.authorities {
        Some(pem) => {
            let cannot =
                |reason: String| format!("trusted authorities cannot be read from {pem} ({OPTIONS}): {reason}");
            for certificate in read_certificates(pem).map_err(cannot)? {
                roots.add(certificate).map_err(|error| cannot(error.to_string()))?;
            }
        }
        None => {
            let native = rustls_native_certs::load_native_certs();
            // A few of the system's are too odd to be used; Java and others pass over them as well.
            if roots.add_parsable_certificates(native.certs).0 == 0 {
                let why = native.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
                return Err(format!(
                    "the operating system trusts no authority{why}: name those of the brokers by {OPTIONS}"
                ));
            }
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| error.to_string())
}

fn read_certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut certificates = Vec::new();
    for text in texts(pem)? {
        for certificate in CertificateDer::pem_slice_iter(sections(&text)?.as_bytes()) {
            certificates.push(certificate.map_err(|error| error.to_string())?);
        }
    }
    if certificates.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(certificates) }
}

fn read_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, String> {
    for text in texts(pem)? {
        if text.contains("ENCRYPTED") {
            return Err(
                "it is encrypted: decrypt it with `openssl pkcs8 -in key.pem -topk8 -nocrypt -out open.pem`".to_owned()
            );
        }
        if let Some(key) = PrivateKeyDer::pem_slice_iter(sections(&text)?.as_bytes()).next() {
            // What is wrong with a key is not shown: it may quote it.
            return key.map_err(|_| "it is damaged".to_owned());
        }
    }
    Err("there is no private key in it".to_owned())
}

/// The text, that of the file, or those of the files in the folder.
fn texts(pem: &Pem) -> Result<Vec<Zeroizing<String>>, String> {
    let path = match pem {
        Pem::Text(text) => return Ok(vec![Zeroizing::new(text.expose().to_owned())]),
        Pem::File(path) => path,
    };
    let told = |error: io::Error| error.to_string();
    if !fs::metadata(path).map_err(told)?.is_dir() {
        return read_file(path).map(|text| vec![text]);
    }
    let mut files: Vec<PathBuf> = fs::read_dir(path)
        .map_err(told)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort_unstable();
    // Others may lie there as well.
    Ok(files.iter().filter_map(|file| read_file(file).ok()).collect())
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, String> {
    let told = |error: io::Error| error.to_string();
    if fs::metadata(path).map_err(told)?.len() > FILE_BYTES_MAX {
        return Err("it is too large to be PEM".to_owned());
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(told)?);
    if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
        return Err("it is a Java key store (JKS), and only PEM is read: export what is in it with `keytool \
                    -exportcert -rfc -keystore FILE -alias NAME -file ca.pem`"
            .to_owned());
    }
    if bytes.first() == Some(&0x30) {
        return Err(
            "it is PKCS #12 or DER, and only PEM is read: convert it with `openssl pkcs12 -in FILE -nodes -out \
                    FILE.pem` or `openssl x509 -inform der -in FILE -out FILE.pem`"
                .to_owned(),
        );
    }
    String::from_utf8(bytes.to_vec()).map(Zeroizing::new).map_err(|_| "it is not PEM, which is text".to_owned())
}

/// PEM with a line for each marker: in a file of properties it may all be on one, with `\n` in it or blanks.
fn sections(text: &str) -> Result<Zeroizing<String>, String> {
    if !text.contains("-----BEGIN ") {
        return Err("it is not PEM, which begins with -----BEGIN".to_owned());
    }
    let mut sections = Zeroizing::new(String::with_capacity(text.len() + 64));
    let mut is_inside = false;
    for part in Zeroizing::new(text.replace("\\n", "\n")).split("-----") {
        if part.starts_with("BEGIN ") || part.starts_with("END ") {
            sections.push_str("-----");
            sections.push_str(part);
            sections.push_str("-----\n");
            is_inside = part.starts_with("BEGIN ");
        } else if is_inside {
            sections.extend(part.chars().filter(|letter| !letter.is_whitespace()));
            sections.push('\n');
        }
    }
    Ok(sections)
}

/// Looks at less of a certificate than it should, because code said so.
#[derive(Debug)]
struct Lenient {
    /// None: at nothing.
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last.
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tidemill_testkit::kafka::Certificates;

    use super::*;

    #[test]
    fn pem_on_one_line_is_pem() {
        let made = Certificates::make().unwrap();
        let lines = made.ca();
        for text in [lines.to_owned(), lines.replace('\n', "\\n"), lines.replace('\n', " "), format!("# ours\n{lines}")]
        {
            let tls = Tls::default()
                .authorities_pem(text.clone())
                .identity_pem(made.client_certificate().replace('\n', " "), made.client_key().replace('\n', "\\n"));
            assert!(read(&tls).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_to_do() {
        let made = Certificates::make().unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let refused = |tls: Tls| read(&tls).unwrap_err();
        let trusting = || Tls::default().authorities_pem(made.ca());
        let jks = refused(Tls::default().authorities_file(file("a.jks", b"\xfe\xed\xfe\xed\0\0")));
        assert!(jks.contains("a.jks") && jks.contains("keytool"), "{jks}");
        let pkcs12 = refused(Tls::default().authorities_file(file("a.p12", b"0\x82")));
        assert!(pkcs12.contains("openssl pkcs12"), "{pkcs12}");
        let absent = refused(Tls::default().authorities_file(folder.path().join("absent.pem")));
        assert!(absent.contains("absent.pem") && absent.contains("ssl.ca.location"), "{absent}");
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\naaaa\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let encrypted = refused(trusting().identity_pem(made.client_certificate(), encrypted));
        assert!(encrypted.contains("openssl pkcs8"), "{encrypted}");
        let other = Certificates::make().unwrap();
        let mixed = refused(trusting().identity_pem(made.client_certificate(), other.client_key()));
        assert!(mixed.contains("do not fit together"), "{mixed}");
        let none = refused(trusting().identity_pem(made.client_key(), made.client_key()));
        assert!(none.contains("there is no certificate in it"), "{none}");
    }

    #[test]
    fn a_folder_of_authorities_is_read_whatever_else_lies_there() {
        let made = Certificates::make().unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), made.ca()).unwrap();
        fs::write(folder.path().join("other.jks"), b"\xfe\xed\xfe\xed").unwrap();
        assert!(read(&Tls::default().authorities_file(folder.path())).is_ok());
    }

    #[test]
    fn what_is_half_replaced_does_not_take_away_what_was_there() {
        let (old, new) = (Certificates::make().unwrap(), Certificates::make().unwrap());
        let folder = tempfile::TempDir::new().unwrap();
        let (certificate, key) = (folder.path().join("client.pem"), folder.path().join("client.key"));
        let write = |path: &Path, text: &str| fs::write(path, format!("{text}{}", "#".repeat(text.len() % 7))).unwrap();
        write(&certificate, old.client_certificate());
        write(&key, old.client_key());
        let tls = Tls::default().authorities_pem(old.ca()).identity_files(&certificate, &key);
        let client = TlsClient::new(tls).unwrap();
        let before = client.current();
        assert!(Arc::ptr_eq(&before, &client.current()));
        fs::write(&certificate, format!("{}\n\n", new.client_certificate())).unwrap();
        assert!(Arc::ptr_eq(&before, &client.current()));
        fs::write(&key, format!("{}\n\n", new.client_key())).unwrap();
        assert!(!Arc::ptr_eq(&before, &client.current()));
    }
}
