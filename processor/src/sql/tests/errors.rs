//! What each error looks like to a user: one screen at most.

use expect_test::{Expect, expect};

use super::{SELECT, TABLES};
use crate::sql::{Settings, plan_script};

fn error(text: &str, expected: &Expect) {
    let error = plan_script(text, &Settings::default()).expect_err("this text must be refused");
    let rendered = error.render("test.sql", false);
    assert!(rendered.lines().count() <= 20 && rendered.len() < 2_000, "more than a screen:\n{rendered}");
    expected.assert_eq(&rendered);
}

/// An error in an INSERT over the two tables.
fn insert_error(insert: &str, expected: &Expect) {
    error(&format!("{TABLES}{insert}"), expected);
}

/// An error in the WITH of a table.
fn option_error(options: &str, expected: &Expect) {
    error(&format!("CREATE TABLE t (a INT) WITH (\n  {options}\n)"), expected);
}

/// An error in the columns of a table.
fn column_error(columns: &str, expected: &Expect) {
    error(&format!("CREATE TABLE t (\n  {columns}\n) WITH ('connector'='kafka')"), expected);
}

#[test]
fn an_offset_argument_needs_backticks() {
    insert_error(
        "INSERT INTO top SELECT user_id FROM TABLE(TUMBLE(DATA => TABLE clicks, OFFSET => INTERVAL '1' MINUTE))",
        &expect![[r#"
            error: expected TIMECOL, SIZE or `OFFSET`, found `OFFSET`
             --> test.sql:6:72
              |
            6 | INSERT INTO top SELECT user_id FROM TABLE(TUMBLE(DATA => TABLE clicks, OFFSET => INTERVAL '1' MINUTE))
              |                                                                        ^^^^^^
              |
              = help: OFFSET is a reserved word; as a name it needs backticks: `OFFSET`"#]],
    );
}

#[test]
fn client_properties_are_refused_where_they_stand() {
    let with = |property: &str| {
        format!(
            "'connector'='kafka', 'topic'='t', 'format'='json', 'properties.bootstrap.servers'='a:1',\n  {property}"
        )
    };
    // It may be a misspelt password: its value is not shown.
    option_error(
        &with("'properties.grup.id'='top'"),
        &expect![[r#"
        error: unknown property 'grup.id'
         --> test.sql:3:3
          |
        3 |   'properties.grup.id'='***'
          |   ^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean 'group.id'?"#]],
    );
    option_error(
        &with("'properties.request.timeout.ms' = 'soon'"),
        &expect![[r#"
        error: property 'request.timeout.ms' cannot be 'soon': not a whole number in range
         --> test.sql:3:3
          |
        3 |   'properties.request.timeout.ms' = 'soon'
          |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: how long a broker may take for an answer, in milliseconds (default: 30000)"#]],
    );
    option_error(
        &with("'properties.security.protocol'='TLS'"),
        &expect![[r#"
        error: property 'security.protocol' cannot be 'TLS': not one of these
         --> test.sql:3:3
          |
        3 |   'properties.security.protocol'='TLS'
          |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: how connections are secured: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL (default: PLAINTEXT)"#]],
    );
}

#[test]
fn a_client_property_that_is_set_outside_is_not_asked_about() {
    let settings = Settings::default().set("properties.bootstrap.servers", "a:1").unwrap();
    let text = format!("{TABLES}{SELECT}").replace("b:9092", "b:port of your own");
    assert!(plan_script(&text, &Settings::default()).is_err());
    assert!(plan_script(&text, &settings).is_ok());
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    let wrong = |from: &str, to: &str| SELECT.replacen(from, to, 1);
    insert_error(
        &wrong("cURL", "curl"),
        &expect![[r#"
        error: unknown column curl in table clicks
         --> test.sql:6:39
          |
        6 | INSERT INTO top SELECT user_id, COUNT(curl), window_start, window_end
          |                                       ^^^^ did you mean 'cURL'?"#]],
    );
    insert_error(
        &wrong("TABLE clicks", "TABLE click"),
        &expect![[r#"
        error: unknown table click
         --> test.sql:7:25
          |
        7 | FROM TABLE(TUMBLE(TABLE click, DESCRIPTOR(proctime), INTERVAL '30' MINUTE))
          |                         ^^^^^ did you mean 'clicks'?"#]],
    );
    insert_error(
        &wrong("INTO top", "INTO bottom_of_list"),
        &expect![[r#"
        error: unknown table bottom_of_list
         --> test.sql:6:13
          |
        6 | INSERT INTO bottom_of_list SELECT user_id, COUNT(cURL), window_start, window_end
          |             ^^^^^^^^^^^^^^
          |
          = help: known here: clicks, top"#]],
    );
    insert_error(
        &wrong("COUNT", "COUMT"),
        &expect![[r#"
        error: no function `COUMT` is supported here
         --> test.sql:6:33
          |
        6 | INSERT INTO top SELECT user_id, COUMT(cURL), window_start, window_end
          |                                 ^^^^^ did you mean 'COUNT'?"#]],
    );
    insert_error(
        &wrong("TUMBLE", "TUMBEL"),
        &expect![[r#"
        error: unknown window function `TUMBEL`
         --> test.sql:7:12
          |
        7 | FROM TABLE(TUMBEL(TABLE clicks, DESCRIPTOR(proctime), INTERVAL '30' MINUTE))
          |            ^^^^^^ did you mean 'TUMBLE'?"#]],
    );
    insert_error(
        &wrong("(proctime)", "(proc_time)"),
        &expect![[r#"
        error: unknown column proc_time in table clicks
         --> test.sql:7:44
          |
        7 | FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(proc_time), INTERVAL '30' MINUTE))
          |                                            ^^^^^^^^^ did you mean 'proctime'?"#]],
    );
    insert_error(
        &wrong("SELECT user_id", "SELECT top.user_id"),
        &expect![[r#"
        error: unknown table top in front of a column
         --> test.sql:6:24
          |
        6 | INSERT INTO top SELECT top.user_id, COUNT(cURL), window_start, window_end
          |                        ^^^
          |
          = help: a window function has no name of its own: leave it out, or give one with AS"#]],
    );
}

#[test]
fn what_is_not_supported_yet_is_named() {
    let wrong = |from: &str, to: &str| SELECT.replacen(from, to, 1);
    insert_error(
        &wrong("COUNT(cURL)", "SUM(user_id)"),
        &expect![[r#"
            error: SUM is not supported yet
             --> test.sql:6:33
              |
            6 | INSERT INTO top SELECT user_id, SUM(user_id), window_start, window_end
              |                                 ^^^
              |
              = help: supported: COUNT(column), COUNT(*)"#]],
    );
    insert_error(
        &wrong("COUNT(cURL)", "COUNT(DISTINCT cURL)"),
        &expect![[r#"
        error: COUNT(DISTINCT ...) is not supported yet
         --> test.sql:6:39
          |
        6 | INSERT INTO top SELECT user_id, COUNT(DISTINCT cURL), window_start, window_end
          |                                       ^^^^^^^^"#]],
    );
    insert_error(
        &wrong("COUNT(cURL)", "user_id + 1"),
        &expect![[r#"
        error: expected `,` or FROM, found `+`
         --> test.sql:6:41
          |
        6 | INSERT INTO top SELECT user_id, user_id + 1, window_start, window_end
          |                                         ^
          |
          = help: SELECT takes columns and COUNT so far, no expressions"#]],
    );
    insert_error(
        &wrong("GROUP", "WHERE user_id > 3 GROUP"),
        &expect![[r#"
        error: WHERE is not supported yet
         --> test.sql:8:1
          |
        8 | WHERE user_id > 3 GROUP BY window_start, window_end, user_id;
          | ^^^^^"#]],
    );
    insert_error(
        &wrong("TUMBLE", "HOP"),
        &expect![[r#"
            error: HOP windows are not supported yet
             --> test.sql:7:12
              |
            7 | FROM TABLE(HOP(TABLE clicks, DESCRIPTOR(proctime), INTERVAL '30' MINUTE))
              |            ^^^
              |
              = help: supported: TUMBLE"#]],
    );
    insert_error(
        "INSERT INTO top SELECT user_id FROM clicks",
        &expect![[r#"
        error: a SELECT without a window is not supported yet
         --> test.sql:6:37
          |
        6 | INSERT INTO top SELECT user_id FROM clicks
          |                                     ^^^^^^
          |
          = help: FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(proctime), INTERVAL '1' MINUTE)) reads a table in windows"#]],
    );
    insert_error(
        "CREATE VIEW v AS SELECT 1",
        &expect![[r#"
            error: CREATE VIEW is not supported yet
             --> test.sql:6:8
              |
            6 | CREATE VIEW v AS SELECT 1
              |        ^^^^
              |
              = help: supported: CREATE [TEMPORARY] TABLE [IF NOT EXISTS]"#]],
    );
    insert_error(
        "INSERT INTO top /*+ OPTIONS('a'='b') */ SELECT 1",
        &expect![[r#"
        error: hints (`/*+ ... */`) are not supported yet
         --> test.sql:6:17
          |
        6 | INSERT INTO top /*+ OPTIONS('a'='b') */ SELECT 1
          |                 ^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write the options into the table's WITH (...)"#]],
    );
}

#[test]
fn a_window_needs_its_bounds_in_group_by_and_a_sensible_size() {
    let wrong = |from: &str, to: &str| SELECT.replacen(from, to, 1);
    insert_error(
        &wrong("BY window_start, window_end,", "BY window_start,"),
        &expect![[r#"
        error: a windowed SELECT must group by window_start and window_end
         --> test.sql:8:10
          |
        8 | GROUP BY window_start, user_id;
          |          ^^^^^^^^^^^^^^^^^^^^^ add to GROUP BY: window_end
          |
          = help: without both, Flink plans a result that is updated row by row, which a kafka table cannot take"#]],
    );
    insert_error(
        &wrong("\nGROUP BY window_start, window_end, user_id", ""),
        &expect![[r#"
        error: a windowed SELECT must group by window_start and window_end
         --> test.sql:7:77
          |
        7 | FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(proctime), INTERVAL '30' MINUTE));
          |                                                                             ^ add GROUP BY window_start, window_end
          |
          = help: without both, Flink plans a result that is updated row by row, which a kafka table cannot take"#]],
    );
    insert_error(
        &wrong(", user_id;", ";"),
        &expect![[r#"
            error: column user_id must stand in GROUP BY or in COUNT
             --> test.sql:6:24
              |
            6 | INSERT INTO top SELECT user_id, COUNT(cURL), window_start, window_end
              |                        ^^^^^^^
              |
              = help: add user_id to GROUP BY to get a row for each of its values, or select COUNT(user_id)"#]],
    );
    insert_error(
        &wrong("MINUTE", "MONTH"),
        &expect![[r#"
        error: a window cannot be measured in MONTH
         --> test.sql:7:69
          |
        7 | FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(proctime), INTERVAL '30' MONTH))
          |                                                                     ^^^^^
          |
          = help: use SECOND, MINUTE, HOUR or DAY"#]],
    );
    insert_error(
        &wrong("'30'", "'0'"),
        &expect![[r#"
        error: a window's size must be above zero
         --> test.sql:7:55
          |
        7 | FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(proctime), INTERVAL '0' MINUTE))
          |                                                       ^^^^^^^^^^^^^^^^^^^"#]],
    );
    insert_error(
        &wrong("(proctime)", "(user_id)"),
        &expect![[r#"
        error: column user_id (BIGINT) is not a time that windows can cut
         --> test.sql:7:44
          |
        7 | FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(user_id), INTERVAL '30' MINUTE))
          |                                            ^^^^^^^
          |
          = help: declare `proctime AS PROCTIME()` in clicks; event time is not supported yet"#]],
    );
}

#[test]
fn what_is_written_must_fit_the_sink() {
    let wrong = |from: &str, to: &str| SELECT.replacen(from, to, 1);
    insert_error(
        &wrong("user_id, COUNT(cURL)", "COUNT(cURL)"),
        &expect![[r#"
        error: table top takes 4 columns, SELECT gives 3
         --> test.sql:6:17
          |
        6 | INSERT INTO top SELECT COUNT(cURL), window_start, window_end
          |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: by position: user_id, cnt, window_start, window_end"#]],
    );
    insert_error(
        &wrong("window_start, window_end", "window_start, user_id"),
        &expect![[r#"
        error: column window_end takes TIMESTAMP(3), SELECT gives BIGINT
         --> test.sql:6:60
          |
        6 | INSERT INTO top SELECT user_id, COUNT(cURL), window_start, user_id
          |                                                            ^^^^^^^
          |
          = help: declare window_end as BIGINT in table top; casts are not supported yet"#]],
    );
    let strict = TABLES.replace("TABLE top (user_id BIGINT", "TABLE top (user_id BIGINT NOT NULL");
    error(
        &format!("{strict}{SELECT}"),
        &expect![[r#"
        error: column user_id is BIGINT NOT NULL, but what SELECT gives it may be NULL
         --> test.sql:6:24
          |
        6 | INSERT INTO top SELECT user_id, COUNT(cURL), window_start, window_end
          |                        ^^^^^^^
          |
          = help: Flink checks such columns row by row; that is not supported yet: drop NOT NULL in the sink"#]],
    );
}

#[test]
fn options_are_checked_by_name_and_value() {
    option_error(
        "'connector'='kafka', 'topik'='t', 'format'='json'",
        &expect![[r#"
        error: unknown option 'topik'
         --> test.sql:2:24
          |
        2 |   'connector'='kafka', 'topik'='t', 'format'='json'
          |                        ^^^^^^^ did you mean 'topic'?"#]],
    );
    option_error(
        "'connector'='print'",
        &expect![[r#"
            error: connector 'print' is not supported yet
             --> test.sql:2:15
              |
            2 |   'connector'='print'
              |               ^^^^^^^
              |
              = help: supported: 'kafka'"#]],
    );
    option_error(
        "'connector'='kafak'",
        &expect![[r#"
        error: unknown connector 'kafak'
         --> test.sql:2:15
          |
        2 |   'connector'='kafak'
          |               ^^^^^^^ did you mean 'kafka'?"#]],
    );
    option_error(
        "'connector'='kafka', 'topic'='t', 'format'='avro'",
        &expect![[r#"
            error: format 'avro' is not supported yet
             --> test.sql:2:46
              |
            2 |   'connector'='kafka', 'topic'='t', 'format'='avro'
              |                                              ^^^^^^
              |
              = help: supported: 'json'"#]],
    );
    option_error(
        "'connector'='kafka', 'format'='json'",
        &expect![[r#"
            error: table t lacks the option 'topic'
             --> test.sql:1:14
              |
            1 | CREATE TABLE t (a INT) WITH (
              |              ^
              |
              = help: add 'topic' = '...' to its WITH"#]],
    );
    let full = "'connector'='kafka', 'topic'='t', 'format'='json', 'properties.bootstrap.servers'='b:1',\n  ";
    option_error(
        &format!("{full}'scan.startup.mode'='earliest'"),
        &expect![[r#"
            error: 'scan.startup.mode' cannot be 'earliest'
             --> test.sql:3:23
              |
            3 |   'scan.startup.mode'='earliest'
              |                       ^^^^^^^^^^ did you mean 'earliest-offset'?"#]],
    );
    option_error(
        &format!("{full}'scan.startup.mode'='timestamp'"),
        &expect![[r#"
        error: 'scan.startup.mode' = 'timestamp' is not supported yet
         --> test.sql:3:23
          |
        3 |   'scan.startup.mode'='timestamp'
          |                       ^^^^^^^^^^^
          |
          = help: supported: group-offsets, earliest-offset, latest-offset"#]],
    );
    option_error(
        &format!("{full}'value.json.ignore-parse-errors'='true'"),
        &expect![[r#"
            error: option 'value.json.ignore-parse-errors' does not belong to this table's format
             --> test.sql:3:3
              |
            3 |   'value.json.ignore-parse-errors'='true'
              |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean 'json.ignore-parse-errors'?"#]],
    );
    option_error(
        &format!("{full}'sink.partitioner'='fixed'"),
        &expect![[r#"
        error: option 'sink.partitioner' is not supported yet
         --> test.sql:3:3
          |
        3 |   'sink.partitioner'='fixed'
          |   ^^^^^^^^^^^^^^^^^^"#]],
    );
    option_error(
        &format!("{full}'json.ignore-parse-error'='true'"),
        &expect![[r#"
        error: unknown option 'json.ignore-parse-error'
         --> test.sql:3:3
          |
        3 |   'json.ignore-parse-error'='true'
          |   ^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean 'json.ignore-parse-errors'?"#]],
    );
    option_error(
        "'connector'='kafka', 'topic'='t', 'format'='json'",
        &expect![[r#"
        error: table t names no broker
         --> test.sql:1:14
          |
        1 | CREATE TABLE t (a INT) WITH (
          |              ^
          |
          = help: add 'properties.bootstrap.servers' = 'host:9092' to its WITH"#]],
    );
}

#[test]
fn columns_are_checked() {
    column_error(
        "a BIGNT",
        &expect![[r#"
        error: unknown type `BIGNT`
         --> test.sql:2:5
          |
        2 |   a BIGNT
          |     ^^^^^ did you mean 'BIGINT'?"#]],
    );
    column_error(
        "a VARCHAR(10)",
        &expect![[r#"
        error: type VARCHAR is not supported yet
         --> test.sql:2:5
          |
        2 |   a VARCHAR(10)
          |     ^^^^^^^
          |
          = help: STRING is text of any length"#]],
    );
    column_error(
        "user STRING",
        &expect![[r#"
        error: expected a column's name, found `user`
         --> test.sql:2:3
          |
        2 |   user STRING
          |   ^^^^
          |
          = help: user is a reserved word; as a name it needs backticks: `user`"#]],
    );
    column_error(
        "ts TIMESTAMP(3), WATERMARK FOR ts AS ts",
        &expect![[r#"
        error: WATERMARK: event time is not supported yet
         --> test.sql:2:20
          |
        2 |   ts TIMESTAMP(3), WATERMARK FOR ts AS ts
          |                    ^^^^^^^^^
          |
          = help: windows run on processing time: declare a column `proctime AS PROCTIME()`"#]],
    );
    column_error(
        "o BIGINT METADATA FROM 'offset' VIRTUAL",
        &expect![[r#"
        error: metadata columns are not supported yet
         --> test.sql:2:12
          |
        2 |   o BIGINT METADATA FROM 'offset' VIRTUAL
          |            ^^^^^^^^"#]],
    );
    column_error(
        "a INT, b AS a + 1",
        &expect![[r#"
        error: a computed column can only be PROCTIME() so far
         --> test.sql:2:15
          |
        2 |   a INT, b AS a + 1
          |               ^"#]],
    );
    column_error(
        "a INT, PRIMARY KEY (a) NOT ENFORCED",
        &expect![[r#"
        error: a kafka table cannot have a PRIMARY KEY
         --> test.sql:2:10
          |
        2 |   a INT, PRIMARY KEY (a) NOT ENFORCED
          |          ^^^^^^^
          |
          = help: its rows are only ever appended, so nothing would keep the key unique; Flink refuses it too"#]],
    );
}

#[test]
fn broken_texts_are_refused() {
    error(
        "",
        &expect![[r#"
        error: there is nothing to run: the file has no INSERT INTO
         --> test.sql:1:1
          |
        1 |
          | ^"#]],
    );
    error(
        "CREATE TABEL t (a INT)",
        &expect![[r#"
        error: expected TABLE, found `TABEL`
         --> test.sql:1:8
          |
        1 | CREATE TABEL t (a INT)
          |        ^^^^^"#]],
    );
    error(
        "SET 'table.local-time-zone' = 'Mars'",
        &expect![[r#"
        error: unknown time zone 'Mars'; names are written as 'Europe/Berlin' or 'UTC'
         --> test.sql:1:5
          |
        1 | SET 'table.local-time-zone' = 'Mars'
          |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"#]],
    );
    error(
        "SET 'a' = 'never closed",
        &expect![[r#"
        error: Unterminated string literal
         --> test.sql:1:11
          |
        1 | SET 'a' = 'never closed
          |           ^"#]],
    );
    error(
        "SET \"a\" = 'b'",
        &expect![[r#"
        error: expected a setting's name in quotes, as 'table.local-time-zone', found `"a"`
         --> test.sql:1:5
          |
        1 | SET "a" = 'b'
          |     ^^^
          |
          = help: Flink SQL writes strings in single quotes and quoted names in backticks"#]],
    );
}
