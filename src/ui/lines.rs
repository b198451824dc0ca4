//! Line reader with bounded memory. The input may contain lines without an end.

use std::io::{self, BufRead};

use crate::text_input::without_byte_order_mark;

/// Maximum length of a line that is kept, in bytes, line ending included. The content of a longer
/// line is discarded.
const MAX_LINE_BYTES: u64 = 256 * 1024;

/// Line read from the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Text of the line, without its line ending.
    Text(String),
    /// The first [`MAX_LINE_BYTES`] bytes of the line do not contain its line ending. The content
    /// was discarded. The value is the length of the line in bytes, line ending included.
    TooLong(usize),
    /// The line is not valid UTF-8. Its content was discarded.
    InvalidUtf8,
}

/// Reads the next line; `None` if the input has ended. A line ends with `\n`, with `\r\n`, or at
/// the end of the input. A byte order mark at its beginning is not part of its text.
///
/// # Errors
/// The input cannot be read.
pub(super) fn read_line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    let mut count = io::Read::take(&mut *input, MAX_LINE_BYTES).read_until(b'\n', &mut bytes)?;
    if count == 0 {
        return Ok(None);
    }
    if bytes.last() != Some(&b'\n') && bytes.len() as u64 == MAX_LINE_BYTES {
        loop {
            let mut rest = Vec::new();
            let more = io::Read::take(&mut *input, MAX_LINE_BYTES).read_until(b'\n', &mut rest)?;
            count += more;
            if more == 0 || rest.last() == Some(&b'\n') {
                return Ok(Some(Line::TooLong(count)));
            }
        }
    }
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    let text = str::from_utf8(without_byte_order_mark(&bytes));
    Ok(Some(text.map_or(Line::InvalidUtf8, |it| Line::Text(it.to_owned()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads all lines of an input.
    fn read_lines(mut input: &[u8]) -> Vec<Line> {
        std::iter::from_fn(|| read_line(&mut input).unwrap()).collect()
    }

    /// Line endings are removed. The last line needs none.
    #[test]
    fn line_endings_are_removed() {
        let text = |it: &str| Line::Text(it.to_owned());
        assert_eq!(read_lines(b"a\r\nb\n\n c"), [text("a"), text("b"), text(""), text(" c")]);
        assert_eq!(read_lines(b"\xff\nb"), [Line::InvalidUtf8, text("b")]);
    }

    /// A byte order mark is removed at the beginning of a line only.
    #[test]
    fn byte_order_marks_at_the_beginning_of_lines_are_removed() {
        let text = |it: &str| Line::Text(it.to_owned());
        let input = "\u{feff}/me waves\r\na\u{feff}\n\u{feff}b";
        assert_eq!(read_lines(input.as_bytes()), [text("/me waves"), text("a\u{feff}"), text("b")]);
    }

    /// An overlong line is measured and discarded. Then the next line is read.
    #[test]
    fn overlong_line_is_skipped() {
        let mut input = vec![b'x'; 600_000];
        input.extend_from_slice(b"\nnext\n");
        assert_eq!(read_lines(&input), [Line::TooLong(600_001), Line::Text("next".to_owned())]);
    }
}
