//! `COUNT`: how many rows of a group there are, or how many whose argument is not NULL.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};

use super::Accumulator;

/// The counts by group.
#[derive(Debug, Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Count {
    fn raise(&mut self, group: u32, by: i64) {
        if let Some(count) = self.counts.get_mut(group as usize) {
            *count += by;
        }
    }
}

impl Accumulator for Count {
    fn add(&mut self, argument: Option<&ArrayRef>, groups: &[u32], group_count: usize) {
        self.counts.resize(group_count, 0);
        match argument.and_then(Array::nulls) {
            None => groups.iter().for_each(|&group| self.raise(group, 1)),
            Some(nulls) => {
                for (&group, valid) in groups.iter().zip(nulls) {
                    self.raise(group, i64::from(valid));
                }
            }
        }
    }

    fn merge(&mut self, partials: &ArrayRef, groups: &[u32], group_count: usize) {
        self.counts.resize(group_count, 0);
        for (&group, &count) in groups.iter().zip(partials.as_primitive::<Int64Type>().values()) {
            self.raise(group, count);
        }
    }

    fn take_partials(&mut self) -> ArrayRef {
        Arc::new(Int64Array::from(std::mem::take(&mut self.counts)))
    }

    fn finish(&mut self) -> ArrayRef {
        self.take_partials()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;

    use super::*;

    fn results(count: &mut Count) -> Vec<i64> {
        count.finish().as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn null_is_not_counted_and_a_group_without_a_value_counts_zero() {
        let argument: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b"), None]));
        let mut count = Count::default();
        count.add(Some(&argument), &[0, 0, 2, 1], 3);
        assert_eq!(results(&mut count), [1, 0, 1]);
    }

    #[test]
    fn without_an_argument_every_row_counts() {
        let mut count = Count::default();
        count.add(None, &[1, 1, 0], 2);
        count.add(None, &[2], 3);
        assert_eq!(results(&mut count), [1, 2, 1]);
        assert!(results(&mut count).is_empty());
    }

    #[test]
    fn partials_merge_under_other_ids() {
        let (mut one, mut two) = (Count::default(), Count::default());
        one.add(None, &[0, 0, 1], 2);
        two.add(None, &[0], 1);
        two.merge(&one.take_partials(), &[1, 0], 2);
        assert_eq!(results(&mut two), [2, 2]);
    }
}
