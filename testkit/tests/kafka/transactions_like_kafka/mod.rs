//! Transactions of the testkit's broker beside those of Apache Kafka: the same requests to both, and every answer compared,
//! field by field. Both generations: that of a request is in its version.
//!
//! Kafka writes markers behind an answer; a case waits for them before it goes on. Producer ids are named in the order in
//! which they are first seen, times of the clock are taken out, and batches are compared by what they hold.

mod adding;
mod ending;
mod first_generation;
mod initializing;
mod observing;
mod offsets;
mod requests;
mod writing;

pub(crate) use self::requests::now_ms;
use crate::groups_like_kafka::peer;
