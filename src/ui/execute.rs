//! Execution of typed lines: parses a line, then sends the request that it asks for.

use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::command::{ParsedLine, parse_line};
use super::command_help::{MAX_HELP_WIDTH, help_rows, help_text, moderation_help_rows};
use super::ignore_command::{IgnoreCommand, execute_ignore};
use super::link_code::{request_link, unlink_question};
use super::local_time::LocalTimeZone;
use super::moderation_command::ModerationLine;
use super::name_question::execute_answer;
use super::plain::terminal_width;
use super::render::{LineKind, RenderedText, error_line};
use super::safe::safe_name;
use super::search_query::parse_search;
use super::view_state::{Dialect, SharedViewState};
use crate::model::{
    ChatCommand, Command, ModerationCommand, Request, RequestTag, RoomSelector, SearchRequest,
};
use crate::os::Clock;
use crate::text;

/// Result of executing a typed line: tells the reader whether to continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterLine {
    /// Read the next line.
    Continue,
    /// Stop reading. The user has typed `/quit`, or the driver has ended.
    Stop,
}

/// Takes the user's requests, on their way to the driver.
pub(super) trait RequestSink {
    /// Passes a request on. Returns [`AfterLine::Stop`] if the driver has ended.
    fn send(&self, request: Request) -> AfterLine;
}

/// The driver's queue. Sending blocks while it is full, and panics within a tokio runtime.
impl RequestSink for Sender<Request> {
    fn send(&self, request: Request) -> AfterLine {
        if self.blocking_send(request).is_ok() { AfterLine::Continue } else { AfterLine::Stop }
    }
}

/// Executes a typed line, a command or a message: takes it as the answer if a username is asked
/// for, sends its request to the driver, or carries it out here. Passes texts for the user to
/// `tell`, and counts errors in the view state.
pub(super) fn execute_line(
    line: &str,
    view: &SharedViewState,
    requests: &impl RequestSink,
    mut tell: impl FnMut(RenderedText),
) -> AfterLine {
    let information =
        |text: &str| RenderedText { text: text.to_owned(), kind: LineKind::Chat, bell: false };
    let note = |text: String| information(&format!("-- {text}"));
    if let Some(after) = execute_answer(line, view, requests, &mut tell) {
        return after;
    }
    let (dialect, place, window_commands) =
        view.with(|it| (it.dialect, it.target_room(), it.window_commands));
    match parse_line(line, place, dialect, window_commands) {
        Ok(ParsedLine::Empty) => {}
        Ok(ParsedLine::PeerCommand(command)) => {
            let request = Request { tag: RequestTag::default(), command: Command::Peer(command) };
            return requests.send(request);
        }
        Ok(ParsedLine::Ignore(command)) => execute_ignore_line(&command, view, tell),
        Ok(ParsedLine::Reconnect) => return request_reconnect(requests, true),
        Ok(ParsedLine::Link) => match request_link() {
            Ok(command) => return send_chat_command(command, view, requests),
            Err(error_text) => tell(input_error(&error_text, view)),
        },
        Ok(ParsedLine::AskUnlink) => tell(information(&unlink_question())),
        Ok(ParsedLine::ChatCommand(command)) => {
            if let ChatCommand::Direct { to, .. } = &command
                && view.with(|it| it.ignore_list.has(to))
            {
                tell(note(text!("ignore-no-answer", name = safe_name(to))));
            }
            if let Some(mark) = mark_of_writer(&command, view) {
                let _ = requests.send(Request { tag: RequestTag::default(), command: mark });
            }
            return send_chat_command(command, view, requests);
        }
        Ok(ParsedLine::Search(typed)) => match build_search(&typed, view) {
            Ok(search) => return send_chat_command(ChatCommand::Search(search), view, requests),
            Err(error_text) => tell(input_error(&error_text, view)),
        },
        Ok(ParsedLine::Moderation(line)) => match moderation_command(line, view) {
            Ok(Some(command)) => {
                return send_chat_command(ChatCommand::Moderate(command), view, requests);
            }
            Ok(None) => {
                tell(note(view.with(|it| match (it.current_room(), it.current_topic()) {
                    (None, _) => text!("here-none"),
                    (Some(_), None) => text!("here-no-topic"),
                    (Some(_), Some(topic)) => {
                        text!("here-topic", topic = super::safe_line(topic))
                    }
                })));
            }
            Err(error_text) => tell(input_error(&error_text, view)),
        },
        Ok(ParsedLine::ModerationHelp) => {
            tell(information(&help_text(&moderation_help_rows(), help_width(window_commands))));
        }
        Ok(ParsedLine::Help) => {
            tell(information(&help_text(&help_rows(dialect), help_width(window_commands))));
        }
        Ok(ParsedLine::SelectRoom(None)) => {
            let here = view.with(|it| it.current_room().map(safe_name));
            tell(note(match here {
                Some(here) => text!("here-room", room = here),
                None => text!("here-none"),
            }));
        }
        Ok(ParsedLine::SelectRoom(Some(room))) => match view.with(|it| it.select_room(&room)) {
            Some(room) => {
                tell(note(text!("here-switched", room = safe_name(&room))));
            }
            None => {
                view.with(|it| it.input_errors += 1);
                tell(error_line(&text!("here-not-in", room = safe_name(&room))));
            }
        },
        Ok(ParsedLine::Quit) => return AfterLine::Stop,
        Err(error_text) => tell(input_error(&error_text, view)),
    }
    AfterLine::Continue
}

/// Returns the width of a help text, in columns. A window with commands of its own breaks the lines
/// itself.
fn help_width(window_commands: &[&str]) -> usize {
    match window_commands {
        [] => terminal_width().map_or(MAX_HELP_WIDTH, |it| it.min(MAX_HELP_WIDTH)),
        [..] => usize::MAX,
    }
}

/// Returns the command that marks as read what a person at the keyboard has seen, when they write
/// into a room, or a direct message. `None` if the command sends no message, or nobody types.
fn mark_of_writer(command: &ChatCommand, view: &SharedViewState) -> Option<Command> {
    let room = match command {
        ChatCommand::Direct { .. } => None,
        ChatCommand::Say { room: RoomSelector::Named(room), .. } => Some(room.clone()),
        ChatCommand::Say { .. } => Some(view.with(|it| it.current_room().map(str::to_owned))?),
        _ => return None,
    };
    let is_read = view.with(|it| it.has_reader && it.dialect == Dialect::Server);
    is_read.then_some(Command::MarkRead { room, sequence: None })
}

/// Executes a command about the ignore list. Tells the user what has happened, or why the command
/// is refused; that counts as an invalid line.
fn execute_ignore_line(
    command: &IgnoreCommand,
    view: &SharedViewState,
    mut tell: impl FnMut(RenderedText),
) {
    match execute_ignore(command, view) {
        Ok(outcome) => {
            if let Some(problem) = outcome.problem {
                tell(error_line(&super::safe_line(&problem)));
            }
            let text = format!("-- {}", super::safe_line(&outcome.text));
            tell(RenderedText { text, kind: LineKind::Chat, bell: false });
        }
        Err(error) => tell(input_error(&error.to_string(), view)),
    }
}

/// Counts an invalid line in the view state. Returns its error text, sanitized, as an error line.
fn input_error(error_text: &str, view: &SharedViewState) -> RenderedText {
    view.with(|it| it.input_errors += 1);
    error_line(&super::safe_line(error_text))
}

/// Sends a command to the driver as a request, with the tag from [`prepare_request`]. Returns
/// [`AfterLine::Stop`] if the driver has ended.
///
/// [`prepare_request`]: super::view_state::ViewState::prepare_request
fn send_chat_command(
    command: ChatCommand,
    view: &SharedViewState,
    requests: &impl RequestSink,
) -> AfterLine {
    let tag = view.with(|it| it.prepare_request(&command));
    requests.send(Request { tag, command: Command::Chat(command) })
}

/// Returns the command to request for a line about moderation. `None`: show the topic of the
/// current room.
///
/// # Errors
/// There is no message to remove. The error text is for the user.
fn moderation_command(
    line: ModerationLine,
    view: &SharedViewState,
) -> Result<Option<ModerationCommand>, String> {
    let (author, text) = match line {
        ModerationLine::Command(command) => return Ok(Some(command)),
        ModerationLine::ShowTopic => return Ok(None),
        ModerationLine::RemoveLatest { author, text } => (author, text),
    };
    view.with(|it| {
        let room = it.current_room().ok_or_else(|| text!("here-nowhere"))?.to_owned();
        match it.recent_messages.take_latest(&room, author.as_deref(), &text) {
            Some(message) => {
                let room = RoomSelector::Named(room);
                Ok(Some(ModerationCommand::Remove { room, message, reason: None }))
            }
            None => Err(text!("here-no-message")),
        }
    })
}

/// Builds the search for the text typed after `/search`. If the text is empty, builds the search
/// for the page before the last result.
///
/// # Errors
/// The text is not a valid query, or there is no older page to show. The error text is for the
/// user.
fn build_search(typed: &str, view: &SharedViewState) -> Result<SearchRequest, String> {
    if typed.is_empty() {
        let older = view.with(|it| it.older_search.clone());
        return older.ok_or_else(|| text!("query-no-older"));
    }
    parse_search(typed, &LocalTimeZone::system(), Clock::start().time_of_day())
}

/// Requests a new connection to the server at once. Without `is_forced`, a connection whose server
/// answers is kept. Returns [`AfterLine::Stop`] if the driver has ended.
pub(super) fn request_reconnect(requests: &impl RequestSink, is_forced: bool) -> AfterLine {
    let command = Command::Reconnect { is_forced };
    requests.send(Request { tag: RequestTag::default(), command })
}

/// Requests a graceful shutdown. A client's driver ends once all requests are answered, a peer's
/// driver once the other members have all own messages; either ends when there was no progress for
/// `patience`. Does nothing if the driver has ended.
pub(super) fn request_finish(requests: &impl RequestSink, patience: Duration) {
    let request = Request { tag: RequestTag::default(), command: Command::Finish { patience } };
    // The result says only whether the driver has ended already.
    let _ = requests.send(request);
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;
    use crate::model::Style;

    /// Takes no requests.
    struct NoRequests;

    impl RequestSink for NoRequests {
        fn send(&self, request: Request) -> AfterLine {
            panic!("{request:?}");
        }
    }

    /// What typed lines say is in the user's language. The help of a window is not broken into lines.
    #[test]
    fn lines_are_answered_in_german() {
        let view = SharedViewState::with_dialect(Dialect::Server);
        let told = RefCell::new(Vec::new());
        let run = |line: &str| {
            with_language(Language::German, || {
                let tell = |it: RenderedText| told.borrow_mut().push(it.text);
                execute_line(line, &view, &NoRequests, tell);
            });
            told.take().join("\n")
        };
        assert_eq!(run("/room"), "-- du bist in keinem Raum: tippe /join RAUM");
        assert_eq!(run("/remove"), "!! Du bist in keinem Raum. Tippe /join RAUM.");
        view.with(|it| it.rooms = vec!["lobby".to_owned()]);
        assert_eq!(run("/room"), "-- du redest in #lobby");
        assert_eq!(
            run("/room attic"),
            "!! Du bist nicht in #attic. Tippe /join attic, um hineinzugehen."
        );
        assert_eq!(run("/topic"), "-- dieser Raum hat kein Thema");
        let help = run("/help");
        assert!(help.contains("\n/join RAUM        geht in einen weiteren Raum;"), "{help}");
        assert!(help.lines().count() > help_rows(Dialect::Server).len());
        view.with(|it| it.window_commands = &["/query"]);
        assert_eq!(run("/help").lines().count(), help_rows(Dialect::Server).len());
        assert!(run("/moderation").contains("\n/kick NAME [GRUND]    weist jemanden aus"));
    }

    /// Who writes into a room, or a direct message, has read what is there; but not a script, not
    /// among peers, and not by another command.
    #[test]
    fn writer_has_read_the_room() {
        let text = || "hi".to_owned();
        let say = |room| ChatCommand::Say { room, style: Style::SAID, text: text() };
        let (to, style, session) = ("bob".to_owned(), Style::SAID, None);
        let direct = ChatCommand::Direct { to, session, style, text: text() };
        let attic = || RoomSelector::Named("attic".to_owned());
        for (dialect, has_reader) in
            [(Dialect::Server, true), (Dialect::Server, false), (Dialect::Peers, true)]
        {
            let view = SharedViewState::with_dialect(dialect);
            view.with(|it| {
                it.has_reader = has_reader;
                it.rooms = vec!["lobby".to_owned()];
            });
            let marked = |command: &ChatCommand| match mark_of_writer(command, &view) {
                Some(Command::MarkRead { room, sequence: None }) => Some(room),
                None => None,
                other => panic!("{other:?}"),
            };
            let is_expected = dialect == Dialect::Server && has_reader;
            let expect = |room: Option<&str>| is_expected.then(|| room.map(str::to_owned));
            assert_eq!(marked(&say(RoomSelector::First)), expect(Some("lobby")));
            assert_eq!(marked(&say(attic())), expect(Some("attic")));
            assert_eq!(marked(&direct), expect(None));
            assert_eq!(marked(&ChatCommand::Members { room: attic() }), None);
        }
    }
}
