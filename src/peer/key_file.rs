//! Key file of a peer: the seed of an Ed25519 key. Only its owner can read it.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::disk::{create_private_dir, open_private_file};
use crate::os::random_bytes;

/// Name of the key file in the state directory.
const FILE_NAME: &str = "peer.key";

/// Length of an Ed25519 seed, in bytes.
const SEED_LEN: usize = 32;

/// Signing key of a peer, with the lock on its file.
pub struct PeerKey {
    /// Seed of the Ed25519 private key.
    pub seed: [u8; SEED_LEN],
    /// Key file, locked against other processes while this value lives. `None` for an ephemeral
    /// key, which has no file.
    lock: Option<File>,
}

/// Reason why no key is available.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The key file or its directory cannot be created, locked, read or written.
    #[error("cannot use {path}")]
    Disk {
        /// File or directory that failed.
        path: PathBuf,
        /// I/O error.
        #[source]
        source: io::Error,
    },
    /// The file is neither empty nor a seed of 32 bytes.
    #[error("{path} holds no key; remove it to get a new one")]
    NotAKey {
        /// Key file.
        path: PathBuf,
    },
    /// The operating system's random source fails.
    #[error("the system's random source does not work")]
    Random(#[from] getrandom::Error),
}

impl PeerKey {
    /// Loads the key from the file `peer.key` in `directory`. Creates the directory, the file and a
    /// new key if they are missing, and a new key if the file is empty. If the file is locked
    /// already, for example by another process, returns an ephemeral key. Two peers that run at the
    /// same time must not have the same key.
    ///
    /// # Errors
    /// [`KeyError`] if the file cannot be used, if it does not contain a key, or if the random
    /// source fails. A file that does not contain a key is not overwritten.
    pub fn load_or_create(directory: &Path) -> Result<Self, KeyError> {
        let at = |path: &Path, source| KeyError::Disk { path: path.to_owned(), source };
        create_private_dir(directory).map_err(|source| at(directory, source))?;
        let path = directory.join(FILE_NAME);
        let mut file = open_private_file(&path).map_err(|source| at(&path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Self::ephemeral(),
            Err(TryLockError::Error(source)) => return Err(at(&path, source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|source| at(&path, source))?;
        let seed = if bytes.is_empty() {
            let seed = random_bytes()?;
            file.write_all(&seed).and_then(|()| file.sync_all()).map_err(|it| at(&path, it))?;
            seed
        } else {
            bytes.try_into().map_err(|_| KeyError::NotAKey { path })?
        };
        Ok(Self { seed, lock: Some(file) })
    }

    /// Creates a key that is not stored, for this process only.
    ///
    /// # Errors
    /// [`KeyError::Random`] if the operating system's random source fails.
    pub fn ephemeral() -> Result<Self, KeyError> {
        Ok(Self { seed: random_bytes()?, lock: None })
    }

    /// Returns true if the key is stored in a file. The next start then gets the same key.
    #[must_use]
    pub const fn is_persistent(&self) -> bool {
        self.lock.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// While the first holder has the key, others get an ephemeral key. Afterwards the key is
    /// available again.
    #[test]
    fn locked_key_is_used_by_one_process_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("state");
        let first = PeerKey::load_or_create(&place).unwrap();
        let second = PeerKey::load_or_create(&place).unwrap();
        assert!(first.is_persistent() && !second.is_persistent());
        assert_ne!(first.seed, second.seed);
        let seed = first.seed;
        drop(first);
        assert_eq!(PeerKey::load_or_create(&place).unwrap().seed, seed);
    }

    /// Only the owner can access the directory and the file.
    #[cfg(unix)]
    #[test]
    fn key_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("state");
        let _key = PeerKey::load_or_create(&place).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&place), mode(&place.join(FILE_NAME))), (0o700, 0o600));
    }

    /// A file with other contents is neither used as a key nor overwritten.
    #[test]
    fn invalid_key_file_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        fs::write(&path, "my diary").unwrap();
        assert!(matches!(PeerKey::load_or_create(directory.path()), Err(KeyError::NotAKey { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"my diary");
    }
}
