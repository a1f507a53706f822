//! The same records in a compacted topic of both brokers: what is left of them after cleaning, batch for batch.
//!
//! Both are told to clean when all is written, so that both clean the same in one go.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use tidemill_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp, RecordBatch, RecordBatches};
use tidemill_testkit::{ClusterConfig, TestCluster};

use super::peer::*;
use crate::clusters::cleaning;

const PATIENCE: Duration = Duration::from_secs(30);

/// Writes batches whose times lie so far apart that each begins a segment.
struct Writer<'a> {
    broker: &'a mut Broker,
    topic: &'a str,
    time: i64,
    batches: i64,
}

type Records<'a> = &'a [(&'a str, Option<&'a str>)];

impl Writer<'_> {
    async fn put(&mut self, records: Records<'_>, codec: Codec, stamp: Option<ProducerStamp>, id: Option<&str>) {
        self.batches += 1;
        let mut builder = BatchBuilder::new(1024);
        for (place, (key, value)) in (0..).zip(records) {
            let timestamp = self.time + self.batches * 10_000 - place;
            let value = value.map(str::as_bytes);
            builder.append(&NewRecord { timestamp, key: Some(key.as_bytes()), value, headers: &[] });
        }
        let flags = BatchFlags { transactional: id.is_some(), control: false };
        let body = produce(self.topic, builder.seal(codec).stamp(stamp, flags))
            .with_transactional_id(id.map(|id| text(id).into()));
        let written = self.broker.ask(9, &body).await;
        let written = &written.responses[0].partition_responses[0];
        let what = format!("{}: batch {} of {records:?}", self.topic, self.batches);
        self.broker.note(&what, &(written.error_code, written.base_offset));
    }

    async fn plain(&mut self, records: Records<'_>) {
        self.put(records, Codec::None, None, None).await;
    }

    async fn transaction(&mut self, id: &str, records: Records<'_>, committed: bool) {
        let id_text = || TransactionalId(text(id));
        let body =
            InitProducerIdRequest::default().with_transactional_id(Some(id_text())).with_transaction_timeout_ms(60_000);
        // Kafka makes the coordinators' topic for the first who looks for one.
        let find = FindCoordinatorRequest::default().with_key_type(1).with_coordinator_keys(vec![text(id)]);
        self.broker.ask(4, &find).await;
        let mut producer = self.broker.ask(4, &body).await;
        let begun = Instant::now();
        while producer.error_code != 0 && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
            producer = self.broker.ask(4, &body).await;
        }
        let topic = AddPartitionsToTxnTopic::default().with_name(name(self.topic)).with_partitions(vec![0]);
        let body = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(id_text())
            .with_v3_and_below_producer_id(producer.producer_id)
            .with_v3_and_below_producer_epoch(producer.producer_epoch)
            .with_v3_and_below_topics(vec![topic]);
        while begun.elapsed() < PATIENCE {
            let added = self.broker.ask(3, &body).await;
            if added.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let stamp = ProducerStamp {
            producer_id: producer.producer_id.0,
            producer_epoch: producer.producer_epoch,
            base_sequence: 0,
        };
        self.put(records, Codec::None, Some(stamp), Some(id)).await;
        let end_before = self.end().await;
        let body = EndTxnRequest::default()
            .with_transactional_id(id_text())
            .with_producer_id(producer.producer_id)
            .with_producer_epoch(producer.producer_epoch)
            .with_committed(committed);
        assert_eq!(self.broker.ask(3, &body).await.error_code, 0);
        while self.end().await == end_before && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn end(&mut self) -> i64 {
        list_offset(self.broker, self.topic, -1).await.1
    }
}

async fn list_offset(broker: &mut Broker, topic: &str, timestamp: i64) -> (i64, i64) {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let body = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let response = broker.ask(8, &body).await;
    let found = &response.topics[0].partitions[0];
    (found.timestamp, found.offset)
}

async fn set(broker: &mut Broker, topic: &str, setting: &str, value: &str) {
    let config = AlterableConfig::default().with_name(text(setting)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(topic))
        .with_configs(vec![config]);
    let response = broker.ask(1, &IncrementalAlterConfigsRequest::default().with_resources(vec![resource])).await;
    assert_eq!(response.responses[0].error_code, 0);
}

async fn batches(broker: &mut Broker, topic: &str) -> Vec<RecordBatch> {
    let (mut found, mut next) = (Vec::new(), 0);
    loop {
        let response = broker.ask(12, &fetch(topic, next)).await;
        let records = response.responses[0].partitions[0].records.clone().unwrap_or_default();
        let read: Vec<RecordBatch> = RecordBatches::new(records).map(Result::unwrap).collect();
        let Some(last) = read.last() else { return found };
        next = last.header().next_offset();
        found.extend(read);
    }
}

/// What is in the log, without what no two clusters have in common.
async fn describe(broker: &mut Broker, topic: &str, time: i64) -> Vec<String> {
    let mut ids: Vec<i64> = Vec::new();
    let mut lines = Vec::new();
    for batch in batches(broker, topic).await {
        let header = batch.header();
        let producer = ids.iter().position(|id| *id == header.producer_id).unwrap_or_else(|| {
            ids.push(header.producer_id);
            ids.len() - 1
        });
        let max_timestamp = if header.is_control() { 0 } else { header.max_timestamp - time };
        lines.push(format!(
            "{}-{} attributes {:#x} producer {producer} epoch {} sequence {} count {} newest {max_timestamp} leader {}",
            header.base_offset,
            header.last_offset(),
            header.attributes,
            header.producer_epoch,
            header.base_sequence,
            header.record_count,
            header.partition_leader_epoch,
        ));
        for record in &batch.open(1 << 20).unwrap() {
            let record = record.unwrap();
            let time = if header.is_control() { 0 } else { record.timestamp - time };
            // Of a marker the value says who coordinates.
            let value = record.value.filter(|_| !header.is_control()).map(String::from_utf8_lossy);
            let key = record.key.map(String::from_utf8_lossy);
            lines.push(format!("  {} at {time}: {key:?} {value:?}", record.offset));
        }
    }
    lines
}

/// Lets the broker clean, waits until it has, and notes what is left.
async fn cleaned(broker: &mut Broker, topic: &str, time: i64, what: &str) {
    let before = describe(broker, topic, time).await;
    set(broker, topic, "min.cleanable.dirty.ratio", "0").await;
    let begun = Instant::now();
    let mut after = before.clone();
    while begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let last = std::mem::replace(&mut after, describe(broker, topic, time).await);
        // While segments are replaced, some of what is read is old and some is new.
        if after != before && after == last {
            break;
        }
    }
    assert_ne!(before, after, "{what}: not cleaned");
    broker.note(what, &after);
    for timestamp in [-3, -2, -1, time, time + 10_000, time + 35_000, time + 60_000] {
        let (found, offset) = list_offset(broker, topic, timestamp).await;
        let found = if found > 0 { found - time } else { found };
        broker.note(&format!("{what}: ListOffsets {}", timestamp - time), &(found, offset));
    }
    let response = broker.ask(12, &fetch(topic, 0).with_isolation_level(1)).await;
    let partition = &response.responses[0].partitions[0];
    let aborted = partition.aborted_transactions.iter().flatten().map(|aborted| aborted.first_offset);
    broker.note(&format!("{what}: aborted"), &(aborted.collect::<Vec<_>>(), partition.last_stable_offset));
    for offset in 0..=partition.high_watermark {
        let response = broker.ask(12, &fetch(topic, offset)).await;
        let records = response.responses[0].partitions[0].records.clone().unwrap_or_default();
        let first = RecordBatches::new(records).next().map(|batch| batch.unwrap().header().base_offset);
        broker.note(&format!("{what}: read from {offset}"), &first);
    }
    set(broker, topic, "min.cleanable.dirty.ratio", "1").await;
    // Kafka says that it is set before its cleaner knows of it.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn scenario(bootstrap: &str, time: i64) -> Vec<(String, String)> {
    let mut broker = Broker::connect(bootstrap).await;
    for (topic, retention) in [("long", "86400000"), ("short", "0")] {
        let settings = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "5000"),
            ("min.cleanable.dirty.ratio", "1"),
            ("delete.retention.ms", retention),
        ];
        broker.make(topic, &settings).await;
        let idempotent = |base_sequence| Some(ProducerStamp { producer_id: 900_000, producer_epoch: 0, base_sequence });
        let long = "x".repeat(300);
        let mut writer = Writer { broker: &mut broker, topic, time, batches: 0 };
        writer.plain(&[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))]).await;
        writer.put(&[("a", Some(&long)), ("a", Some(&long)), ("d", Some(&long))], Codec::Lz4, None, None).await;
        writer.put(&[("p", Some("1")), ("q", Some("1"))], Codec::None, idempotent(0), None).await;
        writer.put(&[("p", Some("2"))], Codec::None, idempotent(2), None).await;
        writer.plain(&[("b", None), ("e", Some("1"))]).await;
        writer.transaction(&format!("{topic}-1"), &[("a", Some("never")), ("f", Some("never"))], false).await;
        writer.transaction(&format!("{topic}-2"), &[("f", Some("1")), ("c", Some("2"))], true).await;
        writer.transaction(&format!("{topic}-1"), &[("g", Some("1"))], true).await;
        writer.put(&[("p", Some("3")), ("g", Some("2"))], Codec::None, None, None).await;
        writer.put(&[("h", Some(&long)), ("h", None), ("i", Some(&long))], Codec::Gzip, None, None).await;
        writer.plain(&[("end", Some("1"))]).await;
        let batches = writer.batches;
        cleaned(&mut broker, topic, time, &format!("{topic}: first")).await;
        let mut writer = Writer { broker: &mut broker, topic, time, batches };
        // What is known of the producer: the same again, a gap, the next.
        writer.batches = 3;
        writer.put(&[("p", Some("2"))], Codec::None, idempotent(2), None).await;
        writer.batches = batches;
        writer.put(&[("p", Some("9"))], Codec::None, idempotent(7), None).await;
        writer.batches = batches;
        writer.put(&[("p", Some("4")), ("f", Some("2"))], Codec::None, idempotent(3), None).await;
        writer.plain(&[("a", Some("2")), ("c", None)]).await;
        writer.plain(&[("end", Some("2"))]).await;
        let batches = writer.batches;
        cleaned(&mut broker, topic, time, &format!("{topic}: second")).await;
        let mut writer = Writer { broker: &mut broker, topic, time, batches };
        writer.plain(&[("end", Some("3"))]).await;
        cleaned(&mut broker, topic, time, &format!("{topic}: third")).await;
    }
    broker.answers()
}

#[tokio::test]
async fn a_compacted_log_holds_what_kafkas_does() {
    // Ahead of the clock, so that markers, which have its time, begin no segments.
    let time = now() + 1_000_000;
    let config = ClusterConfig::default().log_cleaner_backoff(Duration::from_millis(100));
    let cluster = TestCluster::start(config).await.unwrap();
    let ours = scenario(cluster.bootstrap(), time).await;
    let Some(kafka) = tokio::task::spawn_blocking(cleaning).await.unwrap() else { return };
    let theirs = scenario(kafka.bootstrap(), time).await;
    super::compare(&ours, &theirs);
}

/// Batches of every codec to topics of every codec: which codec they are in afterwards, and that they are what they were.
pub(crate) async fn compressing(broker: &mut Broker) {
    let time = now();
    let values: Vec<(i64, String)> =
        (0..20).map(|count| (time - count, format!("{count}-{}", "x".repeat(30)))).collect();
    let values: Vec<(i64, &str)> = values.iter().map(|(time, value)| (*time, value.as_str())).collect();
    let levels = [("compression.gzip.level", "9"), ("compression.lz4.level", "1"), ("compression.zstd.level", "10")];
    for target in ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"] {
        for timestamps in ["CreateTime", "LogAppendTime"] {
            let topic = format!("to-{target}-{timestamps}");
            let more = [("compression.type", target), ("message.timestamp.type", timestamps)];
            let settings: Vec<_> = levels.iter().chain(&more).copied().collect();
            broker.make(&topic, &settings).await;
            for source in Codec::ALL {
                broker.produce(&format!("{source:?} to {topic}"), &topic, compressed(&values, source)).await;
                // So small that compression makes it larger.
                broker
                    .produce(&format!("little {source:?} to {topic}"), &topic, compressed(&[(time, "x")], source))
                    .await;
            }
            // A header that does not say which timestamp is the newest, and one that says that it is the broker's.
            let batch = compressed(&values, Codec::None);
            broker
                .produce(&format!("wrong time to {topic}"), &topic, with(&batch, 35, &7_i64.to_be_bytes(), true))
                .await;
            broker.produce(&format!("stamped to {topic}"), &topic, with(&batch, 21, &8_i16.to_be_bytes(), true)).await;
            for batch in batches(broker, &topic).await {
                let header = batch.header();
                let open = batch.open(1 << 20).unwrap();
                let newest = if timestamps == "CreateTime" { header.max_timestamp - time } else { 0 };
                let values = open.iter().map(|record| Bytes::copy_from_slice(record.unwrap().value.unwrap()));
                let shown =
                    (header.attributes, header.base_offset, header.record_count, newest, header.base_timestamp - time);
                broker.note(&format!("{} of {topic}", header.base_offset), &(shown, values.collect::<Vec<_>>()));
            }
        }
    }
    // What is small enough as it comes may not be so in the log.
    broker.make("small", &[("compression.type", "uncompressed"), ("max.message.bytes", "500")]).await;
    broker.produce("larger than it was", "small", compressed(&values, Codec::Gzip)).await;
    broker.produce("small enough", "small", compressed(&values[..5], Codec::Gzip)).await;

    for (setting, value) in [
        ("compression.gzip.level", "0"),
        ("compression.gzip.level", "10"),
        ("compression.gzip.level", "-1"),
        ("compression.lz4.level", "0"),
        ("compression.lz4.level", "18"),
        ("compression.zstd.level", "23"),
        ("compression.type", "bzip2"),
        ("min.cleanable.dirty.ratio", "-0.1"),
        ("min.cleanable.dirty.ratio", "1.1"),
        ("min.cleanable.dirty.ratio", "much"),
        ("segment.ms", "0"),
        ("max.compaction.lag.ms", "0"),
    ] {
        let topic = new_topic("levels", 1, &[(setting, value)]);
        let body =
            CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000).with_validate_only(true);
        let made = broker.ask(7, &body).await;
        broker.note(&format!("{setting}={value}"), &made.topics[0].error_code);
    }

    // These words are Kafka's.
    broker.make("keys", &[("cleanup.policy", "compact")]).await;
    for count in [1, 2, 5] {
        let response = broker.ask(9, &produce("keys", compressed(&values[..count], Codec::None))).await;
        broker.note(&format!("{count} records without keys"), &response);
    }
}
