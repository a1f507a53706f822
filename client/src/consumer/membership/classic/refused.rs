//! What a refusal of the coordinator leads to.
//!
//! Before: [`classic`](super) has a refused `JoinGroup`, `SyncGroup`, `Heartbeat` or `OffsetCommit`. After: the state in
//! which the member tries again, gives up what it has, or stops.

use std::time::Instant;

use tidemill_protocol::ErrorCode;

use super::{Action, Classic, Failure, State, Then};

impl Classic {
    /// `JoinGroup` or `SyncGroup` failed. What a cooperative member owns stays, unless the group went on without it.
    pub(super) fn on_refused_while_joining(&mut self, failure: Failure, now: Instant) {
        if failure.is_elsewhere() {
            self.out.push(Action::CoordinatorMoved);
            return self.rejoin_after_backoff("the coordinator moved", now);
        }
        if failure.is_final() {
            self.out.push(Action::Failed { failure, fatal: true });
            if self.owned.is_empty() {
                self.state = State::Idle;
            } else {
                self.revoke(None, Then::Stop, "refused by the group", now);
            }
            return;
        }
        match failure {
            Failure::Broker(ErrorCode::UNKNOWN_MEMBER_ID) => {
                self.forget_member_id();
                self.rejoin_without("the member id was unknown", now);
            }
            Failure::Broker(ErrorCode::ILLEGAL_GENERATION) => self.rejoin_without("another rebalance began", now),
            Failure::Broker(ErrorCode::REBALANCE_IN_PROGRESS) => {
                self.rejoin_soon("another rebalance began", now);
            }
            Failure::Broker(code) if code.is_retriable() => self.rejoin_after_backoff("retry", now),
            Failure::Broker(_) | Failure::NoAnswer | Failure::Hopeless(_) => {
                self.out.push(Action::Failed { failure, fatal: false });
                self.rejoin_after_backoff("retry after an error", now);
            }
        }
    }

    /// A heartbeat or a commit failed while partitions are owned.
    pub(super) fn on_refused(&mut self, failure: Failure, now: Instant) {
        if failure.is_elsewhere() {
            return self.out.push(Action::CoordinatorMoved);
        }
        if failure.is_final() {
            self.out.push(Action::Failed { failure, fatal: true });
            return self.revoke(None, Then::Stop, "refused by the group", now);
        }
        match failure {
            Failure::Broker(ErrorCode::REBALANCE_IN_PROGRESS) => {
                if let State::Stable { generation, .. } = self.state {
                    self.join_again(generation, "the group rebalances", now);
                }
            }
            Failure::Broker(ErrorCode::ILLEGAL_GENERATION) => {
                self.revoke(None, Then::Join, "the generation was over", now);
            }
            Failure::Broker(ErrorCode::UNKNOWN_MEMBER_ID) => {
                self.forget_member_id();
                self.revoke(None, Then::Join, "the member id was unknown", now);
            }
            Failure::Broker(code) if code.is_retriable() => {}
            Failure::Broker(_) | Failure::NoAnswer | Failure::Hopeless(_) => {
                self.out.push(Action::Failed { failure, fatal: false });
            }
        }
    }

    /// The group went on: what we own may be another's.
    pub(super) fn rejoin_without(&mut self, reason: &'static str, now: Instant) {
        if self.owned.is_empty() {
            self.rejoin_soon(reason, now);
        } else {
            self.revoke(None, Then::Join, reason, now);
        }
    }
}
