//! Scrolling: by rows of the screen, fast and without a jump when lines are added.

use ratatui::layout::Size;

use super::App;
use super::conversation::{Older, Scroll};
use crate::model::Dialect;
use crate::ui::full_screen::layout::areas;
use crate::ui::full_screen::rows::{item_count, rows_of};

/// Number of older messages requested at a time.
const OLDER_MESSAGES: u16 = 100;

/// Lowest row of the window: `below` rows of the item with this index are below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Anchor {
    /// Index of the item.
    index: usize,
    /// Number of its rows below the window.
    below: usize,
}

impl App {
    /// Scrolls up by this many rows, at most to the first one. There, older messages are requested.
    pub(super) fn scroll_up(&mut self, rows: usize) {
        let count = item_count(self);
        if count == 0 {
            return self.request_older();
        }
        let width = self.message_width();
        let top = self.top_anchor();
        let mut at = self.anchor();
        at.below = at.below.saturating_add(rows);
        while at.index > top.map_or(0, |it| it.index) {
            let height = rows_of(self, at.index, width).len();
            if at.below < height {
                break;
            }
            at.below -= height;
            at.index -= 1;
        }
        let Some(top) = top else {
            return self.request_older();
        };
        let is_at_top = at.index < top.index || (at.index == top.index && at.below >= top.below);
        self.set_anchor(if is_at_top { top } else { at });
        if is_at_top {
            self.request_older();
        }
    }

    /// Scrolls down by this many rows, at most to the end.
    pub(super) fn scroll_down(&mut self, rows: usize) {
        let width = self.message_width();
        let mut at = self.anchor();
        let mut left = rows;
        while left > at.below {
            left -= at.below;
            at = Anchor { index: at.index + 1, below: 0 };
            if at.index >= self.end_of_lines() {
                self.shown_mut().scroll = Scroll::End;
                return self.load_newer();
            }
            at.below = rows_of(self, at.index, width).len();
        }
        at.below -= left;
        self.set_anchor(at);
    }

    /// Returns to the newest message of the conversation.
    pub(super) fn scroll_to_end(&mut self) {
        self.close_context();
        self.conversations.current_mut().scroll = Scroll::End;
    }

    /// Returns the lowest row that is shown.
    fn anchor(&self) -> Anchor {
        let conversation = self.shown();
        match conversation.scroll {
            Scroll::End => Anchor { index: item_count(self).saturating_sub(1), below: 0 },
            Scroll::At { line, below } => {
                let index = conversation.index_of(line);
                // In a wider window the line has fewer rows than when it was scrolled.
                let rows = rows_of(self, index, self.message_width()).len();
                Anchor { index, below: below.min(rows.saturating_sub(1)) }
            }
        }
    }

    /// Returns the width of the window with the messages.
    fn message_width(&self) -> u16 {
        areas(self).messages.width
    }

    /// Returns the number of items that the window can be scrolled to: without the user's messages
    /// on their way.
    fn end_of_lines(&self) -> usize {
        item_count(self) - self.shown().pending().len()
    }

    /// Returns the anchor with which the first row is the highest one shown; `None` if all rows fit
    /// into the window.
    fn top_anchor(&self) -> Option<Anchor> {
        let Size { width, height } = areas(self).messages.as_size();
        let height = usize::from(height).max(1);
        let mut rows = 0;
        let mut top = None;
        for index in 0..item_count(self) {
            rows += rows_of(self, index, width).len();
            if rows >= height {
                top = top.or(Some(Anchor { index, below: rows - height }));
            }
            if rows > height {
                return top;
            }
        }
        None
    }

    /// Scrolls so that this is the lowest row.
    fn set_anchor(&mut self, at: Anchor) {
        let last = item_count(self).saturating_sub(1);
        let conversation = self.shown_mut();
        let is_end = at.index > last || (at.index == last && at.below == 0);
        // The user's messages on their way are passed in one step.
        let is_pending = at.index >= conversation.lines().len();
        let (line, below) = match conversation.lines().get(at.index) {
            Some(line) => (Some(line), at.below),
            None => (conversation.lines().back(), 0),
        };
        conversation.scroll = match line {
            Some(line) if !is_end && (!is_pending || !conversation.pending().is_empty()) => {
                Scroll::At { line: line.id, below }
            }
            _ => Scroll::End,
        };
    }

    /// Scrolls so that the item with this index is in the middle.
    pub(super) fn center(&mut self, index: usize) {
        let Size { width, height } = areas(self).messages.as_size();
        let height = usize::from(height);
        let mut at = Anchor { index, below: 0 };
        let mut left = height.saturating_sub(rows_of(self, index, width).len()) / 2;
        while left > 0 && at.index + 1 < item_count(self) {
            at.index += 1;
            let rows = rows_of(self, at.index, width).len();
            at.below = rows.saturating_sub(left);
            left = left.saturating_sub(rows);
        }
        self.set_anchor(at);
        self.fill_window();
    }

    /// Keeps the window full while the user reads back: the terminal's size may have changed, and
    /// lines above may have been forgotten.
    pub fn keep_window_full(&mut self) {
        if self.shown().scroll != Scroll::End {
            self.fill_window();
        }
    }

    /// Scrolls down so far that no rows at the top of the window are empty.
    pub(super) fn fill_window(&mut self) {
        let at = self.anchor();
        let Some(top) = self.top_anchor() else {
            self.shown_mut().scroll = Scroll::End;
            return;
        };
        if at.index < top.index || (at.index == top.index && at.below > top.below) {
            self.set_anchor(top);
        }
    }

    /// Requests older messages of the room, unless they are on their way or there are none.
    fn request_older(&mut self) {
        if self.shown().is_full() {
            self.shown_mut().older = Older::Full;
        } else if self.dialect() == Dialect::Server && self.connection.is_up() {
            self.load_older(OLDER_MESSAGES);
        }
    }
}
