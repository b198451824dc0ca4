//! Layout of rendered text: wrapping, indenting, dimming.

use unicode_width::UnicodeWidthChar;

use super::Renderer;

/// In front of every line of a message but the first: what stands behind it
/// cannot be taken for a line of its own.
pub(super) const CONTINUATION_PREFIX: &str = "         | ";

/// Narrower screens are treated as if they were so wide: a line has room for
/// the time, or for [`CONTINUATION_PREFIX`], and one wide character.
pub(super) const MIN_WIDTH: usize = 15;

impl Renderer {
    /// Lines behind the first are indented, and no line is left to the
    /// terminal to wrap: where it did, a message could draw a line of
    /// somebody else.
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

    /// Dims it on a terminal, line by line.
    pub(super) fn dim(&self, text: &str) -> String {
        if !self.is_terminal {
            return text.to_owned();
        }
        let lines: Vec<_> = text.lines().map(|line| format!("\u{1b}[2m{line}\u{1b}[0m")).collect();
        lines.join("\n")
    }
}

/// Lines behind the first are indented.
pub(super) fn indent(text: &str) -> String {
    text.replace('\n', &format!("\n{CONTINUATION_PREFIX}"))
}
