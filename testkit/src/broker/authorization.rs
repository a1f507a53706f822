//! Whether who asks may do it: the question that every handler puts first.
//!
//! Without an authorizer everyone may do everything. [`acls`](super::acls) judges by the rules there are.

use tidemill_protocol::ErrorCode;
use uuid::Uuid;

use super::acls::{CLUSTER_NAME, Operation, ResourceType, Subject};
use super::topics::Topic;
use super::{Cluster, Request};

/// Who it is that has not shown who it is.
pub(crate) const ANONYMOUS: &str = "User:ANONYMOUS";

/// What something is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    Topic(&'a str),
    Group(&'a str),
    Cluster,
    TransactionalId(&'a str),
    /// A principal, as `User:alice`.
    User(&'a str),
}

/// `authorizer.class.name`: who may do what is decided by rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authorizer {
    /// `super.users`: who may do everything, as `User:admin`.
    pub super_users: Vec<String>,
    /// `allow.everyone.if.no.acl.found`: whether everyone may do what no rule is about. Default false.
    pub allow_everyone_if_no_acl_found: bool,
}

impl<'a> Resource<'a> {
    const fn parts(self) -> (ResourceType, &'a str) {
        match self {
            Self::Topic(name) => (ResourceType::Topic, name),
            Self::Group(name) => (ResourceType::Group, name),
            Self::Cluster => (ResourceType::Cluster, CLUSTER_NAME),
            Self::TransactionalId(name) => (ResourceType::TransactionalId, name),
            Self::User(name) => (ResourceType::User, name),
        }
    }

    /// What can be done with it.
    const fn operations(self) -> &'static [Operation] {
        match self {
            Self::Topic(_) => &[
                Operation::Read,
                Operation::Write,
                Operation::Create,
                Operation::Delete,
                Operation::Alter,
                Operation::Describe,
                Operation::DescribeConfigs,
                Operation::AlterConfigs,
            ],
            Self::Group(_) => &[
                Operation::Read,
                Operation::Delete,
                Operation::Describe,
                Operation::DescribeConfigs,
                Operation::AlterConfigs,
            ],
            Self::Cluster => &[
                Operation::Create,
                Operation::Alter,
                Operation::Describe,
                Operation::ClusterAction,
                Operation::DescribeConfigs,
                Operation::AlterConfigs,
                Operation::IdempotentWrite,
            ],
            Self::TransactionalId(_) => &[Operation::Write, Operation::Describe, Operation::TwoPhaseCommit],
            Self::User(_) => &[Operation::CreateTokens, Operation::DescribeTokens],
        }
    }

    /// What Kafka answers who may not.
    pub(crate) const fn refusal(self) -> ErrorCode {
        match self {
            Self::Topic(_) => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
            Self::Group(_) => ErrorCode::GROUP_AUTHORIZATION_FAILED,
            Self::Cluster => ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
            Self::TransactionalId(_) => ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            Self::User(_) => ErrorCode::DELEGATION_TOKEN_AUTHORIZATION_FAILED,
        }
    }
}

impl Request<'_> {
    /// Whether who asks may do this.
    pub(crate) fn may(&self, cluster: &Cluster, operation: Operation, resource: Resource<'_>) -> bool {
        let Some(authorizer) = &cluster.config.authorizer else { return true };
        if authorizer.super_users.iter().any(|user| user == self.caller.principal) {
            return true;
        }
        let (kind, name) = resource.parts();
        let verdict = cluster.acls.judge(self.subject(), operation, kind, name);
        verdict.unwrap_or(authorizer.allow_everyone_if_no_acl_found)
    }

    /// # Errors
    /// The code of Kafka's refusal, when who asks may not do this.
    pub(crate) fn authorize(
        &self,
        cluster: &Cluster,
        operation: Operation,
        resource: Resource<'_>,
    ) -> Result<(), ErrorCode> {
        if self.may(cluster, operation, resource) { Ok(()) } else { Err(resource.refusal()) }
    }

    /// A topic by its name, or its id, that who asks may do this with.
    ///
    /// # Errors
    /// As in Kafka, who may not is not told whether there is a topic of this name; that an id is nobody's is no secret.
    pub(crate) fn topic<'c>(
        &self,
        cluster: &'c Cluster,
        operation: Operation,
        name: &str,
        id: Option<Uuid>,
    ) -> Result<&'c Topic, ErrorCode> {
        let known = id.map(|id| cluster.topics.by_id(id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)).transpose()?;
        let name = known.map_or(name, |topic| &topic.name.0);
        self.authorize(cluster, operation, Resource::Topic(name))?;
        cluster.topics.find(name, None)
    }

    /// Whether who asks may write to some topic at least, which is enough for an idempotent producer (KIP-679).
    pub(crate) fn may_write_somewhere(&self, cluster: &Cluster) -> bool {
        // A name that stands for those that no rule is about, as in Kafka.
        self.may(cluster, Operation::Write, Resource::Topic("hardcode"))
            || cluster.acls.allow_some(self.subject(), Operation::Write, ResourceType::Topic)
    }

    /// What who asks may do with a resource: a bit for each operation (KIP-430).
    pub(crate) fn operations(&self, cluster: &Cluster, resource: Resource<'_>) -> i32 {
        let allowed = resource.operations().iter().filter(|operation| self.may(cluster, **operation, resource));
        allowed.fold(0, |bits, operation| bits | 1 << operation.code())
    }

    /// As [`Self::operations`], of the cluster; nothing for who may not even look at it.
    pub(crate) fn cluster_operations(&self, cluster: &Cluster) -> i32 {
        if self.may(cluster, Operation::Describe, Resource::Cluster) {
            self.operations(cluster, Resource::Cluster)
        } else {
            0
        }
    }

    fn subject(&self) -> Subject<'_> {
        let host = self.caller.client_host;
        Subject { principal: self.caller.principal, host: host.strip_prefix('/').unwrap_or(host) }
    }
}

/// What Kafka says with a refusal, where it says anything and the controller says no more.
pub(crate) const fn words(refusal: ErrorCode) -> &'static str {
    match refusal {
        ErrorCode::TOPIC_AUTHORIZATION_FAILED => "Topic authorization failed.",
        ErrorCode::GROUP_AUTHORIZATION_FAILED => "Group authorization failed.",
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED => "Cluster authorization failed.",
        _ => "Transactional Id authorization failed.",
    }
}

/// What Kafka says to who may not do something with the cluster; it also shows the request, which is left out here.
pub(crate) const NEEDS_ALTER: &str = "Request needs ALTER permission.";
/// As [`NEEDS_ALTER`].
pub(crate) const NEEDS_DESCRIBE: &str = "Request needs DESCRIBE permission.";
