//! A group moves to another coordinator, as after its broker stopped; and members are evicted by those who test.
//!
//! The old coordinator answers everybody who waits `NOT_COORDINATOR`; the new one knows what was written of the group:
//! offsets, the last generation that was stable, its members and what they were assigned. When they were last heard of is
//! not written: their sessions begin again.

use tidemill_protocol::StrBytes;

use super::{Around, Groups, Protocol};
use crate::broker::nodes::CoordinatorKind;

impl Groups {
    /// Moves the groups whose coordinator is another one than before.
    pub(crate) fn follow_coordinators(&mut self, around: &Around<'_>) {
        if self.coordinators_seen == Some(around.nodes.version()) {
            return;
        }
        self.coordinators_seen = Some(around.nodes.version());
        let coordinator = |group_id: &str| around.nodes.coordinator(CoordinatorKind::Group, group_id);
        let moved = self.groups.iter().filter(|(group_id, group)| group.coordinator != coordinator(group_id));
        let moved: Vec<String> = moved.map(|(group_id, _)| group_id.clone()).collect();
        for group_id in moved {
            if let Some(group) = self.groups.get_mut(&group_id) {
                group.coordinator = coordinator(&group_id);
            }
            self.change(&group_id, around, |group, out| match &mut group.protocol {
                Protocol::Classic(classic) => classic.on_moved(out),
                Protocol::Consumer(consumer) => consumer.on_loaded(&out.properties.of(&group_id), out.now),
            });
        }
    }

    /// Removes one member, as if it had been silent for too long. False when there is no such member.
    pub(crate) fn evict_member(&mut self, group_id: &str, member_id: &str, around: &Around<'_>) -> bool {
        let evicted = self.change(group_id, around, |group, out| match &mut group.protocol {
            Protocol::Classic(classic) => classic.evict(member_id, out),
            Protocol::Consumer(consumer) => {
                let found = consumer.members().find(|id| id.as_str() == member_id).cloned();
                consumer.remove_members(found.as_slice(), around.topics);
                found.is_some()
            }
        });
        self.downgrade(group_id, around);
        evicted.unwrap_or(false)
    }

    /// Removes all members of a group. How many there were.
    pub(crate) fn evict_group(&mut self, group_id: &str, around: &Around<'_>) -> usize {
        let members: Vec<StrBytes> = match self.groups.get(group_id).map(|group| &group.protocol) {
            Some(Protocol::Classic(classic)) => classic.member_ids(),
            Some(Protocol::Consumer(consumer)) => consumer.members().cloned().collect(),
            None => Vec::new(),
        };
        members.iter().filter(|id| self.evict_member(group_id, id, around)).count()
    }
}
