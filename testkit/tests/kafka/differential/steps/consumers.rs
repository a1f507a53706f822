//! Groups that the broker plans for (KIP-848): joined, gone on with and left, by the right epochs and by others.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use tidemill_protocol::messages::*;
use uuid::Uuid;

use crate::differential::answer::Keep;
use crate::differential::draw::Draw;
use crate::differential::side::{Consumer, PAUSE, Side};

const MEMBERS: u8 = 3;

const TIMEOUT_MS: i32 = 60_000;

/// Longer than it takes a coordinator to hear of a topic, which it does when the offsets of deleted ones are removed.
const HEARS_WITHIN: Duration = Duration::from_secs(15);

/// Partitions of `__consumer_offsets`: each has a coordinator of its own.
const COORDINATORS: i32 = 50;

pub(crate) fn group_name(number: u8) -> String {
    format!("consumers{number}")
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Waits until the coordinator of a group has heard of the topics that there are: it hears of them later than who asks for
/// them, and what it assigns to a member stays. A group that nobody else knows, of the same coordinator, tells.
fn settle(side: &mut Side, group: &str) {
    let begun = Instant::now();
    let names: Vec<TopicName> = (0..3).map(|number| TopicName(side.named(&format!("topic{number}")))).collect();
    let all = |(id, count): &(Uuid, usize)| (*id, (0..i32::try_from(*count).unwrap()).collect::<Vec<i32>>());
    let expected: BTreeMap<Uuid, Vec<i32>> = side.existing.values().map(all).collect();
    let place = |id: &str| {
        let hash = id.bytes().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte)));
        (if hash == i32::MIN { 0 } else { hash.abs() }) % COORDINATORS
    };
    for number in 0.. {
        let probe = format!("{}probe{number}", side.names.prefix);
        if place(&probe) != place(group) {
            continue;
        }
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(&probe)))
            .with_member_id(text("probe"))
            .with_rebalance_timeout_ms(TIMEOUT_MS)
            .with_subscribed_topic_names(Some(names.clone()))
            .with_topic_partitions(Some(Vec::new()));
        let told = side.ask_aside(1, &request).and_then(|told| told.assignment).unwrap_or_default();
        side.ask_aside(1, &request.clone().with_member_epoch(-1));
        side.ask_aside(2, &DeleteGroupsRequest::default().with_groups_names(vec![request.group_id]));
        let assigned = told.topic_partitions.into_iter().map(|mut it| {
            it.partitions.sort_unstable();
            (it.topic_id, it.partitions)
        });
        let assigned = assigned.collect::<BTreeMap<_, _>>();
        if assigned == expected || begun.elapsed() > HEARS_WITHIN {
            return;
        }
        thread::sleep(PAUSE);
    }
}

pub(crate) fn heartbeat(side: &mut Side, draw: &mut Draw) {
    let key = (u8::from(draw.chance(15)), draw.below(MEMBERS));
    let known = side.consumers.get(&key).cloned();
    let own = text(&format!("{}consumer-{}-{}", side.names.prefix, key.0, key.1));
    let (id, epoch, assigned) = match known {
        Some(Consumer { id, epoch, assigned }) => (id, epoch, assigned),
        None => (own, 0, Vec::new()),
    };
    let is_first = epoch == 0;
    let epoch = match draw.below(40) {
        0..32 => epoch,
        32..35 => -1,
        35 => -2,
        36 => 0,
        37 => epoch.saturating_sub(1),
        _ => draw.odd_number(),
    };
    let id = if draw.chance(97) { id } else { text(draw.word(&["", "nobody"])) };
    let says_all = draw.chance(60);
    let topics = draw.some(|draw| draw.topic(side));
    let group = if draw.chance(97) { side.named(&group_name(key.0)) } else { draw.group(side, "group") };
    let mut request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(group))
        .with_member_id(id)
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None);
    if says_all || is_first {
        request.rebalance_timeout_ms = TIMEOUT_MS;
        request.subscribed_topic_names = Some(topics);
    }
    let owned = |(id, partitions): &(_, Vec<i32>)| {
        TopicPartitions::default().with_topic_id(*id).with_partitions(partitions.clone())
    };
    let owns = if is_first { Vec::new() } else { assigned.iter().map(owned).collect() };
    if (draw.chance(80) && says_all) || is_first {
        request.topic_partitions = Some(owns);
    }
    match draw.below(60) {
        0 => {
            request.topic_partitions =
                Some(draw.some(|draw| TopicPartitions::default().with_partitions(draw.partitions())))
        }
        1 => request.rebalance_timeout_ms = draw.odd_number(),
        2 => request.server_assignor = Some(text(draw.word(&["", "nonsense"]))),
        3..6 => request.server_assignor = Some(text(draw.word(&["range", "uniform"]))),
        6..9 => request.instance_id = Some(text(draw.word(&["", "instance0", "instance1"]))),
        9 => request.rack_id = Some(text(draw.word(&["", "rack"]))),
        10..12 => {
            request.subscribed_topic_regex = Some(text(draw.word(&["", "nothing", "(", "no.*"])));
            request.subscribed_topic_names = None;
        }
        _ => {}
    }
    if key.1 == 2 && draw.chance(60) {
        request.instance_id = Some(text("instance2"));
    }
    if std::mem::take(&mut side.is_news) {
        settle(side, &request.group_id.clone());
    }
    let Some(told) = side.ask(draw, &request) else { return };
    if told.error_code != 0 {
        // Fenced, or not known any more: it begins anew.
        if [25, 110].contains(&told.error_code) {
            side.consumers.remove(&key);
        }
        return;
    }
    let consumer = side.consumers.entry(key).or_default();
    consumer.id = told.member_id.filter(|id| !id.is_empty()).unwrap_or(request.member_id);
    consumer.epoch = told.member_epoch;
    if let Some(assignment) = told.assignment {
        consumer.assigned = assignment.topic_partitions.into_iter().map(|it| (it.topic_id, it.partitions)).collect();
    }
    if told.member_epoch < 0 {
        side.consumers.remove(&key);
    }
}

pub(crate) fn describe(side: &mut Side, draw: &mut Draw) {
    let groups = draw.some(|draw| {
        let kind = *draw.pick(&["consumers", "consumers", "consumers", "group"]);
        GroupId(draw.group(side, kind))
    });
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(groups);
    let request = request.with_include_authorized_operations(draw.chance(20));
    side.ask(draw, &request);
}

pub(crate) fn leave_all(side: &mut Side) {
    for ((group, _), consumer) in std::mem::take(&mut side.consumers) {
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(side.named(&group_name(group))))
            .with_member_id(consumer.id)
            .with_member_epoch(-1);
        side.ask_in(0, &request, Keep::All);
    }
}
