//! Where a row may end: at spaces, and between the characters of Chinese and Japanese.
//!
//! This is a small part of Unicode's line breaking algorithm (UAX #14). A word of another script
//! that has no spaces, such as Thai, is broken only if it is longer than a row.

/// Returns true if a grapheme cluster is a space at which a row may end. No-break spaces are not.
pub(super) fn is_space(cluster: &str) -> bool {
    let mut chars = cluster.chars();
    let is_space = matches!(
        chars.next(),
        Some(
            ' '
            | '\t'
            | '\u{1680}'
            | '\u{2000}'..='\u{2006}'
            | '\u{2008}'..='\u{200a}'
            | '\u{205f}'
            | '\u{3000}',
        )
    );
    is_space && chars.next().is_none()
}

/// Returns true if a row may end between two neighbouring grapheme clusters that are no spaces.
pub(super) fn may_break_between(before: &str, after: &str) -> bool {
    let (Some(before), Some(after)) = (before.chars().next(), after.chars().next()) else {
        return false;
    };
    (is_ideograph(before) || is_ideograph(after))
        && (before.is_alphanumeric() || is_closing(before))
        && after.is_alphanumeric()
        && !never_begins(after)
}

/// Returns true for a Chinese character and for Japanese kana.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3fffd}')
}

/// Returns true for Chinese and Japanese punctuation after which a row may end.
fn is_closing(c: char) -> bool {
    "、。，．：；！？）」』】》〉".contains(c)
}

/// Returns true for a letter with which no row begins: small kana, and signs that repeat or lengthen
/// the character before them.
fn never_begins(c: char) -> bool {
    "々ぁぃぅぇぉっゃゅょゎゝゞァィゥェォッャュョヮヵヶヽヾー".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_end_at_spaces_only_if_they_may_be_broken() {
        for space in [" ", "\t", "\u{3000}", "\u{2003}"] {
            assert!(is_space(space), "{space:?}");
        }
        // No-break spaces, and a space that carries a mark.
        for other in ["\u{a0}", "\u{202f}", "\u{2007}", " \u{301}", "a", "\n", ""] {
            assert!(!is_space(other), "{other:?}");
        }
    }

    #[test]
    fn chinese_and_japanese_break_between_characters() {
        for (before, after) in [("中", "文"), ("。", "文"), ("カ", "タ"), ("中", "a"), ("1", "年")]
        {
            assert!(may_break_between(before, after), "{before}{after}");
        }
        let together = [
            ("中", "。"),
            ("「", "中"),
            ("キ", "ャ"),
            ("カ", "ー"),
            ("人", "々"),
            ("a", "b"),
            ("한", "국"),
        ];
        for (before, after) in together {
            assert!(!may_break_between(before, after), "{before}{after}");
        }
    }
}
