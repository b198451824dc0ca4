//! Grapheme clusters and words of a text: where the cursor may stand, and how far a key moves it.
//!
//! A grapheme cluster is what a reader takes for one character: a letter with its accents, an emoji
//! with its skin colour. All offsets are in bytes.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// Returns where the cluster before `offset` begins. 0 at the beginning of the text.
pub(super) fn previous_boundary(text: &str, offset: usize) -> usize {
    let mut cursor = GraphemeCursor::new(offset, text.len(), true);
    cursor.prev_boundary(text, 0).ok().flatten().unwrap_or(0)
}

/// Returns where the cluster at `offset` ends. The length of the text at its end.
pub(super) fn next_boundary(text: &str, offset: usize) -> usize {
    let mut cursor = GraphemeCursor::new(offset, text.len(), true);
    cursor.next_boundary(text, 0).ok().flatten().unwrap_or(text.len())
}

/// Returns `offset` if a cluster begins or ends there, and the next such offset otherwise.
pub(super) fn boundary_from(text: &str, offset: usize) -> usize {
    let offset = text.ceil_char_boundary(offset.min(text.len()));
    let is_boundary = GraphemeCursor::new(offset, text.len(), true).is_boundary(text, 0);
    if is_boundary == Ok(false) { next_boundary(text, offset) } else { offset }
}

/// Returns the first part of a text with at most `max` bytes, cut where a character ends.
pub(super) fn first_bytes(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

/// Returns where the line that contains `offset` begins.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|it| it.rfind('\n')).map_or(0, |at| at + 1)
}

/// Returns where the line that contains `offset` ends, before its line break.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    text.get(offset..).and_then(|it| it.find('\n')).map_or(text.len(), |at| offset + at)
}

/// Returns where the word before `offset` begins. A word is letters and digits.
pub(super) fn word_start(text: &str, offset: usize) -> usize {
    start_of_run(text, offset, is_word)
}

/// Returns where the word after `offset` ends. A word is letters and digits.
pub(super) fn word_end(text: &str, offset: usize) -> usize {
    let after = text.get(offset..).unwrap_or_default();
    let is_between = |cluster: &str| !is_word(cluster);
    let mut clusters = after.grapheme_indices(true).skip_while(|(_, it)| is_between(it));
    clusters.find(|(_, it)| is_between(it)).map_or(text.len(), |(at, _)| offset + at)
}

/// Returns where the word before `offset` begins. A word is everything except whitespace.
pub(super) fn blank_word_start(text: &str, offset: usize) -> usize {
    start_of_run(text, offset, |cluster| !cluster.starts_with(char::is_whitespace))
}

/// Returns where the run of fitting clusters begins that ends before `offset`, or before the other
/// clusters in front of `offset`.
fn start_of_run(text: &str, offset: usize, is_fitting: impl Fn(&str) -> bool) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    let mut clusters = before.grapheme_indices(true).rev().skip_while(|(_, it)| !is_fitting(it));
    clusters.find(|(_, it)| !is_fitting(it)).map_or(0, |(at, other)| at + other.len())
}

/// Returns true if a cluster is a letter or a digit.
fn is_word(cluster: &str) -> bool {
    cluster.starts_with(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clusters of several characters are passed as a whole.
    #[test]
    fn boundaries_are_those_of_clusters() {
        let text = "e\u{301}👩‍👧🇩🇪x";
        let mut found = vec![0];
        while *found.last().unwrap() < text.len() {
            found.push(next_boundary(text, *found.last().unwrap()));
        }
        assert_eq!(found, [0, 3, 14, 22, 23]);
        let mut back = vec![text.len()];
        while *back.last().unwrap() > 0 {
            back.push(previous_boundary(text, *back.last().unwrap()));
        }
        back.reverse();
        assert_eq!(back, found);
        assert_eq!((1..=3).map(|it| boundary_from(text, it)).collect::<Vec<_>>(), [3, 3, 3]);
        assert_eq!(boundary_from(text, 99), 23);
    }

    /// A text is not cut in the middle of a character.
    #[test]
    fn first_bytes_are_whole_characters() {
        assert_eq!(first_bytes("aé", 2), "a");
        assert_eq!(first_bytes("aé", 3), "aé");
        assert_eq!(first_bytes("aé", 9), "aé");
        assert_eq!(first_bytes("é", 0), "");
    }

    /// Words of letters end at signs, words of readers at whitespace.
    #[test]
    fn words_have_two_kinds() {
        let text = "see  a-bc/d, ";
        assert_eq!(word_start(text, 13), 10);
        assert_eq!(word_start(text, 10), 7);
        assert_eq!(word_start(text, 3), 0);
        assert_eq!(word_start(text, 0), 0);
        assert_eq!(word_end(text, 0), 3);
        assert_eq!(word_end(text, 3), 6);
        assert_eq!(word_end(text, 11), 13);
        assert_eq!(blank_word_start(text, 13), 5);
        assert_eq!(blank_word_start(text, 5), 0);
        assert_eq!(word_start("cafe\u{301}", 6), 0);
    }

    /// Line breaks belong to no line.
    #[test]
    fn lines_end_before_their_break() {
        let text = "ab\ncd\n";
        assert_eq!((line_start(text, 2), line_end(text, 2)), (0, 2));
        assert_eq!((line_start(text, 3), line_end(text, 3)), (3, 5));
        assert_eq!((line_start(text, 6), line_end(text, 6)), (6, 6));
    }
}
