//! Input line of the full-screen interface: text of one or several lines, its history, search and
//! completion. Without I/O and clock: it gets keys and draws into a buffer.
//!
//! - `clusters`, `editor`, `undo`: the text, its cursor, and changes of it
//! - `keys`: what each key does
//! - `history`, `search`: lines that were entered before
//! - `completion`: names, rooms and commands, with Tab
//! - `paste`: text from outside is made harmless
//! - `length`: how long a message may be
//! - `layout`, `draw`: rows on the screen
//!
//! The cursor stands between grapheme clusters, and widths are those with which ratatui draws. This
//! is why `ratatui-textarea` is not used here: its cursor stands between characters, so that it
//! splits emoji and letters with accents, and it adds up the widths of characters, which puts the
//! cursor behind an emoji such as 👩‍👧 into a wrong column; it tells the number of rows only after
//! drawing; and it puts the cursor behind a full row outside of the area.

mod clusters;
mod completion;
mod draw;
mod editor;
mod history;
mod keys;
mod layout;
mod length;
mod paste;
mod search;
#[cfg(test)]
mod tests;
mod undo;

use std::mem;

use completion::Cycle;
pub use completion::{Candidate, ChatCompleter, Completer};
use draw::ShownText;
use editor::{Editor, MAX_TEXT_BYTES};
use history::{Browse, History};
use keys::{Action, Motion, action};
use layout::Layout;
use length::message_bytes;
use paste::{MAX_UNASKED_LINES, clean, clean_line};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Position, Rect};
use search::Search;

use crate::model::limits::MAX_TEXT;

/// Number of columns for moving the cursor by rows before anything was drawn.
const DEFAULT_WIDTH: u16 = 80;

/// What a key or a pasted text has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComposerOutcome {
    /// The key is not for the input line, for example Page Up. Nothing has changed.
    Unused(KeyEvent),
    /// The key was for the input line, which has to be drawn again.
    Changed,
    /// The user has entered this text, which is no longer in the input line. It has no line breaks
    /// at its end; it may be empty.
    Submit(String),
    /// A long text was pasted. It is not inserted yet: ask the user, then call
    /// [`Composer::confirm_paste`].
    AskPaste {
        /// Number of lines that would be inserted.
        lines: usize,
        /// True if the text was too large, so that only its beginning would be inserted.
        is_cut: bool,
    },
    /// The user wants to go on with this text in an editor. Call [`Composer::set_text`] with the
    /// result.
    OpenEditor(String),
}

/// Text that is not entered yet, with its cursor, its undo steps, and the way through the history.
#[derive(Clone, Default)]
pub struct Draft {
    /// The text.
    editor: Editor,
    /// Way through the history.
    browse: Browse,
}

impl Draft {
    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.editor.text()
    }

    /// Returns true if the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }
}

/// Input line.
pub struct Composer {
    /// Text that is being written.
    draft: Draft,
    /// Password that is being typed instead; `None`: none is.
    password: Option<Editor>,
    /// Lines that were entered.
    history: History,
    /// Search in the history that is going on.
    search: Option<Search>,
    /// Completion that is going on.
    cycle: Option<Cycle>,
    /// Pasted text about which the user is being asked.
    pasted: Option<String>,
    /// Text that was deleted by the latest kill commands, for Ctrl-Y.
    killed: String,
    /// True if the latest key killed text: the next one adds to `killed`.
    is_killing: bool,
    /// True if the latest key was Ctrl-X.
    is_prefixed: bool,
    /// Maximum size of a message, in bytes.
    max_bytes: usize,
    /// Number of columns of the area in which the text was drawn.
    width: u16,
    /// First row that was drawn, from 0.
    top: usize,
}

impl Default for Composer {
    fn default() -> Self {
        Self {
            draft: Draft::default(),
            password: None,
            history: History::default(),
            search: None,
            cycle: None,
            pasted: None,
            killed: String::new(),
            is_killing: false,
            is_prefixed: false,
            max_bytes: usize::from(MAX_TEXT),
            width: DEFAULT_WIDTH,
            top: 0,
        }
    }
}

impl Composer {
    /// Handles a key. The release of a key does nothing.
    pub fn handle_key(&mut self, key: KeyEvent, completer: &dyn Completer) -> ComposerOutcome {
        if key.kind == KeyEventKind::Release {
            return ComposerOutcome::Changed;
        }
        if matches!(key.code, KeyCode::Modifier(_)) {
            return ComposerOutcome::Unused(key);
        }
        if mem::take(&mut self.is_prefixed) {
            return self.finish_prefix(&key);
        }
        let Some(action) = action(&key) else {
            return ComposerOutcome::Unused(key);
        };
        if let Some(search) = self.search.take() {
            match self.search_on(search, action) {
                Some(outcome) => return outcome,
                None if action == Action::Escape => return ComposerOutcome::Changed,
                None => {}
            }
        }
        let cycle = self.cycle.take();
        let was_killing = mem::take(&mut self.is_killing);
        match action {
            Action::Type(c) => {
                let text = clean(c.encode_utf8(&mut [0; 4]), MAX_TEXT_BYTES).text;
                self.editor_mut().type_text(&text);
            }
            Action::BreakLine if self.password.is_none() => self.draft.editor.insert("\n"),
            Action::Submit => return self.submit(),
            Action::Move(motion) => {
                let to = target(self.editor(), motion);
                self.editor_mut().move_to(to);
            }
            Action::Up => self.go_by_row(true),
            Action::Down => self.go_by_row(false),
            Action::DeleteLeft => {
                let to = self.editor().left();
                self.editor_mut().remove_to(to);
            }
            Action::DeleteOrLeave | Action::Discard if self.is_empty() => {
                return ComposerOutcome::Unused(key);
            }
            Action::DeleteRight | Action::DeleteOrLeave => {
                let to = self.editor().right();
                self.editor_mut().remove_to(to);
            }
            Action::Kill(motion) => self.kill(motion, was_killing),
            Action::Yank => {
                let killed = self.fitting(&self.killed);
                self.editor_mut().insert(&killed);
            }
            Action::Transpose => self.editor_mut().transpose(),
            Action::Undo => self.editor_mut().undo(),
            Action::Discard => self.discard(),
            Action::Search if self.password.is_none() => self.search = Some(Search::default()),
            Action::GiveUp | Action::Escape => match cycle {
                Some(cycle) => cycle.give_up(&mut self.draft.editor),
                None => return ComposerOutcome::Unused(key),
            },
            Action::Complete => self.complete(cycle, completer, false),
            Action::CompleteBack => self.complete(cycle, completer, true),
            Action::Prefix => self.is_prefixed = true,
            Action::BreakLine | Action::Search => {}
        }
        ComposerOutcome::Changed
    }

    /// Inserts a pasted text at the cursor, or asks before that if it has more than 5 lines or does
    /// not fit as a whole (64 KiB). It is never submitted by itself. Of a text that is pasted into a
    /// password or a search, only the first line counts.
    pub fn paste(&mut self, text: &str) -> ComposerOutcome {
        self.end_combinations();
        if let Some(password) = &mut self.password {
            password.insert(&clean_line(text));
        } else if let Some(search) = &mut self.search {
            search.extend(&clean_line(text), &self.history);
        } else {
            let clean = clean(text, self.draft.editor.free_bytes());
            let lines = clean.lines();
            if clean.is_cut || lines > MAX_UNASKED_LINES {
                self.pasted = Some(clean.text);
                return ComposerOutcome::AskPaste { lines, is_cut: clean.is_cut };
            }
            self.draft.editor.insert(&clean.text);
        }
        ComposerOutcome::Changed
    }

    /// Inserts the text of the latest [`ComposerOutcome::AskPaste`], or forgets it.
    pub fn confirm_paste(&mut self, is_wanted: bool) {
        if let Some(text) = self.pasted.take().filter(|_| is_wanted) {
            self.draft.editor.insert(&text);
        }
    }

    /// Returns the text; the password while one is typed.
    #[must_use]
    pub fn text(&self) -> String {
        self.editor().text().to_owned()
    }

    /// Returns true if the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.editor().text().is_empty()
    }

    /// Replaces the whole text, as far as it fits (64 KiB). The cursor goes to the end. Ctrl-_ brings
    /// the old text back.
    pub fn set_text(&mut self, text: &str) {
        self.end_combinations();
        self.search = None;
        let text = self.fitting(text);
        let editor = self.editor_mut();
        editor.replace(0..editor.text().len(), &text);
    }

    /// Inserts a text at the cursor, as far as it fits (64 KiB), without a question.
    pub fn insert(&mut self, text: &str) {
        self.end_combinations();
        self.search = None;
        let text = self.fitting(text);
        self.editor_mut().insert(&text);
    }

    /// Removes the text and how it came about. The history does not keep it.
    pub fn clear(&mut self) {
        self.end_combinations();
        self.search = None;
        match &mut self.password {
            Some(password) => *password = Editor::default(),
            None => self.draft = Draft::default(),
        }
    }

    /// Returns the number of rows that the input line takes in an area with `width` columns, at
    /// least 1.
    #[must_use]
    pub fn rows(&self, width: u16) -> u16 {
        self.shown().rows(width)
    }

    /// Draws the input line; if the area is too low, the rows around the cursor. Replaces the
    /// characters of the area and keeps its style, except for the prompt of a search, which is dim,
    /// and what was searched for, which is underlined. Returns where the terminal's cursor goes,
    /// which is in the area.
    pub fn draw(&mut self, area: Rect, buffer: &mut Buffer) -> Position {
        self.width = area.width;
        let mut top = self.top;
        let cursor = self.shown().draw(area, &mut top, buffer);
        self.top = top;
        cursor
    }

    /// Takes the text out, to be restored when its room is shown again. Ends a search and a
    /// completion, and forgets a pasted text that is not confirmed. A password is no draft and
    /// stays.
    pub fn take_draft(&mut self) -> Draft {
        self.end_combinations();
        self.search = None;
        self.pasted = None;
        mem::take(&mut self.draft)
    }

    /// Puts a text back with its cursor, in place of the present one.
    pub fn restore_draft(&mut self, draft: Draft) {
        self.take_draft();
        self.draft = draft;
    }

    /// Begins to ask for a password, or ends that. A password is shown as dots. It has neither
    /// history nor completion, and what is deleted in it is not kept. The text that was being
    /// written is there again afterwards.
    pub fn set_masked(&mut self, is_masked: bool) {
        if is_masked != self.is_masked() {
            self.end_combinations();
            self.search = None;
            self.password = is_masked.then(Editor::default);
        }
    }

    /// Returns true while a password is asked for.
    #[must_use]
    pub const fn is_masked(&self) -> bool {
        self.password.is_some()
    }

    /// Returns the candidates of the completion that is going on, and the index of the one that is
    /// in the text. `None`: there is no completion, or only one candidate.
    #[must_use]
    pub fn candidates(&self) -> Option<(&[Candidate], usize)> {
        self.cycle.as_ref().map(Cycle::candidates)
    }

    /// Sets the maximum size of a message in bytes, which the server says.
    pub const fn set_max_bytes(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
    }

    /// Returns by how many bytes the message is too long. While it is, Enter does nothing. 0 for
    /// passwords and commands, except `/me`.
    #[must_use]
    pub fn bytes_over(&self) -> usize {
        if self.is_masked() {
            return 0;
        }
        let line = self.editor().text().trim_end_matches('\n');
        message_bytes(line).unwrap_or(0).saturating_sub(self.max_bytes)
    }

    /// Returns the text that is being edited.
    fn editor(&self) -> &Editor {
        self.password.as_ref().unwrap_or(&self.draft.editor)
    }

    /// Returns the text that is being edited, for changing it.
    fn editor_mut(&mut self) -> &mut Editor {
        self.password.as_mut().unwrap_or(&mut self.draft.editor)
    }

    /// Returns what is shown.
    fn shown(&self) -> ShownText<'_> {
        match (&self.password, &self.search) {
            (Some(password), _) => ShownText::masked(password),
            (None, Some(search)) => ShownText::search(search, &self.history),
            (None, None) => ShownText::plain(&self.draft.editor),
        }
    }

    /// Makes a text harmless for the place where it is inserted: a password has only one line.
    fn fitting(&self, text: &str) -> String {
        if self.is_masked() { clean_line(text) } else { clean(text, MAX_TEXT_BYTES).text }
    }

    /// Ends everything that consists of several keys in a row, except a search.
    fn end_combinations(&mut self) {
        self.cycle = None;
        self.is_killing = false;
        self.is_prefixed = false;
    }

    /// Handles the key after Ctrl-X. Only Ctrl-E does something.
    fn finish_prefix(&self, key: &KeyEvent) -> ComposerOutcome {
        let is_edit = key.code == KeyCode::Char('e') && key.modifiers == KeyModifiers::CONTROL;
        if is_edit && !self.is_masked() {
            ComposerOutcome::OpenEditor(self.text())
        } else {
            ComposerOutcome::Changed
        }
    }

    /// Handles a key in a search. Returns `None` if the search has ended and the key still has to
    /// be handled.
    fn search_on(&mut self, mut search: Search, action: Action) -> Option<ComposerOutcome> {
        match action {
            Action::Type(c) => {
                search.extend(&clean_line(c.encode_utf8(&mut [0; 4])), &self.history);
            }
            Action::DeleteLeft => search.shorten(&self.history),
            Action::Search => search.go_older(&self.history),
            Action::GiveUp | Action::Discard => return Some(ComposerOutcome::Changed),
            // Nothing is sent that is not shown.
            Action::Submit if search.found().is_none() => {}
            _ => {
                if let Some(number) = search.found() {
                    let Draft { editor, browse } = &mut self.draft;
                    browse.take(number, &self.history, editor);
                }
                return None;
            }
        }
        self.search = Some(search);
        Some(ComposerOutcome::Changed)
    }

    /// Takes the text out, and keeps it in the history. Does nothing if the message is too long.
    fn submit(&mut self) -> ComposerOutcome {
        if self.bytes_over() > 0 {
            return ComposerOutcome::Changed;
        }
        if let Some(password) = &mut self.password {
            return ComposerOutcome::Submit(mem::take(password).text().to_owned());
        }
        self.keep_in_history();
        let submitted = mem::take(&mut self.draft.editor);
        ComposerOutcome::Submit(submitted.text().trim_end_matches('\n').to_owned())
    }

    /// Keeps a text in the history, as if it had been entered.
    pub fn remember(&mut self, text: &str) {
        self.history.push(text);
    }

    /// Removes the text. The history keeps it, and Ctrl-_ brings it back.
    pub fn discard(&mut self) {
        if self.is_masked() || self.is_empty() {
            self.clear();
        } else {
            self.keep_in_history();
            let editor = &mut self.draft.editor;
            editor.replace(0..editor.text().len(), "");
        }
    }

    /// Keeps the text in the history, and before it the new text that was being written when the
    /// user began to go through the history.
    fn keep_in_history(&mut self) {
        if let Some(begun) = self.draft.browse.finish() {
            self.history.push(&begun);
        }
        self.history.push(self.draft.editor.text().trim_end_matches('\n'));
    }

    /// Moves the cursor by a row, or goes through the history if there is no such row. In a
    /// password, does nothing.
    fn go_by_row(&mut self, is_up: bool) {
        if self.is_masked() {
            return;
        }
        let Draft { editor, browse } = &mut self.draft;
        let layout = Layout::new(editor.text(), self.width);
        match (editor.move_by_row(&layout, is_up), is_up) {
            (true, _) => {}
            (false, true) => browse.go_older(&self.history, editor),
            (false, false) => browse.go_newer(&self.history, editor),
        }
    }

    /// Deletes the text up to where a movement leads, and keeps it for Ctrl-Y, together with what
    /// the key before has killed. What is deleted in a password is not kept. A movement to the
    /// beginning or the end of a line that leads nowhere deletes the line break.
    fn kill(&mut self, motion: Motion, was_killing: bool) {
        let from = self.editor().cursor();
        let mut to = target(self.editor(), motion);
        if to == from {
            to = match motion {
                Motion::LineStart => self.editor().left(),
                Motion::LineEnd => self.editor().right(),
                _ => to,
            };
        }
        let killed = self.editor_mut().remove_to(to);
        if self.is_masked() {
            return;
        }
        self.is_killing = true;
        if !was_killing {
            self.killed = killed;
        } else if to < from {
            self.killed.insert_str(0, &killed);
        } else {
            self.killed += &killed;
        }
    }

    /// Begins a completion or shows its next candidate. In a password, does nothing.
    fn complete(&mut self, cycle: Option<Cycle>, completer: &dyn Completer, is_back: bool) {
        if self.is_masked() {
            return;
        }
        let editor = &mut self.draft.editor;
        self.cycle = match cycle {
            Some(mut cycle) => {
                cycle.go_on(editor, is_back);
                Some(cycle)
            }
            None => Cycle::begin(editor, completer, is_back),
        };
    }
}

/// Returns where a movement leads. Movements to the beginning and the end of a line stay in it.
fn target(editor: &Editor, motion: Motion) -> usize {
    match motion {
        Motion::Left => editor.left(),
        Motion::Right => editor.right(),
        Motion::WordLeft => editor.word_left(),
        Motion::WordRight => editor.word_right(),
        Motion::BlankWordLeft => editor.blank_word_left(),
        Motion::LineStart => editor.line_start(),
        Motion::LineEnd => editor.line_end(),
    }
}
