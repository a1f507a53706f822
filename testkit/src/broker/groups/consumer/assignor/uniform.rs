//! The uniform assignor for members that all read the same topics: everybody gets the same number of partitions, some one
//! more, and keeps what it has as far as that allows.

use std::collections::BTreeSet;

use tidemill_protocol::StrBytes;
use uuid::Uuid;

use super::{Plan, Spec, add};
use crate::broker::groups::consumer::Partitions;

pub(super) fn assign(spec: &Spec) -> Plan {
    let Some(topics) = spec.members.first().map(|member| &member.topics).filter(|topics| !topics.is_empty()) else {
        return Plan::new();
    };
    let count = |topic: &Uuid| spec.topics.get(topic).copied().unwrap_or_default();
    let assigned: BTreeSet<(Uuid, i32)> = spec.members.iter().flat_map(|member| each(&member.assigned)).collect();
    let all = topics.iter().flat_map(|topic| (0..count(topic)).map(|partition| (*topic, partition)));
    let mut unassigned: Vec<(Uuid, i32)> = all.filter(|it| !assigned.contains(it)).collect();
    let total: usize = topics.iter().map(|topic| usize::try_from(count(topic)).unwrap_or_default()).sum();
    let members = spec.members.len();
    let mut extras = total % members;
    let mut plan = Plan::new();
    let mut unfilled: Vec<(StrBytes, usize)> = Vec::new();
    for (number, member) in spec.members.iter().enumerate() {
        let mut takes_extra = extras > 0;
        let mut quota = total / members + usize::from(takes_extra);
        let mut kept = Partitions::new();
        for (topic, partitions) in member.assigned.iter().filter(|(topic, _)| topics.contains(topic)) {
            for partition in partitions {
                if quota > 0 {
                    quota -= 1;
                    add(&mut kept, *topic, *partition);
                } else {
                    unassigned.push((*topic, *partition));
                }
            }
        }
        // It leaves the extra partition to somebody who has it already, if enough members follow.
        if quota > 0 && takes_extra && members - number > extras {
            quota -= 1;
            takes_extra = false;
        }
        if quota > 0 {
            unfilled.push((member.id.clone(), quota));
        }
        extras -= usize::from(takes_extra);
        plan.insert(member.id.clone(), kept);
    }
    let mut rest = unassigned.into_iter();
    for (id, quota) in unfilled {
        for (topic, partition) in rest.by_ref().take(quota) {
            add(plan.entry(id.clone()).or_default(), topic, partition);
        }
    }
    plan
}

fn each(partitions: &Partitions) -> impl Iterator<Item = (Uuid, i32)> {
    partitions.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
}
