//! Completion of the word before the cursor: Tab, and Tab again for the next candidate.

use std::collections::BTreeSet;
use std::ops::Range;

use super::editor::Editor;
use super::paste::clean_line;
use crate::ui::safe::safe_name;

/// Text that can take the place of the word before the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word.
    pub text: String,
    /// What is inserted behind it: `": "` behind a name at the beginning of a line, `" "` behind
    /// everything else.
    pub appended: &'static str,
}

impl Candidate {
    /// Creates a candidate that is followed by a space.
    #[must_use]
    pub const fn word(text: String) -> Self {
        Self { text, appended: " " }
    }
}

/// Finds what the word before the cursor can become. The word begins after the last whitespace.
pub trait Completer {
    /// Returns the candidates for the last word of the text before the cursor, the best first.
    fn complete(&self, before_cursor: &str) -> Vec<Candidate>;
}

/// A function is a completer, for example one that looks names up only when they are needed.
impl<F: Fn(&str) -> Vec<Candidate>> Completer for F {
    fn complete(&self, before_cursor: &str) -> Vec<Candidate> {
        self(before_cursor)
    }
}

/// Completes commands, names and rooms from lists. The candidates have the order of the lists, so
/// whoever should be offered first stands first.
///
/// - A `/` at the beginning of the text begins a command.
/// - After `/room`, `/join`, `/leave` and `/who`, the word is a room, with or without `#`.
/// - In a search, text after `in:` is a room, and after `from:` a name.
/// - After `/unignore`, the word is an ignored name.
/// - Anywhere else, the word is a name, with or without `@`.
/// - An empty word has no candidates.
///
/// Upper and lower case are the same.
#[derive(Clone, Debug, Default)]
pub struct ChatCompleter {
    /// Names of the members of the room.
    pub names: Vec<String>,
    /// Names of the rooms that the user is in, without `#`.
    pub rooms: Vec<String>,
    /// Commands with their `/`.
    pub commands: Vec<String>,
    /// Names that the user ignores.
    pub ignored: Vec<String>,
}

impl Completer for ChatCompleter {
    fn complete(&self, before_cursor: &str) -> Vec<Candidate> {
        let (before, word) = split_last_word(before_cursor);
        if before.is_empty() && word.starts_with('/') {
            return matching(&self.commands, "", word, " ");
        }
        let command = before.split_whitespace().next().filter(|_| before.starts_with('/'));
        let command = command.unwrap_or_default().to_ascii_lowercase();
        let is_search = command == "/search";
        let rest_after = |sign: &'static str| Some((sign, word.strip_prefix(sign)?));
        if let Some((filter, begun)) = rest_after("in:").filter(|_| is_search) {
            return matching(&self.rooms, filter, begun, " ");
        }
        let from = rest_after("from:").or_else(|| rest_after("von:"));
        if let Some((filter, begun)) = from.filter(|_| is_search) {
            return matching(&self.names, filter, begun, " ");
        }
        if ["/room", "/join", "/leave", "/who"].contains(&command.as_str()) {
            let (sign, begun) = rest_after("#").unwrap_or(("", word));
            return matching(&self.rooms, sign, begun, " ");
        }
        let names = if command == "/unignore" { &self.ignored } else { &self.names };
        // A name at the beginning of a line addresses its user.
        let is_address = before.is_empty() || before.ends_with('\n');
        match rest_after("@") {
            Some((sign, begun)) => matching(names, sign, begun, " "),
            None => matching(names, "", word, if is_address { ": " } else { " " }),
        }
    }
}

/// Returns `sign` with each of the words that begin with `begun`, each word once.
fn matching(words: &[String], sign: &str, begun: &str, appended: &'static str) -> Vec<Candidate> {
    let begun = begun.to_lowercase();
    let mut seen = BTreeSet::new();
    let fitting =
        words.iter().filter(|it| !begun.is_empty() && it.to_lowercase().starts_with(&begun));
    let new = fitting.filter(|it| seen.insert(it.as_str()));
    new.map(|it| Candidate { text: format!("{sign}{}", shown(it)), appended }).collect()
}

/// Returns a word as it is inserted. Names come from others, so they are made harmless.
fn shown(word: &str) -> String {
    if word.starts_with('/') { word.to_owned() } else { safe_name(word) }
}

/// Splits a text before its last word, which begins after the last whitespace.
fn split_last_word(text: &str) -> (&str, &str) {
    let start = text.char_indices().rev().find(|(_, c)| c.is_whitespace());
    text.split_at_checked(start.map_or(0, |(at, c)| at + c.len_utf8())).unwrap_or(("", text))
}

/// Completion that goes on: each Tab shows the next candidate in the text.
pub(super) struct Cycle {
    /// Candidates, at least two.
    candidates: Vec<Candidate>,
    /// Index of the candidate that is in the text.
    chosen: usize,
    /// Part of the text with the chosen candidate and what was appended.
    part: Range<usize>,
    /// Word that was typed.
    typed: String,
}

impl Cycle {
    /// Completes the word before the cursor with the first candidate, or with the last one if
    /// `is_back`. Returns the completion if there are others.
    pub(super) fn begin(
        editor: &mut Editor,
        completer: &dyn Completer,
        is_back: bool,
    ) -> Option<Self> {
        let candidates = completer.complete(editor.before_cursor());
        let (before, typed) = split_last_word(editor.before_cursor());
        let part = before.len()..editor.cursor();
        let chosen = if is_back { candidates.len().checked_sub(1)? } else { 0 };
        let mut cycle = Self { typed: typed.to_owned(), candidates, chosen, part };
        cycle.show(editor);
        (cycle.candidates.len() > 1).then_some(cycle)
    }

    /// Shows the next candidate in the text, or the previous one. After the last comes the first.
    pub(super) fn go_on(&mut self, editor: &mut Editor, is_back: bool) {
        let count = self.candidates.len().max(1);
        let step = if is_back { count - 1 } else { 1 };
        self.chosen = (self.chosen + step) % count;
        self.show(editor);
    }

    /// Puts the word that was typed back into the text.
    pub(super) fn give_up(self, editor: &mut Editor) {
        editor.replace(self.part, &self.typed);
    }

    /// Returns the candidates and the index of the chosen one.
    pub(super) fn candidates(&self) -> (&[Candidate], usize) {
        (&self.candidates, self.chosen)
    }

    /// Replaces the part of the text by the chosen candidate. What is to be appended is not, if it
    /// follows already.
    fn show(&mut self, editor: &mut Editor) {
        let Some(candidate) = self.candidates.get(self.chosen) else {
            return;
        };
        let after = editor.text().get(self.part.end..).unwrap_or_default();
        let is_there = after.starts_with(candidate.appended);
        let appended = if is_there { "" } else { candidate.appended };
        let word = clean_line(&candidate.text) + appended;
        editor.replace(self.part.clone(), &word);
        self.part.end = self.part.start + word.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a completer with a few words.
    fn completer() -> ChatCompleter {
        let list = |words: &[&str]| words.iter().map(|&it| it.to_owned()).collect();
        ChatCompleter {
            names: list(&["bob", "Anna", "Ärzte", "be:rt", "bob"]),
            rooms: list(&["lobby", "garden"]),
            commands: list(&["/ignore", "/join", "/search"]),
            ignored: list(&["Bert"]),
        }
    }

    /// Each kind of word is completed from its list.
    #[test]
    fn words_are_completed_by_their_place() {
        let chat = completer();
        for (typed, expected) in [
            ("an", &["Anna: "][..]),
            ("hi B", &["bob ", "be\u{fffd}rt "]),
            ("hi\nbo", &["bob: "]),
            ("ä", &["Ärzte: "]),
            ("@an", &["@Anna "]),
            ("see @an", &["@Anna "]),
            ("", &[]),
            ("hi ", &[]),
            ("/", &["/ignore ", "/join ", "/search "]),
            ("/J", &["/join "]),
            ("//j", &[]),
            ("hi /j", &[]),
            ("/room l", &["lobby "]),
            ("/ROOM #G", &["#garden "]),
            ("/rooms l", &[]),
            ("/who l", &["lobby "]),
            ("/search from:a", &["from:Anna "]),
            ("/search von:a", &["von:Anna "]),
            ("/search x in:l", &["in:lobby "]),
            ("/search an", &["Anna "]),
            ("in:l", &[]),
            ("/ignore b", &["bob ", "be\u{fffd}rt "]),
            ("/unignore b", &["Bert "]),
            ("/msg @bo", &["@bob "]),
        ] {
            let found = chat.complete(typed).into_iter().map(|it| it.text + it.appended);
            assert_eq!(found.collect::<Vec<_>>(), expected, "{typed:?}");
        }
    }

    /// Each Tab shows the next candidate, around the end; the typed word can come back.
    #[test]
    fn candidates_are_cycled() {
        let chat = completer();
        let mut editor = Editor::new("hi b, you");
        editor.move_to(4);
        let mut cycle = Cycle::begin(&mut editor, &chat, false).unwrap();
        assert_eq!(editor.text(), "hi bob , you");
        assert_eq!((cycle.candidates().0.len(), cycle.candidates().1), (2, 0));
        cycle.go_on(&mut editor, false);
        assert_eq!(editor.text(), "hi be\u{fffd}rt , you");
        cycle.go_on(&mut editor, false);
        assert_eq!(editor.text(), "hi bob , you");
        cycle.go_on(&mut editor, true);
        assert_eq!((editor.text(), cycle.candidates().1), ("hi be\u{fffd}rt , you", 1));
        cycle.give_up(&mut editor);
        assert_eq!((editor.text(), editor.cursor()), ("hi b, you", 4));
        Cycle::begin(&mut editor, &chat, true).unwrap();
        assert_eq!(editor.text(), "hi be\u{fffd}rt , you");
    }

    /// One candidate is final; a space that is there already is not inserted again.
    #[test]
    fn single_candidate_is_final() {
        let mut editor = Editor::new("see an too");
        editor.move_to(6);
        assert!(Cycle::begin(&mut editor, &completer(), false).is_none());
        assert_eq!((editor.text(), editor.cursor()), ("see Anna too", 8));
        assert!(Cycle::begin(&mut editor, &|_: &str| Vec::new(), true).is_none());
        assert_eq!(editor.text(), "see Anna too");
    }
}
