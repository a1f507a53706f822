//! Kafka's own topics, once there are any.

use std::time::Duration;

use tidemill_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use tidemill_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::*;
use uuid::Uuid;

use super::peer::*;

/// Of so many partitions of each is told: the real one may have been started with few.
const COMPARED: usize = 4;

pub(crate) async fn internal(broker: &mut Broker) {
    for (kind, topic) in [(0, "__consumer_offsets"), (1, "__transaction_state")] {
        for _ in 0..200 {
            let body =
                FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![text("internal")]);
            if broker.ask(4, &body).await.coordinators[0].error_code == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for version in [1, 9, 12] {
            let wanted = MetadataRequestTopic::default().with_name(Some(name(topic)));
            let mut body = MetadataRequest::default().with_topics(Some(vec![wanted]));
            if version >= 9 {
                body = body.with_allow_auto_topic_creation(false).with_include_topic_authorized_operations(version > 9);
            }
            let mut topics = broker.ask(version, &body).await.topics;
            topics[0].partitions.sort_by_key(|partition| partition.partition_index);
            topics[0].partitions.truncate(COMPARED);
            topics[0].topic_id = Uuid::nil();
            broker.note(&format!("Metadata v{version} of {topic}"), &topics);
        }
        broker.produce(topic, topic, batch(&[(now(), "x")], None)).await;
        let response = broker.ask(9, &produce(topic, batch(&[(now(), "x")], None)).with_acks(3)).await;
        broker.note(&format!("Produce of 3 acknowledgements to {topic}"), &response);
        let id = broker.id_of(topic).await;
        let mut by_id = produce("", batch(&[(now(), "x")], None));
        by_id.topic_data[0].topic_id = id;
        let mut response = broker.ask(13, &by_id).await;
        response.responses[0].topic_id = Uuid::nil();
        broker.note(&format!("Produce by id to {topic}"), &response);
        for number in [0, 700] {
            let partition = DeleteRecordsPartition::default().with_partition_index(number).with_offset(-1);
            let wanted = DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
            let body = DeleteRecordsRequest::default().with_topics(vec![wanted]).with_timeout_ms(5000);
            let response = broker.ask(2, &body).await;
            broker.note(&format!("DeleteRecords of {topic} {number}"), &response);
        }
        let body = CreateTopicsRequest::default().with_topics(vec![new_topic(topic, 1, &[])]).with_timeout_ms(5000);
        let response = broker.ask(7, &body).await;
        broker.note(&format!("CreateTopics of {topic}"), &response);
        let topics = [topic, "internal-missing"]
            .map(|topic| AddPartitionsToTxnTopic::default().with_name(name(topic)).with_partitions(vec![0]));
        let body = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(text("internal").into())
            .with_v3_and_below_producer_id(ProducerId(1))
            .with_v3_and_below_topics(topics.to_vec());
        let mut response = broker.ask(3, &body).await;
        response.results_by_topic_v3_and_below.sort_by(|one, other| one.name.cmp(&other.name));
        broker.note(&format!("AddPartitionsToTxn of {topic}"), &response);
    }
}
