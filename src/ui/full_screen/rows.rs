//! Rows of the screen that an item of a conversation takes. Items are its lines, then the user's
//! messages on their way. Messages around one that was found end with a line that says so.

use ratatui::style::{Modifier, Style as CellStyle};

use super::app::{App, Content, Line, MessageLine, PendingMessage, PresenceLine};
use super::text::{Piece, Row, columns, styled, visible, wrap};
use crate::model::Style;
use crate::text;
use crate::ui::local_time::date_line;

/// Number of columns by which rows after the first are indented: as wide as the time.
const INDENT: u16 = 6;

/// Number of names that a line about people who came and left shows; others are counted.
const MAX_NAMES: usize = 8;

/// Returns the number of items of the current conversation.
#[must_use]
pub fn item_count(app: &App) -> usize {
    let conversation = app.shown();
    let ends = usize::from(app.context.is_some());
    conversation.lines().len() + conversation.pending().len() + ends
}

/// Returns the rows of an item of the current conversation in a window of this width, at least
/// one. Before a line of another
/// day than the one before comes the date; above the first one that was new comes a mark.
#[must_use]
pub fn rows_of(app: &App, index: usize, width: u16) -> Vec<Row> {
    let conversation = app.shown();
    let lines = conversation.lines();
    if let Some(line) = lines.get(index) {
        let mut rows = Vec::new();
        rows.extend(date_row(app, index, width));
        if conversation.new_from == Some(line.id) {
            rows.push(rule(&text!("row-new"), width, app.theme.unread));
        }
        let is_marked = conversation.marked.is_some();
        let is_marked = is_marked && conversation.sequence_at(index) == conversation.marked;
        let mut own_rows = rows_of_line(app, line, width);
        if is_marked {
            for piece in own_rows.iter_mut().flatten() {
                piece.style = piece.style.patch(app.theme.selection);
            }
        }
        rows.extend(own_rows);
        return rows;
    }
    let pending = index.checked_sub(lines.len()).and_then(|it| conversation.pending().get(it));
    match pending {
        Some(pending) => pending_rows(app, pending, width),
        // What stands below messages around one that was found.
        None => {
            let text = format!("    · {}", text!("row-context-end"));
            wrap(&[piece(&text, app.theme.status)], width, INDENT)
        }
    }
}

/// Returns the rows of a line.
fn rows_of_line(app: &App, line: &Line, width: u16) -> Vec<Row> {
    match &line.content {
        Content::Message(message) => message_rows(app, message, width),
        Content::Presence(presence) => {
            // Where it stands, no text of others does.
            let text = format!("    · {}", presence_text(presence));
            wrap(&[piece(&text, app.theme.dim)], width, INDENT)
        }
        Content::Note { text, is_error } => {
            let style = if *is_error { app.theme.error } else { app.theme.status };
            let mark = if *is_error { "!" } else { "·" };
            wrap(&[piece(&format!("    {mark} "), style), piece(text, style)], width, INDENT)
        }
    }
}

/// Returns the rows of a message: time, author, text.
fn message_rows(app: &App, message: &MessageLine, width: u16) -> Vec<Row> {
    let theme = &app.theme;
    let time = message.time.map_or_else(|| "--:--".to_owned(), |it| app.zone.format_minute(it));
    let time_style = if message.is_mention { theme.mention } else { theme.time };
    let mut pieces = vec![piece(&time, time_style), blank(1)];
    if message.is_late {
        pieces.push(piece(&format!("({}) ", text!("row-late")), theme.dim));
    }
    let name_style = if message.own { theme.own_name } else { theme.name(&message.from) };
    let base = if message.refused.is_some() {
        theme.error
    } else if message.is_history {
        theme.dim
    } else {
        theme.base
    };
    push_author(&mut pieces, &message.from, message.style, name_style, base);
    if message.style == Style::REMOVED {
        pieces.push(piece(&format!("[{}]", text!("row-removed")), theme.dim));
    } else {
        pieces.extend(styled(&message.text, base, theme));
    }
    let mut rows = wrap(&pieces, width, INDENT);
    if let Some(reason) = &message.refused {
        let text = text!("row-refused", reason = reason);
        rows.extend(wrap(&[blank(INDENT), piece(&text, theme.error)], width, INDENT));
    }
    rows
}

/// Returns the rows of a message of the user on its way: all of it dimmed.
fn pending_rows(app: &App, pending: &PendingMessage, width: u16) -> Vec<Row> {
    let theme = &app.theme;
    let me = app.own_name().unwrap_or_default();
    let mut pieces = vec![piece("  …  ", theme.dim), blank(1)];
    push_author(&mut pieces, &me, pending.style, theme.dim, theme.dim);
    let text = visible(&pending.text);
    pieces.extend(styled(&text, theme.dim, theme));
    wrap(&pieces, width, INDENT)
}

/// Adds the author before the text: `anna `, or `* anna ` before what they do.
pub(super) fn push_author(
    pieces: &mut Vec<Piece>,
    name: &str,
    style: Style,
    name_style: CellStyle,
    base: CellStyle,
) {
    if style == Style::ACTION {
        pieces.push(piece("* ", name_style));
    }
    pieces.push(piece(name, name_style.add_modifier(Modifier::BOLD)));
    pieces.push(piece(if style == Style::ACTION { " " } else { ": " }, base));
}

/// Returns a row with the date if a message is the first one of its day.
fn date_row(app: &App, index: usize, width: u16) -> Option<Row> {
    let conversation = app.shown();
    let time_of = |line: &Line| match &line.content {
        Content::Message(message) => message.time,
        Content::Presence(_) | Content::Note { .. } => None,
    };
    let date = app.zone.date(time_of(conversation.lines().get(index)?)?)?;
    let before = conversation.lines().range(..index).rev().find_map(time_of);
    if before.and_then(|it| app.zone.date(it)) == Some(date) {
        return None;
    }
    Some(rule(&date_line(date), width, app.theme.date))
}

/// Describes who came and left.
fn presence_text(presence: &PresenceLine) -> String {
    let PresenceLine { joined, left, passed } = presence;
    let mut told = Vec::new();
    if !joined.is_empty() {
        told.push(text!("room-joined", names = list_names(joined), count = joined.len()));
    }
    if !left.is_empty() {
        told.push(text!("room-gone", names = list_names(left), count = left.len()));
    }
    if !passed.is_empty() {
        told.push(text!("row-passed", names = list_names(passed), count = passed.len()));
    }
    told.join("; ")
}

/// Lists names, at most [`MAX_NAMES`].
fn list_names(names: &[String]) -> String {
    let shown = names.iter().take(MAX_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        more => text!("row-names-more", names = shown, count = more),
    }
}

/// Returns a line across the window with a text in its middle.
fn rule(text: &str, width: u16, style: CellStyle) -> Row {
    let text = super::text::truncate(&format!(" {text} "), width);
    let free = usize::from(width.saturating_sub(columns(&text)));
    let (left, right) = (free / 2, free - free / 2);
    let line = |count: usize| piece(&"─".repeat(count), style);
    vec![line(left), piece(&text, style), line(right)]
}

/// Returns a piece of text without a link.
pub(super) fn piece(text: &str, style: CellStyle) -> Piece {
    Piece::new(text, style)
}

/// Returns a piece of this many spaces.
pub(super) fn blank(width: u16) -> Piece {
    piece(&" ".repeat(usize::from(width)), CellStyle::default())
}
