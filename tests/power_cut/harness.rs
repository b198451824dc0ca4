//! A log under load on a simulated disk, and checks of what a restart finds.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use pi_chat::hub::{LogItem, Now, Proposal, RestoredState, Ticket};
use pi_chat::log::{Log, LogEvent, SqliteLog, StoreSettings};
use pi_chat::model::{
    Draft, LogEntry, MessageText, Moment, Reference, RoomName, Sequence, SessionId, SessionRecord,
    Style, Target, Timestamp, TokenHash, Username,
};
use rusqlite::{Connection, Row};
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;

use super::disk::Disk;
use super::vfs;

/// Maximum time to wait for the log.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Rooms that messages go to.
const ROOMS: [&str; 3] = ["attic", "cellar", "kitchen"];

/// Number of sessions that write messages.
const SESSIONS: u64 = 4;

/// A log on a simulated disk, with everything that was appended to it and that it has answered.
pub(super) struct LogHarness {
    /// Directory of the log.
    _directory: TempDir,
    /// Simulated disk of the log.
    pub(super) disk: Arc<Disk>,
    /// The log under test.
    pub(super) log: Box<dyn Log>,
    /// State that the log has restored when it was opened.
    pub(super) restored: RestoredState,
    /// Runtime that waits for events of the log.
    runtime: Runtime,
    /// Random numbers, from a seed.
    random: Rng,
    /// Messages appended, as they have to be committed if nothing fails.
    pub(super) appended: Vec<LogEntry>,
    /// Messages that the log has reported as committed.
    pub(super) committed: Vec<LogEntry>,
    /// Session and reference of each message that the log has refused.
    pub(super) refused: Vec<(SessionId, Reference)>,
    /// All other events of the log.
    pub(super) other_events: Vec<LogEvent>,
}

/// Settings for a log on a simulated disk, during the first boot of the system.
pub(super) fn settings() -> StoreSettings {
    StoreSettings {
        vfs: Some(vfs::register().to_owned()),
        boot_id: Some("first".to_owned()),
        file_id: Some("one".to_owned()),
        ..StoreSettings::default()
    }
}

/// Record of a session that has written no message.
pub(super) fn session_record(person: u64) -> SessionRecord {
    SessionRecord {
        session: SessionId(person),
        token: TokenHash([u8::try_from(person).unwrap(); 32]),
        username: Username::new(&format!("person{person}")).unwrap(),
        away_since: None,
        last_reference: Reference::NONE,
        refused: vec![Reference(1_000_000 + person)],
        keeps_name: false,
        key: None,
    }
}

/// Clock readings `millis` milliseconds after the start.
fn now(millis: u64) -> Now {
    Now {
        moment: Moment::after_start(Duration::from_millis(millis)),
        time: Timestamp(1_790_000_000_000 + millis),
    }
}

impl LogHarness {
    /// Creates a log on a new disk. `prepare` may plan failures or the cut first.
    pub(super) fn new(settings: StoreSettings, seed: u64, prepare: impl FnOnce(&Disk)) -> Self {
        let directory = tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let disk = Disk::simulate(&path);
        prepare(&disk);
        let (log, restored) =
            SqliteLog::open(StoreSettings { directory: path, ..settings }).unwrap();
        let mut log: Box<dyn Log> = Box::new(log);
        for person in 1..=SESSIONS {
            log.propose(now(0), vec![Proposal::PersistSession(session_record(person))]);
        }
        disk.acknowledge(1);
        Self {
            _directory: directory,
            disk,
            log,
            restored,
            runtime: tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap(),
            random: Rng::with_seed(seed),
            appended: Vec::new(),
            committed: Vec::new(),
            refused: Vec::new(),
            other_events: Vec::new(),
        }
    }

    /// Appends a batch of random messages, without waiting for its commit.
    pub(super) fn append_random(&mut self) {
        let count = self.random.usize(1..6);
        let passed = u64::try_from(self.appended.len()).unwrap();
        let now = now(passed);
        let drafts = (0..count).map(|_| Proposal::Message(self.draft(now.time))).collect();
        self.log.propose(now, drafts);
    }

    /// A random draft. Notes the entry that it has to become.
    fn draft(&mut self, time: Timestamp) -> Draft {
        let random = &mut self.random;
        let session = SessionId(random.u64(1..=SESSIONS));
        let said = |it: &&LogEntry| it.draft.session == session;
        // Only the latest direct messages are kept, so there must not be too many.
        let target = if self.appended.len() < 200 && random.u8(0..5) == 0 {
            let to = session_record(random.u64(1..=SESSIONS));
            Target::Session(to.session, to.username)
        } else {
            Target::Room(RoomName::new(ROOMS[random.usize(0..ROOMS.len())]).unwrap())
        };
        let text: String = (0..random.usize(1..1_500)).map(|_| random.alphabetic()).collect();
        let draft = Draft {
            person: None,
            session,
            username: session_record(session.0).username,
            reference: Reference(
                u64::try_from(self.appended.iter().filter(said).count()).unwrap() + 1,
            ),
            target,
            style: Style::SAID,
            text: MessageText::new(&text).unwrap(),
        };
        let is_before = |it: &&LogEntry| {
            matches!(draft.target, Target::Room(_)) && it.draft.target == draft.target
        };
        let previous = self.appended.iter().rev().find(is_before);
        let previous = previous.map_or(Sequence::ZERO, |it| it.sequence);
        let sequence = self.appended.last().map_or(Sequence::ZERO, |it| it.sequence).next();
        self.appended.push(LogEntry { sequence, previous, time, draft: draft.clone() });
        draft
    }

    /// Takes events until at most `under_way` messages are neither committed nor refused.
    pub(super) fn wait_until_pending(&mut self, under_way: usize) {
        while self.appended.len() - self.committed.len() - self.refused.len() > under_way {
            self.take_event();
        }
    }

    /// Takes the next event of the log.
    pub(super) fn take_event(&mut self) {
        let log = &mut self.log;
        let event = self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, poll_fn(|context| log.poll_event(context))).await
        });
        match event.expect("the log says nothing").expect("the log has ended") {
            LogEvent::Committed { items, .. } => {
                let entries = items.iter().filter_map(LogItem::entry);
                self.committed.extend(entries.map(|it| LogEntry::clone(it)));
                self.disk.acknowledge(1 + self.committed.len());
            }
            LogEvent::NotStored { ticket: Ticket::Message { session, reference }, .. } => {
                self.refused.push((session, reference));
            }
            other => self.other_events.push(other),
        }
    }

    /// Closes the log as a server does at its end. Returns the messages appended.
    pub(super) fn close(self) -> Vec<LogEntry> {
        self.log.close();
        self.appended
    }
}

/// State that a restarted server finds.
pub(super) struct Found {
    /// State restored by the log.
    pub(super) restored: RestoredState,
    /// All messages in order.
    pub(super) messages: Vec<LogEntry>,
}

/// Opens the log that a power cut has left, after a reboot, and reads everything.
///
/// # Errors
///
/// A description of the error of the log or of the database.
pub(super) fn reopen(directory: &Path) -> Result<Found, String> {
    let settings = StoreSettings {
        directory: directory.to_path_buf(),
        boot_id: Some("second".to_owned()),
        file_id: Some("one".to_owned()),
        ..StoreSettings::default()
    };
    let (log, restored) = SqliteLog::open(settings).map_err(|error| format!("{error:?}"))?;
    let messages = read(directory.join("chat.db")).map_err(|error| format!("{error:?}"))?;
    drop(log);
    Ok(Found { restored, messages })
}

/// Reads all messages from a database, which has to be sound.
pub(super) fn read(path: PathBuf) -> rusqlite::Result<Vec<LogEntry>> {
    let database = Connection::open(path)?;
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |it| it.get(0))?;
    assert_eq!(verdict, "ok");
    let mut all = BTreeMap::new();
    let columns = "sequence, time, session, e.username, reference, style, text, previous, name";
    let rooms = format!("SELECT {columns} FROM entries e JOIN rooms r ON r.id = e.room");
    let columns = "sequence, time, session, username, reference, style, text";
    let directs = format!("SELECT {columns}, to_session, to_username FROM directs");
    let in_room = |row: &Row<'_>| {
        let room = Target::Room(RoomName::new(&row.get::<_, String>(8)?).unwrap());
        message(row, room, Sequence(row.get::<_, i64>(7)?.cast_unsigned()))
    };
    let direct = |row: &Row<'_>| {
        let username = Username::new(&row.get::<_, String>(8)?).unwrap();
        let to = SessionId(row.get::<_, i64>(7)?.cast_unsigned());
        message(row, Target::Session(to, username), Sequence::ZERO)
    };
    for entry in database.prepare(&rooms)?.query_map([], in_room)? {
        let entry = entry?;
        all.insert(entry.sequence, entry);
    }
    for entry in database.prepare(&directs)?.query_map([], direct)? {
        let entry = entry?;
        let twice = all.insert(entry.sequence, entry);
        assert!(twice.is_none(), "in a room and direct: {twice:?}");
    }
    Ok(all.into_values().collect())
}

/// A message from a database row.
fn message(row: &Row<'_>, target: Target, previous: Sequence) -> rusqlite::Result<LogEntry> {
    let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    let draft = Draft {
        person: None,
        session: SessionId(number(2)?),
        username: Username::new(&row.get::<_, String>(3)?).unwrap(),
        reference: Reference(number(4)?),
        target,
        style: Style(row.get(5)?),
        text: MessageText::new(&row.get::<_, String>(6)?).unwrap(),
    };
    Ok(LogEntry { sequence: Sequence(number(0)?), previous, time: Timestamp(number(1)?), draft })
}

/// Checks that the sessions are those that belong to these messages.
pub(super) fn check_sessions(found: &Found) -> Result<(), String> {
    let mut last = HashMap::new();
    for message in &found.messages {
        let known = last.entry(message.draft.session).or_insert(Reference::NONE);
        *known = message.draft.reference.max(*known);
    }
    let mut sessions = found.restored.sessions.clone();
    sessions.sort_by_key(|it| it.session.0);
    let wanted: Vec<SessionRecord> = (1..=SESSIONS)
        .map(session_record)
        .map(|it| SessionRecord {
            last_reference: last.get(&it.session).copied().unwrap_or_default(),
            ..it
        })
        .collect();
    // Sessions are written before any message.
    if sessions != wanted && !(found.messages.is_empty() && wanted.starts_with(&sessions)) {
        return Err(format!("other sessions: {sessions:?}"));
    }
    Ok(())
}
