//! Drawing of the input line.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::buffer::{Buffer, CellWidth as _};
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};
use unicode_segmentation::UnicodeSegmentation as _;

use super::editor::Editor;
use super::history::History;
use super::layout::{Layout, Piece, pieces};
use super::search::Search;
use crate::text;

/// What is shown for each character of a password.
const MASK: &str = "•";

/// What is shown in place of a character that is not visible by itself, and below an accent without
/// a letter.
const DOTTED_CIRCLE: char = '◌';

/// What is shown in place of a wide character in an area of one column.
const TOO_WIDE: &str = "…";

/// Text as it is shown, with its cursor.
pub(super) struct ShownText<'a> {
    /// The text.
    text: Cow<'a, str>,
    /// Offset of the cursor, in bytes.
    cursor: usize,
    /// Number of bytes at the beginning that are a prompt.
    prompt: usize,
    /// Part that was searched for.
    found: Range<usize>,
}

impl<'a> ShownText<'a> {
    /// Shows a text as it is.
    pub(super) fn plain(editor: &'a Editor) -> Self {
        let text = Cow::Borrowed(editor.text());
        Self { text, cursor: editor.cursor(), prompt: 0, found: 0..0 }
    }

    /// Shows a password: a dot for each character.
    pub(super) fn masked(editor: &Editor) -> Self {
        let dots = |text: &str| MASK.repeat(text.graphemes(true).count());
        let cursor = dots(editor.before_cursor()).len();
        Self { text: dots(editor.text()).into(), cursor, prompt: 0, found: 0..0 }
    }

    /// Shows a search with the line that was found. The cursor stands behind what is searched for.
    pub(super) fn search(search: &Search, history: &History) -> Self {
        let line = search.found().and_then(|it| history.get(it));
        let is_failing = line.is_none() && !search.query().is_empty();
        let result = if is_failing { text!("typed-not-found") } else { text!("typed-search") };
        let before_cursor = format!("({result}) '{}", search.query());
        let prompt = format!("{before_cursor}': ");
        let text = format!("{prompt}{}", line.unwrap_or_default()).into();
        let part = search.found_part();
        let found = prompt.len() + part.start..prompt.len() + part.end;
        Self { text, cursor: before_cursor.len(), prompt: prompt.len(), found }
    }

    /// Returns the number of rows that the text takes, at least 1.
    pub(super) fn rows(&self, width: u16) -> u16 {
        u16::try_from(Layout::new(&self.text, width).rows().len()).unwrap_or(u16::MAX)
    }

    /// Draws the rows from `top` on, which is moved so that the cursor is in the area. Replaces the
    /// characters of the area, not its style. Returns where the cursor is.
    pub(super) fn draw(&self, area: Rect, top: &mut usize, buffer: &mut Buffer) -> Position {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return area.as_position();
        }
        let layout = Layout::new(&self.text, area.width);
        let (cursor_row, cursor_column) = layout.position(&self.text, self.cursor);
        let height = usize::from(area.height);
        // Rows are not left free at the end while others are hidden.
        let last_top = layout.rows().len().saturating_sub(height);
        let lowest = (cursor_row + 1).saturating_sub(height);
        *top = (*top).min(last_top).clamp(lowest, cursor_row);
        let shown = layout.rows().iter().skip(*top);
        let mut cursor = area.as_position();
        for (index, (position, row)) in area.rows().zip(shown).enumerate() {
            clear(position, buffer);
            if index + *top == cursor_row {
                cursor = Position::new(position.x.saturating_add(cursor_column), position.y);
            }
            let part = self.text.get(row.start..row.end).unwrap_or_default();
            let mut x = position.x;
            for piece in pieces(part, row.start, area.width) {
                x = draw_piece(&piece, self.style(piece.start), x, position, buffer);
            }
        }
        for position in area.rows().skip(layout.rows().len().saturating_sub(*top)) {
            clear(position, buffer);
        }
        cursor
    }

    /// Returns the style of the character at an offset.
    fn style(&self, offset: usize) -> Style {
        if offset < self.prompt {
            Style::new().add_modifier(Modifier::DIM)
        } else if self.found.contains(&offset) {
            Style::new().add_modifier(Modifier::UNDERLINED)
        } else {
            Style::new()
        }
    }
}

/// Draws a piece at column `x` of a row. Returns the column behind it.
fn draw_piece(piece: &Piece<'_>, style: Style, x: u16, row: Rect, buffer: &mut Buffer) -> u16 {
    let next = x.saturating_add(piece.columns);
    let symbol = if next > row.right() { TOO_WIDE.into() } else { symbol(piece.text) };
    if let Some(cell) = buffer.cell_mut((x, row.y)) {
        cell.set_symbol(&symbol).set_style(style);
    }
    // The terminal draws a wide character over the cells that follow.
    for hidden in x.saturating_add(1)..next.min(row.right()) {
        if let Some(cell) = buffer.cell_mut((hidden, row.y)) {
            cell.set_symbol(" ").set_style(style);
        }
    }
    next
}

/// Returns what is drawn for a cluster: something that has a width. What has none, such as an accent
/// without a letter, gets a circle; characters that are never visible are only the circle.
pub(super) fn symbol(cluster: &str) -> Cow<'_, str> {
    if cluster.cell_width() > 0 {
        return cluster.into();
    }
    let is_visible = |c: &char| c.general_category_group() != GeneralCategoryGroup::Other;
    [DOTTED_CIRCLE].into_iter().chain(cluster.chars().filter(is_visible)).collect()
}

/// Puts spaces into a row.
fn clear(row: Rect, buffer: &mut Buffer) {
    for position in row.positions() {
        if let Some(cell) = buffer.cell_mut(position) {
            cell.set_symbol(" ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws an editor, and returns the rows and the position of the cursor.
    fn drawn(editor: &Editor, width: u16, height: u16) -> (Vec<String>, (u16, u16)) {
        let area = Rect::new(3, 2, width, height);
        let mut buffer = Buffer::filled(Rect::new(0, 0, 30, 9), ratatui::buffer::Cell::new("#"));
        let mut top = 0;
        let cursor = ShownText::plain(editor).draw(area, &mut top, &mut buffer);
        let symbol = |position| buffer[position].symbol();
        let rows = area.rows().map(|row| row.positions().map(symbol).collect()).collect();
        (rows, (cursor.x - area.x, cursor.y - area.y))
    }

    /// The cursor is where the next character appears, also behind wide ones and between rows.
    #[test]
    fn cursor_is_behind_its_character() {
        let mut editor = Editor::new("e\u{301}漢👩‍👧");
        assert_eq!(drawn(&editor, 8, 1), (vec!["e\u{301}漢 👩‍👧    ".into()], (5, 0)));
        editor.move_to(3);
        assert_eq!(drawn(&editor, 8, 1).1, (1, 0));
        editor.insert("\n");
        assert_eq!(drawn(&editor, 8, 2).1, (0, 1));
    }

    /// If the area is too low, the rows around the cursor are shown.
    #[test]
    fn rows_follow_the_cursor() {
        let mut editor = Editor::new("1\n2\n3\n4");
        assert_eq!(drawn(&editor, 2, 2), (vec!["3 ".into(), "4 ".into()], (1, 1)));
        editor.move_to(0);
        assert_eq!(drawn(&editor, 2, 2), (vec!["1 ".into(), "2 ".into()], (0, 0)));
    }

    /// Marks without a letter and invisible characters are seen.
    #[test]
    fn characters_without_width_are_seen() {
        let editor = Editor::new("\u{301}x\n\u{ad}\u{11a8}");
        let rows = vec!["◌\u{301}x  ".into(), "◌◌\u{11a8}  ".into()];
        assert_eq!(drawn(&editor, 4, 2), (rows, (2, 1)));
    }

    /// Areas outside the buffer and without cells draw nothing.
    #[test]
    fn areas_are_cut_to_the_buffer() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 1));
        let editor = Editor::new("abcdef");
        let shown = ShownText::plain(&editor);
        for area in [Rect::new(9, 9, 5, 5), Rect::new(0, 0, 0, 1), Rect::ZERO] {
            shown.draw(area, &mut 0, &mut buffer);
            assert_eq!(buffer, Buffer::empty(Rect::new(0, 0, 4, 1)));
        }
        let cursor = shown.draw(Rect::new(2, 0, 9, 9), &mut 0, &mut buffer);
        assert!(buffer.area.contains(cursor));
        assert_eq!(shown.draw(Rect::new(0, 0, 1, 1), &mut 0, &mut buffer), Position::new(0, 0));
    }
}
