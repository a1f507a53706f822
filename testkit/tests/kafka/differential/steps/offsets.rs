//! Offsets of groups: committed, fetched and deleted; and where their coordinator is.

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tidemill_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use tidemill_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use tidemill_protocol::messages::*;

use super::{classic, consumers};
use crate::differential::answer::Keep;
use crate::differential::draw::Draw;
use crate::differential::side::Side;

/// Somebody who asks for a group's offsets: group, member, generation or epoch, instance.
pub(super) struct Who {
    pub(super) group: GroupId,
    pub(super) member: StrBytes,
    pub(super) epoch: i32,
    pub(super) instance: Option<StrBytes>,
}

/// A member of either kind of group, or nobody.
pub(super) fn who(side: &Side, draw: &mut Draw) -> Who {
    let (group, member) = (u8::from(draw.chance(20)), draw.below(3));
    let is_classic = draw.chance(50);
    let nobody = draw.chance(25);
    let (name, id, epoch) = if is_classic {
        let known = side.members.get(&(group, member)).cloned().unwrap_or_default();
        (classic::group_name(group), known.id, known.generation)
    } else {
        let known = side.consumers.get(&(group, member)).cloned().unwrap_or_default();
        (consumers::group_name(group), known.id, known.epoch)
    };
    let odd = draw.chance(8);
    let odd_epoch = draw.odd_number();
    let odd_id = draw.chance(4);
    let epoch = if nobody {
        -1
    } else if odd {
        odd_epoch
    } else {
        epoch
    };
    let member_id = if odd_id {
        StrBytes::from_static_str("nobody")
    } else if nobody {
        StrBytes::default()
    } else {
        id
    };
    let instance = (is_classic && member == 2 && draw.chance(80)) || draw.chance(2);
    let instance = instance.then(|| StrBytes::from_string(format!("instance{member}")));
    let group = if draw.chance(96) { side.named(&name) } else { draw.group(side, "group") };
    Who { group: GroupId(group), member: member_id, epoch, instance }
}

pub(super) fn metadata(draw: &mut Draw) -> Option<StrBytes> {
    match draw.below(20) {
        0..10 => Some(StrBytes::default()),
        10..14 => Some(StrBytes::from_static_str("metadata")),
        14..19 => None,
        _ => Some(StrBytes::from_string("m".repeat(5000))),
    }
}

pub(crate) fn commit(side: &mut Side, draw: &mut Draw) {
    let Who { group, member, epoch, instance } = who(side, draw);
    let topics = draw.some(|draw| {
        let partitions = draw.some(|draw| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(draw.partition())
                .with_committed_offset(draw.offset())
                .with_committed_leader_epoch(draw.leader_epoch())
                .with_committed_metadata(metadata(draw))
        });
        OffsetCommitRequestTopic::default().with_name(draw.topic(side)).with_partitions(partitions)
    });
    let request = OffsetCommitRequest::default()
        .with_group_id(group)
        .with_member_id(member)
        .with_generation_id_or_member_epoch(epoch)
        .with_group_instance_id(instance)
        .with_retention_time_ms(-1)
        .with_topics(topics);
    side.ask(draw, &request);
}

pub(crate) fn fetch(side: &mut Side, draw: &mut Draw) {
    let all = draw.chance(30);
    if draw.chance(40) {
        let topics = draw.some(|draw| {
            OffsetFetchRequestTopic::default().with_name(draw.topic(side)).with_partition_indexes(draw.partitions())
        });
        let Who { group, .. } = who(side, draw);
        let version = 1 + i16::from(draw.below(7));
        let request = OffsetFetchRequest::default()
            .with_group_id(group)
            .with_topics(if all && version >= 2 { None } else { Some(topics) })
            .with_require_stable(version >= 7 && draw.chance(50));
        side.ask_in(version, &request, Keep::All);
        return;
    }
    // Several groups are asked for since version 8.
    let version = 8 + i16::from(draw.below(2));
    let groups = draw.some(|draw| {
        let topics = draw.some(|draw| {
            OffsetFetchRequestTopics::default().with_name(draw.topic(side)).with_partition_indexes(draw.partitions())
        });
        let Who { group, member, epoch, .. } = who(side, draw);
        let says = version >= 9 && draw.chance(60);
        OffsetFetchRequestGroup::default()
            .with_group_id(group)
            .with_member_id(says.then_some(member))
            .with_member_epoch(if says { epoch } else { -1 })
            .with_topics(if all { None } else { Some(topics) })
    });
    let request = OffsetFetchRequest::default().with_groups(groups).with_require_stable(draw.chance(50));
    side.ask_in(version, &request, Keep::All);
}

pub(crate) fn delete(side: &mut Side, draw: &mut Draw) {
    let Who { group, .. } = who(side, draw);
    let topics = draw.some(|draw| {
        let partitions =
            draw.some(|draw| OffsetDeleteRequestPartition::default().with_partition_index(draw.partition()));
        OffsetDeleteRequestTopic::default().with_name(draw.topic(side)).with_partitions(partitions)
    });
    side.ask(draw, &OffsetDeleteRequest::default().with_group_id(group).with_topics(topics));
}

pub(crate) fn find_coordinator(side: &mut Side, draw: &mut Draw) {
    let kind = if draw.chance(90) { i8::from(draw.chance(50)) } else { *draw.pick(&[2, 3, -1]) };
    let key = |draw: &mut Draw| draw.group(side, "group");
    let keys = draw.some(key);
    let request = FindCoordinatorRequest::default().with_key_type(kind);
    // Several are asked for since version 4.
    if draw.chance(40) {
        let version = if kind == 0 { i16::from(draw.below(4)) } else { 1 + i16::from(draw.below(3)) };
        let key = keys.first().cloned().unwrap_or_default();
        side.ask_in(version, &request.with_key(key), Keep::All);
    } else {
        let version = 4 + i16::from(draw.below(3));
        side.ask_in(version, &request.with_coordinator_keys(keys), Keep::All);
    }
}
