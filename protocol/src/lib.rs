//! The Kafka binary protocol, safe against any bytes.
//!
//! # A frame
//!
//! Everything on a Kafka connection is a *frame*: four bytes of length, then that many bytes. A request frame holds a
//! [request header](header::RequestHeader) (API key, API version, correlation id, client id) and the body of that API in
//! that version; a response frame holds the correlation id and the body. [`frame`] splits a stream of bytes into frames,
//! [`header`] writes and reads whole requests and responses, [`api`] says which versions we speak and picks one.
//!
//! # Bodies
//!
//! The message structs ([`messages`]) come from the `kafka-protocol` crate; [`header::decode_request`] and
//! [`header::decode_response`] build them. That crate's decoders trust the counts they read, so [`guard`] walks every frame
//! against Kafka's own schema first, with a limit on the memory its structs will take.
//!
//! Two messages carry the records, and go by roads of their own: a request of [`produce`] is written as slices, its batches
//! as they are; the response of [`fetch`] is read into headers and views of the frame.
//!
//! # Records
//!
//! [`records`] builds and reads record batches (magic 2) without an allocation per record; [`compression`] holds the
//! codecs, all behind one bounded inflate.

#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
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
