//! What ends a job, said for humans: what happened, where, and what to change.
//!
//! Before: the client's errors, and those of the tasks. After: [`Error`], which the binary prints.

use std::time::Duration;

use tidemill_client::{ErrorCode, ErrorKind as Fault};

use super::source::bootstrap;
use crate::error::{Error, ErrorKind};
use crate::schema::Table;
use crate::task::RecordError;

/// Options of a table that the client refuses.
pub(super) fn of_options(table: &Table, error: tidemill_client::Error) -> Error {
    Error::new(ErrorKind::Configuration, format!("the options of table {} do not work", table.name))
        .note("what", error.to_string())
        .note("change", "the option of that name behind 'properties.' in its WITH, or what --set gave")
        .caused_by(error)
}

/// No broker answered at the start.
pub(super) fn unreachable(table: &Table, waited: Duration, error: Option<tidemill_client::Error>) -> Error {
    let message = format!("no broker answered within {} s", waited.as_secs_f64());
    let failure = Error::new(ErrorKind::Unreachable, message).note("address", bootstrap(table));
    let failure = match error {
        Some(error) => failure.note("what", error.to_string()).caused_by(error),
        None => {
            failure.note("what", "nothing was refused and nothing answered: a firewall, or a program that is no broker")
        }
    };
    failure.note("change", "start the broker, or give its address: --bootstrap HOST:PORT")
}

/// Whether a commit was refused because the group goes on without this member, which then hears of it and joins again.
pub(super) fn is_of_membership(error: &tidemill_client::Error) -> bool {
    matches!(
        error.kind(),
        Fault::Broker(ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::ILLEGAL_GENERATION | ErrorCode::UNKNOWN_MEMBER_ID)
    )
}

/// A topic is not there.
pub(super) fn unknown_topic(table: &Table, error: tidemill_client::Error) -> Error {
    let topic = &table.options.topic;
    let bootstrap = bootstrap(table);
    Error::new(ErrorKind::UnknownTopic, format!("topic {topic} of table {} does not exist", table.name))
        .note("broker", bootstrap)
        .note(
            "create it",
            format!("kafka-topics.sh --bootstrap-server {bootstrap} --create --topic {topic} --partitions 1"),
        )
        .caused_by(error)
}

/// A topic cannot be looked at.
pub(super) fn of_describing(table: &Table, error: tidemill_client::Error) -> Error {
    refused(format!("asking for topic {} of table {} failed", table.options.topic, table.name), table, None, error)
}

/// What was to be read cannot be.
pub(super) fn of_reading(table: &Table, group_id: &str, error: tidemill_client::Error) -> Error {
    let message = format!("reading topic {} of table {} failed", table.options.topic, table.name);
    refused(message, table, Some(group_id), error)
}

/// Offsets cannot be committed.
pub(super) fn of_committing(table: &Table, group_id: &str, error: tidemill_client::Error) -> Error {
    let message = format!("committing offsets of topic {} in group '{group_id}' failed", table.options.topic);
    refused(message, table, Some(group_id), error)
}

/// A result cannot be written. Nothing was committed beyond what it was made of.
pub(super) fn of_writing(table: &Table, error: tidemill_client::Error) -> Error {
    let message = format!("writing to topic {} of table {} failed", table.options.topic, table.name);
    let mut failure = refused(message, table, None, error);
    if failure.kind() == ErrorKind::Broker {
        failure = failure.of_kind(ErrorKind::Delivery);
    }
    failure.note("then", "start again: the records that this result was made of are not committed, and are read again")
}

/// A record is not what its table says.
pub(super) fn of_record(table: &Table, partition: i32, error: RecordError) -> Error {
    let RecordError { offset, field, reason, value_start, option } = error;
    let message = format!("a record of topic {} is not what table {} says", table.options.topic, table.name);
    let mut failure = Error::new(ErrorKind::Record, message)
        .note("record", format!("partition {partition}, offset {offset}"))
        .note("value", value_start);
    if let Some(field) = field {
        failure = failure.note("field", field);
    }
    failure.note("what", reason).note("change", format!("the record, or add {option} to the table's WITH"))
}

fn refused(message: String, table: &Table, group_id: Option<&str>, error: tidemill_client::Error) -> Error {
    let code = if let Fault::Broker(code) = error.kind() { Some(code) } else { None };
    if code == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) {
        return unknown_topic(table, error);
    }
    let change = match code {
        Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED) => {
            Some(format!("give this client access to topic {} on the broker", table.options.topic))
        }
        Some(ErrorCode::GROUP_AUTHORIZATION_FAILED) => group_id.map(|group_id| {
            format!("give this client access to group '{group_id}', or set 'properties.group.id' to another")
        }),
        Some(ErrorCode::INVALID_SESSION_TIMEOUT) => Some(
            "set 'properties.session.timeout.ms' to what the broker allows (group.min.session.timeout.ms)".to_owned(),
        ),
        Some(ErrorCode::FENCED_INSTANCE_ID) => {
            Some("another process runs under the same 'properties.group.instance.id': stop one of them".to_owned())
        }
        Some(ErrorCode::MESSAGE_TOO_LARGE) => Some(format!("raise max.message.bytes of topic {}", table.options.topic)),
        Some(ErrorCode::OFFSET_OUT_OF_RANGE) => Some(
            "the records after the committed offset are deleted: set 'properties.auto.offset.reset' to 'earliest' or \
             'latest', or 'scan.startup.mode'"
                .to_owned(),
        ),
        None if error.kind() == Fault::Protocol => {
            Some("the address, if it is not the plaintext listener of a Kafka broker: --bootstrap HOST:PORT".to_owned())
        }
        None if error.kind() == Fault::Misuse && group_id.is_some() => Some(
            "set 'scan.startup.mode' to 'earliest-offset' or 'latest-offset', or 'properties.auto.offset.reset'"
                .to_owned(),
        ),
        Some(_) | None => None,
    };
    let mut failure =
        Error::new(ErrorKind::Broker, message).note("broker", bootstrap(table)).note("what", error.to_string());
    if let Some(change) = change {
        failure = failure.note("change", change);
    }
    failure.caused_by(error)
}
