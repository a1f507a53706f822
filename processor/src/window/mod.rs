//! Timestamps into slices, and when a window may close: pure functions.
//!
//! [`zone`] turns instants into the local wall clock on which windows of processing time are cut, and their ends back
//! into instants; [`tumble`] cuts. Before: stage 1 has rows and their time. After: slices name what is aggregated
//! together.

pub(crate) mod tumble;
pub(crate) mod zone;

/// The smallest piece of time that windows share, in milliseconds of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slice {
    pub(crate) start_ms: i64,
    /// Excluded.
    pub(crate) end_ms: i64,
}

/// How time is cut into slices.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slices {
    Tumble(tumble::Tumble),
}

impl Slices {
    /// The slice of a time, which is milliseconds of the wall clock.
    pub(crate) fn of(self, local_ms: i64) -> Slice {
        match self {
            Self::Tumble(tumble) => tumble.slice(local_ms),
        }
    }
}

impl From<crate::plan::Window> for Slices {
    fn from(window: crate::plan::Window) -> Self {
        match window {
            crate::plan::Window::Tumble { size_ms, offset_ms } => Self::Tumble(tumble::Tumble { size_ms, offset_ms }),
        }
    }
}
