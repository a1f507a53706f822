//! The response of `Fetch` on its two roads: read by hand, and by guard and message struct. In every version both read
//! the same or refuse in the same words.
//!
//! The first byte chooses the version and whether the rest is the body, or says what a response is put together from and
//! how its bytes are then changed.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use tidemill_protocol::fetch::{AbortedTransactions, FetchResponse, VERSIONS};
use tidemill_protocol::guard::{self, Budget};
use tidemill_protocol::header::{decode_response_within, encode_response};
use tidemill_protocol::messages::fetch_response as parts;
use tidemill_protocol::messages::{BrokerId, FetchRequest, FetchResponse as Struct, ProducerId, TopicName};
use tidemill_protocol::{ApiKey, StrBytes};
use uuid::Uuid;

use super::changes::change;
use super::golden::{self, Side};
use super::{Peak, Seed};

/// Whether the response was accepted.
pub fn run(bytes: &[u8], peak: Peak) -> bool {
    let Some((choice, rest)) = bytes.split_first() else { return false };
    let count = VERSIONS.max - VERSIONS.min + 1;
    let (version, is_built) = (VERSIONS.min + i16::from(*choice) % count, i16::from(*choice) / count % 2 == 1);
    if !is_built {
        return compare(version, &golden::framed(ApiKey::FETCH, version, Side::Response, rest), peak);
    }
    let mut input = Unstructured::new(rest);
    let Ok(response) = response(version, &mut input) else { return false };
    let frame = encode_response::<FetchRequest>(&response, version, 7).expect("made for this version");
    let mut frame = frame[4..].to_vec();
    assert!(compare(version, &Bytes::copy_from_slice(&frame), peak), "it was made by the struct");
    change(&mut frame, &mut input).is_ok_and(|()| compare(version, &Bytes::from(frame), peak))
}

/// Every golden response, behind its version.
pub fn seeds() -> Vec<Seed> {
    let goldens = golden::all().into_iter();
    let goldens = goldens.filter(|golden| (golden.api, golden.side) == (ApiKey::FETCH, Side::Response));
    let seed = |golden: golden::Golden| {
        let choice = u8::try_from(golden.version - VERSIONS.min).expect("a version that is read");
        (golden.file_name(), [&[choice], &golden.body[..]].concat())
    };
    goldens.map(seed).collect()
}

/// Reads a frame on both roads.
fn compare(version: i16, frame: &Bytes, peak: Peak) -> bool {
    let budget = Budget::default();
    let checked = guard::check_response(ApiKey::FETCH, version, frame, budget);
    let (mut ours, mut theirs) = (None, None);
    let taken = peak(&mut || ours = Some(FetchResponse::read_within(version, frame, budget)));
    let their_taken =
        peak(&mut || theirs = Some(decode_response_within::<FetchRequest>(version, frame.clone(), budget)));
    match (ours.expect("it ran"), theirs.expect("it ran")) {
        (Ok(ours), Ok(theirs)) => {
            // A list that grows holds what it had beside what it gets.
            assert!(taken <= 2 * their_taken + 256, "{taken} bytes by hand, {their_taken} by the struct");
            same(&ours, &theirs, frame);
            true
        }
        (Err(ours), Err(theirs)) => {
            assert_eq!((Some(&ours), Some(&theirs)), (checked.as_ref().err(), checked.as_ref().err()));
            false
        }
        (ours, theirs) => panic!("version {version}: by hand {:?}, by the struct {:?}", ours.err(), theirs.err()),
    }
}

fn same(ours: &FetchResponse, theirs: &Struct, frame: &Bytes) {
    assert_eq!(ours.throttle_time_ms, theirs.throttle_time_ms);
    assert_eq!(ours.error_code.0, theirs.error_code);
    assert_eq!(ours.session_id, theirs.session_id);
    assert_eq!(ours.node_endpoints.len(), theirs.node_endpoints.len());
    for (ours, theirs) in ours.node_endpoints.iter().zip(&theirs.node_endpoints) {
        assert_eq!((ours.node_id, ours.port), (theirs.node_id.0, theirs.port));
        assert_eq!((&ours.host, &ours.rack), (&theirs.host, &theirs.rack));
    }
    assert_eq!(ours.topics().count(), theirs.responses.len());
    for (ours, theirs) in ours.topics().zip(&theirs.responses) {
        assert_eq!((ours.name, ours.id), (&theirs.topic.0, theirs.topic_id));
        assert_eq!(ours.partitions.len(), theirs.partitions.len());
        for (ours, theirs) in ours.partitions.iter().zip(&theirs.partitions) {
            assert_eq!(ours.partition_index, theirs.partition_index);
            assert_eq!(ours.error_code.0, theirs.error_code);
            assert_eq!(ours.high_watermark, theirs.high_watermark);
            assert_eq!(ours.last_stable_offset, theirs.last_stable_offset);
            assert_eq!(ours.log_start_offset, theirs.log_start_offset);
            let (one, other) = (&ours.diverging_epoch, &theirs.diverging_epoch);
            assert_eq!((one.epoch, one.end_offset), (other.epoch, other.end_offset));
            let (one, other) = (&ours.current_leader, &theirs.current_leader);
            assert_eq!((one.leader_id, one.leader_epoch), (other.leader_id.0, other.leader_epoch));
            let (one, other) = (&ours.snapshot_id, &theirs.snapshot_id);
            assert_eq!((one.end_offset, one.epoch), (other.end_offset, other.epoch));
            let aborted = |aborted: &AbortedTransactions| {
                assert_eq!(aborted.is_empty(), aborted.iter().next().is_none());
                aborted.iter().map(|aborted| (aborted.producer_id, aborted.first_offset)).collect::<Vec<_>>()
            };
            let their_aborted = theirs.aborted_transactions.as_ref().map(|aborted| {
                aborted.iter().map(|aborted| (aborted.producer_id.0, aborted.first_offset)).collect::<Vec<_>>()
            });
            assert_eq!(ours.aborted_transactions.as_ref().map(aborted), their_aborted);
            assert_eq!(ours.preferred_read_replica, theirs.preferred_read_replica.0);
            assert_eq!(ours.records, theirs.records);
            for records in ours.records.iter().filter(|records| !records.is_empty()) {
                assert!(frame.as_ptr_range().contains(&records.as_ptr()), "a copy of the records");
            }
        }
    }
}

/// A response of which everything can be said in this version.
fn response(version: i16, input: &mut Unstructured<'_>) -> arbitrary::Result<Struct> {
    let mut response = Struct::default().with_throttle_time_ms(input.arbitrary()?);
    if version >= 7 {
        response = response.with_error_code(input.arbitrary()?).with_session_id(input.arbitrary()?);
    }
    for _ in 0..input.int_in_range(0..=3)? {
        response.responses.push(topic(version, input)?);
    }
    if version >= 16 {
        for _ in 0..input.int_in_range(0..=2)? {
            let endpoint = parts::NodeEndpoint::default()
                .with_node_id(BrokerId(input.arbitrary()?))
                .with_host(text(input)?)
                .with_port(input.arbitrary()?)
                .with_rack(if input.arbitrary()? { Some(text(input)?) } else { None });
            response.node_endpoints.push(endpoint);
        }
    }
    if version >= 12 {
        // No tag of the schema is as high.
        response.unknown_tagged_fields.extend(unknown_tags(input)?);
    }
    Ok(response)
}

fn topic(version: i16, input: &mut Unstructured<'_>) -> arbitrary::Result<parts::FetchableTopicResponse> {
    let mut topic = parts::FetchableTopicResponse::default();
    topic = if version >= 13 {
        topic.with_topic_id(Uuid::from_bytes(input.arbitrary()?))
    } else {
        topic.with_topic(TopicName(text(input)?))
    };
    for _ in 0..input.int_in_range(0..=3)? {
        topic.partitions.push(partition(version, input)?);
    }
    if version >= 12 {
        topic.unknown_tagged_fields.extend(unknown_tags(input)?);
    }
    Ok(topic)
}

fn partition(version: i16, input: &mut Unstructured<'_>) -> arbitrary::Result<parts::PartitionData> {
    let mut partition = parts::PartitionData::default()
        .with_partition_index(input.arbitrary()?)
        .with_error_code(input.arbitrary()?)
        .with_high_watermark(input.arbitrary()?)
        .with_last_stable_offset(input.arbitrary()?)
        .with_records(Option::<Vec<u8>>::arbitrary(input)?.map(Bytes::from));
    if version >= 5 {
        partition = partition.with_log_start_offset(input.arbitrary()?);
    }
    let mut aborted = Vec::new();
    for _ in 0..input.int_in_range(0..=3)? {
        let mut transaction = parts::AbortedTransaction::default()
            .with_producer_id(ProducerId(input.arbitrary()?))
            .with_first_offset(input.arbitrary()?);
        if version >= 12 {
            transaction.unknown_tagged_fields.extend(unknown_tags(input)?);
        }
        aborted.push(transaction);
    }
    partition = partition.with_aborted_transactions(if input.arbitrary()? { Some(aborted) } else { None });
    if version >= 11 {
        partition = partition.with_preferred_read_replica(BrokerId(input.arbitrary()?));
    }
    if version >= 12 {
        let epoch = parts::EpochEndOffset::default();
        let leader = parts::LeaderIdAndEpoch::default();
        let snapshot = parts::SnapshotId::default();
        partition = partition
            .with_diverging_epoch(epoch.with_epoch(input.arbitrary()?).with_end_offset(input.arbitrary()?))
            .with_current_leader(
                leader.with_leader_id(BrokerId(input.arbitrary()?)).with_leader_epoch(input.arbitrary()?),
            )
            .with_snapshot_id(snapshot.with_end_offset(input.arbitrary()?).with_epoch(input.arbitrary()?));
        partition.unknown_tagged_fields.extend(unknown_tags(input)?);
    }
    Ok(partition)
}

/// Seldom some.
fn unknown_tags(input: &mut Unstructured<'_>) -> arbitrary::Result<Vec<(i32, Bytes)>> {
    let mut tags = Vec::new();
    if input.ratio(1, 8)? {
        for _ in 0..input.int_in_range(0..=3)? {
            tags.push((input.int_in_range(100..=i32::MAX)?, Bytes::from(Vec::arbitrary(input)?)));
        }
    }
    Ok(tags)
}

fn text(input: &mut Unstructured<'_>) -> arbitrary::Result<StrBytes> {
    Ok(StrBytes::from_string(input.arbitrary()?))
}
