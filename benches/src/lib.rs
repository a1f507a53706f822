//! What is measured and what it is measured with, shared by the benchmarks and by the tests that count allocations.
//!
//! `cargo bench --manifest-path benches/Cargo.toml` runs all; the name of a bench (`--bench records`) runs one.

pub mod messages;
pub mod records;
