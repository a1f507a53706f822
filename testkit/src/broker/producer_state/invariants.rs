//! What must hold of what a partition knows of its producers: it is what the log says of them, read from its beginning.

use std::collections::BTreeMap;

use tidemill_protocol::records::control::{self, Marker};

use super::{BATCHES_KEPT, ProducerState, behind, sequences};
use crate::broker::invariants::{Holds, hold};
use crate::broker::log::Log;

/// What a log says of its producers, in few lines.
#[derive(Debug, Default)]
struct Model {
    /// The first offset of each open transaction, by producer id.
    open: BTreeMap<i64, i64>,
    /// Producer id and first offset, by the offset of the marker.
    aborted: BTreeMap<i64, (i64, i64)>,
    /// Epoch, sequences and offset of the newest batch, by producer id.
    newest: BTreeMap<i64, (i16, (i32, i32), i64)>,
}

impl Model {
    fn read(log: &Log) -> Self {
        let mut model = Self::default();
        for batch in log.batches() {
            let header = batch.header();
            let (id, offset) = (header.producer_id, header.base_offset);
            if id < 0 {
                continue;
            }
            if header.is_control() {
                let first = model.open.remove(&id);
                let aborts = !control::read(&batch).is_ok_and(Marker::is_commit);
                model.aborted.extend(first.filter(|_| aborts).map(|first| (offset, (id, first))));
                continue;
            }
            if header.is_transactional() {
                model.open.entry(id).or_insert(offset);
            }
            model.newest.insert(id, (header.producer_epoch, sequences(header), offset));
        }
        model
    }
}

impl ProducerState {
    /// Whether all holds. The log may have lost its beginning, but not what was known of it.
    pub(crate) fn check_against(&self, log: &Log) -> Holds {
        let model = Model::read(log);
        let held_from = log.held_from();
        self.check_open(&model, held_from)?;
        self.check_aborted(&model, log.start_offset(), held_from)?;
        self.check_sequences(&model, log)
    }

    fn check_open(&self, model: &Model, held_from: i64) -> Holds {
        for (first, id) in &self.open {
            let noted = self.producers.get(id).and_then(|producer| producer.transaction_start);
            hold(noted == Some(*first), || format!("producer {id} began at {first}, it says {noted:?}"))?;
            let read = model.open.get(id);
            let is = *first < held_from || read == Some(first);
            hold(is, || format!("producer {id} has a transaction open from {first}, the log says {read:?}"))?;
        }
        for (id, producer) in &self.producers {
            let is = producer.transaction_start.is_none_or(|first| self.open.get(&first) == Some(id));
            hold(is, || format!("the transaction of producer {id} is not among the open ones"))?;
        }
        for (id, first) in &model.open {
            let noted = self.producers.get(id).and_then(|producer| producer.transaction_start);
            let is = noted.is_some_and(|noted| noted == *first || noted < held_from);
            hold(is, || format!("producer {id} has a transaction open from {first} in the log, known is {noted:?}"))?;
        }
        Ok(())
    }

    fn check_aborted(&self, model: &Model, log_start: i64, held_from: i64) -> Holds {
        let mut last = i64::MIN;
        for aborted in &self.aborted {
            let marker = aborted.last_offset;
            hold(marker > last, || format!("the aborted transaction that ends at {marker} comes behind {last}"))?;
            last = marker;
            let is = marker < log_start
                || aborted.first_offset < held_from
                || model.aborted.get(&marker) == Some(&(aborted.producer_id, aborted.first_offset));
            hold(is, || format!("{aborted:?} is not in the log"))?;
        }
        for (marker, (id, first)) in model.aborted.iter().filter(|(marker, _)| **marker >= log_start) {
            let is = self.aborted.iter().any(|aborted| aborted.last_offset == *marker && aborted.producer_id == *id);
            hold(is, || format!("readers are not told that producer {id} has aborted {first}..={marker}"))?;
        }
        Ok(())
    }

    fn check_sequences(&self, model: &Model, log: &Log) -> Holds {
        for (id, producer) in &self.producers {
            let (last, end) = (producer.last_offset, log.end_offset());
            hold(last < end, || format!("producer {id} has written at {last}, the log ends at {end}"))?;
            hold(producer.batches.len() <= BATCHES_KEPT, || format!("too many batches of producer {id} are kept"))?;
            for (one, next) in producer.batches.iter().zip(producer.batches.iter().skip(1)) {
                let follows = one.base_offset < next.base_offset && behind(one.last_sequence, 1) == next.first_sequence;
                hold(follows, || format!("producer {id}: {next:?} follows {one:?}"))?;
            }
            let Some(newest) = producer.batches.back().filter(|newest| newest.base_offset >= log.held_from()) else {
                continue;
            };
            let known = (producer.epoch, (newest.first_sequence, newest.last_sequence), newest.base_offset);
            let read = model.newest.get(id);
            hold(read == Some(&known), || format!("producer {id} has last written {known:?}, the log says {read:?}"))?;
        }
        Ok(())
    }
}
