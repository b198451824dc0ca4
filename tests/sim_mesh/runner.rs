//! Runner of simulations: many seeds in parallel, and reports that show how to repeat a failure.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::checks;
use super::random_scenarios::Scenario;
use super::world::S;

/// Default number of trace lines shown for a failure.
const TRACE_LINES: usize = 60;

/// Converts a time in microseconds to seconds.
pub(crate) fn seconds(time: u64) -> f64 {
    time as f64 / S as f64
}

/// Returns a number from an environment variable; `None` if it is not set. Panics if it is no
/// number.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|it| it.parse().unwrap_or_else(|_| panic!("{name}={it}")))
}

/// Runs the scenarios of `count` seeds in parallel, and panics with a report if any check fails.
/// `SIM_PERCENT` runs that share of them, at least one; `SIM_SEEDS` overrides the count, `SIM_FROM`
/// the first seed; `SIM_SEED` runs a single one.
pub(crate) fn run_seeds(what: &str, count: u64, plan: impl Fn(u64) -> Scenario + Sync) {
    let share = (count * number("SIM_PERCENT").unwrap_or(100) / 100).max(1);
    let (first, count) = match number("SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (number("SIM_FROM").unwrap_or(1), number("SIM_SEEDS").unwrap_or(share)),
    };
    let next = AtomicU64::new(first);
    let failures = Mutex::new(BTreeMap::new());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let violations = run_and_check(plan(seed));
                    if !violations.is_empty() {
                        failures.lock().unwrap().insert(seed, violations);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    if let Some(seed) = failures.keys().next() {
        let last_events = rerun_with_trace(plan(*seed));
        let failures = summary(&failures);
        panic!(
            "{what}: {failures}\nwhat happened last with seed {seed}:\n{last_events}\nto see it again: \
             SIM_SEED={seed} cargo test --release --test sim_mesh {what}"
        );
    }
}

/// Runs a scenario and returns the violations of the checks. If it panics, returns only that
/// ([`checks::PANICKED`]).
fn run_and_check(mut plan: Scenario) -> Vec<(&'static str, String)> {
    let run = || {
        plan.world.run_until(plan.end);
        checks::violations(&plan.world)
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        vec![(checks::PANICKED, text)]
    })
}

/// Returns a human-readable summary of violations and their seeds.
fn summary(failures: &BTreeMap<u64, Vec<(&'static str, String)>>) -> String {
    let mut summary = format!("{} seeds failed\n", failures.len());
    for name in checks::ALL.map(|it| it.0).into_iter().chain([checks::PANICKED]) {
        let of = |it: &Vec<(&str, String)>| it.iter().filter(|it| it.0 == name).count();
        let seeds: Vec<_> = failures.iter().filter(|(_, it)| of(it) > 0).collect();
        for (seed, violations) in seeds.iter().take(5) {
            let first = violations.iter().find(|it| it.0 == name).unwrap();
            let count = of(violations);
            writeln!(summary, "{name}, seed {seed} ({count} times): {}", first.1).unwrap();
        }
        if seeds.len() > 5 {
            writeln!(summary, "{name}: {} seeds in all", seeds.len()).unwrap();
        }
    }
    summary
}

/// Runs a scenario again and returns the last trace lines. `SIM_TRACE` overrides their number.
fn rerun_with_trace(mut plan: Scenario) -> String {
    let length = number("SIM_TRACE").map_or(TRACE_LINES, |it| usize::try_from(it).unwrap());
    plan.world.trace(length);
    let _ = catch_unwind(AssertUnwindSafe(|| plan.world.run_until(plan.end)));
    plan.world.last_events().fold(String::new(), |all, it| all + it + "\n")
}
