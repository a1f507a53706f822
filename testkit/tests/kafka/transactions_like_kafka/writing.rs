//! Batches of transactions, and who may write them.

use tidemill_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use tidemill_protocol::messages::{ProducerId, TopicName, WriteTxnMarkersRequest};

use super::peer::{compare, compare_alone, text};
use super::requests::{Producer, add, batch, describe, fetch, produce, write};

#[test]
fn only_an_added_partition_is_written_to_in_the_first_generation() {
    // Kafka asks the coordinator about writes of several producers at once, and refuses all of them in the words of the
    // first: with another's of a newer version among them, one of an old version is told TRANSACTION_ABORTABLE.
    compare_alone(|peer| {
        peer.prepare_transactions(&["write-1"]);
        peer.make("write-1", 2);
        let producer = peer.init("write-1");
        for version in [3, 9, 10, 11] {
            peer.ask("me", version, &write("write-1", "write-1", producer, 0));
            let both = vec![
                ("write-1", 0, batch(producer, 0, true, &["a"])),
                ("write-1", 1, batch(producer, 0, true, &["a"])),
            ];
            peer.ask("me", 3, &add("write-1", producer, &[("write-1", 1)]));
            peer.ask("me", version, &produce(Some("write-1"), both));
            peer.end(4, "write-1", producer, false);
        }
        peer.ask("me", 9, &write("never-written", "write-1", producer, 0));
        peer.ask("me", 9, &write("", "write-1", producer, 0));
        peer.ask("me", 9, &write("write-1", "write-1", (producer.0 + 50_000, 0), 0));
        peer.ask("me", 9, &write("write-1", "write-1", (producer.0, producer.1 + 1), 0));
        peer.ask("me", 9, &write("write-1", "nowhere-1", producer, 0));
        peer.ask("me", 4, &fetch("write-1", 0, true, 1 << 20));
    });
}

#[test]
fn writing_adds_the_partition_in_the_second_generation() {
    compare(|peer| {
        peer.prepare_transactions(&["write-2"]);
        peer.make("write-2", 2);
        let (id, epoch) = peer.init("write-2");
        let producer = (id, epoch);
        peer.ask("me", 12, &write("write-2", "write-2", producer, 3));
        peer.ask("me", 12, &write("write-2", "write-2", producer, 0));
        peer.ask("me", 0, &describe(&["write-2"]));
        peer.ask("me", 12, &write("write-2", "write-2", producer, 0));
        peer.ask("me", 12, &write("write-2", "write-2", producer, 2));
        peer.ask("me", 12, &write("write-2", "write-2", producer, 1));
        for of in [(id, epoch + 1), (id, epoch - 1), (id + 50_000, epoch)] {
            peer.ask("me", 12, &write("write-2", "write-2", of, 0));
        }
        peer.ask("me", 12, &write("never-written", "write-2", producer, 2));
        peer.ask("me", 12, &write("", "write-2", producer, 2));
        let mut by_id = write("write-2", "write-2", producer, 2);
        by_id.topic_data[0].topic_id = peer.topic_id("write-2");
        peer.ask("me", 13, &by_id);
        let after = peer.end(5, "write-2", producer, true);
        peer.ask("me", 12, &write("write-2", "write-2", producer, 3));
        peer.ask("me", 12, &write("write-2", "write-2", after, 1));
        peer.ask("me", 12, &write("write-2", "write-2", after, 0));
        peer.ask("me", 11, &write("write-2", "write-2", after, 1));
        peer.end(5, "write-2", after, true);
        peer.ask("me", 4, &fetch("write-2", 0, true, 1 << 20));
    });
}

#[test]
fn what_is_not_to_be_written_is_not_added() {
    compare(|peer| {
        peer.prepare_transactions(&["write-broken"]);
        peer.make("write-broken", 3);
        let producer = peer.init("write-broken");
        let one = batch(producer, 0, true, &["a"]);
        let two = [&one[..], &one[..]].concat().into();
        let cut = one.slice(..one.len() - 1);
        let batches =
            vec![("write-broken", 0, two), ("write-broken", 1, one.clone()), ("write-broken", 2, cut.clone())];
        peer.ask("me", 12, &produce(Some("write-broken"), batches));
        peer.ask("me", 0, &describe(&["write-broken"]));
        peer.ask("me", 12, &produce(None, vec![("write-broken", 2, cut.clone())]));
        peer.ask("me", 12, &produce(None, vec![("write-broken", 2, cut), ("write-broken", 1, one)]));
        peer.end(5, "write-broken", producer, true);
    });
}

#[test]
fn a_transactional_batch_belongs_to_one_transactional_id_and_producer() {
    compare(|peer| {
        peer.prepare_transactions(&["write-3"]);
        peer.make("write-3", 2);
        let producer = peer.init("write-3");
        for version in [9, 12] {
            let alone = vec![("write-3", 0, batch(producer, 0, true, &["a"]))];
            peer.ask("me", version, &produce(None, alone));
            let with_others = vec![
                ("write-3", 0, batch(producer, 0, true, &["a"])),
                ("write-3", 1, batch((producer.0 + 9, 0), 0, true, &["a"])),
            ];
            peer.ask("me", version, &produce(Some("write-3"), with_others));
        }
        // What is in no transaction is not stopped by the id, unless its producer has one open.
        let outside =
            |sequence| produce(Some("write-3"), vec![("write-3", 1, batch(producer, sequence, false, &["a"]))]);
        peer.ask("me", 12, &outside(0));
        let inside = |sequence| produce(Some("write-3"), vec![("write-3", 1, batch(producer, sequence, true, &["a"]))]);
        peer.ask("me", 12, &inside(1));
        peer.ask("me", 12, &outside(2));
        peer.ask("me", 12, &inside(2));
        peer.end(5, "write-3", producer, false);
        peer.ask("me", 4, &fetch("write-3", 0, true, 1 << 20));
    });
}

fn mark(producer: Producer, coordinator_epoch: i32, committed: bool, partitions: &[(&str, i32)]) -> WritableTxnMarker {
    let topic = |(name, number): &(&str, i32)| {
        WritableTxnMarkerTopic::default().with_name(TopicName(text(name))).with_partition_indexes(vec![*number])
    };
    WritableTxnMarker::default()
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_transaction_result(committed)
        .with_coordinator_epoch(coordinator_epoch)
        .with_topics(partitions.iter().map(topic).collect())
}

#[test]
fn markers_are_written_for_whoever_asks() {
    compare(|peer| {
        peer.prepare_transactions(&["write-4"]);
        peer.make("write-4", 1);
        let producer = peer.init("write-4");
        peer.ask("me", 0, &describe(&["write-4"]));
        let ask = |markers| WriteTxnMarkersRequest::default().with_markers(markers);
        peer.ask("me", 1, &ask(vec![mark((70_000, 3), 2, true, &[("write-4", 0), ("nowhere", 0)])]));
        peer.ask("me", 1, &ask(vec![mark((70_000, 2), 2, true, &[("write-4", 0)])]));
        peer.ask("me", 1, &ask(vec![mark((70_000, 3), 1, true, &[("write-4", 0)])]));
        peer.ask("me", 1, &ask(vec![mark((70_000, 4), 2, false, &[("write-4", 0)])]));
        peer.ask("me", 1, &ask(Vec::new()));
        peer.ask("me", 1, &ask(vec![mark((70_001, 4), 2, false, &[])]));
        peer.ask("me", 12, &write("write-4", "write-4", producer, 0));
        peer.ask("me", 1, &ask(vec![mark(producer, 0, false, &[("write-4", 0)])]));
        peer.ask("me", 4, &fetch("write-4", 0, true, 1 << 20));
        // The coordinator still has it open.
        peer.ask("me", 0, &describe(&["write-4"]));
        peer.ask("me", 12, &write("write-4", "write-4", producer, 1));
        peer.end(5, "write-4", producer, true);
        peer.ask("me", 4, &fetch("write-4", 0, true, 1 << 20));
    });
}
