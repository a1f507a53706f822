//! A frame as text for humans: one field a line, named and indented as in Kafka's schemas.
//!
//! Comes after [`check`](super::check), along the same tables: only frames that it accepts are described. Bytes are
//! counted, never shown, and so are strings that may be secrets (the values of configurations that are being set), so that
//! a description may go into a log.
//!
//! ```text
//! Metadata v12 request, correlation id 7, client id "tidemill"
//! topics: 1
//!   [0]
//!     topic_id: 00000000-0000-0000-0000-000000000000
//!     name: "user_clicks"
//! allow_auto_topic_creation: true
//! include_topic_authorized_operations: false
//! ```

use std::fmt::Write as _;

use super::check::find;
use super::cursor::Cursor;
use super::schema::{Field, Kind, Message, Struct};
use super::tables::{REQUESTS, RESPONSES};
use super::{Budget, check_request, check_response};
use crate::api::ApiKey;
use crate::error::DecodeError;

/// Longer descriptions end here: a page of what matters stands at their beginning.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// A whole request frame (without its length) as text, at most some 64 KiB of it.
///
/// # Errors
/// When the frame is not a request that [`header`](crate::header) would read.
pub fn describe_request(frame: &[u8]) -> Result<String, DecodeError> {
    let mut whole = bytes::Bytes::copy_from_slice(frame);
    let header = crate::header::read_request_header(&mut whole)?;
    let (api, version) = (header.api_key, header.api_version);
    let body = frame.len().saturating_sub(whole.len());
    check_request(api, version, &whole, Budget::default())?;
    let mut text = format!("{api} v{version} request, correlation id {}", header.correlation_id);
    if let Some(client_id) = &header.client_id {
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, ", client id {client_id:?}");
    }
    let message = super::find(REQUESTS, api, version)?;
    Ok(body_text(text, message, version, Cursor::new(frame, body)))
}

/// A whole response frame (without its length) as text, at most some 64 KiB of it.
///
/// # Errors
/// When the frame is not a response of this API in this version.
pub fn describe_response(api: ApiKey, version: i16, frame: &[u8]) -> Result<String, DecodeError> {
    let body = check_response(api, version, frame, Budget::default())?;
    let correlation_id = crate::header::read_correlation_id(frame)?;
    let text = format!("{api} v{version} response, correlation id {correlation_id}");
    let message = super::find(RESPONSES, api, version)?;
    Ok(body_text(text, message, version, Cursor::new(frame, body)))
}

fn body_text(mut text: String, message: &Message, version: i16, cursor: Cursor<'_>) -> String {
    text.push('\n');
    let mut page = Page { text, cursor, version, is_flexible: version >= message.flexible, depth: 0 };
    if page.structure(find(message.body)).is_none() {
        page.text.push_str("... and more\n");
    }
    page.text
}

/// The description so far. Its methods return `None` when it is long enough, or when the bytes do not go on, which the
/// check before has ruled out.
struct Page<'a> {
    text: String,
    cursor: Cursor<'a>,
    version: i16,
    is_flexible: bool,
    depth: usize,
}

impl Page<'_> {
    fn structure(&mut self, structure: &Struct) -> Option<()> {
        for field in structure.fields {
            if field.tag.is_none() && field.versions.contains(self.version) {
                self.field(field)?;
            }
        }
        if !self.is_flexible {
            return Some(());
        }
        for _ in 0..self.cursor.varint().ok()? {
            let tag = self.cursor.varint().ok()?;
            let size = usize::try_from(self.cursor.varint().ok()?).ok()?;
            match structure.tagged(tag) {
                Some(field) => self.field(field)?,
                None => {
                    self.cursor.take(size).ok()?;
                    self.line(format_args!("tag {tag}: {size} bytes"))?;
                }
            }
        }
        Some(())
    }

    fn field(&mut self, field: &Field) -> Option<()> {
        let is_compact = self.is_flexible && !field.is_old_form;
        let is_nullable = field.nullable.contains(self.version);
        if !field.is_array {
            return self.value(field.name, None, field.kind, is_compact, is_nullable);
        }
        let count = if is_compact { self.cursor.compact_length() } else { self.cursor.length32() };
        let Some(count) = count.ok()? else {
            return self.line(format_args!("{}: null", field.name));
        };
        self.line(format_args!("{}: {count}", field.name))?;
        self.depth = self.depth.saturating_add(1);
        for index in 0..count {
            self.value(field.name, Some(index), field.kind, is_compact, false)?;
        }
        self.depth = self.depth.saturating_sub(1);
        Some(())
    }

    /// A value with its name in front, or its index when it stands in an array.
    fn value(
        &mut self,
        name: &str,
        index: Option<usize>,
        kind: Kind,
        is_compact: bool,
        is_nullable: bool,
    ) -> Option<()> {
        let label = index.map_or_else(|| format!("{name}:"), |index| format!("[{index}]"));
        match kind {
            Kind::Bool => {
                let [flag] = self.cursor.chunk().ok()?;
                self.line(format_args!("{label} {}", flag != 0))
            }
            Kind::Int8 => self.cursor.i8().ok().and_then(|number| self.line(format_args!("{label} {number}"))),
            Kind::Int16 => {
                let number = i16::from_be_bytes(self.cursor.chunk().ok()?);
                self.line(format_args!("{label} {number}"))
            }
            Kind::Uint16 => {
                let number = u16::from_be_bytes(self.cursor.chunk().ok()?);
                self.line(format_args!("{label} {number}"))
            }
            Kind::Int32 => {
                let number = i32::from_be_bytes(self.cursor.chunk().ok()?);
                self.line(format_args!("{label} {number}"))
            }
            Kind::Int64 => {
                let number = i64::from_be_bytes(self.cursor.chunk().ok()?);
                self.line(format_args!("{label} {number}"))
            }
            Kind::Float64 => {
                let number = f64::from_be_bytes(self.cursor.chunk().ok()?);
                self.line(format_args!("{label} {number}"))
            }
            Kind::Uuid => {
                let id = u128::from_be_bytes(self.cursor.chunk().ok()?);
                let part = |shift: u32, mask: u128| (id >> shift) & mask;
                let (a, b, c) = (part(96, 0xffff_ffff), part(80, 0xffff), part(64, 0xffff));
                let (d, e) = (part(48, 0xffff), part(0, 0xffff_ffff_ffff));
                self.line(format_args!("{label} {a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}"))
            }
            Kind::String => {
                let length = if is_compact { self.cursor.compact_length() } else { self.cursor.length16() };
                let Some(length) = length.ok()? else { return self.line(format_args!("{label} null")) };
                let string = std::str::from_utf8(self.cursor.take(length).ok()?).ok()?;
                if may_be_secret(name) {
                    return self.line(format_args!("{label} a string of {length} bytes"));
                }
                self.line(format_args!("{label} {string:?}"))
            }
            Kind::Bytes | Kind::Records => {
                let length = if is_compact { self.cursor.compact_length() } else { self.cursor.length32() };
                let Some(length) = length.ok()? else { return self.line(format_args!("{label} null")) };
                self.cursor.take(length).ok()?;
                self.line(format_args!("{label} {length} bytes"))
            }
            Kind::Struct(number) => {
                if is_nullable && self.cursor.i8().ok()? < 0 {
                    return self.line(format_args!("{label} null"));
                }
                self.line(format_args!("{label}"))?;
                self.depth = self.depth.saturating_add(1);
                self.structure(find(number))?;
                self.depth = self.depth.saturating_sub(1);
                Some(())
            }
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) -> Option<()> {
        if self.text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let indent = self.depth.saturating_mul(2);
        writeln!(self.text, "{:indent$}{line}", "").ok()
    }
}

/// The value of a configuration may be the password of a key store; every field that holds one has this name. All other
/// secrets of the protocol are bytes.
fn may_be_secret(name: &str) -> bool {
    name == "value"
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::generate::{self, Shape};
    use super::*;
    use crate::header::{encode_request, encode_response};
    use crate::messages::fetch_response::{FetchableTopicResponse, LeaderIdAndEpoch, PartitionData};
    use crate::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    use crate::messages::{
        FetchRequest, FetchResponse, IncrementalAlterConfigsRequest, SaslAuthenticateRequest, TopicName,
    };
    use crate::{Request, StrBytes};

    fn described<R: Request>(request: &R, version: i16) -> String {
        let client_id = StrBytes::from_static_str("tidemill");
        let frame = encode_request(request, version, 7, Some(&client_id)).unwrap();
        describe_request(&frame[4..]).unwrap()
    }

    #[test]
    fn a_response_reads_like_its_schema() {
        let partition = PartitionData::default()
            .with_partition_index(3)
            .with_high_watermark(20)
            .with_current_leader(LeaderIdAndEpoch::default().with_leader_id(2.into()).with_leader_epoch(5))
            .with_aborted_transactions(None)
            .with_records(Some(Bytes::from_static(&[0; 61])));
        let topic = FetchableTopicResponse::default()
            .with_topic(TopicName(StrBytes::from_static_str("user_clicks")))
            .with_partitions(vec![partition]);
        let response = FetchResponse::default().with_responses(vec![topic]);
        let frame = encode_response::<FetchRequest>(&response, 12, 9).unwrap();
        let expected = "\
Fetch v12 response, correlation id 9
throttle_time_ms: 0
error_code: 0
session_id: 0
responses: 1
  [0]
    topic: \"user_clicks\"
    partitions: 1
      [0]
        partition_index: 3
        error_code: 0
        high_watermark: 20
        last_stable_offset: -1
        log_start_offset: -1
        aborted_transactions: null
        preferred_read_replica: -1
        records: 61 bytes
        current_leader:
          leader_id: 2
          leader_epoch: 5
";
        assert_eq!(describe_response(ApiKey::FETCH, 12, &frame[4..]).unwrap(), expected);
    }

    #[test]
    fn secrets_are_counted_not_shown() {
        let login = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(b"\0user\0hunter2"));
        let text = described(&login, 2);
        assert_eq!(
            text,
            "SaslAuthenticate v2 request, correlation id 7, client id \"tidemill\"\nauth_bytes: 13 bytes\n"
        );
        let config = AlterableConfig::default()
            .with_name(StrBytes::from_static_str("ssl.keystore.password"))
            .with_value(Some(StrBytes::from_static_str("hunter2")));
        let resource = AlterConfigsResource::default().with_configs(vec![config]);
        let text = described(&IncrementalAlterConfigsRequest::default().with_resources(vec![resource]), 1);
        assert!(text.contains("name: \"ssl.keystore.password\""), "{text}");
        assert!(text.contains("value: a string of 7 bytes") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn every_message_is_described_to_its_end() {
        for message in RESPONSES {
            for version in message.versions.min..=message.versions.max {
                let api = ApiKey(message.api);
                let mut frame = vec![0, 0, 0, 7];
                if api.response_header_version(version) == Some(1) {
                    frame.push(0);
                }
                frame.extend(generate::message(message, version, Shape::Full, 3));
                let text = describe_response(api, version, &frame).unwrap();
                assert!(!text.contains("and more"), "{text}");
                for field in find(message.body).fields.iter().filter(|field| field.versions.contains(version)) {
                    assert!(text.contains(&format!("\n{}:", field.name)), "{} is missing in {text}", field.name);
                }
            }
        }
    }

    #[test]
    fn a_long_description_ends_and_what_is_not_checked_is_not_described() {
        let topics = vec![FetchableTopicResponse::default(); 10_000];
        let frame = encode_response::<FetchRequest>(&FetchResponse::default().with_responses(topics), 12, 9).unwrap();
        let text = describe_response(ApiKey::FETCH, 12, &frame[4..]).unwrap();
        assert!(text.ends_with("... and more\n") && text.len() < 2 * TEXT_BYTES_MAX);
        assert!(describe_response(ApiKey::FETCH, 12, &frame[4..frame.len() - 1]).is_err());
        assert!(describe_request(&[0, 1, 2]).is_err());
    }
}
