//! Division of the terminal into areas. Everything that can be left out is left out where there is
//! no room for it; messages and the line that is typed are always there.

use ratatui::layout::Rect;

use super::app::App;
use super::text::{columns, truncate};

/// Minimum width of the terminal for the list of conversations, in columns.
const LIST_MIN_WIDTH: u16 = 60;

/// Width of the list of conversations, in columns, its border included.
const LIST_WIDTH: u16 = 18;

/// Minimum width of the terminal for the list of people, in columns.
const PEOPLE_MIN_WIDTH: u16 = 90;

/// Width of the list of people, in columns, its border included.
const PEOPLE_WIDTH: u16 = 18;

/// Minimum height of the terminal for the title, in rows.
const TITLE_MIN_HEIGHT: u16 = 8;

/// Maximum number of rows of the line that is typed.
const MAX_INPUT_ROWS: u16 = 8;

/// Areas of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    /// Title: place and topic; `None` on a low terminal.
    pub title: Option<Rect>,
    /// List of conversations; `None` if there is only one, or on a narrow terminal.
    pub conversations: Option<Rect>,
    /// Messages.
    pub messages: Rect,
    /// List of people; `None` on a narrow terminal, and where there are none.
    pub people: Option<Rect>,
    /// Status line.
    pub status: Rect,
    /// Question, or completions; `None` if there are none.
    pub question: Option<Rect>,
    /// Line that is typed.
    pub input: Rect,
}

/// Divides the terminal. Areas have no row or no column if the terminal is too small for them.
#[must_use]
pub fn areas(app: &App) -> Areas {
    let mut rest = Rect::new(0, 0, app.size.width, app.size.height);
    let prompt = columns(&shown_prompt(app, rest.width));
    let input_width = rest.width.saturating_sub(prompt).max(1);
    let most = MAX_INPUT_ROWS.min((rest.height / 3).max(1));
    let input_rows = app.composer.rows(input_width).clamp(1, most);
    let input = take_bottom(&mut rest, input_rows);
    let question = app.has_hint().then(|| take_bottom(&mut rest, 1));
    let status = take_bottom(&mut rest, 1);
    let title = (app.size.height >= TITLE_MIN_HEIGHT).then(|| take_top(&mut rest, 1));
    let has_list = app.conversations.len() > 1 && rest.width >= LIST_MIN_WIDTH;
    let conversations = has_list.then(|| take_left(&mut rest, LIST_WIDTH));
    let has_people = app.size.width >= PEOPLE_MIN_WIDTH && app.has_people();
    let people = has_people.then(|| take_right(&mut rest, PEOPLE_WIDTH));
    Areas { title, conversations, messages: rest, people, status, question, input }
}

/// Returns what stands before the line that is typed in a terminal of this width: of a long name only
/// the beginning, so that there is room to type.
#[must_use]
pub fn shown_prompt(app: &App, width: u16) -> String {
    let prompt = app.prompt();
    let most = (width / 3).max(4);
    if columns(&prompt) <= most {
        return prompt;
    }
    format!("{}> ", truncate(prompt.trim_end_matches("> "), most.saturating_sub(2)))
}

/// Takes rows from the bottom of an area, as many as there are.
fn take_bottom(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    rest.height -= rows;
    Rect { y: rest.y + rest.height, height: rows, ..*rest }
}

/// Takes rows from the top of an area, as many as there are.
fn take_top(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    let taken = Rect { height: rows, ..*rest };
    rest.y += rows;
    rest.height -= rows;
    taken
}

/// Takes columns from the left of an area.
fn take_left(rest: &mut Rect, columns: u16) -> Rect {
    let columns = columns.min(rest.width);
    let taken = Rect { width: columns, ..*rest };
    rest.x += columns;
    rest.width -= columns;
    taken
}

/// Takes columns from the right of an area.
fn take_right(rest: &mut Rect, columns: u16) -> Rect {
    let columns = columns.min(rest.width);
    rest.width -= columns;
    Rect { x: rest.x + rest.width, width: columns, ..*rest }
}
