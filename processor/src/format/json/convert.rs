//! One value of JSON into one column, by Flink's coercions: numbers may stand in strings, a STRING takes anything.
//!
//! Before: [`decode`](super::decode) has the spans of a row. After: the columns that the plan's scan puts out.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Decimal128Builder, Float32Builder, Float64Builder, Int8Builder, Int16Builder,
    Int32Builder, Int64Builder, StringBuilder,
};
use arrow_array::types::{
    Date32Type, Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};

use super::compact::compact;
use super::scan::{Kind, Span};
use super::text::unescape;
use crate::format::{base64, datetime, decimal, floating};
use crate::types::DataType;

/// A column that grows by a value per row.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    data_type: DataType,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Boolean(BooleanBuilder),
    TinyInt(Int8Builder),
    SmallInt(Int16Builder),
    Int(Int32Builder),
    BigInt(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal { builder: Decimal128Builder, precision: u8, scale: u8 },
    String(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Int32Builder),
    Time(Int32Builder),
    Timestamp { builder: Int64Builder, per_second: i64, local: bool },
}

/// Memory used again for every value.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    text: String,
    bytes: Vec<u8>,
}

impl Scratch {
    /// The text of a string; see [`unescape`].
    pub(super) fn unescape<'a>(&'a mut self, span: Span, value: &'a [u8]) -> Option<&'a str> {
        unescape(span, value, &mut self.text)
    }
}

impl ColumnBuilder {
    pub(super) fn new(data_type: DataType) -> Self {
        let values = match data_type {
            DataType::Boolean => Values::Boolean(BooleanBuilder::new()),
            DataType::TinyInt => Values::TinyInt(Int8Builder::new()),
            DataType::SmallInt => Values::SmallInt(Int16Builder::new()),
            DataType::Int => Values::Int(Int32Builder::new()),
            DataType::BigInt => Values::BigInt(Int64Builder::new()),
            DataType::Float => Values::Float(Float32Builder::new()),
            DataType::Double => Values::Double(Float64Builder::new()),
            DataType::Decimal { precision, scale } => {
                Values::Decimal { builder: Decimal128Builder::new(), precision, scale }
            }
            DataType::String => Values::String(StringBuilder::new()),
            DataType::Bytes => Values::Bytes(BinaryBuilder::new()),
            DataType::Date => Values::Date(Int32Builder::new()),
            DataType::Time(_) => Values::Time(Int32Builder::new()),
            DataType::Timestamp(_) | DataType::TimestampLtz(_) => Values::Timestamp {
                builder: Int64Builder::new(),
                per_second: data_type.units_per_second(),
                local: matches!(data_type, DataType::TimestampLtz(_)),
            },
        };
        Self { data_type, values }
    }

    /// The type of the column.
    pub(super) fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Appends what `span` of `value` means as this column's type; `None`, and nothing appended, if it means nothing.
    pub(super) fn append(&mut self, span: Span, value: &[u8], scratch: &mut Scratch) -> Option<()> {
        if span.kind == Kind::Null {
            self.append_null();
            return Some(());
        }
        match &mut self.values {
            Values::Boolean(builder) => builder.append_value(boolean(span, value, scratch)?),
            Values::TinyInt(builder) => builder.append_value(integer(span, value, scratch)?),
            Values::SmallInt(builder) => builder.append_value(integer(span, value, scratch)?),
            Values::Int(builder) if span.kind == Kind::Fraction => {
                builder.append_value(i32::try_from(truncated(span, value)?).ok()?);
            }
            Values::Int(builder) => builder.append_value(integer(span, value, scratch)?),
            Values::BigInt(builder) if span.kind == Kind::Fraction => builder.append_value(truncated(span, value)?),
            Values::BigInt(builder) => builder.append_value(integer(span, value, scratch)?),
            Values::Float(builder) => builder.append_value(floating::parse(number_text(span, value, scratch)?)?),
            Values::Double(builder) => builder.append_value(floating::parse(number_text(span, value, scratch)?)?),
            Values::Decimal { builder, precision, scale } => {
                match decimal::parse(number_text(span, value, scratch)?, *precision, *scale) {
                    decimal::Parsed::Unscaled(unscaled) => builder.append_value(unscaled),
                    decimal::Parsed::Overflow => builder.append_null(),
                    decimal::Parsed::Malformed => return None,
                }
            }
            Values::String(builder) if span.kind == Kind::Container => {
                scratch.bytes.clear();
                compact(span, value, &mut scratch.bytes)?;
                builder.append_value(std::str::from_utf8(&scratch.bytes).ok()?);
            }
            Values::String(builder) => builder.append_value(unescape(span, value, &mut scratch.text)?),
            Values::Bytes(builder) => {
                scratch.bytes.clear();
                let text = string(span, value, &mut scratch.text)?;
                if !base64::decode(text, &mut scratch.bytes) {
                    return None;
                }
                builder.append_value(&scratch.bytes);
            }
            Values::Date(builder) => {
                let days = datetime::parse_date(string(span, value, &mut scratch.text)?)?;
                builder.append_value(i32::try_from(days).ok()?);
            }
            Values::Time(builder) => {
                builder.append_value(datetime::parse_time(string(span, value, &mut scratch.text)?)?);
            }
            Values::Timestamp { builder, per_second, local } => {
                let suffix = if *local { "Z" } else { "" };
                let (seconds, nanos) = datetime::parse_timestamp(string(span, value, &mut scratch.text)?, suffix)?;
                let fraction = nanos / (1_000_000_000 / *per_second);
                builder.append_value(seconds.checked_mul(*per_second)?.checked_add(fraction)?);
            }
        }
        Some(())
    }

    pub(super) fn append_null(&mut self) {
        match &mut self.values {
            Values::Boolean(builder) => builder.append_null(),
            Values::TinyInt(builder) => builder.append_null(),
            Values::SmallInt(builder) => builder.append_null(),
            Values::Int(builder) | Values::Date(builder) | Values::Time(builder) => builder.append_null(),
            Values::BigInt(builder) | Values::Timestamp { builder, .. } => builder.append_null(),
            Values::Float(builder) => builder.append_null(),
            Values::Double(builder) => builder.append_null(),
            Values::Decimal { builder, .. } => builder.append_null(),
            Values::String(builder) => builder.append_null(),
            Values::Bytes(builder) => builder.append_null(),
        }
    }

    /// How many bytes of variable length the column holds; an Arrow array takes less than 2 GiB of them.
    pub(super) fn variable_bytes(&self) -> usize {
        match &self.values {
            Values::String(builder) => builder.values_slice().len(),
            Values::Bytes(builder) => builder.values_slice().len(),
            Values::Boolean(_)
            | Values::TinyInt(_)
            | Values::SmallInt(_)
            | Values::Int(_)
            | Values::BigInt(_)
            | Values::Float(_)
            | Values::Double(_)
            | Values::Decimal { .. }
            | Values::Date(_)
            | Values::Time(_)
            | Values::Timestamp { .. } => 0,
        }
    }

    /// What was appended, as an array of the type's Arrow type; the builder is empty again.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut self.values {
            Values::Boolean(builder) => Arc::new(builder.finish()),
            Values::TinyInt(builder) => Arc::new(builder.finish()),
            Values::SmallInt(builder) => Arc::new(builder.finish()),
            Values::Int(builder) => Arc::new(builder.finish()),
            Values::BigInt(builder) => Arc::new(builder.finish()),
            Values::Float(builder) => Arc::new(builder.finish()),
            Values::Double(builder) => Arc::new(builder.finish()),
            Values::Decimal { builder, .. } => Arc::new(builder.finish().with_data_type(self.data_type.to_arrow())),
            Values::String(builder) => Arc::new(builder.finish()),
            Values::Bytes(builder) => Arc::new(builder.finish()),
            Values::Date(builder) => Arc::new(builder.finish().reinterpret_cast::<Date32Type>()),
            Values::Time(builder) => Arc::new(builder.finish().reinterpret_cast::<Time32MillisecondType>()),
            Values::Timestamp { builder, per_second, local } => {
                let counts = builder.finish();
                let zone = local.then_some("UTC");
                match *per_second {
                    1_000 => Arc::new(counts.reinterpret_cast::<TimestampMillisecondType>().with_timezone_opt(zone)),
                    1_000_000 => {
                        Arc::new(counts.reinterpret_cast::<TimestampMicrosecondType>().with_timezone_opt(zone))
                    }
                    _ => Arc::new(counts.reinterpret_cast::<TimestampNanosecondType>().with_timezone_opt(zone)),
                }
            }
        }
    }
}

/// `true` in any case is true, any other text is false: Java's `Boolean.parseBoolean`.
fn boolean(span: Span, value: &[u8], scratch: &mut Scratch) -> Option<bool> {
    match span.kind {
        Kind::True => Some(true),
        Kind::Text | Kind::EscapedText => {
            Some(trim(unescape(span, value, &mut scratch.text)?).eq_ignore_ascii_case("true"))
        }
        Kind::Null | Kind::False | Kind::Integer | Kind::Fraction | Kind::Container => Some(false),
    }
}

/// A whole number, written as a number or in a string.
fn integer<N: std::str::FromStr>(span: Span, value: &[u8], scratch: &mut Scratch) -> Option<N> {
    number_text(span, value, scratch)?.parse().ok()
}

/// The whole part of a number with a fraction or exponent, which goes through DOUBLE as in Flink.
fn truncated(span: Span, value: &[u8]) -> Option<i64> {
    let number: f64 = floating::parse(std::str::from_utf8(span.of(value)).ok()?)?;
    // 2^63 is the nearest double to the largest BIGINT, and taken for it.
    (number.abs() <= 9_223_372_036_854_775_808.0).then_some(number as i64)
}

/// The text that is read as a number: a number as it is written, a string without the white space around it.
fn number_text<'a>(span: Span, value: &'a [u8], scratch: &'a mut Scratch) -> Option<&'a str> {
    match span.kind {
        Kind::Integer | Kind::Fraction => std::str::from_utf8(span.of(value)).ok(),
        Kind::Text | Kind::EscapedText => unescape(span, value, &mut scratch.text).map(trim),
        Kind::Null | Kind::True | Kind::False | Kind::Container => None,
    }
}

/// What only a string can be.
fn string<'a>(span: Span, value: &'a [u8], scratch: &'a mut String) -> Option<&'a str> {
    if span.is_string() { unescape(span, value, scratch) } else { None }
}

/// Java's `trim`: everything up to and including the space goes.
fn trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}
