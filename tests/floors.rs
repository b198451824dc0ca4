//! Holds the floors: imports go down only, engines do not import one
//! another, and floors 0 to 2 are free of I/O, clocks and randomness.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules with their floors. A new module has to be entered here.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("wire", 1),
    ("hub", 2),
    ("link", 2),
    ("mesh", 2),
    ("os", 3),
    ("disk", 3),
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

/// What floors 0 to 2 must not even name.
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

/// The floor of a module of `src/`.
fn floor_of(module: &str) -> u8 {
    FLOORS
        .iter()
        .find(|(name, _)| *name == module)
        .unwrap_or_else(|| panic!("src/{module} has no floor: enter it in tests/floors.rs"))
        .1
}

/// All Rust files below `dir`.
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

/// The lines of a file that are code: neither comments nor its tests.
fn code_lines(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(|line| line.split("//").next().unwrap_or_default())
}

/// The modules that are named by `crate::…` in a line, `crate::{…}` too.
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

/// What is wrong with a file of `module`, a line each.
fn violations(module: &str, source: &str) -> Vec<String> {
    let floor = floor_of(module);
    let mut wrong = Vec::new();
    for line in code_lines(source) {
        for named in modules_named(line) {
            let is_engine_of_another = floor == 2 && named != module && floor_of(&named) == 2;
            if named != module && (floor_of(&named) > floor || is_engine_of_another) {
                wrong.push(format!("{module} (floor {floor}) names {named}: {line}"));
            }
        }
        if floor <= 2 {
            for impure in IMPURE.iter().filter(|it| line.contains(*it)) {
                wrong.push(format!("{module} (floor {floor}) names {impure}: {line}"));
            }
        }
    }
    wrong
}

#[test]
fn imports_go_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let first = inside.iter().next().unwrap().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "lib" | "bin") {
            continue;
        }
        wrong.extend(violations(module, &fs::read_to_string(&file).unwrap()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The test above can fail.
#[test]
fn violations_are_seen() {
    assert_eq!(violations("model", "use crate::wire::tcp;").len(), 1);
    assert_eq!(violations("link", "use crate::{hub, model};").len(), 1);
    assert_eq!(violations("hub", "use tokio::time;").len(), 1);
    assert_eq!(violations("wire", "let x = std::time::Instant::now();").len(), 1);
    assert!(violations("server", "use crate::hub::Hub; // crate::cli").is_empty());
}
