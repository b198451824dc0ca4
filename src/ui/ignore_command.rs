//! Commands about the ignore list: `/ignore`, `/unignore`, and the JSON requests of these names.
//! They are executed here: no engine and no server takes part.

use super::ignore_list::{IgnoreChange, IgnoreError, SharedIgnoreList, ignore_problem_text};
use super::view_state::{Dialect, SharedViewState};
use crate::text;

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
                text!("ignore-already", name = change.name.as_str())
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
        return text!("ignore-none");
    }
    let persons = list.persons();
    let is_person = |name: &str| persons.iter().any(|(it, _)| it == name);
    let names = names.into_iter().map(|name| match is_person(&name) {
        true => text!("ignored-person", name = name),
        false => name,
    });
    let names = names.collect::<Vec<_>>().join(", ");
    match list.is_saved() {
        true => text!("ignore-list", names = names),
        false => text!("ignore-list-unsaved", names = names),
    }
}

/// Returns the text for somebody who is ignored from now on: what that does, what it does not do,
/// and how it ends.
fn added_text(change: &IgnoreChange, dialect: Dialect, is_saved: bool) -> String {
    let name = &change.name;
    let mut sentences = vec![match dialect {
        Dialect::Server => text!("ignore-added", name = name),
        Dialect::Peers => text!("ignore-added-peer", name = name),
    }];
    sentences.push(match change.is_person {
        true => text!("ignore-added-person", name = name),
        false => text!("ignore-added-name"),
    });
    if dialect == Dialect::Peers {
        sentences.push(text!("ignore-added-block", name = name));
    }
    sentences.push(match is_saved {
        true => text!("ignore-until-unignored", name = name),
        false => text!("ignore-until-quit", name = name),
    });
    sentences.join(" ")
}

/// Returns the text for a name that is not ignored any more.
fn removed_text(name: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Server => text!("ignore-removed", name = name),
        Dialect::Peers => text!("ignore-removed-peer", name = name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;
    use crate::model::{LogId, Sequence, SessionId};

    /// What commands say is in the user's language.
    #[test]
    fn texts_are_in_german() {
        let view = SharedViewState::with_dialect(Dialect::Peers);
        view.with(|it| it.ignore_list.open(None)).unwrap();
        let run = |command: IgnoreCommand| {
            let outcome = with_language(Language::German, || {
                execute_ignore(&command, &view).map_err(|error| error.to_string())
            });
            outcome.map_or_else(|error_text| error_text, |it| it.text)
        };
        let bob = || "bob".to_owned();
        assert_eq!(
            run(IgnoreCommand::Add(bob())),
            "Ab jetzt ist bob ausgeblendet: Was von diesem Namen kommt, siehst du hier nicht \
             (Nachrichten, Kommen und Gehen). Niemand erfährt davon, und bob kann weiter lesen, \
             was du schreibst. Es gilt nur dem Namen: Dieselbe Person unter einem anderen Namen ist \
             zu sehen, und jemand anderes unter diesem Namen nicht. bob kann weiterhin \
             hereinkommen; /block bob widerspricht dem. Das gilt, bis du /unignore bob tippst oder \
             gehst, denn die Liste wird nicht gespeichert."
        );
        assert_eq!(
            run(IgnoreCommand::List),
            "Ausgeblendet, bis du gehst: bob. /unignore NAME beendet das."
        );
        assert_eq!(
            run(IgnoreCommand::Remove("eve".to_owned())),
            "eve ist nicht ausgeblendet. /ignore zeigt, wen du ausblendest."
        );
        assert_eq!(
            run(IgnoreCommand::Add("zwei Wörter".to_owned())),
            "„zwei Wörter“ kann kein Name sein. Ein Name hat Buchstaben und Ziffern, auch - _ und \
             ., und beginnt mit einem Buchstaben oder einer Ziffer."
        );
    }

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
