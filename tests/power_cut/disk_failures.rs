//! A disk on which writes fail for a while: what the log reports of a message is true.

use std::collections::HashSet;

use pi_chat::hub::StorageHealth;
use pi_chat::log::{Durability, LogEvent, OnFailure, StoreSettings};
use pi_chat::model::LogEntry;
use tempfile::tempdir;

use super::harness::{LogHarness, reopen, settings};

/// Number of batches of messages before the disk fails, and again in each later phase.
const BATCHES: usize = 5;

/// Number of runs, each with another moment of failure.
const RUNS: u64 = 40;

/// Runs a log through a disk failure, and a second failure while the log tries again. Then checks
/// that everything is as the log has reported.
fn run_through_failures(settings: StoreSettings, seed: u64) {
    let on_failure = settings.on_failure;
    let mut harness = LogHarness::new(settings, seed, |_| {});
    for _ in 0..BATCHES {
        harness.append_random();
        harness.wait_until_pending(0);
    }
    let seed_number = usize::try_from(seed).unwrap();
    let first = harness.disk.steps() + seed_number % 5;
    harness.disk.fail_at_steps([first, first + 1 + seed_number]);
    let state = |harness: &LogHarness| match harness.other_events.last() {
        Some(LogEvent::StorageChanged(storage)) => *storage,
        _ => StorageHealth::Sound,
    };
    // Some messages are appended before the log notices the failure, some during it.
    while harness.other_events.is_empty() {
        harness.append_random();
        harness.wait_until_pending(0);
    }
    let expected = match on_failure {
        OnFailure::Continue => StorageHealth::MemoryOnly,
        OnFailure::Refuse => StorageHealth::Refusing,
    };
    assert_eq!(state(&harness), expected, "seed {seed}");
    for _ in 0..BATCHES {
        harness.append_random();
        harness.wait_until_pending(0);
    }
    while state(&harness) != StorageHealth::Sound {
        harness.take_event();
    }
    for _ in 0..BATCHES {
        harness.append_random();
        harness.wait_until_pending(0);
    }
    check(harness, on_failure, seed);
}

/// Closes the log and compares what is on the disk with what the log has reported.
fn check(mut harness: LogHarness, on_failure: OnFailure, seed: u64) {
    let (committed, refused) =
        (std::mem::take(&mut harness.committed), std::mem::take(&mut harness.refused));
    assert_eq!(refused.is_empty(), on_failure == OnFailure::Continue, "seed {seed}");
    let (disk, log_id) = (harness.disk.clone(), harness.restored.log_id);
    let appended = harness.close();
    let left = tempdir().unwrap();
    disk.cut().write_to(left.path(), seed);
    let found = reopen(left.path()).unwrap();
    assert!(found.messages == committed, "seed {seed}: not what was committed");
    assert_eq!(found.restored.log_id, log_id, "seed {seed}");
    // Each message was either committed or refused, and once only.
    let number = |it: &LogEntry| (it.draft.session, it.draft.reference);
    let answered: HashSet<_> = committed.iter().map(number).chain(refused.clone()).collect();
    assert_eq!(answered, appended.iter().map(number).collect(), "seed {seed}");
    assert_eq!(committed.len() + refused.len(), appended.len(), "seed {seed}");
    for pair in committed.windows(2) {
        assert!(pair[0].sequence < pair[1].sequence, "seed {seed}: {pair:?}");
    }
}

/// Runs through failures at many moments, all at the same time, because the log pauses between
/// attempts.
fn run_many(on_failure: OnFailure, durability: Durability) {
    let runs = (0..RUNS).map(|seed| {
        let settings = StoreSettings { on_failure, durability, ..settings() };
        std::thread::spawn(move || run_through_failures(settings, seed))
    });
    for run in runs.collect::<Vec<_>>() {
        run.join().unwrap();
    }
}

/// With `on-disk-failure = "continue"` and `durability = "strict"`.
#[test]
fn continue_loses_nothing_with_strict() {
    run_many(OnFailure::Continue, Durability::Strict);
}

/// With `on-disk-failure = "continue"` and `durability = "relaxed"`.
#[test]
fn continue_loses_nothing_with_relaxed() {
    run_many(OnFailure::Continue, Durability::Relaxed);
}

/// With `on-disk-failure = "refuse"`.
#[test]
fn refused_messages_are_not_stored() {
    run_many(OnFailure::Refuse, Durability::Strict);
}

/// The disk does not recover, and then the power is cut. Messages that were only in memory are
/// lost, and later messages do not get their sequences, so no position among them is mistaken for a
/// later one.
#[test]
fn memory_only_messages_are_lost_and_their_sequences_not_reused() {
    for seed in 0..30 {
        let settings = StoreSettings { durability: Durability::Strict, ..settings() };
        let mut harness = LogHarness::new(settings, seed, |_| {});
        for _ in 0..BATCHES {
            harness.append_random();
            harness.wait_until_pending(0);
        }
        let written = harness.committed.len();
        let first = harness.disk.steps() + usize::try_from(seed).unwrap() % 8;
        harness.disk.fail_at_steps(first..first + 1_000);
        for _ in 0..2 * BATCHES {
            harness.append_random();
            harness.wait_until_pending(0);
        }
        let cut = harness.disk.cut();
        let committed = std::mem::take(&mut harness.committed);
        let appended = harness.close();
        let left = tempdir().unwrap();
        cut.write_to(left.path(), seed);
        let found = reopen(left.path()).unwrap();
        // One batch more may be there: its transaction was complete but not synced.
        let count = found.messages.len();
        assert!((written..appended.len()).contains(&count), "seed {seed}: {count} of {written}");
        assert!(found.messages == appended[..count], "seed {seed}: not what was said");
        let first_memory_sequence = 1 << 32;
        let (kept, lost) = committed
            .split_at(committed.partition_point(|it| it.sequence.0 < first_memory_sequence));
        assert!(found.messages.starts_with(kept), "seed {seed}: something is missing");
        assert!(!lost.is_empty() && found.restored.head.0 < first_memory_sequence, "seed {seed}");
    }
}

/// The disk does not recover, and the server is stopped: the stored head does not cover messages
/// that were not written.
#[test]
fn stop_on_a_failing_disk_does_not_advance_the_head() {
    let mut harness = LogHarness::new(settings(), 1, |_| {});
    for _ in 0..BATCHES {
        harness.append_random();
        harness.wait_until_pending(0);
    }
    let first = harness.disk.steps();
    harness.disk.fail_at_steps(first..first + 100_000);
    for _ in 0..BATCHES {
        harness.append_random();
        harness.wait_until_pending(0);
    }
    let (disk, committed) = (harness.disk.clone(), std::mem::take(&mut harness.committed));
    // During the close one step fails and later ones work: not all pending messages could be
    // written, but a record of the head could.
    disk.fail_at_steps([disk.steps()]);
    harness.close();
    let left = tempdir().unwrap();
    disk.cut().write_to(left.path(), 1);
    let found = reopen(left.path()).unwrap();
    assert!(found.messages.len() < committed.len());
    let last = found.messages.last().unwrap().sequence;
    assert_eq!(found.restored.head, last, "a position in what is lost is ahead of the log");
}

/// A sync fails once, the disk recovers, and the power is cut long after that. Everything that the
/// disk has reported as synced since then is there. After the error Linux marks the pages as clean,
/// so the next sync does not write them.
#[test]
fn data_rewritten_after_a_failed_sync_survives_a_power_cut() {
    let mut harness = LogHarness::new(settings(), 1, |_| {});

    for _ in 0..BATCHES {
        harness.append_random();
        harness.wait_until_pending(0);
    }
    harness.disk.fail_next_sync();
    // Nothing is appended until the log has recovered, so that the next sync has to cover what was
    // written without one.
    while harness.other_events.last() != Some(&LogEvent::StorageChanged(StorageHealth::Sound)) {
        harness.take_event();
    }
    for _ in 0..BATCHES {
        harness.append_random();
        harness.wait_until_pending(0);
    }

    harness.disk.wait_for_sync(super::harness::PATIENCE);
    let cut = harness.disk.cut();
    let committed = std::mem::take(&mut harness.committed);
    harness.close();
    let left = tempdir().unwrap();
    cut.write_to(left.path(), 1);
    let found = reopen(left.path()).unwrap();
    assert_eq!(found.messages.len(), committed.len(), "synced messages that are there");
}
