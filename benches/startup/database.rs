//! Databases to start with, which the log itself has written.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pi_chat::hub::{Now, Proposal};
use pi_chat::log::{Log, SqliteLog, StoreSettings};
use pi_chat::model::{Moment, Reference, SessionId, SessionRecord, Timestamp, TokenHash, Username};
use tempfile::TempDir;

use crate::messages::{Random, append_messages, wait_until_indexed};

/// Number of sessions that can be resumed. They have joined at even distances, the first one before
/// the first message, which is the one that says everything.
const SESSIONS: u64 = 50;

/// Time since which every second session is away. It is to come, so the server takes it for the
/// present, and the sessions do not expire.
const AWAY_SINCE: Timestamp = Timestamp(4_000_000_000_000);

/// File that says that a database is complete, with what it was made by.
const MADE_BY: &str = "made-by";

/// A number that changes when databases are to be made differently.
const EDITION: &str = "1";

/// Returns the directory of a database with so many messages. Makes it, unless an earlier run has.
fn database(messages: u64) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("startup-{messages}"));
    let mark = directory.join(MADE_BY);
    let made_by = format!("{} {EDITION}", env!("CARGO_PKG_VERSION"));
    if fs::read_to_string(&mark).is_ok_and(|it| it == made_by) {
        return directory.join("log");
    }
    let start = Instant::now();
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    write(&directory.join("log"), messages);
    fs::write(mark, made_by).unwrap();
    eprintln!("{messages} messages written and made findable in {:.1?}", start.elapsed());
    directory.join("log")
}

/// Returns a copy of the database with so many messages, for servers to write to.
pub(crate) fn copy(messages: u64) -> TempDir {
    let original = database(messages);
    let copy = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for file in fs::read_dir(original).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// Writes a database.
fn write(directory: &Path, messages: u64) {
    let settings = StoreSettings { directory: directory.to_path_buf(), ..StoreSettings::default() };
    let (mut log, _) = SqliteLog::open(settings).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut random = Random(1);
    runtime.block_on(async {
        let mut number = 0;
        for session in 1..=SESSIONS {
            let now = Now { moment: Moment::after_start(Duration::ZERO), time: Timestamp(0) };
            log.propose(now, vec![Proposal::PersistSession(record(session))]);
            let next = messages * session / SESSIONS;
            append_messages(&mut log, &mut random, number..next).await;
            number = next;
        }
        if messages > 0 {
            wait_until_indexed(&mut log).await;
        }
    });
    Box::new(log).close();
}

/// Returns the record of a session. Every second one was connected at the end.
fn record(session: u64) -> SessionRecord {
    let mut token = [0; 32];
    token[..8].copy_from_slice(&session.to_be_bytes());
    SessionRecord {
        session: SessionId(session),
        token: TokenHash(token),
        username: Username::new(&format!("person{session}")).unwrap(),
        away_since: session.is_multiple_of(2).then_some(AWAY_SINCE),
        last_reference: Reference(0),
        refused: Vec::new(),
        keeps_name: false,
        key: None,
    }
}
