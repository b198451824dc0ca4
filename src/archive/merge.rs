//! Merge of imported messages into a log, ordered by time. All functions work within the caller's
//! transaction. Imported messages are first collected in a temporary table (staging table). SQLite
//! moves it to a file if it is large.

use rusqlite::{Connection, params};

use super::ArchiveError;
use super::json_lines::ImportedMessage;
use super::renumber::StoredFacts;
use crate::log::StoreError;
use crate::log::sqlite::database::{property, write_property};
use crate::log::sqlite::rows::{self, sequence_to_sql, u64_to_sql};
use crate::log::sqlite::{recovery, search};
use crate::model::{LogId, RoomName, Sequence};
use crate::os::random_bytes;

/// Number of messages added to the search index by one call.
const INDEX_BATCH: usize = 5_000;

/// SQL: creates the staging table, `aside`. Its primary key defines duplicates: messages with equal
/// time, reference, username, room, style and text. Sequence and session do not count, because both
/// are assigned again.
const CREATE_STAGING_TABLE: &str = "
    CREATE TEMP TABLE aside (
        time INTEGER, reference INTEGER, username TEXT, room INTEGER, style INTEGER, text TEXT,
        session INTEGER NOT NULL, line INTEGER NOT NULL,
        PRIMARY KEY (time, reference, username, room, style, text)
    ) STRICT, WITHOUT ROWID;
";

/// SQL: deletes the staged messages that have a duplicate in the log. A message whose text was
/// removed (style 2), there or here, is a duplicate whatever its text is: an import does not bring
/// it back.
const DROP_DUPLICATES: &str = "
    DELETE FROM temp.aside WHERE line IN (
        SELECT a.line FROM main.entries e CROSS JOIN temp.aside a
        ON a.time = e.time AND a.reference = e.reference AND a.username = e.username
        AND a.room = e.room
        AND (a.style = e.style AND a.text = e.text OR e.style = 2 OR a.style = 2)
    )
";

/// SQL: numbers all messages, stored and staged, in the order of time. At equal times, messages of
/// the log come first; each kind keeps its order. Direct messages and facts of the log are numbered
/// too. Each session in the staging table gets a new number, greater than `:last_session`.
const ORDER_MESSAGES: &str = "
    CREATE TEMP TABLE numbers (old INTEGER PRIMARY KEY, new INTEGER NOT NULL) STRICT;
    INSERT INTO temp.numbers
        SELECT session, row_number() OVER (ORDER BY session)
        FROM (SELECT DISTINCT session FROM temp.aside);
    CREATE TEMP TABLE ordered (
        sequence INTEGER PRIMARY KEY, old INTEGER, room INTEGER, session INTEGER, username TEXT,
        time INTEGER, reference INTEGER, style INTEGER, text TEXT, person INTEGER
    ) STRICT;
    INSERT INTO temp.ordered
        SELECT row_number() OVER (ORDER BY time, is_new, place), iif(is_new, NULL, place), room,
            session, username, time, reference, style, text, person
        FROM (
            SELECT time, 0 AS is_new, sequence AS place, room, session, username, reference,
                style, text, person FROM main.entries
            UNION ALL SELECT time, 0, sequence, NULL, NULL, NULL, NULL, NULL, NULL, NULL
                FROM main.directs
            UNION ALL SELECT time, 0, sequence, NULL, NULL, NULL, NULL, NULL, NULL, NULL
                FROM temp.fact_places
            UNION ALL SELECT time, 1, line, room, :last_session + n.new, username, reference,
                style, text, NULL FROM temp.aside a JOIN temp.numbers n ON n.old = a.session
        );
    CREATE INDEX temp.ordered_by_room ON ordered (room, sequence);
    CREATE INDEX temp.ordered_by_old ON ordered (old);
    CREATE TEMP TABLE old_directs AS SELECT * FROM main.directs;
    CREATE TEMP TABLE old_mailboxes AS SELECT * FROM main.mailboxes;
";

/// SQL: replaces the messages of the log by those of [`ORDER_MESSAGES`], with their new sequences
/// and links. Read marks stay at the messages that were read last. Empties the search index. Sets `dropped` to 0 in all rooms, because no new sequence
/// belongs to a deleted message.
const REWRITE_LOG: &str = "
    DELETE FROM main.entries;
    INSERT INTO main.entries
        (sequence, room, previous, session, username, time, reference, style, text, person)
        SELECT sequence, room, ifnull((
            SELECT max(p.sequence) FROM temp.ordered p
            WHERE p.room = o.room AND p.sequence < o.sequence
        ), 0), session, username, time, reference, style, text, person
        FROM temp.ordered o WHERE room IS NOT NULL ORDER BY sequence;
    CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER NOT NULL) STRICT;
    INSERT INTO temp.moved SELECT old, sequence FROM temp.ordered WHERE room IS NULL;
    DELETE FROM main.mailboxes;
    DELETE FROM main.directs;
    INSERT INTO main.directs
        (sequence, session, username, to_session, to_username, time, reference, style, text,
         person)
        SELECT m.new, session, username, to_session, to_username, time, reference, style, text,
            person
        FROM temp.old_directs d JOIN temp.moved m ON m.old = d.sequence;
    INSERT INTO main.mailboxes (session, sequence)
        SELECT b.session, m.new
        FROM temp.old_mailboxes b JOIN temp.moved m ON m.old = b.sequence;
    UPDATE main.read_marks SET sequence = ifnull((
        SELECT o.sequence FROM temp.ordered o
        WHERE o.old <= read_marks.sequence ORDER BY o.old DESC LIMIT 1
    ), 0);
    UPDATE main.rooms SET dropped = 0;
    INSERT INTO main.found (found) VALUES ('delete-all');
    DELETE FROM main.days;
";

/// Creates the temporary staging table for imported messages.
pub(super) fn create_staging_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(CREATE_STAGING_TABLE)
}

/// Inserts a message into the staging table, unless that table has a duplicate of it. Creates its
/// room if the log has none of that name. `line`: line number of the message, which decides the
/// order at equal times.
pub(super) fn stage_message(
    connection: &Connection,
    line: u64,
    message: &ImportedMessage,
) -> rusqlite::Result<()> {
    let room = room_id(connection, &message.room)?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO temp.aside (time, reference, username, room, style, text, session, line)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    statement.execute(params![
        u64_to_sql(message.time.0),
        u64_to_sql(message.reference.0),
        message.username.as_str(),
        room,
        message.style.0,
        message.text.as_str(),
        u64_to_sql(message.session.0),
        u64_to_sql(line),
    ])?;
    Ok(())
}

/// Returns the row id of a room. Inserts the room if the log does not have it.
fn room_id(connection: &Connection, room: &RoomName) -> rusqlite::Result<i64> {
    if let Some((number, _)) = rows::find_room(connection, room.key())? {
        return Ok(number);
    }
    connection
        .prepare_cached("INSERT INTO rooms (key, name) VALUES (?, ?)")?
        .insert(params![room.key().as_str(), room.as_str()])
}

/// Deletes the staged messages that have a duplicate in the log. Returns the number of messages
/// left.
pub(super) fn drop_duplicates(connection: &Connection) -> rusqlite::Result<u64> {
    connection.execute(DROP_DUPLICATES, [])?;
    let left: i64 =
        connection.query_row("SELECT count(*) FROM temp.aside", [], |row| row.get(0))?;
    Ok(left.cast_unsigned())
}

/// Merges the staged messages into the log. Gives all messages and facts new sequences, and the log
/// a new id. The moderation state stays in force. Corrects the session records, rebuilds the search
/// index, and marks the database as properly closed. Call it only if there are staged messages.
pub(super) fn merge(connection: &Connection) -> Result<(), ArchiveError> {
    let log_id = random_bytes().map_err(|_| StoreError::System("random numbers"))?;
    // Last references are recovered by sequence, so read them before the sequences change.
    let (restored, _) = recovery::restore_state(connection, LogId(log_id))?;
    let facts = StoredFacts::read(connection)?;
    let last_session = u64_to_sql(restored.next_session.0).saturating_sub(1);
    connection
        .execute_batch(&ORDER_MESSAGES.replace(":last_session", &last_session.to_string()))?;
    connection.execute_batch(REWRITE_LOG)?;
    let ask = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let head = Sequence(ask("SELECT max(sequence) FROM temp.ordered")?.cast_unsigned());
    facts.store(connection, head)?;
    for record in &restored.sessions {
        rows::upsert_session(connection, record, head)?;
    }
    let last_session = last_session.saturating_add(ask("SELECT count(*) FROM temp.numbers")?);
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'sessions'", [])?;
    connection.execute(
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('sessions', ?)",
        [last_session],
    )?;
    write_property(connection, property::LOG_ID, log_id)?;
    write_property(connection, property::HEAD, sequence_to_sql(head))?;
    // The new sequences have no gaps: positions within an old one would be refused.
    connection.execute("DELETE FROM properties WHERE name = ?", [property::SEQUENCE_GAPS])?;
    write_property(connection, property::EVICTED_UP_TO, 0)?;
    write_property(connection, property::INDEXED_UP_TO, 0)?;
    // The commit is synced, and no client knows the new log id yet.
    write_property(connection, property::IS_CLEAN, 1)?;
    while search::index_next(connection, INDEX_BATCH)?.1 == INDEX_BATCH {}
    Ok(())
}
