//! Groups with members change their protocol (KIP-848): a classic group becomes a consumer group when a member of the
//! consumer protocol joins it, and a classic one again when the last of those has gone.
//!
//! In between, members of both protocols are in one consumer group; what the classic ones ask is answered in
//! `consumer/classic_members`.

use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::{ErrorCode, StrBytes};

use super::classic::ClassicGroup;
use super::consumer::ConsumerGroup;
use super::{Around, Groups, Protocol, Refusal};

/// A member on its way from one protocol to the other.
#[derive(Debug)]
pub(super) struct Migrating {
    pub(super) id: StrBytes,
    pub(super) instance_id: Option<StrBytes>,
    pub(super) client_id: StrBytes,
    pub(super) client_host: StrBytes,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<(StrBytes, Bytes)>,
    /// What it says in the protocol of its group.
    pub(super) metadata: Bytes,
    pub(super) assignment: Bytes,
}

/// The consumer group that a classic group with members becomes.
///
/// # Errors
/// `GROUP_ID_NOT_FOUND` when it may not become one; as in Kafka, `UNKNOWN_SERVER_ERROR` where what a member says has lengths
/// that cannot be.
pub(super) fn upgraded(classic: &ClassicGroup, group_id: &str, around: &Around<'_>) -> Result<ConsumerGroup, Refusal> {
    let refuse = |reason: &str| {
        let message = format!("Cannot upgrade classic group {group_id} to consumer group because {reason}.");
        Err(Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message))
    };
    if !around.properties.consumer_migration_policy.allows_upgrade() {
        return refuse("online upgrade is disabled");
    }
    if !classic.is_of_consumers() {
        return refuse("the group does not use the consumer embedded protocol");
    }
    let (generation, members) = classic.migrating();
    if members.len() > usize::try_from(around.properties.consumer_max_size).unwrap_or_default() {
        return refuse("the group size exceeds the consumer group maximum size");
    }
    ConsumerGroup::migrated(generation, members, around.topics, around.now).or_else(|error| match error {
        super::consumer::CannotMigrate::Malformed => refuse("the embedded consumer protocol is malformed"),
        super::consumer::CannotMigrate::Unreadable => Err(Refusal::new(ErrorCode::UNKNOWN_SERVER_ERROR, "")),
        super::consumer::CannotMigrate::CustomAssignor => refuse(
            "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor \
             before re-attempting the upgrade",
        ),
    })
}

impl Groups {
    /// After members have gone: a consumer group in which only members of the classic protocol are left becomes a classic
    /// group, which rebalances.
    pub(super) fn downgrade(&mut self, group_id: &str, around: &Around<'_>) {
        self.change(group_id, around, |group, out| {
            // The epoch before the last member went.
            if let Some(mut classic) = downgraded(&group.protocol, around, |epoch| epoch - 1) {
                classic.on_migrated(out);
                group.protocol = Protocol::Classic(classic);
            }
        });
    }

    /// After a static member has come back that now speaks the classic protocol, as all others do. The group rebalances,
    /// which is told by true, if the member reads something else than before, or there was no target yet. `before` are the
    /// epochs of the group and its target before the member came.
    pub(super) fn downgrade_with_replaced(&mut self, group_id: &str, before: (i32, i32), around: &Around<'_>) -> bool {
        let rebalances = self.change(group_id, around, |group, out| {
            let Protocol::Consumer(consumer) = &group.protocol else { return false };
            let (epoch, _) = consumer.epochs();
            let Some(mut classic) = downgraded(&group.protocol, around, |_| before.0) else { return false };
            let rebalances = epoch > before.1;
            if rebalances {
                classic.on_migrated(out);
            }
            group.protocol = Protocol::Classic(classic);
            rebalances
        });
        rebalances.unwrap_or(false)
    }
}

/// The classic group that a consumer group becomes, if it does.
fn downgraded(protocol: &Protocol, around: &Around<'_>, generation: impl Fn(i32) -> i32) -> Option<ClassicGroup> {
    let Protocol::Consumer(consumer) = protocol else { return None };
    let allows = around.properties.consumer_migration_policy.allows_downgrade();
    let max = usize::try_from(around.properties.max_size).unwrap_or_default();
    if !allows || consumer.is_empty() || !consumer.is_all_classic() || consumer.members().count() > max {
        return None;
    }
    let members = consumer.migrating(around.topics);
    Some(ClassicGroup::migrated(generation(consumer.epochs().0), members, around.now))
}
