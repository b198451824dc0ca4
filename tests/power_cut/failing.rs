//! A disk that takes nothing for a while: whatever the log says of a message,
//! that is how it is.

use std::collections::HashSet;

use pi_chat::hub::StorageHealth;
use pi_chat::log::{Durability, LogEvent, OnFailure, StoreSettings};
use pi_chat::model::LogEntry;
use tempfile::tempdir;

use super::world::{World, look, settings};

/// Batches of messages before the disk fails, and again afterwards.
const BATCHES: usize = 5;

/// How many moments of failure are tried.
const LIVES: u64 = 40;

/// Lives through a failure, and another one while the log tries again; looks
/// whether everything is as it was said.
fn live(settings: StoreSettings, seed: u64) {
    let on_failure = settings.on_failure;
    let mut world = World::new(settings, seed, |_| {});
    for _ in 0..BATCHES {
        world.say();
        world.wait(0);
    }
    let seed_size = usize::try_from(seed).unwrap();
    let first = world.disk.steps() + seed_size % 5;
    world.disk.fail_in([first, first + 1 + seed_size]);
    let state = |world: &World| match world.told.last() {
        Some(LogEvent::Storage(storage)) => *storage,
        _ => StorageHealth::Sound,
    };
    // Some are said before the log notices, some while it is so.
    while world.told.is_empty() {
        world.say();
        world.wait(0);
    }
    let expected = match on_failure {
        OnFailure::Continue => StorageHealth::MemoryOnly,
        OnFailure::Refuse => StorageHealth::Refusing,
    };
    assert_eq!(state(&world), expected, "seed {seed}");
    for _ in 0..BATCHES {
        world.say();
        world.wait(0);
    }
    while state(&world) != StorageHealth::Sound {
        world.hear();
    }
    for _ in 0..BATCHES {
        world.say();
        world.wait(0);
    }
    check(world, on_failure, seed);
}

/// Closes the log and looks at what is there.
fn check(mut world: World, on_failure: OnFailure, seed: u64) {
    let (committed, refused) =
        (std::mem::take(&mut world.committed), std::mem::take(&mut world.refused));
    assert_eq!(refused.is_empty(), on_failure == OnFailure::Continue, "seed {seed}");
    let (disk, log_id) = (world.disk.clone(), world.restored.log_id);
    let given = world.close();
    let left = tempdir().unwrap();
    disk.cut().write_to(left.path(), seed);
    let found = look(left.path()).unwrap();
    assert!(found.messages == committed, "seed {seed}: not what was committed");
    assert_eq!(found.restored.log_id, log_id, "seed {seed}");
    // Each was either taken or not, and once.
    let number = |it: &LogEntry| (it.draft.session, it.draft.reference);
    let answered: HashSet<_> = committed.iter().map(number).chain(refused.clone()).collect();
    assert_eq!(answered, given.iter().map(number).collect(), "seed {seed}");
    assert_eq!(committed.len() + refused.len(), given.len(), "seed {seed}");
    for pair in committed.windows(2) {
        assert!(pair[0].sequence < pair[1].sequence, "seed {seed}: {pair:?}");
    }
}

/// Lives through failures at many moments, at the same time, for the log
/// takes its time between attempts.
fn live_often(on_failure: OnFailure, durability: Durability) {
    let lives = (0..LIVES).map(|seed| {
        let settings = StoreSettings { on_failure, durability, ..settings() };
        std::thread::spawn(move || live(settings, seed))
    });
    for life in lives.collect::<Vec<_>>() {
        life.join().unwrap();
    }
}

#[test]
fn continuing_loses_nothing_in_strict() {
    live_often(OnFailure::Continue, Durability::Strict);
}

#[test]
fn continuing_loses_nothing_in_relaxed() {
    live_often(OnFailure::Continue, Durability::Relaxed);
}

#[test]
fn what_is_refused_is_not_there() {
    live_often(OnFailure::Refuse, Durability::Strict);
}

/// The disk never recovers, and then the power is cut: what was only in
/// memory is gone, and no position in it can be taken for one in what is said
/// later.
#[test]
fn what_was_only_in_memory_is_gone_and_its_places_are_not_used_again() {
    for seed in 0..30 {
        let settings = StoreSettings { durability: Durability::Strict, ..settings() };
        let mut world = World::new(settings, seed, |_| {});
        for _ in 0..BATCHES {
            world.say();
            world.wait(0);
        }
        let written = world.committed.len();
        let first = world.disk.steps() + usize::try_from(seed).unwrap() % 8;
        world.disk.fail_in(first..first + 1_000);
        for _ in 0..2 * BATCHES {
            world.say();
            world.wait(0);
        }
        let cut = world.disk.cut();
        let committed = std::mem::take(&mut world.committed);
        let given = world.close();
        let left = tempdir().unwrap();
        cut.write_to(left.path(), seed);
        let found = look(left.path()).unwrap();
        // It may be a batch more: its transaction was complete but for the sync.
        let count = found.messages.len();
        assert!((written..given.len()).contains(&count), "seed {seed}: {count} of {written}");
        assert!(found.messages == given[..count], "seed {seed}: not what was said");
        let leap = 1 << 32;
        let (kept, lost) = committed.split_at(committed.partition_point(|it| it.sequence.0 < leap));
        assert!(found.messages.starts_with(kept), "seed {seed}: something is missing");
        assert!(!lost.is_empty() && found.restored.head.0 < leap, "seed {seed}");
    }
}

/// The disk never recovers, and the server is stopped: nothing is noted of what it could not
/// write.
#[test]
fn a_stop_on_a_failing_disk_claims_nothing() {
    let mut world = World::new(settings(), 1, |_| {});
    for _ in 0..BATCHES {
        world.say();
        world.wait(0);
    }
    let first = world.disk.steps();
    world.disk.fail_in(first..first + 100_000);
    for _ in 0..BATCHES {
        world.say();
        world.wait(0);
    }
    let (disk, committed) = (world.disk.clone(), std::mem::take(&mut world.committed));
    // At the end it takes a little: not all that is owed, but a note would find room.
    disk.fail_in([disk.steps()]);
    world.close();
    let left = tempdir().unwrap();
    disk.cut().write_to(left.path(), 1);
    let found = look(left.path()).unwrap();
    assert!(found.messages.len() < committed.len());
    let last = found.messages.last().unwrap().sequence;
    assert_eq!(found.restored.head, last, "a position in what is lost is ahead of the log");
}

/// A sync fails once; the disk recovers, and long after that the power is cut.
/// What the disk has told of as synced since is there. (After an error, Linux takes
/// the pages for written: the next sync says nothing of them.)
#[test]
fn what_is_written_after_a_failed_sync_outlives_a_power_cut() {
    let mut world = World::new(settings(), 1, |_| {});

    for _ in 0..BATCHES {
        world.say();
        world.wait(0);
    }
    world.disk.fail_next_sync();
    // (Nothing more is said until then: it shall be the sync of what was written without one.)
    while world.told.last() != Some(&LogEvent::Storage(StorageHealth::Sound)) {
        world.hear();
    }
    for _ in 0..BATCHES {
        world.say();
        world.wait(0);
    }

    world.disk.wait_for_sync(super::world::PATIENCE);
    let cut = world.disk.cut();
    let committed = std::mem::take(&mut world.committed);
    world.close();
    let left = tempdir().unwrap();
    cut.write_to(left.path(), 1);
    let found = look(left.path()).unwrap();
    assert_eq!(found.messages.len(), committed.len(), "synced messages that are there");
}
