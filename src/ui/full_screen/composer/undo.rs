//! Undoing of changes of the text.

use std::collections::VecDeque;

/// Maximum number of changes that are kept.
const MAX_CHANGES: usize = 200;

/// Maximum size of the kept changes in total, in bytes; the latest is kept even if it is larger.
const MAX_BYTES: usize = 128 * 1024;

/// Change of a text: at one place a piece was replaced by another.
#[derive(Clone)]
pub(super) struct Change {
    /// Where the pieces begin, in bytes.
    pub(super) at: usize,
    /// Piece that was there before.
    pub(super) removed: String,
    /// Piece that is there since.
    pub(super) inserted: String,
    /// Offset of the cursor before the change, in bytes.
    pub(super) cursor: usize,
    /// True if the piece was typed: what is typed next is undone together with it.
    pub(super) is_typed: bool,
}

impl Change {
    /// Returns the size of both pieces in bytes.
    fn len(&self) -> usize {
        self.removed.len() + self.inserted.len()
    }

    /// Returns true if `next` goes on typing the same word.
    fn is_continued_by(&self, next: &Self) -> bool {
        let is_new_word = self.inserted.ends_with(char::is_whitespace)
            && !next.inserted.starts_with(char::is_whitespace);
        let is_adjacent = next.at == self.at + self.inserted.len() && next.removed.is_empty();
        self.is_typed && next.is_typed && is_adjacent && !is_new_word
    }
}

/// Latest changes of a text, for undoing them.
#[derive(Clone, Default)]
pub(super) struct UndoStack {
    /// Changes, the latest last.
    changes: VecDeque<Change>,
    /// Size of all changes, in bytes.
    bytes: usize,
}

impl UndoStack {
    /// Notes a change. A word that is typed becomes one change. Forgets the oldest changes if there
    /// are too many.
    pub(super) fn push(&mut self, change: Change) {
        self.bytes += change.len();
        match self.changes.back_mut() {
            Some(last) if last.is_continued_by(&change) => last.inserted += &change.inserted,
            _ => self.changes.push_back(change),
        }
        while self.changes.len() > MAX_CHANGES || (self.bytes > MAX_BYTES && self.changes.len() > 1)
        {
            self.bytes -= self.changes.pop_front().map_or(0, |it| it.len());
        }
    }

    /// Takes the latest change out.
    pub(super) fn pop(&mut self) -> Option<Change> {
        let change = self.changes.pop_back()?;
        self.bytes -= change.len();
        Some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a change that inserts `text` at `at`.
    fn typed(at: usize, text: &str) -> Change {
        let inserted = text.to_owned();
        Change { at, removed: String::new(), inserted, cursor: at, is_typed: true }
    }

    /// Typed characters are undone word by word.
    #[test]
    fn typed_words_are_one_change_each() {
        let mut stack = UndoStack::default();
        for (at, c) in "hi you".char_indices() {
            stack.push(typed(at, &c.to_string()));
        }
        stack.push(typed(0, "x"));
        let words: Vec<_> = std::iter::from_fn(|| stack.pop()).map(|it| it.inserted).collect();
        assert_eq!(words, ["x", "you", "hi "]);
        assert_eq!(stack.bytes, 0);
    }

    /// Number and size of the changes are limited; the latest is always kept.
    #[test]
    fn old_changes_are_forgotten() {
        let mut stack = UndoStack::default();
        for _ in 0..2 * MAX_CHANGES {
            stack.push(typed(9, "x"));
        }
        assert_eq!((stack.changes.len(), stack.bytes), (MAX_CHANGES, MAX_CHANGES));
        stack.push(typed(3, &"x".repeat(MAX_BYTES + 1)));
        assert_eq!((stack.changes.len(), stack.bytes), (1, MAX_BYTES + 1));
    }
}
