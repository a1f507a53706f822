//! When which broker is asked for which records, and what becomes of its reply.
//!
//! Before: [`positions`](super::positions) say from where to read, metadata says from whom. After: replies go to
//! [`fetched`](super::fetched), and the fetch offsets move on.
//!
//! Each broker has one `Fetch` under way, and the next goes out as soon as its reply is in, while the application still
//! works on what came before: one fetch ahead, always. Two limits hold it back. The budget bounds all that is buffered
//! plus all that replies under way may bring. And a partition with a whole fetch's worth buffered is left out until
//! some of that is handed out; as the broker answers the others at once then, instead of waiting for records, a reader
//! that falls behind on a busy partition never waits out the idle ones.
//!
//! A broker with nothing to send keeps a `Fetch` for half a second. A partition that is not part of it, because of a
//! seek, a resume or a new assignment, must not wait for that: it goes with an *express* `Fetch`, which the broker
//! answers at once, on another connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tidemill_protocol::ErrorCode;
use tracing::{debug, warn};
use uuid::Uuid;

use super::aborted::Aborted;
use super::config::IsolationLevel;
use super::fetched::{Chunk, Fetched};
use super::machine::Action;
use super::positions::{FetchFrom, Positions};
use super::subscription::Subscription;
use crate::cluster::Backoff;
use crate::cluster::Leader;
use crate::error::Error;
use crate::record::TopicPartition;
use session::{Said, Session};

pub(super) mod session;
#[cfg(test)]
mod tests;

/// How much is fetched at a time, and how long a broker waits for it.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) bytes_min: i32,
    pub(super) bytes_max: i32,
    pub(super) partition_bytes_max: i32,
    pub(super) wait_max: Duration,
    /// All that may be buffered or on its way, in bytes.
    pub(super) budget_bytes: usize,
    pub(super) isolation_level: IsolationLevel,
    pub(super) backoff: Backoff,
    /// Where we are: a leader may point to a replica that is nearer (KIP-392).
    pub(super) rack: Option<Arc<str>>,
    /// How long such a replica is read from before the leader is asked again.
    pub(super) nearest_age_max: Duration,
}

/// A `Fetch` request to one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) token: u64,
    pub(super) broker: i32,
    pub(super) wait_max: Duration,
    pub(super) bytes_min: i32,
    pub(super) bytes_max: i32,
    pub(super) partition_bytes_max: i32,
    pub(super) isolation_level: IsolationLevel,
    /// It goes beside one that is under way already.
    pub(super) express: bool,
    pub(super) rack: Option<Arc<str>>,
    /// In their order.
    pub(super) partitions: Vec<Wanted>,
    /// Which of them comes first on the wire: a broker fills its reply in that order.
    pub(super) first: usize,
    pub(super) said: Said,
}

/// One partition of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) partition: TopicPartition,
    pub(super) topic_id: Uuid,
    pub(super) leader_epoch: i32,
    pub(super) offset: i64,
    /// Of the leader that wrote what comes before, -1 where that is not known: a leader with another log says so.
    pub(super) last_epoch: i32,
    version: u64,
}

impl Wanted {
    /// Whether a broker that was told the one need not be told the other.
    fn says_the_same_as(&self, other: &Self) -> bool {
        let said = |it: &Self| (it.topic_id, it.leader_epoch, it.offset, it.last_epoch);
        said(self) == said(other)
    }
}

#[cfg(test)]
impl Plan {
    pub(super) fn for_tests(partitions: &[(TopicPartition, Uuid, i64)]) -> Self {
        let wanted = partitions.iter().map(|(partition, topic_id, offset)| Wanted {
            partition: partition.clone(),
            topic_id: *topic_id,
            leader_epoch: 1,
            offset: *offset,
            last_epoch: 1,
            version: 1,
        });
        Self {
            token: 1,
            broker: 0,
            wait_max: Duration::from_millis(500),
            bytes_min: 1,
            bytes_max: 1_000,
            partition_bytes_max: 100,
            isolation_level: IsolationLevel::ReadUncommitted,
            express: false,
            rack: None,
            partitions: wanted.collect(),
            first: 0,
            said: Said::alone(),
        }
    }
}

/// What a broker said about one partition of a [`Plan`].
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Which of [`Plan::partitions`].
    pub(super) index: usize,
    pub(super) code: ErrorCode,
    /// The end of what may be read at the isolation level asked for.
    pub(super) high_watermark: i64,
    /// First offset and producer of each aborted transaction.
    pub(super) aborted: Vec<(i64, i64)>,
    pub(super) records: Bytes,
    /// What follows the last whole batch of `records`; none when there is no whole batch.
    pub(super) next_offset: Option<i64>,
    /// The leader epoch of that batch.
    pub(super) last_epoch: i32,
    /// Where the log begins to be another than the one that was read.
    pub(super) diverges_at: Option<i64>,
    /// The replica to read from instead.
    pub(super) preferred_replica: Option<i32>,
}

#[cfg(test)]
impl Answer {
    /// Of a partition with nothing new.
    pub(super) fn empty(index: usize) -> Self {
        Self {
            index,
            code: ErrorCode::NONE,
            high_watermark: 100,
            aborted: Vec::new(),
            records: Bytes::new(),
            next_offset: None,
            last_epoch: -1,
            diverges_at: None,
            preferred_replica: None,
        }
    }
}

/// What a broker said: as a whole, or of each partition, and in which session.
pub(super) type Reply = Result<(Vec<Answer>, i32), ErrorCode>;

/// While a partition is left out because it is full, the others are asked for this often when they have nothing. So
/// are partitions that go by express.
const SHORT_INTERVAL_MAX: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct Broker {
    regular: Lane,
    express: Lane,
    /// Of the regular ones.
    session: Session,
    failures: u32,
    /// Not before this, after a failure.
    retry_at: Option<Instant>,
    rotation: usize,
}

/// One request at a time.
#[derive(Debug, Default)]
struct Lane {
    in_flight: Option<Arc<Plan>>,
    /// The versions of the positions it asks for.
    versions: BTreeSet<u64>,
    /// The versions of those that had nothing the last time.
    in_vain: BTreeSet<u64>,
    /// What the reply may bring, in bytes.
    reserved: usize,
    sent_at: Option<Instant>,
}

impl Broker {
    fn reserved(&self) -> usize {
        self.regular.reserved + self.express.reserved
    }

    fn lane(&mut self, express: bool) -> &mut Lane {
        if express { &mut self.express } else { &mut self.regular }
    }

    fn is_asked_for(&self, version: u64) -> bool {
        self.regular.versions.contains(&version) || self.express.versions.contains(&version)
    }
}

impl Lane {
    fn take(&mut self, token: u64) -> Option<Arc<Plan>> {
        let plan = self.in_flight.take_if(|plan| plan.token == token)?;
        self.versions.clear();
        self.reserved = 0;
        Some(plan)
    }
}

/// A partition that is left alone for a while.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    failures: u32,
    /// Newer metadata may end it.
    for_metadata: bool,
}

/// A replica that is nearer than the leader.
#[derive(Debug, Clone, Copy)]
struct Nearest {
    broker: i32,
    until: Instant,
}

/// All fetching.
#[derive(Debug)]
pub(super) struct Fetcher {
    config: Config,
    brokers: BTreeMap<i32, Broker>,
    pauses: BTreeMap<TopicPartition, Pause>,
    nearest: BTreeMap<TopicPartition, Nearest>,
    high_watermarks: BTreeMap<TopicPartition, i64>,
    errors: Vec<Error>,
    refresh: bool,
    /// Something was left out for want of room.
    blocked: bool,
    tokens: u64,
    random: fastrand::Rng,
}

/// What one broker could be asked for.
#[derive(Default)]
struct Candidates {
    wanted: Vec<Wanted>,
    /// Some open partition is left out because enough of it is buffered.
    crowded: bool,
}

impl Fetcher {
    pub(super) fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            brokers: BTreeMap::new(),
            pauses: BTreeMap::new(),
            nearest: BTreeMap::new(),
            high_watermarks: BTreeMap::new(),
            errors: Vec::new(),
            refresh: false,
            blocked: false,
            tokens: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// What the application should hear.
    pub(super) fn take_errors(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.errors)
    }

    /// Whether there is more to fetch once something is handed out.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// The end of the log that its leader told last.
    pub(super) fn high_watermark(&self, partition: &TopicPartition) -> Option<i64> {
        self.high_watermarks.get(partition).copied()
    }

    /// Another assignment holds.
    pub(super) fn handle_assignment(&mut self, positions: &Positions) {
        self.pauses.retain(|partition, _| positions.contains(partition));
        self.nearest.retain(|partition, _| positions.contains(partition));
        self.high_watermarks.retain(|partition, _| positions.contains(partition));
    }

    /// A newer view of the cluster: who waited for it goes on.
    pub(super) fn handle_metadata(&mut self, now: Instant) {
        for pause in self.pauses.values_mut().filter(|pause| pause.for_metadata) {
            pause.for_metadata = false;
            pause.until = pause.until.min(now);
        }
    }

    /// The application works on something of this partition that it could not use: leave it alone for a moment.
    pub(super) fn pause(&mut self, partition: &TopicPartition, for_metadata: bool, now: Instant) {
        let failures = self.pauses.get(partition).map_or(0, |pause| pause.failures);
        let until = now + self.config.backoff.next(failures, &mut self.random);
        self.pauses.insert(partition.clone(), Pause { until, failures: failures.saturating_add(1), for_metadata });
    }

    pub(super) fn poll(
        &mut self,
        now: Instant,
        (positions, subscription, fetched): (&Positions, &Subscription, &Fetched),
        leader_of: &dyn Fn(&TopicPartition) -> Option<Leader>,
        actions: &mut Vec<Action>,
    ) -> Option<Instant> {
        self.blocked = false;
        let mut wake_at = None;
        let mut candidates: BTreeMap<i32, Candidates> = BTreeMap::new();
        let mut leaders = BTreeSet::new();
        for partition in positions.assigned().filter(|partition| subscription.is_open(partition)) {
            let Some(FetchFrom { version, offset, epoch: last_epoch }) = positions.fetch_from(partition) else {
                continue;
            };
            if let Some(pause) = self.pauses.get(partition).filter(|pause| pause.until > now) {
                wake_at = earliest(wake_at, pause.until);
                continue;
            }
            let Some(Leader { broker, epoch, topic_id }) = leader_of(partition) else {
                self.refresh = true;
                self.pause(partition, true, now);
                wake_at = earliest(wake_at, self.pauses[partition].until);
                continue;
            };
            let broker =
                self.nearest.get(partition).filter(|nearest| nearest.until > now).map_or(broker, |it| it.broker);
            leaders.insert(broker);
            if self.brokers.get(&broker).is_some_and(|broker| broker.is_asked_for(version)) {
                continue;
            }
            let candidates = candidates.entry(broker).or_default();
            if fetched.bytes_of(partition) >= to_bytes(self.config.partition_bytes_max) {
                candidates.crowded = true;
                self.blocked = true;
            } else {
                let partition = partition.clone();
                // A leader that has not come to that epoch cannot tell; asked all the same, it would say that the offset
                // is out of range. It is so where a topic was made anew.
                let last_epoch = if last_epoch > epoch { -1 } else { last_epoch };
                candidates.wanted.push(Wanted {
                    partition,
                    topic_id,
                    leader_epoch: epoch,
                    offset,
                    last_epoch,
                    version,
                });
            }
        }
        for (broker, candidates) in candidates {
            let plan = match self.plan(broker, candidates, leaders.len(), fetched.bytes(), now) {
                Ok(Some(plan)) => plan,
                Ok(None) => continue,
                Err(later) => {
                    wake_at = earliest(wake_at, later);
                    continue;
                }
            };
            actions.push(Action::Fetch(plan));
        }
        if std::mem::take(&mut self.refresh) {
            actions.push(Action::RefreshMetadata);
        }
        wake_at
    }

    /// The request for one broker; none while it has to wait for room, an error when it has to wait for the time.
    fn plan(
        &mut self,
        id: i32,
        candidates: Candidates,
        leaders: usize,
        buffered_bytes: usize,
        now: Instant,
    ) -> Result<Option<Arc<Plan>>, Instant> {
        let Candidates { wanted, crowded } = candidates;
        if wanted.is_empty() {
            return Ok(None);
        }
        let reserved_bytes: usize = self.brokers.values().map(Broker::reserved).sum();
        let used_bytes = buffered_bytes + reserved_bytes;
        let broker = self.brokers.entry(id).or_default();
        if let Some(retry_at) = broker.retry_at.filter(|retry_at| *retry_at > now) {
            return Err(retry_at);
        }
        let express = broker.regular.in_flight.is_some();
        if broker.express.in_flight.is_some() {
            return Ok(None); // afterwards they go together again
        }
        let short = express || crowded;
        let lane = broker.lane(express);
        let all_in_vain = wanted.iter().all(|wanted| lane.in_vain.contains(&wanted.version));
        if short
            && all_in_vain
            && let Some(sent_at) = lane.sent_at
        {
            let again_at = sent_at + self.config.wait_max.min(SHORT_INTERVAL_MAX);
            if again_at > now {
                return Err(again_at);
            }
        }
        let partition_bytes = to_bytes(self.config.partition_bytes_max);
        let share_bytes = self.config.budget_bytes / leaders.max(1);
        let left_bytes = self.config.budget_bytes.saturating_sub(used_bytes);
        let wish_bytes = to_bytes(self.config.bytes_max).min(wanted.len().saturating_mul(partition_bytes));
        let bytes = wish_bytes.min(share_bytes).min(left_bytes);
        // A budget below one partition's fetch must not stop everything: then it is one fetch at a time.
        let bytes = if bytes < partition_bytes.min(wish_bytes) {
            if used_bytes > 0 {
                self.blocked = true;
                return Ok(None);
            }
            partition_bytes.min(wish_bytes)
        } else {
            bytes
        };
        // Each time another partition is the first; within a session the broker sees to that.
        let first = broker.rotation % wanted.len();
        broker.rotation = broker.rotation.wrapping_add(1);
        broker.retry_at = None;
        self.tokens += 1;
        let plan = Arc::new(Plan {
            token: self.tokens,
            broker: id,
            wait_max: if short { Duration::ZERO } else { self.config.wait_max },
            bytes_min: self.config.bytes_min,
            bytes_max: i32::try_from(bytes).unwrap_or(i32::MAX),
            partition_bytes_max: self.config.partition_bytes_max,
            isolation_level: self.config.isolation_level,
            express,
            rack: self.config.rack.clone(),
            said: if express { Said::alone() } else { broker.session.say(&wanted) },
            partitions: wanted,
            first,
        });
        *broker.lane(express) = Lane {
            versions: plan.partitions.iter().map(|wanted| wanted.version).collect(),
            in_flight: Some(plan.clone()),
            reserved: bytes,
            sent_at: Some(now),
            in_vain: BTreeSet::new(),
        };
        Ok(Some(plan))
    }

    /// What the broker said, or that it said nothing.
    pub(super) fn handle_reply(
        &mut self,
        (id, token): (i32, u64),
        reply: Result<Reply, Error>,
        (positions, fetched): (&mut Positions, &mut Fetched),
        now: Instant,
    ) {
        let Some(broker) = self.brokers.get_mut(&id) else { return };
        let Some(plan) = broker.regular.take(token).or_else(|| broker.express.take(token)) else { return };
        let answers = match reply {
            Ok(Ok((answers, session_id))) => {
                if !plan.express {
                    broker.session.on_reply(session_id);
                }
                answers
            }
            // A broker that was restarted, or has many readers: the next fetch says all.
            Ok(Err(code)) if session::is_over(code) && broker.failures == 0 => {
                debug!(broker = id, %code, "the fetch session is over");
                broker.failures = 1;
                broker.session.on_failure();
                return;
            }
            Ok(Err(code)) => return self.on_failure(id, Error::broker("fetching records", code), now),
            Err(error) => return self.on_failure(id, error, now),
        };
        broker.failures = 0;
        let mut in_vain: BTreeSet<u64> = plan.partitions.iter().map(|wanted| wanted.version).collect();
        for answer in answers.iter().filter(|answer| !answer.records.is_empty()) {
            plan.partitions.get(answer.index).map(|wanted| in_vain.remove(&wanted.version));
        }
        broker.lane(plan.express).in_vain = in_vain;
        for answer in answers {
            let Some(wanted) = plan.partitions.get(answer.index) else { continue };
            if !positions.is_current(&wanted.partition, wanted.version) {
                continue;
            }
            if !answer.code.is_none() {
                self.on_partition_error(plan.broker, wanted, answer.code, positions, now);
            } else if let Some(end_offset) = answer.diverges_at {
                positions.on_diverging(&wanted.partition, wanted.version, end_offset);
            } else {
                self.on_records(plan.broker, wanted, answer, (positions, fetched), now);
            }
        }
    }

    fn on_records(
        &mut self,
        broker: i32,
        wanted: &Wanted,
        answer: Answer,
        (positions, fetched): (&mut Positions, &mut Fetched),
        now: Instant,
    ) {
        let partition = &wanted.partition;
        self.pauses.remove(partition);
        if let Some(nearest) = answer.preferred_replica.filter(|nearest| *nearest != broker) {
            debug!(%partition, replica = nearest, "reading from a replica that is nearer than the leader");
            let until = now + self.config.nearest_age_max;
            self.nearest.insert(partition.clone(), Nearest { broker: nearest, until });
        }
        self.high_watermarks.insert(partition.clone(), answer.high_watermark);
        if answer.records.is_empty() {
            return;
        }
        let next_offset = answer.next_offset.unwrap_or(wanted.offset).max(wanted.offset);
        positions.on_fetched(partition, wanted.version, next_offset, answer.last_epoch);
        fetched.push(Chunk {
            partition: partition.clone(),
            version: wanted.version,
            from_offset: wanted.offset,
            records: answer.records,
            high_watermark: answer.high_watermark,
            aborted: match self.config.isolation_level {
                IsolationLevel::ReadUncommitted => None,
                IsolationLevel::ReadCommitted => Some(Aborted::new(answer.aborted)),
            },
        });
    }

    fn on_partition_error(
        &mut self,
        broker: i32,
        wanted: &Wanted,
        code: ErrorCode,
        positions: &mut Positions,
        now: Instant,
    ) {
        let partition = &wanted.partition;
        if self.nearest.remove(partition).is_some_and(|nearest| nearest.broker == broker) {
            debug!(%partition, %code, "back to the leader: a replica cannot serve us");
            return self.pause(partition, false, now);
        }
        if code == ErrorCode::OFFSET_OUT_OF_RANGE {
            if positions.on_out_of_range(partition, wanted.version, wanted.offset) {
                self.pause(partition, false, now);
            }
            return;
        }
        let stale = code.refreshes_metadata()
            || matches!(code, ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::UNKNOWN_LEADER_EPOCH);
        if stale {
            debug!(%partition, %code, "the leader is not where we thought, or not ready");
            self.refresh = true;
        } else if code.is_retriable() || code == ErrorCode::OFFSET_NOT_AVAILABLE {
            debug!(%partition, %code, "fetching again");
        } else {
            self.errors.push(Error::broker("fetching records", code).with_partition(partition.clone()));
        }
        self.pause(partition, stale, now);
    }

    /// Nothing came from this broker. Others are not held up by it.
    fn on_failure(&mut self, id: i32, error: Error, now: Instant) {
        let Some(broker) = self.brokers.get_mut(&id) else { return };
        warn!(broker = id, %error, "fetching failed");
        broker.session.on_failure();
        broker.retry_at = Some(now + self.config.backoff.next(broker.failures, &mut self.random));
        broker.failures = broker.failures.saturating_add(1);
        self.refresh = true;
        self.nearest.retain(|_, nearest| nearest.broker != id);
        if !error.is_retriable() {
            self.errors.push(error);
        }
    }
}

fn earliest(wake_at: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(wake_at.map_or(other, |wake_at| wake_at.min(other)))
}

/// A size that the configuration keeps above zero.
fn to_bytes(size: i32) -> usize {
    usize::try_from(size).unwrap_or(0)
}
