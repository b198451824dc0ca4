//! The line that is being edited, and the number of rows of the terminal that it takes.

use std::sync::{Arc, Mutex, PoisonError};

use unicode_width::UnicodeWidthChar;

/// Prompt and text of the line that is being edited. The reading thread updates them. The thread
/// that handles changes of the window's size reads them.
#[derive(Clone, Debug, Default)]
pub(super) struct EditedLine(Arc<Mutex<LineState>>);

/// State of the line.
#[derive(Debug, Default)]
struct LineState {
    /// Prompt before the text.
    prompt: String,
    /// Typed text; `None` between lines.
    text: Option<String>,
    /// Offset of the cursor in the text, in bytes, at the last change of the text.
    cursor: usize,
}

impl EditedLine {
    /// Sets the prompt of the next line.
    pub(super) fn set_prompt(&self, prompt: &str) {
        self.update(|it| prompt.clone_into(&mut it.prompt));
    }

    /// Sets the text and the offset of the cursor in it, in bytes.
    pub(super) fn set_text(&self, text: &str, cursor: usize) {
        self.update(|it| {
            text.clone_into(it.text.get_or_insert_default());
            it.cursor = cursor;
        });
    }

    /// Marks the line as finished.
    pub(super) fn end(&self) {
        self.update(|it| it.text = None);
    }

    /// Returns the number of rows to move the cursor down after the terminal was widened from
    /// `before` to `after` columns. Without the move, the editor would erase rows above the line
    /// when it draws the line again. Zero if no such row is in danger.
    ///
    /// The editor moves up by the number of rows that the line had before. But many terminals join
    /// wrapped rows when they get wider, so the line's beginning is nearer to the cursor than
    /// before.
    pub(super) fn rows_in_danger(&self, before: usize, after: usize) -> usize {
        self.update(|it| {
            let Some(text) = &it.text else { return 0 };
            let whole = format!("{}{text}", it.prompt);
            let to_cursor = format!("{}{}", it.prompt, text.get(..it.cursor).unwrap_or(text));
            let rows = rows_of(&whole, before);
            let joined = rows.saturating_sub(rows_of(&whole, after));
            if joined == 0 {
                return 0;
            }
            // The editor first moves down to the last row. That may fail at the end of the screen.
            joined + rows.saturating_sub(rows_of(&to_cursor, before))
        })
    }

    /// Locks the state, calls a function with it, and returns the function's result.
    fn update<T>(&self, change: impl FnOnce(&mut LineState) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns the number of rows from the beginning of a text down to its end, on a terminal with this
/// number of columns. Counts as the editor does: a text that fills its last row ends on the next
/// one.
fn rows_of(text: &str, columns: usize) -> usize {
    let (mut row, mut column) = (0, 0);
    for c in text.chars() {
        if c == '\n' {
            (row, column) = (row + 1, 0);
            continue;
        }
        let width = c.width().unwrap_or(0);
        column += width;
        if column > columns {
            (row, column) = (row + 1, width);
        }
    }
    row + usize::from(column == columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_the_editor_does() {
        for (text, columns, rows) in [
            ("", 10, 0),
            ("123456789", 10, 0),
            ("1234567890", 10, 1),
            ("12345678901", 10, 1),
            ("12\n34", 10, 1),
            // A wide character is not split.
            ("123456789日", 10, 1),
        ] {
            assert_eq!(rows_of(text, columns), rows, "{text}");
        }
    }

    #[test]
    fn rows_are_in_danger_where_wrapped_ones_are_joined() {
        let line = EditedLine::default();
        line.set_prompt("> ");
        assert_eq!(line.rows_in_danger(40, 80), 0);
        line.set_text(&"x".repeat(60), 60);
        assert_eq!(line.rows_in_danger(40, 80), 1);
        assert_eq!(line.rows_in_danger(20, 80), 3);
        assert_eq!(line.rows_in_danger(100, 120), 0);
        // The cursor in the first row: the editor moves down before it moves up.
        line.set_text(&"x".repeat(60), 0);
        assert_eq!(line.rows_in_danger(40, 80), 2);
        // Lines that were pasted are not joined.
        line.set_text("one\ntwo", 7);
        assert_eq!(line.rows_in_danger(40, 80), 0);
        line.end();
        assert_eq!(line.rows_in_danger(20, 80), 0);
    }
}
