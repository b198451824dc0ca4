//! Identifiers, sequence numbers and secrets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Sequence number of an entry in the server's log. Sequences start at 1 and ascend; some may be
/// unused. Among peers, the sequence of an entry in its author's log.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Sequence 0: less than that of every entry. No entry has it.
    pub const ZERO: Self = Self(0);

    /// Returns the sequence after this one. The greatest sequence is returned unchanged.
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

/// Public session number: identifies a user's session on a server, or a peer. It does not depend on
/// the username. Unique among the sessions of one log ([`LogId`]). Not 0, except in frames where 0
/// stands for any session.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reference number that a client gives to a message or request. The answer repeats it.
///
/// The references of messages are not 0 and ascend within a session. Duplicates and echoes are
/// recognised by them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Reference(pub u64);

impl Reference {
    /// Reference 0: none. A frame from the server with this reference answers no frame, or answers
    /// one without a reference, such as `hello` or `join`.
    pub const NONE: Self = Self(0);

    /// Returns the next greater reference. The greatest reference is returned unchanged.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Random id of a log: sequences and session numbers are valid only within the log with this id.
///
/// A log on disk gets a new id when it is created, copied, or merged with an import. It also gets a
/// new id if its last entries may be lost after a power cut. A log in memory gets a new id at each
/// start.
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

/// Random id of a server, independent of its name and address. It is stored in the server's
/// database; a server without one has no id.
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

    /// Parses 32 hexadecimal digits, in upper or lower case.
    fn from_str(text: &str) -> Result<Self, ServerIdError> {
        let is_id = text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit());
        let number = is_id.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(|it| Self(it.to_be_bytes())).ok_or(ServerIdError)
    }
}

/// Ed25519 public key by which a client shows that it is the same as before. Only a proof shows that
/// a client has the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdentityKey(pub [u8; 32]);

impl fmt::Display for IdentityKey {
    /// Writes 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey({self})")
    }
}

/// Position of a client in a log: the cursor from which it resumes (`docs/protocol/tcp.md`,
/// section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Log that `sequence` belongs to.
    pub log_id: LogId,
    /// Greatest sequence up to which the client has received everything that it should.
    pub sequence: Sequence,
}

/// Session token: the random secret by which a client resumes its session. `Debug` does not print
/// it.
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
