//! Rules: made, described and removed, and what Kafka refuses.

use tidemill_protocol::messages::create_acls_request::AclCreation;
use tidemill_protocol::messages::delete_acls_request::DeleteAclsFilter;
use tidemill_protocol::messages::*;

use super::peer::*;

fn creation(kind: i8, name: &str, pattern: i8, principal: &str, operation: i8, permission: i8) -> AclCreation {
    AclCreation::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_resource_pattern_type(pattern)
        .with_principal(text(principal))
        .with_host(text("10.0.0.1"))
        .with_operation(operation)
        .with_permission_type(permission)
}

pub(crate) async fn rules(peer: &mut Peer) {
    let good = creation(TOPIC, "rules", LITERAL, "User:carol", READ, ALLOW);
    let cases = [
        ("none", vec![]),
        ("one", vec![good.clone()]),
        ("the same again", vec![good.clone(), good.clone()]),
        ("another cluster", vec![creation(CLUSTER, "mine", LITERAL, "User:carol", READ, ALLOW)]),
        ("without a name", vec![creation(TOPIC, "", LITERAL, "User:carol", READ, ALLOW)]),
        ("of any type", vec![creation(1, "rules", LITERAL, "User:carol", READ, ALLOW)]),
        ("of a strange type", vec![creation(99, "rules", LITERAL, "User:carol", READ, ALLOW)]),
        ("any pattern", vec![creation(TOPIC, "rules", 1, "User:carol", READ, ALLOW)]),
        ("matching pattern", vec![creation(TOPIC, "rules", 2, "User:carol", READ, ALLOW)]),
        ("any operation", vec![creation(TOPIC, "rules", LITERAL, "User:carol", 1, ALLOW)]),
        ("any permission", vec![creation(TOPIC, "rules", LITERAL, "User:carol", READ, 1)]),
        ("an operation topics do not have", vec![creation(TOPIC, "rules", LITERAL, "User:carol", 9, ALLOW)]),
        ("of nobody", vec![creation(TOPIC, "rules", LITERAL, "", READ, ALLOW)]),
        ("of a name without a type", vec![creation(TOPIC, "rules", LITERAL, "carol", READ, ALLOW)]),
        ("of a group", vec![creation(TOPIC, "rules", LITERAL, "Group:carol", READ, ALLOW)]),
        ("good and bad", vec![creation(1, "rules", LITERAL, "User:carol", READ, ALLOW), good.clone()]),
        (
            "prefix and all",
            vec![
                creation(TOPIC, "ru", PREFIXED, "User:carol", WRITE, DENY),
                creation(TOPIC, "*", LITERAL, "User:carol", ALL, ALLOW),
                creation(GROUP, "rules", LITERAL, "User:carol", READ, ALLOW),
            ],
        ),
    ];
    for (what, creations) in cases {
        for user in ["alice", "admin"] {
            let body = CreateAclsRequest::default().with_creations(creations.clone());
            let mut made = peer.ask(user, if user == "admin" { 3 } else { 1 }, &body).await;
            made.results.iter_mut().for_each(|it| words(&mut it.error_message));
            peer.note(&format!("CreateAcls by {user}: {what}"), &made);
        }
    }
    peer.settle().await;
    describe(peer).await;
    delete(peer).await;
}

/// What filters are made of: type, name, pattern, principal, operation, permission.
type Parts = (i8, Option<&'static str>, i8, Option<&'static str>, i8, i8);

const FILTERS: [Parts; 9] = [
    (1, None, 1, Some("User:carol"), 1, 1),
    (TOPIC, Some("rules"), LITERAL, Some("User:carol"), 1, 1),
    (TOPIC, Some("rules"), 2, Some("User:carol"), 1, 1),
    (TOPIC, Some("ru"), 1, Some("User:carol"), 1, 1),
    (1, Some("*"), 1, Some("User:carol"), 1, 1),
    (1, None, PREFIXED, Some("User:carol"), 1, 1),
    (1, None, 1, Some("User:carol"), READ, 1),
    (1, None, 1, Some("User:carol"), 1, DENY),
    (1, None, 1, Some("User:dave"), 1, 1),
];

async fn describe(peer: &mut Peer) {
    for (kind, name, pattern, principal, operation, permission) in FILTERS {
        for user in ["alice", "admin"] {
            let body = DescribeAclsRequest::default()
                .with_resource_type_filter(kind)
                .with_resource_name_filter(name.map(text))
                .with_pattern_type_filter(pattern)
                .with_principal_filter(principal.map(text))
                .with_host_filter(None)
                .with_operation(operation)
                .with_permission_type(permission);
            let mut described = peer.ask(user, 2, &body).await;
            words(&mut described.error_message);
            described.resources.sort_by_key(|it| (it.resource_type, it.resource_name.clone(), it.pattern_type));
            for resource in &mut described.resources {
                resource.acls.sort_by_key(|acl| (acl.principal.clone(), acl.operation, acl.permission_type));
            }
            peer.note(&format!("DescribeAcls by {user}: {name:?} {pattern} {operation} {permission}"), &described);
        }
    }
}

async fn delete(peer: &mut Peer) {
    let filter = |(kind, name, pattern, principal, operation, permission): Parts| {
        DeleteAclsFilter::default()
            .with_resource_type_filter(kind)
            .with_resource_name_filter(name.map(text))
            .with_pattern_type_filter(pattern)
            .with_principal_filter(principal.map(text))
            .with_host_filter(None)
            .with_operation(operation)
            .with_permission_type(permission)
    };
    for (user, filters) in [
        ("alice", vec![FILTERS[0]]),
        ("admin", vec![]),
        ("admin", vec![FILTERS[1], FILTERS[2]]),
        ("admin", vec![FILTERS[8]]),
        ("admin", vec![FILTERS[0]]),
    ] {
        let body = DeleteAclsRequest::default().with_filters(filters.iter().copied().map(filter).collect());
        let mut deleted = peer.ask(user, 3, &body).await;
        for result in &mut deleted.filter_results {
            words(&mut result.error_message);
            result.matching_acls.sort_by_key(|acl| {
                (acl.resource_type, acl.resource_name.clone(), acl.pattern_type, acl.principal.clone(), acl.operation)
            });
        }
        peer.note(&format!("DeleteAcls by {user}: {filters:?}"), &deleted);
        peer.settle().await;
    }
}
