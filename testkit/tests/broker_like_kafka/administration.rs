//! What administrators change: partitions, settings, and where a partition begins.

use tidemill_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use tidemill_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use tidemill_protocol::messages::describe_configs_request::DescribeConfigsResource;
use tidemill_protocol::messages::*;
use tidemill_protocol::{ErrorCode, StrBytes};

use crate::peer::*;

pub(crate) async fn administration(broker: &mut Broker) {
    partitions(broker).await;
    single_settings(broker).await;
    all_settings(broker).await;
    beginnings(broker).await;
}

async fn partitions(broker: &mut Broker) {
    broker.make("grow", &[]).await;
    let grow = |topic: &str, count| CreatePartitionsTopic::default().with_name(name(topic)).with_count(count);
    let at = |count, brokers: &[&[i32]]| {
        let assigned = brokers.iter().map(|ids| {
            CreatePartitionsAssignment::default().with_broker_ids(ids.iter().copied().map(BrokerId).collect())
        });
        grow("grow", count).with_assignments(Some(assigned.collect()))
    };
    let plain = |topic: &str, count| grow(topic, count).with_assignments(None);
    let cases = [
        ("a missing topic", vec![plain("grow-missing", 3)]),
        ("as many as there are", vec![plain("grow", 1)]),
        ("fewer", vec![plain("grow", 0)]),
        ("less than none", vec![plain("grow", -1)]),
        ("twice the same", vec![plain("grow", 2), plain("grow-missing", 2), plain("grow", 2)]),
        ("too few places", vec![at(3, &[&[1]])]),
        ("no places", vec![at(3, &[])]),
        ("nowhere", vec![at(2, &[&[]])]),
        ("on a missing broker", vec![at(2, &[&[99]])]),
        ("on two brokers", vec![at(2, &[&[1, 99]])]),
        ("twice on one broker", vec![at(2, &[&[1, 1]])]),
        ("one more", vec![plain("grow", 2)]),
        ("two more where they are told", vec![at(4, &[&[1], &[1]])]),
    ];
    for (what, topics) in cases {
        for validate_only in [true, false] {
            let body = CreatePartitionsRequest::default()
                .with_topics(topics.clone())
                .with_timeout_ms(5000)
                .with_validate_only(validate_only);
            let version = if validate_only { 1 } else { 3 };
            let mut response = broker.ask(version, &body).await;
            for result in &mut response.results {
                if result.error_code == ErrorCode::INVALID_REPLICA_ASSIGNMENT.0 {
                    result.error_message = None;
                }
            }
            broker.note(&format!("CreatePartitions v{version}: {what}, {validate_only}"), &response);
        }
    }
    let wanted = metadata_request::MetadataRequestTopic::default().with_name(Some(name("grow")));
    let mut count = 0;
    for _ in 0..100 {
        let response = broker.ask(9, &MetadataRequest::default().with_topics(Some(vec![wanted.clone()]))).await;
        count = response.topics[0].partitions.len();
        if count == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    broker.note("partitions after CreatePartitions", &count);
}

async fn single_settings(broker: &mut Broker) {
    use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    broker.make("set", &[("retention.ms", "5000"), ("cleanup.policy", "delete")]).await;
    let config = |name: &str, operation, value: Option<&str>| {
        AlterableConfig::default().with_name(text(name)).with_config_operation(operation).with_value(value.map(text))
    };
    let (set, delete, append, subtract) = (0, 1, 2, 3);
    let cases = [
        ("set", "set", vec![config("retention.ms", set, Some("7000")), config("flush.ms", set, Some("9"))]),
        ("a name that is not there", "set", vec![config("retention.sm", set, Some("1"))]),
        ("a value that cannot be", "set", vec![config("retention.ms", set, Some("soon"))]),
        ("no value", "set", vec![config("retention.ms", set, None)]),
        ("twice", "set", vec![config("flush.ms", set, Some("1")), config("flush.ms", set, Some("2"))]),
        ("delete", "set", vec![config("flush.ms", delete, None)]),
        ("delete what is not set", "set", vec![config("flush.ms", delete, None)]),
        ("append", "set", vec![config("cleanup.policy", append, Some("compact"))]),
        ("append again", "set", vec![config("cleanup.policy", append, Some("compact"))]),
        ("subtract", "set", vec![config("cleanup.policy", subtract, Some("delete"))]),
        ("append what ends in nothing", "set", vec![config("cleanup.policy", append, Some("delete,,"))]),
        ("append commas", "set", vec![config("cleanup.policy", append, Some(",,"))]),
        ("append nothing", "set", vec![config("cleanup.policy", append, Some(""))]),
        ("set twice the same", "set", vec![config("cleanup.policy", set, Some("delete , delete,compact"))]),
        ("subtract one of two", "set", vec![config("cleanup.policy", subtract, Some("delete"))]),
        ("append with a space", "set", vec![config("cleanup.policy", append, Some(" compact"))]),
        ("throttle twice", "set", vec![config("leader.replication.throttled.replicas", set, Some("0:1,0:1"))]),
        ("append to a number", "set", vec![config("retention.ms", append, Some("1"))]),
        ("subtract from a number", "set", vec![config("retention.ms", subtract, Some("1"))]),
        ("an operation that is none", "set", vec![config("retention.ms", 9, Some("1"))]),
        ("a missing topic", "set-missing", vec![config("retention.ms", set, Some("1"))]),
        ("nothing", "set", vec![]),
    ];
    for (what, topic, configs) in cases {
        for validate_only in [true, false] {
            let resource = AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text(topic))
                .with_configs(configs.clone());
            let body = IncrementalAlterConfigsRequest::default()
                .with_resources(vec![resource])
                .with_validate_only(validate_only);
            let mut response = broker.ask(1, &body).await;
            for result in &mut response.responses {
                // The words are ours; that there are some is not.
                result.error_message = result.error_message.take().map(|_| StrBytes::from_static_str("..."));
            }
            broker.note(&format!("IncrementalAlterConfigs: {what}, {validate_only}"), &response);
            let described = settings(broker, "set").await;
            broker.note(&format!("after: {what}, {validate_only}"), &described);
        }
    }
}

async fn all_settings(broker: &mut Broker) {
    use alter_configs_request::{AlterConfigsResource, AlterableConfig};
    broker.make("reset", &[("retention.ms", "5000")]).await;
    let cases = [
        ("others", vec![("flush.ms", Some("9"))]),
        ("a null", vec![("flush.ms", None)]),
        ("a name that is not there", vec![("retention.sm", Some("1"))]),
        ("none", vec![]),
    ];
    for (what, configs) in cases {
        let configs = configs
            .into_iter()
            .map(|(name, value)| AlterableConfig::default().with_name(text(name)).with_value(value.map(text)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text("reset"))
            .with_configs(configs.collect());
        let mut response = broker.ask(2, &AlterConfigsRequest::default().with_resources(vec![resource])).await;
        for result in &mut response.responses {
            result.error_message = result.error_message.take().map(|_| StrBytes::from_static_str("..."));
        }
        broker.note(&format!("AlterConfigs: {what}"), &response);
        let described = settings(broker, "reset").await;
        broker.note(&format!("after AlterConfigs: {what}"), &described);
    }
}

/// What a topic has set.
async fn settings(broker: &mut Broker, topic: &str) -> Vec<(String, Option<String>)> {
    let wanted = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(topic))
        .with_configuration_keys(None);
    let body = DescribeConfigsRequest::default().with_resources(vec![wanted]);
    // Kafka's broker hears of a change from its controller.
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    let described = broker.ask(4, &body).await;
    let set = described.results[0].configs.iter().filter(|config| config.config_source == 1);
    // That of the release is set by a feature of clusters of several brokers.
    let set = set.filter(|config| &*config.name != "min.insync.replicas");
    let mut set: Vec<_> = set.map(|it| (it.name.to_string(), it.value.as_ref().map(ToString::to_string))).collect();
    set.sort();
    set
}

async fn beginnings(broker: &mut Broker) {
    broker.make("begin", &[]).await;
    broker.make("begin-compacted", &[("cleanup.policy", "compact")]).await;
    let time = now() - 1_000_000;
    for number in 0..3 {
        let records = batch(&[(time + number, "a"), (time + number, "b")], None);
        broker.ask(9, &produce("begin", records)).await;
    }
    let cases = [
        ("begin", 0, 0),
        ("begin", 0, 3),
        ("begin", 0, 2),
        ("begin", 0, 7),
        ("begin", 0, -2),
        ("begin", 0, -1),
        ("begin", 9, 0),
        ("begin-missing", 0, 0),
        ("begin-compacted", 0, 0),
    ];
    for (topic, number, offset) in cases {
        let partition = DeleteRecordsPartition::default().with_partition_index(number).with_offset(offset);
        let wanted = DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        let body = DeleteRecordsRequest::default().with_topics(vec![wanted]).with_timeout_ms(5000);
        let response = broker.ask(2, &body).await;
        broker.note(&format!("DeleteRecords: {topic} {number} {offset}"), &response);
        held(broker, &format!("after DeleteRecords {topic} {number} {offset}"), time).await;
        for from in [0, 3, 6] {
            let mut response = broker.ask(12, &fetch("begin", from)).await;
            for partition in response.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
                let length = partition.records.as_ref().map_or(0, bytes::Bytes::len);
                partition.records = Some(bytes::Bytes::from(format!("{length} bytes")));
            }
            broker.note(&format!("Fetch from {from} after DeleteRecords {topic} {number} {offset}"), &response);
        }
    }
    broker.ask(9, &produce("begin", batch(&[(now(), "c")], None))).await;
    let mut response = broker.ask(12, &fetch("begin", 6)).await;
    let partition = &mut response.responses[0].partitions[0];
    let length = partition.records.as_ref().map_or(0, bytes::Bytes::len);
    partition.records = Some(bytes::Bytes::from(format!("{length} bytes")));
    broker.note("Fetch of what was written behind a deleted log", &response);
}

/// How large the log is, and where the newest record is.
async fn held(broker: &mut Broker, what: &str, time: i64) {
    let wanted =
        describe_log_dirs_request::DescribableLogDirTopic::default().with_topic(name("begin")).with_partitions(vec![0]);
    let described = broker.ask(4, &DescribeLogDirsRequest::default().with_topics(Some(vec![wanted]))).await;
    broker.note(&format!("DescribeLogDirs {what}"), &described.results[0].topics);
    let newest = list_offsets_request::ListOffsetsPartition::default().with_timestamp(-3).with_current_leader_epoch(-1);
    let topic =
        list_offsets_request::ListOffsetsTopic::default().with_name(name("begin")).with_partitions(vec![newest]);
    let body = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let mut found = broker.ask(8, &body).await;
    found.topics[0].partitions[0].timestamp -= time;
    broker.note(&format!("ListOffsets of the newest {what}"), &found);
}

pub(crate) async fn placing(broker: &mut Broker) {
    broker.make("placed", &[]).await;
    let wanted = |topic: &str, partitions: &[i32]| {
        elect_leaders_request::TopicPartitions::default().with_topic(name(topic)).with_partitions(partitions.to_vec())
    };
    for (what, kind, topics) in [
        ("preferred", 0, Some(vec![wanted("placed", &[0])])),
        ("unclean", 1, Some(vec![wanted("placed", &[0])])),
        ("of what is not there", 0, Some(vec![wanted("placed", &[7]), wanted("placed-missing", &[0])])),
        ("of all", 0, None),
        ("of nothing", 0, Some(vec![])),
        ("of no type", 7, Some(vec![wanted("placed", &[0])])),
        ("of nothing and no type", 7, Some(vec![])),
    ] {
        let body =
            ElectLeadersRequest::default().with_election_type(kind).with_topic_partitions(topics).with_timeout_ms(5000);
        let mut response = broker.ask(2, &body).await;
        response.replica_election_results.sort_by(|one, two| one.topic.cmp(&two.topic));
        broker.note(&format!("ElectLeaders: {what}"), &response);
    }
    let ids = |ids: &[i32]| Some(ids.iter().copied().map(BrokerId).collect());
    for (what, version, topic, number, replicas) in [
        ("stop what was not begun", 0, "placed", 0, None),
        ("to the same", 0, "placed", 0, ids(&[1])),
        ("to a missing broker", 0, "placed", 0, ids(&[99])),
        ("nowhere", 0, "placed", 0, ids(&[])),
        ("twice to one", 0, "placed", 0, ids(&[1, 1])),
        ("a missing partition", 0, "placed", 7, ids(&[1])),
        ("a missing topic", 0, "placed-missing", 0, ids(&[1])),
        ("another number of replicas", 1, "placed", 0, ids(&[1, 99])),
    ] {
        let partition = alter_partition_reassignments_request::ReassignablePartition::default()
            .with_partition_index(number)
            .with_replicas(replicas);
        let wanted = alter_partition_reassignments_request::ReassignableTopic::default()
            .with_name(name(topic))
            .with_partitions(vec![partition]);
        let body = AlterPartitionReassignmentsRequest::default()
            .with_topics(vec![wanted])
            .with_timeout_ms(5000)
            .with_allow_replication_factor_change(version == 0);
        let mut response = broker.ask(version, &body).await;
        for result in response.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
            // The words are ours; that there are some is not.
            result.error_message = result.error_message.take().map(|_| StrBytes::from_static_str("..."));
        }
        broker.note(&format!("AlterPartitionReassignments: {what}"), &response);
    }
    let response = broker.ask(0, &ListPartitionReassignmentsRequest::default().with_topics(None)).await;
    broker.note("ListPartitionReassignments", &response);
    let topic = |topic: &str, partitions: &[i32]| {
        describe_log_dirs_request::DescribableLogDirTopic::default()
            .with_topic(name(topic))
            .with_partitions(partitions.to_vec())
    };
    broker.ask(9, &produce("placed", batch(&[(now(), "a")], None))).await;
    for (version, topics) in
        [(1, vec![topic("placed", &[0, 7])]), (4, vec![topic("placed-missing", &[0])]), (4, vec![])]
    {
        let what = format!("DescribeLogDirs v{version} of {topics:?}");
        let mut response = broker.ask(version, &DescribeLogDirsRequest::default().with_topics(Some(topics))).await;
        for result in &mut response.results {
            (result.total_bytes, result.usable_bytes, result.log_dir) = (0, 0, StrBytes::default());
        }
        broker.note(&what, &response);
    }
    for (version, kinds) in [(0, vec![]), (1, vec![4]), (1, vec![8, 16, 32]), (1, vec![3])] {
        let what = format!("ListConfigResources v{version} {kinds:?}");
        let response = broker.ask(version, &ListConfigResourcesRequest::default().with_resource_types(kinds)).await;
        broker.note(&what, &response);
    }
}
