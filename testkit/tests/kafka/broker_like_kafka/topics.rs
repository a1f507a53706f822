//! What is there, made and removed, and what is not spoken.

use std::time::Duration;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::create_topics_request::CreatableReplicaAssignment;
use tidemill_protocol::messages::delete_topics_request::DeleteTopicState;
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::*;
use uuid::Uuid;

use super::peer::*;

pub(crate) async fn versions(broker: &mut Broker) {
    let frame = [0, 0, 0, 14, 0, 18, 0, 99, 0, 0, 0, 7, 255, 255, 0, 9, 9, 9];
    let answer = broker.raw(&frame).await.unwrap();
    let response = decode_response::<ApiVersionsRequest>(0, answer).unwrap();
    broker.note("ApiVersions v99", &response);
    let body = ApiVersionsRequest::default()
        .with_client_software_name(text("not a name"))
        .with_client_software_version(text("1"));
    let answer = broker.raw(&encode_request(&body, 3, 1, None).unwrap()).await;
    let code = answer.and_then(|answer| Some(i16::from_be_bytes(*answer.get(4..)?.first_chunk()?)));
    broker.note("ApiVersions of a bad name", &code);
    let body = body.with_client_software_name(text("tidemill"));
    for version in [3, 4] {
        let mut response = broker.ask(version, &body).await;
        response.supported_features.sort_by_key(|feature| feature.name.clone());
        response.finalized_features.sort_by_key(|feature| feature.name.clone());
        let features = (response.supported_features, response.finalized_features);
        broker.note(&format!("features of ApiVersions v{version}"), &features);
        let rest = (response.finalized_features_epoch >= 0, response.zk_migration_ready, response.throttle_time_ms);
        broker.note(&format!("ApiVersions v{version}"), &rest);
    }
    for (what, frame) in [
        ("an API of no name", vec![0, 0, 0, 10, 1, 244, 0, 0, 0, 0, 0, 7, 255, 255]),
        ("Metadata with a count that lies", vec![0, 0, 0, 14, 0, 3, 0, 5, 0, 0, 0, 7, 255, 255, 127, 255, 255, 255]),
        ("Metadata with bytes behind it", vec![0, 0, 0, 17, 0, 3, 0, 5, 0, 0, 0, 7, 255, 255, 0, 0, 0, 0, 0, 1, 2]),
        ("Metadata v99", vec![0, 0, 0, 11, 0, 3, 0, 99, 0, 0, 0, 7, 255, 255, 0]),
    ] {
        let closed = broker.raw(&frame).await.is_none();
        broker.note(what, &closed);
    }
}

pub(crate) async fn metadata(broker: &mut Broker) {
    let ask = |topics: &[&str], create: bool| {
        let topic = |topic: &&str| MetadataRequestTopic::default().with_name(Some(name(topic)));
        MetadataRequest::default()
            .with_topics(Some(topics.iter().map(topic).collect()))
            .with_allow_auto_topic_creation(create)
    };
    let cleared = |mut response: MetadataResponse| {
        response.brokers.clear();
        response.cluster_id = None;
        for topic in &mut response.topics {
            if topic.error_code == 0 {
                topic.topic_id = Uuid::nil();
            }
        }
        response.topics.sort_by(|one, two| one.name.cmp(&two.name));
        response
    };
    let none = broker.ask(1, &ask(&[], true)).await;
    broker.note("Metadata v1 of nothing", &cleared(none));
    for version in [4, 9, 12, 13] {
        let response = broker.ask(version, &ask(&["metadata-missing", "not a name"], false)).await;
        broker.note(&format!("Metadata v{version} of what is not there"), &cleared(response));
    }
    let id = MetadataRequestTopic::default().with_name(None).with_topic_id(Uuid::from_u128(5));
    let response = broker.ask(12, &MetadataRequest::default().with_topics(Some(vec![id]))).await;
    broker.note("Metadata of an unknown id", &cleared(response));
    let first = broker.ask(9, &ask(&["metadata-auto"], true)).await;
    broker.note("Metadata that makes a topic", &cleared(first));
    for _ in 0..200 {
        let next = broker.ask(9, &ask(&["metadata-auto"], true)).await;
        if next.topics[0].error_code == 0 {
            broker.note("Metadata of a topic that was made", &cleared(next));
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let body = ask(&["metadata-auto"], false)
        .with_include_topic_authorized_operations(true)
        .with_include_cluster_authorized_operations(true);
    let response = broker.ask(9, &body).await;
    broker.note("Metadata with what is allowed", &cleared(response));
}

pub(crate) async fn create_and_delete(broker: &mut Broker) {
    broker.make("create.there", &[]).await;
    let assignment = |number, broker| {
        CreatableReplicaAssignment::default().with_partition_index(number).with_broker_ids(vec![BrokerId(broker)])
    };
    let new = |topic| new_topic(topic, -1, &[]).with_replication_factor(-1);
    let long = "x".repeat(250);
    let topics = [
        new_topic("create.there", 1, &[]),
        new_topic("create_there", 1, &[]),
        new_topic("", 1, &[]),
        new_topic("..", 1, &[]),
        new_topic("not a name", 1, &[]),
        new_topic(&long, 1, &[]),
        new_topic("create-1", 0, &[]),
        new_topic("create-2", -2, &[]),
        new_topic("create-3", 20_000, &[]),
        new_topic("create-4", 1, &[]).with_replication_factor(0),
        new_topic("create-5", 1, &[]).with_replication_factor(3),
        new_topic("create-6", 1, &[("retention.sm", "1")]),
        new_topic("create-7", 1, &[("retention.ms", "soon")]),
        new_topic("create-8", 1, &[("retention.ms", "-2")]),
        new_topic("create-9", 1, &[("cleanup.policy", "shred")]),
        new_topic("create-10", 1, &[("segment.bytes", "100")]),
        new("create-11").with_assignments(vec![assignment(0, 1)]).with_num_partitions(1),
        new("create-12").with_assignments(vec![assignment(0, 1)]).with_replication_factor(1),
        new("create-13").with_assignments(vec![assignment(1, 1)]),
        new("create-14").with_assignments(vec![assignment(0, 99)]),
        new("create-15"),
        new("create-16").with_assignments(vec![assignment(0, 1), assignment(1, 1)]),
        new_topic("create-17", 2, &[("retention.ms", "5000"), ("cleanup.policy", "compact,delete")]),
    ];
    for topic in topics {
        for validate_only in [true, false] {
            let what = format!("CreateTopics {} {validate_only}", &*topic.name.0);
            let body = CreateTopicsRequest::default()
                .with_topics(vec![topic.clone()])
                .with_timeout_ms(5000)
                .with_validate_only(validate_only);
            let mut response = broker.ask(7, &body).await;
            for topic in &mut response.topics {
                // That there is one.
                topic.topic_id = Uuid::from_u128(u128::from(!topic.topic_id.is_nil()));
                // The words are ours.
                if topic.error_code == ErrorCode::INVALID_CONFIG.0
                    || topic.error_code == ErrorCode::INVALID_REPLICA_ASSIGNMENT.0
                {
                    topic.error_message = None;
                }
            }
            broker.note(&what, &response);
        }
    }
    let twice = vec![new("create-twice"), new("create-twice")];
    let response = broker.ask(7, &CreateTopicsRequest::default().with_topics(twice).with_timeout_ms(5000)).await;
    broker.note("CreateTopics twice", &response);

    for version in [1, 5] {
        let body = DeleteTopicsRequest::default().with_topic_names(vec![name("delete-missing")]).with_timeout_ms(5000);
        let response = broker.ask(version, &body).await;
        broker.note(&format!("DeleteTopics v{version}"), &response);
    }
    let topic = |name: Option<TopicName>, id| {
        let topic = DeleteTopicState::default().with_name(name).with_topic_id(id);
        DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000)
    };
    let response = broker.ask(6, &topic(Some(name("delete-missing")), Uuid::nil())).await;
    broker.note("DeleteTopics of a missing name", &response);
    let response = broker.ask(6, &topic(None, Uuid::from_u128(5))).await;
    broker.note("DeleteTopics of a missing id", &response);
    let mut response = broker.ask(6, &topic(Some(name("create-15")), Uuid::nil())).await;
    response.responses[0].topic_id = Uuid::nil();
    broker.note("DeleteTopics", &response);
}
