//! What compaction leaves, and what is still known of what it took.
//!
//! Every batch begins a segment: their timestamps lie further apart than `segment.ms`.

use std::collections::BTreeMap;

use tempfile::tempdir;
use tidemill_protocol::StrBytes;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp, RecordBatch, RecordBatches};

use super::world::*;
use crate::broker::*;
use crate::kafka::Tools;

type Records<'a> = &'a [(&'a str, Option<&'a str>)];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A topic that is cleaned whenever there is something to clean.
const COMPACTED: [(&str, &str); 3] =
    [("cleanup.policy", "compact"), ("segment.ms", "1000"), ("min.cleanable.dirty.ratio", "0")];

fn compacted(more: &[(&str, &str)]) -> World {
    let settings: Vec<_> = COMPACTED.iter().chain(more).copied().collect();
    World::with_topic(&settings)
}

/// Writes to `clicks`, and knows which time and which sequences come next.
struct Writer {
    start: i64,
    batches: i64,
    sequences: BTreeMap<i64, i32>,
}

impl Default for Writer {
    fn default() -> Self {
        Self { start: UNIX_MS - 1_000_000, batches: 0, sequences: BTreeMap::new() }
    }
}

impl Writer {
    /// Ahead of the clock, so that markers, which have its time, begin no segments.
    fn ahead() -> Self {
        Self { start: UNIX_MS + 1_000_000, ..Self::default() }
    }

    fn batch(
        &mut self,
        records: Records<'_>,
        producer: Option<(i64, i16)>,
        transactional: bool,
        codec: Codec,
    ) -> Bytes {
        self.batches += 1;
        let mut builder = BatchBuilder::new(1024);
        let timestamp = self.start + self.batches * 2000;
        for (key, value) in records {
            let value = value.map(str::as_bytes);
            builder.append(&NewRecord { timestamp, key: Some(key.as_bytes()), value, headers: &[] });
        }
        let stamp = producer.map(|(producer_id, producer_epoch)| {
            let next = self.sequences.entry(producer_id).or_default();
            let base_sequence = *next;
            *next += i32::try_from(records.len()).unwrap();
            ProducerStamp { producer_id, producer_epoch, base_sequence }
        });
        builder.seal(codec).stamp(stamp, BatchFlags { transactional, control: false })
    }

    fn put(&mut self, world: &mut World, records: Records<'_>) -> i64 {
        let batch = self.batch(records, None, false, Codec::None);
        let written = world.produce(batch);
        assert_eq!(written.error_code, 0);
        written.base_offset
    }

    /// Writes in the transaction of this producer.
    fn add(&mut self, world: &mut World, id: &str, producer: (i64, i16), records: Records<'_>) {
        let batch = self.batch(records, Some(producer), true, Codec::None);
        let data = PartitionProduceData::default().with_records(Some(batch));
        let topic = TopicProduceData::default().with_name(name("clicks")).with_partition_data(vec![data]);
        let body = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(1000)
            .with_topic_data(vec![topic])
            .with_transactional_id(Some(StrBytes::from_string(id.to_owned()).into()));
        assert_eq!(world.ask(12, &body).responses[0].partition_responses[0].error_code, 0);
    }
}

fn init(world: &mut World, id: &str) -> (i64, i16) {
    let body = InitProducerIdRequest::default()
        .with_transactional_id(Some(StrBytes::from_string(id.to_owned()).into()))
        .with_transaction_timeout_ms(600_000);
    let response = world.ask(5, &body);
    (response.producer_id.0, response.producer_epoch)
}

fn end(world: &mut World, id: &str, producer: (i64, i16), committed: bool) -> (i64, i16) {
    let body = EndTxnRequest::default()
        .with_transactional_id(StrBytes::from_string(id.to_owned()).into())
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_committed(committed);
    let response = world.ask(5, &body);
    assert_eq!(response.error_code, 0);
    (response.producer_id.0, response.producer_epoch)
}

fn clean(world: &mut World) {
    world.advance(Duration::from_secs(15));
}

fn batches(world: &mut World) -> Vec<RecordBatch> {
    let mut found = Vec::new();
    let mut next = 0;
    loop {
        let data = world.fetch(next);
        let read: Vec<RecordBatch> = RecordBatches::new(data.records.unwrap()).map(Result::unwrap).collect();
        let Some(last) = read.last() else { return found };
        next = last.header().next_offset();
        found.extend(read);
    }
}

/// What is in the log: `offset key=value`, `key-` for a tombstone, `[first-last]` for a batch without records, `*` for a
/// marker.
fn log(world: &mut World) -> String {
    let mut found = Vec::new();
    for batch in batches(world) {
        let header = batch.header();
        if header.record_count == 0 {
            found.push(format!("[{}-{}]", header.base_offset, header.last_offset()));
        }
        for record in &batch.open(1 << 20).unwrap() {
            let record = record.unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            found.push(match record.value {
                _ if header.is_control() => format!("{}*", record.offset),
                Some(value) => format!("{} {}={}", record.offset, text(record.key.unwrap()), text(value)),
                None => format!("{} {}-", record.offset, text(record.key.unwrap())),
            });
        }
    }
    found.join(", ")
}

#[test]
fn the_newest_record_of_each_key_stays_where_it_was() {
    let (mut world, mut writer) = (compacted(&[]), Writer::default());
    writer.put(&mut world, &[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))]);
    writer.put(&mut world, &[("a", Some("2"))]);
    let batch = writer.batch(&[("a", Some("3")), ("c", Some("2"))], None, false, Codec::Lz4);
    world.produce(batch);
    writer.put(&mut world, &[("b", Some("2"))]);
    let all = log(&mut world);
    world.advance(Duration::from_secs(14));
    assert_eq!(log(&mut world), all, "log.cleaner.backoff.ms is not over");
    clean(&mut world);
    // The active segment is never cleaned, and what is in it does not count.
    assert_eq!(log(&mut world), "1 b=1, 4 a=3, 5 c=2, 6 b=2");
    let read = batches(&mut world);
    assert_eq!((read[0].header().base_offset, read[0].header().last_offset()), (0, 2));
    assert_eq!(read[1].header().codec(), Ok(Codec::None), "ours was too small to be compressed");
    // From a gap, what comes next is read.
    assert_eq!(values(world.fetch(3).records)[0].0, 4);
    assert_eq!((world.list_offset(-2).offset, world.list_offset(-1).offset), (0, 7));
    writer.put(&mut world, &[("d", Some("1"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "4 a=3, 5 c=2, 6 b=2, 7 d=1");
    assert_eq!((world.list_offset(-2).offset, world.list_offset(-1).offset), (0, 8));
}

#[test]
fn by_time_only_what_stayed_is_found() {
    let (mut world, mut writer) = (compacted(&[]), Writer::default());
    for value in ["1", "2", "3"] {
        writer.put(&mut world, &[("a", Some(value)), (value, Some("x"))]);
    }
    writer.put(&mut world, &[("end", Some("1"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "1 1=x, 3 2=x, 4 a=3, 5 3=x, 6 end=1");
    let first = UNIX_MS - 1_000_000 + 2000;
    let found: Vec<i64> = (0..4).map(|batch| world.list_offset(first + batch * 2000).offset).collect();
    assert_eq!(found, [1, 3, 4, 6]);
    assert_eq!(world.list_offset(-3).offset, 6);
}

#[test]
fn tombstones_go_when_their_time_is_over_and_not_before() {
    let (mut world, mut writer) = (compacted(&[]), Writer::default());
    writer.put(&mut world, &[("a", Some("1")), ("b", Some("1"))]);
    writer.put(&mut world, &[("a", None), ("c", Some("1"))]);
    writer.put(&mut world, &[("x", Some("1"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "1 b=1, 2 a-, 3 c=1, 4 x=1");
    let horizon = UNIX_MS + 15_000 + 86_400_000;
    assert_eq!(batches(&mut world)[1].header().delete_horizon_ms(), Some(horizon));
    let time = batches(&mut world)[1].open(1000).unwrap().iter().next().unwrap().unwrap().timestamp;
    assert_eq!(time, UNIX_MS - 1_000_000 + 4000, "its timestamp is not the horizon");
    world.advance(DAY - Duration::from_secs(15));
    writer.put(&mut world, &[("y", Some("1"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "1 b=1, 3 c=1, 4 x=1, 5 y=1");
}

#[test]
fn a_log_is_cleaned_when_enough_of_it_is_dirty() {
    let (mut world, mut writer) = (compacted(&[("min.cleanable.dirty.ratio", "0.5")]), Writer::default());
    for _ in 0..4 {
        writer.put(&mut world, &[("a", Some("1"))]);
    }
    writer.put(&mut world, &[("b", Some("1"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "3 a=1, 4 b=1", "all of it was dirty");
    writer.put(&mut world, &[("a", Some("2"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "3 a=1, 4 b=1, 5 a=2", "half of it is");
    writer.put(&mut world, &[("c", Some("2"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "4 b=1, 5 a=2, 6 c=2", "two thirds of it are");
}

#[test]
fn young_records_stay_and_old_ones_do_not_wait_for_more() {
    let (mut world, mut writer) = (compacted(&[("min.compaction.lag.ms", "1025000")]), Writer::default());
    for value in ["1", "2", "3", "4"] {
        writer.put(&mut world, &[("a", Some(value))]);
    }
    clean(&mut world);
    assert_eq!(log(&mut world), "0 a=1, 1 a=2, 2 a=3, 3 a=4");
    clean(&mut world);
    assert_eq!(log(&mut world), "1 a=2, 2 a=3, 3 a=4", "only the first two are old enough");
    let more = [("min.cleanable.dirty.ratio", "1"), ("max.compaction.lag.ms", "1020000")];
    let (mut world, mut writer) = (compacted(&more), Writer::default());
    for value in ["1", "2", "3"] {
        writer.put(&mut world, &[("a", Some(value))]);
    }
    clean(&mut world);
    assert_eq!(log(&mut world), "0 a=1, 1 a=2, 2 a=3");
    world.advance(Duration::from_secs(15));
    assert_eq!(log(&mut world), "1 a=2, 2 a=3");
}

#[test]
fn aborted_records_go_and_an_open_transaction_stops_the_cleaner() {
    let (mut world, mut writer) = (compacted(&[]), Writer::ahead());
    let job = init(&mut world, "job");
    writer.put(&mut world, &[("a", Some("1"))]);
    writer.add(&mut world, "job", job, &[("a", Some("never"))]);
    writer.put(&mut world, &[("b", Some("1"))]);
    writer.put(&mut world, &[("b", Some("2"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "0 a=1, 1 a=never, 2 b=1, 3 b=2", "nobody knows how it ends");
    let job = end(&mut world, "job", job, false);
    writer.sequences.clear();
    writer.add(&mut world, "job", job, &[("a", Some("2"))]);
    let job = end(&mut world, "job", job, true);
    writer.put(&mut world, &[("c", Some("1"))]);
    clean(&mut world);
    let aborted = |world: &mut World, from: i64| {
        let response = world.ask(FETCH, &fetch(from, 0, 1).with_isolation_level(1));
        first(&response).aborted_transactions.clone().unwrap().len()
    };
    // The marker of the aborted transaction stays until a cleaning finds no record of it.
    assert_eq!(log(&mut world), "3 b=2, 4*, 5 a=2, 6*, 7 c=1");
    assert_eq!(aborted(&mut world, 0), 1);
    writer.put(&mut world, &[("d", Some("1"))]);
    clean(&mut world);
    assert_eq!((log(&mut world).as_str(), aborted(&mut world, 0)), ("3 b=2, 4*, 5 a=2, 6*, 7 c=1, 8 d=1", 0));
    world.advance(DAY - Duration::from_secs(10));
    writer.put(&mut world, &[("e", Some("1"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "3 b=2, 5 a=2, 6*, 7 c=1, 8 d=1, 9 e=1");
    writer.sequences.clear();
    writer.add(&mut world, "job", job, &[("f", Some("1"))]);
    end(&mut world, "job", job, false);
    assert_eq!(aborted(&mut world, 10), 1, "transactions go on");
}

#[test]
fn a_producer_whose_records_are_gone_still_goes_on_from_its_last_sequence() {
    let (mut world, mut writer) = (compacted(&[]), Writer::default());
    let first = writer.batch(&[("a", Some("1"))], Some((4711, 0)), false, Codec::None);
    let second = writer.batch(&[("a", Some("2")), ("b", Some("1"))], Some((4711, 0)), false, Codec::None);
    world.produce(first);
    world.produce(second.clone());
    writer.put(&mut world, &[("a", Some("3")), ("b", Some("2"))]);
    writer.put(&mut world, &[("c", Some("1"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "[1-2], 3 a=3, 4 b=2, 5 c=1");
    assert_eq!(batches(&mut world)[0].header().base_sequence, 1);
    assert_eq!(world.produce(second).base_offset, 1, "it was written before");
    let third = writer.batch(&[("a", Some("4"))], Some((4711, 0)), false, Codec::None);
    assert_eq!(world.produce(third).base_offset, 6);
    writer.put(&mut world, &[("d", Some("1"))]);
    clean(&mut world);
    assert_eq!(log(&mut world), "4 b=2, 5 c=1, 6 a=4, 7 d=1", "now another batch is its last");
}

#[test]
fn a_topic_that_is_compacted_and_deletes_does_both() {
    let more = [("cleanup.policy", "compact,delete"), ("retention.ms", "1010000")];
    let (mut world, mut writer) = (compacted(&more), Writer::default());
    for value in ["1", "2"] {
        writer.put(&mut world, &[("a", Some(value)), (value, Some("x"))]);
    }
    writer.put(&mut world, &[("b", Some("1"))]);
    writer.put(&mut world, &[("c", Some("1"))]);
    // The first cleaning puts all closed segments together, whose newest record is 1009 s old then.
    clean(&mut world);
    assert_eq!(log(&mut world), "1 1=x, 2 a=2, 3 2=x, 4 b=1, 5 c=1");
    clean(&mut world);
    assert_eq!((log(&mut world).as_str(), world.list_offset(-2).offset), ("", 6));
}

#[test]
fn deleted_records_do_not_bring_older_ones_back() {
    let (mut world, mut writer) = (compacted(&[("cleanup.policy", "compact,delete")]), Writer::default());
    writer.put(&mut world, &[("a", Some("1")), ("b", Some("1"))]);
    writer.put(&mut world, &[("a", Some("2")), ("b", Some("2"))]);
    writer.put(&mut world, &[("c", Some("1"))]);
    clean(&mut world);
    let partition = delete_records_request::DeleteRecordsPartition::default().with_offset(3);
    let topic = delete_records_request::DeleteRecordsTopic::default()
        .with_name(name("clicks"))
        .with_partitions(vec![partition]);
    let response = world.ask(2, &DeleteRecordsRequest::default().with_topics(vec![topic]));
    assert_eq!(response.topics[0].partitions[0].low_watermark, 3);
    let found = world.list_offset(UNIX_MS - 1_000_000);
    assert_eq!(found.offset, 3, "by time, what is deleted is not found");
    writer.put(&mut world, &[("d", Some("1"))]);
    clean(&mut world);
    assert_eq!(world.list_offset(-2).offset, 3);
    let read = |world: &mut World, offset| values(world.fetch(offset).records).last().unwrap().0;
    assert_eq!((read(&mut world, 3), read(&mut world, 5)), (4, 5));
}

#[test]
fn what_is_compacted_is_so_after_a_restart() {
    let directory = tempdir().unwrap();
    let folder = directory.path().join("clicks-0");
    let files = || {
        let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
        names.sort();
        names.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect::<Vec<_>>()
    };
    let mut world = World::kept_in(directory.path(), 1).unwrap();
    assert_eq!(world.create(topic("clicks", 1, &COMPACTED)).error_code, 0);
    let mut writer = Writer::ahead();
    let job = init(&mut world, "job");
    writer.put(&mut world, &[("a", Some("1")), ("b", Some("1"))]);
    writer.add(&mut world, "job", job, &[("a", Some("never"))]);
    end(&mut world, "job", job, false);
    writer.put(&mut world, &[("a", None), ("c", Some("1"))]);
    writer.put(&mut world, &[("b", Some("2"))]);
    let before = files();
    clean(&mut world);
    let cleaned = log(&mut world);
    assert_eq!(cleaned, "1 b=1, 3*, 4 a-, 5 c=1, 6 b=2");
    drop(world);
    let after = files();
    assert_eq!((before.len(), after.len()), (4, 2), "of the closed segments one is left");

    let mut world = World::kept_in(directory.path(), 1).unwrap();
    assert_eq!((log(&mut world), world.list_offset(-2).offset), (cleaned.clone(), 0));
    clean(&mut world);
    assert_eq!(log(&mut world), cleaned, "nothing is dirty");
    drop(world);
    assert!(after.iter().zip(files()).all(|(before, after)| *before == after), "nothing was written anew");

    // Killed when the first file had taken its place and the others were not yet removed.
    for (path, bytes) in &before {
        if !path.exists() {
            std::fs::write(path, bytes).unwrap();
        }
    }
    let mut world = World::kept_in(directory.path(), 1).unwrap();
    assert_eq!(log(&mut world), cleaned);
    drop(world);
    assert_eq!(files().len(), 2);

    if let Some(tools) = Tools::find() {
        let arguments = ["--deep-iteration", "--print-data-log", "--files", after[0].0.to_str().unwrap()];
        let output = tools.run("org.apache.kafka.tools.DumpLogSegments", &arguments, "").unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        for found in ["offset: 1 ", "endTxnMarker: ABORT", "offset: 4 ", "deleteHorizonMs: OptionalLong[", "payload: 1"]
        {
            assert!(text.contains(found), "no {found} in {text}");
        }
        assert_eq!(text.matches("isvalid: true").count(), 3, "{text}");
    }
}

#[test]
fn segments_are_closed_when_timestamps_lie_far_apart() {
    let mut world = World::with_topic(&[("segment.ms", "1000"), ("retention.ms", "5000")]);
    for (timestamp, value) in [(0, "a"), (1000, "b"), (500, "c"), (1001, "d"), (1500, "e"), (1002, "f")] {
        world.produce(stamped(&[(UNIX_MS + timestamp, value)], None));
    }
    let segments = |world: &World| {
        let log = &world.cluster.topics.by_name("clicks").unwrap().partitions[0].log;
        log.segments().map(|segment| segment.base_offset).collect::<Vec<_>>()
    };
    assert_eq!(segments(&world), [0, 3]);
    // Without a time of their own, by the clock.
    world.produce(stamped(&[(UNIX_MS + 3000, "g")], None));
    world.produce(stamped(&[(UNIX_MS + 9000, "h"), (-1, "i")], None));
    assert_eq!(segments(&world), [0, 3, 6, 7]);
    let mut world = World::with_topic(&[("segment.ms", "1000"), ("retention.ms", "600000")]);
    world.produce(stamped(&[(-1, "a")], None));
    world.advance(Duration::from_secs(1));
    world.produce(stamped(&[(UNIX_MS, "b")], None));
    world.advance(Duration::from_millis(1));
    world.produce(stamped(&[(-1, "c")], None));
    assert_eq!(segments(&world), [0, 2]);
    world.advance(Duration::from_secs(300));
    assert_eq!(world.list_offset(-2).offset, 0, "what has no time is as old as its segment");
}

/// What a reader of committed records keeps by key.
fn state(world: &mut World) -> BTreeMap<String, String> {
    let text = log(world);
    let mut state = BTreeMap::new();
    for entry in text.split(", ") {
        let Some((_, record)) = entry.split_once(' ') else { continue };
        match record.split_once('=') {
            Some((_, "aborted")) => {}
            Some((key, value)) => drop(state.insert(key.to_owned(), value.to_owned())),
            None => drop(state.remove(record.trim_end_matches('-'))),
        }
    }
    state
}

#[test]
fn whatever_is_written_readers_from_the_start_come_to_the_same_state() {
    for seed in 0..15 {
        let mut random = fastrand::Rng::with_seed(seed);
        let retention = ["0", "20000", "86400000"][random.usize(..3)];
        let ratio = ["0", "0.3", "0.7"][random.usize(..3)];
        let more = [("delete.retention.ms", retention), ("min.cleanable.dirty.ratio", ratio)];
        let (mut world, mut writer) = (compacted(&more), Writer::ahead());
        let mut job = init(&mut world, "job");
        let mut model = BTreeMap::new();
        for step in 0..120 {
            let keys: Vec<String> = (0..random.usize(1..4)).map(|_| format!("k{}", random.u8(..8))).collect();
            let values: Vec<Option<String>> =
                keys.iter().map(|_| random.u8(..4)).map(|it| (it > 0).then(|| format!("v{step}"))).collect();
            let mut records: Vec<_> = keys.iter().zip(&values).map(|(k, v)| (k.as_str(), v.as_deref())).collect();
            let how = random.u8(..6);
            match how {
                0 => {
                    for (_, value) in &mut records {
                        *value = Some("aborted");
                    }
                    writer.sequences.remove(&job.0);
                    writer.add(&mut world, "job", job, &records);
                    job = end(&mut world, "job", job, false);
                }
                1 => {
                    writer.sequences.remove(&job.0);
                    writer.add(&mut world, "job", job, &records);
                    job = end(&mut world, "job", job, true);
                }
                2 => {
                    let codec = Codec::ALL[random.usize(..Codec::ALL.len())];
                    let batch = writer.batch(&records, Some((4711, 0)), false, codec);
                    assert_eq!(world.produce(batch).error_code, 0, "seed {seed}");
                }
                _ => drop(writer.put(&mut world, &records)),
            }
            for (key, value) in records.iter().filter(|_| how != 0) {
                match value {
                    Some(value) => drop(model.insert((*key).to_owned(), (*value).to_owned())),
                    None => drop(model.remove(*key)),
                }
            }
            if random.u8(..5) == 0 {
                world.advance(Duration::from_secs([15, 15, 60][random.usize(..3)]));
                assert_eq!(state(&mut world), model, "seed {seed}, step {step}");
            }
        }
        clean(&mut world);
        assert_eq!(state(&mut world), model, "seed {seed}");
        let offsets: Vec<i64> = batches(&mut world).iter().map(|batch| batch.header().base_offset).collect();
        assert!(offsets.is_sorted() && batches(&mut world).len() < 110, "seed {seed}: {}", offsets.len());
    }
}
