//! The one error of the client: what was attempted, where, whose fault it is, and whether trying again can help.

use std::fmt;
use std::sync::Arc;

use tidemill_protocol::{DecodeError, EncodeError, ErrorCode};

use crate::record::TopicPartition;

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A broker answered with an error code.
    Broker(ErrorCode),
    /// A broker sent what the protocol does not allow, or we cannot speak its version.
    Protocol,
    /// A connection could not be opened, or was lost.
    Network,
    /// The two sides do not agree on how the line is secured or who they are: TLS, certificates, SASL, credentials. The
    /// client goes on trying, which helps only if something is changed.
    Security,
    /// Nothing was heard in time.
    Timeout,
    /// An option is missing, misspelt or makes no sense.
    Configuration,
    /// A call that cannot be made now.
    Misuse,
    /// Nothing was done, because it would have had to wait.
    WouldBlock,
    /// The client has been closed.
    Closed,
}

/// What is known of a record that got an error instead of an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is not in the log and never will be: sending it again makes no duplicate.
    NotWritten,
    /// It was sent and the answer is not known: sending it again may make a duplicate.
    PossiblyWritten,
}

/// What went wrong: what was attempted, on which partition and broker, and why it failed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Error(Arc<Inner>);

/// What becomes of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consequence {
    Abort,
    Fatal,
}

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    attempt: String,
    partition: Option<TopicPartition>,
    detail: Option<String>,
    outcome: Option<Outcome>,
    /// What it means for a transaction, if it concerns one.
    consequence: Option<Consequence>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Who is at fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The partition it concerns, if it concerns one.
    #[must_use]
    pub fn topic_partition(&self) -> Option<&TopicPartition> {
        self.0.partition.as_ref()
    }

    /// What is known of the record, when this is the error of one that was to be written.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.outcome
    }

    /// Whether the transaction that it concerns cannot be committed any more, while the producer can go on: what was sent in
    /// it has to be sent again in another. After a failed commit there is nothing left to abort, and this says that the
    /// way on is the same.
    #[must_use]
    pub fn requires_abort(&self) -> bool {
        self.0.consequence == Some(Consequence::Abort)
    }

    /// Whether the same call may succeed later without a change.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        if self.0.consequence.is_some() {
            return false;
        }
        match self.0.kind {
            ErrorKind::Broker(code) => code.is_retriable(),
            ErrorKind::Network | ErrorKind::Timeout | ErrorKind::WouldBlock => true,
            ErrorKind::Protocol
            | ErrorKind::Security
            | ErrorKind::Configuration
            | ErrorKind::Misuse
            | ErrorKind::Closed => false,
        }
    }

    /// Whether the object that gave it can never succeed again and has to be made anew.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        if let Some(consequence) = self.0.consequence {
            return consequence == Consequence::Fatal;
        }
        match self.0.kind {
            ErrorKind::Closed => true,
            ErrorKind::Broker(code) => {
                matches!(
                    code,
                    ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::PRODUCER_FENCED | ErrorCode::FENCED_INSTANCE_ID
                )
            }
            ErrorKind::Protocol
            | ErrorKind::Network
            | ErrorKind::Security
            | ErrorKind::Timeout
            | ErrorKind::Configuration
            | ErrorKind::Misuse
            | ErrorKind::WouldBlock => false,
        }
    }

    pub(crate) fn new(kind: ErrorKind, attempt: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            attempt: attempt.into(),
            partition: None,
            detail: None,
            outcome: None,
            consequence: None,
            source: None,
        }))
    }

    pub(crate) fn broker(attempt: impl Into<String>, code: ErrorCode) -> Self {
        Self::new(ErrorKind::Broker(code), attempt)
    }

    pub(crate) fn network(attempt: impl Into<String>, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Network, attempt).with_source(source)
    }

    pub(crate) fn timeout(attempt: impl Into<String>) -> Self {
        Self::new(ErrorKind::Timeout, attempt)
    }

    pub(crate) fn config(attempt: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, attempt)
    }

    pub(crate) fn misuse(attempt: impl Into<String>) -> Self {
        Self::new(ErrorKind::Misuse, attempt)
    }

    pub(crate) fn would_block(attempt: impl Into<String>) -> Self {
        Self::new(ErrorKind::WouldBlock, attempt)
    }

    pub(crate) fn closed(attempt: impl Into<String>) -> Self {
        Self::new(ErrorKind::Closed, attempt)
    }

    pub(crate) fn protocol(attempt: impl Into<String>) -> Self {
        Self::new(ErrorKind::Protocol, attempt)
    }

    /// The broker refuses us, or we refuse it.
    pub(crate) fn security(address: &str, reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Security, format!("connecting to {address}")).with_detail(reason)
    }

    pub(crate) fn decode(attempt: impl Into<String>, source: DecodeError) -> Self {
        Self::new(ErrorKind::Protocol, attempt).with_source(source)
    }

    pub(crate) fn encode(attempt: impl Into<String>, source: EncodeError) -> Self {
        Self::new(ErrorKind::Protocol, attempt).with_source(source)
    }

    pub(crate) fn with_partition(mut self, partition: TopicPartition) -> Self {
        Arc::make_mut(&mut self.0).partition = Some(partition);
        self
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        Arc::make_mut(&mut self.0).outcome = Some(outcome);
        self
    }

    pub(crate) fn with_abort(mut self) -> Self {
        Arc::make_mut(&mut self.0).consequence = Some(Consequence::Abort);
        self
    }

    pub(crate) fn with_fatal(mut self) -> Self {
        Arc::make_mut(&mut self.0).consequence = Some(Consequence::Fatal);
        self
    }

    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).detail = Some(detail.into());
        self
    }

    /// Adds to the detail, if there is one.
    pub(crate) fn with_note(self, note: &str) -> Self {
        let detail = self.0.detail.as_ref().map_or_else(|| note.to_owned(), |detail| format!("{detail}; {note}"));
        self.with_detail(detail)
    }

    /// No configured broker could be reached: names the last address tried and what to change, or how what answered
    /// there shows that it is no broker.
    pub(crate) fn unreachable(&self, host: &str, port: u16, tried: usize) -> Self {
        if self.kind() == ErrorKind::Security {
            return self.clone();
        }
        let mut inner = Inner::clone(&self.0);
        let others = if tried > 1 { format!(" (the last of {tried} addresses)") } else { String::new() };
        inner.attempt = format!("connecting to {host}:{port}{others}");
        // Somebody answers, and what is wrong with the answer is known.
        inner.detail = Some(match &self.0.detail {
            Some(reason) => format!("{reason}; the address comes from bootstrap.servers"),
            None => "is the broker running there? The address comes from bootstrap.servers".to_owned(),
        });
        Self(Arc::new(inner))
    }

    pub(crate) fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::new(source));
        self
    }

    /// The code, when a broker answered with one.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self.0.kind {
            ErrorKind::Broker(code) => Some(code),
            ErrorKind::Protocol
            | ErrorKind::Network
            | ErrorKind::Security
            | ErrorKind::Timeout
            | ErrorKind::Configuration
            | ErrorKind::Misuse
            | ErrorKind::WouldBlock
            | ErrorKind::Closed => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, attempt, partition, detail, source, outcome: _, consequence: _ } = &*self.0;
        f.write_str(attempt)?;
        if let Some(partition) = partition {
            write!(f, " ({partition})")?;
        }
        match kind {
            ErrorKind::Broker(code) => {
                write!(f, ": the broker answered {code}")?;
                if let Some(meaning) = code.meaning() {
                    write!(f, ": {meaning}")?;
                }
            }
            ErrorKind::Timeout => f.write_str(": timed out")?,
            ErrorKind::Closed => f.write_str(": closed")?,
            ErrorKind::WouldBlock => f.write_str(": it would have had to wait")?,
            ErrorKind::Protocol
            | ErrorKind::Network
            | ErrorKind::Security
            | ErrorKind::Configuration
            | ErrorKind::Misuse => {}
        }
        if let Some(source) = source {
            write!(f, ": {source}")?;
        }
        if let Some(detail) = detail {
            write!(f, "; {detail}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_and_why() {
        let partition = TopicPartition::new("clicks", 3);
        let error = Error::broker("fetching", ErrorCode::NOT_LEADER_OR_FOLLOWER).with_partition(partition);
        assert_eq!(
            error.to_string(),
            "fetching (clicks-3): the broker answered NOT_LEADER_OR_FOLLOWER (6): this broker does not lead or hold the \
             partition any more; ask the one that newer metadata names"
        );
        assert_eq!(
            Error::broker("fetching", ErrorCode(999)).to_string(),
            "fetching: the broker answered error code 999"
        );
        assert!(error.is_retriable() && !error.is_fatal());

        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = Error::network("connecting to localhost:9092", refused).with_detail("check bootstrap.servers");
        assert_eq!(error.to_string(), "connecting to localhost:9092: connection refused; check bootstrap.servers");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn who_answers_and_is_no_broker_is_named_with_what_is_wrong() {
        let error = Error::protocol("ApiVersions to localhost:443").with_detail("a frame of 352518912 bytes");
        assert_eq!(
            error.unreachable("localhost", 443, 1).to_string(),
            "connecting to localhost:443; a frame of 352518912 bytes; the address comes from bootstrap.servers"
        );
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(
            Error::network("ApiVersions to localhost:9092", refused).unreachable("localhost", 9092, 2).to_string(),
            "connecting to localhost:9092 (the last of 2 addresses): connection refused; is the broker running there? \
             The address comes from bootstrap.servers"
        );
    }
}
