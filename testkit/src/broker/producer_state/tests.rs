use tidemill_protocol::compression::Codec;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp, RecordBatches, assign};

use super::*;

#[test]
fn sequences_begin_again_at_zero() {
    assert_eq!(behind(i32::MAX, 1), 0);
    assert_eq!(behind(i32::MAX - 1, 3), 1);
    assert_eq!(behind(7, 1), 8);
}

/// A partition that takes everything it is asked to.
#[derive(Default)]
struct Partition {
    state: ProducerState,
    log: Vec<RecordBatch>,
}

const HIGH_WATERMARK: i64 = 1000;

impl Partition {
    fn end(&self) -> i64 {
        self.log.last().map_or(0, |batch| batch.header().next_offset())
    }

    fn append(&mut self, batch: bytes::Bytes) -> RecordBatch {
        let batch = RecordBatches::new(batch).next().unwrap().unwrap();
        let placed = RecordBatches::new(assign(&batch, self.end(), 0, None)).next().unwrap().unwrap();
        self.log.push(placed.clone());
        placed
    }

    fn write(&mut self, producer_id: i64, base_sequence: i32) {
        let mut builder = BatchBuilder::new(100);
        builder.append(&NewRecord { timestamp: 5, key: None, value: None, headers: &[] });
        let producer = ProducerStamp { producer_id, producer_epoch: 0, base_sequence };
        let flags = BatchFlags { transactional: true, ..BatchFlags::default() };
        let batch = self.append(builder.seal(Codec::None).stamp(Some(producer), flags));
        let offset = batch.header().base_offset;
        assert_eq!(self.state.check(batch.header(), true), Verdict::Append);
        self.state.record(batch.header(), Appended { base_offset: offset, last_offset: offset, log_append_time: None });
    }

    fn mark(&mut self, producer_id: i64, committed: bool) {
        let end = EndMarker { producer_id, producer_epoch: 0, coordinator_epoch: 0, committed, v2: false };
        let marker = if committed { control::Marker::COMMIT } else { control::Marker::ABORT };
        let batch = self.append(control::build(marker, producer_id, 0, 0, 9));
        self.state.check_marker(&end).unwrap();
        self.state.record_marker(&end, batch.header().base_offset, 9, HIGH_WATERMARK);
    }

    fn aborted(&self, from: i64, to: i64) -> Vec<(i64, i64)> {
        self.state.aborted(from, to).iter().map(|it| (it.producer_id, it.first_offset)).collect()
    }

    fn stable(&self) -> i64 {
        self.state.last_stable_offset(0, HIGH_WATERMARK)
    }
}

#[test]
fn the_first_open_transaction_bounds_what_is_stable() {
    let mut partition = Partition::default();
    partition.write(1, 0);
    partition.write(2, 0);
    assert_eq!(partition.stable(), 0);
    partition.mark(1, true);
    assert_eq!(partition.stable(), 1);
    partition.mark(2, false);
    assert_eq!(partition.stable(), HIGH_WATERMARK);
    assert_eq!(partition.state.last_stable_offset(0, 3), 1, "its marker is not with all replicas");
}

#[test]
fn only_aborted_transactions_that_were_read_are_told() {
    let mut partition = Partition::default();
    for producer in 1..=3 {
        partition.write(producer, 0);
        partition.mark(producer, false);
    }
    assert_eq!(partition.aborted(0, 6), [(1, 0), (2, 2), (3, 4)]);
    assert_eq!(partition.aborted(2, 4), [(2, 2)]);
    partition.state.forget_before(4);
    assert_eq!(partition.aborted(0, 6), [(3, 4)]);
}

#[test]
fn a_marker_that_is_cut_off_opens_its_transaction_again() {
    let mut partition = Partition::default();
    partition.write(1, 0);
    partition.write(2, 0);
    partition.mark(2, false);
    partition.mark(1, false);
    partition.write(3, 0);
    partition.log.truncate(3);
    let log = partition.log.clone();
    partition.state.truncate(3, log.into_iter());
    assert_eq!(partition.stable(), 0);
    assert_eq!(partition.aborted(0, 9), [(2, 1)]);
    assert!(partition.state.has_open(1, 0) && !partition.state.has_open(2, 0));
    assert_eq!(partition.state.iter().map(|(id, _)| id).collect::<Vec<_>>(), [1, 2]);
    partition.mark(1, true);
    assert_eq!(partition.stable(), HIGH_WATERMARK);
}

#[test]
fn a_late_marker_is_refused_and_a_repeated_one_is_not() {
    let mut partition = Partition::default();
    partition.write(1, 0);
    let marker =
        |producer_epoch, v2| EndMarker { producer_id: 1, producer_epoch, coordinator_epoch: 3, committed: true, v2 };
    assert_eq!(partition.state.check_marker(&marker(0, true)), Err(ErrorCode::INVALID_PRODUCER_EPOCH));
    assert_eq!(partition.state.check_marker(&marker(0, false)), Ok(()));
    assert_eq!(partition.state.check_marker(&marker(1, true)), Ok(()));
    partition.state.record_marker(&marker(1, true), 1, 0, HIGH_WATERMARK);
    assert_eq!(partition.state.check_marker(&marker(1, true)), Ok(()), "it has come again");
    assert_eq!(partition.state.check_marker(&marker(0, true)), Err(ErrorCode::INVALID_PRODUCER_EPOCH));
    let zombie = EndMarker { coordinator_epoch: 2, ..marker(1, true) };
    assert_eq!(partition.state.check_marker(&zombie), Err(ErrorCode::TRANSACTION_COORDINATOR_FENCED));
}
