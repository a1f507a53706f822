//! TLS and SASL by the names that Java and librdkafka have for their options.
//!
//! A [`Draft`] takes them one by one, in any order; what does not fit together is told when it is [finished](Draft::finish).

use std::path::PathBuf;

use super::Security;
use super::jaas::Jaas;
use super::login::{LoginDraft, unsecured};
use super::sasl::Sasl;
use super::secret::Secret;
use super::tls::{Identity, Pem, Tls, TlsVersions};
use crate::error::Error;
use crate::properties::Property;

/// What has been said so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    /// Said by code, in place of all the others.
    typed: Option<Security>,
    protocol: Protocol,
    authorities: Option<Pem>,
    certificates: Option<Pem>,
    key: Option<Pem>,
    versions: TlsVersions,
    login: LoginDraft,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Protocol {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl From<Security> for Draft {
    fn from(security: Security) -> Self {
        Self { typed: Some(security), ..Self::default() }
    }
}

impl Draft {
    /// # Errors
    /// What does not fit together, or is missing.
    pub(crate) fn finish(&self) -> Result<Security, Error> {
        if let Some(security) = &self.typed {
            return Ok(security.clone());
        }
        let (has_tls, has_sasl) = match self.protocol {
            Protocol::Plaintext => (false, false),
            Protocol::Ssl => (true, false),
            Protocol::SaslPlaintext => (false, true),
            Protocol::SaslSsl => (true, true),
        };
        if !has_sasl && self.login.says_anything() {
            tracing::warn!("options of SASL are not used: set security.protocol to SASL_SSL or SASL_PLAINTEXT");
        }
        let tls = if has_tls { Some(self.tls()?) } else { None };
        let sasl = if has_sasl { Some(Sasl(self.login.finish()?)) } else { None };
        Ok(Security { tls, sasl })
    }

    fn tls(&self) -> Result<Tls, Error> {
        let identity = match (&self.certificates, &self.key) {
            (Some(certificates), Some(key)) => Some(Identity { certificates: certificates.clone(), key: key.clone() }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Error::config("a client certificate without its private key")
                    .with_detail("set ssl.key.location or ssl.key.pem (Java: ssl.keystore.key)"));
            }
            (None, Some(_)) => {
                return Err(Error::config("a private key without its certificate").with_detail(
                    "set ssl.certificate.location or ssl.certificate.pem (Java: ssl.keystore.certificate.chain)",
                ));
            }
        };
        Ok(Tls { authorities: self.authorities.clone(), identity, versions: self.versions, ..Tls::default() })
    }
}

fn file(value: &str) -> Pem {
    Pem::File(PathBuf::from(value))
}

fn text(value: &str) -> Pem {
    Pem::Text(Secret::new(value))
}

/// Stores are read as PEM; what to do with those of Java.
fn store_type(value: &str, is_truststore: bool) -> Result<(), String> {
    if value.eq_ignore_ascii_case("PEM") {
        return Ok(());
    }
    Err(if is_truststore {
        "only PEM is read: export the certificates with `keytool -exportcert -rfc -keystore truststore.jks -alias NAME \
         -file ca.pem`, and set ssl.truststore.type=PEM and ssl.truststore.location=ca.pem"
            .to_owned()
    } else {
        "only PEM is read: convert the store with `keytool -importkeystore -srckeystore keystore.jks -destkeystore \
         keystore.p12 -deststoretype PKCS12` and `openssl pkcs12 -in keystore.p12 -nodes -out keystore.pem`, and set \
         ssl.keystore.type=PEM and ssl.keystore.location=keystore.pem"
            .to_owned()
    })
}

/// By what a store is locked that is none of PEM.
fn no_password(_: &mut Draft, _: &str) -> Result<(), String> {
    Err(String::new())
}

/// The options of TLS and SASL.
pub(crate) const PROPERTIES: &[Property<Draft>] = &[
    Property {
        names: &["security.protocol"],
        default: "PLAINTEXT",
        doc: "how connections are secured: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
        set: |draft, value| {
            draft.protocol = match value.to_ascii_uppercase().as_str() {
                "PLAINTEXT" => Protocol::Plaintext,
                "SSL" => Protocol::Ssl,
                "SASL_PLAINTEXT" => Protocol::SaslPlaintext,
                "SASL_SSL" => Protocol::SaslSsl,
                _ => return Err("not one of these".to_owned()),
            };
            Ok(())
        },
    },
    Property {
        names: &["ssl.truststore.type"],
        default: "PEM",
        doc: "how the certificates of trusted authorities are kept",
        set: |_, value| store_type(value, true),
    },
    Property {
        names: &["ssl.truststore.location", "ssl.ca.location"],
        default: "none: the authorities that the operating system trusts",
        doc: "a PEM file with the certificates of trusted authorities, or a folder of such files",
        set: |draft, value| {
            // So librdkafka says that it looks for the system's.
            draft.authorities = (value != "probe").then(|| file(value));
            Ok(())
        },
    },
    Property {
        names: &["ssl.truststore.certificates", "ssl.ca.pem"],
        default: "none: the authorities that the operating system trusts",
        doc: "the certificates of trusted authorities, as PEM",
        set: |draft, value| {
            draft.authorities = Some(text(value));
            Ok(())
        },
    },
    Property {
        names: &["ssl.truststore.password"],
        default: "none",
        doc: "PEM files have no password: remove this, and set ssl.truststore.type=PEM",
        set: no_password,
    },
    Property {
        names: &["ssl.keystore.type"],
        default: "PEM",
        doc: "how our own certificate and its key are kept",
        set: |_, value| store_type(value, false),
    },
    Property {
        names: &["ssl.keystore.location"],
        default: "none: no certificate is shown",
        doc: "a PEM file with our own certificate, with what leads from it to an authority, and its private key",
        set: |draft, value| {
            draft.certificates = Some(file(value));
            draft.key = Some(file(value));
            Ok(())
        },
    },
    Property {
        names: &["ssl.keystore.password"],
        default: "none",
        doc: "PEM files have no password: remove this, and set ssl.keystore.type=PEM",
        set: no_password,
    },
    Property {
        names: &["ssl.certificate.location"],
        default: "none: no certificate is shown",
        doc: "a PEM file with our own certificate, with what leads from it to an authority",
        set: |draft, value| {
            draft.certificates = Some(file(value));
            Ok(())
        },
    },
    Property {
        names: &["ssl.keystore.certificate.chain", "ssl.certificate.pem"],
        default: "none: no certificate is shown",
        doc: "our own certificate, with what leads from it to an authority, as PEM",
        set: |draft, value| {
            draft.certificates = Some(text(value));
            Ok(())
        },
    },
    Property {
        names: &["ssl.key.location"],
        default: "none: no certificate is shown",
        doc: "a PEM file with the private key of our own certificate",
        set: |draft, value| {
            draft.key = Some(file(value));
            Ok(())
        },
    },
    Property {
        names: &["ssl.keystore.key", "ssl.key.pem"],
        default: "none: no certificate is shown",
        doc: "the private key of our own certificate, as PEM",
        set: |draft, value| {
            draft.key = Some(text(value));
            Ok(())
        },
    },
    Property {
        names: &["ssl.key.password"],
        default: "none",
        doc: "encrypted private keys are not read: decrypt it with `openssl pkcs8 -in key.pem -topk8 -nocrypt -out open.pem`, \
              keep the file from others, and remove this",
        set: no_password,
    },
    Property {
        names: &["ssl.endpoint.identification.algorithm"],
        default: "https",
        doc: "how a broker's name is looked for in its certificate",
        set: |_, value| match value {
            "https" => Ok(()),
            _ => Err(
                "only https is taken; who has to talk to brokers under other names than those in their certificates \
                      says so in code, by Tls::dangerous_accept_any_name"
                    .to_owned(),
            ),
        },
    },
    Property {
        names: &["enable.ssl.certificate.verification"],
        default: "true",
        doc: "whether brokers have to show a certificate of a trusted authority",
        set: |_, value| match value {
            "true" => Ok(()),
            _ => Err("only true is taken; who has to talk to anybody says so in code, by \
                      Tls::dangerous_accept_any_certificate"
                .to_owned()),
        },
    },
    Property {
        names: &["ssl.enabled.protocols"],
        default: "TLSv1.2,TLSv1.3",
        doc: "the versions of TLS that may be spoken, separated by commas",
        set: |draft, value| {
            let mut versions = TlsVersions { v1_2: false, v1_3: false };
            for version in value.split(',').map(str::trim) {
                match version {
                    "TLSv1.2" => versions.v1_2 = true,
                    "TLSv1.3" => versions.v1_3 = true,
                    _ => return Err("only TLSv1.2 and TLSv1.3 are spoken".to_owned()),
                }
            }
            draft.versions = versions;
            Ok(())
        },
    },
    Property {
        names: &["ssl.protocol"],
        default: "TLSv1.3",
        doc: "the version of TLS that Java prefers; the newest that both sides speak is taken anyway",
        set: |_, value| match value {
            "TLS" | "TLSv1.2" | "TLSv1.3" => Ok(()),
            _ => Err("only TLSv1.2 and TLSv1.3 are spoken".to_owned()),
        },
    },
    Property {
        names: &["sasl.mechanism", "sasl.mechanisms"],
        default: "GSSAPI, which is not spoken",
        doc: "how we prove who we are: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER",
        set: |draft, value| {
            if !["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"].contains(&&*value.to_ascii_uppercase()) {
                return Err("it is not spoken".to_owned());
            }
            draft.login.mechanism = Some(value.to_owned());
            Ok(())
        },
    },
    Property {
        names: &["sasl.jaas.config"],
        default: "none",
        doc: "name and password as Java has them: org.apache.kafka.common.security.plain.PlainLoginModule (or \
              scram.ScramLoginModule) required username=\"...\" password=\"...\"; with a semicolon at its end",
        set: |draft, value| {
            draft.login.jaas = Some(Jaas::parse(value)?);
            Ok(())
        },
    },
    Property {
        names: &["sasl.username"],
        default: "none",
        doc: "the name to log in with",
        set: |draft, value| {
            draft.login.username = Some(value.to_owned());
            Ok(())
        },
    },
    Property {
        names: &["sasl.password"],
        default: "none",
        doc: "the password to log in with",
        set: |draft, value| {
            draft.login.password = Some(Secret::new(value));
            Ok(())
        },
    },
    Property {
        names: &["sasl.oauthbearer.config"],
        default: "none",
        doc: "what is in tokens that nobody signs: principal=NAME, and if need be principalClaimName, scope, \
              scopeClaimName, lifeSeconds and extension_NAME, with blanks between",
        set: |draft, value| {
            draft.login.unsecured = Some(unsecured(value)?);
            Ok(())
        },
    },
    Property {
        names: &["enable.sasl.oauthbearer.unsecure.jwt"],
        default: "false",
        doc: "whether to show tokens that nobody signs, true or false; for development only",
        set: |draft, value| {
            draft.login.allows_unsecured = match value {
                "true" => true,
                "false" => false,
                _ => return Err("neither".to_owned()),
            };
            Ok(())
        },
    },
];

#[cfg(test)]
mod tests {
    use crate::ClientConfig;

    fn refused(properties: &[(&str, &str)]) -> String {
        let config = ClientConfig::from_properties(properties.iter().copied());
        match config.and_then(|config| config.security.finish()) {
            Ok(security) => panic!("{security:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn stores_of_java_are_refused_with_what_to_do() {
        assert!(refused(&[("ssl.truststore.type", "JKS")]).contains("keytool -exportcert"));
        assert!(refused(&[("ssl.keystore.type", "PKCS12")]).contains("openssl pkcs12"));
        assert!(refused(&[("ssl.truststore.password", "changeit")]).contains("PEM files have no password"));
        assert!(refused(&[("ssl.key.password", "changeit")]).contains("openssl pkcs8"));
    }

    #[test]
    fn checks_are_not_turned_off_by_a_line_in_a_file() {
        let name = refused(&[("ssl.endpoint.identification.algorithm", "")]);
        assert!(name.contains("Tls::dangerous_accept_any_name"), "{name}");
        let all = refused(&[("enable.ssl.certificate.verification", "false")]);
        assert!(all.contains("Tls::dangerous_accept_any_certificate"), "{all}");
    }

    #[test]
    fn a_certificate_and_its_key_belong_together() {
        let ssl = ("security.protocol", "SSL");
        assert!(refused(&[ssl, ("ssl.certificate.location", "a.pem")]).contains("set ssl.key.location"));
        assert!(refused(&[ssl, ("ssl.key.location", "a.pem")]).contains("set ssl.certificate.location"));
        assert!(refused(&[("security.protocol", "TLS")]).contains("PLAINTEXT, SSL"));
    }

    #[test]
    fn what_sasl_lacks_is_told() {
        let sasl = ("security.protocol", "SASL_PLAINTEXT");
        assert!(refused(&[sasl]).contains("what is spoken is PLAIN"));
        assert!(refused(&[sasl, ("sasl.mechanism", "GSSAPI")]).contains("SCRAM-SHA-512"));
        let plain = ("sasl.mechanism", "PLAIN");
        assert!(refused(&[sasl, plain]).contains("the name is missing"));
        assert!(refused(&[sasl, plain, ("sasl.username", "alice")]).contains("the password is missing"));
        let scram = ("sasl.jaas.config", "a.ScramLoginModule required username=\"alice\" password=\"hunter2\";");
        assert!(refused(&[sasl, plain, scram]).contains("PLAIN goes with PlainLoginModule"));
        let swapped = refused(&[sasl, plain, ("sasl.jaas.config", "hunter2 required;")]);
        assert!(swapped.contains("another module") && !swapped.contains("hunter2"), "{swapped}");
        let token = ("sasl.mechanism", "OAUTHBEARER");
        assert!(refused(&[sasl, token]).contains("Sasl::oauth_bearer"));
        assert!(refused(&[sasl, token, ("sasl.oauthbearer.config", "principal=alice")]).contains("unsecure.jwt=true"));
        assert!(refused(&[("sasl.oauthbearer.token.endpoint.url", "https://x")]).contains("TokenProvider"));
    }

    #[test]
    fn both_write_a_login_in_their_own_way() {
        let read = |properties: &[(&str, &str)]| {
            let config = ClientConfig::from_properties(properties.iter().copied()).unwrap();
            format!("{:?}", config.security.finish().unwrap())
        };
        let ssl = ("security.protocol", "SASL_SSL");
        let java = [
            ssl,
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.jaas.config", "a.ScramLoginModule required username=\"alice\" password=\"hunter2\";"),
        ];
        let librdkafka =
            [ssl, ("sasl.mechanisms", "SCRAM-SHA-512"), ("sasl.username", "alice"), ("sasl.password", "hunter2")];
        assert_eq!(read(&java), read(&librdkafka));
        assert!(read(&java).contains("alice") && !read(&java).contains("hunter2"), "{}", read(&java));
        let token = [ssl, ("sasl.mechanism", "OAUTHBEARER")];
        let jaas = "a.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"alice\" \
                    unsecuredLoginListClaim_scope=\",read,write\" unsecuredLoginLifetimeSeconds=\"60\" \
                    unsecuredLoginExtension_cluster=\"c1\";";
        let java = [&token[..], &[("sasl.jaas.config", jaas)]].concat();
        let librdkafka = [
            &token[..],
            &[
                ("enable.sasl.oauthbearer.unsecure.jwt", "true"),
                ("sasl.oauthbearer.config", "principal=alice scope=read,write lifeSeconds=60 extension_cluster=c1"),
            ],
        ];
        assert_eq!(read(&java), read(&librdkafka.concat()));
    }

    #[test]
    fn java_and_librdkafka_name_the_same_options() {
        let java = [
            ("security.protocol", "SSL"),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", "ca.pem"),
            ("ssl.keystore.certificate.chain", "chain"),
            ("ssl.keystore.key", "hunter2"),
        ];
        let librdkafka = [
            ("security.protocol", "ssl"),
            ("ssl.ca.location", "ca.pem"),
            ("ssl.certificate.pem", "chain"),
            ("ssl.key.pem", "hunter2"),
        ];
        let read = |properties: &[(&str, &str)]| {
            let config = ClientConfig::from_properties(properties.iter().copied()).unwrap();
            format!("{:?}", config.security.finish().unwrap())
        };
        assert_eq!(read(&java), read(&librdkafka));
        assert!(!read(&java).contains("hunter2"), "{}", read(&java));
    }
}
