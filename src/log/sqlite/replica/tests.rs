use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::super::database::{open_to_read, open_to_write};
use super::super::directory::existing_database;
use super::super::sequence_gaps;
use super::super::{SqliteLog, StoreError, StoreSettings};
use super::role::note_superseded;
use super::*;
use crate::hub::{Now, Proposal, ReplicationRequest, RestoredState};
use crate::log::Log;
use crate::model::{
    Draft, LogId, MessageText, Moment, Reference, SessionId, SessionRecord, Target, Timestamp,
    TokenHash, Username,
};
use crate::wire::FrameReader;
use crate::wire::tcp::{Replica, ReplicaCommit, ReplicaMessage, replica_flag};

/// Opens the log in a directory.
fn open(directory: &Path, is_follower: bool) -> Result<(SqliteLog, RestoredState), StoreError> {
    SqliteLog::open(StoreSettings {
        directory: directory.to_path_buf(),
        is_follower,
        ..StoreSettings::default()
    })
}

/// Returns a message of a session.
fn draft(session: u64, reference: u64, target: Target, text: &str) -> Proposal {
    Proposal::Message(Draft {
        session: SessionId(session),
        reference: Reference(reference),
        target,
        text: MessageText::new(text).unwrap(),
        ..Draft::example()
    })
}

/// Returns the record of a session.
fn record(session: u64) -> SessionRecord {
    SessionRecord {
        session: SessionId(session),
        token: TokenHash([u8::try_from(session).unwrap(); 32]),
        username: Username::new("anna").unwrap(),
        away_since: None,
        last_reference: Reference(0),
        refused: Vec::new(),
        keeps_name: false,
        key: None,
    }
}

/// Writes proposals to the log of a server, which is closed then.
fn write(directory: &Path, proposals: Vec<Proposal>) {
    let (mut log, _) = open(directory, false).unwrap();
    log.propose(Now { moment: Moment::default(), time: Timestamp(1) }, proposals);
}

/// Reads everything that a follower with this position lacks, as batches.
fn read(directory: &Path, request: ReplicationRequest) -> (Replica, Vec<ReplicaBatch>) {
    let mut source = ReplicaSource::open(directory, request).unwrap().unwrap();
    let mut reader = FrameReader::from_server();
    let (mut begin, mut batches, mut parts) = (None, Vec::new(), Vec::new());
    while let Some(bytes) = source.next_bytes(Timestamp(2)).unwrap() {
        let fed = reader.feed(&bytes, |body| {
            match Replica::decode(body).unwrap().unwrap() {
                part @ Replica::Begin(_) => begin = Some(part),
                Replica::Commit(commit) => {
                    let parts = std::mem::take(&mut parts);
                    batches.push(ReplicaBatch { parts, commit, epoch: 0 });
                }
                part => parts.push(part),
            }
            true
        });
        fed.unwrap();
    }
    assert!(parts.is_empty(), "everything is committed");
    (begin.unwrap(), batches)
}

/// Request of a follower that has nothing.
const NOTHING: ReplicationRequest =
    ReplicationRequest { log_id: LogId([0; 16]), position: Sequence(0), epoch: 0 };

/// Copies a log to a directory.
fn copy(from: &Path, to: &Path) {
    let (begin, batches) = read(from, NOTHING);
    let Replica::Begin(begin) = begin else { panic!("no begin") };
    let mut store = CopyStore::open(to).unwrap();
    store.begin(&begin, crate::tls::Fingerprint::of_public_key(b"key")).unwrap();
    for batch in batches {
        store.apply(batch).unwrap();
    }
}

/// Returns the rows of a table, as text.
fn rows(directory: &Path, table: &str) -> Vec<String> {
    let connection = open_to_read(&existing_database(directory).unwrap(), None).unwrap();
    let mut statement =
        connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
    let count = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values: Result<Vec<_>, _> =
            (0..count).map(|it| row.get_ref(it).map(|value| format!("{value:?}"))).collect();
        Ok(values?.join(" "))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// Log with messages in rooms, direct messages and sessions, and a directory for its copy.
fn place() -> (TempDir, TempDir) {
    let [server, copy] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let lobby = || Draft::example().target;
    let direct = || Target::Session(SessionId(2), Username::new("bob").unwrap());
    let mut proposals: Vec<Proposal> =
        (1..=4).map(|it| Proposal::PersistSession(record(it))).collect();
    let long = "x".repeat(3_000);
    proposals.extend((1..=40).map(|it| draft(1, it, lobby(), &format!("{it} {long}"))));
    proposals.push(draft(1, 41, direct(), "for bob"));
    proposals.push(draft(3, 1, direct(), "from somebody who goes"));
    proposals.push(Proposal::DeleteSession(SessionId(3)));
    proposals.push(draft(4, 1, lobby(), "last"));
    write(server.path(), proposals);
    (server, copy)
}

#[test]
fn copy_has_all_that_the_server_has() {
    let (server, place) = place();
    copy(server.path(), place.path());
    for table in ["entries", "directs", "mailboxes", "sessions", "facts", "moderation"] {
        assert_eq!(rows(place.path(), table), rows(server.path(), table), "{table}");
        let is_empty = ["facts", "moderation"].contains(&table);
        assert_eq!(rows(place.path(), table).is_empty(), is_empty, "{table}");
    }
    assert_eq!(store_role(place.path()).unwrap(), StoreRole::Copy { is_complete: true });
    let (_, restored) = open(server.path(), false).unwrap();
    let (_, copied) = open(place.path(), true).unwrap();
    assert_eq!((copied.log_id, copied.head), (restored.log_id, restored.head));
    assert!(copied.sessions.is_empty(), "those of the readers are others");
    assert!(copied.next_session.0 >= 1 << 52);
    // What was sent is committed in parts, each of which is a place to go on from.
    let (_, batches) = read(server.path(), NOTHING);
    assert!(batches.len() > 3, "{}", batches.len());
    let half = batches[batches.len() / 2].commit.head;
    let request = ReplicationRequest { log_id: restored.log_id, position: half, epoch: 0 };
    let (begin, rest) = read(server.path(), request);
    assert!(matches!(begin, Replica::Begin(it) if !it.is_whole));
    let first = rest[0].parts.iter().find_map(|it| match it {
        Replica::Message(it) => Some(it.sequence),
        _ => None,
    });
    assert_eq!(first, Some(half.next()), "nothing comes twice, and nothing is missing");
}

/// Applies a batch to an open copy.
fn apply(log: &SqliteLog, batch: ReplicaBatch) -> Result<Applied, ReplicaError> {
    let (answer, told) = oneshot::channel();
    log.replica().send(ReplicaJob::Apply(Box::new(batch), answer));
    told.blocking_recv().unwrap()
}

/// Returns a batch of one message.
fn batch(sequence: u64, head: u64, room: &str) -> ReplicaBatch {
    let part = Replica::Message(ReplicaMessage {
        sequence: Sequence(sequence),
        previous: Sequence(0),
        room: room.to_owned(),
        session: SessionId(1),
        person: SessionId(0),
        username: "anna".to_owned(),
        time: Timestamp(3),
        reference: Reference(50),
        style: 0,
        text: "later".to_owned(),
    });
    let commit = ReplicaCommit { head: Sequence(head), flags: 0, time: Timestamp(3) };
    ReplicaBatch { parts: vec![part], commit, epoch: 0 }
}

/// A batch is applied as a whole or not at all: with an invalid name, or a sequence that is not above
/// the position, nothing of it is.
#[test]
fn wrong_batches_change_nothing() {
    let (server, place) = place();
    copy(server.path(), place.path());
    let (log, restored) = open(place.path(), true).unwrap();
    let head = restored.head.0;
    let before = rows(place.path(), "entries");
    for (sequence, up_to, room) in
        [(head, head, "lobby"), (head + 1, head, "lobby"), (head + 1, head + 1, "no room!")]
    {
        let mut wrong = batch(head + 1, head + 1, "lobby");
        wrong.parts.extend(batch(sequence, up_to, room).parts);
        wrong.commit.head = Sequence(up_to);
        assert!(matches!(apply(&log, wrong), Err(ReplicaError::Malformed)), "{sequence} {room}");
    }
    assert_eq!(rows(place.path(), "entries"), before);
    assert_eq!(apply(&log, batch(head + 1, head + 7, "lobby")).unwrap().head, Sequence(head + 7));
    assert_eq!(rows(place.path(), "entries").len(), before.len() + 1);
    drop(log);
    assert_eq!(open(place.path(), true).unwrap().1.head, Sequence(head + 7));
}

/// A batch of the whole state ends the sessions that are not in it, and their direct messages.
#[test]
fn whole_state_ends_other_sessions() {
    let (server, place) = place();
    copy(server.path(), place.path());
    let (log, restored) = open(place.path(), true).unwrap();
    assert!(!rows(place.path(), "directs").is_empty());
    let flags = replica_flag::WHOLE_STATE | replica_flag::CAUGHT_UP;
    let commit = ReplicaCommit { head: restored.head, flags, time: Timestamp(3) };
    apply(&log, ReplicaBatch { parts: Vec::new(), commit, epoch: 0 }).unwrap();
    assert!(rows(place.path(), "sessions").is_empty());
    assert!(rows(place.path(), "directs").is_empty());
}

/// A promotion leaps over what the server may have given, and says so; sessions are there again, with
/// the references of messages that came after their records.
#[test]
fn promotion_leaps_and_records_the_void() {
    let (server, place) = place();
    copy(server.path(), place.path());
    assert!(matches!(open(place.path(), false), Err(StoreError::Copy)));
    let (log, restored) = open(place.path(), true).unwrap();
    let head = restored.head.next();
    apply(&log, batch(head.0, head.0, "lobby")).unwrap();
    drop(log);
    let promotion = promote_stopped(place.path()).unwrap();
    assert_eq!((promotion.epoch, promotion.head), (1, head));
    assert!(promote_stopped(place.path()).is_err(), "once only");
    let (_log, promoted) = open(place.path(), false).unwrap();
    assert_eq!(promoted.log_id, restored.log_id);
    let [(after, up_to)] = promoted.sequence_gaps[..] else { panic!("{promoted:?}") };
    assert_eq!((after, up_to), (head, promoted.head));
    assert!(up_to.0 >= head.0 + sequence_gaps::MIN_GAP);
    assert!(promoted.next_session.0 > 1 << 20);
    let of =
        |session| promoted.sessions.iter().find(|it| it.session == SessionId(session)).unwrap();
    assert_eq!(of(1).last_reference, Reference(50));
    let role = store_role(place.path()).unwrap();
    assert_eq!(role, StoreRole::Own { was_promoted: true, has_told: false });
}

/// What was said before a promotion is gone on with, what lies in the void is not; and whoever has a
/// greater epoch has replaced the server, which does not open any more, and counts what it has alone.
#[test]
fn lost_positions_and_replaced_servers_are_refused() {
    let (server, place) = place();
    copy(server.path(), place.path());
    let (_, restored) = open(server.path(), false).unwrap();
    let (log_id, head) = (restored.log_id, restored.head);
    promote_stopped(place.path()).unwrap();
    let ask = |position: u64, epoch| {
        let request = ReplicationRequest { log_id, position: Sequence(position), epoch };
        ReplicaSource::open(place.path(), request).unwrap().map(drop)
    };
    assert_eq!(ask(head.0, 0), Ok(()));
    assert_eq!(ask(head.0 + 1, 0), Err(Refusal::Diverged));
    assert_eq!(ask(head.0, 2), Err(Refusal::Superseded));
    let ask_old = |epoch| {
        let request = ReplicationRequest { log_id, position: Sequence(head.0 - 1), epoch };
        ReplicaSource::open(server.path(), request).unwrap().map(drop)
    };
    assert_eq!((ask_old(0), ask_old(1)), (Ok(()), Err(Refusal::Superseded)));
    let path = existing_database(server.path()).unwrap();
    let mut connection: Connection = open_to_write(&path, None).unwrap();
    let replaced = note_superseded(&mut connection, 1, Sequence(head.0 - 2)).unwrap();
    drop(connection);
    assert_eq!((replaced.messages, replaced.directs), (1, 1));
    match open(server.path(), false) {
        Err(error @ StoreError::Superseded(_)) => {
            assert!(error.to_string().contains("1 in rooms, 1 direct"), "{error}");
        }
        _ => panic!("it was replaced"),
    }
    assert_eq!(store_role(server.path()).unwrap(), StoreRole::Superseded(replaced));
    let aside = set_aside(server.path()).unwrap();
    assert!(aside.exists());
    assert_eq!(store_role(server.path()).unwrap(), StoreRole::Empty);
}

/// A source that has read everything has nothing more, then only what has changed: a session that was
/// stored anew, and the end of another one, whose direct messages go too.
#[test]
fn later_only_what_has_changed_comes() {
    let (server, _) = place();
    let mut source = ReplicaSource::open(server.path(), NOTHING).unwrap().unwrap();
    let mut read = || {
        let (mut reader, mut parts) = (FrameReader::from_server(), Vec::new());
        while let Some(bytes) = source.next_bytes(Timestamp(2)).unwrap() {
            let fed = reader.feed(&bytes, |body| {
                parts.push(Replica::decode(body).unwrap().unwrap());
                true
            });
            fed.unwrap();
        }
        parts
    };
    let sessions = |parts: &[Replica]| {
        let told = parts.iter().filter_map(|it| match it {
            Replica::Session(it) => Some((it.session.0, it.away_since)),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(sessions(&read()), [(1, None), (2, None), (4, None)]);
    assert_eq!(read(), []);
    let away = Some(Timestamp(9));
    let record = SessionRecord { away_since: away, ..record(2) };
    write(
        server.path(),
        vec![Proposal::PersistSession(record), Proposal::DeleteSession(SessionId(4))],
    );
    let parts = read();
    assert_eq!(sessions(&parts), [(2, away)]);
    let ended = Replica::SessionDeleted(SessionId(4), false);
    assert!(parts.contains(&ended) && parts.len() == 3, "{parts:?}");
}
