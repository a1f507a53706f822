use std::sync::Arc;

use arrow_array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, StringArray,
    Time32MillisecondArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
};

use super::*;
use crate::plan::Plan;

/// Rows of one column `c`, encoded.
fn encode(data_type: DataType, column: impl Array + 'static) -> Vec<String> {
    encode_with(data_type, column, JsonOptions::default())
}

fn encode_with(data_type: DataType, column: impl Array + 'static, options: JsonOptions) -> Vec<String> {
    let encoder = Encoder { columns: vec![("\"c\":".to_owned(), data_type)], options };
    let rows = column.len();
    let values = encoder.encode(&[Arc::new(column)], rows);
    assert_eq!(values.len(), rows);
    values.iter().map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

#[test]
fn the_rows_of_the_reference_job_are_flinks_byte_for_byte() {
    let plan = Plan::from_sql(include_str!("../../../../examples/top_users.sql")).unwrap();
    let encoder = Encoder::new(&plan.pipelines[0].sink, JsonOptions::default());
    let start = "2026-11-23T10:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![7])),
        Arc::new(Int64Array::from(vec![3])),
        Arc::new(TimestampMillisecondArray::from(vec![start])),
        Arc::new(TimestampMillisecondArray::from(vec![start + 1_800_000])),
    ];
    let values = encoder.encode(&columns, 1);
    let expected = r#"{"user_id":7,"cnt":3,"window_start":"2026-11-23 10:00:00","window_end":"2026-11-23 10:30:00"}"#;
    assert_eq!(values.iter().collect::<Vec<_>>(), [expected.as_bytes()]);
}

#[test]
fn null_is_written_unless_it_is_left_out() {
    let column = Int64Array::from(vec![None, Some(1)]);
    assert_eq!(encode(DataType::BigInt, column.clone()), [r#"{"c":null}"#, r#"{"c":1}"#]);
    let options = JsonOptions { encode_ignore_null_fields: true, ..JsonOptions::default() };
    assert_eq!(encode_with(DataType::BigInt, column, options), ["{}", r#"{"c":1}"#]);
}

#[test]
fn strings_are_escaped_as_jackson_escapes_them() {
    let text = "a\"b\\c/d\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}é😀";
    assert_eq!(
        encode(DataType::String, StringArray::from(vec![text])),
        [r#"{"c":"a\"b\\c/d\b\f\n\r\t\u0001\u001FXé😀"}"#.replace('X', "\u{7f}")]
    );
}

#[test]
fn values_of_every_type() {
    assert_eq!(encode(DataType::Boolean, BooleanArray::from(vec![true, false])), [r#"{"c":true}"#, r#"{"c":false}"#]);
    assert_eq!(encode(DataType::Double, Float64Array::from(vec![1.0, 1e10])), [r#"{"c":1.0}"#, r#"{"c":1.0E10}"#]);
    let odd = Float32Array::from(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    assert_eq!(encode(DataType::Float, odd), [r#"{"c":"NaN"}"#, r#"{"c":"Infinity"}"#, r#"{"c":"-Infinity"}"#]);
    let money = Decimal128Array::from(vec![310, 300]).with_precision_and_scale(10, 2).unwrap();
    assert_eq!(encode(DataType::Decimal { precision: 10, scale: 2 }, money), [r#"{"c":3.1}"#, r#"{"c":3}"#]);
    assert_eq!(encode(DataType::Bytes, BinaryArray::from(vec![&b"hi"[..]])), [r#"{"c":"aGk="}"#]);
    assert_eq!(encode(DataType::Date, Date32Array::from(vec![2])), [r#"{"c":"1970-01-03"}"#]);
    assert_eq!(
        encode(DataType::Time(3), Time32MillisecondArray::from(vec![3_600_000, 3_600_500])),
        [r#"{"c":"01:00:00"}"#, r#"{"c":"01:00:00.5"}"#]
    );
    assert_eq!(
        encode(DataType::Timestamp(3), TimestampMillisecondArray::from(vec![120])),
        [r#"{"c":"1970-01-01 00:00:00.12"}"#]
    );
    let instant = TimestampMicrosecondArray::from(vec![-1]).with_timezone("UTC");
    assert_eq!(encode(DataType::TimestampLtz(6), instant), [r#"{"c":"1969-12-31 23:59:59.999999Z"}"#]);
    assert_eq!(
        encode(DataType::Timestamp(9), TimestampNanosecondArray::from(vec![1])),
        [r#"{"c":"1970-01-01 00:00:00.000000001"}"#]
    );
}
