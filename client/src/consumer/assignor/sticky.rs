//! The `sticky` assignor: balanced, and whoever had a partition keeps it where that can be (KIP-54).
//!
//! Members give all up before they join, so what they had is told in the user data, in the form of Kafka's
//! `StickyAssignor`: members of ours and of Java's find each other's places. [`balance`] plans.

use bytes::Bytes;
use tracing::debug;

use super::{Assignor, GroupMember, PartitionCounts, Plan, Share, balance};
use crate::consumer::membership::consumer_protocol::{decode_previous, encode_previous};

/// Balances, and moves as few partitions as that takes; members give up all partitions while they join. Kafka's
/// `StickyAssignor`.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to it but its way")]
pub struct StickyAssignor;

impl Assignor for StickyAssignor {
    fn name(&self) -> &'static str {
        "sticky"
    }

    fn assign(&self, members: &[GroupMember], partitions: &PartitionCounts) -> Plan {
        let members: Vec<GroupMember> = members.iter().map(with_previous).collect();
        balance::assign(&members, partitions).plan
    }

    fn user_data(&self, previous: &Share, generation: i32) -> Option<Bytes> {
        Some(encode_previous(previous, generation))
    }
}

/// The member, with what its user data says in place of what it owns: it owns nothing while it joins.
fn with_previous(member: &GroupMember) -> GroupMember {
    let (owned, generation) = decode_previous(&member.user_data).unwrap_or_else(|error| {
        debug!(member_id = %member.member_id, %error, "a member says nothing readable of what it had");
        (Share::new(), -1)
    });
    GroupMember { owned, generation, ..member.clone() }
}
