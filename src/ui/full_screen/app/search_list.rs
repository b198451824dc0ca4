//! Results of a search, as a list over the conversation.

use std::sync::Arc;

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::{App, Output, Overlay};
use crate::model::{
    ChatCommand, Command, Message, Request, RequestTag, SearchRequest, SearchResult, SearchTerms,
    Sequence, Style, Timestamp,
};
use crate::text;
use crate::ui::full_screen::text::visible;
use crate::ui::full_screen::view::hits_that_fit;
use crate::ui::render::is_hidden;
use crate::ui::safe::{safe_line, safe_name};

/// Maximum number of messages in the list. Beyond it, no older ones are requested.
const MAX_HITS: usize = 1_000;

/// Message that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Position in the server's log.
    pub sequence: Sequence,
    /// Time of the message.
    pub time: Timestamp,
    /// Room, in the server's spelling.
    pub room: String,
    /// Author's username, safe for display.
    pub from: Arc<str>,
    /// Display style.
    pub style: Style,
    /// Text on one line, safe for display.
    pub text: String,
}

/// What a search is waiting for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The server's answer to the request with this tag.
    Searching(RequestTag),
    /// Nothing.
    Done,
    /// Nothing: the search was refused, for this reason.
    Refused(String),
}

/// Results of a search.
#[derive(Clone, Debug)]
pub struct SearchList {
    /// What is searched for: the request for the first page.
    pub search: SearchRequest,
    /// Words and phrases that are searched for, to mark them.
    pub terms: SearchTerms,
    /// Messages that were found, newest first.
    pub hits: Vec<Hit>,
    /// Number of messages that were found but are not shown, because their authors are ignored.
    pub hidden: usize,
    /// Request for the messages before these; `None`: there are none.
    pub older: Option<SearchRequest>,
    /// True if there are older ones, but the list is full.
    pub is_full: bool,
    /// What the search is waiting for.
    pub progress: Progress,
    /// Index of the selected message; the number of messages stands for the line about older ones.
    pub selected: usize,
    /// Index of the first message on the screen, as far as the selected one is on it, too.
    pub top: usize,
}

impl SearchList {
    /// Begins the list of a search that is requested with this tag.
    fn new(search: SearchRequest, tag: RequestTag) -> Self {
        // The server says what is wrong with a text that cannot be searched for.
        let terms = SearchTerms::new(&search.text).unwrap_or_default();
        Self {
            search,
            terms,
            hits: Vec::new(),
            hidden: 0,
            older: None,
            is_full: false,
            progress: Progress::Searching(tag),
            selected: 0,
            top: 0,
        }
    }

    /// Returns true if the answer to the request with this tag is awaited.
    fn awaits(&self, tag: &RequestTag) -> bool {
        matches!(&self.progress, Progress::Searching(it) if it == tag)
    }

    /// Returns true if the last line of the list is about older messages, and can be selected.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.older.is_some()
    }

    /// Returns the index of the last line that can be selected.
    fn last(&self) -> usize {
        if self.has_more() { self.hits.len() } else { self.hits.len().saturating_sub(1) }
    }
}

impl App {
    /// Requests a search, and opens the list of its results.
    pub(super) fn begin_search(&mut self, search: SearchRequest) {
        let tag = self.new_tag();
        self.search = Some(SearchList::new(search.clone(), tag.clone()));
        self.overlay = Overlay::Search;
        self.request_search(tag, search);
    }

    /// Opens the list of the latest search again, or says how to search.
    pub(super) fn show_search(&mut self) {
        if self.search.is_some() {
            self.overlay = Overlay::Search;
        } else {
            self.note(&text!("note-search-what"), true);
        }
    }

    /// Requests the messages before those in the list, if there are any.
    fn search_older(&mut self) {
        let tag = self.new_tag();
        let Some(list) = &mut self.search else { return };
        if let (Progress::Done | Progress::Refused(_), Some(older)) = (&list.progress, &list.older)
        {
            let older = older.clone();
            list.progress = Progress::Searching(tag.clone());
            self.request_search(tag, older);
        }
    }

    /// Requests messages of a search.
    fn request_search(&mut self, tag: RequestTag, search: SearchRequest) {
        let command = Command::Chat(ChatCommand::Search(search));
        self.outputs.push_back(Output::Request(Request { tag, command }));
    }

    /// Adds what was found to the list. Returns false if it is not about the list's search.
    pub(super) fn show_found(&mut self, found: &SearchResult) -> bool {
        let shared = self.shared.clone();
        let Some(list) = self.search.as_mut().filter(|it| it.awaits(&found.tag)) else {
            return false;
        };
        list.progress = Progress::Done;
        list.older = found.older();
        let ignored = shared.with(|it| it.ignore_list.clone());
        let is_hidden = |it: &&Message| is_hidden(it, &found.search, &ignored);
        list.hidden += found.messages.iter().filter(is_hidden).count();
        let shown = found.messages.iter().rev().filter(|it| !is_hidden(it));
        list.hits.extend(shown.map(|it| Hit {
            sequence: it.sequence,
            time: it.time,
            room: it.room.clone(),
            from: Arc::from(safe_name(&it.from)),
            style: it.style,
            text: safe_line(&visible(&it.text)),
        }));
        if list.hits.len() >= MAX_HITS && list.older.take().is_some() {
            list.is_full = true;
        }
        list.selected = list.selected.min(list.last());
        true
    }

    /// Shows in the list why a search was refused. Returns false if this is not about its search.
    pub(super) fn refuse_search(&mut self, tag: &RequestTag, reason: &str) -> bool {
        let Some(list) = self.search.as_mut().filter(|it| it.awaits(tag)) else {
            return false;
        };
        list.progress = Progress::Refused(reason.to_owned());
        true
    }

    /// Removes a message from the list, because its text was removed.
    pub(super) fn remove_hit(&mut self, message: Sequence) {
        if let Some(list) = &mut self.search {
            let before = list.hits.iter().position(|it| it.sequence == message);
            list.hits.retain(|it| it.sequence != message);
            if before.is_some_and(|it| it < list.selected) {
                list.selected -= 1;
            }
            list.selected = list.selected.min(list.last());
        }
    }

    /// Carries out a key while the list is open. Returns false if the key is not for the list.
    pub(super) fn handle_search_key(&mut self, key: KeyEvent) -> bool {
        let (_, fitting) = hits_that_fit(self);
        let Some(list) = &mut self.search else { return false };
        if !key.modifiers.is_empty() {
            return false;
        }
        let (page, last) = (fitting.max(1), list.last());
        match key.code {
            KeyCode::Up => list.selected = list.selected.saturating_sub(1),
            KeyCode::Down => list.selected = (list.selected + 1).min(last),
            KeyCode::PageUp => list.selected = list.selected.saturating_sub(page),
            KeyCode::PageDown if list.selected == last => self.search_older(),
            KeyCode::PageDown => list.selected = (list.selected + page).min(last),
            KeyCode::Home => list.selected = 0,
            KeyCode::End => list.selected = last,
            KeyCode::Enter => self.open_selected(),
            KeyCode::Esc => self.overlay = Overlay::None,
            _ => return false,
        }
        self.keep_selected_in_view();
        true
    }

    /// Selects another message of the list: the next one or the one before.
    pub(super) fn step_in_search(&mut self, is_up: bool) {
        if let Some(list) = &mut self.search {
            let next = if is_up { list.selected.saturating_sub(1) } else { list.selected + 1 };
            list.selected = next.min(list.last());
        }
        self.keep_selected_in_view();
    }

    /// Opens the message with this index, or requests older ones if the index is that of the line
    /// about them.
    pub(super) fn open_hit(&mut self, index: usize) {
        if let Some(list) = self.search.as_mut().filter(|it| index <= it.last()) {
            list.selected = index;
            self.open_selected();
        }
    }

    /// Opens the selected message where it was said, or requests older ones.
    fn open_selected(&mut self) {
        let Some(list) = &self.search else { return };
        match list.hits.get(list.selected) {
            Some(hit) => {
                let (room, sequence) = (hit.room.clone(), hit.sequence);
                self.overlay = Overlay::None;
                self.open_context(&room, sequence);
            }
            None => self.search_older(),
        }
    }

    /// Scrolls the list so that the selected message is on the screen.
    fn keep_selected_in_view(&mut self) {
        let (top, _) = hits_that_fit(self);
        if let Some(list) = &mut self.search {
            list.top = top;
        }
    }

    /// Notes that the server's log is another one: nothing that was found is in it.
    pub(super) fn forget_found(&mut self) {
        self.search = None;
        self.loads.clear();
        self.context = None;
        if self.overlay == Overlay::Search {
            self.overlay = Overlay::None;
        }
    }
}
