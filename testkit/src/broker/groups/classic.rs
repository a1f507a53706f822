//! One group of the classic protocol (KIP-62, KIP-345, KIP-394): who is in it, in which generation, and what its state
//! makes of each event.
//!
//! Before: [`Groups`](super::Groups) finds the group of a request. After: answers go to the requests that waited.
//! A method `on_<event>` says what an event does in every state.
//!
//! - `join`: JoinGroup, by who it comes from
//! - `rebalance`: from one generation to the next
//! - `members`: who is in the group

mod invariants;
mod join;
mod members;
mod rebalance;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::messages::leave_group_request::MemberIdentity;
use tidemill_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use tidemill_protocol::{ErrorCode, StrBytes};
use tokio::time::Instant;

use self::members::Members;
use super::migration::Migrating;
use super::{Asked, GroupAnswer, Outbox};

/// `protocol_type` of consumers. Groups of others, such as Connect's workers, keep their subscriptions to themselves.
pub(super) const CONSUMER: &str = "consumer";

/// How long a new member may wait for its first generation; it has no id to send heartbeats with.
const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_secs(300);

/// ```text
///              a member joins                      all joined, or out of time
///      Empty ────────────────> PreparingRebalance ────────────────────────────> CompletingRebalance
///        ^                        │    ^    ^   a member joins, leaves or dies          │    │
///        └────────────────────────┘    │    └───────────────────────────────────────────┘    │
///              nobody is left          │                                                     │ the leader syncs
///                                      └──────────────────────── Stable <────────────────────┘
///                     a member joins, leaves, dies, or says something new
/// ```
/// Kafka's fifth state, Dead, is that of a group that is not there: [`Groups`](super::Groups) has none of that name.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Nobody is in it; it may have offsets.
    Empty,
    /// Waits for its members to join.
    PreparingRebalance {
        /// It was empty: who is to come is not known, so only time ends this.
        initial: Option<Initial>,
        complete_at: Instant,
    },
    /// Waits for the leader's plan. Who has not sent SyncGroup by `sync_until` is removed.
    CompletingRebalance { sync_until: Instant },
    /// Every member has its assignment, or gets it by asking, until `sync_until` if some have not.
    Stable { sync_until: Option<Instant> },
}

/// Waiting for the first members: each that comes makes the others wait for more, but not longer than they can.
#[derive(Debug, Clone, Copy)]
struct Initial {
    /// How much longer it may be than until now.
    remaining: Duration,
    /// Somebody has joined since.
    joined: bool,
}

/// A group.
#[derive(Debug, Clone)]
pub(super) struct ClassicGroup {
    state: State,
    generation: i32,
    protocol_type: Option<StrBytes>,
    protocol: Option<StrBytes>,
    /// What its consumers read. `None` when they do not say.
    subscribed_topics: Option<BTreeSet<String>>,
    members: Members,
    /// Since when nobody is in it, if somebody ever was; in milliseconds since 1970.
    empty_since_ms: Option<i64>,
    /// What another coordinator would know of it: the group when it was last empty or stable.
    written: Option<Box<Self>>,
}

/// What a JoinGroup says, nothing of it a view into its frame.
#[derive(Debug, Clone)]
pub(super) struct Join {
    pub(super) asked: Asked,
    pub(super) member_id: StrBytes,
    pub(super) instance_id: Option<StrBytes>,
    pub(super) client_id: StrBytes,
    pub(super) client_host: StrBytes,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocol_type: StrBytes,
    pub(super) protocols: Vec<(StrBytes, Bytes)>,
}

/// Who says that it is a member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity<'a> {
    /// -1 when it is outside the group.
    pub(super) generation: i32,
    pub(super) member_id: &'a str,
    pub(super) instance_id: Option<&'a str>,
}

/// Why a group acts of its own accord.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A member was not heard of.
    Session(StrBytes),
    /// An id was not used.
    Pending(StrBytes),
    /// The time to join is over.
    JoinPhase,
    /// The time to sync is over.
    SyncPhase,
}

/// What DescribeGroups says of a member.
#[derive(Debug)]
pub(super) struct MemberDescription {
    pub(super) member_id: StrBytes,
    pub(super) instance_id: Option<StrBytes>,
    pub(super) client_id: StrBytes,
    pub(super) client_host: StrBytes,
    pub(super) metadata: Bytes,
    pub(super) assignment: Bytes,
}

impl ClassicGroup {
    pub(super) fn new() -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            subscribed_topics: None,
            members: Members::default(),
            empty_since_ms: None,
            written: None,
        }
    }

    /// Notes what another coordinator would know from now on.
    fn write(&mut self) {
        self.written = None;
        let mut written = self.clone();
        written.members.forget_requests();
        self.written = Some(Box::new(written));
    }

    /// Another coordinator has taken over: who waits is sent there, and everybody's session begins again.
    pub(super) fn on_moved(&mut self, out: &mut Outbox<'_>) {
        self.refuse_all(ErrorCode::NOT_COORDINATOR, out);
        *self = self.written.take().map_or_else(Self::new, |written| *written);
        for member in self.members.iter_mut() {
            member.keep_alive(out.now);
        }
        self.write();
    }

    /// A stable group of these members, which were in a consumer group until now.
    pub(super) fn migrated(generation: i32, migrating: Vec<Migrating>, now: Instant) -> Self {
        let mut group = Self { state: State::Stable { sync_until: None }, generation, ..Self::new() };
        group.protocol_type = Some(StrBytes::from_static_str(CONSUMER));
        for member in migrating {
            group.members.add(members::Member::migrated(member, now));
        }
        group.protocol = group.members.choose_protocol();
        group.subscribed_topics = group.members.subscribed_topics(group.protocol.as_deref().unwrap_or_default());
        group.write();
        group
    }

    /// The members, on their way to a consumer group, and the generation. Who waits has to join again there.
    pub(super) fn migrating(&self) -> (i32, Vec<Migrating>) {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        (self.generation, self.members.iter().map(|member| member.migrating(protocol)).collect())
    }

    /// Everybody who waits has to begin again.
    pub(super) fn refuse_all(&mut self, code: ErrorCode, out: &mut Outbox<'_>) {
        for member in self.members.iter_mut() {
            if let Some(asked) = member.joining.take() {
                super::refuse_join(&asked, &member.id, code, out);
            }
            if let Some(asked) = member.syncing.take() {
                out.answer(asked, GroupAnswer::Sync(SyncGroupResponse::default().with_error_code(code.0)));
            }
        }
    }

    /// Members were lost while it was a consumer group.
    pub(super) fn on_migrated(&mut self, out: &mut Outbox<'_>) {
        self.prepare_rebalance(out);
    }

    pub(super) fn is_empty(&self) -> bool {
        match self.state {
            State::Empty => true,
            State::PreparingRebalance { .. } | State::CompletingRebalance { .. } | State::Stable { .. } => false,
        }
    }

    pub(super) const fn empty_since_ms(&self) -> Option<i64> {
        self.empty_since_ms
    }

    pub(super) fn member_ids(&self) -> Vec<StrBytes> {
        self.members.iter().map(|member| member.id.clone()).collect()
    }

    /// Removes a member as if its session were over, whatever it waits for.
    pub(super) fn evict(&mut self, id: &str, out: &mut Outbox<'_>) -> bool {
        if self.members.get(id).is_none() {
            return false;
        }
        self.remove(id, out);
        self.rebalance_without_lost(out);
        true
    }

    /// A group without members, in this generation.
    pub(super) fn restore(generation: i32, protocol_type: Option<StrBytes>) -> Self {
        let mut group = Self { generation, protocol_type, ..Self::new() };
        group.write();
        group
    }

    /// The generation, and the protocol type that the group has once it had members.
    pub(super) const fn kept(&self) -> (i32, Option<&StrBytes>) {
        (self.generation, self.protocol_type.as_ref())
    }

    /// Followers wait for the leader; who comes behind it gets its assignment at once.
    pub(super) fn on_sync(&mut self, request: SyncGroupRequest, asked: Asked, out: &mut Outbox<'_>) {
        let answer = |code: ErrorCode| GroupAnswer::Sync(SyncGroupResponse::default().with_error_code(code.0));
        if let Err(code) = self.check_sync(&request) {
            return out.answer(asked, answer(code));
        }
        let id = request.member_id.as_str();
        let is_leader = self.members.is_leader(id);
        let response = self.sync_response();
        let Some(member) = self.members.get_mut(id) else {
            return out.answer(asked, answer(ErrorCode::UNKNOWN_MEMBER_ID));
        };
        match self.state {
            State::Empty => out.answer(asked, answer(ErrorCode::UNKNOWN_MEMBER_ID)),
            State::PreparingRebalance { .. } => out.answer(asked, answer(ErrorCode::REBALANCE_IN_PROGRESS)),
            State::CompletingRebalance { sync_until } => {
                member.syncing = Some(asked);
                member.owes_sync = false;
                if is_leader {
                    self.state = State::Stable { sync_until: Some(sync_until) };
                    self.assign(&request.assignments, out);
                    self.write();
                }
            }
            State::Stable { .. } => {
                member.owes_sync = false;
                out.answer(asked, GroupAnswer::Sync(response.with_assignment(member.assignment.clone())));
            }
        }
        self.end_sync_phase();
    }

    pub(super) fn on_heartbeat(&mut self, identity: Identity<'_>, now: Instant) -> Result<(), ErrorCode> {
        self.check_member(identity)?;
        let Some(member) = self.members.get_mut(identity.member_id) else { return Err(ErrorCode::UNKNOWN_MEMBER_ID) };
        match self.state {
            State::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::PreparingRebalance { .. } => {
                member.keep_alive(now);
                Err(ErrorCode::REBALANCE_IN_PROGRESS)
            }
            State::CompletingRebalance { .. } | State::Stable { .. } => {
                member.keep_alive(now);
                Ok(())
            }
        }
    }

    /// Each of those who leave is answered for itself; the others rebalance once. A static member may be removed by its
    /// name alone, as an administrator does.
    pub(super) fn on_leave(&mut self, leaving: &[MemberIdentity], out: &mut Outbox<'_>) -> Vec<Result<(), ErrorCode>> {
        let results: Vec<_> = leaving.iter().map(|identity| self.remove_leaving(identity, out)).collect();
        if results.iter().any(Result::is_ok) {
            match self.state {
                State::Empty => {}
                State::PreparingRebalance { .. } | State::CompletingRebalance { .. } | State::Stable { .. } => {
                    self.rebalance_or_complete(out);
                }
            }
        }
        results
    }

    /// Whether these offsets may be committed. A commit shows that the member lives, as a heartbeat does.
    pub(super) fn on_commit(&mut self, identity: Identity<'_>, now: Instant) -> Result<(), ErrorCode> {
        let Identity { generation, member_id, instance_id } = identity;
        let is_empty = matches!(self.state, State::Empty);
        if generation < 0 && is_empty {
            return Ok(());
        }
        if generation >= 0 || !member_id.is_empty() || instance_id.is_some() {
            self.check_member(identity)?;
        } else {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        match self.state {
            State::Empty => Ok(()),
            State::PreparingRebalance { .. } | State::Stable { .. } => {
                if let Some(member) = self.members.get_mut(member_id) {
                    member.keep_alive(now);
                }
                Ok(())
            }
            State::CompletingRebalance { .. } => Err(ErrorCode::REBALANCE_IN_PROGRESS),
        }
    }

    /// Whether these offsets may be committed in a transaction: as by a commit, but the state of a group does not stand in
    /// the way, nor does one who does not say who it is.
    pub(super) fn on_commit_in_transaction(&self, identity: Identity<'_>) -> Result<(), ErrorCode> {
        let is_empty = matches!(self.state, State::Empty);
        let says_who = identity.generation >= 0 || !identity.member_id.is_empty() || identity.instance_id.is_some();
        if !says_who || identity.generation < 0 && is_empty {
            return Ok(());
        }
        self.check_member(identity)
    }

    /// Whether offsets of the group may be deleted; those of topics that it reads may not.
    pub(super) fn on_delete_offsets(&self) -> Result<(), ErrorCode> {
        match self.state {
            State::Empty => Ok(()),
            State::PreparingRebalance { .. } | State::CompletingRebalance { .. } | State::Stable { .. } => {
                if self.is_of_consumers() { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) }
            }
        }
    }

    /// Does what has become due, the earliest first.
    pub(super) fn on_time(&mut self, out: &mut Outbox<'_>) {
        while let Some((at, timer)) = self.next_timer()
            && at <= out.now
        {
            match timer {
                Timer::Session(id) => self.on_session_expired(&id, out),
                Timer::Pending(id) => self.on_pending_expired(&id, out),
                Timer::JoinPhase => self.on_join_phase_over(out),
                Timer::SyncPhase => self.on_sync_phase_over(out),
            }
        }
    }

    /// When [`Self::on_time`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.next_timer().map(|(at, _)| at)
    }

    /// As Kafka calls the state.
    pub(super) const fn state_name(&self) -> &'static str {
        match self.state {
            State::Empty => "Empty",
            State::PreparingRebalance { .. } => "PreparingRebalance",
            State::CompletingRebalance { .. } => "CompletingRebalance",
            State::Stable { .. } => "Stable",
        }
    }

    pub(super) fn protocol_type(&self) -> StrBytes {
        self.protocol_type.clone().unwrap_or_default()
    }

    pub(super) fn reads(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.is_of_consumers(),
        }
    }

    /// Protocol and members. Only a stable group says what it works by; assignments are the last ones given.
    pub(super) fn describe(&self) -> (StrBytes, Vec<MemberDescription>) {
        let protocol = match self.state {
            State::Stable { .. } => self.protocol.clone(),
            State::Empty | State::PreparingRebalance { .. } | State::CompletingRebalance { .. } => None,
        };
        let describe = |member: &members::Member| MemberDescription {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: protocol.as_ref().map(|protocol| member.metadata(protocol)).unwrap_or_default(),
            assignment: member.assignment.clone(),
        };
        let members = self.members.iter().map(describe).collect();
        (protocol.unwrap_or_default(), members)
    }

    pub(super) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    fn check_member(&self, identity: Identity<'_>) -> Result<(), ErrorCode> {
        self.members.check(identity.member_id, identity.instance_id)?;
        if identity.generation == self.generation { Ok(()) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        self.check_member(Identity {
            generation: request.generation_id,
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_deref(),
        })?;
        let differs = |asked: &Option<StrBytes>, ours: &Option<StrBytes>| {
            asked.as_ref().zip(ours.as_ref()).is_some_and(|(asked, ours)| asked != ours)
        };
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol_name, &self.protocol) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        Ok(())
    }

    fn remove_leaving(&mut self, leaving: &MemberIdentity, out: &mut Outbox<'_>) -> Result<(), ErrorCode> {
        let instance_id = leaving.group_instance_id.as_deref();
        let id = leaving.member_id.as_str();
        if id.is_empty() {
            let id = instance_id.and_then(|name| self.members.id_of_instance(name)).cloned();
            self.remove(&id.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?, out);
        } else if self.members.is_pending(id) {
            self.members.remove_pending(id);
        } else {
            self.members.check(id, instance_id)?;
            self.remove(id, out);
        }
        Ok(())
    }

    fn on_session_expired(&mut self, id: &str, out: &mut Outbox<'_>) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.expires_at = None;
        let waits = member.joining.is_some() || member.syncing.is_some();
        if waits && !member.is_new {
            return;
        }
        self.remove(id, out);
        self.rebalance_without_lost(out);
    }

    fn rebalance_without_lost(&mut self, out: &mut Outbox<'_>) {
        match self.state {
            State::Empty => {}
            State::PreparingRebalance { .. } => self.complete_join_if_all_joined(out),
            State::CompletingRebalance { .. } | State::Stable { .. } => self.prepare_rebalance(out),
        }
    }

    fn on_pending_expired(&mut self, id: &str, out: &mut Outbox<'_>) {
        self.members.remove_pending(id);
        match self.state {
            State::PreparingRebalance { .. } => self.complete_join_if_all_joined(out),
            State::Empty | State::CompletingRebalance { .. } | State::Stable { .. } => {}
        }
    }

    fn next_timer(&self) -> Option<(Instant, Timer)> {
        let sessions =
            self.members.iter().filter_map(|member| Some((member.expires_at?, Timer::Session(member.id.clone()))));
        let pending = self.members.pending().map(|pending| (pending.expires_at, Timer::Pending(pending.id.clone())));
        let phase = match self.state {
            State::Empty | State::Stable { sync_until: None } => None,
            State::PreparingRebalance { complete_at, .. } => Some((complete_at, Timer::JoinPhase)),
            State::CompletingRebalance { sync_until } | State::Stable { sync_until: Some(sync_until) } => {
                Some((sync_until, Timer::SyncPhase))
            }
        };
        sessions.chain(pending).chain(phase).min()
    }
}
