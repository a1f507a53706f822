//! What an error means for a transaction: whether the same is asked again, the transaction is lost, or the producer, as
//! Kafka's own producer judges it.
//!
//! Before: an answer to what the [`machine`](super::machine) asked, or a batch that the
//! [`sender`](crate::producer::sender) gives up.

use tidemill_protocol::ErrorCode;

use super::requests::{Decision, Request};
use crate::error::{Error, ErrorKind};

/// What an answer that is none means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same is asked again.
    Again,
    /// The transaction cannot be committed.
    Abort,
    /// The coordinator has forgotten who we are: there is nothing to abort, and another epoch is needed.
    Forgotten,
    /// Nothing can be done as this producer any more.
    Fatal,
}

/// What an answer means. `confirmed`: the coordinator has said that it has the transaction open.
pub(super) fn of(request: &Request, error: &Error, confirmed: bool) -> Verdict {
    let Some(code) = error.code() else {
        return if error.is_retriable() { Verdict::Again } else { Verdict::Fatal };
    };
    if code.is_retriable() {
        return Verdict::Again;
    }
    if matches!(code, ErrorCode::PRODUCER_FENCED | ErrorCode::INVALID_PRODUCER_EPOCH) {
        return Verdict::Fatal;
    }
    let forgotten = matches!(code, ErrorCode::UNKNOWN_PRODUCER_ID | ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    match request {
        Request::Initialize(_) => Verdict::Fatal,
        Request::AddPartitions(..) | Request::AddGroup(..) | Request::CommitOffsets(..) | Request::End(..)
            if forgotten =>
        {
            Verdict::Forgotten
        }
        Request::AddPartitions(..) => match code {
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED | ErrorCode::INVALID_TXN_STATE => Verdict::Fatal,
            _ => Verdict::Abort,
        },
        Request::AddGroup(..) => match code {
            ErrorCode::GROUP_AUTHORIZATION_FAILED | ErrorCode::TRANSACTION_ABORTABLE => Verdict::Abort,
            _ => Verdict::Fatal,
        },
        Request::CommitOffsets(..) => match code {
            ErrorCode::GROUP_AUTHORIZATION_FAILED
            | ErrorCode::TOPIC_AUTHORIZATION_FAILED
            | ErrorCode::OFFSET_METADATA_TOO_LARGE
            | ErrorCode::FENCED_INSTANCE_ID
            | ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::STALE_MEMBER_EPOCH
            | ErrorCode::TRANSACTION_ABORTABLE => Verdict::Abort,
            _ => Verdict::Fatal,
        },
        Request::End(.., decision) => match code {
            ErrorCode::TRANSACTION_ABORTABLE if *decision == Decision::Commit => Verdict::Abort,
            // Whether it began was never known: it did not.
            ErrorCode::INVALID_TXN_STATE if *decision == Decision::Abort && !confirmed => Verdict::Forgotten,
            _ => Verdict::Fatal,
        },
    }
}

/// What a record that is not written means for its transaction, as Kafka's own producer judges it.
pub(in crate::producer) fn with_consequence(error: Error) -> Error {
    let fatal = match error.kind() {
        ErrorKind::Broker(code) => matches!(
            code,
            ErrorCode::PRODUCER_FENCED
                | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        ),
        ErrorKind::Protocol | ErrorKind::Security => true,
        ErrorKind::Network
        | ErrorKind::Timeout
        | ErrorKind::Configuration
        | ErrorKind::Misuse
        | ErrorKind::WouldBlock
        | ErrorKind::Closed => false,
    };
    if fatal { error.with_fatal() } else { error.with_abort() }
}
