//! What the seeds make the decoders allocate, counted: never more than the guard's budget, and next to nothing when they
//! are refused. Stands here since a counting allocator takes `unsafe`, which the product's workspace forbids.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::guard::{self, Budget};
use tidemill_protocol::header::{decode_request, decode_response, read_request_header};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, Request};

#[macro_use]
#[path = "../src/frames.rs"]
mod frames;

struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Taking, checking, decoding and writing twice over, of messages of some hundred bytes.
const ACCEPTED_BYTES_MAX: usize = 512 * 1024;
/// A frame copied here and there, and the words of the refusals.
const REFUSED_BYTES_MAX: usize = 4 * 1024;

#[test]
fn seeds_allocate_in_proportion_and_hostile_ones_next_to_nothing() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/frames");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = Bytes::from(fs::read(&path).unwrap());
        // The guard plans each message when it first meets it, once in the life of the process.
        frames::run(&bytes);
        let before = ALLOCATED.get();
        let accepted = frames::run(&bytes);
        let allocated = ALLOCATED.get() - before;
        let is_refused = !accepted.request && !accepted.response;
        let max = if is_refused { REFUSED_BYTES_MAX + 8 * bytes.len() } else { ACCEPTED_BYTES_MAX };
        assert!(allocated <= max, "{}: {allocated} bytes", path.display());
        count += 1;
    }
    assert!(count > 100);
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
    let before = ALLOCATED.get();
    let read = decode_request::<R>(version, body);
    let allocated = ALLOCATED.get() - before;
    if read.is_ok() {
        assert!(allocated <= estimate + SHARED_BYTES, "{} v{version}: {allocated} > {estimate}", ApiKey(R::KEY));
    }
    read.is_ok()
}

fn response<R: Request>(version: i16, frame: Bytes) -> bool {
    let estimate = estimate(|budget| guard::check_response(ApiKey(R::KEY), version, &frame, budget).is_ok());
    let before = ALLOCATED.get();
    let read = decode_response::<R>(version, frame);
    let allocated = ALLOCATED.get() - before;
    if read.is_ok() {
        assert!(allocated <= estimate + SHARED_BYTES, "{} v{version}: {allocated} > {estimate}", ApiKey(R::KEY));
    }
    read.is_ok()
}

#[test]
fn no_struct_takes_more_than_the_guard_thought() {
    let mut read = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/frames")).unwrap() {
        let bytes = Bytes::from(fs::read(entry.unwrap().path()).unwrap());
        let mut body = bytes.clone();
        if let Ok(header) = read_request_header(&mut body) {
            read += usize::from(with_request!(header.api_key, request(header.api_version, body)));
        }
        let api = ApiKey(i16::from_be_bytes([bytes[0], bytes[1]]));
        let version = i16::from_be_bytes([bytes[2], bytes[3]]);
        read += usize::from(with_request!(api, response(version, bytes.slice(4..))));
    }
    assert!(read > 250);
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
