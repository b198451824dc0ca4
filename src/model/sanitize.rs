//! Sanitising of untrusted text before it is displayed: `docs/protocol/README.md`, section 3.

/// Replacement character, U+FFFD: stands for a character that is unsafe to display.
pub const REPLACEMENT: char = '\u{fffd}';

/// Returns true if a character is unsafe to display, because it can affect more than its own cell
/// on the screen: control characters (newline and tab too), bidirectional controls, line and
/// paragraph separators, and invisible formatting. Zero-width joiners are safe: scripts and emoji
/// need them.
#[must_use]
pub fn is_unsafe_char(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Sanitises a multi-line text for display: keeps newlines and tabs, turns Unicode's line and
/// paragraph separators into newlines, and replaces every other unsafe character by
/// [`REPLACEMENT`].
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
