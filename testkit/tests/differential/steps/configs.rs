//! Configurations of topics; those of brokers and groups only by their refusals.

use std::collections::BTreeSet;

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use tidemill_protocol::messages::describe_configs_request::DescribeConfigsResource;
use tidemill_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
    incremental_alter_configs_request as incremental,
};

use crate::answer::Keep;
use crate::draw::Draw;
use crate::side::Side;

const TOPIC: i8 = 2;

/// Settings with values, good and bad.
const SETTINGS: [(&str, &[&str]); 14] = [
    (
        "cleanup.policy",
        &["delete", "compact", "compact,delete", "delete,compact", " delete , delete", "", "compact,", "nonsense,x"],
    ),
    ("compression.type", &["producer", "uncompressed", "nonsense"]),
    ("max.message.bytes", &["1000", "0", "-1", "many", "5000000000"]),
    ("message.timestamp.type", &["CreateTime", "LogAppendTime", "createtime", "nonsense"]),
    ("message.timestamp.before.max.ms", &["9223372036854775807", "0", "-1"]),
    ("min.insync.replicas", &["1", "2", "0", "-1"]),
    ("retention.ms", &["604800000", "-1", "-2", "1.5"]),
    ("retention.bytes", &["-1", "1000000", "nonsense"]),
    ("segment.bytes", &["1073741824", "1048576", "1", "0"]),
    ("unclean.leader.election.enable", &["true", "false", "True", "yes", " true "]),
    ("flush.messages", &["1", "0", "9223372036854775807"]),
    ("min.cleanable.dirty.ratio", &["0.5", "0", "1", "1.5", "-1", "x"]),
    ("leader.replication.throttled.replicas", &["*", "0:1", "0:1,1:1", "nonsense", "", "*,0:1", "0:1,,1: 1"]),
    ("nonsense.setting", &["1", ""]),
];

/// The name of a setting and a value for it.
pub(super) fn setting(draw: &mut Draw) -> (StrBytes, Option<StrBytes>) {
    let (name, values) = draw.pick(&SETTINGS);
    let value = draw.chance(97).then(|| StrBytes::from_static_str(draw.word(values)));
    (StrBytes::from_static_str(name), value)
}

fn resource(side: &Side, draw: &mut Draw) -> (i8, StrBytes) {
    let kind = if draw.chance(95) { TOPIC } else { *draw.pick(&[0, 1, 64, -1, 127]) };
    (kind, draw.topic(side).0)
}

pub(crate) fn describe(side: &mut Side, draw: &mut Draw) {
    let resources = draw.some(|draw| {
        let (kind, name) = resource(side, draw);
        let keys = draw.chance(40).then(|| draw.some(|draw| StrBytes::from_static_str(draw.pick(&SETTINGS).0)));
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(name)
            .with_configuration_keys(keys)
    });
    let request = DescribeConfigsRequest::default()
        .with_resources(resources)
        .with_include_synonyms(draw.chance(40))
        .with_include_documentation(draw.chance(10));
    side.ask(draw, &request);
}

pub(crate) fn alter(side: &mut Side, draw: &mut Draw) {
    let mut resources = draw.some(|draw| {
        let (kind, name) = resource(side, draw);
        let configs = draw.some(|draw| {
            let (name, value) = setting(draw);
            AlterableConfig::default().with_name(name).with_value(value)
        });
        AlterConfigsResource::default().with_resource_type(kind).with_resource_name(name).with_configs(configs)
    });
    // Kafka never answers when a resource stands there twice, which takes long to see; all kinds it does not know are one.
    let mut seen = BTreeSet::new();
    let known = |kind: i8| if [2, 4, 8, 16, 32].contains(&kind) { kind } else { 0 };
    resources.retain(|resource| seen.insert((known(resource.resource_type), resource.resource_name.clone())));
    let request = AlterConfigsRequest::default().with_resources(resources).with_validate_only(draw.chance(15));
    side.ask(draw, &request);
    settle(side);
}

pub(crate) fn incremental_alter(side: &mut Side, draw: &mut Draw) {
    let resources = draw.some(|draw| {
        let (kind, name) = resource(side, draw);
        let configs = draw.some(|draw| {
            let (name, value) = setting(draw);
            let operation = if draw.chance(96) { *draw.pick(&[0, 0, 0, 1, 2, 3]) } else { *draw.pick(&[4, -1]) };
            incremental::AlterableConfig::default().with_name(name).with_value(value).with_config_operation(operation)
        });
        incremental::AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(name)
            .with_configs(configs)
    });
    let request =
        IncrementalAlterConfigsRequest::default().with_resources(resources).with_validate_only(draw.chance(15));
    side.ask(draw, &request);
    settle(side);
}

pub(crate) fn list_resources(side: &mut Side, draw: &mut Draw) {
    let kinds = if draw.chance(70) { vec![TOPIC] } else { draw.some(|draw| *draw.pick(&[2, 8, 16, 32, 4, 64, 1, -1])) };
    side.ask_own(draw, &ListConfigResourcesRequest::default().with_resource_types(kinds));
}

/// Waits until the settings of the sequence's topics are known.
fn settle(side: &mut Side) {
    let resource = |name| {
        let name = side.named(name);
        DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(name)
            .with_configuration_keys(None)
    };
    let resources = vec![resource("topic0"), resource("topic1"), resource("topic2")];
    side.ask_in(4, &DescribeConfigsRequest::default().with_resources(resources).with_include_synonyms(true), Keep::All);
}
