//! The outcome of a record: one per batch is kept, each record's is read off it.
//!
//! [`Producer::send`](super::Producer::send) returns the future; the machine completes the batch.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::Error;
use crate::record::TopicPartition;

/// Where a record was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordMetadata {
    /// Its partition.
    pub topic_partition: TopicPartition,
    /// Its offset there; `None` when the broker had the record already and did not tell, and with `acks=0`, to which no
    /// broker answers.
    pub offset: Option<i64>,
}

/// What became of a batch, shared by its records.
#[derive(Debug)]
pub(super) struct Completion {
    partition: TopicPartition,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open(Vec<Waker>),
    Done(Result<Option<i64>, Error>),
}

impl Completion {
    pub(super) const fn new(partition: TopicPartition) -> Self {
        Self { partition, state: Mutex::new(State::Open(Vec::new())) }
    }

    /// Gives every record of the batch its outcome; `Ok` has the offset of the first. Only the first call counts.
    pub(super) fn complete(&self, outcome: Result<Option<i64>, Error>) {
        let mut state = self.state();
        if let State::Open(wakers) = &mut *state {
            let wakers = std::mem::take(wakers);
            *state = State::Done(outcome);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome of a record, once there is one: where it was written, or why not.
///
/// Dropping it cancels nothing: the record is sent all the same.
///
/// # Cancel safety
/// It may be polled, dropped or kept for as long as you like.
#[derive(Debug)]
#[must_use = "a record that is not written says so here"]
pub struct Delivery {
    batch: Arc<Completion>,
    index: u32,
    /// Where its waker is kept.
    slot: Option<usize>,
}

impl Delivery {
    pub(super) const fn new(batch: Arc<Completion>, index: u32) -> Self {
        Self { batch, index, slot: None }
    }

    /// Whether both records went into one batch, and so will have one outcome: who sent many records needs to keep one
    /// delivery for each batch only.
    #[must_use]
    pub fn is_in_batch_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.batch, &other.batch)
    }
}

/// The outcomes of many records, in the order in which they were sent.
///
/// Dropping it cancels nothing: the records are sent all the same.
#[derive(Debug, Default)]
#[must_use = "records that are not written say so here"]
pub struct Deliveries {
    runs: Vec<Run>,
    len: usize,
}

/// Records with consecutive places in one batch.
#[derive(Debug)]
struct Run {
    first: Delivery,
    count: u32,
}

impl Deliveries {
    /// How many records there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Waits for all of them.
    ///
    /// # Errors
    /// The first record that was not written says why; the others may be written all the same. Going through them one
    /// by one tells of each.
    ///
    /// # Cancel safety
    /// Dropped, it cancels nothing.
    pub async fn all(&mut self) -> Result<(), Error> {
        let mut failed = None;
        for Run { first, .. } in &mut self.runs {
            if let Err(error) = first.await {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    pub(super) fn push(&mut self, delivery: Delivery) {
        self.len += 1;
        if let Some(Run { first, count }) = self.runs.last_mut()
            && delivery.index == first.index + *count
            && first.is_in_batch_of(&delivery)
        {
            *count += 1;
            return;
        }
        self.runs.push(Run { first: delivery, count: 1 });
    }

    /// A record that was never in a batch.
    pub(super) fn push_failed(&mut self, topic: &str, partition: Option<i32>, error: Error) {
        let completion = Completion::new(TopicPartition::new(topic, partition.unwrap_or(-1)));
        completion.complete(Err(error));
        self.push(Delivery::new(Arc::new(completion), 0));
    }
}

impl IntoIterator for Deliveries {
    type Item = Delivery;
    type IntoIter = Box<dyn Iterator<Item = Delivery> + Send>;

    /// The outcome of each record.
    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.runs.into_iter().flat_map(|Run { first, count }| {
            let Delivery { batch, index, .. } = first;
            (index..index + count).map(move |index| Delivery::new(Arc::clone(&batch), index))
        }))
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match &mut *this.batch.state() {
            State::Done(outcome) => Poll::Ready(match outcome {
                Ok(base) => Ok(RecordMetadata {
                    topic_partition: this.batch.partition.clone(),
                    offset: base.map(|base| base.saturating_add(i64::from(this.index))),
                }),
                Err(error) => Err(error.clone()),
            }),
            State::Open(wakers) => {
                match this.slot.and_then(|slot| wakers.get_mut(slot)) {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => {
                        this.slot = Some(wakers.len());
                        wakers.push(context.waker().clone());
                    }
                }
                Poll::Pending
            }
        }
    }
}
