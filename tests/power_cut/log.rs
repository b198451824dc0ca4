//! The server's log keeps what `docs/durability.md` promises when the power is cut.

use std::time::{Duration, Instant};

use pi_chat::log::{Durability, StoreSettings};
use pi_chat::model::LogId;
use tempfile::tempdir;

use super::cut::PowerCut;
use super::harness::{LogHarness, PATIENCE, check_sessions, reopen, settings};

/// Number of power cuts for each promise.
const CUTS: u64 = 120;

/// Maximum number of batches of messages before the power is cut.
const BATCHES: usize = 30;

/// State before a power cut, and the cut.
struct Case {
    /// Log id; none if nothing was acknowledged, so that no client can know it.
    log_id: Option<LogId>,
    /// Messages in the order in which they were appended.
    appended: Vec<pi_chat::model::LogEntry>,
    /// The power cut.
    cut: PowerCut,
}

/// Appends to a log until the power is cut after this step. Returns the number of steps as well.
fn run_until_cut(settings: StoreSettings, seed: u64, step: usize) -> (Case, usize) {
    let mut harness = LogHarness::new(settings, seed, |disk| disk.cut_after_step(step));
    for batch in 0..BATCHES {
        harness.append_random();
        // Some messages are still pending when the next ones are appended.
        harness.wait_until_pending(if batch % 3 == 0 { 0 } else { 4 });
        if harness.disk.is_cut() {
            break;
        }
    }
    let (cut, steps) = (harness.disk.cut(), harness.disk.steps());
    let log_id = (cut.acknowledged() > 0).then_some(harness.restored.log_id);
    (Case { log_id, appended: harness.close(), cut }, steps)
}

/// Checks one possible outcome of the cut.
///
/// # Errors
///
/// A description of the broken promise.
fn check(case: &Case, durability: Durability, seed: u64) -> Result<(), String> {
    let left = tempdir().unwrap();
    case.cut.write_to(left.path(), seed);
    let found = reopen(left.path())?;
    let count = found.messages.len();
    if case.appended.get(..count) != Some(&found.messages[..]) {
        return Err(format!("not the first {count} of what was said"));
    }
    // The first acknowledged item is that the log is open.
    let promised = match durability {
        Durability::Strict => case.cut.acknowledged().saturating_sub(1),
        Durability::Relaxed => case.cut.acknowledged_at_sync().saturating_sub(1),
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

/// Cuts the power at many moments. Returns the broken promises.
fn cut_many_times(settings: &StoreSettings) -> Vec<String> {
    let (_, last_step) = run_until_cut(settings.clone(), 0, 0);
    let outcome = |seed| {
        let step = fastrand::Rng::with_seed(seed).usize(1..=last_step);
        let (case, _) = run_until_cut(settings.clone(), seed, step);
        let outcome = check(&case, settings.durability, seed);
        outcome.err().map(|error| format!("seed {seed}, step {step}: {error}"))
    };
    (0..CUTS).filter_map(outcome).collect()
}

/// With `durability = "strict"` every acknowledged message survives, and the log id stays.
#[test]
fn strict_loses_no_acknowledged_message() {
    let settings = StoreSettings { durability: Durability::Strict, ..settings() };
    assert_eq!(cut_many_times(&settings), [""; 0]);
}

/// With `durability = "relaxed"` messages before the last sync survive, and the log gets a new id.
#[test]
fn relaxed_loses_only_the_end_and_changes_the_log_id() {
    assert_eq!(cut_many_times(&settings()), [""; 0]);
}

/// A log that never syncs breaks the promises: these tests can fail.
#[test]
fn unsynced_log_is_detected() {
    let durability = Durability::Strict;
    let settings = StoreSettings { durability, never_sync: true, ..settings() };
    let found = cut_many_times(&settings);
    assert!(found.iter().any(|it| it.contains("messages there are")), "{found:#?}");
}

/// Appends for some seconds: no change stays unsynced for long, so what a cut loses is about a
/// second old at most.
#[test]
fn relaxed_loses_at_most_one_second() {
    let harnesses = (0..4).map(|seed| {
        std::thread::spawn(move || {
            let mut harness = LogHarness::new(settings(), seed, |_| {});
            let log_id = Some(harness.restored.log_id);
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(1_300 + 500 * seed) {
                harness.append_random();
                harness.wait_until_pending(8);
            }
            // The power is cut while messages are pending.
            let cut = harness.disk.cut();
            harness.wait_until_pending(0);
            // No message follows, and the log syncs nevertheless.
            let longest = harness.disk.wait_for_sync(PATIENCE);
            // The limit is generous, for busy machines.
            assert!(longest < Duration::from_millis(2_500), "not synced for {longest:?}");
            assert!(cut.acknowledged_at_sync() > 100, "nothing was synced meanwhile");
            let case = Case { log_id, appended: harness.close(), cut };
            for other in 0..3 {
                assert_eq!(check(&case, Durability::Relaxed, 10 * seed + other), Ok(()), "{seed}");
            }
        })
    });
    for harness in harnesses.collect::<Vec<_>>() {
        harness.join().unwrap();
    }
}

/// After a close, everything is on the disk, and the log id stays.
#[test]
fn closed_log_is_complete() {
    for seed in 0..20 {
        let mut harness = LogHarness::new(settings(), seed, |_| {});
        for _ in 0..BATCHES {
            harness.append_random();
        }
        let (disk, log_id) = (harness.disk.clone(), harness.restored.log_id);
        let appended = harness.close();
        let left = tempdir().unwrap();
        disk.cut().write_to(left.path(), seed);
        let found = reopen(left.path()).unwrap();
        assert!(found.messages == appended, "seed {seed}: {} messages", found.messages.len());
        assert_eq!(found.restored.log_id, log_id, "seed {seed}");
        check_sessions(&found).unwrap();
    }
}
