//! Events as lines for people.

mod layout;
mod peers;
mod search_results;
mod server_info;

use jiff::civil::Date;

use self::layout::{CONTINUATION_PREFIX, MIN_WIDTH, indent};
use super::local_time::LocalTime;
use super::safe::{safe_line, safe_name, safe_text};
use super::view_state::{Dialect, SharedViewState};
use crate::model::{
    DirectMessage, ErrorCode, Event, Joined, Message, NameKey, Refusal, State, Style, Timestamp,
};

/// Names in one line at most.
const MAX_LISTED_NAMES: usize = 50;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// What goes on in the chat.
    Chat,
    /// What goes on between this program and the server.
    Status,
}

/// Something to be shown, without the newline at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    /// The lines.
    pub(super) text: String,
    /// What they are about.
    pub(super) kind: LineKind,
    /// Somebody has named us.
    pub(super) bell: bool,
}

/// Makes lines of events.
#[derive(Debug)]
pub(super) struct Renderer {
    /// Knows the zone.
    local_time: LocalTime,
    /// May dim lines.
    is_terminal: bool,
    /// Where one is.
    view: SharedViewState,
    /// The day that the last line was of.
    last_date: Option<Date>,
    /// Columns of the screen, if lines must not be wrapped by it.
    width: Option<usize>,
    /// We have been let in before.
    has_joined: bool,
    /// What was missed is being shown.
    is_replaying: bool,
    /// What was last known of how long messages are kept.
    last_retention: Option<String>,
}

impl Renderer {
    /// Begins. On a terminal lines are dimmed and wrapped.
    pub(super) fn new(local_time: LocalTime, is_terminal: bool, view: SharedViewState) -> Self {
        Self {
            local_time,
            is_terminal,
            view,
            last_date: None,
            width: None,
            has_joined: false,
            is_replaying: false,
            last_retention: None,
        }
    }

    /// How wide the screen is now. Call it when that may have changed.
    pub(super) fn set_width(&mut self, width: Option<usize>) {
        self.width = width.map(|it| it.max(MIN_WIDTH));
    }

    /// The lines of an event, if it has any. Call it for every event, in
    /// order, after the scene has followed it.
    pub(super) fn render(&mut self, event: &Event) -> Vec<Rendered> {
        let mut out = Vec::new();
        match event {
            Event::Message(message) => self.render_message(message, &mut out),
            Event::Direct(message) => self.render_direct(message, &mut out),
            Event::Welcome(joined) => self.render_welcome(joined, &mut out),
            Event::Entered { room, members, .. } if !self.is_replaying => {
                let others = members.saturating_sub(1);
                let room = safe_name(room);
                out.push(
                    self.chat_line(&format!("-- you are in #{room} now, with {others} others")),
                );
            }
            Event::Left { room, .. } => {
                out.push(self.chat_line(&format!("-- you have left #{}", safe_name(room))));
            }
            Event::Gap { room } => {
                let room = safe_name(room);
                out.push(self.chat_line(&format!("-- older messages of #{room} are missing here")));
            }
            Event::HistoryEnd { room: Some(room), more: false, requested: true, .. } => {
                out.push(self.chat_line(&format!("-- that is all of #{}", safe_name(room))));
            }
            Event::HistoryEnd { room: None, .. } => {
                self.has_joined = true;
                self.is_replaying = false;
            }
            Event::Found(found) => self.render_search_results(found, &mut out),
            Event::Roster { room, members, names, .. } => {
                let names = names.as_deref();
                let line = match names {
                    Some(names) => format!("here: {} ({members})", self.list_names(names)),
                    None => format!("{members} people are here"),
                };
                out.push(self.room_line(room, &line));
            }
            Event::Presence { room, members, joined, left } => {
                self.render_presence(room, *members, joined.as_deref(), left.as_deref(), &mut out);
            }
            Event::Notice { code, text } => out.push(self.render_notice(*code, text)),
            Event::Refused(refusal) => out.push(render_refusal(refusal)),
            Event::Unsent { to, text, perhaps_taken, .. } => {
                let how = if *perhaps_taken { "perhaps not sent" } else { "not sent" };
                let to = if to.is_empty() { to.clone() } else { format!(" to {}", safe_name(to)) };
                let text = indent(&safe_text(text));
                out.push(error_line(&format!("{how}{to}: {text}")));
            }
            Event::Problem { text, .. } => out.push(error_line(&safe_line(text))),
            Event::Admitted(it) => out.push(self.status_line(&peers::admitted_text(it))),
            Event::AdmissionAsked { name } => {
                let mut question = self.chat_line(&peers::admission_question(name));
                question.bell = self.is_terminal;
                out.push(question);
            }
            Event::Renamed { from, to } => out.push(error_line(&peers::renamed_text(from, to))),
            Event::Peers { peers, .. } => {
                out.extend(peers::peers_table(peers).iter().map(|line| self.chat_line(line)));
            }
            Event::Done { text, .. } => {
                out.push(self.chat_line(&format!("-- {}", safe_line(text))))
            }
            Event::State(state) => self.render_state(state, &mut out),
            Event::Acknowledged { unechoed: Some(text), .. } => {
                let text = indent(&safe_text(text));
                out.push(self.chat_line(&format!("-- this had arrived before: {text}")));
            }
            Event::Entered { .. }
            | Event::HistoryEnd { .. }
            | Event::Acknowledged { .. }
            | Event::PasswordWanted { .. } => {}
        }
        out
    }

    /// A dim line about the chat.
    pub(super) fn chat_line(&self, line: &str) -> Rendered {
        Rendered { text: self.dim(line), kind: LineKind::Chat, bell: false }
    }

    /// A dim line that says which room it is about, where there are several.
    fn room_line(&self, room: &str, line: &str) -> Rendered {
        if self.view.with(|it| it.has_several_rooms()) {
            self.chat_line(&format!("-- #{} {line}", safe_name(room)))
        } else {
            self.chat_line(&format!("-- {line}"))
        }
    }

    /// Something was said in a room.
    fn render_message(&mut self, message: &Message, out: &mut Vec<Rendered>) {
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
        let bell = !message.history && !message.own && self.mentions_me(&message.text);
        let head = if message.late { format!("(late) {head}") } else { head };
        let when = self.local_time.format_time(message.time);
        out.push(self.message_lines(&when, message.history, &head, &message.text, bell));
    }

    /// Something was said to one person.
    fn render_direct(&mut self, message: &DirectMessage, out: &mut Vec<Rendered>) {
        self.render_date_change(message.time, out);
        let is_to_me = message.to_session == message.from_session;
        let (from, to) = (safe_name(&message.from), safe_name(&message.to));
        let who = match (message.own, is_to_me) {
            (true, true) => "(direct) you -> you".to_owned(),
            (true, false) => format!("(direct) you -> {to}"),
            (false, _) => format!("(direct) {from} -> you"),
        };
        let head = match message.style {
            Style::ACTION => format!("{who}: * {from} "),
            _ => format!("{who}: "),
        };
        let bell = !message.history && !message.own;
        let when = self.local_time.format_time(message.time);
        out.push(self.message_lines(&when, message.history, &head, &message.text, bell));
    }

    /// A message: when, who said it, and all of its lines.
    fn message_lines(
        &self,
        when: &str,
        history: bool,
        head: &str,
        text: &str,
        bell: bool,
    ) -> Rendered {
        let mark = if history { "~" } else { "" };
        let head = format!("{mark}[{when}] {head}");
        let text = format!("{head}{}", safe_text(text));
        let text = self.wrap(&text);
        let text = if history { self.dim(&text) } else { text };
        Rendered { text, kind: LineKind::Chat, bell: bell && self.is_terminal }
    }

    /// Tells the day when it is another one than that of the line before.
    fn render_date_change(&mut self, time: Timestamp, out: &mut Vec<Rendered>) {
        let Some(date) = self.local_time.date(time) else {
            return;
        };
        if self.last_date.is_some_and(|before| before != date) {
            let line = format!("-- {}", date.strftime("%A, %Y-%m-%d"));
            out.push(self.chat_line(&line));
        }
        self.last_date = Some(date);
    }

    /// We are in.
    fn render_welcome(&mut self, joined: &Joined, out: &mut Vec<Rendered>) {
        self.is_replaying = true;
        let server = safe_line(&joined.server_name);
        let me = safe_name(&joined.username);
        let rooms: Vec<_> = joined.rooms.iter().map(|it| format!("#{}", safe_name(it))).collect();
        let rooms = rooms.join(", ");
        if self.has_joined {
            out.push(self.status_line(&format!("connected again to {server} as {me}")));
        } else {
            out.push(self.status_line(&format!("{server}: you are {me} in {rooms}")));
        }
        self.render_retention(joined, out);
        if joined.log_changed {
            let line = "the server has lost part of its log: what follows may overlap with what you have seen, or lack something";
            out.push(self.status_line(line));
        }
        // History of today needs no date; of another day it does.
        self.last_date = self.last_date.or(self.local_time.date(joined.time));
    }

    /// Who has come and gone, in one line.
    fn render_presence(
        &self,
        room: &str,
        members: u32,
        joined: Option<&[String]>,
        left: Option<&[String]>,
        out: &mut Vec<Rendered>,
    ) {
        let (Some(joined), Some(left)) = (joined, left) else {
            out.push(self.room_line(room, &format!("{members} people are here")));
            return;
        };
        // Of oneself one knows.
        let me = self.view.with(|it| it.own_name.as_deref().map(NameKey::of));
        let others = |names: &[String]| -> Vec<String> {
            names.iter().filter(|it| Some(NameKey::of(it)) != me).cloned().collect()
        };
        let (joined, left) = (others(joined), others(left));
        let mut parts = Vec::new();
        if !joined.is_empty() {
            parts.push(format!("{} joined", self.list_names(&joined)));
        }
        if !left.is_empty() {
            parts.push(format!("{} left", self.list_names(&left)));
        }
        if !parts.is_empty() {
            out.push(self.room_line(room, &parts.join("; ")));
        }
    }

    /// How the connection is, where it is worth a line.
    fn render_state(&self, state: &State, out: &mut Vec<Rendered>) {
        match state {
            State::Disconnected { reason } => out.push(self.status_line(&safe_line(reason))),
            State::Reconnecting { delay } => {
                let line = format!("trying again in {:.1} s", delay.as_secs_f32());
                out.push(self.status_line(&line));
            }
            State::Connecting if self.view.with(|it| it.dialect) == Dialect::Peers => {
                out.push(self.status_line("looking for others"));
            }
            State::Connecting | State::Connected => {}
        }
    }

    /// A dim line about the connection.
    fn status_line(&self, line: &str) -> Rendered {
        Rendered { text: self.dim(&format!("-- {line}")), kind: LineKind::Status, bell: false }
    }

    /// Names in a row.
    fn list_names(&self, names: &[String]) -> String {
        let shown: Vec<_> = names.iter().take(MAX_LISTED_NAMES).map(|it| safe_name(it)).collect();
        let rest = names.len().saturating_sub(MAX_LISTED_NAMES);
        let shown = shown.join(", ");
        if rest > 0 { format!("{shown} and {rest} others") } else { shown }
    }

    /// Whether a text names us, in any spelling.
    fn mentions_me(&self, text: &str) -> bool {
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

/// A line about something that went wrong.
pub(super) fn error_line(line: &str) -> Rendered {
    Rendered { text: format!("!! {line}"), kind: LineKind::Status, bell: false }
}

/// Something was not done; the text is not lost.
fn render_refusal(refusal: &Refusal) -> Rendered {
    // What the server says is about “this name”, “this room”.
    let is_about_it = ![0, ErrorCode::SearchInvalid.number()].contains(&refusal.code);
    let why = if !is_about_it || refusal.to.is_empty() {
        safe_line(&refusal.text)
    } else {
        format!("{}: {}", safe_name(&refusal.to), safe_line(&refusal.text))
    };
    match &refusal.message {
        Some(text) => {
            error_line(&format!("{why}\n{CONTINUATION_PREFIX}{}", indent(&safe_text(text))))
        }
        None => error_line(&why),
    }
}

#[cfg(test)]
mod tests;
