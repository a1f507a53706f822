//! Writing as fast as possible, or at a rate.

use std::time::Duration;

use tidemill_client::{Producer, Record};
use tokio::time::Instant;

use super::Outcome;
use super::report::Report;
use super::usage::Mark;

/// How many different values there are.
const POOL: u64 = 1_000;

/// This many records are sent at once.
const AT_ONCE: u64 = 256;

/// At a rate, this many groups of records are sent a second.
const PACES: u64 = 1_000;

pub(super) async fn run(
    bootstrap: &str,
    topic: &str,
    records: u64,
    size: usize,
    codec: &str,
    rate: Option<u64>,
) -> Outcome<Report> {
    let producer = Producer::from_properties([
        ("bootstrap.servers", bootstrap),
        ("linger.ms", "5"),
        ("batch.size", "1000000"),
        ("compression.type", codec),
    ])?;
    let pool: Vec<Vec<u8>> = (0..POOL).map(|number| click(number, size)).collect();
    let mut sent = Vec::new();
    let from = Mark::now()?;
    let first = Instant::now();
    let at_once = rate.map_or(AT_ONCE, |rate| rate / PACES).max(1);
    let mut values = pool.iter().cycle();
    let mut batch = Vec::with_capacity(usize::try_from(at_once)?);
    let mut number = 0;
    while number < records {
        if let Some(rate) = rate {
            pace(first, number, rate).await;
        }
        let count = at_once.min(records - number);
        batch.clear();
        batch.extend((0..count).zip(&mut values).map(|(_, value)| Record::new(topic).value(value)));
        sent.push(producer.send_batch(&batch).await);
        number += count;
    }
    producer.flush().await;
    let mut errors = 0;
    for mut batch in sent {
        if batch.all().await.is_err() {
            for delivery in batch {
                if let Err(error) = delivery.await {
                    eprintln!("error: {error}");
                    errors += 1;
                }
            }
        }
    }
    let to = Mark::now()?;
    producer.close(Duration::from_secs(5)).await?;
    Ok(Report::new("produce", (records, errors), from, to)?)
}

/// Waits until it is time for a record.
pub(super) async fn pace(first: Instant, number: u64, rate: u64) {
    let due = first + Duration::from_nanos(number.saturating_mul(1_000_000_000) / rate.max(1));
    tokio::time::sleep_until(due).await;
}

/// A click as the reference job reads it, padded to `size` bytes.
fn click(number: u64, size: usize) -> Vec<u8> {
    let mut click = format!(r#"{{"user_id":{},"cURL":"https://example.com/"#, number * 7_919 % 1_000_003);
    let mut letter = number;
    while click.len() + 2 < size {
        letter = letter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        click.push(char::from(b"abcdefghijklmnopqrstuvwxyz012345"[usize::from((letter >> 59) as u8)]));
    }
    click.push_str("\"}");
    let mut click = click.into_bytes();
    click.truncate(size);
    click
}
