//! Help: keys and commands, over the messages.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw_row;
use crate::model::Dialect;
use crate::ui::command_help::{HelpRow, effect_column, help_rows, moderation_help_rows};
use crate::ui::full_screen::app::{App, WINDOW_HELP};
use crate::ui::full_screen::rows::piece;
use crate::ui::full_screen::text::{Row, wrap};

/// Keys, and what they do.
const KEYS: &str = "\
Enter             sends what you have typed; Alt-Enter begins a new line
Up, Down          bring back what you have sent, as Ctrl-P and Ctrl-N; Ctrl-R searches it
Tab               completes names, commands and rooms
PageUp, PageDown  scroll; Alt-Home goes to the oldest message here, Alt-End or Esc to the newest
Alt-1 to Alt-9    show a room or a person; also Alt with an arrow, F5 and F6, or a click
Ctrl-F            on an empty line begins a search; Enter shows what was found where it was said
Alt-A             shows where something is unread
Ctrl-X Ctrl-E     opens your editor ($EDITOR) for a long message
Ctrl-C            clears the line; on an empty line it asks whether you want to leave
Ctrl-L            draws the screen again
Ctrl-Z            stops the program until you type fg
Shift with the mouse selects text";

/// Draws the help, from this row on.
pub(super) fn draw_help(app: &App, at: u16, area: Rect, buffer: &mut Buffer) {
    let rows = all_rows(app, area.width);
    let shown = rows.iter().skip(usize::from(at));
    for (row, y) in shown.zip(area.top()..area.bottom()) {
        draw_row(row, Rect { y, height: 1, ..area }, buffer, &mut Vec::new());
    }
}

/// Returns the number of rows of the help in a window of this width.
#[must_use]
pub fn help_height(app: &App, width: u16) -> u16 {
    u16::try_from(all_rows(app, width).len()).unwrap_or(u16::MAX)
}

/// Returns a line for each row about commands.
fn command_lines(rows: &[HelpRow]) -> String {
    let column = effect_column(rows);
    rows.iter().map(|it| format!("{}\n", it.line(column))).collect()
}

/// Returns all rows of the help.
fn all_rows(app: &App, width: u16) -> Vec<Row> {
    let theme = &app.theme;
    let mut rows = Vec::new();
    let dialect = app.dialect();
    let more = match dialect {
        Dialect::Server => command_lines(&moderation_help_rows()),
        Dialect::Peers => String::new(),
    };
    let parts = [
        ("Keys", KEYS),
        ("Commands", &command_lines(&help_rows(dialect))),
        ("Commands about the window", WINDOW_HELP),
        ("For moderators", &more),
    ];
    for (title, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
        rows.extend(wrap(&[piece(&format!(" {title}"), theme.title)], width, 0));
        for line in text.lines() {
            rows.extend(wrap(&[piece(&format!(" {line}"), theme.base)], width, 19));
        }
        rows.push(Row::new());
    }
    rows.extend(wrap(&[piece(" Any other key closes this.", theme.dim)], width, 0));
    rows
}
