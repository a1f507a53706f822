//! Who is in a group: the members, the names of the static ones, the leader, and who was given an id and has not joined.
//!
//! Everything here is bookkeeping; when to rebalance is decided by the [group](super::ClassicGroup).

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::messages::join_group_response::JoinGroupResponseMember;
use tidemill_protocol::{ErrorCode, StrBytes};
use tokio::time::Instant;

use super::super::migration::Migrating;
use super::super::{Asked, subscription};
use super::Join;

/// One member.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) id: StrBytes,
    /// `group.instance.id` of a static member (KIP-345).
    pub(super) instance_id: Option<StrBytes>,
    pub(super) client_id: StrBytes,
    pub(super) client_host: StrBytes,
    pub(super) session_timeout: Duration,
    rebalance_timeout: Duration,
    /// The protocols it can work by, the best one first, with what it says in each.
    pub(super) protocols: Vec<(StrBytes, Bytes)>,
    pub(super) assignment: Bytes,
    /// It has never been in a generation.
    pub(super) is_new: bool,
    /// Its JoinGroup waits for the others.
    pub(super) joining: Option<Asked>,
    /// Its SyncGroup waits for the leader.
    pub(super) syncing: Option<Asked>,
    /// It has not sent SyncGroup in this generation.
    pub(super) owes_sync: bool,
    /// When it is taken for dead. `None` while its request waits here, which shows that it lives.
    pub(super) expires_at: Option<Instant>,
}

impl Member {
    pub(super) fn new(id: StrBytes, join: Join) -> Self {
        Self {
            id,
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            assignment: Bytes::new(),
            is_new: true,
            joining: Some(join.asked),
            syncing: None,
            owes_sync: false,
            expires_at: None,
        }
    }

    /// One that was in a consumer group until now.
    pub(super) fn migrated(member: Migrating, now: Instant) -> Self {
        Self {
            id: member.id,
            instance_id: member.instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
            session_timeout: member.session_timeout,
            rebalance_timeout: member.rebalance_timeout,
            protocols: member.protocols,
            assignment: member.assignment,
            is_new: false,
            joining: None,
            syncing: None,
            owes_sync: false,
            expires_at: Some(now + member.session_timeout),
        }
    }

    pub(super) fn migrating(&self, protocol: &str) -> Migrating {
        Migrating {
            id: self.id.clone(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            session_timeout: self.session_timeout,
            rebalance_timeout: self.rebalance_timeout,
            protocols: self.protocols.clone(),
            metadata: self.metadata(protocol),
            assignment: self.assignment.clone(),
        }
    }

    /// It joined again: what it says now replaces what it said before.
    pub(super) fn update(&mut self, join: Join) {
        self.protocols = join.protocols;
        self.session_timeout = join.session_timeout;
        self.rebalance_timeout = join.rebalance_timeout;
        self.joining = Some(join.asked);
    }

    /// It was heard of.
    pub(super) fn keep_alive(&mut self, now: Instant) {
        self.expires_at = Some(now + self.session_timeout);
    }

    /// What it says in this protocol.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name.as_str() == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    fn speaks(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name.as_str() == protocol)
    }
}

/// A dynamic member that was given an id and has not come back with it (KIP-394).
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) id: StrBytes,
    pub(super) expires_at: Instant,
}

/// The members of a group, in the order in which they joined.
#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    list: Vec<Member>,
    leader: Option<StrBytes>,
    pending: Vec<Pending>,
}

impl Members {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.list.iter_mut()
    }

    /// What waits is not written down, and neither is who has only been given an id.
    pub(super) fn forget_requests(&mut self) {
        self.pending.clear();
        for member in &mut self.list {
            member.joining = None;
            member.syncing = None;
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Member> {
        self.list.iter().find(|member| member.id.as_str() == id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.list.iter_mut().find(|member| member.id.as_str() == id)
    }

    /// The id that the static member of this name goes by now.
    pub(super) fn id_of_instance(&self, instance_id: &str) -> Option<&StrBytes> {
        let is_it = |member: &&Member| member.instance_id.as_deref() == Some(instance_id);
        self.list.iter().find(is_it).map(|member| &member.id)
    }

    /// Whether this is a member; a static one is it only under the id that its name was last given.
    pub(super) fn check(&self, id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.id_of_instance(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(current) if current.as_str() != id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if self.get(id).is_some() { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    /// The first to join an empty group leads it.
    pub(super) fn add(&mut self, member: Member) {
        self.remove_pending(&member.id);
        self.leader.get_or_insert_with(|| member.id.clone());
        self.list.push(member);
    }

    /// The lead passes to the member that joined first.
    pub(super) fn remove(&mut self, id: &str) -> Option<Member> {
        let at = self.list.iter().position(|member| member.id.as_str() == id)?;
        let removed = self.list.remove(at);
        if self.is_leader(id) {
            self.leader = self.list.first().map(|member| member.id.clone());
        }
        Some(removed)
    }

    /// A static member came back: its place is now under another id.
    pub(super) fn rename(&mut self, old: &str, new: &StrBytes) {
        if self.is_leader(old) {
            self.leader = Some(new.clone());
        }
        if let Some(member) = self.get_mut(old) {
            member.id = new.clone();
        }
    }

    pub(super) fn leader(&self) -> StrBytes {
        self.leader.clone().unwrap_or_default()
    }

    pub(super) fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    /// A leader that has not joined gives the lead to one that has. False when nobody has.
    pub(super) fn elect(&mut self) -> bool {
        let joined = |member: &&Member| member.joining.is_some();
        let leads = |member: &&Member| self.is_leader(&member.id);
        let elected = self.list.iter().filter(joined).find(leads).or_else(|| self.list.iter().find(joined));
        let Some(elected) = elected.map(|member| member.id.clone()) else { return false };
        self.leader = Some(elected);
        true
    }

    pub(super) fn have_all_joined(&self) -> bool {
        self.pending.is_empty() && self.list.iter().all(|member| member.joining.is_some())
    }

    pub(super) fn have_all_synced(&self) -> bool {
        !self.list.iter().any(|member| member.owes_sync)
    }

    /// How long a rebalance may take: as long as the most patient member allows.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.list.iter().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    pub(super) fn add_pending(&mut self, id: StrBytes, expires_at: Instant) {
        self.pending.push(Pending { id, expires_at });
    }

    pub(super) fn is_pending(&self, id: &str) -> bool {
        self.pending.iter().any(|pending| pending.id.as_str() == id)
    }

    pub(super) fn remove_pending(&mut self, id: &str) {
        self.pending.retain(|pending| pending.id.as_str() != id);
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.pending.iter()
    }

    /// Whether one of these protocols is spoken by every member.
    pub(super) fn all_speak_one_of(&self, protocols: &[(StrBytes, Bytes)]) -> bool {
        protocols.iter().any(|(name, _)| self.all_speak(name))
    }

    /// The protocol of the next generation: every member votes for the first of its own that all speak. Where Kafka leaves
    /// a tie to chance, the oldest member's choice wins.
    pub(super) fn choose_protocol(&self) -> Option<StrBytes> {
        let all: BTreeSet<&str> = match self.list.first() {
            Some(first) => {
                first.protocols.iter().map(|(name, _)| name.as_str()).filter(|it| self.all_speak(it)).collect()
            }
            None => return None,
        };
        let vote =
            |member: &Member| member.protocols.iter().map(|(name, _)| name.clone()).find(|it| all.contains(&**it));
        let mut votes: Vec<(StrBytes, usize)> = Vec::new();
        for choice in self.list.iter().filter_map(vote) {
            match votes.iter_mut().find(|(name, _)| *name == choice) {
                Some((_, count)) => *count += 1,
                None => votes.push((choice, 1)),
            }
        }
        // `max_by_key` takes the last of several, the oldest member's choice is the first.
        votes.into_iter().rev().max_by_key(|(_, count)| *count).map(|(name, _)| name)
    }

    /// The topics that members read, if all of them say so in the consumers' own form.
    pub(super) fn subscribed_topics(&self, protocol: &str) -> Option<BTreeSet<String>> {
        let mut topics = BTreeSet::new();
        for member in &self.list {
            topics.extend(subscription::topics(&member.metadata(protocol))?);
        }
        Some(topics)
    }

    /// What the leader is told of everybody.
    pub(super) fn for_leader(&self, protocol: &str) -> Vec<JoinGroupResponseMember> {
        let tell = |member: &Member| {
            JoinGroupResponseMember::default()
                .with_member_id(member.id.clone())
                .with_group_instance_id(member.instance_id.clone())
                .with_metadata(member.metadata(protocol))
        };
        self.list.iter().map(tell).collect()
    }

    fn all_speak(&self, protocol: &str) -> bool {
        self.list.iter().all(|member| member.speaks(protocol))
    }
}
