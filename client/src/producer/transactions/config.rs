//! The options of a producer with transactions, beside those of every producer.

use std::time::Duration;

use crate::error::Error;
use crate::producer::config::{Guarantee, ProducerConfig};
use crate::properties::{self, Property, milliseconds};

/// How a [`TransactionalProducer`](super::TransactionalProducer) writes.
#[derive(Debug, Clone)]
pub struct TransactionalConfig {
    pub(super) producer: ProducerConfig,
    pub(super) transactional_id: String,
    pub(super) timeout: Duration,
}

impl TransactionalConfig {
    /// Transactions under this `transactional.id`: of two producers with the same one, the older is fenced.
    #[must_use]
    pub fn new(transactional_id: impl Into<String>, producer: ProducerConfig) -> Self {
        Self { producer, transactional_id: transactional_id.into(), timeout: Duration::from_secs(60) }
    }

    /// The options of a Java or librdkafka dictionary.
    ///
    /// # Errors
    /// A name that is unknown (with the nearest that is known), or a value that its option cannot have.
    pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Error> {
        let mut config = Self::new("", ProducerConfig::default());
        let shared = |config: &mut Self, name: &str, value: &str| config.producer.set_property(name, value);
        properties::apply(&mut config, PROPERTIES, properties, shared)?;
        Ok(config)
    }

    /// After which time brokers abort a transaction that has not ended. Default: 60 s. Kafka's
    /// `transaction.timeout.ms`.
    #[must_use]
    pub const fn transaction_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// # Errors
    /// When options contradict each other.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.transactional_id.is_empty() {
            return Err(Error::config("transactional.id is not set").with_detail(
                "give each producer that runs at the same time its own, and the same one after a restart",
            ));
        }
        if self.producer.guarantee != Guarantee::Idempotent {
            return Err(Error::config("transactions need acks=all and enable.idempotence=true"));
        }
        Ok(())
    }
}

pub(crate) const PROPERTIES: &[Property<TransactionalConfig>] = &[
    Property {
        names: &["transactional.id"],
        default: "none, it must be given",
        doc: "who this producer is, also after a restart",
        set: |config, value| {
            value.clone_into(&mut config.transactional_id);
            Ok(())
        },
    },
    Property {
        names: &["transaction.timeout.ms"],
        default: "60000",
        doc: "after which time brokers abort a transaction that has not ended, in milliseconds",
        set: |config, value| milliseconds(value).map(|time| config.timeout = time),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_has_the_options_of_every_producer_and_those_of_transactions() {
        let read = |properties: &[(&str, &str)]| TransactionalConfig::from_properties(properties.iter().copied());
        let config = read(&[("transactional.id", "copier-1"), ("linger.ms", "0"), ("client.id", "copier")]).unwrap();
        assert!(config.check().is_ok());
        assert_eq!(config.timeout, Duration::from_secs(60));
        assert!(read(&[("linger.ms", "0")]).unwrap().check().unwrap_err().to_string().contains("transactional.id"));
        let refused = read(&[("transactional.id", "copier-1"), ("acks", "1")]).unwrap().check().unwrap_err();
        assert!(refused.to_string().contains("acks=all"), "{refused}");
        assert!(read(&[("transactional.ids", "copier-1")]).unwrap_err().to_string().contains("transactional.id'"));
    }

    #[test]
    fn a_producer_without_transactions_names_the_one_with_them() {
        let refused = ProducerConfig::from_properties([("transactional.id", "copier-1")]).unwrap_err().to_string();
        assert!(refused.contains("TransactionalProducer"), "{refused}");
    }
}
