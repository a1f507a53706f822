//! The reference file and its variants plan, and no text makes us panic. What errors look like: `tests/errors.rs`.

mod errors;

use expect_test::expect;
use proptest::prelude::*;

use super::{Settings, plan_script};
use crate::plan::Plan;

const REFERENCE: &str = include_str!("../../../examples/top_users.sql");

/// Two tables, so that the tests below write only what they are about.
const TABLES: &str = "CREATE TABLE clicks (user_id BIGINT, cURL STRING, proctime AS PROCTIME())
  WITH ('connector'='kafka', 'topic'='clicks', 'properties.bootstrap.servers'='b:9092',
        'scan.startup.mode'='earliest-offset', 'format'='json');
CREATE TABLE top (user_id BIGINT, cnt BIGINT, window_start TIMESTAMP(3), window_end TIMESTAMP(3))
  WITH ('connector'='kafka', 'topic'='top', 'properties.bootstrap.servers'='b:9092', 'format'='json');
";

const SELECT: &str = "INSERT INTO top SELECT user_id, COUNT(cURL), window_start, window_end
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(proctime), INTERVAL '30' MINUTE))
GROUP BY window_start, window_end, user_id;";

fn plan(text: &str) -> Plan {
    plan_script(text, &Settings::default()).unwrap_or_else(|error| panic!("{}", error.render("test.sql", false)))
}

fn plans_as_the_reference(insert: &str) {
    assert_eq!(plan(&format!("{TABLES}{insert}")), plan(&format!("{TABLES}{SELECT}")), "{insert}");
}

#[test]
fn the_reference_file_plans() {
    expect![[r#"
        Insert into top_users: kafka topic top_users, json
              user_id BIGINT, cnt BIGINT, window_start TIMESTAMP(3), window_end TIMESTAMP(3)
        └─ Project
              user_id BIGINT, cnt BIGINT NOT NULL, window_start TIMESTAMP(3) NOT NULL, window_end TIMESTAMP(3) NOT NULL
           └─ WindowAggregate: TUMBLE(size 30 min) on proctime (processing time)
                 keys: user_id BIGINT
                 cnt: COUNT(cURL) BIGINT NOT NULL
              └─ Scan user_clicks: kafka topic user_clicks, json, from earliest
                    user_id BIGINT, cURL STRING
    "#]]
    .assert_eq(&plan(REFERENCE).to_string());
}

#[test]
fn a_bounded_scan_says_where_it_ends() {
    let text = REFERENCE.replace("'earliest-offset'", "'earliest-offset', 'scan.bounded.mode'='latest-offset'");
    expect![[r#"
        Insert into top_users: kafka topic top_users, json
              user_id BIGINT, cnt BIGINT, window_start TIMESTAMP(3), window_end TIMESTAMP(3)
        └─ Project
              user_id BIGINT, cnt BIGINT NOT NULL, window_start TIMESTAMP(3) NOT NULL, window_end TIMESTAMP(3) NOT NULL
           └─ WindowAggregate: TUMBLE(size 30 min) on proctime (processing time)
                 keys: user_id BIGINT
                 cnt: COUNT(cURL) BIGINT NOT NULL
              └─ Scan user_clicks: kafka topic user_clicks, json, from earliest to the end at start-up
                    user_id BIGINT, cURL STRING
    "#]]
    .assert_eq(&plan(&text).to_string());
}

#[test]
fn count_of_every_row_without_keys_reads_no_column() {
    let text = format!(
        "{TABLES}CREATE TABLE totals (n BIGINT NOT NULL, till TIMESTAMP(3)) WITH ('connector'='kafka',
         'topic'='totals', 'properties.bootstrap.servers'='b:9092', 'value.format'='json',
         'value.json.ignore-parse-errors'='true');
         INSERT INTO totals SELECT COUNT(*) AS n, window_end FROM
         TUMBLE(TABLE clicks, DESCRIPTOR(proctime), INTERVAL '0.5' SECOND, INTERVAL -'0.1' SECONDS)
         GROUP BY window_end, window_start"
    );
    expect![[r#"
        Insert into totals: kafka topic totals, json
              n BIGINT NOT NULL, till TIMESTAMP(3)
        └─ Project
              n BIGINT NOT NULL, window_end TIMESTAMP(3) NOT NULL
           └─ WindowAggregate: TUMBLE(size 500 ms, offset -100 ms) on proctime (processing time)
                 keys: no column
                 n: COUNT(*) BIGINT NOT NULL
              └─ Scan clicks: kafka topic clicks, json, from earliest
                    no column
    "#]]
    .assert_eq(&plan(&text).to_string());
}

#[test]
fn keywords_have_no_case_and_names_may_be_quoted() {
    plans_as_the_reference(
        "insert into `top` select `user_id`, count(`cURL`), window_start, window_end -- a comment
         from table(tumble(table `clicks`, descriptor(`proctime`), interval '30' minutes)) /* another; */
         group by user_id, window_end, window_start, user_id",
    );
}

#[test]
fn window_arguments_may_be_named() {
    plans_as_the_reference(
        "INSERT INTO top SELECT user_id, COUNT(cURL), window_start, window_end FROM TABLE(TUMBLE(
           DATA => TABLE clicks, SIZE => INTERVAL '30' MINUTE, TIMECOL => DESCRIPTOR(proctime),
           `OFFSET` => INTERVAL '0' MINUTE)) GROUP BY window_start, window_end, user_id",
    );
}

#[test]
fn a_column_list_sends_values_by_name() {
    let text = "INSERT INTO top (window_end, cnt, user_id, window_start)
         SELECT w.window_end, COUNT(w.cURL) AS c, w.user_id, w.window_start
         FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(proctime), INTERVAL '30' MINUTE)) AS w
         GROUP BY w.window_start, w.window_end, w.user_id";
    let plan = plan(&format!("{TABLES}{text}"));
    let names: Vec<_> = plan.pipelines[0].root.outputs().into_iter().map(|output| output.name).collect();
    assert_eq!(names, ["user_id", "c", "window_start", "window_end"]);
}

#[test]
fn a_statement_set_is_several_pipelines() {
    let plan = plan(&format!("{TABLES}EXECUTE STATEMENT SET BEGIN {SELECT} {SELECT} END;"));
    assert_eq!(plan.pipelines.len(), 2);
}

#[test]
fn settings_from_outside_win() {
    let outside = Settings::default().set("properties.bootstrap.servers", "other:1").unwrap();
    let outside = outside.set("table.local-time-zone", "UTC").unwrap();
    let text = format!("SET 'table.local-time-zone' = 'UTC';{REFERENCE}");
    let plan = plan_script(&text, &outside).unwrap();
    assert_eq!(plan.local_time_zone.as_deref(), Some("UTC"));
    assert_eq!(plan.pipelines[0].sink.options.properties["bootstrap.servers"], "other:1");
    assert_eq!(plan.pipelines[0].scan().table.options.properties["bootstrap.servers"], "other:1");
}

#[test]
fn an_error_in_a_huge_line_still_fits_a_screen() {
    let text = format!("SELECT {}", "x".repeat(100_000));
    let rendered = plan_script(&text, &Settings::default()).unwrap_err().render("test.sql", false);
    assert!(rendered.len() < 2_000, "{} bytes", rendered.len());
    let text = format!("CREATE TABLE t (a {}", "x".repeat(100_000));
    let rendered = plan_script(&text, &Settings::default()).unwrap_err().render("test.sql", false);
    assert!(rendered.len() < 2_000, "{} bytes", rendered.len());
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    for deep in ["(", "SELECT COUNT(", "/*", "TABLE(", "`", "CASE "] {
        let text = format!("INSERT INTO t {}", deep.repeat(100_000));
        assert!(plan_script(&text, &Settings::default()).is_err());
    }
}

#[test]
fn a_list_without_end_is_refused_at_once() {
    let text = format!("CREATE TABLE t ({}", (0..300_000).map(|n| format!("c{n} INT,")).collect::<String>());
    let error = plan_script(&text, &Settings::default()).unwrap_err();
    assert_eq!(error.message(), "a list has at most 4096 elements");
}

fn token() -> impl Strategy<Value = String> {
    let words = REFERENCE.split_inclusive([' ', '(', ')', ',', '\n', '=', ';']).map(str::to_owned);
    let odd =
        ["'", "`", "\"", "/*", "*/", "--", "=>", "INTERVAL", "NOT NULL", "\u{e9}", "\u{1f600}", "\0", "1e9", "-", "."];
    prop::sample::select(words.chain(odd.map(str::to_owned)).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn no_soup_of_tokens_panics(tokens in prop::collection::vec(token(), 0..60)) {
        if let Err(error) = plan_script(&tokens.join(" "), &Settings::default()) {
            error.render("test.sql", false);
        }
    }

    #[test]
    fn no_mutation_of_the_reference_panics(at in 0..REFERENCE.len(), cut in 0usize..40, put in token()) {
        let end = REFERENCE.len().min(at + cut);
        let text = format!("{}{put}{}", &REFERENCE[..at], &REFERENCE[end..]);
        if let Err(error) = plan_script(&text, &Settings::default()) {
            error.render("test.sql", false);
        }
    }
}
