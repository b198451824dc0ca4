//! Case: the full screen of `chat-client` draws a frame.

use std::time::Duration;

use pi_chat::model::{
    Event, JoinedServer, Message, RequestTag, Retention, Sequence, SessionId, Style, Timestamp,
};
use pi_chat::ui::full_screen::{SettingsFile, open};
use pi_chat::ui::{Dialect, Screen as _, SharedViewState};

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::terminal::Terminal;
use super::{Case, TEXT};

/// Function that draws a frame: ratatui's `Terminal::try_draw`, which calls `view::draw` and writes the
/// cells that have changed. (With `*` elsewhere than in front, callgrind takes two options with the same
/// pattern for different ones.)
const DRAW: &str = "*::try_draw";

/// Number of messages on the screen and above it.
const MESSAGES: u64 = 100;

/// Returns the case.
pub(crate) fn cases() -> Vec<Case> {
    let case = Case::new("screen-frame", 1, run);
    vec![Case { counted_too: Some(DRAW), counts_last_only: true, attend: Some(attend), ..case }]
}

/// Types a letter when all messages are there, which draws the frame that counts, and leaves.
fn attend(terminal: &mut Terminal) {
    terminal.expect(&format!("{MESSAGES}: {TEXT}"));
    terminal.type_text("x");
    terminal.expect_typed("#lobby> x");
    terminal.signal(Signal::TERM);
}

/// Shows a room with messages, until the process is told to end.
fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let mut end = {
        let _context = runtime.enter();
        signal(SignalKind::terminate()).unwrap()
    };
    let (requests, _received) = tokio::sync::mpsc::channel(1_000);
    let view = SharedViewState::with_dialect(Dialect::Server);
    let patience = Duration::from_secs(1);
    let mut screen = open(view, requests, patience, SettingsFile::default()).unwrap();
    let names = ["anna", "bob", "dora", "emil"];
    let mut events = vec![
        Event::JoinedServer(JoinedServer {
            session: SessionId(1),
            username: "anna".to_owned(),
            server_name: "Club".to_owned(),
            server_program: String::new(),
            rooms: vec!["lobby".to_owned()],
            time: Timestamp(1_700_000_000_000),
            max_text: 4_096,
            is_durable: true,
            retention: Retention::default(),
            session_kept: true,
            position_kept: true,
            log_changed: false,
        }),
        Event::Entered { tag: RequestTag::default(), room: "lobby".to_owned(), members: 4 },
        Event::Roster {
            tag: RequestTag::default(),
            room: "lobby".to_owned(),
            members: 4,
            names: Some(names.map(str::to_owned).to_vec()),
            notes: None,
            requested: false,
        },
    ];
    events.extend((1..=MESSAGES).zip(names.iter().cycle()).map(|(number, from)| {
        Event::Message(Message {
            sequence: Sequence(number),
            time: Timestamp(1_700_000_000_000 + number * 60_000),
            room: "lobby".to_owned(),
            session: SessionId(2),
            person: None,
            from: (*from).to_owned(),
            style: Style::SAID,
            text: format!("{number}: {TEXT}"),
            history: false,
            requested: false,
            own: *from == "anna",
            late: false,
            lamport: None,
            tag: RequestTag::default(),
        })
    }));
    for event in &events {
        screen.show(event).unwrap();
    }
    // A signal ends it, for a key would have another frame drawn.
    runtime.block_on(end.recv());
}
