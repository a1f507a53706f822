//! TUMBLE: windows of one size that follow each other.

/// The start of the window that `time` lies in: `time - floorMod(time - offset, size)`. The size is above 0; times before
/// 1970 and negative offsets work.
pub(super) fn start(time_ms: i64, size_ms: i64, offset_ms: i64) -> i64 {
    let size_ms = size_ms.max(1);
    // Shifted by less than a size, so that nothing overflows near the ends of time.
    let behind = (time_ms.rem_euclid(size_ms) - offset_ms % size_ms).rem_euclid(size_ms);
    time_ms.saturating_sub(behind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn starts_are_aligned_to_the_epoch_and_the_offset() {
        assert_eq!(start(0, 10, 0), 0);
        assert_eq!(start(9, 10, 0), 0);
        assert_eq!(start(10, 10, 0), 10);
        assert_eq!(start(-1, 10, 0), -10);
        assert_eq!(start(12, 10, 3), 3);
        assert_eq!(start(13, 10, 3), 13);
        assert_eq!(start(12, 10, -3), 7);
    }

    proptest! {
        #[test]
        fn every_time_lies_in_its_window(time in -4_000_000_000_000_i64..4_000_000_000_000, size in 1_i64..100_000_000, part in -0.99_f64..0.99) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any offset below the size will do")]
            let offset = (size as f64 * part) as i64;
            let start = start(time, size, offset);
            prop_assert!(start <= time && time < start + size);
            prop_assert_eq!((start - offset).rem_euclid(size), 0);
        }
    }
}
