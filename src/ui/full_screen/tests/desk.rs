//! A user in front of the screen: the model with keys and events, and what it draws.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::Modifier;

use crate::model::{
    ChatCommand, Command, Dialect, DirectMessage, Event, JoinedServer, Message, Request,
    RequestTag, Retention, Sequence, SessionId, Style, Timestamp,
};
use crate::ui::SharedViewState;
use crate::ui::full_screen::app::{App, Input, Output, WindowSettings};
use crate::ui::full_screen::text::{ColorScheme, Theme};
use crate::ui::full_screen::view::{Drawn, draw};
use crate::ui::local_time::LocalTimeZone;

/// Time of the first message: Friday, 2026-11-27, 09:30:00 UTC, in milliseconds.
pub(super) const FIRST_TIME: u64 = 1_795_771_800_000;

/// User in front of the screen.
pub(super) struct Desk {
    /// The model.
    pub(super) app: App,
    /// Time of the program's clock.
    pub(super) now: Duration,
    /// Sequence of the next message.
    next: u64,
    /// What is to be done, oldest first.
    pub(super) outputs: Vec<Output>,
}

impl Desk {
    /// Sits down in front of a terminal of this size. The client has not joined yet.
    pub(super) fn new(width: u16, height: u16) -> Self {
        Self::with_dialect(width, height, Dialect::Server)
    }

    /// Sits down for a chat of this kind.
    pub(super) fn with_dialect(width: u16, height: u16, dialect: Dialect) -> Self {
        let zone = LocalTimeZone::from_posix("UTC0");
        let theme = Theme::new(ColorScheme::Monochrome);
        let shared = SharedViewState::with_dialect(dialect);
        shared.with(|it| it.ignore_list.open(None)).unwrap();
        let app = App::new(
            shared,
            zone,
            theme,
            WindowSettings::default(),
            Size { width, height },
            Duration::from_secs(5),
        );
        Self { app, now: Duration::ZERO, next: 1, outputs: Vec::new() }
    }

    /// Sits down as anna, in the lobby.
    pub(super) fn in_lobby(width: u16, height: u16) -> Self {
        let mut desk = Self::new(width, height);
        desk.join(&["lobby"]);
        desk.enter("lobby", 3);
        desk.event(roster("lobby", &["anna", "bob", "Ünal"]));
        desk
    }

    /// Joins the server as anna, with these rooms.
    pub(super) fn join(&mut self, rooms: &[&str]) {
        self.event(Event::JoinedServer(JoinedServer {
            session: SessionId(1),
            username: "anna".to_owned(),
            server_name: "Club".to_owned(),
            server_program: String::new(),
            rooms: rooms.iter().copied().map(str::to_owned).collect(),
            time: Timestamp(FIRST_TIME),
            max_text: 4_096,
            is_durable: true,
            retention: Retention::default(),
            session_kept: true,
            position_kept: true,
            log_changed: false,
        }));
    }

    /// Enters a room.
    pub(super) fn enter(&mut self, room: &str, members: u32) {
        self.event(Event::Entered { tag: RequestTag::default(), room: room.to_owned(), members });
    }

    /// Takes an input.
    pub(super) fn input(&mut self, input: Input) {
        self.app.handle_input(self.now, input);
        self.outputs.extend(std::iter::from_fn(|| self.app.poll_output()));
    }

    /// Takes an event.
    pub(super) fn event(&mut self, event: Event) {
        self.input(Input::Event(event));
    }

    /// Presses a key.
    pub(super) fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.input(Input::Key(KeyEvent::new(code, modifiers)));
    }

    /// Presses Ctrl and a letter.
    pub(super) fn control(&mut self, letter: char) {
        self.press(KeyCode::Char(letter), KeyModifiers::CONTROL);
    }

    /// Types a text.
    pub(super) fn write(&mut self, text: &str) {
        for c in text.chars() {
            self.press(KeyCode::Char(c), KeyModifiers::NONE);
        }
    }

    /// Types a line and presses Enter.
    pub(super) fn enter_line(&mut self, line: &str) {
        self.write(line);
        self.press(KeyCode::Enter, KeyModifiers::NONE);
    }

    /// Makes the next message of a room, a minute after the one before.
    pub(super) fn message(&mut self, room: &str, from: &str, text: &str) -> Message {
        let sequence = self.next;
        self.next += 1;
        message(sequence, room, from, text)
    }

    /// Receives a message in the lobby.
    pub(super) fn hear(&mut self, from: &str, text: &str) {
        let message = self.message("lobby", from, text);
        self.event(Event::Message(message));
    }

    /// Receives a direct message.
    pub(super) fn hear_direct(&mut self, from: &str, text: &str) {
        let sequence = self.next;
        self.next += 1;
        self.event(Event::Direct(DirectMessage {
            sequence: Sequence(sequence),
            time: Timestamp(FIRST_TIME + sequence * 60_000),
            from_session: SessionId(2),
            from_person: None,
            from: from.to_owned(),
            to_session: SessionId(1),
            to: "anna".to_owned(),
            style: Style::SAID,
            text: text.to_owned(),
            history: false,
            own: false,
            tag: RequestTag::default(),
        }));
    }

    /// Takes the requests so far, without those that tell how far the user has read.
    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        let is_mark = |it: &Request| matches!(it.command, Command::MarkRead { .. });
        self.take_all_requests().into_iter().filter(|it| !is_mark(it)).collect()
    }

    /// Takes all requests so far.
    pub(super) fn take_all_requests(&mut self) -> Vec<Request> {
        let outputs = std::mem::take(&mut self.outputs);
        let requests = outputs.into_iter().filter_map(|it| match it {
            Output::Request(request) => Some(request),
            _ => None,
        });
        requests.collect()
    }

    /// Takes the request that says something, which must be the only one. Returns its tag and text.
    pub(super) fn take_said(&mut self) -> (RequestTag, String) {
        let requests = self.take_requests();
        let [Request { tag, command: Command::Chat(ChatCommand::Say { text, .. }) }] =
            requests.as_slice()
        else {
            panic!("{requests:?}");
        };
        (tag.clone(), text.clone())
    }

    /// Draws the screen. Returns its cells, and what it has besides.
    pub(super) fn draw(&mut self) -> (Buffer, Drawn) {
        let size = self.app.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, size.width, size.height));
        let drawn = draw(&mut self.app, &mut buffer);
        (buffer, drawn)
    }

    /// Returns the screen as text, with spaces at the ends of rows left out, and `▏` at the cursor.
    pub(super) fn screen(&mut self) -> String {
        let (buffer, drawn) = self.draw();
        let mut text = String::new();
        for y in buffer.area.top()..buffer.area.bottom() {
            let mut row = String::new();
            let mut skip = 0;
            for x in buffer.area.left()..buffer.area.right() {
                if drawn.cursor == Position::new(x, y) {
                    row.push('▏');
                }
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let symbol = buffer[(x, y)].symbol();
                row.push_str(symbol);
                skip = crate::ui::full_screen::text::columns(symbol).saturating_sub(1);
            }
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }

    /// Returns true if the row with this text is dimmed as a whole.
    pub(super) fn is_dim(&mut self, text: &str) -> bool {
        let row = self.screen().lines().position(|it| it.contains(text));
        let y = u16::try_from(row.unwrap()).unwrap();
        let (buffer, _) = self.draw();
        let cells = (0..buffer.area.width).map(|x| &buffer[(x, y)]);
        cells.filter(|it| it.symbol() != " ").all(|it| it.modifier.contains(Modifier::DIM))
    }
}

/// Returns a message; it is the user's own if anna wrote it.
pub(super) fn message(sequence: u64, room: &str, from: &str, text: &str) -> Message {
    Message {
        sequence: Sequence(sequence),
        time: Timestamp(FIRST_TIME + sequence * 60_000),
        room: room.to_owned(),
        session: SessionId(2),
        person: None,
        from: from.to_owned(),
        style: Style::SAID,
        text: text.to_owned(),
        history: false,
        requested: false,
        own: from == "anna",
        late: false,
        lamport: None,
        tag: RequestTag::default(),
    }
}

/// Returns the list of the members of a room.
pub(super) fn roster(room: &str, names: &[&str]) -> Event {
    Event::Roster {
        tag: RequestTag::default(),
        room: room.to_owned(),
        members: u32::try_from(names.len()).unwrap(),
        names: Some(names.iter().copied().map(str::to_owned).collect()),
        notes: None,
        requested: false,
    }
}
