//! Invitations: their codes, and what they permit (`docs/protocol/identity.md`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{SanctionLength, Timestamp, Username};

/// Alphabet of the codes: the digits and letters of Crockford's base32, by value.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Number of characters of a code, without hyphens.
const CODE_LENGTH: usize = 16;

/// Number of characters between two hyphens.
const GROUP_LENGTH: usize = 4;

/// Code of an invitation: 80 random bits, which are a secret. `Display` writes them as 16 characters
/// in groups of four, such as `0123-4567-89AB-CDEF`; `Debug` does not print them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvitationCode([u8; 10]);

/// Error for a text that is not the code of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an invitation has 16 letters and digits, such as 0123-4567-89AB-CDEF")]
pub struct InvitationCodeError;

impl InvitationCode {
    /// Makes a code of 80 random bits.
    #[must_use]
    pub const fn from_random(bits: [u8; 10]) -> Self {
        Self(bits)
    }

    /// What stands before a code behind the `#` of a link: `chats://pi.local/#invite=CODE`.
    pub const LINK_KEY: &str = "invite=";

    /// Parses what the holder of an invitation has typed or copied: a code, or a link with it.
    /// White space does not matter.
    ///
    /// # Errors
    /// It is neither.
    #[cfg(feature = "ui")]
    pub fn from_text(text: &str) -> Result<Self, InvitationCodeError> {
        let text: String = text.split_whitespace().collect();
        let Some((_, fragment)) = text.rsplit_once('#') else { return text.parse() };
        let code = fragment.split('&').find_map(|it| it.strip_prefix(Self::LINK_KEY));
        code.ok_or(InvitationCodeError)?.parse()
    }

    /// Returns the canonical form: 16 characters in upper case without hyphens.
    #[must_use]
    pub fn canonical(&self) -> String {
        let bits = self.0.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let digit = |place: usize| ALPHABET.get((bits >> (5 * place)) as usize & 31).copied();
        (0..CODE_LENGTH).rev().filter_map(digit).map(char::from).collect()
    }

    /// Hashes the code: SHA-256 of its canonical form.
    #[cfg(any(feature = "server", feature = "ui", feature = "link-codes"))]
    #[must_use]
    pub fn hash(&self) -> InvitationHash {
        use sha2::{Digest, Sha256};

        InvitationHash(Sha256::digest(self.canonical()).into())
    }
}

impl fmt::Display for InvitationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, character) in self.canonical().chars().enumerate() {
            if place > 0 && place % GROUP_LENGTH == 0 {
                f.write_str("-")?;
            }
            write!(f, "{character}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for InvitationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationCode(…)")
    }
}

impl FromStr for InvitationCode {
    type Err = InvitationCodeError;

    /// Parses a code. Case and hyphens do not matter; `I` and `L` count as 1, `O` as 0.
    fn from_str(text: &str) -> Result<Self, InvitationCodeError> {
        let (mut bits, mut count) = (0_u128, 0);
        for character in text.bytes().filter(|it| *it != b'-') {
            let character = match character.to_ascii_uppercase() {
                b'I' | b'L' => b'1',
                b'O' => b'0',
                other => other,
            };
            let digit = ALPHABET.iter().position(|it| *it == character);
            bits = bits << 5 | digit.ok_or(InvitationCodeError)? as u128;
            count += 1;
            if count > CODE_LENGTH {
                return Err(InvitationCodeError);
            }
        }
        let bytes = bits.to_be_bytes();
        match bytes.last_chunk() {
            Some(bytes) if count == CODE_LENGTH => Ok(Self(*bytes)),
            _ => Err(InvitationCodeError),
        }
    }
}

/// Hash of an invitation's code. The server finds the invitation by it, but nobody can come in with
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InvitationHash(pub [u8; 32]);

impl InvitationHash {
    /// Returns the identifier by which the owner names the invitation.
    #[must_use]
    pub fn id(&self) -> InvitationId {
        let [first, second, third, fourth, ..] = self.0;
        InvitationId([first, second, third, fourth])
    }
}

/// Identifier of an invitation, which is no secret: the first 4 bytes of its hash, written as 8
/// hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InvitationId([u8; 4]);

/// Error for a text that is not the identifier of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an invitation is named by 8 hexadecimal digits, which `chat-server invitations` shows")]
pub struct InvitationIdError;

impl fmt::Display for InvitationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl FromStr for InvitationId {
    type Err = InvitationIdError;

    /// Parses 8 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, InvitationIdError> {
        let is_hex = text.len() == 8 && text.bytes().all(|it| it.is_ascii_hexdigit());
        let number = u32::from_str_radix(text, 16).ok().filter(|_| is_hex);
        number.map(|it| Self(it.to_be_bytes())).ok_or(InvitationIdError)
    }
}

impl TryFrom<String> for InvitationId {
    type Error = InvitationIdError;

    /// Parses an identifier in JSON.
    fn try_from(text: String) -> Result<Self, InvitationIdError> {
        text.parse()
    }
}

impl From<InvitationId> for String {
    /// Returns the identifier as it is written.
    fn from(id: InvitationId) -> Self {
        id.to_string()
    }
}

/// Number of uses of an invitation: 1 to 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct InvitationUses(u16);

/// Error for a number or text that is not a valid [`InvitationUses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an invitation has 1 to 1000 uses")]
pub struct InvitationUsesError;

impl InvitationUses {
    /// A single use.
    pub const ONE: Self = Self(1);

    /// Greatest number of uses.
    const MAX: u16 = 1_000;

    /// Validates a number of uses.
    ///
    /// # Errors
    /// [`InvitationUsesError`] if it is 0 or above 1,000.
    pub const fn new(number: u16) -> Result<Self, InvitationUsesError> {
        if number == 0 || number > Self::MAX { Err(InvitationUsesError) } else { Ok(Self(number)) }
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for InvitationUses {
    /// Returns a single use.
    fn default() -> Self {
        Self::ONE
    }
}

impl TryFrom<u16> for InvitationUses {
    type Error = InvitationUsesError;

    /// Validates a stored number.
    fn try_from(number: u16) -> Result<Self, InvitationUsesError> {
        Self::new(number)
    }
}

impl From<InvitationUses> for u16 {
    /// Returns the number to store.
    fn from(uses: InvitationUses) -> Self {
        uses.0
    }
}

impl FromStr for InvitationUses {
    type Err = InvitationUsesError;

    /// Parses a number of uses.
    fn from_str(text: &str) -> Result<Self, InvitationUsesError> {
        text.parse().map_err(|_| InvitationUsesError).and_then(Self::new)
    }
}

/// What an invitation permits, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Hash of its code.
    pub hash: InvitationHash,
    /// Name under which the invited user comes in; `None`: any name.
    pub username: Option<Username>,
    /// Number of users who may use it.
    pub uses: InvitationUses,
    /// Lifetime, from the time of the fact by which it was made.
    pub length: SanctionLength,
    /// True if a user who has a key may claim a name with it.
    pub permits_claim: bool,
}

impl Invitation {
    /// Returns true if the invitation, which was made at `made`, has ended by `now`.
    #[must_use]
    pub fn has_ended(&self, made: Timestamp, now: Timestamp) -> bool {
        self.length.end(made).is_some_and(|end| now >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A code is read as it is written, by eye, in any case, with and without hyphens.
    #[test]
    fn code_is_read_as_it_is_written() {
        let code = InvitationCode::from_random([
            0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf,
        ]);
        assert_eq!(code.to_string(), "0123-4567-89AB-CDEF");
        for text in
            ["0123-4567-89AB-CDEF", "0123456789abcdef", "o-I-23456789ab-cDeF-", "OL23456789ABCDEF"]
        {
            assert_eq!(text.parse(), Ok(code), "{text}");
        }
        let highest = InvitationCode::from_random([0xff; 10]);
        assert_eq!(highest.to_string(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
        assert_eq!("zzzzzzzzzzzzzzzz".parse(), Ok(highest));
        assert_eq!(format!("{code:?}"), "InvitationCode(…)");
    }

    #[test]
    fn other_texts_are_no_codes() {
        for text in [
            "",
            "0123-4567-89AB-CDE",
            "0123-4567-89AB-CDEF0",
            "0123-4567-89AB-CDEU",
            "0123 4567 89AB CDEF",
            "é123456789ABCDEF",
        ] {
            assert_eq!(text.parse::<InvitationCode>(), Err(InvitationCodeError), "{text}");
        }
    }

    /// The log has this hash: it must not change.
    #[cfg(feature = "server")]
    #[test]
    fn hash_is_that_of_the_canonical_code() {
        let hash = "o123-4567-89ab-cdef".parse::<InvitationCode>().unwrap().hash();
        assert_eq!(hash.id().to_string(), "2125b2c3");
        assert_eq!("2125B2C3".parse(), Ok(hash.id()));
        for text in ["", "2125b2c", "2125b2c30", "+125b2c3", "2125b2cg"] {
            assert_eq!(text.parse::<InvitationId>(), Err(InvitationIdError), "{text}");
        }
    }

    #[test]
    fn invitation_has_1_to_1000_uses() {
        assert_eq!("1000".parse().map(InvitationUses::get), Ok(1_000));
        for text in ["0", "1001", "-1", "70000", ""] {
            assert_eq!(text.parse::<InvitationUses>(), Err(InvitationUsesError), "{text}");
        }
    }

    /// An invitation ends its length after it was made; one without a length does not end.
    #[test]
    fn invitation_ends_its_length_after_it_was_made() {
        let mut invitation = Invitation {
            hash: InvitationHash([0; 32]),
            username: None,
            uses: InvitationUses::ONE,
            length: SanctionLength::from_seconds(60).unwrap(),
            permits_claim: true,
        };
        let has_ended = |it: &Invitation, now| it.has_ended(Timestamp(5), Timestamp(now));
        assert!(!has_ended(&invitation, 60_004) && has_ended(&invitation, 60_005));
        invitation.length = SanctionLength::FOREVER;
        assert!(!has_ended(&invitation, u64::MAX));
    }
}
