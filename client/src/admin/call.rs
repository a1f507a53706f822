//! What a call asks for, item by item: of whom, when again, and what became of each.
//!
//! A machine. Before: a noun's file says where each item is asked for ([`Route`]) and for how long. After:
//! [`driver`](super::driver) does what [`Call::poll`] says and hands back what it heard. Items of one broker go in one
//! request; one that fails never delays or fails another. An item is asked for again when the broker it was sent to is
//! the wrong one now, cannot answer yet, or was lost; the call ends for all at its deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_protocol::{ErrorCode, StrBytes};

use crate::cluster::{Backoff, CoordinatorKind, Target};
use crate::error::{Error, ErrorKind};
use crate::record::TopicPartition;

/// Where an item is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// Any broker.
    Any,
    /// The controller, or a broker that passes it on.
    Controller,
    /// This broker.
    Broker(i32),
    /// Whoever leads the partition.
    Leader(TopicPartition),
    /// Whoever coordinates the group or transactional id.
    Coordinator(CoordinatorKind, String),
}

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// For the whole call, all its attempts included.
    pub(super) timeout: Duration,
    /// How long a broker may take for one request.
    pub(super) request_timeout: Duration,
    /// How many items one request may hold.
    pub(super) items_max: usize,
    /// Whether it changes anything, so that an answer that was lost leaves open whether it has.
    pub(super) changes: bool,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Ask who leads the partitions of these topics.
    FindLeaders(BTreeSet<Arc<str>>),
    /// Ask who coordinates these.
    FindCoordinators(CoordinatorKind, BTreeSet<String>),
    /// The view of the cluster is out of date.
    Refresh,
    /// The coordinator that is remembered is the wrong one.
    CoordinatorMoved(CoordinatorKind, String),
    /// Ask for these items, by their place in the call.
    Ask { token: u64, target: Target, items: Vec<usize>, timeout: Duration },
}

/// Why a broker does not do what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    /// In the broker's words.
    pub(super) message: Option<String>,
}

/// What a broker says of an item.
pub(super) type Answer<V> = Result<V, Refusal>;

/// Who leads each partition of a topic, while somebody does.
pub(super) type Leaders = Result<BTreeMap<i32, Option<i32>>, ErrorCode>;

/// An error code of an answer, as a refusal if it is one.
pub(super) fn accepted(code: i16, message: Option<&StrBytes>) -> Answer<()> {
    ErrorCode(code).into_result().map_err(|code| {
        let message = message.map(|message| message.to_string()).filter(|message| !message.is_empty());
        Refusal { code, message }
    })
}

impl Refusal {
    /// As the error of what was attempted.
    pub(super) fn into_error(self, attempt: String) -> Error {
        let error = Error::broker(attempt, self.code);
        match self.message {
            Some(message) => error.with_detail(message),
            None => error,
        }
    }
}

/// ```text
/// Due --route known--> Asked --answered--> Done
///  ^ \--looked up--> LookingUp --found--> Due
///  \-- again, after a back-off, from Asked and LookingUp
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Due(Instant),
    LookingUp,
    Asked(u64),
    Done,
}

#[derive(Debug)]
struct Item<V> {
    route: Route,
    attempt: String,
    state: State,
    /// The broker that a lookup found.
    found: Option<i32>,
    failures: u32,
    /// How often a broker said that there is no such topic or partition.
    unknown: u32,
    last: Option<Error>,
    /// A request for it was lost on the way or on the way back.
    is_open: bool,
    outcome: Option<Result<V, Error>>,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call<V> {
    items: Vec<Item<V>>,
    settings: Settings,
    deadline: Instant,
    /// Whether the cluster was ever reached: an address that never answered is more likely wrong than down.
    was_reached: bool,
    tokens: u64,
    refresh: bool,
    moved: Vec<(CoordinatorKind, String)>,
    backoff: Backoff,
    random: fastrand::Rng,
}

/// A topic may be so new that not every broker knows it: after the fifth time, which is a second or two, it is believed.
const UNKNOWN_MAX: u32 = 5;

/// After this many attempts a broker is believed to be down, which takes a second or two.
const LOST_MAX: u32 = 4;

impl<V> Call<V> {
    /// Each item with where it is asked for, and how to name the attempt in its error.
    pub(super) fn new(
        items: impl IntoIterator<Item = (Route, String)>,
        settings: Settings,
        backoff: Backoff,
        seed: u64,
        now: Instant,
    ) -> Self {
        let item = |(route, attempt)| Item {
            route,
            attempt,
            state: State::Due(now),
            found: None,
            failures: 0,
            unknown: 0,
            last: None,
            is_open: false,
            outcome: None,
        };
        Self {
            items: items.into_iter().map(item).collect(),
            settings,
            // A timeout beyond all clocks is no timeout.
            deadline: now.checked_add(settings.timeout).unwrap_or(now + Duration::from_secs(1 << 32)),
            was_reached: false,
            tokens: 0,
            refresh: false,
            moved: Vec::new(),
            backoff,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The cluster is known.
    pub(super) const fn handle_reached(&mut self) {
        self.was_reached = true;
    }

    /// What to do now, and when to ask again; `None` when every item has its outcome.
    pub(super) fn poll(&mut self, now: Instant, actions: &mut Vec<Action>) -> Option<Instant> {
        if now >= self.deadline {
            for item in self.items.iter_mut().filter(|item| item.state != State::Done) {
                let timeout = Error::timeout(item.attempt.clone());
                let error = match item.last.take() {
                    Some(last) => timeout.with_source(last),
                    None => timeout,
                };
                item.settle(Err(error));
            }
        }
        actions.extend(self.moved.drain(..).map(|(kind, key)| Action::CoordinatorMoved(kind, key)));
        if std::mem::take(&mut self.refresh) {
            actions.push(Action::Refresh);
        }
        self.look_up(now, actions);
        self.ask(now, actions);
        if self.items.iter().all(|item| item.state == State::Done) {
            return None;
        }
        let due = self.items.iter().filter_map(|item| match item.state {
            State::Due(at) => Some(at),
            State::LookingUp | State::Asked(_) | State::Done => None,
        });
        Some(due.fold(self.deadline, Instant::min))
    }

    fn look_up(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let mut topics = BTreeSet::new();
        let mut keys: BTreeMap<CoordinatorKind, BTreeSet<String>> = BTreeMap::new();
        for item in self.items.iter_mut().filter(|item| item.is_due(now) && item.found.is_none()) {
            match &item.route {
                Route::Any | Route::Controller | Route::Broker(_) => continue,
                Route::Leader(partition) => {
                    topics.insert(Arc::clone(&partition.topic));
                }
                Route::Coordinator(kind, key) => {
                    keys.entry(*kind).or_default().insert(key.clone());
                }
            }
            item.state = State::LookingUp;
        }
        if !topics.is_empty() {
            actions.push(Action::FindLeaders(topics));
        }
        actions.extend(keys.into_iter().map(|(kind, keys)| Action::FindCoordinators(kind, keys)));
    }

    fn ask(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let timeout = self.deadline.saturating_duration_since(now).min(self.settings.request_timeout);
        let mut targets: Vec<(Target, Vec<usize>)> = Vec::new();
        for (place, item) in self.items.iter().enumerate().filter(|(_, item)| item.is_due(now)) {
            let Some(target) = item.target() else { continue };
            match targets.iter_mut().find(|(known, _)| *known == target) {
                Some((_, items)) => items.push(place),
                None => targets.push((target, vec![place])),
            }
        }
        for (target, places) in targets {
            for items in places.chunks(self.settings.items_max.max(1)) {
                self.tokens += 1;
                for place in items {
                    self.items[*place].state = State::Asked(self.tokens);
                }
                let (target, items) = (target.clone(), items.to_vec());
                actions.push(Action::Ask { token: self.tokens, target, items, timeout });
            }
        }
    }
}

impl<V> Call<V> {
    /// What a broker says of the topics of [`Action::FindLeaders`], or why none answered.
    pub(super) fn handle_leaders(&mut self, found: Result<BTreeMap<Arc<str>, Leaders>, Error>, now: Instant) {
        for place in 0..self.items.len() {
            let item = &self.items[place];
            let Route::Leader(partition) = &item.route else { continue };
            if item.state != State::LookingUp {
                continue;
            }
            let leader = match &found {
                Err(error) => Err(error.clone()),
                Ok(topics) => {
                    let Some(leaders) = topics.get(&partition.topic) else { continue };
                    let code = match leaders.as_ref().map(|leaders| leaders.get(&partition.partition)) {
                        Ok(Some(Some(leader))) => Ok(*leader),
                        Ok(Some(None)) => Err(ErrorCode::LEADER_NOT_AVAILABLE),
                        Ok(None) => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                        Err(code) => Err(*code),
                    };
                    code.map_err(|code| Error::broker(item.attempt.clone(), code).with_partition(partition.clone()))
                }
            };
            self.found(place, leader, now);
        }
    }

    /// Who coordinates the keys of [`Action::FindCoordinators`], or why nobody could tell.
    pub(super) fn handle_coordinators(
        &mut self,
        kind: CoordinatorKind,
        found: Result<BTreeMap<String, Result<i32, ErrorCode>>, Error>,
        now: Instant,
    ) {
        for place in 0..self.items.len() {
            let item = &self.items[place];
            let Route::Coordinator(of, key) = &item.route else { continue };
            if item.state != State::LookingUp || *of != kind {
                continue;
            }
            let coordinator = match &found {
                Err(error) => Err(error.clone()),
                Ok(coordinators) => {
                    let Some(coordinator) = coordinators.get(key) else { continue };
                    coordinator.map_err(|code| Error::broker(item.attempt.clone(), code))
                }
            };
            self.found(place, coordinator, now);
        }
    }

    fn found(&mut self, place: usize, broker: Result<i32, Error>, now: Instant) {
        match broker {
            Ok(broker) => {
                self.was_reached = true;
                let item = &mut self.items[place];
                (item.found, item.state) = (Some(broker), State::Due(now));
            }
            Err(error) => self.failed(place, error, now),
        }
    }

    /// What the broker of [`Action::Ask`] said of the items, or why it said nothing.
    pub(super) fn handle_answers(&mut self, token: u64, answers: Result<Vec<(usize, Answer<V>)>, Error>, now: Instant) {
        let (answers, failure) = match answers {
            Ok(answers) => {
                self.was_reached = true;
                (answers, None)
            }
            Err(error) => (Vec::new(), Some(error)),
        };
        for (place, answer) in answers {
            let Some(item) = self.items.get_mut(place).filter(|item| item.state == State::Asked(token)) else {
                continue;
            };
            match answer {
                Ok(value) => item.settle(Ok(value)),
                Err(refusal) => {
                    let error = item.refused(refusal);
                    self.failed(place, error, now);
                }
            }
        }
        for place in 0..self.items.len() {
            let item = &mut self.items[place];
            if item.state != State::Asked(token) {
                continue;
            }
            let error = match &failure {
                Some(error) => {
                    item.is_open = true;
                    error.clone()
                }
                None => Error::protocol(item.attempt.clone()).with_detail("the answer leaves it out"),
            };
            self.failed(place, error, now);
        }
    }

    /// Once more, or not: an item could not be asked for, or was refused.
    fn failed(&mut self, place: usize, error: Error, now: Instant) {
        let item = &mut self.items[place];
        let again = match error.kind() {
            ErrorKind::Broker(code) => {
                item.unknown += u32::from(is_unknown(code));
                match code {
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID => {
                        matches!(item.route, Route::Leader(_)) && item.unknown < UNKNOWN_MAX
                    }
                    // These are answers.
                    ErrorCode::ELECTION_NOT_NEEDED
                    | ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE
                    | ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE => false,
                    other => other.is_retriable(),
                }
            }
            // Not one address of the configuration has answered yet: to be told of it helps more than to wait. And nobody
            // else can say what one broker was asked for.
            ErrorKind::Network => self.was_reached && !item.is_beyond_reach(),
            ErrorKind::Timeout => !item.is_beyond_reach(),
            ErrorKind::Protocol
            | ErrorKind::Security
            | ErrorKind::Configuration
            | ErrorKind::Misuse
            | ErrorKind::WouldBlock
            | ErrorKind::Closed => false,
        };
        if !again {
            let is_open = item.is_open && self.settings.changes && error.code().is_some();
            item.settle(Err(if is_open { error.with_note(POSSIBLY_DONE) } else { error }));
            return;
        }
        // Where it was asked for may be wrong now.
        item.found = None;
        match &item.route {
            Route::Coordinator(kind, key) => match error.code() {
                None | Some(ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE) => {
                    self.moved.push((*kind, key.clone()));
                }
                Some(_) => {}
            },
            Route::Controller | Route::Any | Route::Broker(_) => {
                self.refresh |= matches!(error.code(), None | Some(ErrorCode::NOT_CONTROLLER));
            }
            Route::Leader(_) => self.refresh |= error.code().is_none(),
        }
        item.last = Some(error);
        item.state = State::Due(now + self.backoff.next(item.failures, &mut self.random));
        item.failures = item.failures.saturating_add(1);
    }

    /// What became of each item, in the order they were given.
    pub(super) fn into_outcomes(self) -> impl Iterator<Item = Result<V, Error>> {
        self.items.into_iter().map(|item| item.outcome.unwrap_or_else(|| Err(Error::timeout(item.attempt))))
    }
}

const POSSIBLY_DONE: &str = "the answer to an earlier attempt was lost, which may have done it already";

const fn is_unknown(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID)
}

impl<V> Item<V> {
    fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Due(at) if at <= now)
    }

    /// Where to ask, if that is known.
    fn target(&self) -> Option<Target> {
        match &self.route {
            Route::Any => Some(Target::Any),
            Route::Controller => Some(Target::Controller),
            Route::Broker(id) => Some(Target::Broker(*id)),
            Route::Leader(_) | Route::Coordinator(..) => self.found.map(Target::Broker),
        }
    }

    fn refused(&self, refusal: Refusal) -> Error {
        let error = refusal.into_error(self.attempt.clone());
        match &self.route {
            Route::Leader(partition) => error.with_partition(partition.clone()),
            Route::Any | Route::Controller | Route::Broker(_) | Route::Coordinator(..) => error,
        }
    }

    /// Whether the one broker that could answer was lost so often that it is believed to be down.
    const fn is_beyond_reach(&self) -> bool {
        matches!(self.route, Route::Broker(_)) && self.failures >= LOST_MAX
    }

    fn settle(&mut self, outcome: Result<V, Error>) {
        self.state = State::Done;
        self.outcome = Some(outcome);
    }
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
