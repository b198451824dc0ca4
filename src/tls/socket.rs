//! Socket that encrypts what is written and decrypts what is read, without waiting.
//!
//! It is used after the handshake. Little is buffered: at most [`RECORD_LENGTH`] bytes on their way
//! out, and what one read brings on their way in.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio_rustls::rustls::{Connection, IoState};

/// Maximum number of bytes that are encrypted at a time. They wait in memory if the socket takes no
/// more, so this bounds what a connection that does not read costs.
const RECORD_LENGTH: usize = 4 << 10;

/// TCP socket with TLS, after the handshake.
#[derive(Debug)]
pub(crate) struct TlsSocket {
    /// TCP socket.
    stream: TcpStream,
    /// State of TLS. In a box: it is large, and tasks that hold it are moved.
    tls: Box<Connection>,
    /// True if the next read may succeed without anything new at the socket: decrypted bytes are
    /// left, or the other side's `close_notify` has been received.
    has_unread: bool,
    /// Number of bytes that are encrypted and not yet reported as written.
    unreported: usize,
    /// Number of bytes that were received, and those that were read from them.
    traffic: Traffic,
}

/// Numbers of bytes.
#[derive(Debug, Default)]
struct Traffic {
    /// Bytes of TLS that were received after the handshake.
    received: u64,
    /// Decrypted bytes that were read.
    read: u64,
}

impl TlsSocket {
    /// Wraps a socket on which the handshake is complete.
    pub(crate) fn new(stream: TcpStream, tls: impl Into<Connection>) -> Self {
        let mut tls = Box::new(tls.into());
        tls.set_buffer_limit(Some(RECORD_LENGTH));
        // Bytes after the handshake may have been received together with it.
        Self { stream, tls, has_unread: true, unreported: 0, traffic: Traffic::default() }
    }

    /// Returns 32 bytes of the exporter of this connection (RFC 8446, section 7.5) with this label
    /// and an empty context. Both sides of the connection get the same, nobody else does. `None` if
    /// rustls has none, which does not happen after a handshake.
    pub(crate) fn exporter(&self, label: &[u8]) -> Option<[u8; 32]> {
        self.tls.export_keying_material([0; 32], label, Some(&[])).ok()
    }

    /// Returns the TCP socket, for its options. Whoever writes to it breaks the connection.
    #[cfg(feature = "client")]
    pub(crate) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Waits until the socket is ready to read or write, as `interest` says. It may return although
    /// nothing can be read. Cancel-safe.
    ///
    /// # Errors
    /// Those of the socket.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        if interest.is_readable() && self.has_unread {
            return Ok(Ready::READABLE);
        }
        self.stream.ready(interest).await
    }

    /// Reads decrypted bytes; reads from the socket at most once. Returns their number; 0 after
    /// `close_notify`, with which the other side ends what it sends.
    ///
    /// # Errors
    /// - [`ErrorKind::WouldBlock`]: there is nothing to read now; call [`Self::ready`].
    /// - [`ErrorKind::UnexpectedEof`]: the connection has ended without `close_notify`.
    /// - [`ErrorKind::InvalidData`]: what was received is no valid TLS. The other side has been told
    ///   so, as far as the socket takes it at once.
    /// - Any other error of the socket.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read_decrypted(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => return other,
        }
        self.has_unread = false;
        let received = self.tls.read_tls(&mut Unwaiting(&self.stream))?;
        self.traffic.received += received as u64;
        let state = self.process()?;
        self.has_unread = state.peer_has_closed();
        self.read_decrypted(buffer)
    }

    /// Reads bytes that are decrypted already.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if there are none. [`ErrorKind::UnexpectedEof`] if there are none
    /// and the socket has ended without `close_notify`.
    fn read_decrypted(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.tls.reader().read(buffer)?;
        self.has_unread |= count == buffer.len();
        self.traffic.read += count as u64;
        Ok(count)
    }

    /// Decrypts what was received. Sends what TLS itself has to say, such as an alert, if the
    /// socket takes it now; otherwise the next write does.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if it is no valid TLS.
    fn process(&mut self) -> io::Result<IoState> {
        let state = self.tls.process_new_packets();
        if self.unreported == 0 {
            // A failed socket is noticed by the next read.
            let _ = self.flush();
        }
        state.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }

    /// Returns the number of received bytes that are no decrypted ones: the overhead of records,
    /// padding, messages of TLS itself, and those of a record that is not complete. It grows with
    /// time, and shrinks when a record becomes complete.
    #[cfg(feature = "server")]
    pub(crate) const fn overhead(&self) -> u64 {
        self.traffic.received.saturating_sub(self.traffic.read)
    }

    /// Writes from the beginning of `slices`, which must not be empty: encrypts up to
    /// [`RECORD_LENGTH`] bytes and writes once to the socket. Returns the number of bytes that are
    /// written. Some of those that are not may be encrypted already, so the next call MUST begin
    /// with the same bytes.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if the socket takes nothing now. Any other error of the socket.
    pub(crate) fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.unreported == 0 {
            self.flush()?;
            self.unreported = self.tls.writer().write_vectored(slices)?;
        }
        let written = match self.tls.wants_write() {
            true => self.tls.write_tls(&mut Unwaiting(&self.stream))?,
            false => 0,
        };
        // While anything is left in TLS's buffer, the caller must have bytes left to write.
        // Otherwise it would not call again.
        let reported = match self.tls.wants_write() {
            true => written.min(self.unreported.saturating_sub(1)),
            false => self.unreported,
        };
        self.unreported -= reported;
        if reported == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(reported) }
    }

    /// Writes what TLS holds for the socket.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if the socket has not taken all of it; any other error of the
    /// socket.
    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut Unwaiting(&self.stream))?;
        }
        Ok(())
    }

    /// Sends `close_notify`, waiting for the socket. Call it when all bytes are written: nothing
    /// can be written after it.
    ///
    /// # Errors
    /// Those of the socket.
    pub(crate) async fn end_sending(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        loop {
            match self.flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                other => return other,
            }
        }
    }

    /// Returns the TCP socket, to close it.
    #[cfg(feature = "server")]
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

/// Reader and writer of a socket that fails with [`ErrorKind::WouldBlock`] instead of waiting.
struct Unwaiting<'a>(&'a TcpStream);

impl Read for Unwaiting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Unwaiting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[cfg(all(feature = "server", feature = "client"))]
mod tests {
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::tls::{Identity, StoredIdentity, connect};

    /// Returns both sides of a connection on the loopback: server and client. The sockets hold
    /// little, so that writes are refused soon.
    async fn pair() -> (TlsSocket, TlsSocket) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let identity = Identity::from_stored(&StoredIdentity::generate().unwrap()).unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (accepted, stream) = tokio::join!(listener.accept(), connecting);
        let (accepted, stream) = (accepted.unwrap().0, stream.unwrap());
        for socket in [&accepted, &stream] {
            let socket = socket2::SockRef::from(socket);
            socket.set_send_buffer_size(8 << 10).unwrap();
            socket.set_recv_buffer_size(8 << 10).unwrap();
        }
        let acceptor = TlsAcceptor::from(identity.config().unwrap());
        let (server, client) = tokio::join!(acceptor.accept(accepted), connect(stream));
        let (stream, tls) = server.unwrap().into_inner();
        let (client, fingerprint) = client.unwrap();
        assert_eq!(fingerprint, identity.fingerprint());
        (TlsSocket::new(stream, tls), client)
    }

    /// Reads until the socket has nothing now. Returns true at the end of the stream.
    async fn read_some(socket: &mut TlsSocket, size: usize, received: &mut Vec<u8>) -> bool {
        socket.ready(Interest::READABLE).await.unwrap();
        loop {
            let mut buffer = vec![0; size];
            match socket.try_read(&mut buffer) {
                Ok(0) => return true,
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// All bytes arrive once and in order, also if the socket refuses many writes, the slices are
    /// of any size, and the reader's buffer is small. Each call that is refused is repeated with
    /// the same bytes.
    #[tokio::test]
    async fn bytes_arrive_in_order_although_writes_are_refused() {
        let (mut server, mut client) = pair().await;
        let sent: Vec<u8> = (0..600_000_u32).map(|it| (it % 251) as u8).collect();
        let writing = async {
            let (mut written, mut refused) = (0, 0);
            while written < sent.len() {
                let (first, rest) = sent[written..].split_at((sent.len() - written).min(700));
                match server.try_write(&[first, rest].map(IoSlice::new)) {
                    Ok(count) => written += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        refused += 1;
                        server.ready(Interest::WRITABLE).await.unwrap();
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            (written, refused)
        };
        let reading = async {
            let mut received = Vec::new();
            while received.len() < sent.len() {
                assert!(!read_some(&mut client, 1_000, &mut received).await);
            }
            received
        };
        let ((written, refused), received) = tokio::join!(writing, reading);
        assert!(refused > 10, "only {refused} writes were refused");
        assert_eq!(written, sent.len());
        assert!(received == sent, "other bytes were received");
    }

    /// After `close_notify`, what was sent before it is read, then the end, whether both arrive at
    /// once or not. Without it, the end is an error.
    #[tokio::test]
    async fn only_close_notify_is_a_regular_end() {
        let (mut server, mut client) = pair().await;
        assert_eq!(client.try_write(&[IoSlice::new(b"bye")]).unwrap(), 3);
        client.end_sending().await.unwrap();
        let mut received = Vec::new();
        while !read_some(&mut server, 64, &mut received).await {}
        assert_eq!(received, b"bye");
        assert_eq!(server.try_write(&[IoSlice::new(b"due")]).unwrap(), 3);

        let (mut server, client) = pair().await;
        drop(client);
        server.stream.readable().await.unwrap();
        let error = loop {
            match server.try_read(&mut [0; 64]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    server.ready(Interest::READABLE).await.unwrap();
                }
                other => break other.unwrap_err(),
            }
        };
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    /// Padding and other bytes that are no payload are counted, payload is not.
    #[tokio::test]
    async fn overhead_is_counted() {
        let (mut server, mut client) = pair().await;
        for _ in 0..100 {
            assert_eq!(client.try_write(&[IoSlice::new(b"x")]).unwrap(), 1);
        }
        let mut received = Vec::new();
        while received.len() < 100 {
            read_some(&mut server, 64, &mut received).await;
        }
        // A record has 5 bytes in front, the kind of its content and 16 bytes of authentication.
        assert_eq!(server.overhead(), 100 * 22);
    }
}
