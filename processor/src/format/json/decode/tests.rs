//! What Flink's JSON format makes of a value, type by type.

use std::sync::Arc;

use arrow_array::ArrayRef;
use proptest::prelude::*;

use super::super::encode::Encoder;
use super::*;
use crate::format::EncodedValues;
use crate::plan::Plan;
use crate::schema::{Format, Table};

/// A scan of all columns of a table.
fn scan(columns: &str, options: &str) -> (Scan, JsonOptions) {
    let connector = "'connector'='kafka', 'topic'='t', 'properties.bootstrap.servers'='b:1', 'format'='json'";
    let text = format!(
        "CREATE TABLE t ({columns}, p AS PROCTIME())
           WITH ({connector}, 'scan.startup.mode'='earliest-offset'{options});
         CREATE TABLE s (n BIGINT) WITH ({connector});
         INSERT INTO s SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(p), INTERVAL '1' SECOND))
           GROUP BY window_start, window_end"
    );
    let plan = Plan::from_sql(&text).unwrap_or_else(|error| panic!("{}", error.render("t.sql", false)));
    let mut scan = plan.pipelines[0].scan().clone();
    scan.columns = scan.table.physical_columns().map(|(index, _)| index).collect();
    let Format::Json(options) = scan.table.options.format;
    (scan, options)
}

const IGNORING: &str = ", 'json.ignore-parse-errors'='true'";

/// The rows that a value gives, written as JSON again.
fn rows(columns: &str, options: &str, value: &str) -> Result<String, RecordError> {
    let (scan, options) = scan(columns, options);
    let mut decoder = Decoder::new(&scan, options);
    decoder.decode(7, Some(value.as_bytes()))?;
    Ok(encoded(&scan.table, &decoder.finish()).join(" "))
}

fn encoded(table: &Table, columns: &Columns) -> Vec<String> {
    let mut values = EncodedValues::default();
    Encoder::new(table, JsonOptions::default()).encode(columns, &mut values);
    values.iter().map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

/// What a field's text becomes in a column `v` of this type: its JSON, or why not.
fn field(data_type: &str, text: &str) -> String {
    match rows(&format!("v {data_type}"), "", &format!("{{\"v\":{text}}}")) {
        Ok(row) => row.strip_prefix("{\"v\":").and_then(|row| row.strip_suffix('}')).unwrap().to_owned(),
        Err(error) => {
            assert_eq!((error.offset, error.field.as_deref()), (7, Some("v")));
            "error".to_owned()
        }
    }
}

fn fields(data_type: &str, expected: &[(&str, &str)]) {
    for (text, value) in expected {
        assert_eq!(&field(data_type, text), value, "{data_type} of {text}");
    }
    assert_eq!(field(data_type, "null"), "null");
}

#[test]
fn whole_numbers() {
    for (data_type, max, over) in [
        ("TINYINT", "127", "128"),
        ("SMALLINT", "32767", "32768"),
        ("INT", "2147483647", "2147483648"),
        ("BIGINT", "9223372036854775807", "9223372036854775808"),
    ] {
        fields(
            data_type,
            &[
                ("7", "7"),
                ("-7", "-7"),
                (r#""7""#, "7"),
                (r#"" +7 ""#, "7"),
                (r#""\u0037""#, "7"),
                (max, max),
                (over, "error"),
                (r#""x""#, "error"),
                (r#""""#, "error"),
                (r#""1.9""#, "error"),
                ("true", "error"),
                ("{}", "error"),
                ("[1]", "error"),
            ],
        );
    }
    for data_type in ["INT", "BIGINT"] {
        fields(data_type, &[("1.9", "1"), ("-1.9", "-1"), ("1e2", "100"), ("1e30", "error")]);
    }
    for data_type in ["TINYINT", "SMALLINT"] {
        fields(data_type, &[("1.9", "error")]);
    }
    fields("INT", &[("2147483647.9", "2147483647"), ("2147483648.0", "error")]);
}

#[test]
fn floating_numbers() {
    for data_type in ["FLOAT", "DOUBLE"] {
        fields(
            data_type,
            &[
                ("1", "1.0"),
                ("1.50", "1.5"),
                (r#"" 1e10 ""#, "1.0E10"),
                (r#""Infinity""#, r#""Infinity""#),
                (r#""-Infinity""#, r#""-Infinity""#),
                (r#""NaN""#, r#""NaN""#),
                (r#""inf""#, "error"),
                ("false", "error"),
            ],
        );
    }
}

#[test]
fn decimals_round_half_up_and_overflow_to_null() {
    fields(
        "DECIMAL(5, 2)",
        &[
            ("1.005", "1.01"),
            (r#"" 3.10 ""#, "3.1"),
            ("3.00", "3"),
            ("1000", "null"),
            ("-999.99", "-999.99"),
            (r#""x""#, "error"),
            ("true", "error"),
        ],
    );
}

#[test]
fn booleans_are_never_an_error() {
    let texts = [("true", "true"), ("false", "false"), (r#"" TRUE ""#, "true"), (r#""yes""#, "false"), ("1", "false")];
    fields("BOOLEAN", &texts);
}

#[test]
fn a_string_takes_anything() {
    fields(
        "STRING",
        &[
            (r#""a\n\u00e9/""#, r#""a\né/""#),
            ("1.50", r#""1.50""#),
            ("1E5", r#""1E5""#),
            ("true", r#""true""#),
            (r#"{ "a" : [1, "b"] }"#, r#""{\"a\":[1,\"b\"]}""#),
        ],
    );
}

#[test]
fn times() {
    fields("DATE", &[(r#""2026-02-28""#, r#""2026-02-28""#), (r#""2026-02-30""#, "error"), ("1", "error")]);
    fields("TIME(3)", &[(r#""10:00:00""#, r#""10:00:00""#), (r#""10:00:00.5""#, r#""10:00:00.5""#)]);
    for data_type in ["TIMESTAMP(3)", "TIMESTAMP(6)", "TIMESTAMP(9)"] {
        fields(
            data_type,
            &[
                (r#""2020-01-01 00:00:00.120""#, r#""2020-01-01 00:00:00.12""#),
                (r#""1969-12-31 23:59:59.999""#, r#""1969-12-31 23:59:59.999""#),
                (r#""2020-01-01T00:00:00""#, "error"),
                (r#""2020-01-01 00:00:00Z""#, "error"),
                ("1577836800000", "error"),
            ],
        );
    }
    fields("TIMESTAMP(6)", &[(r#""2020-01-01 00:00:00.1234567""#, r#""2020-01-01 00:00:00.123456""#)]);
    fields("TIMESTAMP(9)", &[(r#""2020-01-01 00:00:00.123456789""#, r#""2020-01-01 00:00:00.123456789""#)]);
    fields(
        "TIMESTAMP_LTZ(3)",
        &[
            (r#""2020-01-01 00:00:00.12Z""#, r#""2020-01-01 00:00:00.12Z""#),
            (r#""2020-01-01 00:00:00""#, "error"),
            (r#""2020-01-01T00:00:00Z""#, "error"),
        ],
    );
}

#[test]
fn bytes_are_base64() {
    fields("BYTES", &[(r#""AP/+""#, r#""AP/+""#), (r#""Zg==""#, r#""Zg==""#), (r#""Zg""#, "error"), ("1", "error")]);
}

#[test]
fn fields_are_found_by_their_exact_names_in_any_order() {
    let columns = "a INT, b STRING, c BIGINT";
    let row = |value| rows(columns, "", value).unwrap();
    assert_eq!(row(r#"{"a":1,"b":"x","c":2}"#), r#"{"a":1,"b":"x","c":2}"#);
    assert_eq!(row(r#"{"c":2,"skipped":{"a":[9]},"b":"x","a":1}"#), r#"{"a":1,"b":"x","c":2}"#);
    assert_eq!(row(r#"{"A":1,"b":"x"}"#), r#"{"a":null,"b":"x","c":null}"#);
    assert_eq!(row(r#"{"a":1,"a":2,"c":"x","c":3}"#), r#"{"a":2,"b":null,"c":3}"#);
    assert_eq!(row(r#"{"\u0061":1}"#), r#"{"a":1,"b":null,"c":null}"#);
    assert_eq!(row("{}"), r#"{"a":null,"b":null,"c":null}"#);
    assert_eq!(row("\u{feff} {\"a\":1} trailing garbage }"), r#"{"a":1,"b":null,"c":null}"#);
}

#[test]
fn an_array_is_several_rows_and_nothing_is_none() {
    assert_eq!(rows("a INT", "", r#"[{"a":1},{"a":2}] x"#).unwrap(), r#"{"a":1} {"a":2}"#);
    assert_eq!(rows("a INT", "", "[ ]").unwrap(), "");
    assert_eq!(rows("a INT", "", "").unwrap(), "");
    assert_eq!(rows("a INT", IGNORING, r#"[{"a":1},7,{"a":"x"},"#).unwrap(), r#"{"a":1} {"a":null}"#);
    let (scan, options) = scan("a INT", "");
    let mut decoder = Decoder::new(&scan, options);
    decoder.decode(0, None).unwrap();
    assert_eq!(decoder.finish().rows, 0);
}

#[test]
fn errors_name_the_field_and_the_option() {
    let error = |options, value| rows("a INT, b BIGINT", options, value).unwrap_err();
    let wrong = error("", r#"{"a":1,"b":"x"}"#);
    assert_eq!(wrong.field.as_deref(), Some("b"));
    assert_eq!(wrong.reason, "\"x\" is not a BIGINT, or out of its range");
    assert_eq!(wrong.option, "'json.ignore-parse-errors' = 'true'");
    assert_eq!(wrong.value_start, r#"{"a":1,"b":"x"}"#);
    for (value, reason) in [
        (r#"{"a":1"#, "it is not JSON: expected `,` or `}` at byte 6"),
        ("hello", "it is neither a JSON object nor an array of objects"),
        ("null", "it is neither a JSON object nor an array of objects"),
        ("[1]", "it is neither a JSON object nor an array of objects"),
        (" \n", "it is blank"),
    ] {
        let wrong = error("", value);
        assert_eq!((wrong.field.as_deref(), wrong.reason.as_str()), (None, reason));
        assert_eq!(rows("a INT, b BIGINT", IGNORING, value).unwrap(), "", "{value} is skipped when errors are");
    }
    let missing = error(", 'json.fail-on-missing-field'='true'", r#"{"a":1}"#);
    assert_eq!((missing.field.as_deref(), missing.option), (Some("b"), "'json.fail-on-missing-field' = 'false'"));
    let long = error("", &format!("é{}", "x".repeat(1_000_000)));
    assert_eq!(long.value_start.chars().count(), 80);
}

#[test]
fn ignoring_errors_keeps_the_row_and_nulls_the_field() {
    assert_eq!(rows("a INT, b BIGINT", IGNORING, r#"{"a":"x","b":2}"#).unwrap(), r#"{"a":null,"b":2}"#);
    assert_eq!(rows("a BYTES, b BIGINT", IGNORING, r#"{"a":"Zg=","b":2}"#).unwrap(), r#"{"a":null,"b":2}"#);
}

const EVERY_TYPE: &str = "a BOOLEAN, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h DECIMAL(38, 10),
    i STRING, j BYTES, k DATE, l TIME, m TIMESTAMP(3), n TIMESTAMP(6), o TIMESTAMP(9), p1 TIMESTAMP_LTZ(3)";

fn json_like() -> impl Strategy<Value = Vec<u8>> {
    let names = "abcdefghijklmno".chars().map(|name| format!("\"{name}\":"));
    let pieces = ["{", "}", "[", "]", ",", ":", "null", "true", "-1", "1.5e3", "1e999", "99999999999999999999", "\"\""]
        .map(str::to_owned);
    let texts = ["\"x\"", "\"\\ud800\"", "\"7\"", "\"2026-02-30 24:00:00\"", "\"2026-11-23\"", "\"Zg==\"", "\"p1\":"]
        .map(str::to_owned);
    let known = prop::sample::select(names.chain(pieces).chain(texts).collect::<Vec<_>>()).prop_map(String::into_bytes);
    let piece = prop_oneof![9 => known, 1 => prop::collection::vec(any::<u8>(), 0..4)];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn columns_are_whole(value: &[u8]) -> Result<(), TestCaseError> {
    for ignoring in ["", IGNORING] {
        let (scan, options) = scan(EVERY_TYPE, ignoring);
        let mut decoder = Decoder::new(&scan, options);
        let decoded = decoder.decode(0, Some(value));
        prop_assert!(ignoring.is_empty() || decoded.is_ok());
        if decoded.is_err() {
            decoder.clear();
        }
        let columns = decoder.finish();
        for (array, &column) in columns.arrays.iter().zip(&scan.columns) {
            let array: &ArrayRef = array;
            prop_assert_eq!(array.len(), columns.rows);
            prop_assert_eq!(array.data_type(), &scan.table.columns[column].column_type.to_arrow());
        }
        encoded(&Arc::clone(&scan.table), &columns);
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_bytes_panic(value in prop::collection::vec(any::<u8>(), 0..200)) {
        columns_are_whole(&value)?;
    }

    #[test]
    fn nothing_like_json_panics(value in json_like()) {
        columns_are_whole(&value)?;
    }

    #[test]
    fn what_a_common_parser_accepts_is_accepted(value in json_like()) {
        let common = serde_json::from_slice::<serde::de::IgnoredAny>(&value);
        let mut cursor = Cursor::new(&value);
        let ours = cursor.value().map_err(|_| ()).and_then(|span| if cursor.peek().is_none() { Ok(span) } else { Err(()) });
        if common.is_ok() {
            prop_assert!(ours.is_ok());
        }
        // It checks escapes and refuses control characters; apart from those both agree.
        if ours.is_ok() && !value.iter().any(|byte| *byte < b' ' || !byte.is_ascii() || *byte == b'\\') {
            prop_assert!(common.is_ok());
        }
    }
}
