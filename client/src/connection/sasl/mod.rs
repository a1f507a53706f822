//! The exchange by which a broker learns who we are: one mechanism's messages, in their order.
//!
//! A machine: [`handshake`](super::handshake) carries its messages; what takes time or chance is an [`Errand`] that the
//! [`driver`](super::driver) runs.
//!
//! - `plain`, `scram`, `oauthbearer`: what the mechanisms say

mod oauthbearer;
mod plain;
mod scram;

use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};

pub(super) use self::scram::{Keys, Salting};
use crate::base64;
use crate::security::{OauthToken, ScramHash, Secret};

/// As many random bytes as a nonce has.
const NONCE_BYTES: usize = 18;

/// Letters that nobody can guess.
pub(super) fn nonce() -> Result<String, String> {
    let mut bytes = [0; NONCE_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the operating system gives no random numbers")?;
    Ok(base64::encode_for_urls(&bytes))
}

/// What has to be found out before the exchange can go on.
#[derive(Debug)]
pub(super) enum Errand {
    /// What to log in with.
    LogIn,
    /// What a password gives that is salted as the broker wants it.
    Salt(Salting),
}

/// What an errand has found out.
#[derive(Debug)]
pub(super) enum Found {
    Login(Login),
    Keys(Keys),
}

/// What to log in with.
#[derive(Debug)]
pub(super) enum Login {
    Plain { username: String, password: Secret },
    Scram { hash: ScramHash, username: String, password: Secret, nonce: String },
    OauthBearer(OauthToken),
}

/// ```text
/// PLAIN, OAUTHBEARER: Last --answered--> done        OAUTHBEARER: Last --why not--> Refused
/// SCRAM: Asked --salt--> Salting --keys--> Proved --signature--> done
/// ```
#[derive(Debug)]
pub(super) enum Exchange {
    /// An answer without words is the end.
    Last {
        takes_reasons: bool,
    },
    Asked(scram::Asked),
    Salting(scram::Salted),
    Proved(scram::Proved),
    /// The broker said why not, and has yet to refuse.
    Refused(String),
}

/// What comes next.
pub(super) enum Next {
    Say(Exchange, Bytes),
    Run(Exchange, Errand),
    Done,
}

impl Exchange {
    /// The first message.
    pub(super) fn begin(login: Login) -> Result<(Self, Bytes), String> {
        Ok(match login {
            Login::Plain { username, password } => {
                (Self::Last { takes_reasons: false }, plain::message(&username, &password)?)
            }
            Login::Scram { hash, username, password, nonce } => {
                let (asked, message) = scram::first(hash, &username, password, nonce);
                (Self::Asked(asked), message)
            }
            Login::OauthBearer(token) => (Self::Last { takes_reasons: true }, oauthbearer::message(&token)?),
        })
    }

    /// The broker's answer to the last message.
    pub(super) fn handle_message(self, message: &[u8]) -> Result<Next, String> {
        match self {
            Self::Last { .. } if message.is_empty() => Ok(Next::Done),
            Self::Last { takes_reasons: true } => {
                let reason = crate::properties::shorten(&String::from_utf8_lossy(message));
                Ok(Next::Say(Self::Refused(reason), Bytes::from_static(oauthbearer::ACKNOWLEDGED)))
            }
            Self::Last { takes_reasons: false } => Err("the broker answers PLAIN with more than its end".to_owned()),
            Self::Asked(asked) => {
                let (salted, salting) = asked.read(message)?;
                Ok(Next::Run(Self::Salting(salted), Errand::Salt(salting)))
            }
            Self::Salting(_) => Err("the broker answers what was not said yet".to_owned()),
            Self::Proved(proved) => proved.check(message).map(|()| Next::Done),
            Self::Refused(reason) => Err(format!("the broker refuses the token: {reason}")),
        }
    }

    /// The password is salted.
    pub(super) fn handle_keys(self, keys: Keys) -> Result<(Self, Bytes), String> {
        match self {
            Self::Salting(salted) => {
                let (proved, message) = salted.prove(keys);
                Ok((Self::Proved(proved), message))
            }
            Self::Last { .. } | Self::Asked(_) | Self::Proved(_) | Self::Refused(_) => {
                Err("keys that nobody asked for".to_owned())
            }
        }
    }

    /// What the broker said before it refused.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(reason) => Some(reason),
            Self::Last { .. } | Self::Asked(_) | Self::Salting(_) | Self::Proved(_) => None,
        }
    }
}
