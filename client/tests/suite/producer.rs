//! Writing, read back by ourselves and by Kafka's own tools.

use std::collections::BTreeMap;

use tidemill_client::{Codec, Consumer, Producer, ProducerConfig, Record, TopicPartition};
use tidemill_testkit::kafka::Tools;

use crate::bed::{Bed, PATIENCE, on_every_cluster};

const PARTITIONS: i32 = 4;
const RECORDS: usize = 10_000;

fn producer(bed: &Bed, codec: Codec) -> Producer {
    Producer::new(ProducerConfig::default().client(bed.client(&[])).compression(codec)).unwrap()
}

/// Everything in the topic, by partition, in order.
async fn read_all(bed: &Bed, count: usize) -> BTreeMap<i32, Vec<String>> {
    let consumer = Consumer::new(bed.reader()).unwrap();
    consumer.assign((0..PARTITIONS).map(|partition| TopicPartition::new(bed.topic.as_str(), partition))).unwrap();
    let mut values: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for _ in 0..count {
        let record = tokio::time::timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap();
        let value = String::from_utf8(record.value().unwrap().to_vec()).unwrap();
        values.entry(record.topic_partition().partition).or_default().push(value);
    }
    values
}

on_every_cluster! {
    what_is_written_reads_back_in_order_whatever_the_codec(super::PARTITIONS);
    a_topic_that_does_not_come_is_named(1);
    a_topic_that_is_made_anew_is_written_to(1);
}

mod beside_kafkas_tools {
    use super::{kafkas_console_consumer_reads_what_we_write, we_read_what_kafkas_console_producer_writes};

    crate::bed::over_tcp! {
        kafkas_console_consumer_reads_what_we_write(1);
        we_read_what_kafkas_console_producer_writes(crate::producer::PARTITIONS);
    }
}

async fn what_is_written_reads_back_in_order_whatever_the_codec(bed: Bed) {
    for codec in [Codec::None, Codec::Snappy, Codec::Lz4] {
        let bed = bed.another(&format!("{}-{}", bed.topic, codec.name()), PARTITIONS).await;
        let producer = producer(&bed, codec);
        let mut sent: BTreeMap<i32, Vec<String>> = BTreeMap::new();
        let mut deliveries = Vec::new();
        for number in 0..RECORDS {
            let partition = i32::try_from(number % 4).unwrap();
            let value = format!("click {number} of {codec:?}");
            let record = Record::new(&bed.topic).partition(partition).value(value.as_bytes());
            deliveries.push((
                partition,
                sent.entry(partition).or_default().len(),
                producer.send(record).await.unwrap(),
            ));
            sent.entry(partition).or_default().push(value);
        }
        for (partition, place, delivery) in deliveries {
            let written = delivery.await.unwrap();
            assert_eq!(written.topic_partition.partition, partition);
            assert_eq!(written.offset, Some(i64::try_from(place).unwrap()));
        }
        producer.close(PATIENCE).await.unwrap();
        assert!(read_all(&bed, RECORDS).await == sent, "{codec:?}");
    }
}

async fn kafkas_console_consumer_reads_what_we_write(bed: Bed) {
    for codec in [Codec::None, Codec::Snappy, Codec::Lz4] {
        let bed = bed.another(&format!("{}-{}", bed.topic, codec.name()), 1).await;
        let producer = producer(&bed, codec);
        for number in 0..500 {
            let value = format!("click number {number}");
            drop(producer.send(Record::new(&bed.topic).value(value.as_bytes())).await.unwrap());
        }
        producer.close(PATIENCE).await.unwrap();
        let topic = bed.topic.clone();
        let bootstrap = bed.bootstrap().to_owned();
        let output = tokio::task::spawn_blocking(move || {
            let tools = Tools::find()?;
            let arguments = [
                "--bootstrap-server",
                &bootstrap,
                "--topic",
                &topic,
                "--from-beginning",
                "--max-messages",
                "500",
                "--timeout-ms",
                "20000",
            ];
            Some(tools.run("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments, "").unwrap())
        });
        let Some(output) = output.await.unwrap() else { return };
        let output = String::from_utf8(output.stdout).unwrap();
        let expected: Vec<String> = (0..500).map(|number| format!("click number {number}")).collect();
        assert_eq!(output.lines().collect::<Vec<_>>(), expected, "{codec:?}");
    }
}

async fn we_read_what_kafkas_console_producer_writes(bed: Bed) {
    let topic = bed.topic.clone();
    let lines: String = (0..300).map(|number| format!("click {number}\n")).collect();
    let bootstrap = bed.bootstrap().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let tools = Tools::find()?;
        let arguments = ["--bootstrap-server", &bootstrap, "--topic", &topic, "--compression-codec", "lz4"];
        Some(tools.run("org.apache.kafka.tools.ConsoleProducer", &arguments, &lines).unwrap())
    });
    let Some(output) = output.await.unwrap() else { return };
    assert!(output.status.success());
    let mut numbers: Vec<u32> = read_all(&bed, 300)
        .await
        .into_values()
        .flatten()
        .map(|value| value.strip_prefix("click ").unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..300));
}

/// A broker is asked for the old topic's id, which it does not know any more.
async fn a_topic_that_is_made_anew_is_written_to(bed: Bed) {
    let producer = producer(&bed, Codec::None);
    let old = producer.send(Record::new(&bed.topic).value(b"old")).await.unwrap();
    assert_eq!(old.await.unwrap().offset, Some(0));
    bed.make_anew(1).await;
    for value in ["new", "newer"] {
        let new = producer.send(Record::new(&bed.topic).value(value.as_bytes())).await.unwrap();
        tokio::time::timeout(PATIENCE, new).await.unwrap().unwrap();
    }
    producer.close(PATIENCE).await.unwrap();
    assert_eq!(read_all(&bed, 2).await, BTreeMap::from([(0, vec!["new".to_owned(), "newer".to_owned()])]));
}

async fn a_topic_that_does_not_come_is_named(bed: Bed) {
    let producer = producer(&bed, Codec::None);
    let refused = producer.send(Record::new("not a topic name!").value(b"x")).await.unwrap_err();
    assert!(refused.to_string().contains("topic 'not a topic name!'"), "{refused}");
    let partition = producer.send(Record::new(&bed.topic).partition(7).value(b"x")).await.unwrap_err();
    assert!(partition.to_string().contains("partitions 0 to 0"), "{partition}");
    drop(producer.send(Record::new(&bed.topic).value(b"x")).await.unwrap());
    producer.close(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named_with_what_to_change() {
    let admin = tidemill_client::Admin::new(tidemill_client::ClientConfig::default().bootstrap_servers("127.0.0.1:1"));
    let refused = admin.unwrap().list_topics(PATIENCE).await.unwrap_err().to_string();
    assert!(refused.contains("127.0.0.1:1") && refused.contains("bootstrap.servers"), "{refused}");
}
