//! A receiver at work on batches as Kafka writes them, with a machine whose fetches the test answers.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tidemill_protocol::compression::Codec;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, Header, NewRecord, ProducerStamp, assign, control};

use super::*;
use crate::cluster::Snapshot;
use crate::consumer::config::{IsolationLevel, Settings};
use crate::consumer::fetcher::Answer;
use crate::consumer::machine::{Action, Machine};
use crate::record::TopicPartition;

struct World {
    shared: Shared,
    handing: Handing,
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition { topic: Arc::from("orders"), partition: number }
}

#[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
fn now() -> Instant {
    Instant::now()
}

/// A batch of these values, at this offset.
fn batch_of(base_offset: i64, values: &[&str], producer: Option<i64>, codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new(1024);
    for value in values {
        let headers = [Header { key: b"h", value: Some(b"1") }, Header { key: b"h", value: None }];
        builder.append(&NewRecord {
            timestamp: 1_000,
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: &headers,
        });
    }
    let stamp = producer.map(|producer_id| ProducerStamp { producer_id, producer_epoch: 0, base_sequence: 0 });
    let flags = BatchFlags { transactional: producer.is_some(), control: false };
    place(builder.seal(codec).stamp(stamp, flags), base_offset)
}

fn place(batch: Bytes, base_offset: i64) -> Bytes {
    let batch = RecordBatches::new(batch).next().unwrap().unwrap();
    assign(&batch, base_offset, 1, None)
}

fn batch(base_offset: i64, values: &[&str]) -> Bytes {
    batch_of(base_offset, values, None, Codec::None)
}

fn marker(base_offset: i64, producer_id: i64, abort: bool) -> Bytes {
    let marker = if abort { control::Marker::ABORT } else { control::Marker::COMMIT };
    place(control::build(marker, producer_id, 0, 0, 1_000), base_offset)
}

impl World {
    /// Partitions 0 and 1, read from offset 0.
    fn new() -> Self {
        Self::with(Settings::for_tests())
    }

    fn with(settings: Settings) -> Self {
        let activity = Arc::<Activity>::default();
        let mut machine = Machine::new(settings, Arc::new(Snapshot::default()), activity.clone(), 5, now());
        machine.handle_metadata(Arc::new(Snapshot::for_tests(&[("orders", 4)])), now());
        machine.assign(BTreeSet::from([partition(0), partition(1)])).unwrap();
        machine.seek(&partition(0), 0).unwrap();
        machine.seek(&partition(1), 0).unwrap();
        Self { shared: Shared::new(machine, activity.clone()), handing: Handing::new(activity) }
    }

    /// Answers the fetch for this partition.
    fn fetched(&self, number: i32, batches: &[Bytes], aborted: &[(i64, i64)]) {
        let mut actions = Vec::new();
        self.shared.machine().poll(now() + Duration::from_secs(1), &mut actions);
        let plan = actions
            .into_iter()
            .find_map(|action| if let Action::Fetch(plan) = action { Some(plan) } else { None })
            .expect("a fetch");
        let index = plan.partitions.iter().position(|wanted| wanted.partition == partition(number)).unwrap();
        let mut records = BytesMut::new();
        batches.iter().for_each(|batch| records.extend_from_slice(batch));
        let last = batches.last().and_then(|batch| RecordBatches::new(batch.clone()).next());
        let answer = Answer {
            high_watermark: 77,
            aborted: aborted.to_vec(),
            records: records.freeze(),
            next_offset: last.and_then(Result::ok).map(|batch| batch.header().next_offset()),
            ..Answer::empty(index)
        };
        self.shared.machine().handle_fetch_reply((plan.broker, plan.token), Ok(Ok((vec![answer], 0))), now());
    }

    fn recv(&mut self) -> Option<ConsumerRecord> {
        self.handing.begin();
        self.handing.next_record(&self.shared, now).unwrap()
    }

    fn recv_batch(&mut self) -> Option<ConsumedBatch> {
        self.handing.begin();
        self.handing.next_batch(&self.shared, now).unwrap()
    }

    /// All there is, by record.
    fn values(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.recv()).map(|record| text(record.value())).collect()
    }

    fn position(&self, number: i32) -> i64 {
        self.shared.machine().position(&partition(number)).unwrap()
    }
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8(bytes.unwrap_or(b"null").to_vec()).unwrap()
}

#[test]
fn records_go_out_one_by_one_and_the_position_with_them() {
    let mut world = World::new();
    world.fetched(0, &[batch(0, &["a", "b"]), batch(2, &["c"])], &[]);
    let record = world.recv().unwrap();
    assert_eq!((record.offset(), record.timestamp(), record.topic(), record.partition()), (0, 1_000, "orders", 0));
    assert_eq!((text(record.key()), text(record.value())), ("key".to_owned(), "a".to_owned()));
    let headers: Vec<_> = record.headers().map(|header| (header.key, header.value)).collect();
    assert_eq!(headers, [(&b"h"[..], Some(&b"1"[..])), (&b"h"[..], None)]);
    assert_eq!(world.position(0), 1);
    assert_eq!(world.values(), ["b", "c"]);
    assert_eq!(world.position(0), 3);
}

#[test]
fn batches_go_out_whole_and_after_some_records_the_rest() {
    let mut world = World::new();
    world.fetched(0, &[batch(0, &["a", "b", "c"]), batch(3, &["d"])], &[]);
    world.recv().unwrap();
    let rest = world.recv_batch().unwrap();
    assert_eq!(rest.iter().map(|record| record.offset()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((rest.len(), rest.next_offset(), rest.high_watermark()), (2, 3, 77));
    assert_eq!(rest.topic_partition(), &partition(0));
    assert_eq!(world.recv_batch().unwrap().iter().map(|record| text(record.value())).collect::<Vec<_>>(), ["d"]);
    assert!(world.recv_batch().is_none());
}

#[test]
fn compressed_batches_read_alike() {
    for codec in Codec::ALL {
        let mut world = World::new();
        world.fetched(0, &[batch_of(0, &["a", "b"], None, codec)], &[]);
        assert_eq!(world.values(), ["a", "b"]);
    }
}

#[test]
fn a_position_inside_a_batch_skips_what_comes_before() {
    let mut world = World::new();
    world.shared.machine().seek(&partition(0), 4).unwrap();
    world.fetched(0, &[batch(0, &["a", "b"]), batch(2, &["c", "d", "e"])], &[]);
    assert_eq!(world.values(), ["e"]);
}

#[test]
fn a_pause_in_the_middle_of_a_batch_keeps_the_rest() {
    let mut world = World::new();
    world.fetched(0, &[batch(0, &["a", "b"]), batch(2, &["c"])], &[]);
    world.recv().unwrap();
    world.shared.machine().pause(vec![partition(0)]).unwrap();
    assert!(world.recv().is_none());
    world.fetched(1, &[batch(0, &["other"])], &[]);
    assert_eq!(world.values(), ["other"], "the other partition goes on");
    world.shared.machine().resume(&[partition(0)]).unwrap();
    assert_eq!(world.values(), ["b", "c"]);
}

#[test]
fn a_seek_in_the_middle_of_a_batch_drops_the_rest() {
    let mut world = World::new();
    world.fetched(0, &[batch(0, &["a", "b", "c"])], &[]);
    world.recv().unwrap();
    world.shared.machine().seek(&partition(0), 0).unwrap();
    assert!(world.recv().is_none());
    assert_eq!(world.position(0), 0);
    world.fetched(0, &[batch(0, &["a", "b", "c"])], &[]);
    assert_eq!(world.values(), ["a", "b", "c"]);
}

#[test]
fn markers_are_never_seen_and_the_position_passes_them() {
    let mut world = World::new();
    world.fetched(0, &[batch_of(0, &["a"], Some(9), Codec::None), marker(1, 9, false)], &[]);
    assert_eq!(world.values(), ["a"]);
    assert_eq!(world.position(0), 2);
}

#[test]
fn only_who_reads_what_is_committed_misses_what_was_rolled_back() {
    let log = [
        batch_of(0, &["a"], Some(9), Codec::None),
        batch_of(1, &["b"], Some(8), Codec::Lz4),
        marker(2, 9, true),
        batch_of(3, &["c"], Some(9), Codec::None),
        batch(4, &["d"]),
        marker(5, 8, false),
    ];
    let mut settings = Settings::for_tests();
    settings.fetch.isolation_level = IsolationLevel::ReadCommitted;
    let mut world = World::with(settings);
    world.fetched(0, &log, &[(0, 9)]);
    assert_eq!(world.values(), ["b", "c", "d"]);
    assert_eq!(world.position(0), 6);
    let mut world = World::new();
    world.fetched(0, &log, &[(0, 9)]);
    assert_eq!(world.values(), ["a", "b", "c", "d"]);
}

#[test]
fn a_damaged_batch_is_told_and_fetched_again() {
    let mut world = World::new();
    let mut damaged = BytesMut::from(&batch(1, &["b"])[..]);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    world.fetched(0, &[batch(0, &["a"]), damaged.freeze()], &[]);
    assert_eq!(text(world.recv().unwrap().value()), "a");
    world.handing.begin();
    let error = world.handing.next_record(&world.shared, now).unwrap_err();
    assert!(error.to_string().contains("orders-0"), "{error}");
    assert_eq!(world.position(0), 1);
    assert!(world.recv().is_none());
    world.fetched(0, &[batch(1, &["b"])], &[]);
    assert_eq!(world.values(), ["b"]);
}

#[test]
fn less_than_one_batch_is_an_error_and_not_an_endless_silence() {
    let mut world = World::new();
    world.fetched(0, &[batch(0, &["a"]).slice(..40)], &[]);
    world.handing.begin();
    assert!(world.handing.next_record(&world.shared, now).is_err());
}

#[test]
fn what_was_received_is_processed_when_the_application_comes_back() {
    let mut world = World::new();
    world.fetched(0, &[batch(0, &["a", "b"])], &[]);
    world.recv().unwrap();
    let progress = world.handing.last.clone().unwrap();
    assert!(progress.is_outstanding());
    world.handing.begin();
    assert!(!progress.is_outstanding());
    assert_eq!(progress.processed(), 1);
}

#[test]
fn nothing_goes_out_of_what_is_to_be_given_up_from_the_moment_it_is_looked_at() {
    let mut world = World::new();
    world.fetched(0, &[batch(0, &["a", "b"])], &[]);
    world.recv().unwrap();
    let Some(Reading { progress, .. }) = &world.handing.reading else { panic!("no batch is open") };
    progress.seal();
    assert!(!progress.hand_out(2));
    assert_eq!(progress.position(), 1);
}

/// Messages 7 to 11 in one wrapper, as Kafka wrote them before there were batches.
fn old_messages() -> Bytes {
    let golden = include_str!("../../../../protocol/tests/golden/legacy_records.txt");
    let hex = golden.lines().find_map(|line| line.strip_prefix("magic1_snappy ")).unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn a_log_of_old_and_new_formats_is_read_in_one_road() {
    let mut world = World::new();
    world.fetched(0, &[batch(6, &["before"]), old_messages(), batch(12, &["after"])], &[]);
    let long = "x".repeat(300);
    assert_eq!(world.values(), ["before", "first", "no key", "null", "", &long, "after"]);
    assert_eq!(world.position(0), 13);
}

#[test]
fn a_position_inside_an_old_wrapper_is_found() {
    let mut world = World::new();
    world.shared.machine().seek(&partition(0), 10).unwrap();
    world.fetched(0, &[old_messages()], &[]);
    let record = world.recv().unwrap();
    assert_eq!((record.offset(), record.timestamp()), (10, 1_500_000_000_030));
    let batch = world.recv_batch().unwrap();
    assert_eq!((batch.len(), batch.next_offset()), (1, 12));
    assert_eq!(world.position(0), 12);
}
