//! `SaslHandshake` 0-1 (KIP-43, KIP-152): by which mechanism the client wants to show who it is.
//!
//! One that is not enabled is answered with those that are, and the connection is closed. Where nobody is asked, or it is
//! known already who asks, there is nothing to shake hands on.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

use super::text;
use crate::broker::config::Mechanism;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: SaslHandshakeRequest = request.decode()?;
    let enabled: Vec<Mechanism> = cluster.config.sasl.as_ref().map(|sasl| sasl.mechanisms.clone()).unwrap_or_default();
    let session = cluster.session(request.caller.connection)?;
    let is_again = session.is_known();
    let shaken = session.handshake(&body.mechanism, request.version, &enabled);
    let response = SaslHandshakeResponse::default();
    let mechanisms = enabled.iter().map(|mechanism| text(mechanism.name())).collect();
    match shaken {
        Ok(()) => request.reply::<SaslHandshakeRequest>(&response.with_mechanisms(mechanisms)),
        // Who is known already is not told.
        Err(ErrorCode::UNSUPPORTED_SASL_MECHANISM) if is_again => {
            Err(Refused("a mechanism that is not enabled".to_owned()))
        }
        Err(code @ ErrorCode::UNSUPPORTED_SASL_MECHANISM) => {
            request.last::<SaslHandshakeRequest>(&response.with_error_code(code.0).with_mechanisms(mechanisms))
        }
        Err(code) => request.reply::<SaslHandshakeRequest>(&response.with_error_code(code.0)),
    }
}
