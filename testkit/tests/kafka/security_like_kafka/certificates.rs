//! Whom a client's certificate names: seen where a token is asked for, whose refusal says who asked.

use std::sync::Arc;

use tidemill_protocol::messages::*;
use tidemill_testkit::kafka::Certificates;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::peer::*;

/// What who shows a certificate, and who shows none, is answered.
pub(crate) async fn names(bootstrap: &str, certificates: &Certificates) -> Vec<(String, String)> {
    let mut answers = Vec::new();
    for shown in [true, false] {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificates.ca().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if shown {
            let chain = CertificateDer::from_pem_slice(certificates.client_certificate().as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(certificates.client_key().as_bytes()).unwrap();
            config.with_client_auth_cert(vec![chain], key).unwrap()
        } else {
            config.with_no_client_auth()
        };
        let stream = TcpStream::connect(bootstrap).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let body = CreateDelegationTokenRequest::default().with_max_lifetime_ms(1000);
        let body = body.with_owner_principal_type(Some(text(""))).with_owner_principal_name(None);
        let made = ask_on(&mut stream, 3, &body).await;
        answers.push((format!("CreateDelegationToken, shown {shown}"), format!("{made:#?}")));
    }
    answers
}
