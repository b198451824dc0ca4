//! By which name a log goes on.

use std::fs;
use std::path::Path;

use super::*;
use crate::model::LogId;

/// Opens the log of a directory in this run of the system, and closes it if
/// that is wanted; else it is left as by a process that was killed. Gives its
/// name.
fn open(directory: &Path, boot_id: &str, durability: Durability, closes: bool) -> LogId {
    let settings = StoreSettings {
        directory: directory.join("log"),
        durability,
        boot_id: Some(boot_id.to_owned()),
        ..StoreSettings::default()
    };
    let (log, restored) = SqliteLog::open(settings).unwrap();
    drop(log);
    if !closes {
        let path = directory.join("log").join("chat.db");
        let connection = database::open_to_write(&path, None).unwrap();
        database::note_fact(&connection, database::fact::IS_CLEAN, 0).unwrap();
    }
    restored.log_id
}

#[test]
fn a_new_name_only_when_the_end_may_be_gone() {
    let directory = tempfile::tempdir().unwrap();
    let open = |boot_id, durability, closes| open(directory.path(), boot_id, durability, closes);
    let first = open("1", Durability::Relaxed, true);
    assert_eq!(open("2", Durability::Relaxed, false), first, "it was closed");
    assert_eq!(open("2", Durability::Relaxed, false), first, "the process was killed");
    let second = open("3", Durability::Strict, false);
    assert_ne!(second, first, "the system went down");
    assert_eq!(open("4", Durability::Relaxed, true), second, "everything was synced");
}

#[test]
fn a_copy_is_another_log() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path(), "1", Durability::Strict, true);
    let path = directory.path().join("log").join("chat.db");
    let bytes = fs::read(&path).unwrap();
    fs::write(path.with_extension("copy"), bytes).unwrap();
    fs::rename(path.with_extension("copy"), &path).unwrap();
    let second = open(directory.path(), "1", Durability::Strict, true);
    assert_ne!(second, first);
    assert_eq!(open(directory.path(), "1", Durability::Strict, true), second);
}
