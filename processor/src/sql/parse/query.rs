//! INSERT INTO ... SELECT, and the window functions that it reads from.
//!
//! Before: [`cursor`](super::cursor). After: `sql/bind` resolves the names.

use std::ops::Range;

use super::super::error::{SqlError, shorten};
use super::cursor::Cursor;
use super::{Argument, ColumnReference, Expression, Insert, Interval, Select, SelectItem, Text, WindowFunction};

/// What follows INSERT.
pub(super) fn insert(cursor: &mut Cursor<'_>) -> Result<Insert, SqlError> {
    let span = cursor.peek_span();
    if cursor.take_word("OVERWRITE") {
        return Err(SqlError::new("a kafka table cannot be overwritten", span).help("write INSERT INTO"));
    }
    cursor.expect_word("INTO")?;
    let table = cursor.name("the name of the table to write")?;
    let mut columns = Vec::new();
    if cursor.take_symbol("(") {
        loop {
            cursor.check_list(columns.len())?;
            columns.push(cursor.name("a column of the table to write")?);
            if !cursor.take_symbol(",") {
                break;
            }
        }
        cursor.expect_symbol(")")?;
    }
    let span = cursor.peek_span();
    if let Some(word) = cursor.peek_one_of(&["VALUES", "WITH", "PARTITION"]) {
        return Err(SqlError::new(format!("INSERT with {word} is not supported yet"), span)
            .help("supported: INSERT INTO ... SELECT"));
    }
    let select = select(cursor)?;
    Ok(Insert { table, columns, select })
}

fn select(cursor: &mut Cursor<'_>) -> Result<Select, SqlError> {
    let start = cursor.peek_span();
    cursor.expect_word("SELECT")?;
    refuse(cursor, &["DISTINCT"])?;
    let mut items = Vec::new();
    loop {
        cursor.check_list(items.len())?;
        items.push(item(cursor)?);
        if !cursor.take_symbol(",") {
            break;
        }
    }
    if !cursor.take_word("FROM") {
        return Err(cursor.unexpected("`,` or FROM").help("SELECT takes columns and COUNT so far, no expressions"));
    }
    let window = from(cursor)?;
    let table_alias = alias(cursor)?;
    refuse(cursor, LATER_CLAUSES)?;
    let mut group_by = Vec::new();
    if cursor.take_word("GROUP") {
        cursor.expect_word("BY")?;
        refuse(cursor, &["GROUPING", "CUBE", "ROLLUP"])?;
        loop {
            cursor.check_list(group_by.len())?;
            group_by.push(column(cursor, "a column to group by")?);
            if !cursor.take_symbol(",") {
                break;
            }
        }
        if cursor.peek_symbol("(") {
            return Err(SqlError::new("functions in GROUP BY are not supported yet", cursor.peek_span())
                .help("cut time with FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(proctime), INTERVAL '1' MINUTE))"));
        }
    }
    refuse(cursor, LATER_CLAUSES)?;
    Ok(Select { span: cursor.span_since(&start), items, window, table_alias, group_by })
}

fn refuse(cursor: &Cursor<'_>, clauses: &[&str]) -> Result<(), SqlError> {
    match cursor.peek_one_of(clauses) {
        Some(clause) => Err(SqlError::new(format!("{clause} is not supported yet"), cursor.peek_span())),
        None => Ok(()),
    }
}

fn item(cursor: &mut Cursor<'_>) -> Result<SelectItem, SqlError> {
    let start = cursor.peek_span();
    if cursor.take_symbol("*") {
        return Err(SqlError::new("SELECT * is not supported yet", start).help("name the columns"));
    }
    if cursor.take_literal() {
        return Err(SqlError::new("literals in SELECT are not supported yet", start));
    }
    if let Some(word) = cursor.peek_one_of(&["CASE", "NOT", "INTERVAL", "NULL"]) {
        return Err(SqlError::new(format!("{word} in SELECT is not supported yet"), start)
            .help("SELECT takes columns and COUNT so far"));
    }
    let reference = column(cursor, "a column or COUNT(...)")?;
    let expression = if reference.qualifier.is_none() && cursor.take_symbol("(") {
        let argument = argument(cursor, &reference.name)?;
        Expression::Count { argument, span: cursor.span_since(&start) }
    } else {
        Expression::Column(reference)
    };
    refuse(cursor, &["FILTER", "OVER", "WITHIN"])?;
    Ok(SelectItem { expression, alias: alias(cursor)? })
}

fn argument(cursor: &mut Cursor<'_>, function: &Text) -> Result<Argument, SqlError> {
    // Which function it is, is judged before its arguments: they may have any form.
    if !function.value.eq_ignore_ascii_case("COUNT") {
        return Err(unknown_function(function));
    }
    if cursor.peek_one_of(&["DISTINCT"]).is_some() {
        return Err(SqlError::new("COUNT(DISTINCT ...) is not supported yet", cursor.peek_span()));
    }
    cursor.take_word("ALL");
    let argument = if cursor.take_symbol("*") || cursor.take_literal() {
        Argument::EveryRow
    } else {
        Argument::Column(column(cursor, "a column or `*`")?)
    };
    if !cursor.take_symbol(")") {
        return Err(cursor.unexpected("`)`").help("COUNT takes one column or `*` so far"));
    }
    Ok(argument)
}

fn unknown_function(function: &Text) -> SqlError {
    let upper = function.value.to_ascii_uppercase();
    let span = function.span.clone();
    if AGGREGATES_LATER.contains(&upper.as_str()) {
        return SqlError::new(format!("{upper} is not supported yet"), span).help("supported: COUNT(column), COUNT(*)");
    }
    SqlError::new(format!("no function `{}` is supported here", shorten(&function.value)), span)
        .suggest(&upper, ["COUNT"])
}

/// `name` or `qualifier.name`.
fn column(cursor: &mut Cursor<'_>, what: &str) -> Result<ColumnReference, SqlError> {
    let first = cursor.name(what)?;
    if !cursor.take_symbol(".") {
        return Ok(ColumnReference { qualifier: None, name: first });
    }
    if cursor.peek_symbol("*") {
        return Err(SqlError::new("SELECT * is not supported yet", cursor.peek_span()).help("name the columns"));
    }
    let name = cursor.name("a column's name")?;
    Ok(ColumnReference { qualifier: Some(first), name })
}

fn alias(cursor: &mut Cursor<'_>) -> Result<Option<Text>, SqlError> {
    if cursor.take_word("AS") {
        return cursor.name("an alias").map(Some);
    }
    if cursor.peek_one_of(ALIAS_STOPS).is_none() && cursor.peek_name() {
        return cursor.name("an alias").map(Some);
    }
    Ok(None)
}

fn from(cursor: &mut Cursor<'_>) -> Result<WindowFunction, SqlError> {
    let start = cursor.peek_span();
    if cursor.peek_symbol("(") {
        return Err(SqlError::new("subqueries are not supported yet", start));
    }
    let wrapped = cursor.take_word("TABLE");
    if wrapped {
        cursor.expect_symbol("(")?;
    }
    let function = cursor.name("a table or a window function")?;
    if !cursor.take_symbol("(") {
        return Err(SqlError::new("a SELECT without a window is not supported yet", function.span)
            .help("FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(proctime), INTERVAL '1' MINUTE)) reads a table in windows"));
    }
    let upper = function.value.to_ascii_uppercase();
    if ["HOP", "CUMULATE", "SESSION"].contains(&upper.as_str()) {
        return Err(
            SqlError::new(format!("{upper} windows are not supported yet"), function.span).help("supported: TUMBLE")
        );
    }
    if upper != "TUMBLE" {
        let message = format!("unknown window function `{}`", shorten(&function.value));
        return Err(SqlError::new(message, function.span).suggest(&upper, ["TUMBLE"]));
    }
    let window = tumble(cursor)?;
    if wrapped {
        cursor.expect_symbol(")")?;
    }
    Ok(window)
}

/// The arguments of TUMBLE, up to and with its `)`: all by position or all by name.
fn tumble(cursor: &mut Cursor<'_>) -> Result<WindowFunction, SqlError> {
    let named = cursor.peek_one_of(&["DATA", "TIMECOL", "SIZE"]).is_some();
    if named {
        parameter(cursor, "DATA")?;
    }
    if !cursor.take_word("TABLE") {
        return Err(cursor.unexpected("TABLE and a table's name").help(FORM));
    }
    let table = cursor.name("a table's name")?;
    let (mut time_column, mut size, mut offset) = (None, None, None);
    while cursor.take_symbol(",") {
        let start = cursor.peek_span();
        let taken = if named {
            let name = cursor.name("TIMECOL, SIZE or `OFFSET`")?;
            cursor.expect_symbol("=>")?;
            match name.value.to_ascii_uppercase().as_str() {
                "TIMECOL" => time_column.replace(descriptor(cursor)?).is_some(),
                "SIZE" => size.replace(interval(cursor)?).is_some(),
                "OFFSET" => offset.replace(interval(cursor)?).is_some(),
                unknown => {
                    let message = format!("TUMBLE has no parameter {}", shorten(&name.value));
                    return Err(
                        SqlError::new(message, name.span).suggest(unknown, ["DATA", "TIMECOL", "SIZE", "OFFSET"])
                    );
                }
            }
        } else if time_column.is_none() {
            time_column.replace(descriptor(cursor)?).is_some()
        } else if size.is_none() {
            size.replace(interval(cursor)?).is_some()
        } else {
            offset.replace(interval(cursor)?).is_some()
        };
        if taken {
            return Err(SqlError::new("TUMBLE has this argument already", cursor.span_since(&start)).help(FORM));
        }
    }
    let end = cursor.peek_span();
    if !cursor.take_symbol(")") {
        return Err(cursor.unexpected("`,` or `)`").help(FORM));
    }
    let Some(time_column) = time_column else {
        return Err(SqlError::new("TUMBLE needs the column whose time it cuts", end).help(FORM));
    };
    let Some(size) = size else { return Err(SqlError::new("TUMBLE needs a window size", end).help(FORM)) };
    Ok(WindowFunction { table, time_column, size, offset })
}

fn parameter(cursor: &mut Cursor<'_>, name: &str) -> Result<(), SqlError> {
    if !cursor.take_word(name) {
        return Err(cursor.unexpected(&format!("{name} first")));
    }
    cursor.expect_symbol("=>")
}

fn descriptor(cursor: &mut Cursor<'_>) -> Result<Text, SqlError> {
    if !cursor.take_word("DESCRIPTOR") {
        return Err(cursor.unexpected("DESCRIPTOR(time_column)").help(FORM));
    }
    cursor.expect_symbol("(")?;
    let column = cursor.name("a time column's name")?;
    cursor.expect_symbol(")")?;
    Ok(column)
}

fn interval(cursor: &mut Cursor<'_>) -> Result<Interval, SqlError> {
    let start = cursor.peek_span();
    if !cursor.take_word("INTERVAL") {
        return Err(cursor.unexpected("INTERVAL 'n' SECOND, MINUTE, HOUR or DAY"));
    }
    let minus = cursor.take_symbol("-");
    let count = cursor.string("a number in quotes, as '30'")?;
    let unit = cursor.word("SECOND, MINUTE, HOUR or DAY")?;
    let upper = unit.value.to_ascii_uppercase();
    let unit_millis: i64 = match upper.strip_suffix('S').unwrap_or(&upper) {
        "SECOND" => 1_000,
        "MINUTE" => 60_000,
        "HOUR" => 3_600_000,
        "DAY" => 86_400_000,
        _ => {
            let message = format!("a window cannot be measured in {}", shorten(&upper));
            return Err(SqlError::new(message, unit.span).help("use SECOND, MINUTE, HOUR or DAY"));
        }
    };
    if cursor.peek_one_of(&["TO"]).is_some() {
        return Err(SqlError::new("an interval of two units is not supported yet", cursor.peek_span())
            .help("write it in the smaller unit, as INTERVAL '90' SECOND"));
    }
    if cursor.take_symbol("(") {
        cursor.number("a number of digits")?;
        cursor.expect_symbol(")")?;
    }
    let span: Range<usize> = cursor.span_since(&start);
    let Some(millis) = millis(count.value.trim(), unit_millis) else {
        return Err(SqlError::new(format!("'{}' is not a number of {upper}", shorten(&count.value)), count.span)
            .help("whole numbers; seconds may have up to three decimals"));
    };
    Ok(Interval { millis: if minus { -millis } else { millis }, span })
}

/// `count` units in milliseconds; only seconds have a fraction.
fn millis(count: &str, unit_millis: i64) -> Option<i64> {
    let (negative, digits) = count.strip_prefix('-').map_or((false, count), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !whole.is_empty() && all_digits(whole) && all_digits(fraction) && fraction.len() <= 3;
    if !fits || (unit_millis != 1_000 && !fraction.is_empty()) {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<3}").parse().ok()?;
    let millis = whole.parse::<i64>().ok()?.checked_mul(unit_millis)?.checked_add(fraction)?;
    Some(if negative { -millis } else { millis })
}

const FORM: &str = "TUMBLE(TABLE t, DESCRIPTOR(time_column), INTERVAL '30' MINUTE [, offset])";

const LATER_CLAUSES: &[&str] = &[
    "WHERE",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
    "INNER",
    "CROSS",
    "WINDOW",
    "QUALIFY",
    "FETCH",
    "OFFSET",
    "FOR",
    "MATCH_RECOGNIZE",
    "TABLESAMPLE",
];

const ALIAS_STOPS: &[&str] = &["END", "FOR", "FETCH", "QUALIFY", "MATCH_RECOGNIZE", "TABLESAMPLE", "FILTER", "OVER"];

const AGGREGATES_LATER: &[&str] = &[
    "SUM",
    "MIN",
    "MAX",
    "AVG",
    "FIRST_VALUE",
    "LAST_VALUE",
    "LISTAGG",
    "COLLECT",
    "ARRAY_AGG",
    "VAR_POP",
    "VAR_SAMP",
    "VARIANCE",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "APPROX_COUNT_DISTINCT",
    "JSON_OBJECTAGG",
    "JSON_ARRAYAGG",
    "CAST",
    "TRY_CAST",
    "COALESCE",
    "UPPER",
    "LOWER",
    "TRIM",
    "SUBSTRING",
    "CONCAT",
    "ABS",
    "FLOOR",
    "CEIL",
    "DATE_FORMAT",
];
