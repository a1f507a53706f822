//! Why a job could not start or go on: what happened, where, and what to change.
//!
//! Before: the client's errors and those of [`crate::task`]. After: whoever runs the job; `tidemill run` prints it as it
//! displays itself, which is one screen at most.

use std::fmt;

/// Why a job could not start or go on.
///
/// It displays itself as one line that says what happened, then one line for each thing worth knowing:
///
/// ```text
/// topic user_clicks does not exist
///   broker: 127.0.0.1:9092
///   create it: kafka-topics.sh --bootstrap-server 127.0.0.1:9092 --create --topic user_clicks --partitions 1
/// ```
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    notes: Vec<(&'static str, String)>,
    source: Option<tidemill_client::Error>,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Options that the client does not know or that contradict each other.
    Configuration,
    /// No broker was reached when the job started.
    Unreachable,
    /// A topic does not exist.
    UnknownTopic,
    /// A record is not what its table says.
    Record,
    /// A result could not be written.
    Delivery,
    /// Anything else that a broker refused.
    Broker,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), notes: Vec::new(), source: None }
    }

    /// Adds a line: what it is about, and what to know of it.
    pub(crate) fn note(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((label, text.into()));
        self
    }

    pub(crate) fn caused_by(mut self, source: tidemill_client::Error) -> Self {
        self.source = Some(source);
        self
    }

    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (label, text) in &self.notes {
            write!(f, "\n  {label}: {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
