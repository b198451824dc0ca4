//! Helper of the line editor: tab completion, and hooks at the beginning and the end of a line.

use std::sync::Arc;

use rustyline::completion::Completer;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Highlighter};

use super::access::TerminalAccess;
use super::edited_line::EditedLine;
use super::modes::EditingModes;
use crate::ui::command::command_names;
use crate::ui::safe::safe_name;
use crate::ui::view_state::{SharedViewState, ViewState};

/// Helper of the line editor: completes commands, room names and member names, and reports the
/// beginning and end of each line to [`TerminalAccess`] and [`EditingModes`].
#[derive(Helper, Highlighter)]
pub(super) struct LineHelper {
    /// View state, for the names to complete.
    pub(super) view: SharedViewState,
    /// Line that is being edited.
    pub(super) line: EditedLine,
    /// Coordination with the printing thread.
    pub(super) access: Arc<TerminalAccess>,
    /// Terminal modes of the editor.
    pub(super) modes: Arc<EditingModes>,
}

impl Hinter for LineHelper {
    type Hint = String;

    /// Marks the line as begun and notes its text. The editor calls it when a line begins and when
    /// its text changes. Always returns `None`, so there are no hints.
    fn hint(&self, line: &str, pos: usize, _ctx: &Context<'_>) -> Option<String> {
        self.line.set_text(line, pos);
        self.modes.begin_line();
        self.access.begin_line();
        None
    }
}

impl Validator for LineHelper {
    /// Marks the line as finished, and accepts it. The editor calls it when the user has entered a
    /// line, before the editor leaves raw mode.
    fn validate(&self, _ctx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        self.access.end_line();
        self.modes.end_line();
        Ok(ValidationResult::Valid(None))
    }
}

impl Completer for LineHelper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _ctx: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.view.with(|view| complete(line.get(..pos).unwrap_or(line), view)))
    }
}

/// Completes the word at the end of `line`. Returns the byte offset where the text to replace
/// begins, and the possible completions. A completion ends with a space; a name at the beginning of
/// the line ends with `: `. Upper and lower case differ only in commands.
///
/// - A `/` at the beginning of the line begins a command.
/// - After `/room`, `/leave` and `/who`, the word is the name of a joined room.
/// - In a search, text after `in:` is the name of a joined room, and after `from:` a member's name.
/// - After `/unignore`, the word is an ignored name.
/// - Anywhere else, the word is a member's name.
/// - An empty word has no completions.
fn complete(line: &str, view: &ViewState) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| {
        at + line.get(at..).and_then(|it| it.chars().next()).map_or(1, char::len_utf8)
    });
    let word = line.get(start..).unwrap_or_default();
    if start == 0 && word.starts_with('/') {
        let fitting = command_names(view.dialect).iter().filter(|it| it.starts_with(word));
        return (0, fitting.map(|it| format!("{it} ")).collect());
    }
    // In a search, a name or room directly follows its filter.
    let is_search = line.starts_with("/search ");
    let filter = ["from:", "in:"].into_iter().find(|it| is_search && word.starts_with(it));
    let filter = filter.unwrap_or_default();
    let (start, word) = (start + filter.len(), word.get(filter.len()..).unwrap_or_default());
    let commands = ["/room", "/leave", "/who"];
    let is_room = filter == "in:" || commands.iter().any(|it| line.starts_with(it));
    let candidates = if is_room {
        view.rooms.clone()
    } else if line.starts_with("/unignore ") {
        view.ignore_list.names()
    } else {
        view.member_names()
    };
    let begun = word.to_lowercase();
    // A name at the beginning of a line addresses that user.
    let end = if start == 0 { ": " } else { " " };
    let fitting = candidates
        .into_iter()
        .filter(|it| !begun.is_empty() && it.to_lowercase().starts_with(&begun))
        .map(|it| format!("{}{end}", safe_name(&it)));
    (start, fitting.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, RequestTag};

    /// Commands, member names and room names are completed.
    #[test]
    fn commands_members_and_rooms_are_completed() {
        let mut view = ViewState::default();
        view.update(&Event::Roster {
            tag: RequestTag::default(),
            room: "lobby".to_owned(),
            members: 2,
            names: Some(vec!["Anna".to_owned(), "bob".to_owned()]),
            notes: None,
            requested: false,
        });
        view.rooms = vec!["lobby".to_owned()];
        assert_eq!(complete("an", &view), (0, vec!["Anna: ".to_owned()]));
        assert_eq!(complete("hi b", &view), (3, vec!["bob ".to_owned()]));
        assert_eq!(complete("/room l", &view), (6, vec!["lobby ".to_owned()]));
        assert_eq!(complete("/search from:a", &view), (13, vec!["Anna ".to_owned()]));
        assert_eq!(complete("/search x in:l", &view), (13, vec!["lobby ".to_owned()]));
        assert_eq!(complete("in:l", &view), (0, vec![]));
        view.ignore_list.open(None).unwrap();
        view.ignore_list.add("Bert", None).unwrap();
        assert_eq!(complete("/ignore b", &view), (8, vec!["bob ".to_owned()]));
        assert_eq!(complete("/unignore b", &view), (10, vec!["Bert ".to_owned()]));
        assert_eq!(complete("/ig", &view), (0, vec!["/ignore ".to_owned()]));
        assert_eq!(complete("/hi", &view), (0, vec!["/history ".to_owned()]));
        assert_eq!(complete("", &view), (0, vec![]));
    }
}
