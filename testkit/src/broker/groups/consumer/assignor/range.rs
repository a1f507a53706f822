//! The range assignor: the partitions of each topic are dealt out in order, in equal runs, to the members that read it;
//! the first members get one more where they do not divide. Static members come first, by their names, so that topics
//! with as many partitions lie side by side.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{MemberSpec, Plan, Spec};
use crate::broker::groups::consumer::Partitions;

/// How far a topic has been dealt out.
struct Dealing {
    partitions: i32,
    each: i32,
    /// How many members get one more.
    extra: i32,
    next: i32,
}

pub(super) fn assign(spec: &Spec) -> Plan {
    let mut members: Vec<&MemberSpec> = spec.members.iter().collect();
    members.sort_by_key(|member| (member.instance_id.is_none(), member.instance_id.clone(), member.id.clone()));
    let mut readers: BTreeMap<Uuid, i32> = BTreeMap::new();
    for topic in members.iter().flat_map(|member| &member.topics) {
        *readers.entry(*topic).or_default() += 1;
    }
    let deal = |(topic, readers): (Uuid, i32)| {
        let partitions = spec.topics.get(&topic).copied().unwrap_or_default();
        (topic, Dealing { partitions, each: partitions / readers, extra: partitions % readers, next: 0 })
    };
    let mut dealings: BTreeMap<Uuid, Dealing> = readers.into_iter().map(deal).collect();
    let share = |member: &MemberSpec| {
        let mut share = Partitions::new();
        for topic in &member.topics {
            let Some(dealing) = dealings.get_mut(topic) else { continue };
            let mut end = dealing.next + dealing.each;
            if dealing.extra > 0 {
                dealing.extra -= 1;
                end += 1;
            }
            let end = end.min(dealing.partitions);
            if dealing.next < end {
                share.insert(*topic, (dealing.next..end).collect());
            }
            dealing.next = end;
        }
        (member.id.clone(), share)
    };
    members.into_iter().map(share).collect()
}
