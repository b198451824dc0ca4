//! Responses: their heads, and the header fields that keep a page from loading or showing anything
//! of others.

use std::fmt::Write as _;

use sha1::{Digest, Sha1};

use super::hosts::Authority;
use crate::wire::WEBSOCKET_PROTOCOL;

/// Text that RFC 6455 appends to a client's key.
const WEBSOCKET_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Response without its body.
#[derive(Debug)]
pub(super) struct Head {
    /// Status code and reason.
    pub(super) status: &'static str,
    /// Further header fields, each with its line end.
    fields: String,
}

impl Head {
    /// Returns the head of a response with this media type and length of the body. `host`: where
    /// the client has sent the request, which WebSockets may go to; `None` if that is not known.
    pub(super) fn new(
        status: &'static str,
        media_type: &str,
        length: u64,
        host: Option<&Authority>,
    ) -> Self {
        let host = host.map(Authority::to_text).unwrap_or_default();
        // Older browsers do not count WebSockets as `'self'`.
        let sockets = if host.is_empty() { host } else { format!(" ws://{host} wss://{host}") };
        let fields = format!(
            "Content-Type: {media_type}\r\n\
             Content-Length: {length}\r\n\
             Content-Security-Policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
             style-src 'self'; img-src 'self' data:; font-src 'self'; media-src 'self'; \
             manifest-src 'self'; worker-src 'self'; connect-src 'self'{sockets}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Referrer-Policy: no-referrer\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\n"
        );
        Self { status, fields }
    }

    /// Adds a field. Neither part may have a line end.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        // Writing to a string cannot fail.
        let _ = write!(self.fields, "{name}: {value}\r\n");
        self
    }

    /// Returns the bytes of the head. `keeps_alive`: true if another request may follow.
    pub(super) fn encode(&self, keeps_alive: bool) -> String {
        let connection = if keeps_alive { "keep-alive" } else { "close" };
        format!("HTTP/1.1 {}\r\nConnection: {connection}\r\n{}\r\n", self.status, self.fields)
    }
}

/// Returns the response that completes the handshake of a WebSocket with this key.
pub(super) fn switching_protocols(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(WEBSOCKET_GUID).finalize();
    let accept = data_encoding::BASE64.encode(&digest);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {WEBSOCKET_PROTOCOL}\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455.
    #[test]
    fn accepted_key_is_that_of_the_rfc() {
        let answer = switching_protocols("dGhlIHNhbXBsZSBub25jZQ==");
        assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    }

    #[test]
    fn policy_names_only_this_host() {
        let host = Authority::parse("pi.local:2480").unwrap();
        let head = Head::new("200 OK", "text/html", 3, Some(&host)).with("ETag", "\"x\"");
        let text = head.encode(true);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"));
        assert!(text.contains("connect-src 'self' ws://pi.local:2480 wss://pi.local:2480;"));
        assert!(text.contains("frame-ancestors 'none'") && !text.contains("unsafe-inline"));
        assert!(text.ends_with("ETag: \"x\"\r\n\r\n"));
    }
}
