//! The server's log keeps what `docs/durability.md` promises when the power
//! is cut.

use std::time::{Duration, Instant};

use pi_chat::log::{Durability, StoreSettings};
use pi_chat::model::LogId;
use tempfile::tempdir;

use super::cut::PowerCut;
use super::harness::{LogHarness, PATIENCE, check_sessions, reopen, settings};

/// So often the power is cut for each promise.
const CUTS: u64 = 120;

/// Batches of messages before the power is cut at the latest.
const BATCHES: usize = 30;

/// What was there before the cut, and what is left.
struct Case {
    /// The log's name; none if nobody can have learnt it.
    log_id: Option<LogId>,
    /// Messages in the order in which the log got them.
    appended: Vec<pi_chat::model::LogEntry>,
    /// The moment of the cut.
    cut: PowerCut,
}

/// Uses a log, and cuts the power behind so many steps.
fn run_until_cut(settings: StoreSettings, seed: u64, step: usize) -> (Case, usize) {
    let mut harness = LogHarness::new(settings, seed, |disk| disk.cut_after_step(step));
    for batch in 0..BATCHES {
        harness.append_random();
        // Some are still under way when the next ones come.
        harness.wait_until_pending(if batch % 3 == 0 { 0 } else { 4 });
        if harness.disk.is_cut() {
            break;
        }
    }
    let (cut, steps) = (harness.disk.cut(), harness.disk.steps());
    let log_id = (cut.acknowledged() > 0).then_some(harness.restored.log_id);
    (Case { log_id, appended: harness.close(), cut }, steps)
}

/// Looks at one thing that the cut may have left; says what is not as
/// promised.
fn check(case: &Case, durability: Durability, seed: u64) -> Result<(), String> {
    let left = tempdir().unwrap();
    case.cut.write_to(left.path(), seed);
    let found = reopen(left.path())?;
    let count = found.messages.len();
    if case.appended.get(..count) != Some(&found.messages[..]) {
        return Err(format!("not the first {count} of what was said"));
    }
    // (The first thing acknowledged is that the log is open.)
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

/// Cuts the power at many moments; gives what is not as promised.
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

#[test]
fn strict_loses_no_acknowledged_message() {
    let settings = StoreSettings { durability: Durability::Strict, ..settings() };
    assert_eq!(cut_many_times(&settings), [""; 0]);
}

#[test]
fn relaxed_loses_only_the_end_and_changes_the_log_id() {
    assert_eq!(cut_many_times(&settings()), [""; 0]);
}

/// What would be found if the log did not do what it has to.
#[test]
fn unsynced_log_is_detected() {
    let durability = Durability::Strict;
    let settings = StoreSettings { durability, never_sync: true, ..settings() };
    let found = cut_many_times(&settings);
    assert!(found.iter().any(|it| it.contains("messages there are")), "{found:#?}");
}

/// Over some seconds: what is lost is at last_step a second old.
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
            // In the middle of what is under way.
            let cut = harness.disk.cut();
            harness.wait_until_pending(0);
            // Nobody says anything any more, and still it is synced.
            let longest = harness.disk.wait_for_sync(PATIENCE);
            // (A busy machine may be late.)
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
