//! What becomes of the bytes of an answer.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::header::{decode_response, encode_response, read_correlation_id};
use tidemill_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use tidemill_protocol::messages::metadata_response::MetadataResponseTopic;
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, RecordBatches};
use tidemill_protocol::{ApiKey, ErrorCode, Request, guard};

use super::World;
use crate::faults::{ReplyPlan, RequestFacts, Then};

fn heartbeat() -> Bytes {
    encode_response::<HeartbeatRequest>(&HeartbeatResponse::default(), 4, 7).unwrap()
}

/// What a script makes of some answers to Heartbeat, on one connection.
fn played(script: &str, answers: usize) -> Vec<ReplyPlan> {
    let mut world = World::new(script, 1);
    let facts = world.read(1, &HeartbeatRequest::default(), 4);
    (0..answers).map(|_| world.reply(&facts, &heartbeat())).collect()
}

fn only(script: &str) -> ReplyPlan {
    played(script, 1).remove(0)
}

fn bytes(plan: &ReplyPlan) -> Vec<u8> {
    plan.writes.iter().flat_map(|write| write.bytes.to_vec()).collect()
}

#[test]
fn an_answer_that_no_rule_is_for_stays_as_it_is() {
    let plan = only("Fetch: lose reply");
    assert_eq!((bytes(&plan), plan.then, plan.mute), (heartbeat().to_vec(), Then::GoOn, Duration::ZERO));
    assert_eq!(plan.writes.len(), 1);
}

#[test]
fn an_answer_is_lost_delayed_or_repeated() {
    let lost = only("*: lose reply");
    assert_eq!((lost.writes.len(), lost.then), (0, Then::GoOn));
    let closed = only("*: close after applying");
    assert_eq!((closed.writes.len(), closed.then), (0, Then::Close));
    let reset = only("*: reset after applying");
    assert_eq!((reset.writes.len(), reset.then), (0, Then::Reset));
    let delayed = only("*: delay 2s after applying\n*: delay 500ms after applying");
    assert_eq!(delayed.writes[0].after, Duration::from_millis(2500));
    assert_eq!(bytes(&only("*: repeat reply")), [&heartbeat()[..], &heartbeat()].concat());
    assert!(played("* nth=1: black hole after applying", 3).iter().all(|plan| plan.writes.is_empty()));
}

#[test]
fn two_answers_are_swapped() {
    let mut world = World::new("* times=1: swap reply", 1);
    let facts = world.read(1, &HeartbeatRequest::default(), 4);
    let [first, second] =
        [7, 8].map(|id| encode_response::<HeartbeatRequest>(&HeartbeatResponse::default(), 4, id).unwrap());
    assert_eq!(world.reply(&facts, &first).writes.len(), 0);
    assert_eq!(bytes(&world.reply(&facts, &second)), [&second[..], &first].concat());
    assert_eq!(bytes(&world.reply(&facts, &first)), first);
}

#[test]
fn an_answer_is_cut_and_the_connection_closed() {
    for at in [0, 3, 4, 9] {
        let plan = only(&format!("*: cut reply at {at}"));
        assert_eq!((bytes(&plan), plan.then), (heartbeat()[..at].to_vec(), Then::Close));
    }
    assert_eq!(bytes(&only("*: cut reply at 1000")), heartbeat());
    let lengths: BTreeSet<usize> = played("*: cut reply anywhere", 100).iter().map(|plan| bytes(plan).len()).collect();
    assert!(lengths.len() > 5 && lengths.iter().all(|length| *length < heartbeat().len()), "{lengths:?}");
}

#[test]
fn an_answer_is_one_bit_away_or_of_another_length() {
    let whole = heartbeat();
    let differing = |plan: &ReplyPlan| {
        let changed = bytes(plan);
        assert_eq!(changed.len(), whole.len());
        let differing = changed.iter().zip(&whole).enumerate().filter(|(_, (changed, was))| changed != was);
        differing.map(|(at, (changed, was))| (at, (changed ^ was).count_ones())).collect::<Vec<_>>()
    };
    assert_eq!(differing(&only("*: corrupt byte at 5")), [(9, 1)]);
    assert_eq!(differing(&only("*: corrupt byte at 1000")), [(whole.len() - 1, 1)]);
    assert!(played("*: corrupt byte anywhere", 100).iter().all(|plan| matches!(differing(plan)[..], [(4.., 1)])));
    assert_eq!(
        bytes(&only("*: corrupt length"))[..4],
        (i32::from_be_bytes(*whole.first_chunk().unwrap()) + 1).to_be_bytes()
    );
    let garbage = bytes(&only("*: garbage 12"));
    assert_eq!((&garbage[..whole.len()], garbage.len()), (&whole[..], whole.len() + 12));
    let other = bytes(&only("*: wrong correlation id"));
    assert_ne!(read_correlation_id(&other[4..]), Ok(7));
    assert_eq!(other[8..], whole[8..]);
}

#[test]
fn an_answer_comes_byte_by_byte() {
    let plan = only("*: delay 1s after applying\n*: one-byte writes");
    assert_eq!(bytes(&plan), heartbeat());
    assert!(plan.writes.iter().all(|write| write.bytes.len() == 1));
    assert_eq!(plan.writes.iter().map(|write| write.after).sum::<Duration>(), Duration::from_secs(1));
}

#[test]
fn an_answer_is_an_error_instead() {
    let answer = bytes(&only("*: error UNKNOWN_MEMBER_ID after applying"));
    let response = decode_response::<HeartbeatRequest>(4, Bytes::from(answer).slice(4..)).unwrap();
    assert_eq!(ErrorCode(response.error_code), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn an_answer_tells_a_throttle_time() {
    let plan = only("*: throttle 1500ms mute");
    let response = decode_response::<HeartbeatRequest>(4, Bytes::from(bytes(&plan)).slice(4..)).unwrap();
    assert_eq!((response.throttle_time_ms, plan.mute), (1500, Duration::from_millis(1500)));
    assert_eq!(only("*: throttle 1500ms").mute, Duration::ZERO);
}

#[test]
fn every_api_that_kafka_throttles_can_tell_a_throttle_time() {
    let mut throttled = BTreeSet::new();
    for (api, version, frame) in super::golden_responses() {
        let mut world = World::new("*: throttle 1500ms", 1);
        let mut facts = world.read(1, &HeartbeatRequest::default(), 4);
        (facts.api, facts.version) = (api, version);
        let answer = bytes(&world.reply(&facts, &frame));
        let description = guard::describe_response(api, version, &answer[4..]).unwrap();
        let before = guard::describe_response(api, version, &frame[4..]).unwrap();
        let has_field = before.contains("throttle_time_ms: ");
        assert_eq!(
            description.contains("throttle_time_ms: 1500\n") || description.ends_with("throttle_time_ms: 1500"),
            has_field,
            "{api} v{version}: {description}"
        );
        if has_field {
            throttled.insert(api);
        }
    }
    assert!(throttled.len() > 70, "{}", throttled.len());
}

/// A Fetch answer of one record, and what a script makes of its batch.
fn fetched(script: &str) -> (World, RequestFacts, ReplyPlan) {
    let mut builder = BatchBuilder::new(1000);
    builder.append(&NewRecord { timestamp: 1, key: None, value: Some(b"click"), headers: &[] });
    let batch = builder.seal(Codec::None).stamp(None, BatchFlags::default());
    let data = PartitionData::default().with_records(Some(batch));
    let topic = FetchableTopicResponse::default().with_partitions(vec![data]);
    let response = FetchResponse::default().with_responses(vec![topic]);
    let mut world = World::new(script, 1);
    let facts = world.read(1, &FetchRequest::default(), 12);
    let plan = world.reply(&facts, &encode_response::<FetchRequest>(&response, 12, 7).unwrap());
    (world, facts, plan)
}

fn reads(script: &str) -> Result<usize, String> {
    let (_, _, plan) = fetched(script);
    let frame = Bytes::from(bytes(&plan)).slice(4..);
    let response = decode_response::<FetchRequest>(12, frame).unwrap();
    let records = response.responses[0].partitions[0].records.clone().unwrap();
    let batch = RecordBatches::new(records).next().unwrap().map_err(|error| error.to_string())?;
    let open = batch.open(1 << 20).map_err(|error| error.to_string())?;
    open.iter()
        .map(|record| record.map(|_| ()).map_err(|error| error.to_string()))
        .collect::<Result<Vec<()>, _>>()
        .map(|all| all.len())
}

#[test]
fn a_batch_has_another_checksum_count_or_codec() {
    assert_eq!(reads("Heartbeat: lose reply"), Ok(1));
    let errors = ["crc", "count", "codec"].map(|what| reads(&format!("Fetch: corrupt {what}")).unwrap_err());
    assert!(errors[0].contains("crc") || errors[0].contains("checksum"), "{errors:?}");
    // With the checksum right, each is refused for what it is.
    assert!(!errors[1].contains("crc") && !errors[1].contains("checksum"), "{errors:?}");
    assert!(!errors[2].contains("crc") && !errors[2].contains("checksum"), "{errors:?}");
    // What has no batch is left alone, and not counted.
    let mut world = World::new("*: corrupt crc", 1);
    let facts = world.read(1, &HeartbeatRequest::default(), 4);
    assert_eq!(bytes(&world.reply(&facts, &heartbeat())), heartbeat());
    assert_eq!(world.fired(), [0]);
}

/// What a broker sends is not always what it should be: whatever the bytes, each fault does what it can.
#[test]
fn no_answer_is_too_strange_for_a_fault() {
    let faults = super::super::phrase::REQUEST.iter().flat_map(|fault| match *fault {
        "cut reply" => vec!["cut reply at 3".to_owned(), "cut reply anywhere".to_owned()],
        "corrupt" => ["byte at 9", "byte anywhere", "length", "crc", "count", "codec"]
            .map(|how| format!("corrupt {how}"))
            .to_vec(),
        "error" => vec!["error NOT_LEADER_OR_FOLLOWER after applying".to_owned()],
        "lose" => vec!["lose reply".to_owned()],
        "garbage" => vec!["garbage 12".to_owned()],
        "delay" | "throttle" => vec![format!("{fault} 1s")],
        _ => vec![(*fault).to_owned()],
    });
    let script: String = faults.map(|fault| format!("* p=0.3: {fault}\n")).collect();
    let mut world = World::new(&script, 1);
    let whole = heartbeat();
    for end in 0..=whole.len() {
        for api in [ApiKey::HEARTBEAT, ApiKey::FETCH, ApiKey::METADATA, ApiKey(999)] {
            let mut facts = world.read(1, &HeartbeatRequest::default(), 4);
            facts.api = api;
            for connection in 0..50 {
                facts.connection = connection;
                let plan = world.reply(&facts, &whole.slice(..end));
                assert!(bytes(&plan).len() < 10_000);
            }
        }
    }
    assert!(world.fired().iter().filter(|fired| **fired > 0).count() > 10);
}

#[test]
fn metadata_knows_of_no_topic() {
    let topic = MetadataResponseTopic::default().with_name(Some(TopicName::default()));
    let response = MetadataResponse::default().with_topics(vec![topic]);
    let mut world = World::new("*: empty metadata", 1);
    let facts = world.read(1, &MetadataRequest::default(), 12);
    let plan = world.reply(&facts, &encode_response::<MetadataRequest>(&response, 12, 7).unwrap());
    let answer = decode_response::<MetadataRequest>(12, Bytes::from(bytes(&plan)).slice(4..)).unwrap();
    assert_eq!(answer.topics, []);
    assert_eq!(<MetadataRequest as Request>::KEY, facts.api.0);
}
