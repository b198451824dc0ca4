//! The comparison of instruction counts with their baseline, which decides whether
//! `scripts/instructions` fails; and the baseline itself.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, dead_code, reason = "tests fail by panicking")]

#[path = "../benches/instructions/baseline.rs"]
mod baseline;

use baseline::{Comparison, Counts, compare, format_baseline, parse_baseline};

/// Returns counts with these names.
fn counts(of: &[(&str, u64)]) -> Counts {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// Compares one count with its baseline.
fn compare_one(baseline: u64, count: u64) -> Comparison {
    compare(&counts(&[("case", baseline)]), &counts(&[("case", count)]))
}

/// Five percent more are accepted without a word, one instruction more than that fails, and the
/// message says which case, by how much, and what to do.
#[test]
fn a_count_more_than_five_percent_above_fails() {
    let accepted = compare_one(20_000, 21_000);
    assert!(!accepted.is_failure());
    assert_eq!(accepted.advice(), "");
    let failed = compare_one(20_000, 21_001);
    assert!(failed.is_failure());
    let advice = failed.advice();
    for part in [
        "case takes 21,001 instructions instead of 20,000",
        "+5.0 %",
        "scripts/instructions --accept",
    ] {
        assert!(advice.contains(part), "{advice}");
    }
    assert!(compare_one(1_000, 2_000).advice().contains("+100.0 %"));
}

/// Five percent less are accepted without a word; what is below that is told, and no failure.
#[test]
fn a_count_more_than_five_percent_below_is_told() {
    assert_eq!(compare_one(20_000, 19_000).advice(), "");
    let lower = compare_one(20_000, 18_999);
    assert!(!lower.is_failure());
    assert!(lower.advice().contains("The baseline can be lowered"), "{}", lower.advice());
}

/// A case without a baseline fails, and so does a baseline without a case: otherwise a case could
/// go without anybody noticing.
#[test]
fn baseline_must_have_the_same_cases() {
    let new = compare(&counts(&[]), &counts(&[("case", 1)]));
    assert!(new.is_failure());
    assert!(new.advice().contains("case is not in the baseline"), "{}", new.advice());
    let gone = compare(&counts(&[("case", 1)]), &counts(&[]));
    assert!(gone.is_failure());
    assert!(gone.advice().contains("there is no such case"), "{}", gone.advice());
    // One failure among others is one.
    let both = counts(&[("one", 100), ("two", 100)]);
    assert!(!compare(&both, &both).is_failure());
    assert!(compare(&both, &counts(&[("one", 100), ("two", 200)])).is_failure());
}

/// What is written can be read, and is sorted.
#[test]
fn baseline_file_is_read_as_it_was_written() {
    let some = counts(&[("two", 2_000_000), ("one", 1)]);
    let text = format_baseline(&some);
    assert!(text.ends_with("\none = 1\ntwo = 2000000\n"), "{text}");
    assert_eq!(parse_baseline(&text), Ok(some));
    assert!(parse_baseline("one = -1").is_err());
    assert!(parse_baseline("one").is_err());
}

/// The committed file is what `--accept` writes.
#[test]
fn committed_baseline_is_in_its_form() {
    let text = include_str!("../benches/instructions/baseline.toml");
    let baseline = parse_baseline(text).unwrap();
    assert!(!baseline.is_empty());
    assert_eq!(format_baseline(&baseline), text);
}
