//! The lines of Kafka's verifiable programs, as 4.3.1 prints them.

use super::*;
use crate::history::json::{Breach, Programs, Role};

const PRODUCER_LINES: &str = r#"
{"timestamp":1795551110793,"name":"startup_complete"}
{"timestamp":1795551111222,"name":"producer_send_success","key":"1","value":"1","offset":0,"topic":"clicks","partition":1}
[2026-11-24 20:11:51,000] WARN a line of a log
{"timestamp":1795551111121,"name":"producer_send_success","key":null,"value":"3.0","offset":-1,"topic":"clicks","partition":0}
{"timestamp":1795551121747,"name":"producer_send_error","topic":"clicks","key":null,"value":"3.2","exception":"class org.apache.kafka.common.errors.TimeoutException","message":"Topic clicks not present in metadata after 300 ms."}
{"timestamp":1795551121767,"name":"shutdown_complete"}
{"timestamp":1795551121769,"name":"tool_data","sent":3,"acked":2,"target_throughput":-1,"avg_throughput":0.0}
"#;

const CONSUMER_LINES: &str = r#"
{"timestamp":1795551112657,"name":"startup_complete"}
{"timestamp":1795551113512,"name":"partitions_assigned","partitions":[{"topic":"clicks","partition":0},{"topic":"clicks","partition":1}]}
{"timestamp":1795551113638,"name":"record_data","key":"0","value":"0","topic":"clicks","partition":0,"offset":0}
{"timestamp":1795551113655,"name":"record_data","key":"2","value":"2","topic":"clicks","partition":0,"offset":3}
{"timestamp":1795551113810,"name":"records_consumed","count":500,"partitions":[{"topic":"clicks","partition":0,"count":2,"minOffset":0,"maxOffset":3}]}
{"timestamp":1795551113812,"name":"offsets_committed","offsets":[{"topic":"clicks","partition":0,"offset":4}],"success":true}
{"timestamp":1795551113813,"name":"records_consumed","count":3,"partitions":[{"topic":"clicks","partition":1,"count":3,"minOffset":7,"maxOffset":9}]}
{"timestamp":1795551113814,"name":"offsets_committed","offsets":[{"topic":"clicks","partition":1,"offset":10}],"error":"The coordinator is not available.","success":false}
{"timestamp":1795551113817,"name":"partitions_revoked","partitions":[{"topic":"clicks","partition":0},{"topic":"clicks","partition":1}]}
{"timestamp":1795551113887,"name":"shutdown_complete"}
{"timestamp":1795551113891,"name":"shutdown_requested"}
"#;

fn producer() -> Role {
    Role::Producer { acks_all: true, idempotent: false }
}

fn consumer() -> Role {
    Role::Consumer { group: "g".into(), isolation: Isolation::ReadUncommitted }
}

fn told(role: &Role, lines: &str) -> Programs {
    let mut programs = Programs::default();
    programs.read(ClientId(1), role, lines).unwrap();
    programs
}

#[test]
fn the_lines_of_programs_are_one_history_by_their_clocks() {
    let mut programs = told(&producer(), PRODUCER_LINES);
    programs.read(ClientId(2), &consumer(), CONSUMER_LINES).unwrap();
    assert_eq!(programs.breaches(), []);
    let logs = programs.logs_of(ClientId(2));
    assert_eq!(logs[&clicks(0)].at(3).and_then(Entry::value), Some(Value(2)));
    let history = programs.into_history();
    let lines: Vec<String> = history.operations().map(|(_, operation)| operation.to_string()).collect();
    expect_test::expect![[r#"
        client 1, 0..0 us, ok: send value #d71409182237a2fc to clicks-0
        client 1, 101000..101000 us, ok: send value 1 to clicks-1, offset 0
        client 2, 2391000..2391000 us, ok: assigned in g clicks-0 clicks-1
        client 2, 2689000..2689000 us, ok: poll, 2 records, clicks-0 0 to clicks-0 3
        client 2, 2691000..2691000 us, ok: commit for g: clicks-0 4
        client 2, 2692000..2692000 us, ok: poll, 3 records, clicks-1 7 to clicks-1 9
        client 2, 2693000..2693000 us, unknown: commit for g: clicks-1 10
        client 2, 2696000..2696000 us, ok: revoked in g clicks-0 clicks-1
        client 2, 2766000..2766000 us, ok: close
        client 1, 10626000..10626000 us, unknown: send value #d7140b182237a662
        client 1, 10646000..10646000 us, ok: close"#]]
    .assert_eq(&lines.join("\n"));
    let records = |at: usize| history.operation(OperationId(at)).unwrap().action.as_poll().unwrap().records.clone();
    let values: Vec<Option<Value>> = records(3).iter().map(|read| read.value).collect();
    assert_eq!(values, [Some(Value(0)), Some(Value(2))]);
    let offsets: Vec<i64> = records(5).iter().map(|read| read.offset).collect();
    assert_eq!(offsets, [7, 8, 9]);
}

#[test]
fn a_program_that_does_not_do_as_it_says_is_named() {
    let breaches = |role: &Role, lines: &str| {
        let programs = told(role, lines);
        programs.breaches().iter().map(|(_, breach)| breach.clone()).collect::<Vec<Breach>>()
    };
    assert_eq!(breaches(&consumer(), ""), [Breach::NoShutdown]);
    let without_start = CONSUMER_LINES.replacen("startup_complete", "hello", 1);
    assert_eq!(breaches(&consumer(), &without_start), [Breach::Startup]);
    assert_eq!(
        breaches(&consumer(), &CONSUMER_LINES.repeat(2)),
        [Breach::Startup, Breach::AfterShutdown, Breach::AfterShutdown]
    );
    let miscounted = PRODUCER_LINES.replace(r#""acked":2"#, r#""acked":3"#);
    assert_eq!(breaches(&producer(), &miscounted), [Breach::Miscounted { what: "acked", declared: 3, told: 2 }]);
    let late = "\n{\"timestamp\":1,\"name\":\"producer_send_error\",\"value\":\"4\"}";
    assert_eq!(breaches(&producer(), &format!("{PRODUCER_LINES}{late}")), [Breach::AfterShutdown]);
}

#[test]
fn a_line_without_what_belongs_to_it_is_refused_by_its_number() {
    let refused = |role: &Role, line: &str| {
        let lines = format!("{{\"timestamp\":1,\"name\":\"startup_complete\"}}\n{line}");
        Programs::default().read(ClientId(1), role, &lines).unwrap_err().to_string()
    };
    let success = r#"{"timestamp":1,"name":"producer_send_success","value":"1","topic":"t","partition":99999999999}"#;
    assert_eq!(
        refused(&producer(), success),
        "line 2: producer_send_success: `partition` is no number, or out of range"
    );
    let assigned = r#"{"timestamp":1,"name":"partitions_assigned"}"#;
    assert_eq!(refused(&consumer(), assigned), "line 2: partitions_assigned: `partitions` is no list");
    let committed = r#"{"timestamp":1,"name":"offsets_committed","offsets":[]}"#;
    assert_eq!(refused(&consumer(), committed), "line 2: offsets_committed: `success` is not there");
    // Offsets that are not next to each other are only known one by one; a count that is made up allocates nothing.
    for (count, last) in [(2, 9), (i64::MAX, i64::MAX - 1)] {
        let summary = format!(r#"{{"topic":"t","partition":0,"count":{count},"minOffset":0,"maxOffset":{last}}}"#);
        let line = format!(r#"{{"timestamp":1,"name":"records_consumed","count":2,"partitions":[{summary}]}}"#);
        let error = refused(&consumer(), &line);
        assert!(error.ends_with("have offsets that only `--verbose` tells"), "{error}");
    }
    let lines = CONSUMER_LINES.replacen(r#""count":2"#, r#""count":4"#, 1);
    let error = Programs::default().read(ClientId(1), &consumer(), &lines).unwrap_err().to_string();
    assert_eq!(error, "line 6: records_consumed: 4 records are summed up, and 2 were told");
}

#[test]
fn what_is_no_event_is_passed_over() {
    for line in ["", "{", "[]", "null", "{\"name\":1}", "{\"name\":\"new_event\"}", &"[".repeat(10_000)] {
        let lines = CONSUMER_LINES.replacen(
            "\n{",
            &format!("\n{{\"timestamp\":1,\"name\":\"startup_complete\"}}\n{line}\n{{"),
            1,
        );
        let lines = lines.replacen("{\"timestamp\":1795551112657,\"name\":\"startup_complete\"}", "", 1);
        assert_eq!(told(&consumer(), &lines).breaches(), [], "{line}");
    }
}
