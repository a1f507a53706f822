//! What is said when bytes cannot be read, or a message cannot be written.
//!
//! Raised by [`guard`](crate::guard), [`header`](crate::header), [`frame`](crate::frame) and [`records`](crate::records).

use std::fmt;

use crate::api::ApiKey;

/// Bytes that are not what the protocol says they must be.
///
/// Names the message, the field and the byte, so that a capture can be read beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeError {
    /// The API whose body was read, if it was known.
    pub api: Option<ApiKey>,
    /// The API version, if it was known.
    pub version: Option<i16>,
    /// The path of the field, such as `topics[2].partitions[0].records`; empty when it is the whole message.
    pub field: String,
    /// The offset in bytes from the start of what was decoded.
    pub offset: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl DecodeError {
    /// An error at a byte, saying what is wrong there.
    pub fn new(offset: usize, reason: impl Into<String>) -> Self {
        Self { api: None, version: None, field: String::new(), offset, reason: reason.into() }
    }

    /// The same, its offset counted from elsewhere: `start` bytes earlier.
    #[must_use]
    pub(crate) fn at(mut self, start: usize) -> Self {
        self.offset = self.offset.saturating_add(start);
        self
    }

    /// Names the field.
    #[must_use]
    pub fn in_field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// Names the message.
    #[must_use]
    pub fn in_message(mut self, api: ApiKey, version: i16) -> Self {
        self.api = Some(api);
        self.version = Some(version);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(api) = self.api {
            write!(f, "{api}")?;
            if let Some(version) = self.version {
                write!(f, " v{version}")?;
            }
            f.write_str(": ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{} ", self.field)?;
        }
        write!(f, "at byte {}: {}", self.offset, self.reason)
    }
}

impl std::error::Error for DecodeError {}

/// A message that cannot be written in the version asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodeError {
    /// The API whose body was to be written.
    pub api: ApiKey,
    /// The version asked for.
    pub version: i16,
    /// Why it cannot.
    pub reason: String,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} cannot be written: {}", self.api, self.version, self.reason)
    }
}

impl std::error::Error for EncodeError {}
