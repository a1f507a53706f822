//! How members go: they say so, a static one for a while, or they are removed because they were silent or too slow.
//!
//! Who stays learns of it with the next heartbeat, when there is a new target.

use tidemill_protocol::messages::ConsumerGroupHeartbeatResponse;
use tidemill_protocol::messages::leave_group_request::MemberIdentity;
use tidemill_protocol::{ErrorCode, StrBytes};
use tokio::time::Instant;

use super::ConsumerGroup;
use super::heartbeat::{Heartbeat, fenced_by};
use super::member::AWAY;
use crate::broker::groups::Refusal;
use crate::broker::topics::Topics;

impl ConsumerGroup {
    /// A heartbeat with epoch -1 or, from a static member that will come back, -2.
    pub(in super::super) fn on_leave_heartbeat(
        &mut self,
        beat: &Heartbeat<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let request = beat.request;
        let id = match request.instance_id.as_deref() {
            None => self.known(&beat.member_id, request.group_id.as_str())?,
            Some(instance_id) => {
                let current = self.known_instance(instance_id)?;
                self.members.get(&current).map_or(Ok(()), |it| fenced_by(it, &beat.member_id, instance_id))?;
                current
            }
        };
        if request.instance_id.is_some() && request.member_epoch == AWAY {
            self.set_away(&id);
        } else {
            self.remove_members(&[id], beat.topics);
        }
        let response = ConsumerGroupHeartbeatResponse::default();
        Ok(response.with_member_id(Some(beat.member_id.clone())).with_member_epoch(request.member_epoch))
    }

    /// LeaveGroup: members of either protocol may be removed by it.
    pub(in super::super) fn on_leave(
        &mut self,
        leaving: &[MemberIdentity],
        topics: &Topics,
    ) -> Vec<Result<(), ErrorCode>> {
        let mut gone = Vec::new();
        let find = |identity: &MemberIdentity| match identity.group_instance_id.as_deref() {
            None => self.known(&identity.member_id, "").map_err(|refusal| refusal.code),
            Some(instance_id) => {
                let current = self.static_member(instance_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
                let is_it = identity.member_id.is_empty() || identity.member_id == current.id;
                if is_it { Ok(current.id.clone()) } else { Err(ErrorCode::FENCED_INSTANCE_ID) }
            }
        };
        let found: Vec<_> = leaving.iter().map(find).collect();
        gone.extend(found.iter().filter_map(|it| it.as_ref().ok()).cloned());
        self.remove_members(&gone, topics);
        found.into_iter().map(|it| it.map(|_| ())).collect()
    }

    /// Removes who was silent for too long, has not given up its partitions in time, or was to join again and has not.
    pub(in super::super) fn on_time(&mut self, topics: &Topics, now: Instant) {
        let late = self.members.values().filter(|member| member.is_late(now)).map(|member| member.id.clone());
        let late: Vec<StrBytes> = late.collect();
        for id in late {
            self.remove_members(&[id], topics);
        }
    }

    /// Removes members; all of them together are one change.
    pub(in super::super) fn remove_members(&mut self, ids: &[StrBytes], topics: &Topics) {
        if ids.is_empty() {
            return;
        }
        for id in ids {
            self.members.remove(id);
            self.target.remove(id);
        }
        let members = &self.members;
        self.patterns.resolved.retain(|pattern, _| members.values().any(|member| member.regex == *pattern));
        self.metadata = self.current_metadata(topics);
        self.bump_epoch();
    }

    /// The member's partitions wait for it until its session is over.
    fn set_away(&mut self, id: &StrBytes) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.epoch = AWAY;
        member.revoking.clear();
        member.assigned.values_mut().flat_map(|partitions| partitions.values_mut()).for_each(|since| *since = 0);
    }

    fn known(&self, id: &StrBytes, group_id: &str) -> Result<StrBytes, Refusal> {
        if self.members.contains_key(id) {
            return Ok(id.clone());
        }
        let message = format!("Member {id} is not a member of group {group_id}.");
        Err(Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message))
    }

    fn known_instance(&self, instance_id: &str) -> Result<StrBytes, Refusal> {
        self.static_member(instance_id)
            .map(|member| member.id.clone())
            .ok_or_else(|| Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, format!("Instance id {instance_id} is unknown.")))
    }
}
