//! `DeleteAcls` 1-3 (KIP-140, KIP-290): removes the rules that filters mean, and says which they were.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl};
use tidemill_protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::create_acls::NO_AUTHORIZER;
use super::text;
use crate::broker::acls::{Acl, Filter, Operation};
use crate::broker::authorization::{NEEDS_ALTER, Resource};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 3);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DeleteAclsRequest = request.decode()?;
    let owned = |text: &Option<StrBytes>| text.as_deref().map(str::to_owned);
    let filters: Vec<Filter> = body
        .filters
        .iter()
        .map(|filter| Filter {
            resource_type: filter.resource_type_filter,
            name: owned(&filter.resource_name_filter),
            pattern: filter.pattern_type_filter,
            principal: owned(&filter.principal_filter),
            host: owned(&filter.host_filter),
            operation: filter.operation,
            permission: filter.permission_type,
        })
        .collect();
    if filters.iter().any(Filter::has_unknown) {
        return Err(Refused("a filter of a kind that is unknown".to_owned()));
    }
    let refused = match request.authorize(cluster, Operation::Alter, Resource::Cluster) {
        Err(code) => Some((code, NEEDS_ALTER)),
        Ok(()) if cluster.config.authorizer.is_none() => Some((ErrorCode::SECURITY_DISABLED, NO_AUTHORIZER)),
        Ok(()) => None,
    };
    let results = match refused {
        Some((code, message)) => {
            let result = DeleteAclsFilterResult::default().with_error_code(code.0);
            vec![result.with_error_message(Some(StrBytes::from_static_str(message))); filters.len()]
        }
        None => {
            // All filters are held against what there was before the first of them removed anything.
            let found: Vec<Vec<Acl>> = filters.iter().map(|it| cluster.acls.find(it).cloned().collect()).collect();
            found.iter().flatten().for_each(|acl| cluster.acls.apply_deleted(acl));
            found.iter().map(|acls| result(acls)).collect()
        }
    };
    request.reply::<DeleteAclsRequest>(&DeleteAclsResponse::default().with_filter_results(results))
}

fn result(acls: &[Acl]) -> DeleteAclsFilterResult {
    let matching = acls.iter().map(|acl| {
        DeleteAclsMatchingAcl::default()
            .with_error_message(None)
            .with_resource_type(acl.resource_type.code())
            .with_resource_name(text(&acl.name))
            .with_pattern_type(acl.pattern.code())
            .with_principal(text(&acl.principal))
            .with_host(text(&acl.host))
            .with_operation(acl.operation.code())
            .with_permission_type(acl.permission.code())
    });
    DeleteAclsFilterResult::default().with_error_message(None).with_matching_acls(matching.collect())
}
