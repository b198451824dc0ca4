//! Ignore list: names under which the user does not want to read anything (`/ignore`). It hides on
//! this side only, and by name: `docs/using.md`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use super::ignore_file::{IgnoreFile, IgnoreFileError, IgnoredNames, ListFull, MAX_IGNORED_NAMES};
use crate::model::{DirectMessage, Message, NameError, NameKey, Username};

/// Storage of the list: memory or a file.
#[derive(Debug, Default)]
enum Storage {
    /// Not known yet, because the client does not know which server it will reach. Commands wait.
    #[default]
    Unopened,
    /// Only in memory: nothing is to be saved, or the file has failed once.
    Memory,
    /// In this file. The names in memory are those that were last read or written.
    File(IgnoreFile),
}

/// Reason why the list was not changed. The text is for the user.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum IgnoreError {
    /// The text is not a username.
    #[error("“{name}” cannot be a name: {error}.")]
    InvalidName {
        /// Text that was given as a name.
        name: String,
        /// Rule that it violates.
        error: NameError,
    },
    /// The name is the user's own.
    #[error("That is you.")]
    OwnName,
    /// The list is full.
    #[error(
        "You already ignore {MAX_IGNORED_NAMES} names, which is the most. Type /unignore NAME to make room."
    )]
    Full,
    /// The name to remove is not on the list.
    #[error("You do not ignore {name}. Type /ignore to see whom you ignore.")]
    NotIgnored {
        /// Name to remove.
        name: String,
    },
}

/// Result of a change of the list.
#[derive(Debug)]
pub(super) struct IgnoreChange {
    /// The name, in the spelling in which it is displayed.
    pub(super) name: String,
    /// True if the list has changed: the name was not ignored before, or is not any more.
    pub(super) is_new: bool,
    /// Reason why the change was not saved, if saving has failed now. Later changes are not saved
    /// either.
    pub(super) problem: Option<IgnoreFileError>,
}

/// Names that are ignored, and where they are kept.
#[derive(Debug, Default)]
struct IgnoreList {
    /// Ignored names.
    names: IgnoredNames,
    /// Storage of the names: memory or a file.
    storage: Storage,
}

/// Ignore list that screen, input reader and driver share. They run in different threads. A clone
/// is the same list.
#[derive(Clone, Debug, Default)]
pub struct SharedIgnoreList(Arc<IgnoreListCell>);

/// Shared content of a [`SharedIgnoreList`].
#[derive(Debug, Default)]
struct IgnoreListCell {
    /// The list.
    list: Mutex<IgnoreList>,
    /// Notified when the list is opened.
    opened: Condvar,
}

impl SharedIgnoreList {
    /// Opens the list: reads it from its file. With `None`, and if the file cannot be read, the
    /// list is empty, and only in memory. Does nothing if the list is open already.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or belongs to another server. The file is left as it
    /// is, now and later.
    pub fn open(&self, file: Option<IgnoreFile>) -> Result<(), IgnoreFileError> {
        let opened = self.with(|list| {
            if !matches!(list.storage, Storage::Unopened) {
                return Ok(());
            }
            list.storage = Storage::Memory;
            if let Some(file) = file {
                list.names = file.read()?;
                list.storage = Storage::File(file);
            }
            Ok(())
        });
        self.0.opened.notify_all();
        opened
    }

    /// Waits until the list is open. Call it in the thread of the input reader only.
    pub(super) fn wait_until_open(&self) {
        drop(self.lock_open());
    }

    /// Returns true if a name is ignored, in any spelling with the same key. False before the list
    /// is open.
    pub(super) fn has(&self, name: &str) -> bool {
        self.with(|list| !list.names.is_empty() && list.names.contains(&NameKey::of(name)))
    }

    /// Returns true if a message in a room is not to be shown: somebody else wrote it under an
    /// ignored name.
    pub(super) fn hides_message(&self, message: &Message) -> bool {
        !message.own && self.has(&message.from)
    }

    /// Returns true if a direct message is not to be shown: somebody else wrote it under an ignored
    /// name. The user's own messages to such a name are shown.
    pub(super) fn hides_direct(&self, message: &DirectMessage) -> bool {
        !message.own && self.has(&message.from)
    }

    /// Returns the ignored names, sorted; none before the list is open.
    pub(super) fn names(&self) -> Vec<String> {
        self.with(|list| list.names.to_vec())
    }

    /// Returns true if the list is kept in a file, so that it is there after the program has ended.
    /// False before the list is open.
    pub(super) fn is_saved(&self) -> bool {
        self.with(|list| matches!(list.storage, Storage::File(_)))
    }

    /// Ignores a name at the user's request. `own_name`: the user's own name, if it is known. Waits
    /// until the list is open.
    ///
    /// # Errors
    /// The text is no username or is the user's own name, or the list is full.
    pub(super) fn add(
        &self,
        name: &str,
        own_name: Option<&str>,
    ) -> Result<IgnoreChange, IgnoreError> {
        let name = Username::new(name)
            .map_err(|error| IgnoreError::InvalidName { name: name.to_owned(), error })?;
        if own_name.map(NameKey::of).as_ref() == Some(name.key()) {
            return Err(IgnoreError::OwnName);
        }
        let (result, problem) = self.lock_open().update(|names| names.insert(&name));
        let is_new = result.map_err(|ListFull| IgnoreError::Full)?;
        Ok(IgnoreChange { name: name.as_str().to_owned(), is_new, problem })
    }

    /// Stops ignoring a name, at the user's request. Waits until the list is open.
    ///
    /// # Errors
    /// The name is not ignored.
    pub(super) fn remove(&self, name: &str) -> Result<IgnoreChange, IgnoreError> {
        let key = NameKey::of(name);
        let (result, problem) = self.lock_open().update(|names| names.remove(&key));
        let removed = result.ok_or_else(|| IgnoreError::NotIgnored { name: name.to_owned() })?;
        Ok(IgnoreChange { name: removed.as_str().to_owned(), is_new: true, problem })
    }

    /// Locks the list, calls a function with it, and returns the function's result.
    fn with<T>(&self, with: impl FnOnce(&mut IgnoreList) -> T) -> T {
        with(&mut self.lock())
    }

    /// Locks the list.
    fn lock(&self) -> MutexGuard<'_, IgnoreList> {
        // If a thread has panicked while it held the lock, the list is valid nevertheless.
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the list once it is open. Waits until then.
    fn lock_open(&self) -> MutexGuard<'_, IgnoreList> {
        let is_closed = |list: &mut IgnoreList| matches!(list.storage, Storage::Unopened);
        let open = self.0.opened.wait_while(self.lock(), is_closed);
        open.unwrap_or_else(PoisonError::into_inner)
    }
}

impl IgnoreList {
    /// Changes the names, in the file if there is one. Returns the result of `change`. If the file
    /// cannot be used, the change is made in memory, as all later ones, and the reason is returned
    /// too. `change` may be called twice.
    fn update<T>(
        &mut self,
        change: impl Fn(&mut IgnoredNames) -> T,
    ) -> (T, Option<IgnoreFileError>) {
        let problem = match &self.storage {
            Storage::Unopened | Storage::Memory => None,
            Storage::File(file) => match file.update(&change) {
                Ok((names, result)) => {
                    self.names = names;
                    return (result, None);
                }
                Err(error) => Some(error),
            },
        };
        // Do not try again: the next write would probably fail with the same error.
        self.storage = Storage::Memory;
        (change(&mut self.names), problem)
    }
}

/// Returns the text for the user about an ignore list whose file cannot be used.
#[must_use]
pub fn ignore_problem_text(error: &IgnoreFileError) -> String {
    format!(
        "{error}. Whom you ignore from now on is forgotten when you quit. The file was not changed: repair or remove it, and start again."
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Names are compared by their keys. The user's own name and texts that are no names are
    /// refused.
    #[test]
    fn names_are_ignored_in_any_spelling() {
        let list = SharedIgnoreList::default();
        list.open(None).unwrap();
        assert!(list.add("Straße", Some("anna")).unwrap().is_new);
        assert!(!list.add("STRASSE", Some("anna")).unwrap().is_new);
        assert!(list.has("strasse") && !list.has("strass"));
        assert_eq!(list.add("ANNA", Some("anna")).unwrap_err(), IgnoreError::OwnName);
        assert!(matches!(list.add("a b", None), Err(IgnoreError::InvalidName { .. })));
        assert!(!list.is_saved());
        assert_eq!(list.remove("strasse").unwrap().name, "Straße");
        let name = "strasse".to_owned();
        assert_eq!(list.remove("strasse").unwrap_err(), IgnoreError::NotIgnored { name });
    }

    /// A list that is opened later, in another run, has the names of the file. A change adds what
    /// another program has written meanwhile.
    #[test]
    fn list_is_shared_through_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = || Some(IgnoreFile::new(directory.path().join("ignored.json"), None));
        let [one, other] = [(); 2].map(|()| {
            let list = SharedIgnoreList::default();
            list.open(file()).unwrap();
            list
        });
        assert!(one.add("bob", None).unwrap().problem.is_none());
        assert!(!other.has("bob"));
        other.add("eve", None).unwrap();
        assert_eq!(other.names(), ["bob", "eve"]);
        let later = SharedIgnoreList::default();
        later.open(file()).unwrap();
        assert_eq!(later.names(), ["bob", "eve"]);
        assert!(later.is_saved());
        // It is open, so it does not change to another file.
        later.open(None).unwrap();
        assert!(later.is_saved());
    }

    /// A command that comes before the list is open waits, and is kept in the file.
    #[test]
    fn command_waits_until_list_is_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ignored.json");
        let list = SharedIgnoreList::default();
        let early = std::thread::spawn({
            let list = list.clone();
            move || list.add("bob", None).map(|it| it.is_new)
        });
        list.open(Some(IgnoreFile::new(path.clone(), None))).unwrap();
        assert_eq!(early.join().unwrap(), Ok(true));
        assert!(fs::read_to_string(path).unwrap().contains("bob"));
    }

    /// If the file is damaged, at the start or later, the list works in memory and says so, and the
    /// file stays as it is.
    #[test]
    fn list_works_without_a_usable_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ignored.json");
        let open = |list: &SharedIgnoreList| list.open(Some(IgnoreFile::new(path.clone(), None)));
        let list = SharedIgnoreList::default();
        open(&list).unwrap();
        list.add("bob", None).unwrap();
        fs::write(&path, "damaged").unwrap();
        let change = list.add("eve", None).unwrap();
        assert!(ignore_problem_text(&change.problem.unwrap()).contains("ignored.json"));
        assert_eq!((list.names(), list.is_saved()), (vec!["bob".into(), "eve".into()], false));
        assert!(list.remove("bob").unwrap().problem.is_none());
        let later = SharedIgnoreList::default();
        assert!(open(&later).is_err());
        assert!(later.add("eve", None).unwrap().is_new);
        assert_eq!(fs::read_to_string(&path).unwrap(), "damaged");
    }
}
