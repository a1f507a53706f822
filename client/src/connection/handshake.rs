//! What is said before the first request: ApiVersions, and where a listener asks for it, SASL behind it.
//!
//! [`pipeline`](super::pipeline) sends what [`Handshake::request`] gives and hands over the answers, until the versions
//! are known.

use bytes::Bytes;
use tidemill_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use tidemill_protocol::{ErrorCode, StrBytes, header};

use super::versions::Versions;

/// The newest ApiVersions we ask in; a broker that does not know it answers in version 0 (KIP-511).
const NEWEST: i16 = 4;

/// ```text
/// AskVersions(4) --UNSUPPORTED_VERSION--> AskVersions(the broker's newest, or 0) --answered--> Done
/// ```
/// SASL gets its states between the answer and `Done`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    AskVersions { version: i16 },
    Done(Versions),
}

/// Why the handshake cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

impl Handshake {
    pub(super) const fn new() -> Self {
        Self::AskVersions { version: NEWEST }
    }

    /// The frame to send now; `None` when nothing is left to say.
    pub(super) fn request(&self, correlation_id: i32) -> Result<Option<Bytes>, Refused> {
        let version = match self {
            Self::Done(_) => return Ok(None),
            Self::AskVersions { version } => *version,
        };
        let body = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("tidemill"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        header::encode_request(&body, version, correlation_id, None)
            .map(Some)
            .map_err(|error| Refused(error.to_string()))
    }

    /// The answer to what [`Handshake::request`] gave.
    pub(super) fn handle_answer(&mut self, frame: &Bytes) -> Result<(), Refused> {
        match self {
            Self::Done(_) => Err(Refused("an answer behind the end of the handshake".to_owned())),
            Self::AskVersions { version } => {
                let asked = *version;
                // The error code stands first in every version, so an answer in version 0 can be told by it.
                let code = frame.get(4..6).and_then(|bytes| <[u8; 2]>::try_from(bytes).ok()).map(i16::from_be_bytes);
                let unsupported = code == Some(ErrorCode::UNSUPPORTED_VERSION.0);
                let answered = if unsupported { 0 } else { asked };
                let response = header::decode_response::<ApiVersionsRequest>(answered, frame.clone())
                    .map_err(|error| Refused(error.to_string()))?;
                if unsupported && asked > 0 {
                    *version = older(&response, asked);
                    return Ok(());
                }
                if let Err(code) = ErrorCode(response.error_code).into_result() {
                    return Err(Refused(format!("ApiVersions was answered with {code}")));
                }
                *self = Self::Done(Versions::of(&response));
                Ok(())
            }
        }
    }
}

/// The next version to ask in: what the broker says it speaks, and always an older one.
fn older(response: &ApiVersionsResponse, asked: i16) -> i16 {
    let own = response.api_keys.iter().find(|range| range.api_key == tidemill_protocol::ApiKey::API_VERSIONS.0);
    own.map_or(0, |range| range.max_version).clamp(0, asked - 1)
}

#[cfg(test)]
mod tests {
    use bytes::Buf;
    use tidemill_protocol::api::VersionRange;
    use tidemill_protocol::messages::api_versions_response::ApiVersion;
    use tidemill_protocol::{ApiKey, ErrorCode};

    use super::*;

    fn answer(version: i16, code: ErrorCode, ranges: &[(ApiKey, i16, i16)]) -> Bytes {
        let keys = ranges
            .iter()
            .map(|(api, min, max)| {
                ApiVersion::default().with_api_key(api.0).with_min_version(*min).with_max_version(*max)
            })
            .collect();
        let response = ApiVersionsResponse::default().with_error_code(code.0).with_api_keys(keys);
        let mut frame = header::encode_response::<ApiVersionsRequest>(&response, version, 0).unwrap();
        frame.advance(4);
        frame
    }

    #[test]
    fn the_ranges_of_the_answer_are_kept() {
        let mut handshake = Handshake::new();
        assert!(handshake.request(0).unwrap().is_some());
        handshake.handle_answer(&answer(4, ErrorCode::NONE, &[(ApiKey::FETCH, 4, 18)])).unwrap();
        let Handshake::Done(versions) = &handshake else { panic!("{handshake:?}") };
        assert_eq!(versions.choose(ApiKey::FETCH, VersionRange::new(4, 12)), Ok(12));
        assert!(handshake.request(1).unwrap().is_none());
    }

    #[test]
    fn an_older_broker_is_asked_again_in_its_version() {
        let mut handshake = Handshake::new();
        let refusal = answer(0, ErrorCode::UNSUPPORTED_VERSION, &[(ApiKey::API_VERSIONS, 0, 2)]);
        handshake.handle_answer(&refusal).unwrap();
        assert_eq!(handshake, Handshake::AskVersions { version: 2 });
        handshake.handle_answer(&answer(2, ErrorCode::NONE, &[])).unwrap();
        assert!(matches!(handshake, Handshake::Done(_)));
    }

    #[test]
    fn refusals_do_not_go_round_for_ever() {
        let mut handshake = Handshake::new();
        for _ in 0..10 {
            let refusal = answer(0, ErrorCode::UNSUPPORTED_VERSION, &[(ApiKey::API_VERSIONS, 0, 99)]);
            if handshake.handle_answer(&refusal).is_err() {
                return;
            }
        }
        panic!("still asking: {handshake:?}");
    }

    #[test]
    fn garbage_is_refused() {
        for bytes in [&[][..], &[0, 0, 0, 0], &[0, 0, 0, 0, 0, 0, 0xff]] {
            assert!(Handshake::new().handle_answer(&Bytes::copy_from_slice(bytes)).is_err());
        }
    }
}
