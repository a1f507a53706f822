//! Records: deleted before an offset, and offsets looked up.

use tidemill_client::{Admin, ErrorCode, ErrorKind, IsolationLevel, OffsetListing, OffsetSpec, TopicPartition};

use super::code;
use crate::bed::{Bed, PATIENCE, on_every_version, timestamp};

on_every_version! {
    records_before_an_offset_are_deleted(3);
    offsets_are_looked_up_in_every_way_at_once(2);
    a_partition_that_is_not_there_fails_alone(1);
}

const UNCOMMITTED: IsolationLevel = IsolationLevel::ReadUncommitted;

fn values(count: i64) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("value {number}"))
}

async fn records_before_an_offset_are_deleted(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    for partition in 0..3 {
        bed.fill(partition, values(10)).await;
    }
    let before = [(bed.partition(0), Some(4)), (bed.partition(1), None), (bed.partition(2), Some(11))];
    let outcomes = admin.delete_records(&before, PATIENCE).await.unwrap();
    assert_eq!(*outcomes[0].1.as_ref().unwrap(), 4);
    assert_eq!(*outcomes[1].1.as_ref().unwrap(), 10);
    assert_eq!(code(&outcomes[2].1), Some(ErrorCode::OFFSET_OUT_OF_RANGE));
    assert_eq!(outcomes[2].1.as_ref().unwrap_err().topic_partition(), Some(&bed.partition(2)));
    let earliest: Vec<_> = (0..3).map(|number| (bed.partition(number), OffsetSpec::Earliest)).collect();
    let found = admin.list_offsets(&earliest, UNCOMMITTED, PATIENCE).await.unwrap();
    let found: Vec<i64> = found.iter().map(|(_, listing)| listing.as_ref().unwrap().unwrap().offset).collect();
    assert_eq!(found, [4, 10, 0]);
}

async fn offsets_are_looked_up_in_every_way_at_once(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    // Timestamps begin anew in each batch, so that the largest is in the middle.
    bed.fill(0, values(10)).await;
    bed.fill(0, values(3)).await;
    let (full, empty) = (bed.partition(0), bed.partition(1));
    let wanted = [
        (full.clone(), OffsetSpec::Earliest),
        (empty.clone(), OffsetSpec::Latest),
        (full.clone(), OffsetSpec::Latest),
        (full.clone(), OffsetSpec::Timestamp(timestamp(4))),
        (full.clone(), OffsetSpec::Timestamp(timestamp(5_000))),
        (full.clone(), OffsetSpec::MaxTimestamp),
        (empty.clone(), OffsetSpec::MaxTimestamp),
    ];
    let found = admin.list_offsets(&wanted, UNCOMMITTED, PATIENCE).await.unwrap();
    let partitions: Vec<&TopicPartition> = found.iter().map(|(partition, _)| partition).collect();
    assert_eq!(partitions, wanted.iter().map(|(partition, _)| partition).collect::<Vec<_>>());
    let of = |listing: &Option<OffsetListing>| listing.map(|listing| (listing.offset, listing.timestamp));
    let found: Vec<_> = found.iter().map(|(_, outcome)| of(outcome.as_ref().unwrap())).collect();
    let expected = [
        Some((0, None)),
        Some((0, None)),
        Some((13, None)),
        Some((4, Some(timestamp(4)))),
        None,
        Some((9, Some(timestamp(9)))),
        None,
    ];
    assert_eq!(found, expected);
    let committed = admin.list_offsets(&wanted[..3], IsolationLevel::ReadCommitted, PATIENCE).await.unwrap();
    assert_eq!(committed[2].1.as_ref().unwrap().unwrap().offset, 13);
}

async fn a_partition_that_is_not_there_fails_alone(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    bed.fill(0, values(2)).await;
    let missing = TopicPartition::new(format!("{}-missing", bed.topic), 0);
    let wanted = [missing, bed.partition(0), bed.partition(7)].map(|partition| (partition, OffsetSpec::Latest));
    let found = admin.list_offsets(&wanted, UNCOMMITTED, PATIENCE).await.unwrap();
    assert_eq!(found[1].1.as_ref().unwrap().unwrap().offset, 2);
    for place in [0, 2] {
        let error = found[place].1.as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Broker(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        assert_eq!(error.topic_partition(), Some(&wanted[place].0));
    }
}
