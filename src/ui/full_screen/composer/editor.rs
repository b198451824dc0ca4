//! A text with a cursor, and undoing.

use std::ops::Range;

use super::clusters::{
    blank_word_start, boundary_from, first_bytes, line_end, line_start, next_boundary,
    previous_boundary, word_end, word_start,
};
use super::layout::Layout;
use super::undo::{Change, UndoStack};

/// Maximum size of a text, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Text with a cursor, and undoing. The cursor stands between grapheme clusters.
#[derive(Clone, Default)]
pub(super) struct Editor {
    /// Text; at most [`MAX_TEXT_BYTES`].
    text: String,
    /// Offset of the cursor, in bytes.
    cursor: usize,
    /// Changes that can be undone.
    undo: UndoStack,
    /// Column in which the cursor would be if all rows were long enough, while it moves up and down.
    wanted_column: Option<u16>,
}

impl Editor {
    /// Creates an editor with a text, the cursor at its end.
    pub(super) fn new(text: &str) -> Self {
        let text = first_bytes(text, MAX_TEXT_BYTES).to_owned();
        Self { cursor: text.len(), text, ..Self::default() }
    }

    /// Returns the text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the offset of the cursor, in bytes.
    pub(super) const fn cursor(&self) -> usize {
        self.cursor
    }

    /// Returns the text before the cursor.
    pub(super) fn before_cursor(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// Returns how many bytes can still be inserted.
    pub(super) const fn free_bytes(&self) -> usize {
        MAX_TEXT_BYTES.saturating_sub(self.text.len())
    }

    /// Inserts a text at the cursor, as far as it fits, to be undone as a whole.
    pub(super) fn insert(&mut self, text: &str) {
        self.change(self.cursor..self.cursor, text, false);
    }

    /// Inserts what is typed at the cursor, as far as it fits. It is undone together with the
    /// characters of the same word.
    pub(super) fn type_text(&mut self, text: &str) {
        self.change(self.cursor..self.cursor, text, true);
    }

    /// Replaces a part of the text, as far as the new part fits. The cursor goes behind it.
    pub(super) fn replace(&mut self, range: Range<usize>, text: &str) {
        self.change(range, text, false);
    }

    /// Removes the part of the text between the cursor and `offset`, and returns it.
    pub(super) fn remove_to(&mut self, offset: usize) -> String {
        let range = self.cursor.min(offset)..self.cursor.max(offset);
        self.change(range, "", false)
    }

    /// Undoes the latest change.
    pub(super) fn undo(&mut self) {
        let Some(change) = self.undo.pop() else {
            return;
        };
        let range = change.at..change.at + change.inserted.len();
        if self.text.get(range.clone()).is_some() {
            self.text.replace_range(range, &change.removed);
        }
        self.move_to(change.cursor);
    }

    /// Exchanges the clusters before and after the cursor, and moves the cursor behind them. At the
    /// end of a line, exchanges the two clusters before the cursor.
    pub(super) fn transpose(&mut self) {
        let is_at_end = self.cursor == line_end(&self.text, self.cursor);
        let middle =
            if is_at_end { previous_boundary(&self.text, self.cursor) } else { self.cursor };
        if middle <= line_start(&self.text, self.cursor) {
            return;
        }
        let range = previous_boundary(&self.text, middle)..next_boundary(&self.text, middle);
        let first = self.text.get(range.start..middle).unwrap_or_default();
        let second = self.text.get(middle..range.end).unwrap_or_default();
        let exchanged = format!("{second}{first}");
        self.replace(range, &exchanged);
    }

    /// Moves the cursor to an offset, or to the end of the cluster in which it is.
    pub(super) fn move_to(&mut self, offset: usize) {
        self.cursor = boundary_from(&self.text, offset);
        self.wanted_column = None;
    }

    /// Moves the cursor up or down by one row of a layout of the text. Returns false if it is in
    /// the first or last row already.
    pub(super) fn move_by_row(&mut self, layout: &Layout, is_up: bool) -> bool {
        let (row, column) = layout.position(&self.text, self.cursor);
        let wanted = self.wanted_column.unwrap_or(column);
        let target = if is_up { row.checked_sub(1) } else { row.checked_add(1) };
        let Some(offset) = target.and_then(|it| layout.offset(&self.text, it, wanted)) else {
            return false;
        };
        self.move_to(offset);
        self.wanted_column = Some(wanted);
        true
    }

    /// Returns where the cluster before the cursor begins.
    pub(super) fn left(&self) -> usize {
        previous_boundary(&self.text, self.cursor)
    }

    /// Returns where the cluster after the cursor ends.
    pub(super) fn right(&self) -> usize {
        next_boundary(&self.text, self.cursor)
    }

    /// Returns where the word before the cursor begins.
    pub(super) fn word_left(&self) -> usize {
        word_start(&self.text, self.cursor)
    }

    /// Returns where the word before the cursor begins, if only whitespace separates words.
    pub(super) fn blank_word_left(&self) -> usize {
        blank_word_start(&self.text, self.cursor)
    }

    /// Returns where the word after the cursor ends.
    pub(super) fn word_right(&self) -> usize {
        word_end(&self.text, self.cursor)
    }

    /// Returns where the line of the cursor begins.
    pub(super) fn line_start(&self) -> usize {
        line_start(&self.text, self.cursor)
    }

    /// Returns where the line of the cursor ends.
    pub(super) fn line_end(&self) -> usize {
        line_end(&self.text, self.cursor)
    }

    /// Replaces a part of the text, as far as the new part fits, notes that for undoing, and moves
    /// the cursor behind the new part. Returns the old part. Does nothing if `range` is not in the
    /// text, or if nothing would change.
    fn change(&mut self, range: Range<usize>, text: &str, is_typed: bool) -> String {
        let Some(removed) = self.text.get(range.clone()).map(str::to_owned) else {
            return String::new();
        };
        let inserted = first_bytes(text, self.free_bytes() + removed.len()).to_owned();
        let end = range.start + inserted.len();
        if !(removed.is_empty() && inserted.is_empty()) {
            self.text.replace_range(range.clone(), &inserted);
            let (at, cursor) = (range.start, self.cursor);
            self.undo.push(Change { at, removed: removed.clone(), inserted, cursor, is_typed });
        }
        self.move_to(end);
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an editor with the text of `marked` and the cursor at its `|`.
    fn editor(marked: &str) -> Editor {
        let mut editor = Editor::new(&marked.replace('|', ""));
        editor.move_to(marked.find('|').unwrap());
        editor
    }

    /// Returns the text with a `|` at the cursor.
    fn marked(editor: &Editor) -> String {
        let mut text = editor.text.clone();
        text.insert(editor.cursor, '|');
        text
    }

    /// The cursor never stands in a cluster, even if characters join when a text is inserted.
    #[test]
    fn cursor_stands_between_clusters() {
        let mut joined = editor("|\u{301}x");
        joined.insert("e");
        assert_eq!(marked(&joined), "e\u{301}|x");
        joined.move_to(1);
        assert_eq!(marked(&joined), "e\u{301}|x");
    }

    /// Each change is undone, the cursor included.
    #[test]
    fn changes_are_undone() {
        let mut it = editor("one| two");
        it.insert("!");
        it.replace(0..3, "1");
        it.move_to(0);
        assert_eq!(it.remove_to(1), "1");
        assert_eq!(marked(&it), "|! two");
        it.undo();
        assert_eq!(marked(&it), "|1! two");
        it.undo();
        assert_eq!(marked(&it), "one!| two");
        it.undo();
        it.undo();
        assert_eq!(marked(&it), "one| two");
    }

    /// Clusters are exchanged as in Emacs, within a line.
    #[test]
    fn clusters_are_exchanged() {
        for (before, after) in [
            ("a|bc", "ba|c"),
            ("abc|", "acb|"),
            ("|ab", "|ab"),
            ("a|", "a|"),
            ("|", "|"),
            ("x\n|ab", "x\n|ab"),
            ("ab|\nx", "ba|\nx"),
            ("👩‍👧|e\u{301}", "e\u{301}👩‍👧|"),
        ] {
            let mut it = editor(before);
            it.transpose();
            assert_eq!(marked(&it), after, "{before}");
        }
    }

    /// A text has a maximum size, and is cut between characters.
    #[test]
    fn size_is_limited() {
        let mut it = Editor::new(&"x".repeat(MAX_TEXT_BYTES - 3));
        it.insert("éé");
        assert_eq!((it.text.len(), it.free_bytes()), (MAX_TEXT_BYTES - 1, 1));
        assert_eq!(Editor::new(&"é".repeat(MAX_TEXT_BYTES)).text.len(), MAX_TEXT_BYTES);
    }

    /// Up and down keep the column over shorter rows.
    #[test]
    fn column_is_kept_over_short_rows() {
        let mut it = editor("abcd|ef\nx\nabcdef");
        let layout = Layout::new(&it.text, 20);
        assert!(!it.move_by_row(&layout, true));
        assert!(it.move_by_row(&layout, false));
        assert_eq!(marked(&it), "abcdef\nx|\nabcdef");
        assert!(it.move_by_row(&layout, false));
        assert_eq!(marked(&it), "abcdef\nx\nabcd|ef");
        assert!(!it.move_by_row(&layout, false));
    }
}
