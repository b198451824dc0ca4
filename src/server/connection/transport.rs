//! The socket of a connection, as far as frames are concerned.
//!
//! A [`Transport`] carries the frames of [tcp.md](../../../docs/protocol/tcp.md), lengths included, as
//! a stream of bytes. Over plain TCP that stream is the socket's own. Another transport (a
//! WebSocket) wraps it: it unwraps what it reads, and puts a header of its own in front of what it
//! writes. Limits, rates and time-outs are the connection's and the same for all transports.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, Interest, Ready};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Maximum time to wait until the other side has read the last frames and closed, once this side
/// has closed its sending half.
const LINGER: Duration = Duration::from_secs(1);

/// Maximum number of bytes to read and discard meanwhile: more than the kernel's usual receive
/// buffers hold. A side that goes on sending without reading does not keep the server busy.
const MAX_LINGER_BYTES: usize = 1 << 20;

/// Socket that carries the bytes of frames. Reading and writing do not wait and buffer no frames.
pub(in crate::server) trait Transport: Send + Sync + 'static {
    /// Waits until the socket is ready for one of `interest`. Spurious wake-ups are allowed.
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;

    /// Reads once into `buffer`; returns the number of bytes of frames in it. 0 means that the
    /// client sends no more.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if there is nothing to read now: call [`Self::ready`] first. Any
    /// other error ends the connection.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes once from the beginning of `frames`, which is not empty; returns the number of bytes
    /// of frames taken.
    ///
    /// # Errors
    /// As for [`Self::try_read`]. After `WouldBlock` the next call begins with the same bytes.
    fn try_write(&mut self, frames: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Closes the socket so that what was written still arrives, if the other side reads it soon.
    fn close(self) -> impl Future<Output = ()> + Send;
}

impl Transport for TcpStream {
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
        Self::ready(self, interest)
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Self::try_read(self, buffer)
    }

    fn try_write(&mut self, frames: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(frames)
    }

    /// Closes the sending half and reads until the other side closes, for at most [`LINGER`] and at
    /// most [`MAX_LINGER_BYTES`]: a socket that is closed while it holds unread bytes discards what
    /// the other side has not read yet.
    async fn close(mut self) {
        let drain = async {
            self.shutdown().await?;
            let mut discarded = 0;
            while discarded < MAX_LINGER_BYTES {
                self.readable().await?;
                match discard(&self) {
                    Ok(0) => break,
                    Ok(count) => discarded += count,
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

/// Reads once, discards the bytes and returns their number. Not `async`, because the buffer must not
/// become a part of the task.
fn discard(stream: &TcpStream) -> io::Result<usize> {
    stream.try_read(&mut [0; 8_192])
}
