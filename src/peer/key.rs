//! Signing key of a peer, from its key file.

use std::path::Path;

use crate::key_file::{KeyError, KeyFile, Seed};
use crate::os::random_bytes;

/// Name of the key file in the state directory.
const FILE_NAME: &str = "peer.key";

/// Signing key of a peer, with the lock on its file.
pub struct PeerKey {
    /// Seed of the Ed25519 private key.
    pub seed: Seed,
    /// Key file, locked against other processes while this value lives. `None` for an ephemeral
    /// key, which has no file.
    lock: Option<KeyFile>,
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
        let mut file = KeyFile::open(directory, FILE_NAME)?;
        if !file.try_lock()? {
            return Self::ephemeral();
        }
        Ok(Self { seed: file.load_or_create()?, lock: Some(file) })
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
}
