//! The client against brokers over TCP, by topic.
//!
//! Each case takes the address of a cluster and asks nothing else of it: every case runs on the embedded cluster and on a
//! real Kafka.

#![expect(clippy::disallowed_methods, reason = "tests read the clock and spawn tasks")]
#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

mod admin;
mod bed;
mod consumer;
mod producer;
