//! [`Script`]: what is to go wrong, as a value that prints, is read back (by `parse`) and is replayed (by
//! [`Faults`](super::Faults)).
//!
//! A script is a list of [`Rule`]s, and a rule says when (an event and [`Conditions`]) and what (a [`Fault`]). Faults are
//! sorted by the moment at which they strike, so each moment has a type of its own. The table of all of them, with an
//! example of each, is at the [front door](super).

use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::{ApiKey, ErrorCode};

/// What is to go wrong: rules, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    rules: Vec<Rule>,
}

/// One line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// At which events.
    pub on: On,
    /// Under which conditions, and how often.
    pub conditions: Conditions,
    /// What happens then.
    pub fault: Fault,
}

/// The event a rule waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else to wait for")]
pub enum On {
    /// A client connects.
    Connect,
    /// A request comes.
    Request {
        /// Of one of these APIs; of any, when there is none.
        apis: Vec<ApiKey>,
        /// In one of these versions.
        versions: Option<VersionRange>,
    },
    /// So long after the start.
    At(Duration),
}

impl On {
    /// A request of this API, in any version.
    #[must_use]
    pub fn request(api: ApiKey) -> Self {
        Self::Request { apis: vec![api], versions: None }
    }

    /// Any request.
    #[must_use]
    pub const fn any_request() -> Self {
        Self::Request { apis: Vec::new(), versions: None }
    }
}

/// What else must be so. The default holds always.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Conditions {
    /// At the broker with this id.
    pub broker: Option<i32>,
    /// The request names this topic.
    pub topic: Option<String>,
    /// And this partition of it.
    pub partition: Option<i32>,
    /// The request names this group.
    pub group: Option<String>,
    /// The client gives itself this name.
    pub client: Option<String>,
    /// The client connects from this address.
    pub host: Option<String>,
    /// How often the rule strikes.
    pub count: Count,
    /// How likely it is to strike, each time.
    pub probability: Option<Probability>,
    /// Not before this time from the start.
    pub after: Option<Duration>,
    /// No longer at this time from the start.
    pub until: Option<Duration>,
}

/// How often a rule strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there is no other way to count")]
pub enum Count {
    /// Each time.
    #[default]
    Always,
    /// So many times.
    Times(u64),
    /// Only the time of this number, from 1.
    Nth(u64),
}

/// A probability, in millionths, so that scripts can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probability(u32);

impl Probability {
    /// Always.
    pub const ONE: Self = Self(1_000_000);

    /// So many millionths; none when there are more than a million.
    #[must_use]
    pub const fn millionths(millionths: u32) -> Option<Self> {
        if millionths <= Self::ONE.0 { Some(Self(millionths)) } else { None }
    }

    pub(super) const fn in_millionths(self) -> u32 {
        self.0
    }

    /// Whether a draw, below a million, strikes.
    pub(super) const fn strikes(self, drawn: u32) -> bool {
        drawn < self.0
    }
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a request has no other moments")]
pub enum Fault {
    /// As a client connects.
    Connect(ConnectFault),
    /// Before a request is applied.
    Request(RequestFault),
    /// After it was applied.
    Reply(ReplyFault),
    /// To the cluster.
    Cluster(Effect, Point),
}

/// The moment of a request at which something happens to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is before and there is after")]
pub enum Point {
    /// Before it is applied; also at a time of its own.
    Before,
    /// After it was applied, before it is answered.
    After,
}

/// What happens to a client that connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectFault {
    /// Nobody listens.
    Refuse,
    /// The connection is reset as soon as it is there.
    Reset,
    /// It is there, for the client only: whatever it sends is taken, and nothing comes back.
    HalfOpen,
    /// Nothing comes back, not even that it is there.
    BlackHole,
    /// It is there later.
    Delay(Duration),
}

/// What happens to a request before it is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestFault {
    /// It is not applied, and answered with this error.
    Error(ErrorCode),
    /// It is neither applied nor answered.
    Lose,
    /// It is applied later.
    Delay(Duration),
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// From here on, what goes one of these ways on this connection does not arrive.
    BlackHole(Way),
}

/// Which ways on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two directions")]
pub enum Way {
    /// To the broker and back.
    Both,
    /// To the broker: requests are not applied; answers to earlier ones arrive.
    Requests,
    /// Back from the broker: requests are applied, and no answer arrives.
    Replies,
}

/// What happens to the answer of a request that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyFault {
    /// It is an error instead.
    Error(ErrorCode),
    /// It is not sent; the next one is.
    Lose,
    /// It is sent later, and so are those behind it.
    Delay(Duration),
    /// It is sent twice.
    Repeat,
    /// It is sent behind the next answer on the connection.
    Swap,
    /// Its first bytes are sent (the four of its length count), and the connection is closed.
    Cut(Place),
    /// It is changed.
    Corrupt(Corruption),
    /// So many random bytes follow it, which are no frame.
    Garbage(u32),
    /// It names a correlation id that was not asked for.
    WrongCorrelationId,
    /// It is written in one-byte writes.
    OneByteWrites,
    /// It says that the client is to wait so long.
    Throttle {
        /// How long.
        time: Duration,
        /// And the broker does not read from the connection meanwhile, as Kafka does not.
        mute: bool,
    },
    /// The connection is closed instead.
    Close,
    /// The connection is reset instead.
    Reset,
    /// Nothing arrives any more, neither this nor what is sent later.
    BlackHole,
    /// If it is the answer of Metadata: it knows of no topic.
    EmptyMetadata,
}

/// At which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a place is given or drawn")]
pub enum Place {
    /// At this one, from 0, or the last.
    At(u32),
    /// At one that the seed draws.
    Anywhere,
}

/// How an answer is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Corruption {
    /// A bit of this byte behind the length is turned.
    Byte(Place),
    /// The length in front of the frame is one too many.
    Length,
    /// The checksum of the first record batch of a Fetch answer is wrong.
    Crc,
    /// The record count of that batch is one too many; its checksum is right.
    Count,
    /// That batch says that it is compressed by another codec; its checksum is right.
    Codec,
}

/// What happens to the cluster, as a script says it. What is left out is taken from the request: its topic and partition,
/// its group, its transactional id, its broker. A rule whose request does not say it does not strike.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Another broker leads a partition.
    MoveLeader {
        /// Of this topic and partition.
        of: Option<(String, i32)>,
        /// This broker; another than now, if it is left out.
        to: Option<i32>,
    },
    /// Another broker coordinates a group.
    MoveGroupCoordinator {
        /// This group.
        of: Option<String>,
        /// This broker; another than now, if it is left out.
        to: Option<i32>,
    },
    /// Another broker coordinates a transactional id.
    MoveTransactionCoordinator {
        /// This transactional id.
        of: Option<String>,
        /// This broker; another than now, if it is left out.
        to: Option<i32>,
    },
    /// A broker dies.
    Crash {
        /// This broker.
        broker: Option<i32>,
        /// Whether what was not replicated yet is there when it comes back.
        keeps_tail: bool,
    },
    /// A broker comes back.
    Start {
        /// This broker.
        broker: i32,
    },
    /// Markers of transactions that end are not written until they are released.
    HoldMarkers,
    /// Markers are written.
    ReleaseMarkers,
    /// A topic is deleted, and made anew with another id.
    RecreateTopic {
        /// This topic.
        topic: Option<String>,
    },
    /// A topic is deleted.
    DeleteTopic {
        /// This topic.
        topic: Option<String>,
    },
    /// The members of a group are thrown out.
    EvictGroup {
        /// This group.
        group: Option<String>,
    },
    /// The wall clock of all brokers jumps.
    JumpClock {
        /// So many milliseconds, back when negative.
        ms: i64,
    },
    /// A broker answers Metadata with what it knew when the rule struck first.
    StaleMetadata {
        /// This broker.
        broker: Option<i32>,
    },
    /// Brokers do not hear each other.
    Part {
        /// What this broker sends...
        from: i32,
        /// ...does not arrive at this one.
        to: i32,
        /// Nor the other way.
        both_ways: bool,
    },
    /// All brokers hear each other again, and metadata is no longer stale.
    Heal,
    /// The SASL session of the connection has ended (KIP-368).
    ExpireSession,
    /// The brokers speak only these versions from now on.
    LimitVersions {
        /// Of this API.
        api: ApiKey,
        /// Both ends included.
        versions: VersionRange,
    },
}

impl Effect {
    /// What only a request could tell.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match self {
            Self::MoveLeader { of: None, .. } => Some("the partition, as in `move leader of clicks/0`"),
            Self::MoveGroupCoordinator { of: None, .. } => Some("the group, as in `of readers`"),
            Self::MoveTransactionCoordinator { of: None, .. } => Some("the transactional id, as in `of writer-1`"),
            Self::Crash { broker: None, .. } => Some("the broker, as in `crash broker 1 losing tail`"),
            Self::StaleMetadata { broker: None } => Some("the broker, as in `stale metadata broker 1`"),
            Self::RecreateTopic { topic: None } | Self::DeleteTopic { topic: None } => Some("the topic"),
            Self::EvictGroup { group: None } => Some("the group"),
            Self::ExpireSession => Some("an API in front of the colon: a session is that of a connection"),
            Self::MoveLeader { .. }
            | Self::MoveGroupCoordinator { .. }
            | Self::MoveTransactionCoordinator { .. }
            | Self::Crash { .. }
            | Self::StaleMetadata { .. }
            | Self::RecreateTopic { .. }
            | Self::DeleteTopic { .. }
            | Self::EvictGroup { .. }
            | Self::Start { .. }
            | Self::HoldMarkers
            | Self::ReleaseMarkers
            | Self::JumpClock { .. }
            | Self::Part { .. }
            | Self::Heal
            | Self::LimitVersions { .. } => None,
        }
    }
}

impl Script {
    /// A script of these rules.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { rules: rules.into_iter().collect() }
    }

    /// The rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The first rule that only the embedded cluster can carry out, and its number from 1; none when a proxy in front of
    /// any broker can.
    #[must_use]
    pub fn needs_cluster(&self) -> Option<(usize, &Rule)> {
        (1..).zip(&self.rules).find(|(_, rule)| matches!(rule.fault, Fault::Cluster(..)))
    }
}

impl Rule {
    /// A rule that strikes each time.
    #[must_use]
    pub fn new(on: On, fault: Fault) -> Self {
        Self { on, conditions: Conditions::default(), fault }
    }

    /// At the broker with this id.
    #[must_use]
    pub const fn broker(mut self, id: i32) -> Self {
        self.conditions.broker = Some(id);
        self
    }

    /// When the request names this topic.
    #[must_use]
    pub fn topic(mut self, name: &str) -> Self {
        self.conditions.topic = Some(name.to_owned());
        self
    }

    /// When the request names this partition of this topic.
    #[must_use]
    pub fn topic_partition(mut self, name: &str, partition: i32) -> Self {
        self.conditions.partition = Some(partition);
        self.topic(name)
    }

    /// When the client gives itself this name.
    #[must_use]
    pub fn client(mut self, id: &str) -> Self {
        self.conditions.client = Some(id.to_owned());
        self
    }

    /// So many times.
    #[must_use]
    pub const fn times(mut self, count: u64) -> Self {
        self.conditions.count = Count::Times(count);
        self
    }

    /// Only the time of this number, from 1.
    #[must_use]
    pub const fn nth(mut self, number: u64) -> Self {
        self.conditions.count = Count::Nth(number);
        self
    }
}
