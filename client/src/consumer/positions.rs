//! Where each assigned partition is read next: how it starts, where it resets to, and how far it has come.
//!
//! Before: [`subscription`](super::subscription) says what is assigned. After: the [`fetcher`](super::fetcher) reads
//! from here, and [`handing`](super::handing) moves the [`Progress`] of what it hands out.
//!
//! Two numbers per partition must not be confused. The *position* belongs to the application: it moves when records
//! are handed out, and nothing else moves it but a seek or a reset. The *fetch offset* runs ahead of it by what is
//! buffered. Every write to either gives the partition a new *version*; a reply that was asked for under an older one
//! is about a place where we no longer are, and is dropped. So a committed offset that arrives late never undoes a
//! seek.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};

use tracing::warn;

use super::config::AutoOffsetReset;
use super::offset_lookup::OffsetSpec;
use crate::record::TopicPartition;

/// How far the records of one partition have gone out to the application.
///
/// Shared with whoever hands records out, so that no lock is taken per record. A seek or a new assignment makes a new
/// one, and seals the old one: who still holds it hands out nothing more. So is it when the partition is to be given up,
/// and what is read of it from then on, is final.
#[derive(Debug)]
pub(super) struct Progress {
    /// With [`SEALED`] from when it no longer moves.
    position: AtomicI64,
    processed: AtomicI64,
    /// Of the leader that wrote what went out last, -1 where that is not known.
    epoch: AtomicI32,
}

/// A bit that no offset has.
const SEALED: i64 = 1 << 62;

impl Progress {
    fn new(offset: i64, epoch: i32) -> Arc<Self> {
        let (position, processed) = (AtomicI64::new(offset), AtomicI64::new(offset));
        Arc::new(Self { position, processed, epoch: AtomicI32::new(epoch) })
    }

    /// What goes out next was written under this leader epoch. It is a hint for whoever goes on from here: when it runs
    /// ahead of the position, a truncation may go unnoticed, and nothing else happens.
    pub(super) fn written_under(&self, epoch: i32) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// The leader epoch of what went out last.
    pub(super) fn leader_epoch(&self) -> Option<i32> {
        Some(self.epoch.load(Ordering::Relaxed)).filter(|epoch| *epoch >= 0)
    }

    /// The next offset to hand out.
    pub(super) fn position(&self) -> i64 {
        offset_of(self.position.load(Ordering::SeqCst))
    }

    /// Moves the position on, never back; false when it moves no more. There is one receiver at a time.
    pub(super) fn hand_out(&self, next_offset: i64) -> bool {
        let position = self.position.load(Ordering::SeqCst);
        let next = next_offset.max(position);
        let moved = self.position.compare_exchange(position, next, Ordering::SeqCst, Ordering::SeqCst);
        offset_of(position) == position && moved.is_ok()
    }

    /// From here on nothing more is handed out.
    pub(super) fn seal(&self) {
        if self.position() >= 0 {
            self.position.fetch_or(SEALED, Ordering::SeqCst);
        }
    }

    /// The application came back for more, so it is through with everything before this offset.
    pub(super) fn processed_to(&self, next_offset: i64) {
        self.processed.store(next_offset, Ordering::SeqCst);
    }

    /// What may be committed on the application's behalf.
    pub(super) fn processed(&self) -> i64 {
        self.processed.load(Ordering::SeqCst)
    }

    /// Whether the application works on something that was handed out.
    pub(super) fn is_outstanding(&self) -> bool {
        self.processed() != self.position()
    }
}

fn offset_of(position: i64) -> i64 {
    if position < 0 { position } else { position & !SEALED }
}

/// Why a partition stands still until the application seeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nothing is committed, and `auto.offset.reset` is `none`.
    NothingCommitted,
    /// The offset is not in the log any more, or not yet, and `auto.offset.reset` is `none`.
    OutOfRange { offset: i64 },
    /// The log was cut at `end_offset`, before the position, and `auto.offset.reset` is `none`.
    Truncated { offset: i64, end_offset: i64 },
}

/// The position was not in the log, and reading went on elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    pub(super) partition: TopicPartition,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Where a partition stands.
///
/// ```text
/// AwaitingCommitted ──committed──> Reading ──out of range──> AwaitingOffset ──found──> Reading
///         └──nothing committed──> AwaitingOffset                 (reset none) └──> Stopped ──seek──> Reading
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitingCommitted {
        asked: bool,
    },
    AwaitingOffset {
        spec: OffsetSpec,
        asked: bool,
    },
    /// `epoch`: of the leader that wrote what comes before, -1 where that is not known.
    Reading {
        fetch_offset: i64,
        epoch: i32,
    },
    Stopped,
}

#[derive(Debug)]
struct Partition {
    version: u64,
    state: State,
    progress: Arc<Progress>,
}

/// Where the next fetch of a partition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FetchFrom {
    pub(super) version: u64,
    pub(super) offset: i64,
    /// Of the leader that wrote what comes before, -1 where that is not known.
    pub(super) epoch: i32,
}

/// Where all assigned partitions stand.
#[derive(Debug)]
pub(super) struct Positions {
    partitions: BTreeMap<TopicPartition, Partition>,
    reset: AutoOffsetReset,
    /// Whether there is a group whose committed offsets come first.
    grouped: bool,
    versions: u64,
    lost: Vec<(TopicPartition, Lost)>,
    /// Positions that were out of range, while it is not known yet where reading goes on.
    resets: BTreeMap<TopicPartition, i64>,
    skipped: Vec<Skipped>,
}

impl Positions {
    pub(super) fn new(reset: AutoOffsetReset, grouped: bool) -> Self {
        Self {
            partitions: BTreeMap::new(),
            reset,
            grouped,
            versions: 0,
            lost: Vec::new(),
            resets: BTreeMap::new(),
            skipped: Vec::new(),
        }
    }

    /// These partitions are read from now on, and no others. Those that stay keep their place.
    pub(super) fn assign(&mut self, assigned: &BTreeSet<TopicPartition>) {
        self.partitions.retain(|partition, entry| {
            let stays = assigned.contains(partition);
            if !stays {
                entry.progress.seal();
            }
            stays
        });
        self.resets.retain(|partition, _| assigned.contains(partition));
        for partition in assigned {
            if !self.partitions.contains_key(partition) {
                self.start(partition);
            }
        }
    }

    fn start(&mut self, partition: &TopicPartition) {
        let state = if self.grouped {
            State::AwaitingCommitted { asked: false }
        } else {
            self.reset_state(partition, Lost::NothingCommitted)
        };
        self.versions += 1;
        let entry = Partition { version: self.versions, state, progress: Progress::new(-1, -1) };
        if let Some(before) = self.partitions.insert(partition.clone(), entry) {
            before.progress.seal();
        }
    }

    /// Nothing more of these is handed out, until they are assigned again.
    pub(super) fn seal<'a>(&self, partitions: impl IntoIterator<Item = &'a TopicPartition>) {
        for entry in partitions.into_iter().filter_map(|partition| self.partitions.get(partition)) {
            entry.progress.seal();
        }
    }

    /// A partition that stays is read from where it would be if it had just been assigned.
    pub(super) fn restart(&mut self, partition: &TopicPartition) {
        if self.contains(partition) {
            self.start(partition);
        }
    }

    pub(super) fn assigned(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }

    pub(super) fn contains(&self, partition: &TopicPartition) -> bool {
        self.partitions.contains_key(partition)
    }

    /// The position, once it is known.
    pub(super) fn position(&self, partition: &TopicPartition) -> Option<i64> {
        let entry = self.partitions.get(partition)?;
        Some(entry.progress.position()).filter(|offset| *offset >= 0)
    }

    /// Partitions with a known position, and how far they have come.
    pub(super) fn known(&self) -> impl Iterator<Item = (&TopicPartition, &Arc<Progress>)> {
        let entries = self.partitions.iter().map(|(partition, entry)| (partition, &entry.progress));
        entries.filter(|(_, progress)| progress.position() >= 0)
    }

    /// Reads on from `offset`. False when the partition is not assigned.
    pub(super) fn seek(&mut self, partition: &TopicPartition, offset: i64) -> bool {
        self.place(partition, offset, -1)
    }

    /// Reads on from an end of the log, once it is known where that is. False when the partition is not assigned.
    pub(super) fn seek_to(&mut self, partition: &TopicPartition, spec: OffsetSpec) -> bool {
        self.versions += 1;
        match self.partitions.get_mut(partition) {
            Some(entry) => {
                let state = State::AwaitingOffset { spec, asked: false };
                entry.progress.seal();
                *entry = Partition { version: self.versions, state, progress: Progress::new(-1, -1) };
                true
            }
            None => false,
        }
    }

    /// The partitions whose committed offset is to be asked for; they count as asked.
    pub(super) fn take_awaiting_committed(&mut self) -> Vec<(TopicPartition, u64)> {
        let mut awaiting = Vec::new();
        for (partition, entry) in &mut self.partitions {
            if let State::AwaitingCommitted { asked: asked @ false } = &mut entry.state {
                *asked = true;
                awaiting.push((partition.clone(), entry.version));
            }
        }
        awaiting
    }

    /// The partitions whose first or last offset is to be asked for; they count as asked.
    pub(super) fn take_awaiting_offset(&mut self) -> Vec<(TopicPartition, u64, OffsetSpec)> {
        let mut awaiting = Vec::new();
        for (partition, entry) in &mut self.partitions {
            if let State::AwaitingOffset { spec, asked: asked @ false } = &mut entry.state {
                *asked = true;
                awaiting.push((partition.clone(), entry.version, *spec));
            }
        }
        awaiting
    }

    /// What the group had committed, if anything.
    pub(super) fn on_committed(&mut self, partition: &TopicPartition, version: u64, committed: Option<(i64, i32)>) {
        if !self.is_current(partition, version) {
            return;
        }
        match committed {
            Some((offset, epoch)) => {
                self.place(partition, offset, epoch);
            }
            None => self.reset_to_policy(partition, Lost::NothingCommitted),
        }
    }

    /// The offset a reset leads to.
    pub(super) fn on_offset(&mut self, partition: &TopicPartition, version: u64, offset: i64) {
        if self.is_current(partition, version) {
            if let Some(from) = self.resets.remove(partition) {
                self.skipped.push(Skipped { partition: partition.clone(), from, to: offset });
            }
            self.place(partition, offset, -1);
        }
    }

    /// The log that the leader has is another from `end_offset` on than the one that was read: what was read after that
    /// is gone (KIP-320). Reading goes on there, or, where the application wants no resets, stops.
    pub(super) fn on_diverging(&mut self, partition: &TopicPartition, version: u64, end_offset: i64) {
        if !self.is_current(partition, version) {
            return;
        }
        let position = self.position(partition).unwrap_or(-1);
        if position <= end_offset {
            return self.refetch(partition); // nothing that went out is concerned
        }
        warn!(%partition, offset = position, end_offset, "the log was cut: records that were read are gone");
        if self.reset == AutoOffsetReset::None {
            self.reset_to_policy(partition, Lost::Truncated { offset: position, end_offset });
        } else {
            self.skipped.push(Skipped { partition: partition.clone(), from: position, to: end_offset });
            self.place(partition, end_offset, -1);
        }
    }

    /// The broker does not hold `offset`. While records before it still wait to be handed out, nothing is decided:
    /// by the time they are gone it is asked for again. Returns whether that is so.
    pub(super) fn on_out_of_range(&mut self, partition: &TopicPartition, version: u64, offset: i64) -> bool {
        if !self.is_current(partition, version) {
            return false;
        }
        if self.position(partition) != Some(offset) {
            return true;
        }
        warn!(%partition, offset, reset = ?self.reset, "the position is out of range: these records are gone, or never were");
        self.reset_to_policy(partition, Lost::OutOfRange { offset });
        self.resets.insert(partition.clone(), offset);
        false
    }

    /// Where reading went on elsewhere than it was, since the last call.
    pub(super) fn take_skipped(&mut self) -> Vec<Skipped> {
        std::mem::take(&mut self.skipped)
    }

    /// Partitions that stand still since the last call, with the reason.
    pub(super) fn take_lost(&mut self) -> Vec<(TopicPartition, Lost)> {
        std::mem::take(&mut self.lost)
    }

    /// Where to fetch from; none while the position is not known.
    pub(super) fn fetch_from(&self, partition: &TopicPartition) -> Option<FetchFrom> {
        let entry = self.partitions.get(partition)?;
        match entry.state {
            State::Reading { fetch_offset: offset, epoch } => Some(FetchFrom { version: entry.version, offset, epoch }),
            State::AwaitingCommitted { .. } | State::AwaitingOffset { .. } | State::Stopped => None,
        }
    }

    /// Fetched up to `next_offset`, the last of it written under `epoch`: the next fetch goes on from there.
    pub(super) fn on_fetched(&mut self, partition: &TopicPartition, version: u64, next_offset: i64, epoch: i32) {
        if let Some(entry) = self.partitions.get_mut(partition)
            && entry.version == version
            && let State::Reading { .. } = &entry.state
        {
            entry.state = State::Reading { fetch_offset: next_offset, epoch };
        }
    }

    /// What is buffered beyond the position is worthless: fetch again from the position.
    pub(super) fn refetch(&mut self, partition: &TopicPartition) {
        if let Some(offset) = self.position(partition)
            && let Some(entry) = self.partitions.get_mut(partition)
        {
            self.versions += 1;
            entry.version = self.versions;
            entry.state = State::Reading { fetch_offset: offset, epoch: -1 };
        }
    }

    /// Grows whenever what was asked for before is about a place where we no longer are.
    pub(super) fn versions(&self) -> u64 {
        self.versions
    }

    /// Whether what was asked for under `version` is still about where we are.
    pub(super) fn is_current(&self, partition: &TopicPartition, version: u64) -> bool {
        self.partitions.get(partition).is_some_and(|entry| entry.version == version)
    }

    /// The progress that moves when records fetched under `version` go out.
    pub(super) fn progress(&self, partition: &TopicPartition, version: u64) -> Option<Arc<Progress>> {
        let entry = self.partitions.get(partition).filter(|entry| entry.version == version)?;
        Some(entry.progress.clone())
    }

    fn place(&mut self, partition: &TopicPartition, offset: i64, epoch: i32) -> bool {
        self.versions += 1;
        self.resets.remove(partition);
        match self.partitions.get_mut(partition) {
            Some(entry) => {
                entry.version = self.versions;
                entry.state = State::Reading { fetch_offset: offset, epoch };
                entry.progress.seal();
                entry.progress = Progress::new(offset, epoch);
                true
            }
            None => false,
        }
    }

    fn reset_to_policy(&mut self, partition: &TopicPartition, reason: Lost) {
        let state = self.reset_state(partition, reason);
        self.versions += 1;
        if let Some(entry) = self.partitions.get_mut(partition) {
            entry.version = self.versions;
            entry.state = state;
        }
    }

    fn reset_state(&mut self, partition: &TopicPartition, reason: Lost) -> State {
        let spec = match self.reset {
            AutoOffsetReset::Earliest => OffsetSpec::Earliest,
            AutoOffsetReset::Latest => OffsetSpec::Latest,
            AutoOffsetReset::None => {
                self.lost.push((partition.clone(), reason));
                return State::Stopped;
            }
        };
        State::AwaitingOffset { spec, asked: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: Arc::from("orders"), partition: number }
    }

    fn assigned(reset: AutoOffsetReset, grouped: bool) -> Positions {
        let mut positions = Positions::new(reset, grouped);
        positions.assign(&BTreeSet::from([partition(0)]));
        positions
    }

    #[test]
    fn the_committed_offset_comes_first() {
        let mut positions = assigned(AutoOffsetReset::Latest, true);
        assert!(positions.take_awaiting_offset().is_empty());
        let awaiting = positions.take_awaiting_committed();
        assert_eq!(awaiting.len(), 1);
        assert!(positions.take_awaiting_committed().is_empty(), "it is asked for once");
        positions.on_committed(&partition(0), awaiting[0].1, Some((42, 3)));
        assert_eq!(positions.position(&partition(0)), Some(42));
        let from = positions.fetch_from(&partition(0)).unwrap();
        assert_eq!((from.offset, from.epoch), (42, 3));
    }

    #[test]
    fn with_nothing_committed_the_policy_decides() {
        let mut positions = assigned(AutoOffsetReset::Earliest, true);
        let version = positions.take_awaiting_committed()[0].1;
        positions.on_committed(&partition(0), version, None);
        let (_, version, spec) = positions.take_awaiting_offset().remove(0);
        assert_eq!(spec, OffsetSpec::Earliest);
        positions.on_offset(&partition(0), version, 7);
        assert_eq!(positions.position(&partition(0)), Some(7));
    }

    #[test]
    fn without_a_group_and_without_a_policy_the_application_must_seek() {
        let mut positions = assigned(AutoOffsetReset::None, false);
        assert_eq!(positions.take_lost(), [(partition(0), Lost::NothingCommitted)]);
        assert_eq!(positions.fetch_from(&partition(0)), None);
        assert!(positions.seek(&partition(0), 3));
        assert_eq!(positions.fetch_from(&partition(0)).unwrap().offset, 3);
    }

    #[test]
    fn a_committed_offset_that_comes_late_does_not_undo_a_seek() {
        let mut positions = assigned(AutoOffsetReset::Latest, true);
        let version = positions.take_awaiting_committed()[0].1;
        positions.seek(&partition(0), 100);
        positions.on_committed(&partition(0), version, Some((5, -1)));
        assert_eq!(positions.position(&partition(0)), Some(100));
    }

    #[test]
    fn a_position_that_is_left_moves_no_more_and_is_still_known() {
        let mut positions = assigned(AutoOffsetReset::Earliest, false);
        positions.seek(&partition(0), 10);
        let before = positions.progress(&partition(0), positions.fetch_from(&partition(0)).unwrap().version).unwrap();
        assert!(before.hand_out(11));
        assert!(before.hand_out(7) && before.position() == 11, "offsets in a batch may go back, a position does not");
        positions.seal(&BTreeSet::from([partition(0)]));
        assert!(!before.hand_out(12));
        assert_eq!((before.position(), positions.position(&partition(0))), (11, Some(11)));
        positions.seek(&partition(0), 20);
        let after = positions.progress(&partition(0), positions.fetch_from(&partition(0)).unwrap().version).unwrap();
        assert!(after.hand_out(21));
        positions.assign(&BTreeSet::new());
        assert!(!after.hand_out(22));
    }

    #[test]
    fn an_offset_out_of_range_waits_until_what_is_buffered_has_gone_out() {
        let mut positions = assigned(AutoOffsetReset::Earliest, false);
        positions.seek(&partition(0), 10);
        let FetchFrom { version, .. } = positions.fetch_from(&partition(0)).unwrap();
        positions.on_fetched(&partition(0), version, 20, 1);
        assert!(positions.on_out_of_range(&partition(0), version, 20));
        assert!(positions.take_awaiting_offset().is_empty());
        positions.progress(&partition(0), version).unwrap().hand_out(20);
        assert!(!positions.on_out_of_range(&partition(0), version, 20));
        assert_eq!(positions.take_awaiting_offset()[0].2, OffsetSpec::Earliest);
    }

    #[test]
    fn out_of_range_without_a_policy_stops_and_is_told_once() {
        let mut positions = assigned(AutoOffsetReset::None, false);
        positions.take_lost();
        positions.seek(&partition(0), 10);
        let FetchFrom { version, .. } = positions.fetch_from(&partition(0)).unwrap();
        positions.on_out_of_range(&partition(0), version, 10);
        assert_eq!(positions.take_lost(), [(partition(0), Lost::OutOfRange { offset: 10 })]);
        assert!(positions.take_lost().is_empty());
        assert_eq!(positions.fetch_from(&partition(0)), None);
    }

    #[test]
    fn who_holds_the_progress_from_before_a_seek_moves_nothing() {
        let mut positions = assigned(AutoOffsetReset::Earliest, false);
        positions.seek(&partition(0), 10);
        let FetchFrom { version, .. } = positions.fetch_from(&partition(0)).unwrap();
        let old = positions.progress(&partition(0), version).unwrap();
        positions.seek(&partition(0), 50);
        old.hand_out(11);
        assert_eq!(positions.position(&partition(0)), Some(50));
        assert!(positions.progress(&partition(0), version).is_none());
    }

    #[test]
    fn partitions_that_stay_assigned_keep_their_place() {
        let mut positions = assigned(AutoOffsetReset::Earliest, false);
        positions.seek(&partition(0), 10);
        positions.assign(&BTreeSet::from([partition(0), partition(1)]));
        assert_eq!(positions.position(&partition(0)), Some(10));
        assert_eq!(positions.position(&partition(1)), None);
        positions.assign(&BTreeSet::from([partition(1)]));
        assert_eq!(positions.position(&partition(0)), None);
    }

    #[test]
    fn refetching_starts_again_from_what_went_out() {
        let mut positions = assigned(AutoOffsetReset::Earliest, false);
        positions.seek(&partition(0), 10);
        let FetchFrom { version, .. } = positions.fetch_from(&partition(0)).unwrap();
        positions.on_fetched(&partition(0), version, 30, 1);
        positions.progress(&partition(0), version).unwrap().hand_out(12);
        positions.refetch(&partition(0));
        let FetchFrom { version: again, offset, .. } = positions.fetch_from(&partition(0)).unwrap();
        assert_eq!(offset, 12);
        assert_ne!(again, version);
    }
}
