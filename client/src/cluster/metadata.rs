//! When to ask for metadata, whom, and what an answer changes.
//!
//! A machine: [`driver`](super::driver) sends what [`Metadata::poll`] says and hands the answers back. Two rules keep
//! old news out: a partition's leader epoch never goes back (KIP-320), and a topic that others use stays known when one
//! broker says that it does not exist, until its id changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::metadata_response::MetadataResponseTopic;
use tidemill_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use tidemill_protocol::{ErrorCode, StrBytes};
use tokio::time::Instant;
use uuid::Uuid;

use super::backoff::Backoff;
use super::snapshot::{Partition, Snapshot, Topic};

/// Since this version topics are asked for by their id alone.
const IDS_SINCE: i16 = 12;

/// Whom to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Candidate {
    /// A broker of the snapshot.
    Broker(i32),
    /// An address of the configuration, by its place in the list.
    Bootstrap(usize),
}

/// A request to make.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ask {
    pub(super) candidate: Candidate,
    topics: Vec<Arc<str>>,
    /// Topics of which only the id is known. They are asked for alone: a broker that sees an id passes names over.
    ids: Vec<Uuid>,
    auto_create: bool,
}

impl Ask {
    /// The request, in a version the broker speaks.
    pub(super) fn request(&self, version: i16) -> MetadataRequest {
        let topic = |name: &Arc<str>| {
            MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.to_string()))))
        };
        let topics = if self.ids.is_empty() || version < IDS_SINCE {
            self.topics.iter().map(topic).collect()
        } else {
            self.ids.iter().map(|id| MetadataRequestTopic::default().with_topic_id(*id).with_name(None)).collect()
        };
        // Before version 4 there is no choice: an unknown topic is created if the broker does that.
        let auto_create = self.auto_create || version < 4;
        MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(auto_create)
    }
}

/// ```text
/// Due --asked--> Asking --answered--> Fresh --aged or wanted--> Due
///                   \--failed--> BackingOff --waited--> Due
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Due,
    Asking { wanted_again: bool, by_id: bool },
    Fresh { until: Instant, not_before: Instant },
    BackingOff { until: Instant },
}

#[derive(Debug)]
pub(super) struct Metadata {
    state: State,
    age_max: Duration,
    backoff: Backoff,
    random: fastrand::Rng,
    failures: u32,
    bootstrap_count: usize,
    /// Counts the attempts, so that each asks another broker.
    turn: usize,
    tracked: BTreeMap<Arc<str>, bool>,
    /// Topics whose names are not known yet.
    nameless: BTreeSet<Uuid>,
    /// Whether the names come first: what was asked for last was ids.
    names_next: bool,
    snapshot: Arc<Snapshot>,
}

impl Metadata {
    pub(super) fn new(bootstrap_count: usize, age_max: Duration, backoff: Backoff, seed: u64) -> Self {
        Self {
            state: State::Due,
            age_max,
            backoff,
            random: fastrand::Rng::with_seed(seed),
            failures: 0,
            bootstrap_count,
            turn: 0,
            tracked: BTreeMap::new(),
            nameless: BTreeSet::new(),
            names_next: false,
            snapshot: Arc::new(Snapshot::default()),
        }
    }

    pub(super) const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Keeps these topics known from now on.
    pub(super) fn handle_track<'a>(
        &mut self,
        topics: impl IntoIterator<Item = &'a str>,
        auto_create: bool,
        now: Instant,
    ) {
        let mut wanted = false;
        for topic in topics {
            let create = self.tracked.entry(Arc::from(topic)).or_insert_with(|| {
                wanted = true;
                auto_create
            });
            wanted |= auto_create && !*create;
            *create |= auto_create;
        }
        if wanted {
            self.handle_wanted(true, now);
        }
    }

    /// Finds out the names of these topics, and keeps them known from then on.
    pub(super) fn handle_name(&mut self, ids: impl IntoIterator<Item = Uuid>, now: Instant) {
        let count = self.nameless.len();
        self.nameless.extend(ids);
        if self.nameless.len() > count {
            self.names_next = false;
            self.handle_wanted(true, now);
        }
    }

    /// Somebody found the snapshot out of date. `at_once` does not wait for the back-off between two answers.
    pub(super) fn handle_wanted(&mut self, at_once: bool, now: Instant) {
        match &mut self.state {
            State::Due | State::BackingOff { .. } => {}
            State::Asking { wanted_again, .. } => *wanted_again |= at_once,
            State::Fresh { until, not_before } => {
                *until = if at_once { now } else { (*not_before).max(now).min(*until) };
            }
        }
    }

    /// The request to make now, if any, and when to ask again.
    pub(super) fn poll(&mut self, now: Instant) -> (Option<Ask>, Option<Instant>) {
        match self.state {
            State::Asking { .. } => return (None, None),
            State::Fresh { until, .. } | State::BackingOff { until } if until > now => return (None, Some(until)),
            State::Due | State::Fresh { .. } | State::BackingOff { .. } => {}
        }
        let by_id = !self.nameless.is_empty() && !self.names_next;
        self.names_next = by_id;
        self.state = State::Asking { wanted_again: false, by_id };
        let ask = Ask {
            candidate: self.candidate(),
            topics: self.tracked.keys().cloned().collect(),
            ids: if by_id { self.nameless.iter().copied().collect() } else { Vec::new() },
            auto_create: self.tracked.values().any(|create| *create),
        };
        (Some(ask), None)
    }

    /// The broker did not answer, or not with metadata.
    pub(super) fn handle_failure(&mut self, now: Instant) {
        // The first round over all addresses is quick: only one of them may be down.
        let wait = if self.turn < self.bootstrap_count {
            Duration::ZERO
        } else {
            self.backoff.next(self.failures, &mut self.random)
        };
        self.failures = self.failures.saturating_add(1);
        self.state = State::BackingOff { until: now + wait };
    }

    /// The broker answered: makes the next snapshot.
    pub(super) fn handle_answer(&mut self, answer: &MetadataResponse, now: Instant) {
        let mut next = Snapshot::clone(&self.snapshot);
        next.version += 1;
        let by_id = matches!(self.state, State::Asking { by_id: true, .. });
        if by_id {
            self.learn_names(answer);
        } else {
            next.missing.clear();
        }
        // An answer without brokers comes from one that has just started; what we knew is better.
        if !answer.brokers.is_empty() {
            next.brokers = answer
                .brokers
                .iter()
                .filter_map(|broker| {
                    let port = u16::try_from(broker.port).ok().filter(|port| *port != 0)?;
                    Some((broker.node_id.0, (broker.host.to_string(), port)))
                })
                .collect();
        }
        next.controller = Some(answer.controller_id.0).filter(|id| *id >= 0);
        let mut unsettled = false;
        for topic in &answer.topics {
            unsettled |= self.merge_topic(&mut next, topic);
        }
        self.snapshot = Arc::new(next);
        self.failures = 0;
        // After ids come the names, and while some ids have no name yet, they are asked for again.
        let wanted_again = by_id || matches!(self.state, State::Asking { wanted_again: true, .. });
        unsettled |= !self.nameless.is_empty();
        // A topic without leaders, or just being created, is asked for again soon.
        let soon = now + self.backoff.min;
        let until = match (wanted_again, unsettled) {
            (true, _) => now,
            (false, true) => soon,
            (false, false) => now + self.age_max,
        };
        self.state = State::Fresh { until, not_before: soon };
    }

    /// The topics that were asked for by their id are kept known by their name from now on.
    fn learn_names(&mut self, answer: &MetadataResponse) {
        for topic in &answer.topics {
            if let Some(name) = &topic.name
                && ErrorCode(topic.error_code).is_none()
                && self.nameless.remove(&topic.topic_id)
            {
                self.tracked.entry(Arc::from(name.0.as_str())).or_insert(false);
            }
        }
    }

    /// Merges one topic; returns whether it has to be asked for again soon.
    fn merge_topic(&self, next: &mut Snapshot, topic: &MetadataResponseTopic) -> bool {
        let Some(name) = topic.name.as_ref().map(|name| name.0.as_str()) else { return false };
        let Some((name, _)) = self.tracked.get_key_value(name) else { return false };
        let code = ErrorCode(topic.error_code);
        if !code.is_none() && code != ErrorCode::LEADER_NOT_AVAILABLE {
            next.missing.insert(Arc::clone(name), code);
            return code.is_retriable();
        }
        let known = self.snapshot.topics.get(name).filter(|known| known.id == topic.topic_id);
        let partitions: BTreeMap<i32, Partition> = topic
            .partitions
            .iter()
            .map(|partition| {
                let leader = Some(partition.leader_id.0).filter(|id| *id >= 0);
                let new = Partition { leader, leader_epoch: partition.leader_epoch };
                let old = known.and_then(|known| known.partitions.get(&partition.partition_index));
                let kept = match old {
                    Some(old) if new.leader_epoch >= 0 && old.leader_epoch > new.leader_epoch => *old,
                    Some(_) | None => new,
                };
                (partition.partition_index, kept)
            })
            .collect();
        if partitions.is_empty() {
            return true;
        }
        let unsettled = partitions.values().any(|partition| partition.leader.is_none());
        next.topics.insert(Arc::clone(name), Topic { id: topic.topic_id, partitions });
        unsettled
    }

    /// Brokers of the snapshot in turn, and every now and then, when none of them answers, the configured addresses.
    fn candidate(&mut self) -> Candidate {
        let turn = self.turn;
        self.turn = self.turn.wrapping_add(1);
        let brokers: BTreeSet<i32> = self.snapshot.brokers.keys().copied().collect();
        let known = brokers.len();
        let round = known + self.bootstrap_count;
        let failures = usize::try_from(self.failures).unwrap_or(usize::MAX);
        let place = if failures < known { turn % known } else { turn % round.max(1) };
        match brokers.iter().nth(place) {
            Some(id) => Candidate::Broker(*id),
            None => Candidate::Bootstrap(place.saturating_sub(known) % self.bootstrap_count.max(1)),
        }
    }
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
