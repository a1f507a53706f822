//! Offsets and records: listed and fetched, also in sessions.

use std::fmt::Write;

use bytes::Bytes;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::RecordBatches;

use crate::differential::answer::Keep;
use crate::differential::draw::Draw;
use crate::differential::side::Side;

/// The attribute of a batch whose times are those of the broker.
const LOG_APPEND_TIME: i16 = 8;

pub(crate) fn list_offsets(side: &mut Side, draw: &mut Draw) {
    let topics = draw.some(|draw| {
        let name = draw.topic(side);
        let partitions = draw.some(|draw| {
            let time = match draw.below(20) {
                0..6 => -1,
                6..11 => -2,
                11..13 => -3,
                13 => *draw.pick(&[-4, -5, -6, -7, i64::MIN]),
                14..19 => draw.time + i64::from(draw.below(200)),
                _ => *draw.pick(&[0, i64::MAX]),
            };
            ListOffsetsPartition::default()
                .with_partition_index(draw.partition())
                .with_timestamp(time)
                .with_current_leader_epoch(draw.leader_epoch())
        });
        ListOffsetsTopic::default().with_name(name).with_partitions(partitions)
    });
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(if draw.chance(97) { -1 } else { *draw.pick(&[-2, 1, 5]) }))
        .with_isolation_level(if draw.chance(95) { i8::from(draw.chance(40)) } else { *draw.pick(&[2, -1]) })
        .with_topics(topics)
        .with_timeout_ms(5000);
    side.ask(draw, &request);
}

pub(crate) fn offset_for_leader_epoch(side: &mut Side, draw: &mut Draw) {
    let topics = draw.some(|draw| {
        let partitions = draw.some(|draw| {
            OffsetForLeaderPartition::default()
                .with_partition(draw.partition())
                .with_current_leader_epoch(draw.leader_epoch())
                .with_leader_epoch(draw.leader_epoch())
        });
        OffsetForLeaderTopic::default().with_topic(draw.topic(side)).with_partitions(partitions)
    });
    let replica = BrokerId(if draw.chance(60) { -1 } else { *draw.pick(&[-2, 1, 5]) });
    side.ask(draw, &OffsetForLeaderEpochRequest::default().with_replica_id(replica).with_topics(topics));
}

pub(crate) fn fetch(side: &mut Side, draw: &mut Draw) {
    let request = request(side, draw);
    side.ask_of(draw, &request.with_session_epoch(-1), Keep::All, tell);
}

/// A session is made, gone on with, or ended, mostly by its next epoch.
pub(crate) fn fetch_in_session(side: &mut Side, draw: &mut Draw) {
    let mut request = request(side, draw);
    let slot = draw.below(2);
    let (id, epoch) = side.sessions.get(&slot).copied().unwrap_or((0, 0));
    let odd = draw.odd_number();
    (request.session_id, request.session_epoch) = match draw.below(20) {
        0..15 => (id, epoch),
        15 => (id, -1),
        16 => (id, 0),
        17 => (id, epoch.saturating_add(odd)),
        18 => (77, odd),
        _ => (0, odd),
    };
    if draw.chance(25) {
        request.forgotten_topics_data = draw.some(|draw| {
            let topic = draw.topic(side);
            let id = draw.id_of(side, &topic);
            ForgottenTopic::default().with_topic(topic).with_topic_id(id).with_partitions(draw.partitions())
        });
    }
    if draw.chance(40) && request.session_epoch > 0 {
        request.topics.clear();
    }
    let Some(told) = side.ask_of(draw, &request, Keep::All, tell) else { return };
    if told.error_code == 0 && told.session_id != 0 {
        let next = if request.session_epoch <= 0 { 1 } else { request.session_epoch.saturating_add(1) };
        side.sessions.insert(slot, (told.session_id, next));
    } else if told.error_code == 0 || told.error_code == 70 {
        side.sessions.remove(&slot);
    }
}

fn request(side: &Side, draw: &mut Draw) -> FetchRequest {
    let topics = draw.some(|draw| {
        let topic = draw.topic(side);
        let id = draw.id_of(side, &topic);
        let partitions = draw.some(|draw| {
            let bytes = if draw.chance(80) { 1 << 20 } else { *draw.pick(&[0, 1, 100, -1, i32::MAX]) };
            FetchPartition::default()
                .with_partition(draw.partition())
                .with_fetch_offset(if draw.chance(50) { 0 } else { draw.offset() })
                .with_partition_max_bytes(bytes)
                .with_current_leader_epoch(draw.leader_epoch())
                .with_last_fetched_epoch(if draw.chance(90) { -1 } else { draw.leader_epoch() })
                .with_log_start_offset(-1)
        });
        FetchTopic::default().with_topic(topic).with_topic_id(id).with_partitions(partitions)
    });
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(if draw.chance(97) { 0 } else { *draw.pick(&[20, -1]) })
        .with_min_bytes(if draw.chance(90) { 1 } else { *draw.pick(&[0, 1000, -1]) })
        .with_max_bytes(if draw.chance(80) { 1 << 20 } else { *draw.pick(&[0, 1, 150, -1, i32::MAX]) })
        .with_isolation_level(if draw.chance(96) { i8::from(draw.chance(50)) } else { *draw.pick(&[2, -1]) })
        .with_topics(topics)
}

/// Batches by what stands in them, ids by the fields they have in messages.
fn tell(response: &mut FetchResponse) {
    for partition in response.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let Some(records) = partition.records.take() else { continue };
        let mut told = String::new();
        let mut batches = RecordBatches::new(records);
        for batch in &mut batches {
            let Ok(batch) = batch else {
                told.push_str("broken");
                break;
            };
            let it = batch.header();
            let _ = write!(
                told,
                "{}..{} leader epoch {} attributes {} producer epoch {} sequence {} count {}:",
                it.base_offset,
                it.last_offset(),
                it.partition_leader_epoch,
                it.attributes,
                it.producer_epoch,
                it.base_sequence,
                it.record_count,
            );
            let Ok(open) = batch.open(1 << 20) else {
                told.push_str("not to be opened");
                continue;
            };
            for record in open.iter().map_while(Result::ok) {
                let is_clocks = it.is_control() || it.attributes & LOG_APPEND_TIME != 0;
                let time = if is_clocks { 0 } else { record.timestamp };
                let bytes = |bytes: Option<&[u8]>| bytes.map(|bytes| bytes.escape_ascii().to_string());
                let _ = write!(told, " {time} {:?} {:?}", bytes(record.key), bytes(record.value));
            }
        }
        let _ = write!(told, " and {} bytes", batches.truncated().len());
        partition.records = Some(Bytes::from(told));
    }
}

pub(crate) fn close_sessions(side: &mut Side) {
    for (id, _) in std::mem::take(&mut side.sessions).into_values() {
        let request = FetchRequest::default().with_replica_id(BrokerId(-1)).with_session_id(id).with_session_epoch(-1);
        side.ask_in(12, &request, Keep::All);
    }
}
