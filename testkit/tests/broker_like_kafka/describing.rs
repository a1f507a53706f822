//! What the cluster says of itself.

use std::time::Duration;

use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::describe_configs_request::DescribeConfigsResource;
use tidemill_protocol::messages::*;
use tidemill_protocol::{ErrorCode, StrBytes};
use uuid::Uuid;

use crate::peer::*;

pub(crate) async fn describing(broker: &mut Broker) {
    broker.make("described", &[("retention.ms", "5000")]).await;
    for (kind, resource) in
        [(2, "described"), (2, "described-missing"), (2, "not a name"), (4, "99"), (4, "x"), (3, "x")]
    {
        let wanted = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(resource))
            .with_configuration_keys(Some(vec![text("retention.ms"), text("segment.bytes"), text("flush.ms")]));
        let body = DescribeConfigsRequest::default().with_resources(vec![wanted]).with_include_synonyms(true);
        let mut response = broker.ask(4, &body).await;
        for result in &mut response.results {
            result.configs.sort_by(|one, two| one.name.cmp(&two.name));
            if result.error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0 || kind == 3 {
                result.error_message = None;
            }
        }
        broker.note(&format!("DescribeConfigs {kind} {resource}"), &response);
    }
    let wanted = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("described"))
        .with_configuration_keys(None);
    let mut all = broker.ask(4, &DescribeConfigsRequest::default().with_resources(vec![wanted])).await;
    for config in &mut all.results[0].configs {
        config.documentation = None;
    }
    all.results[0].configs.sort_by(|one, two| one.name.cmp(&two.name));
    broker.note("DescribeConfigs of everything", &all);
    for endpoint_type in [1, 2] {
        let body = DescribeClusterRequest::default()
            .with_endpoint_type(endpoint_type)
            .with_include_cluster_authorized_operations(true);
        let mut response = broker.ask(1, &body).await;
        response.brokers.clear();
        response.cluster_id = StrBytes::default();
        broker.note(&format!("DescribeCluster {endpoint_type}"), &response);
    }
    let body = DescribeTopicPartitionsRequest::default()
        .with_topics(
            ["described", "described-missing", "not a name"]
                .map(|topic| describe_topic_partitions_request::TopicRequest::default().with_name(name(topic)))
                .to_vec(),
        )
        .with_response_partition_limit(10)
        .with_cursor(None);
    let mut response = broker.ask(0, &body).await;
    for topic in &mut response.topics {
        topic.topic_id = Uuid::nil();
    }
    broker.note("DescribeTopicPartitions", &response);
    for topics in [&[""][..], &["described", "", "not a name"]] {
        let wanted = topics.iter();
        let wanted = wanted.map(|it| describe_topic_partitions_request::TopicRequest::default().with_name(name(it)));
        let body = body.clone().with_topics(wanted.collect());
        let mut response = broker.ask(0, &body).await;
        response.topics.iter_mut().for_each(|topic| topic.topic_id = Uuid::nil());
        broker.note(&format!("DescribeTopicPartitions {topics:?}"), &response);
    }
    // What Kafka has just started takes a moment to say so.
    let body = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1000);
    let mut response = broker.ask(4, &body).await;
    while response.error_code == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS.0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        response = broker.ask(4, &body).await;
    }
    response.producer_id = ProducerId(0);
    broker.note("InitProducerId", &response);
    let body = FindCoordinatorRequest::default().with_key(text("group"));
    let mut response = broker.ask(2, &body).await;
    while response.error_code == ErrorCode::COORDINATOR_NOT_AVAILABLE.0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        response = broker.ask(2, &body).await;
    }
    response.port = 1;
    broker.note("FindCoordinator v2", &response);
    for key_type in [0, 9] {
        let keys = vec![text("group"), text("other")];
        let body = FindCoordinatorRequest::default().with_key_type(key_type).with_coordinator_keys(keys);
        let frame = encode_request(&body, 4, 1, None).unwrap();
        loop {
            let Some(answer) = broker.raw(&frame).await else {
                broker.note(&format!("FindCoordinator {key_type}"), &"closed");
                break;
            };
            let mut response = decode_response::<FindCoordinatorRequest>(4, answer).unwrap();
            if response.coordinators.iter().any(|found| found.error_code == ErrorCode::COORDINATOR_NOT_AVAILABLE.0) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            for found in &mut response.coordinators {
                found.port = found.port.clamp(-1, 1);
                // The words of a refusal are ours.
                if found.error_code != 0 {
                    found.error_message = None;
                }
            }
            broker.note(&format!("FindCoordinator {key_type}"), &response);
            break;
        }
    }
}
