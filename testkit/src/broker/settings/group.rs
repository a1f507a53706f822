//! The settings of a group: names, defaults, and what bounds them among the properties of brokers.

use super::Set;
use crate::broker::properties::known::{Known, known};
use crate::broker::topic_config::Kind;

/// In the order of their names.
pub(super) const TABLE: &[Known] = &[
    known("consumer.assignment.interval.ms", Kind::Int).default("1000").at_least(0),
    known("consumer.heartbeat.interval.ms", Kind::Int).default("5000").at_least(1),
    known("consumer.session.timeout.ms", Kind::Int).default("45000").at_least(1),
    known("share.assignment.interval.ms", Kind::Int).default("1000").at_least(0),
    known("share.auto.offset.reset", Kind::String).default("latest"),
    known("share.delivery.count.limit", Kind::Int).default("5").at_least(2),
    known("share.heartbeat.interval.ms", Kind::Int).default("5000").at_least(1),
    known("share.isolation.level", Kind::String)
        .default("read_uncommitted")
        .one_of(&["read_committed", "read_uncommitted"]),
    known("share.partition.max.record.locks", Kind::Int).default("2000").at_least(100),
    known("share.record.lock.duration.ms", Kind::Int).default("30000").at_least(1000),
    known("share.renew.acknowledge.enable", Kind::Boolean).default("true"),
    known("share.session.timeout.ms", Kind::Int).default("45000").at_least(1),
    known("streams.assignment.interval.ms", Kind::Int).default("1000").at_least(0),
    known("streams.heartbeat.interval.ms", Kind::Int).default("5000").at_least(1),
    known("streams.initial.rebalance.delay.ms", Kind::Int).default("3000").at_least(0),
    known("streams.num.standby.replicas", Kind::Int).default("0").at_least(0),
    known("streams.session.timeout.ms", Kind::Int).default("45000").at_least(1),
];

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    TABLE.iter().find(|known| known.name == name)
}

/// The property of brokers that holds for groups without this setting.
pub(super) fn behind(name: &str) -> Option<&'static Known> {
    crate::broker::properties::known::find(&format!("group.{name}"))
}

/// Whether a group can have these settings, where properties of brokers have the values that `broker` says.
///
/// # Errors
/// Why not, in Kafka's words.
pub(super) fn check(set: &Set, broker: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    if let Some(name) = set.keys().find(|name| find(name).is_none()) {
        return Err(format!("Unknown group config name: {name}"));
    }
    for known in TABLE {
        let Some(value) = set.get(known.name) else { continue };
        known.check(value)?;
        if known.name == "share.auto.offset.reset" && !is_beginning(value) {
            let name = known.name;
            return Err(format!(
                "Invalid value {value} for configuration {name}: Invalid value `{value}` for configuration {name}. The \
                 value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
            ));
        }
    }
    for known in TABLE {
        let (Some(value), Some((protocol, what))) =
            (set.get(known.name).and_then(|value| value.trim().parse::<i64>().ok()), known.name.split_once('.'))
        else {
            continue;
        };
        // Of all settings but one, the bounds are called as it is.
        let what = what.strip_prefix("num.").unwrap_or(what);
        for (bound, words) in [("min", "greater"), ("max", "less")] {
            let bound = format!("group.{protocol}.{bound}.{what}");
            let limit = broker(&bound).and_then(|limit| limit.parse::<i64>().ok());
            let is_beyond = |limit| if words == "less" { value > limit } else { value < limit };
            if limit.is_some_and(is_beyond) {
                return Err(format!("{} must be {words} than or equal to {bound}", known.name));
            }
        }
    }
    let value = |name: &str| {
        let own = set.get(name).cloned().or_else(|| broker(&format!("group.{name}")));
        own.and_then(|value| value.trim().parse::<i64>().ok())
    };
    for protocol in ["consumer", "share", "streams"] {
        let (session, heartbeat) =
            (format!("{protocol}.session.timeout.ms"), format!("{protocol}.heartbeat.interval.ms"));
        if value(&session).zip(value(&heartbeat)).is_some_and(|(session, heartbeat)| session <= heartbeat) {
            return Err(format!("{session} must be greater than {heartbeat}"));
        }
    }
    Ok(())
}

/// `earliest`, `latest`, or `by_duration:` and a duration as ISO 8601 has it.
fn is_beginning(value: &str) -> bool {
    let is_duration = |text: &str| text.strip_prefix('P').is_some_and(|rest| rest.ends_with(['D', 'H', 'M', 'S']));
    matches!(value, "earliest" | "latest") || value.strip_prefix("by_duration:").is_some_and(is_duration)
}
