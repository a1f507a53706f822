//! Who this producer is to the brokers: the producer id and epoch that sequences are counted under (KIP-98).
//!
//! [`sender`](super::sender) stamps batches with it. When a broker loses count, a new identity is asked for and the
//! partition starts again from sequence 0 (KIP-360), so that an idempotent producer never has to be made anew.

use std::time::{Duration, Instant};

use super::transactions::verdict::with_consequence;
use crate::cluster::Backoff;
use crate::error::Error;

/// A producer id and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
}

/// ```text
/// Unknown --asked--> Asking --answered--> Known --lost--> Unknown
///    ^------failed-----'
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    NotNeeded,
    Unknown {
        ask_at: Option<Instant>,
    },
    Asking,
    Known(Identity),
    /// The coordinator of transactions gives it.
    Given(Option<Identity>),
}

#[derive(Debug)]
pub(super) struct Sequences {
    state: State,
    failures: u32,
    backoff: Backoff,
    /// Why a record of a transaction was not written.
    failed: Option<Error>,
}

impl Sequences {
    pub(super) const fn new(idempotent: bool, backoff: Backoff) -> Self {
        let state = if idempotent { State::Unknown { ask_at: None } } else { State::NotNeeded };
        Self { state, failures: 0, backoff, failed: None }
    }

    /// The sequences of a producer with transactions.
    pub(super) const fn transactional(backoff: Backoff) -> Self {
        Self { state: State::Given(None), failures: 0, backoff, failed: None }
    }

    /// Whether a batch that is not written fails its transaction.
    pub(super) const fn is_transactional(&self) -> bool {
        matches!(self.state, State::Given(_))
    }

    /// The coordinator of transactions says who we are.
    pub(super) const fn give(&mut self, identity: Option<Identity>) {
        if let State::Given(current) = &mut self.state {
            *current = identity;
        }
    }

    /// A batch was not written: in a transaction, the error says what that means for it.
    pub(super) fn handle_failed(&mut self, error: Error) -> Error {
        if !self.is_transactional() {
            return error;
        }
        let error = with_consequence(error);
        self.failed.get_or_insert_with(|| error.clone());
        error
    }

    /// Why the first batch that was not written since the last call was not, in a transaction.
    pub(super) const fn take_failed(&mut self) -> Option<Error> {
        self.failed.take()
    }

    /// As whom to send now: `None` while nobody, `Some(None)` when no identity is needed.
    pub(super) const fn current(&self) -> Option<Option<Identity>> {
        match self.state {
            State::NotNeeded => Some(None),
            State::Known(identity) => Some(Some(identity)),
            State::Given(Some(identity)) => Some(Some(identity)),
            State::Given(None) => None,
            State::Unknown { .. } | State::Asking => None,
        }
    }

    /// Whether to ask for an identity now, and when to look again.
    pub(super) fn poll(&mut self, now: Instant) -> (bool, Option<Instant>) {
        match self.state {
            State::Unknown { ask_at: Some(at) } if at > now => (false, Some(at)),
            State::Unknown { .. } => {
                self.state = State::Asking;
                (true, None)
            }
            State::NotNeeded | State::Asking | State::Known(_) | State::Given(_) => (false, None),
        }
    }

    pub(super) fn handle_identity(&mut self, identity: Identity) {
        self.failures = 0;
        match self.state {
            State::Asking => self.state = State::Known(identity),
            State::NotNeeded | State::Unknown { .. } | State::Known(_) | State::Given(_) => {}
        }
    }

    pub(super) fn handle_failure(&mut self, now: Instant, random: &mut fastrand::Rng) {
        let wait: Duration = self.backoff.next(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        match self.state {
            State::Asking => self.state = State::Unknown { ask_at: Some(now + wait) },
            State::NotNeeded | State::Unknown { .. } | State::Known(_) | State::Given(_) => {}
        }
    }

    /// A broker has lost count of `identity`; when it is still the current one, a new one is asked for.
    pub(super) fn handle_lost(&mut self, identity: Identity) {
        if self.state == State::Known(identity) {
            self.state = State::Unknown { ask_at: None };
        }
    }
}
