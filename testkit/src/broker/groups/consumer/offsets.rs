//! Who may commit and read offsets: members by their epoch. A member that has moved on may still commit for partitions
//! that it has had since before (KIP-1251).

use tidemill_protocol::ErrorCode;
use uuid::Uuid;

use super::ConsumerGroup;
use super::member::held_since;
use crate::broker::groups::classic::Identity;

/// Since this version OffsetCommit carries the epoch of a member.
const COMMITS_BY_EPOCH_SINCE: i16 = 9;

impl ConsumerGroup {
    /// Whether these offsets may be committed; `Ok(Some(epoch))` when that is to be asked for each partition.
    pub(in super::super) fn on_commit(&self, identity: Identity<'_>, version: i16) -> Result<Option<i32>, ErrorCode> {
        let Identity { generation: epoch, member_id, .. } = identity;
        if epoch < 0 && self.members.is_empty() {
            return Ok(None);
        }
        let member =
            self.members.values().find(|member| member.id.as_str() == member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if !member.is_classic() && version < COMMITS_BY_EPOCH_SINCE {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        if epoch == member.epoch {
            return Ok(None);
        }
        if epoch > member.epoch {
            return Err(stale(version));
        }
        Ok(Some(epoch))
    }

    /// Whether these offsets may be committed in a transaction: one who does not say who it is may.
    pub(in super::super) fn on_commit_in_transaction(&self, identity: Identity<'_>) -> Result<(), ErrorCode> {
        let Identity { generation: epoch, member_id, instance_id } = identity;
        let says_who = epoch >= 0 || !member_id.is_empty() || instance_id.is_some();
        if !says_who || epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member =
            self.members.values().find(|member| member.id.as_str() == member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        // The API does not know the newer code.
        if epoch == member.epoch { Ok(()) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }

    /// Whether a member may still commit for this partition in an epoch that is over.
    pub(in super::super) fn may_commit(
        &self,
        member_id: &str,
        epoch: i32,
        topic: Uuid,
        partition: i32,
        version: i16,
    ) -> Result<(), ErrorCode> {
        let member =
            self.members.values().find(|member| member.id.as_str() == member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let since = held_since(&member.assigned, topic, partition)
            .or_else(|| held_since(&member.revoking, topic, partition))
            .ok_or_else(|| stale(version))?;
        if epoch < since { Err(stale(version)) } else { Ok(()) }
    }

    /// Whether this member may read offsets in this epoch.
    pub(in super::super) fn on_offset_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        let Some(member_id) = member_id else {
            // Kafka stumbles over the missing id.
            return if epoch < 0 { Ok(()) } else { Err(ErrorCode::UNKNOWN_SERVER_ERROR) };
        };
        let member =
            self.members.values().find(|member| member.id.as_str() == member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if member.epoch == epoch {
            Ok(())
        } else if member.is_classic() {
            Err(ErrorCode::ILLEGAL_GENERATION)
        } else {
            Err(ErrorCode::STALE_MEMBER_EPOCH)
        }
    }
}

/// Older versions do not know the newer code.
const fn stale(version: i16) -> ErrorCode {
    if version >= COMMITS_BY_EPOCH_SINCE { ErrorCode::STALE_MEMBER_EPOCH } else { ErrorCode::ILLEGAL_GENERATION }
}
