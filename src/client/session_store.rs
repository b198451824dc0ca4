//! What a client keeps on disk to come back to its session: one file for
//! each server and name, readable by its owner only.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Destination;
use crate::disk::{make_private, private_file};
use crate::link::SavedSession;
use crate::model::{LogId, NameKey, Position, Sequence, SessionId, Token};

/// Longest piece of a path that is made from a name.
const MAX_PATH_PART: usize = 200;

/// The place on disk could not be used.
#[derive(Debug, Error)]
#[error("cannot use {path}")]
pub(super) struct StoreError {
    /// Which file or directory.
    pub(super) path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub(super) source: io::Error,
}

/// The file's content.
#[derive(Debug, Serialize, Deserialize)]
struct SessionFile {
    /// Which server it is for: its [`Destination::key`].
    server: String,
    /// Which name it is for: its key.
    name: String,
    /// See [`SavedSession`].
    token: Token,
    /// See [`SavedSession`].
    session: SessionId,
    /// See [`SavedSession`].
    log_id: Option<LogId>,
    /// See [`SavedSession`].
    sequence: Option<Sequence>,
    /// See [`SavedSession`].
    rooms: Vec<String>,
    /// See [`SavedSession`].
    password_asked: bool,
}

/// The place on disk of one name on one server. As long as it lives, no
/// other process of this user gets it.
#[derive(Debug)]
pub(super) struct SessionStore {
    /// Holds the lock.
    _lock: File,
    /// The file.
    path: PathBuf,
    /// Its server's key.
    server: String,
    /// Its name's key.
    name: String,
}

impl SessionStore {
    /// Takes the place below `directory` for `name` on `server`. `None`
    /// if another process has it: that one holds the session, and this one
    /// must do without.
    ///
    /// # Errors
    /// The directory or the lock cannot be made. A client can go on without.
    pub(super) fn open(
        directory: &Path,
        server: &Destination,
        name: &str,
    ) -> Result<Option<Self>, StoreError> {
        let server = server.key();
        let name = NameKey::of(name).as_str().to_owned();
        let directory = directory.join(format!("at-{}", escape_path_part(&server)));
        make_private(&directory).map_err(|source| store_error(&directory, source))?;
        let stem = format!("as-{}", escape_path_part(&name));
        let lock_path = directory.join(format!("{stem}.lock"));
        let lock = private_file(&lock_path).map_err(|source| store_error(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(store_error(&lock_path, source)),
        }
        let path = directory.join(format!("{stem}.json"));
        Ok(Some(Self { _lock: lock, path, server, name }))
    }

    /// What was kept last. Nothing, if it is not there or cannot be read (a
    /// file that was cut short by a power failure is worth no more): then a
    /// new session begins.
    #[must_use]
    pub(super) fn load(&self) -> Option<SavedSession> {
        let text = fs::read(&self.path).ok()?;
        let file: SessionFile = serde_json::from_slice(&text).ok()?;
        if file.server != self.server || file.name != self.name {
            return None;
        }
        let position = file.log_id.zip(file.sequence);
        Some(SavedSession {
            token: file.token,
            session: file.session,
            position: position.map(|(log_id, sequence)| Position { log_id, sequence }),
            rooms: file.rooms,
            password_required: file.password_asked,
        })
    }

    /// Keeps this in place of what was kept before; after a crash there is
    /// the one or the other.
    ///
    /// # Errors
    /// It could not be written; what was kept before is still there.
    pub(super) fn save(&self, saved: &SavedSession) -> Result<(), StoreError> {
        let file = SessionFile {
            server: self.server.clone(),
            name: self.name.clone(),
            token: saved.token,
            session: saved.session,
            log_id: saved.position.map(|it| it.log_id),
            sequence: saved.position.map(|it| it.sequence),
            rooms: saved.rooms.clone(),
            password_asked: saved.password_required,
        };
        self.write(&file).map_err(|source| store_error(&self.path, source))
    }

    /// Writes a file beside the old one and puts it in its place. (Temporary
    /// files are readable by their owner only.)
    fn write(&self, content: &SessionFile) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer(&mut temporary, content)?;
        temporary.flush()?;
        temporary.persist(&self.path).map_err(|failed| failed.error)?;
        Ok(())
    }
}

/// Names the file in an error.
fn store_error(path: &Path, source: io::Error) -> StoreError {
    StoreError { path: path.to_owned(), source }
}

/// A piece of a path that stands for `text` on every file system: what is
/// neither a lower-case letter nor a digit, `.` or `-` is written in hex. (One that
/// would be too long is cut; what it stands for is in the file as well.)
fn escape_path_part(text: &str) -> String {
    let mut part = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => part.push(char::from(byte)),
            _ => part.push_str(&format!("_{byte:02x}")),
        }
    }
    part.truncate(MAX_PATH_PART);
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HostAddress, ServerId};

    /// A server that was named.
    fn named_server() -> Destination {
        Destination::from(HostAddress { host: "pi".to_owned(), port: 2428 })
    }

    /// What is kept is found again, by the same server and name only.
    #[test]
    fn saved_session_is_loaded_for_same_server_and_name_only() {
        let directory = tempfile::tempdir().unwrap();
        let server = named_server();
        let open = |name| SessionStore::open(directory.path(), &server, name).unwrap();
        let store = open("Anna").unwrap();
        assert_eq!(store.load(), None);
        let saved = SavedSession {
            token: Token([7; 16]),
            session: SessionId(3),
            position: Some(Position { log_id: LogId([9; 16]), sequence: Sequence(12) }),
            rooms: vec!["lobby".to_owned()],
            password_required: true,
        };
        store.save(&saved).unwrap();
        assert_eq!(store.load(), Some(saved.clone()));
        assert!(open("ANNA").is_none(), "held by the first");
        assert_eq!(open("bob").unwrap().load(), None);
        drop(store);
        assert_eq!(open("anna").unwrap().load(), Some(saved.clone()));
        // One that was found is known by its id, and by nothing else.
        let found = |host: &str, id| Destination {
            address: format!("{host}._pi-chat._tcp.local").parse().unwrap(),
            id: Some(ServerId([id; 16])),
        };
        let at =
            |server: &Destination| SessionStore::open(directory.path(), server, "anna").unwrap();
        at(&found("pi", 1)).unwrap().save(&saved).unwrap();
        assert_eq!(at(&found("attic", 1)).unwrap().load(), Some(saved));
        assert_eq!(at(&found("pi", 2)).unwrap().load(), None);
    }

    /// Only the owner may read it.
    #[cfg(unix)]
    #[test]
    fn session_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let store = SessionStore::open(&directory.path().join("new"), &named_server(), "a/b")
            .unwrap()
            .unwrap();
        let saved = SavedSession {
            token: Token([7; 16]),
            session: SessionId(3),
            position: None,
            rooms: Vec::new(),
            password_required: false,
        };
        store.save(&saved).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.path), 0o600);
        assert_eq!(mode(store.path.parent().unwrap()), 0o700);
    }

    /// A file that makes no sense is no obstacle.
    #[test]
    fn corrupt_session_file_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let store = SessionStore::open(directory.path(), &named_server(), "anna").unwrap().unwrap();
        fs::write(&store.path, b"{\"server\":").unwrap();
        assert_eq!(store.load(), None);
    }
}
