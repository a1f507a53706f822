//! A task as a story in virtual time, and against a model of ten lines.

use std::collections::BTreeMap;

use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::plan::Plan;

const REFERENCE: &str = include_str!("../../../examples/top_users.sql");

fn task(text: &str) -> Task {
    let plan = Plan::from_sql(text).unwrap_or_else(|error| panic!("{}", error.render("test.sql", false)));
    Task::new(&plan.pipelines[0], &TimeZone::UTC)
}

/// A query over clicks (user_id BIGINT, url STRING, flag BOOLEAN) in windows of 10 ms, into a sink of these columns.
fn query(sink: &str, select: &str, group_by: &str) -> Task {
    let connector = "'connector'='kafka', 'topic'='t', 'properties.bootstrap.servers'='b:1', 'format'='json'";
    task(&format!(
        "CREATE TABLE clicks (user_id BIGINT, url STRING, flag BOOLEAN, p AS PROCTIME())
           WITH ({connector}, 'scan.startup.mode'='earliest-offset');
         CREATE TABLE sink ({sink}) WITH ({connector});
         INSERT INTO sink SELECT {select}
           FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(p), INTERVAL '0.01' SECOND))
           GROUP BY window_start, window_end{group_by}"
    ))
}

fn records(first: i64, values: &[&'static str]) -> Vec<InputRecord<'static>> {
    let offsets = first..;
    offsets.zip(values).map(|(offset, value)| InputRecord { offset, value: Some(value.as_bytes()) }).collect()
}

fn values(window: &ClosedWindow) -> Vec<&str> {
    assert_eq!(window.rows, window.values.len());
    window.values.iter().map(|value| std::str::from_utf8(value).unwrap()).collect()
}

const TEN: i64 = 1_795_428_000_000;
const MINUTE: i64 = 60_000;

#[test]
fn the_reference_query_counts_clicks_by_user_and_half_hour() {
    let mut task = task(REFERENCE);
    let mut closed = Vec::new();
    assert_eq!(task.poll(TEN, &mut closed), None);
    let clicks = [
        r#"{"user_id":7,"cURL":"/a"}"#,
        r#"{"user_id":7,"cURL":"/b","more":[1,2]}"#,
        r#"{"user_id":8,"cURL":null}"#,
        r#"{"cURL":"/c"}"#,
        r#"{"cURL":"/d","user_id":7}"#,
    ];
    task.handle_records(0, records(0, &clicks), TEN + MINUTE).unwrap();
    task.handle_records(1, records(100, &clicks[..1]), TEN + 2 * MINUTE).unwrap();
    assert_eq!(task.poll(TEN + 3 * MINUTE, &mut closed), Some(TEN + 30 * MINUTE));
    task.handle_records(0, records(5, &clicks[..2]), TEN + 31 * MINUTE).unwrap();
    assert_eq!(task.safe_offsets(), [(0, 0), (1, 100)]);
    assert!(closed.is_empty());
    assert_eq!(task.poll(TEN + 31 * MINUTE, &mut closed), Some(TEN + 60 * MINUTE));
    assert_eq!(closed.len(), 1);
    let window = &closed[0];
    expect![[r#"
        [
            "{\"user_id\":7,\"cnt\":4,\"window_start\":\"2026-11-23 10:00:00\",\"window_end\":\"2026-11-23 10:30:00\"}",
            "{\"user_id\":8,\"cnt\":0,\"window_start\":\"2026-11-23 10:00:00\",\"window_end\":\"2026-11-23 10:30:00\"}",
            "{\"user_id\":null,\"cnt\":1,\"window_start\":\"2026-11-23 10:00:00\",\"window_end\":\"2026-11-23 10:30:00\"}",
        ]
    "#]]
    .assert_debug_eq(&values(window));
    assert_eq!((window.start_ms, window.end_ms), (TEN, TEN + 30 * MINUTE));
    assert_eq!((window.start.as_str(), window.end.as_str()), ("2026-11-23 10:00:00", "2026-11-23 10:30:00"));
    let range = |partition, first, next| InputRange { partition, first, next };
    assert_eq!(window.inputs, [range(0, 0, 5), range(1, 100, 101)]);
    assert_eq!(task.safe_offsets(), [(0, 5), (1, 101)]);
    assert_eq!(task.poll(TEN + 60 * MINUTE, &mut closed), None);
    assert_eq!(closed[1].inputs, [range(0, 5, 7)]);
    assert_eq!(task.safe_offsets(), [(0, 7), (1, 101)]);
}

#[test]
fn a_window_closes_at_its_end_and_not_before() {
    let mut task = query("n BIGINT", "COUNT(*)", "");
    let mut closed = Vec::new();
    task.handle_records(0, records(0, &["{}"]), 19).unwrap();
    assert_eq!(task.poll(19, &mut closed), Some(20));
    assert!(closed.is_empty());
    assert_eq!(task.poll(20, &mut closed), None);
    assert_eq!(values(&closed[0]), [r#"{"n":1}"#]);
}

#[test]
fn windows_close_in_the_order_of_their_ends() {
    let mut task = query("n BIGINT, till TIMESTAMP(3)", "COUNT(*), window_end", "");
    let mut closed = Vec::new();
    for (offset, time) in [(0, 5), (1, 15), (2, 25)] {
        task.handle_records(0, records(offset, &["{}"]), time).unwrap();
    }
    assert_eq!(task.poll(25, &mut closed), Some(30));
    let ends: Vec<i64> = closed.iter().map(|window| window.end_ms).collect();
    assert_eq!(ends, [10, 20]);
    assert_eq!(values(&closed[1]), [r#"{"n":1,"till":"1970-01-01 00:00:00.02"}"#]);
    assert_eq!(task.safe_offsets(), [(0, 2)]);
}

#[test]
fn several_keys_and_aggregates() {
    let mut task = query(
        "flag BOOLEAN, urls BIGINT, url STRING, n BIGINT NOT NULL",
        "flag, COUNT(url) AS urls, url, COUNT(*) AS n",
        ", url, flag",
    );
    let clicks = [
        r#"{"url":"a","flag":true}"#,
        r#"{"url":"a","flag":false}"#,
        r#"{"flag":true}"#,
        r#"[{"url":"a","flag":true},{"flag":true}]"#,
    ];
    let mut closed = Vec::new();
    task.handle_records(0, records(0, &clicks), 0).unwrap();
    task.poll(10, &mut closed);
    let expected = [
        r#"{"flag":true,"urls":2,"url":"a","n":2}"#,
        r#"{"flag":false,"urls":1,"url":"a","n":1}"#,
        r#"{"flag":true,"urls":0,"url":null,"n":2}"#,
    ];
    assert_eq!(values(&closed[0]), expected);
}

#[test]
fn what_gives_no_row_opens_no_window_and_is_read_all_the_same() {
    let mut task = query("n BIGINT", "COUNT(*)", "");
    let mut closed = Vec::new();
    let tombstone = InputRecord { offset: 0, value: None };
    task.handle_records(0, [tombstone], 5).unwrap();
    assert_eq!(task.safe_offsets(), [(0, 0)]);
    assert_eq!(task.poll(5, &mut closed), None);
    assert_eq!(task.safe_offsets(), [(0, 1)]);
    task.handle_records(0, [], 5).unwrap();
    task.handle_records(3, [], 5).unwrap();
    assert_eq!(task.poll(100, &mut closed), None);
    assert!(closed.is_empty());
    assert_eq!(task.safe_offsets(), [(0, 1)]);
}

#[test]
fn gaps_in_offsets_are_covered() {
    let mut task = query("n BIGINT", "COUNT(*)", "");
    let mut closed = Vec::new();
    let at = |offset| InputRecord { offset, value: Some(b"{}".as_slice()) };
    task.handle_records(0, [at(3), at(9)], 5).unwrap();
    task.poll(5, &mut closed);
    task.handle_records(0, [at(12)], 6).unwrap();
    task.handle_records(0, [at(20)], 15).unwrap();
    task.poll(20, &mut closed);
    let range = |first, next| InputRange { partition: 0, first, next };
    assert_eq!(closed[0].inputs, [range(3, 13)]);
    assert_eq!(closed[1].inputs, [range(13, 21)]);
}

#[test]
fn a_bad_batch_counts_nothing() {
    let mut task = task(REFERENCE);
    let mut closed = Vec::new();
    let error =
        task.handle_records(0, records(40, &[r#"{"user_id":1,"cURL":"/"}"#, r#"{"user_id":"x"}"#]), TEN).unwrap_err();
    assert_eq!(
        error.to_string(),
        "offset 41: field user_id: \"x\" is not a BIGINT, or out of its range; the value starts with `{\"user_id\":\"x\"}`; \
         'json.ignore-parse-errors' = 'true' would accept it"
    );
    assert_eq!(task.poll(TEN, &mut closed), None);
    assert!(task.safe_offsets().is_empty());
    task.handle_records(0, records(40, &[r#"{"user_id":1,"cURL":"/"}"#]), TEN).unwrap();
    task.poll(TEN + 30 * MINUTE, &mut closed);
    assert_eq!(closed[0].rows, 1);
}

#[test]
fn reset_forgets_windows_and_offsets() {
    let mut task = query("n BIGINT", "COUNT(*)", "");
    let mut closed = Vec::new();
    task.handle_records(0, records(0, &["{}"]), 0).unwrap();
    task.poll(0, &mut closed);
    task.handle_records(1, records(0, &["{}"]), 0).unwrap();
    task.reset();
    assert!(task.safe_offsets().is_empty());
    assert_eq!(task.poll(100, &mut closed), None);
    assert!(closed.is_empty());
}

#[test]
fn a_clock_that_goes_back_counts_as_standing() {
    let mut task = query("n BIGINT", "COUNT(*)", "");
    let mut closed = Vec::new();
    task.poll(25, &mut closed);
    task.handle_records(0, records(0, &["{}"]), 3).unwrap();
    assert_eq!(task.poll(4, &mut closed), Some(30));
}

#[test]
fn the_hour_that_comes_twice_is_one_window_and_its_inputs_are_two_ranges() {
    let zone = TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").unwrap();
    let plan = Plan::from_sql(REFERENCE).unwrap();
    let mut task = Task::new(&plan.pipelines[0], &zone);
    let mut closed = Vec::new();
    // 01:15, 01:45, and an hour later 01:15 again.
    let first = 1_636_272_000_000 + 15 * MINUTE;
    for (offset, time) in [(0, first), (1, first + 30 * MINUTE), (2, first + 60 * MINUTE)] {
        task.handle_records(0, records(offset, &["{\"cURL\":\"/\"}"]), time).unwrap();
        task.poll(time, &mut closed);
    }
    assert!(closed.is_empty());
    assert_eq!(task.poll(first + 3 * 60 * MINUTE, &mut closed), None);
    let range = |first, next| InputRange { partition: 0, first, next };
    assert_eq!((closed[0].start.as_str(), closed[0].end.as_str()), ("2021-11-07 01:00:00", "2021-11-07 01:30:00"));
    assert_eq!(closed[0].inputs, [range(0, 1), range(2, 3)]);
    assert_eq!(closed[1].inputs, [range(1, 2)]);
    assert!(values(&closed[0])[0].contains("\"cnt\":2"));
}

#[test]
fn more_keys_than_fit_into_a_piece() {
    let mut task = task(REFERENCE);
    let clicks: Vec<String> = (0..20_000).map(|user| format!("{{\"user_id\":{user},\"cURL\":\"/\"}}")).collect();
    let records = clicks.iter().zip(0..).map(|(value, offset)| InputRecord { offset, value: Some(value.as_bytes()) });
    let mut closed = Vec::new();
    task.handle_records(0, records.clone(), TEN).unwrap();
    task.handle_records(1, records, TEN).unwrap();
    task.poll(TEN + 30 * MINUTE, &mut closed);
    assert_eq!(closed[0].rows, 20_000);
    assert!(values(&closed[0]).iter().all(|row| row.contains("\"cnt\":2")));
}

#[test]
fn a_task_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Task>();
}

/// A thing that happens to a task over clicks.
#[derive(Clone, Debug)]
enum Event {
    /// Clicks of these users (`None` is NULL) in a partition.
    Records(i32, Vec<Option<u8>>),
    Poll,
    Wait(i64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let users = prop::collection::vec(prop::option::of(0u8..5), 0..6);
    let event = prop_oneof![
        4 => (0i32..3, users).prop_map(|(partition, users)| Event::Records(partition, users)),
        2 => Just(Event::Poll),
        2 => (0i64..25).prop_map(Event::Wait),
    ];
    prop::collection::vec(event, 0..40)
}

fn click(user: Option<u8>) -> String {
    user.map_or_else(|| "{\"url\":\"/\"}".to_owned(), |user| format!("{{\"user_id\":{user},\"url\":\"/\"}}"))
}

fn per_user() -> Task {
    query("user_id BIGINT, n BIGINT", "user_id, COUNT(url)", ", user_id")
}

/// A log of clicks and what a task made of it.
struct World {
    task: Task,
    now: i64,
    log: BTreeMap<i32, Vec<Option<u8>>>,
    closed: Vec<ClosedWindow>,
}

/// Counts by window start and row.
type Counts = BTreeMap<(i64, String), i64>;

impl World {
    fn new() -> Self {
        Self { task: per_user(), now: 0, log: BTreeMap::new(), closed: Vec::new() }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Wait(time) => self.now += time,
            Event::Poll => {
                let next = self.task.poll(self.now, &mut self.closed);
                assert!(next.is_none_or(|end| end > self.now));
            }
            Event::Records(partition, users) => {
                let log = self.log.entry(*partition).or_default();
                let first = log.len();
                log.extend(users);
                self.read(*partition, first);
            }
        }
    }

    /// Reads the log of a partition from an offset.
    fn read(&mut self, partition: i32, first: usize) {
        let clicks: Vec<String> = self.log[&partition][first..].iter().map(|user| click(*user)).collect();
        let records = clicks
            .iter()
            .zip(first as i64..)
            .map(|(value, offset)| InputRecord { offset, value: Some(value.as_bytes()) });
        self.task.handle_records(partition, records, self.now).unwrap();
    }

    fn end(&mut self) {
        self.now += 10;
        assert_eq!(self.task.poll(self.now, &mut self.closed), None);
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for window in &self.closed {
            assert_eq!(window.end_ms - window.start_ms, 10);
            for value in values(window) {
                let row: serde_json::Value = serde_json::from_str(value).unwrap();
                let user = row["user_id"].to_string();
                assert!(counts.insert((window.start_ms, user), row["n"].as_i64().unwrap()).is_none());
            }
        }
        counts
    }
}

proptest! {
    #[test]
    fn counts_are_those_of_the_model_and_every_offset_is_in_one_range(events in events()) {
        let mut world = World::new();
        let mut model = Counts::new();
        for event in &events {
            if let Event::Records(_, users) = event {
                for user in users {
                    let user = user.map_or_else(|| "null".to_owned(), |user| user.to_string());
                    *model.entry((world.now / 10 * 10, user)).or_default() += 1;
                }
            }
            world.happen(event);
        }
        world.end();
        prop_assert_eq!(world.counts(), model);
        prop_assert!(world.closed.is_sorted_by_key(|window| window.end_ms));
        let mut ranges: Vec<_> = world.closed.iter().flat_map(|window| window.inputs.clone()).collect();
        ranges.sort_by_key(|range| (range.partition, range.first));
        for (&partition, log) in &world.log {
            let mut next = 0;
            for range in ranges.iter().filter(|range| range.partition == partition) {
                prop_assert_eq!(range.first, next);
                next = range.next;
            }
            prop_assert_eq!(next, log.len() as i64);
        }
    }

    /// The task dies after any event. What was closed before is acknowledged; another one reads on from the safe offsets.
    #[test]
    fn nothing_is_lost_when_a_task_goes_on_from_the_safe_offsets(events in events(), dies_after in 0usize..40) {
        let mut world = World::new();
        let mut safe = BTreeMap::new();
        for event in events.iter().take(dies_after) {
            world.happen(event);
            for (partition, offset) in world.task.safe_offsets() {
                let before = safe.insert(partition, offset);
                prop_assert!(before.is_none_or(|before| before <= offset), "they never go back");
            }
        }
        // Counted so far, by partition and offset.
        let mut counted: BTreeMap<i32, Vec<u32>> =
            world.log.iter().map(|(&partition, log)| (partition, vec![0; log.len()])).collect();
        let mut count = |closed: &[ClosedWindow]| {
            for range in closed.iter().flat_map(|window| &window.inputs) {
                for offset in range.first..range.next {
                    counted.get_mut(&range.partition).unwrap()[offset as usize] += 1;
                }
            }
        };
        count(&world.closed);
        let rows: i64 = world.counts().values().sum();
        let closed: i64 = world.closed.iter().flat_map(|window| &window.inputs).map(|range| range.next - range.first).sum();
        prop_assert_eq!(rows, closed);

        let log = world.log.clone();
        let mut next = World { log, now: world.now, ..World::new() };
        for partition in world.log.keys() {
            let first = safe.get(partition).copied().unwrap_or_default();
            next.read(*partition, first as usize);
        }
        next.end();
        count(&next.closed);
        for (partition, counts) in counted {
            prop_assert!(counts.iter().all(|&count| count >= 1), "partition {}: {:?}", partition, counts);
        }
    }
}
