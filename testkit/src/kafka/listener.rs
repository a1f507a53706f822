//! Listeners of a real broker beside the plain one: who may come in, and whether the line is encrypted.

use super::certificates::Certificates;

/// A second way to the brokers, of which each has a port for it.
///
/// A listener with SASL takes PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 with the users of
/// [`KafkaBuilder::user`](super::KafkaBuilder::user), and OAUTHBEARER with any token that is signed by nobody (`"alg":"none"`)
/// and has not expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listener {
    /// TLS.
    Ssl(ClientAuth),
    /// SASL on a plain line.
    SaslPlaintext,
    /// SASL within TLS.
    SaslSsl(ClientAuth),
}

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// They are not asked for one.
    None,
    /// They are asked, and may come in without.
    Requested,
    /// They do not come in without.
    Required,
}

/// Somebody who may come in. Without `Debug`, which would show the password.
#[derive(Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
}

impl Listener {
    /// The security protocol, as clients' configurations call it. A cluster has one listener of each.
    #[must_use]
    pub const fn security_protocol(self) -> &'static str {
        match self {
            Self::Ssl(_) => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl(_) => "SASL_SSL",
        }
    }

    const fn has_sasl(self) -> bool {
        match self {
            Self::Ssl(_) => false,
            Self::SaslPlaintext => true,
            Self::SaslSsl(_) => true,
        }
    }

    pub(super) const fn has_tls(self) -> bool {
        self.client_auth().is_some()
    }

    const fn client_auth(self) -> Option<ClientAuth> {
        match self {
            Self::Ssl(client_auth) | Self::SaslSsl(client_auth) => Some(client_auth),
            Self::SaslPlaintext => None,
        }
    }

    /// The broker's properties of this listener, a line each.
    pub(super) fn properties(self, users: &[User], certificates: Option<&Certificates>) -> String {
        let mut lines = if self.has_sasl() { sasl(users) } else { Vec::new() };
        if let (Some(client_auth), Some(certificates)) = (self.client_auth(), certificates) {
            lines.extend(tls(client_auth, certificates));
        }
        let prefix = format!("listener.name.{}", self.security_protocol().to_ascii_lowercase());
        lines.iter().map(|(name, value)| format!("{prefix}.{name}={}\n", escaped(value))).collect()
    }
}

/// The users, as the storage tool takes them when it prepares a node: what a broker keeps of a SCRAM password.
pub(super) fn scram_credentials(users: &[User]) -> impl Iterator<Item = String> {
    let of_mechanism = |mechanism| {
        users.iter().map(move |User { name, password }| format!("{mechanism}=[name={name},password={password}]"))
    };
    SCRAM.into_iter().flat_map(of_mechanism)
}

const SCRAM: [&str; 2] = ["SCRAM-SHA-256", "SCRAM-SHA-512"];

fn sasl(users: &[User]) -> Vec<(String, String)> {
    let module = |mechanism: &str, module: &str, options: &str| {
        let module = format!("org.apache.kafka.common.security.{module} required{options};");
        (format!("{}.sasl.jaas.config", mechanism.to_ascii_lowercase()), module)
    };
    let known: String = users.iter().map(|User { name, password }| format!(" user_{name}=\"{password}\"")).collect();
    let mut lines = vec![
        ("sasl.enabled.mechanisms".to_owned(), "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER".to_owned()),
        module("PLAIN", "plain.PlainLoginModule", &known),
        module("OAUTHBEARER", "oauthbearer.OAuthBearerLoginModule", " unsecuredLoginStringClaim_sub=\"broker\""),
    ];
    lines.extend(SCRAM.map(|mechanism| module(mechanism, "scram.ScramLoginModule", "")));
    lines
}

fn tls(client_auth: ClientAuth, certificates: &Certificates) -> Vec<(String, String)> {
    let client_auth = match client_auth {
        ClientAuth::None => "none",
        ClientAuth::Requested => "requested",
        ClientAuth::Required => "required",
    };
    let (certificate, key) = certificates.server();
    [
        ("ssl.client.auth", client_auth),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.certificate.chain", certificate),
        ("ssl.keystore.key", key),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.certificates", certificates.ca()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// A value of several lines on one, as a file of properties has it.
fn escaped(value: &str) -> String {
    value.trim_end().replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_knows_its_users_under_every_mechanism() {
        let users = [User { name: "alice".to_owned(), password: "alice-secret".to_owned() }];
        let properties = Listener::SaslPlaintext.properties(&users, None);
        assert!(
            properties.contains(
                "listener.name.sasl_plaintext.plain.sasl.jaas.config=\
                 org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"alice-secret\";\n"
            ),
            "{properties}"
        );
        assert!(!properties.contains("ssl."), "{properties}");
        let credentials: Vec<String> = scram_credentials(&users).collect();
        assert_eq!(
            credentials,
            ["SCRAM-SHA-256=[name=alice,password=alice-secret]", "SCRAM-SHA-512=[name=alice,password=alice-secret]"]
        );
    }

    #[cfg(feature = "certificates")]
    #[test]
    fn certificates_of_several_lines_stand_on_one() {
        let certificates = Certificates::make().unwrap();
        let properties = Listener::Ssl(ClientAuth::Required).properties(&[], Some(&certificates));
        assert_eq!(properties.lines().count(), 6, "{properties}");
        assert!(properties.contains("listener.name.ssl.ssl.client.auth=required\n"), "{properties}");
        assert!(properties.contains("chain=-----BEGIN CERTIFICATE-----\\n"), "{properties}");
    }
}
