//! Being a member of a group: what the coordinator is told, and what it says about who reads what.
//!
//! Before: [`Consumer::subscribe`](super::Consumer::subscribe) names topics. After: [`rebalance`](super::rebalance)
//! takes partitions away and gives new ones. [`classic`] is the protocol in which a member makes the plan for all;
//! whatever protocol speaks, the actions and failures here are what the rest of the consumer sees of it.

use std::sync::Arc;

use bytes::Bytes;
use tidemill_protocol::ErrorCode;

use super::assignor::Share;
use crate::error::{Error, ErrorKind};
use crate::record::TopicPartition;

pub(super) mod classic;
pub(super) mod consumer_protocol;

/// What a membership wants done.
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// Send `JoinGroup`.
    Join(Join),
    /// Send `SyncGroup`.
    Sync(Sync),
    /// Send `Heartbeat`.
    Heartbeat { attempt: u64, identity: Identity },
    /// Send `LeaveGroup`.
    Leave { attempt: u64, member_id: String },
    /// Look for the coordinator anew.
    CoordinatorMoved,
    /// The partition counts of these topics are needed: other members read them.
    TrackTopics(Vec<Arc<str>>),
    /// These partitions are ours from now on, and no others.
    Assigned(Share),
    /// Give up all partitions, then call `on_revoked`. `lost`: another member may own them already, so what was read
    /// from them can no longer be committed.
    Revoke { lost: bool },
    /// Tell the application. `fatal`: nothing further will be tried.
    Failed { failure: Failure, fatal: bool },
}

/// What a `JoinGroup` request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Join {
    pub(super) attempt: u64,
    /// Empty when the coordinator is to give one.
    pub(super) member_id: String,
    /// The protocols we offer, with our subscription in each.
    pub(super) protocols: Vec<(String, Bytes)>,
    pub(super) reason: &'static str,
}

/// What a `SyncGroup` request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sync {
    pub(super) attempt: u64,
    pub(super) identity: Identity,
    pub(super) protocol: String,
    /// The plan, when we lead.
    pub(super) assignments: Vec<(String, Bytes)>,
}

/// Who we are to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// -1 outside a group: a simple consumer that only commits.
    pub(super) generation: i32,
    pub(super) member_id: String,
}

/// A `JoinGroup` answer that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) generation: i32,
    pub(super) member_id: String,
    pub(super) protocol: String,
    pub(super) leader: String,
    /// The leader is not to make a plan: a static member came back and the old one holds (KIP-814).
    pub(super) skip_assignment: bool,
    /// Member id, static name and subscription of all members; for the leader only.
    pub(super) members: Vec<(String, Option<String>, Bytes)>,
}

/// Why a request to the coordinator did not do what it was to do.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// The broker said so.
    Broker(ErrorCode),
    /// No answer, and trying again may help: connection, time.
    NoAnswer,
    /// No answer, and none will come: configuration, a broker that breaks the protocol.
    Hopeless(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.code() {
            Some(code) => Self::Broker(code),
            // Of a refusal the application is told elsewhere; it may be withdrawn.
            None if error.is_retriable() || error.kind() == ErrorKind::Security => Self::NoAnswer,
            None => Self::Hopeless(error),
        }
    }
}

impl Failure {
    /// Whether the coordinator is to be looked for again.
    pub(super) fn is_elsewhere(&self) -> bool {
        match self {
            Self::Broker(code) => matches!(
                *code,
                ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::REQUEST_TIMED_OUT
            ),
            Self::NoAnswer => true,
            Self::Hopeless(_) => false,
        }
    }

    /// Whether nothing but another configuration can help.
    fn is_final(&self) -> bool {
        match self {
            Self::Broker(code) => matches!(
                *code,
                ErrorCode::FENCED_INSTANCE_ID
                    | ErrorCode::INCONSISTENT_GROUP_PROTOCOL
                    | ErrorCode::INVALID_GROUP_ID
                    | ErrorCode::INVALID_SESSION_TIMEOUT
                    | ErrorCode::UNSUPPORTED_VERSION
            ),
            Self::NoAnswer => false,
            Self::Hopeless(_) => true,
        }
    }
}

/// What the leader of a classic group gave a member, as the group is described; nothing when that cannot be read.
pub(crate) fn assigned_partitions(assignment: &[u8]) -> Vec<TopicPartition> {
    let share = consumer_protocol::decode_assignment(assignment).unwrap_or_default();
    let of = |(topic, numbers): (Arc<str>, Vec<i32>)| {
        numbers.into_iter().map(move |number| TopicPartition { topic: Arc::clone(&topic), partition: number })
    };
    share.into_iter().flat_map(of).collect()
}
