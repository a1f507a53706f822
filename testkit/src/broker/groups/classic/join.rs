//! JoinGroup: a stranger is taken in, a static member takes its place again, a member says what it says now.
//!
//! Before: [`Groups`](super::super::Groups) has found or made the group. After: [`rebalance`](super::rebalance) answers
//! when everybody is there; who changes nothing is answered at once.

use tidemill_protocol::messages::JoinGroupResponse;
use tidemill_protocol::{ErrorCode, StrBytes};

use super::super::{Asked, GroupAnswer, Outbox, refuse_join};
use super::members::Member;
use super::{ClassicGroup, Join, NEW_MEMBER_JOIN_TIMEOUT, State};

/// From here on a client is told its id first and comes back with it, so that an answer that is lost leaves no member
/// behind that nobody is (KIP-394).
const KNOWS_ITS_ID_SINCE: i16 = 4;

/// From here on a leader can be told that the plan stands (KIP-814).
const SKIPS_ASSIGNMENT_SINCE: i16 = 9;

impl ClassicGroup {
    /// `new_id` is the id of the member if it has none yet.
    pub(in super::super) fn on_join(&mut self, join: Join, new_id: StrBytes, out: &mut Outbox<'_>) {
        if !self.has_room_for(&join, out) {
            self.members.remove(&join.member_id);
            self.members.remove_pending(&join.member_id);
            return refuse_join(&join.asked, "", ErrorCode::GROUP_MAX_SIZE_REACHED, out);
        }
        if !self.supports(&join) {
            return refuse_join(&join.asked, &join.member_id, ErrorCode::INCONSISTENT_GROUP_PROTOCOL, out);
        }
        if !join.member_id.is_empty() {
            return self.on_join_with_id(join, out);
        }
        let known = join.instance_id.as_deref().and_then(|name| self.members.id_of_instance(name)).cloned();
        match known {
            Some(old_id) => self.replace(&old_id, &new_id, join, out),
            None if join.instance_id.is_none() && join.asked.version >= KNOWS_ITS_ID_SINCE => {
                self.members.add_pending(new_id.clone(), out.now + join.session_timeout);
                refuse_join(&join.asked, &new_id, ErrorCode::MEMBER_ID_REQUIRED, out);
            }
            None => self.add(new_id, join, out),
        }
    }

    fn on_join_with_id(&mut self, join: Join, out: &mut Outbox<'_>) {
        let id = join.member_id.clone();
        if self.members.is_pending(&id) {
            if join.instance_id.is_some() {
                // An id that only a dynamic member can have been given.
                return refuse_join(&join.asked, "", ErrorCode::UNKNOWN_SERVER_ERROR, out);
            }
            return self.add(id, join, out);
        }
        if let Err(code) = self.members.check(&id, join.instance_id.as_deref()) {
            return refuse_join(&join.asked, &id, code, out);
        }
        let is_leader = self.members.is_leader(&id);
        let Some(member) = self.members.get_mut(&id) else { return };
        let says_the_same = member.protocols == join.protocols;
        match self.state {
            State::Empty => refuse_join(&join.asked, &id, ErrorCode::UNKNOWN_MEMBER_ID, out),
            // Its answer was lost.
            State::CompletingRebalance { .. } if says_the_same => self.answer_join(&join.asked, &id, out),
            // A leader joins again to have a new plan, for instance because a topic has more partitions.
            State::Stable { .. } if says_the_same && !is_leader => self.answer_join(&join.asked, &id, out),
            State::PreparingRebalance { .. } | State::CompletingRebalance { .. } | State::Stable { .. } => {
                member.update(join);
                self.rebalance_or_complete(out);
            }
        }
    }

    fn add(&mut self, id: StrBytes, join: Join, out: &mut Outbox<'_>) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if let State::PreparingRebalance { initial: Some(initial), .. } = &mut self.state {
            initial.joined = true;
        }
        let mut member = Member::new(id, join);
        member.expires_at = Some(out.now + NEW_MEMBER_JOIN_TIMEOUT);
        self.members.add(member);
        self.rebalance_or_complete(out);
    }

    /// A static member was started again: it has its old place under a new id, and who still uses the old one is fenced.
    /// As long as the group goes on with the same protocol, nobody else notices.
    fn replace(&mut self, old_id: &StrBytes, new_id: &StrBytes, join: Join, out: &mut Outbox<'_>) {
        let leader_before = self.members.leader();
        self.fence(old_id, out);
        self.members.rename(old_id, new_id);
        let Some(member) = self.members.get_mut(new_id) else { return };
        let asked = join.asked;
        member.keep_alive(out.now);
        member.is_new = false;
        member.update(join);
        match self.state {
            State::Stable { .. } if self.members.choose_protocol() == self.protocol => {
                if let Some(member) = self.members.get_mut(new_id) {
                    member.joining = None;
                }
                self.write();
                if asked.version >= SKIPS_ASSIGNMENT_SINCE {
                    let skip = self.members.is_leader(new_id);
                    let response = self.join_response(new_id).with_skip_assignment(skip);
                    out.answer(asked, GroupAnswer::Join(response));
                } else {
                    // An older client must not take itself for the leader: its plan would go nowhere.
                    let response = self.join_response(new_id).with_members(Vec::new()).with_leader(leader_before);
                    out.answer(asked, GroupAnswer::Join(response));
                }
            }
            // The old id may be in the plan that the leader makes.
            State::Stable { .. } | State::CompletingRebalance { .. } => self.prepare_rebalance(out),
            State::PreparingRebalance { .. } | State::Empty => self.rebalance_or_complete(out),
        }
    }

    fn fence(&mut self, id: &str, out: &mut Outbox<'_>) {
        let code = ErrorCode::FENCED_INSTANCE_ID;
        let Some(member) = self.members.get_mut(id) else { return };
        if let Some(asked) = member.joining.take() {
            refuse_join(&asked, id, code, out);
        }
        self.refuse_sync(id, code, out);
    }

    /// `group.max.size` counts those who have joined: while they do, the first are taken.
    fn has_room_for(&self, join: &Join, out: &Outbox<'_>) -> bool {
        let max = usize::try_from(out.properties.max_size).unwrap_or_default();
        let known = self.members.get(&join.member_id);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance { .. } => {
                let joining = self.members.iter().filter(|member| member.joining.is_some()).count();
                known.is_some_and(|member| member.joining.is_some()) || joining < max
            }
            State::CompletingRebalance { .. } | State::Stable { .. } => {
                known.is_some() || self.members.iter().count() < max
            }
        }
    }

    /// The first to join says what kind of group it is; the others must speak a protocol that all speak.
    fn supports(&self, join: &Join) -> bool {
        match self.state {
            State::Empty => !join.protocol_type.is_empty() && !join.protocols.is_empty(),
            State::PreparingRebalance { .. } | State::CompletingRebalance { .. } | State::Stable { .. } => {
                self.protocol_type.as_ref() == Some(&join.protocol_type)
                    && self.members.all_speak_one_of(&join.protocols)
            }
        }
    }

    fn answer_join(&self, asked: &Asked, id: &StrBytes, out: &mut Outbox<'_>) {
        out.answer(*asked, GroupAnswer::Join(self.join_response(id)));
    }

    /// The generation, as this member is told of it.
    pub(super) fn join_response(&self, id: &StrBytes) -> JoinGroupResponse {
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = if self.members.is_leader(id) { self.members.for_leader(&protocol) } else { Vec::new() };
        JoinGroupResponse::default()
            .with_generation_id(self.generation)
            .with_protocol_type(self.protocol_type.clone())
            .with_protocol_name(Some(protocol))
            .with_leader(self.members.leader())
            .with_member_id(id.clone())
            .with_members(members)
    }
}
