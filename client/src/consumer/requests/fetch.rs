//! `Fetch`, request and reply.
//!
//! The records of a reply stay where they are: each partition's are a view into the frame. Of each, only the header of
//! the batches is looked at here, to know from where to fetch on.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidemill_protocol::fetch::{AbortedTransactions, FetchResponse};
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use tidemill_protocol::messages::{FetchRequest, TopicName};
use uuid::Uuid;

use super::{VersionRange, isolation, millis, text, versions};
use crate::consumer::config::IsolationLevel;
use crate::consumer::fetcher::{Answer, Plan, Reply, Wanted};

/// The versions in which this plan can be said: by name only, while the id of one of its topics is not known.
pub(in crate::consumer) fn versions_of(plan: &Plan) -> VersionRange {
    if plan.partitions.iter().any(|wanted| wanted.topic_id.is_nil()) {
        versions::FETCH_BY_NAME
    } else {
        versions::FETCH
    }
}

/// What of the plan is to be said: within a fetch session, not all of it.
pub(in crate::consumer) fn request(plan: &Plan, version: i16) -> FetchRequest {
    let by_id = version >= 13;
    let mut topics: Vec<FetchTopic> = Vec::new();
    let mut last = None;
    let in_session = version >= 7;
    let all = || (plan.first..plan.partitions.len()).chain(0..plan.first).collect();
    let said = plan.said.changed.clone().filter(|_| in_session).unwrap_or_else(all);
    for wanted in said.into_iter().filter_map(|index| plan.partitions.get(index)) {
        // The order of partitions is the order in which the broker fills its reply: neighbours share a topic entry.
        if last != Some(&wanted.partition.topic) {
            last = Some(&wanted.partition.topic);
            let topic = FetchTopic::default();
            topics.push(if by_id {
                topic.with_topic_id(wanted.topic_id)
            } else {
                topic.with_topic(TopicName(text(&wanted.partition.topic)))
            });
        }
        let partition = FetchPartition::default()
            .with_partition(wanted.partition.partition)
            .with_current_leader_epoch(if version >= 9 { wanted.leader_epoch } else { -1 })
            .with_fetch_offset(wanted.offset)
            .with_last_fetched_epoch(if version >= 12 { wanted.last_epoch } else { -1 })
            .with_partition_max_bytes(plan.partition_bytes_max);
        if let Some(topic) = topics.last_mut() {
            topic.partitions.push(partition);
        }
    }
    let rack = plan.rack.as_deref().filter(|_| version >= 11);
    FetchRequest::default()
        .with_max_wait_ms(millis(plan.wait_max))
        .with_min_bytes(plan.bytes_min)
        .with_max_bytes(plan.bytes_max)
        .with_isolation_level(isolation(plan.isolation_level))
        .with_session_id(if in_session { plan.said.session_id } else { 0 })
        .with_session_epoch(if in_session { plan.said.session_epoch } else { -1 })
        .with_forgotten_topics_data(if in_session { forgotten(plan, by_id) } else { Vec::new() })
        .with_rack_id(rack.map(text).unwrap_or_default())
        .with_topics(topics)
}

fn forgotten(plan: &Plan, by_id: bool) -> Vec<ForgottenTopic> {
    let mut topics: Vec<ForgottenTopic> = Vec::new();
    let mut last = None;
    for (partition, topic_id) in &plan.said.forgotten {
        if last != Some(&partition.topic) {
            last = Some(&partition.topic);
            let topic = ForgottenTopic::default();
            topics.push(if by_id {
                topic.with_topic_id(*topic_id)
            } else {
                topic.with_topic(TopicName(text(&partition.topic)))
            });
        }
        if let Some(topic) = topics.last_mut() {
            topic.partitions.push(partition.partition);
        }
    }
    topics
}

/// What the broker said of each partition asked for. What was not asked for is ignored.
pub(in crate::consumer) fn reply(plan: &Plan, version: i16, response: &FetchResponse) -> Reply {
    response.error_code.into_result()?;
    let by_id = version >= 13;
    let mut names: BTreeMap<Uuid, &str> = BTreeMap::new();
    for Wanted { partition, topic_id, .. } in plan.partitions.iter().filter(|_| by_id) {
        names.entry(*topic_id).or_insert(&partition.topic);
    }
    let mut answered = vec![false; plan.partitions.len()];
    let mut answers = Vec::new();
    for topic in response.topics() {
        let name = if by_id { names.get(&topic.id).copied() } else { Some(topic.name.as_str()) };
        let Some(name) = name else { continue };
        for part in topic.partitions {
            let place = (name, part.partition_index);
            let found =
                plan.partitions.binary_search_by(|it| (&*it.partition.topic, it.partition.partition).cmp(&place));
            let Ok(index) = found else { continue };
            // A partition that is answered twice is answered once.
            match answered.get_mut(index) {
                Some(before @ false) => *before = true,
                Some(true) | None => continue,
            }
            let records = part.records.clone().unwrap_or_default();
            let (next_offset, last_epoch) = extent(&records).map_or((None, -1), |(next, epoch)| (Some(next), epoch));
            let aborted = part.aborted_transactions.iter().flat_map(AbortedTransactions::iter);
            answers.push(Answer {
                index,
                code: part.error_code,
                high_watermark: match plan.isolation_level {
                    IsolationLevel::ReadUncommitted => part.high_watermark,
                    IsolationLevel::ReadCommitted => part.last_stable_offset,
                },
                aborted: aborted.map(|aborted| (aborted.first_offset, aborted.producer_id)).collect(),
                next_offset,
                last_epoch,
                diverges_at: Some(part.diverging_epoch.end_offset).filter(|_| part.diverging_epoch.epoch >= 0),
                preferred_replica: Some(part.preferred_read_replica).filter(|replica| *replica >= 0),
                records,
            });
        }
    }
    Ok((answers, response.session_id))
}

/// The offset after the last whole batch, and its leader epoch; none when not even the first is whole. What the batches
/// hold is checked when they are opened: here a length that makes no sense ends the walk.
fn extent(records: &Bytes) -> Option<(i64, i32)> {
    let mut rest: &[u8] = records;
    let mut last = None;
    while let Some(Extent { base_offset, bytes, last_offset_delta, leader_epoch }) = batch_extent(rest) {
        let Some(after) = rest.get(bytes..) else { break };
        last = Some((base_offset.checked_add(last_offset_delta)?.checked_add(1)?, leader_epoch));
        rest = after;
    }
    last
}

/// What the head of a batch or message says of it.
struct Extent {
    base_offset: i64,
    bytes: usize,
    last_offset_delta: i64,
    leader_epoch: i32,
}

/// Of the batch or message at the start.
fn batch_extent(bytes: &[u8]) -> Option<Extent> {
    const LENGTH_END: usize = 12;
    const MAGIC: usize = 16;
    const LAST_OFFSET_DELTA: usize = 23;
    let base_offset = i64::from_be_bytes(*bytes.first_chunk()?);
    let length = i32::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
    let size = usize::try_from(length).ok()?.checked_add(LENGTH_END)?;
    if *bytes.get(MAGIC)? < 2 {
        return Some(Extent { base_offset, bytes: size, last_offset_delta: 0, leader_epoch: -1 });
    }
    let leader_epoch = i32::from_be_bytes(*bytes.get(LENGTH_END..)?.first_chunk()?);
    let delta = i32::from_be_bytes(*bytes.get(LAST_OFFSET_DELTA..)?.first_chunk()?);
    Some(Extent { base_offset, bytes: size, last_offset_delta: i64::from(delta), leader_epoch })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base_offset: i64, last_offset_delta: i32, body_bytes: usize) -> Vec<u8> {
        let mut bytes = base_offset.to_be_bytes().to_vec();
        bytes.extend(i32::try_from(49 + body_bytes).unwrap().to_be_bytes());
        bytes.extend([0, 0, 0, 7, 2, 0, 0, 0, 0, 0, 0]);
        bytes.extend(last_offset_delta.to_be_bytes());
        bytes.resize(61 + body_bytes, 0);
        bytes
    }

    #[test]
    fn fetching_goes_on_after_the_last_whole_batch() {
        let mut bytes = batch(10, 4, 20);
        bytes.extend(batch(15, 0, 5));
        assert_eq!(extent(&bytes.clone().into()), Some((16, 7)));
        bytes.extend(&batch(16, 9, 100)[..80]);
        assert_eq!(extent(&bytes.into()), Some((16, 7)));
        assert_eq!(extent(&batch(16, 9, 100)[..80].to_vec().into()), None);
    }

    #[test]
    fn lengths_and_offsets_that_make_no_sense_end_the_walk() {
        let mut negative = batch(10, 4, 0);
        negative[8..12].copy_from_slice(&(-5_i32).to_be_bytes());
        assert_eq!(extent(&negative.into()), None);
        assert_eq!(extent(&batch(i64::MAX, 4, 0).into()), None);
        for size in 0..61 {
            assert_eq!(extent(&vec![0xff; size].into()), None);
        }
    }
}
