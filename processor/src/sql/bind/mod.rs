//! Statements into a plan: which tables there are, and what each INSERT reads and writes.
//!
//! Before: `sql/parse`. Here: [`options`] types a table's WITH, [`query`] types a SELECT. After: [`crate::plan`].

mod options;
mod query;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{SqlError, shorten};
use super::parse::{CreateTable, Insert, Statement, Text};
use super::settings::Settings;
use crate::plan::{Node, Pipeline, Plan, Project};
use crate::schema::{Column, ColumnKind, Table};
use crate::types::{ColumnType, DataType};

/// Plans statements in their order; `end` is the end of the text.
pub(super) fn bind(statements: Vec<Statement>, settings: &Settings, end: usize) -> Result<Plan, SqlError> {
    let mut in_text = Settings::default();
    let mut tables = Tables::default();
    let mut pipelines = Vec::new();
    for statement in statements {
        match statement {
            Statement::CreateTable(create) => tables.create(create, settings)?,
            Statement::Insert(insert) => pipelines.push(bind_insert(*insert, &tables)?),
            Statement::Set { key, value } => in_text
                .set_statement(&key.value, &value.value)
                .map_err(|message| SqlError::new(message, key.span.start..value.span.end))?,
        }
    }
    if pipelines.is_empty() {
        return Err(SqlError::new("there is nothing to run: the file has no INSERT INTO", end..end));
    }
    Ok(Plan { pipelines, local_time_zone: settings.local_time_zone.clone().or(in_text.local_time_zone) })
}

/// The tables created so far.
#[derive(Debug, Default)]
struct Tables(BTreeMap<String, Arc<Table>>);

impl Tables {
    fn create(&mut self, create: CreateTable, settings: &Settings) -> Result<(), SqlError> {
        let name = create.name;
        if self.0.contains_key(&name.value) {
            if create.if_not_exists {
                return Ok(());
            }
            return Err(SqlError::new(format!("table {} exists already", shorten(&name.value)), name.span));
        }
        let mut columns: Vec<Column> = Vec::with_capacity(create.columns.len());
        for definition in create.columns {
            if columns.iter().any(|column| column.name == definition.name.value) {
                let message = format!("column {} is declared twice", shorten(&definition.name.value));
                return Err(SqlError::new(message, definition.name.span));
            }
            columns.push(Column {
                name: definition.name.value,
                column_type: definition.column_type.unwrap_or(ColumnType::not_null(DataType::TimestampLtz(3))),
                kind: match definition.column_type {
                    Some(_) => ColumnKind::Physical,
                    None => ColumnKind::ProcessingTime,
                },
            });
        }
        if columns.iter().all(|column| column.kind != ColumnKind::Physical) {
            let message = format!("table {} has no column that stands in its records", shorten(&name.value));
            return Err(SqlError::new(message, name.span));
        }
        let options = options::bind(create.options, &name, settings)?;
        self.0.insert(name.value.clone(), Arc::new(Table { name: name.value, columns, options }));
        Ok(())
    }

    fn find(&self, name: &Text) -> Result<&Arc<Table>, SqlError> {
        self.0.get(&name.value).ok_or_else(|| {
            let error = SqlError::new(format!("unknown table {}", shorten(&name.value)), name.span.clone());
            if self.0.is_empty() {
                return error.help("no CREATE TABLE stands before this statement");
            }
            error.suggest(&name.value, self.0.keys().map(String::as_str))
        })
    }
}

fn bind_insert(insert: Insert, tables: &Tables) -> Result<Pipeline, SqlError> {
    let sink = Arc::clone(tables.find(&insert.table)?);
    let select_span = insert.select.span.clone();
    let bound = query::bind(insert.select, tables)?;
    let targets = targets(&insert.columns, &sink)?;
    if targets.len() != bound.columns.len() {
        let (wanted, given) = (targets.len(), bound.columns.len());
        let names: Vec<_> = targets.iter().map(|&target| shorten(&sink.columns[target].name)).collect();
        let message = format!("table {} takes {wanted} columns, SELECT gives {given}", shorten(&sink.name));
        return Err(SqlError::new(message, select_span).help(format!("by position: {}", listed(&names))));
    }
    let outputs = bound.aggregate.outputs();
    let mut columns: Vec<_> = targets.into_iter().zip(bound.columns).collect();
    for (target, (column, span)) in &columns {
        let sink_column = &sink.columns[*target];
        let (from, into) = (outputs[column.input].column_type, sink_column.column_type);
        if from.data_type != into.data_type {
            let name = shorten(&sink_column.name);
            return Err(SqlError::new(format!("column {name} takes {into}, SELECT gives {from}"), span.clone()).help(
                format!("declare {name} as {} in table {}; casts are not supported yet", from.data_type, sink.name),
            ));
        }
        if from.nullable && !into.nullable {
            let name = shorten(&sink_column.name);
            let message = format!("column {name} is {into}, but what SELECT gives it may be NULL");
            return Err(SqlError::new(message, span.clone())
                .help("Flink checks such columns row by row; that is not supported yet: drop NOT NULL in the sink"));
        }
    }
    // With a column list the values come in the list's order, and the sink's order is what is written.
    columns.sort_by_key(|(target, _)| *target);
    let columns = columns.into_iter().map(|(_, (column, _))| column).collect();
    Ok(Pipeline { sink, root: Node::Project(Project { input: Box::new(bound.aggregate), columns }) })
}

/// Which columns of the sink the values of SELECT go to, in the order of SELECT.
fn targets(listed_columns: &[Text], sink: &Table) -> Result<Vec<usize>, SqlError> {
    let physical: Vec<usize> = sink.physical_columns().map(|(index, _)| index).collect();
    let Some(last) = listed_columns.last() else { return Ok(physical) };
    let mut targets = Vec::with_capacity(listed_columns.len());
    for name in listed_columns {
        let known = sink.column(&name.value).filter(|(index, _)| physical.contains(index));
        let Some((target, _)) = known else {
            let message = format!("table {} has no column {} to write", shorten(&sink.name), shorten(&name.value));
            let names = physical.iter().map(|&index| sink.columns[index].name.as_str());
            return Err(SqlError::new(message, name.span.clone()).suggest(&name.value, names));
        };
        if targets.contains(&target) {
            return Err(SqlError::new(format!("column {} is listed twice", shorten(&name.value)), name.span.clone()));
        }
        targets.push(target);
    }
    if let Some(&missing) = physical.iter().find(|index| !targets.contains(index)) {
        let missing = shorten(&sink.columns[missing].name);
        return Err(SqlError::new(format!("the list leaves out column {missing}"), last.span.clone())
            .help("filling columns with NULL is not supported yet: list and select them all"));
    }
    Ok(targets)
}

fn listed(names: &[String]) -> String {
    const LISTED_MAX: usize = 12;
    match names.get(..LISTED_MAX) {
        Some(first) if names.len() > LISTED_MAX => {
            format!("{} and {} more", first.join(", "), names.len() - LISTED_MAX)
        }
        Some(_) | None => names.join(", "),
    }
}
