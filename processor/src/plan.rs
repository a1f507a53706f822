//! What to compute, as a tree of typed operators; prints itself for `tidemill explain`.
//!
//! Before: `sql/bind` resolves names and types into this tree. After: `task` builds one operator per node. Columns are
//! addressed by index into the output of the node below, so nothing after this file looks up a name.

use std::fmt;
use std::sync::Arc;

use crate::schema::{BoundedMode, Format, StartupMode, Table};
use crate::sql::{self, Settings, SqlError};
use crate::types::{ColumnType, DataType};

/// Everything that a SQL file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// One pipeline for each INSERT, in the order of the text.
    pub pipelines: Vec<Pipeline>,
    /// `table.local-time-zone`: the zone of window bounds on processing time. `None` is the machine's own zone.
    pub local_time_zone: Option<String>,
}

/// One INSERT INTO: rows flow from the scan at the bottom of `root` into the sink.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pipeline {
    /// The table written to.
    pub sink: Arc<Table>,
    /// What is written. Its outputs are the sink's physical columns, by position and with equal types.
    pub root: Node,
}

impl Pipeline {
    /// The scan at the bottom of the tree.
    pub fn scan(&self) -> &Scan {
        self.root.scan()
    }
}

/// An operator with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Node {
    /// Reads a table.
    Scan(Scan),
    /// Groups rows by window and keys, and folds each group.
    WindowAggregate(WindowAggregate),
    /// Picks, orders and renames columns.
    Project(Project),
}

/// Reads the needed columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scan {
    /// The table read.
    pub table: Arc<Table>,
    /// The columns read: indices into [`Table::columns`], physical ones only, ascending. What is not listed is never
    /// parsed; the list is empty where only the number of rows matters.
    pub columns: Vec<usize>,
}

/// Groups rows by window and keys, and folds each group when its window closes.
/// Outputs in this order: keys, calls, `window_start`, `window_end`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WindowAggregate {
    /// Where rows come from.
    pub input: Box<Node>,
    /// How time is cut.
    pub window: Window,
    /// Which time is cut.
    pub time: TimeAttribute,
    /// The keys: columns of the input. Empty means one group for each window.
    pub group_by: Vec<usize>,
    /// The aggregates.
    pub calls: Vec<AggregateCall>,
}

impl WindowAggregate {
    /// Where `window_start` stands in the outputs; `window_end` follows it.
    pub fn window_start_index(&self) -> usize {
        self.group_by.len() + self.calls.len()
    }

    fn heading(&self) -> String {
        let TimeAttribute::Processing { column } = &self.time;
        format!("WindowAggregate: {} on {column} (processing time)", self.window)
    }

    fn details(&self) -> Vec<String> {
        let input = self.input.outputs();
        let keys: Vec<_> = self.group_by.iter().map(|&key| input[key].clone()).collect();
        let keys = format!("keys: {}", list(&keys));
        let calls = self.calls.iter().map(|call| {
            let argument = call.argument.map_or("*", |column| &input[column].name);
            format!("{}: {}({argument}) {}", call.name, call.function.name(), call.output_type())
        });
        std::iter::once(keys).chain(calls).collect()
    }

    fn outputs(&self) -> Vec<Output> {
        let input = self.input.outputs();
        let keys = self.group_by.iter().map(|&column| input[column].clone());
        let calls = self.calls.iter().map(|call| Output { name: call.name.clone(), column_type: call.output_type() });
        let bounds = ["window_start", "window_end"]
            .map(|name| Output { name: name.to_owned(), column_type: ColumnType::not_null(DataType::Timestamp(3)) });
        keys.chain(calls).chain(bounds).collect()
    }
}

/// How time is cut into windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Window {
    /// Windows of one size that follow each other: `start = t - floorMod(t - offset, size)`.
    Tumble {
        /// Length in milliseconds, above 0.
        size_ms: i64,
        /// Shift of the windows' starts in milliseconds; its magnitude is below the size.
        offset_ms: i64,
    },
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tumble { size_ms, offset_ms: 0 } => write!(f, "TUMBLE(size {})", Millis(*size_ms)),
            Self::Tumble { size_ms, offset_ms } => {
                write!(f, "TUMBLE(size {}, offset {})", Millis(*size_ms), Millis(*offset_ms))
            }
        }
    }
}

/// Which time a window cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeAttribute {
    /// The clock, read when a row is processed.
    Processing {
        /// The name of the column `AS PROCTIME()`, for humans.
        column: String,
    },
}

/// One aggregate function over one argument.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AggregateCall {
    /// What is computed.
    pub function: AggregateFunction,
    /// The column of the input whose non-NULL values are folded; `None` is `*`: every row.
    pub argument: Option<usize>,
    /// The name of the output.
    pub name: String,
}

impl AggregateCall {
    /// The type of the result.
    pub fn output_type(&self) -> ColumnType {
        match self.function {
            AggregateFunction::Count => ColumnType::not_null(DataType::BigInt),
        }
    }
}

/// An aggregate function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AggregateFunction {
    /// `COUNT(column)` or `COUNT(*)`: `BIGINT NOT NULL`.
    Count,
}

impl AggregateFunction {
    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "COUNT",
        }
    }
}

/// Picks, orders and renames columns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Project {
    /// Where rows come from.
    pub input: Box<Node>,
    /// What goes out, in order.
    pub columns: Vec<ProjectColumn>,
}

impl Project {
    fn details(&self) -> String {
        let input = self.input.outputs();
        let picked = self.columns.iter().map(|column| {
            let from = &input[column.input];
            let renamed = if from.name == column.name { String::new() } else { format!(" AS {}", column.name) };
            format!("{}{renamed} {}", from.name, from.column_type)
        });
        picked.collect::<Vec<_>>().join(", ")
    }
}

/// One output of a [`Project`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProjectColumn {
    /// The column of the input.
    pub input: usize,
    /// Its name from here on.
    pub name: String,
}

/// A named and typed column that a node puts out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// The name.
    pub name: String,
    /// The type.
    pub column_type: ColumnType,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.column_type)
    }
}

impl Node {
    /// The columns that come out of this node, in order.
    pub fn outputs(&self) -> Vec<Output> {
        match self {
            Self::Scan(scan) => scan.outputs(),
            Self::WindowAggregate(aggregate) => aggregate.outputs(),
            Self::Project(project) => {
                let input = project.input.outputs();
                let output = |column: &ProjectColumn| Output {
                    name: column.name.clone(),
                    column_type: input[column.input].column_type,
                };
                project.columns.iter().map(output).collect()
            }
        }
    }

    /// The scan at the bottom.
    pub fn scan(&self) -> &Scan {
        match self {
            Self::Scan(scan) => scan,
            Self::WindowAggregate(aggregate) => aggregate.input.scan(),
            Self::Project(project) => project.input.scan(),
        }
    }

    /// This node and everything below it: a heading, its details one step further in, then its input.
    fn fmt_at(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = "   ".repeat(depth);
        let (heading, details, input) = match self {
            Self::Scan(scan) => (scan.heading(), vec![list(&scan.outputs())], None),
            Self::WindowAggregate(aggregate) => (aggregate.heading(), aggregate.details(), Some(&aggregate.input)),
            Self::Project(project) => ("Project".to_owned(), vec![project.details()], Some(&project.input)),
        };
        writeln!(f, "{indent}└─ {heading}")?;
        for detail in details {
            writeln!(f, "{indent}      {detail}")?;
        }
        input.map_or(Ok(()), |input| input.fmt_at(f, depth + 1))
    }
}

impl Scan {
    fn heading(&self) -> String {
        let options = &self.table.options;
        let start = match options.startup {
            StartupMode::GroupOffsets => "the group's offsets",
            StartupMode::EarliestOffset => "earliest",
            StartupMode::LatestOffset => "latest",
        };
        let end = match options.bounded {
            BoundedMode::Unbounded => "",
            BoundedMode::LatestOffset => " to the end at start-up",
        };
        let (name, format) = (&self.table.name, format_name(&options.format));
        format!("Scan {name}: kafka topic {}, {format}, from {start}{end}", options.topic)
    }

    fn outputs(&self) -> Vec<Output> {
        let output = |&column: &usize| {
            let column = &self.table.columns[column];
            Output { name: column.name.clone(), column_type: column.column_type }
        };
        self.columns.iter().map(output).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pipeline) in self.pipelines.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let Table { name, options, .. } = &*pipeline.sink;
            writeln!(f, "Insert into {name}: kafka topic {}, {}", options.topic, format_name(&options.format))?;
            let columns: Vec<_> = pipeline
                .sink
                .physical_columns()
                .map(|(_, column)| Output { name: column.name.clone(), column_type: column.column_type })
                .collect();
            writeln!(f, "      {}", list(&columns))?;
            pipeline.root.fmt_at(f, 0)?;
        }
        Ok(())
    }
}

fn list(outputs: &[Output]) -> String {
    match outputs {
        [] => "no column".to_owned(),
        _ => outputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn format_name(format: &Format) -> &'static str {
    match format {
        Format::Json(_) => "json",
    }
}

/// Milliseconds in the largest unit that divides them.
struct Millis(i64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
        match units.into_iter().find(|(unit, _)| self.0 % unit == 0) {
            Some((unit, name)) => write!(f, "{} {name}", self.0 / unit),
            None => write!(f, "{} ms", self.0),
        }
    }
}

impl Plan {
    /// Plans a SQL text with default settings; see [`plan_script`](crate::sql::plan_script).
    ///
    /// # Errors
    /// The first thing in the text that is wrong or not supported yet, with its place.
    pub fn from_sql(text: &str) -> Result<Self, SqlError> {
        sql::plan_script(text, &Settings::default())
    }
}
