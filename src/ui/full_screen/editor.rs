//! The user's own editor, for long messages.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

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
/// The program cannot be started or reports a failure, or the text is not UTF-8.
pub(super) fn edit(text: &str) -> io::Result<String> {
    let mut file = tempfile::Builder::new().prefix("chat-").suffix(".txt").tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    let named = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|it| env::var(it).ok().filter(|it| !it.trim().is_empty()));
    let command = named.unwrap_or_else(|| DEFAULT_EDITOR.to_owned());
    // The variable may hold arguments, such as `code --wait`.
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or(DEFAULT_EDITOR);
    IS_EDITING.store(true, Ordering::SeqCst);
    let status = Command::new(program).args(words).arg(file.path()).status();
    IS_EDITING.store(false, Ordering::SeqCst);
    let status = status?;
    if !status.success() {
        return Err(io::Error::other(format!("{program} ended with {status}")));
    }
    // Many editors write a new file in the place of the old one.
    fs::read_to_string(file.path())
}
