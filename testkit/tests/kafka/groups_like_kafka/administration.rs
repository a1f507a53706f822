//! Groups as administrators see them.

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::{DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest};

use super::peer::{Peer, compare, describe, group_id, join, join_new, leave, text, two_members};

/// The list is of all groups of a broker that other cases use too: only those of this one are compared.
fn list(peer: &mut Peer, version: i16, states: &[&str], types: &[&str]) {
    let texts = |all: &[&str]| all.iter().map(|it| text(it)).collect::<Vec<StrBytes>>();
    let request = ListGroupsRequest::default().with_states_filter(texts(states)).with_types_filter(texts(types));
    peer.ask_of("me", version, &request, |response| {
        response.groups.retain(|group| group.group_id.starts_with("listed"));
    });
}

#[test]
fn groups_are_listed_by_state_and_type() {
    compare(|peer| {
        for group in ["listed-stable", "listed-empty", "listed-joining"] {
            peer.prepare(group);
        }
        two_members(peer, "listed-stable");
        let id = join_new(peer, "third", 9, &join("listed-empty", "", &["range"], b"me")).member_id;
        peer.ask("third", 5, &leave("listed-empty", &[(&id, None)]));
        join_new(peer, "fourth", 9, &join("listed-joining", "", &["range"], b"me"));
        for version in 0..=5 {
            list(peer, version, &[], &[]);
        }
        for states in [&["Stable"][..], &["stable", "EMPTY"], &["CompletingRebalance"], &["Dead"], &["nonsense"]] {
            list(peer, 4, states, &[]);
            list(peer, 5, states, &["classic"]);
        }
        for types in [&["Classic"][..], &["consumer"], &["CLASSIC", "share"]] {
            list(peer, 5, &[], types);
        }
    });
}

#[test]
fn groups_are_described() {
    compare(|peer| {
        peer.prepare("described");
        for version in 0..=6 {
            peer.ask("me", version, &describe("nobody-described"));
        }
        two_members(peer, "described");
        for version in 0..=6 {
            peer.ask("me", version, &describe("described"));
        }
        for version in 3..=6 {
            peer.ask("me", version, &describe("described").with_include_authorized_operations(true));
            peer.ask("me", version, &describe("nobody-described").with_include_authorized_operations(true));
        }
        peer.ask("me", 6, &DescribeGroupsRequest::default());
        peer.ask("me", 5, &describe(""));
    });
}

#[test]
fn groups_without_members_are_deleted() {
    compare(|peer| {
        for group in ["deleted", "deleted-not"] {
            peer.prepare(group);
        }
        let (first, second) = two_members(peer, "deleted");
        join_new(peer, "third", 9, &join("deleted-not", "", &["range"], b"me"));
        for version in 0..=2 {
            let groups = ["deleted", "deleted-not", "nobody-deleted"].map(group_id).to_vec();
            peer.ask("me", version, &DeleteGroupsRequest::default().with_groups_names(groups));
        }
        peer.ask("first", 5, &leave("deleted", &[(&first, None), (&second, None)]));
        for version in 0..=2 {
            let groups = ["deleted"].map(group_id).to_vec();
            peer.ask("me", version, &DeleteGroupsRequest::default().with_groups_names(groups));
        }
        peer.ask("me", 6, &describe("deleted"));
        // It begins anew.
        join_new(peer, "first", 9, &join("deleted", "", &["range"], b"me"));
        peer.ask("me", 2, &DeleteGroupsRequest::default());
    });
}
