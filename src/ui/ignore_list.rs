//! Ignore list: whom the user does not want to read (`/ignore`). It hides on this side only: persons
//! who have claimed their names by their numbers, others by name (`docs/using.md`).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use super::ignore_file::{
    IgnoreFile, IgnoreFileError, IgnoredNames, IgnoredPerson, ListFull, MAX_IGNORED_NAMES,
};
use super::name_holders::{Author, NameHolders};
use crate::model::{DirectMessage, LogId, Message, NameKey, Sequence, SessionId, Username};
use crate::text;

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

/// Reason why the list was not changed. The text is for the user, in the user's language.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum IgnoreError {
    /// The text is not a username.
    #[error("{} {}", text!("ignore-wrong-name", name = name), text!("error-name_invalid"))]
    InvalidName {
        /// Text that was given as a name.
        name: String,
    },
    /// The name is the user's own.
    #[error("{}", text!("that-is-you"))]
    OwnName,
    /// The list is full.
    #[error("{}", text!("ignore-full", count = MAX_IGNORED_NAMES))]
    Full,
    /// The name to remove is not on the list.
    #[error("{}", text!("ignore-unknown", name = name))]
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
    /// True if the person is ignored who has the name, and not the name.
    pub(super) is_person: bool,
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
    /// Log of the server; `None` if it is not known, and among peers.
    log: Option<LogId>,
    /// Who has which name in this log.
    holders: NameHolders,
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

    /// Sets the log of the server. In another one, the numbers of persons mean nothing: those who
    /// were ignored by them are ignored by name.
    pub fn set_log(&self, log: LogId) {
        self.with(|list| {
            if list.log != Some(log) {
                list.log = Some(log);
                list.holders.clear();
            }
        });
    }

    /// Notes who has written a message. Call it for each message, also for those that are not shown.
    pub(super) fn note_author(
        &self,
        name: &str,
        sequence: Sequence,
        session: SessionId,
        person: Option<SessionId>,
    ) {
        self.with(|list| {
            if list.log.is_some() {
                list.holders.note(name, sequence, Author { session, person });
            }
        });
    }

    /// Returns true if whoever has a name now, as far as that is known, is ignored. Names are
    /// compared by their keys. False before the list is open.
    pub(super) fn has(&self, name: &str) -> bool {
        self.with(|list| !list.names.is_empty() && list.has(&NameKey::of(name)))
    }

    /// Returns true if an author is ignored who has written under a name. False before the list is
    /// open.
    pub(super) fn hides(&self, name: &str, session: SessionId, person: Option<SessionId>) -> bool {
        let author = Author { session, person };
        self.with(|list| {
            !list.names.is_empty() && list.names.contains(&NameKey::of(name), author, list.log)
        })
    }

    /// Returns true if a message in a room is not to be shown: somebody wrote it who is ignored.
    pub(super) fn hides_message(&self, message: &Message) -> bool {
        !message.own && self.hides(&message.from, message.session, message.person)
    }

    /// Returns true if a direct message is not to be shown: somebody wrote it who is ignored. The
    /// user's own messages to them are shown.
    pub(super) fn hides_direct(&self, message: &DirectMessage) -> bool {
        !message.own && self.hides(&message.from, message.from_session, message.from_person)
    }

    /// Returns the ignored names, sorted; none before the list is open.
    pub(super) fn names(&self) -> Vec<String> {
        self.with(|list| list.names.to_vec())
    }

    /// Returns the persons who are ignored, with the names under which they were; none before the
    /// list is open, and in another log.
    pub(super) fn persons(&self) -> Vec<(String, SessionId)> {
        self.with(|list| list.names.persons(list.log))
    }

    /// Returns true if the list is kept in a file, so that it is there after the program has ended.
    /// False before the list is open.
    pub(super) fn is_saved(&self) -> bool {
        self.with(|list| matches!(list.storage, Storage::File(_)))
    }

    /// Ignores whoever has a name, at the user's request: the person, if it is known to be somebody
    /// who has claimed it, and else the name. `own_name`: the user's own name, if it is known. Waits
    /// until the list is open.
    ///
    /// # Errors
    /// The text is no username or is the user's own name, or the list is full.
    pub(super) fn add(
        &self,
        name: &str,
        own_name: Option<&str>,
    ) -> Result<IgnoreChange, IgnoreError> {
        let name =
            Username::new(name).map_err(|_| IgnoreError::InvalidName { name: name.to_owned() })?;
        if own_name.map(NameKey::of).as_ref() == Some(name.key()) {
            return Err(IgnoreError::OwnName);
        }
        let mut list = self.lock_open();
        let person = list.person(name.key());
        let (log, holder) = (list.log, list.holders.get(name.key()));
        let (result, problem) = list.update(|names| {
            let is_ignored = match holder {
                Some(author) => names.contains(name.key(), author, log),
                None => names.has_name(name.key()),
            };
            if is_ignored { Ok(false) } else { names.insert(&name, person) }
        });
        let is_new = result.map_err(|ListFull| IgnoreError::Full)?;
        let is_person = person.is_some();
        Ok(IgnoreChange { name: name.as_str().to_owned(), is_new, is_person, problem })
    }

    /// Stops ignoring a name and the persons who were ignored under it; or whoever has the name now,
    /// if they are ignored under another one. Waits until the list is open.
    ///
    /// # Errors
    /// The name is not ignored.
    pub(super) fn remove(&self, name: &str) -> Result<IgnoreChange, IgnoreError> {
        let key = NameKey::of(name);
        let mut list = self.lock_open();
        let person = list.person(&key);
        let (result, problem) = list.update(|names| names.remove(&key, person));
        let removed = result.ok_or_else(|| IgnoreError::NotIgnored { name: name.to_owned() })?;
        let is_person = false;
        Ok(IgnoreChange { name: removed.as_str().to_owned(), is_new: true, is_person, problem })
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
    /// Returns true if whoever has a name now, as far as that is known, is ignored.
    fn has(&self, name: &NameKey) -> bool {
        match self.holders.get(name) {
            Some(author) => self.names.contains(name, author, self.log),
            None => self.names.has_name(name),
        }
    }

    /// Returns the person who has a name; `None` if nobody is known to have it who has claimed it.
    fn person(&self, name: &NameKey) -> Option<IgnoredPerson> {
        let person = self.holders.get(name)?.person?;
        self.log.map(|log| IgnoredPerson::new(log, person))
    }

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
    format!("{error} {}", text!("ignore-file-kept"))
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

    /// A person who has claimed their name is ignored under any name, and a new holder of the name is
    /// not. In another log the name counts.
    #[test]
    fn persons_are_ignored_under_any_name() {
        let (list, log) = (SharedIgnoreList::default(), LogId([1; 16]));
        list.open(None).unwrap();
        list.set_log(log);
        let note = |name: &str, sequence, session, person: Option<u64>| {
            let person = person.map(SessionId);
            list.note_author(name, Sequence(sequence), SessionId(session), person);
            list.hides(name, SessionId(session), person)
        };
        assert!(!note("bob", 1, 5, Some(3)));
        assert!(list.add("BOB", None).unwrap().is_person);
        assert!(list.has("bob") && list.hides("bob", SessionId(9), Some(SessionId(3))));
        assert!(list.hides("bob", SessionId(3), None), "before the claim");
        assert!(note("robert", 2, 6, Some(3)) && list.has("robert"));
        assert!(!list.add("robert", None).unwrap().is_new);
        // Somebody else has taken the name, with a claim or without.
        assert!(!note("bob", 3, 7, Some(7)) && !note("bob", 4, 8, None) && !list.has("bob"));
        let both = list.add("bob", None).unwrap();
        assert!(both.is_new && !both.is_person);
        assert!(note("bob", 5, 7, Some(7)) && note("robert", 6, 6, Some(3)));
        assert_eq!(list.names(), ["BOB"]);
        assert_eq!(list.persons(), [("BOB".to_owned(), SessionId(3))]);
        list.remove("bob").unwrap();
        assert!(list.names().is_empty() && !list.has("robert"));

        note("eve", 7, 4, Some(4));
        list.add("eve", None).unwrap();
        note("eva", 8, 4, Some(4));
        list.set_log(LogId([2; 16]));
        assert!(!note("eva", 1, 4, Some(4)) && note("eve", 2, 9, None) && list.has("eve"));
        assert!(!list.add("eve", None).unwrap().is_new);
        list.set_log(log);
        note("eva", 9, 4, Some(4));
        assert_eq!(list.remove("eva").unwrap().name, "eve");
        assert!(list.names().is_empty());
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
