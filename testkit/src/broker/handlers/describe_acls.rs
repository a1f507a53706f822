//! `DescribeAcls` 1-3 (KIP-140, KIP-290): the rules that a filter means, by what they are about.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use tidemill_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::text;
use crate::broker::acls::{Acl, Filter, Operation};
use crate::broker::authorization::{NEEDS_DESCRIBE, Resource};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 3);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeAclsRequest = request.decode()?;
    let owned = |text: &Option<StrBytes>| text.as_deref().map(str::to_owned);
    let filter = Filter {
        resource_type: body.resource_type_filter,
        name: owned(&body.resource_name_filter),
        pattern: body.pattern_type_filter,
        principal: owned(&body.principal_filter),
        host: owned(&body.host_filter),
        operation: body.operation,
        permission: body.permission_type,
    };
    if filter.has_unknown() {
        return Err(Refused("a filter of a kind that is unknown".to_owned()));
    }
    let refuse = |code: ErrorCode, message: &'static str| {
        let response = DescribeAclsResponse::default().with_error_code(code.0);
        request.reply::<DescribeAclsRequest>(&response.with_error_message(Some(StrBytes::from_static_str(message))))
    };
    if let Err(code) = request.authorize(cluster, Operation::Describe, Resource::Cluster) {
        return refuse(code, NEEDS_DESCRIBE);
    }
    if cluster.config.authorizer.is_none() {
        return refuse(ErrorCode::SECURITY_DISABLED, "No Authorizer is configured on the broker");
    }
    let mut resources: Vec<DescribeAclsResource> = Vec::new();
    for acl in cluster.acls.find(&filter) {
        let described = describe(acl);
        // Rules about the same lie side by side.
        let last = resources.last_mut().filter(|last| {
            (last.resource_type, &*last.resource_name, last.pattern_type)
                == (acl.resource_type.code(), acl.name.as_str(), acl.pattern.code())
        });
        match last {
            Some(last) => last.acls.push(described),
            None => resources.push(
                DescribeAclsResource::default()
                    .with_resource_type(acl.resource_type.code())
                    .with_resource_name(text(&acl.name))
                    .with_pattern_type(acl.pattern.code())
                    .with_acls(vec![described]),
            ),
        }
    }
    let response = DescribeAclsResponse::default().with_resources(resources);
    request.reply::<DescribeAclsRequest>(&response)
}

fn describe(acl: &Acl) -> AclDescription {
    AclDescription::default()
        .with_principal(text(&acl.principal))
        .with_host(text(&acl.host))
        .with_operation(acl.operation.code())
        .with_permission_type(acl.permission.code())
}
