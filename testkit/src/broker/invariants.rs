//! What must hold of a cluster between two requests, whatever clients, faults and brokers have done.
//!
//! [`Cluster::check`] looks at everything there is now. A [`Watch`] looks again and again and knows what it saw: epochs do
//! not fall, and nothing that all replicas in sync had is taken back. Each part says in a file `invariants` beside it
//! what must hold of it: a log, the producers of a partition, its replicas, transactions and groups. What waits must have
//! something to wait for, and a connection that is busy must have somebody who will answer it.
//!
//! Nothing in here repairs anything. What is found is a mistake of the cluster's, never of who asked it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tidemill_protocol::ApiKey;
use tokio::time::Instant;
use uuid::Uuid;

use super::handlers::{fetch, produce};
use super::topics::Topic;
use super::{Cluster, Token};

/// What must hold and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// Of what: a partition such as `clicks-0`, `group readers`, `transactional id orders`.
    pub of: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.of, self.reason)
    }
}

impl std::error::Error for Broken {}

impl Broken {
    fn new(of: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { of: of.into(), reason: reason.into() }
    }
}

/// What a part says of itself.
pub(crate) type Holds = Result<(), String>;

/// Refuses with these words unless something holds.
pub(crate) fn hold(holds: bool, reason: impl FnOnce() -> String) -> Holds {
    if holds { Ok(()) } else { Err(reason()) }
}

impl Cluster {
    /// Whether everything holds that must hold between two requests. Poll the cluster first, and give the time of that.
    ///
    /// This reads every log from its beginning. A [`Watch`] reads what has changed.
    ///
    /// # Errors
    /// What does not hold: the first thing that was found.
    pub fn check(&self, now: Instant) -> Result<(), Broken> {
        for topic in self.topics.iter() {
            for (number, _) in topic.numbered() {
                self.check_partition(topic, number, 0)?;
            }
        }
        self.check_around(now)
    }

    fn check_partition(&self, topic: &Topic, number: i32, read_from: i64) -> Result<(), Broken> {
        let broken = |reason| Broken::new(format!("{}-{number}", topic.name.0.as_str()), reason);
        let partition = topic.partition(number).map_err(|code| broken(code.to_string()))?;
        partition.check(&topic.config, read_from, |id| self.nodes.is_running(id)).map_err(broken)
    }

    /// All but partitions.
    fn check_around(&self, now: Instant) -> Result<(), Broken> {
        self.check_transactions()?;
        self.groups.check().map_err(|(of, reason)| Broken::new(of, reason))?;
        self.fetch_sessions
            .check(|id| self.nodes.is_running(id))
            .map_err(|reason| Broken::new("fetch sessions", reason))?;
        self.fetches.check(now).map_err(|reason| Broken::new("waiting fetches", reason))?;
        self.produces.check(now).map_err(|reason| Broken::new("waiting writes", reason))?;
        self.check_waiting()
    }

    fn check_transactions(&self) -> Result<(), Broken> {
        self.transactions.check().map_err(|(id, reason)| Broken::new(format!("transactional id {id}"), reason))?;
        self.groups.check_pending().map_err(|(of, reason)| Broken::new(of, reason))
    }

    /// Who waits can be answered by somebody, and could not be answered now.
    fn check_waiting(&self) -> Result<(), Broken> {
        if let Some(token) = fetch::ready(self) {
            return Err(Broken::new("waiting fetches", format!("{token:?} has enough and is not answered")));
        }
        if let Some(token) = produce::ready(self) {
            return Err(Broken::new("waiting writes", format!("{token:?} is with all replicas and is not answered")));
        }
        let mut kept: BTreeSet<Token> = self.fetches.tokens().chain(self.produces.tokens()).collect();
        kept.extend(self.groups.tokens());
        // A member that asks again on another connection is answered there. As in Kafka, its earlier request is not.
        let replaced = |api| api == ApiKey::JOIN_GROUP || api == ApiKey::SYNC_GROUP;
        let lost = self.waiting.iter().find(|(token, waiting)| !kept.contains(token) && !replaced(waiting.api));
        if let Some((token, waiting)) = lost {
            return Err(Broken::new("requests that wait", format!("nobody will answer {} ({token:?})", waiting.api)));
        }
        let mut purgatories = self.fetches.tokens().chain(self.produces.tokens());
        if let Some(token) = purgatories.find(|token| !self.waiting.contains_key(token)) {
            return Err(Broken::new("requests that wait", format!("{token:?} is of no connection")));
        }
        let asking: BTreeSet<_> = self.waiting.values().map(|waiting| waiting.connection).collect();
        let idle = |id: &super::ConnectionId| !asking.contains(id) && !self.playing.has_later(*id);
        match self.connections.busy().find(idle) {
            Some(id) => Err(Broken::new(format!("connection {}", id.0), "it is busy with nothing")),
            None => Ok(()),
        }
    }
}

/// Looks at one cluster again and again.
#[derive(Debug, Default)]
pub struct Watch {
    partitions: BTreeMap<(Uuid, i32), SeenPartition>,
    groups: BTreeMap<String, SeenGroup>,
    /// The producer id and epoch of each transactional id.
    producers: BTreeMap<String, (i64, i16)>,
}

/// What a partition was like.
#[derive(Debug, Clone, Copy)]
struct SeenPartition {
    leader_epoch: i32,
    partition_epoch: i32,
    losses: u32,
    log_start: i64,
    high_watermark: i64,
    log_end: i64,
    changes: u64,
}

/// What a group was like that had members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenGroup {
    /// The generation of a classic group, the epoch of a consumer group.
    pub(crate) epoch: i32,
    pub(crate) is_classic: bool,
    pub(crate) members: BTreeSet<String>,
}

impl Watch {
    /// Has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Cluster::check`], and nothing has gone back that only goes forward since the last look. Logs are read that have
    /// changed, from where they ended then.
    ///
    /// # Errors
    /// What does not hold: the first thing that was found.
    pub fn check(&mut self, cluster: &Cluster, now: Instant) -> Result<(), Broken> {
        let mut seen = BTreeMap::new();
        for topic in cluster.topics.iter() {
            for (number, partition) in topic.numbered() {
                let is = SeenPartition {
                    leader_epoch: partition.leader_epoch,
                    partition_epoch: partition.partition_epoch,
                    losses: partition.losses,
                    log_start: partition.log.start_offset(),
                    high_watermark: partition.high_watermark(),
                    log_end: partition.log.end_offset(),
                    changes: partition.log.changes(),
                };
                let before = self.partitions.get(&(topic.id, number));
                let read_from = before.map_or(0, |before| is.since(before));
                cluster.check_partition(topic, number, read_from)?;
                if let Some(before) = before {
                    let of = || format!("{}-{number}", topic.name.0.as_str());
                    is.follows(before).map_err(|reason| Broken::new(of(), reason))?;
                }
                seen.insert((topic.id, number), is);
            }
        }
        self.partitions = seen;
        cluster.check_around(now)?;
        self.check_groups(cluster)?;
        self.check_producers(cluster)
    }

    fn check_groups(&mut self, cluster: &Cluster) -> Result<(), Broken> {
        let seen: BTreeMap<String, SeenGroup> = cluster.groups.seen().collect();
        for (id, is) in &seen {
            // A group that all have left may be made anew.
            let same =
                |before: &&SeenGroup| before.is_classic == is.is_classic && !before.members.is_disjoint(&is.members);
            if let Some(before) = self.groups.get(id).filter(same)
                && is.epoch < before.epoch
            {
                let reason = format!("its epoch was {} and is {}", before.epoch, is.epoch);
                return Err(Broken::new(format!("group {id}"), reason));
            }
        }
        self.groups = seen;
        Ok(())
    }

    fn check_producers(&mut self, cluster: &Cluster) -> Result<(), Broken> {
        for (id, transaction) in cluster.transactions.iter() {
            let is = (transaction.producer_id, transaction.producer_epoch);
            // An epoch begins anew with another producer id, and those rise as well.
            if let Some(before) = self.producers.insert(id.to_owned(), is)
                && is < before
            {
                let reason = format!("its producer id and epoch were {before:?} and are {is:?}");
                return Err(Broken::new(format!("transactional id {id}"), reason));
            }
        }
        Ok(())
    }
}

impl SeenPartition {
    /// From where on the log may be another than it was.
    const fn since(&self, before: &Self) -> i64 {
        if self.changes == before.changes {
            i64::MAX
        } else if self.leader_epoch == before.leader_epoch && self.log_end >= before.log_end {
            before.log_end
        } else {
            0
        }
    }

    fn follows(&self, before: &Self) -> Holds {
        hold(self.leader_epoch >= before.leader_epoch, || {
            format!("its leader epoch was {} and is {}", before.leader_epoch, self.leader_epoch)
        })?;
        hold(self.partition_epoch >= before.partition_epoch, || {
            format!("its partition epoch was {} and is {}", before.partition_epoch, self.partition_epoch)
        })?;
        if self.losses != before.losses {
            return Ok(());
        }
        hold(self.log_start >= before.log_start, || {
            format!("its log began at {} and begins at {}", before.log_start, self.log_start)
        })?;
        hold(self.high_watermark >= before.high_watermark, || {
            format!("its high watermark was {} and is {}", before.high_watermark, self.high_watermark)
        })?;
        let same_leader = self.leader_epoch == before.leader_epoch;
        hold(!same_leader || self.log_end >= before.log_end, || {
            format!("its log ended at {} and ends at {} under the same leader", before.log_end, self.log_end)
        })
    }
}
