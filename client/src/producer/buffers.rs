//! The memory that batches are in, never more than the limit: taken before a record is appended, and free again once
//! nobody needs its bytes any more.
//!
//! [`accumulator`](super::accumulator) takes it. What was taken is known by its [`Lease`], which goes with the bytes
//! wherever they go, to the socket in the end: the last one to drop them gives the buffer back, to be written over by
//! another batch without being cleared or asked of the system again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidemill_protocol::records::BATCH_SLACK_BYTES;

/// The smallest buffer.
const BUFFER_BYTES_MIN: usize = 1024;

/// All buffers of a producer.
#[derive(Debug)]
pub(super) struct Buffers {
    limit_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used_bytes: usize,
    /// What was given back, by its size.
    free: BTreeMap<usize, Vec<Vec<u8>>>,
    free_bytes: usize,
    /// Whether something was given back since somebody asked.
    released: bool,
}

impl Buffers {
    pub(super) fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self { limit_bytes, state: Mutex::default() })
    }

    /// What may be taken in all.
    pub(super) const fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// A buffer of exactly this length, whatever is in it; none when the limit does not allow it now.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<(Vec<u8>, Lease)> {
        let mut state = self.state();
        let used_bytes = state.used_bytes.checked_add(bytes).filter(|used| *used <= self.limit_bytes)?;
        state.used_bytes = used_bytes;
        let free = state.free.get_mut(&bytes).and_then(Vec::pop);
        if free.is_some() {
            state.free_bytes -= bytes;
        }
        while state.free_bytes > self.limit_bytes.saturating_sub(used_bytes) {
            state.forget_one();
        }
        drop(state);
        let lease = Lease { buffers: Arc::clone(self), bytes };
        Some((free.unwrap_or_else(|| vec![0; bytes]), lease))
    }

    /// Counts memory that is there already, in the place of a buffer that is given back.
    pub(super) fn claim(self: &Arc<Self>, bytes: usize) -> Lease {
        self.state().used_bytes += bytes;
        Lease { buffers: Arc::clone(self), bytes }
    }

    /// Whether there is more room than when this was last asked.
    pub(super) fn take_released(&self) -> bool {
        std::mem::take(&mut self.state().released)
    }

    /// What is taken.
    #[cfg(test)]
    pub(super) fn used_bytes(&self) -> usize {
        self.state().used_bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Makes room for buffers of another size.
    fn forget_one(&mut self) {
        while let Some(mut largest) = self.free.last_entry() {
            match largest.get_mut().pop() {
                Some(buffer) => {
                    self.free_bytes = self.free_bytes.saturating_sub(buffer.len());
                    return;
                }
                None => drop(largest.remove()),
            }
        }
        self.free_bytes = 0;
    }
}

/// The right to so many bytes, until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    buffers: Arc<Buffers>,
    bytes: usize,
}

impl Lease {
    pub(super) fn buffers(&self) -> &Arc<Buffers> {
        &self.buffers
    }

    /// Ends it, and leaves the buffer that it was for to others.
    pub(super) fn give_back(mut self, buffer: Vec<u8>) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut state = self.buffers.state();
        state.used_bytes = state.used_bytes.saturating_sub(bytes);
        state.released = true;
        // As long as it is within the limit, which it was before unless memory was claimed that was there already.
        if buffer.len() == bytes && state.used_bytes + state.free_bytes + bytes <= self.buffers.limit_bytes {
            state.free_bytes += bytes;
            state.free.entry(bytes).or_default().push(buffer);
        }
    }

    /// The first `end` bytes of a buffer, which is given back when they are dropped.
    pub(super) fn into_bytes(self, buffer: Vec<u8>, end: usize) -> Bytes {
        Bytes::from_owner(Leased { buffer, end, lease: Some(self) })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.bytes > 0 {
            let mut state = self.buffers.state();
            state.used_bytes = state.used_bytes.saturating_sub(self.bytes);
            state.released = true;
        }
    }
}

/// Bytes on their way.
struct Leased {
    buffer: Vec<u8>,
    end: usize,
    lease: Option<Lease>,
}

impl AsRef<[u8]> for Leased {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.end).unwrap_or_default()
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back(std::mem::take(&mut self.buffer));
        }
    }
}

/// The size of a buffer for a batch of so many bytes: one of few, so that another batch can have it later.
pub(super) fn buffer_bytes(bytes: usize, batch_bytes: usize) -> usize {
    let largest = batch_bytes.max(BUFFER_BYTES_MIN) + BATCH_SLACK_BYTES;
    let exact = bytes + BATCH_SLACK_BYTES;
    let rounded = exact.max(BUFFER_BYTES_MIN).next_power_of_two();
    // One that is nearly as large as the largest is not worth a size of its own.
    if exact > largest {
        exact
    } else if rounded > largest / 2 {
        largest
    } else {
        rounded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_have_few_sizes() {
        let sizes = [1, 1_000, 2_000, 400_000, 500_000, 900_000, 1_000_000].map(|bytes| buffer_bytes(bytes, 1_000_000));
        assert_eq!(sizes, [1_024, 1_024, 2_048, 1_000_008, 1_000_008, 1_000_008, 1_000_008]);
        // A record that is larger than batches are has a batch of its own.
        assert_eq!(buffer_bytes(20_000, 16_384), 20_008);
    }

    #[test]
    fn what_is_taken_and_what_is_kept_for_later_are_never_more_than_the_limit() {
        let buffers = Buffers::new(100);
        let (first, first_lease) = buffers.take(60).unwrap();
        assert!(buffers.take(41).is_none());
        let (second, second_lease) = buffers.take(40).unwrap();
        let bytes = first_lease.into_bytes(first, 10);
        let there = bytes.as_ptr();
        let copy = bytes.clone();
        drop(bytes);
        assert_eq!((copy.len(), buffers.used_bytes(), buffers.take_released()), (10, 100, false));
        drop(copy);
        assert_eq!((buffers.used_bytes(), buffers.take_released(), buffers.take_released()), (40, true, false));
        // The buffer is used again.
        let (again, again_lease) = buffers.take(60).unwrap();
        assert_eq!(again.as_ptr(), there);
        again_lease.give_back(again);
        second_lease.give_back(second);
        assert_eq!((buffers.used_bytes(), buffers.state().free_bytes), (0, 100));
        // One of another size takes the place of what is kept.
        let _lease = buffers.take(50).unwrap().1;
        assert_eq!((buffers.used_bytes(), buffers.state().free_bytes), (50, 40));
    }

    #[test]
    fn memory_that_is_there_already_counts_and_is_not_kept() {
        let buffers = Buffers::new(100);
        let (buffer, lease) = buffers.take(100).unwrap();
        let smaller = lease.buffers().claim(30);
        lease.give_back(buffer);
        assert_eq!((buffers.used_bytes(), buffers.state().free_bytes), (30, 0));
        assert!(buffers.take(70).is_some());
        drop(smaller);
        assert_eq!(buffers.used_bytes(), 0);
    }
}
