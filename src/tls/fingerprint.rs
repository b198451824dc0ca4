//! Fingerprints of public keys: `docs/protocol/tls.md`, section 2.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::ParsedCertificate;

/// Number of groups of digits.
const GROUPS: usize = 8;

/// Number of digits of a group.
const GROUP_DIGITS: usize = 5;

/// Number of values of a group of [`GROUP_DIGITS`] digits.
const GROUP_VALUES: u32 = 100_000;

/// Fingerprint of a server: SHA-256 of its public key (SubjectPublicKeyInfo, DER). It is shown as
/// groups of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// Fingerprint as people compare it: eight groups of five digits. It is shorter than the
/// [`Fingerprint`], but long enough that nobody finds another key with the same digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FingerprintDigits([u32; GROUPS]);

/// Fingerprint that a server must have, because the user has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidFingerprint {
    /// The digits that people compare.
    Digits(FingerprintDigits),
    /// All of it, from a link.
    Whole(Fingerprint),
}

/// Reason why a text is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FingerprintError {
    /// The text is not eight groups of five digits.
    #[error("a fingerprint is eight groups of five digits")]
    Digits,
    /// The text is not 64 hexadecimal digits.
    #[error("not 64 hexadecimal digits")]
    Hex,
}

impl Fingerprint {
    /// Returns the fingerprint of a public key, given as SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn of_public_key(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Returns the fingerprint of the public key of a certificate.
    ///
    /// # Errors
    /// The certificate cannot be parsed.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Result<Self, rustls::Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        Ok(Self::of_public_key(&parsed.subject_public_key_info()))
    }

    /// Creates the fingerprint with these bytes.
    #[cfg(feature = "server")]
    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns all bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Returns the form that people compare.
    #[must_use]
    pub fn digits(&self) -> FingerprintDigits {
        let mut groups = [0; GROUPS];
        for (group, bytes) in groups.iter_mut().zip(self.0.as_chunks().0) {
            *group = u32::from_be_bytes(*bytes) % GROUP_VALUES;
        }
        FingerprintDigits(groups)
    }

    /// Returns all bytes as 64 lower-case hexadecimal digits, for files.
    #[must_use]
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Parses the result of [`Self::to_hex`].
    ///
    /// # Errors
    /// [`FingerprintError::Hex`].
    pub fn from_hex(text: &str) -> Result<Self, FingerprintError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).or(Err(FingerprintError::Hex))?;
        bytes.try_into().map(Self).or(Err(FingerprintError::Hex))
    }
}

impl SaidFingerprint {
    /// Returns true if a server with this fingerprint is the one that the user means.
    #[must_use]
    pub fn is(&self, found: Fingerprint) -> bool {
        match self {
            Self::Digits(digits) => *digits == found.digits(),
            Self::Whole(whole) => *whole == found,
        }
    }

    /// Returns the form that people compare.
    #[must_use]
    pub fn digits(&self) -> FingerprintDigits {
        match self {
            Self::Digits(digits) => *digits,
            Self::Whole(whole) => whole.digits(),
        }
    }
}

impl fmt::Display for Fingerprint {
    /// Writes the form that people compare.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().fmt(f)
    }
}

impl fmt::Display for FingerprintDigits {
    /// Writes the groups of digits with a blank between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{group:0GROUP_DIGITS$}")?;
        }
        Ok(())
    }
}

impl FromStr for FingerprintDigits {
    type Err = FingerprintError;

    /// Parses the digits of a fingerprint. What stands between them (blanks, hyphens, commas) and
    /// how they are grouped does not count.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let is_separator = |c: char| c.is_whitespace() || matches!(c, '-' | ',');
        let digits = text.chars().filter(|c| !is_separator(*c));
        let digits: Option<Vec<u32>> = digits.map(|c| c.to_digit(10)).collect();
        let digits = digits.filter(|it| it.len() == GROUPS * GROUP_DIGITS);
        let digits = digits.ok_or(FingerprintError::Digits)?;
        let mut groups = [0; GROUPS];
        for (group, digits) in groups.iter_mut().zip(digits.chunks(GROUP_DIGITS)) {
            *group = digits.iter().fold(0, |all, digit| all * 10 + digit);
        }
        Ok(Self(groups))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the page: bytes and digits.
    #[test]
    fn digits_are_those_of_the_page() {
        let page = include_str!("../../docs/protocol/tls.md");
        let cell = |row: &str| {
            let line = page.lines().find(|it| it.starts_with(row)).unwrap();
            line.split('`').nth(1).unwrap().to_owned()
        };
        let hex = cell("| fingerprint |").replace(' ', "");
        let fingerprint = Fingerprint::from_hex(&hex).unwrap();
        let spoken = cell("| for people |");
        assert_eq!(fingerprint.to_string(), spoken);
        assert_eq!(spoken.parse(), Ok(fingerprint.digits()));
        assert_eq!(fingerprint.to_hex(), hex);
    }

    /// Separators do not count; anything else that is no digit, and another number of digits, is
    /// refused.
    #[test]
    fn digits_are_parsed_however_they_are_grouped() {
        let fingerprint = Fingerprint::of_public_key(b"key");
        let text = fingerprint.to_string();
        for spelling in [text.replace(' ', ""), text.replace(' ', "-"), format!(" {text}\n")] {
            assert_eq!(spelling.parse(), Ok(fingerprint.digits()), "{spelling}");
        }
        for text in ["", &text[1..], &format!("{text}1"), &text.replace(' ', "x")] {
            assert_eq!(text.parse::<FingerprintDigits>(), Err(FingerprintError::Digits), "{text}");
        }
        assert_eq!(Fingerprint::from_hex("00"), Err(FingerprintError::Hex));
    }
}
