//! Certificates for brokers and clients that meet on this machine: an authority of their own, made anew for each cluster.
//!
//! They are made by a library that nothing but tests needs: only with the feature `certificates`.

use std::fmt;

use super::KafkaError;

/// An authority, and what it has signed, as PEM.
#[derive(Clone)]
pub struct Certificates {
    ca: String,
    server: (String, String),
    client: (String, String),
}

/// The keys stay out of it.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// A new authority; a server's certificate for `localhost` and 127.0.0.1, and one for a client.
    ///
    /// # Errors
    /// Without the feature `certificates`, and when there are no random numbers.
    pub fn make() -> Result<Self, KafkaError> {
        make().map_err(|error| KafkaError::Failed(format!("no certificates: {error}")))
    }

    /// The authority's certificate: whoever trusts it trusts the brokers.
    #[must_use]
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// A client's certificate, of the name `tidemill-client`.
    #[must_use]
    pub fn client_certificate(&self) -> &str {
        &self.client.0
    }

    /// The private key of [`Self::client_certificate`], PKCS #8.
    #[must_use]
    pub fn client_key(&self) -> &str {
        &self.client.1
    }

    /// The certificate of brokers at `localhost` and 127.0.0.1, and its private key, PKCS #8.
    #[must_use]
    pub fn server(&self) -> (&str, &str) {
        (&self.server.0, &self.server.1)
    }
}

#[cfg(not(feature = "certificates"))]
fn make() -> Result<Certificates, &'static str> {
    Err("tidemill-testkit makes them only with its feature `certificates`")
}

#[cfg(feature = "certificates")]
fn make() -> Result<Certificates, rcgen::Error> {
    use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};

    let mut authority = named("tidemill-authority", &[])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let ca = authority.self_signed(&key)?.pem();
    let authority = Issuer::new(authority, key);
    let signed = |name, addresses: &[&str], usage| {
        let mut params = named(name, addresses)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        Ok::<_, rcgen::Error>((params.signed_by(&key, &authority)?.pem(), key.serialize_pem()))
    };
    let server = signed("localhost", &["localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth)?;
    let client = signed("tidemill-client", &[], ExtendedKeyUsagePurpose::ClientAuth)?;
    Ok(Certificates { ca, server, client })
}

#[cfg(feature = "certificates")]
fn named(name: &str, addresses: &[&str]) -> Result<rcgen::CertificateParams, rcgen::Error> {
    let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(addresses)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    Ok(params)
}

#[cfg(all(test, feature = "certificates"))]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_shown() {
        let certificates = Certificates::make().unwrap();
        assert!(certificates.client_key().starts_with("-----BEGIN PRIVATE KEY-----"));
        assert_eq!(format!("{certificates:?}"), "Certificates { .. }");
    }
}
