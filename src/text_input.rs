//! Layer 3: text that users and other programs provide: files, environment variables, lines of
//! standard input.
//!
//! Programs on Windows begin text with a byte order mark (U+FEFF), and PowerShell writes files in
//! UTF-16. The functions here decode such text, and report text that cannot be decoded.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Byte order mark in UTF-8.
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Byte order mark in UTF-16 with the least significant byte first.
const UTF16_LE_MARK: &[u8] = b"\xff\xfe";

/// Byte order mark in UTF-16 with the most significant byte first.
const UTF16_BE_MARK: &[u8] = b"\xfe\xff";

/// Removes a byte order mark from the beginning of a line in UTF-8. Call it for every line, not
/// only the first: concatenated files have byte order marks in the middle.
#[must_use]
pub fn without_byte_order_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(UTF8_MARK).unwrap_or(line)
}

/// Reads a text file in UTF-8, or in UTF-16 if it begins with a byte order mark. The mark is not
/// part of the returned text.
///
/// # Errors
/// The file cannot be read. [`io::ErrorKind::InvalidData`] if it is not text.
pub fn read_file(path: &Path) -> io::Result<String> {
    decode(&fs::read(path)?)
}

/// Reads the first line of a text file, without its line ending: a password or passphrase. Returns
/// an empty string if the file is empty.
///
/// # Errors
/// Those of [`read_file`].
pub fn read_first_line(path: &Path) -> io::Result<String> {
    Ok(read_file(path)?.lines().next().unwrap_or_default().to_owned())
}

/// Decodes text in UTF-8, or in UTF-16 with a byte order mark. Removes one byte order mark from the
/// beginning.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if the bytes are not text.
pub fn decode(bytes: &[u8]) -> io::Result<String> {
    let invalid = |encoding| io::Error::new(io::ErrorKind::InvalidData, encoding);
    let utf16 = if let Some(rest) = bytes.strip_prefix(UTF16_LE_MARK) {
        Some((rest, u16::from_le_bytes as fn([u8; 2]) -> u16))
    } else {
        bytes.strip_prefix(UTF16_BE_MARK).map(|rest| (rest, u16::from_be_bytes as _))
    };
    if let Some((rest, unit)) = utf16 {
        let (pairs, odd) = rest.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        return match String::from_utf16(&units) {
            Ok(text) if odd.is_empty() => Ok(text),
            Ok(_) | Err(_) => Err(invalid("it is not valid UTF-16")),
        };
    }
    let text = String::from_utf8(without_byte_order_mark(bytes).to_vec());
    text.map_err(|_| invalid("it is not valid UTF-8: save it in that encoding"))
}

/// Returns the value of an environment variable; `None` if it is unset or empty.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`], with the variable's name in the text, if the value is not UTF-8.
pub fn env_text(key: &str) -> io::Result<Option<String>> {
    let not_text = || {
        let text = format!("the environment variable {key} is not valid UTF-8");
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    let value = env::var_os(key).filter(|it| !it.is_empty());
    value.map(|it| it.into_string().map_err(|_| not_text())).transpose()
}

/// Returns the path in an environment variable, in any encoding; `None` if the variable is unset or
/// empty.
#[must_use]
pub fn env_path(key: &str) -> Option<PathBuf> {
    env::var_os(key).filter(|it| !it.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks_are_removed() {
        assert_eq!(decode("geheim ü\r\n".as_bytes()).unwrap(), "geheim ü\r\n");
        assert_eq!(decode("\u{feff}geheim ü\r\n".as_bytes()).unwrap(), "geheim ü\r\n");
        assert_eq!(decode(b"\xff\xfeg\0\xfc\0").unwrap(), "gü");
        assert_eq!(decode(b"\xfe\xff\0g\0\xfc").unwrap(), "gü");
        assert_eq!(decode(b"\xef\xbb\xbf").unwrap(), "");
        // A second mark is the author's character.
        assert_eq!(decode("\u{feff}\u{feff}a".as_bytes()).unwrap(), "\u{feff}a");
        assert_eq!(without_byte_order_mark("\u{feff}/me".as_bytes()), b"/me");
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error_that_names_the_encoding() {
        for (bytes, encoding) in
            [(&b"k\xe4se"[..], "UTF-8"), (b"\xff\xfea", "UTF-16"), (b"\xff\xfe\x00\xd8", "UTF-16")]
        {
            let error = decode(bytes).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(error.to_string().contains(encoding), "{error}");
        }
    }

    #[test]
    fn first_line_has_no_line_ending() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (content, line) in
            [("", ""), ("\u{feff}pass word \r\nmore", "pass word "), ("\n", ""), ("a", "a")]
        {
            fs::write(file.path(), content).unwrap();
            assert_eq!(read_first_line(file.path()).unwrap(), line, "{content:?}");
        }
    }
}
