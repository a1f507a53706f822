//! What the seeds make the decoders allocate, counted: never more than the guard's budget, and next to nothing when they
//! are refused.

use std::fs;

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_fuzz::{frames, with_request};
use tidemill_protocol::guard::{self, Budget};
use tidemill_protocol::header::{decode_request, decode_response, read_request_header};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, Request};

#[path = "../src/counting.rs"]
mod counting;

use counting::peak;

/// The golden messages, and the hostile ones in files.
fn seeds_of_frames() -> Vec<(String, Vec<u8>)> {
    let mut seeds = frames::seeds();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/frames")).unwrap() {
        let path = entry.unwrap().path();
        seeds.push((path.display().to_string(), fs::read(&path).unwrap()));
    }
    seeds
}

/// Taking, checking, decoding and writing twice over, of messages of some hundred bytes.
const ACCEPTED_BYTES_MAX: usize = 512 * 1024;
/// A frame copied here and there, and the words of the refusals.
const REFUSED_BYTES_MAX: usize = 4 * 1024;

#[test]
fn seeds_allocate_in_proportion_and_hostile_ones_next_to_nothing() {
    for (name, bytes) in seeds_of_frames() {
        // The guard plans each message when it first meets it, once in the life of the process.
        frames::run(&bytes, counting::peak);
        let mut accepted = None;
        let allocated = peak(&mut || accepted = Some(frames::run(&bytes, counting::peak)));
        let accepted = accepted.unwrap();
        let is_refused = !accepted.request && !accepted.response;
        let max = if is_refused { REFUSED_BYTES_MAX + 8 * bytes.len() } else { ACCEPTED_BYTES_MAX };
        assert!(allocated <= max, "{name}: {allocated} bytes");
    }
}

/// A shared buffer counts its users in a few bytes of its own.
const SHARED_BYTES: usize = 64;

/// The smallest budget with which a message passes: what the guard thinks that it takes.
fn estimate(passes: impl Fn(Budget) -> bool) -> usize {
    let (mut low, mut high) = (0, 1 << 30);
    while low < high {
        let middle = (low + high) / 2;
        if passes(Budget::default().times_frame(0).bytes_min(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

fn request<R: Request>(version: i16, body: Bytes) -> bool {
    let estimate = estimate(|budget| guard::check_request(ApiKey(R::KEY), version, &body, budget).is_ok());
    let mut read = None;
    let allocated = peak(&mut || read = Some(decode_request::<R>(version, body.clone())));
    let read = read.unwrap();
    if read.is_ok() {
        assert!(allocated <= estimate + SHARED_BYTES, "{} v{version}: {allocated} > {estimate}", ApiKey(R::KEY));
    }
    read.is_ok()
}

fn response<R: Request>(version: i16, frame: Bytes) -> bool {
    let estimate = estimate(|budget| guard::check_response(ApiKey(R::KEY), version, &frame, budget).is_ok());
    let mut read = None;
    let allocated = peak(&mut || read = Some(decode_response::<R>(version, frame.clone())));
    let read = read.unwrap();
    if read.is_ok() {
        assert!(allocated <= estimate + SHARED_BYTES, "{} v{version}: {allocated} > {estimate}", ApiKey(R::KEY));
    }
    read.is_ok()
}

#[test]
fn no_struct_takes_more_than_the_guard_thought() {
    let mut read = 0;
    for (_, bytes) in seeds_of_frames() {
        let bytes = Bytes::from(bytes);
        let mut body = bytes.clone();
        if let Ok(header) = read_request_header(&mut body) {
            read += usize::from(with_request!(header.api_key, request(header.api_version, body)));
        }
        let api = ApiKey(i16::from_be_bytes([bytes[0], bytes[1]]));
        let version = i16::from_be_bytes([bytes[2], bytes[3]]);
        read += usize::from(with_request!(api, response(version, bytes.slice(4..))));
    }
    assert!(read > 1000);
}

#[test]
fn unknown_tags_take_no_more_than_the_guard_thought() {
    // `ListGroups` v3 has no fields.
    for count in [1_u8, 2, 11, 12, 50, 127] {
        let mut body = BytesMut::new();
        body.put_u8(count);
        for tag in 0..count {
            body.put_slice(&[tag, 0]);
        }
        assert!(request::<ListGroupsRequest>(3, body.freeze()));
    }
}
