//! Text into statements: what was written, with the bytes where it stands; no name is resolved here.
//!
//! The grammar is ours, over sqlparser's tokens: upstream has no WATERMARK, no computed columns and no window functions
//! as Flink writes them. It has no recursion, so no text can exhaust the stack. The walk:
//! [`cursor`] steps through tokens, [`ddl`] reads CREATE TABLE, [`query`] reads INSERT and SELECT; then `sql/bind`.

mod cursor;
mod ddl;
mod query;

use std::ops::Range;

use self::cursor::Cursor;
use super::error::SqlError;
use crate::types::ColumnType;

/// A name or a string of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) span: Range<usize>,
}

#[derive(Debug)]
pub(super) enum Statement {
    CreateTable(CreateTable),
    Insert(Box<Insert>),
    Set { key: Text, value: Text },
}

#[derive(Debug)]
pub(super) struct CreateTable {
    pub(super) name: Text,
    pub(super) if_not_exists: bool,
    pub(super) columns: Vec<ColumnDefinition>,
    pub(super) options: Vec<(Text, Text)>,
}

#[derive(Debug)]
pub(super) struct ColumnDefinition {
    pub(super) name: Text,
    /// `None` is `AS PROCTIME()`.
    pub(super) column_type: Option<ColumnType>,
}

#[derive(Debug)]
pub(super) struct Insert {
    pub(super) table: Text,
    pub(super) columns: Vec<Text>,
    pub(super) select: Select,
}

#[derive(Debug)]
pub(super) struct Select {
    pub(super) span: Range<usize>,
    pub(super) items: Vec<SelectItem>,
    pub(super) window: WindowFunction,
    pub(super) table_alias: Option<Text>,
    pub(super) group_by: Vec<ColumnReference>,
}

#[derive(Debug)]
pub(super) struct SelectItem {
    pub(super) expression: Expression,
    pub(super) alias: Option<Text>,
}

#[derive(Debug)]
pub(super) enum Expression {
    Column(ColumnReference),
    Count { argument: Argument, span: Range<usize> },
}

#[derive(Debug)]
pub(super) enum Argument {
    /// `*` or a literal, which is never NULL.
    EveryRow,
    Column(ColumnReference),
}

/// `column` or `qualifier.column`.
#[derive(Debug)]
pub(super) struct ColumnReference {
    pub(super) qualifier: Option<Text>,
    pub(super) name: Text,
}

#[derive(Debug)]
pub(super) struct WindowFunction {
    pub(super) table: Text,
    pub(super) time_column: Text,
    pub(super) size: Interval,
    pub(super) offset: Option<Interval>,
}

#[derive(Debug)]
pub(super) struct Interval {
    pub(super) millis: i64,
    pub(super) span: Range<usize>,
}

/// Reads all statements of a text.
pub(super) fn parse(text: &str) -> Result<Vec<Statement>, SqlError> {
    let mut cursor = Cursor::new(text)?;
    let mut statements = Vec::new();
    let mut statement_set = None;
    loop {
        while cursor.take_symbol(";") {}
        if cursor.at_end() {
            break;
        }
        let start = cursor.peek_span();
        if statement_set.is_some() && cursor.take_word("END") {
            statement_set = None;
        } else if cursor.take_word("EXECUTE") {
            if !cursor.take_word("STATEMENT") {
                return Err(cursor.unexpected("STATEMENT SET BEGIN"));
            }
            cursor.expect_word("SET")?;
            cursor.expect_word("BEGIN")?;
            statement_set = Some(start);
            continue;
        } else {
            let statement = statement(&mut cursor)?;
            if statement_set.is_some() && !matches!(statement, Statement::Insert(_)) {
                return Err(SqlError::new("a statement set holds INSERT statements only", start));
            }
            statements.push(statement);
        }
        if !cursor.at_end() && !cursor.take_symbol(";") {
            return Err(cursor.unexpected("`;` or the end of the file"));
        }
    }
    match statement_set {
        Some(start) => Err(SqlError::new("this statement set has no END", start).help("close it with `END;`")),
        None => Ok(statements),
    }
}

fn statement(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let start = cursor.peek_span();
    if cursor.take_word("CREATE") {
        return ddl::create(cursor).map(Statement::CreateTable);
    }
    if cursor.take_word("INSERT") {
        return query::insert(cursor).map(|insert| Statement::Insert(Box::new(insert)));
    }
    if cursor.take_word("SET") {
        let key = cursor.string("a setting's name in quotes, as 'table.local-time-zone'")?;
        cursor.expect_symbol("=")?;
        let value = cursor.string("the setting's value in quotes")?;
        return Ok(Statement::Set { key, value });
    }
    let later =
        ["SELECT", "WITH", "EXPLAIN", "SHOW", "DESCRIBE", "DESC", "RESET", "DROP", "ALTER", "USE", "ADD", "BEGIN"];
    if let Some(word) = cursor.peek_one_of(&later) {
        return Err(SqlError::new(format!("{word} statements are not supported yet"), start)
            .help("a file holds CREATE TABLE, INSERT INTO ... SELECT, and SET 'key' = 'value'"));
    }
    Err(cursor.unexpected("a statement: CREATE TABLE, INSERT INTO, SET or EXECUTE STATEMENT SET"))
}
