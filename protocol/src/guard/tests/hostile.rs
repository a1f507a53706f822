//! Bytes that ended a process, took gigabytes or were read as something else before the guard stood in front.
//!
//! Each is refused with the field and the byte that lie; that the refusal is the guard's shows in its words.

use bytes::{BufMut, Bytes, BytesMut};

use super::super::{Budget, check_request, check_response};
use crate::api::ApiKey;
use crate::error::DecodeError;
use crate::header::{decode_request, decode_response, encode_request, encode_response};
use crate::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use crate::messages::{
    ApiVersionsRequest, DescribeConfigsRequest, FetchRequest, FindCoordinatorRequest, HeartbeatRequest,
    JoinGroupRequest, ListGroupsRequest, MetadataRequest, MetadataResponse, ProduceRequest, TopicName,
};
use crate::{Request, StrBytes};

fn request<R: Request>(version: i16, body: &[u8]) -> DecodeError {
    match decode_request::<R>(version, Bytes::copy_from_slice(body)) {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

/// The refusal of a response, its offset counted from the body.
fn response<R: Request>(version: i16, body: &[u8]) -> DecodeError {
    let header_version = ApiKey(R::KEY).response_header_version(version).unwrap();
    let mut frame = BytesMut::new();
    frame.put_i32(7);
    if header_version > 0 {
        frame.put_u8(0);
    }
    let start = frame.len();
    frame.put_slice(body);
    match decode_response::<R>(version, frame.freeze()) {
        Ok(_) => panic!("accepted"),
        Err(error) => DecodeError { offset: error.offset - start, ..error },
    }
}

#[track_caller]
fn assert_refused(error: &DecodeError, field: &str, offset: usize, reason: &str) {
    assert_eq!((error.field.as_str(), error.offset), (field, offset), "{error}");
    assert!(error.reason.contains(reason), "{error}");
}

#[test]
fn f1_a_count_of_two_billion_topics_in_four_bytes() {
    let error = request::<MetadataRequest>(0, &[0x7f, 0xff, 0xff, 0xff]);
    assert_refused(&error, "topics", 0, "2147483647 elements of at least 2 bytes each, and 0 bytes are left");
    assert_eq!(error.to_string(), format!("Metadata v0: topics at byte 0: {}", error.reason));
    assert_refused(&request::<MetadataRequest>(0, &[5, 0, 0x40, 5]), "topics", 0, "83902469 elements");
}

#[test]
fn f1_a_count_of_topics_in_a_fetch_response() {
    let error = response::<FetchRequest>(4, &[0, 0, 0, 0, 8, 4, 0xff, 0xff]);
    assert_refused(&error, "responses", 4, "134545407 elements");
}

#[test]
fn f1_a_count_of_versions_in_an_api_versions_response() {
    let error = response::<ApiVersionsRequest>(1, &[0x1e, 0x1a, 0x1a, 0x1e, 0x1a, 0x1a]);
    assert_refused(&error, "api_keys", 2, "438180378 elements");
}

#[test]
fn f1_a_count_of_members_in_a_join_group_response() {
    let body = [0x15, 0, 0, 0, 1, 0x15, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfc, 0xff];
    assert_refused(&response::<JoinGroupRequest>(0, &body), "members", 12, "16776447 elements");
}

#[test]
fn f1_a_count_of_results_in_a_describe_configs_response() {
    let error = response::<DescribeConfigsRequest>(1, &[0, 0, 0x3b, 0xff, 1, 0x41, 0x6f, 0]);
    assert_refused(&error, "results", 4, "21065472 elements");
}

#[test]
fn f2_a_compact_count_of_topics_in_a_fetch_response() {
    let body = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f];
    assert_refused(&response::<FetchRequest>(12, &body), "responses", 10, "4294967294 elements");
}

#[test]
fn f2_a_compact_count_of_coordinators() {
    let error = response::<FindCoordinatorRequest>(6, &[0x88, 0x8f, 0x8f, 0x88, 0xff, 0xff, 0xff, 9]);
    assert_refused(&error, "coordinators", 4, "20971518 elements");
}

#[test]
fn counts_that_multiply_are_refused_where_the_inner_one_lies() {
    // Two topics; the second has one partition, whose replicas are many.
    let mut body = BytesMut::new();
    body.put_i32(0); // brokers
    body.put_i32(2);
    for (name, partitions) in [("a", 0), ("b", 1)] {
        body.put_i16(0);
        body.put_i16(1);
        body.put_slice(name.as_bytes());
        body.put_i32(partitions);
    }
    body.put_slice(&[0; 10]); // error, index, leader
    body.put_i32(i32::MAX);
    body.put_i32(0); // replicas in sync
    let error = response::<MetadataRequest>(0, &body);
    assert_refused(&error, "topics[1].partitions[0].replica_nodes", 36, "2147483647 elements");
}

#[test]
fn f9_a_varint_that_would_lose_its_upper_bits() {
    let error = request::<MetadataRequest>(9, &[0x81, 0x80, 0x80, 0x80, 0x70, 0, 0, 0, 0]);
    assert_refused(&error, "topics", 0, "more than 32 bits");
}

#[test]
fn f9_a_varint_that_does_not_end() {
    let error = request::<MetadataRequest>(9, &[0x80; 12]);
    assert_refused(&error, "topics", 0, "more than five bytes");
}

#[test]
fn f9_a_varint_in_more_bytes_than_it_needs() {
    let error = request::<MetadataRequest>(9, &[0x80, 0, 0, 0, 0, 0]);
    assert_refused(&error, "topics", 0, "over-long");
}

/// `ListGroups` v3 has no fields: only tagged ones.
#[test]
fn f10_a_tag_that_would_turn_negative() {
    let error = request::<ListGroupsRequest>(3, &[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
    assert_refused(&error, "tagged fields", 1, "31 bits");
}

#[test]
fn f10_tags_that_repeat_or_descend() {
    for body in [[2, 9, 0, 9, 0], [2, 9, 0, 8, 0]] {
        let error = request::<ListGroupsRequest>(3, &body);
        assert_refused(&error, "tagged fields", 3, "repeated or out of order");
    }
}

#[test]
fn f10_a_tag_that_lies_about_its_size() {
    assert_refused(&request::<ListGroupsRequest>(3, &[1, 9, 4, 1, 2]), "tagged fields", 1, "longer than what is left");
    // Fetch v12 without topics, and the endpoints' tag 0 belongs to version 16.
    let body = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1];
    assert_refused(&response::<FetchRequest>(12, &body), "tagged fields", 12, "another version");
    assert!(decode_response::<FetchRequest>(16, framed(&body)).is_ok());
    // A value shorter and one longer than its size.
    let body = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 2, 1, 0];
    assert_refused(&response::<FetchRequest>(16, &body), "node_endpoints", 15, "shorter than its size");
    let body = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 2, 2, 0, 0, 0, 0, 0];
    assert_refused(&response::<FetchRequest>(16, &body), "node_endpoints", 14, "1 bytes are left");
}

#[test]
fn f10_as_many_tags_as_a_count_can_say() {
    let error = request::<ListGroupsRequest>(3, &[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_refused(&error, "tagged fields", 5, "the bytes end");
}

#[test]
fn lengths_that_lie_and_nulls_that_may_not_be() {
    // Heartbeat v0: group id, generation, member id.
    assert_refused(&request::<HeartbeatRequest>(0, &[0xff, 0xfe]), "group_id", 0, "negative length");
    assert_refused(&request::<HeartbeatRequest>(0, &[0xff, 0xff, 0, 0]), "group_id", 0, "null");
    assert_refused(&request::<HeartbeatRequest>(0, &[0, 9, b'g']), "group_id", 0, "9 bytes, and 1 are left");
    assert_refused(&request::<HeartbeatRequest>(0, &[0, 1, 0xff]), "group_id", 0, "UTF-8");
    assert_refused(&request::<HeartbeatRequest>(0, &[0, 0, 0, 0]), "generation_id", 2, "the bytes end");
    assert_refused(&request::<HeartbeatRequest>(0, &[0, 0, 0, 0, 0, 1, 0, 0, 9]), "", 8, "1 bytes behind");
    // Null topics mean all of them from version 1 on.
    assert_refused(&request::<MetadataRequest>(0, &[0xff, 0xff, 0xff, 0xff]), "topics", 0, "null");
    assert!(decode_request::<MetadataRequest>(1, Bytes::from_static(&[0xff, 0xff, 0xff, 0xff])).is_ok());
    assert_refused(&request::<MetadataRequest>(1, &[0xff, 0xff, 0xff, 0xfe]), "topics", 0, "negative length");
}

#[test]
fn a_version_without_a_struct_is_refused_by_name() {
    for version in [-1, 14, i16::MAX] {
        let error = check_request(ApiKey::METADATA, version, &[], Budget::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("Metadata v{version}: at byte 0: a version that is not known"));
    }
    assert!(check_response(ApiKey(500), 0, &[0; 8], Budget::default()).is_err());
}

#[test]
fn a_crowd_of_empty_names_is_over_the_budget() {
    // 200,000 empty strings: 400 kB on the wire, 6.4 MB in memory.
    let mut body = BytesMut::new();
    body.put_i32(200_000);
    body.put_bytes(0, 400_000);
    let tight = Budget::default().bytes_min(1 << 20).times_frame(8);
    let error = check_request(ApiKey::METADATA, 0, &body, tight).unwrap_err();
    assert_refused(&error, "topics", 0, "more than 3200032 bytes of memory");
}

#[test]
fn a_crowd_of_unknown_tags_is_over_the_budget() {
    // 50,000 topics, each with a tag of no bytes: two on the wire, and a node of a B-tree in memory.
    let mut body = BytesMut::new();
    body.put_slice(&[0; 7]); // transactional id, acks, timeout
    body.put_slice(&[0xd1, 0x86, 0x03]);
    for _ in 0..50_000 {
        body.put_slice(b"\x15twenty letters long.\x01\x01\x09\x00"); // name, no partitions, one tag
    }
    body.put_u8(0);
    let error = check_request(ApiKey::PRODUCE, 9, &body, Budget::default()).unwrap_err();
    assert!(error.reason.contains("of memory") && error.field.ends_with("].tagged fields"), "{error}");
    let enough = Budget::default().times_frame(32);
    check_request(ApiKey::PRODUCE, 9, &body, enough).unwrap();
    assert!(decode_request::<ProduceRequest>(9, body.freeze()).is_err());
}

#[test]
fn messages_as_clusters_send_them_are_far_within_the_budget() {
    let partition = MetadataResponsePartition::default()
        .with_replica_nodes(vec![1.into(), 2.into(), 3.into()])
        .with_isr_nodes(vec![1.into(), 2.into(), 3.into()]);
    let topic = |index: usize| {
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string(format!("t{index}")))))
            .with_partitions(vec![partition.clone(); 3])
    };
    let topics = (0..50_000).map(topic).collect();
    let frame = encode_response::<MetadataRequest>(&MetadataResponse::default().with_topics(topics), 12, 7).unwrap();
    let half = Budget::default().times_frame(8);
    check_response(ApiKey::METADATA, 12, &frame[4..], half).unwrap();
}

#[test]
fn a_client_id_is_checked_too() {
    let good = encode_request(&MetadataRequest::default(), 12, 7, None).unwrap();
    for (at, lie, reason) in [(8, [0x7f, 0xff], "32767 bytes"), (8, [0x80, 0], "negative length")] {
        let mut frame = BytesMut::from(&good[4..]);
        frame[at..at + 2].copy_from_slice(&lie);
        let error = crate::header::read_request_header(&mut frame.freeze()).unwrap_err();
        assert_refused(&error, "client_id", at, reason);
    }
    // The header's own tags: one of more bytes than there are.
    let mut frame = BytesMut::from(&good[4..14]);
    frame.put_slice(&[1, 0, 9]);
    let error = crate::header::read_request_header(&mut frame.freeze()).unwrap_err();
    assert_refused(&error, "tagged fields", 11, "longer than what is left");
}

fn framed(body: &[u8]) -> Bytes {
    [&[0, 0, 0, 7, 0][..], body].concat().into()
}
