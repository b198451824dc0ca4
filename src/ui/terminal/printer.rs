//! Prints above the line that is being typed, from a thread of its own.
//!
//! The line editor takes what is printed when it has nothing else to do, so a
//! printer may have to wait for who types. Who types may have to wait
//! until what was typed is taken. So the one who takes it must not be the one who prints.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use rustyline::ExternalPrinter;

use super::access::TerminalAccess;

/// Texts that may wait; then whoever prints waits, and in the end the server.
const QUEUE_CAPACITY: usize = 10_000;

/// How long the last texts may take at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// Where texts are put to be printed, in this order.
pub(super) struct Printer {
    /// To the thread. None: it ends.
    texts: Option<SyncSender<String>>,
    /// Ends when the thread does.
    thread_end: Receiver<()>,
}

impl Printer {
    /// Begins a thread that prints when it is its turn.
    ///
    /// # Errors
    /// No thread can be had.
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

    /// Puts a text in the queue.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn print(&self, text: String) -> io::Result<()> {
        let sent = self.texts.as_ref().is_some_and(|texts| texts.send(text).is_ok());
        if sent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

impl Drop for Printer {
    /// Waits for the last texts, though not for a terminal that takes none.
    fn drop(&mut self) {
        self.texts = None;
        if self.thread_end.recv_timeout(FLUSH_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            tracing::debug!("the terminal has not taken everything");
        }
    }
}
