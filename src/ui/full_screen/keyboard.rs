//! Reading of keys, in a thread of its own, which can be paused while another program has the
//! terminal.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event};
use ratatui::layout::Size;

use super::app::Input;
use super::driver::Signal;

/// Longest time for which the thread waits for a key before it looks whether it is to pause.
const PAUSE_CHECK: Duration = Duration::from_millis(200);

/// Handle to the thread that reads keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Keyboard {
    /// True if the thread is to pause.
    is_paused: Arc<AtomicBool>,
    /// Held by the thread while it reads.
    reading: Arc<Mutex<()>>,
}

/// Keeps the thread from reading until it is dropped.
pub(super) struct Pause<'a> {
    /// The thread.
    keyboard: &'a Keyboard,
    /// Held instead of the thread.
    _reading: MutexGuard<'a, ()>,
}

impl Keyboard {
    /// Starts the thread. It passes on keys and the like until the terminal is gone, or nobody takes
    /// them.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn spawn(inputs: SyncSender<Signal>) -> io::Result<Self> {
        let keyboard = Self::default();
        let reader = keyboard.clone();
        thread::Builder::new().name("keyboard".to_owned()).spawn(move || {
            let _gone = Gone(inputs.clone());
            while let Ok(read) = reader.read() {
                if read.is_some_and(|it| inputs.send(Signal::Input(it)).is_err()) {
                    break;
                }
            }
        })?;
        Ok(keyboard)
    }

    /// Pauses the thread. Returns when it no longer reads, after at most [`PAUSE_CHECK`].
    pub(super) fn pause(&self) -> Pause<'_> {
        self.is_paused.store(true, Ordering::SeqCst);
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        Pause { keyboard: self, _reading: reading }
    }

    /// Waits for the next key or the like; `None` if there is none for now, or it has no use.
    fn read(&self) -> io::Result<Option<Input>> {
        if self.is_paused.load(Ordering::SeqCst) {
            thread::sleep(PAUSE_CHECK / 10);
            return Ok(None);
        }
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if !event::poll(PAUSE_CHECK)? {
            return Ok(None);
        }
        Ok(Some(match event::read()? {
            Event::Key(key) => Input::Key(key),
            Event::Paste(text) => Input::Paste(text),
            Event::Mouse(mouse) => Input::Mouse(mouse),
            Event::FocusGained => Input::Focus(true),
            Event::FocusLost => Input::Focus(false),
            Event::Resize(width, height) => Input::Resize(Size { width, height }),
        }))
    }
}

/// Tells that the thread that reads keys has ended, also by a panic, when it is dropped.
struct Gone(SyncSender<Signal>);

impl Drop for Gone {
    fn drop(&mut self) {
        // If nobody takes it, the interface has ended.
        let _ = self.0.send(Signal::KeyboardGone);
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.keyboard.is_paused.store(false, Ordering::SeqCst);
    }
}
