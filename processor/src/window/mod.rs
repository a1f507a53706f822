//! Timestamp to slice, and when a window ends: pure functions.
//!
//! Before: the operators bring a processing time. After: rows are kept by the slice they belong to.
//!
//! - `tumble`: windows of one size that follow each other
//! - `zone`: between instants and the wall clock on which windows are cut

mod tumble;
mod zone;

pub(crate) use self::zone::civil;
use jiff::tz::TimeZone;

use crate::plan::Window;

/// The smallest piece of time that windows share, by the wall clock. Of TUMBLE: the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slice {
    /// Its end, excluded, in milliseconds of the wall clock; first, because slices are ordered by their ends.
    pub(crate) end: i64,
    /// Its start, in milliseconds of the wall clock.
    pub(crate) start: i64,
}

/// Cuts time into slices.
#[derive(Clone, Debug)]
pub(crate) struct Slicer {
    window: Window,
    zone: TimeZone,
}

impl Slicer {
    pub(crate) fn new(window: Window, zone: &TimeZone) -> Self {
        Self { window, zone: zone.clone() }
    }

    /// The slice that an instant belongs to (unix milliseconds).
    pub(crate) fn slice_of(&self, unix_ms: i64) -> Slice {
        let wall_ms = zone::to_wall(&self.zone, unix_ms);
        match self.window {
            Window::Tumble { size_ms, offset_ms } => {
                let start = tumble::start(wall_ms, size_ms, offset_ms);
                Slice { start, end: start.saturating_add(size_ms) }
            }
        }
    }

    /// The instant at which a slice has ended (unix milliseconds).
    pub(crate) fn ends_at(&self, slice: Slice) -> i64 {
        zone::timer(&self.zone, slice.end.saturating_sub(1)).saturating_add(1)
    }

    /// The instant at which a slice begins (unix milliseconds).
    pub(crate) fn begins_at(&self, slice: Slice) -> i64 {
        zone::timer(&self.zone, slice.start)
    }
}
