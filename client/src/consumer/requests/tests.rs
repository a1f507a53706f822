//! Each request in every version both sides may speak: it can be written, and reads back as what was meant.

use tidemill_protocol::header::{decode_request, encode_request, encode_response, read_request_header};
use tidemill_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use tidemill_protocol::messages::{BrokerId, FetchRequest, FetchResponse};
use tidemill_protocol::{Request, messages};
use uuid::Uuid;

use super::*;
use crate::consumer::fetcher;
use crate::consumer::fetcher::session::Said;

/// Writes the request and reads it back.
fn through<R: Request>(request: &R, version: i16) -> R {
    let mut frame = encode_request(request, version, 1, None).unwrap().slice(4..);
    read_request_header(&mut frame).unwrap();
    decode_request::<R>(version, frame).unwrap()
}

fn each(versions: VersionRange) -> std::ops::RangeInclusive<i16> {
    versions.min..=versions.max
}

fn group() -> Group {
    Group {
        id: text("readers"),
        instance_id: Some(text("one")),
        remote_assignor: None,
        session_timeout: Duration::from_secs(45),
        rebalance_timeout: Duration::from_secs(300),
    }
}

fn partition(number: i32) -> TopicPartition {
    partition_of(&Arc::from("orders"), number)
}

fn identity() -> Identity {
    Identity { generation: 3, member_id: "me".to_owned() }
}

#[test]
fn the_group_requests_say_who_we_are_in_every_version() {
    let group = group();
    let join = Join {
        attempt: 1,
        member_id: "me".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"s"))],
        reason: "why",
    };
    for version in each(versions::JOIN_GROUP) {
        let read = through(&group.join_request(&join, version), version);
        assert_eq!((read.session_timeout_ms, read.rebalance_timeout_ms), (45_000, 300_000));
        assert_eq!(read.protocols[0].metadata, "s");
    }
    let assignments = vec![("me".to_owned(), Bytes::from_static(b"a"))];
    let sync = Sync { attempt: 1, identity: identity(), protocol: "range".to_owned(), assignments };
    for version in each(versions::SYNC_GROUP) {
        let read = through(&group.sync_request(&sync, version), version);
        assert_eq!((read.generation_id, &*read.member_id), (3, "me"));
    }
    for version in each(versions::HEARTBEAT) {
        assert_eq!(through(&group.heartbeat_request(&identity(), version), version).generation_id, 3);
    }
    for version in each(versions::LEAVE_GROUP) {
        let read = through(&group.leave_request("me", version), version);
        let member_id = if version < 3 { &read.member_id } else { &read.members[0].member_id };
        assert_eq!(&**member_id, "me");
    }
}

#[test]
fn offsets_are_committed_and_asked_for_in_every_version() {
    let group = group();
    let offsets = [(partition(0), 10.into()), (partition(1), 20.into())].into();
    let plan = commits::Plan { token: 1, identity: identity(), offsets };
    for version in each(versions::OFFSET_COMMIT) {
        let read = through(&group.commit_request(&plan, version), version);
        assert_eq!(read.topics[0].partitions[1].committed_offset, 20);
    }
    let plan = committed::Plan { token: 1, partitions: vec![partition(0), partition(1)] };
    for version in each(versions::OFFSET_FETCH) {
        let read = through(&group.committed_request(&plan, version), version);
        let partitions = if version < 8 {
            read.topics.unwrap().remove(0).partition_indexes
        } else {
            read.groups[0].topics.clone().unwrap().remove(0).partition_indexes
        };
        assert_eq!(partitions, [0, 1]);
    }
}

#[test]
fn offsets_are_listed_in_every_version() {
    let partitions = vec![(partition(0), OffsetSpec::Earliest, 4), (partition(1), OffsetSpec::Timestamp(99), 4)];
    let plan = offset_lookup::Plan { token: 1, broker: 0, partitions };
    for version in each(versions::LIST_OFFSETS) {
        let request = list_offsets_request(&plan, IsolationLevel::ReadCommitted, Duration::from_secs(30), version);
        let read = through(&request, version);
        let timestamps: Vec<i64> = read.topics[0].partitions.iter().map(|part| part.timestamp).collect();
        assert_eq!((read.replica_id, timestamps), (BrokerId(-1), vec![-2, 99]));
    }
}

#[test]
fn a_fetch_names_topics_by_id_where_it_can_and_finds_them_again_in_the_reply() {
    let id = Uuid::from_u128(7);
    let plan = fetcher::Plan::for_tests(&[(partition(1), id, 60), (partition(3), id, 50)]);
    assert_eq!(fetch::versions_of(&plan), versions::FETCH);
    for version in each(versions::FETCH) {
        let read: FetchRequest = through(&fetch::request(&plan, version), version);
        assert_eq!((read.session_id, read.session_epoch), (0, -1));
        assert_eq!(offsets(&read), [60, 50]);
        let data =
            |number| PartitionData::default().with_partition_index(number).with_high_watermark(i64::from(number));
        let topic = FetchableTopicResponse::default().with_partitions(vec![data(1), data(1), data(9), data(3)]);
        let topic = if version >= 13 { topic.with_topic_id(id) } else { topic.with_topic(TopicName(text("orders"))) };
        let response = FetchResponse::default().with_responses(vec![topic]);
        let frame = encode_response::<FetchRequest>(&response, version, 7).unwrap().slice(4..);
        let response = tidemill_protocol::fetch::FetchResponse::read(version, &frame).unwrap();
        let (answers, _) = fetch::reply(&plan, version, &response).unwrap();
        let found: Vec<(usize, i64)> = answers.iter().map(|answer| (answer.index, answer.high_watermark)).collect();
        assert_eq!(found, [(0, 1), (1, 3)], "version {version}");
    }
}

fn offsets(request: &FetchRequest) -> Vec<i64> {
    request.topics.iter().flat_map(|topic| &topic.partitions).map(|part| part.fetch_offset).collect()
}

#[test]
fn within_a_session_only_what_changed_is_said_where_the_version_has_sessions() {
    let id = Uuid::from_u128(7);
    let mut plan = fetcher::Plan::for_tests(&[(partition(1), id, 60), (partition(3), id, 50)]);
    plan.first = 1;
    plan.said = Said {
        session_id: 4,
        session_epoch: 9,
        changed: Some(vec![0]),
        forgotten: vec![(partition(5), id), (partition(6), id)],
    };
    for version in each(versions::FETCH) {
        let read: FetchRequest = through(&fetch::request(&plan, version), version);
        if version < 7 {
            assert_eq!(offsets(&read), [50, 60], "all, and the other one first");
            continue;
        }
        assert_eq!((read.session_id, read.session_epoch, offsets(&read)), (4, 9, vec![60]));
        let forgotten = &read.forgotten_topics_data[0];
        assert_eq!((forgotten.topic_id == id, &forgotten.partitions), (version >= 13, &vec![5, 6]));
    }
}

#[test]
fn a_fetch_of_a_topic_without_a_known_id_goes_by_name() {
    let plan = fetcher::Plan::for_tests(&[(partition(0), Uuid::nil(), 0)]);
    assert_eq!(fetch::versions_of(&plan), versions::FETCH_BY_NAME);
}

#[test]
fn committed_offsets_read_alike_in_both_shapes_of_the_answer() {
    use messages::offset_fetch_response::{
        OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
        OffsetFetchResponseTopic, OffsetFetchResponseTopics,
    };
    let name = || TopicName(text("orders"));
    let old = OffsetFetchResponsePartition::default().with_committed_offset(5).with_metadata(Some(text("m")));
    let none = OffsetFetchResponsePartition::default().with_partition_index(1).with_committed_offset(-1);
    let old = OffsetFetchResponseTopic::default().with_name(name()).with_partitions(vec![old, none]);
    let old = OffsetFetchResponse::default().with_topics(vec![old]);
    let new = OffsetFetchResponsePartitions::default().with_committed_offset(5).with_metadata(Some(text("m")));
    let none = OffsetFetchResponsePartitions::default().with_partition_index(1).with_committed_offset(-1);
    let new = OffsetFetchResponseTopics::default().with_name(name()).with_partitions(vec![new, none]);
    let new = OffsetFetchResponseGroup::default().with_topics(vec![new]);
    let new = OffsetFetchResponse::default().with_groups(vec![new]);
    let answers = committed(new).unwrap();
    assert_eq!(answers, committed(old).unwrap());
    assert_eq!(answers[0].1.as_ref().unwrap().as_ref().unwrap().offset, 5);
    assert_eq!(answers[1], (partition(1), Ok(None)));
}

#[test]
fn an_error_of_the_group_is_an_error_of_the_whole_answer() {
    use messages::offset_fetch_response::OffsetFetchResponseGroup;
    let code = ErrorCode::NOT_COORDINATOR;
    let group = OffsetFetchResponseGroup::default().with_error_code(code.0);
    assert_eq!(committed(OffsetFetchResponse::default().with_groups(vec![group])), Err(code));
    let joined = joined(JoinGroupResponse::default().with_error_code(79).with_member_id(text("me"))).unwrap_err();
    assert!(matches!(joined, (Failure::Broker(ErrorCode::MEMBER_ID_REQUIRED), member_id) if member_id == "me"));
}
