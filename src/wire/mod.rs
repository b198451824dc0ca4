//! Layer 1: wire formats. Encodes and decodes TCP frames, their WebSocket framing, and UDP
//! datagrams, without I/O.
//!
//! The pages in `docs/protocol/` are authoritative, and their vectors fix every byte.

pub(crate) mod codec;
mod frame;
#[cfg(feature = "server")]
mod http_request;
#[cfg(feature = "server")]
mod proxy_header;
pub mod tcp;
#[cfg(feature = "peer")]
pub mod udp;
#[cfg(feature = "server")]
pub mod websocket;

pub use codec::Malformed;
pub use frame::{FrameError, FrameReader};
#[cfg(feature = "server")]
pub use http_request::{
    HttpMethod, HttpRequest, HttpRequestError, MAX_HTTP_HEAD, WEBSOCKET_PROTOCOL, WebSocketRequest,
};
#[cfg(feature = "server")]
pub use proxy_header::{MAX_PROXY_HEADER_REST, ProxyHeaderError, ProxyHeaderReader, ProxySource};
