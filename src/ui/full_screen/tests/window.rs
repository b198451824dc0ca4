//! The window with the messages: at any scroll position it shows a part of the conversation without
//! a hole, and whole messages are in the conversation's rows.

use std::ops::Range;

use proptest::prelude::*;
use ratatui::crossterm::event::{KeyCode, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::layout::Size;
use unicode_segmentation::UnicodeSegmentation as _;

use super::desk::{Desk, message};
use crate::model::{
    ChatCommand, Command, Event, Message, Refusal, Request, RequestTag, RoomSelector, SearchResult,
};
use crate::ui::full_screen::app::{Content, Input, Overlay, Place, Scroll};
use crate::ui::full_screen::layout::areas;
use crate::ui::full_screen::rows::{item_count, rows_of};
use crate::ui::full_screen::text::{Row, columns};

/// Number of messages in the server's log before the user comes.
const OLD_MESSAGES: u64 = 130;

/// Number of those that the user gets when they come.
const SEEN_MESSAGES: u64 = 10;

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody writes in the room.
    Hear(String),
    /// The user writes; the message is on its way.
    Write(String),
    /// The oldest message of the user on its way comes back, or is refused.
    Answer {
        /// True if it is refused.
        is_refused: bool,
    },
    /// Somebody comes.
    Presence(String),
    /// The program says something.
    Note,
    /// A key scrolls.
    Key(KeyCode, KeyModifiers),
    /// The wheel scrolls: up, or down.
    Wheel(bool),
    /// The terminal gets this size.
    Resize(u16, u16),
    /// The server answers all requests for older messages.
    Load,
    /// The user opens a message that a search has found.
    Open(u64),
    /// Another conversation is shown, or this one again.
    Switch(char),
    /// The room is emptied.
    Clear,
}

/// Returns a random text: words, long words, wide characters, several lines.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,9}( [a-zäß]{1,12}){0,20}",
        1 => "[a-z日本👩🏽é\u{301} \t*_`]{0,120}",
        1 => "[a-z ]{0,20}(\n[a-z日 ]{0,30}){0,5}",
        1 => "https://[a-z/.]{1,150}",
        1 => ".{0,60}",
    ]
}

/// Returns something random that happens.
fn any_step() -> impl Strategy<Value = Step> {
    let key = prop::sample::select(vec![
        (KeyCode::PageUp, KeyModifiers::NONE),
        (KeyCode::PageUp, KeyModifiers::NONE),
        (KeyCode::PageDown, KeyModifiers::NONE),
        (KeyCode::Home, KeyModifiers::ALT),
        (KeyCode::End, KeyModifiers::ALT),
        (KeyCode::Esc, KeyModifiers::NONE),
    ]);
    prop_oneof![
        6 => any_text().prop_map(Step::Hear),
        2 => any_text().prop_map(Step::Write),
        2 => any::<bool>().prop_map(|is_refused| Step::Answer { is_refused }),
        1 => prop::sample::select(vec!["carl", "dora", "日本"]).prop_map(|it| Step::Presence(it.to_owned())),
        1 => Just(Step::Note),
        8 => key.prop_map(|(code, held)| Step::Key(code, held)),
        8 => any::<bool>().prop_map(Step::Wheel),
        2 => (12_u16..120, 3_u16..40).prop_map(|(width, height)| Step::Resize(width, height)),
        4 => Just(Step::Load),
        1 => (1_u64..OLD_MESSAGES).prop_map(Step::Open),
        1 => prop::sample::select(vec!['1', '1', '2', '3']).prop_map(Step::Switch),
        1 => Just(Step::Clear),
    ]
}

/// User with a server that keeps all messages.
struct Room {
    /// The user.
    desk: Desk,
    /// Messages of the server's log; the sequence of each is its index and 1.
    log: Vec<Message>,
    /// Requests for older messages that are not answered yet.
    requests: Vec<Request>,
    /// Messages of the user that are not answered yet.
    written: Vec<(RequestTag, String)>,
}

impl Room {
    /// Sits down in a room with these messages, one after the other.
    fn new(texts: &[String]) -> Self {
        let mut room = Self {
            desk: Desk::in_lobby(80, 24),
            log: Vec::new(),
            requests: Vec::new(),
            written: Vec::new(),
        };
        room.desk.enter("garden", 1);
        for number in 0..OLD_MESSAGES {
            let text = &texts[usize::try_from(number).unwrap() % texts.len()];
            room.add("bob", &format!("{number} {text}"));
        }
        let first = usize::try_from(OLD_MESSAGES - SEEN_MESSAGES).unwrap();
        for message in room.log[first..].iter().cloned() {
            room.desk.event(Event::Message(Message { history: true, ..message }));
        }
        room
    }

    /// Adds a message to the log. Returns it.
    fn add(&mut self, from: &str, text: &str) -> Message {
        let sequence = u64::try_from(self.log.len() + 1).unwrap();
        self.log.push(message(sequence, "lobby", from, text));
        self.log.last().unwrap().clone()
    }

    /// Returns true if the lobby is shown.
    fn is_in_lobby(&self) -> bool {
        self.desk.app.conversations.current().place.is(&Place::Room("lobby".to_owned()))
    }

    /// Carries out a step.
    fn step(&mut self, step: Step) {
        match step {
            Step::Hear(text) => {
                let message = self.add("carl", &text);
                self.desk.event(Event::Message(message));
            }
            // Only the lobby has a log.
            Step::Write(_) if !self.is_in_lobby() => {}
            Step::Write(text) => {
                self.desk.input(Input::Paste(text));
                self.desk.press(KeyCode::Enter, KeyModifiers::NONE);
            }
            Step::Answer { is_refused } => self.answer(is_refused),
            Step::Presence(name) => self.desk.event(Event::Presence {
                room: "lobby".to_owned(),
                members: 4,
                joined: Some(vec![name]),
                left: Some(Vec::new()),
            }),
            Step::Note => self.desk.enter_line("/set notify all"),
            Step::Key(code, held) => self.desk.press(code, held),
            Step::Wheel(is_up) => {
                let kind =
                    if is_up { MouseEventKind::ScrollUp } else { MouseEventKind::ScrollDown };
                let modifiers = KeyModifiers::NONE;
                self.desk.input(Input::Mouse(MouseEvent { kind, column: 1, row: 3, modifiers }));
            }
            Step::Resize(width, height) => {
                self.desk.input(Input::Resize(Size { width, height }));
            }
            Step::Load => self.load(),
            Step::Open(sequence) => self.open(sequence),
            Step::Switch(digit) => self.desk.press(KeyCode::Char(digit), KeyModifiers::ALT),
            Step::Clear => self.desk.enter_line("/clear"),
        }
        for request in self.desk.take_requests() {
            match &request.command {
                Command::Chat(ChatCommand::History { .. }) => self.requests.push(request),
                Command::Chat(ChatCommand::Say { text, .. }) => {
                    self.written.push((request.tag, text.clone()));
                }
                _ => {}
            }
        }
    }

    /// Answers the oldest message of the user.
    fn answer(&mut self, is_refused: bool) {
        if self.written.is_empty() {
            return;
        }
        let (tag, text) = self.written.remove(0);
        if is_refused {
            let (text, to) = ("You may not talk here".to_owned().into(), "lobby".to_owned());
            let message = Some("refused".to_owned());
            return self.desk.event(Event::Refused(Refusal { tag, code: 310, text, to, message }));
        }
        let message = self.add("anna", &text);
        self.desk.event(Event::Message(Message { tag, ..message }));
    }

    /// Answers all requests for older messages, as a server does.
    fn load(&mut self) {
        for request in std::mem::take(&mut self.requests) {
            let Command::Chat(ChatCommand::History { room, before, limit }) = request.command
            else {
                panic!("not a request for messages");
            };
            let RoomSelector::Named(room) = room else { panic!("no room") };
            let before = before.map_or(0, |it| it.0);
            let is_older =
                |it: &&Message| it.room == room && (before == 0 || it.sequence.0 < before);
            let older: Vec<_> = self.log.iter().filter(is_older).cloned().collect();
            let first = older.len().saturating_sub(limit.into());
            for message in &older[first..] {
                let message = Message { history: true, requested: true, ..message.clone() };
                self.desk.event(Event::Message(message));
            }
            let (tag, room, more) = (request.tag, Some(room), first > 0);
            self.desk.event(Event::HistoryEnd { tag, room, more, requested: true });
        }
    }

    /// Searches, and opens what was found.
    fn open(&mut self, sequence: u64) {
        self.desk.enter_line("/search tea");
        let requests = self.desk.take_requests();
        let search = requests.iter().find_map(|it| match &it.command {
            Command::Chat(ChatCommand::Search(search)) => Some((it.tag.clone(), search.clone())),
            _ => None,
        });
        let Some((tag, search)) = search else { return };
        let messages = vec![self.log[usize::try_from(sequence - 1).unwrap()].clone()];
        self.desk.event(Event::SearchResult(SearchResult { tag, search, messages, more: false }));
        self.desk.press(KeyCode::Enter, KeyModifiers::NONE);
    }

    /// Returns the rows of the window as they are drawn, without spaces at their ends.
    fn drawn(&mut self) -> Vec<String> {
        let (buffer, _) = self.desk.draw();
        let area = areas(&self.desk.app).messages;
        let row = |y| {
            let (mut row, mut x) = (String::new(), area.left());
            while x < area.right() {
                let symbol = buffer[(x, y)].symbol();
                row.push_str(symbol);
                x += columns(symbol).max(1);
            }
            row.trim_end().to_owned()
        };
        (area.top()..area.bottom()).map(row).collect()
    }

    /// Returns the texts of the rows of each item of what is shown.
    fn items(&self) -> Vec<Vec<String>> {
        let app = &self.desk.app;
        let width = areas(app).messages.width;
        // What has no width, such as a soft hyphen, is not to be seen.
        let visible =
            |it: &str| it.graphemes(true).filter(|it| columns(it) > 0).collect::<String>();
        let text = |row: &Row| row.iter().map(|it| visible(&it.text)).collect::<String>();
        let shown = |row: &Row| text(row).trim_end().to_owned();
        let rows = |index| rows_of(app, index, width).iter().map(shown).collect();
        (0..item_count(app)).map(rows).collect()
    }

    /// Compares what is drawn with the rows of the conversation. Returns which of them are drawn, of
    /// how many; `None` if something else lies over them.
    fn check(&mut self) -> Option<(Range<usize>, usize)> {
        let drawn = self.drawn();
        if self.desk.app.overlay != Overlay::None || areas(&self.desk.app).messages.width == 0 {
            return None;
        }
        let items = self.items();
        let app = &self.desk.app;
        let items_rows: Vec<_> = items.iter().map(Vec::len).collect();
        let total = items_rows.iter().sum();
        let end = match app.shown().scroll {
            Scroll::End => total,
            Scroll::At { line, below } => {
                let index = app.shown().index_of(line);
                // In a wider window it may have fewer rows than when it was scrolled.
                let below = below.min(items_rows[index] - 1);
                items_rows[..=index].iter().sum::<usize>() - below
            }
        };
        let begin = end.saturating_sub(drawn.len());
        let rows: Vec<_> = items.into_iter().flatten().collect();
        let expected = rows[begin..end].to_vec();
        let empty = drawn.len() - expected.len();
        let expected: Vec<_> = vec![String::new(); empty].into_iter().chain(expected).collect();
        assert_eq!(drawn, expected, "rows {begin} to {end} of {total}");
        // Nothing is left empty above while there are rows below, apart from messages on their way,
        // which are passed in one step.
        let own_lines = app.shown().lines().len();
        let lines_end = items_rows[..own_lines].iter().sum::<usize>();
        let has_pending = !app.shown().pending().is_empty();
        let is_all_shown = end == total || has_pending && end == lines_end;
        assert!(empty == 0 || is_all_shown, "rows {begin} to {end} of {total}: {drawn:?}");
        Some((begin..end, total))
    }

    /// Checks that the rows of each message have all of its text.
    fn check_texts(&self) {
        let is_seen = |it: &char| !it.is_whitespace() && columns(it.encode_utf8(&mut [0; 4])) > 0;
        let flat = |text: &str| text.chars().filter(is_seen).collect::<String>();
        let items = self.items();
        let shown = self.desk.app.shown();
        for (line, rows) in shown.lines().iter().zip(&items) {
            if let Content::Message(message) = &line.content {
                let rows = flat(&rows.concat());
                assert!(rows.contains(&flat(&message.text)), "{:?}\n{rows}", message.text);
            }
        }
    }
}

/// Returns by how many rows a step scrolls in a window of this height, up if it is less than 0;
/// `None` if it does something else.
fn rows_scrolled(step: &Step, height: usize) -> Option<isize> {
    let height = isize::try_from(height).unwrap();
    match step {
        Step::Wheel(is_up) => Some(if *is_up { -3 } else { 3 }),
        Step::Key(KeyCode::PageUp, _) => Some(-(height - 1).max(1)),
        Step::Key(KeyCode::PageDown, _) => Some((height - 1).max(1)),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// At any scroll position, what is drawn is a part of the conversation's rows without a hole,
    /// and scrolling moves it by as many rows as it should.
    #[test]
    fn window_has_no_holes(
        texts in prop::collection::vec(any_text(), 1..30),
        steps in prop::collection::vec(any_step(), 1..40),
    ) {
        let mut room = Room::new(&texts);
        let mut before = room.check();
        for step in steps {
            let height = usize::from(areas(&room.desk.app).messages.height);
            let has_pending = !room.desk.app.shown().pending().is_empty();
            let scrolled = rows_scrolled(&step, height).filter(|_| !has_pending);
            room.step(step);
            let after = room.check();
            // A line above the input may come or go.
            let is_same_height = usize::from(areas(&room.desk.app).messages.height) == height;
            if let (Some(rows), Some((before, total)), Some((after, after_total))) =
                (scrolled.filter(|_| is_same_height), before, after.clone())
            {
                let least = height.max(1).min(total);
                let end = before.end.saturating_add_signed(rows).clamp(least, total);
                let scrolled = format!("{before:?} of {total} by {rows}: {after:?} of {after_total}");
                prop_assert_eq!((after.end, after_total), (end, total), "{}", scrolled);
            }
            before = after;
        }
        room.check_texts();
    }
}
