//! Any sequence of requests, faults and times, over clusters of one to three brokers: whatever comes, everything holds that
//! must hold of a cluster. The fuzz target `requests` runs the same on bytes of its own.
//!
//! `TIDEMILL_SEQUENCES=100000 cargo test --release -p tidemill-testkit --test sequences` runs more of them, and
//! `TIDEMILL_SEQUENCE=17` tells what happens in one.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/requests/mod.rs"]
#[allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a fuzz target, which may fail"
)]
mod requests;

/// So many run always.
const SEQUENCES: u64 = 300;

/// The bytes of a seed.
fn bytes(seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let length = random.usize(100..2500);
    (0..length).map(|_| random.u8(..)).collect()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn whatever_comes_everything_holds_that_must() {
    if let Some(seed) = number("TIDEMILL_SEQUENCE") {
        let file = std::env::temp_dir().join(format!("tidemill-sequence-{seed}"));
        let mut trace = String::new();
        // Whatever it was, it is told up to there.
        let ran =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| requests::run(&bytes(seed), Some(&mut trace))));
        fs::write(&file, &trace).unwrap();
        fs::write(file.with_extension("bytes"), bytes(seed)).unwrap();
        panic!("{ran:?}; what happened is in {}", file.display());
    }
    let (mut answers, mut good, mut broken) = (0, 0, Vec::new());
    for seed in 0..number("TIDEMILL_SEQUENCES").unwrap_or(SEQUENCES) {
        match std::panic::catch_unwind(|| requests::run(&bytes(seed), None)) {
            Ok(Ok(report)) => {
                answers += report.answers;
                good += report.good;
            }
            Ok(Err(reason)) => broken.push(format!("seed {seed}: {reason}")),
            Err(_) => broken.push(format!("seed {seed}: it panicked")),
        }
    }
    println!("{answers} answers, {good} of them without an error");
    assert!(broken.is_empty(), "{} broken:\n{}", broken.len(), broken.join("\n"));
    assert!(good * 4 > answers, "{good} of {answers} requests did something");
}

#[test]
fn a_sequence_runs_the_same_each_time() {
    for seed in 0..5 {
        let run = || {
            let mut trace = String::new();
            (requests::run(&bytes(seed), Some(&mut trace)).unwrap(), trace)
        };
        assert_eq!(run(), run());
    }
}

#[test]
fn what_fuzzers_have_found_is_found_no_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/requests");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        requests::run(&fs::read(&path).unwrap(), None).unwrap_or_else(|broken| panic!("{}: {broken}", path.display()));
    }
}
