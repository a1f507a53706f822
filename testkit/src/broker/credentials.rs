//! What is known of users to prove themselves by: passwords for PLAIN, and what SCRAM keeps of a password.
//!
//! [`sasl`](super::sasl) asks; AlterUserScramCredentials changes what SCRAM knows, and what it has changed counts before what
//! the cluster was started with. Nothing in here is ever shown.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use bytes::Bytes;
use ring::{digest, hmac, pbkdf2};
use serde_json::{Value, json};

use super::config::{SaslProperties, User};
use super::sasl::base64;
use super::storage::{Damage, Entry};
use super::watched::Watched;

/// Rounds that SCRAM takes at least, in both mechanisms of Kafka.
pub(crate) const ITERATIONS_MIN: u32 = 4096;
/// And at most.
pub(crate) const ITERATIONS_MAX: u32 = 16384;

/// The hash of a SCRAM mechanism, by its number in Kafka's admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ScramHash {
    Sha256 = 1,
    Sha512 = 2,
}

/// What is kept of a password (RFC 5802). Without `Debug`: whoever has it can try passwords.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ScramCredential {
    pub(crate) salt: Bytes,
    pub(crate) iterations: u32,
    stored_key: Bytes,
    server_key: Bytes,
}

/// Everything that is known.
#[derive(Default)]
pub(crate) struct Credentials {
    passwords: BTreeMap<String, String>,
    /// Of those who were there when the cluster started.
    configured: BTreeMap<(String, ScramHash), ScramCredential>,
    /// What has become of users since then, and what is kept of them. None: gone, though configured.
    pub(super) altered: Watched<(String, ScramHash), Option<ScramCredential>>,
}

/// Users are counted, not shown.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} passwords, {} for SCRAM)", self.passwords.len(), self.all_scram().count())
    }
}

impl ScramHash {
    pub(crate) const fn from_code(code: i8) -> Option<Self> {
        match code {
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(crate) const fn code(self) -> i8 {
        self as i8
    }

    fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Bytes {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
        parts.iter().for_each(|part| context.update(part));
        Bytes::copy_from_slice(context.sign().as_ref())
    }

    fn digest(self, data: &[u8]) -> Bytes {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        Bytes::copy_from_slice(digest::digest(algorithm, data).as_ref())
    }

    /// The password as it is salted: what clients compute, and tools send.
    pub(crate) fn salted(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> Bytes {
        let (algorithm, length) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let mut salted = vec![0; length];
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
        salted.into()
    }
}

impl ScramCredential {
    /// What is kept of a salted password.
    pub(crate) fn new(hash: ScramHash, salt: Bytes, iterations: u32, salted: &[u8]) -> Self {
        let stored_key = hash.digest(&hash.hmac(salted, &[b"Client Key"]));
        Self { salt, iterations, stored_key, server_key: hash.hmac(salted, &[b"Server Key"]) }
    }

    /// Whether a client's proof is one for this exchange; none when it has another length than a proof.
    pub(crate) fn verify(&self, hash: ScramHash, exchange: &[&[u8]], proof: &[u8]) -> Option<bool> {
        let signature = hash.hmac(&self.stored_key, exchange);
        let client_key: Vec<u8> = signature.iter().zip(proof).map(|(signature, proof)| signature ^ proof).collect();
        (proof.len() == signature.len()).then(|| hash.digest(&client_key) == self.stored_key)
    }

    /// What proves to the client that this is the server it knows.
    pub(crate) fn server_signature(&self, hash: ScramHash, exchange: &[&[u8]]) -> Bytes {
        hash.hmac(&self.server_key, exchange)
    }
}

/// What of it outlives the brokers: the keys, from which no password can be read.
impl ScramCredential {
    pub(super) fn keep(&self) -> Value {
        json!({
            "salt": base64::encode(&self.salt),
            "iterations": self.iterations,
            "stored_key": base64::encode(&self.stored_key),
            "server_key": base64::encode(&self.server_key),
        })
    }

    pub(super) fn restore(kept: Entry<'_>) -> Result<Self, Damage> {
        let bytes = |name: &str| {
            let decoded = base64::decode(kept.text(name)?.as_bytes());
            decoded.map(Bytes::from).ok_or_else(|| format!("{name} is not in base 64"))
        };
        let iterations = kept.number("iterations")?;
        Ok(Self {
            salt: bytes("salt")?,
            iterations,
            stored_key: bytes("stored_key")?,
            server_key: bytes("server_key")?,
        })
    }
}

impl Credentials {
    /// The users that a cluster is started with.
    pub(crate) fn new(sasl: &SaslProperties, random: &mut fastrand::Rng) -> Self {
        let mut credentials = Self::default();
        for User { name, password } in &sasl.users {
            credentials.passwords.insert(name.clone(), password.clone());
            for hash in sasl.mechanisms.iter().filter_map(|mechanism| mechanism.scram()) {
                let salt = Bytes::copy_from_slice(&random.u128(..).to_be_bytes());
                let iterations = NonZeroU32::new(ITERATIONS_MIN).unwrap_or(NonZeroU32::MIN);
                let salted = hash.salted(password, &salt, iterations);
                let credential = ScramCredential::new(hash, salt, iterations.get(), &salted);
                credentials.configured.insert((name.clone(), hash), credential);
            }
        }
        credentials
    }

    /// Whether this is the user's password.
    pub(crate) fn is_password(&self, user: &str, password: &str) -> bool {
        self.passwords.get(user).is_some_and(|known| known == password)
    }

    pub(crate) fn scram(&self, user: &str, hash: ScramHash) -> Option<&ScramCredential> {
        let key = (user.to_owned(), hash);
        self.altered.get(&key).map_or_else(|| self.configured.get(&key), Option::as_ref)
    }

    /// What SCRAM knows of, in the order of the users' names.
    pub(crate) fn all_scram(&self) -> impl Iterator<Item = (&str, ScramHash, &ScramCredential)> {
        let altered = self.altered.iter().map(|(key, credential)| (key, credential.as_ref()));
        let mut all: BTreeMap<_, _> = self.configured.iter().map(|(key, known)| (key, Some(known))).collect();
        all.extend(altered);
        all.into_iter().filter_map(|((user, hash), credential)| Some((user.as_str(), *hash, credential?)))
    }

    /// Sets, or removes, what SCRAM knows of a user.
    pub(crate) fn apply_scram(&mut self, user: &str, hash: ScramHash, credential: Option<ScramCredential>) {
        let key = (user.to_owned(), hash);
        if credential.is_some() || self.configured.contains_key(&key) {
            self.altered.insert(key, credential);
        } else {
            self.altered.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange that RFC 7677 shows.
    #[test]
    fn the_proof_and_the_signature_are_those_of_the_standards_example() {
        let salt = Bytes::from(base64::decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap());
        let hash = ScramHash::Sha256;
        let salted = hash.salted("pencil", &salt, NonZeroU32::new(4096).unwrap());
        let credential = ScramCredential::new(hash, salt, 4096, &salted);
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let client = "n=user,r=rOprNGfwEbeRWgbNEkqO";
        let server = format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let last = format!("c=biws,r={nonce}");
        let exchange = [client.as_bytes(), b",", server.as_bytes(), b",", last.as_bytes()];
        let proof = base64::decode(b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        assert_eq!(credential.verify(hash, &exchange, &proof), Some(true));
        assert_eq!(credential.verify(hash, &exchange, &proof[..31]), None);
        assert_eq!(credential.verify(hash, &exchange, &[0; 32]), Some(false));
        let signature = credential.server_signature(hash, &exchange);
        assert_eq!(base64::encode(&signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn nothing_is_shown() {
        let users = vec![User::new("alice", "alice-secret")];
        let sasl = SaslProperties { users, ..SaslProperties::default() };
        let credentials = Credentials::new(&sasl, &mut fastrand::Rng::with_seed(1));
        assert_eq!(format!("{credentials:?}"), "Credentials(1 passwords, 2 for SCRAM)");
        assert!(!format!("{sasl:?}").contains("secret"), "{sasl:?}");
    }
}
