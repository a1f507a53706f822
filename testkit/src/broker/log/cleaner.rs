//! Compaction: of the records of a key only the newest stays.
//!
//! Decides whether a log is to be cleaned, what of it, and what remains, as Kafka's `LogCleaner` does:
//! - whole segments are cleaned, up to the one that holds the last stable offset, never the active one, and only such as
//!   hold nothing younger than `min.compaction.lag.ms`;
//! - it is time when more than `min.cleanable.dirty.ratio` of these bytes were never cleaned, or some that were not are older
//!   than `max.compaction.lag.ms`;
//! - records of aborted transactions go; a marker goes when all records of its transaction have;
//! - tombstones and such markers get a delete horizon when they are first seen, `delete.retention.ms` from then, and go with the
//!   first cleaning after it (KIP-534);
//! - the last batch of each producer stays, if only as a header, so that its sequence is not lost; so does the last batch of
//!   what was cleaned, so that the offset is not;
//! - offsets stay as they were, with gaps where records are gone; small segments are put together up to `segment.bytes`.
//!
//! Kafka remembers keys by hashes in a buffer of limited size and cleans in several rounds what does not fit; here keys are
//! compared themselves and one round cleans everything. There is one copy of the log, so replicas are cleaned together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::records::{BatchHeader, RecordBatch, RecordBatches, Rewrite, control};

use super::{Content, INFLATED_BYTES_MAX, Log, SEGMENT_BYTES_MAX, Segment};
use crate::broker::producer_state::{Aborted, ProducerState};
use crate::broker::topic_config::TopicConfig;

/// What a cleaning has done.
#[derive(Debug)]
pub(crate) struct Cleaned {
    /// Behind what was cleaned.
    pub(crate) end_offset: i64,
    /// The aborted transactions that ended below that and of which there still are records: producers and first offsets.
    aborted: BTreeSet<(i64, i64)>,
}

impl Cleaned {
    pub(crate) fn has_records_of(&self, aborted: &Aborted) -> bool {
        self.aborted.contains(&(aborted.producer_id, aborted.first_offset))
    }
}

impl Log {
    /// Cleans the log if it is time to.
    pub(crate) fn clean(
        &mut self,
        config: &TopicConfig,
        producers: &ProducerState,
        last_stable_offset: i64,
        unix_ms: i64,
    ) -> Option<Cleaned> {
        let dirty_from = self.first_dirty_offset();
        let end_offset = self.first_uncleanable_offset(dirty_from, config, last_stable_offset, unix_ms);
        if !self.is_time(dirty_from, end_offset, config, unix_ms) {
            return None;
        }
        let newest = self.newest_offsets(dirty_from, end_offset, producers);
        let first = self.segments.front().map_or(0, |segment| segment.base_offset);
        let mut filter = Filter {
            newest,
            transactions: Transactions::new(producers.aborted_between(first, end_offset)),
            producers,
            end_offset,
            unix_ms,
            delete_retention_ms: config.delete_retention_ms,
        };
        let count = self.segments.partition_point(|segment| segment.base_offset < end_offset);
        let remaining = self.segments.split_off(count);
        let bytes_max = config.segment_bytes.min(SEGMENT_BYTES_MAX);
        let cleaned = groups(std::mem::take(&mut self.segments), bytes_max).map(|group| filter.clean(group));
        // Nothing is lost with one that is empty, for reading goes on in the next; but the first says where the log starts.
        self.segments = cleaned.filter(|segment| segment.base_offset == first || !segment.batches.is_empty()).collect();
        self.segments.extend(remaining);
        self.set_positions();
        self.cleaned_to = end_offset;
        self.changes += 1;
        Some(Cleaned { end_offset, aborted: filter.transactions.still_there })
    }

    fn first_dirty_offset(&self) -> i64 {
        let known = (self.start_offset..=self.end_offset).contains(&self.cleaned_to);
        if known { self.cleaned_to } else { self.start_offset }
    }

    /// Where the first segment begins that is not to be cleaned.
    fn first_uncleanable_offset(
        &self,
        dirty_from: i64,
        config: &TopicConfig,
        last_stable_offset: i64,
        unix_ms: i64,
    ) -> i64 {
        let active = self.segments.back().map_or(0, |segment| segment.base_offset);
        let mut end = last_stable_offset.min(active);
        if config.compaction_lag_min_ms > 0 {
            let youngest = unix_ms.saturating_sub(config.compaction_lag_min_ms);
            let mut closed = self.segments_of(dirty_from, active);
            let young = closed.find(|segment| segment.largest_timestamp() > youngest);
            end = young.map_or(end, |segment| end.min(segment.base_offset));
        }
        self.segments_of(end.max(dirty_from), active).next().map_or(active, |segment| segment.base_offset)
    }

    fn is_time(&self, dirty_from: i64, end_offset: i64, config: &TopicConfig, unix_ms: i64) -> bool {
        let bytes = |segments: &mut dyn Iterator<Item = &Segment>| segments.map(|it| it.bytes() as u64).sum::<u64>();
        let dirty = bytes(&mut self.segments_of(dirty_from.min(end_offset), end_offset));
        let clean = bytes(&mut self.segments.iter().take_while(|segment| segment.base_offset < dirty_from));
        if dirty == 0 {
            return false;
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio of bytes that lie in memory")]
        let ratio = dirty as f64 / (dirty + clean) as f64;
        let active = self.segments.back().map_or(0, |segment| segment.base_offset);
        let oldest_allowed = unix_ms.saturating_sub(config.compaction_lag_max_ms);
        let first_timestamp = |segment: &Segment| segment.batches.first().map(|first| first.max_timestamp);
        let mut first_timestamps = self.segments_of(dirty_from, active).filter_map(first_timestamp);
        ratio > config.cleanable_dirty_ratio_min || first_timestamps.any(|first| first > 0 && first < oldest_allowed)
    }

    /// The segments that hold offsets from `start_offset` on and begin before `end_offset`.
    fn segments_of(&self, start_offset: i64, end_offset: i64) -> impl Iterator<Item = &Segment> {
        let behind = self.segments.partition_point(|segment| segment.base_offset <= start_offset);
        let segments = self.segments.iter().skip(behind.saturating_sub(1));
        segments.take_while(move |segment| start_offset < end_offset && segment.base_offset < end_offset)
    }

    /// The newest offset of each key from `dirty_from` on. Aborted records count for nothing.
    fn newest_offsets(&self, dirty_from: i64, end_offset: i64, producers: &ProducerState) -> BTreeMap<Bytes, i64> {
        let mut newest = BTreeMap::new();
        let mut transactions = Transactions::new(producers.aborted_between(dirty_from, end_offset));
        for batch in self.segments_of(dirty_from, end_offset).flat_map(Segment::all_batches) {
            let is_aborted = transactions.observe(&batch);
            if batch.header().is_control() || is_aborted {
                continue;
            }
            let Ok(open) = batch.open(INFLATED_BYTES_MAX) else { continue };
            let is_plain = batch.header().codec() == Ok(Codec::None);
            for record in open.iter().map_while(Result::ok).filter(|record| record.offset >= dirty_from) {
                let Some(key) = record.key else { continue };
                if let Some(known) = newest.get_mut(key) {
                    *known = record.offset;
                } else {
                    // What was inflated does not stay for the sake of a key.
                    let key = if is_plain { open.body().slice_ref(key) } else { Bytes::copy_from_slice(key) };
                    newest.insert(key, record.offset);
                }
            }
        }
        newest
    }

    /// Counts the places of segments back from the end of the log, which stays where it is.
    fn set_positions(&mut self) {
        let mut position = self.end_position;
        for segment in self.segments.iter_mut().rev() {
            position = position.saturating_sub(segment.bytes() as u64);
            segment.position = position;
        }
    }
}

impl Segment {
    fn all_batches(&self) -> impl Iterator<Item = RecordBatch> + use<> {
        RecordBatches::new(self.slice(0, self.bytes())).map_while(Result::ok)
    }
}

/// Neighbours that together are no larger than a segment.
fn groups(segments: VecDeque<Segment>, bytes_max: usize) -> impl Iterator<Item = Vec<Segment>> {
    let mut groups: Vec<Vec<Segment>> = Vec::new();
    let mut bytes = 0;
    for segment in segments {
        bytes += segment.bytes();
        match groups.last_mut() {
            Some(group) if bytes <= bytes_max => group.push(segment),
            Some(_) | None => {
                bytes = segment.bytes();
                groups.push(vec![segment]);
            }
        }
    }
    groups.into_iter()
}

/// What one cleaning removes.
struct Filter<'a> {
    newest: BTreeMap<Bytes, i64>,
    transactions: Transactions,
    producers: &'a ProducerState,
    end_offset: i64,
    unix_ms: i64,
    delete_retention_ms: i64,
}

/// What becomes of a batch.
enum Fate {
    Stays,
    Becomes(Bytes),
    Goes,
}

impl Filter<'_> {
    /// One segment of what remains of these.
    fn clean(&mut self, group: Vec<Segment>) -> Segment {
        let mut cleaned = Segment::new(group.first().map_or(0, |segment| segment.base_offset), 0);
        let mut content = Vec::new();
        let mut is_same = group.len() == 1;
        for segment in &group {
            cleaned.modified_ms = segment.modified_ms;
            for batch in segment.all_batches() {
                let bytes = match self.fate(&batch) {
                    Fate::Stays => batch.as_bytes().clone(),
                    Fate::Becomes(bytes) => {
                        is_same = false;
                        bytes
                    }
                    Fate::Goes => {
                        is_same = false;
                        continue;
                    }
                };
                let start = content.len();
                content.extend_from_slice(&bytes);
                let header = batch.header();
                let offsets = header.base_offset..header.next_offset();
                let max_timestamp = max_timestamp(&bytes).unwrap_or(header.max_timestamp);
                cleaned.place(offsets, start..content.len(), header.partition_leader_epoch, max_timestamp);
            }
        }
        if is_same && let Some(segment) = group.into_iter().next() {
            return segment;
        }
        cleaned.batches.shrink_to_fit();
        content.shrink_to_fit();
        cleaned.content = Content::Closed(Bytes::from(content));
        cleaned
    }

    fn fate(&mut self, batch: &RecordBatch) -> Fate {
        let header = batch.header();
        let is_void = self.transactions.observe(batch);
        let horizon = header.delete_horizon_ms();
        let discard = is_void && (!header.is_control() || horizon.is_some_and(|horizon| horizon <= self.unix_ms));
        let stays_empty = self.stays_empty(header);
        if discard && !stays_empty {
            return Fate::Goes;
        }
        // What cannot be read stays as it is.
        let Ok(open) = batch.open(INFLATED_BYTES_MAX) else { return Fate::Stays };
        let records: Vec<_> = open.iter().map_while(Result::ok).collect();
        let stays = |offset: i64, key: Option<&[u8]>, has_value: bool| {
            if discard || header.is_control() {
                return !discard;
            }
            // One without a key is from before the topic was compacted.
            let Some(key) = key else { return false };
            let is_newest = self.newest.get(key).is_none_or(|newest| *newest <= offset);
            is_newest && (has_value || horizon.is_none_or(|horizon| self.unix_ms < horizon))
        };
        let kept: Vec<_> =
            records.iter().filter(|record| stays(record.offset, record.key, record.value.is_some())).collect();
        if kept.is_empty() && !stays_empty {
            return Fate::Goes;
        }
        let has_deletable = kept.iter().any(|record| record.value.is_none()) || header.is_control() && is_void;
        let sets_horizon = !kept.is_empty() && has_deletable && horizon.is_none();
        if !sets_horizon && kept.len() == records.len() && (!kept.is_empty() || header.codec() == Ok(Codec::None)) {
            return Fate::Stays;
        }
        let new_horizon = sets_horizon.then_some(self.unix_ms.saturating_add(self.delete_retention_ms));
        let mut rewrite = Rewrite::new(header, new_horizon);
        for record in kept {
            rewrite.append(record);
        }
        rewrite.seal().map_or(Fate::Stays, Fate::Becomes)
    }

    /// Whether a batch stays even if nothing is in it.
    fn stays_empty(&self, header: &BatchHeader) -> bool {
        header.producer_id >= 0 && self.producers.is_last(header) || header.next_offset() == self.end_offset
    }
}

fn max_timestamp(batch: &Bytes) -> Option<i64> {
    RecordBatches::new(batch.clone()).next()?.ok().map(|batch| batch.header().max_timestamp)
}

/// Which transactions are open where a pass through the log has come to.
#[derive(Default)]
struct Transactions {
    /// Those to come, in the order of their first offsets.
    aborted: VecDeque<Aborted>,
    /// By their producers: the first offset, and whether a batch has come.
    open_aborted: BTreeMap<i64, (i64, bool)>,
    /// Producers of whom a batch has come that is not aborted.
    open_committed: BTreeSet<i64>,
    /// Aborted transactions that have ended, with batches.
    still_there: BTreeSet<(i64, i64)>,
}

impl Transactions {
    fn new(aborted: VecDeque<Aborted>) -> Self {
        Self { aborted, ..Self::default() }
    }

    /// Whether the next batch is void: of an aborted transaction, or a marker that no batch has come for.
    fn observe(&mut self, batch: &RecordBatch) -> bool {
        let header = batch.header();
        let producer_id = header.producer_id;
        while let Some(next) = self.aborted.pop_front_if(|next| next.first_offset <= header.last_offset()) {
            self.open_aborted.entry(next.producer_id).or_insert((next.first_offset, false));
        }
        if header.is_control() {
            // An empty one was void before.
            return header.record_count == 0
                || control::read(batch).is_ok_and(|marker| self.observe_end(producer_id, marker));
        }
        if !header.is_transactional() {
            return false;
        }
        match self.open_aborted.get_mut(&producer_id) {
            Some((_, has_batches)) => {
                *has_batches = true;
                true
            }
            None => {
                self.open_committed.insert(producer_id);
                false
            }
        }
    }

    fn observe_end(&mut self, producer_id: i64, marker: control::Marker) -> bool {
        if marker.is_commit() {
            return !self.open_committed.remove(&producer_id);
        }
        match self.open_aborted.remove(&producer_id) {
            Some((first_offset, true)) if marker.is_abort() => {
                self.still_there.insert((producer_id, first_offset));
                false
            }
            Some(_) | None => marker.is_abort(),
        }
    }
}
