//! The bytes that say what happens, one after the other; zeros when there are no more.

/// Numbers at the limits of what the wire has for them.
const LIMITS: [i64; 12] = [
    0,
    -1,
    -2,
    1,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
    i16::MAX as i64,
    i16::MIN as i64,
    10_000,
    i32::MAX as i64 + 1,
];

#[derive(Debug)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    /// One of these, the first more often than the others.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let choice = usize::from(self.byte());
        if choice < 64 { of[0] } else { of[choice % of.len()] }
    }

    pub(super) fn limit(&mut self) -> i64 {
        LIMITS[usize::from(self.byte()) % LIMITS.len()]
    }

    /// Whether something happens that does so once in so many times; never where the bytes have ended.
    pub(super) fn once_in(&mut self, times: u8) -> bool {
        let byte = self.byte();
        byte != 0 && byte.is_multiple_of(times)
    }

    /// Changes a few bytes, or cuts them off.
    pub(super) fn change(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.byte() % 3 {
            if bytes.is_empty() {
                return;
            }
            let at = usize::from(u16::from_be_bytes([self.byte(), self.byte()])) % bytes.len();
            match self.byte() % 5 {
                0 => bytes[at] ^= 1 << (self.byte() % 8),
                1 => bytes[at] = self.byte(),
                2 => bytes.truncate(at),
                3 => drop(bytes.splice(at..at, [0xff, 0xff, 0xff, 0x7f])),
                _ => drop(bytes.remove(at)),
            }
        }
    }
}
