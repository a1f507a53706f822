//! Offsets that nobody has used for `offsets.retention.minutes` are forgotten, and with the last of them an empty group.
//!
//! Of a group with members, only offsets of topics that they do not read expire, since they were committed. Of an empty
//! one, all do: since the last member went, or, of one that never had members, since they were committed (KIP-211).

use tokio::time::Instant;

use super::{Around, Groups, Protocol};
use crate::broker::millis;

impl Groups {
    /// Forgets what has become too old, if it is time to look, and says when it is next.
    pub(crate) fn expire(&mut self, around: &Around<'_>) -> Option<Instant> {
        let Some(at) = self.next_expiry_check.filter(|at| *at <= around.now) else { return self.next_expiry_check };
        self.next_expiry_check = Some(at + around.properties.offsets_retention_check_interval);
        let retention_ms = millis(around.properties.offsets_retention);
        let ids: Vec<String> = self.groups.keys().cloned().collect();
        for id in ids {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let protocol = &group.protocol;
            let empty_since_ms = match protocol {
                Protocol::Classic(classic) => classic.empty_since_ms(),
                Protocol::Consumer(_) => None,
            };
            let expires = |topic: &str, committed_ms: i64| {
                if !protocol.is_empty() && protocol.reads(topic) {
                    return false;
                }
                let since_ms = empty_since_ms.filter(|_| protocol.is_empty()).unwrap_or(committed_ms);
                around.unix_ms.saturating_sub(since_ms) >= retention_ms
            };
            group.offsets.expire(expires);
            if group.protocol.is_empty() && group.offsets.is_empty() {
                self.remove_group(&id);
            }
        }
        if self.groups.is_empty() {
            self.next_expiry_check = None;
        }
        self.next_expiry_check
    }
}
