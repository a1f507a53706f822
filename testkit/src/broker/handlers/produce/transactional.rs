//! What a Produce request writes in a transaction: whether the transaction has come to its partitions (KIP-890).
//!
//! A partition that the producer has begun to write to is not asked about again. Otherwise the coordinator is: up to version
//! 11 whether the partition was added, from version 12 on it is added. Where the coordinator answers that an earlier end is
//! still on its way, Kafka asks it again for 100 ms before the client is told to try again, which it is here at once.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tidemill_protocol::ErrorCode;
use tidemill_protocol::messages::ProduceRequest;

use super::{LENGTH_AT, MAGIC_AT, Rejection, fault_before_the_log};
use crate::broker::acls;
use crate::broker::authorization::Resource;
use crate::broker::transactions::{Operation, TopicPartition};
use crate::broker::{Cluster, Request};

/// Since this version a producer knows that it may abort.
const KNOWS_ABORTABLE_SINCE: i16 = 11;

/// Since this version writing to a partition adds it.
const ADDS_PARTITIONS_SINCE: i16 = 12;

const TRANSACTIONAL_BIT: i16 = 1 << 4;

/// What has become of the partitions of a request.
#[derive(Debug, Default)]
pub(super) struct Verification {
    verified: BTreeSet<TopicPartition>,
    refused: BTreeMap<TopicPartition, ErrorCode>,
}

impl Verification {
    /// Asks the coordinator.
    ///
    /// # Errors
    /// What is wrong with the request as a whole.
    pub(super) fn of(cluster: &mut Cluster, body: &ProduceRequest, request: &Request<'_>) -> Result<Self, ErrorCode> {
        // Of what stands there for a partition several times, the last is written.
        let mut batches: BTreeMap<TopicPartition, Option<Transactional>> = BTreeMap::new();
        let mut is_transactional = false;
        for topic in &body.topic_data {
            let id = (request.version >= 13).then_some(topic.topic_id);
            let name =
                request.topic(cluster, acls::Operation::Write, &topic.name.0, id).map(|known| known.name.0.to_string());
            for data in &topic.partition_data {
                let batch = data.records.as_ref().and_then(Transactional::peek);
                is_transactional |= batch.is_some();
                // Only what is then to be written takes part.
                if let Ok(name) = &name
                    && cluster.topics.has(name, data.index)
                    && fault_before_the_log(data, request.version).is_none()
                {
                    batches.insert((name.clone(), data.index), batch);
                }
            }
        }
        if !is_transactional {
            return Ok(Self::default());
        }
        let transactional_id =
            body.transactional_id.as_ref().ok_or(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)?;
        request.authorize(cluster, acls::Operation::Write, Resource::TransactionalId(transactional_id))?;
        let batches = batches.into_iter().filter_map(|(partition, batch)| Some((partition, batch?)));
        let batches: Vec<(TopicPartition, Transactional)> =
            batches.filter(|(_, batch)| batch.producer.0 >= 0).collect();
        let producers: BTreeSet<(i64, i16)> = batches.iter().map(|(_, batch)| batch.producer).collect();
        let Some(producer) = producers.first().copied() else { return Ok(Self::default()) };
        if producers.len() > 1 {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        let operation = match request.version {
            ..KNOWS_ABORTABLE_SINCE => Operation::Verify,
            KNOWS_ABORTABLE_SINCE => Operation::VerifyAbortable,
            ADDS_PARTITIONS_SINCE.. => Operation::AddPartition,
        };
        let mut asked = BTreeSet::new();
        for (partition, batch) in batches {
            if is_to_be_verified(cluster, &partition, &batch, operation, request.caller.node_id) {
                asked.insert(partition);
            }
        }
        if asked.is_empty() {
            return Ok(Self::default());
        }
        let refused = cluster.join_transaction(transactional_id, producer, &asked, operation, request.now);
        asked.retain(|partition| !refused.contains_key(partition));
        Ok(Self { verified: asked, refused })
    }

    /// Whether the transaction was found to have come to a partition just now.
    pub(super) fn check(&self, topic: &str, number: i32) -> Result<bool, Rejection> {
        let partition = (topic.to_owned(), number);
        let Some(code) = self.refused.get(&partition) else { return Ok(self.verified.contains(&partition)) };
        let told = |code: ErrorCode, message: String| Rejection { told: true, ..Rejection::new(code, message) };
        Err(match *code {
            ErrorCode::INVALID_TXN_STATE => {
                told(ErrorCode::INVALID_TXN_STATE, "Partition was not added to the transaction".to_owned())
            }
            // Clients may not know that these can be tried again; this they know.
            ErrorCode::CONCURRENT_TRANSACTIONS
            | ErrorCode::NETWORK_EXCEPTION
            | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR => {
                let name = code.name().unwrap_or("UNKNOWN_SERVER_ERROR");
                let message = "Unable to verify the partition has been added to the transaction. Underlying error: ";
                told(ErrorCode::NOT_ENOUGH_REPLICAS, format!("{message}{name}"))
            }
            code => Rejection::new(code, "the coordinator knows of no such transaction"),
        })
    }
}

/// Why nothing of a request is written.
pub(super) fn refuse_all(code: ErrorCode) -> Rejection {
    let told = code == ErrorCode::INVALID_PRODUCER_ID_MAPPING;
    let message =
        if told { "Transactional records contained more than one producer ID" } else { "no transactional id" };
    Rejection { told, ..Rejection::new(code, message) }
}

/// Whether the coordinator has to be asked; a broker that does not lead a partition refuses the batch by itself.
fn is_to_be_verified(
    cluster: &mut Cluster,
    (topic, number): &TopicPartition,
    batch: &Transactional,
    operation: Operation,
    node_id: i32,
) -> bool {
    let found = cluster.topics.find_mut(topic, None).and_then(|topic| topic.partition_mut(*number));
    let Ok(partition) = found else { return false };
    let (producer_id, epoch) = batch.producer;
    if partition.leader != Some(node_id) || partition.producers.has_open(producer_id, epoch) {
        return false;
    }
    let v2 = operation == Operation::AddPartition;
    partition.producers.note_unverified(producer_id, epoch, batch.base_sequence, v2);
    true
}

/// A batch of a transaction, before anything of it is checked.
struct Transactional {
    producer: (i64, i16),
    base_sequence: i32,
}

impl Transactional {
    /// The first batch of some records, if it is one.
    fn peek(records: &Bytes) -> Option<Self> {
        if *records.get(MAGIC_AT)? != 2 {
            return None;
        }
        let at = |at: usize| records.get(at..);
        // One that is cut short counts as none.
        let length = usize::try_from(i32::from_be_bytes(*at(LENGTH_AT)?.first_chunk()?)).ok()?;
        at(LENGTH_AT + 4)?.get(..length)?;
        let attributes = i16::from_be_bytes(*at(21)?.first_chunk()?);
        let transactional = attributes & TRANSACTIONAL_BIT != 0;
        let producer = (i64::from_be_bytes(*at(43)?.first_chunk()?), i16::from_be_bytes(*at(51)?.first_chunk()?));
        let base_sequence = i32::from_be_bytes(*at(53)?.first_chunk()?);
        transactional.then_some(Self { producer, base_sequence })
    }
}
