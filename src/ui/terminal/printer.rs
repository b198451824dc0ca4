//! Printing thread: prints texts above the line that the user is typing.
//!
//! The editor prints a text only when it has no keys to read, so printing may block on the reader.
//! The reader in turn blocks while the driver accepts no requests. If the driver printed by itself,
//! the two could deadlock. So a separate thread prints.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use rustyline::ExternalPrinter;

use super::access::TerminalAccess;

/// Maximum number of texts queued for printing. While the queue is full, the driver blocks and
/// reads nothing from the network.
const QUEUE_CAPACITY: usize = 10_000;

/// Maximum time to print the queued texts when the program ends.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// Handle to the printing thread. It holds a queue of texts, which the thread prints in order.
/// Dropping it waits until they are printed, at most for [`FLUSH_TIMEOUT`].
pub(super) struct Printer {
    /// Queue of texts for the thread. When it is set to `None`, the thread ends after the queued
    /// texts.
    texts: Option<SyncSender<String>>,
    /// Channel that disconnects when the thread ends. It carries no values.
    thread_end: Receiver<()>,
}

impl Printer {
    /// Starts the printing thread. It prints with `printer` when `access` allows, and ends when
    /// printing fails.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn spawn<P>(mut printer: P, access: Arc<TerminalAccess>) -> io::Result<Self>
    where
        P: ExternalPrinter + Send + 'static,
    {
        let (texts, queue) = mpsc::sync_channel::<String>(QUEUE_CAPACITY);
        let (running, end) = mpsc::channel();
        thread::Builder::new().name("printer".to_owned()).spawn(move || {
            let _running: mpsc::Sender<()> = running;
            for text in queue {
                if access.print(|| printer.print(text)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { texts: Some(texts), thread_end: end })
    }

    /// Queues a text for printing. Blocks while the queue is full.
    ///
    /// # Errors
    /// The printing thread has ended: the terminal is gone.
    pub(super) fn print(&self, text: String) -> io::Result<()> {
        let sent = self.texts.as_ref().is_some_and(|texts| texts.send(text).is_ok());
        if sent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

impl Drop for Printer {
    /// Waits until the queued texts are printed, at most for [`FLUSH_TIMEOUT`].
    fn drop(&mut self) {
        self.texts = None;
        if self.thread_end.recv_timeout(FLUSH_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            tracing::debug!("the terminal has not taken everything");
        }
    }
}
