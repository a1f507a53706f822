//! [`Faults`]: the machine that plays a [`Script`]: which rule strikes at which event, and what that comes to.
//!
//! It is asked as a client connects, before a request is applied and before its answer is sent, and does nothing itself:
//! who asks carries out what it says. The same script, seed and questions give the same answers; each rule draws from a
//! sequence of its own, so a rule that is added changes no other. Mangling an answer is the work of `reply`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::DecodeError;
use tokio::time::Instant;
use uuid::Uuid;

use super::effect::{ClusterEffect, is_asked_for, resolve};
use super::error_reply::Failed;
use super::facts::{RequestFacts, TopicNames};
use super::reply::{Mangled, ReplyPlan};
use super::script::{ConnectFault, Count, Fault, On, Point, ReplyFault, RequestFault, Rule, Script, Way};

/// A script on its way through its events.
#[derive(Debug)]
pub struct Faults {
    rules: Vec<Playing>,
    started: Instant,
    /// Whether a rule asks for what only the body of a request says.
    is_body_asked: bool,
    names: TopicNames,
    connections: BTreeMap<u64, Connection>,
}

/// A rule, and how often it was met.
#[derive(Debug)]
struct Playing {
    rule: Rule,
    matched: u64,
    fired: u64,
    random: fastrand::Rng,
}

/// What is known of a connection.
#[derive(Debug, Default)]
struct Connection {
    client_host: String,
    hole: Option<Way>,
    /// Answers that go out behind the next.
    held: Vec<Bytes>,
}

/// What becomes of a client that connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectVerdict {
    /// It is served, after so long.
    Accept(Duration),
    /// Nobody listens.
    Refuse,
    /// The connection is reset.
    Reset,
    /// It is accepted, and nothing is ever answered: [`Faults::on_request`] says so of each request.
    HalfOpen,
    /// It is not even accepted, nor refused. Where that cannot be done, it is as if half open.
    BlackHole,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RequestVerdict {
    /// Wait so long first; requests behind it on the connection wait as well.
    pub delay: Duration,
    /// Then do this to the cluster.
    pub before: Vec<ClusterEffect>,
    /// Then this with the request.
    pub outcome: Outcome,
    /// And, if it was applied, do this to the cluster before it is answered.
    pub after: Vec<ClusterEffect>,
}

/// What is done with a request.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Outcome {
    /// It is applied, and its answer shown to [`Faults::on_reply`].
    #[default]
    Apply,
    /// It is not applied; this frame is its answer, and shown to [`Faults::on_reply`] as any other.
    Answer(Bytes),
    /// It is neither applied nor answered.
    Lose,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
}

impl Faults {
    /// Begins a script at `now`, which its times are counted from.
    #[must_use]
    pub fn new(script: Script, seed: u64, now: Instant) -> Self {
        let mut faults = Self {
            rules: Vec::new(),
            started: now,
            is_body_asked: false,
            names: TopicNames::new(),
            connections: BTreeMap::new(),
        };
        faults.set_script(script, seed, now);
        faults
    }

    /// Begins another script at `now`. Connections that hear nothing any more stay so.
    pub fn set_script(&mut self, script: Script, seed: u64, now: Instant) {
        let mut seeds = fastrand::Rng::with_seed(seed);
        let play = |rule: &Rule| Playing { rule: rule.clone(), matched: 0, fired: 0, random: seeds.fork() };
        self.rules = script.rules().iter().map(play).collect();
        self.started = now;
        self.is_body_asked = self.rules.iter().any(|playing| {
            let conditions = &playing.rule.conditions;
            conditions.topic.is_some() || conditions.group.is_some() || matches!(playing.rule.fault, Fault::Cluster(..))
        });
    }

    /// Whether there is no rule: then every request is applied and every answer goes out as it is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether requests and answers of this connection go through as they are: there is no rule, no black hole, and no
    /// answer that was kept back.
    pub(crate) fn lets_pass(&self, connection: u64) -> bool {
        let is_clear = |connection: &Connection| connection.hole.is_none() && connection.held.is_empty();
        self.rules.is_empty() && self.connections.get(&connection).is_none_or(is_clear)
    }

    /// Each rule, and how often it struck.
    pub fn fired(&self) -> impl Iterator<Item = (&Rule, u64)> {
        self.rules.iter().map(|playing| (&playing.rule, playing.fired))
    }

    /// The rules that never struck: a test that passes with one of these has not shown what it was to show.
    pub fn never_fired(&self) -> impl Iterator<Item = &Rule> {
        self.fired().filter(|(_, fired)| *fired == 0).map(|(rule, _)| rule)
    }

    /// Tells the name of a topic that requests may name by its id.
    pub fn name_topic(&mut self, id: Uuid, name: &str) {
        self.names.insert(id, name.to_owned());
    }

    /// What a request frame says, without its length.
    ///
    /// # Errors
    /// When its header cannot be read.
    pub fn read(&self, connection: u64, broker: i32, frame: &Bytes) -> Result<RequestFacts, DecodeError> {
        RequestFacts::read(connection, broker, frame, &self.names, self.is_body_asked)
    }

    /// What has come due by itself is appended to `effects`; says when to ask again.
    pub fn poll(&mut self, now: Instant, effects: &mut Vec<ClusterEffect>) -> Option<Instant> {
        let elapsed = now.saturating_duration_since(self.started);
        let mut due: Vec<(Duration, &mut Playing)> = Vec::new();
        let mut next: Option<Duration> = None;
        for playing in &mut self.rules {
            match playing.rule.on {
                On::At(time) if playing.fired == 0 && time <= elapsed => due.push((time, playing)),
                On::At(time) if playing.fired == 0 => next = Some(next.map_or(time, |next| next.min(time))),
                On::At(_) | On::Connect | On::Request { .. } => {}
            }
        }
        // Those of the same time in the order of the script.
        due.sort_by_key(|(time, _)| *time);
        for (_, playing) in due {
            playing.fired += 1;
            if let Fault::Cluster(effect, _) = &playing.rule.fault {
                effects.extend(resolve(effect, &playing.rule.conditions, None));
            }
        }
        next.and_then(|next| self.started.checked_add(next))
    }

    /// A client connects from a host, written as in Kafka (`/127.0.0.1`) or without the slash.
    pub fn on_connect(&mut self, connection: u64, broker: i32, client_host: &str, now: Instant) -> ConnectVerdict {
        let client_host = client_host.trim_start_matches('/').to_owned();
        let elapsed = now.saturating_duration_since(self.started);
        let mut delay = Duration::ZERO;
        let mut verdict = None;
        for playing in &mut self.rules {
            let (On::Connect, Fault::Connect(fault)) = (&playing.rule.on, &playing.rule.fault) else { continue };
            let fault = *fault;
            let is_met = playing.is_met_by(elapsed, broker, &client_host);
            if !is_met || !playing.strikes() {
                continue;
            }
            verdict = match fault {
                ConnectFault::Delay(time) => {
                    delay = delay.saturating_add(time);
                    continue;
                }
                ConnectFault::Refuse => Some(ConnectVerdict::Refuse),
                ConnectFault::Reset => Some(ConnectVerdict::Reset),
                ConnectFault::HalfOpen => Some(ConnectVerdict::HalfOpen),
                ConnectFault::BlackHole => Some(ConnectVerdict::BlackHole),
            };
            break;
        }
        let is_hole = matches!(verdict, Some(ConnectVerdict::HalfOpen | ConnectVerdict::BlackHole));
        let hole = is_hole.then_some(Way::Both);
        self.connections.insert(connection, Connection { client_host, hole, held: Vec::new() });
        verdict.unwrap_or(ConnectVerdict::Accept(delay))
    }

    /// A connection is gone.
    pub fn on_disconnect(&mut self, connection: u64) {
        self.connections.remove(&connection);
    }

    /// A request is about to be applied.
    pub fn on_request(&mut self, facts: &RequestFacts, now: Instant) -> RequestVerdict {
        let mut verdict = RequestVerdict::default();
        let connection = self.connections.entry(facts.connection).or_default();
        if matches!(connection.hole, Some(Way::Both | Way::Requests)) {
            verdict.outcome = Outcome::Lose;
            return verdict;
        }
        let elapsed = now.saturating_duration_since(self.started);
        for playing in &mut self.rules {
            if !playing.is_asked_by(elapsed, facts, &connection.client_host) {
                continue;
            }
            match playing.rule.fault.clone() {
                Fault::Request(fault) => {
                    let Some(outcome) = outcome(fault, facts) else { continue };
                    if !playing.strikes() {
                        continue;
                    }
                    match fault {
                        RequestFault::Delay(time) => verdict.delay = verdict.delay.saturating_add(time),
                        RequestFault::BlackHole(way) => connection.hole = Some(way),
                        RequestFault::Error(_) | RequestFault::Lose | RequestFault::Close | RequestFault::Reset => {}
                    }
                    verdict.outcome = outcome;
                    if verdict.outcome != Outcome::Apply {
                        // What it is not applied for has nothing to follow.
                        break;
                    }
                }
                Fault::Cluster(effect, point) => {
                    let effects = resolve(&effect, &playing.rule.conditions, Some(facts));
                    if effects.is_empty() || !playing.strikes() {
                        continue;
                    }
                    match point {
                        Point::Before => verdict.before.extend(effects),
                        Point::After => verdict.after.extend(effects),
                    }
                }
                Fault::Connect(_) | Fault::Reply(_) => {}
            }
        }
        verdict
    }

    /// A request was applied, and this is its answer, its length included.
    pub fn on_reply(&mut self, facts: &RequestFacts, frame: Bytes, now: Instant) -> ReplyPlan {
        let connection = self.connections.entry(facts.connection).or_default();
        if matches!(connection.hole, Some(Way::Both | Way::Replies)) {
            return ReplyPlan::default();
        }
        let elapsed = now.saturating_duration_since(self.started);
        let mut mangled = Mangled::new(frame);
        for playing in &mut self.rules {
            let Fault::Reply(fault) = playing.rule.fault else { continue };
            if !playing.is_asked_by(elapsed, facts, &connection.client_host)
                || !mangled.can(fault, facts)
                || !playing.strikes()
            {
                continue;
            }
            if fault == ReplyFault::BlackHole {
                connection.hole = Some(Way::Both);
            }
            mangled.apply(fault, facts, &mut playing.random);
            if mangled.is_over() {
                break;
            }
        }
        mangled.plan(&mut connection.held)
    }
}

/// What a fault does with the request; none when it cannot be done.
fn outcome(fault: RequestFault, facts: &RequestFacts) -> Option<Outcome> {
    Some(match fault {
        RequestFault::Error(code) => {
            let failed = Failed::new(facts.api, facts.version, facts.correlation_id, facts.body.clone());
            failed.answer(code).ok()?.map_or(Outcome::Lose, Outcome::Answer)
        }
        RequestFault::Lose | RequestFault::BlackHole(Way::Both | Way::Requests) => Outcome::Lose,
        RequestFault::Delay(_) | RequestFault::BlackHole(Way::Replies) => Outcome::Apply,
        RequestFault::Close => Outcome::Close,
        RequestFault::Reset => Outcome::Reset,
    })
}

impl Playing {
    /// Whether its conditions that need no request hold.
    fn is_met_by(&self, elapsed: Duration, broker: i32, client_host: &str) -> bool {
        let conditions = &self.rule.conditions;
        conditions.broker.is_none_or(|asked| asked == broker)
            && conditions.host.as_deref().is_none_or(|asked| asked == client_host)
            && conditions.after.is_none_or(|after| elapsed >= after)
            && conditions.until.is_none_or(|until| elapsed < until)
    }

    /// Whether it waits for a request such as this, and its conditions hold.
    fn is_asked_by(&self, elapsed: Duration, facts: &RequestFacts, client_host: &str) -> bool {
        let On::Request { apis, versions } = &self.rule.on else { return false };
        let conditions = &self.rule.conditions;
        let named = &facts.named;
        (apis.is_empty() || apis.contains(&facts.api))
            && versions.is_none_or(|versions| versions.contains(facts.version))
            && self.is_met_by(elapsed, facts.broker, client_host)
            && conditions.client.as_ref().is_none_or(|asked| *asked == facts.client_id)
            && conditions.group.as_ref().is_none_or(|asked| named.groups.contains(asked))
            && (conditions.topic.is_none()
                || named.partitions.iter().any(|(topic, partition)| is_asked_for(conditions, topic, *partition)))
    }

    /// Counts an event at which it may strike, and says whether it does.
    fn strikes(&mut self) -> bool {
        self.matched = self.matched.saturating_add(1);
        let conditions = &self.rule.conditions;
        let is_its_time = match conditions.count {
            Count::Always => true,
            Count::Times(times) => self.fired < times,
            Count::Nth(nth) => self.matched == nth,
        };
        let strikes =
            is_its_time && conditions.probability.is_none_or(|likely| likely.strikes(self.random.u32(0..1_000_000)));
        self.fired += u64::from(strikes);
        strikes
    }
}

/// A frame is counted, not shown: it may hold a secret.
impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Apply => f.write_str("Apply"),
            Self::Answer(frame) => write!(f, "Answer({} bytes)", frame.len()),
            Self::Lose => f.write_str("Lose"),
            Self::Close => f.write_str("Close"),
            Self::Reset => f.write_str("Reset"),
        }
    }
}
