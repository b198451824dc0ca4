//! Message texts and their styles.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::limits::MAX_TEXT;

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
    #[error("the message holds a control character")]
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
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(TextError::Control);
        }
        Ok(Self(text.into()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageText {
    /// Writes only the length, to keep message texts out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageText({} bytes)", self.0.len())
    }
}

/// Display style of a message: a number of the protocol registry. Unassigned numbers are passed on
/// unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style(pub u8);

impl Style {
    /// Ordinary message: `anna: hello`.
    pub const SAID: Self = Self(0);
    /// Action (emote): `* anna waves`.
    pub const ACTION: Self = Self(1);
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
}
