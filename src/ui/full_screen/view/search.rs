//! Results of a search, over the messages: when, where, who, what; the words that were searched for
//! are marked.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::{draw_line, draw_row};
use crate::model::Style;
use crate::text;
use crate::ui::full_screen::app::{App, Hit, Overlay, Progress, SearchList};
use crate::ui::full_screen::layout::areas;
use crate::ui::full_screen::rows::{blank, piece, push_author};
use crate::ui::full_screen::text::{Piece, Row, wrap};
use crate::ui::render::describe_search;
use crate::ui::safe::safe_name;

/// Maximum number of rows of a message.
const MAX_ROWS: usize = 3;

/// Number of columns by which rows of a message after the first are indented.
const INDENT: u16 = 4;

/// Maximum number of characters before the first word that was searched for; more are left out.
const MAX_BEFORE: usize = 60;

/// Number of characters before it that are shown then, about.
const SHOWN_BEFORE: usize = 20;

/// Returns the index of the first line of the list that is on the screen, so that the selected one
/// is there too, and the number of lines from there that fit.
#[must_use]
pub fn hits_that_fit(app: &App) -> (usize, usize) {
    let Some(list) = &app.search else { return (0, 0) };
    let area = list_area(areas(app).messages);
    let rows_of = |index| rows_of(app, list, index, area.width).len();
    let height = usize::from(area.height);
    // Up from the selected line as far as they fit, at most to where the list was scrolled.
    let mut top = list.selected;
    let mut rows = rows_of(top);
    while top > list.top {
        rows += rows_of(top - 1);
        if rows > height {
            break;
        }
        top -= 1;
    }
    let mut rows = 0;
    let fitting = (top..line_count(list)).take_while(|index| {
        rows += rows_of(*index);
        rows <= height
    });
    (top, fitting.count())
}

/// Returns the index of the line of the list at this place of the screen; `None` if there is none.
#[must_use]
pub fn hit_at(app: &App, at: Position) -> Option<usize> {
    let area = list_area(areas(app).messages);
    let list = app.search.as_ref().filter(|_| area.contains(at))?;
    let (top, _) = hits_that_fit(app);
    let mut y = area.y;
    (top..line_count(list)).find(|index| {
        let rows = rows_of(app, list, *index, area.width).len();
        y = y.saturating_add(u16::try_from(rows).unwrap_or(u16::MAX));
        at.y < y
    })
}

/// Draws the list: a heading, then the messages, newest first, and a line about older ones.
pub(super) fn draw_search(app: &App, area: Rect, buffer: &mut Buffer) {
    let (Overlay::Search, Some(list)) = (app.overlay, &app.search) else { return };
    if area.is_empty() {
        return;
    }
    let heading = heading(app, list);
    let keys = format!("{} · {}", text!("hits-enter"), text!("hits-close"));
    draw_line(&heading, &keys, Rect { height: 1, ..area }, buffer, app.theme.title);
    let area = list_area(area);
    let (top, _) = hits_that_fit(app);
    let mut y = area.y;
    for index in top..line_count(list) {
        let is_selected = index == list.selected;
        for row in rows_of(app, list, index, area.width) {
            if y >= area.bottom() {
                return;
            }
            let area = Rect { y, height: 1, ..area };
            draw_row(&row, area, buffer, &mut Vec::new());
            if is_selected {
                buffer.set_style(area, app.theme.selection);
            }
            y += 1;
        }
    }
}

/// Returns the area below the heading.
const fn list_area(area: Rect) -> Rect {
    let height = area.height.saturating_sub(1);
    Rect { y: area.bottom() - height, height, ..area }
}

/// Returns the number of lines of the list: the messages, and one about what else there is.
fn line_count(list: &SearchList) -> usize {
    list.hits.len() + usize::from(last_line(list).is_some())
}

/// Returns the line below the messages; `None` if there is nothing to say.
fn last_line(list: &SearchList) -> Option<String> {
    let is_empty = list.hits.is_empty() && list.older.is_none();
    let line = match (&list.progress, &list.older) {
        _ if is_empty && list.hidden == 0 => return None,
        _ if is_empty => text!("hits-only-hidden"),
        (Progress::Searching(_), _) => return Some(text!("hits-searching-older")),
        (_, Some(_)) => text!("hits-older"),
        (_, None) if list.is_full => text!("hits-too-many"),
        (_, None) if list.hidden > 0 => text!("hits-no-older"),
        (_, None) => return None,
    };
    Some(match list.hidden {
        0 => line,
        hidden => format!("{line} ({})", text!("hits-hidden", count = hidden)),
    })
}

/// Returns the heading: what is searched for, and how many messages were found so far.
fn heading(app: &App, list: &SearchList) -> String {
    let about = describe_search(&list.search, &app.zone);
    match (&list.progress, list.hits.len()) {
        (Progress::Refused(reason), _) => text!("hits-refused", reason = reason),
        (Progress::Searching(_), 0) => text!("hits-searching", about = about),
        (Progress::Done, 0) if list.hidden == 0 => text!("hits-nothing", about = about),
        (_, count) if list.has_more() => text!("hits-latest", count = count, about = about),
        (_, count) => text!("hits-all", count = count, about = about),
    }
}

/// Returns the rows of a line of the list, at least one.
fn rows_of(app: &App, list: &SearchList, index: usize, width: u16) -> Vec<Row> {
    let mark = if index == list.selected { "> " } else { "  " };
    let mut pieces = vec![piece(mark, app.theme.title)];
    let Some(hit) = list.hits.get(index) else {
        let text = last_line(list).unwrap_or_default();
        pieces.push(piece(&text, app.theme.status));
        return wrap(&pieces, width, INDENT);
    };
    pieces.extend(hit_pieces(app, list, hit));
    // Room for the sign of what was cut off.
    let mut rows = wrap(&pieces, width.saturating_sub(2), INDENT);
    if rows.len() > MAX_ROWS {
        rows.truncate(MAX_ROWS);
        if let Some(last) = rows.last_mut() {
            let is_spaced = last.last().is_some_and(|it| it.text.ends_with(' '));
            last.push(piece(if is_spaced { "…" } else { " …" }, app.theme.dim));
        }
    }
    rows
}

/// Returns the pieces of a message that was found.
fn hit_pieces(app: &App, list: &SearchList, hit: &Hit) -> Vec<Piece> {
    let theme = &app.theme;
    let mut pieces = vec![
        piece(&app.zone.format_date_minute(hit.time), theme.time),
        blank(1),
        piece(&format!("#{}", safe_name(&hit.room)), theme.base),
        blank(1),
    ];
    push_author(&mut pieces, &hit.from, hit.style, theme.name(&hit.from), theme.base);
    if hit.style == Style::REMOVED {
        pieces.push(piece(&format!("[{}]", text!("row-removed")), theme.dim));
        return pieces;
    }
    let found = list.terms.ranges_in(&hit.text);
    let begin = beginning(&hit.text, &found);
    if begin > 0 {
        pieces.push(piece("… ", theme.dim));
    }
    let mut at = begin;
    for range in found {
        let plain = hit.text.get(at..range.start).unwrap_or_default();
        pieces.push(piece(plain, theme.base));
        pieces.push(piece(hit.text.get(range.clone()).unwrap_or_default(), theme.mention));
        at = range.end;
    }
    pieces.push(piece(hit.text.get(at..).unwrap_or_default(), theme.base));
    pieces
}

/// Returns the index of the first byte of a text that is shown: at its beginning, or a few words
/// before the first of the places that were found.
fn beginning(text: &str, found: &[Range<usize>]) -> usize {
    let Some(before) = found.first().and_then(|it| text.get(..it.start)) else { return 0 };
    if before.chars().count() <= MAX_BEFORE {
        return 0;
    }
    let far = before.char_indices().rev().take(MAX_BEFORE).skip(SHOWN_BEFORE);
    let space = far.filter(|(_, c)| *c == ' ').map(|(at, _)| at + 1).next();
    let fallback = || before.char_indices().rev().nth(SHOWN_BEFORE).map_or(0, |(at, _)| at);
    space.unwrap_or_else(fallback)
}
