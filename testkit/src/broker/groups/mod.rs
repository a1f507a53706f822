//! Groups: which there are, and what their members and administrators ask of them.
//!
//! Before: the handlers decode requests. After: what waited is answered through [`Groups::poll`].
//!
//! - `classic`: one group of the classic protocol, as a machine
//! - `consumer`: one group of the consumer protocol (KIP-848), as a machine
//! - `classic_requests`, `consumer_requests`: requests of members of either, to the group that they are for
//! - `coordination`: a group moves to another coordinator; members are evicted
//! - `migration`: groups with members change their protocol
//! - `offsets`: what groups have committed
//! - `transactions`: what is committed in transactions
//! - `expiry`: offsets and groups that nobody uses are forgotten
//! - `keeping`: what of a group outlives the brokers
//! - `admin`: listing, describing and deleting groups
//! - `subscription`: which topics a classic consumer says it reads
//! - `config`: the settings

mod admin;
mod classic;
mod classic_requests;
mod config;
mod consumer;
mod consumer_requests;
mod coordination;
mod expiry;
mod invariants;
mod keeping;
mod migration;
mod offsets;
mod subscription;
#[cfg(test)]
mod tests;
mod transactions;

use std::collections::BTreeSet;
use std::time::Duration;

use tidemill_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use tidemill_protocol::{ErrorCode, StrBytes};
use tokio::time::Instant;

use self::classic::ClassicGroup;
pub(crate) use self::config::GroupOverride;
pub use self::config::{GroupProperties, MigrationPolicy};
use self::consumer::ConsumerGroup;
use self::offsets::Offsets;
pub(crate) use self::offsets::in_one_piece;
use self::transactions::Transactions;
use super::Token;
use super::nodes::{CoordinatorKind, Nodes};
use super::topics::Topics;
use super::watched::Watched;

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
    next_expiry_check: Option<Instant>,
    /// What the coordinators were when groups were last moved.
    coordinators_seen: Option<u64>,
}

#[derive(Debug)]
struct Group {
    protocol: Protocol,
    offsets: Offsets,
    /// Its place among the deadlines.
    deadline: Option<Instant>,
    /// The broker that has it loaded.
    coordinator: Option<i32>,
    /// It was made for a commit of which nothing was taken: as nothing is written of it, who looks at groups finds none.
    unwritten: bool,
}

/// Which protocol the members of a group speak. An empty group changes to the one that is asked for.
#[derive(Debug)]
enum Protocol {
    Classic(ClassicGroup),
    Consumer(ConsumerGroup),
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

/// What groups look at outside of themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) topics: &'a Topics,
    pub(crate) nodes: &'a Nodes,
    pub(crate) properties: &'a GroupProperties,
    /// The broker that is asked.
    pub(crate) node_id: i32,
    pub(crate) now: Instant,
    pub(crate) unix_ms: i64,
}

/// Where a group puts its answers, what time it is, and what the settings are.
#[derive(Debug)]
struct Outbox<'a> {
    now: Instant,
    unix_ms: i64,
    properties: &'a GroupProperties,
    answers: &'a mut Vec<(Token, GroupAnswer)>,
}

/// Why a request is refused, in Kafka's words, if it has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl Around<'_> {
    /// Whether the broker that is asked coordinates this group.
    pub(crate) fn coordinates(&self, group_id: &str) -> Result<(), ErrorCode> {
        match self.nodes.coordinator(CoordinatorKind::Group, group_id) {
            Some(coordinator) if coordinator == self.node_id => Ok(()),
            Some(_) | None => Err(ErrorCode::NOT_COORDINATOR),
        }
    }
}

impl Groups {
    /// No groups. Ids of members are drawn from `random`.
    pub(crate) fn new(random: fastrand::Rng) -> Self {
        Self {
            groups: Watched::default(),
            deadlines: BTreeSet::new(),
            answers: Vec::new(),
            transactions: Transactions::default(),
            random,
            next_expiry_check: None,
            coordinators_seen: None,
        }
    }

    /// Answers what has become due, and says when to ask again.
    pub(crate) fn poll(&mut self, around: &Around<'_>, answers: &mut Vec<(Token, GroupAnswer)>) -> Option<Instant> {
        self.follow_coordinators(around);
        while let Some((at, group_id)) = self.deadlines.first()
            && *at <= around.now
        {
            let group_id = group_id.clone();
            self.change(&group_id, around, |group, out| match &mut group.protocol {
                Protocol::Classic(classic) => classic.on_time(out),
                Protocol::Consumer(consumer) => consumer.on_time(around.topics, around.now),
            });
            self.downgrade(&group_id, around);
        }
        answers.append(&mut self.answers);
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Changes a group, if there is one of this name, and notes when it has something to do.
    fn change<T>(
        &mut self,
        group_id: &str,
        around: &Around<'_>,
        change: impl FnOnce(&mut Group, &mut Outbox<'_>) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(group_id)?;
        let changed = change(group, &mut around.outbox(&mut self.answers));
        let deadline = group.protocol.next_deadline();
        if deadline != group.deadline {
            if let Some(at) = std::mem::replace(&mut group.deadline, deadline) {
                self.deadlines.remove(&(at, group_id.to_owned()));
            }
            self.deadlines.extend(deadline.map(|at| (at, group_id.to_owned())));
        }
        Some(changed)
    }

    /// The group, a classic one if it is new.
    fn group_or_new(&mut self, group_id: &str, around: &Around<'_>) -> &mut Group {
        self.group_or(group_id, around, || Protocol::Classic(ClassicGroup::new()))
    }

    fn group_or(&mut self, group_id: &str, around: &Around<'_>, protocol: impl FnOnce() -> Protocol) -> &mut Group {
        self.next_expiry_check.get_or_insert(around.now + around.properties.offsets_retention_check_interval);
        let coordinator = around.nodes.coordinator(CoordinatorKind::Group, group_id);
        let new = || Group {
            protocol: protocol(),
            offsets: Offsets::default(),
            deadline: None,
            coordinator,
            unwritten: false,
        };
        self.groups.get_or_insert_with(group_id.to_owned(), new)
    }

    /// The group as those see it who look at what is written.
    fn written(&self, group_id: &str) -> Option<&Protocol> {
        self.groups.get(group_id).filter(|group| !group.unwritten).map(|group| &group.protocol)
    }

    fn remove_group(&mut self, group_id: &str) {
        if let Some(at) = self.groups.remove(group_id).and_then(|removed| removed.deadline) {
            self.deadlines.remove(&(at, group_id.to_owned()));
        }
    }

    fn outbox<'a>(&'a mut self, around: &Around<'a>) -> Outbox<'a> {
        around.outbox(&mut self.answers)
    }

    /// A new id.
    fn new_id(&mut self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(self.random.u128(..).to_be_bytes()).into_uuid()
    }

    /// A new id of a member, after its own name as in Kafka.
    fn member_id(&mut self, name: &str) -> StrBytes {
        StrBytes::from_string(format!("{name}-{}", self.new_id()))
    }
}

impl<'a> Around<'a> {
    const fn outbox(&self, answers: &'a mut Vec<(Token, GroupAnswer)>) -> Outbox<'a> {
        Outbox { now: self.now, unix_ms: self.unix_ms, properties: self.properties, answers }
    }
}

impl Protocol {
    fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Classic(classic) => classic.next_deadline(),
            Self::Consumer(consumer) => consumer.next_deadline(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Classic(classic) => classic.is_empty(),
            Self::Consumer(consumer) => consumer.is_empty(),
        }
    }

    fn state_name(&self) -> &'static str {
        match self {
            Self::Classic(classic) => classic.state_name(),
            Self::Consumer(consumer) => consumer.state_name(),
        }
    }

    /// Whether a member reads this topic.
    fn reads(&self, topic: &str) -> bool {
        match self {
            Self::Classic(classic) => classic.reads(topic),
            Self::Consumer(consumer) => consumer.reads(topic),
        }
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

/// Text of its own. What a group keeps must not be a view into a request: it would keep all of it.
fn owned(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn millis(count: i32) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or_default())
}

/// A time as Kafka says it.
fn millis_i32(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

fn code(result: Result<(), ErrorCode>) -> i16 {
    result.err().unwrap_or(ErrorCode::NONE).0
}
