//! The Kafka binary protocol, safe against any bytes.
//!
//! No socket, no clock, no task: bytes come in and messages go out, or the other way round. The words are Kafka's.
//!
//! # A frame
//!
//! Everything on a Kafka connection is a *frame*: four bytes of length, then that many bytes. A request's frame holds a
//! header and the body of one API in one version; a response's frame holds the correlation id of its request and the body
//! that goes with it, in the same version, which is not repeated: who reads it has to know. This is a `Metadata` request
//! of version 12 for a topic by name:
//!
//! ```text
//! 00 00 00 2f                 length: 47 bytes follow                         frame
//! 00 03                       API key: Metadata                               api, header
//! 00 0c                       API version: 12
//! 00 00 00 07                 correlation id: 7, comes back in the response
//! 00 08 74 69 64 65 ..        client id: "tidemill"
//! 00                          no tagged fields; the body begins behind        header
//! 02                          topics: one, as a varint of count + 1           guard, messages
//! 00 00 00 00 00 00 00 00 ..    topic id: 16 bytes, nil
//! 07 63 6c 69 63 6b 73          name: "clicks", behind its length + 1
//! 00                            no tagged fields
//! 01                          allow auto topic creation: yes
//! 00                          include topic authorized operations: no
//! 00                          no tagged fields: the end
//! ```
//!
//! [`frame`] cuts a stream of bytes into frames, [`header`] writes and reads whole requests and responses, [`api`] says
//! which versions are spoken and picks one. What an answer's error code means and whether trying again helps,
//! [`error_code`] says.
//!
//! # The guard
//!
//! The message structs ([`messages`]) come from the `kafka-protocol` crate, whose decoders believe the counts and lengths
//! that they read: four bytes can ask for 200 GB. A check behind them comes too late, and one that does not know the
//! schema cannot tell a count from any other number. So [`guard`] walks the bytes first, along tables made from Kafka's own
//! schemas, and only what it has walked becomes a struct ([`header::decode_request`], [`header::decode_response`]). It
//! promises that what it lets through
//!
//! - is a message of this API in this version, to its last byte;
//! - has no count, length or varint that the bytes behind it do not bear out;
//! - takes no more memory as structs than a [budget](guard::Budget): 1 MiB or 16 times the frame, whichever is more,
//!   unless told otherwise.
//!
//! What it does not let through comes back as a [`DecodeError`] with the API, the version, the field's path and the byte.
//! Here the topic's name is longer than what is left:
//!
//! ```
//! use tidemill_protocol::messages::MetadataRequest;
//! use tidemill_protocol::{ApiKey, header};
//!
//! let body = b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x7fclicks\0\x01\0\0";
//! let error = header::decode_request::<MetadataRequest>(12, body[..].into()).unwrap_err();
//! assert_eq!((error.api, error.version), (Some(ApiKey::METADATA), Some(12)));
//! assert_eq!((error.field.as_str(), error.offset), ("topics[0].name", 17));
//! assert_eq!(error.to_string(), "Metadata v12: topics[0].name at byte 17: 126 bytes, and 10 are left");
//! ```
//!
//! Where the crate is behind Kafka, and where its decoders are wrong, [`behind`] says in one place.
//!
//! # The road of a batch
//!
//! Records travel in batches, and a batch stays in one piece from the producer over the log to the consumer. The two
//! messages that carry it go by roads of their own, on which it is not copied:
//!
//! 1. [`BatchBuilder::append`](records::BatchBuilder::append) encodes each record into the batch's one buffer.
//! 2. [`seal`](records::BatchBuilder::seal) compresses it ([`compression`]);
//!    [`stamp`](records::SealedBatch::stamp) writes its header and checksum.
//! 3. A [`ProduceRequest`](produce::ProduceRequest) becomes a frame in parts, the batches among them as they are.
//! 4. The broker [splits](records::RecordBatches) what it got, checks it, and [assigns](records::assign) its offset: the
//!    bytes of the log.
//! 5. A [`FetchResponse`](fetch::FetchResponse) is read as headers of partitions and slices of the frame.
//! 6. A batch is [opened](records::RecordBatch::open), inflated if it must be, and its records are views into it.
//!
//! All of it, from a click to a click:
//!
//! ```
//! use bytes::BytesMut;
//! use tidemill_protocol::compression::Codec;
//! use tidemill_protocol::fetch::FetchResponse;
//! use tidemill_protocol::frame::{FRAME_BYTES_MAX_DEFAULT, take_frame};
//! use tidemill_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
//! use tidemill_protocol::messages::{self, FetchRequest};
//! use tidemill_protocol::produce::{PartitionBatch, ProduceRequest};
//! use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, RecordBatches, assign};
//! use tidemill_protocol::{ApiKey, header};
//!
//! // The producer: append, seal, stamp.
//! let mut builder = BatchBuilder::new(1024);
//! for user in [7, 8, 9] {
//!     let value = format!("user {user} clicked on the one and only button, and clicked, and clicked");
//!     builder.append(&NewRecord { timestamp: 1_000, key: None, value: Some(value.as_bytes()), headers: &[] });
//! }
//! let batch = builder.seal(Codec::Lz4).stamp(None, BatchFlags::default());
//!
//! // A frame in three parts: what stands before the batch, the batch itself, what stands behind it.
//! let part = PartitionBatch { topic: "clicks", topic_id: Default::default(), partition: 0, records: batch.clone() };
//! let request = ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, batches: &[part] };
//! let parts = request.encode(12, 7, Some("tidemill"))?;
//! assert_eq!(parts.len(), 3);
//! assert_eq!(parts[1].as_ptr(), batch.as_ptr());
//!
//! // The broker: a frame off the stream, its header, then the guard and the struct.
//! let mut stream = BytesMut::from(&parts.concat()[..]);
//! let mut body = take_frame(&mut stream, FRAME_BYTES_MAX_DEFAULT)?.expect("the frame has come whole");
//! let asked = header::read_request_header(&mut body)?;
//! assert_eq!((asked.api_key, asked.api_version, asked.correlation_id), (ApiKey::PRODUCE, 12, 7));
//! let request: messages::ProduceRequest = header::decode_request(asked.api_version, body)?;
//!
//! // Into the log: the checksum is verified, and offset and leader epoch are set, which it does not cover.
//! let records = request.topic_data[0].partition_data[0].records.clone().unwrap_or_default();
//! let batch = RecordBatches::new(records).next().expect("one batch was sent")?;
//! let log = assign(&batch, 40, 0, None);
//!
//! // Out of the log, to whoever fetches.
//! let partition = PartitionData::default().with_high_watermark(43).with_records(Some(log));
//! let response = messages::FetchResponse::default()
//!     .with_responses(vec![FetchableTopicResponse::default().with_partitions(vec![partition])]);
//! let mut stream = BytesMut::from(&header::encode_response::<FetchRequest>(&response, 12, 8)?[..]);
//!
//! // The consumer: slices of the frame, then views of the batch.
//! let frame = take_frame(&mut stream, FRAME_BYTES_MAX_DEFAULT)?.expect("the frame has come whole");
//! assert_eq!(header::read_correlation_id(&frame)?, 8);
//! let mut read = Vec::new();
//! for topic in FetchResponse::read(12, &frame)?.topics() {
//!     for partition in topic.partitions {
//!         for batch in RecordBatches::new(partition.records.clone().unwrap_or_default()) {
//!             for record in &batch?.open(1 << 20)? {
//!                 let record = record?;
//!                 let value = String::from_utf8_lossy(record.value.unwrap_or_default());
//!                 read.push((record.offset, value[..14].to_owned()));
//!             }
//!         }
//!     }
//! }
//! let clicks = ["user 7 clicked", "user 8 clicked", "user 9 clicked"].map(str::to_owned);
//! assert_eq!(read, (40..).zip(clicks).collect::<Vec<_>>());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that panics has failed, which is what it is for"
    )
)]

pub mod api;
pub mod behind;
pub mod compression;
pub mod error;
pub mod error_code;
pub mod fetch;
pub mod frame;
pub mod guard;
pub mod header;
pub mod produce;
pub mod records;

pub use api::ApiKey;
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
/// The message structs of every API, as generated from Kafka's schemas by the `kafka-protocol` crate.
pub use kafka_protocol::messages;
/// The traits a message struct implements, and its string type.
pub use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_of_a_frame_is_one() {
        let topic = messages::metadata_request::MetadataRequestTopic::default()
            .with_name(Some(messages::TopicName(StrBytes::from_static_str("clicks"))));
        let request = messages::MetadataRequest::default().with_topics(Some(vec![topic]));
        let frame = header::encode_request(&request, 12, 7, Some(&StrBytes::from_static_str("tidemill"))).unwrap();
        let picture = [
            &b"\0\0\0\x2f\0\x03\0\x0c\0\0\0\x07\0\x08tidemill\0"[..],
            b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07clicks\0\x01\0\0",
        ];
        assert_eq!(frame, picture.concat());
    }
}
