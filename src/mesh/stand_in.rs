//! Stands in for the engine until it is there: no joining, no repair.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Drops, End, Input, Now, Outgoing, Output, Settings, Sign};
use crate::model::{
    Admitted, Command, Event, Heard, Lamport, Message, PeerId, Request, Sequence, SessionId, Style,
    Tag, Task,
};
use crate::wire::udp::{Entry, EntryFields, Packet};

/// The engine.
pub struct Mesh {
    /// As given.
    settings: Settings,
    /// As given.
    sign: Box<dyn Sign>,
    /// What is to be done.
    outputs: VecDeque<Output>,
    /// What is here.
    known: BTreeSet<(PeerId, u32)>,
    /// One's own.
    sequence: u32,
}

impl Mesh {
    /// Begins.
    #[must_use]
    pub fn new(settings: Settings, sign: Box<dyn Sign>, _now: Now) -> Self {
        let members = vec![settings.username.as_str().to_owned()];
        let admitted = Event::Admitted(Admitted {
            session: SessionId(1),
            username: settings.username.as_str().to_owned(),
            room: settings.room.as_str().to_owned(),
            is_closed: settings.is_closed,
            members,
            history_from: None,
        });
        let outputs = VecDeque::from([Output::Event(admitted)]);
        Self { settings, sign, outputs, known: BTreeSet::new(), sequence: 0 }
    }

    /// Takes one.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        match input {
            Input::Received { packet: Packet::Entry { entry, .. }, .. } => {
                if self.known.insert((entry.author.id, entry.fields.sequence)) {
                    self.show(&entry, false, Tag::default());
                }
            }
            Input::Request(Request { tag, command }) => match command {
                Command::Do(Task::Say { style, text, .. }) => {
                    self.sequence += 1;
                    let entry = Arc::new(self.sign.sign(EntryFields {
                        sequence: self.sequence,
                        lamport: Lamport(u64::from(self.sequence)),
                        time: now.time,
                        username: self.settings.username.as_str().to_owned(),
                        style: style.0,
                        text,
                    }));
                    self.show(&entry, true, tag.clone());
                    let packet = Outgoing::Entry(entry);
                    let (ways, addresses) = (Heard::ALL, Vec::new());
                    self.outputs.push_back(Output::Send { ways, addresses, packet });
                    let (sequence, time, unechoed) = (None, None, None);
                    let done = Event::Acknowledged { tag, sequence, time, unechoed };
                    self.outputs.push_back(Output::Event(done));
                }
                Command::Quit | Command::Finish { .. } => {
                    self.outputs.push_back(Output::Finished(End::Left { unsent: 0, refused: 0 }));
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// Shows an entry.
    fn show(&mut self, entry: &Entry, own: bool, tag: Tag) {
        self.outputs.push_back(Output::Event(Event::Message(Message {
            sequence: Sequence(entry.fields.sequence.into()),
            time: entry.fields.time,
            room: self.settings.room.as_str().to_owned(),
            session: SessionId(1),
            from: entry.fields.username.clone(),
            style: Style(entry.fields.style),
            text: entry.fields.text.clone(),
            history: false,
            requested: false,
            own,
            late: false,
            tag,
        })));
    }

    /// Gives one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether an entry is here.
    #[must_use]
    pub fn is_known(&self, author: PeerId, sequence: u32) -> bool {
        self.known.contains(&(author, sequence))
    }

    /// Whether a counter was seen.
    #[must_use]
    pub fn is_replayed(&self, _sender: PeerId, _counter: u64) -> bool {
        false
    }

    /// What was dropped.
    #[must_use]
    pub fn drops(&self) -> Drops {
        Drops::default()
    }
}
