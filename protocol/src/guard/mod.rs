//! Checks what stands in front of a body, and later the body itself against Kafka's own schema.
//!
//! [`header`](crate::header) calls it between splitting a frame and building a struct.

use bytes::Bytes;

use crate::error::DecodeError;

/// Skips a section of tagged fields (KIP-482), such as the one that ends a flexible header.
///
/// # Errors
/// When a tag is out of order or repeated, a varint is over-long or loses bits, or a field is longer than what is left.
pub fn skip_tagged_fields(bytes: &mut Bytes) -> Result<(), DecodeError> {
    let length = bytes.len();
    let mut rest = &bytes[..];
    let skipped = skip(&mut rest);
    let at = length.saturating_sub(rest.len());
    match skipped {
        Ok(()) => {
            *bytes = bytes.slice(at..);
            Ok(())
        }
        Err(reason) => Err(DecodeError::new(at, reason).in_field("tagged fields")),
    }
}

fn skip(rest: &mut &[u8]) -> Result<(), &'static str> {
    let count = unsigned_varint(rest)?;
    let mut previous = None;
    for _ in 0..count {
        let tag = unsigned_varint(rest)?;
        if previous.is_some_and(|previous| tag <= previous) {
            return Err("a tag that is repeated or out of order");
        }
        previous = Some(tag);
        let size = usize::try_from(unsigned_varint(rest)?).map_err(|_| "a tagged field too large for memory")?;
        let (_, behind) = rest.split_at_checked(size).ok_or("a tagged field that is longer than what is left")?;
        *rest = behind;
    }
    Ok(())
}

/// An unsigned varint of at most 32 bits, in as few bytes as hold it.
fn unsigned_varint(rest: &mut &[u8]) -> Result<u32, &'static str> {
    let mut value: u32 = 0;
    for shift in (0..32).step_by(7) {
        let (byte, behind) = rest.split_first().ok_or("the bytes end inside a varint")?;
        *rest = behind;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(bytes: &'static [u8]) -> Result<usize, String> {
        let mut bytes = Bytes::from_static(bytes);
        skip_tagged_fields(&mut bytes).map(|()| bytes.len()).map_err(|error| error.reason)
    }

    #[test]
    fn tags_are_skipped_exactly() {
        assert_eq!(skipped(&[0, 9, 9]), Ok(2));
        assert_eq!(skipped(&[2, 0, 1, 7, 5, 2, 8, 8, 9]), Ok(1));
    }

    #[test]
    fn tags_that_lie_are_refused() {
        assert!(skipped(&[]).unwrap_err().contains("end inside"));
        assert!(skipped(&[2, 1, 0, 1, 0]).unwrap_err().contains("out of order"));
        assert!(skipped(&[1, 0, 5, 1]).unwrap_err().contains("longer than"));
        assert!(skipped(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unwrap_err().contains("end inside"));
        assert!(skipped(&[0xff, 0xff, 0xff, 0xff, 0x7f]).unwrap_err().contains("32 bits"));
        assert!(skipped(&[0x81, 0x80, 0x80, 0x80, 0x80]).unwrap_err().contains("five bytes"));
        assert!(skipped(&[0x80, 0x00]).unwrap_err().contains("over-long"));
    }
}
