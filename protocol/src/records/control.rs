//! Commit and abort markers: the control batches that end a transaction in the log.
//!
//! Source: KIP-98, section *Control Messages*.

use bytes::Bytes;

use super::batch::RecordBatch;
use super::builder::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp};
use crate::compression::Codec;
use crate::error::DecodeError;

/// How a transaction ended. Types Kafka may add later survive as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker(i16);

impl Marker {
    /// The transaction's records do not count.
    pub const ABORT: Self = Self(0);
    /// The transaction's records count.
    pub const COMMIT: Self = Self(1);

    /// Whether this ends a transaction whose records do not count.
    #[must_use]
    pub const fn is_abort(self) -> bool {
        self.0 == Self::ABORT.0
    }

    /// Whether this ends a transaction whose records count.
    #[must_use]
    pub const fn is_commit(self) -> bool {
        self.0 == Self::COMMIT.0
    }
}

/// Reads the marker of a control batch.
///
/// # Errors
/// When the batch is no control batch, or does not hold exactly one marker.
pub fn read(batch: &RecordBatch) -> Result<Marker, DecodeError> {
    let refuse = |reason: &str| DecodeError::new(0, reason).in_field("control batch");
    if !batch.header().is_control() {
        return Err(refuse("the control bit is not set"));
    }
    let open = batch.open(batch.as_bytes().len())?;
    let mut records = open.iter();
    let marker = records.next().ok_or_else(|| refuse("no marker in it"))??;
    if records.next().is_some() {
        return Err(refuse("more than one marker in it"));
    }
    // The key is a version and a type, two bytes each; later versions may append to it.
    let key = marker.key.and_then(<[u8]>::first_chunk::<4>).ok_or_else(|| refuse("a marker without a type"))?;
    let [_, _, high, low] = *key;
    Ok(Marker(i16::from_be_bytes([high, low])))
}

/// The control batch that ends a transaction.
#[must_use]
pub fn build(marker: Marker, producer_id: i64, producer_epoch: i16, coordinator_epoch: i32, timestamp: i64) -> Bytes {
    let [high, low] = marker.0.to_be_bytes();
    let [a, b, c, d] = coordinator_epoch.to_be_bytes();
    let mut builder = BatchBuilder::new(96);
    builder.append(&NewRecord {
        timestamp,
        key: Some(&[0, 0, high, low]),
        value: Some(&[0, 0, a, b, c, d]),
        headers: &[],
    });
    let producer = ProducerStamp { producer_id, producer_epoch, base_sequence: -1 };
    builder.seal(Codec::None).stamp(Some(producer), BatchFlags { transactional: true, control: true })
}
