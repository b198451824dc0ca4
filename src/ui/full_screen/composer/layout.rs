//! Rows of a text in an area of the screen: where rows begin and end, and in which column a
//! character is.
//!
//! The widths are those with which ratatui draws, so a row that fits is drawn whole, and the cursor
//! stands where its character is.

use ratatui::buffer::CellWidth as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Row of a text: its part, in bytes, without a line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Where the row begins.
    pub(super) start: usize,
    /// Where the row ends.
    pub(super) end: usize,
    /// True if a line break or the end of the text follows, false if the line goes on in the next
    /// row.
    pub(super) is_end_of_line: bool,
}

/// Piece of a text that is drawn as a whole.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    /// Where it begins in the text, in bytes.
    pub(super) start: usize,
    /// Its text: a grapheme cluster, or a character of a cluster that is wider than the area.
    pub(super) text: &'a str,
    /// Number of columns, at least 1.
    pub(super) columns: u16,
}

impl Piece<'_> {
    /// Returns where the piece ends in the text, in bytes.
    const fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Rows of a text in an area.
///
/// Lines are broken after spaces and beside wide characters; longer words are broken anywhere. The
/// last column is left free for the cursor; only a space, or a character that would fit nowhere
/// else, may be there.
pub(super) struct Layout {
    /// Rows; at least one.
    rows: Vec<Row>,
    /// Number of columns of the area, at least 1.
    width: u16,
}

impl Layout {
    /// Lays out a text in an area with `width` columns; 0 is taken for 1.
    pub(super) fn new(text: &str, width: u16) -> Self {
        let width = width.max(1);
        let mut rows = Vec::new();
        let mut start = 0;
        for line in text.split('\n') {
            break_line(line, start, width, &mut rows);
            start += line.len() + 1;
        }
        let layout = Self { rows, width };
        layout.with_row_for_cursor(text)
    }

    /// Appends an empty row if the last one has no column left for the cursor behind it.
    fn with_row_for_cursor(mut self, text: &str) -> Self {
        if let Some(last) = self.rows.last_mut()
            && columns(text, last.start, last.end, self.width) >= self.width
        {
            last.is_end_of_line = false;
            let end = text.len();
            self.rows.push(Row { start: end, end, is_end_of_line: true });
        }
        self
    }

    /// Returns the rows.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Returns row and column of an offset of the text, both from 0. Where a line is broken, the
    /// offset is at the beginning of the next row.
    pub(super) fn position(&self, text: &str, offset: usize) -> (usize, u16) {
        let index = self.rows.partition_point(|it| it.start <= offset).saturating_sub(1);
        let start = self.rows.get(index).map_or(0, |it| it.start);
        (index, columns(text, start, offset, self.width).min(self.width.saturating_sub(1)))
    }

    /// Returns the offset of the piece at a column of a row, or of the last one before it.
    /// `None`: there is no such row.
    pub(super) fn offset(&self, text: &str, row: usize, column: u16) -> Option<usize> {
        let row = self.rows.get(row)?;
        let line = text.get(row.start..row.end).unwrap_or_default();
        let mut at = row.start;
        let mut begun = 0_u16;
        for piece in pieces(line, row.start, self.width) {
            let next = begun.saturating_add(piece.columns);
            // The end of a row that goes on belongs to the next one.
            if next > column || (piece.end() == row.end && !row.is_end_of_line) {
                break;
            }
            (at, begun) = (piece.end(), next);
        }
        Some(at)
    }
}

/// Returns the pieces of a part of the text without line breaks that begins at `start`. They fit in
/// an area with `width` columns, 2 or more.
pub(super) fn pieces(part: &str, start: usize, width: u16) -> impl Iterator<Item = Piece<'_>> {
    part.grapheme_indices(true).flat_map(move |(at, cluster)| {
        let columns = cluster_columns(cluster);
        let start = start + at;
        let is_whole = columns <= width;
        let whole = is_whole.then_some(Piece { start, text: cluster, columns });
        let to_split = if is_whole { "" } else { cluster };
        let characters = to_split.char_indices().map(move |(at, c)| {
            let text = to_split.get(at..at + c.len_utf8()).unwrap_or_default();
            Piece { start: start + at, text, columns: cluster_columns(text) }
        });
        whole.into_iter().chain(characters)
    })
}

/// Returns the number of columns of a cluster or a character. What has no width of its own, such as
/// an accent without a letter, gets a column, so that one can see it and go there.
fn cluster_columns(cluster: &str) -> u16 {
    cluster.cell_width().max(1)
}

/// Returns the number of columns of the text from `start` to `end`, which are in one row.
fn columns(text: &str, start: usize, end: usize, width: u16) -> u16 {
    let part = text.get(start..end).unwrap_or_default();
    pieces(part, start, width).fold(0, |sum, it| sum.saturating_add(it.columns))
}

/// Breaks a line into rows and appends them. `start`: where the line begins in the text, in bytes.
fn break_line(line: &str, start: usize, width: u16, rows: &mut Vec<Row>) {
    let for_text = width.saturating_sub(1).max(1);
    let mut row_start = start;
    // Columns of the row so far.
    let mut filled = 0_u16;
    // Last place in the row at which it can be broken, and the columns before it.
    let mut gap: Option<(usize, u16)> = None;
    let mut end_row = |row_start: &mut usize, end: usize| {
        rows.push(Row { start: *row_start, end, is_end_of_line: false });
        *row_start = end;
    };
    for piece in pieces(line, start, width) {
        let is_space = piece.text == " ";
        let is_wide = piece.columns > 1;
        if is_wide && filled > 0 {
            gap = Some((piece.start, filled));
        }
        let limit = if is_space { width } else { for_text };
        if filled > 0 && filled.saturating_add(piece.columns) > limit {
            if let Some((at, before)) = gap.take() {
                end_row(&mut row_start, at);
                filled = filled.saturating_sub(before);
            }
            // The word itself is too long, or there was no gap.
            if filled > 0 && filled.saturating_add(piece.columns) > limit {
                end_row(&mut row_start, piece.start);
                filled = 0;
            }
        }
        filled = filled.saturating_add(piece.columns);
        if is_space || is_wide {
            gap = Some((piece.end(), filled));
        }
    }
    rows.push(Row { start: row_start, end: start + line.len(), is_end_of_line: true });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the rows of a text as texts.
    fn rows(text: &str, width: u16) -> Vec<&str> {
        Layout::new(text, width).rows().iter().map(|it| &text[it.start..it.end]).collect()
    }

    /// Lines are broken at words, after their spaces, and long words anywhere.
    #[test]
    fn lines_are_broken_at_words() {
        assert_eq!(rows("", 5), [""]);
        assert_eq!(rows("a\n\nb\n", 5), ["a", "", "b", ""]);
        assert_eq!(rows("hello you", 6), ["hello ", "you"]);
        assert_eq!(rows("hi you all", 8), ["hi you ", "all"]);
        assert_eq!(rows("abcdefgh", 5), ["abcd", "efgh"]);
        assert_eq!(rows("ab abcdefgh", 5), ["ab ", "abcd", "efgh"]);
        assert_eq!(rows("a     b", 4), ["a   ", "  b"]);
    }

    /// A row is left free for the cursor if the last one is full.
    #[test]
    fn cursor_gets_a_row_of_its_own() {
        assert_eq!(rows("hello", 6), ["hello"]);
        assert_eq!(rows("hello ", 6), ["hello ", ""]);
        assert_eq!(rows("漢", 2), ["漢", ""]);
        assert_eq!(Layout::new("hello ", 6).position("hello ", 6), (1, 0));
    }

    /// Wide characters are never cut, and text without spaces is broken between them.
    #[test]
    fn wide_characters_are_whole() {
        assert_eq!(rows("漢字漢字漢", 6), ["漢字", "漢字", "漢"]);
        assert_eq!(rows("abc漢字漢", 8), ["abc漢字", "漢"]);
        assert_eq!(rows("漢字", 2), ["漢", "字", ""]);
        assert_eq!(rows("👩‍👧👩‍👧", 4), ["👩‍👧", "👩‍👧"]);
    }

    /// Columns count what is drawn: clusters, with their own widths.
    #[test]
    fn columns_are_those_of_clusters() {
        let text = "e\u{301}漢👩‍👧x";
        let layout = Layout::new(text, 20);
        let found: Vec<_> = [0, 3, 6, 17, 18].map(|it| layout.position(text, it).1).into();
        assert_eq!(found, [0, 1, 3, 5, 6]);
        assert_eq!(layout.offset(text, 0, 4), Some(6));
        assert_eq!(layout.offset(text, 0, 99), Some(18));
        assert_eq!(layout.offset(text, 1, 0), None);
    }

    /// Where a row goes on, its end belongs to the next row.
    #[test]
    fn end_of_a_broken_row_is_in_the_next() {
        let text = "hello you";
        let layout = Layout::new(text, 6);
        assert_eq!(layout.position(text, 6), (1, 0));
        assert_eq!(layout.offset(text, 0, 99), Some(5));
        assert_eq!(layout.offset(text, 1, 99), Some(9));
    }

    proptest! {
        /// Rows follow one another without loss, and none is wider than the area.
        #[test]
        fn rows_contain_the_text(
            text in "(([a-zé \n漢]|👩‍👧|🇩🇪|क्षि|e\u{301}|\u{301}|ﾞ){1,9}| {1,9}){0,9}",
            width in 2_u16..20,
        ) {
            let layout = Layout::new(&text, width);
            let mut at = 0;
            for (index, row) in layout.rows().iter().enumerate() {
                let skipped = if index > 0 && layout.rows()[index - 1].is_end_of_line { 1 } else { 0 };
                prop_assert_eq!(row.start, at + skipped);
                prop_assert!(columns(&text, row.start, row.end, width) <= width);
                at = row.end;
            }
            prop_assert_eq!(at, text.len());
            let (row, column) = layout.position(&text, text.len());
            prop_assert_eq!(row + 1, layout.rows().len());
            prop_assert!(column < width);
        }

        /// The offset at a position has this position.
        #[test]
        fn positions_and_offsets_agree(text in "[a-z \n漢é]{0,40}", width in 3_u16..20) {
            let layout = Layout::new(&text, width);
            for (offset, _) in text.grapheme_indices(true) {
                let (row, column) = layout.position(&text, offset);
                let again = layout.offset(&text, row, column).unwrap();
                prop_assert_eq!(layout.position(&text, again), (row, column));
            }
        }
    }
}
