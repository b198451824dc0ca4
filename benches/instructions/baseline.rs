//! Baseline of instruction counts: its file, and the comparison with new counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Tolerance of the comparison, in percent of the baseline: a count is no failure if it is above the
/// baseline by no more than this, and needs no new baseline if it is below by no more than this.
pub(crate) const TOLERANCE_PERCENT: u64 = 5;

/// Instruction counts by the names of the cases.
pub(crate) type Counts = BTreeMap<String, u64>;

/// First lines of the file.
const HEAD: &str = "\
# Instructions of one operation of each case, as `scripts/instructions` counts them on x86-64.
# A count more than 5 % above these is a failure. `scripts/instructions --accept` writes this file.
";

/// Reads the text of a baseline file.
///
/// # Errors
/// The text is no TOML, or has something else than names and counts.
pub(crate) fn parse_baseline(text: &str) -> Result<Counts, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

/// Returns the text of the baseline file with these counts, sorted by name.
pub(crate) fn format_baseline(counts: &Counts) -> String {
    let mut text = HEAD.to_owned();
    for (name, count) in counts {
        let _ = writeln!(text, "{name} = {count}");
    }
    text
}

/// How a count relates to the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Within the tolerance.
    Same,
    /// Above the tolerance: a failure.
    Above,
    /// Below the tolerance: the baseline can be lowered.
    Below,
    /// The case has no baseline: a failure.
    New,
    /// The baseline has no such case any more: a failure.
    Gone,
}

/// A case in a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Name of the case.
    pub(crate) name: String,
    /// Its count in the baseline, if it is there.
    pub(crate) baseline: Option<u64>,
    /// Its count now, if there is such a case.
    pub(crate) count: Option<u64>,
}

impl Row {
    /// Returns how the count relates to the baseline.
    pub(crate) fn verdict(&self) -> Verdict {
        match (self.baseline, self.count) {
            (Some(baseline), Some(count)) => {
                let (baseline, count) = (u128::from(baseline), u128::from(count));
                let tolerance = u128::from(TOLERANCE_PERCENT);
                if count * 100 > baseline * (100 + tolerance) {
                    Verdict::Above
                } else if count * 100 < baseline * (100 - tolerance) {
                    Verdict::Below
                } else {
                    Verdict::Same
                }
            }
            (None, _) => Verdict::New,
            (_, None) => Verdict::Gone,
        }
    }

    /// Returns by how much the count is above the baseline, such as `+8.3 %`.
    fn change(&self) -> String {
        match (self.baseline, self.count) {
            (Some(baseline), Some(count)) => {
                let ratio = count as f64 / baseline.max(1) as f64;
                format!("{:+.1} %", (ratio - 1.0) * 100.0)
            }
            (None, _) => "new".to_owned(),
            (_, None) => "gone".to_owned(),
        }
    }
}

/// Comparison of counts with a baseline, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison(pub(crate) Vec<Row>);

/// Compares counts with a baseline.
pub(crate) fn compare(baseline: &Counts, counts: &Counts) -> Comparison {
    let names: BTreeSet<&String> = baseline.keys().chain(counts.keys()).collect();
    let row = |name: &String| Row {
        name: name.clone(),
        baseline: baseline.get(name).copied(),
        count: counts.get(name).copied(),
    };
    Comparison(names.into_iter().map(row).collect())
}

impl Comparison {
    /// Returns true if a count is too high, or the baseline has not the same cases.
    pub(crate) fn is_failure(&self) -> bool {
        let fails = |it: &Row| !matches!(it.verdict(), Verdict::Same | Verdict::Below);
        self.0.iter().any(fails)
    }

    /// Returns a table of all cases, for people.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{:26} {:>13} {:>13} {:>9}",
            "instructions", "baseline", "now", "change"
        );
        for row in &self.0 {
            let [baseline, count] =
                [row.baseline, row.count].map(|it| it.map_or("–".to_owned(), grouped));
            let _ =
                writeln!(text, "{:26} {baseline:>13} {count:>13} {:>9}", row.name, row.change());
        }
        text
    }

    /// Returns what is wrong, and what to do about it; empty if everything is as in the baseline.
    pub(crate) fn advice(&self) -> String {
        let mut text = String::new();
        for row in &self.0 {
            let (name, change) = (&row.name, row.change());
            let [baseline, count] = [row.baseline, row.count].map(|it| grouped(it.unwrap_or(0)));
            let _ = match row.verdict() {
                Verdict::Same => Ok(()),
                Verdict::Above => writeln!(
                    text,
                    "{name} takes {count} instructions instead of {baseline}: {change}, where {TOLERANCE_PERCENT} % are allowed."
                ),
                Verdict::Below => writeln!(
                    text,
                    "{name} takes {count} instructions instead of {baseline}: {change}. The baseline can be lowered."
                ),
                Verdict::New => writeln!(text, "{name} is not in the baseline."),
                Verdict::Gone => {
                    writeln!(text, "{name} is in the baseline, and there is no such case.")
                }
            };
        }
        if !text.is_empty() {
            text.push_str("To make these counts the baseline: scripts/instructions --accept, and commit the file.\n");
        }
        text
    }
}

/// Returns a number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
