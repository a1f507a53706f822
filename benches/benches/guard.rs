//! What the guard takes beside the decoder it stands in front of.

use bytes::{Buf, Bytes};
use divan::{Bencher, black_box};
use kafka_protocol::messages::{FetchRequest, FetchResponse, MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::Decodable;
use tidemill_benches::messages::{fetch, metadata};
use tidemill_protocol::header::decode_response;
use tidemill_protocol::{ApiKey, guard};

fn main() {
    divan::main();
}

/// Topics and partitions of each.
const CLUSTERS: [(usize, i32); 2] = [(1000, 1), (1000, 6)];
const METADATA_VERSION: i16 = 12;
const FETCH_VERSION: i16 = 17;

fn body(mut frame: Bytes, header_bytes: usize) -> Bytes {
    frame.advance(header_bytes);
    frame
}

#[divan::bench(args = CLUSTERS)]
fn metadata_guard(bencher: Bencher, (topics, partitions): (usize, i32)) {
    let frame = metadata(METADATA_VERSION, topics, partitions);
    bencher.bench(|| {
        guard::check_response(ApiKey::METADATA, METADATA_VERSION, black_box(&frame), guard::Budget::default())
    });
}

#[divan::bench(args = CLUSTERS)]
fn metadata_decode(bencher: Bencher, (topics, partitions): (usize, i32)) {
    let frame = metadata(METADATA_VERSION, topics, partitions);
    bencher.bench(|| MetadataResponse::decode(&mut black_box(body(frame.clone(), 5)), METADATA_VERSION));
}

#[divan::bench(args = CLUSTERS)]
fn metadata_both(bencher: Bencher, (topics, partitions): (usize, i32)) {
    let frame = metadata(METADATA_VERSION, topics, partitions);
    bencher.bench(|| decode_response::<MetadataRequest>(METADATA_VERSION, black_box(frame.clone())));
}

/// 1 MB of records in so many partitions.
#[divan::bench(args = [1, 50])]
fn fetch_guard(bencher: Bencher, partitions: i32) {
    let frame = fetch(FETCH_VERSION, partitions, 1 << 20);
    bencher.bench(|| guard::check_response(ApiKey::FETCH, FETCH_VERSION, black_box(&frame), guard::Budget::default()));
}

#[divan::bench(args = [1, 50])]
fn fetch_decode(bencher: Bencher, partitions: i32) {
    let frame = fetch(FETCH_VERSION, partitions, 1 << 20);
    bencher.bench(|| FetchResponse::decode(&mut black_box(body(frame.clone(), 5)), FETCH_VERSION));
}

#[divan::bench(args = [1, 50])]
fn fetch_both(bencher: Bencher, partitions: i32) {
    let frame = fetch(FETCH_VERSION, partitions, 1 << 20);
    bencher.bench(|| decode_response::<FetchRequest>(FETCH_VERSION, black_box(frame.clone())));
}
