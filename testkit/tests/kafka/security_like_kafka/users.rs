//! Users of SCRAM, quotas, and tokens.

use bytes::Bytes;
use tidemill_protocol::messages::alter_client_quotas_request as alter_quotas;
use tidemill_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use tidemill_protocol::messages::describe_client_quotas_request::ComponentData;
use tidemill_protocol::messages::*;

use super::peer::*;

fn upsertion(name: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion::default()
        .with_name(text(name))
        .with_mechanism(mechanism)
        .with_iterations(iterations)
        .with_salt(Bytes::from_static(b"salt"))
        .with_salted_password(Bytes::from_static(b"salted"))
}

fn deletion(name: &str, mechanism: i8) -> ScramCredentialDeletion {
    ScramCredentialDeletion::default().with_name(text(name)).with_mechanism(mechanism)
}

pub(crate) async fn scram(peer: &mut Peer) {
    let cases = [
        ("nothing", vec![], vec![]),
        ("one", vec![], vec![upsertion("carol", 1, 4096)]),
        ("another mechanism", vec![], vec![upsertion("carol", 2, 16384)]),
        ("too few", vec![], vec![upsertion("dave", 1, 4095), upsertion("erin", 2, -1)]),
        ("too many", vec![], vec![upsertion("dave", 1, 16385)]),
        ("unknown mechanism", vec![deletion("dave", 0)], vec![upsertion("erin", 3, 4096)]),
        ("no name", vec![deletion("", 1)], vec![upsertion("", 2, 4096)]),
        ("twice", vec![], vec![upsertion("dave", 1, 4096), upsertion("dave", 2, 4096)]),
        ("removed and set", vec![deletion("carol", 1)], vec![upsertion("carol", 2, 4096)]),
        ("removed twice", vec![deletion("carol", 1), deletion("carol", 2)], vec![]),
        ("not there", vec![deletion("nobody", 1)], vec![]),
        ("wrong twice", vec![deletion("nobody", 1), deletion("nobody", 2)], vec![]),
        ("no password", vec![], vec![upsertion("dave", 1, 4096).with_salted_password(Bytes::new())]),
        ("no salt", vec![], vec![upsertion("frank", 1, 4096).with_salt(Bytes::new())]),
        ("removed", vec![deletion("carol", 1)], vec![]),
    ];
    for (what, deletions, upsertions) in cases {
        for user in ["alice", "admin"] {
            let body = AlterUserScramCredentialsRequest::default()
                .with_deletions(deletions.clone())
                .with_upsertions(upsertions.clone());
            let mut altered = peer.ask(user, 0, &body).await;
            altered.results.sort_by_key(|it| it.user.clone());
            altered.results.iter_mut().for_each(|it| words(&mut it.error_message));
            peer.note(&format!("AlterUserScramCredentials by {user}: {what}"), &altered);
        }
        peer.settle().await;
        for users in [vec![], vec!["carol", "dave"], vec!["carol", "carol"]] {
            let users = users
                .iter()
                .map(|user| describe_user_scram_credentials_request::UserName::default().with_name(text(user)));
            let users: Vec<_> = users.collect();
            let body = DescribeUserScramCredentialsRequest::default().with_users(Some(users));
            for user in ["alice", "admin"] {
                let mut described = peer.ask(user, 0, &body).await;
                described.results.sort_by_key(|it| it.user.clone());
                described.results.iter_mut().for_each(|it| it.credential_infos.sort_by_key(|info| info.mechanism));
                words(&mut described.error_message);
                described.results.iter_mut().for_each(|it| words(&mut it.error_message));
                peer.note(&format!("DescribeUserScramCredentials by {user}: {what}"), &described);
            }
        }
    }
}

/// Kinds and names of whom a quota is for, and its keys and values.
type Quota<'a> = (&'a [(&'a str, Option<&'a str>)], &'a [(&'a str, Option<f64>)]);

pub(crate) async fn quotas(peer: &mut Peer) {
    let user: &[(&str, Option<&str>)] = &[("user", Some("carol"))];
    let cases: &[(&str, &[Quota<'_>])] = &[
        ("nothing", &[]),
        ("one", &[(user, &[("producer_byte_rate", Some(1000.0))])]),
        ("two", &[(user, &[("consumer_byte_rate", Some(2000.0)), ("request_percentage", Some(1.5))])]),
        ("the default", &[(&[("user", None)], &[("producer_byte_rate", Some(1.0))])]),
        (
            "user and client",
            &[(&[("user", Some("carol")), ("client-id", None)], &[("controller_mutation_rate", Some(0.5))])],
        ),
        ("an address", &[(&[("ip", Some("10.0.0.1"))], &[("connection_creation_rate", Some(5.0))])]),
        ("any address", &[(&[("ip", None)], &[("connection_creation_rate", Some(5.0))])]),
        ("no address", &[(&[("ip", Some("not an address"))], &[("connection_creation_rate", Some(5.0))])]),
        (
            "address and user",
            &[(&[("ip", Some("10.0.0.1")), ("user", None)], &[("connection_creation_rate", Some(5.0))])],
        ),
        ("nobody", &[(&[], &[("producer_byte_rate", Some(1.0))])]),
        ("a strange kind", &[(&[("planet", Some("mars"))], &[("producer_byte_rate", Some(1.0))])]),
        ("an empty name", &[(&[("user", Some(""))], &[("producer_byte_rate", Some(1.0))])]),
        ("a strange key", &[(user, &[("happiness", Some(1.0))])]),
        ("a key of others", &[(user, &[("connection_creation_rate", Some(1.0))])]),
        ("zero", &[(user, &[("producer_byte_rate", Some(0.0))])]),
        ("a fraction", &[(user, &[("producer_byte_rate", Some(1.5))])]),
        ("too much", &[(user, &[("producer_byte_rate", Some(1e30))])]),
        ("too much of an int", &[(&[("ip", None)], &[("connection_creation_rate", Some(3e9))])]),
        ("a key twice", &[(user, &[("producer_byte_rate", Some(1.0)), ("producer_byte_rate", Some(2.0))])]),
        (
            "somebody twice",
            &[(user, &[("producer_byte_rate", Some(3.0))]), (user, &[("consumer_byte_rate", Some(4.0))])],
        ),
        ("removed", &[(user, &[("producer_byte_rate", None)])]),
        ("removed that is not there", &[(user, &[("happiness", None)])]),
    ];
    for (what, entries) in cases {
        let entries = entries.iter().map(|(entity, ops)| {
            let entity = entity.iter().map(|(kind, name)| {
                alter_quotas::EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
            });
            let ops = ops.iter().map(|(key, value)| {
                alter_quotas::OpData::default()
                    .with_key(text(key))
                    .with_value(value.unwrap_or(0.0))
                    .with_remove(value.is_none())
            });
            alter_quotas::EntryData::default().with_entity(entity.collect()).with_ops(ops.collect())
        });
        let body = AlterClientQuotasRequest::default().with_entries(entries.collect());
        for (user, validate_only) in [("alice", false), ("admin", true), ("admin", false)] {
            let mut altered = peer.ask(user, 1, &body.clone().with_validate_only(validate_only)).await;
            for entry in &mut altered.entries {
                entry.entity.sort_by_key(|it| it.entity_type.clone());
                words(&mut entry.error_message);
            }
            peer.note(&format!("AlterClientQuotas by {user}, {validate_only}: {what}"), &altered);
        }
        peer.settle().await;
        describe_quotas(peer, what, vec![], false).await;
    }
    let component = |kind: &str, match_type, name: Option<&str>| {
        ComponentData::default().with_entity_type(text(kind)).with_match_type(match_type).with_match(name.map(text))
    };
    let filters = [
        vec![component("user", 0, Some("carol"))],
        vec![component("user", 1, None)],
        vec![component("user", 2, None)],
        vec![component("user", 0, Some("carol")), component("client-id", 1, None)],
        vec![component("ip", 2, None)],
        vec![component("ip", 2, None), component("user", 2, None)],
        vec![component("user", 0, None)],
        vec![component("user", 1, Some("carol"))],
        vec![component("user", 2, Some("carol"))],
        vec![component("user", 3, None)],
        vec![component("", 0, Some("carol"))],
        vec![component("planet", 0, Some("mars"))],
        vec![component("user", 2, None), component("user", 2, None)],
    ];
    for components in filters {
        for strict in [false, true] {
            describe_quotas(peer, "filtered", components.clone(), strict).await;
        }
    }
}

async fn describe_quotas(peer: &mut Peer, what: &str, components: Vec<ComponentData>, strict: bool) {
    let body = DescribeClientQuotasRequest::default().with_components(components.clone()).with_strict(strict);
    for user in ["alice", "admin"] {
        let mut described = peer.ask(user, 1, &body).await;
        for entry in described.entries.iter_mut().flatten() {
            entry.entity.sort_by_key(|it| it.entity_type.clone());
            entry.values.sort_by_key(|it| it.key.clone());
        }
        if let Some(entries) = &mut described.entries {
            entries.sort_by_key(|entry| format!("{:?}", entry.entity));
        }
        words(&mut described.error_message);
        peer.note(&format!("DescribeClientQuotas by {user}, {strict}: {what}, {components:?}"), &described);
    }
}

pub(crate) async fn tokens(peer: &mut Peer) {
    for user in ["alice", "admin"] {
        for owner in [None, Some("bob")] {
            for version in [1, 3] {
                let mut body = CreateDelegationTokenRequest::default().with_max_lifetime_ms(1000);
                if version >= 3 {
                    body =
                        body.with_owner_principal_type(Some(text("User"))).with_owner_principal_name(owner.map(text));
                }
                let made = peer.ask(user, version, &body).await;
                peer.note(&format!("CreateDelegationToken v{version} by {user} for {owner:?}"), &made);
            }
        }
        let body = RenewDelegationTokenRequest::default().with_hmac(Bytes::from_static(b"token"));
        let answer = peer.ask(user, 2, &body).await;
        peer.note("RenewDelegationToken", &answer);
        let body = ExpireDelegationTokenRequest::default().with_hmac(Bytes::from_static(b"token"));
        let answer = peer.ask(user, 2, &body).await;
        peer.note("ExpireDelegationToken", &answer);
        let answer = peer.ask(user, 3, &DescribeDelegationTokenRequest::default().with_owners(None)).await;
        peer.note("DescribeDelegationToken", &answer);
    }
}
