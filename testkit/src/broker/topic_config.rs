//! The settings of a topic: Kafka's names, defaults and checks.
//!
//! CreateTopics checks what it is given here, DescribeConfigs lists it, [`log`](super::log) and the produce handler obey
//! it. Settings that this broker has no use for (compaction, flushing, indexes, remote storage) are accepted and listed.

use std::collections::BTreeMap;

use tidemill_protocol::records::TimestampType;

/// What one topic is set to.
#[derive(Debug, Clone)]
pub(crate) struct TopicConfig {
    /// Whether `cleanup.policy` holds `delete`.
    pub(crate) deletes: bool,
    /// Whether `cleanup.policy` holds `compact`: records must have a key.
    pub(crate) compacts: bool,
    pub(crate) retention_ms: Option<i64>,
    pub(crate) retention_bytes: Option<u64>,
    pub(crate) segment_bytes: usize,
    /// `max.message.bytes`: of a batch.
    pub(crate) batch_bytes_max: usize,
    pub(crate) timestamp_type: TimestampType,
    /// `message.timestamp.after.max.ms`: how far timestamps may lie ahead of the broker's clock.
    pub(crate) timestamp_after_max_ms: i64,
    pub(crate) timestamp_before_max_ms: i64,
    pub(crate) min_in_sync_replicas: usize,
    pub(crate) unclean_leader_election: bool,
    set: BTreeMap<&'static str, String>,
}

/// A setting that there is.
#[derive(Debug)]
pub(crate) struct ConfigOption {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) kind: Kind,
}

/// What values a setting takes; the numbers are those of DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

impl TopicConfig {
    /// The configuration with these settings, all others at their defaults.
    ///
    /// # Errors
    /// Why a setting is refused, as Kafka says it.
    pub(crate) fn new<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut set = BTreeMap::new();
        let settings: Vec<(&str, &str)> = settings.into_iter().collect();
        if let Some((name, _)) = settings.iter().find(|(name, _)| option_named(name).is_none()) {
            return Err(format!("Unknown topic config name: {name}"));
        }
        for (name, value) in settings {
            let Some(option) = option_named(name) else { continue };
            option.check(value)?;
            set.insert(option.name, value.to_owned());
        }
        let value = |name: &'static str| set.get(name).map_or_else(|| default_of(name), String::as_str);
        let number = |name: &'static str| value(name).trim().parse::<i64>().unwrap_or(-1);
        let limit = |name: &'static str| Some(number(name)).filter(|number| *number >= 0);
        let bytes = |name: &'static str| usize::try_from(number(name)).unwrap_or(usize::MAX);
        let policies = || value("cleanup.policy").split(',').map(str::trim);
        Ok(Self {
            deletes: policies().any(|policy| policy == "delete"),
            compacts: policies().any(|policy| policy == "compact"),
            retention_ms: limit("retention.ms"),
            retention_bytes: limit("retention.bytes").and_then(|bytes| u64::try_from(bytes).ok()),
            segment_bytes: bytes("segment.bytes"),
            batch_bytes_max: bytes("max.message.bytes"),
            timestamp_type: match value("message.timestamp.type") {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            min_in_sync_replicas: bytes("min.insync.replicas"),
            unclean_leader_election: value("unclean.leader.election.enable") == "true",
            set,
        })
    }

    /// Every setting with its value, and whether this topic has set it.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&'static ConfigOption, &str, bool)> {
        OPTIONS.iter().map(|option| match self.set.get(option.name) {
            Some(value) => (option, value.as_str(), true),
            None => (option, option.default, false),
        })
    }
}

impl ConfigOption {
    fn check(&self, value: &str) -> Result<(), String> {
        let refuse = |why: &str| Err(format!("Invalid value {value} for configuration {}: {why}", self.name));
        let minimum = minimum(self.name);
        match self.kind {
            Kind::Boolean if value != "true" && value != "false" => refuse("Expected value to be either true or false"),
            Kind::Int | Kind::Long => match value.trim().parse::<i64>() {
                Ok(number) if self.kind == Kind::Int && i32::try_from(number).is_err() => {
                    refuse("Not a number of type INT")
                }
                Ok(number) if number < minimum => refuse(&format!("Value must be at least {minimum}")),
                Ok(_) => Ok(()),
                Err(_) if self.kind == Kind::Int => refuse("Not a number of type INT"),
                Err(_) => refuse("Not a number of type LONG"),
            },
            Kind::Double if value.trim().parse::<f64>().is_err() => refuse("Not a number of type DOUBLE"),
            Kind::Boolean | Kind::Double | Kind::List | Kind::String => {
                let allowed = allowed(self.name);
                let is_allowed = |value: &str| allowed.is_empty() || allowed.contains(&value);
                let fits = match self.kind {
                    Kind::List => value.split(',').all(|value| is_allowed(value.trim())),
                    Kind::Boolean | Kind::String | Kind::Int | Kind::Long | Kind::Double => is_allowed(value),
                };
                if fits { Ok(()) } else { refuse(&format!("String must be one of: {}", allowed.join(", "))) }
            }
        }
    }
}

/// The setting of this name.
pub(crate) fn option_named(name: &str) -> Option<&'static ConfigOption> {
    OPTIONS.iter().find(|option| option.name == name)
}

/// What the setting of brokers is called that a topic's falls back to. None where Kafka lists none: there is none, or it
/// is not set because one in another unit is.
pub(crate) fn broker_setting(name: &'static str) -> Option<&'static str> {
    Some(match name {
        "cleanup.policy" => "log.cleanup.policy",
        "delete.retention.ms" => "log.cleaner.delete.retention.ms",
        "file.delete.delay.ms" => "log.segment.delete.delay.ms",
        "flush.messages" => "log.flush.interval.messages",
        "index.interval.bytes" => "log.index.interval.bytes",
        "local.retention.bytes" => "log.local.retention.bytes",
        "local.retention.ms" => "log.local.retention.ms",
        "max.compaction.lag.ms" => "log.cleaner.max.compaction.lag.ms",
        "max.message.bytes" => "message.max.bytes",
        "message.timestamp.after.max.ms" => "log.message.timestamp.after.max.ms",
        "message.timestamp.before.max.ms" => "log.message.timestamp.before.max.ms",
        "message.timestamp.type" => "log.message.timestamp.type",
        "min.cleanable.dirty.ratio" => "log.cleaner.min.cleanable.ratio",
        "min.compaction.lag.ms" => "log.cleaner.min.compaction.lag.ms",
        "preallocate" => "log.preallocate",
        "retention.bytes" => "log.retention.bytes",
        "segment.bytes" => "log.segment.bytes",
        "segment.index.bytes" => "log.index.size.max.bytes",
        "flush.ms"
        | "follower.replication.throttled.replicas"
        | "leader.replication.throttled.replicas"
        | "remote.log.copy.disable"
        | "remote.log.delete.on.disable"
        | "remote.storage.enable"
        | "retention.ms"
        | "segment.jitter.ms"
        | "segment.ms" => return None,
        same => same,
    })
}

/// The setting that a new cluster of Kafka 4.3 has set for all topics, as its eligible leader replicas want it.
pub(crate) fn is_set_for_all(name: &str) -> bool {
    name == "min.insync.replicas"
}

fn default_of(name: &str) -> &'static str {
    option_named(name).map_or("", |option| option.default)
}

fn minimum(name: &str) -> i64 {
    match name {
        "segment.bytes" => 1024 * 1024,
        "retention.ms" => -1,
        "min.insync.replicas" | "segment.ms" | "flush.messages" | "max.compaction.lag.ms" => 1,
        "segment.index.bytes" => 4,
        "compression.gzip.level" => -1,
        "compression.zstd.level" => -131_072,
        "retention.bytes" => i64::MIN,
        "local.retention.bytes" | "local.retention.ms" => -2,
        _ => 0,
    }
}

const fn allowed(name: &str) -> &'static [&'static str] {
    match name.as_bytes() {
        b"cleanup.policy" => &["compact", "delete"],
        b"message.timestamp.type" => &["CreateTime", "LogAppendTime"],
        b"compression.type" => &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
        _ => &[],
    }
}

const fn option(name: &'static str, kind: Kind, default: &'static str) -> ConfigOption {
    ConfigOption { name, default, kind }
}

/// The topic settings of Kafka 4.3.
const OPTIONS: &[ConfigOption] = &[
    option("cleanup.policy", Kind::List, "delete"),
    option("compression.gzip.level", Kind::Int, "-1"),
    option("compression.lz4.level", Kind::Int, "9"),
    option("compression.type", Kind::String, "producer"),
    option("compression.zstd.level", Kind::Int, "3"),
    option("delete.retention.ms", Kind::Long, "86400000"),
    option("file.delete.delay.ms", Kind::Long, "60000"),
    option("flush.messages", Kind::Long, "9223372036854775807"),
    option("flush.ms", Kind::Long, "9223372036854775807"),
    option("follower.replication.throttled.replicas", Kind::List, ""),
    option("index.interval.bytes", Kind::Int, "4096"),
    option("leader.replication.throttled.replicas", Kind::List, ""),
    option("local.retention.bytes", Kind::Long, "-2"),
    option("local.retention.ms", Kind::Long, "-2"),
    option("max.compaction.lag.ms", Kind::Long, "9223372036854775807"),
    option("max.message.bytes", Kind::Int, "1048588"),
    option("message.timestamp.after.max.ms", Kind::Long, "3600000"),
    option("message.timestamp.before.max.ms", Kind::Long, "9223372036854775807"),
    option("message.timestamp.type", Kind::String, "CreateTime"),
    option("min.cleanable.dirty.ratio", Kind::Double, "0.5"),
    option("min.compaction.lag.ms", Kind::Long, "0"),
    option("min.insync.replicas", Kind::Int, "1"),
    option("preallocate", Kind::Boolean, "false"),
    option("remote.log.copy.disable", Kind::Boolean, "false"),
    option("remote.log.delete.on.disable", Kind::Boolean, "false"),
    option("remote.storage.enable", Kind::Boolean, "false"),
    option("retention.bytes", Kind::Long, "-1"),
    option("retention.ms", Kind::Long, "604800000"),
    option("segment.bytes", Kind::Int, "1073741824"),
    option("segment.index.bytes", Kind::Int, "10485760"),
    option("segment.jitter.ms", Kind::Long, "0"),
    option("segment.ms", Kind::Long, "604800000"),
    option("unclean.leader.election.enable", Kind::Boolean, "false"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_kafkas() {
        let config = TopicConfig::new([]).unwrap();
        assert!(config.deletes && !config.compacts);
        assert_eq!((config.retention_ms, config.retention_bytes), (Some(604_800_000), None));
        assert_eq!(config.batch_bytes_max, 1_048_588);
    }

    #[test]
    fn settings_are_checked() {
        let refused = |name, value| TopicConfig::new([(name, value)]).unwrap_err();
        assert_eq!(refused("retention.sm", "1"), "Unknown topic config name: retention.sm");
        assert!(refused("retention.ms", "soon").contains("Not a number of type LONG"));
        assert!(refused("retention.ms", "-2").contains("at least -1"));
        assert!(refused("cleanup.policy", "shred").contains("one of: compact, delete"));
        assert!(refused("preallocate", "yes").contains("true or false"));
        let config = TopicConfig::new([("retention.ms", "-1"), ("cleanup.policy", "compact,delete")]).unwrap();
        assert!(config.retention_ms.is_none() && config.deletes && config.compacts);
    }
}
