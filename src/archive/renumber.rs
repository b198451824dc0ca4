//! Facts of a log whose messages and facts are numbered anew by an import.

use rusqlite::{Connection, OptionalExtension, params};

use crate::log::sqlite::facts;
use crate::log::sqlite::rows::{sequence_from_sql, sequence_to_sql, skip_damaged, u64_to_sql};
use crate::model::{Fact, ModerationAction, Sequence};

/// Facts of a log, and those in its moderation state, with their old sequences. Facts in the state
/// may be missing among the others, because retention deletes these.
#[derive(Debug, Default)]
pub(super) struct StoredFacts {
    /// Facts of the table `facts`, in ascending order of sequence.
    facts: Vec<Fact>,
    /// Encoded registers of the moderation state, with their facts.
    registers: Vec<(Vec<u8>, Fact)>,
}

impl StoredFacts {
    /// Reads the facts, without damaged ones. Lists their sequences and times in the temporary
    /// table `fact_places`, which it creates.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut stored = Self::default();
        facts::for_each_after(connection, Sequence::ZERO, |fact| {
            stored.facts.extend(skip_damaged(fact)?);
            Ok(())
        })?;
        facts::for_each_register(connection, |row| {
            stored.registers.extend(skip_damaged(row)?);
            Ok(())
        })?;
        connection.execute_batch(
            "CREATE TEMP TABLE fact_places (sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL) STRICT",
        )?;
        let mut statement =
            connection.prepare("INSERT OR IGNORE INTO temp.fact_places VALUES (?, ?)")?;
        for fact in stored.facts.iter().chain(stored.registers.iter().map(|(_, it)| it)) {
            statement.execute(params![sequence_to_sql(fact.sequence), u64_to_sql(fact.time.0)])?;
        }
        Ok(stored)
    }

    /// Stores the facts with their new sequences, which the temporary table `ordered` lists, and
    /// with those of the messages, sanctions and claims that they name. What they name and is not in the
    /// log any more gets the sequence 0. `head`: new last sequence of the log.
    pub(super) fn store(mut self, connection: &Connection, head: Sequence) -> rusqlite::Result<()> {
        let mut statement =
            connection.prepare("SELECT sequence FROM temp.ordered WHERE old = ?")?;
        let mut new_sequence = |old: Sequence| {
            let new = statement.query_row([sequence_to_sql(old)], |row| row.get(0)).optional()?;
            Ok::<_, rusqlite::Error>(new.map_or(Sequence::ZERO, sequence_from_sql))
        };
        let registers = self.registers.iter_mut().map(|(_, it)| it);
        for fact in self.facts.iter_mut().chain(registers) {
            fact.sequence = new_sequence(fact.sequence)?;
            match &mut fact.draft.action {
                ModerationAction::MessageRemoved { message: it, .. }
                | ModerationAction::SanctionEnded { sanction: it, .. }
                | ModerationAction::ClaimEnded { claim: it, .. } => *it = new_sequence(*it)?,
                _ => {}
            }
        }
        self.facts.sort_by_key(|it| it.sequence);
        facts::replace_all(connection, &self.facts, &self.registers, head)
    }
}
