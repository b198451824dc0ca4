//! What people say.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::limits::MAX_TEXT;

/// A text that obeys the rule of `docs/protocol/README.md`, section 3: 1 to
/// 4,096 bytes, no control characters but newline and tab. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageText(Arc<str>);

/// Why something is no [`MessageText`]. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// There is nothing in it.
    #[error("the message is empty")]
    Empty,
    /// It has more than 4,096 bytes.
    #[error("the message is longer than {MAX_TEXT} bytes")]
    TooLong,
    /// It holds a control character other than newline and tab.
    #[error("the message holds a control character")]
    Control,
}

impl MessageText {
    /// Checks `text` by the rule; keeps it exactly as it is.
    ///
    /// # Errors
    /// Which part of the rule it breaks.
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

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageText {
    /// Only how long it is: what people say does not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageText({} bytes)", self.0.len())
    }
}

/// How a text is meant: a number with a registry, so that unknown ones can
/// be passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style(pub u8);

impl Style {
    /// `anna: hello`
    pub const SAID: Self = Self(0);
    /// `* anna waves`
    pub const ACTION: Self = Self(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edges of the rule; the vectors have more.
    #[test]
    fn the_edges_of_the_rule() {
        assert_eq!(MessageText::new(""), Err(TextError::Empty));
        assert!(MessageText::new(&"a".repeat(4_096)).is_ok());
        assert_eq!(MessageText::new(&"a".repeat(4_097)), Err(TextError::TooLong));
        assert!(MessageText::new("a\tb\nc").is_ok());
        assert_eq!(MessageText::new("a\u{9b}31m"), Err(TextError::Control));
    }
}
