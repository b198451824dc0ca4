//! The file that keeps the ignore list of a server, or of all rooms of peers. Only its owner can
//! read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::name_holders::Author;
use super::sentences::io_error_text;
use crate::disk::{create_private_dir, open_private_file, replace_private_file};
use crate::model::{LogId, NameKey, SessionId, Username};
use crate::text;

/// Maximum number of names on an ignore list.
pub(super) const MAX_IGNORED_NAMES: usize = 1_000;

/// Maximum length of the file, in bytes. A full list needs less than a third of it.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Person whom the user ignores: their number in a log. In another log, the number means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IgnoredPerson {
    /// Id of the log.
    log: [u8; 16],
    /// Number of the person.
    number: u64,
}

impl IgnoredPerson {
    /// Returns the person with this number in a log.
    pub(super) const fn new(log: LogId, person: SessionId) -> Self {
        Self { log: log.0, number: person.0 }
    }

    /// Returns the number of the person, if this is the log that it belongs to.
    pub(super) fn number_in(self, log: Option<LogId>) -> Option<SessionId> {
        (log?.0 == self.log).then_some(SessionId(self.number))
    }
}

/// Who is ignored, at most [`MAX_IGNORED_NAMES`]. Each message asks for its author, so these look-ups
/// do not search the whole list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IgnoredNames {
    /// Names by their keys, each with the person who had it. `None`: whoever has the name.
    names: BTreeMap<(NameKey, Option<IgnoredPerson>), Username>,
    /// The persons of `names`.
    persons: BTreeSet<IgnoredPerson>,
}

/// Error: the ignore list has [`MAX_IGNORED_NAMES`] names already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListFull;

impl IgnoredNames {
    /// Returns true if nobody is ignored.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns true if an author is ignored: by the name, or as a person of this log under any name.
    /// A name of which only the person is ignored counts as ignored if the log is another.
    pub(super) fn contains(&self, name: &NameKey, author: Author, log: Option<LogId>) -> bool {
        let is_person = |log| self.persons.contains(&IgnoredPerson::new(log, author.number()));
        let is_of_log = |it: &Option<IgnoredPerson>| it.and_then(|it| it.number_in(log)).is_some();
        log.is_some_and(is_person) || self.of_name(name).any(|(it, _)| !is_of_log(it))
    }

    /// Returns true if somebody is ignored who has or had this name.
    pub(super) fn has_name(&self, name: &NameKey) -> bool {
        self.of_name(name).next().is_some()
    }

    /// Returns the entries of a name: the persons who had it, `None` for whoever has it, with the
    /// name as it is spelled on the list.
    fn of_name(&self, name: &NameKey) -> impl Iterator<Item = (&Option<IgnoredPerson>, &Username)> {
        // `None` is the lowest.
        let from = self.names.range((name.clone(), None)..);
        let of_name = from.take_while(move |((key, _), _)| key == name);
        of_name.map(|((_, person), name)| (person, name))
    }

    /// Adds a name, or the person who has it. Returns true if it was not on the list. A name that is
    /// on the list keeps its spelling.
    ///
    /// # Errors
    /// The list is full.
    pub(super) fn insert(
        &mut self,
        name: &Username,
        person: Option<IgnoredPerson>,
    ) -> Result<bool, ListFull> {
        let key = (name.key().clone(), person);
        if self.names.contains_key(&key) {
            return Ok(false);
        }
        if self.names.len() >= MAX_IGNORED_NAMES {
            return Err(ListFull);
        }
        let name = self.of_name(name.key()).next().map_or(name, |(_, it)| it).clone();
        self.names.insert(key, name);
        self.persons.extend(person);
        Ok(true)
    }

    /// Removes everybody who has or had a name; if there is nobody, this person. Returns the name as
    /// it was spelled on the list; `None` if nobody was removed.
    pub(super) fn remove(
        &mut self,
        name: &NameKey,
        person: Option<IgnoredPerson>,
    ) -> Option<Username> {
        let is_named = self.has_name(name);
        let is_meant = |(key, it): &(NameKey, Option<IgnoredPerson>)| match is_named {
            true => key == name,
            false => person.is_some() && *it == person,
        };
        let meant: Vec<_> = self.names.keys().filter(|it| is_meant(it)).cloned().collect();
        let removed = meant.iter().filter_map(|it| self.names.remove(it)).last();
        // A person may be on the list under another name, too.
        self.persons = self.names.keys().filter_map(|(_, person)| *person).collect();
        removed
    }

    /// Returns the names, sorted by their keys.
    pub(super) fn to_vec(&self) -> Vec<String> {
        let mut names: Vec<(&NameKey, &Username)> =
            self.names.iter().map(|((key, _), name)| (key, name)).collect();
        names.dedup_by_key(|(key, _)| *key);
        names.into_iter().map(|(_, name)| name.as_str().to_owned()).collect()
    }

    /// Returns the persons of a log, with the names under which they were ignored.
    pub(super) fn persons(&self, log: Option<LogId>) -> Vec<(String, SessionId)> {
        let persons = self.names.iter().filter_map(|((_, person), name)| {
            Some((name.as_str().to_owned(), person.as_ref()?.number_in(log)?))
        });
        persons.collect()
    }

    /// Returns the content of the file, for the list of this server.
    fn to_content(&self, server: Option<String>) -> FileContent {
        let persons = self.names.iter().filter_map(|((key, person), name)| {
            let person = (*person)?;
            let by_name = self.names.contains_key(&(key.clone(), None));
            let log = format!("{:032x}", u128::from_be_bytes(person.log));
            Some(FilePerson { name: name.as_str().to_owned(), log, number: person.number, by_name })
        });
        FileContent { server, names: self.to_vec(), persons: persons.collect() }
    }

    /// Validates the names and persons of a file.
    ///
    /// # Errors
    /// A text is no username or no id of a log, or there are too many.
    fn from_content(content: &FileContent) -> Result<Self, FileProblem> {
        let mut names = Self::default();
        let mut insert = |text: &str, person| {
            let name = Username::new(text).map_err(|_| FileProblem::Name(text.to_owned()))?;
            names.insert(&name, person).map_err(|ListFull| FileProblem::Full)?;
            Ok::<_, FileProblem>(name.key().clone())
        };
        let mut by_person = BTreeSet::new();
        for FilePerson { name, log, number, by_name } in &content.persons {
            let id = u128::from_str_radix(log, 16).ok().filter(|_| log.len() == 32);
            let id = id.ok_or_else(|| FileProblem::Log(log.clone()))?;
            let person = IgnoredPerson { log: id.to_be_bytes(), number: *number };
            let key = insert(name, Some(person))?;
            if *by_name {
                insert(name, None)?;
            }
            by_person.insert(key);
        }
        for text in &content.names {
            if !by_person.contains(&NameKey::of(text)) {
                insert(text, None)?;
            }
        }
        Ok(names)
    }
}

/// I/O error of the file, or a content that is no ignore list, with the path. The file is
/// unchanged. The text is a sentence in the user's language.
#[derive(Debug, Error)]
#[error("{}", problem.text(path))]
pub struct IgnoreFileError {
    /// Path of the file.
    path: PathBuf,
    /// Why the file cannot be used.
    problem: FileProblem,
}

/// Reason why the file cannot be used.
#[derive(Debug)]
enum FileProblem {
    /// It cannot be read or written.
    Io(io::Error),
    /// It has more than [`MAX_FILE_BYTES`] bytes.
    TooLong,
    /// It is no JSON object as [`FileContent`].
    Damaged(serde_json::Error),
    /// It is the list of another server.
    OtherServer,
    /// This text in it is no username.
    Name(String),
    /// This text in it is no id of a log.
    Log(String),
    /// It has more than [`MAX_IGNORED_NAMES`] names.
    Full,
}

impl From<io::Error> for FileProblem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl FileProblem {
    /// Returns the text for the user about the file at this path.
    fn text(&self, path: &Path) -> String {
        let path = path.display().to_string();
        match self {
            Self::Io(error) => {
                text!("ignore-file-failed", path = path, reason = io_error_text(error))
            }
            Self::TooLong => text!("ignore-file-long", path = path, bytes = MAX_FILE_BYTES),
            Self::Damaged(error) => {
                let (line, column) = (error.line(), error.column());
                text!("ignore-file-damaged", path = path, line = line, column = column)
            }
            Self::OtherServer => text!("ignore-file-other", path = path),
            Self::Name(name) => text!("ignore-file-name", path = path, name = name),
            Self::Log(log) => text!("ignore-file-log", path = path, log = log),
            Self::Full => text!("ignore-file-full", path = path, count = MAX_IGNORED_NAMES),
        }
    }
}

/// JSON content of the file.
#[derive(Debug, Serialize, Deserialize)]
struct FileContent {
    /// Key of the server to which the list belongs; `None` among peers.
    server: Option<String>,
    /// Ignored names in the spelling in which they are displayed, those of persons included.
    /// Programs that know no persons read only these.
    names: Vec<String>,
    /// Persons who are ignored under any name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    persons: Vec<FilePerson>,
}

/// Person in the file.
#[derive(Debug, Serialize, Deserialize)]
struct FilePerson {
    /// Name under which the person was ignored.
    name: String,
    /// Id of the log to which the number belongs, in hexadecimal.
    log: String,
    /// Number of the person.
    number: u64,
    /// True if whoever has the name is ignored as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_name: bool,
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
        self.try_read().map_err(|problem| self.error(problem))
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
        self.try_update(change).map_err(|problem| self.error(problem))
    }

    /// Reads the list, as [`Self::read`] says.
    fn try_read(&self) -> Result<IgnoredNames, FileProblem> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(IgnoredNames::default()),
            Err(error) => return Err(error.into()),
        };
        let mut text = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(FileProblem::TooLong);
        }
        let content: FileContent = serde_json::from_slice(&text).map_err(FileProblem::Damaged)?;
        if content.server != self.server {
            return Err(FileProblem::OtherServer);
        }
        IgnoredNames::from_content(&content)
    }

    /// Changes the list, as [`Self::update`] says.
    fn try_update<T>(
        &self,
        change: impl FnOnce(&mut IgnoredNames) -> T,
    ) -> Result<(IgnoredNames, T), FileProblem> {
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
        let content = names.to_content(self.server.clone());
        replace_private_file(&self.path, &serde_json::to_vec(&content)?)
    }

    /// Returns an error with the path of this file.
    fn error(&self, problem: FileProblem) -> IgnoreFileError {
        IgnoreFileError { path: self.path.clone(), problem }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// Returns a handle of a file in a directory that does not exist yet.
    fn file_in(directory: &Path, server: &str) -> IgnoreFile {
        IgnoreFile::new(directory.join("new").join("ignored.json"), Some(server.to_owned()))
    }

    /// Adds a name to a file.
    fn add(file: &IgnoreFile, name: &str) -> Result<bool, ListFull> {
        let name = Username::new(name).unwrap();
        file.update(|names| names.insert(&name, None)).unwrap().1
    }

    /// That the file cannot be used is said in the user's language, with the reason.
    #[test]
    fn errors_of_the_system_have_words() {
        let full = IgnoreFileError {
            path: PathBuf::from("/x"),
            problem: io::Error::from_raw_os_error(28).into(),
        };
        let told = with_language(Language::German, || full.to_string());
        assert_eq!(told, "/x lässt sich nicht benutzen (kein Platz mehr).");
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
        assert_eq!(other.update(|it| it.remove(&key, None)).unwrap().1, Username::new("ÉVE").ok());
        assert_eq!(one.read().unwrap().to_vec(), ["Bob"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&one.path), 0o600);
            assert_eq!(mode(one.path.parent().unwrap()), 0o700);
        }
    }

    /// A person is read as it was written. A file from before there were persons has names only, and
    /// a program of that time reads the names of a new one.
    #[test]
    fn persons_are_kept_beside_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let file = file_in(directory.path(), "pi");
        let log = LogId([7; 16]);
        let [bob, eve] = ["Bob", "Eve"].map(|it| Username::new(it).unwrap());
        let person = |number| Some(IgnoredPerson::new(log, SessionId(number)));
        let fill = |names: &mut IgnoredNames| {
            for (name, person) in
                [(&bob, person(u64::MAX)), (&bob, person(8)), (&eve, person(9)), (&eve, None)]
            {
                assert_eq!(names.insert(name, person), Ok(true));
            }
            names.clone()
        };
        let (_, filled) = file.update(fill).unwrap();
        assert_eq!(file.read().unwrap(), filled);
        let content: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&file.path).unwrap()).unwrap();
        assert_eq!(content["names"], serde_json::json!(["Bob", "Eve"]));
        assert_eq!(filled.persons(Some(log)).len(), 3);
        assert_eq!(filled.persons(Some(LogId([8; 16]))), []);
        fs::write(&file.path, r#"{"server":"pi","names":["Bob"]}"#).unwrap();
        let old = file.read().unwrap();
        assert_eq!((old.to_vec(), old.persons(Some(log))), (vec!["Bob".to_owned()], vec![]));
    }

    /// A person is ignored under any name in their log, and in another log by the name. Who is
    /// ignored under two names, and taken off the list under one, is still ignored.
    #[test]
    fn person_is_ignored_under_any_name() {
        let [log, other] = [7, 8].map(|it| LogId([it; 16]));
        let person = Some(IgnoredPerson::new(log, SessionId(4)));
        let author = |session| Author { session: SessionId(session), person: None };
        let of_person = Author { session: SessionId(9), person: Some(SessionId(4)) };
        let [bob, bill] = ["Bob", "Bill"].map(|it| Username::new(it).unwrap());
        let mut names = IgnoredNames::default();
        names.insert(&bob, person).unwrap();
        names.insert(&bill, person).unwrap();
        let carl = NameKey::of("carl");
        for (name, author, log, expected) in [
            (&carl, of_person, Some(log), true),
            (&carl, author(4), Some(log), true),
            (&carl, of_person, Some(other), false),
            (&carl, of_person, None, false),
            (bob.key(), author(5), Some(log), false),
            (bob.key(), author(5), Some(other), true),
            (bob.key(), author(5), None, true),
        ] {
            assert_eq!(names.contains(name, author, log), expected, "{name:?} {author:?}");
        }
        assert_eq!(names.remove(bob.key(), None), Some(bob.clone()));
        assert!(!names.has_name(bob.key()));
        assert!(names.contains(bob.key(), of_person, Some(log)));
        names.insert(&bob, None).unwrap();
        assert!(names.contains(bob.key(), author(5), Some(log)));
        assert!(!names.contains(&carl, author(5), Some(log)));
        assert_eq!(names.remove(bill.key(), None), Some(bill));
        assert!(!names.contains(&carl, of_person, Some(log)));
    }

    /// A damaged file, and that of another server, is an error with its path. It is left as it is.
    #[test]
    fn damaged_file_is_an_error_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = file_in(directory.path(), "pi");
        assert_eq!(add(&file, "bob"), Ok(true));
        let many: Vec<_> = (0..=MAX_IGNORED_NAMES).map(|it| format!("u{it}")).collect();
        let long = format!("{{\"server\":\"pi\",\"names\":[]}}{}", " ".repeat(1 << 20));
        for (content, reason) in [
            (String::new(), "it has an error in line 1, column 0"),
            ("{\"server\":\"pi\"".to_owned(), "it has an error in line 1, column 14"),
            (
                "{\"server\":\"pi\",\"names\":[\"two words\"]}".to_owned(),
                "“two words” in it cannot be a name",
            ),
            ("{\"server\":\"attic\",\"names\":[]}".to_owned(), "it belongs to another server"),
            ("{\"server\":null,\"names\":[]}".to_owned(), "it belongs to another server"),
            (
                serde_json::json!({"server": "pi", "names": many}).to_string(),
                "it has more than 1000 names",
            ),
            (
                r#"{"server":"pi","names":[],"persons":[{"name":"x","log":"7","number":7}]}"#
                    .to_owned(),
                "“7” in it cannot be the id of a log",
            ),
            (long, "it has more than 1048576 bytes"),
        ] {
            fs::write(&file.path, &content).unwrap();
            let error_text = file.read().unwrap_err().to_string();
            let expected = format!("{} cannot be used ({reason}).", file.path.display());
            assert_eq!(error_text, expected);
            let german = with_language(Language::German, || file.read().unwrap_err().to_string());
            assert!(german.contains("ignored.json lässt sich nicht benutzen ("), "{german}");
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
            let person = |it| Some(IgnoredPerson { log: [255; 16], number: u64::MAX - it as u64 });
            (0..MAX_IGNORED_NAMES).all(|it| names.insert(&name(it), person(it)) == Ok(true))
        };
        assert!(file.update(fill).unwrap().1);
        assert_eq!(add(&file, "bob"), Err(ListFull));
        assert_eq!(file.read().unwrap().to_vec().len(), MAX_IGNORED_NAMES);
        assert!(fs::metadata(&file.path).unwrap().len() < MAX_FILE_BYTES / 3);
    }
}
