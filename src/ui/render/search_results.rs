//! Rendering of search results as lines.

use super::{RenderedText, Renderer};
use crate::model::{Message, NameKey, SearchRequest, SearchResult, Style};
use crate::text;
use crate::ui::SharedIgnoreList;
use crate::ui::local_time::LocalTimeZone;
use crate::ui::safe::{safe_line, safe_name};

impl Renderer {
    /// Renders a search result. A heading shows the query and the number of messages, hidden ones
    /// included. The messages follow, except for hidden ones ([`is_hidden`]), which are counted; then a
    /// hint if there are older messages.
    pub(super) fn render_search_results(&self, found: &SearchResult, out: &mut Vec<RenderedText>) {
        let about = describe_search(&found.search, &self.local_time);
        let count = found.messages.len();
        let heading = match found.search.before {
            None => text!("found-messages", count = count, about = about),
            Some(_) => text!("found-older", count = count, about = about),
        };
        out.push(self.chat_line(&format!("-- {heading}")));
        let is_shown = |it: &&Message| !is_hidden(it, &found.search, &self.ignore_list);
        let shown = found.messages.iter().filter(is_shown);
        let before = out.len();
        out.extend(shown.map(|message| self.search_result_line(message)));
        let hidden = found.messages.len() + before - out.len();
        self.render_hidden(hidden, out);
        if found.more {
            out.push(self.chat_line(&format!("-- {}", text!("found-more"))));
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
    let text = Some(&search.text).filter(|it| !it.is_empty());
    let parts = [
        text.map(|it| text!("found-with", text = safe_line(it))),
        search.from.as_ref().map(|it| text!("found-from", name = safe_name(it))),
        search.room.as_ref().map(|it| text!("found-in", room = safe_name(it))),
        search.since.map(|it| text!("found-since", time = zone.format_date_minute(it))),
        search.until.map(|it| text!("found-before", time = zone.format_date_minute(it))),
    ];
    parts.into_iter().flatten().map(|it| format!(" {it}")).collect()
}
