//! `Fetch` 4-18 (KIP-74, KIP-227, KIP-320, KIP-392, KIP-516): what lies at an offset, or, when there is too little, a wait.
//!
//! Since version 11 every replica may be read from; the leader sends readers that say their rack to a replica there if the
//! cluster is set up so. The last batch is cut where there is no more room. Followers do not fetch: who says it is one
//! reads the log to its end, and nothing is learnt of what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use tidemill_protocol::messages::{BrokerId, FetchRequest, FetchResponse, ProducerId};
use tokio::time::Instant;

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::fetch_sessions::Context;
use crate::broker::partition::{Partition, Replica};
use crate::broker::topics::Topic;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(4, 18);

/// Since this version replicas that follow may be read from (KIP-392).
const READS_FROM_FOLLOWERS_SINCE: i16 = 11;

/// Since this version an answer says where leaders are.
const SAYS_LEADER_SINCE: i16 = 16;

/// Since this version a replica says who it is in another place.
const HAS_REPLICA_STATE_SINCE: i16 = 15;

/// Since this version topics are named by their ids.
const NAMES_BY_ID_SINCE: i16 = 13;

/// `fetch.max.bytes` of the broker.
const FETCH_BYTES_MAX: usize = 55 * 1024 * 1024;

/// A fetch that waits.
#[derive(Debug)]
pub(in crate::broker) struct WaitingFetch {
    body: FetchRequest,
    version: i16,
    /// The broker that is asked.
    node_id: i32,
    context: Context,
    /// The topics, by name and id, that may not be read.
    denied: BTreeSet<(String, uuid::Uuid)>,
    /// The partitions that are gone, and the name that the session still knows of their topic.
    gone: BTreeMap<(uuid::Uuid, i32), String>,
}

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let mut body: FetchRequest = request.decode()?;
    let (isolation, asked, asked_session) = (body.isolation_level, body.topics.clone(), body.session_id);
    body.topics = once_each(body.topics);
    let (version, node_id) = (request.version, request.caller.node_id);
    let context = match cluster.fetch_sessions.open(node_id, &mut body, version, request.now) {
        Ok(context) => context,
        Err(code) => return request.reply::<FetchRequest>(&FetchResponse::default().with_error_code(code.0)),
    };
    let topics = &cluster.topics;
    let gone = cluster.fetch_sessions.gone(node_id, context, |id| Some(topics.by_id(id)?.name.0.as_str()));
    let mut waiting = WaitingFetch { body, version, node_id, context, denied: BTreeSet::new(), gone };
    let is_replica = waiting.replica().is_some();
    let may_replicate = !is_replica || request.may(cluster, Operation::ClusterAction, Resource::Cluster);
    for topic in &waiting.body.topics {
        if is_replica {
            if !may_replicate {
                waiting.denied.insert(((*topic.topic.0).to_owned(), topic.topic_id));
            }
            continue;
        }
        let found = request.topic(cluster, Operation::Read, &topic.topic.0, waiting.id(topic));
        if let Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED) = found {
            waiting.denied.insert(((*topic.topic.0).to_owned(), topic.topic_id));
        }
    }
    if !(0..=1).contains(&isolation) && reads_something(cluster, &waiting) {
        return request.reply::<FetchRequest>(&failed_altogether(asked, asked_session, version));
    }
    let wait = Duration::from_millis(u64::try_from(waiting.body.max_wait_ms).unwrap_or(0));
    if wait.is_zero() || waiting.body.topics.is_empty() || is_ready(cluster, &waiting) {
        return request.reply::<FetchRequest>(&respond(cluster, &waiting, request.now));
    }
    let mut watched = Vec::new();
    for topic in &waiting.body.topics {
        if let Ok(found) = waiting.topic(cluster, topic) {
            watched.extend(topic.partitions.iter().map(|partition| (found.id, partition.partition)));
        }
    }
    cluster.fetches.wait(request.caller.token, waiting, watched, request.now + wait);
    Ok(Outcome::Waits)
}

/// Whether any partition is there and may be read.
fn reads_something(cluster: &Cluster, waiting: &WaitingFetch) -> bool {
    let is_there = |topic: &FetchTopic| {
        let known = waiting.topic(cluster, topic);
        known.is_ok_and(|known| topic.partitions.iter().any(|wanted| known.partition(wanted.partition).is_ok()))
    };
    waiting.body.topics.iter().any(is_there)
}

/// Over an isolation level that there is not, Kafka fails as a whole, once it comes to read.
fn failed_altogether(asked: Vec<FetchTopic>, session_id: i32, version: i16) -> FetchResponse {
    let code = ErrorCode::UNKNOWN_SERVER_ERROR;
    let response = FetchResponse::default().with_error_code(code.0).with_session_id(session_id);
    if version >= NAMES_BY_ID_SINCE {
        return response;
    }
    let topics = asked.into_iter().map(|topic| {
        let partition = |wanted: &FetchPartition| {
            let data = failed(code).with_aborted_transactions(Some(Vec::new()));
            data.with_partition_index(wanted.partition)
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        FetchableTopicResponse::default().with_topic(topic.topic).with_partitions(partitions)
    });
    response.with_responses(topics.collect())
}

/// A partition that stands there several times is read once: where it stands first, as it is asked for last.
fn once_each(topics: Vec<FetchTopic>) -> Vec<FetchTopic> {
    let mut last: BTreeMap<(String, uuid::Uuid, i32), FetchPartition> = BTreeMap::new();
    let key = |topic: &FetchTopic, partition: i32| (topic.topic.0.to_string(), topic.topic_id, partition);
    for topic in &topics {
        last.extend(topic.partitions.iter().map(|it| (key(topic, it.partition), it.clone())));
    }
    let once = topics.into_iter().filter_map(|mut topic| {
        let asked = std::mem::take(&mut topic.partitions);
        topic.partitions = asked.iter().filter_map(|it| last.remove(&key(&topic, it.partition))).collect();
        (!topic.partitions.is_empty()).then_some(topic)
    });
    once.collect()
}

/// Answers the fetches that have enough, or have waited long enough; says when the next will have.
pub(in crate::broker) fn poll(cluster: &mut Cluster, now: Instant) -> Option<Instant> {
    for token in cluster.fetches.take_touched() {
        if cluster.fetches.get(token).is_some_and(|waiting| is_ready(cluster, waiting)) {
            answer(cluster, token, now);
        }
    }
    while let Some(token) = cluster.fetches.expired(now) {
        answer(cluster, token, now);
    }
    cluster.fetches.next_deadline()
}

/// One that has enough, and waits nevertheless.
pub(in crate::broker) fn ready(cluster: &Cluster) -> Option<crate::broker::Token> {
    let is_ready = |token: &_| cluster.fetches.get(*token).is_some_and(|waiting| is_ready(cluster, waiting));
    cluster.fetches.tokens().find(is_ready)
}

fn answer(cluster: &mut Cluster, token: crate::broker::Token, now: Instant) {
    if let Some(waiting) = cluster.fetches.remove(token) {
        let response = respond(cluster, &waiting, now);
        cluster.complete::<FetchRequest>(token, &response, now);
    }
}

/// The answer as its session has it.
fn respond(cluster: &mut Cluster, waiting: &WaitingFetch, now: Instant) -> FetchResponse {
    let mut response = read(cluster, waiting);
    let WaitingFetch { body, version, node_id, context, .. } = waiting;
    let Cluster { fetch_sessions, topics, .. } = cluster;
    let now = (*version, now);
    fetch_sessions.close(*node_id, *context, body, &mut response, now, |id| Some(topics.by_id(id)?.name.0.as_str()));
    // Kafka stumbles over whatever stands behind a topic that has neither a name nor an id.
    let has_nothing = |topic: &FetchableTopicResponse| topic.topic_id.is_nil() && *version >= NAMES_BY_ID_SINCE;
    let last = response.responses.split_last();
    if last
        .is_some_and(|(last, before)| before.iter().any(has_nothing) || has_nothing(last) && last.partitions.len() > 1)
    {
        return failed_altogether(Vec::new(), body.session_id, *version);
    }
    response
}

impl WaitingFetch {
    fn id(&self, topic: &FetchTopic) -> Option<uuid::Uuid> {
        (self.version >= NAMES_BY_ID_SINCE).then_some(topic.topic_id)
    }

    fn topic<'c>(&self, cluster: &'c Cluster, topic: &FetchTopic) -> Result<&'c Topic, ErrorCode> {
        if !self.denied.is_empty() && self.denied.contains(&((*topic.topic.0).to_owned(), topic.topic_id)) {
            return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        }
        cluster.topics.find(&topic.topic.0, self.id(topic))
    }

    /// The broker that says it copies the partitions, if one does.
    fn replica(&self) -> Option<i32> {
        let state = self.version >= HAS_REPLICA_STATE_SINCE;
        let id = if state { self.body.replica_state.replica_id.0 } else { self.body.replica_id.0 };
        (id >= 0).then_some(id)
    }

    /// Whether only what is decided is read (KIP-98).
    fn is_committed(&self) -> bool {
        self.body.isolation_level == 1 && self.replica().is_none()
    }

    /// The end of what is read of a partition.
    fn end_offset(&self, partition: &Partition) -> i64 {
        if self.replica().is_some() {
            return partition.log.end_offset();
        }
        let end = readable_end(partition, self.node_id);
        if self.is_committed() { end.min(partition.last_stable_offset()) } else { end }
    }

    fn bytes_max(&self) -> usize {
        bytes(self.body.max_bytes).min(FETCH_BYTES_MAX)
    }
}

/// Whether there is enough to answer, or something is wrong, which is not waited for.
fn is_ready(cluster: &Cluster, waiting: &WaitingFetch) -> bool {
    let enough = bytes(waiting.body.min_bytes).min(waiting.bytes_max()) as u64;
    let mut found = 0_u64;
    for topic in &waiting.body.topics {
        let Ok(known) = waiting.topic(cluster, topic) else { return true };
        for wanted in &topic.partitions {
            let Ok(partition) = known.partition(wanted.partition) else { return true };
            if check(partition, waiting, wanted).is_err() || preferred(cluster, partition, waiting, wanted).is_some() {
                return true;
            }
            let there = partition.log.bytes_between(wanted.fetch_offset, waiting.end_offset(partition));
            found = found.saturating_add(there.min(bytes(wanted.partition_max_bytes) as u64));
        }
    }
    found >= enough
}

/// Why a partition is answered without records.
enum Failure {
    Code(ErrorCode),
    /// The reader has records of an epoch that ended earlier here (KIP-595).
    Diverging(EpochEndOffset),
}

fn check(partition: &Partition, waiting: &WaitingFetch, wanted: &FetchPartition) -> Result<(), Failure> {
    let node_id = waiting.node_id;
    let reader = partition.check_replica(node_id, wanted.current_leader_epoch.max(-1)).map_err(Failure::Code)?;
    let copies = waiting.replica();
    if reader == Replica::Follower && (waiting.version < READS_FROM_FOLLOWERS_SINCE || copies.is_some()) {
        return Err(Failure::Code(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    }
    if copies.is_some_and(|id| id == node_id || !partition.replicas.contains(&id)) {
        let says_epoch = wanted.current_leader_epoch >= 0;
        let code = if says_epoch { ErrorCode::UNKNOWN_LEADER_EPOCH } else { ErrorCode::NOT_LEADER_OR_FOLLOWER };
        return Err(Failure::Code(code));
    }
    let readable = partition.log.start_offset()..=partition.end_of(node_id);
    if wanted.last_fetched_epoch > partition.leader_epoch {
        return Err(Failure::Code(ErrorCode::OFFSET_OUT_OF_RANGE));
    }
    if wanted.last_fetched_epoch >= 0 {
        let (epoch, end) = partition
            .log
            .end_of_epoch(wanted.last_fetched_epoch)
            .ok_or(Failure::Code(ErrorCode::OFFSET_OUT_OF_RANGE))?;
        if epoch < wanted.last_fetched_epoch || end < wanted.fetch_offset {
            return Err(Failure::Diverging(EpochEndOffset::default().with_epoch(epoch).with_end_offset(end)));
        }
    }
    if readable.contains(&wanted.fetch_offset) { Ok(()) } else { Err(Failure::Code(ErrorCode::OFFSET_OUT_OF_RANGE)) }
}

/// Where the reader of this replica has to stop: a follower knows no more than it has copied.
fn readable_end(partition: &Partition, node_id: i32) -> i64 {
    partition.high_watermark().min(partition.end_of(node_id))
}

/// The replica that the leader sends a reader to, if there is one in its rack and none better (KIP-392): it has what is
/// asked for, and most of what follows.
fn preferred(cluster: &Cluster, partition: &Partition, waiting: &WaitingFetch, wanted: &FetchPartition) -> Option<i32> {
    let rack = waiting.body.rack_id.as_str();
    if waiting.replica().is_some()
        || !cluster.config.rack_aware_fetch
        || rack.is_empty()
        || partition.leader != Some(waiting.node_id)
    {
        return None;
    }
    let is_near =
        |id: i32| cluster.nodes.get(id).is_some_and(|node| node.running && node.config.rack.as_deref() == Some(rack));
    if is_near(waiting.node_id) {
        return None;
    }
    let near =
        partition.replicas.iter().copied().filter(|id| is_near(*id) && partition.end_of(*id) >= wanted.fetch_offset);
    near.max_by_key(|id| partition.end_of(*id))
}

/// The answer, as full as it may be. The first batch found is sent however large it is (KIP-74).
fn read(cluster: &Cluster, waiting: &WaitingFetch) -> FetchResponse {
    let mut room = waiting.bytes_max();
    let mut first_always = true;
    let mut is_first = true;
    let mut responses = Vec::with_capacity(waiting.body.topics.len());
    // What there is not is told last, as in Kafka.
    let mut missing = Vec::new();
    for topic in &waiting.body.topics {
        let known = waiting.topic(cluster, topic);
        for wanted in &topic.partitions {
            let partition = match known.and_then(|known| known.partition(wanted.partition)) {
                Ok(partition) => partition,
                Err(code) => {
                    let name = waiting.gone.get(&(topic.topic_id, wanted.partition));
                    // By that name there may be another topic now.
                    if name.is_some_and(|name| cluster.topics.has(name, wanted.partition)) {
                        let data = failed(ErrorCode::INCONSISTENT_TOPIC_ID);
                        push(&mut responses, topic, data.with_partition_index(wanted.partition));
                        continue;
                    }
                    let code = if name.is_some() { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION } else { code };
                    missing.push((topic, wanted.partition, code));
                    continue;
                }
            };
            let limit = room.min(bytes(wanted.partition_max_bytes));
            let is_negative = wanted.partition_max_bytes < 0 || (is_first && waiting.body.max_bytes < 0);
            is_first = false;
            // Kafka fails over a limit below zero where there is something to read.
            let fails = is_negative
                && check(partition, waiting, wanted).is_ok()
                && preferred(cluster, partition, waiting, wanted).is_none()
                && wanted.fetch_offset < waiting.end_offset(partition);
            let data = if fails {
                failed(ErrorCode::UNKNOWN_SERVER_ERROR)
            } else {
                read_partition(cluster, waiting, partition, wanted, limit, first_always)
            };
            if let Some(records) = data.records.as_ref().filter(|records| !records.is_empty()) {
                first_always = false;
                room = room.saturating_sub(records.len());
            }
            push(&mut responses, topic, data.with_partition_index(wanted.partition));
        }
    }
    // In a reader's request ids that nobody knows are found before it is looked whether all else is there.
    if waiting.replica().is_none() {
        missing.sort_by_key(|(.., code)| *code != ErrorCode::UNKNOWN_TOPIC_ID);
    }
    for (topic, number, code) in missing {
        let data = failed(code).with_aborted_transactions(Some(Vec::new()));
        push(&mut responses, topic, data.with_partition_index(number));
    }
    FetchResponse::default().with_node_endpoints(endpoints(cluster, waiting, &responses)).with_responses(responses)
}

/// Adds a partition to the answer; neighbours of one topic stand together.
fn push(responses: &mut Vec<FetchableTopicResponse>, topic: &FetchTopic, data: PartitionData) {
    match responses.last_mut() {
        Some(last) if last.topic == topic.topic && last.topic_id == topic.topic_id => last.partitions.push(data),
        Some(_) | None => responses.push(
            FetchableTopicResponse::default()
                .with_topic(topic.topic.clone())
                .with_topic_id(topic.topic_id)
                .with_partitions(vec![data]),
        ),
    }
}

/// Where the leaders are that were told of (KIP-951).
fn endpoints(cluster: &Cluster, waiting: &WaitingFetch, responses: &[FetchableTopicResponse]) -> Vec<NodeEndpoint> {
    if waiting.version < SAYS_LEADER_SINCE {
        return Vec::new();
    }
    let told = responses.iter().flat_map(|topic| &topic.partitions).map(|it| it.current_leader.leader_id.0);
    let leaders: BTreeSet<i32> = told.collect();
    let endpoints = leaders.into_iter().filter_map(|id| cluster.nodes.get(id)).map(|node| {
        NodeEndpoint::default()
            .with_node_id(BrokerId(node.config.node_id))
            .with_host(text(&node.config.host))
            .with_port(i32::from(node.config.port))
            .with_rack(node.config.rack.as_deref().map(text))
    });
    endpoints.collect()
}

fn read_partition(
    cluster: &Cluster,
    waiting: &WaitingFetch,
    partition: &Partition,
    wanted: &FetchPartition,
    limit: usize,
    first_always: bool,
) -> PartitionData {
    let committed = waiting.is_committed();
    let log = &partition.log;
    let data = PartitionData::default()
        .with_high_watermark(readable_end(partition, waiting.node_id))
        .with_last_stable_offset(partition.last_stable_offset())
        .with_log_start_offset(log.start_offset())
        .with_aborted_transactions(committed.then(Vec::new));
    match check(partition, waiting, wanted) {
        Ok(()) if let Some(replica) = preferred(cluster, partition, waiting, wanted) => {
            data.with_preferred_read_replica(BrokerId(replica)).with_records(Some(Bytes::new()))
        }
        Ok(()) => {
            let (offset, end_offset) = (wanted.fetch_offset, waiting.end_offset(partition));
            let records = log.read(offset, end_offset, limit, first_always);
            let bytes = usize::try_from(log.bytes_between(offset, end_offset)).unwrap_or(usize::MAX).min(limit);
            let aborted = || aborted(partition, offset, bytes.max(records.len()));
            let aborted = (committed && offset < end_offset).then(aborted);
            let aborted = aborted.or_else(|| committed.then(Vec::new));
            // As in Kafka nothing is said of transactions where there is no room for a whole batch.
            let is_cut = records.is_empty() && offset < end_offset && limit > 0;
            let data = data.with_aborted_transactions(aborted.filter(|_| !is_cut));
            data.with_records(Some(records))
        }
        Err(Failure::Diverging(end)) => data.with_diverging_epoch(end).with_aborted_transactions(None),
        Err(Failure::Code(code)) => {
            // Who is behind is told who leads now (KIP-951).
            let leader = match code {
                ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::NOT_LEADER_OR_FOLLOWER
                    if waiting.version >= SAYS_LEADER_SINCE =>
                {
                    LeaderIdAndEpoch::default()
                        .with_leader_id(BrokerId(partition.leader.unwrap_or(-1)))
                        .with_leader_epoch(partition.leader_epoch)
                }
                _ => LeaderIdAndEpoch::default(),
            };
            failed(code).with_current_leader(leader)
        }
    }
}

/// The aborted transactions in what was read.
fn aborted(partition: &Partition, offset: i64, bytes: usize) -> Vec<AbortedTransaction> {
    let found = partition.producers.aborted(offset, partition.log.upper_bound(offset, bytes));
    let aborted = found.into_iter().map(|aborted| {
        AbortedTransaction::default()
            .with_producer_id(ProducerId(aborted.producer_id))
            .with_first_offset(aborted.first_offset)
    });
    aborted.collect()
}

fn failed(code: ErrorCode) -> PartitionData {
    PartitionData::default()
        .with_error_code(code.0)
        .with_high_watermark(-1)
        .with_aborted_transactions(None)
        .with_records(Some(Bytes::new()))
}

fn bytes(limit: i32) -> usize {
    usize::try_from(limit).unwrap_or(0)
}
