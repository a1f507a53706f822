//! Handing records out: one receiver at a time, record by record or batch by batch.
//!
//! Before: [`fetched`](super::fetched) gives up a chunk under the machine's lock. Here, outside of it, batches are
//! checked, inflated and indexed, those that are not wanted are skipped, and the [`Progress`] moves with each record.
//! After: [`Consumer::recv`](super::Consumer::recv) returns it.
//!
//! A receiver in the middle of a chunk takes no lock, so a rebalance that begins meanwhile must not miss a record that
//! goes out just then: a commit would be about one record too few or too many. The machine seals the progress of what is
//! to be given up before it looks at it. Moving a position and sealing it are one atomic step each, so a record either
//! went out before, and the machine knows, or it does not go out.

use std::sync::Arc;
use std::time::Instant;

use bytes::Buf;
use tidemill_protocol::records::{RecordBatch, RecordBatches, control};

use super::activity::Activity;
use super::batch::{Batch, ConsumedBatch, ConsumerRecord};
use super::fetched::Chunk;
use super::machine::{Taken, Verdict};
use super::positions::Progress;
use super::shared::Shared;
use crate::error::Error;

#[cfg(test)]
mod tests;

/// The most a compressed batch may grow to, in bytes. A batch that claims more is an attack or an accident.
const INFLATED_BYTES_MAX: usize = 128 << 20;

/// The receiver whose turn it is.
#[derive(Debug)]
pub(super) struct Handing {
    activity: Arc<Activity>,
    /// The disturbances that were looked into.
    seen: u64,
    reading: Option<Reading>,
    /// Of what went out last: the application is through with it when it comes back.
    last: Option<Arc<Progress>>,
}

/// A chunk of which records are going out.
#[derive(Debug)]
struct Reading {
    /// `records` begins with the batch that is open, `from_offset` is where to go on.
    chunk: Chunk,
    progress: Arc<Progress>,
    open: Option<Open>,
    /// Whether there was a whole batch yet.
    any_whole: bool,
}

#[derive(Debug)]
struct Open {
    batch: Arc<Batch>,
    next: usize,
    /// How much of the chunk the batch takes.
    bytes: usize,
}

impl Handing {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        Self { activity, seen: 0, reading: None, last: None }
    }

    /// The application comes for more: it is through with what it got last.
    pub(super) fn begin(&self) {
        self.activity.polled();
        if let Some(progress) = &self.last {
            progress.processed_to(progress.position());
        }
    }

    /// The next record; none when there is nothing yet.
    pub(super) fn next_record(
        &mut self,
        shared: &Shared,
        now: fn() -> Instant,
    ) -> Result<Option<ConsumerRecord>, Error> {
        while self.find(shared, now)? {
            let Some(Reading { progress, open: Some(open), .. }) = &mut self.reading else { break };
            let record = ConsumerRecord::new(open.batch.clone(), open.next);
            let is_last = open.next + 1 == open.batch.len();
            let next_offset = if is_last { open.batch.next_offset() } else { record.offset() + 1 };
            if progress.hand_out(next_offset) {
                open.next += 1;
                return Ok(Some(record));
            }
            self.look(shared)?;
        }
        Ok(None)
    }

    /// What is left of the open batch, or the next batch; none when there is nothing yet.
    pub(super) fn next_batch(&mut self, shared: &Shared, now: fn() -> Instant) -> Result<Option<ConsumedBatch>, Error> {
        while self.find(shared, now)? {
            let Some(Reading { progress, open: Some(open), .. }) = &mut self.reading else { break };
            if progress.hand_out(open.batch.next_offset()) {
                let batch = ConsumedBatch::new(open.batch.clone(), open.next);
                open.next = open.batch.len();
                return Ok(Some(batch));
            }
            self.look(shared)?;
        }
        Ok(None)
    }

    /// Finds an open batch with records left; false when there is nothing to hand out.
    fn find(&mut self, shared: &Shared, now: fn() -> Instant) -> Result<bool, Error> {
        loop {
            if self.reading.is_none() || self.activity.disturbances() != self.seen {
                self.look(shared)?;
            }
            let Some(reading) = &mut self.reading else { return Ok(false) };
            match reading.open_next() {
                Ok(true) => return Ok(true),
                Ok(false) => self.reading = None,
                Err(error) => {
                    let Chunk { partition, version, .. } = &reading.chunk;
                    shared.machine().handle_corrupt(partition, *version, now());
                    shared.wake_driver();
                    let error = error.with_partition(partition.clone());
                    self.reading = None;
                    return Err(error);
                }
            }
        }
    }

    /// Asks the machine whether to go on with what is being read, and for more if not.
    fn look(&mut self, shared: &Shared) -> Result<(), Error> {
        let mut machine = shared.machine();
        self.seen = self.activity.disturbances();
        if let Some(reading) = self.reading.take() {
            match machine.verdict(&reading.chunk.partition, reading.chunk.version) {
                Verdict::Continue => self.reading = Some(reading),
                Verdict::GiveBack => machine.give_back(reading.into_chunk()),
                Verdict::Drop => {}
            }
        }
        let taken = if self.reading.is_none() { machine.take() } else { Taken::Nothing };
        let wants_driver = machine.wants_driver();
        drop(machine);
        if wants_driver {
            shared.wake_driver();
        }
        match taken {
            Taken::Chunk(chunk, progress) => {
                self.last = Some(progress.clone());
                self.reading = Some(Reading { chunk, progress, open: None, any_whole: false });
                Ok(())
            }
            Taken::Error(error) => Err(error),
            Taken::Nothing => Ok(()),
        }
    }
}

impl Reading {
    /// Opens batches until one has records that are wanted; false when the chunk is through.
    fn open_next(&mut self) -> Result<bool, Error> {
        loop {
            if let Some(open) = &self.open {
                if open.next < open.batch.len() {
                    return Ok(true);
                }
                self.chunk.from_offset = open.batch.next_offset();
                self.chunk.records.advance(open.bytes);
                self.open = None;
            }
            let batch = match RecordBatches::new(self.chunk.records.clone()).next() {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => return Err(Error::decode("reading a batch of records", error)),
                None if self.any_whole || self.chunk.records.is_empty() => return Ok(false),
                None => return Err(Error::protocol("a fetch brought less than one whole batch")),
            };
            self.any_whole = true;
            let (bytes, next_offset) = (batch.as_bytes().len(), batch.header().next_offset());
            let leader_epoch = batch.header().partition_leader_epoch;
            if next_offset > self.chunk.from_offset && self.is_wanted(&batch)? {
                let open = batch
                    .open(INFLATED_BYTES_MAX)
                    .and_then(|open| Batch::new(self.chunk.partition.clone(), open, self.chunk.high_watermark))
                    .map_err(|error| Error::decode("reading a batch of records", error))?;
                self.progress.written_under(leader_epoch);
                let next = open.first_from(self.chunk.from_offset);
                self.open = Some(Open { batch: Arc::new(open), next, bytes });
            } else {
                self.chunk.records.advance(bytes);
            }
            if self.open.as_ref().is_none_or(|open| open.next == open.batch.len()) {
                self.skip_to(next_offset);
            }
        }
    }

    /// Whether the application sees records of this batch.
    fn is_wanted(&mut self, batch: &RecordBatch) -> Result<bool, Error> {
        let header = batch.header();
        if header.is_control() {
            if let Some(aborted) = &mut self.chunk.aborted {
                let marker = control::read(batch).map_err(|error| Error::decode("reading a control batch", error))?;
                if marker.is_abort() {
                    aborted.end(header.producer_id, header.last_offset());
                }
            }
            return Ok(false);
        }
        let transactional = header.is_transactional();
        let aborted = &mut self.chunk.aborted;
        Ok(!aborted.as_mut().is_some_and(|it| it.covers(header.producer_id, header.last_offset(), transactional)))
    }

    /// Passes what nobody is to see. All before it has been handed out and is through: this comes before the first
    /// record of a call.
    fn skip_to(&mut self, next_offset: i64) {
        // A position that no longer moves stays before them: whoever goes on from there passes them again.
        if next_offset > self.progress.position() && self.progress.hand_out(next_offset) {
            self.progress.processed_to(next_offset);
        }
        self.chunk.from_offset = self.chunk.from_offset.max(next_offset);
    }

    fn into_chunk(mut self) -> Chunk {
        self.chunk.from_offset = self.progress.position();
        self.chunk
    }
}
