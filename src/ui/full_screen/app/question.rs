//! Questions that the next line or key answers.

use crate::text;

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
    pub fn prompt(&self) -> Option<String> {
        let what = match self {
            Self::Password { .. } => text!("prompt-password"),
            Self::Invite => text!("prompt-invite"),
            Self::None | Self::Name | Self::Leave | Self::Paste { .. } => return None,
        };
        Some(format!("{what}> "))
    }

    /// Returns the question in words; `None` if there is none.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Self::None | Self::Name => return None,
            Self::Password { again: false } => text!("ask-password"),
            Self::Password { again: true } => text!("ask-password-again"),
            Self::Invite => text!("ask-invite"),
            Self::Leave => text!("ask-leave"),
            Self::Paste { is_cut: true, .. } => text!("ask-paste-cut"),
            Self::Paste { is_cut: false, lines } => text!("ask-paste", lines = *lines),
        })
    }
}
