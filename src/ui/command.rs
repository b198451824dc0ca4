//! Parsing of typed lines as messages and slash commands.

use super::ignore_command::IgnoreCommand;
use super::moderation_command::{MODERATION_COMMANDS, ModerationLine, parse_moderation};
use super::other_chats::{advice, our_name};
use super::view_state::Dialect;
use crate::model::{ChatCommand, ClaimAction, PeerCommand, RoomSelector, Style, strip_room_prefix};
use crate::text;

/// Command names of the server dialect, sorted, for tab completion. Aliases such as `/exit` are
/// left out.
const SERVER_COMMANDS: &[&str] = &[
    "/announce",
    "/ban",
    "/bans",
    "/claim",
    "/help",
    "/history",
    "/ignore",
    "/join",
    "/kick",
    "/leave",
    "/link",
    "/me",
    "/moderated",
    "/moderation",
    "/msg",
    "/mute",
    "/quit",
    "/reconnect",
    "/remove",
    "/role",
    "/room",
    "/rooms",
    "/search",
    "/slow",
    "/topic",
    "/unban",
    "/unclaim",
    "/unignore",
    "/unlink",
    "/unmute",
    "/who",
];

/// Command names of the peer dialect, sorted, for tab completion. Aliases are left out.
const PEER_COMMANDS: &[&str] = &[
    "/block",
    "/help",
    "/ignore",
    "/me",
    "/no",
    "/peers",
    "/quit",
    "/room",
    "/unblock",
    "/unignore",
    "/who",
    "/yes",
];

/// Returns the command names of a dialect with their slash, for tab completion.
pub(super) const fn command_names(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Server => SERVER_COMMANDS,
        Dialect::Peers => PEER_COMMANDS,
    }
}

/// Number of messages that `/history` requests if the user gives none.
const DEFAULT_HISTORY_LIMIT: u16 = 20;

/// Maximum number of messages that `/history` requests.
const MAX_HISTORY_LIMIT: u16 = 100;

/// Result of parsing a typed line: the action that it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ParsedLine {
    /// The line is blank: no action.
    Empty,
    /// Request this chat command, for example to send a message.
    ChatCommand(ChatCommand),
    /// Request this command, which only peers have.
    PeerCommand(PeerCommand),
    /// Change or list who is ignored.
    Ignore(IgnoreCommand),
    /// Carry out a command about moderation.
    Moderation(ModerationLine),
    /// Show the help text.
    Help,
    /// Show the help text about moderation.
    ModerationHelp,
    /// Search for this query, which is not parsed yet. If it is empty, request the page before the
    /// last search result.
    Search(String),
    /// Select this room as the target of typed lines. `None`: show which room is the target.
    SelectRoom(Option<String>),
    /// Make a link code.
    Link,
    /// Tell what `/unlink --yes` does.
    AskUnlink,
    /// Connect to the server again at once.
    Reconnect,
    /// Quit once all requests are answered.
    Quit,
}

/// Parses a typed line, without its line ending, in a dialect. `here` selects the room for
/// messages, and for commands without a room argument. `window_commands`: names of further commands,
/// with their slash, which the caller executes itself; one of them may have been meant by an unknown
/// command.
///
/// # Errors
/// The command is unknown or not available in this dialect, or its arguments are invalid. The error
/// text is for the user.
pub(super) fn parse_line(
    line: &str,
    here: RoomSelector,
    dialect: Dialect,
    window_commands: &[&'static str],
) -> Result<ParsedLine, String> {
    if line.trim().is_empty() {
        return Ok(ParsedLine::Empty);
    }
    let say = |text: &str, style| {
        Ok(ParsedLine::ChatCommand(ChatCommand::Say {
            room: here.clone(),
            style,
            text: text.to_owned(),
        }))
    };
    let Some(rest) = line.strip_prefix('/') else {
        return say(line, Style::SAID);
    };
    if rest.starts_with('/') {
        return say(rest, Style::SAID);
    }
    let (word, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let text = text.trim();
    let room = |room: RoomSelector| {
        if text.is_empty() { room } else { RoomSelector::Named(strip_room_prefix(text).to_owned()) }
    };
    let word = word.to_ascii_lowercase();
    let word = our_name(&word);
    if let Some(error_text) = unavailable_command(word, text, dialect) {
        return Err(error_text);
    }
    let named = || match text.strip_prefix('@').unwrap_or(text) {
        "" => Err(text!("wrong-name", command = format!("/{word}"))),
        name => Ok(name.to_owned()),
    };
    let by_name =
        |command: fn(String) -> PeerCommand| Ok(ParsedLine::PeerCommand(command(named()?)));
    match word {
        "help" => Ok(ParsedLine::Help),
        "moderation" => Ok(ParsedLine::ModerationHelp),
        "quit" => Ok(ParsedLine::Quit),
        "reconnect" => Ok(ParsedLine::Reconnect),
        "me" if text.is_empty() => Err(text!("wrong-me")),
        "me" => say(text, Style::ACTION),
        "msg" => match text.split_once(char::is_whitespace) {
            Some((to, text)) if !text.trim().is_empty() => {
                Ok(ParsedLine::ChatCommand(ChatCommand::Direct {
                    to: to.to_owned(),
                    session: None,
                    style: Style::SAID,
                    text: text.trim_start().to_owned(),
                }))
            }
            _ => Err(text!("wrong-msg")),
        },
        "join" if text.is_empty() => Err(text!("wrong-join")),
        "join" => Ok(ParsedLine::ChatCommand(ChatCommand::Enter {
            room: strip_room_prefix(text).to_owned(),
        })),
        "leave" => Ok(ParsedLine::ChatCommand(ChatCommand::Leave { room: room(here) })),
        "room" if text.is_empty() => Ok(ParsedLine::SelectRoom(None)),
        "room" => Ok(ParsedLine::SelectRoom(Some(strip_room_prefix(text).to_owned()))),
        "who" => Ok(ParsedLine::ChatCommand(ChatCommand::Members { room: room(here) })),
        "history" => {
            let limit = if text.is_empty() { Ok(DEFAULT_HISTORY_LIMIT) } else { text.parse() };
            match limit {
                Ok(limit @ 1..=MAX_HISTORY_LIMIT) => {
                    Ok(ParsedLine::ChatCommand(ChatCommand::History {
                        room: here,
                        before: None,
                        limit,
                    }))
                }
                _ => Err(text!("wrong-history", most = MAX_HISTORY_LIMIT)),
            }
        }
        "unlink" if text == "--yes" => {
            Ok(ParsedLine::ChatCommand(ChatCommand::Claim(ClaimAction::UnlinkOthers)))
        }
        "claim" | "unclaim" | "link" | "unlink" if !text.is_empty() => {
            Err(text!("wrong-claim", command = format!("/{word}")))
        }
        "claim" => Ok(ParsedLine::ChatCommand(ChatCommand::Claim(ClaimAction::Claim))),
        "unclaim" => Ok(ParsedLine::ChatCommand(ChatCommand::Claim(ClaimAction::GiveUp))),
        "link" => Ok(ParsedLine::Link),
        "unlink" => Ok(ParsedLine::AskUnlink),
        "search" => Ok(ParsedLine::Search(text.to_owned())),
        "ignore" if text.is_empty() => Ok(ParsedLine::Ignore(IgnoreCommand::List)),
        "ignore" => Ok(ParsedLine::Ignore(IgnoreCommand::Add(named()?))),
        "unignore" => Ok(ParsedLine::Ignore(IgnoreCommand::Remove(named()?))),
        "peers" => Ok(ParsedLine::PeerCommand(PeerCommand::Peers)),
        "block" if text.is_empty() => Ok(ParsedLine::PeerCommand(PeerCommand::ListBlocked)),
        "block" => by_name(|name| PeerCommand::Block { name }),
        "unblock" => by_name(|name| PeerCommand::Unblock { name }),
        "yes" => by_name(|name| PeerCommand::Admit { name, is_welcome: true }),
        "no" => by_name(|name| PeerCommand::Admit { name, is_welcome: false }),
        word => match parse_moderation(word, text, here) {
            Some(line) => line.map(ParsedLine::Moderation),
            None => Err(unknown_command(word, dialect, window_commands)),
        },
    }
}

/// Returns the error text for an unknown command, with the nearest known one if one is near.
fn unknown_command(word: &str, dialect: Dialect, window_commands: &[&'static str]) -> String {
    let moderation = match dialect {
        Dialect::Server => MODERATION_COMMANDS,
        Dialect::Peers => &[],
    };
    let typed = format!("/{word}");
    let known = command_names(dialect).iter().chain(moderation).chain(window_commands);
    let nearest = known
        .map(|it| (strsim::damerau_levenshtein(&typed, it), *it))
        .min()
        .filter(|(distance, it)| *distance <= 2 && *distance + 2 < it.len());
    match nearest {
        Some((_, near)) => text!("wrong-command-near", command = typed, near = near),
        None => text!("wrong-command", command = typed),
    }
}

/// Returns the error text for a command that only the other dialect has, or that takes an argument
/// only there. Returns `None` for any other command. `text` is the argument.
fn unavailable_command(word: &str, text: &str, dialect: Dialect) -> Option<String> {
    match (dialect, word) {
        (Dialect::Peers, "msg") => Some(text!("absent-direct")),
        (Dialect::Peers, "join" | "leave" | "rooms") => Some(text!("absent-other-room")),
        (Dialect::Peers, "room") if !text.is_empty() => Some(text!("absent-other-room")),
        (Dialect::Peers, "history") => Some(text!("absent-history")),
        (Dialect::Peers, "search") => Some(text!("absent-search")),
        (Dialect::Peers, word) if is_moderation(word) => Some(text!("absent-moderation")),
        (Dialect::Peers, "claim" | "unclaim" | "link" | "unlink") => Some(text!("absent-claim")),
        (Dialect::Peers, "reconnect") => Some(text!("absent-reconnect")),
        (Dialect::Server, "block") => Some(text!("absent-block")),
        (Dialect::Server, "unblock") => Some(text!("absent-unblock")),
        (Dialect::Server, "peers" | "yes" | "no") => Some(text!("absent-peers")),
        _ => advice(word, dialect),
    }
}

/// Returns true if a command, without its slash, is about moderation.
fn is_moderation(word: &str) -> bool {
    MODERATION_COMMANDS.iter().any(|it| it.strip_prefix('/') == Some(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// Parses a line. Returns text and style if it is a message, otherwise `None`.
    fn parse_said(line: &str) -> Option<(String, Style)> {
        match parse_line(line, RoomSelector::First, Dialect::Server, &[]) {
            Ok(ParsedLine::ChatCommand(ChatCommand::Say { text, style, .. })) => {
                Some((text, style))
            }
            _ => None,
        }
    }

    /// A line without a command is sent unchanged.
    #[test]
    fn plain_line_is_a_message() {
        assert_eq!(parse_said("  hello "), Some(("  hello ".to_owned(), Style::SAID)));
        assert_eq!(parse_said("//me x"), Some(("/me x".to_owned(), Style::SAID)));
        assert_eq!(parse_said("/me  waves"), Some(("waves".to_owned(), Style::ACTION)));
        assert_eq!(
            parse_line(" ", RoomSelector::First, Dialect::Server, &[]),
            Ok(ParsedLine::Empty)
        );
    }

    /// An unknown command comes with the nearest known one, if one is near.
    #[test]
    fn unknown_command_has_suggestion() {
        let told = |line, dialect| parse_line(line, RoomSelector::First, dialect, &[]).unwrap_err();
        assert_eq!(
            told("/serach x", Dialect::Server),
            "There is no command /serach. Did you mean /search? (To send it as a message, write //serach.)"
        );
        assert!(told("/slwo 10s", Dialect::Server).contains("Did you mean /slow?"));
        assert!(told("/peesr", Dialect::Peers).contains("Did you mean /peers?"));
        let window =
            |line| parse_line(line, RoomSelector::First, Dialect::Server, &["/query"]).unwrap_err();
        assert!(window("/qeury bob").contains("Did you mean /query?"), "{}", window("/qeury bob"));
        let far = told("/nonsense", Dialect::Server);
        assert!(far.contains("Type /help to see the commands."), "{far}");
    }

    /// Errors are in the user's language; commands are as they are typed.
    #[test]
    fn errors_are_in_german() {
        for (line, dialect, expected) in [
            (
                "/serach x",
                Dialect::Server,
                "Es gibt keinen Befehl /serach. Meinst du /search? (Um es als Nachricht zu senden, tippe //serach.)",
            ),
            ("/unignore", Dialect::Server, "Wen meinst du? Tippe /unignore NAME."),
            ("/join", Dialect::Server, "In welchen Raum? Tippe /join RAUM."),
            ("/history 500", Dialect::Server, "Tippe /history N mit einer Zahl von 1 bis 100."),
            ("/msg bob hi", Dialect::Peers, "Ohne Server gibt es keine Direktnachrichten."),
        ] {
            let told = with_language(Language::German, || {
                parse_line(line, RoomSelector::First, dialect, &[]).unwrap_err()
            });
            assert_eq!(told, expected);
        }
    }

    /// Unknown commands and missing arguments are errors.
    #[test]
    fn invalid_commands_are_errors() {
        for line in [
            "/nosuch",
            "/etc/passwd",
            "/",
            "/me",
            "/msg bob",
            "/join",
            "/history 0",
            "/history x",
            "/claim anna",
            "/link anna",
            "/unlink anna",
        ] {
            assert!(parse_line(line, RoomSelector::First, Dialect::Server, &[]).is_err(), "{line}");
        }
    }

    /// Commands are parsed with their arguments.
    #[test]
    fn commands_are_parsed() {
        let garden = RoomSelector::Named("garden".to_owned());
        let parsed = |line| parse_line(line, RoomSelector::First, Dialect::Server, &[]).unwrap();
        assert_eq!(
            parsed("/JOIN #garden"),
            ParsedLine::ChatCommand(ChatCommand::Enter { room: "garden".into() })
        );
        assert_eq!(
            parsed("/who garden"),
            ParsedLine::ChatCommand(ChatCommand::Members { room: garden })
        );
        assert_eq!(parsed("/room"), ParsedLine::SelectRoom(None));
        assert_eq!(parsed("/quit"), ParsedLine::Quit);
        assert_eq!(parsed("/reconnect"), ParsedLine::Reconnect);
        for (line, action) in [("/claim", ClaimAction::Claim), ("/unclaim ", ClaimAction::GiveUp)] {
            assert_eq!(parsed(line), ParsedLine::ChatCommand(ChatCommand::Claim(action)));
        }
        assert_eq!(parsed("/search  a \"b  c\" "), ParsedLine::Search("a \"b  c\"".into()));
        assert_eq!(parsed("/search"), ParsedLine::Search(String::new()));
        let ParsedLine::ChatCommand(ChatCommand::Direct { to, text, .. }) =
            parsed("/msg bob  hi there")
        else {
            panic!("no direct message");
        };
        assert_eq!((to.as_str(), text.as_str()), ("bob", "hi there"));
    }

    /// Each dialect has its own commands, and refuses those of the other with an explanation.
    #[test]
    fn commands_depend_on_dialect() {
        let peers = |line| parse_line(line, RoomSelector::First, Dialect::Peers, &[]);
        let command = |line| match peers(line) {
            Ok(ParsedLine::PeerCommand(command)) => command,
            other => panic!("{line}: {other:?}"),
        };
        let name = || "bob".to_owned();
        assert_eq!(command("/peers"), PeerCommand::Peers);
        assert_eq!(command("/block @bob"), PeerCommand::Block { name: name() });
        assert_eq!(command("/block"), PeerCommand::ListBlocked);
        assert_eq!(command("/unblock bob"), PeerCommand::Unblock { name: name() });
        assert_eq!(command("/YES bob "), PeerCommand::Admit { name: name(), is_welcome: true });
        assert_eq!(command("/no bob"), PeerCommand::Admit { name: name(), is_welcome: false });
        assert_eq!(
            peers("/msg bob hi").unwrap_err(),
            "There are no direct messages without a server."
        );
        for line in [
            "/join x",
            "/leave",
            "/room x",
            "/history",
            "/search x",
            "/unblock",
            "/yes",
            "/reconnect",
        ] {
            assert!(peers(line).is_err(), "{line}");
        }
        assert_eq!(peers("/room"), Ok(ParsedLine::SelectRoom(None)));
        for line in ["/peers", "/block bob", "/unblock bob", "/yes bob", "/no bob"] {
            let error_text =
                parse_line(line, RoomSelector::First, Dialect::Server, &[]).unwrap_err();
            assert!(error_text.contains("chat-peer"), "{error_text}");
        }
    }

    /// `/ignore` and `/unignore` are the same in both dialects.
    #[test]
    fn ignore_is_parsed_in_both_dialects() {
        for dialect in [Dialect::Server, Dialect::Peers] {
            let parsed = |line| parse_line(line, RoomSelector::First, dialect, &[]);
            let bob = || "bob".to_owned();
            assert_eq!(parsed("/ignore "), Ok(ParsedLine::Ignore(IgnoreCommand::List)));
            assert_eq!(parsed("/IGNORE @bob"), Ok(ParsedLine::Ignore(IgnoreCommand::Add(bob()))));
            assert_eq!(
                parsed("/unignore bob "),
                Ok(ParsedLine::Ignore(IgnoreCommand::Remove(bob())))
            );
            assert_eq!(parsed("/unignore").unwrap_err(), "Whom do you mean? Type /unignore NAME.");
        }
    }
}
