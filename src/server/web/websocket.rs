//! WebSocket transport: carries the bytes of frames in WebSocket messages
//! (`docs/protocol/websocket.md`).
//!
//! It holds no buffers. Received bytes lose their headers and masks where they are, and a header of
//! a few bytes goes in front of the slices that all connections share.

use std::io::{self, ErrorKind, IoSlice};

use tokio::io::{Interest, Ready};
use tokio::time::timeout;

use crate::model::{ErrorCode, TokenBucket};
use crate::os::Clock;
use crate::server::connection::{LINGER, Transport};
use crate::wire::websocket::{
    WebSocketEnd, WebSocketHeader, WebSocketReader, close_code, encode_close, encode_pong,
};

/// Number of control frames and empty frames that a client may send at once.
const IDLE_FRAMES_BURST: u32 = 60;

/// Number of control frames and empty frames that a client may send per minute after that.
const IDLE_FRAMES_PER_MINUTE: u32 = 120;

/// Length from which on no further slice is added to a message, in bytes.
const FULL_MESSAGE: usize = 64 << 10;

/// Maximum number of slices in one write, without that of the header.
const WRITE_SLICES: usize = 64;

/// WebSocket of a client, after the handshake, on a socket of TCP or TLS.
pub(super) struct WebSocket<T> {
    /// Socket.
    stream: T,
    /// Removes the framing from received bytes.
    reader: WebSocketReader,
    /// Why nothing more can be read. `None` while the client may send.
    end: Option<WebSocketEnd>,
    /// Rate limit of control frames and empty frames.
    idle_frames: TokenBucket,
    /// Clock of the server.
    clock: Clock,
    /// Header of the message in progress, or of the last one.
    header: WebSocketHeader,
    /// Number of bytes of `header` that are written.
    header_written: usize,
    /// Number of bytes of the message in progress that are not written.
    missing: usize,
    /// Unwritten bytes of a control frame. They are written between two messages.
    control: Vec<u8>,
}

impl<T: Transport> WebSocket<T> {
    /// Wraps a socket on which the handshake is complete.
    pub(super) fn new(stream: T, clock: Clock) -> Self {
        Self {
            stream,
            reader: WebSocketReader::default(),
            end: None,
            idle_frames: TokenBucket::new(IDLE_FRAMES_BURST, IDLE_FRAMES_PER_MINUTE),
            clock,
            header: WebSocketHeader::default(),
            header_written: 0,
            missing: 0,
            control: Vec::new(),
        }
    }

    /// Returns true if a part of a message is written, and another part is not.
    fn is_in_message(&self) -> bool {
        self.header_written < self.header.as_bytes().len() || self.missing > 0
    }

    /// Reports the end of the client's stream: 0 bytes if the client leaves.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the client has broken the rules.
    /// [`ErrorKind::ConnectionAborted`] if it goes without leaving: its close frame is answered.
    fn report(&mut self, end: WebSocketEnd) -> io::Result<usize> {
        match end {
            WebSocketEnd::Violated(_) => Err(ErrorKind::InvalidData.into()),
            WebSocketEnd::Closed(None | Some(close_code::NORMAL)) => Ok(0),
            WebSocketEnd::Closed(code) => {
                self.queue_control(encode_close(code));
                Err(ErrorKind::ConnectionAborted.into())
            }
        }
    }

    /// Queues a control frame, and writes it if the socket takes it now. Drops it if another one is
    /// queued: then the client does not read what it has asked for.
    fn queue_control(&mut self, frame: Vec<u8>) {
        if self.control.is_empty() {
            self.control = frame;
        }
        if !self.is_in_message() {
            // A failed socket is noticed by the next read.
            let _ = self.write_control();
        }
    }

    /// Writes the queued control frame. Call it between two messages only.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if the socket has not taken all of it; any other error of the
    /// socket.
    fn write_control(&mut self) -> io::Result<()> {
        while !self.control.is_empty() {
            let count = self.stream.try_write(&[IoSlice::new(&self.control)])?;
            if count == self.control.len() {
                // Frees the memory.
                self.control = Vec::new();
            } else {
                self.control.drain(..count);
            }
        }
        Ok(())
    }

    /// Begins a message with as many of the slices as fit, at least one.
    fn begin_message(&mut self, frames: &[IoSlice<'_>]) {
        let mut length = 0;
        for slice in frames.iter().take(WRITE_SLICES) {
            if length > 0 && length + slice.len() > FULL_MESSAGE {
                break;
            }
            length += slice.len();
        }
        self.header = WebSocketHeader::binary(length);
        self.header_written = 0;
        self.missing = length;
    }

    /// Writes once: what is missing of the header, and then of the message. Returns the number of
    /// bytes of both that the socket has taken.
    ///
    /// # Errors
    /// Those of the socket.
    fn write_message(&mut self, frames: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES + 1];
        let mut used = 0;
        let header = self.header.as_bytes().get(self.header_written..).unwrap_or_default();
        let mut left = self.missing;
        let parts = frames.iter().take(WRITE_SLICES).map_while(|slice| {
            let part = slice.get(..left.min(slice.len()))?;
            left -= part.len();
            (!part.is_empty()).then_some(part)
        });
        let header = (!header.is_empty()).then_some(header);
        for (slot, part) in slices.iter_mut().zip(header.into_iter().chain(parts)) {
            *slot = IoSlice::new(part);
            used += 1;
        }
        self.stream.try_write(slices.get(..used).unwrap_or_default())
    }

    /// Writes the rest of a queued control frame and a close frame, waiting for the socket.
    ///
    /// # Errors
    /// Those of the socket.
    async fn write_close(&mut self, code: u16) -> io::Result<()> {
        self.control.extend(encode_close(Some(code)));
        loop {
            match self.write_control() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.ready(Interest::WRITABLE).await?;
                }
                other => return other,
            }
        }
    }
}

impl<T: Transport> Transport for WebSocket<T> {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        // An end that came together with frames is reported by the next read.
        if self.end.is_some() && interest.is_readable() {
            return Ok(Ready::READABLE);
        }
        self.stream.ready(interest).await
    }

    /// Reads once. A close frame with the code for a regular end, or without a code, is the end of
    /// the client's sending half. Without a close frame, or with another code, the connection is
    /// lost. Answers pings.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(end) = self.end {
            return self.report(end);
        }
        let count = self.stream.try_read(buffer)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let out = self.reader.unwrap(buffer.get_mut(..count).unwrap_or_default());
        self.end = out.end;
        if let Some(payload) = out.ping {
            self.queue_control(encode_pong(&payload));
        }
        if !self.idle_frames.take_many(self.clock.now(), out.idle_frames).is_zero() {
            self.end = Some(WebSocketEnd::Violated(close_code::POLICY_VIOLATION));
        }
        match self.end {
            _ if out.payload > 0 => Ok(out.payload),
            Some(end) => self.report(end),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes once. Begins a message if none is in progress: its header goes in front of the
    /// slices, in the same write.
    fn try_write(&mut self, frames: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.is_in_message() {
            self.write_control()?;
            self.begin_message(frames);
        }
        loop {
            let count = self.write_message(frames)?;
            let of_header = count.min(self.header.as_bytes().len() - self.header_written);
            self.header_written += of_header;
            self.missing -= count - of_header;
            // A part of the header alone is no progress for the caller.
            if count == 0 || count > of_header {
                return Ok(count - of_header);
            }
        }
    }

    /// Sends a close frame, then closes the socket as over TCP. The code is that of the violation
    /// if the client has broken the rules of WebSocket, otherwise that of `error`.
    async fn close(mut self, error: Option<ErrorCode>) {
        let code = match (self.end, error) {
            (Some(WebSocketEnd::Violated(code)), _) => code,
            (_, Some(error)) => close_code::PI_CHAT_ERROR + error.number(),
            (_, None) => close_code::NORMAL,
        };
        if let Ok(Ok(())) = timeout(LINGER, self.write_close(code)).await {
            self.stream.close(error).await;
        }
    }
}
