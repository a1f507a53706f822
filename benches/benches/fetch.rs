//! Reading a Fetch response with 1 MiB of records: checked and read in one walk, beside the guard and the message struct of
//! `kafka-protocol`, and beside that struct's decoder alone, which believes what it reads.

use bytes::Buf;
use divan::{Bencher, black_box};
use kafka_protocol::messages::{FetchRequest, FetchResponse as Struct};
use kafka_protocol::protocol::Decodable;
use tidemill_benches::messages;
use tidemill_protocol::fetch::FetchResponse;
use tidemill_protocol::header::decode_response;

fn main() {
    divan::main();
}

const VERSION: i16 = 17;
const PARTITIONS: [i32; 4] = [1, 10, 50, 1000];
const RECORDS_BYTES: usize = 1 << 20;
/// The correlation id and an empty section of tags.
const HEADER_BYTES: usize = 5;

#[divan::bench(args = PARTITIONS)]
fn one_walk(bencher: Bencher, partitions: i32) {
    let frame = messages::fetch(VERSION, partitions, RECORDS_BYTES);
    bencher.bench(|| FetchResponse::read(VERSION, black_box(&frame)));
}

#[divan::bench(args = PARTITIONS)]
fn guard_and_struct(bencher: Bencher, partitions: i32) {
    let frame = messages::fetch(VERSION, partitions, RECORDS_BYTES);
    bencher.bench(|| decode_response::<FetchRequest>(VERSION, black_box(frame.clone())));
}

#[divan::bench(args = PARTITIONS)]
fn kafka_protocol(bencher: Bencher, partitions: i32) {
    let frame = messages::fetch(VERSION, partitions, RECORDS_BYTES);
    bencher.bench(|| {
        let mut body = black_box(frame.clone());
        body.advance(HEADER_BYTES);
        Struct::decode(&mut body, VERSION)
    });
}
