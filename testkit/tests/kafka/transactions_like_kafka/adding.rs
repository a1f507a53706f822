//! Partitions of a transaction.

use tidemill_protocol::messages::AddPartitionsToTxnRequest;

use super::peer::compare;
use super::requests::{NOBODY, add, describe, transaction};

#[test]
fn partitions_are_added_once_and_by_the_right_producer() {
    compare(|peer| {
        peer.prepare_transactions(&["add-1"]);
        peer.make("add-1", 3);
        let (id, epoch) = peer.init("add-1");
        for version in 0..=3 {
            peer.ask("me", version, &add("add-1", (id, epoch), &[("add-1", 0)]));
            peer.ask("me", version, &add("add-1", (id, epoch), &[("add-1", 1), ("add-1", 2)]));
            peer.ask("me", version, &add("add-1", (id, epoch + 1), &[("add-1", 0)]));
            peer.ask("me", version, &add("add-1", (id + 50_000, epoch), &[("add-1", 0)]));
            peer.ask("me", version, &add("never-added", (id, epoch), &[("add-1", 0)]));
            peer.ask("me", version, &add("", (id, epoch), &[("add-1", 0)]));
            peer.ask("me", version, &add("add-1", NOBODY, &[("add-1", 0)]));
            peer.ask("me", version, &add("add-1", (id, epoch), &[]));
        }
        peer.ask("me", 0, &describe(&["add-1"]));
    });
}

#[test]
fn one_partition_that_is_not_there_fails_all() {
    compare(|peer| {
        peer.prepare_transactions(&["add-2"]);
        peer.make("add-2", 1);
        let producer = peer.init("add-2");
        for version in [0, 3] {
            peer.ask("me", version, &add("add-2", producer, &[("add-2", 0), ("nowhere", 0)]));
            peer.ask("me", version, &add("add-2", producer, &[("add-2", 0), ("also-nowhere", 7)]));
            peer.ask("me", version, &add("", producer, &[("nowhere", 0)]));
        }
        peer.ask("me", 0, &describe(&["add-2"]));
    });
}

#[test]
fn brokers_verify_several_transactions_at_once() {
    compare(|peer| {
        peer.prepare_transactions(&["add-3", "add-4"]);
        peer.make("add-3", 2);
        let (first, second) = (peer.init("add-3"), peer.init("add-4"));
        let ask = |transactions| AddPartitionsToTxnRequest::default().with_transactions(transactions);
        for version in [4, 5] {
            let both = vec![
                transaction("add-3", first, false, &[("add-3", 0)]),
                transaction("add-4", second, true, &[("add-3", 0)]),
            ];
            peer.ask("me", version, &ask(both));
            peer.ask("me", version, &ask(vec![transaction("add-3", first, true, &[("add-3", 0)])]));
            peer.ask("me", version, &ask(vec![transaction("add-3", first, true, &[("add-3", 1)])]));
            peer.ask("me", version, &ask(vec![transaction("add-3", (first.0, 9), true, &[("add-3", 0)])]));
            peer.ask("me", version, &ask(vec![transaction("add-3", (99_999, 0), true, &[("add-3", 0)])]));
            peer.ask("me", version, &ask(vec![transaction("unheard-of", first, true, &[("add-3", 0)])]));
            peer.ask("me", version, &ask(vec![transaction("", first, true, &[("add-3", 0)])]));
            peer.ask("me", version, &ask(vec![transaction("add-3", first, true, &[("nowhere", 0)])]));
        }
        peer.ask("me", 0, &describe(&["add-3", "add-4"]));
    });
}
