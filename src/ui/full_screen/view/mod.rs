//! Drawing of the model. Nothing here changes it, apart from how far composer and messages are
//! scrolled: the terminal may have got another size.
//!
//! - `lists`: conversations on the left, people on the right
//! - `status`: title, status line, question
//! - `help`: keys and commands
//! - `search`: what a search has found

mod help;
mod lists;
mod search;
mod status;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

pub use self::help::help_height;
pub use self::lists::{first_listed, person_at};
pub use self::search::{hit_at, hits_that_fit};
pub(super) use self::status::draw_line;
use super::app::{App, Overlay, Scroll};
use super::layout::{areas, shown_prompt};
use super::rows::{item_count, rows_of};
use super::text::{Row, columns};

/// Cells that are a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Cells, of one row.
    pub area: Rect,
    /// Address.
    pub target: Arc<str>,
}

/// What a drawn screen has besides its cells.
#[derive(Debug, Default)]
pub struct Drawn {
    /// Where the terminal's own cursor goes.
    pub cursor: Position,
    /// Links.
    pub links: Vec<Link>,
}

/// Draws the whole screen.
pub fn draw(app: &mut App, buffer: &mut Buffer) -> Drawn {
    app.keep_window_full();
    let areas = areas(app);
    buffer.set_style(buffer.area, app.theme.base);
    let mut links = Vec::new();
    if let Some(area) = areas.title {
        status::draw_title(app, area, buffer);
    }
    if let Some(area) = areas.conversations {
        lists::draw_conversations(app, area, buffer);
    }
    if let Some(area) = areas.people {
        lists::draw_people(app, area, buffer);
    }
    match app.overlay {
        Overlay::None => draw_messages(app, areas.messages, buffer, &mut links),
        Overlay::Help(at) => help::draw_help(app, at, areas.messages, buffer),
        Overlay::Search => search::draw_search(app, areas.messages, buffer),
    }
    status::draw_status(app, areas.status, buffer);
    if let Some(area) = areas.question {
        status::draw_hint(app, area, buffer);
    }
    let cursor = draw_input(app, areas.input, buffer);
    Drawn { cursor, links }
}

/// Draws the messages, from the lowest row up.
fn draw_messages(app: &App, area: Rect, buffer: &mut Buffer, links: &mut Vec<Link>) {
    let count = item_count(app);
    let conversation = app.shown();
    let (mut index, mut below) = match conversation.scroll {
        Scroll::End => (count, 0),
        Scroll::At { line, below } => (conversation.index_of(line) + 1, below),
    };
    let mut y = area.bottom();
    while index > 0 && y > area.top() {
        index -= 1;
        let rows = rows_of(app, index, area.width);
        // In a wider window the lowest line may have fewer rows than when it was scrolled.
        let shown = rows.len().saturating_sub(below).max(1);
        below = 0;
        for row in rows.iter().take(shown).rev() {
            if y == area.top() {
                return;
            }
            y -= 1;
            draw_row(row, Rect { y, height: 1, ..area }, buffer, links);
        }
    }
}

/// Draws a row of text. Notes its links.
pub(super) fn draw_row(row: &Row, area: Rect, buffer: &mut Buffer, links: &mut Vec<Link>) {
    let mut x = area.x;
    for piece in row {
        let free = area.right().saturating_sub(x);
        let (end, _) = buffer.set_stringn(x, area.y, &piece.text, usize::from(free), piece.style);
        if let Some(target) = &piece.link
            && end > x
        {
            let area = Rect { x, y: area.y, width: end - x, height: 1 };
            links.push(Link { area, target: target.clone() });
        }
        x = end;
    }
}

/// Draws the line that is typed, behind its prompt. Returns where the cursor goes.
fn draw_input(app: &mut App, area: Rect, buffer: &mut Buffer) -> Position {
    if area.is_empty() {
        return area.as_position();
    }
    let prompt = shown_prompt(app, area.width);
    let width = columns(&prompt).min(area.width.saturating_sub(2));
    buffer.set_stringn(area.x, area.y, &prompt, usize::from(width), app.theme.title);
    let area = Rect { x: area.x + width, width: area.width - width, ..area };
    if area.is_empty() {
        return Position::new(area.x, area.y);
    }
    app.composer.draw(area, buffer)
}
