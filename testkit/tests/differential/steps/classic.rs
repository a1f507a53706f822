//! Groups whose members plan for themselves: joined, synced and left, by the right members and by others.

use bytes::Bytes;
use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use tidemill_protocol::messages::leave_group_request::MemberIdentity;
use tidemill_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use tidemill_protocol::messages::*;

use crate::answer::Keep;
use crate::draw::Draw;
use crate::side::{Member, Side};

/// Longer than a sequence takes.
const TIMEOUT_MS: i32 = 60_000;

/// Each member keeps to its group; the third is a static one.
const MEMBERS: u8 = 3;

pub(crate) fn group_name(number: u8) -> String {
    format!("group{number}")
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn drawn(side: &Side, draw: &mut Draw) -> ((u8, u8), Member, GroupId, Option<StrBytes>) {
    // Mostly in the first group, so that its members meet.
    let key = (u8::from(draw.chance(15)), draw.below(MEMBERS));
    let mut member = side.members.get(&key).cloned().unwrap_or_default();
    if draw.chance(5) {
        member.id = text(draw.word(&["", "nobody"]));
    }
    let group = if draw.chance(98) { side.named(&group_name(key.0)) } else { draw.group(side, "group") };
    let instance = if draw.chance(95) { key.1 == 2 } else { key.1 != 2 };
    let instance = instance.then(|| text(&format!("instance{}", key.1)));
    (key, member, GroupId(group), instance)
}

/// What a consumer says of the topics it reads.
fn subscription(side: &Side) -> Bytes {
    let topic = side.named("topic0");
    let mut bytes = vec![0, 0, 0, 0, 0, 1];
    bytes.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
    bytes.extend(topic.bytes());
    bytes.extend([0, 0, 0, 0]);
    bytes.into()
}

pub(crate) fn join(side: &mut Side, draw: &mut Draw) {
    let (key, member, group, instance) = drawn(side, draw);
    let kind = if draw.chance(96) { "consumer" } else { *draw.pick(&["", "connect"]) };
    let protocols =
        if draw.chance(92) { &["range"][..] } else { *draw.pick(&[&[][..], &["sticky"], &["sticky", "range"]]) };
    let protocols = protocols.iter().map(|name| {
        let metadata = subscription(side);
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(metadata)
    });
    let protocols = protocols.collect();
    let request = JoinGroupRequest::default()
        .with_group_id(group)
        .with_member_id(member.id)
        .with_group_instance_id(instance)
        .with_session_timeout_ms(if draw.chance(95) { TIMEOUT_MS } else { draw.odd_number() })
        .with_rebalance_timeout_ms(TIMEOUT_MS)
        .with_protocol_type(text(kind))
        .with_protocols(protocols);
    let again = draw.chance(85);
    if side.is_waiting(key) {
        return side.collect();
    }
    side.join(draw, key, &request);
    side.collect();
    let id = side.members.get(&key).map(|member| member.id.clone()).unwrap_or_default();
    if again && request.member_id.is_empty() && !id.is_empty() && !side.is_waiting(key) {
        side.join(draw, key, &request.with_member_id(id));
        side.collect();
    }
}

pub(crate) fn sync(side: &mut Side, draw: &mut Draw) {
    let (key, member, group, instance) = drawn(side, draw);
    let generation = if draw.chance(94) { member.generation } else { draw.odd_number() };
    let plans = if draw.chance(95) { member.leads } else { !member.leads };
    let said = draw.below(20);
    let all: &[StrBytes] = if plans { &member.all } else { &[] };
    let assignment = |id: &StrBytes| {
        SyncGroupRequestAssignment::default()
            .with_member_id(id.clone())
            .with_assignment(Bytes::from_static(b"its share"))
    };
    let mut assignments: Vec<_> = all.iter().map(assignment).collect();
    if draw.chance(5) {
        assignments.push(assignment(&text("nobody")));
    }
    let (kind, name) = match said {
        0 => (Some("connect"), Some("range")),
        1 => (Some("consumer"), Some("other")),
        2 => (None, None),
        _ => (Some("consumer"), Some("range")),
    };
    let request = SyncGroupRequest::default()
        .with_group_id(group)
        .with_member_id(member.id)
        .with_group_instance_id(instance)
        .with_generation_id(generation)
        .with_protocol_type(kind.map(text))
        .with_protocol_name(name.map(text))
        .with_assignments(assignments);
    if !side.is_waiting(key) {
        side.sync(draw, key, &request);
    }
    side.collect();
}

pub(crate) fn heartbeat(side: &mut Side, draw: &mut Draw) {
    let (_, member, group, instance) = drawn(side, draw);
    let generation = if draw.chance(90) { member.generation } else { draw.odd_number() };
    let request = HeartbeatRequest::default()
        .with_group_id(group)
        .with_member_id(member.id)
        .with_group_instance_id(instance)
        .with_generation_id(generation);
    side.ask(draw, &request);
    side.collect();
}

pub(crate) fn leave(side: &mut Side, draw: &mut Draw) {
    let (_, member, group, _) = drawn(side, draw);
    let identity = |draw: &mut Draw| {
        let (_, member, _, instance) = drawn(side, draw);
        MemberIdentity::default().with_member_id(member.id).with_group_instance_id(instance)
    };
    let members = draw.some(identity);
    let request = LeaveGroupRequest::default().with_group_id(group);
    // One member is said up to version 2.
    if draw.chance(40) {
        let version = i16::from(draw.below(3));
        side.ask_in(version, &request.with_member_id(member.id), Keep::All);
    } else {
        let version = 3 + i16::from(draw.below(3));
        side.ask_in(version, &request.with_members(members), Keep::All);
    }
    side.collect();
}

pub(crate) fn describe(side: &mut Side, draw: &mut Draw) {
    let groups = draw.some(|draw| {
        let kind = *draw.pick(&["group", "group", "consumers"]);
        GroupId(draw.group(side, kind))
    });
    let request = DescribeGroupsRequest::default().with_groups(groups);
    let request = request.with_include_authorized_operations(draw.chance(20));
    side.ask(draw, &request);
}

pub(crate) fn list(side: &mut Side, draw: &mut Draw) {
    let states = ["Stable", "Empty", "PreparingRebalance", "CompletingRebalance", "Assigning", "stable", "nonsense"];
    let types = ["classic", "consumer", "Consumer", "nonsense"];
    let mut request = ListGroupsRequest::default();
    if draw.chance(40) {
        request.states_filter = draw.some(|draw| text(draw.word(&states)));
    }
    if draw.chance(40) {
        request.types_filter = draw.some(|draw| text(draw.word(&types)));
    }
    side.ask_own(draw, &request);
}

pub(crate) fn delete(side: &mut Side, draw: &mut Draw) {
    let groups = draw.some(|draw| {
        let kind = *draw.pick(&["group", "consumers"]);
        GroupId(draw.group(side, kind))
    });
    side.ask(draw, &DeleteGroupsRequest::default().with_groups_names(groups));
}

pub(crate) fn leave_all(side: &mut Side) {
    let members: Vec<((u8, u8), Member)> = side.members.iter().map(|(key, member)| (*key, member.clone())).collect();
    for ((group, _), member) in members {
        let group = GroupId(side.named(&group_name(group)));
        let members = vec![MemberIdentity::default().with_member_id(member.id)];
        side.ask_in(3, &LeaveGroupRequest::default().with_group_id(group).with_members(members), Keep::All);
    }
}
