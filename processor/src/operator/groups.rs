//! What a stage keeps of one slice: its keys, and what each aggregate holds for each of them.
//!
//! Before: stage 1 brings rows, stage 2 partials. After: partials for stage 2, or results.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::keys::Keys;
use crate::aggregate::{self, Accumulator};
use crate::partials::SlicePartials;
use crate::plan::{AggregateCall, WindowAggregate};

/// What is grouped and folded, from the plan.
#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    /// The keys: columns of the rows.
    keys: Vec<usize>,
    key_types: Vec<DataType>,
    calls: Vec<AggregateCall>,
}

impl Grouping {
    pub(crate) fn new(node: &WindowAggregate) -> Self {
        let input = node.input.outputs();
        let key_types = node.group_by.iter().filter_map(|key| input.get(*key)).map(|key| key.column_type.to_arrow());
        Self { keys: node.group_by.clone(), key_types: key_types.collect(), calls: node.calls.clone() }
    }
}

/// The groups of one slice.
#[derive(Debug)]
pub(super) struct Groups {
    keys: Keys,
    accumulators: Vec<Box<dyn Accumulator>>,
    /// The ids of the rows at hand, kept for their memory.
    ids: Vec<u32>,
}

impl Groups {
    pub(super) fn new(grouping: &Grouping) -> Self {
        Self {
            keys: Keys::new(&grouping.key_types),
            accumulators: aggregate::accumulators(&grouping.calls),
            ids: Vec::new(),
        }
    }

    /// Adds rows.
    pub(super) fn add(&mut self, grouping: &Grouping, rows: &RecordBatch) {
        let keys: Vec<ArrayRef> = grouping.keys.iter().filter_map(|key| rows.columns().get(*key)).cloned().collect();
        self.number(&keys, rows.num_rows());
        for (accumulator, call) in self.accumulators.iter_mut().zip(&grouping.calls) {
            let argument = call.argument.and_then(|column| rows.columns().get(column));
            accumulator.add(argument, &self.ids, self.keys.len());
        }
    }

    /// Adds what stage 1 made of rows.
    pub(super) fn merge(&mut self, slice: &SlicePartials) {
        self.number(&slice.keys, slice.group_count);
        for (accumulator, partials) in self.accumulators.iter_mut().zip(&slice.partials) {
            accumulator.merge(partials, &self.ids, self.keys.len());
        }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys and what the aggregates hold of them.
    pub(super) fn into_partials(mut self) -> (Vec<ArrayRef>, Vec<ArrayRef>) {
        let partials = self.accumulators.iter_mut().map(|accumulator| accumulator.take_partials()).collect();
        (self.keys.into_columns(), partials)
    }

    /// The keys and the results.
    pub(super) fn finish(mut self) -> Vec<ArrayRef> {
        let results: Vec<ArrayRef> = self.accumulators.iter_mut().map(|accumulator| accumulator.finish()).collect();
        let mut columns = self.keys.into_columns();
        columns.extend(results);
        columns
    }

    fn number(&mut self, keys: &[ArrayRef], row_count: usize) {
        self.ids.clear();
        self.keys.intern(keys, row_count, &mut self.ids);
    }
}
