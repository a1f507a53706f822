//! What administrators have set is there again when the process has ended, as far as it was acknowledged.

use std::fs;
use std::path::Path;

use tempfile::tempdir;
use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use tidemill_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use tidemill_protocol::messages::create_acls_request::AclCreation;
use tidemill_protocol::messages::delete_acls_request::DeleteAclsFilter;
use tidemill_protocol::messages::*;

use super::world::*;
use crate::broker::config::{Authorizer, SaslProperties, User};
use crate::broker::credentials::ScramHash;
use crate::broker::*;

const PLANTED: &str = "hunter2hunter2";

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A world in a directory, where everyone may do everything and there may be rules all the same.
fn world(directory: &Path) -> World {
    let super_users = vec!["User:ANONYMOUS".to_owned()];
    let authorizer = Some(Authorizer { super_users, ..Authorizer::default() });
    World::start(ClusterProperties { authorizer, ..ClusterProperties::default() }, Some(directory)).unwrap()
}

/// A world in a directory that is started with alice, by a password.
fn world_of_alice(directory: &Path) -> World {
    let users = vec![User::new("alice", PLANTED)];
    let sasl = Some(SaslProperties { users, ..SaslProperties::default() });
    World::start(ClusterProperties { sasl, ..ClusterProperties::default() }, Some(directory)).unwrap()
}

fn allow_reading(world: &mut World, topic: &str) {
    let creation = AclCreation::default()
        .with_resource_type(2)
        .with_resource_name(text(topic))
        .with_resource_pattern_type(3)
        .with_principal(text("User:\"o'brien\"/1"))
        .with_host(text("*"))
        .with_operation(3)
        .with_permission_type(3);
    let response = world.ask(3, &CreateAclsRequest::default().with_creations(vec![creation]));
    assert_eq!(response.results[0].error_code, 0, "{response:?}");
}

fn forbid_reading(world: &mut World, topic: &str) {
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(2)
        .with_resource_name_filter(Some(text(topic)))
        .with_pattern_type_filter(3)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1);
    let response = world.ask(3, &DeleteAclsRequest::default().with_filters(vec![filter]));
    assert_eq!(response.filter_results[0].matching_acls.len(), 1);
}

fn set_rate(world: &mut World, user: Option<&str>, rate: Option<f64>) {
    let entity = EntityData::default().with_entity_type(text("user")).with_entity_name(user.map(text));
    let op = OpData::default()
        .with_key(text("request_percentage"))
        .with_value(rate.unwrap_or_default())
        .with_remove(rate.is_none());
    let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![op]);
    let response = world.ask(1, &AlterClientQuotasRequest::default().with_entries(vec![entry]));
    assert_eq!(response.entries[0].error_code, 0, "{response:?}");
}

fn set_password(world: &mut World, user: &str, iterations: Option<i32>) {
    let mut body = AlterUserScramCredentialsRequest::default();
    match iterations {
        Some(iterations) => body.upsertions.push(
            ScramCredentialUpsertion::default()
                .with_name(text(user))
                .with_mechanism(1)
                .with_iterations(iterations)
                .with_salt("salt".into())
                .with_salted_password(PLANTED.into()),
        ),
        None => body.deletions.push(ScramCredentialDeletion::default().with_name(text(user)).with_mechanism(1)),
    }
    let response = world.ask(0, &body);
    assert_eq!(response.results[0].error_code, 0, "{response:?}");
}

/// All that is set, as it is shown.
fn shown(world: &World) -> String {
    let users = world.cluster.credentials.all_scram();
    let users: Vec<_> =
        users.map(|(user, hash, known)| format!("{user} {hash:?} {:?} {}", known.salt, known.iterations)).collect();
    format!("{:?} {users:?} {:?}", world.cluster.acls, world.cluster.quotas.iter().collect::<Vec<_>>())
}

#[test]
fn rules_users_and_quotas_are_there_again() {
    let directory = tempdir().unwrap();
    let mut it = world(directory.path());
    allow_reading(&mut it, "clicks");
    allow_reading(&mut it, "orders");
    set_rate(&mut it, Some("o/brien"), Some(0.1));
    set_rate(&mut it, None, Some(f64::INFINITY));
    set_rate(&mut it, Some("gone"), Some(5.0));
    set_password(&mut it, "o/brien", Some(4096));
    set_password(&mut it, "gone", Some(4096));
    forbid_reading(&mut it, "orders");
    set_rate(&mut it, Some("gone"), None);
    set_password(&mut it, "gone", None);
    let before = shown(&it);
    for _ in 0..2 {
        drop(it);
        it = world(directory.path());
        assert_eq!(shown(&it), before);
    }
    assert!(before.contains("clicks") && before.contains("inf") && before.contains("o/brien Sha256"), "{before}");
    assert!(!before.contains("orders") && !before.contains("gone"), "{before}");
    let journal = fs::read(directory.path().join("cluster.journal")).unwrap();
    assert!(!String::from_utf8_lossy(&journal).contains("gone"), "what is gone takes no room");
}

#[test]
fn a_setting_that_was_cut_off_is_as_it_was_before() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("cluster.journal");
    let mut it = world(directory.path());
    let mut states = vec![(fs::read(&path).unwrap().len(), shown(&it))];
    let steps: [fn(&mut World); 6] = [
        |world| allow_reading(world, "clicks"),
        |world| set_rate(world, Some("bob"), Some(7.5)),
        |world| set_password(world, "bob", Some(4096)),
        |world| set_password(world, "bob", Some(8192)),
        |world| forbid_reading(world, "clicks"),
        |world| set_rate(world, Some("bob"), None),
    ];
    for step in steps {
        step(&mut it);
        states.push((fs::read(&path).unwrap().len(), shown(&it)));
    }
    drop(it);
    let whole = fs::read(&path).unwrap();
    for cut in states[0].0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let it = world(directory.path());
        let (_, state) = states.iter().rev().find(|(end, _)| *end <= cut).unwrap();
        assert_eq!(shown(&it), *state, "cut at {cut}");
    }
}

#[test]
fn what_was_altered_counts_before_what_the_cluster_is_started_with() {
    let directory = tempdir().unwrap();
    let mut it = world_of_alice(directory.path());
    let configured = it.cluster.credentials.scram("alice", ScramHash::Sha512).unwrap().salt.clone();
    let other = it.cluster.credentials.scram("alice", ScramHash::Sha512).cloned();
    it.cluster.credentials.apply_scram("alice", ScramHash::Sha256, None);
    it.cluster.credentials.apply_scram("bob", ScramHash::Sha512, other);
    it.poll();
    drop(it);
    let mut it = world_of_alice(directory.path());
    let known = |it: &World, user: &str, hash| it.cluster.credentials.scram(user, hash).map(|it| it.salt.clone());
    assert_eq!(known(&it, "alice", ScramHash::Sha256), None, "she was removed");
    assert!(known(&it, "alice", ScramHash::Sha512).is_some());
    assert_eq!(known(&it, "bob", ScramHash::Sha512), Some(configured));
    assert_eq!(it.cluster.credentials.all_scram().map(|(user, ..)| user).collect::<Vec<_>>(), ["alice", "bob"]);
    let bob = it.cluster.credentials.scram("bob", ScramHash::Sha512).cloned();
    it.cluster.credentials.apply_scram("alice", ScramHash::Sha256, bob);
    it.poll();
    drop(it);
    let it = world_of_alice(directory.path());
    assert!(known(&it, "alice", ScramHash::Sha256).is_some());
}

#[test]
fn no_password_is_written_and_no_key_is_shown() {
    let directory = tempdir().unwrap();
    let mut it = world_of_alice(directory.path());
    let alice = it.cluster.credentials.scram("alice", ScramHash::Sha256).cloned().unwrap();
    let key = alice.keep()["server_key"].as_str().unwrap().to_owned();
    it.cluster.credentials.apply_scram("bob", ScramHash::Sha256, Some(alice));
    it.poll();
    set_password(&mut world(&directory.path().join("other")), "bob", Some(4096));
    let shown = format!("{:?} {:?}", it.cluster, it.directory);
    assert!(!shown.contains(PLANTED) && !shown.contains(&key));
    for path in ["cluster.journal", "other/cluster.journal"] {
        let journal = String::from_utf8_lossy(&fs::read(directory.path().join(path)).unwrap()).into_owned();
        assert!(journal.contains("scram/1/bob") && !journal.contains(PLANTED) && !journal.contains("scram/1/alice"));
    }
}
