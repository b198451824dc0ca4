//! Text layout: wrapping, indenting and dimming of lines.

use unicode_width::UnicodeWidthChar;

use super::Renderer;

/// Prefix of each line of a message after the first. So no such line can look like another message.
pub(in crate::ui) const CONTINUATION_PREFIX: &str = "         | ";

/// Minimum screen width in columns. A narrower screen is treated as this wide. This width leaves
/// room for [`CONTINUATION_PREFIX`] and one wide character.
pub(super) const MIN_WIDTH: usize = 15;

impl Renderer {
    /// Wraps text to lines that are shorter than the screen width, possibly within a word. Each
    /// line after the first begins with [`CONTINUATION_PREFIX`]. A tab becomes one space. If no
    /// width is set, only indents the lines of the text.
    ///
    /// If the terminal wrapped by itself, a message could imitate a line of another user.
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
