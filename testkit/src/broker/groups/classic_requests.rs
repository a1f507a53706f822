//! Requests of the classic protocol, to the group that they are for. Members of a consumer group may speak it too, on their
//! way from one protocol to the other.
//!
//! Before: the handlers. After: [`ClassicGroup`], or
//! [`ConsumerGroup`](super::consumer::ConsumerGroup).

use bytes::Bytes;
use tidemill_protocol::messages::leave_group_request::MemberIdentity;
use tidemill_protocol::messages::leave_group_response::MemberResponse;
use tidemill_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest,
    SyncGroupResponse,
};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::classic::{ClassicGroup, Identity, Join};
use super::{Around, Asked, Group, GroupAnswer, Groups, Outbox, Protocol, code, millis, owned, refuse_join};
use crate::broker::Caller;

/// Since this version a LeaveGroup names several members, and answers for each.
const LEAVES_IN_BATCHES_SINCE: i16 = 3;

/// Since this version a SyncGroup says which protocol it is for.
const SYNC_NAMES_PROTOCOL_SINCE: i16 = 5;

impl Groups {
    /// Answers through [`Self::poll`], when everybody has joined or at once.
    pub(crate) fn handle_join(
        &mut self,
        request: &JoinGroupRequest,
        version: i16,
        caller: &Caller<'_>,
        around: &Around<'_>,
    ) {
        let asked = Asked { token: caller.token, version };
        let group_id = request.group_id.as_str();
        let session_timeout = millis(request.session_timeout_ms);
        let properties = around.properties;
        let may_be = properties.min_session_timeout..=properties.max_session_timeout;
        let refused = if group_id.is_empty() {
            Err(ErrorCode::INVALID_GROUP_ID)
        } else if !may_be.contains(&session_timeout) {
            Err(ErrorCode::INVALID_SESSION_TIMEOUT)
        } else {
            around.coordinates(group_id).and_then(|()| self.prepare_join(request))
        };
        if let Err(code) = refused {
            return refuse_join(&asked, &request.member_id, code, &mut self.outbox(around));
        }
        let new_id = if request.member_id.is_empty() {
            self.member_id(request.group_instance_id.as_deref().unwrap_or(caller.client_id))
        } else {
            StrBytes::new()
        };
        let join = join(request, asked, caller);
        let instance_id = join.instance_id.as_deref().filter(|_| join.member_id.is_empty());
        let group = self.group_or_new(group_id, around);
        group.unwritten = false;
        let replaced_in = match (&group.protocol, instance_id) {
            (Protocol::Consumer(consumer), Some(name)) if consumer.has_new_static_member(name) => {
                Some(consumer.epochs())
            }
            (Protocol::Consumer(_) | Protocol::Classic(_), Some(_) | None) => None,
        };
        let joined = self.change(group_id, around, |group, out| match &mut group.protocol {
            Protocol::Classic(classic) => {
                classic.on_join(join, new_id, out);
                None
            }
            Protocol::Consumer(consumer) => Some(consumer.on_classic_join(join, new_id, around)),
        });
        match joined.flatten() {
            None => {}
            Some(Err((code, id))) => refuse_join(&asked, &id, code, &mut self.outbox(around)),
            Some(Ok(mut response)) => {
                if replaced_in.is_some_and(|before| self.downgrade_with_replaced(group_id, before, around)) {
                    // It has no generation before the next one.
                    response.generation_id = 0;
                }
                self.outbox(around).answer(asked, GroupAnswer::Join(response));
            }
        }
    }

    /// An empty group of the consumer protocol becomes a classic one when somebody joins who is new.
    fn prepare_join(&mut self, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
        let Some(group) = self.groups.get_mut(request.group_id.as_str()) else {
            return if request.member_id.is_empty() { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) };
        };
        if matches!(&group.protocol, Protocol::Consumer(consumer) if consumer.is_empty()) {
            if !request.member_id.is_empty() {
                return Err(ErrorCode::UNKNOWN_MEMBER_ID);
            }
            group.protocol = Protocol::Classic(ClassicGroup::new());
        }
        Ok(())
    }

    /// Answers through [`Self::poll`], when the leader has sent its plan or at once.
    pub(crate) fn handle_sync(
        &mut self,
        request: SyncGroupRequest,
        version: i16,
        caller: &Caller<'_>,
        around: &Around<'_>,
    ) {
        let asked = Asked { token: caller.token, version };
        let group_id = request.group_id.as_str().to_owned();
        let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
        let refused = if version >= SYNC_NAMES_PROTOCOL_SINCE && !names_protocol {
            Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
        } else if group_id.is_empty() {
            Err(ErrorCode::INVALID_GROUP_ID)
        } else {
            around.coordinates(&group_id)
        };
        let refuse = |code: ErrorCode| GroupAnswer::Sync(SyncGroupResponse::default().with_error_code(code.0));
        if let Err(code) = refused {
            return self.outbox(around).answer(asked, refuse(code));
        }
        let known = self.change(&group_id, around, |group, out| match &mut group.protocol {
            Protocol::Classic(classic) => classic.on_sync(request, asked, out),
            Protocol::Consumer(consumer) => {
                let answer = consumer.on_classic_sync(&request, around.topics, around.now);
                out.answer(asked, answer.map_or_else(refuse, GroupAnswer::Sync));
            }
        });
        if known.is_none() {
            self.outbox(around).answer(asked, refuse(ErrorCode::UNKNOWN_MEMBER_ID));
        }
    }

    pub(crate) fn handle_heartbeat(&mut self, request: &HeartbeatRequest, around: &Around<'_>) -> HeartbeatResponse {
        let identity = Identity {
            generation: request.generation_id,
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_deref(),
        };
        let check = || {
            if request.group_id.is_empty() {
                Err(ErrorCode::INVALID_GROUP_ID)
            } else {
                around.coordinates(&request.group_id)
            }
        };
        let result = check().and_then(|()| {
            let beat = |group: &mut Group, out: &mut Outbox<'_>| match &mut group.protocol {
                Protocol::Classic(classic) => classic.on_heartbeat(identity, out.now),
                Protocol::Consumer(consumer) => consumer.on_classic_heartbeat(identity, out.now),
            };
            self.change(&request.group_id, around, beat).unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID))
        });
        HeartbeatResponse::default().with_error_code(code(result))
    }

    pub(crate) fn handle_leave(
        &mut self,
        request: LeaveGroupRequest,
        version: i16,
        around: &Around<'_>,
    ) -> LeaveGroupResponse {
        let group_id = request.group_id.as_str().to_owned();
        let refused =
            if group_id.is_empty() { Err(ErrorCode::INVALID_GROUP_ID) } else { around.coordinates(&group_id) };
        if let Err(code) = refused {
            return LeaveGroupResponse::default().with_error_code(code.0);
        }
        let leaving = if version >= LEAVES_IN_BATCHES_SINCE {
            request.members
        } else {
            vec![MemberIdentity::default().with_member_id(request.member_id)]
        };
        let results = self.change(&group_id, around, |group, out| match &mut group.protocol {
            Protocol::Classic(classic) => classic.on_leave(&leaving, out),
            Protocol::Consumer(consumer) => consumer.on_leave(&leaving, around.topics),
        });
        self.downgrade(&group_id, around);
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
