//! Rendering of search results as lines.

use super::{RenderedText, Renderer};
use crate::model::{Message, NameKey, SearchRequest, SearchResult, Style};
use crate::ui::SharedIgnoreList;
use crate::ui::local_time::LocalTimeZone;
use crate::ui::safe::{safe_line, safe_name};

impl Renderer {
    /// Renders a search result. A heading shows the query and the number of messages, hidden ones
    /// included. The messages follow, except for hidden ones ([`is_hidden`]), which are counted; then a
    /// hint if there are older messages.
    pub(super) fn render_search_results(&self, found: &SearchResult, out: &mut Vec<RenderedText>) {
        let about = describe_search(&found.search, &self.local_time);
        let older = if found.search.before.is_some() { "older " } else { "" };
        let heading = match found.messages.len() {
            0 => format!("-- nothing {older}found{about}"),
            1 => format!("-- 1 {older}message{about}:"),
            count => format!("-- {count} {older}messages{about}:"),
        };
        out.push(self.chat_line(&heading));
        let is_shown = |it: &&Message| !is_hidden(it, &found.search, &self.ignore_list);
        let shown = found.messages.iter().filter(is_shown);
        let before = out.len();
        out.extend(shown.map(|message| self.search_result_line(message)));
        let hidden = found.messages.len() + before - out.len();
        self.render_hidden(hidden, out);
        if found.more {
            out.push(self.chat_line("-- there are older ones: type /search to see them"));
        }
    }

    /// Renders one message of a search result, with its date. It always names the room, because the
    /// result may cover rooms that the user has left since.
    fn search_result_line(&self, message: &Message) -> RenderedText {
        let (room, from) = (safe_name(&message.room), safe_name(&message.from));
        let head = match message.style {
            Style::ACTION => format!("#{room} * {from} "),
            _ => format!("#{room} {from}: "),
        };
        let when = self.local_time.format_date_time(message.time);
        self.message_lines(&when, true, &head, &message.text, false)
    }
}

/// Returns true if a message that was found is not to be shown: its author is ignored, and what they
/// wrote was not asked for by `from:`.
pub(in crate::ui) fn is_hidden(
    message: &Message,
    search: &SearchRequest,
    ignored: &SharedIgnoreList,
) -> bool {
    let wanted = search.from.as_deref().map(NameKey::of);
    ignored.hides_message(message) && wanted != Some(NameKey::of(&message.from))
}

/// Describes a query for a heading, as ` with tea from bob in #attic`. Returns an empty text if the
/// query has no text and no filter.
pub(in crate::ui) fn describe_search(search: &SearchRequest, zone: &LocalTimeZone) -> String {
    let mut about = String::new();
    if !search.text.is_empty() {
        about.push_str(&format!(" with {}", safe_line(&search.text)));
    }
    if let Some(name) = &search.from {
        about.push_str(&format!(" from {}", safe_name(name)));
    }
    if let Some(room) = &search.room {
        about.push_str(&format!(" in #{}", safe_name(room)));
    }
    if let Some(time) = search.since {
        about.push_str(&format!(" since {}", zone.format_date_minute(time)));
    }
    if let Some(time) = search.until {
        about.push_str(&format!(" before {}", zone.format_date_minute(time)));
    }
    about
}
