//! The machine in virtual time: a minute's windows over `clicks`, one user in every record.

use super::*;
use crate::plan::Plan;

const SQL: &str = "
    CREATE TABLE clicks (user_id BIGINT, cURL STRING, proctime AS PROCTIME()) WITH ('connector'='kafka',
      'topic'='clicks', 'properties.bootstrap.servers'='localhost:9092', 'scan.startup.mode'='earliest-offset',
      'format'='json');
    CREATE TABLE counts (user_id BIGINT, cnt BIGINT) WITH ('connector'='kafka', 'topic'='counts',
      'properties.bootstrap.servers'='localhost:9092', 'format'='json');
    INSERT INTO counts SELECT user_id, COUNT(cURL) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(proctime),
      INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, user_id;";

/// 2026-11-23 10:00:00 UTC, where a window begins.
const TEN_O_CLOCK_MS: i64 = 1_795_428_000_000;

/// One reader of `clicks`, its group and its sink.
struct World {
    machine: Machine,
    now: Instant,
    actions: Vec<Action>,
    /// Windows that were sent and are not acknowledged.
    sent: Vec<(u64, Arc<ClosedWindow>)>,
    /// Every commit, in order.
    committed: Vec<Vec<(i32, i64)>>,
    sought: Vec<(i32, i64)>,
    released: bool,
    ended: bool,
    /// Whether commits are answered at once, and how.
    commits_go: Option<bool>,
}

impl World {
    fn new(ends: Option<BTreeMap<i32, i64>>) -> Self {
        Self::of(&[1], ends)
    }

    /// Pipelines with windows of so many minutes.
    fn of(minutes: &[u32], ends: Option<BTreeMap<i32, i64>>) -> Self {
        let now = start();
        let tasks = minutes.iter().map(|minutes| {
            let plan = Plan::from_sql(&SQL.replace("'1' MINUTE", &format!("'{minutes}' MINUTE"))).unwrap();
            Task::new(&plan.pipelines[0], &jiff::tz::TimeZone::UTC)
        });
        let clock = Clock::new(now, TEN_O_CLOCK_MS, 1.0);
        let machine = Machine::new(tasks, ends, clock, Duration::from_millis(100), now);
        Self {
            machine,
            now,
            actions: Vec::new(),
            sent: Vec::new(),
            committed: Vec::new(),
            sought: Vec::new(),
            released: false,
            ended: false,
            commits_go: Some(true),
        }
    }

    /// A reader of these partitions, which begin at offset 0 and of which nothing is committed.
    fn reading(partitions: &[i32]) -> Self {
        let mut world = Self::new(None);
        world.assigned(partitions);
        world.committed.clear();
        world
    }

    fn assigned(&mut self, partitions: &[i32]) {
        self.machine.handle_assigned(&partitions.iter().copied().collect(), self.now, &mut self.actions);
        for partition in partitions {
            self.machine.handle_position(*partition, Some(0), Some(0));
        }
        self.poll();
    }

    /// One record for each user, from `first` on; the batch ends at `next`.
    fn records(&mut self, partition: i32, first: i64, users: &[i64], next: i64) {
        let values: Vec<String> = users.iter().map(|user| format!(r#"{{"user_id":{user},"cURL":"/"}}"#)).collect();
        let value = |(index, value): (usize, &'static str)| (first + index as i64, value);
        let values: Vec<(i64, &'static str)> =
            values.into_iter().map(|value| &*value.leak()).enumerate().map(value).collect();
        let records =
            || values.iter().map(|(offset, value)| InputRecord { offset: *offset, value: Some(value.as_bytes()) });
        self.machine.handle_records(partition, records, next, next, self.now).unwrap();
        self.poll();
    }

    fn poll(&mut self) -> Option<Instant> {
        loop {
            let wake_at = self.machine.poll(self.now, &mut self.actions);
            if self.actions.is_empty() {
                return wake_at;
            }
            for action in std::mem::take(&mut self.actions) {
                match action {
                    Action::Send { token, window, .. } => self.sent.push((token, window)),
                    Action::Commit(offsets) => {
                        self.committed.push(offsets);
                        if let Some(go) = self.commits_go {
                            self.machine.handle_committed(go);
                        }
                    }
                    Action::Seek { partition, offset } => self.sought.push((partition, offset)),
                    Action::Release => self.released = true,
                    Action::End => self.ended = true,
                }
            }
        }
    }

    /// Lets time pass, waking when the machine asked to be woken.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(wake_at) = self.poll().filter(|wake_at| *wake_at <= until) {
            assert!(wake_at > self.now || self.ended, "it asks to be woken at once, again and again");
            self.now = wake_at;
        }
        self.now = until;
        self.poll();
    }

    fn deliver(&mut self) {
        for (token, _) in std::mem::take(&mut self.sent) {
            assert!(self.machine.handle_delivered(token).is_some());
        }
        self.poll();
    }

    /// The results of the windows that were sent and are not acknowledged.
    fn results(&self) -> Vec<String> {
        let values = self.sent.iter().flat_map(|(_, window)| window.values.iter());
        values.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
fn start() -> Instant {
    Instant::now()
}

const MINUTE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(200);

#[test]
fn offsets_are_committed_when_the_results_of_what_lies_before_them_are_acknowledged() {
    let mut world = World::reading(&[0]);
    world.records(0, 0, &[7, 7, 8], 3);
    world.pass(MINUTE / 2);
    assert!(world.committed.is_empty(), "an open window holds back all offsets: {:?}", world.committed);
    world.pass(MINUTE / 2);
    let mut results = world.results();
    results.sort();
    assert_eq!(results, [r#"{"user_id":7,"cnt":2}"#, r#"{"user_id":8,"cnt":1}"#]);
    world.pass(MOMENT);
    assert!(world.committed.is_empty(), "results that nobody acknowledged: {:?}", world.committed);
    world.deliver();
    assert_eq!(world.committed, [[(0, 3)]]);
    world.pass(MINUTE);
    assert_eq!(world.committed.len(), 1, "nothing changed since");
}

#[test]
fn where_reading_begins_is_committed_so_that_a_restart_begins_there() {
    let mut world = World::new(None);
    world.machine.handle_assigned(&BTreeSet::from([0]), world.now, &mut world.actions);
    world.machine.handle_position(0, None, None);
    world.pass(MOMENT);
    assert!(world.committed.is_empty());
    world.machine.handle_position(0, Some(41), Some(41));
    world.pass(MOMENT);
    assert_eq!(world.committed, [[(0, 41)]]);
}

#[test]
fn a_window_that_is_open_holds_back_its_own_records_only() {
    let mut world = World::reading(&[0, 1]);
    world.records(0, 0, &[7], 1);
    world.records(1, 0, &[7, 7], 2);
    world.pass(MINUTE);
    world.records(1, 2, &[9], 3);
    world.deliver();
    world.pass(MOMENT);
    assert_eq!(world.committed.concat().into_iter().max(), Some((1, 2)));
    assert_eq!(world.committed.concat().into_iter().min(), Some((0, 1)));
}

#[test]
fn a_position_beyond_the_last_record_is_committed_where_nothing_is_open() {
    let mut world = World::reading(&[0]);
    world.records(0, 0, &[7], 5);
    world.pass(MINUTE);
    world.deliver();
    assert_eq!(world.committed, [[(0, 5)]]);
}

#[test]
fn a_commit_that_is_refused_is_made_again_with_the_next() {
    let mut world = World::new(None);
    world.commits_go = Some(false);
    world.assigned(&[0]);
    assert_eq!(world.committed, [[(0, 0)]]);
    world.commits_go = Some(true);
    world.pass(MOMENT);
    world.pass(MOMENT);
    assert_eq!(world.committed, [[(0, 0)], [(0, 0)]]);
}

#[test]
fn only_one_commit_is_under_way() {
    let mut world = World::new(None);
    world.commits_go = None;
    world.assigned(&[0]);
    world.records(0, 0, &[7], 1);
    world.pass(MINUTE);
    world.deliver();
    world.pass(MOMENT);
    assert_eq!(world.committed, [[(0, 0)]]);
    world.machine.handle_committed(true);
    world.pass(MOMENT);
    assert_eq!(world.committed, [[(0, 0)], [(0, 1)]]);
}

#[test]
fn rows_that_were_given_up_are_sent_again_and_hold_back_the_commit() {
    let mut world = World::reading(&[0]);
    world.records(0, 0, &[7], 1);
    world.pass(MINUTE);
    let (token, _) = world.sent.remove(0);
    world.machine.handle_undelivered(token, world.now);
    world.pass(RESEND_AFTER / 2);
    assert!(world.sent.is_empty());
    world.pass(RESEND_AFTER / 2);
    assert_eq!(world.results(), [r#"{"user_id":7,"cnt":1}"#]);
    assert!(world.committed.is_empty());
    world.deliver();
    assert_eq!(world.committed, [[(0, 1)]]);
}

#[test]
fn partitions_go_when_what_is_closed_is_committed_and_open_windows_begin_anew() {
    let mut world = World::reading(&[0]);
    world.records(0, 0, &[7], 1);
    world.pass(MINUTE);
    world.records(0, 1, &[7, 7], 3);
    world.machine.handle_revoked(BTreeSet::from([0]));
    world.poll();
    assert!(!world.machine.wants_records() && !world.released, "a result is on its way");
    world.deliver();
    assert!(world.released);
    assert_eq!(world.committed, [[(0, 1)]], "the open window is the next owner's");

    // The next owner is this one again, and reads from what is committed.
    world.machine.handle_assigned(&BTreeSet::from([0]), world.now, &mut world.actions);
    world.machine.handle_position(0, Some(1), Some(3));
    world.records(0, 1, &[7, 7], 3);
    world.pass(MINUTE);
    assert_eq!(world.results(), [r#"{"user_id":7,"cnt":2}"#]);
}

#[test]
fn partitions_that_the_group_took_without_waiting_are_forgotten_before_others_are_read() {
    let mut world = World::reading(&[0]);
    world.records(0, 0, &[7], 1);
    world.pass(MINUTE);
    world.records(0, 1, &[8], 2);
    world.machine.handle_revoked(BTreeSet::from([0]));
    world.poll();
    // The result of the first window is not acknowledged for so long that the group goes on, and the partition comes
    // back: it is read from what is committed.
    world.assigned(&[0]);
    world.records(0, 0, &[7, 8], 2);
    assert!(world.committed.concat().iter().all(|commit| *commit == (0, 0)), "{:?}", world.committed);
    world.sent.clear();
    world.pass(MINUTE);
    let mut results = world.results();
    results.sort();
    assert_eq!(results, [r#"{"user_id":7,"cnt":1}"#, r#"{"user_id":8,"cnt":1}"#], "each record counts once");
}

#[test]
fn of_partitions_that_are_lost_nothing_is_committed() {
    let mut world = World::reading(&[0]);
    world.records(0, 0, &[7], 1);
    world.pass(MINUTE);
    world.machine.handle_lost(&BTreeSet::from([0]), &mut world.actions);
    world.deliver();
    world.pass(MOMENT);
    assert!(world.committed.is_empty() && world.sought.is_empty());
}

#[test]
fn a_stop_waits_for_results_although_their_partitions_are_lost() {
    let mut world = World::reading(&[0]);
    world.records(0, 0, &[7], 1);
    world.pass(MINUTE);
    world.records(0, 1, &[7], 2);
    world.pass(MOMENT);
    world.machine.handle_lost(&BTreeSet::from([0]), &mut world.actions);
    let mut status = PipelineStatus::default();
    world.machine.show(0, world.now, &mut status);
    assert_eq!((status.window_ends_ms, status.rows_open), (None, 0), "what is open is forgotten");
    world.machine.handle_stop(world.now);
    world.poll();
    assert!(!world.ended);
    world.deliver();
    assert!(world.ended && world.committed.is_empty());
}

#[test]
fn partitions_that_go_while_a_commit_is_under_way_go_with_what_came_after_it() {
    let mut world = World::new(None);
    world.commits_go = None;
    world.assigned(&[0]);
    world.records(0, 0, &[7], 1);
    world.now += MINUTE;
    world.machine.handle_revoked(BTreeSet::from([0]));
    world.poll();
    world.machine.handle_committed(true);
    world.poll();
    world.deliver();
    assert!(!world.released);
    assert_eq!(world.committed, [[(0, 0)], [(0, 1)]]);
    world.machine.handle_committed(true);
    world.poll();
    assert!(world.released);
}

#[test]
fn the_longest_window_of_all_pipelines_holds_back_the_offsets() {
    let mut world = World::of(&[3, 1], None);
    world.assigned(&[0]);
    world.records(0, 0, &[7], 1);
    world.pass(MINUTE);
    world.records(0, 1, &[7], 2);
    world.deliver();
    world.pass(MINUTE);
    world.deliver();
    assert_eq!(world.committed, [[(0, 0)]]);
    world.pass(MINUTE);
    world.deliver();
    assert_eq!(world.committed, [[(0, 0)], [(0, 2)]]);
}

#[test]
fn partitions_that_stay_are_read_again_from_where_their_open_windows_began() {
    let mut world = World::reading(&[0, 1]);
    world.records(0, 0, &[7], 1);
    world.records(1, 0, &[7], 1);
    world.pass(MINUTE);
    world.deliver();
    world.records(0, 1, &[7], 2);
    world.records(1, 1, &[7], 2);
    world.machine.handle_revoked(BTreeSet::from([1]));
    world.pass(MOMENT);
    assert!(world.released);
    assert_eq!(world.sought, [(0, 1)]);
    assert!(!world.committed.concat().contains(&(0, 2)), "it is not counted yet: {:?}", world.committed);
    world.records(0, 1, &[7], 2);
    world.pass(MINUTE);
    assert_eq!(world.results(), [r#"{"user_id":7,"cnt":1}"#], "its record counts once");
}

#[test]
fn a_bounded_read_ends_at_its_ends_and_leaves_open_windows_uncommitted() {
    let mut world = World::new(Some(BTreeMap::from([(0, 2), (1, 0)])));
    world.assigned(&[0, 1]);
    assert!(!world.ended);
    world.records(0, 0, &[7], 1);
    assert!(!world.ended);
    world.records(0, 1, &[7, 8, 9], 4);
    assert!(world.ended, "the second partition is empty, the first is read up to its end");
    assert!(world.sent.is_empty());
    assert_eq!(world.committed, [vec![(0, 0), (1, 0)]]);
    let mut status = PipelineStatus::default();
    world.machine.show(0, world.now, &mut status);
    assert_eq!((status.state, status.records_in, status.rows_open), (State::Ended, 2, 2));
    assert_eq!(status.bounded, Some(BoundedProgress { read: 2, total: 2 }));
}

#[test]
fn what_lies_beyond_the_end_is_not_committed_while_other_partitions_are_read() {
    let mut world = World::new(Some(BTreeMap::from([(0, 2), (1, 1)])));
    world.assigned(&[0, 1]);
    world.records(0, 0, &[7, 8, 9], 3);
    world.pass(MINUTE);
    world.deliver();
    // The consumer has handed out the whole batch.
    world.machine.handle_position(0, Some(3), Some(3));
    world.pass(MOMENT);
    world.records(1, 0, &[7], 1);
    assert!(world.ended);
    assert_eq!(world.committed.concat().into_iter().filter(|(partition, _)| *partition == 0).max(), Some((0, 2)));
}

#[test]
fn a_bounded_read_of_nothing_ends_at_once() {
    let mut world = World::new(Some(BTreeMap::from([(0, 0)])));
    world.assigned(&[0]);
    assert!(world.ended);
}

#[test]
fn a_stop_writes_and_commits_what_is_closed() {
    let mut world = World::reading(&[0]);
    world.records(0, 0, &[7], 1);
    world.now += MINUTE;
    world.machine.handle_stop(world.now);
    world.poll();
    assert_eq!(world.results().len(), 1, "the window closed just now");
    assert!(!world.ended);
    world.deliver();
    assert_eq!(world.committed, [[(0, 1)]]);
    assert!(world.ended);
}

#[test]
fn a_stop_does_not_wait_for_a_broker_that_is_away() {
    let mut world = World::reading(&[0]);
    world.records(0, 0, &[7], 1);
    world.pass(MINUTE);
    world.machine.handle_stop(world.now);
    world.pass(STOP_MAX / 2);
    assert!(!world.ended);
    world.pass(STOP_MAX / 2);
    assert!(world.ended && world.committed.is_empty());
    let mut status = PipelineStatus::default();
    world.machine.show(0, world.now, &mut status);
    assert!(status.is_cut_short);
}

#[test]
fn what_is_shown_adds_up() {
    let mut world = World::reading(&[0, 1]);
    world.records(0, 0, &[7, 8], 2);
    world.machine.handle_position(1, Some(0), Some(10));
    let show = |world: &World| {
        let mut status = PipelineStatus::default();
        world.machine.show(0, world.now, &mut status);
        status
    };
    world.pass(MOMENT);
    let open = show(&world);
    assert_eq!((open.records_in, open.rows_open, open.lag), (2, 2, Some(10)));
    assert_eq!(open.window_ends_ms, Some(TEN_O_CLOCK_MS + 60_000));
    world.pass(MINUTE);
    world.deliver();
    let closed = show(&world);
    assert_eq!((closed.rows_open, closed.rows_out, closed.windows_closed), (0, 2, 1));
    assert_eq!(closed.window_ends_ms, None);
}
