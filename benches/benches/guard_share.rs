//! What share of decoding the guard takes, for Metadata responses of 1,000 topics: both in turns in one process, the least
//! of many rounds each, so that a busy machine does not decide.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench guard_share`; it fails when the guard takes more than a tenth.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Buf;
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::protocol::Decodable;
use tidemill_benches::messages::metadata;
use tidemill_protocol::{ApiKey, guard};

const TOPICS: usize = 1000;
const PARTITIONS: [i32; 2] = [1, 6];
/// The last with lengths of fixed width, and all since.
const VERSIONS: [i16; 6] = [8, 9, 10, 11, 12, 13];
const ROUNDS: usize = 300;
const SHARE_MAX_PERCENT: f64 = 10.0;

fn main() -> ExitCode {
    let mut is_within = true;
    println!("topics  partitions  version   guard us  decode us   share");
    for partitions in PARTITIONS {
        for version in VERSIONS {
            let (guard, decode) = least(version, partitions);
            let share = 100.0 * guard.as_secs_f64() / decode.as_secs_f64();
            is_within &= share <= SHARE_MAX_PERCENT;
            let [guard, decode] = [guard, decode].map(|took| 1e6 * took.as_secs_f64());
            println!("{TOPICS:6}  {partitions:10}  {version:7}  {guard:9.2}  {decode:9.2}  {share:5.1} %");
        }
    }
    if is_within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The least time of the guard, and of the decoder behind it.
fn least(version: i16, partitions: i32) -> (Duration, Duration) {
    let frame = metadata(version, TOPICS, partitions);
    let (mut guard, mut decode) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let body = guard::check_response(ApiKey::METADATA, version, black_box(&frame), guard::Budget::default());
        guard = guard.min(start.elapsed());
        let mut rest = black_box(frame.clone());
        rest.advance(body.expect("a good frame"));
        let start = Instant::now();
        let decoded = MetadataResponse::decode(&mut rest, version);
        decode = decode.min(start.elapsed());
        drop(black_box(decoded.expect("a good body")));
    }
    (guard, decode)
}
