//! Members that are not heard of. Kafka allows no session of less than 6 s, so these take as long.

use std::thread;
use std::time::Duration;

use tidemill_protocol::messages::JoinGroupRequest;

use super::peer::{compare, describe, heartbeat, join, join_new, plan, sync, text};

/// Longer than the shortest session.
const SESSION: Duration = Duration::from_millis(6_800);

#[test]
fn a_member_that_is_not_heard_of_is_removed() {
    compare(|peer| {
        peer.prepare("silent");
        let short = |id: &str, says| join("silent", id, &["range"], says).with_session_timeout_ms(6_000);
        let first = join_new(peer, "first", 9, &short("", b"first")).member_id;
        peer.ask("first", 5, &plan("silent", 1, &first, &[(&first, b"all")]));
        // This one is given an id and never heard of again; the static one has joined, but will not sync.
        let pending = peer.ask("second", 9, &short("", b"second")).member_id;
        peer.prepare("silent-static");
        let static_member = join("silent-static", "", &["range"], b"me").with_session_timeout_ms(6_000);
        let static_member = static_member.with_group_instance_id(Some(text("one")));
        peer.ask("static", 9, &static_member);
        thread::sleep(SESSION);
        peer.ask("other", 6, &describe("silent"));
        peer.ask("first", 4, &heartbeat("silent", 1, &first));
        peer.ask("first", 9, &short(&first, b"first"));
        peer.ask("second", 9, &short(&pending, b"second"));
        peer.ask("other", 6, &describe("silent-static"));
    });
}

#[test]
fn a_request_that_waits_shows_that_its_member_lives() {
    compare(|peer| {
        peer.prepare("waits");
        let first = join_new(peer, "first", 9, &join("waits", "", &["range"], b"first")).member_id;
        peer.ask("first", 5, &plan("waits", 1, &first, &[(&first, b"all")]));
        let short = |id: &str| join("waits", id, &["range"], b"second").with_session_timeout_ms(6_000);
        let second = peer.ask("second", 9, &short("")).member_id;
        peer.send_and_wait("second", 9, &short(&second));
        thread::sleep(SESSION);
        peer.ask("first", 9, &join("waits", &first, &["range"], b"first"));
        peer.receive::<JoinGroupRequest>("second");
        peer.send_and_wait("second", 5, &sync("waits", 2, &second));
        thread::sleep(SESSION);
        peer.ask("first", 5, &plan("waits", 2, &first, &[(&second, b"all")]));
        peer.receive::<tidemill_protocol::messages::SyncGroupRequest>("second");
        peer.ask("second", 4, &heartbeat("waits", 2, &second));
    });
}

#[test]
fn a_member_that_does_not_sync_in_time_is_removed() {
    compare(|peer| {
        peer.prepare("no-sync");
        let hasty = |id: &str, says| join("no-sync", id, &["range"], says).with_rebalance_timeout_ms(1_000);
        let first = join_new(peer, "first", 9, &hasty("", b"first")).member_id;
        let second = peer.ask("second", 9, &hasty("", b"second")).member_id;
        peer.send_and_wait("second", 9, &hasty(&second, b"second"));
        peer.ask("first", 9, &hasty(&first, b"first"));
        peer.receive::<JoinGroupRequest>("second");
        peer.ask("first", 5, &plan("no-sync", 2, &first, &[(&first, b"half"), (&second, b"half")]));
        thread::sleep(Duration::from_millis(1_400));
        peer.ask("second", 4, &heartbeat("no-sync", 2, &second));
        peer.ask("first", 4, &heartbeat("no-sync", 2, &first));
        peer.ask("other", 6, &describe("no-sync"));
    });
}
