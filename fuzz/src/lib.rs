//! What the fuzz targets run, without a fuzzer: `cargo test -p tidemill-protocol` replays the seeds of each.
//!
//! - [`golden`]: messages that Kafka's own classes have written, the seeds of what takes messages
//! - [`messages`]: what must hold of every message that the guard accepts
//! - [`frames`], [`bodies`], [`describe`], [`records`], [`compression`]: the targets
//!
//! Every target has a `run` and its `seeds`. To fuzz one, from the root of the repository:
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml --example corpus
//! RUSTC_BOOTSTRAP=1 cargo fuzz run bodies -- -malloc_limit_mb=64 -rss_limit_mb=1024 -timeout=5
//! ```
//!
//! What a fuzzer finds becomes a file in `fuzz/seeds`, named `hostile_` and what is wrong with it, and a test beside the
//! code that was wrong.

#[macro_use]
pub mod messages;
pub mod bodies;
pub mod compression;
pub mod describe;
pub mod frames;
pub mod golden;
pub mod records;

/// Runs something and says how many bytes it held at the most, as far as somebody counts.
pub type Peak = fn(&mut dyn FnMut()) -> usize;

/// An input of a target and what it is called.
pub type Seed = (String, Vec<u8>);

/// Each target's name and its seeds, beside those in files.
pub fn seeds() -> [(&'static str, Vec<Seed>); 5] {
    [
        ("frames", frames::seeds()),
        ("bodies", bodies::seeds()),
        ("describe", bodies::seeds()),
        ("records", records::seeds()),
        ("compression", compression::seeds()),
    ]
}
