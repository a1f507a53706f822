//! The `cooperative-sticky` assignor: as sticky, but members keep reading while the group rebalances (KIP-429).
//!
//! Members say in their subscription what they hold. A partition that is to move is given to nobody in the plan that
//! takes it away; its holder gives it up and joins again, and the next plan gives it to its new owner.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{Assignor, GroupMember, PartitionCounts, Plan, Share, balance};

/// Balances, and moves as few partitions as that takes; members keep reading all others meanwhile. Kafka's
/// `CooperativeStickyAssignor`.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to it but its way")]
pub struct CooperativeStickyAssignor;

impl Assignor for CooperativeStickyAssignor {
    fn name(&self) -> &'static str {
        "cooperative-sticky"
    }

    fn assign(&self, members: &[GroupMember], partitions: &PartitionCounts) -> Plan {
        let members: Vec<GroupMember> = members.iter().map(with_generation).collect();
        let balance::Balanced { mut plan, kept } = balance::assign(&members, partitions);
        for (member_id, share) in &mut plan {
            // What somebody else says it holds, whether or not we believe that it should.
            let held: BTreeSet<(&Arc<str>, i32)> = members
                .iter()
                .filter(|member| member.member_id != *member_id)
                .flat_map(|member| &member.owned)
                .flat_map(|(topic, numbers)| numbers.iter().map(move |number| (topic, *number)))
                .collect();
            let keeps = kept.get(member_id);
            for (topic, numbers) in share.iter_mut() {
                numbers.retain(|number| {
                    let is_kept = keeps.and_then(|kept| kept.get(topic)).is_some_and(|kept| kept.contains(number));
                    is_kept || !held.contains(&(topic, *number))
                });
            }
            share.retain(|_, numbers| !numbers.is_empty());
        }
        plan
    }

    fn is_cooperative(&self) -> bool {
        true
    }

    fn user_data(&self, _previous: &Share, generation: i32) -> Option<Bytes> {
        Some(Bytes::copy_from_slice(&generation.to_be_bytes()))
    }
}

/// Subscriptions before version 2 have no generation: such members say it in their user data.
fn with_generation(member: &GroupMember) -> GroupMember {
    let told = <[u8; 4]>::try_from(&*member.user_data).map(i32::from_be_bytes);
    let generation = if member.generation < 0 { told.unwrap_or(-1) } else { member.generation };
    GroupMember { generation, ..member.clone() }
}
