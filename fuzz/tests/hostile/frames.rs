use tidemill_protocol::ApiKey;
use tidemill_protocol::frame::FRAME_BYTES_MAX_DEFAULT;

use super::*;

#[test]
fn frames() {
    let length = |length: i32| length.to_be_bytes().to_vec();
    let negative = Refused("frame length", "negative");
    let over = i32::try_from(FRAME_BYTES_MAX_DEFAULT + 1).unwrap();
    survive(vec![
        line("length -1", Road::Stream, length(-1), negative),
        line("length -2^31", Road::Stream, length(i32::MIN), negative),
        line("length 0", Road::Stream, length(0), Read(1)),
        line("length 0, as a request", Road::RequestHeader, [], Refused("request header", "fewer than 4 bytes")),
        line("length 0, as a response", Road::ResponseHeader, [], Refused("correlation_id", "fewer than 4 bytes")),
        line("length 1", Road::ResponseHeader, [0], Refused("correlation_id", "fewer than 4 bytes")),
        line("length 2", Road::RequestHeader, [0, 3], Refused("request header", "fewer than 4 bytes")),
        line("length 3", Road::RequestHeader, [0, 3, 0], Refused("request header", "fewer than 4 bytes")),
        line("length 2^31 - 1", Road::Stream, length(i32::MAX), Refused("frame length", "the limit is 104857600")),
        line("length of one more than the cap", Road::Stream, length(over), Refused("frame length", "the limit")),
        line("length of the cap and no bytes yet", Road::Stream, length(over - 1), Read(0)),
        line("HTTP", Road::Stream, *b"HTTP/1.1 400 Bad Request\r\n", Refused("frame length", "speaks HTTP")),
        line("a TLS alert", Road::Stream, [0x15, 3, 3, 0, 2, 2, 0x0a], Refused("frame length", "speaks TLS")),
        line("a TLS handshake", Road::Stream, [0x16, 3, 1, 2, 0, 1, 0, 1], Refused("frame length", "speaks TLS")),
        line(
            "bytes behind a request",
            Road::Request(ApiKey::HEARTBEAT, 0),
            [0, 0, 0, 0, 0, 1, 0, 0, 9],
            Refused("", "1 bytes behind the last field"),
        ),
        line(
            "bytes behind a response",
            Road::Response(ApiKey::HEARTBEAT, 0),
            [0, 0, 9, 9],
            Refused("", "2 bytes behind the last field"),
        ),
        line(
            "a client id that is longer than the frame",
            Road::RequestHeader,
            [0, 3, 0, 12, 0, 0, 0, 7, 0x7f, 0xff],
            Refused("client_id", "32767 bytes"),
        ),
    ]);
}
