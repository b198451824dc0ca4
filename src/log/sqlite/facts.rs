//! Facts and the moderation state as rows: the tables `facts` and `moderation`.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::database::{property, read_property, write_property};
use super::rows::{damaged_value, sequence_from_sql, sequence_to_sql, skip_damaged, u64_to_sql};
use super::search;
use crate::model::{Fact, MessageText, NameKey, RemovedMessage, Sequence, SharedFact, Style};
use crate::moderation::{ModerationState, RegisterChange, decode_fact, encode_fact};

/// Inserts a fact, removes the text of the message that it removes, if any, and updates the stored
/// moderation state by the changes that the fact makes. Fails if its sequence exists. Call it within a transaction, in the order of the log.
pub(super) fn insert(
    connection: &Connection,
    fact: &Fact,
    changes: &[RegisterChange],
) -> rusqlite::Result<()> {
    insert_row(connection, fact)?;
    if let Some(removed) = fact.removed_message() {
        remove_text(connection, &removed)?;
    }
    for change in changes {
        store_change(connection, change)?;
    }
    write_property(connection, property::MODERATED_UP_TO, sequence_to_sql(fact.sequence))
}

/// Overwrites a removed message with the placeholder text and [`Style::REMOVED`], and indexes it
/// again by that text. Its old words are no longer found, and stay in the file until the purge that
/// follows ([`search::index_again`](super::search::index_again)). Does nothing if there is no such
/// message any more.
fn remove_text(connection: &Connection, message: &RemovedMessage<'_>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE entries SET style = ?, text = ? WHERE sequence = ? AND coalesce(person, session) = ?
         AND room = (SELECT id FROM rooms WHERE key = ?)",
    )?;
    let changed = statement.execute(params![
        Style::REMOVED.0,
        MessageText::removed().as_str(),
        sequence_to_sql(message.sequence),
        u64_to_sql(message.author.0),
        message.room.key().as_str(),
    ])?;
    if changed > 0 {
        search::index_again(connection, message.sequence)?;
    }
    Ok(())
}

/// Adds the first `limit` undamaged removals in a room after a sequence (exclusive) and up to
/// `head` (inclusive) to `found`.
pub(super) fn removals_after(
    connection: &Connection,
    room: &NameKey,
    after: Sequence,
    head: Sequence,
    limit: usize,
    found: &mut BTreeMap<Sequence, SharedFact>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, fact FROM facts WHERE removed_in = ? AND sequence > ? AND sequence <= ?
         ORDER BY sequence",
    )?;
    let mut found_rows =
        statement.query(params![room.as_str(), sequence_to_sql(after), sequence_to_sql(head)])?;
    let mut left = limit;
    while left > 0
        && let Some(row) = found_rows.next()?
    {
        if let Some(fact) = skip_damaged(read(row))? {
            found.insert(fact.sequence, fact.into());
            left = left.saturating_sub(1);
        }
    }
    Ok(())
}

/// Stores the new value of a register, or removes its row.
fn store_change(connection: &Connection, change: &RegisterChange) -> rusqlite::Result<()> {
    let (register, value) = change.encode();
    match value {
        Some(fact) => connection
            .prepare_cached("INSERT OR REPLACE INTO moderation (register, fact) VALUES (?, ?)")?
            .execute(params![register, fact])?,
        None => connection
            .prepare_cached("DELETE FROM moderation WHERE register = ?")?
            .execute([register])?,
    };
    Ok(())
}

/// Reads the moderation state: the stored one, to which later facts are applied. Skips damaged rows
/// ([`skip_damaged`]).
pub(crate) fn read_state(connection: &Connection) -> rusqlite::Result<ModerationState> {
    let mut rows = Vec::new();
    for_each_register(connection, |row| {
        rows.extend(skip_damaged(row)?.map(|(register, fact)| (register, encode_fact(&fact))));
        Ok(())
    })?;
    let rows = rows.iter().map(|(register, fact)| (register.as_slice(), fact.as_slice()));
    // Each row was decoded before, so this does not fail.
    let mut state = ModerationState::decode(rows).map_err(|error| damaged_value(1, error))?;
    let applied: i64 = read_property(connection, property::MODERATED_UP_TO)?.unwrap_or(0);
    for_each_after(connection, sequence_from_sql(applied), |fact| {
        if let Some(fact) = skip_damaged(fact)? {
            state.apply(&fact.into());
        }
        Ok(())
    })?;
    Ok(state)
}

/// Calls `take` for each row of the stored moderation state: with the encoded register and its
/// fact, or with the error of reading that row. Stops at the first error that `take` returns.
pub(crate) fn for_each_register(
    connection: &Connection,
    mut take: impl FnMut(rusqlite::Result<(Vec<u8>, Fact)>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT register, fact FROM moderation")?;
    let mut found_rows = statement.query([])?;
    while let Some(row) = found_rows.next()? {
        take(read_register(row))?;
    }
    Ok(())
}

/// Reads a row of the table `moderation`: the encoded register and its fact. Fails if the row is
/// damaged ([`skip_damaged`]).
fn read_register(row: &Row<'_>) -> rusqlite::Result<(Vec<u8>, Fact)> {
    let (register, fact): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
    let rows = [(register.as_slice(), fact.as_slice())];
    ModerationState::decode(rows).map_err(|error| damaged_value(1, error))?;
    let fact = decode_fact(&fact).map_err(|error| damaged_value(1, error))?;
    Ok((register, fact))
}

/// Replaces all facts by these. Also replaces the facts of these registers of the stored moderation
/// state; other registers stay. `head`: last sequence of the log. Call it within a transaction.
pub(crate) fn replace_all(
    connection: &Connection,
    facts: &[Fact],
    registers: &[(Vec<u8>, Fact)],
    head: Sequence,
) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM facts", [])?;
    for fact in facts {
        insert_row(connection, fact)?;
    }
    let mut statement =
        connection.prepare_cached("UPDATE moderation SET fact = ? WHERE register = ?")?;
    for (register, fact) in registers {
        statement.execute(params![encode_fact(fact), register])?;
    }
    write_property(connection, property::MODERATED_UP_TO, sequence_to_sql(head))
}

/// Inserts a row of the table `facts`.
fn insert_row(connection: &Connection, fact: &Fact) -> rusqlite::Result<()> {
    let removed = fact.removed_message();
    let mut statement = connection
        .prepare_cached("INSERT INTO facts (sequence, fact, removed_in) VALUES (?, ?, ?)")?;
    statement.execute(params![
        sequence_to_sql(fact.sequence),
        encode_fact(fact),
        removed.map(|it| it.room.key().as_str())
    ])?;
    Ok(())
}

/// Calls `take` for each fact after a sequence, in ascending order: with the fact, or with the
/// error of reading that row. Stops at the first error that `take` returns.
pub(crate) fn for_each_after(
    connection: &Connection,
    after: Sequence,
    mut take: impl FnMut(rusqlite::Result<Fact>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare("SELECT sequence, fact FROM facts WHERE sequence > ? ORDER BY sequence")?;
    let mut found_rows = statement.query([sequence_to_sql(after)])?;
    while let Some(row) = found_rows.next()? {
        take(read(row))?;
    }
    Ok(())
}

/// Reads the first `limit` facts after a sequence, in ascending order, with their sequences. A
/// damaged one is `None`.
pub(crate) fn read_page(
    connection: &Connection,
    after: Sequence,
    limit: usize,
) -> rusqlite::Result<Vec<(Sequence, Option<Fact>)>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, fact FROM facts WHERE sequence > ? ORDER BY sequence LIMIT ?",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = statement.query_map([sequence_to_sql(after), limit], |row| {
        Ok((sequence_from_sql(row.get(0)?), skip_damaged(read(row))?))
    })?;
    found.collect()
}

/// Reads a fact from a row of its sequence and its encoding. Fails if the row is damaged
/// ([`skip_damaged`]).
fn read(row: &Row<'_>) -> rusqlite::Result<Fact> {
    let fact = decode_fact(row.get_ref(1)?.as_blob()?).map_err(|error| damaged_value(1, error))?;
    if fact.sequence == sequence_from_sql(row.get(0)?) {
        Ok(fact)
    } else {
        Err(damaged_value(1, crate::wire::Malformed))
    }
}

/// Returns the last fact; `None` if there is none, or if it is damaged.
pub(super) fn read_last(connection: &Connection) -> rusqlite::Result<Option<SharedFact>> {
    let mut statement =
        connection.prepare("SELECT sequence, fact FROM facts ORDER BY sequence DESC LIMIT 1")?;
    let mut found_rows = statement.query([])?;
    match found_rows.next()? {
        Some(row) => Ok(skip_damaged(read(row))?.map(Into::into)),
        None => Ok(None),
    }
}
