//! The bytes of a batch that is closed, and how they become those on the wire.
//!
//! [`accumulator`](super::accumulator) closes batches; the [`driver`](super::driver) seals them.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tidemill_protocol::compression::Compression;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, ProducerStamp, restamp};

use super::buffers::Lease;

/// The bytes of a batch: as they are appended to, or as they go over the wire.
///
/// It has a lock of its own, so that compression and checksum happen without the machine's.
#[derive(Debug)]
pub(super) struct Payload(Mutex<Form>);

#[derive(Debug)]
enum Form {
    Records(BatchBuilder, Lease),
    Sealed { bytes: Bytes, stamp: Option<ProducerStamp> },
}

impl Payload {
    /// The bytes of a batch that was closed.
    pub(super) fn new(builder: BatchBuilder, lease: Lease) -> Self {
        Self(Mutex::new(Form::Records(builder, lease)))
    }

    /// The batch for the wire: compressed the first time, stamped anew only when its sequence changed.
    pub(super) fn seal(&self, compression: Compression, stamp: Option<ProducerStamp>, flags: BatchFlags) -> Bytes {
        let mut form = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match std::mem::replace(&mut *form, Form::Sealed { bytes: Bytes::new(), stamp }) {
            Form::Records(builder, mut lease) => {
                let (sealed, left) = builder.seal_apart(compression);
                let (buffer, end) = sealed.stamp_in_place(stamp, flags);
                if let Some(left) = left {
                    let compressed = lease.buffers().claim(buffer.capacity());
                    std::mem::replace(&mut lease, compressed).give_back(left);
                }
                lease.into_bytes(buffer, end)
            }
            Form::Sealed { bytes, stamp: old } => match stamp {
                // A sealed batch is a whole one, which is all that `restamp` asks for.
                Some(stamp) if old != Some(stamp) => restamp(&bytes, stamp).unwrap_or(bytes),
                Some(_) | None => bytes,
            },
        };
        *form = Form::Sealed { bytes: bytes.clone(), stamp };
        bytes
    }
}
