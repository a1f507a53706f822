//! What readers and administrators see of transactions.

use tidemill_protocol::messages::describe_producers_request::TopicRequest;
use tidemill_protocol::messages::{DescribeProducersRequest, ListTransactionsRequest, ProducerId, TopicName};

use super::peer::{compare, text};
use super::requests::{batch, describe, fetch, list_offset, now_ms, produce, write};

#[test]
fn readers_of_committed_records_stop_at_the_first_open_transaction() {
    compare(|peer| {
        peer.prepare_transactions(&["read-1", "read-2"]);
        peer.make("read-1", 1);
        let (first, second) = (peer.init("read-1"), peer.init("read-2"));
        peer.ask("me", 0, &describe(&["read-1", "read-2"]));
        peer.ask("me", 12, &produce(None, vec![("read-1", 0, batch((80_000, 0), 0, false, &["plain"]))]));
        peer.ask("me", 12, &write("read-1", "read-1", first, 0));
        peer.ask("me", 12, &write("read-2", "read-1", second, 0));
        peer.ask("me", 12, &write("read-2", "read-1", second, 1));
        let look = |peer: &mut super::peer::Peer| {
            for committed in [true, false] {
                for offset in [0, 1, 2, 4, 5, 6, 7, 40] {
                    peer.ask("me", 4, &fetch("read-1", offset, committed, 1 << 20));
                    peer.ask("me", 11, &fetch("read-1", offset, committed, 90));
                }
                for timestamp in [-1, -2, -3, -4, 0, now_ms(), 1_900_000_000_000] {
                    let version = if timestamp < -2 { 8 } else { 5 };
                    peer.ask("me", version, &list_offset("read-1", timestamp, committed));
                }
            }
        };
        look(peer);
        peer.end(5, "read-2", second, false);
        look(peer);
        peer.end(5, "read-1", first, true);
        look(peer);
        peer.ask("me", 12, &produce(None, vec![("read-1", 0, batch((80_000, 0), 1, false, &["plain"]))]));
        look(peer);
    });
}

/// The index of aborted transactions is as exact as Kafka's.
#[test]
fn readers_are_told_of_aborted_transactions_in_what_they_read() {
    compare(|peer| {
        peer.prepare_transactions(&["read-3", "read-4"]);
        peer.make("read-3", 1);
        let (mut first, mut second) = (peer.init("read-3"), peer.init("read-4"));
        let value = "x".repeat(1500);
        for round in 0..12 {
            let large = |producer| produce(Some("read-3"), vec![("read-3", 0, batch(producer, 0, true, &[&value]))]);
            let other = |producer| produce(Some("read-4"), vec![("read-3", 0, batch(producer, 0, true, &[&value]))]);
            peer.ask("me", 12, &large(first));
            peer.ask("me", 12, &other(second));
            first = peer.end(5, "read-3", first, round % 3 == 0);
            second = peer.end(5, "read-4", second, round % 4 == 0);
        }
        for offset in [0, 3, 8, 9, 10, 11, 12, 20, 30, 47, 48] {
            for bytes in [100, 3000, 8000, 1 << 20] {
                peer.ask("me", 11, &fetch("read-3", offset, true, bytes));
            }
        }
    });
}

fn producers(topics: &[(&str, i32)]) -> DescribeProducersRequest {
    let topic = |(name, number): &(&str, i32)| {
        TopicRequest::default().with_name(TopicName(text(name))).with_partition_indexes(vec![*number])
    };
    DescribeProducersRequest::default().with_topics(topics.iter().map(topic).collect())
}

#[test]
fn administrators_see_who_writes_and_what_is_open() {
    compare(|peer| {
        peer.prepare_transactions(&["seen-1", "seen-2", "seen-3"]);
        peer.make("seen-1", 1);
        let (first, second) = (peer.init("seen-1"), peer.init("seen-2"));
        peer.ask("me", 0, &producers(&[("seen-1", 0), ("seen-1", 7), ("nowhere", 0), ("no/name", 0)]));
        peer.ask("me", 12, &produce(None, vec![("seen-1", 0, batch((90_000, 2), 5, false, &["plain"]))]));
        peer.ask("me", 12, &write("seen-1", "seen-1", first, 0));
        peer.ask("me", 12, &write("seen-2", "seen-1", second, 0));
        peer.ask("me", 0, &producers(&[("seen-1", 0)]));
        peer.ask("me", 0, &describe(&["seen-1", "seen-2", "seen-3", ""]));
        let next = peer.end(5, "seen-2", second, false);
        peer.ask("me", 0, &producers(&[("seen-1", 0)]));
        peer.ask("me", 12, &write("seen-2", "seen-1", next, 0));
        peer.end(4, "seen-2", next, true);
        peer.ask("me", 0, &producers(&[("seen-1", 0)]));
        let list = || ListTransactionsRequest::default();
        let ids = vec![ProducerId(first.0), ProducerId(second.0)];
        for version in [0, 1] {
            let list = || list().with_producer_id_filters(ids.clone());
            peer.ask("me", version, &list());
            let states = |states: &[&str]| states.iter().map(|state| text(state)).collect();
            peer.ask("me", version, &list().with_state_filters(states(&["Ongoing"])));
            peer.ask("me", version, &list().with_state_filters(states(&["CompleteCommit", "Unheard", "Dead"])));
            peer.ask("me", version, &list().with_state_filters(states(&["ongoing", "PrepareEpochFence"])));
        }
        for pattern in [None, Some(""), Some("seen-1"), Some("seen-.*"), Some("een"), Some("SEEN-1|seen-2"), Some("(")]
        {
            let matching = list().with_producer_id_filters(ids.clone());
            peer.ask("me", 2, &matching.with_transactional_id_pattern(pattern.map(text)));
        }
        for duration in [-1, 0, 1_000_000] {
            let long = list().with_producer_id_filters(ids.clone()).with_duration_filter(duration);
            peer.ask("me", 1, &long);
        }
    });
}
