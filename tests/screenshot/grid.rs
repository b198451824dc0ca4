//! What a terminal shows, as cells, with times that are the same in every run.

use vt100::{Color, Screen};

/// Date that takes the place of today.
const DATE: &str = " Friday, 2026-11-27 ";

/// Time of the first message, in minutes after midnight.
const FIRST_MINUTE: usize = 15 * 60 + 12;

/// Time from handing a message over until its echo came, in the status line.
const LATENCY: &str = "2 ms";

/// Look of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    /// Colour of the text.
    pub(crate) text: Color,
    /// Colour behind it.
    pub(crate) background: Color,
    /// True for bold text.
    pub(crate) is_bold: bool,
    /// True for italic text.
    pub(crate) is_italic: bool,
    /// True for underlined text.
    pub(crate) is_underlined: bool,
    /// True if the two colours are exchanged.
    pub(crate) is_inverse: bool,
}

/// Cell of a terminal.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// Its character; empty in the second column of a wide one.
    pub(crate) text: String,
    /// Its look.
    pub(crate) look: Look,
}

/// Cells of a terminal, and where its cursor is.
pub(crate) struct Grid {
    /// Rows of cells.
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Row and column of the cursor.
    pub(crate) cursor: (usize, usize),
}

impl Grid {
    /// Takes what a terminal shows, and replaces the times.
    pub(crate) fn new(screen: &Screen) -> Self {
        let (rows, columns) = screen.size();
        let row = |row| (0..columns.get()).map(|column| cell(screen, row, column)).collect();
        let (row_of_cursor, column) = screen.cursor_position();
        let mut grid = Self {
            rows: (0..rows.get()).map(row).collect(),
            cursor: (row_of_cursor.into(), column.into()),
        };
        grid.replace_times();
        grid
    }

    /// Replaces today's date, the times of messages, and the latency in the status line.
    fn replace_times(&mut self) {
        let mut minute = FIRST_MINUTE;
        for row in &mut self.rows {
            if let Some(at) = row.windows(6).position(is_time) {
                put(row, at, &format!("{:02}:{:02}", minute / 60, minute % 60));
                minute += 1;
            } else if let Some(at) = row.windows(10).position(is_date) {
                replace_date(row, at);
            } else if let Some(at) = row.windows(3).position(|it| text(it) == " ms") {
                replace_latency(row, at);
            }
        }
    }
}

/// Takes a cell of a terminal.
fn cell(screen: &Screen, row: u16, column: u16) -> Cell {
    let cell = screen.cell(row, column).unwrap();
    let look = Look {
        text: cell.fgcolor(),
        background: cell.bgcolor(),
        is_bold: cell.bold(),
        is_italic: cell.italic(),
        is_underlined: cell.underline(),
        is_inverse: cell.inverse(),
    };
    let is_empty = !cell.has_contents() && !cell.is_wide_continuation();
    Cell { text: if is_empty { " ".to_owned() } else { cell.contents().to_owned() }, look }
}

/// Returns the text of cells.
pub(crate) fn text(cells: &[Cell]) -> String {
    cells.iter().map(|it| it.text.as_str()).collect()
}

/// Returns true for cells such as `09:41 `.
fn is_time(cells: &[Cell]) -> bool {
    has_shape(cells, "00:00 ")
}

/// Returns true for cells such as `2026-11-27`.
fn is_date(cells: &[Cell]) -> bool {
    has_shape(cells, "0000-00-00")
}

/// Returns true if cells have digits where the shape has zeros, and the same characters elsewhere.
fn has_shape(cells: &[Cell], shape: &str) -> bool {
    let text = text(cells);
    text.chars().count() == shape.chars().count()
        && text.chars().zip(shape.chars()).all(|(c, shape)| match shape {
            '0' => c.is_ascii_digit(),
            shape => c == shape,
        })
}

/// Writes a text over cells, which keep their look.
fn put(row: &mut [Cell], at: usize, text: &str) {
    for (cell, c) in row[at..].iter_mut().zip(text.chars()) {
        cell.text = c.to_string();
    }
}

/// Replaces a date in the middle of a line across the window.
fn replace_date(row: &mut [Cell], at: usize) {
    let look = row[at].look;
    let begin = row[..at].iter().rposition(|it| it.look != look).map_or(0, |it| it + 1);
    let end = at + row[at..].iter().position(|it| it.look != look).unwrap_or(row.len() - at);
    let free = end - begin - DATE.chars().count();
    let (left, right) = (free / 2, free - free / 2);
    put(row, begin, &format!("{}{DATE}{}", "─".repeat(left), "─".repeat(right)));
}

/// Replaces a latency, after which the status line is aligned to the right.
fn replace_latency(row: &mut [Cell], at: usize) {
    let begin = row[..at].iter().rposition(|it| !it.text.starts_with(|c: char| c.is_ascii_digit()));
    let begin = begin.map_or(0, |it| it + 1);
    let mut all: Vec<String> = row.iter().map(|it| it.text.clone()).collect();
    let latency: Vec<String> = LATENCY.chars().map(|c| c.to_string()).collect();
    let (old, new) = (at + 3 - begin, latency.len());
    all.splice(begin..begin + old, latency);
    // The blanks in the middle of the line become more or fewer.
    let gap = all.windows(2).position(|it| it[0] == " " && it[1] == " ").unwrap();
    for _ in new..old {
        all.insert(gap, " ".to_owned());
    }
    for (cell, text) in row.iter_mut().zip(all) {
        cell.text = text;
    }
}
