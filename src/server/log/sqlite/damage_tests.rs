//! What a log does when a thread or a row of it is broken.

use std::future::poll_fn;
use std::thread;

use super::*;

/// The next event of a log.
fn next(log: &mut SqliteLog) -> Option<LogEvent> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(poll_fn(|context| log.poll_event(context)))
}

#[test]
fn without_a_thread_that_reads_the_events_end() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().to_path_buf();
    let (mut log, _) =
        SqliteLog::open(StoreSettings { directory, ..StoreSettings::default() }).unwrap();
    log.answered.push_back(LogEvent::Storage(crate::hub::Storage::Sound));
    let (ending, endings) = unbounded_channel();
    log.endings = endings;
    let ending = Ending(ending);
    let broken = thread::spawn(move || {
        let _ending = ending;
        panic!("a bug");
    });
    assert!(broken.join().is_err());
    assert_eq!(next(&mut log), Some(LogEvent::Storage(crate::hub::Storage::Sound)));
    assert_eq!(next(&mut log), None);
    assert_eq!(next(&mut log), None, "and nothing comes after that");
}
