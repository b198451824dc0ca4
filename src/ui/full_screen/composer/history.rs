//! Lines that were entered before, and going through them.

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use super::editor::Editor;

/// Maximum number of lines that are kept.
const MAX_LINES: usize = 500;

/// Maximum size of all kept lines together, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// Number of a line of the history. It does not change when older lines are forgotten.
pub(super) type LineNumber = u64;

/// Number that stands for the text that is not in the history yet.
const NEW_TEXT: LineNumber = LineNumber::MAX;

/// Lines that were entered, shared by all rooms.
#[derive(Default)]
pub(super) struct History {
    /// Lines, the newest last.
    lines: VecDeque<String>,
    /// Number of the oldest line.
    first: LineNumber,
    /// Size of all lines, in bytes.
    bytes: usize,
}

impl History {
    /// Keeps a line, unless it is blank, begins with a space, or is the same as the newest one.
    /// Forgets the oldest lines if there are too many.
    pub(super) fn push(&mut self, line: &str) {
        let is_same = self.lines.back().is_some_and(|it| it == line);
        if line.trim().is_empty() || line.starts_with(' ') || is_same {
            return;
        }
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
            self.first += 1;
        }
    }

    /// Returns the lines, the newest last.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.lines.iter().map(String::as_str)
    }

    /// Returns the lines older than `before`, or all of them, with their numbers, the newest first.
    pub(super) fn older_than(
        &self,
        before: Option<LineNumber>,
    ) -> impl Iterator<Item = (LineNumber, &str)> {
        let numbered = |(index, line)| (self.first + index as LineNumber, line);
        let newest_first = self.lines().enumerate().rev().map(numbered);
        newest_first.skip_while(move |(number, _)| before.is_some_and(|it| *number >= it))
    }

    /// Returns a line by its number; `None` if it is not kept.
    pub(super) fn get(&self, number: LineNumber) -> Option<&str> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lines.get(index).map(String::as_str)
    }
}

/// Way through the history, beginning at a new text. What was changed in the texts is kept until
/// one of them is entered.
#[derive(Clone)]
pub(super) struct Browse {
    /// Line that is shown; [`NEW_TEXT`] for the new text.
    at: LineNumber,
    /// Texts that are not shown and are not as in the history: the new one and changed lines.
    kept: BTreeMap<LineNumber, Editor>,
}

impl Default for Browse {
    fn default() -> Self {
        Self { at: NEW_TEXT, kept: BTreeMap::new() }
    }
}

impl Browse {
    /// Shows the next older line in `editor`, if there is one.
    pub(super) fn go_older(&mut self, history: &History, editor: &mut Editor) {
        let before = (self.at != NEW_TEXT).then_some(self.at);
        if let Some((number, _)) = history.older_than(before).next() {
            self.go_to(number, history, editor);
        }
    }

    /// Shows the next newer line in `editor`, or the new text after the newest one.
    pub(super) fn go_newer(&mut self, history: &History, editor: &mut Editor) {
        if self.at != NEW_TEXT {
            let newer = (self.at + 1).max(history.first);
            let is_kept = history.get(newer).is_some();
            self.go_to(if is_kept { newer } else { NEW_TEXT }, history, editor);
        }
    }

    /// Shows the line with this number in `editor` as it is in the history, if it is kept. Ctrl-_
    /// brings back what was changed in it.
    pub(super) fn take(&mut self, number: LineNumber, history: &History, editor: &mut Editor) {
        if let Some(line) = history.get(number) {
            self.go_to(number, history, editor);
            if editor.text() != line {
                editor.replace(0..editor.text().len(), line);
            }
        }
    }

    /// Shows the line with this number in `editor` with its changes, the cursor at its end.
    fn go_to(&mut self, number: LineNumber, history: &History, editor: &mut Editor) {
        if number == self.at {
            return;
        }
        let next = self.kept.remove(&number);
        let next = next.unwrap_or_else(|| Editor::new(history.get(number).unwrap_or_default()));
        let previous = mem::replace(editor, next);
        if history.get(self.at) != Some(previous.text()) {
            self.kept.insert(self.at, previous);
        }
        self.at = number;
    }

    /// Ends the way and forgets the changed lines. Returns the new text if it is not the one that
    /// is shown.
    pub(super) fn finish(&mut self) -> Option<String> {
        let mut kept = mem::take(self).kept;
        kept.remove(&NEW_TEXT).map(|it| it.text().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a history with these lines.
    fn history(lines: &[&str]) -> History {
        let mut history = History::default();
        lines.iter().for_each(|it| history.push(it));
        history
    }

    /// Blank lines, lines that begin with a space, and repetitions are not kept.
    #[test]
    fn some_lines_are_not_kept() {
        let kept = history(&["a", "a", " secret", "", "\n", "b", "a"]);
        assert_eq!(kept.lines().collect::<Vec<_>>(), ["a", "b", "a"]);
    }

    /// Number and size of the lines are limited; numbers stay the same.
    #[test]
    fn oldest_lines_are_forgotten() {
        let mut many = History::default();
        for number in 0..=MAX_LINES {
            many.push(&number.to_string());
        }
        assert_eq!(many.lines().len(), MAX_LINES);
        assert_eq!((many.get(0), many.get(1), many.get(500)), (None, Some("1"), Some("500")));
        for filler in ["x", "y"].map(|it| it.repeat(MAX_BYTES)) {
            many.push(&filler);
            assert_eq!(many.lines().len(), 1);
            assert_eq!(many.bytes, MAX_BYTES);
        }
        many.push(&"z".repeat(MAX_BYTES + 1));
        assert_eq!((many.lines().len(), many.bytes), (0, 0));
    }

    /// Changes of a line are there again when one comes back to it.
    #[test]
    fn changes_survive_browsing() {
        let history = history(&["old", "new"]);
        let (mut browse, mut editor) = (Browse::default(), Editor::new("typed"));
        browse.go_older(&history, &mut editor);
        editor.insert("er");
        for expected in ["old", "old"] {
            browse.go_older(&history, &mut editor);
            assert_eq!(editor.text(), expected);
        }
        for expected in ["newer", "typed", "typed"] {
            browse.go_newer(&history, &mut editor);
            assert_eq!(editor.text(), expected);
        }
        assert_eq!(browse.finish(), None);
    }

    /// A line that is taken is as in the history; its changes can be brought back.
    #[test]
    fn taken_line_is_unchanged() {
        let history = history(&["old", "new"]);
        let (mut browse, mut editor) = (Browse::default(), Editor::new("typed"));
        browse.go_older(&history, &mut editor);
        editor.insert("er");
        browse.take(1, &history, &mut editor);
        assert_eq!(editor.text(), "new");
        editor.undo();
        assert_eq!(editor.text(), "newer");
        browse.take(0, &history, &mut editor);
        browse.take(1, &history, &mut editor);
        assert_eq!(editor.text(), "new");
        assert_eq!(browse.finish().as_deref(), Some("typed"));
    }

    /// The way goes on if the line that is shown is forgotten meanwhile.
    #[test]
    fn forgotten_line_is_left() {
        let mut lines = history(&["a", "b"]);
        let (mut browse, mut editor) = (Browse::default(), Editor::new("typed"));
        browse.go_older(&lines, &mut editor);
        (0..MAX_LINES).for_each(|it| lines.push(&format!("c{it}")));
        browse.go_older(&lines, &mut editor);
        assert_eq!(editor.text(), "b");
        browse.go_newer(&lines, &mut editor);
        assert_eq!(editor.text(), "c0");
        assert_eq!(browse.finish().as_deref(), Some("typed"));
    }
}
