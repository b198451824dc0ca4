//! Search of past messages: `docs/protocol/tcp.md`, section 10.

use super::Link;
use super::pending::PendingRequest;
use crate::model::limits::{MAX_RAW_NAME_BYTES, MAX_SEARCH_PAGE, MAX_SEARCH_TEXT};
use crate::model::{
    ChatCommand, Event, LinkSentence, Message, RequestTag, SearchRequest, SearchResult,
};

impl Link {
    /// Queues a search ([`Self::queue`]), with its limit clamped to 1 to [`MAX_SEARCH_PAGE`].
    /// Refuses a search whose text or name is longer than a frame may hold. When it is sent, it is
    /// refused if the server does not search. The server checks everything else.
    pub(super) fn queue_search(&mut self, tag: RequestTag, search: SearchRequest) {
        let name_is_long =
            |name: &Option<String>| name.as_ref().is_some_and(|it| it.len() > MAX_RAW_NAME_BYTES);
        let bytes = search.text.len();
        let why = if bytes > MAX_SEARCH_TEXT {
            LinkSentence::SearchTooLong { bytes }
        } else if name_is_long(&search.room) || name_is_long(&search.from) {
            LinkSentence::NameTooLong
        } else {
            let limit = search.limit.clamp(1, MAX_SEARCH_PAGE);
            return self.queue(tag, ChatCommand::Search(SearchRequest { limit, ..search }));
        };
        self.refuse(tag, 0, why, &ChatCommand::Search(search));
    }

    /// Reports the messages found by `item` as one event, the complete result of the search. `more`
    /// is true if there are older matches.
    pub(super) fn emit_search_result(
        &mut self,
        item: PendingRequest,
        search: SearchRequest,
        more: bool,
    ) {
        let found = SearchResult { tag: item.tag, search, messages: item.found, more };
        self.emit(Event::SearchResult(found));
    }
}

/// Adds an entry to the results collected for a search. Drops the entry if the results have reached
/// the search's limit. The results are reported together at the end of the answer, so a search that
/// is sent again reports nothing twice.
pub(super) fn collect(item: &mut PendingRequest, message: Message) {
    if let ChatCommand::Search(search) = &item.command
        && item.found.len() < usize::from(search.limit)
    {
        item.found.push(message);
    }
}
