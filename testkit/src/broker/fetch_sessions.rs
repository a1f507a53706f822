//! Fetch sessions (KIP-227): what a reader has asked for, so that it needs not say it again.
//!
//! The fetch handler [opens](FetchSessions::open) each request here, which gives the partitions to read, and
//! [closes](FetchSessions::close) it with what was read: an incremental answer holds only the partitions with something new.
//! Partitions with records go to the end of the session, so that a small answer does not always favour the same.
//!
//! A broker keeps 1,000 sessions; a new one replaces the one that was used longest ago, if that was two minutes ago or
//! more. Larger sessions do not replace smaller ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use tidemill_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use tidemill_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use tidemill_protocol::{ErrorCode, StrBytes};
use tokio::time::Instant;
use uuid::Uuid;

use super::invariants::{Holds, hold};

/// `max.incremental.fetch.session.cache.slots`.
const SESSIONS_MAX: usize = 1000;

/// `min.incremental.fetch.session.eviction.ms`.
const EVICTION_AGE: Duration = Duration::from_secs(120);

/// Since this version topics are named by their ids.
const NAMES_BY_ID_SINCE: i16 = 13;

/// The epoch of a request that begins a session, and of one that wants none.
const INITIAL: i32 = 0;
const FINAL: i32 = -1;

/// The sessions of all brokers.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    sessions: BTreeMap<SessionKey, Session>,
    random: fastrand::Rng,
}

/// The broker that keeps the session, and the session's id there.
type SessionKey = (i32, i32);

#[derive(Debug)]
struct Session {
    /// Of the next request.
    epoch: i32,
    by_id: bool,
    last_used: Instant,
    /// In the order they are read.
    partitions: BTreeMap<u64, Cached>,
    places: BTreeMap<PartitionKey, u64>,
    next_place: u64,
}

/// A partition by the name or the id of its topic.
type PartitionKey = (String, Uuid, i32);

#[derive(Debug)]
struct Cached {
    topic: String,
    topic_id: Uuid,
    wanted: FetchPartition,
    /// What was said last.
    high_watermark: i64,
    log_start_offset: i64,
    /// What its topic is called, once that is known: the session keeps it when the topic is gone.
    name: Option<String>,
}

/// What becomes of the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// It is sent as it is.
    Sessionless,
    /// It begins a session.
    Full,
    /// It tells what is new to this session.
    Incremental(i32),
}

impl FetchSessions {
    /// No sessions. Their ids are drawn from `random`.
    pub(crate) const fn new(random: fastrand::Rng) -> Self {
        Self { sessions: BTreeMap::new(), random }
    }

    /// Puts the partitions that are to be read into the request.
    ///
    /// # Errors
    /// What the answer says instead of records: `FETCH_SESSION_ID_NOT_FOUND`, `INVALID_FETCH_SESSION_EPOCH`, or
    /// `FETCH_SESSION_TOPIC_ID_ERROR` when ids and names of topics are mixed.
    pub(crate) fn open(
        &mut self,
        node_id: i32,
        request: &mut FetchRequest,
        version: i16,
        now: Instant,
    ) -> Result<Context, ErrorCode> {
        let key = (node_id, request.session_id);
        let epoch = request.session_epoch;
        if epoch == INITIAL || epoch == FINAL {
            self.sessions.remove(&key);
            return Ok(if epoch == INITIAL { Context::Full } else { Context::Sessionless });
        }
        let session = self.sessions.get_mut(&key).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != (version >= NAMES_BY_ID_SINCE) {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        session.update(request.topics.clone());
        session.forget(&std::mem::take(&mut request.forgotten_topics_data));
        if session.partitions.is_empty() {
            // What is asked for is told once, even if it is to be forgotten.
            self.sessions.remove(&key);
            return Ok(Context::Sessionless);
        }
        session.epoch = next_epoch(session.epoch);
        session.last_used = now;
        request.topics = session.topics();
        Ok(Context::Incremental(request.session_id))
    }

    /// The partitions of a session by ids, whose topics are there no more, and were once by these names.
    pub(crate) fn gone<'t>(
        &mut self,
        node_id: i32,
        context: Context,
        name_of: impl Fn(Uuid) -> Option<&'t str>,
    ) -> BTreeMap<(Uuid, i32), String> {
        let Context::Incremental(id) = context else { return BTreeMap::new() };
        let Some(session) = self.sessions.get_mut(&(node_id, id)).filter(|session| session.by_id) else {
            return BTreeMap::new();
        };
        let gone = session.partitions.values_mut().filter_map(|cached| {
            if let Some(name) = name_of(cached.topic_id) {
                cached.name.get_or_insert_with(|| name.to_owned());
                return None;
            }
            Some(((cached.topic_id, cached.wanted.partition), cached.name.clone()?))
        });
        gone.collect()
    }

    /// Makes the answer one of its session: begins the session, or leaves out what the reader knows.
    pub(crate) fn close<'t>(
        &mut self,
        node_id: i32,
        context: Context,
        request: &FetchRequest,
        response: &mut FetchResponse,
        (version, now): (i16, Instant),
        name_of: impl Fn(Uuid) -> Option<&'t str>,
    ) {
        match context {
            Context::Sessionless => {}
            Context::Full => {
                response.session_id = self.begin(node_id, request, response, (version, now), name_of);
            }
            Context::Incremental(id) => {
                response.session_id = id;
                if let Some(session) = self.sessions.get_mut(&(node_id, id)) {
                    session.retain_new(&mut response.responses);
                }
            }
        }
    }

    /// A broker is gone, and its sessions with it.
    pub(crate) fn handle_broker_stopped(&mut self, node_id: i32) {
        self.sessions.retain(|(node, _), _| *node != node_id);
    }

    /// Whether there are no more of them than may be, each of a broker that runs, and each knows its partitions.
    pub(crate) fn check(&self, runs: impl Fn(i32) -> bool) -> Holds {
        let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
        for ((node_id, id), session) in &self.sessions {
            *counts.entry(*node_id).or_default() += 1;
            hold(runs(*node_id), || format!("session {id} is of broker {node_id}, which does not run"))?;
            let placed: BTreeSet<u64> = session.places.values().copied().collect();
            let is = placed.len() == session.places.len() && placed.iter().eq(session.partitions.keys());
            hold(is, || format!("the partitions of session {id} and their places"))?;
        }
        hold(counts.values().all(|count| *count <= SESSIONS_MAX), || format!("so many: {counts:?}"))
    }

    /// The id of a new session; 0 when there is no room for one.
    fn begin<'t>(
        &mut self,
        node_id: i32,
        request: &FetchRequest,
        response: &FetchResponse,
        (version, now): (i16, Instant),
        name_of: impl Fn(Uuid) -> Option<&'t str>,
    ) -> i32 {
        if !self.make_room(node_id, now) {
            return 0;
        }
        let id = loop {
            let id = self.random.i32(1..);
            if !self.sessions.contains_key(&(node_id, id)) {
                break id;
            }
        };
        let mut session = Session {
            epoch: next_epoch(INITIAL),
            by_id: version >= NAMES_BY_ID_SINCE,
            last_used: now,
            partitions: BTreeMap::new(),
            places: BTreeMap::new(),
            next_place: 0,
        };
        // In the order in which they were told: what is there before what is not.
        let mut wanted: BTreeMap<PartitionKey, &FetchPartition> = BTreeMap::new();
        for topic in &request.topics {
            let keyed = |it: &FetchPartition| key(session.by_id, &topic.topic, topic.topic_id, it.partition);
            wanted.extend(topic.partitions.iter().map(|it| (keyed(it), it)));
        }
        for topic in &response.responses {
            for said in &topic.partitions {
                let key = key(session.by_id, &topic.topic, topic.topic_id, said.partition_index);
                if let Some(wanted) = wanted.get(&key) {
                    let told = FetchTopic::default().with_topic(topic.topic.clone()).with_topic_id(topic.topic_id);
                    session.update(vec![told.with_partitions(vec![(*wanted).clone()])]);
                }
                if let Some(cached) = session.cached(topic, said.partition_index) {
                    cached.remember(said);
                    cached.name = name_of(topic.topic_id).map(str::to_owned);
                }
            }
        }
        self.sessions.insert((node_id, id), session);
        id
    }

    /// Whether there is room for one more session of this broker.
    fn make_room(&mut self, node_id: i32, now: Instant) -> bool {
        let of_node = || self.sessions.range((node_id, i32::MIN)..=(node_id, i32::MAX));
        if of_node().count() < SESSIONS_MAX {
            return true;
        }
        let oldest = of_node().min_by_key(|(_, session)| session.last_used);
        let old = oldest.filter(|(_, session)| now.saturating_duration_since(session.last_used) >= EVICTION_AGE);
        let Some(key) = old.map(|(key, _)| *key) else { return false };
        self.sessions.remove(&key);
        true
    }
}

impl Session {
    /// Adds partitions, or takes what is now wanted of those that are there.
    fn update(&mut self, topics: Vec<FetchTopic>) {
        for topic in topics {
            for wanted in topic.partitions {
                let key = key(self.by_id, &topic.topic, topic.topic_id, wanted.partition);
                let place = self.places.get(&key).copied();
                if let Some(cached) = place.and_then(|place| self.partitions.get_mut(&place)) {
                    cached.wanted = wanted;
                    continue;
                }
                let cached = Cached {
                    topic: topic.topic.0.as_str().to_owned(),
                    topic_id: topic.topic_id,
                    wanted,
                    high_watermark: -1,
                    log_start_offset: -1,
                    name: None,
                };
                self.push(key, cached);
            }
        }
    }

    fn forget(&mut self, topics: &[ForgottenTopic]) {
        for topic in topics {
            for partition in &topic.partitions {
                let key = key(self.by_id, &topic.topic, topic.topic_id, *partition);
                if let Some(place) = self.places.remove(&key) {
                    self.partitions.remove(&place);
                }
            }
        }
    }

    /// The partitions in their order; neighbours of one topic together.
    fn topics(&self) -> Vec<FetchTopic> {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for cached in self.partitions.values() {
            match topics.last_mut() {
                Some(last) if last.topic_id == cached.topic_id && last.topic.0.as_str() == cached.topic => {
                    last.partitions.push(cached.wanted.clone());
                }
                Some(_) | None => topics.push(
                    FetchTopic::default()
                        .with_topic(TopicName(StrBytes::from_string(cached.topic.clone())))
                        .with_topic_id(cached.topic_id)
                        .with_partitions(vec![cached.wanted.clone()]),
                ),
            }
        }
        topics
    }

    /// Leaves out partitions of which the reader knows all there is to know.
    fn retain_new(&mut self, topics: &mut Vec<FetchableTopicResponse>) {
        for topic in &mut *topics {
            let mut partitions = std::mem::take(&mut topic.partitions);
            partitions.retain(|said| {
                let new = self.cached(topic, said.partition_index).is_none_or(|cached| cached.is_new(said));
                if new && said.records.as_ref().is_some_and(|records| !records.is_empty()) {
                    self.move_to_end(topic, said.partition_index);
                }
                new
            });
            topic.partitions = partitions;
        }
        topics.retain(|topic| !topic.partitions.is_empty());
        // What stood between two pieces of a topic may be gone.
        topics.dedup_by(|next, before| {
            let is_same = next.topic_id == before.topic_id && next.topic == before.topic;
            if is_same {
                before.partitions.append(&mut next.partitions);
            }
            is_same
        });
    }

    fn cached(&mut self, topic: &FetchableTopicResponse, partition: i32) -> Option<&mut Cached> {
        let place = self.places.get(&key(self.by_id, &topic.topic, topic.topic_id, partition))?;
        self.partitions.get_mut(place)
    }

    fn move_to_end(&mut self, topic: &FetchableTopicResponse, partition: i32) {
        let key = key(self.by_id, &topic.topic, topic.topic_id, partition);
        if let Some(place) = self.places.remove(&key)
            && let Some(cached) = self.partitions.remove(&place)
        {
            self.push(key, cached);
        }
    }

    fn push(&mut self, key: PartitionKey, cached: Cached) {
        self.places.insert(key, self.next_place);
        self.partitions.insert(self.next_place, cached);
        self.next_place += 1;
    }
}

impl Cached {
    fn remember(&mut self, said: &PartitionData) {
        // What failed is told again as soon as it does not.
        self.high_watermark = if said.error_code == 0 { said.high_watermark } else { -1 };
        self.log_start_offset = said.log_start_offset;
    }

    /// Whether this is worth telling; it then counts as told.
    fn is_new(&mut self, said: &PartitionData) -> bool {
        let has_records = said.records.as_ref().is_some_and(|records| !records.is_empty());
        let moved = self.high_watermark != said.high_watermark || self.log_start_offset != said.log_start_offset;
        let points_elsewhere = said.preferred_read_replica.0 >= 0 || said.diverging_epoch.epoch >= 0;
        let new = has_records || moved || points_elsewhere || said.error_code != 0;
        self.remember(said);
        new
    }
}

fn key(by_id: bool, name: &TopicName, id: Uuid, partition: i32) -> PartitionKey {
    if by_id { (String::new(), id, partition) } else { (name.0.as_str().to_owned(), Uuid::nil(), partition) }
}

/// Epochs run from 1 to `i32::MAX` and begin again.
const fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}
