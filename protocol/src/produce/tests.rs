//! Against the message struct's own encoder, in every version.

use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest as Struct, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;

use super::*;
use crate::header;

/// A topic, its id, and its partitions with their batches.
type Topic = (String, [u8; 16], Vec<(i32, Vec<u8>)>);

/// As the message struct writes it, in one piece.
fn by_struct(request: &ProduceRequest<'_>, topics: &[Topic], version: i16, client_id: Option<&str>) -> Bytes {
    let topics = topics.iter().map(|(name, id, partitions)| {
        let partitions = partitions.iter().map(|(index, records)| {
            let records = Some(Bytes::copy_from_slice(records));
            PartitionProduceData::default().with_index(*index).with_records(records)
        });
        let topic = TopicProduceData::default().with_partition_data(partitions.collect());
        if version >= BY_ID {
            topic.with_topic_id(Uuid::from_bytes(*id))
        } else {
            topic.with_name(TopicName(StrBytes::from_string(name.clone())))
        }
    });
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let body = Struct::default()
        .with_transactional_id(request.transactional_id.map(text).map(TransactionalId))
        .with_acks(request.acks)
        .with_timeout_ms(request.timeout_ms)
        .with_topic_data(topics.collect());
    header::encode_request(&body, version, 7, client_id.map(text).as_ref()).unwrap()
}

fn batches(topics: &[Topic]) -> Vec<PartitionBatch<'_>> {
    let batches = topics.iter().flat_map(|(topic, id, partitions)| {
        let topic_id = Uuid::from_bytes(*id);
        partitions.iter().map(move |(partition, records)| {
            let records = Bytes::copy_from_slice(records);
            PartitionBatch { topic, topic_id, partition: *partition, records }
        })
    });
    batches.collect()
}

/// Sizes on both sides of where a varint grows, and none.
fn records() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![Just(0_usize), 1..40_usize, 120..135_usize, 16_380..16_390_usize];
    (size, any::<u8>()).prop_map(|(size, byte)| vec![byte; size])
}

fn topics() -> impl Strategy<Value = Vec<Topic>> {
    let partitions = prop::collection::vec((any::<i32>(), records()), 1..6);
    let topic = ("[a-z\u{f6}\u{1f980}]{0,140}", any::<[u8; 16]>(), partitions);
    // Names are told apart by their place, so that no two neighbours are one topic.
    prop::collection::vec(topic, 0..5).prop_map(|topics| {
        let topics = topics.into_iter().enumerate();
        topics.map(|(place, (name, id, partitions))| (format!("{place}{name}"), id, partitions)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_slices_are_the_bytes_that_the_struct_gives(
        topics in topics(),
        transactional_id in prop::option::of("[a-z]{0,20}"),
        client_id in prop::option::of("[a-z]{0,20}"),
        acks: i16,
        timeout_ms: i32,
    ) {
        let batches = batches(&topics);
        let (transactional_id, client_id) = (transactional_id.as_deref(), client_id.as_deref());
        let request = ProduceRequest { transactional_id, acks, timeout_ms, batches: &batches };
        for version in VERSIONS.min..=VERSIONS.max {
            let slices = request.encode(version, 7, client_id).unwrap();
            let expected = by_struct(&request, &topics, version, client_id);
            prop_assert_eq!(slices.concat(), &expected[..], "version {}", version);
            prop_assert_eq!(request.frame_bytes(version, client_id), expected.len());
            prop_assert!(slices.iter().all(|slice| !slice.is_empty()));
            prop_assert!(slices.len() <= 2 * batches.len() + 1);
            // Every batch is there as it is, in its order: not a copy.
            let mut sent = slices.iter().map(|slice| slice.as_ptr());
            for batch in batches.iter().filter(|batch| !batch.records.is_empty()) {
                prop_assert!(sent.any(|slice| slice == batch.records.as_ptr()));
            }
        }
    }
}

#[test]
fn every_version_with_a_struct_is_written() {
    assert_eq!(ApiKey::PRODUCE.versions(), Some(VERSIONS));
}

#[test]
fn neighbours_of_one_topic_share_its_entry_and_others_do_not() {
    let batch = |topic, id, partition| PartitionBatch {
        topic,
        topic_id: Uuid::from_u128(id),
        partition,
        records: Bytes::from_static(b"batch"),
    };
    let batches = [batch("a", 1, 0), batch("a", 1, 1), batch("b", 2, 0), batch("a", 1, 2)];
    let request = ProduceRequest { transactional_id: None, acks: 1, timeout_ms: 5, batches: &batches };
    for version in VERSIONS.min..=VERSIONS.max {
        let mut frame = Bytes::from(request.encode(version, 7, None).unwrap().concat()).slice(LENGTH_BYTES..);
        header::read_request_header(&mut frame).unwrap();
        let read = header::decode_request::<Struct>(version, frame).unwrap();
        let counts: Vec<usize> = read.topic_data.iter().map(|topic| topic.partition_data.len()).collect();
        assert_eq!(counts, [2, 1, 1], "version {version}");
    }
}

#[test]
fn what_cannot_be_said_is_refused() {
    let long = "x".repeat(STRING_BYTES_MAX + 1);
    let request = |transactional_id| ProduceRequest { transactional_id, acks: 1, timeout_ms: 5, batches: &[] };
    for version in [VERSIONS.min - 1, VERSIONS.max + 1, -1] {
        let refused = request(None).encode(version, 7, None).unwrap_err();
        assert!(refused.to_string().contains("not known"), "{refused}");
    }
    for version in [3, 13] {
        assert!(request(Some(&long)).encode(version, 7, None).is_err());
        assert!(request(None).encode(version, 7, Some(&long)).is_err());
    }
    let batch = PartitionBatch { topic: &long, topic_id: Uuid::nil(), partition: 0, records: Bytes::new() };
    let by_name = ProduceRequest { transactional_id: None, acks: 1, timeout_ms: 5, batches: &[batch] };
    assert!(by_name.encode(12, 7, None).is_err());
    assert!(by_name.encode(13, 7, None).is_ok(), "a name that is not said may be any");
    // One buffer for all of them: 33 times 64 MiB is more than a frame may hold.
    let records = Bytes::from(vec![0; 64 << 20]);
    let batch = |partition| PartitionBatch { topic: "a", topic_id: Uuid::nil(), partition, records: records.clone() };
    let batches: Vec<PartitionBatch<'_>> = (0..33).map(batch).collect();
    let too_large = ProduceRequest { transactional_id: None, acks: 1, timeout_ms: 5, batches: &batches };
    assert!(too_large.encode(12, 7, None).unwrap_err().reason.contains("fit in a frame"));
}
