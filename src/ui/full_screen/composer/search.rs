//! Search for a line of the history while one types what is in it: Ctrl-R.

use std::ops::Range;

use super::clusters::{first_bytes, previous_boundary};
use super::history::{History, LineNumber};

/// Maximum size of what is searched for, in bytes.
const MAX_QUERY_BYTES: usize = 256;

/// Search in the history, from the newest line to older ones. Upper and lower case are the same.
#[derive(Default)]
pub(super) struct Search {
    /// What is searched for.
    query: String,
    /// Line that was found, and where the query is in it. `None`: nothing was found.
    found: Option<(LineNumber, Range<usize>)>,
}

impl Search {
    /// Returns what is searched for.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// Returns the number of the line that was found.
    pub(super) fn found(&self) -> Option<LineNumber> {
        self.found.as_ref().map(|(number, _)| *number)
    }

    /// Returns where in the line that was found the query is; an empty range if nothing was found.
    pub(super) fn found_part(&self) -> Range<usize> {
        self.found.as_ref().map_or(0..0, |(_, part)| part.clone())
    }

    /// Adds text to the query, as far as it fits, and searches on from the line that was found.
    pub(super) fn extend(&mut self, text: &str, history: &History) {
        let free = MAX_QUERY_BYTES.saturating_sub(self.query.len());
        self.query += first_bytes(text, free);
        let from = self.found().map(|it| it + 1);
        self.find(from, history);
    }

    /// Removes the last character of the query, and searches again from the newest line.
    pub(super) fn shorten(&mut self, history: &History) {
        self.query.truncate(previous_boundary(&self.query, self.query.len()));
        self.find(None, history);
    }

    /// Searches for an older line that has the query and differs from the one that was found. If
    /// there is none, the found one stays.
    pub(super) fn go_older(&mut self, history: &History) {
        let before = self.found.clone();
        let shown = self.found().and_then(|it| history.get(it));
        let is_other = |line: &str| Some(line) != shown;
        let found = find_older(&self.query, self.found(), history, is_other);
        self.found = found.or(before);
    }

    /// Searches for the newest line before `before` that has the query.
    fn find(&mut self, before: Option<LineNumber>, history: &History) {
        self.found = find_older(&self.query, before, history, |_| true);
    }
}

/// Returns the newest line before `before` that has the query and is fitting, and where the query
/// is in it. `None`: there is none, or the query is empty.
fn find_older(
    query: &str,
    before: Option<LineNumber>,
    history: &History,
    is_fitting: impl Fn(&str) -> bool,
) -> Option<(LineNumber, Range<usize>)> {
    let query: Vec<char> = query.chars().flat_map(char::to_lowercase).collect();
    if query.is_empty() {
        return None;
    }
    let mut older = history.older_than(before).filter(|(_, line)| is_fitting(line));
    older.find_map(|(number, line)| Some((number, find_ignoring_case(line, &query)?)))
}

/// Returns where a text in lower case is in a line, in bytes.
fn find_ignoring_case(line: &str, query: &[char]) -> Option<Range<usize>> {
    let starts = line.char_indices().map(|(at, _)| at);
    starts.into_iter().find_map(|start| {
        let length = length_ignoring_case(line.get(start..)?, query)?;
        Some(start..start + length)
    })
}

/// Returns how many bytes at the beginning of a line are the same as a text in lower case. `None`:
/// the line does not begin with it.
fn length_ignoring_case(line: &str, query: &[char]) -> Option<usize> {
    let mut rest = query;
    for (at, c) in line.char_indices() {
        if rest.is_empty() {
            return Some(at);
        }
        for lower in c.to_lowercase() {
            let (first, others) = rest.split_first()?;
            if *first != lower {
                return None;
            }
            rest = others;
        }
    }
    rest.is_empty().then_some(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the line that was found.
    fn found<'a>(search: &Search, history: &'a History) -> Option<&'a str> {
        history.get(search.found()?)
    }

    /// The newest line is found first, then older ones; other characters narrow the search.
    #[test]
    fn lines_are_found_from_the_newest() {
        let mut history = History::default();
        for line in ["Word one", "two", "WORD three", "word four", "WORD three"] {
            history.push(line);
        }
        let mut search = Search::default();
        search.go_older(&history);
        assert_eq!(found(&search, &history), None);
        search.extend("word", &history);
        assert_eq!(found(&search, &history), Some("WORD three"));
        search.go_older(&history);
        assert_eq!(found(&search, &history), Some("word four"));
        search.extend(" o", &history);
        assert_eq!(found(&search, &history), Some("Word one"));
        assert_eq!(search.found_part(), 0..6);
        search.go_older(&history);
        assert_eq!(found(&search, &history), Some("Word one"));
        search.extend("x", &history);
        assert_eq!(found(&search, &history), None);
        for _ in 0..4 {
            search.shorten(&history);
        }
        assert_eq!((search.query(), found(&search, &history)), ("wor", Some("WORD three")));
    }

    /// Characters whose case changes their length are found at the right place.
    #[test]
    fn case_of_other_scripts_is_ignored() {
        let query: Vec<char> = "ärzte".chars().collect();
        assert_eq!(find_ignoring_case("İ ÄRZTE!", &query), Some(3..9));
        assert_eq!(find_ignoring_case("İ ÄRZT", &query), None);
        assert_eq!(find_ignoring_case("İ", &['i', '\u{307}']), Some(0..2));
        assert_eq!(find_ignoring_case("İ", &['i']), None);
    }

    /// What is searched for has a maximum size.
    #[test]
    fn query_is_limited() {
        let mut search = Search::default();
        search.extend(&"é".repeat(1_000), &History::default());
        assert_eq!(search.query().len(), MAX_QUERY_BYTES);
    }
}
