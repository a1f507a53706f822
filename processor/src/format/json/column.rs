//! The raw JSON text of a value into a typed column, with Flink's coercions
//! ([Flink: JSON format](https://nightlies.apache.org/flink/flink-docs-stable/docs/connectors/table/formats/json/)).
//!
//! Before: [`row`](super::row) found the text. After: [`decode`](super::decode) takes the finished arrays. A value that
//! does not parse appends nothing.

use std::borrow::Cow;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder,
    Int8Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder, Time32MillisecondBuilder,
    TimestampMicrosecondBuilder, TimestampMillisecondBuilder, TimestampNanosecondBuilder,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::{Date, DateTime, Time};

use super::decimal;
use crate::types::DataType;

/// Why a value does not fit its column.
pub(super) type Refused = Cow<'static, str>;

/// Collects the values of one column.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
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
    Date(Date32Builder),
    Time(Time32MillisecondBuilder),
    Millis { builder: TimestampMillisecondBuilder, is_instant: bool },
    Micros { builder: TimestampMicrosecondBuilder, is_instant: bool },
    Nanos { builder: TimestampNanosecondBuilder, is_instant: bool },
}

/// Runs the same code on whichever builder it is.
macro_rules! on_builder {
    ($column:expr, $builder:ident => $code:expr) => {
        match $column {
            ColumnBuilder::Boolean($builder) => $code,
            ColumnBuilder::TinyInt($builder) => $code,
            ColumnBuilder::SmallInt($builder) => $code,
            ColumnBuilder::Int($builder) => $code,
            ColumnBuilder::BigInt($builder) => $code,
            ColumnBuilder::Float($builder) => $code,
            ColumnBuilder::Double($builder) => $code,
            ColumnBuilder::Decimal { builder: $builder, .. } => $code,
            ColumnBuilder::String($builder) => $code,
            ColumnBuilder::Bytes($builder) => $code,
            ColumnBuilder::Date($builder) => $code,
            ColumnBuilder::Time($builder) => $code,
            ColumnBuilder::Millis { builder: $builder, .. } => $code,
            ColumnBuilder::Micros { builder: $builder, .. } => $code,
            ColumnBuilder::Nanos { builder: $builder, .. } => $code,
        }
    };
}

impl ColumnBuilder {
    pub(super) fn new(data_type: DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::TinyInt => Self::TinyInt(Int8Builder::new()),
            DataType::SmallInt => Self::SmallInt(Int16Builder::new()),
            DataType::Int => Self::Int(Int32Builder::new()),
            DataType::BigInt => Self::BigInt(Int64Builder::new()),
            DataType::Float => Self::Float(Float32Builder::new()),
            DataType::Double => Self::Double(Float64Builder::new()),
            DataType::Decimal { precision, scale } => {
                let arrow = crate::types::ColumnType::nullable(data_type).to_arrow();
                Self::Decimal { builder: Decimal128Builder::new().with_data_type(arrow), precision, scale }
            }
            DataType::String => Self::String(StringBuilder::new()),
            DataType::Bytes => Self::Bytes(BinaryBuilder::new()),
            DataType::Date => Self::Date(Date32Builder::new()),
            DataType::Time(_) => Self::Time(Time32MillisecondBuilder::new()),
            DataType::Timestamp(precision) => Self::timestamp(precision, false),
            DataType::TimestampLtz(precision) => Self::timestamp(precision, true),
        }
    }

    fn timestamp(precision: u8, is_instant: bool) -> Self {
        let zone = is_instant.then_some("UTC");
        match precision {
            0..=3 => Self::Millis { builder: TimestampMillisecondBuilder::new().with_timezone_opt(zone), is_instant },
            4..=6 => Self::Micros { builder: TimestampMicrosecondBuilder::new().with_timezone_opt(zone), is_instant },
            _ => Self::Nanos { builder: TimestampNanosecondBuilder::new().with_timezone_opt(zone), is_instant },
        }
    }

    pub(super) fn append_null(&mut self) {
        on_builder!(self, builder => builder.append_null());
    }

    /// The array of what was appended; the builder is empty then.
    pub(super) fn finish(&mut self) -> ArrayRef {
        on_builder!(self, builder => ArrayBuilder::finish(builder))
    }

    /// Appends the value that `text`, one JSON value, stands for.
    pub(super) fn append(&mut self, text: &str) -> Result<(), Refused> {
        if text == "null" {
            self.append_null();
            return Ok(());
        }
        if let Self::String(builder) = self {
            append_text(builder, text);
            return Ok(());
        }
        // Everything else takes its value as one token, bare or in quotes.
        let scalar = scalar(text)?;
        let trimmed = scalar.trim();
        let is_number = !text.starts_with('"');
        match self {
            // As Java's `Boolean.parseBoolean`: what is not `true` is false.
            Self::Boolean(builder) => builder.append_value(trimmed.eq_ignore_ascii_case("true")),
            Self::TinyInt(builder) => builder.append_value(integer(trimmed, false, "TINYINT")?),
            Self::SmallInt(builder) => builder.append_value(integer(trimmed, false, "SMALLINT")?),
            Self::Int(builder) => builder.append_value(integer(trimmed, is_number, "INT")?),
            Self::BigInt(builder) => builder.append_value(integer(trimmed, is_number, "BIGINT")?),
            Self::Float(builder) => builder.append_value(floating(trimmed, "FLOAT")?),
            Self::Double(builder) => builder.append_value(floating(trimmed, "DOUBLE")?),
            Self::Decimal { builder, precision, scale } => {
                builder.append_option(decimal::parse(trimmed, *precision, *scale).ok_or("not a DECIMAL")?);
            }
            Self::Bytes(builder) => {
                builder.append_value(STANDARD.decode(scalar.as_bytes()).map_err(|_| "not BYTES: no base64")?);
            }
            Self::Date(builder) => builder.append_value(date(&scalar)?),
            Self::Time(builder) => builder.append_value(time(&scalar)?),
            Self::Millis { builder, is_instant } => builder.append_value(timestamp(&scalar, *is_instant)?.0),
            Self::Micros { builder, is_instant } => {
                let (millis, nanos) = timestamp(&scalar, *is_instant)?;
                builder.append_value(millis.saturating_mul(1_000).saturating_add(nanos / 1_000));
            }
            Self::Nanos { builder, is_instant } => {
                let (millis, nanos) = timestamp(&scalar, *is_instant)?;
                let value = millis.checked_mul(1_000_000).and_then(|value| value.checked_add(nanos));
                builder.append_value(value.ok_or("a time beyond the years that nanoseconds reach")?);
            }
            Self::String(builder) => append_text(builder, text),
        }
        Ok(())
    }
}

/// The text of a string, borrowed unless it has escapes.
fn string(text: &str) -> Cow<'_, str> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if inner.contains('\\') {
        // It is JSON already, so it can be read; one half of a surrogate pair is the exception.
        serde_json::from_str(text).map_or_else(|_| Cow::Borrowed(inner), Cow::Owned)
    } else {
        Cow::Borrowed(inner)
    }
}

/// The text of a number, a string or a boolean.
fn scalar(text: &str) -> Result<Cow<'_, str>, Refused> {
    match text.as_bytes().first() {
        Some(b'"') => Ok(string(text)),
        Some(b'{') => Err("an object where one value is expected".into()),
        Some(b'[') => Err("an array where one value is expected".into()),
        _ => Ok(Cow::Borrowed(text)),
    }
}

/// STRING takes any JSON: what is no string is written again, without spaces.
fn append_text(builder: &mut StringBuilder, text: &str) {
    match text.as_bytes().first() {
        Some(b'"') => builder.append_value(string(text)),
        Some(b'{' | b'[') => builder.append_value(compact(text)),
        _ => builder.append_value(text),
    }
}

/// JSON without the spaces between its tokens.
fn compact(text: &str) -> String {
    let mut compacted = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        compacted.push(character);
    }
    compacted
}

/// An integer that fits. INT and BIGINT take numbers with a fraction too, and cut it off.
fn integer<T: TryFrom<i64>>(text: &str, takes_fraction: bool, name: &'static str) -> Result<T, Refused> {
    let whole = match text.parse::<i64>() {
        Ok(whole) => Some(whole),
        Err(_) if takes_fraction => decimal::truncated(text),
        Err(_) => None,
    };
    match whole.map(T::try_from) {
        Some(Ok(value)) => Ok(value),
        Some(Err(_)) => Err(format!("out of the range of {name}").into()),
        None => Err(format!("not a {name}, or out of its range").into()),
    }
}

/// As Java reads floating point: no names but `NaN` and `Infinity`.
fn floating<T: std::str::FromStr>(text: &str, name: &'static str) -> Result<T, Refused> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = unsigned.strip_suffix(['f', 'F', 'd', 'D']).filter(|_| !unsigned.starts_with(['N', 'I']));
    let plain = plain.unwrap_or(unsigned);
    let digits = plain.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    let sign = &text[..text.len() - unsigned.len()];
    if !digits && !matches!(plain, "NaN" | "Infinity") {
        return Err(format!("not a {name}").into());
    }
    let parsed = if sign == "-" { format!("-{plain}").parse() } else { plain.parse() };
    parsed.map_err(|_| format!("not a {name}").into())
}

const EPOCH: Date = Date::constant(1970, 1, 1);

fn days_since_epoch(date: Date) -> i64 {
    let since = EPOCH.until(date).map(|span| i64::from(span.get_days()));
    since.unwrap_or_default()
}

fn date(text: &str) -> Result<i32, Refused> {
    let date = Date::strptime("%Y-%m-%d", text).map_err(|_| "not a DATE, as 2026-11-23")?;
    i32::try_from(days_since_epoch(date)).map_err(|_| "a DATE out of range".into())
}

fn time(text: &str) -> Result<i32, Refused> {
    let time = Time::strptime("%H:%M:%S%.f", text).map_err(|_| "not a TIME, as 10:30:00.123")?;
    i32::try_from(nanos_of_day(time) / 1_000_000).map_err(|_| "a TIME out of range".into())
}

fn nanos_of_day(time: Time) -> i64 {
    let seconds = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    seconds * 1_000_000_000 + i64::from(time.subsec_nanosecond())
}

/// Milliseconds since 1970, and nanoseconds behind them. An instant is written in UTC, with a Z.
fn timestamp(text: &str, is_instant: bool) -> Result<(i64, i64), Refused> {
    let (civil, expected) = if is_instant {
        (text.strip_suffix('Z'), "not a TIMESTAMP_LTZ, as 2026-11-23 10:30:00.123Z")
    } else {
        (Some(text), "not a TIMESTAMP, as 2026-11-23 10:30:00.123")
    };
    let civil = civil.and_then(|civil| DateTime::strptime("%Y-%m-%d %H:%M:%S%.f", civil).ok()).ok_or(expected)?;
    let nanos = nanos_of_day(civil.time());
    let millis = days_since_epoch(civil.date()) * 86_400_000 + nanos / 1_000_000;
    Ok((millis, nanos % 1_000_000))
}

#[cfg(test)]
#[path = "column_tests.rs"]
mod tests;
