//! Commands of other chat programs: those that we have under another name, and what to do in place of
//! those that we do not have.

use super::view_state::Dialect;
use crate::text;

/// Returns our name for a command, without its slash; the name itself if it has no other.
pub(super) fn our_name(word: &str) -> &str {
    match word {
        "?" => "help",
        "exit" => "quit",
        "list" => "rooms",
        "names" => "who",
        "part" => "leave",
        other => other,
    }
}

/// Returns what to do in place of a command that we do not have, or that only the full screen has;
/// `None` for any other command. `word` is the command without its slash.
pub(super) fn advice(word: &str, dialect: Dialect) -> Option<String> {
    use Dialect::{Peers, Server};
    Some(match (dialect, word) {
        (_, "nick") => text!("absent-nick"),
        (_, "away") => text!("absent-away"),
        (Server, "whois") => text!("absent-whois"),
        (Peers, "whois") => text!("absent-whois-peer"),
        (Server, "query") => text!("absent-query"),
        (Peers, "query") => text!("absent-direct"),
        (Server, "close") => text!("absent-close"),
        (Peers, "close") => text!("absent-close-peer"),
        (_, "clear") => text!("absent-clear"),
        (_, "set") => text!("absent-set"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;
    use crate::model::RoomSelector;
    use crate::ui::command::{command_names, parse_line};

    /// Commands known from elsewhere do the same as ours.
    #[test]
    fn other_names_do_the_same() {
        let parsed = |line| parse_line(line, RoomSelector::First, Dialect::Server, &[]);
        for (other, ours) in [
            ("/list", "/rooms"),
            ("/NAMES", "/who"),
            ("/names garden", "/who garden"),
            ("/part #garden", "/leave #garden"),
            ("/exit", "/quit"),
            ("/?", "/help"),
        ] {
            assert!(parsed(ours).is_ok(), "{ours}");
            assert_eq!(parsed(other), parsed(ours), "{other}");
        }
    }

    /// For each command that is missing, the advice names one that is there, in each language.
    #[test]
    fn advice_names_what_is_there() {
        for language in Language::ALL {
            for dialect in [Dialect::Server, Dialect::Peers] {
                with_language(*language, || advice_is_right(dialect));
            }
        }
    }

    /// Checks the advice of a dialect.
    fn advice_is_right(dialect: Dialect) {
        for word in ["nick", "away", "whois", "query", "close", "clear", "set"] {
            let line = format!("/{word} anna");
            let text = parse_line(&line, RoomSelector::First, dialect, &[]).unwrap_err();
            let is_unknown = ["There is no command", "Es gibt keinen Befehl"]
                .iter()
                .any(|it| text.starts_with(it));
            assert!(!is_unknown, "{text}");
            let named = text.split([' ', '.', ',']).filter(|it| it.starts_with('/'));
            for name in named.filter(|it| it.trim_start_matches('/') != word) {
                assert!(command_names(dialect).contains(&name), "{line}: {text}");
            }
        }
    }
}
