//! Reading and building a batch of 1,000 records of 118 bytes, ours beside `kafka-protocol`'s own codec.
//!
//! Reading includes the checksum; building includes it too, and copies every key and value. The rival builds from structs
//! that own their key and value, so it is measured twice: with those structs given, and from the same slices as ours.
//! The checksum and the copy of the bytes alone are the floor under both.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use tidemill_benches::records::{Input, RECORD_COUNT, build, iterate, rival_build, rival_iterate, rival_records};

fn main() {
    divan::main();
}

#[divan::bench]
fn iterate_tidemill(bencher: Bencher) {
    let field = build(&Input::default());
    bencher
        .counter(ItemsCount::new(RECORD_COUNT))
        .counter(BytesCount::new(field.len()))
        .bench(|| iterate(black_box(field.clone())));
}

#[divan::bench]
fn iterate_kafka_protocol(bencher: Bencher) {
    let field = build(&Input::default());
    bencher
        .counter(ItemsCount::new(RECORD_COUNT))
        .counter(BytesCount::new(field.len()))
        .bench(|| rival_iterate(black_box(field.clone())));
}

#[divan::bench]
fn build_tidemill(bencher: Bencher) {
    let input = Input::default();
    bencher.counter(ItemsCount::new(RECORD_COUNT)).bench(|| build(black_box(&input)));
}

#[divan::bench]
fn build_kafka_protocol(bencher: Bencher) {
    let records = rival_records(&Input::default());
    bencher.counter(ItemsCount::new(RECORD_COUNT)).bench(|| rival_build(black_box(&records)));
}

#[divan::bench]
fn build_kafka_protocol_from_slices(bencher: Bencher) {
    let input = Input::default();
    bencher.counter(ItemsCount::new(RECORD_COUNT)).bench(|| rival_build(&rival_records(black_box(&input))));
}

#[divan::bench]
fn floor_checksum(bencher: Bencher) {
    let field = build(&Input::default());
    bencher.counter(ItemsCount::new(RECORD_COUNT)).bench(|| crc32c::crc32c(black_box(&field)));
}

#[divan::bench]
fn floor_copy(bencher: Bencher) {
    let field = build(&Input::default());
    bencher.counter(ItemsCount::new(RECORD_COUNT)).bench(|| black_box(&field).to_vec());
}
