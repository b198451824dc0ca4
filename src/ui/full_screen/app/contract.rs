//! What goes into the model of the full-screen interface, and what comes out.

use ratatui::crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Size;

use super::settings::WindowSettings;
use crate::model::{Event, Request};

/// Something that has happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Event of the engine.
    Event(Event),
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// A button or the wheel of the mouse was used.
    Mouse(MouseEvent),
    /// The window has got the focus, or lost it.
    Focus(bool),
    /// The terminal has this size.
    Resize(Size),
    /// The user's editor has ended with this text.
    ///
    /// As an error: why there is none.
    Edited(Result<String, String>),
    /// What the user has set could not be kept, for this reason.
    SettingsNotKept(String),
    /// Time has passed.
    Tick,
}

/// Something to do outside of the model.
#[derive(Debug)]
pub enum Output {
    /// Pass a request to the engine.
    Request(Request),
    /// Ring the bell.
    Bell,
    /// Show a notification of the desktop.
    Notify {
        /// Whom and where it is about.
        title: String,
        /// Beginning of the message.
        text: String,
    },
    /// Show this as the title of the window.
    Title(String),
    /// Let the user edit this text in their editor.
    Edit(String),
    /// Keep what the user has set, for the next time.
    KeepSettings(WindowSettings),
    /// Stop the program, so that the shell is there, until it is continued.
    Suspend,
    /// Draw everything again.
    Redraw,
}
