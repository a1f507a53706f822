//! Members that join, sync, say that they live, and leave.

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::{JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest};

use crate::peer::{compare, describe, group_id, heartbeat, join, join_new, leave, plan, sync, text, two_members};

#[test]
fn a_member_lives_and_leaves_in_every_version() {
    compare(|peer| {
        for version in 0..=9 {
            let group = &format!("life-{version}");
            peer.prepare(group);
            let joined = join_new(peer, "only", version, &join(group, "", &["range", "sticky"], b"me"));
            let id = joined.member_id.as_str();
            peer.ask("only", version.min(6), &describe(group));
            peer.ask("only", version.min(5), &plan(group, 1, id, &[(id, b"all")]));
            peer.ask("only", version.min(6), &describe(group));
            peer.ask("only", version.min(4), &heartbeat(group, 1, id));
            let leaving = match version {
                0..=2 => LeaveGroupRequest::default().with_group_id(group_id(group)).with_member_id(text(id)),
                _ => leave(group, &[(id, None)]),
            };
            peer.ask("only", version.min(5), &leaving);
            peer.ask("only", version.min(6), &describe(group));
            peer.ask("only", version.min(4), &heartbeat(group, 1, id));
            peer.ask("only", version.min(5), &leaving);
        }
    });
}

#[test]
fn two_members_join_and_share() {
    compare(|peer| {
        peer.prepare("share");
        let (first, second) = two_members(peer, "share");
        peer.ask("first", 4, &heartbeat("share", 2, &first));
        peer.ask("second", 4, &heartbeat("share", 2, &second));
        peer.ask("first", 6, &describe("share"));
        // Who asks again gets its share again.
        peer.ask("second", 5, &sync("share", 2, &second));
        peer.ask("first", 5, &sync("share", 2, &first));
    });
}

#[test]
fn what_a_join_may_not_say() {
    compare(|peer| {
        peer.prepare("refused");
        let good = join("refused", "", &["range"], b"me");
        peer.ask("other", 9, &join("", "", &["range"], b"me"));
        peer.ask("other", 5, &join("", "somebody", &["range"], b"me"));
        for timeout in [0, 5_999, 1_800_001, -1, i32::MAX] {
            peer.ask("other", 7, &good.clone().with_session_timeout_ms(timeout));
        }
        for version in [3, 9] {
            // Without a group, then with an empty one, then with a member in it.
            peer.ask("other", version, &join("refused", "nobody", &["range"], b"me"));
            peer.ask("other", version, &join("refused", "", &[], b"me"));
            peer.ask("other", version, &good.clone().with_protocol_type(StrBytes::new()));
            peer.ask("other", version, &join("refused", "nobody", &["range"], b"me"));
        }
        let id = join_new(peer, "me", 9, &good).member_id;
        for version in [0, 6, 9] {
            peer.ask("other", version, &join("refused", "nobody", &["range"], b"me"));
            peer.ask("other", version, &join("refused", "", &["sticky"], b"me"));
            peer.ask("other", version, &join("refused", "", &[], b"me"));
            peer.ask("other", version, &good.clone().with_protocol_type(text("connect")));
            peer.ask("other", version, &join("refused", &id, &["sticky"], b"me"));
        }
        peer.ask("me", 6, &describe("refused"));
    });
}

#[test]
fn what_a_sync_and_a_heartbeat_may_not_say() {
    compare(|peer| {
        peer.prepare("picky");
        peer.ask("other", 5, &sync("picky", 1, "nobody"));
        peer.ask("other", 4, &heartbeat("picky", 1, "nobody"));
        peer.ask("other", 5, &sync("", 1, "nobody"));
        peer.ask("other", 4, &heartbeat("", 1, "nobody"));
        peer.ask("other", 5, &leave("", &[("nobody", None)]));
        let id = join_new(peer, "me", 9, &join("picky", "", &["range"], b"me")).member_id;
        for stable in [false, true] {
            for version in [0, 4, 5] {
                peer.ask("other", version, &sync("picky", 1, "nobody"));
                peer.ask("other", version, &sync("picky", 0, &id));
                peer.ask("other", version, &sync("picky", 2, &id));
                peer.ask("other", version.min(4), &heartbeat("picky", 1, "nobody"));
                peer.ask("other", version.min(4), &heartbeat("picky", 0, &id));
                peer.ask("other", version.min(4), &heartbeat("picky", -1, &id));
            }
            peer.ask("other", 5, &sync("picky", 1, &id).with_protocol_name(Some(text("sticky"))));
            peer.ask("other", 5, &sync("picky", 1, &id).with_protocol_type(Some(text("connect"))));
            peer.ask("other", 5, &sync("picky", 1, &id).with_protocol_type(None));
            peer.ask("other", 5, &sync("picky", 1, &id).with_protocol_name(None));
            peer.ask("other", 5, &sync("picky", 1, &id).with_group_instance_id(Some(text("one"))));
            peer.ask("other", 4, &heartbeat("picky", 1, &id).with_group_instance_id(Some(text("one"))));
            if !stable {
                peer.ask("me", 5, &plan("picky", 1, &id, &[("nobody", b"lost"), (&id, b"twice"), (&id, b"all")]));
            }
        }
        peer.ask("me", 4, &heartbeat("picky", 1, &id));
    });
}

#[test]
fn a_follower_that_says_nothing_new_is_answered_at_once() {
    compare(|peer| {
        peer.prepare("nothing-new");
        let (first, second) = two_members(peer, "nothing-new");
        for version in [4, 9] {
            peer.ask("second", version, &join("nothing-new", &second, &["range"], b"second"));
        }
        peer.ask("second", 4, &heartbeat("nothing-new", 2, &second));
        // The leader is not: it wants a new plan.
        peer.send_and_wait("first", 9, &join("nothing-new", &first, &["range"], b"first"));
        peer.ask("second", 4, &heartbeat("nothing-new", 2, &second));
        peer.ask("second", 5, &sync("nothing-new", 2, &second));
        peer.ask("setup", 6, &describe("nothing-new"));
        peer.ask("second", 9, &join("nothing-new", &second, &["range"], b"second"));
        peer.receive::<JoinGroupRequest>("first");
        peer.ask("setup", 6, &describe("nothing-new"));
    });
}

#[test]
fn a_follower_that_says_something_new_makes_everybody_join() {
    compare(|peer| {
        peer.prepare("new");
        let (first, second) = two_members(peer, "new");
        peer.send_and_wait("second", 9, &join("new", &second, &["range"], b"second, changed"));
        peer.ask("first", 4, &heartbeat("new", 2, &first));
        peer.ask("first", 9, &join("new", &first, &["range"], b"first"));
        peer.receive::<JoinGroupRequest>("second");
    });
}

#[test]
fn an_answer_to_a_join_that_was_lost_is_given_again() {
    compare(|peer| {
        peer.prepare("lost");
        let (first, second) = two_members(peer, "lost");
        peer.send_and_wait("first", 9, &join("lost", &first, &["range"], b"first"));
        peer.ask("second", 9, &join("lost", &second, &["range"], b"second"));
        peer.receive::<JoinGroupRequest>("first");
        // Nobody has synced.
        for version in [5, 9] {
            peer.ask("first", version, &join("lost", &first, &["range"], b"first"));
            peer.ask("second", version, &join("lost", &second, &["range"], b"second"));
        }
        // Something new instead, while the other waits for the plan.
        peer.send_and_wait("second", 5, &sync("lost", 3, &second));
        peer.send_and_wait("first", 9, &join("lost", &first, &["range"], b"first, changed"));
        peer.receive::<SyncGroupRequest>("second");
        peer.ask("second", 9, &join("lost", &second, &["range"], b"second"));
        peer.receive::<JoinGroupRequest>("first");
    });
}

#[test]
fn the_lead_passes_on_when_the_leader_leaves() {
    compare(|peer| {
        peer.prepare("lead");
        let (first, second) = two_members(peer, "lead");
        peer.ask("first", 5, &leave("lead", &[(&first, None)]));
        peer.ask("first", 4, &heartbeat("lead", 2, &first));
        peer.ask("second", 4, &heartbeat("lead", 2, &second));
        peer.ask("second", 9, &join("lead", &second, &["range"], b"second"));
        peer.ask("second", 5, &plan("lead", 3, &second, &[(&second, b"all")]));
        peer.ask("second", 6, &describe("lead"));
    });
}

#[test]
fn a_leader_that_does_not_come_back_in_time_has_left() {
    compare(|peer| {
        peer.prepare("late");
        let hasty = |id: &str, says| join("late", id, &["range"], says).with_rebalance_timeout_ms(1_000);
        let first = join_new(peer, "first", 9, &hasty("", b"first")).member_id;
        peer.ask("first", 5, &plan("late", 1, &first, &[(&first, b"all")]));
        join_new(peer, "second", 9, &hasty("", b"second"));
        peer.ask("first", 4, &heartbeat("late", 1, &first));
        peer.ask("first", 9, &hasty(&first, b"first"));
        peer.ask("second", 6, &describe("late"));
    });
}

#[test]
fn a_protocol_is_chosen_by_votes_among_those_that_all_speak() {
    compare(|peer| {
        peer.prepare("votes");
        let first = join_new(peer, "first", 9, &join("votes", "", &["lone", "range", "sticky"], b"1")).member_id;
        let ids: Vec<StrBytes> = ["second", "third"]
            .into_iter()
            .map(|who| peer.ask(who, 9, &join("votes", "", &["sticky", "range"], b"2")).member_id)
            .collect();
        peer.send_and_wait("second", 9, &join("votes", &ids[0], &["sticky", "range"], b"2"));
        peer.send_and_wait("third", 9, &join("votes", &ids[1], &["sticky", "range"], b"3"));
        peer.ask("first", 9, &join("votes", &first, &["lone", "range", "sticky"], b"1"));
        peer.receive::<JoinGroupRequest>("second");
        peer.receive::<JoinGroupRequest>("third");
    });
}

#[test]
fn who_leaves_is_answered_one_by_one() {
    compare(|peer| {
        peer.prepare("leave");
        peer.ask("other", 5, &leave("leave", &[("nobody", None), ("", Some("one"))]));
        peer.ask("other", 0, &LeaveGroupRequest::default().with_group_id(group_id("leave")));
        let (first, second) = two_members(peer, "leave");
        let pending = peer.ask("third", 9, &join("leave", "", &["range"], b"third")).member_id;
        for version in [3, 4, 5] {
            peer.ask("other", version, &leave("leave", &[("nobody", None), ("", None), ("", Some("one"))]));
            peer.ask("other", version, &leave("leave", &[(&first, Some("one"))]));
            peer.ask("other", version, &leave("leave", &[]));
        }
        peer.ask("other", 2, &LeaveGroupRequest::default().with_group_id(group_id("leave")).with_member_id(text("x")));
        peer.ask("first", 4, &heartbeat("leave", 2, &first));
        peer.ask("other", 5, &leave("leave", &[(&pending, None)]));
        peer.ask("other", 9, &join("leave", &pending, &["range"], b"third"));
        peer.ask("other", 6, &describe("leave"));
        peer.ask("other", 5, &leave("leave", &[(&first, None), (&second, None), (&second, None)]));
        peer.ask("other", 6, &describe("leave"));
    });
}

#[test]
fn who_is_expected_holds_up_no_group_that_nobody_is_in() {
    compare(|peer| {
        peer.prepare("alone");
        let expected = peer.ask("first", 9, &join("alone", "", &["range"], b"first")).member_id;
        let request = join("alone", "", &["range"], b"second").with_group_instance_id(Some(text("two")));
        let second = peer.ask("second", 9, &request).member_id;
        peer.ask("other", 1, &LeaveGroupRequest::default().with_group_id(group_id("alone")).with_member_id(second));
        std::thread::sleep(std::time::Duration::from_millis(100));
        peer.ask("other", 6, &describe("alone"));
        peer.ask("first", 9, &join("alone", &expected, &["range"], b"first"));
    });
}

#[test]
fn who_is_expected_holds_up_a_rebalance_until_it_leaves() {
    compare(|peer| {
        peer.prepare("expected");
        let (first, second) = two_members(peer, "expected");
        let third = peer.ask("third", 9, &join("expected", "", &["range"], b"third")).member_id;
        peer.send_and_wait("first", 9, &join("expected", &first, &["range"], b"first"));
        peer.send_and_wait("second", 9, &join("expected", &second, &["range"], b"second"));
        peer.ask("other", 6, &describe("expected"));
        peer.ask("other", 5, &leave("expected", &[(&third, None)]));
        peer.receive::<JoinGroupRequest>("first");
        peer.receive::<JoinGroupRequest>("second");
    });
}

#[test]
fn who_is_sent_away_while_it_waits_is_told_so() {
    compare(|peer| {
        peer.prepare("away");
        let (first, second) = two_members(peer, "away");
        peer.send_and_wait("second", 9, &join("away", &second, &["range"], b"second, changed"));
        peer.ask("other", 5, &leave("away", &[(&second, None)]));
        peer.receive::<JoinGroupRequest>("second");
        peer.ask("first", 9, &join("away", &first, &["range"], b"first"));
    });
}

#[test]
fn who_asks_twice_is_answered_once() {
    compare(|peer| {
        peer.prepare("twice");
        let (first, second) = two_members(peer, "twice");
        peer.send_and_wait("second", 9, &join("twice", &second, &["range"], b"second, changed"));
        peer.send_and_wait("second again", 9, &join("twice", &second, &["range"], b"second, changed"));
        peer.ask("first", 9, &join("twice", &first, &["range"], b"first"));
        peer.receive::<JoinGroupRequest>("second again");
        peer.receive_or_wait::<JoinGroupRequest>("second");
        peer.send_and_wait("third", 5, &sync("twice", 3, &second));
        peer.send_and_wait("third again", 5, &sync("twice", 3, &second));
        peer.ask("first", 5, &plan("twice", 3, &first, &[(&second, b"all")]));
        peer.receive::<SyncGroupRequest>("third again");
        peer.receive_or_wait::<SyncGroupRequest>("third");
    });
}

#[test]
fn who_is_sent_away_while_it_waits_for_the_plan() {
    compare(|peer| {
        peer.prepare("away-sync");
        let (first, second) = two_members(peer, "away-sync");
        peer.send_and_wait("first", 9, &join("away-sync", &first, &["range"], b"first"));
        peer.ask("second", 9, &join("away-sync", &second, &["range"], b"second"));
        peer.receive::<JoinGroupRequest>("first");
        peer.send_and_wait("second", 5, &sync("away-sync", 3, &second));
        peer.ask("other", 5, &leave("away-sync", &[(&second, None)]));
        peer.receive_or_wait::<SyncGroupRequest>("second");
        peer.ask("first", 4, &heartbeat("away-sync", 3, &first));
    });
}

#[test]
fn a_join_without_a_time_to_rebalance_has_that_of_its_session() {
    compare(|peer| {
        peer.prepare("oldest");
        let oldest = |id: &str, says| join("oldest", id, &["range"], says).with_rebalance_timeout_ms(-1);
        let first = peer.ask("first", 0, &oldest("", b"first")).member_id;
        peer.ask("first", 0, &plan("oldest", 1, &first, &[(&first, b"all")]));
        peer.send_and_wait("second", 0, &oldest("", b"second"));
        peer.ask("other", 6, &describe("oldest"));
        peer.ask("first", 0, &heartbeat("oldest", 1, &first));
        peer.ask("first", 0, &oldest(&first, b"first"));
        peer.receive::<JoinGroupRequest>("second");
    });
}
