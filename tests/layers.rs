//! Enforces the layers: imports go down only, engines do not import one another, and layers 0 to 2
//! are free of I/O, clocks and randomness.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Layer of each module. A new module has to be added here.
const LAYERS: &[(&str, u8)] = &[
    ("model", 0),
    ("l10n", 0),
    // The macro `text!` of l10n.
    ("text", 0),
    ("wire", 1),
    ("json", 1),
    ("identity", 1),
    ("moderation", 1),
    ("qr_code", 1),
    ("hub", 2),
    ("link", 2),
    ("mesh", 2),
    ("os", 3),
    ("disk", 3),
    ("key_file", 3),
    ("text_input", 3),
    ("tls", 3),
    ("mdns", 3),
    ("systemd", 3),
    ("log", 3),
    ("archive", 3),
    ("server", 3),
    ("client", 3),
    ("peer", 3),
    ("ui", 3),
    ("config", 4),
    ("cli", 4),
];

/// Names that must not occur in layers 0 to 2: I/O, clocks, randomness.
const IMPURE: &[&str] = &[
    "tokio",
    "async ",
    ".await",
    "std::net::Tcp",
    "std::net::Udp",
    "std::fs",
    "std::io",
    "std::thread",
    "std::env",
    "Instant",
    "SystemTime",
    "getrandom",
    "socket2",
    "tracing",
];

/// Returns the layer of a module of `src/`. Panics if it has none.
fn layer_of(module: &str) -> u8 {
    LAYERS
        .iter()
        .find(|(name, _)| *name == module)
        .unwrap_or_else(|| panic!("src/{module} has no layer: add it in tests/layers.rs"))
        .1
}

/// Appends all Rust files below `dir` to `found`.
fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// Returns the lines of a file that are code: without comments, and without the tests at its end,
/// from the first `#[cfg(test)]` at the beginning of a line.
fn code_lines(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(|line| line.split("//").next().unwrap_or_default())
}

/// Returns the modules that a line names by `crate::…` or `crate::{…}`. Does not see names of a
/// list that stand in another line than its `crate::{`.
fn modules_named(line: &str) -> Vec<String> {
    line.match_indices("crate::")
        .flat_map(|(at, found)| {
            let rest = &line[at + found.len()..];
            let names = rest.strip_prefix('{').map_or(rest, |list| list);
            let count = if rest.starts_with('{') { usize::MAX } else { 1 };
            names
                .split(',')
                .take(count)
                .map(|name| name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_'))
                .map(Iterator::collect)
                .collect::<Vec<String>>()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// Returns true if a line names something of [`IMPURE`]. `.await` must be a whole word, unlike in
/// `.awaits_log()`; the others may begin a longer name.
fn names_impure(line: &str, impure: &str) -> bool {
    let is_word = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    line.match_indices(impure)
        .any(|(at, found)| found != ".await" || is_word(&line[at + found.len()..]))
}

/// Returns the violations of the layers in a file of `module`, a line of text each.
fn violations(module: &str, source: &str) -> Vec<String> {
    let layer = layer_of(module);
    let mut wrong = Vec::new();
    for line in code_lines(source) {
        for named in modules_named(line) {
            let is_engine_of_another = layer == 2 && named != module && layer_of(&named) == 2;
            if named != module && (layer_of(&named) > layer || is_engine_of_another) {
                wrong.push(format!("{module} (layer {layer}) names {named}: {line}"));
            }
        }
        if layer <= 2 {
            for impure in IMPURE.iter().filter(|it| names_impure(line, it)) {
                wrong.push(format!("{module} (layer {layer}) names {impure}: {line}"));
            }
        }
    }
    wrong
}

/// A source file of the crate.
struct Source {
    /// Top-level module that it belongs to.
    module: String,
    /// True if the whole file is tests.
    is_test: bool,
    /// Its text.
    text: String,
}

/// Reads all source files of the crate except its root and the programs.
fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let read = |file: &PathBuf| {
        let parts: Vec<&str> = file
            .strip_prefix(&src)
            .unwrap()
            .iter()
            .map(|part| part.to_str().unwrap().trim_end_matches(".rs"))
            .collect();
        Source {
            module: parts[0].to_owned(),
            is_test: parts.iter().any(|part| *part == "tests" || part.ends_with("_tests")),
            text: fs::read_to_string(file).unwrap(),
        }
    };
    files.iter().map(read).filter(|it| !matches!(it.module.as_str(), "lib" | "bin")).collect()
}

/// Returns the modules that take part in, or import from, a circle of imports: those that are left
/// when every module that imports none of the others is removed, repeatedly.
fn modules_in_circles(mut imports: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    loop {
        let all: BTreeSet<String> = imports.keys().cloned().collect();
        let before = imports.len();
        imports.retain(|_, named| named.iter().any(|it| all.contains(it)));
        if imports.len() == before {
            return imports.into_keys().collect();
        }
    }
}

/// No module imports from a higher layer, engines do not import one another, and layers 0 to 2 are
/// pure.
#[test]
fn imports_go_down_only() {
    let wrong: Vec<String> =
        sources().iter().flat_map(|it| violations(&it.module, &it.text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The modules of the crate form no circle of imports.
#[test]
fn imports_form_no_circles() {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Source { module, text, .. } in sources().into_iter().filter(|it| !it.is_test) {
        let named = code_lines(&text).flat_map(modules_named).filter(|it| *it != module);
        imports.entry(module.clone()).or_default().extend(named);
    }
    assert_eq!(modules_in_circles(imports), Vec::<String>::new());
}

/// The checks above find violations, so these tests can fail.
#[test]
fn violations_are_detected() {
    assert_eq!(violations("model", "use crate::wire::tcp;").len(), 1);
    assert_eq!(violations("link", "use crate::{hub, model};").len(), 1);
    assert_eq!(violations("hub", "use tokio::time;").len(), 1);
    assert_eq!(violations("hub", "timer.await;").len(), 1);
    assert!(violations("hub", "pending.awaits_log()").is_empty());
    assert_eq!(violations("wire", "let x = std::time::Instant::now();").len(), 1);
    assert!(violations("server", "use crate::hub::Hub; // crate::cli").is_empty());
    let import = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let circle = [import("log", "archive"), import("archive", "log"), import("server", "log")];
    assert_eq!(modules_in_circles(circle.into()), ["archive", "log", "server"]);
    let line = [import("archive", "log"), import("log", "os")];
    assert_eq!(modules_in_circles(line.into()), Vec::<String>::new());
}
