//! Checks of the decoders of the TCP protocol, for any bytes.

use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{ClientFrame, Decoded, ServerFrame};
#[cfg(feature = "server")]
use pi_chat::wire::websocket::{WebSocketEnd, WebSocketReader};
#[cfg(feature = "server")]
use pi_chat::wire::{
    HttpRequest, MAX_HTTP_HEAD, MAX_PROXY_HEADER_REST, ProxyHeaderError, ProxyHeaderReader,
    ProxySource,
};

/// Bytes of the length in front of a body.
const LENGTH_PREFIX: usize = 2;

/// Feeds bytes to the reader of a client's stream, in pieces of various sizes, and checks every
/// frame.
#[allow(dead_code, reason = "each fuzz target uses a part of this file")]
pub(crate) fn check_client_stream(bytes: &[u8]) {
    let mut reader = FrameReader::from_client();
    for piece in pieces(bytes) {
        if reader
            .feed(piece, |body| {
                check_client_frame(body);
                true
            })
            .is_err()
        {
            return;
        }
    }
}

/// Feeds bytes to the reader of a server's stream, in pieces of various sizes, and checks every
/// frame.
#[allow(dead_code, reason = "each fuzz target uses a part of this file")]
pub(crate) fn check_server_stream(bytes: &[u8]) {
    let mut reader = FrameReader::from_server();
    for piece in pieces(bytes) {
        if reader
            .feed(piece, |body| {
                check_server_frame(body);
                true
            })
            .is_err()
        {
            return;
        }
    }
}

/// Takes the bytes for frame bodies of known kinds, so that the fields are reached.
#[allow(dead_code, reason = "each fuzz target uses a part of this file")]
pub(crate) fn check_frame_bodies(bytes: &[u8]) {
    for (index, chunk) in bytes.chunks(64).enumerate() {
        let Some((first, fields)) = chunk.split_first() else { continue };
        let body = |kind: u8| [&[kind], fields].concat();
        check_client_frame(&body(1 + first % 11));
        check_server_frame(&body(64 + first % 12));
        if index % 8 == 0 {
            check_client_frame(chunk);
            check_server_frame(chunk);
        }
    }
}

/// Decodes a client's frame. If it is one, encoding it again gives a prefix of the bytes: every
/// value has exactly one encoding, and bytes behind the last field are ignored.
#[allow(dead_code, reason = "each fuzz target uses a part of this file")]
pub(crate) fn check_client_frame(body: &[u8]) {
    if let Decoded::Frame(frame) = ClientFrame::decode(body) {
        let mut encoded = Vec::new();
        frame.encode(&mut encoded);
        assert!(body.starts_with(&encoded[LENGTH_PREFIX..]), "{frame:?}");
    }
}

/// Decodes a server's frame, and checks it as [`check_client_frame`] does.
#[allow(dead_code, reason = "each fuzz target uses a part of this file")]
pub(crate) fn check_server_frame(body: &[u8]) {
    if let Decoded::Frame(frame) = ServerFrame::decode(body) {
        let mut encoded = Vec::new();
        frame.encode(&mut encoded);
        assert!(body.starts_with(&encoded[LENGTH_PREFIX..]), "{frame:?}");
    }
}

/// Decodes a PROXY header, also with a valid beginning in front of the bytes: in large pieces and a
/// byte at a time, with the same result.
#[cfg(feature = "server")]
#[allow(dead_code, reason = "each fuzz target uses a part of this file")]
pub(crate) fn check_proxy_header(bytes: &[u8]) {
    let [command, family, ..] = bytes else { return };
    let signature: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    let family = [0x00, 0x11, 0x21, 0x31][usize::from(family % 4)];
    let with_command = [signature, &[0x20 + command % 2, family], bytes].concat();
    for bytes in [bytes, &[signature, bytes].concat(), &with_command] {
        assert_eq!(decode_proxy_header(bytes, usize::MAX), decode_proxy_header(bytes, 1));
    }
}

/// Decodes a PROXY header, `size` bytes at a time or as many as are missing for certain; returns
/// the result and the number of bytes taken. Checks that the header stays within its limit.
#[cfg(feature = "server")]
fn decode_proxy_header(
    bytes: &[u8],
    size: usize,
) -> (Result<Option<ProxySource>, ProxyHeaderError>, usize) {
    let mut reader = ProxyHeaderReader::default();
    let mut taken = 0;
    loop {
        let count = reader.missing().min(size).min(bytes.len() - taken);
        let result = reader.feed(&bytes[taken..taken + count]);
        taken += count;
        if result.is_err() {
            // How much was read of a wrong beginning depends on the pieces.
            return (result, 0);
        }
        assert!(taken + reader.missing() <= 16 + MAX_PROXY_HEADER_REST);
        if result != Ok(None) || count == 0 {
            return (result, taken);
        }
    }
}

/// Reads a client's WebSocket frames, also with a valid header in front of the bytes: in one piece
/// and a byte at a time, with the same result. The payload is never longer than what came.
#[cfg(feature = "server")]
#[allow(dead_code, reason = "each fuzz target uses a part of this file")]
pub(crate) fn check_websocket(bytes: &[u8]) {
    let [first, length, ..] = bytes else { return };
    let header = [first & 0x8f, 0x80 | (length % 126)];
    for bytes in [bytes, &[&header, bytes].concat()] {
        assert_eq!(unwrap_websocket(bytes, bytes.len()), unwrap_websocket(bytes, 1));
    }
}

/// Reads WebSocket frames `size` bytes at a time; returns payload, number of idle frames, last ping
/// and end.
#[cfg(feature = "server")]
fn unwrap_websocket(
    bytes: &[u8],
    size: usize,
) -> (Vec<u8>, u32, Option<Vec<u8>>, Option<WebSocketEnd>) {
    let mut reader = WebSocketReader::default();
    let (mut payload, mut idle_frames, mut ping) = (Vec::new(), 0, None);
    for piece in bytes.chunks(size.max(1)) {
        let mut piece = piece.to_vec();
        let out = reader.unwrap(&mut piece);
        payload.extend(&piece[..out.payload]);
        idle_frames += out.idle_frames;
        ping = out.ping.or(ping);
        if out.end.is_some() {
            return (payload, idle_frames, ping, out.end);
        }
    }
    (payload, idle_frames, ping, None)
}

/// Parses the head of an HTTP request, also with a valid beginning in front of the bytes. A head is
/// complete at its last byte and not before, whatever follows.
#[cfg(feature = "server")]
#[allow(dead_code, reason = "each fuzz target uses a part of this file")]
pub(crate) fn check_http_request(bytes: &[u8]) {
    let line: &[u8] = b"GET /chat HTTP/1.1\r\n";
    let field: &[u8] = b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nHost: ";
    let end: &[u8] = b"\r\n\r\n";
    for bytes in [bytes, &[line, bytes, end].concat(), &[field, bytes, end].concat()] {
        let Ok(Some((request, size))) = HttpRequest::parse(bytes) else { continue };
        assert!(size <= bytes.len() && size <= MAX_HTTP_HEAD && request.path.starts_with('/'));
        assert_eq!(HttpRequest::parse(&bytes[..size]), Ok(Some((request, size))));
    }
}

/// Cuts bytes into pieces whose sizes are taken from the bytes themselves.
fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let size = usize::from(*bytes.first()?).max(1).min(bytes.len());
        let (piece, rest) = bytes.split_at(size);
        bytes = rest;
        Some(piece)
    })
}
