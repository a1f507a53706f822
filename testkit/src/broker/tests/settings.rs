//! What is set while brokers run, and what it has an effect on.

use std::time::Duration;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use tidemill_protocol::messages::{ConsumerGroupHeartbeatRequest, GroupId, IncrementalAlterConfigsRequest, TopicName};

use super::world::*;

const BROKER: i8 = 4;
const GROUP: i8 = 32;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Sets a setting, or takes it back; the error code.
fn set(world: &mut World, kind: i8, resource: &str, name: &str, value: Option<&str>) -> ErrorCode {
    let config = AlterableConfig::default()
        .with_name(text(name))
        .with_config_operation(i8::from(value.is_none()))
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configs(vec![config]);
    let answer = world.ask(1, &IncrementalAlterConfigsRequest::default().with_resources(vec![resource]));
    ErrorCode(answer.responses[0].error_code)
}

fn batch_bytes_max(world: &World) -> usize {
    world.cluster.topics.by_name("clicks").unwrap().config.batch_bytes_max
}

#[test]
fn a_default_of_topics_holds_at_once_for_those_that_set_nothing() {
    let mut world = World::with_topic(&[]);
    let own = topic("own", 1, &[("max.message.bytes", "3000")]);
    assert_eq!(world.create(own).error_code, 0);
    assert_eq!(set(&mut world, BROKER, "", "message.max.bytes", Some("100")), ErrorCode::NONE);
    assert_eq!(batch_bytes_max(&world), 100);
    assert_eq!(world.produce(batch(&[&"x".repeat(200)])).error_code, ErrorCode::MESSAGE_TOO_LARGE.0);
    assert_eq!(world.cluster.topics.by_name("own").unwrap().config.batch_bytes_max, 3000);
    assert_eq!(set(&mut world, BROKER, "1", "message.max.bytes", Some("400")), ErrorCode::NONE);
    assert_eq!(world.produce(batch(&[&"x".repeat(200)])).error_code, 0, "that of the broker counts before");
    for resource in ["1", ""] {
        assert_eq!(set(&mut world, BROKER, resource, "message.max.bytes", None), ErrorCode::NONE);
    }
    assert_eq!(batch_bytes_max(&world), 1_048_588);
}

#[test]
fn a_group_is_coordinated_as_it_has_set_and_others_as_before() {
    let mut world = World::with_topic(&[]);
    let interval = |world: &mut World, group: &str, member: &str| {
        let beat = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_member_id(text(member))
            .with_rebalance_timeout_ms(5000)
            .with_subscribed_topic_names(Some(vec![TopicName(text("clicks"))]))
            .with_topic_partitions(Some(Vec::new()));
        world.ask(1, &beat).heartbeat_interval_ms
    };
    assert_eq!(interval(&mut world, "slow", "a"), 5000);
    assert_eq!(set(&mut world, GROUP, "slow", "consumer.heartbeat.interval.ms", Some("7000")), ErrorCode::NONE);
    assert_eq!(interval(&mut world, "slow", "b"), 7000);
    assert_eq!(interval(&mut world, "other", "a"), 5000);
    assert_eq!(set(&mut world, GROUP, "slow", "consumer.session.timeout.ms", Some("60000")), ErrorCode::NONE);
    assert_eq!(interval(&mut world, "slow", "c"), 7000);
    world.advance(Duration::from_secs(46));
    world.poll();
    assert!(world.cluster.evict_group("other", world.now) == 0, "its session has ended");
    assert!(world.cluster.evict_group("slow", world.now) > 0, "its session is longer");
}

#[test]
fn settings_outlive_the_brokers() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::kept_in(directory.path(), 1).unwrap();
    assert_eq!(world.create(topic("clicks", 1, &[])).error_code, 0);
    assert_eq!(set(&mut world, BROKER, "", "message.max.bytes", Some("100")), ErrorCode::NONE);
    assert_eq!(set(&mut world, BROKER, "1", "log.retention.ms", Some("5000")), ErrorCode::NONE);
    assert_eq!(set(&mut world, GROUP, "slow", "consumer.heartbeat.interval.ms", Some("7000")), ErrorCode::NONE);
    drop(world);
    let mut world = World::kept_in(directory.path(), 1).unwrap();
    assert_eq!(batch_bytes_max(&world), 100);
    assert_eq!(world.cluster.topics.by_name("clicks").unwrap().config.retention_ms, Some(5000));
    assert!(world.cluster.config.groups.overrides.contains_key("slow"));
    assert_eq!(set(&mut world, GROUP, "slow", "consumer.heartbeat.interval.ms", None), ErrorCode::NONE);
    drop(world);
    let world = World::kept_in(directory.path(), 1).unwrap();
    assert!(world.cluster.config.groups.overrides.is_empty());
}
