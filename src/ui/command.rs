//! What a typed line means.

use crate::model::{Place, Style, Task};

/// Shown by `/help`.
pub(super) const HELP: &str = "\
a line            is said to the room
//text            says “/text”
/me TEXT          says what you do: * anna waves
/msg NAME TEXT    says it to one person only
/join ROOM        enters a further room and talks there
/leave [ROOM]     leaves a room
/room [NAME]      chooses the room you talk in; tells which one it is
/who [ROOM]       tells who is there
/history [N]      shows N older messages (20)
/quit             leaves
/help             this";

/// All commands, for completion.
pub(super) const COMMANDS: &[&str] =
    &["/help", "/history", "/join", "/leave", "/me", "/msg", "/quit", "/room", "/who"];

/// Messages that `/history` brings.
const HISTORY: u16 = 20;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// An empty line: nothing.
    Nothing,
    /// Something for the server.
    Do(Task),
    /// Show the help.
    Help,
    /// Talk in this room from now on; without one: tell where.
    Room(Option<String>),
    /// Leave when everything is answered.
    Quit,
}

/// What `line` (without its end) means; `here` is where messages go. An
/// error is a sentence for the person; nothing is sent then.
pub(super) fn parse(line: &str, here: Place) -> Result<Meaning, String> {
    if line.trim().is_empty() {
        return Ok(Meaning::Nothing);
    }
    let say = |text: &str, style| {
        Ok(Meaning::Do(Task::Say { place: here.clone(), style, text: text.to_owned() }))
    };
    let Some(rest) = line.strip_prefix('/') else {
        return say(line, Style::SAID);
    };
    if rest.starts_with('/') {
        return say(rest, Style::SAID);
    }
    let (word, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let text = text.trim();
    let room = |place: Place| {
        if text.is_empty() { place } else { Place::Named(room_name(text).to_owned()) }
    };
    match word.to_ascii_lowercase().as_str() {
        "help" | "?" => Ok(Meaning::Help),
        "quit" | "exit" => Ok(Meaning::Quit),
        "me" if text.is_empty() => Err("/me TEXT: what do you do?".to_owned()),
        "me" => say(text, Style::ACTION),
        "msg" => match text.split_once(char::is_whitespace) {
            Some((to, text)) if !text.trim().is_empty() => Ok(Meaning::Do(Task::Direct {
                to: to.to_owned(),
                session: None,
                style: Style::SAID,
                text: text.trim_start().to_owned(),
            })),
            _ => Err("/msg NAME TEXT: to whom, and what?".to_owned()),
        },
        "join" if text.is_empty() => Err("/join ROOM: which room?".to_owned()),
        "join" => Ok(Meaning::Do(Task::Enter { room: room_name(text).to_owned() })),
        "leave" => Ok(Meaning::Do(Task::Leave { place: room(here) })),
        "room" if text.is_empty() => Ok(Meaning::Room(None)),
        "room" => Ok(Meaning::Room(Some(room_name(text).to_owned()))),
        "who" => Ok(Meaning::Do(Task::Members { place: room(here) })),
        "history" => {
            let limit = if text.is_empty() { Ok(HISTORY) } else { text.parse() };
            match limit {
                Ok(limit @ 1..=100) => {
                    Ok(Meaning::Do(Task::History { place: here, before: None, limit }))
                }
                _ => Err("/history [N]: N is a number from 1 to 100.".to_owned()),
            }
        }
        _ => Err(format!(
            "There is no command /{word}; /help lists them. (To say it, begin with //.)"
        )),
    }
}

/// Rooms are shown with a `#`, so people type it.
pub(super) fn room_name(text: &str) -> &str {
    text.strip_prefix('#').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said by a line.
    fn said(line: &str) -> Option<(String, Style)> {
        match parse(line, Place::First) {
            Ok(Meaning::Do(Task::Say { text, style, .. })) => Some((text, style)),
            _ => None,
        }
    }

    /// Messages, as they are.
    #[test]
    fn a_line_is_a_message() {
        assert_eq!(said("  hello "), Some(("  hello ".to_owned(), Style::SAID)));
        assert_eq!(said("//me x"), Some(("/me x".to_owned(), Style::SAID)));
        assert_eq!(said("/me  waves"), Some(("waves".to_owned(), Style::ACTION)));
        assert_eq!(parse(" ", Place::First), Ok(Meaning::Nothing));
    }

    /// What is not understood is not sent.
    #[test]
    fn unknown_commands_are_errors() {
        for line in
            ["/nosuch", "/etc/passwd", "/", "/me", "/msg bob", "/join", "/history 0", "/history x"]
        {
            assert!(parse(line, Place::First).is_err(), "{line}");
        }
    }

    /// The other commands.
    #[test]
    fn commands() {
        let garden = Place::Named("garden".to_owned());
        let parsed = |line| parse(line, Place::First).unwrap();
        assert_eq!(parsed("/JOIN #garden"), Meaning::Do(Task::Enter { room: "garden".into() }));
        assert_eq!(parsed("/who garden"), Meaning::Do(Task::Members { place: garden }));
        assert_eq!(parsed("/room"), Meaning::Room(None));
        assert_eq!(parsed("/quit"), Meaning::Quit);
        let Meaning::Do(Task::Direct { to, text, .. }) = parsed("/msg bob  hi there") else {
            panic!("no direct message");
        };
        assert_eq!((to.as_str(), text.as_str()), ("bob", "hi there"));
    }
}
