use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int8Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType, TimestampNanosecondType,
};

use super::*;

/// The column of one value.
fn read(data_type: DataType, text: &str) -> Result<ArrayRef, String> {
    let mut builder = ColumnBuilder::new(data_type);
    builder.append(text).map_err(Cow::into_owned)?;
    let array = builder.finish();
    assert_eq!(array.len(), 1, "{text}");
    assert_eq!(array.data_type(), &crate::types::ColumnType::nullable(data_type).to_arrow());
    Ok(array)
}

fn string_of(text: &str) -> String {
    read(DataType::String, text).unwrap().as_string::<i32>().value(0).to_owned()
}

#[test]
fn integers_take_strings_and_int_takes_fractions() {
    let int = |text| read(DataType::Int, text).map(|array| array.as_primitive::<Int32Type>().value(0));
    assert_eq!(int("7"), Ok(7));
    assert_eq!(int("\"7\""), Ok(7));
    assert_eq!(int("\" +7 \""), Ok(7));
    assert_eq!(int("1.9"), Ok(1));
    assert_eq!(int("-1.9"), Ok(-1));
    assert!(int("\"1.9\"").is_err());
    assert!(int("2147483648").unwrap_err().contains("range of INT"));
    assert!(int("\"x\"").unwrap_err().contains("not a INT"));
    assert!(int("true").is_err());
    assert!(int("{}").unwrap_err().contains("an object"));
    let tiny = |text| read(DataType::TinyInt, text).map(|array| array.as_primitive::<Int8Type>().value(0));
    assert_eq!(tiny("-128"), Ok(-128));
    assert!(tiny("1.9").is_err());
    assert!(tiny("128").is_err());
    let big = |text| read(DataType::BigInt, text).map(|array| array.as_primitive::<Int64Type>().value(0));
    assert_eq!(big("9223372036854775807"), Ok(i64::MAX));
    assert_eq!(big("1e3"), Ok(1_000));
    assert!(big("9223372036854775808").is_err());
}

#[test]
fn strings_take_any_json() {
    assert_eq!(string_of(r#""a\n\"b\" \u00e9""#), "a\n\"b\" é");
    assert_eq!(string_of("1.50"), "1.50");
    assert_eq!(string_of("true"), "true");
    assert_eq!(string_of(r#"{ "a" : [1, "x y"] }"#), r#"{"a":[1,"x y"]}"#);
    assert_eq!(string_of(r#"[ "\" ", 1 ]"#), r#"["\" ",1]"#);
}

#[test]
fn null_is_null_of_every_type() {
    for data_type in [DataType::String, DataType::Boolean, DataType::Int, DataType::TimestampLtz(3), DataType::Bytes] {
        assert!(read(data_type, "null").unwrap().is_null(0));
    }
}

#[test]
fn booleans_are_read_as_java_reads_them() {
    for (text, expected) in [("true", true), ("false", false), ("\"TRUE\"", true), ("\"yes\"", false), ("1", false)] {
        assert_eq!(read(DataType::Boolean, text).unwrap().as_boolean().value(0), expected, "{text}");
    }
}

#[test]
fn floating_point_takes_javas_names_only() {
    let double = |text| read(DataType::Double, text).map(|array| array.as_primitive::<Float64Type>().value(0));
    assert_eq!(double("1.5"), Ok(1.5));
    assert_eq!(double("\"-1e-3\""), Ok(-0.001));
    assert_eq!(double("\"Infinity\""), Ok(f64::INFINITY));
    assert_eq!(double("\"-Infinity\""), Ok(f64::NEG_INFINITY));
    assert_eq!(double("\"1.5f\""), Ok(1.5));
    assert!(double("\"NaN\"").unwrap().is_nan());
    for wrong in ["\"inf\"", "\"nan\"", "\"\"", "\"x\"", "\"1.5.5\"", "\"--1\"", "\"Infinityd\""] {
        assert!(double(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn decimals_are_rounded_and_too_large_ones_are_null() {
    let money = DataType::Decimal { precision: 5, scale: 2 };
    assert_eq!(read(money, "1.005").unwrap().as_primitive::<Decimal128Type>().value(0), 101);
    assert_eq!(read(money, "\"7\"").unwrap().as_primitive::<Decimal128Type>().value(0), 700);
    assert!(read(money, "1000").unwrap().is_null(0));
    assert!(read(money, "\"x\"").is_err());
}

#[test]
fn times_are_read_in_the_sql_format() {
    let millis = |text| {
        read(DataType::Timestamp(3), text).map(|array| array.as_primitive::<TimestampMillisecondType>().value(0))
    };
    assert_eq!(millis("\"1970-01-01 00:00:01\""), Ok(1_000));
    assert_eq!(millis("\"1970-01-01 00:00:00.12\""), Ok(120));
    assert_eq!(millis("\"1969-12-31 23:59:59.999\""), Ok(-1));
    assert!(millis("\"1970-01-01T00:00:01\"").is_err());
    assert!(millis("\"1970-01-01 00:00:01Z\"").is_err());
    assert!(millis("1").is_err());
    let instant = |text| read(DataType::TimestampLtz(9), text);
    let nanos = instant("\"1970-01-01 00:00:00.000000001Z\"").unwrap();
    assert_eq!(nanos.as_primitive::<TimestampNanosecondType>().value(0), 1);
    assert!(instant("\"1970-01-01 00:00:00\"").is_err());
    assert!(instant("\"9999-01-01 00:00:00Z\"").unwrap_err().contains("nanoseconds"));
    let date = read(DataType::Date, "\"1970-01-03\"").unwrap();
    assert_eq!(date.as_primitive::<Date32Type>().value(0), 2);
    assert!(read(DataType::Date, "\"2026-02-30\"").is_err());
    let time = read(DataType::Time(3), "\"01:00:00.5\"").unwrap();
    assert_eq!(time.as_primitive::<Time32MillisecondType>().value(0), 3_600_500);
}

#[test]
fn bytes_are_base64() {
    assert_eq!(read(DataType::Bytes, "\"aGk=\"").unwrap().as_binary::<i32>().value(0), b"hi");
    assert!(read(DataType::Bytes, "\"*\"").is_err());
}
