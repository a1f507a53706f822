//! Reads the primitives of a record without ever reading past its end.
//!
//! [`record`](super::record) stands on this; a reason comes back instead of a panic.

/// A place in a slice, moving forward.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

/// Why a primitive could not be read.
pub(super) type Reason = &'static str;

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Reason> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("a length reaches past the end")?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Reason> {
        let (byte, rest) = self.rest.split_first().ok_or("the bytes end too early")?;
        self.rest = rest;
        Ok(*byte)
    }

    /// A zigzag varint of at most 32 bits: five bytes, none of whose bits are lost.
    ///
    /// Deltas and lengths of most records take one byte or two, so these are read without a loop.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<i32, Reason> {
        let zigzag = self.zigzag()?;
        Ok((zigzag >> 1).cast_signed() ^ (zigzag & 1).cast_signed().wrapping_neg())
    }

    /// The same as it stands, its sign in the lowest bit.
    #[inline]
    fn zigzag(&mut self) -> Result<u32, Reason> {
        match *self.rest {
            [low, ref rest @ ..] if low < 0x80 => {
                self.rest = rest;
                Ok(u32::from(low))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u32::from(low & 0x7f) | u32::from(high) << 7)
            }
            _ => self.long_zigzag(),
        }
    }

    /// A zigzag varint of at most 64 bits: ten bytes, none of whose bits are lost.
    #[inline]
    pub(super) fn varlong(&mut self) -> Result<i64, Reason> {
        match *self.rest {
            [low, ref rest @ ..] if low < 0x80 => {
                self.rest = rest;
                Ok(unzigzag(u64::from(low)))
            }
            _ => self.long_varlong(),
        }
    }

    /// The next eight bytes as a word, if there are so many.
    #[inline]
    pub(super) fn word(&self) -> Option<Word> {
        self.rest.first_chunk::<WORD_BYTES>().map(|bytes| Word { bits: u64::from_le_bytes(*bytes), used: 0 })
    }

    #[inline(never)]
    fn long_zigzag(&mut self) -> Result<u32, Reason> {
        u32::try_from(zigzag(self.long_varlong()?)).map_err(|_| "a varint of more than 32 bits")
    }

    #[inline(never)]
    fn long_varlong(&mut self) -> Result<i64, Reason> {
        let mut value: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err("a varint of more than 64 bits");
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(unzigzag(value));
            }
        }
        Err("a varint of more than ten bytes")
    }

    /// A varint length and that many bytes; `None` for the length -1.
    #[inline]
    pub(super) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, Reason> {
        match self.zigzag()? {
            even if even & 1 == 0 => {
                let length = usize::try_from(even >> 1).map_err(|_| "a length beyond memory")?;
                self.take(length).map(Some)
            }
            1 => Ok(None),
            _ => Err("a negative length"),
        }
    }
}

/// How many bytes a [`Word`] has.
const WORD_BYTES: usize = 8;

/// Eight bytes that were read at once, taken from the front: one question whether there are so many, instead of one for
/// each byte. Who takes more of them than there are reads zeros.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    bits: u64,
    used: usize,
}

impl Word {
    /// How many bytes were taken.
    pub(super) const fn used(self) -> usize {
        self.used
    }

    #[inline]
    pub(super) const fn skip_byte(&mut self) {
        self.bits >>= 8;
        self.used = self.used.wrapping_add(1);
    }

    /// A zigzag varint of one byte or two; none when it is longer.
    #[inline]
    pub(super) const fn short_varint(&mut self) -> Option<i64> {
        let zigzag = if self.bits & 0x80 == 0 {
            let zigzag = self.bits & 0x7f;
            self.bits >>= 8;
            self.used = self.used.wrapping_add(1);
            zigzag
        } else if self.bits & 0x8000 == 0 {
            let zigzag = self.bits & 0x7f | (self.bits & 0x7f00) >> 1;
            self.bits >>= 16;
            self.used = self.used.wrapping_add(2);
            zigzag
        } else {
            return None;
        };
        Some(unzigzag(zigzag))
    }
}

/// Even numbers are what they are halved, odd ones are negative: 0, -1, 1, -2, ...
const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}

/// The other way round.
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// How many bytes the zigzag varint of `value` takes.
pub(super) const fn varint_bytes(value: i64) -> usize {
    let zigzag = zigzag(value);
    // Seven bits a byte, and one byte at least.
    70_usize.saturating_sub((zigzag | 1).leading_zeros() as usize) / 7
}

/// Writes the zigzag varint of `value`, of any size, at the start of `room`.
#[cold]
pub(super) fn put_varint(room: &mut [u8], value: i64) {
    let mut zigzag = zigzag(value);
    for (byte, left) in room.iter_mut().zip((0..varint_bytes(value)).rev()) {
        let more = if left > 0 { 0x80 } else { 0 };
        *byte = (zigzag & 0x7f) as u8 | more;
        zigzag >>= 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_read_back_and_take_what_is_said() {
        for value in
            [0, 1, -1, 63, 64, -64, -65, 8191, 8192, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX, i64::MIN]
        {
            let mut buffer = [0xff; 10];
            put_varint(&mut buffer, value);
            let mut cursor = Cursor::new(&buffer);
            assert_eq!(cursor.varlong(), Ok(value));
            assert_eq!(10 - cursor.rest().len(), varint_bytes(value), "{value}");
        }
    }

    #[test]
    fn a_varint_that_loses_bits_is_refused() {
        assert!(Cursor::new(&[0xff; 11]).varlong().is_err());
        assert!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).varlong().is_err());
        assert!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x7f]).varint().is_err());
        assert!(Cursor::new(&[0x80]).varint().is_err());
    }
}
