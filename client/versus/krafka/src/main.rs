//! krafka, measured by the contract that `../README.md` describes.
//!
//! Its settings, and why they are its best:
//!
//! - produce: idempotent with acks from all, which are its defaults; `linger` 5 ms and `batch_size` 1 MB are the contract's.
//!   `buffer_memory` is raised from 32 MB: it has one batch of a partition in flight, so that the next ones have to fill
//!   meanwhile. `enqueue` waits when it is full. Values are `Bytes` of static memory, which are not copied; handles are
//!   dropped, and what failed is counted by its metrics after `flush`.
//! - consume: `max_poll_records` and `max_buffered_records` are raised from 500, so that an answer is decoded at once, and
//!   `max_partition_fetch_bytes` from 1 MB. No commits.
//! - e2e: `linger` 0; its default is 5 ms.
//! - copy: `TransactionalProducer` with `send_offsets`, as its example has it, with records enqueued rather than awaited one
//!   by one; the values are views of what was fetched.
//!
//! The runtime has one thread: everything happens in one task and its engine's, and more threads cost more CPU.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contest::{
    BATCH_BYTES_MAX, COMMIT_INTERVAL, Clock, EndToEnd, LINGER, Latencies, Mode, Produce, Sum, clicks, fail, fresh,
};
use krafka::consumer::{AutoOffsetReset, Consumer, ConsumerRecord, IsolationLevel};
use krafka::producer::{ProducerBuilder, TopicPartitionOffset};
use krafka::{Compression, Kafka, Record};

const NAME: &str = "krafka";

type Outcome<T> = krafka::Result<T>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let outcome = match contest::mode() {
        Mode::Produce(run) => produce(&run).await,
        Mode::Consume { bootstrap, topic, records } => consume(&bootstrap, &topic, records).await,
        Mode::EndToEnd(run) => end_to_end(run).await,
        Mode::Copy { bootstrap, input, output, records } => copy(&bootstrap, &input, &output, records).await,
    };
    if let Err(error) = outcome {
        fail(error);
    }
}

async fn produce(run: &Produce) -> Outcome<()> {
    let kafka = Kafka::builder(run.bootstrap.as_str()).connect().await?;
    let producer = batching(kafka.producer()).compression(compression(&run.codec)).build().await?;
    let values: Vec<&'static [u8]> = clicks(run.size).into_iter().map(|value| &*value.leak()).collect();
    let clock = Clock::start();
    for (number, value) in (0..run.records).zip(values.iter().cycle()) {
        if let Some(rate) = run.rate {
            pace(clock.at() + Duration::from_secs_f64(number as f64 / rate as f64)).await;
        }
        drop(producer.enqueue(Record::new(run.topic.as_str(), *value)).await?);
    }
    producer.flush().await?;
    let errors = producer.metrics().producer.errors as usize;
    clock.report(NAME, "produce", run.records, errors, &[])
}

async fn consume(bootstrap: &str, topic: &str, records: usize) -> Outcome<()> {
    let startup = Clock::start();
    let kafka = Kafka::builder(bootstrap).connect().await?;
    let consumer = consumer(&kafka, topic, "krafka-consume").await?;
    let mut read = Sum::default();
    let mut clock = None;
    let mut seen = 0;
    while seen < records {
        let batch = consumer.poll(Duration::from_millis(100)).await?;
        if batch.is_empty() {
            continue;
        }
        clock.get_or_insert_with(Clock::start);
        batch.iter().for_each(|record| read.add(value_of(record)));
        seen += batch.len();
    }
    read.check();
    let clock = clock.unwrap_or_else(|| fail("nothing was read"));
    clock.report(NAME, "consume", seen, 0, &startup.startup(&clock))
}

async fn end_to_end(run: EndToEnd) -> Outcome<()> {
    let kafka = Kafka::builder(run.bootstrap.as_str()).connect().await?;
    let consumer = consumer(&kafka, &run.topic, "krafka-e2e").await?;
    let producer = kafka.producer().linger(Duration::ZERO).build().await?;
    producer.partitions_for(&run.topic).await?;
    let epoch = Instant::now();
    // A member is assigned while it polls.
    loop {
        let early = consumer.poll(Duration::from_millis(10)).await?;
        if !early.is_empty() {
            fail("a record before the first was sent");
        }
        if consumer.assignment().await.values().map(Vec::len).sum::<usize>() == run.partitions {
            break;
        }
    }
    let producer = Arc::new(producer);
    let sender = tokio::spawn(send_steadily(producer.clone(), run.clone(), epoch));
    let mut latencies = Latencies::new(epoch, run.records);
    while latencies.len() < run.records {
        for record in consumer.poll(Duration::from_secs(1)).await? {
            latencies.add(value_of(&record));
        }
    }
    let clock = sender.await.unwrap_or_else(|error| fail(error))?;
    let errors = producer.metrics().producer.errors as usize;
    clock.report(NAME, "e2e", run.records, errors, &latencies.percentiles())
}

/// Returns when the measured part began.
async fn send_steadily(producer: Arc<krafka::producer::Producer>, run: EndToEnd, epoch: Instant) -> Outcome<Clock> {
    let begin = Instant::now();
    let mut clock = Clock::start();
    for number in 0..run.unmeasured() + run.records {
        pace(begin + run.due(number)).await;
        if number == run.unmeasured() {
            clock = Clock::start();
        }
        let value = Latencies::value(epoch, number >= run.unmeasured());
        let partition = (number % run.partitions) as i32;
        drop(producer.enqueue(Record::new(run.topic.as_str(), value).partition(partition)).await?);
    }
    Ok(clock)
}

async fn copy(bootstrap: &str, input: &str, output: &str, records: usize) -> Outcome<()> {
    let kafka = Kafka::builder(bootstrap).connect().await?;
    let consumer = consumer(&kafka, input, "krafka-copy").await?;
    let producer = batching(kafka.producer()).build_transactional(fresh("krafka-copy")).await?;
    let mut clock = None;
    let mut seen = 0;
    while seen < records {
        producer.begin()?;
        let until = Instant::now() + COMMIT_INTERVAL;
        let mut next = BTreeMap::new();
        while seen < records && Instant::now() < until {
            let batch = consumer.poll(until - Instant::now()).await?;
            if batch.is_empty() {
                continue;
            }
            clock.get_or_insert_with(Clock::start);
            seen += batch.len();
            for record in batch {
                next.insert(record.partition, record.offset + 1);
                let copy = Record::new(output, record.value.unwrap_or_default()).partition(record.partition);
                drop(producer.enqueue(copy).await?);
            }
        }
        if !next.is_empty() {
            let offsets = next.into_iter().map(|(partition, next)| TopicPartitionOffset::new(input, partition, next));
            let group = consumer.group_metadata().await.unwrap_or_else(|| fail("not a member of the group"));
            producer.send_offsets(&offsets.collect::<Vec<_>>(), &group).await?;
        }
        // Fails if any of the records did.
        producer.commit().await?;
    }
    let clock = clock.unwrap_or_else(|| fail("nothing was copied"));
    clock.report(NAME, "copy", seen, 0, &[])
}

fn batching(builder: ProducerBuilder) -> ProducerBuilder {
    builder.linger(LINGER).batch_size(BATCH_BYTES_MAX).buffer_memory(64 * 1024 * 1024)
}

async fn consumer(kafka: &Kafka, topic: &str, group: &str) -> Outcome<Consumer> {
    let consumer = kafka
        .consumer(fresh(group))
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .isolation_level(IsolationLevel::ReadCommitted)
        .enable_auto_commit(false)
        .max_poll_records(10_000)
        .max_buffered_records(100_000)
        .max_partition_fetch_bytes(8 * 1024 * 1024)
        .build()
        .await?;
    consumer.subscribe([topic]).await?;
    Ok(consumer)
}

fn compression(name: &str) -> Compression {
    match name {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => fail(format_args!("no codec '{name}'")),
    }
}

fn value_of(record: &ConsumerRecord) -> &[u8] {
    record.value.as_deref().unwrap_or_default()
}

async fn pace(due: Instant) {
    if due > Instant::now() {
        tokio::time::sleep_until(due.into()).await;
    }
}
