//! Who takes a transactional id: producer ids, epochs and fencing.

use tidemill_protocol::messages::{InitProducerIdRequest, ProducerId};

use super::peer::compare;
use super::requests::{NOBODY, add, describe, end, init, write};

#[test]
fn each_who_takes_a_transactional_id_gets_the_next_epoch() {
    compare(|peer| {
        peer.prepare_transactions(&["init-1"]);
        for version in 0..=5 {
            peer.ask("me", version, &init("init-1", NOBODY));
        }
        peer.ask("me", 0, &describe(&["init-1"]));
    });
}

#[test]
fn what_is_wrong_with_asking_for_a_producer_id() {
    compare(|peer| {
        peer.prepare_transactions(&["init-2"]);
        peer.ask("me", 5, &init("", NOBODY));
        for timeout in [-1, 0, 900_000, 900_001, i32::MAX] {
            peer.ask("me", 5, &init("init-2", NOBODY).with_transaction_timeout_ms(timeout));
        }
        peer.ask("me", 5, &init("init-2", (7, -1)));
        peer.ask("me", 5, &init("init-2", (-1, 7)));
        peer.ask(
            "me",
            5,
            &InitProducerIdRequest::default().with_transactional_id(None).with_producer_id(ProducerId(7)),
        );
        peer.ask("me", 5, &init("", NOBODY).with_transaction_timeout_ms(0));
        peer.ask("me", 0, &describe(&["init-2", "", "never-seen"]));
    });
}

/// KIP-360.
#[test]
fn a_producer_that_goes_on_gets_the_next_epoch_and_others_are_fenced() {
    compare(|peer| {
        peer.prepare_transactions(&["init-3", "init-4"]);
        let (id, epoch) = peer.init("init-3");
        // Again, for an answer that was lost.
        for version in [3, 4, 5, 5] {
            peer.ask("me", version, &init("init-3", (id, epoch)));
        }
        for (version, epoch) in [(3, epoch + 1), (3, epoch), (4, epoch), (4, epoch + 9), (4, epoch + 1), (4, epoch + 2)]
        {
            peer.ask("me", version, &init("init-3", (id, epoch)));
        }
        peer.ask("me", 3, &init("init-3", (id + 100_000, epoch)));
        peer.ask("me", 4, &init("init-3", (id + 100_000, epoch)));
        peer.ask("me", 4, &init("init-3", NOBODY));
        peer.ask("me", 4, &init("init-3", (id, epoch + 2)));
        // Of an id that is new, anybody may go on.
        peer.ask("me", 4, &init("init-4", (123_456, 5)));
        peer.ask("me", 0, &describe(&["init-3", "init-4"]));
    });
}

#[test]
fn an_open_transaction_is_aborted_first() {
    compare(|peer| {
        peer.prepare_transactions(&["init-5"]);
        peer.make("init-5", 1);
        let old = peer.init("init-5");
        peer.ask("me", 3, &add("init-5", old, &[("init-5", 0)]));
        peer.ask("me", 11, &write("init-5", "init-5", old, 0));
        peer.ask("me", 4, &init("init-5", NOBODY));
        peer.settle("init-5");
        peer.ask("me", 0, &describe(&["init-5"]));
        peer.ask("me", 4, &super::requests::fetch("init-5", 0, true, 1 << 20));
        for version in [0, 1, 2, 3] {
            peer.ask("me", version, &add("init-5", old, &[("init-5", 0)]));
        }
        for version in [0, 1, 2, 4] {
            peer.ask("me", version, &end("init-5", old, true));
        }
        for version in [9, 11, 12] {
            peer.ask("me", version, &write("init-5", "init-5", old, 1));
        }
        peer.ask("me", 4, &init("init-5", old));
        peer.ask("me", 0, &describe(&["init-5"]));
        peer.ask("me", 4, &init("init-5", NOBODY));
        peer.ask("me", 5, &end("init-5", old, true));
        peer.ask("me", 5, &end("init-5", old, false));
    });
}

#[test]
fn who_goes_on_has_its_open_transaction_aborted() {
    compare(|peer| {
        peer.prepare_transactions(&["init-6"]);
        peer.make("init-6", 1);
        let mut producer = peer.init("init-6");
        for _ in 0..2 {
            peer.ask("me", 12, &write("init-6", "init-6", producer, 0));
            peer.ask("me", 4, &init("init-6", producer));
            peer.settle("init-6");
            peer.ask("me", 0, &describe(&["init-6"]));
            peer.ask("me", 4, &init("init-6", producer));
            peer.ask("me", 5, &end("init-6", producer, true));
            peer.ask("me", 5, &end("init-6", producer, false));
            peer.settle("init-6");
            producer = peer.init("init-6");
        }
        peer.ask("me", 0, &describe(&["init-6"]));
    });
}
