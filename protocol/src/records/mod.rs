//! Record batches: a builder that appends into one buffer, a lazy iterator that yields views.
//!
//! Out: [`BatchBuilder::append`] encodes each record once, [`BatchBuilder::seal`] compresses, [`SealedBatch::stamp`]
//! writes the header and its checksum. In: [`RecordBatches`] splits a records field into checked batches,
//! [`RecordBatch::open`] inflates one, [`OpenBatch::iter`] yields [`Record`]s that borrow from it.
//!
//! - [`batch`](self): the header, the checksum, and what a broker changes on append
//! - `record`: one record, a view
//! - `builder`: append until full
//! - [`control`]: commit and abort markers
//! - `rewrite`: what a broker writes anew: compacted, or with other compression
//! - `legacy`: what was written before there were batches (magic 0 and 1), read only
//!
//! Source: Kafka's protocol documentation, section *Record Batch*.
//!
//! ```
//! use tidemill_protocol::compression::Codec;
//! use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, RecordBatches};
//!
//! let mut builder = BatchBuilder::new(1024);
//! builder.append(&NewRecord { timestamp: 1, key: None, value: Some(b"click"), headers: &[] });
//! let batch = builder.seal(Codec::Lz4).stamp(None, BatchFlags::default());
//!
//! for batch in RecordBatches::new(batch) {
//!     for record in batch?.open(1 << 20)?.iter() {
//!         assert_eq!(record?.value, Some(&b"click"[..]));
//!     }
//! }
//! # Ok::<(), tidemill_protocol::DecodeError>(())
//! ```

mod batch;
mod builder;
pub mod control;
mod cursor;
mod legacy;
mod record;
mod rewrite;

pub use batch::{BatchHeader, OpenBatch, RecordBatch, RecordBatches, TimestampType, assign, assign_in, restamp};
pub use builder::{BATCH_SLACK_BYTES, BatchBuilder, BatchFlags, NewRecord, ProducerStamp, SealedBatch};
pub use record::{Header, HeaderIter, Record, Records};
pub use rewrite::{Rewrite, recompress, with_create_time};

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
