//! Breaking text into rows of the screen.

use ratatui::style::Style;

use super::breaks::{is_space, may_break_between};
use super::columns::{clusters, columns};
use super::{Piece, Row};

/// Columns that a row has at least for its text; the indent gets smaller for it.
const LEAST_TEXT: u16 = 10;

/// Columns from one tab stop to the next, from the indent on.
const TAB: u16 = 4;

/// Stands for a character that is wider than a row: U+FFFD, one column wide.
const REPLACEMENT: &str = "\u{fffd}";

/// Breaks pieces of text into rows of at most `width` columns; there is at least one row. Each row
/// after the first begins with a piece of `indent` spaces, or of fewer if less than 10 columns would
/// be left for text. A width of 0 counts as 1.
///
/// - A row ends at spaces, and between the characters of Chinese and Japanese. The spaces stay at
///   its end, as far as there is room; the others are left out. All other spaces are kept.
/// - A word that is longer than a row begins in the current row. It is broken between grapheme
///   clusters; a cluster that is wider than a row, between characters. Only a character that is
///   wider than `width` itself is replaced, by U+FFFD.
/// - A newline begins a new row. A tab becomes spaces up to the next tab stop; there is one every 4
///   columns, from the indent on.
///
/// Draw the pieces of a row one by one: where they were joined, marks at the beginning of a piece
/// would be drawn, and measured, with the piece before. The text must be [`visible`](super::visible):
/// other control characters stay, and are not drawn.
#[must_use]
pub fn wrap(pieces: &[Piece], width: u16, indent: u16) -> Vec<Row> {
    let mut wrapper = Wrapper::new(pieces, width, indent);
    for (source, piece) in pieces.iter().enumerate() {
        for (text, columns) in clusters(&piece.text) {
            wrapper.add(Cluster { text, columns, source });
        }
    }
    wrapper.finish()
}

/// Grapheme cluster, the smallest unit of a row.
#[derive(Clone, Copy)]
struct Cluster<'a> {
    /// Its characters.
    text: &'a str,
    /// Its width.
    columns: u16,
    /// Number of the piece that it is from.
    source: usize,
}

/// Rows that are being made.
struct Wrapper<'a> {
    /// Pieces that are broken into rows.
    pieces: &'a [Piece],
    /// Maximum width of a row; at least 1.
    width: u16,
    /// Spaces at the beginning of each row after the first; less than `width`.
    indent: u16,
    /// Rows that are complete.
    rows: Vec<Row>,
    /// Row that is being filled.
    row: Row,
    /// Width of that row so far. It equals `width` once spaces have been left out.
    column: u16,
    /// Number of the piece that the last piece of the row is from, if text may be appended to it.
    source: Option<usize>,
    /// Word that has not been placed yet. Its end is not known.
    word: Vec<Cluster<'a>>,
    /// Width of that word.
    word_columns: u16,
}

impl<'a> Wrapper<'a> {
    /// Begins with an empty row.
    fn new(pieces: &'a [Piece], width: u16, indent: u16) -> Self {
        let width = width.max(1);
        Self {
            pieces,
            width,
            indent: indent.min(width.saturating_sub(LEAST_TEXT)),
            rows: Vec::new(),
            row: Row::new(),
            column: 0,
            source: None,
            word: Vec::new(),
            word_columns: 0,
        }
    }

    /// Columns for text in each row after the first.
    fn text_width(&self) -> u16 {
        self.width - self.indent
    }

    /// Returns true if so many columns are free in the row.
    fn has_room(&self, columns: u16) -> bool {
        columns <= self.width - self.column
    }

    /// Adds the next cluster of the text.
    fn add(&mut self, cluster: Cluster<'a>) {
        if cluster.text.ends_with('\n') {
            self.end_word();
            self.begin_row();
        } else if is_space(cluster.text) {
            self.end_word();
            self.add_space(cluster);
        } else {
            if self.word.last().is_some_and(|last| may_break_between(last.text, cluster.text)) {
                self.end_word();
            }
            self.word.push(cluster);
            self.word_columns = self.word_columns.saturating_add(cluster.columns);
        }
    }

    /// Adds a space, if the row has room for it. Otherwise the row ends here.
    fn add_space(&mut self, cluster: Cluster<'a>) {
        let (text, columns) = match cluster.text {
            "\t" => {
                let from_indent = self.column.saturating_add(TAB).saturating_sub(self.indent % TAB);
                let count = (TAB - from_indent % TAB).min(self.width - self.column);
                ("    ".get(..usize::from(count)).unwrap_or_default(), count)
            }
            other => (other, cluster.columns),
        };
        if columns > 0 && self.has_room(columns) {
            self.push(Cluster { text, columns, source: cluster.source });
        } else {
            self.column = self.width;
        }
    }

    /// Places the word: in the row, in the next one, or in several if it is longer than a row.
    fn end_word(&mut self) {
        let mut word = std::mem::take(&mut self.word);
        let columns = std::mem::take(&mut self.word_columns);
        if !self.has_room(columns) && columns <= self.text_width() {
            self.begin_row();
        }
        for cluster in word.drain(..) {
            self.place(cluster);
        }
        self.word = word;
    }

    /// Places a cluster: in the row, or in the next one. If it is wider than a row, places its
    /// characters one by one.
    fn place(&mut self, cluster: Cluster<'a>) {
        if cluster.columns > self.text_width() && !self.has_room(cluster.columns) {
            for (at, c) in cluster.text.char_indices() {
                self.place_char(
                    cluster.text.get(at..at + c.len_utf8()).unwrap_or_default(),
                    cluster.source,
                );
            }
            return;
        }
        if !self.has_room(cluster.columns) {
            self.begin_row();
        }
        self.push(cluster);
    }

    /// Places a character of a cluster that is wider than a row, as a piece of its own: so it is
    /// measured alone.
    fn place_char(&mut self, text: &'a str, source: usize) {
        let width = columns(text);
        let (text, columns) =
            if width > self.text_width() { (REPLACEMENT, 1) } else { (text, width) };
        if !self.has_room(columns) {
            self.begin_row();
        }
        self.source = None;
        self.push(Cluster { text, columns, source });
        self.source = None;
    }

    /// Appends a cluster to the row, which has room for it.
    fn push(&mut self, cluster: Cluster<'_>) {
        self.column = self.column.saturating_add(cluster.columns);
        if self.source == Some(cluster.source)
            && let Some(last) = self.row.last_mut()
        {
            last.text.push_str(cluster.text);
        } else if let Some(of) = self.pieces.get(cluster.source) {
            self.row.push(Piece {
                text: cluster.text.to_owned(),
                style: of.style,
                link: of.link.clone(),
            });
            self.source = Some(cluster.source);
        }
    }

    /// Ends the row and begins the next one.
    fn begin_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
        self.column = self.indent;
        self.source = None;
        if self.indent > 0 {
            self.row.push(Piece::new(" ".repeat(self.indent.into()), Style::default()));
        }
    }

    /// Places the last word and returns all rows.
    fn finish(mut self) -> Vec<Row> {
        self.end_word();
        self.rows.push(self.row);
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Modifier};

    use super::*;

    /// Wraps a text of one piece; returns the texts of the rows.
    fn rows(text: &str, width: u16, indent: u16) -> Vec<String> {
        wrap(&[Piece::new(text, Style::default())], width, indent).iter().map(row_text).collect()
    }

    /// Returns the text of a row.
    fn row_text(row: &Row) -> String {
        row.iter().map(|piece| piece.text.as_str()).collect()
    }

    #[test]
    fn rows_end_at_spaces() {
        let cases: &[(&str, u16, u16, &[&str])] = &[
            ("", 10, 2, &[""]),
            ("one two three", 7, 0, &["one two", "three"]),
            ("one two three", 8, 0, &["one two ", "three"]),
            ("one two  three", 12, 2, &["one two  ", "  three"]),
            // The spaces of a break, as far as there is room; others are kept.
            ("a         b", 5, 0, &["a    ", "b"]),
            ("   a  b ", 20, 0, &["   a  b "]),
            ("a\n  b", 20, 2, &["a", "    b"]),
            // Newlines.
            ("a\n\nb\n", 20, 2, &["a", "  ", "  b", "  "]),
            ("a\r\nb", 20, 0, &["a", "b"]),
            // No-break spaces.
            ("one two\u{a0}three", 12, 0, &["one ", "two\u{a0}three"]),
            ("a\u{202f}b c", 4, 0, &["a\u{202f}b ", "c"]),
            // A wide space does not fit in one column. The words stay apart.
            ("ab\u{3000}c", 3, 0, &["ab", "c"]),
        ];
        for (text, width, indent, expected) in cases {
            assert_eq!(rows(text, *width, *indent), *expected, "{text:?} to {width}, {indent}");
        }
    }

    #[test]
    fn long_words_begin_in_the_row_and_are_broken() {
        let cases: &[(&str, u16, u16, &[&str])] = &[
            ("abcdefghij", 4, 0, &["abcd", "efgh", "ij"]),
            ("x abcdefghijklmno", 12, 2, &["x abcdefghij", "  klmno"]),
            // It fits in a row of its own.
            ("x abcdefghij", 11, 1, &["x ", " abcdefghij"]),
            ("e\u{301}e\u{301}e\u{301}", 2, 0, &["e\u{301}e\u{301}", "e\u{301}"]),
            ("👩\u{200d}👧👩\u{200d}👧", 3, 0, &["👩\u{200d}👧", "👩\u{200d}👧"]),
            ("🇩🇪🇫🇷🇮🇹", 5, 0, &["🇩🇪🇫🇷", "🇮🇹"]),
            ("שלוםעולם", 5, 0, &["שלוםע", "ולם"]),
        ];
        for (text, width, indent, expected) in cases {
            assert_eq!(rows(text, *width, *indent), *expected, "{text:?} to {width}, {indent}");
        }
    }

    #[test]
    fn chinese_and_japanese_break_anywhere() {
        assert_eq!(rows("see 你好世界", 9, 0), ["see 你好", "世界"]);
        assert_eq!(rows("こんにちは。はい", 10, 0), ["こんにち", "は。はい"]);
        assert_eq!(rows("キャット", 2, 0), ["キ", "ャ", "ッ", "ト"]);
    }

    #[test]
    fn narrow_rows_have_a_smaller_indent() {
        for (width, indent) in [(1, 0), (10, 0), (11, 1), (15, 5), (16, 6), (300, 6)] {
            let row = rows("a\nb", width, 6).pop().unwrap();
            assert_eq!(row, " ".repeat(indent) + "b", "{width}");
        }
        assert_eq!(rows("ab", 0, 3), ["a", "b"], "0 counts as 1");
    }

    #[test]
    fn clusters_wider_than_a_row_are_broken() {
        assert_eq!(rows("a日b", 1, 0), ["a", "\u{fffd}", "b"]);
        // Korean consonants make one cluster, of any width.
        assert_eq!(rows("ᄀᄀᄀ", 5, 0), ["ᄀᄀ", "ᄀ"]);
    }

    #[test]
    fn tabs_become_spaces() {
        assert_eq!(rows("a\tb\tc", 20, 0), ["a   b   c"]);
        assert_eq!(rows("nnnnnn\tif\n\tx", 20, 6), ["nnnnnn    if", "          x"]);
        assert_eq!(rows("1234567 :\n12\tb", 20, 6), ["1234567 :", "      12  b"]);
        assert_eq!(rows("ab\tc", 3, 0), ["ab ", "c"]);
    }

    #[test]
    fn pieces_keep_their_styles_and_links() {
        let red = Style::default().fg(Color::Red);
        let bold = Style::default().add_modifier(Modifier::BOLD);
        let link: Arc<str> = "https://a.b/cdefgh".into();
        let pieces = [
            Piece::new("anna: ", red),
            Piece { text: link.to_string(), style: bold, link: Some(link.clone()) },
            Piece::new(", ok", Style::default()),
        ];
        let of_link =
            |text: &str| Piece { text: text.to_owned(), style: bold, link: Some(link.clone()) };
        let indent = Piece::new("  ", Style::default());
        let expected = vec![
            vec![Piece::new("anna: ", red), of_link("https://")],
            vec![indent.clone(), of_link("a.b/cdefgh"), Piece::new(", ", Style::default())],
            vec![indent, Piece::new("ok", Style::default())],
        ];
        assert_eq!(wrap(&pieces, 14, 2), expected);
        assert_eq!(wrap(&[], 14, 2), vec![Row::new()]);
    }

    /// Returns random text in which what is hard to wrap is frequent.
    fn hard_text() -> impl Strategy<Value = String> {
        let one = prop_oneof![
            4 => "[a-z]{1,12}",
            4 => Just(" ".to_owned()),
            1 => "[ \t\n\u{3000}\u{a0}]{1,12}",
            1 => "[日本語カャ。、「]{1,8}",
            1 => "[שלום]{1,8}|[السلام]{1,8}",
            1 => "(👩\u{200d}👧|👍🏽|❤\u{fe0f}|🇩🇪|🇫|🏴|\u{1f3fb}){1,4}",
            1 => "[\u{301}\u{308}\u{200d}\u{fe0f}ﾞᄀ\u{94d}क]{1,20}",
            1 => any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(one, 0..40).prop_map(|all| all.concat())
    }

    /// Draws a row. Returns the column after it and how many columns were there for it.
    fn drawn_width(row: &Row, width: u16) -> u16 {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        row.iter().fold(0, |x, piece| {
            let (end, _) = buffer.set_stringn(x, 0, &piece.text, width.into(), piece.style);
            assert_eq!(end - x, columns(&piece.text), "{piece:?} of {row:?} is cut at {width}");
            end
        })
    }

    proptest! {
        /// Rows are never cut when they are drawn, and all text is in them.
        #[test]
        fn rows_fit_and_keep_the_text(
            texts in prop::collection::vec(hard_text(), 0..4),
            width in prop_oneof![1_u16..20, 1_u16..=300],
            indent in 0_u16..30,
        ) {
            let pieces: Vec<_> = texts.iter().map(|text| Piece::new(text.as_str(), Style::default())).collect();
            let rows = wrap(&pieces, width, indent);
            let indent = usize::from(indent.min(width.saturating_sub(LEAST_TEXT)));
            let mut kept = String::new();
            for (number, row) in rows.iter().enumerate() {
                prop_assert!(drawn_width(row, width) <= width);
                let text = row_text(row);
                kept += if number == 0 { &text } else { text.strip_prefix(&" ".repeat(indent)).unwrap() };
            }
            // No character is wider than two columns.
            if width >= 2 {
                let is_kept = |c: &char| !is_space(&c.to_string()) && !matches!(c, '\n' | '\r');
                let all: String = texts.concat().chars().filter(is_kept).collect();
                prop_assert_eq!(kept.chars().filter(is_kept).collect::<String>(), all);
            }
            prop_assert!(rows.len() > texts.concat().replace("\r\n", "\n").matches('\n').count());
        }

        /// A text that fits in a row is not changed, and neither is one that is wide enough.
        #[test]
        fn text_that_fits_is_unchanged(text in hard_text()) {
            let text = text.replace(['\n', '\t'], " ");
            if columns(&text) <= 300 {
                prop_assert_eq!(rows(&text, 300, 4), [text]);
            }
        }

        /// Only words that are longer than a row are broken.
        #[test]
        fn words_that_fit_are_whole(words in prop::collection::vec("[a-z]{1,10}", 1..30), indent in 0_u16..9) {
            let found = rows(&words.join(" "), 20, indent);
            let found: Vec<_> = found.iter().flat_map(|row| row.split_whitespace()).collect();
            prop_assert_eq!(found, words);
        }
    }

    #[test]
    fn very_long_words_are_broken_into_full_rows() {
        for (word, width, per_row) in [("a", 80, 78), ("日", 80, 39), ("e\u{301}", 80, 78)] {
            let rows = rows(&format!("x {}", word.repeat(10_000)), width, 2);
            assert_eq!(rows.len(), 10_000_usize.div_ceil(per_row), "{word}");
            assert!(rows.iter().rev().skip(1).all(|row| columns(row) == width));
        }
    }
}
