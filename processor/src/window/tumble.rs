//! TUMBLE: windows of one size that follow each other; a slice is a window.
//!
//! Before: a time on the wall clock. After: its [`Slice`].

use super::Slice;

/// Windows of `size_ms`, which is above 0, shifted by `offset_ms`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tumble {
    pub(crate) size_ms: i64,
    pub(crate) offset_ms: i64,
}

impl Tumble {
    /// The window that holds a time: it starts at `t - floorMod(t - offset, size)`. Beyond the 292 million years that
    /// 64 bits hold, the last window is longer.
    pub(crate) fn slice(self, local_ms: i64) -> Slice {
        let size_ms = self.size_ms.max(1);
        let into = local_ms.saturating_sub(self.offset_ms).rem_euclid(size_ms);
        let start_ms = local_ms.saturating_sub(into);
        Slice { start_ms, end_ms: start_ms.saturating_add(size_ms) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start(size_ms: i64, offset_ms: i64, time: i64) -> i64 {
        Tumble { size_ms, offset_ms }.slice(time).start_ms
    }

    #[test]
    fn windows_start_where_flink_starts_them() {
        assert_eq!(start(10, 0, 0), 0);
        assert_eq!(start(10, 0, 9), 0);
        assert_eq!(start(10, 0, 10), 10);
        assert_eq!(start(10, 3, 2), -7);
        assert_eq!(start(10, -3, 6), -3);
        assert_eq!(start(10, -3, 7), 7);
        // Before 1970.
        assert_eq!(start(10, 0, -1), -10);
        assert_eq!(start(10, 0, -10), -10);
    }

    proptest! {
        #[test]
        fn a_window_holds_its_time(size in 1i64..1_000_000_000, offset in -999_999_999i64..1_000_000_000, time: i64) {
            let slice = Tumble { size_ms: size, offset_ms: offset % size }.slice(time);
            prop_assert!(slice.start_ms <= time && (time < slice.end_ms || slice.end_ms == i64::MAX));
        }
    }
}
