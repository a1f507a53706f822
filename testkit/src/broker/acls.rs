//! Access control lists, and what they allow.
//!
//! Judged as by Kafka's `StandardAuthorizer`: whoever is denied is denied, whatever else allows it; then one rule that allows
//! is enough; and where no rule is about the resource at all, `allow.everyone.if.no.acl.found` decides.
//! [`authorization`](super::authorization) asks on behalf of a request, and `handlers` change the lists.

use super::watched::Watched;

/// A set of names that the wire has as numbers. Those that only make sense in filters are not among them.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name { $($variant = $code,)* }

        impl $name {
            pub(crate) const fn from_code(code: i8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            pub(crate) const fn code(self) -> i8 {
                self as i8
            }
        }
    };
}

codes! {
    /// What is done with a resource.
    Operation {
        All = 2, Read = 3, Write = 4, Create = 5, Delete = 6, Alter = 7, Describe = 8, ClusterAction = 9,
        DescribeConfigs = 10, AlterConfigs = 11, IdempotentWrite = 12, CreateTokens = 13, DescribeTokens = 14,
        TwoPhaseCommit = 15,
    }
}

codes! {
    /// What a rule is about.
    ResourceType { Topic = 2, Group = 3, Cluster = 4, TransactionalId = 5, DelegationToken = 6, User = 7, }
}

codes! {
    /// Whether a name stands for itself (`*` then is every name), or for all that begin with it.
    PatternType { Literal = 3, Prefixed = 4, }
}

codes! {
    /// What a rule says.
    Permission { Deny = 2, Allow = 3, }
}

/// In a filter: whatever it is.
pub(crate) const ANY: i8 = 1;
/// In a filter for patterns: all that are about the name.
pub(crate) const MATCH: i8 = 2;
/// The name of the one resource of type cluster.
pub(crate) const CLUSTER_NAME: &str = "kafka-cluster";

const WILDCARD: &str = "*";
const EVERYONE: &str = "User:*";

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Acl {
    pub(crate) resource_type: ResourceType,
    pub(crate) name: String,
    pub(crate) pattern: PatternType,
    /// As `User:alice`.
    pub(crate) principal: String,
    pub(crate) host: String,
    pub(crate) operation: Operation,
    pub(crate) permission: Permission,
}

/// Which rules are meant. What is none, or [`ANY`], is not looked at.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) resource_type: i8,
    pub(crate) name: Option<String>,
    pub(crate) pattern: i8,
    pub(crate) principal: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) operation: i8,
    pub(crate) permission: i8,
}

/// Every rule there is.
#[derive(Debug, Default)]
pub(crate) struct Acls {
    pub(super) acls: Watched<Acl, ()>,
}

/// Who wants to do something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// As `User:alice`.
    pub(crate) principal: &'a str,
    /// Its address.
    pub(crate) host: &'a str,
}

impl Acls {
    /// Adds a rule; nothing happens when it is there.
    pub(crate) fn apply_created(&mut self, acl: Acl) {
        self.acls.insert(acl, ());
    }

    /// Removes a rule.
    pub(crate) fn apply_deleted(&mut self, acl: &Acl) {
        self.acls.remove(acl);
    }

    /// The rules that a filter means.
    pub(crate) fn find<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a Acl> {
        self.acls.keys().filter(|acl| filter.means(acl))
    }

    /// What the rules say about an operation on a resource; none when there are none about the resource.
    pub(crate) fn judge(
        &self,
        subject: Subject<'_>,
        operation: Operation,
        kind: ResourceType,
        name: &str,
    ) -> Option<bool> {
        let mut verdict = None;
        for acl in self.acls.keys().filter(|acl| acl.resource_type == kind && acl.is_about(name)) {
            match acl.permission {
                _ if !acl.applies_to(subject, operation) => verdict = verdict.or(Some(false)),
                Permission::Deny => return Some(false),
                Permission::Allow => verdict = Some(true),
            }
        }
        verdict
    }

    /// Whether somebody may do this with one resource of this type at least.
    pub(crate) fn allow_some(&self, subject: Subject<'_>, operation: Operation, kind: ResourceType) -> bool {
        let is_meant = |acl: &&Acl| {
            let operations = [operation, Operation::All];
            acl.resource_type == kind && acl.is_for(subject) && operations.contains(&acl.operation)
        };
        let (denied, allowed): (Vec<&Acl>, Vec<&Acl>) =
            self.acls.keys().filter(is_meant).partition(|acl| acl.permission == Permission::Deny);
        let is_wildcard = |acl: &&Acl| acl.pattern == PatternType::Literal && acl.name == WILDCARD;
        if denied.iter().any(is_wildcard) {
            return false;
        }
        // Of what is allowed, something is left that no rule denies altogether.
        let is_left = |allowed: &Acl| {
            !denied.iter().any(|denied| match denied.pattern {
                PatternType::Literal => allowed.pattern == PatternType::Literal && denied.name == allowed.name,
                PatternType::Prefixed => allowed.name.starts_with(&denied.name),
            })
        };
        allowed.iter().any(|acl| is_wildcard(acl) || is_left(acl))
    }
}

impl Acl {
    fn is_about(&self, name: &str) -> bool {
        match self.pattern {
            PatternType::Literal => self.name == name || self.name == WILDCARD,
            PatternType::Prefixed => name.starts_with(&self.name),
        }
    }

    fn is_for(&self, subject: Subject<'_>) -> bool {
        (self.principal == subject.principal || self.principal == EVERYONE)
            && (self.host == subject.host || self.host == WILDCARD)
    }

    fn applies_to(&self, subject: Subject<'_>, operation: Operation) -> bool {
        let implied = match operation {
            Operation::Describe => {
                matches!(self.operation, Operation::Read | Operation::Write | Operation::Delete | Operation::Alter)
            }
            Operation::DescribeConfigs => self.operation == Operation::AlterConfigs,
            Operation::All
            | Operation::Read
            | Operation::Write
            | Operation::Create
            | Operation::Delete
            | Operation::Alter
            | Operation::ClusterAction
            | Operation::AlterConfigs
            | Operation::IdempotentWrite
            | Operation::CreateTokens
            | Operation::DescribeTokens
            | Operation::TwoPhaseCommit => false,
        };
        // Only what allows implies more than it says.
        let implied = implied && self.permission == Permission::Allow;
        self.is_for(subject) && (self.operation == operation || self.operation == Operation::All || implied)
    }
}

impl Filter {
    /// Whether a part of it is said to be unknown, which Kafka does not read.
    pub(crate) fn has_unknown(&self) -> bool {
        [self.resource_type, self.pattern, self.operation, self.permission].contains(&0)
    }

    fn means(&self, acl: &Acl) -> bool {
        let is = |wanted: i8, code: i8| wanted == ANY || wanted == code;
        let named = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        is(self.resource_type, acl.resource_type.code())
            && (self.pattern == MATCH || is(self.pattern, acl.pattern.code()))
            && self
                .name
                .as_deref()
                .is_none_or(|wanted| if self.pattern == MATCH { acl.is_about(wanted) } else { wanted == acl.name })
            && named(&self.principal, &acl.principal)
            && named(&self.host, &acl.host)
            && is(self.operation, acl.operation.code())
            && is(self.permission, acl.permission.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Subject<'static> = Subject { principal: "User:alice", host: "10.0.0.1" };

    fn acl(name: &str, pattern: PatternType, operation: Operation, permission: Permission) -> Acl {
        let (principal, host) = ("User:alice".to_owned(), "*".to_owned());
        Acl {
            resource_type: ResourceType::Topic,
            name: name.to_owned(),
            pattern,
            principal,
            host,
            operation,
            permission,
        }
    }

    fn acls(rules: &[Acl]) -> Acls {
        let mut acls = Acls::default();
        rules.iter().cloned().for_each(|acl| acls.apply_created(acl));
        acls
    }

    fn judge(acls: &Acls, operation: Operation, name: &str) -> Option<bool> {
        acls.judge(ALICE, operation, ResourceType::Topic, name)
    }

    use Operation::{All, AlterConfigs, Describe, DescribeConfigs, Read, Write};
    use PatternType::{Literal, Prefixed};
    use Permission::{Allow, Deny};

    #[test]
    fn who_is_denied_is_denied_whatever_else_allows_it() {
        let acls = acls(&[acl("clicks", Literal, All, Allow), acl("*", Literal, Write, Deny)]);
        assert_eq!(judge(&acls, Read, "clicks"), Some(true));
        assert_eq!(judge(&acls, Write, "clicks"), Some(false));
        assert_eq!(judge(&acls, Read, "orders"), Some(false));
    }

    #[test]
    fn a_prefix_is_about_all_names_that_begin_with_it() {
        let acls = acls(&[acl("click", Prefixed, Read, Allow), acl("click", Literal, Write, Allow)]);
        assert_eq!(judge(&acls, Read, "clicks"), Some(true));
        assert_eq!(judge(&acls, Write, "clicks"), Some(false));
        assert_eq!(judge(&acls, Read, "orders"), None);
    }

    #[test]
    fn what_allows_reading_allows_looking_and_what_denies_it_does_not_deny_looking() {
        let reading = acls(&[acl("clicks", Literal, Read, Allow)]);
        assert_eq!(judge(&reading, Describe, "clicks"), Some(true));
        let denying = acls(&[acl("clicks", Literal, Read, Deny), acl("clicks", Literal, Describe, Allow)]);
        assert_eq!(judge(&denying, Describe, "clicks"), Some(true));
        assert_eq!(judge(&denying, Read, "clicks"), Some(false));
        let altering = acls(&[acl("clicks", Literal, AlterConfigs, Allow)]);
        assert_eq!(judge(&altering, DescribeConfigs, "clicks"), Some(true));
        assert_eq!(judge(&altering, Describe, "clicks"), Some(false));
    }

    #[test]
    fn rules_of_other_hosts_and_principals_do_not_apply() {
        let elsewhere = Acl { host: "10.0.0.2".to_owned(), ..acl("clicks", Literal, Read, Allow) };
        let other = Acl { principal: "User:bob".to_owned(), ..acl("clicks", Literal, Read, Allow) };
        assert_eq!(judge(&acls(&[elsewhere, other]), Read, "clicks"), Some(false));
        let everyone = Acl { principal: "User:*".to_owned(), ..acl("clicks", Literal, Read, Allow) };
        assert_eq!(judge(&acls(&[everyone]), Read, "clicks"), Some(true));
    }

    #[test]
    fn something_may_be_written_unless_all_that_is_allowed_is_denied() {
        let some = |rules: &[Acl]| acls(rules).allow_some(ALICE, Write, ResourceType::Topic);
        assert!(!some(&[]));
        assert!(some(&[acl("clicks", Literal, Write, Allow)]));
        assert!(!some(&[acl("clicks", Literal, Write, Allow), acl("cl", Prefixed, Write, Deny)]));
        assert!(some(&[acl("cl", Prefixed, Write, Allow), acl("clicks", Literal, Write, Deny)]));
        assert!(!some(&[acl("*", Literal, Write, Allow), acl("*", Literal, All, Deny)]));
        assert!(!some(&[acl("clicks", Literal, Read, Allow)]));
    }

    #[test]
    fn a_filter_finds_by_name_by_pattern_or_what_is_about_a_name() {
        let rules = [
            acl("clicks", Literal, Read, Allow),
            acl("cl", Prefixed, Read, Allow),
            acl("*", Literal, Read, Allow),
            acl("orders", Literal, Read, Allow),
        ];
        let acls = acls(&rules);
        let found = |name: Option<&str>, pattern: i8| {
            let filter = Filter {
                resource_type: ANY,
                name: name.map(str::to_owned),
                pattern,
                principal: None,
                host: None,
                operation: ANY,
                permission: ANY,
            };
            acls.find(&filter).map(|acl| acl.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(found(None, ANY), ["*", "cl", "clicks", "orders"]);
        assert_eq!(found(Some("clicks"), MATCH), ["*", "cl", "clicks"]);
        assert_eq!(found(Some("clicks"), ANY), ["clicks"]);
        assert_eq!(found(Some("cl"), Prefixed.code()), ["cl"]);
        assert_eq!(found(None, Prefixed.code()), ["cl"]);
    }
}
