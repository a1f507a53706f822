//! Offsets that groups commit, ask for and forget.

use tidemill_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tidemill_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use tidemill_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use tidemill_protocol::messages::{
    JoinGroupRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, TopicName,
};

use super::peer::{compare, group_id, heartbeat, join, join_new, leave, plan, sync, text, two_members};

/// Partitions with the metadata of their offsets, by topic.
type Commits<'a> = (&'a str, &'a [(i32, Option<&'a str>)]);

/// Partitions, by topic.
type Partitions<'a> = (&'a str, &'a [i32]);

fn commit(group: &str, generation: i32, member_id: &str, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("why")));
    let topic = OffsetCommitRequestTopic::default().with_name(TopicName(text("read"))).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(text(member_id))
        .with_topics(vec![topic])
}

fn topics(topics: &[Commits<'_>]) -> Vec<OffsetCommitRequestTopic> {
    let topic = |(name, partitions): &Commits<'_>| {
        let partition = |(number, metadata): &(i32, Option<&str>)| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(*number)
                .with_committed_offset(i64::from(*number) + 40)
                .with_committed_metadata(metadata.map(text))
        };
        let partitions = partitions.iter().map(partition).collect();
        OffsetCommitRequestTopic::default().with_name(TopicName(text(name))).with_partitions(partitions)
    };
    topics.iter().map(topic).collect()
}

/// In the form of the versions before several groups could be asked for. `None` asks for all topics.
fn fetch_one(group: &str, topics: Option<&[Partitions<'_>]>) -> OffsetFetchRequest {
    let topic = |(name, partitions): &Partitions<'_>| {
        OffsetFetchRequestTopic::default().with_name(TopicName(text(name))).with_partition_indexes(partitions.to_vec())
    };
    let topics = topics.map(|topics| topics.iter().map(topic).collect());
    OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(topics)
}

fn fetch_many(groups: &[(&str, Option<&[Partitions<'_>]>)]) -> OffsetFetchRequest {
    let topic = |(name, partitions): &Partitions<'_>| {
        OffsetFetchRequestTopics::default().with_name(TopicName(text(name))).with_partition_indexes(partitions.to_vec())
    };
    let group = |(id, topics): &(&str, Option<&[Partitions<'_>]>)| {
        let topics = topics.map(|topics| topics.iter().map(topic).collect());
        OffsetFetchRequestGroup::default().with_group_id(group_id(id)).with_topics(topics)
    };
    OffsetFetchRequest::default().with_groups(groups.iter().map(group).collect())
}

fn delete(group: &str, topics: &[&str]) -> OffsetDeleteRequest {
    let topic = |name: &&str| {
        let partition = |number| OffsetDeleteRequestPartition::default().with_partition_index(number);
        let partitions = [0, 1, 7].into_iter().map(partition).collect();
        OffsetDeleteRequestTopic::default().with_name(TopicName(text(name))).with_partitions(partitions)
    };
    OffsetDeleteRequest::default().with_group_id(group_id(group)).with_topics(topics.iter().map(topic).collect())
}

#[test]
fn who_assigns_partitions_itself_commits_without_a_group() {
    compare(|peer| {
        peer.create_topic("read", 2);
        for version in 2..=9 {
            let group = &format!("simple-{version}");
            peer.prepare(group);
            peer.ask("me", version, &commit(group, -1, "", 5));
            let mixed =
                topics(&[("read", &[(0, None), (1, Some("here")), (2, None), (-1, None)]), ("nowhere", &[(0, None)])]);
            peer.ask("me", version, &commit(group, -1, "", 5).with_topics(mixed));
            peer.ask("me", version, &commit(group, -1, "", 5).with_topics(topics(&[("nowhere", &[(0, None)])])));
            peer.ask("me", version, &commit(group, -1, "", 5).with_topics(Vec::new()));
            peer.ask("me", version, &commit(group, -1, "somebody", 6));
            peer.ask("me", version, &commit(group, 1, "somebody", 7));
            peer.ask("me", version, &commit(group, 0, "", 8));
            if version >= 7 {
                peer.ask("me", version, &commit(group, -1, "", 9).with_group_instance_id(Some(text("one"))));
                peer.ask("me", version, &commit(group, 1, "x", 9).with_group_instance_id(Some(text("one"))));
            }
            let asked: &[Partitions<'_>] = &[("read", &[1, 0, 7]), ("nowhere", &[0])];
            peer.ask("me", version.min(7), &fetch_one(group, Some(asked)));
            peer.ask("me", version.min(7), &fetch_one(group, None));
            peer.ask("me", 9, &fetch_many(&[(group, None)]));
            peer.ask("me", 6, &super::peer::describe(group));
        }
        peer.prepare("");
        peer.ask("me", 9, &commit("", -1, "", 5));
        peer.ask("me", 9, &fetch_many(&[("", None)]));
        peer.ask("me", 7, &fetch_one("", None));
    });
}

#[test]
fn a_commit_into_a_group_that_is_not_there() {
    compare(|peer| {
        peer.create_topic("read", 2);
        peer.prepare("nobody-there");
        for version in [2, 8, 9] {
            peer.ask("me", version, &commit("nobody-there", 1, "somebody", 5));
            peer.ask("me", version, &commit("nobody-there", 0, "", 5));
        }
        for version in [1, 2, 5, 7] {
            peer.ask("me", version, &fetch_one("nobody-there", Some(&[("read", &[0, 1])])));
        }
        for version in [2, 7] {
            peer.ask("me", version, &fetch_one("nobody-there", None));
        }
        peer.ask("me", 0, &delete("nobody-there", &["read"]));
        peer.ask("me", 0, &delete("", &["read"]));
    });
}

#[test]
fn metadata_has_its_limit() {
    compare(|peer| {
        peer.create_topic("read", 2);
        peer.prepare("metadata");
        let (fits, does_not) = ("é".repeat(4096), "é".repeat(4097));
        let topics = topics(&[("read", &[(0, Some(&fits)), (1, Some(&does_not))])]);
        peer.ask("me", 8, &commit("metadata", -1, "", 5).with_topics(topics));
        peer.ask("me", 9, &fetch_many(&[("metadata", None)]));
    });
}

#[test]
fn a_member_commits_for_its_generation_only() {
    compare(|peer| {
        peer.create_topic("read", 2);
        peer.prepare("fenced");
        let (first, second) = two_members(peer, "fenced");
        for version in [2, 7, 9] {
            peer.ask("first", version, &commit("fenced", 2, &first, 5));
            peer.ask("second", version, &commit("fenced", 1, &second, 6));
            peer.ask("second", version, &commit("fenced", 3, &second, 6));
            peer.ask("second", version, &commit("fenced", -1, &second, 6));
            peer.ask("second", version, &commit("fenced", 2, "nobody", 6));
            peer.ask("second", version, &commit("fenced", -1, "", 6));
        }
        peer.ask("second", 8, &commit("fenced", 2, &second, 6).with_group_instance_id(Some(text("one"))));
        // While the others are awaited, what was read may still be committed; before the plan is there, it may not.
        peer.send_and_wait("first", 9, &join("fenced", &first, &["range"], b"first"));
        peer.ask("second", 8, &commit("fenced", 2, &second, 7));
        peer.ask("second", 9, &join("fenced", &second, &["range"], b"second"));
        peer.receive::<JoinGroupRequest>("first");
        peer.ask("second", 8, &commit("fenced", 3, &second, 8));
        peer.ask("second", 8, &commit("fenced", 2, &second, 8));
        peer.ask("first", 5, &plan("fenced", 3, &first, &[(&second, b"all")]));
        peer.ask("second", 8, &commit("fenced", 3, &second, 9));
        peer.ask("second", 5, &sync("fenced", 3, &second));
        peer.ask("second", 9, &fetch_many(&[("fenced", Some(&[("read", &[0])]))]));
        peer.ask("first", 5, &leave("fenced", &[(&first, None), (&second, None)]));
        peer.ask("second", 8, &commit("fenced", 3, &second, 10));
        peer.ask("second", 8, &commit("fenced", -1, "", 11));
        peer.ask("second", 9, &fetch_many(&[("fenced", None)]));
        peer.ask("second", 4, &heartbeat("fenced", 4, &second));
    });
}

#[test]
fn several_groups_are_asked_for_at_once() {
    compare(|peer| {
        peer.create_topic("read", 2);
        for group in ["many-a", "many-b", "many-c"] {
            peer.prepare(group);
        }
        peer.ask("me", 8, &commit("many-a", -1, "", 1));
        peer.ask("me", 8, &commit("many-b", -1, "", 2).with_topics(topics(&[("read", &[(0, None), (1, None)])])));
        for (version, stable) in [(8, false), (9, true)] {
            let read: &[Partitions<'_>] = &[("read", &[0, 1])];
            let groups = [("many-a", Some(read)), ("many-b", None), ("many-c", None), ("many-c", Some(read))];
            peer.ask("me", version, &fetch_many(&groups[..3]).with_require_stable(stable));
            peer.ask("me", version, &fetch_many(&groups[3..]).with_require_stable(stable));
            peer.ask("me", version, &fetch_many(&[("many-a", Some(&[]))]));
            peer.ask("me", version, &fetch_many(&[]));
        }
        peer.ask("me", 7, &fetch_one("many-b", None).with_require_stable(true));
        peer.ask("me", 2, &fetch_one("many-b", Some(&[])));
    });
}

#[test]
fn offsets_of_what_is_read_are_not_forgotten() {
    compare(|peer| {
        peer.create_topic("read", 2);
        peer.create_topic("not-read", 2);
        peer.prepare("forget");
        let both = topics(&[("read", &[(0, None), (1, None)]), ("not-read", &[(0, None), (1, None)])]);
        peer.ask("me", 8, &commit("forget", -1, "", 0).with_topics(both));
        let id = join_new(peer, "me", 9, &join("forget", "", &["range"], b"me")).member_id;
        peer.ask("me", 0, &delete("forget", &["read", "not-read", "nowhere"]));
        peer.ask("me", 9, &fetch_many(&[("forget", None)]));
        peer.ask("me", 5, &leave("forget", &[(&id, None)]));
        peer.ask("me", 0, &delete("forget", &["read", "nowhere"]));
        peer.ask("me", 0, &delete("forget", &["nowhere"]));
        peer.ask("me", 9, &fetch_many(&[("forget", None)]));
        // A group of something else does not say what it reads.
        peer.prepare("workers");
        let worker = join("workers", "", &["range"], b"me").with_protocol_type(text("connect"));
        join_new(peer, "me", 9, &worker);
        peer.ask("me", 0, &delete("workers", &["read"]));
        // A consumer that speaks otherwise reads everything.
        peer.prepare("unreadable");
        let mut unreadable = join("unreadable", "", &["range"], b"me");
        unreadable.protocols[0].metadata = bytes::Bytes::from_static(b"\0");
        join_new(peer, "me", 9, &unreadable);
        peer.ask("me", 0, &delete("unreadable", &["read", "not-read"]));
    });
}
