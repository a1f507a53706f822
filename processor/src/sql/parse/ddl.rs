//! CREATE TABLE: columns with types, computed columns, and `WITH (...)`.
//!
//! Before: [`cursor`](super::cursor). After: `sql/bind` reads the options and checks the names.

use super::super::error::{SqlError, shorten};
use super::cursor::Cursor;
use super::{ColumnDefinition, CreateTable, Text};
use crate::types::{ColumnType, DataType};

/// What follows CREATE.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<CreateTable, SqlError> {
    let span = cursor.peek_span();
    let later = ["VIEW", "FUNCTION", "DATABASE", "CATALOG", "MODEL", "MATERIALIZED", "OR"];
    if let Some(what) = cursor.peek_one_of(&later) {
        return Err(SqlError::new(format!("CREATE {what} is not supported yet"), span)
            .help("supported: CREATE [TEMPORARY] TABLE [IF NOT EXISTS]"));
    }
    cursor.take_word("TEMPORARY");
    cursor.expect_word("TABLE")?;
    let if_not_exists = cursor.take_word("IF");
    if if_not_exists {
        cursor.expect_word("NOT")?;
        cursor.expect_word("EXISTS")?;
    }
    let name = cursor.name("a table's name")?;
    if cursor.peek_symbol(".") {
        return Err(SqlError::new("catalogs and databases are not supported yet", cursor.peek_span())
            .help("name the table with one word"));
    }
    cursor.expect_symbol("(")?;
    let mut columns = Vec::new();
    loop {
        cursor.check_list(columns.len())?;
        columns.push(column(cursor)?);
        if !cursor.take_symbol(",") {
            break;
        }
    }
    if !cursor.take_symbol(")") {
        return Err(cursor.unexpected("`,` or `)` after a column"));
    }
    if cursor.take_word("COMMENT") {
        cursor.string("a comment in quotes")?;
    }
    let span = cursor.peek_span();
    if let Some(clause) = cursor.peek_one_of(&["PARTITIONED", "DISTRIBUTED", "LIKE", "AS"]) {
        return Err(SqlError::new(format!("{clause} in CREATE TABLE is not supported yet"), span));
    }
    if !cursor.take_word("WITH") {
        return Err(cursor
            .unexpected("WITH (...)")
            .help("a table names its topic: WITH ('connector' = 'kafka', 'topic' = '...', 'format' = 'json')"));
    }
    let options = options(cursor)?;
    let span = cursor.peek_span();
    if cursor.take_word("LIKE") {
        return Err(SqlError::new("LIKE in CREATE TABLE is not supported yet", span));
    }
    Ok(CreateTable { name, if_not_exists, columns, options })
}

fn options(cursor: &mut Cursor<'_>) -> Result<Vec<(Text, Text)>, SqlError> {
    cursor.expect_symbol("(")?;
    let mut options = Vec::new();
    loop {
        cursor.check_list(options.len())?;
        let key = cursor.string("an option's name in quotes, as 'topic'")?;
        cursor.expect_symbol("=")?;
        let value = cursor.string("the option's value in quotes")?;
        options.push((key, value));
        if !cursor.take_symbol(",") {
            break;
        }
    }
    if !cursor.take_symbol(")") {
        return Err(cursor.unexpected("`,` or `)` after an option"));
    }
    Ok(options)
}

fn column(cursor: &mut Cursor<'_>) -> Result<ColumnDefinition, SqlError> {
    let start = cursor.peek_span();
    if cursor.take_word("WATERMARK") {
        return Err(SqlError::new("WATERMARK: event time is not supported yet", start)
            .help("windows run on processing time: declare a column `proctime AS PROCTIME()`"));
    }
    if cursor.take_word("PRIMARY") || cursor.take_word("CONSTRAINT") {
        return Err(primary_key(start));
    }
    let name = cursor.name("a column's name")?;
    if cursor.take_word("AS") {
        let start = cursor.peek_span();
        let proctime = cursor.take_word("PROCTIME") && cursor.take_symbol("(") && cursor.take_symbol(")");
        if !proctime
            || !(cursor.peek_symbol(",") || cursor.peek_symbol(")") || cursor.peek_one_of(&["COMMENT"]).is_some())
        {
            let span = cursor.span_since(&start);
            return Err(SqlError::new(
                "a computed column can only be PROCTIME() so far",
                span.start..span.end.max(start.end),
            ));
        }
        comment(cursor)?;
        return Ok(ColumnDefinition { name, column_type: None });
    }
    let data_type = data_type(cursor)?;
    let mut nullable = true;
    let span = cursor.peek_span();
    if cursor.take_word("NOT") {
        cursor.expect_word("NULL")?;
        nullable = false;
    } else {
        cursor.take_word("NULL");
    }
    if cursor.take_word("METADATA") {
        return Err(SqlError::new("metadata columns are not supported yet", cursor.span_since(&span)));
    }
    let key = cursor.peek_span();
    if cursor.take_word("PRIMARY") {
        return Err(primary_key(key));
    }
    comment(cursor)?;
    let column_type = if nullable { ColumnType::nullable(data_type) } else { ColumnType::not_null(data_type) };
    Ok(ColumnDefinition { name, column_type: Some(column_type) })
}

fn primary_key(span: std::ops::Range<usize>) -> SqlError {
    SqlError::new("a kafka table cannot have a PRIMARY KEY", span)
        .help("its rows are only ever appended, so nothing would keep the key unique; Flink refuses it too")
}

fn comment(cursor: &mut Cursor<'_>) -> Result<(), SqlError> {
    if cursor.take_word("COMMENT") {
        cursor.string("a comment in quotes")?;
    }
    Ok(())
}

fn data_type(cursor: &mut Cursor<'_>) -> Result<DataType, SqlError> {
    let word = cursor.word("a column's type")?;
    let data_type = match word.value.to_ascii_uppercase().as_str() {
        "BOOLEAN" => DataType::Boolean,
        "TINYINT" => DataType::TinyInt,
        "SMALLINT" => DataType::SmallInt,
        "INT" | "INTEGER" => DataType::Int,
        "BIGINT" => DataType::BigInt,
        "FLOAT" => DataType::Float,
        "DOUBLE" => {
            cursor.take_word("PRECISION");
            DataType::Double
        }
        "DECIMAL" | "DEC" | "NUMERIC" => decimal(cursor)?,
        "STRING" => DataType::String,
        "BYTES" => DataType::Bytes,
        "DATE" => DataType::Date,
        "TIME" => DataType::Time(precision(cursor, 0)?),
        "TIMESTAMP_LTZ" => DataType::TimestampLtz(precision(cursor, 6)?),
        "TIMESTAMP" => {
            let precision = precision(cursor, 6)?;
            if cursor.take_word("WITH") {
                if !cursor.take_word("LOCAL") {
                    return Err(cursor.unexpected("LOCAL TIME ZONE"));
                }
                cursor.expect_word("TIME")?;
                cursor.expect_word("ZONE")?;
                DataType::TimestampLtz(precision)
            } else {
                if cursor.take_word("WITHOUT") {
                    cursor.expect_word("TIME")?;
                    cursor.expect_word("ZONE")?;
                }
                DataType::Timestamp(precision)
            }
        }
        later @ ("CHAR" | "VARCHAR" | "BINARY" | "VARBINARY" | "ARRAY" | "MAP" | "ROW" | "MULTISET" | "RAW"
        | "INTERVAL" | "VARIANT") => {
            let error = SqlError::new(format!("type {later} is not supported yet"), word.span);
            return Err(if later.ends_with("CHAR") { error.help("STRING is text of any length") } else { error });
        }
        _ => {
            let message = format!("unknown type `{}`", shorten(&word.value));
            return Err(
                SqlError::new(message, word.span).suggest(&word.value.to_ascii_uppercase(), TYPE_NAMES.iter().copied())
            );
        }
    };
    Ok(data_type)
}

fn precision(cursor: &mut Cursor<'_>, default: u8) -> Result<u8, SqlError> {
    if !cursor.take_symbol("(") {
        return Ok(default);
    }
    let digits = digits(cursor, 0, 9)?;
    cursor.expect_symbol(")")?;
    Ok(digits)
}

fn decimal(cursor: &mut Cursor<'_>) -> Result<DataType, SqlError> {
    if !cursor.take_symbol("(") {
        return Ok(DataType::Decimal { precision: 10, scale: 0 });
    }
    let precision = digits(cursor, 1, 38)?;
    let scale = if cursor.take_symbol(",") { digits(cursor, 0, precision)? } else { 0 };
    cursor.expect_symbol(")")?;
    Ok(DataType::Decimal { precision, scale })
}

fn digits(cursor: &mut Cursor<'_>, min: u8, max: u8) -> Result<u8, SqlError> {
    let (value, span) = cursor.number("a number of digits")?;
    let value = u8::try_from(value).ok().filter(|value| (min..=max).contains(value));
    value.ok_or_else(|| SqlError::new(format!("the number of digits must be between {min} and {max}"), span))
}

const TYPE_NAMES: &[&str] = &[
    "BIGINT",
    "STRING",
    "INT",
    "DOUBLE",
    "BOOLEAN",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "DECIMAL",
    "DATE",
    "TIME",
    "FLOAT",
    "BYTES",
    "SMALLINT",
    "TINYINT",
    "INTEGER",
    "NUMERIC",
];
