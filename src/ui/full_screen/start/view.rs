//! Drawing of the first questions.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::Start;
use crate::text;
use crate::ui::full_screen::rows::piece;
use crate::ui::full_screen::text::{Row, columns, visible, wrap};
use crate::ui::full_screen::view::{draw_line, draw_row};
use crate::ui::safe::safe_line;

/// Minimum height of the terminal for empty rows and the longer text, in rows.
const ROOMY_HEIGHT: u16 = 14;

/// Width of the mark and the number before the name of a server, in columns.
const BEFORE_NAME: u16 = 6;

/// Entry of the list: name, address, and how the way to it is protected.
type Entry = (String, String, String);

/// Draws the question on the whole screen. Returns where the cursor goes.
pub(super) fn draw(start: &mut Start, buffer: &mut Buffer) -> Position {
    let area = buffer.area;
    buffer.set_style(area, start.theme.base);
    if area.is_empty() {
        return area.as_position();
    }
    let title = Rect { height: 1, ..area };
    let style = start.theme.selection.patch(start.theme.title);
    draw_line(start.questions.program, &text!("start-leave"), title, buffer, style);
    let input = Rect { y: area.bottom() - 1, height: 1, ..area };
    let is_roomy = area.height >= ROOMY_HEIGHT;
    let above = rows_above(start, area.width, is_roomy);
    let below = rows_below(start, area.width, is_roomy);
    let room = usize::from(area.height.saturating_sub(2));
    let list_room = room.saturating_sub(above.len() + below.len());
    let list = list_rows(start, area.width, list_room);
    let rows = above.into_iter().chain(list).chain(below).take(room);
    for (row, y) in rows.zip(area.y + 1..) {
        draw_row(&row, Rect { y, height: 1, ..area }, buffer, &mut Vec::new());
    }
    draw_input(start, input, buffer)
}

/// Returns an empty row if there is room for it.
fn empty_rows(is_roomy: bool) -> Vec<Row> {
    if is_roomy { vec![Row::new()] } else { Vec::new() }
}

/// Returns the rows above the list: the question, and what the user is to know.
fn rows_above(start: &Start, width: u16, is_roomy: bool) -> Vec<Row> {
    let theme = &start.theme;
    let mut rows = empty_rows(is_roomy);
    rows.extend(wrap(&[piece(&format!(" {}", start.question()), theme.title)], width, 1));
    rows.extend(empty_rows(is_roomy));
    if let Some(note) = start.note() {
        rows.extend(wrap(&[piece(&format!(" {note}"), theme.status)], width, 1));
    }
    rows
}

/// Returns the rows of the list, as many as there is room for, with the selected one among them.
/// Where not all fits, addresses are left out.
fn list_rows(start: &Start, width: u16, room: usize) -> Vec<Row> {
    if !start.asks_server() {
        return Vec::new();
    }
    let theme = &start.theme;
    let typed = start.last_typed();
    let typed = typed.map(|it| (safe_line(it), String::new(), text!("start-last-time")));
    let found = start.offers.iter();
    let found = found.map(|it| (safe_line(&it.name), it.address.clone(), it.lock.describe()));
    let entries: Vec<_> = typed.into_iter().chain(found).collect();
    let widest = |of: fn(&Entry) -> &String| entries.iter().map(|it| columns(of(it))).max();
    let names = widest(|it| &it.0).unwrap_or(0).min(width / 3);
    let addresses = widest(|it| &it.1).unwrap_or(0);
    let locks = widest(|it| &it.2).unwrap_or(0);
    let has_addresses = BEFORE_NAME + names + 2 + addresses + 2 + locks <= width;
    let pad = |text: &str, to: u16| {
        format!("{text}{}", " ".repeat(usize::from(to.saturating_sub(columns(text)))))
    };
    let first = (start.selected + 1).saturating_sub(room);
    let shown = entries.iter().enumerate().skip(first).take(room);
    let rows = shown.map(|(index, (name, address, lock))| {
        let is_selected = index == start.selected;
        let mark = if is_selected { ">" } else { " " };
        let name = pad(&visible(name), names);
        let address = if has_addresses { pad(address, addresses) + "  " } else { String::new() };
        let text = format!(" {mark} {:2} {name}  {address}{lock} ", index + 1);
        let style = if is_selected { theme.selection } else { theme.base };
        vec![piece(&text, style)]
    });
    rows.collect()
}

/// Returns the rows below the list: what was wrong with the last answer, and how to answer.
fn rows_below(start: &Start, width: u16, is_roomy: bool) -> Vec<Row> {
    let theme = &start.theme;
    let mut rows = empty_rows(is_roomy);
    if let Some(problem) = &start.problem {
        rows.extend(wrap(&[piece(&format!(" ! {problem}"), theme.error)], width, 3));
    }
    if start.asks_server() {
        let how = if is_roomy { text!("start-how") } else { text!("start-how-briefly") };
        rows.extend(wrap(&[piece(&format!(" {how}"), theme.dim)], width, 1));
    }
    rows
}

/// Draws the line that is typed, behind its prompt. Returns where the cursor goes.
fn draw_input(start: &mut Start, area: Rect, buffer: &mut Buffer) -> Position {
    let prompt = start.prompt();
    let width = columns(&prompt).min(area.width.saturating_sub(2));
    buffer.set_stringn(area.x, area.y, &prompt, usize::from(width), start.theme.title);
    let area = Rect { x: area.x + width, width: area.width - width, ..area };
    if area.is_empty() { area.as_position() } else { start.composer.draw(area, buffer) }
}
