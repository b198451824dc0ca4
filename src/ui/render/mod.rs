//! Rendering of events as text lines for people.

mod layout;
mod moderation;
mod numbers;
mod peers;
mod reasons;
mod search_results;
mod server_info;

use std::collections::BTreeMap;

use jiff::civil::Date;

pub(super) use self::layout::CONTINUATION_PREFIX;
use self::layout::{MIN_WIDTH, indent};
use self::numbers::tenths;
pub(super) use self::reasons::name_problem_text;
pub use self::reasons::reason_text;
pub(super) use self::search_results::{describe_search, is_hidden};
use super::SharedIgnoreList;
use super::link_code::link_code_text;
use super::local_time::{LocalTimeZone, date_line};
use super::name_question::impossible_name_text;
use super::safe::{safe_line, safe_name, sanitize_text};
use super::sentences::sentence_text;
use super::view_state::{Dialect, SharedViewState};
use crate::model::{
    ConnectionState, DirectMessage, ErrorCode, Event, JoinedServer, Message, NameKey, Refusal,
    RosterNote, Security, Sentence, Sequence, Style, Timestamp, Username, invited_name,
};
use crate::text;

/// Maximum number of names that one line lists. Further names are only counted.
pub(super) const MAX_LISTED_NAMES: usize = 50;

/// Kind of a rendered text, which determines its output stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// Chat: messages, changes of rooms and members, answers to commands.
    Chat,
    /// Status: the connection to a server or to peers, and errors.
    Status,
}

/// Rendered text of one or more lines, without the final newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RenderedText {
    /// Text to print, sanitized for a terminal.
    pub(super) text: String,
    /// Kind of the text: chat or status.
    pub(super) kind: LineKind,
    /// True to ring the terminal bell with the text.
    pub(super) bell: bool,
}

/// Renderer: turns events into text. Some texts depend on earlier events, so it keeps state.
#[derive(Debug)]
pub(super) struct Renderer {
    /// Time zone in which times are rendered.
    local_time: LocalTimeZone,
    /// True to render for a terminal, with dimmed lines and the bell.
    is_terminal: bool,
    /// True if lines about a room name it where the user is in several.
    names_rooms: bool,
    /// View state, for the joined rooms and the user's own name.
    view: SharedViewState,
    /// Names that the user ignores, the same as in the view state.
    ignore_list: SharedIgnoreList,
    /// Number of old messages of ignored names since the last end of a history.
    hidden_messages: usize,
    /// Local date of the last rendered message. Before the first message: the date at which the
    /// server was joined; `None` among peers. A message of another date is preceded by a line with
    /// its date.
    last_date: Option<Date>,
    /// Screen width to which messages are wrapped, in columns. `None`: no wrapping.
    width: Option<usize>,
    /// True once the history after the first join has been shown completely.
    has_joined: bool,
    /// How far the user has read each room, by the key of its name: from the server's answer to a
    /// join or `/join` until the end of the history that follows, or until a line says what is new.
    read_marks: BTreeMap<NameKey, Sequence>,
    /// True from a welcome to the end of the history that follows it.
    is_replaying: bool,
    /// Text about retention at the last welcome; `None` before the first one. A later welcome shows
    /// the text only if it has changed.
    last_retention: Option<String>,
}

impl Renderer {
    /// Creates a renderer without a width. If `is_terminal` is true, it dims lines and rings the
    /// bell.
    pub(super) fn new(local_time: LocalTimeZone, is_terminal: bool, view: SharedViewState) -> Self {
        Self {
            local_time,
            is_terminal,
            names_rooms: true,
            ignore_list: view.with(|it| it.ignore_list.clone()),
            view,
            hidden_messages: 0,
            last_date: None,
            width: None,
            has_joined: false,
            read_marks: BTreeMap::new(),
            is_replaying: false,
            last_retention: None,
        }
    }

    /// Changes the renderer not to name the room in lines about one, and returns it: each room has a
    /// place of its own.
    pub(super) fn without_room_names(self) -> Self {
        Self { names_rooms: false, ..self }
    }

    /// Sets the screen width in columns, raised to [`MIN_WIDTH`]. `None`: no wrapping. Call it when
    /// the width may have changed.
    pub(super) fn set_width(&mut self, width: Option<usize>) {
        self.width = width.map(|it| it.max(MIN_WIDTH));
    }

    /// Renders an event as texts to print, in order. Returns no text for an event that is not
    /// shown, such as a message of an ignored name. At the end of a history, says how many old
    /// messages were hidden for that reason. Call it for every event, in order, after the view
    /// state has been updated.
    pub(super) fn render(&mut self, event: &Event) -> Vec<RenderedText> {
        let mut out = Vec::new();
        if matches!(event, Event::HistoryEnd { .. }) {
            let hidden = std::mem::take(&mut self.hidden_messages);
            self.render_hidden(hidden, &mut out);
            self.read_marks.clear();
        }
        match event {
            Event::Message(it) if self.ignore_list.hides_message(it) => {
                self.hidden_messages += usize::from(it.history);
            }
            Event::Direct(it) if self.ignore_list.hides_direct(it) => {
                self.hidden_messages += usize::from(it.history);
            }
            Event::Message(message) => self.render_message(message, &mut out),
            Event::Direct(message) => self.render_direct(message, &mut out),
            Event::JoinedServer(joined) => self.render_welcome(joined, &mut out),
            Event::Entered { room, members, .. } if !self.is_replaying => {
                let others = members.saturating_sub(1);
                let text = text!("room-entered", room = safe_name(room), others = others);
                out.push(self.chat_line(&format!("-- {text}")));
            }
            Event::Left { room, is_forced, .. } => {
                let text = match is_forced {
                    true => text!("room-left-forced", room = safe_name(room)),
                    false => text!("room-left", room = safe_name(room)),
                };
                out.push(self.chat_line(&format!("-- {text}")));
            }
            Event::Gap { room } => {
                let text = text!("room-gap", room = safe_name(room));
                out.push(self.chat_line(&format!("-- {text}")));
            }
            Event::HistoryEnd { room: Some(room), more: false, requested: true, .. } => {
                let text = text!("room-all", room = safe_name(room));
                out.push(self.chat_line(&format!("-- {text}")));
            }
            Event::HistoryEnd { room: None, .. } => {
                self.has_joined = true;
                self.is_replaying = false;
            }
            Event::SearchResult(found) => self.render_search_results(found, &mut out),
            Event::Roster { room, members, names, notes, .. } => {
                let notes = notes.as_deref().unwrap_or_default();
                let line = match names {
                    Some(names) => {
                        let names = self.list_members(names, notes);
                        text!("room-here", names = names, count = *members)
                    }
                    None => text!("room-count", count = *members),
                };
                out.push(self.room_line(room, &line));
            }
            Event::Presence { room, members, joined, left } => {
                self.render_presence(room, *members, joined.as_deref(), left.as_deref(), &mut out);
            }
            Event::Notice { code, text } => {
                out.push(self.render_notice(*code, &sentence_text(text)));
            }
            Event::Refused(refusal) => out.push(self.render_refusal(refusal)),
            Event::Unsent { to, text, perhaps_taken, .. } => {
                let text = indent(&sanitize_text(text));
                let line = match (to.as_str(), perhaps_taken) {
                    ("", false) => text!("message-unsent", text = text),
                    ("", true) => text!("message-perhaps-unsent", text = text),
                    (to, false) => text!("message-unsent-to", name = safe_name(to), text = text),
                    (to, true) => {
                        text!("message-perhaps-unsent-to", name = safe_name(to), text = text)
                    }
                };
                out.push(error_line(&line));
            }
            Event::Problem { code, text } => {
                out.push(error_line(&self.reason(*code, &sentence_text(text))));
            }
            Event::NameWanted { name, code, text } => {
                let reason = match Username::new(name) {
                    Err(problem) => impossible_name_text(problem),
                    Ok(_) => self.reason(*code, text),
                };
                let lines = self.view.with(|it| it.name_question.render(name, &reason));
                let line = |text| RenderedText { text, kind: LineKind::Status, bell: false };
                out.extend(lines.into_iter().map(line));
            }
            Event::JoinedMesh(it) => {
                out.push(self.status_line(&peers::admitted_text(it)));
                self.render_ignored_names(&mut out);
            }
            Event::AdmissionRequested { name } => {
                let mut question = self.chat_line(&peers::admission_question(name));
                question.bell = self.is_terminal;
                out.push(question);
            }
            Event::Renamed { from, to } => out.push(error_line(&peers::renamed_text(from, to))),
            Event::Peers { peers, .. } => {
                out.extend(peers::peers_table(peers).iter().map(|line| self.chat_line(line)));
            }
            Event::Done { text, .. } => {
                out.push(self.chat_line(&format!("-- {}", safe_line(&sentence_text(text)))))
            }
            Event::LinkCode(made) => {
                let text = link_code_text(made, self.is_terminal, self.width);
                out.push(RenderedText { text, kind: LineKind::Chat, bell: false });
            }
            Event::HolderChanged { name } if self.ignore_list.has(name) => {}
            Event::HolderChanged { name } => {
                let text = format!("!! {}", text!("people-changed", name = safe_name(name)));
                out.push(RenderedText { text, kind: LineKind::Chat, bell: false });
            }
            Event::ReadMark { room, sequence } => {
                let is_joined = |it: &&String| self.view.with(|view| view.rooms.contains(*it));
                if let Some(room) = room.as_ref().filter(is_joined) {
                    self.read_marks.insert(NameKey::of(room), *sequence);
                }
            }
            Event::Connection(state) => self.render_state(state, &mut out),
            Event::Moderation(event) => self.render_moderation(event, &mut out),
            Event::Acknowledged { unechoed: Some(text), .. } => {
                let text = indent(&sanitize_text(text));
                let text = text!("message-arrived-before", text = text);
                out.push(self.chat_line(&format!("-- {text}")));
            }
            Event::Entered { .. }
            | Event::HistoryEnd { .. }
            | Event::Acknowledged { .. }
            | Event::PasswordWanted { .. } => {}
            Event::InviteWanted { code, text } => {
                out.push(error_line(&self.reason(*code, text)));
                if let Some(name) = invited_name(text) {
                    let text = text!("invitation-name-hint", name = safe_name(name));
                    out.push(self.chat_line(&format!("-- {text}")));
                }
            }
        }
        out
    }

    /// Renders text as a dimmed chat line.
    pub(super) fn chat_line(&self, line: &str) -> RenderedText {
        RenderedText { text: self.dim(line), kind: LineKind::Chat, bell: false }
    }

    /// Renders text about a room as a dimmed chat line. The line names the room if several are
    /// joined.
    fn room_line(&self, room: &str, line: &str) -> RenderedText {
        if self.names_rooms && self.view.with(|it| it.has_several_rooms()) {
            self.chat_line(&format!("-- #{} {line}", safe_name(room)))
        } else {
            self.chat_line(&format!("-- {line}"))
        }
    }

    /// Renders a message in a room: time, author and text. The line names the room if several are
    /// joined. A message that is late is marked. A line with the date comes before, if the date has
    /// changed ([`Self::render_date_change`]). The bell rings if the message is new, is another
    /// user's, and mentions the user.
    fn render_message(&mut self, message: &Message, out: &mut Vec<RenderedText>) {
        self.render_unread_line(message, out);
        self.render_date_change(message.time, out);
        let room = if self.view.with(|it| it.has_several_rooms()) {
            format!("#{} ", safe_name(&message.room))
        } else {
            String::new()
        };
        let from = safe_name(&message.from);
        let head = match message.style {
            Style::ACTION => format!("{room}* {from} "),
            _ => format!("{room}{from}: "),
        };
        let bell = !message.history && !message.own && self.mentions_user(&message.text);
        let head = if message.late { format!("{} {head}", text!("message-late")) } else { head };
        let when = self.local_time.format_time(message.time);
        out.push(self.message_lines(&when, message.history, &head, &message.text, bell));
    }

    /// Renders a line before the first message of a history that the user has not read, on any of
    /// their devices. Does nothing if it is not known how far they have read.
    fn render_unread_line(&mut self, message: &Message, out: &mut Vec<RenderedText>) {
        let key = NameKey::of(&message.room);
        let is_candidate = message.history && !message.requested && !message.own;
        let is_unread = |read: &Sequence| is_candidate && message.sequence > *read;
        if self.read_marks.get(&key).is_some_and(is_unread) {
            self.read_marks.remove(&key);
            out.push(self.room_line(&message.room, &text!("room-new-since")));
        }
    }

    /// Renders a direct message: time, sender, recipient and text, after a line with the date if
    /// the date has changed. The bell rings if the message is new and another user's.
    fn render_direct(&mut self, message: &DirectMessage, out: &mut Vec<RenderedText>) {
        self.render_date_change(message.time, out);
        let is_to_me =
            [Some(message.from_session), message.from_person].contains(&Some(message.to_session));
        let (from, to) = (safe_name(&message.from), safe_name(&message.to));
        let who = match (message.own, is_to_me) {
            (true, true) => text!("message-direct-self"),
            (true, false) => text!("message-direct-to", name = to),
            (false, _) => text!("message-direct-from", name = &from),
        };
        let head = match message.style {
            Style::ACTION => format!("{who}: * {from} "),
            _ => format!("{who}: "),
        };
        let bell = !message.history && !message.own;
        let when = self.local_time.format_time(message.time);
        out.push(self.message_lines(&when, message.history, &head, &message.text, bell));
    }

    /// Renders the lines of a message: the time `when`, then `head` with the author, then the text.
    /// Sanitizes the text, and wraps the lines. Messages of the history are dimmed and marked with
    /// `~`. The bell rings only on a terminal.
    fn message_lines(
        &self,
        when: &str,
        history: bool,
        head: &str,
        text: &str,
        bell: bool,
    ) -> RenderedText {
        let mark = if history { "~" } else { "" };
        let head = format!("{mark}[{when}] {head}");
        let text = format!("{head}{}", sanitize_text(text));
        let text = self.wrap(&text);
        let text = if history { self.dim(&text) } else { text };
        RenderedText { text, kind: LineKind::Chat, bell: bell && self.is_terminal }
    }

    /// If the local date of `time` differs from the last date, renders a line with the new date.
    /// Stores the date as the last one. Does nothing after the year 9999.
    fn render_date_change(&mut self, time: Timestamp, out: &mut Vec<RenderedText>) {
        let Some(date) = self.local_time.date(time) else {
            return;
        };
        if self.last_date.is_some_and(|before| before != date) {
            out.push(self.chat_line(&format!("-- {}", date_line(date))));
        }
        self.last_date = Some(date);
    }

    /// Renders a welcome. Until the history of the first join is complete, it shows server, own
    /// name, rooms and ignored names; later, server and own name. Adds the retention of messages if
    /// it is news, and a warning if the log has changed.
    fn render_welcome(&mut self, joined: &JoinedServer, out: &mut Vec<RenderedText>) {
        self.is_replaying = true;
        let server = safe_line(&joined.server_name);
        let me = safe_name(&joined.username);
        let rooms: Vec<_> = joined.rooms.iter().map(|it| format!("#{}", safe_name(it))).collect();
        let rooms = rooms.join(", ");
        if self.has_joined {
            let text = text!("connection-joined-again", server = server, name = me);
            out.push(self.status_line(&text));
        } else {
            let text = text!("connection-joined", server = server, name = me, rooms = rooms);
            out.push(self.status_line(&text));
            self.render_ignored_names(out);
        }
        self.render_retention(joined, out);
        if joined.log_changed {
            out.push(self.status_line(&text!("connection-log-lost")));
        }
        // Messages of today need no date line; older ones of the history do.
        self.last_date = self.last_date.or(self.local_time.date(joined.time));
    }

    /// Reminds the user of the ignored names, if there are any.
    fn render_ignored_names(&self, out: &mut Vec<RenderedText>) {
        let names = self.ignore_list.names();
        if !names.is_empty() {
            let names = peers::list_names(&names, &[], &SharedIgnoreList::default());
            out.push(self.status_line(&text!("ignored-names", names = names)));
        }
    }

    /// Renders how many old messages are not shown because their authors are ignored, if there are
    /// any.
    fn render_hidden(&self, count: usize, out: &mut Vec<RenderedText>) {
        if count > 0 {
            let text = text!("ignored-messages", count = count);
            out.push(self.chat_line(&format!("-- {text}")));
        }
    }

    /// Returns the names of a member list with notes, also about who is ignored.
    fn list_members(&self, names: &[String], notes: &[RosterNote]) -> String {
        peers::list_names(names, notes, &self.ignore_list)
    }

    /// Renders in one line the members that have joined or left a room, without the user's own name
    /// and ignored names. Renders nothing if no name remains. If the server sent no names, renders
    /// the number of members.
    fn render_presence(
        &self,
        room: &str,
        members: u32,
        joined: Option<&[String]>,
        left: Option<&[String]>,
        out: &mut Vec<RenderedText>,
    ) {
        let (Some(joined), Some(left)) = (joined, left) else {
            out.push(self.room_line(room, &text!("room-count", count = members)));
            return;
        };
        // The user's own joining is known already.
        let me = self.view.with(|it| it.own_name.as_deref().map(NameKey::of));
        let others = |names: &[String]| -> Vec<String> {
            let is_shown = |it: &&String| Some(NameKey::of(it)) != me && !self.ignore_list.has(it);
            names.iter().filter(is_shown).cloned().collect()
        };
        let (joined, left) = (others(joined), others(left));
        let mut parts = Vec::new();
        if !joined.is_empty() {
            let names = self.list_members(&joined, &[]);
            parts.push(text!("room-joined", names = names, count = joined.len()));
        }
        if !left.is_empty() {
            let names = self.list_members(&left, &[]);
            parts.push(text!("room-gone", names = names, count = left.len()));
        }
        if !parts.is_empty() {
            out.push(self.room_line(room, &parts.join("; ")));
        }
    }

    /// Returns why something was refused, safe to show. Peers say it in words of their own.
    fn reason(&self, code: u16, text: &str) -> String {
        match self.view.with(|it| it.dialect) {
            Dialect::Server => reason_text(code, text),
            Dialect::Peers => safe_line(text),
        }
    }

    /// Renders a refused request as an error line: the room or username of the request, then the
    /// reason; the reason alone if the refusal has no code, or is of a search text. What a server
    /// says may give way to the text of its code; what the engine itself says does not. The text of
    /// a refused message follows below, so that the user does not lose it.
    fn render_refusal(&self, refusal: &Refusal) -> RenderedText {
        let code = ErrorCode::from_number(refusal.code);
        let (to, has_target) = (safe_name(&refusal.to), !refusal.to.is_empty());
        let is_from_server = matches!(refusal.text, Sentence::Worded(_) | Sentence::Server { .. });
        let said = sentence_text(&refusal.text);
        let said = if is_from_server { self.reason(refusal.code, &said) } else { safe_line(&said) };
        let reason = match code {
            Some(ErrorCode::RecipientUnknown) if has_target && is_from_server => {
                text!("refused-nobody", name = to)
            }
            Some(ErrorCode::RecipientChanged) if has_target && is_from_server => {
                text!("refused-changed", name = to)
            }
            // Most of the other reasons are about "this name" or "this room", so it is named.
            Some(code) if code != ErrorCode::SearchInvalid && has_target => format!("{to}: {said}"),
            _ => said,
        };
        match &refusal.message {
            Some(text) => {
                let text = indent(&sanitize_text(text));
                error_line(&format!("{reason}\n{CONTINUATION_PREFIX}{text}"))
            }
            None => error_line(&reason),
        }
    }

    /// Renders a change of the connection state as a status line. A client's connection attempts
    /// and successes are not shown.
    fn render_state(&self, state: &ConnectionState, out: &mut Vec<RenderedText>) {
        match state {
            ConnectionState::Disconnected { reason } => {
                out.push(self.status_line(&safe_line(&sentence_text(reason))))
            }
            ConnectionState::Reconnecting { delay } => {
                let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                let seconds = tenths(delay.saturating_add(50) / 100);
                out.push(self.status_line(&text!("connection-again-in", seconds = seconds)));
            }
            ConnectionState::Unresponsive { requests } => {
                // Other requests count as messages, because they are rare.
                out.push(self.status_line(&text!("connection-silent", count = *requests)));
            }
            ConnectionState::Responsive => out.push(self.status_line(&text!("connection-answers"))),
            ConnectionState::Waiting { requests } => {
                out.push(self.status_line(&text!("connection-waiting", count = *requests)));
            }
            ConnectionState::Plain { is_tls_offered } => out.push(match is_tls_offered {
                true => self.status_line(&text!("connection-plain-anyway")),
                false => self.status_line(&text!("connection-plain")),
            }),
            ConnectionState::Encrypted { security, fingerprint } => {
                let line = match security {
                    Security::Verified => text!("connection-verified"),
                    Security::Known => text!("connection-known"),
                    Security::FirstUse => text!("connection-first", fingerprint = fingerprint),
                    Security::Unkept => text!("connection-new-key", fingerprint = fingerprint),
                };
                out.push(self.status_line(&line));
            }
            ConnectionState::Connecting if self.view.with(|it| it.dialect) == Dialect::Peers => {
                out.push(self.status_line(&text!("connection-looking")));
            }
            ConnectionState::Connecting | ConnectionState::Connected => {}
        }
    }

    /// Renders text as a dimmed status line, which begins with `--`.
    fn status_line(&self, line: &str) -> RenderedText {
        RenderedText { text: self.dim(&format!("-- {line}")), kind: LineKind::Status, bell: false }
    }

    /// Returns true if the text contains the user's own name as a word, in any spelling. Returns
    /// false before the first join.
    pub(super) fn mentions_user(&self, text: &str) -> bool {
        let Some(me) = self.view.with(|it| it.own_name.clone()) else {
            return false;
        };
        let me = NameKey::of(&me);
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        text.split(|c| !is_part(c)).any(|word| {
            NameKey::of(word) == me || NameKey::of(word.trim_end_matches(['.', '-'])) == me
        })
    }
}

/// Renders text as an error line, which begins with `!!`. The text must be sanitized already.
pub(super) fn error_line(line: &str) -> RenderedText {
    RenderedText { text: format!("!! {line}"), kind: LineKind::Status, bell: false }
}

#[cfg(test)]
mod tests;
