//! `tidemill run` as users start it: the binary, against real Apache Kafka and against the embedded broker.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "tests wait for processes")]

mod bed;
mod process;

mod errors;
mod reference;
mod restarts;
