//! Role of a database: a server's own log, the copy of a follower, or that of a server that was
//! replaced. And how one becomes another.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::super::database::{
    delete_property, open_to_read, open_to_write, property, read_property, write_property,
};
use super::super::directory::{LockedDirectory, existing_database};
use super::super::recovery::read_head;
use super::super::rows::{sequence_from_sql, sequence_to_sql};
use super::super::sequence_gaps::{self, MIN_GAP};
use super::super::settings::StoreError;
use crate::model::{IdentityKey, Sequence, SessionId};
use crate::os::random_bytes;
use crate::tls::Fingerprint;

/// First number of the sessions of a follower's readers, which are stored nowhere. No server has
/// given so many.
const FIRST_READER_SESSION: u64 = 1 << 52;

/// Number of session numbers that a promotion skips: those which the server may have given, and not
/// told.
const SESSION_LEAP: i64 = 1 << 20;

/// What a server that was replaced has, and the one that has replaced it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Epoch of the server that has replaced it.
    pub(crate) epoch: u64,
    /// Number of messages in rooms.
    pub(crate) messages: u64,
    /// Number of direct messages.
    pub(crate) directs: u64,
}

impl std::fmt::Display for Replaced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { epoch, messages, directs } = self;
        match messages + directs {
            0 => write!(f, "the follower (epoch {epoch}) has all that was said here"),
            _ => write!(
                f,
                "the follower (epoch {epoch}) does not have the last messages of this server: \
                 {messages} in rooms, {directs} direct"
            ),
        }
    }
}

/// Role of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreRole {
    /// There is none, or nothing in it.
    Empty,
    /// A server's own.
    Own {
        /// True if it was a copy that was promoted.
        was_promoted: bool,
        /// True if the server that was followed knows of that.
        has_told: bool,
    },
    /// Copy.
    Copy {
        /// True if it has been complete.
        is_complete: bool,
    },
    /// Own, of a server that was replaced.
    Superseded(Replaced),
}

/// What a promotion has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Promotion {
    /// Epoch from now on.
    pub(crate) epoch: u64,
    /// Head of the copy: what the server had after it is lost.
    pub(crate) head: Sequence,
}

/// Returns the epoch of a log.
pub(super) fn epoch(connection: &Connection) -> rusqlite::Result<u64> {
    let epoch: Option<i64> = read_property(connection, property::EPOCH)?;
    Ok(epoch.unwrap_or(0).cast_unsigned())
}

/// Returns true if a property is stored.
fn is_set(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    Ok(read_property::<i64>(connection, name)?.is_some())
}

/// Returns what a server that was replaced has alone; `None` if it was not replaced.
fn replaced(connection: &Connection) -> rusqlite::Result<Option<Replaced>> {
    let Some(epoch) = read_property::<i64>(connection, property::SUPERSEDED_BY)? else {
        return Ok(None);
    };
    let at: i64 = read_property(connection, property::SUPERSEDED_AT)?.unwrap_or(0);
    let count = |table: &str| {
        let ask = format!("SELECT count(*) FROM {table} WHERE sequence > ?");
        connection.query_row(&ask, [at], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    };
    let (messages, directs) = (count("entries")?, count("directs")?);
    Ok(Some(Replaced { epoch: epoch.cast_unsigned(), messages, directs }))
}

/// Returns the role of the database of a directory. Changes nothing. Blocks.
///
/// # Errors
/// [`StoreError`]; not if there is no database.
pub(crate) fn store_role(directory: &Path) -> Result<StoreRole, StoreError> {
    let path = match existing_database(directory) {
        Err(StoreError::Missing(_)) => return Ok(StoreRole::Empty),
        path => path?,
    };
    let connection = match open_to_read(&path, None) {
        Err(StoreError::Missing(_)) => return Ok(StoreRole::Empty),
        // It was written before there were followers.
        Err(StoreError::Older { .. }) => {
            return Ok(StoreRole::Own { was_promoted: false, has_told: false });
        }
        connection => connection?,
    };
    if let Some(replaced) = replaced(&connection)? {
        return Ok(StoreRole::Superseded(replaced));
    }
    if is_set(&connection, property::FOLLOWS)? {
        return Ok(StoreRole::Copy { is_complete: !is_set(&connection, property::IS_COPYING)? });
    }
    let was_promoted = is_set(&connection, property::PROMOTED_AT)?;
    let has_told = is_set(&connection, property::HAS_TOLD)?;
    if !was_promoted && read_head(&connection)? == Sequence::ZERO {
        return Ok(StoreRole::Empty);
    }
    Ok(StoreRole::Own { was_promoted, has_told })
}

/// Checks that a database may be opened as a server's own log, or as a follower's copy. Returns
/// true if it is a copy.
///
/// # Errors
/// [`StoreError::Superseded`] if its server was replaced, [`StoreError::Copy`] if it is a copy and
/// is to be opened as a server's own.
pub(in super::super) fn check_role(
    connection: &Connection,
    is_follower: bool,
) -> Result<bool, StoreError> {
    if let Some(replaced) = replaced(connection)? {
        return Err(StoreError::Superseded(replaced));
    }
    let is_copy = is_set(connection, property::FOLLOWS)?;
    if is_copy && !is_follower { Err(StoreError::Copy) } else { Ok(is_copy) }
}

/// Returns the first number of the sessions of a follower's readers.
pub(in super::super) const fn first_reader_session() -> SessionId {
    SessionId(FIRST_READER_SESSION)
}

/// Makes a copy a server's log: raises the epoch, and leaps over the sequences and the session
/// numbers that the server may have given after what the copy has. The leap is recorded as a void,
/// so that no position there counts as sound. All or nothing, synced if commits are.
///
/// # Errors
/// A text that says why not. Nothing has changed.
pub(in super::super) fn promote(connection: &mut Connection) -> Result<Promotion, String> {
    let fails = |error: rusqlite::Error| format!("the database fails: {error}");
    if !is_set(connection, property::FOLLOWS).map_err(fails)? {
        return Err("this is no follower: it is the server already".to_owned());
    }
    if is_set(connection, property::IS_COPYING).map_err(fails)? {
        return Err("the copy is not complete yet: it cannot be made the server".to_owned());
    }
    let random: [u8; 8] = random_bytes().map_err(|_| "there are no random numbers".to_owned())?;
    let leap = MIN_GAP.saturating_add(u64::from_be_bytes(random) >> 28);
    let work = |connection: &mut Connection| -> rusqlite::Result<Promotion> {
        let transaction = connection.transaction()?;
        let head = read_head(&transaction)?;
        let up_to = Sequence(head.0.saturating_add(leap));
        sequence_gaps::store(&transaction, head, up_to)?;
        write_property(&transaction, property::HEAD, sequence_to_sql(up_to))?;
        let leaped = transaction.execute(
            "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'sessions'",
            [SESSION_LEAP],
        )?;
        if leaped == 0 {
            transaction.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES ('sessions', ?)",
                [SESSION_LEAP],
            )?;
        }
        let epoch = epoch(&transaction)?.saturating_add(1);
        write_property(&transaction, property::EPOCH, epoch.cast_signed())?;
        write_property(&transaction, property::PROMOTED_AT, sequence_to_sql(head))?;
        delete_property(&transaction, property::FOLLOWS)?;
        delete_property(&transaction, property::HAS_TOLD)?;
        // What the copy may have lost by a power cut lies in the void.
        write_property(&transaction, property::IS_CLEAN, 1)?;
        transaction.commit()?;
        Ok(Promotion { epoch, head })
    };
    work(connection).map_err(fails)
}

/// Makes the copy in a directory a server's log ([`promote`]), where no server runs.
///
/// # Errors
/// A text that says why not. Nothing has changed.
pub(crate) fn promote_stopped(directory: &Path) -> Result<Promotion, String> {
    let path = existing_database(directory).map_err(|it| it.to_string())?;
    let _locked = LockedDirectory::lock(directory).map_err(|it| it.to_string())?;
    let mut connection = open_to_write(&path, None).map_err(|it| it.to_string())?;
    promote(&mut connection)
}

/// Notes that the server of this log was replaced, and returns what it has alone. It cannot be
/// opened any more. `position`: the sequence up to which the other one has everything.
pub(in super::super) fn note_superseded(
    connection: &mut Connection,
    by: u64,
    position: Sequence,
) -> rusqlite::Result<Replaced> {
    let transaction = connection.transaction()?;
    write_property(&transaction, property::SUPERSEDED_BY, by.cast_signed())?;
    write_property(&transaction, property::SUPERSEDED_AT, sequence_to_sql(position))?;
    let replaced = replaced(&transaction)?;
    transaction.commit()?;
    replaced.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// Notes that the copy has to be made anew: it is opened for readers no more.
pub(in super::super) fn make_anew(connection: &Connection) -> rusqlite::Result<()> {
    write_property(connection, property::IS_COPYING, 1)
}

/// Notes that the server that was followed has learned of the promotion.
pub(in super::super) fn note_told(connection: &Connection) -> rusqlite::Result<()> {
    write_property(connection, property::HAS_TOLD, 1)
}

/// What a follower needs to speak to its server, or a promoted one to tell it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FollowedServer {
    /// Fingerprint of the key that it has shown first; `None`: it was never reached.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Epoch of the log.
    pub(crate) epoch: u64,
    /// Public key of that server, which the copy has, too; `None`: there is no copy of it.
    pub(crate) server_key: Option<IdentityKey>,
    /// Head of the copy when it was promoted; zero if it was not.
    pub(crate) promoted_at: Sequence,
    /// End of the void that begins there: its length is random, so no other server has this end.
    pub(crate) leaped_to: Sequence,
}

impl FollowedServer {
    /// Reads it from the database of a directory. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn read(directory: &Path) -> Result<Self, StoreError> {
        let connection = open_to_read(&existing_database(directory)?, None)?;
        let fingerprint: Option<[u8; 32]> =
            read_property(&connection, property::FOLLOWED_FINGERPRINT)?;
        let at: Option<i64> = read_property(&connection, property::PROMOTED_AT)?;
        let promoted_at = at.map_or(Sequence::ZERO, sequence_from_sql);
        let void = sequence_gaps::read_all(&connection)?;
        let void = void.iter().rfind(|(after, _)| *after == promoted_at);
        let is_of_another = at.is_some() || is_set(&connection, property::FOLLOWS)?;
        let pair: Option<[u8; 64]> =
            if is_of_another { read_property(&connection, property::SERVER_KEY)? } else { None };
        Ok(Self {
            fingerprint: fingerprint.map(Fingerprint::from_bytes),
            epoch: epoch(&connection)?,
            server_key: pair.and_then(|it| it.last_chunk().copied()).map(IdentityKey),
            promoted_at,
            leaped_to: void.map_or(promoted_at, |(_, up_to)| *up_to),
        })
    }
}

/// Sets the database of a directory aside under another name, and returns its path. Blocks.
///
/// # Errors
/// [`StoreError`]. The database is where it was.
pub(crate) fn set_aside(directory: &Path) -> Result<PathBuf, StoreError> {
    let locked = LockedDirectory::lock(directory)?;
    let path = locked.database();
    // Everything is in one file then.
    let connection = open_to_write(&path, None)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(connection);
    let free = (1_u32..).map(|it| directory.join(format!("chat.db.aside-{it}")));
    let aside = free.take(10_000).find(|it| it.symlink_metadata().is_err());
    let wrap = |source| StoreError::Directory { path: path.clone(), source };
    let aside = aside.ok_or_else(|| wrap(io::ErrorKind::AlreadyExists.into()))?;
    fs::rename(&path, &aside).map_err(wrap)?;
    for left in ["chat.db-wal", "chat.db-shm"] {
        // They are empty, and belong to no database any more.
        let _ = fs::remove_file(directory.join(left));
    }
    Ok(aside)
}
