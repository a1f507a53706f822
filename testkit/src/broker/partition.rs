//! One partition: its log, who has copies of it, and who leads.
//!
//! There is one log, the leader's; of every other replica it is known how far it has copied. A replica that runs and follows
//! copies at once, and the high watermark is what all replicas in sync have. When another replica becomes leader the log
//! ends where that replica had come to, as it does in Kafka once everybody has followed the new leader.
//! [`replication`](super::replication) decides who leads.

mod invariants;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::records::control::{self, Marker};
use tidemill_protocol::records::{RecordBatch, RecordBatches};

use super::log::{Appended, Log};
use super::producer_state::{EndMarker, ProducerState};
use super::topic_config::TopicConfig;

/// What a client says that knows of no leader epoch.
const UNKNOWN_LEADER_EPOCH: i32 = -1;

/// One partition.
#[derive(Debug)]
pub(crate) struct Partition {
    /// None while no replica can lead.
    pub(crate) leader: Option<i32>,
    pub(crate) leader_epoch: i32,
    /// Counts the changes of leader and in-sync replicas.
    pub(crate) partition_epoch: i32,
    /// Who has a copy; the preferred leader first.
    pub(crate) replicas: Vec<i32>,
    /// Whose copies there are to be, while they are moved.
    pub(crate) moves_to: Option<Vec<i32>>,
    /// Who is in sync, in the order of the replicas.
    pub(crate) in_sync: Vec<i32>,
    pub(crate) log: Log,
    pub(crate) producers: ProducerState,
    /// How often records were given up that all in sync had: by an unclean election, or with the disk of the last of them.
    pub(super) losses: u32,
    /// The replicas before a move began.
    pub(super) held_before: Vec<i32>,
    /// Where the copy of each replica ends; the leader's is the end of the log.
    ends: Vec<i64>,
    high_watermark: i64,
}

/// What a broker is to a partition that it has a copy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replica {
    Leader,
    Follower,
}

impl Partition {
    /// An empty partition with these replicas, all in sync, led by the first that can.
    pub(crate) fn new(replicas: Vec<i32>) -> Self {
        let leader_epoch = 0;
        Self {
            leader: replicas.first().copied(),
            leader_epoch,
            partition_epoch: 0,
            moves_to: None,
            in_sync: replicas.clone(),
            held_before: Vec::new(),
            ends: vec![0; replicas.len()],
            replicas,
            log: Log::new(leader_epoch),
            producers: ProducerState::default(),
            losses: 0,
            high_watermark: 0,
        }
    }

    /// A new partition is led by the first replica that runs, and those that do not are not in sync. Where none does, it
    /// waits for the first.
    pub(super) fn begin(&mut self, runs: impl Fn(i32) -> bool) {
        let running: Vec<i32> = self.replicas.iter().copied().filter(|id| runs(*id)).collect();
        self.leader = running.first().copied();
        if running.is_empty() {
            self.in_sync.truncate(1);
        } else {
            self.in_sync = running;
        }
    }

    /// Takes over a log that was kept: all replicas in sync have all of it.
    pub(super) fn start_with(&mut self, log: Log) {
        let (start, end) = (log.start_offset(), log.end_offset());
        let end_of = |id: &i32| if self.in_sync.contains(id) { end } else { start };
        self.ends = self.replicas.iter().map(end_of).collect();
        self.high_watermark = end;
        self.log = log;
    }

    /// The end of what may be read: all replicas in sync have it.
    pub(crate) const fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// The end of what a reader of committed records may read: the first offset of a transaction that is open.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.producers.last_stable_offset(self.log.start_offset(), self.high_watermark)
    }

    /// Appends a checked batch, and remembers it if its producer is known by an id.
    pub(crate) fn append(&mut self, batch: &RecordBatch, config: &TopicConfig, unix_ms: i64) -> Appended {
        let appended = self.log.append(batch, self.leader_epoch, config, unix_ms);
        self.log.retain_bytes(config, self.high_watermark);
        if batch.header().producer_id >= 0 {
            self.producers.record(batch.header(), appended);
        }
        self.producers.forget_before(self.log.start_offset());
        appended
    }

    /// Compacts the log if it is dirty enough.
    pub(crate) fn clean(&mut self, config: &TopicConfig, unix_ms: i64) {
        let last_stable_offset = self.last_stable_offset();
        if let Some(cleaned) = self.log.clean(config, &self.producers, last_stable_offset, unix_ms) {
            self.producers.retain_aborted(cleaned.end_offset, |aborted| cleaned.has_records_of(aborted));
        }
    }

    /// Removes what has become too old or too much.
    pub(crate) fn retain(&mut self, config: &TopicConfig, unix_ms: i64) {
        self.log.retain_time(config, self.high_watermark, unix_ms);
        self.log.retain_bytes(config, self.high_watermark);
        self.producers.forget_before(self.log.start_offset());
    }

    /// Ends a transaction here; the offset of the marker.
    pub(crate) fn append_marker(
        &mut self,
        end: &EndMarker,
        config: &TopicConfig,
        unix_ms: i64,
    ) -> Result<i64, ErrorCode> {
        self.producers.check_marker(end)?;
        let marker = if end.committed { Marker::COMMIT } else { Marker::ABORT };
        let built = control::build(marker, end.producer_id, end.producer_epoch, end.coordinator_epoch, unix_ms);
        let batch = RecordBatches::new(built).next().and_then(Result::ok).ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
        let appended = self.log.append(&batch, self.leader_epoch, config, unix_ms);
        self.log.retain_bytes(config, self.high_watermark);
        self.producers.record_marker(end, appended.base_offset, unix_ms, self.high_watermark);
        self.producers.forget_before(self.log.start_offset());
        Ok(appended.base_offset)
    }

    /// Whether this broker is the one to ask, and a client that knows this leader epoch is up to date (KIP-320). -1 does
    /// not say.
    pub(crate) fn check_leader(&self, node_id: i32, known_epoch: i32) -> Result<(), ErrorCode> {
        match self.check_replica(node_id, known_epoch)? {
            Replica::Leader => Ok(()),
            Replica::Follower => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        }
    }

    /// Whether this broker has a copy, and a client that knows this leader epoch is up to date.
    pub(crate) fn check_replica(&self, node_id: i32, known_epoch: i32) -> Result<Replica, ErrorCode> {
        if !self.replicas.contains(&node_id) {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        self.check_leader_epoch(known_epoch)?;
        Ok(if self.leader == Some(node_id) { Replica::Leader } else { Replica::Follower })
    }

    /// Whether a client that knows this leader epoch is up to date.
    pub(crate) const fn check_leader_epoch(&self, known: i32) -> Result<(), ErrorCode> {
        if known == UNKNOWN_LEADER_EPOCH || known == self.leader_epoch {
            Ok(())
        } else if known < self.leader_epoch {
            Err(ErrorCode::FENCED_LEADER_EPOCH)
        } else {
            Err(ErrorCode::UNKNOWN_LEADER_EPOCH)
        }
    }

    /// How far a replica has copied the log.
    pub(crate) fn end_of(&self, node_id: i32) -> i64 {
        if self.leader == Some(node_id) {
            return self.log.end_offset();
        }
        let at = self.replicas.iter().position(|replica| *replica == node_id);
        at.and_then(|at| self.ends.get(at)).copied().unwrap_or_default()
    }

    /// Lets every replica that follows copy all there is, and moves the high watermark. Whether it moved.
    pub(crate) fn replicate(&mut self, follows: impl Fn(i32) -> bool) -> bool {
        let Some(leader) = self.leader else { return false };
        let log_end = self.log.end_offset();
        for (replica, end) in self.replicas.iter().zip(&mut self.ends) {
            if *replica == leader || follows(*replica) {
                *end = log_end;
            }
        }
        self.advance()
    }

    /// Moves the high watermark to what all replicas in sync have. Whether it moved.
    pub(crate) fn advance(&mut self) -> bool {
        let common = self.in_sync.iter().map(|replica| self.end_of(*replica)).min();
        let reached = common.unwrap_or(self.high_watermark).max(self.high_watermark);
        std::mem::replace(&mut self.high_watermark, reached) != reached
    }

    /// Makes a replica the leader, or nobody; what it had not copied is lost. The epochs count it.
    pub(crate) fn lead(&mut self, leader: Option<i32>) {
        if let Some(new) = leader {
            let end = self.end_of(new);
            if end < self.log.end_offset() {
                self.truncate(end);
            }
        } else if let Some(old) = self.leader
            && let Some(at) = self.replicas.iter().position(|replica| *replica == old)
            && let Some(end) = self.ends.get_mut(at)
        {
            *end = self.log.end_offset();
        }
        self.leader = leader;
        self.leader_epoch += 1;
        self.partition_epoch += 1;
        if leader.is_some() {
            self.log.begin_epoch(self.leader_epoch);
        }
    }

    /// A replica that led, and nobody after it, has lost what no other has.
    pub(crate) fn lose_tail(&mut self, node_id: i32) {
        self.losses += 1;
        let others = self.replicas.iter().filter(|id| **id != node_id);
        if let Some(end) = others.map(|id| self.end_of(*id)).max() {
            self.truncate(end);
        }
    }

    /// The replicas without those that are only being added.
    pub(crate) fn settled_replicas(&self) -> &[i32] {
        if self.moves_to.is_some() { &self.held_before } else { &self.replicas }
    }

    /// Begins to copy to these replicas; [`Self::settle`] ends it.
    pub(crate) fn move_to(&mut self, to: Vec<i32>) {
        self.stop_moving();
        self.held_before = self.replicas.clone();
        for id in &to {
            if !self.replicas.contains(id) {
                self.replicas.push(*id);
                self.ends.push(self.log.start_offset());
            }
        }
        self.moves_to = Some(to);
        self.partition_epoch += 1;
    }

    /// Whether a replica is in sync of those that there were before the move.
    pub(crate) fn can_stop_moving(&self) -> bool {
        self.held_before.iter().any(|id| self.in_sync.contains(id))
    }

    /// Goes back to the replicas that there were. If none of them is in sync, the first counts as if it were.
    pub(crate) fn stop_moving(&mut self) {
        if self.moves_to.take().is_some() {
            let before = std::mem::take(&mut self.held_before);
            self.hold(before);
        }
    }

    /// Ends a move once all new replicas are in sync. Whether the leader is not among them.
    pub(crate) fn settle(&mut self) -> bool {
        let Some(to) = self.moves_to.take_if(|to| to.iter().all(|id| self.in_sync.contains(id))) else { return false };
        self.held_before.clear();
        self.hold(to);
        self.leader.is_none_or(|leader| !self.replicas.contains(&leader))
    }

    /// Keeps exactly these replicas, which are all there.
    fn hold(&mut self, replicas: Vec<i32>) {
        self.ends = replicas.iter().map(|id| self.end_of(*id)).collect();
        self.in_sync = replicas.iter().copied().filter(|id| self.in_sync.contains(id)).collect();
        self.replicas = replicas;
        if self.in_sync.is_empty() {
            self.in_sync.extend(self.replicas.first());
            self.losses += 1;
        }
        self.partition_epoch += 1;
    }

    /// Cuts the log, and every copy of it.
    fn truncate(&mut self, end_offset: i64) {
        self.log.truncate(end_offset);
        let end_offset = self.log.end_offset();
        for end in &mut self.ends {
            *end = (*end).min(end_offset);
        }
        self.high_watermark = self.high_watermark.min(end_offset);
        // Who was silent for long is forgotten by the time of what was written; that it is read again does not count.
        self.producers.truncate(end_offset, self.log.batches());
    }
}
