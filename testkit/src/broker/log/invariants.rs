//! What must hold of a log: offsets and bytes follow one another, what is noted of a batch is what stands in it, and the
//! leader epochs are those of the batches.

use tidemill_protocol::records::RecordBatches;

use super::{Content, Log, Segment};
use crate::broker::invariants::{Holds, hold};

impl Log {
    /// Where the oldest batch begins, which may be before the first offset that can be read.
    pub(crate) fn held_from(&self) -> i64 {
        self.segments.front().map_or(self.end_offset, |segment| segment.base_offset)
    }

    /// Whether all holds. The bytes of batches before `read_from` are not read. Offsets may have gaps where a log is
    /// compacted.
    pub(crate) fn check(&self, has_gaps: bool, read_from: i64) -> Holds {
        hold(!self.segments.is_empty(), || "its log has no segment".to_owned())?;
        let mut next = None;
        for (at, segment) in (1..).zip(&self.segments) {
            let is_active = at == self.segments.len();
            hold(matches!(segment.content, Content::Active(_)) == is_active, || {
                format!("segment {} is active or closed, and should not be", segment.base_offset)
            })?;
            segment.check(has_gaps, read_from)?;
            let is = (segment.base_offset, segment.position);
            let follows = |(offset, position)| is.1 == position && (is.0 == offset || has_gaps && is.0 > offset);
            hold(next.is_none_or(follows), || format!("segment {is:?} does not follow {next:?}"))?;
            next = Some((segment.end_offset(), segment.position + segment.bytes() as u64));
        }
        let ends = (self.end_offset, self.end_position);
        hold(next == Some(ends), || format!("its log ends at {ends:?}, its segments at {next:?}"))?;
        let (first, start, end) = (self.held_from(), self.start_offset, self.end_offset);
        hold((first..=end).contains(&start), || format!("its log begins at {start}, outside of {first}..={end}"))?;
        self.check_epochs()
    }

    fn check_epochs(&self) -> Holds {
        for pair in self.epochs.windows(2) {
            if let [one, next] = pair {
                let rises = one.leader_epoch < next.leader_epoch && one.start_offset <= next.start_offset;
                hold(rises, || format!("leader epoch {next:?} follows {one:?}"))?;
            }
        }
        let last = self.epochs.last().map_or(0, |last| last.start_offset);
        hold(last <= self.end_offset, || format!("a leader epoch begins at {last}, behind {}", self.end_offset))?;
        for place in self.segments.iter().flat_map(|segment| &segment.batches) {
            // What lies before the start of the log has no epoch any more.
            let known = self.epoch_at(place.base_offset.max(self.start_offset));
            let is = place.next_offset <= self.start_offset || known == Some(place.leader_epoch);
            hold(is, || {
                format!("the batch at {} is of epoch {}, not {known:?}", place.base_offset, place.leader_epoch)
            })?;
        }
        Ok(())
    }
}

impl Segment {
    fn end_offset(&self) -> i64 {
        self.batches.last().map_or(self.base_offset, |last| last.next_offset)
    }

    fn check(&self, has_gaps: bool, read_from: i64) -> Holds {
        let length = match &self.content {
            Content::Active(content) => content.len(),
            Content::Closed(content) => content.len(),
        };
        let base = self.base_offset;
        hold(length == self.bytes(), || format!("segment {base} has {length} bytes, not {}", self.bytes()))?;
        hold(self.kept_bytes <= length, || {
            format!("{} of {length} bytes of segment {base} are kept", self.kept_bytes)
        })?;
        let (mut offset, mut byte, mut newest) = (base, 0, i64::MIN);
        for place in &self.batches {
            newest = newest.max(place.max_timestamp);
            let follows =
                place.start == byte && (place.base_offset == offset || has_gaps && place.base_offset > offset);
            hold(follows, || {
                format!("a batch lies at {}, byte {}, behind {offset}, byte {byte}", place.base_offset, place.start)
            })?;
            hold(place.next_offset > place.base_offset, || format!("the batch at {offset} has no records"))?;
            hold(place.max_timestamp_so_far == newest, || format!("the newest timestamp up to {offset} is {newest}"))?;
            (offset, byte) = (place.next_offset, place.end);
        }
        for (last_offset, position) in &self.index {
            let indexed = self.batches.iter().find(|place| place.start == *position);
            let is = indexed.is_some_and(|place| place.next_offset - 1 == *last_offset);
            hold(is, || format!("the index of segment {base} says {last_offset} at byte {position}"))?;
        }
        self.check_bytes(read_from)
    }

    /// The batches as they stand there.
    fn check_bytes(&self, read_from: i64) -> Holds {
        let behind = self.batches.partition_point(|place| place.base_offset < read_from);
        for place in self.batches.get(behind..).unwrap_or_default() {
            let at = place.base_offset;
            let found = RecordBatches::new(self.slice(place.start, place.end)).next();
            let batch = match found {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => return Err(format!("the batch at {at} cannot be read: {error}")),
                None => return Err(format!("the batch at {at} is not there")),
            };
            let header = batch.header();
            let said = (header.base_offset, header.next_offset(), header.partition_leader_epoch, header.max_timestamp);
            let noted = (at, place.next_offset, place.leader_epoch, place.max_timestamp);
            hold(said == noted, || format!("the batch at {at} says {said:?}, noted is {noted:?}"))?;
            hold(batch.as_bytes().len() == place.end - place.start, || format!("the batch at {at} ends early"))?;
        }
        Ok(())
    }
}
