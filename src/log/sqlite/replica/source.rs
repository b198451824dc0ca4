//! Source of a replication: reads what a follower lacks, in parts, in the order of the log. It reads
//! the database like any other reader, so that nobody waits for it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use rusqlite::{Connection, params};

use super::super::database::{open_to_read, property, read_property};
use super::super::directory::existing_database;
use super::super::recovery::read_head;
use super::super::rows::{
    self, DIRECT_COLUMNS, ENTRY_COLUMNS, sequence_from_sql, sequence_to_sql, skip_damaged,
    u64_to_sql,
};
use super::super::sequence_gaps::{self, SequenceGap};
use super::super::settings::StoreError;
use super::super::{facts, read_marks};
use super::conversion::{part_of_entry, part_of_marks, part_of_session};
use super::role;
use crate::hub::ReplicationRequest;
use crate::model::{LogId, Sequence, SessionId, Target, Timestamp};
use crate::moderation::encode_fact;
use crate::wire::tcp::{Replica, ReplicaBegin, ReplicaCommit, kept, replica_flag};

/// Approximate maximum length of the messages of a table in one batch, in bytes.
const MAX_BATCH_BYTES: usize = 16 << 10;

/// Approximate length of what [`ReplicaSource::next_bytes`] returns, in bytes.
const CHUNK_BYTES: usize = 32 << 10;

/// Reason why a follower is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its epoch is greater: it has replaced this server.
    Superseded,
    /// It has what this log does not have.
    Diverged,
}

/// What was sent of the state that has no place in the log, so that only changes are sent.
#[derive(Default)]
struct SentState {
    /// Hashes of the session records, by number.
    sessions: HashMap<SessionId, u64>,
    /// Hashes of the read marks, by person.
    marks: HashMap<SessionId, u64>,
}

/// Reader of what a follower lacks.
pub(crate) struct ReplicaSource {
    /// Read-only connection to the database.
    connection: Connection,
    /// Sequence up to which everything was read.
    position: Sequence,
    /// Position at which the follower has begun.
    begun_at: Sequence,
    /// Voids that were sent.
    gaps: HashSet<SequenceGap>,
    /// What was sent of the state; `None`: nothing yet.
    sent: Option<SentState>,
    /// SQLite's counter of other connections' commits when the state was last read.
    state_version: i64,
    /// Frames that were read and not returned yet.
    ready: VecDeque<Vec<u8>>,
}

impl ReplicaSource {
    /// Opens the database of a directory for a follower. The first bytes are those of `Begin`.
    /// Blocks.
    ///
    /// # Errors
    /// [`StoreError`]. Inside, [`Refusal`]: the follower cannot be served.
    pub(crate) fn open(
        directory: &Path,
        request: ReplicationRequest,
    ) -> Result<Result<Self, Refusal>, StoreError> {
        let connection = open_to_read(&existing_database(directory)?, None)?;
        let epoch = role::epoch(&connection)?;
        if request.epoch > epoch {
            return Ok(Err(Refusal::Superseded));
        }
        let log_id = LogId(read_property(&connection, property::LOG_ID)?.unwrap_or_default());
        let is_whole = request.log_id != log_id || request.position == Sequence::ZERO;
        let position = if is_whole { Sequence::ZERO } else { request.position };
        let is_lost = |(after, up_to): &SequenceGap| (after.0 + 1..up_to.0).contains(&position.0);
        let gaps = sequence_gaps::read_all(&connection)?;
        if position > read_head(&connection)? || gaps.iter().any(is_lost) {
            return Ok(Err(Refusal::Diverged));
        }
        let pair: [u8; 64] = read_property(&connection, property::SERVER_KEY)?.unwrap_or([0; 64]);
        let (halves, _) = pair.as_chunks::<32>();
        let begin = Replica::Begin(ReplicaBegin {
            log_id,
            epoch,
            is_whole,
            server_id: read_property(&connection, property::SERVER_ID)?.unwrap_or_default(),
            server_key: halves.try_into().unwrap_or_default(),
            tls_key: read_property(&connection, property::TLS_KEY)?.unwrap_or_default(),
            tls_certificate: read_property(&connection, property::TLS_CERTIFICATE)?
                .unwrap_or_default(),
        });
        let mut first = Vec::new();
        begin.encode(&mut first);
        Ok(Ok(Self {
            connection,
            position,
            begun_at: position,
            gaps: HashSet::new(),
            sent: None,
            state_version: 0,
            ready: VecDeque::from([first]),
        }))
    }

    /// Returns the next frames, one behind the other; `None` if the follower has everything. Blocks
    /// while it reads. `now`: wall-clock time.
    ///
    /// # Errors
    /// The database cannot be read. The follower has to begin again.
    pub(crate) fn next_bytes(&mut self, now: Timestamp) -> rusqlite::Result<Option<Vec<u8>>> {
        if self.ready.is_empty() {
            self.read(now)?;
        }
        Ok(self.ready.pop_front())
    }

    /// Reads the next batch into `ready`: of the log, and of the state if the log is read to its
    /// end and anything was written since the state was last read. Both are of one moment.
    fn read(&mut self, now: Timestamp) -> rusqlite::Result<()> {
        let version: i64 =
            self.connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        if self.sent.is_some() && version == self.state_version {
            return Ok(());
        }
        // The transaction reads the whole batch at one moment. It writes nothing.
        let transaction = self.connection.unchecked_transaction()?;
        let head = read_head(&transaction)?;
        let mut parts = Vec::new();
        let position = read_log(&transaction, self.position, head, &mut parts)?;
        let is_at_end = position == head;
        let mut frames = Frames::default();
        // Before the entries behind it, as in a log of one's own.
        for gap in sequence_gaps::read_all(&transaction)? {
            if self.gaps.insert(gap) {
                frames.push(&Replica::Void(gap.0, gap.1));
            }
        }
        if !parts.is_empty() || position > self.position {
            frames.extend(parts.into_iter().map(|(_, part)| part));
            let flags = 0;
            frames.push(&Replica::Commit(ReplicaCommit { head: position, flags, time: now }));
        }
        if is_at_end {
            let is_whole = self.sent.is_none();
            let mut sent = self.sent.take().unwrap_or_default();
            if is_whole {
                read_registers(&transaction, &mut frames)?;
                read_forgotten(&transaction, self.begun_at, &mut frames)?;
            }
            read_state(&transaction, &mut sent, &mut frames)?;
            let whole = if is_whole { replica_flag::WHOLE_STATE } else { 0 };
            let flags = whole | replica_flag::CAUGHT_UP;
            frames.push(&Replica::Commit(ReplicaCommit { head, flags, time: now }));
            self.sent = Some(sent);
            self.state_version = version;
        }
        transaction.finish()?;
        self.position = position;
        self.ready = frames.into_chunks();
        Ok(())
    }
}

/// Encoded frames, in chunks of about [`CHUNK_BYTES`].
#[derive(Default)]
struct Frames {
    /// Chunks that are full.
    full: VecDeque<Vec<u8>>,
    /// The last chunk.
    last: Vec<u8>,
}

impl Frames {
    /// Appends a part.
    fn push(&mut self, part: &Replica) {
        part.encode(&mut self.last);
        if self.last.len() >= CHUNK_BYTES {
            self.full.push_back(std::mem::take(&mut self.last));
        }
    }

    /// Appends parts.
    fn extend(&mut self, parts: impl IntoIterator<Item = Replica>) {
        parts.into_iter().for_each(|it| self.push(&it));
    }

    /// Returns the chunks.
    fn into_chunks(self) -> VecDeque<Vec<u8>> {
        let Self { mut full, last } = self;
        if !last.is_empty() {
            full.push_back(last);
        }
        full
    }
}

/// Reads messages and facts after a position, in the order of the log, and adds them to `parts`.
/// Returns the sequence up to which nothing is missing: `head`, or less if there is more.
fn read_log(
    connection: &Connection,
    position: Sequence,
    head: Sequence,
    parts: &mut Vec<(Sequence, Replica)>,
) -> rusqlite::Result<Sequence> {
    let mut bound = head;
    let after = sequence_to_sql(position);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTRY_COLUMNS}, r.name FROM entries e JOIN rooms r ON r.id = e.room
         WHERE e.sequence > ? ORDER BY e.sequence"
    ))?;
    let mut found = statement.query([after])?;
    let mut bytes = 0;
    while let Some(row) = found.next()? {
        let entry = rows::read_room_name(row, 9).and_then(|it| rows::read_room_entry(row, &it));
        let Some(entry) = skip_damaged(entry)? else { continue };
        bytes += size_of_text(entry.draft.text.as_str());
        parts.push((entry.sequence, part_of_entry(&entry, 0)));
        if bytes > MAX_BATCH_BYTES {
            bound = bound.min(entry.sequence);
            break;
        }
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {DIRECT_COLUMNS} FROM directs d WHERE d.sequence > ? ORDER BY d.sequence"
    ))?;
    let mut keeps =
        connection.prepare_cached("SELECT 1 FROM mailboxes WHERE session = ? AND sequence = ?")?;
    let mut found = statement.query([after])?;
    let mut bytes = 0;
    while let Some(row) = found.next()? {
        let Some(entry) = skip_damaged(rows::read_direct_entry(row))? else { continue };
        let Target::Session(to, _) = &entry.draft.target else { continue };
        let mut has = |mailbox: SessionId| {
            keeps.exists(params![u64_to_sql(mailbox.0), sequence_to_sql(entry.sequence)])
        };
        let by_sender = if has(entry.draft.author())? { kept::BY_SENDER } else { 0 };
        let by_recipient = if has(*to)? { kept::BY_RECIPIENT } else { 0 };
        bytes += size_of_text(entry.draft.text.as_str());
        parts.push((entry.sequence, part_of_entry(&entry, by_sender | by_recipient)));
        if bytes > MAX_BATCH_BYTES {
            bound = bound.min(entry.sequence);
            break;
        }
    }
    let most = 64;
    let found = facts::read_page(connection, position, most)?;
    if let Some((last, _)) = found.last().filter(|_| found.len() == most) {
        bound = bound.min(*last);
    }
    for (sequence, fact) in found {
        parts.extend(fact.map(|it| (sequence, Replica::Fact(encode_fact(&it)))));
    }
    parts.retain(|(sequence, _)| *sequence <= bound);
    parts.sort_by_key(|(sequence, _)| *sequence);
    Ok(bound)
}

/// Returns the approximate length of a message's part, in bytes.
const fn size_of_text(text: &str) -> usize {
    text.len() + 128
}

/// Reads the registers of the moderation state.
fn read_registers(connection: &Connection, frames: &mut Frames) -> rusqlite::Result<()> {
    facts::for_each_register(connection, |row| {
        if let Some((register, fact)) = skip_damaged(row)? {
            frames.push(&Replica::Register(register, encode_fact(&fact)));
        }
        Ok(())
    })
}

/// Reads what retention has deleted after the position of the follower, who lacks it without
/// knowing.
fn read_forgotten(
    connection: &Connection,
    position: Sequence,
    frames: &mut Frames,
) -> rusqlite::Result<()> {
    let evicted: i64 = read_property(connection, property::EVICTED_UP_TO)?.unwrap_or(0);
    if sequence_from_sql(evicted) > position {
        frames.push(&Replica::Forgotten(String::new(), sequence_from_sql(evicted)));
    }
    let mut statement = connection.prepare("SELECT name, dropped FROM rooms WHERE dropped > ?")?;
    let mut found = statement.query([sequence_to_sql(position)])?;
    while let Some(row) = found.next()? {
        if let Some(room) = skip_damaged(rows::read_room_name(row, 0))? {
            let up_to = sequence_from_sql(row.get(1)?);
            frames.push(&Replica::Forgotten(room.as_str().to_owned(), up_to));
        }
    }
    Ok(())
}

/// Reads the sessions and read marks that are not as they were sent.
fn read_state(
    connection: &Connection,
    sent: &mut SentState,
    frames: &mut Frames,
) -> rusqlite::Result<()> {
    let mut before = std::mem::take(&mut sent.sessions);
    rows::for_each_session(connection, |session| {
        if let Some((record, noted)) = skip_damaged(session)? {
            // How far the last reference is noted changes nothing by itself.
            let hash = hash_of(&part_of_session(&record, Sequence::ZERO));
            if before.remove(&record.session) != Some(hash) {
                frames.push(&part_of_session(&record, noted));
            }
            sent.sessions.insert(record.session, hash);
        }
        Ok(())
    })?;
    if !before.is_empty() {
        let moderation = facts::read_state(connection)?;
        for session in before.into_keys() {
            let is_person = moderation.claim_of_person(session).is_some();
            frames.push(&Replica::SessionDeleted(session, is_person));
        }
    }
    for marks in read_marks::read_all(connection)? {
        let part = part_of_marks(&marks);
        let hash = hash_of(&part);
        if sent.marks.insert(marks.person, hash) != Some(hash) {
            frames.push(&part);
        }
    }
    Ok(())
}

/// Returns a hash of a part.
fn hash_of(part: &Replica) -> u64 {
    let mut bytes = Vec::new();
    part.encode(&mut bytes);
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
