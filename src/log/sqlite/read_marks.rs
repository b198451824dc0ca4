//! Read marks of persons as rows. They are no part of the log: nothing else refers to them.

use rusqlite::{Connection, params};

use super::rows::{sequence_from_sql, sequence_to_sql, u64_to_sql};
use crate::model::{NameKey, PersonReadMarks, ReadMark, SessionId};

/// Replaces the marks of a person.
pub(super) fn replace(connection: &Connection, marks: &PersonReadMarks) -> rusqlite::Result<()> {
    let person = u64_to_sql(marks.person.0);
    connection.prepare_cached("DELETE FROM read_marks WHERE person = ?")?.execute([person])?;
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO read_marks (person, room, sequence, place) VALUES (?, ?, ?, ?)",
    )?;
    for (place, mark) in (0_i64..).zip(&marks.marks) {
        let room = mark.room.as_ref().map_or("", NameKey::as_str);
        statement.execute(params![person, room, sequence_to_sql(mark.sequence), place])?;
    }
    Ok(())
}

/// Reads the marks of all persons.
pub(super) fn read_all(connection: &Connection) -> rusqlite::Result<Vec<PersonReadMarks>> {
    let mut all: Vec<PersonReadMarks> = Vec::new();
    let mut statement = connection
        .prepare("SELECT person, room, sequence FROM read_marks ORDER BY person, place")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let person = SessionId(row.get::<_, i64>(0)?.cast_unsigned());
        let room = row.get_ref(1)?.as_str()?;
        let room = (!room.is_empty()).then(|| NameKey::of(room));
        let mark = ReadMark { room, sequence: sequence_from_sql(row.get(2)?) };
        match all.last_mut().filter(|it| it.person == person) {
            Some(marks) => marks.marks.push(mark),
            None => all.push(PersonReadMarks { person, marks: vec![mark] }),
        }
    }
    Ok(all)
}
