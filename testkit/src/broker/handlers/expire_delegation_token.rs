//! `ExpireDelegationToken` 1-2 (KIP-48): lets a token end sooner.
//!
//! There are no tokens: as with a Kafka that has no `delegation.token.secret.key`, they are refused, and in other words where
//! the line shows nothing of who asks.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{ExpireDelegationTokenRequest, ExpireDelegationTokenResponse};

use super::create_delegation_token::refusal;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 2);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let _: ExpireDelegationTokenRequest = request.decode()?;
    let code = refusal(cluster, request);
    let ends = if code == ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED { 0 } else { -1 };
    let response = ExpireDelegationTokenResponse::default().with_error_code(code.0).with_expiry_timestamp_ms(ends);
    request.reply::<ExpireDelegationTokenRequest>(&response)
}
