//! Execution of what the user has typed.

use std::cell::RefCell;

use super::conversation::{Attention, Place};
use super::events::plain_note;
use super::line::PendingMessage;
use super::question::Question;
use super::window_command::{self, WindowCommand};
use super::{App, Output, Overlay};
use crate::model::{
    ChatCommand, Command, Dialect, InvitationCode, NameKey, Password, PeerCommand, Request,
    RequestTag, Style, Username,
};
use crate::text;
use crate::ui::execute::{AfterLine, RequestSink, execute_line};
use crate::ui::full_screen::text::Theme;
use crate::ui::safe::safe_name;

/// Requests of an executed line.
#[derive(Default)]
struct RequestList(RefCell<Vec<Request>>);

impl RequestSink for RequestList {
    fn send(&self, request: Request) -> AfterLine {
        self.0.borrow_mut().push(request);
        AfterLine::Continue
    }
}

impl App {
    /// Executes a line that the user has typed: answers the question that is open, or carries out
    /// the command, or sends the message.
    pub(super) fn submit(&mut self, text: &str) {
        match self.question {
            Question::Password { .. } => {
                self.end_question();
                self.request(Command::Password(Password(text.to_owned())));
            }
            Question::Invite => self.answer_invite(text),
            Question::Name => {
                self.execute(text);
                if !self.is_naming() {
                    self.end_question();
                }
            }
            Question::None | Question::Leave | Question::Paste { .. } => self.execute(text),
        }
    }

    /// Takes a line as the code of an invitation.
    fn answer_invite(&mut self, text: &str) {
        if text.trim() == "/quit" {
            self.leave();
            return;
        }
        match InvitationCode::from_text(text) {
            Ok(invite) => {
                self.end_question();
                self.request(Command::Invite(Some(invite)));
            }
            Err(error) => self.note(&error.to_string(), true),
        }
    }

    /// Returns true while another username is asked for.
    fn is_naming(&self) -> bool {
        self.shared.with(|it| it.name_question.suggestion().is_some())
    }

    /// Executes a command or sends a message.
    fn execute(&mut self, text: &str) {
        let is_naming = self.is_naming();
        if text.trim().is_empty() && !is_naming {
            // A user who presses Enter does not want to wait for the reconnect delay.
            if !self.connection.is_up() {
                self.request(Command::Reconnect { is_forced: false });
            }
            return;
        }
        if text.trim() == "/search" && self.dialect() == Dialect::Server && !is_naming {
            return self.show_search();
        }
        if let Some(command) = window_command::parse(text) {
            match command {
                Ok(command) => self.execute_window_command(command),
                Err(error_text) => self.note(&error_text, true),
            }
            return;
        }
        // Perhaps the answer to a question that has not come again yet: nobody else must read it.
        if !self.has_joined && self.was_asked && !text.starts_with('/') {
            self.composer.set_text(text);
            self.note(&text!("note-not-in-chat"), true);
            return;
        }
        if !self.has_joined && text.trim_start().starts_with("/ignore") {
            self.note(&text!("note-not-connected"), true);
            return;
        }
        if let (Place::Direct(to), false) = (&self.conversations.current().place, is_naming)
            && let Some((style, text)) = direct_text(text)
        {
            let to = to.clone();
            self.send(ChatCommand::Direct { to, session: None, style, text });
            return;
        }
        let requests = RequestList::default();
        let mut notes = Vec::new();
        let shared = self.shared.clone();
        let after = execute_line(text, &shared, &requests, |it| notes.push(it));
        for note in notes {
            let (text, is_error) = plain_note(&note);
            self.note(&text, is_error);
        }
        for request in requests.0.into_inner() {
            match request.command {
                Command::Chat(command) if request.tag == RequestTag::default() => {
                    self.send(command)
                }
                Command::Peer(command) => self.request_of_peer(command),
                command => {
                    self.outputs.push_back(Output::Request(Request { tag: request.tag, command }));
                }
            }
        }
        self.show_selected_room();
        if after == AfterLine::Stop {
            self.leave();
        }
    }

    /// Requests a command of peers. Who is answered does not ask any more.
    pub(super) fn request_of_peer(&mut self, command: PeerCommand) {
        if let PeerCommand::Admit { name, .. } = &command {
            let key = NameKey::of(name);
            self.admissions.retain(|(it, _)| NameKey::of(it) != key);
        }
        self.request(Command::Peer(command));
    }

    /// Requests a chat command. A message is shown at once, as one on its way.
    fn send(&mut self, command: ChatCommand) {
        let shown = match &command {
            ChatCommand::Say { style, text, .. } => {
                let room = self.shared.with(|it| it.current_room().map(str::to_owned));
                let place = room.map_or(Place::Start, Place::Room);
                Some((place, *style, text.clone()))
            }
            ChatCommand::Direct { to, style, text, .. } => {
                Some((Place::Direct(to.clone()), *style, text.clone()))
            }
            _ => None,
        };
        let command = match command {
            ChatCommand::Search(search) => return self.begin_search(search),
            ChatCommand::History { limit, .. } if self.has_joined => {
                return self.show_older(limit);
            }
            command => command,
        };
        let mut tag = RequestTag::default();
        if let Some((place, style, text)) = shown {
            tag = self.new_tag();
            let pending = PendingMessage { tag: tag.clone(), style, text, since: self.now };
            let index = self.conversations.index_of(&place);
            let is_shown = index == Some(self.conversations.current_index());
            let conversation = match index {
                None if matches!(place, Place::Room(_)) => self.conversations.current_mut(),
                _ => self.conversations.open(&place),
            };
            conversation.add_pending(pending);
            conversation.new_from = None;
            if is_shown {
                self.scroll_to_end();
            }
        }
        self.outputs.push_back(Output::Request(Request { tag, command: Command::Chat(command) }));
    }

    /// Carries out a command about the window.
    fn execute_window_command(&mut self, command: WindowCommand) {
        match command {
            WindowCommand::Help => self.overlay = Overlay::Help(0),
            WindowCommand::Clear => {
                self.close_context();
                self.conversations.current_mut().clear();
            }
            WindowCommand::Query(_) if self.dialect() == Dialect::Peers => {
                self.note(&text!("absent-direct"), true);
            }
            WindowCommand::Query(name) if Username::new(&name).is_err() => {
                self.note(&text!("note-no-name", name = safe_name(&name)), true);
            }
            WindowCommand::Query(name) => self.show_person(name),
            WindowCommand::Close => match self.conversations.current().place.clone() {
                Place::Room(_) => self.execute("/leave"),
                Place::Direct(_) => self.close(self.conversations.current_index()),
                Place::Start => self.note(&text!("note-nothing-to-close"), true),
            },
            WindowCommand::Notify(attention) => {
                let place = &self.conversations.current().place;
                self.settings.set_attention(&self.connection.server_name, place, attention);
                self.keep_settings();
                let told = match attention {
                    Attention::All => text!("notify-all"),
                    Attention::Mentions => text!("notify-mentions"),
                    Attention::Nothing => text!("notify-nothing"),
                };
                self.note(&told, false);
            }
            WindowCommand::Theme(scheme) => {
                self.theme = Theme::new(scheme);
                self.settings.theme = Some(scheme);
                self.keep_settings();
            }
        }
    }

    /// Lets the driver keep what is set.
    fn keep_settings(&mut self) {
        self.outputs.push_back(Output::KeepSettings(self.settings.clone()));
    }
}

/// Returns style and text of a line that is a direct message; `None` if it is a command.
fn direct_text(line: &str) -> Option<(Style, String)> {
    match line.strip_prefix('/') {
        None => Some((Style::SAID, line.to_owned())),
        Some(rest) if rest.starts_with('/') => Some((Style::SAID, rest.to_owned())),
        Some(rest) => {
            let text = rest.strip_prefix("me ")?.trim();
            (!text.is_empty()).then(|| (Style::ACTION, text.to_owned()))
        }
    }
}
