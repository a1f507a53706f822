//! How long a record takes from one end to the other.

use std::time::Duration;

use tidemill_client::{AutoOffsetReset, Consumer, ConsumerConfig, Producer, Record};
use tokio::time::Instant;

use super::Outcome;
use super::produce::pace;
use super::report::Report;
use super::usage::Mark;

const SIZE: usize = 100;

/// Unmeasured, at first.
const WARM_UP: Duration = Duration::from_secs(3);

pub(super) async fn run(bootstrap: &str, topic: &str, records: u64, rate: u64, partitions: i32) -> Outcome<Report> {
    let producer = Producer::from_properties([("bootstrap.servers", bootstrap), ("linger.ms", "0")])?;
    let config = ConsumerConfig::default()
        .bootstrap_servers(bootstrap)
        .group_id(format!("perf-{}-{}", std::process::id(), fastrand::u64(..)))
        .auto_offset_reset(AutoOffsetReset::Latest);
    let consumer = Consumer::new(config)?;
    consumer.subscribe([topic])?;
    assigned(&consumer, &producer, topic, partitions).await?;

    let warm_up = rate.saturating_mul(WARM_UP.as_secs());
    let begin = Instant::now();
    let all = warm_up + records;
    let send = async {
        let mut value = [b'x'; SIZE];
        for number in 0..all {
            pace(begin, number, rate).await;
            let [stamp, mark] = [nanoseconds_since(begin), number + 1].map(u64::to_be_bytes);
            value[..8].copy_from_slice(&stamp);
            value[8..16].copy_from_slice(&mark);
            let partition = i32::try_from(number % u64::try_from(partitions)?)?;
            // What became of it is seen by the consumer.
            drop(producer.send(Record::new(topic).partition(partition).value(&value)).await?);
        }
        Outcome::Ok(())
    };
    let receive = async {
        let mut latencies: Vec<u64> = Vec::with_capacity(usize::try_from(records)?);
        let (mut from, mut received) = (Mark::now()?, 0);
        while received < all {
            let batch = tokio::time::timeout(Duration::from_secs(30), consumer.recv_batch()).await??;
            let now = nanoseconds_since(begin);
            for record in batch.iter() {
                let value = record.value().unwrap_or_default();
                let (Some(stamp), Some(mark)) = (value.first_chunk::<8>(), value.get(8..16)) else { continue };
                // Those by which the assignment was waited for carry no number.
                if mark == [0; 8] {
                    continue;
                }
                received += 1;
                if received == warm_up {
                    from = Mark::now()?;
                }
                if received > warm_up {
                    latencies.push(now.saturating_sub(u64::from_be_bytes(*stamp)));
                }
            }
        }
        Outcome::Ok((latencies, from))
    };
    let ((), (mut latencies, from)) = futures_util::future::try_join(send, receive).await?;
    let to = Mark::now()?;
    latencies.sort_unstable();
    let at = |percent: usize| milliseconds(latencies.get((latencies.len() * percent / 100).min(latencies.len() - 1)));
    let report = Report::new("e2e", (records, 0), from, to)?
        .with("p50_ms", at(50))
        .with("p90_ms", at(90))
        .with("p99_ms", at(99))
        .with("max_ms", milliseconds(latencies.last()));
    producer.close(Duration::from_secs(5)).await?;
    consumer.close(Duration::from_secs(5)).await?;
    Ok(report)
}

/// Waits until the consumer has every partition and reads from its end: writes to each until something comes out.
async fn assigned(consumer: &Consumer, producer: &Producer, topic: &str, partitions: i32) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < usize::try_from(partitions)? {
        if Instant::now() > deadline {
            return Err(format!("after 30 s, only {} of {partitions} partitions are read", seen.len()).into());
        }
        for partition in (0..partitions).filter(|partition| !seen.contains(partition)) {
            producer.send(Record::new(topic).partition(partition).value(&[0; SIZE])).await?.await?;
        }
        while let Ok(batch) = tokio::time::timeout(Duration::from_millis(100), consumer.recv_batch()).await {
            seen.insert(batch?.topic_partition().partition);
        }
    }
    Ok(())
}

fn nanoseconds_since(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn milliseconds(nanoseconds: Option<&u64>) -> f64 {
    Duration::from_nanos(nanoseconds.copied().unwrap_or_default()).as_secs_f64() * 1_000.0
}
