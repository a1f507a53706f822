//! Reads lengths and varints of a frame, strictly, and knows at which byte it stands.
//!
//! [`check`](super::check) stands on this.

/// A place in a frame, moving forward. What lies behind `end` is out of reach.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Why something could not be read.
pub(super) type Reason = &'static str;

/// Said wherever the bytes run out.
const ENDS: Reason = "the bytes end inside the field";

impl<'a> Cursor<'a> {
    /// At a byte of a frame.
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The offset of the next byte.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// All that can be reached, and what lies before.
    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many bytes are left.
    pub(super) const fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// The next `count` bytes as all there is, and this cursor behind them.
    pub(super) fn split(&mut self, count: usize) -> Result<Self, Reason> {
        let at = self.at;
        self.take(count)?;
        let bytes = self.bytes.get(..self.at).ok_or(ENDS)?;
        Ok(Self { bytes, at })
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Reason> {
        let end = self.at.checked_add(count).ok_or(ENDS)?;
        let taken = self.bytes.get(self.at..end).ok_or(ENDS)?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).ok_or(ENDS)?;
        self.at = self.at.saturating_add(N);
        Ok(*bytes)
    }

    /// Passes the next byte if it is this one.
    pub(super) fn pass(&mut self, byte: u8) -> bool {
        let is_next = self.bytes.get(self.at) == Some(&byte);
        self.at = self.at.saturating_add(is_next.into());
        is_next
    }

    pub(super) fn i8(&mut self) -> Result<i8, Reason> {
        self.chunk().map(i8::from_be_bytes)
    }

    /// A length or count of 16 bits; `None` for -1, which means null.
    pub(super) fn length16(&mut self) -> Result<Option<usize>, Reason> {
        length(i16::from_be_bytes(self.chunk()?).into())
    }

    /// A length or count of 32 bits; `None` for -1, which means null.
    pub(super) fn length32(&mut self) -> Result<Option<usize>, Reason> {
        length(i32::from_be_bytes(self.chunk()?))
    }

    /// A length or count of a flexible version, written as one more than it is; `None` for 0, which means null.
    pub(super) fn compact_length(&mut self) -> Result<Option<usize>, Reason> {
        match self.varint()?.checked_sub(1) {
            None => Ok(None),
            Some(length) => usize::try_from(length).map(Some).map_err(|_| "a length too large for memory"),
        }
    }

    /// An unsigned varint of at most 32 bits, in as few bytes as hold it.
    pub(super) fn varint(&mut self) -> Result<u32, Reason> {
        let mut value: u32 = 0;
        for shift in (0..32).step_by(7) {
            let [byte] = self.chunk()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                return Err("a varint of more than 32 bits");
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if bits == 0 && shift > 0 {
                    return Err("an over-long varint");
                }
                return Ok(value);
            }
        }
        Err("a varint of more than five bytes")
    }
}

fn length(length: i32) -> Result<Option<usize>, Reason> {
    match length {
        -1 => Ok(None),
        _ => usize::try_from(length).map(Some).map_err(|_| "a negative length"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Result<(u32, usize), Reason> {
        let mut cursor = Cursor::new(bytes, 0);
        cursor.varint().map(|value| (value, cursor.at()))
    }

    #[test]
    fn varints_are_read_in_their_shortest_form_only() {
        assert_eq!(varint(&[0]), Ok((0, 1)));
        assert_eq!(varint(&[0x80, 0x01]), Ok((128, 2)));
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok((u32::MAX, 5)));
        assert!(varint(&[0x80]).unwrap_err().contains("end inside"));
        assert!(varint(&[0xff, 0xff, 0xff, 0xff, 0x7f]).unwrap_err().contains("32 bits"));
        assert!(varint(&[0x81, 0x80, 0x80, 0x80, 0x80]).unwrap_err().contains("five bytes"));
        assert!(varint(&[0x80, 0x00]).unwrap_err().contains("over-long"));
    }

    #[test]
    fn lengths_are_null_or_not_negative() {
        assert_eq!(Cursor::new(&[0xff, 0xff], 0).length16(), Ok(None));
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff], 0).length32(), Ok(None));
        assert_eq!(Cursor::new(&[0], 0).compact_length(), Ok(None));
        assert_eq!(Cursor::new(&[1], 0).compact_length(), Ok(Some(0)));
        assert_eq!(Cursor::new(&[0xff, 0xfe], 0).length16(), Err("a negative length"));
        assert_eq!(Cursor::new(&[0x80, 0, 0, 0], 0).length32(), Err("a negative length"));
    }

    #[test]
    fn nothing_is_read_behind_the_end_of_a_part() {
        let mut whole = Cursor::new(&[1, 2, 3, 4], 1);
        let mut part = whole.split(2).unwrap();
        assert_eq!((part.at(), part.left(), whole.at(), whole.left()), (1, 2, 3, 1));
        assert!(part.take(3).is_err());
        assert!(part.length32().is_err());
        assert_eq!(part.take(2), Ok(&[2, 3][..]));
        assert!(whole.split(usize::MAX).is_err());
    }
}
