//! Layer 3: key file of a user's program: the seed of an Ed25519 key. Only its owner can read it.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::disk::{create_private_dir, open_private_file};
use crate::os::random_bytes;

/// Length of an Ed25519 seed, in bytes.
pub const SEED_LEN: usize = 32;

/// Seed of an Ed25519 private key.
pub type Seed = [u8; SEED_LEN];

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
    #[error("{path} does not contain a key: remove it to get a new one")]
    NotAKey {
        /// Key file.
        path: PathBuf,
    },
    /// The operating system's random source fails.
    #[error("the system's random source does not work")]
    Random(#[from] getrandom::Error),
}

impl KeyError {
    /// Returns the error of a file or directory.
    fn of_disk(path: &Path, source: io::Error) -> Self {
        Self::Disk { path: path.to_owned(), source }
    }
}

/// Open key file. The lock, if it was taken, is held while this value lives.
#[derive(Debug)]
pub struct KeyFile {
    /// Open file.
    file: File,
    /// Path of the file.
    path: PathBuf,
}

impl KeyFile {
    /// Opens the key file with this name in `directory`, without a lock. Creates the directory and
    /// the file if they are missing.
    ///
    /// # Errors
    /// [`KeyError::Disk`].
    pub fn open(directory: &Path, name: &str) -> Result<Self, KeyError> {
        create_private_dir(directory).map_err(|source| KeyError::of_disk(directory, source))?;
        let path = directory.join(name);
        let file = open_private_file(&path).map_err(|source| KeyError::of_disk(&path, source))?;
        Ok(Self { file, path })
    }

    /// Takes the lock. Returns false if somebody has it, for example another process.
    ///
    /// # Errors
    /// [`KeyError::Disk`]: files cannot be locked here.
    pub fn try_lock(&self) -> Result<bool, KeyError> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(KeyError::of_disk(&self.path, source)),
        }
    }

    /// Waits for the lock, and takes it.
    ///
    /// # Errors
    /// [`KeyError::Disk`]: files cannot be locked here.
    pub fn lock(&self) -> Result<(), KeyError> {
        self.file.lock().map_err(|source| KeyError::of_disk(&self.path, source))
    }

    /// Returns the key of the file. If the file is empty, creates a key, and waits until the disk
    /// has it. Take the lock before: two processes must not create a key at the same time. Call it
    /// once.
    ///
    /// # Errors
    /// [`KeyError`]. A file that does not contain a key is not overwritten.
    pub fn load_or_create(&mut self) -> Result<Seed, KeyError> {
        let mut bytes = Vec::new();
        // One byte more than a key, so that a file of any size is read no further.
        let mut limited = (&mut self.file).take(SEED_LEN as u64 + 1);
        limited.read_to_end(&mut bytes).map_err(|it| KeyError::of_disk(&self.path, it))?;
        if let Some(seed) = parse(bytes, &self.path)? {
            return Ok(seed);
        }
        let seed = random_bytes()?;
        let written = self.file.write_all(&seed).and_then(|()| self.file.sync_all());
        written.map_err(|source| KeyError::of_disk(&self.path, source))?;
        // That a directory cannot be synced, as on some network file systems, is no error.
        #[cfg(unix)]
        drop(self.path.parent().map(|it| File::open(it).and_then(|it| it.sync_all())));
        Ok(seed)
    }
}

/// Loads the key from the file with this name in `directory`, without a lock. Creates nothing.
/// Returns `None` if the file is missing or empty, or if there can be none.
///
/// # Errors
/// [`KeyError`] if the file cannot be read or does not contain a key.
pub fn load(directory: &Path, name: &str) -> Result<Option<Seed>, KeyError> {
    let path = directory.join(name);
    match fs::read(&path) {
        Ok(bytes) => parse(bytes, &path),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => Err(KeyError::of_disk(&path, source)),
    }
}

/// Returns the key that a file holds; `None` if it is empty.
///
/// # Errors
/// [`KeyError::NotAKey`].
fn parse(bytes: Vec<u8>, path: &Path) -> Result<Option<Seed>, KeyError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let seed = bytes.try_into().map_err(|_| KeyError::NotAKey { path: path.to_owned() })?;
    Ok(Some(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name of the key file of these tests.
    const NAME: &str = "test.key";

    /// A key is created once, is found again with and without a lock, and only its owner can access
    /// the directory and the file.
    #[test]
    fn key_is_created_once_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("state");
        assert_eq!(load(&place, NAME).unwrap(), None);
        let mut file = KeyFile::open(&place, NAME).unwrap();
        assert!(file.try_lock().unwrap());
        assert_eq!(load(&place, NAME).unwrap(), None, "it is empty");
        let seed = file.load_or_create().unwrap();
        let mut second = KeyFile::open(&place, NAME).unwrap();
        assert!(!second.try_lock().unwrap());
        drop(file);
        second.lock().unwrap();
        assert_eq!(second.load_or_create().unwrap(), seed);
        assert_eq!(load(&place, NAME).unwrap(), Some(seed));
        assert_eq!(load(&place.join(NAME), NAME).unwrap(), None, "a directory that is a file");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&place), mode(&place.join(NAME))), (0o700, 0o600));
        }
    }

    /// A file with other contents is neither used as a key nor overwritten.
    #[test]
    fn invalid_key_file_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        for content in [&b"my diary"[..], &[7; SEED_LEN + 1]] {
            fs::write(&path, content).unwrap();
            let mut file = KeyFile::open(directory.path(), NAME).unwrap();
            assert!(matches!(file.load_or_create(), Err(KeyError::NotAKey { .. })));
            assert!(matches!(load(directory.path(), NAME), Err(KeyError::NotAKey { .. })));
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }
}
