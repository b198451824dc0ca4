//! Tests of QR codes: another library reads them again, in each form.

use std::collections::HashSet;

use super::*;

/// Pixels of a module, in each direction.
const SCALE: usize = 4;

/// URL with what a QR code has to keep: upper and lower case, and signs.
const URL: &str = "http://Pi-chat.local:2480/";

/// Reads the only QR code in a picture of dark and light modules.
fn read(width: usize, is_dark: impl Fn(usize, usize) -> bool) -> String {
    let pixel = |x: usize, y: usize| if is_dark(x / SCALE, y / SCALE) { 0 } else { 255 };
    let side = width * SCALE;
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(side, side, pixel);
    let codes = picture.detect_grids();
    assert_eq!(codes.len(), 1);
    codes[0].decode().unwrap().1
}

/// Returns the dark modules of lines that were drawn in a style. Obeys the colours, if there are
/// any.
fn dark_modules(drawn: &str, style: TerminalStyle) -> HashSet<(usize, usize)> {
    let mut dark = HashSet::new();
    for (row, line) in drawn.lines().enumerate() {
        assert_eq!(line.starts_with('\x1b'), style.has_colors);
        let (mut column, mut is_behind_black) = (0, false);
        for piece in line.split_inclusive('m') {
            let (cells, color) = piece.split_once('\x1b').unwrap_or((piece, ""));
            for c in cells.chars() {
                let halves = match c {
                    '█' => [true, true],
                    '▀' => [true, false],
                    '▄' => [false, true],
                    '#' => [true, true],
                    ' ' => [false, false],
                    other => panic!("{other:?}"),
                };
                let is_dark = |is_drawn: bool| match (style.is_utf8, style.has_colors) {
                    (true, true) => is_drawn,
                    (_, false) => !is_drawn,
                    (false, true) => is_behind_black,
                };
                for (half, is_drawn) in halves.into_iter().enumerate() {
                    let place = match style.is_utf8 {
                        true => (column, 2 * row + half),
                        false => (column / 2, row),
                    };
                    if is_dark(is_drawn) {
                        dark.insert(place);
                    }
                }
                column += 1;
            }
            is_behind_black = color == "[48;5;16m";
        }
    }
    dark
}

#[test]
fn code_is_read_again_from_each_kind_of_terminal() {
    let code = QrCode::new(URL).unwrap();
    for (is_utf8, has_colors) in [(true, true), (true, false), (false, true), (false, false)] {
        let style = TerminalStyle { is_utf8, has_colors };
        let drawn = style.draw(&code);
        assert_eq!(drawn.is_ascii(), !is_utf8);
        let dark = dark_modules(&drawn, style);
        assert_eq!(read(code.width(), |x, y| dark.contains(&(x, y))), URL, "{style:?}");
    }
}

/// The margin is what the standard asks for: a scanner needs it where the terminal is dark.
#[test]
fn quiet_zone_is_four_modules_on_each_side() {
    let code = QrCode::new(URL).unwrap();
    let width = code.width();
    assert!(code.is_dark(4, 4) && code.is_dark(width - 5, 4) && code.is_dark(4, width - 5));
    let is_margin = |it: usize| it < 4 || it >= width - 4;
    let margin = (0..width).flat_map(|x| (0..width).map(move |y| (x, y)));
    assert!(
        margin.filter(|(x, y)| is_margin(*x) || is_margin(*y)).all(|(x, y)| !code.is_dark(x, y))
    );
}

#[test]
fn code_is_read_again_from_svg() {
    let text = "WIFI:T:WPA;S:Café;P:a\\;b;;";
    let code = QrCode::new(text).unwrap();
    let svg = code.to_svg("a <b> & 'c'");
    assert!(svg.contains("<title>a &lt;b&gt; &amp; &#39;c&#39;</title>"), "{svg}");
    let path = svg.split("<path fill=\"#000\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut dark = HashSet::new();
    for run in path.split('M').filter(|it| !it.is_empty()) {
        let numbers: Vec<usize> =
            run.split(['h', 'v', ' ', 'z', '-']).filter_map(|it| it.parse().ok()).collect();
        let [x, y, length, 1, back] = numbers[..] else { panic!("{run}") };
        assert_eq!(length, back);
        dark.extend((x..x + length).map(|x| (x, y)));
    }
    assert_eq!(read(code.width(), |x, y| dark.contains(&(x, y))), text);
}

#[test]
fn code_with_a_fixed_mask_is_read_again() {
    for text in [URL, "http://192.0.2.7/", &format!("http://{}.local/", "a".repeat(94))] {
        let code = QrCode::with_fixed_mask(text).unwrap();
        assert_eq!(read(code.width(), |x, y| code.is_dark(x, y)), text);
    }
}

#[test]
fn longer_text_than_a_code_holds_is_an_error() {
    assert!(QrCode::new(&"x".repeat(2_000)).is_ok());
    assert_eq!(QrCode::new(&"x".repeat(3_000)).err(), Some(TextTooLong));
}
