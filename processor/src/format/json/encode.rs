//! Columns into JSON values, byte for byte as Flink's sink writes them.
//!
//! Before: the projection has the sink's columns. After: the driver sends each of the [`EncodedValues`].

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef};

use super::compact::write_double;
use super::text::write_string;
use crate::format::{EncodedValues, base64, datetime, decimal};
use crate::schema::{JsonOptions, Table};
use crate::types::{Columns, DataType};

/// Writes the rows of one table.
#[derive(Debug)]
pub(crate) struct Encoder {
    options: JsonOptions,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    /// The name as JSON, with its quotes and the colon.
    key: Vec<u8>,
    data_type: DataType,
}

impl Encoder {
    /// For the physical columns of `table`.
    pub(crate) fn new(table: &Table, options: JsonOptions) -> Self {
        let field = |column: &crate::schema::Column| {
            let mut key = Vec::with_capacity(column.name.len() + 3);
            write_string(&column.name, &mut key);
            key.push(b':');
            Field { key, data_type: column.column_type.data_type }
        };
        Self { options, fields: table.physical_columns().map(|(_, column)| field(column)).collect() }
    }

    /// Appends one value per row. The columns are those of the table, in its order and of its types.
    pub(crate) fn encode(&self, columns: &Columns, out: &mut EncodedValues) {
        for row in 0..columns.rows {
            let bytes = out.bytes_mut();
            bytes.push(b'{');
            let mut separate = false;
            for (field, array) in self.fields.iter().zip(&columns.arrays) {
                let null = array.is_null(row);
                if null && self.options.encode_ignore_null_fields {
                    continue;
                }
                if separate {
                    bytes.push(b',');
                }
                separate = true;
                bytes.extend_from_slice(&field.key);
                if null {
                    bytes.extend_from_slice(b"null");
                } else {
                    write_value(field.data_type, array, row, bytes);
                }
            }
            bytes.push(b'}');
            out.end_value();
        }
    }
}

fn write_value(data_type: DataType, array: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    // Writing into memory cannot fail.
    let _ = match data_type {
        DataType::Boolean => write!(out, "{}", array.as_boolean().value(row)),
        DataType::TinyInt => write!(out, "{}", array.as_primitive::<Int8Type>().value(row)),
        DataType::SmallInt => write!(out, "{}", array.as_primitive::<Int16Type>().value(row)),
        DataType::Int => write!(out, "{}", array.as_primitive::<Int32Type>().value(row)),
        DataType::BigInt => write!(out, "{}", array.as_primitive::<Int64Type>().value(row)),
        DataType::Float => {
            write_double(array.as_primitive::<Float32Type>().value(row), out);
            return;
        }
        DataType::Double => {
            write_double(array.as_primitive::<Float64Type>().value(row), out);
            return;
        }
        DataType::Decimal { scale, .. } => {
            let unscaled = array.as_primitive::<Decimal128Type>().value(row);
            decimal::write(unscaled, i8::try_from(scale).unwrap_or(i8::MAX), out);
            return;
        }
        DataType::String => {
            write_string(array.as_string::<i32>().value(row), out);
            return;
        }
        DataType::Bytes => {
            quoted(out, "", |out| base64::encode(array.as_binary::<i32>().value(row), out));
            return;
        }
        DataType::Date => {
            quoted(out, "", |out| datetime::write_date(array.as_primitive::<Date32Type>().value(row).into(), out));
            return;
        }
        DataType::Time(_) => {
            let millis = i64::from(array.as_primitive::<Time32MillisecondType>().value(row));
            quoted(out, "", |out| datetime::write_time(millis * 1_000_000, out));
            return;
        }
        DataType::Timestamp(_) | DataType::TimestampLtz(_) => {
            let per_second = data_type.units_per_second();
            let count = match per_second {
                1_000 => array.as_primitive::<TimestampMillisecondType>().value(row),
                1_000_000 => array.as_primitive::<TimestampMicrosecondType>().value(row),
                _ => array.as_primitive::<TimestampNanosecondType>().value(row),
            };
            let suffix = if matches!(data_type, DataType::TimestampLtz(_)) { "Z" } else { "" };
            quoted(out, suffix, |out| datetime::write_timestamp(count, per_second, out));
            return;
        }
    };
}

fn quoted(out: &mut Vec<u8>, suffix: &str, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.extend_from_slice(suffix.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, StringArray};

    use super::*;

    fn encoded(options: JsonOptions) -> Vec<String> {
        let columns = Columns {
            arrays: vec![
                Arc::new(StringArray::from(vec![Some("x/y\u{1}"), None])),
                Arc::new(Int64Array::from(vec![Some(i64::MIN), None])),
                Arc::new(Float64Array::from(vec![Some(f64::INFINITY), Some(1e7)])),
            ],
            rows: 2,
        };
        let types = [("\"a\\\"b\":", DataType::String), ("\"n\":", DataType::BigInt), ("\"d\":", DataType::Double)];
        let fields = types.map(|(key, data_type)| Field { key: key.as_bytes().to_vec(), data_type });
        let mut values = EncodedValues::default();
        Encoder { options, fields: fields.into() }.encode(&columns, &mut values);
        values.iter().map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
    }

    #[test]
    fn null_is_written_unless_it_is_left_out() {
        let first = r#"{"a\"b":"x/y\u0001","n":-9223372036854775808,"d":"Infinity"}"#;
        assert_eq!(encoded(JsonOptions::default()), [first, r#"{"a\"b":null,"n":null,"d":1.0E7}"#]);
        let leaving_out = JsonOptions { encode_ignore_null_fields: true, ..JsonOptions::default() };
        assert_eq!(encoded(leaving_out), [first, r#"{"d":1.0E7}"#]);
    }
}
