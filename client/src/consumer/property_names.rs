//! Kafka's names for the options of a consumer, as Java and librdkafka spell them.
//!
//! Before: a dictionary of the application. After: [`ConsumerConfig`], whose setters these are.

use super::assignor;
use super::config::{AutoOffsetReset, ConsumerConfig, GroupProtocol, IsolationLevel};
use crate::error::Error;
use crate::properties::{self, Property, milliseconds, number};

impl ConsumerConfig {
    /// The options of a Java or librdkafka dictionary.
    ///
    /// # Errors
    /// A name that is unknown (with the nearest that is known), or a value that its option cannot have.
    pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Error> {
        let mut config = Self::default();
        properties::apply(&mut config, PROPERTIES, properties, Self::set_client_property)?;
        Ok(config)
    }
}

/// Gives the configuration to a setter and puts back what it returns.
fn with(config: &mut ConsumerConfig, set: impl FnOnce(ConsumerConfig) -> ConsumerConfig) {
    *config = set(std::mem::take(config));
}

fn flag(value: &str) -> Result<bool, String> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("neither true nor false".to_owned()),
    }
}

pub(crate) const PROPERTIES: &[Property<ConsumerConfig>] = &[
    Property {
        names: &["group.id"],
        default: "none",
        doc: "the group that shares topics out and keeps offsets",
        set: |config, value| {
            with(config, |config| config.group_id(value));
            Ok(())
        },
    },
    Property {
        names: &["group.instance.id"],
        default: "none",
        doc: "the name of this member of the group across restarts",
        set: |config, value| {
            with(config, |config| config.group_instance_id(value));
            Ok(())
        },
    },
    Property {
        names: &["auto.offset.reset"],
        default: "latest",
        doc: "where reading begins without a committed offset: earliest, latest or none",
        set: |config, value| {
            let reset = match value {
                "earliest" | "smallest" | "beginning" => AutoOffsetReset::Earliest,
                "latest" | "largest" | "end" => AutoOffsetReset::Latest,
                "none" | "error" => AutoOffsetReset::None,
                _ => return Err("none of earliest, latest, none".to_owned()),
            };
            with(config, |config| config.auto_offset_reset(reset));
            Ok(())
        },
    },
    Property {
        names: &["enable.auto.commit"],
        default: "true",
        doc: "whether what was processed is committed from time to time",
        set: |config, value| flag(value).map(|on| with(config, |config| config.enable_auto_commit(on))),
    },
    Property {
        names: &["auto.commit.interval.ms"],
        default: "5000",
        doc: "how often that is, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| with(config, |config| config.auto_commit_interval(time))),
    },
    Property {
        names: &["client.rack"],
        default: "none",
        doc: "the rack or zone of this consumer, for reading from the nearest replica",
        set: |config, value| {
            if !value.is_empty() {
                with(config, |config| config.client_rack(value));
            }
            Ok(())
        },
    },
    Property {
        names: &["isolation.level"],
        default: "read_uncommitted",
        doc: "which records of transactions are read: read_uncommitted or read_committed",
        set: |config, value| {
            let level = match value {
                "read_uncommitted" => IsolationLevel::ReadUncommitted,
                "read_committed" => IsolationLevel::ReadCommitted,
                _ => return Err("neither read_uncommitted nor read_committed".to_owned()),
            };
            with(config, |config| config.isolation_level(level));
            Ok(())
        },
    },
    Property {
        names: &["fetch.min.bytes"],
        default: "1",
        doc: "how many bytes a broker gathers before it answers",
        set: |config, value| number(value).map(|bytes| with(config, |config| config.fetch_bytes_min(bytes))),
    },
    Property {
        names: &["fetch.max.bytes"],
        default: "52428800",
        doc: "how many bytes one answer may have",
        set: |config, value| number(value).map(|bytes| with(config, |config| config.fetch_bytes_max(bytes))),
    },
    Property {
        names: &["max.partition.fetch.bytes", "fetch.message.max.bytes"],
        default: "1048576",
        doc: "how many bytes of one partition an answer may have",
        set: |config, value| number(value).map(|bytes| with(config, |config| config.partition_fetch_bytes_max(bytes))),
    },
    Property {
        names: &["fetch.max.wait.ms", "fetch.wait.max.ms"],
        default: "500",
        doc: "how long a broker waits for fetch.min.bytes, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| with(config, |config| config.fetch_wait_max(time))),
    },
    Property {
        names: &["queued.max.messages.kbytes"],
        default: "65536",
        doc: "how much may wait here to be handed out, in KiB",
        set: |config, value| {
            number::<usize>(value)
                .map(|kib| with(config, |config| config.buffer_bytes_max(kib.saturating_mul(1 << 10))))
        },
    },
    Property {
        names: &["partition.assignment.strategy"],
        default: "range,cooperative-sticky",
        doc: "how the group shares partitions out: range, roundrobin, sticky, cooperative-sticky, or Java's classes of these",
        set: |config, value| {
            let named = |name: &str| {
                let name = name.trim();
                assignor::by_name(name).ok_or_else(|| {
                    format!(
                        "{name} is none of range, roundrobin, sticky, cooperative-sticky; set your own with \
                         ConsumerConfig::assignors"
                    )
                })
            };
            let assignors = value.split(',').map(named).collect::<Result<Vec<_>, String>>()?;
            with(config, |config| config.assignors(assignors));
            Ok(())
        },
    },
    Property {
        names: &["group.protocol"],
        default: "classic",
        doc: "how members and coordinator speak",
        set: |config, value| {
            let protocol = match value.to_ascii_lowercase().as_str() {
                "classic" => GroupProtocol::Classic,
                "consumer" => GroupProtocol::Consumer,
                _ => return Err("neither classic nor consumer".to_owned()),
            };
            with(config, |config| config.group_protocol(protocol));
            Ok(())
        },
    },
    Property {
        names: &["group.remote.assignor"],
        default: "none",
        doc: "with group.protocol=consumer: which of its assignors the coordinator uses",
        set: |config, value| {
            with(config, |config| config.group_remote_assignor(value));
            Ok(())
        },
    },
    Property {
        names: &["session.timeout.ms"],
        default: "45000",
        doc: "after how long without a heartbeat a member is taken for dead, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| with(config, |config| config.session_timeout(time))),
    },
    Property {
        names: &["heartbeat.interval.ms"],
        default: "3000",
        doc: "how often a member says that it is alive, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| with(config, |config| config.heartbeat_interval(time))),
    },
    Property {
        names: &["max.poll.interval.ms"],
        default: "300000",
        doc: "how long the application may take between two receives, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| with(config, |config| config.max_poll_interval(time))),
    },
    Property {
        names: &["allow.auto.create.topics"],
        default: "true",
        doc: "whether a topic that is read and does not exist is created",
        set: |config, value| flag(value).map(|on| with(config, |config| config.allow_auto_create_topics(on))),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_of_a_python_consumer_works_as_it_is() {
        let config = ConsumerConfig::from_properties([
            ("bootstrap.servers", "mybroker"),
            ("group.id", "mygroup"),
            ("auto.offset.reset", "earliest"),
        ]);
        assert!(config.is_ok());
    }

    #[test]
    fn an_assignment_strategy_that_we_do_not_have_is_refused() {
        let read = |strategy| ConsumerConfig::from_properties([("partition.assignment.strategy", strategy)]);
        assert!(read("range,roundrobin").is_ok());
        assert!(read("org.apache.kafka.clients.consumer.RangeAssignor").is_ok());
        assert!(read("org.apache.kafka.clients.consumer.CooperativeStickyAssignor, sticky").is_ok());
        assert!(read("range,random").unwrap_err().to_string().contains("random is none of range"));
    }

    #[test]
    fn a_value_that_cannot_be_names_those_that_can() {
        let error = ConsumerConfig::from_properties([("auto.offset.reset", "first")]).unwrap_err().to_string();
        assert!(error.contains("earliest, latest or none"), "{error}");
        let error = ConsumerConfig::from_properties([("auto.offset.rest", "earliest")]).unwrap_err().to_string();
        assert!(error.contains("did you mean 'auto.offset.reset'?"), "{error}");
    }
}
