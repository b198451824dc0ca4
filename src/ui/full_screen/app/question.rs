//! Questions that the next line or key answers.

/// Question to the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Question {
    /// None.
    #[default]
    None,
    /// The server's password. The next line is the answer, and is not shown.
    Password {
        /// True if another one was wrong.
        again: bool,
    },
    /// An invitation. The next line is the answer.
    Invite,
    /// Another username. The next line is the answer.
    Name,
    /// Whether to leave. The next key is the answer.
    Leave,
    /// Whether to insert a pasted text. The next key is the answer.
    Paste {
        /// Number of its lines.
        lines: usize,
        /// True if it is too large, so that only its beginning would be inserted.
        is_cut: bool,
    },
}

impl Question {
    /// Returns true if the next line is the answer.
    #[must_use]
    pub const fn takes_line(&self) -> bool {
        matches!(self, Self::Password { .. } | Self::Invite | Self::Name)
    }

    /// Returns what stands before the line that answers the question; `None` if no line does, or it
    /// depends on the question for a name.
    #[must_use]
    pub const fn prompt(&self) -> Option<&'static str> {
        match self {
            Self::Password { .. } => Some("password> "),
            Self::Invite => Some("invitation> "),
            Self::None | Self::Name | Self::Leave | Self::Paste { .. } => None,
        }
    }

    /// Returns the question in words; `None` if there is none.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::None | Self::Name => None,
            Self::Password { again: false } => {
                Some("The server has a password. What is it?".to_owned())
            }
            Self::Password { again: true } => {
                Some("That was not the password. What is it?".to_owned())
            }
            Self::Invite => {
                Some("Only invited people come in. What is the code of your invitation?".to_owned())
            }
            Self::Leave => Some("Leave the chat? Press y to leave.".to_owned()),
            Self::Paste { lines, is_cut } => {
                let what = match (is_cut, lines) {
                    (true, _) => "That is too much: paste its beginning?".to_owned(),
                    (false, 1) => "Paste 1 line?".to_owned(),
                    (false, _) => format!("Paste {lines} lines?"),
                };
                Some(format!("{what} Press y to insert, any other key not to. Enter sends."))
            }
        }
    }
}
