//! What strangers have written, made safe to show: `docs/protocol/README.md`,
//! section 3.

/// What is shown in place of a character that is not safe.
pub const REPLACEMENT: char = '\u{fffd}';

/// Whether a character could do more on a screen than show itself: control
/// characters (which begin escape sequences), what changes the direction of
/// what stands around it, line separators, and formats that hide text.
/// Joiners are harmless, and letters and pictures need them.
#[must_use]
pub fn is_unsafe_char(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// A text with newlines and tabs as they are and nothing dangerous.
/// Unicode's line separators become newlines.
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
