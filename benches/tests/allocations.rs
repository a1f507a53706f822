//! Neither road of a record allocates: a batch of 1,000 takes as many allocations as a batch of ten.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tidemill_benches::records::{Input, build, iterate, rival_build, rival_iterate, rival_records};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
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
