//! The server's Ed25519 key pair, as it is stored.

use std::fmt;
use std::process::{Command, Stdio};

use data_encoding::HEXLOWER;

use crate::identity::KeyPair;
use crate::model::IdentityKey;
use crate::os::random_bytes;

/// Subcommand of `chat-server` by which it makes a server key in a process of its own.
pub(crate) const MAKE_SERVER_KEY: &str = "make-server-key";

/// Key pair of a server, as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredServerKey {
    /// Secret half: the seed, 32 bytes. Then the public half, 32 bytes. With both stored, nothing
    /// has to be computed when the server starts.
    pub(super) pair: [u8; 64],
}

impl StoredServerKey {
    /// Makes a new key pair.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let seed: [u8; 32] = random_bytes()?;
        let halves = [seed, KeyPair::from_seed(&seed).public().0];
        let mut pair = [0; 64];
        pair.iter_mut().zip(halves.as_flattened()).for_each(|(to, from)| *to = *from);
        Ok(Self { pair })
    }

    /// Makes a new key pair like [`Self::generate`], in another process of this program, which must
    /// have the subcommand `make-server-key`: the tables of the curve would stay in the memory of a
    /// server for ever. If the other process fails, makes it here.
    ///
    /// # Errors
    /// Those of [`Self::generate`].
    pub(super) fn generate_apart() -> Result<Self, getrandom::Error> {
        let made = std::env::current_exe().and_then(|program| {
            Command::new(program).arg(MAKE_SERVER_KEY).env_clear().stdin(Stdio::null()).output()
        });
        let made = made.ok().and_then(|it| Self::from_line(&String::from_utf8(it.stdout).ok()?));
        made.map_or_else(Self::generate, Ok)
    }

    /// Returns the public half.
    pub(super) const fn public(&self) -> IdentityKey {
        let (_, public) = self.pair.split_at(32);
        match public.first_chunk() {
            Some(public) => IdentityKey(*public),
            None => IdentityKey([0; 32]),
        }
    }

    /// Returns the key pair as a line of hexadecimal digits, for a pipe.
    #[must_use]
    pub fn to_line(&self) -> String {
        format!("{}\n", HEXLOWER.encode(&self.pair))
    }

    /// Parses the result of [`Self::to_line`]; `None` if the text is something else.
    fn from_line(text: &str) -> Option<Self> {
        let digits = text.strip_suffix('\n')?;
        let pair = HEXLOWER.decode(digits.as_bytes()).ok()?.try_into().ok()?;
        Some(Self { pair })
    }
}

impl fmt::Debug for StoredServerKey {
    /// Writes the public half only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredServerKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed for another process is parsed again; anything else is no key pair.
    #[test]
    fn line_is_parsed_again() {
        let made = StoredServerKey::generate().unwrap();
        assert_eq!(StoredServerKey::from_line(&made.to_line()), Some(made));
        for wrong in ["running 0 tests\n\n", "", "00\n"] {
            assert_eq!(StoredServerKey::from_line(wrong), None);
        }
    }

    #[test]
    fn debug_text_has_no_secret_half() {
        let made = StoredServerKey::generate().unwrap();
        let shown = format!("{made:?}");
        assert!(shown.contains(&made.public().to_string()));
        assert!(!shown.contains(&made.to_line()[..64]), "{shown}");
    }
}
