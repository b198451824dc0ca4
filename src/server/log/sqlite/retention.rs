//! Forgets what is too old, too much or too large, some of it at a time.

use rusqlite::{Connection, OptionalExtension, params};

use super::database::{fact, note_fact};
use super::rows::{place, signed};
use super::search;
use crate::model::limits::HISTORY_LENGTH;
use crate::model::{NameKey, Retention, Sequence, Timestamp};

/// Messages that are forgotten at one time: so few that nobody notices.
const STEP: i64 = 256;

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1_000;

/// Rooms of which something is kept. Beyond that those are forgotten in which
/// nothing has been said for longest.
const MAX_ROOMS: i64 = 10_000;

/// Direct messages that are kept in all.
const MAX_DIRECTS: i64 = 100_000;

/// What one step has done.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// There may be more to forget.
    pub(super) more: bool,
    /// Rooms that are gone altogether.
    pub(super) rooms: Vec<NameKey>,
}

/// Forgets some of what is too much. `touched` are the rooms in which
/// something was said since they were looked at last. `head` is how far the
/// log has come. Call it within a transaction, and again if there is more.
pub(super) fn step(
    connection: &Connection,
    retention: Retention,
    touched: &[NameKey],
    now: Timestamp,
    head: Sequence,
) -> rusqlite::Result<Step> {
    let mut deleted = 0;
    if retention.days > 0 {
        deleted += too_old(connection, retention.days, now)?;
    }
    if retention.messages > 0 {
        for room in touched {
            deleted += too_many(connection, room, retention.messages)?;
        }
    }
    if retention.bytes > 0 && used_bytes(connection)? > retention.bytes {
        deleted += oldest(connection)?;
    }
    deleted += excess_directs(connection)?;
    let rooms = excess_rooms(connection)?;
    if deleted > 0 {
        note_fact(connection, fact::HEAD, place(head))?;
    }
    Ok(Step { more: deleted > 0, rooms })
}

/// Bytes that the database needs.
pub(super) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let ask = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let pages = ask("page_count")?.saturating_sub(ask("freelist_count")?);
    Ok(pages.saturating_mul(ask("page_size")?).cast_unsigned())
}

/// Forgets messages that were sent before so many days.
fn too_old(connection: &Connection, days: u32, now: Timestamp) -> rusqlite::Result<usize> {
    let end = signed(now.0.saturating_sub(u64::from(days).saturating_mul(DAY)));
    let day = search::day_of(end.cast_unsigned());
    let mut statement = connection.prepare_cached(
        "SELECT sequence, room FROM entries
         WHERE sequence >= (SELECT min(first) FROM days WHERE day <= ?1)
           AND sequence <= (SELECT max(last) FROM days WHERE day <= ?1) AND time < ?2
         ORDER BY sequence LIMIT ?3",
    )?;
    let doomed = doomed(&mut statement, params![day, end, STEP])?;
    delete(connection, &doomed)?;
    let mut statement =
        connection.prepare_cached("SELECT sequence FROM directs WHERE time < ? LIMIT ?")?;
    let directs = statement.query_map([end, STEP], |row| row.get(0))?;
    let directs = directs.collect::<rusqlite::Result<Vec<i64>>>()?;
    delete_directs(connection, &directs)?;
    if doomed.is_empty() {
        // Of the days before, nothing is left.
        connection.prepare_cached("DELETE FROM days WHERE day < ?")?.execute([day])?;
    }
    Ok(doomed.len() + directs.len())
}

/// Forgets messages of a room beyond the latest so many.
fn too_many(connection: &Connection, room: &NameKey, most: u32) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence FROM entries WHERE room = (SELECT id FROM rooms WHERE key = ?)
         ORDER BY sequence DESC LIMIT 1 OFFSET ?",
    )?;
    let excess: Option<i64> =
        statement.query_row(params![room.as_str(), most], |row| row.get(0)).optional()?;
    let Some(last) = excess else { return Ok(0) };
    let mut statement = connection.prepare_cached(
        "SELECT sequence, room FROM entries
         WHERE room = (SELECT id FROM rooms WHERE key = ?) AND sequence <= ?
         ORDER BY sequence LIMIT ?",
    )?;
    let doomed = doomed(&mut statement, params![room.as_str(), last, STEP])?;
    delete(connection, &doomed)?;
    Ok(doomed.len())
}

/// Forgets the oldest messages, but for those that a newcomer to their room
/// gets.
fn oldest(connection: &Connection) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, room FROM entries e
         WHERE EXISTS (SELECT 1 FROM entries WHERE room = e.room AND sequence > e.sequence
                       LIMIT 1 OFFSET ?1)
         ORDER BY sequence LIMIT ?2",
    )?;
    let doomed = doomed(&mut statement, params![HISTORY_LENGTH - 1, STEP])?;
    delete(connection, &doomed)?;
    Ok(doomed.len())
}

/// Forgets the oldest direct messages, if there are too many.
fn excess_directs(connection: &Connection) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence FROM directs
         WHERE sequence <= (SELECT sequence FROM directs ORDER BY sequence DESC LIMIT 1 OFFSET ?)
         LIMIT ?",
    )?;
    let directs = statement.query_map([MAX_DIRECTS, STEP], |row| row.get(0))?;
    let directs = directs.collect::<rusqlite::Result<Vec<i64>>>()?;
    delete_directs(connection, &directs)?;
    Ok(directs.len())
}

/// Forgets the quietest rooms, if there are too many; gives them.
fn excess_rooms(connection: &Connection) -> rusqlite::Result<Vec<NameKey>> {
    let count: i64 =
        connection.prepare_cached("SELECT count(*) FROM rooms")?.query_row([], |row| row.get(0))?;
    // An eighth too many, so that it has not to be done each time.
    if count <= MAX_ROOMS + MAX_ROOMS / 8 {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(
        "SELECT id, name, max(dropped,
                ifnull((SELECT max(sequence) FROM entries WHERE room = rooms.id), 0)) AS last
         FROM rooms ORDER BY last LIMIT ?",
    )?;
    let quiet = statement.query_map([count - MAX_ROOMS], |row| {
        Ok((row.get::<_, i64>(0)?, super::rows::room_name(row, 1)?, row.get::<_, i64>(2)?))
    })?;
    let quiet = quiet.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut forgotten: i64 = fact(connection, fact::FORGOTTEN)?.unwrap_or(0);
    let mut keys = Vec::new();
    for (number, name, last) in quiet {
        let mut statement =
            connection.prepare_cached("SELECT sequence, room FROM entries WHERE room = ?")?;
        let doomed = doomed(&mut statement, params![number])?;
        delete(connection, &doomed)?;
        connection.prepare_cached("DELETE FROM rooms WHERE id = ?")?.execute([number])?;
        forgotten = forgotten.max(last);
        keys.push(name.key().clone());
    }
    note_fact(connection, fact::FORGOTTEN, forgotten)?;
    Ok(keys)
}

/// Sequences and rooms of what is to be deleted.
fn doomed(
    statement: &mut rusqlite::Statement<'_>,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    statement.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Deletes messages, and notes in their rooms that something is missing.
fn delete(connection: &Connection, doomed: &[(i64, i64)]) -> rusqlite::Result<()> {
    let indexed = place(search::indexed(connection)?);
    let mut from_entries = connection.prepare_cached("DELETE FROM entries WHERE sequence = ?")?;
    let mut from_found = connection.prepare_cached("DELETE FROM found WHERE rowid = ?")?;
    let mut note =
        connection.prepare_cached("UPDATE rooms SET dropped = max(dropped, ?) WHERE id = ?")?;
    for (sequence, room) in doomed {
        from_entries.execute([sequence])?;
        if *sequence <= indexed {
            from_found.execute([sequence])?;
        }
        note.execute([sequence, room])?;
    }
    Ok(())
}

/// Deletes direct messages, whoever has them.
fn delete_directs(connection: &Connection, doomed: &[i64]) -> rusqlite::Result<()> {
    for sequence in doomed {
        connection
            .prepare_cached("DELETE FROM mailboxes WHERE sequence = ?")?
            .execute([sequence])?;
        connection.prepare_cached("DELETE FROM directs WHERE sequence = ?")?.execute([sequence])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::database::open_to_write;
    use super::super::ledger::Change;
    use super::super::store::{Store, Sync};
    use super::*;
    use crate::model::{
        Draft, Logged, MessageText, Reference, RoomName, SessionId, Style, Target, Username,
    };
    use tempfile::TempDir;

    /// A store with messages in rooms, a day after one another from day 1 on,
    /// all of which can be found.
    fn store(rooms: &[&str]) -> (TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        std::fs::File::create(&path).unwrap();
        let mut store = Store::new(open_to_write(&path, None).unwrap());
        let changes: Vec<Change> = (1..).zip(rooms).map(|(at, room)| entry(at, room)).collect();
        store.write(&changes, Sync::Order).unwrap();
        search::index(&store.connection, rooms.len()).unwrap();
        (directory, store)
    }

    /// A message of this day, which is its sequence.
    fn entry(day: u64, room: &str) -> Change {
        let draft = Draft {
            session: SessionId(1),
            username: Username::new("anna").unwrap(),
            reference: Reference(day),
            target: Target::Room(RoomName::new(room).unwrap()),
            style: Style::SAID,
            text: MessageText::new(&format!("word{day} {}", "filler ".repeat(100))).unwrap(),
        };
        let (sequence, time) = (Sequence(day), Timestamp(day * DAY));
        Change::Entry(Logged { sequence, previous: Sequence::ZERO, time, draft }.into())
    }

    /// Forgets until nothing is too much on this day; gives what is left,
    /// which alone can be found.
    fn forget(store: &Store, retention: Retention, day: u64) -> Vec<i64> {
        let touched: Vec<NameKey> = ["a", "b"].map(NameKey::of).to_vec();
        let step =
            || step(&store.connection, retention, &touched, Timestamp(day * DAY), Sequence(1_000));
        while step().unwrap().more {}
        let ask = |sql| {
            let mut statement = store.connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<rusqlite::Result<Vec<i64>>>().unwrap()
        };
        let left = ask("SELECT sequence FROM entries ORDER BY sequence");
        assert_eq!(left, ask("SELECT rowid FROM found WHERE found MATCH 'filler' ORDER BY rowid"));
        left
    }

    /// Up to where a room has lost something.
    fn dropped(store: &Store, room: &str) -> i64 {
        let ask = "SELECT dropped FROM rooms WHERE key = ?";
        store.connection.query_row(ask, [room], |row| row.get(0)).unwrap()
    }

    #[test]
    fn what_is_too_old() {
        let (_directory, mut store) = store(&["a", "b", "a", "b", "a"]);
        // A clock that was wrong does not keep it.
        let Change::Entry(late) = entry(6, "b") else { unreachable!() };
        let wrong = Logged { time: Timestamp(1), ..(*late).clone() };
        store.write(&[Change::Entry(wrong.into())], Sync::Order).unwrap();
        search::index(&store.connection, 10).unwrap();
        let retention = Retention { days: 2, ..Retention::default() };
        assert_eq!(forget(&store, retention, 5), [3, 4, 5]);
        assert_eq!((dropped(&store, "a"), dropped(&store, "b")), (1, 6));
        assert_eq!(forget(&store, retention, 20), Vec::<i64>::new());
        let head: Option<i64> = fact(&store.connection, fact::HEAD).unwrap();
        assert_eq!(
            head,
            Some(1_000),
            "the next message must not get the place of one that is gone"
        );
    }

    #[test]
    fn what_is_too_many() {
        let (_directory, store) = store(&["a", "b", "a", "a", "a", "b"]);
        let retention = Retention { messages: 3, ..Retention::default() };
        assert_eq!(forget(&store, retention, 9), [2, 3, 4, 5, 6]);
        assert_eq!((dropped(&store, "a"), dropped(&store, "b")), (1, 0));
    }

    #[test]
    fn what_is_too_large() {
        let mut rooms = vec!["b"; 3];
        rooms.extend(["a"; 700]);
        let (_directory, store) = store(&rooms);
        let full = used_bytes(&store.connection).unwrap();
        let retention = Retention { bytes: full / 2, ..Retention::default() };
        let left = forget(&store, retention, 9_999);
        assert!(used_bytes(&store.connection).unwrap() <= full / 2);
        assert!(left.len() > 50, "no more than has to be: {}", left.len());
        assert_eq!(left[..3], [1, 2, 3], "what a newcomer gets stays");
        let retention = Retention { bytes: 1, ..Retention::default() };
        assert_eq!(forget(&store, retention, 9_999).len(), 13);
    }

    #[test]
    fn quiet_rooms_go_when_there_are_too_many() {
        let names: Vec<String> =
            (0..=MAX_ROOMS + MAX_ROOMS / 8).map(|number| format!("room{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (_directory, store) = store(&names);
        let step = step(&store.connection, Retention::default(), &[], Timestamp(0), Sequence(1));
        let gone = step.unwrap().rooms;
        assert_eq!(gone.len(), names.len() - usize::try_from(MAX_ROOMS).unwrap());
        assert_eq!(gone[0], NameKey::of("room0"));
        let forgotten: Option<i64> = fact(&store.connection, fact::FORGOTTEN).unwrap();
        assert_eq!(forgotten, Some(i64::try_from(gone.len()).unwrap()));
    }

    #[test]
    fn what_is_forgotten_is_not_in_the_file() {
        let (directory, store) = store(&["a"; 700]);
        let retention = Retention { messages: 10, ..Retention::default() };
        assert_eq!(forget(&store, retention, 9_999).len(), 10);
        store.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let file = std::fs::read(directory.path().join("chat.db")).unwrap();
        let is_there = |day: u64| {
            let said = format!("word{day} filler filler");
            file.windows(said.len()).any(|it| it == said.as_bytes())
        };
        let left: Vec<u64> = (1..=700).filter(|day| is_there(*day)).collect();
        assert_eq!(left, (691..=700).collect::<Vec<_>>());
    }
}
