//! Title, status line, and the line above the input: questions, completions, hints.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::Dialect;
use crate::text;
use crate::ui::full_screen::app::{App, Place};
use crate::ui::full_screen::text::{columns, truncate};
use crate::ui::safe_line;

/// Draws the title: place and topic, and on the right the server.
pub(super) fn draw_title(app: &App, area: Rect, buffer: &mut Buffer) {
    let place = &app.conversations.current().place;
    let mut left = match place {
        Place::Start => String::new(),
        Place::Room(_) | Place::Direct(_) => place.label(),
    };
    match (place, app.topic()) {
        (_, Some(topic)) => left = format!("{left}  {}", safe_line(&topic)),
        (Place::Direct(_), None) => left = format!("{left}  {}", text!("title-direct")),
        (Place::Start | Place::Room(_), None) => {}
    }
    draw_line(
        &left,
        &app.connection.server_name,
        area,
        buffer,
        app.theme.selection.patch(app.theme.title),
    );
}

/// Draws the status line: the connection on the left; on the right encryption, latency, people.
pub(super) fn draw_status(app: &App, area: Rect, buffer: &mut Buffer) {
    let mut left = Vec::new();
    if app.is_leaving() {
        left.push(text!("status-leaving"));
    }
    left.push(app.connection.describe(app.dialect(), app.now));
    match app.waiting_messages() {
        0 => {}
        count => left.push(text!("status-waiting", count = count)),
    }
    let conversation = app.conversations.current();
    if app.is_reading_back() {
        left.push(text!("status-reading-back", unread = conversation.unread));
    }
    let elsewhere: usize =
        app.conversations.iter().map(|it| it.unread).sum::<usize>() - conversation.unread;
    if elsewhere > 0 {
        left.push(text!("status-elsewhere", count = elsewhere));
    }
    let mut right = Vec::new();
    if let Some(people) = conversation.people {
        right.push(match app.dialect() {
            Dialect::Server => text!("people-count", count = people),
            Dialect::Peers => text!("status-peers", count = people),
        });
    }
    if let Some(latency) = app.connection.latency {
        let latency = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        right.push(text!("status-latency", milliseconds = latency));
    }
    right.extend(app.connection.describe_encryption());
    right.push(text!("status-help"));
    let is_up = app.connection.is_up();
    let style =
        if is_up { app.theme.selection } else { app.theme.selection.patch(app.theme.error) };
    draw_line(&left.join(" · "), &right.join(" · "), area, buffer, style);
}

/// Draws the line above the input.
pub(super) fn draw_hint(app: &App, area: Rect, buffer: &mut Buffer) {
    if let Some(hint) = app.hint() {
        draw_line(&hint, "", area, buffer, app.theme.mention);
    }
}

/// Draws a line across an area: text on the left, and on the right if there is room for it.
pub(in crate::ui::full_screen) fn draw_line(
    left: &str,
    right: &str,
    area: Rect,
    buffer: &mut Buffer,
    style: ratatui::style::Style,
) {
    if area.is_empty() {
        return;
    }
    buffer.set_style(area, style);
    let inner = area.width.saturating_sub(2);
    let left = truncate(left, inner);
    buffer.set_stringn(area.x + area.width.min(1), area.y, &left, usize::from(inner), style);
    let free = inner.saturating_sub(columns(&left));
    let mut right = right;
    // What does not fit is left out from its beginning.
    while columns(right) + 2 > free {
        match right.split_once(" · ") {
            Some((_, rest)) => right = rest,
            None => return,
        }
    }
    let x = area.right().saturating_sub(1 + columns(right));
    buffer.set_stringn(x, area.y, right, usize::from(inner), style);
}
