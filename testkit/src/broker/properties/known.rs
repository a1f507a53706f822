//! One property that Kafka knows: what it is called, and what it takes.

use super::table::TABLE;
use crate::broker::topic_config::Kind;

/// A broker property that Kafka knows.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// None where nothing is set by default.
    pub(crate) default: Option<&'static str>,
    pub(crate) change: Change,
    /// Whether DescribeConfigs keeps it to itself.
    pub(crate) internal: bool,
    min: Option<i64>,
    max: Option<i64>,
    one_of: &'static [&'static str],
}

/// When a property can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// By a restart.
    Restart,
    /// While brokers run, of one or of all.
    ClusterWide,
    /// While brokers run, of one.
    PerBroker,
}

/// A property that takes any value of its kind, and changes with a restart.
pub(crate) const fn known(name: &'static str, kind: Kind) -> Known {
    Known { name, kind, default: None, change: Change::Restart, internal: false, min: None, max: None, one_of: &[] }
}

impl Known {
    pub(crate) const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    pub(crate) const fn at_least(mut self, min: i64) -> Self {
        self.min = Some(min);
        self
    }

    pub(crate) const fn at_most(mut self, max: i64) -> Self {
        self.max = Some(max);
        self
    }

    pub(crate) const fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.one_of = values;
        self
    }

    pub(crate) const fn cluster_wide(mut self) -> Self {
        self.change = Change::ClusterWide;
        self
    }

    pub(crate) const fn per_broker(mut self) -> Self {
        self.change = Change::PerBroker;
        self
    }

    pub(crate) const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// Whether its value must not be shown.
    pub(crate) fn is_secret(&self) -> bool {
        self.kind == Kind::Password
    }

    /// Whether it can have this value.
    ///
    /// # Errors
    /// Why not, in Kafka's words.
    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        let Self { name, min, max, .. } = self;
        let shown = if self.is_secret() { "[hidden]" } else { value };
        let refuse = |why: &str| Err(format!("Invalid value {shown} for configuration {name}: {why}"));
        let kind = match self.kind {
            Kind::Boolean if !["true", "false"].iter().any(|it| value.trim().eq_ignore_ascii_case(it)) => {
                return refuse("Expected value to be either true or false");
            }
            Kind::Double if value.trim().parse::<f64>().is_err() => return refuse("Not a number of type DOUBLE"),
            Kind::Boolean | Kind::Double | Kind::Class | Kind::Password => return Ok(()),
            Kind::String | Kind::List => {
                let items = if self.kind == Kind::List { value.split(',').collect() } else { vec![value] };
                let known = |item: &&str| self.one_of.iter().any(|it| it.eq_ignore_ascii_case(item.trim()));
                return match items.into_iter().find(|item| !self.one_of.is_empty() && !known(item)) {
                    Some(_) => refuse(&format!("String must be one of: {}", self.one_of.join(", "))),
                    None => Ok(()),
                };
            }
            Kind::Int => ("INT", i64::from(i32::MIN)..=i64::from(i32::MAX)),
            Kind::Short => ("SHORT", i64::from(i16::MIN)..=i64::from(i16::MAX)),
            Kind::Long => ("LONG", i64::MIN..=i64::MAX),
        };
        match value.trim().parse::<i64>() {
            Ok(number) if kind.1.contains(&number) => match (*min, *max) {
                (Some(min), _) if number < min => refuse(&format!("Value must be at least {min}")),
                (_, Some(max)) if number > max => refuse(&format!("Value must be no more than {max}")),
                (_, _) => Ok(()),
            },
            Ok(_) | Err(_) => refuse(&format!("Not a number of type {}", kind.0)),
        }
    }
}

/// The property of this name.
pub(crate) fn find(name: &str) -> Option<&'static Known> {
    let found = TABLE.binary_search_by(|known| known.name.cmp(name)).ok()?;
    TABLE.get(found)
}

/// The property behind a name that may begin with that of a listener, as `listener.name.internal.ssl.keystore.key`.
pub(crate) fn behind(name: &str) -> Option<&'static Known> {
    find(name).or_else(|| {
        let (_listener, own) = name.strip_prefix("listener.name.")?.split_once('.')?;
        // Of SASL the mechanism stands between: `plain.sasl.jaas.config`.
        find(own).or_else(|| find(own.split_once('.')?.1))
    })
}

/// All that Kafka knows, in the order of their names.
pub(crate) fn all() -> impl Iterator<Item = &'static Known> {
    TABLE.iter()
}

/// What a topic setting is called among the properties of brokers, the first that is set counts; and how many of the
/// topic setting's units one of its own is.
pub(crate) fn behind_topic_setting(name: &str) -> &'static [(&'static str, i64)] {
    const HOUR: i64 = 3_600_000;
    match name {
        "cleanup.policy" => &[("log.cleanup.policy", 1)],
        "compression.gzip.level" => &[("compression.gzip.level", 1)],
        "compression.lz4.level" => &[("compression.lz4.level", 1)],
        "compression.type" => &[("compression.type", 1)],
        "compression.zstd.level" => &[("compression.zstd.level", 1)],
        "delete.retention.ms" => &[("log.cleaner.delete.retention.ms", 1)],
        "file.delete.delay.ms" => &[("log.segment.delete.delay.ms", 1)],
        "flush.messages" => &[("log.flush.interval.messages", 1)],
        "flush.ms" => &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)],
        "index.interval.bytes" => &[("log.index.interval.bytes", 1)],
        "local.retention.bytes" => &[("log.local.retention.bytes", 1)],
        "local.retention.ms" => &[("log.local.retention.ms", 1)],
        "max.compaction.lag.ms" => &[("log.cleaner.max.compaction.lag.ms", 1)],
        "max.message.bytes" => &[("message.max.bytes", 1)],
        "message.timestamp.after.max.ms" => &[("log.message.timestamp.after.max.ms", 1)],
        "message.timestamp.before.max.ms" => &[("log.message.timestamp.before.max.ms", 1)],
        "message.timestamp.type" => &[("log.message.timestamp.type", 1)],
        "min.cleanable.dirty.ratio" => &[("log.cleaner.min.cleanable.ratio", 1)],
        "min.compaction.lag.ms" => &[("log.cleaner.min.compaction.lag.ms", 1)],
        "min.insync.replicas" => &[("min.insync.replicas", 1)],
        "preallocate" => &[("log.preallocate", 1)],
        "retention.bytes" => &[("log.retention.bytes", 1)],
        "retention.ms" => &[("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", HOUR)],
        "segment.bytes" => &[("log.segment.bytes", 1)],
        "segment.index.bytes" => &[("log.index.size.max.bytes", 1)],
        "segment.jitter.ms" => &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR)],
        "segment.ms" => &[("log.roll.ms", 1), ("log.roll.hours", HOUR)],
        "unclean.leader.election.enable" => &[("unclean.leader.election.enable", 1)],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_defaults_can_be_had() {
        assert!(TABLE.is_sorted_by(|one, two| one.name < two.name));
        for known in TABLE {
            if let Some(default) = known.default.filter(|default| !default.is_empty()) {
                known.check(default).unwrap();
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_in_kafkas_words() {
        let refused = |name, value| find(name).unwrap().check(value).unwrap_err();
        assert!(refused("num.partitions", "many").ends_with("Not a number of type INT"));
        assert!(refused("num.partitions", "0").ends_with("Value must be at least 1"));
        assert!(refused("group.share.max.size", "1001").ends_with("Value must be no more than 1000"));
        assert!(refused("log.cleanup.policy", "shred").ends_with("String must be one of: compact, delete"));
        assert!(behind("listener.name.internal.plain.sasl.jaas.config").unwrap().is_secret());
    }
}
