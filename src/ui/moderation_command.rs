//! Parsing of the slash commands about moderation.

use crate::json::parse_role_name;
use crate::model::limits::{MAX_ERROR_TEXT, MAX_LINE};
use crate::model::{
    AnnouncementError, AnnouncementText, LineError, ModerationCommand, Place, Reason, RoomSelector,
    SanctionLength, SlowMode, SlowModeError, Topic, UserAction,
};
use crate::text;

/// Names of the commands about moderation, sorted, for tab completion.
pub(super) const MODERATION_COMMANDS: &[&str] = &[
    "/announce",
    "/ban",
    "/bans",
    "/kick",
    "/moderated",
    "/mute",
    "/remove",
    "/role",
    "/rooms",
    "/slow",
    "/topic",
    "/unban",
    "/unmute",
];

/// Result of parsing a command about moderation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ModerationLine {
    /// Request this command.
    Command(ModerationCommand),
    /// Show the topic of the current room.
    ShowTopic,
    /// Remove the latest message of the current room that satisfies both.
    RemoveLatest {
        /// Username of the author; `None`: the user.
        author: Option<String>,
        /// Text that the message holds; empty: any.
        text: String,
    },
}

/// Words of a command line that begin with `--`, taken from its beginning and after the name.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    /// `--server`: on the whole server.
    is_server: bool,
    /// `--address`: by address as well.
    by_address: bool,
    /// `--yes`: do it.
    is_confirmed: bool,
}

impl Options {
    /// Takes the options at the beginning of a text. Returns the rest.
    ///
    /// # Errors
    /// Text for the user: an option is unknown.
    fn take<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        let mut rest = text.trim_start();
        while rest.starts_with("--") {
            let (option, after) = split_word(rest);
            match option {
                "--server" => self.is_server = true,
                "--address" => self.by_address = true,
                "--yes" => self.is_confirmed = true,
                _ => {
                    return Err(text!("wrong-option", option = option));
                }
            }
            rest = after;
        }
        Ok(rest)
    }

    /// Returns the place that the options name: the server, or `here`.
    fn place(self, here: RoomSelector) -> Place {
        if self.is_server { Place::Server } else { Place::Room(here) }
    }
}

/// Splits the first word off a text. The rest has no blanks at its beginning.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// Parses a command about moderation: `word` without its slash, in lower case, and the `text` after
/// it, trimmed. `here`: the current room. `None` if the command is not about moderation.
pub(super) fn parse_moderation(
    word: &str,
    text: &str,
    here: RoomSelector,
) -> Option<Result<ModerationLine, String>> {
    let command = match word {
        "topic" if text.is_empty() => return Some(Ok(ModerationLine::ShowTopic)),
        "topic" => parse_topic(text, here),
        "remove" => return Some(Ok(parse_remove(text))),
        "kick" | "ban" | "unban" | "mute" | "unmute" => parse_action(word, text, here),
        "bans" => parse_options_only(text)
            .map(|options| ModerationCommand::ListSanctions { place: options.place(here) }),
        "rooms" => Ok(ModerationCommand::ListRooms),
        "slow" => match text.parse::<SlowMode>() {
            Ok(mode) => Ok(ModerationCommand::SetSlowMode { room: here, mode }),
            Err(SlowModeError) => Err(text!("wrong-slow")),
        },
        "moderated" => match text {
            "on" | "off" => Ok(ModerationCommand::SetModerated { room: here, is_on: text == "on" }),
            _ => Err(text!("wrong-moderated")),
        },
        "announce" => parse_announce(text, here),
        "role" => parse_role(text, here),
        _ => return None,
    };
    Some(command.map(ModerationLine::Command))
}

/// Parses what follows `/topic`: the new topic, or `-` for none.
///
/// # Errors
/// Text for the user: the topic is not valid.
fn parse_topic(text: &str, here: RoomSelector) -> Result<ModerationCommand, String> {
    let topic = match text {
        "-" => None,
        text => Some(Topic::new(text).map_err(|error| {
            text!("wrong-topic", problem = line_problem(error), bytes = MAX_LINE)
        })?),
    };
    Ok(ModerationCommand::SetTopic { room: here, topic })
}

/// Returns what is wrong with a topic or a reason, as texts call it.
const fn line_problem(error: LineError) -> &'static str {
    match error {
        LineError::TooLong => "long",
        LineError::Empty | LineError::Control => "other",
    }
}

/// Parses what follows `/remove`: nothing, or the author and a part of the text.
fn parse_remove(text: &str) -> ModerationLine {
    let (author, text) = split_word(text);
    let author = author.strip_prefix('@').unwrap_or(author);
    ModerationLine::RemoveLatest {
        author: Some(author.to_owned()).filter(|it| !it.is_empty()),
        text: text.to_owned(),
    }
}

/// Parses what follows `/kick`, `/ban`, `/unban`, `/mute` or `/unmute`: options, a name, for a ban
/// or mute perhaps a length, and the reason. A ban by address is a dry run without `--yes`.
///
/// # Errors
/// Text for the user: the name is missing, or an option or the reason is not valid.
fn parse_action(word: &str, text: &str, here: RoomSelector) -> Result<ModerationCommand, String> {
    let mut options = Options::default();
    let (name, rest) = split_word(options.take(text)?);
    let name = name.strip_prefix('@').unwrap_or(name);
    if name.is_empty() {
        return Err(text!("wrong-name", command = format!("/{word}")));
    }
    let rest = options.take(rest)?;
    let (length, rest) = match word {
        "ban" | "mute" => take_length(rest)?,
        _ => (SanctionLength::FOREVER, rest),
    };
    let reason = match options.take(rest)? {
        "" => None,
        text => Some(Reason::new(text).map_err(|error| {
            text!("wrong-reason", problem = line_problem(error), bytes = MAX_LINE)
        })?),
    };
    if options.by_address && word != "ban" {
        return Err(text!("wrong-address"));
    }
    let action = match word {
        "kick" => UserAction::Kick,
        "ban" => UserAction::Ban {
            length,
            by_address: options.by_address,
            is_dry_run: options.by_address && !options.is_confirmed,
        },
        "unban" => UserAction::Unban,
        "mute" => UserAction::Mute(length),
        _ => UserAction::Unmute,
    };
    Ok(ModerationCommand::ActOnUser {
        place: options.place(here),
        username: name.to_owned(),
        session: None,
        action,
        reason,
    })
}

/// Takes the length of a ban or mute from the beginning of a text. Returns the length, which is
/// without end if there is none, and the rest.
///
/// # Errors
/// Text for the user: the first word begins with a digit and is no length. A mistyped length, such
/// as `10min`, must not count as the reason of a ban without end.
fn take_length(text: &str) -> Result<(SanctionLength, &str), String> {
    let (first, after) = split_word(text);
    match first.parse::<SanctionLength>() {
        Ok(length) => Ok((length, after)),
        Err(_) if first.starts_with(|it: char| it.is_ascii_digit()) => {
            Err(text!("wrong-length", typed = first))
        }
        Err(_) => Ok((SanctionLength::FOREVER, text)),
    }
}

/// Parses a text that holds options and nothing else.
///
/// # Errors
/// Text for the user: there is something else.
fn parse_options_only(text: &str) -> Result<Options, String> {
    let mut options = Options::default();
    match options.take(text)? {
        "" => Ok(options),
        other => Err(text!("wrong-bans", typed = other)),
    }
}

/// Parses what follows `/announce`: options and the text.
///
/// # Errors
/// Text for the user: the text is missing or not valid.
fn parse_announce(text: &str, here: RoomSelector) -> Result<ModerationCommand, String> {
    let mut options = Options::default();
    let text = options.take(text)?;
    if text.is_empty() {
        return Err(text!("wrong-announce"));
    }
    let text = AnnouncementText::new(text).map_err(|error| {
        let problem = if error == AnnouncementError::TooLong { "long" } else { "other" };
        text!("wrong-announcement", problem = problem, bytes = MAX_ERROR_TEXT)
    })?;
    Ok(ModerationCommand::Announce { place: options.place(here), text })
}

/// Parses what follows `/role`: options, a name and a role.
///
/// # Errors
/// Text for the user: the name is missing, or the role is none.
fn parse_role(text: &str, here: RoomSelector) -> Result<ModerationCommand, String> {
    let mut options = Options::default();
    let (name, rest) = split_word(options.take(text)?);
    let (role, after) = split_word(options.take(rest)?);
    let rest = options.take(after)?;
    let role = parse_role_name(role).filter(|_| rest.is_empty() && !name.is_empty());
    let role = role.ok_or_else(|| text!("wrong-role"))?;
    Ok(ModerationCommand::SetRole {
        place: options.place(here),
        username: name.strip_prefix('@').unwrap_or(name).to_owned(),
        session: None,
        role,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;
    use crate::model::Role;

    /// Parses a command about moderation in the first room.
    fn parsed(line: &str) -> Result<ModerationLine, String> {
        let (word, text) = line.split_once(' ').unwrap_or((line, ""));
        parse_moderation(word, text.trim(), RoomSelector::First).unwrap()
    }

    /// Returns the command that a valid line requests.
    fn command(line: &str) -> ModerationCommand {
        match parsed(line) {
            Ok(ModerationLine::Command(command)) => command,
            other => panic!("{line}: {other:?}"),
        }
    }

    /// Returns a command about bob.
    fn about_bob(place: Place, action: UserAction, reason: Option<&str>) -> ModerationCommand {
        ModerationCommand::ActOnUser {
            place,
            username: "bob".to_owned(),
            session: None,
            action,
            reason: reason.map(|it| Reason::new(it).unwrap()),
        }
    }

    /// Options stand before or after the name. A length stands after the name; without one a ban
    /// has no end.
    #[test]
    fn actions_on_users_are_parsed() {
        let here = || Place::Room(RoomSelector::First);
        let length = SanctionLength::from_seconds(600).unwrap();
        let ban =
            |length, by_address, is_dry_run| UserAction::Ban { length, by_address, is_dry_run };
        let forever = SanctionLength::FOREVER;
        assert_eq!(command("kick @bob"), about_bob(here(), UserAction::Kick, None));
        assert_eq!(
            command("kick --server bob 10m of spam"),
            about_bob(Place::Server, UserAction::Kick, Some("10m of spam"))
        );
        assert_eq!(command("ban bob"), about_bob(here(), ban(forever, false, false), None));
        assert_eq!(
            command("ban bob --server 10m for  spam"),
            about_bob(Place::Server, ban(length, false, false), Some("for  spam"))
        );
        assert_eq!(
            command("ban bob forever spam"),
            about_bob(here(), ban(forever, false, false), Some("spam"))
        );
        assert_eq!(command("mute bob 10m"), about_bob(here(), UserAction::Mute(length), None));
        assert_eq!(command("unmute bob"), about_bob(here(), UserAction::Unmute, None));
        assert_eq!(command("unban bob"), about_bob(here(), UserAction::Unban, None));
    }

    /// A ban by address is counted first; with `--yes` it is done.
    #[test]
    fn ban_by_address_needs_a_second_command() {
        let is_dry = |line| match command(line) {
            ModerationCommand::ActOnUser {
                action: UserAction::Ban { by_address: true, is_dry_run, .. },
                ..
            } => is_dry_run,
            other => panic!("{line}: {other:?}"),
        };
        assert!(is_dry("ban --address bob 10m spam"));
        assert!(!is_dry("ban --address --yes bob 10m spam"));
        assert!(!is_dry("ban bob --address 10m --yes spam"));
    }

    /// Commands about rooms and roles are parsed.
    #[test]
    fn settings_and_roles_are_parsed() {
        let room = || RoomSelector::First;
        let topic = |topic: Option<&str>| ModerationCommand::SetTopic {
            room: room(),
            topic: topic.map(|it| Topic::new(it).unwrap()),
        };
        assert_eq!(parsed("topic"), Ok(ModerationLine::ShowTopic));
        assert_eq!(command("topic tea at four"), topic(Some("tea at four")));
        assert_eq!(command("topic -"), topic(None));
        assert_eq!(command("rooms"), ModerationCommand::ListRooms);
        let bans = |place| ModerationCommand::ListSanctions { place };
        assert_eq!(command("bans"), bans(Place::Room(room())));
        assert_eq!(command("bans --server"), bans(Place::Server));
        let mode = SlowMode::from_seconds(10).unwrap();
        assert_eq!(command("slow 10s"), ModerationCommand::SetSlowMode { room: room(), mode });
        let mode = SlowMode::OFF;
        assert_eq!(command("slow off"), ModerationCommand::SetSlowMode { room: room(), mode });
        let moderated = |is_on| ModerationCommand::SetModerated { room: room(), is_on };
        assert_eq!(command("moderated on"), moderated(true));
        assert_eq!(command("moderated off"), moderated(false));
        let role = |place, role| ModerationCommand::SetRole {
            place,
            username: "bob".to_owned(),
            session: None,
            role,
        };
        assert_eq!(command("role bob owner --server"), role(Place::Server, Some(Role::Owner)));
        assert_eq!(command("role bob none"), role(Place::Room(room()), None));
        let text = AnnouncementText::new("cake at four").unwrap();
        assert_eq!(
            command("announce --server cake at four"),
            ModerationCommand::Announce { place: Place::Server, text }
        );
        let remove = |author: Option<&str>, text: &str| ModerationLine::RemoveLatest {
            author: author.map(str::to_owned),
            text: text.to_owned(),
        };
        assert_eq!(parsed("remove"), Ok(remove(None, "")));
        assert_eq!(parsed("remove @bob buy pills"), Ok(remove(Some("bob"), "buy pills")));
    }

    /// What is wrong is told in the user's language.
    #[test]
    fn errors_are_in_german() {
        let long = "x".repeat(600);
        for (line, expected) in [
            ("kick".to_owned(), "Wen meinst du? Tippe /kick NAME."),
            (
                "ban bob 10min".to_owned(),
                "10min ist keine Dauer: Tippe 90s, 10m, 2h, 7d (bis 3650d) oder forever.",
            ),
            (format!("topic {long}"), "Dieses Thema ist zu lang: Es darf 256 Bytes haben."),
            (format!("kick bob {long}"), "Dieser Grund ist zu lang: Er darf 256 Bytes haben."),
            ("kick bob a\tb".to_owned(), "Ein Grund ist eine Zeile ohne Steuerzeichen."),
            (
                format!("announce {long}"),
                "Nicht gesendet: Das ist zu lang. Eine Durchsage darf 512 Bytes haben.",
            ),
        ] {
            let told = with_language(Language::German, || parsed(&line).unwrap_err());
            assert!(told.starts_with(expected), "{told}");
        }
    }

    /// What is missing or wrong is told.
    #[test]
    fn invalid_lines_are_errors() {
        let long = format!("topic {}", "x".repeat(257));
        for line in [
            "kick",
            "kick --all bob",
            "kick --address bob",
            "ban",
            "ban bob 10min",
            "ban bob 10 min spam",
            "mute bob 5",
            "mute bob 5000d",
            "bans bob",
            "slow",
            "slow 2h",
            "moderated",
            "moderated yes",
            "announce",
            "announce --server",
            "role bob",
            "role bob king",
            "role bob owner now",
            "role",
            &long,
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
        assert_eq!(parse_moderation("nosuch", "", RoomSelector::First), None);
    }
}
