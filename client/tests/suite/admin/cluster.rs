//! The cluster itself, and what happens to a call while its brokers come and go.

use std::time::Duration;

use tidemill_client::{
    Admin, ElectionType, ErrorCode, GroupFilter, IsolationLevel, NewTopic, OffsetSpec, TopicPartition,
};
use tidemill_testkit::ClusterConfig;

use super::{code, only};
use crate::bed::{Bed, PATIENCE, on_every_version};

on_every_version! {
    a_cluster_tells_of_its_brokers_and_features(1);
}

async fn a_cluster_tells_of_its_brokers_and_features(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let cluster = admin.describe_cluster(PATIENCE).await.unwrap();
    let [broker] = &cluster.brokers[..] else { panic!("{cluster:?}") };
    assert!(!cluster.cluster_id.is_empty());
    assert_eq!((cluster.controller, &broker.rack), (Some(broker.id), &None));
    if !bed.bootstrap().starts_with("memory") {
        assert_eq!(format!("{}:{}", broker.host, broker.port), bed.bootstrap());
    }
    assert!(!cluster.authorized_operations.unwrap().is_empty());
    let features = admin.describe_features(PATIENCE).await.unwrap();
    let metadata = features["metadata.version"];
    let (least, most) = metadata.supported.unwrap();
    assert!((least..=most).contains(&metadata.finalized.unwrap()), "{metadata:?}");
}

/// Every leader and coordinator is asked where it is, all of a broker at once; then a broker goes, and the call finds
/// those that take over.
async fn many_brokers(bed: Bed, stop: impl AsyncFn(i32), start: impl AsyncFn(i32)) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let brokers: Vec<i32> = admin.describe_cluster(PATIENCE).await.unwrap().brokers.iter().map(|it| it.id).collect();
    assert_eq!(brokers.len(), 3);
    let topic = format!("{}-replicated", bed.topic);
    // Each broker leads one partition.
    let assignments = [0, 1, 2].map(|first| (0..3).map(|next| brokers[(first + next) % 3]).collect());
    only(admin.create_topics(&[NewTopic::new(&topic).assignments(assignments)], PATIENCE).await.unwrap()).unwrap();
    let ends: Vec<_> = (0..3).map(|number| (TopicPartition::new(topic.as_str(), number), OffsetSpec::Latest)).collect();
    let look_up = async || {
        let found = admin.list_offsets(&ends, IsolationLevel::ReadUncommitted, PATIENCE).await.unwrap();
        found.iter().map(|(_, outcome)| outcome.as_ref().unwrap().unwrap().offset).collect::<Vec<_>>()
    };
    assert_eq!(look_up().await, [0, 0, 0]);
    let groups: Vec<String> = (0..12).map(|number| format!("{}-{number}", bed.group)).collect();
    let offset = [(ends[0].0.clone(), 0.into())];
    for group in &groups {
        only(admin.alter_group_offsets(group, &offset, PATIENCE).await.unwrap()).unwrap();
    }
    let all_groups = async || {
        let listed = admin.list_groups(&GroupFilter::default(), PATIENCE).await.unwrap();
        listed.complete().unwrap().into_iter().filter(|it| groups.contains(&it.group_id)).collect::<Vec<_>>()
    };
    let listed = all_groups().await;
    assert_eq!(listed.len(), 12);
    assert!(listed.iter().any(|it| it.coordinator != listed[0].coordinator), "several brokers coordinate them");
    let described = admin.describe_groups(&groups, PATIENCE).await.unwrap();
    assert!(described.iter().all(|(_, outcome)| outcome.is_ok()), "{described:?}");

    let gone = listed[0].coordinator;
    stop(gone).await;
    assert_eq!(look_up().await, [0, 0, 0], "another leads what broker {gone} did");
    let offsets = admin.list_group_offsets(&groups, PATIENCE).await.unwrap();
    assert!(offsets.iter().all(|(_, offsets)| offsets.as_ref().unwrap().len() == 1), "{offsets:?}");
    start(gone).await;

    // It leads again what it is the preferred leader of, once it has caught up.
    let place = brokers.iter().position(|id| *id == gone).unwrap();
    for _ in 0..600 {
        let partition = [ends[place].0.clone()];
        let elected = only(admin.elect_leaders(ElectionType::Preferred, &partition, PATIENCE).await.unwrap());
        match code(&elected) {
            None | Some(ErrorCode::ELECTION_NOT_NEEDED) => {
                assert_eq!(look_up().await, [0, 0, 0]);
                return;
            }
            Some(ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE) => tokio::time::sleep(Duration::from_millis(50)).await,
            Some(other) => panic!("{other}"),
        }
    }
    panic!("broker {gone} does not come back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_find_those_that_take_over_on_the_embedded_cluster() {
    let bed = Bed::embedded_as(ClusterConfig::default().brokers(3), "many_brokers", 1).await;
    let cluster = bed.clone();
    let stop = async |id| cluster.cluster().unwrap().stop_broker(id).await;
    let start = async |id| cluster.cluster().unwrap().start_broker(id).await.unwrap();
    many_brokers(bed, stop, start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_find_those_that_take_over_on_kafka() {
    let Some((bed, kafka)) = Bed::three_brokers_of_kafka("many_brokers", 1).await else { return };
    let node = |id: i32| usize::try_from(id).unwrap();
    let stop = async |id| kafka.stop_broker(node(id) - 1).unwrap();
    let start = async |id| kafka.start_broker(node(id) - 1).unwrap();
    many_brokers(bed, stop, start).await;
}
