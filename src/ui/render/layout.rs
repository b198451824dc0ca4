//! Text layout: wrapping, indenting, dimming.

use unicode_width::UnicodeWidthChar;

use super::Renderer;

/// Prefix of every line of a message but the first. It ensures that no such line looks like a
/// message of its own.
pub(super) const CONTINUATION_PREFIX: &str = "         | ";

/// Minimum screen width in columns; narrower screens are treated like this. A line has room for the
/// time, or for [`CONTINUATION_PREFIX`], and one wide character.
pub(super) const MIN_WIDTH: usize = 15;

impl Renderer {
    /// Wraps text to the screen width and indents continuation lines. Without a width it only
    /// indents. The terminal must not wrap by itself, or a message could imitate a line of someone
    /// else.
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

    /// Dims text line by line, if rendering for a terminal.
    pub(super) fn dim(&self, text: &str) -> String {
        if !self.is_terminal {
            return text.to_owned();
        }
        let lines: Vec<_> = text.lines().map(|line| format!("\u{1b}[2m{line}\u{1b}[0m")).collect();
        lines.join("\n")
    }
}

/// Indents all lines but the first with [`CONTINUATION_PREFIX`].
pub(super) fn indent(text: &str) -> String {
    text.replace('\n', &format!("\n{CONTINUATION_PREFIX}"))
}
