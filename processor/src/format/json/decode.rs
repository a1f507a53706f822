//! Record values into columns, by a visitor made from the schema: what the plan does not need is skipped unparsed.
//!
//! Before: the [task](crate::task) has the records of a batch. Here: [`scan`](super::scan) finds the spans of the needed
//! fields, [`convert`](super::convert) reads them. After: the pre-aggregation takes the [`Columns`].

use super::convert::{ColumnBuilder, Scratch};
use super::scan::{Cursor, Span, SyntaxError};
use crate::plan::Scan;
use crate::schema::JsonOptions;
use crate::task::RecordError;
use crate::types::Columns;

/// Reads JSON records of one table.
#[derive(Debug)]
pub(crate) struct Decoder {
    options: JsonOptions,
    names: Vec<String>,
    columns: Vec<ColumnBuilder>,
    rows: usize,
    /// Where the row at hand has each column; used again for every row.
    spans: Vec<Option<Span>>,
    scratch: Scratch,
}

/// Why a value is no row, before it is known which record it was.
enum Problem {
    Syntax(SyntaxError),
    NoObject,
    Blank,
    Missing { column: usize },
    Field { column: usize, span: Span },
}

impl Decoder {
    /// For the columns that `scan` needs.
    pub(crate) fn new(scan: &Scan, options: JsonOptions) -> Self {
        let columns: Vec<_> = scan.columns.iter().filter_map(|&column| scan.table.columns.get(column)).collect();
        Self {
            options,
            names: columns.iter().map(|column| column.name.clone()).collect(),
            columns: columns.iter().map(|column| ColumnBuilder::new(column.column_type.data_type)).collect(),
            rows: 0,
            spans: vec![None; columns.len()],
            scratch: Scratch::default(),
        }
    }

    /// Appends the rows of one record: one for an object, one for each object in an array, none for a tombstone or an
    /// empty value.
    ///
    /// # Errors
    /// What is wrong with the value, unless parse errors are ignored. The decoder then holds part of the batch, which
    /// [`clear`](Self::clear) throws away.
    pub(crate) fn decode(&mut self, offset: i64, value: Option<&[u8]>) -> Result<(), RecordError> {
        let value = value.unwrap_or_default();
        if value.is_empty() {
            return Ok(());
        }
        match self.rows_of(value) {
            Err(problem) if !self.options.ignore_parse_errors => Err(self.error(&problem, offset, value)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether the columns hold as much as may go on in one piece.
    pub(crate) fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.columns.iter().any(|column| column.variable_bytes() >= COLUMN_BYTES_MAX)
    }

    /// The rows so far; the decoder is empty again.
    pub(crate) fn finish(&mut self) -> Columns {
        let arrays = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        Columns { arrays, rows: std::mem::take(&mut self.rows) }
    }

    /// Throws away the rows so far.
    pub(crate) fn clear(&mut self) {
        self.finish();
    }

    fn rows_of(&mut self, value: &[u8]) -> Result<(), Problem> {
        let mut cursor = Cursor::new(value);
        match cursor.peek() {
            // What follows the object or the array is never looked at, as in Flink.
            Some(b'{') => self.object(&mut cursor, value),
            Some(b'[') => self.array(&mut cursor, value),
            Some(_) => Err(Problem::NoObject),
            None => Err(Problem::Blank),
        }
    }

    fn array(&mut self, cursor: &mut Cursor<'_>, value: &[u8]) -> Result<(), Problem> {
        cursor.take(b'[');
        if cursor.take(b']') {
            return Ok(());
        }
        loop {
            if cursor.peek() == Some(b'{') {
                self.object(cursor, value)?;
            } else {
                cursor.value().map_err(Problem::Syntax)?;
                if !self.options.ignore_parse_errors {
                    return Err(Problem::NoObject);
                }
            }
            if cursor.take(b']') {
                return Ok(());
            }
            if !cursor.take(b',') {
                return Err(Problem::Syntax(cursor.expected("`,` or `]`")));
            }
        }
    }

    fn object(&mut self, cursor: &mut Cursor<'_>, value: &[u8]) -> Result<(), Problem> {
        self.spans.fill(None);
        cursor.take(b'{');
        if !cursor.take(b'}') {
            // Fields mostly come in the order of the columns.
            let mut likely = 0;
            loop {
                let key = cursor.key().map_err(Problem::Syntax)?;
                let column = self.column(key, value, likely);
                let span = cursor.value().map_err(Problem::Syntax)?;
                if let Some(column) = column
                    && let Some(slot) = self.spans.get_mut(column)
                {
                    // The last of several wins.
                    *slot = Some(span);
                    likely = column + 1;
                }
                if cursor.take(b'}') {
                    break;
                }
                if !cursor.take(b',') {
                    return Err(Problem::Syntax(cursor.expected("`,` or `}`")));
                }
            }
        }
        self.row(value)
    }

    /// The column of this name, if the plan needs it.
    fn column(&mut self, key: Span, value: &[u8], likely: usize) -> Option<usize> {
        let raw = key.of(value);
        if self.names.get(likely).is_some_and(|name| name.as_bytes() == raw) {
            return Some(likely);
        }
        let name = if raw.contains(&b'\\') { self.scratch.unescape(key, value)?.as_bytes() } else { raw };
        self.names.iter().position(|column| column.as_bytes() == name)
    }

    fn row(&mut self, value: &[u8]) -> Result<(), Problem> {
        if self.options.fail_on_missing_field
            && let Some(column) = self.spans.iter().position(Option::is_none)
        {
            return Err(Problem::Missing { column });
        }
        for (column, (builder, span)) in self.columns.iter_mut().zip(&self.spans).enumerate() {
            let Some(span) = *span else {
                builder.append_null();
                continue;
            };
            if builder.append(span, value, &mut self.scratch).is_none() {
                if !self.options.ignore_parse_errors {
                    return Err(Problem::Field { column, span });
                }
                builder.append_null();
            }
        }
        self.rows += 1;
        Ok(())
    }

    #[cold]
    fn error(&self, problem: &Problem, offset: i64, value: &[u8]) -> RecordError {
        let name = |column: &usize| self.names.get(*column).cloned();
        let (field, reason, option) = match problem {
            Problem::Syntax(SyntaxError { expected, at }) => {
                (None, format!("it is not JSON: expected {expected} at byte {at}"), IGNORE)
            }
            Problem::NoObject => (None, "it is neither a JSON object nor an array of objects".to_owned(), IGNORE),
            Problem::Blank => (None, "it is blank".to_owned(), IGNORE),
            Problem::Missing { column } => (name(column), "it is missing".to_owned(), NOT_MISSING),
            Problem::Field { column, span } => {
                let data_type = self.columns.get(*column).map(|column| column.data_type().to_string());
                let written = start_of(value.get(written(*span)).unwrap_or_default());
                let reason = format!("{written} is not a {}, or out of its range", data_type.unwrap_or_default());
                (name(column), reason, IGNORE)
            }
        };
        RecordError { offset, field, reason, value_start: start_of(value), option }
    }
}

/// A span with the quotes around it.
fn written(span: Span) -> std::ops::Range<usize> {
    if span.is_string() { span.start.saturating_sub(1)..span.end + 1 } else { span.start..span.end }
}

/// The first characters of what may not be text.
fn start_of(value: &[u8]) -> String {
    // No character has more than four bytes.
    let start = value.get(..value.len().min(4 * CHARACTERS_MAX)).unwrap_or_default();
    String::from_utf8_lossy(start).chars().take(CHARACTERS_MAX).collect()
}

/// Enough that work per piece does not count, and few enough that a piece stays in the cache.
const ROWS_MAX: usize = 8192;
/// Far from the 2 GiB of an Arrow array, whatever the next record adds.
const COLUMN_BYTES_MAX: usize = 64 * 1024 * 1024;
const CHARACTERS_MAX: usize = 80;
const IGNORE: &str = "'json.ignore-parse-errors' = 'true'";
const NOT_MISSING: &str = "'json.fail-on-missing-field' = 'false'";

#[cfg(test)]
mod tests;
