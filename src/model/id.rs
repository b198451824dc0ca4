//! Identifiers, sequence numbers and secrets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Sequence number of an entry in the server's log. The first is 1; 0 stands before all entries.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Sequence before all entries.
    pub const ZERO: Self = Self(0);

    /// Returns the sequence after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Public session number: identifies a participant whatever name it has. Never 0; unique within a
/// [`LogId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reference number that a client gives to a message it sends: ascending within a session, never 0
/// for a message. Used to recognise duplicates and echoes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Reference(pub u64);

impl Reference {
    /// No reference: the frame or entry does not belong to a client's message or request.
    pub const NONE: Self = Self(0);

    /// Returns the reference after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Random id of a log, the scope of a [`Sequence`]. A log on disk gets a new one when it is created,
/// copied, or may have lost its end in a power cut; a log in memory gets one at each start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogId(pub [u8; 16]);

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        write!(f, ")")
    }
}

/// Random id of a server, independent of its name and address. Stored with the server's data on
/// disk.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerId(pub [u8; 16]);

impl fmt::Display for ServerId {
    /// Writes 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerId({self})")
    }
}

/// Error for a text that is not a valid [`ServerId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a server's id has 32 hexadecimal digits")]
pub struct ServerIdError;

impl FromStr for ServerId {
    type Err = ServerIdError;

    fn from_str(text: &str) -> Result<Self, ServerIdError> {
        let is_id = text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit());
        let number = is_id.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(|it| Self(it.to_be_bytes())).ok_or(ServerIdError)
    }
}

/// Position of a client in a log: the cursor from which it resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Log that `sequence` belongs to.
    pub log_id: LogId,
    /// Greatest sequence up to which everything was received.
    pub sequence: Sequence,
}

/// Session token: the secret by which a client resumes its session. Its `Debug` output hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token(pub [u8; 16]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_id_parses_only_32_hex_digits() {
        let id = ServerId([0x0a; 16]);
        assert_eq!(id.to_string(), "0a".repeat(16));
        assert_eq!("0A".repeat(16).parse(), Ok(id));
        for wrong in ["", "0a", &"0a".repeat(17), &"0g".repeat(16), &format!("+{}", "1".repeat(31))]
        {
            assert_eq!(wrong.parse::<ServerId>(), Err(ServerIdError), "{wrong}");
        }
    }
}
