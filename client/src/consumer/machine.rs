//! Routes what happens to the part that decides about it, and what one part decides to the next.
//!
//! Before: the [`driver`](super::driver) brings replies, metadata and time; [`Consumer`](super::Consumer) brings calls.
//! After: [`Action`]s for the driver. What is decided, is decided in the parts. [`calls`] holds what the application asks.

use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use tidemill_protocol::ErrorCode;
use tokio::sync::oneshot;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::activity::Activity;
use super::assignor::Share;
use super::commits::{self, Commits};
use super::committed::{self, Committed};
use super::config::Settings;
use super::fetched::{Chunk, Fetched};
use super::fetcher::{self, Fetcher};
use super::membership::{self, Committer, Failure, Identity, Join, Joined, Membership, Sync, consumer};
use super::offset_lookup::{self, OffsetLookup};
use super::positions::{Lost, Positions, Progress};
use super::rebalance::{Change, Rebalance, Step};
use super::subscription::{Subscription, Wanted};
use super::{OffsetAndMetadata, OffsetReset};
use crate::cluster::Snapshot;
use crate::error::Error;
use crate::record::TopicPartition;

mod calls;
#[cfg(test)]
mod tests;

/// What the driver is to do. Replies come back with the token or attempt named here.
#[derive(Debug)]
pub(super) enum Action {
    Fetch(Arc<fetcher::Plan>),
    ListOffsets(offset_lookup::Plan),
    FetchCommitted(committed::Plan),
    Commit(commits::Plan),
    Join(Join),
    Sync(Sync),
    Heartbeat {
        attempt: u64,
        identity: Identity,
    },
    Leave {
        attempt: u64,
        member_id: String,
    },
    GroupHeartbeat(consumer::Heartbeat),
    NameTopics(Vec<Uuid>),
    CoordinatorMoved,
    RefreshMetadata,
    /// The application is told that reading goes on elsewhere.
    TellReset(OffsetReset),
    TrackTopics(Vec<Arc<str>>),
    /// Call the listener.
    Tell {
        change: Change,
        partitions: BTreeSet<TopicPartition>,
    },
}

/// What there is for a receiver.
#[derive(Debug)]
pub(super) enum Taken {
    /// Records, and the progress to move when they go out.
    Chunk(Chunk, Arc<Progress>),
    Error(Error),
    Nothing,
}

/// What becomes of the chunk a receiver is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Continue,
    /// It is to wait here, until its partition is open again.
    GiveBack,
    /// It is from a place where we no longer are.
    Drop,
}

/// Errors kept for a receiver that does not come; later ones are only logged.
const ERRORS_MAX: usize = 100;

/// One consumer.
#[derive(Debug)]
pub(super) struct Machine {
    settings: Settings,
    activity: Arc<Activity>,
    subscription: Subscription,
    positions: Positions,
    offset_lookup: OffsetLookup,
    committed: Committed,
    commits: Commits,
    fetcher: Fetcher,
    fetched: Fetched,
    membership: Membership,
    rebalance: Rebalance,
    has_listener: bool,
    metadata: Arc<Snapshot>,
    errors: VecDeque<Error>,
    fatal: Option<Error>,
    /// When the application was last seen to ask for records.
    polled_at: Instant,
    stalled: bool,
    /// Who we were when records were last taken.
    received_as: Option<Identity>,
    closing: Option<Closing>,
    out: Vec<Action>,
    ready: bool,
}

#[derive(Debug)]
struct Closing {
    deadline: Instant,
    done: Option<oneshot::Sender<Result<(), Error>>>,
    closed: bool,
}

impl Machine {
    pub(super) fn new(
        settings: Settings,
        metadata: Arc<Snapshot>,
        activity: Arc<Activity>,
        seed: u64,
        now: Instant,
    ) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let grouped = settings.group_id.is_some();
        let backoff = &settings.backoff;
        Self {
            subscription: Subscription::default(),
            positions: Positions::new(settings.auto_offset_reset, grouped),
            offset_lookup: OffsetLookup::new(backoff.clone(), random.u64(..)),
            committed: Committed::new(backoff.clone(), random.u64(..)),
            commits: Commits::new(settings.auto_commit_interval.filter(|_| grouped), backoff.clone(), random.u64(..)),
            fetcher: Fetcher::new(settings.fetch.clone(), random.u64(..)),
            fetched: Fetched::default(),
            membership: Membership::new(settings.membership.clone(), random.u64(..)),
            rebalance: Rebalance::new(settings.max_poll_interval, settings.request_timeout),
            has_listener: false,
            metadata,
            errors: VecDeque::new(),
            fatal: None,
            polled_at: now,
            stalled: false,
            received_as: None,
            closing: None,
            out: Vec::new(),
            ready: false,
            activity,
            settings,
        }
    }

    /// Whether the driver may end.
    pub(super) fn is_closed(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.closed)
    }

    /// Whether there is something for a receiver since the last call.
    pub(super) fn take_ready(&mut self) -> bool {
        mem::take(&mut self.ready)
    }

    /// What to hand out next.
    pub(super) fn take(&mut self) -> Taken {
        if let Some(error) = self.errors.pop_front() {
            return Taken::Error(error);
        }
        if let Some(error) = &self.fatal {
            return Taken::Error(error.clone());
        }
        if self.closing.is_some() {
            return Taken::Error(Error::closed("using the consumer"));
        }
        let Self { subscription, fetched, positions, .. } = self;
        while let Some(chunk) = fetched.take(|partition| subscription.is_open(partition)) {
            if let Some(progress) = positions.progress(&chunk.partition, chunk.version) {
                self.received_as = self.identity();
                return Taken::Chunk(chunk, progress);
            }
        }
        Taken::Nothing
    }

    /// Whether the driver is to look at the machine after a receiver did: there is room for the next fetch now, or the
    /// application is through with what is to be given up, or is back.
    pub(super) fn wants_driver(&self) -> bool {
        self.fetcher.is_blocked() || self.rebalance.is_draining() || self.stalled
    }

    /// Something changed while a receiver was in the middle of a chunk of this partition.
    pub(super) fn verdict(&self, partition: &TopicPartition, version: u64) -> Verdict {
        if self.closing.is_some() || !self.positions.is_current(partition, version) {
            Verdict::Drop
        } else if self.subscription.is_open(partition) && self.errors.is_empty() {
            Verdict::Continue
        } else {
            Verdict::GiveBack
        }
    }

    pub(super) fn give_back(&mut self, chunk: Chunk) {
        if self.positions.is_current(&chunk.partition, chunk.version) {
            self.fetched.give_back(chunk);
        }
    }

    /// Records of this partition could not be read: fetched again, they may be whole.
    pub(super) fn handle_corrupt(&mut self, partition: &TopicPartition, version: u64, now: Instant) {
        if self.positions.is_current(partition, version) {
            self.positions.refetch(partition);
            self.fetcher.pause(partition, false, now);
            self.drop_stale();
        }
    }

    pub(super) fn handle_metadata(&mut self, metadata: Arc<Snapshot>, now: Instant) {
        self.metadata = metadata;
        self.fetcher.handle_metadata(now);
        self.offset_lookup.handle_metadata(now);
        self.membership.on_metadata(&self.metadata, now);
    }

    /// A broker does not let us in, or is not let in by us. The application is told unless it knows; we go on trying.
    pub(super) fn handle_refused(&mut self, error: Error) {
        self.offset_lookup.handle_refused(&error);
        if self.errors.is_empty() {
            self.report(error);
        }
    }

    pub(super) fn handle_fetch_reply(&mut self, plan: (i32, u64), reply: Result<fetcher::Reply, Error>, now: Instant) {
        let before = self.positions.versions();
        self.fetcher.handle_reply(plan, reply, (&mut self.positions, &mut self.fetched), now);
        if self.positions.versions() != before {
            self.drop_stale();
        }
        let Self { subscription, fetched, .. } = self;
        self.ready |= fetched.has_any(|partition| subscription.is_open(partition));
    }

    pub(super) fn handle_list_offsets_reply(
        &mut self,
        token: u64,
        reply: Result<Vec<offset_lookup::Answer>, Error>,
        now: Instant,
    ) {
        self.offset_lookup.handle_reply(token, reply, now);
        for (partition, version, offset) in self.offset_lookup.take_resets() {
            info!(%partition, offset, "the position was reset");
            self.positions.on_offset(&partition, version, offset);
        }
    }

    pub(super) fn handle_committed_reply(&mut self, token: u64, reply: Result<committed::Answer, Error>, now: Instant) {
        self.committed.handle_reply(token, reply, now);
        for (partition, version, committed) in self.committed.take_found() {
            self.positions.on_committed(&partition, version, committed);
            if let Some((offset, _)) = committed {
                self.commits.handle_known(&partition, offset);
            }
        }
    }

    pub(super) fn handle_commit_reply(&mut self, token: u64, reply: Result<commits::Answer, Error>, now: Instant) {
        let committer = self.committer();
        self.commits.handle_reply(token, reply, &committer, now);
        for (identity, code) in self.commits.take_refused() {
            self.membership.on_commit_refused(&identity, Failure::Broker(code), now);
        }
    }

    pub(super) fn handle_join_reply(&mut self, attempt: u64, reply: Result<Joined, (Failure, String)>, now: Instant) {
        self.membership.on_join_reply(attempt, reply, now);
    }

    pub(super) fn handle_sync_reply(&mut self, attempt: u64, reply: Result<bytes::Bytes, Failure>, now: Instant) {
        self.membership.on_sync_reply(attempt, reply, now);
    }

    pub(super) fn handle_heartbeat_reply(&mut self, attempt: u64, reply: Result<(), Failure>, now: Instant) {
        self.membership.on_heartbeat_reply(attempt, reply, now);
    }

    pub(super) fn handle_group_heartbeat_reply(
        &mut self,
        attempt: u64,
        reply: Result<consumer::Beaten, Failure>,
        now: Instant,
    ) {
        self.membership.on_group_heartbeat_reply(attempt, reply, now);
    }

    pub(super) fn handle_left(&mut self, attempt: u64, now: Instant) {
        self.membership.on_left(attempt, now);
    }

    /// The listener has returned, or its time is up.
    pub(super) fn handle_told(&mut self, now: Instant) {
        self.rebalance.on_told(now);
        // What follows is done before anybody looks whether it is through: a commit that is yet to be made is not.
        self.route_membership(now);
    }

    /// What is due at `now`, and when to ask again.
    pub(super) fn poll(&mut self, now: Instant, actions: &mut Vec<Action>) -> Option<Instant> {
        let stall_at = self.watch_application(now);
        let drained_by = self.watch_rebalance(now);
        let membership_at = self.route_membership(now);
        let Self { positions, .. } = self;
        self.offset_lookup.retain_resets(|partition, version| positions.is_current(partition, version));
        self.committed.retain_positions(|partition, version| positions.is_current(partition, version));
        self.committed.handle_positions(self.positions.take_awaiting_committed(), now);
        for (partition, version, spec) in self.positions.take_awaiting_offset() {
            self.offset_lookup.handle_reset(partition, version, spec, now);
        }
        for (partition, lost) in self.positions.take_lost() {
            self.report(lost_error(partition, lost));
        }
        for skipped in self.positions.take_skipped() {
            self.out.push(Action::TellReset(OffsetReset::from(skipped)));
        }
        if self.commits.is_auto_commit_due(now) {
            self.commit_processed();
        }
        let committer = self.committer();
        let metadata = self.metadata.clone();
        let leader_of = |partition: &TopicPartition| metadata.leader_of(partition);
        let wake_at = [
            stall_at,
            drained_by,
            membership_at,
            self.committed.poll(now, actions),
            self.offset_lookup.poll(now, &leader_of, actions),
            self.commits.poll(now, committer, actions),
            self.fetcher.poll(now, (&self.positions, &self.subscription, &self.fetched), &leader_of, actions),
        ];
        let mut errors = self.offset_lookup.take_errors();
        errors.append(&mut self.committed.take_errors());
        errors.append(&mut self.fetcher.take_errors());
        for error in errors {
            self.report(error);
        }
        actions.append(&mut self.out);
        let closing_at = self.watch_closing(now);
        wake_at.into_iter().chain([closing_at]).flatten().min()
    }

    /// Whoever asks for records is not stalled; who does not for too long is, and the group is told.
    fn watch_application(&mut self, now: Instant) -> Option<Instant> {
        if self.activity.was_polled() {
            self.polled_at = now;
            if mem::take(&mut self.stalled) {
                self.membership.on_polled(now);
            }
        }
        if self.stalled || self.closing.is_some() || !matches!(self.subscription.wanted, Wanted::Topics) {
            return None;
        }
        let stall_at = self.polled_at + self.settings.max_poll_interval;
        if stall_at > now {
            return Some(stall_at);
        }
        self.stalled = true;
        let interval_ms = self.settings.max_poll_interval.as_millis();
        let error = Error::timeout("waiting for the application to ask for records").with_detail(format!(
            "it may take max.poll.interval.ms ({interval_ms}); the group has gone on without this member, which now joins again"
        ));
        self.report(error);
        self.membership.on_stalled(now);
        None
    }

    fn watch_rebalance(&mut self, now: Instant) -> Option<Instant> {
        let wake_at = self.rebalance.poll(now);
        if self.rebalance.is_committing() && self.commits.is_idle() {
            self.rebalance.on_committed(now);
        }
        let Self { rebalance, positions, .. } = self;
        let mut known = positions.known();
        if rebalance.is_draining()
            && !known.any(|(partition, progress)| rebalance.is_going(partition) && progress.is_outstanding())
        {
            self.rebalance.on_drained();
        }
        wake_at
    }

    fn watch_closing(&mut self, now: Instant) -> Option<Instant> {
        let left = match self.subscription.wanted {
            Wanted::Topics => self.membership.is_idle(),
            Wanted::Nothing | Wanted::Partitions => true,
        };
        let through = left && self.commits.is_idle();
        let closing = self.closing.as_mut()?;
        if through || closing.deadline <= now {
            closing.closed = true;
            self.committed.end();
            self.commits.end();
            self.offset_lookup.end();
            if let Some(done) = closing.done.take() {
                let outcome = if through { Ok(()) } else { Err(Error::timeout("closing the consumer")) };
                let _ = done.send(outcome);
            }
        }
        Some(closing.deadline)
    }

    /// Lets membership and rebalance talk until both have said all.
    fn route_membership(&mut self, now: Instant) -> Option<Instant> {
        loop {
            let mut said = Vec::new();
            let wake_at = self.membership.poll(now, &mut said);
            for action in said {
                self.on_membership(action, now);
            }
            let steps = self.rebalance.take_steps();
            if steps.is_empty() {
                return wake_at;
            }
            for step in steps {
                self.on_step(step, now);
            }
        }
    }

    fn on_membership(&mut self, action: membership::Action, now: Instant) {
        match action {
            membership::Action::Join(join) => self.out.push(Action::Join(join)),
            membership::Action::Sync(sync) => self.out.push(Action::Sync(sync)),
            membership::Action::Heartbeat { attempt, identity } => {
                self.out.push(Action::Heartbeat { attempt, identity });
            }
            membership::Action::Leave { attempt, member_id } => self.out.push(Action::Leave { attempt, member_id }),
            membership::Action::GroupHeartbeat(heartbeat) => self.out.push(Action::GroupHeartbeat(heartbeat)),
            membership::Action::NameTopics(ids) => self.out.push(Action::NameTopics(ids)),
            membership::Action::CoordinatorMoved => self.out.push(Action::CoordinatorMoved),
            membership::Action::TrackTopics(topics) => self.out.push(Action::TrackTopics(topics)),
            membership::Action::Own { token, share, lost } => {
                self.rebalance.on_target(token, partitions_of(&share), lost, now);
            }
            membership::Action::Failed { failure, fatal } => {
                let error = match failure {
                    Failure::Broker(code) => Error::broker("being a member of the group", code),
                    Failure::NoAnswer => Error::timeout("being a member of the group"),
                    Failure::Hopeless(error) => error,
                };
                if fatal {
                    error!(%error, "the group will not have us");
                    self.fatal = Some(error);
                    self.activity.disturb();
                    self.ready = true;
                } else {
                    self.report(error);
                }
            }
        }
    }

    fn on_step(&mut self, step: Step, now: Instant) {
        match step {
            Step::Withhold(partitions) => {
                self.positions.seal(&partitions);
                self.subscription.withhold(partitions);
                self.activity.disturb();
                self.ready = true;
                self.watch_rebalance(now);
            }
            Step::Tell { change, partitions } => {
                if self.has_listener && !partitions.is_empty() {
                    self.out.push(Action::Tell { change, partitions });
                } else {
                    self.rebalance.on_told(now);
                }
            }
            Step::Commit => {
                self.commit_processed();
                self.watch_rebalance(now);
            }
            Step::Drop(partitions) => {
                self.commits.handle_revoked(&partitions);
                let kept = self.assignment().difference(&partitions).cloned().collect();
                self.own(&kept);
                self.subscription.forget(&partitions);
            }
            Step::Own(partitions) => {
                self.own(&self.assignment().union(&partitions).cloned().collect());
                self.subscription.withhold(partitions);
            }
            Step::Open(partitions) => {
                self.subscription.open(&partitions);
                self.ready = true;
            }
            Step::Settled(token) => self.membership.on_settled(token, now),
        }
    }

    fn own(&mut self, partitions: &BTreeSet<TopicPartition>) {
        self.positions.assign(partitions);
        self.fetcher.handle_assignment(&self.positions);
        self.drop_stale();
    }

    /// Positions were written: what was buffered for the old ones goes.
    fn drop_stale(&mut self) {
        let Self { positions, fetched, .. } = self;
        fetched.retain(|partition, version| positions.is_current(partition, version));
        self.activity.disturb();
    }

    /// Commits what the application is through with, if that is automatic.
    fn commit_processed(&mut self) {
        if self.settings.auto_commit_interval.is_none() {
            return;
        }
        let known = self.positions.known();
        self.commits.handle_processed(known.map(|(partition, progress)| {
            (partition, OffsetAndMetadata::new(progress.processed(), progress.leader_epoch()))
        }));
    }

    /// Who commits: the member, or nobody in particular where partitions are assigned by name.
    fn committer(&self) -> Committer {
        if self.membership.is_idle() {
            Committer::As(Identity { generation: -1, member_id: String::new() })
        } else {
            self.membership.committer()
        }
    }

    /// Who we are to the group now.
    fn identity(&self) -> Option<Identity> {
        match self.committer() {
            Committer::As(identity) => Some(identity),
            Committer::Later | Committer::Nobody => None,
        }
    }

    fn report(&mut self, error: Error) {
        warn!(%error, "the application is told");
        if self.errors.len() < ERRORS_MAX {
            self.errors.push_back(error);
        }
        self.activity.disturb();
        self.ready = true;
    }
}

fn partitions_of(share: &Share) -> BTreeSet<TopicPartition> {
    let pairs = share.iter().flat_map(|(topic, partitions)| partitions.iter().map(move |number| (topic, *number)));
    pairs.map(|(topic, partition)| TopicPartition { topic: topic.clone(), partition }).collect()
}

fn lost_error(partition: TopicPartition, lost: Lost) -> Error {
    match lost {
        Lost::NothingCommitted => {
            Error::misuse("nothing is committed here and auto.offset.reset is none: seek to where reading shall begin")
        }
        Lost::OutOfRange { offset } => {
            Error::broker(format!("reading from offset {offset}"), ErrorCode::OFFSET_OUT_OF_RANGE)
        }
        Lost::Truncated { offset, end_offset } => {
            let error = Error::broker(format!("reading from offset {offset}"), ErrorCode::OFFSET_OUT_OF_RANGE);
            error.with_detail(format!("the log was cut at {end_offset}: what was read after that is gone (KIP-320)"))
        }
    }
    .with_partition(partition)
}
