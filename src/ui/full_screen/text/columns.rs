//! Widths of texts in columns, as ratatui draws them, and cutting to a width.
//!
//! ratatui draws grapheme clusters one by one, and measures each alone. The width of a string as a
//! whole can be smaller: in Arabic, lam and alef make one sign.

use ratatui::buffer::CellWidth as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Sign for what was cut off, one column wide.
const ELLIPSIS: char = '…';

/// Returns the grapheme clusters of a text, each with its width in columns. A cluster with a control
/// character is never drawn: it has no width.
pub(super) fn clusters(text: &str) -> impl Iterator<Item = (&str, u16)> {
    text.graphemes(true).map(|cluster| (cluster, cluster_columns(cluster)))
}

/// Returns the width of one grapheme cluster in columns.
fn cluster_columns(cluster: &str) -> u16 {
    if cluster.contains(char::is_control) { 0 } else { cluster.cell_width() }
}

/// Returns the number of columns that a text takes on one row, at most [`u16::MAX`].
#[must_use]
pub fn columns(text: &str) -> u16 {
    clusters(text).fold(0, |sum, (_, width)| sum.saturating_add(width))
}

/// Cuts a text to at most `width` columns, between grapheme clusters. Puts “…” at the end if
/// something was cut off.
#[must_use]
pub fn truncate(text: &str, width: u16) -> String {
    // Where the text ends if something has to be cut off.
    let mut end = 0;
    let mut at = 0;
    let mut used = 0_u16;
    for (cluster, columns) in clusters(text) {
        used = used.saturating_add(columns);
        if used > width {
            let mut cut = text.get(..end).unwrap_or_default().to_owned();
            if width > 0 {
                cut.push(ELLIPSIS);
            }
            return cut;
        }
        at += cluster.len();
        if used < width {
            end = at;
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn widths_are_those_of_the_cells() {
        let cases = [
            ("", 0),
            ("abc", 3),
            ("日本", 4),
            ("e\u{301}", 1),
            ("👩\u{200d}👩\u{200d}👧", 2),
            ("🇩🇪🇫🇷", 4),
            ("👍🏽", 2),
            ("❤\u{fe0f}", 2),
            ("שלום", 4),
            // Lam and alef: one sign, but ratatui has a cell for each.
            ("لا", 2),
            ("\u{200b}\u{200d}", 0),
            ("a\u{7}\tb", 2),
        ];
        for (text, width) in cases {
            assert_eq!(columns(text), width, "{text:?}");
        }
        assert_eq!(columns(&"日".repeat(40_000)), u16::MAX);
    }

    #[test]
    fn long_text_is_cut_between_clusters() {
        let cases = [
            ("abcd", 4, "abcd"),
            ("abcde", 4, "abc…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("a👩\u{200d}👧b", 3, "a…"),
            ("ae\u{301}e\u{301}", 2, "a…"),
            ("e\u{301}", 1, "e\u{301}"),
            ("日", 1, "…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
            ("", 0, ""),
        ];
        for (text, width, cut) in cases {
            assert_eq!(truncate(text, width), cut, "{text:?} to {width}");
        }
    }

    proptest! {
        /// What is cut fits, begins like the text and ends with an ellipsis.
        #[test]
        fn cut_text_fits(text in any::<String>(), width in 0_u16..40) {
            let cut = truncate(&text, width);
            prop_assert!(columns(&cut) <= width);
            if columns(&text) <= width {
                prop_assert_eq!(cut, text);
            } else if width > 0 {
                let kept = cut.strip_suffix('…').unwrap();
                prop_assert!(text.starts_with(kept));
            }
        }

        /// A text takes as many columns as ratatui's cells.
        #[test]
        fn columns_are_what_is_drawn(text in any::<String>()) {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 400, 1));
            let (end, _) = buffer.set_stringn(0, 0, &text, 400, Style::default());
            prop_assert_eq!(columns(&text), end);
        }
    }
}
