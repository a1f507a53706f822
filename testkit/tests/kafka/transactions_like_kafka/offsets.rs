//! Offsets of groups, committed in transactions.

use tidemill_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tidemill_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use tidemill_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use tidemill_protocol::messages::{
    AddOffsetsToTxnRequest, JoinGroupRequest, OffsetCommitRequest, OffsetFetchRequest, ProducerId, TopicName,
    TxnOffsetCommitRequest,
};

use super::peer::{compare, group_id, join, plan, text, two_members};
use super::requests::{Producer, describe, transactional_id};

/// Names of groups that lie in the same partition of `__consumer_offsets` whether there are 4 or 50 of them.
const GROUPS: [&str; 5] = ["readers60", "readers61", "readers62", "readers96", "readers97"];

fn add(id: &str, producer: Producer, group: &str) -> AddOffsetsToTxnRequest {
    AddOffsetsToTxnRequest::default()
        .with_transactional_id(transactional_id(id))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_group_id(group_id(group))
}

fn commit(id: &str, producer: Producer, group: &str, offset: i64) -> TxnOffsetCommitRequest {
    let partition = |number| {
        TxnOffsetCommitRequestPartition::default()
            .with_partition_index(number)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("why")))
    };
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(TopicName(text("read")))
        .with_partitions(vec![partition(0), partition(1)]);
    TxnOffsetCommitRequest::default()
        .with_transactional_id(transactional_id(id))
        .with_group_id(group_id(group))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_generation_id(-1)
        .with_topics(vec![topic])
}

fn plain(group: &str, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default().with_name(TopicName(text("read"))).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

fn fetch(group: &str, stable: bool) -> OffsetFetchRequest {
    let topic =
        OffsetFetchRequestTopics::default().with_name(TopicName(text("read"))).with_partition_indexes(vec![0, 1]);
    let some = OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(Some(vec![topic]));
    OffsetFetchRequest::default().with_groups(vec![some]).with_require_stable(stable)
}

fn all(group: &str, stable: bool) -> OffsetFetchRequest {
    let all = OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(None);
    OffsetFetchRequest::default().with_groups(vec![all]).with_require_stable(stable)
}

#[test]
fn offsets_count_when_their_transaction_is_committed() {
    compare(|peer| {
        peer.create_topic("read", 2);
        peer.prepare(GROUPS[0]);
        peer.prepare_transactions(&["offsets-1"]);
        let producer = peer.init("offsets-1");
        for (version, committed) in [(0, true), (1, false), (2, true), (3, false), (4, true)] {
            let offset = i64::from(version) * 10;
            peer.ask("me", version, &commit("offsets-1", producer, GROUPS[0], offset));
            peer.ask("me", version, &add("offsets-1", producer, GROUPS[0]));
            peer.ask("me", 0, &describe(&["offsets-1"]));
            peer.ask("me", version, &commit("offsets-1", producer, GROUPS[0], offset));
            for stable in [true, false] {
                peer.ask("me", 9, &fetch(GROUPS[0], stable));
                peer.ask("me", 8, &all(GROUPS[0], stable));
            }
            peer.ask("me", 8, &plain(GROUPS[0], offset + 5));
            peer.end(4, "offsets-1", producer, committed);
            peer.ask("me", 9, &fetch(GROUPS[0], true));
        }
    });
}

#[test]
fn committing_offsets_adds_the_group_in_the_second_generation() {
    compare(|peer| {
        peer.create_topic("read", 2);
        peer.prepare(GROUPS[1]);
        peer.prepare_transactions(&["offsets-2"]);
        let mut producer = peer.init("offsets-2");
        for committed in [true, false, true] {
            peer.ask("me", 5, &commit("offsets-2", producer, GROUPS[1], 7));
            peer.ask("me", 0, &describe(&["offsets-2"]));
            peer.ask("me", 9, &fetch(GROUPS[1], true));
            let old = producer;
            producer = peer.end(5, "offsets-2", producer, committed);
            peer.ask("me", 9, &fetch(GROUPS[1], true));
            for version in [0, 3, 4, 5] {
                peer.ask("me", version, &commit("offsets-2", old, GROUPS[1], 8));
            }
        }
    });
}

#[test]
fn what_is_wrong_with_committing_in_a_transaction() {
    compare(|peer| {
        peer.create_topic("read", 2);
        peer.prepare(GROUPS[2]);
        peer.prepare_transactions(&["offsets-3"]);
        let (id, epoch) = peer.init("offsets-3");
        for version in [0, 2, 4] {
            for (of, producer) in [
                ("offsets-3", (id, epoch + 1)),
                ("offsets-3", (id + 50_000, epoch)),
                ("never-committed", (id, epoch)),
                ("", (id, epoch)),
            ] {
                peer.ask("me", version, &add(of, producer, GROUPS[2]));
            }
        }
        for version in [0, 3, 4, 5] {
            for (of, producer) in [
                ("offsets-3", (id, epoch + 1)),
                ("offsets-3", (id + 50_000, epoch)),
                ("never-committed", (id, epoch)),
                ("", (id, epoch)),
            ] {
                peer.ask("me", version, &commit(of, producer, GROUPS[2], 5));
            }
            let mut nowhere = commit("offsets-3", (id, epoch), GROUPS[2], 5);
            nowhere.topics[0].name = TopicName(text("nowhere"));
            peer.ask("me", version, &nowhere);
            peer.ask("me", version, &commit("offsets-3", (id, epoch), "", 5));
        }
        let mut mixed = commit("offsets-3", (id, epoch), GROUPS[2], 5);
        mixed.topics[0].partitions[1].partition_index = 9;
        peer.ask("me", 5, &mixed);
        let mut long = commit("offsets-3", (id, epoch), GROUPS[2], 5);
        long.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(5000)));
        peer.ask("me", 5, &long);
        peer.end(5, "offsets-3", (id, epoch), true);
        peer.ask("me", 9, &fetch(GROUPS[2], true));
    });
}

#[test]
fn a_member_commits_in_a_transaction_for_its_generation_only() {
    compare(|peer| {
        peer.create_topic("read", 2);
        peer.prepare(GROUPS[3]);
        peer.prepare_transactions(&["offsets-4"]);
        let producer = peer.init("offsets-4");
        let (first, second) = two_members(peer, GROUPS[3]);
        let by = |generation: i32, member: &str| {
            commit("offsets-4", producer, GROUPS[3], 3).with_generation_id(generation).with_member_id(text(member))
        };
        for version in [3, 5] {
            if version == 3 {
                peer.ask("me", 3, &add("offsets-4", producer, GROUPS[3]));
            }
            peer.ask("me", version, &by(2, &first));
            peer.ask("me", version, &by(1, &first));
            peer.ask("me", version, &by(2, "nobody"));
            peer.ask("me", version, &by(-1, &first));
            peer.ask("me", version, &by(-1, ""));
            peer.ask("me", version, &by(2, &first).with_group_instance_id(Some(text("one"))));
        }
        // A rebalance does not stand in the way.
        peer.send_and_wait("first", 9, &join(GROUPS[3], &first, &["range"], b"first"));
        peer.ask("me", 5, &by(2, &second));
        peer.ask("second", 9, &join(GROUPS[3], &second, &["range"], b"second"));
        peer.receive::<JoinGroupRequest>("first");
        peer.ask("me", 5, &by(3, &second));
        peer.ask("first", 5, &plan(GROUPS[3], 3, &first, &[(&second, b"all")]));
        peer.end(5, "offsets-4", producer, true);
        peer.ask("me", 9, &fetch(GROUPS[3], true));
        peer.prepare(GROUPS[4]);
        let next = peer.init("offsets-4");
        peer.ask("me", 5, &commit("offsets-4", next, GROUPS[4], 1).with_generation_id(4));
    });
}
