//! What of a log outlives the brokers: the bytes of its segments, as they lie in Kafka's own files.
//!
//! Read back, a log ends before the first batch that is cut short or damaged: what lies behind was written later.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use tidemill_protocol::records::RecordBatches;

use super::{Content, EpochStart, Log, Segment};

/// The segment that is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentBytes<'a> {
    pub(crate) base_offset: i64,
    /// So many of the bytes are kept already, and all that is kept behind them does not count.
    pub(crate) kept_bytes: usize,
    pub(crate) bytes: &'a [u8],
}

impl Log {
    /// Changes whenever the log does.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Where each leader epoch began.
    pub(crate) fn epochs(&self) -> impl Iterator<Item = (i32, i64)> {
        self.epochs.iter().map(|epoch| (epoch.leader_epoch, epoch.start_offset))
    }

    /// The newest leader epoch.
    pub(crate) fn last_epoch(&self) -> i32 {
        self.epochs.last().map_or(0, |epoch| epoch.leader_epoch)
    }

    /// All segments, the oldest first.
    pub(crate) fn segments(&self) -> impl Iterator<Item = SegmentBytes<'_>> {
        self.segments.iter().map(|segment| SegmentBytes {
            base_offset: segment.base_offset,
            kept_bytes: segment.kept_bytes,
            bytes: match &segment.content {
                Content::Active(content) => content,
                Content::Closed(content) => content,
            },
        })
    }

    /// Compaction has come to here.
    pub(crate) const fn cleaned_to(&self) -> i64 {
        self.cleaned_to
    }

    /// Compaction had come to here.
    pub(crate) fn set_cleaned_to(&mut self, offset: i64) {
        self.cleaned_to = offset;
    }

    /// All bytes are kept now.
    pub(crate) fn set_kept(&mut self) {
        for segment in &mut self.segments {
            segment.kept_bytes = segment.bytes();
        }
    }

    /// The log that these segments hold, and what was wrong with them, if anything was. `epochs` are those that were known
    /// beside the segments; `unix_ms` counts as the time at which they were written.
    pub(crate) fn restore(
        files: BTreeMap<i64, Vec<u8>>,
        start_offset: i64,
        epochs: Vec<(i32, i64)>,
        unix_ms: i64,
    ) -> (Self, Option<String>) {
        let mut log = Self::new(0);
        log.segments.clear();
        let mut damage = None;
        for (base_offset, content) in files {
            if damage.is_some() {
                break;
            }
            if base_offset < log.end_offset {
                // What compaction has left of it lies in the one before; the process ended before this was removed.
                continue;
            }
            let mut segment = Segment::new(base_offset, log.end_position);
            (segment.created_ms, segment.modified_ms) = (unix_ms, unix_ms);
            damage = segment.read(content);
            log.end_position += segment.bytes() as u64;
            log.end_offset = segment.batches.last().map_or(base_offset, |place| place.next_offset);
            log.segments.push_back(segment);
        }
        log.begin_at(start_offset);
        log.restore_epochs(epochs);
        (log, damage)
    }

    /// The log begins here; where it ends before that, it is empty.
    fn begin_at(&mut self, start_offset: i64) {
        if self.segments.is_empty() || self.end_offset < start_offset {
            self.segments = VecDeque::from([Segment::new(start_offset, 0)]);
            (self.end_offset, self.end_position) = (start_offset, 0);
        }
        let first = self.segments.front().map_or(start_offset, |segment| segment.base_offset);
        self.start_offset = first.max(start_offset);
        // Segments that are empty are of no use but at the end, and at the start, which may have been compacted away.
        let last = self.segments.back().map_or(0, |segment| segment.base_offset);
        self.segments.retain(|segment| [first, last].contains(&segment.base_offset) || segment.bytes() > 0);
        if let Some(active) = self.segments.pop_back() {
            for segment in &mut self.segments {
                segment.close();
            }
            self.segments.push_back(active);
        }
    }

    fn restore_epochs(&mut self, epochs: Vec<(i32, i64)>) {
        self.epochs = epochs
            .into_iter()
            .filter(|(_, start_offset)| *start_offset <= self.end_offset)
            .map(|(leader_epoch, start_offset)| EpochStart { leader_epoch, start_offset })
            .collect();
        let newer = self.segments.iter().flat_map(|segment| &segment.batches);
        for place in newer {
            if self.epochs.last().is_none_or(|last| last.leader_epoch < place.leader_epoch) {
                let (leader_epoch, start_offset) = (place.leader_epoch, place.base_offset);
                self.epochs.push(EpochStart { leader_epoch, start_offset });
            }
        }
        if self.epochs.is_empty() {
            self.epochs.push(EpochStart { leader_epoch: 0, start_offset: self.start_offset });
        }
        self.start_at(self.start_offset);
    }
}

impl Segment {
    /// Takes over the whole batches at the beginning of `content`. What is wrong with the rest, if there is one.
    fn read(&mut self, mut content: Vec<u8>) -> Option<String> {
        let all = Bytes::from(std::mem::take(&mut content));
        let mut damage = None;
        let mut batches = RecordBatches::new(all.clone());
        let mut at = 0;
        for batch in batches.by_ref() {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    damage = Some(format!("at byte {at} of segment {}: {error}", self.base_offset));
                    break;
                }
            };
            let header = batch.header();
            let next = self.batches.last().map_or(self.base_offset, |last| last.next_offset);
            if header.magic < 2 || header.base_offset < next {
                let found = header.base_offset;
                damage = Some(format!("at byte {at} of segment {}: offset {found} behind {next}", self.base_offset));
                break;
            }
            let end = at + batch.as_bytes().len();
            let offsets = header.base_offset..header.next_offset();
            self.place(offsets, at..end, header.partition_leader_epoch, header.max_timestamp);
            at = end;
        }
        if damage.is_none() && at < all.len() {
            damage = Some(format!("segment {} was cut short in the batch at byte {at}", self.base_offset));
        }
        drop(batches);
        let mut content = Vec::from(all);
        content.truncate(at);
        self.content = Content::Active(content);
        self.kept_bytes = at;
        damage
    }
}
