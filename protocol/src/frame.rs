//! Splits a stream of bytes into frames, with a limit on their size.
//!
//! Comes first on the way in (the connection hands its read buffer here) and hands frames to [`header`](crate::header).

use bytes::{Buf, Bytes, BytesMut};

use crate::error::DecodeError;

/// The largest frame accepted unless told otherwise: 100 MiB, as Kafka's `socket.request.max.bytes`.
pub const FRAME_BYTES_MAX_DEFAULT: usize = 100 * 1024 * 1024;

/// How many bytes the length in front of a frame takes.
const LENGTH_BYTES: usize = 4;

/// Takes the next whole frame, without its length, off the front of `buffer`.
///
/// `None` means that more bytes are needed. The frame shares the buffer's memory; nothing is copied.
///
/// # Errors
/// When the length is negative or above `frame_bytes_max`. The stream is then lost: close the connection.
///
/// ```
/// use bytes::BytesMut;
/// let mut buffer = BytesMut::from(&[0, 0, 0, 2, 7, 8, 0, 0][..]);
/// let frame = tidemill_protocol::frame::take_frame(&mut buffer, 1024).unwrap().unwrap();
/// assert_eq!(frame, &[7, 8][..]);
/// assert_eq!(tidemill_protocol::frame::take_frame(&mut buffer, 1024).unwrap(), None);
/// ```
pub fn take_frame(buffer: &mut BytesMut, frame_bytes_max: usize) -> Result<Option<Bytes>, DecodeError> {
    let Some(prefix) = buffer.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let length = frame_length(*prefix, frame_bytes_max)?;
    if buffer.len().saturating_sub(LENGTH_BYTES) < length {
        return Ok(None);
    }
    buffer.advance(LENGTH_BYTES);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// How many bytes are missing until the frame at the front of `buffer` is whole; 0 when it is.
///
/// A reader reserves this much, so that a large frame is read into one allocation.
///
/// # Errors
/// As [`take_frame`].
pub fn bytes_missing(buffer: &[u8], frame_bytes_max: usize) -> Result<usize, DecodeError> {
    let Some(prefix) = buffer.first_chunk::<LENGTH_BYTES>() else {
        return Ok(LENGTH_BYTES.saturating_sub(buffer.len()));
    };
    let length = frame_length(*prefix, frame_bytes_max)?;
    Ok(length.saturating_add(LENGTH_BYTES).saturating_sub(buffer.len()))
}

fn frame_length(prefix: [u8; LENGTH_BYTES], frame_bytes_max: usize) -> Result<usize, DecodeError> {
    let length = i32::from_be_bytes(prefix);
    let Ok(bytes) = usize::try_from(length) else {
        return Err(DecodeError::new(0, format!("the frame length is negative ({length})")).in_field("frame length"));
    };
    if bytes > frame_bytes_max {
        return Err(DecodeError::new(0, too_long(prefix, bytes, frame_bytes_max)).in_field("frame length"));
    }
    Ok(bytes)
}

/// A length that is really text or a TLS record is the usual sign of a wrong port: say so.
fn too_long(prefix: [u8; LENGTH_BYTES], bytes: usize, frame_bytes_max: usize) -> String {
    let guess = match &prefix {
        b"HTTP" => "; the other side speaks HTTP: is this the port of a Kafka listener?",
        [0x15 | 0x16, 0x03, ..] => "; the other side speaks TLS: set security.protocol to SSL or SASL_SSL",
        _ => "",
    };
    format!("the frame is {bytes} bytes long, the limit is {frame_bytes_max}{guess}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_when_it_is_whole() {
        let mut buffer = BytesMut::from(&[0, 0, 0, 3, 1, 2][..]);
        assert_eq!(take_frame(&mut buffer, 10).unwrap(), None);
        assert_eq!(bytes_missing(&buffer, 10).unwrap(), 1);
        buffer.extend_from_slice(&[3, 0]);
        assert_eq!(take_frame(&mut buffer, 10).unwrap().unwrap(), &[1, 2, 3][..]);
        assert_eq!(buffer.len(), 1);
        assert_eq!(bytes_missing(&buffer, 10).unwrap(), 3);
    }

    #[test]
    fn a_lying_length_is_refused_before_anything_is_allocated() {
        for length in [-1, i32::MIN, 11, i32::MAX] {
            let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
            let error = take_frame(&mut buffer, 10).unwrap_err();
            assert_eq!(error.field, "frame length");
            assert!(bytes_missing(&buffer, 10).is_err());
        }
    }

    #[test]
    fn a_frame_of_no_bytes_is_a_frame() {
        let mut buffer = BytesMut::from(&[0, 0, 0, 0][..]);
        assert_eq!(take_frame(&mut buffer, 10).unwrap().unwrap().len(), 0);
    }

    #[test]
    fn other_protocols_are_recognised() {
        let mut http = BytesMut::from("HTTP/1.1 400 Bad Request");
        assert!(take_frame(&mut http, FRAME_BYTES_MAX_DEFAULT).unwrap_err().reason.contains("speaks HTTP"));
        let mut tls = BytesMut::from(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a][..]);
        assert!(take_frame(&mut tls, FRAME_BYTES_MAX_DEFAULT).unwrap_err().reason.contains("speaks TLS"));
    }
}
