//! Relays over WebSockets, which differ in their codec only.

use std::io::{IoSlice, Read, Write};

use bytes::Bytes;
use mio::net::TcpStream;
use pi_chat::wire::websocket::{WebSocketHeader, WebSocketReader};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::relay;

/// Answer to a handshake. The load generator does not check the key.
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

/// Size of tungstenite's buffer for reading, in bytes. With its default, 128 KiB, a connection takes
/// more than 130 kB.
const READ_BUFFER: usize = 1_024;

/// WebSocket after the handshake.
pub(crate) trait Codec {
    /// Wraps a socket.
    fn new(stream: TcpStream) -> Self;

    /// Reads everything that has come, and adds the payloads of messages to `forwarded`.
    fn receive(&mut self, forwarded: &mut Vec<u8>);

    /// Sends what the client has not got: in one message what has come since the last call, if
    /// nothing before that is left. `new` is that part of `forwarded`.
    fn send(&mut self, forwarded: &[u8], new: &Bytes);
}

/// The server's own codec: no buffers, and the header in the same system call.
pub(crate) struct OwnCodec {
    /// Socket.
    stream: TcpStream,
    /// Removes headers and masks.
    reader: WebSocketReader,
    /// Header of the message in progress, or of the last one.
    header: WebSocketHeader,
    /// Number of bytes of `header` that are written.
    header_written: usize,
    /// Number of bytes of the message in progress that are not written.
    missing: usize,
    /// Position in what is forwarded; `None` before the first call of `send`.
    position: Option<usize>,
}

impl Codec for OwnCodec {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            reader: WebSocketReader::default(),
            header: WebSocketHeader::default(),
            header_written: 0,
            missing: 0,
            position: None,
        }
    }

    fn receive(&mut self, forwarded: &mut Vec<u8>) {
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = self.stream.read(&mut buffer) {
            let payload = self.reader.unwrap(&mut buffer[..count]).payload;
            forwarded.extend_from_slice(&buffer[..payload]);
        }
    }

    fn send(&mut self, forwarded: &[u8], new: &Bytes) {
        let mut position = self.position.unwrap_or(forwarded.len() - new.len());
        while position < forwarded.len() {
            if self.missing == 0 {
                self.missing = forwarded.len() - position;
                self.header = WebSocketHeader::binary(self.missing);
                self.header_written = 0;
            }
            let header = &self.header.as_bytes()[self.header_written..];
            let payload = &forwarded[position..][..self.missing];
            let slices = [IoSlice::new(header), IoSlice::new(payload)];
            let Ok(count) = self.stream.write_vectored(&slices) else { break };
            let of_header = count.min(header.len());
            self.header_written += of_header;
            self.missing -= count - of_header;
            position += count - of_header;
        }
        self.position = Some(position);
    }
}

/// The library tungstenite, with small buffers.
pub(crate) struct Tungstenite(WebSocket<TcpStream>);

impl Codec for Tungstenite {
    fn new(stream: TcpStream) -> Self {
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
        Self(WebSocket::from_raw_socket(stream, Role::Server, Some(config)))
    }

    fn receive(&mut self, forwarded: &mut Vec<u8>) {
        while let Ok(Message::Binary(payload)) = self.0.read() {
            forwarded.extend_from_slice(&payload);
        }
    }

    fn send(&mut self, _: &[u8], new: &Bytes) {
        // What the socket does not take now is kept, and written first the next time.
        let _ = match new.is_empty() {
            true => self.0.flush(),
            false => self.0.send(Message::Binary(new.clone())),
        };
    }
}

/// Connection of a client.
enum Connection<C> {
    /// The head of its request is incomplete.
    Shaking(TcpStream, Vec<u8>),
    /// It is a WebSocket.
    Open(C),
    /// Between the two.
    Nothing,
}

impl<C: Codec> Connection<C> {
    /// Reads what has come: answers a handshake, or adds the payloads of messages to `forwarded`.
    fn receive(&mut self, forwarded: &mut Vec<u8>) {
        match self {
            Self::Open(codec) => codec.receive(forwarded),
            Self::Nothing => {}
            Self::Shaking(stream, head) => {
                let mut buffer = [0; 1_024];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    head.extend_from_slice(&buffer[..count]);
                }
                if head.ends_with(b"\r\n\r\n") {
                    stream.write_all(ANSWER).unwrap();
                    if let Self::Shaking(stream, _) = std::mem::replace(self, Self::Nothing) {
                        *self = Self::Open(C::new(stream));
                    }
                }
            }
        }
    }
}

/// Runs a relay: it sends the payload of every message of a client to all clients, in one message to
/// each of them for each wake-up.
pub(crate) fn run<C: Codec>() -> ! {
    let (mut poll, listener, accepting) = relay::listen();
    let mut events = mio::Events::with_capacity(1_024);
    // All bytes ever forwarded.
    let mut forwarded: Vec<u8> = Vec::new();
    let mut connections: Vec<Connection<C>> = Vec::new();
    loop {
        poll.poll(&mut events, None).unwrap();
        let before = forwarded.len();
        for event in &events {
            if event.token() == accepting {
                relay::accept(&poll, &listener, connections.len(), |stream| {
                    connections.push(Connection::Shaking(stream, Vec::new()));
                });
            } else if event.is_readable() {
                connections[event.token().0].receive(&mut forwarded);
            }
        }
        let new = Bytes::copy_from_slice(&forwarded[before..]);
        for connection in &mut connections {
            if let Connection::Open(codec) = connection {
                codec.send(&forwarded, &new);
            }
        }
    }
}
