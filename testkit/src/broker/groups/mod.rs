//! Consumer groups: which there are, and what their members and administrators ask of them.
//!
//! Before: the handlers decode requests. After: what waited is answered through [`Groups::poll`]. A group that is empty
//! and has no offsets stays until it is deleted; Kafka removes it after a while.
//!
//! - `classic`: one group of the classic protocol, as a machine
//! - `offsets`: what groups have committed
//! - `transactions`: what is committed in transactions
//! - `keeping`: what of a group outlives the brokers
//! - `admin`: listing, describing and deleting groups
//! - `subscription`: which topics a consumer says it reads

mod admin;
mod classic;
mod keeping;
mod offsets;
mod subscription;
#[cfg(test)]
mod tests;
mod transactions;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::messages::leave_group_request::MemberIdentity;
use tidemill_protocol::messages::leave_group_response::MemberResponse;
use tidemill_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use tidemill_protocol::{ErrorCode, StrBytes};
use tokio::time::Instant;

use self::classic::{ClassicGroup, Identity, Join};
use self::offsets::Offsets;
use self::transactions::Transactions;
use super::watched::Watched;
use super::{Caller, Token};

/// `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
const SESSION_TIMEOUT_MS: RangeInclusive<i32> = 6_000..=1_800_000;

/// Since this version a LeaveGroup names several members, and answers for each.
const LEAVES_IN_BATCHES_SINCE: i16 = 3;

/// Since this version a SyncGroup says which protocol it is for.
const SYNC_NAMES_PROTOCOL_SINCE: i16 = 5;

/// Since this version a JoinGroup answer may have no protocol.
const PROTOCOL_MAY_BE_NULL_SINCE: i16 = 7;

/// Every group, with its offsets.
#[derive(Debug)]
pub(crate) struct Groups {
    groups: Watched<String, Group>,
    /// When which group has something to do.
    deadlines: BTreeSet<(Instant, String)>,
    answers: Vec<(Token, GroupAnswer)>,
    transactions: Transactions,
    random: fastrand::Rng,
}

#[derive(Debug)]
struct Group {
    classic: ClassicGroup,
    offsets: Offsets,
    /// Its place among the deadlines.
    deadline: Option<Instant>,
}

/// The answer to a request that waited.
#[derive(Debug)]
pub(crate) enum GroupAnswer {
    Join(JoinGroupResponse),
    Sync(SyncGroupResponse),
}

/// A request that waits.
#[derive(Debug, Clone, Copy)]
struct Asked {
    token: Token,
    version: i16,
}

/// Where a group puts its answers, and what time it is.
#[derive(Debug)]
struct Outbox<'a> {
    now: Instant,
    answers: &'a mut Vec<(Token, GroupAnswer)>,
}

impl Groups {
    /// No groups. Ids of members are drawn from `random`.
    pub(crate) fn new(random: fastrand::Rng) -> Self {
        let transactions = Transactions::default();
        Self { groups: Watched::default(), deadlines: BTreeSet::new(), answers: Vec::new(), transactions, random }
    }

    /// Answers through [`Self::poll`], when everybody has joined or at once.
    pub(crate) fn handle_join(&mut self, request: JoinGroupRequest, version: i16, caller: &Caller<'_>, now: Instant) {
        let asked = Asked { token: caller.token, version };
        let group_id = request.group_id.as_str().to_owned();
        let refused = if group_id.is_empty() {
            Some(ErrorCode::INVALID_GROUP_ID)
        } else if !SESSION_TIMEOUT_MS.contains(&request.session_timeout_ms) {
            Some(ErrorCode::INVALID_SESSION_TIMEOUT)
        } else if !request.member_id.is_empty() && !self.groups.contains_key(&group_id) {
            Some(ErrorCode::UNKNOWN_MEMBER_ID)
        } else {
            None
        };
        if let Some(code) = refused {
            return refuse_join(&asked, &request.member_id, code, &mut self.outbox(now));
        }
        let new_id = if request.member_id.is_empty() {
            self.member_id(request.group_instance_id.as_deref().unwrap_or(caller.client_id))
        } else {
            StrBytes::new()
        };
        let join = join(&request, asked, caller);
        self.group_or_new(&group_id);
        self.change(&group_id, now, |group, out| group.classic.on_join(join, new_id, out));
    }

    /// Answers through [`Self::poll`], when the leader has sent its plan or at once.
    pub(crate) fn handle_sync(&mut self, request: SyncGroupRequest, version: i16, caller: &Caller<'_>, now: Instant) {
        let asked = Asked { token: caller.token, version };
        let group_id = request.group_id.as_str().to_owned();
        let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
        let refused = if version >= SYNC_NAMES_PROTOCOL_SINCE && !names_protocol {
            Some(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
        } else if group_id.is_empty() {
            Some(ErrorCode::INVALID_GROUP_ID)
        } else if self.groups.contains_key(&group_id) {
            None
        } else {
            Some(ErrorCode::UNKNOWN_MEMBER_ID)
        };
        if let Some(code) = refused {
            let response = SyncGroupResponse::default().with_error_code(code.0);
            return self.outbox(now).answer(asked, GroupAnswer::Sync(response));
        }
        self.change(&group_id, now, |group, out| group.classic.on_sync(request, asked, out));
    }

    pub(crate) fn handle_heartbeat(&mut self, request: &HeartbeatRequest, now: Instant) -> HeartbeatResponse {
        let identity = Identity {
            generation: request.generation_id,
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_deref(),
        };
        let result = if request.group_id.is_empty() {
            Err(ErrorCode::INVALID_GROUP_ID)
        } else {
            self.change(&request.group_id, now, |group, out| group.classic.on_heartbeat(identity, out.now))
                .unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID))
        };
        HeartbeatResponse::default().with_error_code(code(result))
    }

    pub(crate) fn handle_leave(
        &mut self,
        request: LeaveGroupRequest,
        version: i16,
        now: Instant,
    ) -> LeaveGroupResponse {
        if request.group_id.is_empty() {
            return LeaveGroupResponse::default().with_error_code(ErrorCode::INVALID_GROUP_ID.0);
        }
        let leaving = if version >= LEAVES_IN_BATCHES_SINCE {
            request.members
        } else {
            vec![MemberIdentity::default().with_member_id(request.member_id)]
        };
        let results = self.change(&request.group_id, now, |group, out| group.classic.on_leave(&leaving, out));
        let results = results.unwrap_or_else(|| vec![Err(ErrorCode::UNKNOWN_MEMBER_ID); leaving.len()]);
        let response = LeaveGroupResponse::default();
        if version < LEAVES_IN_BATCHES_SINCE {
            return response.with_error_code(results.into_iter().map(code).next().unwrap_or_default());
        }
        let members = leaving.into_iter().zip(results).map(|(member, result)| {
            MemberResponse::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
                .with_error_code(code(result))
        });
        response.with_members(members.collect())
    }

    /// Answers what has become due, and says when to ask again.
    pub(crate) fn poll(&mut self, now: Instant, answers: &mut Vec<(Token, GroupAnswer)>) -> Option<Instant> {
        while let Some((at, group_id)) = self.deadlines.first()
            && *at <= now
        {
            let group_id = group_id.clone();
            self.change(&group_id, now, |group, out| group.classic.on_time(out));
        }
        answers.append(&mut self.answers);
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Changes a group, if there is one of this name, and notes when it has something to do.
    fn change<T>(
        &mut self,
        group_id: &str,
        now: Instant,
        change: impl FnOnce(&mut Group, &mut Outbox<'_>) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(group_id)?;
        let changed = change(group, &mut Outbox { now, answers: &mut self.answers });
        let deadline = group.classic.next_deadline();
        if deadline != group.deadline {
            if let Some(at) = std::mem::replace(&mut group.deadline, deadline) {
                self.deadlines.remove(&(at, group_id.to_owned()));
            }
            self.deadlines.extend(deadline.map(|at| (at, group_id.to_owned())));
        }
        Some(changed)
    }

    fn group_or_new(&mut self, group_id: &str) -> &mut Group {
        let new = || Group { classic: ClassicGroup::new(), offsets: Offsets::default(), deadline: None };
        self.groups.get_or_insert_with(group_id.to_owned(), new)
    }

    fn outbox(&mut self, now: Instant) -> Outbox<'_> {
        Outbox { now, answers: &mut self.answers }
    }

    /// A new id, after the member's own name as in Kafka.
    fn member_id(&mut self, name: &str) -> StrBytes {
        let id = uuid::Builder::from_random_bytes(self.random.u128(..).to_be_bytes()).into_uuid();
        StrBytes::from_string(format!("{name}-{id}"))
    }
}

impl Outbox<'_> {
    fn answer(&mut self, asked: Asked, mut answer: GroupAnswer) {
        if let GroupAnswer::Join(response) = &mut answer
            && asked.version < PROTOCOL_MAY_BE_NULL_SINCE
        {
            response.protocol_name.get_or_insert_default();
        }
        self.answers.push((asked.token, answer));
    }
}

fn refuse_join(asked: &Asked, member_id: &str, code: ErrorCode, out: &mut Outbox<'_>) {
    let response = JoinGroupResponse::default()
        .with_error_code(code.0)
        .with_generation_id(-1)
        .with_protocol_name(None)
        .with_member_id(owned(member_id));
    out.answer(*asked, GroupAnswer::Join(response));
}

fn join(request: &JoinGroupRequest, asked: Asked, caller: &Caller<'_>) -> Join {
    let session_timeout = millis(request.session_timeout_ms);
    let protocols = request.protocols.iter();
    Join {
        asked,
        member_id: owned(&request.member_id),
        instance_id: request.group_instance_id.as_deref().map(owned),
        client_id: owned(caller.client_id),
        client_host: owned(caller.client_host),
        session_timeout,
        // The first version has none.
        rebalance_timeout: if asked.version == 0 { session_timeout } else { millis(request.rebalance_timeout_ms) },
        protocol_type: owned(&request.protocol_type),
        protocols: protocols.map(|it| (owned(&it.name), Bytes::copy_from_slice(&it.metadata))).collect(),
    }
}

/// Text of its own. What a group keeps must not be a view into a request: it would keep all of it.
fn owned(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn millis(count: i32) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or_default())
}

fn code(result: Result<(), ErrorCode>) -> i16 {
    result.err().unwrap_or(ErrorCode::NONE).0
}
