//! Layer 3: the user interface. It shows events and turns input into requests. It does not know the
//! engines, so client and peer share it.
//!
//! There are three interfaces: the full screen of a terminal ([`full_screen`]), plain lines
//! ([`PlainScreen`]), and JSON lines ([`JsonScreen`]). Each has a [`Screen`], which the driver calls.
//! Lines are read in a thread of its own, which shares a [`ViewState`] with the screen; the full
//! screen has a thread for everything.
//!
//! - `view_state`: state that screen and reader share
//! - `command`, `search_query`, `execute`: parsing and executing typed lines
//! - `command_help`: what can be typed (`/help`)
//! - `name_question`: the question for another username
//! - `link_code`: codes by which further devices get the user's name
//! - `ignore_list`, `ignore_file`, `ignore_command`, `name_holders`: who is not shown (`/ignore`)
//! - `render`, `sentences`, `local_time`, `safe`: rendering events as text
//! - `plain`, `lines`: plain lines
//! - `json`, `json_input`: JSON lines, `docs/json.md`
//! - `full_screen`: the full screen of a terminal

mod command;
mod command_help;
mod execute;
pub mod full_screen;
mod ignore_command;
mod ignore_file;
mod ignore_list;
mod json;
mod json_input;
mod lines;
mod link_code;
mod local_time;
mod lookup;
mod moderation_command;
mod name_holders;
mod name_question;
mod other_chats;
mod plain;
mod recent_messages;
mod render;
mod safe;
mod search_query;
mod sentences;
mod view_state;

use std::io;

pub use ignore_file::{IgnoreFile, IgnoreFileError};
pub use ignore_list::{SharedIgnoreList, ignore_problem_text};
pub use json::JsonScreen;
#[cfg(feature = "client")]
pub(crate) use json::escape_dangerous;
pub use json_input::read_json;
#[cfg(feature = "peer")]
pub(crate) use lookup::is_name_unknown;
pub use lookup::lookup_error_text;
pub use name_question::{NameQuestion, impossible_name_text};
pub use plain::{PlainScreen, read_plain};
pub use render::reason_text;
pub use safe::{safe_line, sanitize_text};
#[cfg(feature = "client")]
pub use sentences::link_error_text;
pub use sentences::{disk_error_text, io_error_text, key_error_text, sentence_text};
pub use view_state::{Dialect, SharedViewState, ViewState};

use crate::model::Event;

/// Screen that shows events to the user or to a bot.
pub trait Screen {
    /// Shows one event. Call it for every event, in order. It may block while the output is slow.
    ///
    /// # Errors
    /// The output can no longer be written. Do not call `show` again.
    fn show(&mut self, event: &Event) -> io::Result<()>;
}
