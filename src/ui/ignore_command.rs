//! Commands about the ignore list: `/ignore`, `/unignore`, and the JSON requests of these names.
//! They are executed here: no engine and no server takes part.

use super::ignore_list::{IgnoreChange, IgnoreError, SharedIgnoreList, ignore_problem_text};
use super::view_state::{Dialect, SharedViewState};

/// Command about the ignore list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IgnoreCommand {
    /// Lists the ignored names.
    List,
    /// Ignores this name, which is not validated yet.
    Add(String),
    /// Removes this name from the list.
    Remove(String),
}

/// Result of an executed command, with texts for the user that are not sanitized.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IgnoreOutcome {
    /// Text that says what has happened, and what it means.
    pub(super) text: String,
    /// Text that says why the list is not saved any more; `None` if saving has not failed now.
    pub(super) problem: Option<String>,
}

/// Executes a command: changes the ignore list, and its file. Blocks until the list is open, which
/// the driver does once it knows the server.
///
/// # Errors
/// The command is refused, and has changed nothing. The error text is for the user.
pub(super) fn execute_ignore(
    command: &IgnoreCommand,
    view: &SharedViewState,
) -> Result<IgnoreOutcome, IgnoreError> {
    let (list, dialect, own_name) =
        view.with(|it| (it.ignore_list.clone(), it.dialect, it.own_name.clone()));
    let (text, problem) = match command {
        IgnoreCommand::List => {
            list.wait_until_open();
            (list_text(&list), None)
        }
        IgnoreCommand::Add(name) => {
            let change = list.add(name, own_name.as_deref())?;
            let text = if change.is_new {
                added_text(&change, dialect, list.is_saved())
            } else {
                format!("You already ignore {}.", change.name)
            };
            (text, change.problem)
        }
        IgnoreCommand::Remove(name) => {
            let change = list.remove(name)?;
            (removed_text(&change.name, dialect), change.problem)
        }
    };
    Ok(IgnoreOutcome { text, problem: problem.as_ref().map(ignore_problem_text) })
}

/// Lists the ignored names for the user.
fn list_text(list: &SharedIgnoreList) -> String {
    let names = list.names();
    if names.is_empty() {
        return "You ignore nobody. Type /ignore NAME to hide what comes from a name.".to_owned();
    }
    let persons = list.persons();
    let is_person = |name: &str| persons.iter().any(|(it, _)| it == name);
    let names = names.into_iter().map(|name| match is_person(&name) {
        true => format!("{name} (the person)"),
        false => name,
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let until = if list.is_saved() { "" } else { " (until you quit)" };
    format!("You ignore {names}{until}. Type /unignore NAME to stop.")
}

/// Returns the text for somebody who is ignored from now on: what that does, what it does not do,
/// and how it ends.
fn added_text(change: &IgnoreChange, dialect: Dialect, is_saved: bool) -> String {
    let name = &change.name;
    let whom = if change.is_person {
        format!(
            "{name} has claimed the name, so the person counts: they are hidden under another name, too, where the server knows that it is them, and whoever has the name {name} after them is shown."
        )
    } else {
        "Only the name counts: the same person under another name is shown, and anybody else who takes this name is hidden.".to_owned()
    };
    let what = match dialect {
        Dialect::Server => "messages, direct messages, joining and leaving",
        Dialect::Peers => "messages, joining and leaving",
    };
    let block = match dialect {
        Dialect::Server => String::new(),
        Dialect::Peers => format!(" {name} can still join; /block {name} objects to that."),
    };
    let until = if is_saved {
        ", quitting does not"
    } else {
        ", and so does quitting, because the list is not saved"
    };
    format!(
        "You ignore {name} now: what comes from this name is not shown here ({what}). Nobody is told, and {name} can still read what you write. {whom}{block} /unignore {name} ends it{until}."
    )
}

/// Returns the text for a name that is not ignored any more.
fn removed_text(name: &str, dialect: Dialect) -> String {
    let hidden = match dialect {
        Dialect::Server => format!("To see what was hidden, type /search from:{name}."),
        Dialect::Peers => "What was hidden stays hidden.".to_owned(),
    };
    format!("You no longer ignore {name}. {hidden}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LogId, Sequence, SessionId};

    /// Each command says what it has done and what to do, in the words of its dialect.
    #[test]
    fn texts_say_what_happened_and_what_to_do() {
        for (dialect, peers) in [(Dialect::Server, false), (Dialect::Peers, true)] {
            let view = SharedViewState::with_dialect(dialect);
            view.with(|it| it.own_name = Some("anna".to_owned()));
            let run = |command: IgnoreCommand| execute_ignore(&command, &view).map(|it| it.text);
            let add = |name: &str| run(IgnoreCommand::Add(name.to_owned()));
            view.with(|it| it.ignore_list.open(None)).unwrap();
            assert!(run(IgnoreCommand::List).unwrap().starts_with("You ignore nobody."));
            let text = add("bob").unwrap();
            assert!(text.ends_with(
                "/unignore bob ends it, and so does quitting, because the list is not saved."
            ));
            assert_eq!((text.contains("direct"), text.contains("/block")), (!peers, peers));
            assert_eq!(add("BOB").unwrap(), "You already ignore BOB.");
            let listed = run(IgnoreCommand::List).unwrap();
            assert_eq!(listed, "You ignore bob (until you quit). Type /unignore NAME to stop.");
            let text = run(IgnoreCommand::Remove("Bob".to_owned())).unwrap();
            assert!(text.starts_with("You no longer ignore bob. "), "{text}");
            assert_eq!(text.contains("/search from:bob"), !peers);
            assert_eq!(add("Anna"), Err(IgnoreError::OwnName));
            if !peers {
                view.with(|it| {
                    it.ignore_list.set_log(LogId([1; 16]));
                    let (session, person) = (SessionId(2), Some(SessionId(2)));
                    it.ignore_list.note_author("eve", Sequence(1), session, person);
                });
                assert!(
                    add("eve").unwrap().contains("whoever has the name eve after them is shown")
                );
                let listed = run(IgnoreCommand::List).unwrap();
                assert!(listed.starts_with("You ignore eve (the person) (until"), "{listed}");
            }
        }
    }
}
