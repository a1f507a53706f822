//! `DescribeDelegationToken` 1-3 (KIP-48, KIP-373): the tokens of users.
//!
//! There are no tokens: as with a Kafka that has no `delegation.token.secret.key`, they are refused, and in other words where
//! the line shows nothing of who asks.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};

use super::create_delegation_token::refusal;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 3);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let _: DescribeDelegationTokenRequest = request.decode()?;
    let code = refusal(cluster, request);
    let response = DescribeDelegationTokenResponse::default().with_error_code(code.0);
    request.reply::<DescribeDelegationTokenRequest>(&response)
}
