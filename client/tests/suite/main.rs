//! The client against brokers, by topic.
//!
//! Each case takes the way to a cluster and asks nothing else of it: every case runs on the embedded cluster, through
//! memory and over TCP, and on a real Kafka.

#![expect(clippy::disallowed_methods, reason = "tests read the clock and spawn tasks")]
#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

mod admin;
mod bed;
mod consumer;
mod groups;
mod java_members;
mod logins;
mod old_broker;
mod producer;
mod replicas;
mod security;
mod sending;
mod transactions;
mod verifiable;
