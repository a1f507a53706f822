//! [`ReplyPlan`]: what is written instead of an answer, byte by byte.
//!
//! [`Faults`](super::Faults) says which faults strike; here they change the answer, one after the other.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::ErrorCode;

use super::change::{BatchChange, LENGTH_BYTES, batch_changed, joined, overwritten, throttled, without_topics};
use super::error_reply::Failed;
use super::facts::RequestFacts;
use super::script::{Corruption, Place, ReplyFault};

/// What to write on the connection, and what to do then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReplyPlan {
    /// Written in this order, each flushed before the next.
    pub writes: Vec<Write>,
    /// What is done with the connection then.
    pub then: Then,
    /// And nothing is read from it for so long.
    pub mute: Duration,
}

/// Bytes to write.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Write {
    /// After so long.
    pub after: Duration,
    /// These.
    pub bytes: Bytes,
}

/// Bytes are counted, not shown: they may be a secret.
impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Write({} bytes after {:?})", self.bytes.len(), self.after)
    }
}

/// What is done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "a connection goes on or ends, one way or the other")]
pub enum Then {
    /// It goes on.
    #[default]
    GoOn,
    /// It is closed.
    Close,
    /// It is reset.
    Reset,
}

/// An answer under the hands of its faults.
pub(super) struct Mangled {
    /// Each with its length.
    frames: Vec<Bytes>,
    delay: Duration,
    garbage: Vec<u8>,
    cut_at: Option<usize>,
    is_held: bool,
    is_in_bytes: bool,
    is_lost: bool,
    then: Then,
    mute: Duration,
}

/// The longest garbage there is.
const GARBAGE_BYTES_MAX: u32 = 16 * 1024 * 1024;

impl Mangled {
    pub(super) fn new(frame: Bytes) -> Self {
        Self {
            frames: vec![frame],
            delay: Duration::ZERO,
            garbage: Vec::new(),
            cut_at: None,
            is_held: false,
            is_in_bytes: false,
            is_lost: false,
            then: Then::GoOn,
            mute: Duration::ZERO,
        }
    }

    /// Whether nothing is left for a further fault.
    pub(super) const fn is_over(&self) -> bool {
        self.is_lost
    }

    /// Whether a fault can do something to this answer.
    pub(super) fn can(&self, fault: ReplyFault, facts: &RequestFacts) -> bool {
        let Some(substitute) = Substitute::of(fault) else { return true };
        self.frames.first().is_some_and(|frame| substitute.make(frame, facts).is_some())
    }

    pub(super) fn apply(&mut self, fault: ReplyFault, facts: &RequestFacts, random: &mut fastrand::Rng) {
        match fault {
            ReplyFault::Lose | ReplyFault::BlackHole => self.lose(Then::GoOn),
            ReplyFault::Close => self.lose(Then::Close),
            ReplyFault::Reset => self.lose(Then::Reset),
            ReplyFault::Delay(time) => self.delay = self.delay.saturating_add(time),
            ReplyFault::Repeat => self.frames.extend_from_within(..),
            ReplyFault::Swap => self.is_held = true,
            ReplyFault::Cut(place) => {
                let length = self.frames.iter().map(Bytes::len).sum();
                self.cut_at = Some(at(place, length, random));
            }
            ReplyFault::Garbage(bytes) => {
                self.garbage.extend((0..bytes.min(GARBAGE_BYTES_MAX)).map(|_| random.u8(..)));
            }
            ReplyFault::OneByteWrites => self.is_in_bytes = true,
            ReplyFault::Throttle { time, mute } => {
                let ms = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
                self.change(|frame| throttled(facts.api, facts.version, frame, ms));
                if mute {
                    self.mute = self.mute.max(time);
                }
            }
            ReplyFault::WrongCorrelationId => {
                // Any but the right one.
                let more = random.i32(1..1000);
                let id = facts.correlation_id.wrapping_add(more).to_be_bytes();
                self.change(|frame| Some(overwritten(frame, LENGTH_BYTES, &id)));
            }
            ReplyFault::Corrupt(Corruption::Byte(place)) => {
                let length = self.frames.first().map_or(0, |frame| frame.len().saturating_sub(LENGTH_BYTES));
                let at = LENGTH_BYTES + at(place, length, random).min(length.saturating_sub(1));
                let bit = 1 << random.u8(0..8);
                self.change(|frame| Some(overwritten(frame, at, &[frame.get(at)? ^ bit])));
            }
            ReplyFault::Corrupt(Corruption::Length) => self.change(|frame| {
                let length = i32::from_be_bytes(*frame.first_chunk()?);
                Some(overwritten(frame, 0, &length.wrapping_add(1).to_be_bytes()))
            }),
            ReplyFault::Error(_)
            | ReplyFault::EmptyMetadata
            | ReplyFault::Corrupt(Corruption::Crc | Corruption::Count | Corruption::Codec) => {
                if let Some(substitute) = Substitute::of(fault) {
                    self.change(|frame| substitute.make(frame, facts));
                }
            }
        }
    }

    /// What is left, to be written; `held` is what went before and is behind.
    pub(super) fn plan(self, held: &mut Vec<Bytes>) -> ReplyPlan {
        let mut plan = ReplyPlan { writes: Vec::new(), then: self.then, mute: self.mute };
        if self.is_lost {
            return plan;
        }
        if self.is_held && self.cut_at.is_none() {
            held.extend(self.frames);
            return plan;
        }
        let mut parts = self.frames;
        parts.append(held);
        if !self.garbage.is_empty() {
            parts.push(self.garbage.into());
        }
        if let Some(at) = self.cut_at {
            let whole = joined(&parts);
            parts = vec![whole.slice(..at.min(whole.len()))];
            plan.then = Then::Close;
        }
        let write = |bytes| Write { after: Duration::ZERO, bytes };
        plan.writes = if self.is_in_bytes {
            let whole = joined(&parts);
            (0..whole.len()).map(|at| write(whole.slice(at..=at))).collect()
        } else {
            parts.into_iter().filter(|part| !part.is_empty()).map(write).collect()
        };
        match plan.writes.first_mut() {
            Some(first) => first.after = self.delay,
            None => plan.writes.push(Write { after: self.delay, bytes: Bytes::new() }),
        }
        plan
    }

    fn lose(&mut self, then: Then) {
        self.is_lost = true;
        self.then = then;
    }

    fn change(&mut self, change: impl Fn(&Bytes) -> Option<Bytes>) {
        for frame in &mut self.frames {
            if let Some(changed) = change(frame) {
                *frame = changed;
            }
        }
    }
}

/// Another answer in the place of one, which not every answer can be made into.
#[derive(Debug, Clone, Copy)]
enum Substitute {
    Error(ErrorCode),
    WithoutTopics,
    Batch(BatchChange),
}

impl Substitute {
    /// None of faults that any answer can have.
    const fn of(fault: ReplyFault) -> Option<Self> {
        match fault {
            ReplyFault::Error(code) => Some(Self::Error(code)),
            ReplyFault::EmptyMetadata => Some(Self::WithoutTopics),
            ReplyFault::Corrupt(Corruption::Crc) => Some(Self::Batch(BatchChange::Crc)),
            ReplyFault::Corrupt(Corruption::Count) => Some(Self::Batch(BatchChange::Count)),
            ReplyFault::Corrupt(Corruption::Codec) => Some(Self::Batch(BatchChange::Codec)),
            ReplyFault::Lose
            | ReplyFault::Delay(_)
            | ReplyFault::Repeat
            | ReplyFault::Swap
            | ReplyFault::Cut(_)
            | ReplyFault::Corrupt(Corruption::Byte(_) | Corruption::Length)
            | ReplyFault::Garbage(_)
            | ReplyFault::WrongCorrelationId
            | ReplyFault::OneByteWrites
            | ReplyFault::Throttle { .. }
            | ReplyFault::Close
            | ReplyFault::Reset
            | ReplyFault::BlackHole => None,
        }
    }

    /// None when it cannot be made of this answer.
    fn make(self, frame: &Bytes, facts: &RequestFacts) -> Option<Bytes> {
        let (api, version) = (facts.api, facts.version);
        match self {
            Self::Error(code) => {
                Failed::new(api, version, facts.correlation_id, facts.body.clone()).answer(code).ok().flatten()
            }
            Self::WithoutTopics => without_topics(api, version, frame),
            Self::Batch(change) => batch_changed(api, version, frame, change),
        }
    }
}

fn at(place: Place, length: usize, random: &mut fastrand::Rng) -> usize {
    match place {
        Place::At(byte) => usize::try_from(byte).unwrap_or(usize::MAX).min(length),
        Place::Anywhere => random.usize(0..length.max(1)),
    }
}
