//! What a job does with what happens to one topic that it reads: when windows are looked at, what may be committed and
//! after which deliveries, what a rebalance means, and when there is nothing more to read.
//!
//! Before: the [`driver`](super::driver) brings records, positions, deliveries, commits and time. After: [`Action`]s for
//! it. The rows themselves are the tasks' affair: one [`Task`] for each pipeline that reads the topic.
//!
//! # At least once
//!
//! Offsets are committed only when every result of what lies before them has been acknowledged, and never beyond the
//! first record of a window that is open. So whoever starts from what is committed builds the open windows anew, and
//! nothing is lost; results between the last commit and the loss of a process come twice.
//!
//! A rebalance is a restart of the open windows: what can be committed is, then the tasks forget what is open, and
//! reading goes on from what is committed, here or at another member. So no row is counted twice within one window.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::status::{BoundedProgress, PipelineStatus, State};
use crate::clock::Clock;
use crate::task::{ClosedWindow, InputRecord, RecordError, Task};

/// What the driver is to do.
#[derive(Debug)]
pub(super) enum Action {
    /// Write the rows of a window, then `handle_delivered` or `handle_undelivered`.
    Send { token: u64, pipeline: usize, window: Arc<ClosedWindow> },
    /// Commit these offsets, then `handle_committed`.
    Commit(Vec<(i32, i64)>),
    /// Read a partition on from here.
    Seek { partition: i32, offset: i64 },
    /// Partitions that were asked back may go.
    Release,
    /// Leave the group: all is done.
    End,
}

/// What it is doing.
///
/// ```text
/// Waiting ──assigned──> Reading ──revoked──> Releasing ──committed──> Waiting, or Reading what it keeps
///    ▲                   │   └──lost──> Waiting, or Reading what it keeps
///    └───────────────────┘
/// any ──stop, or the end is reached──> Ending ──committed──> Ended
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// No partition is ours.
    Waiting,
    Reading,
    /// These partitions are to go once all is committed. `looked`: the windows were looked at for the last time.
    Releasing {
        revoked: BTreeSet<i32>,
        looked: bool,
    },
    /// `until`: what is not committed by then is left to the next start; none while there is no hurry.
    Ending {
        until: Option<Instant>,
        looked: bool,
    },
    Ended,
}

#[derive(Debug, Clone, Copy, Default)]
struct Partition {
    /// The next offset to read; none until it is known where reading begins.
    position: Option<i64>,
    /// The offset after the last record that the tasks were given.
    given_to: i64,
    high_watermark: Option<i64>,
    committed: Option<i64>,
    /// Where reading began.
    began: Option<i64>,
}

/// A commit that waits for deliveries.
#[derive(Debug)]
struct Round {
    offsets: Vec<(i32, i64)>,
    /// The last window that was sent before the offsets were taken.
    after: u64,
}

/// A window whose rows are not acknowledged yet.
#[derive(Debug)]
struct Unacknowledged {
    pipeline: usize,
    window: Arc<ClosedWindow>,
    /// Its rows were given up; they are sent again then.
    resend_at: Option<Instant>,
}

/// One pipeline's task, and what is counted of it.
#[derive(Debug)]
struct Running {
    task: Task,
    window_ends_ms: Option<i64>,
    rows_out: u64,
    windows_closed: u64,
    /// Records given to the task that no closed window was made of.
    rows_open: u64,
}

/// How long a stop waits for what is open.
pub(super) const STOP_MAX: Duration = Duration::from_secs(5);
/// After what time rows that were given up are sent again.
const RESEND_AFTER: Duration = Duration::from_secs(1);
/// How often it is asked where reading begins, until that is known.
const POSITION_INTERVAL: Duration = Duration::from_millis(5);

/// One topic that a job reads.
#[derive(Debug)]
pub(super) struct Machine {
    clock: Clock,
    commit_interval: Duration,
    running: Vec<Running>,
    phase: Phase,
    partitions: BTreeMap<i32, Partition>,
    /// Of a bounded read: where each partition ends.
    ends: Option<BTreeMap<i32, i64>>,
    /// When the windows are looked at next.
    look_at: Instant,
    /// Whether there may be something to commit that was not there at the last look.
    changed: bool,
    unacknowledged: BTreeMap<u64, Unacknowledged>,
    last_token: u64,
    round: Option<Round>,
    committing: Option<Vec<(i32, i64)>>,
    records_in: u64,
    commits: u64,
    /// It ended before all was committed.
    is_cut_short: bool,
}

impl Machine {
    /// `ends`: where each partition ends, when the read is bounded.
    pub(super) fn new(
        tasks: impl IntoIterator<Item = Task>,
        ends: Option<BTreeMap<i32, i64>>,
        clock: Clock,
        commit_interval: Duration,
        now: Instant,
    ) -> Self {
        let running = |task| Running { task, window_ends_ms: None, rows_out: 0, windows_closed: 0, rows_open: 0 };
        Self {
            clock,
            commit_interval,
            running: tasks.into_iter().map(running).collect(),
            phase: Phase::Waiting,
            partitions: BTreeMap::new(),
            ends,
            look_at: now,
            changed: false,
            unacknowledged: BTreeMap::new(),
            last_token: 0,
            round: None,
            committing: None,
            records_in: 0,
            commits: 0,
            is_cut_short: false,
        }
    }

    /// Whether records are taken now.
    pub(super) fn wants_records(&self) -> bool {
        match self.phase {
            // Who asks for records tells the group that it is through with those it has.
            Phase::Waiting | Phase::Reading => true,
            Phase::Releasing { .. } | Phase::Ending { .. } | Phase::Ended => false,
        }
    }

    /// These partitions are ours now, and no others. What was asked back and not yet let go is gone: the group did not
    /// wait for it.
    pub(super) fn handle_assigned(&mut self, assigned: &BTreeSet<i32>, now: Instant, actions: &mut Vec<Action>) {
        let mut gone: BTreeSet<i32> = self.partitions.keys().copied().filter(|it| !assigned.contains(it)).collect();
        match &mut self.phase {
            Phase::Waiting | Phase::Reading => {}
            Phase::Releasing { revoked, .. } => gone.append(revoked),
            Phase::Ending { .. } | Phase::Ended => gone.extend(self.partitions.keys()),
        }
        if !gone.is_empty() {
            self.handle_lost(&gone, actions);
        }
        for partition in assigned {
            self.partitions.entry(*partition).or_default();
        }
        match self.phase {
            Phase::Waiting | Phase::Reading | Phase::Releasing { .. } => self.phase = Phase::Reading,
            Phase::Ending { .. } | Phase::Ended => {}
        }
        self.look_at = now;
        self.changed = true;
    }

    /// These partitions are asked back; [`Action::Release`] says when they may go.
    pub(super) fn handle_revoked(&mut self, revoked: BTreeSet<i32>) {
        match &mut self.phase {
            Phase::Waiting | Phase::Reading => self.phase = Phase::Releasing { revoked, looked: false },
            Phase::Releasing { revoked: already, .. } => already.extend(revoked),
            // They go when it ends.
            Phase::Ending { .. } | Phase::Ended => {}
        }
    }

    /// These partitions are gone: others may read them already, from what was committed last.
    pub(super) fn handle_lost(&mut self, lost: &BTreeSet<i32>, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Waiting | Phase::Reading | Phase::Releasing { .. } => self.let_go(lost, actions),
            // What is open is left to the next start; what was closed is still written.
            Phase::Ending { .. } | Phase::Ended => {
                self.partitions.retain(|partition, _| !lost.contains(partition));
                self.round = None;
            }
        }
    }

    /// Where reading stands: the next offset of each partition, once it is known, and the end of what can be read.
    pub(super) fn handle_position(&mut self, partition: i32, position: Option<i64>, high_watermark: Option<i64>) {
        let end = self.end_of(partition);
        let Some(entry) = self.partitions.get_mut(&partition) else { return };
        let position = position.map(|position| end.map_or(position, |end| position.min(end)));
        self.changed |= entry.position != position;
        entry.position = position.or(entry.position);
        entry.began = entry.began.or(position);
        entry.high_watermark = high_watermark.or(entry.high_watermark);
    }

    /// Records of one partition, up to `next_offset`.
    ///
    /// # Errors
    /// A record that is not what its table says; nothing can go on then.
    pub(super) fn handle_records<'a, R>(
        &mut self,
        partition: i32,
        records: impl Fn() -> R,
        next_offset: i64,
        high_watermark: i64,
        now: Instant,
    ) -> Result<(), RecordError>
    where
        R: DoubleEndedIterator<Item = InputRecord<'a>> + ExactSizeIterator,
    {
        let end = self.end_of(partition).unwrap_or(i64::MAX);
        let Some(entry) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let now_ms = self.clock.unix_ms(now);
        let last = records().rev().map(|record| record.offset).find(|offset| *offset < end);
        let count = if next_offset <= end { records().len() } else { records().filter(|it| it.offset < end).count() };
        let count = count as u64;
        for running in &mut self.running {
            if next_offset <= end {
                running.task.handle_records(partition, records(), now_ms)?;
            } else {
                running.task.handle_records(partition, records().filter(|record| record.offset < end), now_ms)?;
            }
            running.rows_open += count;
        }
        self.records_in += count;
        entry.given_to = last.map_or(entry.given_to, |last| last.saturating_add(1));
        entry.position = Some(next_offset.min(end));
        entry.began = entry.began.or_else(|| records().next().map(|record| record.offset));
        entry.high_watermark = Some(high_watermark);
        self.changed = true;
        Ok(())
    }

    /// The rows of a window are acknowledged: which pipeline's, and the window.
    pub(super) fn handle_delivered(&mut self, token: u64) -> Option<(usize, Arc<ClosedWindow>)> {
        let Unacknowledged { pipeline, window, .. } = self.unacknowledged.remove(&token)?;
        if let Some(running) = self.running.get_mut(pipeline) {
            running.rows_out += window.rows as u64;
            running.windows_closed += 1;
        }
        Some((pipeline, window))
    }

    /// The rows of a window were given up for now. Those that were written come twice.
    pub(super) fn handle_undelivered(&mut self, token: u64, now: Instant) {
        if let Some(window) = self.unacknowledged.get_mut(&token) {
            window.resend_at = Some(now + RESEND_AFTER);
        }
    }

    /// The commit is through, or was refused for now: then what it said is said again with the next.
    pub(super) fn handle_committed(&mut self, committed: bool) {
        let Some(offsets) = self.committing.take() else { return };
        if !committed {
            self.changed = true;
            return;
        }
        self.commits += 1;
        for (partition, offset) in offsets {
            if let Some(entry) = self.partitions.get_mut(&partition) {
                entry.committed = Some(offset);
            }
        }
    }

    /// Everything is to end: what is closed is written and committed, within [`STOP_MAX`].
    pub(super) fn handle_stop(&mut self, now: Instant) {
        let until = Some(now + STOP_MAX);
        match &mut self.phase {
            Phase::Waiting | Phase::Reading | Phase::Releasing { .. } => {
                self.phase = Phase::Ending { until, looked: false };
            }
            Phase::Ending { until: already, .. } => *already = already.or(until),
            Phase::Ended => {}
        }
    }

    /// What is due at `now`, and when to ask again.
    pub(super) fn poll(&mut self, now: Instant, actions: &mut Vec<Action>) -> Option<Instant> {
        if self.phase == Phase::Reading && self.is_at_end() {
            self.phase = Phase::Ending { until: None, looked: false };
        }
        self.resend(now, actions);
        self.look(now, actions);
        self.commit(actions);
        self.finish(now, actions);
        self.wake_at(now)
    }

    /// Fills in what is shown of a pipeline.
    pub(super) fn show(&self, pipeline: usize, now: Instant, status: &mut PipelineStatus) {
        let Some(running) = self.running.get(pipeline) else { return };
        status.state = match self.phase {
            Phase::Reading if self.knows_positions() => State::Reading,
            Phase::Waiting | Phase::Reading => State::Joining,
            Phase::Releasing { .. } => status.state,
            Phase::Ending { .. } => State::Ending,
            Phase::Ended => State::Ended,
        };
        status.records_in = self.records_in;
        status.rows_out = running.rows_out;
        status.windows_closed = running.windows_closed;
        status.window_ends_ms = running.window_ends_ms;
        status.rows_open = running.rows_open;
        status.commits = self.commits;
        status.is_cut_short = self.is_cut_short;
        status.processing_time_ms = self.clock.unix_ms(now);
        let behind = |partition: &Partition| Some(length(partition.position?, partition.high_watermark?));
        status.lag = self.partitions.values().map(behind).sum();
        if let Some(ends) = &self.ends {
            let of = |(partition, entry): (&i32, &Partition)| {
                let (end, began) = (ends.get(partition).copied().unwrap_or(0), entry.began?);
                let read = length(began, entry.position?.min(end));
                Some(BoundedProgress { read, total: length(began, end) })
            };
            let sum = |one: BoundedProgress, other: BoundedProgress| BoundedProgress {
                read: one.read + other.read,
                total: one.total + other.total,
            };
            if !self.partitions.is_empty() {
                status.bounded = Some(self.partitions.iter().filter_map(of).fold(BoundedProgress::default(), sum));
            }
        }
    }

    fn end_of(&self, partition: i32) -> Option<i64> {
        self.ends.as_ref().map(|ends| ends.get(&partition).copied().unwrap_or(0))
    }

    fn knows_positions(&self) -> bool {
        self.partitions.values().all(|partition| partition.position.is_some())
    }

    /// Whether all that a bounded read has to read is read.
    fn is_at_end(&self) -> bool {
        let Some(ends) = &self.ends else { return false };
        self.partitions.iter().all(|(partition, entry)| {
            let end = ends.get(partition).copied().unwrap_or(0);
            entry.position.is_some_and(|position| position >= end)
        })
    }

    fn resend(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for (token, Unacknowledged { pipeline, window, resend_at }) in &mut self.unacknowledged {
            if resend_at.take_if(|at| *at <= now).is_some() {
                actions.push(Action::Send { token: *token, pipeline: *pipeline, window: Arc::clone(window) });
            }
        }
    }

    /// Looks at the windows when it is time: sends those that closed, and takes down what may then be committed.
    fn look(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let now_ms = self.clock.unix_ms(now);
        let closes = self.running.iter().filter_map(|running| running.window_ends_ms).any(|ends| ends <= now_ms);
        let busy = self.round.is_some() || self.committing.is_some();
        match &mut self.phase {
            Phase::Waiting | Phase::Ended => return,
            Phase::Reading => {
                if now < self.look_at && !closes {
                    return;
                }
            }
            // The last look comes when what was begun before is through, and only once.
            Phase::Releasing { looked, .. } | Phase::Ending { looked, .. } => {
                if *looked || busy {
                    return;
                }
                *looked = true;
            }
        }
        self.close_windows(now_ms, actions);
        if now >= self.look_at {
            self.look_at = now + self.commit_interval;
        }
        if !busy && std::mem::take(&mut self.changed) {
            let offsets = self.committable();
            if !offsets.is_empty() {
                self.round = Some(Round { offsets, after: self.last_token });
            }
        }
    }

    fn close_windows(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        let mut closed = Vec::new();
        for (pipeline, running) in self.running.iter_mut().enumerate() {
            running.window_ends_ms = running.task.poll(now_ms, &mut closed);
            for window in closed.drain(..) {
                let inputs = window.inputs.iter().map(|range| length(range.first, range.next)).sum();
                running.rows_open = running.rows_open.saturating_sub(inputs);
                self.last_token += 1;
                let (token, window) = (self.last_token, Arc::new(window));
                actions.push(Action::Send { token, pipeline, window: Arc::clone(&window) });
                self.unacknowledged.insert(token, Unacknowledged { pipeline, window, resend_at: None });
                self.changed = true;
            }
        }
    }

    /// The offsets that may be committed once all that was sent is acknowledged, where they are not committed already.
    fn committable(&self) -> Vec<(i32, i64)> {
        let safe = self.safe_offsets();
        let news = safe.into_iter().filter(|(partition, offset)| {
            self.partitions.get(partition).is_some_and(|entry| entry.committed != Some(*offset))
        });
        news.collect()
    }

    /// For each partition, the first offset that a window that is open was made of; where there is none, the position.
    fn safe_offsets(&self) -> BTreeMap<i32, i64> {
        let known = self.partitions.iter().filter_map(|(partition, entry)| Some((*partition, entry.position?)));
        let mut safe: BTreeMap<i32, i64> = known.collect();
        for (partition, offset) in self.running.iter().flat_map(|running| running.task.safe_offsets()) {
            let given_to = self.partitions.get(&partition).map_or(0, |entry| entry.given_to);
            // A task knows of records only, and the position may be beyond the last of them.
            if let Some(lowest) = safe.get_mut(&partition)
                && offset < given_to
            {
                *lowest = offset.min(*lowest);
            }
        }
        safe
    }

    /// Commits what waits for deliveries, once they are there.
    fn commit(&mut self, actions: &mut Vec<Action>) {
        // A round is taken down only when no commit is under way, so there is one at a time.
        let first = self.unacknowledged.keys().next().copied().unwrap_or(u64::MAX);
        if let Some(Round { offsets, .. }) = self.round.take_if(|round| round.after < first) {
            actions.push(Action::Commit(offsets.clone()));
            self.committing = Some(offsets);
        }
    }

    /// Lets go of partitions, or ends, once all is committed that was to be.
    fn finish(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let through = self.round.is_none() && self.committing.is_none() && self.unacknowledged.is_empty();
        match &mut self.phase {
            Phase::Releasing { revoked, looked: true } if through => {
                let revoked = std::mem::take(revoked);
                self.let_go(&revoked, actions);
                actions.push(Action::Release);
            }
            Phase::Ending { until, looked } if (through && *looked) || until.is_some_and(|until| until <= now) => {
                self.is_cut_short = !through;
                self.phase = Phase::Ended;
                actions.push(Action::End);
            }
            Phase::Waiting | Phase::Reading | Phase::Releasing { .. } | Phase::Ending { .. } | Phase::Ended => {}
        }
    }

    /// The open windows are forgotten. Of partitions that stay, they are built anew from where they began.
    fn let_go(&mut self, partitions: &BTreeSet<i32>, actions: &mut Vec<Action>) {
        let safe = self.safe_offsets();
        for running in &mut self.running {
            running.task.reset();
            running.window_ends_ms = None;
            running.rows_open = 0;
        }
        self.round = None;
        self.partitions.retain(|partition, _| !partitions.contains(partition));
        for (partition, entry) in &mut self.partitions {
            if let Some(offset) = safe.get(partition) {
                actions.push(Action::Seek { partition: *partition, offset: *offset });
                *entry = Partition { position: Some(*offset), given_to: *offset, ..*entry };
            }
        }
        self.phase = if self.partitions.is_empty() { Phase::Waiting } else { Phase::Reading };
    }

    fn wake_at(&self, now: Instant) -> Option<Instant> {
        let resend_at = self.unacknowledged.values().filter_map(|window| window.resend_at).min();
        let phase_at = match &self.phase {
            Phase::Waiting | Phase::Ended | Phase::Releasing { .. } => None,
            Phase::Ending { until, .. } => *until,
            Phase::Reading if !self.knows_positions() => Some(now + POSITION_INTERVAL),
            Phase::Reading => {
                let ends_ms = self.running.iter().filter_map(|running| running.window_ends_ms).min();
                let closes_at = ends_ms.and_then(|ends_ms| self.clock.instant(ends_ms));
                [Some(self.look_at), closes_at].into_iter().flatten().min()
            }
        };
        [resend_at, phase_at].into_iter().flatten().min()
    }
}

/// How many offsets lie from `first` to before `next`.
fn length(first: i64, next: i64) -> u64 {
    u64::try_from(next.saturating_sub(first)).unwrap_or(0)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "machine_random_tests.rs"]
mod random_tests;
