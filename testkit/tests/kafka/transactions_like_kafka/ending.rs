//! Commit and abort, in both generations.

use super::peer::compare;
use super::requests::{add, describe, end, fetch, write};

#[test]
fn every_end_of_the_first_generation_in_every_state() {
    compare(|peer| {
        peer.prepare_transactions(&["end-1"]);
        peer.make("end-1", 1);
        let (id, epoch) = peer.init("end-1");
        let producer = (id, epoch);
        for version in 0..=4 {
            for committed in [true, false] {
                // Nothing is open.
                peer.ask("me", version, &end("end-1", producer, true));
                peer.ask("me", version, &end("end-1", producer, false));
                peer.ask("me", 3, &add("end-1", producer, &[("end-1", 0)]));
                for (of, producer) in [
                    ("end-1", (id, epoch + 1)),
                    ("end-1", (id, epoch - 1)),
                    ("end-1", (id + 50_000, epoch)),
                    ("never-ended", producer),
                    ("", producer),
                ] {
                    peer.ask("me", version, &end(of, producer, committed));
                }
                peer.end(version, "end-1", producer, committed);
                peer.ask("me", 0, &describe(&["end-1"]));
            }
        }
    });
}

#[test]
fn every_end_of_the_second_generation_in_every_state() {
    compare(|peer| {
        peer.prepare_transactions(&["end-2"]);
        peer.make("end-2", 1);
        let mut producer = peer.init("end-2");
        // From Empty, only an abort; then from every way to end, both, of the current epoch and of the one before.
        peer.ask("me", 5, &end("end-2", producer, true));
        peer.ask("me", 5, &end("end-2", (producer.0, producer.1 - 1), false));
        producer = peer.end(5, "end-2", producer, false);
        peer.ask("me", 0, &describe(&["end-2"]));
        for committed in [true, false, true, true, false, false] {
            peer.ask("me", 12, &write("end-2", "end-2", producer, 0));
            let old = producer;
            producer = peer.end(5, "end-2", producer, committed);
            peer.ask("me", 0, &describe(&["end-2"]));
            for retried in [true, false] {
                peer.ask("me", 5, &end("end-2", old, retried));
                peer.ask("me", 5, &end("end-2", (old.0, old.1 - 1), retried));
                peer.ask("me", 5, &end("end-2", (old.0, old.1 + 2), retried));
                peer.ask("me", 5, &end("end-2", (old.0 + 50_000, old.1), retried));
            }
            peer.ask("me", 5, &end("end-2", producer, true));
            producer = peer.end(5, "end-2", producer, false);
        }
        peer.ask("me", 5, &end("", producer, false));
        peer.ask("me", 5, &end("never-ended", producer, false));
        peer.ask("me", 4, &fetch("end-2", 0, true, 1 << 20));
    });
}

#[test]
fn a_producer_may_change_its_generation() {
    compare(|peer| {
        peer.prepare_transactions(&["end-3"]);
        peer.make("end-3", 1);
        let mut producer = peer.init("end-3");
        peer.ask("me", 3, &add("end-3", producer, &[("end-3", 0)]));
        peer.ask("me", 11, &write("end-3", "end-3", producer, 0));
        producer = peer.end(4, "end-3", producer, true);
        peer.ask("me", 12, &write("end-3", "end-3", producer, 1));
        producer = peer.end(5, "end-3", producer, true);
        peer.ask("me", 3, &add("end-3", producer, &[("end-3", 0)]));
        peer.ask("me", 9, &write("end-3", "end-3", producer, 0));
        peer.ask("me", 9, &write("end-3", "end-3", producer, 1));
        producer = peer.end(3, "end-3", producer, false);
        peer.ask("me", 0, &describe(&["end-3"]));
        peer.ask("me", 4, &end("end-3", (producer.0, producer.1 - 1), true));
        peer.ask("me", 4, &fetch("end-3", 0, true, 1 << 20));
        peer.ask("me", 4, &fetch("end-3", 0, false, 1 << 20));
    });
}
