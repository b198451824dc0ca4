//! Message texts and their styles.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::limits::{MAX_ERROR_TEXT, MAX_TEXT};

/// Validated text of a message (`docs/protocol/README.md`, section 3): 1 to 4,096 bytes, without
/// control characters except newline and tab. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageText(Arc<str>);

/// Reason why a text is not a valid [`MessageText`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// Empty text.
    #[error("the message is empty")]
    Empty,
    /// More than 4,096 bytes.
    #[error("the message is longer than {MAX_TEXT} bytes")]
    TooLong,
    /// A control character other than newline and tab.
    #[error("the message contains a control character")]
    Control,
}

impl MessageText {
    /// Validates a text and stores it unchanged.
    ///
    /// # Errors
    /// The first rule that is violated: length, then characters.
    pub fn new(text: &str) -> Result<Self, TextError> {
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > usize::from(MAX_TEXT) {
            return Err(TextError::TooLong);
        }
        if has_control_characters(text) {
            return Err(TextError::Control);
        }
        Ok(Self(text.into()))
    }

    /// Returns the placeholder in place of the text of a removed message.
    #[must_use]
    pub fn removed() -> Self {
        Self("[removed]".into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns true if the text has a control character other than newline and tab.
fn has_control_characters(text: &str) -> bool {
    if text.is_ascii() {
        // Without an early return the compiler checks many bytes at once: a log reads thousands of
        // texts, most of them ASCII.
        let is_control = |c: u8| c.is_ascii_control() && c != b'\n' && c != b'\t';
        return text.bytes().fold(false, |found, c| found | is_control(c));
    }
    text.chars().any(|c| c.is_control() && c != '\n' && c != '\t')
}

impl fmt::Debug for MessageText {
    /// Writes only the length, to keep message texts out of log files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageText({} bytes)", self.0.len())
    }
}

/// Validated text of an announcement, notice 3 (`docs/protocol/README.md`, section 8): one line of
/// 1 to 512 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AnnouncementText(String);

/// Reason why a text is not a valid [`AnnouncementText`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnnouncementError {
    /// Empty text.
    #[error("the announcement is empty")]
    Empty,
    /// More than 512 bytes.
    #[error("the announcement is longer than {MAX_ERROR_TEXT} bytes")]
    TooLong,
    /// A control character, or a separator of lines or paragraphs.
    #[error("the announcement must be one line without control characters")]
    Control,
}

impl AnnouncementText {
    /// Validates a text and stores it unchanged.
    ///
    /// # Errors
    /// [`AnnouncementError`], the first rule that is violated.
    pub fn new(text: &str) -> Result<Self, AnnouncementError> {
        if text.is_empty() {
            return Err(AnnouncementError::Empty);
        }
        if text.len() > MAX_ERROR_TEXT {
            return Err(AnnouncementError::TooLong);
        }
        if text.chars().any(is_control_or_line_break) {
            return Err(AnnouncementError::Control);
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AnnouncementText {
    type Error = AnnouncementError;

    /// Validates a received text.
    fn try_from(text: String) -> Result<Self, AnnouncementError> {
        Self::new(&text)
    }
}

impl From<AnnouncementText> for String {
    /// Returns the text to send.
    fn from(text: AnnouncementText) -> Self {
        text.0
    }
}

/// Returns true if a one-line text may not have the character: a control character, or a separator
/// of lines or paragraphs.
pub(super) fn is_control_or_line_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Display style of a message: a number of the protocol registry. Unassigned numbers are kept
/// unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style(pub u8);

impl Style {
    /// Ordinary message: `anna: hello`.
    pub const SAID: Self = Self(0);
    /// Action (emote): `* anna waves`.
    pub const ACTION: Self = Self(1);
    /// Removed message: its text is a placeholder. Only a server may set this style.
    pub const REMOVED: Self = Self(2);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Boundary values; the vectors have more.
    #[test]
    fn message_text_enforces_length_and_control_characters() {
        assert_eq!(MessageText::new(""), Err(TextError::Empty));
        assert!(MessageText::new(&"a".repeat(4_096)).is_ok());
        assert_eq!(MessageText::new(&"a".repeat(4_097)), Err(TextError::TooLong));
        assert!(MessageText::new("a\tb\nc").is_ok());
        assert_eq!(MessageText::new("a\u{9b}31m"), Err(TextError::Control));
    }

    /// The check of ASCII texts and that of other texts refuse the same characters.
    #[test]
    fn control_characters_are_refused_in_every_script() {
        for code in 0..0x80_u8 {
            let c = char::from(code);
            let is_refused = c.is_control() && !matches!(c, '\n' | '\t');
            for text in [format!("a{c}b"), format!("é{c}b")] {
                assert_eq!(MessageText::new(&text).is_err(), is_refused, "{text:?}");
            }
        }
    }

    /// An announcement fits into a notice, and is one line.
    #[test]
    fn announcement_text_is_one_line_of_512_bytes() {
        assert_eq!(AnnouncementText::new(""), Err(AnnouncementError::Empty));
        assert!(AnnouncementText::new(&"a".repeat(512)).is_ok());
        assert_eq!(AnnouncementText::new(&"a".repeat(513)), Err(AnnouncementError::TooLong));
        for wrong in ["a\nb", "a\tb", "a\u{9b}31m", "a\u{2028}b"] {
            assert_eq!(AnnouncementText::new(wrong), Err(AnnouncementError::Control), "{wrong:?}");
        }
    }
}
