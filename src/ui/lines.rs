//! Line reader with bounded memory, for input that may contain endless lines.

use std::io::{self, BufRead};

/// Number of bytes within which a line must end, its line ending included. A longer line is not
/// kept in memory.
const MAX_LINE_BYTES: u64 = 256 * 1024;

/// Line read from the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Text of the line, without its line ending.
    Text(String),
    /// The line has no end within [`MAX_LINE_BYTES`] bytes. Its content was discarded; this is its
    /// total length in bytes, line ending included.
    TooLong(usize),
    /// The line is not valid UTF-8. Its content was discarded.
    InvalidUtf8,
}

/// Reads the next line, which ends with `\n`, `\r\n` or the input. Returns `None` at the end of the
/// input.
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
    Ok(Some(String::from_utf8(bytes).map_or(Line::InvalidUtf8, Line::Text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads all lines of an input.
    fn read_lines(mut input: &[u8]) -> Vec<Line> {
        std::iter::from_fn(|| read_line(&mut input).unwrap()).collect()
    }

    /// Line endings are removed; the last line needs none.
    #[test]
    fn line_endings_are_removed() {
        let text = |it: &str| Line::Text(it.to_owned());
        assert_eq!(read_lines(b"a\r\nb\n\n c"), [text("a"), text("b"), text(""), text(" c")]);
        assert_eq!(read_lines(b"\xff\nb"), [Line::InvalidUtf8, text("b")]);
    }

    /// An overlong line is measured and discarded, and the next one is read.
    #[test]
    fn overlong_line_is_skipped() {
        let mut input = vec![b'x'; 600_000];
        input.extend_from_slice(b"\nnext\n");
        assert_eq!(read_lines(&input), [Line::TooLong(600_001), Line::Text("next".to_owned())]);
    }
}
