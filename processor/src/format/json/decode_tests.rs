use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use proptest::prelude::*;

use super::*;
use crate::plan::Plan;

fn decoder(options: JsonOptions) -> Decoder {
    let plan = Plan::from_sql(include_str!("../../../../examples/top_users.sql")).unwrap();
    Decoder::new(plan.pipelines[0].scan(), options)
}

type Row = (Option<i64>, Option<String>);

fn rows(options: JsonOptions, values: &[Option<&str>]) -> Result<Vec<Row>, RecordError> {
    let records =
        values.iter().zip(40..).map(|(value, offset)| InputRecord { offset, value: value.map(str::as_bytes) });
    let batch = decoder(options).decode(records)?;
    let (users, urls) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_string::<i32>());
    Ok(users.iter().zip(urls).map(|(user, url)| (user, url.map(str::to_owned))).collect())
}

fn strict(value: &str) -> Result<Vec<Row>, RecordError> {
    rows(JsonOptions::default(), &[Some(value)])
}

fn lenient(value: &str) -> Vec<Row> {
    rows(JsonOptions { ignore_parse_errors: true, ..JsonOptions::default() }, &[Some(value)]).unwrap()
}

fn row(user: i64, url: &str) -> Row {
    (Some(user), Some(url.to_owned()))
}

#[test]
fn objects_are_rows_and_tombstones_are_not() {
    let values = [Some(r#"{"user_id":7,"cURL":"/a"}"#), None, Some(r#" { "cURL" : "/b" , "user_id" : 8 } "#)];
    assert_eq!(rows(JsonOptions::default(), &values).unwrap(), [row(7, "/a"), row(8, "/b")]);
}

#[test]
fn names_are_compared_by_case_and_decoded_and_the_last_one_counts() {
    assert_eq!(strict(r#"{"user_id":1,"curl":"x","cURL":"/a"}"#).unwrap(), [row(1, "/a")]);
    assert_eq!(strict(r#"{"user_id":1,"user_id":2,"c\u0055RL":"/a"}"#).unwrap(), [row(2, "/a")]);
    assert_eq!(strict(r#"{"other":{"user_id":[3]},"user_id":1,"cURL":"/a"}"#).unwrap(), [row(1, "/a")]);
}

#[test]
fn a_missing_field_is_null_unless_that_fails() {
    assert_eq!(strict(r#"{"cURL":null}"#).unwrap(), [(None, None)]);
    let options = JsonOptions { fail_on_missing_field: true, ..JsonOptions::default() };
    let error = rows(options, &[Some(r#"{"cURL":null}"#)]).unwrap_err();
    assert_eq!((error.field.as_deref(), error.option), (Some("user_id"), "'json.fail-on-missing-field' = 'false'"));
}

#[test]
fn an_array_is_a_row_for_each_element_and_what_follows_is_ignored() {
    let two = r#"[{"user_id":1,"cURL":"/a"},{"user_id":2,"cURL":"/b"}]"#;
    assert_eq!(strict(two).unwrap(), [row(1, "/a"), row(2, "/b")]);
    assert_eq!(strict(r#"{"user_id":1,"cURL":"/a"} and more"#).unwrap(), [row(1, "/a")]);
    assert!(strict("[]").unwrap().is_empty());
    assert!(strict("[[]]").is_err());
}

#[test]
fn what_does_not_parse_names_offset_field_value_and_option() {
    let error = strict(r#"{"user_id":"seven","cURL":"/a"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "offset 40: field user_id: not a BIGINT, or out of its range; the value starts with \
         `{\"user_id\":\"seven\",\"cURL\":\"/a\"}`; 'json.ignore-parse-errors' = 'true' would accept it"
    );
    for value in ["", "  ", "null", "5", "\"x\"", "{", "nonsense", "{\"user_id\":}"] {
        assert_eq!(strict(value).unwrap_err().field, None, "{value}");
        assert!(lenient(value).is_empty(), "{value}");
    }
    assert!(strict(" ").unwrap_err().reason.contains("blank"));
}

#[test]
fn ignored_errors_null_the_field() {
    assert_eq!(lenient(r#"{"user_id":"seven","cURL":"/a"}"#), [(None, Some("/a".to_owned()))]);
}

#[test]
fn a_failed_batch_leaves_nothing_behind() {
    let mut decoder = decoder(JsonOptions::default());
    let record = |value: &'static str| InputRecord { offset: 0, value: Some(value.as_bytes()) };
    let good = record(r#"{"user_id":7,"cURL":"/a"}"#);
    assert!(decoder.decode([good, record("x")].into_iter()).is_err());
    assert_eq!(decoder.decode([good].into_iter()).unwrap().num_rows(), 1);
}

proptest! {
    #[test]
    fn any_bytes_are_rows_or_an_error(value in proptest::collection::vec(any::<u8>(), 0..60)) {
        let record = InputRecord { offset: 0, value: Some(&value) };
        let _ = decoder(JsonOptions::default()).decode([record].into_iter());
    }

    #[test]
    fn any_json_like_text_is_rows_or_an_error(value in r#"[{}\[\]",:a-z0-9.eE+\\u \-]{0,60}"#) {
        for ignore_parse_errors in [false, true] {
            let options = JsonOptions { ignore_parse_errors, ..JsonOptions::default() };
            let result = rows(options, &[Some(&value), Some(&format!("{{\"user_id\":{value},\"cURL\":1}}"))]);
            prop_assert!(result.is_ok() || !ignore_parse_errors);
        }
    }
}
