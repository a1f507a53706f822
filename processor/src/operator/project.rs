//! Picks and orders columns.
//!
//! Before: results of closed windows. After: the sink's columns, for its format.

use std::sync::Arc;

use crate::plan;
use crate::types::Columns;

/// Which columns of the input go out, in order.
#[derive(Debug)]
pub(crate) struct Project {
    columns: Vec<usize>,
}

impl Project {
    pub(crate) fn new(project: &plan::Project) -> Self {
        Self { columns: project.columns.iter().map(|column| column.input).collect() }
    }

    /// The picked columns of some rows.
    pub(crate) fn on_rows(&self, columns: &Columns) -> Columns {
        let arrays = self.columns.iter().filter_map(|&column| columns.arrays.get(column)).map(Arc::clone).collect();
        Columns { arrays, rows: columns.rows }
    }
}
