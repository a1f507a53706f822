//! `CreateDelegationToken` 1-3 (KIP-48, KIP-373): makes a token by which another can show that it may act for a user.
//!
//! There are no tokens: as with a Kafka that has no `delegation.token.secret.key`, they are refused, and in other words where
//! the line shows nothing of who asks.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{CreateDelegationTokenRequest, CreateDelegationTokenResponse};

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::{ANONYMOUS, Resource};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 3);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: CreateDelegationTokenRequest = request.decode()?;
    let asking = request.caller.principal;
    let (asking_type, asking_name) = asking.split_once(':').unwrap_or(("User", asking));
    let named = body.owner_principal_name.as_deref().filter(|name| !name.is_empty());
    let (owner_type, owner_name) = match named {
        Some(name) => (body.owner_principal_type.as_deref().unwrap_or("User"), name),
        None => (asking_type, asking_name),
    };
    let owner = format!("{owner_type}:{owner_name}");
    let mut code = refusal(cluster, request);
    let is_allowed = code == ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED;
    // For oneself everyone may ask.
    if is_allowed && owner != asking && !request.may(cluster, Operation::CreateTokens, Resource::User(&owner)) {
        code = ErrorCode::DELEGATION_TOKEN_AUTHORIZATION_FAILED;
    }
    let time = if code == ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED { 0 } else { -1 };
    let mut response = CreateDelegationTokenResponse::default()
        .with_error_code(code.0)
        .with_principal_type(text(owner_type))
        .with_principal_name(text(owner_name))
        .with_issue_timestamp_ms(time)
        .with_expiry_timestamp_ms(time)
        .with_max_timestamp_ms(time);
    if request.version >= 3 {
        response.token_requester_principal_type = text(asking_type);
        response.token_requester_principal_name = text(asking_name);
    }
    request.reply::<CreateDelegationTokenRequest>(&response)
}

/// What whoever asks for a token, or about one, is answered.
pub(super) fn refusal(cluster: &Cluster, request: &Request<'_>) -> ErrorCode {
    let is_shown = cluster.config.sasl.is_some() || cluster.config.tls && request.caller.principal != ANONYMOUS;
    if is_shown { ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED } else { ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED }
}
