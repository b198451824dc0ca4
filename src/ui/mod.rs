//! Floor 3: the user interface. It shows events and makes requests, and
//! knows no engine: the same one serves clients and peers.
//!
//! There are three: [`Plain`] lines, [`Json`] objects, and lines with
//! editing on a [`Terminal`](terminal). Each has a [`Screen`], which the
//! driver calls, and an input that runs in a thread of its own.

mod command;
mod json;
mod json_input;
mod lines;
mod paint;
mod peers;
mod plain;
mod printer;
mod safe;
mod scene;
mod search;
pub mod terminal;
mod time_of_day;
mod turns;

use std::io;

pub use json::Json;
#[cfg(feature = "client")]
pub(crate) use json::escaped;
pub use json_input::read_json;
pub use plain::{Plain, read_plain};
pub use safe::{safe_line, safe_text};
pub use scene::{Dialect, Scene, SharedScene};

use crate::model::Event;

/// Something that shows events.
pub trait Screen {
    /// Shows one event. Call it for every event, in order.
    ///
    /// # Errors
    /// Nobody can see it any more. Stop then.
    fn show(&mut self, event: &Event) -> io::Result<()>;
}
