//! SELECT over a window function into a [`WindowAggregate`]: every name becomes an index, with Flink's types.
//!
//! Before: [`bind_insert`](super). After: the sink's columns are compared with what comes out.

use std::ops::Range;
use std::sync::Arc;

use super::super::error::{SqlError, shorten};
use super::super::parse::{Argument, ColumnReference, Expression, Select, SelectItem, Text, WindowFunction};
use super::Tables;
use crate::plan::{
    AggregateCall, AggregateFunction, Node, ProjectColumn, Scan, TimeAttribute, Window, WindowAggregate,
};
use crate::schema::{ColumnKind, StartupMode, Table};

/// A typed SELECT: what is computed, and which of its outputs are selected, with the place of each in the text.
#[derive(Debug)]
pub(super) struct BoundSelect {
    pub(super) aggregate: Node,
    pub(super) columns: Vec<(ProjectColumn, Range<usize>)>,
}

pub(super) fn bind(select: Select, tables: &Tables) -> Result<BoundSelect, SqlError> {
    let table = tables.find(&select.window.table)?;
    check_source(table, &select.window.table)?;
    let scope = Scope { table, alias: select.table_alias.as_ref() };
    let time = time_attribute(&scope, &select.window.time_column)?;
    let window = tumble(&select.window)?;
    let keys = group_by(&scope, &select)?;

    // Everything the aggregate outputs: keys, then calls, then the window's bounds.
    let calls = calls(&scope, &select.items)?;
    let bounds = keys.len() + calls.len();
    let mut next_call = keys.len();
    let mut columns = Vec::with_capacity(select.items.len());
    for item in &select.items {
        let (input, name, span) = match &item.expression {
            Expression::Count { span, .. } => {
                next_call += 1;
                (next_call - 1, calls[next_call - 1 - keys.len()].name.clone(), span.clone())
            }
            Expression::Column(reference) => {
                let input = match scope.resolve(reference)? {
                    Resolved::WindowStart => bounds,
                    Resolved::WindowEnd => bounds + 1,
                    Resolved::Column(column) => keys.iter().position(|key| *key == column).ok_or_else(|| {
                        let name = shorten(&reference.name.value);
                        SqlError::new(format!("column {name} must stand in GROUP BY or in COUNT"), reference.span())
                            .help(format!(
                                "add {name} to GROUP BY to get a row for each of its values, or select COUNT({name})"
                            ))
                    })?,
                };
                let name = item.alias.as_ref().map_or(&reference.name.value, |alias| &alias.value);
                (input, name.clone(), reference.span())
            }
        };
        columns.push((ProjectColumn { input, name }, span));
    }

    let node = push_down(table, window, time, &keys, calls);
    Ok(BoundSelect { aggregate: node, columns })
}

/// The aggregate over a scan of only those columns that it needs.
fn push_down(
    table: &Arc<Table>,
    window: Window,
    time: TimeAttribute,
    keys: &[usize],
    mut calls: Vec<AggregateCall>,
) -> Node {
    let mut needed: Vec<usize> = keys.iter().copied().chain(calls.iter().filter_map(|call| call.argument)).collect();
    needed.sort_unstable();
    needed.dedup();
    let position = |column: usize| needed.iter().position(|&other| other == column).unwrap_or_default();
    let group_by = keys.iter().map(|&key| position(key)).collect();
    for call in &mut calls {
        call.argument = call.argument.map(position);
    }
    let scan = Node::Scan(Scan { table: Arc::clone(table), columns: needed });
    Node::WindowAggregate(WindowAggregate { input: Box::new(scan), window, time, group_by, calls })
}

fn check_source(table: &Table, name: &Text) -> Result<(), SqlError> {
    let bounds = ["window_start", "window_end", "window_time"];
    if let Some(column) = table.columns.iter().find(|column| bounds.contains(&column.name.as_str())) {
        let message = format!("table {} has a column {} of its own", shorten(&table.name), column.name);
        return Err(SqlError::new(message, name.span.clone()).help("TUMBLE adds a column of this name: rename one"));
    }
    let grouped = table.options.properties.contains_key("group.id");
    if table.options.startup == StartupMode::GroupOffsets && !grouped {
        let message = format!("table {} starts at a group's offsets, but names no group", shorten(&table.name));
        return Err(SqlError::new(message, name.span.clone())
            .help("add 'properties.group.id' to its WITH, or 'scan.startup.mode' = 'earliest-offset'"));
    }
    Ok(())
}

/// What a name can mean in this SELECT.
struct Scope<'a> {
    table: &'a Table,
    alias: Option<&'a Text>,
}

enum Resolved {
    /// An index into the table's columns.
    Column(usize),
    WindowStart,
    WindowEnd,
}

impl Scope<'_> {
    fn resolve(&self, reference: &ColumnReference) -> Result<Resolved, SqlError> {
        if let Some(qualifier) = &reference.qualifier
            && self.alias.is_none_or(|alias| alias.value != qualifier.value)
        {
            let message = format!("unknown table {} in front of a column", shorten(&qualifier.value));
            let error = SqlError::new(message, qualifier.span.clone());
            return Err(match self.alias {
                Some(alias) => error.suggest(&qualifier.value, [alias.value.as_str()]),
                None => error.help("a window function has no name of its own: leave it out, or give one with AS"),
            });
        }
        let name = &reference.name;
        match name.value.as_str() {
            "window_start" => return Ok(Resolved::WindowStart),
            "window_end" => return Ok(Resolved::WindowEnd),
            "window_time" => return Err(SqlError::new("window_time is not supported yet", name.span.clone())),
            _ => {}
        }
        let Some((index, column)) = self.table.column(&name.value) else {
            let table = shorten(&self.table.name);
            let error =
                SqlError::new(format!("unknown column {} in table {table}", shorten(&name.value)), name.span.clone());
            let own = self.table.columns.iter().map(|column| column.name.as_str());
            return Err(error.suggest(&name.value, own.chain(["window_start", "window_end"])));
        };
        if column.kind == ColumnKind::ProcessingTime {
            let message = format!("column {} cannot be read as a value yet", shorten(&column.name));
            return Err(SqlError::new(message, name.span.clone()).help("it can be the time column of a window"));
        }
        Ok(Resolved::Column(index))
    }
}

impl ColumnReference {
    fn span(&self) -> Range<usize> {
        let start = self.qualifier.as_ref().map_or(self.name.span.start, |qualifier| qualifier.span.start);
        start..self.name.span.end
    }
}

fn time_attribute(scope: &Scope<'_>, name: &Text) -> Result<TimeAttribute, SqlError> {
    let table = shorten(&scope.table.name);
    let Some((_, column)) = scope.table.column(&name.value) else {
        let error =
            SqlError::new(format!("unknown column {} in table {table}", shorten(&name.value)), name.span.clone());
        return Err(error.suggest(&name.value, scope.table.columns.iter().map(|column| column.name.as_str())));
    };
    match column.kind {
        ColumnKind::ProcessingTime => Ok(TimeAttribute::Processing { column: column.name.clone() }),
        ColumnKind::Physical => {
            let message =
                format!("column {} ({}) is not a time that windows can cut", shorten(&column.name), column.column_type);
            Err(SqlError::new(message, name.span.clone())
                .help(format!("declare `proctime AS PROCTIME()` in {table}; event time is not supported yet")))
        }
    }
}

fn tumble(function: &WindowFunction) -> Result<Window, SqlError> {
    let size_ms = function.size.millis;
    if size_ms <= 0 {
        return Err(SqlError::new("a window's size must be above zero", function.size.span.clone()));
    }
    let offset_ms = function.offset.as_ref().map_or(0, |offset| offset.millis);
    if offset_ms.unsigned_abs() >= size_ms.unsigned_abs() {
        let span = function.offset.as_ref().unwrap_or(&function.size).span.clone();
        let message = format!("the offset ({offset_ms} ms) must be smaller than the window's size ({size_ms} ms)");
        return Err(SqlError::new(message, span));
    }
    Ok(Window::Tumble { size_ms, offset_ms })
}

/// The keys: indices into the table's columns, each once.
fn group_by(scope: &Scope<'_>, select: &Select) -> Result<Vec<usize>, SqlError> {
    let (mut keys, mut has_start, mut has_end) = (Vec::new(), false, false);
    for reference in &select.group_by {
        match scope.resolve(reference)? {
            Resolved::WindowStart => has_start = true,
            Resolved::WindowEnd => has_end = true,
            Resolved::Column(column) if keys.contains(&column) => {}
            Resolved::Column(column) => keys.push(column),
        }
    }
    let missing = match (has_start, has_end) {
        (true, true) => return Ok(keys),
        (false, true) => "window_start",
        (true, false) => "window_end",
        (false, false) => "window_start, window_end",
    };
    let span = match (select.group_by.first(), select.group_by.last()) {
        (Some(first), Some(last)) => first.span().start..last.span().end,
        _ => select.span.end..select.span.end,
    };
    let place = if select.group_by.is_empty() { "add GROUP BY" } else { "add to GROUP BY:" };
    Err(SqlError::new("a windowed SELECT must group by window_start and window_end", span)
        .label(format!("{place} {missing}"))
        .help("without both, Flink plans a result that is updated row by row, which a kafka table cannot take"))
}

fn calls(scope: &Scope<'_>, items: &[SelectItem]) -> Result<Vec<AggregateCall>, SqlError> {
    let mut calls = Vec::new();
    for (position, item) in items.iter().enumerate() {
        let Expression::Count { argument, .. } = &item.expression else { continue };
        let argument = match argument {
            Argument::EveryRow => None,
            Argument::Column(reference) => match scope.resolve(reference)? {
                Resolved::Column(column) => Some(column),
                // The window's bounds are never NULL.
                Resolved::WindowStart | Resolved::WindowEnd => None,
            },
        };
        // Flink's name for a column without an alias.
        let name = item.alias.as_ref().map_or_else(|| format!("EXPR${position}"), |alias| alias.value.clone());
        calls.push(AggregateCall { function: AggregateFunction::Count, argument, name });
    }
    Ok(calls)
}
