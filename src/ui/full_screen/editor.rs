//! The user's own editor, for long messages.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::NamedTempFile;

use crate::text;
use crate::ui::io_error_text;

/// Editor if the user has set none.
const DEFAULT_EDITOR: &str = if cfg!(windows) { "notepad" } else { "vi" };

/// True while the user's editor has the terminal.
static IS_EDITING: AtomicBool = AtomicBool::new(false);

/// Returns true while the user's editor has the terminal. Ctrl-C is meant for the editor then, but
/// the terminal sends it to this program as well.
#[must_use]
pub fn is_editing() -> bool {
    IS_EDITING.load(Ordering::SeqCst)
}

/// Lets the user edit a text in the program that the environment variable `VISUAL` or `EDITOR`
/// names, and waits for its end. Returns the edited text.
///
/// # Errors
/// The program cannot be started or reports a failure, or the text is not UTF-8. The error text is
/// for the user.
pub(super) fn edit(text: &str) -> Result<String, String> {
    let named = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|it| env::var(it).ok().filter(|it| !it.trim().is_empty()));
    edit_with(&named.unwrap_or_else(|| DEFAULT_EDITOR.to_owned()), text)
}

/// Lets the user edit a text in this program. Its arguments may stand behind it, as in
/// `code --wait`.
fn edit_with(command: &str, text: &str) -> Result<String, String> {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or(DEFAULT_EDITOR);
    let describe = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => text!("editor-missing", program = program),
        io::ErrorKind::InvalidData => text!("editor-not-text"),
        _ => io_error_text(&error),
    };
    let file = write(text).map_err(|error| io_error_text(&error))?;
    IS_EDITING.store(true, Ordering::SeqCst);
    let status = Command::new(program).args(words).arg(file.path()).status();
    IS_EDITING.store(false, Ordering::SeqCst);
    let status = status.map_err(describe)?;
    match status.code() {
        // Many editors write a new file in the place of the old one.
        Some(0) => fs::read_to_string(file.path()).map_err(describe),
        Some(code) => Err(text!("editor-error", program = program, code = code)),
        None => Err(text!("editor-stopped", program = program)),
    }
}

/// Writes a text to a temporary file.
fn write(text: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("chat-").suffix(".txt").tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    Ok(file)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// An editor that is not there or fails is told, in the user's language.
    #[test]
    fn failures_of_the_editor_are_told() {
        let fail = |command: &str| edit_with(command, "hello").unwrap_err();
        assert_eq!(fail("no-such-editor"), "there is no program no-such-editor");
        assert_eq!(fail("false"), "false ended with error 1");
        assert_eq!(edit_with("true --wait", "hello").as_deref(), Ok("hello"));
        let german = with_language(Language::German, || fail("false"));
        assert_eq!(german, "false hat den Fehler 1 gemeldet");
    }
}
