//! `SaslAuthenticate` 0-2 (KIP-152, KIP-368): the client shows who it is, by the mechanism of its SaslHandshake.
//!
//! After SaslHandshake 0 the same steps come [`bare`], without headers; then a refusal has no words.

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use tokio::time::Instant;

use super::text;
use crate::broker::sasl::{Answer, Evidence, Rejection};
use crate::broker::{Cluster, ConnectionId, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 2);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: SaslAuthenticateRequest = request.decode()?;
    let response = SaslAuthenticateResponse::default();
    let session = cluster.session(request.caller.connection)?;
    let Some(mechanism) = session.proving_by() else {
        let message = text("SaslAuthenticate request received after successful authentication");
        let code = ErrorCode::ILLEGAL_SASL_STATE.0;
        return request
            .reply::<SaslAuthenticateRequest>(&response.with_error_code(code).with_error_message(Some(message)));
    };
    let unsaid = session.unsaid(mechanism);
    let message = match evaluate(cluster, request.caller.connection, &body.auth_bytes, request.now)? {
        Ok(Answer { token, lifetime_ms }) => {
            let mut response = response.with_auth_bytes(token.into());
            if request.version >= 1 {
                response.session_lifetime_ms = lifetime_ms;
            }
            return request.reply::<SaslAuthenticateRequest>(&response);
        }
        Err(Rejection::Said(message)) => message,
        Err(Rejection::Unsaid) => unsaid,
        Err(Rejection::Unanswered) => return Err(Refused("a proof that is none".to_owned())),
    };
    let code = ErrorCode::SASL_AUTHENTICATION_FAILED.0;
    request.last::<SaslAuthenticateRequest>(&response.with_error_code(code).with_error_message(Some(text(&message))))
}

/// A step of a proof that came without a header.
pub(in crate::broker) fn bare(
    cluster: &mut Cluster,
    connection: ConnectionId,
    token: &[u8],
    now: Instant,
) -> Result<Outcome, Refused> {
    match evaluate(cluster, connection, token, now)? {
        Ok(Answer { token, .. }) => Ok(Outcome::Reply(prefixed(&token))),
        Err(_) => Err(Refused("a proof that is not good".to_owned())),
    }
}

fn evaluate(
    cluster: &mut Cluster,
    connection: ConnectionId,
    token: &[u8],
    now: Instant,
) -> Result<Result<Answer, Rejection>, Refused> {
    let unix_ms = cluster.unix_ms(now);
    let Cluster { config, credentials, connections, random, .. } = cluster;
    let sasl = config.sasl.as_ref().ok_or_else(|| Refused("nobody is asked who it is".to_owned()))?;
    let session = connections.session_mut(connection).ok_or_else(|| Refused("the connection is closed".to_owned()))?;
    Ok(session.evaluate(token, Evidence { sasl, credentials, random, now, unix_ms }))
}

fn prefixed(token: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(4 + token.len());
    frame.put_u32(u32::try_from(token.len()).unwrap_or_default());
    frame.put_slice(token);
    frame.freeze()
}
