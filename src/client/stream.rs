//! Socket of a connection: plain TCP, or TLS.

use std::io::{self, ErrorKind, IoSlice};

use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

use crate::identity::{ChannelBinding, TLS_EXPORTER_LABEL};
use crate::tls::TlsSocket;

/// Socket of a connection to a server. Reading and writing do not wait, except where it says so.
#[derive(Debug)]
pub(super) enum Stream {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS, after the handshake.
    Tls(TlsSocket),
}

impl Stream {
    /// Returns the TCP socket, for its options.
    pub(super) const fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(socket) => socket.stream(),
        }
    }

    /// Returns what binds a proof to this connection; `None` after an error of TLS.
    pub(super) fn channel_binding(&self) -> Option<ChannelBinding> {
        match self {
            Self::Plain(_) => Some(ChannelBinding::None),
            Self::Tls(socket) => {
                socket.exporter(TLS_EXPORTER_LABEL).map(ChannelBinding::of_exporter)
            }
        }
    }

    /// Waits until the socket is ready as `interest` says. It may return although it is not.
    /// Cancel-safe.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Plain(stream) => stream.ready(interest).await,
            Self::Tls(socket) => socket.ready(interest).await,
        }
    }

    /// Reads once. Returns the number of bytes; 0 at the end of the server's stream. Over TLS, an
    /// end without `close_notify` is such an end too: in either case the client comes back.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if there is nothing to read now; any other error of the socket.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_read(buffer),
            Self::Tls(socket) => match socket.try_read(buffer) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }

    /// Writes once from the beginning of `bytes`. Returns the number of bytes written. The next
    /// call must begin with those that are not.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if the socket takes nothing now; any other error of the socket.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_write(bytes),
            Self::Tls(socket) => socket.try_write(&[IoSlice::new(bytes)]),
        }
    }

    /// Writes all bytes, waiting for the socket.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.try_write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.ready(Interest::WRITABLE).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once, waiting for the socket. Returns the number of bytes; 0 at the end of the stream.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.try_read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.ready(Interest::READABLE).await?;
                }
                other => return other,
            }
        }
    }

    /// Ends what this side sends, so that the server treats it as leaving. All bytes must be
    /// written. Waits for the socket.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) async fn end_sending(&mut self) -> io::Result<()> {
        if let Self::Tls(socket) = self {
            socket.end_sending().await?;
        }
        socket2::SockRef::from(self.tcp()).shutdown(std::net::Shutdown::Write)
    }
}
