//! The two responses that the guard is measured with: one of very many fields, one of very few beside its records.

use bytes::{Buf, Bytes};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use tidemill_protocol::header::encode_response;

/// A Metadata response frame (without its length) of a cluster of three brokers, its topics replicated to all of them.
pub fn metadata(version: i16, topics: usize, partitions: i32) -> Bytes {
    let replicas = || vec![BrokerId(1), BrokerId(2), BrokerId(3)];
    let partition = |number: i32| {
        MetadataResponsePartition::default()
            .with_partition_index(number)
            .with_leader_id(BrokerId(1 + number % 3))
            .with_leader_epoch(7)
            .with_replica_nodes(replicas())
            .with_isr_nodes(replicas())
    };
    let topic = |number: usize| {
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string(format!("orders-of-region-{number}")))))
            .with_partitions((0..partitions).map(partition).collect())
    };
    let broker = |number: i32| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(number))
            .with_host(StrBytes::from_string(format!("broker-{number}.kafka.example.com")))
            .with_port(9092)
    };
    let response = MetadataResponse::default()
        .with_brokers((1..=3).map(broker).collect())
        .with_cluster_id(Some(StrBytes::from_static_str("5L6g3nShT-eMCtK--X86sw")))
        .with_controller_id(BrokerId(1))
        .with_topics((0..topics).map(topic).collect());
    frame(encode_response::<MetadataRequest>(&response, version, 1))
}

/// A Fetch response frame (without its length) of one topic, its records spread over so many partitions.
pub fn fetch(version: i16, partitions: i32, records_bytes: usize) -> Bytes {
    let each = records_bytes / usize::try_from(partitions).unwrap_or(1);
    let partition = |number: i32| {
        PartitionData::default()
            .with_partition_index(number)
            .with_high_watermark(1000)
            .with_last_stable_offset(1000)
            .with_records(Some(Bytes::from(vec![7; each])))
    };
    let topic = FetchableTopicResponse::default()
        .with_topic(TopicName(StrBytes::from_static_str("orders")))
        .with_partitions((0..partitions).map(partition).collect());
    let response = FetchResponse::default().with_responses(vec![topic]);
    frame(encode_response::<FetchRequest>(&response, version, 1))
}

fn frame(encoded: Result<Bytes, tidemill_protocol::EncodeError>) -> Bytes {
    let mut frame = encoded.expect("a response");
    frame.advance(4);
    frame
}
