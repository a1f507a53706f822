//! The options of a producer, each declared once: what it does, its default, and Kafka's names for it.

use std::time::Duration;

use tidemill_protocol::compression::{Codec, Compression};

use super::compression::Choice;
use super::partitioner::Partitioning;
use crate::config::ClientConfig;
use crate::error::Error;
use crate::properties::{self, Property, milliseconds, number};

/// What a producer promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Guarantee {
    /// A record is sent once, and nobody says whether it arrived (`acks=0`). Its outcome is that it was handed to the
    /// system, without an offset.
    AtMostOnce,
    /// A record is sent until one (`acks=1`) or all replicas have it, and may then be there twice.
    AtLeastOnce {
        /// Whether all replicas have to have it, not just the leader.
        all_replicas: bool,
    },
    /// A record is sent until all replicas have it, and is there once (KIP-98).
    #[default]
    Idempotent,
}

/// How a [`Producer`](super::Producer) writes.
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    pub(super) client: ClientConfig,
    pub(super) guarantee: Guarantee,
    pub(super) compression: Choice,
    pub(super) batch_bytes: usize,
    pub(super) request_bytes_max: usize,
    pub(super) buffer_bytes: u32,
    pub(super) linger: Duration,
    pub(super) delivery_timeout: Duration,
    pub(super) block_max: Duration,
    pub(super) in_flight_max: usize,
    pub(super) partitioning: Partitioning,
    /// What `acks` says, if it is fewer than all, and whether `enable.idempotence` asks for what that cannot give.
    few_acks: bool,
    idempotence_wanted: bool,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            client: ClientConfig::default(),
            guarantee: Guarantee::Idempotent,
            compression: Choice::default(),
            batch_bytes: 16 * 1024,
            request_bytes_max: 1 << 20,
            buffer_bytes: 32 << 20,
            linger: Duration::from_millis(5),
            delivery_timeout: Duration::from_secs(120),
            block_max: Duration::from_secs(60),
            in_flight_max: 5,
            partitioning: Partitioning::default(),
            few_acks: false,
            idempotence_wanted: false,
        }
    }
}

impl ProducerConfig {
    /// The options of a Java or librdkafka dictionary.
    ///
    /// # Errors
    /// A name that is unknown (with the nearest that is known), or a value that its option cannot have.
    pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Error> {
        let mut config = Self::default();
        let shared = |config: &mut Self, name: &str, value: &str| match name {
            "transactional.id" => Err(Error::config("property 'transactional.id' of a producer without transactions")
                .with_detail("use TransactionalProducer, or remove it")),
            _ => config.client.set_property(name, value),
        };
        properties::apply(&mut config, PROPERTIES, properties, shared)?;
        Ok(config)
    }

    /// How to reach the cluster. Replaces what was set before.
    #[must_use]
    pub fn client(mut self, client: ClientConfig) -> Self {
        self.client = client;
        self
    }

    /// `bootstrap.servers`: where to learn of the cluster, as `host:port` with commas between. No default.
    #[must_use]
    pub fn bootstrap_servers(mut self, servers: impl Into<String>) -> Self {
        self.client = self.client.bootstrap_servers(servers);
        self
    }

    /// What is promised. Default: [`Guarantee::Idempotent`]. Kafka's `acks` and `enable.idempotence`.
    #[must_use]
    pub const fn guarantee(mut self, guarantee: Guarantee) -> Self {
        self.guarantee = guarantee;
        self
    }

    /// How the partition of a record is chosen that names none. Default: as the Java client does it. Kafka's
    /// `partitioner.class`, librdkafka's `partitioner`.
    #[must_use]
    pub fn partitioning(mut self, partitioning: Partitioning) -> Self {
        self.partitioning = partitioning;
        self
    }

    /// How batches are compressed: a codec alone, or with its level. Default: not at all. Kafka's `compression.type` and
    /// `compression.gzip.level` with its kin (KIP-390).
    #[must_use]
    pub fn compression(mut self, compression: impl Into<Compression>) -> Self {
        self.compression = Choice::from(compression.into());
        self
    }

    /// How long a batch waits for more records. Default: 5 ms. Kafka's `linger.ms`.
    #[must_use]
    pub const fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// At how many bytes a batch is closed. Default: 16 KiB. Kafka's `batch.size`.
    #[must_use]
    pub const fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes;
        self
    }

    /// How many bytes of records may wait for their outcome before `send` waits. Default: 32 MiB. Kafka's
    /// `buffer.memory`.
    #[must_use]
    pub const fn buffer_bytes(mut self, bytes: u32) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// By when each record has its outcome. Default: 120 s. Kafka's `delivery.timeout.ms`.
    #[must_use]
    pub const fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.delivery_timeout = timeout;
        self
    }

    /// How long `send` waits for room or for the topic. Default: 60 s. Kafka's `max.block.ms`.
    #[must_use]
    pub const fn block_max(mut self, timeout: Duration) -> Self {
        self.block_max = timeout;
        self
    }

    /// Sets one property, if it is one of a producer or of all clients.
    pub(super) fn set_property(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        Ok(properties::set(self, PROPERTIES, name, value)? || self.client.set_property(name, value)?)
    }

    /// # Errors
    /// When options contradict each other.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.few_acks && self.idempotence_wanted {
            return Err(Error::config("enable.idempotence=true needs acks=all")
                .with_detail("set acks to all, or leave one of the two out"));
        }
        if self.guarantee == Guarantee::Idempotent && self.in_flight_max > 5 {
            return Err(Error::config("max.in.flight.requests.per.connection is above 5").with_detail(
                "brokers recognise repeated batches only among the last 5: lower it, or turn off enable.idempotence",
            ));
        }
        if self.in_flight_max == 0 || self.buffer_bytes == 0 || self.batch_bytes == 0 {
            return Err(Error::config(
                "batch.size, buffer.memory and max.in.flight.requests.per.connection must be above 0",
            ));
        }
        Ok(())
    }
}

pub(crate) const PROPERTIES: &[Property<ProducerConfig>] = &[
    Property {
        names: &["acks", "request.required.acks"],
        default: "all",
        doc: "how many replicas have to have a record: all, 1, or 0, when no broker answers",
        set: |config, value| {
            config.guarantee = match (value, config.guarantee) {
                ("all" | "-1", Guarantee::Idempotent) => Guarantee::Idempotent,
                ("all" | "-1", Guarantee::AtLeastOnce { .. } | Guarantee::AtMostOnce) => {
                    Guarantee::AtLeastOnce { all_replicas: true }
                }
                ("1", _) => Guarantee::AtLeastOnce { all_replicas: false },
                ("0", _) => Guarantee::AtMostOnce,
                _ => return Err("none of 0, 1 and all".to_owned()),
            };
            config.few_acks = matches!(value, "0" | "1");
            Ok(())
        },
    },
    Property {
        names: &["enable.idempotence"],
        default: "true",
        doc: "whether a record that is sent again is there only once; needs acks=all",
        set: |config, value| {
            config.idempotence_wanted = value == "true";
            config.guarantee = match value {
                "true" => Guarantee::Idempotent,
                "false" if config.guarantee == Guarantee::Idempotent => Guarantee::AtLeastOnce { all_replicas: true },
                "false" => config.guarantee,
                _ => return Err("neither true nor false".to_owned()),
            };
            Ok(())
        },
    },
    Property {
        names: &["partitioner", "partitioner.class"],
        default: "murmur2_random",
        doc: "how a record's partition is chosen that names none: random, consistent, consistent_random, murmur2, \
              murmur2_random, fnv1a, fnv1a_random, roundrobin, or the name of one of Java's own classes",
        set: |config, value| match Partitioning::from_name(value) {
            Some(partitioning) => {
                config.partitioning = partitioning;
                Ok(())
            }
            None => Err("no partitioner of this name is known; one of your own is set by ProducerConfig::partitioning"
                .to_owned()),
        },
    },
    Property {
        names: &["compression.type", "compression.codec"],
        default: "none",
        doc: "how batches are compressed: none, gzip, snappy, lz4 or zstd",
        set: |config, value| config.compression.set_codec(value),
    },
    Property {
        names: &["compression.gzip.level"],
        default: "-1",
        doc: "how hard gzip tries: 1 to 9, or -1 for 6",
        set: |config, value| config.compression.set_level(Codec::Gzip, value),
    },
    Property {
        names: &["compression.lz4.level"],
        default: "9",
        doc: "how hard lz4 tries: 1 to 17; whichever it is, it is written as Java writes 9",
        set: |config, value| config.compression.set_level(Codec::Lz4, value),
    },
    Property {
        names: &["compression.zstd.level"],
        default: "3",
        doc: "how hard zstd tries: -131072 to 22; without the feature `zstd` it is written at about 1",
        set: |config, value| config.compression.set_level(Codec::Zstd, value),
    },
    Property {
        names: &["compression.level"],
        default: "-1",
        doc: "how hard the codec tries, as librdkafka counts it: 0 to 12, or -1 for the codec's default; what is beyond the \
              codec's own levels is its nearest",
        set: |config, value| config.compression.set_any_level(value),
    },
    Property {
        names: &["linger.ms", "queue.buffering.max.ms"],
        default: "5",
        doc: "how long a batch waits for more records, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.linger = time),
    },
    Property {
        names: &["batch.size"],
        default: "16384",
        doc: "at how many bytes a batch is closed",
        set: |config, value| number(value).map(|bytes| config.batch_bytes = bytes),
    },
    Property {
        names: &["max.request.size", "message.max.bytes"],
        default: "1048576",
        doc: "how many bytes a request, and so a record, may have",
        set: |config, value| number(value).map(|bytes| config.request_bytes_max = bytes),
    },
    Property {
        names: &["buffer.memory"],
        default: "33554432",
        doc: "how many bytes of records may wait for their outcome",
        set: |config, value| number(value).map(|bytes| config.buffer_bytes = bytes),
    },
    Property {
        names: &["delivery.timeout.ms", "message.timeout.ms"],
        default: "120000",
        doc: "by when each record has its outcome, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.delivery_timeout = time),
    },
    Property {
        names: &["max.block.ms"],
        default: "60000",
        doc: "how long a send waits for room or for the topic, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.block_max = time),
    },
    Property {
        names: &["max.in.flight.requests.per.connection", "max.in.flight"],
        default: "5",
        doc: "how many batches of a partition may wait for their answer",
        set: |config, value| number(value).map(|count| config.in_flight_max = count),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_of_a_python_producer_works_as_it_is() {
        assert!(ProducerConfig::from_properties([("bootstrap.servers", "mybroker1,mybroker2")]).is_ok());
    }

    #[test]
    fn acks_and_idempotence_make_one_guarantee_in_any_order() {
        let read = |properties: [(&str, &str); 2]| ProducerConfig::from_properties(properties).unwrap().guarantee;
        let all = Guarantee::AtLeastOnce { all_replicas: true };
        assert_eq!(read([("acks", "all"), ("enable.idempotence", "true")]), Guarantee::Idempotent);
        assert_eq!(read([("acks", "all"), ("enable.idempotence", "false")]), all);
        assert_eq!(read([("enable.idempotence", "false"), ("acks", "all")]), all);
        assert_eq!(read([("acks", "1"), ("linger.ms", "0")]), Guarantee::AtLeastOnce { all_replicas: false });
        assert_eq!(read([("acks", "0"), ("enable.idempotence", "false")]), Guarantee::AtMostOnce);
        assert_eq!(read([("enable.idempotence", "false"), ("acks", "0")]), Guarantee::AtMostOnce);
    }

    #[test]
    fn idempotence_that_is_asked_for_is_not_given_up_silently() {
        for acks in ["0", "1"] {
            for properties in
                [[("acks", acks), ("enable.idempotence", "true")], [("enable.idempotence", "true"), ("acks", acks)]]
            {
                let refused = ProducerConfig::from_properties(properties).unwrap().check().unwrap_err().to_string();
                assert!(refused.contains("set acks to all"), "{refused}");
            }
            assert!(ProducerConfig::from_properties([("acks", acks)]).unwrap().check().is_ok());
        }
    }

    #[test]
    fn a_partitioner_goes_by_the_names_of_both() {
        let read = |value| ProducerConfig::from_properties([("partitioner", value)]);
        assert!(matches!(read("consistent_random").unwrap().partitioning, Partitioning::ConsistentRandom));
        let java = "org.apache.kafka.clients.producer.RoundRobinPartitioner";
        let config = ProducerConfig::from_properties([("partitioner.class", java)]).unwrap();
        assert!(matches!(config.partitioning, Partitioning::RoundRobin));
        assert!(read("com.example.MyPartitioner").unwrap_err().to_string().contains("ProducerConfig::partitioning"));
    }

    #[test]
    fn what_cannot_be_says_what_can() {
        let refused = ProducerConfig::from_properties([("compression.type", "brotli")]).unwrap_err().to_string();
        assert!(refused.contains("none, gzip, snappy, lz4 or zstd"), "{refused}");
        let config = ProducerConfig::from_properties([("max.in.flight", "6")]).unwrap();
        assert!(config.check().unwrap_err().to_string().contains("enable.idempotence"));
    }
}
