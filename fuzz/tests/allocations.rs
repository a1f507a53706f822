//! What the seeds make the decoders allocate, counted: never more than the guard's budget, and next to nothing when they
//! are refused. Stands here since a counting allocator takes `unsafe`, which the product's workspace forbids.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;

use bytes::Bytes;

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
