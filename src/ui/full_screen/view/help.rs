//! Help: keys and commands, over the messages.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw_row;
use crate::model::Dialect;
use crate::text;
use crate::ui::command_help::{HelpRow, effect_column, help_rows, moderation_help_rows};
use crate::ui::full_screen::app::{App, window_help};
use crate::ui::full_screen::rows::piece;
use crate::ui::full_screen::text::{Row, wrap};

/// Returns keys, and what they do.
fn keys() -> Vec<HelpRow> {
    let keys = [
        (text!("key-enter"), text!("key-enter-does")),
        (text!("key-up"), text!("key-up-does")),
        (text!("key-tab"), text!("key-tab-does")),
        (text!("key-page-up"), text!("key-page-up-does")),
        (text!("key-alt-digit"), text!("key-alt-digit-does")),
        (text!("key-control-f"), text!("key-control-f-does")),
        (text!("key-alt-a"), text!("key-alt-a-does")),
        (text!("key-editor"), text!("key-editor-does")),
        (text!("key-control-c"), text!("key-control-c-does")),
        (text!("key-control-l"), text!("key-control-l-does")),
        (text!("key-control-z"), text!("key-control-z-does")),
        (text!("key-shift-mouse"), text!("key-shift-mouse-does")),
    ];
    keys.into_iter().map(|(usage, effect)| HelpRow { usage, effect }).collect()
}

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

/// Returns all rows of the help.
fn all_rows(app: &App, width: u16) -> Vec<Row> {
    let dialect = app.dialect();
    let mut parts = vec![
        (text!("help-keys"), keys()),
        (text!("help-commands"), help_rows(dialect)),
        (text!("help-window"), window_help()),
    ];
    if dialect == Dialect::Server {
        parts.push((text!("help-moderators"), moderation_help_rows()));
    }
    let theme = &app.theme;
    let mut rows = Vec::new();
    for (title, lines) in parts {
        rows.extend(wrap(&[piece(&format!(" {title}"), theme.title)], width, 0));
        let column = effect_column(&lines);
        let indent = u16::try_from(column + 1).unwrap_or(0);
        for line in lines {
            let text = format!(" {}", line.line(column));
            rows.extend(wrap(&[piece(&text, theme.base)], width, indent));
        }
        rows.push(Row::new());
    }
    rows.extend(wrap(&[piece(&format!(" {}", text!("help-closes")), theme.dim)], width, 0));
    rows
}
