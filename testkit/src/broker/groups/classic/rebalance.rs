//! From one generation to the next: everybody joins, the leader plans, everybody gets an assignment.
//!
//! Before: [`join`](super::join), a leave, or time. After: the answers to JoinGroup and SyncGroup.

use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::messages::SyncGroupResponse;
use tidemill_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use tidemill_protocol::{ErrorCode, StrBytes};
use tokio::time::Instant;

use super::super::{GroupAnswer, Outbox, refuse_join};
use super::{CONSUMER, ClassicGroup, Initial, State};

/// The least time between two looks at who has joined, whatever the members say.
const REBALANCE_TIMEOUT_MIN: Duration = Duration::from_millis(1);

impl ClassicGroup {
    /// Something about the members has changed.
    pub(super) fn rebalance_or_complete(&mut self, out: &mut Outbox<'_>) {
        match self.state {
            State::Empty | State::CompletingRebalance { .. } | State::Stable { .. } => self.prepare_rebalance(out),
            State::PreparingRebalance { initial: Some(_), .. } => {}
            State::PreparingRebalance { initial: None, .. } => self.complete_join_if_all_joined(out),
        }
    }

    /// Everybody has to join again.
    pub(super) fn prepare_rebalance(&mut self, out: &mut Outbox<'_>) {
        match self.state {
            State::CompletingRebalance { .. } => self.take_back_syncs(out),
            State::Empty | State::PreparingRebalance { .. } | State::Stable { .. } => {}
        }
        if matches!(self.state, State::Empty) {
            let delay = out.properties.initial_rebalance_delay;
            let remaining = self.members.rebalance_timeout().saturating_sub(delay);
            let initial = Some(Initial { remaining, joined: false });
            self.state = State::PreparingRebalance { initial, complete_at: out.now + delay };
            return;
        }
        self.state = State::PreparingRebalance { initial: None, complete_at: self.join_until(out.now) };
        self.complete_join_if_all_joined(out);
    }

    /// The time to join is over; that of an empty group is made longer while members come.
    pub(super) fn on_join_phase_over(&mut self, out: &mut Outbox<'_>) {
        match self.state {
            State::PreparingRebalance { initial: Some(Initial { remaining, joined: true }), .. }
                if !remaining.is_zero() =>
            {
                let delay = out.properties.initial_rebalance_delay.min(remaining);
                let initial = Some(Initial { remaining: remaining.saturating_sub(delay), joined: false });
                self.state = State::PreparingRebalance { initial, complete_at: out.now + delay };
            }
            State::Empty
            | State::PreparingRebalance { .. }
            | State::CompletingRebalance { .. }
            | State::Stable { .. } => self.complete_join(out),
        }
    }

    pub(super) fn complete_join_if_all_joined(&mut self, out: &mut Outbox<'_>) {
        if self.members.have_all_joined() {
            self.complete_join(out);
        }
    }

    /// A new generation of those who have joined. Static members stay without joining: they are expected back.
    pub(super) fn complete_join(&mut self, out: &mut Outbox<'_>) {
        let gone = |member: &super::members::Member| member.joining.is_none() && member.instance_id.is_none();
        let gone: Vec<StrBytes> = self.members.iter().filter(|it| gone(it)).map(|member| member.id.clone()).collect();
        for id in gone {
            self.members.remove(&id);
        }
        if !self.members.is_empty() && !self.members.elect() {
            // Only static members are left and none has joined: there is nobody to lead.
            self.state = State::PreparingRebalance { initial: None, complete_at: self.join_until(out.now) };
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        self.protocol = self.members.choose_protocol();
        self.subscribed_topics = self.topics_of_members();
        if self.members.is_empty() {
            self.state = State::Empty;
            self.empty_since_ms = Some(out.unix_ms);
            self.write();
            return;
        }
        self.state = State::CompletingRebalance { sync_until: self.join_until(out.now) };
        let answers: Vec<_> = self.members.iter().map(|member| self.join_response(&member.id)).collect();
        for (member, response) in self.members.iter_mut().zip(answers) {
            member.keep_alive(out.now);
            member.is_new = false;
            member.owes_sync = true;
            if let Some(asked) = member.joining.take() {
                out.answer(asked, GroupAnswer::Join(response));
            }
        }
    }

    /// The leader's plan: who is not in it gets nothing.
    pub(super) fn assign(&mut self, plan: &[SyncGroupRequestAssignment], out: &mut Outbox<'_>) {
        let response = self.sync_response();
        for member in self.members.iter_mut() {
            // The last of several, as a map would have it.
            let share = plan.iter().rev().find(|share| share.member_id == member.id);
            member.assignment = share.map(|share| Bytes::copy_from_slice(&share.assignment)).unwrap_or_default();
            if let Some(asked) = member.syncing.take() {
                member.keep_alive(out.now);
                let response = response.clone().with_assignment(member.assignment.clone());
                out.answer(asked, GroupAnswer::Sync(response));
            }
        }
    }

    /// Once everybody has asked for its assignment, nobody is removed for not asking.
    pub(super) fn end_sync_phase(&mut self) {
        match &mut self.state {
            State::Stable { sync_until } if self.members.have_all_synced() => *sync_until = None,
            State::Empty
            | State::PreparingRebalance { .. }
            | State::CompletingRebalance { .. }
            | State::Stable { .. } => {}
        }
    }

    /// Who has not sent SyncGroup for as long as a rebalance may take is removed.
    pub(super) fn on_sync_phase_over(&mut self, out: &mut Outbox<'_>) {
        let late: Vec<StrBytes> =
            self.members.iter().filter(|member| member.owes_sync).map(|member| member.id.clone()).collect();
        for id in late {
            self.members.remove(&id);
        }
        self.prepare_rebalance(out);
    }

    /// Removes a member. Its JoinGroup is refused; its SyncGroup is never answered, as in Kafka.
    pub(super) fn remove(&mut self, id: &str, out: &mut Outbox<'_>) {
        if let Some(removed) = self.members.remove(id)
            && let Some(asked) = removed.joining
        {
            refuse_join(&asked, "", ErrorCode::UNKNOWN_MEMBER_ID, out);
        }
    }

    pub(super) fn refuse_sync(&mut self, id: &str, code: ErrorCode, out: &mut Outbox<'_>) {
        if let Some(asked) = self.members.get_mut(id).and_then(|member| member.syncing.take()) {
            out.answer(asked, GroupAnswer::Sync(SyncGroupResponse::default().with_error_code(code.0)));
        }
    }

    pub(super) fn sync_response(&self) -> SyncGroupResponse {
        SyncGroupResponse::default()
            .with_protocol_type(self.protocol_type.clone())
            .with_protocol_name(self.protocol.clone())
    }

    /// The plan that some wait for will not come.
    fn take_back_syncs(&mut self, out: &mut Outbox<'_>) {
        for member in self.members.iter_mut() {
            member.assignment = Bytes::new();
            if let Some(asked) = member.syncing.take() {
                member.keep_alive(out.now);
                let response = SyncGroupResponse::default().with_error_code(ErrorCode::REBALANCE_IN_PROGRESS.0);
                out.answer(asked, GroupAnswer::Sync(response));
            }
        }
    }

    fn topics_of_members(&self) -> Option<std::collections::BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return None;
        }
        self.members.subscribed_topics(self.protocol.as_deref().unwrap_or_default())
    }

    /// Where nobody is in the group but who has yet to join with the id that it got, nobody is waited for.
    fn join_until(&self, now: Instant) -> Instant {
        if self.members.is_empty() {
            return now;
        }
        now + self.members.rebalance_timeout().max(REBALANCE_TIMEOUT_MIN)
    }
}
