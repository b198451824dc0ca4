//! The server's log keeps what `docs/durability.md` promises when the power
//! is cut.

use std::time::{Duration, Instant};

use pi_chat::log::{Durability, StoreSettings};
use pi_chat::model::LogId;
use tempfile::tempdir;

use super::cut::Cut;
use super::world::{PATIENCE, World, check_sessions, look, settings};

/// So often the power is cut for each promise.
const CUTS: u64 = 120;

/// Batches of messages before the power is cut at the latest.
const BATCHES: usize = 30;

/// What was there before the cut, and what is left.
struct Case {
    /// The log's name; none if nobody can have learnt it.
    log_id: Option<LogId>,
    /// Messages in the order in which the log got them.
    given: Vec<pi_chat::model::LogEntry>,
    /// The moment of the cut.
    cut: Cut,
}

/// Uses a log, and cuts the power behind so many steps.
fn use_until(settings: StoreSettings, seed: u64, step: usize) -> (Case, usize) {
    let mut world = World::new(settings, seed, |disk| disk.cut_behind(step));
    for batch in 0..BATCHES {
        world.say();
        // Some are still under way when the next ones come.
        world.wait(if batch % 3 == 0 { 0 } else { 4 });
        if world.disk.is_cut() {
            break;
        }
    }
    let (cut, steps) = (world.disk.cut(), world.disk.steps());
    let log_id = (cut.noted() > 0).then_some(world.restored.log_id);
    (Case { log_id, given: world.close(), cut }, steps)
}

/// Looks at one thing that the cut may have left; says what is not as
/// promised.
fn check(case: &Case, durability: Durability, seed: u64) -> Result<(), String> {
    let left = tempdir().unwrap();
    case.cut.write_to(left.path(), seed);
    let found = look(left.path())?;
    let count = found.messages.len();
    if case.given.get(..count) != Some(&found.messages[..]) {
        return Err(format!("not the first {count} of what was said"));
    }
    // (The first thing noted is that the log is open.)
    let promised = match durability {
        Durability::Strict => case.cut.noted().saturating_sub(1),
        Durability::Relaxed => case.cut.noted_at_sync().saturating_sub(1),
    };
    if count < promised {
        return Err(format!("of {promised} messages there are {count}"));
    }
    check_sessions(&found)?;
    let is_same = case.log_id == Some(found.restored.log_id);
    match (case.log_id, durability) {
        (Some(_), Durability::Strict) if !is_same => Err("another log id".to_owned()),
        (Some(_), Durability::Relaxed) if is_same => Err("the same log id".to_owned()),
        _ => Ok(()),
    }
}

/// Cuts the power at many moments; gives what is not as promised.
fn cut_often(settings: &StoreSettings) -> Vec<String> {
    let (_, most) = use_until(settings.clone(), 0, 0);
    let outcome = |seed| {
        let step = fastrand::Rng::with_seed(seed).usize(1..=most);
        let (case, _) = use_until(settings.clone(), seed, step);
        let outcome = check(&case, settings.durability, seed);
        outcome.err().map(|error| format!("seed {seed}, step {step}: {error}"))
    };
    (0..CUTS).filter_map(outcome).collect()
}

#[test]
fn strict_loses_nothing_that_anybody_saw() {
    let settings = StoreSettings { durability: Durability::Strict, ..settings() };
    assert_eq!(cut_often(&settings), [""; 0]);
}

#[test]
fn relaxed_loses_only_the_end_and_says_so() {
    assert_eq!(cut_often(&settings()), [""; 0]);
}

/// What would be found if the log did not do what it has to.
#[test]
fn a_log_that_never_syncs_is_found_out() {
    let durability = Durability::Strict;
    let settings = StoreSettings { durability, never_sync: true, ..settings() };
    let found = cut_often(&settings);
    assert!(found.iter().any(|it| it.contains("messages there are")), "{found:#?}");
}

/// Over some seconds: what is lost is at most a second old.
#[test]
fn relaxed_loses_a_second_at_most() {
    let worlds = (0..4).map(|seed| {
        std::thread::spawn(move || {
            let mut world = World::new(settings(), seed, |_| {});
            let log_id = Some(world.restored.log_id);
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(1_300 + 500 * seed) {
                world.say();
                world.wait(8);
            }
            // In the middle of what is under way.
            let cut = world.disk.cut();
            world.wait(0);
            // Nobody says anything any more, and still it is synced.
            let longest = world.disk.wait_for_sync(PATIENCE);
            // (A busy machine may be late.)
            assert!(longest < Duration::from_millis(2_500), "not synced for {longest:?}");
            assert!(cut.noted_at_sync() > 100, "nothing was synced meanwhile");
            let case = Case { log_id, given: world.close(), cut };
            for other in 0..3 {
                assert_eq!(check(&case, Durability::Relaxed, 10 * seed + other), Ok(()), "{seed}");
            }
        })
    });
    for world in worlds.collect::<Vec<_>>() {
        world.join().unwrap();
    }
}

#[test]
fn what_was_closed_is_whole() {
    for seed in 0..20 {
        let mut world = World::new(settings(), seed, |_| {});
        for _ in 0..BATCHES {
            world.say();
        }
        let (disk, log_id) = (world.disk.clone(), world.restored.log_id);
        let given = world.close();
        let left = tempdir().unwrap();
        disk.cut().write_to(left.path(), seed);
        let found = look(left.path()).unwrap();
        assert!(found.messages == given, "seed {seed}: {} messages", found.messages.len());
        assert_eq!(found.restored.log_id, log_id, "seed {seed}");
        check_sessions(&found).unwrap();
    }
}
