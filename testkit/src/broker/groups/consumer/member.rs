//! A member of a consumer group: what it says of itself, and how far its partitions follow the target.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use tokio::time::Instant;
use uuid::Uuid;

use super::Partitions;

/// Partitions, each with the epoch in which the member got it.
pub(super) type Held = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// The epoch of a static member that is away for a while.
pub(super) const AWAY: i32 = -2;

/// ```text
///                 target without some of its partitions
///      Stable ─────────────────────────────────────────> UnrevokedPartitions
///       ^  │                                                │        │
///       │  │ target with partitions of others               │        │ it has given them up,
///       │  └───────────────> UnreleasedPartitions <─────────┘        │ nothing is missing
///       │ the others have given them up  │                           │
///       └────────────────────────────────┴───────────────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It has what the target of its epoch gives it.
    Stable,
    /// It was told to give up partitions, and has not shown that it did.
    UnrevokedPartitions,
    /// It waits for partitions that others have not given up.
    UnreleasedPartitions,
}

/// One member.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) id: StrBytes,
    pub(super) instance_id: Option<StrBytes>,
    pub(super) rack_id: Option<StrBytes>,
    pub(super) client_id: StrBytes,
    pub(super) client_host: StrBytes,
    pub(super) rebalance_timeout: Duration,
    /// The assignor that it asks for.
    pub(super) assignor: Option<StrBytes>,
    pub(super) topics: BTreeSet<String>,
    /// A pattern of topics; empty when there is none.
    pub(super) regex: String,
    /// 0 until it has joined, [`AWAY`] while it is away.
    pub(super) epoch: i32,
    pub(super) previous_epoch: i32,
    pub(super) state: State,
    pub(super) assigned: Held,
    /// What it must give up.
    pub(super) revoking: Held,
    /// When it is taken for dead.
    pub(super) expires_at: Instant,
    /// Until when it must have given up partitions; in which epoch it was told to.
    pub(super) revoke_until: Option<Instant>,
    /// What it said in JoinGroup, if it speaks the classic protocol.
    pub(super) classic: Option<Classic>,
}

/// What a member of the classic protocol has said (KIP-848, online migration).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Classic {
    pub(super) session_timeout: Duration,
    pub(super) protocols: Vec<(StrBytes, Bytes)>,
    /// It has to join again by then.
    pub(super) join_until: Option<Instant>,
    /// It has to ask for its assignment by then.
    pub(super) sync_until: Option<Instant>,
}

impl Member {
    pub(super) const fn new(id: StrBytes, now: Instant) -> Self {
        Self {
            id,
            instance_id: None,
            rack_id: None,
            client_id: StrBytes::new(),
            client_host: StrBytes::new(),
            rebalance_timeout: Duration::ZERO,
            assignor: None,
            topics: BTreeSet::new(),
            regex: String::new(),
            epoch: 0,
            previous_epoch: -1,
            state: State::Stable,
            assigned: Held::new(),
            revoking: Held::new(),
            expires_at: now,
            revoke_until: None,
            classic: None,
        }
    }

    /// The place of a static member, taken under another id.
    pub(super) fn replaced_by(&self, id: StrBytes) -> Self {
        Self { id, epoch: 0, previous_epoch: 0, revoke_until: None, ..self.clone() }
    }

    /// When something has to be done about it: it is taken for dead, or has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let classic = self.classic.as_ref().into_iter().flat_map(|classic| [classic.join_until, classic.sync_until]);
        classic.flatten().chain(self.revoke_until).chain([self.expires_at]).min()
    }

    /// It was not heard of for too long, or has not done in time what it was told to.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Nobody knows how long it has been silent: its time begins again.
    pub(super) fn restart_timers(&mut self, session_timeout: Duration, now: Instant) {
        let timeout = self.classic.as_ref().map_or(session_timeout, |classic| classic.session_timeout);
        self.expires_at = now + timeout;
        if self.state == State::UnrevokedPartitions {
            self.revoke_until = Some(now + self.rebalance_timeout);
        }
    }

    pub(super) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == State::Stable && self.epoch == target_epoch
    }

    pub(super) const fn is_classic(&self) -> bool {
        self.classic.is_some()
    }

    /// What it has or has not given up yet: nobody else may have it.
    pub(super) fn holds(&self, topic: Uuid, partition: i32) -> bool {
        [&self.assigned, &self.revoking].into_iter().any(|held| held_since(held, topic, partition).is_some())
    }

    /// Whether what it says it owns is part of what it was given.
    pub(super) fn owns_only_assigned(&self, owned: Option<&[TopicPartitions]>) -> bool {
        owned.is_some_and(|owned| {
            each(owned).all(|(topic, partition)| held_since(&self.assigned, topic, partition).is_some())
        })
    }
}

/// In which epoch this partition was given.
pub(super) fn held_since(held: &Held, topic: Uuid, partition: i32) -> Option<i32> {
    held.get(&topic)?.get(&partition).copied()
}

/// The partitions without their epochs.
pub(super) fn partitions(held: &Held) -> Partitions {
    held.iter().map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
}

/// The partitions of a request.
pub(super) fn each(owned: &[TopicPartitions]) -> impl Iterator<Item = (Uuid, i32)> {
    owned.iter().flat_map(|of_topic| of_topic.partitions.iter().map(|partition| (of_topic.topic_id, *partition)))
}
