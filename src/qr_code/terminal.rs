//! QR codes as text for a terminal.

use super::QrCode;

/// Begins black on white, in the colours of the 256 that no theme changes.
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";

/// Begins black behind the text.
const BEHIND_BLACK: &str = "\x1b[48;5;16m";

/// Begins white behind the text.
const BEHIND_WHITE: &str = "\x1b[48;5;231m";

/// Ends all colours.
const NO_COLOR: &str = "\x1b[0m";

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TerminalStyle {
    /// True if it shows UTF-8: two modules fit into a character, one above the other. Otherwise a
    /// module takes two characters.
    pub(crate) is_utf8: bool,
    /// True if it takes colours: then the code is black on white, whatever the theme. Otherwise the
    /// characters are the light modules, as if the terminal were dark. On a light one the code is
    /// inverted, which most scanners can read, but not all.
    pub(crate) has_colors: bool,
}

impl TerminalStyle {
    /// Returns what a terminal can show, by the usual environment variables, which `variable`
    /// returns. Without `is_terminal` it takes no colours.
    pub(crate) fn of_terminal(
        is_terminal: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let is_set = |name: &&str| variable(name).is_some_and(|it| !it.is_empty());
        // The first of these that is set decides, as for setlocale(3).
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].iter().copied().find(is_set).and_then(&variable);
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        let is_dumb = variable("TERM").is_none_or(|it| it == "dumb");
        Self {
            is_utf8: locale.contains("utf-8") || locale.contains("utf8"),
            has_colors: is_terminal && !is_dumb && !is_set(&"NO_COLOR"),
        }
    }

    /// Returns the number of columns that a code takes.
    pub(crate) fn columns(self, code: &QrCode) -> usize {
        if self.is_utf8 { code.width() } else { 2 * code.width() }
    }

    /// Returns the code as lines of text.
    pub(crate) fn draw(self, code: &QrCode) -> String {
        let step = if self.is_utf8 { 2 } else { 1 };
        let rows = (0..code.width()).step_by(step);
        rows.map(|y| if self.is_utf8 { self.half_blocks(code, y) } else { self.pairs(code, y) })
            .collect()
    }

    /// Returns the line of the rows `y` and `y + 1`, in half blocks.
    fn half_blocks(self, code: &QrCode, y: usize) -> String {
        let is_drawn = |x, y| code.is_dark(x, y) == self.has_colors;
        let blocks = (0..code.width()).map(|x| match (is_drawn(x, y), is_drawn(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        });
        let line: String = blocks.collect();
        if self.has_colors { format!("{BLACK_ON_WHITE}{line}{NO_COLOR}\n") } else { line + "\n" }
    }

    /// Returns the line of the row `y`, in pairs of ASCII characters.
    fn pairs(self, code: &QrCode, y: usize) -> String {
        let cells = (0..code.width()).map(|x| match (code.is_dark(x, y), self.has_colors) {
            (true, true) => format!("{BEHIND_BLACK}  "),
            (false, true) => format!("{BEHIND_WHITE}  "),
            (true, false) => "  ".to_owned(),
            (false, false) => "##".to_owned(),
        });
        let line: String = cells.collect();
        if self.has_colors { format!("{line}{NO_COLOR}\n") } else { line + "\n" }
    }
}
