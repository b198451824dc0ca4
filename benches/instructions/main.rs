//! Guard of instruction counts: counts the instructions of some small, much-used steps, and compares
//! them with those of `baseline.toml`. Unlike times, they are the same in every run.
//!
//! ```text
//! scripts/instructions [--accept] [WORD...]
//! ```
//!
//! Each case runs in a process of its own under Valgrind's callgrind, which counts only what happens
//! within [`measured`] (and in two cases in another function: see [`Case::counted_too`]). A case has
//! fixed inputs and a fixed time. `docs/performance.md` says what the counts are good for.
//!
//! | module | contents |
//! |---|---|
//! | `baseline` | the counts of earlier, and their comparison with new ones |
//! | `callgrind` | runs a case under callgrind |
//! | `frames`, `server`, `storage`, `peer`, `screen` | the cases |

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

mod baseline;
mod callgrind;
mod frames;
mod peer;
mod screen;
mod server;
mod storage;
#[path = "../../tests/common/terminal.rs"]
mod terminal;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;

use baseline::{compare, format_baseline, parse_baseline};

/// Text of every message: 64 bytes.
const TEXT: &str = "sixty-four bytes of text, the length of an ordinary chat message";

/// Function that is counted in each case, as callgrind calls it.
const MEASURED: &str = "instructions::measured";

/// Something whose instructions are counted.
struct Case {
    /// Name, in the baseline and on the command line.
    name: &'static str,
    /// Number of times that `run` does it: the count is divided by it.
    times: u64,
    /// Function that is counted besides [`measured`], as callgrind calls it, with `*` for anything:
    /// one that runs in a thread of the library.
    counted_too: Option<&'static str>,
    /// True if only the last call of that function counts.
    counts_last_only: bool,
    /// Does it, in the process that is counted.
    run: fn(),
    /// Works the terminal on which the case runs; none: it runs on none.
    attend: Option<fn(&mut terminal::Terminal)>,
}

impl Case {
    /// Creates a case that does all its work within [`measured`].
    const fn new(name: &'static str, times: u64, run: fn()) -> Self {
        Self { name, times, counted_too: None, counts_last_only: false, run, attend: None }
    }
}

/// Returns all cases, in the order in which they run.
fn cases() -> Vec<Case> {
    [frames::cases(), server::cases(), storage::cases(), peer::cases(), screen::cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// Runs something whose instructions count. A case may call it several times. Its name is what
/// callgrind looks for, so there is one copy of it, which is never inlined.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    // Otherwise the call above could become a jump, and callgrind would not see its end.
    black_box(());
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if let [flag, name] = arguments.as_slice()
        && flag == callgrind::CASE_FLAG
    {
        let case = cases().into_iter().find(|it| it.name == name).unwrap();
        (case.run)();
        return ExitCode::SUCCESS;
    }
    let accepts = arguments.iter().any(|it| it == "--accept");
    let words: Vec<&String> = arguments.iter().filter(|it| *it != "--accept").collect();
    let selected = cases()
        .into_iter()
        .filter(|it| words.is_empty() || words.iter().any(|w| it.name.contains(*w)));
    let mut counts = BTreeMap::new();
    for case in selected {
        counts.insert(case.name.to_owned(), callgrind::count(&case));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/baseline.toml");
    let mut baseline = parse_baseline(&std::fs::read_to_string(&path).unwrap_or_default()).unwrap();
    if !words.is_empty() {
        // What was not counted is not compared, and stays.
        let mut all = baseline.clone();
        baseline.retain(|name, _| counts.contains_key(name));
        all.extend(counts.clone());
        if accepts {
            std::fs::write(&path, format_baseline(&all)).unwrap();
        }
    } else if accepts {
        std::fs::write(&path, format_baseline(&counts)).unwrap();
    }
    let comparison = compare(&baseline, &counts);
    print!("{}", comparison.table());
    if accepts {
        println!("accepted, in {}", path.display());
        return ExitCode::SUCCESS;
    }
    print!("{}", comparison.advice());
    if comparison.is_failure() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
