//! Tests that need a real Apache Kafka, or programs that come with it, in one process: most of their time is waiting, which
//! they do together.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "waits for other programs by the clock")]

mod broker_like_kafka;
mod clients;
mod clusters;
mod differential;
mod groups_like_kafka;
mod java;
mod like_java;
mod programs;
mod proxy;
mod real_kafka;
mod secured_clients;
mod security_like_kafka;
mod transactions_like_kafka;
mod verifiable;
