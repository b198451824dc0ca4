//! Model of the full-screen interface: what is shown, and what the user's keys do. It has neither
//! I/O nor a clock. [`App::handle_input`] takes what has happened, [`App::poll_output`] returns what
//! is to be done; [`super::view`] draws the model.
//!
//! - `contract`: inputs and outputs
//! - `line`, `conversation`, `conversations`: what was said where
//! - `connection`: state of the connection, in words
//! - `question`: questions that the next line or key answers
//! - `events`, `messages`, `read_marks`: events of the engine
//! - `keys`, `scrolling`: keys and mouse
//! - `search_list`, `context`: what a search has found, and the messages around it
//! - `submit`, `window_command`: execution of what the user has typed
//! - `showing`: which conversation is shown

mod connection;
mod context;
mod contract;
mod conversation;
mod conversations;
mod events;
mod keys;
mod line;
mod messages;
mod question;
mod read_marks;
mod scrolling;
mod search_list;
mod settings;
mod showing;
mod submit;
mod window_command;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::Size;

pub use self::connection::Connection;
pub use self::context::Context;
use self::context::Loads;
pub use self::contract::{Input, Output};
pub use self::conversation::{Attention, Conversation, Older, Place, Scroll};
pub use self::conversations::Conversations;
pub use self::line::{Content, Line, LineId, MessageLine, PendingMessage, PresenceLine};
pub use self::question::Question;
pub use self::search_list::{Hit, Progress, SearchList};
pub use self::settings::WindowSettings;
use self::window_command::WINDOW_COMMANDS;
pub(in crate::ui) use self::window_command::window_help;
use super::composer::Composer;
use super::text::Theme;
use crate::model::{Command, Dialect, Request, RequestTag, Sentence, Sequence};
use crate::text;
use crate::ui::SharedViewState;
use crate::ui::local_time::LocalTimeZone;
use crate::ui::render::Renderer;
use crate::ui::safe::safe_name;

/// Interval at which the screen changes by itself while it counts seconds.
const COUNTING_INTERVAL: Duration = Duration::from_secs(1);

/// What lies over the conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// Help: keys and commands, scrolled by this many rows.
    Help(u16),
    /// Results of the latest search: [`App::search`].
    Search,
}

/// Model of the full-screen interface.
pub struct App {
    /// State that the interfaces share: names, rooms, members.
    shared: SharedViewState,
    /// Renders what has no form of its own as text.
    renderer: Renderer,
    /// The user's time zone.
    pub(in crate::ui) zone: LocalTimeZone,
    /// What was said where.
    pub conversations: Conversations,
    /// The line that the user is typing.
    pub composer: Composer,
    /// State of the connection.
    pub connection: Connection,
    /// Question that the next line or key answers.
    pub question: Question,
    /// People who want to come into the room of peers, and until when each can be answered.
    pub admissions: VecDeque<(String, Duration)>,
    /// What lies over the conversation.
    pub overlay: Overlay,
    /// Results of the latest search; `None`: there was none.
    pub search: Option<SearchList>,
    /// Messages around one that was found, which are shown in place of the current conversation's
    /// lines; `None`: those are shown.
    pub context: Option<Context>,
    /// Requests for older messages that are on their way.
    loads: Loads,
    /// Colours.
    pub theme: Theme,
    /// What the user has set.
    settings: WindowSettings,
    /// True if the window has the focus, as far as the terminal says.
    is_focused: bool,
    /// Size of the terminal.
    pub size: Size,
    /// Time of the program's clock at the last input.
    pub now: Duration,
    /// Place for which the user is writing in their editor; `None`: they are not.
    editing: Option<Place>,
    /// How far the user has read their direct messages; `None`: not known.
    direct_read: Option<Sequence>,
    /// Time at which it was last said how far the user has read; `None`: not yet.
    marked_at: Option<Duration>,
    /// Why the last connection has failed or ended; `None`: it has not.
    trouble: Option<Sentence>,
    /// True once a password or an invitation was asked for.
    was_asked: bool,
    /// Time at which the user was last called; `None`: not yet.
    called_at: Option<Duration>,
    /// Number of the next line.
    next_line: u64,
    /// Number of the next message that is sent.
    next_message: u64,
    /// True once the user has joined.
    has_joined: bool,
    /// True once the user has asked to leave.
    is_leaving: bool,
    /// Lines about messages that were not sent, which the user can no longer see here.
    farewell: Vec<String>,
    /// Title that was shown last.
    title: String,
    /// Longest time without an answer when the user leaves.
    patience: Duration,
    /// What is to be done, oldest first.
    outputs: VecDeque<Output>,
}

impl App {
    /// Creates the model, with what the user has set earlier. `patience`: longest time without an answer when the user leaves.
    #[must_use]
    pub(in crate::ui) fn new(
        shared: SharedViewState,
        zone: LocalTimeZone,
        theme: Theme,
        settings: WindowSettings,
        size: Size,
        patience: Duration,
    ) -> Self {
        shared.with(|it| it.window_commands = &WINDOW_COMMANDS);
        let renderer = Renderer::new(zone.clone(), false, shared.clone()).without_room_names();
        Self {
            shared,
            renderer,
            zone,
            conversations: Conversations::default(),
            composer: Composer::default(),
            connection: Connection::default(),
            question: Question::default(),
            admissions: VecDeque::new(),
            overlay: Overlay::default(),
            search: None,
            context: None,
            loads: Loads::new(),
            theme,
            settings,
            is_focused: true,
            size,
            now: Duration::ZERO,
            editing: None,
            direct_read: None,
            marked_at: None,
            trouble: None,
            was_asked: false,
            called_at: None,
            next_line: 0,
            next_message: 0,
            has_joined: false,
            is_leaving: false,
            farewell: Vec::new(),
            title: String::new(),
            patience,
            outputs: VecDeque::new(),
        }
    }

    /// Takes something that has happened at this time of the program's clock. Call
    /// [`Self::poll_output`] afterwards until it returns nothing.
    pub fn handle_input(&mut self, now: Duration, input: Input) {
        self.now = now;
        let current = now;
        self.admissions.retain(|(_, until)| *until > current);
        match input {
            Input::Event(event) => self.handle_event(&event),
            Input::Key(key) => self.handle_key(key),
            Input::Paste(text) => self.handle_paste(&text),
            Input::Mouse(mouse) => self.handle_mouse(mouse),
            Input::Focus(is_focused) => self.set_focus(is_focused),
            Input::Resize(size) => self.size = size,
            Input::Edited(edited) => self.take_edited(edited),
            Input::SettingsNotKept(reason) => {
                self.note(&text!("setting-not-kept", reason = reason), true);
            }
            Input::Tick => {}
        }
        if self.is_looking() {
            self.conversations.current_mut().mark_seen();
            self.mark_read();
        }
        self.update_title();
    }

    /// Returns what is to be done next; `None` if there is nothing more for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns the time of the program's clock at which to call [`Self::handle_input`] with
    /// [`Input::Tick`], because the screen changes then; `None` if it does not change by itself.
    #[must_use]
    pub fn next_tick(&self) -> Option<Duration> {
        let counts = self.connection.is_counting() || !self.admissions.is_empty();
        let second = counts.then(|| self.now + COUNTING_INTERVAL);
        let admission = self.admissions.iter().map(|(_, until)| *until).min();
        let mark = self.next_mark().filter(|_| self.is_looking());
        [second, admission, mark].into_iter().flatten().min()
    }

    /// Returns what the user has to be told after the screen is gone: messages that were not sent.
    #[must_use]
    pub fn farewell(&self) -> &[String] {
        &self.farewell
    }

    /// Returns the kind of chat: with a server or among peers.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.shared.with(|it| it.dialect)
    }

    /// Returns the user's own name; `None` before the first join.
    #[must_use]
    pub fn own_name(&self) -> Option<String> {
        self.shared.with(|it| it.own_name.clone())
    }

    /// Returns the topic of the current conversation; `None` if it has none.
    #[must_use]
    pub fn topic(&self) -> Option<String> {
        match &self.conversations.current().place {
            Place::Room(_) => self.shared.with(|it| it.current_topic().map(str::to_owned)),
            Place::Start | Place::Direct(_) => None,
        }
    }

    /// Returns the first `limit` names of the people in the current room, sorted by their keys, and
    /// the number of all that are known.
    #[must_use]
    pub fn people(&self, limit: usize) -> (Vec<String>, usize) {
        match &self.conversations.current().place {
            Place::Room(room) => self.shared.with(|it| it.first_members(room, limit)),
            Place::Start | Place::Direct(_) => (Vec::new(), 0),
        }
    }

    /// Returns true if the current conversation has a list of people.
    #[must_use]
    pub fn has_people(&self) -> bool {
        matches!(self.conversations.current().place, Place::Room(_))
    }

    /// Returns true if there is a line above the input: [`Self::hint`].
    #[must_use]
    pub fn has_hint(&self) -> bool {
        self.hint().is_some()
    }

    /// Returns the line above the input: a question, who wants to come in, what the word can be
    /// completed to, or by how much a message is too long. `None`: there is nothing to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        if let Some(question) = self.question.text() {
            return Some(question);
        }
        if let Some((name, until)) = self.admissions.front() {
            return Some(text!(
                "ask-admission",
                name = safe_name(name),
                seconds = until.saturating_sub(self.now).as_secs(),
                others = self.admissions.len() - 1,
            ));
        }
        if let Some((candidates, chosen)) = self.composer.candidates().filter(|it| it.0.len() > 1) {
            let shown = candidates.iter().enumerate().map(|(at, it)| {
                if at == chosen { format!("[{}]", it.text) } else { it.text.clone() }
            });
            return Some(shown.skip(chosen.saturating_sub(2)).collect::<Vec<_>>().join(" "));
        }
        match self.composer.bytes_over() {
            0 if self.is_opening() => Some(text!("hint-opening")),
            0 if self.shown().older == Older::Requested => Some(text!("hint-older")),
            0 if self.shown().older == Older::Full && self.shown().scroll != Scroll::End => {
                Some(text!("hint-full"))
            }
            0 => None,
            bytes => Some(text!("hint-too-long", bytes = bytes)),
        }
    }

    /// Returns true if a name is ignored.
    #[must_use]
    pub fn is_ignored(&self, name: &str) -> bool {
        self.shared.with(|it| it.ignore_list.has(name))
    }

    /// Returns what stands before the line that the user is typing.
    #[must_use]
    pub fn prompt(&self) -> String {
        if let Some(prompt) = self.question.prompt() {
            return prompt;
        }
        if let Some(question) = self.shared.with(|it| it.name_question.prompt()) {
            return question;
        }
        match &self.conversations.current().place {
            Place::Room(room) => format!("#{}> ", safe_name(room)),
            Place::Direct(name) => format!("@{}> ", safe_name(name)),
            Place::Start => "> ".to_owned(),
        }
    }

    /// Returns true once the user has asked to leave.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Returns the number of the user's messages that wait for an answer.
    #[must_use]
    pub fn waiting_messages(&self) -> usize {
        self.conversations.iter().map(|it| it.pending().len()).sum()
    }

    /// Returns true if the user sees the end of the current conversation.
    fn is_looking(&self) -> bool {
        self.is_focused && self.overlay == Overlay::None && !self.is_reading_back()
    }

    /// Notes whether the window has the focus.
    fn set_focus(&mut self, is_focused: bool) {
        if self.is_focused && !is_focused {
            self.conversations.current_mut().look_away();
        }
        self.is_focused = is_focused;
    }

    /// Returns a number for a new line.
    const fn line_id(&mut self) -> LineId {
        self.next_line += 1;
        LineId(self.next_line)
    }

    /// Lets the user go on with a text in their editor.
    fn open_editor(&mut self, text: String) {
        self.editing = Some(self.conversations.current().place.clone());
        self.outputs.push_back(Output::Edit(text));
    }

    /// Takes the text from the user's editor. If what it was for is not shown any more, or something
    /// is asked meanwhile, it must not be taken for something else: it goes into the history.
    fn take_edited(&mut self, edited: Result<String, String>) {
        let place = self.editing.take();
        let text = match edited {
            Ok(text) => text,
            Err(reason) => return self.note(&text!("editor-failed", reason = reason), true),
        };
        let text = text.trim_end_matches('\n');
        let is_here = place.is_none_or(|it| it.is(&self.conversations.current().place));
        if is_here && !self.question.takes_line() {
            self.composer.set_text(text);
        } else {
            self.composer.remember(text);
            self.note(&text!("editor-kept"), false);
        }
    }

    /// Adds a text of the program to the current conversation.
    fn note(&mut self, text: &str, is_error: bool) {
        let id = self.line_id();
        self.conversations.current_mut().add_note(id, text.to_owned(), is_error);
    }

    /// Returns a tag for a request.
    pub(super) fn new_tag(&mut self) -> RequestTag {
        self.next_message += 1;
        // Never the name of a room, which tags of other requests hold.
        RequestTag(Some(Arc::from(format!("#{}", self.next_message))))
    }

    /// Requests something without a tag.
    fn request(&mut self, command: Command) {
        let request = Request { tag: RequestTag::default(), command };
        self.outputs.push_back(Output::Request(request));
    }

    /// Leaves the chat once all requests are answered; at once if the user has asked before, or has
    /// not joined yet.
    fn leave(&mut self) {
        let command = if self.has_joined && !self.is_leaving {
            Command::Finish { patience: self.patience }
        } else {
            Command::Quit
        };
        self.is_leaving = true;
        self.request(command);
    }

    /// Shows another title of the window, if it has changed: the place, and how many unread messages
    /// call for attention.
    fn update_title(&mut self) {
        let mentions: usize = self.conversations.iter().map(|it| it.mentions).sum();
        let place = match &self.conversations.current().place {
            Place::Room(room) => format!("#{}", safe_name(room)),
            Place::Direct(name) => safe_name(name),
            Place::Start => text!("title-chat"),
        };
        let title = if mentions == 0 { place } else { format!("({mentions}) {place}") };
        if title != self.title {
            self.title.clone_from(&title);
            self.outputs.push_back(Output::Title(title));
        }
    }
}
