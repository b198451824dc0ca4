//! Keys, pasted text and the mouse.

use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::{Position, Size};

use super::question::Question;
use super::window_command::WINDOW_COMMANDS;
use super::{App, Content, Conversation, Output, Overlay};
use crate::model::{Dialect, PeerCommand};
use crate::text;
use crate::ui::SharedViewState;
use crate::ui::command::command_names;
use crate::ui::full_screen::composer::{ChatCompleter, Completer, ComposerOutcome};
use crate::ui::full_screen::layout::areas;
use crate::ui::full_screen::view::{first_listed, help_height, hit_at, person_at};

/// Number of rows that a step of the mouse wheel scrolls.
const WHEEL_ROWS: usize = 3;

/// Number of the latest messages whose authors are offered first when a name is completed.
const MAX_RECENT_AUTHORS: usize = 100;

impl App {
    /// Carries out a key.
    pub(super) fn handle_key(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let overlay = self.overlay;
        match overlay {
            Overlay::None => {}
            Overlay::Help(at) => return self.handle_help_key(key, at),
            Overlay::Search if self.handle_search_key(key) => return,
            // Any other key returns to the chat, and does what it always does.
            Overlay::Search => self.overlay = Overlay::None,
        }
        if self.answer_by_key(key) || self.handle_window_key(key) {
            return;
        }
        let (shared, conversation) = (&self.shared, self.conversations.current());
        let complete = |before: &str| completer(shared, conversation).complete(before);
        match self.composer.handle_key(key, &complete) {
            ComposerOutcome::Unused(key) => self.handle_leaving_key(key),
            ComposerOutcome::Changed => {}
            ComposerOutcome::Submit(text) => self.submit(&text),
            ComposerOutcome::AskPaste { lines, is_cut } => {
                self.question = Question::Paste { lines, is_cut };
            }
            ComposerOutcome::OpenEditor(text) => self.open_editor(text),
        }
    }

    /// Inserts pasted text, after a question if it has many lines.
    pub(super) fn handle_paste(&mut self, text: &str) {
        if let ComposerOutcome::AskPaste { lines, is_cut } = self.composer.paste(text) {
            self.question = Question::Paste { lines, is_cut };
        }
    }

    /// Carries out what was done with the mouse: the wheel scrolls, a click shows a conversation, or the
    /// direct messages with a person.
    pub(super) fn handle_mouse(&mut self, mouse: MouseEvent) {
        match mouse.kind {
            MouseEventKind::ScrollUp => self.turn_wheel(true),
            MouseEventKind::ScrollDown => self.turn_wheel(false),
            // A question is answered first.
            MouseEventKind::Down(MouseButton::Left) if self.question == Question::None => {
                self.click(Position::new(mouse.column, mouse.row));
            }
            _ => {}
        }
    }

    /// Scrolls what is on top by a step of the mouse wheel.
    fn turn_wheel(&mut self, is_up: bool) {
        match self.overlay {
            Overlay::Help(at) => {
                let rows = u16::try_from(WHEEL_ROWS).unwrap_or(1);
                self.show_help(if is_up {
                    at.saturating_sub(rows)
                } else {
                    at.saturating_add(rows)
                });
            }
            Overlay::Search => self.step_in_search(is_up),
            Overlay::None if is_up => self.scroll_up(WHEEL_ROWS),
            Overlay::None => self.scroll_down(WHEEL_ROWS),
        }
    }

    /// Shows what was clicked on: the context of a hit, or else a person's or a room's messages,
    /// for which an overlay is closed.
    fn click(&mut self, at: Position) {
        if let Some(hit) = hit_at(self, at).filter(|_| self.overlay == Overlay::Search) {
            return self.open_hit(hit);
        }
        if let Some(name) = person_at(self, at)
            && self.dialect() == Dialect::Server
            && self.own_name().as_ref() != Some(&name)
        {
            self.overlay = Overlay::None;
            return self.show_person(name);
        }
        if let Some(list) = areas(self).conversations.filter(|it| it.contains(at)) {
            self.overlay = Overlay::None;
            let first = first_listed(self, list.height);
            self.show_conversation(first + usize::from(at.y - list.y));
        }
    }

    /// Answers a question for which one key is enough. Returns true if the key was the answer.
    fn answer_by_key(&mut self, key: KeyEvent) -> bool {
        let is_yes = says_yes(key.code);
        match self.question {
            Question::Paste { .. } => {
                self.question = Question::None;
                self.composer.confirm_paste(is_yes);
                true
            }
            Question::Leave => {
                self.question = Question::None;
                let is_again = is_control(key, 'c');
                if is_yes || is_again {
                    self.leave();
                }
                // Any other key means that the user stays, and does what it always does.
                is_yes
                    || is_again
                    || key.code == KeyCode::Esc
                    || matches!(key.code, KeyCode::Char('n' | 'N'))
            }
            Question::None if !self.admissions.is_empty() => {
                let is_alt = key.modifiers.contains(KeyModifiers::ALT);
                let is_no = matches!(key.code, KeyCode::Char('n' | 'N'));
                if !is_alt || (!is_yes && !is_no) {
                    return false;
                }
                if let Some((name, _)) = self.admissions.front() {
                    let (name, is_welcome) = (name.clone(), is_yes);
                    self.request_of_peer(PeerCommand::Admit { name, is_welcome });
                }
                true
            }
            Question::None | Question::Password { .. } | Question::Invite | Question::Name => false,
        }
    }

    /// Carries out a key about the window. Returns false if it is none.
    fn handle_window_key(&mut self, key: KeyEvent) -> bool {
        let is_alt = key.modifiers.contains(KeyModifiers::ALT);
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let page = usize::from(areas(self).messages.height.saturating_sub(1).max(1));
        match key.code {
            KeyCode::F(1) => self.overlay = Overlay::Help(0),
            KeyCode::PageUp => self.scroll_up(page),
            KeyCode::PageDown => self.scroll_down(page),
            KeyCode::Home if is_alt || is_control => self.scroll_up(usize::MAX),
            KeyCode::End if is_alt || is_control => self.scroll_to_end(),
            KeyCode::F(5) => self.show_neighbour(false),
            KeyCode::F(6) => self.show_neighbour(true),
            KeyCode::Up | KeyCode::Left if is_alt => self.show_neighbour(false),
            KeyCode::Down | KeyCode::Right if is_alt => self.show_neighbour(true),
            KeyCode::Char(digit @ '0'..='9') if is_alt => {
                // As on the keyboard: 0 comes after 9.
                let number = digit.to_digit(10).unwrap_or(0);
                let index = if number == 0 { 9 } else { number - 1 };
                self.show_conversation(usize::try_from(index).unwrap_or(0));
            }
            KeyCode::Char('a') if is_alt => match self.conversations.next_unread() {
                Some(index) if index == self.conversations.current_index() => {
                    self.scroll_to_end();
                }
                Some(index) => self.show_conversation(index),
                None => {}
            },
            KeyCode::Char('l') if is_control => self.outputs.push_back(Output::Redraw),
            KeyCode::Char('z') if is_control => self.outputs.push_back(Output::Suspend),
            KeyCode::Esc
                if self.is_reading_back()
                    || self.is_opening()
                    || self.conversations.current().marked.is_some() =>
            {
                self.scroll_to_end();
            }
            KeyCode::Char('f')
                if is_control
                    && self.composer.is_empty()
                    && self.has_joined
                    && self.question == Question::None
                    && self.dialect() == Dialect::Server =>
            {
                self.composer.insert("/search ");
            }
            _ => return false,
        }
        true
    }

    /// Carries out a key while the help is shown from this row on: scrolls it or closes it.
    fn handle_help_key(&mut self, key: KeyEvent, at: u16) {
        let page = areas(self).messages.height.saturating_sub(1).max(1);
        match key.code {
            KeyCode::Up => self.show_help(at.saturating_sub(1)),
            KeyCode::Down => self.show_help(at.saturating_add(1)),
            KeyCode::PageUp => self.show_help(at.saturating_sub(page)),
            KeyCode::PageDown | KeyCode::Char(' ') => self.show_help(at.saturating_add(page)),
            KeyCode::Home => self.show_help(0),
            _ => self.overlay = Overlay::None,
        }
    }

    /// Shows the help from this row on, at most so far that its last row is the lowest.
    fn show_help(&mut self, at: u16) {
        let Size { width, height } = areas(self).messages.as_size();
        let last = help_height(self, width).saturating_sub(height);
        self.overlay = Overlay::Help(at.min(last));
    }

    /// Carries out a key for which the line that is typed has no use: those that leave.
    fn handle_leaving_key(&mut self, key: KeyEvent) {
        if is_control(key, 'd') {
            self.leave();
        } else if is_control(key, 'c') {
            if self.is_leaving || !self.has_joined {
                self.leave();
            } else {
                self.question = Question::Leave;
            }
        }
    }

    /// Shows the next conversation, or the one before.
    fn show_neighbour(&mut self, is_next: bool) {
        let count = self.conversations.len();
        let step = if is_next { 1 } else { count - 1 };
        self.show_conversation((self.conversations.current_index() + step) % count);
    }
}

/// Returns the completer of a conversation: those who have written last are offered first.
fn completer(shared: &SharedViewState, conversation: &Conversation) -> ChatCompleter {
    let authors = conversation.lines().iter().rev().filter_map(|line| match &line.content {
        Content::Message(message) if !message.own => Some(message.from.to_string()),
        _ => None,
    });
    let mut names: Vec<String> = Vec::new();
    for author in authors.take(MAX_RECENT_AUTHORS) {
        if !names.contains(&author) {
            names.push(author);
        }
    }
    shared.with(|it| {
        names.extend(it.member_names());
        let commands = command_names(it.dialect).iter().copied().chain(WINDOW_COMMANDS);
        ChatCompleter {
            names,
            rooms: it.rooms.clone(),
            commands: commands.map(str::to_owned).collect(),
            ignored: it.ignore_list.names(),
        }
    })
}

/// Returns true if a key says yes: Y, or the letter for it in the user's language.
fn says_yes(key: KeyCode) -> bool {
    let KeyCode::Char(letter) = key else { return false };
    let is_letter = |it: char| it.eq_ignore_ascii_case(&letter);
    is_letter('y') || text!("key-yes").chars().any(is_letter)
}

/// Returns true if a key is Ctrl and this letter.
fn is_control(key: KeyEvent, letter: char) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char(letter)
}
