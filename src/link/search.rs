//! Looking for messages of the past: `docs/protocol/tcp.md`, section 10.

use super::Link;
use super::pending::PendingRequest;
use crate::model::limits::{MAX_RAW_NAME_BYTES, MAX_SEARCH_PAGE, MAX_SEARCH_TEXT};
use crate::model::{Event, Found, Message, Search, Tag, Task};

impl Link {
    /// Takes a search, unless it is too long to be sent. Everything else that
    /// may be wrong with it the server knows better.
    pub(super) fn queue_search(&mut self, tag: Tag, search: Search) {
        let name_is_long =
            |name: &Option<String>| name.as_ref().is_some_and(|it| it.len() > MAX_RAW_NAME_BYTES);
        let bytes = search.text.len();
        let why = if bytes > MAX_SEARCH_TEXT {
            format!("This is too long to be looked for: {bytes} bytes, of {MAX_SEARCH_TEXT}.")
        } else if name_is_long(&search.room) || name_is_long(&search.from) {
            "Nothing has so long a name.".to_owned()
        } else {
            let limit = search.limit.clamp(1, MAX_SEARCH_PAGE);
            return self.queue(tag, Task::Search(Search { limit, ..search }));
        };
        self.refuse(tag, 0, why, &Task::Search(search));
    }

    /// All of an answer has come.
    pub(super) fn emit_search_result(&mut self, item: PendingRequest, search: Search, more: bool) {
        let found = Found { tag: item.tag, search, messages: item.found, more };
        self.emit(Event::Found(found));
    }
}

/// Keeps a message of an answer that is coming, to be shown with its end: so
/// a search that has to be made again shows nothing twice. (What is more than
/// was asked for is not kept.)
pub(super) fn collect(item: &mut PendingRequest, message: Message) {
    if let Task::Search(search) = &item.task
        && item.found.len() < usize::from(search.limit)
    {
        item.found.push(message);
    }
}
