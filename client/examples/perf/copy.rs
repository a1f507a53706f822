//! Copying a topic to another exactly once, each record to the partition that it came from.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_client::{ConsumedBatch, Consumer, Error, Header, Record, Transaction, TransactionalProducer};
use tokio::time::{Instant, timeout_at};

use super::Outcome;
use super::report::Report;
use super::usage::Mark;

/// How long a transaction stays open.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

pub(super) async fn run(bootstrap: &str, input: &str, output: &str, records: u64) -> Outcome<Report> {
    let name = format!("perf-copy-{}-{}", std::process::id(), fastrand::u64(..));
    let mut producer = TransactionalProducer::from_properties([
        ("bootstrap.servers", bootstrap),
        ("transactional.id", &name),
        ("linger.ms", "5"),
        ("batch.size", "1000000"),
    ])?;
    let consumer = Consumer::from_properties([
        ("bootstrap.servers", bootstrap),
        ("group.id", &name),
        ("auto.offset.reset", "earliest"),
        ("isolation.level", "read_committed"),
        ("enable.auto.commit", "false"),
    ])?;
    consumer.subscribe([input])?;
    let (mut from, mut count, mut received) = (None, 0, Instant::now());
    while count < records {
        let transaction = producer.begin().await?;
        let mut offsets = BTreeMap::new();
        let end = Instant::now() + COMMIT_INTERVAL;
        while count < records {
            let Ok(batch) = timeout_at(end, consumer.recv_batch()).await else { break };
            let batch = batch?;
            if from.is_none() {
                from = Some(Mark::now()?);
            }
            copy(&transaction, &batch, output).await?;
            offsets.insert(batch.topic_partition().clone(), batch.next_offset());
            count += u64::try_from(batch.len())?;
            received = Instant::now();
        }
        if !offsets.is_empty() {
            transaction.send_offsets(&consumer.group_metadata()?, offsets).await?;
        }
        transaction.commit().await?;
        if received.elapsed() > Duration::from_secs(30) {
            return Err(format!("no record for 30 s, after {count} of {records}").into());
        }
    }
    let to = Mark::now()?;
    producer.close(Duration::from_secs(5)).await?;
    consumer.close(Duration::from_secs(5)).await?;
    Ok(Report::new("copy", (count, 0), from.unwrap_or(to), to)?)
}

/// Sends the records of a batch on as they are. What is allocated does not depend on how many there are.
async fn copy(transaction: &Transaction<'_>, batch: &ConsumedBatch, output: &str) -> Result<(), Error> {
    let partition = batch.topic_partition().partition;
    let headers: Vec<Header<'_>> = batch.iter().flat_map(|record| record.headers()).collect();
    let mut headers = headers.as_slice();
    let copies = batch.iter().map(|record| {
        let (own, others) = headers.split_at(record.headers().count());
        headers = others;
        let mut copy = Record::new(output).partition(partition).timestamp(record.timestamp()).headers(own);
        copy = record.key().map_or(copy, |key| copy.key(key));
        record.value().map_or(copy, |value| copy.value(value))
    });
    transaction.send_batch(&copies.collect::<Vec<_>>()).await
}
