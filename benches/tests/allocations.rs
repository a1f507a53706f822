//! Neither road of a record allocates: a batch of 1,000 takes as many allocations as a batch of ten. Nor does any road of a
//! batch: it is neither copied into a Produce request nor out of a Fetch response.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tidemill_benches::messages;
use tidemill_benches::produce::{as_slices, as_struct, batches};
use tidemill_benches::records::{Input, build, iterate, rival_build, rival_iterate, rival_records};
use tidemill_protocol::fetch::FetchResponse;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static ALLOCATED_BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    ALLOCATED_BYTES.set(ALLOCATED_BYTES.get() + bytes);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations something takes.
fn allocations<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATIONS.get();
    let result = run();
    (result, ALLOCATIONS.get() - before)
}

/// How many allocations something takes, and how many bytes.
fn allocated<T>(run: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = ALLOCATED_BYTES.get();
    let (result, count) = allocations(run);
    (result, count, ALLOCATED_BYTES.get() - before)
}

#[test]
fn no_record_allocates_on_its_way_out() {
    let (few, many) = (Input::of(10), Input::of(1000));
    // The buffer, and the count of those who share it.
    assert_eq!(allocations(|| build(&few)).1, 2);
    assert_eq!(allocations(|| build(&many)).1, 2);
    let rival = rival_records(&many);
    assert!(allocations(|| rival_build(&rival)).1 >= 1);
}

#[test]
fn no_record_allocates_on_its_way_in() {
    let (few, many) = (build(&Input::of(10)), build(&Input::of(1000)));
    // What the field's buffer takes once, to be shared by its batches.
    let few = allocations(|| iterate(few)).1;
    assert!(few <= 1, "{few}");
    assert_eq!(allocations(|| iterate(many.clone())).1, few);
    let (_, rival) = allocations(|| rival_iterate(many));
    assert!(rival > 0, "the counter counts: {rival}");
}

#[test]
fn no_batch_is_copied_into_a_produce_request() {
    const MEGABYTE: usize = 1 << 20;
    let large = batches(10, MEGABYTE);
    let (slices, count, bytes) = allocated(|| as_slices(&large));
    // What goes in; the bytes between the batches, the count of those who share them, and the list of slices.
    assert_eq!(count, 4);
    assert!(bytes < 2048, "{bytes} bytes");
    for (number, batch) in large.iter().enumerate() {
        assert_eq!((slices[2 * number + 1].as_ptr(), slices[2 * number + 1].len()), (batch.as_ptr(), MEGABYTE));
    }
    // Neither the size of the batches nor their number changes how often.
    let (small, many) = (batches(10, 1000), batches(100, 1000));
    assert_eq!(allocations(|| as_slices(&small)).1, count);
    assert_eq!(allocations(|| as_slices(&many)).1, count);
    let small = allocated(|| as_slices(&small)).2;
    assert!(
        bytes.abs_diff(small) <= 10,
        "as much for megabytes as for kilobytes, but for the varints: {bytes}, {small}"
    );
    let (frame, _, rival) = allocated(|| as_struct(&large));
    assert_eq!(slices.concat(), frame);
    assert!(rival > 10 * MEGABYTE, "the counter counts: {rival}");
}

#[test]
fn no_partition_allocates_on_its_way_in() {
    // What the guard makes once in the life of the process.
    FetchResponse::read(17, &messages::fetch(17, 1, 1)).unwrap();
    for partitions in [1, 10, 1000] {
        let frame = messages::fetch(17, partitions, 1 << 20);
        // As it comes from the connection: a part of a buffer that is shared already.
        drop(frame.clone());
        let (response, count, bytes) = allocated(|| FetchResponse::read(17, &frame).unwrap());
        // Its topics, and its partitions.
        assert_eq!(count, 2);
        assert!(bytes < 1000 + 200 * usize::try_from(partitions).unwrap(), "{partitions} partitions: {bytes} bytes");
        assert_eq!(response.topics().map(|topic| topic.partitions.len()).sum::<usize>() as i32, partitions);
    }
}
