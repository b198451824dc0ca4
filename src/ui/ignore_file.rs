//! The file that keeps the ignore list of a server, or of all rooms of peers. Only its owner can
//! read it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::disk::{create_private_dir, open_private_file, replace_private_file};
use crate::model::{NameKey, Username};

/// Maximum number of names on an ignore list.
pub(super) const MAX_IGNORED_NAMES: usize = 1_000;

/// Maximum length of the file, in bytes. A full list needs less than a tenth of it.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Names that are ignored, at most [`MAX_IGNORED_NAMES`], by their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IgnoredNames(BTreeMap<NameKey, Username>);

/// Error: the ignore list has [`MAX_IGNORED_NAMES`] names already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListFull;

impl IgnoredNames {
    /// Returns true if no name is ignored.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the name with this key is ignored.
    pub(super) fn contains(&self, name: &NameKey) -> bool {
        self.0.contains_key(name)
    }

    /// Adds a name. Returns true if it was not on the list. A name that is on the list keeps its
    /// spelling.
    ///
    /// # Errors
    /// The list is full.
    pub(super) fn insert(&mut self, name: &Username) -> Result<bool, ListFull> {
        if self.contains(name.key()) {
            return Ok(false);
        }
        if self.0.len() >= MAX_IGNORED_NAMES {
            return Err(ListFull);
        }
        self.0.insert(name.key().clone(), name.clone());
        Ok(true)
    }

    /// Removes the name with this key. Returns the name as it was spelled on the list; `None` if it
    /// was not there.
    pub(super) fn remove(&mut self, name: &NameKey) -> Option<Username> {
        self.0.remove(name)
    }

    /// Returns the names, sorted by their keys.
    pub(super) fn to_vec(&self) -> Vec<String> {
        self.0.values().map(|it| it.as_str().to_owned()).collect()
    }

    /// Validates the names of a file.
    ///
    /// # Errors
    /// A text is no username, or there are too many.
    fn from_texts(texts: &[String]) -> Result<Self, String> {
        let mut names = Self::default();
        for text in texts {
            let name = Username::new(text)
                .map_err(|error| format!("“{text}” cannot be a name: {error}"))?;
            names
                .insert(&name)
                .map_err(|ListFull| format!("more than {MAX_IGNORED_NAMES} names"))?;
        }
        Ok(names)
    }
}

/// I/O error of the file, or a content that is no ignore list, with the path. The file is
/// unchanged.
#[derive(Debug, Error)]
#[error("{path} cannot be used ({source})")]
pub struct IgnoreFileError {
    /// Path of the file.
    path: PathBuf,
    /// Cause of the error.
    source: io::Error,
}

/// JSON content of the file.
#[derive(Debug, Serialize, Deserialize)]
struct FileContent {
    /// Key of the server to which the list belongs; `None` among peers.
    server: Option<String>,
    /// Ignored names in the spelling in which they are displayed.
    names: Vec<String>,
}

/// Private JSON file with an ignore list. It need not exist. All programs of the user that have the
/// list share it.
#[derive(Clone, Debug)]
pub struct IgnoreFile {
    /// Path of the file.
    path: PathBuf,
    /// Key of the server to which the list belongs; `None` among peers.
    server: Option<String>,
}

impl IgnoreFile {
    /// Creates a handle of the file at this path, for the list of a server with this key, or of
    /// peers. Does not access the file.
    #[must_use]
    pub const fn new(path: PathBuf, server: Option<String>) -> Self {
        Self { path, server }
    }

    /// Reads the list. A missing file is an empty list.
    ///
    /// # Errors
    /// The file cannot be read, is damaged or too long, or belongs to another server.
    pub(super) fn read(&self) -> Result<IgnoredNames, IgnoreFileError> {
        self.try_read().map_err(|source| self.error(source))
    }

    /// Reads the list, changes it, and replaces the file atomically if that has changed the list. A
    /// lock prevents that programs which do this at the same time lose changes of each other; waits
    /// for the lock. Creates the directory if necessary. Returns the new list, and the result of
    /// `change`.
    ///
    /// # Errors
    /// The file cannot be read or written, is damaged, or belongs to another server.
    pub(super) fn update<T>(
        &self,
        change: impl FnOnce(&mut IgnoredNames) -> T,
    ) -> Result<(IgnoredNames, T), IgnoreFileError> {
        self.try_update(change).map_err(|source| self.error(source))
    }

    /// Reads the list, as [`Self::read`] says.
    fn try_read(&self) -> io::Result<IgnoredNames> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(IgnoredNames::default()),
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(damaged(&format!("more than {MAX_FILE_BYTES} bytes")));
        }
        let content: FileContent =
            serde_json::from_slice(&text).map_err(|error| damaged(&error.to_string()))?;
        if content.server != self.server {
            return Err(damaged("it belongs to another server"));
        }
        IgnoredNames::from_texts(&content.names).map_err(|why| damaged(&why))
    }

    /// Changes the list, as [`Self::update`] says.
    fn try_update<T>(
        &self,
        change: impl FnOnce(&mut IgnoredNames) -> T,
    ) -> io::Result<(IgnoredNames, T)> {
        create_private_dir(self.path.parent().unwrap_or(Path::new(".")))?;
        // The lock ends when its file is closed, at the end of this function.
        let lock = open_private_file(&self.path.with_extension("lock"))?;
        lock.lock()?;
        let before = self.try_read()?;
        let mut names = before.clone();
        let result = change(&mut names);
        if names != before {
            self.write(&names)?;
        }
        Ok((names, result))
    }

    /// Replaces the file by one with this list.
    fn write(&self, names: &IgnoredNames) -> io::Result<()> {
        let content = FileContent { server: self.server.clone(), names: names.to_vec() };
        replace_private_file(&self.path, &serde_json::to_vec(&content)?)
    }

    /// Returns an I/O error with the path of this file.
    fn error(&self, source: io::Error) -> IgnoreFileError {
        IgnoreFileError { path: self.path.clone(), source }
    }
}

/// Returns the error for a content that is no ignore list of this server.
fn damaged(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Returns a handle of a file in a directory that does not exist yet.
    fn file_in(directory: &Path, server: &str) -> IgnoreFile {
        IgnoreFile::new(directory.join("new").join("ignored.json"), Some(server.to_owned()))
    }

    /// Adds a name to a file.
    fn add(file: &IgnoreFile, name: &str) -> Result<bool, ListFull> {
        let name = Username::new(name).unwrap();
        file.update(|names| names.insert(&name)).unwrap().1
    }

    /// A list is read as it was written, by another handle too, and without its private data being
    /// readable for others.
    #[test]
    fn list_survives_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (file_in(directory.path(), "pi"), file_in(directory.path(), "pi"));
        assert!(one.read().unwrap().is_empty());
        assert!(!one.path.exists());
        assert_eq!(add(&one, "Bob"), Ok(true));
        assert_eq!(add(&other, "ÉVE"), Ok(true));
        assert_eq!(add(&one, "bob"), Ok(false));
        assert_eq!(one.read().unwrap().to_vec(), ["Bob", "ÉVE"]);
        let key = NameKey::of("éve");
        assert_eq!(other.update(|it| it.remove(&key)).unwrap().1, Username::new("ÉVE").ok());
        assert_eq!(one.read().unwrap().to_vec(), ["Bob"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&one.path), 0o600);
            assert_eq!(mode(one.path.parent().unwrap()), 0o700);
        }
    }

    /// A damaged file, and that of another server, is an error with its path. It is left as it is.
    #[test]
    fn damaged_file_is_an_error_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = file_in(directory.path(), "pi");
        assert_eq!(add(&file, "bob"), Ok(true));
        let many: Vec<_> = (0..=MAX_IGNORED_NAMES).map(|it| format!("u{it}")).collect();
        let long = format!("{{\"server\":\"pi\",\"names\":[]}}{}", " ".repeat(1 << 20));
        for content in [
            String::new(),
            "{\"server\":\"pi\"".to_owned(),
            "{\"server\":\"pi\",\"names\":[\"two words\"]}".to_owned(),
            "{\"server\":\"attic\",\"names\":[]}".to_owned(),
            "{\"server\":null,\"names\":[]}".to_owned(),
            serde_json::json!({"server": "pi", "names": many}).to_string(),
            long,
        ] {
            fs::write(&file.path, &content).unwrap();
            let error_text = file.read().unwrap_err().to_string();
            assert!(error_text.contains("ignored.json cannot be used ("), "{error_text}");
            assert!(file.update(|names| *names = IgnoredNames::default()).is_err());
            assert_eq!(fs::read_to_string(&file.path).unwrap(), content);
        }
    }

    /// The list is bounded, and a full list of the longest names fits into the file.
    #[test]
    fn list_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let file = file_in(directory.path(), "pi");
        let name =
            |number: usize| Username::new(&format!("{}{number:04}", "é".repeat(28))).unwrap();
        let fill = |names: &mut IgnoredNames| {
            (0..MAX_IGNORED_NAMES).all(|number| names.insert(&name(number)) == Ok(true))
        };
        assert!(file.update(fill).unwrap().1);
        assert_eq!(add(&file, "bob"), Err(ListFull));
        assert_eq!(file.read().unwrap().to_vec().len(), MAX_IGNORED_NAMES);
        assert!(fs::metadata(&file.path).unwrap().len() < MAX_FILE_BYTES / 10);
    }
}
