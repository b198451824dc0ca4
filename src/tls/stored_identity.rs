//! The key and certificate that a server makes for itself, as they are stored.

use std::fmt;
use std::process::{Command, Stdio};

use data_encoding::HEXLOWER;
use rcgen::{CertificateParams, DnType, KeyPair};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Name in the certificates that servers make for themselves. It means nothing.
const COMMON_NAME: &str = "pi-chat server";

/// Subcommand of `chat-server` by which it makes a key in a process of its own.
pub(crate) const MAKE_IDENTITY: &str = "make-identity";

/// The key or the certificate that the server has made for itself is missing in its database, or
/// damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("its key or its certificate is missing or damaged")]
pub struct DamagedIdentity;

/// Key and certificate that a server has made for itself, as they are stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredIdentity {
    /// Private key, PKCS#8 in DER.
    pub key: Vec<u8>,
    /// Self-signed certificate in DER.
    pub certificate: Vec<u8>,
}

impl StoredIdentity {
    /// Makes a new key (ECDSA, P-256), and a certificate signed with it.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
        let certificate = params.self_signed(&key)?;
        Ok(Self { key: key.serialize_der(), certificate: certificate.der().to_vec() })
    }

    /// Makes a new identity like [`Self::generate`], in another process of this program, which must
    /// have the subcommand `make-identity`: what that touches of the program and its tables would
    /// stay in the memory of a server for ever. If the other process fails, makes it here.
    ///
    /// # Errors
    /// Those of [`Self::generate`].
    pub fn generate_apart() -> Result<Self, rcgen::Error> {
        let made = std::env::current_exe().and_then(|program| {
            Command::new(program).arg(MAKE_IDENTITY).env_clear().stdin(Stdio::null()).output()
        });
        let made = made.ok().and_then(|it| Self::from_lines(&String::from_utf8(it.stdout).ok()?));
        made.map_or_else(Self::generate, Ok)
    }

    /// Returns the SHA-256 of key and certificate, by which damage to what is stored is noticed: to
    /// parse them would cost memory that stays taken.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::new().chain_update(&self.key).chain_update(&self.certificate).finalize().into()
    }

    /// Returns key and certificate as two lines of hexadecimal digits, for a pipe.
    #[must_use]
    pub fn to_lines(&self) -> String {
        format!("{}\n{}\n", HEXLOWER.encode(&self.key), HEXLOWER.encode(&self.certificate))
    }

    /// Parses the result of [`Self::to_lines`]; `None` if the text is something else.
    fn from_lines(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(|line| HEXLOWER.decode(line.as_bytes()).ok());
        let (key, certificate) = (lines.next()??, lines.next()??);
        (!key.is_empty() && !certificate.is_empty()).then_some(Self { key, certificate })
    }
}

impl fmt::Debug for StoredIdentity {
    /// Writes no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredIdentity").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed for another process is parsed again; anything else is no identity.
    #[test]
    fn lines_are_parsed_again() {
        let made = StoredIdentity::generate().unwrap();
        assert_eq!(StoredIdentity::from_lines(&made.to_lines()), Some(made));
        assert_eq!(StoredIdentity::from_lines("running 0 tests\n\n"), None);
    }

    /// What is shown for debugging has no key.
    #[test]
    fn debug_text_has_no_key() {
        let made = StoredIdentity::generate().unwrap();
        assert_eq!(format!("{made:?}"), "StoredIdentity { .. }");
    }
}
