//! Trust in the keys of servers: which fingerprint a server must have, and where it is kept
//! (`docs/protocol/tls.md`, sections 3 and 4).

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::session_store::server_directory;
use crate::disk::{create_private_dir, replace_private_file};
use crate::tls::{Fingerprint, FingerprintDigits, SaidFingerprint};

/// Name of the file with the fingerprint of a server, in the directory of its saved sessions.
const FILE_NAME: &str = "tls.json";

/// How a server is known that has the fingerprint that it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The user has said the fingerprint, now or earlier.
    Verified,
    /// The fingerprint was kept at an earlier connection.
    Known,
    /// No fingerprint was kept: this is the first connection.
    FirstUse,
}

/// Fingerprint of a server that is kept, and how it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeptFingerprint {
    /// Fingerprint of the server.
    pub(super) fingerprint: Fingerprint,
    /// True if the user has said it.
    pub(super) is_verified: bool,
}

/// What is expected of a server's fingerprint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expectation {
    /// Fingerprint that is kept; `None` at the first connection.
    pub(super) kept: Option<KeptFingerprint>,
    /// Fingerprint that the user has said. It goes before the one that is kept.
    pub(super) said: Option<SaidFingerprint>,
}

/// The server has another fingerprint than it should have. Nothing may be sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrongFingerprint {
    /// Fingerprint that the server should have.
    pub(super) expected: FingerprintDigits,
    /// Fingerprint that it has.
    pub(super) found: Fingerprint,
    /// True if the expected one was kept; false if the user has said it.
    pub(super) is_kept: bool,
}

impl Expectation {
    /// Judges the fingerprint of a server.
    ///
    /// # Errors
    /// [`WrongFingerprint`]: end the connection before anything is sent.
    pub(super) fn judge(&self, found: Fingerprint) -> Result<Trust, WrongFingerprint> {
        let wrong = |expected, is_kept| WrongFingerprint { expected, found, is_kept };
        match (self.said, self.kept) {
            (Some(said), _) if said.is(found) => Ok(Trust::Verified),
            (Some(said), _) => Err(wrong(said.digits(), false)),
            (None, Some(kept)) if kept.fingerprint != found => {
                Err(wrong(kept.fingerprint.digits(), true))
            }
            (None, Some(kept)) if kept.is_verified => Ok(Trust::Verified),
            (None, Some(_)) => Ok(Trust::Known),
            (None, None) => Ok(Trust::FirstUse),
        }
    }
}

/// Content of the file: JSON.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    /// Server: its [`super::Destination::trust_key`].
    server: String,
    /// Fingerprint, as 64 hexadecimal digits.
    sha256: String,
    /// True if the user has said it.
    verified: bool,
}

/// A fingerprint cannot be read, kept or forgotten.
#[derive(Debug, Error)]
#[error("cannot use {} ({source})", path.display())]
pub struct TrustError {
    /// Path of the file.
    pub path: PathBuf,
    /// Cause of the error.
    pub source: io::Error,
}

/// Fingerprints of the servers that the user has been connected to, a file for each server.
#[derive(Clone, Debug)]
pub(super) struct KnownServers {
    /// Directory of what is saved about servers. `None` if there is none.
    pub(super) directory: Option<PathBuf>,
    /// True if fingerprints are written. False to leave nothing on disk; what is there counts.
    pub(super) is_kept: bool,
    /// Fingerprints of this run, by the server's key, with those that are on disk too. They count
    /// even if the disk does not work.
    pub(super) of_this_run: Vec<(String, KeptFingerprint)>,
}

impl KnownServers {
    /// Returns the fingerprint that is kept for the server with this key; `None` if there is none.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or belongs to another server. Then the server must not
    /// be trusted as on first use.
    pub(super) fn load(&self, server: &str) -> Result<Option<KeptFingerprint>, TrustError> {
        if let Some((_, kept)) = self.of_this_run.iter().find(|(key, _)| key == server) {
            return Ok(Some(*kept));
        }
        let Some(directory) = &self.directory else { return Ok(None) };
        let path = path_of(directory, server);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TrustError { path, source }),
            Ok(text) => match parse(&text, server) {
                Some(kept) => Ok(Some(kept)),
                None => Err(TrustError { path, source: ErrorKind::InvalidData.into() }),
            },
        }
    }

    /// Returns true if fingerprints are kept beyond this run, as far as the disk works.
    pub(super) const fn are_written(&self) -> bool {
        self.is_kept && self.directory.is_some()
    }

    /// Keeps the fingerprint of the server with this key, for this run and on disk. Writes nothing if
    /// it is kept already.
    ///
    /// # Errors
    /// The file cannot be written. The fingerprint is kept for this run.
    pub(super) fn keep(&mut self, server: &str, kept: KeptFingerprint) -> Result<(), TrustError> {
        // A file that cannot be read is replaced.
        let is_there = self.load(server).is_ok_and(|it| it == Some(kept));
        self.of_this_run.retain(|(key, _)| key != server);
        self.of_this_run.push((server.to_owned(), kept));
        let Some(directory) = self.directory.as_ref().filter(|_| self.is_kept && !is_there) else {
            return Ok(());
        };
        let file = File {
            server: server.to_owned(),
            sha256: kept.fingerprint.to_hex(),
            verified: kept.is_verified,
        };
        let path = path_of(directory, server);
        let content = serde_json::to_vec(&file).map_err(io::Error::from);
        let written = content.and_then(|content| {
            create_private_dir(&server_directory(directory, server))?;
            replace_private_file(&path, &content)
        });
        written.map_err(|source| TrustError { path, source })
    }
}

/// Forgets the fingerprint of the server with this key ([`super::Destination::trust_key`]), in the
/// directory of what is saved about servers. Returns false if none was kept.
///
/// # Errors
/// The file cannot be removed.
pub fn forget(directory: &Path, server: &str) -> Result<bool, TrustError> {
    let path = path_of(directory, server);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(TrustError { path, source }),
    }
}

/// Returns true if the fingerprint of the server with this key is kept. False if it cannot be read.
#[must_use]
pub fn is_known(directory: &Path, server: &str) -> bool {
    let text = fs::read(path_of(directory, server));
    text.is_ok_and(|it| parse(&it, server).is_some())
}

/// Returns the path of the file with the fingerprint of a server.
fn path_of(directory: &Path, server: &str) -> PathBuf {
    server_directory(directory, server).join(FILE_NAME)
}

/// Parses the content of a file; `None` if it is damaged or belongs to another server.
fn parse(text: &[u8], server: &str) -> Option<KeptFingerprint> {
    let file: File = serde_json::from_slice(text).ok().filter(|it: &File| it.server == server)?;
    let fingerprint = Fingerprint::from_hex(&file.sha256).ok()?;
    Some(KeptFingerprint { fingerprint, is_verified: file.verified })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the fingerprint of a key that is this text.
    fn fingerprint(key: &str) -> Fingerprint {
        Fingerprint::of_public_key(key.as_bytes())
    }

    /// A fingerprint is judged by the one that the user has said, else by the one that is kept.
    #[test]
    fn said_goes_before_kept_and_kept_before_first_use() {
        let (right, other) = (fingerprint("right"), fingerprint("other"));
        let kept = |is_verified| Some(KeptFingerprint { fingerprint: right, is_verified });
        let judge = |said: Option<Fingerprint>, kept, found| {
            let judge = |said| Expectation { kept, said }.judge(found);
            let judged = judge(said.map(SaidFingerprint::Whole));
            assert_eq!(judge(said.map(|it| SaidFingerprint::Digits(it.digits()))), judged);
            judged
        };
        assert_eq!(judge(None, None, right), Ok(Trust::FirstUse));
        assert_eq!(judge(None, kept(false), right), Ok(Trust::Known));
        assert_eq!(judge(None, kept(true), right), Ok(Trust::Verified));
        assert_eq!(judge(Some(right), None, right), Ok(Trust::Verified));
        assert_eq!(judge(Some(other), kept(true), other), Ok(Trust::Verified), "it has changed");
        let expected = right.digits();
        let wrong = |is_kept| Err(WrongFingerprint { expected, found: other, is_kept });
        assert_eq!(judge(None, kept(true), other), wrong(true));
        assert_eq!(judge(Some(right), None, other), wrong(false));
    }

    /// What is kept is private and comes back, until it is forgotten. A damaged file, or that of
    /// another server, is an error and not a first use.
    #[test]
    fn fingerprints_are_kept_until_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let open = |is_kept| KnownServers {
            directory: Some(directory.path().to_owned()),
            is_kept,
            of_this_run: Vec::new(),
        };
        let kept = KeptFingerprint { fingerprint: fingerprint("a"), is_verified: true };
        let mut fresh = open(false);
        fresh.keep("pi", kept).unwrap();
        assert_eq!(fresh.load("pi").unwrap(), Some(kept));
        assert_eq!(open(true).load("pi").unwrap(), None, "nothing is left on disk");
        let known = KeptFingerprint { is_verified: false, ..kept };
        open(true).keep("pi", known).unwrap();
        assert_eq!(open(false).load("pi").unwrap(), Some(known));
        open(true).keep("pi", kept).unwrap();
        assert_eq!(open(false).load("pi").unwrap(), Some(kept));
        let path = path_of(directory.path(), "pi");
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, PermissionsExt};
            let inode = || fs::metadata(&path).unwrap().ino();
            let before = inode();
            open(true).keep("pi", kept).unwrap();
            assert_eq!(inode(), before, "it was written again");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        for damaged in ["", "{}", &fs::read_to_string(&path).unwrap().replace("pi", "attic")] {
            fs::write(&path, damaged).unwrap();
            assert!(open(true).load("pi").is_err(), "{damaged}");
        }
        assert!(forget(directory.path(), "pi").unwrap());
        assert!(!forget(directory.path(), "pi").unwrap());
        assert_eq!(open(true).load("pi").unwrap(), None);
    }
}
