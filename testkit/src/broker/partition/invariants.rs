//! What must hold of a partition: who leads and who is in sync, and in which order its offsets stand.

use std::collections::BTreeSet;

use super::Partition;
use crate::broker::invariants::{Holds, hold};
use crate::broker::topic_config::TopicConfig;

impl Partition {
    /// Whether all holds. Of the log, batches before `read_from` are known and not read.
    pub(crate) fn check(&self, config: &TopicConfig, read_from: i64, runs: impl Fn(i32) -> bool) -> Holds {
        self.check_replicas(runs)?;
        self.log.check(config.compacts, read_from)?;
        self.check_offsets()?;
        if read_from == i64::MAX { Ok(()) } else { self.producers.check_against(&self.log) }
    }

    fn check_replicas(&self, runs: impl Fn(i32) -> bool) -> Holds {
        let replicas: BTreeSet<i32> = self.replicas.iter().copied().collect();
        let (all, in_sync) = (&self.replicas, &self.in_sync);
        hold(!all.is_empty() && replicas.len() == all.len(), || format!("its replicas are {all:?}"))?;
        hold(self.ends.len() == all.len(), || format!("{} ends of replicas {all:?}", self.ends.len()))?;
        let ordered: Vec<i32> = all.iter().copied().filter(|id| in_sync.contains(id)).collect();
        hold(!in_sync.is_empty() && ordered == *in_sync, || format!("in sync are {in_sync:?} of {all:?}"))?;
        match self.leader {
            Some(leader) => {
                hold(in_sync.contains(&leader), || format!("its leader {leader} is not among {in_sync:?}"))?;
                let stopped = in_sync.iter().find(|id| !runs(**id));
                hold(stopped.is_none(), || format!("{stopped:?} is in sync, and does not run"))
            }
            None => {
                let could = in_sync.iter().find(|id| runs(**id));
                hold(could.is_none(), || format!("nobody leads, and {could:?} could"))
            }
        }
    }

    fn check_offsets(&self) -> Holds {
        let (start, end) = (self.log.start_offset(), self.log.end_offset());
        let (stable, high) = (self.last_stable_offset(), self.high_watermark);
        hold(start <= stable && stable <= high && high <= end, || {
            format!("start {start}, last stable {stable}, high watermark {high}, end {end}: not in this order")
        })?;
        let common = self.in_sync.iter().map(|id| self.end_of(*id)).min().unwrap_or(end);
        hold(high <= common, || {
            format!("its high watermark {high} is not with all in sync, who have come to {common}")
        })?;
        let beyond = self.ends.iter().find(|copied| **copied > end);
        hold(beyond.is_none(), || format!("a replica has come to {beyond:?}, the log ends at {end}"))
    }
}
