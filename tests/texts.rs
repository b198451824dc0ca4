//! Compares the catalogues of texts with one another, and with the texts that the programs ask for.

#![cfg(feature = "ui")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
use fluent_syntax::parser;

/// Beginnings of ids that the code puts together: by what the server says, or from a list.
const BUILT_IDS: &[&str] = &["error-", "sanctioned-"];

/// Arguments of texts, by their ids.
type Texts = BTreeMap<String, BTreeSet<String>>;

/// Returns all files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path());
    entries.flat_map(|it| if it.is_dir() { files(&it) } else { vec![it] }).collect()
}

/// Adds the names of the arguments of a pattern.
fn collect_arguments(pattern: &Pattern<&str>, found: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { .. } => {}
            PatternElement::Placeable { expression } => {
                let (Expression::Inline(inline) | Expression::Select { selector: inline, .. }) =
                    expression;
                if let InlineExpression::VariableReference { id } = inline {
                    found.insert(id.name.to_owned());
                }
                if let Expression::Select { variants, .. } = expression {
                    variants.iter().for_each(|it| collect_arguments(&it.value, found));
                }
            }
        }
    }
}

/// Returns the texts of a language, by the names of their files. Panics if a line cannot be read.
fn catalogue(language: &str) -> BTreeMap<String, Texts> {
    let directory = Path::new("src/l10n/locales").join(language);
    let read = |path: PathBuf| {
        let source = fs::read_to_string(&path).unwrap();
        let resource = parser::parse(source.as_str()).unwrap_or_else(|(_, errors)| {
            panic!("{}: {errors:?}", path.display());
        });
        let mut texts = Texts::new();
        for entry in &resource.body {
            if let Entry::Message(message) = entry {
                let mut arguments = BTreeSet::new();
                collect_arguments(message.value.as_ref().unwrap(), &mut arguments);
                let before = texts.insert(message.id.name.to_owned(), arguments);
                assert!(before.is_none(), "{}: {} is there twice", path.display(), message.id.name);
            }
        }
        (path.file_name().unwrap().to_str().unwrap().to_owned(), texts)
    };
    files(&directory).into_iter().map(read).collect()
}

/// Returns the English texts of all files.
fn english() -> Texts {
    let mut all = Texts::new();
    for (file, texts) in catalogue("en") {
        for (id, arguments) in texts {
            assert!(all.insert(id.clone(), arguments).is_none(), "{file}: {id} is there twice");
        }
    }
    all
}

/// Returns the code of the programs, without their unit tests.
fn code() -> String {
    let sources = files(Path::new("src")).into_iter().filter(|it| {
        it.extension().is_some_and(|it| it == "rs")
            && !it.components().any(|it| it.as_os_str() == "l10n" || it.as_os_str() == "tests")
    });
    sources
        .map(|it| {
            let source = fs::read_to_string(it).unwrap();
            // What follows `mod tests;` is code.
            let begins_tests = |it: &&str| it.starts_with("mod tests {");
            let lines = source.lines().take_while(|it| !begins_tests(it));
            lines.map(|it| format!("{it}\n")).collect::<String>()
        })
        .collect()
}

/// Returns what stands between a call's parentheses, the first of which is behind `call`, split at
/// its commas.
fn call_arguments(call: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut arguments = vec![String::new()];
    for character in call.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        arguments.last_mut().unwrap().push(character);
    }
    arguments.iter().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

/// No catalogue lacks a text that another has, and all use the same arguments.
#[test]
fn catalogues_are_complete() {
    let english = catalogue("en");
    assert!(english.values().map(Texts::len).sum::<usize>() > 30);
    for language in fs::read_dir("src/l10n/locales").unwrap() {
        let language = language.unwrap().file_name().into_string().unwrap();
        let other = catalogue(&language);
        assert!(other.keys().eq(english.keys()), "{language} has not the files of English");
        for (file, texts) in &english {
            let ids: Vec<_> = texts.keys().filter(|it| !other[file].contains_key(*it)).collect();
            assert!(ids.is_empty(), "{language}/{file} lacks {ids:?}");
            for (id, arguments) in &other[file] {
                assert_eq!(texts.get(id), Some(arguments), "{language}/{file}: {id}");
            }
        }
    }
}

/// Every text that the programs ask for is there, with exactly the arguments that it uses, and the
/// programs ask for every text, apart from those that only the page needs.
#[test]
fn code_and_catalogues_agree() {
    let (english, code) = (english(), code());
    let mut faults = Vec::new();
    for (at, found) in code.match_indices("text!(") {
        let mut arguments = call_arguments(&code[at + found.len()..]).into_iter();
        let id = arguments.next().unwrap();
        let id = id.trim_matches('"');
        let given = arguments.map(|it| it.split('=').next().unwrap().trim().to_owned()).collect();
        match english.get(id) {
            None => faults.push(format!("{id} is in no catalogue")),
            Some(used) if *used != given => faults.push(format!("{id}: {used:?}, but {given:?}")),
            Some(_) => {}
        }
    }
    let page: String =
        files(Path::new("web/src")).into_iter().map(|it| fs::read_to_string(it).unwrap()).collect();
    for id in english.keys() {
        let quoted = format!("\"{id}\"");
        let is_built = BUILT_IDS.iter().any(|it| id.starts_with(it));
        if !is_built && !code.contains(&quoted) && !page.contains(&quoted) {
            faults.push(format!("nobody asks for {id}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
