//! TLS transport: carries the bytes of frames as plain TCP does, encrypted.

use std::io::{self, ErrorKind, IoSlice};

use tokio::io::{Interest, Ready};
use tokio::time::timeout;

use crate::identity::{ChannelBinding, TLS_EXPORTER_LABEL};
use crate::model::{ErrorCode, TokenBucket};
use crate::os::Clock;
use crate::server::connection::{LINGER, Transport};
use crate::tls::{Fingerprint, TlsSocket};

/// Number of bytes beside frames that a client may send at once: overhead of records, padding,
/// messages of TLS itself.
const OVERHEAD_BURST: u32 = 256 << 10;

/// Number of bytes beside frames that a client may send per minute after that.
const OVERHEAD_PER_MINUTE: u32 = 256 << 10;

/// Socket of a client with TLS, after the handshake.
pub(in crate::server) struct TlsTransport {
    /// Socket that encrypts.
    socket: TlsSocket,
    /// Fingerprint of the key that the client has seen.
    fingerprint: Fingerprint,
    /// Rate limit of the bytes beside frames.
    overhead: TokenBucket,
    /// Number of bytes beside frames that are charged.
    charged: u64,
    /// Clock of the server.
    clock: Clock,
}

impl TlsTransport {
    /// Wraps a socket on which the handshake is complete. `fingerprint`: that of the key that the
    /// client has seen in it.
    pub(super) fn new(socket: TlsSocket, fingerprint: Fingerprint, clock: Clock) -> Self {
        let overhead = TokenBucket::new(OVERHEAD_BURST, OVERHEAD_PER_MINUTE);
        Self { socket, fingerprint, overhead, charged: 0, clock }
    }

    /// Returns what binds a proof of a key to this connection; `None` does not happen after a
    /// handshake.
    pub(super) fn channel_binding(&self) -> Option<ChannelBinding> {
        let exporter = self.socket.exporter(TLS_EXPORTER_LABEL)?;
        Some(ChannelBinding::Tls { exporter, fingerprint: Some(self.fingerprint.to_bytes()) })
    }

    /// Charges the bytes beside frames that are not charged yet. Returns true if the client may
    /// send so many.
    ///
    /// The bytes of an incomplete record count until it is complete, so up to a record is charged
    /// in excess, once in the life of a connection.
    fn charge_overhead(&mut self) -> bool {
        let new = self.socket.overhead().saturating_sub(self.charged);
        self.charged += new;
        let new = u32::try_from(new).unwrap_or(u32::MAX);
        self.overhead.take_many(self.clock.now(), new).is_zero()
    }
}

impl Transport for TlsTransport {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.socket.ready(interest).await
    }

    /// Reads once. `close_notify` is the end of the client's sending half; without it the
    /// connection is lost. So is the connection of a client that breaks the rules of TLS, which
    /// cannot be told in a frame.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.socket.try_read(buffer);
        if !self.charge_overhead() {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        read.map_err(|error| match error.kind() {
            ErrorKind::InvalidData => ErrorKind::ConnectionAborted.into(),
            _ => error,
        })
    }

    /// Writes once. A broken pipe is reported as another error, because it does not mean that the
    /// client wanted to leave: anybody on the network can cut the line.
    fn try_write(&mut self, frames: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.try_write(frames).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => ErrorKind::ConnectionReset.into(),
            _ => error,
        })
    }

    /// Sends `close_notify`, then closes the socket as over TCP.
    async fn close(mut self, error: Option<ErrorCode>) {
        if let Ok(Ok(())) = timeout(LINGER, self.socket.end_sending()).await {
            self.socket.into_stream().close(error).await;
        }
    }
}
