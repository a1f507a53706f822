//! Groups with members that change their protocol, and members of both protocols in one group.

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use tidemill_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use tidemill_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use tidemill_protocol::messages::*;

use super::peer::{Peer, compare_at_once, describe, group_id, heartbeat, join, join_new, leave, sync, text};

/// A subscription in version 1, with what the member owns.
fn subscription(topic: &str, owned: &[i32]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_slice(&[0, 1, 0, 0, 0, 1]);
    put_text(&mut bytes, topic);
    bytes.put_i32(-1);
    put_partitions(&mut bytes, topic, owned);
    bytes.freeze()
}

/// An assignment in version 1.
fn assignment(topic: &str, partitions: &[i32]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(1);
    put_partitions(&mut bytes, topic, partitions);
    bytes.put_i32(-1);
    bytes.freeze()
}

fn put_text(bytes: &mut BytesMut, text: &str) {
    bytes.put_u16(u16::try_from(text.len()).unwrap());
    bytes.put_slice(text.as_bytes());
}

fn put_partitions(bytes: &mut BytesMut, topic: &str, partitions: &[i32]) {
    bytes.put_u32(u32::from(!partitions.is_empty()));
    if !partitions.is_empty() {
        put_text(bytes, topic);
        bytes.put_u32(u32::try_from(partitions.len()).unwrap());
        partitions.iter().for_each(|partition| bytes.put_i32(*partition));
    }
}

fn classic(group: &str, id: &str, owned: &[i32]) -> JoinGroupRequest {
    let protocol =
        JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(subscription(group, owned));
    join(group, id, &[], b"").with_protocols(vec![protocol])
}

fn consumer(group: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None);
    if epoch != 0 {
        return request;
    }
    request
        .with_rebalance_timeout_ms(5_000)
        .with_subscribed_topic_names(Some(vec![TopicName(text(group))]))
        .with_topic_partitions(Some(Vec::new()))
}

fn described(peer: &mut Peer, group: &str) {
    peer.ask("admin", 1, &ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(group)]));
}

/// One classic member, which reads both partitions of the topic that is named as the group.
fn classic_group(peer: &mut Peer, group: &str) -> String {
    peer.prepare(group);
    peer.create_topic(group, 2);
    peer.topic_id(group);
    let id = join_new(peer, "classic", 9, &classic(group, "", &[])).member_id.to_string();
    let share =
        SyncGroupRequestAssignment::default().with_member_id(text(&id)).with_assignment(assignment(group, &[0, 1]));
    peer.ask("classic", 5, &sync(group, 1, &id).with_assignments(vec![share]));
    id
}

#[test]
fn a_group_whose_assignments_cannot_be_read_is_not_upgraded() {
    compare_at_once(|peer| {
        let assignments: [(&str, &'static [u8]); 6] = [
            ("g-words", b"its share"),
            ("g-cut", b"\0"),
            ("g-cut-count", b"\0\x01\0\0"),
            ("g-negative", b"\xff\xff\0\0\0\0"),
            ("g-null-topic", b"\0\x01\0\0\0\x01\xff\xff\0\0\0\0\0\0\0\0"),
            ("g-long-data", b"\0\x01\0\0\0\0\0\0\0\x09a"),
        ];
        for (group, given) in assignments {
            peer.prepare(group);
            peer.create_topic(group, 2);
            let id = join_new(peer, "classic", 9, &classic(group, "", &[])).member_id.to_string();
            let share = SyncGroupRequestAssignment::default()
                .with_member_id(text(&id))
                .with_assignment(Bytes::from_static(given));
            peer.ask("classic", 5, &sync(group, 1, &id).with_assignments(vec![share]));
            peer.ask("new", 1, &consumer(group, "new", 0));
        }
    });
}

#[test]
fn a_classic_group_is_upgraded_and_downgraded_online() {
    compare_at_once(|peer| {
        let group = "g-online";
        let id = classic_group(peer, group);
        let topic = peer.topic_id(group);
        peer.ask("new", 1, &consumer(group, "new", 0));
        described(peer, group);
        peer.ask("admin", 6, &describe(group));
        for generation in [1, 2] {
            peer.ask("classic", 4, &heartbeat(group, generation, &id));
        }
        peer.ask("classic", 5, &sync(group, 1, &id));
        peer.ask("classic", 9, &classic(group, &id, &[0, 1]));
        described(peer, group);
        peer.ask("classic", 5, &sync(group, 1, &id));
        peer.ask("classic", 4, &heartbeat(group, 1, &id));
        peer.ask("classic", 9, &classic(group, &id, &[0]));
        peer.ask("classic", 5, &sync(group, 2, &id));
        peer.ask("new", 1, &consumer(group, "new", 2));
        let owned = TopicPartitions::default().with_topic_id(topic).with_partitions(vec![0, 1]);
        peer.ask("new", 1, &consumer(group, "new", 2).with_topic_partitions(Some(vec![owned])));
        peer.ask("classic", 4, &heartbeat(group, 2, &id));
        described(peer, group);
        peer.ask("new", 1, &consumer(group, "new", -1));
        peer.ask("admin", 5, &describe(group));
        peer.ask("classic", 4, &heartbeat(group, 2, &id));
        peer.ask("classic", 9, &classic(group, &id, &[0]));
    });
}

#[test]
fn a_classic_member_joins_a_consumer_group() {
    compare_at_once(|peer| {
        let group = "g-mixed";
        peer.prepare(group);
        peer.create_topic(group, 2);
        peer.topic_id(group);
        peer.ask("new", 1, &consumer(group, "new", 0));
        peer.ask("classic", 9, &join(group, "", &["range"], b"").with_protocol_type(text("connect")));
        peer.ask("classic", 9, &join(group, "", &[], b""));
        let id = join_new(peer, "classic", 9, &classic(group, "", &[])).member_id.to_string();
        described(peer, group);
        peer.ask("classic", 5, &sync(group, 3, &id));
        peer.ask("classic", 5, &sync(group, 3, &id).with_protocol_name(Some(text("sticky"))));
        peer.ask("classic", 5, &sync(group, 3, "new"));
        peer.ask("classic", 4, &heartbeat(group, 3, &id));
        peer.ask("classic", 4, &heartbeat(group, 3, "new"));
        peer.ask("new", 1, &consumer(group, "new", 2));
        peer.ask("new", 1, &consumer(group, "new", 2).with_topic_partitions(Some(Vec::new())));
        peer.ask("classic", 4, &heartbeat(group, 3, &id));
        peer.ask("classic", 9, &classic(group, &id, &[]));
        peer.ask("classic", 5, &sync(group, 3, &id));
        described(peer, group);
        peer.ask("classic", 5, &leave(group, &[(&id, None)]));
        described(peer, group);
    });
}

#[test]
fn a_static_member_comes_back_with_the_classic_protocol() {
    compare_at_once(|peer| {
        for (group, reads) in [("g-static-same", "g-static-same"), ("g-static-other", "g-static-same")] {
            peer.prepare(group);
            peer.create_topic(group, 2);
            peer.topic_id(group);
            peer.ask("new", 1, &consumer(group, "new", 0).with_instance_id(Some(text("one"))));
            let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
            let protocol = protocol.with_metadata(subscription(reads, &[]));
            let request = join(group, "", &[], b"").with_protocols(vec![protocol]);
            let joined = peer.ask("classic", 9, &request.with_group_instance_id(Some(text("one"))));
            peer.ask("admin", 5, &describe(group));
            described(peer, group);
            let id = joined.member_id.to_string();
            peer.ask("classic", 4, &heartbeat(group, 2, &id));
            peer.ask("classic", 5, &sync(group, 2, &id));
        }
    });
}

#[test]
fn a_group_that_is_not_of_consumers_stays_classic() {
    compare_at_once(|peer| {
        let group = "g-connect";
        peer.prepare(group);
        let workers = join(group, "", &["range"], b"").with_protocol_type(text("connect"));
        join_new(peer, "classic", 9, &workers);
        peer.ask("new", 1, &consumer(group, "new", 0));
        peer.ask("new", 1, &consumer(group, "new", 1));
        let group = "g-garbage";
        peer.prepare(group);
        let garbage =
            JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"\0"));
        join_new(peer, "garbage", 9, &join(group, "", &[], b"").with_protocols(vec![garbage]));
        peer.ask("new", 1, &consumer(group, "new", 0));
        peer.ask("admin", 5, &describe(group));
    });
}
