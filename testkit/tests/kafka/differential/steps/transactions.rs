//! Producer ids and transactions of both generations.

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use tidemill_protocol::messages::describe_producers_request::TopicRequest;
use tidemill_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use tidemill_protocol::messages::*;

use super::offsets::{self, Who};
use crate::differential::answer::Keep;
use crate::differential::draw::Draw;
use crate::differential::side::{Producer, Side};

/// The first so many producers have a transactional id.
pub(crate) const TRANSACTIONAL: u8 = 2;

/// Longer than a sequence takes.
const TIMEOUT_MS: i32 = 120_000;

fn id_of(side: &Side, slot: u8) -> TransactionalId {
    TransactionalId(side.named(&format!("transactions{slot}")))
}

/// A producer, mostly as it is known.
fn drawn(side: &Side, draw: &mut Draw) -> (u8, TransactionalId, Producer) {
    let slot = draw.below(TRANSACTIONAL);
    let mut producer = side.producers.get(&slot).copied().unwrap_or_default();
    if draw.chance(6) {
        producer.epoch = producer.epoch.saturating_add(*draw.pick(&[-1, 1, 5, -3]));
    }
    if draw.chance(3) {
        producer.id = *draw.pick(&[-1, 900_000, -5]);
    }
    let id = if draw.chance(97) {
        id_of(side, slot)
    } else {
        TransactionalId(draw.own_or_odd(side, "transactions", TRANSACTIONAL))
    };
    (slot, id, producer)
}

/// Waits until the transactions of the sequence are where they will stay.
fn settle(side: &mut Side) {
    let ids = (0..TRANSACTIONAL).map(|slot| id_of(side, slot)).collect();
    side.ask_in(0, &DescribeTransactionsRequest::default().with_transactional_ids(ids), Keep::All);
}

pub(crate) fn init(side: &mut Side, draw: &mut Draw) {
    let slot = draw.below(4);
    let known = side.producers.get(&slot).copied();
    let id = (slot < TRANSACTIONAL).then(|| id_of(side, slot));
    let id =
        if draw.chance(97) { id } else { Some(TransactionalId(draw.own_or_odd(side, "transactions", TRANSACTIONAL))) };
    let says = draw.chance(25);
    let odd = *draw.pick(&[0, 0, 0, -1, 1]);
    let producer = known.filter(|_| says).unwrap_or_default();
    let producer = Producer { epoch: producer.epoch.saturating_add(odd * i16::from(says)), ..producer };
    let timeout = if draw.chance(95) { TIMEOUT_MS } else { *draw.pick(&[0, -1, 1, i32::MAX]) };
    let request = InitProducerIdRequest::default()
        .with_transactional_id(id.clone())
        .with_transaction_timeout_ms(timeout)
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch);
    let Some(told) = side.ask(draw, &request) else { return };
    if told.error_code == 0 {
        let producer = Producer { id: told.producer_id.0, epoch: told.producer_epoch };
        renew(side, slot, producer);
    }
    if id.is_some() {
        settle(side);
    }
}

/// With a new id or epoch, sequences begin anew.
fn renew(side: &mut Side, slot: u8, producer: Producer) {
    if side.producers.insert(slot, producer) != Some(producer) {
        side.sequences.retain(|(other, ..), _| *other != slot);
    }
}

fn topics(side: &Side, draw: &mut Draw) -> Vec<AddPartitionsToTxnTopic> {
    draw.some(|draw| AddPartitionsToTxnTopic::default().with_name(draw.topic(side)).with_partitions(draw.partitions()))
}

pub(crate) fn add_partitions(side: &mut Side, draw: &mut Draw) {
    let (_, id, producer) = drawn(side, draw);
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id)
        .with_v3_and_below_producer_id(ProducerId(producer.id))
        .with_v3_and_below_producer_epoch(producer.epoch)
        .with_v3_and_below_topics(topics(side, draw));
    let version = i16::from(draw.below(4));
    side.ask_in(version, &request, Keep::All);
}

/// As brokers ask each other since version 4.
pub(crate) fn add_partitions_batched(side: &mut Side, draw: &mut Draw) {
    let transactions = draw.some(|draw| {
        let (_, id, producer) = drawn(side, draw);
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(id)
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_verify_only(draw.chance(60))
            .with_topics(topics(side, draw))
    });
    let version = 4 + i16::from(draw.below(2));
    side.ask_in(version, &AddPartitionsToTxnRequest::default().with_transactions(transactions), Keep::All);
}

pub(crate) fn add_offsets(side: &mut Side, draw: &mut Draw) {
    let (_, id, producer) = drawn(side, draw);
    let Who { group, .. } = offsets::who(side, draw);
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(id)
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_group_id(group);
    side.ask(draw, &request);
}

pub(crate) fn commit_offsets(side: &mut Side, draw: &mut Draw) {
    let (_, id, producer) = drawn(side, draw);
    let Who { group, member, epoch, instance } = offsets::who(side, draw);
    let topics = draw.some(|draw| {
        let partitions = draw.some(|draw| {
            TxnOffsetCommitRequestPartition::default()
                .with_partition_index(draw.partition())
                .with_committed_offset(draw.offset())
                .with_committed_leader_epoch(draw.leader_epoch())
                .with_committed_metadata(offsets::metadata(draw))
        });
        TxnOffsetCommitRequestTopic::default().with_name(draw.topic(side)).with_partitions(partitions)
    });
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(id)
        .with_group_id(group)
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_topics(topics);
    // Who commits is said since version 3.
    if draw.chance(50) {
        side.ask(draw, &request);
    } else {
        let request = request.with_member_id(member).with_generation_id(epoch).with_group_instance_id(instance);
        side.ask(draw, &request);
    }
}

pub(crate) fn end(side: &mut Side, draw: &mut Draw) {
    let (slot, id, producer) = drawn(side, draw);
    let request = EndTxnRequest::default()
        .with_transactional_id(id)
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_committed(draw.chance(65));
    let Some(told) = side.ask(draw, &request) else { return };
    if told.error_code == 0 && told.producer_id.0 >= 0 {
        renew(side, slot, Producer { id: told.producer_id.0, epoch: told.producer_epoch });
    }
    settle(side);
}

pub(crate) fn describe(side: &mut Side, draw: &mut Draw) {
    let ids = draw.some(|draw| TransactionalId(draw.own_or_odd(side, "transactions", TRANSACTIONAL)));
    side.ask(draw, &DescribeTransactionsRequest::default().with_transactional_ids(ids));
}

pub(crate) fn list(side: &mut Side, draw: &mut Draw) {
    let states =
        ["Ongoing", "Empty", "CompleteCommit", "CompleteAbort", "PrepareCommit", "Dead", "ongoing", "nonsense"];
    let mut request = ListTransactionsRequest::default();
    if draw.chance(40) {
        request.state_filters = draw.some(|draw| StrBytes::from_string((*draw.pick(&states)).to_owned()));
    }
    if draw.chance(30) {
        request.producer_id_filters = draw.some(|draw| {
            let (_, _, producer) = drawn(side, draw);
            ProducerId(producer.id)
        });
    }
    request.duration_filter = if draw.chance(80) { -1 } else { *draw.pick(&[0, 1_000_000, i64::MAX, -2]) };
    if draw.chance(20) {
        let pattern = *draw.pick(&["", ".*", ".*0", "nothing", "(", "transactions"]);
        request.transactional_id_pattern = Some(StrBytes::from_static_str(pattern));
    }
    side.ask_own(draw, &request);
}

pub(crate) fn describe_producers(side: &mut Side, draw: &mut Draw) {
    let topics =
        draw.some(|draw| TopicRequest::default().with_name(draw.topic(side)).with_partition_indexes(draw.partitions()));
    side.ask(draw, &DescribeProducersRequest::default().with_topics(topics));
}

pub(crate) fn end_all(side: &mut Side) {
    for slot in 0..TRANSACTIONAL {
        if side.producers.contains_key(&slot) {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(Some(id_of(side, slot)))
                .with_transaction_timeout_ms(TIMEOUT_MS)
                .with_producer_id(ProducerId(-1))
                .with_producer_epoch(-1);
            side.ask_in(4, &request, Keep::All);
        }
    }
}
