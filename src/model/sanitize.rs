//! Sanitising of untrusted text before it is displayed: `docs/protocol/README.md`, section 3.

/// Replacement for a character that is unsafe to display: U+FFFD.
pub const REPLACEMENT: char = '\u{fffd}';

/// Returns true if displaying the character could affect more than its own cell: control characters
/// (which begin escape sequences), bidirectional controls, line separators and invisible
/// formatting. Joiners are allowed, because scripts and emoji need them.
#[must_use]
pub fn is_unsafe_char(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Sanitises a multi-line text: replaces unsafe characters by [`REPLACEMENT`], keeps newlines and
/// tabs, and turns Unicode's line and paragraph separators into newlines.
#[must_use]
pub fn sanitize_text(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            '\u{2028}' | '\u{2029}' => '\n',
            c if is_unsafe_char(c) => REPLACEMENT,
            c => c,
        })
        .collect()
}
