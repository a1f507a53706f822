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
            set.insert(option.name, value.to_owned());
        }
        for name in CHECKED_IN_ORDER {
            if let (Some(option), Some(value)) = (option_named(name), set.get(name)) {
                option.check(value)?;
            }
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
        let (lag_min_ms, lag_max_ms) = (number("min.compaction.lag.ms"), compaction_lag_max_ms);
        if lag_min_ms > lag_max_ms {
            return Err(format!(
                "conflict topic config setting min.compaction.lag.ms ({lag_min_ms}) > max.compaction.lag.ms ({lag_max_ms})"
            ));
        }
        let compression = match value("compression.type").trim() {
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
            timestamp_type: match value("message.timestamp.type").trim() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            min_in_sync_replicas: bytes("min.insync.replicas"),
            unclean_leader_election: is_true(value("unclean.leader.election.enable")),
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
    /// A value as DescribeConfigs shows it: as it was read.
    pub(crate) fn shown(&self, value: &str) -> String {
        let trimmed = value.trim();
        match self.kind {
            Kind::Boolean => is_true(value).to_string(),
            Kind::Int | Kind::Short | Kind::Long => {
                trimmed.parse::<i64>().map_or_else(|_| value.to_owned(), |number| number.to_string())
            }
            Kind::Double => trimmed.parse::<f64>().map_or_else(|_| value.to_owned(), |number| format!("{number:?}")),
            Kind::List => {
                let mut items: Vec<&str> = Vec::new();
                for item in trimmed.split(',').map(str::trim) {
                    // Of the others Kafka keeps what stands there twice.
                    if self.name != "cleanup.policy" || !items.contains(&item) {
                        items.push(item);
                    }
                }
                items.join(",")
            }
            Kind::String | Kind::Class | Kind::Password => trimmed.to_owned(),
        }
    }

    /// Refuses in the words of Kafka's definitions of settings, which show a number or a list as it was read.
    fn check(&self, value: &str) -> Result<(), String> {
        let trimmed = value.trim();
        let refuse =
            |shown: &str, why: &str| Err(format!("Invalid value {shown} for configuration {}: {why}", self.name));
        let minimum = minimum(self.name);
        match self.kind {
            Kind::Boolean if is_true(value) || trimmed.eq_ignore_ascii_case("false") => Ok(()),
            Kind::Boolean => refuse(value, "Expected value to be either true or false"),
            Kind::Int | Kind::Short | Kind::Long => match trimmed.parse::<i64>() {
                Ok(number) if self.kind == Kind::Int && i32::try_from(number).is_err() => {
                    refuse(value, "Not a number of type INT")
                }
                Ok(number) if self.name == "compression.gzip.level" && number != -1 && !(1..=9).contains(&number) => {
                    refuse(trimmed, "Value must be between 1 and 9 or equal to -1")
                }
                Ok(number) if number < minimum => {
                    refuse(&number.to_string(), &format!("Value must be at least {minimum}"))
                }
                Ok(number) if number > maximum(self.name) => {
                    refuse(&number.to_string(), &format!("Value must be no more than {}", maximum(self.name)))
                }
                Ok(_) => Ok(()),
                Err(_) if self.kind == Kind::Int => refuse(value, "Not a number of type INT"),
                Err(_) => refuse(value, "Not a number of type LONG"),
            },
            // The only one is a ratio.
            Kind::Double => match trimmed.parse::<f64>() {
                Ok(ratio) if ratio < 0.0 => refuse(&format!("{ratio:?}"), "Value must be at least 0"),
                Ok(ratio) if ratio > 1.0 => refuse(&format!("{ratio:?}"), "Value must be no more than 1"),
                Ok(_) => Ok(()),
                Err(_) => refuse(value, "Not a number of type DOUBLE"),
            },
            Kind::List => self.check_list(trimmed),
            Kind::String | Kind::Class | Kind::Password => self.check_word(trimmed),
        }
    }

    fn check_word(&self, word: &str) -> Result<(), String> {
        let allowed = allowed(self.name);
        if allowed.is_empty() || allowed.contains(&word) {
            return Ok(());
        }
        let name = self.name;
        Err(format!("Invalid value {word} for configuration {name}: String must be one of: {}", allowed.join(", ")))
    }

    /// An empty text is a list of nothing, which every setting takes.
    fn check_list(&self, trimmed: &str) -> Result<(), String> {
        if trimmed.is_empty() {
            return Ok(());
        }
        let name = self.name;
        let items: Vec<&str> = trimmed.split(',').map(str::trim).collect();
        if name == "cleanup.policy" {
            if items.contains(&"") {
                return Err(format!("Configuration '{name}' values must not be empty."));
            }
            return items.into_iter().try_for_each(|item| self.check_word(item));
        }
        // The others are lists of replicas that are throttled.
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_replica = |item: &&str| {
            item.is_empty() || item.split_once(':').is_some_and(|(of, at)| is_number(of) && is_number(at))
        };
        if items == ["*"] || items.iter().all(is_replica) {
            return Ok(());
        }
        Err(format!(
            "Invalid value [{}] for configuration {name}: {name} must be the literal '*' or a list of replicas in the \
             following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
            items.join(", ")
        ))
    }
}

/// Whether a text says yes, as Kafka reads it.
fn is_true(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("true")
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

/// A list that grows by items that it does not have, or loses each of them once. As in Kafka nothing is trimmed, and empty
/// items do not count at the end of what is said, nor anywhere in what there was.
pub(crate) fn changed_list(old: &str, value: &str, grows: bool) -> String {
    let mut items: Vec<&str> = old.split(',').filter(|it| !it.is_empty()).collect();
    let said = if value.is_empty() { value } else { value.trim_end_matches(',') };
    // Commas alone say nothing at all.
    let said = said.split(',').take(if said.is_empty() && !value.is_empty() { 0 } else { usize::MAX });
    for item in said {
        match items.iter().position(|it| *it == item) {
            None if grows => items.push(item),
            Some(at) if !grows => drop(items.remove(at)),
            Some(_) | None => {}
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

/// The order in which Kafka looks at settings: of several faults, the first is told.
const CHECKED_IN_ORDER: [&str; 33] = [
    "segment.bytes",
    "segment.ms",
    "segment.jitter.ms",
    "segment.index.bytes",
    "flush.messages",
    "flush.ms",
    "retention.bytes",
    "retention.ms",
    "max.message.bytes",
    "index.interval.bytes",
    "delete.retention.ms",
    "min.compaction.lag.ms",
    "max.compaction.lag.ms",
    "file.delete.delay.ms",
    "min.cleanable.dirty.ratio",
    "cleanup.policy",
    "unclean.leader.election.enable",
    "min.insync.replicas",
    "compression.type",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "preallocate",
    "message.timestamp.type",
    "message.timestamp.before.max.ms",
    "message.timestamp.after.max.ms",
    "leader.replication.throttled.replicas",
    "follower.replication.throttled.replicas",
    "remote.storage.enable",
    "local.retention.ms",
    "local.retention.bytes",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
];

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
        assert!(refused("min.cleanable.dirty.ratio", "-1").starts_with("Invalid value -1.0 for"));
        assert!(refused("leader.replication.throttled.replicas", "*,0:1").starts_with("Invalid value [*, 0:1] for"));
        assert_eq!(refused("cleanup.policy", "compact,"), "Configuration 'cleanup.policy' values must not be empty.");
        let config = TopicConfig::new([("retention.ms", "-1"), ("cleanup.policy", "compact,delete")]).unwrap();
        assert!(config.retention_ms.is_none() && config.deletes && config.compacts);
    }

    #[test]
    fn of_several_faults_the_one_is_told_that_kafka_looks_at_first() {
        let faults = [("cleanup.policy", "shred"), ("min.insync.replicas", "0"), ("segment.bytes", "1")];
        assert!(TopicConfig::new(faults).unwrap_err().contains("segment.bytes"));
        assert_eq!(CHECKED_IN_ORDER.len(), OPTIONS.len());
        assert!(OPTIONS.iter().all(|option| CHECKED_IN_ORDER.contains(&option.name)));
    }

    #[test]
    fn words_are_read_as_kafka_reads_them() {
        assert!(TopicConfig::new([("unclean.leader.election.enable", " True ")]).unwrap().unclean_leader_election);
        let kept = TopicConfig::new([("cleanup.policy", "")]).unwrap();
        assert!(!kept.deletes && !kept.compacts);
    }
}
