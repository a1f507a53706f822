//! Configurations: described with where they come from, changed one by one.

use std::time::Duration;

use tidemill_client::{Admin, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ConfigType, ErrorCode};

use super::{code, only};
use crate::bed::{Bed, PATIENCE, on_every_cluster, on_every_version};

on_every_version! {
    a_change_leaves_all_other_configurations_as_they_are(1);
    each_resource_has_an_outcome_of_its_own(1);
}

mod of_groups {
    use super::*;

    on_every_cluster! {
        groups_have_configurations_of_their_own(1);
    }

    async fn groups_have_configurations_of_their_own(bed: Bed) {
        let admin = Admin::new(bed.client(&[])).unwrap();
        let group = ConfigResource::group(&bed.group);
        let change = ConfigChange::set("consumer.session.timeout.ms", "50000");
        assert_eq!(code(&only(admin.alter_configs(&[(group.clone(), vec![change])], PATIENCE).await.unwrap())), None);
        let changed = until(&admin, &group, "consumer.session.timeout.ms", "50000").await;
        assert_eq!(changed.source, ConfigSource::GROUP);
    }
}

async fn describe(admin: &Admin, resource: &ConfigResource, name: &str) -> ConfigEntry {
    let entries = only(admin.describe_configs(std::slice::from_ref(resource), PATIENCE).await.unwrap()).unwrap();
    entries.into_iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("{name} is not described"))
}

/// Brokers hear of a change after the controller has answered.
async fn until(admin: &Admin, resource: &ConfigResource, name: &str, value: &str) -> ConfigEntry {
    for _ in 0..500 {
        let entry = describe(admin, resource, name).await;
        if entry.value.as_deref() == Some(value) {
            return entry;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{name} does not become {value}");
}

async fn a_change_leaves_all_other_configurations_as_they_are(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let topic = ConfigResource::topic(&bed.topic);
    let alter = |changes: Vec<ConfigChange>| {
        let changes = [(topic.clone(), changes)];
        let admin = &admin;
        async move { only(admin.alter_configs(&changes, PATIENCE).await.unwrap()).unwrap() }
    };
    alter(vec![ConfigChange::set("retention.ms", "60000"), ConfigChange::set("cleanup.policy", "compact")]).await;
    alter(vec![ConfigChange::append("cleanup.policy", "delete")]).await;
    let policy = until(&admin, &topic, "cleanup.policy", "compact,delete").await;
    assert_eq!((policy.source, policy.config_type), (ConfigSource::TOPIC, Some(ConfigType::LIST)));
    assert_eq!((policy.is_read_only, policy.is_sensitive), (false, false));
    let retention = describe(&admin, &topic, "retention.ms").await;
    assert_eq!(retention.value.as_deref(), Some("60000"));
    assert_eq!(retention.synonyms[0].source, ConfigSource::TOPIC);

    alter(vec![ConfigChange::subtract("cleanup.policy", "compact"), ConfigChange::delete("retention.ms")]).await;
    until(&admin, &topic, "cleanup.policy", "delete").await;
    let retention = describe(&admin, &topic, "retention.ms").await;
    assert_eq!(retention.source, ConfigSource::DEFAULT);
    assert_ne!(retention.value.as_deref(), Some("60000"));
    assert!(retention.synonyms.iter().all(|synonym| synonym.name.starts_with("log.retention")), "{retention:?}");
}

async fn each_resource_has_an_outcome_of_its_own(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let missing = ConfigResource::topic(format!("{}-missing", bed.topic));
    let broker = admin.describe_cluster(PATIENCE).await.unwrap().brokers[0].id;
    let asked = [ConfigResource::topic(&bed.topic), missing.clone(), ConfigResource::Broker(broker)];
    let outcomes = loop {
        let outcomes = admin.describe_configs(&asked, PATIENCE).await.unwrap();
        if outcomes[0].1.is_ok() {
            break outcomes;
        }
        // The topic is so new that not every broker knows it.
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(code(&outcomes[1].1), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    let of_broker = outcomes[2].1.as_ref().unwrap();
    let id = of_broker.iter().find(|entry| entry.name == "node.id" || entry.name == "broker.id").unwrap();
    assert!(id.is_read_only);

    let changes = [
        (ConfigResource::topic(&bed.topic), vec![ConfigChange::set("retention.ms", "70000")]),
        (missing, vec![ConfigChange::set("retention.ms", "70000")]),
        (ConfigResource::Broker(broker), vec![ConfigChange::set("node.id", "7")]),
    ];
    let validated = admin.validate_configs(&changes, PATIENCE).await.unwrap();
    let altered = admin.alter_configs(&changes, PATIENCE).await.unwrap();
    for outcomes in [validated, altered] {
        let codes: Vec<_> = outcomes.iter().map(|(_, outcome)| code(outcome)).collect();
        let expected = [None, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), Some(ErrorCode::INVALID_REQUEST)];
        assert_eq!(codes, expected, "{outcomes:?}");
    }
    until(&admin, &ConfigResource::topic(&bed.topic), "retention.ms", "70000").await;
}
