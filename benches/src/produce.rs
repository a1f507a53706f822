//! A Produce request of one batch for each of some partitions, on both roads.

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest as Struct, TopicName};
use kafka_protocol::protocol::StrBytes;
use tidemill_protocol::header::encode_request;
use tidemill_protocol::produce::{PartitionBatch, ProduceRequest};

/// The newest version in which topics have names.
pub const VERSION: i16 = 12;

const TOPIC: &str = "orders-of-region-7";

/// So many batches of so many bytes, sealed, and shared with the producer, which keeps each until it is answered.
pub fn batches(partitions: usize, bytes: usize) -> Vec<Bytes> {
    let batches = (0..partitions).map(|number| Bytes::from(vec![u8::try_from(number % 251).unwrap_or(0); bytes]));
    batches.inspect(|batch| drop(batch.clone())).collect()
}

/// As the producer's driver does it, from batches that are sealed to the slices of one write.
pub fn as_slices(batches: &[Bytes]) -> Vec<Bytes> {
    let batches: Vec<PartitionBatch<'_>> = (0_i32..)
        .zip(batches)
        .map(|(partition, records)| PartitionBatch {
            topic: TOPIC,
            topic_id: Default::default(),
            partition,
            records: records.clone(),
        })
        .collect();
    let request = ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, batches: &batches };
    request.encode(VERSION, 7, Some("tidemill")).expect("a request")
}

/// As the message struct does it, from the same batches to one frame.
pub fn as_struct(batches: &[Bytes]) -> Bytes {
    let partitions = (0_i32..).zip(batches).map(|(partition, records)| {
        PartitionProduceData::default().with_index(partition).with_records(Some(records.clone()))
    });
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_static_str(TOPIC)))
        .with_partition_data(partitions.collect());
    let request = Struct::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic]);
    encode_request(&request, VERSION, 7, Some(&StrBytes::from_static_str("tidemill"))).expect("a request")
}
