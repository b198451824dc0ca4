//! A minimal blocking client that connects from a chosen loopback address.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{ClientFrame, Decoded, Join, ServerFrame};
use socket2::{Domain, Socket, Type};

use crate::common;

/// Timeout of connecting and of each read and write.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to the server under attack.
pub(crate) struct Client {
    /// The socket, in blocking mode at first.
    pub(crate) stream: TcpStream,
    /// Cuts received bytes into frames.
    reader: FrameReader,
    /// Frames received and not returned yet.
    frames: VecDeque<ServerFrame>,
}

/// A successful join.
pub(crate) struct Joined {
    /// Number of entries of history received.
    pub(crate) history: usize,
}

/// Encodes a frame with its length.
pub(crate) fn encoded(frame: impl Into<ClientFrame>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.into().encode(&mut bytes);
    bytes
}

/// Encodes `hello` and a `join` of these rooms, for one write.
pub(crate) fn greeting(name: &str, rooms: &[String]) -> Vec<u8> {
    let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
    [encoded(common::hello(0)), encoded(common::join(name, &rooms))].concat()
}

/// Connects a socket that is bound to `from`; `receive_buffer` is its size in bytes, 0 for the
/// system's default.
pub(crate) fn connect(
    from: Ipv4Addr,
    to: SocketAddr,
    receive_buffer: usize,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if receive_buffer > 0 {
        socket.set_recv_buffer_size(receive_buffer)?;
    }
    socket.bind(&SocketAddr::from(SocketAddrV4::new(from, 0)).into())?;
    socket.connect_timeout(&to.into(), TIMEOUT)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    Ok(socket.into())
}

impl Client {
    /// Connects from an address. Sends nothing.
    pub(crate) fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<Self> {
        connect(from, to, 0).map(Self::over)
    }

    /// Wraps a connected socket that has received nothing.
    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream, reader: FrameReader::from_server(), frames: VecDeque::new() }
    }

    /// Sends one frame.
    pub(crate) fn send(&mut self, frame: impl Into<ClientFrame>) -> io::Result<()> {
        self.stream.write_all(&encoded(frame))
    }

    /// Waits for the next frame, as long as the socket's time-out allows. Skips frames of unknown
    /// kinds and frames that cannot be decoded.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedEof`] if the server has closed, [`ErrorKind::InvalidData`] if the
    /// bytes are no frames; any other of the socket.
    pub(crate) fn next(&mut self) -> io::Result<ServerFrame> {
        let mut buffer = [0; 16_384];
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Ok(frame);
            }
            let count = match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let frames = &mut self.frames;
            let decode = |body: &[u8]| {
                if let Decoded::Frame(frame) = ServerFrame::decode(body) {
                    frames.push_back(frame);
                }
                true
            };
            self.reader.feed(&buffer[..count], decode).map_err(|_| ErrorKind::InvalidData)?;
        }
    }

    /// Sends `hello` and `join` and reads to the `end` of the history.
    ///
    /// # Errors
    /// A description of what came in place of it: an error of the server or of the socket.
    pub(crate) fn join(&mut self, join: Join) -> Result<Joined, String> {
        let bytes = [encoded(common::hello(0)), encoded(join)].concat();
        self.stream.write_all(&bytes).map_err(|error| error.to_string())?;
        self.joined()
    }

    /// Reads to the `end` of the history after a `join`. Skips other frames.
    ///
    /// # Errors
    /// As for [`Self::join`].
    pub(crate) fn joined(&mut self) -> Result<Joined, String> {
        let mut joined = Joined { history: 0 };
        loop {
            match self.next() {
                Ok(ServerFrame::Entry(_)) => joined.history += 1,
                Ok(ServerFrame::End(_)) => return Ok(joined),
                Ok(ServerFrame::Error(error)) => {
                    return Err(format!("error {}: {}", error.code, error.text));
                }
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
