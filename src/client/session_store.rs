//! Session store: saved sessions on disk, with which a client resumes. There is one JSON file for
//! each server and username. Only its owner can read it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Destination;
use crate::disk::{create_private_dir, open_private_file, replace_private_file};
use crate::link::SavedSession;
use crate::model::{LogId, NameKey, Position, Sequence, SessionId, Token};

/// Maximum length of an escaped server key or username in a path, in bytes.
const MAX_PATH_COMPONENT_BYTES: usize = 200;

/// I/O error of the session store, with the path of the file or directory.
#[derive(Debug, Error)]
#[error("cannot use {path}")]
pub(super) struct StoreError {
    /// Path of the file or directory.
    pub(super) path: PathBuf,
    /// Cause of the error.
    #[source]
    pub(super) source: io::Error,
}

/// JSON content of the session file: a [`SavedSession`] with its server and username.
#[derive(Debug, Serialize, Deserialize)]
struct SessionFile {
    /// Server of the session: its [`Destination::key`].
    server: String,
    /// Username with which the session was requested: its [`NameKey`].
    name: String,
    /// Secret token: [`SavedSession::token`].
    token: Token,
    /// Public session number: [`SavedSession::session`].
    session: SessionId,
    /// Log id of [`SavedSession::position`]; `None` if there is no position.
    log_id: Option<LogId>,
    /// Sequence of [`SavedSession::position`]; `None` if there is no position.
    sequence: Option<Sequence>,
    /// Rooms that the position covers: [`SavedSession::rooms`].
    rooms: Vec<String>,
    /// True if the server has asked for a password: [`SavedSession::password_required`].
    password_asked: bool,
}

/// Store of the saved session of one username on one server. It holds a lock while it exists, so no
/// other store of the same session can be opened.
#[derive(Debug)]
pub(super) struct SessionStore {
    /// Lock file, locked while the store exists.
    _lock: File,
    /// Path of the session file. The file need not exist.
    path: PathBuf,
    /// Server of the session: its [`Destination::key`].
    server: String,
    /// Username of the session: its [`NameKey`].
    name: String,
}

impl SessionStore {
    /// Opens and locks the store for `name` on `server`, in a directory below `directory`. Creates
    /// the directory if necessary. Returns `None` if the store is locked already, for example by
    /// another process. Then this process must do without the saved session.
    ///
    /// # Errors
    /// The directory or the lock file cannot be created, or locking fails. A client can go on
    /// without a store.
    pub(super) fn open(
        directory: &Path,
        server: &Destination,
        name: &str,
    ) -> Result<Option<Self>, StoreError> {
        let server = server.key();
        let name = NameKey::of(name).as_str().to_owned();
        let directory = server_directory(directory, &server);
        create_private_dir(&directory).map_err(|source| store_error(&directory, source))?;
        let stem = format!("as-{}", escape_path_component(&name));
        let lock_path = directory.join(format!("{stem}.lock"));
        let lock =
            open_private_file(&lock_path).map_err(|source| store_error(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(store_error(&lock_path, source)),
        }
        let path = directory.join(format!("{stem}.json"));
        Ok(Some(Self { _lock: lock, path, server, name }))
    }

    /// Loads the saved session. Returns `None` if the file is missing, unreadable or corrupt, or if
    /// it belongs to another server or username. The client then begins a new session.
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

    /// Saves the session and replaces the file atomically. Waits for the disk. After a crash of the
    /// program or a power cut, the file has either the old or the new content.
    ///
    /// # Errors
    /// The file cannot be written. The old file is unchanged.
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
        let content = serde_json::to_vec(&file).map_err(io::Error::from);
        content
            .and_then(|content| replace_private_file(&self.path, &content))
            .map_err(|source| store_error(&self.path, source))
    }

    /// Returns true if this is the store of the username with this key.
    pub(super) fn is_of(&self, name: &NameKey) -> bool {
        self.name == name.as_str()
    }

    /// Removes the session file, if there is one and it can be removed.
    pub(super) fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns the directory below `directory` for what is saved about a server with this key. It may
/// not exist yet. Two servers with very long keys may share a directory.
pub(super) fn server_directory(directory: &Path, server_key: &str) -> PathBuf {
    directory.join(format!("at-{}", escape_path_component(server_key)))
}

/// Returns an I/O error as a [`StoreError`] with this path.
fn store_error(path: &Path, source: io::Error) -> StoreError {
    StoreError { path: path.to_owned(), source }
}

/// Escapes a text as a path component that is valid on every file system. A byte becomes `_` and
/// two hex digits, unless it is a lower-case letter, a digit, `.` or `-`.
///
/// The result is cut to [`MAX_PATH_COMPONENT_BYTES`], so two texts may share a path. The session
/// file holds the full texts to tell them apart.
fn escape_path_component(text: &str) -> String {
    let mut part = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => part.push(char::from(byte)),
            _ => part.push_str(&format!("_{byte:02x}")),
        }
    }
    part.truncate(MAX_PATH_COMPONENT_BYTES);
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HostAddress, ServerId};

    /// Returns a server that is identified by its host name.
    fn named_server() -> Destination {
        Destination::from(HostAddress { host: "pi".to_owned(), port: 2428 })
    }

    /// A saved session is loaded only for the same server and username.
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
        // A discovered server is identified by its id alone.
        let found = |host: &str, id| Destination {
            address: format!("{host}._pi-chat._tcp.local").parse().unwrap(),
            id: Some(ServerId([id; 16])),
            scheme: None,
            dns_host: None,
        };
        let at =
            |server: &Destination| SessionStore::open(directory.path(), server, "anna").unwrap();
        at(&found("pi", 1)).unwrap().save(&saved).unwrap();
        assert_eq!(at(&found("attic", 1)).unwrap().load(), Some(saved));
        assert_eq!(at(&found("pi", 2)).unwrap().load(), None);
    }

    /// The session file is readable by its owner only.
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

    /// A corrupt session file is ignored.
    #[test]
    fn corrupt_session_file_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let store = SessionStore::open(directory.path(), &named_server(), "anna").unwrap().unwrap();
        fs::write(&store.path, b"{\"server\":").unwrap();
        assert_eq!(store.load(), None);
    }
}
