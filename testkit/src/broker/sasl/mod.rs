//! How a client shows who it is: SASL, one [`Session`] for each connection.
//!
//! As in Kafka's `SaslServerAuthenticator`, a connection first says its mechanism (SaslHandshake, after ApiVersions if it
//! likes), then proves who it is in one or two steps, and only then may ask for anything else. With SaslHandshake 0 the proof
//! comes bare, without headers. A session that ends (KIP-368) is begun anew by another SaslHandshake, under the same name and
//! mechanism. What does not go by this closes the connection; unlike Kafka's, also where a request comes in the middle of a
//! proof, which Kafka answers in its own words before it closes. There is no delay before a refusal.
//!
//! - [`plain`], [`scram`], [`oauthbearer`]: what the mechanisms read and answer
//! - [`names`]: the grammar of their messages
//! - [`base64`]: bytes as text

pub(crate) mod base64;
mod names;
mod oauthbearer;
mod plain;
mod scram;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidemill_protocol::{ApiKey, ErrorCode};
use tokio::time::Instant;

use super::authorization::ANONYMOUS;
use super::config::{Mechanism, SaslProperties};
use super::credentials::Credentials;
use super::{Refused, millis};

/// Sessions are not begun anew more often than this.
const REAUTHENTICATION_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// As many letters as have the 130 bits of Kafka's nonces.
const NONCE_LETTERS: usize = 22;

/// `sasl.server.max.receive.size`: how large a frame may be before it is known who sends it.
const FRAME_BYTES_MAX: usize = 512 * 1024;

const OTHER_IDENTITY: &str =
    "Authentication failed: Client requested an authorization id that is different from username";

/// Why a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The client is told this.
    Said(String),
    /// The client is told no more than that, which could help it guess.
    Unsaid,
    /// The client is not answered.
    Unanswered,
}

impl Rejection {
    fn said(message: impl Into<String>) -> Self {
        Self::Said(message.into())
    }
}

/// One connection's way to a name.
///
/// Unknown --ApiVersions--> Versioned --SaslHandshake--> Proving --proof--> Open --SaslHandshake--> Proving or WrongMechanism
pub(crate) struct Session {
    state: State,
    principal: Arc<str>,
    /// How it was shown who this is.
    mechanism: Option<Mechanism>,
    ends_at: Option<Instant>,
    began_again: Option<Instant>,
}

enum State {
    /// It asks what it likes, under the name it has.
    Open,
    Unknown,
    Versioned,
    Proving {
        mechanism: Mechanism,
        /// Tokens come in SaslAuthenticate.
        wrapped: bool,
        step: Step,
    },
    /// It began anew with another mechanism, which is found out with its next request.
    WrongMechanism,
}

/// How far a proof is.
enum Step {
    First,
    Scram(Box<scram::Exchange>),
    /// The token was not good, and the client has been told why.
    InvalidToken,
}

/// Nothing of the proof is shown.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Open => "Open",
            State::Unknown => "Unknown",
            State::Versioned => "Versioned",
            State::Proving { .. } => "Proving",
            State::WrongMechanism => "WrongMechanism",
        };
        f.debug_struct("Session").field("principal", &self.principal).field("state", &state).finish_non_exhaustive()
    }
}

/// What a proof is held against.
pub(crate) struct Evidence<'a> {
    pub(crate) sasl: &'a SaslProperties,
    pub(crate) credentials: &'a Credentials,
    pub(crate) random: &'a mut fastrand::Rng,
    pub(crate) now: Instant,
    pub(crate) unix_ms: i64,
}

/// The server's part of a step, and how long the session lasts if this was the last; 0 without an end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) token: Vec<u8>,
    pub(crate) lifetime_ms: i64,
}

/// What a step of a proof has come to.
enum Evaluated {
    Continues(Step, Vec<u8>),
    Proved { name: String, answer: Vec<u8>, ends_unix_ms: Option<i64> },
}

impl Session {
    /// A connection to a listener that asks for nothing, of a client that is known by this name already, or by none.
    pub(crate) fn open(principal: Option<&str>) -> Self {
        let principal = Arc::from(principal.unwrap_or(ANONYMOUS));
        Self { state: State::Open, principal, mechanism: None, ends_at: None, began_again: None }
    }

    /// A connection to a listener that asks for a proof.
    pub(crate) fn unknown() -> Self {
        Self { state: State::Unknown, ..Self::open(None) }
    }

    /// Who it is, as `User:alice`.
    pub(crate) fn principal(&self) -> Arc<str> {
        Arc::clone(&self.principal)
    }

    /// Whether it has shown by SASL who it is, be it that it does so anew.
    pub(crate) const fn is_known(&self) -> bool {
        self.mechanism.is_some()
    }

    /// Whether the next frame is a token, without a header.
    pub(crate) const fn takes_bare_tokens(&self) -> bool {
        match self.state {
            State::Proving { wrapped, .. } => !wrapped,
            State::Open | State::Unknown | State::Versioned | State::WrongMechanism => false,
        }
    }

    /// Whether so large a frame may come now.
    pub(crate) fn admit_frame(&self, bytes: usize) -> Result<(), Refused> {
        if bytes <= FRAME_BYTES_MAX || matches!(self.state, State::Open) {
            return Ok(());
        }
        Err(Refused(format!(
            "a frame of {bytes} bytes before it is known who asks; at most {FRAME_BYTES_MAX} are taken"
        )))
    }

    /// Whether a request of this API may come now.
    pub(crate) fn admit(&mut self, key: ApiKey, now: Instant) -> Result<(), Refused> {
        let admitted = match self.state {
            State::Open => {
                let begins = key == ApiKey::SASL_HANDSHAKE && self.may_begin_again(now);
                if !begins && self.ends_at.is_some_and(|ends_at| now > ends_at) {
                    return Err(Refused("the session has ended".to_owned()));
                }
                if begins {
                    self.began_again = Some(now);
                    self.state = State::Versioned;
                }
                true
            }
            State::Unknown => key == ApiKey::API_VERSIONS || key == ApiKey::SASL_HANDSHAKE,
            State::Versioned => key == ApiKey::SASL_HANDSHAKE,
            State::Proving { .. } => key == ApiKey::SASL_AUTHENTICATE,
            State::WrongMechanism => false,
        };
        if admitted { Ok(()) } else { Err(Refused(format!("{key} before it is known who asks"))) }
    }

    fn may_begin_again(&self, now: Instant) -> bool {
        let long_ago = |began: Instant| now.saturating_duration_since(began) >= REAUTHENTICATION_INTERVAL_MIN;
        self.ends_at.is_some() && self.began_again.is_none_or(long_ago)
    }

    /// ApiVersions was answered well.
    pub(crate) fn versions_said(&mut self) {
        if matches!(self.state, State::Unknown) {
            self.state = State::Versioned;
        }
    }

    /// The client says by which mechanism it wants to prove who it is.
    pub(crate) fn handshake(&mut self, wanted: &str, version: i16, enabled: &[Mechanism]) -> Result<(), ErrorCode> {
        if matches!(self.state, State::Open) {
            return Err(ErrorCode::ILLEGAL_SASL_STATE);
        }
        let mechanism = enabled.iter().copied().find(|mechanism| mechanism.name() == wanted);
        let mechanism = mechanism.ok_or(ErrorCode::UNSUPPORTED_SASL_MECHANISM)?;
        self.state = if self.mechanism.is_none_or(|before| before == mechanism) {
            State::Proving { mechanism, wrapped: version >= 1, step: Step::First }
        } else {
            State::WrongMechanism
        };
        Ok(())
    }

    /// The client proves who it is.
    pub(crate) fn evaluate(&mut self, token: &[u8], evidence: Evidence<'_>) -> Result<Answer, Rejection> {
        // Whatever comes of it, this step is over.
        let State::Proving { mechanism, wrapped, step } = std::mem::replace(&mut self.state, State::WrongMechanism)
        else {
            return Err(Rejection::Unanswered);
        };
        let Evidence { sasl, credentials, random, now, unix_ms } = evidence;
        let (name, answer, ends_unix_ms) = match take(mechanism, step, token, credentials, random, unix_ms)? {
            Evaluated::Continues(step, token) => {
                self.state = State::Proving { mechanism, wrapped, step };
                return Ok(Answer { token, lifetime_ms: 0 });
            }
            Evaluated::Proved { name, answer, ends_unix_ms } => (name, answer, ends_unix_ms),
        };
        if self.is_known() && *self.principal != *format!("User:{name}") {
            let before = self.principal.strip_prefix("User:").unwrap_or(&self.principal);
            return Err(Rejection::said(format!(
                "Cannot change principals during re-authentication from User.{before}: User.{name}"
            )));
        }
        self.principal = Arc::from(format!("User:{name}"));
        self.mechanism = Some(mechanism);
        self.state = State::Open;
        let of_token = ends_unix_ms.map(|ends| ends.saturating_sub(unix_ms));
        let lifetime_ms = sasl.session_lifetime_max.map(millis).into_iter().chain(of_token).min();
        let lifetime_ms = lifetime_ms.map(|lifetime_ms| lifetime_ms.max(0));
        self.ends_at = lifetime_ms.map(|ms| now + Duration::from_millis(u64::try_from(ms).unwrap_or_default()));
        Ok(Answer { token: answer, lifetime_ms: lifetime_ms.unwrap_or(0) })
    }

    /// What a client is told of which no more is to be known.
    pub(crate) fn unsaid(&self, mechanism: Mechanism) -> String {
        let what = if self.is_known() { "re-authentication" } else { "authentication" };
        let mechanism = mechanism.name();
        format!("Authentication failed during {what} due to invalid credentials with SASL mechanism {mechanism}")
    }

    /// The mechanism of the proof that is under way.
    pub(crate) const fn proving_by(&self) -> Option<Mechanism> {
        match self.state {
            State::Proving { mechanism, .. } => Some(mechanism),
            State::Open | State::Unknown | State::Versioned | State::WrongMechanism => None,
        }
    }
}

/// One step of a mechanism.
fn take(
    mechanism: Mechanism,
    step: Step,
    token: &[u8],
    credentials: &Credentials,
    random: &mut fastrand::Rng,
    unix_ms: i64,
) -> Result<Evaluated, Rejection> {
    let proved = |name, answer| Evaluated::Proved { name, answer, ends_unix_ms: None };
    match (mechanism.scram(), step) {
        (Some(hash), Step::First) => {
            let nonce: String = (0..NONCE_LETTERS).map(|_| random.alphanumeric()).collect();
            let (exchange, answer) = scram::first(token, hash, credentials, &nonce)?;
            Ok(Evaluated::Continues(Step::Scram(Box::new(exchange)), answer))
        }
        (Some(hash), Step::Scram(exchange)) => {
            scram::last(token, hash, *exchange).map(|(name, answer)| proved(name, answer))
        }
        (None, Step::InvalidToken) if token == oauthbearer::ACKNOWLEDGED => {
            Err(Rejection::said(oauthbearer::INVALID_TOKEN))
        }
        (None, Step::First | Step::InvalidToken) if mechanism == Mechanism::OauthBearer => {
            Ok(match oauthbearer::evaluate(token, unix_ms)? {
                Some(token) => {
                    Evaluated::Proved { name: token.name, answer: Vec::new(), ends_unix_ms: Some(token.ends_unix_ms) }
                }
                None => Evaluated::Continues(Step::InvalidToken, oauthbearer::INVALID_TOKEN.as_bytes().to_vec()),
            })
        }
        (None, Step::First) => plain::evaluate(token, credentials).map(|name| proved(name, Vec::new())),
        (Some(_), Step::InvalidToken) | (None, Step::Scram(_) | Step::InvalidToken) => Err(Rejection::Unanswered),
    }
}
