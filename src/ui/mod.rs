//! Floor 3: the user interface. It shows events and makes requests, and
//! knows no engine: the same one serves clients and peers.
//!
//! There are three: [`PlainScreen`] lines, [`JsonScreen`] objects, and lines with
//! editing on a [`Terminal`](terminal). Each has a [`Screen`], which the
//! driver calls, and an input that runs in a thread of its own.

mod command;
mod execute;
mod json;
mod json_input;
mod lines;
mod local_time;
mod plain;
mod render;
mod safe;
mod search_query;
pub mod terminal;
mod view_state;

use std::io;

pub use json::JsonScreen;
#[cfg(feature = "client")]
pub(crate) use json::escape_dangerous;
pub use json_input::read_json;
pub use plain::{PlainScreen, read_plain};
pub use safe::{safe_line, safe_text};
pub use view_state::{Dialect, SharedViewState, ViewState};

use crate::model::Event;

/// Something that shows events.
pub trait Screen {
    /// Shows one event. Call it for every event, in order.
    ///
    /// # Errors
    /// Nobody can see it any more. Stop then.
    fn show(&mut self, event: &Event) -> io::Result<()>;
}
