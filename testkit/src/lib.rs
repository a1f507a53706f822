//! What tests need of Kafka.
//!
//! [`kafka`] starts a real Apache Kafka, from jars that Maven resolves or from `KAFKA_HOME`, so that the same cases run on
//! the real thing.

pub mod kafka;
