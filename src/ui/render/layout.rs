//! Text layout: wrapping, indenting and dimming of lines.

use unicode_width::UnicodeWidthChar;

use super::Renderer;

/// Prefix of the second and every further line of a message. It ensures that no such line looks
/// like a message of its own.
pub(super) const CONTINUATION_PREFIX: &str = "         | ";

/// Minimum screen width in columns; a narrower screen is treated as this wide. It leaves room for
/// [`CONTINUATION_PREFIX`] and one wide character.
pub(super) const MIN_WIDTH: usize = 15;

impl Renderer {
    /// Wraps text to lines that are shorter than the screen width, anywhere in a word, and begins
    /// continuation lines with [`CONTINUATION_PREFIX`]. A tab becomes one space. Without a width,
    /// only line breaks of the text are indented. If the terminal wrapped by itself, a message
    /// could imitate a line of another user.
    pub(super) fn wrap(&self, text: &str) -> String {
        let Some(width) = self.width else {
            return indent(text);
        };
        let mut out = String::new();
        let mut column = 0;
        for c in text.chars() {
            let (shown, columns) = match c {
                '\t' => (' ', 1),
                c => (c, c.width().unwrap_or(1)),
            };
            if c == '\n' || column + columns >= width {
                out.push('\n');
                out.push_str(CONTINUATION_PREFIX);
                column = CONTINUATION_PREFIX.len();
            }
            if c != '\n' {
                out.push(shown);
                column += columns;
            }
        }
        out
    }

    /// Dims each line of a text with escape sequences. Returns the text unchanged if not rendering
    /// for a terminal.
    pub(super) fn dim(&self, text: &str) -> String {
        if !self.is_terminal {
            return text.to_owned();
        }
        let lines: Vec<_> = text.lines().map(|line| format!("\u{1b}[2m{line}\u{1b}[0m")).collect();
        lines.join("\n")
    }
}

/// Indents each line of a text except the first with [`CONTINUATION_PREFIX`].
pub(super) fn indent(text: &str) -> String {
    text.replace('\n', &format!("\n{CONTINUATION_PREFIX}"))
}
