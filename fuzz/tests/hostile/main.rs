//! Everything hostile that the wire can say, by kind and line by line: what each line is answered with, and that what is
//! held at once is no more than four times the frame and the budget.
//!
//! The tests beside the code say more about each; here stands the whole list, measured. A line that is refused has used
//! nothing of a budget, save where it had to be inflated to be found out.

mod codecs;
mod frames;
mod legacy;
mod primitives;
mod records;

#[path = "../../src/counting.rs"]
mod counting;

use bytes::{Bytes, BytesMut};
use tidemill_fuzz::compression::beside_bytes;
use tidemill_fuzz::golden::{Side, framed};
use tidemill_fuzz::with_request;
use tidemill_protocol::compression::{Codec, compress, decompress};
use tidemill_protocol::fetch::FetchResponse;
use tidemill_protocol::frame::{FRAME_BYTES_MAX_DEFAULT, take_frame};
use tidemill_protocol::header::{decode_request, decode_response, read_correlation_id, read_request_header};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{RecordBatches, control};
use tidemill_protocol::{ApiKey, DecodeError, Request};

/// What a line comes in as, and so what reads it.
#[derive(Debug, Clone, Copy)]
enum Road {
    /// A stream of frames.
    Stream,
    /// A request frame's header.
    RequestHeader,
    /// A response frame's header.
    ResponseHeader,
    /// The body of a request.
    Request(ApiKey, i16),
    /// The body of a response, behind a header that is right.
    Response(ApiKey, i16),
    /// The body of a response of `Fetch`, read by hand.
    Fetch(i16),
    /// A records field: every batch is opened and every record read.
    Records,
    /// A records field of control batches.
    Markers,
    /// What a codec inflates.
    Inflate(Codec),
}

/// What it is answered with.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// A refusal of this field, in words that hold these.
    Refused(&'static str, &'static str),
    /// As much is read: frames, messages, records or bytes.
    Read(usize),
}
use Answer::{Read, Refused};

/// What may be held beside four times the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Budget {
    /// Nothing but a refusal's words.
    Nothing,
    /// What a message's structs, or what a batch inflates to, may take.
    Spent,
}
use Budget::{Nothing, Spent};

/// A kind of hostile input.
struct Line {
    words: &'static str,
    road: Road,
    bytes: Vec<u8>,
    answer: Answer,
    budget: Budget,
}

fn line(words: &'static str, road: Road, bytes: impl Into<Vec<u8>>, answer: Answer) -> Line {
    let budget = match answer {
        Refused(..) => Nothing,
        Read(_) => Spent,
    };
    Line { words, road, bytes: bytes.into(), answer, budget }
}

impl Line {
    fn spends(self) -> Self {
        Self { budget: Spent, ..self }
    }
}

/// What a batch may inflate to.
const INFLATED_BYTES_MAX: usize = 4 << 20;
/// The words of a refusal.
const WORDS_BYTES: usize = 4 << 10;
/// A block of zstd does not say what it inflates to.
const ZSTD_BLOCK_BYTES: usize = 128 << 10;

/// Goes through a list.
fn survive(lines: Vec<Line>) {
    warm_up();
    for line in lines {
        let bytes = Bytes::from(line.bytes);
        // The guard plans a message when it first meets it, once in the life of the process.
        _ = read(line.road, &bytes, &mut BytesMut::from(&bytes[..]));
        let mut stream = BytesMut::from(&bytes[..]);
        let mut answer = None;
        let peak = counting::peak(&mut || answer = Some(read(line.road, &bytes, &mut stream)));
        let held_max = 4 * bytes.len()
            + WORDS_BYTES
            + match (line.budget, line.road) {
                (Nothing, Road::Inflate(Codec::Zstd)) => ZSTD_BLOCK_BYTES,
                (Nothing, _) => 0,
                (Spent, Road::Inflate(codec)) => INFLATED_BYTES_MAX + beside_bytes(codec),
                (Spent, Road::Records | Road::Markers) => INFLATED_BYTES_MAX + beside_bytes(Codec::Gzip),
                // The guard's, by default.
                (Spent, _) => (16 * bytes.len()).max(1 << 20),
            };
        println!("{}: {peak} of {held_max} bytes, from {}", line.words, bytes.len());
        assert!(peak <= held_max, "{}: {peak} bytes held, {held_max} allowed", line.words);
        match (line.answer, answer.unwrap()) {
            (Read(expected), Ok(read)) => assert_eq!(read, expected, "{}", line.words),
            (Refused(field, reason), Err(error)) => {
                assert!(error.field == field && error.reason.contains(reason), "{}: {error}", line.words);
            }
            (expected, read) => panic!("{}: {read:?}, expected {expected:?}", line.words),
        }
    }
}

/// What a thread makes once.
fn warm_up() {
    for codec in Codec::ALL {
        decompress(codec, &Bytes::from(compressed(codec, &[7; 200_000])), 200_000).unwrap();
    }
}

fn compressed(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    compress(codec, bytes, &mut compressed).unwrap();
    compressed
}

fn read(road: Road, bytes: &Bytes, stream: &mut BytesMut) -> Result<usize, DecodeError> {
    let mut outcome = Ok(0);
    match road {
        Road::Stream => {
            let mut count = 0;
            while take_frame(stream, FRAME_BYTES_MAX_DEFAULT)?.is_some() {
                count += 1;
            }
            return Ok(count);
        }
        Road::RequestHeader => return read_request_header(&mut bytes.clone()).map(|_| 1),
        Road::ResponseHeader => return read_correlation_id(bytes).map(|_| 1),
        Road::Request(api, version) => {
            assert!(with_request!(api, request(version, bytes, &mut outcome)), "{api} is no API");
        }
        Road::Response(api, version) => {
            let frame = framed(api, version, Side::Response, bytes);
            assert!(with_request!(api, response(version, &frame, &mut outcome)), "{api} is no API");
        }
        Road::Fetch(version) => {
            let frame = framed(ApiKey::FETCH, version, Side::Response, bytes);
            return FetchResponse::read(version, &frame).map(|_| 1);
        }
        Road::Records => {
            let mut count = 0;
            for batch in RecordBatches::new(bytes.clone()) {
                for record in batch?.open(INFLATED_BYTES_MAX)?.iter() {
                    record?;
                    count += 1;
                }
            }
            return Ok(count);
        }
        Road::Markers => {
            let mut count = 0;
            for batch in RecordBatches::new(bytes.clone()) {
                control::read(&batch?)?;
                count += 1;
            }
            return Ok(count);
        }
        Road::Inflate(codec) => return decompress(codec, bytes, INFLATED_BYTES_MAX).map(|bytes| bytes.len()),
    }
    outcome
}

fn request<R: Request>(version: i16, body: &Bytes, outcome: &mut Result<usize, DecodeError>) -> bool {
    *outcome = decode_request::<R>(version, body.clone()).map(|_| 1);
    true
}

fn response<R: Request>(version: i16, frame: &Bytes, outcome: &mut Result<usize, DecodeError>) -> bool {
    *outcome = decode_response::<R>(version, frame.clone()).map(|_| 1);
    true
}

/// The bytes of digits; blanks are for the eye.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}
