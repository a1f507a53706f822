//! The broker of the testkit beside Apache Kafka: the same requests to both, and every answer compared, field by field.
//!
//! A case is a sequence of requests over one or more connections. Ids that a broker makes up are named in the order in which
//! they are first seen, and lists whose order is left to chance are sorted; nothing else is passed over.

mod administration;
mod consumer;
mod coordinators;
mod joining;
mod migration;
mod offsets;
pub(crate) mod peer;
mod static_members;
mod timeouts;
mod tools;
