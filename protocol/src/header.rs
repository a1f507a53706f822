//! Whole requests and responses: length, header and body in one frame.
//!
//! On the way out a struct becomes a frame here; on the way in [`frame`](crate::frame) has split the bytes, the
//! [`guard`] walks them, and the struct is built last.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader as RequestHeaderStruct, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

use crate::api::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::guard::{self, Budget};

/// What stands in front of a request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestHeader {
    /// Which API is asked.
    pub api_key: ApiKey,
    /// In which version its body is written.
    pub api_version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
    /// The name the client gives itself.
    pub client_id: Option<String>,
}

/// A request as a frame, its length included.
///
/// # Errors
/// When the struct holds what the version cannot say, or the frame would pass 2 GiB.
pub fn encode_request<R: Request>(
    body: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&StrBytes>,
) -> Result<Bytes, EncodeError> {
    let api = ApiKey(R::KEY);
    let header = RequestHeaderStruct::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(client_id.cloned());
    encode(api, version, &header, R::header_version(version), body)
}

/// A response as a frame, its length included.
///
/// # Errors
/// As [`encode_request`].
pub fn encode_response<R: Request>(
    body: &R::Response,
    version: i16,
    correlation_id: i32,
) -> Result<Bytes, EncodeError> {
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    encode(ApiKey(R::KEY), version, &header, R::Response::header_version(version), body)
}

/// The header of a request frame (without its length); `frame` is left at the body.
///
/// The header's own version depends on API and version; for an API or version that is unknown, the oldest form
/// that carries a client id is read, which is all that is needed to answer `UNSUPPORTED_VERSION`.
///
/// # Errors
/// When the frame is shorter than its header says.
pub fn read_request_header(frame: &mut Bytes) -> Result<RequestHeader, DecodeError> {
    let [Some(api_key), Some(api_version)] = [0, 2].map(|at| frame.get(at..).and_then(|rest| rest.first_chunk::<2>()))
    else {
        return Err(DecodeError::new(0, "a request of fewer than 4 bytes").in_field("request header"));
    };
    let api_key = ApiKey(i16::from_be_bytes(*api_key));
    let api_version = i16::from_be_bytes(*api_version);
    let header_version = api_key.request_header_version(api_version).unwrap_or(1);
    let body = guard::check_request_header(header_version, frame)?;
    let mut header = frame.split_to(body);
    let header = RequestHeaderStruct::decode(&mut header, header_version)
        .map_err(|error| DecodeError::new(0, error.to_string()).in_field("request header"))?;
    Ok(RequestHeader {
        api_key,
        api_version,
        correlation_id: header.correlation_id,
        client_id: header.client_id.map(|client_id| client_id.to_string()),
    })
}

/// The correlation id of a response frame (without its length).
///
/// # Errors
/// When the frame has fewer than four bytes.
pub fn read_correlation_id(frame: &[u8]) -> Result<i32, DecodeError> {
    match frame.first_chunk::<4>() {
        Some(bytes) => Ok(i32::from_be_bytes(*bytes)),
        None => Err(DecodeError::new(0, "a response of fewer than 4 bytes").in_field("correlation_id")),
    }
}

/// The body of a request. `body` is what [`read_request_header`] left; all of it must be used.
///
/// # Errors
/// When the bytes are not a request of this version, or it would take more memory than [`Budget`] allows by default.
pub fn decode_request<R: Request>(version: i16, body: Bytes) -> Result<R, DecodeError> {
    decode_request_within(version, body, Budget::default())
}

/// [`decode_request`] with a budget of one's own.
///
/// # Errors
/// As [`decode_request`].
pub fn decode_request_within<R: Request>(version: i16, mut body: Bytes, budget: Budget) -> Result<R, DecodeError> {
    let api = ApiKey(R::KEY);
    guard::check_request(api, version, &body, budget)?;
    R::decode(&mut body, version).map_err(|error| disagreed(api, version, &error))
}

/// Takes the request that `body` begins with, and leaves what lies behind its last field. Kafka reads requests so: some
/// clients leave room that they do not use, as librdkafka does when it asks for the metadata of all topics.
///
/// # Errors
/// When the bytes do not begin with a request of this version, or it would take more memory than [`Budget`] allows by
/// default.
pub fn take_request<R: Request>(version: i16, body: &mut Bytes) -> Result<R, DecodeError> {
    let api = ApiKey(R::KEY);
    let end = guard::request_end(api, version, body, Budget::default())?;
    R::decode(&mut body.split_to(end), version).map_err(|error| disagreed(api, version, &error))
}

/// The body of a whole response frame (without its length); all of it must be used.
///
/// # Errors
/// When the bytes are not a response of this version, or it would take more memory than [`Budget`] allows by default.
pub fn decode_response<R: Request>(version: i16, frame: Bytes) -> Result<R::Response, DecodeError> {
    decode_response_within::<R>(version, frame, Budget::default())
}

/// [`decode_response`] with a budget of one's own.
///
/// # Errors
/// As [`decode_response`].
pub fn decode_response_within<R: Request>(
    version: i16,
    mut frame: Bytes,
    budget: Budget,
) -> Result<R::Response, DecodeError> {
    let api = ApiKey(R::KEY);
    let body = guard::check_response(api, version, &frame, budget)?;
    frame.advance(body);
    R::Response::decode(&mut frame, version).map_err(|error| disagreed(api, version, &error))
}

fn encode<H: Encodable, B: Encodable>(
    api: ApiKey,
    version: i16,
    header: &H,
    header_version: i16,
    body: &B,
) -> Result<Bytes, EncodeError> {
    let refuse = |reason: String| EncodeError { api, version, reason };
    let header_bytes = header.compute_size(header_version).map_err(|error| refuse(error.to_string()))?;
    let body_bytes = body.compute_size(version).map_err(|error| refuse(error.to_string()))?;
    let size = header_bytes.saturating_add(body_bytes);
    let length = i32::try_from(size).map_err(|_| refuse(format!("{size} bytes do not fit in a frame")))?;
    let mut buffer = BytesMut::with_capacity(size.saturating_add(4));
    buffer.put_i32(length);
    header.encode(&mut buffer, header_version).map_err(|error| refuse(error.to_string()))?;
    body.encode(&mut buffer, version).map_err(|error| refuse(error.to_string()))?;
    Ok(buffer.freeze())
}

/// What the guard has accepted, the struct's decoder accepts; should it ever not, it is an error like any other.
fn disagreed(api: ApiKey, version: i16, error: &dyn std::fmt::Display) -> DecodeError {
    DecodeError::new(0, error.to_string().trim_end()).in_message(api, version)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest, MetadataResponse};

    use super::*;

    /// Metadata v13 of all topics as librdkafka 2.12 sends it, with three bytes left over from the room for a count.
    #[test]
    fn what_lies_behind_a_request_is_left() {
        let sent = Bytes::from_static(&[0, 0, 0, 0, 1, 0, 0]);
        let mut body = sent.clone();
        let request: MetadataRequest = take_request(13, &mut body).unwrap();
        assert_eq!((request.topics, request.allow_auto_topic_creation), (None, false));
        assert_eq!(body, [1, 0, 0][..]);
        assert!(decode_request::<MetadataRequest>(13, sent).is_err());
        assert!(take_request::<MetadataRequest>(13, &mut Bytes::from_static(&[0, 0, 0])).is_err());
    }

    #[test]
    fn a_request_reads_back() {
        let client_id = StrBytes::from_static_str("tidemill");
        for version in 1..=13 {
            let body = MetadataRequest::default().with_allow_auto_topic_creation(true);
            let mut frame = encode_request(&body, version, 7, Some(&client_id)).unwrap();
            assert_eq!(usize::try_from(frame.get_i32()).unwrap(), frame.len());
            let header = read_request_header(&mut frame).unwrap();
            assert_eq!((header.api_key, header.api_version, header.correlation_id), (ApiKey::METADATA, version, 7));
            assert_eq!(header.client_id.as_deref(), Some("tidemill"));
            decode_request::<MetadataRequest>(version, frame).unwrap();
        }
    }

    #[test]
    fn a_response_reads_back() {
        for version in 1..=13 {
            let mut frame = encode_response::<MetadataRequest>(&MetadataResponse::default(), version, 9).unwrap();
            frame.advance(4);
            assert_eq!(read_correlation_id(&frame).unwrap(), 9);
            decode_response::<MetadataRequest>(version, frame).unwrap();
        }
    }

    #[test]
    fn the_header_of_an_unknown_version_can_be_answered() {
        let body = ApiVersionsRequest::default();
        let mut frame = encode_request(&body, 4, 3, None).unwrap();
        frame.advance(4);
        let mut bytes = BytesMut::from(&frame[..]);
        bytes[3] = 99;
        let header = read_request_header(&mut bytes.freeze()).unwrap();
        assert_eq!((header.api_version, header.correlation_id), (99, 3));
    }

    #[test]
    fn a_header_cut_short_names_its_field() {
        let mut cut = Bytes::from_static(&[0, 3, 0, 1, 0, 0, 0, 7, 0, 9, b'x']);
        let error = read_request_header(&mut cut).unwrap_err();
        assert_eq!((error.field.as_str(), error.offset), ("client_id", 8));
    }
}
