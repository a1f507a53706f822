//! The settings of a topic: Kafka's names, defaults and checks.
//!
//! CreateTopics checks what it is given here, DescribeConfigs lists it, [`log`](super::log) and the produce handler obey
//! it. Settings that this broker has no use for (flushing, indexes, remote storage) are accepted and listed.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_protocol::compression::{Codec, Compression};
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
    /// `segment.ms`, or `max.compaction.lag.ms` where the topic is compacted and that is less.
    pub(crate) segment_ms: i64,
    pub(crate) cleanable_dirty_ratio_min: f64,
    pub(crate) compaction_lag_min_ms: i64,
    pub(crate) compaction_lag_max_ms: i64,
    /// `delete.retention.ms`: how long tombstones and markers stay after their batch was first compacted.
    pub(crate) delete_retention_ms: i64,
    /// `compression.type`, and the level set for it. None leaves it to the producer.
    pub(crate) compression: Option<Compression>,
    /// `max.message.bytes`: of a batch.
    pub(crate) batch_bytes_max: usize,
    pub(crate) timestamp_type: TimestampType,
    /// `message.timestamp.after.max.ms`: how far timestamps may lie ahead of the broker's clock.
    pub(crate) timestamp_after_max_ms: i64,
    pub(crate) timestamp_before_max_ms: i64,
    pub(crate) min_in_sync_replicas: usize,
    pub(crate) unclean_leader_election: bool,
    set: BTreeMap<&'static str, String>,
    /// What the brokers say of what is not set.
    defaults: Arc<BTreeMap<&'static str, String>>,
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
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

impl TopicConfig {
    /// The configuration with these settings, all others at Kafka's defaults.
    ///
    /// # Errors
    /// Why a setting is refused, as Kafka says it.
    #[cfg(test)]
    pub(crate) fn new<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        Self::over(&Arc::default(), settings)
    }

    /// The same where the brokers have other defaults.
    ///
    /// # Errors
    /// Why a setting is refused, as Kafka says it.
    pub(crate) fn over<'a>(
        defaults: &Arc<BTreeMap<&'static str, String>>,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
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
        let value = |name: &'static str| {
            set.get(name).or_else(|| defaults.get(name)).map_or_else(|| default_of(name), String::as_str)
        };
        let number = |name: &'static str| value(name).trim().parse::<i64>().unwrap_or(-1);
        let limit = |name: &'static str| Some(number(name)).filter(|number| *number >= 0);
        let bytes = |name: &'static str| usize::try_from(number(name)).unwrap_or(usize::MAX);
        let policies = || value("cleanup.policy").split(',').map(str::trim);
        let compacts = policies().any(|policy| policy == "compact");
        let (segment_ms, compaction_lag_max_ms) = (number("segment.ms"), number("max.compaction.lag.ms"));
        let level = |codec| {
            let level = match codec {
                Codec::Gzip => number("compression.gzip.level"),
                Codec::Lz4 => number("compression.lz4.level"),
                Codec::Zstd => number("compression.zstd.level"),
                Codec::None | Codec::Snappy | _ => return Compression::new(codec),
            };
            // -1 is gzip's default.
            let level = i32::try_from(level).ok().and_then(|level| Compression::with_level(codec, level).ok());
            level.unwrap_or_else(|| Compression::new(codec))
        };
        let compression = match value("compression.type") {
            "uncompressed" => Some(Compression::new(Codec::None)),
            name => Codec::from_name(name).map(level),
        };
        Ok(Self {
            deletes: policies().any(|policy| policy == "delete"),
            compacts,
            segment_ms: if compacts { segment_ms.min(compaction_lag_max_ms) } else { segment_ms },
            cleanable_dirty_ratio_min: value("min.cleanable.dirty.ratio").trim().parse().unwrap_or(0.5),
            compaction_lag_min_ms: number("min.compaction.lag.ms"),
            compaction_lag_max_ms,
            delete_retention_ms: number("delete.retention.ms"),
            compression,
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
            defaults: Arc::clone(defaults),
        })
    }

    /// Every setting with its value, and whether this topic has set it.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&'static ConfigOption, &str, bool)> {
        OPTIONS.iter().map(|option| match self.set.get(option.name) {
            Some(value) => (option, value.as_str(), true),
            None => (option, self.defaults.get(option.name).map_or(option.default, String::as_str), false),
        })
    }
}

impl TopicConfig {
    /// What this topic has set.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl ConfigOption {
    fn check(&self, value: &str) -> Result<(), String> {
        let refuse = |why: &str| Err(format!("Invalid value {value} for configuration {}: {why}", self.name));
        let minimum = minimum(self.name);
        match self.kind {
            Kind::Boolean if value != "true" && value != "false" => refuse("Expected value to be either true or false"),
            Kind::Int | Kind::Short | Kind::Long => match value.trim().parse::<i64>() {
                Ok(number) if self.kind == Kind::Int && i32::try_from(number).is_err() => {
                    refuse("Not a number of type INT")
                }
                Ok(number) if self.name == "compression.gzip.level" && number != -1 && !(1..=9).contains(&number) => {
                    refuse("Value must be between 1 and 9 or equal to -1")
                }
                Ok(number) if number < minimum => refuse(&format!("Value must be at least {minimum}")),
                Ok(number) if number > maximum(self.name) => {
                    refuse(&format!("Value must be no more than {}", maximum(self.name)))
                }
                Ok(_) => Ok(()),
                Err(_) if self.kind == Kind::Int => refuse("Not a number of type INT"),
                Err(_) => refuse("Not a number of type LONG"),
            },
            // The only one is a ratio.
            Kind::Double => match value.trim().parse::<f64>() {
                Ok(ratio) if ratio < 0.0 => refuse("Value must be at least 0"),
                Ok(ratio) if ratio > 1.0 => refuse("Value must be no more than 1"),
                Ok(_) => Ok(()),
                Err(_) => refuse("Not a number of type DOUBLE"),
            },
            Kind::Boolean | Kind::List | Kind::String | Kind::Class | Kind::Password => {
                let allowed = allowed(self.name);
                let is_allowed = |value: &str| allowed.is_empty() || allowed.contains(&value);
                let fits = match self.kind {
                    Kind::List => value.split(',').all(|value| is_allowed(value.trim())),
                    Kind::Boolean
                    | Kind::String
                    | Kind::Int
                    | Kind::Short
                    | Kind::Long
                    | Kind::Double
                    | Kind::Class
                    | Kind::Password => is_allowed(value),
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

/// The names of all settings.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().map(|option| option.name)
}

/// Whether a setting changes anything here.
pub(crate) fn has_effect(name: &str) -> bool {
    ![
        "file.delete.delay.ms",
        "flush.messages",
        "flush.ms",
        "index.interval.bytes",
        "local.retention.bytes",
        "local.retention.ms",
        "preallocate",
        "segment.index.bytes",
    ]
    .contains(&name)
}

/// A list that grows by items, each once, or loses them.
pub(crate) fn changed_list(old: &str, value: &str, grows: bool) -> String {
    let mut items: Vec<&str> = old.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    for item in value.split(',').map(str::trim) {
        items.retain(|it| grows || *it != item);
        if grows && !items.contains(&item) {
            items.push(item);
        }
    }
    items.join(",")
}

fn default_of(name: &str) -> &'static str {
    option_named(name).map_or("", |option| option.default)
}

fn minimum(name: &str) -> i64 {
    match name {
        "segment.bytes" => 1024 * 1024,
        "retention.ms" => -1,
        "min.insync.replicas" | "segment.ms" | "flush.messages" | "max.compaction.lag.ms" | "compression.lz4.level" => {
            1
        }
        "segment.index.bytes" => 4,
        "compression.gzip.level" => -1,
        "compression.zstd.level" => -131_072,
        "retention.bytes" => i64::MIN,
        "local.retention.bytes" | "local.retention.ms" => -2,
        _ => 0,
    }
}

fn maximum(name: &str) -> i64 {
    match name {
        "compression.lz4.level" => 17,
        "compression.zstd.level" => 22,
        _ => i64::MAX,
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
