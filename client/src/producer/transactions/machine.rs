//! What a transaction may do next, and what a broker's answer makes of it (KIP-98, KIP-360, KIP-890).
//!
//! Before: [`Transaction`](super::Transaction), and the producer's [`machine`](crate::producer::machine), which asks
//! here as whom to write and whether a partition may be written to. After: one request at a time to a coordinator, made
//! by [`requests`](super::requests).
//!
//! In the first generation every partition and group is added to the transaction by a request of its own, and the
//! producer keeps its epoch. In the second, writing adds, and every end has an epoch of its own, so that nothing late
//! can reach into the next transaction. Where the first generation lost track of something, an epoch is asked for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use tidemill_protocol::ErrorCode;
use tokio::sync::oneshot;

use super::requests::{Decision, Generation, Reply, Request};
use super::verdict::{self, Verdict};
use crate::cluster::Backoff;
use crate::consumer::{GroupMetadata, OffsetAndMetadata};
use crate::error::{Error, Outcome};
use crate::producer::sequences::Identity;
use crate::record::TopicPartition;

/// Told to who waits.
type Done = oneshot::Sender<Result<(), Error>>;

/// ```text
/// Uninitialized --begin--> Initializing --answered--> Ready --begin--> InTransaction --commit--> Committing --ended--> Ready
///                               ^                                        │     │                      │  └─no answer─> Resolving
///                               │                                     failed  abort                 failed                │
///                               │                                        v     v                      v                 ended
///                               │                              MustAbort ──> Aborting <───────────────┘                   │
///                               └──────── an epoch is needed ──────────────────┴──────────────────────────────────────────┘
/// ```
/// From wherever a coordinator is asked, an answer that nothing can mend leads to `Fenced`.
#[derive(Debug)]
enum State {
    /// No coordinator knows of us.
    Uninitialized,
    Initializing,
    Ready,
    InTransaction,
    /// `ending_until`: by when the coordinator has to have said that it ended, once it was asked.
    Committing {
        done: Option<Done>,
        ending_until: Option<Instant>,
    },
    /// Nobody knows how the transaction ended: the end is asked for until somebody does.
    Resolving,
    Aborting {
        done: Option<Done>,
        cause: Option<Error>,
    },
    MustAbort(Error),
    Fenced(Error),
}

impl State {
    /// By when a commit has to end, while there is one.
    const fn ending_until(&mut self) -> Option<&mut Option<Instant>> {
        match self {
            Self::Committing { ending_until, .. } => Some(ending_until),
            Self::Uninitialized
            | Self::Initializing
            | Self::Ready
            | Self::InTransaction
            | Self::Resolving
            | Self::Aborting { .. }
            | Self::MustAbort(_)
            | Self::Fenced(_) => None,
        }
    }
}

/// Offsets that are to be committed with the transaction.
#[derive(Debug)]
struct OffsetsCall {
    group: GroupMetadata,
    offsets: BTreeMap<TopicPartition, OffsetAndMetadata>,
    deadline: Instant,
    done: Done,
}

#[derive(Debug)]
pub(in crate::producer) struct Transactions {
    state: State,
    timeout: Duration,
    offsets_timeout: Duration,
    identity: Option<Identity>,
    generation: Generation,
    /// Whether a broker may have this transaction open.
    started: bool,
    /// Whether the coordinator said that it has.
    confirmed: bool,
    /// Whether the next transaction needs another epoch: something of this one may still be under way.
    epoch_needed: bool,
    added: BTreeSet<TopicPartition>,
    wanted: BTreeSet<TopicPartition>,
    groups: BTreeSet<String>,
    offsets: VecDeque<OffsetsCall>,
    begins: VecDeque<Done>,
    /// The one request under way.
    asked: Option<Request>,
    retry_at: Option<Instant>,
    failures: u32,
    closed: bool,
    /// When brokers have aborted by themselves what the producer left behind.
    close_by: Option<Instant>,
    backoff: Backoff,
    random: fastrand::Rng,
}

/// How soon the coordinator is asked again while it writes the end of the transaction before.
const CONCURRENT_WAIT: Duration = Duration::from_millis(20);

impl Transactions {
    pub(in crate::producer) fn new(timeout: Duration, offsets_timeout: Duration, backoff: Backoff, seed: u64) -> Self {
        Self {
            state: State::Uninitialized,
            timeout,
            offsets_timeout,
            identity: None,
            generation: Generation::First,
            started: false,
            confirmed: false,
            epoch_needed: false,
            added: BTreeSet::new(),
            wanted: BTreeSet::new(),
            groups: BTreeSet::new(),
            offsets: VecDeque::new(),
            begins: VecDeque::new(),
            asked: None,
            retry_at: None,
            failures: 0,
            closed: false,
            close_by: None,
            backoff,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// As whom records are written: nobody while there is no transaction to write to.
    pub(in crate::producer) const fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub(in crate::producer) const fn generation(&self) -> Generation {
        self.generation
    }

    /// Why no record is taken, if none is.
    pub(in crate::producer) fn refusal(&self) -> Option<Error> {
        match &self.state {
            State::InTransaction => None,
            State::MustAbort(cause) | State::Fenced(cause) => Some(cause.clone()),
            State::Uninitialized
            | State::Initializing
            | State::Ready
            | State::Committing { .. }
            | State::Resolving
            | State::Aborting { .. } => Some(Error::misuse("sending outside a transaction")),
        }
    }

    /// Why records that are not sent yet never will be, if that is so.
    pub(in crate::producer) fn dropped(&self) -> Option<Error> {
        match &self.state {
            State::MustAbort(cause) | State::Fenced(cause) => Some(cause.clone()),
            State::Aborting { cause, .. } => {
                Some(cause.clone().unwrap_or_else(|| Error::misuse("writing in a transaction that is aborted")))
            }
            State::Uninitialized
            | State::Initializing
            | State::Ready
            | State::InTransaction
            | State::Committing { .. }
            | State::Resolving => None,
        }
    }

    /// Whether nothing is left to be done about the last transaction.
    pub(in crate::producer) const fn is_settled(&self) -> bool {
        match self.state {
            State::Uninitialized | State::Initializing | State::Ready | State::Fenced(_) => true,
            State::InTransaction
            | State::Committing { .. }
            | State::Resolving
            | State::Aborting { .. }
            | State::MustAbort(_) => false,
        }
    }

    /// Whether a partition may be written to now; asks for what that needs.
    pub(in crate::producer) fn may_write(&mut self, partition: &TopicPartition) -> bool {
        match self.state {
            State::InTransaction | State::Committing { .. } => {}
            State::Uninitialized
            | State::Initializing
            | State::Ready
            | State::Resolving
            | State::Aborting { .. }
            | State::MustAbort(_)
            | State::Fenced(_) => return false,
        }
        match self.generation {
            Generation::Second => true,
            Generation::First if self.added.contains(partition) => true,
            Generation::First => {
                if !self.wanted.contains(partition) {
                    self.wanted.insert(partition.clone());
                }
                false
            }
        }
    }

    /// Records go out: in the second generation that begins the transaction.
    pub(in crate::producer) const fn handle_writing(&mut self) {
        self.started = true;
    }

    /// A transaction is to begin, once the one before has ended.
    pub(in crate::producer) fn handle_begin(&mut self, done: Done) {
        match &self.state {
            State::Uninitialized => self.state = State::Initializing,
            State::Fenced(error) => {
                let _ = done.send(Err(error.clone()));
                return;
            }
            // Nobody holds the transaction any more.
            State::InTransaction | State::MustAbort(_) => self.start_abort(None, None),
            State::Initializing
            | State::Ready
            | State::Committing { .. }
            | State::Resolving
            | State::Aborting { .. } => {}
        }
        self.begins.push_back(done);
    }

    /// These offsets belong to the transaction.
    pub(in crate::producer) fn handle_offsets(
        &mut self,
        group: GroupMetadata,
        offsets: BTreeMap<TopicPartition, OffsetAndMetadata>,
        done: Done,
        now: Instant,
    ) {
        let refusal = self.refusal();
        if refusal.is_some() || offsets.is_empty() {
            let _ = done.send(refusal.map_or(Ok(()), Err));
            return;
        }
        self.offsets.push_back(OffsetsCall { group, offsets, deadline: now + self.offsets_timeout, done });
    }

    /// The transaction is to be committed, as soon as all that belongs to it is written.
    pub(in crate::producer) fn handle_commit(&mut self, done: Done) {
        match &self.state {
            State::InTransaction => self.state = State::Committing { done: Some(done), ending_until: None },
            State::MustAbort(cause) => {
                let cause = cause.clone();
                let _ = done.send(Err(cause.clone()));
                self.start_abort(None, Some(cause));
            }
            State::Fenced(error) => {
                let _ = done.send(Err(error.clone()));
            }
            State::Uninitialized
            | State::Initializing
            | State::Ready
            | State::Committing { .. }
            | State::Resolving
            | State::Aborting { .. } => {
                let _ = done.send(Err(Error::misuse("committing outside a transaction")));
            }
        }
    }

    /// The transaction is given up.
    pub(in crate::producer) fn handle_abort(&mut self, done: Option<Done>) {
        match &self.state {
            State::InTransaction => self.start_abort(done, None),
            State::MustAbort(cause) => {
                let cause = cause.clone();
                self.start_abort(done, Some(cause));
            }
            State::Fenced(error) => tell(done, Err(error.clone())),
            State::Uninitialized
            | State::Initializing
            | State::Ready
            | State::Committing { .. }
            | State::Resolving
            | State::Aborting { .. } => tell(done, Err(Error::misuse("aborting outside a transaction"))),
        }
    }

    /// A record of the transaction was not written.
    pub(in crate::producer) fn handle_record_failed(&mut self, error: Error) {
        self.handle_sequence_missing();
        if error.is_fatal() { self.fence(error) } else { self.fail(error) }
    }

    /// A batch had a sequence and was given up: it may still arrive, and those behind it would be out of order.
    pub(in crate::producer) const fn handle_sequence_missing(&mut self) {
        self.epoch_needed = true;
    }

    /// The producer is to end. What nobody holds any more is aborted, if that is possible before brokers do it.
    pub(in crate::producer) fn handle_close(&mut self) {
        self.closed = true;
        if !self.is_settled()
            && !matches!(self.state, State::Committing { .. } | State::Resolving | State::Aborting { .. })
        {
            self.start_abort(None, None);
        }
    }

    /// What is to be asked now, and when to look again. `idle`: every record has its outcome.
    pub(in crate::producer) fn poll(&mut self, idle: bool, now: Instant) -> (Option<Request>, Option<Instant>) {
        let mut wake_at = self.expire(now);
        if self.closed && !self.is_settled() {
            let close_by = *self.close_by.get_or_insert(now + self.timeout);
            if close_by <= now {
                self.fence(Error::closed("ending a transaction"));
            }
            wake_at = [wake_at, Some(close_by)].into_iter().flatten().min();
        }
        if self.asked.is_none() {
            self.end_what_never_began(idle);
            self.grant();
            match self.retry_at.filter(|at| *at > now) {
                Some(at) => wake_at = [wake_at, Some(at)].into_iter().flatten().min(),
                None => {
                    self.asked = self.next_request(idle);
                    if let Some(until) = self.note_asked(now) {
                        wake_at = [wake_at, Some(until)].into_iter().flatten().min();
                    }
                    return (self.asked.clone(), wake_at);
                }
            }
        }
        (None, wake_at)
    }

    fn next_request(&self, idle: bool) -> Option<Request> {
        let identity = self.identity;
        match &self.state {
            State::Initializing => return Some(Request::Initialize(identity)),
            State::InTransaction | State::Committing { .. } => {}
            State::Resolving => return Some(Request::End(identity?, self.generation, Decision::Commit)),
            State::Aborting { .. } if idle => {
                return Some(Request::End(identity?, self.generation, Decision::Abort));
            }
            State::Aborting { .. } | State::Uninitialized | State::Ready | State::MustAbort(_) | State::Fenced(_) => {
                return None;
            }
        }
        let identity = identity?;
        if !self.wanted.is_empty() {
            return Some(Request::AddPartitions(identity, self.wanted.iter().cloned().collect()));
        }
        if let Some(call) = self.offsets.front() {
            let group = &call.group;
            if self.generation == Generation::First && !self.groups.contains(group.group_id()) {
                return Some(Request::AddGroup(identity, group.group_id().to_owned()));
            }
            return Some(Request::CommitOffsets(identity, self.generation, group.clone(), call.offsets.clone()));
        }
        let ends = idle && matches!(self.state, State::Committing { .. });
        ends.then_some(Request::End(identity, self.generation, Decision::Commit))
    }

    /// Remembers what the request that goes out may do; gives the deadline that it begins, if it does.
    fn note_asked(&mut self, now: Instant) -> Option<Instant> {
        match self.asked.as_ref()? {
            Request::Initialize(_) => None,
            Request::AddPartitions(..) | Request::AddGroup(..) | Request::CommitOffsets(..) => {
                self.started = true;
                None
            }
            Request::End(..) => match self.state.ending_until()? {
                Some(_) => None,
                ending_until => {
                    *ending_until = Some(now + self.timeout);
                    *ending_until
                }
            },
        }
    }

    /// A transaction that no broker was told of ends without one.
    fn end_what_never_began(&mut self, idle: bool) {
        if self.started || !idle || !self.wanted.is_empty() || !self.offsets.is_empty() {
            return;
        }
        if matches!(self.state, State::Committing { .. } | State::Aborting { .. }) {
            self.ended();
        }
    }

    /// Begins the next transaction for who waits for it.
    fn grant(&mut self) {
        while matches!(self.state, State::Ready) {
            let Some(done) = self.begins.pop_front() else { return };
            // Whoever asked may be gone.
            if done.send(Ok(())).is_ok() {
                self.state = State::InTransaction;
            }
        }
    }

    /// What a coordinator said to the request that was under way, or that it said nothing.
    pub(in crate::producer) fn handle_reply(&mut self, reply: Reply, now: Instant) {
        let Some(request) = self.asked.take() else { return };
        let Reply { outcome, generation } = reply;
        let error = match outcome {
            Ok(identity) => {
                self.retry_at = None;
                self.failures = 0;
                self.on_done(request, identity, generation);
                return;
            }
            Err(error) => error,
        };
        // It may still be under way, and would reach into the next transaction if that had the same epoch (KAFKA-17754).
        self.epoch_needed |= error.code().is_none() && !matches!(request, Request::Initialize(_));
        match verdict::of(&request, &error, self.confirmed) {
            Verdict::Again => {
                tracing::debug!(%error, "the coordinator of a transaction is asked again");
                let wait = if error.code() == Some(ErrorCode::CONCURRENT_TRANSACTIONS) {
                    Backoff::new(CONCURRENT_WAIT, self.backoff.max).next(self.failures, &mut self.random)
                } else {
                    self.backoff.next(self.failures, &mut self.random)
                };
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(now + wait);
            }
            Verdict::Abort => self.fail(error),
            Verdict::Forgotten => {
                self.started = false;
                self.epoch_needed = true;
                self.fail(error);
                if matches!(self.state, State::Resolving) {
                    self.ended();
                }
            }
            Verdict::Fatal => self.fence(error),
        }
    }

    fn on_done(&mut self, request: Request, identity: Option<Identity>, generation: Option<Generation>) {
        match request {
            Request::Initialize(_) => {
                self.identity = identity;
                self.generation = generation.unwrap_or(self.generation);
                self.epoch_needed = false;
                if matches!(self.state, State::Initializing) {
                    self.state = State::Ready;
                }
            }
            Request::AddPartitions(_, partitions) => {
                self.confirmed = true;
                for partition in partitions {
                    self.wanted.remove(&partition);
                    self.added.insert(partition);
                }
            }
            Request::AddGroup(_, group_id) => {
                self.confirmed = true;
                self.groups.insert(group_id);
            }
            Request::CommitOffsets(..) => {
                if let Some(call) = self.offsets.pop_front() {
                    let _ = call.done.send(Ok(()));
                }
            }
            Request::End(..) => {
                if let Some(identity) = identity {
                    self.epoch_needed &= self.identity == Some(identity);
                    self.identity = Some(identity);
                }
                // The cluster was moved to the other generation: a new epoch is where that changes.
                self.epoch_needed |= generation.is_some_and(|generation| generation != self.generation);
                self.ended();
            }
        }
    }

    /// The transaction is over.
    fn ended(&mut self) {
        (self.started, self.confirmed) = (false, false);
        self.added.clear();
        self.wanted.clear();
        self.groups.clear();
        let next = if self.epoch_needed { State::Initializing } else { State::Ready };
        match std::mem::replace(&mut self.state, next) {
            State::Committing { done, .. } | State::Aborting { done, .. } => tell(done, Ok(())),
            State::Resolving => {}
            before @ (State::Uninitialized
            | State::Initializing
            | State::Ready
            | State::InTransaction
            | State::MustAbort(_)
            | State::Fenced(_)) => self.state = before,
        }
    }

    /// The transaction cannot be committed any more.
    fn fail(&mut self, error: Error) {
        let error = error.with_abort();
        match &mut self.state {
            State::InTransaction => self.state = State::MustAbort(error.clone()),
            State::Committing { done, .. } => {
                let done = done.take();
                tell(done, Err(error.clone()));
                self.start_abort(None, Some(error.clone()));
            }
            State::Uninitialized
            | State::Initializing
            | State::Ready
            | State::Resolving
            | State::Aborting { .. }
            | State::MustAbort(_)
            | State::Fenced(_) => {}
        }
        self.wanted.clear();
        for call in self.offsets.drain(..) {
            let _ = call.done.send(Err(error.clone()));
        }
    }

    fn start_abort(&mut self, done: Option<Done>, cause: Option<Error>) {
        self.state = State::Aborting { done, cause };
        self.wanted.clear();
        for call in self.offsets.drain(..) {
            let _ = call.done.send(Err(Error::misuse("committing offsets in a transaction that is aborted")));
        }
        (self.retry_at, self.failures) = (None, 0);
    }

    /// Nothing can be done as this producer any more.
    fn fence(&mut self, error: Error) {
        let error = error.with_fatal();
        match std::mem::replace(&mut self.state, State::Fenced(error.clone())) {
            State::Committing { done, .. } | State::Aborting { done, .. } => tell(done, Err(error.clone())),
            State::Uninitialized
            | State::Initializing
            | State::Ready
            | State::InTransaction
            | State::Resolving
            | State::MustAbort(_)
            | State::Fenced(_) => {}
        }
        self.wanted.clear();
        let calls = self.offsets.drain(..).map(|call| call.done);
        for done in calls.chain(self.begins.drain(..)) {
            let _ = done.send(Err(error.clone()));
        }
    }

    /// Ends what has waited for too long; gives when to look again.
    fn expire(&mut self, now: Instant) -> Option<Instant> {
        if self.offsets.front().is_some_and(|call| call.deadline <= now) {
            self.fail(Error::timeout("committing offsets with a transaction"));
        }
        if let State::Committing { done, ending_until: Some(until) } = &mut self.state
            && *until <= now
        {
            let detail = "whether it is committed is not known, and will be when the next one begins: go on from what the \
                          group has committed";
            let error = Error::timeout("committing a transaction").with_detail(detail);
            let done = done.take();
            tell(done, Err(error.with_outcome(Outcome::PossiblyWritten).with_abort()));
            self.state = State::Resolving;
            // The caller goes on without it: nothing of it may reach the next one.
            self.epoch_needed = true;
        }
        let ending_until = self.state.ending_until().and_then(|until| *until);
        let deadline = self.offsets.front().map(|call| call.deadline);
        [deadline, ending_until].into_iter().flatten().min()
    }
}

fn tell(done: Option<Done>, outcome: Result<(), Error>) {
    // Whoever asked may be gone: then nobody misses the answer.
    if let Some(done) = done {
        let _ = done.send(outcome);
    }
}

#[cfg(test)]
mod tests;
