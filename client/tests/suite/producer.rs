//! Writing and reading, by ourselves, by Kafka's own tools (Java) and by kcat (librdkafka), with every codec.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_client::{Codec, Compression, Consumer, Producer, ProducerConfig, Record, TopicPartition};
use tidemill_testkit::kafka::{Kafka, Kcat, Tools};

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

mod beside_other_clients {
    use super::{others_read_what_we_write, we_read_what_others_write};

    crate::bed::over_tcp! {
        others_read_what_we_write(1);
        we_read_what_others_write(crate::producer::PARTITIONS);
    }
}

async fn what_is_written_reads_back_in_order_whatever_the_codec(bed: Bed) {
    for codec in Codec::ALL {
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

/// A batch of so many bytes has several chunks, blocks or frames, whatever the codec.
const LARGE_BATCH_BYTES: usize = 800_000;
const LARGE_BATCH_RECORDS: usize = 12_000;

/// Writes a large batch, or two where time cuts it, and returns what is in them.
async fn write_large_batches(bed: &Bed, compression: impl Into<Compression>) -> Vec<String> {
    let config = ProducerConfig::default().client(bed.client(&[])).compression(compression);
    let config = config.batch_bytes(LARGE_BATCH_BYTES).linger(Duration::from_secs(1));
    let producer = Producer::new(config).unwrap();
    let values: Vec<String> =
        (0..LARGE_BATCH_RECORDS).map(|number| format!("click number {number} of user {:x}", number * number)).collect();
    for value in &values {
        drop(producer.send(Record::new(&bed.topic).partition(0).value(value.as_bytes())).await.unwrap());
    }
    producer.close(PATIENCE).await.unwrap();
    values
}

async fn others_read_what_we_write(bed: Bed) {
    for codec in Codec::ALL {
        let bed = bed.another(&format!("{}-{}", bed.topic, codec.name()), 1).await;
        let values = write_large_batches(&bed, codec).await;
        let count = values.len().to_string();
        if let Some(tools) = on_a_thread(Tools::find).await {
            let arguments = ["--from-beginning", "--max-messages", &count, "--timeout-ms", "20000"];
            let arguments = ["--bootstrap-server", bed.bootstrap(), "--topic", &bed.topic].into_iter().chain(arguments);
            let output = run_tool(tools, CONSUMER, arguments, "").await;
            assert!(output.lines().eq(&values), "Java, {codec:?}");
        }
        let kcat = ["-b", bed.bootstrap(), "-C", "-t", &bed.topic, "-e", "-q"];
        if let Some(output) = run_kcat(kcat, "").await {
            assert!(output.lines().eq(&values), "kcat, {codec:?}");
        }
    }
}

async fn we_read_what_others_write(bed: Bed) {
    let lines: String = (0..20_000).map(|number| format!("click {number}\n")).collect();
    let check = async |bed: &Bed, whose: &str| {
        let values = read_all(bed, 20_000).await.into_values().flatten();
        let mut numbers: Vec<u32> =
            values.map(|value| value.strip_prefix("click ").unwrap().parse().unwrap()).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..20_000), "{whose}");
    };
    for codec in Codec::ALL.map(Codec::name) {
        if let Some(tools) = on_a_thread(Tools::find).await {
            let bed = bed.another(&format!("{}-java-{codec}", bed.topic), PARTITIONS).await;
            let arguments =
                ["--bootstrap-server", bed.bootstrap(), "--topic", &bed.topic, "--compression-codec", codec];
            let large = ["--batch-size", "500000", "--timeout", "500"];
            run_tool(tools, PRODUCER, arguments.into_iter().chain(large), &lines).await;
            check(&bed, &format!("Java, {codec}")).await;
        }
        let bed = bed.another(&format!("{}-kcat-{codec}", bed.topic), PARTITIONS).await;
        let kcat = ["-b", bed.bootstrap(), "-P", "-t", &bed.topic, "-z", codec, "-X", "linger.ms=200"];
        if run_kcat(kcat, &lines).await.is_some() {
            check(&bed, &format!("kcat, {codec}")).await;
        }
    }
}

/// Kafka's own tool takes our batches apart, at every level that matters, and finds nothing wrong with them.
#[tokio::test]
async fn kafkas_log_dump_finds_our_batches_sound() {
    let Some(kafka) = on_a_thread(Kafka::shared).await else { return };
    let Some(bed) = Bed::kafka("dump", 1).await else { return };
    let levels = [(Codec::Gzip, 1), (Codec::Gzip, 9), (Codec::Lz4, 17), (Codec::Zstd, 1), (Codec::Zstd, 19)];
    let leveled = levels.map(|(codec, level)| Compression::with_level(codec, level).unwrap());
    for compression in leveled.into_iter().chain(Codec::ALL.map(Compression::from)) {
        let (codec, level) = (compression.codec().name(), compression.level());
        let bed = bed.another(&format!("{}-{codec}-{level}", bed.topic), 1).await;
        let values = write_large_batches(&bed, compression).await;
        let segment = kafka.folder(0).join(format!("data/{}-0/00000000000000000000.log", bed.topic));
        let arguments = ["--deep-iteration", "--print-data-log", "--files", segment.to_str().unwrap()];
        let output = run_tool(on_a_thread(Tools::find).await.unwrap(), DUMP, arguments.into_iter(), "").await;
        let batches: Vec<&str> = output.lines().filter(|line| line.starts_with("baseOffset: ")).collect();
        assert!(!batches.is_empty() && batches.iter().all(|line| line.contains("isvalid: true")), "{output}");
        assert!(batches.iter().any(|line| line.contains(&format!("compresscodec: {codec}"))), "{batches:?}");
        let payloads = output.lines().filter_map(|line| line.split_once(" payload: ")).map(|(_, payload)| payload);
        assert!(payloads.eq(&values), "{codec} {level}");
    }
}

const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const DUMP: &str = "org.apache.kafka.tools.DumpLogSegments";

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn owned<'a>(arguments: impl Iterator<Item = &'a str>) -> Vec<String> {
    arguments.map(str::to_owned).collect()
}

/// What one of Kafka's tools says, given `input`.
async fn run_tool<'a>(
    tools: Tools,
    class: &'static str,
    arguments: impl Iterator<Item = &'a str>,
    input: &str,
) -> String {
    let (arguments, input) = (owned(arguments), input.to_owned());
    let output = on_a_thread(move || {
        tools.run(class, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), &input).unwrap()
    });
    let output = output.await;
    assert!(output.status.success(), "{class}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What kcat says, given `input`; none, after a line that says so, when there is no kcat.
async fn run_kcat<const COUNT: usize>(arguments: [&str; COUNT], input: &str) -> Option<String> {
    let (arguments, input) = (owned(arguments.into_iter()), input.to_owned());
    let output = on_a_thread(move || {
        Some(Kcat::find()?.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &input).unwrap())
    });
    let output = output.await?;
    assert!(output.status.success(), "kcat: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
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
