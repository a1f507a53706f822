//! Columns into record values, byte for byte as Flink writes them: fields in the order of the schema, no spaces.
//!
//! Before: [`task`](crate::task) brings the columns of a closed window. After: the driver sends the values. The types are
//! looked at once for all rows.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::number::{Text, write_decimal, write_floating};
use crate::format::EncodedValues;
use crate::schema::{JsonOptions, Table};
use crate::types::DataType;
use crate::window::civil;

/// A sink's columns: their names as JSON, and what is done about NULL.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// `"name":` and the type of each physical column.
    columns: Vec<(String, DataType)>,
    options: JsonOptions,
}

impl Encoder {
    pub(crate) fn new(sink: &Table, options: JsonOptions) -> Self {
        let name = |name: &str| {
            let mut bytes = Vec::new();
            write_string(name, &mut Text(&mut bytes));
            bytes.push(b':');
            String::from_utf8(bytes).expect("it was made of text")
        };
        let columns = sink.physical_columns().map(|(_, column)| (name(&column.name), column.column_type.data_type));
        Self { columns: columns.collect(), options }
    }

    /// One value for each row. `columns` are the sink's, by position.
    pub(crate) fn encode(&self, columns: &[ArrayRef], row_count: usize) -> EncodedValues {
        let mut values = EncodedValues::default();
        let writers: Vec<(&str, &ArrayRef, Writer<'_>)> = self
            .columns
            .iter()
            .zip(columns)
            .map(|((name, data_type), column)| (name.as_str(), column, writer(*data_type, column)))
            .collect();
        for row in 0..row_count {
            values.buffer().push(b'{');
            let mut is_first = true;
            for (name, column, write) in &writers {
                let is_null = column.is_null(row);
                if is_null && self.options.encode_ignore_null_fields {
                    continue;
                }
                let out = &mut Text(values.buffer());
                if !std::mem::take(&mut is_first) {
                    out.push(",");
                }
                out.push(name);
                if is_null {
                    out.push("null");
                } else {
                    write(row, out);
                }
            }
            values.buffer().push(b'}');
            values.end_value();
        }
        values
    }
}

/// Appends the value of a row, which is not NULL.
type Writer<'a> = Box<dyn Fn(usize, &mut Text<'_>) + 'a>;

/// How a column of this type is written; in memory it is what [`ColumnType::to_arrow`](crate::types::ColumnType) says.
fn writer(data_type: DataType, column: &ArrayRef) -> Writer<'_> {
    match data_type {
        DataType::Boolean => {
            let values = column.as_boolean();
            Box::new(|row, out| out.push(if values.value(row) { "true" } else { "false" }))
        }
        DataType::TinyInt => primitive::<Int8Type>(column, display),
        DataType::SmallInt => primitive::<Int16Type>(column, display),
        DataType::Int => primitive::<Int32Type>(column, display),
        DataType::BigInt => primitive::<Int64Type>(column, display),
        DataType::Float => primitive::<Float32Type>(column, |value, out| {
            if value.is_finite() { write_floating(value, out) } else { write_not_finite(value.into(), out) }
        }),
        DataType::Double => primitive::<Float64Type>(column, |value, out| {
            if value.is_finite() { write_floating(value, out) } else { write_not_finite(value, out) }
        }),
        DataType::Decimal { scale, .. } => {
            primitive::<Decimal128Type>(column, move |value, out| write_decimal(value, scale, out))
        }
        DataType::String => {
            let values = column.as_string::<i32>();
            Box::new(|row, out| write_string(values.value(row), out))
        }
        DataType::Bytes => {
            let values = column.as_binary::<i32>();
            Box::new(|row, out| {
                out.push("\"");
                out.push(&STANDARD.encode(values.value(row)));
                out.push("\"");
            })
        }
        DataType::Date => primitive::<Date32Type>(column, |days, out| {
            if let Some(civil) = civil(i64::from(days) * 86_400_000) {
                let _ = write!(out, "\"{}\"", civil.date());
            }
        }),
        DataType::Time(_) => primitive::<Time32MillisecondType>(column, |millis, out| {
            if let Some(civil) = civil(millis.into()) {
                let _ = write!(out, "\"{}\"", civil.time());
            }
        }),
        DataType::Timestamp(precision) => timestamp_writer(column, precision, "\""),
        DataType::TimestampLtz(precision) => timestamp_writer(column, precision, "Z\""),
    }
}

fn timestamp_writer<'a>(column: &'a ArrayRef, precision: u8, end: &'static str) -> Writer<'a> {
    match precision {
        0..=3 => primitive::<TimestampMillisecondType>(column, move |value, out| write_timestamp(value, 0, end, out)),
        4..=6 => primitive::<TimestampMicrosecondType>(column, move |value, out| {
            write_timestamp(value.div_euclid(1_000), value.rem_euclid(1_000) * 1_000, end, out);
        }),
        _ => primitive::<TimestampNanosecondType>(column, move |value, out| {
            write_timestamp(value.div_euclid(1_000_000), value.rem_euclid(1_000_000), end, out);
        }),
    }
}

fn primitive<'a, T: ArrowPrimitiveType>(
    column: &'a ArrayRef,
    write: impl Fn(T::Native, &mut Text<'_>) + 'a,
) -> Writer<'a> {
    let values = column.as_primitive::<T>();
    Box::new(move |row, out| write(values.value(row), out))
}

fn display(value: impl std::fmt::Display, out: &mut Text<'_>) {
    // Writing to memory does not fail.
    let _ = write!(out, "{value}");
}

/// JSON has no such numbers: they are written as strings.
fn write_not_finite(value: f64, out: &mut Text<'_>) {
    out.push(if value.is_nan() {
        "\"NaN\""
    } else if value > 0.0 {
        "\"Infinity\""
    } else {
        "\"-Infinity\""
    });
}

/// `"2020-01-01 00:00:00.12`, the zeros at the end of the fraction cut, then `end`.
fn write_timestamp(millis: i64, nanos: i64, end: &str, out: &mut Text<'_>) {
    out.push("\"");
    write_civil(millis, nanos, out);
    out.push(end);
}

fn write_civil(millis: i64, nanos: i64, out: &mut Text<'_>) {
    let Some(civil) = civil(millis) else { return };
    let _ = write!(out, "{} {:02}:{:02}:{:02}", civil.date(), civil.hour(), civil.minute(), civil.second());
    let mut fraction = i64::from(civil.millisecond()) * 1_000_000 + nanos;
    if fraction == 0 {
        return;
    }
    let mut width = 9;
    while fraction % 10 == 0 {
        fraction /= 10;
        width -= 1;
    }
    let _ = write!(out, ".{fraction:0width$}");
}

/// A time of the wall clock, in milliseconds, as it stands in a TIMESTAMP(3).
pub(crate) fn timestamp_text(wall_ms: i64) -> String {
    let mut bytes = Vec::new();
    write_civil(wall_ms, 0, &mut Text(&mut bytes));
    String::from_utf8(bytes).unwrap_or_default()
}

/// A string as Jackson writes it: only quote, backslash and control characters are escaped.
fn write_string(text: &str, out: &mut Text<'_>) {
    out.push("\"");
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        let (plain, escaped) = rest.split_at(at);
        out.push(plain);
        let mut characters = escaped.chars();
        match characters.next() {
            Some('"') => out.push("\\\""),
            Some('\\') => out.push("\\\\"),
            Some('\u{8}') => out.push("\\b"),
            Some('\t') => out.push("\\t"),
            Some('\n') => out.push("\\n"),
            Some('\u{c}') => out.push("\\f"),
            Some('\r') => out.push("\\r"),
            Some(control) => {
                let _ = write!(out, "\\u{:04X}", u32::from(control));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push(rest);
    out.push("\"");
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
