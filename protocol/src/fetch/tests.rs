//! Against the guard, byte by byte, and against the message struct, field by field; in every version.

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::{FetchRequest, FetchResponse as Struct};
use kafka_protocol::protocol::Decodable;
use proptest::prelude::*;

use super::*;
use crate::guard::generate::{self, Random};
use crate::header;

/// A random response in a version, its header in front.
fn frame(version: i16, seed: u64) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 7];
    if version >= 12 {
        frame.push(0);
    }
    frame.extend(generate::any_response(ApiKey::FETCH, version, seed));
    frame
}

/// Reads a frame on both roads. Refused, the refusals are one; accepted, all is read alike.
fn compare(version: i16, frame: &Bytes, budget: Budget) -> Result<bool, TestCaseError> {
    let body = match guard::check_response(ApiKey::FETCH, version, frame, budget) {
        Ok(body) => body,
        Err(refused) => {
            prop_assert_eq!(FetchResponse::read_within(version, frame, budget), Err(refused), "version {}", version);
            return Ok(false);
        }
    };
    let ours = FetchResponse::read_within(version, frame, budget);
    prop_assert!(ours.is_ok(), "version {version}: {ours:?}: {frame:02x?}");
    let theirs = Struct::decode(&mut frame.slice(body..), version).unwrap();
    same(&ours.unwrap(), &theirs, frame)?;
    Ok(true)
}

fn same(ours: &FetchResponse, theirs: &Struct, frame: &Bytes) -> Result<(), TestCaseError> {
    prop_assert_eq!(ours.throttle_time_ms, theirs.throttle_time_ms);
    prop_assert_eq!(ours.error_code.0, theirs.error_code);
    prop_assert_eq!(ours.session_id, theirs.session_id);
    let endpoints = theirs.node_endpoints.iter().map(|theirs| NodeEndpoint {
        node_id: theirs.node_id.0,
        host: theirs.host.clone(),
        port: theirs.port,
        rack: theirs.rack.clone(),
    });
    prop_assert_eq!(&ours.node_endpoints, &endpoints.collect::<Vec<_>>());
    prop_assert_eq!(ours.topics().count(), theirs.responses.len());
    for (ours, theirs) in ours.topics().zip(&theirs.responses) {
        prop_assert_eq!((ours.name, ours.id), (&theirs.topic.0, theirs.topic_id));
        prop_assert_eq!(ours.partitions.len(), theirs.partitions.len());
        for (ours, theirs) in ours.partitions.iter().zip(&theirs.partitions) {
            prop_assert_eq!(ours.partition_index, theirs.partition_index);
            prop_assert_eq!(ours.error_code.0, theirs.error_code);
            prop_assert_eq!(ours.high_watermark, theirs.high_watermark);
            prop_assert_eq!(ours.last_stable_offset, theirs.last_stable_offset);
            prop_assert_eq!(ours.log_start_offset, theirs.log_start_offset);
            let EpochEndOffset { epoch, end_offset } = ours.diverging_epoch;
            prop_assert_eq!((epoch, end_offset), (theirs.diverging_epoch.epoch, theirs.diverging_epoch.end_offset));
            let LeaderIdAndEpoch { leader_id, leader_epoch } = ours.current_leader;
            let leader = &theirs.current_leader;
            prop_assert_eq!((leader_id, leader_epoch), (leader.leader_id.0, leader.leader_epoch));
            let SnapshotId { end_offset, epoch } = ours.snapshot_id;
            prop_assert_eq!((end_offset, epoch), (theirs.snapshot_id.end_offset, theirs.snapshot_id.epoch));
            let aborted = |aborted: &AbortedTransactions| {
                aborted.iter().map(|aborted| (aborted.producer_id, aborted.first_offset)).collect::<Vec<_>>()
            };
            let their_aborted = theirs.aborted_transactions.as_ref().map(|aborted| {
                aborted.iter().map(|aborted| (aborted.producer_id.0, aborted.first_offset)).collect::<Vec<_>>()
            });
            prop_assert_eq!(ours.aborted_transactions.as_ref().map(aborted), their_aborted.clone());
            let is_empty = ours.aborted_transactions.as_ref().map(AbortedTransactions::is_empty);
            prop_assert_eq!(is_empty, their_aborted.map(|aborted| aborted.is_empty()));
            prop_assert_eq!(ours.preferred_read_replica, theirs.preferred_read_replica.0);
            prop_assert_eq!(&ours.records, &theirs.records);
            for records in ours.records.iter().filter(|records| !records.is_empty()) {
                prop_assert!(frame.as_ptr_range().contains(&records.as_ptr()), "not a copy");
            }
        }
    }
    Ok(())
}

fn every_version() -> impl Iterator<Item = i16> {
    VERSIONS.min..=VERSIONS.max
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_read_is_what_the_struct_reads(seed: u64) {
        for version in every_version() {
            prop_assert!(compare(version, &frame(version, seed).into(), Budget::default())?);
        }
    }

    #[test]
    fn bytes_that_were_changed_are_read_alike_or_refused_in_the_same_words(seed: u64, changes in 1..4_usize) {
        let mut random = Random(seed);
        for version in every_version() {
            let mut frame = frame(version, seed);
            for _ in 0..changes {
                if frame.is_empty() {
                    break;
                }
                let at = random.below(frame.len());
                match random.below(6) {
                    0 => frame[at] ^= 1 << random.below(8),
                    1 => frame[at] = random.below(256) as u8,
                    2 => frame[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                    3 => drop(frame.remove(at)),
                    4 => frame.insert(at, [0, 1, 2, 0xff][random.below(4)]),
                    _ => frame.truncate(at),
                }
            }
            compare(version, &frame.into(), Budget::default())?;
        }
    }

    /// Of budgets that hardly suffice, one refuses what the other refuses.
    #[test]
    fn a_budget_is_spent_as_the_guard_spends_it(seed: u64, bytes in 0..2_000_usize) {
        for version in every_version() {
            compare(version, &frame(version, seed).into(), Budget::default().times_frame(0).bytes_min(bytes))?;
        }
    }
}

#[test]
fn a_frame_cut_anywhere_is_refused_in_the_same_words() {
    for version in every_version() {
        let frame = Bytes::from(frame(version, 20));
        for end in 0..frame.len() {
            assert!(!compare(version, &frame.slice(..end), Budget::default()).unwrap(), "version {version}, {end}");
        }
    }
}

#[test]
fn every_version_with_a_struct_is_read_and_no_other() {
    assert_eq!(ApiKey::FETCH.versions(), Some(VERSIONS));
    for version in [VERSIONS.min - 1, VERSIONS.max + 1, -1] {
        let refused = FetchResponse::read(version, &Bytes::from_static(&[0; 32])).unwrap_err();
        assert!(refused.to_string().contains("a version that is not known"), "{refused}");
    }
}

/// The one that took 412 GB.
#[test]
fn a_count_that_lies_is_refused_before_anything_is_allocated() {
    let mut frame = BytesMut::new();
    frame.put_slice(&[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    let frame = frame.freeze();
    let refused = FetchResponse::read(12, &frame).unwrap_err();
    assert_eq!((refused.field.as_str(), refused.offset), ("responses", 15));
    assert_eq!(header::decode_response::<FetchRequest>(12, frame).unwrap_err(), refused);
}

/// So what the guard charges for the structs pays for ours.
#[test]
fn ours_take_less_memory_than_the_structs() {
    use kafka_protocol::messages::fetch_response as theirs;
    assert!(size_of::<TopicEntry>() <= size_of::<theirs::FetchableTopicResponse>());
    assert!(size_of::<PartitionData>() <= size_of::<theirs::PartitionData>());
    assert!(size_of::<NodeEndpoint>() <= size_of::<theirs::NodeEndpoint>());
}

/// Every row that is looked up by name is found, also when the tables are generated anew.
#[test]
fn the_tables_have_every_struct_that_is_read() {
    for version in every_version() {
        let frame = Bytes::from(frame(version, 1));
        let read = guard::read_response(ApiKey::FETCH, version, &frame, Budget::default(), |_, row| {
            let Rows { response, topic, partition, aborted, endpoint, diverging_epoch, current_leader, snapshot_id } =
                Rows::of(row);
            let rows = [response, topic, partition, aborted, endpoint, diverging_epoch, current_leader, snapshot_id];
            assert!(rows.iter().all(|row| row.is_known()));
            Ok(())
        });
        assert!(read.is_err(), "nothing was read, so something is left");
    }
}
