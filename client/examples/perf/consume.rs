//! Reading a topic from its beginning, as a group that is new each time.

use std::hint::black_box;
use std::time::Duration;

use tidemill_client::Consumer;

use super::Outcome;
use super::report::Report;
use super::usage::Mark;

pub(super) async fn run(bootstrap: &str, topic: &str, records: u64) -> Outcome<Report> {
    let group = format!("perf-{}-{}", std::process::id(), fastrand::u64(..));
    let created = Mark::now()?;
    let consumer = Consumer::from_properties([
        ("bootstrap.servers", bootstrap),
        ("group.id", &group),
        ("auto.offset.reset", "earliest"),
    ])?;
    consumer.subscribe([topic])?;
    let mut batch = consumer.recv_batch().await?;
    let first = Mark::now()?;
    let (mut count, mut bytes, mut check) = (0_u64, 0_usize, 0_u8);
    loop {
        for record in batch.iter() {
            let value = record.value().unwrap_or_default();
            bytes += value.len();
            check ^= value.last().copied().unwrap_or_default();
            count += 1;
        }
        if count >= records {
            break;
        }
        batch = tokio::time::timeout(Duration::from_secs(30), consumer.recv_batch())
            .await
            .map_err(|_| format!("no record for 30 s, after {count} of {records}"))??;
    }
    black_box((bytes, check));
    let last = Mark::now()?;
    consumer.close(Duration::from_secs(5)).await?;
    let (startup_seconds, startup_cpu_seconds) = created.until(first);
    let report = Report::new("consume", (count, 0), first, last)?;
    Ok(report.with("startup_seconds", startup_seconds).with("startup_cpu_seconds", startup_cpu_seconds))
}
