//! The client against brokers over TCP, by topic.
//!
//! Each case takes the address of a cluster and asks nothing else of it: the same cases run wherever there is one.

#![expect(clippy::disallowed_methods, reason = "tests read the clock and spawn tasks")]
#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

mod bed;
mod consumer;
mod producer;
