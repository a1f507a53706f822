use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::plan::Plan;

const SIZE_MS: i64 = 1_800_000;

fn task_of(select: &str) -> Task {
    let plan = Plan::from_sql(&format!(
        "CREATE TABLE clicks (user_id BIGINT, url STRING, price DOUBLE, at AS PROCTIME()) WITH ('connector'='kafka',
             'topic'='clicks', 'properties.bootstrap.servers'='x:1', 'scan.startup.mode'='earliest-offset', 'format'='json');
         {select}"
    ));
    Task::new(&plan.unwrap_or_else(|error| panic!("{error}")).pipelines[0], &TimeZone::UTC)
}

fn sink(columns: &str) -> String {
    format!(
        "CREATE TABLE sink ({columns}) WITH ('connector'='kafka', 'topic'='sink',
             'properties.bootstrap.servers'='x:1', 'format'='json');"
    )
}

/// Counts per user.
fn counting() -> Task {
    task_of(&format!(
        "{} INSERT INTO sink SELECT user_id, COUNT(url), window_start FROM
             TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '30' MINUTE)) GROUP BY window_start, window_end, user_id",
        sink("user_id BIGINT, cnt BIGINT, window_start TIMESTAMP(3)")
    ))
}

fn give(task: &mut Task, partition: i32, first: i64, values: &[&str], now_ms: i64) -> Result<(), RecordError> {
    let records = values.iter().zip(first..);
    task.handle_records(
        partition,
        records.map(|(value, offset)| InputRecord { offset, value: Some(value.as_bytes()) }),
        now_ms,
    )
}

fn close(task: &mut Task, now_ms: i64) -> Vec<ClosedWindow> {
    let mut closed = Vec::new();
    task.poll(now_ms, &mut closed);
    closed
}

fn texts(window: &ClosedWindow) -> Vec<String> {
    window.values.iter().map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

#[test]
fn a_window_closes_when_its_time_has_come() {
    let mut task = counting();
    give(&mut task, 0, 5, &[r#"{"user_id":7,"url":"/a"}"#, r#"{"user_id":7}"#, r#"{"user_id":8,"url":"/"}"#], 10)
        .unwrap();
    give(&mut task, 1, 0, &[r#"{"user_id":7,"url":"/b"}"#], 20).unwrap();
    let mut closed = Vec::new();
    assert_eq!(task.poll(30, &mut closed), Some(SIZE_MS));
    assert_eq!(task.safe_offsets(), [(0, 5), (1, 0)]);
    // A row of the next window, while this one has not been closed yet.
    give(&mut task, 0, 8, &[r#"{"user_id":9,"url":"/c"}"#], SIZE_MS).unwrap();
    assert_eq!(task.poll(SIZE_MS, &mut closed), Some(2 * SIZE_MS));
    let [window] = &closed[..] else { panic!("{closed:?}") };
    let expected = [
        r#"{"user_id":7,"cnt":2,"window_start":"1970-01-01 00:00:00"}"#,
        r#"{"user_id":8,"cnt":1,"window_start":"1970-01-01 00:00:00"}"#,
    ];
    assert_eq!(texts(window), expected);
    assert_eq!((window.start_ms, window.end_ms, window.rows), (0, SIZE_MS, 2));
    assert_eq!((&*window.start, &*window.end), ("1970-01-01 00:00:00", "1970-01-01 00:30:00"));
    let range = |partition, first, next| InputRange { partition, first, next };
    assert_eq!(window.inputs, [range(0, 5, 8), range(1, 0, 1)]);
    assert_eq!(task.safe_offsets(), [(0, 8), (1, 1)]);
    assert_eq!(task.poll(2 * SIZE_MS, &mut closed), None);
    assert_eq!(task.safe_offsets(), [(0, 9), (1, 1)]);
}

#[test]
fn what_is_not_polled_yet_is_not_safe_either() {
    let mut task = counting();
    give(&mut task, 3, 40, &["{}"], 10).unwrap();
    assert_eq!(task.safe_offsets(), [(3, 40)]);
}

#[test]
fn a_batch_that_does_not_parse_counts_for_nothing() {
    let mut task = counting();
    let error = give(&mut task, 0, 5, &[r#"{"user_id":7,"url":"/a"}"#, "x"], 10).unwrap_err();
    assert_eq!(error.offset, 6);
    assert!(task.safe_offsets().is_empty());
    assert!(close(&mut task, SIZE_MS).is_empty());
}

#[test]
fn tombstones_and_gaps_belong_to_the_window_they_were_read_in() {
    let mut task = counting();
    give(&mut task, 0, 5, &[r#"{"user_id":7,"url":"/a"}"#], 10).unwrap();
    // Compaction took 6 to 8.
    task.handle_records(0, [InputRecord { offset: 9, value: None }], 20).unwrap();
    let closed = close(&mut task, SIZE_MS);
    assert_eq!(closed[0].inputs, [InputRange { partition: 0, first: 5, next: 10 }]);
    task.handle_records(0, [InputRecord { offset: 12, value: None }], SIZE_MS).unwrap();
    let closed = close(&mut task, 2 * SIZE_MS);
    assert_eq!((closed[0].rows, closed[0].values.len()), (0, 0));
    assert_eq!(closed[0].inputs, [InputRange { partition: 0, first: 10, next: 13 }]);
}

#[test]
fn without_a_key_there_is_one_row_and_without_rows_none() {
    let mut task = task_of(&format!(
        "{} INSERT INTO sink SELECT COUNT(*), COUNT(price) FROM
             TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '30' MINUTE)) GROUP BY window_start, window_end",
        sink("a BIGINT, b BIGINT")
    ));
    give(&mut task, 0, 0, &["{}", r#"{"price":2}"#, r#"{"price":null}"#], 10).unwrap();
    give(&mut task, 1, 0, &["{}"], 11).unwrap();
    assert_eq!(texts(&close(&mut task, SIZE_MS)[0]), [r#"{"a":4,"b":1}"#]);
    assert!(close(&mut task, 9 * SIZE_MS).is_empty());
}

#[test]
fn keys_of_several_types_with_null_among_them() {
    let mut task = task_of(&format!(
        "{} INSERT INTO sink SELECT price, url, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at),
             INTERVAL '30' MINUTE)) GROUP BY window_start, window_end, url, price",
        sink("price DOUBLE, url STRING, n BIGINT")
    ));
    let values = [r#"{"url":"/a","price":1}"#, r#"{"url":"/a"}"#, r#"{"url":"/a","price":1.0}"#, "{}"];
    give(&mut task, 0, 0, &values, 10).unwrap();
    give(&mut task, 1, 0, &values[1..2], 10).unwrap();
    let mut rows = texts(&close(&mut task, SIZE_MS)[0]);
    rows.sort();
    let expected = [
        r#"{"price":1.0,"url":"/a","n":2}"#,
        r#"{"price":null,"url":"/a","n":2}"#,
        r#"{"price":null,"url":null,"n":1}"#,
    ];
    assert_eq!(rows, expected);
}

#[test]
fn after_a_reset_nothing_is_left() {
    let mut task = counting();
    give(&mut task, 0, 0, &["{}"], 10).unwrap();
    task.poll(20, &mut Vec::new());
    give(&mut task, 0, 1, &["{}"], 30).unwrap();
    task.reset();
    assert!(task.safe_offsets().is_empty());
    assert!(close(&mut task, SIZE_MS).is_empty());
    // Read again from an earlier place.
    give(&mut task, 0, 0, &["{}"], SIZE_MS).unwrap();
    assert_eq!(close(&mut task, 2 * SIZE_MS)[0].inputs, [InputRange { partition: 0, first: 0, next: 1 }]);
}

/// One step of the world: a batch of users read from a partition, a while later, and whether there is a commit then.
#[derive(Clone, Debug)]
struct Step {
    partition: i32,
    users: Vec<i64>,
    later_ms: i64,
    polls: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..3_i32, proptest::collection::vec(0..5_i64, 1..6), 0..SIZE_MS, any::<bool>());
    proptest::collection::vec(
        step.prop_map(|(partition, users, later_ms, polls)| Step { partition, users, later_ms, polls }),
        1..30,
    )
}

/// (window start, user) -> count
type Counts = BTreeMap<(i64, i64), i64>;

fn count(closed: &[ClosedWindow], counts: &mut Counts) {
    for window in closed {
        for value in window.values.iter() {
            let row: serde_json::Value = serde_json::from_slice(value).unwrap();
            let key = (window.start_ms, row["user_id"].as_i64().unwrap());
            assert!(counts.insert(key, row["cnt"].as_i64().unwrap()).is_none(), "{key:?} came twice");
        }
    }
}

proptest! {
    #[test]
    fn counts_are_those_of_the_model_and_every_offset_is_covered_once(steps in steps()) {
        let mut task = counting();
        let (mut model, mut counts) = (Counts::new(), Counts::new());
        let (mut now_ms, mut next, mut covered) = (0, [0_i64; 3], [0_i64; 3]);
        let mut all_closed = Vec::new();
        for Step { partition, users, later_ms, polls } in steps {
            now_ms += later_ms;
            let values: Vec<String> = users.iter().map(|user| format!(r#"{{"user_id":{user},"url":"x"}}"#)).collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let place = usize::try_from(partition).unwrap();
            give(&mut task, partition, next[place], &values, now_ms).unwrap();
            next[place] += i64::try_from(users.len()).unwrap();
            for user in users {
                *model.entry((now_ms - now_ms.rem_euclid(SIZE_MS), user)).or_default() += 1;
            }
            if polls {
                task.poll(now_ms, &mut all_closed);
                for (partition, safe) in task.safe_offsets() {
                    let place = usize::try_from(partition).unwrap();
                    // Nothing that is safe is still open: it has been given out.
                    let given = all_closed.iter().flat_map(|window| &window.inputs);
                    let given = given.filter(|range| range.partition == partition).map(|range| range.next).max();
                    prop_assert_eq!(safe, given.unwrap_or(0));
                    prop_assert!(safe <= next[place]);
                }
            }
        }
        task.poll(now_ms + SIZE_MS, &mut all_closed);
        for range in all_closed.iter().flat_map(|window| &window.inputs) {
            let place = usize::try_from(range.partition).unwrap();
            prop_assert_eq!(range.first, covered[place]);
            covered[place] = range.next;
        }
        prop_assert_eq!(covered, next);
        count(&all_closed, &mut counts);
        prop_assert_eq!(counts, model);
    }
}
