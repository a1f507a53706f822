//! The log of a partition: segments of batches in memory.
//!
//! Decides offsets and what retention removes. A batch is copied once, from its request to the end of the active segment;
//! a fetch reads from one segment, as in Kafka: a view of a closed one, a copy of the active one's tail. Offsets and
//! timestamps are found by binary search over the batches of a segment.
//!
//! A segment is closed at `segment.bytes`, but at 4 MiB at the latest: it lies in memory, and retention, which removes
//! whole segments, is to keep up. As in Kafka it is also closed when a batch comes whose newest timestamp lies `segment.ms`
//! behind that of the first batch (only where that has none, the clock counts); nothing closes a segment that nobody
//! writes to. `segment.jitter.ms`, by which Kafka spreads this at random, is 0 here whatever it is set to.
//!
//! - `cleaner`: compaction. After it offsets have gaps, also at the end of a segment.
//! - `keeping`: what of a log is to be written to a directory, and reading it from there

mod cleaner;
mod invariants;
mod keeping;

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use tidemill_protocol::records::{Record, RecordBatch, RecordBatches, TimestampType, assign_in};

use super::topic_config::TopicConfig;

/// The largest segment.
const SEGMENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// `index.interval.bytes`. What is asked of this index is only how exact an answer has to be.
const INDEX_INTERVAL_BYTES: usize = 4096;

/// What the records of a batch may inflate to when a timestamp is looked for in it.
const INFLATED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The batches of one partition.
#[derive(Debug)]
pub(crate) struct Log {
    /// The oldest first; the last is the active one.
    segments: VecDeque<Segment>,
    start_offset: i64,
    end_offset: i64,
    /// Every byte ever appended.
    end_position: u64,
    /// Where each leader epoch began, oldest first.
    epochs: Vec<EpochStart>,
    /// Compaction has come to here.
    cleaned_to: i64,
    /// Counts what is done to it.
    changes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EpochStart {
    leader_epoch: i32,
    start_offset: i64,
}

/// A run of batches that is removed as one.
#[derive(Debug)]
struct Segment {
    base_offset: i64,
    /// Of the first byte, counted from the first ever appended.
    position: u64,
    content: Content,
    batches: Vec<Place>,
    /// The last offsets of some batches and where they begin, one for every [`INDEX_INTERVAL_BYTES`].
    index: Vec<(i64, usize)>,
    unindexed_bytes: usize,
    /// When the first batch was appended, in milliseconds since 1970.
    created_ms: i64,
    /// When the last batch was appended.
    modified_ms: i64,
    /// So many of its bytes are kept elsewhere as they are here.
    kept_bytes: usize,
}

#[derive(Debug)]
enum Content {
    Active(Vec<u8>),
    Closed(Bytes),
}

/// Where a batch lies, and what is asked about it without reading it.
#[derive(Debug, Clone, Copy)]
struct Place {
    base_offset: i64,
    next_offset: i64,
    /// In the segment.
    start: usize,
    end: usize,
    leader_epoch: i32,
    max_timestamp: i64,
    /// Of this batch and all before it in the segment, so that it only grows.
    max_timestamp_so_far: i64,
}

/// What an append has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    /// Milliseconds since 1970, when the topic has the broker's time.
    pub(crate) log_append_time: Option<i64>,
}

/// An offset found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimestampOffset {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
}

impl Log {
    /// An empty log, whose leader is in this epoch.
    pub(crate) fn new(leader_epoch: i32) -> Self {
        Self {
            segments: VecDeque::from([Segment::new(0, 0)]),
            start_offset: 0,
            end_offset: 0,
            end_position: 0,
            epochs: vec![EpochStart { leader_epoch, start_offset: 0 }],
            cleaned_to: 0,
            changes: 0,
        }
    }

    /// The first offset that can be read.
    pub(crate) const fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset of the next record appended.
    pub(crate) const fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// The bytes of all segments.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.end_position - self.segments.front().map_or(self.end_position, |segment| segment.position)
    }

    /// Appends a checked batch at the end of the log.
    pub(crate) fn append(
        &mut self,
        batch: &RecordBatch,
        leader_epoch: i32,
        config: &TopicConfig,
        unix_ms: i64,
    ) -> Appended {
        self.changes += 1;
        let base_offset = self.end_offset;
        let next_offset = behind(base_offset, batch);
        let log_append_time = (config.timestamp_type == TimestampType::LogAppendTime).then_some(unix_ms);
        self.begin_epoch(leader_epoch);
        let bytes = batch.as_bytes().len();
        let max_timestamp = log_append_time.unwrap_or_else(|| batch.header().max_timestamp);
        if self.segments.back().is_some_and(|active| active.is_full(bytes, max_timestamp, config, unix_ms)) {
            self.roll();
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.append(batch, base_offset, leader_epoch, log_append_time, unix_ms);
        }
        self.end_position += bytes as u64;
        self.end_offset = next_offset;
        Appended { base_offset, last_offset: next_offset - 1, log_append_time }
    }

    /// What is appended from now on belongs to this leader epoch.
    pub(crate) fn begin_epoch(&mut self, leader_epoch: i32) {
        let start_offset = self.end_offset;
        self.changes += 1;
        if self.epochs.last().is_none_or(|last| last.leader_epoch < leader_epoch) {
            // As in Kafka, an epoch in which nothing was written is not remembered.
            while self.epochs.pop_if(|last| last.start_offset >= start_offset).is_some() {}
            self.epochs.push(EpochStart { leader_epoch, start_offset });
        }
    }

    /// Removes the batches that end behind this offset.
    pub(crate) fn truncate(&mut self, end_offset: i64) {
        self.changes += 1;
        while let Some(last) = self.segments.back()
            && last.base_offset >= end_offset
            && self.segments.len() > 1
        {
            self.segments.pop_back();
        }
        if let Some(last) = self.segments.back_mut() {
            last.truncate(end_offset);
            self.end_offset = last.batches.last().map_or(last.base_offset, |place| place.next_offset);
            self.end_position = last.position + last.bytes() as u64;
        }
        self.start_offset = self.start_offset.min(self.end_offset);
        self.cleaned_to = self.cleaned_to.min(self.end_offset);
        self.epochs.retain(|epoch| epoch.start_offset < self.end_offset || epoch.start_offset == 0);
    }

    /// What lies below `end_offset` from the batch that holds `offset` on, to `bytes_max` bytes, so that the last batch may be
    /// cut. The first one is whole: it is there however large it is if `first_always`, else only if it fits. Empty at the end
    /// of the log and outside of it.
    pub(crate) fn read(&self, offset: i64, end_offset: i64, bytes_max: usize, first_always: bool) -> Bytes {
        let Some((segment, index)) = self.locate(offset) else { return Bytes::new() };
        let Some(first) = segment.batches.get(index) else { return Bytes::new() };
        if first.next_offset > end_offset {
            return Bytes::new();
        }
        let size = first.end - first.start;
        if size > bytes_max && !first_always {
            return Bytes::new();
        }
        let behind = segment.batches.partition_point(|place| place.next_offset <= end_offset);
        let last = behind.checked_sub(1).and_then(|last| segment.batches.get(last));
        let readable = last.map_or(first.end, |last| last.end);
        segment.slice(first.start, readable.min(first.start.saturating_add(bytes_max.max(size))))
    }

    /// An offset behind the `bytes` that were read from `offset` on, as near as the index says.
    pub(crate) fn upper_bound(&self, offset: i64, bytes: usize) -> i64 {
        let Some((segment, index)) = self.locate(offset) else { return self.end_offset };
        let end = segment.batches.get(index).map_or(0, |place| place.start) + bytes;
        let behind = segment.index.partition_point(|(_, position)| *position < end);
        match segment.index.get(behind) {
            Some((last_offset, _)) => *last_offset,
            None => segment.batches.last().map_or(self.end_offset, |place| place.next_offset),
        }
    }

    /// All batches.
    pub(crate) fn batches(&self) -> impl Iterator<Item = RecordBatch> {
        let all = self.segments.iter().flat_map(|segment| RecordBatches::new(segment.slice(0, segment.bytes())));
        all.map_while(Result::ok)
    }

    /// The bytes from the batch that holds `offset` to `end_offset`.
    pub(crate) fn bytes_between(&self, offset: i64, end_offset: i64) -> u64 {
        self.position_of(end_offset).saturating_sub(self.position_of(offset))
    }

    /// Where the batch that holds `offset` begins, counted from the first byte ever appended.
    fn position_of(&self, offset: i64) -> u64 {
        let place = self.locate(offset).and_then(|(segment, index)| Some((segment, segment.batches.get(index)?)));
        place.map_or(self.end_position, |(segment, place)| segment.position + place.start as u64)
    }

    /// The first record whose timestamp is `timestamp` or later.
    pub(crate) fn offset_by_timestamp(&self, timestamp: i64) -> Option<TimestampOffset> {
        let segment =
            self.segments.iter().find(|segment| segment.max_timestamp().is_some_and(|max| max >= timestamp))?;
        let index = segment.batches.partition_point(|place| place.max_timestamp_so_far < timestamp);
        let batches = segment.batches.get(index..)?.iter();
        batches.filter(|place| place.next_offset > self.start_offset).find_map(|place| {
            let offset = self.start_offset.max(place.base_offset);
            segment.first_record(place, timestamp, offset)
        })
    }

    /// The bytes of all segments up to `end_offset`, also those of records that cannot be read any longer.
    pub(crate) fn bytes_held(&self, end_offset: i64) -> u64 {
        let first = self.segments.front().map_or(self.end_position, |segment| segment.position);
        self.position_of(end_offset.max(self.start_offset)).saturating_sub(first)
    }

    /// The first record with the newest timestamp of all. As in Kafka it may be one that cannot be read any longer.
    pub(crate) fn offset_of_max_timestamp(&self) -> Option<TimestampOffset> {
        let newest = self.segments.iter().filter_map(Segment::max_timestamp).max()?;
        let segment = self.segments.iter().find(|segment| segment.max_timestamp() == Some(newest))?;
        let place = segment.batches.iter().find(|place| place.max_timestamp == newest)?;
        segment.first_record(place, newest, place.base_offset)
    }

    /// The leader epoch of the record at this offset, or of the next one to be appended.
    pub(crate) fn epoch_at(&self, offset: i64) -> Option<i32> {
        let behind = self.epochs.partition_point(|epoch| epoch.start_offset <= offset);
        self.epochs.get(behind.checked_sub(1)?).map(|epoch| epoch.leader_epoch)
    }

    /// The newest epoch that is `leader_epoch` or older, and the offset it ends at (KIP-101, KIP-320). One that is older
    /// than all that are known ends where these begin.
    pub(crate) fn end_of_epoch(&self, leader_epoch: i32) -> Option<(i32, i64)> {
        let behind = self.epochs.partition_point(|epoch| epoch.leader_epoch <= leader_epoch);
        let Some(found) = behind.checked_sub(1).and_then(|at| self.epochs.get(at)) else {
            return self.epochs.first().filter(|_| leader_epoch != -1).map(|first| (leader_epoch, first.start_offset));
        };
        let end = self.epochs.get(behind).map_or(self.end_offset, |next| next.start_offset);
        Some((found.leader_epoch, end))
    }

    /// Removes the segments whose newest record is older than `retention.ms`. The active one is closed first if all of its
    /// records are, as in Kafka. What is not with all replicas in sync stays.
    pub(crate) fn retain_time(&mut self, config: &TopicConfig, high_watermark: i64, unix_ms: i64) {
        let Some(retention_ms) = config.retention_ms.filter(|_| config.deletes) else { return };
        let expired = |segment: &Segment| unix_ms.saturating_sub(segment.largest_timestamp()) > retention_ms;
        while self.segments.front().is_some_and(expired)
            && self.segments.get(1).map_or(self.end_offset, |second| second.base_offset) <= high_watermark
        {
            if self.segments.len() == 1 {
                if self.active_bytes() == 0 {
                    return;
                }
                self.roll();
            }
            self.remove_first();
        }
    }

    /// Nothing below this offset is read any longer; segments that lie below it are removed, but for the active one.
    pub(crate) fn delete_before(&mut self, offset: i64) {
        let offset = offset.min(self.end_offset);
        if offset <= self.start_offset {
            return;
        }
        while self.segments.get(1).is_some_and(|second| second.base_offset <= offset) {
            self.segments.pop_front();
        }
        self.start_at(offset);
    }

    /// Removes the oldest segments while what remains is `retention.bytes` or more, but for what is not with all replicas in
    /// sync.
    pub(crate) fn retain_bytes(&mut self, config: &TopicConfig, high_watermark: i64) {
        let Some(retention_bytes) = config.retention_bytes.filter(|_| config.deletes) else { return };
        while let Some(second) = self.segments.get(1)
            && self.end_position - second.position >= retention_bytes
            && second.base_offset <= high_watermark
        {
            self.remove_first();
        }
    }

    fn remove_first(&mut self) {
        self.segments.pop_front();
        self.start_at(self.segments.front().map_or(self.end_offset, |segment| segment.base_offset));
    }

    /// Moves the start of the log; it never goes back.
    fn start_at(&mut self, offset: i64) {
        self.changes += 1;
        self.start_offset = self.start_offset.max(offset);
        // The epoch that holds the first offset stays, beginning there.
        let behind = self.epochs.partition_point(|epoch| epoch.start_offset <= self.start_offset);
        self.epochs.drain(..behind.saturating_sub(1));
        if let Some(first) = self.epochs.first_mut() {
            first.start_offset = first.start_offset.max(self.start_offset);
        }
    }

    fn active_bytes(&self) -> usize {
        self.segments.back().map_or(0, Segment::bytes)
    }

    fn roll(&mut self) {
        self.changes += 1;
        if let Some(active) = self.segments.back_mut() {
            active.close();
        }
        self.segments.push_back(Segment::new(self.end_offset, self.end_position));
    }

    /// The batch that holds `offset` or comes next: its segment, and its place there.
    fn locate(&self, offset: i64) -> Option<(&Segment, usize)> {
        if !(self.start_offset..self.end_offset).contains(&offset) {
            return None;
        }
        let behind = self.segments.partition_point(|segment| segment.base_offset <= offset);
        // Of a compacted segment the end may be gone, and what comes next lies in another.
        self.segments.iter().skip(behind.saturating_sub(1)).find_map(|segment| {
            let index = segment.batches.partition_point(|place| place.next_offset <= offset);
            (index < segment.batches.len()).then_some((segment, index))
        })
    }
}

/// The offset behind a batch that begins at this one.
fn behind(base_offset: i64, batch: &RecordBatch) -> i64 {
    base_offset.saturating_add(i64::from(batch.header().last_offset_delta)).saturating_add(1)
}

impl Segment {
    const fn new(base_offset: i64, position: u64) -> Self {
        Self {
            base_offset,
            position,
            content: Content::Active(Vec::new()),
            batches: Vec::new(),
            index: Vec::new(),
            unindexed_bytes: 0,
            created_ms: 0,
            modified_ms: 0,
            kept_bytes: 0,
        }
    }

    fn bytes(&self) -> usize {
        self.batches.last().map_or(0, |last| last.end)
    }

    fn max_timestamp(&self) -> Option<i64> {
        self.batches.last().map(|last| last.max_timestamp_so_far)
    }

    /// By which time it expires: that of its newest record, or of the last append where the records have none.
    fn largest_timestamp(&self) -> i64 {
        self.max_timestamp().filter(|newest| *newest >= 0).unwrap_or(self.modified_ms)
    }

    /// Whether a batch of this size and newest timestamp goes into the next segment.
    fn is_full(&self, bytes: usize, max_timestamp: i64, config: &TopicConfig, unix_ms: i64) -> bool {
        let Some(first) = self.batches.first() else { return false };
        let waited = match first.max_timestamp {
            ..0 => unix_ms.saturating_sub(self.created_ms),
            first => max_timestamp.saturating_sub(first),
        };
        self.bytes() + bytes > config.segment_bytes.min(SEGMENT_BYTES_MAX) || waited > config.segment_ms
    }

    fn append(
        &mut self,
        batch: &RecordBatch,
        base_offset: i64,
        leader_epoch: i32,
        log_append_time: Option<i64>,
        unix_ms: i64,
    ) {
        if self.batches.is_empty() {
            self.created_ms = unix_ms;
        }
        self.modified_ms = unix_ms;
        let Content::Active(content) = &mut self.content else { return };
        let start = content.len();
        content.extend_from_slice(batch.as_bytes());
        if let Some(stored) = content.get_mut(start..) {
            assign_in(stored, base_offset, leader_epoch, log_append_time);
        }
        let end = content.len();
        let max_timestamp = match log_append_time {
            Some(time) => time,
            None => batch.header().max_timestamp,
        };
        let next_offset = behind(base_offset, batch);
        self.place(base_offset..next_offset, start..end, leader_epoch, max_timestamp);
    }

    /// A batch with these offsets lies here.
    fn place(&mut self, offsets: Range<i64>, bytes: Range<usize>, leader_epoch: i32, max_timestamp: i64) {
        if self.unindexed_bytes > INDEX_INTERVAL_BYTES {
            self.index.push((offsets.end - 1, bytes.start));
            self.unindexed_bytes = 0;
        }
        self.unindexed_bytes += bytes.len();
        let max_timestamp_so_far =
            self.batches.last().map_or(max_timestamp, |last| last.max_timestamp_so_far.max(max_timestamp));
        self.batches.push(Place {
            base_offset: offsets.start,
            next_offset: offsets.end,
            start: bytes.start,
            end: bytes.end,
            leader_epoch,
            max_timestamp,
            max_timestamp_so_far,
        });
    }

    /// Removes the batches that end behind this offset, and is the active segment from now on.
    fn truncate(&mut self, end_offset: i64) {
        self.batches.retain(|place| place.next_offset <= end_offset);
        let bytes = self.bytes();
        self.index.retain(|(_, position)| *position < bytes);
        self.unindexed_bytes = bytes - self.index.last().map_or(0, |(_, position)| *position);
        let mut kept = match std::mem::replace(&mut self.content, Content::Active(Vec::new())) {
            Content::Active(content) => content,
            Content::Closed(content) => content.to_vec(),
        };
        kept.truncate(bytes);
        self.kept_bytes = self.kept_bytes.min(bytes);
        self.content = Content::Active(kept);
    }

    fn close(&mut self) {
        if let Content::Active(content) = &mut self.content {
            let mut content = std::mem::take(content);
            content.shrink_to_fit();
            self.content = Content::Closed(Bytes::from(content));
            self.batches.shrink_to_fit();
        }
    }

    fn slice(&self, start: usize, end: usize) -> Bytes {
        match &self.content {
            Content::Active(content) => Bytes::copy_from_slice(content.get(start..end).unwrap_or_default()),
            Content::Closed(content) if end <= content.len() => content.slice(start..end),
            Content::Closed(_) => Bytes::new(),
        }
    }

    /// The first record of a batch with this timestamp or a later one, from `offset` on. A batch that does not inflate
    /// stands for its records.
    fn first_record(&self, place: &Place, timestamp: i64, offset: i64) -> Option<TimestampOffset> {
        if place.max_timestamp < timestamp {
            return None;
        }
        let found =
            |timestamp: i64, offset: i64| TimestampOffset { timestamp, offset, leader_epoch: place.leader_epoch };
        let batch = RecordBatches::new(self.slice(place.start, place.end)).next()?.ok()?;
        let Ok(open) = batch.open(INFLATED_BYTES_MAX) else {
            return Some(found(place.max_timestamp, place.base_offset));
        };
        let is_it = |record: &Record<'_>| record.timestamp >= timestamp && record.offset >= offset;
        let record = open.iter().map_while(Result::ok).find(is_it)?;
        Some(found(record.timestamp, record.offset))
    }
}

#[cfg(test)]
mod tests {
    use tidemill_protocol::compression::Codec;
    use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord};

    use super::*;

    fn batch(bytes: usize) -> RecordBatch {
        let mut builder = BatchBuilder::new(bytes + 100);
        for _ in 0..2 {
            builder.append(&NewRecord { timestamp: 1, key: None, value: Some(&vec![0; bytes]), headers: &[] });
        }
        let sealed = builder.seal(Codec::None).stamp(None, BatchFlags::default());
        RecordBatches::new(sealed).next().unwrap().unwrap()
    }

    #[test]
    fn epochs_end_where_the_next_begins() {
        let config = TopicConfig::new([]).unwrap();
        let mut log = Log::new(0);
        assert_eq!((log.epoch_at(0), log.end_of_epoch(0)), (Some(0), Some((0, 0))), "nothing was written yet");
        for epoch in [0, 0, 2, 3] {
            log.append(&batch(10), epoch, &config, 0);
        }
        assert_eq!([0, 3, 4, 6].map(|offset| log.epoch_at(offset)), [Some(0), Some(0), Some(2), Some(3)]);
        assert_eq!(log.end_of_epoch(0), Some((0, 4)));
        assert_eq!(log.end_of_epoch(1), Some((0, 4)), "nobody led in epoch 1");
        assert_eq!(log.end_of_epoch(2), Some((2, 6)));
        assert_eq!(log.end_of_epoch(3), Some((3, 8)));
        let stored = RecordBatches::new(log.read(4, i64::MAX, 1, true)).next().unwrap().unwrap();
        assert_eq!((stored.header().base_offset, stored.header().partition_leader_epoch), (4, 2));
    }

    #[test]
    fn an_epoch_without_records_is_not_remembered() {
        let config = TopicConfig::new([]).unwrap();
        let mut log = Log::new(0);
        log.append(&batch(10), 0, &config, 0);
        log.begin_epoch(1);
        log.begin_epoch(2);
        assert_eq!(log.epochs().collect::<Vec<_>>(), [(0, 0), (2, 2)]);
        assert_eq!(log.end_of_epoch(1), Some((0, 2)), "who led in epoch 1 has written nothing that is not of epoch 0");
    }

    #[test]
    fn epochs_go_with_their_records() {
        let config = TopicConfig::new([("retention.bytes", "0"), ("segment.bytes", "1048576")]).unwrap();
        let mut log = Log::new(0);
        for epoch in [0, 1, 2] {
            // Two of these do not fit in a segment.
            log.append(&batch(400_000), epoch, &config, 0);
        }
        log.retain_bytes(&config, 3);
        assert_eq!(log.start_offset(), 2, "not all replicas have the second segment");
        log.retain_bytes(&config, 6);
        assert_eq!((log.start_offset(), log.end_offset()), (4, 6));
        assert_eq!((log.end_of_epoch(1), log.end_of_epoch(2)), (Some((1, 4)), Some((2, 6))));
        assert_eq!(log.epoch_at(log.start_offset()), Some(2));
    }
}
