//! ACLs: create, describe, delete.
//!
//! Before: the application. After: [`driver`](super::driver) asks the controller, or any broker to describe.
//!
//! Source: KIP-140 (administering ACLs), KIP-290 (prefixed patterns).

use std::fmt;
use std::time::Duration;

use tidemill_protocol::StrBytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::create_acls_request::AclCreation;
use tidemill_protocol::messages::delete_acls_request::DeleteAclsFilter;
use tidemill_protocol::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl};
use tidemill_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest,
    DescribeAclsResponse,
};

use super::call::{Answer, Route, accepted};
use super::driver::Exchange;
use super::names::{AclOperation, numbers};
use super::{Admin, Outcomes, named, text};
use crate::error::Error;

const ACLS_VERSIONS: VersionRange = VersionRange::new(1, 3);

numbers! {
    /// What an ACL is about.
    ResourceType {
        /// In a filter: whatever the type.
        ANY = 1 "ANY";
        /// Topics, by name.
        TOPIC = 2 "TOPIC";
        /// Groups, by name.
        GROUP = 3 "GROUP";
        /// The cluster, whose name is `kafka-cluster`.
        CLUSTER = 4 "CLUSTER";
        /// Transactional ids.
        TRANSACTIONAL_ID = 5 "TRANSACTIONAL_ID";
        /// Delegation tokens.
        DELEGATION_TOKEN = 6 "DELEGATION_TOKEN";
        /// Users, as principals.
        USER = 7 "USER";
    }

    /// How the name of an ACL's resource is meant.
    PatternType {
        /// In a filter: whatever the pattern.
        ANY = 1 "ANY";
        /// In a filter: every ACL that counts for this name.
        MATCH = 2 "MATCH";
        /// This name; `*` is any.
        LITERAL = 3 "LITERAL";
        /// All names that begin with it (KIP-290).
        PREFIXED = 4 "PREFIXED";
    }

    /// What an ACL does.
    PermissionType {
        /// In a filter: whatever it does.
        ANY = 1 "ANY";
        /// It denies, which counts for more than all that allow.
        DENY = 2 "DENY";
        /// It allows.
        ALLOW = 3 "ALLOW";
    }
}

/// An ACL: who may, or may not, do what to which resource, from where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "KIP-11 has these seven parts")]
pub struct AclBinding {
    /// What it is about.
    pub resource_type: ResourceType,
    /// The name of the resource.
    pub resource_name: String,
    /// How that name is meant.
    pub pattern_type: PatternType,
    /// Who: `User:name`, or `User:*` for everybody.
    pub principal: String,
    /// The address they come from; `*` is any.
    pub host: String,
    /// What it is that they do.
    pub operation: AclOperation,
    /// Whether they may.
    pub permission: PermissionType,
}

impl AclBinding {
    /// Allows a principal to do something to the resource of exactly this name, from anywhere.
    #[must_use]
    pub fn allow(
        principal: impl Into<String>,
        operation: AclOperation,
        resource_type: ResourceType,
        resource_name: impl Into<String>,
    ) -> Self {
        Self {
            resource_type,
            resource_name: resource_name.into(),
            pattern_type: PatternType::LITERAL,
            principal: principal.into(),
            host: "*".to_owned(),
            operation,
            permission: PermissionType::ALLOW,
        }
    }

    fn request(&self) -> AclCreation {
        AclCreation::default()
            .with_resource_type(self.resource_type.0)
            .with_resource_name(text(&self.resource_name))
            .with_resource_pattern_type(self.pattern_type.0)
            .with_principal(text(&self.principal))
            .with_host(text(&self.host))
            .with_operation(self.operation.0)
            .with_permission_type(self.permission.0)
    }
}

impl fmt::Display for AclBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource_type, resource_name, pattern_type, principal, host, operation, permission } = self;
        write!(
            f,
            "{permission} {principal} from {host} {operation} on {resource_type} '{resource_name}' ({pattern_type})"
        )
    }
}

/// Which ACLs are meant. Default: all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclFilter {
    resource_type: ResourceType,
    resource_name: Option<String>,
    pattern_type: PatternType,
    principal: Option<String>,
    host: Option<String>,
    operation: AclOperation,
    permission: PermissionType,
}

impl Default for AclFilter {
    fn default() -> Self {
        Self {
            resource_type: ResourceType::ANY,
            resource_name: None,
            pattern_type: PatternType::ANY,
            principal: None,
            host: None,
            operation: AclOperation::ANY,
            permission: PermissionType::ANY,
        }
    }
}

impl AclFilter {
    /// Those about this resource: with [`PatternType::MATCH`] all that count for the name, else those of this pattern.
    #[must_use]
    pub fn resource(mut self, kind: ResourceType, name: impl Into<String>, pattern: PatternType) -> Self {
        (self.resource_type, self.resource_name, self.pattern_type) = (kind, Some(name.into()), pattern);
        self
    }

    /// Those about resources of this type.
    #[must_use]
    pub const fn resource_type(mut self, kind: ResourceType) -> Self {
        self.resource_type = kind;
        self
    }

    /// Those of this principal.
    #[must_use]
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = Some(principal.into());
        self
    }

    /// Those of this address.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Those of this operation.
    #[must_use]
    pub const fn operation(mut self, operation: AclOperation) -> Self {
        self.operation = operation;
        self
    }

    /// Those that allow, or those that deny.
    #[must_use]
    pub const fn permission(mut self, permission: PermissionType) -> Self {
        self.permission = permission;
        self
    }
}

impl From<&AclBinding> for AclFilter {
    /// Exactly this one.
    fn from(acl: &AclBinding) -> Self {
        Self {
            resource_type: acl.resource_type,
            resource_name: Some(acl.resource_name.clone()),
            pattern_type: acl.pattern_type,
            principal: Some(acl.principal.clone()),
            host: Some(acl.host.clone()),
            operation: acl.operation,
            permission: acl.permission,
        }
    }
}

impl Admin {
    /// Creates ACLs; each has its own outcome. One that exists already is no error. Without an authorizer in the brokers
    /// the error is `SECURITY_DISABLED`.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the ACLs may have been created.
    pub async fn create_acls(&self, acls: &[AclBinding], timeout: Duration) -> Result<Outcomes<AclBinding>, Error> {
        let items = acls.iter().map(|acl| (Route::Controller, format!("creating the ACL {acl}")));
        let exchange = Exchange {
            versions: ACLS_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let creations = items.iter().map(|place| acls[*place].request());
                CreateAclsRequest::default().with_creations(creations.collect())
            },
            read: |items: &[usize], reply: CreateAclsResponse| {
                // The results are in the order of the request.
                let results =
                    reply.results.iter().map(|result| accepted(result.error_code, result.error_message.as_ref()));
                items.iter().copied().zip(results).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(acls.iter().cloned(), outcomes))
    }

    /// The ACLs that pass the filter, in no order.
    ///
    /// # Errors
    /// When no broker answers within `timeout`, or it refuses: `SECURITY_DISABLED` without an authorizer.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn describe_acls(&self, filter: &AclFilter, timeout: Duration) -> Result<Vec<AclBinding>, Error> {
        let exchange = Exchange {
            versions: ACLS_VERSIONS,
            changes: false,
            items_max: 1,
            build: |_: &[usize], _, _| {
                DescribeAclsRequest::default()
                    .with_resource_type_filter(filter.resource_type.0)
                    .with_resource_name_filter(filter.resource_name.as_deref().map(text))
                    .with_pattern_type_filter(filter.pattern_type.0)
                    .with_principal_filter(filter.principal.as_deref().map(text))
                    .with_host_filter(filter.host.as_deref().map(text))
                    .with_operation(filter.operation.0)
                    .with_permission_type(filter.permission.0)
            },
            read: |items: &[usize], reply: DescribeAclsResponse| {
                items.iter().map(|place| (*place, described(&reply))).collect()
            },
        };
        self.ask_one((Route::Any, "describing ACLs".to_owned()), timeout, exchange).await
    }

    /// Deletes the ACLs that pass any of the filters; each filter has its own outcome: what became of each ACL it found.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the ACLs may have been deleted.
    pub async fn delete_acls(
        &self,
        filters: &[AclFilter],
        timeout: Duration,
    ) -> Result<Outcomes<AclFilter, Outcomes<AclBinding>>, Error> {
        let items = filters.iter().map(|_| (Route::Controller, "deleting ACLs".to_owned()));
        let exchange = Exchange {
            versions: ACLS_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let filters = items.iter().map(|place| {
                    let filter = &filters[*place];
                    DeleteAclsFilter::default()
                        .with_resource_type_filter(filter.resource_type.0)
                        .with_resource_name_filter(filter.resource_name.as_deref().map(text))
                        .with_pattern_type_filter(filter.pattern_type.0)
                        .with_principal_filter(filter.principal.as_deref().map(text))
                        .with_host_filter(filter.host.as_deref().map(text))
                        .with_operation(filter.operation.0)
                        .with_permission_type(filter.permission.0)
                });
                DeleteAclsRequest::default().with_filters(filters.collect())
            },
            read: |items: &[usize], reply: DeleteAclsResponse| {
                // The results are in the order of the request.
                items.iter().copied().zip(reply.filter_results.iter().map(deleted)).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(filters.iter().cloned(), outcomes))
    }
}

fn described(reply: &DescribeAclsResponse) -> Answer<Vec<AclBinding>> {
    accepted(reply.error_code, reply.error_message.as_ref())?;
    let mut acls = Vec::new();
    for resource in &reply.resources {
        acls.extend(resource.acls.iter().map(|acl| AclBinding {
            resource_type: ResourceType(resource.resource_type),
            resource_name: resource.resource_name.to_string(),
            pattern_type: PatternType(resource.pattern_type),
            principal: acl.principal.to_string(),
            host: acl.host.to_string(),
            operation: AclOperation(acl.operation),
            permission: PermissionType(acl.permission_type),
        }));
    }
    Ok(acls)
}

fn deleted(result: &DeleteAclsFilterResult) -> Answer<Outcomes<AclBinding>> {
    accepted(result.error_code, result.error_message.as_ref())?;
    let outcome = |acl: &DeleteAclsMatchingAcl| {
        let binding = binding(acl);
        let attempt = format!("deleting the ACL {binding}");
        (binding, code(acl.error_code, acl.error_message.as_ref(), attempt))
    };
    Ok(result.matching_acls.iter().map(outcome).collect())
}

fn code(code: i16, message: Option<&StrBytes>, attempt: String) -> Result<(), Error> {
    accepted(code, message).map_err(|refusal| refusal.into_error(attempt))
}

fn binding(acl: &DeleteAclsMatchingAcl) -> AclBinding {
    AclBinding {
        resource_type: ResourceType(acl.resource_type),
        resource_name: acl.resource_name.to_string(),
        pattern_type: PatternType(acl.pattern_type),
        principal: acl.principal.to_string(),
        host: acl.host.to_string(),
        operation: AclOperation(acl.operation),
        permission: PermissionType(acl.permission_type),
    }
}
