//! Writes the clicks, at an even pace, and tells which of them the broker acknowledged.
//!
//! Before: [`clicks`](super::clicks) says what and how many. After: [`check`](super::check) takes the outcomes.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock for its machine")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tidemill_client::{Delivery, Error, Producer, Record, RecordMetadata};
use tokio::time::MissedTickBehavior;

use super::check::Check;
use super::clicks::{Clicks, Pace};

/// How often what is due is sent: together, it shares a batch.
const TICK: Duration = Duration::from_millis(10);

/// Writes clicks to a topic until one cannot be written.
///
/// # Cancel safety
/// Dropped, it writes no more; what was sent is still written.
pub(super) async fn write(
    producer: &Producer,
    topic: &str,
    mut clicks: Clicks,
    per_second: u32,
    check: &RefCell<Check>,
) -> Result<Infallible, Error> {
    let mut pace = Pace::new(per_second, Instant::now());
    let mut open = VecDeque::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for _ in 0..pace.due(Instant::now()) {
            let delivery = producer.send(Record::new(topic).value(clicks.next_value())).await?;
            Sent::push(&mut open, delivery);
        }
        while let Some((outcome, count)) = Sent::first_outcome(&mut open).await {
            let RecordMetadata { topic_partition, offset, .. } = outcome?;
            // Without an offset the broker had the batch before, and the answer was lost: the check takes its records for
            // those of others then.
            if let Some(last) = offset {
                check.borrow_mut().handle_acknowledged(topic_partition.partition, last + 1 - count..last + 1);
            }
        }
    }
}

/// A batch without an outcome so far.
#[derive(Debug)]
struct Sent {
    /// That of its last record.
    delivery: Delivery,
    records: i64,
}

impl Sent {
    /// Takes in the delivery of the record that was sent last.
    fn push(open: &mut VecDeque<Self>, delivery: Delivery) {
        match open.back_mut() {
            Some(last) if last.delivery.is_in_batch_of(&delivery) => {
                *last = Self { delivery, records: last.records + 1 };
            }
            Some(_) | None => open.push_back(Self { delivery, records: 1 }),
        }
    }

    /// The outcome of the oldest batch, if it has one already, and how many records it has. Never waits.
    async fn first_outcome(open: &mut VecDeque<Self>) -> Option<(Result<RecordMetadata, Error>, i64)> {
        let outcome =
            poll_fn(|context| match open.front_mut().map(|first| Pin::new(&mut first.delivery).poll(context)) {
                Some(Poll::Ready(outcome)) => Poll::Ready(Some(outcome)),
                Some(Poll::Pending) | None => Poll::Ready(None),
            })
            .await?;
        let records = open.pop_front()?.records;
        Some((outcome, records))
    }
}
