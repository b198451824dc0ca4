//! Compares the catalogues of texts with one another, and with the texts that the programs ask for.

#![cfg(feature = "ui")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use fluent_syntax::ast::{
    Entry, Expression, InlineExpression, Pattern, PatternElement, Variant, VariantKey,
};
use fluent_syntax::parser;
use pi_chat::l10n::Language;
use pi_chat::model::ErrorCode;

/// Folder of the catalogues, with a folder for each language.
const LOCALES: &str = "src/l10n/locales";

/// The code that has no text: a server's own sentence always says why.
const CODE_WITHOUT_TEXT: ErrorCode = ErrorCode::CannotClaim;

/// Forms that Fluent chooses by a number. A language has those that its grammar needs.
const PLURAL_FORMS: &[&str] = &["zero", "one", "two", "few", "many", "other"];

/// What a text needs.
#[derive(Debug, Default)]
struct Text {
    /// Names of its arguments.
    arguments: BTreeSet<String>,
    /// Its choices by words, such as `place of ["room", "server"]`, each with the choices that it is
    /// within. Those by plural forms are left out.
    choices: BTreeSet<String>,
    /// Ids of its terms.
    terms: BTreeSet<String>,
}

/// Texts and terms, by their ids. That of a term begins with `-`.
type Texts = BTreeMap<String, Text>;

/// Returns all files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path());
    entries.flat_map(|it| if it.is_dir() { files(&it) } else { vec![it] }).collect()
}

/// Returns the key of a variant as it is written.
fn key_text(key: &VariantKey<&str>) -> String {
    match key {
        VariantKey::Identifier { name } => (*name).to_owned(),
        VariantKey::NumberLiteral { value } => (*value).to_owned(),
    }
}

/// Returns the keys of a choice by words; `None` if it is one by the forms of a plural, which may
/// also have texts for single numbers.
fn words(variants: &[Variant<&str>]) -> Option<BTreeSet<String>> {
    let is_form = |it: &String| PLURAL_FORMS.contains(&it.as_str());
    let keys: BTreeSet<_> = variants.iter().map(|it| key_text(&it.key)).collect();
    let is_plural = keys.iter().any(is_form)
        && keys.iter().all(|it| is_form(it) || it.chars().all(|it| it.is_ascii_digit()));
    (!is_plural).then_some(keys)
}

impl Text {
    /// Returns what a text needs. Panics if the text has more than arguments, terms and choices by
    /// an argument: the page could not read it.
    fn of(pattern: &Pattern<&str>) -> Self {
        let mut text = Self::default();
        text.collect(pattern, "");
        text
    }

    /// Adds what a pattern needs. `within`: the choices that it is within, each with a blank behind
    /// it.
    fn collect(&mut self, pattern: &Pattern<&str>, within: &str) {
        for element in &pattern.elements {
            match element {
                PatternElement::TextElement { .. } => {}
                PatternElement::Placeable { expression: Expression::Inline(inline) } => {
                    match inline {
                        InlineExpression::VariableReference { id } => {
                            self.arguments.insert(id.name.to_owned());
                        }
                        InlineExpression::TermReference {
                            id,
                            attribute: None,
                            arguments: None,
                        } => {
                            self.terms.insert(format!("-{}", id.name));
                        }
                        other => panic!("{other:?}"),
                    }
                }
                PatternElement::Placeable {
                    expression: Expression::Select { selector, variants },
                } => {
                    let InlineExpression::VariableReference { id } = selector else {
                        panic!("{selector:?}");
                    };
                    self.arguments.insert(id.name.to_owned());
                    let words = words(variants);
                    if let Some(words) = &words {
                        self.choices.insert(format!("{within}{} of {words:?}", id.name));
                    }
                    for variant in variants {
                        let within = match words {
                            Some(_) => format!("{within}{}={} ", id.name, key_text(&variant.key)),
                            None => within.to_owned(),
                        };
                        self.collect(&variant.value, &within);
                    }
                }
            }
        }
    }
}

/// Returns the texts of a language, by the names of their files. Panics if a line cannot be read.
fn catalogue(language: Language) -> BTreeMap<String, Texts> {
    let read = |path: PathBuf| {
        let source = fs::read_to_string(&path).unwrap();
        let resource = parser::parse(source.as_str()).unwrap_or_else(|(_, errors)| {
            panic!("{}: {errors:?}", path.display());
        });
        let mut texts = Texts::new();
        for entry in &resource.body {
            let (id, pattern, attributes) = match entry {
                Entry::Message(it) => {
                    (it.id.name.to_owned(), it.value.as_ref().unwrap(), &it.attributes)
                }
                Entry::Term(it) => (format!("-{}", it.id.name), &it.value, &it.attributes),
                _ => continue,
            };
            assert!(attributes.is_empty(), "{}: {id} has attributes", path.display());
            let before = texts.insert(id.clone(), Text::of(pattern));
            assert!(before.is_none(), "{}: {id} is there twice", path.display());
        }
        (path.file_name().unwrap().to_str().unwrap().to_owned(), texts)
    };
    files(&Path::new(LOCALES).join(language.tag())).into_iter().map(read).collect()
}

/// Returns the English texts of all files.
fn english() -> Texts {
    let mut all = Texts::new();
    for (file, texts) in catalogue(Language::English) {
        for (id, text) in texts {
            assert!(all.insert(id.clone(), text).is_none(), "{file}: {id} is there twice");
        }
    }
    all
}

/// Returns the code of each file of the programs, without comments and unit tests.
fn code() -> Vec<String> {
    let is_test = |it: &OsStr| it == "l10n" || it == "tests" || it == "tests.rs";
    let sources = files(Path::new("src")).into_iter().filter(|it| {
        it.extension().is_some_and(|it| it == "rs")
            && !it.components().any(|it| is_test(it.as_os_str()))
    });
    sources
        .map(|it| {
            let source = fs::read_to_string(it).unwrap();
            // What follows `mod tests;` is code.
            let lines = source.lines().take_while(|it| !it.starts_with("mod tests {"));
            let lines = lines.filter(|it| !it.trim_start().starts_with("//"));
            lines.map(|it| format!("{it}\n")).collect()
        })
        .collect()
}

/// Returns the ids that the programs put together.
fn built_ids() -> BTreeSet<String> {
    let codes = ErrorCode::ALL.iter().filter(|it| **it != CODE_WITHOUT_TEXT).map(|it| it.name());
    codes.map(|it| format!("error-{it}")).collect()
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

/// Returns true if this can be the beginning of an id.
fn is_id(begin: &str) -> bool {
    begin.ends_with('-') && begin.chars().all(|it| it.is_ascii_lowercase() || it == '-')
}

/// There is a folder of texts for each language, and for nothing else.
#[test]
fn folders_are_those_of_the_languages() {
    let folders = fs::read_dir(LOCALES).unwrap().map(|it| it.unwrap().file_name());
    let folders: BTreeSet<_> = folders.map(|it| it.into_string().unwrap()).collect();
    let tags = Language::ALL.iter().map(|it| it.tag().to_owned());
    assert_eq!(folders, tags.collect());
    assert_eq!(folders.len(), Language::ALL.len());
}

/// No catalogue lacks a text or term that another has, and all use the same arguments, and choose
/// between the same words.
#[test]
fn catalogues_are_complete() {
    let english = catalogue(Language::English);
    assert!(english.values().map(Texts::len).sum::<usize>() > 30);
    for language in Language::ALL {
        let other = catalogue(*language);
        assert!(other.keys().eq(english.keys()), "{language:?} has not the files of English");
        for (file, texts) in &english {
            let ids: Vec<_> = texts.keys().filter(|it| !other[file].contains_key(*it)).collect();
            assert!(ids.is_empty(), "{language:?}, {file} lacks {ids:?}");
            for (id, text) in &other[file] {
                let of_english = texts.get(id);
                let of_english =
                    of_english.unwrap_or_else(|| panic!("{language:?}, {file}: {id} is too much"));
                assert_eq!(text.arguments, of_english.arguments, "{language:?}, {file}: {id}");
                assert_eq!(text.choices, of_english.choices, "{language:?}, {file}: {id}");
            }
        }
        let has = |term: &String| other.values().any(|it| it.contains_key(term));
        let terms = other.values().flat_map(Texts::values).flat_map(|it| &it.terms);
        let missing: Vec<_> = terms.filter(|it| !has(it)).collect();
        assert!(missing.is_empty(), "{language:?} lacks {missing:?}");
    }
}

/// Every text that the programs ask for is there, with exactly the arguments that it uses, and the
/// programs ask for every text.
#[test]
fn code_and_catalogues_agree() {
    let (english, code) = (english(), code());
    let (mut faults, mut asked) = (Vec::new(), built_ids());
    faults.extend(
        asked
            .difference(&english.keys().cloned().collect())
            .map(|it| format!("{it}, which is put together, is in no catalogue")),
    );
    for (source, (at, found)) in
        code.iter().flat_map(|source| source.match_indices("text!(").map(move |it| (source, it)))
    {
        let mut arguments = call_arguments(&source[at + found.len()..]).into_iter();
        let id = arguments.next().unwrap();
        let id = id.trim_matches('"');
        let given = arguments.map(|it| it.split('=').next().unwrap().trim().to_owned()).collect();
        match english.get(id) {
            None => faults.push(format!("{id} is in no catalogue")),
            Some(text) if text.arguments != given => {
                faults.push(format!("{id}: {:?}, but {given:?}", text.arguments));
            }
            Some(_) => {}
        }
        asked.insert(id.to_owned());
    }
    // A file that asks for texts by ids from its tables.
    let has_tables = |it: &&String| it.contains("l10n::find(") || it.contains("l10n::format(");
    let tables: String = code.iter().filter(has_tables).map(String::as_str).collect();
    let terms: BTreeSet<_> = english.values().flat_map(|it| &it.terms).collect();
    for id in english.keys() {
        let quoted = format!("\"{id}\"");
        if !asked.contains(id) && !terms.contains(id) && !tables.contains(&quoted) {
            faults.push(format!("nobody asks for {id}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The page asks for every text that it shares with the programs: by its id, or by one that it puts
/// together, as `error-${name}`.
#[test]
fn page_needs_the_shared_texts() {
    let page: String =
        files(Path::new("web/src")).into_iter().map(|it| fs::read_to_string(it).unwrap()).collect();
    let built = page.split("(`").skip(1).filter_map(|it| it.split_once("${"));
    let beginnings: BTreeSet<_> = built.map(|(begin, _)| begin).filter(|it| is_id(it)).collect();
    let is_asked = |id: &str| {
        page.contains(&format!("\"{id}\"")) || beginnings.iter().any(|it| id.starts_with(it))
    };
    let shared = &catalogue(Language::English)["shared.ftl"];
    let unused: Vec<_> = shared.keys().filter(|it| !is_asked(it)).collect();
    assert!(unused.is_empty(), "the page does not ask for {unused:?}");
}
