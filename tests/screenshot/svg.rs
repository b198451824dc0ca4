//! Cells of a terminal as an SVG picture.

use std::fmt::Write as _;

use vt100::Color;

use crate::grid::{Cell, Grid, Look, text};

/// Size of a cell, in pixels.
const CELL: (f64, f64) = (8.4, 19.0);

/// Size of the font, in pixels.
const FONT_SIZE: f64 = 14.0;

/// Height of the baseline in a cell, from its top, in pixels.
const BASELINE: f64 = 14.0;

/// Blank border around the cells, in pixels.
const MARGIN: f64 = 10.0;

/// Colours of the terminal itself: text and background.
const OWN_COLORS: (&str, &str) = ("#d0d0d0", "#1c1c1c");

/// Colours 0 to 15 of the palette.
const FIRST_COLORS: [&str; 16] = [
    "#1c1c1c", "#cc5555", "#55aa55", "#ccaa44", "#5588cc", "#bb66bb", "#44aaaa", "#d0d0d0",
    "#767676", "#ff7777", "#77cc77", "#eecc66", "#77aaee", "#dd88dd", "#66cccc", "#ffffff",
];

/// Draws cells as a picture with this title.
pub(crate) fn draw(grid: &Grid, title: &str) -> String {
    let columns = grid.rows.first().map_or(0, Vec::len);
    let (width, height) = (x(columns) + MARGIN, y(grid.rows.len()) + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" \
         font-size=\"{FONT_SIZE}\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        escape(title),
        background_of_all(grid),
    );
    for (number, row) in grid.rows.iter().enumerate() {
        draw_backgrounds(&mut svg, row, number, &background_of_all(grid));
    }
    let (row, column) = grid.cursor;
    let _ = writeln!(
        svg,
        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{}\"/>",
        x(column),
        y(row),
        CELL.0,
        CELL.1,
        OWN_COLORS.0,
    );
    for (number, row) in grid.rows.iter().enumerate() {
        draw_texts(&mut svg, row, number);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Returns the left edge of a column, in pixels.
fn x(column: usize) -> f64 {
    MARGIN + CELL.0 * f64::from(u32::try_from(column).unwrap())
}

/// Returns the upper edge of a row, in pixels.
fn y(row: usize) -> f64 {
    MARGIN + CELL.1 * f64::from(u32::try_from(row).unwrap())
}

/// Returns the colour of most cells' background: that of the last cell in the middle row.
fn background_of_all(grid: &Grid) -> String {
    let middle = grid.rows.get(grid.rows.len() / 2).and_then(|it| it.last());
    middle.map_or_else(|| OWN_COLORS.1.to_owned(), |it| colors(it.look).1)
}

/// Splits a row into runs of cells that look the same. Returns the first column of each.
fn runs(row: &[Cell]) -> impl Iterator<Item = (usize, &[Cell])> {
    let mut column = 0;
    row.chunk_by(|one, other| one.look == other.look).map(move |run| {
        let begin = column;
        column += run.len();
        (begin, run)
    })
}

/// Draws what is behind the text of a row.
fn draw_backgrounds(svg: &mut String, row: &[Cell], number: usize, usual: &str) {
    for (column, run) in runs(row) {
        let color = colors(run[0].look).1;
        if color != usual {
            let width = x(column + run.len()) - x(column);
            let _ = writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{color}\"/>",
                x(column),
                y(number),
                CELL.1,
            );
        }
    }
}

/// Draws the text of a row.
fn draw_texts(svg: &mut String, row: &[Cell], number: usize) {
    for (column, run) in runs(row) {
        let color = colors(run[0].look).0;
        let mut column = column;
        let kind = |cell: &Cell| match cell.text.as_str() {
            "│" => 1,
            "─" => 2,
            _ => 0,
        };
        for part in run.chunk_by(|one, other| kind(one) == kind(other)) {
            match kind(&part[0]) {
                0 => draw_text(svg, part, column, number, &color),
                // Lines that are drawn join those of the next cells, which letters do not.
                1 => {
                    let x = x(column) + CELL.0 / 2.0;
                    draw_line(svg, (x, y(number)), format!("v{}", CELL.1), &color);
                }
                _ => {
                    let y = y(number) + CELL.1 / 2.0;
                    let width = x(column + part.len()) - x(column);
                    draw_line(svg, (x(column), y), format!("h{width:.1}"), &color);
                }
            }
            column += part.len();
        }
    }
}

/// Draws cells that look the same, without the blanks around their text.
fn draw_text(svg: &mut String, cells: &[Cell], column: usize, row: usize, color: &str) {
    let is_blank = |it: &Cell| it.text == " ";
    let look = cells[0].look;
    let first = cells.iter().position(|it| !is_blank(it));
    let (Some(first), false) = (first, cells.is_empty()) else { return };
    let last = cells.iter().rposition(|it| !is_blank(it)).unwrap_or(first);
    let (cells, column) = (&cells[first..=last], column + first);
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" fill=\"{color}\" xml:space=\"preserve\"",
        x(column),
        y(row) + BASELINE,
        x(column + cells.len()) - x(column),
    );
    for (is_so, attribute) in [
        (look.is_bold, " font-weight=\"bold\""),
        (look.is_italic, " font-style=\"italic\""),
        (look.is_underlined, " text-decoration=\"underline\""),
    ] {
        if is_so {
            svg.push_str(attribute);
        }
    }
    let _ = writeln!(svg, ">{}</text>", escape(&text(cells)));
}

/// Draws a line.
fn draw_line(svg: &mut String, (x, y): (f64, f64), way: String, color: &str) {
    let _ = writeln!(svg, "<path d=\"M{x:.1} {y:.1}{way}\" stroke=\"{color}\"/>");
}

/// Returns the colours of text and background.
fn colors(look: Look) -> (String, String) {
    let text = color(look.text).unwrap_or_else(|| OWN_COLORS.0.to_owned());
    let background = color(look.background).unwrap_or_else(|| OWN_COLORS.1.to_owned());
    if look.is_inverse { (background, text) } else { (text, background) }
}

/// Returns a colour as SVG has it; `None` for the terminal's own one.
fn color(color: Color) -> Option<String> {
    match color {
        Color::Default => None,
        Color::Idx(number) => Some(indexed(number)),
        Color::Rgb(red, green, blue) => Some(rgb(red, green, blue)),
    }
}

/// Returns a colour of the palette of 256.
fn indexed(number: u8) -> String {
    match number {
        0..=15 => FIRST_COLORS[usize::from(number)].to_owned(),
        16..=231 => {
            let level = |it: u8| if it == 0 { 0 } else { 55 + 40 * it };
            let at = number - 16;
            rgb(level(at / 36), level(at / 6 % 6), level(at % 6))
        }
        232..=255 => {
            let level = 8 + 10 * (number - 232);
            rgb(level, level, level)
        }
    }
}

/// Returns a colour of its three parts.
fn rgb(red: u8, green: u8, blue: u8) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Escapes a text for XML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
