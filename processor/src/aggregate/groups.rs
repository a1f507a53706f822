//! The groups of one slice: their keys, and an accumulator for each aggregate.
//!
//! Before: stage 1 adds rows, stage 2 merges partials. After: stage 1 takes the groups as [`Partials`], stage 2 as
//! results when the window closes.

use crate::aggregate::keys::Keys;
use crate::aggregate::{Accumulator, accumulator};
use crate::partials::Partials;
use crate::plan::{AggregateCall, WindowAggregate};
use crate::types::{Columns, DataType};

/// What is grouped by and computed; the same for every slice.
#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    /// The key columns of the input.
    group_by: Vec<usize>,
    key_types: Vec<DataType>,
    calls: Vec<AggregateCall>,
}

impl Grouping {
    pub(crate) fn new(aggregate: &WindowAggregate) -> Self {
        let input = aggregate.input.outputs();
        let key_types = aggregate.group_by.iter().filter_map(|&key| input.get(key));
        Self {
            group_by: aggregate.group_by.clone(),
            key_types: key_types.map(|key| key.column_type.data_type).collect(),
            calls: aggregate.calls.clone(),
        }
    }

    /// No group yet.
    pub(crate) fn groups(&self) -> Groups {
        Groups {
            keys: Keys::new(&self.key_types),
            accumulators: self.calls.iter().map(accumulator).collect(),
            ids: Vec::new(),
        }
    }
}

/// The groups of one slice.
#[derive(Debug)]
pub(crate) struct Groups {
    keys: Keys,
    accumulators: Vec<Box<dyn Accumulator>>,
    /// The group of each row at hand; used again for every call.
    ids: Vec<usize>,
}

impl Groups {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Adds rows of the input.
    pub(crate) fn add(&mut self, grouping: &Grouping, columns: &Columns) {
        let keys: Vec<_> = grouping.group_by.iter().filter_map(|&key| columns.arrays.get(key)).collect();
        self.keys.intern(&keys, columns.rows, &mut self.ids);
        for (accumulator, call) in self.accumulators.iter_mut().zip(&grouping.calls) {
            accumulator.resize(self.keys.len());
            accumulator.add(call.argument.and_then(|column| columns.arrays.get(column)), &self.ids);
        }
    }

    /// Adds groups that were taken elsewhere.
    pub(crate) fn merge(&mut self, partials: &Partials) {
        let keys: Vec<_> = partials.keys.iter().collect();
        self.keys.intern(&keys, partials.groups, &mut self.ids);
        for (accumulator, state) in self.accumulators.iter_mut().zip(&partials.states) {
            accumulator.resize(self.keys.len());
            accumulator.merge(state, &self.ids);
        }
    }

    /// All groups as partials, in pieces.
    pub(crate) fn partials(&self) -> Vec<Partials> {
        let piece = |groups: std::ops::Range<usize>| Partials {
            groups: groups.len(),
            keys: self.keys.columns(groups.clone()),
            states: self.accumulators.iter().map(|accumulator| accumulator.state(groups.clone())).collect(),
        };
        self.pieces().map(piece).collect()
    }

    /// All groups as results, in pieces: key columns, then a column per aggregate; in the order of their first row.
    pub(crate) fn results(&self) -> impl Iterator<Item = Columns> {
        self.pieces().map(|groups| {
            let mut arrays = self.keys.columns(groups.clone());
            arrays.extend(self.accumulators.iter().map(|accumulator| accumulator.finish(groups.clone())));
            Columns { arrays, rows: groups.len() }
        })
    }

    fn pieces(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let piece = self.keys.piece(next);
            next = piece.end;
            (!piece.is_empty()).then_some(piece)
        })
    }
}
