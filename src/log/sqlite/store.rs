//! Writes changes into the database, each set of them whole or not at all.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, OptionalExtension, params};

use super::database::{fact, note_fact};
use super::ledger::Change;
use super::retention::{self, Progress, Step};
use super::rows::{self, place, signed};
use super::voids;
use crate::hub::Now;
use crate::model::limits::MAX_KEPT_DIRECT_MESSAGES;
use crate::model::{LogEntry, NameKey, Retention, RoomName, Sequence, SessionId, Target, Username};

/// Pages that may be in the write-ahead log before they are brought home.
const WAL_PAGES: i32 = 1_000;

/// How much the operating system is asked to have on the disk when a set of
/// changes is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sync {
    /// Nothing, not even between the parts of the database. For tests.
    Never,
    /// What keeps the database from being damaged.
    Order,
    /// Everything up to and with these changes.
    Full,
}

/// The connection that writes.
pub(super) struct Store {
    /// To the database.
    pub(super) connection: Connection,
    /// The rooms' numbers that are known.
    rooms: HashMap<NameKey, i64>,
    /// What was asked for last.
    sync: Option<Sync>,
    /// Pages in the write-ahead log.
    pages: Arc<AtomicI32>,
    /// How far forgetting has come.
    progress: Progress,
}

impl Store {
    /// Over this connection.
    ///
    /// # Errors
    /// The connection does not tell what it writes.
    pub(super) fn new(mut connection: Connection) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicI32::new(0));
        let counted = pages.clone();
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            counted.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            connection,
            rooms: HashMap::new(),
            sync: None,
            pages,
            progress: Progress::default(),
        })
    }

    /// Writes changes in this order, all of them or, where it fails, none.
    pub(super) fn write(&mut self, changes: &[Change], sync: Sync) -> rusqlite::Result<()> {
        self.ask(sync)?;
        // What was learnt of rooms is not so, if they are not written.
        let mut rooms = std::mem::take(&mut self.rooms);
        let transaction = self.connection.transaction()?;
        for change in changes {
            apply(&transaction, &mut rooms, change)?;
        }
        transaction.commit()?;
        self.rooms = rooms;
        Ok(())
    }

    /// Brings the pages of the write-ahead log home, if there are many: so a
    /// page that changes often is written home once for many changes.
    pub(super) fn bring_home(&mut self) -> rusqlite::Result<()> {
        if self.pages.load(Ordering::Relaxed) < WAL_PAGES {
            return Ok(());
        }
        self.pages.store(0, Ordering::Relaxed);
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }

    /// Brings everything home and begins the write-ahead log anew. After a
    /// failed sync nobody knows what of it is on the disk, although the system has it and
    /// says nothing of it any more.
    pub(super) fn begin_anew(&mut self) -> rusqlite::Result<()> {
        let ask = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: bool = self.connection.query_row(ask, [], |row| row.get(0))?;
        if is_busy { Err(rusqlite::Error::QueryReturnedNoRows) } else { Ok(()) }
    }

    /// Notes how far the log has come, and with that has everything written
    /// before on the disk.
    pub(super) fn sync(&mut self, head: Sequence, sync: Sync) -> rusqlite::Result<()> {
        self.ask(sync)?;
        note_fact(&self.connection, fact::HEAD, place(head))
    }

    /// Writes the last changes, and that the database was closed properly, in
    /// one piece.
    pub(super) fn close(
        &mut self,
        changes: &[Change],
        head: Sequence,
        sync: Sync,
    ) -> rusqlite::Result<()> {
        self.ask(sync)?;
        let transaction = self.connection.transaction()?;
        for change in changes {
            apply(&transaction, &mut self.rooms, change)?;
        }
        note_fact(&transaction, fact::HEAD, place(head))?;
        note_fact(&transaction, fact::IS_CLEAN, 1)?;
        transaction.commit()
    }

    /// Sees to it that the next changes are synced so.
    pub(super) fn ask(&mut self, sync: Sync) -> rusqlite::Result<()> {
        if self.sync != Some(sync) {
            let word = match sync {
                Sync::Never => "off",
                Sync::Order => "normal",
                Sync::Full => "full",
            };
            self.connection.pragma_update(None, "synchronous", word)?;
            self.sync = Some(sync);
        }
        Ok(())
    }

    /// Forgets some of what is too much, as [`retention::step`] does.
    pub(super) fn forget(
        &mut self,
        retention: Retention,
        touched: &BTreeSet<NameKey>,
        now: Now,
        head: Sequence,
    ) -> rusqlite::Result<Step> {
        let Self { connection, progress, rooms, .. } = self;
        let step = retention::step(connection, progress, retention, touched, now, head)?;
        for key in &step.rooms {
            rooms.remove(key);
        }
        Ok(step)
    }
}

/// Writes one change.
fn apply(
    connection: &Connection,
    rooms: &mut HashMap<NameKey, i64>,
    change: &Change,
) -> rusqlite::Result<()> {
    match change {
        Change::Entry(entry) => match &entry.draft.target {
            Target::Room(room) => {
                let room = room_number(connection, rooms, room)?;
                rows::insert_room_entry(connection, room, entry)
            }
            Target::Session(to, username) => deliver(connection, entry, *to, username),
        },
        Change::Session(record, noted) => rows::put_session(connection, record, *noted),
        Change::Noted(session, reference, noted) => {
            let mut statement = connection
                .prepare_cached("UPDATE sessions SET last_reference = ?, noted = ? WHERE id = ?")?;
            statement.execute(params![signed(reference.0), place(*noted), signed(session.0)])?;
            Ok(())
        }
        Change::Ended(session, head) => end_session(connection, *session, *head),
        Change::Leap(from, to) => voids::add(connection, *from, *to),
    }
}

/// A room's number; it gets a row if it has none.
fn room_number(
    connection: &Connection,
    rooms: &mut HashMap<NameKey, i64>,
    room: &RoomName,
) -> rusqlite::Result<i64> {
    if let Some(number) = rooms.get(room.key()) {
        return Ok(*number);
    }
    let number = match rows::find_room(connection, room.key())? {
        Some((number, _)) => number,
        None => {
            // It may have had one that was forgotten: then something is missing.
            let forgotten: i64 = fact(connection, fact::FORGOTTEN)?.unwrap_or(0);
            let mut statement = connection
                .prepare_cached("INSERT INTO rooms (key, name, dropped) VALUES (?, ?, ?)")?;
            statement.insert(params![room.key().as_str(), room.as_str(), forgotten])?
        }
    };
    rooms.insert(room.key().clone(), number);
    Ok(number)
}

/// Keeps a direct message for both sides.
fn deliver(
    connection: &Connection,
    entry: &LogEntry,
    to: SessionId,
    username: &Username,
) -> rusqlite::Result<()> {
    rows::insert_direct(connection, entry, to, username)?;
    let mut statement =
        connection.prepare_cached("INSERT INTO mailboxes (session, sequence) VALUES (?, ?)")?;
    statement.execute(params![signed(to.0), place(entry.sequence)])?;
    shorten_mailbox(connection, to)?;
    if to != entry.draft.session {
        statement.execute(params![signed(entry.draft.session.0), place(entry.sequence)])?;
        shorten_mailbox(connection, entry.draft.session)?;
    }
    Ok(())
}

/// Drops the oldest of a session's direct messages beyond what is kept.
fn shorten_mailbox(connection: &Connection, session: SessionId) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence FROM mailboxes WHERE session = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?",
    )?;
    let most = i64::try_from(MAX_KEPT_DIRECT_MESSAGES).unwrap_or(i64::MAX);
    let excess: Option<i64> =
        statement.query_row(params![signed(session.0), most], |row| row.get(0)).optional()?;
    if let Some(last) = excess {
        empty_mailbox(connection, session, last)?;
    }
    Ok(())
}

/// Drops a session's direct messages up to this sequence; those which
/// nobody has any more are gone.
fn empty_mailbox(
    connection: &Connection,
    session: SessionId,
    last: i64,
) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM mailboxes WHERE session = ? AND sequence <= ? RETURNING sequence",
    )?;
    let dropped = statement.query_map(params![signed(session.0), last], |row| row.get(0))?;
    let dropped = dropped.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut statement = connection.prepare_cached(
        "DELETE FROM directs WHERE sequence = ?1
         AND NOT EXISTS (SELECT 1 FROM mailboxes WHERE sequence = ?1)",
    )?;
    for sequence in &dropped {
        statement.execute([sequence])?;
    }
    Ok(dropped.len())
}

/// Forgets a session and its direct messages. The log has come to `head`,
/// which must not be forgotten with them.
fn end_session(
    connection: &Connection,
    session: SessionId,
    head: Sequence,
) -> rusqlite::Result<()> {
    if empty_mailbox(connection, session, i64::MAX)? > 0 {
        note_fact(connection, fact::HEAD, place(head))?;
    }
    let mut statement = connection.prepare_cached("DELETE FROM sessions WHERE id = ?")?;
    statement.execute([signed(session.0)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::database::open_to_write;
    use super::*;
    use crate::model::{Draft, MessageText, Reference, Style, Timestamp};

    #[test]
    fn a_room_that_comes_back_has_lost_what_was_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        std::fs::File::create(&path).unwrap();
        let mut store = Store::new(open_to_write(&path, None).unwrap()).unwrap();
        note_fact(&store.connection, fact::FORGOTTEN, 7).unwrap();
        let draft = Draft {
            session: SessionId(1),
            username: Username::new("anna").unwrap(),
            reference: Reference(1),
            target: Target::Room(RoomName::new("lobby").unwrap()),
            style: Style::SAID,
            text: MessageText::new("here again").unwrap(),
        };
        let (sequence, previous) = (Sequence(8), Sequence::ZERO);
        let entry = LogEntry { sequence, previous, time: Timestamp(1), draft };
        store.write(&[Change::Entry(entry.into())], Sync::Order).unwrap();
        let ask = "SELECT dropped FROM rooms WHERE key = 'lobby'";
        let dropped: i64 = store.connection.query_row(ask, [], |row| row.get(0)).unwrap();
        assert_eq!(dropped, 7, "a client that was at 3 must be told of the gap");
    }
}
