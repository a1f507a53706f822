//! COUNT: how many rows there are, or how many where the argument is not NULL. `BIGINT NOT NULL`.
//!
//! Before and after: [`Accumulator`].

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};

use super::Accumulator;

/// The count of each group.
#[derive(Debug, Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn add(&mut self, argument: Option<&ArrayRef>, ids: &[usize]) {
        let nulls = argument.and_then(|column| column.nulls()).filter(|nulls| nulls.null_count() > 0);
        match nulls {
            None => ids.iter().for_each(|&id| self.count(id, 1)),
            Some(nulls) => {
                for (&id, valid) in ids.iter().zip(nulls) {
                    self.count(id, i64::from(valid));
                }
            }
        }
    }

    fn merge(&mut self, state: &[ArrayRef], ids: &[usize]) {
        let Some(counts) = state.first() else { return };
        for (&id, &count) in ids.iter().zip(counts.as_primitive::<Int64Type>().values()) {
            self.count(id, count);
        }
    }

    fn state(&self, groups: Range<usize>) -> Vec<ArrayRef> {
        vec![self.finish(groups)]
    }

    fn finish(&self, groups: Range<usize>) -> ArrayRef {
        let counts = self.counts.get(groups).unwrap_or_default();
        Arc::new(Int64Array::from_iter_values(counts.iter().copied()))
    }
}

impl Count {
    fn count(&mut self, id: usize, rows: i64) {
        if let Some(count) = self.counts.get_mut(id) {
            *count += rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;

    use super::*;

    #[test]
    fn null_is_not_counted_and_every_row_is() {
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some(""), None]));
        let (mut of_column, mut of_rows) = (Count::default(), Count::default());
        for count in [&mut of_column, &mut of_rows] {
            count.resize(2);
        }
        of_column.add(Some(&column), &[0, 0, 1, 1]);
        of_rows.add(None, &[0, 0, 1, 1]);
        assert_eq!(of_column.counts, [1, 1]);
        assert_eq!(of_rows.counts, [2, 2]);
    }

    #[test]
    fn states_add_up() {
        let (mut first, mut second) = (Count::default(), Count::default());
        first.resize(3);
        first.add(None, &[0, 1, 1, 2]);
        second.resize(2);
        second.add(None, &[0]);
        second.merge(&first.state(1..3), &[1, 0]);
        assert_eq!(second.finish(0..2).as_primitive::<Int64Type>().values(), &[2, 2]);
    }
}
