//! One-line texts of moderation: topics of rooms and reasons of moderators.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::limits::MAX_LINE;
use super::text::is_control_or_line_break;

/// Reason why a text is not a valid one-line text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LineError {
    /// Empty text.
    #[error("it is empty")]
    Empty,
    /// More than 256 bytes.
    #[error("it is longer than {MAX_LINE} bytes")]
    TooLong,
    /// A control character, or a separator of lines or paragraphs.
    #[error("it must be one line without control characters")]
    Control,
}

/// Validates a one-line text: 1 to 256 bytes without control characters and line breaks.
fn check_line(text: &str) -> Result<(), LineError> {
    if text.is_empty() {
        Err(LineError::Empty)
    } else if text.len() > MAX_LINE {
        Err(LineError::TooLong)
    } else if text.chars().any(is_control_or_line_break) {
        Err(LineError::Control)
    } else {
        Ok(())
    }
}

/// Defines a type of validated one-line texts.
macro_rules! line_type {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// Validates a text and stores it unchanged.
            ///
            /// # Errors
            /// [`LineError`], the first rule that is violated.
            pub fn new(text: &str) -> Result<Self, LineError> {
                check_line(text).map(|()| Self(text.into()))
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = LineError;

            /// Validates a stored text.
            fn try_from(text: String) -> Result<Self, LineError> {
                Self::new(&text)
            }
        }

        impl From<$type> for String {
            /// Returns the text to store.
            fn from(text: $type) -> Self {
                text.as_str().to_owned()
            }
        }
    };
}

line_type!(
    /// Validated topic of a room: one line of 1 to 256 bytes. Cheap to clone.
    Topic
);
line_type!(
    /// Validated reason of a moderator's action: one line of 1 to 256 bytes. Cheap to clone.
    Reason
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_is_one_line_of_256_bytes() {
        assert_eq!(Topic::new(""), Err(LineError::Empty));
        assert_eq!(Topic::new(&"a".repeat(256)).unwrap().as_str().len(), 256);
        assert_eq!(Topic::new(&"a".repeat(257)), Err(LineError::TooLong));
        for wrong in ["a\nb", "a\tb", "a\u{9b}31m", "a\u{2028}b"] {
            assert_eq!(Topic::new(wrong), Err(LineError::Control), "{wrong:?}");
        }
    }
}
