//! `CreateAcls` 1-3 (KIP-140, KIP-290): adds rules of who may do what.
//!
//! Version 0, which only knows literal names, is not spoken any longer, as in Kafka 4.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::create_acls_request::AclCreation;
use tidemill_protocol::messages::create_acls_response::AclCreationResult;
use tidemill_protocol::messages::{CreateAclsRequest, CreateAclsResponse};

use super::text_or_null;
use crate::broker::acls::{ANY, Acl, CLUSTER_NAME, MATCH, Operation, PatternType, Permission, ResourceType};
use crate::broker::authorization::{NEEDS_ALTER, Resource};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 3);

/// What is answered where there is no authorizer.
pub(super) const NO_AUTHORIZER: &str = "No Authorizer is configured.";

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: CreateAclsRequest = request.decode()?;
    // Kafka does not even read these.
    if body
        .creations
        .iter()
        .any(|it| [it.resource_type, it.resource_pattern_type, it.operation, it.permission_type].contains(&0))
    {
        return Err(Refused("a rule of a kind that is unknown".to_owned()));
    }
    let refused = match request.authorize(cluster, Operation::Alter, Resource::Cluster) {
        Err(code) => Some((code, NEEDS_ALTER)),
        Ok(()) if cluster.config.authorizer.is_none() => Some((ErrorCode::SECURITY_DISABLED, NO_AUTHORIZER)),
        // One that says nothing definite spoils them all.
        Ok(()) if body.creations.iter().any(is_indefinite) => Some((ErrorCode::UNKNOWN_SERVER_ERROR, "")),
        Ok(()) => None,
    };
    let mut results = Vec::with_capacity(body.creations.len());
    for creation in &body.creations {
        let created = match refused {
            Some((code, message)) => Err((code, message.to_owned())),
            None => check(creation).map_err(|message| (ErrorCode::INVALID_REQUEST, message)),
        };
        results.push(match created {
            Ok(acl) => {
                cluster.acls.apply_created(acl);
                AclCreationResult::default()
            }
            Err((code, message)) => {
                AclCreationResult::default().with_error_code(code.0).with_error_message(text_or_null(message))
            }
        });
    }
    request.reply::<CreateAclsRequest>(&CreateAclsResponse::default().with_results(results))
}

/// Whether it has what only makes sense in a filter.
fn is_indefinite(creation: &AclCreation) -> bool {
    [creation.resource_type, creation.resource_pattern_type, creation.operation, creation.permission_type]
        .contains(&ANY)
        || creation.resource_pattern_type == MATCH
}

fn check(creation: &AclCreation) -> Result<Acl, String> {
    let name = &*creation.resource_name;
    if creation.resource_type == ResourceType::Cluster.code() && name != CLUSTER_NAME {
        return Err(format!("The only valid name for the CLUSTER resource is {CLUSTER_NAME}"));
    }
    if name.is_empty() {
        return Err("Invalid empty resource name".to_owned());
    }
    let unknown = |what: &str| format!("Invalid {what} UNKNOWN");
    let resource_type = ResourceType::from_code(creation.resource_type).ok_or_else(|| unknown("resourceType"))?;
    let pattern = PatternType::from_code(creation.resource_pattern_type).ok_or_else(|| unknown("patternType"))?;
    let operation = Operation::from_code(creation.operation).ok_or_else(|| unknown("operation"))?;
    let permission = Permission::from_code(creation.permission_type).ok_or_else(|| unknown("permissionType"))?;
    if !creation.principal.contains(':') {
        return Err(format!(
            "Could not parse principal from `{}` (no colon is present separating the principal type from the principal name)",
            &*creation.principal
        ));
    }
    let (principal, host) = ((*creation.principal).to_owned(), (*creation.host).to_owned());
    Ok(Acl { resource_type, name: name.to_owned(), pattern, principal, host, operation, permission })
}
