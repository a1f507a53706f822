//! Record values into the columns that a scan needs. What the plan does not need is skipped unparsed.
//!
//! Before: [`task`](crate::task) brings the records of a batch. Here: what a value that is no row means. After: the
//! columns go to stage 1. A failed batch leaves nothing behind.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};

use super::column::ColumnBuilder;
use super::row::{self, Malformed, Slot};
use crate::plan::Scan;
use crate::schema::JsonOptions;
use crate::task::{InputRecord, RecordError};

/// A scan's columns, and the builders that fill them.
#[derive(Debug)]
pub(crate) struct Decoder {
    names: Vec<String>,
    builders: Vec<ColumnBuilder>,
    schema: SchemaRef,
    options: JsonOptions,
}

impl Decoder {
    pub(crate) fn new(scan: &Scan, options: JsonOptions) -> Self {
        let columns: Vec<_> = scan.columns.iter().filter_map(|index| scan.table.columns.get(*index)).collect();
        // A column that is declared NOT NULL may be NULL in a record all the same; Flink does not check it here.
        let field = |column: &&crate::schema::Column| Field::new(&column.name, column.column_type.to_arrow(), true);
        Self {
            names: columns.iter().map(|column| column.name.clone()).collect(),
            builders: columns.iter().map(|column| ColumnBuilder::new(column.column_type.data_type)).collect(),
            schema: Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>())),
            options,
        }
    }

    /// The rows of a batch's records. A tombstone is no row; an array is a row for each of its elements.
    ///
    /// # Errors
    /// The first value that is no row, unless parse errors are ignored: then a field that does not parse is NULL, and a
    /// value that is no JSON object is skipped.
    pub(crate) fn decode<'a>(
        &mut self,
        records: impl Iterator<Item = InputRecord<'a>>,
    ) -> Result<RecordBatch, RecordError> {
        let mut row_count = 0;
        let decoded = self.decode_all(records, &mut row_count);
        let columns: Vec<ArrayRef> = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
        decoded?;
        let options = RecordBatchOptions::new().with_row_count(Some(row_count));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        Ok(batch.expect("every row has a value or NULL in each builder, and builders have the schema's types"))
    }

    fn decode_all<'a>(
        &mut self,
        records: impl Iterator<Item = InputRecord<'a>>,
        row_count: &mut usize,
    ) -> Result<(), RecordError> {
        let Self { names, builders, options, .. } = self;
        let mut slots: Vec<Slot<'a>> = vec![Slot::Missing; names.len()];
        for InputRecord { offset, value } in records {
            let Some(value) = value else { continue };
            let read = row::read(value, names, &mut slots, &mut |slots| {
                append(slots, names, builders, *options)?;
                *row_count += 1;
                Ok(())
            });
            match read {
                Ok(()) => {}
                Err(Malformed { field: None, .. }) if options.ignore_parse_errors => {}
                Err(malformed) => return Err(record_error(offset, value, malformed)),
            }
        }
        Ok(())
    }
}

/// Appends one row.
fn append(
    slots: &[Slot<'_>],
    names: &[String],
    builders: &mut [ColumnBuilder],
    options: JsonOptions,
) -> Result<(), Malformed> {
    for ((slot, builder), name) in slots.iter().zip(builders).zip(names) {
        let refused = match slot {
            Slot::Missing if options.fail_on_missing_field => "the field is missing".into(),
            Slot::Missing => {
                builder.append_null();
                continue;
            }
            Slot::Raw(text) => match builder.append(text) {
                Ok(()) => continue,
                Err(reason) => reason,
            },
        };
        if !options.ignore_parse_errors {
            let option = match slot {
                Slot::Missing => FAIL_ON_MISSING_FIELD,
                Slot::Raw(_) => IGNORE_PARSE_ERRORS,
            };
            return Err(Malformed { field: Some(name.clone()), reason: refused, option });
        }
        builder.append_null();
    }
    Ok(())
}

fn record_error(offset: i64, value: &[u8], malformed: Malformed) -> RecordError {
    let start = value.get(..VALUE_START_BYTES).unwrap_or(value);
    let text = String::from_utf8_lossy(start);
    let value_start = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    RecordError {
        offset,
        field: malformed.field,
        reason: malformed.reason.into_owned(),
        value_start: value_start.collect(),
        option: malformed.option,
    }
}

/// How much of a value an error shows.
const VALUE_START_BYTES: usize = 80;
/// What lets values pass that do not parse.
pub(super) const IGNORE_PARSE_ERRORS: &str = "'json.ignore-parse-errors' = 'true'";
const FAIL_ON_MISSING_FIELD: &str = "'json.fail-on-missing-field' = 'false'";

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
