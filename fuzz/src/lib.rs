//! What the fuzz targets run, without a fuzzer: `cargo test -p tidemill-protocol` replays the seeds of each.
//!
//! - [`golden`]: messages that Kafka's own classes have written, the seeds of what takes messages
//! - [`messages`]: what must hold of every message that the guard accepts
//!
//! The targets, each a file with a `run` and its `seeds`:
//!
//! | Target | Input | What must hold |
//! |---|---|---|
//! | [`frames`] | a request frame, a response frame, a stream of frames | as [`messages`], and all that is taken was there |
//! | [`bodies`] | the body of any request or response in any version | as [`messages`] |
//! | [`changed`] | a message as Kafka writes it, with a few changes | as [`messages`], and what is accepted is described |
//! | [`describe`] | as `bodies` | a description says all that there is, and fits a log |
//! | [`produce`] | a request of `Produce` | written as slices and by the struct, the bytes are the same |
//! | [`fetch`] | a response of `Fetch` | read by hand and by the struct, it is the same or refused in the same words |
//! | [`records`] | a record batch | nothing is lost, the limit holds, and a batch without a lie reads as it was written |
//! | [`legacy`] | a message set of magic 0 and 1 | as `records` |
//! | [`compression`] | what a codec inflates, and its limit | the limit holds, and what is compressed comes back |
//!
//! Beside them stands `requests`, which runs any sequence of requests over a cluster and needs the testkit: its files are
//! `fuzz/src/requests`, and the testkit's test `sequences` runs it as well.
//!
//! Lengths and checksums are made right, so that what lies behind them is reached.
//!
//! To fuzz one, from the root of the repository:
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml --example corpus
//! RUSTC_BOOTSTRAP=1 cargo fuzz run bodies -- -malloc_limit_mb=64 -rss_limit_mb=1024 -timeout=5 -max_len=4096
//! ```
//!
//! What a fuzzer finds becomes a file in `fuzz/seeds`, named `hostile_` and what is wrong with it, and a test beside the
//! code that was wrong.

#[macro_use]
pub mod messages;
pub mod bodies;
pub mod changed;
mod changes;
pub mod compression;
pub mod describe;
pub mod fetch;
pub mod frames;
pub mod golden;
pub mod legacy;
pub mod produce;
pub mod records;

/// Runs something and says how many bytes it held at the most, as far as somebody counts.
pub type Peak = fn(&mut dyn FnMut()) -> usize;

/// An input of a target and what it is called.
pub type Seed = (String, Vec<u8>);

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it and the folder of its seeds are called.
    pub name: &'static str,
    /// Its seeds, beside those in files.
    pub seeds: fn() -> Vec<Seed>,
    /// Whether it accepts the bytes. Panics when something that must hold does not.
    pub run: fn(&[u8], Peak) -> bool,
}

/// All of them.
pub const TARGETS: [Target; 9] = [
    Target { name: "frames", seeds: frames::seeds, run: frames::accepts },
    Target { name: "bodies", seeds: bodies::seeds, run: bodies::run },
    Target { name: "changed", seeds: changed::seeds, run: changed::run },
    Target { name: "describe", seeds: bodies::seeds, run: |bytes, _| describe::run(bytes) },
    Target { name: "produce", seeds: produce::seeds, run: produce::run },
    Target { name: "fetch", seeds: fetch::seeds, run: fetch::run },
    Target { name: "records", seeds: records::seeds, run: |bytes, peak| records::run(bytes, peak) > 0 },
    Target { name: "legacy", seeds: legacy::seeds, run: |bytes, peak| legacy::run(bytes, peak) > 0 },
    Target { name: "compression", seeds: compression::seeds, run: compression::run },
];
