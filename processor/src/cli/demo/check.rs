//! Whether every closed window counts exactly the clicks that were sent into it.
//!
//! A machine with three sources that know nothing of each other: what the broker acknowledged to our producer
//! ([`Acknowledged`]), which offsets the job says a window was made of, and the rows that a consumer of our own read
//! back from the result topic. Before: [`watch`](super::watch) brings all three. After: what [`Check::poll`] gives goes
//! to [`lines`](super::lines) or to the [`view`](super::view).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;

use super::acknowledged::Acknowledged;

/// A row of the result topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// NULL is a group as well.
    pub(super) user_id: Option<i64>,
    pub(super) cnt: i64,
    /// As written: wall clock.
    pub(super) window_start: String,
}

impl Row {
    /// Reads the value of a record.
    pub(super) fn from_value(value: &[u8]) -> Result<Self, Mismatch> {
        let refused = |what: &str| Mismatch(format!("a result row {what}: {}", String::from_utf8_lossy(value)));
        let row: serde_json::Value = serde_json::from_slice(value).map_err(|_| refused("is no JSON"))?;
        let cnt = row.get("cnt").and_then(serde_json::Value::as_i64).ok_or_else(|| refused("has no cnt"))?;
        let window_start = row.get("window_start").and_then(serde_json::Value::as_str);
        let window_start = window_start.ok_or_else(|| refused("has no window_start"))?.to_owned();
        Ok(Self { user_id: row.get("user_id").and_then(serde_json::Value::as_i64), cnt, window_start })
    }
}

/// A window that the job closed, and whose results the broker acknowledged to it.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    pub(super) start: String,
    pub(super) end: String,
    /// What it was made of: offsets of the input topic, for each partition.
    pub(super) inputs: Vec<(i32, Range<i64>)>,
    /// Where the result topic ended once the window was closed: its rows lie before.
    pub(super) results_end: BTreeMap<i32, i64>,
}

/// A window whose sum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CheckedWindow {
    pub(super) start: String,
    pub(super) end: String,
    /// How many groups it has.
    pub(super) users: usize,
    /// Records that the broker acknowledged to our producer and that fell into the window.
    pub(super) clicks: u64,
    /// Records in the window that someone else wrote.
    pub(super) others: u64,
    /// The sum of `cnt` over the rows read back.
    pub(super) sum: u64,
    /// The users with the most clicks, the first [`TOP`] of them.
    pub(super) top: Vec<(Option<i64>, i64)>,
}

/// Two of the three sources contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch(String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

/// Brings the three sources together.
#[derive(Debug, Default)]
pub(super) struct Check {
    acknowledged: Acknowledged,
    /// Rows read so far of windows that are not checked yet, by the start of the window.
    tallies: HashMap<String, HashMap<Option<i64>, i64>>,
    /// Closed by the job and not checked yet, by their starts, which are written with a fixed width: their order is that
    /// of time.
    closed: BTreeMap<String, Closed>,
    /// How far the result topic was read.
    read: BTreeMap<i32, i64>,
    /// How far the windows so far cover each partition of the input.
    covered: BTreeMap<i32, i64>,
    /// The start of the newest window that was checked.
    newest: Option<String>,
}

impl Check {
    /// The broker acknowledged clicks at these offsets.
    pub(super) fn handle_acknowledged(&mut self, partition: i32, offsets: Range<i64>) {
        self.acknowledged.handle_acknowledged(partition, offsets);
    }

    /// A row was read back.
    ///
    /// # Errors
    /// When its window was complete before, or has this user already.
    pub(super) fn handle_row(&mut self, row: Row) -> Result<(), Mismatch> {
        let Row { user_id, cnt, window_start } = row;
        if self.newest.as_ref().is_some_and(|newest| *newest >= window_start) {
            let user = user_name(user_id);
            return Err(Mismatch(format!("a row of {user} came after its window from {window_start} was complete")));
        }
        if let Some(tally) = self.tallies.get_mut(&window_start) {
            return match tally.insert(user_id, cnt) {
                None => Ok(()),
                Some(_) => Err(Mismatch(format!("{} is twice in the window from {window_start}", user_name(user_id)))),
            };
        }
        self.tallies.insert(window_start, HashMap::from([(user_id, cnt)]));
        Ok(())
    }

    /// The result topic was read up to an offset.
    pub(super) fn handle_read(&mut self, partition: i32, next_offset: i64) {
        self.read.insert(partition, next_offset);
    }

    /// The job closed a window. Windows whose results are acknowledged at the same time may come in any order.
    ///
    /// # Errors
    /// When it was closed before.
    pub(super) fn handle_closed(&mut self, closed: Closed) -> Result<(), Mismatch> {
        let is_known = |newest: &String| *newest >= closed.start;
        if self.newest.as_ref().is_some_and(is_known) || self.closed.contains_key(&closed.start) {
            return Err(Mismatch(format!("the window from {} was closed twice", closed.start)));
        }
        self.closed.insert(closed.start.clone(), closed);
        Ok(())
    }

    /// Gives every window of which all is known now, in order.
    ///
    /// # Errors
    /// When the offsets of a window do not go on where those of the windows before end, or its rows do not add up to the
    /// clicks that were sent into it.
    pub(super) fn poll(&mut self, checked: &mut Vec<CheckedWindow>) -> Result<(), Mismatch> {
        while let Some(entry) = self.closed.first_entry() {
            let closed = entry.get();
            let is_read = |(partition, end): (&i32, &i64)| self.read.get(partition).copied().unwrap_or(0) >= *end;
            if !closed.results_end.iter().all(is_read) {
                return Ok(());
            }
            // Rows lie in the order of their windows: those of the windows before were read as well, and where there
            // are some without a window, it is yet to come.
            if self.tallies.keys().any(|start| *start < closed.start) {
                return Ok(());
            }
            let mut clicks = 0;
            let mut records = 0;
            for (partition, range) in &closed.inputs {
                let covered = self.covered.get(partition).copied().unwrap_or(0);
                if range.start != covered {
                    let Closed { start, .. } = closed;
                    return Err(Mismatch(format!(
                        "the window from {start} begins with offset {} of partition {partition}, but the windows before \
                         it end at {covered}",
                        range.start
                    )));
                }
                let Some(ours) = self.acknowledged.ours(*partition, range) else { return Ok(()) };
                clicks += ours;
                records += u64::try_from(range.end - range.start).unwrap_or(0);
            }
            let closed = entry.remove();
            for (partition, range) in &closed.inputs {
                self.covered.insert(*partition, range.end);
                self.acknowledged.forget_before(*partition, range.end);
            }
            let tally = self.tallies.remove(&closed.start).unwrap_or_default();
            checked.push(compare(&closed, &tally, clicks, records - clicks)?);
            self.newest = Some(closed.start);
        }
        Ok(())
    }
}

/// The clicks of a window against its rows. What others wrote may be anything, also a record that COUNT leaves out; but
/// no more than there are records.
fn compare(
    closed: &Closed,
    tally: &HashMap<Option<i64>, i64>,
    clicks: u64,
    others: u64,
) -> Result<CheckedWindow, Mismatch> {
    let Closed { start, end, .. } = closed;
    let sum = tally.values().try_fold(0_u64, |sum, &cnt| sum.checked_add(u64::try_from(cnt).ok()?));
    let sum = sum.ok_or_else(|| Mismatch(format!("the window from {start} has a count below zero")))?;
    if !(clicks..=clicks + others).contains(&sum) {
        let others = if others > 0 { format!(" (and {others} records of others)") } else { String::new() };
        return Err(Mismatch(format!(
            "{clicks} clicks were written into the window from {start} to {end}{others}, but its rows add up to {sum}"
        )));
    }
    let mut top: Vec<(Option<i64>, i64)> = tally.iter().map(|(&user_id, &cnt)| (user_id, cnt)).collect();
    top.sort_unstable_by_key(|&(user_id, cnt)| (std::cmp::Reverse(cnt), user_id));
    top.truncate(TOP);
    Ok(CheckedWindow { start: start.clone(), end: end.clone(), users: tally.len(), clicks, others, sum, top })
}

fn user_name(user_id: Option<i64>) -> String {
    user_id.map_or_else(|| "the user NULL".to_owned(), |user_id| format!("user {user_id}"))
}

/// How many users a window's list has.
pub(super) const TOP: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "2026-11-23 10:00:00";
    const SECOND: &str = "2026-11-23 10:30:00";
    const THIRD: &str = "2026-11-23 11:00:00";

    fn closed(start: &str, end: &str, inputs: &[(i32, Range<i64>)], results_end: i64) -> Closed {
        let results_end = BTreeMap::from([(0, results_end)]);
        Closed { start: start.to_owned(), end: end.to_owned(), inputs: inputs.to_vec(), results_end }
    }

    fn row(user_id: i64, cnt: i64, window_start: &str) -> Row {
        Row { user_id: Some(user_id), cnt, window_start: window_start.to_owned() }
    }

    /// Partition 0 has the offsets 0 to 6 of ours, partition 1 those from 0 to 2.
    fn acknowledged() -> Check {
        let mut check = Check::default();
        check.handle_acknowledged(0, 0..7);
        check.handle_acknowledged(1, 0..3);
        check
    }

    fn poll(check: &mut Check) -> Result<Vec<CheckedWindow>, Mismatch> {
        let mut checked = Vec::new();
        check.poll(&mut checked).map(|()| checked)
    }

    #[test]
    fn a_window_is_checked_once_all_three_sources_have_told() {
        let mut check = acknowledged();
        check.handle_closed(closed(FIRST, SECOND, &[(0, 0..4), (1, 0..2)], 2)).unwrap();
        assert_eq!(poll(&mut check), Ok(vec![]), "no row was read yet");
        check.handle_row(row(7, 4, FIRST)).unwrap();
        check.handle_row(row(9, 2, FIRST)).unwrap();
        assert_eq!(poll(&mut check), Ok(vec![]), "there may be more rows");
        check.handle_read(0, 2);
        let [first] = poll(&mut check).unwrap().try_into().unwrap();
        assert_eq!((first.clicks, first.sum, first.users, first.others), (6, 6, 2, 0));
        assert_eq!(first.top, [(Some(7), 4), (Some(9), 2)]);

        // The next window has offsets of partition 1 that the broker has not acknowledged yet.
        check.handle_closed(closed(SECOND, THIRD, &[(0, 4..7), (1, 2..4)], 3)).unwrap();
        check.handle_row(row(7, 5, SECOND)).unwrap();
        check.handle_read(0, 3);
        assert_eq!(poll(&mut check), Ok(vec![]));
        check.handle_acknowledged(1, 3..4);
        assert_eq!(poll(&mut check).unwrap()[0].clicks, 5);
    }

    #[test]
    fn a_click_lost_or_counted_twice_is_a_mismatch() {
        for sum in [5, 7] {
            let mut check = acknowledged();
            check.handle_closed(closed(FIRST, SECOND, &[(0, 0..4), (1, 0..2)], 1)).unwrap();
            check.handle_row(row(7, sum, FIRST)).unwrap();
            check.handle_read(0, 1);
            let message = poll(&mut check).unwrap_err().to_string();
            assert!(message.starts_with("6 clicks were written into the window from 2026-11-23 10:00:00"), "{message}");
            assert!(message.ends_with(&format!("its rows add up to {sum}")), "{message}");
        }
    }

    #[test]
    fn offsets_left_out_or_claimed_twice_are_a_mismatch() {
        for (first, second, message) in [
            (0..4, 3..7, "offset 3 of partition 0, but the windows before it end at 4"),
            (0..4, 5..7, "offset 5 of partition 0, but the windows before it end at 4"),
            (1..4, 4..7, "offset 1 of partition 0, but the windows before it end at 0"),
        ] {
            let mut check = acknowledged();
            let counts = [&first, &second].map(|range| range.end - range.start);
            check.handle_row(row(7, counts[0], FIRST)).unwrap();
            check.handle_row(row(7, counts[1], SECOND)).unwrap();
            check.handle_read(0, 2);
            check.handle_closed(closed(FIRST, SECOND, &[(0, first)], 1)).unwrap();
            check.handle_closed(closed(SECOND, THIRD, &[(0, second)], 2)).unwrap();
            assert!(poll(&mut check).unwrap_err().to_string().ends_with(message), "{message}");
        }
    }

    #[test]
    fn windows_may_be_told_in_any_order() {
        let mut check = acknowledged();
        check.handle_row(row(7, 4, FIRST)).unwrap();
        check.handle_row(row(7, 3, SECOND)).unwrap();
        check.handle_closed(closed(SECOND, THIRD, &[(0, 4..7)], 2)).unwrap();
        check.handle_read(0, 2);
        assert_eq!(poll(&mut check), Ok(vec![]), "there are rows of a window before");
        check.handle_closed(closed(FIRST, SECOND, &[(0, 0..4)], 2)).unwrap();
        let starts: Vec<String> = poll(&mut check).unwrap().into_iter().map(|window| window.start).collect();
        assert_eq!(starts, [FIRST, SECOND]);
        assert!(check.handle_closed(closed(SECOND, THIRD, &[(0, 7..7)], 2)).is_err(), "it was closed before");
    }

    #[test]
    fn a_row_written_twice_or_too_late_is_a_mismatch() {
        let mut check = acknowledged();
        check.handle_row(row(7, 4, FIRST)).unwrap();
        assert!(check.handle_row(row(7, 4, FIRST)).unwrap_err().to_string().contains("user 7 is twice"));

        let mut check = acknowledged();
        check.handle_row(row(7, 4, FIRST)).unwrap();
        check.handle_read(0, 1);
        check.handle_closed(closed(FIRST, SECOND, &[(0, 0..4)], 1)).unwrap();
        assert_eq!(poll(&mut check).unwrap().len(), 1);
        assert!(check.handle_row(row(8, 1, FIRST)).unwrap_err().to_string().contains("was complete"));
    }

    #[test]
    fn what_others_write_may_count_or_not() {
        for (sum, fits) in [(3, false), (4, true), (5, true), (6, false)] {
            let mut check = Check::default();
            check.handle_acknowledged(0, 0..3);
            check.handle_acknowledged(0, 4..5);
            check.handle_closed(closed(FIRST, SECOND, &[(0, 0..5)], 1)).unwrap();
            check.handle_row(row(7, sum, FIRST)).unwrap();
            check.handle_read(0, 1);
            assert_eq!(poll(&mut check).is_ok(), fits, "{sum}");
        }
    }

    #[test]
    fn rows_are_read_as_they_are_written() {
        let value =
            br#"{"user_id":7,"cnt":42,"window_start":"2026-11-23 10:00:00","window_end":"2026-11-23 10:30:00"}"#;
        assert_eq!(Row::from_value(value), Ok(row(7, 42, FIRST)));
        let nobody = br#"{"user_id":null,"cnt":1,"window_start":"2026-11-23 10:00:00"}"#;
        assert_eq!(Row::from_value(nobody).unwrap().user_id, None);
        for broken in [&b"7"[..], b"{", br#"{"cnt":1}"#, br#"{"window_start":"x"}"#] {
            assert!(Row::from_value(broken).is_err());
        }
    }
}
