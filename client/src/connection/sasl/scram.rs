//! SCRAM (RFC 5802, RFC 7677): proves that we know a password without saying it, and has the broker prove it too.
//!
//! A machine: [`first`] says who we are, [`Asked::read`] takes salt and rounds, [`Salting::derive`] is the work that takes
//! long, [`Salting`]'s keys make the proof, and [`Proved::check`] holds the broker's answer against them.

use std::fmt;
use std::num::NonZeroU32;

use bytes::Bytes;
use ring::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use crate::base64;
use crate::security::{ScramHash, Secret};

/// As many rounds as RFC 7677 asks for at least: fewer, and who listens could guess the password.
const ITERATIONS_MIN: u32 = 4_096;
/// More, and the broker would have us work for it.
const ITERATIONS_MAX: u32 = 1_000_000;
const SALT_BYTES_MAX: usize = 1_024;

/// The first word, and what is remembered of it.
pub(super) fn first(hash: ScramHash, username: &str, password: Secret, nonce: String) -> (Asked, Bytes) {
    let bare = format!("n={},r={nonce}", username.replace('=', "=3D").replace(',', "=2C"));
    let message = Bytes::from(format!("n,,{bare}"));
    (Asked { hash, password, nonce, bare }, message)
}

/// We have said who we are.
#[derive(Debug)]
pub(crate) struct Asked {
    hash: ScramHash,
    password: Secret,
    nonce: String,
    bare: String,
}

/// What the broker wants the password to be salted with.
pub(crate) struct Salting {
    hash: ScramHash,
    password: Secret,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

impl fmt::Debug for Salting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Salting").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// What a salted password gives.
pub(crate) struct Keys {
    client: Zeroizing<Vec<u8>>,
    server: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// The broker has said what to salt with.
#[derive(Debug)]
pub(crate) struct Salted {
    hash: ScramHash,
    /// The messages so far, and the last one without its proof.
    said: String,
    last: String,
}

/// We have given our proof.
#[derive(Debug)]
pub(crate) struct Proved {
    hash: ScramHash,
    said: String,
    keys: Keys,
}

impl Asked {
    /// The broker's first word.
    pub(super) fn read(self, message: &[u8]) -> Result<(Salted, Salting), String> {
        let message = text(message)?;
        let mut parts = message.split(',');
        let mut part = |name: &str| {
            let part = parts.next().and_then(|part| part.strip_prefix(name)).map(str::to_owned);
            part.ok_or_else(|| format!("the broker's SCRAM message has no {name} in its place"))
        };
        // An extension that has to be understood would stand first, as m=.
        let nonce = part("r=")?;
        let salt = part("s=")?;
        let iterations = part("i=")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the broker's SCRAM nonce does not go on from ours".to_owned());
        }
        let salt = base64::decode(&salt).filter(|salt| !salt.is_empty() && salt.len() <= SALT_BYTES_MAX);
        let salt = salt.ok_or("the broker's SCRAM salt is none, or is too long")?;
        let iterations: u32 =
            iterations.parse().map_err(|_| "the broker's SCRAM iterations are not a number".to_owned())?;
        let iterations = NonZeroU32::new(iterations)
            .filter(|count| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&count.get()))
            .ok_or_else(|| {
                format!(
                    "the broker asks for {iterations} SCRAM iterations; {ITERATIONS_MIN} to {ITERATIONS_MAX} are done: \
                     store the password anew on the broker, with iterations in this range"
                )
            })?;
        let last = format!("c=biws,r={nonce}");
        let said = format!("{},{message},{last}", self.bare);
        let salting = Salting { hash: self.hash, password: self.password, salt, iterations };
        Ok((Salted { hash: self.hash, said, last }, salting))
    }
}

impl Salting {
    /// Takes long: milliseconds, or a second where the broker asks for many rounds.
    pub(crate) fn derive(self) -> Keys {
        let (algorithm, length) = match self.hash {
            ScramHash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            ScramHash::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let mut salted = Zeroizing::new(vec![0; length]);
        pbkdf2::derive(algorithm, self.iterations, &self.salt, self.password.expose().as_bytes(), &mut salted);
        Keys { client: sign(self.hash, &salted, "Client Key"), server: sign(self.hash, &salted, "Server Key") }
    }
}

impl Salted {
    /// Our proof.
    pub(super) fn prove(self, keys: Keys) -> (Proved, Bytes) {
        let stored = digest::digest(
            match self.hash {
                ScramHash::Sha256 => &digest::SHA256,
                ScramHash::Sha512 => &digest::SHA512,
            },
            &keys.client,
        );
        let signature = sign(self.hash, stored.as_ref(), &self.said);
        let proof: Vec<u8> = keys.client.iter().zip(signature.iter()).map(|(key, signature)| key ^ signature).collect();
        let message = format!("{},p={}", self.last, base64::encode(&proof));
        (Proved { hash: self.hash, said: self.said, keys }, message.into())
    }
}

impl Proved {
    /// Whether the broker knows the password too.
    pub(super) fn check(&self, message: &[u8]) -> Result<(), String> {
        let message = text(message)?;
        let first = message.split(',').next().unwrap_or_default();
        let signature = first.strip_prefix("v=").and_then(base64::decode);
        let signature = signature.ok_or("the broker's last SCRAM message has no signature")?;
        // Takes as long whatever is wrong with it.
        hmac::verify(&hmac::Key::new(algorithm(self.hash), &self.keys.server), self.said.as_bytes(), &signature)
            .map_err(|_| {
                "the broker does not know the password that it asks for: it may be somebody else, see bootstrap.servers"
                    .to_owned()
            })
    }
}

/// A message, unless it is an error.
fn text(message: &[u8]) -> Result<&str, String> {
    let message = std::str::from_utf8(message).map_err(|_| "the broker's SCRAM message is not text")?;
    match message.strip_prefix("e=") {
        Some(error) => Err(format!("the broker ends SCRAM with '{}'", crate::properties::shorten(error))),
        None => Ok(message),
    }
}

fn algorithm(hash: ScramHash) -> hmac::Algorithm {
    match hash {
        ScramHash::Sha256 => hmac::HMAC_SHA256,
        ScramHash::Sha512 => hmac::HMAC_SHA512,
    }
}

fn sign(hash: ScramHash, key: &[u8], message: &str) -> Zeroizing<Vec<u8>> {
    let tag = hmac::sign(&hmac::Key::new(algorithm(hash), key), message.as_bytes());
    Zeroizing::new(tag.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const SERVER_LAST: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn asked(hash: ScramHash) -> (Asked, Bytes) {
        first(hash, "user", Secret::new("pencil"), NONCE.to_owned())
    }

    fn proved() -> (Proved, Bytes) {
        let (salted, salting) = asked(ScramHash::Sha256).0.read(SERVER_FIRST.as_bytes()).unwrap();
        salted.prove(salting.derive())
    }

    #[test]
    fn the_exchange_of_the_standard_is_ours() {
        assert_eq!(asked(ScramHash::Sha256).1, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (proved, message) = proved();
        assert_eq!(
            message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(proved.check(SERVER_LAST.as_bytes()), Ok(()));
        assert_eq!(proved.check(format!("{SERVER_LAST},x=y").as_bytes()), Ok(()));
    }

    #[test]
    fn names_with_commas_and_equals_signs_are_escaped() {
        let (_, message) = first(ScramHash::Sha512, "a=b,c", Secret::new("x"), "n".to_owned());
        assert_eq!(message, "n,,n=a=3Db=2Cc,r=n");
    }

    #[test]
    fn a_broker_that_does_not_know_the_password_is_found_out() {
        let (proved, _) = proved();
        let one_bit = SERVER_LAST.replace("6rri", "6rrj");
        for message in [&*one_bit, "v=", "v=AAAA", "v=6rriTRBi23WpRR/wtup+", "", "x=1", "e=other-error"] {
            assert!(proved.check(message.as_bytes()).is_err(), "{message}");
        }
        assert!(proved.check(b"e=invalid-proof").unwrap_err().contains("invalid-proof"));
    }

    #[test]
    fn what_a_hostile_broker_asks_for_is_refused() {
        let with = |from: &str, to: &str| SERVER_FIRST.replace(from, to);
        let long_salt = base64::encode(&[7; 2000]);
        for message in [
            String::new(),
            "\u{0}".to_owned(),
            with("r=rO", "r=xx"),
            with("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", ""),
            with("i=4096", "i=4095"),
            with("i=4096", "i=1"),
            with("i=4096", "i=0"),
            with("i=4096", "i=-1"),
            with("i=4096", "i=1000001"),
            with("i=4096", "i=2147483647"),
            with("i=4096", "i=99999999999999999999"),
            with("W22ZaJ0SNY7soEsUEjb6gQ==", ""),
            with("W22ZaJ0SNY7soEsUEjb6gQ==", "!"),
            with("W22ZaJ0SNY7soEsUEjb6gQ==", &long_salt),
            format!("m=must-understand,{SERVER_FIRST}"),
            "e=unknown-user".to_owned(),
        ] {
            let told = asked(ScramHash::Sha256).0.read(message.as_bytes()).map(drop);
            assert!(told.is_err(), "{message}");
            assert!(told.unwrap_err().len() < 300);
        }
        assert!(asked(ScramHash::Sha256).0.read(b"\xff\xfe").is_err());
        assert!(asked(ScramHash::Sha256).0.read(format!("{SERVER_FIRST},x=y").as_bytes()).is_ok());
    }
}
