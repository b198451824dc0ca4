//! Transport: the socket of a connection, as a stream of frames.
//!
//! A [`Transport`] carries the frames of [tcp.md](../../../docs/protocol/tcp.md), lengths included,
//! as a stream of bytes. Over plain TCP that stream is the socket's own. Another transport (a
//! WebSocket) wraps the stream: it unwraps the bytes that it reads, and puts a header of its own in
//! front of the bytes that it writes. Limits, rates and time-outs belong to the connection: they
//! are the same for all transports.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, Interest, Ready};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::model::ErrorCode;

/// Maximum time that a closed socket lingers: from closing its sending half until the other side
/// has closed too.
pub(in crate::server) const LINGER: Duration = Duration::from_secs(1);

/// Maximum number of bytes that are read and discarded while a socket lingers. It is more than the
/// kernel's usual receive buffers hold. So a client that only sends cannot keep the server busy.
const MAX_LINGER_BYTES: usize = 1 << 20;

/// Socket that carries the bytes of frames. Reading and writing do not wait, and buffer no frames.
/// Each slice that is written holds whole frames, until a part of it is written.
pub(in crate::server) trait Transport: Send + Sync + 'static {
    /// Waits until the socket is ready to read or write, as `interest` says. It may return although
    /// the socket is not ready. It must return if [`Self::try_read`] has something left to report,
    /// although the socket below has nothing more.
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;

    /// Reads once into `buffer`. Returns the number of bytes of frames in it; 0 if the client has
    /// closed its sending half.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if there is nothing to read now: call [`Self::ready`] first.
    /// [`ErrorKind::InvalidData`] if the client has broken the rules of the transport: nothing more
    /// can be read, but frames can still be written. Any other error ends the connection.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes once from the beginning of `frames`, which must not be empty. Returns the number of
    /// bytes of frames that the socket has taken.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if the socket takes nothing now: the next call begins with the same
    /// bytes. Any other error ends the connection.
    fn try_write(&mut self, frames: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Closes the socket. First waits a short time for the other side to close too, so that written
    /// bytes still arrive. `error`: the error frame that ends the connection, which was written
    /// before; `None` for a regular end. Call it when all frames are written.
    fn close(self, error: Option<ErrorCode>) -> impl Future<Output = ()> + Send;
}

impl Transport for TcpStream {
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
        Self::ready(self, interest)
    }

    /// After a read that has not filled the buffer, the socket counts as not ready: so it costs no
    /// further read to find that there is nothing more. What arrives later makes it ready again.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = None;
        // In one call with the read: otherwise what arrives between the two would go unnoticed.
        let outcome = self.try_io(Interest::READABLE, || {
            let got = rustix::io::read(&*self, &mut *buffer)?;
            count = Some(got);
            if got > 0 && got < buffer.len() { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        count.map_or(outcome.map(|()| 0), Ok)
    }

    fn try_write(&mut self, frames: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(frames)
    }

    /// Closes the sending half, and discards received bytes until the other side closes: for at
    /// most [`LINGER`], and at most about [`MAX_LINGER_BYTES`]. If a socket is closed with unread
    /// bytes, the other side may lose bytes that it has not read.
    async fn close(mut self, _: Option<ErrorCode>) {
        let drain = async {
            self.shutdown().await?;
            let mut discarded = 0;
            while discarded < MAX_LINGER_BYTES {
                self.readable().await?;
                match discard(&self) {
                    Ok(0) => break,
                    Ok(count) => {
                        discarded += count;
                        // Many that are closed at once and go on sending must not hold up others.
                        yield_now().await;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        // An error here only means that the other side did not close properly.
        let _: Result<io::Result<()>, _> = timeout(LINGER, drain).await;
    }
}

/// Reads once, discards the bytes and returns their number. It is not `async`: otherwise the buffer
/// would be a part of the task.
fn discard(stream: &TcpStream) -> io::Result<usize> {
    stream.try_read(&mut [0; 8_192])
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::net::TcpListener;

    use super::*;

    /// Returns true if the socket counts as readable now.
    async fn is_readable(stream: &TcpStream) -> bool {
        tokio::select! {
            biased;
            ready = Transport::ready(stream, Interest::READABLE) => ready.unwrap().is_readable(),
            () = ready(()) => false,
        }
    }

    /// After a read that has not filled the buffer, the socket is not ready until more arrives.
    /// After one that has, it is: there may be more. The end is found in any case.
    #[tokio::test]
    async fn short_read_is_the_last_until_more_arrives() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(connecting, listener.accept());
        let (mut client, (mut server, _)) = (client.unwrap(), accepted.unwrap());
        let mut buffer = [0; 8];
        for text in ["one", "two"] {
            client.write_all(text.as_bytes()).await.unwrap();
            Transport::ready(&server, Interest::READABLE).await.unwrap();
            assert_eq!(Transport::try_read(&mut server, &mut buffer).unwrap(), 3);
            assert!(!is_readable(&server).await, "{text}");
        }
        client.write_all(b"12345678and three").await.unwrap();
        Transport::ready(&server, Interest::READABLE).await.unwrap();
        assert_eq!(Transport::try_read(&mut server, &mut buffer).unwrap(), 8);
        assert!(is_readable(&server).await);
        assert_eq!(Transport::try_read(&mut server, &mut buffer).unwrap(), 8);
        assert_eq!(Transport::try_read(&mut server, &mut buffer).unwrap(), 1);
        client.write_all(b"bye").await.unwrap();
        drop(client);
        let mut read = Vec::new();
        loop {
            Transport::ready(&server, Interest::READABLE).await.unwrap();
            match Transport::try_read(&mut server, &mut buffer) {
                Ok(0) => break,
                Ok(count) => read.extend_from_slice(&buffer[..count]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert_eq!(read, b"bye");
    }
}
