//! What must hold of a group of the consumer protocol: above all, that no partition is with two members.

use std::collections::{BTreeMap, BTreeSet};

use super::{ConsumerGroup, EPOCH_INITIAL};
use crate::broker::invariants::{Holds, SeenGroup, hold};

impl ConsumerGroup {
    pub(in crate::broker::groups) fn check(&self) -> Holds {
        let (epoch, target) = (self.epoch, self.target_epoch);
        hold(EPOCH_INITIAL <= target && target <= epoch, || {
            format!("its target is of epoch {target}, it is in {epoch}")
        })?;
        let mut names = BTreeSet::new();
        let mut owners = BTreeMap::new();
        for (id, member) in &self.members {
            hold(*id == member.id, || format!("{} is known as {id}", member.id))?;
            let is_new = member.instance_id.as_ref().is_none_or(|name| names.insert(name.as_str()));
            hold(is_new, || format!("two members are the static member {:?}", member.instance_id))?;
            hold(member.epoch <= target, || format!("{id} is in epoch {}, the target of {target}", member.epoch))?;
            for (topic, partitions) in member.assigned.iter().chain(&member.revoking) {
                for (partition, since) in partitions {
                    let before = owners.insert((*topic, *partition), id);
                    hold(before.is_none(), || format!("partition {partition} of {topic} is with {id} and {before:?}"))?;
                    hold(*since <= epoch, || format!("{id} has partition {partition} since epoch {since}"))?;
                }
            }
        }
        let mut targets = BTreeMap::new();
        for (id, of_member) in &self.target {
            for (topic, partitions) in of_member {
                for partition in partitions {
                    let before = targets.insert((*topic, *partition), id);
                    hold(before.is_none(), || format!("partition {partition} of {topic} is for {id} and {before:?}"))?;
                }
            }
        }
        Ok(())
    }

    pub(in crate::broker::groups) fn seen(&self) -> SeenGroup {
        let members = self.members.keys().map(ToString::to_string).collect();
        SeenGroup { epoch: self.epoch, is_classic: false, members }
    }
}
