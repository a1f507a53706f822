//! The wire as others write it: messages by Kafka's own classes, the seeds of the fuzz targets, and planted secrets.

#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

#[macro_use]
#[path = "../../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library of its own to the fuzz targets")]
mod targets;

mod described;
mod golden;
mod secrets;
mod seeds;
