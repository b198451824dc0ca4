//! Commands of other chat programs: those that we have under another name, and what to do in place of
//! those that we do not have.

use super::view_state::Dialect;

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
pub(super) fn advice(word: &str, dialect: Dialect) -> Option<&'static str> {
    use Dialect::{Peers, Server};
    Some(match (dialect, word) {
        (_, "nick") => {
            "Your name cannot change while you are in the chat. Type /quit, and start again with --name NAME."
        }
        (_, "away") => {
            "Nobody is told that you are away. What is said meanwhile is on your screen when you are back; to be gone for the others, type /quit."
        }
        (Server, "whois") => "To see who is there, type /who.",
        (Peers, "whois") => "To see who is there and from which address, type /peers.",
        (Server, "query") => "/query belongs to the full screen. Type /msg NAME TEXT.",
        (Peers, "query") => "There are no direct messages without a server.",
        (Server, "close") => {
            "/close belongs to the full screen. To leave a room, type /leave [ROOM]."
        }
        (Peers, "close") => "/close belongs to the full screen. To leave the chat, type /quit.",
        (_, "clear") => {
            "/clear belongs to the full screen. Lines that are printed belong to the terminal, which can clear them."
        }
        (_, "set") => {
            "/set belongs to the full screen. There is nothing to set for lines that are printed."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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

    /// For each command that is missing, the advice names one that is there.
    #[test]
    fn advice_names_what_is_there() {
        for dialect in [Dialect::Server, Dialect::Peers] {
            for word in ["nick", "away", "whois", "query", "close", "clear", "set"] {
                let line = format!("/{word} anna");
                let text = parse_line(&line, RoomSelector::First, dialect, &[]).unwrap_err();
                assert!(!text.starts_with("There is no command"), "{text}");
                let named = text.split([' ', '.', ',']).filter(|it| it.starts_with('/'));
                for name in named.filter(|it| it.trim_start_matches('/') != word) {
                    assert!(command_names(dialect).contains(&name), "{line}: {text}");
                }
            }
        }
    }
}
