//! Settings of brokers and of groups: which there are, which can be changed while a broker runs, and what is refused.

use std::time::Duration;

use tidemill_protocol::messages::describe_configs_request::DescribeConfigsResource;
use tidemill_protocol::messages::*;

use crate::peer::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A name, an operation, and a value.
type Asked = (&'static str, i8, Option<&'static str>);

pub(crate) async fn settings(broker: &mut Broker) {
    every_setting(broker).await;
    of_brokers(broker).await;
    of_groups(broker).await;
    of_client_metrics(broker).await;
    all_at_once(broker).await;
}

async fn describe(broker: &mut Broker, kind: i8, resource: &str, keys: Option<&[&str]>) -> DescribeConfigsResponse {
    let keys = keys.map(|keys| keys.iter().copied().map(text).collect());
    let wanted = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configuration_keys(keys);
    let body = DescribeConfigsRequest::default().with_resources(vec![wanted]).with_include_synonyms(true);
    let mut described = broker.ask(4, &body).await;
    for result in &mut described.results {
        result.configs.sort_by(|one, two| one.name.cmp(&two.name));
    }
    described
}

/// What is not about where a broker lies and how its controllers speak to each other.
fn is_compared(name: &str) -> bool {
    let of_the_place = ["listener", "controller.", "log.dir", "inter.broker", "process.roles"];
    // Values that tests give to the real one, so that it is quick to start, and what the embedded one begins with.
    let of_tests = [
        "group.initial.rebalance.delay.ms",
        "offsets.topic.",
        "transaction.state.log.",
        "share.coordinator.state.topic.",
        "log.cleaner.dedupe.buffer.size",
    ];
    !of_the_place.iter().chain(&of_tests).any(|part| name.contains(part))
}

async fn every_setting(broker: &mut Broker) {
    let mut all = describe(broker, BROKER, "1", None).await;
    all.results[0].configs.retain(|config| is_compared(&config.name));
    broker.note("DescribeConfigs of a broker", &all);
    let none = describe(broker, BROKER, "", None).await;
    broker.note("DescribeConfigs of all brokers", &none);
    let none = describe(broker, BROKER, "1", Some(&[])).await;
    broker.note("DescribeConfigs of no setting", &none.results[0].configs.is_empty());
    let group = describe(broker, GROUP, "described", None).await;
    broker.note("DescribeConfigs of a group", &group);
    let group = describe(broker, GROUP, "", None).await;
    broker.note("DescribeConfigs of no group", &group);
}

async fn alter(broker: &mut Broker, what: &str, kind: i8, resource: &str, configs: &[(&str, i8, Option<&str>)]) {
    use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let configs = configs.iter().map(|(name, operation, value)| {
        AlterableConfig::default().with_name(text(name)).with_config_operation(*operation).with_value(value.map(text))
    });
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configs(configs.collect());
    for validate_only in [true, false] {
        let body = IncrementalAlterConfigsRequest::default()
            .with_resources(vec![resource.clone()])
            .with_validate_only(validate_only);
        let response = broker.ask(1, &body).await;
        broker.note(&format!("IncrementalAlterConfigs {kind}: {what}, {validate_only}"), &response);
    }
    // Kafka's broker hears of a change from its controller.
    tokio::time::sleep(Duration::from_millis(300)).await;
}

async fn of_brokers(broker: &mut Broker) {
    broker.make("under-settings", &[]).await;
    let shown: &[&str] = &[
        "log.retention.ms",
        "log.retention.hours",
        "log.cleanup.policy",
        "message.max.bytes",
        "num.io.threads",
        "ssl.keystore.password",
        "not.there",
        "max.connections",
    ];
    let cases: &[(&str, &str, &[Asked])] = &[
        ("for all", "", &[("log.retention.ms", SET, Some("7000"))]),
        ("for one", "1", &[("log.retention.ms", SET, Some("8000"))]),
        ("for one no more", "1", &[("log.retention.ms", DELETE, None)]),
        ("a list grows", "", &[("log.cleanup.policy", APPEND, Some("compact"))]),
        ("a list shrinks", "", &[("log.cleanup.policy", SUBTRACT, Some("compact"))]),
        ("a number grows", "", &[("log.retention.ms", APPEND, Some("1"))]),
        ("needs a restart", "", &[("num.partitions", SET, Some("3"))]),
        ("needs a restart, for one", "1", &[("num.partitions", SET, Some("3"))]),
        ("a name that is not there", "", &[("not.there", SET, Some("1"))]),
        ("a name that is not there, gone", "", &[("not.there", DELETE, None)]),
        ("a value that cannot be", "", &[("log.retention.ms", SET, Some("soon"))]),
        ("a value that is too small", "", &[("message.max.bytes", SET, Some("-1"))]),
        ("a value that is none of those", "", &[("log.cleanup.policy", SET, Some("shred"))]),
        ("no value", "", &[("log.retention.ms", SET, None)]),
        ("twice", "", &[("log.retention.ms", SET, Some("1")), ("log.retention.ms", SET, Some("2"))]),
        ("only of one, for all", "", &[("ssl.keystore.password", SET, Some("secret"))]),
        ("of a listener only", "1", &[("ssl.keystore.password", SET, Some("secret"))]),
        ("another broker", "99", &[("log.retention.ms", SET, Some("7000"))]),
        ("no broker", "x", &[("log.retention.ms", SET, Some("7000"))]),
        ("a kind that is not there", "1", &[]),
        ("more threads", "1", &[("num.io.threads", SET, Some("10"))]),
        ("far more threads", "1", &[("num.io.threads", SET, Some("1000"))]),
        ("the size of a message", "", &[("message.max.bytes", SET, Some("2000000"))]),
        ("that which features own", "1", &[("min.insync.replicas", SET, Some("1"))]),
        ("that which features own, for all", "", &[("min.insync.replicas", DELETE, None)]),
    ];
    for (what, resource, configs) in cases {
        alter(broker, what, BROKER, resource, configs).await;
        for resource in ["1", ""] {
            let described = describe(broker, BROKER, resource, Some(shown)).await;
            broker.note(&format!("after: {what}, of {resource}"), &described);
        }
        let topic = describe(broker, TOPIC, "under-settings", Some(&["retention.ms", "max.message.bytes"])).await;
        broker.note(&format!("after: {what}, of a topic"), &topic);
    }
    let back = ["log.retention.ms", "log.cleanup.policy", "message.max.bytes", "not.there"];
    let back: Vec<_> = back.into_iter().map(|name| (name, DELETE, None)).collect();
    alter(broker, "back", BROKER, "", &back).await;
    alter(broker, "back, of one", BROKER, "1", &[("num.io.threads", DELETE, None)]).await;
    let described = describe(broker, BROKER, "1", Some(shown)).await;
    broker.note("after all is back", &described);
}

async fn of_groups(broker: &mut Broker) {
    let cases: &[(&str, &str, &[Asked])] = &[
        ("a heartbeat", "grouped", &[("consumer.heartbeat.interval.ms", SET, Some("6000"))]),
        ("a heartbeat that is too quick", "grouped", &[("consumer.heartbeat.interval.ms", SET, Some("1"))]),
        ("a heartbeat that is too slow", "grouped", &[("consumer.heartbeat.interval.ms", SET, Some("16000"))]),
        ("a session that is too short", "grouped", &[("consumer.session.timeout.ms", SET, Some("1"))]),
        ("a session that is too long", "grouped", &[("consumer.session.timeout.ms", SET, Some("60001"))]),
        ("a session", "grouped", &[("consumer.session.timeout.ms", SET, Some("50000"))]),
        ("no number", "grouped", &[("consumer.session.timeout.ms", SET, Some("soon"))]),
        ("a name that is not there", "grouped", &[("consumer.sesion.timeout.ms", SET, Some("1"))]),
        ("where to begin", "grouped", &[("share.auto.offset.reset", SET, Some("earliest"))]),
        ("where not to begin", "grouped", &[("share.auto.offset.reset", SET, Some("nowhere"))]),
        ("a share's session", "grouped", &[("share.session.timeout.ms", SET, Some("1"))]),
        ("a share's lock", "grouped", &[("share.record.lock.duration.ms", SET, Some("1"))]),
        ("a share's lock for long", "grouped", &[("share.record.lock.duration.ms", SET, Some("60001"))]),
        ("more standbys", "grouped", &[("streams.num.standby.replicas", SET, Some("3"))]),
        ("a list grows", "grouped", &[("share.isolation.level", APPEND, Some("read_committed"))]),
        ("no group", "", &[("consumer.session.timeout.ms", SET, Some("50000"))]),
        ("no value", "grouped", &[("consumer.session.timeout.ms", SET, None)]),
        ("gone", "grouped", &[("consumer.session.timeout.ms", DELETE, None)]),
    ];
    for (what, resource, configs) in cases {
        alter(broker, what, GROUP, resource, configs).await;
        let described = describe(broker, GROUP, "grouped", None).await;
        broker.note(&format!("after: {what}, of the group"), &described);
    }
    let listed = broker.ask(1, &ListConfigResourcesRequest::default().with_resource_types(vec![GROUP])).await;
    broker.note("ListConfigResources: groups with settings", &listed);
}

async fn of_client_metrics(broker: &mut Broker) {
    let cases: &[(&str, &str, &[Asked])] = &[
        ("nothing", "metered", &[]),
        ("an interval", "metered", &[("interval.ms", SET, Some(" 60000 "))]),
        ("a short interval", "metered", &[("interval.ms", SET, Some("99"))]),
        ("a long interval", "metered", &[("interval.ms", SET, Some("3600001"))]),
        ("no number", "metered", &[("interval.ms", SET, Some("soon"))]),
        ("metrics", "metered", &[("metrics", SET, Some("org.apache.kafka., other ,other"))]),
        ("all metrics", "another", &[("metrics", SET, Some("*"))]),
        ("an empty metric", "metered", &[("metrics", SET, Some("one,,two"))]),
        ("no metrics", "metered", &[("metrics", SET, Some(""))]),
        ("more metrics", "metered", &[("metrics", APPEND, Some("three,two,"))]),
        ("metrics again", "metered", &[("metrics", APPEND, Some("two"))]),
        ("fewer metrics", "metered", &[("metrics", SUBTRACT, Some("three"))]),
        ("clients", "metered", &[("match", SET, Some("client_id = shop.*, client_software_name=Java"))]),
        ("clients by what they have not", "metered", &[("match", SET, Some("client_name=shop"))]),
        ("clients by no pattern", "metered", &[("match", SET, Some("client_id=("))]),
        ("clients by two patterns", "metered", &[("match", SET, Some("client_id=a=b"))]),
        ("clients by nothing", "metered", &[("match", SET, Some("client_id="))]),
        ("a name that is not there", "metered", &[("interval", SET, Some("60000"))]),
        ("a name that is not there, gone", "metered", &[("interval", DELETE, None)]),
        ("a name that is not there grows", "metered", &[("interval", APPEND, Some("1"))]),
        ("a number grows", "metered", &[("interval.ms", APPEND, Some("1"))]),
        ("no value", "metered", &[("interval.ms", SET, None)]),
        ("an operation that there is not", "metered", &[("interval.ms", 9, Some("1000"))]),
        ("no name", "", &[("interval.ms", SET, Some("60000"))]),
        ("gone", "metered", &[("interval.ms", DELETE, None), ("metrics", DELETE, None), ("match", DELETE, None)]),
    ];
    for (what, resource, configs) in cases {
        alter(broker, what, CLIENT_METRICS, resource, configs).await;
        for (resource, keys) in [("metered", None), ("another", Some(&["metrics", "match", "other"][..])), ("", None)] {
            let described = describe(broker, CLIENT_METRICS, resource, keys).await;
            broker.note(&format!("after: {what}, of client metrics {resource}"), &described);
        }
        for (version, kinds) in [(0, vec![]), (1, vec![CLIENT_METRICS])] {
            let body = ListConfigResourcesRequest::default().with_resource_types(kinds);
            let mut listed = broker.ask(version, &body).await;
            listed.config_resources.sort_by(|one, two| one.resource_name.cmp(&two.resource_name));
            broker.note(&format!("after: {what}, ListConfigResources v{version}"), &listed);
        }
    }
    alter(broker, "all gone", CLIENT_METRICS, "another", &[("metrics", DELETE, None)]).await;
}

async fn all_at_once(broker: &mut Broker) {
    use alter_configs_request::{AlterConfigsResource, AlterableConfig};
    type Given = (&'static str, Option<&'static str>);
    let cases: &[(&str, i8, &str, &[Given])] = &[
        ("of all brokers", BROKER, "", &[("log.retention.ms", Some("9000"))]),
        ("others of all brokers", BROKER, "", &[("message.max.bytes", Some("3000000"))]),
        ("needs a restart", BROKER, "", &[("num.partitions", Some("2"))]),
        ("a null", BROKER, "", &[("message.max.bytes", None)]),
        ("another broker", BROKER, "99", &[("message.max.bytes", Some("3000000"))]),
        ("of one broker", BROKER, "1", &[("message.max.bytes", Some("3000001"))]),
        ("of one broker, none", BROKER, "1", &[]),
        ("of all brokers, none", BROKER, "", &[]),
        ("of a group", GROUP, "grouped", &[("consumer.session.timeout.ms", Some("46000"))]),
        ("of a group, too small", GROUP, "grouped", &[("consumer.session.timeout.ms", Some("1"))]),
        ("of a group, none", GROUP, "grouped", &[]),
        ("of no group", GROUP, "", &[]),
        ("of client metrics", CLIENT_METRICS, "metered", &[("interval.ms", Some("1000")), ("metrics", Some("*"))]),
        ("of client metrics, others", CLIENT_METRICS, "metered", &[("match", Some("client_id=shop"))]),
        ("of client metrics, wrong", CLIENT_METRICS, "metered", &[("match", Some("shop"))]),
        ("of client metrics, none", CLIENT_METRICS, "metered", &[]),
        ("of no client metrics", CLIENT_METRICS, "", &[]),
        ("of what cannot be", 3, "x", &[]),
    ];
    for (what, kind, resource, configs) in cases {
        let configs = configs
            .iter()
            .map(|(name, value)| AlterableConfig::default().with_name(text(name)).with_value(value.map(text)));
        let altered = AlterConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(resource))
            .with_configs(configs.collect());
        let response = broker.ask(2, &AlterConfigsRequest::default().with_resources(vec![altered])).await;
        broker.note(&format!("AlterConfigs {what}"), &response);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let keys: &[&str] = &["log.retention.ms", "message.max.bytes", "consumer.session.timeout.ms"];
        for (kind, resource) in [(BROKER, "1"), (BROKER, ""), (GROUP, "grouped"), (CLIENT_METRICS, "metered")] {
            let described = describe(broker, kind, resource, Some(keys).filter(|_| kind != CLIENT_METRICS)).await;
            broker.note(&format!("after AlterConfigs {what}, of {kind} {resource}"), &described);
        }
    }
    let listed = broker.ask(1, &ListConfigResourcesRequest::default().with_resource_types(vec![GROUP])).await;
    broker.note("ListConfigResources: groups that had settings", &listed);
}
