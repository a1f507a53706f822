//! Records: written by anyone, by idempotent producers and in transactions, and deleted.

use bytes::{Bytes, BytesMut};
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, Header, NewRecord, ProducerStamp};

use super::{topics, transactions};
use crate::differential::draw::Draw;
use crate::differential::side::{Producer, Side};

/// Who writes: nobody, or a producer by its number.
struct Writer {
    slot: u8,
    producer: Option<Producer>,
    transactional: bool,
}

pub(crate) fn produce(side: &mut Side, draw: &mut Draw) {
    let writer = writer(side, draw);
    let acks = if draw.chance(92) { *draw.pick(&[-1, -1, 1]) } else { *draw.pick(&[2, -2, i16::MAX]) };
    let (request, sequences) = request(side, draw, &writer, acks);
    let Some(told) = side.ask(draw, &request) else { return };
    for topic in told.responses {
        let name = if topic.name.is_empty() {
            side.topic_ids.iter().find(|(_, id)| **id == topic.topic_id).map(|(name, _)| name.clone())
        } else {
            Some(topic.name.to_string())
        };
        for partition in topic.partition_responses.iter().filter(|it| it.error_code == 0) {
            let Some(name) = &name else { continue };
            let written = sequences.iter().find(|(topic, index, _)| topic == name && *index == partition.index);
            if let Some((topic, index, next)) = written {
                side.sequences.insert((writer.slot, topic.clone(), *index), *next);
            }
        }
    }
}

/// With `acks=0`, which is never answered; what became of it, its partitions say.
pub(crate) fn produce_unanswered(side: &mut Side, draw: &mut Draw) {
    let writer = Writer { slot: 0, producer: None, transactional: false };
    let (request, _) = request(side, draw, &writer, 0);
    side.send_unanswered(draw, &request);
    topics::settle(side);
}

fn writer(side: &Side, draw: &mut Draw) -> Writer {
    let slot = draw.below(4);
    let is_stamped = draw.chance(65);
    let mut producer = side.producers.get(&slot).copied().filter(|_| is_stamped);
    if draw.chance(6) {
        let epoch = *draw.pick(&[-1, 1, 5, -3]);
        producer = producer.map(|producer| Producer { epoch: producer.epoch.saturating_add(epoch), ..producer });
    }
    if draw.chance(2) {
        producer = Some(Producer { id: *draw.pick(&[900_000, 1, -5]), epoch: 0 });
    }
    let likely = if slot < transactions::TRANSACTIONAL { 92 } else { 3 };
    let transactional = draw.chance(likely) && producer.is_some();
    Writer { slot, producer, transactional }
}

fn request(side: &Side, draw: &mut Draw, writer: &Writer, acks: i16) -> (ProduceRequest, Vec<(String, i32, i32)>) {
    let mut sequences = Vec::new();
    let topics = draw.some(|draw| {
        let name = draw.topic(side);
        let partitions = draw.some(|draw| {
            let index = draw.partition();
            let key = (writer.slot, name.to_string(), index);
            let sequence = side.sequences.get(&key).copied().unwrap_or(0);
            let shift = *draw.pick(&[1, -1, -2, 100, -1000]);
            let sequence = if draw.chance(88) { sequence } else { sequence.saturating_add(shift).max(-1) };
            let (records, count) = records(draw, writer, sequence);
            sequences.push((name.to_string(), index, sequence.saturating_add(count)));
            let records = if draw.chance(98) || acks == 0 { Some(records) } else { None };
            PartitionProduceData::default().with_index(index).with_records(records)
        });
        let id = draw.id_of(side, &name);
        TopicProduceData::default().with_name(name).with_topic_id(id).with_partition_data(partitions)
    });
    let number = if draw.chance(95) { writer.slot } else { draw.below(4) };
    let transactional = if draw.chance(97) { writer.transactional } else { !writer.transactional };
    let id = transactional.then(|| TransactionalId(side.named(&format!("transactions{number}"))));
    let timeout = if draw.chance(95) { 5000 } else { draw.odd_number().min(5000) };
    let request = ProduceRequest::default().with_transactional_id(id).with_acks(acks).with_timeout_ms(timeout);
    (request.with_topic_data(topics), sequences)
}

/// A batch of a few records, and how many: mostly whole.
fn records(draw: &mut Draw, writer: &Writer, sequence: i32) -> (Bytes, i32) {
    let count = 1 + draw.below(3);
    let mut builder = BatchBuilder::new(200);
    for number in 0..count {
        let time =
            if draw.chance(95) { draw.time + i64::from(draw.below(200)) } else { *draw.pick(&[-1, 0, i64::MAX / 4]) };
        let value = draw.chance(90).then(|| format!("value {number}"));
        let key = draw.chance(50).then(|| format!("key {number}"));
        let headers: &[Header<'_>] = if draw.chance(20) { &[Header { key: b"h", value: None }] } else { &[] };
        builder.append(&NewRecord {
            timestamp: time,
            key: key.as_ref().map(|key| key.as_bytes()),
            value: value.as_ref().map(|value| value.as_bytes()),
            headers,
        });
    }
    let codec = *draw.pick(&[Codec::None, Codec::None, Codec::None, Codec::Gzip, Codec::Lz4, Codec::Snappy]);
    let stamp = writer.producer.map(|producer| ProducerStamp {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        base_sequence: sequence,
    });
    let transactional = if draw.chance(98) { writer.transactional } else { !writer.transactional };
    let flags = BatchFlags { transactional, control: draw.chance(1) };
    let batch = builder.seal(codec).stamp(stamp, flags);
    let batch = match draw.below(100) {
        0 => batch.slice(..batch.len() - 3),
        1 => Bytes::new(),
        2 => changed(&batch, 16, 0),
        3 => changed(&batch, 16, 1),
        4 => changed(&batch, 70, 1),
        5 => [batch.as_ref(), batch.as_ref()].concat().into(),
        _ => batch,
    };
    (batch, i32::from(count))
}

/// The batch with another byte at a place.
fn changed(batch: &Bytes, at: usize, to: u8) -> Bytes {
    let mut changed = BytesMut::from(&batch[..]);
    if let Some(byte) = changed.get_mut(at) {
        *byte = to;
    }
    changed.freeze()
}

pub(crate) fn delete_records(side: &mut Side, draw: &mut Draw) {
    let topics = draw.some(|draw| {
        let name = draw.topic(side);
        let partitions = draw.some(|draw| {
            let offset = if draw.chance(80) { i64::from(draw.below(5)) } else { draw.offset() };
            DeleteRecordsPartition::default().with_partition_index(draw.partition()).with_offset(offset)
        });
        DeleteRecordsTopic::default().with_name(name).with_partitions(partitions)
    });
    side.ask(draw, &DeleteRecordsRequest::default().with_topics(topics).with_timeout_ms(5000));
}
