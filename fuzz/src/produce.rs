//! The request of `Produce` on its two roads: written as slices around its batches, and by the message struct. In every
//! version both write the same bytes.
//!
//! The first byte chooses the version and whether the rest is a body, which is read, and written again as slices if
//! they can say it; or says what a request is put together from.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use tidemill_protocol::header::{decode_request, encode_request, read_request_header};
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::{ProduceRequest as Struct, TopicName, TransactionalId};
use tidemill_protocol::produce::{PartitionBatch, ProduceRequest, VERSIONS};
use tidemill_protocol::{ApiKey, StrBytes};
use uuid::Uuid;

use super::golden::{self, Side};
use super::{Peak, Seed};

/// The first version in which topics go by their id.
const BY_ID: i16 = 13;

/// Whether a request was written on both roads.
pub fn run(bytes: &[u8], peak: Peak) -> bool {
    let Some((choice, rest)) = bytes.split_first() else { return false };
    let count = VERSIONS.max - VERSIONS.min + 1;
    let (version, is_built) = (VERSIONS.min + i16::from(*choice) % count, i16::from(*choice) / count % 2 == 1);
    if is_built {
        let mut input = Unstructured::new(rest);
        let Ok((request, client_id)) = request(version, &mut input) else { return false };
        assert!(compare(version, &request, client_id.as_ref(), peak), "it was made for this version");
        return true;
    }
    let Ok(request) = decode_request::<Struct>(version, Bytes::copy_from_slice(rest)) else { return false };
    compare(version, &request, None, peak)
}

/// Every golden request, behind its version.
pub fn seeds() -> Vec<Seed> {
    let goldens = golden::all().into_iter();
    let goldens = goldens.filter(|golden| (golden.api, golden.side) == (ApiKey::PRODUCE, Side::Request));
    let seed = |golden: golden::Golden| {
        let choice = u8::try_from(golden.version - VERSIONS.min).expect("a version that is written");
        (golden.file_name(), [&[choice], &golden.body[..]].concat())
    };
    goldens.map(seed).collect()
}

/// Writes a request on both roads, if slices can say it.
fn compare(version: i16, theirs: &Struct, client_id: Option<&StrBytes>, peak: Peak) -> bool {
    let Some(batches) = batches(version, theirs) else { return false };
    let ours = ProduceRequest {
        transactional_id: theirs.transactional_id.as_ref().map(|id| id.0.as_str()),
        acks: theirs.acks,
        timeout_ms: theirs.timeout_ms,
        batches: &batches,
    };
    let client_id_text = client_id.map(StrBytes::as_str);
    let mut slices = None;
    let taken = peak(&mut || slices = Some(ours.encode(version, 7, client_id_text)));
    let slices = slices.expect("it ran").expect("what the struct says can be written");
    let expected = encode_request(theirs, version, 7, client_id).expect("what was read can be written");
    assert_eq!(slices.concat(), expected, "version {version}");
    assert_eq!(ours.frame_bytes(version, client_id_text), expected.len());
    assert!(slices.iter().all(|slice| !slice.is_empty()) && slices.len() <= 2 * batches.len() + 1);
    // Every batch is there as it is, in its order; so what is allocated has nothing to do with their size.
    let mut sent = slices.iter().map(|slice| slice.as_ptr());
    let (mut records_bytes, mut filled) = (0, 0);
    for batch in batches.iter().filter(|batch| !batch.records.is_empty()) {
        assert!(sent.any(|slice| slice == batch.records.as_ptr()), "a copy of the records");
        records_bytes += batch.records.len();
        filled += 1;
    }
    let slices_bytes = (2 * batches.len() + 1) * size_of::<Bytes>();
    let taken_max = expected.len() - records_bytes + slices_bytes + 64;
    assert!(taken <= taken_max, "{taken} bytes for {filled} batches, at the most {taken_max}");

    let mut frame = expected.slice(4..);
    read_request_header(&mut frame).expect("our own header");
    assert_eq!(&decode_request::<Struct>(version, frame).expect("what was written can be read"), theirs);
    true
}

/// The batches of a request, if it says nothing that slices do not: unknown tags, topics without partitions, two
/// neighbours of one topic, or no records (null).
fn batches(version: i16, request: &Struct) -> Option<Vec<PartitionBatch<'_>>> {
    let mut batches = Vec::new();
    let topics = &request.topic_data;
    let is_same = |pair: &[TopicProduceData]| {
        if version >= BY_ID { pair[0].topic_id == pair[1].topic_id } else { pair[0].name == pair[1].name }
    };
    if topics.windows(2).any(is_same) || !request.unknown_tagged_fields.is_empty() {
        return None;
    }
    for topic in topics {
        if topic.partition_data.is_empty() || !topic.unknown_tagged_fields.is_empty() {
            return None;
        }
        for partition in &topic.partition_data {
            if !partition.unknown_tagged_fields.is_empty() {
                return None;
            }
            let records = partition.records.clone()?;
            let (topic, topic_id) = (topic.name.0.as_str(), topic.topic_id);
            batches.push(PartitionBatch { topic, topic_id, partition: partition.index, records });
        }
    }
    Some(batches)
}

/// A request that can be said in this version, and in slices.
fn request(version: i16, input: &mut Unstructured<'_>) -> arbitrary::Result<(Struct, Option<StrBytes>)> {
    let text = |input: &mut Unstructured<'_>| Ok(StrBytes::from_string(input.arbitrary()?));
    let client_id = if input.arbitrary()? { Some(text(input)?) } else { None };
    let transactional_id = if input.arbitrary()? { Some(TransactionalId(text(input)?)) } else { None };
    let mut request = Struct::default()
        .with_transactional_id(transactional_id)
        .with_acks(input.arbitrary()?)
        .with_timeout_ms(input.arbitrary()?);
    for place in 0..input.int_in_range(0..=4_u8)? {
        let mut topic = TopicProduceData::default();
        // Told apart by their place, so that no two neighbours are one topic.
        topic = if version >= BY_ID {
            let mut id: [u8; 16] = input.arbitrary()?;
            id[0] = place;
            topic.with_topic_id(Uuid::from_bytes(id))
        } else {
            topic.with_name(TopicName(StrBytes::from_string(format!("{place}{}", input.arbitrary::<&str>()?))))
        };
        for _ in 0..input.int_in_range(1..=4)? {
            let records = records(input)?;
            let partition = PartitionProduceData::default().with_index(input.arbitrary()?).with_records(Some(records));
            topic.partition_data.push(partition);
        }
        request.topic_data.push(topic);
    }
    Ok((request, client_id))
}

/// Of sizes on both sides of where a varint grows, or any.
fn records(input: &mut Unstructured<'_>) -> arbitrary::Result<Bytes> {
    Ok(match input.int_in_range(0..=3)? {
        0 => Bytes::from(vec![7; input.int_in_range(120..=135)?]),
        1 => Bytes::from(vec![7; input.int_in_range(16_380..=16_390)?]),
        _ => Bytes::from(Vec::arbitrary(input)?),
    })
}
