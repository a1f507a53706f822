//! Writing a Produce request: slices around the batches, beside the message struct of `kafka-protocol` and its encoder.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use tidemill_benches::produce::{as_slices, as_struct, batches};

fn main() {
    divan::main();
}

/// Partitions, and the bytes of each one's batch.
const REQUESTS: [(usize, usize); 3] = [(10, 1 << 20), (10, 16 << 10), (50, 1 << 10)];

#[divan::bench(args = REQUESTS)]
fn slices(bencher: Bencher, (partitions, bytes): (usize, usize)) {
    let batches = batches(partitions, bytes);
    bencher.counter(BytesCount::new(partitions * bytes)).bench(|| as_slices(black_box(&batches)));
}

#[divan::bench(args = REQUESTS)]
fn kafka_protocol(bencher: Bencher, (partitions, bytes): (usize, usize)) {
    let batches = batches(partitions, bytes);
    bencher.counter(BytesCount::new(partitions * bytes)).bench(|| as_struct(black_box(&batches)));
}
