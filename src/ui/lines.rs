//! Lines of bytes from an input that cannot be trusted to end.

use std::io::{self, BufRead};

/// Longest line that is kept in memory.
const MAX_LINE: u64 = 256 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Its text, without its end.
    Text(String),
    /// It has so many bytes, which is more than is kept.
    TooLong(usize),
    /// It is no UTF-8.
    NotText,
}

/// Reads the next line; `None` at the end. (`\r\n` ends a line too.)
///
/// # Errors
/// Nothing more can be read.
pub(super) fn next_line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    let mut count = io::Read::take(&mut *input, MAX_LINE).read_until(b'\n', &mut bytes)?;
    if count == 0 {
        return Ok(None);
    }
    if bytes.last() != Some(&b'\n') && bytes.len() as u64 == MAX_LINE {
        loop {
            let mut rest = Vec::new();
            let more = io::Read::take(&mut *input, MAX_LINE).read_until(b'\n', &mut rest)?;
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
    Ok(Some(String::from_utf8(bytes).map_or(Line::NotText, Line::Text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of an input.
    fn lines(mut input: &[u8]) -> Vec<Line> {
        std::iter::from_fn(|| next_line(&mut input).unwrap()).collect()
    }

    /// Ends of lines, and lines without.
    #[test]
    fn lines_are_cut() {
        let text = |it: &str| Line::Text(it.to_owned());
        assert_eq!(lines(b"a\r\nb\n\n c"), [text("a"), text("b"), text(""), text(" c")]);
        assert_eq!(lines(b"\xff\nb"), [Line::NotText, text("b")]);
    }

    /// A line that is too long is counted, not kept, and the next is read.
    #[test]
    fn a_long_line_is_skipped() {
        let mut input = vec![b'x'; 600_000];
        input.extend_from_slice(b"\nnext\n");
        assert_eq!(lines(&input), [Line::TooLong(600_001), Line::Text("next".to_owned())]);
    }
}
