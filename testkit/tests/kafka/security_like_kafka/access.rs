//! What users may do with topics, groups and the cluster, as rules come and go.

use std::fmt::Debug;

use bytes::Bytes;
use tidemill_protocol::Request;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord};

use super::peer::*;
use crate::transactions_like_kafka::now_ms;

const TOPICS: [&str; 3] = ["orders", "ordinary", "unknown-to-all"];

pub(crate) async fn topics(peer: &mut Peer) {
    // Ids of producers come in blocks, and the first is fetched when it is asked for.
    let body = InitProducerIdRequest::default().with_transactional_id(None).with_producer_id(ProducerId(-1));
    while peer.ask("admin", 4, &body.clone().with_producer_epoch(-1)).await.error_code != 0 {
        pause().await;
    }
    peer.make(&TOPICS[..2]).await;
    let orders = (TOPIC, "orders", LITERAL);
    let stages: [(&str, &[Rule<'_>]); 8] = [
        ("nothing", &[]),
        ("reads one", &[("alice", orders, READ, ALLOW)]),
        ("writes one", &[("alice", orders, WRITE, ALLOW)]),
        ("alters all that begin so", &[("alice", (TOPIC, "ord", PREFIXED), ALTER, ALLOW)]),
        ("all but one", &[("alice", (TOPIC, "*", LITERAL), ALL, ALLOW), ("alice", orders, ALL, DENY)]),
        (
            "deletes and looks at settings",
            &[("alice", orders, DELETE, ALLOW), ("alice", (TOPIC, "ordinary", LITERAL), ALTER_CONFIGS, ALLOW)],
        ),
        ("everyone describes", &[("*", orders, DESCRIBE, ALLOW)]),
        ("the cluster", &[("alice", (CLUSTER, "kafka-cluster", LITERAL), ALL, ALLOW)]),
    ];
    for (what, rules) in stages {
        if !rules.is_empty() {
            peer.allow(rules).await;
        }
        reading(peer, what).await;
        making(peer, what).await;
        peer.forbid("alice").await;
        peer.forbid("*").await;
    }
}

/// Asks as alice, and notes the answer after it was put in order.
async fn note<R: Request>(peer: &mut Peer, what: &str, version: i16, body: &R, tidy: impl FnOnce(&mut R::Response))
where
    R::Response: Debug,
{
    let mut answer = peer.ask("alice", version, body).await;
    tidy(&mut answer);
    peer.note(&format!("{} v{version}: {what}", tidemill_protocol::ApiKey(R::KEY)), &answer);
}

async fn reading(peer: &mut Peer, what: &str) {
    let asked = TOPICS.map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic)))).to_vec();
    let ids: Vec<uuid::Uuid> = {
        let body = MetadataRequest::default().with_topics(Some(asked[..2].to_vec()));
        let mut told = peer.ask("admin", 12, &body.with_allow_auto_topic_creation(false)).await.topics;
        told.sort_by_key(|topic| topic.name.clone());
        told.iter().map(|topic| topic.topic_id).collect()
    };
    for (version, topics) in [(8, Some(asked.clone())), (10, None), (12, Some(asked.clone()))] {
        let all = topics.is_none();
        let mut body = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        body.include_topic_authorized_operations = version < 12;
        body.include_cluster_authorized_operations = version < 11;
        note(peer, &format!("{what}, all {all}"), version, &body, |told| {
            told.brokers.clear();
            told.cluster_id = None;
            told.controller_id = BrokerId(1);
            for topic in &mut told.topics {
                topic.topic_id = uuid::Uuid::nil();
            }
            told.topics.retain(|topic| topic.name.as_deref().is_none_or(|name| !name.starts_with("__")));
            told.topics.sort_by_key(|topic| topic.name.clone());
        })
        .await;
    }
    let by_id = ids.iter().map(|id| MetadataRequestTopic::default().with_name(None).with_topic_id(*id));
    let body = MetadataRequest::default().with_topics(Some(by_id.collect())).with_allow_auto_topic_creation(false);
    note(peer, &format!("{what}, by id"), 12, &body, |told| {
        told.brokers.clear();
        told.cluster_id = None;
        told.topics.sort_by_key(|topic| ids.iter().position(|id| *id == topic.topic_id));
        told.topics.iter_mut().for_each(|topic| topic.topic_id = uuid::Uuid::nil());
    })
    .await;
    let body = DescribeTopicPartitionsRequest::default()
        .with_topics(
            TOPICS.map(|it| describe_topic_partitions_request::TopicRequest::default().with_name(name(it))).into(),
        )
        .with_response_partition_limit(100)
        .with_cursor(None);
    note(peer, what, 0, &body, |told| {
        told.topics.iter_mut().for_each(|topic| topic.topic_id = uuid::Uuid::nil());
        told.topics.sort_by_key(|topic| topic.name.clone());
    })
    .await;
    let body = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true).with_endpoint_type(1);
    note(peer, what, 1, &body, |told| {
        told.brokers.clear();
        told.cluster_id = text("");
        told.controller_id = BrokerId(1);
    })
    .await;

    let partition = FetchPartition::default()
        .with_partition_max_bytes(1 << 20)
        .with_current_leader_epoch(-1)
        .with_last_fetched_epoch(-1);
    let fetch = |topics| {
        FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(0)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1)
            .with_topics(topics)
    };
    let by_name = TOPICS.map(|it| FetchTopic::default().with_topic(name(it)).with_partitions(vec![partition.clone()]));
    let by_id = ids.iter().map(|id| FetchTopic::default().with_topic_id(*id).with_partitions(vec![partition.clone()]));
    for (version, topics) in [(12, by_name.to_vec()), (13, by_id.collect())] {
        note(peer, what, version, &fetch(topics), |told| {
            told.responses.sort_by_key(|topic| (topic.topic.clone(), ids.iter().position(|id| *id == topic.topic_id)));
            for topic in &mut told.responses {
                topic.topic_id = uuid::Uuid::nil();
                for partition in &mut topic.partitions {
                    // What lies there has a time.
                    partition.records = None;
                }
            }
        })
        .await;
    }
    let topics = TOPICS.map(|it| {
        let partition =
            list_offsets_request::ListOffsetsPartition::default().with_timestamp(-2).with_current_leader_epoch(-1);
        list_offsets_request::ListOffsetsTopic::default().with_name(name(it)).with_partitions(vec![partition])
    });
    let body = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics.into());
    note(peer, what, 7, &body, |told| told.topics.sort_by_key(|topic| topic.name.clone())).await;
    let topics = TOPICS.map(|it| {
        let partition =
            offset_for_leader_epoch_request::OffsetForLeaderPartition::default().with_current_leader_epoch(-1);
        offset_for_leader_epoch_request::OffsetForLeaderTopic::default()
            .with_topic(name(it))
            .with_partitions(vec![partition])
    });
    let body = OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics.into());
    note(peer, what, 4, &body, |told| told.topics.sort_by_key(|topic| topic.topic.clone())).await;
}

async fn making(peer: &mut Peer, what: &str) {
    for (acks, version) in [(1, 9), (7, 9)] {
        let topics = TOPICS.map(|it| {
            let data = PartitionProduceData::default().with_records(Some(batch()));
            TopicProduceData::default().with_name(name(it)).with_partition_data(vec![data])
        });
        let body = ProduceRequest::default()
            .with_transactional_id(None)
            .with_acks(acks)
            .with_timeout_ms(5000)
            .with_topic_data(topics.into());
        note(peer, &format!("{what}, acks {acks}"), version, &body, |told| {
            told.responses.sort_by_key(|topic| topic.name.clone());
            for partition in told.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses) {
                partition.error_message = None;
                partition.base_offset = partition.base_offset.min(0);
            }
        })
        .await;
    }
    let body = InitProducerIdRequest::default().with_transactional_id(None).with_producer_id(ProducerId(-1));
    note(peer, what, 4, &body.with_producer_epoch(-1), |told| told.producer_id = ProducerId(told.producer_id.0.min(0)))
        .await;
    let new = ["orders", "ord-new", "new-to-all", "twice", "twice"].map(new_topic).to_vec();
    let body = CreateTopicsRequest::default().with_topics(new).with_timeout_ms(5000).with_validate_only(true);
    note(peer, what, 7, &body, |told| {
        told.topics.sort_by_key(|topic| topic.name.clone());
        for topic in &mut told.topics {
            topic.topic_id = uuid::Uuid::nil();
            // Which settings there are, is compared elsewhere.
            topic.configs = topic.configs.take().map(|configs| configs.into_iter().take(0).collect());
        }
    })
    .await;
    let grow = |it: &str| {
        create_partitions_request::CreatePartitionsTopic::default()
            .with_name(name(it))
            .with_count(2)
            .with_assignments(None)
    };
    let body = CreatePartitionsRequest::default().with_topics(TOPICS.map(grow).into()).with_validate_only(true);
    note(peer, what, 3, &body.with_timeout_ms(5000), |told| told.results.sort_by_key(|it| it.name.clone())).await;
    let partition = delete_records_request::DeleteRecordsPartition::default().with_offset(0);
    let topics = TOPICS.map(|it| {
        delete_records_request::DeleteRecordsTopic::default()
            .with_name(name(it))
            .with_partitions(vec![partition.clone()])
    });
    let body = DeleteRecordsRequest::default().with_topics(topics.into()).with_timeout_ms(5000);
    note(peer, what, 2, &body, |told| told.topics.sort_by_key(|topic| topic.name.clone())).await;
    let resource = |it: &str| {
        describe_configs_request::DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(it))
            .with_configuration_keys(Some(vec![text("retention.ms")]))
    };
    let mut resources = TOPICS.map(resource).to_vec();
    resources.push(resource("1").with_resource_type(4).with_configuration_keys(Some(vec![text("node.id")])));
    note(peer, what, 4, &DescribeConfigsRequest::default().with_resources(resources), |told| {
        told.results.sort_by_key(|it| (it.resource_type, it.resource_name.clone()));
        for result in &mut told.results {
            result.configs.iter_mut().for_each(|config| config.documentation = None);
        }
    })
    .await;
    let resource = |it: &str| {
        let config = incremental_alter_configs_request::AlterableConfig::default()
            .with_name(text("retention.ms"))
            .with_value(Some(text("7000")));
        incremental_alter_configs_request::AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(it))
            .with_configs(vec![config])
    };
    let body =
        IncrementalAlterConfigsRequest::default().with_resources(TOPICS.map(resource).into()).with_validate_only(true);
    note(peer, what, 1, &body, |told| told.responses.sort_by_key(|it| it.resource_name.clone())).await;
    let resource = |it: &str| {
        let config = alter_configs_request::AlterableConfig::default().with_name(text("retention.ms"));
        alter_configs_request::AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(it))
            .with_configs(vec![config.with_value(Some(text("7000")))])
    };
    let body = AlterConfigsRequest::default().with_resources(TOPICS.map(resource).into()).with_validate_only(true);
    note(peer, what, 2, &body, |told| told.responses.sort_by_key(|it| it.resource_name.clone())).await;
    // Those that would really be deleted are not there: only who may is asked.
    let body =
        DeleteTopicsRequest::default().with_topic_names(vec![name("nothing"), name("ordless")]).with_timeout_ms(5000);
    note(peer, what, 5, &body, |told| told.responses.sort_by_key(|it| it.name.clone())).await;
    if what == "nothing" || what == "reads one" {
        let topics = TOPICS.map(|it| delete_topics_request::DeleteTopicState::default().with_name(Some(name(it))));
        let body = DeleteTopicsRequest::default().with_topics(topics.into()).with_timeout_ms(5000);
        note(peer, what, 6, &body, |told| told.responses.sort_by_key(|it| it.name.clone())).await;
        let asked = TOPICS[..2].iter().map(|it| MetadataRequestTopic::default().with_name(Some(name(it))));
        let told = peer.ask("admin", 12, &MetadataRequest::default().with_topics(Some(asked.collect()))).await;
        let mut ids: Vec<_> = told.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id)).collect();
        ids.sort();
        ids.push((None, uuid::Uuid::from_u128(7)));
        let topics = ids
            .iter()
            .map(|(_, id)| delete_topics_request::DeleteTopicState::default().with_name(None).with_topic_id(*id));
        let body = DeleteTopicsRequest::default().with_topics(topics.collect()).with_timeout_ms(5000);
        note(peer, &format!("{what}, by id"), 6, &body, |told| {
            told.responses.sort_by_key(|it| ids.iter().position(|(_, id)| *id == it.topic_id));
            told.responses.iter_mut().for_each(|it| it.topic_id = uuid::Uuid::nil());
        })
        .await;
    }
}

pub(crate) async fn groups(peer: &mut Peer) {
    let readers = (GROUP, "readers", LITERAL);
    // A group with offsets, for there to be something to hide.
    let (_, commit) = offsets();
    for (kind, key) in [(0, "readers"), (1, "payments")] {
        let body = FindCoordinatorRequest::default().with_key_type(kind).with_key(text(key));
        for _ in 0..500 {
            if peer.ask("admin", 3, &body).await.error_code == 0 {
                break;
            }
            pause().await;
        }
    }
    for _ in 0..500 {
        let committed = peer.ask("admin", 8, &commit).await;
        let mut partitions = committed.topics.iter().flat_map(|topic| &topic.partitions);
        // A coordinator has to be there first; the topic that is not stays unknown.
        if !partitions.any(|partition| [14, 15, 16].contains(&partition.error_code)) {
            break;
        }
        pause().await;
    }
    let stages: [(&str, &[Rule<'_>]); 5] = [
        ("nothing", &[]),
        ("describes the group", &[("alice", readers, DESCRIBE, ALLOW)]),
        ("reads the group", &[("alice", readers, READ, ALLOW)]),
        (
            "reads the group and a topic",
            &[("alice", readers, READ, ALLOW), ("alice", (TOPIC, "orders", LITERAL), READ, ALLOW)],
        ),
        ("deletes the group", &[("alice", readers, DELETE, ALLOW), ("alice", readers, DESCRIBE_CONFIGS, ALLOW)]),
    ];
    for (what, rules) in stages {
        if !rules.is_empty() {
            peer.allow(rules).await;
        }
        with_groups(peer, what).await;
        peer.forbid("alice").await;
    }
}

fn offsets() -> (Vec<&'static str>, OffsetCommitRequest) {
    let topics = TOPICS.map(|it| {
        let partition = offset_commit_request::OffsetCommitRequestPartition::default()
            .with_committed_offset(1)
            .with_committed_leader_epoch(-1)
            .with_committed_metadata(Some(text("")));
        offset_commit_request::OffsetCommitRequestTopic::default().with_name(name(it)).with_partitions(vec![partition])
    });
    let commit = OffsetCommitRequest::default()
        .with_group_id(group("readers"))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(topics.into());
    (TOPICS.to_vec(), commit)
}

async fn with_groups(peer: &mut Peer, what: &str) {
    let (topics, commit) = offsets();
    note(peer, what, 8, &commit, |told| told.topics.sort_by_key(|topic| topic.name.clone())).await;
    for version in [1, 5, 8] {
        for all in [true, false] {
            if all && version < 2 {
                continue;
            }
            let mut body = OffsetFetchRequest::default();
            if version >= 8 {
                let asked = topics.iter().map(|it| {
                    offset_fetch_request::OffsetFetchRequestTopics::default()
                        .with_name(name(it))
                        .with_partition_indexes(vec![0])
                });
                let asked = (!all).then(|| asked.collect());
                let one = offset_fetch_request::OffsetFetchRequestGroup::default();
                body.groups = vec![
                    one.clone().with_group_id(group("readers")).with_topics(asked),
                    one.with_group_id(group("others")).with_topics(None),
                ];
            } else {
                let asked = topics.iter().map(|it| {
                    offset_fetch_request::OffsetFetchRequestTopic::default()
                        .with_name(name(it))
                        .with_partition_indexes(vec![0])
                });
                body = body.with_group_id(group("readers")).with_topics((!all).then(|| asked.collect()));
            }
            note(peer, &format!("{what}, all {all}"), version, &body, |told| {
                told.topics.sort_by_key(|topic| topic.name.clone());
                told.groups.iter_mut().for_each(|group| group.topics.sort_by_key(|topic| topic.name.clone()));
            })
            .await;
        }
    }
    let ids = vec![group("readers"), group("others")];
    for version in [4, 5] {
        let body = DescribeGroupsRequest::default().with_groups(ids.clone()).with_include_authorized_operations(true);
        note(peer, what, version, &body, |told| told.groups.sort_by_key(|it| it.group_id.clone())).await;
    }
    note(peer, what, 4, &ListGroupsRequest::default(), |told| told.groups.sort_by_key(|it| it.group_id.clone())).await;
    for (version, kind) in [(3, 0), (4, 0), (3, 1), (4, 1)] {
        let body = FindCoordinatorRequest::default().with_key_type(kind);
        let body = if version < 4 {
            body.with_key(text("readers"))
        } else {
            body.with_coordinator_keys(vec![text("readers"), text("others")])
        };
        // Kafka makes the topic of transactions when it is first asked for; the first answer depends on how soon.
        note(peer, &format!("{what}, type {kind}"), version, &body, |told| {
            told.port = told.port.min(0);
            told.host = text("");
            told.node_id = BrokerId(0);
            if kind == 1 && told.error_code == 15 {
                told.error_code = 0;
                told.error_message = Some(text("NONE"));
            }
            for coordinator in &mut told.coordinators {
                coordinator.port = coordinator.port.min(0);
                coordinator.host = text("");
                coordinator.node_id = BrokerId(0);
                if coordinator.error_code == 15 {
                    coordinator.error_code = 0;
                }
                if coordinator.error_code == 0 {
                    coordinator.error_message = None;
                    coordinator.port = 0;
                }
            }
            if told.error_code == 0 {
                told.port = 0;
            }
        })
        .await;
    }
    for version in [5, 7] {
        let protocol = join_group_request::JoinGroupRequestProtocol::default().with_name(text("range"));
        let body = JoinGroupRequest::default()
            .with_group_id(group("joiners"))
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        note(peer, what, version, &body, |_| ()).await;
    }
    let body = SyncGroupRequest::default().with_group_id(group("joiners")).with_generation_id(1);
    note(peer, &format!("{what}, incomplete"), 5, &body, |_| ()).await;
    let body = body.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")));
    note(peer, what, 5, &body, |_| ()).await;
    let body = HeartbeatRequest::default().with_group_id(group("joiners")).with_generation_id(1);
    note(peer, what, 4, &body, |_| ()).await;
    let member = leave_group_request::MemberIdentity::default().with_member_id(text("nobody"));
    let body = LeaveGroupRequest::default().with_group_id(group("joiners")).with_members(vec![member]);
    note(peer, what, 4, &body, |_| ()).await;
    let deletion = topics.iter().map(|it| {
        let partition = offset_delete_request::OffsetDeleteRequestPartition::default().with_partition_index(7);
        offset_delete_request::OffsetDeleteRequestTopic::default().with_name(name(it)).with_partitions(vec![partition])
    });
    let body = OffsetDeleteRequest::default().with_group_id(group("readers")).with_topics(deletion.collect());
    note(peer, what, 0, &body, |told| told.topics.sort_by_key(|topic| topic.name.clone())).await;
    let body = DeleteGroupsRequest::default().with_groups_names(vec![group("nobodys"), group("others")]);
    note(peer, what, 2, &body, |told| told.results.sort_by_key(|it| it.group_id.clone())).await;
    for (group_id, topic) in [("consumers", "orders"), ("consumers", TOPICS[2])] {
        let body = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group(group_id))
            .with_member_id(text("AAAAAAAAAAAAAAAAAAAAAA"))
            .with_member_epoch(7)
            .with_subscribed_topic_names(Some(vec![name(topic)]));
        note(peer, &format!("{what}, {topic}"), 0, &body, |told| told.error_message = None).await;
    }
    let body = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group("readers"), group("nobodys")]);
    note(peer, what, 0, &body.with_include_authorized_operations(true), |told| {
        told.groups.sort_by_key(|it| it.group_id.clone());
        told.groups.iter_mut().for_each(|it| it.error_message = None);
    })
    .await;
    if what == "nothing" {
        transactions(peer, what).await;
        note(peer, what, 4, &body_of_init(), |_| ()).await;
        peer.allow(&[("alice", (TRANSACTIONAL_ID, "payments", LITERAL), DESCRIBE, ALLOW)]).await;
        note(peer, "may only describe", 4, &body_of_init(), |_| ()).await;
        transactions(peer, "may only describe").await;
        peer.forbid("alice").await;
    }
}

fn body_of_init() -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text("payments"))))
        .with_transaction_timeout_ms(1000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

/// What is asked of a transactional id.
async fn transactions(peer: &mut Peer, what: &str) {
    let id = || TransactionalId(text("payments"));
    let body = EndTxnRequest::default().with_transactional_id(id()).with_producer_id(ProducerId(1));
    note(peer, what, 3, &body, |_| ()).await;
    let body = AddOffsetsToTxnRequest::default().with_transactional_id(id()).with_producer_id(ProducerId(1));
    note(peer, what, 3, &body.with_group_id(group("readers")), |_| ()).await;
    let topic = add_partitions_to_txn_request::AddPartitionsToTxnTopic::default()
        .with_name(name("orders"))
        .with_partitions(vec![0]);
    let body = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id())
        .with_v3_and_below_producer_id(ProducerId(1))
        .with_v3_and_below_topics(vec![topic]);
    note(peer, what, 3, &body, |_| ()).await;
    let partition = txn_offset_commit_request::TxnOffsetCommitRequestPartition::default().with_committed_offset(1);
    let topic = txn_offset_commit_request::TxnOffsetCommitRequestTopic::default()
        .with_name(name("orders"))
        .with_partitions(vec![partition]);
    let body = TxnOffsetCommitRequest::default()
        .with_transactional_id(id())
        .with_group_id(group("readers"))
        .with_producer_id(ProducerId(1))
        .with_topics(vec![topic]);
    note(peer, what, 3, &body, |_| ()).await;
    note(peer, what, 1, &ListTransactionsRequest::default(), |_| ()).await;
    let body = DescribeTransactionsRequest::default().with_transactional_ids(vec![id()]);
    note(peer, what, 0, &body, |_| ()).await;
    let topic =
        describe_producers_request::TopicRequest::default().with_name(name("orders")).with_partition_indexes(vec![0]);
    note(peer, what, 0, &DescribeProducersRequest::default().with_topics(vec![topic]), |_| ()).await;
    let topic = write_txn_markers_request::WritableTxnMarkerTopic::default()
        .with_name(name("orders"))
        .with_partition_indexes(vec![0]);
    let marker = write_txn_markers_request::WritableTxnMarker::default()
        .with_producer_id(ProducerId(1))
        .with_topics(vec![topic]);
    note(peer, what, 1, &WriteTxnMarkersRequest::default().with_markers(vec![marker]), |_| ()).await;
}

pub(crate) async fn administration(peer: &mut Peer) {
    let cluster = (CLUSTER, "kafka-cluster", LITERAL);
    for (what, operation) in [
        ("nothing", None),
        ("describes", Some(DESCRIBE)),
        ("alters", Some(ALTER)),
        ("alters settings", Some(ALTER_CONFIGS)),
        ("creates", Some(CREATE)),
    ] {
        if let Some(operation) = operation {
            peer.allow(&[("alice", cluster, operation, ALLOW)]).await;
        }
        of_cluster(peer, what).await;
        peer.forbid("alice").await;
    }
}

async fn of_cluster(peer: &mut Peer, what: &str) {
    for version in [0, 2] {
        let topic =
            elect_leaders_request::TopicPartitions::default().with_topic(name("nowhere")).with_partitions(vec![0, 1]);
        let body = ElectLeadersRequest::default().with_topic_partitions(Some(vec![topic])).with_timeout_ms(5000);
        note(peer, what, version, &body, |told| {
            for topic in &mut told.replica_election_results {
                topic.partition_result.iter_mut().for_each(|it| words(&mut it.error_message));
            }
        })
        .await;
    }
    let partition =
        alter_partition_reassignments_request::ReassignablePartition::default().with_replicas(Some(vec![BrokerId(1)]));
    let topic = alter_partition_reassignments_request::ReassignableTopic::default()
        .with_name(name("nowhere"))
        .with_partitions(vec![partition]);
    let body = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000);
    note(peer, what, 0, &body, |told| {
        words(&mut told.error_message);
        for topic in &mut told.responses {
            topic.partitions.iter_mut().for_each(|it| words(&mut it.error_message));
        }
    })
    .await;
    let topic = list_partition_reassignments_request::ListPartitionReassignmentsTopics::default()
        .with_name(name("nowhere"))
        .with_partition_indexes(vec![0, 1]);
    for topics in [None, Some(vec![topic])] {
        let body = ListPartitionReassignmentsRequest::default().with_topics(topics).with_timeout_ms(5000);
        note(peer, what, 0, &body, |told| words(&mut told.error_message)).await;
    }
    for version in [2, 4] {
        let body = DescribeLogDirsRequest::default().with_topics(Some(Vec::new()));
        note(peer, what, version, &body, |told| {
            for result in &mut told.results {
                result.log_dir = text("");
                result.topics.clear();
                (result.total_bytes, result.usable_bytes) = (0, 0);
            }
        })
        .await;
    }
    for version in [0, 1] {
        let body = ListConfigResourcesRequest::default();
        note(peer, what, version, &body, |told| told.config_resources.retain(|it| it.resource_type == 4)).await;
    }
    note(peer, what, 4, &ListGroupsRequest::default(), |told| told.groups.sort_by_key(|it| it.group_id.clone())).await;
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(100);
    // One that is too old would be removed, half a minute after the start of a Kafka.
    builder.append(&NewRecord { timestamp: now_ms(), key: None, value: Some(b"a"), headers: &[] });
    builder.seal(Codec::None).stamp(None, BatchFlags::default())
}
