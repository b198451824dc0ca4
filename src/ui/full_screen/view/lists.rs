//! Lists beside the messages: conversations on the left, people on the right.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::text;
use crate::ui::full_screen::app::App;
use crate::ui::full_screen::layout::areas;
use crate::ui::full_screen::text::{columns, truncate};
use crate::ui::safe::safe_name;

/// Returns the index of the first conversation in a list with this number of rows: the list is
/// scrolled so that the one that is shown is in it.
#[must_use]
pub fn first_listed(app: &App, rows: u16) -> usize {
    (app.conversations.current_index() + 1).saturating_sub(usize::from(rows))
}

/// Draws the conversations with their numbers and unread messages.
pub(super) fn draw_conversations(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = &app.theme;
    draw_border(app, area.right().saturating_sub(1), area, buffer);
    let width = area.width.saturating_sub(2);
    let first = first_listed(app, area.height);
    let listed = app.conversations.iter().enumerate().skip(first);
    for ((index, conversation), y) in listed.zip(area.top()..area.bottom()) {
        let unread = match conversation.unread {
            0 => String::new(),
            count if count > 999 => "999+".to_owned(),
            count => count.to_string(),
        };
        let style = if index == app.conversations.current_index() {
            theme.selection
        } else if conversation.mentions > 0 {
            theme.mention
        } else if conversation.unread > 0 {
            theme.unread
        } else {
            theme.base
        };
        let number = if index < 10 { format!("{} ", (index + 1) % 10) } else { "  ".to_owned() };
        let free = width.saturating_sub(columns(&unread) + 3);
        let label = truncate(&conversation.place.label(), free);
        let gap = free.saturating_sub(columns(&label)) + 1;
        let text = format!("{number}{label}{}{unread}", " ".repeat(usize::from(gap)));
        buffer.set_stringn(area.x, y, text, usize::from(width), style);
    }
}

/// Returns the name at this place of the list of people; `None` if there is none.
#[must_use]
pub fn person_at(app: &App, at: Position) -> Option<String> {
    let area = areas(app).people.filter(|it| it.contains(at))?;
    let row = usize::from(at.y.checked_sub(area.y + 1)?);
    listed_people(app, area).0.into_iter().nth(row)
}

/// Returns the names that are listed in an area, and the number of all that are known. If not all
/// fit, the last row says how many more there are.
fn listed_people(app: &App, area: Rect) -> (Vec<String>, usize) {
    let rows = usize::from(area.height.saturating_sub(1));
    let (mut names, count) = app.people(rows);
    if count > rows {
        names.truncate(rows.saturating_sub(1));
    }
    (names, count)
}

/// Draws the number of people in the room, and their names.
pub(super) fn draw_people(app: &App, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = &app.theme;
    draw_border(app, area.x, area, buffer);
    let (x, width) = (area.x + 2, area.width.saturating_sub(2));
    let (names, known) = listed_people(app, area);
    let count = app.conversations.current().people;
    let count = count.map_or(known, |it| usize::try_from(it).unwrap_or(0));
    let head = text!("people-count", count = count);
    buffer.set_stringn(x, area.y, head, usize::from(width), theme.dim);
    let me = app.own_name();
    for (name, y) in names.iter().zip(area.y + 1..area.bottom()) {
        let is_own = me.as_deref() == Some(name);
        let style = if is_own { theme.own_name } else { theme.name(name) };
        let style = if app.is_ignored(name) { theme.dim } else { style };
        buffer.set_stringn(x, y, truncate(&safe_name(name), width), usize::from(width), style);
    }
    if names.len() < known && area.height > 1 {
        let more = text!("people-more", count = known - names.len());
        buffer.set_stringn(x, area.bottom() - 1, more, usize::from(width), theme.dim);
    }
}

/// Draws a border from top to bottom of an area.
fn draw_border(app: &App, x: u16, area: Rect, buffer: &mut Buffer) {
    for y in area.top()..area.bottom() {
        buffer.set_string(x, y, "│", app.theme.border);
    }
}
