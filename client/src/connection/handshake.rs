//! What is said before the first request: ApiVersions, and where a listener asks for it, SASL behind it.
//!
//! [`pipeline`](super::pipeline) sends what [`Handshake::next`] gives and hands over the answers, until nothing is left to
//! say. The same words from [`Handshake::again`] on keep a session alive that the broker would end (KIP-368).

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use tidemill_protocol::{ApiKey, ErrorCode, StrBytes, header};

use super::pipeline::Failure;
use super::sasl::{self, Errand, Exchange, Found};
use super::versions::Versions;

/// The newest ApiVersions we ask in; a broker that does not know it answers in version 0 (KIP-511).
const NEWEST: i16 = 4;

/// Behind version 0 the messages would come without headers, and a refusal without words.
const SASL_HANDSHAKE_VERSIONS: VersionRange = VersionRange::new(1, 1);
/// From 1 on, a broker says when the session ends; 2 is flexible.
const SASL_AUTHENTICATE_VERSIONS: VersionRange = VersionRange::new(0, 2);

/// More messages than any mechanism has.
const ROUNDS_MAX: u32 = 8;

/// What is said, and by which mechanism; none where nobody asks who we are.
pub(super) struct Handshake {
    state: State,
    mechanism: Option<&'static str>,
    rounds: u32,
}

/// Messages are not shown: they may be a password.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::AskVersions { .. } => "AskVersions",
            State::LogIn { .. } => "LogIn",
            State::SayMechanism { .. } => "SayMechanism",
            State::Prove { .. } => "Prove",
            State::Salt { .. } => "Salt",
            State::Done { .. } => "Done",
            State::Over => "Over",
        };
        f.debug_struct("Handshake").field("state", &state).field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// ```text
/// AskVersions(4) --UNSUPPORTED_VERSION--> AskVersions(the broker's newest, or 0) --answered--> Done, or with SASL:
/// LogIn --found--> SayMechanism --answered--> Prove --answered--> Prove, Salt or Done
///                                               ^______________keys__|
/// ```
enum State {
    AskVersions {
        version: i16,
    },
    LogIn {
        versions: Versions,
    },
    SayMechanism {
        versions: Versions,
        exchange: Exchange,
        message: Bytes,
    },
    Prove {
        versions: Versions,
        exchange: Exchange,
        message: Bytes,
    },
    Salt {
        versions: Versions,
        exchange: Exchange,
        errand: Option<Errand>,
    },
    Done {
        versions: Versions,
        session: Option<Duration>,
    },
    /// It was refused; nothing comes of it any more.
    Over,
}

/// What comes next.
pub(super) enum Next {
    /// Send this, and hand over the answer.
    Say(Bytes),
    /// Run this, and hand over what it has found.
    Run(Errand),
    /// Requests may be made. If the session ends, after so long.
    Done(Versions, Option<Duration>),
}

fn misbehaved(reason: impl fmt::Display) -> Failure {
    Failure::Misbehaved(reason.to_string())
}

impl Handshake {
    /// At the beginning of a connection.
    pub(super) const fn new(mechanism: Option<&'static str>) -> Self {
        Self { state: State::AskVersions { version: NEWEST }, mechanism, rounds: 0 }
    }

    /// Before the end of a session.
    pub(super) const fn again(versions: Versions, mechanism: Option<&'static str>) -> Self {
        Self { state: State::LogIn { versions }, mechanism, rounds: 0 }
    }

    /// What to do now.
    pub(super) fn next(&mut self, correlation_id: i32) -> Result<Next, Failure> {
        let mechanism = self.mechanism.unwrap_or_default();
        let frame = match &mut self.state {
            State::AskVersions { version } => {
                let body = ApiVersionsRequest::default()
                    .with_client_software_name(StrBytes::from_static_str("tidemill"))
                    .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
                header::encode_request(&body, *version, correlation_id, None)
            }
            State::LogIn { .. } => return Ok(Next::Run(Errand::LogIn)),
            State::SayMechanism { .. } => {
                let body = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
                header::encode_request(&body, SASL_HANDSHAKE_VERSIONS.max, correlation_id, None)
            }
            State::Prove { versions, message, .. } => {
                self.rounds += 1;
                if self.rounds > ROUNDS_MAX {
                    return Err(misbehaved(format_args!("SASL by {mechanism} does not come to an end")));
                }
                let version = authenticate_version(versions)?;
                let body = SaslAuthenticateRequest::default().with_auth_bytes(std::mem::take(message));
                header::encode_request(&body, version, correlation_id, None)
            }
            State::Salt { errand, .. } => {
                return errand.take().map(Next::Run).ok_or_else(|| misbehaved("an errand is run once"));
            }
            State::Done { versions, session } => return Ok(Next::Done(std::mem::take(versions), *session)),
            State::Over => return Err(misbehaved("the handshake is over")),
        };
        frame.map(Next::Say).map_err(misbehaved)
    }

    /// The answer to what [`Handshake::next`] said.
    pub(super) fn handle_answer(&mut self, frame: &Bytes) -> Result<(), Failure> {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::AskVersions { version } => self.versions_answered(version, frame)?,
            State::SayMechanism { versions, exchange, message } => {
                let answer =
                    header::decode_response::<SaslHandshakeRequest>(SASL_HANDSHAKE_VERSIONS.max, frame.clone())
                        .map_err(misbehaved)?;
                self.mechanism_answered(&answer)?;
                State::Prove { versions, exchange, message }
            }
            State::Prove { versions, exchange, .. } => {
                let version = authenticate_version(&versions)?;
                let answer =
                    header::decode_response::<SaslAuthenticateRequest>(version, frame.clone()).map_err(misbehaved)?;
                self.proof_answered(versions, exchange, &answer)?
            }
            State::LogIn { .. } | State::Salt { .. } | State::Done { .. } | State::Over => {
                return Err(misbehaved("an answer to nothing that was said"));
            }
        };
        Ok(())
    }

    /// What an errand has found.
    pub(super) fn handle_found(&mut self, found: Found) -> Result<(), Failure> {
        self.state = match (std::mem::replace(&mut self.state, State::Over), found) {
            (State::LogIn { versions }, Found::Login(login)) => {
                let (exchange, message) = Exchange::begin(login).map_err(Failure::Refused)?;
                State::SayMechanism { versions, exchange, message }
            }
            (State::Salt { versions, exchange, .. }, Found::Keys(keys)) => {
                let (exchange, message) = exchange.handle_keys(keys).map_err(Failure::Refused)?;
                State::Prove { versions, exchange, message }
            }
            (
                State::LogIn { .. }
                | State::Salt { .. }
                | State::AskVersions { .. }
                | State::SayMechanism { .. }
                | State::Prove { .. }
                | State::Done { .. }
                | State::Over,
                Found::Login(_) | Found::Keys(_),
            ) => return Err(misbehaved("nobody asked for what was found")),
        };
        Ok(())
    }

    fn versions_answered(&self, asked: i16, frame: &Bytes) -> Result<State, Failure> {
        // The error code stands first in every version, so an answer in version 0 can be told by it.
        let code = frame.get(4..6).and_then(|bytes| <[u8; 2]>::try_from(bytes).ok()).map(i16::from_be_bytes);
        let unsupported = code == Some(ErrorCode::UNSUPPORTED_VERSION.0);
        let answered = if unsupported { 0 } else { asked };
        let response = header::decode_response::<ApiVersionsRequest>(answered, frame.clone()).map_err(misbehaved)?;
        if unsupported && asked > 0 {
            return Ok(State::AskVersions { version: older(&response, asked) });
        }
        let refused = |code| misbehaved(format_args!("ApiVersions was answered with {code}"));
        ErrorCode(response.error_code).into_result().map_err(refused)?;
        let versions = Versions::of(&response);
        let Some(mechanism) = self.mechanism else { return Ok(State::Done { versions, session: None }) };
        let too_old = |reason| Failure::Refused(format!("{mechanism} cannot be spoken with this broker: {reason}"));
        versions.choose(ApiKey::SASL_HANDSHAKE, SASL_HANDSHAKE_VERSIONS).map_err(too_old)?;
        versions.choose(ApiKey::SASL_AUTHENTICATE, SASL_AUTHENTICATE_VERSIONS).map_err(too_old)?;
        Ok(State::LogIn { versions })
    }

    fn mechanism_answered(&self, answer: &SaslHandshakeResponse) -> Result<(), Failure> {
        let mechanism = self.mechanism.unwrap_or_default();
        match ErrorCode(answer.error_code) {
            ErrorCode::NONE => Ok(()),
            ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
                let offered: Vec<&str> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
                Err(Failure::Refused(format!(
                    "the listener does not take {mechanism}, it takes {}: set sasl.mechanism to one of these",
                    crate::properties::shorten(&offered.join(", "))
                )))
            }
            ErrorCode::ILLEGAL_SASL_STATE => Err(Failure::Refused(
                "the listener takes no SASL: set security.protocol to PLAINTEXT (SSL with TLS), or bootstrap.servers to the \
                 port of a listener with SASL"
                    .to_owned(),
            )),
            other => Err(misbehaved(format_args!("SaslHandshake was answered with {other}"))),
        }
    }

    fn proof_answered(
        &self,
        versions: Versions,
        exchange: Exchange,
        answer: &SaslAuthenticateResponse,
    ) -> Result<State, Failure> {
        let mechanism = self.mechanism.unwrap_or_default();
        if let Err(code) = ErrorCode(answer.error_code).into_result() {
            let said = answer.error_message.as_ref().map_or_else(|| code.to_string(), ToString::to_string);
            let before = exchange.reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let options = if mechanism == "OAUTHBEARER" {
                "the token, or what sasl.oauthbearer.config (Java: sasl.jaas.config) makes of it, has to be one that the broker \
                 trusts"
            } else {
                "see sasl.username and sasl.password (Java: sasl.jaas.config)"
            };
            let said = crate::properties::shorten_to(&said, 300);
            return Err(Failure::Refused(format!(
                "the broker refuses the login by {mechanism}: {said}{before}; {options}"
            )));
        }
        match exchange.handle_message(&answer.auth_bytes).map_err(Failure::Refused)? {
            sasl::Next::Say(exchange, message) => Ok(State::Prove { versions, exchange, message }),
            sasl::Next::Run(exchange, errand) => Ok(State::Salt { versions, exchange, errand: Some(errand) }),
            sasl::Next::Done => {
                let lifetime = u64::try_from(answer.session_lifetime_ms).ok().filter(|lifetime| *lifetime > 0);
                Ok(State::Done { versions, session: lifetime.map(Duration::from_millis) })
            }
        }
    }
}

fn authenticate_version(versions: &Versions) -> Result<i16, Failure> {
    versions.choose(ApiKey::SASL_AUTHENTICATE, SASL_AUTHENTICATE_VERSIONS).map_err(Failure::Refused)
}

/// The next version to ask in: what the broker says it speaks, and always an older one.
fn older(response: &ApiVersionsResponse, asked: i16) -> i16 {
    let own = response.api_keys.iter().find(|range| range.api_key == ApiKey::API_VERSIONS.0);
    own.map_or(0, |range| range.max_version).clamp(0, asked - 1)
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
