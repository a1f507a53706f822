//! The cluster under a script of faults: [`Faults`] says what becomes of a connection, a request and an answer, and here it
//! is done, at its time.
//!
//! Before: [`Cluster::handle_connected`] and the requests of a connection, as they would run. After: `effects` does what a
//! rule wants done to the cluster. What is delayed waits here and leaves through [`Cluster::poll`]; meanwhile its
//! connection counts as busy, so that the request behind it runs after the answer, as always. A request whose answer is
//! lost is done, and the next one runs.

mod effects;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::ApiKey;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::MetadataResponse;
use tokio::time::Instant;

use super::connections::Next;
use super::sasl::Session;
use super::{Action, Cluster, ConnectionId, Outcome, Refused, Reply};
use crate::faults::{self, ClusterEffect, ConnectVerdict, Faults, RequestFacts, RequestVerdict, Script, Then};

/// So many effects are kept to be told of.
const EFFECTS_KEPT_MAX: usize = 10_000;

/// A time that does not come.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// An effect of a script, and whether it could be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CarriedOut {
    /// When.
    pub at: Instant,
    /// What was to happen.
    pub effect: ClusterEffect,
    /// Why it did not.
    pub refused: Option<String>,
}

/// A script on its way, and what it has done that lasts.
#[derive(Debug)]
pub(super) struct Playing {
    faults: Faults,
    /// What happens later, in the order of its times, and of its coming where times are the same.
    later: BTreeMap<(Instant, u64), Later>,
    later_count: u64,
    /// Connections whose SASL session has ended.
    expired: BTreeSet<ConnectionId>,
    /// What brokers say that do not learn of changes.
    stale: BTreeMap<i32, MetadataResponse>,
    /// Versions that are spoken, of APIs where they are fewer.
    limits: BTreeMap<ApiKey, VersionRange>,
    carried_out: VecDeque<CarriedOut>,
}

/// What happens at its time.
#[derive(Debug)]
enum Later {
    /// A connection is there; its requests may run.
    Open(ConnectionId),
    /// A request runs.
    Begin(Box<Begun>),
    /// Something is done with a connection.
    Act(ConnectionId, Action),
    /// Followers that have not heard from their leaders for long leave the replicas in sync.
    Shrink,
}

/// A request with what a script wants of it.
#[derive(Debug)]
struct Begun {
    connection: ConnectionId,
    next: Next,
    facts: RequestFacts,
    verdict: RequestVerdict,
}

/// A request that runs under a script.
#[derive(Debug)]
pub(super) struct Asked {
    facts: RequestFacts,
    /// What is to happen before it is answered.
    after: Vec<ClusterEffect>,
}

impl Asked {
    /// What is to happen now that it was applied; once.
    pub(super) fn take_after(&mut self) -> Vec<ClusterEffect> {
        std::mem::take(&mut self.after)
    }
}

impl Playing {
    /// No script, at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            faults: Faults::new(Script::default(), 0, now),
            later: BTreeMap::new(),
            later_count: 0,
            expired: BTreeSet::new(),
            stale: BTreeMap::new(),
            limits: BTreeMap::new(),
            carried_out: VecDeque::new(),
        }
    }

    pub(super) const fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// A connection is gone, and what was to happen with it.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.faults.on_disconnect(connection.0);
        self.expired.remove(&connection);
        self.later.retain(|_, later| match later {
            Later::Open(of) | Later::Act(of, _) => *of != connection,
            Later::Begin(begun) => begun.connection != connection,
            Later::Shrink => true,
        });
    }

    /// When something is to happen of what has been put off.
    pub(super) fn next_later(&self) -> Option<Instant> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }

    /// Whether something was put off that will be done with this connection.
    pub(super) fn has_later(&self, connection: ConnectionId) -> bool {
        self.later.values().any(|later| match later {
            Later::Open(of) | Later::Act(of, _) => *of == connection,
            Later::Begin(begun) => begun.connection == connection,
            Later::Shrink => false,
        })
    }

    /// What a broker says of the cluster that does not learn of changes.
    pub(super) fn stale(&self, node_id: i32) -> Option<&MetadataResponse> {
        self.stale.get(&node_id)
    }

    /// The versions of an API that are left of those that it is written for.
    pub(super) fn limited(&self, api: ApiKey, spoken: VersionRange) -> Option<VersionRange> {
        let limit = self.limits.get(&api).copied().unwrap_or(spoken);
        let left = VersionRange::new(limit.min.max(spoken.min), limit.max.min(spoken.max));
        (left.min <= left.max).then_some(left)
    }

    fn put_off(&mut self, at: Instant, later: Later) {
        self.later.insert((at, self.later_count), later);
        self.later_count += 1;
    }
}

impl Cluster {
    /// Plays a script from now on, its times counted from now. Connections that hear nothing any more stay so. Poll the
    /// cluster afterwards.
    pub fn play(&mut self, script: Script, seed: u64, now: Instant) {
        self.playing.faults.set_script(script, seed, now);
        self.changed = true;
    }

    /// The script that is played: how often each rule struck, and which never did.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.playing.faults
    }

    /// What rules have done to the cluster, or could not; the last ten thousand.
    pub fn carried_out(&self) -> impl Iterator<Item = &CarriedOut> {
        self.playing.carried_out.iter()
    }

    /// Takes what [`Self::carried_out`] tells.
    pub fn take_carried_out(&mut self) -> impl Iterator<Item = CarriedOut> {
        std::mem::take(&mut self.playing.carried_out).into_iter()
    }

    /// A connection comes to a broker that runs.
    pub(super) fn admit(
        &mut self,
        connection: ConnectionId,
        node_id: i32,
        client_host: &str,
        session: Session,
        now: Instant,
    ) {
        match self.playing.faults.on_connect(connection.0, node_id, client_host, now) {
            ConnectVerdict::Accept(delay) => {
                self.connections.open(connection, node_id, client_host, session);
                if !delay.is_zero() {
                    self.connections.hold(connection);
                    self.playing.put_off(after(now, delay), Later::Open(connection));
                }
            }
            ConnectVerdict::Refuse => self.turn_away(connection, Action::Refuse),
            ConnectVerdict::Reset => self.turn_away(connection, Action::Reset),
            // Its requests are lost one by one.
            ConnectVerdict::HalfOpen | ConnectVerdict::BlackHole => {
                self.connections.open(connection, node_id, client_host, session);
            }
        }
    }

    fn turn_away(&mut self, connection: ConnectionId, action: Action) {
        self.playing.faults.on_disconnect(connection.0);
        self.outgoing.push(Reply { connection, action });
    }

    /// Runs a request as the script wants it; gives it back where the script does not look at it.
    pub(super) fn run_under_faults(&mut self, connection: ConnectionId, next: Next, now: Instant) -> Option<Next> {
        if self.playing.faults.lets_pass(connection.0) && self.playing.expired.is_empty() {
            return Some(next);
        }
        let Ok(facts) = self.playing.faults.read(connection.0, next.node_id, &next.frame) else { return Some(next) };
        let verdict = self.playing.faults.on_request(&facts, now);
        let delay = verdict.delay;
        let begun = Begun { connection, next, facts, verdict };
        if delay.is_zero() {
            self.begin(begun, now);
        } else {
            self.playing.put_off(after(now, delay), Later::Begin(Box::new(begun)));
        }
        None
    }

    fn begin(&mut self, Begun { connection, next, facts, verdict }: Begun, now: Instant) {
        self.carry_out(verdict.before, now);
        if !self.connections.is_open(connection) {
            return;
        }
        if self.playing.expired.contains(&connection) {
            // As in Kafka, all that a client may do now is to prove itself again.
            if facts.api != ApiKey::SASL_HANDSHAKE {
                return self.act(connection, Action::Close);
            }
            self.playing.expired.remove(&connection);
        }
        match verdict.outcome {
            faults::Outcome::Apply => {
                let asked = Box::new(Asked { facts, after: verdict.after });
                let (asked, outcome) = self.run_one(connection, next, Some(asked), now);
                self.finish(connection, asked, outcome, now);
            }
            faults::Outcome::Answer(frame) => self.answer(connection, &facts, frame, now),
            faults::Outcome::Lose => self.act(connection, Action::Skip),
            faults::Outcome::Close => self.act(connection, Action::Close),
            faults::Outcome::Reset => self.act(connection, Action::Reset),
        }
    }

    /// A request has an answer, or none.
    pub(super) fn finish(
        &mut self,
        connection: ConnectionId,
        asked: Option<Box<Asked>>,
        outcome: Result<Outcome, Refused>,
        now: Instant,
    ) {
        let facts = asked.map(|asked| {
            let Asked { facts, after } = *asked;
            self.carry_out(after, now);
            facts
        });
        match (outcome, facts) {
            (Ok(Outcome::Waits), _) => {}
            (Ok(Outcome::Reply(frame)), Some(facts)) => self.answer(connection, &facts, frame, now),
            (Ok(Outcome::Reply(frame)), None) => self.act(connection, Action::Send(frame)),
            (Ok(Outcome::Silent), _) => self.act(connection, Action::Skip),
            (Ok(Outcome::Last(frame)), _) => {
                self.outgoing.push(Reply { connection, action: Action::Send(frame) });
                self.act(connection, Action::Close);
            }
            (Err(Refused(reason)), _) => {
                tracing::debug!(connection = connection.0, reason, "connection closed");
                self.act(connection, Action::Close);
            }
        }
    }

    /// What becomes of an answer, one thing after the other.
    fn answer(&mut self, connection: ConnectionId, facts: &RequestFacts, frame: Bytes, now: Instant) {
        if !self.connections.is_open(connection) {
            return;
        }
        let plan = self.playing.faults.on_reply(facts, frame, now);
        let mut at = now;
        let mut acts = Vec::with_capacity(plan.writes.len() + 1);
        for write in plan.writes {
            at = after(at, write.after);
            acts.push((at, Action::Write(write.bytes)));
        }
        at = after(at, plan.mute);
        let last = match plan.then {
            Then::GoOn => Action::Skip,
            Then::Close => Action::Close,
            Then::Reset => Action::Reset,
        };
        match (acts.pop(), last) {
            (Some((written_at, Action::Write(bytes))), Action::Skip) if acts.is_empty() && written_at == at => {
                acts.push((at, Action::Send(bytes)));
            }
            (written, last) => acts.extend(written.into_iter().chain([(at, last)])),
        }
        for (at, action) in acts {
            if at <= now {
                self.act(connection, action);
            } else {
                self.playing.put_off(at, Later::Act(connection, action));
            }
        }
    }

    /// Does something with a connection, which with some of it is ready for the next request or ends.
    fn act(&mut self, connection: ConnectionId, action: Action) {
        if !self.connections.is_open(connection) {
            return;
        }
        match &action {
            Action::Write(_) => {}
            Action::Send(_) | Action::Skip => self.connections.answered(connection),
            Action::Close | Action::Reset | Action::Refuse => {
                self.connections.close(connection);
                self.forget(connection);
            }
        }
        self.outgoing.push(Reply { connection, action });
    }

    /// Does what has come due; says when the script has something to do again.
    pub(super) fn poll_faults(&mut self, now: Instant) -> Option<Instant> {
        let mut effects = Vec::new();
        let wake_at = self.playing.faults.poll(now, &mut effects);
        self.carry_out(effects, now);
        while let Some(entry) = self.playing.later.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Later::Open(connection) => {
                    self.connections.answered(connection);
                    self.run(connection, now);
                }
                Later::Begin(begun) => {
                    let connection = begun.connection;
                    self.changed = true;
                    self.begin(*begun, now);
                    self.run(connection, now);
                }
                Later::Act(connection, action) => {
                    self.act(connection, action);
                    self.run(connection, now);
                }
                Later::Shrink => self.shrink_parted(),
            }
        }
        wake_at
    }
}

fn after(time: Instant, by: Duration) -> Instant {
    time.checked_add(by).unwrap_or(time + NEVER)
}
