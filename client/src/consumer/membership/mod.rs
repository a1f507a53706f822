//! Being a member of a group: what the coordinator is told, and what it says about who reads what.
//!
//! Before: [`Consumer::subscribe`](super::Consumer::subscribe) names topics. After: [`rebalance`](super::rebalance)
//! takes partitions away and gives new ones. [`classic`] is the protocol in which a member makes the plan for all,
//! [`consumer`] the one in which the coordinator does; whichever is spoken, the rest of the consumer sees a [`Membership`].

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tidemill_protocol::ErrorCode;
use uuid::Uuid;

use self::classic::Classic;
use self::consumer::{ConsumerMember, Wish};
use super::assignor::Share;
use crate::cluster::Snapshot;
use crate::error::{Error, ErrorKind};
use crate::record::TopicPartition;

pub(super) mod classic;
pub(super) mod consumer;
pub(super) mod consumer_protocol;

/// How to be a member.
#[derive(Debug, Clone)]
pub(super) enum Config {
    Classic(classic::Config),
    Consumer(consumer::Config),
}

/// A member of a group, by either protocol. What a protocol does not know, it does not hear.
#[derive(Debug)]
pub(super) enum Membership {
    Classic(Classic),
    Consumer(ConsumerMember),
}

impl Membership {
    pub(super) fn new(config: Config, seed: u64) -> Self {
        match config {
            Config::Classic(config) => Self::Classic(Classic::new(config, seed)),
            Config::Consumer(config) => Self::Consumer(ConsumerMember::new(config, seed)),
        }
    }

    pub(super) fn committer(&self) -> Committer {
        match self {
            Self::Classic(member) => member.committer(),
            Self::Consumer(member) => member.committer(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        match self {
            Self::Classic(member) => member.is_idle(),
            Self::Consumer(member) => member.is_idle(),
        }
    }

    pub(super) fn poll(&mut self, now: Instant, actions: &mut Vec<Action>) -> Option<Instant> {
        match self {
            Self::Classic(member) => member.poll(now, actions),
            Self::Consumer(member) => member.poll(now, actions),
        }
    }

    pub(super) fn on_subscribe(&mut self, wish: Wish, now: Instant) {
        match self {
            Self::Classic(member) => member.on_subscribe(wish.topics, now),
            Self::Consumer(member) => member.on_subscribe(wish, now),
        }
    }

    /// Whether the coordinator can be given a pattern.
    pub(super) fn takes_patterns(&self) -> bool {
        matches!(self, Self::Consumer(_))
    }

    pub(super) fn on_metadata(&mut self, metadata: &Snapshot, now: Instant) {
        match self {
            Self::Classic(member) => member.on_partition_counts(metadata.partition_counts(), now),
            Self::Consumer(member) => member.on_topic_names(metadata.topic_names()),
        }
    }

    pub(super) fn on_settled(&mut self, token: u64, now: Instant) {
        match self {
            Self::Classic(member) => member.on_settled(token, now),
            Self::Consumer(member) => member.on_settled(token, now),
        }
    }

    pub(super) fn on_commit_refused(&mut self, identity: &Identity, failure: Failure, now: Instant) {
        match self {
            Self::Classic(member) => member.on_commit_refused(identity, failure, now),
            Self::Consumer(member) => member.on_commit_refused(identity, failure, now),
        }
    }

    pub(super) fn on_stalled(&mut self, now: Instant) {
        match self {
            Self::Classic(member) => member.on_stalled(now),
            Self::Consumer(member) => member.on_stalled(now),
        }
    }

    pub(super) fn on_polled(&mut self, now: Instant) {
        match self {
            Self::Classic(member) => member.on_polled(now),
            Self::Consumer(member) => member.on_polled(now),
        }
    }

    pub(super) fn on_join_reply(&mut self, attempt: u64, reply: Result<Joined, (Failure, String)>, now: Instant) {
        if let Self::Classic(member) = self {
            member.on_join_reply(attempt, reply, now);
        }
    }

    pub(super) fn on_sync_reply(&mut self, attempt: u64, reply: Result<Bytes, Failure>, now: Instant) {
        if let Self::Classic(member) = self {
            member.on_sync_reply(attempt, reply, now);
        }
    }

    pub(super) fn on_heartbeat_reply(&mut self, attempt: u64, reply: Result<(), Failure>, now: Instant) {
        if let Self::Classic(member) = self {
            member.on_heartbeat_reply(attempt, reply, now);
        }
    }

    pub(super) fn on_left(&mut self, attempt: u64, now: Instant) {
        if let Self::Classic(member) = self {
            member.on_left(attempt, now);
        }
    }

    pub(super) fn on_group_heartbeat_reply(
        &mut self,
        attempt: u64,
        reply: Result<consumer::Beaten, Failure>,
        now: Instant,
    ) {
        if let Self::Consumer(member) = self {
            member.on_reply(attempt, reply, now);
        }
    }
}

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
    /// Send `ConsumerGroupHeartbeat`.
    GroupHeartbeat(consumer::Heartbeat),
    /// The names of these topics are needed: the group gives us their partitions.
    NameTopics(Vec<Uuid>),
    /// The partition counts of these topics are needed: other members read them.
    TrackTopics(Vec<Arc<str>>),
    /// These partitions shall be ours, and no others: then call `on_settled` with the token. `lost`: another member may
    /// own those that are ours now already, so what was read from them can no longer be committed.
    Own { token: u64, share: Share, lost: bool },
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

/// Who commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Committer {
    As(Identity),
    /// The partitions are ours, but the coordinator hears no commits until the group has rebalanced.
    Later,
    /// Nothing is ours to commit.
    Nobody,
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
                    | ErrorCode::UNSUPPORTED_ASSIGNOR
                    | ErrorCode::INVALID_REGULAR_EXPRESSION
                    | ErrorCode::UNRELEASED_INSTANCE_ID
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
