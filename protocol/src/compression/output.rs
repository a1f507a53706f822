//! Where a codec inflates to, and how far it may go.
//!
//! [`decompress`](super::decompress) makes an [`Output`] from [`InflateLimits`]; each codec grows it only by what it
//! knows its input can make, and asks before every block.

use super::Codec;

/// How far the records of a batch may inflate, and so how much memory a batch may take: no more than the limit in bytes is
/// held at once. The records of a compressed message of the formats before batches (magic 0 and 1) are made of a message set
/// that is held beside them, so each may take half.
///
/// What comes on top are the codecs' own tables, which a thread makes once: 48 KiB for gzip, nothing for snappy and lz4. The
/// pure Rust zstd needs the frame's window beside the records: of up to 7 MiB, in a buffer of 8, it comes on top, too;
/// a larger one has to fit within the limit.
///
/// ```
/// use tidemill_protocol::compression::InflateLimits;
///
/// let limits = InflateLimits::from(64 << 20).ratio_max(100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InflateLimits {
    bytes_max: usize,
    ratio_max: usize,
    lz4_headers_checked: bool,
}

impl InflateLimits {
    /// Up to this size the ratio does not matter, in bytes: a small batch of equal records compresses without measure.
    pub const RATIO_FREE_BYTES: usize = 8 << 20;

    /// By how much records may grow, once they are beyond [`RATIO_FREE_BYTES`](Self::RATIO_FREE_BYTES). Default: 4096,
    /// which nothing but zstd can reach, and zstd only with records that are all alike.
    #[must_use]
    pub const fn ratio_max(mut self, ratio: usize) -> Self {
        self.ratio_max = ratio;
        self
    }

    /// Reads lz4 frames whatever the checksum of their header. The records of message sets of version 0 have a wrong
    /// one, as the first Java client to write lz4 had (KIP-57).
    #[must_use]
    pub const fn any_lz4_header_checksum(mut self) -> Self {
        self.lz4_headers_checked = false;
        self
    }

    /// Half as many bytes.
    pub(crate) const fn halved(mut self) -> Self {
        self.bytes_max /= 2;
        self
    }

    pub(super) const fn checks_lz4_headers(self) -> bool {
        self.lz4_headers_checked
    }

    /// The limit in bytes.
    pub(crate) const fn bytes(self) -> usize {
        self.bytes_max
    }

    /// To how many bytes so many bytes may inflate.
    pub(super) fn bytes_max(self, compressed: usize) -> usize {
        self.bytes_max.min(self.by_ratio(compressed))
    }

    fn by_ratio(self, compressed: usize) -> usize {
        compressed.saturating_mul(self.ratio_max).max(Self::RATIO_FREE_BYTES)
    }
}

impl From<usize> for InflateLimits {
    /// A limit in bytes, and the default ratio.
    fn from(bytes_max: usize) -> Self {
        Self { bytes_max, ratio_max: 4096, lz4_headers_checked: true }
    }
}

/// Why records do not inflate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    TooLarge,
    Malformed(String),
    Unsupported(String),
}

impl Refusal {
    pub(super) fn malformed(reason: impl ToString) -> Self {
        Self::Malformed(reason.to_string())
    }

    pub(super) fn unsupported(reason: impl ToString) -> Self {
        Self::Unsupported(reason.to_string())
    }

    pub(super) fn reason(&self, codec: Codec, limits: InflateLimits, compressed: usize) -> String {
        match self {
            Self::TooLarge if limits.by_ratio(compressed) < limits.bytes_max => format!(
                "{compressed} bytes inflate to more than {} times that, beyond the {} bytes where it does not matter",
                limits.ratio_max,
                InflateLimits::RATIO_FREE_BYTES
            ),
            Self::TooLarge => format!("the records inflate to more than the limit of {} bytes", limits.bytes_max),
            Self::Malformed(reason) => format!("not what {} writes: {reason}", codec.name()),
            Self::Unsupported(reason) => format!("{} out of reach: {reason}", codec.name()),
        }
    }
}

/// Takes bytes up to the limit, in one allocation.
///
/// Memory that grows is held twice while it moves. So a codec says beforehand what its input can make, judged by the
/// blocks that are there, and never needs more: at the most, the limit is held.
pub(super) struct Output {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Output {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max }
    }

    /// How many more bytes may be written.
    pub(super) fn room(&self) -> usize {
        self.bytes_max.saturating_sub(self.bytes.len())
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What was written from here on.
    pub(super) fn written_since(&self, start: usize) -> &[u8] {
        self.bytes.get(start..).unwrap_or_default()
    }

    /// What was written. Memory of which less than half was needed is given back, where that is known to take no more
    /// than the limit while it moves.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        if length < capacity / 2 && length.saturating_add(capacity) <= self.bytes_max {
            self.bytes.shrink_to_fit();
        }
        self.bytes
    }

    /// Makes place for so many more bytes, or for as many as the limit allows.
    pub(super) fn reserve(&mut self, additional: usize) {
        self.bytes.reserve_exact(additional.min(self.room()));
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        if chunk.len() > self.room() {
            return Err(Refusal::TooLarge);
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// Lets `write` fill up to `additional` bytes and say how many it did. It gets what was written before, and the
    /// room, which is smaller than asked for where the limit is near.
    pub(super) fn fill<E>(
        &mut self,
        additional: usize,
        write: impl FnOnce(&[u8], &mut [u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        let additional = additional.min(self.room());
        self.reserve(additional);
        self.bytes.resize(start.saturating_add(additional), 0);
        let (before, room) = self.bytes.split_at_mut(start);
        let written = write(before, room);
        let end = start.saturating_add(written.as_ref().map_or(0, |count| (*count).min(additional)));
        self.bytes.truncate(end);
        written.map(drop)
    }

    /// Makes place for so many bytes, whatever the limit: see [`append`](Self::append).
    pub(super) fn restart(&mut self, bytes: usize) {
        // What is there goes first, so that it is not held beside what comes.
        self.bytes = Vec::new();
        self.bytes.reserve_exact(bytes);
    }

    /// Lets `write` append to the vector if there is room in it. A library that fills what it finds shows in room beyond
    /// the limit what it would have written.
    pub(super) fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> Result<Option<T>, Refusal> {
        if self.bytes.capacity() == self.bytes.len() {
            return Ok(None);
        }
        let result = write(&mut self.bytes);
        if self.bytes.len() > self.bytes_max { Err(Refusal::TooLarge) } else { Ok(Some(result)) }
    }
}
