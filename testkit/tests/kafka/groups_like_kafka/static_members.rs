//! Static members (KIP-345): who comes back under its name has its place.

use tidemill_protocol::messages::{JoinGroupRequest, SyncGroupRequest};

use super::peer::{Peer, compare, describe, heartbeat, join, leave, plan, sync, text};

fn join_as(group: &str, instance: &str, id: &str, says: &'static [u8]) -> JoinGroupRequest {
    join(group, id, &["range"], says).with_group_instance_id(Some(text(instance)))
}

fn two_static_members(peer: &mut Peer, group: &str) -> (String, String) {
    let first = peer.ask("first", 9, &join_as(group, "one", "", b"first")).member_id.to_string();
    peer.ask("first", 5, &plan(group, 1, &first, &[(&first, b"all")]));
    peer.send_and_wait("second", 9, &join_as(group, "two", "", b"second"));
    peer.ask("first", 9, &join_as(group, "one", &first, b"first"));
    let second = peer.receive::<JoinGroupRequest>("second").member_id.to_string();
    peer.ask("first", 5, &plan(group, 2, &first, &[(&first, b"one half"), (&second, b"the other")]));
    peer.ask("second", 5, &sync(group, 2, &second));
    (first, second)
}

#[test]
fn a_follower_restarts_without_a_rebalance() {
    compare(|peer| {
        peer.prepare("static-follower");
        let (first, second) = two_static_members(peer, "static-follower");
        let mut old = second;
        for version in [5, 8, 9] {
            let new = peer.ask("again", version, &join_as("static-follower", "two", "", b"second")).member_id;
            peer.ask("again", 5, &sync("static-follower", 2, &new));
            peer.ask("again", 4, &heartbeat("static-follower", 2, &new).with_group_instance_id(Some(text("two"))));
            peer.ask("second", 4, &heartbeat("static-follower", 2, &old).with_group_instance_id(Some(text("two"))));
            peer.ask("second", 4, &heartbeat("static-follower", 2, &old));
            peer.ask("second", 5, &sync("static-follower", 2, &old).with_group_instance_id(Some(text("two"))));
            peer.ask("second", 9, &join_as("static-follower", "two", &old, b"second"));
            peer.ask("second", 5, &leave("static-follower", &[(&old, Some("two"))]));
            peer.ask("first", 4, &heartbeat("static-follower", 2, &first));
            old = new.to_string();
        }
        peer.ask("first", 6, &describe("static-follower"));
    });
}

#[test]
fn a_leader_restarts_without_a_rebalance() {
    compare(|peer| {
        peer.prepare("static-leader");
        let (_, second) = two_static_members(peer, "static-leader");
        for version in [5, 8, 9] {
            let new = peer.ask("again", version, &join_as("static-leader", "one", "", b"first")).member_id;
            peer.ask("again", 5, &sync("static-leader", 2, &new));
            peer.ask("second", 4, &heartbeat("static-leader", 2, &second));
        }
        peer.ask("second", 6, &describe("static-leader"));
    });
}

#[test]
fn a_restart_with_another_subscription_keeps_the_plan_and_one_with_another_protocol_does_not() {
    compare(|peer| {
        peer.prepare("static-changed");
        let (first, _) = two_static_members(peer, "static-changed");
        let new = peer.ask("again", 9, &join_as("static-changed", "two", "", b"changed")).member_id;
        peer.ask("first", 4, &heartbeat("static-changed", 2, &first));
        peer.ask("again", 6, &describe("static-changed"));
        peer.ask("again", 9, &join("static-changed", "", &["sticky"], b"x").with_group_instance_id(Some(text("two"))));
        peer.ask("again", 4, &heartbeat("static-changed", 2, &new));
    });
}

#[test]
fn a_restart_between_join_and_sync_makes_everybody_join() {
    compare(|peer| {
        peer.prepare("static-between");
        let (first, second) = two_static_members(peer, "static-between");
        peer.send_and_wait("first", 9, &join_as("static-between", "one", &first, b"first"));
        peer.ask("second", 9, &join_as("static-between", "two", &second, b"second"));
        peer.receive::<JoinGroupRequest>("first");
        peer.send_and_wait("second", 5, &sync("static-between", 3, &second));
        peer.send_and_wait("again", 9, &join_as("static-between", "two", "", b"second"));
        peer.receive::<SyncGroupRequest>("second");
        peer.ask("first", 4, &heartbeat("static-between", 3, &first));
        peer.ask("first", 9, &join_as("static-between", "one", &first, b"first"));
        peer.receive::<JoinGroupRequest>("again");
    });
}

#[test]
fn a_restart_while_the_old_one_waits_to_join_fences_it() {
    compare(|peer| {
        peer.prepare("static-twice");
        let (first, second) = two_static_members(peer, "static-twice");
        peer.send_and_wait("second", 9, &join_as("static-twice", "two", &second, b"changed"));
        peer.send_and_wait("again", 9, &join_as("static-twice", "two", "", b"second"));
        peer.receive::<JoinGroupRequest>("second");
        peer.ask("first", 9, &join_as("static-twice", "one", &first, b"first"));
        peer.receive::<JoinGroupRequest>("again");
    });
}

#[test]
fn an_administrator_removes_a_static_member_by_its_name() {
    compare(|peer| {
        peer.prepare("static-removed");
        let (first, second) = two_static_members(peer, "static-removed");
        peer.ask("other", 5, &leave("static-removed", &[("", Some("two")), ("", Some("two")), ("", Some("three"))]));
        peer.ask("second", 4, &heartbeat("static-removed", 2, &second).with_group_instance_id(Some(text("two"))));
        peer.ask("second", 4, &heartbeat("static-removed", 2, &second));
        peer.ask("second", 9, &join_as("static-removed", "two", &second, b"second"));
        peer.ask("first", 9, &join_as("static-removed", "one", &first, b"first"));
        // Who is not a stranger to the group but to the name.
        peer.ask("first", 9, &join_as("static-removed", "three", &first, b"first"));
        peer.ask("first", 6, &describe("static-removed"));
    });
}

#[test]
fn an_id_that_was_given_to_a_dynamic_member_is_not_for_a_static_one() {
    compare(|peer| {
        peer.prepare("static-pending");
        let id = peer.ask("first", 9, &join("static-pending", "", &["range"], b"first")).member_id;
        peer.ask("first", 9, &join_as("static-pending", "one", &id, b"first"));
    });
}

#[test]
fn a_static_member_that_does_not_join_again_keeps_its_place() {
    compare(|peer| {
        peer.prepare("static-kept");
        let hasty =
            |instance: &str, id: &str| join_as("static-kept", instance, id, b"me").with_rebalance_timeout_ms(1_000);
        let first = peer.ask("first", 9, &hasty("one", "")).member_id;
        peer.ask("first", 5, &plan("static-kept", 1, &first, &[(&first, b"all")]));
        let second = peer.ask("second", 9, &hasty("two", "")).member_id;
        peer.ask("second", 5, &plan("static-kept", 2, &second, &[(&second, b"half"), (&first, b"kept")]));
        peer.ask("first", 4, &heartbeat("static-kept", 2, &first));
        peer.ask("first", 5, &sync("static-kept", 2, &first));
        peer.ask("first", 6, &describe("static-kept"));
    });
}
