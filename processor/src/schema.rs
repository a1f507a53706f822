//! What a table is: its columns, its topic, and how rows are written in records.
//!
//! Before: `sql/bind` builds tables from CREATE TABLE. After: the [`plan`](crate::plan) shares them, the formats read
//! [`JsonOptions`], and the driver gives `properties` to the client as they are.

use tidemill_client::Properties;

use crate::types::ColumnType;

/// A table: a view of a topic as rows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// The name, case kept.
    pub name: String,
    /// The columns in the order of their declaration.
    pub columns: Vec<Column>,
    /// Where the rows are and how they are written.
    pub options: TableOptions,
}

impl Table {
    /// The index and the column of this name; case matters, as in Flink.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name == name)
    }

    /// The columns that stand in the records, with their index in [`columns`](Self::columns).
    pub fn physical_columns(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.kind == ColumnKind::Physical)
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// The name, case kept; also the field's name in JSON.
    pub name: String,
    /// What it holds.
    pub column_type: ColumnType,
    /// Where its values come from.
    pub kind: ColumnKind,
}

/// Where the values of a column come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnKind {
    /// From the record: it is read and written by the format.
    Physical,
    /// `AS PROCTIME()`: the time at which the row is processed. Never read nor written.
    ProcessingTime,
}

/// The typed form of a table's `WITH (...)`, for the `kafka` connector.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableOptions {
    /// `topic`
    pub topic: String,
    /// `properties.*`, without the prefix: the client's configuration, passed on as it is.
    pub properties: Properties,
    /// `scan.startup.mode`
    pub startup: StartupMode,
    /// `scan.bounded.mode`
    pub bounded: BoundedMode,
    /// `format` or `value.format`, with its options.
    pub format: Format,
}

/// Where reading starts on the first run of a group (`scan.startup.mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartupMode {
    /// At the group's committed offsets; where there are none, `properties.auto.offset.reset` decides.
    #[default]
    GroupOffsets,
    /// At the first record of each partition.
    EarliestOffset,
    /// At the end of each partition: only what is written later is read.
    LatestOffset,
}

/// Where reading ends (`scan.bounded.mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundedMode {
    /// Never.
    #[default]
    Unbounded,
    /// At the end that each partition has when the job starts.
    LatestOffset,
}

/// How rows are written in record values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object per record.
    Json(JsonOptions),
}

/// Options of the `json` format; the defaults are Flink's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonOptions {
    /// `json.fail-on-missing-field`: a missing field ends the job; otherwise it reads as NULL. Default false.
    pub fail_on_missing_field: bool,
    /// `json.ignore-parse-errors`: a field that does not parse reads as NULL, a record that is no JSON is skipped;
    /// otherwise either ends the job. Default false.
    pub ignore_parse_errors: bool,
    /// `json.encode.ignore-null-fields`: NULL columns are left out instead of written as `null`. Default false.
    pub encode_ignore_null_fields: bool,
}
