//! `CreateAcls` 1-3 (KIP-140, KIP-290): adds rules of who may do what.
//!
//! Version 0, which only knows literal names, is not spoken any longer, as in Kafka 4.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::create_acls_request::AclCreation;
use tidemill_protocol::messages::create_acls_response::AclCreationResult;
use tidemill_protocol::messages::{CreateAclsRequest, CreateAclsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use crate::broker::acls::{Acl, CLUSTER_NAME, Operation, PatternType, Permission, ResourceType};
use crate::broker::authorization::{NOT_AUTHORIZED, Resource};
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
        Err(code) => Some((code, NOT_AUTHORIZED)),
        Ok(()) if cluster.config.authorizer.is_none() => Some((ErrorCode::SECURITY_DISABLED, NO_AUTHORIZER)),
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
                AclCreationResult::default().with_error_message(None)
            }
            Err((code, message)) => AclCreationResult::default()
                .with_error_code(code.0)
                .with_error_message(Some(StrBytes::from_string(message))),
        });
    }
    request.reply::<CreateAclsRequest>(&CreateAclsResponse::default().with_results(results))
}

fn check(creation: &AclCreation) -> Result<Acl, String> {
    let name = &*creation.resource_name;
    if creation.resource_type == ResourceType::Cluster.code() && name != CLUSTER_NAME {
        return Err(format!("The only valid name for the CLUSTER resource is {CLUSTER_NAME}"));
    }
    if name.is_empty() {
        return Err("Invalid empty resource name".to_owned());
    }
    // Any, match, or a number that means nothing yet.
    let called = |code: i8| match code {
        1 => "ANY",
        2 => "MATCH",
        _ => "UNKNOWN",
    };
    let resource_type = ResourceType::from_code(creation.resource_type)
        .ok_or_else(|| format!("Invalid resourceType {}", called(creation.resource_type)))?;
    let pattern = PatternType::from_code(creation.resource_pattern_type)
        .ok_or_else(|| format!("Invalid patternType {}", called(creation.resource_pattern_type)))?;
    let operation = Operation::from_code(creation.operation)
        .ok_or_else(|| format!("Invalid operation {}", called(creation.operation)))?;
    let permission = Permission::from_code(creation.permission_type)
        .ok_or_else(|| format!("Invalid permissionType {}", called(creation.permission_type)))?;
    let (principal, host) = ((*creation.principal).to_owned(), (*creation.host).to_owned());
    Ok(Acl { resource_type, name: name.to_owned(), pattern, principal, host, operation, permission })
}
