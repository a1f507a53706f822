//! Topics and partitions: created, described, grown, deleted.

use std::time::Duration;

use tidemill_client::{
    AclOperation, Admin, ElectionType, ErrorCode, ErrorKind, NewPartitions, NewTopic, TopicDescription, TopicId,
    TopicPartition,
};

use super::{code, only};
use crate::bed::{Bed, PATIENCE, on_every_version};

on_every_version! {
    a_topic_is_created_with_its_configuration_and_deleted(1);
    one_bad_topic_fails_none_of_the_others(1);
    validating_creates_nothing(1);
    replicas_are_where_they_are_wanted(1);
    a_topic_that_was_made_anew_is_not_deleted_by_its_old_id(1);
    kafkas_own_topics_are_listed(1);
    partitions_are_added_and_never_taken_away(2);
    an_election_that_is_not_needed_says_so(1);
}

/// Until every broker knows it.
async fn described(admin: &Admin, topic: &str) -> TopicDescription {
    for _ in 0..500 {
        let outcome = only(admin.describe_topics(&[topic], PATIENCE).await.unwrap());
        match outcome {
            Ok(topic) => return topic,
            Err(error) if error.kind() == ErrorKind::Broker(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("topic {topic} does not appear");
}

async fn a_topic_is_created_with_its_configuration_and_deleted(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let topic = format!("{}-created", bed.topic);
    let new = NewTopic::new(&topic).partitions(3).config("retention.ms", "60000");
    let created = only(admin.create_topics(&[new], PATIENCE).await.unwrap()).unwrap();
    assert_eq!((created.partitions, created.replication_factor), (3, 1));
    let retention = created.configs.iter().find(|config| config.name == "retention.ms").unwrap();
    assert_eq!(retention.value.as_deref(), Some("60000"));

    let description = described(&admin, &topic).await;
    assert_eq!(description.id, created.id);
    assert!(created.id.is_some());
    let numbers: Vec<i32> = description.partitions.iter().map(|partition| partition.partition).collect();
    assert_eq!(numbers, [0, 1, 2]);
    for partition in &description.partitions {
        assert_eq!(partition.leader, partition.replicas.first().copied());
        assert_eq!(partition.in_sync_replicas, partition.replicas);
        assert!(partition.leader_epoch.is_some() && partition.offline_replicas.is_empty());
    }
    let operations = description.authorized_operations.unwrap();
    assert!(operations.contains(&AclOperation::READ) && operations.contains(&AclOperation::DELETE), "{operations:?}");

    assert_eq!(code(&only(admin.delete_topics(&[&topic], PATIENCE).await.unwrap())), None);
    let again = only(admin.delete_topics(&[&topic], PATIENCE).await.unwrap());
    assert_eq!(code(&again), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

async fn one_bad_topic_fails_none_of_the_others(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let good = format!("{}-good", bed.topic);
    let topics = [
        NewTopic::new(&bed.topic),
        NewTopic::new("no/name"),
        NewTopic::new(&good).partitions(1),
        NewTopic::new(format!("{good}-2")).config("retention.ms", "soon"),
        NewTopic::new(format!("{good}-3")).replication_factor(99),
    ];
    let outcomes = admin.create_topics(&topics, PATIENCE).await.unwrap();
    let codes: Vec<_> = outcomes.iter().map(|(_, outcome)| code(outcome)).collect();
    let expected = [
        Some(ErrorCode::TOPIC_ALREADY_EXISTS),
        Some(ErrorCode::INVALID_TOPIC_EXCEPTION),
        None,
        Some(ErrorCode::INVALID_CONFIG),
        Some(ErrorCode::INVALID_REPLICATION_FACTOR),
    ];
    assert_eq!(codes, expected, "{outcomes:?}");
    let message = outcomes[3].1.as_ref().unwrap_err().to_string();
    assert!(message.contains("retention.ms") && message.contains(&format!("{good}-2")), "{message}");
}

async fn validating_creates_nothing(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let topic = format!("{}-validated", bed.topic);
    let wanted = [NewTopic::new(&topic).partitions(2), NewTopic::new(&bed.topic)];
    let validated = admin.validate_topics(&wanted, PATIENCE).await.unwrap();
    assert_eq!(validated[0].1.as_ref().unwrap().partitions, 2);
    assert_eq!(code(&validated[1].1), Some(ErrorCode::TOPIC_ALREADY_EXISTS));
    let more = [NewPartitions::increase_to(&bed.topic, 4)];
    assert_eq!(code(&only(admin.validate_partitions(&more, PATIENCE).await.unwrap())), None);
    let names: Vec<_> = admin.list_topics(PATIENCE).await.unwrap().into_iter().map(|it| it.name).collect();
    assert!(!names.contains(&topic));
    assert_eq!(described(&admin, &bed.topic).await.partitions.len(), 1);
}

async fn replicas_are_where_they_are_wanted(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let topic = format!("{}-assigned", bed.topic);
    let broker = described(&admin, &bed.topic).await.partitions[0].replicas[0];
    let new = NewTopic::new(&topic).assignments([vec![broker], vec![broker]]);
    let created = only(admin.create_topics(&[new], PATIENCE).await.unwrap()).unwrap();
    assert_eq!((created.partitions, created.replication_factor), (2, 1));
    let elsewhere = [NewPartitions::increase_to(&topic, 3).assignments([vec![broker + 70]])];
    let refused = only(admin.create_partitions(&elsewhere, PATIENCE).await.unwrap());
    assert_eq!(code(&refused), Some(ErrorCode::INVALID_REPLICA_ASSIGNMENT));
}

async fn a_topic_that_was_made_anew_is_not_deleted_by_its_old_id(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let old = described(&admin, &bed.topic).await.id.unwrap();
    bed.make_anew(1).await;
    let outcome = only(admin.delete_topics_by_id(&[old], PATIENCE).await.unwrap());
    assert_eq!(code(&outcome), Some(ErrorCode::UNKNOWN_TOPIC_ID));
    // Brokers may describe the old one for a moment.
    let new = loop {
        let id = described(&admin, &bed.topic).await.id.unwrap();
        if id != old {
            break id;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let by_id = admin.describe_topics_by_id(&[new, TopicId::from_bytes([7; 16])], PATIENCE).await.unwrap();
    assert_eq!(by_id[0].1.as_ref().unwrap().name, bed.topic);
    assert_eq!(code(&by_id[1].1), Some(ErrorCode::UNKNOWN_TOPIC_ID));
    assert_eq!(code(&only(admin.delete_topics_by_id(&[new], PATIENCE).await.unwrap())), None);
}

async fn kafkas_own_topics_are_listed(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    // The first question about a group makes the topic.
    admin.list_group_offsets(&[&bed.group], PATIENCE).await.unwrap();
    let topics = loop {
        let topics = admin.list_topics(PATIENCE).await.unwrap();
        if topics.iter().any(|topic| topic.name == bed.topic) {
            break topics;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let of = |name: &str| topics.iter().find(|topic| topic.name == name).map(|topic| topic.is_internal);
    assert_eq!((of(&bed.topic), of("__consumer_offsets")), (Some(false), Some(true)));
    assert!(topics.is_sorted_by(|one, other| one.name < other.name));
}

async fn partitions_are_added_and_never_taken_away(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let missing = format!("{}-missing", bed.topic);
    let wanted = [NewPartitions::increase_to(&bed.topic, 5), NewPartitions::increase_to(&missing, 2)];
    let outcomes = admin.create_partitions(&wanted, PATIENCE).await.unwrap();
    assert_eq!(code(&outcomes[0].1), None);
    assert_eq!(code(&outcomes[1].1), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    for fewer in [5, 1] {
        let wanted = [NewPartitions::increase_to(&bed.topic, fewer)];
        let outcome = only(admin.create_partitions(&wanted, PATIENCE).await.unwrap());
        assert_eq!(code(&outcome), Some(ErrorCode::INVALID_PARTITIONS));
    }
    while described(&admin, &bed.topic).await.partitions.len() != 5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn an_election_that_is_not_needed_says_so(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let partitions = [bed.partition(0), TopicPartition::new(format!("{}-missing", bed.topic), 0)];
    for election in [ElectionType::Preferred, ElectionType::Unclean] {
        let outcomes = admin.elect_leaders(election, &partitions, PATIENCE).await.unwrap();
        let codes: Vec<_> = outcomes.iter().map(|(_, outcome)| code(outcome)).collect();
        assert_eq!(codes, [Some(ErrorCode::ELECTION_NOT_NEEDED), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]);
    }
    assert!(admin.list_partition_reassignments(PATIENCE).await.unwrap().is_empty());
    let cancel = [(bed.partition(0), None)];
    let outcome = only(admin.alter_partition_reassignments(&cancel, PATIENCE).await.unwrap());
    assert_eq!(code(&outcome), Some(ErrorCode::NO_REASSIGNMENT_IN_PROGRESS));
}
