//! The classic group protocol (KIP-62, KIP-394, KIP-345, KIP-429): who a member is, when it joins, beats and leaves.
//!
//! Before: [`machine`](crate::consumer::machine) brings subscriptions, replies and metadata. After: requests for the
//! coordinator, and [`rebalance`](crate::consumer::rebalance) for the partitions that come and go.
//!
//! An eager member gives up all partitions before it joins again. A cooperative one, all of whose assignors are
//! cooperative, says in its subscription what it holds and keeps reading; when the new plan takes some of that away, it
//! gives that up and joins once more, and only then does the leader give it to another. Either way no partition ever has
//! two owners in one generation.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tidemill_protocol::ErrorCode;
use tracing::{info, warn};

use super::consumer_protocol::{Subscription, decode_assignment, encode_assignment};
use super::{Action, Committer, Failure, Identity, Join, Joined, Sync};
use crate::cluster::Backoff;
use crate::consumer::assignor::{Assignor, GroupMember, PartitionCounts, Share};

mod refused;
#[cfg(test)]
mod tests;

/// Where we stand with the coordinator.
///
/// ```text
/// Idle ──subscribe──> Unjoined ──due──> Joining ──joined──> Syncing ──synced──> Stable
///                        ▲                 └──leading──> Assigning ──planned──┘    │
///                        ├────settled──── Revoking <──rebalance, fenced, stalled───┤
///                        └────────────cooperative, nothing to give up──────────────┘
/// any ──unsubscribe──> (Revoking) ──settled──> Leaving ──left──> Idle
/// ```
#[derive(Debug)]
enum State {
    /// No topics are subscribed to.
    Idle,
    /// To join, owning nothing unless cooperative. `join_at`: none while the application has to come back first.
    Unjoined { join_at: Option<Instant> },
    /// `JoinGroup` is under way.
    Joining { attempt: u64 },
    /// We lead, and wait for the partition counts of topics that others read.
    Assigning { generation: i32, assignor: Arc<dyn Assignor>, members: Vec<GroupMember>, until: Instant },
    /// `SyncGroup` is under way.
    Syncing { attempt: u64, generation: i32 },
    /// A member with an assignment.
    Stable { generation: i32, beat: Beat },
    /// Partitions are being given up. `generation`: none when they are lost already.
    Revoking { generation: Option<i32>, beat: Beat, then: Then },
    /// `LeaveGroup` is under way.
    Leaving { attempt: u64 },
}

/// When the next heartbeat goes out, and the one whose answer is awaited.
#[derive(Debug, Clone, Copy)]
struct Beat {
    due: Instant,
    in_flight: Option<u64>,
}

/// What comes after the partitions are given up. Unsubscribed meanwhile, a member leaves whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Join,
    /// The application must ask for records first: it was away for too long.
    AwaitPoll,
    /// Nothing: the group will not have us.
    Stop,
}

/// What a [`Classic`] member needs to know.
#[derive(Debug, Clone)]
pub(in crate::consumer) struct Config {
    pub(in crate::consumer) group_instance_id: Option<String>,
    pub(in crate::consumer) heartbeat_interval: Duration,
    /// Ways to share partitions out, the preferred first.
    pub(in crate::consumer) assignors: Vec<Arc<dyn Assignor>>,
    pub(in crate::consumer) backoff: Backoff,
    pub(in crate::consumer) rack: Option<Arc<str>>,
}

/// How long a leader waits for the partition counts of topics it does not know.
const ASSIGN_WAIT_MAX: Duration = Duration::from_secs(5);

/// One member of a group, speaking the classic protocol.
#[derive(Debug)]
pub(in crate::consumer) struct Classic {
    config: Config,
    state: State,
    /// What the application wants; empty when it wants out.
    topics: BTreeSet<Arc<str>>,
    /// What the coordinator was told when we last joined.
    joined_topics: BTreeSet<Arc<str>>,
    /// Empty until the coordinator has given one.
    member_id: String,
    /// What we were given last, and in which generation: assignors that move little want to know.
    previous: Share,
    previous_generation: i32,
    partitions: PartitionCounts,
    /// What our plan was made from, while we lead.
    planned_from: Option<PartitionCounts>,
    /// What shall be owned, and so is unless it is being given up; nothing while an eager member joins.
    owned: Share,
    /// Of the wish for that, so that an earlier one that comes true is not taken for it.
    token: u64,
    /// The last generation that was joined, as long as the coordinator knows us.
    joined_generation: i32,
    reason: &'static str,
    attempts: u64,
    failures: u32,
    random: fastrand::Rng,
    out: Vec<Action>,
}

impl Classic {
    pub(in crate::consumer) fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            state: State::Idle,
            topics: BTreeSet::new(),
            joined_topics: BTreeSet::new(),
            member_id: String::new(),
            previous: Share::new(),
            previous_generation: -1,
            partitions: PartitionCounts::new(),
            planned_from: None,
            owned: Share::new(),
            token: 0,
            joined_generation: -1,
            reason: "",
            attempts: 0,
            failures: 0,
            random: fastrand::Rng::with_seed(seed),
            out: Vec::new(),
        }
    }

    /// Who commits what is ours.
    pub(in crate::consumer) fn committer(&self) -> Committer {
        match &self.state {
            State::Stable { generation, .. } | State::Revoking { generation: Some(generation), .. } => {
                Committer::As(self.identity_in(*generation))
            }
            State::Unjoined { .. } | State::Joining { .. } | State::Assigning { .. } | State::Syncing { .. }
                if !self.owned.is_empty() =>
            {
                Committer::Later
            }
            State::Idle
            | State::Unjoined { .. }
            | State::Joining { .. }
            | State::Assigning { .. }
            | State::Syncing { .. }
            | State::Revoking { generation: None, .. }
            | State::Leaving { .. } => Committer::Nobody,
        }
    }

    /// Who we are while the coordinator counts us as a member.
    fn identity(&self) -> Option<Identity> {
        match self.committer() {
            Committer::As(identity) => Some(identity),
            Committer::Later | Committer::Nobody => None,
        }
    }

    fn is_cooperative(&self) -> bool {
        self.config.assignors.iter().all(|assignor| assignor.is_cooperative())
    }

    /// Whether all is left behind.
    pub(in crate::consumer) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// What is due at `now`, and when to ask again.
    pub(in crate::consumer) fn poll(&mut self, now: Instant, actions: &mut Vec<Action>) -> Option<Instant> {
        let wake_at = match &mut self.state {
            State::Idle | State::Joining { .. } | State::Syncing { .. } | State::Leaving { .. } => None,
            State::Unjoined { join_at } => match *join_at {
                Some(due) if due <= now => {
                    self.join(now);
                    None
                }
                later => later,
            },
            State::Assigning { until, .. } => {
                if *until <= now {
                    self.make_plan();
                    None
                } else {
                    Some(*until)
                }
            }
            State::Stable { beat, .. } | State::Revoking { generation: Some(_), beat, .. } => {
                if beat.in_flight.is_some() {
                    None
                } else if beat.due <= now {
                    self.attempts += 1;
                    beat.in_flight = Some(self.attempts);
                    let attempt = self.attempts;
                    self.out.extend(self.identity().map(|identity| Action::Heartbeat { attempt, identity }));
                    None
                } else {
                    Some(beat.due)
                }
            }
            State::Revoking { generation: None, .. } => None,
        };
        actions.append(&mut self.out);
        wake_at
    }

    /// The application subscribed, maybe to other topics than before; to none at all when it unsubscribed.
    pub(in crate::consumer) fn on_subscribe(&mut self, topics: BTreeSet<Arc<str>>, now: Instant) {
        self.topics = topics;
        let wanted = !self.topics.is_empty();
        match &self.state {
            State::Idle | State::Unjoined { .. } if wanted => self.rejoin("subscribed", now),
            State::Idle => {}
            State::Unjoined { .. } => self.give_up_and_leave(now),
            // Compared with what was joined for when the round ends.
            State::Joining { .. } | State::Assigning { .. } | State::Syncing { .. } if wanted => {}
            State::Joining { .. } | State::Assigning { .. } | State::Syncing { .. } => self.give_up_and_leave(now),
            State::Stable { .. } if wanted && self.topics == self.joined_topics => {}
            State::Stable { generation, .. } => {
                let generation = *generation;
                let reason = if wanted { "the subscription changed" } else { "unsubscribed" };
                self.join_again(generation, reason, now);
            }
            State::Revoking { generation, beat, .. } => {
                self.state = State::Revoking { generation: *generation, beat: *beat, then: Then::Join };
            }
            State::Leaving { .. } => {}
        }
    }

    pub(in crate::consumer) fn on_join_reply(
        &mut self,
        attempt: u64,
        reply: Result<Joined, (Failure, String)>,
        now: Instant,
    ) {
        match &self.state {
            State::Joining { attempt: awaited } if *awaited == attempt => {}
            State::Idle
            | State::Unjoined { .. }
            | State::Joining { .. }
            | State::Assigning { .. }
            | State::Syncing { .. }
            | State::Stable { .. }
            | State::Revoking { .. }
            | State::Leaving { .. } => return,
        }
        let joined = match reply {
            Ok(joined) => joined,
            Err((Failure::Broker(ErrorCode::MEMBER_ID_REQUIRED), member_id)) => {
                self.member_id = member_id;
                return self.rejoin_soon("member id required", now);
            }
            Err((failure, _)) => return self.on_refused_while_joining(failure, now),
        };
        let named = |assignor: &&Arc<dyn Assignor>| assignor.name() == joined.protocol;
        let Some(assignor) = self.config.assignors.iter().find(named).cloned() else {
            return self.on_refused_while_joining(Failure::Broker(ErrorCode::INCONSISTENT_GROUP_PROTOCOL), now);
        };
        self.failures = 0;
        self.joined_generation = joined.generation;
        self.member_id = joined.member_id;
        self.planned_from = None;
        if joined.leader != self.member_id || joined.skip_assignment {
            return self.sync(joined.generation, &*assignor, Vec::new());
        }
        let members = joined.members.into_iter().map(|member| read_member(&self.member_id, member)).collect();
        let until = now + ASSIGN_WAIT_MAX;
        self.state = State::Assigning { generation: joined.generation, assignor, members, until };
        let unknown = self.unknown_topics();
        if unknown.is_empty() {
            self.make_plan();
        } else {
            self.out.push(Action::TrackTopics(unknown));
        }
    }

    /// Metadata changed: how many partitions each topic has.
    pub(in crate::consumer) fn on_partition_counts(&mut self, partitions: PartitionCounts, now: Instant) {
        self.partitions = partitions;
        match &self.state {
            State::Assigning { .. } => {
                if self.unknown_topics().is_empty() {
                    self.make_plan();
                }
            }
            State::Stable { generation, .. } => {
                let generation = *generation;
                let outdated = self.planned_from.as_ref().is_some_and(|planned| {
                    planned.iter().any(|(topic, count)| self.partitions.get(topic).is_some_and(|now| now != count))
                });
                if outdated {
                    self.join_again(generation, "partitions of a subscribed topic changed", now);
                }
            }
            State::Idle
            | State::Unjoined { .. }
            | State::Joining { .. }
            | State::Syncing { .. }
            | State::Revoking { .. }
            | State::Leaving { .. } => {}
        }
    }

    pub(in crate::consumer) fn on_sync_reply(&mut self, attempt: u64, reply: Result<Bytes, Failure>, now: Instant) {
        let generation = match &self.state {
            State::Syncing { attempt: awaited, generation } if *awaited == attempt => *generation,
            State::Idle
            | State::Unjoined { .. }
            | State::Joining { .. }
            | State::Assigning { .. }
            | State::Syncing { .. }
            | State::Stable { .. }
            | State::Revoking { .. }
            | State::Leaving { .. } => return,
        };
        let assignment = match reply {
            Ok(assignment) => assignment,
            Err(failure) => return self.on_refused_while_joining(failure, now),
        };
        if self.topics != self.joined_topics {
            return self.join_again(generation, "the subscription changed", now);
        }
        match decode_assignment(&assignment) {
            Ok(share) => {
                self.failures = 0;
                let beat = Beat { due: now + self.config.heartbeat_interval, in_flight: None };
                // What another member waits for is given up, and the group is to hear of it.
                self.state = if is_part_of(&self.owned, &share) {
                    State::Stable { generation, beat }
                } else {
                    self.reason = "partitions were given up";
                    State::Revoking { generation: Some(generation), beat, then: Then::Join }
                };
                info!(generation, member_id = %self.member_id, ?share, "assigned");
                self.previous.clone_from(&share);
                self.previous_generation = generation;
                self.own(share, false);
            }
            Err(error) => {
                warn!(%error, generation, "the group's leader sent an assignment that cannot be read; joining again");
                self.rejoin_after_backoff("unreadable assignment", now);
            }
        }
    }

    pub(in crate::consumer) fn on_heartbeat_reply(&mut self, attempt: u64, reply: Result<(), Failure>, now: Instant) {
        if self.awaited_beat() != Some(attempt) {
            return;
        }
        let delay = if reply.is_ok() { self.config.heartbeat_interval } else { self.retry_delay() };
        if let State::Stable { beat, .. } | State::Revoking { beat, .. } = &mut self.state {
            *beat = Beat { due: now + delay, in_flight: None };
        }
        match reply {
            Ok(()) => self.failures = 0,
            Err(failure) => self.on_refused(failure, now),
        }
    }

    /// A commit made as `identity` was refused.
    pub(in crate::consumer) fn on_commit_refused(&mut self, identity: &Identity, failure: Failure, now: Instant) {
        if self.identity().as_ref() == Some(identity) {
            self.on_refused(failure, now);
        }
    }

    /// What shall be owned is owned, and nothing else.
    pub(in crate::consumer) fn on_settled(&mut self, token: u64, now: Instant) {
        if token != self.token {
            return;
        }
        match &self.state {
            State::Revoking { then, .. } => {
                let then = *then;
                if self.topics.is_empty() {
                    return self.give_up_and_leave(now);
                }
                match then {
                    Then::Join => self.state = State::Unjoined { join_at: Some(now) },
                    Then::AwaitPoll => self.state = State::Unjoined { join_at: None },
                    Then::Stop => self.state = State::Idle,
                }
            }
            State::Idle
            | State::Unjoined { .. }
            | State::Joining { .. }
            | State::Assigning { .. }
            | State::Syncing { .. }
            | State::Stable { .. }
            | State::Leaving { .. } => {}
        }
    }

    /// The application did not ask for records for longer than it may: others take over its partitions.
    pub(in crate::consumer) fn on_stalled(&mut self, now: Instant) {
        match &self.state {
            State::Idle | State::Leaving { .. } | State::Unjoined { join_at: None } => return,
            State::Unjoined { join_at: Some(_) }
            | State::Joining { .. }
            | State::Assigning { .. }
            | State::Syncing { .. }
                if self.owned.is_empty() =>
            {
                self.state = State::Unjoined { join_at: None };
            }
            State::Unjoined { join_at: Some(_) }
            | State::Joining { .. }
            | State::Assigning { .. }
            | State::Syncing { .. }
            | State::Stable { .. }
            | State::Revoking { .. } => {
                self.revoke(None, Then::AwaitPoll, "the application did not ask for records in time", now);
            }
        }
        if let Some(member_id) = self.forget_member_id() {
            self.attempts += 1;
            self.out.push(Action::Leave { attempt: self.attempts, member_id });
        }
    }

    /// The application asks for records.
    pub(in crate::consumer) fn on_polled(&mut self, now: Instant) {
        match &mut self.state {
            State::Unjoined { join_at: join_at @ None } => *join_at = Some(now),
            State::Revoking { then: then @ Then::AwaitPoll, .. } => *then = Then::Join,
            State::Idle
            | State::Unjoined { join_at: Some(_) }
            | State::Joining { .. }
            | State::Assigning { .. }
            | State::Syncing { .. }
            | State::Stable { .. }
            | State::Revoking { then: Then::Join | Then::Stop, .. }
            | State::Leaving { .. } => {}
        }
    }

    /// `LeaveGroup` was answered, or never will be: either way we are out.
    pub(in crate::consumer) fn on_left(&mut self, attempt: u64, now: Instant) {
        match &self.state {
            State::Leaving { attempt: awaited } if *awaited == attempt => self.after_leaving(now),
            State::Idle
            | State::Unjoined { .. }
            | State::Joining { .. }
            | State::Assigning { .. }
            | State::Syncing { .. }
            | State::Stable { .. }
            | State::Revoking { .. }
            | State::Leaving { .. } => {}
        }
    }

    fn awaited_beat(&self) -> Option<u64> {
        match &self.state {
            State::Stable { beat, .. } | State::Revoking { beat, .. } => beat.in_flight,
            State::Idle
            | State::Unjoined { .. }
            | State::Joining { .. }
            | State::Assigning { .. }
            | State::Syncing { .. }
            | State::Leaving { .. } => None,
        }
    }

    fn identity_in(&self, generation: i32) -> Identity {
        Identity { generation, member_id: self.member_id.clone() }
    }

    fn rejoin(&mut self, reason: &'static str, now: Instant) {
        self.reason = reason;
        self.state = State::Unjoined { join_at: Some(now) };
    }

    /// At once the first time, for this is how groups work; after a while when it happens again and again.
    fn rejoin_soon(&mut self, reason: &'static str, now: Instant) {
        if self.failures == 0 {
            self.failures = 1;
            self.rejoin(reason, now);
        } else {
            self.rejoin_after_backoff(reason, now);
        }
    }

    fn rejoin_after_backoff(&mut self, reason: &'static str, now: Instant) {
        let delay = self.retry_delay();
        self.rejoin(reason, now + delay);
    }

    fn retry_delay(&mut self) -> Duration {
        let delay = self.config.backoff.next(self.failures, &mut self.random);
        self.failures = self.failures.saturating_add(1);
        delay
    }

    /// The group rebalances, or is to. An eager member gives up everything first; a cooperative one what is of topics
    /// that are not wanted any more.
    fn join_again(&mut self, generation: i32, reason: &'static str, now: Instant) {
        let mut keep = if self.is_cooperative() { self.owned.clone() } else { Share::new() };
        keep.retain(|topic, _| self.topics.contains(topic));
        if self.is_cooperative() && keep == self.owned && !self.topics.is_empty() {
            info!(reason, member_id = %self.member_id, "joining again, with the partitions at hand");
            return self.rejoin(reason, now);
        }
        self.give_up(Some(generation), keep, Then::Join, reason, now);
    }

    /// Unsubscribed: what is still owned is given up first.
    fn give_up_and_leave(&mut self, now: Instant) {
        if self.owned.is_empty() {
            self.leave(now);
        } else {
            self.give_up(Some(self.joined_generation), Share::new(), Then::Join, "unsubscribed", now);
        }
    }

    fn join(&mut self, now: Instant) {
        if self.owned.keys().any(|topic| !self.topics.contains(topic)) {
            return self.join_again(self.joined_generation, "the subscription changed", now);
        }
        self.attempts += 1;
        self.joined_topics = self.topics.clone();
        let subscription = |assignor: &Arc<dyn Assignor>| {
            let user_data = assignor.user_data(&self.previous, self.previous_generation);
            Subscription {
                topics: self.topics.iter().cloned().collect(),
                owned: self.owned.clone(),
                generation: self.joined_generation,
                rack: self.config.rack.clone(),
                user_data,
            }
            .encode()
        };
        let assignors = self.config.assignors.iter();
        let protocols = assignors.map(|assignor| (assignor.name().to_owned(), subscription(assignor))).collect();
        self.out.push(Action::Join(Join {
            attempt: self.attempts,
            member_id: self.member_id.clone(),
            protocols,
            reason: self.reason,
        }));
        self.state = State::Joining { attempt: self.attempts };
    }

    /// The topics of all members that have no partition count yet.
    fn unknown_topics(&self) -> Vec<Arc<str>> {
        let State::Assigning { members, .. } = &self.state else { return Vec::new() };
        let topics: BTreeSet<&Arc<str>> = members.iter().flat_map(|member| &member.topics).collect();
        topics.into_iter().filter(|topic| !self.partitions.contains_key(*topic)).cloned().collect()
    }

    fn make_plan(&mut self) {
        let State::Assigning { generation, assignor, members, .. } = mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        // A topic that does not exist yet counts as one without partitions, so that its creation is a change.
        let topics = members.iter().flat_map(|member| &member.topics);
        let partitions: PartitionCounts =
            topics.map(|topic| (topic.clone(), self.partitions.get(topic).copied().unwrap_or(0))).collect();
        let plan = assignor.assign(&members, &partitions);
        self.planned_from = Some(partitions);
        let assignments = plan.into_iter().map(|(member_id, share)| (member_id, encode_assignment(&share))).collect();
        self.sync(generation, &*assignor, assignments);
    }

    fn sync(&mut self, generation: i32, assignor: &dyn Assignor, assignments: Vec<(String, Bytes)>) {
        self.attempts += 1;
        let identity = self.identity_in(generation);
        let protocol = assignor.name().to_owned();
        self.out.push(Action::Sync(Sync { attempt: self.attempts, identity, protocol, assignments }));
        self.state = State::Syncing { attempt: self.attempts, generation };
    }

    /// All partitions are to be given up, or, if that is under way already, are now lost.
    fn revoke(&mut self, generation: Option<i32>, then: Then, reason: &'static str, now: Instant) {
        self.give_up(generation, Share::new(), then, reason, now);
    }

    fn own(&mut self, share: Share, lost: bool) {
        self.token += 1;
        self.owned.clone_from(&share);
        self.out.push(Action::Own { token: self.token, share, lost });
    }

    /// All partitions but these are to be given up; without a generation, they are lost.
    fn give_up(&mut self, generation: Option<i32>, keep: Share, then: Then, reason: &'static str, now: Instant) {
        self.reason = reason;
        let beat = match &self.state {
            State::Revoking { beat, .. } => *beat,
            State::Stable { beat, .. } => *beat,
            State::Idle
            | State::Unjoined { .. }
            | State::Joining { .. }
            | State::Assigning { .. }
            | State::Syncing { .. }
            | State::Leaving { .. } => Beat { due: now, in_flight: None },
        };
        info!(reason, member_id = %self.member_id, lost = generation.is_none(), ?keep, "giving up partitions");
        self.state = State::Revoking { generation, beat, then };
        self.own(keep, generation.is_none());
    }

    /// Leaves the group if we may be a member of it. A static member stays: it will come back under its name.
    fn leave(&mut self, now: Instant) {
        match self.forget_member_id() {
            Some(member_id) if self.config.group_instance_id.is_none() => {
                self.attempts += 1;
                self.out.push(Action::Leave { attempt: self.attempts, member_id });
                self.state = State::Leaving { attempt: self.attempts };
            }
            Some(_) | None => self.after_leaving(now),
        }
    }

    fn after_leaving(&mut self, now: Instant) {
        self.state = State::Idle;
        if !self.topics.is_empty() {
            self.rejoin("subscribed", now);
        }
    }

    fn forget_member_id(&mut self) -> Option<String> {
        self.joined_generation = -1;
        Some(mem::take(&mut self.member_id)).filter(|member_id| !member_id.is_empty())
    }
}

/// Whether all of the first is in the second.
fn is_part_of(part: &Share, whole: &Share) -> bool {
    part.iter().all(|(topic, numbers)| {
        let whole = whole.get(topic);
        numbers.iter().all(|number| whole.is_some_and(|whole| whole.contains(number)))
    })
}

/// A member whose subscription cannot be read takes part with no topics: the others must not suffer from it.
fn read_member(
    leader: &str,
    (member_id, group_instance_id, subscription): (String, Option<String>, Bytes),
) -> GroupMember {
    let read = Subscription::decode(&subscription).unwrap_or_else(|error| {
        warn!(leader, member_id, %error, "a member's subscription cannot be read; it gets no partitions");
        Subscription { generation: -1, ..Subscription::default() }
    });
    let Subscription { topics, owned, generation, rack, user_data } = read;
    let user_data = user_data.unwrap_or_default();
    GroupMember { member_id, group_instance_id, topics, owned, generation, rack, user_data }
}
