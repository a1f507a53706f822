//! The consumer group protocol (KIP-848): the coordinator makes the plan, and each member follows it at its own pace.
//!
//! Before: [`machine`](crate::consumer::machine) brings subscriptions, replies and metadata. After: heartbeats for the
//! coordinator, and [`rebalance`](crate::consumer::rebalance) for the partitions that come and go. There is one request
//! for everything: it says who we are, what has changed of us and what we hold; the answer says our epoch and what we
//! shall hold. What the coordinator takes away it gives to another only when a heartbeat says that it is given up.
//!
//! The coordinator names topics by their id. It may give us a topic, by a pattern, that metadata has not named yet: then
//! metadata is asked for the id, and until it knows we hold and say all the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_protocol::ErrorCode;
use tracing::{info, warn};
use uuid::Uuid;

use super::{Action, Committer, Failure, Identity};
use crate::cluster::Backoff;
use crate::consumer::assignor::Share;

#[cfg(test)]
mod tests;

/// Partitions by the id of their topic.
pub(in crate::consumer) type SharesById = BTreeMap<Uuid, Vec<i32>>;

/// What the application wants to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::consumer) struct Wish {
    pub(in crate::consumer) topics: BTreeSet<Arc<str>>,
    /// A regular expression of RE2, which the coordinator matches.
    pub(in crate::consumer) pattern: Option<Arc<str>>,
}

impl Wish {
    fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.pattern.is_none()
    }
}

/// What a `ConsumerGroupHeartbeat` request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::consumer) struct Heartbeat {
    pub(in crate::consumer) attempt: u64,
    /// The epoch is 0 to join, and negative to leave.
    pub(in crate::consumer) identity: Identity,
    /// What stays as it is, said when joining and when the last heartbeat may not have arrived.
    pub(in crate::consumer) introduces: bool,
    /// What to read, when it is new.
    pub(in crate::consumer) wish: Option<Wish>,
    /// What we hold, when it is new.
    pub(in crate::consumer) held: Option<SharesById>,
}

/// A `ConsumerGroupHeartbeat` answer that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::consumer) struct Beaten {
    pub(in crate::consumer) epoch: i32,
    pub(in crate::consumer) interval: Duration,
    /// What we shall hold, when it is new.
    pub(in crate::consumer) target: Option<SharesById>,
}

/// Where we stand with the coordinator.
///
/// ```text
/// Idle ──subscribe──> Unjoined ──due──> Member ──unsubscribe──> Revoking ──settled──> Leaving ──left──> Idle
///                        ▲                └──fenced, stalled──> Revoking, lost ──settled──┐
///                        └─────────────────────────────────────────────────────────────────┘
/// ```
#[derive(Debug)]
enum State {
    /// Nothing is subscribed to.
    Idle,
    /// Nothing is owned. `join_at`: none while the application has to come back first.
    Unjoined { join_at: Option<Instant> },
    /// A member; with epoch 0 until the coordinator has answered.
    Member { epoch: i32, beat: Beat },
    /// All partitions are being given up. `epoch`: none when they are lost already.
    Revoking { epoch: Option<i32>, beat: Beat, then: Then },
    /// The last heartbeat is under way.
    Leaving { attempt: u64 },
}

/// When the next heartbeat goes out, and the one whose answer is awaited.
#[derive(Debug, Clone, Copy)]
struct Beat {
    due: Instant,
    in_flight: Option<u64>,
}

/// What comes after the partitions are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Leave,
    Join,
    /// The application must ask for records first: it was away for too long.
    AwaitPoll,
    /// Nothing: the group will not have us.
    Stop,
}

/// What a [`ConsumerMember`] needs to know.
#[derive(Debug, Clone)]
pub(in crate::consumer) struct Config {
    pub(in crate::consumer) group_instance_id: Option<String>,
    pub(in crate::consumer) backoff: Backoff,
}

/// The epoch that says: leaving for good.
const LEAVES: i32 = -1;
/// The epoch by which a static member says that it will be back.
const LEAVES_FOR_A_WHILE: i32 = -2;

/// One member of a group, speaking the consumer group protocol.
#[derive(Debug)]
pub(in crate::consumer) struct ConsumerMember {
    config: Config,
    state: State,
    /// Ours for life: the coordinator knows us by it from the first heartbeat on.
    member_id: String,
    wish: Wish,
    /// What the coordinator was told last; none when it may not know.
    told_wish: Option<Wish>,
    told_held: Option<SharesById>,
    /// What the coordinator wants us to hold.
    target: SharesById,
    /// What of it we can name; what we hold once this has settled.
    named: SharesById,
    /// What we hold.
    held: SharesById,
    /// Of the wish to hold what is named, so that an earlier one that comes true is not taken for it.
    token: u64,
    settled: bool,
    topic_names: BTreeMap<Uuid, Arc<str>>,
    attempts: u64,
    failures: u32,
    random: fastrand::Rng,
    out: Vec<Action>,
}

impl ConsumerMember {
    pub(in crate::consumer) fn new(config: Config, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let member_id = uuid::Builder::from_random_bytes(random.u128(..).to_be_bytes()).into_uuid().to_string();
        Self {
            config,
            state: State::Idle,
            member_id,
            wish: Wish::default(),
            told_wish: None,
            told_held: None,
            target: SharesById::new(),
            named: SharesById::new(),
            held: SharesById::new(),
            token: 0,
            settled: true,
            topic_names: BTreeMap::new(),
            attempts: 0,
            failures: 0,
            random,
            out: Vec::new(),
        }
    }

    /// Who commits what is ours.
    pub(in crate::consumer) fn committer(&self) -> Committer {
        match &self.state {
            State::Member { epoch, .. } | State::Revoking { epoch: Some(epoch), .. } if *epoch > 0 => {
                Committer::As(self.identity(*epoch))
            }
            State::Idle
            | State::Unjoined { .. }
            | State::Member { .. }
            | State::Revoking { .. }
            | State::Leaving { .. } => Committer::Nobody,
        }
    }

    /// Whether all is left behind.
    pub(in crate::consumer) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// What is due at `now`, and when to ask again.
    pub(in crate::consumer) fn poll(&mut self, now: Instant, actions: &mut Vec<Action>) -> Option<Instant> {
        if let State::Unjoined { join_at: Some(due) } = self.state
            && due <= now
        {
            self.forget();
            info!(member_id = %self.member_id, "joining");
            self.state = State::Member { epoch: 0, beat: Beat { due: now, in_flight: None } };
        }
        let wake_at = match &mut self.state {
            State::Idle | State::Leaving { .. } | State::Revoking { epoch: None, .. } => None,
            State::Unjoined { join_at } => *join_at,
            State::Member { epoch, beat } | State::Revoking { epoch: Some(epoch), beat, .. } => {
                if beat.in_flight.is_some() {
                    None
                } else if beat.due <= now {
                    self.attempts += 1;
                    beat.in_flight = Some(self.attempts);
                    let epoch = *epoch;
                    self.beat(epoch);
                    None
                } else {
                    Some(beat.due)
                }
            }
        };
        actions.append(&mut self.out);
        wake_at
    }

    /// The application subscribed, maybe to other topics than before; to none at all when it unsubscribed.
    pub(in crate::consumer) fn on_subscribe(&mut self, wish: Wish, now: Instant) {
        self.wish = wish;
        let wanted = !self.wish.is_empty();
        match &mut self.state {
            State::Idle | State::Unjoined { .. } if wanted => self.state = State::Unjoined { join_at: Some(now) },
            State::Idle => {}
            State::Unjoined { .. } => self.state = State::Idle,
            State::Member { beat, .. } if wanted => {
                if self.told_wish.as_ref() != Some(&self.wish) {
                    beat.due = now;
                }
            }
            State::Member { epoch, beat } => {
                let (epoch, beat) = (*epoch, *beat);
                self.give_up(Some(epoch), beat, Then::Leave, "unsubscribed");
            }
            State::Revoking { epoch: Some(_), then, .. } => *then = Then::Leave,
            State::Revoking { epoch: None, then, .. } => *then = Then::Join,
            State::Leaving { .. } => {}
        }
    }

    pub(in crate::consumer) fn on_reply(&mut self, attempt: u64, reply: Result<Beaten, Failure>, now: Instant) {
        match &mut self.state {
            State::Leaving { attempt: awaited } if *awaited == attempt => return self.after_leaving(now),
            State::Member { beat, .. } | State::Revoking { epoch: Some(_), beat, .. }
                if beat.in_flight == Some(attempt) =>
            {
                beat.in_flight = None;
            }
            State::Idle
            | State::Unjoined { .. }
            | State::Member { .. }
            | State::Revoking { .. }
            | State::Leaving { .. } => return,
        }
        let beaten = match reply {
            Ok(beaten) => beaten,
            Err(failure) => return self.on_refused(failure, now),
        };
        self.failures = 0;
        let says_more = self.says_more();
        match &mut self.state {
            State::Member { epoch, beat } => {
                if *epoch != beaten.epoch {
                    info!(member_id = %self.member_id, epoch = beaten.epoch, "the member has a new epoch");
                }
                *epoch = beaten.epoch;
                beat.due = if says_more { now } else { now + beaten.interval };
                if let Some(target) = beaten.target {
                    self.target = target;
                    self.reconcile();
                }
            }
            State::Revoking { epoch: Some(epoch), beat, .. } => {
                // What it wants us to hold does not matter any more: we are about to leave.
                *epoch = beaten.epoch;
                beat.due = now + beaten.interval;
            }
            State::Revoking { epoch: None, .. } | State::Idle | State::Unjoined { .. } | State::Leaving { .. } => {}
        }
    }

    /// Metadata changed: which topics there are, by their id.
    pub(in crate::consumer) fn on_topic_names(&mut self, topic_names: BTreeMap<Uuid, Arc<str>>) {
        self.topic_names = topic_names;
        if matches!(self.state, State::Member { .. }) && self.target.keys().any(|id| !self.named.contains_key(id)) {
            self.reconcile();
        }
    }

    /// What shall be owned is owned, and nothing else.
    pub(in crate::consumer) fn on_settled(&mut self, token: u64, now: Instant) {
        if token != self.token {
            return;
        }
        self.settled = true;
        self.held.clone_from(&self.named);
        match &mut self.state {
            // The coordinator waits to hear it: another member may wait for what we gave up.
            State::Member { beat, .. } => beat.due = now,
            State::Revoking { epoch, then, .. } => match (then, epoch) {
                (Then::Leave, Some(_)) => self.leave(),
                (Then::Leave | Then::Join, _) if self.wish.is_empty() => self.state = State::Idle,
                (Then::Leave | Then::Join, _) => self.state = State::Unjoined { join_at: Some(now) },
                (Then::AwaitPoll, _) => self.state = State::Unjoined { join_at: None },
                (Then::Stop, _) => self.state = State::Idle,
            },
            State::Idle | State::Unjoined { .. } | State::Leaving { .. } => {}
        }
    }

    /// A commit made as `identity` was refused.
    pub(in crate::consumer) fn on_commit_refused(&mut self, identity: &Identity, failure: Failure, now: Instant) {
        if self.committer() == Committer::As(identity.clone()) {
            self.on_refused(failure, now);
        }
    }

    /// The application did not ask for records for longer than it may: others take over its partitions.
    pub(in crate::consumer) fn on_stalled(&mut self, now: Instant) {
        match &self.state {
            State::Idle | State::Leaving { .. } | State::Unjoined { join_at: None } => {}
            State::Unjoined { join_at: Some(_) } => self.state = State::Unjoined { join_at: None },
            State::Member { beat, .. } | State::Revoking { beat, .. } => {
                let beat = *beat;
                if !matches!(self.state, State::Revoking { epoch: None, .. }) {
                    self.say_goodbye();
                }
                self.give_up(None, Beat { due: now, ..beat }, Then::AwaitPoll, "records were not asked for in time");
            }
        }
    }

    /// The application asks for records.
    pub(in crate::consumer) fn on_polled(&mut self, now: Instant) {
        match &mut self.state {
            State::Unjoined { join_at: join_at @ None } => *join_at = Some(now),
            State::Revoking { then: then @ Then::AwaitPoll, .. } => *then = Then::Join,
            State::Idle
            | State::Unjoined { join_at: Some(_) }
            | State::Member { .. }
            | State::Revoking { then: Then::Leave | Then::Join | Then::Stop, .. }
            | State::Leaving { .. } => {}
        }
    }

    fn identity(&self, epoch: i32) -> Identity {
        Identity { generation: epoch, member_id: self.member_id.clone() }
    }

    /// Whether the coordinator is to hear something before the next heartbeat is due.
    fn says_more(&self) -> bool {
        self.told_wish.as_ref() != Some(&self.wish) || (self.settled && self.told_held.as_ref() != Some(&self.held))
    }

    fn beat(&mut self, epoch: i32) {
        let introduces = epoch == 0 || self.told_wish.is_none();
        let wish = Some(&self.wish).filter(|wish| self.told_wish.as_ref() != Some(*wish)).cloned();
        let held = Some(&self.held).filter(|held| self.told_held.as_ref() != Some(*held)).cloned();
        self.told_wish = Some(self.wish.clone());
        self.told_held = Some(self.held.clone());
        let identity = self.identity(epoch);
        self.out.push(Action::GroupHeartbeat(Heartbeat { attempt: self.attempts, identity, introduces, wish, held }));
    }

    /// Says that we go; the answer does not matter.
    fn say_goodbye(&mut self) {
        let epoch = if self.config.group_instance_id.is_some() { LEAVES_FOR_A_WHILE } else { LEAVES };
        self.attempts += 1;
        let identity = self.identity(epoch);
        let (attempt, introduces, wish, held) = (self.attempts, false, None, None);
        self.out.push(Action::GroupHeartbeat(Heartbeat { attempt, identity, introduces, wish, held }));
    }

    fn leave(&mut self) {
        self.say_goodbye();
        self.state = State::Leaving { attempt: self.attempts };
    }

    fn after_leaving(&mut self, now: Instant) {
        self.state = if self.wish.is_empty() { State::Idle } else { State::Unjoined { join_at: Some(now) } };
    }

    /// The coordinator is to be told everything, and has told us nothing.
    fn forget(&mut self) {
        self.told_wish = None;
        self.told_held = None;
        self.target.clear();
        self.named.clear();
        self.held.clear();
    }

    /// Holds what the coordinator wants us to hold, as far as we know the names of the topics.
    fn reconcile(&mut self) {
        let unknown: Vec<Uuid> = self.target.keys().filter(|id| !self.topic_names.contains_key(id)).copied().collect();
        if !unknown.is_empty() {
            warn!(?unknown, "the group gives us topics that metadata has not named yet");
            self.out.push(Action::NameTopics(unknown));
        }
        let mut share = Share::new();
        let mut named = SharesById::new();
        for (id, numbers) in &self.target {
            let Some(name) = self.topic_names.get(id) else { continue };
            named.insert(*id, numbers.clone());
            share.insert(Arc::clone(name), numbers.clone());
        }
        info!(member_id = %self.member_id, ?share, "assigned");
        self.named = named;
        // Said again even when nothing changes: the coordinator waits for it.
        self.told_held = None;
        self.own(share, false);
    }

    fn own(&mut self, share: Share, lost: bool) {
        self.token += 1;
        self.settled = false;
        self.out.push(Action::Own { token: self.token, share, lost });
    }

    /// All partitions are to be given up; without an epoch, they are lost.
    fn give_up(&mut self, epoch: Option<i32>, beat: Beat, then: Then, reason: &str) {
        info!(reason, member_id = %self.member_id, lost = epoch.is_none(), "giving up all partitions");
        self.state = State::Revoking { epoch, beat, then };
        self.target.clear();
        self.named.clear();
        self.own(Share::new(), epoch.is_none());
    }

    /// A heartbeat or a commit failed.
    fn on_refused(&mut self, failure: Failure, now: Instant) {
        let delay = self.config.backoff.next(self.failures, &mut self.random);
        self.failures = self.failures.saturating_add(1);
        let (State::Member { beat, .. } | State::Revoking { beat, .. }) = &mut self.state else { return };
        beat.due = now + delay;
        let beat = *beat;
        // It may not have arrived: the next one says all again.
        self.told_wish = None;
        self.told_held = None;
        if failure.is_elsewhere() {
            return self.out.push(Action::CoordinatorMoved);
        }
        if failure.is_final() {
            self.out.push(Action::Failed { failure, fatal: true });
            return self.give_up(None, beat, Then::Stop, "refused by the group");
        }
        match failure {
            Failure::Broker(ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID) => {
                self.give_up(None, beat, Then::Join, "the group went on without this member");
            }
            Failure::Broker(code) if code.is_retriable() => {}
            Failure::Broker(_) | Failure::NoAnswer | Failure::Hopeless(_) => {
                self.out.push(Action::Failed { failure, fatal: false });
            }
        }
    }
}
